/* The reading side of the gate: reports of others, opened but foreign. */
#include "org/gate.h"
#include <string.h>
#include "base/limits.h"
#include "base/mem.h"
#include "base/mp.h"
#include "base/text.h"

#define ENTRY_MIN 43                    /* header, two ids, weight and time, each with its key */
#define CATEGORY_MAX 50                 /* code points */
#define FIELDS_MAX 64                   /* of a map; unknown ones included */
#define TIME_MAX (((uint64_t)1 << 48) - 1)
#define SEEN(field) (1u << (field))

static struct slice get_category(struct mp_reader *r)
{
	struct slice s = mp_get_str(r, CATEGORY_MAX * 4);

	if (text_points(s) > CATEGORY_MAX)
		mp_fail(r, ERR_MALFORMED);
	return s;
}

static void get_percent(struct report_entry *e, struct mp_reader *r)
{
	e->hidden = false;
	if (mp_get_nil(r))
		return;
	e->has_percent = true;
	e->percent = mp_get_int(r, -DECIMAL_MAX, DECIMAL_MAX);
}

static void get_entry_field(struct report_entry *e, struct mp_reader *r, uint64_t key)
{
	switch (key) {
	case 1:
		mp_get_fixed(r, e->goal.b, DOC_LEN);
		break;
	case 2:
		mp_get_fixed(r, e->objective.b, DOC_LEN);
		break;
	case 3:
		e->weight = mp_get_int(r, 0, DECIMAL_WEIGHT_MAX);
		break;
	case 4:
		get_percent(e, r);
		break;
	case 5:
		e->tasks_done = (unsigned)mp_get_uint(r, UINT32_MAX);
		break;
	case 6:
		e->tasks_total = (unsigned)mp_get_uint(r, UINT32_MAX);
		break;
	case 7:
		e->last_activity_ms = mp_get_uint(r, TIME_MAX);
		break;
	case 8:
		e->minutes = mp_get_uint(r, TIME_MAX);
		break;
	case 9:
		e->category = get_category(r);
		break;
	default:
		mp_get_any(r);
		break;
	}
}

/* Reads the keys of a map; returns which of 1…31 there were. */
static uint32_t note(uint64_t key)
{
	return key < 32 ? SEEN(key) : 0;
}

static void get_entry(struct report_entry *e, struct mp_reader *r)
{
	uint32_t seen = 0, needed = SEEN(1) | SEEN(2) | SEEN(3) | SEEN(7), counts = SEEN(5) | SEEN(6);
	size_t n = mp_get_map(r, FIELDS_MAX);

	*e = (struct report_entry){ .hidden = true };
	for (; n > 0 && r->err == OK; n--) {
		uint64_t key = mp_get_uint(r, UINT32_MAX);

		seen |= note(key);
		get_entry_field(e, r, key);
	}
	e->has_tasks = (seen & counts) == counts;
	e->has_minutes = (seen & SEEN(8)) != 0;
	if ((seen & needed) != needed || (!e->has_tasks && (seen & counts) != 0) || e->tasks_done > e->tasks_total)
		mp_fail(r, ERR_MALFORMED);
}

static int compare_entries(const struct report_entry *a, const struct report_entry *b)
{
	int order = id16_compare(&a->goal, &b->goal);

	return order != 0 ? order : id16_compare(&a->objective, &b->objective);
}

static void get_entries(struct report *out, struct mp_reader *r)
{
	size_t n = mp_get_array(r, (size_t)(r->end - r->at) / ENTRY_MIN + 1);

	out->entries = mem_array(n, sizeof *out->entries);
	if (out->entries == NULL) {
		mp_fail(r, ERR_NOMEM);
		return;
	}
	for (; out->n < n && r->err == OK; out->n++) {
		get_entry(&out->entries[out->n], r);
		if (out->n > 0 && compare_entries(&out->entries[out->n - 1], &out->entries[out->n]) >= 0)
			mp_fail(r, ERR_MALFORMED);
	}
}

static void get_categories(struct report_summary *s, struct mp_reader *r)
{
	size_t n = mp_get_map(r, (size_t)(r->end - r->at) / 2);

	s->categories = mem_array(n, sizeof *s->categories);
	if (s->categories == NULL) {
		mp_fail(r, ERR_NOMEM);
		return;
	}
	for (; s->n_categories < n && r->err == OK; s->n_categories++) {
		s->categories[s->n_categories].name = get_category(r);
		s->categories[s->n_categories].done = (unsigned)mp_get_uint(r, UINT32_MAX);
	}
}

static void get_summary(struct report_summary *s, struct mp_reader *r)
{
	uint32_t seen = 0;

	for (size_t n = mp_get_map(r, FIELDS_MAX); n > 0 && r->err == OK; n--) {
		uint64_t key = mp_get_uint(r, UINT32_MAX);

		seen |= note(key);
		if (key == 1)
			s->tasks_done = (unsigned)mp_get_uint(r, UINT32_MAX);
		else if (key == 2)
			s->goals_active = (unsigned)mp_get_uint(r, UINT32_MAX);
		else if (key == 3)
			get_categories(s, r);
		else if (key == 4)
			s->minutes = mp_get_uint(r, UINT64_MAX);
		else
			mp_get_any(r);
	}
	s->has_tasks = (seen & SEEN(1)) != 0;
	s->has_goals = (seen & SEEN(2)) != 0;
	s->has_minutes = (seen & SEEN(4)) != 0;
}

enum err report_read(struct report *out, struct slice body)
{
	struct mp_reader r = mp_read(body);
	uint32_t seen = 0, needed = SEEN(1) | SEEN(2) | SEEN(4);

	*out = (struct report){ 0 };
	if (body.len > LIMIT_STATEMENT)
		return ERR_TOOBIG;
	if (mp_check(body, LIMIT_DEPTH, body.len) != OK)
		return ERR_MALFORMED;
	for (size_t n = mp_get_map(&r, FIELDS_MAX); n > 0 && r.err == OK; n--) {
		uint64_t key = mp_get_uint(&r, UINT32_MAX);

		seen |= note(key);
		if (key == 1)
			out->layer = (unsigned)mp_get_uint(&r, 3);
		else if (key == 2)
			get_entries(out, &r);
		else if (key == 3)
			get_summary(&out->summary, &r);
		else if (key == 4)
			mp_get_fixed(&r, out->salt.b, DOC_LEN);
		else
			mp_get_any(&r);
	}
	if ((seen & needed) != needed)
		mp_fail(&r, ERR_MALFORMED);
	if (mp_end(&r) == OK)
		return OK;
	report_free(out);
	return r.err;
}

void report_free(struct report *r)
{
	mem_free(r->entries);
	mem_free(r->summary.categories);
	*r = (struct report){ 0 };
}
