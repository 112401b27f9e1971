/* Which data ops count, and the documents they add up to (protocol §§2, 3; design §5).  Documents are a cache: fold_space makes
 * them again from the ops, and does so when rights or bounds change. */
#include <stdlib.h>
#include <string.h>
#include "daemon/node/node_internal.h"

#define NEVER UINT64_MAX
#define CACHE_MAX (STORE_VALUE_MAX / 2) /* bytes of a cached fold */

struct held { bool set; hlc hlc; uint32_t log; uint64_t seq; };        /* an op that is not due yet */

/* ---- keys ------------------------------------------------------------------------------------------------------ */
#define DOC_OPS_PREFIX (4 + DOC_LEN)
#define DOC_OPS_KEY (4 + DOC_LEN + 8 + ID_LEN)
#define HELD_KEY (8 + 4 + 4 + 8)
#define WAITING_KEY (1 + 4 + ID_LEN + 4 + 8)

static void doc_ops_key(uint8_t key[DOC_OPS_KEY], const struct space *s, const struct op *op)
{
	put_u32(key, s->number);
	memcpy(key + 4, &op->document, DOC_LEN);
	put_u64(key + DOC_OPS_PREFIX, op->hlc);
	memcpy(key + DOC_OPS_PREFIX + 8, &op->id, ID_LEN);
}

static void doc_key(uint8_t key[24], const struct space *s, uint32_t kind, const struct id16 *id)
{
	put_u32(key, s->number);
	put_u32(key + 4, kind);
	memcpy(key + 8, id, DOC_LEN);
}

/* ---- which ops count --------------------------------------------------------------------------------------------- */
/* A member may propose: create, as a draft, and nothing after (inventory C10). */
static bool is_proposal(const struct doc *before, struct slice body)
{
	struct mp_reader r = mp_read(body);
	size_t pairs = mp_get_map(&r, 4096);
	bool creates = false, draft = true;

	for (size_t i = 0; i < pairs; i++) {
		uint64_t key = mp_get_uint(&r, UINT32_MAX);

		if (key == 1)
			creates = mp_get_bool(&r);
		else if (key == OBJ_STATUS)
			draft = mp_get_uint(&r, UINT32_MAX) == OBJECTIVE_DRAFT;
		else
			(void)mp_get_any(&r);
	}
	return before == NULL && creates && draft && r.err == OK;
}

/* The right that an op of an org space needs; false: nobody may (an unknown kind is carried and not applied). */
static bool right_for(struct space *s, const struct op *op, struct data_right *right)
{
	const struct state *state = space_state(s);
	const struct member *author;
	struct id16 own;

	memset(right, 0, sizeof *right);
	switch (op->kind) {
	case KIND_EPOCH:
	case KIND_WITHDRAW:
		right->own_only = true;
		return true;
	case KIND_ORG:
		right->action = MAY_CONFIGURE;
		return true;
	case KIND_TEAM:
		right->action = MAY_MANAGE_TEAMS;
		right->has_document = true;
		right->document = op->document;
		return true;
	case KIND_OBJECTIVE:
		right->action = MAY_EDIT_OBJECTIVES;
		right->has_document = true;
		right->document = op->document;
		return true;
	case KIND_PROFILE:
		author = state == NULL ? NULL : state_member_of(state, &op->device);
		if (author == NULL)
			return false;
		model_document_id(&own, &s->id, KIND_PROFILE, SLICE(&author->root, ID_LEN));
		right->own_only = true;
		return id16_equal(&own, &op->document);
	default:
		right->own_only = true;
		return s->is_self;
	}
}

static enum err counts_with(struct space *s, const struct op *op, const struct data_right *right, bool *counts)
{
	return authority_data_counts(s->authority, counts, &op->device, op->incarnation, op->seq, op->heads, op->n_heads, right);
}

enum err fold_counts(struct node *n, struct space *s, const struct op *op, bool *counts)
{
	struct data_right right;
	uint64_t bound;
	enum err e = replica_bound(n, s, &op->device, op->incarnation, &bound);

