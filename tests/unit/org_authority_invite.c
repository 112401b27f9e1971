/* authority: what concurrent acts do to admissions (protocol §4). */
#include "tests/unit/org_authority_cast.h"

/* ---- invites ---------------------------------------------------------------------------------------------------------- */
static void test_a_close_voids_concurrent_admits_of_its_invite(void **state)
{
	struct person p = person_of(20), q = person_of(21), r = person_of(22);
	struct cites then;
	struct id32 seen, unseen, other;

	(void)state;
	invite(&w, &owner, 10, ROLE_MEMBER, 9, NULL, NOW);
	invite(&w, &owner, 11, ROLE_MEMBER, 9, NULL, NOW);
	then = here();
	seen = admit(&w, &member1, 10, &p, 1, then);
	unseen = admit(&w, &member1, 10, &q, 2, cite1(seen));
	other = admit(&w, &member1, 11, &r, 3, then);
	assert_true(is(&w, &q, ROLE_MEMBER, MEMBER_ACTIVE));
	by(&w, &admin, ACT_CLOSE, (struct act_body){ .invite = invite_key(10).id }, cite1(seen));
	assert_true(counts(&w, seen) && counts(&w, other));
	assert_false(counts(&w, unseen));
	assert_null(member(&w, &q));
	assert_non_null(member(&w, &r));
}

static void test_the_end_of_an_inviter_voids_concurrent_admits(void **state)
{
	struct person p = person_of(20), q = person_of(21);
	struct cites then;
	struct id32 as_admin, as_member;

	(void)state;
	invite(&w, &admin2, 10, ROLE_ADMIN, 9, NULL, NOW);
	invite(&w, &admin2, 11, ROLE_MEMBER, 9, NULL, NOW);
	then = here();
	as_admin = admit(&w, &member1, 10, &p, 1, then);
	as_member = admit(&w, &member1, 11, &q, 2, then);
	set_role(&w, &owner, &admin2, ROLE_MANAGER, then);
	assert_false(counts(&w, as_admin));                             /* above the role left */
	assert_true(counts(&w, as_member));
	remove_member(&w, &owner, &admin2, then);
	assert_false(counts(&w, as_member));
}

static void test_an_invite_above_the_role_left_is_closed_from_the_start(void **state)
{
	struct cites then = here();
	struct id32 made = then.ids[0];

	(void)state;
	set_role(&w, &owner, &admin2, ROLE_MANAGER, then);
	for (int i = 0; i < 3; i++)                                     /* later in the order than the demotion */
		made = by(&w, &member1, ACT_MERGE, none, cite1(made));
	made = invite(&w, &admin2, 10, ROLE_ADMIN, 9, NULL, cite1(made));
	assert_true(counts(&w, made));
	assert_true(invite_of(10)->closed);
}

static void test_concurrent_overuse_stands(void **state)
{
	struct person p = person_of(20), q = person_of(21);
	struct cites then;

	(void)state;
	invite(&w, &owner, 10, ROLE_MEMBER, 1, NULL, NOW);
	then = here();
	assert_true(counts(&w, admit(&w, &member1, 10, &p, 1, then)));
	assert_true(counts(&w, admit(&w, &member2, 10, &q, 2, then)));
	assert_int_equal(invite_of(10)->used, 2);
	assert_non_null(member(&w, &p));
	assert_non_null(member(&w, &q));
}

static void test_concurrent_admits_of_one_request_are_one(void **state)
{
	struct person p = person_of(20);
	struct cites then;

	(void)state;
	invite(&w, &owner, 10, ROLE_MEMBER, 2, NULL, NOW);
	then = here();
	admit(&w, &member1, 10, &p, 1, then);
	admit(&w, &member2, 10, &p, 1, then);
	assert_int_equal(invite_of(10)->used, 1);
	assert_true(is(&w, &p, ROLE_MEMBER, MEMBER_ACTIVE));
}

static void test_admitted_twice_one_is_a_member_once(void **state)
{
	struct act_body b = { .invite = invite_key(10).id, .role = ROLE_VIEWER, .uses = 1, .approval = true, .has_expiry = true, .expires_ms = 9 };
	struct person p = person_of(20), same = with_device(&p, 1);
	struct cites then;
	const struct device *const *devices;
	size_t before = state_devices(now(&w), &devices);

	(void)state;
	by(&w, &owner, ACT_INVITE, b, NOW);
	invite(&w, &owner, 11, ROLE_MEMBER, 1, NULL, NOW);
	then = here();
	admit(&w, &member1, 10, &p, 1, then);
	assert_true(is(&w, &p, ROLE_VIEWER, MEMBER_PENDING));
	admit(&w, &member2, 11, &same, 2, then);
	assert_int_equal(member(&w, &p)->status, MEMBER_ACTIVE);
	assert_int_equal(state_devices(now(&w), &devices), before + 2);
	assert_int_equal(invite_of(10)->used + invite_of(11)->used, 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, end)
	const struct CMUnitTest tests[] = {
		T(test_a_close_voids_concurrent_admits_of_its_invite),
		T(test_the_end_of_an_inviter_voids_concurrent_admits),
		T(test_an_invite_above_the_role_left_is_closed_from_the_start),
		T(test_concurrent_overuse_stands),
		T(test_concurrent_admits_of_one_request_are_one),
		T(test_admitted_twice_one_is_a_member_once),
	};

	assert(crypto_start() == OK);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
