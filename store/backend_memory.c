/* backend_memory: a B+tree whose nodes are counted references and are copied before they change.  A transaction, what is synced, a
 * clone of a disk: each is just a root, so a thousand simulated nodes share what they have in common.  Deterministic. */
#include "store/backend.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>

#define ORDER 32
#define HEIGHT 24                       /* splits leave at least one child: never reached */

struct record {                         /* immutable once another tree can see it */
	uint32_t refs, value_len;
	uint16_t key_len;
	uint8_t bytes[];                /* key ‖ value */
};
struct node {
	uint32_t refs;
	uint16_t count;
	bool leaf;
	struct record *records[ORDER];  /* leaf: the records; else: lower bounds of the children, [0] is NULL (minus infinity) */
	struct node *children[];        /* ORDER of them, if no leaf */
};
struct tree { struct node *root; size_t bytes, count; };

struct store_disk {
	struct tree current, durable;
	size_t limit;
	int failing;
	bool unsynced, open;
	uint64_t identity;
};
struct memory_txn { struct store_disk *disk; struct tree tree; bool write, dirty; };
struct memory_cursor {
	struct memory_txn *txn;
	int depth;                      /* 0: at no record */
	struct { const struct node *node; int at; } path[HEIGHT];
};

/* ---- records and nodes ---- */

static struct record *record_new(struct slice key, size_t value_len)
{
	struct record *r = mem_alloc(sizeof *r + key.len + value_len);

	if (r == NULL)
		return NULL;
	r->refs = 1;
	r->key_len = (uint16_t)key.len;
	r->value_len = (uint32_t)value_len;
	if (key.len > 0)
		memcpy(r->bytes, key.data, key.len);
	return r;
}

static struct record *record_ref(struct record *r)
{
	if (r != NULL)
		r->refs++;
	return r;
}

static void record_drop(struct record *r)
{
	if (r != NULL && --r->refs == 0)
		mem_free(r);
}

static struct slice record_key(const struct record *r)
{
	return SLICE(r->bytes, r->key_len);
}

static struct slice record_value(const struct record *r)
{
	return SLICE(r->bytes + r->key_len, r->value_len);
}

static size_t record_size(const struct record *r)
{
	return (size_t)r->key_len + r->value_len + 16;  /* about what LMDB's page takes for it */
}

static struct node *node_new(bool leaf)
{
	struct node *n = mem_alloc(sizeof *n + (leaf ? 0 : ORDER * sizeof n->children[0]));

	if (n != NULL) {
		n->refs = 1;
		n->leaf = leaf;
	}
	return n;
}

static struct node *node_ref(struct node *n)
{
	if (n != NULL)
		n->refs++;
	return n;
}

static void node_drop(struct node *n)
{
	if (n == NULL || --n->refs > 0)
		return;
	for (int i = 0; i < n->count; i++) {
		record_drop(n->records[i]);
		if (!n->leaf)
			node_drop(n->children[i]);
	}
	mem_free(n);
}

/* Make *slot, which only its parent may reach through a unique path, our own.  False: no memory, nothing changed. */
static bool node_own(struct node **slot)
{
	struct node *old = *slot, *n;

	if (old->refs == 1)
		return true;
	n = node_new(old->leaf);
	if (n == NULL)
		return false;
	n->count = old->count;
	for (int i = 0; i < n->count; i++) {
		n->records[i] = record_ref(old->records[i]);
		if (!n->leaf)
			n->children[i] = node_ref(old->children[i]);
	}
	old->refs--;
	*slot = n;
	return true;
}