	*counts = false;
	if (e != OK || op->seq > bound || !right_for(s, op, &right))
		return e;
	return counts_with(s, op, &right, counts);
}

/* As fold_counts, for an opened op of a document: a Member's proposal counts under a right of its own. */
static enum err counts_opened(struct node *n, struct space *s, const struct op *op, const struct doc *before, struct slice body, bool *counts)
{
	struct data_right right = { .action = MAY_PROPOSE_OBJECTIVES, .has_document = true, .document = op->document };
	uint64_t bound;
	enum err e = fold_counts(n, s, op, counts);

	if (e != OK || *counts || op->kind != KIND_OBJECTIVE || !is_proposal(before, body))
		return e;
	if ((e = replica_bound(n, s, &op->device, op->incarnation, &bound)) != OK || op->seq > bound)
		return e;
	return counts_with(s, op, &right, counts);
}

/* ---- applying one op ----------------------------------------------------------------------------------------------- */
static enum err op_plain(struct space *s, const struct op *op, struct buf *plain)
{
	struct epoch *epoch;

	if (!op->has_epoch)
		return op_open(plain, op, NULL);
	epoch = keys_find(s, &op->epoch);
	if (epoch == NULL || !epoch->has_key)
		return ERR_WAITING;
	if (epoch->type == EPOCH_AUDIENCE)      /* documents are for all members: nobody applies one that only some could open */
		return ERR_SEALED;
	return op_open(plain, op, epoch->key);
}

/* Apply op to doc (which is made if NULL) if it counts.  Bodies that nobody can read or that break the schema are carried
 * and not applied: whoever has the keys judges alike. */
static enum err apply(struct node *n, struct space *s, const struct op *op, const struct kind_spec *kind, struct doc **doc)
{
	struct doc_op change = { op->hlc, op->id, op->device, { NULL, 0 } };
	struct buf plain = {0};
	bool counts;
	enum err e = op_plain(s, op, &plain);

	if (e != OK) {
		buf_free(&plain);
		return err_is_hard(e) ? e : OK;
	}
	change.body = buf_slice(&plain);
	e = counts_opened(n, s, op, *doc, change.body, &counts);
	if (e == OK && counts) {
		if (*doc == NULL && (*doc = doc_new(kind->schema)) == NULL)
			e = ERR_NOMEM;
		if (e == OK && (e = doc_apply(*doc, &change)) == ERR_MALFORMED)
			e = OK;
	}
	buf_free(&plain);
	return e;
}

static enum err fold_build(struct node *, struct space *, const struct kind_spec *, const struct id16 *, uint64_t now, struct doc **out,
	struct held *next);

/* ---- the cache -------------------------------------------------------------------------------------------------------- */
/* A fold that is too big for a record is kept as an empty one, and made again by who reads it. */
static enum err cache_open(struct node *n, struct space *s, const struct kind_spec *kind, const struct id16 *id, struct slice value,
	struct doc **out)
{
	enum err e;

	if (value.len == 0) {
		if ((e = fold_build(n, s, kind, id, n->wall_ms, out, NULL)) == OK && *out == NULL)
			e = ERR_DAMAGED;
		return e;
	}
	e = doc_decode(out, kind->schema, value);
	return e == OK || e == ERR_NOMEM ? e : ERR_DAMAGED;
}

static enum err cache_read(struct node *n, struct space *s, const struct kind_spec *kind, const struct id16 *id, struct doc **out)
{
	uint8_t key[24];
	struct slice value;
	enum err e;

	*out = NULL;
	doc_key(key, s, kind->kind, id);
	if ((e = store_get(n->txn, TABLE_DOC, SLICE(key, sizeof key), &value)) != OK)
		return e;
	return cache_open(n, s, kind, id, value, out);
}

static enum err cache_write(struct node *n, struct space *s, uint32_t kind, const struct id16 *id, const struct doc *doc)
{
	struct buf b = {0};
	uint8_t key[24];
	enum err e = OK;

