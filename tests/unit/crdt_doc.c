/* doc and change: folding, its cached form, and the bodies that authors write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/limits.h"
#include "base/mem.h"
#include "base/mp.h"
#include "base/rng.h"
#include "crdt/doc.h"

enum { TITLE = 2, STATE = 3, LABELS = 4, SPENT = 5, TASKS = 6 };
enum { TASK_TITLE = 2, TASK_HOURS = 3, TASK_DONE = 4 };
static const struct schema_field task_fields[] = {
	{ TASK_TITLE, FIELD_REGISTER, NULL }, { TASK_HOURS, FIELD_COUNTER, NULL }, { TASK_DONE, FIELD_REGISTER, NULL } };
static const struct schema task = { task_fields, 3 };
static const struct schema_field fields[] = {
	{ TITLE, FIELD_REGISTER, NULL }, { STATE, FIELD_REGISTER, NULL }, { LABELS, FIELD_SET, NULL }, { SPENT, FIELD_COUNTER, NULL },
	{ TASKS, FIELD_MAP, &task } };
static const struct schema goal = { fields, 5 };

static const struct id16 TASK_A = {{ 0xaa }}, TASK_B = {{ 0xbb }};

#define BODY_MAX 1024
struct made { struct doc_op op; uint8_t body[BODY_MAX]; };

static struct slice text(const char *s)
{
	static uint8_t room[8][64];
	static unsigned turn;
	uint8_t *at = room[turn++ % 8];
	size_t len = strlen(s);

	at[0] = (uint8_t)(0xa0 | len);
	memcpy(at + 1, s, len);
	return SLICE(at, len + 1);
}

static struct slice small(uint8_t n)
{
	static uint8_t numbers[128];

	numbers[n] = n;
	return SLICE(&numbers[n], 1);
}

/* The op of that name whose body is being made by c; frees c. */
static struct made made(struct change *c, hlc t, uint8_t name)
{
	struct made m = { .op = { .hlc = t, .id = {{ name }}, .device = {{ (uint8_t)(name ^ 0x5a) }} } };
	struct buf body = {0};

	assert_int_equal(change_finish(c, &body), OK);
	assert_true(body.len <= BODY_MAX);
	assert_int_equal(doc_check(&goal, buf_slice(&body)), OK);
	memcpy(m.body, body.data, body.len);
	m.op.body.len = body.len;
	buf_free(&body);
	change_free(c);
	return m;
}

static void apply(struct doc *d, struct made *m)
{
	m->op.body.data = m->body;
	assert_int_equal(doc_apply(d, &m->op), OK);
}

static int compare_made(const void *a, const void *b)
{
	const struct doc_op *x = &(*(struct made *const *)a)->op, *y = &(*(struct made *const *)b)->op;

	return x->hlc != y->hlc ? (x->hlc < y->hlc ? -1 : 1) : id32_compare(&x->id, &y->id);
}

/* The fold by definition. */
static struct doc *fold(struct made *const *ops, size_t n)
{
	struct made *sorted[64];
	struct doc *d = doc_new(&goal);

	memcpy(sorted, ops, n * sizeof *ops);
	qsort(sorted, n, sizeof *sorted, compare_made);
	for (size_t i = 0; i < n; i++) {
		sorted[i]->op.body.data = sorted[i]->body;
		assert_true(doc_in_order(d, &sorted[i]->op));
		apply(d, sorted[i]);
	}
	return d;
}

static bool register_is(struct slice value, struct slice expected)
{
	return slice_equal(value, expected);
}

/* Encoded, decoded and encoded again, it is the same. */
static struct buf cached(const struct doc *d)
{
	struct buf one = {0}, two = {0};
	struct doc *back;

	assert_int_equal(doc_encode(&one, d), OK);
	assert_int_equal(mp_check(buf_slice(&one), LIMIT_DEPTH, one.len), OK);
	assert_int_equal(doc_decode(&back, &goal, buf_slice(&one)), OK);
	assert_int_equal(doc_encode(&two, back), OK);
	assert_true(slice_equal(buf_slice(&one), buf_slice(&two)));
	doc_free(back);
	buf_free(&two);
	return one;
}

static void same(const struct doc *a, const struct doc *b)
{
	struct buf one = cached(a), two = cached(b);

	assert_true(slice_equal(buf_slice(&one), buf_slice(&two)));
	buf_free(&one);
	buf_free(&two);
}

/* ---- what a document says ---- */

