/* authority: who joins, goes and has which role. */
#include "tests/unit/org_authority_cast.h"

static void test_members_join_with_the_role_of_the_invite(void **state)
{
	(void)state;
	assert_true(is(&w, &owner, ROLE_OWNER, MEMBER_ACTIVE));
	assert_true(is(&w, &admin, ROLE_ADMIN, MEMBER_ACTIVE));
	assert_true(is(&w, &manager, ROLE_MANAGER, MEMBER_ACTIVE));
	assert_true(is(&w, &viewer, ROLE_VIEWER, MEMBER_ACTIVE));
	assert_true(state_device_active(now(&w), &viewer.device.id));
	assert_true(state_device(now(&w), &owner.device.id)->capabilities >> CAPABILITY_AGGREGATOR & 1);
}

/* ---- joining and going ------------------------------------------------------------------------------------------------ */
static void test_nobody_invites_above_the_own_role(void **state)
{
	(void)state;
	assert_false(counts(&w, invite(&w, &admin, 10, ROLE_OWNER, 1, NULL, NOW)));
	assert_true(counts(&w, invite(&w, &admin, 11, ROLE_ADMIN, 1, NULL, NOW)));
	assert_false(counts(&w, invite(&w, &member1, 12, ROLE_VIEWER, 1, NULL, NOW)));
	assert_false(counts(&w, invite(&w, &viewer, 13, ROLE_VIEWER, 1, NULL, NOW)));
}

static void test_a_manager_invites_into_the_own_teams(void **state)
{
	const struct id16 own = id16_of(1), other = id16_of(2);

	(void)state;
	make_team(&w, &admin, 1, NOW);
	make_team(&w, &admin, 2, NOW);
	team_member(&w, &admin, 1, &manager, true, NOW);
	assert_true(counts(&w, invite(&w, &manager, 10, ROLE_MEMBER, 1, &own, NOW)));
	assert_false(counts(&w, invite(&w, &manager, 11, ROLE_MEMBER, 1, &other, NOW)));
	assert_false(counts(&w, invite(&w, &manager, 12, ROLE_MEMBER, 1, NULL, NOW)));
	assert_false(counts(&w, invite(&w, &manager, 13, ROLE_ADMIN, 1, &own, NOW)));
	struct person p = person_of(20);
	assert_true(counts(&w, admit(&w, &viewer, 10, &p, 1, NOW)));
	assert_true(in_team(1, &p));
}

static void test_an_invite_serves_as_often_as_it_says(void **state)
{
	struct person p = person_of(20), q = person_of(21), r = person_of(22);

	(void)state;
	invite(&w, &owner, 10, ROLE_MEMBER, 2, NULL, NOW);
	assert_true(counts(&w, admit(&w, &member1, 10, &p, 1, NOW)));
	assert_false(counts(&w, admit(&w, &member2, 10, &p, 1, NOW)));  /* the same request once more */
	assert_true(counts(&w, admit(&w, &member1, 10, &q, 2, NOW)));
	assert_false(counts(&w, admit(&w, &member1, 10, &r, 3, NOW)));
	assert_int_equal(invite_of(10)->used, 2);
	assert_null(member(&w, &r));
}

static void test_an_admit_needs_an_open_invite_and_its_signature(void **state)
{
	struct person p = person_of(20), q = person_of(21), second = with_device(&p, 1);
	struct act_body b = { .invite = invite_key(10).id, .request = id16_of(1), .root = p.root.id,
		.certificate_bytes = SLICE(p.certificate, p.certificate_len) };

	(void)state;
	assert_false(counts(&w, admit(&w, &owner, 10, &p, 1, NOW)));    /* no such invite */
	invite(&w, &owner, 10, ROLE_MEMBER, 9, NULL, NOW);
	assert_false(counts(&w, by(&w, &owner, ACT_ADMIT, b, NOW)));    /* not signed by the invite's key */
	q.root = p.root;
	assert_false(counts(&w, admit(&w, &owner, 10, &q, 1, NOW)));    /* the certificate is of somebody else */
	second.certificate_len = certify(second.certificate, &p.root, &second.device, &p.device);
	assert_false(counts(&w, admit(&w, &owner, 10, &second, 1, NOW)));       /* the root key has not signed it */
	assert_true(counts(&w, by(&w, &owner, ACT_CLOSE, b, NOW)));
	assert_false(counts(&w, admit(&w, &owner, 10, &p, 2, NOW)));
	assert_null(member(&w, &p));
}

