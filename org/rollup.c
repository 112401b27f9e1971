#include "org/rollup.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

#define NONE SIZE_MAX
#define PERCENT_100 (100 * DECIMAL_ONE)

/* Objectives and members are numbered in the order of their ids, so that sorting by number is sorting by id. */
struct row { size_t objective; uint32_t who; const struct contribution *c; };
struct membership { uint32_t who, team; };
struct set { uint32_t *who; size_t n; };

struct work {
	const struct rollup_input *in;
	size_t n;                               /* objectives that are not deleted */
	const struct objective **objective;
	size_t *parent;                         /* or NONE; without cycles */
	size_t *child, *child_start;            /* of i: child[child_start[i] … child_start[i + 1]), ascending */
	size_t *order;                          /* children before parents */
	size_t n_rows, *row_start;
	struct row *rows;                       /* by objective, member, goal: what counts, each once */
	size_t n_members, n_memberships;
	struct id32 *members;                   /* who contributes anything */
	struct membership *memberships;         /* by member, team */
	const struct team *const *teams;
	struct set *below;                      /* until its parent has taken it up */
};

static void work_free(struct work *w)
{
	for (size_t i = 0; w->below != NULL && i < w->n; i++)
		mem_free(w->below[i].who);
	mem_free(w->below);
	mem_free(w->memberships);
	mem_free(w->members);
	mem_free(w->rows);
	mem_free(w->row_start);
	mem_free(w->order);
	mem_free(w->child);
	mem_free(w->child_start);
	mem_free(w->parent);
	mem_free(w->objective);
}

/* ---- the tree --------------------------------------------------------------------------------------------------- */

static int objective_to_id(const void *key, const void *objective)
{
	return id16_compare(key, &(*(const struct objective *const *)objective)->id);
}

static size_t find_objective(const struct work *w, const struct id16 *id)
{
	const struct objective **found = bsearch(id, w->objective, w->n, sizeof *w->objective, objective_to_id);

	return found == NULL ? NONE : (size_t)(found - w->objective);
}

static enum err list_objectives(struct work *w)
{
	const struct rollup_input *in = w->in;

	w->objective = mem_array(in->n_objectives, sizeof *w->objective);
	if (w->objective == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < in->n_objectives; i++)
		if (!in->objectives[i].deleted)
			w->objective[w->n++] = &in->objectives[i];
	return OK;
}

struct edge { hlc at; size_t child, parent; };

static int by_time(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->child < y->child ? -1 : x->child > y->child;
}

static size_t root_of(size_t *up, size_t i)
{
	while (up[i] != i) {
		up[i] = up[up[i]];
		i = up[i];
	}
	return i;
}

/* Oldest first; an edge between two that already hang together would close a cycle (design §5). */
static void cut_cycles(struct work *w, const struct edge *edges, size_t n_edges, size_t *up)
{
	for (size_t i = 0; i < w->n; i++) {
		up[i] = i;
		w->parent[i] = NONE;
	}
	for (size_t i = 0; i < n_edges; i++) {
		size_t a = root_of(up, edges[i].child), b = root_of(up, edges[i].parent);

		if (a == b)
			continue;
		up[a] = b;
		w->parent[edges[i].child] = edges[i].parent;
	}
}

static enum err find_parents(struct work *w)
{
	struct edge *edges = mem_array(w->n, sizeof *edges);
	size_t n_edges = 0, *up = mem_array(w->n, sizeof *up);
	enum err e = ERR_NOMEM;

	w->parent = mem_array(w->n, sizeof *w->parent);
	if (edges == NULL || up == NULL || w->parent == NULL)
		goto out;
	for (size_t i = 0; i < w->n; i++) {
		const struct objective *o = w->objective[i];
		size_t parent = o->has_parent ? find_objective(w, &o->parent) : NONE;

		if (parent != NONE)
			edges[n_edges++] = (struct edge){ o->parent_at, i, parent };
	}
	qsort(edges, n_edges, sizeof *edges, by_time);
	cut_cycles(w, edges, n_edges, up);
	e = OK;
out:
	mem_free(edges);
	mem_free(up);
	return e;
}

