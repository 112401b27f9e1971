#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/err.h"
#include "base/mem.h"

static void memory_comes_zeroed(void **state)
{
	static const char zeros[100];
	char *a = mem_alloc(100), *b = mem_array(10, 10);

	(void)state;
	assert_memory_equal(a, zeros, 100);
	assert_memory_equal(b, zeros, 100);
	mem_free(a);
	mem_free(b);
}

static void empty_blocks_are_valid(void **state)
{
	size_t before = mem_live();
	void *blocks[] = { mem_alloc(0), mem_array(0, 8), mem_array(8, 0), mem_copy(NULL, 0), mem_resize(NULL, 0, 8) };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		assert_non_null(blocks[i]);
		mem_free(blocks[i]);
	}
	assert_int_equal(mem_live(), before);
}

static void overflow_is_refused(void **state)
{
	char *old = mem_copy("abc", 4), *p = old;
	size_t capacity = SIZE_MAX / 2 + 1;

	(void)state;
	assert_null(mem_array(SIZE_MAX / 2, 3));
	assert_null(mem_resize(old, SIZE_MAX / 2, 3));
	assert_null(mem_grow(p, &capacity, capacity, 1));
	assert_string_equal(old, "abc");
	mem_free(old);
}

static void live_blocks_are_counted(void **state)
{
	size_t before = mem_live();
	char *text = mem_string("text"), *more;

	(void)state;
	assert_int_equal(mem_live(), before + 1);
	more = mem_resize(text, 4000, 1);
	assert_string_equal(more, "text");
	assert_int_equal(mem_live(), before + 1);
	mem_free(more);
	mem_free(NULL);
	assert_int_equal(mem_live(), before);
}

static void the_kth_allocation_and_later_ones_fail(void **state)
{
	void *kept[3];

	(void)state;
	mem_fail_after(3);
	for (int i = 0; i < 3; i++)
		assert_non_null(kept[i] = mem_alloc(1));
	assert_null(mem_alloc(1));
	assert_null(mem_copy("x", 1));
	assert_null(mem_resize(kept[0], 100, 1));
	mem_fail_after(-1);
	for (int i = 0; i < 3; i++)
		mem_free(kept[i]);
	mem_free(mem_alloc(1));
}

static void a_growing_array_keeps_its_elements(void **state)
{
	size_t capacity = 0, moves = 0;
	int *array = NULL;

	(void)state;
	for (size_t n = 0; n < 1000; n++) {
		int *moved = mem_grow(array, &capacity, n, sizeof *array);

		assert_non_null(moved);
		assert_true(capacity > n);
		moves += moved != array;
		array = moved;
		array[n] = (int)n;
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(array[i], i);
	assert_true(moves < 12);
	mem_free(array);
}

static void a_failed_growth_changes_nothing(void **state)
{
	size_t capacity = 0;
	int *array = mem_grow(NULL, &capacity, 0, sizeof *array);
	size_t full = capacity;

	(void)state;
	mem_fail_after(0);
	assert_null(mem_grow(array, &capacity, full, sizeof *array));
	assert_ptr_equal(mem_grow(array, &capacity, full - 1, sizeof *array), array);
	mem_fail_after(-1);
	assert_int_equal(capacity, full);
	mem_free(array);
}

static void every_error_has_a_name_and_a_text(void **state)
{
	(void)state;
	for (int e = OK; e < ERR_LAST; e++) {
		assert_non_null(err_name((enum err)e));
		assert_non_null(err_text((enum err)e));
		for (int f = OK; f < e; f++)
			assert_string_not_equal(err_name((enum err)e), err_name((enum err)f));
	}
	assert_string_equal(err_name(ERR_FULL), "full");
	assert_string_equal(err_text(ERR_FULL), "no room on the disk");
	assert_string_equal(err_name(ERR_LAST), "unknown");
	assert_non_null(err_text((enum err)-1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_comes_zeroed),
		cmocka_unit_test(empty_blocks_are_valid),
		cmocka_unit_test(overflow_is_refused),
		cmocka_unit_test(live_blocks_are_counted),
		cmocka_unit_test(the_kth_allocation_and_later_ones_fail),
		cmocka_unit_test(a_growing_array_keeps_its_elements),
		cmocka_unit_test(a_failed_growth_changes_nothing),
		cmocka_unit_test(every_error_has_a_name_and_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
