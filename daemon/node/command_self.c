/* Commands about one's own goals, links and sharing, and about objectives. */
#include <stdio.h>
#include <string.h>
#include "daemon/node/command_internal.h"

/* ---- documents in general ---------------------------------------------------------------------------------------------- */
static enum err id_reply(const struct ask *a, const struct id16 *id, const char *hint, const char *text, const char *more)
{
	struct reply_builder *fields = reply_new();

	reply_bin(fields, "id", id, DOC_LEN);
	return command_done(a, fields, hint, "%s%s", text, more);
}

/* Write what the pairs say to one document; what: for errors.  *sent: a refusal went out. */
static enum err write_pairs(const struct ask *a, struct space *s, uint32_t kind_number, const struct id16 *id, bool create,
	const char *const *skip, const char *what, bool *sent)
{
	const struct kind_spec *kind = model_kind(kind_number);
	struct change *change = NULL;
	struct doc *doc = NULL;
	enum err e = create ? OK : document_read(a->n, s, kind_number, id, &doc);

	*sent = true;
	if (e != OK)
		return command_error(a, e, what);
	if ((change = change_new(kind->schema, doc)) == NULL)
		e = ERR_NOMEM;
	else if ((e = command_pairs(a, change, kind, doc, skip, sent)) == OK && !*sent && (create || !change_is_empty(change))) {
		e = author_change(a->n, s, kind_number, id, change);
		if (e != OK) {
			*sent = true;
			e = command_error(a, e, what);
		}
	}
	change_free(change);
	doc_free(doc);
	return e;
}

static enum err need_title(const struct ask *a, const char *usage, bool *sent)
{
	const struct pair *title = command_pair(a->c, "title");

	*sent = title == NULL || title->value.len == 0;
	return *sent ? command_refuse(a, ERR_USAGE, "A title is needed: %s.", usage) : OK;
}

/* Would the pairs be accepted?  Asked before an authority op is signed that a refusal could not take back. */
static enum err try_pairs(const struct ask *a, uint32_t kind_number, const struct doc *base, bool *sent)
{
	const struct kind_spec *kind = model_kind(kind_number);
	struct change *trial = change_new(kind->schema, base);
	enum err e;

	*sent = true;
	if (trial == NULL)
		return ERR_NOMEM;
	e = command_pairs(a, trial, kind, base, NULL, sent);
	change_free(trial);
	return e;
}

/* ---- objectives ---------------------------------------------------------------------------------------------------------- */
static bool may_write(const struct ask *a, struct space *s, const struct id16 *team, bool create)
{
	const struct state *state = space_state(s);
	enum relation relation = state_relation_team(state, &a->n->member, team);
	const struct pair *status = command_pair(a->c, "status");
	bool draft = status == NULL || (status->value.len == 5 && memcmp(status->value.data, "Draft", 5) == 0);

	if (state_permits(state, &a->n->member, MAY_EDIT_OBJECTIVES, relation))
		return true;
	return create && draft && team != NULL && state_permits(state, &a->n->member, MAY_PROPOSE_OBJECTIVES, relation);
}

static enum err scope(const struct ask *a, struct space *s, const struct id16 *nonce, const struct id16 *move)
{
	struct act_body body = { .has_team = a->c->has_target, .team = a->c->target, .n_claims = nonce != NULL, .n_moves = move != NULL };

	return author_act(a->n, s, ACT_SCOPE, &body, NULL, nonce, move, NULL, NULL);
}

enum err command_objective_add(const struct ask *a)
{
	struct id16 nonce, id;
	struct space *s;
	char reach[96];
	bool sent;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if ((e = need_title(a, "cairn objective add TITLE", &sent)) != OK || sent || (e = command_ready(a, s, "add an objective", &sent)) != OK ||
	    sent)
		return e;
	if (!may_write(a, s, a->c->has_target ? &a->c->target : NULL, true))
		return command_error(a, ERR_DENIED, a->c->has_target ? "add an objective to this team"
			: "add an objective of the whole organization");
	if ((e = try_pairs(a, KIND_OBJECTIVE, NULL, &sent)) != OK || sent)
		return e;
	node_random(a->n, &nonce, DOC_LEN);
	scope_document(&id, &s->id, &a->n->member, &nonce);
	if (a->c->has_target && (e = scope(a, s, &nonce, NULL)) != OK)
		return command_error(a, e, "add an objective to this team");
	if ((e = write_pairs(a, s, KIND_OBJECTIVE, &id, true, NULL, "add an objective", &sent)) != OK || sent)
		return e;
	return id_reply(a, &id, "cairn link GOAL OBJECTIVE", "Added.", command_reach(a->n, s, reach));
}

