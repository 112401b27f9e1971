#include "tests/unit/org_people.h"
#include <stdio.h>
#include "base/mem.h"
#include "base/rng.h"
#include "org/rollup.h"

#define MAX_OBJECTIVES 32
#define MAX_CONTRIBUTIONS 256
#define P(percent) ((decimal)((percent) * 10000LL))

/* A small world: objectives 1, 2, … and members 1, 2, … named by the first byte of their ids. */
struct world {
	struct objective objectives[MAX_OBJECTIVES];
	const struct key_result *krs[MAX_OBJECTIVES];
	size_t n_krs[MAX_OBJECTIVES];
	struct contribution contributions[MAX_CONTRIBUTIONS];
	struct rollup_input in;
};

static struct id16 id_of(unsigned n)
{
	struct id16 id = { { (uint8_t)(n >> 8), (uint8_t)n } };

	return id;
}

static struct id32 member_id(unsigned n)
{
	struct id32 id = { { (uint8_t)(n >> 8), (uint8_t)n } };

	return id;
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof *w);

	w->in = (struct rollup_input){ .objectives = w->objectives, .key_results = w->krs, .n_key_results = w->n_krs,
		.contributions = w->contributions, .settings = { .min_group = 1 } };
	return w;
}

/* Objectives must be added in the order of their ids. */
static struct objective *add_objective(struct world *w, unsigned id, unsigned parent, enum method method)
{
	struct objective *o = &w->objectives[w->in.n_objectives++];

	*o = (struct objective){ .id = id_of(id), .method = method, .weight = DECIMAL_ONE, .target = { true, P(100) } };
	o->has_parent = parent != 0;
	o->parent = id_of(parent);
	o->parent_at = id;
	return o;
}

static struct contribution *add_link(struct world *w, unsigned member, unsigned goal, unsigned objective, decimal percent,
	decimal weight)
{
	struct contribution *c = &w->contributions[w->in.n_contributions++];

	*c = (struct contribution){ .member = member_id(member), .at_ms = 1000, .entry = { .goal = id_of(goal),
		.objective = id_of(objective), .weight = weight, .has_percent = true, .percent = percent } };
	c->report.b[0] = (uint8_t)member;
	c->salt.b[0] = (uint8_t)(member + 1);
	return c;
}

static void set_tasks(struct contribution *c, unsigned done, unsigned total)
{
	c->entry.has_tasks = true;
	c->entry.tasks_done = done;
	c->entry.tasks_total = total;
}

static void hide(struct contribution *c)
{
	c->entry.hidden = true;
	c->entry.has_percent = false;
	c->entry.percent = 0;
}

static struct rollup compute(const struct world *w)
{
	struct rollup r;

	assert_int_equal(rollup_compute(&r, &w->in), OK);
	return r;
}

static const struct rollup_result *result(const struct rollup *r, unsigned objective)
{
	struct id16 id = id_of(objective);
	const struct rollup_result *found = rollup_find(r, &id);

	assert_non_null(found);
	return found;
}

/* The one value that most tests are about. */
static void check_progress(const struct world *w, unsigned objective, decimal expected)
{
	struct rollup r = compute(w);

	assert_true(result(&r, objective)->progress.set);
	assert_int_equal(result(&r, objective)->progress.value, expected);
	rollup_free(&r);
}

static void check_no_data(const struct world *w, unsigned objective)
{
	struct rollup r = compute(w);

	assert_false(result(&r, objective)->progress.set);
	assert_false(result(&r, objective)->raw.set);
	rollup_free(&r);
}

/* ---- the seed's vectors ----------------------------------------------------------------------------------------- */

static struct world *seed_world(void)
{
	struct world *w = world_new();

	add_objective(w, 1, 0, METHOD_AVERAGE);
	add_link(w, 1, 1, 1, P(75), DECIMAL_ONE);       /* Alice, twice */
	add_link(w, 1, 2, 1, P(75), DECIMAL_ONE);
	add_link(w, 2, 3, 1, P(50), DECIMAL_ONE);       /* Bob */
	return w;
}

static void an_average_is_over_contributors(void **state)
{
	struct world *w = seed_world();
	struct rollup r = compute(w);
	const struct rollup_result *o = result(&r, 1);

	(void)state;
	assert_int_equal(o->progress.value, 625000);
	assert_int_equal(o->raw.value, 625000);
	assert_int_equal(o->contributors, 2);
	assert_int_equal(o->below, 2);
	assert_int_equal(o->links, 3);
	assert_int_equal(o->hidden, 0);
	assert_int_equal(o->newest_ms, 1000);
	assert_int_equal(o->n_items, 2);
	assert_int_equal(o->items[0].kind, ITEM_CONTRIBUTOR);
	assert_int_equal(o->items[0].raw.value, P(75));
	assert_int_equal(o->items[0].links, 2);
	assert_int_equal(o->items[0].weight, DECIMAL_ONE);
	assert_int_equal(o->items[0].share, P(50));
	assert_true(o->items[0].counts && o->items[1].counts);
	rollup_free(&r);
	free(w);
}

static void by_link_it_is_another_number(void **state)
{
	struct world *w = seed_world();
	struct rollup r;

	(void)state;
	w->in.settings.unit_link = true;
	r = compute(w);
	assert_int_equal(result(&r, 1)->progress.value, 666667);
	assert_int_equal(result(&r, 1)->n_items, 3);
	assert_int_equal(result(&r, 1)->items[0].kind, ITEM_LINK);
	assert_int_equal(result(&r, 1)->contributors, 2);
	assert_int_equal(result(&r, 1)->items[2].share, 333333);
	rollup_free(&r);
	free(w);
}

