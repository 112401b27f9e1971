/* Objectives: the organization's goals. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "daemon/routes.h"

/* ---- objects ------------------------------------------------------------------------------------------------------------------ */
/* An objective to print, and what is known of its progress. */
struct line { struct id16 id; const struct doc *doc; struct number progress; unsigned contributors; bool known; };

/* What is printed of each: fields: the document's own. */
struct shape { uint64_t fields; bool team, progress, contributors, org, created, updated; };

static struct shape shape_of(const char *wanted)
{
	static const char *const skip[] = { "deleted", NULL };

	return (struct shape){ json_fields(model_kind(KIND_OBJECTIVE), skip, wanted), json_wanted(wanted, "teamId"),
		json_wanted(wanted, "progressPercent"), json_wanted(wanted, "contributorCount"), json_wanted(wanted, "organizationId"),
		json_wanted(wanted, "createdAt"), json_wanted(wanted, "updatedAt") };
}

static json_t *object(struct read *q, const struct shape *shape, const struct line *line)
{
	struct id16 team;
	json_t *o = json_object();

	json_put_chosen(&o, model_kind(KIND_OBJECTIVE), line->doc, shape->fields);
	json_put(&o, "id", json_of_id16(&line->id));
	if (shape->team)
		json_put(&o, "teamId", json_of_id16(state_scope(q->state, &line->id, &team) ? &team : NULL));
	if (shape->progress)
		json_put(&o, "progressPercent", json_of_number(line->progress));
	if (shape->contributors)
		json_put(&o, "contributorCount", line->known ? json_of_uint(line->contributors) : json_null());
	if (shape->org)
		json_put(&o, "organizationId", json_of_id32(&q->org));
	if (shape->created)
		json_put(&o, "createdAt", json_of_time(view_created_ms(q->v, &q->org, &line->id)));
	if (shape->updated)
		json_put(&o, "updatedAt", json_of_time(hlc_ms(doc_last(line->doc).hlc)));
	return o;
}

json_t *objective_read_json(struct read *q, const struct id16 *id)
{
	struct view_progress *p = request_alloc(q->r, sizeof *p);
	const struct shape shape = shape_of(NULL);
	struct line line = { .id = *id };

	if (p == NULL || view_document(q->v, &q->org, KIND_OBJECTIVE, id, &line.doc) != OK || view_progress(q->v, &q->org, id, p) != OK)
		return NULL;
	line.progress = p->body.progress;
	line.contributors = p->body.contributors;
	line.known = p->has_result && !p->body.suppressed;
	return object(q, &shape, &line);
}

struct slice title_of(struct read *q, const struct id16 *objective)
{
	const struct doc *doc;

	return view_document(q->v, &q->org, KIND_OBJECTIVE, objective, &doc) == OK ? view_register(doc, KIND_OBJECTIVE, OBJ_TITLE) : SLICE("", 0);
}

/* ---- lists: one pass over the documents, one over the roll-ups ------------------------------------------------------------------- */
struct lines { struct line *list; size_t n, cap; };

static enum err add_line(void *arg, const struct id16 *id, const struct doc *doc)
{
	struct lines *l = arg;
	struct line *grown;

	if (view_flag(doc, KIND_OBJECTIVE, OBJ_DELETED))
		return OK;
	if ((grown = mem_grow(l->list, &l->cap, l->n, sizeof *grown)) == NULL)
		return ERR_NOMEM;
	l->list = grown;
	grown[l->n++] = (struct line){ .id = *id, .doc = doc };
	return OK;
}

static int by_id(const void *id, const void *line)
{
	return id16_compare(id, &((const struct line *)line)->id);
}

static enum err add_progress(void *arg, const struct id16 *id, struct number progress, unsigned contributors)
{
	struct lines *l = arg;
	struct line *line = l->n == 0 ? NULL : bsearch(id, l->list, l->n, sizeof *line, by_id);

	if (line != NULL) {
		line->progress = progress;
		line->contributors = contributors;
		line->known = true;
	}
	return OK;
}

/* Ascending by id, with progress if that is wanted.  False: answered. */
static bool read_lines(struct read *q, struct lines *l, bool progress)
{
	enum err e = view_documents(q->v, &q->org, KIND_OBJECTIVE, add_line, l);

	if (e == OK && progress)
		e = view_progress_all(q->v, &q->org, add_progress, l);
	if (e == OK)
		return true;
	mem_free(l->list);
	return read_ok(q, e);
}

/* ?q= a part of the title, any case (ASCII) · ?team= · ?status= · ?parent= */
struct wanted { const char *text; bool has_team, has_parent, has_status; struct id16 team, parent; unsigned status; };

static bool wanted_read(struct read *q, struct wanted *w)
{
	const char *team = request_query(q->r, "team"), *parent = request_query(q->r, "parent"), *status = request_query(q->r, "status");

	*w = (struct wanted){ .text = request_query(q->r, "q"), .has_team = team != NULL, .has_parent = parent != NULL,
		.has_status = status != NULL };
	if (team != NULL && !read_ref(q, KIND_TEAM, team, "team", &w->team))
		return false;
	if (parent != NULL && !read_ref(q, KIND_OBJECTIVE, parent, "objective", &w->parent))
		return false;
	if (status != NULL && !enum_parse(model_field_by_key(model_kind(KIND_OBJECTIVE), OBJ_STATUS)->names, &w->status, status))
		return read_fail(q, ERR_USAGE, "“status” is Draft, Active, OnTrack, AtRisk, Behind, Completed or Cancelled.");
	return true;
}

static bool has_part(struct slice title, const char *part)
{
	const size_t len = strlen(part);

	for (size_t i = 0; i + len <= title.len; i++)
		if (strncasecmp((const char *)title.data + i, part, len) == 0)
			return true;
	return false;
}

