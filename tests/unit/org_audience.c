#include "tests/unit/org_people.h"
#include "base/mem.h"
#include "org/audience.h"

/* unit is above squad; chapter stands alone.  ann works in the squad. */
enum { OWNER, ADMIN, LEAD, LEAD_ABOVE, MANAGER, MANAGER_ABOVE, MANAGER_ELSEWHERE, BOSS, DOTTED, COLLEAGUE, VIEWER, ROBOT, ANN, ANN_PHONE };
static struct id16 unit, squad, chapter;
static struct people *people;
static const uint8_t SECRET[KEY_LEN] = { 5 };

static int setup(void **state)
{
	static const enum role roles[] = { ROLE_OWNER, ROLE_ADMIN, ROLE_MEMBER, ROLE_MEMBER, ROLE_MANAGER, ROLE_MANAGER, ROLE_MANAGER,
		ROLE_MEMBER, ROLE_MEMBER, ROLE_MEMBER, ROLE_VIEWER, ROLE_MEMBER, ROLE_MEMBER };

	(void)state;
	people = people_new();
	for (size_t i = ADMIN; i <= ANN; i++)
		assert_int_equal(people_join(people, roles[i]), i);
	assert_int_equal(people_device(people, ANN), ANN_PHONE);
	unit = people_team(people, NULL);
	squad = people_team(people, &unit);
	chapter = people_team(people, NULL);
	people_lead(people, LEAD, &squad);
	people_lead(people, LEAD_ABOVE, &unit);
	people_into(people, MANAGER, &squad);
	people_into(people, MANAGER_ABOVE, &unit);
	people_into(people, MANAGER_ELSEWHERE, &chapter);
	people_into(people, COLLEAGUE, &squad);
	people_into(people, ANN, &squad);
	people_manager(people, ANN, BOSS);
	people_dotted(people, ANN, DOTTED);
	people_capability(people, ROBOT, CAPABILITY_AGGREGATOR);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	people_free(people);
	return 0;
}

static const struct id32 *root(size_t person)
{
	return &people->person[person].root;
}

static struct reader_rule rule_for(const struct goal *goal, const struct id16 *objective_team)
{
	struct reader_rule rule;

	reader_rule_for(&rule, people_state(people), root(ANN), goal, objective_team != NULL, objective_team, 2);
	return rule;
}

/* who: the persons in the order of the enum, as letters O A L l M m e B d c v r a p. */
static const char letters[] = "OALlMmeBdcvrap";

static void check_readers(const struct reader_rule *rule, const struct id32 *refused, size_t n_refused, const char *expected)
{
	struct reader *readers;
	char found[32] = "", *at = found;
	size_t n;

	assert_int_equal(audience_readers(&readers, &n, people_state(people), root(ANN), rule, refused, n_refused), OK);
	for (size_t person = 0; person < people->n; person++)
		for (size_t i = 0; i < n; i++)
			if (id32_equal(&readers[i].device, &people->person[person].device)) {
				*at++ = letters[person];
				assert_memory_equal(readers[i].box, people->person[person].box, KEY_LEN);
				assert_memory_equal(&readers[i].member, root(person == ANN_PHONE ? ANN : person), ID_LEN);
			}
	for (size_t i = 1; i < n; i++)
		assert_true(id32_compare(&readers[i - 1].device, &readers[i].device) < 0);
	assert_string_equal(found, expected);
	assert_int_equal(strlen(found), n);
	mem_free(readers);
}

static enum reader_class class_of(const struct reader_rule *rule, size_t person)
{
	struct reader *readers;
	enum reader_class class = READER_MEMBER;
	size_t n;

	assert_int_equal(audience_readers(&readers, &n, people_state(people), root(ANN), rule, NULL, 0), OK);
	for (size_t i = 0; i < n; i++)
		if (id32_equal(&readers[i].device, &people->person[person].device))
			class = readers[i].class;
	mem_free(readers);
	return class;
}

