/* Typed views of folded documents.  A register that breaks its own table row reads as unset: a peer decides nothing by it. */
#include "org/model.h"
#include <assert.h>
#include <string.h>
#include "base/mem.h"

/* A document, or one element of a map in it. */
struct source { const struct doc *doc; const struct kind_spec *kind; uint32_t map; const struct id16 *element; };

static struct source of_doc(const struct doc *doc, uint32_t kind)
{
	return (struct source){ .doc = doc, .kind = model_kind(kind) };
}

static struct source of_element(const struct source *s, uint32_t map, const struct id16 *element)
{
	return (struct source){ s->doc, model_field_by_key(s->kind, map)->element, map, element };
}

static struct value get(const struct source *s, uint32_t key, struct doc_writer *writer)
{
	const struct field_spec *f = model_field_by_key(s->kind, key);
	struct value v;

	assert(f != NULL);
	if (s->element == NULL)
		value_load(&v, f, doc_register(s->doc, key, writer));
	else
		value_load(&v, f, doc_map_register(s->doc, s->map, s->element, key, writer));
	return v;
}

static struct slice get_text(const struct source *s, uint32_t key)
{
	return get(s, key, NULL).bytes;
}

static struct number get_number(const struct source *s, uint32_t key)
{
	struct value v = get(s, key, NULL);

	return (struct number){ v.set, v.number };
}

/* Numbers, enums and booleans with the value that stands for unset. */
static int64_t get_or(const struct source *s, uint32_t key, int64_t fallback)
{
	struct value v = get(s, key, NULL);

	return v.set ? v.number : fallback;
}

static bool get_id(void *id, const struct source *s, uint32_t key)
{
	struct value v = get(s, key, NULL);

	if (v.set)
		memcpy(id, v.bytes.data, v.bytes.len);
	return v.set;
}

/* ---- progress --------------------------------------------------------------------------------------------------- */

static decimal saturate(int64_t v)
{
	if (v > DECIMAL_MAX)
		return DECIMAL_MAX;
	return v < -DECIMAL_MAX ? -DECIMAL_MAX : v;
}

struct number progress_percent(struct number current, struct number target, decimal baseline)
{
	if (!current.set || !target.set || target.value == baseline)
		return (struct number){ 0 };
	return (struct number){ true,
		saturate(decimal_muldiv(current.value - baseline, 100 * DECIMAL_ONE, target.value - baseline)) };
}

static struct number reached(bool yes)
{
	return (struct number){ true, yes ? 100 * DECIMAL_ONE : 0 };
}

static struct number scale_percent(const struct key_result *kr)
{
	struct number whole = kr->current;

	whole.value = kr->baseline + (kr->current.value - kr->baseline) / DECIMAL_ONE * DECIMAL_ONE;
	return progress_percent(whole, kr->target, kr->baseline);
}

static struct number kpi_percent(const struct key_result *kr)
{
	decimal v = kr->current.value, target = kr->target.value, base = kr->baseline;
	decimal low = base < target ? base : target, high = base < target ? target : base;
	enum kr_keep keep = kr->keep != KEEP_UNSET ? kr->keep : target >= base ? KEEP_ABOVE : KEEP_BELOW;
	struct number way;

	if (keep == KEEP_RANGE)
		return reached(v >= low && v <= high);
	if (keep == KEEP_ABOVE ? v >= target : v <= target)
		return reached(true);
	if (keep == KEEP_ABOVE ? base >= target : base <= target)
		return reached(false);          /* no way from a baseline on the right side */
	way = progress_percent(kr->current, kr->target, base);
	return way.value > 0 ? way : reached(false);
}

struct number key_result_percent(const struct key_result *kr)
{
	struct number target = kr->target;

	if (!kr->current.set)
		return (struct number){ 0 };
	switch (kr->type) {
	case KR_BINARY:
		return reached(kr->current.value >= (target.set ? target.value : DECIMAL_ONE));
	case KR_SCALE:
		return scale_percent(kr);
	case KR_KPI:
		return target.set ? kpi_percent(kr) : (struct number){ 0 };
	case KR_PERCENTAGE:
		if (!target.set)
			target = (struct number){ true, 100 * DECIMAL_ONE };
		break;
	case KR_NUMBER:
	case KR_CURRENCY:
		break;
	}
	return progress_percent(kr->current, target, kr->baseline);
}

/* ---- objectives ------------------------------------------------------------------------------------------------- */

