/* state: what one counting act does to members, devices and invites (protocol §§3, 4). */
#include <string.h>
#include "base/mem.h"
#include "org/state_internal.h"

/* ---- members ---------------------------------------------------------------------------------------------------------- */
static bool is_owner(const struct member *m)
{
	return m->status == MEMBER_ACTIVE && m->role == ROLE_OWNER;
}

static void member_set(struct state *s, struct member_own *m, enum role role, enum member_status status)
{
	s->owners -= is_owner(&m->m);
	m->m.role = role;
	m->m.status = status;
	s->owners += is_owner(&m->m);
}

bool state_ends_last_owner(const struct state *s, const struct entry *e, const struct id32 *member)
{
	const struct member *m;

	if (e->kind != ACT_LEAVE && e->kind != ACT_REMOVE && (e->kind != ACT_ROLE || e->body.role == ROLE_OWNER))
		return false;
	m = state_member(s, e->kind == ACT_LEAVE ? member : &e->body.member);
	return m != NULL && is_owner(m) && s->owners == 1;
}

bool state_present(const struct state *s, const struct id32 *root)
{
	const struct member *m = state_member(s, root);

	return m != NULL && m->status != MEMBER_REMOVED;
}

static enum err edit_member(struct state *s, const struct id32 *root, struct member_own **m)
{
	return state_edit(s, SHELF_MEMBERS, root, false, m);
}

/* ---- invites ---------------------------------------------------------------------------------------------------------- */
/* Close the open invites of a member above a role (protocol §4). */
static enum err close_invites(struct state *s, const struct id32 *author, enum role role)
{
	const struct invite *const *all;
	size_t n = state_invites(s, &all);

	for (size_t i = 0; i < n; i++) {
		struct invite_own *own;

		if (all[i]->closed || all[i]->role >= role || !id32_equal(&all[i]->author_member, author))
			continue;
		TRY(state_edit(s, SHELF_INVITES, &all[i]->key, false, &own));
		own->i.closed = true;
	}
	return OK;
}

static enum err apply_invite(struct state *s, bool *effective, const struct deed *d)
{
	const struct act_body *b = &d->entry->body;
	const struct member_own *author = state_find(s, SHELF_MEMBERS, &d->member);
	struct invite_own *own;

	if (state_invite(s, &b->invite) != NULL || author == NULL)
		return OK;
	TRY(state_edit(s, SHELF_INVITES, &b->invite, true, &own));
	*effective = true;
	memcpy(own->i.curve, b->curve, KEY_LEN);
	own->i.role = b->role;
	own->i.uses = b->uses;
	own->i.expires_ms = b->expires_ms;
	own->i.has_expiry = b->has_expiry;
	own->i.approval = b->approval;
	own->i.author_member = d->member;
	/* Its author was demoted or removed meanwhile. */
	own->i.closed = author->m.status == MEMBER_REMOVED ? !author->left : author->m.role > b->role;
	for (size_t i = 0; i < b->n_teams; i++) {
		struct id16 team = act_id16_at(b->teams, i);
		void *grown = list_put((void *)own->i.teams, own->i.n_teams, sizeof team, own->i.n_teams, &team);

		if (grown == NULL)
			return ERR_NOMEM;
		own->i.teams = grown;
		own->i.n_teams++;
	}
	return OK;
}

static enum err apply_close(struct state *s, bool *effective, const struct deed *d)
{
	struct invite_own *own;
	enum err e = state_edit(s, SHELF_INVITES, &d->entry->body.invite, false, &own);

	if (e != OK)
		return e == ERR_NOTFOUND ? OK : e;
	own->i.closed = *effective = true;
	return OK;
}

/* ---- devices ---------------------------------------------------------------------------------------------------------- */
static enum err add_device(struct state *s, const struct certificate *c, const struct deed *d)
{
	struct device_own *own;

	TRY(state_edit(s, SHELF_DEVICES, &c->device, true, &own));
	own->d.member = c->root;
	memcpy(own->d.box, c->box, KEY_LEN);
	memcpy(own->d.curve, c->curve, KEY_LEN);
	own->d.certified_depth = d->depth;
	own->d.certified_by = d->id;
	return OK;
}

static enum err apply_certify(struct state *s, bool *effective, const struct deed *d)
{
	const struct certificate *c = &d->entry->body.certificate;
	const struct member *m = state_member(s, &c->root);
	struct device_own *own;

	if (m == NULL || state_device(s, &c->device) != NULL)
		return OK;
	TRY(add_device(s, c, d));
	*effective = true;
	if (m->status != MEMBER_REMOVED)
		return OK;
	TRY(state_edit(s, SHELF_DEVICES, &c->device, false, &own));
	own->d.revoked = true;
	return OK;
}

