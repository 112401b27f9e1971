#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "base/mem.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "tests/unit/daemon_dir.h"

/* A whole daemon in a child process, with a few routes of its own; the test is its client. */

static void answered(struct loop *l, uint64_t token, enum err e, const char *why)
{
	struct request *r = http_find(loop_http(l), token);

	if (r == NULL)
		return;
	if (e == OK)
		request_answer(r, 200, json_pack("{ss}", "message", "done"));
	else
		request_error(r, e, "%s", why);
}

static void refused(struct request *r, enum err e)
{
	if (e != OK)
		request_error(r, e, "at once");
}

static struct slice given(struct request *r, const char *key)
{
	const char *text = json_string_value(json_object_get(request_body(r), key));

	return text == NULL ? SLICE(NULL, 0) : slice_of(text);
}

static void status(struct request *r)
{
	static const char *const names[] = { "new", "locked", "open", "stopping" };
	struct loop *l = request_host(r);

	request_answer(r, 200, json_pack("{sssb}", "state", names[loop_state(l)], "seed", loop_identity(l) != NULL && !loop_seed_confirmed(l)));
}

static void init(struct request *r)
{
	struct keystore_init in = { .name = slice_of("Anna"), .passphrase = given(r, "passphrase") };

	refused(r, loop_init(request_host(r), &in, answered, request_suspend(r)));
}

static void unlock(struct request *r)
{
	refused(r, loop_unlock(request_host(r), given(r, "passphrase"), answered, request_suspend(r)));
}

static void passphrase(struct request *r)
{
	refused(r, loop_change_passphrase(request_host(r), given(r, "old"), given(r, "new"), answered, request_suspend(r)));
}

static void drop(struct request *r)
{
	refused(r, loop_drop_seed(request_host(r), answered, request_suspend(r)));
}

static void offline(struct request *r)
{
	struct command c = { .kind = COMMAND_OFFLINE, .on = true };

	request_command(r, &c);
}

static void hang(struct request *r)
{
	request_suspend(r);
}

static void stop(struct request *r)
{
	request_answer(r, 200, json_object());
	loop_stop(request_host(r));
}

const struct route routes[] = {
	{ "GET", "/status", RIGHT_LOCAL, NEEDS_NOTHING, status, "" },
	{ "POST", "/init", RIGHT_LOCAL, NEEDS_NEW, init, "" },
	{ "POST", "/unlock", RIGHT_LOCAL, NEEDS_LOCKED, unlock, "" },
	{ "POST", "/passphrase", RIGHT_LOCAL, NEEDS_OPEN, passphrase, "" },
	{ "POST", "/drop", RIGHT_LOCAL, NEEDS_OPEN, drop, "" },
	{ "POST", "/offline", RIGHT_SELF, NEEDS_OPEN, offline, "" },
	{ "GET", "/hang", RIGHT_LOCAL, NEEDS_NOTHING, hang, "" },
	{ "POST", "/stop", RIGHT_LOCAL, NEEDS_NOTHING, stop, "" },
};
const size_t routes_count = sizeof routes / sizeof *routes;

/* ---- the daemon ---- */

static struct home home;
static char why[LOOP_WHY];
static pid_t child;

/* Exit status: 0 as it should be, 1 a failure of the loop, 2 no start, 3 memory was left. */
static int serve(const char *secret)
{
	struct conf conf;
	struct loop_options options = { .home = &home, .conf = &conf, .passphrase = secret == NULL ? SLICE(NULL, 0) : slice_of(secret) };
	struct loop *loop;
	int result;

	signal(SIGPIPE, SIG_IGN);
	log_level_set(LOG_ERROR);
	conf_default(&conf);
	if (home_open(&home, why) != OK || loop_open(&loop, &options, why) != OK)
		return 2;
	result = loop_run(loop);
	loop_free(loop);
	home_close(&home);
	return result != 0 ? 1 : mem_live() != 0 ? 3 : 0;
}