static enum err list_children(struct work *w)
{
	size_t *fill = mem_array(w->n, sizeof *fill);

	w->child = mem_array(w->n, sizeof *w->child);
	w->child_start = mem_array(w->n + 1, sizeof *w->child_start);
	if (fill == NULL || w->child == NULL || w->child_start == NULL) {
		mem_free(fill);
		return ERR_NOMEM;
	}
	for (size_t i = 0; i < w->n; i++)
		if (w->parent[i] != NONE)
			w->child_start[w->parent[i] + 1]++;
	for (size_t i = 0; i < w->n; i++)
		w->child_start[i + 1] += w->child_start[i];
	for (size_t i = 0; i < w->n; i++)
		if (w->parent[i] != NONE)
			w->child[w->child_start[w->parent[i]] + fill[w->parent[i]]++] = i;
	mem_free(fill);
	return OK;
}

/* Depth may be anything, so no recursion: parents before children, then turned round. */
static enum err find_order(struct work *w)
{
	size_t n = 0;

	w->order = mem_array(w->n, sizeof *w->order);
	if (w->order == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < w->n; i++)
		if (w->parent[i] == NONE)
			w->order[n++] = i;
	for (size_t i = 0; i < n; i++)
		for (size_t c = w->child_start[w->order[i]]; c < w->child_start[w->order[i] + 1]; c++)
			w->order[n++] = w->child[c];
	assert(n == w->n);
	for (size_t i = 0; i < n / 2; i++) {
		size_t swap = w->order[i];

		w->order[i] = w->order[n - 1 - i];
		w->order[n - 1 - i] = swap;
	}
	return OK;
}

/* ---- contributions ---------------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
	return id32_compare(a, b);
}

static uint32_t find_member(const struct work *w, const struct id32 *id)
{
	const struct id32 *found = w->n_members == 0 ? NULL : bsearch(id, w->members, w->n_members, sizeof *id, by_id);

	return found == NULL ? UINT32_MAX : (uint32_t)(found - w->members);
}

static bool is_active(const struct work *w, const struct id32 *member)
{
	const struct member *m = w->in->state == NULL ? NULL : state_member(w->in->state, member);

	return w->in->state == NULL || (m != NULL && m->status == MEMBER_ACTIVE);
}

/* The active members among the contributors. */
static enum err list_members(struct work *w)
{
	const struct rollup_input *in = w->in;
	size_t unique = 0, active = 0;

	w->members = mem_array(in->n_contributions, sizeof *w->members);
	if (w->members == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < in->n_contributions; i++)
		w->members[i] = in->contributions[i].member;
	qsort(w->members, in->n_contributions, sizeof *w->members, by_id);
	for (size_t i = 0; i < in->n_contributions; i++)
		if (unique == 0 || !id32_equal(&w->members[unique - 1], &w->members[i]))
			w->members[unique++] = w->members[i];
	for (size_t i = 0; i < unique; i++)
		if (is_active(w, &w->members[i]))
			w->members[active++] = w->members[i];
	w->n_members = active;
	return OK;
}

/* The newest first among entries for the same goal and objective. */
static int by_row(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order;

	if (x->objective != y->objective)
		return x->objective < y->objective ? -1 : 1;
	if (x->who != y->who)
		return x->who < y->who ? -1 : 1;
	order = id16_compare(&x->c->entry.goal, &y->c->entry.goal);
	if (order == 0 && x->c->at_ms != y->c->at_ms)
		return x->c->at_ms > y->c->at_ms ? -1 : 1;
	return order != 0 ? order : -id32_compare(&x->c->report, &y->c->report);
}

static bool same_link(const struct row *a, const struct row *b)
{
	return a->objective == b->objective && a->who == b->who && id16_equal(&a->c->entry.goal, &b->c->entry.goal);
}

