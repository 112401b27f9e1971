/* trie: see trie.h.  Protocol §7. */
#include <string.h>
#include "base/mem.h"
#include "crdt/trie.h"

#define FAN 16
#define BITMAPS 4                                       /* two of 16 bits */
#define LEAF_LEN (2 * HASH_LEN)
#define NODE_MAX (BITMAPS + FAN * LEAF_LEN)

void trie_slot_key(struct id32 *out, struct slice slot_key)
{
	crypto_hash1(out, "cairn-slot", slot_key.data, slot_key.len);
}

void trie_slot_value(struct id32 *out, uint64_t version, const struct id32 *id)
{
	uint8_t number[8];
	struct slice parts[2] = { SLICE(number, sizeof number), SLICE(id->b, ID_LEN) };

	put_u64(number, version);
	crypto_hash(out, "cairn-version", parts, 2);
}

static unsigned nibble(const struct id32 *key, size_t depth)
{
	uint8_t byte = key->b[depth / 2];

	return depth % 2 == 0 ? byte >> 4 : byte & 15;
}

/* Do the first nibbles of the key spell the path? */
static bool key_is_below(const struct id32 *key, struct slice path)
{
	for (size_t i = 0; i < path.len; i++)
		if (nibble(key, i) != path.data[i])
			return false;
	return true;
}

static void set_leaf(struct trie_child *c, const struct id32 *key, const struct id32 *value)
{
	struct slice parts[2];

	c->kind = TRIE_LEAF;
	c->key = *key;
	c->value = *value;
	parts[0] = SLICE(c->key.b, ID_LEN);
	parts[1] = SLICE(c->value.b, ID_LEN);
	crypto_hash(&c->hash, "cairn-leaf", parts, 2);
}

/* ---- nodes ---- */

struct shape { unsigned leaves, branches; const struct trie_child *only; };

static struct shape shape_of(const struct trie_node *node)
{
	struct shape s = { 0, 0, NULL };

	for (unsigned i = 0; i < FAN; i++) {
		if (node->child[i].kind == TRIE_EMPTY)
			continue;
		s.only = &node->child[i];
		if (node->child[i].kind == TRIE_LEAF)
			s.leaves++;
		else
			s.branches++;
	}
	return s;
}

void trie_node_hash(const struct trie_node *node, struct id32 *out)
{
	struct shape s = shape_of(node);
	uint8_t hashes[FAN * HASH_LEN] = {0};

	*out = (struct id32){{0}};
	if (s.leaves + s.branches == 0)
		return;
	if (s.branches == 0 && s.leaves == 1) {         /* a subtree with one leaf is that leaf */
		*out = s.only->hash;
		return;
	}
	for (size_t i = 0; i < FAN; i++)
		if (node->child[i].kind != TRIE_EMPTY)
			memcpy(hashes + i * HASH_LEN, node->child[i].hash.b, HASH_LEN);
	crypto_hash1(out, "cairn-branch", hashes, sizeof hashes);
}

static size_t node_encode(uint8_t out[NODE_MAX], const struct trie_node *node)
{
	unsigned leaves = 0, branches = 0;
	size_t at = BITMAPS;

	for (unsigned i = 0; i < FAN; i++) {
		const struct trie_child *c = &node->child[i];

		if (c->kind == TRIE_LEAF) {
			leaves |= 1u << i;
			memcpy(out + at, c->key.b, HASH_LEN);
			memcpy(out + at + HASH_LEN, c->value.b, HASH_LEN);
			at += LEAF_LEN;
		} else if (c->kind == TRIE_BRANCH) {
			branches |= 1u << i;
			memcpy(out + at, c->hash.b, HASH_LEN);
			at += HASH_LEN;
		}
	}
	put_u16(out, (uint16_t)leaves);
	put_u16(out + 2, (uint16_t)branches);
	return at;
}

/* A node below the root holds more than one leaf, or it would be that leaf. */
static bool bitmaps_sound(unsigned leaves, unsigned branches, size_t len, size_t depth)
{
	unsigned n_leaves = (unsigned)__builtin_popcount(leaves), n_branches = (unsigned)__builtin_popcount(branches);

	return (leaves & branches) == 0 && len == BITMAPS + n_leaves * LEAF_LEN + n_branches * HASH_LEN
		&& (depth == 0 || n_branches > 0 || n_leaves > 1) && (depth < TRIE_DEPTH - 1 || n_branches == 0);
}

static enum err node_decode(struct trie_node *out, struct slice bytes, struct slice path)
{
	unsigned leaves, branches;
	const uint8_t *at = bytes.data + BITMAPS;
	struct id32 pair[2];