static enum err revoke(struct state *s, const struct id32 *device, bool by_own)
{
	struct device_own *own;

	TRY(state_edit(s, SHELF_DEVICES, device, false, &own));
	own->by_own = by_own && (!own->d.revoked || own->by_own);
	own->d.revoked = true;
	own->d.capabilities = 0;
	return OK;
}

static enum err apply_revoke(struct state *s, bool *effective, const struct deed *d)
{
	const struct device *device = state_device(s, &d->entry->body.device);

	if (device == NULL)
		return OK;
	*effective = true;
	return revoke(s, &device->id, id32_equal(&device->member, &d->member));
}

static enum err apply_capability(struct state *s, bool *effective, const struct deed *d)
{
	const struct act_body *b = &d->entry->body;
	const struct device *device = state_device(s, &b->device);
	struct device_own *own;

	if (device == NULL || device->revoked)
		return OK;
	TRY(state_edit(s, SHELF_DEVICES, &b->device, false, &own));
	*effective = true;
	if (b->on)
		own->d.capabilities |= 1u << b->capability;
	else
		own->d.capabilities &= ~(1u << b->capability);
	return OK;
}

/* ---- joining and going ------------------------------------------------------------------------------------------------- */
static enum err apply_genesis(struct state *s, bool *effective, const struct deed *d)
{
	const struct act_body *b = &d->entry->body;
	struct member_own *m;
	struct device_own *own;

	s->is_org = b->is_org;
	s->space = d->id;
	TRY(state_edit(s, SHELF_MEMBERS, &b->root, true, &m));
	member_set(s, m, ROLE_OWNER, MEMBER_ACTIVE);
	m->m.admitted_depth = d->depth;
	m->m.admitted_by = d->id;
	TRY(add_device(s, &b->certificate, d));
	TRY(state_edit(s, SHELF_DEVICES, &b->certificate.device, false, &own));
	own->d.capabilities = 1u << CAPABILITY_AGGREGATOR;
	*effective = true;
	return OK;
}

static enum err join_team(struct state *s, const struct id16 *team, const struct id32 *member)
{
	struct team *t;
	enum err e = state_edit(s, SHELF_TEAMS, team, false, &t);

	if (e != OK)
		return e == ERR_NOTFOUND ? OK : e;
	return id_set_put(&t->members, &t->n_members, member);
}

/* Each act that ended a membership must be in the past of what begins it again. */
static bool may_return(const struct member_own *m, const struct deed *d)
{
	for (size_t i = 0; i < m->n_removals; i++)
		if (!dag_in_past(d->dag, m->removals[i], d->index))
			return false;
	return true;
}

/* Several admits of one request are one. */
static enum err note_request(struct state *s, const struct act_body *b, const struct invite **invite)
{
	struct invite_own *own;
	bool found;
	size_t at;
	void *grown;

	TRY(state_edit(s, SHELF_INVITES, &b->invite, false, &own));
	at = list_find(own->requests, own->n_requests, sizeof b->request, &b->request, DOC_LEN, &found);
	if ((grown = list_put(own->requests, own->n_requests, sizeof b->request, at, &b->request)) == NULL)
		return ERR_NOMEM;
	own->requests = grown;
	own->n_requests++;
	own->i.used++;
	*invite = &own->i;
	return OK;
}

static enum err apply_admit(struct state *s, bool *effective, const struct deed *d)
{
	const struct act_body *b = &d->entry->body;
	const struct invite_own *known = state_find(s, SHELF_INVITES, &b->invite);
	const struct device *device = state_device(s, &b->certificate.device);
	const struct member_own *before = state_find(s, SHELF_MEMBERS, &b->root);
	const struct invite *invite = NULL;
	struct member_own *m;
	bool found = false, fresh = before == NULL || before->m.status == MEMBER_REMOVED;

	if (known != NULL)
		(void)list_find(known->requests, known->n_requests, sizeof b->request, &b->request, DOC_LEN, &found);
	if (known == NULL || found || (device != NULL && (device->revoked || !id32_equal(&device->member, &b->root))) ||
	    (before != NULL && !may_return(before, d)))
		return OK;
	TRY(note_request(s, b, &invite));
	TRY(state_edit(s, SHELF_MEMBERS, &b->root, true, &m));
	if (fresh) {
		m->left = false;
		m->m.admitted_depth = d->depth;
		m->m.admitted_by = d->id;
		member_set(s, m, invite->role, invite->approval ? MEMBER_PENDING : MEMBER_ACTIVE);
	} else if (!invite->approval)
		member_set(s, m, m->m.role, MEMBER_ACTIVE);     /* admitted twice, concurrently */
	if (device == NULL)
		TRY(add_device(s, &b->certificate, d));
	for (size_t i = 0; i < invite->n_teams; i++)
		TRY(join_team(s, &invite->teams[i], &b->root));
	*effective = true;
	return OK;
}

