/* Aggregators: from the reports that this device can open to published roll-ups (design §9, protocol §9). */
#include <stdlib.h>
#include <string.h>
#include "daemon/node/node_internal.h"

#define REST_MAX_MS 5000
#define SETTLE_MS 50            /* reports come in flocks: one computation for all that arrive within this time */

bool publish_is_aggregator(struct node *n, struct space *s)
{
	const struct state *state = s->is_self || s->joining ? NULL : space_state(s);
	const struct device *own = state == NULL ? NULL : state_device(state, &n->identity->device);

	return own != NULL && state_device_active(state, &own->id) && (own->capabilities & 1u << CAPABILITY_AGGREGATOR);
}

/* ---- reports: the newest of each (member, audience) --------------------------------------------------------------------- */
struct found_list { struct node *n; struct space *s; struct report_found *list; size_t n_list, cap; };

static enum err found_add(void *arg, const struct statement *st)
{
	struct found_list *f = arg;
	const struct device *device = state_device(space_state(f->s), &st->device);
	struct report_found *grown;

	if (device == NULL || !st->has_audience)
		return OK;
	if ((grown = mem_grow(f->list, &f->cap, f->n_list, sizeof *grown)) == NULL)
		return ERR_NOMEM;
	f->list = grown;
	grown[f->n_list++] = (struct report_found){ device->member, st->device, st->index, st->audience, st->hlc, st->consent };
	return OK;
}

static int newest_last(const void *a, const void *b)
{
	const struct report_found *x = a, *y = b;
	int order = id32_compare(&x->member, &y->member);

	if (order == 0)
		order = id16_compare(&x->audience, &y->audience);
	if (order == 0 && x->hlc != y->hlc)
		order = x->hlc < y->hlc ? -1 : 1;
	return order != 0 ? order : id32_compare(&x->device, &y->device);
}

/* Keep those of the member's highest consent version, and of these the last of each (member, audience): one device that has not
 * heard of a change must not hide what another says under it. */
static size_t found_reduce(struct report_found *list, size_t count)
{
	size_t kept = 0, from = 0;

	while (from < count) {
		size_t to = from;
		uint64_t consent = 0;

		for (; to < count && id32_equal(&list[to].member, &list[from].member); to++)
			if (list[to].consent > consent)
				consent = list[to].consent;
		for (; from < to; from++)
			if (list[from].consent == consent)
				list[kept++] = list[from];
	}
	count = kept;
	kept = 0;
	for (size_t i = 0; i < count; i++)
		if (i + 1 == count || !id32_equal(&list[i].member, &list[i + 1].member) ||
		    !id16_equal(&list[i].audience, &list[i + 1].audience))
			list[kept++] = list[i];
	return kept;
}

enum err reports_find(struct node *n, struct space *s, struct report_found **out, size_t *count)
{
	struct found_list f = { .n = n, .s = s };
	enum err e = statements_each(n, s, STATEMENT_REPORT, found_add, &f);

	*out = f.list;
	*count = 0;
	if (e != OK) {
		mem_free(f.list);
		*out = NULL;
		return e;
	}
	if (f.n_list > 0) {
		qsort(f.list, f.n_list, sizeof *f.list, newest_last);
		*count = found_reduce(f.list, f.n_list);
	}
	return OK;
}

enum err report_open(struct node *n, struct space *s, const struct statement *st, struct buf *plain)
{
	struct epoch *epoch = st->has_epoch ? keys_find(s, &st->epoch) : NULL;

	(void)n;
	if (epoch == NULL || !epoch->has_key)
		return ERR_SEALED;
	return statement_open(plain, st, epoch->key);
}

/* ---- computing ---------------------------------------------------------------------------------------------------------------- */
struct compute { struct node *n; struct space *s; struct computed *c; size_t cap_objectives, cap_docs, cap_contributions; };

static enum err take_objective(void *arg, const struct id16 *id, struct doc **doc)
{
	struct compute *k = arg;
	struct computed *c = k->c;
	struct objective *o = mem_grow(c->objectives, &k->cap_objectives, c->n_objectives, sizeof *o);
	struct doc **docs;

	if (o == NULL)
		return ERR_NOMEM;
	c->objectives = o;
	if ((docs = mem_grow(c->docs, &k->cap_docs, c->n_docs, sizeof *docs)) == NULL)
		return ERR_NOMEM;
	c->docs = docs;
	o = &o[c->n_objectives++];
	objective_read(o, id, *doc);
	o->has_team = state_scope(space_state(k->s), id, &o->team);
	docs[c->n_docs++] = *doc;
	*doc = NULL;
	return OK;
}

static enum err take_key_results(struct computed *c)
{
	if ((c->key_results = mem_array(c->n_objectives + 1, sizeof *c->key_results)) == NULL ||
	    (c->n_key_results = mem_array(c->n_objectives + 1, sizeof *c->n_key_results)) == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < c->n_objectives; i++) {
		size_t count = objective_key_results(c->docs[i], NULL, 0);
		struct key_result *list;

		if (count == 0)
			continue;
		if ((list = mem_array(count, sizeof *list)) == NULL)
			return ERR_NOMEM;
		c->key_results[i] = list;
		c->n_key_results[i] = objective_key_results(c->docs[i], list, count);
	}
	return OK;
}

