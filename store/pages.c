/* pages: see pages.h.  The layout is that of LMDB 0.9: struct MDB_meta, MDB_page, MDB_node of its mdb.c. */
#include "store/pages.h"
#include "base/mem.h"
#include <string.h>

#define META_MAGIC 0xBEEFC0DE
#define META_VERSION 1
#define PAGE_MIN 256
#define PAGE_MAX 32768
#define DEPTH_MAX 32                    /* LMDB's own limit */
#define KEY_MAX 511
#define NO_PAGE UINT64_MAX              /* the root of an empty tree */
enum { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4, PAGE_META = 8 };
enum { PAGE_HEAD = 16, NODE_HEAD = 8, NODE_BIG = 1 };

/* As in the file. */
struct page_head { uint64_t number; uint16_t pad, flags, lower, upper; };       /* of overflow pages lower, upper: count u32 */
struct node_head { uint16_t low, high, flags, key_len; };
struct tree_head { uint32_t pad; uint16_t flags, depth; uint64_t branches, leaves, overflows, entries, root; };
struct meta { uint32_t magic, version; uint64_t address, map_size; struct tree_head trees[2]; uint64_t last_page, txn; };
enum { TREE_FREE, TREE_MAIN };

struct walk {
	const uint8_t *file;
	uint64_t pages;                 /* that the file holds whole */
	uint64_t last_page;
	size_t page_size;
	uint8_t *used;                  /* a bit for each of them */
	int tree;
	struct tree_head seen;
	struct slice last_key, bound;
};

/* False: it was used already, or there is no such page.  Pages that were taken and given back within one transaction are never
 * written: free ones may lie behind the end of the file. */
static bool use(struct walk *w, uint64_t number)
{
	if (number < 2 || number > w->last_page)
		return false;
	if (number >= w->pages)
		return true;
	if ((w->used[number / 8] >> number % 8 & 1) != 0)
		return false;
	w->used[number / 8] |= (uint8_t)(1U << number % 8);
	return true;
}

/* The page with this number, if it says so itself and is of this kind. */
static const uint8_t *page_at(struct walk *w, struct page_head *head, uint64_t number, uint16_t flags)
{
	const uint8_t *page;

	*head = (struct page_head){ 0 };
	if (number >= w->pages || !use(w, number))
		return NULL;
	page = w->file + number * w->page_size;
	memcpy(head, page, sizeof *head);
	return head->number == number && head->flags == flags ? page : NULL;
}

/* A list of free pages: their count, then their numbers, descending. */
static bool check_free(struct walk *w, struct slice list)
{
	uint64_t count, number, before = NO_PAGE;

	if (list.len < 8)
		return false;
	memcpy(&count, list.data, 8);
	if (count > list.len / 8 - 1)
		return false;
	for (uint64_t i = 1; i <= count; i++, before = number) {
		memcpy(&number, list.data + i * 8, 8);
		if (number >= before || !use(w, number))
			return false;
	}
	return true;
}

/* A value in pages of its own; more of them than it needs, if it took the place of a larger one. */
static bool check_overflow(struct walk *w, uint64_t number, uint64_t size)
{
	struct page_head head;
	const uint8_t *page = page_at(w, &head, number, PAGE_OVERFLOW);
	uint64_t count = head.lower | (uint64_t)head.upper << 16;

	if (page == NULL || count > w->pages - number || count * w->page_size < PAGE_HEAD + size)
		return false;
	for (uint64_t i = 1; i < count; i++)
		if (!use(w, number + i))
			return false;
	w->seen.overflows += count;
	return w->tree != TREE_FREE || check_free(w, SLICE(page + PAGE_HEAD, size));
}

/* In the free list keys are the numbers of transactions, in this machine's order. */
static bool is_key(const struct walk *w, struct slice key)
{
	return w->tree == TREE_FREE ? key.len == 8 : key.len > 0;
}

static int compare(const struct walk *w, struct slice a, struct slice b)
{
	uint64_t x, y;

	if (w->tree == TREE_MAIN)
		return slice_compare(a, b);
	memcpy(&x, a.data, 8);
	memcpy(&y, b.data, 8);
	return x < y ? -1 : x > y;
}

/* The key of a record: behind the one before, not before the bounds on the way down to it. */
static bool is_next(struct walk *w, struct slice key)
{
	if (!is_key(w, key) || (w->last_key.data != NULL && compare(w, w->last_key, key) >= 0) ||
	    (w->bound.data != NULL && compare(w, w->bound, key) > 0))
		return false;
	w->last_key = key;
	w->bound.data = NULL;
	return true;
}

/* The lower bound of a subtree: behind all keys before. */
static bool is_bound(struct walk *w, struct slice key)
{
	if (!is_key(w, key) || (w->last_key.data != NULL && compare(w, w->last_key, key) >= 0) || w->bound.data != NULL)
		return false;
	w->bound = key;
	return true;
}

