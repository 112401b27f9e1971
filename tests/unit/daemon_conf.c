#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <stdio.h>
#include "daemon/conf.h"

static char why[CONF_WHY];

static void nothing_said_is_the_defaults(void **state)
{
	struct conf c, d;

	(void)state;
	conf_default(&d);
	assert_int_equal(conf_parse(&c, slice_of(""), "cairn.conf", why), OK);
	assert_memory_equal(&c, &d, sizeof c);
	assert_string_equal(c.listen, "tcp://0.0.0.0:7411");
	assert_string_equal(c.listen_host, "0.0.0.0");
	assert_int_equal(c.port, 7411);
	assert_int_equal(c.sync_minutes, 60);
	assert_false(c.listen_given);
	assert_int_equal(conf_load(&c, "/nonexistent/cairn.conf", why), OK);
	assert_memory_equal(&c, &d, sizeof c);
}

static void everything_can_be_set(void **state)
{
	static const char text[] =
		"# comment\n"
		"listen = \"tcp://[::]:9000\"\n"
		"advertise = {\"tcp://cairn.example.org:7411\", \"tcp://[2001:db8::1]:7411\"}\n"
		"sync-minutes = 5\n"
		"log-level = \"debug\"\n"
		"http = \"\"";
	struct conf c;

	(void)state;
	assert_int_equal(conf_parse(&c, slice_of(text), "cairn.conf", why), OK);
	assert_string_equal(c.listen_host, "::");
	assert_int_equal(c.port, 9000);
	assert_true(c.listen_given);
	assert_int_equal(c.advertise.n, 2);
	assert_string_equal(c.advertise.text[1], "tcp://[2001:db8::1]:7411");
	assert_true(slice_equal(c.advertise.slices[0], slice_of("tcp://cairn.example.org:7411")));
	assert_int_equal(c.sync_minutes, 5);
	assert_int_equal(c.level, LOG_DEBUG);
}

static void what_is_wrong_is_named_with_file_and_line(void **state)
{
	static const struct { const char *text, *where, *what; } cases[] = {
		{ "\nlistne = \"tcp://0.0.0.0:1\"\n", "/h/cairn.conf:2:", "listne" },
		{ "listen = \"0.0.0.0:7411\"\n", "/h/cairn.conf:1:", "listen" },
		{ "listen = \"tcp://0.0.0.0:70000\"\n", "/h/cairn.conf:1:", "listen" },
		{ "\n\nadvertise = {\"tcp://a:1\", \"ipc://a\"}\n", "/h/cairn.conf:3:", "advertise" },
		{ "advertise = {\"tcp://a:0\"}\n", "/h/cairn.conf:1:", "advertise" },
		{ "sync-minutes = 0\n", "/h/cairn.conf:1:", "1 to 1440" },
		{ "sync-minutes = 99999999999999999999\n", "/h/cairn.conf:1:", "" },
		{ "sync-minutes = often\n", "/h/cairn.conf:1:", "" },
		{ "log-level = \"loud\"\n", "/h/cairn.conf:1:", "error, warning" },
		{ "http = \"127.0.0.1:7410\"\n", "/h/cairn.conf:1:", "later version" },
		{ "listen = \"tcp://0.0.0.0:1\n", "/h/cairn.conf:", "" },
		{ "peer \"bob\" { }\n", "/h/cairn.conf:1:", "peer" },
		{ "=", "/h/cairn.conf:1:", "" },
	};
	struct conf c;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(conf_parse(&c, slice_of(cases[i].text), "/h/cairn.conf", why), ERR_USAGE);
		assert_non_null(strstr(why, cases[i].where));
		assert_non_null(strstr(why, cases[i].what));
	}
	assert_int_equal(conf_parse(&c, SLICE("log-level\0", 10), "f", why), ERR_USAGE);
}

static void addresses_are_told_from_other_text(void **state)
{
	static const struct { const char *text, *host; uint16_t port; } good[] = {
		{ "tcp://a:1", "a", 1 }, { "tcp://[::1]:65535", "::1", 65535 }, { "tcp://1.2.3.4:*", "1.2.3.4", 0 },
		{ "tcp://x.example.org:07411", "x.example.org", 7411 },
	};
	static const char *const bad[] = { "", "tcp://", "tcp://:1", "tcp://a", "tcp://a:", "tcp://a:x", "tcp://a:65536", "tcp://a:123456",
		"udp://a:1", "tcp://::1:1", "tcp://[]:1", "tcp://[::1:1", "tcp://a b:1", "tcp://a/b:1", "tcp://eth0;a:1", "tcp://a:1 ",
		"tcp://\xc3\xa4:1", "tcp://a:+1" };
	char host[LIMIT_ADDRESS_TEXT];
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(address_split(good[i].text, host, &port));
		assert_string_equal(host, good[i].host);
		assert_int_equal(port, good[i].port);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(address_split(bad[i], host, &port));
}

static void loopback_comes_last_and_advertised_first(void **state)
{
	struct address_list first = {0}, l;

	(void)state;
	address_add(&first, "tcp://cairn.example.org:7411");
	address_add(&first, "tcp://cairn.example.org:7411");
	assert_int_equal(first.n, 1);
	assert_int_equal(interfaces_list(&l, &first, "0.0.0.0", 4242), OK);
	assert_true(l.n >= 2 && l.n <= LIMIT_ADDRESSES);
	assert_string_equal(l.text[0], "tcp://cairn.example.org:7411");
	assert_string_equal(l.text[l.n - 1], "tcp://127.0.0.1:4242");
	for (size_t i = 1; i + 1 < l.n; i++)
		assert_null(strstr(l.text[i], "127.0.0.1"));
	assert_int_equal(interfaces_list(&l, &(struct address_list){0}, "127.0.0.1", 1), OK);
	assert_int_equal(l.n, 1);
	for (size_t i = 0; i < LIMIT_ADDRESSES + 3; i++) {
		char text[32];
		snprintf(text, sizeof text, "tcp://h%zu:1", i);
		address_add(&first, text);
	}
	assert_int_equal(first.n, LIMIT_ADDRESSES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_said_is_the_defaults),
		cmocka_unit_test(everything_can_be_set),
		cmocka_unit_test(what_is_wrong_is_named_with_file_and_line),
		cmocka_unit_test(addresses_are_told_from_other_text),
		cmocka_unit_test(loopback_comes_last_and_advertised_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
