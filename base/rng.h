/* rng: random bytes that are a function of a 32-byte seed: the node's only source, so that equal events give equal effects.
 * ChaCha20 keystream; also drives the simulator and property tests. */
#ifndef BASE_RNG_H
#define BASE_RNG_H
#include <stddef.h>
#include <stdint.h>

struct rng { uint8_t key[32]; uint64_t block; };
void rng_seed(struct rng *, const uint8_t seed[32]);
void rng_seed_u64(struct rng *, uint64_t seed);      /* tests and simulator */
void rng_bytes(struct rng *, void *out, size_t len);
uint64_t rng_u64(struct rng *);
uint64_t rng_below(struct rng *, uint64_t bound);    /* uniform in 0..bound-1; bound > 0 */

#endif
