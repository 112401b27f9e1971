/* The one table holds together: paths, groups, examples, help. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/mem.h"
#include "cli/commands.h"
#include "tests/unit/cli_fake.h"

#define WORDS 32

static void paths_are_unique_and_found(void **state)
{
	(void)state;
	for (size_t i = 1; i < commands_count; i++) {
		const struct command_group *group;
		const char *words[2] = { commands[i].path, NULL };
		char first[32];
		const char *space = strchr(commands[i].path, ' ');
		size_t used, n = 1;

		if (space != NULL) {
			snprintf(first, sizeof first, "%.*s", (int)(space - commands[i].path), commands[i].path);
			words[0] = first;
			words[1] = space + 1;
			n = 2;
		}
		assert_ptr_equal(command_find(&used, &group, n, words), &commands[i]);
		assert_int_equal(used, n);
	}
}

static void every_row_is_complete(void **state)
{
	(void)state;
	for (size_t i = 1; i < commands_count; i++) {
		const struct command *c = &commands[i];
		const char *space = strchr(c->path, ' ');
		size_t options = 0;
		bool grouped = space == NULL;

		assert_non_null(c->run);
		assert_true(c->summary[0] != '\0' && c->summary[strlen(c->summary) - 1] != '.');
		assert_true(c->min <= c->max);
		assert_int_equal(c->args[0] != '\0', c->max > 0 || c->tail != TAIL_NONE);
		for (size_t k = 0; k < command_groups_count && !grouped; k++)
			grouped = strncmp(command_groups[k].name, c->path, (size_t)(space - c->path)) == 0;
		assert_true(grouped);
		for (const struct option_spec *o = c->options; o != NULL && o->name != NULL; o++, options++)
			for (const struct option_spec *g = global_options; g->name != NULL; g++) {
				assert_string_not_equal(o->name, g->name);
				assert_true(o->letter == 0 || o->letter != g->letter);
			}
		assert_true(options + 8 <= ARGS_OPTIONS);
	}
}

/* As a shell would: blanks part words, double quotes hold them together.  In place. */
static int split(char **words, char *line)
{
	int n = 0;

	for (char *out = line; *line != '\0'; ) {
		bool quoted = false;
		while (*line == ' ')
			line++;
		words[n++] = out;
		for (; *line != '\0' && (quoted || *line != ' '); line++)
			if (*line == '"')
				quoted = !quoted;
			else
				*out++ = *line;
		line += *line != '\0';
		*out++ = '\0';
	}
	return n;
}

static void every_example_is_accepted(void **state)
{
	(void)state;
	for (size_t i = 1; i < commands_count; i++)
		for (const char *at = commands[i].examples; *at != '\0'; ) {
			size_t len = strcspn(at, "\n|"), used;
			char line[512], *words[WORDS], why[256];
			const struct command_group *group;
			const struct command *c;
			struct args a;
			int n;

			snprintf(line, sizeof line, "%.*s", (int)len, at);
			n = split(words, line);
			assert_string_equal(words[0], "cairn");
			c = command_find(&used, &group, (size_t)n - 1, (const char *const *)(words + 1));
			assert_ptr_equal(c, &commands[i]);
			assert_true(args_parse(&a, why, n - 1 - (int)used, words + 1 + used, c->options));
			assert_true(a.n_words >= c->min);
			assert_true(a.n_words <= c->max || c->tail != TAIL_NONE);
			for (size_t k = c->max; k < a.n_words && c->tail == TAIL_PAIRS; k++) {
				const char *key, *value;
				assert_true(args_pair(&key, &value, a.words[k]));
			}
			at += strcspn(at, "\n");
			at += *at == '\n';
		}
}

static void distances_count_edits(void **state)
{
	(void)state;
	assert_int_equal(edit_distance("goal", "goal"), 0);
	assert_int_equal(edit_distance("goal", "GOAL"), 0);
	assert_int_equal(edit_distance("goal", "gaol"), 1);
	assert_int_equal(edit_distance("goal", "gal"), 1);
	assert_int_equal(edit_distance("", "abc"), 3);
	assert_int_equal(edit_distance("kitten", "sitting"), 3);
	assert_int_equal(edit_distance("x", "0123456789012345678901234567890123456789"), 99);
}

