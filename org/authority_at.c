/* authority: states of the past, for data ops that cite old heads (protocol §3). */
#include <string.h>
#include "base/mem.h"
#include "org/authority_internal.h"

struct deed deed_of(const struct acts *acts, uint32_t index, const struct id32 *member)
{
	return (struct deed){ .entry = acts->entries[index], .member = *member, .id = *dag_id(acts->dag, index),
		.depth = dag_depth(acts->dag, index), .index = index, .dag = acts->dag };
}

enum err apply_one(struct state *s, bool *effective, const struct acts *acts, const struct verdict *v, uint32_t i)
{
	struct deed deed = deed_of(acts, i, &v[i].member);

	return state_apply(s, effective, &deed);
}

enum err fold_marked(struct state *s, const struct acts *acts, const struct verdict *v, const uint8_t *marks, size_t rank)
{
	const uint32_t *order = dag_order(acts->dag);
	bool effective;

	for (size_t r = rank; r < acts->n; r++)
		if (marks[order[r]] && v[order[r]].ok)
			TRY(apply_one(s, &effective, acts, v, order[r]));
	return OK;
}

static bool all_heads(const struct authority *a, const struct id32 *heads, size_t n)
{
	struct id32 now[LIMIT_HEADS];

	if (n > LIMIT_HEADS || dag_heads(a->dag, now, LIMIT_HEADS) != n)
		return false;
	return n == 0 || memcmp(now, heads, n * sizeof *now) == 0;
}

/* The number of acts that are marked without a gap from the first of the order on; *all: no other is. */
static size_t without_gap(const struct authority *a, const uint8_t *marks, bool *all)
{
	const uint32_t *order = dag_order(a->dag);
	size_t first = 0, rest;

	while (first < a->n && marks[order[first]])
		first++;
	for (rest = first; rest < a->n && !marks[order[rest]]; rest++)
		;
	*all = rest == a->n;
	return first;
}

/* To start from: the state of most acts, all of them among the first so many. */
static const struct cached *nearest(const struct authority *a, size_t first)
{
	const struct cached *best = NULL;

	for (size_t i = 0; i < STATES_CACHED; i++) {
		const struct cached *c = &a->cache[i];

		if (c->state != NULL && c->first > 0 && c->first <= first && (best == NULL || c->first > best->first))
			best = c;
	}
	return best;
}

static enum err fold_at(struct cached *out, const struct authority *a, const uint8_t *marks)
{
	const struct acts acts = authority_acts(a);
	bool all;
	size_t first = without_gap(a, marks, &all);
	const struct cached *from = nearest(a, first);
	enum err e;

	out->first = all ? first : 0;
	out->state = from == NULL ? state_new() : state_clone(from->state);
	if (out->state == NULL)
		return ERR_NOMEM;
	if ((e = fold_marked(out->state, &acts, a->verdicts, marks, from == NULL ? 0 : from->first)) != OK)
		state_free(out->state);
	return e;
}

static enum err fold_heads(struct cached *out, const struct authority *a, const struct id32 *heads, size_t n)
{
	uint8_t *marks = mem_array(a->n, 1);
	uint32_t *set = mem_array(n, sizeof *set);
	enum err e = marks == NULL || set == NULL ? ERR_NOMEM : OK;

	for (size_t i = 0; i < n && e == OK; i++)
		if ((set[i] = dag_find(a->dag, &heads[i])) == DAG_NONE)
			e = ERR_MISSING;
	if (e == OK) {
		dag_mark_past(a->dag, marks, set, n);
		e = fold_at(out, a, marks);
	}
	mem_free(marks);
	mem_free(set);
	return e;
}

/* One that is free, else the one not asked for longest. */
static struct cached *victim(struct authority *a)
{
	struct cached *oldest = &a->cache[0];

	for (size_t i = 0; i < STATES_CACHED; i++) {
		if (a->cache[i].state == NULL)
			return &a->cache[i];
		if (a->cache[i].used < oldest->used)
			oldest = &a->cache[i];
	}
	return oldest;
}

enum err authority_state_at(struct authority *a, const struct id32 *heads, size_t n, const struct state **out)
{
	struct cached *c, new = { .used = 0 };

	*out = NULL;
	TRY(authority_settle(a));
	if (n == 0)
		return ERR_MISSING;
	if (all_heads(a, heads, n)) {
		*out = a->state;
		return OK;
	}
	crypto_hash1(&new.key, "cairn-heads", heads, n * sizeof *heads);
	for (size_t i = 0; i < STATES_CACHED; i++)
		if (a->cache[i].state != NULL && id32_equal(&a->cache[i].key, &new.key)) {
			a->cache[i].used = ++a->clock;
			*out = a->cache[i].state;
			return OK;
		}
	TRY(fold_heads(&new, a, heads, n));
	new.used = ++a->clock;
	c = victim(a);
	state_free(c->state);
	*c = new;
	*out = new.state;
	return OK;
}