enum err command_objective_edit(const struct ask *a)
{
	struct id16 team;
	struct doc *doc = NULL;
	struct space *s;
	char reach[96];
	bool scoped, sent;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if ((e = command_ready(a, s, "edit this objective", &sent)) != OK || sent)
		return e;
	if ((e = document_read(a->n, s, KIND_OBJECTIVE, &a->c->document, &doc)) != OK)
		return command_error(a, e, "edit this objective");
	scoped = state_scope(space_state(s), &a->c->document, &team);
	if (!may_write(a, s, scoped ? &team : NULL, false)) {
		doc_free(doc);
		return command_error(a, ERR_DENIED, "edit this objective");
	}
	e = try_pairs(a, KIND_OBJECTIVE, doc, &sent);
	doc_free(doc);
	if (e != OK || sent)
		return e;
	if ((a->c->has_target || a->c->clear_target) && (e = scope(a, s, NULL, &a->c->document)) != OK)
		return command_error(a, e, "move this objective to that team");
	if ((e = write_pairs(a, s, KIND_OBJECTIVE, &a->c->document, false, NULL, "edit this objective", &sent)) != OK || sent)
		return e;
	return id_reply(a, &a->c->document, NULL, "Saved.", command_reach(a->n, s, reach));
}

/* ---- goals ------------------------------------------------------------------------------------------------------------------ */
enum err command_goal_add(const struct ask *a)
{
	struct id16 id;
	bool sent;
	enum err e;

	if ((e = need_title(a, "cairn goal add TITLE", &sent)) != OK || sent)
		return e;
	node_random(a->n, &id, DOC_LEN);
	if ((e = write_pairs(a, command_self(a->n), KIND_GOAL, &id, true, NULL, "add a goal", &sent)) != OK || sent)
		return e;
	return id_reply(a, &id, a->n->has_default ? "cairn link GOAL OBJECTIVE" : "cairn goal progress GOAL VALUE", "Added. It stays on your devices.", "");
}

enum err command_goal_edit(const struct ask *a)
{
	bool sent;
	enum err e = write_pairs(a, command_self(a->n), KIND_GOAL, &a->c->document, false, NULL, "edit this goal", &sent);

	return e != OK || sent ? e : id_reply(a, &a->c->document, NULL, "Saved.", "");
}

static void check_in(struct node *n, struct change *change, const struct command *c)
{
	struct id16 element;
	struct buf b = {0};

	node_random(n, &element, DOC_LEN);
	mp_put_uint(&b, n->wall_ms);
	change_map_edit(change, GOAL_CHECKINS, &element, CHECKIN_AT, buf_slice(&b));
	buf_clear(&b);
	mp_put_int(&b, c->value);
	if (c->has_value)
		change_map_edit(change, GOAL_CHECKINS, &element, c->on ? CHECKIN_PERCENT : CHECKIN_VALUE, buf_slice(&b));
	buf_clear(&b);
	mp_put_str(&b, (const char *)c->text.data, c->text.len);
	if (c->text.len > 0)
		change_map_edit(change, GOAL_CHECKINS, &element, CHECKIN_NOTE, buf_slice(&b));
	buf_free(&b);
}

/* What becomes of a number once it is saved, for the sentence behind it. */
static enum err shared_with(struct node *n, const struct id16 *goal, bool *linked, bool *shared)
{
	*linked = *shared = false;
	for (size_t i = 1; i < n->n_spaces; i++) {
		struct share_input in;
		enum gate_reason why;
		enum err e;

		if (n->spaces[i].joining || n->spaces[i].is_self)
			continue;
		if ((e = share_input_read(n, &n->spaces[i], &in)) != OK)
			return e;
		why = gate_why(&in.gate, goal);
		*shared = *shared || why == GATE_SHARED;
		*linked = *linked || why == GATE_SHARED || why == GATE_NOT_ACCEPTED;
		share_input_free(&in);
	}
	return OK;
}

enum err command_goal_progress(const struct ask *a)
{
	struct node *n = a->n;
	struct change *change = NULL;
	struct doc *doc = NULL;
	struct goal goal;
	bool linked, shared;
	enum err e = document_read(n, command_self(n), KIND_GOAL, &a->c->document, &doc);