static void weights_share_as_the_seed_says(void **state)
{
	struct world *w = world_new();
	struct rollup r;
	const struct rollup_result *o;

	(void)state;
	add_objective(w, 1, 0, METHOD_WEIGHTED);
	add_link(w, 1, 1, 1, P(100), 100 * DECIMAL_ONE);
	add_link(w, 2, 2, 1, 0, 20 * DECIMAL_ONE);
	add_link(w, 3, 3, 1, P(50), DECIMAL_ONE);
	r = compute(w);
	o = result(&r, 1);
	assert_int_equal(o->items[0].share, 826446);
	assert_int_equal(o->items[1].share, 165289);
	assert_int_equal(o->items[2].share, 8264);
	assert_int_equal(o->progress.value, 830579);    /* (100·100 + 50)/121 = 83.05785… */
	rollup_free(&r);
	free(w);
}

static void a_key_result_from_8_to_4_at_5_2_is_70(void **state)
{
	struct world *w = world_new();
	struct key_result krs[] = {
		{ .id = { { 1 } }, .type = KR_NUMBER, .keep = KEEP_UNSET, .baseline = P(8), .target = { true, P(4) },
			.current = { true, 52000 }, .weight = DECIMAL_ONE },
		{ .id = { { 2 } }, .type = KR_PERCENTAGE, .keep = KEEP_UNSET, .target = { true, P(95) }, .current = { true, P(19) },
			.weight = 3 * DECIMAL_ONE },
		{ .id = { { 3 } }, .type = KR_PERCENTAGE, .keep = KEEP_UNSET, .weight = 100 * DECIMAL_ONE },
	};

	(void)state;
	add_objective(w, 1, 0, METHOD_KEY_RESULTS);
	add_link(w, 1, 1, 1, P(1), DECIMAL_ONE);        /* shown, not counted */
	w->krs[0] = krs;
	w->n_krs[0] = 1;
	check_progress(w, 1, P(70));
	w->n_krs[0] = 2;
	check_progress(w, 1, 325000);                   /* (70 + 3·20)/4 */
	w->n_krs[0] = 3;
	check_progress(w, 1, 325000);                   /* without data: not averaged */
	free(w);
}

/* ---- rules ------------------------------------------------------------------------------------------------------ */

static void the_other_methods(void **state)
{
	static const struct { enum method method; decimal expected; } cases[] = { { METHOD_MINIMUM, P(20) }, { METHOD_MAXIMUM, P(60) },
		{ METHOD_SUM, P(80) }, { METHOD_AVERAGE, P(40) }, { METHOD_WEIGHTED, P(30) } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world *w = world_new();

		add_objective(w, 1, 0, cases[i].method);
		add_link(w, 1, 1, 1, P(20), 3 * DECIMAL_ONE);
		add_link(w, 2, 2, 1, P(60), DECIMAL_ONE);
		check_progress(w, 1, cases[i].expected);
		free(w);
	}
}

static void a_sum_is_clamped_and_its_raw_value_kept(void **state)
{
	struct world *w = world_new();
	struct rollup r;

	(void)state;
	add_objective(w, 1, 0, METHOD_SUM);
	add_link(w, 1, 1, 1, P(80), DECIMAL_ONE);
	add_link(w, 2, 2, 1, P(60), DECIMAL_ONE);
	r = compute(w);
	assert_int_equal(result(&r, 1)->raw.value, P(140));
	assert_int_equal(result(&r, 1)->progress.value, P(100));
	rollup_free(&r);
	w->in.settings.allow_over = true;
	check_progress(w, 1, P(140));
	free(w);
}

static void tasks_are_pooled_with_those_of_children(void **state)
{
	struct world *w = world_new();
	struct rollup r;

	(void)state;
	add_objective(w, 1, 0, METHOD_TASKS);
	add_objective(w, 2, 1, METHOD_AVERAGE);
	add_objective(w, 3, 1, METHOD_AVERAGE)->support_edge = true;
	set_tasks(add_link(w, 1, 1, 1, P(45), DECIMAL_ONE), 12, 25);
	hide(add_link(w, 2, 2, 1, 0, DECIMAL_ONE));
	set_tasks(&w->contributions[1], 3, 5);          /* counts are shared though the percentage is not */
	add_link(w, 3, 3, 1, P(99), DECIMAL_ONE);       /* no counts */
	set_tasks(add_link(w, 4, 4, 2, P(10), DECIMAL_ONE), 0, 10);
	set_tasks(add_link(w, 5, 5, 3, P(10), DECIMAL_ONE), 100, 100);
	r = compute(w);
	assert_int_equal(result(&r, 1)->progress.value, 375000);        /* 15 of 40 */
	assert_int_equal(result(&r, 1)->tasks_done, 15);
	assert_int_equal(result(&r, 1)->tasks_total, 40);
	assert_int_equal(result(&r, 1)->items[0].raw.value, P(48));
	assert_int_equal(result(&r, 1)->items[0].share, 625000);
	assert_int_equal(result(&r, 1)->hidden, 1);
	assert_int_equal(result(&r, 1)->below, 4);
	rollup_free(&r);
	free(w);
}

static void items_count_clamped_with_raw_kept(void **state)
{
	struct world *w = world_new();
	struct rollup r;

	(void)state;
	add_objective(w, 1, 0, METHOD_AVERAGE);
	add_link(w, 1, 1, 1, P(-17), DECIMAL_ONE);
	add_link(w, 2, 2, 1, P(105), DECIMAL_ONE);
	r = compute(w);
	assert_int_equal(result(&r, 1)->progress.value, P(50));
	assert_int_equal(result(&r, 1)->items[0].raw.value, P(-17));
	assert_int_equal(result(&r, 1)->items[0].clamped, 0);
	assert_int_equal(result(&r, 1)->items[1].raw.value, P(105));
	assert_int_equal(result(&r, 1)->items[1].clamped, P(100));
	rollup_free(&r);
	w->in.settings.allow_over = true;
	check_progress(w, 1, 525000);
	free(w);
}