static void test_with_approval_one_is_pending_first(void **state)
{
	struct act_body b = { .invite = invite_key(10).id, .role = ROLE_MEMBER, .uses = 1, .approval = true };
	struct person p = person_of(20);

	(void)state;
	by(&w, &admin, ACT_INVITE, b, NOW);
	admit(&w, &member1, 10, &p, 1, NOW);
	assert_true(is(&w, &p, ROLE_MEMBER, MEMBER_PENDING));
	assert_false(state_device_active(now(&w), &p.device.id));
	assert_false(counts(&w, by(&w, &p, ACT_MERGE, none, NOW)));
	assert_false(counts(&w, by(&w, &member1, ACT_APPROVE, on_member(&p), NOW)));
	assert_true(counts(&w, by(&w, &admin, ACT_APPROVE, on_member(&p), NOW)));
	assert_true(is(&w, &p, ROLE_MEMBER, MEMBER_ACTIVE));
	assert_true(counts(&w, by(&w, &p, ACT_MERGE, none, NOW)));
	assert_int_equal(may(&admin, ACT_APPROVE, on_member(&p)), ERR_STATE);
}

static void test_a_removed_member_cannot_act(void **state)
{
	(void)state;
	assert_true(counts(&w, remove_member(&w, &admin, &manager, NOW)));
	assert_true(is(&w, &manager, ROLE_MANAGER, MEMBER_REMOVED));
	assert_false(counts(&w, by(&w, &manager, ACT_MERGE, none, NOW)));
	assert_false(counts(&w, put(&w, &manager.root, ACT_ROOT, ACT_LEAVE, &none, NULL, NOW)));
	assert_false(state_device_active(now(&w), &manager.device.id));
}

static void test_only_who_outranks_removes(void **state)
{
	(void)state;
	assert_false(counts(&w, remove_member(&w, &admin2, &admin, NOW)));      /* admitted later */
	assert_false(counts(&w, remove_member(&w, &admin, &owner, NOW)));
	assert_false(counts(&w, remove_member(&w, &manager, &member1, NOW)));
	assert_false(counts(&w, remove_member(&w, &member1, &member2, NOW)));
	assert_false(counts(&w, remove_member(&w, &admin, &admin, NOW)));
	assert_int_equal(may(&admin, ACT_REMOVE, (struct act_body){ .member = person_of(99).root.id }), ERR_NOTFOUND);
	assert_true(counts(&w, remove_member(&w, &admin, &admin2, NOW)));
	assert_int_equal(may(&admin, ACT_REMOVE, on_member(&admin2)), ERR_NOTFOUND);
}

static void test_seniority_survives_changes_of_role(void **state)
{
	(void)state;
	set_role(&w, &owner, &admin, ROLE_MEMBER, NOW);
	set_role(&w, &owner, &admin, ROLE_ADMIN, NOW);
	assert_true(counts(&w, remove_member(&w, &admin, &admin2, NOW)));
}

static void test_the_last_owner_stays(void **state)
{
	(void)state;
	assert_int_equal(may(&owner, ACT_LEAVE, none), ERR_STATE);
	by(&w, &owner, ACT_LEAVE, none, NOW);
	assert_true(is(&w, &owner, ROLE_OWNER, MEMBER_ACTIVE));
	set_role(&w, &owner, &owner, ROLE_MEMBER, NOW);
	assert_true(is(&w, &owner, ROLE_OWNER, MEMBER_ACTIVE));
	set_role(&w, &owner, &admin, ROLE_OWNER, NOW);
	assert_int_equal(may(&owner, ACT_LEAVE, none), OK);
	by(&w, &owner, ACT_LEAVE, none, NOW);
	assert_true(is(&w, &owner, ROLE_OWNER, MEMBER_REMOVED));
}

