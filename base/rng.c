#include <sodium.h>             /* before crypto.h, which says why */
#include "base/rng.h"
#include <assert.h>
#include <string.h>
#include "base/crypto.h"

#define BLOCK 64

void rng_seed(struct rng *r, const uint8_t seed[32])
{
	memcpy(r->key, seed, sizeof r->key);
	r->block = 0;
}

void rng_seed_u64(struct rng *r, uint64_t seed)
{
	struct id32 key;
	uint8_t raw[8];

	put_u64(raw, seed);
	crypto_hash1(&key, "cairn-rng", raw, sizeof raw);
	rng_seed(r, key.b);
}

/* Every call begins a new block, so there is no half-used one to keep. */
void rng_bytes(struct rng *r, void *out, size_t len)
{
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];

	memset(out, 0, len);
	crypto_stream_chacha20_xor_ic(out, out, len, nonce, r->block, r->key);
	r->block += len / BLOCK + (len % BLOCK > 0);
}

uint64_t rng_u64(struct rng *r)
{
	uint8_t raw[8];

	rng_bytes(r, raw, sizeof raw);
	return get_u64(raw);
}

uint64_t rng_below(struct rng *r, uint64_t bound)
{
	uint64_t v, uneven = 0;

	assert(bound > 0);
	uneven = -bound % bound;        /* 2^64 mod bound: the values that would favour small results */
	do
		v = rng_u64(r);
	while (v < uneven);
	return v % bound;
}
