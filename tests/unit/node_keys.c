/* Epochs under attack, and who is to wrap (protocol §5). */
#include "tests/unit/node_kit.h"

static struct person mallory, bob;

static void found(struct kit *k, uint64_t seed)
{
	kit_new(k, seed);
	kit_found(k);
	person_make(&mallory, &k->rng);
	person_make(&bob, &k->rng);
	kit_admit(k, &mallory, ROLE_MEMBER);
	kit_admit(k, &bob, ROLE_ADMIN);
}

static void wrap_body(struct buf *b, const struct id32 *epoch, const struct id32 *device)
{
	uint8_t box[KEY_LEN + BOX_LEN] = {0};

	mp_put_map(b, 3);
	mp_put_uint(b, 1);
	mp_put_bin(b, epoch, ID_LEN);
	mp_put_uint(b, 2);
	mp_put_array(b, 1);
	mp_put_array(b, 2);
	mp_put_bin(b, device, ID_LEN);
	mp_put_bin(b, box, sizeof box);
	mp_put_uint(b, 3);
	mp_put_uint(b, 0);
}

static void take_wrap(struct kit *k, uint64_t counter, const struct id32 *epoch, const struct id32 *device)
{
	struct statement st = { .space = kit_org(k)->id, .device = mallory.device, .kind = STATEMENT_WRAP, .counter = counter,
		.hlc = hlc_from_ms(k->now) };
	struct buf body = {0}, bytes = {0};
	bool added;

	wrap_body(&body, epoch, device);
	assert_int_equal(statement_make(&bytes, &st, buf_slice(&body), NULL, mallory.secret), OK);
	kit_begin(k);
	k->node->origin_link = 77;
	assert_int_equal(replica_statement(k->node, kit_org(k), &st, buf_slice(&bytes), &added), OK);
	k->node->origin_link = 0;
	kit_end(k);
	assert_true(added);
	buf_free(&body);
	buf_free(&bytes);
}

/* Wraps of epochs that nobody has cost no memory; one that names us with garbage does no harm. */
static void test_junk_wraps(void **unused)
{
	struct kit k;
	size_t epochs;

	(void)unused;
	found(&k, 1);
	epochs = kit_org(&k)->n_epochs;
	for (uint64_t i = 1; i <= 20; i++) {
		struct id32 junk = {{0}};

		put_u64(junk.b, i);
		take_wrap(&k, i, &junk, i % 2 ? &k.identity.device : &bob.device);
	}
	assert_int_equal(kit_org(&k)->n_epochs, epochs);
	/* The epoch in use, wrapped to devices that nobody knows: one reader more, not twenty. */
	for (uint64_t i = 21; i <= 40; i++) {
		struct id32 stranger = {{0}};

		put_u64(stranger.b, i);
		take_wrap(&k, i, &kit_org(&k)->epochs[0].id, &stranger);
	}
	assert_true(kit_org(&k)->epochs[0].n_readers <= 4);
	kit_free(&k);
}

/* An epoch op that claims our epoch as its parent, without its key, does not end it. */
static void test_false_parent(void **unused)
{
	struct kit k;
	struct op op;
	struct buf body = {0}, sealed = {0};
	struct id32 junk = {{7}}, before;
	struct epoch *epoch;

	(void)unused;
	found(&k, 2);
	kit_begin(&k);
	assert_int_equal(keys_for_space(k.node, kit_org(&k), &epoch), OK);
	before = epoch->id;
	mp_put_map(&body, 3);
	mp_put_uint(&body, 1);
	mp_put_bin(&body, &junk, ID_LEN);
	mp_put_uint(&body, 2);
	mp_put_array(&body, 1);
	mp_put_bin(&body, &before, ID_LEN);
	mp_put_uint(&body, 3);
	mp_put_bin(&body, (uint8_t[KEY_LEN + TAG_LEN]){0}, KEY_LEN + TAG_LEN);
	kit_op(&k, &op, &sealed, &mallory, 5, NULL, hlc_from_ms(k.now), KIND_EPOCH, NULL, buf_slice(&body));
	assert_int_equal(kit_take(&k, &op, 1), OK);
	assert_int_equal(keys_for_space(k.node, kit_org(&k), &epoch), OK);
	assert_true(id32_equal(&epoch->id, &before));
	kit_end(&k);
	buf_free(&body);
	buf_free(&sealed);
	kit_free(&k);
}

/* A removal by a peer: the remover mints; we do so only when we are about to seal, or after 10 s without a wrap. */
static void test_no_herd(void **unused)
{
	struct kit k;
	struct act_body remove = { .n_pins = 0 };
	struct act act = { .author_type = ACT_DEVICE, .kind = ACT_REMOVE };
	struct buf body = {0}, bytes = {0};
	size_t epochs;
	bool added;

	(void)unused;
	found(&k, 3);
	epochs = kit_org(&k)->n_epochs;
	remove.member = mallory.root;
	act.space = kit_org(&k)->id;
	act.author = bob.device;
	act.n_cites = authority_heads(kit_org(&k)->authority, act.cites, LIMIT_HEADS);
	assert_int_equal(act_body_encode(&body, ACT_REMOVE, &remove, NULL, NULL, NULL, NULL), OK);
	act.body = buf_slice(&body);
	assert_int_equal(act_make(&bytes, &act, bob.secret), OK);
	kit_begin(&k);
	k.node->origin_link = 77;
	assert_int_equal(replica_act(k.node, kit_org(&k), buf_slice(&bytes), &added), OK);
	k.node->origin_link = 0;
	kit_end(&k);
	assert_int_equal(state_member(space_state(kit_org(&k)), &mallory.root)->status, MEMBER_REMOVED);
	assert_int_equal(kit_org(&k)->n_epochs, epochs);
	assert_true(kit_org(&k)->wrap_check_at != UINT64_MAX);
	kit_time(&k, 16000);
	assert_int_equal(kit_org(&k)->n_epochs, epochs + 1);
	assert_true(kit_org(&k)->wrap_check_at == UINT64_MAX);
	buf_free(&body);
	buf_free(&bytes);
	kit_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_junk_wraps), cmocka_unit_test(test_false_parent), cmocka_unit_test(test_no_herd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
