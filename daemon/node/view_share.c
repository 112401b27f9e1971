/* What is shared and what would be: the gate's input, the preview, reports that open here. */
#include <stdlib.h>
#include <string.h>
#include "daemon/node/view_internal.h"

static void release_share(void *what)
{
	share_input_free(what);
	mem_free(what);
}

enum err view_share_input(struct view *v, struct space *s, struct share_input **out)
{
	struct view_org_cache *cache = view_cache(v, &s->id);
	struct share_input *in;
	enum err e;

	*out = NULL;
	if (cache == NULL)
		return ERR_NOMEM;
	if (cache->share == NULL) {
		if ((in = mem_alloc(sizeof *in)) == NULL)
			return ERR_NOMEM;
		if ((e = share_input_read(v->n, s, in)) != OK) {
			mem_free(in);
			return e;
		}
		if (!view_own(v, release_share, in))
			return ERR_NOMEM;
		cache->share = in;
	}
	*out = cache->share;
	return OK;
}

static struct space *open_space(struct view *v, const struct id32 *org)
{
	struct space *s = view_space(v, org);

	return s == NULL || s->joining || space_state(s) == NULL ? NULL : s;
}

enum err view_share(struct view *v, const struct id32 *org, const struct gate_input **out)
{
	struct space *s = open_space(v, org);
	struct share_input *in;
	enum err e = s == NULL ? ERR_NOTFOUND : view_share_input(v, s, &in);

	*out = e == OK ? &in->gate : NULL;
	return e;
}

struct owned_reports { struct gate_report *list; size_t n; };

static void release_reports(void *what)
{
	struct owned_reports *r = what;

	gate_reports_free(r->list, r->n);
	mem_free(r);
}

enum err view_preview(struct view *v, const struct id32 *org, struct gate_report **reports, size_t *n)
{
	const struct gate_input *in;
	struct owned_reports *r;
	enum err e = view_share(v, org, &in);

	*reports = NULL;
	*n = 0;
	if (e != OK)
		return e;
	if ((r = mem_alloc(sizeof *r)) == NULL)
		return ERR_NOMEM;
	if ((e = gate_reports(&r->list, &r->n, in, true)) != OK) {
		mem_free(r);
		return e;
	}
	if (!view_own(v, release_reports, r))
		return ERR_NOMEM;
	*reports = r->list;
	*n = r->n;
	return OK;
}

uint64_t view_next_consent(struct view *v, const struct id32 *org)
{
	const struct gate_input *in;

	if (view_share(v, org, &in) != OK)
		return 0;
	return in->sharing->accepted ? in->sharing->version : in->sharing->version + 1;
}

const struct goal *view_unblind(struct view *v, const struct id32 *org, const struct id16 *blinded)
{
	const struct gate_input *in;

	if (view_share(v, org, &in) != OK)
		return NULL;
	for (size_t i = 0; i < in->n_links; i++)        /* only what is linked can have been blinded */
		for (size_t k = 0; k < in->n_goals; k++) {
			struct slice part = SLICE(&in->goals[k].id, DOC_LEN);
			struct id16 id;

			if (!id16_equal(&in->goals[k].id, &in->links[i].goal))
				continue;
			crypto_mac(id.b, sizeof id.b, in->secret, "cairn-goal", &part, 1);
			if (id16_equal(&id, blinded))
				return &in->goals[k];
		}
	return NULL;
}

/* ---- what everyone will see ------------------------------------------------------------------------------------------------ */
static void release_report(void *what)
{
	report_free(what);
	mem_free(what);
}

struct entries { struct contribution *list; size_t n; };

/* Others' contributions as far as they open here, and ours as the preview has them. */
static enum err as_if_accepted(struct view *v, const struct computed *c, const struct gate_report *reports, size_t n, struct entries *out)
{
	size_t room = c->n_contributions;

	for (size_t i = 0; i < n; i++)
		room += reports[i].n_entries;
	if ((out->list = view_alloc(v, (room + 1) * sizeof *out->list)) == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < c->n_contributions; i++)
		if (!id32_equal(&c->contributions[i].member, &v->n->member))
			out->list[out->n++] = c->contributions[i];
	for (size_t i = 0; i < n; i++) {
		struct report *opened = mem_alloc(sizeof *opened);
		enum err e = opened == NULL ? ERR_NOMEM : report_read(opened, buf_slice(&reports[i].body));

		if (e != OK) {
			mem_free(opened);
			return e;
		}
		if (!view_own(v, release_report, opened))
			return ERR_NOMEM;
		for (size_t k = 0; k < opened->n && out->n < room; k++)
			out->list[out->n++] = (struct contribution){ .member = v->n->member, .salt = opened->salt, .entry = opened->entries[k],
				.at_ms = v->wall_ms };
	}
	return OK;
}

static int by_objective(const void *id, const void *objective)
{
	return id16_compare(id, &((const struct objective *)objective)->id);
}

static bool listed(const struct view_everyone *list, size_t n, const struct id16 *objective)
{
	for (size_t i = 0; i < n; i++)
		if (id16_equal(&list[i].objective, objective))
			return true;
	return false;
}

static bool counts_already(const struct view *v, const struct computed *c, const struct id16 *objective)
{
	for (size_t i = 0; i < c->n_contributions; i++)
		if (id32_equal(&c->contributions[i].member, &v->n->member) && id16_equal(&c->contributions[i].entry.objective, objective))
			return true;
	return false;
}

