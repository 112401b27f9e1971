/* authority: what authority acts mean for data ops: bounds of logs, and which ops count (protocol §3). */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/mp.h"
#include "org/authority_internal.h"

/* ---- endings ----------------------------------------------------------------------------------------------------------- */
static int by_subject(const void *a, const void *b)
{
	const struct ending *x = a, *y = b;
	int order = id32_compare(&x->subject, &y->subject);

	return order != 0 ? order : x->act < y->act ? -1 : x->act > y->act;
}

static enum err ending_put(struct authority *a, const struct id32 *subject, uint32_t act)
{
	struct ending *grown = mem_grow(a->endings, &a->endings_room, a->n_endings, sizeof *grown);

	if (grown == NULL)
		return ERR_NOMEM;
	a->endings = grown;
	a->endings[a->n_endings++] = (struct ending){ *subject, act };
	return OK;
}

static enum err ending_note(struct authority *a, uint32_t i)
{
	const struct verdict *v = &a->verdicts[i];
	const struct act_body *b = &a->entries[i]->body;

	if (!v->effective)
		return OK;
	switch (a->entries[i]->kind) {
	case ACT_LEAVE:         return ending_put(a, &v->member, i);
	case ACT_REMOVE:
	case ACT_ROLE:          return ending_put(a, &b->member, i);
	case ACT_TEAM_MEMBER:   return b->on ? OK : ending_put(a, &b->member, i);
	case ACT_TEAM_LEAD:     return v->ends ? ending_put(a, &v->ended, i) : OK;
	case ACT_REVOKE:
	case ACT_SALVAGE:       return ending_put(a, &b->device, i);
	}
	return OK;
}

/* A new act has the highest index of all: it comes last of its subject. */
enum err authority_add_ending(struct authority *a, uint32_t i)
{
	struct ending new;
	size_t n = a->n_endings, at = n;

	if (!a->endings_right)
		return OK;
	TRY(ending_note(a, i));
	if (a->n_endings == n)
		return OK;
	new = a->endings[n];
	while (at > 0 && id32_compare(&new.subject, &a->endings[at - 1].subject) < 0)
		at--;
	memmove(a->endings + at + 1, a->endings + at, (n - at) * sizeof new);
	a->endings[at] = new;
	return OK;
}

enum err authority_find_endings(struct authority *a)
{
	if (a->endings_right)
		return OK;
	a->n_endings = 0;
	for (uint32_t i = 0; i < a->n; i++)
		TRY(ending_note(a, i));
	if (a->n_endings > 0)
		qsort(a->endings, a->n_endings, sizeof *a->endings, by_subject);
	a->endings_right = true;
	return OK;
}