	if (e != OK)
		return command_error(a, e, "record progress");
	if (a->c->text.len > LIMIT_NOTE) {
		e = command_refuse(a, ERR_USAGE, "The note has %zu bytes; at most %d.", a->c->text.len, LIMIT_NOTE);
		goto out;
	}
	goal_read(&goal, &a->c->document, doc);
	if (a->c->text.len > 0 && doc_map_count(doc, GOAL_CHECKINS) >= LIMIT_CHECKINS) {
		e = command_refuse(a, ERR_USAGE, "This goal has %d notes, as many as it can hold: record the number without a note.", LIMIT_CHECKINS);
		goto out;
	}
	if ((change = change_new(model_kind(KIND_GOAL)->schema, doc)) == NULL) {
		e = ERR_NOMEM;
		goto out;
	}
	if (a->c->has_value)
		change_register_int(change, a->c->on ? GOAL_PERCENT : GOAL_CURRENT, a->c->value);
	if (goal.status == GOAL_NOT_STARTED)
		change_register_int(change, GOAL_STATUS, GOAL_IN_PROGRESS);
	if (a->c->text.len > 0)                 /* numbers alone are in the goal's history of ops; a note is kept with it */
		check_in(n, change, a->c);
	if ((e = author_change(n, command_self(n), KIND_GOAL, &a->c->document, change)) != OK) {
		e = command_error(a, e, "record progress");
		goto out;
	}
	if ((e = shared_with(n, &a->c->document, &linked, &shared)) == OK)
		e = id_reply(a, &a->c->document, linked && !shared ? "cairn share preview" : NULL,
			shared ? "Saved, and sealed for those whom you approved." : linked ? "Saved. Nothing is shared yet." : "Saved.", "");
out:
	change_free(change);
	doc_free(doc);
	return e;
}

/* ---- links -------------------------------------------------------------------------------------------------------------------- */
static void link_id(struct node *n, const struct id32 *org, const struct id16 *goal, const struct id16 *objective, struct id16 *out)
{
	uint8_t key[ID_LEN + 2 * DOC_LEN];

	memcpy(key, org, ID_LEN);
	memcpy(key + ID_LEN, goal, DOC_LEN);
	memcpy(key + ID_LEN + DOC_LEN, objective, DOC_LEN);
	model_document_id(out, &command_self(n)->id, KIND_LINK, SLICE(key, sizeof key));
}

static enum err link_write(const struct ask *a, struct space *org, const struct id16 *id, struct doc *doc)
{
	struct change *change = change_new(model_kind(KIND_LINK)->schema, doc);
	enum err e = ERR_NOMEM;

	if (change == NULL)
		return e;
	if (doc == NULL) {
		change_register_bin(change, LINK_ORG, SLICE(&org->id, ID_LEN));
		change_register_bin(change, LINK_GOAL, SLICE(&a->c->document, DOC_LEN));
		change_register_bin(change, LINK_OBJECTIVE, SLICE(&a->c->target, DOC_LEN));
	}
	if (doc == NULL || a->c->has_value)
		change_register_int(change, LINK_WEIGHT, a->c->has_value ? a->c->value : DECIMAL_ONE);
	change_register_int(change, LINK_AT, (int64_t)a->n->wall_ms);
	change_register_bool(change, LINK_ACTIVE, true);
	e = author_change(a->n, command_self(a->n), KIND_LINK, id, change);
	change_free(change);
	return e;
}

static enum err link_check(const struct ask *a, struct space *org, bool *sent)
{
	struct doc *doc = NULL;
	enum err e = document_read(a->n, command_self(a->n), KIND_GOAL, &a->c->document, &doc);

	doc_free(doc);
	*sent = true;
	if (e != OK)
		return command_error(a, e, "link this goal");
	e = document_read(a->n, org, KIND_OBJECTIVE, &a->c->target, &doc);
	doc_free(doc);
	if (e != OK)
		return command_error(a, e, "link to this objective");
	if (a->c->has_value && (a->c->value < 0 || a->c->value > DECIMAL_WEIGHT_MAX))
		return command_refuse(a, ERR_USAGE, "A weight is a number from 0 to 1000.");
	*sent = false;
	return OK;
}

