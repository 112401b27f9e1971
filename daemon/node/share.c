/* From personal documents through the gate to sealed reports (design §7), and the audit of it.
 *
 * TABLE_INDEX 'a' ‖ space# ‖ audience16 → [index, epoch bin32, body hash bin32, consent version, rule bin, withdrawn]: what was
 * last sealed, so that only what changed is sealed again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/node/node_internal.h"

/* ---- reading the gate's input -------------------------------------------------------------------------------------- */
static struct space *self_space(struct node *n)
{
	return &n->spaces[0];
}

struct gather { struct share_input *in; struct node *n; struct space *org; size_t cap_goals, cap_links, cap_docs; };

static enum err keep_doc(struct gather *g, struct doc **doc)
{
	struct doc **grown = mem_grow(g->in->docs, &g->cap_docs, g->in->n_docs, sizeof *grown);

	if (grown == NULL)
		return ERR_NOMEM;
	g->in->docs = grown;
	grown[g->in->n_docs++] = *doc;
	*doc = NULL;
	return OK;
}

static enum err gather_goal(void *arg, const struct id16 *id, struct doc **doc)
{
	struct gather *g = arg;
	struct goal *grown = mem_grow(g->in->goals, &g->cap_goals, g->in->gate.n_goals, sizeof *grown);

	if (grown == NULL)
		return ERR_NOMEM;
	g->in->goals = grown;
	goal_read(&grown[g->in->gate.n_goals++], id, *doc);
	return keep_doc(g, doc);
}

static enum err gather_link(void *arg, const struct id16 *id, struct doc **doc)
{
	struct gather *g = arg;
	struct link *grown = mem_grow(g->in->links, &g->cap_links, g->in->gate.n_links, sizeof *grown);

	if (grown == NULL)
		return ERR_NOMEM;
	g->in->links = grown;
	if (link_read(&grown[g->in->gate.n_links], id, *doc))
		g->in->gate.n_links++;
	return OK;
}

static int by_objective(const void *a, const void *b)
{
	return id16_compare(&((const struct objective *)a)->id, &((const struct objective *)b)->id);
}

/* The objectives that links of this org name, ascending, each once. */
static enum err gather_objectives(struct gather *g)
{
	const struct state *state = space_state(g->org);
	size_t count = 0;

	if ((g->in->objectives = mem_array(g->in->gate.n_links + 1, sizeof *g->in->objectives)) == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < g->in->gate.n_links; i++) {
		const struct link *link = &g->in->links[i];
		struct objective *o = &g->in->objectives[count];
		struct doc *doc;
		bool known = false;
		enum err e;

		for (size_t k = 0; k < count; k++)
			known = known || id16_equal(&g->in->objectives[k].id, &link->objective);
		if (known || !link->active || !id32_equal(&link->org, &g->org->id))
			continue;
		e = document_read(g->n, g->org, KIND_OBJECTIVE, &link->objective, &doc);
		if (e == ERR_NOTFOUND)
			continue;
		if (e != OK)
			return e;
		objective_read(o, &link->objective, doc);
		o->has_team = state_scope(state, &o->id, &o->team);
		count++;
		if ((e = keep_doc(g, &doc)) != OK) {
			doc_free(doc);
			return e;
		}
	}
	g->in->gate.n_objectives = count;
	qsort(g->in->objectives, count, sizeof *g->in->objectives, by_objective);
	return OK;
}

static void secret_id(struct node *n, const struct space *org, struct id16 *id)
{
	model_document_id(id, &self_space(n)->id, KIND_SECRET, SLICE(&org->id, ID_LEN));
}

static enum err secret_read(struct node *n, struct space *org, uint8_t out[KEY_LEN])
{
	struct id16 id;
	struct doc *doc;
	struct mp_reader r;
	enum err e;

	secret_id(n, org, &id);
	if ((e = document_read(n, self_space(n), KIND_SECRET, &id, &doc)) != OK)
		return e;
	r = mp_read(doc_register(doc, SECRET_KEY, NULL));
	mp_get_fixed(&r, out, KEY_LEN);
	e = mp_end(&r) == OK ? OK : ERR_DAMAGED;
	doc_free(doc);
	return e;
}

enum err secret_begin(struct node *n, struct space *org)
{
	uint8_t secret[KEY_LEN];
	struct change *change;
	struct id16 id;
	enum err e = secret_read(n, org, secret);

