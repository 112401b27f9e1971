/* authority: is an act's author entitled to it?  Protocol §3: the rights that each kind needs, in the state of the act's own past. */
#include <string.h>
#include "org/authority_internal.h"

struct ask {                            /* one act, its author found */
	const struct state *s;
	const struct entry *e;
	const struct act_body *b;
	const struct member *m;         /* the author */
	const struct device *d;         /* NULL: its root key */
	struct verdict *v;
};

/* ---- rights ----------------------------------------------------------------------------------------------------------- */
static enum err need(bool fine, enum err otherwise)
{
	return fine ? OK : otherwise;
}

static bool may(const struct ask *q, enum action action, enum relation relation)
{
	return state_permits(q->s, &q->m->root, action, relation);
}

/* A right over a team; NULL: over the whole organization.  One who has it as a lead needs no more than the role of a Member. */
static bool may_team(const struct ask *q, enum action action, const struct id16 *team)
{
	enum relation relation = state_relation_team(q->s, &q->m->root, team);

	if (relation != RELATION_OTHER && q->m->role == ROLE_MEMBER)
		q->v->needed = ROLE_MEMBER;
	return may(q, action, relation);
}

static bool outranks(const struct ask *q, const struct id32 *member)
{
	return state_outranks(q->s, &q->m->root, member);
}

static bool self(const struct ask *q, const struct id32 *member)
{
	return id32_equal(&q->m->root, member);
}

/* ---- joining ---------------------------------------------------------------------------------------------------------- */
static enum err invite_right(const struct ask *q, enum role role, struct slice teams, size_t n_teams)
{
	if (role < q->m->role)
		return ERR_DENIED;
	if (n_teams == 0)
		return need(may_team(q, MAY_INVITE, NULL), ERR_DENIED);
	for (size_t i = 0; i < n_teams; i++) {
		struct id16 team = act_id16_at(teams, i);

		if (state_team(q->s, &team) == NULL)
			return ERR_NOTFOUND;
		if (!may_team(q, MAY_INVITE, &team))
			return ERR_DENIED;
	}
	return OK;
}

static enum err judge_invite(const struct ask *q)
{
	if (state_invite(q->s, &q->b->invite) != NULL)
		return ERR_STATE;
	return invite_right(q, q->b->role, q->b->teams, q->b->n_teams);
}

/* Who made it may close it while the role lets anyone invite; else as for making it. */
static enum err judge_close(const struct ask *q)
{
	const struct invite *invite = state_invite(q->s, &q->b->invite);

	if (invite == NULL)
		return ERR_NOTFOUND;
	q->v->taking = true;
	if (self(q, &invite->author_member) && permit(q->m->role, MAY_INVITE, RELATION_OWN_TEAM))
		return OK;
	if (invite->role < q->m->role)
		return ERR_DENIED;
	if (invite->n_teams == 0)
		return need(may(q, MAY_INVITE, RELATION_OTHER), ERR_DENIED);
	for (size_t i = 0; i < invite->n_teams; i++)
		if (!may_team(q, MAY_INVITE, &invite->teams[i]))
			return ERR_DENIED;
	return OK;
}

static enum err judge_admit(const struct ask *q)
{
	const struct invite_own *own = state_find(q->s, SHELF_INVITES, &q->b->invite);
	const struct member *m = state_member(q->s, &q->b->root);
	bool found;

	if (own == NULL)
		return ERR_NOTFOUND;
	q->v->inviter = own->i.author_member;
	q->v->invite_role = own->i.role;
	(void)list_find(own->requests, own->n_requests, sizeof q->b->request, &q->b->request, DOC_LEN, &found);
	if (q->d == NULL || !q->e->proof)
		return ERR_DENIED;
	if (own->i.closed || found || own->i.used >= own->i.uses)
		return ERR_STATE;
	return need((m == NULL || m->status == MEMBER_REMOVED) && state_device(q->s, &q->b->certificate.device) == NULL, ERR_STATE);
}

static enum err judge_approve(const struct ask *q)
{
	const struct member *m = state_member(q->s, &q->b->member);

	if (m == NULL)
		return ERR_NOTFOUND;
	if (m->status != MEMBER_PENDING)
		return ERR_STATE;
	return need(m->role >= q->m->role && may(q, MAY_INVITE, state_relation_member(q->s, &q->m->root, &m->root)), ERR_DENIED);
}