static void a_contributors_weight_is_the_rounded_mean_of_its_links(void **state)
{
	struct world *w = world_new();
	struct rollup r;

	(void)state;
	add_objective(w, 1, 0, METHOD_WEIGHTED);
	add_link(w, 1, 1, 1, P(100), 1);
	add_link(w, 1, 2, 1, P(0), 1);
	add_link(w, 1, 3, 1, P(0), 3);                  /* mean 5/3 → 2; value 100·1/5 */
	add_link(w, 2, 4, 1, P(0), 2);
	add_link(w, 2, 5, 1, P(0), 2);
	r = compute(w);
	assert_int_equal(result(&r, 1)->items[0].weight, 2);
	assert_int_equal(result(&r, 1)->items[0].raw.value, P(20));
	assert_int_equal(result(&r, 1)->progress.value, P(10));
	rollup_free(&r);
	free(w);
}

static void nothing_to_average_is_no_data(void **state)
{
	struct world *w = world_new();

	(void)state;
	add_objective(w, 1, 0, METHOD_AVERAGE);
	check_no_data(w, 1);                            /* no items, no current value */
	hide(add_link(w, 1, 1, 1, 0, DECIMAL_ONE));
	check_no_data(w, 1);
	add_link(w, 2, 2, 1, 0, DECIMAL_ONE)->entry.has_percent = false;
	check_no_data(w, 1);
	add_link(w, 3, 3, 1, P(50), 0);                 /* Σw = 0 */
	check_no_data(w, 1);
	w->objectives[0].method = METHOD_TASKS;
	set_tasks(&w->contributions[1], 0, 0);          /* total 0 */
	check_no_data(w, 1);
	w->objectives[0].method = METHOD_KEY_RESULTS;
	check_no_data(w, 1);
	free(w);
}

static void hidden_entries_are_counted_not_averaged(void **state)
{
	struct world *w = seed_world();
	struct rollup r;

	(void)state;
	hide(add_link(w, 3, 9, 1, 0, DECIMAL_ONE));
	hide(add_link(w, 1, 8, 1, 0, 7 * DECIMAL_ONE));
	r = compute(w);
	assert_int_equal(result(&r, 1)->progress.value, 625000);
	assert_int_equal(result(&r, 1)->hidden, 2);
	assert_int_equal(result(&r, 1)->contributors, 3);
	assert_int_equal(result(&r, 1)->links, 5);
	assert_int_equal(result(&r, 1)->items[0].weight, DECIMAL_ONE);
	assert_false(result(&r, 1)->items[0].hidden);
	assert_true(result(&r, 1)->items[2].hidden);
	assert_false(result(&r, 1)->items[2].counts);
	rollup_free(&r);
	free(w);
}

static void an_objective_without_items_has_its_own_value(void **state)
{
	struct world *w = world_new();
	struct objective *o = add_objective(w, 1, 0, METHOD_AVERAGE);
	struct rollup r;

	(void)state;
	o->target = (struct number){ true, 45000 };
	o->current = (struct number){ true, 47250 };
	o->changed = hlc_from_ms(5000);
	r = compute(w);
	assert_int_equal(result(&r, 1)->raw.value, P(105));
	assert_int_equal(result(&r, 1)->progress.value, P(100));
	assert_int_equal(result(&r, 1)->items[0].kind, ITEM_OWN);
	assert_true(result(&r, 1)->items[0].counts);
	assert_int_equal(result(&r, 1)->items[0].share, P(100));
	assert_int_equal(result(&r, 1)->newest_ms, 5000);
	assert_false(result(&r, 1)->own_value_ignored);
	rollup_free(&r);
	o->target.value = 0;
	check_no_data(w, 1);
	add_link(w, 1, 1, 1, P(30), DECIMAL_ONE);
	r = compute(w);
	assert_int_equal(result(&r, 1)->progress.value, P(30));
	assert_true(result(&r, 1)->own_value_ignored);
	assert_int_equal(result(&r, 1)->n_items, 2);
	assert_false(result(&r, 1)->items[1].counts);
	rollup_free(&r);
	free(w);
}

static void parents_use_the_rounded_values_of_children(void **state)
{
	struct world *w = world_new();

	(void)state;
	add_objective(w, 1, 0, METHOD_SUM);
	for (unsigned child = 2; child <= 4; child++) {
		add_objective(w, child, 1, METHOD_AVERAGE);
		add_link(w, 1, 10 * child, child, 1, DECIMAL_ONE);      /* 0.0001 % */
		add_link(w, 2, 10 * child + 1, child, 0, DECIMAL_ONE);
	}
	check_progress(w, 2, 1);                        /* 0.00005 rounds away from zero */
	check_progress(w, 1, 3);                        /* not 2, which is 3·0.00005 rounded */
	free(w);
}

static void children_are_pooled_with_links(void **state)
{
	struct world *w = world_new();

	(void)state;
	add_objective(w, 1, 0, METHOD_WEIGHTED);
	add_objective(w, 2, 1, METHOD_AVERAGE)->weight = 3 * DECIMAL_ONE;
	add_objective(w, 3, 1, METHOD_AVERAGE)->support_edge = true;
	add_objective(w, 4, 1, METHOD_AVERAGE)->status = OBJECTIVE_CANCELLED;
	add_objective(w, 5, 1, METHOD_AVERAGE)->deleted = true;
	add_link(w, 1, 1, 1, P(100), DECIMAL_ONE);
	for (unsigned child = 2; child <= 5; child++)
		add_link(w, child, child, child, P(20), DECIMAL_ONE);
	check_progress(w, 1, P(40));                    /* (100 + 3·20)/4 */
	w->objectives[0].method = METHOD_AVERAGE;
	check_progress(w, 1, P(60));
	free(w);
}

static void support_shows_and_does_not_count(void **state)
{
	struct world *w = world_new();
	struct rollup r;

	(void)state;
	add_objective(w, 1, 0, METHOD_AVERAGE)->current = (struct number){ true, P(33) };
	add_objective(w, 2, 1, METHOD_AVERAGE)->support_edge = true;
	add_link(w, 1, 1, 2, P(80), DECIMAL_ONE);
	r = compute(w);
	assert_int_equal(result(&r, 1)->progress.value, P(33));
	assert_int_equal(result(&r, 1)->n_items, 2);
	assert_true(result(&r, 1)->items[0].support);
	assert_int_equal(result(&r, 1)->items[0].raw.value, P(80));
	assert_false(result(&r, 1)->items[0].counts);
	assert_false(result(&r, 1)->own_value_ignored);
	assert_int_equal(result(&r, 1)->below, 0);
	rollup_free(&r);
	free(w);
}

