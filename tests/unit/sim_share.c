/* Consent (promise 5): a new name in a class of readers is announced in the turn of the first seal, in the audit and in status; the
 * consent version that preview tells is the one that accepting writes; what is withdrawn is replaced. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "tests/sim/world.h"

static struct id32 org;

static void command(struct world *w, size_t node, struct command c)
{
	assert_int_equal(world_command(w, node, &c, 60000), OK);
}

static struct id16 made(struct world *w)
{
	const uint8_t *bytes = world_reply_bin(w, "id", DOC_LEN);
	struct id16 id;

	assert_non_null(bytes);
	memcpy(&id, bytes, DOC_LEN);
	return id;
}

static struct id16 titled(struct world *w, size_t node, enum command_kind kind, const char *title)
{
	struct pair pair = { slice_of("title"), slice_of(title) };

	command(w, node, (struct command){ .kind = kind, .pairs = &pair, .n_pairs = 1 });
	return made(w);
}

static void join(struct world *w, size_t node, enum role role)
{
	struct buf code = {0};

	command(w, 0, (struct command){ .kind = COMMAND_INVITE, .has_role = true, .role = role });
	buf_put_slice(&code, world_reply_text(w, "code"));
	command(w, node, (struct command){ .kind = COMMAND_ORG_JOIN, .text = buf_slice(&code) });
	buf_free(&code);
	world_run(w, 2000);
}

/* Node 0 is the Owner, node 1 a Member with one shared goal.  → the goal */
static struct id16 shared(struct world *w)
{
	struct id16 objective, goal;

	command(w, 0, (struct command){ .kind = COMMAND_ORG_CREATE, .text = slice_of("Share") });
	memcpy(&org, world_reply_bin(w, "id", ID_LEN), ID_LEN);
	world_run(w, 500);
	join(w, 1, ROLE_MEMBER);
	objective = titled(w, 0, COMMAND_OBJECTIVE_ADD, "Objective");
	world_run(w, 2000);
	goal = titled(w, 1, COMMAND_GOAL_ADD, "Goal");
	command(w, 1, (struct command){ .kind = COMMAND_LINK, .has_document = true, .document = goal, .has_target = true, .target = objective });
	command(w, 1, (struct command){ .kind = COMMAND_SHARE_ACCEPT, .on = true });
	world_run(w, 2000);
	return goal;
}

static size_t audited(struct world *w, size_t node, const char *type)
{
	struct view *v = world_view(w, node);
	struct view_audit *entries;
	size_t n = 0, count = 0;

	assert_int_equal(view_audit(v, &entries, &n), OK);
	for (size_t i = 0; i < n; i++) {
		assert_true(entries[i].verified);
		count += slice_equal(entries[i].type, slice_of(type));
	}
	view_close(v);
	return count;
}

static bool noticed(struct world *w, size_t node, const char *text)
{
	struct view *v = world_view(w, node);
	struct slice notices[16];
	size_t n = view_notices(v, notices, 16);
	bool found = false;

	for (size_t i = 0; i < n; i++)
		found = found || memmem(notices[i].data, notices[i].len, text, strlen(text)) != NULL;
	view_close(v);
	return found;
}

static struct world *three(void)
{
	struct world_options options = { .nodes = 3 };
	struct world *w = world_new(11, &options);

	world_faults(w, false);
	return w;
}

static void test_a_new_reader_is_announced(void **state)
{
	struct world *w = three();

	(void)state;
	(void)shared(w);
	assert_int_equal(audited(w, 1, "reader"), 0);
	assert_false(noticed(w, 1, "can now read"));
	join(w, 2, ROLE_ADMIN);                 /* Admins read: so did the class that was approved; this name is new */
	assert_int_equal(audited(w, 1, "reader"), 1);
	assert_true(noticed(w, 1, "can now read"));
	world_free(w);
}

static void test_a_reader_who_was_named_is_not_announced_again(void **state)
{
	struct world *w = three();
	struct id16 goal;

	(void)state;
	goal = shared(w);
	join(w, 2, ROLE_ADMIN);
	command(w, 1, (struct command){ .kind = COMMAND_GOAL_PROGRESS, .has_document = true, .document = goal, .has_value = true,
		.value = 7 * DECIMAL_ONE });
	world_run(w, 2000);
	assert_int_equal(audited(w, 1, "reader"), 1);
	world_free(w);
}

static void test_a_fellow_member_is_no_reader(void **state)
{
	struct world *w = three();
	struct view_report *reports;
	struct view *v;
	size_t n;

	(void)state;
	(void)shared(w);
	join(w, 2, ROLE_MEMBER);
	assert_int_equal(audited(w, 1, "reader"), 0);
	v = world_view(w, 2);
	assert_int_equal(view_reports(v, &org, &reports, &n), OK);
	assert_int_equal(n, 0);
	view_close(v);
	world_free(w);
}

static void test_preview_tells_the_consent_version(void **state)
{
	struct world *w = three();
	struct view_report *reports;
	struct view *v;
	uint64_t told;
	size_t n;

	(void)state;
	(void)shared(w);
	command(w, 1, (struct command){ .kind = COMMAND_SHARE_ACCEPT, .on = false });
	v = world_view(w, 1);
	told = view_next_consent(v, &org);
	view_close(v);
	command(w, 1, (struct command){ .kind = COMMAND_SHARE_ACCEPT, .on = true });
	world_run(w, 2000);
	v = world_view(w, 0);
	assert_int_equal(view_reports(v, &org, &reports, &n), OK);
	assert_int_equal(n, 1);
	assert_int_equal(reports[0].consent, told);
	view_close(v);
	world_free(w);
}

static void test_what_is_withdrawn_says_nothing(void **state)
{
	struct world *w = three();
	struct view_report *reports;
	struct report report;
	struct view *v;
	size_t n;

	(void)state;
	(void)shared(w);
	command(w, 1, (struct command){ .kind = COMMAND_SHARE_ACCEPT, .on = false });
	world_run(w, 2000);
	v = world_view(w, 0);
	assert_int_equal(view_reports(v, &org, &reports, &n), OK);
	assert_int_equal(n, 1);
	assert_int_equal(report_read(&report, reports[0].body), OK);
	assert_int_equal(report.n, 0);
	report_free(&report);
	view_close(v);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_reader_is_announced),
		cmocka_unit_test(test_a_reader_who_was_named_is_not_announced_again),
		cmocka_unit_test(test_a_fellow_member_is_no_reader),
		cmocka_unit_test(test_preview_tells_the_consent_version),
		cmocka_unit_test(test_what_is_withdrawn_says_nothing),
	};

	if (crypto_start() != OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
