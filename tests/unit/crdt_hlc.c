/* hlc and schema: the two smallest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/limits.h"
#include "crdt/hlc.h"
#include "crdt/schema.h"

static void next_is_now_when_the_clock_runs_ahead(void **state)
{
	(void)state;
	assert_int_equal(hlc_next(0, 1000), hlc_from_ms(1000));
	assert_int_equal(hlc_next(hlc_from_ms(999) + 0xffff, 1000), hlc_from_ms(1000));
}

static void next_always_grows(void **state)
{
	hlc t = hlc_from_ms(1000);

	(void)state;
	assert_int_equal(hlc_next(t, 1000), t + 1);
	assert_int_equal(hlc_next(t, 0), t + 1);
	assert_int_equal(hlc_next(t + 0xffff, 1000), hlc_from_ms(1001));        /* a full counter carries */
	assert_int_equal(hlc_next(UINT64_MAX, 1000), UINT64_MAX);
	assert_int_equal(hlc_next(0, UINT64_MAX), hlc_from_ms(UINT64_MAX >> 16));
}

static void future_is_beyond_the_limit(void **state)
{
	(void)state;
	assert_false(hlc_is_future(hlc_from_ms(5000 + LIMIT_FUTURE_MS) + 0xffff, 5000));
	assert_true(hlc_is_future(hlc_from_ms(5001 + LIMIT_FUTURE_MS), 5000));
	assert_false(hlc_is_future(0, 0));
	assert_true(hlc_is_future(UINT64_MAX, 0));
	assert_false(hlc_is_future(UINT64_MAX, UINT64_MAX));
}

static void schema_finds_only_its_keys(void **state)
{
	static const struct schema_field fields[] = { { 2, FIELD_REGISTER, NULL }, { 5, FIELD_SET, NULL }, { 9, FIELD_COUNTER, NULL } };
	static const struct schema schema = { fields, 3 }, empty = { fields, 0 };

	(void)state;
	for (uint32_t key = 0; key < 12; key++) {
		const struct schema_field *f = schema_find(&schema, key);

		assert_true(f == (key == 2 ? &fields[0] : key == 5 ? &fields[1] : key == 9 ? &fields[2] : NULL));
		assert_null(schema_find(&empty, key));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_is_now_when_the_clock_runs_ahead),
		cmocka_unit_test(next_always_grows),
		cmocka_unit_test(future_is_beyond_the_limit),
		cmocka_unit_test(schema_finds_only_its_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
