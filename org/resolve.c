/* resolve: which acts count, and the state that they make: protocol §3, word for word.
 *
 * What makes it quick: a cut is an act that everything is comparable with.  What is concurrent lies in one segment between two
 * cuts; a past is what comes before the last cut and some of the segment, and for the next act of a branch the past of the one it
 * cites and that one: the states at the tips of branches are kept.  A taking put into kept that hits nothing changes nothing, so the
 * next one is chosen without judging all again.  A taking is attacked from its own segment and from earlier ones that are not
 * settled: so segments can be settled one after the other, until takings of one attack each other in a circle. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "org/authority_internal.h"

#define NO_SEGMENT ((uint32_t)-1)
#define TIPS 32                         /* branches side by side; with more, some states are folded again */

struct taking { uint32_t index; bool attacked, chosen; size_t hits, n_hits; };     /* hits: work->hits[hits..) */
struct work {
	const struct acts *acts;
	struct verdict *v;
	const uint32_t *order;
	uint32_t *rank, *segment;       /* by index; a cut has no segment */
	uint32_t *kept; size_t n_kept;  /* those with a segment */
	struct taking *c; size_t n_c;
	uint32_t *hits; size_t n_hits, hits_room;
	struct state *running, *at_cut; /* of all judged so far; of those up to the last cut before a segment */
	size_t cut_rank;
	size_t from, to;                /* ranks to judge */
	uint32_t *citers;               /* by index, of those: how many that cite it are still to be judged */
	struct { uint32_t index; struct state *after; } tips[TIPS];
	size_t next_tip;
};

/* ---- shape ------------------------------------------------------------------------------------------------------------- */
static uint32_t highest_cite(const struct work *w, uint32_t i)
{
	const uint32_t *cites;
	size_t n = dag_cites(w->acts->dag, i, &cites);
	uint32_t highest = 0;

	for (size_t k = 0; k < n; k++)
		highest = w->rank[cites[k]] > highest ? w->rank[cites[k]] : highest;
	return highest;
}

/* A cut: all before it are in its past, and no later one cites only what is before it. */
static void find_segments(struct work *w)
{
	uint32_t lowest = NO_SEGMENT, segment = 0;
	bool inside = false;

	for (size_t r = 0; r < w->acts->n; r++)
		w->rank[w->order[r]] = (uint32_t)r;
	for (size_t r = w->acts->n; r-- > 0;) {
		uint32_t i = w->order[r], highest = highest_cite(w, i);
		bool cut = lowest >= r && dag_is_after_all_before(w->acts->dag, i);

		segment += inside && cut;
		inside = !cut;
		w->segment[i] = cut ? NO_SEGMENT : segment;
		lowest = highest < lowest ? highest : lowest;
	}
}

static bool concurrent(const struct work *w, uint32_t a, uint32_t b)
{
	return w->segment[a] != NO_SEGMENT && w->segment[a] == w->segment[b] && a != b && !dag_in_past(w->acts->dag, a, b) &&
		!dag_in_past(w->acts->dag, b, a);
}

static bool hits(const struct work *w, uint32_t t, uint32_t o)
{
	return strikes(w->acts->entries[t], &w->v[t], w->acts->entries[o], &w->v[o]) && concurrent(w, t, o);
}

/* ---- folding ----------------------------------------------------------------------------------------------------------- */
/* past_state of an act within a segment, from that of the last cut. */
static enum err fold_past(struct state **out, const struct work *w, uint32_t i)
{
	struct state *s = state_clone(w->at_cut);
	enum err e = s == NULL ? ERR_NOMEM : OK;
	bool effective;

	for (size_t r = w->cut_rank + 1; r < w->rank[i] && e == OK; r++)
		if (w->v[w->order[r]].ok && dag_in_past(w->acts->dag, w->order[r], i))
			e = apply_one(s, &effective, w->acts, w->v, w->order[r]);
	if (e != OK) {
		state_free(s);
		s = NULL;
	}
	*out = s;
	return e;
}

/* ---- the tips of branches ---------------------------------------------------------------------------------------------- */
static void tips_clear(struct work *w)
{
	for (size_t k = 0; k < TIPS; k++) {
		state_free(w->tips[k].after);
		w->tips[k].after = NULL;
	}
}

static void tip_put(struct work *w, uint32_t i, struct state *after)
{
	size_t k = 0;

	while (k < TIPS && w->tips[k].after != NULL)
		k++;
	if (k == TIPS)
		k = w->next_tip++ % TIPS;
	state_free(w->tips[k].after);
	w->tips[k].index = i;
	w->tips[k].after = after;
}

/* past_state of an act that is not after all before it. */
static enum err past_apart(struct state **out, struct work *w, uint32_t i)
{
	const uint32_t *cites;
	size_t n = dag_cites(w->acts->dag, i, &cites);