static void new_document_is_empty(void **state)
{
	struct doc *d = doc_new(&goal);
	struct doc_writer w;

	(void)state;
	assert_false(doc_created(d));
	assert_int_equal(doc_last(d).hlc, 0);
	assert_int_equal(doc_register(d, TITLE, &w).len, 0);
	assert_int_equal(w.hlc, 0);
	assert_int_equal(doc_counter(d, SPENT), 0);
	assert_int_equal(doc_set_count(d, LABELS), 0);
	assert_int_equal(doc_map_count(d, TASKS), 0);
	assert_null(doc_map_at(d, TASKS, 0));
	assert_int_equal(doc_set_at(d, LABELS, 0).len, 0);
	assert_int_equal(doc_map_register(d, TASKS, &TASK_A, TASK_TITLE, NULL).len, 0);
	/* keys of other types and unknown ones say the same */
	assert_int_equal(doc_register(d, LABELS, NULL).len + doc_register(d, 99, NULL).len, 0);
	same(d, d);
	doc_free(d);
	doc_free(NULL);
}

static struct made creation(hlc t, uint8_t name)
{
	struct change *c = change_new(&goal, NULL);

	assert_true(change_is_empty(c));
	change_register_text(c, TITLE, slice_of("Ship it"));
	change_register_int(c, STATE, 1);
	change_set_add(c, LABELS, text("red"));
	change_set_add(c, LABELS, text("green"));
	change_counter(c, SPENT, 5);
	change_counter(c, SPENT, 2);
	change_map_edit(c, TASKS, &TASK_A, TASK_TITLE, text("first"));
	change_map_edit(c, TASKS, &TASK_A, TASK_HOURS, small(3));
	change_map_edit(c, TASKS, &TASK_B, TASK_TITLE, text("second"));
	assert_false(change_is_empty(c));
	return made(c, t, name);
}

static void what_was_written_is_read(void **state)
{
	struct made a = creation(10, 1);
	struct doc *d = doc_new(&goal), *back;
	struct doc_writer w;
	struct buf form;

	(void)state;
	apply(d, &a);
	form = cached(d);
	assert_int_equal(doc_decode(&back, &goal, buf_slice(&form)), OK);
	memset(form.data, 0, form.len);         /* the input is not needed any more */
	doc_free(d);
	d = back;
	assert_true(doc_created(d));
	assert_true(register_is(doc_register(d, TITLE, &w), text("Ship it")));
	assert_true(w.hlc == 10 && id32_equal(&w.id, &a.op.id) && id32_equal(&w.device, &a.op.device));
	assert_true(register_is(doc_register(d, STATE, NULL), small(1)));
	assert_int_equal(doc_counter(d, SPENT), 7);
	assert_int_equal(doc_set_count(d, LABELS), 2);
	assert_true(register_is(doc_set_at(d, LABELS, 0), text("red")));        /* by encoding: the shorter string first */
	assert_true(register_is(doc_set_at(d, LABELS, 1), text("green")));
	assert_int_equal(doc_map_count(d, TASKS), 2);
	assert_true(id16_equal(doc_map_at(d, TASKS, 0), &TASK_A) && id16_equal(doc_map_at(d, TASKS, 1), &TASK_B));
	assert_true(register_is(doc_map_register(d, TASKS, &TASK_B, TASK_TITLE, &w), text("second")));
	assert_int_equal(w.hlc, 10);
	assert_int_equal(doc_map_counter(d, TASKS, &TASK_A, TASK_HOURS), 3);
	assert_int_equal(doc_map_counter(d, TASKS, &TASK_B, TASK_HOURS), 0);
	assert_int_equal(doc_map_register(d, TASKS, &TASK_B, TASK_DONE, &w).len, 0);
	w = doc_last(d);
	assert_true(w.hlc == 10 && id32_equal(&w.id, &a.op.id) && id32_equal(&w.device, &a.op.device));
	doc_free(d);
	buf_free(&form);
}

static struct made set_title(const struct doc *base, hlc t, uint8_t name, const char *title)
{
	struct change *c = change_new(&goal, base);

	change_register_text(c, TITLE, slice_of(title));
	return made(c, t, name);
}

static void last_writer_wins_by_clock_then_device_then_id(void **state)
{
	struct doc *base = doc_new(&goal);
	struct made a = set_title(base, 10, 1, "a"), b = set_title(base, 11, 2, "b"), c = set_title(base, 11, 3, "c"),
		d = set_title(base, 11, 4, "d");
	struct made *orders[][4] = { { &a, &b, &c, &d }, { &d, &c, &b, &a }, { &c, &a, &d, &b }, { &b, &d, &a, &c } };

	(void)state;
	b.op.device.b[0] = 9;
	c.op.device.b[0] = 9;
	d.op.device.b[0] = 8;
	for (size_t i = 0; i < 4; i++) {
		struct doc *x = doc_new(&goal);
		struct doc_writer last;

		for (size_t k = 0; k < 4; k++) {
			orders[i][k]->op.body.data = orders[i][k]->body;
			assert_true(doc_in_order(x, &orders[i][k]->op));
			apply(x, orders[i][k]);
		}
		assert_true(register_is(doc_register(x, TITLE, NULL), text("c")));
		last = doc_last(x);
		assert_true(id32_equal(&last.id, &d.op.id));
		doc_free(x);
	}
	doc_free(base);
}

