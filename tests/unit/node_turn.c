/* Turns that fail, and what they must leave: nothing in memory that is not in the store, an answer for everybody. */
#include "tests/unit/node_kit.h"

static void test_waiters_are_answered(void **unused)
{
	struct kit k;
	struct event ev;
	bool told = false;

	(void)unused;
	kit_new(&k, 1);
	kit_found(&k);
	kit_begin(&k);
	{
		struct waiter *w;
		struct id16 request = {{0}};

		assert_int_equal(waiter_add(k.node, COMMAND_ORG_JOIN, 4711, &request, 60000, &w), OK);
	}
	kit_end(&k);
	store_disk_fail_commits(k.disk, 1);
	assert_int_equal(kit_command(&k, (struct command){ .kind = COMMAND_OFFLINE, .on = true }), OK);
	assert_int_equal(k.replies, 1);
	for (size_t i = 0; i < effects_count(k.effects); i++)
		told = told || (effects_at(k.effects, i)->kind == EFFECT_REPLY && effects_at(k.effects, i)->token == 4711);
	assert_true(told);
	ev = kit_event(&k, EVENT_TIME);
	assert_int_equal(kit_turn(&k, &ev, 1), OK);
	kit_free(&k);
}

static bool has_effect(struct kit *k, enum effect_kind kind)
{
	for (size_t i = 0; i < effects_count(k->effects); i++)
		if (effects_at(k->effects, i)->kind == kind)
			return true;
	return false;
}

static void test_start_is_tried_again(void **unused)
{
	struct kit k;
	struct person p;
	size_t acts;

	(void)unused;
	kit_new(&k, 2);
	kit_found(&k);
	person_make(&p, &k.rng);
	kit_admit(&k, &p, ROLE_MEMBER);
	acts = authority_count(kit_org(&k)->authority);
	/* addresses to announce make the start a write */
	{
		struct event ev = kit_event(&k, EVENT_LISTENING);
		struct slice address = slice_of("tcp://10.0.0.1:7411");

		ev.port = 7411;
		ev.addresses = &address;
		ev.n_addresses = 1;
		store_disk_fail_commits(k.disk, 3);
		assert_int_equal(kit_turn(&k, &ev, 1), OK);
	}
	assert_false(has_effect(&k, EFFECT_ALLOW));
	assert_int_equal(k.node->n_peers, 0);
	assert_true(node_deadline(k.node) <= k.now - KIT_START + 1000 + 5000);
	kit_time(&k, 6000);
	assert_int_equal(k.node->n_peers, 1);
	assert_true(has_effect(&k, EFFECT_ALLOW));
	assert_int_equal(authority_count(kit_org(&k)->authority), acts);
	kit_free(&k);
}

static void test_listening_survives_a_failed_turn(void **unused)
{
	struct kit k;
	struct event ev;
	struct slice address = slice_of("tcp://10.0.0.1:7411");

	(void)unused;
	kit_new(&k, 3);
	kit_found(&k);
	ev = kit_event(&k, EVENT_LISTENING);
	ev.port = 7411;
	ev.addresses = &address;
	ev.n_addresses = 1;
	store_disk_fail_commits(k.disk, 1);
	assert_int_equal(kit_turn(&k, &ev, 1), OK);
	assert_int_equal(k.node->n_own_addresses, 1);
	assert_true(k.node->listening);
	kit_free(&k);
}

/* A number of a space is never given twice: its records would be those of another. */
static void test_numbers_of_spaces(void **unused)
{
	struct kit k;
	struct space *s;
	struct id32 a = {{1}}, b = {{2}}, c = {{3}};
	uint32_t number_b;

	(void)unused;
	kit_new(&k, 4);
	kit_begin(&k);
	assert_int_equal(space_open(k.node, &s, &a, false), OK);
	assert_int_equal(space_open(k.node, &s, &b, false), OK);
	number_b = s->number;
	assert_int_equal(space_forget(k.node, space_find(k.node, &a)), OK);
	assert_int_equal(space_open(k.node, &s, &c, false), OK);
	assert_int_not_equal(s->number, number_b);
	number_b = s->number;
	assert_int_equal(space_forget(k.node, s), OK);
	assert_int_equal(space_open(k.node, &s, &c, false), OK);
	assert_int_not_equal(s->number, number_b);
	kit_end(&k);
	kit_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waiters_are_answered), cmocka_unit_test(test_start_is_tried_again),
		cmocka_unit_test(test_listening_survives_a_failed_turn), cmocka_unit_test(test_numbers_of_spaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
