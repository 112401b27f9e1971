/* Any text: a number that is read is valid, and is written and read again unchanged.  Any three integers: the quotient is off by
 * at most one half. */
#include <assert.h>
#include <string.h>
#include "base/decimal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct slice s)
{
	decimal v, back;
	char out[24];
	enum err e = decimal_parse(&v, s);

	assert(e == OK || e == ERR_USAGE || e == ERR_TOOBIG);
	assert(decimal_valid(v));
	for (unsigned min = 0; min <= 4; min++) {
		decimal_format(out, v, min, 4);
		assert(decimal_parse(&back, slice_of(out)) == OK && back == v);
	}
}

static void check_places(decimal v)
{
	char out[24];

	for (unsigned max = 0; max <= 4; max++)
		for (unsigned min = 0; min <= max; min++) {
			decimal_format(out, v, min, max);
			assert(strlen(out) < sizeof out);
		}
}

static void check_quotient(int64_t a, int64_t b, int64_t c)
{
	int64_t q = decimal_muldiv(a, b, c);
	__int128 rest = (__int128)a * b - (__int128)q * c, size = c < 0 ? -(__int128)c : c;

	if (q == INT64_MIN || q == INT64_MAX)
		return;
	if (rest < 0)
		rest = -rest;
	assert(2 * rest <= size);
	assert(decimal_muldiv(b, a, c) == q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_text(SLICE(data, size));
	if (size < 24)
		return 0;
	check_places((int64_t)get_u64(data));
	if (get_u64(data + 16) != 0)
		check_quotient((int64_t)get_u64(data), (int64_t)get_u64(data + 8), (int64_t)get_u64(data + 16));
	return 0;
}