void objective_read(struct objective *out, const struct id16 *id, const struct doc *doc)
{
	struct source s = of_doc(doc, KIND_OBJECTIVE);
	struct doc_writer parent = { 0 };

	*out = (struct objective){ .id = *id, .title = get_text(&s, OBJ_TITLE), .description = get_text(&s, OBJ_DESCRIPTION),
		.unit = get_text(&s, OBJ_UNIT), .current = get_number(&s, OBJ_CURRENT), .start = get_number(&s, OBJ_START),
		.end = get_number(&s, OBJ_END), .changed = doc_last(doc).hlc };
	out->target = (struct number){ true, get_or(&s, OBJ_TARGET, 100 * DECIMAL_ONE) };
	out->weight = get_or(&s, OBJ_WEIGHT, DECIMAL_ONE);
	out->method = (enum method)get_or(&s, OBJ_METHOD, METHOD_AVERAGE);
	out->status = (enum objective_status)get_or(&s, OBJ_STATUS, OBJECTIVE_DRAFT);
	out->period = (enum period)get_or(&s, OBJ_PERIOD, PERIOD_QUARTER);
	out->period_number = (unsigned)get_or(&s, OBJ_PERIOD_NUMBER, 0);
	out->period_year = (unsigned)get_or(&s, OBJ_PERIOD_YEAR, 0);
	out->priority = (unsigned)get_or(&s, OBJ_PRIORITY, 2);
	out->support_edge = get_or(&s, OBJ_EDGE, 0) == 1;
	out->deleted = get_or(&s, OBJ_DELETED, 0) == 1;
	out->has_owner = get_id(out->owner.b, &s, OBJ_OWNER);
	out->has_parent = get_id(out->parent.b, &s, OBJ_PARENT);
	get(&s, OBJ_PARENT, &parent);
	out->parent_at = parent.hlc;
}

static void read_key_result(struct key_result *out, const struct source *objective, const struct id16 *id)
{
	struct source s = of_element(objective, OBJ_KEY_RESULTS, id);

	*out = (struct key_result){ .id = *id, .title = get_text(&s, KR_TITLE), .unit = get_text(&s, KR_UNIT),
		.type = (enum key_result_type)get_or(&s, KR_TYPE, KR_PERCENTAGE),
		.keep = (enum kr_keep)get_or(&s, KR_KEEP, KEEP_UNSET), .baseline = get_or(&s, KR_BASELINE, 0),
		.target = get_number(&s, KR_TARGET), .current = get_number(&s, KR_CURRENT),
		.weight = get_or(&s, KR_WEIGHT, DECIMAL_ONE) };
}

static int compare_positions(const struct source *objective, const struct id16 *a, const struct id16 *b)
{
	struct source sa = of_element(objective, OBJ_KEY_RESULTS, a), sb = of_element(objective, OBJ_KEY_RESULTS, b);
	int order = slice_compare(get(&sa, KR_POSITION, NULL).bytes, get(&sb, KR_POSITION, NULL).bytes);

	return order != 0 ? order : id16_compare(a, b);
}

size_t objective_key_results(const struct doc *doc, struct key_result *out, size_t max)
{
	struct source s = of_doc(doc, KIND_OBJECTIVE);
	size_t total = doc_map_count(doc, OBJ_KEY_RESULTS), n = 0;

	for (size_t i = 0; i < total; i++) {
		const struct id16 *id = doc_map_at(doc, OBJ_KEY_RESULTS, i);
		size_t at = n;

		while (at > 0 && compare_positions(&s, id, &out[at - 1].id) < 0)
			at--;
		if (at == max)
			continue;
		if (n < max)
			n++;
		memmove(out + at + 1, out + at, (n - at - 1) * sizeof *out);
		read_key_result(&out[at], &s, id);
	}
	return total;
}

/* ---- goals ------------------------------------------------------------------------------------------------------ */

static bool later(const struct doc_writer *a, const struct doc_writer *b)
{
	return a->hlc != b->hlc ? a->hlc > b->hlc : id32_compare(&a->id, &b->id) >= 0;
}

/* What the owner said last: the percent, or a value that says one. */
static struct number goal_percent(const struct source *s, const struct goal *goal)
{
	struct doc_writer said_at = { 0 }, value_at = { 0 };
	struct value said = get(s, GOAL_PERCENT, &said_at), value = get(s, GOAL_CURRENT, &value_at);
	struct number derived = progress_percent(goal->current, goal->target, goal->baseline);

	if (said.set && (!value.set || !derived.set || later(&said_at, &value_at)))
		return (struct number){ true, said.number };
	return derived;
}

static size_t find_category(const struct goal *goal, struct slice name)
{
	size_t i = 0;

	while (i < goal->n_categories && !slice_equal(goal->categories[i].name, name))
		i++;
	return i;
}

static void count_category(struct goal *goal, struct slice name)
{
	struct slice other = slice_of("Other");
	size_t at = find_category(goal, name);

	if (at == GOAL_CATEGORIES_MAX && (at = find_category(goal, other)) == GOAL_CATEGORIES_MAX)
		goal->categories[--at].name = other;
	else if (at == goal->n_categories)
		goal->categories[goal->n_categories++].name = name;
	goal->categories[at].done++;
}

static void sort_categories(struct goal *goal)
{
	struct task_category *c = goal->categories;

	for (size_t i = 1; i < goal->n_categories; i++)
		for (size_t j = i; j > 0 && slice_compare(c[j].name, c[j - 1].name) < 0; j--) {
			struct task_category swap = c[j];

			c[j] = c[j - 1];
			c[j - 1] = swap;
		}
}

