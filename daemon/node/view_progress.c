/* Progress as this node's member may see it (design §9): on an aggregator computed from what it holds, elsewhere the newest that is
 * published; with none, Owners, Admins and Managers see their own computation. */
#include <stdlib.h>
#include <string.h>
#include "daemon/node/view_internal.h"

static void release_computed(void *what)
{
	publish_free(what);
	mem_free(what);
}

enum err view_compute(struct view *v, struct space *s, struct computed **out)
{
	struct view_org_cache *cache = view_cache(v, &s->id);
	struct computed *c;
	enum err e;

	*out = NULL;
	if (cache == NULL)
		return ERR_NOMEM;
	if (cache->computed == NULL) {
		if ((c = mem_alloc(sizeof *c)) == NULL)
			return ERR_NOMEM;
		if ((e = publish_compute(v->n, s, c)) != OK) {
			mem_free(c);
			return e;
		}
		if (!view_own(v, release_computed, c))
			return ERR_NOMEM;
		cache->computed = c;
	}
	*out = cache->computed;
	return OK;
}

/* ---- who asks ------------------------------------------------------------------------------------------------------------ */
static bool may_compute(const struct view *v, const struct state *state)
{
	const struct member *own = state_member(state, &v->n->member);

	return own != NULL && own->status == MEMBER_ACTIVE && own->role <= ROLE_MANAGER;
}

bool view_may_see(const struct view *v, const struct state *state, const struct id32 *member)
{
	return state_permits(state, &v->n->member, MAY_VIEW_CONTRIBUTIONS, state_relation_member(state, &v->n->member, member));
}

static bool sees_all(const struct view *v, const struct state *state)
{
	return state_permits(state, &v->n->member, MAY_VIEW_CONTRIBUTIONS, RELATION_OTHER);
}

static bool has_aggregator(const struct state *state)
{
	const struct device *const *devices;
	size_t count = state_devices(state, &devices);

	for (size_t i = 0; i < count; i++)
		if ((devices[i]->capabilities & 1u << CAPABILITY_AGGREGATOR) && state_device_active(state, &devices[i]->id))
			return true;
	return false;
}

/* ---- contributors ----------------------------------------------------------------------------------------------------------- */
struct tally { __int128 product, weights, all; };

/* Items of one member stand side by side: one of them, or with rollupUnit link one for each link. */
static void contributor_add(struct view_contributor *c, struct tally *t, const struct rollup_item *item)
{
	c->links += item->kind == ITEM_LINK ? 1 : item->links;
	c->tasks_done += item->tasks_done;
	if (item->newest_ms > c->updated_ms)
		c->updated_ms = item->newest_ms;
	t->all += item->weight;
	if (!item->raw.set)
		return;
	t->product += (__int128)item->raw.value * item->weight;
	t->weights += item->weight;
}

static void contributor_end(struct view_contributor *c, const struct tally *t, unsigned items)
{
	c->weight = items == 0 ? 0 : decimal_div_round(t->all, (__int128)items);
	if (t->weights > 0)
		c->progress = (struct number){ true, decimal_div_round(t->product, t->weights) };
}

static enum err contributors(struct view *v, struct space *s, const struct rollup_result *r, struct view_progress *out)
{
	const struct state *state = space_state(s);
	struct view_contributor *list = view_alloc(v, (r->n_items + 1) * sizeof *list);
	size_t count = 0;

	if (list == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < r->n_items;) {
		const struct rollup_item *first = &r->items[i];
		struct tally t = { .product = 0 };
		unsigned items = 0;

		if (first->kind != ITEM_CONTRIBUTOR && first->kind != ITEM_LINK) {
			i++;
			continue;
		}
		for (; i < r->n_items && r->items[i].kind == first->kind && id32_equal(&r->items[i].member, &first->member); i++, items++)
			contributor_add(&list[count], &t, &r->items[i]);
		contributor_end(&list[count], &t, items);
		list[count].member = first->member;
		if (view_may_see(v, state, &first->member)) {
			list[count].name = view_name(v, &s->id, &first->member);
			count++;
		} else
			memset(&list[count], 0, sizeof *list);
	}
	out->contributors = list;
	out->n_contributors = count;
	return OK;
}

