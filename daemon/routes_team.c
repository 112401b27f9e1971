/* Teams.  Who is in them and who leads them is authority; name and description are documents. */
#include <string.h>
#include "daemon/routes.h"

static json_t *members_ids(const struct team *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->n_members; i++)
		json_add(&list, json_of_id32(&t->members[i]));
	return list;
}

static json_t *team_json(struct read *q, const struct team *t)
{
	static const char *const types[] = { "Department", "Squad", "Chapter", "WorkingGroup", "ProjectTeam", "Custom" };
	static const char *const statuses[] = { "Active", "Inactive", "Archived" };
	const struct doc *doc = NULL;
	json_t *o;

	if (t == NULL)
		return NULL;
	if (view_document(q->v, &q->org, KIND_TEAM, &t->id, &doc) != OK)
		doc = NULL;
	o = json_object();
	json_put(&o, "id", json_of_id16(&t->id));
	json_put(&o, "name", json_of_text_or_null(view_register(doc, KIND_TEAM, TEAM_NAME)));
	json_put(&o, "description", json_of_text_or_null(view_register(doc, KIND_TEAM, TEAM_DESCRIPTION)));
	json_put(&o, "parentTeamId", json_of_id16(t->has_parent ? &t->parent : NULL));
	json_put(&o, "type", json_string(types[t->type < 6 ? t->type : TEAM_CUSTOM]));
	json_put(&o, "status", json_string(statuses[t->status < 3 ? t->status : 0]));
	json_put(&o, "teamLeadUserId", json_of_id32(t->has_lead ? &t->lead : NULL));
	json_put(&o, "memberIds", members_ids(t));
	return o;
}

void teams_list(struct request *r)
{
	const struct team *const *teams;
	struct read q;
	size_t count;
	json_t *list;

	if (!read_begin_org(&q, r))
		return;
	list = json_array();
	count = state_teams(q.state, &teams);
	for (size_t i = 0; i < count; i++)
		json_add(&list, team_json(&q, teams[i]));
	read_answer(&q, list);
}

static bool find_team(struct read *q, struct id16 *id)
{
	return read_ref(q, KIND_TEAM, request_param(q->r, "team"), "team", id);
}

void team_show(struct request *r)
{
	struct id16 id;
	struct read q;

	if (read_begin_org(&q, r) && find_team(&q, &id))
		read_answer(&q, team_json(&q, state_team(q.state, &id)));
}

void team_members(struct request *r)
{
	const struct team *t;
	bool listed = false;
	struct id16 id;
	struct read q;
	json_t *list;

	if (!read_begin_org(&q, r) || !find_team(&q, &id))
		return;
	t = state_team(q.state, &id);
	list = json_array();
	for (size_t i = 0; i < t->n_members; i++) {
		json_add(&list, member_json(&q, state_member(q.state, &t->members[i])));
		listed = listed || (t->has_lead && id32_equal(&t->members[i], &t->lead));
	}
	if (t->has_lead && !listed)
		json_add(&list, member_json(&q, state_member(q.state, &t->lead)));
	read_answer(&q, list);
}

/* ---- writing -------------------------------------------------------------------------------------------------------------------- */
static void then_team(struct request *r, const struct reply *reply)
{
	struct id16 id;
	struct read q;

	if (!reply_begin_org(&q, r, reply))
		return;
	reply_answer(&q, reply, reply_id(reply, &id, DOC_LEN) ? team_json(&q, state_team(q.state, &id)) : NULL);
}

/* The lead is a command of its own, after the rest; *needed: it differs from what is. */
static bool lead_command(struct read *q, const struct id16 *team, struct command *c, bool *needed)
{
	const struct team *t = state_team(q->state, team);

	*c = (struct command){ .kind = COMMAND_TEAM_LEAD, .has_org = true, .org = q->org, .has_document = true, .document = *team,
		.has_other = true };
	if (!body_ref(q, KIND_PROFILE, "teamLeadUserId", "member", &c->other, &c->on))
		return false;
	*needed = t != NULL && body_has(q, "teamLeadUserId") && (c->on != t->has_lead || (c->on && !id32_equal(&c->other, &t->lead)));
	if (!c->on && t != NULL)
		c->other = t->lead;
	return true;
}

