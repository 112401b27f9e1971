/* Sharing: settings, preview, reasons; and the reports that open here. */
#include <stdio.h>
#include <string.h>
#include "base/id.h"
#include "base/mem.h"
#include "daemon/routes.h"

static bool is_on(const char *query)
{
	return query != NULL && strcmp(query, "0") != 0 && strcmp(query, "false") != 0;
}

static json_t *raw_json(struct slice bytes)
{
	struct buf b = {0};
	json_t *text;

	id_encode(&b, bytes);
	text = b.err == OK ? json_of_text(buf_slice(&b)) : NULL;
	buf_free(&b);
	return text;
}

/* ---- settings ------------------------------------------------------------------------------------------------------------------ */
static json_t *goal_why_json(const struct gate_input *in, const struct goal *goal)
{
	enum gate_reason why = gate_why(in, &goal->id);
	json_t *o = json_object();

	json_put(&o, "id", json_of_id16(&goal->id));
	json_put(&o, "title", json_of_text_or_null(goal->title));
	json_put(&o, "shared", json_boolean(why == GATE_SHARED));
	json_put(&o, "why", json_string(gate_reason_text(why)));
	return o;
}

static bool is_linked(const struct gate_input *in, const struct id16 *goal)
{
	for (size_t i = 0; i < in->n_links; i++)
		if (in->links[i].active && id32_equal(&in->links[i].org, &in->org) && id16_equal(&in->links[i].goal, goal))
			return true;
	return false;
}

static json_t *share_json(struct read *q)
{
	const struct gate_input *in;
	const struct sharing *s;
	json_t *o, *goals, *refused;

	if (view_share(q->v, &q->org, &in) != OK)
		return NULL;
	s = in->sharing;
	o = json_object();
	goals = json_array();
	refused = json_array();
	for (size_t i = 0; i < in->n_goals; i++)
		if (!in->goals[i].deleted && is_linked(in, &in->goals[i].id))
			json_add(&goals, goal_why_json(in, &in->goals[i]));
	for (size_t i = 0; i < s->n_refused; i++)
		json_add(&refused, json_of_id32(&s->refused[i]));
	json_put(&o, "accepted", json_boolean(s->accepted));
	json_put(&o, "version", json_of_uint(s->version));
	json_put(&o, "shareGoalProgress", json_boolean(s->progress));
	json_put(&o, "shareTaskCompletionCounts", json_boolean(s->counts));
	json_put(&o, "shareTimeAllocation", json_boolean(s->time));
	json_put(&o, "shareDetailedTasks", json_boolean(s->tasks));
	json_put(&o, "shareCategories", json_boolean(s->categories));
	json_put(&o, "goals", goals);
	json_put(&o, "refusedAggregators", refused);
	return o;
}

void share_show(struct request *r)
{
	struct read q;

	if (read_begin_org(&q, r))
		read_answer(&q, share_json(&q));
}

static void then_share(struct request *r, const struct reply *reply)
{
	struct read q;

	if (reply_begin_org(&q, r, reply))
		reply_answer(&q, reply, share_json(&q));
}

static void consent(struct request *r, bool on)
{
	static const char *const known[] = { NULL };
	struct command c = { .kind = COMMAND_SHARE_ACCEPT, .has_org = true, .on = on };
	struct read q;

	if (!read_begin_org(&q, r) || !body_only(&q, known))
		return;
	c.org = q.org;
	read_command(&q, &c, then_share);
}

void share_accept(struct request *r)
{
	consent(r, true);
}

void share_withdraw(struct request *r)
{
	consent(r, false);
}

/* ---- refused aggregators: the list is given whole; each difference is a command ----------------------------------------------------- */
static bool in_list(const struct id32 *list, size_t n, const struct id32 *id)
{
	for (size_t i = 0; i < n; i++)
		if (id32_equal(&list[i], id))
			return true;
	return false;
}

