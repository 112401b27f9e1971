/* toy: replicas of one space in memory, and a bad network between them, for the tests of sessions.  A replica knows nothing of what
 * acts and ops mean: it keeps parents before children, logs without gaps, forks bounded, and the newest statement. */
#ifndef NET_TOY_H
#define NET_TOY_H
#include "base/rng.h"
#include "crdt/trie.h"
#include "net/session.h"
#include "tests/unit/net_records.h"

/* ---- a replica ---- */

struct entry {
	struct slot slot;
	struct id32 hashed;
	uint64_t journal;
	struct record *record;          /* one; of a log its ops; of a fork two runs */
	size_t n, cap;
	uint64_t bound;                 /* of a log: ends here; 0: no bound */
};
struct toy_node { uint8_t path[TRIE_DEPTH], path_len; uint8_t *bytes; size_t len; };
struct toy_trie { struct toy_node *node; size_t n, cap; };
struct change { struct slot slot; uint64_t old_version; };
struct toy {
	struct id32 space;
	struct id16 nonce;
	struct entry **entry;           /* by hashed key */
	size_t n, cap;
	struct toy_trie trie[2];
	struct trie_change *dirty[2];
	size_t n_dirty[2], cap_dirty[2];
	bool rebuild;
	uint64_t journal;
	struct change *change;          /* since the caller last cleared n_changes */
	size_t n_changes, cap_changes;
	struct { struct id32 peer; struct id16 nonce; uint64_t journal; } cursor[8];
	size_t n_cursors, cursor_writes;
	bool pending, unknown, no_data, refuse_statements, refuse_acts, silent_content, no_journal;
	enum err fail;                  /* the next fail_count things are not taken, for this reason */
	size_t fail_count;
	struct toy *next;               /* of another space, same device */
	size_t takes, missing;
};

static void grow(void *array, size_t *cap, size_t n, size_t size)
{
	void **p = array;

	if (n < *cap)
		return;
	*cap = *cap < 8 ? 16 : *cap * 2;
	*p = realloc(*p, *cap * size);
}

static size_t toy_place(const struct toy *t, const struct id32 *hashed)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (id32_compare(&t->entry[mid]->hashed, hashed) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct entry *toy_find(const struct toy *t, struct slice key)
{
	struct id32 hashed;
	size_t at;

	trie_slot_key(&hashed, key);
	at = toy_place(t, &hashed);
	return at < t->n && id32_equal(&t->entry[at]->hashed, &hashed) ? t->entry[at] : NULL;
}

static struct entry *toy_entry(struct toy *t, const struct slot *slot)
{
	struct slice key = SLICE(slot->key, slot->key_len);
	struct entry *e = toy_find(t, key);
	size_t at;

	if (e != NULL)
		return e;
	e = calloc(1, sizeof *e);
	e->slot = *slot;
	e->slot.version = 0;
	trie_slot_key(&e->hashed, key);
	at = toy_place(t, &e->hashed);
	grow(&t->entry, &t->cap, t->n, sizeof *t->entry);
	memmove(t->entry + at + 1, t->entry + at, (t->n - at) * sizeof *t->entry);
	t->entry[at] = e;
	t->n++;
	return e;
}

static void toy_mark(struct toy *t, const struct entry *e)
{
	int section = slot_section(SLICE(e->slot.key, e->slot.key_len));
	struct trie_change *c;

	grow(&t->dirty[section], &t->cap_dirty[section], t->n_dirty[section], sizeof *t->dirty[0]);
	c = &t->dirty[section][t->n_dirty[section]++];
	c->key = e->hashed;
	c->remove = false;
	trie_slot_value(&c->value, e->slot.version, &e->slot.id);
}

/* The slot has a new version and id. */
static void toy_changed(struct toy *t, struct entry *e, uint64_t version, const struct id32 *id)
{
	uint64_t old = e->slot.version;

	e->slot.version = version;
	e->slot.id = *id;
	e->journal = ++t->journal;
	toy_mark(t, e);
	grow(&t->change, &t->cap_changes, t->n_changes, sizeof *t->change);
	t->change[t->n_changes++] = (struct change){ e->slot, old };
}

static void entry_clear(struct entry *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->record[i].bytes);
	e->n = 0;
}