static int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, home.paths.socket);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Returns when it answers; a child that ends first is a failure. */
static void run(const char *secret)
{
	int fd;

	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0)
		_exit(serve(secret));
	while ((fd = dial()) < 0) {
		assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
		usleep(1000);
	}
	close(fd);
}

static void ends(int signal_number, int expected)
{
	int result;

	if (signal_number != 0)
		assert_int_equal(kill(child, signal_number), 0);
	assert_int_equal(waitpid(child, &result, 0), child);
	child = 0;
	if (expected >= 0)
		assert_true(WIFEXITED(result) && WEXITSTATUS(result) == expected);
}

static char answer[8192];

static int ask_begin(const char *method, const char *path, const char *body)
{
	char head[256];
	int fd = dial(), n = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
		method, path, strlen(body), body);

	assert_true(fd >= 0);
	assert_int_equal(send(fd, head, (size_t)n, MSG_NOSIGNAL), n);
	return fd;
}

static const char *ask_end(int fd)
{
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, answer + len, sizeof answer - 1 - len, 0)) > 0)
		len += (size_t)n;
	answer[len] = '\0';
	close(fd);
	return answer;
}

static void assert_asked(const char *method, const char *path, const char *body, unsigned code, const char *part)
{
	char line[32];

	snprintf(line, sizeof line, "HTTP/1.1 %u ", code);
	ask_end(ask_begin(method, path, body));
	if (strncmp(answer, line, strlen(line)) != 0 || strstr(answer, part) == NULL)
		fail_msg("%s is not %u with %s: %s", path, code, part, answer);
}

static int begin(void **state)
{
	if (dir_make(state) != 0 || home_find(&home, dir_path, why) != OK)
		return -1;
	return 0;
}

static int end(void **state)
{
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		child = 0;
	}
	return dir_remove(state);
}

/* ---- tests ---- */

static void it_is_new_then_open_and_open_again(void **state)
{
	(void)state;
	run(NULL);
	assert_asked("GET", "/status", "", 200, "\"new\"");
	assert_asked("POST", "/offline", "", 409, "cairn init");
	assert_asked("POST", "/init", "", 200, "done");
	assert_asked("GET", "/status", "", 200, "{\"seed\":true,\"state\":\"open\"}");
	assert_asked("POST", "/init", "", 409, "exists");
	assert_asked("POST", "/offline", "", 200, "message");
	ends(SIGTERM, 0);
	assert_int_equal(access(home.paths.socket, F_OK), -1);
	run(NULL);
	assert_asked("GET", "/status", "", 200, "\"open\"");
	assert_asked("POST", "/drop", "", 200, "done");
	assert_asked("GET", "/status", "", 200, "\"seed\":false");
	assert_asked("POST", "/stop", "", 200, "{}");
	ends(0, 0);
}

static void it_survives_being_killed(void **state)
{
	(void)state;
	run(NULL);
	assert_asked("POST", "/init", "", 200, "done");
	for (int i = 0; i < 5; i++) {
		assert_asked("POST", "/offline", "", 200, "message");
		ends(SIGKILL, -1);
		run(NULL);
		assert_asked("GET", "/status", "", 200, "\"open\"");
	}
	ends(SIGTERM, 0);
}

static void a_passphrase_keeps_it_locked(void **state)
{
	(void)state;
	run(NULL);
	assert_asked("POST", "/init", "{\"passphrase\":\"pw\"}", 200, "done");
	assert_asked("GET", "/status", "", 200, "\"open\"");
	ends(SIGTERM, 0);
	run(NULL);
	assert_asked("GET", "/status", "", 200, "\"locked\"");
	assert_asked("POST", "/offline", "", 423, "cairn unlock");
	assert_asked("POST", "/unlock", "{}", 423, "passphrase");
	assert_asked("POST", "/unlock", "{\"passphrase\":\"no\"}", 403, "wrong passphrase");
	assert_asked("POST", "/unlock", "{\"passphrase\":\"pw\"}", 200, "done");
	assert_asked("POST", "/offline", "", 200, "message");
	assert_asked("POST", "/passphrase", "{\"old\":\"no\",\"new\":\"x\"}", 403, "wrong passphrase");
	assert_asked("POST", "/passphrase", "{\"old\":\"pw\"}", 200, "done");
	ends(SIGTERM, 0);
	run(NULL);
	assert_asked("GET", "/status", "", 200, "\"open\"");
	ends(SIGTERM, 0);
}

