/* authority: whichever allocation fails, nothing is lost, and the same question can be asked again. */
#include "tests/unit/org_authority_cast.h"

static struct person joiner, second;

static int start_story(void **state)
{
	struct act_body b;
	struct cites then = { 0, {{{ 0 }}} };

	start(state);
	joiner = person_of(20);
	second = with_device(&owner, 1);
	b = (struct act_body){ .certificate_bytes = SLICE(second.certificate, second.certificate_len) };
	by(&w, &owner, ACT_CERTIFY, b, NOW);
	make_team(&w, &admin, 1, NOW);
	team_member(&w, &admin, 1, &manager, true, NOW);
	team_lead(&w, &admin, 1, &member1, NOW);
	by(&w, &admin, ACT_DOTTED, (struct act_body){ .member = member2.root.id, .root = manager.root.id, .on = true }, NOW);
	by(&w, &admin, ACT_SETTING, (struct act_body){ .setting = 1 }, NOW);
	invite(&w, &admin2, 10, ROLE_MEMBER, 5, &(struct id16){{ 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 }}, NOW);
	then.n = authority_heads(w.a, then.ids, LIMIT_HEADS);
	admit(&w, &manager, 10, &joiner, 1, then);
	make_team(&w, &admin2, 2, then);
	remove_member(&w, &admin, &admin2, then);
	by(&w, &owner, ACT_MERGE, none, NOW);
	remove_member(&w, &owner, &manager, NOW);
	return 0;
}

/* Once a call has failed there is memory again. */
static enum err again(enum err e, bool *failed)
{
	if (e == OK)
		return OK;
	/* act_body_load takes a certificate that it has no memory to check for a malformed one */
	assert_true(e == ERR_NOMEM || e == ERR_MALFORMED);
	mem_fail_after(-1);
	*failed = true;
	return e;
}

static void tell(struct authority *a, struct buf *out, bool *failed)
{
	const struct data_right own = { .own_only = true };
	const struct state *s;
	bool added, yes;

	for (size_t i = 0; i < w.n; i++) {
		if (again(authority_add(a, &added, buf_slice(&w.acts[i].bytes)), failed) != OK) {
			assert_false(added);
			assert_int_equal(authority_count(a), i);
			assert_int_equal(authority_add(a, &added, buf_slice(&w.acts[i].bytes)), OK);
		}
		assert_true(added);
		if (i % 3 == 0 && again(authority_state(a, &s), failed) != OK)
			assert_int_equal(authority_state(a, &s), OK);
	}
	if (again(authority_state_at(a, &w.acts[9].id, 1, &s), failed) != OK)
		assert_int_equal(authority_state_at(a, &w.acts[9].id, 1, &s), OK);
	assert_non_null(state_member(s, &manager.root.id));
	if (again(authority_data_counts(a, &yes, &manager.device.id, 7, 1, &w.acts[9].id, 1, &own), failed) != OK)
		assert_int_equal(authority_data_counts(a, &yes, &manager.device.id, 7, 1, &w.acts[9].id, 1, &own), OK);
	assert_false(yes);
	mem_fail_after(-1);
	assert_int_equal(authority_state(a, &s), OK);
	state_encode(out, s);
}

static void test_any_allocation_may_fail(void **state)
{
	bool failed = true;

	(void)state;
	(void)now(&w);
	for (long k = 0; failed; k++) {
		struct buf expected = {0}, got = {0};
		size_t live = mem_live();
		struct authority *a = authority_new();

		state_encode(&expected, now(&w));
		failed = false;
		mem_fail_after(k);
		tell(a, &got, &failed);
		assert_true(slice_equal(buf_slice(&expected), buf_slice(&got)));
		authority_free(a);
		buf_free(&expected);
		buf_free(&got);
		assert_int_equal(mem_live(), live);
	}
}

static void test_without_memory_there_is_no_authority(void **state)
{
	(void)state;
	for (long k = 0; k < 2; k++) {
		mem_fail_after(k);
		assert_null(authority_new());
		mem_fail_after(-1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_any_allocation_may_fail, start_story, end),
		cmocka_unit_test(test_without_memory_there_is_no_authority),
	};

	assert(crypto_start() == OK);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
