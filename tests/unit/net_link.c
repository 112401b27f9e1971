/* net/link over real sockets on loopback. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <uv.h>
#include "tests/unit/curve_raw.h"        /* before base/crypto.h, which renames some of libsodium */
#include "base/mem.h"
#include "net/link.h"
#include "net/link_address.h"

#define CHECK(x) assert_true(x)
#define WAIT_MS 15000
#define RATE_BURST 32           /* as in net/link_zmq.c */

/* One end: a link and what happened to it. */
struct end {
	struct link *link;
	struct curve_pair keys;
	unsigned ups, downs;
	enum err why;
	uint32_t up, down;              /* the last number */
	uint8_t up_key[KEY_LEN];
	uint64_t frames, bytes, expect; /* frames begin with a counter from 0 */
	bool ordered, echo, hang_up, hang_up_at_once;
	unsigned nap_us;                /* what a frame costs */
	size_t last_len;
};
static uv_loop_t loop;
static struct link *opened[32]; /* so that a failed test leaves nothing either */
static size_t n_opened;
static uint8_t seed_byte;

static void on_up(void *arg, uint32_t number, const uint8_t key[KEY_LEN])
{
	struct end *e = arg;

	e->ups++;
	e->up = number;
	memcpy(e->up_key, key, KEY_LEN);
	if (e->hang_up_at_once)
		link_disconnect(e->link, number);
}

static void on_down(void *arg, uint32_t number, enum err why)
{
	struct end *e = arg;

	e->downs++;
	e->down = number;
	e->why = why;
}

static void on_frame(void *arg, uint32_t number, struct slice bytes)
{
	struct end *e = arg;

	if (bytes.len >= 8 && get_u64(bytes.data) != e->expect++)
		e->ordered = false;
	if (e->nap_us != 0)
		usleep(e->nap_us);
	__atomic_fetch_add(&e->frames, 1, __ATOMIC_ACQ_REL);
	e->bytes += bytes.len;
	e->last_len = bytes.len;
	if (e->echo)
		CHECK(link_send(e->link, number, bytes) == OK);
	if (e->hang_up)
		link_disconnect(e->link, number);
}

static void keys_make(struct curve_pair *k)
{
	uint8_t seed[KEY_LEN] = { 42, ++seed_byte };

	crypto_box_seed(k->public, k->secret, seed);
}

static void end_open(struct end *e)
{
	struct link_events events = { e, on_up, on_down, on_frame };

	memset(e, 0, sizeof *e);
	e->ordered = true;
	keys_make(&e->keys);
	CHECK(link_open(&e->link, &loop, &events, &e->keys) == OK);
	opened[n_opened++] = e->link;
}

static void end_close(struct end *e)
{
	for (size_t i = 0; i < n_opened; i++)
		if (opened[i] == e->link)
			opened[i] = opened[--n_opened];
	link_close(e->link);
}

static void end_allow(struct end *e, const struct end *who)
{
	CHECK(link_allow(e->link, who != NULL ? &who->keys.public : NULL, who != NULL) == OK);
}

static char listening[64];

static char *end_listen(struct end *e)
{
	uint16_t port;

	CHECK(link_listen(e->link, "tcp://127.0.0.1:*", &port) == OK);
	CHECK(port != 0);
	snprintf(listening, sizeof listening, "tcp://127.0.0.1:%u", port);
	return listening;
}

static void on_alarm(uv_timer_t *t)
{
	*(bool *)t->data = true;
}

static void on_beat(uv_timer_t *t)
{
	(void)t;
}

/* Run the loop until the condition holds; false: it did not within ms. */
#define RUN(condition, ms) __extension__ ({ \
	uv_timer_t alarm_, beat_; bool rang_ = false; \
	uv_timer_init(&loop, &alarm_); alarm_.data = &rang_; uv_timer_start(&alarm_, on_alarm, (ms), 0); \
	uv_timer_init(&loop, &beat_); uv_timer_start(&beat_, on_beat, 20, 20); \
	while (!(condition) && !rang_) uv_run(&loop, UV_RUN_ONCE); \
	uv_close((uv_handle_t *)&beat_, NULL); \
	uv_close((uv_handle_t *)&alarm_, NULL); uv_run(&loop, UV_RUN_NOWAIT); \
	(condition); })

static int setup(void **state)
{
	(void)state;
	CHECK(crypto_start() == OK);
	CHECK(uv_loop_init(&loop) == 0);
	return 0;
}

/* Every test ends with nothing left in the loop and on the heap. */
static int teardown(void **state)
{
	(void)state;
	while (n_opened > 0)
		link_close(opened[--n_opened]);
	uv_run(&loop, UV_RUN_DEFAULT);
	CHECK(uv_loop_close(&loop) == 0);
	CHECK(mem_live() == 0);
	return 0;
}

/* An adversary in a thread of its own, with blocking sockets, while the main thread runs the loop. */
struct foe {
	pthread_t thread;
	void (*act)(struct foe *);
	uint16_t port;
	const struct curve_pair *keys;
	const uint8_t *server;
	uint64_t goal, done, window;    /* window: in flight at most */
	const uint64_t *taken;          /* what has arrived */
	bool ready, ended;              /* the handshake succeeded; the other side ended it */
	int finished, stop, listener;
};

