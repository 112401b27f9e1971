/* One set of tests over both backends, then what only one of them can show. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/mem.h"
#include "base/rng.h"
#include "store/backend.h"
#include "store/pages.h"

#define CHECK(x) assert_true(x)
#define IS(e, x) assert_string_equal(err_name(e), err_name(x))
#define MIB ((size_t)1 << 20)

/* ---- a store of either kind, and a place that outlives it ---- */

struct rig { bool lmdb; size_t map; struct store_disk *disk; char dir[40]; struct store *s; };
static const uint8_t key_a[KEY_LEN] = { 1 }, key_b[KEY_LEN] = { 2 };

static enum err rig_try(struct rig *r, const uint8_t *key)
{
	uint32_t found;

	return r->lmdb ? store_open_lmdb_map(&r->s, r->dir, key, &found, r->map) : store_open_memory(&r->s, r->disk, key);
}

static void rig_open(struct rig *r)
{
	IS(rig_try(r, key_a), OK);
}

static void rig_close(struct rig *r)
{
	store_close(r->s);
	r->s = NULL;
}

static void rig_reopen(struct rig *r)
{
	rig_close(r);
	rig_open(r);
}

static void remove_dir(const char *dir)
{
	static const char *const names[] = { "data.mdb", "lock.mdb", "store.lock", "store.probe" };
	char path[80];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static void rig_new(struct rig *r, bool lmdb)
{
	*r = (struct rig){ .lmdb = lmdb, .map = 16 * MIB };
	strcpy(r->dir, "/tmp/cairn-store-XXXXXX");
	CHECK(mkdtemp(r->dir) != NULL);
	CHECK((r->disk = store_disk_new()) != NULL);
}

static void rig_end(struct rig *r)
{
	store_close(r->s);
	store_disk_free(r->disk);
	remove_dir(r->dir);
}

static int with(void **state, bool lmdb)
{
	struct rig *r = malloc(sizeof *r);

	rig_new(r, lmdb);
	rig_open(r);
	*state = r;
	return 0;
}

static int with_memory(void **state)
{
	return with(state, false);
}

static int with_lmdb(void **state)
{
	return with(state, true);
}

static int with_small_lmdb(void **state)
{
	struct rig *r = malloc(sizeof *r);

	rig_new(r, true);
	r->map = MIB;
	rig_open(r);
	*state = r;
	return 0;
}

static int without(void **state)
{
	rig_end(*state);
	free(*state);
	CHECK(mem_live() == 0);
	return 0;
}

/* ---- shorthands ---- */

static struct slice S(const char *text)
{
	return SLICE(text, strlen(text));
}

static const struct slice none = { NULL, 0 };

static struct store_txn *begin(struct rig *r, bool write)
{
	struct store_txn *t;

	IS(store_begin(&t, r->s, write), OK);
	return t;
}

static void put(struct store_txn *t, const char *key, const char *value)
{
	IS(store_put(t, TABLE_OP, S(key), S(value)), OK);
}

static void put_one(struct rig *r, const char *key, const char *value)
{
	struct store_txn *t = begin(r, true);

	put(t, key, value);
	IS(store_commit(t), OK);
}

static bool holds(struct store_txn *t, const char *key, const char *value)
{
	struct slice v;
	enum err e = store_get(t, TABLE_OP, S(key), &v);

	return value == NULL ? e == ERR_NOTFOUND : e == OK && slice_equal(v, S(value));
}

static bool has(struct rig *r, const char *key, const char *value)
{
	struct store_txn *t = begin(r, false);
	bool is = holds(t, key, value);

	store_abort(t);
	return is;
}

/* What a cursor gives, as "key=value key=value". */
static const char *list(struct store_txn *t, const char *prefix, const char *from, bool descending)
{
	static char text[4096];
	struct store_cursor *c;
	struct slice key, value;
	size_t n = 0;
	enum err e;

	IS(store_cursor_open(&c, t, TABLE_OP, S(prefix), S(from), descending), OK);
	text[0] = '\0';
	while ((e = store_cursor_next(c, &key, &value)) == OK)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s=%.*s", n > 0 ? " " : "", (int)key.len, (const char *)key.data,
			(int)value.len, (const char *)value.data);
	IS(e, ERR_NOTFOUND);
	IS(store_cursor_next(c, &key, &value), ERR_NOTFOUND);
	store_cursor_close(c);
	return text;
}

static uint64_t records(struct rig *r)
{
	struct store_info info;

	IS(store_info(r->s, &info), OK);
	return info.records;
}

struct bad { int count; enum store_table table; char key[64]; };

static void note_bad(void *arg, enum store_table table, struct slice key)
{
	struct bad *b = arg;

	b->count++;
	b->table = table;
	snprintf(b->key, sizeof b->key, "%.*s", (int)key.len, (const char *)key.data);
}

/* Access below the sealing. */
struct below { const struct backend *b; void *self; };

static struct below below_open(struct rig *r)
{
	struct below w;

	IS(r->lmdb ? backend_lmdb_open(&w.b, &w.self, r->dir, r->map, LMDB_OWN) : backend_memory_open(&w.b, &w.self, r->disk), OK);
	return w;
}

static struct slice below_get(struct below w, struct slice key, uint8_t *copy)
{
	struct slice v;
	void *t;

	IS(w.b->begin(w.self, &t, false), OK);
	IS(w.b->get(t, key, &v), OK);
	memcpy(copy, v.data, v.len);
	w.b->abort(t);
	return SLICE(copy, v.len);
}

static void below_put(struct below w, struct slice key, struct slice value)
{
	uint8_t *room;
	void *t;

	IS(w.b->begin(w.self, &t, true), OK);
	IS(w.b->put(t, key, value.len, &room), OK);
	if (value.len > 0)
		memcpy(room, value.data, value.len);
	IS(w.b->commit(t), OK);
}

static void below_flip(struct below w, struct slice key, size_t at)
{
	uint8_t copy[1024];
	struct slice v = below_get(w, key, copy);

	copy[at % v.len] ^= 0x10;
	below_put(w, key, v);
}

/* ---- both backends ---- */

static void gives_back_what_was_put(void **state)
{
	struct rig *r = *state;

	CHECK(has(r, "a", NULL));
	put_one(r, "a", "one");
	CHECK(has(r, "a", "one"));
	put_one(r, "a", "a longer one");
	CHECK(has(r, "a", "a longer one"));
	rig_reopen(r);
	CHECK(has(r, "a", "a longer one"));
	CHECK(records(r) == 1);
}

static void tables_are_apart(void **state)
{
	struct rig *r = *state;
	struct store_txn *t = begin(r, true);
	struct slice v;

	put(t, "a", "op");
	IS(store_put(t, TABLE_DOC, S("a"), S("doc")), OK);
	CHECK(store_get(t, TABLE_DOC, S("a"), &v) == OK && slice_equal(v, S("doc")));
	IS(store_get(t, TABLE_LOG, S("a"), &v), ERR_NOTFOUND);
	assert_string_equal(list(t, "", "", false), "a=op");
	assert_string_equal(list(t, "", "", true), "a=op");
	IS(store_delete(t, TABLE_DOC, S("a")), OK);
	CHECK(holds(t, "a", "op"));
	store_abort(t);
}

static void delete_removes_and_may_miss(void **state)
{
	struct rig *r = *state;
	struct store_txn *t;

	put_one(r, "a", "one");
	t = begin(r, true);
	IS(store_delete(t, TABLE_OP, S("a")), OK);
	IS(store_delete(t, TABLE_OP, S("a")), OK);
	IS(store_delete(t, TABLE_OP, S("never")), OK);
	CHECK(holds(t, "a", NULL));
	IS(store_commit(t), OK);
	CHECK(has(r, "a", NULL));
	CHECK(records(r) == 0);
}

static void reads_see_own_writes_and_others_do_not(void **state)
{
	struct rig *r = *state;
	struct store_txn *reader, *t, *second;

	put_one(r, "a", "old");
	reader = begin(r, false);
	t = begin(r, true);
	put(t, "a", "new");
	put(t, "b", "new");
	CHECK(holds(t, "a", "new") && holds(t, "b", "new"));
	CHECK(holds(reader, "a", "old") && holds(reader, "b", NULL));
	IS(store_begin(&second, r->s, true), ERR_STATE);
	CHECK(second == NULL);
	IS(store_commit(t), OK);
	CHECK(holds(reader, "a", "old") && holds(reader, "b", NULL));
	IS(store_put(reader, TABLE_OP, S("c"), S("")), ERR_STATE);
	store_abort(reader);
	CHECK(has(r, "a", "new"));
}

