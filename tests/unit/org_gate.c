#include "tests/unit/org_people.h"
#include <stdio.h>
#include "base/limits.h"
#include "base/mem.h"
#include "base/mp.h"
#include "base/rng.h"
#include "org/gate.h"

enum { OWNER, BOSS, ANN };
#define GOALS 12
#define OBJECTIVES 4
#define LINKS_MAX 64

static const uint8_t SECRET[KEY_LEN] = { 5 };
static struct people *people;

/* Ann's documents.  Every text of goal n holds a canary. */
struct ann {
	struct goal goals[GOALS];
	char titles[GOALS][40], categories[GOALS][40], tasks[GOALS][40];
	struct link links[LINKS_MAX];
	struct objective objectives[OBJECTIVES];
	struct id16 only[GOALS], hide[GOALS];
	struct sharing sharing;
	struct gate_input in;
};

static int setup(void **state)
{
	struct id16 squad;

	(void)state;
	people = people_new();
	people_join(people, ROLE_MEMBER);
	people_join(people, ROLE_MEMBER);
	squad = people_team(people, NULL);
	people_into(people, ANN, &squad);
	people_manager(people, ANN, BOSS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	people_free(people);
	return 0;
}

static struct id16 goal_id(size_t n)
{
	struct id16 id = { "GOAL-ID-CANARY-" };

	id.b[15] = (uint8_t)n;
	return id;
}

static struct id16 objective_id(size_t n)
{
	return (struct id16){ { 'o', (uint8_t)n } };
}

static struct ann *ann_new(void)
{
	struct ann *a = calloc(1, sizeof *a);
	const struct team *const *teams;

	for (size_t i = 0; i < GOALS; i++) {
		struct goal *g = &a->goals[i];

		snprintf(a->titles[i], sizeof a->titles[i], "CANARY-TITLE-%02zu-END", i);
		snprintf(a->categories[i], sizeof a->categories[i], "CANARY-CATEGORY-%02zu-END", i);
		snprintf(a->tasks[i], sizeof a->tasks[i], "CANARY-TASKS-%02zu-END", i);
		*g = (struct goal){ .id = goal_id(i), .shared = true, .title = slice_of(a->titles[i]),
			.description = slice_of(a->titles[i]), .category = slice_of(a->categories[i]),
			.percent = { true, (decimal)(i + 1) * 10000 }, .tasks_done = (unsigned)i, .tasks_total = 2 * (unsigned)i,
			.minutes = 100 * i, .status = GOAL_IN_PROGRESS, .n_categories = 1,
			.changed = hlc_from_ms(1700000000000 + i) };
		g->categories[0] = (struct task_category){ slice_of(a->tasks[i]), (unsigned)i };
	}
	state_teams(people_state(people), &teams);
	for (size_t i = 0; i < OBJECTIVES; i++)
		a->objectives[i] = (struct objective){ .id = objective_id(i), .has_team = i == 1, .team = teams[0]->id };
	a->sharing = (struct sharing){ .accepted = true, .progress = true, .counts = true, .categories = true, .only = a->only,
		.hide = a->hide };
	a->in = (struct gate_input){ .org = *authority_space(people->authority), .member = people->person[ANN].root,
		.goals = a->goals, .n_goals = GOALS, .links = a->links, .objectives = a->objectives, .n_objectives = OBJECTIVES,
		.sharing = &a->sharing, .state = people_state(people), .secret = SECRET };
	return a;
}

static struct link *link_to(struct ann *a, size_t goal, size_t objective)
{
	struct link *l = &a->links[a->in.n_links++];

	*l = (struct link){ .id = { { 'l', (uint8_t)goal, (uint8_t)objective } }, .goal = goal_id(goal),
		.objective = objective_id(objective), .org = a->in.org, .weight = DECIMAL_ONE, .active = true };
	return l;
}

struct reports { struct gate_report *r; size_t n; };

static struct reports run(const struct ann *a)
{
	struct reports out;

	assert_int_equal(gate_reports(&out.r, &out.n, &a->in, false), OK);
	return out;
}

static struct report read_report(const struct gate_report *r)
{
	struct report out;

	assert_int_equal(report_read(&out, buf_slice(&r->body)), OK);
	return out;
}

static bool holds(const struct gate_report *r, const char *text)
{
	return memmem(r->body.data, r->body.len, text, strlen(text)) != NULL;
}

/* ---- consent ---------------------------------------------------------------------------------------------------- */

static void nothing_leaves_before_it_is_accepted(void **state)
{
	struct ann *a = ann_new();
	struct reports r, preview;

	(void)state;
	link_to(a, 1, 1);
	a->sharing.accepted = false;
	r = run(a);
	assert_int_equal(r.n, 0);
	gate_reports_free(r.r, r.n);
	assert_int_equal(gate_why(&a->in, &a->goals[1].id), GATE_NOT_ACCEPTED);
	assert_int_equal(gate_reports(&preview.r, &preview.n, &a->in, true), OK);
	a->sharing.accepted = true;
	r = run(a);
	assert_int_equal(preview.n, 1);
	assert_int_equal(r.n, 1);
	assert_true(slice_equal(buf_slice(&r.r[0].body), buf_slice(&preview.r[0].body)));      /* exactly what would be sealed */
	gate_reports_free(r.r, r.n);
	gate_reports_free(preview.r, preview.n);
	free(a);
}

static void each_reason_has_its_name(void **state)
{
	struct ann *a = ann_new();
	struct id16 unknown = goal_id(99);

	(void)state;
	link_to(a, 1, 1);
	assert_int_equal(gate_why(&a->in, &a->goals[1].id), GATE_SHARED);
	assert_int_equal(gate_why(&a->in, &a->goals[2].id), GATE_NOT_LINKED);
	assert_int_equal(gate_why(&a->in, &unknown), GATE_DELETED);
	a->only[0] = a->goals[2].id;
	a->sharing.n_only = 1;
	assert_int_equal(gate_why(&a->in, &a->goals[1].id), GATE_NOT_LISTED);
	a->only[0] = a->hide[0] = a->goals[1].id;
	a->sharing.n_hide = 1;
	assert_int_equal(gate_why(&a->in, &a->goals[1].id), GATE_HIDDEN);
	a->sharing.n_hide = a->sharing.n_only = 0;
	a->goals[1].shared = false;
	assert_int_equal(gate_why(&a->in, &a->goals[1].id), GATE_HIDDEN);
	a->goals[1].shared = true;
	a->objectives[1].deleted = true;
	assert_int_equal(gate_why(&a->in, &a->goals[1].id), GATE_OBJECTIVE_GONE);
	a->objectives[1].deleted = false;
	a->goals[1].is_private = true;
	assert_int_equal(gate_why(&a->in, &a->goals[1].id), GATE_SHARED);
	a->in.member = people->person[OWNER].root;                      /* has no manager */
	assert_int_equal(gate_why(&a->in, &a->goals[1].id), GATE_PRIVATE_NO_MANAGER);
	a->goals[1].deleted = true;
	assert_int_equal(gate_why(&a->in, &a->goals[1].id), GATE_DELETED);
	a->goals[1].deleted = false;
	a->in.member.b[0] ^= 1;
	assert_int_equal(gate_why(&a->in, &a->goals[1].id), GATE_NOT_MEMBER);
	for (int why = GATE_SHARED; why <= GATE_NOT_MEMBER; why++)
		assert_true(strlen(gate_reason_text((enum gate_reason)why)) > 10);
	free(a);
}

static void a_removed_member_shares_nothing(void **state)
{
	struct ann *a = ann_new();
	struct reports r;

	(void)state;
	link_to(a, 1, 1);
	people_remove(people, ANN);
	a->in.state = people_state(people);
	r = run(a);
	assert_int_equal(r.n, 0);
	gate_reports_free(r.r, r.n);
	free(a);
}

/* ---- what is in a report ---------------------------------------------------------------------------------------- */

static void an_entry_has_what_the_settings_share(void **state)
{
	struct ann *a = ann_new();

	(void)state;
	link_to(a, 5, 1)->weight = 25000;
	for (int bits = 0; bits < 32; bits++) {
		struct sharing *s = &a->sharing;
		struct reports r;
		struct report read;
		const struct report_entry *e;

		s->progress = bits & 1;
		s->counts = bits & 2;
		s->time = bits & 4;
		s->tasks = bits & 8;
		s->categories = bits & 16;
		r = run(a);
		assert_int_equal(r.n, 1);
		assert_int_equal(r.r[0].n_entries, 1);
		read = read_report(&r.r[0]);
		assert_int_equal(read.layer, 2);
		assert_int_equal(read.n, 1);
		e = &read.entries[0];
		assert_int_equal(e->weight, 25000);
		assert_int_equal(e->last_activity_ms, 1700000000005);
		assert_true(id16_equal(&e->objective, &a->objectives[1].id));
		assert_int_equal(e->hidden, !s->progress);
		assert_int_equal(e->has_percent, s->progress);
		assert_int_equal(e->percent, s->progress ? 60000 : 0);
		assert_int_equal(e->has_tasks, s->counts);
		assert_int_equal(e->tasks_done, s->counts ? 5 : 0);
		assert_int_equal(e->tasks_total, s->counts ? 10 : 0);
		assert_int_equal(e->has_minutes, s->time);
		assert_int_equal(e->minutes, s->time ? 500 : 0);
		assert_true(slice_equal(e->category, slice_of(s->categories ? a->categories[5] : "")));
		assert_int_equal(read.summary.has_tasks, s->counts);
		assert_int_equal(read.summary.has_goals, s->progress);
		assert_int_equal(read.summary.has_minutes, s->time);
		assert_int_equal(read.summary.n_categories, s->counts && s->categories);
		assert_int_equal(holds(&r.r[0], "CANARY-TASKS"), s->counts && s->categories);
		assert_int_equal(holds(&r.r[0], "CANARY-CATEGORY"), s->categories);
		assert_false(holds(&r.r[0], "CANARY-TITLE"));
		assert_false(holds(&r.r[0], "GOAL-ID"));
		report_free(&read);
		gate_reports_free(r.r, r.n);
	}
	free(a);
}

static void an_unset_percent_is_nil_and_not_hidden(void **state)
{
	struct ann *a = ann_new();
	struct reports r;
	struct report read;

	(void)state;
	link_to(a, 5, 1);
	a->goals[5].percent.set = false;
	a->goals[5].category = (struct slice){ 0 };
	r = run(a);
	read = read_report(&r.r[0]);
	assert_false(read.entries[0].hidden);
	assert_false(read.entries[0].has_percent);
	assert_int_equal(read.entries[0].category.len, 0);
	report_free(&read);
	gate_reports_free(r.r, r.n);
	free(a);
}

static void the_summary_counts_each_goal_of_the_report_once(void **state)
{
	struct ann *a = ann_new();
	struct reports r;
	struct report read;

	(void)state;
	a->sharing.time = true;
	link_to(a, 1, 1);
	link_to(a, 2, 0);
	link_to(a, 2, 1);
	link_to(a, 2, 2);
	link_to(a, 3, 0);
	link_to(a, 4, 0);
	a->goals[3].status = GOAL_COMPLETED;
	a->goals[4].is_private = true;                  /* another audience */
	a->goals[2].categories[0].name = a->goals[3].categories[0].name = slice_of("Meetings");
	r = run(a);
	assert_int_equal(r.n, 2);
	for (size_t i = 0; i < 2; i++) {
		bool private = r.r[i].rule.is_private;

		read = read_report(&r.r[i]);
		assert_int_equal(read.n, private ? 1 : 5);
		assert_int_equal(read.summary.tasks_done, private ? 4 : 6);
		assert_int_equal(read.summary.goals_active, private ? 1 : 2);
		assert_int_equal(read.summary.minutes, private ? 400 : 600);
		assert_int_equal(read.summary.n_categories, private ? 1 : 2);
		if (!private) {
			assert_true(slice_equal(read.summary.categories[0].name, slice_of("Meetings")));
			assert_int_equal(read.summary.categories[0].done, 5);
		}
		report_free(&read);
	}
	assert_true(id16_compare(&r.r[0].audience, &r.r[1].audience) < 0);
	gate_reports_free(r.r, r.n);
	free(a);
}

static bool reads(const struct gate_report *r, size_t person)
{
	for (size_t i = 0; i < r->n_readers; i++)
		if (id32_equal(&r->readers[i].device, &people->person[person].device))
			return true;
	return false;
}

static void a_private_goal_goes_to_the_direct_manager_only(void **state)
{
	struct ann *a = ann_new();
	struct reports r;

	(void)state;
	a->goals[4].is_private = true;
	link_to(a, 4, 1);
	r = run(a);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.r[0].n_readers, 2);
	assert_true(reads(&r.r[0], ANN) && reads(&r.r[0], BOSS));
	gate_reports_free(r.r, r.n);
	people_remove(people, BOSS);
	a->in.state = people_state(people);
	r = run(a);
	assert_int_equal(r.n, 0);
	gate_reports_free(r.r, r.n);
	free(a);
}

