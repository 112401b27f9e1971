/* Every history of a few ops on one document: who had seen what, in every shape; each op one of seven edits; ties of the clock
 * broken both ways.  Whatever order they arrive in, copies end equal to the byte, and equal to what the rules say, computed
 * here from the history without tags or folding (doc.h; design §5: add wins, a removal loses to a concurrent edit). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/mem.h"
#include "crdt/doc.h"

#define N 4

enum { TITLE = 2, LABELS = 3, SPENT = 4, TASKS = 5, TASK_TITLE = 2, TASK_HOURS = 3 };
static const struct schema_field task_fields[] = { { TASK_TITLE, FIELD_REGISTER, NULL }, { TASK_HOURS, FIELD_COUNTER, NULL } };
static const struct schema task = { task_fields, 2 };
static const struct schema_field fields[] = {
	{ TITLE, FIELD_REGISTER, NULL }, { LABELS, FIELD_SET, NULL }, { SPENT, FIELD_COUNTER, NULL }, { TASKS, FIELD_MAP, &task } };
static const struct schema goal = { fields, 4 };
static const struct id16 TASK = {{ 0xaa }};

enum edit { SET_TITLE, ADD_SPENT, ADD_LABEL, REMOVE_LABEL, TITLE_TASK, HOURS_TASK, REMOVE_TASK, EDITS };

struct history {
	size_t n;
	enum edit edit[N];
	unsigned past[N];                       /* bits of the ops that the author had seen */
	bool turned;                            /* later ops have the smaller ids */
	struct doc_op op[N];
	struct buf body[N];
};

/* ---- what the rules say ---- */

static bool on_task(enum edit e)
{
	return e == TITLE_TASK || e == HOURS_TASK || e == REMOVE_TASK;
}

static bool has_seen(const struct history *h, size_t later, size_t earlier)
{
	return h->past[later] >> earlier & 1;
}

static bool label_is_there(const struct history *h)
{
	for (size_t a = 0; a < h->n; a++) {
		bool lives = h->edit[a] == ADD_LABEL;

		for (size_t b = 0; b < h->n; b++)
			lives &= !((h->edit[b] == REMOVE_LABEL || h->edit[b] == ADD_LABEL) && has_seen(h, b, a));
		if (lives)
			return true;
	}
	return false;
}

static bool task_is_there(const struct history *h)
{
	for (size_t a = 0; a < h->n; a++) {
		bool lives = on_task(h->edit[a]) && h->edit[a] != REMOVE_TASK;

		for (size_t b = 0; b < h->n; b++)
			lives &= !(on_task(h->edit[b]) && has_seen(h, b, a));
		if (lives)
			return true;
	}
	return false;
}

/* The op of this edit that wins, or NULL. */
static const struct doc_op *winner(const struct history *h, enum edit e)
{
	const struct doc_op *best = NULL;

	for (size_t i = 0; i < h->n; i++) {
		const struct doc_op *o = &h->op[i];

		if (h->edit[i] == e && (best == NULL || o->hlc > best->hlc
		 || (o->hlc == best->hlc && id32_compare(&o->device, &best->device) > 0)))
			best = o;
	}
	return best;
}

static size_t count(const struct history *h, enum edit e)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		n += h->edit[i] == e;
	return n;
}

/* Values are the names of their ops. */
static bool register_is(struct slice value, struct doc_writer w, const struct doc_op *op)
{
	if (op == NULL)
		return value.len == 0;
	return value.len == 1 && value.data[0] == op->id.b[0] && id32_equal(&w.id, &op->id) && w.hlc == op->hlc;
}

static void check_rules(const struct history *h, const struct doc *d)
{
	struct doc_writer w;
	struct slice value = doc_register(d, TITLE, &w);
	bool there = task_is_there(h);

	assert_true(register_is(value, w, winner(h, SET_TITLE)));
	assert_int_equal(doc_counter(d, SPENT), count(h, ADD_SPENT));
	assert_int_equal(doc_set_count(d, LABELS), label_is_there(h));
	assert_int_equal(doc_map_count(d, TASKS), there);
	if (!there)
		return;
	/* whole, whatever was removed meanwhile */
	value = doc_map_register(d, TASKS, &TASK, TASK_TITLE, &w);
	assert_true(register_is(value, w, winner(h, TITLE_TASK)));
	assert_int_equal(doc_map_counter(d, TASKS, &TASK, TASK_HOURS), count(h, HOURS_TASK));
}

/* ---- folding ---- */

static bool comes_before(const struct doc_op *a, const struct doc_op *b)
{
	return a->hlc != b->hlc ? a->hlc < b->hlc : id32_compare(&a->id, &b->id) < 0;
}

/* The fold by definition of the ops named by bits. */
static struct doc *fold(const struct history *h, unsigned bits)
{
	struct doc *d = doc_new(&goal);

	while (bits != 0) {
		size_t least = (size_t)__builtin_ctz(bits);

		for (size_t i = least + 1; i < h->n; i++)
			if (bits >> i & 1 && comes_before(&h->op[i], &h->op[least]))
				least = i;
		assert_int_equal(doc_apply(d, &h->op[least]), OK);
		bits &= ~(1u << least);
	}
	return d;
}