static void deleted_objectives_have_no_result_and_unknown_ones_no_effect(void **state)
{
	struct world *w = seed_world();
	struct rollup r;
	struct id16 gone = id_of(2);

	(void)state;
	add_objective(w, 2, 1, METHOD_AVERAGE)->deleted = true;
	add_objective(w, 3, 2, METHOD_AVERAGE);         /* its parent is gone */
	add_link(w, 1, 5, 2, P(1), DECIMAL_ONE);
	add_link(w, 1, 6, 77, P(1), DECIMAL_ONE);
	r = compute(w);
	assert_int_equal(r.n, 2);
	assert_null(rollup_find(&r, &gone));
	assert_int_equal(result(&r, 1)->progress.value, 625000);
	rollup_free(&r);
	free(w);
}

static void the_newest_edge_of_a_cycle_is_left_out(void **state)
{
	struct world *w = world_new();
	struct rollup r;

	(void)state;
	add_objective(w, 1, 3, METHOD_AVERAGE)->parent_at = 30;
	add_objective(w, 2, 1, METHOD_AVERAGE)->parent_at = 40;         /* the newest: 2 is the top */
	add_objective(w, 3, 2, METHOD_AVERAGE)->parent_at = 20;
	add_objective(w, 4, 4, METHOD_AVERAGE);                         /* its own parent */
	add_link(w, 1, 1, 1, P(60), DECIMAL_ONE);
	r = compute(w);
	assert_int_equal(result(&r, 2)->n_items, 1);
	assert_int_equal(result(&r, 2)->progress.value, P(60));
	assert_int_equal(result(&r, 3)->n_items, 1);
	assert_int_equal(result(&r, 1)->n_items, 1);
	assert_int_equal(result(&r, 1)->items[0].kind, ITEM_CONTRIBUTOR);
	assert_int_equal(result(&r, 4)->n_items, 0);
	rollup_free(&r);
	w->objectives[0].parent_at = w->objectives[2].parent_at = 40;   /* equal times: the largest id closes it */
	r = compute(w);
	assert_int_equal(result(&r, 3)->items[0].kind, ITEM_CHILD);
	assert_int_equal(result(&r, 2)->n_items, 0);
	rollup_free(&r);
	free(w);
}

static void a_chain_of_any_depth_is_no_recursion(void **state)
{
	enum { DEPTH = 200000 };
	struct objective *objectives = calloc(DEPTH, sizeof *objectives);
	struct contribution c = { .member = member_id(1), .entry = { .weight = 1, .has_percent = true, .percent = P(42) } };
	struct rollup_input in = { .objectives = objectives, .n_objectives = DEPTH, .contributions = &c, .n_contributions = 1 };
	struct rollup r;

	(void)state;
	for (uint32_t i = 0; i < DEPTH; i++) {
		put_u32(objectives[i].id.b, i);
		put_u32(objectives[i].parent.b, i - 1);
		objectives[i].has_parent = i > 0;
		objectives[i].weight = DECIMAL_ONE;
	}
	c.entry.objective = objectives[DEPTH - 1].id;
	assert_int_equal(rollup_compute(&r, &in), OK);
	assert_int_equal(r.results[0].progress.value, P(42));
	assert_int_equal(r.results[0].below, 1);
	rollup_free(&r);
	free(objectives);
}

static void distinct_contributors_of_the_subtree_are_counted_once(void **state)
{
	struct world *w = world_new();
	struct rollup r;

	(void)state;
	add_objective(w, 1, 0, METHOD_AVERAGE);
	add_objective(w, 2, 1, METHOD_AVERAGE);
	add_objective(w, 3, 1, METHOD_AVERAGE);
	add_link(w, 1, 1, 1, P(10), DECIMAL_ONE);
	add_link(w, 1, 2, 2, P(10), DECIMAL_ONE);
	add_link(w, 2, 3, 2, P(10), DECIMAL_ONE);
	add_link(w, 2, 4, 3, P(10), DECIMAL_ONE);
	r = compute(w);
	assert_int_equal(result(&r, 1)->contributors, 1);
	assert_int_equal(result(&r, 1)->below, 2);
	rollup_free(&r);
	w->in.settings.min_group = 2;
	r = compute(w);
	assert_true(result(&r, 1)->suppressed);         /* by its one own contributor */
	assert_false(result(&r, 2)->suppressed);
	assert_true(result(&r, 3)->suppressed);
	rollup_free(&r);
	w->in.settings.min_group = 3;
	r = compute(w);
	assert_true(result(&r, 1)->suppressed && result(&r, 2)->suppressed && result(&r, 3)->suppressed);
	rollup_free(&r);
	free(w);
}

static void cancelled_and_weightless_children_reveal_nobody_below(void **state)
{
	struct world *w = world_new();
	struct rollup r;

	(void)state;
	add_objective(w, 1, 0, METHOD_AVERAGE);
	add_objective(w, 2, 1, METHOD_AVERAGE)->status = OBJECTIVE_CANCELLED;
	add_objective(w, 3, 1, METHOD_AVERAGE)->weight = 0;
	set_tasks(add_link(w, 1, 1, 2, P(10), DECIMAL_ONE), 1, 1);
	set_tasks(add_link(w, 2, 2, 3, P(10), DECIMAL_ONE), 1, 1);
	r = compute(w);
	assert_int_equal(result(&r, 1)->n_items, 2);
	assert_int_equal(result(&r, 1)->below, 0);
	assert_int_equal(result(&r, 1)->tasks_total, 0);
	assert_int_equal(result(&r, 1)->newest_ms, 0);
	assert_false(result(&r, 1)->progress.set);
	rollup_free(&r);
	w->in.settings.min_group = 2;
	w->objectives[2].weight = 1;
	r = compute(w);
	assert_int_equal(result(&r, 1)->contributors, 0);
	assert_true(result(&r, 1)->suppressed);         /* by the one below, whose value it would be */
	rollup_free(&r);
	free(w);
}