	if (e != ERR_NOTFOUND)
		return e;
	if ((change = change_new(model_kind(KIND_SECRET)->schema, NULL)) == NULL)
		return ERR_NOMEM;
	secret_id(n, org, &id);
	node_random(n, secret, KEY_LEN);
	change_register_bin(change, SECRET_ORG, SLICE(&org->id, ID_LEN));
	change_register_bin(change, SECRET_KEY, SLICE(secret, KEY_LEN));
	e = author_change(n, self_space(n), KIND_SECRET, &id, change);
	change_free(change);
	crypto_wipe(secret, sizeof secret);
	return e;
}

static enum err sharing_load(struct node *n, struct space *org, struct share_input *in)
{
	struct id16 id;
	struct doc *doc;
	enum err e;

	model_document_id(&id, &self_space(n)->id, KIND_SHARING, SLICE(&org->id, ID_LEN));
	e = document_read(n, self_space(n), KIND_SHARING, &id, &doc);
	if (e != OK && e != ERR_NOTFOUND)
		return e;
	e = sharing_read(&in->sharing, doc);
	doc_free(doc);
	return e;
}

enum err share_input_read(struct node *n, struct space *org, struct share_input *in)
{
	struct gather g = { .in = in, .n = n, .org = org };
	enum err e;

	memset(in, 0, sizeof *in);
	if ((e = sharing_load(n, org, in)) != OK)
		return e;
	e = secret_read(n, org, in->secret);
	if (e != OK)
		goto fail;
	if ((e = documents_each(n, self_space(n), KIND_GOAL, gather_goal, &g)) != OK ||
	    (e = documents_each(n, self_space(n), KIND_LINK, gather_link, &g)) != OK || (e = gather_objectives(&g)) != OK)
		goto fail;
	in->gate.org = org->id;
	in->gate.member = n->member;
	in->gate.goals = in->goals;
	in->gate.links = in->links;
	in->gate.objectives = in->objectives;
	in->gate.sharing = &in->sharing;
	in->gate.state = space_state(org);
	in->gate.secret = in->secret;
	if (in->gate.state != NULL)
		return OK;
	e = ERR_NOMEM;
fail:
	share_input_free(in);
	return e;
}

void share_input_free(struct share_input *in)
{
	for (size_t i = 0; i < in->n_docs; i++)
		doc_free(in->docs[i]);
	mem_free(in->docs);
	mem_free(in->goals);
	mem_free(in->links);
	mem_free(in->objectives);
	sharing_free(&in->sharing);
	crypto_wipe(in, sizeof *in);
}

/* ---- what was last sealed --------------------------------------------------------------------------------------------- */
struct sealed { struct id16 audience; uint32_t index; struct id32 epoch, hash; uint64_t consent; struct reader_rule rule; bool withdrawn, seen; };

static void sealed_key(uint8_t key[5 + DOC_LEN], const struct space *s, const struct id16 *audience)
{
	key[0] = 'a';
	put_u32(key + 1, s->number);
	memcpy(key + 5, audience, DOC_LEN);
}

static enum err sealed_read(struct sealed *out, struct slice key, struct slice value)
{
	struct mp_reader r = mp_read(value);
	struct slice rule;

	memset(out, 0, sizeof *out);
	memcpy(&out->audience, key.data + 5, DOC_LEN);
	mp_get_array_of(&r, 6);
	out->index = (uint32_t)mp_get_uint(&r, LIMIT_SLOT_INDEX);
	mp_get_fixed(&r, &out->epoch, ID_LEN);
	mp_get_fixed(&r, &out->hash, ID_LEN);
	out->consent = mp_get_uint(&r, UINT64_MAX);
	rule = mp_get_bin(&r, SIZE_MAX);
	out->withdrawn = mp_get_bool(&r);
	return mp_end(&r) == OK && reader_rule_decode(&out->rule, rule) == OK ? OK : ERR_DAMAGED;
}

static enum err sealed_write(struct node *n, struct space *s, const struct sealed *last)
{
	uint8_t key[5 + DOC_LEN];
	struct buf b = {0}, rule = {0};
	enum err e;

	sealed_key(key, s, &last->audience);
	reader_rule_encode(&rule, &last->rule);
	mp_put_array(&b, 6);
	mp_put_uint(&b, last->index);
	mp_put_bin(&b, &last->epoch, ID_LEN);
	mp_put_bin(&b, &last->hash, ID_LEN);
	mp_put_uint(&b, last->consent);
	mp_put_bin_slice(&b, buf_slice(&rule));
	mp_put_bool(&b, last->withdrawn);
	n->dirty = true;
	e = b.err ? b.err : rule.err ? rule.err : store_put(n->txn, TABLE_INDEX, SLICE(key, sizeof key), buf_slice(&b));
	buf_free(&b);
	buf_free(&rule);
	return e;
}