static void of_two_links_alike_one_is_reported(void **state)
{
	struct ann *a = ann_new();
	struct reports r;
	struct report read;

	(void)state;
	link_to(a, 1, 0)->weight = 3;
	link_to(a, 1, 0)->weight = 2;
	a->links[1].id.b[0] = 0;                        /* the smaller id */
	r = run(a);
	read = read_report(&r.r[0]);
	assert_int_equal(read.n, 1);
	assert_int_equal(read.entries[0].weight, 2);
	report_free(&read);
	gate_reports_free(r.r, r.n);
	free(a);
}

static void two_organizations_cannot_compare_notes(void **state)
{
	static const uint8_t other[KEY_LEN] = { 6 };
	struct ann *a = ann_new();
	struct reports r, s;
	struct report x, y;
	struct id16 blinded;

	(void)state;
	link_to(a, 1, 0);
	r = run(a);
	a->in.secret = other;
	s = run(a);
	x = read_report(&r.r[0]);
	y = read_report(&s.r[0]);
	assert_false(id16_equal(&x.entries[0].goal, &y.entries[0].goal));
	gate_blind(&blinded, SECRET, &a->goals[1].id);
	assert_true(id16_equal(&x.entries[0].goal, &blinded));
	assert_false(id16_equal(&x.salt, &y.salt));
	assert_false(id16_equal(&r.r[0].audience, &s.r[0].audience));
	report_free(&x);
	report_free(&y);
	gate_reports_free(r.r, r.n);
	gate_reports_free(s.r, s.n);
	free(a);
}