static void the_team_is_the_goals_else_the_objectives_else_all_of_the_members(void **state)
{
	struct goal goal = { .shared = true };
	struct reader_rule rule = rule_for(&goal, NULL);

	(void)state;
	assert_int_equal(rule.n_teams, 1);
	assert_true(id16_equal(&rule.teams[0], &squad));
	rule = rule_for(&goal, &unit);                  /* above ann's team */
	assert_true(rule.n_teams == 1 && id16_equal(&rule.teams[0], &unit));
	rule = rule_for(&goal, &chapter);               /* ann is not in it */
	assert_true(rule.n_teams == 1 && id16_equal(&rule.teams[0], &squad));
	goal.has_team = true;
	goal.team = chapter;
	rule = rule_for(&goal, &unit);
	assert_true(rule.n_teams == 1 && id16_equal(&rule.teams[0], &chapter));
	goal.is_private = true;
	rule = rule_for(&goal, &unit);
	assert_true(rule.n_teams == 0 && rule.is_private);
	goal = (struct goal){ .shared = true };
	reader_rule_for(&rule, people_state(people), root(LEAD), &goal, false, NULL, 2);
	assert_true(rule.n_teams == 1 && id16_equal(&rule.teams[0], &squad));          /* leading is being in it */
	people_into(people, ANN, &chapter);
	goal = (struct goal){ .shared = true };
	rule = rule_for(&goal, NULL);
	assert_int_equal(rule.n_teams, 2);
	assert_true(id16_compare(&rule.teams[0], &rule.teams[1]) < 0);
}

static void those_above_read(void **state)
{
	struct goal goal = { .shared = true };
	struct reader_rule rule = rule_for(&goal, NULL);

	(void)state;
	check_readers(&rule, NULL, 0, "OALlMmBdrap");
	assert_int_equal(class_of(&rule, OWNER), READER_OWNER);
	assert_int_equal(class_of(&rule, ADMIN), READER_ADMIN);
	assert_int_equal(class_of(&rule, LEAD), READER_LEAD);
	assert_int_equal(class_of(&rule, LEAD_ABOVE), READER_LEAD);
	assert_int_equal(class_of(&rule, MANAGER), READER_MANAGER);
	assert_int_equal(class_of(&rule, MANAGER_ABOVE), READER_MANAGER);
	assert_int_equal(class_of(&rule, BOSS), READER_MANAGER);
	assert_int_equal(class_of(&rule, DOTTED), READER_MANAGER);
	assert_int_equal(class_of(&rule, ROBOT), READER_AGGREGATOR);
	assert_int_equal(class_of(&rule, ANN_PHONE), READER_SELF);
}

static void the_team_above_leaves_out_those_below(void **state)
{
	struct goal goal = { .shared = true };
	struct reader_rule rule = rule_for(&goal, &unit);

	(void)state;
	check_readers(&rule, NULL, 0, "OAlmBdrap");
	goal.has_team = true;
	goal.team = chapter;
	rule = rule_for(&goal, NULL);
	check_readers(&rule, NULL, 0, "OAeBdrap");
	goal.team = (struct id16){ { 'x' } };           /* of no team: nobody's lead */
	rule = rule_for(&goal, NULL);
	check_readers(&rule, NULL, 0, "OABdrap");
}

static void a_viewer_reads_no_contributions_even_as_lead(void **state)
{
	struct goal goal = { .shared = true };
	struct reader_rule rule = rule_for(&goal, NULL);

	(void)state;
	people_lead(people, VIEWER, &squad);
	people_dotted(people, ANN, VIEWER);
	check_readers(&rule, NULL, 0, "OAlMmBdrap");
}

static void a_refused_aggregator_does_not_read(void **state)
{
	struct goal goal = { .shared = true };
	struct reader_rule rule = rule_for(&goal, NULL);
	struct id32 refused[] = { people->person[ROBOT].device, people->person[OWNER].device };

	(void)state;
	people_capability(people, ADMIN, CAPABILITY_AGGREGATOR);
	check_readers(&rule, refused, 2, "OALlMmBdap");                 /* an Owner reads by rank */
	assert_int_equal(class_of(&rule, ADMIN), READER_ADMIN);
}

static void a_private_goal_is_the_direct_managers_alone(void **state)
{
	struct goal goal = { .shared = true, .is_private = true };
	struct reader_rule rule = rule_for(&goal, &unit);

	(void)state;
	check_readers(&rule, NULL, 0, "Bap");
	assert_int_equal(class_of(&rule, BOSS), READER_MANAGER);
	people_capability(people, BOSS, CAPABILITY_AGGREGATOR);
	check_readers(&rule, NULL, 0, "Bap");
	assert_non_null(audience_manager(people_state(people), root(ANN)));
	people_remove(people, BOSS);
	check_readers(&rule, NULL, 0, "");
	assert_null(audience_manager(people_state(people), root(ANN)));
	assert_null(audience_manager(people_state(people), root(OWNER)));
}

static void the_removed_and_relays_read_nothing(void **state)
{
	struct goal goal = { .shared = true };
	struct reader_rule rule = rule_for(&goal, NULL);

	(void)state;
	people_remove(people, LEAD);
	people_remove(people, ROBOT);
	people_capability(people, ADMIN, CAPABILITY_RELAY);
	check_readers(&rule, NULL, 0, "OlMmBdap");
	people_revoke(people, ANN_PHONE);
	check_readers(&rule, NULL, 0, "OlMmBda");
}