static void wrong_words_find_what_was_meant(void **state)
{
	static const struct { const char *first, *second, *meant; } cases[] = {
		{ "gaol", NULL, "goal" }, { "stats", NULL, "status" }, { "invite", NULL, "org invite" }, { "goal", "ad", "goal add" },
		{ "objective", "sow", "objective show" }, { "objectiv", NULL, "objective" }, { "share", "preveiw", "share preview" },
		{ "snyc", NULL, "sync" },
	};
	const char *paths[3];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *words[] = { cases[i].first, cases[i].second };
		assert_true(command_nearest(paths, 3, cases[i].second == NULL ? 1 : 2, words) >= 1);
		assert_string_equal(paths[0], cases[i].meant);
	}
	assert_int_equal(command_nearest(paths, 3, 1, (const char *const[]){ "zzzzzzzz" }), 0);
}

static void help_is_there_for_everything(void **state)
{
	(void)state;
	assert_int_equal(CAIRN("help")->code, 0);
	assert_non_null(strstr(CAIRN("--help")->out, "cairn init"));
	assert_non_null(strstr(CAIRN("help", "exit-codes")->out, "waiting for a peer"));
	assert_non_null(strstr(CAIRN("help", "environment")->out, "CAIRN_HOME"));
	assert_non_null(strstr(CAIRN("goal")->out, "goal progress GOAL VALUE"));
	assert_non_null(strstr(CAIRN("goal", "--help")->out, "goal progress GOAL VALUE"));
	for (size_t i = 1; i < commands_count; i++) {
		char first[32];
		const char *space = strchr(commands[i].path, ' ');
		const struct ran *r;

		snprintf(first, sizeof first, "%.*s", space == NULL ? 31 : (int)(space - commands[i].path), commands[i].path);
		r = space == NULL ? CAIRN(first, "--help") : CAIRN(first, space + 1, "-h");
		assert_int_equal(r->code, 0);
		assert_string_equal(r->err, "");
		assert_non_null(strstr(r->out, commands[i].summary));
		assert_non_null(strstr(r->out, "Usage"));
	}
}

static void wrong_usage_is_one_sentence_and_exit_2(void **state)
{
	static const char *const cases[][5] = {
		{ "bogus" }, { "gaol" }, { "goal", "fly" }, { "goal", "add" }, { "goal", "add", "--bogus" }, { "goal", "add", "T", "--target" },
		{ "status", "now" }, { "goal", "add", "two", "words" }, { "goal", "edit", "x" }, { "org", "invite", "--expires", "soon" },
		{ "org", "invite", "--uses", "0" }, { "objective", "add", "T", "--period=Q4" }, { "--timeout", "soon", "sync" },
		{ "share", "goal", "x", "maybe" }, { "progress", "--explain" }, { "goal", "add", "T", "a=1", "a=2" }, { "help", "bogus" },
		{ "status", "--home", "" }, { "goal", "add", "\xff\xfe" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *argv[7] = { "cairn" };
		const struct ran *r;

		for (size_t k = 0; k < 5; k++)
			argv[k + 1] = cases[i][k];
		r = ran(argv);
		assert_int_equal(r->code, EXIT_WRONG);
		assert_string_equal(r->out, "");
		assert_int_equal(strncmp(r->err, "cairn: ", 7), 0);
		assert_ptr_equal(strchr(r->err, '\n'), r->err + strlen(r->err) - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_unique_and_found),
		cmocka_unit_test(every_row_is_complete),
		cmocka_unit_test(every_example_is_accepted),
		cmocka_unit_test(distances_count_edits),
		cmocka_unit_test(wrong_words_find_what_was_meant),
		cmocka_unit_test(help_is_there_for_everything),
		cmocka_unit_test(wrong_usage_is_one_sentence_and_exit_2),
	};

	setenv("PATH", "/nonexistent", 1);      /* nothing here may start a cairnd */
	setenv("CAIRN_HOME", "/nonexistent/home", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
