/* One's own goals, and their links to objectives. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "daemon/routes.h"

/* ---- links ------------------------------------------------------------------------------------------------------------------- */
struct links { struct link *list; size_t n, cap; };

static enum err add_link(void *arg, const struct id16 *id, const struct doc *doc)
{
	struct links *l = arg;
	struct link *grown = mem_grow(l->list, &l->cap, l->n, sizeof *grown);

	if (grown == NULL)
		return ERR_NOMEM;
	l->list = grown;
	if (link_read(&grown[l->n], id, doc) && grown[l->n].active)
		l->n++;
	return OK;
}

static int by_goal(const void *a, const void *b)
{
	const struct link *x = a, *y = b;
	int order = id16_compare(&x->goal, &y->goal);

	return order != 0 ? order : id16_compare(&x->id, &y->id);
}

static bool links_read(struct read *q, struct links *l)
{
	enum err e = view_documents(q->v, view_self_space(q->v), KIND_LINK, add_link, l);

	if (e == OK) {
		if (l->n > 0)
			qsort(l->list, l->n, sizeof *l->list, by_goal);
		return true;
	}
	mem_free(l->list);
	return read_ok(q, e);
}

static struct slice objective_title(struct read *q, const struct link *link)
{
	const struct doc *doc;

	return view_document(q->v, &link->org, KIND_OBJECTIVE, &link->objective, &doc) == OK ? view_register(doc, KIND_OBJECTIVE, OBJ_TITLE)
		: SLICE("", 0);
}

static json_t *goal_link_json(struct read *q, const struct link *link)
{
	json_t *o = json_object();

	json_put(&o, "organizationId", json_of_id32(&link->org));
	json_put(&o, "objectiveId", json_of_id16(&link->objective));
	json_put(&o, "objectiveTitle", json_of_text_or_null(objective_title(q, link)));
	json_put(&o, "weight", json_of_decimal(link->weight));
	return o;
}

/* The links of one goal; the list is sorted. */
static json_t *goal_links_json(struct read *q, const struct links *l, const struct id16 *goal)
{
	size_t low = 0, high = l->n;
	json_t *list = json_array();

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (id16_compare(&l->list[middle].goal, goal) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < l->n && id16_equal(&l->list[low].goal, goal); low++)
		json_add(&list, goal_link_json(q, &l->list[low]));
	return list;
}

/* ---- goals --------------------------------------------------------------------------------------------------------------------- */
/* What is printed of each: fields: the document's own. */
struct shape { uint64_t fields; bool percent, done, total, links, updated; };

static struct shape shape_of(const char *wanted)
{
	static const char *const skip[] = { "deleted", "tasks", "milestones", "progressPercent", NULL };

	return (struct shape){ json_fields(model_kind(KIND_GOAL), skip, wanted), json_wanted(wanted, "progressPercent"),
		json_wanted(wanted, "completedTaskCount"), json_wanted(wanted, "totalTaskCount"), json_wanted(wanted, "links"),
		json_wanted(wanted, "updatedAt") };
}

static json_t *goal_json(struct read *q, const struct shape *shape, const struct links *l, const struct id16 *id, const struct doc *doc)
{
	struct goal goal;
	json_t *o = json_object();

	if (shape->percent || shape->done || shape->total)
		goal_read(&goal, id, doc);
	json_put_chosen(&o, model_kind(KIND_GOAL), doc, shape->fields);
	json_put(&o, "id", json_of_id16(id));
	if (shape->percent)
		json_put(&o, "progressPercent", json_of_number(goal.percent));
	if (shape->done)
		json_put(&o, "completedTaskCount", json_of_uint(goal.tasks_done));
	if (shape->total)
		json_put(&o, "totalTaskCount", json_of_uint(goal.tasks_total));
	if (shape->links)
		json_put(&o, "links", goal_links_json(q, l, id));
	if (shape->updated)
		json_put(&o, "updatedAt", json_of_time(hlc_ms(doc_last(doc).hlc)));
	return o;
}

json_t *goal_read_json(struct read *q, const struct id16 *id)
{
	const struct shape shape = shape_of(NULL);
	struct links l = { .n = 0 };
	const struct doc *doc;
	json_t *o;

	if (view_document(q->v, view_self_space(q->v), KIND_GOAL, id, &doc) != OK ||
	    view_documents(q->v, view_self_space(q->v), KIND_LINK, add_link, &l) != OK) {
		mem_free(l.list);
		return NULL;
	}
	if (l.n > 0)
		qsort(l.list, l.n, sizeof *l.list, by_goal);
	o = goal_json(q, &shape, &l, id, doc);
	mem_free(l.list);
	return o;
}

struct goals { struct read *q; struct shape shape; const struct links *l; json_t *list; };

static enum err add_goal(void *arg, const struct id16 *id, const struct doc *doc)
{
	struct goals *g = arg;

	if (view_flag(doc, KIND_GOAL, GOAL_DELETED))
		return OK;
	json_add(&g->list, goal_json(g->q, &g->shape, g->l, id, doc));
	return g->list == NULL ? ERR_NOMEM : OK;
}

void goals_list(struct request *r)
{
	struct links l = { .n = 0 };
	struct goals g = { .shape = shape_of(request_query(r, "fields")), .l = &l };
	struct read q;
	enum err e;

	if (!read_begin(&q, r) || (g.shape.links && !links_read(&q, &l)))
		return;
	g.q = &q;
	g.list = json_array();
	e = view_documents(q.v, view_self_space(q.v), KIND_GOAL, add_goal, &g);
	mem_free(l.list);
	if (e == OK)
		read_answer(&q, g.list);
	else {
		json_decref(g.list);
		read_ok(&q, e);
	}
}

