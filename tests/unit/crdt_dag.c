/* dag: pasts, order and heads, against a naive closure; and quick where real DAGs are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/limits.h"
#include "base/mem.h"
#include "base/rng.h"
#include "crdt/dag.h"

#define MAX 130

struct model { struct id32 id[MAX]; uint32_t depth[MAX]; uint8_t past[MAX][MAX], cited[MAX]; size_t n; };

static int compare_ids(const void *a, const void *b)
{
	return id32_compare(a, b);
}

/* Add a node that cites those in pick to both. */
static void grow(struct dag *d, struct model *m, struct rng *rng, const uint32_t *pick, size_t n)
{
	struct id32 cites[LIMIT_HEADS];
	uint32_t index;
	size_t i = m->n++;

	memset(m->past[i], 0, MAX);
	m->cited[i] = 0;
	m->depth[i] = 1;
	rng_bytes(rng, m->id[i].b, ID_LEN);
	for (size_t k = 0; k < n; k++) {
		uint32_t c = pick[k];

		cites[k] = m->id[c];
		m->past[i][c] = 1;
		m->cited[c]++;
		for (size_t x = 0; x < i; x++)
			m->past[i][x] |= m->past[c][x];
		if (m->depth[c] + 1 > m->depth[i])
			m->depth[i] = m->depth[c] + 1;
	}
	qsort(cites, n, sizeof cites[0], compare_ids);
	assert_int_equal(dag_add(d, &index, &m->id[i], cites, n), OK);
	assert_int_equal(index, i);
}

static void shrink(struct dag *d, struct model *m)
{
	const uint32_t *cites;
	size_t n = dag_cites(d, (uint32_t)m->n - 1, &cites);

	for (size_t k = 0; k < n; k++)
		m->cited[cites[k]]--;
	m->n--;
	dag_remove_last(d);
}

static bool ordered(const struct model *m, size_t a, size_t b)
{
	return m->depth[a] != m->depth[b] ? m->depth[a] < m->depth[b] : id32_compare(&m->id[a], &m->id[b]) < 0;
}

static void check_heads(const struct dag *d, const struct model *m)
{
	struct id32 heads[MAX], some[2];
	size_t n = dag_heads(d, heads, MAX), expected = 0;

	for (size_t i = 0; i < m->n; i++)
		expected += m->cited[i] == 0;
	assert_int_equal(n, expected);
	for (size_t i = 0; i < n; i++) {
		uint32_t at = dag_find(d, &heads[i]);

		assert_true(at != DAG_NONE && m->cited[at] == 0);
		assert_true(i == 0 || id32_compare(&heads[i - 1], &heads[i]) < 0);
	}
	assert_int_equal(dag_heads(d, some, 2), n);
	assert_memory_equal(some, heads, (n < 2 ? n : 2) * sizeof some[0]);
}

static void check(const struct dag *d, const struct model *m, struct rng *rng)
{
	uint8_t marks[MAX], all_before[MAX];
	uint32_t set[3];

	assert_int_equal(dag_count(d), m->n);
	memset(all_before, 1, sizeof all_before);
	for (uint32_t b = 0; b < m->n; b++) {
		assert_int_equal(dag_find(d, &m->id[b]), b);
		assert_int_equal(dag_depth(d, b), m->depth[b]);
		assert_true(id32_equal(dag_id(d, b), &m->id[b]));
		for (uint32_t a = 0; a < m->n; a++) {
			assert_int_equal(dag_in_past(d, a, b), m->past[b][a]);
			all_before[b] &= !ordered(m, a, b) || m->past[b][a];
		}
		assert_int_equal(dag_is_after_all_before(d, b), all_before[b]);
		assert_true(b == 0 || ordered(m, dag_order(d)[b - 1], dag_order(d)[b]));
	}
	for (size_t k = 0; k < 3; k++)
		set[k] = (uint32_t)rng_below(rng, m->n);
	dag_mark_past(d, marks, set, 3);
	for (uint32_t a = 0; a < m->n; a++) {
		bool in = false;

		for (size_t k = 0; k < 3; k++)
			in |= a == set[k] || m->past[set[k]][a];
		assert_int_equal(marks[a], in);
	}
	check_heads(d, m);
}