static void entry_add(struct entry *e, struct record r)
{
	grow(&e->record, &e->cap, e->n, sizeof *e->record);
	e->record[e->n++] = r;
}

static struct record record_copy(struct slice bytes, const struct id32 *id)
{
	struct record r = { malloc(bytes.len + 1), bytes.len, *id };

	memcpy(r.bytes, bytes.data, bytes.len);
	return r;
}

/* ---- its tries ---- */

static size_t trie_place(const struct toy_trie *t, struct slice path, bool *here)
{
	size_t low = 0, high = t->n;
	int order = 1;

	*here = false;
	while (low < high) {
		size_t mid = (low + high) / 2;

		order = slice_compare(SLICE(t->node[mid].path, t->node[mid].path_len), path);
		if (order == 0) {
			*here = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static enum err toy_trie_get(void *arg, struct slice path, struct slice *node)
{
	struct toy_trie *t = arg;
	bool here;
	size_t at = trie_place(t, path, &here);

	if (!here)
		return ERR_NOTFOUND;
	*node = SLICE(t->node[at].bytes, t->node[at].len);
	return OK;
}

static enum err toy_trie_put(void *arg, struct slice path, struct slice node)
{
	struct toy_trie *t = arg;
	bool here;
	size_t at = trie_place(t, path, &here);

	if (!here) {
		grow(&t->node, &t->cap, t->n, sizeof *t->node);
		memmove(t->node + at + 1, t->node + at, (t->n - at) * sizeof *t->node);
		t->n++;
		t->node[at] = (struct toy_node){ .path_len = (uint8_t)path.len };
		if (path.len > 0)
			memcpy(t->node[at].path, path.data, path.len);
	}
	free(t->node[at].bytes);
	t->node[at].bytes = malloc(node.len);
	t->node[at].len = node.len;
	memcpy(t->node[at].bytes, node.data, node.len);
	return OK;
}

static enum err toy_trie_remove(void *arg, struct slice path)
{
	struct toy_trie *t = arg;
	bool here;
	size_t at = trie_place(t, path, &here);

	if (here) {
		free(t->node[at].bytes);
		memmove(t->node + at, t->node + at + 1, (t->n - at - 1) * sizeof *t->node);
		t->n--;
	}
	return OK;
}

static struct trie_nodes toy_nodes(struct toy *t, int section)
{
	return (struct trie_nodes){ &t->trie[section], toy_trie_get, toy_trie_put, toy_trie_remove };
}

static void toy_trie_free(struct toy_trie *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->node[i].bytes);
	free(t->node);
	*t = (struct toy_trie){0};
}

/* Bring the tries up to date; after a failure they are made anew. */
static enum err toy_flush(struct toy *t)
{
	if (t->rebuild) {
		for (int k = 0; k < 2; k++) {
			toy_trie_free(&t->trie[k]);
			t->n_dirty[k] = 0;
		}
		for (size_t i = 0; i < t->n; i++)
			toy_mark(t, t->entry[i]);
		t->rebuild = false;
	}
	for (int k = 0; k < 2; k++) {
		struct trie_nodes nodes = toy_nodes(t, k);
		enum err e = t->n_dirty[k] > 0 ? trie_update(&nodes, t->dirty[k], t->n_dirty[k]) : OK;

		t->n_dirty[k] = 0;
		t->rebuild |= e != OK;
		if (e != OK)
			return e;
	}
	return OK;
}

/* ---- struct net_data ---- */

static struct toy *toy_of(void *arg, const struct id32 *space)
{
	struct toy *t = arg;

	while (!id32_equal(&t->space, space)) {
		t = t->next;
		assert_non_null(t);             /* a session asks for common spaces only */
	}
	return t;
}

static enum err toy_roots(void *arg, const struct id32 *space, struct net_roots *out)
{
	struct toy *t = toy_of(arg, space);
	struct trie_nodes authority = toy_nodes(t, 0), data = toy_nodes(t, 1);
	enum err e = toy_flush(t);

	if (e == OK)
		e = trie_root(&authority, &out->authority);
	if (e == OK)
		e = trie_root(&data, &out->data);
	out->pending = t->pending;
	out->journal = t->journal;
	return e;
}

static enum err toy_node(void *arg, const struct id32 *space, enum net_section section, struct slice path, struct net_node *out)
{
	struct toy *t = toy_of(arg, space);
	struct trie_nodes nodes = toy_nodes(t, section);
	struct trie_node node;
	enum err e = toy_flush(t);

	*out = (struct net_node){0};
	if (e == OK)
		e = trie_node(&nodes, path, &node);
	for (int i = 0; e == OK && i < 16; i++) {
		out->child[i].kind = node.child[i].kind == TRIE_EMPTY ? CHILD_EMPTY
			: node.child[i].kind == TRIE_LEAF ? CHILD_LEAF : CHILD_BRANCH;
		if (out->child[i].kind == CHILD_BRANCH)
			out->child[i].hash = node.child[i].hash;
		if (out->child[i].kind == CHILD_LEAF)
			out->child[i].slot = t->entry[toy_place(t, &node.child[i].key)]->slot;
	}
	return e;
}

static enum err toy_slot(void *arg, const struct id32 *space, struct slice key, struct slot *out)
{
	struct entry *e = toy_find(toy_of(arg, space), key);

	if (e == NULL)
		return ERR_NOTFOUND;
	*out = e->slot;
	return OK;
}

struct toy_below { struct toy *t; enum err (*each)(void *, const struct slot *); void *arg; };

static enum err toy_leaf(void *arg, const struct trie_child *leaf)
{
	struct toy_below *b = arg;

	return b->each(b->arg, &b->t->entry[toy_place(b->t, &leaf->key)]->slot);
}

static enum err toy_slots_below(void *arg, const struct id32 *space, enum net_section section, struct slice path,
	enum err (*each)(void *, const struct slot *), void *each_arg)
{
	struct toy *t = toy_of(arg, space);
	struct toy_below b = { t, each, each_arg };
	struct trie_nodes nodes = toy_nodes(t, section);
	enum err e = toy_flush(t);

	return e == OK ? trie_walk(&nodes, path, toy_leaf, &b) : e;
}

/* The longest run from seq at + 1 on that ends in a signature. */
static size_t toy_run(const struct entry *e, uint64_t at, struct op *ops)
{
	size_t bytes = 0, n = 0, end = 0;

	for (; n < LIMIT_RUN_OPS && at + n < e->n && bytes + e->record[at + n].len < LIMIT_RUN_BYTES - 1000; n++) {
		assert_int_equal(op_load(&ops[n], SLICE(e->record[at + n].bytes, e->record[at + n].len)), OK);
		bytes += e->record[at + n].len;
		if (ops[n].has_signature)
			end = n + 1;
	}
	return end;
}

static enum err toy_runs(const struct entry *e, uint64_t have, size_t budget, enum err (*piece)(void *, struct slice), void *piece_arg,
	uint64_t *upto)
{
	static struct op ops[LIMIT_RUN_OPS];
	size_t sent = 0;

	for (uint64_t at = have; at < e->slot.version; ) {
		size_t n = toy_run(e, at, ops);
		struct buf out = {0};
		enum err err;

		if (n == 0)
			return OK;
		err = run_encode(&out, ops, n);
		sent += out.len;
		if (err == OK && (at == have || sent <= budget))
			err = piece(piece_arg, buf_slice(&out));
		else if (err == OK)
			n = 0;
		buf_free(&out);
		if (err != OK || n == 0)
			return err;
		at += n;
		*upto = at;
	}
	return OK;
}

static enum err toy_content(void *arg, const struct id32 *space, struct slice key, uint64_t have, size_t budget,
	enum err (*piece)(void *, struct slice), void *piece_arg, uint64_t *upto)
{
	struct toy *t = toy_of(arg, space);
	struct entry *e = toy_find(t, key);
	enum err err = OK;

	if (e == NULL || t->silent_content)
		return ERR_NOTFOUND;
	if (key.data[0] == 'L')
		return toy_runs(e, have, budget, piece, piece_arg, upto);
	for (size_t i = 0; i < e->n && err == OK; i++)
		err = piece(piece_arg, SLICE(e->record[i].bytes, e->record[i].len));
	*upto = e->slot.version;
	return err;
}

static enum err toy_take_act(void *arg, const struct id32 *peer, const struct act *a, struct slice bytes)
{
	struct toy *t = toy_of(arg, a->n_cites == 0 ? &a->id : &a->space);
	struct slot slot;
	struct entry *e;

	(void)peer;
	t->takes++;
	if (t->fail_count > 0) {
		t->fail_count--;
		return t->fail;
	}
	if (t->refuse_acts && peer != NULL)
		return ERR_DENIED;
	for (size_t i = 0; i < a->n_cites; i++) {
		slot_act(&slot, &a->cites[i]);
		if (toy_find(t, SLICE(slot.key, slot.key_len)) == NULL) {
			t->missing++;
			return ERR_MISSING;
		}
	}
	slot_act(&slot, &a->id);
	e = toy_entry(t, &slot);
	if (e->n > 0)
		return OK;
	entry_add(e, record_copy(bytes, &a->id));
	toy_changed(t, e, 0, &a->id);
	return OK;
}

static struct record toy_piece(const struct op *ops, size_t n)
{
	struct buf out = {0};

	assert_int_equal(run_encode(&out, ops, n), OK);
	return toy_record(&out, &ops[0].id);
}

/* Two runs from one prev: the log ends before them. */
static void toy_add_fork(struct toy *t, const struct op *a, size_t n_a, const struct op *b, size_t n_b)
{
	bool in_order = id32_compare(&a->id, &b->id) < 0;
	struct slot fork, log;
	struct entry *f, *l;
	struct id32 none = {{0}};

	slot_fork(&fork, &a->device, a->incarnation, a->seq, in_order ? &a->id : &b->id);
	f = toy_entry(t, &fork);
	if (f->n == 0 || a->seq < f->slot.version
			|| (a->seq == f->slot.version && id32_compare(in_order ? &a->id : &b->id, &f->slot.id) < 0)) {
		entry_clear(f);
		entry_add(f, in_order ? toy_piece(a, n_a) : toy_piece(b, n_b));
		entry_add(f, in_order ? toy_piece(b, n_b) : toy_piece(a, n_a));
		toy_changed(t, f, a->seq, in_order ? &a->id : &b->id);
	}
	slot_log(&log, &a->device, a->incarnation, 0, &none);
	l = toy_entry(t, &log);
	l->bound = a->seq;              /* exclusive */
	if (l->n >= a->seq) {
		for (size_t i = a->seq - 1; i < l->n; i++)
			free(l->record[i].bytes);
		l->n = a->seq - 1;
		toy_changed(t, l, l->n, l->n > 0 ? &l->record[l->n - 1].id : &none);
	}
}

static enum err toy_append(struct toy *t, struct entry *e, const struct run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		static struct op own[LIMIT_RUN_OPS];
		struct op op = run->ops[i];
		struct buf out = {0};
		size_t n_own;

		if (e->bound != 0 && op.seq >= e->bound)
			return OK;
		if (op.seq <= e->n) {
			if (id32_equal(&e->record[op.seq - 1].id, &op.id))
				continue;
			n_own = toy_run(e, op.seq - 1, own);
			if (n_own == 0 || !id32_equal(&own[0].prev, &op.prev))
				return ERR_FORK;
			toy_add_fork(t, own, n_own, run->ops + i, run->n - i);
			return ERR_FORK;
		}
		if (op.seq != e->n + 1)
			return ERR_MISSING;
		if (e->n > 0 && !id32_equal(&e->record[e->n - 1].id, &op.prev))
			return ERR_FORK;
		if (op_store(&out, &op) != OK) {
			buf_free(&out);
			return ERR_NOMEM;
		}
		entry_add(e, toy_record(&out, &op.id));
		toy_changed(t, e, e->n, &op.id);
	}
	return OK;
}

static enum err toy_take_run(void *arg, const struct id32 *peer, const struct run *run, struct slice bytes)
{
	struct toy *t = toy_of(arg, &run->space);
	struct id32 none = {{0}};
	struct slot slot;
	struct entry *e;
	size_t n_before = t->n_changes;
	uint64_t before;
	enum err err;

	(void)peer, (void)bytes;
	t->takes++;
	if (t->fail_count > 0) {
		t->fail_count--;
		return t->fail;
	}
	for (size_t i = 0; i < run->n; i++)
		for (size_t k = 0; k < run->ops[i].n_heads; k++) {
			slot_act(&slot, &run->ops[i].heads[k]);
			if (toy_find(t, SLICE(slot.key, slot.key_len)) == NULL) {
				t->missing++;
				return ERR_MISSING;
			}
		}
	slot_log(&slot, &run->device, run->incarnation, 0, &none);
	e = toy_find(t, SLICE(slot.key, slot.key_len));
	if (run->first_seq > (e == NULL ? 0 : e->n) + 1 && !(e != NULL && e->bound != 0 && run->first_seq >= e->bound)) {
		t->missing++;
		return ERR_MISSING;
	}
	e = toy_entry(t, &slot);
	before = e->slot.version;
	err = toy_append(t, e, run);
	/* One change of the slot per run. */
	for (size_t i = n_before; i + 1 < t->n_changes; )
		if (t->change[i].slot.key[0] == 'L') {
			memmove(t->change + i, t->change + i + 1, (t->n_changes - i - 1) * sizeof *t->change);
			t->n_changes--;
		} else {
			i++;
		}
	if (t->n_changes > n_before && t->change[t->n_changes - 1].slot.key[0] == 'L')
		t->change[t->n_changes - 1].old_version = before;
	return err;
}

static enum err toy_take_statement(void *arg, const struct id32 *peer, const struct statement *s, struct slice bytes)
{
	struct toy *t = toy_of(arg, &s->space);
	struct slot slot;
	struct entry *e;

	(void)peer;
	t->takes++;
	if (t->fail_count > 0) {
		t->fail_count--;
		return t->fail;
	}
	if (t->refuse_statements)
		return ERR_DENIED;
	slot_statement(&slot, s);
	e = toy_entry(t, &slot);
	if (e->n > 0 && (e->slot.version > s->counter
			|| (e->slot.version == s->counter && id32_compare(&e->slot.id, &s->id) >= 0)))
		return OK;
	entry_clear(e);
	entry_add(e, record_copy(bytes, &s->id));
	toy_changed(t, e, s->counter, &s->id);
	return OK;
}

static enum err toy_take_fork(void *arg, const struct id32 *peer, const struct run *a, struct slice a_bytes, const struct run *b,
	struct slice b_bytes)
{
	struct toy *t = toy_of(arg, &a->space);

	(void)peer, (void)a_bytes, (void)b_bytes;
	if (t->fail_count > 0) {
		t->fail_count--;
		return t->fail;
	}
	toy_add_fork(t, a->ops, a->n, b->ops, b->n);
	return OK;
}

static bool toy_may_send(void *arg, const struct id32 *peer, const struct id32 *space, enum net_section section, struct slice key)
{
	struct toy *t = toy_of(arg, space);

	(void)peer, (void)key;
	return section == NET_AUTHORITY || !t->no_data;
}

static bool toy_may_take(void *arg, const struct id32 *peer, const struct id32 *space, enum net_section section)
{
	return toy_may_send(arg, peer, space, section, SLICE(NULL, 0));
}

static size_t toy_common(void *arg, const struct id32 *peer, struct id32 *spaces, size_t max)
{
	size_t n = 0;

	(void)peer;
	for (struct toy *t = arg; t != NULL; t = t->next)
		if (!t->unknown && n < max)
			spaces[n++] = t->space;
	qsort(spaces, n, sizeof *spaces, by_id);
	return n;
}

static int by_journal(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;

	return ((*x)->journal > (*y)->journal) - ((*x)->journal < (*y)->journal);
}

static enum err toy_since(void *arg, const struct id32 *space, uint64_t journal, size_t max,
	enum err (*each)(void *, const struct slot *, enum net_section), void *each_arg, uint64_t *covered)
{
	struct toy *t = toy_of(arg, space);
	struct entry **sorted = malloc((t->n + 1) * sizeof *sorted);
	size_t n = 0;
	enum err e = OK;

	*covered = journal;
	if (t->no_journal) {
		free(sorted);
		return ERR_NOTFOUND;
	}
	for (size_t i = 0; i < t->n; i++)
		if (t->entry[i]->journal > journal)
			sorted[n++] = t->entry[i];
	qsort(sorted, n, sizeof *sorted, by_journal);
	for (size_t i = 0; i < n && i < max && e == OK; i++) {
		e = each(each_arg, &sorted[i]->slot, slot_section(SLICE(sorted[i]->slot.key, sorted[i]->slot.key_len)));
		*covered = sorted[i]->journal;
	}
	if (n <= max)
		*covered = t->journal;
	free(sorted);
	return e;
}

static uint64_t toy_cursor(void *arg, const struct id32 *peer, const struct id16 *nonce, const struct id32 *space)
{
	struct toy *t = toy_of(arg, space);

	for (size_t i = 0; i < t->n_cursors; i++)
		if (id32_equal(&t->cursor[i].peer, peer) && id16_equal(&t->cursor[i].nonce, nonce))
			return t->cursor[i].journal;
	return 0;
}

static void toy_set_cursor(void *arg, const struct id32 *peer, const struct id16 *nonce, const struct id32 *space, uint64_t journal)
{
	struct toy *t = toy_of(arg, space);
	size_t i = 0;

	t->cursor_writes++;
	while (i < t->n_cursors && !(id32_equal(&t->cursor[i].peer, peer) && id16_equal(&t->cursor[i].nonce, nonce)))
		i++;
	assert_true(i < 8);
	t->cursor[i].peer = *peer;
	t->cursor[i].nonce = *nonce;
	t->cursor[i].journal = journal;
	if (i == t->n_cursors)
		t->n_cursors++;
}

static struct net_data toy_data(struct toy *t)
{
	return (struct net_data){ t, toy_roots, toy_node, toy_slot, toy_slots_below, toy_content, toy_take_act, toy_take_run,
		toy_take_statement, toy_take_fork, toy_may_send, toy_may_take, toy_common, toy_since, toy_cursor, toy_set_cursor };
}

/* ---- writing into a replica ---- */

static void toy_put_act(struct toy *t, struct record r)
{
	struct act a;

	assert_int_equal(act_load(&a, SLICE(r.bytes, r.len)), OK);
	assert_int_equal(toy_take_act(t, NULL, &a, SLICE(r.bytes, r.len)), OK);
	free(r.bytes);
}

static void toy_put_statement(struct toy *t, struct record r)
{
	struct statement s;

	assert_int_equal(statement_load(&s, SLICE(r.bytes, r.len)), OK);
	assert_int_equal(toy_take_statement(t, NULL, &s, SLICE(r.bytes, r.len)), OK);
	free(r.bytes);
}

/* One op more in a log of this replica, under an act. */
static void toy_write_under(struct toy *t, const struct author *by, uint64_t incarnation, size_t len, uint32_t salt,
	const struct id32 *head)
{
	struct id32 none = {{0}};
	struct slot slot;
	struct entry *e;
	struct op prev;

	slot_log(&slot, &by->id, incarnation, 0, &none);
	e = toy_entry(t, &slot);
	if (e->n > 0)
		assert_int_equal(op_load(&prev, SLICE(e->record[e->n - 1].bytes, e->record[e->n - 1].len)), OK);
	entry_add(e, toy_op(&t->space, by, incarnation, e->n > 0 ? &prev : NULL, len, salt, head));
	toy_changed(t, e, e->n, &e->record[e->n - 1].id);
}

static void toy_write(struct toy *t, const struct author *by, uint64_t incarnation, size_t len, uint32_t salt)
{
	toy_write_under(t, by, incarnation, len, salt, &t->space);
}

static void toy_init(struct toy *t, const struct id32 *space, uint8_t name)
{
	*t = (struct toy){ .space = *space };
	memset(t->nonce.b, name, DOC_LEN);
}

static void toy_free(struct toy *t)
{
	for (size_t i = 0; i < t->n; i++) {
		entry_clear(t->entry[i]);
		free(t->entry[i]->record);
		free(t->entry[i]);
	}
	for (int k = 0; k < 2; k++) {
		toy_trie_free(&t->trie[k]);
		free(t->dirty[k]);
	}
	free(t->entry);
	free(t->change);
}

static bool toy_equal(struct toy *a, struct toy *b)
{
	struct net_roots x, y;

	assert_int_equal(toy_roots(a, &a->space, &x), OK);
	assert_int_equal(toy_roots(b, &b->space, &y), OK);
	return id32_equal(&x.authority, &y.authority) && id32_equal(&x.data, &y.data);
}

/* ---- the network ---- */

#define TYPES 17
struct frame { uint8_t *bytes; size_t len; };
struct end {
	struct world *world;
	struct toy *toy;
	struct session *session;
	struct end *other;
	struct frame *in;               /* towards this end, oldest first */
	size_t n, cap, in_bytes;
	size_t sent[TYPES], most_in_flight;
	uint64_t next;
	enum err closed;
	bool deaf;                      /* all frames towards it are lost */
	enum net_type lose;             /* frames of this type towards it are lost */
	size_t lose_count;
};
struct world {
	uint64_t now;
	struct rng rng;
	unsigned lost, doubled, reordered;      /* per thousand */
	struct end end[8];
	size_t n;
};

static void world_init(struct world *w, uint64_t seed)
{
	*w = (struct world){ .now = 1000000 };
	rng_seed_u64(&w->rng, seed);
}

static bool chance(struct world *w, unsigned per_thousand)
{
	return per_thousand > 0 && rng_below(&w->rng, 1000) < per_thousand;
}

static void enqueue(struct end *to, struct slice bytes)
{
	struct frame f = { malloc(bytes.len), bytes.len };

	memcpy(f.bytes, bytes.data, bytes.len);
	grow(&to->in, &to->cap, to->n, sizeof *to->in);
	to->in[to->n++] = f;
	to->in_bytes += f.len;
	if (to->in_bytes > to->most_in_flight)
		to->most_in_flight = to->in_bytes;
}

static void world_send(void *arg, struct slice bytes)
{
	struct end *from = arg, *to = from->other;
	struct world *w = from->world;

	assert_true(bytes.len <= LIMIT_FRAME);
	from->sent[bytes.data[1] % TYPES]++;            /* the type is the second byte of every frame */
	if (to->deaf || chance(w, w->lost))
		return;
	if (to->lose != 0 && to->lose == (enum net_type)bytes.data[1] && to->lose_count > 0) {
		to->lose_count--;
		return;
	}
	enqueue(to, bytes);
	if (chance(w, w->doubled))
		enqueue(to, bytes);
}

static struct net_out end_out(struct end *e)
{
	return (struct net_out){ e, world_send };
}

static struct id32 toy_device(const struct toy *t)
{
	struct id32 id;

	crypto_hash1(&id, "toy", t->nonce.b, DOC_LEN);
	return id;
}

/* Connect two replicas; a dials.  False: out of memory. */
static bool world_connect(struct world *w, struct toy *a, struct toy *b)
{
	struct end *x = &w->end[w->n], *y = &w->end[w->n + 1];
	struct id32 id_a = toy_device(a), id_b = toy_device(b);
	struct net_data data_a = toy_data(a), data_b = toy_data(b);
	struct net_out out_x = end_out(x), out_y = end_out(y);
	static const struct slice address = { (const uint8_t *)"tcp://10.0.0.1:7411", 19 };
	struct session_hello hello = { .addresses = &address, .n_addresses = 1, .agent = SLICE("toy", 3) };

	w->n += 2;
	*x = (struct end){ .world = w, .toy = a, .other = y, .session = session_new(&data_a, &id_b, true, w->now) };
	*y = (struct end){ .world = w, .toy = b, .other = x, .session = session_new(&data_b, &id_a, false, w->now) };
	if (x->session == NULL || y->session == NULL)
		return false;
	hello.nonce = a->nonce;
	if (session_start(x->session, &out_x, &hello) != OK)
		return false;
	hello.nonce = b->nonce;
	return session_start(y->session, &out_y, &hello) == OK;
}

static void world_disconnect(struct world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct end *e = &w->end[i];

		for (size_t k = 0; k < e->n; k++)
			free(e->in[k].bytes);
		free(e->in);
		session_free(e->session);
	}
	w->n = 0;
}

