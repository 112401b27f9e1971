/* The breakdown of one objective (S0's keys), and why it is what it is (design §9). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "daemon/routes.h"

struct shown { struct read *q; struct id16 id; const struct doc *doc; struct objective objective; struct view_progress p;
	size_t n_krs; struct key_result *krs; };

static const char *name_of(uint32_t field, unsigned value)
{
	const struct enum_names *names = model_field_by_key(model_kind(KIND_OBJECTIVE), field)->names;

	return value < names->n ? names->names[value] : "?";
}

/* ---- parts ------------------------------------------------------------------------------------------------------------------- */
static json_t *contributors_json(const struct view_progress *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n_contributors; i++) {
		const struct view_contributor *c = &p->contributors[i];
		json_t *o = json_object();

		json_put(&o, "userId", json_of_id32(&c->member));
		json_put(&o, "displayName", json_of_text_or_null(c->name));
		json_put(&o, "progress", json_of_number(c->progress));
		json_put(&o, "contributionWeight", json_of_decimal(c->weight));
		json_put(&o, "lastUpdated", json_of_time(c->updated_ms));
		json_put(&o, "linkedGoalCount", json_of_uint(c->links));
		json_put(&o, "completedTaskCount", json_of_uint(c->tasks_done));
		json_add(&list, o);
	}
	return list;
}

static json_t *teams_json(struct read *q, const struct rollup_body *body)
{
	json_t *list = json_array();

	for (size_t i = 0; i < body->n_teams; i++) {
		const struct doc *doc;
		json_t *o = json_object();

		if (view_document(q->v, &q->org, KIND_TEAM, &body->teams[i].team, &doc) != OK)
			doc = NULL;
		json_put(&o, "teamId", json_of_id16(&body->teams[i].team));
		json_put(&o, "teamName", json_of_text_or_null(view_register(doc, KIND_TEAM, TEAM_NAME)));
		json_put(&o, "progress", json_of_number(body->teams[i].progress));
		json_put(&o, "contributorCount", json_of_uint(body->teams[i].contributors));
		json_add(&list, o);
	}
	return list;
}

/* As published; a key result that came later has the value that everyone can work out. */
static struct number kr_progress(const struct rollup_body *body, const struct key_result *kr)
{
	for (size_t i = 0; i < body->n_key_results; i++)
		if (id16_equal(&body->key_results[i].id, &kr->id))
			return body->key_results[i].percent;
	return key_result_percent(kr);
}

static json_t *key_results_json(const struct shown *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_krs && !s->p.body.suppressed; i++) {
		const struct key_result *kr = &s->krs[i];
		json_t *o = json_object();

		json_put(&o, "id", json_of_id16(&kr->id));
		json_put(&o, "title", json_of_text_or_null(kr->title));
		json_put(&o, "targetValue", json_of_number(kr->target));
		json_put(&o, "currentValue", json_of_number(kr->current));
		json_put(&o, "unit", json_of_text_or_null(kr->unit));
		json_put(&o, "progress", json_of_number(kr_progress(&s->p.body, kr)));
		json_add(&list, o);
	}
	return list;
}

/* ---- explaining ---------------------------------------------------------------------------------------------------------------- */
static const char *item_why(const struct rollup_item *item, char out[96])
{
	if (item->hidden)
		return "the percentage is not shared";
	if (item->support)
		return "supports it, but does not count";
	if (!item->raw.set)
		return "no data yet";
	if (!item->counts)
		return item->weight == 0 ? "has weight 0" : "does not count";
	if (item->clamped != item->raw.value) {
		char number[32];

		(void)snprintf(out, 96, "counted as %s", percent_text(number, item->clamped));
		return out;
	}
	return "counts";
}

static const struct key_result *find_kr(const struct shown *s, const struct id16 *id)
{
	for (size_t i = 0; i < s->n_krs; i++)
		if (id16_equal(&s->krs[i].id, id))
			return &s->krs[i];
	return NULL;
}

