/* authority: devices, teams, scopes, settings, and what is no act of the space. */
#include "tests/unit/org_authority_cast.h"

/* ---- devices ---------------------------------------------------------------------------------------------------------- */
static void test_devices_of_one_member(void **state)
{
	struct person second = with_device(&member1, 1), third = with_device(&member1, 2), foreign = with_device(&member2, 3);
	struct act_body b = { .certificate_bytes = SLICE(second.certificate, second.certificate_len) };

	(void)state;
	assert_true(counts(&w, by(&w, &member1, ACT_CERTIFY, b, NOW)));
	assert_true(state_device_active(now(&w), &second.device.id));
	assert_false(counts(&w, by(&w, &member1, ACT_CERTIFY, b, NOW)));        /* is one already */
	third.certificate_len = certify(third.certificate, &third.root, &third.device, &second.device);
	b.certificate_bytes = SLICE(third.certificate, third.certificate_len);
	assert_true(counts(&w, by(&w, &member1, ACT_CERTIFY, b, NOW)));         /* by another device */
	b.certificate_bytes = SLICE(foreign.certificate, foreign.certificate_len);
	assert_false(counts(&w, by(&w, &member1, ACT_CERTIFY, b, NOW)));        /* of another member */
	assert_false(counts(&w, by(&w, &third, ACT_REVOKE, on_device(&second), NOW)));  /* certified later */
	assert_true(counts(&w, by(&w, &second, ACT_REVOKE, on_device(&third), NOW)));
	assert_false(counts(&w, by(&w, &third, ACT_MERGE, none, NOW)));
	assert_true(counts(&w, by(&w, &second, ACT_REVOKE, on_device(&second), NOW)));  /* itself */
	b.certificate_bytes = SLICE(second.certificate, second.certificate_len);
	assert_false(counts(&w, by(&w, &member1, ACT_CERTIFY, b, NOW)));        /* never returns */
	struct act_body first = on_device(&member1);
	assert_true(counts(&w, put(&w, &member1.root, ACT_ROOT, ACT_REVOKE, &first, NULL, NOW)));
	assert_true(is(&w, &member1, ROLE_MEMBER, MEMBER_ACTIVE));
}

static void test_devices_of_others_are_revoked_by_who_outranks(void **state)
{
	(void)state;
	assert_false(counts(&w, by(&w, &member1, ACT_REVOKE, on_device(&viewer), NOW)));
	assert_false(counts(&w, by(&w, &admin2, ACT_REVOKE, on_device(&admin), NOW)));
	assert_true(counts(&w, by(&w, &admin, ACT_REVOKE, on_device(&admin2), NOW)));
	assert_true(is(&w, &admin2, ROLE_ADMIN, MEMBER_ACTIVE));
	assert_false(state_device_active(now(&w), &admin2.device.id));
}

static void test_capabilities_are_the_owners_to_give(void **state)
{
	struct act_body b = on_device(&member1);

	(void)state;
	b.capability = CAPABILITY_RELAY;
	b.on = true;
	assert_false(counts(&w, by(&w, &admin, ACT_CAPABILITY, b, NOW)));
	assert_true(counts(&w, by(&w, &owner, ACT_CAPABILITY, b, NOW)));
	assert_int_equal(state_device(now(&w), &member1.device.id)->capabilities, 1u << CAPABILITY_RELAY);
	b.on = false;
	by(&w, &owner, ACT_CAPABILITY, b, NOW);
	assert_int_equal(state_device(now(&w), &member1.device.id)->capabilities, 0);
}

/* ---- teams, scopes, settings ------------------------------------------------------------------------------------------ */
static struct act_body below(unsigned team, unsigned parent)
{
	return (struct act_body){ .team = id16_of(team), .has_parent = true, .parent = id16_of(parent) };
}