enum err command_link(const struct ask *a)
{
	struct reply_builder *fields;
	struct doc *doc = NULL;
	struct space *s;
	struct id16 id;
	bool sent, linked, shared;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if ((e = link_check(a, s, &sent)) != OK || sent)
		return e;
	link_id(a->n, &s->id, &a->c->document, &a->c->target, &id);
	e = document_read(a->n, command_self(a->n), KIND_LINK, &id, &doc);
	if (e == OK || e == ERR_NOTFOUND)
		e = link_write(a, s, &id, doc);
	doc_free(doc);
	if (e != OK)
		return command_error(a, e, "link this goal");
	if ((e = audit_write(a->n, &s->id, AUDIT_LINKED, "goal", &a->c->document, DOC_LEN, "")) != OK ||
	    (e = shared_with(a->n, &a->c->document, &linked, &shared)) != OK)
		return e;
	fields = reply_new();
	reply_bin(fields, "id", &id, DOC_LEN);
	return command_done(a, fields, shared ? "cairn share why GOAL" : "cairn share preview",
		shared ? "Linked, and shared as you approved." : "Linked. Nothing is shared yet.");
}

static enum err unlink_one(const struct ask *a, struct space *org, const struct link *link)
{
	struct doc *doc;
	struct change *change;
	enum err e = document_read(a->n, command_self(a->n), KIND_LINK, &link->id, &doc);

	if (e != OK)
		return e;
	if ((change = change_new(model_kind(KIND_LINK)->schema, doc)) == NULL)
		e = ERR_NOMEM;
	else {
		change_register_bool(change, LINK_ACTIVE, false);
		e = author_change(a->n, command_self(a->n), KIND_LINK, &link->id, change);
	}
	change_free(change);
	doc_free(doc);
	return e == OK ? audit_write(a->n, &org->id, AUDIT_UNLINKED, "goal", &a->c->document, DOC_LEN, "") : e;
}

enum err command_unlink(const struct ask *a)
{
	struct share_input in;
	struct space *s;
	size_t count = 0;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if ((e = share_input_read(a->n, s, &in)) != OK)
		return e;
	for (size_t i = 0; i < in.gate.n_links && e == OK; i++) {
		const struct link *link = &in.links[i];

		if (!link->active || !id32_equal(&link->org, &s->id) || !id16_equal(&link->goal, &a->c->document) ||
		    (a->c->has_target && !id16_equal(&link->objective, &a->c->target)))
			continue;
		e = unlink_one(a, s, link);
		count++;
	}
	share_input_free(&in);
	if (e != OK)
		return command_error(a, e, "unlink this goal");
	if (count == 0)
		return command_refuse(a, ERR_NOTFOUND, "This goal is not linked there: see cairn goal show.");
	return command_done(a, NULL, NULL, "Unlinked. What was shared of it is withdrawn; who kept a copy keeps it.");
}

/* ---- sharing ------------------------------------------------------------------------------------------------------------------- */
typedef enum err share_edit(const struct ask *, struct change *, const struct doc *, bool *sent);

/* Every change of the settings writes the next consent version: readers use only the highest (protocol §6). */
static enum err share_write(const struct ask *a, struct space *s, share_edit *edit, bool *sent)
{
	const struct kind_spec *kind = model_kind(KIND_SHARING);
	struct sharing now = { .version = 0 };
	struct change *change = NULL;
	struct doc *doc = NULL;
	struct id16 id;
	enum err e;

	*sent = false;
	model_document_id(&id, &command_self(a->n)->id, KIND_SHARING, SLICE(&s->id, ID_LEN));
	e = document_read(a->n, command_self(a->n), KIND_SHARING, &id, &doc);
	if (e != OK && e != ERR_NOTFOUND)
		return e;
	if ((e = sharing_read(&now, doc)) == OK && (change = change_new(kind->schema, doc)) == NULL)
		e = ERR_NOMEM;
	if (e == OK && doc == NULL)
		change_register_bin(change, SHARE_ORG, SLICE(&s->id, ID_LEN));
	if (e == OK && (e = edit(a, change, doc, sent)) == OK && !*sent) {
		change_register_int(change, SHARE_VERSION, (int64_t)now.version + 1);
		e = author_change(a->n, command_self(a->n), KIND_SHARING, &id, change);
	}
	sharing_free(&now);
	change_free(change);
	doc_free(doc);
	return e;
}