static void only_registers_and_counters_need_no_order(void **state)
{
	struct made a = creation(10, 1), late, set_late;
	struct doc *d = doc_new(&goal), *empty = doc_new(&goal);
	struct change *c = change_new(&goal, empty);

	(void)state;
	apply(d, &a);
	late = set_title(empty, 5, 9, "late");
	change_set_add(c, LABELS, text("blue"));
	set_late = made(c, 5, 8);
	late.op.body.data = late.body;
	set_late.op.body.data = set_late.body;
	assert_true(doc_in_order(d, &late.op));
	assert_false(doc_in_order(d, &set_late.op));
	set_late.op.hlc = 11;
	assert_true(doc_in_order(d, &set_late.op));
	doc_free(d);
	doc_free(empty);
}

static void counters_add_up_and_wrap(void **state)
{
	struct doc *d = doc_new(&goal);
	static const int64_t deltas[] = { 5, -7, INT64_MAX, 3, INT64_MIN };
	uint64_t sum = 0;

	(void)state;
	for (uint8_t i = 0; i < 5; i++) {
		struct change *c = change_new(&goal, d);
		struct made m;

		change_counter(c, SPENT, deltas[i]);
		m = made(c, 10u + i, (uint8_t)(i + 1));
		apply(d, &m);
		sum += (uint64_t)deltas[i];
		assert_int_equal(doc_counter(d, SPENT), (int64_t)sum);
		same(d, d);
	}
	doc_free(d);
}

/* ---- sets and maps ---- */

static struct made edit_labels(const struct doc *base, hlc t, uint8_t name, const char *add, const char *remove)
{
	struct change *c = change_new(&goal, base);

	if (add != NULL)
		change_set_add(c, LABELS, text(add));
	if (remove != NULL)
		change_set_remove(c, LABELS, text(remove));
	return made(c, t, name);
}

static void addition_wins_over_concurrent_removal(void **state)
{
	(void)state;
	for (hlc t = 20; t <= 22; t++) {
		struct made a = creation(10, 1);
		struct doc *d = doc_new(&goal), *x;
		struct made add, remove;

		apply(d, &a);
		add = edit_labels(d, t, 2, "red", NULL);
		remove = edit_labels(d, 21, 3, NULL, "red");
		x = fold((struct made *[]){ &a, &add, &remove }, 3);
		assert_int_equal(doc_set_count(x, LABELS), 2);
		doc_free(x);
		x = fold((struct made *[]){ &a, &remove }, 2);
		assert_int_equal(doc_set_count(x, LABELS), 1);
		doc_free(x);
		doc_free(d);
	}
}

static void removal_that_has_seen_the_addition_wins(void **state)
{
	struct made a = creation(10, 1), again, remove;
	struct doc *d = doc_new(&goal);

	(void)state;
	apply(d, &a);
	again = edit_labels(d, 11, 2, "red", NULL);
	apply(d, &again);
	remove = edit_labels(d, 12, 3, NULL, "red");
	apply(d, &remove);
	assert_int_equal(doc_set_count(d, LABELS), 1);
	same(d, d);
	doc_free(d);
}

static struct made edit_task(const struct doc *base, hlc t, uint8_t name, const struct id16 *id, const char *title)
{
	struct change *c = change_new(&goal, base);

	if (title != NULL)
		change_map_edit(c, TASKS, id, TASK_TITLE, text(title));
	else
		change_map_remove(c, TASKS, id);
	return made(c, t, name);
}

/* ... and whichever is folded first, the element is whole. */
static void removal_of_an_element_loses_to_a_concurrent_edit(void **state)
{
	(void)state;
	for (hlc t = 20; t <= 22; t++) {
		struct made a = creation(10, 1);
		struct doc *d = doc_new(&goal), *x;
		struct made edit, remove;

		apply(d, &a);
		edit = edit_task(d, t, 2, &TASK_A, "edited");
		remove = edit_task(d, 21, 3, &TASK_A, NULL);
		x = fold((struct made *[]){ &a, &edit, &remove }, 3);
		assert_int_equal(doc_map_count(x, TASKS), 2);
		assert_true(register_is(doc_map_register(x, TASKS, &TASK_A, TASK_TITLE, NULL), text("edited")));
		assert_int_equal(doc_map_counter(x, TASKS, &TASK_A, TASK_HOURS), 3);
		doc_free(x);
		doc_free(d);
	}
}

