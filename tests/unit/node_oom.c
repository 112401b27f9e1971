/* Whichever allocation of a turn fails: the turn fails whole, nothing leaks, and the store is as before or as after. */
#include "tests/unit/node_kit.h"

static struct person bob;
static struct id16 goal, objective;

static void found(struct kit *k)
{
	const struct pair title[] = { { slice_of("title"), slice_of("Title") } };

	kit_new(k, 1);
	kit_found(k);
	person_make(&bob, &k->rng);
	kit_admit(k, &bob, ROLE_MEMBER);
	assert_int_equal(kit_command(k, (struct command){ .kind = COMMAND_GOAL_ADD, .pairs = title, .n_pairs = 1 }), OK);
	assert_true(kit_id(k, &goal, DOC_LEN));
	assert_int_equal(kit_command(k, (struct command){ .kind = COMMAND_OBJECTIVE_ADD, .pairs = title, .n_pairs = 1 }), OK);
	assert_true(kit_id(k, &objective, DOC_LEN));
}

static void assert_sound(struct kit *k)
{
	size_t wrong = 1;

	kit_begin(k);
	for (size_t i = 0; i < k->node->n_spaces; i++) {
		struct space *s = &k->node->spaces[i];
		struct store_cursor *c = NULL;
		uint8_t prefix[4];
		struct slice key;
		size_t acts = 0;

		assert_int_equal(fold_check(k->node, s, &wrong), OK);
		assert_int_equal(wrong, 0);
		put_u32(prefix, s->number);
		assert_int_equal(store_cursor_open(&c, k->node->txn, TABLE_AUTHORITY, SLICE(prefix, 4), SLICE(NULL, 0), false), OK);
		while (store_cursor_next(c, &key, NULL) == OK)
			acts++;
		store_cursor_close(c);
		assert_int_equal(acts, authority_count(s->authority));
	}
	kit_end(k);
}

/* A turn in which the k-th allocation and all later ones fail.  Without memory the node cannot be rebuilt either: it is started
 * again, as a supervisor would. */
static enum err starved(struct kit *k, long fail, const struct event *ev)
{
	enum err e;

	k->replies = 0;
	mem_fail_after(fail);
	e = node_turn(&k->node, k->store, ev, 1, k->effects);
	mem_fail_after(-1);
	if (e != OK) {
		assert_null(k->node);
		kit_close(k);
		kit_open(k);
	}
	for (size_t i = 0; e == OK && i < effects_count(k->effects); i++)
		if (effects_at(k->effects, i)->kind == EFFECT_REPLY && effects_at(k->effects, i)->token == ev->token)
			e = effects_at(k->effects, i)->reply->err;
	return e;
}

static void sweep(struct command c, enum event_kind kind)
{
	struct slice address = slice_of("tcp://10.0.0.1:7411");
	size_t before = mem_live();
	enum err e = ERR_NOMEM;

	for (long fail = 0; e != OK; fail += 1 + fail / 64) {
		struct kit k;
		struct event ev;

		found(&k);
		ev = kit_event(&k, kind);
		k.now += 10;
		rng_bytes(&k.rng, &c.request, DOC_LEN);
		ev.command = &c;
		ev.token = ++k.token;
		ev.link = 0x80000001u;
		memcpy(ev.curve, bob.curve, KEY_LEN);
		ev.port = 7411;
		ev.addresses = &address;
		ev.n_addresses = 1;
		e = starved(&k, fail, &ev);
		assert_true(e == OK || e == ERR_NOMEM);
		assert_sound(&k);
		kit_free(&k);
		assert_int_equal(mem_live(), before);
		assert_true(fail < 100000);
	}
}

static void test_commands(void **unused)
{
	static const struct pair title[] = { { { (const uint8_t *)"title", 5 }, { (const uint8_t *)"Other", 5 } } };
	static const struct pair name[] = { { { (const uint8_t *)"displayName", 11 }, { (const uint8_t *)"Other", 5 } } };

	(void)unused;
	{
		struct kit k;

		found(&k);              /* for the ids */
		kit_free(&k);
	}
	sweep((struct command){ .kind = COMMAND_ORG_CREATE, .text = slice_of("Second") }, EVENT_COMMAND);
	sweep((struct command){ .kind = COMMAND_GOAL_ADD, .pairs = title, .n_pairs = 1 }, EVENT_COMMAND);
	sweep((struct command){ .kind = COMMAND_OBJECTIVE_ADD, .pairs = title, .n_pairs = 1 }, EVENT_COMMAND);
	sweep((struct command){ .kind = COMMAND_PROFILE_SET, .pairs = name, .n_pairs = 1 }, EVENT_COMMAND);
	sweep((struct command){ .kind = COMMAND_INVITE, .uses = 1 }, EVENT_COMMAND);
	sweep((struct command){ .kind = COMMAND_LINK, .has_document = true, .document = goal, .has_target = true, .target = objective }, EVENT_COMMAND);
	sweep((struct command){ .kind = COMMAND_SHARE_ACCEPT, .on = true }, EVENT_COMMAND);
	sweep((struct command){ .kind = COMMAND_MEMBER_REMOVE, .has_other = true, .other = bob.root, .force = true }, EVENT_COMMAND);
}

static void test_events(void **unused)
{
	struct command none = { .kind = COMMAND_STOP };

	(void)unused;
	sweep(none, EVENT_START);
	sweep(none, EVENT_TIME);
	sweep(none, EVENT_LINK_UP);
	sweep(none, EVENT_LISTENING);
	sweep(none, EVENT_COMMAND);
}

static void test_open(void **unused)
{
	size_t before = mem_live();
	enum err e = ERR_NOMEM;
	struct kit k;

	(void)unused;
	found(&k);
	for (long fail = 0; e != OK; fail++) {
		struct event ev = kit_event(&k, EVENT_START);
		size_t live;

		node_close(k.node);
		live = mem_live();
		mem_fail_after(fail);
		e = node_open(&k.node, k.store, &k.identity, &k.host, ev.wall_ms, ev.random);
		mem_fail_after(-1);
		assert_true(e == OK || (e == ERR_NOMEM && k.node == NULL));
		assert_true(e == OK || mem_live() == live);
		assert_true(fail < 100000);
	}
	kit_free(&k);
	assert_int_equal(mem_live(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_commands), cmocka_unit_test(test_events), cmocka_unit_test(test_open) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