static enum err sealed_list(struct node *n, struct space *s, struct sealed **out, size_t *count)
{
	struct store_cursor *c = NULL;
	struct slice key, value;
	uint8_t prefix[5] = { 'a' };
	size_t cap = 0;
	enum err e;

	*out = NULL;
	*count = 0;
	put_u32(prefix + 1, s->number);
	e = store_cursor_open(&c, n->txn, TABLE_INDEX, SLICE(prefix, 5), SLICE(NULL, 0), false);
	while (e == OK && (e = store_cursor_next(c, &key, &value)) == OK) {
		struct sealed *grown = mem_grow(*out, &cap, *count, sizeof *grown);

		if (grown == NULL) {
			e = ERR_NOMEM;
			break;
		}
		*out = grown;
		e = sealed_read(&grown[(*count)++], key, value);
	}
	store_cursor_close(c);
	return e == ERR_NOTFOUND ? OK : e;
}

/* ---- sealing ------------------------------------------------------------------------------------------------------------- */
static uint32_t free_index(const struct sealed *list, size_t count)
{
	uint32_t index = 0;

	for (size_t i = 0; i < count; i++)
		if (list[i].index >= index)
			index = list[i].index + 1;
	return index;
}

/* ---- new readers (design §7): announced in the turn of the first seal; for private goals asked first ------------------------------ */
/* TABLE_INDEX 'n' ‖ space# ‖ audience16 ‖ member32 → [wall ms, waiting for consent]. */
#define NEW_READER_KEY (5 + DOC_LEN + ID_LEN)

static enum err new_reader_write(struct node *n, struct space *s, const struct id16 *audience, const struct id32 *member, bool waiting)
{
	uint8_t key[NEW_READER_KEY] = { 'n' };
	struct buf b = {0};
	enum err e;

	put_u32(key + 1, s->number);
	memcpy(key + 5, audience, DOC_LEN);
	memcpy(key + 5 + DOC_LEN, member, ID_LEN);
	mp_put_array(&b, 2);
	mp_put_uint(&b, n->wall_ms);
	mp_put_bool(&b, waiting);
	n->dirty = true;
	e = b.err ? b.err : store_put(n->txn, TABLE_INDEX, SLICE(key, sizeof key), buf_slice(&b));
	buf_free(&b);
	return e;
}

enum err new_readers_each(struct node *n, struct space *s, enum err (*each)(void *, const struct id32 *member, uint64_t at_ms, bool waiting),
	void *arg)
{
	struct store_cursor *c = NULL;
	struct slice key, value;
	uint8_t prefix[5] = { 'n' };
	enum err e;

	put_u32(prefix + 1, s->number);
	e = store_cursor_open(&c, n->txn, TABLE_INDEX, SLICE(prefix, 5), SLICE(NULL, 0), false);
	while (e == OK && (e = store_cursor_next(c, &key, &value)) == OK) {
		struct mp_reader r = mp_read(value);
		struct id32 member;
		uint64_t at;
		bool waiting;

		memcpy(&member, key.data + 5 + DOC_LEN, ID_LEN);
		mp_get_array_of(&r, 2);
		at = mp_get_uint(&r, UINT64_MAX);
		waiting = mp_get_bool(&r);
		e = mp_end(&r) == OK ? each(arg, &member, at, waiting) : ERR_DAMAGED;
	}
	store_cursor_close(c);
	return e == ERR_NOTFOUND ? OK : e;
}

/* Does this member have a device among those that the last epoch was wrapped to? */
static bool read_before(const struct epoch *old, const struct reader *readers, size_t count, const struct id32 *member)
{
	for (size_t i = 0; i < count; i++) {
		if (!id32_equal(&readers[i].member, member))
			continue;
		for (size_t k = 0; k < old->n_readers; k++)
			if (id32_equal(&old->readers[k], &readers[i].device))
				return true;
	}
	return false;
}