	doc_key(key, s, kind, id);
	n->dirty = true;
	if (doc == NULL)
		return store_delete(n->txn, TABLE_DOC, SLICE(key, sizeof key));
	if ((e = doc_encode(&b, doc)) == OK)            /* too big: see cache_open */
		e = store_put(n->txn, TABLE_DOC, SLICE(key, sizeof key), b.len > CACHE_MAX ? SLICE(NULL, 0) : buf_slice(&b));
	buf_free(&b);
	return e;
}

/* Fold a document from its ops in (hlc, id) order.  now: held ops are left out beyond it; *next (may be NULL): the first of those. */
static enum err fold_build(struct node *n, struct space *s, const struct kind_spec *kind, const struct id16 *id, uint64_t now, struct doc **out,
	struct held *next)
{
	struct store_cursor *c = NULL;
	struct slice key, value;
	uint8_t prefix[DOC_OPS_PREFIX];
	enum err e;

	*out = NULL;
	put_u32(prefix, s->number);
	memcpy(prefix + 4, id, DOC_LEN);
	e = store_cursor_open(&c, n->txn, TABLE_DOC_OPS, SLICE(prefix, sizeof prefix), SLICE(NULL, 0), false);
	while (e == OK && (e = store_cursor_next(c, &key, &value)) == OK) {
		struct op op;

		if (value.len != 16 || get_u32(value.data + 12) != kind->kind)
			continue;
		if (now != NEVER && hlc_is_future(get_u64(key.data + DOC_OPS_PREFIX), now)) {
			if (next != NULL)
				*next = (struct held){ true, get_u64(key.data + DOC_OPS_PREFIX), get_u32(value.data), get_u64(value.data + 4) };
			e = ERR_NOTFOUND;
			break;
		}
		if ((e = op_read(n, get_u32(value.data), get_u64(value.data + 4), &op)) == OK)
			e = apply(n, s, &op, kind, out);
	}
	store_cursor_close(c);
	if (e == ERR_NOTFOUND)
		return OK;
	doc_free(*out);
	*out = NULL;
	return e;
}

static enum err put_empty(struct node *n, enum store_table table, const uint8_t *key, size_t len)
{
	n->dirty = true;
	return store_put(n->txn, table, SLICE(key, len), SLICE(NULL, 0));
}

/* TABLE_HELD: hlc ‖ space# ‖ log# ‖ seq. */
static enum err hold(struct node *n, struct space *s, hlc at, uint32_t log, uint64_t seq)
{
	uint8_t key[HELD_KEY];

	put_u64(key, at);
	put_u32(key + 8, s->number);
	put_u32(key + 12, log);
	put_u64(key + 16, seq);
	return put_empty(n, TABLE_HELD, key, sizeof key);
}

static void changed(struct node *n, struct space *s, uint32_t kind)
{
	if (s->is_self) {
		if (kind == KIND_GOAL || kind == KIND_LINK || kind == KIND_SHARING || kind == KIND_SECRET)
			for (size_t i = 0; i < n->n_spaces; i++)
				n->spaces[i].share_dirty = true;
	} else if (kind == KIND_OBJECTIVE || kind == KIND_ORG)
		s->publish_dirty = s->share_dirty = true;
}

enum err fold_document(struct node *n, struct space *s, uint32_t kind_number, const struct id16 *id)
{
	const struct kind_spec *kind = model_kind(kind_number);
	struct held next = { .set = false };
	struct doc *doc;
	enum err e;

	if (kind == NULL)
		return OK;
	if ((e = fold_build(n, s, kind, id, n->wall_ms, &doc, &next)) != OK)
		return e;
	/* One that was due before the clock was set back must come due again. */
	if (next.set && (e = hold(n, s, next.hlc, next.log, next.seq)) != OK) {
		doc_free(doc);
		return e;
	}
	e = cache_write(n, s, kind_number, id, doc);
	doc_free(doc);
	changed(n, s, kind_number);
	return e;
}

/* TABLE_INDEX 'w' ‖ space# ‖ epoch ‖ log# ‖ seq: ops whose key is not here yet. */
static enum err wait_for_key(struct node *n, struct space *s, const struct op *op, uint32_t log)
{
	uint8_t key[WAITING_KEY] = { 'w' };