/* Who else contributes: those whose reports open here, or as many as the newest roll-up counted, if those are more. */
static unsigned others_of(struct view *v, struct space *s, const struct computed *c, const struct rollup_result *r)
{
	struct rollup_body *body = view_alloc(v, sizeof *body);
	unsigned known = r->contributors > 0 ? r->contributors - 1 : 0, published = 0;
	struct id32 by;
	uint64_t at;

	if (body != NULL && publish_newest(v->n, s, &r->objective, body, &by, &at) == OK) {
		published = body->contributors;
		if (published > 0 && counts_already(v, c, &r->objective))
			published--;
	}
	return known > published ? known : published;
}

static bool all_hidden(const struct entries *entries, const struct id32 *member, const struct id16 *objective)
{
	for (size_t i = 0; i < entries->n; i++)
		if (id32_equal(&entries->list[i].member, member) && id16_equal(&entries->list[i].entry.objective, objective) &&
		    !entries->list[i].entry.hidden)
			return false;
	return true;
}

static void tell(struct view *v, struct space *s, const struct computed *c, const struct rollup *will, const struct entries *entries,
	const struct id16 *objective, struct view_everyone *out)
{
	const struct objective *o = bsearch(objective, c->objectives, c->n_objectives, sizeof *o, by_objective);
	const struct rollup_result *r = rollup_find(will, objective);

	*out = (struct view_everyone){ .objective = *objective, .title = SLICE("", 0), .min_group = c->settings.min_group };
	if (o == NULL || r == NULL)
		return;
	out->title = o->title;
	out->method = o->method;
	out->others = others_of(v, s, c, r);
	out->hidden = all_hidden(entries, &v->n->member, objective);
	out->suppressed = out->others + 1 < c->settings.min_group;
	if (!out->suppressed)
		out->progress = r->progress;
}

static enum err everyone_list(struct view *v, struct space *s, const struct computed *c, const struct entries *entries,
	struct view_everyone **out, size_t *n)
{
	const struct rollup_input in = { c->objectives, c->n_objectives, c->key_results, c->n_key_results, entries->list, entries->n,
		space_state(s), c->settings };
	struct rollup will;
	enum err e;

	if ((*out = view_alloc(v, (entries->n + 1) * sizeof **out)) == NULL)
		return ERR_NOMEM;
	if ((e = rollup_compute(&will, &in)) != OK)
		return e;
	for (size_t i = 0; i < entries->n; i++) {
		const struct contribution *x = &entries->list[i];

		if (id32_equal(&x->member, &v->n->member) && !listed(*out, *n, &x->entry.objective))
			tell(v, s, c, &will, entries, &x->entry.objective, &(*out)[(*n)++]);
	}
	rollup_free(&will);
	return OK;
}

enum err view_everyone(struct view *v, const struct id32 *org, struct view_everyone **out, size_t *n)
{
	struct space *s = open_space(v, org);
	struct entries entries = { .n = 0 };
	struct gate_report *reports;
	struct computed *c;
	size_t count;
	enum err e;

	*out = NULL;
	*n = 0;
	if ((e = view_preview(v, org, &reports, &count)) != OK || (e = view_compute(v, s, &c)) != OK ||
	    (e = as_if_accepted(v, c, reports, count, &entries)) != OK)
		return e;
	return everyone_list(v, s, c, &entries, out, n);
}

/* ---- reports ------------------------------------------------------------------------------------------------------------------ */
static void release_body(void *what)
{
	buf_wipe(what);
	mem_free(what);
}

static enum err open_one(struct view *v, struct space *s, const struct report_found *found, struct view_report *out, bool *opens)
{
	struct buf *body = mem_alloc(sizeof *body);
	struct statement st;
	enum err e;

	*opens = false;
	if (body == NULL || !view_own(v, release_body, body))
		return ERR_NOMEM;
	if ((e = statement_read(v->n, s, &found->device, STATEMENT_REPORT, &found->index, &st)) != OK)
		return e;
	if (report_open(v->n, s, &st, body) != OK)
		return OK;                              /* not for us */
	*out = (struct view_report){ found->member, found->device, found->audience, found->consent, hlc_ms(found->hlc), buf_slice(body) };
	*opens = true;
	return OK;
}

enum err view_reports(struct view *v, const struct id32 *org, struct view_report **out, size_t *n)
{
	struct space *s = open_space(v, org);
	struct report_found *found;
	size_t count;
	enum err e = s == NULL ? ERR_NOTFOUND : reports_find(v->n, s, &found, &count);

	*out = NULL;
	*n = 0;
	if (e != OK)
		return e;
	if ((*out = view_alloc(v, (count + 1) * sizeof **out)) == NULL)
		e = ERR_NOMEM;
	for (size_t i = 0; e == OK && i < count; i++) {
		bool opens;

		/* An aggregator opens everything; its member sees what it may. */
		if (!id32_equal(&found[i].member, &v->n->member) && !view_may_see(v, space_state(s), &found[i].member))
			continue;
		if ((e = open_one(v, s, &found[i], &(*out)[*n], &opens)) == OK)
			*n += opens;
	}
	mem_free(found);
	return e;
}