/* A new name in the class that the owner approved.  *wait: it would newly read a private goal, and nobody was asked since. */
static enum err announce(struct node *n, struct space *s, const struct sealed *last, const struct reader *readers, size_t count,
	uint64_t consent, bool *wait)
{
	const struct epoch *old = keys_find(s, &last->epoch);
	enum err e = OK;

	*wait = false;
	for (size_t i = 0; old != NULL && i < count && e == OK; i++) {
		const struct id32 *member = &readers[i].member;

		if (id32_equal(member, &n->member) || (i > 0 && id32_equal(member, &readers[i - 1].member)) ||
		    read_before(old, readers, count, member))
			continue;
		if (last->rule.is_private && consent == last->consent)
			*wait = true;
		if ((e = new_reader_write(n, s, &last->audience, member, *wait)) == OK && !*wait)
			e = audit_write(n, &s->id, AUDIT_SYNCED, "reader", member, ID_LEN, "a new reader of what you share");
	}
	return e;
}

/* Seal one body to its readers, unless the same was sealed to the same under the same consent. */
static enum err seal(struct node *n, struct space *s, struct sealed *last, bool fresh, struct slice body, const struct reader *readers, size_t count,
	uint64_t consent)
{
	struct id32 hash;
	struct epoch *epoch;
	struct id16 index = statement_index(last->index);
	bool wait = false;
	enum err e;

	crypto_hash1(&hash, "cairn-report-body", body.data, body.len);
	if (!fresh && !last->withdrawn && ((e = announce(n, s, last, readers, count, consent, &wait)) != OK || wait))
		return e;                               /* what was sealed stays as it is until the owner has said yes */
	if ((e = keys_for_audience(n, s, readers, count, fresh ? NULL : &last->epoch, &epoch)) != OK)
		return e;
	if (!fresh && id32_equal(&epoch->id, &last->epoch) && id32_equal(&hash, &last->hash) && last->consent == consent)
		return OK;
	last->epoch = epoch->id;
	last->hash = hash;
	last->consent = consent;
	if ((e = author_statement(n, s, STATEMENT_REPORT, &index, epoch, consent, &last->audience, body)) != OK ||
	    (e = sealed_write(n, s, last)) != OK)
		return e;
	return audit_write(n, &s->id, AUDIT_SYNCED, "report", &last->audience, DOC_LEN, last->withdrawn ? "withdrawn" : "sealed");
}

static struct sealed *sealed_find(struct sealed *list, size_t count, const struct id16 *audience)
{
	for (size_t i = 0; i < count; i++)
		if (id16_equal(&list[i].audience, audience))
			return &list[i];
	return NULL;
}

/* What is no longer shared is replaced, in its slot, by a report that says nothing. */
static enum err withdraw(struct node *n, struct space *s, struct sealed *last, const struct share_input *in)
{
	struct reader *readers = NULL;
	struct buf body = {0};
	size_t count = 0;
	enum err e;

	if (last->withdrawn && last->consent == in->sharing.version)
		return OK;
	last->withdrawn = true;
	if ((e = gate_withdrawn(&body, last->rule.layer)) == OK &&
	    (e = audience_readers(&readers, &count, in->gate.state, &n->member, &last->rule, in->sharing.refused, in->sharing.n_refused)) == OK)
		e = seal(n, s, last, false, buf_slice(&body), readers, count, in->sharing.version);
	mem_free(readers);
	buf_free(&body);
	return e;
}

static enum err share_reports(struct node *n, struct space *s, const struct share_input *in, struct sealed *list, size_t count)
{
	struct gate_report *reports = NULL;
	size_t n_reports = 0;
	uint32_t index = free_index(list, count);
	enum err e = gate_reports(&reports, &n_reports, &in->gate, false);

	for (size_t i = 0; i < n_reports && e == OK; i++) {
		struct sealed fresh = { .audience = reports[i].audience, .rule = reports[i].rule };
		struct sealed *last = sealed_find(list, count, &reports[i].audience);

		if (last == NULL) {
			if ((fresh.index = index++) >= LIMIT_SLOT_INDEX)
				e = ERR_LIMIT;
		} else {
			last->seen = true;
			last->withdrawn = false;
		}
		if (e == OK)
			e = seal(n, s, last == NULL ? &fresh : last, last == NULL, buf_slice(&reports[i].body), reports[i].readers,
				reports[i].n_readers, in->sharing.version);
	}
	for (size_t i = 0; i < count && e == OK; i++)
		if (!list[i].seen)
			e = withdraw(n, s, &list[i], in);
	gate_reports_free(reports, n_reports);
	return e;
}