static void abort_keeps_nothing(void **state)
{
	struct rig *r = *state;
	struct store_txn *t;

	put_one(r, "a", "old");
	t = begin(r, true);
	put(t, "a", "new");
	put(t, "b", "new");
	store_abort(t);
	store_abort(NULL);
	CHECK(has(r, "a", "old") && has(r, "b", NULL));
	t = begin(r, true);
	put(t, "b", "left open");
	CHECK(begin(r, false) != NULL);
	rig_reopen(r);                  /* closing aborts both */
	CHECK(has(r, "a", "old") && has(r, "b", NULL));
}

static void sizes_up_to_the_limits_are_kept(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 2000, 4000, 4096, 65536, STORE_VALUE_MAX };
	static uint8_t big[STORE_VALUE_MAX + 1];
	struct rig *r = *state;
	uint8_t key[STORE_KEY_MAX + 1];
	struct store_txn *t;
	struct slice v;

	memset(key, 0xff, sizeof key);
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (uint8_t)(i * 7 + i / 256);
	t = begin(r, true);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		IS(store_put(t, TABLE_OP, SLICE(key, i * STORE_KEY_MAX / 8), SLICE(big, sizes[i])), OK);
	IS(store_commit(t), OK);
	rig_reopen(r);
	t = begin(r, false);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		IS(store_get(t, TABLE_OP, SLICE(key, i * STORE_KEY_MAX / 8), &v), OK);
		CHECK(slice_equal(v, SLICE(big, sizes[i])));
	}
	IS(store_get(t, TABLE_OP, SLICE(key, sizeof key), &v), ERR_TOOBIG);
	store_abort(t);
	t = begin(r, true);
	IS(store_put(t, TABLE_OP, SLICE(key, sizeof key), none), ERR_TOOBIG);
	store_abort(t);
	t = begin(r, true);
	put(t, "a", "kept?");
	IS(store_put(t, TABLE_OP, none, SLICE(big, sizeof big)), ERR_TOOBIG);
	IS(store_put(t, TABLE_OP, S("b"), none), ERR_TOOBIG);   /* what failed can only be aborted */
	IS(store_delete(t, TABLE_OP, S("b")), ERR_TOOBIG);
	IS(store_get(t, TABLE_OP, S("a"), &v), ERR_TOOBIG);
	IS(store_commit(t), ERR_TOOBIG);
	CHECK(has(r, "a", NULL));
}

static void cursors_go_both_ways(void **state)
{
	struct rig *r = *state;
	struct store_txn *t = begin(r, true);
	struct store_cursor *c;
	struct slice key, v;

	IS(store_put(t, TABLE_LOG, S("before"), none), OK);
	IS(store_put(t, TABLE_DOC_OPS, S("behind"), none), OK);
	assert_string_equal(list(t, "", "", false), "");
	assert_string_equal(list(t, "", "", true), "");
	put(t, "b", "2");
	put(t, "bb", "4");
	put(t, "a", "1");
	put(t, "c", "5");
	put(t, "b\xff", "3");
	put(t, "b\xff\xff", "x");
	for (int committed = 0; committed < 2; committed++) {
		assert_string_equal(list(t, "", "", false), "a=1 b=2 bb=4 b\xff=3 b\xff\xff=x c=5");
		assert_string_equal(list(t, "", "", true), "c=5 b\xff\xff=x b\xff=3 bb=4 b=2 a=1");
		assert_string_equal(list(t, "b", "", false), "b=2 bb=4 b\xff=3 b\xff\xff=x");
		assert_string_equal(list(t, "b", "", true), "b\xff\xff=x b\xff=3 bb=4 b=2");
		assert_string_equal(list(t, "b\xff", "", true), "b\xff\xff=x b\xff=3");
		assert_string_equal(list(t, "bbb", "", false), "");
		assert_string_equal(list(t, "bbb", "", true), "");
		assert_string_equal(list(t, "", "b", false), "b=2 bb=4 b\xff=3 b\xff\xff=x c=5");
		assert_string_equal(list(t, "", "b", true), "a=1");
		assert_string_equal(list(t, "b", "ba", false), "bb=4 b\xff=3 b\xff\xff=x");
		assert_string_equal(list(t, "b", "bc", true), "bb=4 b=2");
		assert_string_equal(list(t, "b", "a", false), "b=2 bb=4 b\xff=3 b\xff\xff=x");
		assert_string_equal(list(t, "b", "z", true), "b\xff\xff=x b\xff=3 bb=4 b=2");
		assert_string_equal(list(t, "b", "c", false), "");
		assert_string_equal(list(t, "b", "a", true), "");
		if (committed == 0)
			IS(store_commit(t), OK);
		else
			store_abort(t);
		if (committed == 0)
			t = begin(r, false);
	}
	t = begin(r, false);
	IS(store_cursor_open(&c, t, TABLE_OP, S("b"), none, false), OK);
	IS(store_cursor_next(c, &key, NULL), OK);
	CHECK(slice_equal(key, S("b")));
	store_abort(t);                 /* ends the cursor, too */
	IS(store_cursor_next(c, &key, &v), ERR_STATE);
	store_cursor_close(c);
	store_cursor_close(NULL);
}

static void cursors_survive_writes(void **state)
{
	struct rig *r = *state;

	for (int descending = 0; descending < 2; descending++) {
		struct store_txn *t = begin(r, true);
		struct store_cursor *c;
		struct slice key, v;
		int seen = 0;

		for (int i = 0; i < 300; i++) {
			char name[16];

			snprintf(name, sizeof name, "%03d", i);
			put(t, name, "x");
		}
		IS(store_cursor_open(&c, t, TABLE_OP, none, none, descending), OK);
		while (store_cursor_next(c, &key, &v) == OK) {
			int n = atoi((const char[]){ (char)key.data[0], (char)key.data[1], (char)key.data[2], 0 });
			char next[16];

			CHECK(n == (descending ? 299 - 2 * seen : 2 * seen));
			IS(store_delete(t, TABLE_OP, key), OK);         /* this one, and its neighbour ahead */
			snprintf(next, sizeof next, "%03d", descending ? n - 1 : n + 1);
			IS(store_delete(t, TABLE_OP, S(next)), OK);
			CHECK(slice_equal(v, S("x")));
			seen++;
		}
		CHECK(seen == 150);
		put(t, "500", "behind an ended cursor");
		IS(store_cursor_next(c, &key, &v), ERR_NOTFOUND);
		IS(store_delete(t, TABLE_OP, S("500")), OK);
		assert_string_equal(list(t, "", "", false), "");
		put(t, "a", "1");
		store_cursor_close(c);
		IS(store_cursor_open(&c, t, TABLE_OP, none, none, descending), OK);
		IS(store_cursor_next(c, &key, &v), OK);
		put(t, descending ? "A" : "b", "made while the cursor was out");
		IS(store_cursor_next(c, &key, &v), OK);
		CHECK(slice_equal(key, S(descending ? "A" : "b")));
		store_abort(t);
		store_cursor_close(c);
	}
}

static void many_records_come_back_in_order(void **state)
{
	enum { N = 20000 };
	struct rig *r = *state;
	struct store_txn *t = NULL;
	struct store_cursor *c;
	struct slice key, v;
	uint64_t n = 0, count;
	struct bad bad = { 0 };
	enum err e;

	for (uint32_t i = 0; i < N; i++) {
		uint8_t k[4];

		if (i % 5000 == 0)
			t = begin(r, true);
		put_u32(k, (uint32_t)((uint64_t)i * 7919 % N));
		IS(store_put(t, TABLE_OP, SLICE(k, 4), SLICE(k, 4)), OK);
		if (i % 5000 == 4999)
			IS(store_commit(t), OK);
	}
	t = begin(r, false);
	IS(store_cursor_open(&c, t, TABLE_OP, none, none, false), OK);
	for (; (e = store_cursor_next(c, &key, &v)) == OK; n++)
		CHECK(key.len == 4 && get_u32(key.data) == n && slice_equal(key, v));
	IS(e, ERR_NOTFOUND);
	CHECK(n == N && records(r) == N);
	store_cursor_close(c);
	store_abort(t);
	IS(store_check(r->s, &count, note_bad, &bad), OK);
	CHECK(count == N && bad.count == 0);
	for (uint32_t i = 0; i < N; i++) {      /* and away they go, in another order */
		uint8_t k[4];

		if (i % 5000 == 0)
			t = begin(r, true);
		put_u32(k, (uint32_t)((uint64_t)i * 104729 % N));
		IS(store_delete(t, TABLE_OP, SLICE(k, 4)), OK);
		if (i % 5000 == 4999)
			IS(store_commit(t), OK);
	}
	CHECK(records(r) == 0);
}