/* How a shape picks the next node's cites: from the newest few, so that chains, ladders and wide fans come about. */
static size_t pick_cites(struct rng *rng, uint32_t *pick, size_t n, size_t reach, size_t most)
{
	size_t want = 1 + rng_below(rng, most), got = 0;

	for (size_t tries = 0; tries < want; tries++) {
		size_t back = rng_below(rng, reach < n ? reach : n);
		uint32_t c = (uint32_t)(n - 1 - back);
		bool twice = false;

		for (size_t k = 0; k < got; k++)
			twice |= pick[k] == c;
		if (!twice)
			pick[got++] = c;
	}
	return got;
}

static void random_dags_agree_with_the_closure(void **state)
{
	static const struct { size_t reach, most; } shapes[] = { { 1, 1 }, { 2, 1 }, { 3, 2 }, { 6, 3 }, { 40, 2 }, { 130, LIMIT_HEADS } };
	static struct model m;
	struct rng rng;

	(void)state;
	rng_seed_u64(&rng, 1);
	for (int round = 0; round < 60; round++) {
		struct dag *d = dag_new();
		size_t shape = (size_t)round % 6;

		m.n = 0;
		grow(d, &m, &rng, NULL, 0);
		while (m.n < MAX) {
			uint32_t pick[LIMIT_HEADS];
			size_t n = pick_cites(&rng, pick, m.n, shapes[shape].reach, shapes[shape].most);

			if (rng_below(&rng, 20) == 0) {         /* now and then a gate for all that follows */
				pick[0] = (uint32_t)m.n - 1;
				n = 1;
			}
			grow(d, &m, &rng, pick, n);
			for (size_t undo = rng_below(&rng, 30); undo < 3 && m.n > 1; undo++)
				shrink(d, &m);
			if (rng_below(&rng, 40) == 0)
				check(d, &m, &rng);
		}
		check(d, &m, &rng);
		dag_free(d);
	}
	assert_int_equal(mem_live(), 0);
}

static void wrong_nodes_are_refused(void **state)
{
	struct dag *d = dag_new();
	struct id32 genesis = {{1}}, a = {{2}}, b = {{3}}, c = {{4}}, many[LIMIT_HEADS + 1] = {0};
	struct id32 cites[2] = { a, b };
	uint32_t index;

	(void)state;
	assert_int_equal(dag_find(d, &a), DAG_NONE);
	assert_int_equal(dag_add(d, &index, &a, &genesis, 1), ERR_MISSING);     /* before there is a genesis */
	assert_int_equal(dag_add(d, &index, &genesis, NULL, 0), OK);
	assert_int_equal(dag_add(d, &index, &a, NULL, 0), ERR_MALFORMED);       /* a second genesis */
	assert_int_equal(dag_add(d, &index, &a, &genesis, 1), OK);
	assert_int_equal(dag_add(d, &index, &c, cites, 2), ERR_MISSING);
	assert_int_equal(index, DAG_NONE);
	assert_int_equal(dag_add(d, &index, &b, &genesis, 1), OK);
	assert_int_equal(dag_add(d, &index, &a, &genesis, 1), ERR_EXISTS);
	assert_int_equal(index, 1);
	cites[0] = b;
	cites[1] = a;
	assert_int_equal(dag_add(d, &index, &c, cites, 2), ERR_MALFORMED);
	cites[1] = b;
	assert_int_equal(dag_add(d, &index, &c, cites, 2), ERR_MALFORMED);
	for (uint8_t i = 0; i <= LIMIT_HEADS; i++)
		many[i].b[0] = i;
	assert_int_equal(dag_add(d, &index, &c, many, LIMIT_HEADS + 1), ERR_MALFORMED);
	assert_int_equal(dag_count(d), 3);
	dag_free(d);
	dag_free(NULL);
}

static void removing_the_last_of_none_is_fine(void **state)
{
	struct dag *d = dag_new();
	struct id32 genesis = {{1}};
	uint32_t index;

	(void)state;
	dag_remove_last(d);
	assert_int_equal(dag_add(d, &index, &genesis, NULL, 0), OK);
	dag_remove_last(d);
	assert_int_equal(dag_count(d), 0);
	assert_int_equal(dag_heads(d, NULL, 0), 0);
	assert_int_equal(dag_find(d, &genesis), DAG_NONE);
	assert_int_equal(dag_add(d, &index, &genesis, NULL, 0), OK);
	dag_free(d);
}

