/* Whom we know, let in, and for how long (protocol §§4, 8). */
#include "tests/unit/node_kit.h"

static struct person mallory;

static void found(struct kit *k, uint64_t seed)
{
	kit_new(k, seed);
	kit_found(k);
	person_make(&mallory, &k->rng);
	kit_admit(k, &mallory, ROLE_MEMBER);
}

static void link_event(struct kit *k, enum event_kind kind, uint32_t link, const uint8_t curve[KEY_LEN])
{
	struct event ev = kit_event(k, kind);

	ev.link = link;
	ev.why = ERR_WAITING;
	memcpy(ev.curve, curve, KEY_LEN);
	assert_int_equal(kit_turn(k, &ev, 1), OK);
}

static bool hung_up(struct kit *k, uint32_t link)
{
	for (size_t i = 0; i < effects_count(k->effects); i++)
		if (effects_at(k->effects, i)->kind == EFFECT_DISCONNECT && effects_at(k->effects, i)->link == link)
			return true;
	return false;
}

static void take_act(struct kit *k, struct act *act, enum act_kind kind, const struct act_body *b, const struct person *by)
{
	struct buf body = {0}, bytes = {0};
	bool added;

	act->author_type = ACT_DEVICE;
	act->kind = kind;
	act->space = kit_org(k)->id;
	act->author = by->device;
	act->n_cites = authority_heads(kit_org(k)->authority, act->cites, LIMIT_HEADS);
	assert_int_equal(act_body_encode(&body, kind, b, NULL, NULL, NULL, NULL), OK);
	act->body = buf_slice(&body);
	assert_int_equal(act_make(&bytes, act, by->secret), OK);
	k->node->origin_link = 77;
	assert_int_equal(replica_act(k->node, kit_org(k), buf_slice(&bytes), &added), OK);
	k->node->origin_link = 0;
	assert_true(added);
	buf_free(&body);
	buf_free(&bytes);
}

/* A member that certifies many devices fills nobody's book. */
static void test_many_devices(void **unused)
{
	struct kit k;

	(void)unused;
	found(&k, 1);
	for (int i = 0; i < 40; i++) {
		struct certificate c = { .root = mallory.root, .certifier = mallory.device, .created_ms = KIT_START };
		struct act_body body = { .n_pins = 0 };
		struct act act = { .n_cites = 0 };
		struct buf bytes = {0};
		struct person other;

		person_make(&other, &k.rng);
		c.device = other.device;
		memcpy(c.box, other.box, KEY_LEN);
		memcpy(c.curve, other.curve, KEY_LEN);
		assert_int_equal(certificate_make(&bytes, &c, mallory.secret, other.secret), OK);
		body.certificate_bytes = buf_slice(&bytes);
		kit_begin(&k);
		take_act(&k, &act, ACT_CERTIFY, &body, &mallory);
		kit_end(&k);
		assert_true(state_device_active(space_state(kit_org(&k)), &other.device));
		buf_free(&bytes);
	}
	assert_int_equal(k.node->n_peers, 16);
	kit_free(&k);
}

/* Who was removed may come, is talked to on the authority lane, and leaves no trace when it goes. */
static void test_removed_is_told(void **unused)
{
	struct kit k;

	(void)unused;
	found(&k, 2);
	assert_int_equal(kit_command(&k, (struct command){ .kind = COMMAND_MEMBER_REMOVE, .has_other = true, .other = mallory.root, .force = true }), OK);
	assert_int_equal(k.node->n_peers, 0);
	link_event(&k, EVENT_LINK_UP, 0x80000001u, mallory.curve);
	assert_false(hung_up(&k, 0x80000001u));
	assert_int_equal(k.node->n_peers, 1);
	assert_non_null(k.node->peers[0].session);
	assert_true(k.node->data.may_send(k.node, &mallory.device, &kit_org(&k)->id, NET_AUTHORITY, SLICE(NULL, 0)));
	assert_false(k.node->data.may_send(k.node, &mallory.device, &kit_org(&k)->id, NET_DATA, SLICE(NULL, 0)));
	assert_false(k.node->data.may_take(k.node, &mallory.device, &kit_org(&k)->id, NET_DATA));
	assert_int_equal(kit_command(&k, (struct command){ .kind = COMMAND_SYNC }), OK);        /* nobody to wait for */
	link_event(&k, EVENT_LINK_DOWN, 0x80000001u, mallory.curve);
	assert_int_equal(k.node->n_peers, 0);
	kit_free(&k);
}

/* Whoever has an invite holds a place in the lane for a minute, no longer. */
static void test_strangers_go(void **unused)
{
	struct kit k;
	const struct invite *const *invites;
	uint8_t curve[KEY_LEN];

	(void)unused;
	found(&k, 3);
	assert_true(state_invites(space_state(kit_org(&k)), &invites) > 0);     /* used up: it may still ask, and be told */
	memcpy(curve, invites[0]->curve, KEY_LEN);
	for (uint32_t i = 1; i <= 5; i++) {
		link_event(&k, EVENT_LINK_UP, 0x80000000u + i, curve);
		assert_int_equal(hung_up(&k, 0x80000000u + i), i == 5);
	}
	assert_true(node_deadline(k.node) <= k.now - KIT_START + 1000 + 61000);
	kit_time(&k, 61000);
	assert_true(hung_up(&k, 0x80000001u));
	assert_int_equal(k.node->n_strangers, 0);
	kit_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_devices), cmocka_unit_test(test_removed_is_told), cmocka_unit_test(test_strangers_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