static void values_live_as_long_as_their_transaction(void **state)
{
	struct rig *r = *state;
	struct store_txn *t = begin(r, true);
	struct slice v[50];
	char name[16];
	size_t live;

	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "%d", i);
		put(t, name, name);
	}
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "%d", i);
		IS(store_get(t, TABLE_OP, S(name), &v[i]), OK);
		put(t, name, "another");
		IS(store_put(t, TABLE_DOC, S(name), v[i]), OK); /* a borrowed value can be put */
	}
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "%d", i);
		CHECK(slice_equal(v[i], S(name)));
		IS(store_get(t, TABLE_DOC, S(name), &v[i]), OK);
		CHECK(slice_equal(v[i], S(name)));
	}
	live = mem_live();
	for (int i = 0; i < 20000; i++) {
		CHECK(holds(t, "7", "another"));
		if (i % 10 == 0)
			store_forget(t);
	}
	CHECK(mem_live() <= live);
	store_abort(t);
}

static void a_wrong_key_is_told_from_damage(void **state)
{
	struct rig *r = *state;

	put_one(r, "a", "one");
	rig_close(r);
	IS(rig_try(r, key_b), ERR_SEALED);
	CHECK(r->s == NULL);
	rig_open(r);
	CHECK(has(r, "a", "one"));
}

static void a_newer_format_is_refused_and_named(void **state)
{
	struct rig *r = *state;
	uint8_t clear[41] = "cairn\0\0\0\2";
	struct below w;
	struct id32 check;
	uint32_t found = 99;

	rig_close(r);
	crypto_hash1(&check, "cairn store format", clear, 9);
	memcpy(clear + 9, check.b, 32);
	w = below_open(r);
	below_put(w, SLICE("\0format", 7), SLICE(clear, sizeof clear));
	w.b->close(w.self);
	IS(rig_try(r, key_a), ERR_VERSION);
	IS(rig_try(r, key_b), ERR_VERSION);     /* without the key, too */
	if (r->lmdb) {
		IS(store_open_lmdb(&r->s, r->dir, key_b, &found), ERR_VERSION);
		CHECK(found == 2);
		IS(store_open_lmdb(&r->s, r->dir, key_b, NULL), ERR_VERSION);
	}
}

static void a_damaged_format_record_is_repaired(void **state)
{
	static const struct slice reserved[] = { { (const uint8_t *)"\0format", 7 }, { (const uint8_t *)"\0probe1", 7 },
		{ (const uint8_t *)"\0probe2", 7 } };
	struct rig *r = *state;
	uint8_t before[3][64], after[64];
	size_t len[3];
	struct below w;

	put_one(r, "a", "one");
	rig_close(r);
	for (size_t at = 0; at < 48; at += 3)
		for (int i = 0; i < 3; i++) {
			w = below_open(r);
			for (int j = 0; j < 3; j++)
				len[j] = below_get(w, reserved[j], before[j]).len;
			below_flip(w, reserved[i], at);
			w.b->close(w.self);
			rig_open(r);
			CHECK(has(r, "a", "one"));
			rig_close(r);
			w = below_open(r);
			for (int j = 0; j < 3; j++)
				CHECK(slice_equal(below_get(w, reserved[j], after), SLICE(before[j], len[j])));
			w.b->close(w.self);
		}
	w = below_open(r);
	below_flip(w, reserved[0], 7);
	w.b->close(w.self);
	IS(rig_try(r, key_b), ERR_DAMAGED);     /* no key fits, no format known */
	rig_open(r);
	rig_close(r);
	w = below_open(r);
	below_flip(w, reserved[1], 7);
	below_flip(w, reserved[2], 7);
	w.b->close(w.self);
	IS(rig_try(r, key_a), ERR_SEALED);      /* cannot be told from a wrong key */
}

static void moved_and_swapped_records_are_found(void **state)
{
	struct rig *r = *state;
	uint8_t a[64], b[64];
	struct slice sa, sb, v;
	struct store_txn *t;
	struct below w;

	put_one(r, "a", "one");
	put_one(r, "b", "two");
	rig_close(r);
	w = below_open(r);
	sa = below_get(w, SLICE("\4a", 2), a);
	sb = below_get(w, SLICE("\4b", 2), b);
	CHECK(sa.len == 3 + NONCE_LEN + TAG_LEN);
	below_put(w, SLICE("\4a", 2), sb);
	below_put(w, SLICE("\4b", 2), sa);
	below_put(w, SLICE("\5a", 2), sa);
	below_put(w, SLICE("\4c", 2), SLICE(sa.data, NONCE_LEN + TAG_LEN - 1));
	below_put(w, SLICE("\4d", 2), none);
	w.b->close(w.self);
	rig_open(r);
	t = begin(r, false);
	for (const char *k = "abcd"; *k != '\0'; k++)
		IS(store_get(t, TABLE_OP, SLICE(k, 1), &v), ERR_DAMAGED);
	IS(store_get(t, TABLE_DOC_OPS, S("a"), &v), ERR_DAMAGED);
	store_abort(t);
}

static void equal_bytes_split_differently_get_other_nonces(void **state)
{
	struct rig *r = *state;
	uint8_t a[64], b[64];
	struct below w;

	put_one(r, "k", "ey value");
	put_one(r, "key", " value");
	rig_close(r);
	w = below_open(r);
	below_get(w, SLICE("\4k", 2), a);
	below_get(w, SLICE("\4key", 4), b);
	CHECK(memcmp(a, b, NONCE_LEN) != 0);
	w.b->close(w.self);
}

static void a_damaged_record_is_found_and_the_rest_is_read(void **state)
{
	struct rig *r = *state;
	struct store_cursor *c;
	struct bad bad = { 0 };
	struct store_txn *t;
	struct slice key, v;
	struct below w;
	uint64_t count;

	put_one(r, "a", "one");
	put_one(r, "b", "two");
	put_one(r, "c", "three");
	rig_close(r);
	w = below_open(r);
	below_flip(w, SLICE("\4b", 2), 30);
	w.b->close(w.self);
	rig_open(r);
	t = begin(r, true);
	IS(store_cursor_open(&c, t, TABLE_OP, none, none, false), OK);
	IS(store_cursor_next(c, &key, &v), OK);
	IS(store_cursor_next(c, &key, &v), ERR_DAMAGED);
	CHECK(slice_equal(key, S("b")));
	IS(store_cursor_next(c, &key, &v), OK);
	CHECK(slice_equal(v, S("three")));
	store_cursor_close(c);
	IS(store_check(r->s, &count, note_bad, &bad), OK);
	CHECK(count == 3 && bad.count == 1 && bad.table == TABLE_OP);
	assert_string_equal(bad.key, "b");
	put(t, "b", "mended");          /* a damaged record does not spoil the transaction */
	IS(store_commit(t), OK);
	CHECK(has(r, "b", "mended"));
	IS(store_check(r->s, &count, note_bad, &bad), OK);
	CHECK(bad.count == 1);
}

static void a_second_opener_is_refused(void **state)
{
	struct rig *r = *state, second = *r;

	put_one(r, "a", "one");
	IS(rig_try(&second, key_a), ERR_BUSY);
	CHECK(second.s == NULL && has(r, "a", "one"));
	rig_reopen(r);
	CHECK(has(r, "a", "one"));
}

/* ---- random operations against a sorted array ---- */

enum { MODEL_MAX = 600 };
struct item { uint8_t key[6], len, fill; uint16_t size; };
struct model { int n; struct item at[MODEL_MAX]; };

static struct slice item_key(const struct item *i)
{
	return SLICE(i->key, i->len);
}