/* Those of one subject: [first, last). */
static size_t first_ending(const struct authority *a, const struct id32 *subject, size_t *last)
{
	size_t low = 0, high = a->n_endings, first;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (id32_compare(&a->endings[middle].subject, subject) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	first = low;
	while (low < a->n_endings && id32_equal(&a->endings[low].subject, subject))
		low++;
	*last = low;
	return first;
}

/* ---- pins -------------------------------------------------------------------------------------------------------------- */
struct log { const struct id32 *device; uint64_t incarnation; };

static uint64_t pin_of(const struct entry *e, struct log log)
{
	struct mp_reader r = mp_read(e->body.pins);

	for (size_t n = mp_get_array(&r, LIMIT_PINS); n > 0 && r.err == OK; n--) {
		struct id32 device;
		uint64_t incarnation, seq;

		mp_get_array_of(&r, 3);
		mp_get_fixed(&r, &device, ID_LEN);
		incarnation = mp_get_uint(&r, UINT64_MAX);
		seq = mp_get_uint(&r, UINT64_MAX);
		if (r.err == OK && incarnation == log.incarnation && id32_equal(&device, log.device))
			return seq;
	}
	return 0;
}

/* Up to where an ending leaves a log: its pin, raised by the salvages that know of it. */
static uint64_t limit_of(const struct authority *a, uint32_t act, struct log log)
{
	uint64_t limit = pin_of(a->entries[act], log);
	size_t last, first = first_ending(a, log.device, &last);
	bool raised = true;

	while (raised) {
		raised = false;
		for (size_t k = first; k < last; k++) {
			const struct entry *e = a->entries[a->endings[k].act];

			if (e->kind != ACT_SALVAGE || e->body.incarnation != log.incarnation || e->body.to <= limit ||
			    e->body.from > limit + 1 || !dag_in_past(a->dag, act, a->endings[k].act))
				continue;
			limit = e->body.to;
			raised = true;
		}
	}
	return limit;
}

/* A device certified by somebody who knew of the end of the membership belongs to a later one. */
static bool outlives(const struct authority *a, uint32_t act, const struct device *d)
{
	uint32_t certified = dag_find(a->dag, &d->certified_by);

	return certified != DAG_NONE && dag_in_past(a->dag, act, certified);
}

static bool whole_log(uint32_t kind)
{
	return kind == ACT_LEAVE || kind == ACT_REMOVE || kind == ACT_REVOKE;
}

static uint64_t bound_by(const struct authority *a, const struct id32 *subject, const struct device *d, struct log log)
{
	size_t last, first = first_ending(a, subject, &last);
	uint64_t bound = UINT64_MAX;

	for (size_t k = first; k < last; k++) {
		uint32_t act = a->endings[k].act;
		uint64_t limit;

		if (!whole_log(a->entries[act]->kind) || outlives(a, act, d))
			continue;
		limit = limit_of(a, act, log);
		bound = limit < bound ? limit : bound;
	}
	return bound;
}

uint64_t authority_bound(struct authority *a, const struct id32 *device, uint64_t incarnation)
{
	const struct log log = { device, incarnation };
	const struct device *d;
	uint64_t by_member, by_device;

	if (authority_settle(a) != OK)
		return 0;
	if ((d = state_device(a->state, device)) == NULL)
		return UINT64_MAX;
	by_member = bound_by(a, &d->member, d, log);
	by_device = bound_by(a, device, d, log);
	return by_member < by_device ? by_member : by_device;
}

/* ---- data ops ---------------------------------------------------------------------------------------------------------- */
static bool holds(const struct state *s, const struct id32 *device, const struct data_right *right)
{
	const struct member *m = state_member_of(s, device);
	const struct team *team = NULL;
	enum relation relation;
	struct id16 scope;

	if (m == NULL || !state_device_active(s, device))
		return false;
	if (right->own_only)
		return true;
	if (right->has_document && (team = state_team(s, &right->document)) == NULL && state_scope(s, &right->document, &scope))
		team = state_team(s, &scope);
	relation = state_relation_team(s, &m->root, team == NULL ? NULL : &team->id);
	if (right->action == MAY_PROPOSE_OBJECTIVES && team != NULL && state_in_team(team, &m->root))
		relation = RELATION_OWN_TEAM;
	return state_permits(s, &m->root, right->action, relation);
}

struct heads { struct id32 ids[LIMIT_HEADS + 1]; size_t n; };

static bool in_past_of(const struct authority *a, uint32_t act, const struct heads *heads)
{
	for (size_t i = 0; i < heads->n; i++) {
		uint32_t h = dag_find(a->dag, &heads->ids[i]);

		if (h == act || dag_in_past(a->dag, act, h))
			return true;
	}
	return false;
}

/* Is the right left in the state of the heads and that act together? */
static enum err left(struct authority *a, bool *is_left, const struct heads *heads, uint32_t act, const struct id32 *device,
	const struct data_right *right)
{
	const struct id32 *id = dag_id(a->dag, act);
	struct heads with = *heads;
	const struct state *s;
	size_t at = with.n;

	while (at > 0 && id32_compare(id, &with.ids[at - 1]) < 0)
		at--;
	memmove(with.ids + at + 1, with.ids + at, (with.n++ - at) * sizeof *with.ids);
	with.ids[at] = *id;
	TRY(authority_state_at(a, with.ids, with.n, &s));
	*is_left = holds(s, device, right);
	return OK;
}

struct asked { const struct heads *heads; const struct device *device; struct log log; uint64_t seq; const struct data_right *right; };

static enum err against(struct authority *a, bool *counts, const struct id32 *subject, const struct asked *q)
{
	size_t last, first = first_ending(a, subject, &last);

	for (size_t k = first; k < last && *counts; k++) {
		uint32_t act = a->endings[k].act;
		uint32_t kind = a->entries[act]->kind;

		if (kind == ACT_SALVAGE || in_past_of(a, act, q->heads) || outlives(a, act, q->device) || limit_of(a, act, q->log) >= q->seq)
			continue;
		if (whole_log(kind))
			*counts = false;
		else
			TRY(left(a, counts, q->heads, act, q->log.device, q->right));
	}
	return OK;
}

enum err authority_data_counts(struct authority *a, bool *counts, const struct id32 *device, uint64_t incarnation, uint64_t seq,
	const struct id32 *heads, size_t n_heads, const struct data_right *right)
{
	struct asked q = { .log = { device, incarnation }, .seq = seq, .right = right };
	struct heads at = { .n = n_heads };
	const struct state *s;
	struct id32 member;

	*counts = false;
	if (n_heads > LIMIT_HEADS)
		return ERR_MALFORMED;
	TRY(authority_settle(a));
	memcpy(at.ids, heads, n_heads * sizeof *heads);
	q.heads = &at;
	TRY(authority_state_at(a, heads, n_heads, &s));
	q.device = state_device(a->state, device);
	*counts = q.device != NULL && holds(s, device, right);
	if (!*counts)
		return OK;
	member = q.device->member;
	TRY(against(a, counts, &member, &q));
	return against(a, counts, device, &q);
}
