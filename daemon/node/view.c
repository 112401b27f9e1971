/* Views: opening and closing, organizations, documents, names. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/node/view_internal.h"

/* ---- memory ------------------------------------------------------------------------------------------------------------ */
bool view_own(struct view *v, void (*release)(void *), void *what)
{
	struct view_owned *o = mem_alloc(sizeof *o);

	if (o == NULL) {
		release(what);
		return false;
	}
	*o = (struct view_owned){ v->owned, release, what };
	v->owned = o;
	return true;
}

void *view_alloc(struct view *v, size_t size)
{
	void *p = mem_alloc(size);

	return p != NULL && view_own(v, mem_free, p) ? p : NULL;
}

static void release_doc(void *doc)
{
	doc_free(doc);
}

bool view_own_doc(struct view *v, struct doc *doc)
{
	return view_own(v, release_doc, doc);
}

struct slice view_text(struct view *v, const char *format, ...)
{
	struct slice text = { NULL, 0 };
	va_list ap;
	char *to;
	int len;

	va_start(ap, format);
	len = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (len < 0 || (to = view_alloc(v, (size_t)len + 1)) == NULL)
		return text;
	va_start(ap, format);
	(void)vsnprintf(to, (size_t)len + 1, format, ap);
	va_end(ap);
	return SLICE(to, (size_t)len);
}

/* ---- open, close --------------------------------------------------------------------------------------------------------- */
enum err view_open(struct view **out, struct node *n, struct store *store, uint64_t wall_ms)
{
	struct view *v;
	enum err e = ERR_NOMEM;

	*out = NULL;
	if (n == NULL || n->txn != NULL)
		return ERR_STATE;                       /* in the middle of a step, or another view is open */
	if ((v = mem_alloc(sizeof *v)) == NULL || (v->effects = effects_new()) == NULL ||
	    (e = store_begin(&v->txn, store, false)) != OK) {
		if (v != NULL)
			effects_free(v->effects);
		mem_free(v);
		return e;
	}
	v->n = n;
	v->wall_ms = wall_ms;
	n->txn = v->txn;
	n->effects = v->effects;                        /* nobody executes them: reading asks for nothing */
	*out = v;
	return OK;
}

void view_close(struct view *v)
{
	if (v == NULL)
		return;
	for (struct view_owned *o = v->owned, *next; o != NULL; o = next) {
		next = o->next;
		o->release(o->what);
		mem_free(o);
	}
	v->n->txn = NULL;
	v->n->effects = NULL;
	effects_free(v->effects);
	store_abort(v->txn);
	mem_free(v);
}

/* ---- who and where -------------------------------------------------------------------------------------------------------- */
void view_self(struct view *v, struct view_self *out)
{
	const struct node *n = v->n;

	*out = (struct view_self){ .member = n->member, .device = n->identity->device, .offline = n->offline, .listening = n->listening,
		.has_seed = n->identity->has_seed, .port = n->port, .name = n->identity->name, .email = n->identity->email,
		.n_known = n->n_peers, .n_joining = n->n_joins, .has_default = n->has_default, .default_org = n->default_org };
	for (size_t i = 0; i < n->n_peers; i++)
		out->n_connected += n->peers[i].session != NULL && session_state(n->peers[i].session) == SESSION_OPEN;
}

struct space *view_space(struct view *v, const struct id32 *org)
{
	struct space *s = space_find(v->n, org);

	return s == NULL || s->is_self ? NULL : s;
}

static bool is_active_peer(const struct state *state, const struct node *n, const struct peer *p)
{
	return !id32_equal(&p->device, &n->identity->device) && state_device_active(state, &p->device);
}

/* With every member device that is connected, and with at least one; or nobody else is there.  Equal means: the digests that both
 * found equal are still ours. */
static bool org_in_sync(struct view *v, struct space *s, const struct state *state)
{
	const struct device *const *devices;
	size_t count = state_devices(state, &devices), others = 0, with = 0;
	struct session_space list[LIMIT_SPACES];
	struct net_roots own;

	for (size_t i = 0; i < count; i++)
		others += !id32_equal(&devices[i]->id, &v->n->identity->device) && state_device_active(state, &devices[i]->id);
	if (others == 0)
		return true;
	if (replica_roots(v->n, s, &own) != OK)
		return false;
	for (size_t i = 0; i < v->n->n_peers; i++) {
		const struct peer *p = &v->n->peers[i];
		size_t spaces;
		bool equal = false;

		if (p->session == NULL || session_state(p->session) != SESSION_OPEN || !is_active_peer(state, v->n, p))
			continue;
		spaces = session_list(p->session, list, LIMIT_SPACES);
		for (size_t k = 0; k < spaces; k++)
			equal = equal || (id32_equal(&list[k].space, &s->id) && list[k].in_sync &&
				id32_equal(&list[k].authority, &own.authority) && id32_equal(&list[k].data, &own.data));
		if (!equal)
			return false;
		with++;
	}
	return with > 0;
}