/* What a replica has changed goes to all its sessions but the one that it came from (what it found out itself, to that too). */
static void world_announce_one(struct world *w, struct toy *first, struct toy *t, struct end *from)
{
	for (size_t k = 0; k < t->n_changes; k++)
		for (size_t i = 0; i < w->n; i++) {
			struct net_out out = end_out(&w->end[i]);
			const struct change *c = &t->change[k];

			if (w->end[i].toy == first && (&w->end[i] != from || c->slot.key[0] == 'F'))
				session_changed(w->end[i].session, &out, &t->space, &c->slot, c->old_version);
		}
	t->n_changes = 0;
}

static void world_announce(struct world *w, struct toy *t, struct end *from)
{
	for (struct toy *each = t; each != NULL; each = each->next)
		world_announce_one(w, t, each, from);
}

static void deliver(struct world *w, struct end *e)
{
	size_t at = e->n > 1 && chance(w, w->reordered) ? rng_below(&w->rng, e->n < 8 ? e->n : 8) : 0;
	struct frame f = e->in[at];
	struct net_out out = end_out(e);
	struct net_message m;
	enum err err;

	memmove(e->in + at, e->in + at + 1, (e->n - at - 1) * sizeof *e->in);
	e->n--;
	e->in_bytes -= f.len;
	err = net_check(&m, SLICE(f.bytes, f.len));
	if (err == OK) {
		err = session_message(e->session, &out, &m, w->now, w->now + 1700000000000);
		net_message_free(&m);
	}
	if (err != OK && err != ERR_NOMEM)
		e->closed = err;
	free(f.bytes);
	world_announce(w, e->toy, e);
}

