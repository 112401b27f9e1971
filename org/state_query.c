/* state: who stands how to whom, and what that permits (design §6); the canonical bytes. */
#include <string.h>
#include "base/mem.h"
#include "base/mp.h"
#include "org/state_internal.h"

/* ---- ranks ------------------------------------------------------------------------------------------------------------ */
bool state_outranks(const struct state *s, const struct id32 *a, const struct id32 *b)
{
	const struct member *x = state_member(s, a), *y = state_member(s, b);

	if (x == NULL || y == NULL)
		return false;
	if (x->role != y->role)
		return x->role < y->role;
	if (x->admitted_depth != y->admitted_depth)
		return x->admitted_depth < y->admitted_depth;
	return id32_compare(&x->admitted_by, &y->admitted_by) < 0;
}

/* ---- teams ------------------------------------------------------------------------------------------------------------ */
bool state_team_within(const struct state *s, const struct id16 *team, const struct id16 *ancestor)
{
	const struct team *t = state_team(s, team);

	if (id16_equal(team, ancestor))
		return true;
	while (t != NULL && t->has_parent) {            /* ends: cycles are cut when acts are applied */
		if (id16_equal(&t->parent, ancestor))
			return true;
		t = state_team(s, &t->parent);
	}
	return false;
}

bool state_in_team(const struct team *t, const struct id32 *member)
{
	bool found;

	(void)list_find(t->members, t->n_members, sizeof *t->members, member, ID_LEN, &found);
	return found;
}

bool state_leads(const struct team *t, const struct id32 *member)
{
	return t->has_lead && id32_equal(&t->lead, member);
}

/* Lead of it, or Manager and member of it. */
static bool heads(const struct team *t, const struct member *m)
{
	return state_leads(t, &m->root) || (m->role == ROLE_MANAGER && state_in_team(t, &m->root));
}

static enum relation team_relation(const struct state *s, const struct member *m, const struct team *t)
{
	enum relation relation = RELATION_OWN_TEAM;

	for (; t != NULL; t = t->has_parent ? state_team(s, &t->parent) : NULL) {
		if (heads(t, m))
			return relation;
		relation = RELATION_TEAM_BELOW;
	}
	return RELATION_OTHER;
}

enum relation state_relation_team(const struct state *s, const struct id32 *subject, const struct id16 *team)
{
	const struct member *m = state_member(s, subject);
	const struct team *t = team == NULL ? NULL : state_team(s, team);

	return m == NULL || t == NULL ? RELATION_OTHER : team_relation(s, m, t);
}

/* ---- members ---------------------------------------------------------------------------------------------------------- */
static enum relation chart_relation(const struct state *s, const struct id32 *subject, const struct member *object)
{
	bool found = object->has_manager && id32_equal(&object->manager, subject);

	if (!found)
		(void)list_find(object->dotted, object->n_dotted, sizeof *object->dotted, subject, ID_LEN, &found);
	if (found)
		return RELATION_OWN_TEAM;
	while (object != NULL && object->has_manager) { /* no cycles, as in teams */
		if (id32_equal(&object->manager, subject))
			return RELATION_TEAM_BELOW;
		object = state_member(s, &object->manager);
	}
	return RELATION_OTHER;
}

enum relation state_relation_member(const struct state *s, const struct id32 *subject, const struct id32 *object)
{
	const struct member *m = state_member(s, subject), *o = state_member(s, object);
	const struct team *const *teams;
	size_t n = state_teams(s, &teams);
	enum relation best;

	if (m == NULL || o == NULL)
		return RELATION_OTHER;
	if (id32_equal(subject, object))
		return RELATION_OWN;
	best = chart_relation(s, subject, o);
	for (size_t i = 0; i < n && best > RELATION_OWN_TEAM; i++)
		if (state_leads(teams[i], object) || state_in_team(teams[i], object)) {
			enum relation r = team_relation(s, m, teams[i]);

			best = r < best ? r : best;
		}
	return best;
}

/* "Team only" is for Managers and, whatever the matrix says of plain Members, for those who are leads or managers in the chart
 * (inventory AH3): a Member has such a relation only as one of them. */
bool state_permits(const struct state *s, const struct id32 *member, enum action action, enum relation relation)
{
	const struct member *m = state_member(s, member);
	bool team = relation == RELATION_OWN_TEAM || relation == RELATION_TEAM_BELOW;

	if (m == NULL || m->status != MEMBER_ACTIVE)
		return false;
	if (action == MAY_PROPOSE_OBJECTIVES)
		return state_setting(s, SETTING_MEMBER_CREATION) != 0 && permit(m->role, action, relation);
	return permit(team && m->role == ROLE_MEMBER ? ROLE_MANAGER : m->role, action, relation);
}