	for (size_t k = 0; n == 1 && k < TIPS; k++) {
		struct state *after = w->tips[k].after;

		if (after == NULL || w->tips[k].index != cites[0])
			continue;
		if (w->citers[cites[0]] == 0)           /* nobody else will ask */
			w->tips[k].after = NULL;
		else if ((after = state_clone(after)) == NULL)
			return ERR_NOMEM;
		*out = after;
		return OK;
	}
	return fold_past(out, w, i);
}

static void count_citers(struct work *w)
{
	for (size_t r = w->from; r < w->to; r++) {
		const uint32_t *cites;
		size_t n = dag_cites(w->acts->dag, w->order[r], &cites);

		w->citers[w->order[r]] = 0;             /* those that cite it come later */
		for (size_t k = 0; k < n; k++)
			w->citers[cites[k]] += w->rank[cites[k]] >= w->from;
	}
}

/* ---- judging all ------------------------------------------------------------------------------------------------------- */
static bool hit_by_kept(const struct work *w, uint32_t i)
{
	for (size_t k = 0; k < w->n_kept && w->segment[i] != NO_SEGMENT; k++)
		if (hits(w, w->kept[k], i))
			return true;
	return false;
}

static void judge_in(struct work *w, const struct state *past, uint32_t i)
{
	struct verdict *v = &w->v[i];

	v->ok = v->kept || (judge(v, past, w->acts->entries[i]) == OK && !hit_by_kept(w, i));
}

static enum err judge_apart(struct work *w, uint32_t i)
{
	struct state *past;
	bool effective;

	TRY(past_apart(&past, w, i));
	judge_in(w, past, i);
	if (w->citers[i] == 0) {
		state_free(past);
		return OK;
	}
	if (w->v[i].ok && apply_one(past, &effective, w->acts, w->v, i) != OK) {
		state_free(past);
		return ERR_NOMEM;
	}
	tip_put(w, i, past);
	return OK;
}

static enum err judge_at(struct work *w, uint32_t i)
{
	const uint32_t *cites;
	size_t n = dag_cites(w->acts->dag, i, &cites);

	for (size_t k = 0; k < n; k++)
		w->citers[cites[k]] -= w->rank[cites[k]] >= w->from;
	if (!dag_is_after_all_before(w->acts->dag, i))
		TRY(judge_apart(w, i));
	else
		judge_in(w, w->running, i);
	return w->v[i].ok ? apply_one(w->running, &w->v[i].effective, w->acts, w->v, i) : OK;
}

/* What follows a cut may be concurrent with each other, not with it. */
static enum err pass_cut(struct work *w, size_t r)
{
	tips_clear(w);
	state_free(w->at_cut);
	w->at_cut = NULL;
	w->cut_rank = r;
	if (r + 1 < w->acts->n && w->segment[w->order[r + 1]] != NO_SEGMENT && (w->at_cut = state_clone(w->running)) == NULL)
		return ERR_NOMEM;
	return OK;
}

/* ok, for the present kept, of the ranks to judge: all, or a segment. */
static enum err judge_range(struct work *w)
{
	state_free(w->running);
	if ((w->running = w->from == 0 ? state_new() : state_clone(w->at_cut)) == NULL)
		return ERR_NOMEM;
	count_citers(w);
	tips_clear(w);
	for (size_t r = w->from; r < w->to; r++) {
		TRY(judge_at(w, w->order[r]));
		if (w->segment[w->order[r]] == NO_SEGMENT)
			TRY(pass_cut(w, r));
	}
	return OK;
}

/* ---- choosing ---------------------------------------------------------------------------------------------------------- */
static enum err find_hits(struct work *w, struct taking *t)
{
	uint32_t segment = w->segment[t->index];
	size_t r = w->rank[t->index];

	t->hits = w->n_hits;
	t->n_hits = 0;
	if (segment == NO_SEGMENT)
		return OK;
	while (w->segment[w->order[r - 1]] == segment)          /* the genesis is a cut */
		r--;
	for (; r < w->acts->n && w->segment[w->order[r]] == segment; r++) {
		uint32_t *grown;

		if (!w->v[w->order[r]].ok || !hits(w, t->index, w->order[r]))
			continue;
		if ((grown = mem_grow(w->hits, &w->hits_room, w->n_hits, sizeof *grown)) == NULL)
			return ERR_NOMEM;
		w->hits = grown;
		w->hits[w->n_hits++] = w->order[r];
		t->n_hits++;
	}
	return OK;
}

static void mark_attacked(struct work *w, const struct taking *u)
{
	for (size_t k = 0; k < u->n_hits; k++)
		for (size_t i = 0; i < w->n_c; i++) {
			uint32_t x = w->hits[u->hits + k], t = w->c[i].index;

			w->c[i].attacked = w->c[i].attacked || x == t || dag_in_past(w->acts->dag, x, t);
		}
}