static int model_find(const struct model *m, struct slice key, bool *there)
{
	int i = 0;

	while (i < m->n && slice_compare(item_key(&m->at[i]), key) < 0)
		i++;
	*there = i < m->n && slice_equal(item_key(&m->at[i]), key);
	return i;
}

static struct item random_item(struct rng *g)
{
	struct item it = { .len = (uint8_t)rng_below(g, 6), .fill = (uint8_t)rng_u64(g) };

	it.size = (uint16_t)(rng_below(g, 20) == 0 ? rng_below(g, 9000) : rng_below(g, 40));
	for (int i = 0; i < it.len; i++)
		it.key[i] = (uint8_t)(rng_below(g, 8) == 0 ? 255 : rng_below(g, 4));
	return it;
}

static bool is_filled(struct slice v, const struct item *it)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.data[i] != it->fill)
			return false;
	return v.len == it->size;
}

static void model_change(struct model *m, struct store_txn *t, struct rng *g)
{
	static uint8_t value[9000];
	struct item it = random_item(g);
	bool there;
	int i = model_find(m, item_key(&it), &there);

	if (rng_below(g, 5) < 3 && (there || m->n < MODEL_MAX)) {
		memset(value, it.fill, it.size);
		IS(store_put(t, TABLE_OP, item_key(&it), SLICE(value, it.size)), OK);
		if (!there) {
			memmove(&m->at[i + 1], &m->at[i], (size_t)(m->n - i) * sizeof it);
			m->n++;
		}
		m->at[i] = it;
	} else {
		IS(store_delete(t, TABLE_OP, item_key(&it)), OK);
		if (there) {
			memmove(&m->at[i], &m->at[i + 1], (size_t)(m->n - i - 1) * sizeof it);
			m->n--;
		}
	}
}

static bool begins(const struct item *it, const struct item *prefix)
{
	return it->len >= prefix->len && memcmp(it->key, prefix->key, prefix->len) == 0;
}

/* A cursor, followed for a while, with changes under way when t may write. */
static void model_walk(struct model *m, struct store_txn *t, struct rng *g, bool change)
{
	struct item prefix = random_item(g), from = random_item(g);
	bool descending = rng_below(g, 2) == 0, there;
	struct store_cursor *c;
	struct slice key, v;
	uint8_t last[6];
	size_t last_len = 0;
	bool started = false;

	prefix.len = prefix.len > 2 ? 0 : prefix.len;
	IS(store_cursor_open(&c, t, TABLE_OP, item_key(&prefix), item_key(&from), descending), OK);
	for (;;) {
		struct slice begin_at = started ? SLICE(last, last_len) : item_key(&from);
		int i = model_find(m, begin_at, &there);
		enum err e;

		if (descending)
			i = !started && from.len == 0 ? m->n - 1 : i - 1;
		else if (started && there)
			i++;
		while (!descending && !started && i < m->n && slice_compare(item_key(&m->at[i]), item_key(&prefix)) < 0)
			i++;
		while (descending && !started && i >= 0 && !begins(&m->at[i], &prefix) &&
			slice_compare(item_key(&m->at[i]), item_key(&prefix)) > 0)
			i--;
		e = store_cursor_next(c, &key, &v);
		if (i < 0 || i >= m->n || !begins(&m->at[i], &prefix)) {
			IS(e, ERR_NOTFOUND);
			break;
		}
		IS(e, OK);
		CHECK(slice_equal(key, item_key(&m->at[i])) && is_filled(v, &m->at[i]));
		if (key.len > 0)
			memcpy(last, key.data, key.len);
		last_len = key.len;
		started = true;
		if (change && rng_below(g, 4) == 0)
			model_change(m, t, g);
		if (rng_below(g, 60) == 0)
			break;
	}
	store_cursor_close(c);
}

static void behaves_like_a_sorted_array(void **state)
{
	struct rig *r = *state;
	struct model m = { 0 };
	struct bad bad = { 0 };
	uint64_t count;
	struct rng g;

	for (uint64_t seed = 0; seed < 400; seed++) {
		struct model before = m;
		struct store_txn *t = begin(r, true);

		rng_seed_u64(&g, seed);
		for (uint64_t n = rng_below(&g, 80); n > 0; n--) {
			model_change(&m, t, &g);
			if (rng_below(&g, 8) == 0)
				model_walk(&m, t, &g, rng_below(&g, 2) == 0);
			if (rng_below(&g, 30) == 0)
				store_forget(t);
		}
		if (rng_below(&g, 4) == 0) {
			store_abort(t);
			m = before;
		} else {
			IS(store_commit(t), OK);
		}
		if (rng_below(&g, 10) == 0)
			rig_reopen(r);
		if (seed % 8 == 0)
			CHECK(store_check(r->s, &count, note_bad, &bad) == OK && count == (uint64_t)m.n && bad.count == 0);
		t = begin(r, false);
		for (int i = 0; i < 4; i++)
			model_walk(&m, t, &g, false);
		store_abort(t);
		CHECK(records(r) == (uint64_t)m.n);
	}
}

/* ---- memory runs out ---- */

static enum err a_life(struct rig *r, bool *committed)
{
	static const uint8_t big[9000];
	struct store_cursor *c = NULL;
	struct store_txn *t = NULL;
	struct slice key, v;
	enum err e = rig_try(r, key_a);

	*committed = false;
	if (e != OK || (e = store_begin(&t, r->s, true)) != OK)
		goto out;
	for (uint8_t i = 0; i < 80 && e == OK; i++)
		e = store_put(t, TABLE_OP, SLICE(&i, 1), SLICE(big, i));
	if (e != OK || (e = store_put(t, TABLE_OP, S("big"), SLICE(big, sizeof big))) != OK ||
	    (e = store_get(t, TABLE_OP, S("big"), &v)) != OK || (e = store_delete(t, TABLE_OP, S("big"))) != OK ||
	    (e = store_cursor_open(&c, t, TABLE_OP, none, none, true)) != OK || (e = store_cursor_next(c, &key, &v)) != OK)
		goto out;
	e = store_commit(t);
	*committed = e == OK;
	t = NULL;
out:
	store_abort(t);
	store_cursor_close(c);
	rig_close(r);
	return e;
}

static void every_allocation_may_fail(void **state)
{
	struct rig *r = *state;
	size_t live;
	enum err e = ERR_NOMEM;

	put_one(r, "old", "kept");
	rig_close(r);
	live = mem_live() - (r->lmdb ? 0 : 0);
	for (long k = 0; e != OK; k++) {
		bool committed;

		mem_fail_after(k);
		e = a_life(r, &committed);
		mem_fail_after(-1);
		CHECK(e == OK || e == ERR_NOMEM);
		CHECK(e == OK || mem_live() == live);
		rig_open(r);
		CHECK(has(r, "old", "kept") && records(r) == (committed ? 81 : 1));
		rig_close(r);
	}
	for (long k = 0; k < 400; k++) {        /* a new store, too */
		struct rig fresh;

		rig_new(&fresh, r->lmdb);
		mem_fail_after(k);
		e = rig_try(&fresh, key_a);
		mem_fail_after(-1);
		CHECK(e == OK || e == ERR_NOMEM);
		rig_close(&fresh);
		rig_open(&fresh);
		CHECK(records(&fresh) == 0);
		rig_end(&fresh);
		if (e == OK)
			break;
	}
	IS(e, OK);
}

/* A put that fails for memory leaves the old state behind an abort, whatever shape the tree had. */
static void a_put_without_memory_can_be_aborted(void **state)
{
	struct rig *r = *state;

	for (uint32_t n = 0; n < 1100; n += 31) {
		uint8_t k[4];
		enum err e = ERR_NOMEM;
		struct store_txn *t = begin(r, true);

		for (uint32_t i = 0; i < n; i++) {
			put_u32(k, i * 2);
			IS(store_put(t, TABLE_OP, SLICE(k, 4), none), OK);
		}
		IS(store_commit(t), OK);
		for (long fail = 0; e != OK; fail++) {
			t = begin(r, true);
			mem_fail_after(fail);
			put_u32(k, n | 1);
			e = store_put(t, TABLE_OP, SLICE(k, 4), none);
			put_u32(k, n & ~1U);
			if (e == OK)
				e = store_delete(t, TABLE_OP, SLICE(k, 4));
			mem_fail_after(-1);
			if (e != OK)
				IS(store_commit(t), e);
			else
				store_abort(t);
			CHECK(records(r) == n);
		}
	}
}

