#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "cli/args.h"

static const struct option_spec OWN[] = {
	{ "target", 0, "N", "" }, { "note", 'm', "NOTE", "" }, { "team", 0, "TEAM", "" }, { "raw", 0, NULL, "" }, { NULL, 0, NULL, NULL }
};
static char why[256];

/* Takes the words apart; argv ends with NULL. */
static bool parse(struct args *a, const char *const *argv)
{
	int n = 0;

	while (argv[n] != NULL)
		n++;
	return args_parse(a, why, n, (char **)(uintptr_t)argv, OWN);
}
#define PARSE(a, ...) parse(a, (const char *const[]){ __VA_ARGS__, NULL })

static void options_stand_anywhere(void **state)
{
	struct args a;

	(void)state;
	assert_true(PARSE(&a, "--json", "Ship v2", "--target", "100", "k=v", "-m", "a note", "--raw", "--org=Acme"));
	assert_int_equal(a.n_words, 2);
	assert_string_equal(a.words[0], "Ship v2");
	assert_string_equal(a.words[1], "k=v");
	assert_string_equal(args_option(&a, "target"), "100");
	assert_string_equal(args_option(&a, "note"), "a note");
	assert_string_equal(args_option(&a, "org"), "Acme");
	assert_non_null(args_option(&a, "json"));
	assert_non_null(args_option(&a, "raw"));
	assert_null(args_option(&a, "yes"));
}

static void repeated_options_are_all_kept_and_the_last_one_counts(void **state)
{
	struct args a;

	(void)state;
	assert_true(PARSE(&a, "--team", "A", "--target", "1", "--team=B"));
	assert_string_equal(args_option_at(&a, "team", 0), "A");
	assert_string_equal(args_option_at(&a, "team", 1), "B");
	assert_null(args_option_at(&a, "team", 2));
	assert_string_equal(args_option(&a, "team"), "B");
}

static void negative_numbers_are_words_and_values(void **state)
{
	struct args a;

	(void)state;
	assert_true(PARSE(&a, "REF", "-45.5", "--target", "-5", "-m", "-3 is low", "-.5", "-7%"));
	assert_int_equal(a.n_words, 4);
	assert_string_equal(a.words[1], "-45.5");
	assert_string_equal(a.words[2], "-.5");
	assert_string_equal(a.words[3], "-7%");
	assert_string_equal(args_option(&a, "target"), "-5");
	assert_string_equal(args_option(&a, "note"), "-3 is low");
}

static void text_is_taken_as_it_is(void **state)
{
	static const char *const texts[] = { "!#:+ and more!", "100 % \"quoted\" \\ $HOME `x`", "ünï ☃", "", " ", "a=b=c", "x!" };
	struct args a;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_true(PARSE(&a, texts[i], "-m", texts[i], "other"));
		assert_string_equal(a.words[0], texts[i]);
		assert_string_equal(args_option(&a, "note"), texts[i]);
	}
}

static void two_dashes_end_the_options(void **state)
{
	struct args a;

	(void)state;
	assert_true(PARSE(&a, "--json", "--", "--target", "-m", "--"));
	assert_int_equal(a.n_words, 3);
	assert_string_equal(a.words[0], "--target");
	assert_string_equal(a.words[2], "--");
	assert_null(args_option(&a, "target"));
}

static void wrong_options_are_named(void **state)
{
	struct args a;

	(void)state;
	assert_false(PARSE(&a, "--bogus"));
	assert_string_equal(why, "The option --bogus is not known here");
	assert_false(PARSE(&a, "--target"));
	assert_string_equal(why, "The option --target needs a value");
	assert_false(PARSE(&a, "--raw=1"));
	assert_non_null(strstr(why, "--raw"));
	assert_false(PARSE(&a, "-z"));
	assert_string_equal(why, "The option -z is not known here");
	assert_false(PARSE(&a, "--\033[31m"));
	assert_null(strchr(why, '\033'));
}

