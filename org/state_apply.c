/* state: what one counting act does (protocol §3).  Whether it counts was decided before, in its own past; here it may meet what was
 * concurrent, so nothing is taken for granted. */
#include <string.h>
#include "base/mem.h"
#include "org/state_internal.h"

/* ---- teams ------------------------------------------------------------------------------------------------------------ */
static enum err apply_team(struct state *s, bool *effective, const struct act_body *b)
{
	struct team *t;

	if (state_team(s, &b->team) != NULL)
		return OK;
	TRY(state_edit(s, SHELF_TEAMS, &b->team, true, &t));
	*effective = true;
	t->type = b->type;
	t->has_parent = b->has_parent && !id16_equal(&b->parent, &b->team) && state_team(s, &b->parent) != NULL;
	if (t->has_parent)
		t->parent = b->parent;
	return OK;
}

static enum err apply_team_parent(struct state *s, bool *effective, const struct act_body *b)
{
	struct team *t;

	if (state_team(s, &b->team) == NULL)
		return OK;
	if (b->has_parent && (state_team(s, &b->parent) == NULL || state_team_within(s, &b->parent, &b->team)))
		return OK;                              /* it would close a cycle */
	TRY(state_edit(s, SHELF_TEAMS, &b->team, false, &t));
	*effective = true;
	t->has_parent = b->has_parent;
	t->parent = b->parent;
	return OK;
}

static enum err apply_team_lead(struct state *s, bool *effective, const struct act_body *b)
{
	struct team *t;

	if (state_team(s, &b->team) == NULL || (b->has_member && !state_present(s, &b->member)))
		return OK;
	TRY(state_edit(s, SHELF_TEAMS, &b->team, false, &t));
	*effective = true;
	t->has_lead = b->has_member;
	t->lead = b->member;
	return OK;
}

static enum err apply_team_member(struct state *s, bool *effective, const struct act_body *b)
{
	struct team *t;

	if (state_team(s, &b->team) == NULL || !state_present(s, &b->member))
		return OK;
	TRY(state_edit(s, SHELF_TEAMS, &b->team, false, &t));
	*effective = true;
	if (b->on)
		return id_set_put(&t->members, &t->n_members, &b->member);
	id_set_drop(t->members, &t->n_members, &b->member);
	return OK;
}

static enum err apply_team_status(struct state *s, bool *effective, const struct act_body *b)
{
	struct team *t;

	if (state_team(s, &b->team) == NULL)
		return OK;
	TRY(state_edit(s, SHELF_TEAMS, &b->team, false, &t));
	*effective = true;
	t->status = b->status;
	return OK;
}

/* ---- the chart -------------------------------------------------------------------------------------------------------- */
static bool above(const struct state *s, const struct id32 *upper, const struct member *lower)
{
	for (; lower != NULL; lower = lower->has_manager ? state_member(s, &lower->manager) : NULL)
		if (id32_equal(&lower->root, upper))
			return true;
	return false;
}

static enum err apply_manager(struct state *s, bool *effective, const struct act_body *b)
{
	struct member_own *m;

	if (!state_present(s, &b->member) ||
	    (b->has_member && (!state_present(s, &b->root) || above(s, &b->member, state_member(s, &b->root)))))
		return OK;
	TRY(state_edit(s, SHELF_MEMBERS, &b->member, false, &m));
	*effective = true;
	m->m.has_manager = b->has_member;
	m->m.manager = b->root;
	return OK;
}

static enum err apply_dotted(struct state *s, bool *effective, const struct act_body *b)
{
	struct member_own *m;

	if (!state_present(s, &b->member) || !state_present(s, &b->root))
		return OK;
	TRY(state_edit(s, SHELF_MEMBERS, &b->member, false, &m));
	*effective = true;
	if (b->on)
		return id_set_put(&m->m.dotted, &m->m.n_dotted, &b->root);
	id_set_drop(m->m.dotted, &m->m.n_dotted, &b->root);
	return OK;
}

/* ---- settings and scopes ---------------------------------------------------------------------------------------------- */
static enum err apply_setting(struct state *s, bool *effective, const struct act_body *b)
{
	struct setting_value new = { b->setting, b->value };
	size_t at = 0;
	void *grown;

	*effective = true;
	while (at < s->n_settings && s->settings[at].number < b->setting)
		at++;
	if (at < s->n_settings && s->settings[at].number == b->setting) {
		s->settings[at].value = b->value;
		return OK;
	}
	if ((grown = list_put(s->settings, s->n_settings, sizeof new, at, &new)) == NULL)
		return ERR_NOMEM;
	s->settings = grown;
	s->n_settings++;
	return OK;
}

/* A claim is the first word on a document, a move also a later one. */
static enum err scope_put(struct state *s, const struct id16 *document, const struct act_body *b, bool move)
{
	struct scope new = { *document, b->team, b->has_team };
	bool found;
	size_t at = list_find(s->scopes, s->n_scopes, sizeof new, document, DOC_LEN, &found);
	void *grown;

	if (found) {
		if (move)
			s->scopes[at] = new;
		return OK;
	}
	if ((grown = list_put(s->scopes, s->n_scopes, sizeof new, at, &new)) == NULL)
		return ERR_NOMEM;
	s->scopes = grown;
	s->n_scopes++;
	return OK;
}

static enum err apply_scope(struct state *s, bool *effective, const struct deed *d)
{
	const struct act_body *b = &d->entry->body;
	struct id16 document, nonce;

	if (b->has_team && state_team(s, &b->team) == NULL)
		return OK;
	*effective = true;
	for (size_t i = 0; i < b->n_claims; i++) {
		nonce = act_id16_at(b->claims, i);
		scope_document(&document, &s->space, &d->member, &nonce);
		TRY(scope_put(s, &document, b, false));
	}
	for (size_t i = 0; i < b->n_moves; i++) {
		document = act_id16_at(b->moves, i);
		TRY(scope_put(s, &document, b, true));
	}
	return OK;
}

/* ---- all of them ------------------------------------------------------------------------------------------------------ */
enum err state_apply(struct state *s, bool *effective, const struct deed *d)
{
	const struct act_body *b = &d->entry->body;

	*effective = false;
	if (state_ends_last_owner(s, d->entry, &d->member))
		return OK;
	switch (d->entry->kind) {
	case ACT_TEAM:          return apply_team(s, effective, b);
	case ACT_TEAM_PARENT:   return apply_team_parent(s, effective, b);
	case ACT_TEAM_LEAD:     return apply_team_lead(s, effective, b);
	case ACT_TEAM_MEMBER:   return apply_team_member(s, effective, b);
	case ACT_TEAM_STATUS:   return apply_team_status(s, effective, b);
	case ACT_MANAGER:       return apply_manager(s, effective, b);
	case ACT_DOTTED:        return apply_dotted(s, effective, b);
	case ACT_SETTING:       return apply_setting(s, effective, b);
	case ACT_SCOPE:         return apply_scope(s, effective, d);
	case ACT_SALVAGE:
	case ACT_MERGE:
		*effective = true;
		return OK;
	case ACT_STATUS:
		if (s->status != 3)
			s->status = b->status;
		*effective = s->status != 3;
		return OK;
	case ACT_DELETE:
		s->status = 3;
		*effective = true;
		return OK;
	}
	return state_apply_person(s, effective, d);
}