/* ---- whatever is not shared leaves no trace --------------------------------------------------------------------- */

static bool lists(const struct id16 *ids, size_t n, size_t goal)
{
	struct id16 id = goal_id(goal);

	for (size_t i = 0; i < n; i++)
		if (id16_equal(&ids[i], &id))
			return true;
	return false;
}

/* The rule once more, in other words. */
static bool may_leave(const struct ann *a, size_t goal, bool has_manager)
{
	const struct goal *g = &a->goals[goal];
	bool linked = false;

	for (size_t i = 0; i < a->in.n_links; i++) {
		const struct link *l = &a->links[i];

		linked = linked || (l->goal.b[15] == goal && l->active && id32_equal(&l->org, &a->in.org) &&
			l->objective.b[1] < OBJECTIVES && !a->objectives[l->objective.b[1]].deleted);
	}
	return linked && !g->deleted && g->shared && !lists(a->hide, a->sharing.n_hide, goal) &&
		(a->sharing.n_only == 0 || lists(a->only, a->sharing.n_only, goal)) && (!g->is_private || has_manager);
}

static struct ann *random_ann(struct rng *rng)
{
	struct ann *a = ann_new();
	size_t links = rng_below(rng, 24);

	for (size_t i = 0; i < links; i++) {
		struct link *l = link_to(a, (size_t)rng_below(rng, GOALS), (size_t)rng_below(rng, OBJECTIVES + 1));

		l->active = rng_below(rng, 5) > 0;
		l->weight = (decimal)rng_below(rng, 30000);
		if (rng_below(rng, 6) == 0)
			l->org.b[0] ^= 1;
	}
	for (size_t i = 0; i < GOALS; i++) {
		a->goals[i].deleted = rng_below(rng, 10) == 0;
		a->goals[i].shared = rng_below(rng, 6) > 0;
		a->goals[i].is_private = rng_below(rng, 6) == 0;
		a->goals[i].status = (enum goal_status)rng_below(rng, 8);
		if (rng_below(rng, 6) == 0)
			a->hide[a->sharing.n_hide++] = goal_id(i);
		if (rng_below(rng, 3) == 0)
			a->only[a->sharing.n_only++] = goal_id(i);
	}
	if (rng_below(rng, 2))
		a->sharing.n_only = 0;
	for (size_t i = 0; i < OBJECTIVES; i++)
		a->objectives[i].deleted = rng_below(rng, 8) == 0;
	a->sharing.progress = rng_below(rng, 2);
	a->sharing.counts = rng_below(rng, 2);
	a->sharing.time = rng_below(rng, 2);
	a->sharing.tasks = rng_below(rng, 2);
	a->sharing.categories = rng_below(rng, 2);
	return a;
}