/* ---- explain -------------------------------------------------------------------------------------------------------------------- */
/* Others' contributions are left out for who may not see them, and a child's value where its group is too small to show it. */
static enum err explain(struct view *v, struct space *s, const struct computed *c, const struct rollup_result *r, struct view_progress *out)
{
	const struct state *state = space_state(s);
	struct rollup_result *copy = view_alloc(v, sizeof *copy);
	struct rollup_item *items = view_alloc(v, (r->n_items + 1) * sizeof *items);
	const bool all = sees_all(v, state);

	if (copy == NULL || items == NULL)
		return ERR_NOMEM;
	*copy = *r;
	copy->items = items;
	copy->n_items = 0;
	for (size_t i = 0; i < r->n_items; i++) {
		const struct rollup_item *item = &r->items[i];
		const struct rollup_result *child = item->kind == ITEM_CHILD ? rollup_find(&c->rollup, &item->child) : NULL;

		if ((item->kind == ITEM_CONTRIBUTOR || item->kind == ITEM_LINK) && !view_may_see(v, state, &item->member)) {
			out->n_left_out += item->counts;
			continue;
		}
		items[copy->n_items] = *item;
		if (child != NULL && child->suppressed && !all) {
			items[copy->n_items].raw.set = false;
			items[copy->n_items].raw.value = items[copy->n_items].clamped = 0;
		}
		copy->n_items++;
	}
	if (r->suppressed && !all)
		copy->raw = copy->progress = (struct number){ .set = false };
	out->explain = copy;
	return OK;
}

/* ---- one objective ------------------------------------------------------------------------------------------------------------ */
static int by_objective(const void *id, const void *objective)
{
	return id16_compare(id, &((const struct objective *)objective)->id);
}

static void body_computed(const struct space *s, const struct computed *c, const struct rollup_result *r, struct view_progress *out)
{
	const struct objective *o = bsearch(&r->objective, c->objectives, c->n_objectives, sizeof *o, by_objective);
	struct id32 heads[LIMIT_HEADS];
	size_t n_heads = authority_heads(s->authority, heads, LIMIT_HEADS), at;

	if (o == NULL)
		return;
	at = (size_t)(o - c->objectives);
	rollup_body_fill(&out->body, r, o, &c->settings, heads, n_heads, c->key_results[at], c->n_key_results[at]);
	out->has_result = true;
}

static enum err published_or_own(struct view *v, struct space *s, const struct computed *c, const struct rollup_result *r,
	struct view_progress *out)
{
	const struct state *state = space_state(s);
	enum err e = publish_newest(v->n, s, &r->objective, &out->body, &out->published_by, &out->as_of_ms);

	if (e == OK) {
		out->has_result = true;
		return OK;
	}
	if (err_is_hard(e))
		return e;
	memset(&out->body, 0, sizeof out->body);
	memset(&out->published_by, 0, sizeof out->published_by);
	out->as_of_ms = 0;
	if (e == ERR_SEALED) {
		out->note = "the organization's key has not arrived here yet: cairn sync";
		return OK;
	}
	out->note = has_aggregator(state) ? "not published by an aggregator yet" : "no aggregator yet";
	if (may_compute(v, state)) {
		out->computed_here = true;
		out->as_of_ms = v->wall_ms;
		body_computed(s, c, r, out);
	}
	return OK;
}

enum err view_progress(struct view *v, const struct id32 *org, const struct id16 *objective, struct view_progress *out)
{
	struct space *s = view_space(v, org);
	const struct rollup_result *r;
	struct computed *c;
	enum err e;

