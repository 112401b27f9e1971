/* text: Unicode at the edges (libunistring).  Authors normalize to NFC; decoders check UTF-8 and code-point counts only. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H
#include "base/bytes.h"

bool text_valid(struct slice);                       /* well-formed UTF-8 */
size_t text_points(struct slice);                    /* code points; well-formed input */
/* NFC of text, appended to out.  ERR_MALFORMED for ill-formed UTF-8. */
enum err text_nfc(struct buf *out, struct slice text);
/* Text for a terminal: control characters (C0, C1, DEL), bidi overrides and isolates, zero-width and line separators become
 * visible escapes (\e → ␛, others \u{202E}); newline and tab too unless multiline. */
enum err text_safe(struct buf *out, struct slice text, bool multiline);
size_t text_width(struct slice);                     /* terminal columns (East Asian wide = 2, combining = 0) */

#endif