	memset(out, 0, sizeof *out);
	if (bytes.len < BITMAPS)
		return ERR_DAMAGED;
	leaves = get_u16(bytes.data);
	branches = get_u16(bytes.data + 2);
	if (!bitmaps_sound(leaves, branches, bytes.len, path.len))
		return ERR_DAMAGED;
	for (unsigned i = 0; i < FAN; i++) {
		struct trie_child *c = &out->child[i];

		if (leaves >> i & 1) {
			memcpy(pair, at, LEAF_LEN);
			set_leaf(c, &pair[0], &pair[1]);
			if (!key_is_below(&c->key, path) || nibble(&c->key, path.len) != i)
				return ERR_DAMAGED;
			at += LEAF_LEN;
		} else if (branches >> i & 1) {
			c->kind = TRIE_BRANCH;
			memcpy(c->hash.b, at, HASH_LEN);
			at += HASH_LEN;
		}
	}
	return OK;
}

enum err trie_node(const struct trie_nodes *nodes, struct slice path, struct trie_node *out)
{
	struct slice bytes;
	enum err e;

	memset(out, 0, sizeof *out);
	if (path.len >= TRIE_DEPTH)
		return ERR_NOTFOUND;
	e = nodes->get(nodes->arg, path, &bytes);
	if (e == ERR_NOTFOUND && path.len == 0)
		return OK;                              /* nothing was ever put: the empty trie */
	return e == OK ? node_decode(out, bytes, path) : e;
}

/* A node that its parent names. */
static enum err named_node(const struct trie_nodes *nodes, struct slice path, struct trie_node *out)
{
	enum err e = trie_node(nodes, path, out);

	return e == ERR_NOTFOUND ? ERR_DAMAGED : e;
}

enum err trie_root(const struct trie_nodes *nodes, struct id32 *root)
{
	struct trie_node node;
	enum err e = trie_node(nodes, SLICE(NULL, 0), &node);

	*root = (struct id32){{0}};
	if (e == OK)
		trie_node_hash(&node, root);
	return e;
}

/* ---- updating ---- */

struct update { const struct trie_nodes *nodes; uint8_t path[TRIE_DEPTH]; };

static bool child_equal(const struct trie_child *a, const struct trie_child *b)
{
	/* a leaf and a branch never have one hash: their domains differ */
	return a->kind == b->kind && (a->kind == TRIE_EMPTY || id32_equal(&a->hash, &b->hash));
}

/* What changes and an old leaf (or nothing) leave: at most two are looked at. */
static size_t survivors(const struct trie_child *old, const struct trie_change *c, size_t n, const struct trie_change **only)
{
	size_t count = old->kind == TRIE_LEAF;

	*only = NULL;
	for (size_t i = 0; i < n; i++) {
		if (old->kind == TRIE_LEAF && id32_equal(&c[i].key, &old->key))
			count--;
		if (!c[i].remove) {
			*only = &c[i];
			count++;
		}
	}
	return count;
}

static enum err update_child(struct update *, size_t depth, struct trie_child *, const struct trie_change *, size_t n);

/* Hand each child of the node at this depth its share of the sorted changes. */
static enum err update_children(struct update *u, size_t depth, struct trie_node *node, bool *changed,
	const struct trie_change *c, size_t n)
{
	enum err e;

	*changed = false;
	while (n > 0) {
		unsigned which = nibble(&c->key, depth);
		struct trie_child *child = &node->child[which], before = *child;
		size_t share = 1;

		while (share < n && nibble(&c[share].key, depth) == which)
			share++;
		u->path[depth] = (uint8_t)which;
		if ((e = update_child(u, depth + 1, child, c, share)) != OK)
			return e;
		*changed |= !child_equal(child, &before);
		c += share;
		n -= share;
	}
	return OK;
}

static enum err put_node(struct update *u, size_t depth, const struct trie_node *node)
{
	uint8_t bytes[NODE_MAX];
	size_t len = node_encode(bytes, node);

	return u->nodes->put(u->nodes->arg, SLICE(u->path, depth), SLICE(bytes, len));
}

/* The node at this depth as its parent sees it: a branch, one leaf, or nothing.  It is written or removed. */
static enum err settle(struct update *u, size_t depth, const struct trie_node *node, struct trie_child *child)
{
	struct shape s = shape_of(node);
	bool was_branch = child->kind == TRIE_BRANCH;

	if (s.branches > 0 || s.leaves > 1) {
		memset(child, 0, sizeof *child);
		child->kind = TRIE_BRANCH;
		trie_node_hash(node, &child->hash);
		return put_node(u, depth, node);
	}
	if (s.leaves == 1)
		*child = *s.only;
	else
		memset(child, 0, sizeof *child);
	return was_branch ? u->nodes->remove(u->nodes->arg, SLICE(u->path, depth)) : OK;
}