static void a_passphrase_at_the_start_unlocks_it(void **state)
{
	(void)state;
	run(NULL);
	assert_asked("POST", "/init", "{\"passphrase\":\"pw\"}", 200, "done");
	ends(SIGTERM, 0);
	run("pw");
	while (strstr(ask_end(ask_begin("GET", "/status", "")), "\"open\"") == NULL)
		usleep(10000);
	ends(SIGTERM, 0);
	run("wrong");
	ends(SIGTERM, 0);                       /* perhaps while the passphrase is still being tried */
}

static void stopping_answers_everybody(void **state)
{
	int hanging, working, half;

	(void)state;
	run(NULL);
	hanging = ask_begin("GET", "/hang", "");
	working = ask_begin("POST", "/init", "{\"passphrase\":\"pw\"}");
	half = dial();
	assert_int_equal(send(half, "POST /init HT", 13, 0), 13);
	assert_asked("POST", "/stop", "", 200, "{}");
	assert_non_null(strstr(ask_end(hanging), "stopping"));
	assert_non_null(strstr(ask_end(working), "HTTP/1.1 "));
	close(half);
	ends(0, 0);
}

static void what_cannot_be_opened_is_one_sentence(void **state)
{
	struct conf conf;
	struct loop_options options = { .home = &home, .conf = &conf };
	struct loop *loop;
	char path[PATHS_LEN + 16];

	(void)state;
	conf_default(&conf);
	assert_int_equal(mkdir(home.paths.socket, 0700), 0);
	snprintf(path, sizeof path, "%s/x", home.paths.socket);
	assert_int_equal(mkdir(path, 0700), 0);
	log_level_set(LOG_ERROR);
	assert_int_equal(loop_open(&loop, &options, why), ERR_IO);
	assert_non_null(strstr(why, "socket"));
	rmdir(path);
	rmdir(home.paths.socket);
	assert_int_equal(home_write_file(home.paths.keystore, slice_of("junk")), OK);
	assert_int_equal(loop_open(&loop, &options, why), ERR_DAMAGED);
	assert_non_null(strstr(why, "keystore"));
	assert_null(loop);
	unlink(home.paths.keystore);
	run(NULL);
	assert_asked("POST", "/init", "", 200, "done");
	ends(SIGTERM, 0);
	snprintf(path, sizeof path, "%s/data.mdb", home.paths.store_dir);
	assert_int_equal(home_write_file(path, slice_of("this is no database, whatever it was before")), OK);
	assert_int_equal(loop_open(&loop, &options, why), ERR_DAMAGED);
	assert_non_null(strstr(why, "store"));
	unlink(home.paths.key_file);
	assert_int_equal(loop_open(&loop, &options, why), ERR_MISSING);
	assert_non_null(strstr(why, "keystore.key"));
}

static void a_store_without_its_keystore_is_not_begun_anew(void **state)
{
	(void)state;
	run(NULL);
	assert_asked("POST", "/init", "", 200, "done");
	ends(SIGTERM, 0);
	unlink(home.paths.keystore);
	run(NULL);
	assert_asked("GET", "/status", "", 200, "\"new\"");
	assert_asked("POST", "/init", "", 409, "\"exists\"");
	ends(SIGTERM, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_new_then_open_and_open_again),
		TEST(it_survives_being_killed),
		TEST(a_passphrase_keeps_it_locked),
		TEST(a_passphrase_at_the_start_unlocks_it),
		TEST(stopping_answers_everybody),
		TEST(what_cannot_be_opened_is_one_sentence),
		TEST(a_store_without_its_keystore_is_not_begun_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