static enum err take_entries(struct compute *k, const struct report_found *found, const struct statement *st, const struct report *report)
{
	struct computed *c = k->c;

	for (size_t i = 0; i < report->n; i++) {
		struct contribution *grown = mem_grow(c->contributions, &k->cap_contributions, c->n_contributions, sizeof *grown);

		if (grown == NULL)
			return ERR_NOMEM;
		c->contributions = grown;
		grown[c->n_contributions++] = (struct contribution){ found->member, st->id, report->salt, report->entries[i], hlc_ms(st->hlc) };
	}
	return OK;
}

static enum err take_reports(struct compute *k)
{
	struct computed *c = k->c;
	struct report_found *found;
	size_t count;
	enum err e = reports_find(k->n, k->s, &found, &count);

	if (e != OK)
		return e;
	if ((c->reports = mem_array(count + 1, sizeof *c->reports)) == NULL || (c->bodies = mem_array(count + 1, sizeof *c->bodies)) == NULL)
		e = ERR_NOMEM;
	for (size_t i = 0; i < count && e == OK; i++) {
		struct buf *body = &c->bodies[c->n_reports];
		struct statement st;

		if ((e = statement_read(k->n, k->s, &found[i].device, STATEMENT_REPORT, &found[i].index, &st)) != OK)
			break;
		if (report_open(k->n, k->s, &st, body) != OK)
			continue;                       /* not for us */
		e = report_read(&c->reports[c->n_reports], buf_slice(body));
		if (e == ERR_NOMEM)
			break;
		if (e == OK)
			e = take_entries(k, &found[i], &st, &c->reports[c->n_reports]);
		else
			e = OK;                         /* a report that breaks the rules counts for nothing */
		c->n_reports++;
	}
	mem_free(found);
	return e;
}

static enum err settings_read(struct node *n, struct space *s, struct rollup_settings *out)
{
	struct id16 id;
	struct doc *doc;
	struct mp_reader r;
	enum err e;

	*out = (struct rollup_settings){ .min_group = 1 };
	model_document_id(&id, &s->id, KIND_ORG, SLICE(NULL, 0));
	e = document_read(n, s, KIND_ORG, &id, &doc);
	if (e != OK)
		return e == ERR_NOTFOUND ? OK : e;
	r = mp_read(doc_register(doc, ORG_MIN_GROUP, NULL));
	if (mp_peek(&r) == MP_UINT)
		out->min_group = (unsigned)mp_get_uint(&r, UINT32_MAX);
	r = mp_read(doc_register(doc, ORG_ROLLUP_UNIT, NULL));
	out->unit_link = mp_peek(&r) == MP_UINT && mp_get_uint(&r, UINT32_MAX) == 1;
	r = mp_read(doc_register(doc, ORG_ALLOW_OVER, NULL));
	out->allow_over = mp_peek(&r) == MP_BOOL && mp_get_bool(&r);
	doc_free(doc);
	return OK;
}

enum err publish_compute(struct node *n, struct space *s, struct computed *c)
{
	struct compute k = { .n = n, .s = s, .c = c };
	struct rollup_input in;
	enum err e;

	memset(c, 0, sizeof *c);
	if ((e = settings_read(n, s, &c->settings)) != OK || (e = documents_each(n, s, KIND_OBJECTIVE, take_objective, &k)) != OK ||
	    (e = take_key_results(c)) != OK || (e = take_reports(&k)) != OK)
		goto fail;
	in = (struct rollup_input){ c->objectives, c->n_objectives, c->key_results, c->n_key_results, c->contributions, c->n_contributions,
		space_state(s), c->settings };
	if ((e = rollup_compute(&c->rollup, &in)) == OK)
		return OK;
fail:
	publish_free(c);
	return e;
}

void publish_free(struct computed *c)
{
	rollup_free(&c->rollup);
	for (size_t i = 0; c->key_results != NULL && i < c->n_objectives; i++)
		mem_free((void *)(uintptr_t)c->key_results[i]);
	mem_free(c->key_results);
	mem_free(c->n_key_results);
	for (size_t i = 0; i < c->n_docs; i++)
		doc_free(c->docs[i]);
	for (size_t i = 0; c->reports != NULL && i < c->n_reports; i++)
		report_free(&c->reports[i]);
	for (size_t i = 0; c->bodies != NULL && i <= c->n_reports; i++)
		buf_wipe(&c->bodies[i]);
	mem_free(c->docs);
	mem_free(c->objectives);
	mem_free(c->contributions);
	mem_free(c->reports);
	mem_free(c->bodies);
	memset(c, 0, sizeof *c);
}

/* ---- publishing --------------------------------------------------------------------------------------------------------------- */
/* Nothing to tell about an objective that never had anything to tell. */
static bool says_something(const struct rollup_result *r)
{
	return r->progress.set || r->contributors > 0 || r->hidden > 0 || r->below > 0 || r->suppressed;
}