static void test_leads_and_managers_manage_teams_below_theirs(void **state)
{
	(void)state;
	assert_false(counts(&w, make_team(&w, &manager, 1, NOW)));
	assert_true(counts(&w, make_team(&w, &admin, 1, NOW)));
	assert_true(counts(&w, make_team(&w, &admin, 9, NOW)));
	assert_false(counts(&w, by(&w, &manager, ACT_TEAM, below(2, 1), NOW)));
	team_member(&w, &admin, 1, &manager, true, NOW);
	assert_true(counts(&w, by(&w, &manager, ACT_TEAM, below(2, 1), NOW)));
	assert_true(counts(&w, by(&w, &manager, ACT_TEAM, below(3, 2), NOW)));
	assert_true(counts(&w, team_member(&w, &manager, 3, &member1, true, NOW)));
	assert_false(counts(&w, team_member(&w, &manager, 9, &member1, true, NOW)));
	assert_false(counts(&w, team_member(&w, &member1, 3, &member2, true, NOW)));    /* a plain member */
	assert_true(counts(&w, team_lead(&w, &manager, 3, &member1, NOW)));
	assert_true(counts(&w, team_member(&w, &member1, 3, &member2, true, NOW)));     /* its lead */
	assert_false(counts(&w, team_member(&w, &member1, 2, &member2, true, NOW)));
	assert_true(counts(&w, team_lead(&w, &admin, 3, &viewer, NOW)));
	assert_false(counts(&w, team_member(&w, &viewer, 3, &member2, false, NOW)));    /* no Viewer manages */
	assert_true(counts(&w, team_member(&w, &manager, 3, &member2, false, NOW)));
	assert_false(in_team(3, &member2));
}

static void test_teams_form_no_cycles(void **state)
{
	const struct id16 one = id16_of(1), three = id16_of(3);

	(void)state;
	make_team(&w, &admin, 1, NOW);
	by(&w, &admin, ACT_TEAM, below(2, 1), NOW);
	by(&w, &admin, ACT_TEAM, below(3, 2), NOW);
	assert_true(state_team_within(now(&w), &three, &one));
	assert_int_equal(may(&admin, ACT_TEAM_PARENT, below(1, 3)), ERR_STATE);
	assert_false(counts(&w, by(&w, &admin, ACT_TEAM_PARENT, below(1, 3), NOW)));
	assert_int_equal(may(&admin, ACT_TEAM_PARENT, below(3, 7)), ERR_NOTFOUND);
	assert_true(counts(&w, by(&w, &admin, ACT_TEAM_PARENT, (struct act_body){ .team = id16_of(2) }, NOW)));
	assert_false(state_team_within(now(&w), &three, &one));
}

static void test_relations(void **state)
{
	const struct id16 team = id16_of(2);

	(void)state;
	make_team(&w, &admin, 1, NOW);
	by(&w, &admin, ACT_TEAM, below(2, 1), NOW);
	team_member(&w, &admin, 1, &manager, true, NOW);
	team_member(&w, &admin, 2, &member1, true, NOW);
	assert_int_equal(state_relation_team(now(&w), &manager.root.id, &team), RELATION_TEAM_BELOW);
	assert_int_equal(state_relation_team(now(&w), &member1.root.id, &team), RELATION_OTHER);
	assert_int_equal(state_relation_member(now(&w), &manager.root.id, &member1.root.id), RELATION_TEAM_BELOW);
	assert_int_equal(state_relation_member(now(&w), &manager.root.id, &member2.root.id), RELATION_OTHER);
	assert_int_equal(state_relation_member(now(&w), &member1.root.id, &member1.root.id), RELATION_OWN);
	by(&w, &admin, ACT_MANAGER, (struct act_body){ .member = member2.root.id, .root = member1.root.id, .has_member = true }, NOW);
	by(&w, &admin, ACT_MANAGER, (struct act_body){ .member = member1.root.id, .root = viewer.root.id, .has_member = true }, NOW);
	assert_int_equal(state_relation_member(now(&w), &member1.root.id, &member2.root.id), RELATION_OWN_TEAM);
	assert_int_equal(state_relation_member(now(&w), &viewer.root.id, &member2.root.id), RELATION_TEAM_BELOW);
	by(&w, &admin, ACT_MANAGER, (struct act_body){ .member = viewer.root.id, .root = member2.root.id, .has_member = true }, NOW);
	assert_false(member(&w, &viewer)->has_manager);         /* it would close a cycle */
	assert_true(state_permits(now(&w), &member1.root.id, MAY_VIEW_CONTRIBUTIONS, RELATION_OWN_TEAM));
	assert_false(state_permits(now(&w), &viewer.root.id, MAY_VIEW_CONTRIBUTIONS, RELATION_OWN_TEAM));
}

