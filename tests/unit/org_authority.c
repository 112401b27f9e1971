/* authority: what each kind does, and who may do it. */
#include "tests/unit/org_authority_kit.h"

static struct world w;
static struct person owner, admin, admin2, manager, member1, member2, viewer;

static int start(void **state)
{
	(void)state;
	owner = person_of(1);
	admin = person_of(2);
	admin2 = person_of(3);
	manager = person_of(4);
	member1 = person_of(5);
	member2 = person_of(6);
	viewer = person_of(7);
	world_start(&w, &owner, true);
	join(&w, &owner, &admin, 2, ROLE_ADMIN);
	join(&w, &owner, &admin2, 3, ROLE_ADMIN);
	join(&w, &admin, &manager, 4, ROLE_MANAGER);
	join(&w, &admin, &member1, 5, ROLE_MEMBER);
	join(&w, &admin, &member2, 6, ROLE_MEMBER);
	join(&w, &admin, &viewer, 7, ROLE_VIEWER);
	return 0;
}

static int end(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

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

static void test_a_removed_member_cannot_act(void **state)
{
	(void)state;
	assert_true(counts(&w, remove_member(&w, &admin, &manager, NOW)));
	assert_true(is(&w, &manager, ROLE_MANAGER, MEMBER_REMOVED));
	assert_false(counts(&w, by(&w, &manager, ACT_MERGE, (struct act_body){ .on = false }, NOW)));
	assert_false(state_device_active(now(&w), &manager.device.id));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, end)
	const struct CMUnitTest tests[] = {
		T(test_members_join_with_the_role_of_the_invite),
		T(test_a_removed_member_cannot_act),
	};

	assert(crypto_start() == OK);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