static void global_options_are_known_before_the_command(void **state)
{
	static const struct { const char *first, *second; int n; } cases[] = {
		{ "--json", "x", 1 }, { "--org", "x", 2 }, { "--org=x", "y", 1 }, { "--timeout", "5", 2 }, { "-y", "x", 1 }, { "-h", "x", 1 },
		{ "--orgs", "x", 0 }, { "goal", "x", 0 }, { "--", "x", 0 }, { "-yh", "x", 0 }, { "", "x", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *argv[] = { cases[i].first, cases[i].second };
		assert_int_equal(args_global(2, (char **)(uintptr_t)argv), cases[i].n);
	}
}

static void pairs_have_a_key_and_perhaps_a_value(void **state)
{
	const char *key, *value;

	(void)state;
	assert_true(args_pair(&key, &value, "periodYear=2026"));
	assert_string_equal(key, "periodYear");
	assert_string_equal(value, "2026");
	assert_true(args_pair(&key, &value, "description="));
	assert_string_equal(value, "");
	assert_true(args_pair(&key, &value, "a=b=c"));
	assert_string_equal(value, "b=c");
	assert_false(args_pair(&key, &value, "title"));
	assert_false(args_pair(&key, &value, "=x"));
	assert_false(args_pair(&key, &value, "1a=x"));
	assert_false(args_pair(&key, &value, "a b=x"));
	assert_false(args_pair(&key, &value, ""));
}

static void durations_have_a_unit(void **state)
{
	long s;

	(void)state;
	assert_true(args_duration(&s, "7d") && s == 604800);
	assert_true(args_duration(&s, "1s") && s == 1);
	assert_true(args_duration(&s, "12h") && s == 43200);
	assert_true(args_duration(&s, "30m") && s == 1800);
	assert_true(args_duration(&s, "2w") && s == 1209600);
	assert_true(args_duration(&s, "90") && s == 90);
	assert_false(args_duration(&s, ""));
	assert_false(args_duration(&s, "d"));
	assert_false(args_duration(&s, "-1d"));
	assert_false(args_duration(&s, "7dd"));
	assert_false(args_duration(&s, "7 d"));
	assert_false(args_duration(&s, "99999999999999999999d"));
	assert_false(args_duration(&s, "999999d"));
}

static void timeouts_are_seconds(void **state)
{
	long ms;

	(void)state;
	assert_true(args_timeout(&ms, "60") && ms == 60000);
	assert_true(args_timeout(&ms, "0.5") && ms == 500);
	assert_true(args_timeout(&ms, "0") && ms == 0);
	assert_false(args_timeout(&ms, "-1"));
	assert_false(args_timeout(&ms, "1s"));
	assert_false(args_timeout(&ms, "1e9"));
	assert_false(args_timeout(&ms, "86401"));
}

static void periods_are_read_in_every_form(void **state)
{
	static const struct { const char *text, *name; int number, year; const char *start; } good[] = {
		{ "2026", "Year", 0, 2026, "" }, { "2026-H1", "Half", 1, 2026, "" }, { "2026-Q4", "Quarter", 4, 2026, "" },
		{ "2026-q1", "Quarter", 1, 2026, "" }, { "2026-07", "Month", 7, 2026, "" }, { "2026-M12", "Month", 12, 2026, "" },
		{ "2026-W31", "Week", 31, 2026, "" }, { "2026-w5", "Week", 5, 2026, "" }, { "2026-01-15..2026-03-31", "Custom", 0, 0, "2026-01-15" },
	};
	static const char *const bad[] = { "", "26", "2026-", "2026-Q5", "2026-Q0", "2026-H3", "2026-13", "2026-00", "2026-W54", "2026-Q44", "Q4-2026",
		"2026-01-15..", "2026-01-15..2026-13-31", "2026-01-15..2026-03-31x", "2026-X1", "1026-Q1" };
	struct period p;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(args_period(&p, good[i].text));
		assert_string_equal(p.name, good[i].name);
		assert_int_equal(p.number, good[i].number);
		assert_int_equal(p.year, good[i].year);
		assert_string_equal(p.start, good[i].start);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(args_period(&p, bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_stand_anywhere),
		cmocka_unit_test(repeated_options_are_all_kept_and_the_last_one_counts),
		cmocka_unit_test(negative_numbers_are_words_and_values),
		cmocka_unit_test(text_is_taken_as_it_is),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(wrong_options_are_named),
		cmocka_unit_test(global_options_are_known_before_the_command),
		cmocka_unit_test(pairs_have_a_key_and_perhaps_a_value),
		cmocka_unit_test(durations_have_a_unit),
		cmocka_unit_test(timeouts_are_seconds),
		cmocka_unit_test(periods_are_read_in_every_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
