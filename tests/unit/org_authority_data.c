/* authority: bounds of logs and data ops that count (protocol §3), and the generation that says when they may have changed. */
#include "tests/unit/org_authority_cast.h"

static struct id16 document, document2;         /* of teams 1 and 2 */

static int start_teams(void **state)
{
	const struct id16 nonce = id16_of(77), nonce2 = id16_of(78);
	struct act_body b = { .has_team = true, .team = id16_of(1), .n_claims = 1 };
	struct lists lists = { .claims = &nonce };

	start(state);
	make_team(&w, &admin, 1, NOW);
	make_team(&w, &admin, 2, NOW);
	team_member(&w, &admin, 1, &manager, true, NOW);
	team_member(&w, &admin, 1, &member1, true, NOW);
	team_lead(&w, &admin, 2, &member2, NOW);
	put(&w, &admin.device, ACT_DEVICE, ACT_SCOPE, &b, &lists, NOW);
	scope_document(&document, &w.space, &admin.root.id, &nonce);
	b.team = id16_of(2);
	lists.claims = &nonce2;
	put(&w, &admin.device, ACT_DEVICE, ACT_SCOPE, &b, &lists, NOW);
	scope_document(&document2, &w.space, &admin.root.id, &nonce2);
	return 0;
}

static const struct data_right own = { .own_only = true };

static struct data_right right(enum action action, const struct id16 *of)
{
	struct data_right r = { .action = action, .has_document = of != NULL };

	if (of != NULL)
		r.document = *of;
	return r;
}

/* Op number seq of incarnation 7 of a device, which cites these heads. */
static bool op_counts(const struct person *p, uint64_t seq, struct cites at, struct data_right r)
{
	bool yes;

	assert_int_equal(authority_data_counts(w.a, &yes, &p->device.id, 7, seq, at.ids, at.n, &r), OK);
	return yes;
}

static uint64_t bound(const struct person *p, uint64_t incarnation)
{
	return authority_bound(w.a, &p->device.id, incarnation);
}

/* An act with one pin: a log's first five ops stay. */
static struct id32 pinned(const struct person *p, enum act_kind kind, struct act_body b, const struct person *of, uint64_t seq, struct cites c)
{
	const struct pin pin = { of->device.id, 7, seq };
	struct lists lists = { .pins = &pin };

	b.n_pins = 1;
	return put(&w, &p->device, ACT_DEVICE, kind, &b, &lists, c);
}

/* ---- rights ----------------------------------------------------------------------------------------------------------- */
static void test_rights_over_documents(void **state)
{
	const struct data_right edit = right(MAY_EDIT_OBJECTIVES, &document), edit2 = right(MAY_EDIT_OBJECTIVES, &document2);
	const struct id16 team1 = id16_of(1);
	struct cites at = here();

	(void)state;
	assert_true(op_counts(&owner, 1, at, edit));
	assert_true(op_counts(&manager, 1, at, edit));
	assert_false(op_counts(&manager, 1, at, edit2));
	assert_true(op_counts(&member2, 1, at, edit2));                 /* its lead */
	assert_false(op_counts(&member1, 1, at, edit));
	assert_false(op_counts(&manager, 1, at, right(MAY_EDIT_OBJECTIVES, &(struct id16){{ 9 }})));
	assert_true(op_counts(&admin, 1, at, right(MAY_EDIT_OBJECTIVES, NULL)));
	assert_false(op_counts(&manager, 1, at, right(MAY_CONFIGURE, NULL)));
	assert_true(op_counts(&manager, 1, at, right(MAY_MANAGE_TEAMS, &team1)));
	assert_true(op_counts(&viewer, 1, at, own));
	struct person stranger = person_of(90);
	assert_false(op_counts(&stranger, 1, at, own));
}

static void test_members_propose_in_their_teams(void **state)
{
	const struct data_right propose = right(MAY_PROPOSE_OBJECTIVES, &document);
	struct cites at = here();

	(void)state;
	assert_true(op_counts(&member1, 1, at, propose));
	assert_false(op_counts(&member1, 1, at, right(MAY_PROPOSE_OBJECTIVES, &document2)));
	assert_false(op_counts(&viewer, 1, at, propose));
	by(&w, &admin, ACT_SETTING, (struct act_body){ .setting = SETTING_MEMBER_CREATION }, NOW);
	assert_true(op_counts(&member1, 1, at, propose));               /* a setting pins nothing */
	assert_false(op_counts(&member1, 1, here(), propose));
}