static void removed_element_is_gone_and_an_edit_revives_it(void **state)
{
	struct made a = creation(10, 1), remove, revive;
	struct doc *d = doc_new(&goal), *back;
	struct buf form;

	(void)state;
	apply(d, &a);
	remove = edit_task(d, 11, 2, &TASK_A, NULL);
	apply(d, &remove);
	assert_int_equal(doc_map_count(d, TASKS), 1);
	assert_true(id16_equal(doc_map_at(d, TASKS, 0), &TASK_B));
	assert_int_equal(doc_map_register(d, TASKS, &TASK_A, TASK_TITLE, NULL).len, 0);
	form = cached(d);
	assert_int_equal(doc_decode(&back, &goal, buf_slice(&form)), OK);
	revive = edit_task(back, 12, 3, &TASK_A, "again");
	apply(back, &revive);
	assert_int_equal(doc_map_count(back, TASKS), 2);
	assert_int_equal(doc_map_counter(back, TASKS, &TASK_A, TASK_HOURS), 3);
	doc_free(back);
	doc_free(d);
	buf_free(&form);
}

static void edits_keep_tags_few(void **state)
{
	struct made m = creation(10, 1);
	struct doc *d = doc_new(&goal);
	size_t len = 0;

	(void)state;
	apply(d, &m);
	for (uint8_t i = 0; i < 20; i++) {
		struct buf form;

		m = edit_task(d, 20u + 2 * i, (uint8_t)(50 + 2 * i), &TASK_A, "title");
		apply(d, &m);
		m = edit_labels(d, 21u + 2 * i, (uint8_t)(51 + 2 * i), "red", NULL);
		apply(d, &m);
		form = cached(d);
		assert_true(i == 0 || form.len == len);
		len = form.len;
		buf_free(&form);
	}
	doc_free(d);
}

/* ---- convergence ---- */

/* Ops of three devices that see some of each other's, of every kind of field. */
static size_t random_history(struct made *ops, size_t n, struct rng *rng)
{
	static const char *const names[] = { "red", "green", "blue" };

	for (size_t i = 0; i < n; i++) {
		struct made *seen[64];
		size_t n_seen = 0;
		struct doc *base;
		struct change *c;
		hlc t = 1;

		for (size_t k = 0; k < i; k++)
			if (rng_below(rng, 3) > 0) {
				seen[n_seen++] = &ops[k];
				t = ops[k].op.hlc >= t ? ops[k].op.hlc + rng_below(rng, 2) : t;
			}
		base = fold(seen, n_seen);
		c = change_new(&goal, rng_below(rng, 6) ? base : NULL);
		for (uint64_t edits = 1 + rng_below(rng, 3); edits > 0; edits--) {
			const char *name = names[rng_below(rng, 3)];
			struct id16 id = {{ (uint8_t)(1 + rng_below(rng, 3)) }};

			switch (rng_below(rng, 7)) {
			case 0: change_register_text(c, TITLE, slice_of(name)); break;
			case 1: change_counter(c, SPENT, (int64_t)rng_below(rng, 9) - 4); break;
			case 2: change_set_add(c, LABELS, text(name)); break;
			case 3: change_set_remove(c, LABELS, text(name)); break;
			case 4: change_map_edit(c, TASKS, &id, TASK_TITLE, text(name)); break;
			case 5: change_map_edit(c, TASKS, &id, TASK_HOURS, small(1)); break;
			default: change_map_remove(c, TASKS, &id);
			}
		}
		ops[i] = made(c, t, (uint8_t)(i + 1));
		rng_bytes(rng, ops[i].op.id.b, ID_LEN);
		ops[i].op.device = (struct id32){{ (uint8_t)rng_below(rng, 3) }};
		doc_free(base);
	}
	return n;
}

