#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/bytes.h"
#include "base/mem.h"
#include "tests/unit/base_hex.h"

static void slices_compare_like_memcmp_shorter_first(void **state)
{
	static const char *ascending[] = { "", "a", "aa", "ab", "b", "\x80", "\xff" };

	(void)state;
	for (int i = 0; i < 7; i++)
		for (int j = 0; j < 7; j++) {
			int order = slice_compare(slice_of(ascending[i]), slice_of(ascending[j]));

			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
			assert_int_equal(slice_equal(slice_of(ascending[i]), slice_of(ascending[j])), i == j);
		}
	assert_true(slice_equal(SLICE(NULL, 0), slice_of("")));
}

static void integers_are_big_endian(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_put_u8(&b, 1);
	buf_put_u16(&b, 0x0203);
	buf_put_u32(&b, 0x04050607);
	buf_put_u64(&b, 0xf8f9fafbfcfdfeff);
	assert_int_equal(b.err, OK);
	assert_true(hex_equal(b.data, b.len, "01 0203 04050607 f8f9fafbfcfdfeff"));
	assert_int_equal(get_u16(b.data + 1), 0x0203);
	assert_int_equal(get_u32(b.data + 3), 0x04050607);
	assert_true(get_u64(b.data + 7) == 0xf8f9fafbfcfdfeff);
	buf_free(&b);
}

static void appended_bytes_stay(void **state)
{
	struct buf b = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%03d;", i);
	assert_int_equal(b.len, 4000);
	assert_memory_equal(b.data + 4 * 777, "777;", 4);
	buf_clear(&b);
	buf_put_text(&b, "text");
	buf_put(&b, NULL, 0);
	buf_put_slice(&b, slice_of("more"));
	assert_true(slice_equal(buf_slice(&b), slice_of("textmore")));
	buf_free(&b);
	assert_null(b.data);
}

static void extended_bytes_are_counted(void **state)
{
	struct buf b = {0};
	uint8_t *at;

	(void)state;
	buf_put_text(&b, "ab");
	at = buf_extend(&b, 100);
	assert_ptr_equal(at, b.data + 2);
	memset(at, 'c', 100);
	assert_int_equal(b.len, 102);
	buf_wipe(&b);
	assert_int_equal(b.cap, 0);
}

static void fill(struct buf *b)
{
	buf_put_u32(b, 7);
	buf_printf(b, "%0100d", 3);
	buf_extend(b, 1000);
}

static void the_first_failure_sticks(void **state)
{
	size_t before = mem_live();
	enum err e = ERR_NOMEM;

	(void)state;
	for (int k = 0; e != OK; k++) {
		struct buf b = {0};

		mem_fail_after(k);
		fill(&b);
		mem_fail_after(-1);
		e = b.err;
		assert_true(e == OK || e == ERR_NOMEM);
		if (e != OK) {
			size_t len = b.len;

			buf_put_text(&b, "not added");
			assert_null(buf_extend(&b, 1));
			assert_int_equal(b.len, len);
		}
		buf_free(&b);
		assert_int_equal(mem_live(), before);
	}
}

static void a_length_that_overflows_is_refused(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_put_u8(&b, 1);
	assert_null(buf_extend(&b, SIZE_MAX));
	assert_int_equal(b.err, ERR_NOMEM);
	buf_clear(&b);
	assert_null(buf_extend(&b, SIZE_MAX / 2));
	assert_int_equal(b.err, ERR_NOMEM);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_compare_like_memcmp_shorter_first),
		cmocka_unit_test(integers_are_big_endian),
		cmocka_unit_test(appended_bytes_stay),
		cmocka_unit_test(extended_bytes_are_counted),
		cmocka_unit_test(the_first_failure_sticks),
		cmocka_unit_test(a_length_that_overflows_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
