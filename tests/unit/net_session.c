/* Sessions over toy replicas and a network that loses, doubles and reorders (protocol §8; session.h). */
#include "tests/unit/net_toy.h"

static struct author founder, author[8];
static struct id32 space;
static struct record genesis;

static int setup(void **state)
{
	(void)state;
	if (crypto_start() != OK)
		return -1;
	founder = toy_author(1000);
	for (uint32_t i = 0; i < 8; i++)
		author[i] = toy_author(i);
	genesis = toy_act(NULL, &founder, NULL, 0, 1);
	space = genesis.id;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(genesis.bytes);
	return 0;
}

static void replica(struct toy *t, uint8_t name)
{
	toy_init(t, &space, name);
	toy_put_act(t, record_copy(SLICE(genesis.bytes, genesis.len), &space));
	t->n_changes = 0;
}

static void statements(struct toy *t, uint32_t from, uint32_t to, uint64_t counter)
{
	for (uint32_t i = from; i < to; i++)
		toy_put_statement(t, toy_statement(&space, &author[0], i, counter, 10));
	t->n_changes = 0;
}

static void pair(struct world *w, struct toy *a, struct toy *b, bool a_dials)
{
	replica(a, 'a'), replica(b, 'b');
	world_init(w, 1);
	assert_true(a_dials ? world_connect(w, a, b) : world_connect(w, b, a));
	world_settle(w);
	assert_true(world_in_sync(w));
}

static size_t sent(const struct world *w, enum net_type type)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += w->end[i].sent[type];
	return n;
}

/* ---- the course ---- */