static void test_the_heads_cited_decide(void **state)
{
	struct cites before = cite1(w.acts[2].id), at;
	struct id32 unknown = key_of(1).id;
	const struct data_right edit = right(MAY_EDIT_OBJECTIVES, &document);
	bool yes;

	(void)state;
	assert_false(op_counts(&manager, 1, before, own));              /* not yet a member */
	set_role(&w, &owner, &viewer, ROLE_ADMIN, NOW);
	at = here();
	assert_true(op_counts(&viewer, 1, at, edit));
	set_role(&w, &owner, &viewer, ROLE_VIEWER, NOW);
	assert_false(op_counts(&viewer, 1, at, edit));
	assert_false(op_counts(&viewer, 1, here(), edit));
	assert_int_equal(authority_data_counts(w.a, &yes, &viewer.device.id, 7, 1, &unknown, 1, &own), ERR_MISSING);
}

/* ---- pins ------------------------------------------------------------------------------------------------------------- */
static void test_a_removal_bounds_the_logs_it_pins(void **state)
{
	struct cites at = here();

	(void)state;
	assert_true(bound(&manager, 7) == UINT64_MAX);
	pinned(&admin, ACT_REMOVE, (struct act_body){ .member = manager.root.id }, &manager, 5, NOW);
	assert_int_equal(bound(&manager, 7), 5);
	assert_int_equal(bound(&manager, 8), 0);                        /* not named */
	assert_true(bound(&member1, 7) == UINT64_MAX);
	assert_true(op_counts(&manager, 5, at, right(MAY_EDIT_OBJECTIVES, &document)));
	assert_false(op_counts(&manager, 6, at, right(MAY_EDIT_OBJECTIVES, &document)));
	assert_false(op_counts(&manager, 6, at, own));
	assert_false(op_counts(&manager, 1, here(), own));              /* it knew */
}

static void test_leaving_and_revoking_pin_too(void **state)
{
	struct person second = with_device(&member1, 1);
	struct act_body b = { .certificate_bytes = SLICE(second.certificate, second.certificate_len) };
	struct cites at;

	(void)state;
	by(&w, &member1, ACT_CERTIFY, b, NOW);
	at = here();
	pinned(&member1, ACT_REVOKE, (struct act_body){ .device = second.device.id }, &second, 3, NOW);
	assert_int_equal(bound(&second, 7), 3);
	assert_true(bound(&member1, 7) == UINT64_MAX);
	assert_true(op_counts(&second, 3, at, own));
	assert_false(op_counts(&second, 4, at, own));
	assert_true(op_counts(&member1, 4, here(), own));
	pinned(&member1, ACT_LEAVE, none, &member1, 4, NOW);
	assert_int_equal(bound(&member1, 7), 4);
	assert_int_equal(bound(&second, 7), 0);
}

static void test_salvage_raises_a_bound(void **state)
{
	struct act_body salvage = { .device = manager.device.id, .incarnation = 7, .from = 6, .to = 8 };
	struct cites at = here();
	struct id32 removal;

	(void)state;
	removal = pinned(&admin, ACT_REMOVE, (struct act_body){ .member = manager.root.id }, &manager, 5, NOW);
	by(&w, &owner, ACT_SALVAGE, salvage, at);                       /* does not know the removal */
	assert_int_equal(bound(&manager, 7), 5);
	assert_false(counts(&w, by(&w, &member1, ACT_SALVAGE, salvage, cite1(removal))));
	assert_true(counts(&w, by(&w, &admin2, ACT_SALVAGE, salvage, cite1(removal))));
	assert_int_equal(bound(&manager, 7), 8);
	assert_int_equal(bound(&manager, 9), 0);
	assert_true(op_counts(&manager, 8, at, own));
	assert_false(op_counts(&manager, 9, at, own));
	salvage.from = 10;                                              /* leaves a gap */
	salvage.to = 12;
	by(&w, &owner, ACT_SALVAGE, salvage, NOW);
	assert_int_equal(bound(&manager, 7), 8);
	salvage.from = 9;
	salvage.to = 9;
	by(&w, &owner, ACT_SALVAGE, salvage, NOW);
	assert_int_equal(bound(&manager, 7), 12);
}

