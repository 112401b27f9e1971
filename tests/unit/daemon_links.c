#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>
#include "base/mem.h"
#include "base/mp.h"
#include "daemon/links.h"

/* A node's end (links, with a queue in the place of a node) and a peer's end (a bare link), in one loop. */

static uv_loop_t loop;
static uv_timer_t guard;
static struct queue queue;
static struct links *links;
static struct link *peer;
static struct curve_pair ours, theirs;
static uint16_t port;
static uint32_t number;                 /* of the peer's link, at our end */
static bool peer_up, peer_down, late;
static size_t live;

static void make_pair(struct curve_pair *p)
{
	uint8_t seed[KEY_LEN];

	crypto_random(seed, sizeof seed);
	crypto_box_seed(p->public, p->secret, seed);
}

static void on_up(void *arg, uint32_t link, const uint8_t curve[KEY_LEN])
{
	(void)arg, (void)link, (void)curve;
	peer_up = true;
}

static void on_down(void *arg, uint32_t link, enum err why)
{
	(void)arg, (void)link, (void)why;
	peer_down = true;
}

static void on_frame(void *arg, uint32_t link, struct slice bytes)
{
	(void)arg, (void)link, (void)bytes;
}

static void on_guard(uv_timer_t *timer)
{
	(void)timer;
	late = true;
}

/* Runs the loop until done() or 5 s. */
static void wait_for(bool (*done)(void))
{
	late = false;
	uv_timer_start(&guard, on_guard, 5000, 0);
	while (!done() && !late)
		uv_run(&loop, UV_RUN_ONCE);
	uv_timer_stop(&guard);
	assert_false(late);
}

static bool is_peer_up(void)
{
	return peer_up;
}

static bool is_peer_down(void)
{
	return peer_down;
}

static bool has_event(void)
{
	while (queue.first != NULL && queue.first->stale != NULL && *queue.first->stale) {
		struct queued *q = queue_pop(&queue);
		q->release(q);
	}
	return queue.first != NULL;
}

static struct queued *next(void)
{
	wait_for(has_event);
	return queue_pop(&queue);
}

static void expect(enum event_kind kind, enum err why)
{
	struct queued *q = next();

	assert_int_equal(q->event.kind, kind);
	assert_int_equal(q->event.link, number);
	assert_int_equal(q->event.why, why);
	assert_true((q->event.message != NULL) == (kind == EVENT_MESSAGE));
	q->release(q);
}

static void send_bytes(const void *data, size_t len)
{
	enum err e = link_send(peer, 1, SLICE(data, len));

	assert_true(e == OK);
}

static void send_credit(uint64_t credit)
{
	struct net_message m = { .type = NET_CREDIT, .u.credit = credit };
	struct buf b = {0};

	assert_int_equal(net_encode(&b, &m), OK);
	send_bytes(b.data, b.len);
	buf_free(&b);
}

static int start(void **state)
{
	struct link_events events = { .up = on_up, .down = on_down, .frame = on_frame };
	struct effect allow = { .kind = EFFECT_ALLOW };
	char address[64];

	(void)state;
	live = mem_live();
	peer_up = peer_down = false;
	assert_int_equal(crypto_start(), OK);
	make_pair(&ours);
	make_pair(&theirs);
	queue_init(&queue);
	uv_loop_init(&loop);
	uv_timer_init(&loop, &guard);
	assert_int_equal(links_open(&links, &loop, &ours, &queue), OK);
	allow.bytes = SLICE(theirs.public, KEY_LEN);
	links_effect(links, &allow);
	assert_int_equal(links_listen(links, "tcp://127.0.0.1:*", &port), OK);
	assert_int_equal(link_open(&peer, &loop, &events, &theirs), OK);
	snprintf(address, sizeof address, "tcp://127.0.0.1:%u", port);
	assert_int_equal(link_connect(peer, 1, address, ours.public, &theirs), OK);
	wait_for(is_peer_up);
	return 0;
}