/* ---- memory only ---- */

static void a_crash_loses_exactly_what_was_not_synced(void **state)
{
	struct rig *r = *state;

	put_one(r, "a", "durable");
	store_disk_unsynced(r->disk, true);
	put_one(r, "a", "synced");
	put_one(r, "b", "synced");
	store_disk_sync(r->disk);
	put_one(r, "a", "volatile");
	put_one(r, "c", "volatile");
	CHECK(has(r, "a", "volatile") && has(r, "c", "volatile"));
	rig_close(r);
	rig_open(r);
	CHECK(has(r, "a", "volatile"));         /* closing is no crash */
	rig_close(r);
	store_disk_crash(r->disk);
	rig_open(r);
	CHECK(has(r, "a", "synced") && has(r, "b", "synced") && has(r, "c", NULL));
	store_disk_unsynced(r->disk, false);
	put_one(r, "d", "durable");
	rig_close(r);
	store_disk_crash(r->disk);
	rig_open(r);
	CHECK(has(r, "d", "durable") && has(r, "a", "synced"));
}

static void a_full_disk_refuses_growth_and_recovers(void **state)
{
	static const uint8_t big[4000];
	struct rig *r = *state;
	struct store_info info;
	struct store_txn *t;
	enum err e = OK;
	int n;

	put_one(r, "a", "one");
	store_disk_limit(r->disk, 50000);
	for (n = 0; e == OK; n++) {
		char name[16];

		snprintf(name, sizeof name, "b%d", n);
		t = begin(r, true);
		IS(store_put(t, TABLE_OP, S(name), SLICE(big, sizeof big)), OK);
		e = store_commit(t);
	}
	IS(e, ERR_FULL);
	CHECK(n == 13 && records(r) == 13);
	CHECK(has(r, "a", "one"));
	IS(store_info(r->s, &info), OK);
	CHECK(info.used_bytes <= 50000);
	t = begin(r, true);
	IS(store_delete(t, TABLE_OP, S("b1")), OK);
	IS(store_commit(t), OK);
	put_one(r, "c", "room again");
	store_disk_limit(r->disk, 0);
	t = begin(r, true);
	for (uint8_t i = 0; i < 100; i++)
		IS(store_put(t, TABLE_DOC, SLICE(&i, 1), SLICE(big, sizeof big)), OK);
	IS(store_commit(t), OK);
}

static void a_failed_commit_keeps_nothing(void **state)
{
	struct rig *r = *state;
	struct store_txn *t;

	put_one(r, "a", "one");
	store_disk_fail_commits(r->disk, 2);
	for (int i = 0; i < 2; i++) {
		IS(store_commit(begin(r, true)), OK);   /* nothing written, nothing to fail */
		IS(store_commit(begin(r, false)), OK);
		t = begin(r, true);
		put(t, "a", "two");
		put(t, "b", "two");
		IS(store_commit(t), ERR_IO);
		CHECK(has(r, "a", "one") && has(r, "b", NULL));
	}
	put_one(r, "a", "three");
	CHECK(has(r, "a", "three"));
}

static void each_flipped_bit_is_found(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 200; i++) {
		char name[16];

		snprintf(name, sizeof name, "%d", i);
		put_one(r, name, name);
	}
	for (uint64_t which = 0; which < 400; which++) {
		struct store_disk *copy = store_disk_clone(r->disk);
		struct rig c = { .disk = copy };
		struct bad bad = { 0 };
		uint64_t count;

		store_disk_flip(copy, which * 12345);
		if (which % 2 == 0)
			store_disk_crash(copy); /* it was the durable bytes that changed */
		rig_open(&c);
		IS(store_check(c.s, &count, note_bad, &bad), OK);
		CHECK(count == 200 && bad.count == 1 && bad.table == TABLE_OP);
		IS(store_check(r->s, &count, note_bad, &bad), OK);
		CHECK(count == 200 && bad.count == 1);  /* the original is whole */
		rig_close(&c);
		store_disk_free(copy);
	}
}

static void a_flip_of_nothing_is_nothing(void **state)
{
	struct rig *r = *state;

	store_disk_flip(r->disk, 5);
	put_one(r, "a", "one");
	store_disk_unsynced(r->disk, true);
	put_one(r, "a", "two");
	store_disk_flip(r->disk, 5);
	CHECK(!has(r, "a", "two"));
	rig_close(r);
	store_disk_crash(r->disk);      /* the flipped bytes were not the durable ones */
	rig_open(r);
	CHECK(has(r, "a", "one"));
}

static void a_clone_goes_its_own_way(void **state)
{
	struct rig *r = *state, c = { 0 }, d = { 0 };
	struct store_info mine, its;
	struct store_txn *t;

	put_one(r, "a", "one");
	t = begin(r, true);
	put(t, "a", "not committed");
	c.disk = store_disk_clone(r->disk);
	store_abort(t);
	rig_open(&c);
	CHECK(has(&c, "a", "one"));
	IS(store_info(r->s, &mine), OK);
	IS(store_info(c.s, &its), OK);
	CHECK(mine.identity != its.identity && mine.format == STORE_FORMAT);
	for (int i = 0; i < 300; i++) {
		char name[16];

		snprintf(name, sizeof name, "%d", i);
		put_one(&c, name, "its");
		snprintf(name, sizeof name, "%d", i * 3);
		put_one(r, name, "mine");
	}
	put_one(&c, "a", "its");
	CHECK(has(r, "a", "one") && has(r, "3", "mine") && has(r, "299", NULL) && has(&c, "3", "its") && has(&c, "897", NULL));
	rig_close(&c);
	store_disk_crash(c.disk);
	rig_open(&c);
	CHECK(has(&c, "a", "its"));
	rig_close(&c);
	d.disk = store_disk_clone(c.disk);
	store_disk_free(c.disk);
	rig_open(&d);
	CHECK(has(&d, "a", "its"));
	IS(store_backup(d.s, "/tmp/nowhere"), ERR_USAGE);
	rig_close(&d);
	store_disk_free(d.disk);
}

/* ---- LMDB only ---- */

static atomic_bool has_ended;
static int flip_rounds = 150;

static void in_child(struct rig *r, void (*work)(struct rig *), int expected)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		work(r);
		_exit(99);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), expected);
}

static void work_open(struct rig *r)
{
	struct rig mine = *r;
	int holder = store_holder(r->dir);

	_exit(rig_try(&mine, key_a) == ERR_BUSY && holder == getppid() ? 0 : 1);
}