static void test_edges_come_and_go(void **state)
{
	const struct id16 team = id16_of(1);
	struct act_body dotted = { .member = member2.root.id, .root = manager.root.id, .on = true };

	(void)state;
	assert_true(counts(&w, by(&w, &admin, ACT_DOTTED, dotted, NOW)));
	assert_int_equal(state_relation_member(now(&w), &manager.root.id, &member2.root.id), RELATION_OWN_TEAM);
	dotted.on = false;
	by(&w, &admin, ACT_DOTTED, dotted, NOW);
	assert_int_equal(state_relation_member(now(&w), &manager.root.id, &member2.root.id), RELATION_OTHER);
	dotted.root = dotted.member;
	assert_int_equal(may(&admin, ACT_DOTTED, dotted), ERR_STATE);
	assert_false(counts(&w, by(&w, &manager, ACT_DOTTED, dotted, NOW)));
	by(&w, &admin, ACT_MANAGER, (struct act_body){ .member = member1.root.id, .root = manager.root.id, .has_member = true }, NOW);
	assert_true(member(&w, &member1)->has_manager);
	by(&w, &admin, ACT_MANAGER, (struct act_body){ .member = member1.root.id }, NOW);
	assert_false(member(&w, &member1)->has_manager);
	make_team(&w, &admin, 1, NOW);
	assert_true(counts(&w, by(&w, &admin, ACT_TEAM_STATUS, (struct act_body){ .team = team, .status = 2 }, NOW)));
	assert_int_equal(state_team(now(&w), &team)->status, 2);
	team_lead(&w, &admin, 1, &member1, NOW);
	assert_true(counts(&w, team_lead(&w, &admin, 1, NULL, NOW)));
	assert_false(state_team(now(&w), &team)->has_lead);
}

static void test_a_manager_closes_invites_of_the_own_teams(void **state)
{
	const struct id16 own = id16_of(1), other = id16_of(2);

	(void)state;
	make_team(&w, &admin, 1, NOW);
	make_team(&w, &admin, 2, NOW);
	team_member(&w, &admin, 1, &manager, true, NOW);
	invite(&w, &admin, 10, ROLE_MEMBER, 1, &own, NOW);
	invite(&w, &admin, 11, ROLE_MEMBER, 1, &other, NOW);
	assert_false(counts(&w, by(&w, &manager, ACT_CLOSE, (struct act_body){ .invite = invite_key(11).id }, NOW)));
	assert_true(counts(&w, by(&w, &manager, ACT_CLOSE, (struct act_body){ .invite = invite_key(10).id }, NOW)));
	assert_false(counts(&w, by(&w, &member1, ACT_CLOSE, (struct act_body){ .invite = invite_key(11).id }, NOW)));
	assert_int_equal(may(&admin, ACT_CLOSE, (struct act_body){ .invite = invite_key(12).id }), ERR_NOTFOUND);
}

static void test_settings_and_status(void **state)
{
	(void)state;
	assert_int_equal(state_setting(now(&w), SETTING_MEMBER_CREATION), 1);
	assert_int_equal(state_setting(now(&w), SETTING_GOAL_APPROVAL), 0);
	assert_false(counts(&w, by(&w, &manager, ACT_SETTING, (struct act_body){ .setting = 1 }, NOW)));
	assert_true(counts(&w, by(&w, &admin, ACT_SETTING, (struct act_body){ .setting = 1 }, NOW)));
	assert_int_equal(state_setting(now(&w), SETTING_MEMBER_CREATION), 0);
	by(&w, &admin, ACT_SETTING, (struct act_body){ .setting = 2, .value = 1 }, NOW);
	by(&w, &admin, ACT_SETTING, (struct act_body){ .setting = 1, .value = 1 }, NOW);
	assert_int_equal(state_setting(now(&w), SETTING_MEMBER_CREATION) + state_setting(now(&w), SETTING_GOAL_APPROVAL), 2);
	assert_true(counts(&w, by(&w, &admin, ACT_STATUS, (struct act_body){ .status = 2 }, NOW)));
	assert_int_equal(state_status(now(&w)), 2);
	assert_false(counts(&w, by(&w, &admin, ACT_DELETE, none, NOW)));
	assert_true(counts(&w, by(&w, &owner, ACT_DELETE, none, NOW)));
	assert_int_equal(state_status(now(&w)), 3);
	assert_false(counts(&w, make_team(&w, &owner, 1, NOW)));
	assert_true(counts(&w, by(&w, &member1, ACT_LEAVE, none, NOW)));
}