static int stop(void **state)
{
	struct queued *q;

	(void)state;
	links_close(links);
	link_close(peer);
	uv_close((uv_handle_t *)&guard, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	while ((q = queue_pop(&queue)) != NULL)
		q->release(q);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(mem_live(), live);
	return 0;
}

static void expect_up(void)
{
	struct queued *q = next();

	assert_int_equal(q->event.kind, EVENT_LINK_UP);
	assert_memory_equal(q->event.curve, theirs.public, KEY_LEN);
	number = q->event.link;
	assert_true(number & LINK_INCOMING);
	q->release(q);
}

static void frames_become_events_in_their_order(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 500; i++)
		if (i % 10 == 0)
			send_bytes("junk", 4);
		else
			send_credit(i);
	expect_up();
	for (uint64_t i = 1; i <= 500; i++) {
		struct queued *q = next();
		assert_int_equal(q->event.kind, i % 10 == 0 ? EVENT_BAD_FRAME : EVENT_MESSAGE);
		if (i % 10 == 0)
			assert_int_equal(q->event.why, ERR_MALFORMED);
		else
			assert_int_equal(q->event.message->u.credit, i);
		q->release(q);
	}
}

static void the_end_comes_behind_the_last_frame(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		send_credit(i);
	expect_up();
	expect(EVENT_MESSAGE, OK);
	link_disconnect(peer, 1);
	for (uint64_t i = 2; i <= 100; i++)
		expect(EVENT_MESSAGE, OK);
	expect(EVENT_LINK_DOWN, ERR_WAITING);
}

static void what_a_peer_sends_beyond_its_credit_ends_its_link(void **state)
{
	static uint8_t big[LIMIT_FRAME - 64];

	(void)state;
	send_credit(1);
	expect_up();
	expect(EVENT_MESSAGE, OK);
	for (size_t sent = 0; sent < 2 * (size_t)LINKS_LINE_BYTES && !peer_down; sent += sizeof big) {
		link_send(peer, 1, SLICE(big, sizeof big));     /* its own queue may be full: ERR_LIMIT */
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	wait_for(is_peer_down);
	for (struct queued *q = next(); ; q = next()) {         /* nothing was taken from the queue: they counted as waiting */
		enum event_kind kind = q->event.kind;
		enum err why = q->event.why;
		q->release(q);
		if (kind == EVENT_LINK_DOWN) {
			assert_int_equal(why, ERR_LIMIT);
			break;
		}
		assert_int_equal(kind, EVENT_BAD_FRAME);
	}
}

static void what_waits_of_an_ended_link_is_stale(void **state)
{
	struct effect x = { .kind = EFFECT_DISCONNECT };

	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		send_credit(i);
	expect_up();
	wait_for(has_event);
	x.link = number;
	links_effect(links, &x);
	assert_false(has_event());
	wait_for(is_peer_down);
	assert_false(has_event());
}

static void a_dial_that_cannot_be_is_told_as_down(void **state)
{
	struct effect x = { .kind = EFFECT_CONNECT, .link = 7, .address = "udp://nowhere" };

	(void)state;
	number = 7;
	links_effect(links, &x);
	expect(EVENT_LINK_DOWN, ERR_USAGE);
	mem_fail_after(0);
	links_effect(links, &x);
	mem_fail_after(-1);
	expect(EVENT_LINK_DOWN, ERR_NOMEM);
}

static void without_memory_only_the_sender_is_cut_off(void **state)
{
	(void)state;
	send_credit(1);
	expect_up();
	expect(EVENT_MESSAGE, OK);
	send_credit(2);
	mem_fail_after(0);
	for (int i = 0; i < 20 && queue.first == NULL; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		uv_sleep(5);
	}
	mem_fail_after(-1);
	expect(EVENT_LINK_DOWN, ERR_NOMEM);
}

static void strangers_are_refused_by_the_self_test(void **state)
{
	(void)state;
	assert_int_equal(links_self_test(), OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_become_events_in_their_order),
		TEST(the_end_comes_behind_the_last_frame),
		TEST(what_a_peer_sends_beyond_its_credit_ends_its_link),
		TEST(what_waits_of_an_ended_link_is_stale),
		TEST(a_dial_that_cannot_be_is_told_as_down),
		TEST(without_memory_only_the_sender_is_cut_off),
		TEST(strangers_are_refused_by_the_self_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
