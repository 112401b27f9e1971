/* authority: the acts of a space, added one by one (org/authority.h).  An act that cites all heads is judged in the present state and
 * applied to it; after any other all is resolved again, at the next question (protocol §3). */
#include <string.h>
#include "base/mem.h"
#include "org/authority_internal.h"

struct authority *authority_new(void)
{
	struct authority *a = mem_alloc(sizeof *a);

	if (a == NULL)
		return NULL;
	a->dirty = true;
	if ((a->dag = dag_new()) == NULL) {
		mem_free(a);
		return NULL;
	}
	return a;
}

static void entry_free(struct entry *e)
{
	if (e != NULL)
		mem_free(e->bytes);
	mem_free(e);
}

void authority_forget_states(struct authority *a)
{
	for (size_t i = 0; i < STATES_CACHED; i++) {
		state_free(a->cache[i].state);
		a->cache[i].state = NULL;
	}
}

void authority_free(struct authority *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->n; i++)
		entry_free(a->entries[i]);
	authority_forget_states(a);
	state_free(a->state);
	dag_free(a->dag);
	mem_free(a->entries);
	mem_free(a->verdicts);
	mem_free(a->endings);
	mem_free(a);
}

/* ---- adding ------------------------------------------------------------------------------------------------------------ */
static bool genesis_sound(const struct entry *e)
{
	const struct act_body *b = &e->body;

	if (!e->known || !b->certificate.by_root || !id32_equal(&b->certificate.root, &b->root))
		return false;
	if (!b->is_org)
		return e->author_type == ACT_ROOT && id32_equal(&e->author, &b->root);
	return e->author_type == ACT_DEVICE && id32_equal(&e->author, &b->certificate.device);
}

/* Only the root key's own certificate proves that the newcomer is who it says. */
static bool admit_proof(const struct act_body *b, const struct id32 *space)
{
	return b->certificate.by_root && id32_equal(&b->certificate.root, &b->root) &&
		join_proof_verify(b->signature, space, &b->invite, &b->request, &b->root, b->certificate_bytes);
}

static enum err entry_fill(struct entry *e, const struct authority *a, const struct act *act)
{
	enum err err = act_body_load(&e->body, act);

	if (err != OK && err != ERR_VERSION)
		return err;
	e->author = act->author;
	e->author_type = act->author_type;
	e->kind = act->kind;
	e->known = err == OK;
	if ((a->n == 0) != (act->kind == ACT_GENESIS))
		return a->n == 0 && act->n_cites > 0 ? ERR_MISSING : ERR_MALFORMED;
	if (a->n == 0)
		return genesis_sound(e) ? OK : ERR_MALFORMED;
	if (!id32_equal(&act->space, &a->space))
		return ERR_MALFORMED;
	e->proof = e->known && act->kind == ACT_ADMIT && admit_proof(&e->body, &a->space);
	return OK;
}

static enum err make_room(struct authority *a)
{
	size_t room = a->room == 0 ? 16 : 2 * a->room;
	struct entry **entries;
	struct verdict *verdicts;

	if (a->n < a->room)
		return OK;
	if ((entries = mem_resize(a->entries, room, sizeof *entries)) == NULL)
		return ERR_NOMEM;
	a->entries = entries;
	if ((verdicts = mem_resize(a->verdicts, room, sizeof *verdicts)) == NULL)
		return ERR_NOMEM;
	a->verdicts = verdicts;
	a->room = room;
	return OK;
}

bool ends_rights(const struct verdict *v, const struct entry *e)
{
	if (!v->effective)
		return false;
	switch (e->kind) {
	case ACT_LEAVE: case ACT_REMOVE: case ACT_ROLE: case ACT_REVOKE: case ACT_SALVAGE: case ACT_MANAGER: case ACT_CLOSE:
		return true;
	case ACT_TEAM_MEMBER: case ACT_DOTTED:
		return !e->body.on;
	case ACT_TEAM_LEAD:
		return v->ends;
	}
	return false;
}

/* The newest act, which has all others in its past.  ERR_NOMEM: a->state is spoilt. */
static enum err append(struct authority *a, uint32_t i)
{
	struct verdict *v = &a->verdicts[i];
	struct acts acts = authority_acts(a);
	struct deed deed;

	v->ok = judge(v, a->state, a->entries[i]) == OK;
	a->judged = a->n;
	if (!v->ok)
		return OK;
	v->kept = v->taking;
	deed = deed_of(&acts, i, &v->member);
	TRY(state_apply(a->state, &v->effective, &deed));
	a->generation += ends_rights(v, a->entries[i]);
	return authority_add_ending(a, i);
}

static void spoil(struct authority *a)
{
	a->dirty = true;
	state_free(a->state);
	a->state = NULL;
	a->endings_right = false;
}

static void drop_last(struct authority *a)
{
	dag_remove_last(a->dag);
	entry_free(a->entries[--a->n]);
	a->judged = a->judged < a->n ? a->judged : a->n;
	if (a->n == 0)
		memset(&a->space, 0, sizeof a->space);
	spoil(a);
}

/* Takings that were at odds make resolve() choose among all, also later ones: those are then not judged alone. */
static bool may_take(const struct entry *e)
{
	return e->kind == ACT_REMOVE || e->kind == ACT_ROLE || e->kind == ACT_REVOKE || e->kind == ACT_CLOSE;
}

static enum err add_entry(struct authority *a, bool *added, struct entry *entry, const struct act *act)
{
	uint32_t i;
	enum err e;