/* ---- members ---------------------------------------------------------------------------------------------------------- */
static enum err judge_remove(const struct ask *q)
{
	if (!state_present(q->s, &q->b->member))
		return ERR_NOTFOUND;
	q->v->taking = true;
	q->v->left = ROLE_NONE;
	return need(may(q, MAY_MANAGE_MEMBERS, RELATION_OTHER) && outranks(q, &q->b->member), ERR_DENIED);
}

/* One may step down, but not up; of others, whom one outranks, and not above oneself. */
static enum err judge_role(const struct ask *q)
{
	const struct member *m = state_member(q->s, &q->b->member);

	if (m == NULL || m->status == MEMBER_REMOVED)
		return ERR_NOTFOUND;
	if (!may(q, MAY_MANAGE_MEMBERS, RELATION_OTHER) || q->b->role < q->m->role)
		return ERR_DENIED;
	if (self(q, &m->root))
		return OK;
	q->v->taking = q->b->role > m->role;
	q->v->left = q->b->role;
	return need(outranks(q, &m->root), ERR_DENIED);
}

static enum err judge_edge(const struct ask *q)
{
	const struct act_body *b = q->b;
	bool second = q->e->kind == ACT_DOTTED || b->has_member;

	if (!state_present(q->s, &b->member) || (second && !state_present(q->s, &b->root)))
		return ERR_NOTFOUND;
	if (second && id32_equal(&b->member, &b->root))
		return ERR_STATE;
	return need(may(q, MAY_MANAGE_MEMBERS, RELATION_OTHER), ERR_DENIED);
}

/* ---- devices ---------------------------------------------------------------------------------------------------------- */
static enum err judge_certify(const struct ask *q)
{
	const struct certificate *c = &q->b->certificate;
	const struct device *by = state_device(q->s, &c->certifier);

	if (!self(q, &c->root))
		return ERR_DENIED;
	if (!c->by_root && (by == NULL || by->revoked || !self(q, &by->member)))
		return ERR_DENIED;
	return need(state_device(q->s, &c->device) == NULL, ERR_STATE);
}

/* Of one member: the root key, and devices certified earlier. */
static bool senior_device(const struct ask *q, const struct device *d)
{
	if (q->d == NULL)
		return true;
	if (q->d->certified_depth != d->certified_depth)
		return q->d->certified_depth < d->certified_depth;
	return id32_compare(&q->d->certified_by, &d->certified_by) < 0;
}

static enum err judge_revoke(const struct ask *q)
{
	const struct device *d = state_device(q->s, &q->b->device);

	if (d == NULL)
		return ERR_NOTFOUND;
	if (d->revoked)
		return ERR_STATE;
	if (q->d == d)
		return OK;                              /* giving oneself up takes from nobody */
	q->v->taking = true;
	q->v->left = ROLE_NONE;
	if (self(q, &d->member))
		return need(senior_device(q, d), ERR_DENIED);
	q->v->needed = ROLE_ADMIN;
	return need(may(q, MAY_MANAGE_MEMBERS, RELATION_OTHER) && outranks(q, &d->member), ERR_DENIED);
}

static enum err judge_capability(const struct ask *q)
{
	const struct device *d = state_device(q->s, &q->b->device);

	if (d == NULL || d->revoked)
		return ERR_NOTFOUND;
	return need(may(q, MAY_GRANT_CAPABILITY, RELATION_OTHER), ERR_DENIED);
}

/* Over others' logs: who outranks them.  Over one's own: fork repair, not against a removal. */
static enum err judge_salvage(const struct ask *q)
{
	const struct device_own *d = state_find(q->s, SHELF_DEVICES, &q->b->device);

	if (d == NULL)
		return ERR_NOTFOUND;
	if (q->b->from > q->b->to)
		return ERR_STATE;
	if (self(q, &d->d.member))
		return need((!d->d.revoked || d->by_own) && (q->d == &d->d || senior_device(q, &d->d)), ERR_DENIED);
	q->v->needed = ROLE_ADMIN;
	return need(may(q, MAY_MANAGE_MEMBERS, RELATION_OTHER) && outranks(q, &d->d.member), ERR_DENIED);
}