static void check_same(struct reports x, struct reports y)
{
	assert_int_equal(x.n, y.n);
	for (size_t i = 0; i < x.n; i++) {
		assert_true(slice_equal(buf_slice(&x.r[i].body), buf_slice(&y.r[i].body)));
		assert_true(id16_equal(&x.r[i].audience, &y.r[i].audience));
		assert_int_equal(x.r[i].n_readers, y.r[i].n_readers);
		assert_memory_equal(x.r[i].readers, y.r[i].readers, x.r[i].n_readers * sizeof *x.r[i].readers);
	}
	gate_reports_free(x.r, x.n);
	gate_reports_free(y.r, y.n);
}

/* Take away what may not leave: not one byte may change. */
static void check_no_trace(const struct ann *a, bool has_manager)
{
	struct ann b = *a;
	size_t n = 0;

	b.in.goals = b.goals;
	b.in.links = b.links;
	b.in.n_links = 0;
	for (size_t i = 0; i < GOALS; i++)
		if (may_leave(a, i, has_manager))
			b.goals[n++] = a->goals[i];
	b.in.n_goals = n;
	for (size_t i = 0; i < a->in.n_links; i++)
		if (may_leave(a, a->links[i].goal.b[15], has_manager))
			b.links[b.in.n_links++] = a->links[i];
	check_same(run(a), run(&b));
}