static enum err apply_approve(struct state *s, bool *effective, const struct deed *d)
{
	const struct member *before = state_member(s, &d->entry->body.member);
	struct member_own *m;

	if (before == NULL || before->status != MEMBER_PENDING)
		return OK;
	TRY(edit_member(s, &before->root, &m));
	member_set(s, m, m->m.role, MEMBER_ACTIVE);
	*effective = true;
	return OK;
}

/* Nobody's lead, manager or team mate any more. */
static enum err cut_edges(struct state *s, const struct id32 *root)
{
	const struct team *const *teams;
	const struct member *const *members;
	size_t n = state_teams(s, &teams);

	for (size_t i = 0; i < n; i++) {
		struct team *t;

		if (!state_leads(teams[i], root) && !state_in_team(teams[i], root))
			continue;
		TRY(state_edit(s, SHELF_TEAMS, &teams[i]->id, false, &t));
		id_set_drop(t->members, &t->n_members, root);
		if (state_leads(t, root)) {
			t->has_lead = false;
			memset(&t->lead, 0, sizeof t->lead);
		}
	}
	n = state_members(s, &members);
	for (size_t i = 0; i < n; i++) {
		bool solid = members[i]->has_manager && id32_equal(&members[i]->manager, root);
		struct member_own *m;

		if (!solid && !id_set_has(members[i]->dotted, members[i]->n_dotted, root))
			continue;
		TRY(edit_member(s, &members[i]->root, &m));
		id_set_drop(m->m.dotted, &m->m.n_dotted, root);
		m->m.has_manager = m->m.has_manager && !solid;
	}
	return OK;
}

static enum err end_membership(struct state *s, bool *effective, const struct deed *d, const struct id32 *root, bool left)
{
	const struct device *const *devices;
	size_t n = state_devices(s, &devices);
	struct member_own *m;
	void *grown;
	enum err e = edit_member(s, root, &m);

	if (e != OK)
		return e == ERR_NOTFOUND ? OK : e;
	*effective = true;
	if ((grown = list_put(m->removals, m->n_removals, sizeof d->index, m->n_removals, &d->index)) == NULL)
		return ERR_NOMEM;
	m->removals = grown;
	m->n_removals++;
	m->left = left && (m->left || m->m.status != MEMBER_REMOVED);
	member_set(s, m, m->m.role, MEMBER_REMOVED);
	m->m.has_manager = false;
	m->m.n_dotted = 0;
	for (size_t i = 0; i < n; i++)
		if (id32_equal(&devices[i]->member, root))
			TRY(revoke(s, &devices[i]->id, false));
	TRY(cut_edges(s, root));
	return left ? OK : close_invites(s, root, ROLE_NONE);
}

static enum err apply_role(struct state *s, bool *effective, const struct deed *d)
{
	const struct act_body *b = &d->entry->body;
	struct member_own *m;

	if (!state_present(s, &b->member))
		return OK;
	TRY(edit_member(s, &b->member, &m));
	*effective = true;
	member_set(s, m, b->role, m->m.status);
	return close_invites(s, &b->member, b->role);
}

enum err state_apply_person(struct state *s, bool *effective, const struct deed *d)
{
	const struct act_body *b = &d->entry->body;

	switch (d->entry->kind) {
	case ACT_GENESIS:       return apply_genesis(s, effective, d);
	case ACT_INVITE:        return apply_invite(s, effective, d);
	case ACT_CLOSE:         return apply_close(s, effective, d);
	case ACT_ADMIT:         return apply_admit(s, effective, d);
	case ACT_APPROVE:       return apply_approve(s, effective, d);
	case ACT_LEAVE:         return end_membership(s, effective, d, &d->member, true);
	case ACT_REMOVE:        return end_membership(s, effective, d, &b->member, false);
	case ACT_ROLE:          return apply_role(s, effective, d);
	case ACT_CERTIFY:       return apply_certify(s, effective, d);
	case ACT_REVOKE:        return apply_revoke(s, effective, d);
	case ACT_CAPABILITY:    return apply_capability(s, effective, d);
	}
	return OK;
}