static void the_holder_has_a_name(void **state)
{
	struct rig *r = *state;
	struct stat st;
	char path[64];

	assert_int_equal(store_holder(r->dir), getpid());
	in_child(r, work_open, 0);
	put_one(r, "a", "still mine");
	rig_close(r);
	assert_int_equal(store_holder(r->dir), 0);
	assert_int_equal(store_holder("/nonexistent"), 0);
	for (const char *const *name = (const char *const[]){ "data.mdb", "lock.mdb", "store.lock", NULL }; *name != NULL; name++) {
		snprintf(path, sizeof path, "%s/%s", r->dir, *name);
		CHECK(stat(path, &st) == 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static void only_the_last_directory_is_made(void **state)
{
	struct rig *r = *state, inner = *r;
	char path[80];

	snprintf(path, sizeof path, "%s/new", r->dir);
	strcpy(inner.dir, path);
	rig_open(&inner);
	put_one(&inner, "a", "one");
	rig_close(&inner);
	remove_dir(inner.dir);
	strcat(inner.dir, "/er");
	IS(rig_try(&inner, key_a), ERR_IO);
}

static void work_commit_and_die(struct rig *r)
{
	struct store_txn *t;

	rig_open(r);
	put_one(r, "a", "committed");
	t = begin(r, true);
	put(t, "a", "not committed");
	put(t, "b", "not committed");
	kill(getpid(), SIGKILL);
}

static void a_killed_owner_leaves_what_it_committed(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 20; i++) {
		rig_close(r);
		in_child(r, work_commit_and_die, 1000 + SIGKILL);
		assert_int_equal(store_holder(r->dir), 0);
		rig_open(r);
		CHECK(has(r, "a", "committed") && has(r, "b", NULL));
		put_one(r, "a", "next round");
	}
}

static void the_map_grows_before_it_is_full(void **state)
{
	static uint8_t value[4000];
	struct rig *r = *state;
	struct store_info info;

	IS(store_info(r->s, &info), OK);
	CHECK(info.map_bytes == MIB);
	for (uint32_t i = 0; i < 1500; i++) {   /* 6 MB, never told to repeat */
		struct store_txn *t = begin(r, true);

		put_u32(value, i);
		IS(store_put(t, TABLE_OP, SLICE(value, 4), SLICE(value, sizeof value)), OK);
		IS(store_commit(t), OK);
	}
	IS(store_info(r->s, &info), OK);
	CHECK(info.map_bytes >= 8 * MIB && info.records == 1500 && info.used_bytes > 5 * MIB);
	rig_reopen(r);
	CHECK(records(r) == 1500);
}

/* One big transaction, as often as it says that the map was too small. */
static void a_transaction_too_big_for_the_map_is_repeated(void **state)
{
	static uint8_t value[STORE_VALUE_MAX];
	struct rig *r = *state;
	struct store_txn *reader, *t;
	enum err e = ERR_MAPFULL;
	int tries = 0;

	put_one(r, "a", "one");
	reader = begin(r, false);
	for (tries = 0; e == ERR_MAPFULL; tries++) {
		if (tries > 0 && reader != NULL) {
			IS(store_begin(&t, r->s, true), ERR_BUSY);      /* a reader holds the map */
			CHECK(holds(reader, "a", "one"));
			store_abort(reader);
			reader = NULL;
		}
		e = OK;
		t = begin(r, true);
		for (uint32_t i = 0; i < 280 && e == OK; i++) { /* 70 MiB */
			put_u32(value, i);
			e = store_put(t, TABLE_DOC, SLICE(value, 4), SLICE(value, sizeof value));
		}
		if (tries % 2 == 1 || e == OK) {
			enum err c = store_commit(t);

			CHECK(c == e || (e == OK && c == ERR_MAPFULL));
			e = c;
		} else {
			store_abort(t);
		}
		CHECK(has(r, "a", "one"));
	}
	IS(e, OK);
	CHECK(tries > 4 && records(r) == 281);
}

static void limit_file_size(rlim_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes;
	setrlimit(RLIMIT_FSIZE, &limit);
}

static void a_failed_write_keeps_nothing_and_the_store_goes_on(void **state)
{
	static uint8_t value[STORE_VALUE_MAX];
	struct rig *r = *state;
	struct store_txn *t;
	enum err e = OK;

	put_one(r, "a", "one");
	for (int round = 0; round < 3; round++) {
		limit_file_size(300000);
		t = begin(r, true);
		put(t, "a", "two");
		for (uint8_t i = 0; i < 3 && e == OK; i++)
			e = store_put(t, TABLE_DOC, SLICE(&i, 1), SLICE(value, sizeof value));
		IS(store_commit(t), ERR_IO);
		CHECK(has(r, "a", "one") && records(r) == (round == 0 ? 1 : 2));
		limit_file_size(RLIM_INFINITY);
		put_one(r, "b", "goes on");
	}
	rig_reopen(r);
	CHECK(has(r, "a", "one") && has(r, "b", "goes on"));
}

static bool on_tmpfs(const char *dir)
{
	return unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 ?
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("none", dir, "tmpfs", 0, "size=3m") == 0 : false;
}

/* In a child with a file system of 3 MiB of its own. */
static void work_fill_disk(struct rig *r)
{
	static uint8_t value[100000];
	struct store_txn *t;
	enum err e = OK;
	uint32_t n;

	if (!on_tmpfs(r->dir))
		_exit(77);
	rig_open(r);
	for (n = 0; e == OK; n++) {
		t = begin(r, true);
		put_u32(value, n);
		if (store_put(t, TABLE_DOC, SLICE(value, 4), SLICE(value, sizeof value)) != OK)
			_exit(1);
		e = store_commit(t);
	}
	if (e != ERR_FULL || records(r) != n - 1 || n < 10)
		_exit(2);
	for (int i = 0; i < 3; i++) {   /* reads go on, and so do refusals */
		struct slice v;

		t = begin(r, true);
		put_u32(value, n);
		if (store_get(t, TABLE_DOC, SLICE("\0\0\0\1", 4), &v) != OK || v.len != sizeof value)
			_exit(3);
		if (store_put(t, TABLE_DOC, SLICE(value, 4), SLICE(value, sizeof value)) != OK || store_commit(t) != ERR_FULL)
			_exit(4);
	}
	rig_close(r);
	rig_open(r);
	if (records(r) != n - 1 || mount("none", r->dir, NULL, MS_REMOUNT, "size=9m") != 0)
		_exit(5);
	t = begin(r, true);
	if (store_put(t, TABLE_DOC, SLICE(value, 4), SLICE(value, sizeof value)) != OK || store_commit(t) != OK || records(r) != n)
		_exit(6);
	rig_close(r);
	_exit(0);
}

static void a_full_file_system_is_named_and_recovers(void **state)
{
	struct rig *r = *state;
	int status;
	pid_t pid;

	rig_close(r);
	pid = fork();
	if (pid == 0)
		work_fill_disk(r);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int data_file(struct rig *r, int flags)
{
	char path[64];

	snprintf(path, sizeof path, "%s/data.mdb", r->dir);
	return open(path, flags);
}

/* The bytes of a data file, of which the caller frees the block. */
static uint8_t *read_file(struct rig *r, size_t *len)
{
	int fd = data_file(r, O_RDONLY);
	struct stat st;
	uint8_t *all = NULL;

	CHECK(fd >= 0 && fstat(fd, &st) == 0 && (all = malloc((size_t)st.st_size)) != NULL);
	CHECK(read(fd, all, (size_t)st.st_size) == st.st_size);
	close(fd);
	*len = (size_t)st.st_size;
	return all;
}

/* Flip a bit of these bytes wherever the data file has them. */
static int flip_in_file(struct rig *r, struct slice what)
{
	int fd = data_file(r, O_RDWR), flips = 0;
	size_t len;
	uint8_t *all = read_file(r, &len);

	CHECK(fd >= 0);
	for (uint8_t *at = all; (at = memmem(at, (size_t)(all + len - at), what.data, what.len)) != NULL; at++, flips++) {
		at[0] ^= 1;
		CHECK(pwrite(fd, at, 1, at - all) == 1);
	}
	free(all);
	close(fd);
	return flips;
}

static void damage_in_the_file_is_found(void **state)
{
	struct rig *r = *state;
	struct bad bad = { 0 };
	uint8_t sealed[512];
	struct slice v;
	struct store_txn *t;
	struct below w;
	uint64_t count;
	char text[300];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof name, "%d", i);
		put_one(r, name, text);
	}
	rig_close(r);
	w = below_open(r);
	below_get(w, SLICE("\00457", 3), sealed);
	w.b->close(w.self);
	CHECK(flip_in_file(r, SLICE(sealed + 100, 50)) > 0);
	IS(store_scrub(r->dir, key_a, &count, note_bad, &bad), OK);
	CHECK(count == 100 && bad.count == 1);
	assert_string_equal(bad.key, "57");
	rig_open(r);
	t = begin(r, false);
	IS(store_get(t, TABLE_OP, S("57"), &v), ERR_DAMAGED);
	IS(store_get(t, TABLE_OP, S("58"), &v), OK);
	IS(store_check(r->s, &count, note_bad, &bad), OK);
	CHECK(count == 100 && bad.count == 2);
	IS(store_scrub(r->dir, key_a, &count, note_bad, &bad), OK);     /* also while it is in use */
	CHECK(count == 100 && bad.count == 3 && bad.table == TABLE_OP);
	assert_string_equal(bad.key, "57");
	IS(store_scrub(r->dir, key_b, &count, note_bad, &bad), ERR_SEALED);
	IS(store_scrub("/nonexistent", key_a, &count, note_bad, &bad), ERR_NOTFOUND);
	store_abort(t);
	put_one(r, "57", "still the owner");
}

/* Something that makes LMDB die: by SIGBUS, or by its own abort(). */
static void a_broken_file_kills_only_a_child(void **state)
{
	static const char zero[3 * 4096];
	static uint8_t value[200000];
	struct bad bad = { 0 };
	uint64_t count;

	(void)state;
	for (int how = 0; how < 4; how++) {
		struct rig r;
		struct store_txn *t;
		struct stat st;
		uint32_t found;
		int fd;

		rig_new(&r, true);
		rig_open(&r);
		for (uint32_t i = 0; i < 2000; i++) {
			if (i % 100 == 0)
				t = begin(&r, true);
			put_u32(value, i);
			IS(store_put(t, TABLE_OP, SLICE(value, 4), SLICE(value, i % 100 == 0 ? sizeof value : 300)), OK);
			if (i % 100 == 99)
				IS(store_commit(t), OK);
		}
		rig_close(&r);
		fd = data_file(&r, O_RDWR);
		CHECK(fd >= 0 && fstat(fd, &st) == 0);
		if (how % 2 == 0) {
			CHECK(ftruncate(fd, st.st_size / 2 / 4096 * 4096) == 0);
		} else {
			for (off_t at = 2 * 4096; at < st.st_size; at += 8 * 4096)
				CHECK(pwrite(fd, zero, sizeof zero, at) == sizeof zero);
		}
		close(fd);
		IS(store_scrub(r.dir, key_a, &count, note_bad, &bad), ERR_DAMAGED);
		if (how != 1) {         /* zeroes inside the file are looked for only after an owner has died */
			char path[64];

			snprintf(path, sizeof path, "%s/store.lock", r.dir);
			fd = open(path, O_WRONLY);
			CHECK(fd >= 0 && (how == 0 || pwrite(fd, "12345\n", 6, 0) == 6));
			close(fd);
			IS(store_open_lmdb(&r.s, r.dir, key_a, &found), ERR_DAMAGED);
		}
		rig_end(&r);
	}
}

static void the_head_of_each_page_matters(void **state)
{
	static uint8_t value[30000];
	struct rig *r = *state;
	uint8_t *file;
	size_t len, found = 0, tried = 0;

	for (int round = 0; round < 3; round++) {
		struct store_txn *t = begin(r, true);

		for (uint32_t i = 0; i < 100; i++) {
			put_u32(value, i * 7919);
			IS(store_put(t, TABLE_OP, SLICE(value, 4), SLICE(value, i == 50 ? sizeof value : 300)), OK);
		}
		IS(store_commit(t), OK);
	}
	rig_close(r);
	file = read_file(r, &len);
	IS(pages_check(file, len), OK);
	for (size_t page = 0; page < len; page += 4096)
		for (size_t bit = 0; bit < 20 * 8; bit++) {
			file[page + bit / 8] ^= (uint8_t)(1U << bit % 8);
			tried++;
			found += pages_check(file, len) != OK;
			file[page + bit / 8] ^= (uint8_t)(1U << bit % 8);
		}
	CHECK(found > tried / 10 && found < tried);     /* most pages are free or the inside of a value */
	for (size_t less = 0; less < len; less += 1000)
		CHECK(pages_check(file, less) == ERR_DAMAGED || less > len * 3 / 4);
	file[20]++;
	IS(pages_check(file, len), ERR_VERSION);
	file[20]--;
	for (long k = 0, e = ERR_NOMEM; e != OK; k++) {
		mem_fail_after(k);
		e = pages_check(file, len);
		mem_fail_after(-1);
		CHECK(e == OK || e == ERR_NOMEM);
	}
	free(file);
}

/* Pages taken and given back within one transaction are never written, so a file may end before LMDB says. */
static void a_short_file_may_be_whole(void **state)
{
	static const uint8_t value[STORE_VALUE_MAX];
	struct rig *r = *state;
	struct store_txn *t = begin(r, true);
	struct bad bad = { 0 };
	size_t len, less;
	uint64_t count;
	uint8_t *file;

	for (uint8_t i = 0; i < 30; i++)
		IS(store_put(t, TABLE_OP, SLICE(&i, 1), SLICE(value, sizeof value)), OK);
	for (uint8_t i = 0; i < 30; i++)
		IS(store_delete(t, TABLE_OP, SLICE(&i, 1)), OK);
	IS(store_commit(t), OK);
	for (int i = 0; i < 5; i++)
		put_one(r, "a", "one");
	rig_close(r);
	file = read_file(r, &len);
	for (less = len; pages_check(file, less - 4096) == OK; less -= 4096)
		;
	free(file);
	CHECK(less < len);
	for (int round = 0; round < 2; round++) {
		int fd = data_file(r, O_RDWR);

		CHECK(fd >= 0 && ftruncate(fd, (off_t)less) == 0);
		close(fd);
		IS(rig_try(r, key_a), round == 0 ? OK : ERR_DAMAGED);
		less -= 4096;
		if (round > 0)
			break;
		CHECK(has(r, "a", "one"));
		IS(store_check(r->s, &count, note_bad, &bad), OK);
		IS(store_scrub(r->dir, key_a, &count, note_bad, &bad), OK);
		CHECK(count == 1 && bad.count == 0);
		rig_close(r);
	}
}

static void other_files_are_damaged_stores(void **state)
{
	struct rig *r = *state;
	char text[8192] = "not a database";
	int fd;

	rig_close(r);
	fd = data_file(r, O_RDWR | O_TRUNC);
	CHECK(fd >= 0 && write(fd, text, sizeof text) == sizeof text);
	close(fd);
	IS(rig_try(r, key_a), ERR_DAMAGED);
}

/* An LMDB of somebody else's: without our format record it is not ours to write in. */
static void a_foreign_database_is_left_alone(void **state)
{
	struct rig *r = *state;
	struct below w;
	void *t;

	rig_close(r);
	w = below_open(r);
	IS(w.b->begin(w.self, &t, true), OK);
	IS(w.b->remove(t, SLICE("\0format", 7)), OK);
	IS(w.b->remove(t, SLICE("\0probe1", 7)), OK);
	IS(w.b->remove(t, SLICE("\0probe2", 7)), OK);
	IS(w.b->remove(t, SLICE("\0probe2", 7)), ERR_NOTFOUND);
	IS(w.b->commit(t), OK);
	below_put(w, S("theirs"), S("x"));
	w.b->close(w.self);
	IS(rig_try(r, key_a), ERR_DAMAGED);
}

static void a_backup_is_the_committed_store(void **state)
{
	static const uint8_t value[3000];
	struct rig *r = *state, copy = { .lmdb = true, .map = MIB };
	struct store_info mine, its;
	struct bad bad = { 0 };
	struct store_txn *t;
	uint64_t count;

	for (uint32_t i = 0; i < 1000; i++) {
		uint8_t k[4];

		if (i % 200 == 0)
			t = begin(r, true);
		put_u32(k, i);
		IS(store_put(t, TABLE_OP, SLICE(k, 4), SLICE(value, sizeof value)), OK);
		if (i % 200 == 199)
			IS(store_commit(t), OK);
	}
	t = begin(r, true);
	for (uint32_t i = 0; i < 900; i++) {
		uint8_t k[4];

		put_u32(k, i);
		IS(store_delete(t, TABLE_OP, SLICE(k, 4)), OK);
	}
	IS(store_commit(t), OK);
	put_one(r, "a", "committed");
	t = begin(r, true);
	put(t, "a", "not committed");
	strcpy(copy.dir, "/tmp/cairn-store-XXXXXX");
	CHECK(mkdtemp(copy.dir) != NULL);
	IS(store_backup(r->s, copy.dir), OK);
	IS(store_backup(r->s, copy.dir), ERR_EXISTS);
	IS(store_commit(t), OK);
	rig_open(&copy);
	CHECK(has(&copy, "a", "committed") && records(&copy) == 101);
	IS(store_check(copy.s, &count, note_bad, &bad), OK);
	CHECK(count == 101 && bad.count == 0);
	IS(store_info(r->s, &mine), OK);
	IS(store_info(copy.s, &its), OK);
	CHECK(mine.identity != its.identity && its.map_bytes < mine.map_bytes);
	put_one(&copy, "a", "a store of its own");
	store_close(copy.s);
	remove_dir(copy.dir);
	IS(store_backup(r->s, "/tmp/nonexistent/deeper"), ERR_IO);
}

static void *back_up(void *arg)
{
	struct rig *r = arg;
	enum err e;

	do {
		e = store_backup(r->s, "/tmp/cairn-store-thread");
		remove_dir("/tmp/cairn-store-thread");
	} while (e == OK && !has_ended);
	return e == OK ? NULL : "failed";
}

static void a_backup_runs_beside_the_loop(void **state)
{
	static uint8_t value[3000];
	struct rig *r = *state;
	struct store_txn *t;
	pthread_t thread;
	void *failed;

	has_ended = false;
	CHECK(pthread_create(&thread, NULL, back_up, r) == 0);
	for (uint32_t i = 0; i < 1000; i++) {
		enum err e = ERR_MAPFULL;

		while (e == ERR_MAPFULL || e == ERR_BUSY) {     /* it may hold the map for a while */
			e = store_begin(&t, r->s, true);
			if (e != OK)
				continue;
			put_u32(value, i);
			e = store_put(t, TABLE_OP, SLICE(value, 4), SLICE(value, sizeof value));
			if (e == OK)
				e = store_commit(t);
			else
				store_abort(t);
		}
		IS(e, OK);
	}
	has_ended = true;
	CHECK(pthread_join(thread, &failed) == 0 && failed == NULL);
	CHECK(records(r) == 1000);
}

/* A bit falls over somewhere in the file, LMDB's own pages included: the store opens or says that it is damaged, and all that it
 * gives out is as it was. */
static void a_random_flip_kills_nobody(void **state)
{
	struct rig *r = *state;
	struct rng g;
	int fd, opened = 0;
	struct stat st;
	uint8_t value[300], *whole = NULL;

	for (uint32_t n = 0; n < 600; n += 30) {        /* small and large transactions, and some pages free */
		struct store_txn *t = begin(r, true);

		for (uint32_t i = n; i < n + 30; i++) {
			memset(value, (uint8_t)i, sizeof value);
			put_u32(value, i * 7919);
			IS(store_put(t, TABLE_OP, SLICE(value, 4), SLICE(value, 4 + i % 250)), OK);
		}
		IS(store_commit(t), OK);
	}
	rig_close(r);
	fd = data_file(r, O_RDWR);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && (whole = malloc((size_t)st.st_size)) != NULL);
	CHECK(pread(fd, whole, (size_t)st.st_size, 0) == st.st_size);
	rng_seed_u64(&g, 1);
	for (int round = 0; round < flip_rounds; round++) {
		off_t at = (off_t)rng_below(&g, (uint64_t)st.st_size);
		uint8_t bit = (uint8_t)(1U << rng_below(&g, 8)), byte;
		struct bad bad = { 0 };
		char path[64];
		int lock;

		if (round % 4 == 0)     /* LMDB's own bytes are few: the heads of pages */
			at = at / 4096 * 4096 + (off_t)rng_below(&g, 160);
		byte = whole[at] ^ bit;
		CHECK(pwrite(fd, &byte, 1, at) == 1);
		snprintf(path, sizeof path, "%s/store.lock", r->dir);
		lock = open(path, O_WRONLY | O_TRUNC);
		CHECK(lock >= 0 && write(lock, "1\n", 2) == 2);
		close(lock);
		if (rig_try(r, key_a) == OK) {
			struct store_txn *t = begin(r, false);
			struct store_cursor *c;
			struct slice key, v;
			uint64_t count;
			enum err e;

			opened++;
			IS(store_cursor_open(&c, t, TABLE_OP, none, none, round % 2 == 0), OK);
			while ((e = store_cursor_next(c, &key, &v)) != ERR_NOTFOUND)
				CHECK(e == ERR_DAMAGED || (e == OK && key.len == 4 && slice_equal(SLICE(v.data, 4), key)));
			store_cursor_close(c);
			store_abort(t);
			e = store_check(r->s, &count, note_bad, &bad);
			CHECK(e == OK || e == ERR_DAMAGED);
			rig_close(r);
		}
		CHECK(pwrite(fd, whole, (size_t)st.st_size, 0) == st.st_size);
	}
	close(fd);
	free(whole);
	CHECK(opened > flip_rounds / 2);
	rig_open(r);
	CHECK(records(r) == 600);
}