static void a_childs_raw_value_is_kept(void **state)
{
	struct world *w = world_new();
	struct rollup r;

	(void)state;
	add_objective(w, 1, 0, METHOD_AVERAGE);
	add_objective(w, 2, 1, METHOD_SUM);
	add_link(w, 1, 1, 2, P(80), DECIMAL_ONE);
	add_link(w, 2, 2, 2, P(60), DECIMAL_ONE);
	r = compute(w);
	assert_int_equal(result(&r, 1)->items[0].raw.value, P(140));
	assert_int_equal(result(&r, 1)->items[0].clamped, P(100));
	assert_int_equal(result(&r, 1)->progress.value, P(100));
	rollup_free(&r);
	w->in.settings.allow_over = true;
	w->contributions[0].entry.percent = w->contributions[1].entry.percent = DECIMAL_MAX;
	check_progress(w, 2, DECIMAL_MAX);              /* a sum stays a decimal */
	free(w);
}

static void weights_of_links_without_data_do_not_matter(void **state)
{
	struct world *w = world_new();

	(void)state;
	add_objective(w, 1, 0, METHOD_TASKS);
	add_link(w, 1, 1, 1, P(10), 0);
	set_tasks(add_link(w, 1, 2, 1, 0, DECIMAL_ONE), 1, 4);
	hide(&w->contributions[1]);
	check_progress(w, 1, P(25));
	w->contributions[0].entry.weight = DECIMAL_ONE;
	w->contributions[1].entry.weight = 0;
	check_no_data(w, 1);
	free(w);
}

static void the_newest_input_is_also_one_without_data(void **state)
{
	struct world *w = seed_world();
	struct rollup r;

	(void)state;
	hide(add_link(w, 3, 9, 1, 0, DECIMAL_ONE));
	w->contributions[3].at_ms = 2000;
	r = compute(w);
	assert_int_equal(result(&r, 1)->newest_ms, 2000);
	rollup_free(&r);
	free(w);
}

static void the_newest_entry_of_a_link_counts(void **state)
{
	struct world *w = world_new();
	struct contribution *c;

	(void)state;
	add_objective(w, 1, 0, METHOD_AVERAGE);
	add_link(w, 1, 1, 1, P(10), DECIMAL_ONE)->at_ms = 10;
	add_link(w, 1, 1, 1, P(20), DECIMAL_ONE)->at_ms = 20;
	c = add_link(w, 1, 1, 1, P(30), DECIMAL_ONE);
	c->at_ms = 20;
	c->report.b[0] = 0;
	check_progress(w, 1, P(20));
	free(w);
}

/* ---- people ------------------------------------------------------------------------------------------------------- */

static struct world *people_world(struct people *p)
{
	struct world *w = seed_world();

	add_link(w, 3, 9, 1, P(10), 4 * DECIMAL_ONE);
	for (size_t i = 0; i < w->in.n_contributions; i++)
		w->contributions[i].member = p->person[w->contributions[i].member.b[1]].root;
	return w;
}

static const struct rollup_team *team(const struct rollup_result *r, const struct id16 *id)
{
	for (size_t i = 0; i < r->n_teams; i++)
		if (id16_equal(&r->teams[i].team, id))
			return &r->teams[i];
	return NULL;
}

static void teams_are_those_of_the_contributing_members(void **state)
{
	struct people *p = people_new();
	struct world *w;
	struct rollup r;
	struct id16 engineering, sales, idle;

	(void)state;
	for (int i = 1; i <= 4; i++)
		people_join(p, ROLE_MEMBER);
	engineering = people_team(p, NULL);
	sales = people_team(p, NULL);
	idle = people_team(p, NULL);
	people_into(p, 1, &engineering);
	people_into(p, 2, &engineering);
	people_into(p, 2, &sales);
	people_lead(p, 3, &sales);
	people_into(p, 4, &idle);
	w = people_world(p);
	w->in.state = people_state(p);
	r = compute(w);
	assert_int_equal(result(&r, 1)->n_teams, 2);
	assert_int_equal(team(result(&r, 1), &engineering)->progress.value, 625000);    /* the seed's K3 */
	assert_int_equal(team(result(&r, 1), &engineering)->contributors, 2);
	assert_int_equal(team(result(&r, 1), &sales)->progress.value, P(30));
	assert_int_equal(team(result(&r, 1), &sales)->contributors, 2);
	rollup_free(&r);
	w->objectives[0].method = METHOD_WEIGHTED;
	w->in.settings.unit_link = true;
	r = compute(w);
	assert_int_equal(team(result(&r, 1), &engineering)->progress.value, 666667);
	assert_int_equal(team(result(&r, 1), &engineering)->contributors, 2);
	assert_int_equal(team(result(&r, 1), &sales)->progress.value, P(18));
	rollup_free(&r);
	free(w);
	people_free(p);
}

static void who_is_no_longer_active_does_not_count(void **state)
{
	struct people *p = people_new();
	struct world *w;
	struct rollup r;

	(void)state;
	for (int i = 1; i <= 2; i++)
		people_join(p, ROLE_MEMBER);
	people_person(p);                       /* never joined */
	w = people_world(p);
	w->in.state = people_state(p);
	r = compute(w);
	assert_int_equal(result(&r, 1)->progress.value, 625000);
	rollup_free(&r);
	people_remove(p, 1);
	w->in.state = people_state(p);
	r = compute(w);
	assert_int_equal(result(&r, 1)->progress.value, P(50));
	assert_int_equal(result(&r, 1)->contributors, 1);
	assert_int_equal(result(&r, 1)->links, 1);
	assert_int_equal(result(&r, 1)->merkle_leaves, 1);
	rollup_free(&r);
	free(w);
	people_free(p);
}

/* ---- the tree that is published ----------------------------------------------------------------------------------- */