static void check_canaries(const struct ann *a, bool has_manager)
{
	struct reports r = run(a);
	size_t entries = 0;

	for (size_t i = 0; i < r.n; i++) {
		entries += r.r[i].n_entries;
		assert_false(holds(&r.r[i], "CANARY-TITLE") || holds(&r.r[i], "GOAL-ID"));
		for (size_t g = 0; g < GOALS; g++) {
			bool leaves = may_leave(a, g, has_manager);

			assert_false(!leaves && (holds(&r.r[i], a->categories[g]) || holds(&r.r[i], a->tasks[g])));
			if (r.r[i].rule.is_private != a->goals[g].is_private)
				assert_false(holds(&r.r[i], a->categories[g]));
		}
		if (r.r[i].rule.is_private)
			assert_false(reads(&r.r[i], OWNER));
	}
	for (size_t g = 0; g < GOALS; g++) {
		bool leaves = may_leave(a, g, has_manager);

		assert_int_equal(gate_why(&a->in, &a->goals[g].id) == GATE_SHARED, leaves);
		entries -= leaves && entries > 0;
	}
	gate_reports_free(r.r, r.n);
}

static void what_is_not_shared_leaves_no_trace(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed_u64(&rng, 4);
	for (int has_manager = 1; has_manager >= 0; has_manager--) {
		if (!has_manager)
			people_remove(people, BOSS);
		for (int round = 0; round < 1500; round++) {
			struct ann *a = random_ann(&rng);

			check_canaries(a, has_manager);
			check_no_trace(a, has_manager);
			free(a);
		}
	}
}

