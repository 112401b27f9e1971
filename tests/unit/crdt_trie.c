/* trie: its root is a function of the set of leaves, and each touched node is read and written once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/mem.h"
#include "base/rng.h"
#include "crdt/trie.h"

/* ---- nodes in memory, counting ---- */

struct kept { uint8_t path[TRIE_DEPTH]; size_t path_len; uint8_t *node; size_t len; unsigned gets, puts; };
struct nodes { struct kept *at; size_t n, room; uint8_t *lent; bool fail_put; };

static int setup(void **state)
{
	(void)state;
	return crypto_start() == OK ? 0 : -1;
}

/* Where the path is, or would be. */
static size_t place(const struct nodes *t, struct slice path, bool *there)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (slice_compare(SLICE(t->at[middle].path, t->at[middle].path_len), path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*there = low < t->n && slice_equal(SLICE(t->at[low].path, t->at[low].path_len), path);
	return low;
}

/* What was lent is gone: the next writer must not have kept it. */
static void take_back(struct nodes *t)
{
	mem_free(t->lent);
	t->lent = NULL;
}

static enum err get(void *arg, struct slice path, struct slice *node)
{
	struct nodes *t = arg;
	bool there;
	size_t i = place(t, path, &there);

	if (!there)
		return ERR_NOTFOUND;
	take_back(t);
	t->at[i].gets++;
	t->lent = mem_copy(t->at[i].node, t->at[i].len);
	*node = SLICE(t->lent, t->at[i].len);
	return t->lent != NULL ? OK : ERR_NOMEM;
}

static enum err put(void *arg, struct slice path, struct slice node)
{
	struct nodes *t = arg;
	bool there;
	size_t i = place(t, path, &there);
	struct kept *grown;

	take_back(t);
	if (t->fail_put)
		return ERR_FULL;
	if (!there) {
		grown = mem_grow(t->at, &t->room, t->n, sizeof *t->at);
		if (grown == NULL)
			return ERR_NOMEM;
		t->at = grown;
		memmove(&t->at[i + 1], &t->at[i], (t->n - i) * sizeof *t->at);
		t->n++;
		t->at[i] = (struct kept){ .path_len = path.len };
		if (path.len > 0)
			memcpy(t->at[i].path, path.data, path.len);
	}
	mem_free(t->at[i].node);
	t->at[i].node = mem_copy(node.data, node.len);
	t->at[i].len = node.len;
	t->at[i].puts++;
	return OK;
}

static enum err remove_node(void *arg, struct slice path)
{
	struct nodes *t = arg;
	bool there;
	size_t i = place(t, path, &there);

	take_back(t);
	assert_true(there);
	mem_free(t->at[i].node);
	memmove(&t->at[i], &t->at[i + 1], (--t->n - i) * sizeof *t->at);
	return OK;
}

static struct trie_nodes table(struct nodes *t)
{
	return (struct trie_nodes){ t, get, put, remove_node };
}

static void free_nodes(struct nodes *t)
{
	for (size_t i = 0; i < t->n; i++)
		mem_free(t->at[i].node);
	mem_free(t->at);
	take_back(t);
	*t = (struct nodes){0};
}

static void reset_counts(struct nodes *t)
{
	for (size_t i = 0; i < t->n; i++)
		t->at[i].gets = t->at[i].puts = 0;
}

/* ---- the root by definition, naively ---- */

struct leaf { struct id32 key, value; };

static unsigned nibble(const struct id32 *key, size_t depth)
{
	return key->b[depth / 2] >> (depth % 2 ? 0 : 4) & 15;
}

static void naive(struct id32 *out, const struct leaf *leaves, size_t n, size_t depth)
{
	struct id32 hashes[16] = {0};
	struct leaf *share;

	*out = (struct id32){{0}};
	if (n == 0)
		return;
	if (n == 1) {
		crypto_hash1(out, "cairn-leaf", leaves, sizeof *leaves);
		return;
	}
	share = mem_array(n, sizeof *share);
	for (unsigned i = 0; i < 16; i++) {
		size_t m = 0;

		for (size_t k = 0; k < n; k++)
			if (nibble(&leaves[k].key, depth) == i)
				share[m++] = leaves[k];
		naive(&hashes[i], share, m, depth + 1);
	}
	mem_free(share);
	crypto_hash1(out, "cairn-branch", hashes, sizeof hashes);
}

/* ---- tests ---- */

static struct id32 root_of(struct nodes *t)
{
	struct trie_nodes nodes = table(t);
	struct id32 root;

	assert_int_equal(trie_root(&nodes, &root), OK);
	return root;
}

/* Keys that share long prefixes, so that deep branches appear and collapse. */
static struct id32 random_key(struct rng *rng)
{
	struct id32 key = {{0}};
	size_t from = rng_below(rng, 3) == 0 ? rng_below(rng, ID_LEN) : 0;

	rng_bytes(rng, key.b + from, ID_LEN - from);
	if (rng_below(rng, 3) == 0)
		key.b[ID_LEN - 1] = (uint8_t)rng_below(rng, 4);
	if (rng_below(rng, 8) == 0) {
		key = (struct id32){{0}};
		key.b[ID_LEN - 1] = (uint8_t)rng_below(rng, 64);
	}
	return key;
}

#define MODEL 400
struct model { struct leaf leaves[MODEL]; size_t n; };

static void model_apply(struct model *m, const struct trie_change *c)
{
	size_t i = 0;

	while (i < m->n && !id32_equal(&m->leaves[i].key, &c->key))
		i++;
	if (c->remove && i < m->n)
		m->leaves[i] = m->leaves[--m->n];
	if (c->remove)
		return;
	m->n += i == m->n;
	m->leaves[i] = (struct leaf){ c->key, c->value };
}

static enum err count_leaf(void *arg, const struct trie_child *c)
{
	struct model *m = arg;

	assert_int_equal(c->kind, TRIE_LEAF);
	assert_true(m->n == 0 || id32_compare(&m->leaves[m->n - 1].key, &c->key) < 0);
	m->leaves[m->n++] = (struct leaf){ c->key, c->value };
	return OK;
}

static void check_against(struct nodes *t, const struct model *m)
{
	struct trie_nodes nodes = table(t);
	struct id32 expected, root = root_of(t);
	static struct model walked;

	naive(&expected, m->leaves, m->n, 0);
	assert_true(id32_equal(&expected, &root));
	walked.n = 0;
	assert_int_equal(trie_walk(&nodes, SLICE(NULL, 0), count_leaf, &walked), OK);
	assert_int_equal(walked.n, m->n);
}

static void random_updates_agree_with_a_rebuild(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed_u64(&rng, 1);
	for (int round = 0; round < 40; round++) {
		static struct model m;
		struct nodes t = {0};
		struct trie_nodes nodes = table(&t);

		m.n = 0;
		for (int batch = 0; batch < 25; batch++) {
			struct trie_change c[40];
			size_t n = rng_below(&rng, 1 + rng_below(&rng, 40));

			for (size_t i = 0; i < n; i++) {
				c[i].key = random_key(&rng);
				if (m.n > 0 && rng_below(&rng, 2))
					c[i].key = m.leaves[rng_below(&rng, m.n)].key;
				else if (i > 0 && rng_below(&rng, 8) == 0)
					c[i].key = c[i - 1].key;
				rng_bytes(&rng, c[i].value.b, ID_LEN);
				c[i].remove = rng_below(&rng, 10) < (batch % 5 == 4 ? 9 : 3);
			}
			for (size_t i = 0; i < n && m.n < MODEL; i++)
				model_apply(&m, &c[i]);
			if (m.n == MODEL)
				break;
			reset_counts(&t);
			assert_int_equal(trie_update(&nodes, c, n), OK);
			for (size_t i = 0; i < t.n; i++)
				assert_true(t.at[i].gets <= 1 && t.at[i].puts <= 1);
			check_against(&t, &m);
		}
		/* Take all away: nothing is left but a root without children. */
		while (m.n > 0) {
			struct trie_change c = { .key = m.leaves[rng_below(&rng, m.n)].key, .remove = true };

			model_apply(&m, &c);
			assert_int_equal(trie_update(&nodes, &c, 1), OK);
			if (m.n % 10 == 0)
				check_against(&t, &m);
		}
		assert_true(t.n <= 1);
		free_nodes(&t);
	}
	assert_int_equal(mem_live(), 0);
}

static void order_and_batching_do_not_matter(void **state)
{
	struct trie_change all[60], c[60];
	struct id32 first = {{0}};
	size_t first_count = 0;
	struct rng rng;

	(void)state;
	rng_seed_u64(&rng, 2);
	for (size_t i = 0; i < 60; i++) {
		all[i].key = random_key(&rng);
		all[i].value = all[i].key;
		all[i].remove = false;
	}
	for (int round = 0; round < 100; round++) {
		struct nodes t = {0};
		struct trie_nodes nodes = table(&t);
		struct id32 root;

		for (size_t i = 60; i-- > 1;) {
			struct trie_change swap = all[i];
			size_t k = rng_below(&rng, i + 1);

			all[i] = all[k];
			all[k] = swap;
		}
		memcpy(c, all, sizeof c);
		for (size_t done = 0, n; done < 60; done += n) {
			n = 1 + rng_below(&rng, 60 - done);
			assert_int_equal(trie_update(&nodes, c + done, n), OK);
		}
		root = root_of(&t);
		if (round == 0) {
			first = root;
			first_count = t.n;
		}
		assert_true(id32_equal(&root, &first));
		assert_int_equal(t.n, first_count);
		free_nodes(&t);
	}
}

static void the_last_of_equal_keys_wins(void **state)
{
	struct nodes t = {0};
	struct trie_nodes nodes = table(&t);
	struct trie_change c[5] = { { .key = {{9}} }, { .key = {{1}} }, { .key = {{9}} }, { .key = {{1}} }, { .key = {{1}} } };
	struct trie_node root;

	(void)state;
	c[2].value.b[0] = 7;
	c[3].value.b[0] = 8;
	c[4].remove = true;
	assert_int_equal(trie_update(&nodes, c, 5), OK);
	assert_int_equal(trie_node(&nodes, SLICE(NULL, 0), &root), OK);
	assert_int_equal(root.child[0].kind, TRIE_LEAF);
	assert_int_equal(root.child[0].key.b[0], 9);
	assert_int_equal(root.child[0].value.b[0], 7);
	free_nodes(&t);
}

static void unchanged_leaves_write_nothing(void **state)
{
	struct nodes t = {0};
	struct trie_nodes nodes = table(&t);
	struct trie_change c[3] = { { .key = {{0x11}} }, { .key = {{0x12}} }, { .key = {{0x22}} } };

	(void)state;
	assert_int_equal(trie_update(&nodes, c, 3), OK);
	assert_int_equal(t.n, 2);
	reset_counts(&t);
	c[2].key.b[0] = 0x33;
	c[2].remove = true;                                     /* removing what is absent is fine */
	assert_int_equal(trie_update(&nodes, c, 3), OK);
	assert_int_equal(trie_update(&nodes, c, 0), OK);
	assert_int_equal(t.at[0].puts + t.at[1].puts, 0);
	free_nodes(&t);
}

static void empty_trie_has_a_root_of_zeros(void **state)
{
	struct nodes t = {0};
	struct trie_nodes nodes = table(&t);
	struct trie_node node;
	struct id32 root = root_of(&t);
	struct trie_change c = { .key = {{1}} };
	struct model m = { .n = 0 };

	(void)state;
	assert_true(id32_is_zero(&root));
	assert_int_equal(trie_node(&nodes, SLICE(NULL, 0), &node), OK);
	assert_int_equal(trie_node(&nodes, SLICE("\0", 1), &node), ERR_NOTFOUND);
	assert_int_equal(trie_walk(&nodes, SLICE(NULL, 0), count_leaf, &m), OK);
	assert_int_equal(trie_update(&nodes, &c, 1), OK);
	c.remove = true;
	assert_int_equal(trie_update(&nodes, &c, 1), OK);
	root = root_of(&t);
	assert_true(id32_is_zero(&root));
	assert_int_equal(m.n, 0);
	free_nodes(&t);
}

static void walk_finds_what_is_below_a_path(void **state)
{
	struct rng rng;
	struct nodes t = {0};
	struct trie_nodes nodes = table(&t);
	struct trie_change c[100];
	uint8_t path[TRIE_DEPTH + 1];

	(void)state;
	rng_seed_u64(&rng, 3);
	for (size_t i = 0; i < 100; i++)
		c[i] = (struct trie_change){ .key = random_key(&rng) };
	assert_int_equal(trie_update(&nodes, c, 100), OK);
	for (size_t i = 0; i < 100; i++) {
		for (size_t len = 0; len <= TRIE_DEPTH; len++) {
			struct model m = { .n = 0 };
			size_t expected = 0;

			for (size_t k = 0; k < len; k++)
				path[k] = (uint8_t)nibble(&c[i].key, k);
			for (size_t k = 0; k < 100; k++) {
				size_t same = 0;

				while (same < len && nibble(&c[k].key, same) == path[same])
					same++;
				expected += same == len && (k == 0 || !id32_equal(&c[k].key, &c[k - 1].key));
			}
			assert_int_equal(trie_walk(&nodes, SLICE(path, len), count_leaf, &m), OK);
			assert_int_equal(m.n, expected);
		}
	}
	memset(path, 16, sizeof path);
	assert_int_equal(trie_walk(&nodes, SLICE(path, 1), count_leaf, NULL), OK);
	assert_int_equal(trie_walk(&nodes, SLICE(path, TRIE_DEPTH + 1), count_leaf, NULL), OK);
	free_nodes(&t);
}

static enum err stop(void *arg, const struct trie_child *c)
{
	(void)c;
	return --*(int *)arg == 0 ? ERR_BUSY : OK;
}

static void walk_stops_with_the_error_of_the_callback(void **state)
{
	struct nodes t = {0};
	struct trie_nodes nodes = table(&t);
	struct trie_change c[3] = { { .key = {{0x11}} }, { .key = {{0x12}} }, { .key = {{0x22}} } };
	int left = 2;

	(void)state;
	assert_int_equal(trie_update(&nodes, c, 3), OK);
	assert_int_equal(trie_walk(&nodes, SLICE(NULL, 0), stop, &left), ERR_BUSY);
	assert_int_equal(left, 0);
	free_nodes(&t);
}

/* A node says what it holds: any altered one is damaged or hashes to something else. */
static void damaged_nodes_are_noticed(void **state)
{
	struct nodes t = {0};
	struct trie_nodes nodes = table(&t);
	struct trie_change c[4] = { { .key = {{0x11}} }, { .key = {{0x12}} }, { .key = {{0x22}} }, { .key = {{0x33}} } };
	struct id32 root, other;
	struct trie_node node;

	(void)state;
	assert_int_equal(trie_update(&nodes, c, 4), OK);
	root = root_of(&t);
	for (size_t i = 0; i < t.at[0].len * 8; i++) {
		t.at[0].node[i / 8] ^= (uint8_t)(1 << i % 8);
		if (trie_root(&nodes, &other) == OK)
			assert_false(id32_equal(&root, &other));
		t.at[0].node[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t len = 0; len < t.at[0].len; len++) {
		size_t whole = t.at[0].len;

		t.at[0].len = len;
		assert_int_equal(trie_node(&nodes, SLICE(NULL, 0), &node), ERR_DAMAGED);
		t.at[0].len = whole;
	}
	/* a branch that is named and not there */
	assert_int_equal(remove_node(&t, SLICE("\1", 1)), OK);
	c[0].value.b[0] = 1;
	assert_int_equal(trie_update(&nodes, c, 1), ERR_DAMAGED);
	assert_int_equal(trie_walk(&nodes, SLICE(NULL, 0), stop, &(int){9}), ERR_DAMAGED);
	free_nodes(&t);
}

static void errors_of_the_table_come_through(void **state)
{
	struct nodes t = { .fail_put = true };
	struct trie_nodes nodes = table(&t);
	struct trie_change c[20] = {0}, *last = &c[19];

	(void)state;
	for (size_t i = 0; i < 20; i++)
		c[i].key.b[0] = (uint8_t)(200 - i);
	assert_int_equal(trie_update(&nodes, c, 20), ERR_FULL);
	t.fail_put = false;
	for (size_t i = 0; i < 20; i++)
		c[i].key.b[0] = (uint8_t)(200 - i);
	mem_fail_after(0);
	assert_int_equal(trie_update(&nodes, c, 20), ERR_NOMEM);
	mem_fail_after(-1);
	assert_int_equal(last->key.b[0], 181);
	free_nodes(&t);
}

static void slot_keys_and_values_are_hashes(void **state)
{
	struct id32 a, b, id = {{5}};

	(void)state;
	trie_slot_key(&a, slice_of("slot"));
	crypto_hash1(&b, "cairn-slot", "slot", 4);
	assert_true(id32_equal(&a, &b));
	trie_slot_value(&a, 1, &id);
	trie_slot_value(&b, 2, &id);
	assert_false(id32_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_updates_agree_with_a_rebuild),
		cmocka_unit_test(order_and_batching_do_not_matter),
		cmocka_unit_test(the_last_of_equal_keys_wins),
		cmocka_unit_test(unchanged_leaves_write_nothing),
		cmocka_unit_test(empty_trie_has_a_root_of_zeros),
		cmocka_unit_test(walk_finds_what_is_below_a_path),
		cmocka_unit_test(walk_stops_with_the_error_of_the_callback),
		cmocka_unit_test(damaged_nodes_are_noticed),
		cmocka_unit_test(errors_of_the_table_come_through),
		cmocka_unit_test(slot_keys_and_values_are_hashes),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