static enum err list_rows(struct work *w)
{
	const struct rollup_input *in = w->in;
	size_t n = 0;

	w->rows = mem_array(in->n_contributions, sizeof *w->rows);
	w->row_start = mem_array(w->n + 1, sizeof *w->row_start);
	if (w->rows == NULL || w->row_start == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < in->n_contributions; i++) {
		const struct contribution *c = &in->contributions[i];
		struct row row = { find_objective(w, &c->entry.objective), find_member(w, &c->member), c };

		if (row.objective != NONE && row.who != UINT32_MAX)
			w->rows[n++] = row;
	}
	qsort(w->rows, n, sizeof *w->rows, by_row);
	for (size_t i = 0; i < n; i++)
		if (w->n_rows == 0 || !same_link(&w->rows[w->n_rows - 1], &w->rows[i]))
			w->rows[w->n_rows++] = w->rows[i];
	for (size_t i = 0; i < w->n_rows; i++)
		w->row_start[w->rows[i].objective + 1]++;
	for (size_t i = 0; i < w->n; i++)
		w->row_start[i + 1] += w->row_start[i];
	return OK;
}

static int by_membership(const void *a, const void *b)
{
	const struct membership *x = a, *y = b;

	if (x->who != y->who)
		return x->who < y->who ? -1 : 1;
	return x->team < y->team ? -1 : x->team > y->team;
}

static void add_membership(struct work *w, const struct id32 *member, size_t team)
{
	uint32_t who = find_member(w, member);

	if (who != UINT32_MAX)
		w->memberships[w->n_memberships++] = (struct membership){ who, (uint32_t)team };
}

/* A lead belongs to its team, listed or not. */
static enum err list_memberships(struct work *w)
{
	size_t n_teams = w->in->state == NULL ? 0 : state_teams(w->in->state, &w->teams), room = n_teams, kept = 0;

	for (size_t t = 0; t < n_teams; t++)
		room += w->teams[t]->n_members;
	w->memberships = mem_array(room, sizeof *w->memberships);
	if (w->memberships == NULL)
		return ERR_NOMEM;
	for (size_t t = 0; t < n_teams; t++) {
		const struct team *team = w->teams[t];

		if (team->has_lead)
			add_membership(w, &team->lead, t);
		for (size_t i = 0; i < team->n_members; i++)
			add_membership(w, &team->members[i], t);
	}
	qsort(w->memberships, w->n_memberships, sizeof *w->memberships, by_membership);
	for (size_t i = 0; i < w->n_memberships; i++)
		if (kept == 0 || by_membership(&w->memberships[kept - 1], &w->memberships[i]) != 0)
			w->memberships[kept++] = w->memberships[i];
	w->n_memberships = kept;
	return OK;
}