#ifdef CAIRN_PLANT_LEAK         /* tests/run-canary: a title that goes out in the clear must turn the test red */
static enum err plant_leak(struct node *n, struct space *s, const struct share_input *in)
{
	struct id16 index = statement_index(1);

	return in->gate.n_goals == 0 ? OK : author_statement(n, s, STATEMENT_ADDRESS, &index, NULL, 0, NULL, in->goals[0].title);
}
#endif

static bool is_accepted(struct node *n, struct space *s, enum err *e)
{
	struct share_input in = { .n_docs = 0 };
	bool accepted;

	*e = sharing_load(n, s, &in);
	accepted = *e == OK && in.sharing.accepted;
	if (*e == OK)
		sharing_free(&in.sharing);
	return accepted;
}

enum err share_settle(struct node *n, struct space *s)
{
	const struct state *state = space_state(s);
	struct share_input in;
	struct sealed *list = NULL;
	size_t count = 0;
	enum err e;

	if (state == NULL || !state_device_active(state, &n->identity->device))
		return OK;
	if ((e = sealed_list(n, s, &list, &count)) != OK || (count == 0 && !is_accepted(n, s, &e))) {
		mem_free(list);                         /* nothing was ever shared, and nothing is to be */
		return e;
	}
	if ((e = share_input_read(n, s, &in)) != OK) {
		mem_free(list);
		return e;
	}
	e = share_reports(n, s, &in, list, count);
#ifdef CAIRN_PLANT_LEAK
	if (e == OK)
		e = plant_leak(n, s, &in);
#endif
	if (e == ERR_TOOBIG || e == ERR_LIMIT) {
		node_log(n, LOG_WARNING, "too many links to share in one report: unlink some");
		e = OK;
	}
	mem_free(list);
	share_input_free(&in);
	return e == ERR_WAITING ? OK : e;
}

/* ---- the audit: hash-chained entries in the self space (inventory H) --------------------------------------------------------- */
static enum err audit_previous(struct node *n, struct id32 *previous)
{
	struct slice value;
	enum err e = meta_get(n, "audit", &value);

	memset(previous, 0, sizeof *previous);
	if (e == OK && value.len == ID_LEN)
		memcpy(previous, value.data, ID_LEN);
	return e == ERR_NOTFOUND ? OK : e;
}

void audit_hash(struct id32 *out, const struct id32 *previous, const struct id32 *org, unsigned action, struct slice type, struct slice entity,
	struct slice details, uint64_t at)
{
	struct buf b = {0};

	mp_put_array(&b, 6);
	mp_put_bin(&b, org, ID_LEN);
	mp_put_uint(&b, action);
	mp_put_str(&b, (const char *)type.data, type.len);
	mp_put_bin_slice(&b, entity);
	mp_put_str(&b, (const char *)details.data, details.len);
	mp_put_uint(&b, at);
	struct slice parts[] = { SLICE(previous, ID_LEN), buf_slice(&b) };
	crypto_hash(out, "cairn-audit", parts, 2);
	buf_free(&b);
}

enum err audit_write(struct node *n, const struct id32 *org, enum audit_action action, const char *type, const void *entity, size_t len,
	const char *details)
{
	struct change *change = change_new(model_kind(KIND_AUDIT)->schema, NULL);
	struct id32 previous, hash;
	struct id16 id;
	enum err e = change == NULL ? ERR_NOMEM : audit_previous(n, &previous);

	if (e == OK) {
		audit_hash(&hash, &previous, org, action, slice_of(type), SLICE(entity, len), slice_of(details), n->wall_ms);
		node_random(n, &id, DOC_LEN);
		change_register_int(change, AUDIT_ACTION, action);
		change_register_text(change, AUDIT_ENTITY_TYPE, slice_of(type));
		change_register_bin(change, AUDIT_ENTITY, SLICE(entity, len));
		change_register_bin(change, AUDIT_ORG, SLICE(org, ID_LEN));
		change_register_text(change, AUDIT_DETAILS, slice_of(details));
		change_register_int(change, AUDIT_AT, (int64_t)n->wall_ms);
		change_register_bin(change, AUDIT_PREVIOUS, SLICE(&previous, ID_LEN));
		change_register_bin(change, AUDIT_HASH, SLICE(&hash, ID_LEN));
		e = author_change(n, self_space(n), KIND_AUDIT, &id, change);
	}
	if (e == OK)
		e = meta_put(n, "audit", SLICE(&hash, ID_LEN));
	change_free(change);
	return e;
}