static json_t *item_json(const struct shown *s, const struct rollup_item *item)
{
	static const char *const kinds[] = { [ITEM_CONTRIBUTOR] = "contributor", [ITEM_LINK] = "link", [ITEM_CHILD] = "objective",
		[ITEM_KEY_RESULT] = "keyResult", [ITEM_OWN] = "own" };
	const bool person = item->kind == ITEM_CONTRIBUTOR || item->kind == ITEM_LINK;
	const struct key_result *kr = item->kind == ITEM_KEY_RESULT ? find_kr(s, &item->child) : NULL;
	struct slice title = item->kind == ITEM_CHILD ? title_of(s->q, &item->child) : kr != NULL ? kr->title
		: item->kind == ITEM_OWN ? s->objective.title : SLICE("", 0);
	json_t *o = json_object();
	char why[96];

	json_put(&o, "kind", json_string(kinds[item->kind]));
	json_put(&o, "id", person ? json_of_id32(&item->member) : json_of_id16(item->kind == ITEM_OWN ? &s->id : &item->child));
	json_put(&o, "title", person ? json_null() : json_of_text_or_null(title));
	json_put(&o, "displayName", person ? name_json(s->q, &item->member) : json_null());
	json_put(&o, "raw", json_of_number(item->raw));
	json_put(&o, "counted", item->counts ? json_of_decimal(item->clamped) : json_null());
	json_put(&o, "weight", json_of_decimal(item->weight));
	json_put(&o, "share", item->counts ? json_of_decimal(item->share) : json_null());
	json_put(&o, "why", json_string(item_why(item, why)));
	return o;
}

static json_t *items_json(const struct shown *s)
{
	json_t *list = json_array();

	for (size_t i = 0; s->p.explain != NULL && i < s->p.explain->n_items; i++)
		json_add(&list, item_json(s, &s->p.explain->items[i]));
	return list;
}

/* Why there is no number, though everything is here to compute it. */
static void why_none(const struct rollup_result *r, enum method method, char *out, size_t size)
{
	size_t below = 0, counting = 0;

	for (size_t i = 0; i < r->n_items; i++) {
		below += r->items[i].kind == ITEM_CHILD;
		counting += r->items[i].kind == ITEM_KEY_RESULT;
	}
	if (method == METHOD_KEY_RESULTS)
		(void)snprintf(out, size, counting == 0 ? "No data: its method is KeyResults, but it has no key results."
			: "No data: none of its key results has a current value yet.");
	else if (r->contributors == 0 && below == 0)
		(void)snprintf(out, size, "No data: nobody shares progress of a goal that is linked to it, and it has no current value of its own.");
	else if (r->hidden > 0 && r->hidden == r->links)
		(void)snprintf(out, size, "No data: the percentage of %s is not shared.", r->links == 1 ? "the only linked goal" : "every linked goal");
	else if (method == METHOD_TASKS)
		(void)snprintf(out, size, "No data: its method is TaskBased, but no linked goal shares task counts.");
	else
		(void)snprintf(out, size, "No data: %u contributor%s and %zu objective%s below it, but none with a value that counts yet.",
			r->contributors, r->contributors == 1 ? "" : "s", below, below == 1 ? "" : "s");
}

static void why_value(const struct rollup_result *r, size_t left_out, enum method method, char *out, size_t size)
{
	static const char *const what[] = { "the average", "the average by weight", "the smallest", "the largest", "the sum",
		"the average by weight of the key results", "done tasks of all tasks" };
	size_t counted = left_out;
	char number[32], others[64] = "";
	bool own = false;

	for (size_t i = 0; i < r->n_items; i++) {
		counted += r->items[i].counts;
		own = own || (r->items[i].kind == ITEM_OWN && r->items[i].counts);
	}
	if (left_out > 0)
		(void)snprintf(others, sizeof others, " %zu of them %s not yours to see.", left_out, left_out == 1 ? "is" : "are");
	if (own)
		(void)snprintf(out, size, "%s: from its own current and target value.", percent_text(number, r->progress.value));
	else if (r->progress.value == 0)
		(void)snprintf(out, size, r->raw.set && r->raw.value < 0 ? "0 %%: what counts is below 0, and counts as 0."
			: "0 %%: everything that counts is at 0 so far.");
	else
		(void)snprintf(out, size, "%s: %s of %zu item%s that count%s.%s%s", percent_text(number, r->progress.value),
			what[method <= METHOD_TASKS ? method : 0], counted, counted == 1 ? "" : "s", counted == 1 ? "s" : "", others,
			r->own_value_ignored ? " Its own current value is not used: it has contributors or objectives below it." : "");
}