static size_t first_membership(const struct work *w, uint32_t who)
{
	size_t low = 0, high = w->n_memberships;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (w->memberships[middle].who < who)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- adding up -------------------------------------------------------------------------------------------------- */

struct sum { enum method method; __int128 total, parts; decimal least, most; size_t n; };

/* The part of the whole that an item stands for. */
static int64_t part_of(enum method method, const struct rollup_item *item)
{
	switch (method) {
	case METHOD_WEIGHTED:
	case METHOD_KEY_RESULTS:
		return item->weight;
	case METHOD_TASKS:
		return (int64_t)item->tasks_total;
	default:
		return 1;
	}
}

static void sum_add(struct sum *s, const struct rollup_item *item)
{
	int64_t part = part_of(s->method, item);

	if (s->method == METHOD_TASKS)
		s->total += (__int128)item->tasks_done * PERCENT_100;
	else
		s->total += (__int128)item->clamped * part;
	s->parts += part;
	if (s->n == 0 || item->clamped < s->least)
		s->least = item->clamped;
	if (s->n == 0 || item->clamped > s->most)
		s->most = item->clamped;
	s->n++;
}

static struct number sum_value(const struct sum *s)
{
	if (s->n == 0)
		return (struct number){ 0 };
	switch (s->method) {
	case METHOD_MINIMUM:
		return (struct number){ true, s->least };
	case METHOD_MAXIMUM:
		return (struct number){ true, s->most };
	case METHOD_SUM:
		return (struct number){ true, s->total > DECIMAL_MAX ? DECIMAL_MAX : (decimal)s->total };
	default:
		return (struct number){ true, decimal_div_round(s->total, s->parts) };
	}
}

static decimal clamp(const struct work *w, decimal v)
{
	if (v < 0)
		return 0;
	return v > PERCENT_100 && !w->in->settings.allow_over ? PERCENT_100 : v;
}

static struct number task_percent(uint64_t done, uint64_t total)
{
	if (total == 0)
		return (struct number){ 0 };
	return (struct number){ true, decimal_div_round((__int128)done * PERCENT_100, (__int128)total) };
}

static void set_raw(const struct work *w, struct rollup_item *item, struct number raw)
{
	item->raw = raw;
	item->clamped = raw.set ? clamp(w, raw.value) : 0;
}

/* ---- items ------------------------------------------------------------------------------------------------------ */

/* What several links of one contributor, or one of them, come to. */
static void read_links(const struct work *w, struct rollup_item *item, enum method method, const struct row *rows, size_t n)
{
	__int128 product = 0, weights = 0, all = 0;
	int64_t counted = 0;

	item->member = rows[0].c->member;
	item->links = (unsigned)n;
	item->hidden = true;
	for (size_t i = 0; i < n; i++) {
		const struct report_entry *e = &rows[i].c->entry;

		all += e->weight;
		if (rows[i].c->at_ms > item->newest_ms)
			item->newest_ms = rows[i].c->at_ms;
		item->hidden = item->hidden && e->hidden;
		if (e->has_tasks) {
			item->tasks_done += e->tasks_done;
			item->tasks_total += e->tasks_total;
		}
		if (method == METHOD_TASKS ? !e->has_tasks : !e->has_percent)
			continue;
		product += (__int128)e->percent * e->weight;
		weights += e->weight;
		counted++;
	}
	item->weight = counted > 0 ? decimal_div_round(weights, counted) : decimal_div_round(all, (__int128)n);
	if (method == METHOD_TASKS)
		set_raw(w, item, task_percent(item->tasks_done, item->tasks_total));
	else if (weights > 0)
		set_raw(w, item, (struct number){ true, decimal_div_round(product, weights) });
}

static void put_leaves(struct id32 *leaves, size_t *n_leaves, const struct rollup_item *item, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (i == 0 || !id32_equal(&rows[i].c->report, &rows[i - 1].c->report))
			rollup_leaf(&leaves[(*n_leaves)++], &rows[i].c->salt, &rows[i].c->report, &rows[i].c->entry.objective,
				item->raw, item->weight);
}

/* An item for each contributor, or with rollupUnit link for each of its links; and the contributor's leaves. */
static enum err add_contributors(const struct work *w, struct rollup_result *r, size_t at)
{
	const struct row *rows = w->rows + w->row_start[at];
	size_t n = w->row_start[at + 1] - w->row_start[at], n_leaves = 0;
	enum method method = w->objective[at]->method;
	struct id32 *leaves = mem_array(n, sizeof *leaves);

	if (leaves == NULL)
		return ERR_NOMEM;
	for (size_t i = 0, end; i < n; i = end) {
		struct rollup_item item = { .kind = ITEM_CONTRIBUTOR };

		for (end = i + 1; end < n && rows[end].who == rows[i].who;)
			end++;
		read_links(w, &item, method, rows + i, end - i);
		put_leaves(leaves, &n_leaves, &item, rows + i, end - i);
		r->contributors++;
		if (!w->in->settings.unit_link)
			r->items[r->n_items++] = item;
		for (size_t j = i; j < end; j++) {
			struct rollup_item *link = &r->items[r->n_items];

			r->links++;
			r->hidden += rows[j].c->entry.hidden;
			if (!w->in->settings.unit_link)
				continue;
			link->kind = ITEM_LINK;
			read_links(w, link, method, rows + j, 1);
			r->n_items++;
		}
	}
	rollup_merkle_root(&r->merkle_root, leaves, &n_leaves);
	r->merkle_leaves = (unsigned)n_leaves;
	mem_free(leaves);
	return OK;
}

static bool child_counts(const struct objective *child)
{
	return !child->support_edge && child->status != OBJECTIVE_CANCELLED && child->weight > 0;
}

static void add_children(const struct work *w, struct rollup_result *r, const struct rollup_result *results, size_t at)
{
	for (size_t c = w->child_start[at]; c < w->child_start[at + 1]; c++) {
		const struct objective *child = w->objective[w->child[c]];
		const struct rollup_result *below = &results[w->child[c]];
		struct rollup_item *item = &r->items[r->n_items++];

		item->kind = ITEM_CHILD;
		item->child = child->id;
		item->weight = child->weight;
		item->support = child->support_edge;
		item->links = below->links;
		item->tasks_done = below->tasks_done;
		item->tasks_total = below->tasks_total;
		item->newest_ms = below->newest_ms;
		set_raw(w, item, w->objective[at]->method == METHOD_TASKS ? task_percent(below->tasks_done, below->tasks_total) :
			below->raw);
	}
}

static size_t key_results_of(const struct work *w, size_t at, const struct key_result **krs)
{
	size_t i = (size_t)(w->objective[at] - w->in->objectives);

	if (w->in->key_results == NULL || w->in->n_key_results == NULL)
		return 0;
	*krs = w->in->key_results[i];
	return w->in->n_key_results[i];
}

static void add_key_results(const struct work *w, struct rollup_result *r, size_t at)
{
	const struct key_result *krs;
	size_t n = w->objective[at]->method == METHOD_KEY_RESULTS ? key_results_of(w, at, &krs) : 0;

	for (size_t i = 0; i < n; i++) {
		struct rollup_item *item = &r->items[r->n_items++];

		item->kind = ITEM_KEY_RESULT;
		item->child = krs[i].id;
		item->weight = krs[i].weight;
		item->newest_ms = hlc_ms(w->objective[at]->changed);
		set_raw(w, item, key_result_percent(&krs[i]));
	}
}

/* Does the method take this kind of item?  (Whether it has data is another matter.) */
static bool is_taken(const struct work *w, enum method method, const struct rollup_item *item)
{
	if (item->kind == ITEM_KEY_RESULT || method == METHOD_KEY_RESULTS)
		return item->kind == ITEM_KEY_RESULT;
	if (item->kind != ITEM_CHILD)
		return true;
	return !item->support && w->objective[find_objective(w, &item->child)]->status != OBJECTIVE_CANCELLED;
}

static void set_value(const struct work *w, struct rollup_result *r, struct number raw)
{
	r->raw = raw;
	r->progress = (struct number){ raw.set, raw.set ? clamp(w, raw.value) : 0 };
}

static void use_own_value(const struct work *w, struct rollup_result *r, const struct objective *o, bool counts)
{
	struct rollup_item *item = &r->items[r->n_items];

	if (!o->current.set)
		return;
	r->n_items++;
	item->kind = ITEM_OWN;
	item->weight = DECIMAL_ONE;
	item->newest_ms = hlc_ms(o->changed);
	set_raw(w, item, progress_percent(o->current, o->target, 0));
	item->counts = counts && item->raw.set;
	if (item->counts) {
		item->share = PERCENT_100;
		set_value(w, r, item->raw);
	}
}

static void add_up(const struct work *w, struct rollup_result *r, const struct objective *o)
{
	struct sum sum = { .method = o->method };
	size_t taken = 0, n = r->n_items;

	for (size_t i = 0; i < n; i++) {
		struct rollup_item *item = &r->items[i];

		if (!is_taken(w, o->method, item))
			continue;
		taken++;
		item->counts = item->raw.set && item->weight > 0;
		if (item->counts)
			sum_add(&sum, item);
	}
	for (size_t i = 0; i < n; i++)
		if (r->items[i].counts)
			r->items[i].share = decimal_div_round((__int128)part_of(o->method, &r->items[i]) * PERCENT_100, sum.parts);
	set_value(w, r, sum_value(&sum));
	r->own_value_ignored = taken > 0 && o->current.set;
	use_own_value(w, r, o, taken == 0);
}

/* ---- what else there is to know of an objective ------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The distinct contributors of the subtree; takes the sets of the children. */
static enum err gather_below(struct work *w, size_t at)
{
	size_t start = w->row_start[at], end = w->row_start[at + 1], room = end - start, n = 0, kept = 0;
	uint32_t *who;

	for (size_t c = w->child_start[at]; c < w->child_start[at + 1]; c++)
		room += child_counts(w->objective[w->child[c]]) ? w->below[w->child[c]].n : 0;
	who = mem_array(room, sizeof *who);
	if (who == NULL)
		return ERR_NOMEM;
	for (size_t i = start; i < end; i++)
		if (i == start || w->rows[i].who != w->rows[i - 1].who)
			who[n++] = w->rows[i].who;
	for (size_t c = w->child_start[at]; c < w->child_start[at + 1]; c++) {
		struct set *s = &w->below[w->child[c]];

		if (child_counts(w->objective[w->child[c]]) && s->n > 0) {
			memcpy(who + n, s->who, s->n * sizeof *who);
			n += s->n;
		}
		mem_free(s->who);
		*s = (struct set){ 0 };
	}
	qsort(who, n, sizeof *who, by_number);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || who[kept - 1] != who[i])
			who[kept++] = who[i];
	w->below[at] = (struct set){ who, kept };
	return OK;
}