/* Whatever order ops arrive in, if those out of order cause a fold from the start, all copies are equal to the byte. */
static void copies_converge_in_any_order(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed_u64(&rng, 1);
	for (int round = 0; round < 300; round++) {
		static struct made ops[12];
		struct made *order[12];
		size_t n = random_history(ops, 2 + rng_below(&rng, 11), &rng);
		struct doc *reference;

		for (size_t i = 0; i < n; i++)
			order[i] = &ops[i];
		reference = fold(order, n);
		for (int copy = 0; copy < 4; copy++) {
			struct doc *d = doc_new(&goal);

			for (size_t i = n; i-- > 1;) {
				size_t k = rng_below(&rng, i + 1);
				struct made *swap = order[i];

				order[i] = order[k];
				order[k] = swap;
			}
			for (size_t i = 0; i < n; i++) {
				struct buf form;

				order[i]->op.body.data = order[i]->body;
				if (doc_in_order(d, &order[i]->op)) {
					apply(d, order[i]);
				} else {
					doc_free(d);
					d = fold(order, i + 1);
				}
				if (rng_below(&rng, 3))
					continue;
				form = cached(d);               /* and live on from the cache */
				doc_free(d);
				assert_int_equal(doc_decode(&d, &goal, buf_slice(&form)), OK);
				buf_free(&form);
			}
			same(d, reference);
			doc_free(d);
		}
		doc_free(reference);
	}
	assert_int_equal(mem_live(), 0);
}

/* ---- bodies ---- */

static struct buf body_of(const char *hex)
{
	struct buf b = {0};

	for (; hex[0] != '\0'; hex += hex[0] == ' ' ? 1 : 2) {
		char byte[3] = { hex[0], hex[1], 0 };

		if (hex[0] != ' ')
			buf_put_u8(&b, (uint8_t)strtoul(byte, NULL, 16));
	}
	return b;
}

#define TAG "c420 0101010101010101010101010101010101010101010101010101010101010101"
#define TAG2 "c420 0201010101010101010101010101010101010101010101010101010101010101"
#define ELEMENT "c410 aa000000000000000000000000000000"

static void each_body_is_judged(void **state)
{
	static const struct { enum err e; const char *hex; } cases[] = {
		{ OK, "80" },
		{ OK, "81 01 c3" },
		{ OK, "81 02 c0" },
		{ OK, "81 02 c2" },
		{ OK, "81 02 a1 41" },
		{ OK, "81 02 d3 8000000000000000" },
		{ OK, "81 07 91 91 00" },                                       /* unknown keys hold anything */
		{ OK, "81 00 91 c408 0000000000000000" },
		{ OK, "81 04 92 90 90" },
		{ OK, "81 04 92 92 01 02 91 92 01 91" TAG },
		{ OK, "81 06 81" ELEMENT "92 90 80" },
		{ OK, "81 06 81" ELEMENT "92 91" TAG "c0" },
		{ OK, "81 06 81" ELEMENT "92 92" TAG TAG2 "82 02 a0 03 05" },
		{ OK, "81 06 81" ELEMENT "92 90 81 63 91 00" },                 /* an unknown sub-key */
		{ ERR_MALFORMED, "" },
		{ ERR_MALFORMED, "90" },
		{ ERR_MALFORMED, "80 80" },
		{ ERR_MALFORMED, "81 01 c2" },
		{ ERR_MALFORMED, "81 01 01" },
		{ ERR_MALFORMED, "81 a1 41 00" },                               /* a key that is no number */
		{ ERR_MALFORMED, "81 ff 00" },
		{ ERR_MALFORMED, "82 02 c0 02 c0" },
		{ ERR_MALFORMED, "82 03 c0 02 c0" },
		{ ERR_MALFORMED, "81 02 90" },                                  /* a register holds scalars */
		{ ERR_MALFORMED, "81 02 80" },
		{ ERR_MALFORMED, "81 02 cf 8000000000000000" },                 /* beyond int64 */
		{ ERR_MALFORMED, "81 02 a1 ff" },                               /* no UTF-8 */
		{ ERR_MALFORMED, "81 05 c0" },                                  /* a delta is a number */
		{ ERR_MALFORMED, "81 05 cf 8000000000000000" },
		{ ERR_MALFORMED, "81 00 91 c407 00000000000000" },
		{ ERR_MALFORMED, "81 00 92 c408 0000000000000001 c408 0000000000000000" },
		{ ERR_MALFORMED, "81 00 92 c408 0000000000000001 c408 0000000000000001" },
		{ ERR_MALFORMED, "81 04 90" },
		{ ERR_MALFORMED, "81 04 92 92 02 01 90" },                      /* not sorted */
		{ ERR_MALFORMED, "81 04 92 92 01 01 90" },
		{ ERR_MALFORMED, "81 04 92 91 90 90" },
		{ ERR_MALFORMED, "81 04 92 90 91 92 01 90" },                   /* a removal of nothing seen */
		{ ERR_MALFORMED, "81 04 92 90 91 92 01 92" TAG TAG },
		{ ERR_MALFORMED, "81 04 92 90 91 92 01 91 c41f 00000000000000000000000000000000000000000000000000000000000000" },
		{ ERR_MALFORMED, "81 06 81" ELEMENT "92 90 c0" },
		{ ERR_MALFORMED, "81 06 81" ELEMENT "92 92" TAG2 TAG "80" },
		{ ERR_MALFORMED, "81 06 81" ELEMENT "80" },
		{ ERR_MALFORMED, "81 06 81 c40f aa0000000000000000000000000000 92 90 80" },
		{ ERR_MALFORMED, "81 06 81" ELEMENT "92 90 81 02 90" },
		{ ERR_MALFORMED, "81 07 91 91 91 91 91 91 91 91 00" },          /* too deep, also where unknown */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf body = body_of(cases[i].hex);
		struct doc_op op = { .hlc = 1, .id = {{ 1 }}, .body = buf_slice(&body) };
		struct doc *d = doc_new(&goal), *none = doc_new(&goal);

		if (doc_check(&goal, buf_slice(&body)) != cases[i].e)
			print_error("case %zu: %s\n", i, cases[i].hex);
		assert_int_equal(doc_check(&goal, buf_slice(&body)), cases[i].e);
		assert_int_equal(doc_apply(d, &op), cases[i].e);
		if (cases[i].e != OK)
			same(d, none);
		doc_free(d);
		doc_free(none);
		buf_free(&body);
	}
}

