/* The whole command against a scripted cairnd: streams, exit codes, what is asked of the daemon. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>
#include "tests/unit/cli_fake.h"

#define ORG "/api/organizations/default"
#define GOAL "{\"id\":\"7f3k2a9bcdefgh\",\"title\":\"Ship \\u202ev2\\u001b[2J\",\"progressPercent\":45.5,\"status\":\"IN_PROGRESS\",\"links\":[]," \
	"\"targetDate\":null,\"currentValue\":45.5}"
#define ERROR(code, text) "{\"error\":{\"code\":\"" code "\",\"message\":\"" text "\"}}"
#define REPORTS "[{\"audience\":\"aaaa1111\",\"raw\":\"g4038b02\"},{\"audience\":\"bbbb2222\",\"raw\":\"zzzzzzzz\"}]"

static const struct fake_answer ANSWERS[] = {
	{ "GET /api/local/status", 200, "{\"state\":\"open\",\"name\":\"Ann\",\"version\":\"0.1.0\",\"pid\":7,\"organizations\":[{\"id\":\"oooo\",\"name\":\"Acme\",\"role\":"
		"\"Owner\",\"inSync\":true}],\"peers\":{\"known\":2,\"connected\":1},\"notices\":[\"New reader: Eve\"],\"home\":\"/h\",\"port\":7411}", 0 },
	{ "GET /api/local/peers", 200, "[{\"deviceId\":\"dddd0000\",\"displayName\":\"Dave\",\"state\":\"unreachable\",\"since\":\"2020-01-01T00:00:00Z\","
		"\"why\":\"unreachable for 3 h (tcp://10.0.0.7:7411: no answer)\",\"todo\":\"cairn peer add Dave ADDRESS\"},{\"deviceId\":\"eeee0000\",\"displayName\":\"Eve\","
		"\"state\":\"connected\",\"spaces\":[{\"organizationId\":\"oooo\",\"inSync\":true,\"digest\":\"0123456789\",\"at\":\"2026-01-01T00:00:00Z\"}]},"
		"{\"deviceId\":\"ffff00001111\",\"displayName\":null,\"state\":\"never\",\"since\":null,\"why\":null}]", FAKE_CHUNKED },
	{ "GET /api/local/goals", 200, "[" GOAL "," GOAL "]", FAKE_CHUNKED }, { "GET /api/local/goals/Ship%20v2", 200, GOAL, 0 },
	{ "POST /api/local/goals", 200, "{\"id\":\"7f3k\",\"message\":\"Added.\",\"hint\":\"cairn link 7f3k OBJECTIVE\"}", 0 },
	{ "POST /api/local/goals/7f3k/progress", 200, "{\"message\":\"Saved.\",\"hint\":null}", 0 },
	{ "GET /api/local/goals/two", 404, "{\"error\":{\"code\":\"ambiguous\",\"message\":\"It fits 2 goals\",\"candidates\":["
		"{\"id\":\"aaaa0000\",\"title\":\"Two \\u001b[1m\"},{\"id\":\"bbbb0000\",\"title\":\"Two\"}]}}", 0 },
	{ "GET /api/local/goals/none", 404, ERROR("notfound", "There is no goal none: see cairn goal list."), 0 },
	{ "GET /api/local/goals/locked", 423, ERROR("locked", "The keystore is locked: cairn unlock"), 0 },
	{ "GET /api/local/goals/full", 507, ERROR("full", "No room on the disk"), 0 },
	{ "GET /api/local/goals/html", 200, "<html>", 0 }, { "GET /api/local/goals/bare", 500, "", 0 },
	{ "GET /api/local/goals/gone", 0, "", FAKE_RAW }, { "GET /api/local/goals/mute", 200, "", FAKE_SILENT },
	{ "POST /api/organizations", 403, ERROR("denied", "You may not"), 0 },
	{ "POST " ORG "/links", 403, ERROR("consent", "Not without consent"), 0 },
	{ "POST /api/local/organizations/join", 202, "{\"error\":{\"code\":\"waiting\",\"message\":\"Ann cannot be reached\"},\"id\":\"o\",\"message\":"
		"\"Ann cannot be reached; cairnd goes on\",\"hint\":\"cairn peers\"}", 0 },
	{ "GET " ORG "/goals", 202, ERROR("waiting", "You have not been admitted yet"), 0 },
	{ "POST " ORG "/members/invite", 200, "{\"code\":\"cairn-code\",\"uses\":3,\"role\":\"Viewer\",\"expiresAt\":null}", 0 },
	{ "GET " ORG "/members/Bob", 200, "{\"id\":\"bbbb\",\"displayName\":\"Bob\"}", 0 },
	{ "DELETE " ORG "/members/bbbb?force=1", 200, "{\"message\":\"Bob is removed.\"}", 0 },
	{ "POST " ORG "/share/accept", 200, "{\"message\":\"Accepted.\"}", 0 },
	{ "GET " ORG "/share/preview?raw=1", 200, "{\"reports\":" REPORTS "}", 0 }, { "GET " ORG "/reports?raw=1", 200, REPORTS, 0 },
	{ "GET " ORG "/share/preview", 200, "{\"consentVersion\":3,\"reports\":[{\"layer\":\"L2\",\"audience\":\"aaaa1111\",\"readers\":[{\"displayName\":"
		"\"Ann\",\"class\":\"Owner\",\"deviceId\":\"dddd0000\"}],\"entries\":[{\"goalTitle\":\"Ship v2\",\"objectiveTitle\":\"Grow\",\"weight\":2,"
		"\"percent\":45.5,\"minutes\":90}]}],\"everyone\":[{\"objectiveTitle\":\"Grow\",\"sentence\":\"everyone will see 45.5 %\"}]}", 0 },
	{ "POST /api/local/sync", 200, "{\"peers\":[{\"deviceId\":\"eeee\",\"inSync\":true},{\"deviceId\":\"dddd\",\"inSync\":false,\"why\":\"asleep\"}]}", 0 },
	{ "GET /api/local/check", 200, "{\"records\":10,\"format\":1,\"damaged\":[\"a goal\"]}", 0 },
	{ "GET " ORG "/state-hash", 200, "{\"replica\":\"r\",\"state\":\"s\"}", 0 },
	{ NULL, 0, NULL, 0 }
};

static struct fake *fake;

static int start(void **state)
{
	(void)state;
	fake = fake_start(ANSWERS);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_stop(fake);
	return 0;
}

static void each_answer_has_its_exit_code(void **state)
{
	static const struct { const char *goal; int code; const char *says; } cases[] = {
		{ "Ship v2", EXIT_DONE, "" }, { "none", EXIT_NOT_FOUND, "see cairn goal list" }, { "locked", EXIT_PERSON, "cairn unlock" },
		{ "full", EXIT_FAILED, "No room" }, { "html", EXIT_FAILED, "no JSON" }, { "bare", EXIT_FAILED, "HTTP status 500" },
		{ "gone", EXIT_NO_DAEMON, "went away" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct ran *r = CAIRN("goal", "show", cases[i].goal);
		assert_int_equal(r->code, cases[i].code);
		assert_non_null(strstr(r->err, cases[i].says));
		assert_int_equal(r->code == 0, r->out[0] != '\0');
	}
	assert_int_equal(CAIRN("org", "create", "X")->code, EXIT_REFUSED);
	assert_int_equal(CAIRN("link", "a", "b")->code, EXIT_REFUSED);
	assert_int_equal(CAIRN("objective", "list")->code, EXIT_WAITING);
	assert_int_equal(CAIRN("check")->code, EXIT_FAILED);
	assert_int_equal(CAIRN("goal", "show", "mute", "--timeout", "0.05")->code, EXIT_NO_DAEMON);
}

static void several_that_fit_are_listed(void **state)
{
	const struct ran *r = CAIRN("goal", "show", "two");

	(void)state;
	assert_int_equal(r->code, EXIT_NOT_FOUND);
	assert_non_null(strstr(r->err, "aaaa0000  Two ␛[1m\n"));
	assert_non_null(strstr(r->err, "bbbb0000  Two\n"));
}

static void what_happened_is_on_stdout_and_what_comes_next_on_stderr(void **state)
{
	const struct ran *r = CAIRN("goal", "add", "Ship v2", "--target", "100", "unit=%", "description=");

	(void)state;
	assert_string_equal(r->out, "Added.  (id 7f3k)\n");
	assert_non_null(strstr(r->err, "cairn link 7f3k OBJECTIVE\n"));
	assert_string_equal(fake->log, "POST /api/local/goals {\"title\":\"Ship v2\",\"targetValue\":\"100\",\"unit\":\"%\",\"description\":null}\n");
	r = CAIRN("goal", "add", "Ship v2", "--json");
	assert_string_equal(r->err, "");
	assert_non_null(strstr(r->out, "\"id\": \"7f3k\""));
}

static void waiting_is_exit_8_with_the_reason(void **state)
{
	const struct ran *r = CAIRN("org", "join", "CODE");

	(void)state;
	assert_int_equal(r->code, EXIT_WAITING);
	assert_string_equal(r->out, "");
	assert_non_null(strstr(r->err, "your name, your device's public keys and its addresses"));
	assert_non_null(strstr(r->err, "cairnd goes on\n"));
	r = CAIRN("--json", "org", "join", "CODE");
	assert_int_equal(r->code, EXIT_WAITING);
	assert_non_null(strstr(r->out, "\"id\": \"o\""));
	assert_string_equal(r->err, "");
}

static void progress_takes_values_percents_and_negative_numbers(void **state)
{
	(void)state;
	assert_int_equal(CAIRN("goal", "progress", "7f3k", "45.5")->code, 0);
	assert_int_equal(CAIRN("goal", "progress", "7f3k", "45%", "-m", "half")->code, 0);
	assert_int_equal(CAIRN("goal", "progress", "7f3k", "-3")->code, 0);
	assert_string_equal(fake->log, "POST /api/local/goals/7f3k/progress {\"value\":\"45.5\"}\n"
		"POST /api/local/goals/7f3k/progress {\"percent\":\"45\",\"note\":\"half\"}\n"
		"POST /api/local/goals/7f3k/progress {\"value\":\"-3\"}\n");
}

static void nothing_raw_reaches_a_pipe_either(void **state)
{
	(void)state;
	assert_non_null(strstr(CAIRN("goal", "show", "Ship v2")->out, "title\tShip \\u{202E}v2␛[2J\n"));
	assert_string_equal(CAIRN("goal", "list")->out, "7f3k2a9bcdefgh\tShip \\u{202E}v2␛[2J\t45.50\tIN_PROGRESS\t\t0\n"
		"7f3k2a9bcdefgh\tShip \\u{202E}v2␛[2J\t45.50\tIN_PROGRESS\t\t0\n");
	assert_non_null(strstr(CAIRN("goal", "show", "Ship v2", "--json")->out, "\"title\": \"Ship \\u202ev2\\u001B[2J\""));
}

static void status_says_who_is_missing_since_when_why_and_what_to_do(void **state)
{
	const struct ran *r = CAIRN("status");

	(void)state;
	assert_int_equal(r->code, 0);
	assert_non_null(strstr(r->out, "! Dave: unreachable for 3 h (tcp://10.0.0.7:7411: no answer)\n"));
	assert_non_null(strstr(r->out, "cairn peer add Dave ADDRESS\n"));
	assert_non_null(strstr(r->out, "Eve: connected\n    Acme: in sync, both hold 01234567, compared 20"));
	assert_non_null(strstr(r->out, "! ffff0000: never\n"));
	assert_non_null(strstr(r->out, "! New reader: Eve\n"));
	assert_non_null(strstr(r->out, "Acme: Owner\n"));
}

static void partly_in_sync_is_exit_3(void **state)
{
	const struct ran *r = CAIRN("sync", "--timeout", "2.5");

	(void)state;
	assert_int_equal(r->code, EXIT_PARTLY);
	assert_string_equal(fake->log, "POST /api/local/sync {\"timeout\":2500}\n");
	assert_non_null(strstr(r->err, "1 of 2 peers"));
}

static void an_invite_prints_its_code_alone(void **state)
{
	const struct ran *r = CAIRN("org", "invite", "--role", "Viewer", "--team", "A", "--team", "B", "--uses", "3", "--expires", "never", "--approval",
		"--address", "tcp://192.0.2.7:7411");

	(void)state;
	assert_string_equal(r->out, "cairn-code\n");
	assert_non_null(strstr(r->err, "For 3 people, as Viewer, without an end.\n"));
	assert_string_equal(fake->log, "POST " ORG "/members/invite {\"teams\":[\"A\",\"B\"],\"addresses\":[\"tcp://192.0.2.7:7411\"],\"role\":\"Viewer\","
		"\"approval\":true,\"uses\":3,\"expiresIn\":0}\n");
}

static void consent_needs_a_person_or_yes(void **state)
{
	const struct ran *r = CAIRN("share", "accept");

	(void)state;
	assert_int_equal(r->code, EXIT_REFUSED);
	assert_non_null(strstr(r->err, "--yes"));
	assert_string_equal(fake->log, "");
	assert_int_equal(CAIRN("share", "accept", "--yes")->code, EXIT_DONE);
}

static void dangerous_commands_need_a_person_or_yes(void **state)
{
	(void)state;
	assert_int_equal(CAIRN("member", "remove", "Bob")->code, EXIT_PERSON);
	assert_string_equal(fake->log, "GET " ORG "/members/Bob \n");
	assert_string_equal(CAIRN("member", "remove", "Bob", "--yes", "--force")->out, "Bob is removed.\n");
}

static void a_preview_leaves_nothing_unsaid(void **state)
{
	const struct ran *r = CAIRN("share", "preview");

	(void)state;
	assert_non_null(strstr(r->out, "Consent version 3\n"));
	assert_non_null(strstr(r->out, "Grow: 45.50 %, weight 2\n"));
	assert_non_null(strstr(r->out, "minutes: 90\n"));
	assert_non_null(strstr(r->out, "read by Ann (Owner, device dddd0000)\n"));
	assert_non_null(strstr(r->out, "Through roll-ups everyone will see:\n    Grow: everyone will see 45.5 %\n"));
}

static void raw_reports_are_bytes(void **state)
{
	static const char *const commands[][2] = { { "share", "preview" }, { "debug", "report" } };

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_memory_equal(CAIRN(commands[i][0], commands[i][1], "--raw")->out, "\x81\x00\x34\x2c\x02\xff\xff\xff\xff\xff", 10);
		assert_string_equal(CAIRN(commands[i][0], commands[i][1], "--raw", "--audience", "BBBB")->out, "\xff\xff\xff\xff\xff");
		assert_int_equal(CAIRN(commands[i][0], commands[i][1], "--raw", "--audience", "cccc")->code, EXIT_NOT_FOUND);
	}
}

/* ---- the daemon and the home ---- */