static bool is_contribution(const struct rollup_item *item)
{
	return item->kind == ITEM_CONTRIBUTOR || item->kind == ITEM_LINK;
}

static void add_tasks_and_times(const struct work *w, struct rollup_result *r)
{
	for (size_t i = 0; i < r->n_items; i++) {
		const struct rollup_item *item = &r->items[i];
		bool child = item->kind == ITEM_CHILD && child_counts(w->objective[find_objective(w, &item->child)]);

		if (is_contribution(item) || child) {
			r->tasks_done += item->tasks_done;
			r->tasks_total += item->tasks_total;
		}
		if ((is_contribution(item) || child || item->counts) && item->newest_ms > r->newest_ms)
			r->newest_ms = item->newest_ms;
	}
}

struct place { uint32_t team; uint32_t who; size_t item; };

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->team != y->team)
		return x->team < y->team ? -1 : 1;
	return x->item < y->item ? -1 : x->item > y->item;
}

/* Each contributing item once for each team of its member. */
static enum err list_places(struct place **out, size_t *n, const struct work *w, const struct rollup_result *r)
{
	size_t room = 0;

	for (int filling = 0; filling <= 1; filling++) {
		if (filling && (*out = mem_array(room, sizeof **out)) == NULL)
			return ERR_NOMEM;
		*n = 0;
		for (size_t i = 0; i < r->n_items; i++) {
			uint32_t who = is_contribution(&r->items[i]) ? find_member(w, &r->items[i].member) : UINT32_MAX;

			for (size_t m = first_membership(w, who); m < w->n_memberships && w->memberships[m].who == who; m++, (*n)++)
				if (filling)
					(*out)[*n] = (struct place){ w->memberships[m].team, who, i };
		}
		room = *n;
	}
	qsort(*out, *n, sizeof **out, by_place);
	return OK;
}

