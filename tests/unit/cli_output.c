#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/text.h"
#include "cli/call.h"
#include "cli/filter.h"
#include "cli/output.h"
#include "cli/pick.h"

static void json_is_sorted_and_exact(void **state)
{
	json_t *value = json_pack("{s:f,s:n,s:[i],s:s}", "b", 45.5, "a", "c", 7, "d", "ü");
	struct buf b = {0};

	(void)state;
	assert_int_equal(format_json(&b, value), OK);
	buf_put_u8(&b, 0);
	assert_string_equal((char *)b.data, "{\n  \"a\": null,\n  \"b\": 45.5,\n  \"c\": [\n    7\n  ],\n  \"d\": \"ü\"\n}");
	buf_free(&b);
	json_decref(value);
}

/* ESC, C1 CSI, DEL, a right-to-left override, a tag character: nothing of it leaves raw, and it reads back as the same. */
static void json_hides_nothing_and_lets_nothing_through(void **state)
{
	const char *evil = "a\033[31m\302\233x\177\342\200\256b\363\240\200\201c\u00e9";
	json_t *value = json_pack("{ss}", "t", evil), *again;
	struct buf b = {0}, shown = {0};

	(void)state;
	assert_int_equal(format_json(&b, value), OK);
	text_safe(&shown, buf_slice(&b), true);
	assert_true(slice_equal(buf_slice(&b), buf_slice(&shown)));
	again = json_loadb((char *)b.data, b.len, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(again, "t")), evil);
	json_decref(again);
	json_decref(value);
	buf_free(&b);
	buf_free(&shown);
}

static void text_from_the_daemon_is_made_safe(void **state)
{
	const char *plain = "plain text";

	(void)state;
	assert_ptr_equal(safe(plain), plain);
	assert_string_equal(safe("a\tb\nc"), "a\\u{9}b\\u{A}c");
	assert_string_equal(safe("\033[2J"), "␛[2J");
	assert_string_equal(safe("x\342\200\256y"), "x\\u{202E}y");
	assert_string_equal(safe_lines("a\nb\033"), "a\nb␛");
	assert_string_equal(safe("\xff"), "\357\277\275");
}

static json_t *number(double d)
{
	return keep_json(json_real(d));
}

static void percentages_have_two_decimals_rounded_away_from_zero(void **state)
{
	(void)state;
	assert_string_equal(percent_text(number(45.5)), "45.50");
	assert_string_equal(percent_text(number(62.5)), "62.50");
	assert_string_equal(percent_text(number(0.125)), "0.13");
	assert_string_equal(percent_text(number(33.3333)), "33.33");
	assert_string_equal(percent_text(number(1.005)), "1.01");
	assert_string_equal(percent_text(number(-0.125)), "-0.13");
	assert_string_equal(percent_text(keep_json(json_integer(100))), "100.00");
	assert_string_equal(percent_text(json_null()), "no data");
	assert_string_equal(cell_text(json_null(), CELL_PERCENT, false), "");
	assert_string_equal(cell_text(number(45.5), CELL_PERCENT, true), "45.50 %");
	assert_string_equal(cell_text(number(45.5), CELL_PERCENT, false), "45.50");
	assert_string_equal(number_text(number(45.5)), "45.5");
	assert_string_equal(number_text(keep_json(json_integer(83))), "83");
	assert_string_equal(number_text(number(1e300)), "");
}

static void bars_are_as_full_as_the_number(void **state)
{
	(void)state;
	assert_string_equal(bar_text(number(0), 10, false), "----------");
	assert_string_equal(bar_text(number(45.5), 10, false), "####------");
	assert_string_equal(bar_text(number(100), 10, false), "##########");
	assert_string_equal(bar_text(number(250), 4, false), "####");
	assert_string_equal(bar_text(number(-3), 4, false), "----");
	assert_string_equal(bar_text(json_null(), 4, false), "----");
	assert_string_equal(bar_text(number(50), 4, true), "██░░");
}