static void test_nobody_salvages_what_a_removal_of_oneself_cut(void **state)
{
	struct act_body salvage = { .device = member1.device.id, .incarnation = 7, .from = 1, .to = 8 };
	struct person again = with_device(&member1, 1);

	(void)state;
	remove_member(&w, &admin, &member1, NOW);
	invite(&w, &owner, 10, ROLE_ADMIN, 1, NULL, NOW);
	admit(&w, &owner, 10, &again, 1, NOW);
	assert_false(counts(&w, by(&w, &again, ACT_SALVAGE, salvage, NOW)));
	assert_false(counts(&w, put(&w, &member1.root, ACT_ROOT, ACT_SALVAGE, &salvage, NULL, NOW)));
	assert_int_equal(bound(&member1, 7), 0);
	assert_true(bound(&again, 7) == UINT64_MAX);                    /* of a later membership */
	assert_true(op_counts(&again, 1, here(), own));
	assert_true(counts(&w, by(&w, &owner, ACT_SALVAGE, salvage, NOW)));
	assert_int_equal(bound(&member1, 7), 8);
}

static void test_ones_own_fork_is_salvaged(void **state)
{
	struct act_body salvage = { .device = member1.device.id, .incarnation = 7, .from = 1, .to = 8 };

	(void)state;
	assert_true(counts(&w, by(&w, &member1, ACT_SALVAGE, salvage, NOW)));
	assert_false(counts(&w, by(&w, &member2, ACT_SALVAGE, salvage, NOW)));
	assert_true(bound(&member1, 7) == UINT64_MAX);
}

static void test_a_demotion_decides_op_by_op(void **state)
{
	struct cites at = here();

	(void)state;
	pinned(&owner, ACT_ROLE, (struct act_body){ .member = admin2.root.id, .role = ROLE_MEMBER }, &admin2, 5, NOW);
	assert_true(bound(&admin2, 7) == UINT64_MAX);
	assert_true(op_counts(&admin2, 5, at, right(MAY_CONFIGURE, NULL)));
	assert_false(op_counts(&admin2, 6, at, right(MAY_CONFIGURE, NULL)));
	assert_true(op_counts(&admin2, 6, at, own));                    /* the right is left */
}

static void test_a_demotion_leaves_what_the_role_left_may(void **state)
{
	struct cites at;

	(void)state;
	team_member(&w, &admin, 1, &admin2, true, NOW);
	at = here();
	set_role(&w, &owner, &admin2, ROLE_MANAGER, NOW);
	assert_true(op_counts(&admin2, 6, at, right(MAY_EDIT_OBJECTIVES, &document)));
	assert_false(op_counts(&admin2, 6, at, right(MAY_EDIT_OBJECTIVES, &document2)));
	set_role(&w, &owner, &admin2, ROLE_VIEWER, NOW);
	assert_false(op_counts(&admin2, 6, at, right(MAY_EDIT_OBJECTIVES, &document)));
}

static void test_rights_in_a_team_end_with_it(void **state)
{
	const struct data_right edit = right(MAY_EDIT_OBJECTIVES, &document), edit2 = right(MAY_EDIT_OBJECTIVES, &document2);
	struct cites at = here();

	(void)state;
	pinned(&admin, ACT_TEAM_MEMBER, (struct act_body){ .team = id16_of(1), .member = manager.root.id }, &manager, 5, NOW);
	assert_true(op_counts(&manager, 5, at, edit));
	assert_false(op_counts(&manager, 6, at, edit));
	/* coming back later does not bring back what was written meanwhile */
	team_member(&w, &admin, 1, &manager, true, NOW);
	assert_false(op_counts(&manager, 6, at, edit));
	assert_true(op_counts(&manager, 6, here(), edit));
	/* the old lead is not named by the act, but by its pins */
	pinned(&admin, ACT_TEAM_LEAD, (struct act_body){ .team = id16_of(2), .has_member = true, .member = member1.root.id }, &member2, 5, NOW);
	assert_true(op_counts(&member2, 5, at, edit2));
	assert_false(op_counts(&member2, 6, at, edit2));
	assert_true(op_counts(&member2, 6, at, own));
}

static void test_what_a_voided_act_ended_is_as_before(void **state)
{
	struct cites at = here();
	struct id32 hostile = pinned(&admin2, ACT_REMOVE, (struct act_body){ .member = manager.root.id }, &manager, 0, at);

	(void)state;
	assert_int_equal(bound(&manager, 7), 0);
	assert_false(op_counts(&manager, 1, at, own));
	remove_member(&w, &owner, &admin2, at);
	assert_false(counts(&w, hostile));
	assert_true(bound(&manager, 7) == UINT64_MAX);
	assert_true(op_counts(&manager, 1, at, own));
}

