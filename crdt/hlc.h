/* hlc: the hybrid logical clock (protocol §1; Kulkarni et al. 2014).  48 bits of UTC milliseconds, 16 of counter, packed so that
 * numeric order is clock order.  It chooses between concurrent values and nothing else.  Pure. */
#ifndef CRDT_HLC_H
#define CRDT_HLC_H
#include <stdint.h>

typedef uint64_t hlc;
static inline uint64_t hlc_ms(hlc t) { return t >> 16; }
static inline hlc hlc_from_ms(uint64_t ms) { return ms << 16; }

/* The next local stamp: greater than last (the newest that this device wrote or saw as due) and not before now_ms.  Never
 * fails: a full counter carries into the milliseconds. */
hlc hlc_next(hlc last, uint64_t now_ms);
/* Is t ahead of the physical clock by more than LIMIT_FUTURE_MS?  Then it is held (protocol §2). */
int hlc_is_future(hlc t, uint64_t now_ms);

#endif