static void times_are_local_and_other_texts_stay(void **state)
{
	(void)state;
	setenv("TZ", "UTC-2", 1);
	assert_string_equal(time_text(keep_json(json_string("2026-03-31T10:20:30Z"))), "2026-03-31 12:20:30");
	assert_string_equal(time_text(keep_json(json_string("2026-03-31"))), "2026-03-31");
	assert_string_equal(cell_text(keep_json(json_string("2026-03-31T10:20:30Z")), CELL_TIME, false), "2026-03-31T10:20:30Z");
	assert_string_equal(time_text(json_null()), "");
	assert_string_equal(ago_text(json_null()), "");
	assert_string_equal(ago_text(keep_json(json_string("2999-01-01T00:00:00Z"))), "for 0 s");
}

/* ---- tables ---- */

static const struct column COLUMNS[] = {
	{ "id", "id", CELL_ID }, { "title", "title", CELL_TEXT }, { "progress", "p", CELL_BAR }, { "status", "s", CELL_WORD }
};

/* The widest line of text in columns. */
static size_t widest(const char *text)
{
	size_t most = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, "\n"), width = text_width(SLICE(text, len));
		most = width > most ? width : most;
		text += len + (text[len] == '\n');
	}
	return most;
}

static void tables_fit_their_width_and_cut_only_texts(void **state)
{
	static const char *const cells[] = {
		"7f3k2a9b", "A rather long title that does not fit into a narrow terminal at all", "████░░░░░░ 45.50 %", "IN_PROGRESS",
		"8f3k2a9b", "短い題名がここにあります、とても長い題名です、とても長い題名です", "░░░░░░░░░░  0.00 %", "OnTrack",
	};

	(void)state;
	terminal_start();
	for (size_t width = 60; width <= 140; width += 10) {
		char *text;
		assert_int_equal(table_render(&text, COLUMNS, 4, cells, 2, width), OK);
		assert_true(widest(text) <= width);
		assert_non_null(strstr(text, "IN_PROGRESS"));
		assert_non_null(strstr(text, "7f3k2a9b"));
		assert_non_null(strstr(text, "45.50 %"));
		if (width >= 130)
			assert_non_null(strstr(text, "at all"));
		free(text);
	}
}

/* ---- requests ---- */

static void references_are_percent_encoded(void **state)
{
	(void)state;
	assert_string_equal(route("/api/{}/goals/{}", "a/b c", "95% ü?#"), "/api/a%2Fb%20c/goals/95%25%20%C3%BC%3F%23");
	assert_string_equal(route("/x/{}", "."), "/x/%2E");
	assert_string_equal(route("/x/{}", ".."), "/x/.%2E");
	assert_string_equal(route("/plain"), "/plain");
	assert_string_equal(with_query(with_query("/x", "q", "a&b"), "team", "c"), "/x?q=a%26b&team=c");
	assert_string_equal(with_query("/x", "q", NULL), "/x");
}