static bool refused_given(struct read *q, struct id32 **out, size_t *n)
{
	const json_t *list = json_object_get(request_body(q->r), "refusedAggregators"), *one;
	size_t i;

	*n = 0;
	if (!json_is_array(list))
		return read_fail(q, ERR_USAGE, "“refusedAggregators” is a list of devices.");
	if ((*out = request_alloc(q->r, (json_array_size(list) + 1) * sizeof **out)) == NULL)
		return read_fail(q, ERR_NOMEM, NULL);
	json_array_foreach(list, i, one) {
		if (!json_is_string(one))
			return read_fail(q, ERR_USAGE, "“refusedAggregators” is a list of devices.");
		if (!read_ref(q, VIEW_REF_DEVICE, json_string_value(one), "device", &(*out)[(*n)++]))
			return false;
	}
	return true;
}

/* *more: c is the next difference. */
static bool next_refusal(struct read *q, struct command *c, bool *more)
{
	const struct gate_input *in;
	struct id32 *wanted;
	size_t n;

	*more = false;
	*c = (struct command){ .kind = COMMAND_SHARE_AGGREGATOR, .has_org = true, .org = q->org, .has_other = true };
	if (!body_has(q, "refusedAggregators"))
		return true;
	if (!refused_given(q, &wanted, &n) || !read_ok(q, view_share(q->v, &q->org, &in)))
		return false;
	for (size_t i = 0; i < n && !*more; i++)
		if (!in_list(in->sharing->refused, in->sharing->n_refused, &wanted[i])) {
			c->other = wanted[i];
			c->on = *more = true;
		}
	for (size_t i = 0; i < in->sharing->n_refused && !*more; i++)
		if (!in_list(wanted, n, &in->sharing->refused[i])) {
			c->other = in->sharing->refused[i];
			*more = true;
		}
	return true;
}

static void then_refusals(struct request *r, const struct reply *reply)
{
	struct command c;
	struct read q;
	bool more;

	if (!reply_begin_org(&q, r, reply) || !next_refusal(&q, &c, &more))
		return;
	if (more)
		read_command_next(&q, &c, then_refusals);
	else
		reply_answer(&q, reply, share_json(&q));
}

void share_set(struct request *r)
{
	static const char *const skip[] = { "refusedAggregators", NULL };
	struct command c = { .kind = COMMAND_SHARE_SET, .has_org = true }, refusal;
	struct read q;
	bool more;

	if (!read_begin_org(&q, r) || !body_pairs(&q, &c, skip) || !next_refusal(&q, &refusal, &more))
		return;
	c.org = q.org;
	if (c.n_pairs > 0 || !more)
		read_command(&q, &c, then_refusals);
	else
		read_command(&q, &refusal, then_refusals);
}

/* ---- one goal ------------------------------------------------------------------------------------------------------------------------ */
static const struct goal *find_in(const struct gate_input *in, const struct id16 *id)
{
	for (size_t i = 0; i < in->n_goals; i++)
		if (id16_equal(&in->goals[i].id, id))
			return &in->goals[i];
	return NULL;
}

static void then_goal_shared(struct request *r, const struct reply *reply)
{
	const struct gate_input *in;
	const struct goal *goal;
	struct id16 id;
	struct read q;

	if (!reply_begin_org(&q, r, reply))
		return;
	goal = reply_id(reply, &id, DOC_LEN) && view_share(q.v, &q.org, &in) == OK ? find_in(in, &id) : NULL;
	reply_answer(&q, reply, goal == NULL ? NULL : goal_why_json(in, goal));
}

void share_goal(struct request *r)
{
	static const char *const known[] = { "shared", NULL };
	struct command c = { .kind = COMMAND_SHARE_GOAL, .has_org = true, .has_document = true };
	struct read q;
	bool has;

	if (!read_begin_org(&q, r) || !read_ref(&q, KIND_GOAL, request_param(r, "goal"), "goal", &c.document) || !body_only(&q, known) ||
	    !body_bool(&q, "shared", &c.on, &has))
		return;
	if (!has) {
		read_fail(&q, ERR_USAGE, "“shared” is missing: true or false.");
		return;
	}
	c.org = q.org;
	read_command(&q, &c, then_goal_shared);
}