static void merkle_by_hand(struct id32 *out, const struct id32 *leaf, size_t n)
{
	struct id32 left, right;
	struct slice pair[] = { SLICE(left.b, 32), SLICE(right.b, 32) };
	size_t half = 1;

	if (n == 1) {
		*out = leaf[0];
		return;
	}
	while (half * 2 < n)
		half *= 2;
	merkle_by_hand(&left, leaf, half);
	merkle_by_hand(&right, leaf + half, n - half);
	crypto_hash(out, "cairn-merkle", pair, 2);
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

/* Carrying up an odd node gives the tree whose left part is the largest power of two. */
static void merkle_roots_match_a_recursive_definition(void **state)
{
	struct id32 leaves[40], sorted[40], root, expected;

	(void)state;
	for (size_t n = 1; n <= 40; n++) {
		size_t left = n;

		for (size_t i = 0; i < n; i++)
			crypto_hash1(&leaves[i], "test", &i, sizeof i);
		memcpy(sorted, leaves, sizeof leaves);
		qsort(sorted, n, sizeof *sorted, by_bytes);
		merkle_by_hand(&expected, sorted, n);
		rollup_merkle_root(&root, leaves, &left);
		assert_int_equal(left, n);
		assert_memory_equal(&root, &expected, 32);
	}
	for (size_t i = 0; i < 4; i++)
		leaves[i] = member_id(7);
	rollup_merkle_root(&root, leaves, &(size_t){ 4 });
	expected = member_id(7);
	assert_memory_equal(&root, &expected, 32);
	rollup_merkle_root(&root, leaves, &(size_t){ 0 });
	assert_true(id32_is_zero(&root));
}

static void each_report_of_a_contributor_is_a_leaf(void **state)
{
	struct world *w = seed_world();
	struct rollup r;
	struct id32 leaves[3], root;
	struct id16 objective = id_of(1);
	size_t n = 3;

	(void)state;
	hide(add_link(w, 3, 9, 1, 0, DECIMAL_ONE));
	for (size_t i = 0; i < 3; i++) {
		const struct contribution *c = &w->contributions[i + 1];
		struct number value = { i < 2, i == 0 ? P(75) : P(50) };

		rollup_leaf(&leaves[i], &c->salt, &c->report, &objective, value, DECIMAL_ONE);
	}
	rollup_merkle_root(&root, leaves, &n);
	r = compute(w);
	assert_int_equal(result(&r, 1)->merkle_leaves, 3);
	assert_memory_equal(&result(&r, 1)->merkle_root, &root, 32);
	rollup_free(&r);
	free(w);
}

/* ---- against an exact computation ------------------------------------------------------------------------------- */

static struct number exact(const struct world *w, unsigned objective, unsigned unit_link);

static decimal divide(__int128 n, __int128 d)
{
	__int128 twice = 2 * (n < 0 ? -n : n) + d, q = twice / (2 * d);

	return (decimal)(n < 0 ? -q : q);
}

static decimal clamp_exact(const struct world *w, decimal v)
{
	return v < 0 ? 0 : v > P(100) && !w->in.settings.allow_over ? P(100) : v;
}

struct exact_items { __int128 num[4]; decimal least, most; size_t n, taken; };

static void take(const struct world *w, struct exact_items *x, struct number v, decimal weight)
{
	decimal c;

	x->taken++;
	if (!v.set || weight == 0)
		return;
	c = clamp_exact(w, v.value);
	x->num[0] += c;
	x->num[1] += (__int128)c * weight;
	x->num[2] += weight;
	x->least = x->n == 0 || c < x->least ? c : x->least;
	x->most = x->n == 0 || c > x->most ? c : x->most;
	x->n++;
}

/* Recursive, quadratic, and by a different route: for each member and each objective look at everything. */
static struct number exact(const struct world *w, unsigned objective, unsigned unit_link)
{
	const struct objective *o = &w->objectives[objective - 1];
	struct exact_items x = { .n = 0 };

	for (unsigned m = 1; m <= 8; m++) {
		__int128 product = 0, weights = 0;
		int64_t counted = 0, links = 0;

		for (size_t i = 0; i < w->in.n_contributions; i++) {
			const struct contribution *c = &w->contributions[i];

			if (c->member.b[1] != m || c->entry.objective.b[1] != objective)
				continue;
			links++;
			if (unit_link)
				take(w, &x, (struct number){ c->entry.has_percent, c->entry.percent }, c->entry.weight);
			if (!c->entry.has_percent)
				continue;
			product += (__int128)c->entry.percent * c->entry.weight;
			weights += c->entry.weight;
			counted++;
		}
		if (!unit_link && links > 0)
			take(w, &x, (struct number){ weights > 0, weights > 0 ? divide(product, weights) : 0 },
				counted > 0 ? divide(weights, counted) : 0);
	}
	for (unsigned c = 1; c <= w->in.n_objectives; c++)
		if (w->objectives[c - 1].has_parent && w->objectives[c - 1].parent.b[1] == objective &&
		    !w->objectives[c - 1].support_edge)
			take(w, &x, exact(w, c, unit_link), w->objectives[c - 1].weight);
	if (x.taken == 0)
		return o->current.set ? (struct number){ true, clamp_exact(w, divide((__int128)o->current.value * 1000000,
			o->target.value)) } : (struct number){ 0 };
	if (x.n == 0)
		return (struct number){ 0 };
	switch (o->method) {
	case METHOD_WEIGHTED:   return (struct number){ true, divide(x.num[1], x.num[2]) };
	case METHOD_MINIMUM:    return (struct number){ true, x.least };
	case METHOD_MAXIMUM:    return (struct number){ true, x.most };
	case METHOD_SUM:        return (struct number){ true, clamp_exact(w, (decimal)x.num[0]) };
	default:                return (struct number){ true, divide(x.num[0], (__int128)x.n) };
	}
}

static struct world *random_world(struct rng *rng)
{
	struct world *w = world_new();
	unsigned n = 1 + (unsigned)rng_below(rng, 12), links = (unsigned)rng_below(rng, 60);

	for (unsigned i = 1; i <= n; i++) {
		unsigned parent = i > 1 && rng_below(rng, 4) > 0 ? 1 + (unsigned)rng_below(rng, i - 1) : 0;
		struct objective *o = add_objective(w, i, parent, (enum method)rng_below(rng, METHOD_SUM + 1));

		o->weight = rng_below(rng, 5) == 0 ? 0 : (decimal)rng_below(rng, 30000);
		o->support_edge = rng_below(rng, 6) == 0;
		o->target.value = 1 + (decimal)rng_below(rng, 2000000);
		o->current = (struct number){ rng_below(rng, 2) == 0, (decimal)rng_below(rng, 3000000) };
	}
	for (unsigned i = 0; i < links; i++) {
		struct contribution *c = add_link(w, 1 + (unsigned)rng_below(rng, 8), i + 1, 1 + (unsigned)rng_below(rng, n),
			(decimal)rng_below(rng, 1600000) - 300000, rng_below(rng, 6) == 0 ? 0 : (decimal)rng_below(rng, 100000));

		c->at_ms = rng_below(rng, 1000);
		set_tasks(c, (unsigned)rng_below(rng, 5), 5);
		if (rng_below(rng, 8) == 0)
			hide(c);
	}
	w->in.settings.unit_link = rng_below(rng, 2);
	w->in.settings.allow_over = rng_below(rng, 2);
	w->in.settings.min_group = (unsigned)rng_below(rng, 4);
	return w;
}

static void random_trees_match_an_independent_computation(void **state)
{
	struct rng rng;
	size_t values = 0;

	(void)state;
	rng_seed_u64(&rng, 1);
	for (int round = 0; round < 4000; round++) {
		struct world *w = random_world(&rng);
		struct rollup r = compute(w);

		for (unsigned o = 1; o <= w->in.n_objectives; o++) {
			struct number expected = exact(w, o, w->in.settings.unit_link), got = result(&r, o)->progress;

			if (expected.set != got.set || (got.set && expected.value != got.value))
				fail_msg("round %d, objective %u: %d %lld, expected %d %lld", round, o, got.set, (long long)got.value,
					expected.set, (long long)expected.value);
			values += got.set;
		}
		rollup_free(&r);
		free(w);
	}
	assert_true(values > 10000);
}

/* ---- the same inputs, the same bytes ---------------------------------------------------------------------------- */

static void encode_all(struct buf *out, const struct world *w, const struct rollup *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct rollup_body b;

		rollup_body_fill(&b, &r->results[i], &w->objectives[i], &w->in.settings, NULL, 0, NULL, 0);
		assert_int_equal(rollup_body_encode(out, &b), OK);
	}
}