static struct id32 scope(const struct person *p, const unsigned *team, const struct id16 *claim, const struct id16 *move)
{
	struct act_body b = { .has_team = team != NULL, .n_claims = claim != NULL, .n_moves = move != NULL };
	struct lists lists = { .claims = claim, .moves = move };

	if (team != NULL)
		b.team = id16_of(*team);
	return put(&w, &p->device, ACT_DEVICE, ACT_SCOPE, &b, &lists, NOW);
}

static void test_documents_are_claimed_and_moved(void **state)
{
	const unsigned one = 1, two = 2;
	const struct id16 nonce = id16_of(77), team1 = id16_of(1), team2 = id16_of(2);
	struct id16 document, of;

	(void)state;
	make_team(&w, &admin, 1, NOW);
	make_team(&w, &admin, 2, NOW);
	team_member(&w, &admin, 1, &manager, true, NOW);
	scope_document(&document, &w.space, &manager.root.id, &nonce);
	assert_false(counts(&w, scope(&manager, &two, &nonce, NULL)));
	assert_true(counts(&w, scope(&manager, &one, &nonce, NULL)));
	assert_true(state_scope(now(&w), &document, &of) && id16_equal(&of, &team1));
	assert_false(counts(&w, scope(&manager, &two, NULL, &document)));
	assert_true(counts(&w, scope(&admin, &two, NULL, &document)));
	assert_true(state_scope(now(&w), &document, &of) && id16_equal(&of, &team2));
	assert_false(counts(&w, scope(&manager, &one, NULL, &document)));       /* no longer theirs */
	scope(&manager, &one, &nonce, NULL);                                    /* nor by claiming again */
	assert_true(state_scope(now(&w), &document, &of) && id16_equal(&of, &team2));
	scope(&admin, NULL, NULL, &document);
	assert_false(state_scope(now(&w), &document, &of));
}

static void test_members_claim_in_their_teams_if_the_setting_lets_them(void **state)
{
	const unsigned one = 1;
	const struct id16 a = id16_of(77), b = id16_of(78);

	(void)state;
	make_team(&w, &admin, 1, NOW);
	assert_false(counts(&w, scope(&member1, &one, &a, NULL)));
	team_member(&w, &admin, 1, &member1, true, NOW);
	assert_true(counts(&w, scope(&member1, &one, &a, NULL)));
	by(&w, &admin, ACT_SETTING, (struct act_body){ .setting = SETTING_MEMBER_CREATION }, NOW);
	assert_false(counts(&w, scope(&member1, &one, &b, NULL)));
}

/* ---- the space -------------------------------------------------------------------------------------------------------- */
static void test_a_self_space_has_devices_only(void **state)
{
	struct person second = with_device(&owner, 1);
	struct act_body b = { .certificate_bytes = SLICE(second.certificate, second.certificate_len) };
	struct world s;

	(void)state;
	world_start(&s, &owner, false);
	assert_false(state_is_org(now(&s)));
	assert_true(counts(&s, by(&s, &owner, ACT_CERTIFY, b, NOW)));
	assert_true(state_permits(now(&s), &owner.root.id, MAY_CONFIGURE, RELATION_OTHER));
	assert_false(counts(&s, invite(&s, &owner, 1, ROLE_OWNER, 1, NULL, NOW)));
	assert_true(counts(&s, by(&s, &second, ACT_MERGE, none, NOW)));
	assert_true(counts(&s, by(&s, &owner, ACT_REVOKE, on_device(&second), NOW)));
	world_end(&s);
}

static enum err add_act(struct authority *a, struct id32 space, const struct person *p, enum act_author type, uint32_t kind, struct slice body,
	struct cites cites)
{
	struct act act = { .space = space, .author_type = type, .author = type == ACT_ROOT ? p->root.id : p->device.id, .kind = kind,
		.body = body, .n_cites = cites.n };
	struct buf b = {0};
	bool added;
	enum err e;

	memcpy(act.cites, cites.ids, sizeof act.cites);
	assert_int_equal(act_make(&b, &act, type == ACT_ROOT ? p->root.secret : p->device.secret), OK);
	e = authority_add(a, &added, buf_slice(&b));
	assert_int_equal(added, e == OK);
	buf_free(&b);
	return e;
}