	put_u32(key + 1, s->number);
	memcpy(key + 5, &op->epoch, ID_LEN);
	put_u32(key + 5 + ID_LEN, log);
	put_u64(key + 9 + ID_LEN, op->seq);
	return put_empty(n, TABLE_INDEX, key, sizeof key);
}

static bool has_key(struct space *s, const struct op *op)
{
	struct epoch *epoch = op->has_epoch ? keys_find(s, &op->epoch) : NULL;

	return !op->has_epoch || (epoch != NULL && epoch->has_key);
}

static enum err index_op(struct node *n, struct space *s, const struct op *op, uint32_t log)
{
	uint8_t key[DOC_OPS_KEY], value[16];

	doc_ops_key(key, s, op);
	put_u32(value, log);
	put_u64(value + 4, op->seq);
	put_u32(value + 12, op->kind);
	n->dirty = true;
	return store_put(n->txn, TABLE_DOC_OPS, SLICE(key, sizeof key), SLICE(value, sizeof value));
}

static enum err index_epoch_op(struct node *n, struct space *s, const struct op *op, uint32_t log)
{
	uint8_t key[WAITING_KEY] = { 'e' };
	struct id32 epoch;

	if (!keys_epoch_op_id(op, &epoch))
		return OK;                              /* carried, never applied */
	put_u32(key + 1, s->number);
	memcpy(key + 5, &epoch, ID_LEN);
	put_u32(key + 5 + ID_LEN, log);
	put_u64(key + 9 + ID_LEN, op->seq);
	return put_empty(n, TABLE_INDEX, key, sizeof key);
}

/* Whether a proposal counts depends on what was there before it: objectives are folded in order, whatever their fields. */
static bool may_append(const struct doc *doc, uint32_t kind, const struct doc_op *op)
{
	const struct doc_writer last = doc_last(doc);

	if (kind == KIND_OBJECTIVE && (op->hlc < last.hlc || (op->hlc == last.hlc && id32_compare(&op->id, &last.id) < 0)))
		return false;
	return doc_in_order(doc, op);
}

static enum err apply_to_cache(struct node *n, struct space *s, const struct op *op, const struct kind_spec *kind)
{
	struct doc_op change = { op->hlc, op->id, op->device, { NULL, 0 } };
	struct buf plain = {0};
	struct doc *doc = NULL;
	struct slice value;
	uint8_t key[24];
	enum err e = op_plain(s, op, &plain);

	change.body = buf_slice(&plain);
	if (e != OK) {
		e = err_is_hard(e) ? e : OK;
		goto out;
	}
	doc_key(key, s, op->kind, &op->document);
	e = store_get(n->txn, TABLE_DOC, SLICE(key, sizeof key), &value);
	if (e == OK && value.len == 0) {                /* too big to be kept: who reads it folds it */
		changed(n, s, op->kind);
		goto out;
	}
	if (e == OK)
		e = cache_open(n, s, kind, &op->document, value, &doc);
	if (e != OK && e != ERR_NOTFOUND && e != ERR_DAMAGED)
		goto out;
	if (e == ERR_DAMAGED || (doc != NULL && !may_append(doc, op->kind, &change))) {
		e = fold_document(n, s, op->kind, &op->document);       /* a damaged fold is made again */
		goto out;
	}
	if ((e = apply(n, s, op, kind, &doc)) == OK && doc != NULL)
		e = cache_write(n, s, op->kind, &op->document, doc);
	changed(n, s, op->kind);
out:
	doc_free(doc);
	buf_free(&plain);
	return e;
}

enum err fold_added(struct node *n, struct space *s, const struct op *op, uint32_t log)
{
	const struct kind_spec *kind = model_kind(op->kind);
	bool counts;
	enum err e;

