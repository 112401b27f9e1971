#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/mem.h"
#include "cli/http.h"
#include "tests/unit/cli_fake.h"

static const struct fake_answer ANSWERS[] = {
	{ "GET /length", 200, "{\"a\":1}", FAKE_LENGTH }, { "GET /chunked", 200, "{\"chunked\":\"0123456789\"}", FAKE_CHUNKED },
	{ "GET /drip", 404, "{\"a\":[1,2,3]}", FAKE_DRIP }, { "GET /close", 200, "to the end", FAKE_CLOSE },
	{ "GET /last", 200, "last", FAKE_LAST }, { "GET /silent", 200, "", FAKE_SILENT }, { "GET /empty", 204, "", FAKE_LENGTH },
	{ "POST /length", 200, "posted", FAKE_LENGTH },
	{ "GET /gone", 0, "", FAKE_RAW }, { "GET /half", 0, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", FAKE_RAW },
	{ "GET /ssh", 0, "SSH-2.0-OpenSSH_9.2\r\n\r\n", FAKE_RAW }, { "GET /status", 0, "HTTP/1.1 xyz OK\r\n\r\n", FAKE_RAW },
	{ "GET /huge", 0, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n", FAKE_RAW },
	{ "GET /huge-chunk", 0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n", FAKE_RAW },
	{ "GET /bad-chunk", 0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", FAKE_RAW },
	{ NULL, 0, NULL, 0 }
};

static struct fake *fake;

static int start(void **state)
{
	fake = fake_start(ANSWERS);
	*state = NULL;
	assert_int_equal(http_connect((struct http **)state, fake->socket), OK);
	return 0;
}

static int stop(void **state)
{
	http_close(*state);
	fake_stop(fake);
	return 0;
}

static void check(struct http *h, const char *target, int status, const char *body)
{
	struct http_response r;

	assert_int_equal(http_exchange(h, &r, "GET", target, SLICE(NULL, 0), 5000), OK);
	assert_int_equal(r.status, status);
	assert_string_equal((const char *)r.body.data, body);
	assert_int_equal(r.body.len, strlen(body));
}

static void every_way_to_end_a_body_is_read(void **state)
{
	for (int i = 0; i < 3; i++) {
		check(*state, "/length", 200, "{\"a\":1}");
		check(*state, "/chunked", 200, "{\"chunked\":\"0123456789\"}");
		check(*state, "/drip", 404, "{\"a\":[1,2,3]}");
		check(*state, "/empty", 204, "");
	}
	assert_int_equal(fake->connections, 1);
	check(*state, "/close", 200, "to the end");
	check(*state, "/length", 200, "{\"a\":1}");
	assert_int_equal(fake->connections, 2);
}

static void a_connection_closed_while_idle_is_opened_again(void **state)
{
	for (int i = 0; i < 4; i++)
		check(*state, "/last", 200, "last");
	check(*state, "/length", 200, "{\"a\":1}");
}

static void a_body_is_sent_with_its_length(void **state)
{
	struct http_response r;

	assert_int_equal(http_exchange(*state, &r, "POST", "/length", slice_of("{\"x\":\"y\"}"), 5000), OK);
	assert_string_equal(fake->log, "POST /length {\"x\":\"y\"}\n");
}

static void wrong_answers_are_errors(void **state)
{
	static const struct { const char *target; enum err e; } wrong[] = {
		{ "/gone", ERR_IO }, { "/half", ERR_IO }, { "/ssh", ERR_MALFORMED }, { "/status", ERR_MALFORMED }, { "/huge", ERR_TOOBIG },
		{ "/huge-chunk", ERR_TOOBIG }, { "/bad-chunk", ERR_MALFORMED },
	};
	struct http_response r;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_int_equal(http_exchange(*state, &r, "GET", wrong[i].target, SLICE(NULL, 0), 5000), wrong[i].e);
		check(*state, "/length", 200, "{\"a\":1}");      /* and the next one works */
	}
}

static void a_silent_server_is_left_in_time(void **state)
{
	struct http_response r;

	assert_int_equal(http_exchange(*state, &r, "GET", "/silent", SLICE(NULL, 0), 20), ERR_BUSY);
}

static void nobody_there_is_told_from_other_errors(void **state)
{
	struct http *h;
	char path[200];

	(void)state;
	assert_int_equal(http_connect(&h, "/nonexistent/socket"), ERR_NOTFOUND);
	assert_null(h);
	memset(path, 'x', sizeof path);
	path[sizeof path - 1] = '\0';
	assert_int_equal(http_connect(&h, path), ERR_TOOBIG);
}

static void without_memory_it_fails_cleanly(void **state)
{
	struct fake *f = fake_start(ANSWERS);
	enum err e = ERR_NOMEM;

	(void)state;
	for (long k = 0; e != OK; k++) {
		struct http *h = NULL;
		struct http_response r;
		size_t live = mem_live();

		assert_true(k < 100);
		mem_fail_after(k);
		e = http_connect(&h, f->socket);
		if (e == OK)
			e = http_exchange(h, &r, "GET", "/last", SLICE(NULL, 0), 5000);
		mem_fail_after(-1);
		assert_true(e == OK || e == ERR_NOMEM);
		http_close(h);
		assert_int_equal(mem_live(), live);
	}
	fake_stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_way_to_end_a_body_is_read, start, stop),
		cmocka_unit_test_setup_teardown(a_connection_closed_while_idle_is_opened_again, start, stop),
		cmocka_unit_test_setup_teardown(a_body_is_sent_with_its_length, start, stop),
		cmocka_unit_test_setup_teardown(wrong_answers_are_errors, start, stop),
		cmocka_unit_test_setup_teardown(a_silent_server_is_left_in_time, start, stop),
		cmocka_unit_test(nobody_there_is_told_from_other_errors),
		cmocka_unit_test(without_memory_it_fails_cleanly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