void share_why(struct request *r)
{
	const struct gate_input *in;
	enum gate_reason why;
	struct id16 id;
	struct read q;
	json_t *o;

	if (!read_begin_org(&q, r) || !read_ref(&q, KIND_GOAL, request_param(r, "goal"), "goal", &id) ||
	    !read_ok(&q, view_share(q.v, &q.org, &in)))
		return;
	why = gate_why(in, &id);
	o = json_object();
	json_put(&o, "shared", json_boolean(why == GATE_SHARED));
	json_put(&o, "sentence", json_string(gate_reason_text(why)));
	read_answer(&q, o);
}

/* ---- what a report says ------------------------------------------------------------------------------------------------------------------ */
static json_t *minutes_json(bool has, uint64_t minutes)
{
	return has ? json_of_uint(minutes) : json_null();
}

static json_t *entry_json(struct read *q, const struct report_entry *e, const struct goal *goal)
{
	json_t *o = json_object();

	json_put(&o, "blindedGoalId", json_of_id16(&e->goal));
	json_put(&o, "objectiveId", json_of_id16(&e->objective));
	json_put(&o, "objectiveTitle", json_of_text_or_null(title_of(q, &e->objective)));
	json_put(&o, "weight", json_of_decimal(e->weight));
	json_put(&o, "percent", e->has_percent ? json_of_decimal(e->percent) : json_null());
	json_put(&o, "percentHidden", json_boolean(e->hidden));
	json_put(&o, "completedTaskCount", e->has_tasks ? json_of_uint(e->tasks_done) : json_null());
	json_put(&o, "totalTaskCount", e->has_tasks ? json_of_uint(e->tasks_total) : json_null());
	json_put(&o, "lastActivity", json_of_time(e->last_activity_ms));
	json_put(&o, "minutes", minutes_json(e->has_minutes, e->minutes));
	json_put(&o, "category", json_of_text_or_null(e->category));
	if (goal != NULL) {
		json_put(&o, "goalId", json_of_id16(&goal->id));
		json_put(&o, "goalTitle", json_of_text_or_null(goal->title));
	}
	return o;
}

static json_t *summary_json(const struct report_summary *s)
{
	json_t *o = json_object(), *categories = json_object();

	for (size_t i = 0; i < s->n_categories; i++) {
		char name[300];

		(void)snprintf(name, sizeof name, "%.*s", (int)s->categories[i].name.len, (const char *)s->categories[i].name.data);
		json_put(&categories, name, json_of_uint(s->categories[i].done));
	}
	json_put(&o, "completedTaskCount", s->has_tasks ? json_of_uint(s->tasks_done) : json_null());
	json_put(&o, "activeGoalCount", s->has_goals ? json_of_uint(s->goals_active) : json_null());
	json_put(&o, "minutes", minutes_json(s->has_minutes, s->minutes));
	json_put(&o, "tasksByCategory", categories);
	return o;
}

/* Entries and summary of a body into o; own: whose goals have names here. */
static void put_body(struct read *q, json_t **o, struct slice body, bool own)
{
	json_t *list = json_array();
	struct report report;

	if (report_read(&report, body) != OK) {
		json_put(o, "entries", list);
		json_put(o, "summary", json_null());
		return;
	}
	for (size_t i = 0; i < report.n; i++)
		json_add(&list, entry_json(q, &report.entries[i], own ? view_unblind(q->v, &q->org, &report.entries[i].goal) : NULL));
	json_put(o, "entries", list);
	json_put(o, "summary", summary_json(&report.summary));
	json_put(o, "layer", json_of_uint(report.layer));
	report_free(&report);
}

static json_t *readers_json(struct read *q, const struct gate_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->n_readers; i++) {
		json_t *o = json_object();

		json_put(&o, "displayName", name_json(q, &report->readers[i].member));
		json_put(&o, "class", json_string(reader_class_name(report->readers[i].class)));
		json_put(&o, "deviceId", json_of_id32(&report->readers[i].device));
		json_put(&o, "memberId", json_of_id32(&report->readers[i].member));
		json_add(&list, o);
	}
	return list;
}