static bool world_quiet(const struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->end[i].n > 0)
			return false;
	return true;
}

static uint64_t world_next(const struct world *w)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < w->n; i++)
		if (session_next(w->end[i].session) < next)
			next = session_next(w->end[i].session);
	return next;
}

static void world_tick(struct world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct end *e = &w->end[i];
		struct net_out out = end_out(e);
		enum err err;

		if (session_next(e->session) > w->now)
			continue;
		err = session_tick(e->session, &out, w->now, &e->next);
		if (err != OK)
			e->closed = err;
		if (err == ERR_WAITING)
			w->now++;               /* nobody closes it here: do not spin */
	}
}

/* Up to eight frames for each end in a millisecond; when nothing is under way, time jumps to the next timer. */
static void world_run(struct world *w, uint64_t ms)
{
	uint64_t end = w->now + ms, next;

	while (w->now < end) {
		for (int k = 0; k < 8; k++)
			for (size_t i = 0; i < w->n; i++)
				if (w->end[i].n > 0)
					deliver(w, &w->end[i]);
		world_tick(w);
		next = world_quiet(w) ? world_next(w) : w->now + 1;
		w->now = next <= w->now ? w->now + 1 : next < end ? next : end;
	}
}

/* Until no frame is under way, without a timer. */
static void world_settle(struct world *w)
{
	while (!world_quiet(w))
		for (size_t i = 0; i < w->n; i++)
			if (w->end[i].n > 0)
				deliver(w, &w->end[i]);
}

static void world_compare(struct world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct net_out out = end_out(&w->end[i]);

		session_compare(w->end[i].session, &out, NULL, w->now);
	}
}

static struct session_space end_space(const struct end *e)
{
	struct session_space s = {0};

	session_list(e->session, &s, 1);
	return s;
}

static bool world_in_sync(const struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (!end_space(&w->end[i]).in_sync)
			return false;
	return true;
}

static size_t world_bytes(const struct world *w)
{
	size_t bytes = 0;

	for (size_t i = 0; i < w->n; i++)
		bytes += session_counters(w->end[i].session)->bytes_out;
	return bytes;
}

#endif