	if ((e = make_room(a)) != OK || (e = entry_fill(entry, a, act)) != OK)
		return e;
	if ((e = dag_add(a->dag, &i, &act->id, act->cites, act->n_cites)) != OK)
		return e;
	if (a->n == 0)
		a->space = act->id;
	a->entries[a->n++] = entry;
	*added = true;
	if (a->dirty || dag_heads(a->dag, NULL, 0) != 1 || (a->cycle && may_take(entry))) {
		a->dirty = true;
		a->endings_right = false;
		return OK;
	}
	if ((e = append(a, i)) == OK)
		return OK;
	*added = false;
	a->entries[i] = NULL;
	drop_last(a);
	return e;
}

enum err authority_add(struct authority *a, bool *added, struct slice bytes)
{
	struct entry *entry;
	struct act act;
	enum err e = ERR_NOMEM;

	*added = false;
	if ((entry = mem_alloc(sizeof *entry)) == NULL)
		return ERR_NOMEM;
	entry->len = bytes.len;
	if ((entry->bytes = mem_copy(bytes.data, bytes.len)) != NULL && (e = act_load(&act, SLICE(entry->bytes, entry->len))) == OK)
		e = dag_find(a->dag, &act.id) != DAG_NONE ? ERR_EXISTS : add_entry(a, added, entry, &act);
	if (!*added)
		entry_free(entry);
	return e == ERR_EXISTS ? OK : e;
}

void authority_remove_last(struct authority *a)
{
	if (a->n == 0)
		return;
	if (a->judged == a->n && ends_rights(&a->verdicts[a->n - 1], a->entries[a->n - 1]))
		a->generation++;
	authority_forget_states(a);
	drop_last(a);
}

/* ---- the state --------------------------------------------------------------------------------------------------------- */
struct acts authority_acts(const struct authority *a)
{
	return (struct acts){ .dag = a->dag, .entries = a->entries, .n = a->n };
}

/* What was judged anew.  States of the past are as they were unless an act in them counts or no longer does. */
static void compare(struct authority *a, const struct verdict *new)
{
	bool counts = false, rights = false;

	for (size_t i = 0; i < a->judged; i++) {
		counts = counts || a->verdicts[i].ok != new[i].ok;
		rights = rights || a->verdicts[i].effective != new[i].effective;
	}
	for (size_t i = a->judged; i < a->n; i++)
		rights = rights || ends_rights(&new[i], a->entries[i]);
	if (counts)
		authority_forget_states(a);
	for (size_t i = 0; i < STATES_CACHED; i++)
		a->cache[i].first = 0;                  /* the order may be another */
	a->generation += counts || rights;
}

static enum err resolve_again(struct authority *a)
{
	struct acts acts = authority_acts(a);
	struct verdict *verdicts;
	struct state *state;
	bool cycle;
	enum err e;

	if ((verdicts = mem_array(a->room, sizeof *verdicts)) == NULL)
		return ERR_NOMEM;
	if ((e = resolve(&state, verdicts, &cycle, &acts)) != OK) {
		mem_free(verdicts);
		return e;
	}
	compare(a, verdicts);
	mem_free(a->verdicts);
	state_free(a->state);
	a->verdicts = verdicts;
	a->state = state;
	a->cycle = cycle;
	a->judged = a->n;
	a->dirty = a->endings_right = false;
	return OK;
}

enum err authority_settle(struct authority *a)
{
	if (a->dirty)
		TRY(resolve_again(a));
	return authority_find_endings(a);
}

enum err authority_state(struct authority *a, const struct state **out)
{
	enum err e = authority_settle(a);

	*out = e == OK ? a->state : NULL;
	return e;
}

bool authority_counts(struct authority *a, const struct id32 *act)
{
	uint32_t i = dag_find(a->dag, act);

	return i != DAG_NONE && authority_settle(a) == OK && a->verdicts[i].ok;
}

uint64_t authority_generation(struct authority *a)
{
	return authority_settle(a) == OK ? a->generation : UINT64_MAX;
}

enum err authority_may(struct authority *a, enum act_author type, const struct id32 *author, enum act_kind kind,
	const struct act_body *body)
{
	struct entry entry = { .author = *author, .author_type = type, .kind = (uint32_t)kind, .known = true, .body = *body };
	struct verdict v;
	enum err e = authority_settle(a);

	if (e != OK)
		return e;
	if (kind == ACT_GENESIS)
		return ERR_STATE;
	if ((body->n_teams > 0 && body->teams.len == 0) || (body->n_moves > 0 && body->moves.len == 0))
		return ERR_USAGE;
	if (kind == ACT_ADMIT)
		entry.proof = admit_proof(body, &a->space);
	if ((e = judge(&v, a->state, &entry)) != OK)
		return e;
	return state_ends_last_owner(a->state, &entry, &v.member) ? ERR_STATE : OK;
}

/* ---- what there is ----------------------------------------------------------------------------------------------------- */
const struct id32 *authority_space(const struct authority *a)
{
	return &a->space;
}

size_t authority_count(const struct authority *a)
{
	return a->n;
}

size_t authority_heads(const struct authority *a, struct id32 *out, size_t max)
{
	return dag_heads(a->dag, out, max);
}

bool authority_has(const struct authority *a, const struct id32 *id)
{
	return dag_find(a->dag, id) != DAG_NONE;
}

struct slice authority_bytes(const struct authority *a, const struct id32 *id)
{
	uint32_t i = dag_find(a->dag, id);

	return i == DAG_NONE ? SLICE(NULL, 0) : SLICE(a->entries[i]->bytes, a->entries[i]->len);
}