static void the_order_of_contributions_does_not_matter(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed_u64(&rng, 2);
	for (int round = 0; round < 300; round++) {
		struct world *w = random_world(&rng);
		struct rollup a = compute(w), b;
		struct buf first = { 0 }, second = { 0 };

		for (size_t i = w->in.n_contributions; i > 1; i--) {
			size_t j = (size_t)rng_below(&rng, i);
			struct contribution swap = w->contributions[i - 1];

			w->contributions[i - 1] = w->contributions[j];
			w->contributions[j] = swap;
		}
		b = compute(w);
		encode_all(&first, w, &a);
		encode_all(&second, w, &b);
		assert_true(slice_equal(buf_slice(&first), buf_slice(&second)));
		for (size_t i = 0; i < a.n; i++) {
			assert_int_equal(a.results[i].n_items, b.results[i].n_items);
			assert_memory_equal(a.results[i].items, b.results[i].items, a.results[i].n_items * sizeof *a.results[i].items);
		}
		buf_free(&first);
		buf_free(&second);
		rollup_free(&a);
		rollup_free(&b);
		free(w);
	}
}

static void any_allocation_may_fail(void **state)
{
	struct rng rng;
	struct world *w;
	size_t live = mem_live();
	enum err e = ERR_NOMEM;
	int k;

	(void)state;
	rng_seed_u64(&rng, 3);
	w = random_world(&rng);
	for (k = 0; e != OK; k++) {
		struct rollup r;

		mem_fail_after(k);
		e = rollup_compute(&r, &w->in);
		mem_fail_after(-1);
		assert_true(e == OK || e == ERR_NOMEM);
		assert_int_equal(r.n, e == OK ? w->in.n_objectives : 0);
		rollup_free(&r);
		assert_int_equal(mem_live(), live);
	}
	assert_true(k > 10);
	free(w);
}

/* ---- bodies ----------------------------------------------------------------------------------------------------- */

static struct rollup_body full_body(void)
{
	struct rollup_body b = { .objective = id_of(1), .n_heads = 2, .method = METHOD_WEIGHTED, .unit_link = true,
		.raw = { true, P(140) }, .progress = { true, P(100) }, .status = OBJECTIVE_AT_RISK, .newest_ms = 1700000000000,
		.contributors = 7, .hidden = 2, .n_teams = 2, .n_key_results = 1, .leaves = 9 };

	b.heads[0] = member_id(1);
	b.heads[1] = member_id(2);
	b.teams[0] = (struct rollup_team){ id_of(1), { true, -1 }, 3 };
	b.teams[1] = (struct rollup_team){ id_of(2), { false, 0 }, 1 };
	b.key_results[0].id = id_of(5);
	b.key_results[0].percent = (struct number){ true, 700000 };
	b.merkle_root = member_id(99);
	return b;
}