static enum method team_method(enum method method)
{
	return method == METHOD_WEIGHTED || method == METHOD_TASKS ? method : METHOD_AVERAGE;
}

static enum err add_teams(const struct work *w, struct rollup_result *r, enum method method)
{
	struct place *places = NULL;
	size_t n = 0;

	if (w->n_memberships == 0)
		return OK;
	if (list_places(&places, &n, w, r) != OK || (r->teams = mem_array(n, sizeof *r->teams)) == NULL) {
		mem_free(places);
		return ERR_NOMEM;
	}
	for (size_t i = 0, end; i < n; i = end) {
		struct rollup_team *team = &r->teams[r->n_teams++];
		struct sum sum = { .method = team_method(method) };

		team->team = w->teams[places[i].team]->id;
		for (end = i; end < n && places[end].team == places[i].team; end++) {
			const struct rollup_item *item = &r->items[places[end].item];

			team->contributors += end == i || places[end].who != places[end - 1].who;
			if (item->raw.set && item->weight > 0)
				sum_add(&sum, item);
		}
		team->progress = sum_value(&sum);
	}
	mem_free(places);
	return OK;
}

static bool is_small(unsigned n, unsigned min_group)
{
	return n > 0 && n < min_group;
}

static enum err compute(struct work *w, struct rollup_result *results, size_t at)
{
	const struct objective *o = w->objective[at];
	struct rollup_result *r = &results[at];
	const struct key_result *krs;
	size_t room = w->row_start[at + 1] - w->row_start[at] + w->child_start[at + 1] - w->child_start[at] +
		key_results_of(w, at, &krs) + 1;
	enum err e;

