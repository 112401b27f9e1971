/* mp: canonical msgpack (protocol §1).  Shortest integers and lengths, no floats, no ext types, map keys unique and sorted
 * (by their encoded bytes), well-formed UTF-8 in strings.
 *
 * Writing goes through msgpack-c's packer into a struct buf (whose error sticks).  Reading is a bounded, allocation-free walk:
 * mp_check() proves that the bytes hold exactly one canonical value within the given depth and count, then a struct
 * mp_reader walks it without copying.  Foreign bytes must pass mp_check first (measured.md 9: msgpack-c's own decoder
 * reserves 96 GB for five bytes); a reader over unchecked bytes is still memory-safe and fails with ERR_MALFORMED. */
#ifndef BASE_MP_H
#define BASE_MP_H
#include "base/bytes.h"

enum mp_type { MP_NIL, MP_BOOL, MP_UINT, MP_NEGATIVE, MP_BIN, MP_STR, MP_ARRAY, MP_MAP, MP_END };

/* One canonical value, nothing behind it, nesting <= depth, at most items values in all (keys count).  A
 * scalar has nesting 0, an array of scalars 1.  ERR_MALFORMED. */
enum err mp_check(struct slice, unsigned depth, size_t items);

void mp_put_nil(struct buf *);
void mp_put_bool(struct buf *, bool);
void mp_put_uint(struct buf *, uint64_t);
void mp_put_int(struct buf *, int64_t);             /* shortest form, also of non-negative numbers */
void mp_put_bin(struct buf *, const void *, size_t);
void mp_put_bin_slice(struct buf *, struct slice);
void mp_put_str(struct buf *, const char *, size_t);
void mp_put_text(struct buf *, const char *nul_terminated);
void mp_put_array(struct buf *, size_t count);      /* then count values */
void mp_put_map(struct buf *, size_t pairs);        /* then pairs keys and values, keys ascending */

/* Reading.  The first mismatch sticks in err, and later calls return zeros; check err once, after mp_end(). */
struct mp_reader { const uint8_t *at, *end; enum err err; };
struct mp_reader mp_read(struct slice);
enum mp_type mp_peek(const struct mp_reader *);     /* MP_END at the end or after an error */
bool mp_get_nil(struct mp_reader *);                /* true and consumed when the next value is nil; no error otherwise */
bool mp_get_bool(struct mp_reader *);
uint64_t mp_get_uint(struct mp_reader *, uint64_t max);   /* ERR_MALFORMED beyond max */
int64_t mp_get_int(struct mp_reader *, int64_t min, int64_t max);
struct slice mp_get_bin(struct mp_reader *, size_t max);
void mp_get_fixed(struct mp_reader *, void *out, size_t len);  /* a bin of exactly len bytes, copied */
struct slice mp_get_str(struct mp_reader *, size_t max);
size_t mp_get_array(struct mp_reader *, size_t max);
size_t mp_get_map(struct mp_reader *, size_t max);
void mp_get_array_of(struct mp_reader *, size_t exactly);
struct slice mp_get_any(struct mp_reader *);        /* skips one value and returns its encoding */
void mp_fail(struct mp_reader *, enum err);         /* set the sticky error, if none is set */
enum err mp_end(struct mp_reader *);                /* err, or ERR_MALFORMED if bytes are left */

#endif