static int by_precedence(const void *a, const void *b, void *work)
{
	const struct work *w = work;
	uint32_t x = ((const struct taking *)a)->index, y = ((const struct taking *)b)->index;

	return precedence(&w->v[x], dag_id(w->acts->dag, x), &w->v[y], dag_id(w->acts->dag, y));
}

/* C, in the order of precedence. */
static enum err find_takings(struct work *w)
{
	w->n_c = w->n_hits = 0;
	for (size_t r = w->from; r < w->to; r++) {
		uint32_t i = w->order[r];

		if (w->v[i].ok && w->v[i].taking && !w->v[i].kept)
			w->c[w->n_c++] = (struct taking){ .index = i };
	}
	qsort_r(w->c, w->n_c, sizeof *w->c, by_precedence, w);
	for (size_t k = 0; k < w->n_c; k++)
		TRY(find_hits(w, &w->c[k]));
	for (size_t k = 0; k < w->n_c; k++)
		mark_attacked(w, &w->c[k]);
	return OK;
}

/* Does what counts change by it? */
static bool keep(struct work *w, struct taking *t)
{
	w->v[t->index].kept = t->chosen = true;
	if (w->segment[t->index] != NO_SEGMENT)
		w->kept[w->n_kept++] = t->index;
	return t->n_hits > 0;
}

/* Into kept, one after the other, until what counts changes.  When all that are left are attacked: the first of all, or *stuck. */
static void choose(struct work *w, bool *stuck)
{
	for (size_t k = 0; k < w->n_c; k++)
		if (!w->c[k].attacked && keep(w, &w->c[k]))
			return;
	for (size_t k = 0; k < w->n_c; k++) {
		if (w->c[k].chosen)
			continue;
		if (stuck != NULL) {
			*stuck = true;
			return;
		}
		if (keep(w, &w->c[k]))
			return;
	}
}

/* ---- resolve ----------------------------------------------------------------------------------------------------------- */
static enum err settle(struct work *w, bool *stuck)
{
	for (;;) {
		TRY(judge_range(w));
		TRY(find_takings(w));
		choose(w, stuck);
		if (w->n_hits == 0 || (stuck != NULL && *stuck))
			return OK;                      /* all of C was kept and hits nothing */
	}
}

static enum err settle_segment(struct work *w, size_t from, bool *stuck)
{
	w->from = w->to = from;
	while (w->to < w->acts->n && w->segment[w->order[w->to]] != NO_SEGMENT)
		w->to++;
	state_free(w->at_cut);
	w->at_cut = w->running;
	w->running = NULL;
	w->cut_rank = from - 1;
	return settle(w, stuck);
}

/* A cut is hit by nothing, and as a taking it hits nothing. */
static enum err settle_cut(struct work *w, size_t r)
{
	struct verdict *v = &w->v[w->order[r]];

	judge_in(w, w->running, w->order[r]);
	v->kept = v->ok && v->taking;
	return v->ok ? apply_one(w->running, &v->effective, w->acts, w->v, w->order[r]) : OK;
}

static enum err resolve_in(struct work *w, bool *cycle)
{
	find_segments(w);
	if ((w->running = state_new()) == NULL)
		return ERR_NOMEM;
	for (size_t r = 0; r < w->acts->n && !*cycle;) {
		bool cut = w->segment[w->order[r]] == NO_SEGMENT;

		TRY(cut ? settle_cut(w, r) : settle_segment(w, r, cycle));
		r = cut ? r + 1 : w->to;
	}
	if (!*cycle)
		return OK;
	w->from = 0;                                    /* the choice is among all that there is */
	w->to = w->acts->n;
	return settle(w, NULL);
}

enum err resolve(struct state **out, struct verdict *verdicts, bool *cycle, const struct acts *acts)
{
	struct work w = { .acts = acts, .v = verdicts, .order = dag_order(acts->dag) };
	enum err e = ERR_NOMEM;

	*out = NULL;
	*cycle = false;
	memset(verdicts, 0, acts->n * sizeof *verdicts);
	w.rank = mem_array(acts->n, sizeof *w.rank);
	w.segment = mem_array(acts->n, sizeof *w.segment);
	w.kept = mem_array(acts->n, sizeof *w.kept);
	w.c = mem_array(acts->n, sizeof *w.c);
	w.citers = mem_array(acts->n, sizeof *w.citers);
	if (w.rank != NULL && w.segment != NULL && w.kept != NULL && w.c != NULL && w.citers != NULL)
		e = resolve_in(&w, cycle);
	if (e == OK) {
		*out = w.running;
		w.running = NULL;
	}
	state_free(w.running);
	state_free(w.at_cut);
	tips_clear(&w);
	mem_free(w.rank);
	mem_free(w.segment);
	mem_free(w.kept);
	mem_free(w.c);
	mem_free(w.citers);
	mem_free(w.hits);
	return e;
}