/* A record; *end: where it ends in the page. */
static bool check_record(struct walk *w, const uint8_t *page, size_t at, const struct node_head *node, size_t *end)
{
	uint32_t size = node->low | (uint32_t)node->high << 16;
	size_t value = at + NODE_HEAD + node->key_len;
	uint64_t number;

	w->seen.entries++;
	if (node->flags > NODE_BIG || value > w->page_size || !is_next(w, SLICE(page + at + NODE_HEAD, node->key_len)))
		return false;
	*end = value + (node->flags == NODE_BIG ? 8 : size);
	if (*end > w->page_size)
		return false;
	if (node->flags != NODE_BIG)
		return w->tree == TREE_MAIN || check_free(w, SLICE(page + value, size));
	memcpy(&number, page + value, 8);
	return check_overflow(w, number, size);
}

static bool check_page(struct walk *w, uint64_t number, int depth);

/* A subtree; the key of the first in a page has no meaning. */
static bool check_branch(struct walk *w, const uint8_t *page, size_t at, const struct node_head *node, bool first, int depth, size_t *end)
{
	*end = at + NODE_HEAD + node->key_len;
	return *end <= w->page_size && (first || is_bound(w, SLICE(page + at + NODE_HEAD, node->key_len))) &&
		check_page(w, node->low | (uint64_t)node->high << 16 | (uint64_t)node->flags << 32, depth - 1);
}

/* The nodes fill the page from upper to its end, each begins at an even offset. */
static bool check_nodes(struct walk *w, const uint8_t *page, const struct page_head *head, int depth)
{
	size_t filled = 0, count = (head->lower - (size_t)PAGE_HEAD) / 2;

	for (size_t i = 0; i < count; i++) {
		struct node_head node;
		uint16_t at;
		size_t end = 0;

		memcpy(&at, page + PAGE_HEAD + 2 * i, 2);
		if (at % 2 != 0 || at < head->upper || at > w->page_size - NODE_HEAD)
			return false;
		memcpy(&node, page + at, sizeof node);
		if (node.key_len > KEY_MAX)
			return false;
		if (!(depth == 1 ? check_record(w, page, at, &node, &end) : check_branch(w, page, at, &node, i == 0, depth, &end)))
			return false;
		filled += (end - at + 1) & ~(size_t)1;
	}
	return filled == w->page_size - head->upper;
}

/* depth: 1 for a leaf. */
static bool check_page(struct walk *w, uint64_t number, int depth)
{
	struct page_head head;
	const uint8_t *page = page_at(w, &head, number, depth == 1 ? PAGE_LEAF : PAGE_BRANCH);

	if (page == NULL || head.lower <= PAGE_HEAD || head.lower % 2 != 0 || head.lower > head.upper || head.upper > w->page_size)
		return false;
	*(depth == 1 ? &w->seen.leaves : &w->seen.branches) += 1;
	return check_nodes(w, page, &head, depth);
}

static bool check_tree(struct walk *w, const struct tree_head *t)
{
	w->seen = *t;
	w->seen.branches = w->seen.leaves = w->seen.overflows = w->seen.entries = 0;
	w->last_key = w->bound = SLICE(NULL, 0);
	if (t->root == NO_PAGE ? t->depth != 0 : t->depth == 0 || t->depth > DEPTH_MAX || !check_page(w, t->root, t->depth))
		return false;
	return w->seen.branches == t->branches && w->seen.leaves == t->leaves && w->seen.overflows == t->overflows &&
		w->seen.entries == t->entries;
}

/* The newer of the two, as LMDB takes it. */
static enum err read_meta(struct meta *out, const uint8_t *file, size_t len)
{
	struct { struct page_head head; struct meta meta; } m[2];
	size_t size;

	if (len < sizeof m[0])
		return ERR_DAMAGED;
	memcpy(&m[0], file, sizeof m[0]);
	if (m[0].meta.magic != META_MAGIC || m[0].head.flags != PAGE_META)
		return ERR_DAMAGED;
	if (m[0].meta.version != META_VERSION || sizeof(size_t) != 8)
		return ERR_VERSION;
	size = m[0].meta.trees[TREE_FREE].pad;
	if (size < PAGE_MIN || size > PAGE_MAX || (size & (size - 1)) != 0 || len < 2 * size)
		return ERR_DAMAGED;
	memcpy(&m[1], file + size, sizeof m[1]);
	if (m[1].meta.magic != META_MAGIC || m[1].meta.version != META_VERSION || m[1].head.flags != PAGE_META)
		return ERR_DAMAGED;
	*out = m[m[1].meta.txn > m[0].meta.txn].meta;
	return out->trees[TREE_FREE].pad == size && out->last_page >= 1 ? OK : ERR_DAMAGED;
}

enum err pages_check(const uint8_t *file, size_t len)
{
	struct meta meta;
	struct walk w = { .file = file };
	enum err e = read_meta(&meta, file, len);

	if (e != OK)
		return e;
	w.page_size = meta.trees[TREE_FREE].pad;
	w.pages = len / w.page_size;
	w.last_page = meta.last_page;
	if (meta.trees[TREE_MAIN].flags != 0)
		return ERR_DAMAGED;
	w.used = mem_alloc(w.pages / 8 + 1);
	if (w.used == NULL)
		return ERR_NOMEM;
	for (w.tree = TREE_FREE; w.tree <= TREE_MAIN && e == OK; w.tree++)
		e = check_tree(&w, &meta.trees[w.tree]) ? OK : ERR_DAMAGED;
	mem_free(w.used);
	return e;
}
