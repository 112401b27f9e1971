/* The audit, its chain checked again, and the hashes of promise 1. */
#include <stdlib.h>
#include <string.h>
#include "daemon/node/view_internal.h"

/* ---- reading entries --------------------------------------------------------------------------------------------------- */
struct entry { struct view_audit shown; struct id32 previous; bool linked; };
struct entries { struct entry *list; size_t n, cap; };

static struct value get(const struct doc *doc, uint32_t key)
{
	struct value v;

	value_load(&v, model_field_by_key(model_kind(KIND_AUDIT), key), doc_register(doc, key, NULL));
	return v;
}

static void get_hash(struct id32 *out, const struct doc *doc, uint32_t key)
{
	struct value v = get(doc, key);

	memset(out, 0, sizeof *out);
	if (v.set && v.bytes.len == ID_LEN)
		memcpy(out, v.bytes.data, ID_LEN);
}

static enum err take(void *arg, const struct id16 *id, const struct doc *doc)
{
	struct entries *x = arg;
	struct entry *grown = mem_grow(x->list, &x->cap, x->n, sizeof *grown);
	struct value at = get(doc, AUDIT_AT), action = get(doc, AUDIT_ACTION);

	(void)id;
	if (grown == NULL)
		return ERR_NOMEM;
	x->list = grown;
	grown = &grown[x->n++];
	memset(grown, 0, sizeof *grown);
	grown->shown.at_ms = at.set ? (uint64_t)at.number : 0;
	grown->shown.action = action.set ? (unsigned)action.number : 0;
	grown->shown.type = get(doc, AUDIT_ENTITY_TYPE).bytes;
	grown->shown.entity = get(doc, AUDIT_ENTITY).bytes;
	grown->shown.details = get(doc, AUDIT_DETAILS).bytes;
	get_hash(&grown->shown.org, doc, AUDIT_ORG);
	get_hash(&grown->shown.hash, doc, AUDIT_HASH);
	get_hash(&grown->previous, doc, AUDIT_PREVIOUS);
	return OK;
}

/* ---- the chain ----------------------------------------------------------------------------------------------------------- */
static int by_previous(const void *a, const void *b)
{
	return id32_compare(&((const struct entry *)a)->previous, &((const struct entry *)b)->previous);
}

static int previous_is(const void *hash, const void *entry)
{
	return id32_compare(hash, &((const struct entry *)entry)->previous);
}

static bool hash_fits(const struct entry *x)
{
	struct id32 hash;

	audit_hash(&hash, &x->previous, &x->shown.org, x->shown.action, x->shown.type, x->shown.entity, x->shown.details, x->shown.at_ms);
	return id32_equal(&hash, &x->shown.hash);
}

static int by_time(const void *a, const void *b)
{
	const struct view_audit *x = a, *y = b;

	return x->at_ms != y->at_ms ? (x->at_ms < y->at_ms ? -1 : 1) : id32_compare(&x->hash, &y->hash);
}

/* From the first entry on, each names the hash of the one before; what nothing leads to comes behind, by time. */
static size_t follow(struct entries *x, struct view_audit *out)
{
	struct id32 last = {{0}};
	struct entry *next;
	size_t count = 0, chained;
	bool holds = true;

	if (x->n == 0)
		return 0;
	qsort(x->list, x->n, sizeof *x->list, by_previous);
	while ((next = bsearch(&last, x->list, x->n, sizeof *next, previous_is)) != NULL && !next->linked) {
		next->linked = true;
		holds = holds && hash_fits(next);
		next->shown.verified = holds;
		last = next->shown.hash;
		out[count++] = next->shown;
	}
	chained = count;
	for (size_t i = 0; i < x->n; i++)
		if (!x->list[i].linked)
			out[count++] = x->list[i].shown;
	if (count > chained)
		qsort(out + chained, count - chained, sizeof *out, by_time);
	return count;
}

enum err view_audit(struct view *v, struct view_audit **out, size_t *n)
{
	struct entries x = { .n = 0 };
	enum err e = view_documents(v, view_self_space(v), KIND_AUDIT, take, &x);

	*out = NULL;
	*n = 0;
	if (e == OK && (*out = view_alloc(v, (x.n + 1) * sizeof **out)) == NULL)
		e = ERR_NOMEM;
	if (e == OK)
		*n = follow(&x, *out);
	mem_free(x.list);
	return e;
}

/* ---- promise 1 --------------------------------------------------------------------------------------------------------------- */
enum err view_state_hash(struct view *v, const struct id32 *org, struct id32 *replica, struct id32 *state_hash)
{
	struct space *s = space_find(v->n, org);
	const struct state *state = s == NULL ? NULL : space_state(s);
	struct id32 documents, authority;
	struct net_roots roots;
	struct buf b = {0};
	enum err e;

	if (state == NULL)
		return ERR_NOTFOUND;
	if ((e = replica_roots(v->n, s, &roots)) != OK || (e = fold_hash(v->n, s, &documents)) != OK)
		return e;
	state_encode(&b, state);
	if ((e = b.err) == OK) {
		const struct slice both[] = { SLICE(&roots.authority, ID_LEN), SLICE(&roots.data, ID_LEN) };
		const struct slice all[] = { SLICE(&documents, ID_LEN), SLICE(&authority, ID_LEN) };

		crypto_hash1(&authority, "cairn-authority-state", b.data, b.len);
		crypto_hash(replica, "cairn-replica", both, 2);
		crypto_hash(state_hash, "cairn-state-hash", all, 2);
	}
	buf_free(&b);
	return e;
}