static void without_a_daemon_it_is_exit_5(void **state)
{
	struct fake *f = fake_start(NULL);
	const struct ran *r = CAIRN("--no-autostart", "status");

	(void)state;
	assert_int_equal(r->code, EXIT_NO_DAEMON);
	assert_non_null(strstr(r->err, "No cairnd runs"));
	r = CAIRN("stop");
	assert_int_equal(r->code, EXIT_DONE);
	assert_string_equal(r->out, "cairnd is not running.\n");
	fake_stop(f);
}

/* A script in place of cairnd, on PATH, that ends with a sentence. */
static void a_daemon_that_does_not_start_says_why(void **state)
{
	struct fake *f = fake_start(NULL);
	char bin[128], log[128];
	const struct ran *r;
	FILE *script;

	(void)state;
	snprintf(bin, sizeof bin, "%s/cairnd", f->dir);
	snprintf(log, sizeof log, "%s/cairnd.log", f->dir);
	setenv("PATH", f->dir, 1);
	r = CAIRN("status");
	assert_int_equal(r->code, EXIT_NO_DAEMON);
	assert_non_null(strstr(r->err, "There is no cairnd"));
	script = fopen(bin, "w");
	fprintf(script, "#!/bin/sh\necho 'cairnd: the store of %s has format 9: use a newer cairnd' \"$2\" >&2\nexit 1\n", "/h");
	fclose(script);
	chmod(bin, 0700);
	r = CAIRN("status");
	assert_int_equal(r->code, EXIT_NO_DAEMON);
	assert_non_null(strstr(r->err, "cairn: The store of /h has format 9: use a newer cairnd "));
	assert_non_null(strstr(r->err, f->dir));        /* it was given --home */
	setenv("PATH", "/nonexistent", 1);
	unlink(bin);
	unlink(log);
	fake_stop(f);
}