static void too_big_body_is_refused(void **state)
{
	static uint8_t big[LIMIT_BODY + 1];

	(void)state;
	assert_int_equal(doc_check(&goal, SLICE(big, sizeof big)), ERR_TOOBIG);
}

static void unknown_keys_change_nothing(void **state)
{
	struct buf body = body_of("82 02 a1 41 63 93 01 02 a1 42"), plain = body_of("81 02 a1 41");
	struct doc_op op = { .hlc = 1, .id = {{ 1 }}, .body = buf_slice(&body) };
	struct doc *a = doc_new(&goal), *b = doc_new(&goal);

	(void)state;
	assert_int_equal(doc_apply(a, &op), OK);
	op.body = buf_slice(&plain);
	assert_int_equal(doc_apply(b, &op), OK);
	same(a, b);
	doc_free(a);
	doc_free(b);
	buf_free(&body);
	buf_free(&plain);
}

/* ---- changes ---- */

static struct buf finished(struct change *c)
{
	struct buf body = {0};

	assert_int_equal(change_finish(c, &body), OK);
	change_free(c);
	return body;
}

static void assert_hex(struct buf body, const char *hex)
{
	struct buf expected = body_of(hex);

	assert_int_equal(body.len, expected.len);
	assert_memory_equal(body.data, expected.data, body.len);
	buf_free(&body);
	buf_free(&expected);
}

static void empty_change_is_an_empty_map_or_a_creation(void **state)
{
	struct doc *d = doc_new(&goal);

	(void)state;
	assert_hex(finished(change_new(&goal, d)), "80");
	assert_hex(finished(change_new(&goal, NULL)), "81 01 c3");
	doc_free(d);
	change_free(NULL);
}

static void later_calls_take_the_place_of_earlier(void **state)
{
	struct doc *d = doc_new(&goal);
	struct change *c = change_new(&goal, d);

	(void)state;
	change_register_int(c, STATE, 5);
	change_register_nil(c, STATE);
	change_register_bool(c, TITLE, false);
	change_register_bin(c, TITLE, SLICE("\1", 1));
	change_set_add(c, LABELS, small(1));
	change_set_remove(c, LABELS, small(1));
	change_map_edit(c, TASKS, &TASK_A, TASK_TITLE, small(1));
	change_map_remove(c, TASKS, &TASK_A);
	assert_hex(finished(c), "82 02 c401 01 03 c0");
	doc_free(d);
}

static void change_names_what_it_has_seen(void **state)
{
	struct made a = creation(10, 1);
	struct doc *d = doc_new(&goal);
	struct change *c;

	(void)state;
	memset(a.op.id.b, 1, ID_LEN);
	apply(d, &a);
	c = change_new(&goal, d);
	change_map_remove(c, TASKS, &TASK_A);
	change_map_edit(c, TASKS, &TASK_A, TASK_HOURS, small(1));
	change_map_edit(c, TASKS, &TASK_A, TASK_TITLE, small(7));
	change_set_remove(c, LABELS, text("red"));
	change_set_remove(c, LABELS, text("never"));
	change_set_add(c, LABELS, small(9));
	assert_hex(finished(c), "83 00 91 c408 0101010101010101"
		"04 92 91 09 91 92 a3 726564 91" TAG
		"06 81" ELEMENT "92 91" TAG "82 02 07 03 01");
	c = change_new(&goal, d);
	change_map_edit(c, TASKS, &TASK_A, TASK_TITLE, small(7));
	change_map_remove(c, TASKS, &TASK_A);
	assert_hex(finished(c), "81 06 81" ELEMENT "92 91" TAG "c0");
	doc_free(d);
}