static void all_active_devices_read_the_org_epoch(void **state)
{
	struct reader *readers;
	size_t n;

	(void)state;
	people_remove(people, COLLEAGUE);
	people_capability(people, ROBOT, CAPABILITY_RELAY);
	assert_int_equal(audience_org(&readers, &n, people_state(people)), OK);
	assert_int_equal(n, people->n - 2);
	for (size_t i = 0; i < n; i++) {
		assert_true(i == 0 || id32_compare(&readers[i - 1].device, &readers[i].device) < 0);
		assert_false(id32_equal(&readers[i].device, &people->person[COLLEAGUE].device));
		assert_false(id32_equal(&readers[i].device, &people->person[ROBOT].device));
		if (id32_equal(&readers[i].device, &people->person[VIEWER].device))
			assert_int_equal(readers[i].class, READER_MEMBER);
		if (id32_equal(&readers[i].device, &people->person[OWNER].device))
			assert_int_equal(readers[i].class, READER_OWNER);
	}
	mem_free(readers);
}

static void rules_come_back_as_they_went(void **state)
{
	struct reader_rule rule = { .layer = 2, .n_teams = 2, .teams = { { { 1 } }, { { 2 } } } }, back;
	struct buf bytes = { 0 };
	struct id16 a, b;

	(void)state;
	reader_rule_encode(&bytes, &rule);
	assert_int_equal(reader_rule_decode(&back, buf_slice(&bytes)), OK);
	assert_int_equal(reader_rule_compare(&rule, &back), 0);
	audience_id(&a, SECRET, &rule);
	audience_id(&b, SECRET, &back);
	assert_true(id16_equal(&a, &b));
	back.layer = 3;
	audience_id(&b, SECRET, &back);
	assert_false(id16_equal(&a, &b));
	for (size_t len = 0; len < bytes.len; len++)
		assert_int_equal(reader_rule_decode(&back, SLICE(bytes.data, len)), ERR_MALFORMED);
	bytes.data[1] = 1;                              /* private, and yet with teams */
	assert_int_equal(reader_rule_decode(&back, buf_slice(&bytes)), ERR_MALFORMED);
	bytes.data[1] = 0;
	bytes.data[3] = 2;                              /* the same team twice */
	assert_int_equal(reader_rule_decode(&back, buf_slice(&bytes)), ERR_MALFORMED);
	buf_free(&bytes);
}

static void a_member_of_many_teams_has_a_rule_of_the_first(void **state)
{
	struct goal goal = { .shared = true };
	struct reader_rule rule;

	(void)state;
	for (int i = 0; i < 40; i++) {
		struct id16 team = people_team(people, NULL);

		people_into(people, ANN, &team);
	}
	rule = rule_for(&goal, NULL);
	assert_int_equal(rule.n_teams, RULE_TEAMS_MAX);
	assert_true(id16_equal(&rule.teams[0], &squad));
	for (size_t i = 1; i < rule.n_teams; i++)
		assert_true(id16_compare(&rule.teams[i - 1], &rule.teams[i]) < 0);
}

static void any_allocation_may_fail(void **state)
{
	struct goal goal = { .shared = true };
	struct reader_rule rule = rule_for(&goal, NULL);
	const struct state *s = people_state(people);
	size_t live = mem_live();
	enum err e = ERR_NOMEM;

	(void)state;
	for (int k = 0; e != OK; k++) {
		struct reader *readers;
		size_t n;

		mem_fail_after(k);
		e = audience_readers(&readers, &n, s, root(ANN), &rule, NULL, 0);
		mem_fail_after(-1);
		assert_true(e == OK || (e == ERR_NOMEM && n == 0));
		mem_free(readers);
		assert_int_equal(mem_live(), live);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_team_is_the_goals_else_the_objectives_else_all_of_the_members),
		TEST(those_above_read),
		TEST(the_team_above_leaves_out_those_below),
		TEST(a_viewer_reads_no_contributions_even_as_lead),
		TEST(a_refused_aggregator_does_not_read),
		TEST(a_private_goal_is_the_direct_managers_alone),
		TEST(the_removed_and_relays_read_nothing),
		TEST(all_active_devices_read_the_org_epoch),
		TEST(rules_come_back_as_they_went),
		TEST(a_member_of_many_teams_has_a_rule_of_the_first),
		TEST(any_allocation_may_fail),
	};

	crypto_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