static void homes_that_cannot_be_are_one_sentence(void **state)
{
	char path[1400];
	const struct ran *r;

	(void)state;
	unsetenv("CAIRN_HOME");
	unsetenv("XDG_DATA_HOME");
	unsetenv("HOME");
	r = CAIRN("status");
	assert_int_equal(r->code, EXIT_WRONG);
	assert_non_null(strstr(r->err, "HOME is not set"));
	memset(path, 'x', sizeof path);
	path[0] = '/';
	path[sizeof path - 1] = '\0';
	r = CAIRN("status", "--home", path);
	assert_int_equal(r->code, EXIT_WRONG);
	assert_non_null(strstr(r->err, "choose a shorter one"));
	path[300] = '\0';
	assert_int_equal(CAIRN("status", "--no-autostart", "--home", path)->code, EXIT_NO_DAEMON);
	setenv("HOME", "/nonexistent", 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(each_answer_has_its_exit_code),
		TEST(several_that_fit_are_listed),
		TEST(what_happened_is_on_stdout_and_what_comes_next_on_stderr),
		TEST(waiting_is_exit_8_with_the_reason),
		TEST(progress_takes_values_percents_and_negative_numbers),
		TEST(nothing_raw_reaches_a_pipe_either),
		TEST(status_says_who_is_missing_since_when_why_and_what_to_do),
		TEST(partly_in_sync_is_exit_3),
		TEST(an_invite_prints_its_code_alone),
		TEST(consent_needs_a_person_or_yes),
		TEST(dangerous_commands_need_a_person_or_yes),
		TEST(a_preview_leaves_nothing_unsaid),
		TEST(raw_reports_are_bytes),
		cmocka_unit_test(without_a_daemon_it_is_exit_5),
		cmocka_unit_test(a_daemon_that_does_not_start_says_why),
		cmocka_unit_test(homes_that_cannot_be_are_one_sentence),
	};

	setenv("PATH", "/nonexistent", 1);
	unsetenv("XDG_RUNTIME_DIR");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