size_t view_orgs(struct view *v, struct view_org *out, size_t max)
{
	struct node *n = v->n;
	size_t count = 0;

	for (size_t i = 0; i < n->n_spaces && count < max; i++) {
		struct space *s = &n->spaces[i];
		const struct state *state = s->is_self ? NULL : space_state(s);
		const struct member *own = state == NULL ? NULL : state_member(state, &n->member);
		struct view_org *o = &out[count];

		if (s->is_self)
			continue;
		*o = (struct view_org){ .id = s->id, .joining = s->joining || own == NULL, .role = ROLE_NONE, .status = MEMBER_PENDING,
			.is_default = n->has_default && id32_equal(&n->default_org, &s->id) };
		if (own != NULL) {
			o->role = own->status == MEMBER_ACTIVE ? own->role : ROLE_NONE;
			o->status = own->status;
			o->in_sync = !s->joining && org_in_sync(v, s, state);
		}
		count++;
	}
	return count;
}

const struct state *view_state(struct view *v, const struct id32 *org)
{
	struct space *s = view_space(v, org);

	return s == NULL || s->joining ? NULL : space_state(s);
}

const struct id32 *view_self_space(struct view *v)
{
	return &v->n->spaces[0].id;
}

struct view_org_cache *view_cache(struct view *v, const struct id32 *org)
{
	struct view_org_cache *c = v->orgs;

	while (c != NULL && !id32_equal(&c->org, org))
		c = c->next;
	if (c == NULL && (c = view_alloc(v, sizeof *c)) != NULL) {
		c->org = *org;
		c->next = v->orgs;
		v->orgs = c;
	}
	return c;
}

/* ---- documents -------------------------------------------------------------------------------------------------------------- */
enum err view_document(struct view *v, const struct id32 *space, uint32_t kind, const struct id16 *id, const struct doc **out)
{
	struct space *s = space_find(v->n, space);
	struct doc *doc;
	enum err e;

	*out = NULL;
	if (s == NULL)
		return ERR_NOTFOUND;
	if ((e = document_read(v->n, s, kind, id, &doc)) != OK)
		return e;
	if (!view_own_doc(v, doc))
		return ERR_NOMEM;
	*out = doc;
	return OK;
}

struct each_doc { struct view *v; enum err (*each)(void *, const struct id16 *, const struct doc *); void *arg; };

static enum err keep_and_show(void *arg, const struct id16 *id, struct doc **doc)
{
	struct each_doc *x = arg;
	const struct doc *kept = *doc;

	*doc = NULL;
	return view_own_doc(x->v, (struct doc *)(uintptr_t)kept) ? x->each(x->arg, id, kept) : ERR_NOMEM;
}

enum err view_documents(struct view *v, const struct id32 *space, uint32_t kind,
	enum err (*each)(void *, const struct id16 *, const struct doc *), void *arg)
{
	struct space *s = space_find(v->n, space);
	struct each_doc x = { v, each, arg };

	return s == NULL ? ERR_NOTFOUND : documents_each(v->n, s, kind, keep_and_show, &x);
}

struct slice view_register(const struct doc *doc, uint32_t kind, uint32_t key)
{
	const struct field_spec *field = model_field_by_key(model_kind(kind), key);
	struct value value;

	if (doc == NULL || value_load(&value, field, doc_register(doc, key, NULL)) != OK || !value.set)
		return SLICE("", 0);
	return value.bytes;
}

bool view_flag(const struct doc *doc, uint32_t kind, uint32_t key)
{
	const struct field_spec *field = model_field_by_key(model_kind(kind), key);
	struct value value;

	return value_load(&value, field, doc_register(doc, key, NULL)) == OK && value.set && value.number != 0;
}

struct slice view_name(struct view *v, const struct id32 *org, const struct id32 *member)
{
	const struct doc *doc;
	struct id16 id;

	model_document_id(&id, org, KIND_PROFILE, SLICE(member, ID_LEN));
	if (view_document(v, org, KIND_PROFILE, &id, &doc) == OK)
		return view_register(doc, KIND_PROFILE, PROFILE_NAME);
	return SLICE("", 0);
}

struct slice view_org_name(struct view *v, const struct id32 *org)
{
	const struct doc *doc;
	struct id16 id;

	model_document_id(&id, org, KIND_ORG, SLICE(NULL, 0));
	if (view_document(v, org, KIND_ORG, &id, &doc) == OK)
		return view_register(doc, KIND_ORG, ORG_NAME);
	return SLICE("", 0);
}

/* The oldest op of a document: TABLE_DOC_OPS is sorted by document, then hlc. */
uint64_t view_created_ms(struct view *v, const struct id32 *space, const struct id16 *id)
{
	struct space *s = space_find(v->n, space);
	uint8_t prefix[4 + DOC_LEN];
	struct store_cursor *c = NULL;
	struct slice key;
	uint64_t ms = 0;

	if (s == NULL)
		return 0;
	put_u32(prefix, s->number);
	memcpy(prefix + 4, id, DOC_LEN);
	if (store_cursor_open(&c, v->txn, TABLE_DOC_OPS, SLICE(prefix, sizeof prefix), SLICE(NULL, 0), false) == OK &&
	    store_cursor_next(c, &key, NULL) == OK && key.len >= sizeof prefix + 8)
		ms = hlc_ms(get_u64(key.data + sizeof prefix));
	store_cursor_close(c);
	return ms;
}
