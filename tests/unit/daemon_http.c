#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>
#include "base/id.h"
#include "base/mem.h"
#include "base/mp.h"
#include "daemon/http_part.h"
#include "tests/unit/daemon_dir.h"

/* ---- a server with fake routes in a loop of its own ---- */

static uv_loop_t loop;
static uv_prepare_t prepare;
static struct http *http;
static enum http_state state_now;
static char socket_path[128];
static uint64_t last_token;
static struct command last_command;
static char last_text[64];
static unsigned commands, handled;
static enum err command_answer;
static uint64_t kept_token;

static enum http_state on_state(void *arg)
{
	(void)arg;
	return state_now;
}

static enum err on_command(void *arg, uint64_t token, const struct command *c)
{
	(void)arg;
	last_token = token;
	last_command = *c;
	snprintf(last_text, sizeof last_text, "%.*s", (int)c->text.len, c->text.len > 0 ? (const char *)c->text.data : "");
	commands++;
	return command_answer;
}

static struct node *on_node(void *arg)
{
	(void)arg;
	return NULL;
}

static struct store *on_store(void *arg)
{
	(void)arg;
	return NULL;
}

static void hello(struct request *r)
{
	handled++;
	request_answer(r, 200, json_pack("{ss}", "hello", "world"));
}

static void echo(struct request *r)
{
	const char *q = request_query(r, "q");

	request_answer(r, 200, json_pack("{sssssOss?}", "org", request_param(r, "org"), "goal", request_param(r, "goal"), "body",
		request_body(r), "q", q));
}

static void literal(struct request *r)
{
	request_answer(r, 200, json_pack("{ss}", "literal", request_param(r, "org")));
}

static void strict(struct request *r)
{
	static const char *const known[] = { "title", NULL };
	bool ok = true;
	const char *title;

	if (!request_only(r, known))
		return;
	title = request_text(r, "title", &ok);
	if (ok)
		request_answer(r, 200, json_pack("{ss?}", "title", title));
}

static void command(struct request *r)
{
	char *text = request_alloc(r, 8);
	struct command c = { .kind = COMMAND_GOAL_ADD };

	if (text == NULL) {
		request_error(r, ERR_NOMEM, NULL);
		return;
	}
	strcpy(text, "grow");
	c.text = slice_of(text);
	request_command(r, &c);
}

static void second(struct request *r, const struct reply *reply)
{
	struct command c = { .kind = COMMAND_GOAL_EDIT };

	if (reply->err != OK)
		request_reply(r, reply);
	else
		request_command(r, &c);
}

static void twice(struct request *r)
{
	struct command c = { .kind = COMMAND_GOAL_ADD };

	request_command_then(r, &c, second);
}

static void later(struct request *r)
{
	kept_token = request_suspend(r);
}

static void silent(struct request *r)
{
	(void)r;
}

static const struct route table[] = {
	{ "GET", "/api/hello", RIGHT_SELF, NEEDS_NOTHING, hello, "" },
	{ "GET", "/api/org/{org}/goals/{goal}", RIGHT_SELF, NEEDS_OPEN, echo, "" },
	{ "POST", "/api/org/{org}/goals/{goal}", RIGHT_SELF, NEEDS_OPEN, echo, "" },
	{ "GET", "/api/org/{org}/goals/tree", RIGHT_SELF, NEEDS_OPEN, literal, "" },
	{ "POST", "/api/strict", RIGHT_SELF, NEEDS_OPEN, strict, "" },
	{ "POST", "/api/command", RIGHT_SELF, NEEDS_OPEN, command, "" },
	{ "POST", "/api/twice", RIGHT_SELF, NEEDS_OPEN, twice, "" },
	{ "GET", "/api/later", RIGHT_SELF, NEEDS_OPEN, later, "" },
	{ "GET", "/api/silent", RIGHT_SELF, NEEDS_OPEN, silent, "" },
	{ "GET", "/api/new", RIGHT_LOCAL, NEEDS_NEW, hello, "" },
	{ "GET", "/api/locked", RIGHT_LOCAL, NEEDS_LOCKED, hello, "" },
};
static const struct http_host host = { .state = on_state, .command = on_command, .node = on_node, .store = on_store };

static void on_prepare(uv_prepare_t *p)
{
	(void)p;
	if (http != NULL)
		http_turn(http);
}