static void nothing_changed_is_one_round_trip(void **state)
{
	struct toy a, b;
	struct world w;
	struct session_space x, y;
	size_t hello = 2 * 46;                          /* at most */

	(void)state;
	replica(&a, 'a'), replica(&b, 'b');
	statements(&a, 0, 100, 1), statements(&b, 0, 100, 1);
	world_init(&w, 1);
	assert_true(world_connect(&w, &a, &b));
	world_settle(&w);
	assert_true(world_in_sync(&w));
	x = end_space(&w.end[0]), y = end_space(&w.end[1]);
	assert_true(id32_equal(&x.data, &y.data) && id32_equal(&x.authority, &y.authority));
	assert_false(x.busy || y.busy || x.peer_pending);
	assert_int_equal(x.since_ms, 1700000000000 + w.now);
	assert_int_equal(session_counters(w.end[0].session)->round_trips, 1);
	assert_int_equal(sent(&w, NET_HELLO), 2);
	assert_int_equal(sent(&w, NET_ROOTS), 2);
	assert_int_equal(session_counters(w.end[0].session)->frames_out + session_counters(w.end[1].session)->frames_out, 4);
	printf("         nothing changed: %zu bytes with both HELLOs\n", world_bytes(&w));
	assert_true(world_bytes(&w) < 250 + hello);
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

static void run_and_report(const char *what, struct world *w)
{
	const struct session_counters *c = session_counters(w->end[0].session);

	world_settle(w);
	printf("         %s: %zu bytes, %zu frames, %zu round trips, %zu ASK, %zu NODES, %zu WANT\n", what, world_bytes(w),
		(size_t)(c->frames_in + c->frames_out), (size_t)c->round_trips, sent(w, NET_ASK_NODES), sent(w, NET_NODES),
		sent(w, NET_WANT));
}

static void one_percent_differs(void **state)
{
	struct toy a, b;
	struct world w;

	(void)state;
	replica(&a, 'a'), replica(&b, 'b');
	statements(&a, 0, 10000, 1), statements(&b, 0, 10000, 1);
	statements(&a, 0, 50, 2), statements(&b, 5000, 5050, 2);
	world_init(&w, 1);
	assert_true(world_connect(&w, &a, &b));
	run_and_report("100 of 10,000 statements", &w);
	assert_true(toy_equal(&a, &b) && world_in_sync(&w));
	assert_int_equal(session_counters(w.end[0].session)->repaired, 50);
	assert_true(session_counters(w.end[0].session)->round_trips <= 8);
	assert_true(world_bytes(&w) < 250 * 1024);
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

static void a_newcomer_gets_everything(void **state)
{
	(void)state;
	for (int dials = 0; dials < 2; dials++) {
		struct toy a, b;
		struct world w;

		replica(&a, 'a');
		toy_init(&b, &space, 'b');
		statements(&a, 0, 3000, 1);
		for (uint32_t i = 0; i < 300; i++)
			toy_write(&a, &author[1], 5, 20, i);
		a.n_changes = 0;
		world_init(&w, 1);
		assert_true(dials ? world_connect(&w, &b, &a) : world_connect(&w, &a, &b));
		run_and_report(dials ? "a newcomer dials, 3,302 slots' content" : "a newcomer is dialled", &w);
		assert_true(toy_equal(&a, &b) && world_in_sync(&w));
		assert_int_equal(b.missing, 0);
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
}

static void disjoint_replicas_become_one(void **state)
{
	struct toy a, b;
	struct world w;

	(void)state;
	replica(&a, 'a'), replica(&b, 'b');
	statements(&a, 0, 1500, 1), statements(&b, 1500, 3000, 1);
	world_init(&w, 1);
	assert_true(world_connect(&w, &a, &b));
	run_and_report("1,500 and 1,500 other statements", &w);
	assert_true(toy_equal(&a, &b) && world_in_sync(&w));
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

/* A leaf that one side keeps high up and the other deep down is the same leaf. */
static void few_against_many(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 40; n++) {
		struct toy a, b;
		struct world w;

		replica(&a, 'a'), replica(&b, 'b');
		statements(&a, 0, n % 5, 1 + n % 3), statements(&b, 0, n, 2);
		world_init(&w, 1);
		assert_true(n % 2 ? world_connect(&w, &a, &b) : world_connect(&w, &b, &a));
		world_settle(&w);
		assert_true(toy_equal(&a, &b) && world_in_sync(&w));
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
}

static void authority_comes_first_and_parents_first(void **state)
{
	enum { ACTS = 3000 };

	(void)state;
	for (int dials = 0; dials < 3; dials++) {
		struct toy a, b;
		struct world w;
		struct id32 last = space;

		replica(&a, 'a'), replica(&b, 'b');
		for (uint32_t i = 0; i < ACTS; i++) {
			struct record r = toy_act(&space, &founder, &last, 1, i);

			last = r.id;
			toy_put_act(&a, r);
		}
		statements(&a, 0, 10, 1);
		a.n_changes = 0;
		if (dials == 2) {                       /* nothing at all: by the journal */
			toy_free(&b);
			toy_init(&b, &space, 'b');
		}
		world_init(&w, 1);
		assert_true(dials ? world_connect(&w, &b, &a) : world_connect(&w, &a, &b));
		run_and_report(dials == 2 ? "3,000 acts in a chain, by SINCE" : "3,000 acts in a chain, by descent", &w);
		assert_true(toy_equal(&a, &b) && world_in_sync(&w));
		assert_int_equal(b.missing, 0);
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
}

/* More acts than a session holds back: each round gets further. */
static void very_many_acts_come_in_rounds(void **state)
{
	enum { ACTS = 9000 };
	struct toy a, b;
	struct world w;
	struct id32 last = space;

	(void)state;
	replica(&a, 'a'), replica(&b, 'b');
	for (uint32_t i = 0; i < ACTS; i++) {
		struct record r = toy_act(&space, &founder, &last, 1, i);

		last = r.id;
		toy_put_act(&a, r);
	}
	a.n_changes = 0;
	world_init(&w, 1);
	assert_true(world_connect(&w, &b, &a));
	run_and_report("9,000 acts in a chain, by descent", &w);
	assert_true(toy_equal(&a, &b) && world_in_sync(&w));
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

static void acts_come_in_a_lattice(void **state)
{
	struct toy a, b;
	struct world w;
	struct id32 heads[LIMIT_HEADS];
	struct rng rng;

	(void)state;
	replica(&a, 'a'), replica(&b, 'b');
	rng_seed_u64(&rng, 4);
	for (size_t i = 0; i < LIMIT_HEADS; i++)
		heads[i] = space;
	for (uint32_t i = 0; i < 400; i++) {
		struct id32 cites[LIMIT_HEADS];
		size_t n = 0, want = 1 + rng_below(&rng, 4);

		for (size_t k = 0; k < want; k++) {
			struct id32 c = heads[rng_below(&rng, LIMIT_HEADS)];
			bool twice = false;

			for (size_t j = 0; j < n; j++)
				twice |= id32_equal(&cites[j], &c);
			if (!twice)
				cites[n++] = c;
		}
		struct record r = toy_act(&space, &author[i % 8], cites, n, i);

		heads[rng_below(&rng, LIMIT_HEADS)] = r.id;
		if (i < 100)
			toy_put_act(&b, record_copy(SLICE(r.bytes, r.len), &r.id));
		toy_put_act(&a, r);
	}
	a.n_changes = b.n_changes = 0;
	world_init(&w, 1);
	assert_true(world_connect(&w, &b, &a));
	world_settle(&w);
	assert_true(toy_equal(&a, &b) && world_in_sync(&w));
	assert_int_equal(b.missing, 0);
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

/* ---- journals ---- */

static void a_known_peer_is_asked_what_changed(void **state)
{
	struct toy a, b;
	struct world w;
	struct session_counters c;

	(void)state;
	replica(&a, 'a'), replica(&b, 'b');
	statements(&a, 0, 2000, 1), statements(&b, 0, 2000, 1);
	world_init(&w, 1);
	assert_true(world_connect(&w, &a, &b));
	world_settle(&w);
	assert_true(world_in_sync(&w));
	assert_true(a.n_cursors == 1 && a.cursor[0].journal == b.journal && b.cursor[0].journal == a.journal);
	world_disconnect(&w);
	statements(&a, 0, 20, 2), statements(&b, 10, 30, 3);
	world_init(&w, 1);
	assert_true(world_connect(&w, &a, &b));
	run_and_report("a known peer, 20 and 20 of 2,000 changed", &w);
	assert_true(toy_equal(&a, &b) && world_in_sync(&w));
	assert_int_equal(sent(&w, NET_ASK_NODES), 0);
	c = *session_counters(w.end[0].session);
	assert_true(c.round_trips <= 3);
	assert_int_equal(a.cursor_writes, 2);
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

static void long_journals_come_in_parts(void **state)
{
	struct toy a, b;
	struct world w;

	(void)state;
	replica(&a, 'a'), replica(&b, 'b');
	statements(&a, 0, 10, 1), statements(&b, 0, 10, 1);
	world_init(&w, 1);
	assert_true(world_connect(&w, &a, &b));
	world_settle(&w);
	world_disconnect(&w);
	statements(&a, 100, 3600, 1), statements(&b, 5000, 8000, 1);
	toy_put_act(&a, toy_act(&space, &founder, &space, 1, 1));
	toy_put_act(&b, toy_act(&space, &founder, &space, 1, 2));
	a.n_changes = b.n_changes = 0;
	world_init(&w, 1);
	assert_true(world_connect(&w, &a, &b));
	run_and_report("a known peer, 3,500 and 3,000 new", &w);
	assert_true(toy_equal(&a, &b) && world_in_sync(&w));
	assert_int_equal(sent(&w, NET_ASK_NODES), 0);
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

static void a_journal_that_does_not_help_is_followed_by_the_descent(void **state)
{
	struct toy a, b;
	struct world w;

	(void)state;
	replica(&a, 'a'), replica(&b, 'b');
	statements(&a, 0, 10, 1), statements(&b, 0, 10, 1);
	world_init(&w, 1);
	assert_true(world_connect(&w, &a, &b));
	world_settle(&w);
	world_disconnect(&w);
	statements(&a, 100, 200, 1), statements(&b, 300, 400, 1);
	a.cursor[0].journal = b.journal;                /* a wrong cursor: b's new slots are not named */
	b.cursor[0].journal = a.journal;
	world_init(&w, 1);
	assert_true(world_connect(&w, &a, &b));
	world_settle(&w);
	assert_true(toy_equal(&a, &b) && world_in_sync(&w));
	assert_true(sent(&w, NET_SINCE) > 0 && sent(&w, NET_ASK_NODES) > 0);
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

static void a_peer_without_a_journal_is_walked(void **state)
{
	struct toy a, b;
	struct world w;

	(void)state;
	pair(&w, &a, &b, true);
	world_disconnect(&w);
	statements(&a, 0, 20, 1), statements(&b, 20, 40, 1);
	a.no_journal = b.no_journal = true;
	world_init(&w, 1);
	assert_true(world_connect(&w, &a, &b));
	world_settle(&w);
	assert_true(toy_equal(&a, &b) && world_in_sync(&w));
	assert_int_equal(sent(&w, NET_SINCE), 1);
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

/* ---- live ---- */

static void a_change_is_pushed_and_acknowledged(void **state)
{
	(void)state;
	for (int dials = 0; dials < 2; dials++) {
		struct toy a, b;
		struct world w;
		size_t bytes;

		pair(&w, &a, &b, dials);
		world_run(&w, 1000);
		bytes = world_bytes(&w);
		toy_write(&a, &author[1], 7, 100, 0);
		world_announce(&w, &a, NULL);
		assert_false(end_space(&w.end[dials ? 0 : 1]).in_sync);
		assert_int_equal(sent(&w, NET_RUN), 1);
		world_settle(&w);
		assert_true(toy_equal(&a, &b));
		assert_true(world_in_sync(&w));         /* both know, without a timer */
		assert_int_equal(sent(&w, NET_ASK_NODES) + sent(&w, NET_SINCE), 0);
		printf("         one op: %zu bytes in all\n", world_bytes(&w) - bytes);
		world_run(&w, 60000);
		assert_int_equal(sent(&w, NET_ASK_NODES) + sent(&w, NET_SINCE) + sent(&w, NET_WANT), 0);
		assert_true(world_in_sync(&w));
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
}

static void a_burst_of_changes_needs_no_reconciliation(void **state)
{
	struct toy a, b;
	struct world w;

	(void)state;
	pair(&w, &a, &b, true);
	for (uint32_t i = 0; i < 200; i++) {
		toy_write(&a, &author[1], 7, 10, i);
		world_announce(&w, &a, NULL);
		toy_put_statement(&b, toy_statement(&space, &author[2], i, 1, 10));
		world_announce(&w, &b, NULL);
		world_run(&w, 10);
	}
	world_run(&w, 2000);
	assert_true(toy_equal(&a, &b) && world_in_sync(&w));
	assert_int_equal(sent(&w, NET_ASK_NODES) + sent(&w, NET_SINCE) + sent(&w, NET_WANT), 0);
	printf("         400 changes in 2 s both ways: %zu ROOTS\n", sent(&w, NET_ROOTS));
	assert_true(sent(&w, NET_ROOTS) < 60);
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

static void a_lost_frame_is_noticed_by_the_next(void **state)
{
	(void)state;
	for (int dials = 0; dials < 2; dials++) {
		struct toy a, b;
		struct world w;
		struct end *to;

		pair(&w, &a, &b, dials);
		to = &w.end[dials ? 1 : 0];
		world_run(&w, 2000);
		to->deaf = true;
		toy_put_statement(&a, toy_statement(&space, &author[0], 1, 1, 10));
		world_announce(&w, &a, NULL);
		to->deaf = false;
		toy_put_statement(&a, toy_statement(&space, &author[0], 2, 1, 10));
		world_announce(&w, &a, NULL);
		world_run(&w, 3000);
		assert_true(toy_equal(&a, &b) && world_in_sync(&w));
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
}

static void a_lost_last_frame_is_noticed_by_the_heartbeat(void **state)
{
	(void)state;
	for (int dials = 0; dials < 2; dials++) {
		struct toy a, b;
		struct world w;
		struct end *to;

		pair(&w, &a, &b, dials);
		to = &w.end[dials ? 1 : 0];
		world_run(&w, 2000);
		to->deaf = true;
		toy_put_statement(&a, toy_statement(&space, &author[0], 1, 1, 10));
		world_announce(&w, &a, NULL);
		to->deaf = false;
		world_run(&w, 18000);
		assert_true(toy_equal(&a, &b) && world_in_sync(&w));
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
}

static void a_run_after_a_lost_one_is_asked_for_once(void **state)
{
	struct toy a, b;
	struct world w;

	(void)state;
	pair(&w, &a, &b, true);
	world_run(&w, 2000);
	w.end[1].deaf = true;
	toy_write(&a, &author[1], 7, 10, 0);
	world_announce(&w, &a, NULL);
	w.end[1].deaf = false;
	for (uint32_t i = 1; i < 20; i++) {
		toy_write(&a, &author[1], 7, 10, i);
		world_announce(&w, &a, NULL);
	}
	world_settle(&w);
	assert_true(toy_equal(&a, &b));
	assert_int_equal(sent(&w, NET_WANT), 1);
	world_run(&w, 5000);
	assert_true(world_in_sync(&w));
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

static void an_act_that_comes_too_early_waits(void **state)
{
	struct toy a, b;
	struct world w;
	struct id32 last = space;

	(void)state;
	pair(&w, &a, &b, false);
	world_run(&w, 2000);
	for (uint32_t i = 0; i < 5; i++) {
		struct record r = toy_act(&space, &founder, &last, 1, i);

		last = r.id;
		toy_put_act(&a, r);
		w.end[0].deaf = i < 2;
		world_announce(&w, &a, NULL);
	}
	world_settle(&w);
	assert_true(toy_equal(&a, &b));
	assert_true(sent(&w, NET_WANT) <= 2);
	world_run(&w, 5000);
	assert_true(world_in_sync(&w));
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

/* What comes twice, by two ways, leaves nobody in doubt. */
static void a_ring_is_in_sync_without_a_timer(void **state)
{
	struct toy t[3];
	struct world w;

	(void)state;
	for (uint32_t k = 0; k < 3; k++)
		replica(&t[k], (uint8_t)('a' + k));
	world_init(&w, 1);
	for (int k = 0; k < 3; k++)
		assert_true(world_connect(&w, &t[k], &t[(k + 1) % 3]));
	world_run(&w, 2000);
	for (uint32_t i = 0; i < 30; i++) {
		toy_write(&t[i % 3], &author[i % 3], 7, 10, i);
		world_announce(&w, &t[i % 3], NULL);
		if (i % 5 == 0)
			world_settle(&w);
	}
	world_run(&w, 300);
	assert_true(toy_equal(&t[0], &t[1]) && toy_equal(&t[1], &t[2]) && world_in_sync(&w));
	assert_int_equal(sent(&w, NET_ASK_NODES) + sent(&w, NET_SINCE), 0);
	world_disconnect(&w);
	for (int k = 0; k < 3; k++)
		toy_free(&t[k]);
}

/* An op came before the act that it cites: the act is asked for, then the op comes again. */
static void an_op_before_its_act_comes_again(void **state)
{
	(void)state;
	for (int dials = 0; dials < 2; dials++) {
		struct toy a, b;
		struct world w;
		struct end *to;
		struct record r = toy_act(&space, &founder, &space, 1, 1);
		struct id32 head = r.id;

		pair(&w, &a, &b, dials);
		to = &w.end[dials ? 1 : 0];
		world_run(&w, 2000);
		to->deaf = true;
		toy_put_act(&a, r);
		world_announce(&w, &a, NULL);
		to->deaf = false;
		for (uint32_t i = 0; i < 3; i++)
			toy_write_under(&a, &author[1], 7, 10, i, &head);
		world_announce(&w, &a, NULL);
		world_run(&w, 4000);
		assert_true(b.missing > 0);
		assert_true(toy_equal(&a, &b) && world_in_sync(&w));
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
}

/* A full disk is this machine's fault: the error is passed on, and the session goes on when there is room again. */
static void what_cannot_be_stored_now_is_taken_later(void **state)
{
	static const enum err errors[] = { ERR_FULL, ERR_MAPFULL, ERR_IO, ERR_NOMEM };

	(void)state;
	for (size_t k = 0; k < 40; k++) {
		struct toy a, b;
		struct world w;

		replica(&a, 'a'), replica(&b, 'b');
		toy_put_act(&a, toy_act(&space, &founder, &space, 1, 1));
		toy_write(&a, &author[1], 7, 10, 1);
		statements(&a, 0, 5, 1);
		a.n_changes = 0;
		world_init(&w, 1);
		assert_true(k % 2 ? world_connect(&w, &b, &a) : world_connect(&w, &a, &b));
		b.fail = errors[k / 10];
		b.fail_count = 1 + k % 10 / 2;
		world_run(&w, 20000);
		assert_int_equal(w.end[k % 2 ? 0 : 1].closed, errors[k / 10] == ERR_NOMEM ? OK : errors[k / 10]);
		world_compare(&w);
		world_run(&w, 20000);
		assert_int_equal(b.fail_count, 0);
		assert_true(toy_equal(&a, &b) && world_in_sync(&w));
		assert_int_equal(session_counters(w.end[k % 2 ? 0 : 1].session)->refused, 0);
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
}

static void a_pending_peer_is_asked_again(void **state)
{
	struct toy a, b;
	struct world w;

	(void)state;
	replica(&a, 'a'), replica(&b, 'b');
	b.pending = true;
	world_init(&w, 1);
	assert_true(world_connect(&w, &a, &b));
	world_settle(&w);
	assert_true(end_space(&w.end[0]).in_sync && end_space(&w.end[0]).peer_pending);
	b.pending = false;
	world_run(&w, 1500);
	assert_true(end_space(&w.end[0]).in_sync && !end_space(&w.end[0]).peer_pending);
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

static void an_idle_session_only_beats(void **state)
{
	struct toy a, b;
	struct world w;
	size_t frames;

	(void)state;
	pair(&w, &a, &b, true);
	world_run(&w, 1000);
	frames = session_counters(w.end[0].session)->frames_out;
	world_run(&w, 150000);
	assert_int_equal(session_counters(w.end[0].session)->frames_out - frames, 10);
	assert_int_equal(sent(&w, NET_HEARTBEAT), 20);
	assert_int_equal(sent(&w, NET_ROOTS), 2);
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

/* ---- forks, refusals, silence ---- */

static void forks_end_without_a_loop(void **state)
{
	(void)state;
	/* same length, one longer, and forked in the middle of what both have */
	for (uint32_t k = 0; k < 8; k++) {
		struct toy a, b;
		struct world w;

		replica(&a, 'a'), replica(&b, 'b');
		for (uint32_t i = 0; i < 100; i++) {
			toy_write(&a, &author[1], 7, 10, i < 70 ? 0 : 1);
			if (i < 100 - 20 * (k / 2 % 2))
				toy_write(&b, &author[1], 7, 10, i < 70 ? 0 : 2);
		}
		if (k >= 4)
			for (uint32_t i = 0; i < 30; i++)
				toy_write(&b, &author[1], 7, 10, 2);
		a.n_changes = b.n_changes = 0;
		world_init(&w, 1);
		assert_true(k % 2 ? world_connect(&w, &a, &b) : world_connect(&w, &b, &a));
		world_run(&w, 5000);
		assert_true(world_quiet(&w));
		assert_true(toy_equal(&a, &b));
		assert_true(world_in_sync(&w));
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
}

/* Two proofs of forks of one log: the lower seq stays, then the smaller id. */
static void the_smallest_fork_proof_wins(void **state)
{
	(void)state;
	for (uint32_t k = 0; k < 6; k++) {
		struct toy t[3], other[2];
		struct world w;

		for (uint32_t i = 0; i < 3; i++) {
			replica(&t[i], (uint8_t)('a' + i));
			for (uint32_t n = 0; n < 20; n++)
				toy_write(&t[i], &author[1], 7, 10, n < (i == 2 && k < 3 ? 10u : 5u) ? 0 : i + 1);
			t[i].n_changes = 0;
		}
		for (int i = 0; i < 2; i++) {           /* a learns of one fork, b of the other */
			replica(&other[i], (uint8_t)('x' + i));
			world_init(&w, 1);
			for (uint32_t n = 0; n < 20; n++)
				toy_write(&other[i], &author[1], 7, 10, n < (i == 0 ? 5 : 10) ? (n < 5 ? 0 : 1 + (uint32_t)i) : 9);
			other[i].n_changes = 0;
			assert_true(world_connect(&w, &t[i], &other[i]));
			world_run(&w, 5000);
			assert_true(toy_equal(&t[i], &other[i]));
			world_disconnect(&w);
			toy_free(&other[i]);
		}
		world_init(&w, 1);
		assert_true(k % 2 ? world_connect(&w, &t[0], &t[1]) : world_connect(&w, &t[1], &t[0]));
		assert_true(world_connect(&w, &t[1], &t[2]));
		world_run(&w, 10000);
		world_compare(&w);
		world_run(&w, 10000);
		assert_true(toy_equal(&t[0], &t[1]) && toy_equal(&t[1], &t[2]) && world_in_sync(&w));
		world_disconnect(&w);
		for (int i = 0; i < 3; i++)
			toy_free(&t[i]);
	}
}

static void refused_acts_end_after_three_rounds(void **state)
{
	struct toy a, b;
	struct world w;
	struct id32 last = space;

	(void)state;
	replica(&a, 'a'), replica(&b, 'b');
	for (uint32_t i = 0; i < 5; i++) {
		struct record r = toy_act(&space, &founder, &last, 1, i);

		last = r.id;
		toy_put_act(&a, r);
	}
	a.n_changes = 0;
	b.refuse_acts = true;
	world_init(&w, 1);
	assert_true(world_connect(&w, &b, &a));
	world_settle(&w);
	assert_int_equal(end_space(&w.end[0]).why, ERR_DENIED);
	assert_false(end_space(&w.end[0]).busy);
	assert_true(session_counters(w.end[0].session)->refused >= 15);
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

static void what_is_refused_ends_after_three_rounds(void **state)
{
	(void)state;
	for (int dials = 0; dials < 2; dials++) {
		struct toy a, b;
		struct world w;
		size_t frames;
		struct session_space s;

		replica(&a, 'a'), replica(&b, 'b');
		statements(&a, 0, 5, 1);
		b.refuse_statements = true;
		world_init(&w, 1);
		assert_true(dials ? world_connect(&w, &a, &b) : world_connect(&w, &b, &a));
		world_settle(&w);
		s = end_space(&w.end[0]);
		assert_false(s.in_sync || s.busy);
		assert_int_equal(s.why, dials ? ERR_STATE : ERR_DENIED);
		assert_true(session_counters(w.end[dials ? 1 : 0].session)->refused > 0);
		frames = sent(&w, NET_ROOTS);
		world_run(&w, 300000);
		assert_int_equal(sent(&w, NET_ROOTS), frames);
		/* The next comparison tries again. */
		b.refuse_statements = false;
		world_compare(&w);
		world_settle(&w);
		assert_true(toy_equal(&a, &b) && world_in_sync(&w));
		assert_int_equal(end_space(&w.end[0]).why, OK);
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
}

static void a_peer_that_sends_nothing_it_promised(void **state)
{
	struct toy a, b;
	struct world w;
	struct session_space s;

	(void)state;
	replica(&a, 'a'), replica(&b, 'b');
	statements(&b, 0, 5, 1);
	b.silent_content = true;
	world_init(&w, 1);
	assert_true(world_connect(&w, &a, &b));
	world_run(&w, 30000);
	s = end_space(&w.end[0]);
	assert_false(s.in_sync || s.busy);
	assert_true(s.why != OK);
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

static void a_deaf_peer_is_given_up(void **state)
{
	struct toy a, b;
	struct world w;

	(void)state;
	pair(&w, &a, &b, true);
	w.end[0].deaf = w.end[1].deaf = true;
	world_compare(&w);
	world_run(&w, 20000);
	assert_int_equal(end_space(&w.end[0]).why, ERR_WAITING);
	assert_int_equal(w.end[0].closed, OK);
	world_run(&w, 30000);
	assert_int_equal(w.end[0].closed, ERR_WAITING);
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

static void a_lost_hello_comes_again(void **state)
{
	(void)state;
	for (int which = 0; which < 2; which++) {
		struct toy a, b;
		struct world w;

		replica(&a, 'a'), replica(&b, 'b');
		world_init(&w, 1);
		w.lost = which == 0 ? 1000 : 0;
		assert_true(world_connect(&w, &a, &b));
		w.end[0].deaf = which == 1;
		w.lost = 0;
		world_settle(&w);
		w.end[0].deaf = false;
		assert_int_equal(session_state(w.end[0].session), SESSION_HELLO);
		world_run(&w, 6000);
		assert_true(world_in_sync(&w));
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
}

static void lost_frames_of_each_kind_are_repaired_by_silence(void **state)
{
	static const enum net_type types[] = { NET_ROOTS, NET_ASK_NODES, NET_NODES, NET_WANT, NET_STATEMENTS, NET_RUN, NET_ACTS };

	(void)state;
	for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
		for (int side = 0; side < 2; side++) {
			struct toy a, b;
			struct world w;

			replica(&a, 'a'), replica(&b, 'b');
			statements(&a, 0, 300, 1), statements(&b, 200, 500, 1);
			toy_write(&a, &author[1], 7, 10, 1), toy_write(&b, &author[2], 7, 10, 1);
			toy_put_act(&a, toy_act(&space, &founder, &space, 1, 1));
			toy_put_act(&b, toy_act(&space, &founder, &space, 1, 2));
			a.n_changes = b.n_changes = 0;
			world_init(&w, 1);
			assert_true(world_connect(&w, &a, &b));
			w.end[side].lose = types[k];
			w.end[side].lose_count = 1;
			world_run(&w, 20000);
			assert_true(toy_equal(&a, &b) && world_in_sync(&w));
			world_disconnect(&w);
			toy_free(&a), toy_free(&b);
		}
}

/* ---- lanes and spaces ---- */

static void give(struct end *e, const struct net_message *m, enum err expected)
{
	struct buf bytes = {0};
	struct net_message read;
	struct net_out out = end_out(e);

	assert_int_equal(net_encode(&bytes, m), OK);
	assert_int_equal(net_check(&read, buf_slice(&bytes)), OK);
	assert_int_equal(session_message(e->session, &out, &read, e->world->now, 0), expected);
	net_message_free(&read);
	buf_free(&bytes);
}

static void give_statement(struct end *e)
{
	struct record r = toy_statement(&space, &author[3], 1, 1, 10);
	struct slice bytes = SLICE(r.bytes, r.len);
	struct net_message m = { .type = NET_STATEMENTS, .space = space, .u.statements = { .n = 1, .bytes = &bytes } };

	give(e, &m, OK);
	free(r.bytes);
}

static void without_data_rights_only_authority_is_compared(void **state)
{
	(void)state;
	for (int dials = 0; dials < 2; dials++) {
		struct toy a, b;
		struct world w;
		struct net_out out;

		replica(&a, 'a'), replica(&b, 'b');
		toy_put_act(&a, toy_act(&space, &founder, &space, 1, 1));
		statements(&a, 0, 50, 1), statements(&b, 100, 150, 1);
		a.no_data = true;
		world_init(&w, 1);
		assert_true(dials ? world_connect(&w, &a, &b) : world_connect(&w, &b, &a));
		world_settle(&w);
		assert_true(world_in_sync(&w));
		assert_int_equal(sent(&w, NET_STATEMENTS), 0);
		assert_true(sent(&w, NET_ACTS) > 0);
		toy_put_statement(&b, toy_statement(&space, &author[2], 1, 1, 10));
		world_announce(&w, &b, NULL);
		world_settle(&w);
		assert_int_equal(sent(&w, NET_STATEMENTS), 0);
		give_statement(&w.end[dials ? 0 : 1]);
		assert_int_equal(session_counters(w.end[dials ? 0 : 1].session)->refused, 1);
		/* The right is given. */
		a.no_data = false;
		out = end_out(&w.end[dials ? 0 : 1]);
		session_spaces(w.end[dials ? 0 : 1].session, &out, w.now);
		world_run(&w, 3000);
		assert_true(toy_equal(&a, &b) && world_in_sync(&w));
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
}

static void an_unknown_space_is_refused_until_it_is_known(void **state)
{
	(void)state;
	for (int dials = 0; dials < 2; dials++) {
		struct toy a, b;
		struct world w;
		struct end *of_b;
		struct net_out out;

		replica(&a, 'a'), replica(&b, 'b');
		statements(&a, 0, 50, 1);
		b.unknown = true;
		world_init(&w, 1);
		assert_true(dials ? world_connect(&w, &a, &b) : world_connect(&w, &b, &a));
		of_b = &w.end[dials ? 1 : 0];
		world_settle(&w);
		assert_false(end_space(of_b->other).in_sync);
		if (dials)
			assert_int_equal(end_space(of_b->other).why, ERR_DENIED);
		b.unknown = false;
		out = end_out(of_b);
		session_spaces(of_b->session, &out, w.now);
		world_run(&w, 3000);
		assert_true(toy_equal(&a, &b) && world_in_sync(&w));
		/* And taken away again. */
		b.unknown = true;
		session_spaces(of_b->session, &out, w.now);
		assert_int_equal(session_list(of_b->session, NULL, 0), 0);
		world_compare(&w);
		world_settle(&w);
		assert_false(end_space(of_b->other).in_sync && dials);
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
}

static void spaces_go_their_own_ways(void **state)
{
	struct record other = toy_act(NULL, &author[5], NULL, 0, 2);
	struct toy a, b, a2, b2;
	struct world w;
	struct session_space s[2];

	(void)state;
	replica(&a, 'a'), replica(&b, 'b');
	toy_init(&a2, &other.id, 'a'), toy_init(&b2, &other.id, 'b');
	toy_put_act(&a2, record_copy(SLICE(other.bytes, other.len), &other.id));
	toy_put_act(&b2, other);
	a.next = &a2, b.next = &b2;
	statements(&a, 0, 300, 1), statements(&b, 200, 500, 1);
	toy_put_statement(&a2, toy_statement(&a2.space, &author[0], 1, 1, 10));
	toy_write(&b2, &author[1], 7, 10, 0);
	b2.refuse_statements = true;
	a2.n_changes = b2.n_changes = 0;
	world_init(&w, 1);
	assert_true(world_connect(&w, &a, &b));
	world_run(&w, 3000);
	assert_int_equal(session_list(w.end[0].session, s, 2), 2);
	for (int i = 0; i < 2; i++)
		assert_true(s[i].in_sync == id32_equal(&s[i].space, &space));
	b2.refuse_statements = false;
	world_compare(&w);
	toy_write(&b2, &author[1], 7, 10, 1);
	toy_write(&a, &author[1], 7, 10, 1);
	world_announce(&w, &a, NULL);
	world_announce(&w, &b, NULL);
	world_run(&w, 3000);
	session_list(w.end[0].session, s, 2);
	assert_true(s[0].in_sync && s[1].in_sync && toy_equal(&a, &b) && toy_equal(&a2, &b2));
	world_run(&w, 40000);
	assert_int_equal(session_list(w.end[1].session, s, 2), 2);
	assert_true(s[0].in_sync && s[1].in_sync);
	world_disconnect(&w);
	toy_free(&a), toy_free(&b), toy_free(&a2), toy_free(&b2);
}

static void strange_messages_are_refused(void **state)
{
	struct toy a, b;
	struct world w;
	struct net_message join = { .type = NET_JOIN }, joined = { .type = NET_JOINED }, hello = { .type = NET_HELLO }, ask = { .type = NET_ASK_NODES };
	const char *const *texts;

	(void)state;
	pair(&w, &a, &b, true);
	assert_int_equal(session_addresses(w.end[0].session, &texts), 1);
	assert_string_equal(texts[0], "tcp://10.0.0.1:7411");
	give(&w.end[1], &join, ERR_STATE);
	give(&w.end[1], &joined, ERR_STATE);
	give(&w.end[1], &ask, OK);                      /* of an unknown space */
	assert_int_equal(w.end[1].sent[NET_REFUSE], 1);
	hello.u.hello.version = 2;
	give(&w.end[1], &hello, ERR_VERSION);
	assert_int_equal(session_state(w.end[1].session), SESSION_CLOSED);
	world_settle(&w);
	assert_int_equal(w.end[0].closed, ERR_VERSION);
	assert_int_equal(session_state(w.end[0].session), SESSION_CLOSED);
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

/* ---- credit ---- */

static void bulk(struct toy *a, struct toy *b)
{
	replica(a, 'a'), replica(b, 'b');
	for (uint32_t i = 0; i < 60; i++)
		toy_write(a, &author[1], 7, 50000, i);
	for (uint32_t i = 0; i < 100; i++)
		toy_put_statement(a, toy_statement(&space, &author[0], i, 1, 150000));
	a->n_changes = 0;
}

static void bulk_content_keeps_within_credit(void **state)
{
	(void)state;
	for (int dials = 0; dials < 2; dials++) {
		struct toy a, b;
		struct world w;
		struct end *to;

		bulk(&a, &b);
		world_init(&w, 1);
		assert_true(dials ? world_connect(&w, &a, &b) : world_connect(&w, &b, &a));
		to = &w.end[dials ? 1 : 0];
		world_run(&w, 4000);
		assert_true(toy_equal(&a, &b) && world_in_sync(&w));
		assert_true(to->sent[NET_CREDIT] >= 10);
		assert_true(to->most_in_flight <= LIMIT_SESSION_CREDIT + 64 * 1024);
		assert_true(to->most_in_flight > LIMIT_SESSION_CREDIT / 2);
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
}

static void lost_credit_does_not_stop_a_session(void **state)
{
	struct toy a, b;
	struct world w;

	(void)state;
	bulk(&a, &b);
	world_init(&w, 1);
	assert_true(world_connect(&w, &a, &b));
	w.end[0].lose = NET_CREDIT;
	w.end[0].lose_count = SIZE_MAX;
	world_run(&w, 60000);
	if (!world_in_sync(&w)) {
		world_compare(&w);
		world_run(&w, 60000);
	}
	assert_true(toy_equal(&a, &b) && world_in_sync(&w));
	world_disconnect(&w);
	toy_free(&a), toy_free(&b);
}

/* ---- anything may happen to a frame ---- */

static void write_something(struct world *w, struct toy *t, uint32_t name, uint32_t i)
{
	struct net_roots r;

	switch (rng_below(&w->rng, 4)) {
	case 0:
		toy_put_statement(t, toy_statement(&space, &author[name], (uint32_t)rng_below(&w->rng, 20), 2 + i, 10));
		break;
	case 1: {                                       /* cite anything that is here */
		struct id32 cite = space;

		for (size_t k = rng_below(&w->rng, t->n), n = 0; n < t->n; n++, k = (k + 1) % t->n)
			if (t->entry[k]->slot.key[0] == 'A') {
				cite = t->entry[k]->slot.id;
				break;
			}
		toy_put_act(t, toy_act(&space, &author[name], &cite, 1, i));
		break;
	}
	default:
		toy_write(t, &author[name], 7, 10, i);
	}
	assert_int_equal(toy_roots(t, &space, &r), OK);
}

static void three_replicas(uint64_t seed)
{
	struct toy t[3];
	struct world w;
	bool in_sync = false;

	world_init(&w, seed);
	for (uint32_t k = 0; k < 3; k++) {
		replica(&t[k], (uint8_t)('a' + k));
		for (uint32_t i = 0; i < 40; i++)
			write_something(&w, &t[k], k, i);
		t[k].n_changes = 0;
	}
	w.lost = (unsigned)rng_below(&w.rng, 120);
	w.doubled = (unsigned)rng_below(&w.rng, 200);
	w.reordered = (unsigned)rng_below(&w.rng, 400);
	assert_true(world_connect(&w, &t[0], &t[1]) && world_connect(&w, &t[1], &t[2]));
	if (seed % 2)
		assert_true(world_connect(&w, &t[2], &t[0]));
	for (uint32_t i = 0; i < 60; i++) {
		uint32_t k = (uint32_t)rng_below(&w.rng, 3);

		write_something(&w, &t[k], k, 100 + i);
		world_announce(&w, &t[k], NULL);
		world_run(&w, rng_below(&w.rng, 400));
	}
	for (int i = 0; i < 40 && !in_sync; i++) {
		world_run(&w, 35000);
		in_sync = toy_equal(&t[0], &t[1]) && toy_equal(&t[1], &t[2]) && world_in_sync(&w);
		if (!in_sync)
			world_compare(&w);
	}
	if (!in_sync)
		print_error("seed %llu does not converge\n", (unsigned long long)seed);
	assert_true(in_sync);
	world_disconnect(&w);
	for (int k = 0; k < 3; k++)
		toy_free(&t[k]);
}

static void three_sessions_converge_over_a_bad_network(void **state)
{
	const char *seeds = getenv("CAIRN_SEEDS"), *from = getenv("CAIRN_SEED");
	uint64_t first = from ? strtoull(from, NULL, 10) : 0, n = seeds ? strtoull(seeds, NULL, 10) : from ? 1 : 40;

	(void)state;
	for (uint64_t seed = first; seed < first + n; seed++)
		three_replicas(seed);
}

/* A frame from a peer that means harm: whatever passes net_check must do none. */
static void altered_frames_do_no_harm(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 30; seed++) {
		struct toy a, b;
		struct world w;

		replica(&a, 'a'), replica(&b, 'b');
		statements(&a, 0, 40, 1), statements(&b, 20, 60, 1);
		toy_write(&a, &author[1], 7, 10, 0);
		a.n_changes = 0;
		world_init(&w, seed);
		assert_true(world_connect(&w, &a, &b));
		for (int i = 0; i < 400 && !world_quiet(&w); i++)
			for (size_t k = 0; k < 2; k++) {
				struct end *e = &w.end[k];

				if (e->n == 0)
					continue;
				if (chance(&w, 500))
					e->in[0].bytes[rng_below(&w.rng, e->in[0].len)] ^= (uint8_t)(1u << rng_below(&w.rng, 8));
				deliver(&w, e);
				if (chance(&w, 200)) {
					w.now += 5000;
					world_tick(&w);
				}
			}
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
}

/* Whichever allocation fails, nothing breaks; when there is memory again, a comparison repairs it. */
static void no_memory_is_survived(void **state)
{
	size_t before = mem_live();
	bool failed = true;

	(void)state;
	for (long k = 0; failed; k += k < 200 ? 1 : 7) {
		struct toy a, b;
		struct world w;

		replica(&a, 'a'), replica(&b, 'b');
		statements(&a, 0, 30, 1), statements(&b, 20, 50, 1);
		toy_put_act(&a, toy_act(&space, &founder, &space, 1, 1));
		toy_write(&a, &author[1], 7, 10, 0);
		a.n_changes = 0;
		world_init(&w, 1);
		assert_int_equal(toy_flush(&a), OK);
		mem_fail_after(k);
		if (world_connect(&w, &a, &b)) {
			world_settle(&w);
			failed = !world_in_sync(&w);
			mem_fail_after(-1);
			world_run(&w, 20000);
			world_compare(&w);
			world_run(&w, 20000);
			assert_true(toy_equal(&a, &b) && world_in_sync(&w));
		}
		mem_fail_after(-1);
		world_disconnect(&w);
		toy_free(&a), toy_free(&b);
	}
	assert_int_equal(mem_live(), before);
}

static void backoff_doubles_up_to_a_quarter_of_an_hour(void **state)
{
	struct backoff b = {0};
	uint64_t base = 1000;

	(void)state;
	for (int i = 0; i < 30; i++) {
		struct backoff low = b, high = b;

		backoff_fail(&low, 5000, 0);
		backoff_fail(&high, 5000, base / 2);
		assert_int_equal(low.next_ms, 5000 + base * 3 / 4);
		assert_int_equal(high.next_ms, 5000 + base * 5 / 4);
		backoff_fail(&b, 5000, 123456789);
		assert_true(b.next_ms >= low.next_ms && b.next_ms <= high.next_ms);
		assert_int_equal(b.failures, i + 1);
		base = base * 2 > 900000 ? 900000 : base * 2;
	}
	backoff_reset(&b);
	assert_true(b.failures == 0 && b.next_ms == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_changed_is_one_round_trip),
		cmocka_unit_test(one_percent_differs),
		cmocka_unit_test(a_newcomer_gets_everything),
		cmocka_unit_test(disjoint_replicas_become_one),
		cmocka_unit_test(few_against_many),
		cmocka_unit_test(authority_comes_first_and_parents_first),
		cmocka_unit_test(very_many_acts_come_in_rounds),
		cmocka_unit_test(acts_come_in_a_lattice),
		cmocka_unit_test(a_known_peer_is_asked_what_changed),
		cmocka_unit_test(long_journals_come_in_parts),
		cmocka_unit_test(a_journal_that_does_not_help_is_followed_by_the_descent),
		cmocka_unit_test(a_peer_without_a_journal_is_walked),
		cmocka_unit_test(a_change_is_pushed_and_acknowledged),
		cmocka_unit_test(a_burst_of_changes_needs_no_reconciliation),
		cmocka_unit_test(a_lost_frame_is_noticed_by_the_next),
		cmocka_unit_test(a_lost_last_frame_is_noticed_by_the_heartbeat),
		cmocka_unit_test(a_run_after_a_lost_one_is_asked_for_once),
		cmocka_unit_test(an_act_that_comes_too_early_waits),
		cmocka_unit_test(a_ring_is_in_sync_without_a_timer),
		cmocka_unit_test(an_op_before_its_act_comes_again),
		cmocka_unit_test(what_cannot_be_stored_now_is_taken_later),
		cmocka_unit_test(a_pending_peer_is_asked_again),
		cmocka_unit_test(an_idle_session_only_beats),
		cmocka_unit_test(forks_end_without_a_loop),
		cmocka_unit_test(the_smallest_fork_proof_wins),
		cmocka_unit_test(refused_acts_end_after_three_rounds),
		cmocka_unit_test(what_is_refused_ends_after_three_rounds),
		cmocka_unit_test(a_peer_that_sends_nothing_it_promised),
		cmocka_unit_test(a_deaf_peer_is_given_up),
		cmocka_unit_test(a_lost_hello_comes_again),
		cmocka_unit_test(lost_frames_of_each_kind_are_repaired_by_silence),
		cmocka_unit_test(without_data_rights_only_authority_is_compared),
		cmocka_unit_test(an_unknown_space_is_refused_until_it_is_known),
		cmocka_unit_test(spaces_go_their_own_ways),
		cmocka_unit_test(strange_messages_are_refused),
		cmocka_unit_test(bulk_content_keeps_within_credit),
		cmocka_unit_test(lost_credit_does_not_stop_a_session),
		cmocka_unit_test(three_sessions_converge_over_a_bad_network),
		cmocka_unit_test(altered_frames_do_no_harm),
		cmocka_unit_test(no_memory_is_survived),
		cmocka_unit_test(backoff_doubles_up_to_a_quarter_of_an_hour),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
