/* id: ids as text: lower-case Crockford base32 (alphabet 0123456789abcdefghjkmnpqrstvwxyz, most significant bit first), shown as
 * 8 characters; a unique prefix of >= 4 is accepted (protocol §1).  Reading accepts upper case, o as 0, i and l as 1. */
#ifndef BASE_ID_H
#define BASE_ID_H
#include "base/bytes.h"

#define ID_TEXT_MAX 56                               /* 32 bytes are 52 characters, and a NUL */
size_t id_text_len(size_t bytes);                    /* ceil(8·bytes/5) */
/* The first chars characters (0: all) of the id, NUL-terminated.  Returns out. */
char *id_format(char *out, const void *id, size_t len, size_t chars);
/* The whole of an id.  ERR_USAGE: wrong length, character or stray bits. */
enum err id_parse(void *id, size_t len, struct slice text);
/* Does the id begin with this text?  False also for text that is no base32 or shorter than 4. */
bool id_has_prefix(const void *id, size_t len, struct slice text);
/* Arbitrary bytes as base32, appended; and back. */
void id_encode(struct buf *out, struct slice bytes);
enum err id_decode(struct buf *out, struct slice text);

#endif