/* In a child with a small file system of its own for the copy. */
static void work_backup_to_full(struct rig *r)
{
	char copy[] = "/tmp/cairn-store-XXXXXX", path[64];
	struct stat st;

	if (mkdtemp(copy) == NULL || !on_tmpfs(copy))
		_exit(77);
	snprintf(path, sizeof path, "%s/copy", copy);
	if (store_backup(r->s, path) != ERR_FULL || stat(path, &st) == 0)
		_exit(1);
	umount(copy);
	rmdir(copy);
	_exit(0);
}

static void a_backup_that_does_not_fit_is_taken_away(void **state)
{
	static const uint8_t value[STORE_VALUE_MAX];
	struct rig *r = *state;
	struct store_txn *t;
	int status;
	pid_t pid;

	for (uint8_t i = 0; i < 20; i++) {
		t = begin(r, true);
		IS(store_put(t, TABLE_OP, SLICE(&i, 1), SLICE(value, sizeof value)), OK);
		IS(store_commit(t), OK);
	}
	rig_close(r);                   /* no environment goes across a fork */
	pid = fork();
	if (pid == 0) {
		rig_open(r);
		work_backup_to_full(r);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int start(void **state)
{
	(void)state;
	return crypto_start() == OK ? 0 : -1;
}

#define BOTH(f) \
	{ #f " (memory)", f, with_memory, without, NULL }, \
	{ #f " (lmdb)", f, with_lmdb, without, NULL }
#define MEMORY(f) cmocka_unit_test_setup_teardown(f, with_memory, without)
#define SMALL_LMDB(f) cmocka_unit_test_setup_teardown(f, with_small_lmdb, without)
#define LMDB(f) cmocka_unit_test_setup_teardown(f, with_lmdb, without)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		BOTH(gives_back_what_was_put),
		BOTH(tables_are_apart),
		BOTH(delete_removes_and_may_miss),
		BOTH(reads_see_own_writes_and_others_do_not),
		BOTH(abort_keeps_nothing),
		BOTH(sizes_up_to_the_limits_are_kept),
		BOTH(cursors_go_both_ways),
		BOTH(cursors_survive_writes),
		BOTH(many_records_come_back_in_order),
		BOTH(values_live_as_long_as_their_transaction),
		BOTH(a_wrong_key_is_told_from_damage),
		BOTH(a_newer_format_is_refused_and_named),
		BOTH(a_damaged_format_record_is_repaired),
		BOTH(moved_and_swapped_records_are_found),
		BOTH(equal_bytes_split_differently_get_other_nonces),
		BOTH(a_damaged_record_is_found_and_the_rest_is_read),
		BOTH(a_second_opener_is_refused),
		BOTH(behaves_like_a_sorted_array),
		BOTH(every_allocation_may_fail),
		BOTH(a_put_without_memory_can_be_aborted),
		MEMORY(a_crash_loses_exactly_what_was_not_synced),
		MEMORY(a_full_disk_refuses_growth_and_recovers),
		MEMORY(a_failed_commit_keeps_nothing),
		MEMORY(each_flipped_bit_is_found),
		MEMORY(a_flip_of_nothing_is_nothing),
		MEMORY(a_clone_goes_its_own_way),
		LMDB(the_holder_has_a_name),
		LMDB(only_the_last_directory_is_made),
		LMDB(a_killed_owner_leaves_what_it_committed),
		SMALL_LMDB(the_map_grows_before_it_is_full),
		SMALL_LMDB(a_transaction_too_big_for_the_map_is_repeated),
		SMALL_LMDB(a_failed_write_keeps_nothing_and_the_store_goes_on),
		SMALL_LMDB(a_full_file_system_is_named_and_recovers),
		LMDB(damage_in_the_file_is_found),
		LMDB(a_broken_file_kills_only_a_child),
		LMDB(the_head_of_each_page_matters),
		LMDB(a_short_file_may_be_whole),
		LMDB(other_files_are_damaged_stores),
		LMDB(a_foreign_database_is_left_alone),
		LMDB(a_backup_is_the_committed_store),
		SMALL_LMDB(a_backup_runs_beside_the_loop),
		LMDB(a_backup_that_does_not_fit_is_taken_away),
		LMDB(a_random_flip_kills_nobody),
	};

	if (argc > 1)
		flip_rounds = atoi(argv[1]);
	return cmocka_run_group_tests(tests, start, NULL);
}