static json_t *reason_json(struct shown *s)
{
	const struct view_progress *p = &s->p;
	char text[400] = "", number[32];

	if (!p->has_result)
		(void)snprintf(text, sizeof text, "No data: %s.", p->note == NULL ? "nothing is published" : p->note);
	else if (p->body.suppressed)
		(void)snprintf(text, sizeof text, "Not shown: fewer people contribute than the organization's minGroup asks for.");
	else if (p->explain == NULL && p->body.progress.set)
		(void)snprintf(text, sizeof text, "%s, as published: method %s, with %u contributor%s; the items can be listed on an aggregator.",
			percent_text(number, p->body.progress.value), name_of(OBJ_METHOD, p->body.method), p->body.contributors,
			p->body.contributors == 1 ? "" : "s");
	else if (p->explain == NULL)
		(void)snprintf(text, sizeof text, p->body.hidden > 0 ? "No data: the percentages of %u linked goal%s are not shared."
			: "No data: nothing that counts has a value yet.", p->body.hidden, p->body.hidden == 1 ? "" : "s");
	else if (p->body.progress.set)
		why_value(p->explain, p->n_left_out, s->objective.method, text, sizeof text);
	else
		why_none(p->explain, s->objective.method, text, sizeof text);
	return json_string(text);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------------- */
static json_t *breakdown(struct shown *s, bool explain)
{
	const struct rollup_body *b = &s->p.body;
	const bool counts = s->p.has_result && !b->suppressed;
	json_t *o = json_object();

	json_put(&o, "id", json_of_id16(&s->id));
	json_put(&o, "title", json_of_text_or_null(s->objective.title));
	json_put(&o, "overallProgress", json_of_number(b->progress));
	json_put(&o, "status", json_string(name_of(OBJ_STATUS, s->objective.status)));
	json_put(&o, "lastUpdated", json_of_time(b->newest_ms));
	json_put(&o, "contributors", contributors_json(&s->p));
	json_put(&o, "teams", teams_json(s->q, b));
	json_put(&o, "keyResults", key_results_json(s));
	json_put(&o, "trend", json_null());
	json_put(&o, "contributorCount", counts ? json_of_uint(b->contributors) : json_null());
	json_put(&o, "hiddenCount", counts ? json_of_uint(b->hidden) : json_null());
	json_put(&o, "method", json_string(name_of(OBJ_METHOD, s->p.has_result ? b->method : s->objective.method)));
	json_put(&o, "publishedBy", s->p.has_result && !s->p.computed_here ? who_json(s->q, &s->p.published_by) : json_null());
	json_put(&o, "asOf", json_of_time(s->p.as_of_ms));
	json_put(&o, "computedHere", json_boolean(s->p.computed_here));
	json_put(&o, "note", json_of_string(s->p.note));
	if (!explain)
		return o;
	json_put(&o, "items", items_json(s));
	json_put(&o, "reason", reason_json(s));
	return o;
}

static bool is_on(const char *query)
{
	return query != NULL && strcmp(query, "0") != 0 && strcmp(query, "false") != 0;
}

void progress_show(struct request *r)
{
	struct shown *s = request_alloc(r, sizeof *s);
	struct read q;

	if (s == NULL) {
		request_error(r, ERR_NOMEM, NULL);
		return;
	}
	s->q = &q;
	if (!read_begin_org(&q, r) || !read_ref(&q, KIND_OBJECTIVE, request_param(r, "goal"), "objective", &s->id) ||
	    !read_ok(&q, view_document(q.v, &q.org, KIND_OBJECTIVE, &s->id, &s->doc)) ||
	    !read_ok(&q, view_progress(q.v, &q.org, &s->id, &s->p)))
		return;
	objective_read(&s->objective, &s->id, s->doc);
	s->n_krs = objective_key_results(s->doc, NULL, 0);
	if ((s->krs = request_alloc(r, (s->n_krs + 1) * sizeof *s->krs)) == NULL) {
		read_fail(&q, ERR_NOMEM, NULL);
		return;
	}
	s->n_krs = objective_key_results(s->doc, s->krs, s->n_krs);
	read_answer(&q, breakdown(s, is_on(request_query(r, "explain"))));
}