/* ---- teams, scopes ---------------------------------------------------------------------------------------------------- */
static enum err judge_team(const struct ask *q)
{
	const struct act_body *b = q->b;

	if (state_team(q->s, &b->team) != NULL)
		return ERR_STATE;
	if (b->has_parent && state_team(q->s, &b->parent) == NULL)
		return ERR_NOTFOUND;
	return need(may_team(q, MAY_MANAGE_TEAMS, b->has_parent ? &b->parent : NULL), ERR_DENIED);
}

static enum err judge_team_change(const struct ask *q)
{
	const struct act_body *b = q->b;
	const struct team *t = state_team(q->s, &b->team);

	if (t == NULL)
		return ERR_NOTFOUND;
	if (!may_team(q, MAY_MANAGE_TEAMS, &b->team))
		return ERR_DENIED;
	switch (q->e->kind) {
	case ACT_TEAM_PARENT:
		if (b->has_parent && state_team(q->s, &b->parent) == NULL)
			return ERR_NOTFOUND;
		if (b->has_parent && state_team_within(q->s, &b->parent, &b->team))
			return ERR_STATE;
		return need(may_team(q, MAY_MANAGE_TEAMS, b->has_parent ? &b->parent : NULL), ERR_DENIED);
	case ACT_TEAM_LEAD:
		if (t->has_lead && !(b->has_member && id32_equal(&t->lead, &b->member))) {
			q->v->ends = true;
			q->v->ended = t->lead;
		}
		return need(!b->has_member || state_present(q->s, &b->member), ERR_NOTFOUND);
	case ACT_TEAM_MEMBER:
		return need(state_present(q->s, &b->member), ERR_NOTFOUND);
	}
	return OK;
}

static bool may_claim(const struct ask *q, const struct id16 *team)
{
	const struct team *t = team == NULL ? NULL : state_team(q->s, team);

	if (may_team(q, MAY_EDIT_OBJECTIVES, team))
		return true;
	if (t == NULL || !state_in_team(t, &q->m->root) || !may(q, MAY_PROPOSE_OBJECTIVES, RELATION_OWN_TEAM))
		return false;
	q->v->needed = ROLE_MEMBER;
	return true;
}

static enum err judge_scope(const struct ask *q)
{
	const struct act_body *b = q->b;
	const struct id16 *team = b->has_team ? &b->team : NULL;

	if (team != NULL && state_team(q->s, team) == NULL)
		return ERR_NOTFOUND;
	if (!may_claim(q, team) || (b->n_moves > 0 && !may_team(q, MAY_EDIT_OBJECTIVES, team)))
		return ERR_DENIED;
	for (size_t i = 0; i < b->n_moves; i++) {
		struct id16 document = act_id16_at(b->moves, i);
		const struct scope *scope = state_scope_of(q->s, &document);

		if (!may_team(q, MAY_EDIT_OBJECTIVES, scope != NULL && scope->has_team ? &scope->team : NULL))
			return ERR_DENIED;
	}
	return OK;
}

/* ---- all kinds -------------------------------------------------------------------------------------------------------- */
/* The lowest role to which the matrix gives the kind in any relation. */
static enum role needed_by(uint32_t kind)
{
	switch (kind) {
	case ACT_CAPABILITY: case ACT_DELETE:
		return ROLE_OWNER;
	case ACT_REMOVE: case ACT_ROLE: case ACT_MANAGER: case ACT_DOTTED: case ACT_SETTING: case ACT_STATUS:
		return ROLE_ADMIN;
	case ACT_INVITE: case ACT_CLOSE: case ACT_APPROVE: case ACT_TEAM: case ACT_TEAM_PARENT: case ACT_TEAM_LEAD: case ACT_TEAM_MEMBER:
	case ACT_TEAM_STATUS: case ACT_SCOPE:
		return ROLE_MANAGER;
	}
	return ROLE_VIEWER;
}

/* In a self space there are devices and nothing else; of an ended organization one may take leave. */
static bool fits_space(const struct state *s, uint32_t kind)
{
	if (!s->is_org)
		return kind == ACT_CERTIFY || kind == ACT_REVOKE || kind == ACT_SALVAGE || kind == ACT_MERGE;
	return s->status != 3 || kind == ACT_LEAVE || kind == ACT_MERGE || kind == ACT_CERTIFY || kind == ACT_REVOKE;
}