/* ---- bytes ------------------------------------------------------------------------------------------------------------ */
static void put_ids(struct buf *out, const void *ids, size_t n, size_t len)
{
	mp_put_array(out, n);
	for (size_t i = 0; i < n; i++)
		mp_put_bin(out, (const uint8_t *)ids + i * len, len);
}

static void put_some(struct buf *out, bool has, const void *id, size_t len)
{
	if (has)
		mp_put_bin(out, id, len);
	else
		mp_put_nil(out);
}

static void put_member(struct buf *out, const struct member *m)
{
	mp_put_array(out, 7);
	mp_put_bin(out, &m->root, ID_LEN);
	mp_put_uint(out, m->role);
	mp_put_uint(out, m->status);
	mp_put_uint(out, m->admitted_depth);
	mp_put_bin(out, &m->admitted_by, ID_LEN);
	put_some(out, m->has_manager, &m->manager, ID_LEN);
	put_ids(out, m->dotted, m->n_dotted, ID_LEN);
}

static void put_device(struct buf *out, const struct device *d)
{
	mp_put_array(out, 8);
	mp_put_bin(out, &d->id, ID_LEN);
	mp_put_bin(out, &d->member, ID_LEN);
	mp_put_bin(out, d->box, KEY_LEN);
	mp_put_bin(out, d->curve, KEY_LEN);
	mp_put_bool(out, d->revoked);
	mp_put_uint(out, d->capabilities);
	mp_put_uint(out, d->certified_depth);
	mp_put_bin(out, &d->certified_by, ID_LEN);
}

static void put_team(struct buf *out, const struct team *t)
{
	mp_put_array(out, 6);
	mp_put_bin(out, &t->id, DOC_LEN);
	put_some(out, t->has_parent, &t->parent, DOC_LEN);
	mp_put_uint(out, t->type);
	mp_put_uint(out, t->status);
	put_some(out, t->has_lead, &t->lead, ID_LEN);
	put_ids(out, t->members, t->n_members, ID_LEN);
}

static void put_invite(struct buf *out, const struct invite *i)
{
	mp_put_array(out, 10);
	mp_put_bin(out, &i->key, ID_LEN);
	mp_put_bin(out, i->curve, KEY_LEN);
	mp_put_uint(out, i->role);
	put_ids(out, i->teams, i->n_teams, DOC_LEN);
	mp_put_uint(out, i->uses);
	mp_put_uint(out, i->used);
	if (i->has_expiry)
		mp_put_uint(out, i->expires_ms);
	else
		mp_put_nil(out);
	mp_put_bool(out, i->approval);
	mp_put_bool(out, i->closed);
	mp_put_bin(out, &i->author_member, ID_LEN);
}

static void put_rest(struct buf *out, const struct state *s)
{
	mp_put_array(out, s->n_scopes);
	for (size_t i = 0; i < s->n_scopes; i++) {
		mp_put_array(out, 2);
		mp_put_bin(out, &s->scopes[i].document, DOC_LEN);
		put_some(out, s->scopes[i].has_team, &s->scopes[i].team, DOC_LEN);
	}
	mp_put_array(out, s->n_settings);
	for (size_t i = 0; i < s->n_settings; i++) {
		mp_put_array(out, 2);
		mp_put_uint(out, s->settings[i].number);
		mp_put_uint(out, s->settings[i].value);
	}
}

void state_encode(struct buf *out, const struct state *s)
{
	mp_put_array(out, 9);
	mp_put_bool(out, s->is_org);
	mp_put_bin(out, &s->space, ID_LEN);
	mp_put_uint(out, s->status);
	for (enum shelf_kind k = 0; k < SHELVES; k++) {
		mp_put_array(out, s->shelves[k].n);
		for (size_t i = 0; i < s->shelves[k].n; i++)
			switch (k) {
			case SHELF_MEMBERS: put_member(out, s->shelves[k].items[i]); break;
			case SHELF_DEVICES: put_device(out, s->shelves[k].items[i]); break;
			case SHELF_TEAMS: put_team(out, s->shelves[k].items[i]); break;
			case SHELF_INVITES: put_invite(out, s->shelves[k].items[i]); break;
			case SHELVES: break;
			}
	}
	put_rest(out, s);
}