static int start(void **state)
{
	if (dir_make(state) != 0)
		return -1;
	state_now = HTTP_OPEN;
	commands = handled = 0;
	command_answer = OK;
	snprintf(socket_path, sizeof socket_path, "%s/s", dir_path);
	uv_loop_init(&loop);
	uv_prepare_init(&loop, &prepare);
	uv_prepare_start(&prepare, on_prepare);
	return http_open(&http, &loop, socket_path, &host, table, sizeof table / sizeof *table) == OK ? 0 : -1;
}

static int stop(void **state)
{
	http_close(http);
	http = NULL;
	uv_close((uv_handle_t *)&prepare, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&loop) != 0)
		return -1;
	return dir_remove(state);
}

/* ---- a client in the same thread ---- */

static void spin(int rounds)
{
	for (int i = 0; i < rounds; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
}

static int client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, socket_path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* All of it, with the loop running in between.  False: the server has hung up. */
static bool put(int fd, const char *data, size_t len)
{
	for (int i = 0; len > 0 && i < 100000; i++) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
		spin(1);
	}
	return len == 0;
}

static bool put_text(int fd, const char *text)
{
	return put(fd, text, strlen(text));
}

static char answer[65536];

/* What has come by the time that nothing comes any more. */
static size_t get(int fd)
{
	size_t len = 0;

	for (int quiet = 0; quiet < 50; quiet++) {
		ssize_t n = recv(fd, answer + len, sizeof answer - 1 - len, MSG_DONTWAIT);
		if (n > 0) {
			len += (size_t)n;
			quiet = 0;
		}
		spin(1);
	}
	answer[len] = '\0';
	return len;
}

static const char *ask(const char *method, const char *path, const char *body)
{
	char head[1024];
	int fd = client(), n = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
		method, path, strlen(body));

	put(fd, head, (size_t)n);
	put_text(fd, body);
	get(fd);
	close(fd);
	spin(3);
	return answer;
}

static void assert_answer(const char *text, unsigned status, const char *part)
{
	char line[32];

	snprintf(line, sizeof line, "HTTP/1.1 %u ", status);
	if (strncmp(text, line, strlen(line)) != 0 || strstr(text, part) == NULL)
		fail_msg("not %u with %s: %s", status, part, text);
}

/* ---- tests ---- */