static bool fits(struct read *q, const struct wanted *w, const struct line *line)
{
	struct objective o;
	struct id16 team;

	if (w->text == NULL && !w->has_team && !w->has_parent && !w->has_status)
		return true;
	objective_read(&o, &line->id, line->doc);
	if ((w->text != NULL && !has_part(o.title, w->text)) || (w->has_status && o.status != w->status))
		return false;
	if (w->has_parent && (!o.has_parent || !id16_equal(&o.parent, &w->parent)))
		return false;
	return !w->has_team || (state_scope(q->state, &line->id, &team) && id16_equal(&team, &w->team));
}

void objectives_list(struct request *r)
{
	const struct shape shape = shape_of(request_query(r, "fields"));
	struct lines l = { .n = 0 };
	struct wanted w;
	struct read q;
	json_t *list;

	if (!read_begin_org(&q, r) || !wanted_read(&q, &w) || !read_lines(&q, &l, shape.progress || shape.contributors))
		return;
	list = json_array();
	for (size_t i = 0; i < l.n && list != NULL; i++)
		if (fits(&q, &w, &l.list[i]))
			json_add(&list, object(&q, &shape, &l.list[i]));
	mem_free(l.list);
	read_answer(&q, list);
}

static json_t *progress_line(const struct line *line)
{
	const struct kind_spec *kind = model_kind(KIND_OBJECTIVE);
	static const unsigned shown[] = { OBJ_TITLE, OBJ_PARENT, OBJ_STATUS };
	json_t *o = json_object();

	json_put(&o, "id", json_of_id16(&line->id));
	for (size_t i = 0; i < 3; i++) {
		const struct field_spec *f = model_field_by_key(kind, shown[i]);

		json_put(&o, f->name, json_of_field(f, doc_register(line->doc, f->key, NULL)));
	}
	json_put(&o, "progressPercent", json_of_number(line->progress));
	json_put(&o, "contributorCount", line->known ? json_of_uint(line->contributors) : json_null());
	return o;
}

void progress_list(struct request *r)
{
	struct lines l = { .n = 0 };
	struct read q;
	json_t *list;

	if (!read_begin_org(&q, r) || !read_lines(&q, &l, true))
		return;
	list = json_array();
	for (size_t i = 0; i < l.n && list != NULL; i++)
		json_add(&list, progress_line(&l.list[i]));
	mem_free(l.list);
	read_answer(&q, list);
}

/* ---- one ---------------------------------------------------------------------------------------------------------------------------- */
void objective_show(struct request *r)
{
	struct id16 id;
	struct read q;

	if (read_begin_org(&q, r) && read_ref(&q, KIND_OBJECTIVE, request_param(r, "goal"), "objective", &id))
		read_answer(&q, objective_read_json(&q, &id));
}

static void then_objective(struct request *r, const struct reply *reply)
{
	struct id16 id;
	struct read q;

	if (!reply_begin_org(&q, r, reply))
		return;
	reply_answer(&q, reply, reply_id(reply, &id, DOC_LEN) ? objective_read_json(&q, &id) : NULL);
}

static bool allows_over(struct read *q)
{
	const struct doc *doc;
	struct id16 id;

	model_document_id(&id, &q->org, KIND_ORG, SLICE(NULL, 0));
	return view_document(q->v, &q->org, KIND_ORG, &id, &doc) == OK && view_flag(doc, KIND_ORG, ORG_ALLOW_OVER);
}

/* A new one has nothing below it and no links: its progress is its own, and needs no roll-up of all others (design §9). */
static void then_added(struct request *r, const struct reply *reply)
{
	const decimal full = 100 * DECIMAL_ONE;
	const struct shape shape = shape_of(NULL);
	struct line line = { .known = true };
	struct objective objective;
	struct read q;

	if (!reply_begin_org(&q, r, reply))
		return;
	if (!reply_id(reply, &line.id, DOC_LEN) || view_document(q.v, &q.org, KIND_OBJECTIVE, &line.id, &line.doc) != OK) {
		reply_answer(&q, reply, NULL);
		return;
	}
	objective_read(&objective, &line.id, line.doc);
	line.progress = progress_percent(objective.current, objective.target, 0);
	if (line.progress.value < 0)
		line.progress.value = 0;
	if (line.progress.value > full && !allows_over(&q))
		line.progress.value = full;
	reply_answer(&q, reply, object(&q, &shape, &line));
}

/* The team is authority; what else refers to something is looked up. */
static bool given(struct read *q, struct command *c)
{
	static const char *const skip[] = { "teamId", NULL };

	if (!body_ref(q, KIND_TEAM, "teamId", "team", &c->target, &c->has_target) || !body_pairs(q, c, skip) ||
	    !body_pair_ref(q, c, KIND_OBJECTIVE, "parentGoalId", "objective") || !body_pair_ref(q, c, KIND_PROFILE, "ownerUserId", "member"))
		return false;
	c->clear_target = body_has(q, "teamId") && !c->has_target;
	c->has_org = true;
	c->org = q->org;
	return true;
}

void objective_add(struct request *r)
{
	struct command c = { .kind = COMMAND_OBJECTIVE_ADD };
	struct read q;

	if (read_begin_org(&q, r) && given(&q, &c))
		read_command(&q, &c, then_added);
}

void objective_set(struct request *r)
{
	struct command c = { .kind = COMMAND_OBJECTIVE_EDIT, .has_document = true };
	struct read q;

	if (read_begin_org(&q, r) && read_ref(&q, KIND_OBJECTIVE, request_param(r, "goal"), "objective", &c.document) && given(&q, &c))
		read_command(&q, &c, then_objective);
}