	r->items = mem_array(room, sizeof *r->items);
	if (r->items == NULL)
		return ERR_NOMEM;
	e = add_contributors(w, r, at);
	if (e != OK)
		return e;
	add_children(w, r, results, at);
	add_key_results(w, r, at);
	add_up(w, r, o);
	add_tasks_and_times(w, r);
	e = gather_below(w, at);
	if (e != OK)
		return e;
	r->below = (unsigned)w->below[at].n;
	r->suppressed = is_small(r->contributors, w->in->settings.min_group) || is_small(r->below, w->in->settings.min_group);
	return add_teams(w, r, o->method);
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

static enum err prepare(struct work *w)
{
	static enum err (*const steps[])(struct work *) = { list_objectives, find_parents, list_children, find_order,
		list_members, list_rows, list_memberships };
	enum err e = OK;

	for (size_t i = 0; e == OK && i < sizeof steps / sizeof *steps; i++)
		e = steps[i](w);
	if (e == OK && (w->below = mem_array(w->n, sizeof *w->below)) == NULL)
		e = ERR_NOMEM;
	return e;
}

enum err rollup_compute(struct rollup *out, const struct rollup_input *in)
{
	struct work w = { .in = in };
	enum err e = prepare(&w);

	*out = (struct rollup){ 0 };
	if (e == OK && (out->results = mem_array(w.n, sizeof *out->results)) == NULL)
		e = ERR_NOMEM;
	if (e == OK)
		out->n = w.n;
	for (size_t i = 0; e == OK && i < w.n; i++)
		out->results[i].objective = w.objective[i]->id;
	for (size_t i = 0; e == OK && i < w.n; i++)
		e = compute(&w, out->results, w.order[i]);
	work_free(&w);
	if (e != OK)
		rollup_free(out);
	return e;
}

void rollup_free(struct rollup *r)
{
	for (size_t i = 0; i < r->n; i++) {
		mem_free(r->results[i].items);
		mem_free(r->results[i].teams);
	}
	mem_free(r->results);
	*r = (struct rollup){ 0 };
}

static int result_to_id(const void *key, const void *result)
{
	return id16_compare(key, &((const struct rollup_result *)result)->objective);
}

const struct rollup_result *rollup_find(const struct rollup *r, const struct id16 *objective)
{
	return r->n == 0 ? NULL : bsearch(objective, r->results, r->n, sizeof *r->results, result_to_id);
}