static void bodies_come_back_as_they_went(void **state)
{
	struct rollup_body b = full_body(), back;
	struct buf bytes = { 0 };

	(void)state;
	for (int suppressed = 0; suppressed <= 1; suppressed++) {
		if (suppressed) {
			struct rollup_result r = { .suppressed = true, .raw = { true, 1 }, .contributors = 1, .merkle_leaves = 1 };
			struct objective o = { .method = METHOD_SUM };
			struct rollup_settings s = { .min_group = 5 };

			rollup_body_fill(&b, &r, &o, &s, NULL, 0, NULL, 0);
			assert_false(b.raw.set);
			assert_int_equal(b.contributors, 0);
		}
		buf_clear(&bytes);
		assert_int_equal(rollup_body_encode(&bytes, &b), OK);
		assert_int_equal(rollup_body_read(&back, buf_slice(&bytes)), OK);
		assert_int_equal(back.n_heads, b.n_heads);
		assert_memory_equal(back.heads, b.heads, sizeof b.heads);
		assert_int_equal(back.method, b.method);
		assert_int_equal(back.unit_link, b.unit_link);
		assert_int_equal(back.suppressed, suppressed);
		assert_int_equal(back.raw.value, b.raw.value);
		assert_int_equal(back.progress.set, b.progress.set);
		assert_int_equal(back.status, b.status);
		assert_int_equal(back.newest_ms, b.newest_ms);
		assert_int_equal(back.contributors, b.contributors);
		assert_int_equal(back.hidden, b.hidden);
		assert_int_equal(back.n_teams, b.n_teams);
		assert_int_equal(back.teams[0].progress.value, b.teams[0].progress.value);
		assert_int_equal(back.teams[1].contributors, b.teams[1].contributors);
		assert_int_equal(back.n_key_results, b.n_key_results);
		assert_int_equal(back.key_results[0].percent.value, b.key_results[0].percent.value);
		assert_int_equal(back.leaves, b.leaves);
		assert_memory_equal(&back.merkle_root, &b.merkle_root, 32);
		assert_true(id16_equal(&back.objective, &b.objective));
	}
	buf_free(&bytes);
}

static void small_teams_are_not_published(void **state)
{
	struct rollup_team teams[] = { { id_of(1), { true, P(10) }, 2 }, { id_of(2), { true, P(20) }, 3 } };
	struct rollup_result r = { .contributors = 5, .n_teams = 2, .teams = teams };
	struct objective o = { .method = METHOD_AVERAGE };
	struct rollup_settings s = { .min_group = 3 };
	struct rollup_body b;

	(void)state;
	rollup_body_fill(&b, &r, &o, &s, NULL, 0, NULL, 0);
	assert_int_equal(b.n_teams, 1);
	assert_int_equal(b.teams[0].contributors, 3);
}

/* Wrong bytes are refused, whichever byte is wrong; and nothing is read beyond the end. */
static void damaged_bodies_are_refused_or_harmless(void **state)
{
	struct rollup_body b = full_body(), back;
	struct buf bytes = { 0 };
	size_t refused = 0;

	(void)state;
	assert_int_equal(rollup_body_encode(&bytes, &b), OK);
	for (size_t len = 0; len < bytes.len; len++) {
		uint8_t *cut = malloc(len + 1);

		memcpy(cut, bytes.data, len);
		assert_int_equal(rollup_body_read(&back, SLICE(cut, len)), ERR_MALFORMED);
		free(cut);
	}
	for (size_t i = 0; i < bytes.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			bytes.data[i] ^= (uint8_t)(1 << bit);
			refused += rollup_body_read(&back, buf_slice(&bytes)) == ERR_MALFORMED;
			bytes.data[i] ^= (uint8_t)(1 << bit);
		}
	assert_true(refused > 100);
	b.heads[1] = b.heads[0];
	buf_clear(&bytes);
	rollup_body_encode(&bytes, &b);
	assert_int_equal(rollup_body_read(&back, buf_slice(&bytes)), ERR_MALFORMED);
	b = full_body();
	b.suppressed = true;            /* and yet says something */
	buf_clear(&bytes);
	rollup_body_encode(&bytes, &b);
	assert_int_equal(rollup_body_read(&back, buf_slice(&bytes)), ERR_MALFORMED);
	buf_free(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_average_is_over_contributors),
		cmocka_unit_test(by_link_it_is_another_number),
		cmocka_unit_test(weights_share_as_the_seed_says),
		cmocka_unit_test(a_key_result_from_8_to_4_at_5_2_is_70),
		cmocka_unit_test(the_other_methods),
		cmocka_unit_test(a_sum_is_clamped_and_its_raw_value_kept),
		cmocka_unit_test(tasks_are_pooled_with_those_of_children),
		cmocka_unit_test(items_count_clamped_with_raw_kept),
		cmocka_unit_test(a_contributors_weight_is_the_rounded_mean_of_its_links),
		cmocka_unit_test(nothing_to_average_is_no_data),
		cmocka_unit_test(hidden_entries_are_counted_not_averaged),
		cmocka_unit_test(an_objective_without_items_has_its_own_value),
		cmocka_unit_test(parents_use_the_rounded_values_of_children),
		cmocka_unit_test(children_are_pooled_with_links),
		cmocka_unit_test(support_shows_and_does_not_count),
		cmocka_unit_test(deleted_objectives_have_no_result_and_unknown_ones_no_effect),
		cmocka_unit_test(the_newest_edge_of_a_cycle_is_left_out),
		cmocka_unit_test(a_chain_of_any_depth_is_no_recursion),
		cmocka_unit_test(distinct_contributors_of_the_subtree_are_counted_once),
		cmocka_unit_test(cancelled_and_weightless_children_reveal_nobody_below),
		cmocka_unit_test(a_childs_raw_value_is_kept),
		cmocka_unit_test(weights_of_links_without_data_do_not_matter),
		cmocka_unit_test(the_newest_input_is_also_one_without_data),
		cmocka_unit_test(the_newest_entry_of_a_link_counts),
		cmocka_unit_test(teams_are_those_of_the_contributing_members),
		cmocka_unit_test(who_is_no_longer_active_does_not_count),
		cmocka_unit_test(merkle_roots_match_a_recursive_definition),
		cmocka_unit_test(each_report_of_a_contributor_is_a_leaf),
		cmocka_unit_test(random_trees_match_an_independent_computation),
		cmocka_unit_test(the_order_of_contributions_does_not_matter),
		cmocka_unit_test(any_allocation_may_fail),
		cmocka_unit_test(bodies_come_back_as_they_went),
		cmocka_unit_test(small_teams_are_not_published),
		cmocka_unit_test(damaged_bodies_are_refused_or_harmless),
	};

	crypto_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