static void lack_of_memory_adds_nothing(void **state)
{
	struct id32 id = {{0}}, before;

	(void)state;
	for (long k = 0; k < 40; k++) {
		struct dag *d = dag_new();
		size_t added = 0;

		mem_fail_after(k);
		for (uint32_t i = 0; i < 40; i++) {
			uint32_t index;
			enum err e;

			before = id;
			put_u32(id.b, i);
			e = dag_add(d, &index, &id, &before, i > 0);
			assert_true(e == OK || e == ERR_NOMEM);
			added += e == OK;
			if (e != OK)
				break;
		}
		mem_fail_after(-1);
		assert_int_equal(dag_count(d), added);
		assert_int_equal(dag_heads(d, NULL, 0), added > 0);
		for (uint32_t i = 1; i < added; i++)
			assert_true(dag_in_past(d, i - 1, i) && dag_is_after_all_before(d, i));
		dag_free(d);
	}
	assert_int_equal(mem_live(), 0);
}

/* ---- large ones: a chain, two long branches, a ladder; a slow algorithm does not end here ---- */

#define LARGE 100000

static struct id32 numbered(uint32_t i)
{
	struct id32 id = {{0}};

	put_u32(id.b + 4, i * 2654435761u);
	put_u32(id.b, i);
	return id;
}

static void add_large(struct dag *d, uint32_t i, uint32_t a, uint32_t b)
{
	struct id32 id = numbered(i), cites[2] = { numbered(a < b ? a : b), numbered(a < b ? b : a) };
	uint32_t index;

	assert_int_equal(dag_add(d, &index, &id, cites, i == 0 ? 0 : a == b ? 1 : 2), OK);
}

static void a_long_chain_is_quick(void **state)
{
	struct dag *d = dag_new();
	struct rng rng;

	(void)state;
	rng_seed_u64(&rng, 1);
	for (uint32_t i = 0; i < LARGE; i++)
		add_large(d, i, i - 1, i - 1);
	for (int k = 0; k < LARGE; k++) {
		uint32_t a = (uint32_t)rng_below(&rng, LARGE), b = (uint32_t)rng_below(&rng, LARGE);

		assert_int_equal(dag_in_past(d, a, b), a < b);
		assert_true(dag_is_after_all_before(d, a));
	}
	dag_free(d);
}

static void two_long_branches_are_quick(void **state)
{
	struct dag *d = dag_new();
	struct rng rng;

	(void)state;
	rng_seed_u64(&rng, 2);
	add_large(d, 0, 0, 0);
	for (uint32_t i = 1; i < LARGE; i++)    /* even and odd, parted for the whole time */
		add_large(d, i, i < 2 ? 0 : i - 2, i < 2 ? 0 : i - 2);
	add_large(d, LARGE, LARGE - 1, LARGE - 2);
	assert_true(dag_is_after_all_before(d, LARGE));
	for (int k = 0; k < LARGE; k++) {
		uint32_t a = 1 + (uint32_t)rng_below(&rng, LARGE - 1), b = 1 + (uint32_t)rng_below(&rng, LARGE - 1);

		assert_int_equal(dag_in_past(d, a, b), a < b && a % 2 == b % 2);
		assert_true(dag_in_past(d, a, LARGE));
	}
	dag_free(d);
}

static void a_long_ladder_is_quick(void **state)
{
	struct dag *d = dag_new();

	(void)state;
	add_large(d, 0, 0, 0);
	add_large(d, 1, 0, 0);
	add_large(d, 2, 0, 0);
	for (uint32_t i = 3; i < LARGE; i++) {  /* two who always write at once: no gate but the genesis */
		uint32_t rung = (i - 1) / 2;

		add_large(d, i, 2 * rung - 1, 2 * rung);
	}
	for (uint32_t i = 3; i < LARGE; i += 97) {
		assert_true(dag_in_past(d, i - 2 - (i - 1) % 2, i));
		assert_false(dag_in_past(d, i, i % 2 ? i + 1 : i - 1));
	}
	dag_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_dags_agree_with_the_closure),
		cmocka_unit_test(wrong_nodes_are_refused),
		cmocka_unit_test(removing_the_last_of_none_is_fine),
		cmocka_unit_test(lack_of_memory_adds_nothing),
		cmocka_unit_test(a_long_chain_is_quick),
		cmocka_unit_test(two_long_branches_are_quick),
		cmocka_unit_test(a_long_ladder_is_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