static struct buf encoded(const struct doc *d)
{
	struct buf b = {0};

	assert_int_equal(doc_encode(&b, d), OK);
	return b;
}

static void arrive(const struct history *h, unsigned arrived, const struct doc *d, struct slice expected);

/* One more op arrives at a copy, which is then taken up from its cached form. */
static void arrive_next(const struct history *h, unsigned arrived, const struct doc *d, size_t next, struct slice expected)
{
	struct buf cached = encoded(d);
	struct doc *copy;

	assert_int_equal(doc_decode(&copy, &goal, buf_slice(&cached)), OK);
	buf_free(&cached);
	if (doc_in_order(copy, &h->op[next])) {
		assert_int_equal(doc_apply(copy, &h->op[next]), OK);
	} else {
		doc_free(copy);
		copy = fold(h, arrived | 1u << next);
	}
	arrive(h, arrived | 1u << next, copy, expected);
	doc_free(copy);
}

static void arrive(const struct history *h, unsigned arrived, const struct doc *d, struct slice expected)
{
	struct buf form;

	for (size_t i = 0; i < h->n; i++)
		if (!(arrived >> i & 1))
			arrive_next(h, arrived, d, i, expected);
	if (arrived + 1 != 1u << h->n)
		return;
	form = encoded(d);
	assert_true(slice_equal(buf_slice(&form), expected));
	buf_free(&form);
}

/* ---- making histories ---- */

static bool write_op(struct history *h, size_t i)
{
	struct doc *base = fold(h, h->past[i]);
	struct change *c = change_new(&goal, base);
	struct doc_op *op = &h->op[i];
	uint8_t name = (uint8_t)(h->turned ? 100 - i : 1 + i), one = 1;
	bool empty;

	*op = (struct doc_op){ .hlc = 1, .id = {{ name }}, .device = {{ (uint8_t)(i * 7 % 3) , name }} };
	for (size_t k = 0; k < i; k++)
		if (has_seen(h, i, k) && h->op[k].hlc >= op->hlc)
			op->hlc = h->op[k].hlc + 1;
	switch (h->edit[i]) {
	case SET_TITLE: change_register(c, TITLE, SLICE(&name, 1)); break;
	case ADD_SPENT: change_counter(c, SPENT, 1); break;
	case ADD_LABEL: change_set_add(c, LABELS, SLICE(&one, 1)); break;
	case REMOVE_LABEL: change_set_remove(c, LABELS, SLICE(&one, 1)); break;
	case TITLE_TASK: change_map_edit(c, TASKS, &TASK, TASK_TITLE, SLICE(&name, 1)); break;
	case HOURS_TASK: change_map_edit(c, TASKS, &TASK, TASK_HOURS, SLICE(&one, 1)); break;
	case REMOVE_TASK: change_map_remove(c, TASKS, &TASK); break;
	case EDITS: break;
	}
	empty = change_is_empty(c);
	buf_clear(&h->body[i]);
	assert_int_equal(change_finish(c, &h->body[i]), OK);
	op->body = buf_slice(&h->body[i]);
	change_free(c);
	doc_free(base);
	return !empty;
}

static size_t histories;

static void check_history(const struct history *h)
{
	struct doc *d = fold(h, (1u << h->n) - 1), *none = doc_new(&goal);
	struct buf expected = encoded(d);

	histories++;
	check_rules(h, d);
	arrive(h, 0, none, buf_slice(&expected));
	doc_free(d);
	doc_free(none);
	buf_free(&expected);
}

/* What was seen was seen with all that its author had seen. */
static bool closed(const struct history *h, unsigned past)
{
	for (size_t k = 0; k < N; k++)
		if (past >> k & 1 && (h->past[k] & ~past) != 0)
			return false;
	return true;
}

static void extend(struct history *h, size_t n)
{
	size_t i = h->n;

	if (i == n) {
		check_history(h);
		return;
	}
	for (h->past[i] = 0; h->past[i] < 1u << i; h->past[i]++) {
		if (!closed(h, h->past[i]))
			continue;
		for (h->edit[i] = 0; h->edit[i] < EDITS; h->edit[i]++) {
			h->n = i;                       /* writing folds what came before */
			if (!write_op(h, i))
				continue;               /* removes what it does not see: no op */
			h->n = i + 1;
			extend(h, n);
		}
	}
	h->n = i;
}

static void every_history_converges_to_what_the_rules_say(void **state)
{
	struct history h = { .n = 0 };

	(void)state;
	for (size_t n = 1; n <= N; n++)
		for (int turned = 0; turned < 2; turned++) {
			h.turned = turned;
			h.n = 0;
			extend(&h, n);
		}
	for (size_t i = 0; i < N; i++)
		buf_free(&h.body[i]);
	print_message("%zu histories\n", histories);
	assert_int_equal(mem_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_history_converges_to_what_the_rules_say) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