static void test_one_may_return_with_a_new_device_by_a_new_admission(void **state)
{
	struct person again = with_device(&member1, 1);

	(void)state;
	invite(&w, &owner, 10, ROLE_VIEWER, 9, NULL, NOW);
	remove_member(&w, &admin, &member1, NOW);
	assert_false(counts(&w, admit(&w, &owner, 10, &member1, 1, NOW)));      /* the removed device */
	assert_true(counts(&w, admit(&w, &owner, 10, &again, 2, NOW)));
	assert_true(is(&w, &member1, ROLE_VIEWER, MEMBER_ACTIVE));
	assert_true(state_device_active(now(&w), &again.device.id));
	assert_false(state_device_active(now(&w), &member1.device.id));
	assert_false(counts(&w, by(&w, &member1, ACT_MERGE, none, NOW)));
	assert_false(counts(&w, admit(&w, &owner, 10, &again, 3, NOW)));        /* is a member */
}

static void test_going_cuts_all_edges(void **state)
{
	const struct id16 team = id16_of(1);

	(void)state;
	make_team(&w, &admin, 1, NOW);
	team_member(&w, &admin, 1, &manager, true, NOW);
	team_lead(&w, &admin, 1, &manager, NOW);
	by(&w, &admin, ACT_MANAGER, (struct act_body){ .member = member1.root.id, .root = manager.root.id, .has_member = true }, NOW);
	by(&w, &admin, ACT_DOTTED, (struct act_body){ .member = member2.root.id, .root = manager.root.id, .on = true }, NOW);
	assert_true(member(&w, &member1)->has_manager);
	assert_int_equal(member(&w, &member2)->n_dotted, 1);
	by(&w, &manager, ACT_LEAVE, none, NOW);
	assert_false(in_team(1, &manager));
	assert_false(state_team(now(&w), &team)->has_lead);
	assert_false(member(&w, &member1)->has_manager);
	assert_int_equal(member(&w, &member2)->n_dotted, 0);
}

/* ---- roles ------------------------------------------------------------------------------------------------------------ */
static void test_roles_are_given_up_to_the_own(void **state)
{
	(void)state;
	assert_true(counts(&w, set_role(&w, &admin, &member1, ROLE_ADMIN, NOW)));
	assert_true(is(&w, &member1, ROLE_ADMIN, MEMBER_ACTIVE));
	assert_false(counts(&w, set_role(&w, &admin, &member2, ROLE_OWNER, NOW)));
	assert_false(counts(&w, set_role(&w, &admin2, &admin, ROLE_VIEWER, NOW)));
	assert_false(counts(&w, set_role(&w, &manager, &viewer, ROLE_MEMBER, NOW)));
	assert_false(counts(&w, set_role(&w, &admin, &admin, ROLE_OWNER, NOW)));
	assert_true(counts(&w, set_role(&w, &admin, &admin, ROLE_MEMBER, NOW)));
}

static void test_a_demotion_closes_open_invites_above_the_new_role(void **state)
{
	(void)state;
	invite(&w, &admin2, 10, ROLE_ADMIN, 1, NULL, NOW);
	invite(&w, &admin2, 11, ROLE_MEMBER, 1, NULL, NOW);
	set_role(&w, &owner, &admin2, ROLE_MANAGER, NOW);
	assert_true(invite_of(10)->closed);
	assert_false(invite_of(11)->closed);
	remove_member(&w, &owner, &admin2, NOW);
	assert_true(invite_of(11)->closed);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, end)
	const struct CMUnitTest tests[] = {
		T(test_members_join_with_the_role_of_the_invite),
		T(test_nobody_invites_above_the_own_role),
		T(test_a_manager_invites_into_the_own_teams),
		T(test_an_invite_serves_as_often_as_it_says),
		T(test_an_admit_needs_an_open_invite_and_its_signature),
		T(test_with_approval_one_is_pending_first),
		T(test_a_removed_member_cannot_act),
		T(test_only_who_outranks_removes),
		T(test_seniority_survives_changes_of_role),
		T(test_the_last_owner_stays),
		T(test_one_may_return_with_a_new_device_by_a_new_admission),
		T(test_going_cuts_all_edges),
		T(test_roles_are_given_up_to_the_own),
		T(test_a_demotion_closes_open_invites_above_the_new_role),
	};

	assert(crypto_start() == OK);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
