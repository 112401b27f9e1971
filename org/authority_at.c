/* authority: states of the past, for data ops that cite old heads (protocol §3). */
#include <string.h>
#include "base/mem.h"
#include "org/authority_internal.h"

static bool all_heads(const struct authority *a, const struct id32 *heads, size_t n)
{
	struct id32 now[LIMIT_HEADS];

	if (n > LIMIT_HEADS || dag_heads(a->dag, now, LIMIT_HEADS) != n)
		return false;
	return n == 0 || memcmp(now, heads, n * sizeof *now) == 0;
}

static enum err fold_at(struct state **out, const struct authority *a, const struct id32 *heads, size_t n)
{
	const struct acts acts = authority_acts(a);
	uint8_t *marks = mem_array(a->n, 1);
	uint32_t *set = mem_array(n, sizeof *set);
	enum err e = marks == NULL || set == NULL ? ERR_NOMEM : OK;

	for (size_t i = 0; i < n && e == OK; i++)
		if ((set[i] = dag_find(a->dag, &heads[i])) == DAG_NONE)
			e = ERR_MISSING;
	if (e == OK) {
		dag_mark_past(a->dag, marks, set, n);
		e = fold_marked(out, &acts, a->verdicts, marks);
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
	struct cached *c;
	struct state *s;
	struct id32 key;
	enum err e = authority_settle(a);

	*out = NULL;
	if (e != OK)
		return e;
	if (n == 0)
		return ERR_MISSING;
	if (all_heads(a, heads, n)) {
		*out = a->state;
		return OK;
	}
	crypto_hash1(&key, "cairn-heads", heads, n * sizeof *heads);
	for (size_t i = 0; i < STATES_CACHED; i++)
		if (a->cache[i].state != NULL && id32_equal(&a->cache[i].key, &key)) {
			a->cache[i].used = ++a->clock;
			*out = a->cache[i].state;
			return OK;
		}
	if ((e = fold_at(&s, a, heads, n)) != OK)
		return e;
	c = victim(a);
	state_free(c->state);
	*c = (struct cached){ .key = key, .state = s, .used = ++a->clock };
	*out = s;
	return OK;
}