static enum err edit_accepted(const struct ask *a, struct change *change, const struct doc *doc, bool *sent)
{
	(void)doc;
	(void)sent;
	change_register_bool(change, SHARE_ACCEPTED, a->c->on);
	return OK;
}

static enum err is_waiting(void *arg, const struct id32 *member, uint64_t at_ms, bool waiting)
{
	bool *any = arg;

	(void)member;
	(void)at_ms;
	*any = *any || waiting;
	return OK;
}

static bool is_accepted(struct node *n, struct space *s, enum err *e)
{
	struct share_input in;
	bool accepted;

	if ((*e = share_input_read(n, s, &in)) != OK)
		return false;
	accepted = in.sharing.accepted;
	share_input_free(&in);
	return accepted;
}

enum err command_share_accept(const struct ask *a)
{
	struct space *s;
	bool sent, was, asked = false;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	was = is_accepted(a->n, s, &e);
	if (e != OK || (e = new_readers_each(a->n, s, is_waiting, &asked)) != OK)
		return e;
	if (was == a->c->on && !(was && asked))
		return command_done(a, NULL, "cairn share show", was ? "You have accepted already: what you link is shared as previewed."
			: "Nothing is shared with this organization.");
	if ((e = share_write(a, s, edit_accepted, &sent)) != OK)
		return command_error(a, e, "change what you share");
	if ((e = audit_write(a->n, &s->id, a->c->on ? AUDIT_ENABLED : AUDIT_DISABLED, "organization", &s->id, ID_LEN, "")) != OK)
		return e;
	return a->c->on ? command_done(a, NULL, "cairn sync", "Accepted. Progress of linked goals is sealed and shared from now on.")
		: command_done(a, NULL, NULL, "Withdrawn. What was shared is replaced by nothing; who kept a copy keeps it.");
}

static enum err edit_pairs(const struct ask *a, struct change *change, const struct doc *doc, bool *sent)
{
	return command_pairs(a, change, model_kind(KIND_SHARING), doc, NULL, sent);
}

enum err command_share_set(const struct ask *a)
{
	struct space *s;
	bool sent, accepted;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if ((e = share_write(a, s, edit_pairs, &sent)) != OK || sent)
		return e == OK ? OK : command_error(a, e, "change what you share");
	accepted = is_accepted(a->n, s, &e);
	if (e != OK)
		return e;
	return command_done(a, NULL, "cairn share preview", accepted ? "Saved: in force at once." : "Saved. Nothing is shared until you accept.");
}

static enum err edit_goal(const struct ask *a, struct change *change, const struct doc *doc, bool *sent)
{
	struct buf b = {0};

	(void)sent;
	mp_put_bin(&b, &a->c->document, DOC_LEN);
	if (a->c->on)
		change_set_remove(change, SHARE_HIDE, buf_slice(&b));
	else
		change_set_add(change, SHARE_HIDE, buf_slice(&b));
	if (a->c->on && doc != NULL && doc_set_count(doc, SHARE_ONLY) > 0)
		change_set_add(change, SHARE_ONLY, buf_slice(&b));
	buf_free(&b);
	return OK;
}

enum err command_share_goal(const struct ask *a)
{
	struct space *s;
	bool sent;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if ((e = share_write(a, s, edit_goal, &sent)) != OK)
		return command_error(a, e, "change what you share");
	return id_reply(a, &a->c->document, "cairn share why GOAL", a->c->on ? "No longer hidden: shared if it is linked and you have accepted."
		: "Hidden: nothing of this goal is shared, and what was is withdrawn.", "");
}

static enum err edit_aggregator(const struct ask *a, struct change *change, const struct doc *doc, bool *sent)
{
	struct buf b = {0};

	(void)doc;
	(void)sent;
	mp_put_bin(&b, &a->c->other, ID_LEN);
	if (a->c->on)
		change_set_add(change, SHARE_REFUSED, buf_slice(&b));
	else
		change_set_remove(change, SHARE_REFUSED, buf_slice(&b));
	buf_free(&b);
	return OK;
}

enum err command_share_aggregator(const struct ask *a)
{
	struct space *s;
	bool sent;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if ((e = share_write(a, s, edit_aggregator, &sent)) != OK)
		return command_error(a, e, "change what you share");
	return command_done(a, NULL, NULL, a->c->on ? "This aggregator gets nothing of yours from now on." : "This aggregator is no longer refused.");
}