static void the_order_of_documents_does_not_matter(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed_u64(&rng, 5);
	for (int round = 0; round < 200; round++) {
		struct ann *a = random_ann(&rng);
		struct reports before = run(a);

		for (size_t i = GOALS; i > 1; i--) {
			size_t j = (size_t)rng_below(&rng, i);
			struct goal swap = a->goals[i - 1];

			a->goals[i - 1] = a->goals[j];
			a->goals[j] = swap;
		}
		for (size_t i = 0; i + 1 < a->in.n_links; i++) {
			struct link swap = a->links[i];
			size_t j = i + (size_t)rng_below(&rng, a->in.n_links - i);

			a->links[i] = a->links[j];
			a->links[j] = swap;
		}
		for (size_t i = 0; i + 1 < a->in.n_links; i++)          /* of two links alike the one with the smaller id counts */
			for (size_t j = i + 1; j < a->in.n_links; j++)
				if (id16_equal(&a->links[i].id, &a->links[j].id))
					goto skip;
		check_same(before, run(a));
		free(a);
		continue;
skip:
		gate_reports_free(before.r, before.n);
		free(a);
	}
}

/* ---- size ------------------------------------------------------------------------------------------------------- */

static size_t bin_size(size_t len)
{
	return len + (len < 256 ? 2 : len < 65536 ? 3 : 5);
}

static void padding_fills_to_a_power_of_two(void **state)
{
	(void)state;
	for (size_t len = 0; len <= 70000; len++) {
		size_t total, padding = report_padding(&total, len);

		assert_int_equal(len + 1 + bin_size(padding), total);
		assert_true(total >= 256 && (total & (total - 1)) == 0);
		for (size_t less = 256; less < total; less *= 2)        /* no smaller one can be had */
			for (size_t p = less > 300 + len ? less - len - 10 : 0; p < less && len + 1 + bin_size(p) <= less; p++)
				assert_true(len + 1 + bin_size(p) != less);
	}
}

static void every_body_is_a_power_of_two(void **state)
{
	struct ann *a = ann_new();
	char category[201];

	(void)state;
	link_to(a, 1, 1);
	for (size_t len = 0; len <= 200; len++) {
		struct reports r;
		struct report read;

		memset(category, 'x', sizeof category);
		a->goals[1].category = a->goals[1].categories[0].name = SLICE(category, len);
		if (len > 50)                           /* four bytes to a code point */
			for (size_t i = 0; i + 4 <= len; i += 4)
				memcpy(category + i, "\xf0\x9f\x8e\xaf", 4);
		r = run(a);
		assert_int_equal(r.r[0].body.len & (r.r[0].body.len - 1), 0);
		assert_true(r.r[0].body.len >= 256);
		assert_int_equal(mp_check(buf_slice(&r.r[0].body), LIMIT_DEPTH, 1000), OK);
		if (len <= 50 || len % 4 == 0) {
			read = read_report(&r.r[0]);
			report_free(&read);
		}
		gate_reports_free(r.r, r.n);
	}
	free(a);
}