static void every_error_code_has_its_exit(void **state)
{
	static const struct { const char *code; int status, exit; } cases[] = {
		{ "usage", 400, 2 }, { "toobig", 413, 2 }, { "malformed", 400, 2 }, { "denied", 403, 4 }, { "consent", 403, 4 },
		{ "notfound", 404, 7 }, { "ambiguous", 404, 7 }, { "person", 409, 6 }, { "exists", 409, 1 }, { "state", 409, 1 },
		{ "busy", 409, 1 }, { "waiting", 202, 8 }, { "locked", 423, 6 }, { "limit", 429, 1 }, { "full", 507, 1 }, { "io", 500, 1 },
		{ "nomem", 503, 1 }, { "damaged", 500, 1 }, { NULL, 404, 7 }, { NULL, 500, 1 }, { "new one", 403, 4 }, { "new one", 599, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(exit_of(cases[i].code, cases[i].status), cases[i].exit);
}

static void filters_take_rows_out(void **state)
{
	static const struct filter filters[] = { { "status", "status" }, { "parent", "parentGoalId" }, { NULL, NULL } };
	static const struct { const char *words[2]; size_t n, left; } cases[] = {
		{ { "status:in_progress" }, 1, 2 }, { { "STATUS:InProgress" }, 1, 2 }, { { "status:in" }, 1, 0 }, { { "parent:7f3k" }, 1, 1 },
		{ { "ship" }, 1, 2 }, { { "ship", "status:not started" }, 2, 1 }, { { "nothing" }, 1, 0 }, { { "status:" }, 1, 0 }, { { NULL }, 0, 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_t *rows = json_pack("[{ss,ss,sn},{ss,ss,ss},{ss,ss,sn}]", "title", "Ship v2", "status", "IN_PROGRESS", "parentGoalId",
			"title", "Shipping", "status", "NOT_STARTED", "parentGoalId", "7f3k2a9b", "title", "Read", "status", "IN_PROGRESS", "parentGoalId");
		struct cli c = { .args = { .n_words = cases[i].n, .words = (const char **)(uintptr_t)cases[i].words } };

		filter_rows(&c, rows, filters);
		assert_int_equal(json_array_size(rows), cases[i].left);
		json_decref(rows);
	}
}

/* ---- picking ---- */

static const char ROWS[] = " [ {\"id\":\"a\\\"b\", \"x\":[1,{\"id\":\"no]\"}] ,\"p\" : 45.5,\"n\":null},{},{\"s\":\"{[\\\\\",\"t\":true,\"l\":[[],[{}]],"
	"\"id\":\"\\u00fc \303\274\"} ] \n";

/* Each row of what was picked has just those members of the whole that were asked for. */
static void picked_rows_are_what_jansson_reads(void **state)
{
	static const char *const keys[] = { "id", "p", "n", "l", "t" };
	json_t *all = json_loads(ROWS, JSON_REJECT_DUPLICATES, NULL), *some = pick_rows(slice_of(ROWS), keys, 5), *row;
	size_t i;

	(void)state;
	assert_non_null(some);
	assert_int_equal(json_array_size(some), json_array_size(all));
	json_array_foreach(all, i, row) {
		json_object_del(row, "x");
		json_object_del(row, "s");
		assert_true(json_equal(row, json_array_get(some, i)));
	}
	json_decref(all);
	json_decref(some);
	some = pick_rows(slice_of("[]"), keys, 5);
	assert_int_equal(json_array_size(some), 0);
	assert_non_null(some);
	json_decref(some);
}

/* Cut anywhere, or no array of objects: left to jansson.  The copy lets the sanitizer see every byte read beyond the end. */
static void what_is_no_list_of_objects_is_not_picked(void **state)
{
	static const char *const other[] = { "", "{}", "[1]", "[{}", "[{}]x", "[{},]", "[{\"id\":}]", "[{\"id\" 1}]", "[{\"id\":\"\xff\"}]", "[{\"id\":01}]",
		"[{\"id\":1,}]", "[{,}]", "[{\"i\\u0064\":1}]" };
	static const char *const keys[] = { "id" };

	(void)state;
	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		assert_null(pick_rows(slice_of(other[i]), keys, 1));
	for (size_t len = 0; len + 2 < sizeof ROWS - 1; len++) {
		char *copy = malloc(len + 1);
		memcpy(copy, ROWS, len);
		assert_null(pick_rows(SLICE(copy, len), keys, 1));
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_sorted_and_exact),
		cmocka_unit_test(json_hides_nothing_and_lets_nothing_through),
		cmocka_unit_test(text_from_the_daemon_is_made_safe),
		cmocka_unit_test(percentages_have_two_decimals_rounded_away_from_zero),
		cmocka_unit_test(bars_are_as_full_as_the_number),
		cmocka_unit_test(times_are_local_and_other_texts_stay),
		cmocka_unit_test(tables_fit_their_width_and_cut_only_texts),
		cmocka_unit_test(references_are_percent_encoded),
		cmocka_unit_test(every_error_code_has_its_exit),
		cmocka_unit_test(filters_take_rows_out),
		cmocka_unit_test(picked_rows_are_what_jansson_reads),
		cmocka_unit_test(what_is_no_list_of_objects_is_not_picked),
	};

	json_set_alloc_funcs(mem_alloc, mem_free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