static enum err publish_one(struct node *n, struct space *s, struct epoch *epoch, const struct rollup_body *body, bool says)
{
	struct statement old;
	struct buf b = {0}, plain = {0};
	enum err e = rollup_body_encode(&b, body), found;

	if (e == OK) {
		found = statement_read(n, s, &n->identity->device, STATEMENT_ROLLUP, &body->objective, &old);
		if (err_is_hard(found))
			e = found;
		else if (found == OK && old.has_epoch && id32_equal(&old.epoch, &epoch->id) && statement_open(&plain, &old, epoch->key) == OK &&
			 slice_equal(buf_slice(&plain), buf_slice(&b)))
			e = OK;                         /* as published */
		else if (found == OK || says)
			e = author_statement(n, s, STATEMENT_ROLLUP, &body->objective, epoch, 0, NULL, buf_slice(&b));
	}
	buf_free(&b);
	buf_wipe(&plain);
	return e;
}

static enum err publish_all(struct node *n, struct space *s)
{
	struct rollup_body *body = mem_alloc(sizeof *body);
	struct id32 heads[LIMIT_HEADS];
	size_t n_heads = authority_heads(s->authority, heads, LIMIT_HEADS), at = 0, rest;
	struct computed c;
	struct epoch *epoch;
	struct id32 epoch_id;
	enum err e = body == NULL ? ERR_NOMEM : keys_for_space(n, s, &epoch);

	if (e != OK) {
		mem_free(body);
		return e == ERR_WAITING ? OK : e;
	}
	epoch_id = epoch->id;
	if ((e = publish_compute(n, s, &c)) != OK) {
		mem_free(body);
		return e;
	}
	for (size_t i = 0; i < c.rollup.n && e == OK; i++) {
		const struct rollup_result *r = &c.rollup.results[i];

		while (at < c.n_objectives && id16_compare(&c.objectives[at].id, &r->objective) < 0)
			at++;
		rollup_body_fill(body, r, &c.objectives[at], &c.settings, heads, n_heads, c.key_results[at], c.n_key_results[at]);
		e = publish_one(n, s, keys_find(s, &epoch_id), body, says_something(r));
	}
	/* Whoever reports without pause must not keep us computing without pause: a millisecond of rest for each report read, and
	 * for each 16 objectives, whoever adds ten thousand of them. */
	rest = c.n_reports + c.n_objectives / 16;
	s->publish_rest = n->mono_ms + (rest < REST_MAX_MS ? rest : REST_MAX_MS);
	publish_free(&c);
	mem_free(body);
	return e;
}

enum err publish_time(struct node *n)
{
	enum err e = OK;

	for (size_t i = 0; i < n->n_spaces && e == OK; i++) {
		struct space *s = &n->spaces[i];

		if (s->publish_dirty) {
			s->publish_dirty = false;
			if (s->publish_at == UINT64_MAX && publish_is_aggregator(n, s))
				s->publish_at = n->mono_ms + SETTLE_MS > s->publish_rest ? n->mono_ms + SETTLE_MS : s->publish_rest;
		}
		if (s->publish_at <= n->mono_ms) {
			s->publish_at = UINT64_MAX;
			if (publish_is_aggregator(n, s) && (e = publish_all(n, s)) == OK)
				s->publish_dirty = false;       /* our own roll-ups are no news to us */
		}
	}
	return e;
}

/* ---- reading what is published -------------------------------------------------------------------------------------------------- */
enum err publish_newest(struct node *n, struct space *s, const struct id16 *objective, struct rollup_body *out, struct id32 *by, uint64_t *at_ms)
{
	const struct state *state = space_state(s);
	const struct device *const *devices;
	size_t count = state == NULL ? 0 : state_devices(state, &devices);
	struct statement newest = { .hlc = 0 };
	struct buf plain = {0};
	struct epoch *epoch;
	enum err e = ERR_NOTFOUND;

	for (size_t i = 0; i < count; i++) {
		struct statement st;
		enum err found;

		if (!(devices[i]->capabilities & 1u << CAPABILITY_AGGREGATOR) || !state_device_active(state, &devices[i]->id))
			continue;
		found = statement_read(n, s, &devices[i]->id, STATEMENT_ROLLUP, objective, &st);
		if (found != OK && found != ERR_NOTFOUND)
			return found;
		if (found == OK && (e != OK || st.hlc > newest.hlc)) {
			newest = st;
			e = OK;
		}
	}
	if (e != OK)
		return e;
	epoch = keys_find(s, &newest.epoch);
	if (!newest.has_epoch || epoch == NULL || !epoch->has_key)
		return ERR_SEALED;
	*by = newest.device;
	*at_ms = hlc_ms(newest.hlc);
	if ((e = statement_open(&plain, &newest, epoch->key)) == OK && (e = rollup_body_read(out, buf_slice(&plain))) == OK &&
	    !id16_equal(&out->objective, objective))
		e = ERR_MALFORMED;
	buf_wipe(&plain);
	return e;
}