static void wrong_calls_stick(void **state)
{
	struct buf body = {0};

	(void)state;
	for (int i = 0; i < 9; i++) {
		struct change *c = change_new(&goal, NULL);

		switch (i) {
		case 0: change_register_int(c, LABELS, 1); break;
		case 1: change_counter(c, TITLE, 1); break;
		case 2: change_set_add(c, 77, small(1)); break;
		case 3: change_set_remove(c, TASKS, small(1)); break;
		case 4: change_map_edit(c, TASKS, &TASK_A, 77, small(1)); break;
		case 5: change_map_remove(c, TITLE, &TASK_A); break;
		case 6: change_map_edit(c, TASKS, &TASK_A, TASK_HOURS, text("x")); break;
		case 7: change_register(c, TITLE, SLICE("\x90", 1)); break;
		default: change_register_text(c, TITLE, SLICE("\xff", 1));
		}
		change_register_int(c, STATE, 1);
		assert_int_equal(change_finish(c, &body), i < 6 ? ERR_STATE : ERR_MALFORMED);
		assert_int_equal(body.len, 0);
		change_free(c);
	}
	buf_free(&body);
}

static void change_leaves_room_for_sealing(void **state)
{
	static const uint8_t big[LIMIT_BODY];
	struct buf body = {0};

	(void)state;
	for (size_t len = LIMIT_BODY - TAG_LEN - 8; len < LIMIT_BODY - TAG_LEN; len++) {
		struct change *c = change_new(&goal, NULL);
		enum err e;

		change_register_bin(c, TITLE, SLICE(big, len));
		e = change_finish(c, &body);
		assert_int_equal(e, len + 7 > LIMIT_BODY - TAG_LEN ? ERR_TOOBIG : OK);
		buf_clear(&body);
		change_free(c);
	}
	buf_free(&body);
}

/* ---- lack of memory, damage ---- */

static enum err whole_life(struct made *a)
{
	struct doc *d = doc_new(&goal), *back = NULL;
	struct change *c = NULL;
	struct buf form = {0}, body = {0};
	enum err e = d == NULL ? ERR_NOMEM : doc_apply(d, &a->op);

	if (e == OK)
		e = doc_encode(&form, d);
	if (e == OK)
		e = doc_decode(&back, &goal, buf_slice(&form));
	if (e == OK && (c = change_new(&goal, back)) == NULL)
		e = ERR_NOMEM;
	if (e == OK) {
		change_register_text(c, TITLE, slice_of("other"));
		change_set_remove(c, LABELS, text("red"));
		change_map_edit(c, TASKS, &TASK_B, TASK_DONE, small(1));
		change_map_remove(c, TASKS, &TASK_A);
		e = change_finish(c, &body);
	}
	if (e == OK)
		e = doc_apply(back, &(struct doc_op){ .hlc = 20, .id = {{ 9 }}, .body = buf_slice(&body) });
	change_free(c);
	doc_free(d);
	doc_free(back);
	buf_free(&form);
	buf_free(&body);
	return e;
}

static void documents_survive_lack_of_memory(void **state)
{
	struct made a = creation(10, 1);
	enum err e = ERR_NOMEM;

	(void)state;
	a.op.body.data = a.body;
	for (long k = 0; e != OK; k++) {
		mem_fail_after(k);
		e = whole_life(&a);
		mem_fail_after(-1);
		assert_true(e == OK || e == ERR_NOMEM);
		assert_int_equal(mem_live(), 0);
	}
}