/* The first place in [low, count) whose record is >= key. */
static int lower_bound(const struct node *n, int low, struct slice key)
{
	int high = n->count;

	while (low < high) {
		int mid = (low + high) / 2;

		if (slice_compare(record_key(n->records[mid]), key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_at(const struct node *n, int i, struct slice key)
{
	return i < n->count && slice_equal(record_key(n->records[i]), key);
}

/* The child under which key belongs: the last one whose bound is <= key. */
static int child_of(const struct node *n, struct slice key)
{
	int i = lower_bound(n, 1, key);

	return is_at(n, i, key) ? i : i - 1;
}

static void node_insert(struct node *n, int i, struct record *r, struct node *child)
{
	int behind = n->count - i;

	memmove(&n->records[i + 1], &n->records[i], (size_t)behind * sizeof n->records[0]);
	n->records[i] = r;
	if (!n->leaf) {
		memmove(&n->children[i + 1], &n->children[i], (size_t)behind * sizeof n->children[0]);
		n->children[i] = child;
	}
	n->count++;
}

/* Drops what is at i. */
static void node_remove(struct node *n, int i)
{
	int behind = n->count - i - 1;

	record_drop(n->records[i]);
	memmove(&n->records[i], &n->records[i + 1], (size_t)behind * sizeof n->records[0]);
	if (!n->leaf) {
		node_drop(n->children[i]);
		memmove(&n->children[i], &n->children[i + 1], (size_t)behind * sizeof n->children[0]);
	}
	n->count--;
	if (!n->leaf && i == 0 && n->count > 0) {
		record_drop(n->records[0]);
		n->records[0] = NULL;
	}
}

/* ---- the tree ---- */

static const struct record *tree_find(const struct tree *t, struct slice key)
{
	const struct node *n = t->root;
	int i;

	while (n != NULL && !n->leaf)
		n = n->children[child_of(n, key)];
	if (n == NULL)
		return NULL;
	i = lower_bound(n, 0, key);
	return is_at(n, i, key) ? n->records[i] : NULL;
}

/* Split the full child i of n (own, not full) in two; at its end when key goes there, so that keys that come in order
 * leave full nodes behind. */
static bool split_child(struct node *n, int i, struct slice key)
{
	struct node *left, *right;
	struct record *bound;
	int keep;

	if (!node_own(&n->children[i]))
		return false;
	left = n->children[i];
	right = node_new(left->leaf);
	if (right == NULL)
		return false;
	keep = slice_compare(record_key(left->records[left->count - 1]), key) < 0 ? left->count - 1 : left->count / 2;
	bound = left->leaf ? record_new(record_key(left->records[keep]), 0) : left->records[keep];
	if (bound == NULL) {
		mem_free(right);
		return false;
	}
	right->count = (uint16_t)(left->count - keep);
	memcpy(right->records, &left->records[keep], right->count * sizeof right->records[0]);
	if (!left->leaf) {
		memcpy(right->children, &left->children[keep], right->count * sizeof right->children[0]);
		right->records[0] = NULL;
	}
	left->count = (uint16_t)keep;
	node_insert(n, i + 1, bound, right);
	return true;
}

/* An own root that is not full. */
static bool grow_root(struct tree *t, struct slice key)
{
	struct node *root;

	if (t->root == NULL)
		return (t->root = node_new(true)) != NULL;
	if (!node_own(&t->root))
		return false;
	if (t->root->count < ORDER)
		return true;
	root = node_new(false);
	if (root == NULL)
		return false;
	root->children[0] = t->root;
	root->count = 1;
	t->root = root;
	return split_child(root, 0, key);
}

/* Takes over r on success.  On failure the tree holds what it held. */
static bool tree_put(struct tree *t, struct record *r)
{
	struct slice key = record_key(r);
	struct node *n;
	int i;

	if (!grow_root(t, key))
		return false;
	for (n = t->root; !n->leaf; n = n->children[i]) {
		i = child_of(n, key);
		if (n->children[i]->count == ORDER) {
			if (!split_child(n, i, key))
				return false;
			i = child_of(n, key);
		}
		if (!node_own(&n->children[i]))
			return false;
	}
	i = lower_bound(n, 0, key);
	if (is_at(n, i, key)) {
		t->bytes -= record_size(n->records[i]);
		record_drop(n->records[i]);
		n->records[i] = r;
	} else {
		node_insert(n, i, r, NULL);
		t->count++;
	}
	t->bytes += record_size(r);
	return true;
}

/* Move all of child i + 1 into child i, if that leaves it room to grow. */
static bool merge_children(struct node *n, int i)
{
	struct node *left, *right = n->children[i + 1];

	if (n->children[i]->count + right->count > ORDER * 3 / 4)
		return true;
	if (!node_own(&n->children[i]))
		return false;
	left = n->children[i];
	for (int j = 0; j < right->count; j++) {
		struct record *r = right->leaf || j > 0 ? right->records[j] : n->records[i + 1];

		node_insert(left, left->count, record_ref(r), right->leaf ? NULL : node_ref(right->children[j]));
	}
	node_remove(n, i + 1);
	return true;
}

static bool remove_below(struct node **slot, struct slice key)
{
	struct node *n;
	int i;

	if (!node_own(slot))
		return false;
	n = *slot;
	if (n->leaf) {
		i = lower_bound(n, 0, key);
		assert(is_at(n, i, key));
		node_remove(n, i);
		return true;
	}
	i = child_of(n, key);
	if (!remove_below(&n->children[i], key))
		return false;
	if (n->children[i]->count == 0) {
		node_remove(n, i);
		return true;
	}
	if (i > 0 && !merge_children(n, i - 1))
		return false;
	return i + 1 >= n->count || merge_children(n, i);
}

/* key is there.  On failure the key may be there or not, but the tree is whole. */
static bool tree_remove(struct tree *t, struct slice key)
{
	size_t size = record_size(tree_find(t, key));
	bool done = remove_below(&t->root, key);

	while (done && !t->root->leaf && t->root->count == 1) {
		struct node *child = node_ref(t->root->children[0]);

		node_drop(t->root);
		t->root = child;
	}
	if (done && t->root->count == 0) {
		node_drop(t->root);
		t->root = NULL;
	}
	t->bytes -= size;
	t->count--;
	return done;
}

static struct tree tree_share(const struct tree *t)
{
	struct tree copy = *t;

	node_ref(copy.root);
	return copy;
}

static void tree_replace(struct tree *t, struct tree by)
{
	node_drop(t->root);
	*t = by;
}

/* ---- transactions ---- */

static enum err memory_begin(void *self, void **out, bool write)
{
	struct store_disk *d = self;
	struct memory_txn *txn = mem_alloc(sizeof *txn);

	*out = txn;
	if (txn == NULL)
		return ERR_NOMEM;
	txn->disk = d;
	txn->tree = tree_share(&d->current);
	txn->write = write;
	return OK;
}

static void memory_abort(void *handle)
{
	struct memory_txn *txn = handle;

	node_drop(txn->tree.root);
	mem_free(txn);
}

static enum err may_commit(struct store_disk *d, const struct tree *t)
{
	if (d->failing > 0) {
		d->failing--;
		return ERR_IO;
	}
	return d->limit > 0 && t->bytes > d->limit && t->bytes > d->current.bytes ? ERR_FULL : OK;
}

static enum err memory_commit(void *handle)
{
	struct memory_txn *txn = handle;
	struct store_disk *d = txn->disk;
	enum err e = OK;

	if (txn->write && txn->dirty && (e = may_commit(d, &txn->tree)) == OK) {
		tree_replace(&d->current, tree_share(&txn->tree));
		if (!d->unsynced)
			store_disk_sync(d);
	}
	memory_abort(txn);
	return e;
}

static enum err memory_get(void *handle, struct slice key, struct slice *value)
{
	const struct memory_txn *txn = handle;
	const struct record *r = tree_find(&txn->tree, key);

	if (r == NULL)
		return ERR_NOTFOUND;
	*value = record_value(r);
	return OK;
}

static enum err memory_put(void *handle, struct slice key, size_t len, uint8_t **room)
{
	struct memory_txn *txn = handle;
	struct record *r = record_new(key, len);

	if (r == NULL || !tree_put(&txn->tree, r)) {
		record_drop(r);
		return ERR_NOMEM;
	}
	txn->dirty = true;
	*room = r->bytes + r->key_len;
	return OK;
}

static enum err memory_remove(void *handle, struct slice key)
{
	struct memory_txn *txn = handle;

	if (tree_find(&txn->tree, key) == NULL)
		return ERR_NOTFOUND;
	txn->dirty = true;
	return tree_remove(&txn->tree, key) ? OK : ERR_NOMEM;
}

/* ---- cursors ---- */

static enum err memory_cursor_open(void *handle, void **out)
{
	struct memory_cursor *c = mem_alloc(sizeof *c);

	*out = c;
	if (c == NULL)
		return ERR_NOMEM;
	c->txn = handle;
	return OK;
}

static void memory_cursor_close(void *handle)
{
	mem_free(handle);
}

static void push(struct memory_cursor *c, const struct node *n, int at)
{
	assert(c->depth < HEIGHT);
	c->path[c->depth].node = n;
	c->path[c->depth].at = at;
	c->depth++;
}

/* From the top of the path down to a leaf, along the first or the last children. */
static void go_down(struct memory_cursor *c, const struct node *n, bool last)
{
	for (;;) {
		push(c, n, last ? n->count - 1 : 0);
		if (n->leaf)
			return;
		n = n->children[last ? n->count - 1 : 0];
	}
}

/* To the neighbour of the place where the path ends. */
static void step(struct memory_cursor *c, bool descending)
{
	while (c->depth > 0) {
		const struct node *n = c->path[c->depth - 1].node;
		int at = c->path[c->depth - 1].at += descending ? -1 : 1;

		if (at >= 0 && at < n->count) {
			if (!n->leaf)
				go_down(c, n->children[at], descending);
			return;
		}
		c->depth--;
	}
}

static enum err cursor_record(const struct memory_cursor *c, struct slice *key, struct slice *value)
{
	const struct record *r;

	if (c->depth == 0)
		return ERR_NOTFOUND;
	r = c->path[c->depth - 1].node->records[c->path[c->depth - 1].at];
	*key = record_key(r);
	*value = record_value(r);
	return OK;
}

static enum err memory_cursor_seek(void *handle, struct slice key, bool descending, struct slice *found, struct slice *value)
{
	struct memory_cursor *c = handle;
	const struct node *n = c->txn->tree.root;
	int at;

	c->depth = 0;
	if (n == NULL)
		return ERR_NOTFOUND;
	if (key.len == 0) {
		go_down(c, n, descending);
		return cursor_record(c, found, value);
	}
	for (; !n->leaf; n = n->children[at]) {
		at = child_of(n, key);
		push(c, n, at);
	}
	at = lower_bound(n, 0, key);
	push(c, n, at);
	if (descending || at == n->count)
		step(c, descending);
	return cursor_record(c, found, value);
}

static enum err memory_cursor_next(void *handle, bool descending, struct slice *found, struct slice *value)
{
	struct memory_cursor *c = handle;

	step(c, descending);
	return cursor_record(c, found, value);
}

/* ---- the store on a disk ---- */

static enum err memory_check(void *self)
{
	(void)self;                     /* only values can be damaged here */
	return OK;
}

static enum err memory_info(void *self, struct store_info *out)
{
	const struct store_disk *d = self;

	*out = (struct store_info){ .map_bytes = d->limit, .used_bytes = d->current.bytes, .records = d->current.count,
		.identity = d->identity };
	return OK;
}

static enum err memory_backup(void *self, const char *dir)
{
	(void)self;
	(void)dir;
	return ERR_USAGE;
}

static void memory_close(void *self)
{
	struct store_disk *d = self;

	if (d != NULL)
		d->open = false;
}

enum err backend_memory_open(const struct backend **functions, void **self, struct store_disk *disk)
{
	static const struct backend memory = {
		memory_begin, memory_commit, memory_abort, memory_get, memory_put, memory_remove, memory_cursor_open,
		memory_cursor_seek, memory_cursor_next, memory_cursor_close, memory_check, memory_info, memory_backup, memory_close,
	};

	*functions = &memory;
	*self = NULL;
	if (disk->open)
		return ERR_BUSY;
	disk->open = true;
	*self = disk;
	return OK;
}

/* ---- the disk ---- */

struct store_disk *store_disk_new(void)
{
	struct store_disk *d = mem_alloc(sizeof *d);

	if (d != NULL)
		d->identity = 1;
	return d;
}

void store_disk_free(struct store_disk *d)
{
	if (d == NULL)
		return;
	assert(!d->open);
	node_drop(d->current.root);
	node_drop(d->durable.root);
	mem_free(d);
}

void store_disk_limit(struct store_disk *d, size_t bytes)
{
	d->limit = bytes;
}

void store_disk_fail_commits(struct store_disk *d, int count)
{
	d->failing = count;
}

void store_disk_unsynced(struct store_disk *d, bool on)
{
	d->unsynced = on;
}

void store_disk_sync(struct store_disk *d)
{
	tree_replace(&d->durable, tree_share(&d->current));
}

void store_disk_crash(struct store_disk *d)
{
	tree_replace(&d->current, tree_share(&d->durable));
}

struct store_disk *store_disk_clone(const struct store_disk *d)
{
	struct store_disk *copy = store_disk_new();

	if (copy == NULL)
		return NULL;
	copy->current = tree_share(&d->current);
	copy->durable = tree_share(&d->current);
	copy->identity = d->identity + 1;
	return copy;
}

/* The record of a table at rank which, modulo their number; reserved records (table 0) are left alone: without them it
 * would be no store. */
static const struct record *pick(struct memory_txn *txn, uint64_t *which)
{
	struct memory_cursor c = { .txn = txn };
	struct slice first = SLICE("\1", 1), key, value;
	uint64_t count = 0;

	for (enum err e = memory_cursor_seek(&c, first, false, &key, &value); e == OK; e = memory_cursor_next(&c, false, &key, &value))
		count++;
	if (count == 0)
		return NULL;
	memory_cursor_seek(&c, first, false, &key, &value);
	for (uint64_t i = *which % count; i > 0; i--)
		step(&c, false);
	*which /= count;
	return c.path[c.depth - 1].node->records[c.path[c.depth - 1].at];
}

/* Takes over a reference to r, or leaves the tree as it was. */
static void put_shared(struct tree *t, struct record *r)
{
	if (!tree_put(t, record_ref(r)))
		record_drop(r);
}

void store_disk_flip(struct store_disk *d, uint64_t which)
{
	struct memory_txn txn = { .tree = d->current };
	const struct record *old = pick(&txn, &which);
	struct record *r;
	bool both;

	if (old == NULL || old->value_len == 0 || (r = record_new(record_key(old), old->value_len)) == NULL)
		return;
	memcpy(r->bytes, old->bytes, (size_t)old->key_len + old->value_len);
	which %= (uint64_t)old->value_len * 8;
	r->bytes[r->key_len + which / 8] ^= (uint8_t)(1U << which % 8);
	both = tree_find(&d->durable, record_key(r)) == old;
	put_shared(&d->current, r);
	if (both)
		put_shared(&d->durable, r);
	record_drop(r);
}