static void too_many_links_are_refused(void **state)
{
	enum { MANY = 2000 };
	struct ann *a = ann_new();
	struct goal *goals = calloc(MANY, sizeof *goals);
	struct link *links = calloc(MANY, sizeof *links);
	struct reports r;

	(void)state;
	link_to(a, 1, 1);
	for (size_t i = 0; i < MANY; i++) {
		goals[i] = a->goals[1];
		links[i] = a->links[0];
		put_u32(goals[i].id.b, (uint32_t)i);
		put_u32(links[i].id.b, (uint32_t)i);
		links[i].goal = goals[i].id;
	}
	a->in.goals = goals;
	a->in.links = links;
	a->in.n_goals = a->in.n_links = MANY;
	assert_int_equal(gate_reports(&r.r, &r.n, &a->in, false), ERR_TOOBIG);
	assert_null(r.r);
	a->in.n_links = MANY / 2;
	assert_int_equal(gate_reports(&r.r, &r.n, &a->in, false), OK);
	assert_int_equal(r.r[0].body.len, REPORT_MAX);
	gate_reports_free(r.r, r.n);
	free(goals);
	free(links);
	free(a);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static void damaged_reports_are_refused_or_harmless(void **state)
{
	struct ann *a = ann_new();
	struct reports r;
	struct report read;
	size_t refused = 0, live = mem_live();

	(void)state;
	a->sharing.time = true;
	link_to(a, 1, 1);
	link_to(a, 2, 1);
	r = run(a);
	live = mem_live();
	for (size_t len = 0; len < r.r[0].body.len; len++) {
		uint8_t *cut = malloc(len + 1);

		memcpy(cut, r.r[0].body.data, len);
		assert_int_equal(report_read(&read, SLICE(cut, len)), ERR_MALFORMED);
		free(cut);
	}
	for (size_t i = 0; i < r.r[0].body.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			enum err e;

			r.r[0].body.data[i] ^= (uint8_t)(1 << bit);
			e = report_read(&read, buf_slice(&r.r[0].body));
			assert_true(e == OK || e == ERR_MALFORMED);
			refused += e != OK;
			if (e == OK)
				report_free(&read);
			r.r[0].body.data[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(mem_live(), live);
		}
	assert_true(refused > 200);
	gate_reports_free(r.r, r.n);
	free(a);
}

/* body: fields 1 and 4 and the given entries. */
static enum err read_entries(const struct buf *entries, size_t n)
{
	static const uint8_t salt[DOC_LEN];
	struct buf body = { 0 };
	struct report read;
	enum err e;

	mp_put_map(&body, 3);
	mp_put_uint(&body, 1);
	mp_put_uint(&body, 2);
	mp_put_uint(&body, 2);
	mp_put_array(&body, n);
	buf_put_slice(&body, buf_slice(entries));
	mp_put_uint(&body, 4);
	mp_put_bin(&body, salt, sizeof salt);
	e = report_read(&read, buf_slice(&body));
	if (e == OK)
		report_free(&read);
	buf_free(&body);
	return e;
}

static void put_entry(struct buf *b, uint8_t goal, int64_t weight, int64_t percent, unsigned done, unsigned total)
{
	uint8_t id[DOC_LEN] = { goal };

	mp_put_map(b, 7);
	for (unsigned key = 1; key <= 2; key++) {
		mp_put_uint(b, key);
		mp_put_bin(b, id, sizeof id);
	}
	mp_put_uint(b, 3);
	mp_put_int(b, weight);
	mp_put_uint(b, 4);
	mp_put_int(b, percent);
	mp_put_uint(b, 5);
	mp_put_uint(b, done);
	mp_put_uint(b, 6);
	mp_put_uint(b, total);
	mp_put_uint(b, 7);
	mp_put_uint(b, 0);
}

static void entries_out_of_bounds_are_refused(void **state)
{
	static const struct { uint8_t first, second; int64_t weight, percent; unsigned done, total; enum err expected; } cases[] = {
		{ 1, 2, 0, 0, 0, 0, OK },
		{ 1, 2, DECIMAL_WEIGHT_MAX, DECIMAL_MAX, 5, 5, OK },
		{ 1, 2, 1, -DECIMAL_MAX, UINT32_MAX, UINT32_MAX, OK },
		{ 2, 1, 0, 0, 0, 0, ERR_MALFORMED },            /* not sorted */
		{ 1, 1, 0, 0, 0, 0, ERR_MALFORMED },            /* twice */
		{ 1, 2, -1, 0, 0, 0, ERR_MALFORMED },
		{ 1, 2, DECIMAL_WEIGHT_MAX + 1, 0, 0, 0, ERR_MALFORMED },
		{ 1, 2, 0, DECIMAL_MAX + 1, 0, 0, ERR_MALFORMED },
		{ 1, 2, 0, -DECIMAL_MAX - 1, 0, 0, ERR_MALFORMED },
		{ 1, 2, 0, 0, 2, 1, ERR_MALFORMED },            /* more done than there are */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b = { 0 };

		put_entry(&b, cases[i].first, 1, 1, 0, 1);
		put_entry(&b, cases[i].second, cases[i].weight, cases[i].percent, cases[i].done, cases[i].total);
		assert_int_equal(read_entries(&b, 2), cases[i].expected);
		buf_free(&b);
	}
}

static void any_allocation_may_fail(void **state)
{
	struct ann *a = ann_new();
	size_t live;
	enum err e = ERR_NOMEM;
	int k;

	(void)state;
	link_to(a, 1, 1);
	link_to(a, 2, 1);
	link_to(a, 3, 1);
	a->goals[3].is_private = true;
	live = mem_live();
	for (k = 0; e != OK; k++) {
		struct reports r;

		mem_fail_after(k);
		e = gate_reports(&r.r, &r.n, &a->in, false);
		mem_fail_after(-1);
		assert_true(e == OK || (e == ERR_NOMEM && r.r == NULL && r.n == 0));
		if (e == OK) {
			enum err read_e = ERR_NOMEM;

			for (int j = 0; read_e != OK; j++) {
				struct report read;
				size_t before = mem_live();

				mem_fail_after(j);
				read_e = report_read(&read, buf_slice(&r.r[0].body));
				mem_fail_after(-1);
				assert_true(read_e == OK || read_e == ERR_NOMEM);
				report_free(&read);
				assert_int_equal(mem_live(), before);
			}
		}
		gate_reports_free(r.r, r.n);
		assert_int_equal(mem_live(), live);
	}
	assert_true(k > 6);
	free(a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_leaves_before_it_is_accepted),
		TEST(each_reason_has_its_name),
		TEST(a_removed_member_shares_nothing),
		TEST(an_entry_has_what_the_settings_share),
		TEST(an_unset_percent_is_nil_and_not_hidden),
		TEST(the_summary_counts_each_goal_of_the_report_once),
		TEST(a_private_goal_goes_to_the_direct_manager_only),
		TEST(of_two_links_alike_one_is_reported),
		TEST(two_organizations_cannot_compare_notes),
		TEST(what_is_not_shared_leaves_no_trace),
		TEST(the_order_of_documents_does_not_matter),
		TEST(padding_fills_to_a_power_of_two),
		TEST(every_body_is_a_power_of_two),
		TEST(too_many_links_are_refused),
		TEST(damaged_reports_are_refused_or_harmless),
		TEST(entries_out_of_bounds_are_refused),
		TEST(any_allocation_may_fail),
	};

	crypto_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