/* What remains to be done with the team that the first command made or changed. */
static void then_lead(struct request *r, const struct reply *reply)
{
	struct command c;
	struct id16 id;
	struct read q;
	bool needed;

	if (!reply_begin_org(&q, r, reply))
		return;
	if (!reply_id(reply, &id, DOC_LEN)) {
		reply_answer(&q, reply, NULL);
		return;
	}
	if (!lead_command(&q, &id, &c, &needed))
		return;
	if (needed)
		read_command_next(&q, &c, then_team);
	else
		reply_answer(&q, reply, team_json(&q, state_team(q.state, &id)));
}

static const char *const not_pairs[] = { "parentTeamId", "teamLeadUserId", NULL };

static bool parent_given(struct read *q, struct command *c)
{
	if (!body_ref(q, KIND_TEAM, "parentTeamId", "team", &c->target, &c->has_target))
		return false;
	c->clear_target = body_has(q, "parentTeamId") && !c->has_target;
	return true;
}

void team_add(struct request *r)
{
	struct command c = { .kind = COMMAND_TEAM_ADD, .has_org = true };
	struct id32 lead;
	struct read q;
	bool has;

	if (!read_begin_org(&q, r) || !parent_given(&q, &c) || !body_ref(&q, KIND_PROFILE, "teamLeadUserId", "member", &lead, &has) ||
	    !body_pairs(&q, &c, not_pairs))
		return;
	c.org = q.org;
	read_command(&q, &c, then_lead);
}

void team_set(struct request *r)
{
	struct command c = { .kind = COMMAND_TEAM_EDIT, .has_org = true, .has_document = true }, lead;
	struct read q;
	bool needed;

	if (!read_begin_org(&q, r) || !find_team(&q, &c.document) || !parent_given(&q, &c) || !lead_command(&q, &c.document, &lead, &needed) ||
	    !body_pairs(&q, &c, not_pairs))
		return;
	c.org = q.org;
	if (c.n_pairs == 0 && !c.has_target && !c.clear_target && needed)
		read_command(&q, &lead, then_team);
	else
		read_command(&q, &c, then_lead);
}

/* {memberId, lead?}: true also makes the member its lead. */
static void then_assigned(struct request *r, const struct reply *reply)
{
	struct command c = { .kind = COMMAND_TEAM_LEAD, .has_org = true, .has_document = true, .has_other = true, .on = true };
	struct read q;
	bool lead, has;

	if (!reply_begin_org(&q, r, reply) || !body_bool(&q, "lead", &lead, &has))
		return;
	if (!lead || !reply_id(reply, &c.document, DOC_LEN)) {
		reply_answer(&q, reply, reply_id(reply, &c.document, DOC_LEN) ? team_json(&q, state_team(q.state, &c.document)) : NULL);
		return;
	}
	if (!body_ref(&q, KIND_PROFILE, "memberId", "member", &c.other, &has))
		return;
	c.org = q.org;
	read_command_next(&q, &c, then_team);
}

void team_assign(struct request *r)
{
	static const char *const known[] = { "memberId", "lead", NULL };
	struct command c = { .kind = COMMAND_TEAM_ASSIGN, .has_org = true, .has_document = true, .has_other = true, .on = true };
	struct read q;
	bool lead, has;

	if (!read_begin_org(&q, r) || !find_team(&q, &c.document) || !body_only(&q, known) || !body_bool(&q, "lead", &lead, &has) ||
	    !body_ref(&q, KIND_PROFILE, "memberId", "member", &c.other, &has))
		return;
	if (!has) {
		read_fail(&q, ERR_USAGE, "“memberId” is missing: the member's id or name.");
		return;
	}
	c.org = q.org;
	read_command(&q, &c, then_assigned);
}

void team_unassign(struct request *r)
{
	struct command c = { .kind = COMMAND_TEAM_ASSIGN, .has_org = true, .has_document = true, .has_other = true };
	struct read q;

	if (!read_begin_org(&q, r) || !find_team(&q, &c.document) ||
	    !read_ref(&q, KIND_PROFILE, request_param(r, "member"), "member", &c.other))
		return;
	c.org = q.org;
	read_command(&q, &c, then_team);
}