static enum err judge_kind(const struct ask *q)
{
	switch (q->e->kind) {
	case ACT_INVITE:        return judge_invite(q);
	case ACT_CLOSE:         return judge_close(q);
	case ACT_ADMIT:         return judge_admit(q);
	case ACT_APPROVE:       return judge_approve(q);
	case ACT_LEAVE:         return OK;
	case ACT_REMOVE:        return judge_remove(q);
	case ACT_ROLE:          return judge_role(q);
	case ACT_CAPABILITY:    return judge_capability(q);
	case ACT_CERTIFY:       return judge_certify(q);
	case ACT_REVOKE:        return judge_revoke(q);
	case ACT_TEAM:          return judge_team(q);
	case ACT_TEAM_PARENT: case ACT_TEAM_LEAD: case ACT_TEAM_MEMBER: case ACT_TEAM_STATUS:
		return judge_team_change(q);
	case ACT_MANAGER: case ACT_DOTTED:
		return judge_edge(q);
	case ACT_SETTING: case ACT_STATUS:
		return need(may(q, MAY_CONFIGURE, RELATION_OTHER), ERR_DENIED);
	case ACT_SCOPE:         return judge_scope(q);
	case ACT_SALVAGE:       return judge_salvage(q);
	case ACT_MERGE:         return need(q->d != NULL, ERR_DENIED);
	case ACT_DELETE:        return need(may(q, MAY_DELETE, RELATION_OTHER), ERR_DENIED);
	}
	return ERR_DENIED;
}

enum err judge(struct verdict *v, const struct state *past, const struct entry *e)
{
	struct ask q = { .s = past, .e = e, .b = &e->body, .v = v };

	*v = (struct verdict){ .role = ROLE_NONE, .left = ROLE_VIEWER, .needed = needed_by(e->kind), .invite_role = ROLE_NONE };
	if (!e->known)
		return ERR_DENIED;
	if (e->kind == ACT_GENESIS) {                   /* it was looked at when it was added; there is no other */
		v->member = e->body.root;
		v->role = ROLE_OWNER;
		return OK;
	}
	if (e->author_type == ACT_DEVICE)
		q.d = state_device(past, &e->author);
	q.m = e->author_type == ACT_ROOT ? state_member(past, &e->author) : q.d == NULL ? NULL : state_member(past, &q.d->member);
	if (q.m == NULL)
		return ERR_DENIED;
	v->member = q.m->root;
	v->role = q.m->role;
	v->admitted_depth = q.m->admitted_depth;
	v->admitted_by = q.m->admitted_by;
	if (q.m->status != MEMBER_ACTIVE || (q.d != NULL && q.d->revoked))
		return ERR_DENIED;
	return fits_space(past, e->kind) ? judge_kind(&q) : ERR_STATE;
}

/* ---- takings ---------------------------------------------------------------------------------------------------------- */
bool strikes(const struct entry *t, const struct verdict *tv, const struct entry *o, const struct verdict *ov)
{
	if (!tv->taking)
		return false;
	switch (t->kind) {
	case ACT_CLOSE:
		return o->kind == ACT_ADMIT && id32_equal(&o->body.invite, &t->body.invite);
	case ACT_REVOKE:
		return o->author_type == ACT_DEVICE && id32_equal(&o->author, &t->body.device);
	case ACT_REMOVE: case ACT_ROLE:
		if (id32_equal(&ov->member, &t->body.member) && tv->left > ov->needed)
			return true;
		return o->kind == ACT_ADMIT && id32_equal(&ov->inviter, &t->body.member) && ov->invite_role < tv->left;
	}
	return false;
}

int precedence(const struct verdict *a, const struct id32 *a_id, const struct verdict *b, const struct id32 *b_id)
{
	int order;

	if (a->role != b->role)
		return a->role < b->role ? -1 : 1;
	if (a->admitted_depth != b->admitted_depth)
		return a->admitted_depth < b->admitted_depth ? -1 : 1;
	order = id32_compare(&a->admitted_by, &b->admitted_by);
	return order != 0 ? order : id32_compare(a_id, b_id);
}