static json_t *report_json(struct read *q, const struct gate_report *report, bool raw)
{
	json_t *o = json_object();

	json_put(&o, "audience", json_of_id16(&report->audience));
	json_put(&o, "readers", readers_json(q, report));
	put_body(q, &o, buf_slice(&report->body), true);
	json_put(&o, "layer", json_of_uint(report->rule.layer));
	if (raw)
		json_put(&o, "raw", raw_json(buf_slice(&report->body)));
	return o;
}

/* ---- what everyone will see -------------------------------------------------------------------------------------------------------------- */
static void sentence(const struct view_everyone *x, char *out, size_t size)
{
	static const char *const what[] = { "the average", "the average by weight", "the smallest value", "the largest value", "the sum",
		"the result of its key results", "done tasks of all tasks" };
	const char *method = what[x->method <= METHOD_TASKS ? x->method : 0];
	char who[64], number[32];

	if (x->others == 0)
		(void)snprintf(who, sizeof who, "You are the only contributor");
	else
		(void)snprintf(who, sizeof who, "You and %u other%s", x->others, x->others == 1 ? "" : "s");
	if (x->suppressed)
		(void)snprintf(out, size, "%s: everyone will see no value, because fewer than %u contribute.", who, x->min_group);
	else if (x->others > 0)
		(void)snprintf(out, size, "%s: everyone will see %s%s.", who, method, x->hidden ? ", without your percentage" : "");
	else if (x->hidden)
		(void)snprintf(out, size, "%s, and your percentage is hidden: everyone will see that you contribute, but no value of yours.", who);
	else if (!x->progress.set)
		(void)snprintf(out, size, "%s: everyone will see “no data” until you record progress.", who);
	else
		(void)snprintf(out, size, "%s: everyone will see %s.", who, percent_text(number, x->progress.value));
}

static json_t *everyone_json(const struct view_everyone *list, size_t n)
{
	json_t *out = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();
		char text[256];

		sentence(&list[i], text, sizeof text);
		json_put(&o, "objectiveId", json_of_id16(&list[i].objective));
		json_put(&o, "objectiveTitle", json_of_text_or_null(list[i].title));
		json_put(&o, "sentence", json_string(text));
		json_add(&out, o);
	}
	return out;
}

void share_preview(struct request *r)
{
	const bool raw = is_on(request_query(r, "raw"));
	struct gate_report *reports;
	struct view_everyone *everyone;
	size_t n, n_everyone;
	struct read q;
	json_t *o, *list;

	if (!read_begin_org(&q, r) || !read_ok(&q, view_preview(q.v, &q.org, &reports, &n)) ||
	    !read_ok(&q, view_everyone(q.v, &q.org, &everyone, &n_everyone)))
		return;
	o = json_object();
	list = json_array();
	for (size_t i = 0; i < n; i++)
		json_add(&list, report_json(&q, &reports[i], raw));
	json_put(&o, "consentVersion", json_of_uint(view_next_consent(q.v, &q.org)));
	json_put(&o, "reports", list);
	json_put(&o, "everyone", everyone_json(everyone, n_everyone));
	read_answer(&q, o);
}

/* ---- reports that open here ---------------------------------------------------------------------------------------------------------------- */
void reports_list(struct request *r)
{
	const bool raw = is_on(request_query(r, "raw"));
	struct view_report *reports;
	struct read q;
	json_t *list;
	size_t n;

	if (!read_begin_org(&q, r) || !read_ok(&q, view_reports(q.v, &q.org, &reports, &n)))
		return;
	list = json_array();
	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		json_put(&o, "memberId", json_of_id32(&reports[i].member));
		json_put(&o, "deviceId", json_of_id32(&reports[i].device));
		json_put(&o, "displayName", name_json(&q, &reports[i].member));
		json_put(&o, "audience", json_of_id16(&reports[i].audience));
		json_put(&o, "consent", json_of_uint(reports[i].consent));
		json_put(&o, "at", json_of_time(reports[i].at_ms));
		put_body(&q, &o, reports[i].body, id32_equal(&reports[i].member, &q.self.member));
		if (raw)
			json_put(&o, "raw", raw_json(reports[i].body));
		json_add(&list, o);
	}
	read_answer(&q, list);
}