static void *foe_run(void *arg)
{
	struct foe *f = arg;

	f->act(f);
	__atomic_store_n(&f->finished, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void foe_start(struct foe *f, void (*act)(struct foe *), const char *address, const struct curve_pair *keys,
	const uint8_t server[KEY_LEN])
{
	*f = (struct foe){ .listener = f->listener, .goal = f->goal, .window = f->window, .taken = f->taken };
	f->act = act;
	f->port = (uint16_t)atoi(strrchr(address, ':') + 1);
	f->keys = keys;
	f->server = server;
	CHECK(pthread_create(&f->thread, NULL, foe_run, f) == 0);
}

static void foe_listen(struct foe *f, char address[64])
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof any;

	f->listener = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(f->listener >= 0 && bind(f->listener, (struct sockaddr *)&any, sizeof any) == 0 && listen(f->listener, 5) == 0);
	getsockname(f->listener, (struct sockaddr *)&any, &len);
	snprintf(address, 64, "tcp://127.0.0.1:%u", ntohs(any.sin_port));
}

/* Run the loop until it is done. */
static bool foe_finish(struct foe *f)
{
	bool done;

	done = RUN(__atomic_load_n(&f->finished, __ATOMIC_ACQUIRE) != 0, 30000);
	if (done)
		pthread_join(f->thread, NULL);
	return done;
}

static long rss_kib(void)
{
	long total = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL || fscanf(f, "%ld %ld", &total, &resident) != 2)
		resident = 0;
	if (f != NULL)
		fclose(f);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* a dials b; both know each other. */
static void pair_up(struct end *a, struct end *b)
{
	end_open(a);
	end_open(b);
	end_allow(b, a);
	CHECK(link_connect(a->link, 7, end_listen(b), b->keys.public, &a->keys) == OK);
	CHECK(RUN(a->ups == 1, WAIT_MS));
	CHECK(a->up == 7 && memcmp(a->up_key, b->keys.public, KEY_LEN) == 0);
	CHECK(link_send(a->link, 7, SLICE("hi", 2)) == OK);
	CHECK(RUN(b->frames == 1, WAIT_MS));
	CHECK(b->ups == 1 && b->up >= LINK_INCOMING && memcmp(b->up_key, a->keys.public, KEY_LEN) == 0);
	b->frames = 0;
}

static void pair_close(struct end *a, struct end *b)
{
	end_close(a);
	end_close(b);
}

static void send_from(struct end *e, uint32_t number, uint64_t *sent, uint64_t goal, size_t len)
{
	uint8_t frame[1024] = { 0 };

	while (*sent < goal) {
		enum err err;
		put_u64(frame, *sent);
		err = link_send(e->link, number, SLICE(frame, len));
		if (err == ERR_LIMIT)
			return;
		CHECK(err == OK);
		++*sent;
	}
}

static void test_both_ways_in_order(void **state)
{
	struct end a, b;
	uint64_t from_a = 0, from_b = 0, n = 10000;

	(void)state;
	pair_up(&a, &b);
	while (a.frames < n || b.frames < n) {
		send_from(&a, 7, &from_a, n, 300);
		send_from(&b, b.up, &from_b, n, 300);
		uv_run(&loop, UV_RUN_ONCE);
	}
	CHECK(a.frames == n && b.frames == n && a.ordered && b.ordered);
	CHECK(a.downs == 0 && b.downs == 0);
	pair_close(&a, &b);
}

static void test_stranger(void **state)
{
	struct end a, b;
	struct link_info info;

	(void)state;
	end_open(&a);
	end_open(&b);
	end_allow(&b, NULL);
	CHECK(link_connect(a.link, 1, end_listen(&b), b.keys.public, &a.keys) == OK);
	CHECK(RUN(a.downs == 1, WAIT_MS));
	CHECK(a.why == ERR_DENIED && a.down == 1 && a.ups == 0 && b.ups == 0);
	link_info(b.link, &info);
	CHECK(info.refused_keys == 1 && info.incoming == 0);
	CHECK(link_send(a.link, 1, SLICE("x", 1)) == ERR_NOTFOUND);
	CHECK(!RUN(false, 300));
	link_info(b.link, &info);
	CHECK(info.refused_keys == 1);          /* it does not try again by itself */
	pair_close(&a, &b);
}

static void test_wrong_server_key(void **state)
{
	struct end a, b;
	struct link_info info;

	(void)state;
	end_open(&a);
	end_open(&b);
	end_allow(&b, &a);
	CHECK(link_connect(a.link, 1, end_listen(&b), a.keys.public, &a.keys) == OK);
	CHECK(RUN(a.downs == 1, WAIT_MS));
	CHECK(a.why == ERR_WAITING && a.ups == 0);
	CHECK(RUN((link_info(b.link, &info), info.refused_handshakes) >= 1, WAIT_MS));
	pair_close(&a, &b);
}

static void test_nobody_there(void **state)
{
	struct end a, b;
	char *address;

	(void)state;
	end_open(&a);
	end_open(&b);
	address = end_listen(&b);
	link_unlisten(b.link);
	CHECK(link_connect(a.link, 1, address, b.keys.public, &a.keys) == OK);
	CHECK(RUN(a.downs == 1, 2000));
	CHECK(a.why == ERR_WAITING);
	pair_close(&a, &b);
}

static void test_self_test(void **state)
{
	struct end a;
	struct link_info info;

	(void)state;
	end_open(&a);
	CHECK(link_self_test(a.link) == OK);    /* with an empty set */
	end_allow(&a, &a);
	CHECK(link_self_test(a.link) == OK);
	end_listen(&a);
	CHECK(link_self_test(a.link) == OK);
	link_info(a.link, &info);
	CHECK(info.refused_keys == 0 && info.outgoing == 0 && info.incoming == 0);
	CHECK(a.ups == 0 && a.downs == 0);
	end_close(&a);
}

static void test_taken_port(void **state)
{
	struct end a, b;
	char *address;
	uint16_t port, again;

	(void)state;
	end_open(&a);
	end_open(&b);
	address = end_listen(&a);
	CHECK(link_listen(b.link, address, &port) == ERR_BUSY && port == 0);
	for (int i = 0; i < 20; i++) {          /* and free at once when it is given up */
		link_unlisten(a.link);
		CHECK(link_listen(b.link, address, &port) == OK);
		link_unlisten(b.link);
		CHECK(link_listen(a.link, address, &again) == OK && again == port);
	}
	pair_close(&a, &b);
}

static void test_addresses(void **state)
{
	static const char *const good[] = { "tcp://127.0.0.1:7411", "tcp://[::1]:7411", "tcp://[fe80::1%eth0]:1",
		"tcp://host.example.org:65535", "tcp://my_host-1:80" };
	static const char *const bad[] = { "", "tcp://", "tcp://:1", "tcp://a", "tcp://a:", "tcp://a:0", "tcp://a:65536",
		"tcp://a:1x", "tcp://a:*", "tcp://*:1", "ipc:///tmp/x", "inproc://x", "pgm://eth0;239.192.1.1:5555",
		"tipc://{1,2}", "udp://a:1", "ws://a:1", "tcp://a b:1", "tcp://a;b:1", "tcp://a:1;b:2", "tcp://[::1:1",
		"tcp://::1:1", "tcp://[::1]1:1", "tcp://[zz]:1", "tcp://[::1%]:1", "tcp://[::1%a%b]:1", "tcp://[]:1",
		"tcp://-a:1", "tcp://a/b:1", "TCP://a:1", " tcp://a:1", "tcp://a:1 ", "tcp://a:99999999999999999999" };
	char longest[400];
	struct end a;
	uint16_t port;

	(void)state;
	end_open(&a);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		CHECK(link_address_valid(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK(!link_address_valid(bad[i]));
		CHECK(link_connect(a.link, 1, bad[i], a.keys.public, &a.keys) == ERR_USAGE);
		if (strcmp(bad[i], "tcp://a:0") != 0 && strcmp(bad[i], "tcp://a:*") != 0 && strcmp(bad[i], "tcp://*:1") != 0)
			CHECK(link_listen(a.link, bad[i], &port) == ERR_USAGE);
	}
	memset(longest, 'a', sizeof longest);
	memcpy(longest, "tcp://", 6);
	strcpy(longest + 300, ":1");
	CHECK(!link_address_valid(longest));
	CHECK(link_connect(a.link, 1, longest, a.keys.public, &a.keys) == ERR_USAGE);
	CHECK(link_listen(a.link, longest, &port) == ERR_USAGE);
	end_close(&a);
}

/* ---- what adversaries do ---- */

static void act_hello(struct foe *f)
{
	struct raw r = { 0 };

	f->ready = raw_connect(&r, f->port) && raw_handshake(&r, f->server, f->keys->public, f->keys->secret, "");
	if (f->ready && raw_message(&r, 0, "hello", 5))
		f->done++;
	usleep(50000);
	raw_close(&r);
}

/* Our own raw client works, so that what it fails at means something; and its going is noticed. */
static void test_raw_client(void **state)
{
	struct end a, b;
	struct foe f = { 0 };

	(void)state;
	pair_up(&a, &b);
	foe_start(&f, act_hello, listening, &a.keys, b.keys.public);
	CHECK(foe_finish(&f) && f.ready && f.done == 1);
	CHECK(RUN(b.frames == 1 && b.ups == 2 && b.downs == 1, WAIT_MS));
	CHECK(b.last_len == 5 && b.why == ERR_WAITING);
	CHECK(a.downs == 0);
	pair_close(&a, &b);
}

static void act_too_big(struct foe *f)
{
	struct raw r = { 0 };
	uint8_t *big = calloc(1, LIMIT_FRAME + 1);

	f->ready = raw_connect(&r, f->port) && raw_handshake(&r, f->server, f->keys->public, f->keys->secret, "")
		&& raw_message(&r, 0, "first", 5) && raw_message(&r, 0, big, LIMIT_FRAME)
		&& raw_message(&r, 0, big, LIMIT_FRAME + 1);
	f->ended = raw_ended(&r);
	raw_close(&r);
	free(big);
}

static void test_too_big(void **state)
{
	struct end a, b;
	struct foe f = { 0 };
	uint8_t *big = calloc(1, LIMIT_FRAME + 1);

	(void)state;
	pair_up(&a, &b);
	foe_start(&f, act_too_big, listening, &a.keys, b.keys.public);
	CHECK(foe_finish(&f) && f.ready && f.ended);
	CHECK(b.frames == 2 && b.last_len == LIMIT_FRAME);
	CHECK(RUN(b.downs == 1, WAIT_MS));
	b.expect = 0;
	CHECK(link_send(a.link, 7, SLICE(big, LIMIT_FRAME + 1)) == ERR_TOOBIG);
	CHECK(link_send(a.link, 7, SLICE(big, LIMIT_FRAME)) == OK);
	CHECK(RUN(b.frames == 3, WAIT_MS) && b.last_len == LIMIT_FRAME && a.downs == 0);
	free(big);
	pair_close(&a, &b);
}

static void act_garbage(struct foe *f)
{
	static const char *const openings[] = { "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02", "\xff", "",
		"\xff\0\0\0\0\0\0\0\1\x7f\1", "SSH-2.0-x\r\n" };
	uint8_t noise[2000];
	struct raw r = { 0 };

	f->ended = true;
	for (int i = 0; i < 200; i++) {
		if (!raw_connect(&r, f->port))
			break;
		randombytes_buf(noise, sizeof noise);
		if (i % 8 < 6)
			raw_write(&r, openings[i % 8], strlen(openings[i % 8]));
		if (i % 8 == 7)
			raw_greet(&r, i % 16 == 7 ? "CURVE" : "NULL");
		raw_write(&r, noise, sizeof noise);
		if (i >= 192)
			f->ended = f->ended && raw_ended(&r);
		raw_close(&r);
		f->done++;
	}
}

/* Announces an 8 GiB frame and sends 64 MiB of it, after a greeting of either mechanism or after half a handshake. */
static void act_announce(struct foe *f)
{
	static uint8_t chunk[1 << 20];
	static const uint8_t head[] = { 2, 0, 0, 0, 2, 0, 0, 0, 0 }, command[] = { 6, 0, 0, 0, 2, 0, 0, 0, 0 };

	f->ended = true;
	for (int i = 0; i < 4; i++) {
		struct raw r = { 0 };

		if (!raw_connect(&r, f->port) || !raw_greet(&r, i % 2 == 0 ? "CURVE" : "NULL"))
			f->ended = f->ended && i % 2 != 0;
		raw_write(&r, i < 2 ? head : command, 9);
		for (int k = 0; k < 64 && raw_write(&r, chunk, sizeof chunk); k++)
			f->done += sizeof chunk;
		f->ended = f->ended && raw_ended(&r);
		raw_close(&r);
	}
}

static void stranger_while_honest(void (*act)(struct foe *), struct foe *f, const struct curve_pair *keys)
{
	struct end a, b;
	uint64_t sent = 0;
	long before;

	pair_up(&a, &b);
	foe_start(f, act, listening, keys, b.keys.public);
	before = rss_kib();
	while (!__atomic_load_n(&f->finished, __ATOMIC_ACQUIRE) || b.frames < 1000) {
		if (sent < b.frames + 10)
			send_from(&a, 7, &sent, sent + 10, 300);
		uv_run(&loop, UV_RUN_ONCE);
	}
	pthread_join(f->thread, NULL);
	CHECK(b.ordered && a.downs == 0);
	CHECK(rss_kib() - before < 64 * 1024);
	CHECK(RUN(b.frames == sent, WAIT_MS));
	pair_close(&a, &b);
}

static void test_garbage(void **state)
{
	struct foe f = { 0 };

	(void)state;
	stranger_while_honest(act_garbage, &f, NULL);
	CHECK(f.ended && f.done == 200);
}

static void test_announcement(void **state)
{
	struct foe f = { 0 };

	(void)state;
	stranger_while_honest(act_announce, &f, NULL);
	CHECK(f.ended && f.done < 64 << 20);
}

/* A peer with a valid key that never ends a message.  libzmq would keep every part. */
static void act_endless(struct foe *f)
{
	uint8_t *part = calloc(1, 250 * 1024);
	struct raw r = { 0 };

	f->ready = raw_connect(&r, f->port) && raw_handshake(&r, f->server, f->keys->public, f->keys->secret, "")
		&& raw_message(&r, 0, "first", 5);
	while (f->done < (uint64_t)2 << 30 && raw_message(&r, 1, part, 250 * 1024))
		f->done += 250 * 1024;
	f->ended = raw_ended(&r);
	raw_close(&r);
	free(part);
}

static void test_endless_message(void **state)
{
	struct end a, b;
	struct foe f = { 0 };
	long before;

	(void)state;
	pair_up(&a, &b);
	before = rss_kib();
	foe_start(&f, act_endless, listening, &a.keys, b.keys.public);
	CHECK(foe_finish(&f) && f.ready && f.ended);
	print_message("endless: %lu MiB taken, resident +%ld MiB\n", (unsigned long)f.done >> 20, (rss_kib() - before) / 1024);
	CHECK(f.done < (uint64_t)512 << 20);
	CHECK(RUN(b.downs == 1, WAIT_MS) && b.frames == 1 && a.downs == 0);
	pair_close(&a, &b);
}

/* The same by a server that we dial. */
static void act_endless_server(struct foe *f)
{
	uint8_t *part = calloc(1, 250 * 1024);
	struct raw r = { 0 };

	f->ready = raw_serve(&r, f->listener, f->keys->public, f->keys->secret) && raw_message(&r, 0, "first", 5);
	while (f->ready && f->done < (uint64_t)2 << 30 && raw_message(&r, 1, part, 250 * 1024))
		f->done += 250 * 1024;
	f->ended = raw_ended(&r);
	raw_close(&r);
	free(part);
}

static void test_endless_server(void **state)
{
	struct end a;
	struct foe f = { 0 };
	struct curve_pair server;
	char address[64];

	(void)state;
	end_open(&a);
	keys_make(&server);
	foe_listen(&f, address);
	foe_start(&f, act_endless_server, address, &server, NULL);
	CHECK(link_connect(a.link, 3, address, server.public, &a.keys) == OK);
	CHECK(foe_finish(&f) && f.ready && f.ended);
	print_message("endless server: %lu MiB taken\n", (unsigned long)f.done >> 20);
	CHECK(f.done < (uint64_t)512 << 20);
	CHECK(RUN(a.downs == 1, WAIT_MS) && a.why == ERR_WAITING && a.ups == 1 && a.frames == 1);
	end_close(&a);
	close(f.listener);
}

/* A peer that takes no bytes: what waits for it is bounded in bytes, not only in frames. */
static void act_deaf(struct foe *f)
{
	struct raw r = { 0 };

	f->ready = raw_connect(&r, f->port) && raw_handshake(&r, f->server, f->keys->public, f->keys->secret, "")
		&& raw_message(&r, 0, "first", 5);
	while (!__atomic_load_n(&f->stop, __ATOMIC_ACQUIRE))
		usleep(1000);
	raw_close(&r);
}

static void test_deaf_peer(void **state)
{
	static uint8_t big[LIMIT_FRAME];
	struct end a, b;
	struct foe f = { 0 };
	uint64_t taken = 0;
	enum err e;
	long before;

	(void)state;
	pair_up(&a, &b);
	foe_start(&f, act_deaf, listening, &a.keys, b.keys.public);
	CHECK(RUN(b.ups == 2 && b.frames == 1, WAIT_MS));
	before = rss_kib();
	while ((e = link_send(b.link, b.up, SLICE(big, sizeof big))) == OK && taken < (uint64_t)1 << 30) {
		taken += sizeof big;
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	CHECK(e == ERR_LIMIT);
	CHECK(taken >= LIMIT_SESSION_CREDIT && taken < 4 * LIMIT_SESSION_CREDIT);
	CHECK(rss_kib() - before < 4 * LIMIT_SESSION_CREDIT / 1024);
	CHECK(link_send(a.link, 7, SLICE("x", 1)) == OK);       /* others do not notice */
	CHECK(RUN(b.frames == 2, WAIT_MS));
	__atomic_store_n(&f.stop, 1, __ATOMIC_RELEASE);
	CHECK(foe_finish(&f) && f.ready);
	CHECK(RUN(b.downs == 1, WAIT_MS));
	pair_close(&a, &b);
}

/* The count of bytes in flight must not drift: far more than the queue's limit passes, in all sizes. */
static void test_queue_is_counted_to_the_byte(void **state)
{
	static uint8_t frame[LIMIT_FRAME];
	static const size_t sizes[] = { 0, 1, 100, 221, 222, 223, 300, 5000, 100000, LIMIT_FRAME };
	struct end a, b;
	uint64_t n = 0;

	(void)state;
	pair_up(&a, &b);
	b.expect = 0;
	while (n < 200000) {
		size_t len = n % 100 == 0 ? sizes[n / 100 % 10] : sizes[n % 6];
		put_u64(frame, n);
		if (len == 0 || len >= 8 || true) {
			enum err e = link_send(a.link, 7, SLICE(frame, len));
			if (e == OK)
				n++;
			else
				CHECK(e == ERR_LIMIT && RUN(b.frames == n, WAIT_MS));
		}
		if (n % 16 == 0)
			uv_run(&loop, UV_RUN_NOWAIT);
		b.expect = 0, b.ordered = true;
	}
	CHECK(RUN(b.frames == n, WAIT_MS));
	CHECK(b.bytes > 4 * (uint64_t)LIMIT_SESSION_CREDIT);
	pair_close(&a, &b);
}

static void act_named(struct foe *f)
{
	struct raw r = { 0 };

	f->ready = raw_connect(&r, f->port) && raw_handshake(&r, f->server, f->keys->public, f->keys->secret, "chosen");
	f->ready = f->ready && raw_message(&r, 0, "hello", 5);
	f->ended = raw_ended(&r);
	raw_close(&r);
}

static void act_parts(struct foe *f)
{
	struct raw r = { 0 };

	f->ready = raw_connect(&r, f->port) && raw_handshake(&r, f->server, f->keys->public, f->keys->secret, "")
		&& raw_message(&r, 1, "one", 3) && raw_message(&r, 1, "two", 3) && raw_message(&r, 0, "three", 5);
	f->ended = raw_ended(&r);
	raw_close(&r);
}

/* Not even a CURVE message. */
static void act_malformed(struct foe *f)
{
	struct raw r = { 0 };

	f->ready = raw_connect(&r, f->port) && raw_handshake(&r, f->server, f->keys->public, f->keys->secret, "")
		&& raw_frame(&r, 0, "\4PONG", 5);
	f->ended = raw_ended(&r);
	raw_close(&r);
}

/* Routing ids of the peer's choosing and messages in parts are not ours: the connection ends. */
static void test_foreign_manners(void **state)
{
	static void (*const acts[])(struct foe *) = { act_named, act_parts, act_malformed };
	struct end a, b;
	struct link_info info;

	(void)state;
	pair_up(&a, &b);
	for (size_t i = 0; i < 3; i++) {
		struct foe f = { 0 };

		foe_start(&f, acts[i], listening, &a.keys, b.keys.public);
		CHECK(foe_finish(&f) && f.ready && f.ended);
		link_info(b.link, &info);
		CHECK(info.dropped_frames == (i < 2 ? i + 1 : 2) && info.incoming == 1);
	}
	CHECK(b.frames == 0 && b.ups == 1 && b.downs == 0 && a.downs == 0);
	pair_close(&a, &b);
}

/* A server that says ERROR 400 before it has proved anything is believed: the node must go on trying, slowly. */
static void act_error(struct foe *f)
{
	uint8_t hello[255], flags;
	struct raw r = { .fd = accept(f->listener, NULL, NULL) };

	f->ready = raw_greet_as(&r, "CURVE", 1) && raw_receive(&r, &flags, hello) == 200
		&& raw_frame(&r, 4, "\5ERROR\003400", 10);
	f->ended = raw_ended(&r);
	raw_close(&r);
}

static void test_forged_error(void **state)
{
	struct end a;
	struct foe f = { 0 };
	char address[64];

	(void)state;
	end_open(&a);
	foe_listen(&f, address);
	foe_start(&f, act_error, address, NULL, NULL);
	CHECK(link_connect(a.link, 3, address, a.keys.public, &a.keys) == OK);
	CHECK(foe_finish(&f) && f.ready && f.ended);
	CHECK(RUN(a.downs == 1, WAIT_MS) && a.why == ERR_DENIED && a.ups == 0);
	end_close(&a);
	close(f.listener);
}

/* Everything a peer may say wrongly, with and without a valid key, before and after the handshake.  libzmq must neither
 * abort nor let it through.  LINK_FUZZ: how often. */
#define FUZZ_KEYS 64

static void act_fuzz(struct foe *f)
{
	static const char *const mechanisms[] = { "CURVE", "NULL", "PLAIN", "GSSAPI", "", "curve", "ABCDEFGHIJKLMNOPQRST" };
	static const struct { const char *text; size_t len; } properties[] = {
#define P(x) { x, sizeof x - 1 }
		P(""), P("\0"), P("\13Socket-Type\xff\xff\xff\xff" "DEALER"), P("\377Socket-Type"), P("\13Socket-Type\0\0\0\3PUB"),
		P("\13Socket-Type\0\0\0\6ROUTER"), P("\13Socket-Type\0\0\0\0"), P("\13Socket-Type\0\0\0\7GARBAGE"),
		P("\13Socket-Type\0\0\0\6DEALER\13Socket-Type\0\0\0\6DEALER"), P("\7User-Id\0\0\0\1x\13Socket-Type\0\0\0\6DEALER"),
		P("\10Identity\0\0\0\0\13Socket-Type\0\0\0\3REQ"), P("\1x\x80\0\0\0"), P("\0\0\0\0\0"),
	}, commands[] = {
		P(""), P("\4PING"), P("\4PING\0\0"), P("\4PING\0\1"), P("\4PING\xff\xff" "0123456789abcdefgh"), P("\4PONG"),
		P("\4PONGxxxxxxxxxxxxxxxxxxxxxxxx"), P("\11SUBSCRIBE"), P("\11SUBSCRIBEtopic"), P("\6CANCEL"), P("\4JOINgroup"),
		P("\5LEAVE"), P("\5ERROR\3400"), P("\5READY"), P("\5HELLO"), P("\xff"), P("\0"), P("\7MESSAGE"),
	};
	uint64_t valid = 0;

	for (; f->done < f->goal; f->done++) {
		struct raw r = { .garble = randombytes_uniform(5), .changes = 1 + randombytes_uniform(4) };
		struct curve_pair stranger = f->keys[f->done % FUZZ_KEYS];
		size_t p = randombytes_uniform(60), c = randombytes_uniform(sizeof commands / sizeof *commands);

		r.hasty = r.garble == 1 || r.garble == 2 || f->done % 16 == 0;  /* no answer may come */
		if (!raw_connect(&r, f->port)) {
			raw_close(&r);
			break;
		}
		if (p < sizeof properties / sizeof *properties) {
			r.properties = properties[p].text;
			r.properties_len = properties[p].len;
		}
		if (f->done % 16 == 0) {
			if (raw_greet(&r, mechanisms[f->done / 16 % 7]) && f->done % 32 == 0)
				raw_frame(&r, 4, commands[c].text, commands[c].len);
		} else if (f->done % 16 == 1) {
			crypto_box_keypair(stranger.public, stranger.secret);
			if (raw_handshake(&r, f->server, stranger.public, stranger.secret, ""))
				f->ended = true;                /* a stranger was let in */
		} else if (raw_handshake(&r, f->server, stranger.public, stranger.secret, "")) {
			valid++;
			for (unsigned i = randombytes_uniform(4); i > 0; i--) {
				c = randombytes_uniform(sizeof commands / sizeof *commands);
				switch (randombytes_uniform(4)) {
				case 0: raw_message(&r, 2, commands[c].text, commands[c].len); break;
				case 1: raw_frame(&r, 4, commands[c].text, commands[c].len); break;
				case 2: raw_message(&r, (uint8_t)randombytes_random(), commands[c].text, commands[c].len); break;
				case 3: raw_frame(&r, (uint8_t)randombytes_random(), commands[c].text, commands[c].len); break;
				}
			}
		}
		raw_close(&r);
	}
	f->ready = valid > 0;
}

static void test_fuzz(void **state)
{
	const char *times = getenv("LINK_FUZZ");
	struct end a, b;
	struct foe f = { .goal = times != NULL ? strtoull(times, NULL, 10) : 80 };
	struct curve_pair owners[FUZZ_KEYS];
	uint8_t keys[FUZZ_KEYS + 1][KEY_LEN];

	(void)state;
	pair_up(&a, &b);
	for (size_t i = 0; i < FUZZ_KEYS; i++) {
		keys_make(&owners[i]);
		memcpy(keys[i], owners[i].public, KEY_LEN);
	}
	memcpy(keys[FUZZ_KEYS], a.keys.public, KEY_LEN);
	CHECK(link_allow(b.link, (const uint8_t (*)[KEY_LEN])keys, FUZZ_KEYS + 1) == OK);
	foe_start(&f, act_fuzz, listening, owners, b.keys.public);
	CHECK(RUN(__atomic_load_n(&f.finished, __ATOMIC_ACQUIRE), 100000 + f.goal * 200));
	pthread_join(f.thread, NULL);
	CHECK(f.done == f.goal && f.ready && !f.ended);
	b.frames = 0;
	CHECK(link_send(a.link, 7, SLICE("still here", 10)) == OK);
	CHECK(RUN(b.frames > 0, WAIT_MS));
	pair_close(&a, &b);
}

/* The same from a server that we dial. */
static void act_fuzz_server(struct foe *f)
{
	static const struct { const char *text; size_t len; } commands[] = {
		P(""), P("\4PING"), P("\4PING\0\1abc"), P("\4PONG"), P("\11SUBSCRIBEx"), P("\5ERROR\3400"), P("\5READY"), P("\xff"),
		P("\7MESSAGE"), P("\7WELCOME"),
	};

	for (; f->done < f->goal; f->done++) {
		struct raw r = { .garble = randombytes_uniform(5), .changes = 1 + randombytes_uniform(3) };

		r.hasty = r.garble == 1 || r.garble == 2;       /* no answer may come */

		if (raw_serve(&r, f->listener, f->keys->public, f->keys->secret))
			for (unsigned i = randombytes_uniform(5); i > 0; i--) {
				size_t c = randombytes_uniform(sizeof commands / sizeof *commands);
				if (randombytes_uniform(2) != 0)
					raw_message(&r, (uint8_t)randombytes_uniform(4), commands[c].text, commands[c].len);
				else
					raw_frame(&r, (uint8_t)randombytes_uniform(8), commands[c].text, commands[c].len);
			}
		raw_close(&r);
	}
}

static void test_fuzz_server(void **state)
{
	const char *times = getenv("LINK_FUZZ");
	struct foe f = { .goal = times != NULL ? strtoull(times, NULL, 10) : 40 };
	struct curve_pair server;
	struct end a;
	char address[64];
	unsigned dials = 0;

	(void)state;
	end_open(&a);
	keys_make(&server);
	foe_listen(&f, address);
	foe_start(&f, act_fuzz_server, address, &server, NULL);
	while (!__atomic_load_n(&f.finished, __ATOMIC_ACQUIRE)) {
		CHECK(link_connect(a.link, 3, address, server.public, &a.keys) == OK);
		CHECK(RUN(a.downs > dials || __atomic_load_n(&f.finished, __ATOMIC_ACQUIRE), WAIT_MS));
		link_disconnect(a.link, 3);
		dials = a.downs;
	}
	pthread_join(f.thread, NULL);
	CHECK(f.done == f.goal && a.ups > 0);
	end_close(&a);
	close(f.listener);
}

/* Many small frames and PINGs, and a reset while the loop is behind: libzmq aborts if it had stopped reading. */
static void act_pings(struct foe *f)
{
	struct linger reset = { .l_onoff = 1 };

	for (; f->done < f->goal; f->done++) {
		struct raw r = { .cork = malloc(2 << 20) };

		f->ready = raw_connect(&r, f->port) && raw_handshake(&r, f->server, f->keys->public, f->keys->secret, "");
		r.corked = true;
		for (int i = 0; i < 20000; i++) {
			raw_message(&r, 0, "x", 1);
			if (i % 10 == 0)
				raw_message(&r, 2, "\4PING\0\0abc", 10);
		}
		send(r.fd, r.cork, r.cork_len, MSG_NOSIGNAL);
		usleep(500 * (unsigned)(f->done % 8));
		setsockopt(r.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		raw_close(&r);
		free(r.cork);
	}
}

static void test_pings(void **state)
{
	struct end a, b;
	struct foe f = { .goal = RATE_BURST - 1 };

	(void)state;
	pair_up(&a, &b);
	foe_start(&f, act_pings, listening, &a.keys, b.keys.public);
	while (!__atomic_load_n(&f.finished, __ATOMIC_ACQUIRE)) {
		uv_run(&loop, UV_RUN_ONCE);
		usleep(1500);
	}
	CHECK(foe_finish(&f) && f.ready);
	b.frames = 0;
	CHECK(link_send(a.link, 7, SLICE("x", 1)) == OK || a.downs == 1);       /* the oldest of its key: it may have had to go */
	pair_close(&a, &b);
}

/* Much, to a receiver that is slow. */
static void act_bulk(struct foe *f)
{
	uint8_t *frame = calloc(1, 250 * 1024);
	struct raw r = { 0 };

	f->ready = raw_connect(&r, f->port) && raw_handshake(&r, f->server, f->keys->public, f->keys->secret, "");
	while (f->ready && f->done < f->goal) {
		put_u64(frame, f->done);
		if (f->done >= f->window + __atomic_load_n(f->taken, __ATOMIC_ACQUIRE))
			usleep(100);
		else if (raw_message(&r, 0, frame, 250 * 1024))
			f->done++;
		else
			break;
	}
	f->ended = f->done < f->goal;
	while (!f->ended && __atomic_load_n(f->taken, __ATOMIC_ACQUIRE) < f->goal)
		usleep(1000);
	raw_close(&r);
	free(frame);
}

static void test_bulk(void **state)
{
	(void)state;
	for (int greedy = 0; greedy < 2; greedy++) {
		struct end a, b;
		struct foe f = { .goal = greedy ? 4000 : 1000, .window = greedy ? 4000 : 150 };

		pair_up(&a, &b);
		b.expect = 0;
		b.nap_us = greedy ? 3000 : 1000;
		f.taken = &b.frames;
		foe_start(&f, act_bulk, listening, &a.keys, b.keys.public);
		CHECK(foe_finish(&f) && f.ready);
		print_message("bulk: %lu sent, %lu came%s%s\n", (unsigned long)f.done, (unsigned long)b.frames, f.ended ? ", cut off" : "",
			a.downs != 0 ? ", the idle link too" : "");
		if (!greedy)                            /* 150 frames in flight, never drained: all arrive */
			CHECK(!f.ended && b.frames == f.goal && b.ordered);
		else                                    /* more in flight than any credit: cut off */
			CHECK(f.ended && f.done < f.goal * 3 / 4 && a.downs == 0);
		pair_close(&a, &b);
	}
}

/* Two connections with one chosen name: the ROUTER never reads the second. */
static void act_twins(struct foe *f)
{
	uint8_t *part = calloc(1, 250 * 1024);
	struct raw one = { 0 }, two = { 0 };

	f->ready = raw_connect(&one, f->port) && raw_handshake(&one, f->server, f->keys->public, f->keys->secret, "twin")
		&& raw_connect(&two, f->port) && raw_handshake(&two, f->server, f->keys->public, f->keys->secret, "twin");
	while (f->done < (uint64_t)2 << 30 && raw_message(&two, 0, part, 250 * 1024))
		f->done += 250 * 1024;
	f->ended = raw_ended(&two);
	raw_close(&one);
	raw_close(&two);
	free(part);
}

static void test_twins(void **state)
{
	struct end a, b;
	struct foe f = { 0 };

	(void)state;
	pair_up(&a, &b);
	foe_start(&f, act_twins, listening, &a.keys, b.keys.public);
	CHECK(foe_finish(&f) && f.ready && f.ended);
	CHECK(f.done < (uint64_t)512 << 20);
	CHECK(b.ups == 1 && b.frames == 0 && a.downs == 0);
	pair_close(&a, &b);
}

/* One key cannot connect without end: it is told to wait. */
static void test_rate(void **state)
{
	struct end a, b;
	unsigned tries = 0;

	(void)state;
	pair_up(&a, &b);
	while (a.downs == 0 && tries++ < 4 * RATE_BURST) {
		CHECK(link_connect(a.link, 100, listening, b.keys.public, &a.keys) == OK);
		CHECK(RUN(a.ups == 1 + tries || a.downs > 0, 3000));    /* refused at once, too */
		if (a.downs == 0)
			link_disconnect(a.link, 100);
	}
	CHECK(tries >= RATE_BURST);
	CHECK(a.downs == 1 && a.down == 100 && a.why == ERR_WAITING);
	CHECK(link_send(a.link, 7, SLICE("x", 1)) == OK && RUN(b.frames == 1, WAIT_MS));
	pair_close(&a, &b);
}

/* ---- the set of allowed keys ---- */

static void test_allow_changes(void **state)
{
	static uint8_t keys[500][KEY_LEN];
	struct end a, b, c;
	struct link_info info;

	(void)state;
	pair_up(&a, &b);
	end_open(&c);
	randombytes_buf(keys, sizeof keys);
	memcpy(keys[77], a.keys.public, KEY_LEN);
	memcpy(keys[78], c.keys.public, KEY_LEN);
	CHECK(link_allow(b.link, keys, 500) == OK);             /* a stays, c may come */
	CHECK(link_connect(c.link, 1, listening, b.keys.public, &c.keys) == OK);
	CHECK(RUN(c.ups == 1, WAIT_MS) && link_send(c.link, 1, SLICE("c", 1)) == OK);
	CHECK(link_send(a.link, 7, SLICE("a", 1)) == OK);
	CHECK(RUN(b.frames == 2 && b.ups == 2, WAIT_MS) && b.downs == 0);

	end_allow(&b, &c);                                      /* a goes */
	CHECK(link_send(a.link, 7, SLICE("late", 4)) == OK);
	CHECK(RUN(b.downs == 1 && a.downs == 1, WAIT_MS) && a.why == ERR_WAITING && b.frames == 2);
	CHECK(link_connect(a.link, 7, listening, b.keys.public, &a.keys) == OK);
	CHECK(RUN(a.downs == 2, WAIT_MS) && a.why == ERR_DENIED);
	CHECK(link_send(c.link, 1, SLICE("c", 1)) == OK);
	CHECK(RUN(b.frames == 3, WAIT_MS) && c.downs == 0);

	end_allow(&b, &a);                                      /* and comes back */
	CHECK(link_connect(a.link, 7, listening, b.keys.public, &a.keys) == OK);
	CHECK(RUN(a.ups == 2, WAIT_MS) && link_send(a.link, 7, SLICE("a", 1)) == OK);
	CHECK(RUN(b.frames == 4 && c.downs == 1, WAIT_MS));
	link_info(b.link, &info);
	CHECK(info.incoming == 1 && info.refused_keys == 1);
	end_close(&c);
	pair_close(&a, &b);
}

/* A key has LIMIT_JOIN_LINKS links; a further one takes the place of the oldest. */
static void test_links_per_key(void **state)
{
	struct end a, b;
	struct link_info info;
	uint32_t first;

	(void)state;
	pair_up(&a, &b);
	first = b.up;
	for (uint32_t i = 1; i <= LIMIT_JOIN_LINKS; i++) {
		CHECK(link_connect(a.link, 100 + i, listening, b.keys.public, &a.keys) == OK);
		CHECK(RUN(a.ups == 1 + i, WAIT_MS) && link_send(a.link, 100 + i, SLICE("x", 1)) == OK);
		CHECK(RUN(b.frames == i, WAIT_MS));
	}
	CHECK(RUN(a.downs == 1 && b.downs == 1, WAIT_MS) && a.down == 7 && b.down == first);
	link_info(b.link, &info);
	CHECK(info.incoming == LIMIT_JOIN_LINKS);
	pair_close(&a, &b);
}

/* ---- endings ---- */

static void test_disconnect_dialled(void **state)
{
	struct end a, b;

	(void)state;
	pair_up(&a, &b);
	for (unsigned i = 0; i < 5; i++) {
		uint8_t last[8];
		put_u64(last, b.expect);
		CHECK(link_send(a.link, 7, SLICE(last, 8)) == OK);
		link_disconnect(a.link, 7);                     /* the frame still goes */
		CHECK(link_send(a.link, 7, SLICE(last, 8)) == ERR_NOTFOUND);
		CHECK(link_connect(a.link, 7, listening, b.keys.public, &a.keys) == OK);
		CHECK(RUN(b.frames == i + 1 && b.downs == i + 1 && a.ups == i + 2, WAIT_MS));
		CHECK(b.why == ERR_WAITING && a.downs == 0 && b.ups == i + 1);
		CHECK(link_send(a.link, 7, SLICE("y", 1)) == OK);
		CHECK(RUN(b.ups == i + 2, WAIT_MS));
		b.frames = i + 1;
	}
	pair_close(&a, &b);
}

static void test_disconnect_accepted(void **state)
{
	struct end a, b;

	(void)state;
	pair_up(&a, &b);
	for (uint64_t i = 0; i < 200; i++) {
		uint8_t frame[8];
		put_u64(frame, i);
		CHECK(link_send(b.link, b.up, SLICE(frame, 8)) == OK);
	}
	link_disconnect(b.link, b.up);
	CHECK(link_send(b.link, b.up, SLICE("x", 1)) == ERR_NOTFOUND);
	CHECK(link_send(a.link, 7, SLICE("x", 1)) == OK);       /* is not heard any more */
	CHECK(RUN(a.downs == 1, WAIT_MS));
	CHECK(a.frames == 200 && a.ordered && a.why == ERR_WAITING);
	CHECK(b.downs == 0 && b.frames == 0 && b.ups == 1);
	pair_close(&a, &b);
}

/* What was sent just before link_close arrives. */
static void test_close_flushes(void **state)
{
	struct end a, b;

	(void)state;
	for (int dialled = 0; dialled < 2; dialled++) {
		struct end *from = dialled ? &a : &b, *to = dialled ? &b : &a;

		pair_up(&a, &b);
		to->expect = to->frames = 0;
		for (uint64_t i = 0; i < 500; i++) {
			uint8_t frame[200] = { 0 };
			put_u64(frame, i);
			CHECK(link_send(from->link, dialled ? 7 : b.up, SLICE(frame, 200)) == OK);
		}
		end_close(from);
		CHECK(RUN(to->downs == 1, WAIT_MS));
		CHECK(to->frames == 500 && to->ordered);
		end_close(to);
	}
}

static void test_callbacks_may_hang_up(void **state)
{
	struct end a, b;

	(void)state;
	for (int i = 0; i < 4; i++) {
		end_open(&a);
		end_open(&b);
		end_allow(&b, &a);
		(i & 1 ? &a : &b)->hang_up = i & 2;
		(i & 1 ? &a : &b)->hang_up_at_once = !(i & 2);
		b.echo = i == 3;
		CHECK(link_connect(a.link, 7, end_listen(&b), b.keys.public, &a.keys) == OK);
		CHECK(RUN(a.ups == 1, WAIT_MS));
		link_send(a.link, 7, SLICE("hello", 5));
		CHECK(RUN(i == 1 || a.downs == 1 || b.downs == 1, WAIT_MS));
		pair_close(&a, &b);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
}

/* ---- names, many links, quiet ---- */

/* A label of more than 63 characters: refused without asking a name server. */
#define NO_SUCH_HOST "tcp://abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz.invalid:1"

static void test_names(void **state)
{
	struct end a, b;
	char address[64];

	(void)state;
	end_open(&a);
	end_open(&b);
	end_allow(&b, &a);
	end_listen(&b);
	snprintf(address, sizeof address, "tcp://localhost:%s", strrchr(listening, ':') + 1);
	CHECK(link_connect(a.link, 1, address, b.keys.public, &a.keys) == OK);
	CHECK(link_connect(a.link, 1, address, b.keys.public, &a.keys) == ERR_EXISTS);
	CHECK(RUN(a.ups == 1, WAIT_MS));                /* also where localhost is ::1 first */
	CHECK(link_connect(a.link, 2, NO_SUCH_HOST, b.keys.public, &a.keys) == OK);
	CHECK(RUN(a.downs == 1, WAIT_MS) && a.down == 2 && a.why == ERR_WAITING);
	CHECK(link_connect(a.link, 3, "tcp://[fe80::1%no-such]:1", b.keys.public, &a.keys) == OK);
	CHECK(RUN(a.downs == 2, WAIT_MS) && a.down == 3 && a.why == ERR_WAITING);
	for (uint32_t i = 10; i < 30; i++)              /* closed while names are looked up */
		CHECK(link_connect(a.link, i, NO_SUCH_HOST, b.keys.public, &a.keys) == OK);
	link_disconnect(a.link, 20);
	pair_close(&a, &b);
}

static void test_many(void **state)
{
	struct end hub, spokes[8];
	struct link_info info;
	char address[64];
	unsigned n = 0;

	(void)state;
	end_open(&hub);
	for (unsigned i = 0; i < 8; i++) {
		end_open(&spokes[i]);
		end_allow(&spokes[i], &hub);
		strcpy(address, end_listen(&spokes[i]));
		for (unsigned k = 0; k < LIMIT_JOIN_LINKS; k++)
			CHECK(link_connect(hub.link, n++, address, spokes[i].keys.public, &hub.keys) == OK);
	}
	CHECK(RUN(hub.ups == n, WAIT_MS));
	hub.expect = 0;
	for (unsigned i = 0; i < n; i++)
		CHECK(link_send(hub.link, i, SLICE("hi", 2)) == OK);
	for (unsigned i = 0; i < 8; i++) {
		CHECK(RUN(spokes[i].frames == LIMIT_JOIN_LINKS, WAIT_MS));
		spokes[i].echo = true;
	}
	for (unsigned i = 0; i < n; i++)
		CHECK(link_send(hub.link, i, SLICE("hi", 2)) == OK);
	CHECK(RUN(hub.frames == n, WAIT_MS));
	link_info(hub.link, &info);
	CHECK(info.outgoing == n && info.incoming == 0 && hub.downs == 0);
	for (unsigned i = 0; i < 8; i++)
		end_close(&spokes[i]);
	CHECK(RUN(hub.downs == n, WAIT_MS));
	end_close(&hub);
}

static void on_turn(uv_prepare_t *h)
{
	++*(unsigned *)h->data;
}

/* Connected and with nothing to do, the loop sleeps. */
static void test_idle(void **state)
{
	struct end a, b;
	uv_prepare_t count;
	uv_timer_t end;
	unsigned turns = 0;
	bool rang = false;

	(void)state;
	pair_up(&a, &b);
	CHECK(!RUN(false, 700));                        /* what ticks while things are under way ends */
	uv_prepare_init(&loop, &count);
	uv_timer_init(&loop, &end);
	count.data = &turns;
	end.data = &rang;
	uv_prepare_start(&count, on_turn);
	uv_timer_start(&end, on_alarm, 1500, 0);
	while (!rang)
		uv_run(&loop, UV_RUN_ONCE);
	CHECK(turns <= 3);
	uv_close((uv_handle_t *)&count, NULL);
	uv_close((uv_handle_t *)&end, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
	pair_close(&a, &b);
}

/* More connections than may wait for a handshake: an honest peer comes through, and the first are ended. */
static void test_crowd(void **state)
{
	static int fds[1200];
	struct rlimit files;
	struct end a, b;
	uint16_t port;
	unsigned ended = 0;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max < 8192 ? files.rlim_max : 8192;
	if (files.rlim_cur < 4096 || setrlimit(RLIMIT_NOFILE, &files) != 0)
		skip();                                 /* not that many descriptors here */
	end_open(&a);
	end_open(&b);
	end_allow(&b, &a);
	port = (uint16_t)atoi(strrchr(end_listen(&b), ':') + 1);
	for (int i = 0; i < 1200; i++) {
		struct raw r = { 0 };
		CHECK(raw_connect(&r, port));
		fds[i] = r.fd;
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	CHECK(link_connect(a.link, 7, listening, b.keys.public, &a.keys) == OK);
	CHECK(RUN(a.ups == 1, 3000));
	CHECK(link_send(a.link, 7, SLICE("x", 1)) == OK && RUN(b.frames == 1, WAIT_MS));
	for (int i = 0; i < 1200; i++) {
		char greeting[100];
		ssize_t n;
		while ((n = recv(fds[i], greeting, sizeof greeting, MSG_DONTWAIT)) > 0)
			;
		ended += n == 0 || errno != EAGAIN;
		close(fds[i]);
	}
	CHECK(ended >= 1200 - 1025);
	pair_close(&a, &b);
}

/* ---- out of memory ---- */

static void test_no_memory(void **state)
{
	struct end a, b;
	struct link_events events = { &a, on_up, on_down, on_frame };
	enum err e;

	(void)state;
	memset(&a, 0, sizeof a);
	keys_make(&a.keys);
	for (long k = 0, done = 0; !done; k++) {
		struct link *l;
		mem_fail_after(k);
		e = link_open(&l, &loop, &events, &a.keys);
		mem_fail_after(-1);
		CHECK(e == OK || e == ERR_NOMEM);
		CHECK((l != NULL) == (e == OK));
		done = e == OK;
		link_close(l);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
	end_open(&a);
	end_open(&b);
	mem_fail_after(0);
	CHECK(link_allow(b.link, &a.keys.public, 1) == ERR_NOMEM);
	mem_fail_after(-1);
	end_allow(&b, &a);
	end_listen(&b);
	for (long k = 0, done = 0; !done; k++) {
		mem_fail_after(k);
		e = link_connect(a.link, 1, listening, b.keys.public, &a.keys);
		mem_fail_after(-1);
		CHECK(e == OK || e == ERR_NOMEM);
		done = e == OK;
	}
	CHECK(RUN(a.ups == 1, WAIT_MS));
	mem_fail_after(0);                              /* no link for it: its frame is lost, and its connection */
	CHECK(link_send(a.link, 1, SLICE("x", 1)) == OK);
	CHECK(RUN(a.downs == 1, WAIT_MS));
	mem_fail_after(-1);
	CHECK(b.ups == 0 && b.frames == 0);
	pair_close(&a, &b);
}

/* Our reader of numeric addresses accepts what inet_pton does. */
static void test_numeric(void **state)
{
	static const char letters[] = ":::::00112f9aF....%", *const seeds[] = { "::1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4",
		"1:2:3:4:5:6:1.2.3.4", "fe80::1", "1::8", "::", "1.2.3.4", "255.255.255.255", "0.0.0.0", "10.0.0.01" };
	unsigned good = 0;

	(void)state;
	for (unsigned i = 0; i < 300000; i++) {
		char host[64], text[96];
		struct link_address parts;
		struct in6_addr bytes;
		bool six, four;

		strcpy(host, seeds[randombytes_uniform(sizeof seeds / sizeof *seeds)]);
		for (unsigned k = randombytes_uniform(4); k > 0; k--) {
			size_t len = strlen(host), at = randombytes_uniform((uint32_t)len + 1);
			char c = letters[randombytes_uniform(sizeof letters - 2)];
			if (randombytes_uniform(2) == 0 && at < len)
				host[at] = c;
			else if (randombytes_uniform(2) == 0 && at < len)
				memmove(host + at, host + at + 1, len - at);
			else {
				memmove(host + at + 1, host + at, len - at + 1);
				host[at] = c;
			}
		}
		six = inet_pton(AF_INET6, host, &bytes) == 1;
		four = inet_pton(AF_INET, host, &bytes) == 1;
		good += six;
		snprintf(text, sizeof text, "tcp://[%s]:1", host);
		if (link_address_valid(text) != six)
			fail_msg("%s", text);
		snprintf(text, sizeof text, "tcp://%s:1", host);
		if ((link_address_parse(&parts, text, false) && parts.numeric) != four)
			fail_msg("%s", text);
	}
	CHECK(good > 10000);
}

int main(int argc, char **argv)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_both_ways_in_order), T(test_stranger), T(test_wrong_server_key), T(test_nobody_there), T(test_self_test),
		T(test_taken_port), T(test_addresses), T(test_numeric), T(test_raw_client), T(test_too_big), T(test_garbage),
		T(test_announcement), T(test_endless_message), T(test_endless_server), T(test_deaf_peer),
		T(test_queue_is_counted_to_the_byte), T(test_foreign_manners), T(test_forged_error), T(test_fuzz), T(test_fuzz_server), T(test_pings), T(test_bulk), T(test_twins), T(test_rate), T(test_allow_changes),
		T(test_links_per_key), T(test_disconnect_dialled), T(test_disconnect_accepted), T(test_close_flushes),
		T(test_callbacks_may_hang_up), T(test_names), T(test_many), T(test_idle), T(test_crowd), T(test_no_memory),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