static void a_request_is_answered(void **state)
{
	struct stat st;

	(void)state;
	assert_answer(ask("GET", "/api/hello", ""), 200, "\r\n\r\n{\"hello\":\"world\"}\n");
	assert_answer(ask("GET", "/api/hello/", ""), 200, "world");
	assert_answer(ask("HEAD", "/api/hello", ""), 200, "application/json");
	assert_null(strstr(answer, "world"));
	assert_true(stat(socket_path, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600);
}

static void unknown_paths_and_methods_are_told_apart(void **state)
{
	(void)state;
	assert_answer(ask("GET", "/api/hellos", ""), 404, "\"code\":\"notfound\"");
	assert_answer(ask("GET", "/", ""), 404, "notfound");
	assert_answer(ask("GET", "//api/hello", ""), 404, "notfound");
	assert_answer(ask("DELETE", "/api/hello", ""), 405, "Allow: GET\r\n");
	assert_answer(ask("DELETE", "/api/org/a/goals/b", ""), 405, "Allow: GET, POST\r\n");
	assert_answer(ask("GET", "/api/org//goals/b", ""), 404, "notfound");
}

static void parameters_are_decoded_after_the_path_is_split(void **state)
{
	(void)state;
	assert_answer(ask("GET", "/api/org/a%2Fb/goals/G%C3%A4%20c+d?x=1&q=a+b%26c&q=2", ""), 200,
		"{\"body\":{},\"goal\":\"Gä c+d\",\"org\":\"a/b\",\"q\":\"a b&c\"}");
	assert_answer(ask("GET", "/api/org/a/goals/tree", ""), 200, "{\"literal\":\"a\"}");
	assert_answer(ask("GET", "/api/org/a/goals/b?q", ""), 200, "\"q\":\"\"");
	assert_answer(ask("GET", "/api/org/a/goals/b%00", ""), 400, "malformed");
	assert_answer(ask("GET", "/api/org/a/goals/%c3", ""), 400, "malformed");
	assert_answer(ask("GET", "/api/org/a/goals/%c", ""), 400, "malformed");
	assert_answer(ask("GET", "/api/org/a/goals/b?q=%zz", ""), 400, "malformed");
	assert_answer(ask("GET", "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", ""), 413, "toobig");
}

static void a_body_is_one_json_object(void **state)
{
	(void)state;
	assert_answer(ask("POST", "/api/org/a/goals/b", "{\"n\":9007199254740993}"), 200, "\"body\":{\"n\":9007199254740993}");
	assert_answer(ask("POST", "/api/org/a/goals/b", "{\"a\":1,\"a\":2}"), 400, "duplicate");
	assert_answer(ask("POST", "/api/org/a/goals/b", "[1]"), 400, "must be a JSON object");
	assert_answer(ask("POST", "/api/org/a/goals/b", "{\"a\":"), 400, "malformed");
	assert_answer(ask("POST", "/api/org/a/goals/b", "{}x"), 400, "malformed");
	assert_answer(ask("POST", "/api/org/a/goals/b", "{\"a\":\"\xff\"}"), 400, "malformed");
	assert_answer(ask("POST", "/api/org/a/goals/b", "{\"a\":\"\\u0000\"}"), 400, "malformed");
	assert_answer(ask("POST", "/api/strict", "{\"title\":\"x\"}"), 200, "\"title\":\"x\"");
	assert_answer(ask("POST", "/api/strict", "{\"title\":null}"), 200, "\"title\":null");
	assert_answer(ask("POST", "/api/strict", "{\"title\":7}"), 400, "\\\"title\\\" must be text");
	assert_answer(ask("POST", "/api/strict", "{\"titel\":\"x\"}"), 400, "\\\"titel\\\" is not known");
}

static void the_state_decides_what_is_served(void **state)
{
	(void)state;
	state_now = HTTP_NEW;
	assert_answer(ask("GET", "/api/hello", ""), 200, "world");
	assert_answer(ask("GET", "/api/new", ""), 200, "world");
	assert_answer(ask("GET", "/api/locked", ""), 409, "cairn init");
	assert_answer(ask("POST", "/api/command", ""), 409, "cairn init");
	state_now = HTTP_LOCKED;
	assert_answer(ask("GET", "/api/locked", ""), 200, "world");
	assert_answer(ask("GET", "/api/new", ""), 409, "\"code\":\"exists\"");
	assert_answer(ask("POST", "/api/command", ""), 423, "cairn unlock");
	state_now = HTTP_OPEN;
	assert_answer(ask("GET", "/api/new", ""), 409, "exists");
	assert_answer(ask("GET", "/api/locked", ""), 409, "state");
	state_now = HTTP_STOPPING;
	assert_answer(ask("GET", "/api/hello", ""), 409, "stopping");
	assert_int_equal(commands, 0);
}

static void reply(uint64_t token, enum err e, const char *message, struct slice fields)
{
	struct reply r = { .err = e, .message = slice_of(message), .hint = slice_of("next"), .fields = fields };

	http_reply(http, token, &r);
}

static int send_request(const char *text)
{
	int fd = client();

	assert_true(put_text(fd, text));
	spin(5);
	return fd;
}

static void a_command_waits_for_its_reply(void **state)
{
	struct buf fields = {0};
	uint8_t id[16] = { 0xff };
	int fd = send_request("POST /api/command HTTP/1.1\r\nHost: x\r\n\r\n");

	(void)state;
	assert_int_equal(commands, 1);
	assert_int_equal(last_command.kind, COMMAND_GOAL_ADD);
	assert_string_equal(last_text, "grow");
	assert_false(id16_is_zero(&last_command.request));
	assert_int_equal(get(fd), 0);
	assert_int_equal(http_waiting(http), 1);
	mp_put_map(&fields, 2);
	mp_put_text(&fields, "id");
	mp_put_bin(&fields, id, sizeof id);
	mp_put_text(&fields, "list");
	mp_put_array(&fields, 4);
	mp_put_uint(&fields, 7);
	mp_put_int(&fields, -7);
	mp_put_nil(&fields);
	mp_put_bool(&fields, true);
	reply(last_token + 1, OK, "of somebody else", SLICE(NULL, 0));
	assert_int_equal(http_waiting(http), 1);
	reply(last_token, OK, "Saved.", buf_slice(&fields));
	get(fd);
	assert_answer(answer, 200, "{\"hint\":\"next\",\"id\":\"zw000000000000000000000000\",\"list\":[7,-7,null,true],\"message\":\"Saved.\"}");
	assert_int_equal(http_waiting(http), 0);
	reply(last_token, OK, "again", SLICE(NULL, 0));
	close(fd);
	buf_free(&fields);
}

static void the_request_id_is_the_callers(void **state)
{
	int fd = send_request("POST /api/command HTTP/1.1\r\nHost: x\r\nIdempotency-Key: ZW000000000000000000000000\r\n\r\n");
	struct id16 first;

	(void)state;
	assert_int_equal(last_command.request.b[0], 0xff);
	assert_int_equal(last_command.request.b[1], 0);
	close(fd);
	close(send_request("POST /api/command HTTP/1.1\r\nHost: x\r\n\r\n"));
	first = last_command.request;
	close(send_request("POST /api/command HTTP/1.1\r\nHost: x\r\n\r\n"));
	assert_false(id16_equal(&first, &last_command.request));
	fd = send_request("POST /api/command HTTP/1.1\r\nHost: x\r\nIdempotency-Key: short\r\n\r\n");
	get(fd);
	assert_answer(answer, 400, "Idempotency-Key");
	assert_int_equal(commands, 3);
	close(fd);
}

static void each_error_has_a_status_and_a_name(void **state)
{
	static const struct { enum err e; unsigned status; const char *part; } cases[] = {
		{ ERR_DENIED, 403, "{\"error\":{\"code\":\"denied\",\"hint\":\"next\",\"message\":\"No.\"}}" }, { ERR_NOTFOUND, 404, "notfound" },
		{ ERR_CONSENT, 403, "consent" }, { ERR_FULL, 507, "full" }, { ERR_PERSON, 409, "person" }, { ERR_LIMIT, 429, "limit" },
		{ ERR_WAITING, 202, "\"message\":\"No.\"}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int fd = send_request("POST /api/command HTTP/1.1\r\nHost: x\r\n\r\n");
		reply(last_token, cases[i].e, "No.", SLICE(NULL, 0));
		get(fd);
		assert_answer(answer, cases[i].status, cases[i].part);
		close(fd);
	}
	for (int e = 0; e < ERR_LAST; e++)
		assert_in_range(http_status((enum err)e), 200, 599);
}

static void a_refused_command_answers_at_once(void **state)
{
	(void)state;
	command_answer = ERR_LIMIT;
	assert_answer(ask("POST", "/api/command", ""), 429, "limit");
	assert_int_equal(http_waiting(http), 0);
}

static void one_command_may_follow_another(void **state)
{
	int fd = send_request("POST /api/twice HTTP/1.1\r\nHost: x\r\n\r\n");
	uint64_t first = last_token;

	(void)state;
	reply(first, OK, "first", SLICE(NULL, 0));
	assert_int_equal(last_command.kind, COMMAND_GOAL_EDIT);
	assert_int_not_equal(first, last_token);
	reply(first, OK, "late", SLICE(NULL, 0));
	assert_int_equal(get(fd), 0);
	reply(last_token, OK, "second", SLICE(NULL, 0));
	get(fd);
	assert_answer(answer, 200, "\"message\":\"second\"");
	close(fd);
}

static void a_client_that_goes_away_harms_nobody(void **state)
{
	int fd;

	(void)state;
	for (int i = 0; i < 10; i++)
		close(send_request("POST /api/command HTTP/1.1\r\nHost: x\r\n\r\n"));
	spin(10);
	reply(last_token, OK, "to nobody", SLICE(NULL, 0));
	spin(10);
	close(send_request("POST /api/org/a/goals/b HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"half"));
	close(send_request("GET /api/hel"));
	spin(10);
	assert_answer(ask("GET", "/api/hello", ""), 200, "world");
	fd = send_request("GET /api/later HTTP/1.1\r\nHost: x\r\n\r\n");
	close(fd);
	spin(5);
	assert_non_null(http_find(http, kept_token));
	request_answer(http_find(http, kept_token), 200, json_object());
	spin(5);
	assert_null(http_find(http, kept_token));
}

static void whoever_suspends_may_answer_later(void **state)
{
	int fd = send_request("GET /api/later HTTP/1.1\r\nHost: x\r\n\r\n");

	(void)state;
	request_error(http_find(http, kept_token), ERR_SEALED, "wrong %s", "passphrase");
	get(fd);
	assert_answer(answer, 403, "{\"error\":{\"code\":\"sealed\",\"message\":\"wrong passphrase\"}}");
	close(fd);
	assert_answer(ask("GET", "/api/silent", ""), 409, "not answered");
}

static void one_connection_serves_many_requests(void **state)
{
	int fd = send_request("GET /api/hello HTTP/1.1\r\nHost: x\r\n\r\nGET /api/hello HTTP/1.1\r\nHost: x\r\n\r\n");

	(void)state;
	get(fd);
	assert_int_equal(handled, 2);
	for (int i = 0; i < 100; i++) {
		assert_true(put_text(fd, "GET /api/hello HTTP/1.1\r\nHost: x\r\n\r\n"));
		get(fd);
		assert_answer(answer, 200, "world");
	}
	assert_int_equal(handled, 102);
	close(fd);
}

static void a_body_beyond_the_limit_is_refused(void **state)
{
	size_t len = LIMIT_HTTP_BODY + 100;
	char *big = malloc(len), head[256];
	int fd, n;

	(void)state;
	memset(big, ' ', len);
	fd = client();
	n = snprintf(head, sizeof head, "POST /api/strict HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", len);
	put(fd, head, (size_t)n);
	get(fd);
	assert_answer(answer, 413, "toobig");
	close(fd);
	fd = client();
	n = snprintf(head, sizeof head, "POST /api/strict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n", len);
	put(fd, head, (size_t)n);
	put(fd, big, len);
	put_text(fd, "\r\n0\r\n\r\n");
	get(fd);
	assert_answer(answer, 413, "toobig");
	close(fd);
	memcpy(big, "{\"title\":\"x\"}", 13);
	fd = client();
	n = snprintf(head, sizeof head, "POST /api/strict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", LIMIT_HTTP_BODY);
	put(fd, head, (size_t)n);
	assert_true(put(fd, big, LIMIT_HTTP_BODY));
	get(fd);
	assert_answer(answer, 200, "\"title\":\"x\"");
	close(fd);
	free(big);
}

static void garbage_costs_its_sender_only(void **state)
{
	uint32_t seed = 1;
	char junk[512];

	(void)state;
	for (int i = 0; i < 300; i++) {
		int fd = client();
		size_t n = 0;
		if (i % 3 == 0)
			n = (size_t)sprintf(junk, "%s /api/%%%02x HTTP/1.%d\r\n", i % 2 ? "GET" : "POST", i & 0xff, i % 4);
		for (; n < sizeof junk; n++)
			junk[n] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
		put(fd, junk, sizeof junk);
		put_text(fd, "\r\n\r\n");
		close(fd);
	}
	spin(50);
	assert_answer(ask("GET", "/api/hello", ""), 200, "world");
}

static void too_many_connections_wait_their_turn(void **state)
{
	int fds[LIMIT_HTTP_CONNECTIONS + 20];
	size_t n = sizeof fds / sizeof *fds;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		fds[i] = client();
		if (i % 16 == 15)
			spin(5);
	}
	spin(20);
	for (size_t i = 0; i < LIMIT_HTTP_CONNECTIONS; i++)
		close(fds[i]);
	spin(50);
	for (size_t i = LIMIT_HTTP_CONNECTIONS; i < n; i++) {
		put_text(fds[i], "GET /api/hello HTTP/1.1\r\nHost: x\r\n\r\n");
		get(fds[i]);
		assert_answer(answer, 200, "world");
		close(fds[i]);
	}
}

static void closing_answers_those_who_wait(void **state)
{
	int a = send_request("POST /api/command HTTP/1.1\r\nHost: x\r\n\r\n"), b = send_request("GET /api/later HTTP/1.1\r\nHost: x\r\n\r\n"),
		c = send_request("POST /api/strict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{");

	(void)state;
	http_close(http);
	http = NULL;
	get(a);
	assert_answer(answer, 409, "cairnd is stopping");
	get(b);
	assert_answer(answer, 409, "cairnd is stopping");
	assert_int_equal(access(socket_path, F_OK), -1);
	close(a);
	close(b);
	close(c);
}

static void a_stale_socket_is_replaced(void **state)
{
	struct http *other;

	(void)state;
	assert_int_equal(http_open(&other, &loop, socket_path, &host, table, 1), OK);
	http_close(http);
	http = other;
	assert_int_equal(http_open(&other, &loop, "/nonexistent/s", &host, table, 1), ERR_IO);
	assert_null(other);
}

static void memory_is_given_back(void **state)
{
	size_t before;

	(void)state;
	ask("POST", "/api/strict", "{\"title\":\"x\"}");
	before = mem_live();
	for (int i = 0; i < 50; i++) {
		ask("POST", "/api/strict", "{\"title\":\"x\"}");
		ask("GET", "/api/org/a/goals/b?q=1", "");
		ask("POST", "/api/strict", "{\"title");
		close(send_request("GET /api/org/a/goals/b?q=1 HTTP/1.1\r\n"));
		spin(5);
	}
	assert_int_equal(mem_live(), before);
}

static void any_allocation_may_fail(void **state)
{
	size_t before;

	(void)state;
	ask("POST", "/api/strict", "{\"title\":\"x\"}");
	before = mem_live();
	for (int k = 0; k < 60; k++) {
		int fd = client();
		mem_fail_after(k);
		put_text(fd, "POST /api/strict HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{\"title\":\"x\"}");
		get(fd);
		mem_fail_after(-1);
		assert_true(answer[0] == '\0' || strncmp(answer, "HTTP/1.1 503", 12) == 0 || strncmp(answer, "HTTP/1.1 200", 12) == 0);
		close(fd);
		spin(5);
		fd = client();
		mem_fail_after(k);
		put_text(fd, "POST /api/command HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
		spin(5);
		reply(last_token, OK, "Saved.", SLICE(NULL, 0));
		get(fd);
		mem_fail_after(-1);
		close(fd);
		spin(5);
	}
	assert_answer(answer, 200, "Saved.");
	assert_answer(ask("POST", "/api/strict", "{\"title\":\"x\"}"), 200, "\"title\":\"x\"");
	assert_int_equal(mem_live(), before);
}

static void msgpack_becomes_json_or_nothing(void **state)
{
	static const uint8_t bad[][4] = { { 0x91 }, { 0xc1 }, { 0xa1, 0xff }, { 0x81, 0x01 }, { 0x01, 0x01 } };
	static const size_t lens[] = { 1, 1, 2, 2, 2 };
	struct buf b = {0};
	json_t *j;
	char *text;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_null(http_json_mp(SLICE(bad[i], lens[i])));
	mp_put_map(&b, 2);
	mp_put_uint(&b, 3);
	mp_put_uint(&b, UINT64_MAX);
	mp_put_text(&b, "x");
	mp_put_array(&b, 0);
	j = http_json_mp(buf_slice(&b));
	text = json_dumps(j, JSON_SORT_KEYS | JSON_COMPACT);
	assert_string_equal(text, "{\"3\":\"18446744073709551615\",\"x\":[]}");
	mem_free(text);
	json_decref(j);
	buf_clear(&b);
	for (int i = 0; i < 100; i++)
		mp_put_array(&b, 1);
	mp_put_nil(&b);
	assert_null(http_json_mp(buf_slice(&b)));
	buf_free(&b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_answered),
		TEST(unknown_paths_and_methods_are_told_apart),
		TEST(parameters_are_decoded_after_the_path_is_split),
		TEST(a_body_is_one_json_object),
		TEST(the_state_decides_what_is_served),
		TEST(a_command_waits_for_its_reply),
		TEST(the_request_id_is_the_callers),
		TEST(each_error_has_a_status_and_a_name),
		TEST(a_refused_command_answers_at_once),
		TEST(one_command_may_follow_another),
		TEST(a_client_that_goes_away_harms_nobody),
		TEST(whoever_suspends_may_answer_later),
		TEST(one_connection_serves_many_requests),
		TEST(a_body_beyond_the_limit_is_refused),
		TEST(garbage_costs_its_sender_only),
		TEST(too_many_connections_wait_their_turn),
		TEST(closing_answers_those_who_wait),
		TEST(a_stale_socket_is_replaced),
		TEST(memory_is_given_back),
		TEST(any_allocation_may_fail),
		TEST(msgpack_becomes_json_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
