/* trie: the radix-16 Merkle trie over hashed slot keys whose root two peers compare (protocol §7).  Pure over a table of
 * functions that keep its nodes; nodes are read and written at most once per trie_update.
 *
 * key = H("cairn-slot", slot key); value = H("cairn-version", version u64 big-endian ‖ id).
 * leaf hash = H("cairn-leaf", key ‖ value); branch hash = H("cairn-branch", 16 × (child hash, 32 zero bytes where empty));
 * a subtree with one leaf is that leaf, whatever its depth; the empty trie's root is 32 zero bytes.  So the root is a function
 * of the set of (key, value) pairs alone.
 *
 * Stored node (only branches are stored; the tree with 0 or 1 leaf stores a root node with that leaf as its only child),
 * keyed by its path, one byte per nibble (the root: empty):  bitmap of leaves u16 ‖ bitmap of branches u16 ‖ for each
 * child ascending: leaf: key ‖ value; branch: hash. */
#ifndef CRDT_TRIE_H
#define CRDT_TRIE_H
#include "base/crypto.h"

#define TRIE_DEPTH 64

struct trie_nodes {
	void *arg;
	/* ERR_NOTFOUND when absent.  The slice is borrowed until the next put or remove. */
	enum err (*get)(void *arg, struct slice path, struct slice *node);
	enum err (*put)(void *arg, struct slice path, struct slice node);
	enum err (*remove)(void *arg, struct slice path);
};
struct trie_change { struct id32 key, value; bool remove; };
struct trie_child { enum { TRIE_EMPTY, TRIE_LEAF, TRIE_BRANCH } kind; struct id32 hash; struct id32 key, value; /* leaf */ };
struct trie_node { struct trie_child child[16]; };

void trie_slot_key(struct id32 *out, struct slice slot_key);
void trie_slot_value(struct id32 *out, uint64_t version, const struct id32 *id);
/* Apply the changes (any order; sorted in place; the last of equal keys wins; removing what is absent is fine).  A leaf that
 * is already there with that value writes nothing.  On error some nodes are written: abort the transaction.  ERR_NOMEM,
 * ERR_DAMAGED, and what the table says. */
enum err trie_update(const struct trie_nodes *, struct trie_change *, size_t n);
enum err trie_root(const struct trie_nodes *, struct id32 *root);
/* The node at a path of nibbles (an empty trie has an empty root node).  ERR_NOTFOUND: no branch there.
 * ERR_DAMAGED: a node that does not decode. */
enum err trie_node(const struct trie_nodes *, struct slice path, struct trie_node *out);
void trie_node_hash(const struct trie_node *, struct id32 *out);
/* Every leaf below a path in key order, also one that is kept in a node above it; stops with the callback's error. */
enum err trie_walk(const struct trie_nodes *, struct slice path, enum err (*leaf)(void *, const struct trie_child *), void *);

#endif