/* Documents grow by chunks: let the next one fail at every place in the work. */
static void each_place_survives_the_end_of_a_chunk(void **state)
{
	struct made a = creation(10, 1), remove, edit;
	struct doc *base = doc_new(&goal);

	(void)state;
	a.op.body.data = a.body;
	apply(base, &a);
	remove = edit_task(base, 11, 2, &TASK_A, NULL);
	edit = edit_labels(base, 12, 3, "red", "green");
	for (size_t pad = 0; pad < 2000; pad += 8) {
		struct doc *d = doc_new(&goal);
		struct change *c = change_new(&goal, d);
		static const uint8_t zeros[2000];
		struct buf body = {0};
		enum err e;

		change_register_bin(c, STATE, SLICE(zeros, pad));
		assert_int_equal(change_finish(c, &body), OK);
		assert_int_equal(doc_apply(d, &(struct doc_op){ .hlc = 1, .id = {{ 99 }}, .body = buf_slice(&body) }), OK);
		remove.op.body.data = remove.body;
		edit.op.body.data = edit.body;
		mem_fail_after(0);
		e = doc_apply(d, &a.op);
		if (e == OK)
			e = doc_apply(d, &remove.op);
		if (e == OK)
			e = doc_apply(d, &edit.op);
		mem_fail_after(-1);
		assert_true(e == OK || e == ERR_NOMEM);
		change_free(c);
		doc_free(d);
		buf_free(&body);
	}
	doc_free(base);
	assert_int_equal(mem_live(), 0);
}

static void large_documents_survive_lack_of_memory(void **state)
{
	(void)state;
	for (unsigned n = 1; n < 60; n++) {
		struct doc *d = doc_new(&goal);
		struct buf form;
		enum err e = ERR_NOMEM;

		for (unsigned i = 0; i < n; i++) {
			struct change *c = change_new(&goal, d);
			struct made m;

			for (uint8_t k = 0; k < 3; k++)
				change_map_edit(c, TASKS, &(struct id16){{ (uint8_t)(i * 3 + k) }}, TASK_TITLE, small(k));
			change_set_add(c, LABELS, small((uint8_t)i));
			if (i % 2)
				change_map_remove(c, TASKS, &(struct id16){{ (uint8_t)(i * 2) }});
			m = made(c, i + 1, (uint8_t)(i + 1));
			apply(d, &m);
		}
		form = cached(d);
		doc_free(d);
		for (long k = 0; e != OK; k++) {
			mem_fail_after(k);
			e = doc_decode(&d, &goal, buf_slice(&form));
			mem_fail_after(-1);
			assert_true(e == OK || (e == ERR_NOMEM && d == NULL));
		}
		doc_free(d);
		buf_free(&form);
	}
	assert_int_equal(mem_live(), 0);
}

static void damaged_caches_are_refused_or_documents(void **state)
{
	struct made a = creation(10, 1), remove;
	struct doc *d = doc_new(&goal), *back;
	struct buf form;

	(void)state;
	apply(d, &a);
	remove = edit_task(d, 11, 2, &TASK_A, NULL);
	apply(d, &remove);
	form = cached(d);
	doc_free(d);
	for (size_t i = 0; i < form.len; i++) {
		assert_int_equal(doc_decode(&back, &goal, SLICE(form.data, i)), ERR_MALFORMED);
		assert_null(back);
	}
	for (size_t i = 0; i < form.len * 8; i++) {
		form.data[i / 8] ^= (uint8_t)(1 << i % 8);
		if (doc_decode(&back, &goal, buf_slice(&form)) == OK) {
			struct buf again = {0};

			doc_register(back, TITLE, NULL);
			assert_int_equal(doc_encode(&again, back), OK);
			buf_free(&again);
			doc_free(back);
		}
		form.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	buf_free(&form);
	assert_int_equal(mem_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_document_is_empty),
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(last_writer_wins_by_clock_then_device_then_id),
		cmocka_unit_test(only_registers_and_counters_need_no_order),
		cmocka_unit_test(counters_add_up_and_wrap),
		cmocka_unit_test(addition_wins_over_concurrent_removal),
		cmocka_unit_test(removal_that_has_seen_the_addition_wins),
		cmocka_unit_test(removal_of_an_element_loses_to_a_concurrent_edit),
		cmocka_unit_test(removed_element_is_gone_and_an_edit_revives_it),
		cmocka_unit_test(edits_keep_tags_few),
		cmocka_unit_test(copies_converge_in_any_order),
		cmocka_unit_test(each_body_is_judged),
		cmocka_unit_test(too_big_body_is_refused),
		cmocka_unit_test(unknown_keys_change_nothing),
		cmocka_unit_test(empty_change_is_an_empty_map_or_a_creation),
		cmocka_unit_test(later_calls_take_the_place_of_earlier),
		cmocka_unit_test(change_names_what_it_has_seen),
		cmocka_unit_test(wrong_calls_stick),
		cmocka_unit_test(change_leaves_room_for_sealing),
		cmocka_unit_test(documents_survive_lack_of_memory),
		cmocka_unit_test(each_place_survives_the_end_of_a_chunk),
		cmocka_unit_test(large_documents_survive_lack_of_memory),
		cmocka_unit_test(damaged_caches_are_refused_or_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
