#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/mem.h"
#include "base/text.h"

static void ill_formed_utf8_is_noticed(void **state)
{
	static const char *const GOOD[] = { "", "plain", "é", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf" };
	static const char *const BAD[] = { "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "a\xc3", "\xc3\x28", "\xe0\x9f\xbf", "\xe2\x82",
		"\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xfe", "\xff" };

	(void)state;
	for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++)
		assert_true(text_valid(slice_of(GOOD[i])));
	for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
		assert_true(!text_valid(slice_of(BAD[i])));
	assert_true(text_valid(SLICE("a\0b", 3)));
	assert_true(text_valid(SLICE(NULL, 0)));
}

static void code_points_are_counted(void **state)
{
	(void)state;
	assert_int_equal(text_points(slice_of("")), 0);
	assert_int_equal(text_points(slice_of("abc")), 3);
	assert_int_equal(text_points(slice_of("e\u0301é日\U0001F600")), 5);
}

static void check_nfc(const char *in, const char *out)
{
	struct buf b = {0};

	assert_int_equal(text_nfc(&b, slice_of(in)), OK);
	assert_true(slice_equal(buf_slice(&b), slice_of(out)));
	buf_free(&b);
}

static void text_is_composed(void **state)
{
	struct buf b = {0};

	(void)state;
	check_nfc("", "");
	check_nfc("plain", "plain");
	check_nfc("e\u0301", "é");
	check_nfc("\u212b", "\u00c5");                          /* Ångström sign */
	check_nfc("\u1112\u1161\u11ab", "\ud55c");              /* Hangul */
	check_nfc("a\u0323\u0307", "\u1ea1\u0307");
	check_nfc("ﬁ", "ﬁ");                                    /* not NFKC */
	assert_int_equal(text_nfc(&b, slice_of("a\xff")), ERR_MALFORMED);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void check_safe(const char *in, bool multiline, const char *out)
{
	struct buf b = {0};

	assert_int_equal(text_safe(&b, slice_of(in), multiline), OK);
	buf_put_u8(&b, 0);
	assert_string_equal((char *)b.data, out);
	buf_free(&b);
}

static void what_steers_a_terminal_becomes_visible(void **state)
{
	(void)state;
	check_safe("", false, "");
	check_safe("Zürich 日本 \U0001F600 e\u0301 \u2764\ufe0f", false, "Zürich 日本 \U0001F600 e\u0301 \u2764\ufe0f");
	check_safe("\x1b[31mred\x1b]0;title\x07", false, "␛[31mred␛]0;title\\u{7}");
	check_safe("a\rb\bc\x7f", true, "a\\u{D}b\\u{8}c\\u{7F}");
	check_safe("\xc2\x85\xc2\x9b" "31m", true, "\\u{85}\\u{9B}31m");                       /* C1: NEL, CSI */
	check_safe("\u202eabc\u202c \u2066x\u2069 \u200f", true, "\\u{202E}abc\\u{202C} \\u{2066}x\\u{2069} \\u{200F}");
	check_safe("a\u200bb\u2028c\u2029d\ufeff\u00ad\u2060\u061c", true,
		"a\\u{200B}b\\u{2028}c\\u{2029}d\\u{FEFF}\\u{AD}\\u{2060}\\u{61C}");
	check_safe("\U000E0041", true, "\\u{E0041}");
}

static void lines_and_tabs_only_where_wanted(void **state)
{
	(void)state;
	check_safe("a\n\tb", true, "a\n\tb");
	check_safe("a\n\tb", false, "a\\u{A}\\u{9}b");
}

static void ill_formed_bytes_are_shown_replaced(void **state)
{
	(void)state;
	check_safe("a\xff" "b", false, "a\uFFFD" "b");
	check_safe("\x9b" "31m", false, "\uFFFD" "31m");                                /* a raw C1 byte */
	check_safe("a\xe2\x82", false, "a\uFFFD");
	check_safe("\xed\xa0\x80x", false, "\uFFFDx");
	check_safe("\uFFFD", false, "\uFFFD");
}

static void no_output_steers_a_terminal(void **state)
{
	(void)state;
	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++)
			for (unsigned c = 0; c < 256; c += 3) {
				uint8_t in[3] = { (uint8_t)a, (uint8_t)b, (uint8_t)c };
				uint8_t space[64];
				struct buf out = { .data = space, .cap = sizeof space };

				assert_int_equal(text_safe(&out, SLICE(in, 3), false), OK);
				assert_true(text_valid(buf_slice(&out)));
				for (size_t i = 0; i < out.len; i++) {
					assert_true(space[i] >= 0x20 && space[i] != 0x7f);
					assert_true(space[i] != 0xc2 || space[i + 1] >= 0xa0);
				}
			}
}

static void widths_are_terminal_columns(void **state)
{
	(void)state;
	assert_int_equal(text_width(slice_of("")), 0);
	assert_int_equal(text_width(SLICE(NULL, 0)), 0);
	assert_int_equal(text_width(slice_of("plain")), 5);
	assert_int_equal(text_width(slice_of("Zürich")), 6);
	assert_int_equal(text_width(slice_of("e\u0301")), 1);
	assert_int_equal(text_width(slice_of("日本")), 4);
	assert_int_equal(text_width(slice_of("\U0001F600")), 2);
	assert_int_equal(text_width(slice_of("ａ")), 2);
	assert_int_equal(text_width(slice_of("█▌ ─ …")), 6);
}

static void any_failed_allocation_is_reported(void **state)
{
	enum err e = ERR_NOMEM;

	(void)state;
	for (int k = 0; e != OK; k++) {
		struct buf b = {0};

		mem_fail_after(k);
		e = text_nfc(&b, slice_of("e\u0301"));
		for (int i = 0; i < 50; i++)
			e = text_safe(&b, slice_of("a\u202eb\x1b"), false);
		mem_fail_after(-1);
		assert_true(e == b.err && (e == OK || e == ERR_NOMEM));
		buf_free(&b);
	}
	assert_int_equal(mem_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ill_formed_utf8_is_noticed),
		cmocka_unit_test(code_points_are_counted),
		cmocka_unit_test(text_is_composed),
		cmocka_unit_test(what_steers_a_terminal_becomes_visible),
		cmocka_unit_test(lines_and_tabs_only_where_wanted),
		cmocka_unit_test(ill_formed_bytes_are_shown_replaced),
		cmocka_unit_test(no_output_steers_a_terminal),
		cmocka_unit_test(widths_are_terminal_columns),
		cmocka_unit_test(any_failed_allocation_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