	if (op->kind == KIND_EPOCH) {
		if ((e = index_epoch_op(n, s, op, log)) != OK || (e = fold_counts(n, s, op, &counts)) != OK || !counts)
			return e;
		return keys_take_epoch_op(n, s, op);
	}
	if (!op->has_document || op->body.data == NULL)
		return OK;
	if ((e = index_op(n, s, op, log)) != OK || kind == NULL)
		return e;
	if (hlc_is_future(op->hlc, n->wall_ms))
		return hold(n, s, op->hlc, log, op->seq);
	if (!has_key(s, op))
		return wait_for_key(n, s, op, log);
	return apply_to_cache(n, s, op, kind);
}

/* ---- many at once ---------------------------------------------------------------------------------------------------- */
struct doc_name { struct id16 id; uint32_t kind; };

static int by_name(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct doc_name));
}

/* Sorted, each once. */
static size_t names_once(struct doc_name *names, size_t total)
{
	size_t unique = 0;

	if (total > 0)
		qsort(names, total, sizeof *names, by_name);
	for (size_t i = 0; i < total; i++)
		if (i == 0 || by_name(&names[i], &names[unique - 1]) != 0)
			names[unique++] = names[i];
	return unique;
}

static enum err epoch_ops_again(struct node *n, struct space *s);

/* Every (document, kind) that has ops, once, ascending. */
static enum err names_of(struct node *n, struct space *s, struct doc_name **out, size_t *count)
{
	struct store_cursor *c = NULL;
	struct slice key, value;
	struct doc_name *names = NULL;
	size_t cap = 0, total = 0;
	uint8_t prefix[4];
	enum err e;

	*out = NULL;
	*count = 0;
	put_u32(prefix, s->number);
	e = store_cursor_open(&c, n->txn, TABLE_DOC_OPS, SLICE(prefix, 4), SLICE(NULL, 0), false);
	while (e == OK && (e = store_cursor_next(c, &key, &value)) == OK) {
		struct doc_name name = { .kind = get_u32(value.data + 12) }, *grown;

		memcpy(&name.id, key.data + 4, DOC_LEN);
		if (total > 0 && by_name(&names[total - 1], &name) == 0)
			continue;
		if ((grown = mem_grow(names, &cap, total, sizeof *names)) == NULL) {
			e = ERR_NOMEM;
			break;
		}
		names = grown;
		names[total++] = name;
	}
	store_cursor_close(c);
	if (e != ERR_NOTFOUND) {
		mem_free(names);
		return e;
	}
	*out = names;
	*count = names_once(names, total);
	return OK;
}

enum err fold_log(struct node *n, struct space *s, uint32_t log, uint64_t from, uint64_t to)
{
	struct doc_name *names = NULL, *grown;
	size_t cap = 0, count = 0;
	bool epochs = false;
	enum err e = OK;

	for (uint64_t seq = from; seq <= to && e == OK; seq++) {
		struct op op;

		if ((e = op_read(n, log, seq, &op)) != OK)
			break;
		epochs = epochs || op.kind == KIND_EPOCH;
		if (!op.has_document || (count > 0 && names[count - 1].kind == op.kind && id16_equal(&names[count - 1].id, &op.document)))
			continue;
		if ((grown = mem_grow(names, &cap, count, sizeof *names)) == NULL) {
			e = ERR_NOMEM;
			break;
		}
		names = grown;
		names[count++] = (struct doc_name){ op.document, op.kind };
	}
	count = names_once(names, count);
	for (size_t i = 0; i < count && e == OK; i++)
		e = fold_document(n, s, names[i].kind, &names[i].id);
	mem_free(names);
	return e == OK && epochs ? epoch_ops_again(n, s) : e;
}

/* Epoch ops decide which keys are known: they are looked at again too.  TABLE_INDEX 'e' ‖ space# ‖ epoch ‖ log# ‖ seq. */
static enum err epoch_ops_again(struct node *n, struct space *s)
{
	struct store_cursor *c = NULL;
	struct slice key;
	struct buf keys = {0};
	uint8_t prefix[5] = { 'e' };
	enum err e;