	memset(out, 0, sizeof *out);
	if (s == NULL || s->joining || space_state(s) == NULL)
		return ERR_NOTFOUND;
	if ((e = view_compute(v, s, &c)) != OK)
		return e;
	if ((r = rollup_find(&c->rollup, objective)) == NULL)
		return ERR_NOTFOUND;
	out->is_aggregator = publish_is_aggregator(v->n, s);
	if (out->is_aggregator) {
		out->published_by = v->n->identity->device;
		out->as_of_ms = v->wall_ms;
		body_computed(s, c, r, out);
	} else if ((e = published_or_own(v, s, c, r, out)) != OK)
		return e;
	if ((out->is_aggregator || out->computed_here) && (e = explain(v, s, c, r, out)) != OK)
		return e;
	return contributors(v, s, r, out);
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------------ */
struct line { struct id16 objective; uint64_t hlc; struct number progress; unsigned contributors; };
struct lines { struct space *s; struct rollup_body *body; struct line *list; size_t n, cap; };

static enum err take_published(void *arg, const struct statement *st)
{
	struct lines *l = arg;
	struct epoch *epoch = st->has_epoch ? keys_find(l->s, &st->epoch) : NULL;
	struct buf plain = {0};
	struct line *grown;
	enum err e = OK;

	if (epoch == NULL || !epoch->has_key)
		return OK;
	if (statement_open(&plain, st, epoch->key) == OK && rollup_body_read(l->body, buf_slice(&plain)) == OK &&
	    id16_equal(&l->body->objective, &st->index)) {
		if ((grown = mem_grow(l->list, &l->cap, l->n, sizeof *grown)) == NULL)
			e = ERR_NOMEM;
		else {
			l->list = grown;
			grown[l->n++] = (struct line){ st->index, st->hlc, l->body->progress, l->body->contributors };
		}
	}
	buf_free(&plain);
	return e;
}

static int newest_last(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int order = id16_compare(&x->objective, &y->objective);

	return order != 0 || x->hlc == y->hlc ? order : x->hlc < y->hlc ? -1 : 1;
}

/* The newest of each objective, ascending. */
static size_t reduce(struct line *list, size_t count)
{
	size_t kept = 0;

	if (count > 0)
		qsort(list, count, sizeof *list, newest_last);
	for (size_t i = 0; i < count; i++)
		if (i + 1 == count || !id16_equal(&list[i].objective, &list[i + 1].objective))
			list[kept++] = list[i];
	return kept;
}

static struct line of_result(const struct rollup_result *r)
{
	struct line line = { .objective = r->objective };

	if (!r->suppressed) {
		line.progress = r->progress;
		line.contributors = r->contributors;
	}
	return line;
}

typedef enum err each_progress(void *, const struct id16 *, struct number, unsigned);

/* Published where there is something, else computed (c may be NULL); both ascend by objective. */
static enum err merge(const struct line *list, size_t count, const struct computed *c, each_progress *each, void *arg)
{
	const size_t n = c == NULL ? 0 : c->rollup.n;
	size_t i = 0, k = 0;
	enum err e = OK;

	while (e == OK && (i < count || k < n)) {
		int order = i == count ? 1 : k == n ? -1 : id16_compare(&list[i].objective, &c->rollup.results[k].objective);
		struct line line = order <= 0 ? list[i] : of_result(&c->rollup.results[k]);

		i += order <= 0;
		k += order >= 0;
		e = each(arg, &line.objective, line.progress, line.contributors);
	}
	return e;
}

enum err view_progress_all(struct view *v, const struct id32 *org, each_progress *each, void *arg)
{
	struct space *s = view_space(v, org);
	const struct state *state = s == NULL || s->joining ? NULL : space_state(s);
	struct lines lines = { .s = s };
	struct computed *c = NULL;
	const bool aggregator = s != NULL && publish_is_aggregator(v->n, s);
	enum err e = OK;

	if (state == NULL)
		return ERR_NOTFOUND;
	if (!aggregator) {
		if ((lines.body = mem_alloc(sizeof *lines.body)) == NULL)
			return ERR_NOMEM;
		e = statements_each(v->n, s, STATEMENT_ROLLUP, take_published, &lines);
		lines.n = reduce(lines.list, lines.n);
	}
	if (e == OK && (aggregator || may_compute(v, state)))
		e = view_compute(v, s, &c);
	if (e == OK)
		e = merge(lines.list, lines.n, c, each, arg);
	mem_free(lines.list);
	mem_free(lines.body);
	return e;
}