static void read_tasks(struct goal *goal, const struct source *s)
{
	size_t n = doc_map_count(s->doc, GOAL_TASKS);

	for (size_t i = 0; i < n; i++) {
		struct source task = of_element(s, GOAL_TASKS, doc_map_at(s->doc, GOAL_TASKS, i));
		struct slice category = get_text(&task, TASK_CATEGORY);

		goal->tasks_total++;
		goal->minutes += (uint64_t)get_or(&task, TASK_ACTUAL, 0);
		if (get_or(&task, TASK_DONE, 0) == 0)
			continue;
		goal->tasks_done++;
		if (category.len == 0)
			category = goal->category;
		if (category.len > 0)
			count_category(goal, category);
	}
	sort_categories(goal);
}

void goal_read(struct goal *out, const struct id16 *id, const struct doc *doc)
{
	struct source s = of_doc(doc, KIND_GOAL);

	*out = (struct goal){ .id = *id, .title = get_text(&s, GOAL_TITLE), .description = get_text(&s, GOAL_DESCRIPTION),
		.category = get_text(&s, GOAL_CATEGORY), .unit = get_text(&s, GOAL_UNIT), .target = get_number(&s, GOAL_TARGET),
		.current = get_number(&s, GOAL_CURRENT), .baseline = get_or(&s, GOAL_BASELINE, 0),
		.changed = doc_last(doc).hlc };
	out->status = (enum goal_status)get_or(&s, GOAL_STATUS, GOAL_NOT_STARTED);
	out->is_private = get_or(&s, GOAL_PRIVATE, 0) == 1;
	out->shared = get_or(&s, GOAL_SHARED, 1) == 1;
	out->deleted = get_or(&s, GOAL_DELETED, 0) == 1;
	out->has_team = get_id(out->team.b, &s, GOAL_TEAM);
	out->percent = goal_percent(&s, out);
	read_tasks(out, &s);
}

/* ---- links and sharing ------------------------------------------------------------------------------------------ */

bool link_read(struct link *out, const struct id16 *id, const struct doc *doc)
{
	struct source s = of_doc(doc, KIND_LINK);

	*out = (struct link){ .id = *id, .weight = get_or(&s, LINK_WEIGHT, DECIMAL_ONE), .active = get_or(&s, LINK_ACTIVE, 1) == 1 };
	out->at_ms = (uint64_t)get_or(&s, LINK_AT, 0);
	return get_id(out->org.b, &s, LINK_ORG) && get_id(out->goal.b, &s, LINK_GOAL) && get_id(out->objective.b, &s, LINK_OBJECTIVE);
}

/* The well-formed elements of a set of ids, ascending as the set is. */
static enum err read_ids(void **ids, size_t *n, const struct source *s, uint32_t key)
{
	const struct field_spec *f = model_field_by_key(s->kind, key);
	size_t count = doc_set_count(s->doc, key), size = f->value == VALUE_ID16 ? DOC_LEN : ID_LEN;
	uint8_t *at = mem_array(count, size);
	struct value v;

	*ids = at;
	*n = 0;
	if (at == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		if (value_load(&v, f, doc_set_at(s->doc, key, i)) == OK && v.set)
			memcpy(at + (*n)++ * size, v.bytes.data, size);
	return OK;
}

enum err sharing_read(struct sharing *out, const struct doc *doc)
{
	struct source s;
	void *only = NULL, *hide = NULL, *refused = NULL;
	enum err e;

	*out = (struct sharing){ .progress = true, .counts = true, .categories = true };
	if (doc == NULL)
		return OK;
	s = of_doc(doc, KIND_SHARING);
	out->accepted = get_or(&s, SHARE_ACCEPTED, 0) == 1;
	out->progress = get_or(&s, SHARE_PROGRESS, 1) == 1;
	out->counts = get_or(&s, SHARE_COUNTS, 1) == 1;
	out->time = get_or(&s, SHARE_TIME, 0) == 1;
	out->tasks = get_or(&s, SHARE_TASKS, 0) == 1;
	out->categories = get_or(&s, SHARE_CATEGORIES, 1) == 1;
	out->version = (uint64_t)get_or(&s, SHARE_VERSION, 0);
	e = read_ids(&only, &out->n_only, &s, SHARE_ONLY);
	if (e == OK)
		e = read_ids(&hide, &out->n_hide, &s, SHARE_HIDE);
	if (e == OK)
		e = read_ids(&refused, &out->n_refused, &s, SHARE_REFUSED);
	out->only = only;
	out->hide = hide;
	out->refused = refused;
	if (e != OK)
		sharing_free(out);
	return e;
}

void sharing_free(struct sharing *s)
{
	mem_free((void *)s->only);
	mem_free((void *)s->hide);
	mem_free((void *)s->refused);
	*s = (struct sharing){ 0 };
}
