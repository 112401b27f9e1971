#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/decimal.h"
#include "base/rng.h"

static void texts_are_read_exactly(void **state)
{
	static const struct { const char *text; decimal v; } GOOD[] = {
		{ "0", 0 }, { "-0", 0 }, { "45.5", 455000 }, { "-17", -170000 }, { "+3.25", 32500 }, { ".5", 5000 }, { "-.0001", -1 },
		{ "007", 70000 }, { "1.00000000", 10000 }, { "0.1234", 1234 }, { "99999999.9999", DECIMAL_MAX },
		{ "-99999999.99990", -DECIMAL_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
		decimal v = 1;

		assert_int_equal(decimal_parse(&v, slice_of(GOOD[i].text)), OK);
		assert_true(v == GOOD[i].v);
	}
}

static void other_texts_are_refused(void **state)
{
	static const char *const WRONG[] = {
		"", "-", "+", ".", "-.", "1.", "1e", "1e3", "1,5", " 1", "1 ", "--1", "+-1", "1.2.3", "0.12345", "0x10", "1_000", "inf",
		"nan", "1.2345x", "1.23450x", "99999999999999999999999999x",
	};
	static const char *const LARGE[] = { "100000000", "-100000000", "99999999.99991", "1000000000000000000000000000000" };

	(void)state;
	for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
		decimal v = 1;

		if (decimal_parse(&v, slice_of(WRONG[i])) != ERR_USAGE)
			fail_msg("accepted %s", WRONG[i]);
		assert_true(v == 0);
	}
	for (size_t i = 0; i < 4; i++) {
		decimal v = 1;

		assert_int_equal(decimal_parse(&v, slice_of(LARGE[i])), i == 2 ? ERR_USAGE : ERR_TOOBIG);
	}
	assert_int_equal(decimal_parse(&(decimal){0}, SLICE("1\0", 2)), ERR_USAGE);
	assert_int_equal(decimal_parse(&(decimal){0}, SLICE(NULL, 0)), ERR_USAGE);
}

static void shown_places_are_rounded_half_away_from_zero(void **state)
{
	static const struct { decimal v; unsigned min, max; const char *text; } GOLDEN[] = {
		{ 0, 0, 4, "0" }, { 0, 2, 2, "0.00" }, { 455000, 0, 4, "45.5" }, { 455000, 2, 4, "45.50" }, { 12345, 0, 3, "1.235" },
		{ -12345, 0, 3, "-1.235" }, { 12344, 0, 3, "1.234" }, { 5000, 0, 0, "1" }, { -5000, 0, 0, "-1" }, { 4999, 0, 0, "0" },
		{ -4999, 0, 0, "0" }, { -1, 0, 4, "-0.0001" }, { -1, 2, 2, "0.00" }, { 99999, 1, 1, "10.0" }, { 100000, 0, 4, "10" },
		{ DECIMAL_MAX, 0, 4, "99999999.9999" }, { DECIMAL_MAX, 0, 0, "100000000" },
		{ INT64_MAX, 0, 4, "922337203685477.5807" }, { INT64_MIN, 4, 4, "-922337203685477.5808" },
		{ INT64_MIN, 0, 0, "-922337203685478" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof GOLDEN / sizeof *GOLDEN; i++) {
		char out[24];

		decimal_format(out, GOLDEN[i].v, GOLDEN[i].min, GOLDEN[i].max);
		assert_string_equal(out, GOLDEN[i].text);
	}
}

static void what_is_shown_reads_back(void **state)
{
	struct rng r;

	(void)state;
	rng_seed_u64(&r, 1);
	for (int i = 0; i < 20000; i++) {
		decimal v = (decimal)rng_below(&r, 2 * DECIMAL_MAX + 1) - DECIMAL_MAX, back;
		char out[24];

		v /= 1LL << rng_below(&r, 40);
		decimal_format(out, v, (unsigned)rng_below(&r, 5), 4);
		assert_int_equal(decimal_parse(&back, slice_of(out)), OK);
		assert_true(back == v);
	}
}

static void quotients_are_rounded_half_away_from_zero(void **state)
{
	(void)state;
	for (int d = 1; d <= 12; d++)
		for (int n = -50; n <= 50; n++) {
			int twice = 2 * (n < 0 ? -n : n), floor = (twice + d) / (2 * d);

			assert_true(decimal_div_round(n, d) == (n < 0 ? -floor : floor));
			assert_true(decimal_muldiv(n, 1, d) == (n < 0 ? -floor : floor));
			assert_true(decimal_muldiv(1, n, -d) == (n < 0 ? floor : -floor));
		}
}

static void extremes_saturate(void **state)
{
	const __int128 most = (__int128)(((unsigned __int128)-1) >> 1), least = -most - 1;

	(void)state;
	assert_true(decimal_muldiv(INT64_MIN, INT64_MIN, 1) == INT64_MAX);
	assert_true(decimal_muldiv(INT64_MIN, INT64_MAX, 1) == INT64_MIN);
	assert_true(decimal_muldiv(INT64_MIN, INT64_MIN, INT64_MIN) == INT64_MIN);
	assert_true(decimal_muldiv(INT64_MIN, 1, -1) == INT64_MAX);
	assert_true(decimal_muldiv(INT64_MIN, INT64_MAX, INT64_MAX) == INT64_MIN);
	assert_true(decimal_muldiv(INT64_MAX, INT64_MAX, INT64_MAX) == INT64_MAX);
	assert_true(decimal_muldiv(INT64_MAX, 3, 2) == INT64_MAX);
	assert_true(decimal_div_round(most, 1) == INT64_MAX);
	assert_true(decimal_div_round(least, 1) == INT64_MIN);
	assert_true(decimal_div_round(most, most) == 1);
	assert_true(decimal_div_round(least, most) == -1);
	assert_true(decimal_div_round(most / 2 + 1, most) == 1);
	assert_true(decimal_div_round(most / 2, most) == 0);
}

static void the_range_is_symmetric(void **state)
{
	(void)state;
	assert_true(decimal_valid(DECIMAL_MAX) && decimal_valid(-DECIMAL_MAX) && decimal_valid(0));
	assert_true(!decimal_valid(DECIMAL_MAX + 1) && !decimal_valid(-DECIMAL_MAX - 1) && !decimal_valid(INT64_MIN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_read_exactly),
		cmocka_unit_test(other_texts_are_refused),
		cmocka_unit_test(shown_places_are_rounded_half_away_from_zero),
		cmocka_unit_test(what_is_shown_reads_back),
		cmocka_unit_test(quotients_are_rounded_half_away_from_zero),
		cmocka_unit_test(extremes_saturate),
		cmocka_unit_test(the_range_is_symmetric),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
