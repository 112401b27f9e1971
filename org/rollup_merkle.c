#include "org/rollup.h"
#include <stdlib.h>
#include <string.h>

void rollup_leaf(struct id32 *out, const struct id16 *salt, const struct id32 *report, const struct id16 *objective,
	struct number value, decimal weight)
{
	uint8_t numbers[16];
	struct slice parts[] = { SLICE(salt->b, DOC_LEN), SLICE(report->b, ID_LEN), SLICE(objective->b, DOC_LEN),
		SLICE(numbers, sizeof numbers) };

	put_u64(numbers, (uint64_t)(value.set ? value.value : INT64_MIN));
	put_u64(numbers + 8, (uint64_t)(value.set ? weight : 0));
	crypto_hash(out, "cairn-leaf-report", parts, sizeof parts / sizeof *parts);
}

static int by_bytes(const void *a, const void *b)
{
	return id32_compare(a, b);
}

static size_t drop_repeated(struct id32 *leaves, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !id32_equal(&leaves[kept - 1], &leaves[i]))
			leaves[kept++] = leaves[i];
	return kept;
}

/* Halves a level in place. */
static size_t hash_level(struct id32 *level, size_t n)
{
	size_t up = 0;

	for (size_t i = 0; i + 1 < n; i += 2) {
		struct slice pair[] = { SLICE(level[i].b, ID_LEN), SLICE(level[i + 1].b, ID_LEN) };
		struct id32 node;

		crypto_hash(&node, "cairn-merkle", pair, 2);
		level[up++] = node;
	}
	if (n % 2 == 1)
		level[up++] = level[n - 1];
	return up;
}

void rollup_merkle_root(struct id32 *out, struct id32 *leaves, size_t *n)
{
	memset(out, 0, sizeof *out);
	if (*n == 0)
		return;
	qsort(leaves, *n, sizeof *leaves, by_bytes);
	*n = drop_repeated(leaves, *n);
	for (size_t left = *n; left > 1;)
		left = hash_level(leaves, left);
	*out = leaves[0];
}