static void test_what_is_refused(void **state)
{
	const uint8_t empty = 0x80, junk[] = { 0x81, 0xa1, 'x', 1 }, later[] = { 0x81, 0x7f, 1 };
	struct cites unknown = cite1(key_of(1).id), head = { 0, {{{ 0 }}} };
	struct authority *a = authority_new();
	size_t n = authority_count(w.a);

	(void)state;
	head.n = authority_heads(w.a, head.ids, LIMIT_HEADS);
	assert_int_equal(add_act(a, w.space, &owner, ACT_DEVICE, ACT_MERGE, SLICE(&empty, 1), head), ERR_MISSING);
	assert_int_equal(add_act(w.a, w.space, &owner, ACT_DEVICE, ACT_MERGE, SLICE(&empty, 1), unknown), ERR_MISSING);
	assert_int_equal(add_act(w.a, unknown.ids[0], &owner, ACT_DEVICE, ACT_MERGE, SLICE(&empty, 1), head), ERR_MALFORMED);
	assert_int_equal(add_act(w.a, w.space, &owner, ACT_DEVICE, ACT_MERGE, SLICE(junk, 4), head), ERR_MALFORMED);
	assert_int_equal(add_act(w.a, w.space, &owner, ACT_DEVICE, ACT_CLOSE, SLICE(&empty, 1), head), ERR_MALFORMED);
	assert_int_equal(authority_count(w.a), n);
	assert_int_equal(add_act(w.a, w.space, &owner, ACT_DEVICE, 99, SLICE(&empty, 1), head), OK);     /* carried, not counted */
	assert_int_equal(authority_count(w.a), n + 1);
	authority_heads(w.a, head.ids, LIMIT_HEADS);
	assert_false(authority_counts(w.a, &head.ids[0]));
	/* A key of a later version is kept and ignored (protocol §1). */
	assert_int_equal(add_act(w.a, w.space, &owner, ACT_DEVICE, ACT_MERGE, SLICE(later, 3), head), OK);
	authority_heads(w.a, head.ids, LIMIT_HEADS);
	assert_true(authority_counts(w.a, &head.ids[0]));
	authority_free(a);
}

static void test_the_same_act_again_is_no_news(void **state)
{
	bool added = true;

	(void)state;
	assert_int_equal(authority_add(w.a, &added, buf_slice(&w.acts[3].bytes)), OK);
	assert_false(added);
	assert_int_equal(authority_count(w.a), w.n);
	assert_true(authority_has(w.a, &w.acts[3].id));
	assert_true(slice_equal(authority_bytes(w.a, &w.acts[3].id), buf_slice(&w.acts[3].bytes)));
}

static void test_may_says_what_would_count(void **state)
{
	struct act_body b = { .invite = invite_key(20).id, .role = ROLE_MEMBER, .uses = 1 };

	(void)state;
	assert_int_equal(may(&admin, ACT_INVITE, b), OK);
	assert_int_equal(may(&member1, ACT_INVITE, b), ERR_DENIED);
	b.n_teams = 1;
	assert_int_equal(may(&admin, ACT_INVITE, b), ERR_USAGE);        /* without the encoded list */
	assert_int_equal(may(&admin, ACT_REMOVE, on_member(&member1)), OK);
	assert_int_equal(may(&admin, ACT_GENESIS, b), ERR_STATE);
	assert_int_equal(authority_count(w.a), w.n);
	assert_memory_equal(authority_space(w.a), &w.space, ID_LEN);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, end)
	const struct CMUnitTest tests[] = {
		T(test_devices_of_one_member),
		T(test_devices_of_others_are_revoked_by_who_outranks),
		T(test_capabilities_are_the_owners_to_give),
		T(test_leads_and_managers_manage_teams_below_theirs),
		T(test_teams_form_no_cycles),
		T(test_relations),
		T(test_edges_come_and_go),
		T(test_a_manager_closes_invites_of_the_own_teams),
		T(test_settings_and_status),
		T(test_documents_are_claimed_and_moved),
		T(test_members_claim_in_their_teams_if_the_setting_lets_them),
		T(test_a_self_space_has_devices_only),
		T(test_what_is_refused),
		T(test_the_same_act_again_is_no_news),
		T(test_may_says_what_would_count),
	};

	assert(crypto_start() == OK);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