static void test_a_removal_that_would_leave_no_owner_bounds_nothing(void **state)
{
	(void)state;
	by(&w, &owner, ACT_LEAVE, none, NOW);
	assert_true(bound(&owner, 7) == UINT64_MAX);
}

/* ---- states of the past ----------------------------------------------------------------------------------------------- */
static void test_states_of_the_past(void **state)
{
	struct id32 unknown = key_of(1).id;
	const struct state *s;

	(void)state;
	for (size_t i = w.n; i-- > 0;) {                                /* more than are remembered */
		assert_int_equal(authority_state_at(w.a, &w.acts[i].id, 1, &s), OK);
		assert_int_equal(state_member(s, &admin.root.id) != NULL, i >= 2);
		assert_int_equal(state_member(s, &viewer.root.id) != NULL, i >= 12);
	}
	assert_int_equal(authority_state_at(w.a, &unknown, 1, &s), ERR_MISSING);
	assert_null(s);
}

static void test_states_of_the_past_forget_what_no_longer_counts(void **state)
{
	struct cites at = here();
	const struct state *s;
	struct id32 promotion = set_role(&w, &admin2, &viewer, ROLE_MEMBER, at), after = make_team(&w, &owner, 9, cite1(promotion));

	(void)state;
	make_team(&w, &owner, 10, cite1(after));
	assert_int_equal(authority_state_at(w.a, &after, 1, &s), OK);
	assert_int_equal(state_member(s, &viewer.root.id)->role, ROLE_MEMBER);
	remove_member(&w, &owner, &admin2, at);
	assert_int_equal(authority_state_at(w.a, &after, 1, &s), OK);
	assert_int_equal(state_member(s, &viewer.root.id)->role, ROLE_VIEWER);
	assert_int_equal(state_member(s, &admin2.root.id)->status, MEMBER_ACTIVE);      /* the removal is not in its past */
}

/* ---- generation ------------------------------------------------------------------------------------------------------- */
static bool moved(uint64_t *generation)
{
	uint64_t before = *generation;

	*generation = authority_generation(w.a);
	return *generation != before;
}

static void test_grants_move_no_generation(void **state)
{
	struct person p = person_of(20), second = with_device(&owner, 1);
	struct act_body b = { .certificate_bytes = SLICE(second.certificate, second.certificate_len) };
	struct cites then = here();
	uint64_t generation = authority_generation(w.a);

	(void)state;
	join(&w, &admin, &p, 10, ROLE_MEMBER);
	make_team(&w, &admin, 9, NOW);
	team_member(&w, &admin, 9, &p, true, NOW);
	by(&w, &owner, ACT_CERTIFY, b, NOW);
	assert_false(moved(&generation));
	make_team(&w, &admin, 10, then);                                /* concurrent, too */
	assert_false(moved(&generation));
	assert_false(counts(&w, remove_member(&w, &viewer, &p, NOW)));  /* and what does not count */
	assert_false(moved(&generation));
}

static void test_endings_move_the_generation(void **state)
{
	struct cites then;
	uint64_t generation = authority_generation(w.a);

	(void)state;
	team_member(&w, &admin, 1, &member1, false, NOW);
	assert_true(moved(&generation));
	set_role(&w, &admin, &member1, ROLE_VIEWER, NOW);
	assert_true(moved(&generation));
	then = here();
	make_team(&w, &admin2, 9, NOW);
	assert_false(moved(&generation));
	remove_member(&w, &admin, &admin2, then);
	assert_true(moved(&generation));
	make_team(&w, &admin2, 10, then);
	assert_false(moved(&generation));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start_teams, end)
	const struct CMUnitTest tests[] = {
		T(test_rights_over_documents),
		T(test_members_propose_in_their_teams),
		T(test_the_heads_cited_decide),
		T(test_a_removal_bounds_the_logs_it_pins),
		T(test_leaving_and_revoking_pin_too),
		T(test_salvage_raises_a_bound),
		T(test_nobody_salvages_what_a_removal_of_oneself_cut),
		T(test_ones_own_fork_is_salvaged),
		T(test_a_demotion_decides_op_by_op),
		T(test_a_demotion_leaves_what_the_role_left_may),
		T(test_rights_in_a_team_end_with_it),
		T(test_what_a_voided_act_ended_is_as_before),
		T(test_a_removal_that_would_leave_no_owner_bounds_nothing),
		T(test_states_of_the_past),
		T(test_states_of_the_past_forget_what_no_longer_counts),
		T(test_grants_move_no_generation),
		T(test_endings_move_the_generation),
	};

	assert(crypto_start() == OK);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
