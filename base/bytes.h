/* bytes: a borrowed range of bytes, and an owned growing buffer with a sticky error. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct slice { const uint8_t *data; size_t len; };  /* borrowed; data may be NULL when len is 0 */

#define SLICE(p, n) ((struct slice){ (const uint8_t *)(p), (n) })
struct slice slice_of(const char *text);            /* without the NUL */
bool slice_equal(struct slice, struct slice);
int slice_compare(struct slice, struct slice);      /* as memcmp, the shorter first */

/* Appends never fail on the spot: the first failure sticks in err, later appends do nothing.  Check err once at the end.
 * Start with struct buf b = {0}. */
struct buf { uint8_t *data; size_t len, cap; enum err err; };
void buf_free(struct buf *);                        /* releases and zeroes the struct; secrets: use buf_wipe */
void buf_wipe(struct buf *);                        /* clears the bytes, then frees */
void buf_clear(struct buf *);                       /* length 0 and no error; keeps the memory */
void buf_put(struct buf *, const void *data, size_t len);
void buf_put_slice(struct buf *, struct slice);
void buf_put_u8(struct buf *, uint8_t);
void buf_put_u16(struct buf *, uint16_t);           /* big-endian, as all integers in keys */
void buf_put_u32(struct buf *, uint32_t);
void buf_put_u64(struct buf *, uint64_t);
void buf_put_text(struct buf *, const char *text);  /* without the NUL */
void buf_printf(struct buf *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for len more bytes, uninitialised, already counted in len; NULL on failure. */
uint8_t *buf_extend(struct buf *, size_t len);
struct slice buf_slice(const struct buf *);
uint64_t get_u64(const uint8_t *);                  /* big-endian */
uint32_t get_u32(const uint8_t *);
uint16_t get_u16(const uint8_t *);
void put_u64(uint8_t *, uint64_t);
void put_u32(uint8_t *, uint32_t);
void put_u16(uint8_t *, uint16_t);

#endif