	keys_leads_forget(s);
	put_u32(prefix + 1, s->number);
	e = store_cursor_open(&c, n->txn, TABLE_INDEX, SLICE(prefix, 5), SLICE(NULL, 0), false);
	while (e == OK && (e = store_cursor_next(c, &key, NULL)) == OK)
		buf_put_slice(&keys, key);
	store_cursor_close(c);
	e = e == ERR_NOTFOUND ? keys.err : e;
	for (size_t at = 0; at + WAITING_KEY <= keys.len && e == OK; at += WAITING_KEY) {
		const uint8_t *k = keys.data + at;
		struct op op;
		bool counts;

		if ((e = op_read(n, get_u32(k + 5 + ID_LEN), get_u64(k + 9 + ID_LEN), &op)) == OK &&
		    (e = fold_counts(n, s, &op, &counts)) == OK && counts)
			e = keys_take_epoch_op(n, s, &op);
	}
	buf_free(&keys);
	return e == OK ? keys_leads_keep(n, s) : e;
}

enum err fold_space(struct node *n, struct space *s)
{
	struct doc_name *names;
	size_t count;
	enum err e;

	if ((e = epoch_ops_again(n, s)) == OK)
		e = names_of(n, s, &names, &count);
	if (e != OK)
		return e;
	for (size_t i = 0; i < count && e == OK; i++)
		e = fold_document(n, s, names[i].kind, &names[i].id);
	mem_free(names);
	return e;
}

enum err fold_epoch_opened(struct node *n, struct space *s, const struct id32 *epoch)
{
	struct store_cursor *c = NULL;
	struct slice key;
	struct buf keys = {0};
	uint8_t prefix[5 + ID_LEN] = { 'w' };
	enum err e;

	put_u32(prefix + 1, s->number);
	memcpy(prefix + 5, epoch, ID_LEN);
	e = store_cursor_open(&c, n->txn, TABLE_INDEX, SLICE(prefix, sizeof prefix), SLICE(NULL, 0), false);
	while (e == OK && (e = store_cursor_next(c, &key, NULL)) == OK)
		buf_put_slice(&keys, key);
	store_cursor_close(c);
	e = e == ERR_NOTFOUND ? keys.err : e;
	for (size_t at = 0; at + WAITING_KEY <= keys.len && e == OK; at += WAITING_KEY) {
		const uint8_t *k = keys.data + at;
		const struct kind_spec *kind;
		struct op op;

		if ((e = op_read(n, get_u32(k + 5 + ID_LEN), get_u64(k + 9 + ID_LEN), &op)) != OK ||
		    (e = store_delete(n->txn, TABLE_INDEX, SLICE(k, WAITING_KEY))) != OK)
			break;
		kind = model_kind(op.kind);
		if (kind != NULL)
			e = apply_to_cache(n, s, &op, kind);
	}
	buf_free(&keys);
	return e;
}

static struct space *space_numbered(struct node *n, uint32_t number)
{
	for (size_t i = 0; i < n->n_spaces; i++)
		if (n->spaces[i].number == number)
			return &n->spaces[i];
	return NULL;
}

/* The first held op, by due time.  ERR_NOTFOUND: none. */
static enum err first_held(struct node *n, uint8_t out[HELD_KEY])
{
	struct store_cursor *c = NULL;
	struct slice key;
	enum err e = store_cursor_open(&c, n->txn, TABLE_HELD, SLICE(NULL, 0), SLICE(NULL, 0), false);

	if (e == OK && (e = store_cursor_next(c, &key, NULL)) == OK)
		memcpy(out, key.data, HELD_KEY);
	store_cursor_close(c);
	return e;
}

enum err fold_due(struct node *n)
{
	uint8_t key[HELD_KEY];
	enum err e;

	while ((e = first_held(n, key)) == OK && !hlc_is_future(get_u64(key), n->wall_ms)) {
		struct space *s = space_numbered(n, get_u32(key + 8));
		struct op op;

		n->dirty = true;
		if ((e = store_delete(n->txn, TABLE_HELD, SLICE(key, HELD_KEY))) != OK)
			return e;
		if (s == NULL)
			continue;
		if ((e = op_read(n, get_u32(key + 12), get_u64(key + 16), &op)) != OK)
			return e;
		if (!has_key(s, &op))
			e = wait_for_key(n, s, &op, get_u32(key + 12));
		else
			e = fold_document(n, s, op.kind, &op.document);
		if (e != OK)
			return e;
	}
	return e == ERR_NOTFOUND ? OK : e;
}