static bool find_goal(struct read *q, struct id16 *id)
{
	return read_ref(q, KIND_GOAL, request_param(q->r, "goal"), "goal", id);
}

void goal_show(struct request *r)
{
	struct id16 id;
	struct read q;

	if (read_begin(&q, r) && find_goal(&q, &id))
		read_answer(&q, goal_read_json(&q, &id));
}

static void then_goal(struct request *r, const struct reply *reply)
{
	struct id16 id;
	struct read q;

	if (!reply_begin(&q, r, reply))
		return;
	reply_answer(&q, reply, reply_id(reply, &id, DOC_LEN) ? goal_read_json(&q, &id) : NULL);
}

/* A team is one of the default organization's. */
static bool given(struct read *q, struct command *c)
{
	if (!body_pairs(q, c, NULL) || !body_pair_ref(q, c, KIND_GOAL, "parentGoalId", "goal"))
		return false;
	q->org = q->self.default_org;
	return !q->self.has_default || body_pair_ref(q, c, KIND_TEAM, "contributingToTeamId", "team");
}

void goal_add(struct request *r)
{
	struct command c = { .kind = COMMAND_GOAL_ADD };
	struct read q;

	if (read_begin(&q, r) && given(&q, &c))
		read_command(&q, &c, then_goal);
}

void goal_set(struct request *r)
{
	struct command c = { .kind = COMMAND_GOAL_EDIT, .has_document = true };
	struct read q;

	if (read_begin(&q, r) && find_goal(&q, &c.document) && given(&q, &c))
		read_command(&q, &c, then_goal);
}

void goal_progress(struct request *r)
{
	static const char *const known[] = { "value", "percent", "note", NULL };
	struct command c = { .kind = COMMAND_GOAL_PROGRESS, .has_document = true };
	struct read q;
	decimal percent;
	bool has_note;

	if (!read_begin(&q, r) || !find_goal(&q, &c.document) || !body_only(&q, known) || !body_decimal(&q, "value", &c.value, &c.has_value) ||
	    !body_decimal(&q, "percent", &percent, &c.on) || !body_text(&q, "note", &c.text, &has_note))
		return;
	if (c.on && c.has_value) {
		read_fail(&q, ERR_USAGE, "Give a value or a percent, not both.");
		return;
	}
	if (!c.on && !c.has_value && !has_note) {
		read_fail(&q, ERR_USAGE, "Give a value, such as 45.5, or a percent, or a note.");
		return;
	}
	if (c.on) {
		c.value = percent;
		c.has_value = true;
	}
	read_command(&q, &c, then_goal);
}

/* ---- linking -------------------------------------------------------------------------------------------------------------------- */
static json_t *link_json(struct read *q, const struct id16 *id)
{
	const struct doc *doc;
	struct link link;
	json_t *o;

	if (view_document(q->v, view_self_space(q->v), KIND_LINK, id, &doc) != OK || !link_read(&link, id, doc))
		return NULL;
	o = goal_link_json(q, &link);
	json_put(&o, "id", json_of_id16(id));
	json_put(&o, "goalId", json_of_id16(&link.goal));
	if (view_document(q->v, view_self_space(q->v), KIND_GOAL, &link.goal, &doc) != OK)
		doc = NULL;
	json_put(&o, "goalTitle", json_of_text_or_null(view_register(doc, KIND_GOAL, GOAL_TITLE)));
	json_put(&o, "linkedAt", json_of_time(link.at_ms));
	json_put(&o, "active", json_boolean(link.active));
	return o;
}

static void then_link(struct request *r, const struct reply *reply)
{
	struct id16 id;
	struct read q;

	if (!reply_begin_org(&q, r, reply))
		return;
	reply_answer(&q, reply, reply_id(reply, &id, DOC_LEN) ? link_json(&q, &id) : NULL);
}

/* goal and objective: false: answered. */
static bool ends_given(struct read *q, struct command *c, bool both)
{
	bool has_goal;

	if (!body_ref(q, KIND_GOAL, "goal", "goal", &c->document, &has_goal) ||
	    !body_ref(q, KIND_OBJECTIVE, "objective", "objective", &c->target, &c->has_target))
		return false;
	c->has_org = c->has_document = true;
	c->org = q->org;
	if (!has_goal)
		return read_fail(q, ERR_USAGE, "“goal” is missing: the goal's id or title.");
	return c->has_target || !both || read_fail(q, ERR_USAGE, "“objective” is missing: the objective's id or title.");
}

void link_add(struct request *r)
{
	static const char *const known[] = { "goal", "objective", "weight", NULL };
	struct command c = { .kind = COMMAND_LINK };
	struct read q;

	if (read_begin_org(&q, r) && body_only(&q, known) && ends_given(&q, &c, true) && body_decimal(&q, "weight", &c.value, &c.has_value))
		read_command(&q, &c, then_link);
}

void link_remove(struct request *r)
{
	static const char *const known[] = { "goal", "objective", NULL };
	struct command c = { .kind = COMMAND_UNLINK };
	struct read q;

	if (read_begin_org(&q, r) && body_only(&q, known) && ends_given(&q, &c, false))
		read_command(&q, &c, reply_plain);
}