/* child: the subtree whose path is u->path[0..depth); all changes lie in it. */
static enum err update_child(struct update *u, size_t depth, struct trie_child *child, const struct trie_change *c, size_t n)
{
	const struct trie_change *only;
	struct trie_node node;
	bool changed;
	enum err e;

	if (child->kind != TRIE_BRANCH) {
		size_t left = survivors(child, c, n, &only);

		if (left == 0)
			memset(child, 0, sizeof *child);
		else if (left == 1 && only != NULL)
			set_leaf(child, &only->key, &only->value);
		if (left <= 1)
			return OK;
		memset(&node, 0, sizeof node);
		if (child->kind == TRIE_LEAF)
			node.child[nibble(&child->key, depth)] = *child;
	} else if ((e = named_node(u->nodes, SLICE(u->path, depth), &node)) != OK) {
		return e;
	}
	if ((e = update_children(u, depth, &node, &changed, c, n)) != OK)
		return e;
	return changed || child->kind != TRIE_BRANCH ? settle(u, depth, &node, child) : OK;
}

/* Stable, so that the last of equal keys stays last: runs of one merged pairwise. */
static enum err sort_changes(struct trie_change *c, size_t n)
{
	struct trie_change *other, *from = c, *to, *swap;
	bool sorted = true;

	for (size_t i = 1; i < n && sorted; i++)
		sorted = id32_compare(&c[i - 1].key, &c[i].key) <= 0;
	if (sorted)
		return OK;
	if ((other = mem_array(n, sizeof *c)) == NULL)
		return ERR_NOMEM;
	to = other;
	for (size_t width = 1; width < n; width *= 2) {
		for (size_t start = 0; start < n; start += 2 * width) {
			size_t a = start, a_end = start + width < n ? start + width : n;
			size_t b = a_end, b_end = b + width < n ? b + width : n;

			for (size_t k = start; k < b_end; k++)
				to[k] = b == b_end || (a < a_end && id32_compare(&from[a].key, &from[b].key) <= 0)
					? from[a++] : from[b++];
		}
		swap = from;
		from = to;
		to = swap;
	}
	if (from != c)
		memcpy(c, from, n * sizeof *c);
	mem_free(other);
	return OK;
}

static size_t drop_overwritten(struct trie_change *c, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || !id32_equal(&c[i].key, &c[i + 1].key))
			c[kept++] = c[i];
	return kept;
}

enum err trie_update(const struct trie_nodes *nodes, struct trie_change *changes, size_t n)
{
	struct update u = { .nodes = nodes };
	struct trie_node root;
	bool changed;
	enum err e;

	if ((e = sort_changes(changes, n)) != OK)
		return e;
	n = drop_overwritten(changes, n);
	if (n == 0 || (e = trie_node(nodes, SLICE(NULL, 0), &root)) != OK)
		return e;
	if ((e = update_children(&u, 0, &root, &changed, changes, n)) != OK)
		return e;
	return changed ? put_node(&u, 0, &root) : OK;
}

/* ---- walking ---- */

struct walk {
	const struct trie_nodes *nodes;
	enum err (*leaf)(void *, const struct trie_child *);
	void *arg;
	uint8_t path[TRIE_DEPTH];
};

static enum err walk_node(struct walk *w, size_t depth)
{
	struct trie_node node;
	enum err e = named_node(w->nodes, SLICE(w->path, depth), &node);

	for (unsigned i = 0; i < FAN && e == OK; i++) {
		w->path[depth] = (uint8_t)i;
		if (node.child[i].kind == TRIE_LEAF)
			e = w->leaf(w->arg, &node.child[i]);
		else if (node.child[i].kind == TRIE_BRANCH)
			e = walk_node(w, depth + 1);
	}
	return e;
}

enum err trie_walk(const struct trie_nodes *nodes, struct slice path, enum err (*leaf)(void *, const struct trie_child *),
	void *arg)
{
	struct walk w = { .nodes = nodes, .leaf = leaf, .arg = arg };
	struct trie_node node;
	enum err e;

	if (path.len > TRIE_DEPTH)
		return OK;
	/* Down to the path, or to the leaf that stands for the whole subtree somewhere above it. */
	for (size_t depth = 0; depth < path.len; depth++) {
		const struct trie_child *c;

		if (path.data[depth] >= FAN)
			return OK;
		if ((e = named_node(nodes, SLICE(w.path, depth), &node)) != OK)
			return e;
		c = &node.child[path.data[depth]];
		if (c->kind == TRIE_LEAF && key_is_below(&c->key, path))
			return leaf(arg, c);
		if (c->kind != TRIE_BRANCH)
			return OK;
		w.path[depth] = path.data[depth];
	}
	return walk_node(&w, path.len);
}