uint64_t fold_next_due(struct node *n)
{
	uint8_t key[HELD_KEY];

	return first_held(n, key) == OK ? hlc_ms(get_u64(key)) - LIMIT_FUTURE_MS : NEVER;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */
enum err document_read(struct node *n, struct space *s, uint32_t kind_number, const struct id16 *id, struct doc **out)
{
	const struct kind_spec *kind = model_kind(kind_number);
	enum err e;

	*out = NULL;
	if (kind == NULL)
		return ERR_NOTFOUND;
	e = cache_read(n, s, kind, id, out);
	if (e == OK && !doc_created(*out)) {
		doc_free(*out);
		*out = NULL;
		e = ERR_NOTFOUND;
	}
	return e;
}

enum err documents_each(struct node *n, struct space *s, uint32_t kind_number, enum err (*each)(void *, const struct id16 *, struct doc **),
	void *arg)
{
	const struct kind_spec *kind = model_kind(kind_number);
	struct store_cursor *c = NULL;
	struct slice key, value;
	uint8_t prefix[8];
	enum err e;

	put_u32(prefix, s->number);
	put_u32(prefix + 4, kind_number);
	e = store_cursor_open(&c, n->txn, TABLE_DOC, SLICE(prefix, 8), SLICE(NULL, 0), false);
	while (e == OK && (e = store_cursor_next(c, &key, &value)) == OK) {
		struct doc *doc = NULL;
		struct id16 id;

		memcpy(&id, key.data + 8, DOC_LEN);
		e = cache_open(n, s, kind, &id, value, &doc);
		if (e == OK && doc_created(doc))
			e = each(arg, &id, &doc);
		doc_free(doc);
	}
	store_cursor_close(c);
	return e == ERR_NOTFOUND ? OK : e;
}

enum err fold_check(struct node *n, struct space *s, size_t *wrong)
{
	struct doc_name *names;
	size_t count;
	enum err e = names_of(n, s, &names, &count);

	*wrong = 0;
	if (e != OK)
		return e;
	for (size_t i = 0; e == OK && i < count; i++) {
		const struct kind_spec *kind = model_kind(names[i].kind);
		struct doc *cached = NULL, *folded = NULL;
		struct buf a = {0}, b = {0};

		if (kind == NULL)
			continue;
		e = cache_read(n, s, kind, &names[i].id, &cached);
		e = e == ERR_NOTFOUND ? OK : e;
		if (e == OK && (e = fold_build(n, s, kind, &names[i].id, n->wall_ms, &folded, NULL)) == OK &&
		    (cached == NULL || (e = doc_encode(&a, cached)) == OK) && (folded == NULL || (e = doc_encode(&b, folded)) == OK))
			*wrong += !slice_equal(buf_slice(&a), buf_slice(&b));
		doc_free(cached);
		doc_free(folded);
		buf_free(&a);
		buf_free(&b);
	}
	mem_free(names);
	return e;
}

enum err fold_hash(struct node *n, struct space *s, struct id32 *out)
{
	struct doc_name *names;
	size_t count;
	struct id32 hash = {{0}};
	enum err e = names_of(n, s, &names, &count);

	for (size_t i = 0; e == OK && i < count; i++) {
		const struct kind_spec *kind = model_kind(names[i].kind);
		struct buf b = {0};
		struct doc *doc = NULL;

		if (kind == NULL)
			continue;
		e = fold_build(n, s, kind, &names[i].id, NEVER, &doc, NULL);
		if (e == OK && doc != NULL && (e = doc_encode(&b, doc)) == OK) {
			struct slice parts[] = { SLICE(&hash, ID_LEN), SLICE(&names[i].id, DOC_LEN), buf_slice(&b) };

			crypto_hash(&hash, "cairn-state", parts, 3);
		}
		doc_free(doc);
		buf_free(&b);
	}
	mem_free(names);
	*out = hash;
	return e;
}
