/* store: sealing, the arena of opened values, cursors, the format check.  See store.h and docs/storage.md. */
#include "store/backend.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#define RED_ZONE 16                     /* behind each value */
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#define RED_ZONE 0
#endif

#define SEALED_MORE (NONCE_LEN + TAG_LEN)
#define CHUNK_FIRST ((size_t)4096)      /* opened values of one transaction: chunks of 4 KiB doubling to 64 KiB … */
#define CHUNK_LAST ((size_t)64 << 10)
#define SPARE_MAX ((size_t)64 << 10)    /* … of which so much is kept for the next one */

struct chunk { struct chunk *next; size_t size, used; uint8_t bytes[]; };
struct keys { uint8_t seal[KEY_LEN], nonce[KEY_LEN]; };

struct store {
	const struct backend *backend;
	void *self;
	struct keys *keys;
	bool guarded;                   /* keys are in guarded memory; not so for a thousand simulated stores */
	struct store_txn *open, *writer;
	struct chunk *spare;
	size_t spare_bytes;
};
struct store_txn {
	struct store *store;
	struct store_txn *next;         /* open in the same store */
	void *handle;
	struct store_cursor *cursors;
	struct chunk *chunks;           /* the first is being filled */
	bool write;
	enum err failed;                /* the first put or delete that did: all later calls say so again */
	uint64_t writes;
};
struct store_cursor {
	struct store_txn *txn;          /* NULL: it has ended */
	struct store_cursor *next;      /* of the same transaction */
	void *handle;
	bool descending, started, done;
	uint64_t writes;                /* as of the last step: other writes since then move records */
	size_t key_len, prefix_len;
	uint8_t key[DISK_KEY_MAX + 1];  /* the last one, or where to begin */
	uint8_t prefix[DISK_KEY_MAX];
};

/* ---- sealing ---- */

static void make_nonce(uint8_t nonce[NONCE_LEN], const struct store *s, struct slice disk_key, struct slice value)
{
	uint8_t len[2];

	put_u16(len, (uint16_t)disk_key.len);
	crypto_mac(nonce, NONCE_LEN, s->keys->nonce, "cairn store nonce",
		(struct slice[]){ SLICE(len, sizeof len), disk_key, value }, 3);
}

static enum err put_sealed(struct store_txn *t, struct slice disk_key, struct slice value)
{
	struct store *s = t->store;
	uint8_t *room;
	enum err e = s->backend->put(t->handle, disk_key, value.len + SEALED_MORE, &room);

	if (e != OK)
		return e;
	make_nonce(room, s, disk_key, value);
	crypto_seal(room + NONCE_LEN, value.data, value.len, disk_key, room, s->keys->seal);
	return OK;
}

static enum err open_sealed(uint8_t *out, const struct store *s, struct slice disk_key, struct slice sealed)
{
	if (crypto_open(out, sealed.data + NONCE_LEN, sealed.len - NONCE_LEN, disk_key, sealed.data, s->keys->seal) != OK)
		return ERR_DAMAGED;
	return OK;
}

/* ---- the arena ---- */

/* From the spare chunks, or a new one, with room for need bytes. */
static struct chunk *chunk_take(struct store *s, size_t need, size_t like)
{
	struct chunk **at = &s->spare, *c;
	size_t size = need > like ? need : like;

	while (*at != NULL && (*at)->size < need)
		at = &(*at)->next;
	c = *at;
	if (c != NULL) {
		*at = c->next;
		s->spare_bytes -= c->size;
		return c;
	}
	c = mem_alloc(sizeof *c + size);
	if (c != NULL) {
		c->size = size;
		POISON(c->bytes, size);
	}
	return c;
}

static void chunk_release(struct store *s, struct chunk *c)
{
	if (s->spare_bytes + c->size > SPARE_MAX) {
		UNPOISON(c->bytes, c->size);
		mem_free(c);
		return;
	}
	POISON(c->bytes, c->size);
	c->used = 0;
	c->next = s->spare;
	s->spare = c;
	s->spare_bytes += c->size;
}

static uint8_t *arena_take(struct store_txn *t, size_t len)
{
	size_t need = ((len + 7) & ~(size_t)7) + RED_ZONE;
	struct chunk *c = t->chunks;
	uint8_t *room;

	if (need == 0)
		need = 8;               /* an empty value has a place, too */
	if (c == NULL || c->size - c->used < need) {
		size_t like = c == NULL ? CHUNK_FIRST : c->size * 2 < CHUNK_LAST ? c->size * 2 : CHUNK_LAST;

		c = chunk_take(t->store, need, like - sizeof *c);
		if (c == NULL)
			return NULL;
		c->next = t->chunks;
		t->chunks = c;
	}
	room = c->bytes + c->used;
	c->used += need;
	UNPOISON(room, len);
	return room;
}

void store_forget(struct store_txn *t)
{
	while (t->chunks != NULL) {
		struct chunk *c = t->chunks;

		t->chunks = c->next;
		chunk_release(t->store, c);
	}
}

/* Opens into the transaction's arena. */
static enum err take_value(struct store_txn *t, struct slice *value, struct slice disk_key, struct slice sealed)
{
	uint8_t *room;

	if (sealed.len < SEALED_MORE || sealed.len > STORE_VALUE_MAX + SEALED_MORE)
		return ERR_DAMAGED;
	room = arena_take(t, sealed.len - SEALED_MORE);
	if (room == NULL)
		return ERR_NOMEM;
	if (open_sealed(room, t->store, disk_key, sealed) != OK)
		return ERR_DAMAGED;
	*value = SLICE(room, sealed.len - SEALED_MORE);
	return OK;
}

/* ---- transactions ---- */

enum err store_begin(struct store_txn **out, struct store *s, bool write)
{
	struct store_txn *t;
	enum err e;

	*out = NULL;
	if (write && s->writer != NULL)
		return ERR_STATE;
	t = mem_alloc(sizeof *t);
	if (t == NULL)
		return ERR_NOMEM;
	t->store = s;
	t->write = write;
	e = s->backend->begin(s->self, &t->handle, write);
	if (e != OK) {
		mem_free(t);
		return e;
	}
	if (write)
		s->writer = t;
	t->next = s->open;
	s->open = t;
	*out = t;
	return OK;
}

/* Everything but the backend's part of it. */
static void txn_free(struct store_txn *t)
{
	struct store *s = t->store;
	struct store_txn **at = &s->open;

	store_forget(t);
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	if (s->writer == t)
		s->writer = NULL;
	mem_free(t);
}

static void end_cursors(struct store_txn *t)
{
	for (struct store_cursor *c = t->cursors; c != NULL; c = c->next) {
		t->store->backend->cursor_close(c->handle);
		c->txn = NULL;
	}
	t->cursors = NULL;
}

enum err store_commit(struct store_txn *t)
{
	enum err e = t->failed;

	end_cursors(t);
	if (e != OK || !t->write)
		t->store->backend->abort(t->handle);
	else
		e = t->store->backend->commit(t->handle);
	txn_free(t);
	return e;
}

void store_abort(struct store_txn *t)
{
	if (t == NULL)
		return;
	end_cursors(t);
	t->store->backend->abort(t->handle);
	txn_free(t);
}

/* ---- records ---- */

static enum err disk_key(uint8_t room[DISK_KEY_MAX], struct slice *out, enum store_table table, struct slice key)
{
	assert(table > 0 && table <= UINT8_MAX);
	if (key.len > STORE_KEY_MAX)
		return ERR_TOOBIG;
	room[0] = (uint8_t)table;
	if (key.len > 0)
		memcpy(room + 1, key.data, key.len);
	*out = SLICE(room, key.len + 1);
	return OK;
}

enum err store_get(struct store_txn *t, enum store_table table, struct slice key, struct slice *value)
{
	uint8_t room[DISK_KEY_MAX];
	struct slice full, sealed;
	enum err e = disk_key(room, &full, table, key);

	*value = SLICE(NULL, 0);
	if (e == OK)
		e = t->failed;
	if (e == OK)
		e = t->store->backend->get(t->handle, full, &sealed);
	return e == OK ? take_value(t, value, full, sealed) : e;
}

/* A write that fails leaves a transaction in doubt: it can only be aborted. */
static enum err after_write(struct store_txn *t, enum err e)
{
	t->writes++;
	if (e != OK && t->failed == OK)
		t->failed = e;
	return e;
}

enum err store_put(struct store_txn *t, enum store_table table, struct slice key, struct slice value)
{
	uint8_t room[DISK_KEY_MAX];
	struct slice full;
	enum err e = t->write ? t->failed : ERR_STATE;

	if (e == OK)
		e = value.len > STORE_VALUE_MAX ? ERR_TOOBIG : disk_key(room, &full, table, key);
	if (e == OK)
		e = put_sealed(t, full, value);
	return after_write(t, e);
}

enum err store_delete(struct store_txn *t, enum store_table table, struct slice key)
{
	uint8_t room[DISK_KEY_MAX];
	struct slice full;
	enum err e = t->write ? t->failed : ERR_STATE;

	if (e == OK)
		e = disk_key(room, &full, table, key);
	if (e == OK)
		e = t->store->backend->remove(t->handle, full);
	return after_write(t, e == ERR_NOTFOUND ? OK : e);
}

/* ---- cursors ---- */

/* The first key behind all that begin with prefix, in place; returns its length, 0: there is none. */
static size_t behind_prefix(uint8_t *prefix, size_t len)
{
	while (len > 0 && prefix[len - 1] == UINT8_MAX)
		len--;
	if (len > 0)
		prefix[len - 1]++;
	return len;
}

/* Where it begins: the larger of prefix and from, or descending the smaller of from and the end of the prefix. */
static void set_start(struct store_cursor *c, struct slice from)
{
	struct slice end;

	memcpy(c->key, c->prefix, c->prefix_len);
	c->key_len = c->descending ? behind_prefix(c->key, c->prefix_len) : c->prefix_len;
	end = SLICE(c->key, c->key_len);
	if (from.len > 1 && (c->descending ? c->key_len == 0 || slice_compare(from, end) < 0 : slice_compare(from, end) > 0)) {
		memcpy(c->key, from.data, from.len);
		c->key_len = from.len;
	}
}

enum err store_cursor_open(struct store_cursor **out, struct store_txn *t, enum store_table table, struct slice prefix, struct slice from,
	bool descending)
{
	uint8_t room[DISK_KEY_MAX];
	struct slice begin, start;
	struct store_cursor *c;
	enum err e;

	*out = NULL;
	c = mem_alloc(sizeof *c);
	if (c == NULL)
		return ERR_NOMEM;
	e = disk_key(c->prefix, &begin, table, prefix);
	if (e == OK)
		e = disk_key(room, &start, table, from);
	if (e == OK)
		e = t->store->backend->cursor_open(t->handle, &c->handle);
	if (e != OK) {
		mem_free(c);
		return e;
	}
	c->prefix_len = begin.len;
	c->descending = descending;
	set_start(c, start);
	c->txn = t;
	c->next = t->cursors;
	t->cursors = c;
	*out = c;
	return OK;
}

/* The backend's cursor to the next record; after a write it has to look for its place again. */
static enum err advance(struct store_cursor *c, struct slice *found, struct slice *sealed)
{
	const struct backend *b = c->txn->store->backend;
	struct slice last = SLICE(c->key, c->key_len);
	enum err e;

	if (c->started && c->writes == c->txn->writes)
		return b->cursor_next(c->handle, c->descending, found, sealed);
	c->writes = c->txn->writes;
	e = b->cursor_seek(c->handle, last, c->descending, found, sealed);
	if (e == OK && c->started && !c->descending && slice_equal(*found, last))
		e = b->cursor_next(c->handle, false, found, sealed);
	c->started = true;
	return e;
}

static bool in_prefix(const struct store_cursor *c, struct slice key)
{
	return key.len >= c->prefix_len && memcmp(key.data, c->prefix, c->prefix_len) == 0;
}

enum err store_cursor_next(struct store_cursor *c, struct slice *key, struct slice *value)
{
	struct slice found, sealed;
	enum err e;

	*key = SLICE(NULL, 0);
	if (value != NULL)
		*value = SLICE(NULL, 0);
	if (c->txn == NULL)
		return ERR_STATE;
	if (c->txn->failed != OK)
		return c->txn->failed;
	if (c->done)
		return ERR_NOTFOUND;
	e = advance(c, &found, &sealed);
	if (e == OK && found.len > DISK_KEY_MAX)
		e = ERR_DAMAGED;
	if (e == OK && !in_prefix(c, found))
		e = ERR_NOTFOUND;
	if (e != OK) {
		c->done = true;
		return e;
	}
	memcpy(c->key, found.data, found.len);
	c->key_len = found.len;
	*key = SLICE(c->key + 1, found.len - 1);
	return value == NULL ? OK : take_value(c->txn, value, SLICE(c->key, c->key_len), sealed);
}

void store_cursor_close(struct store_cursor *c)
{
	struct store_cursor **at;

	if (c == NULL)
		return;
	if (c->txn != NULL) {
		for (at = &c->txn->cursors; *at != c; at = &(*at)->next)
			;
		*at = c->next;
		c->txn->store->backend->cursor_close(c->handle);
	}
	mem_free(c);
}

/* ---- the format ----
 * Three reserved records under table 0.  One, in clear, says the number of the format, so that a program without the key, or
 * too old for the format, can name it.  Two equal probes are sealed: if neither opens, the key is not this store's; if only
 * one does, a bit fell over and it is written again. */

#define RESERVED 3
#define PROBES 2
static const struct slice clear_key = { (const uint8_t *)"\0format", 7 };
static const struct slice probe_key[PROBES] = { { (const uint8_t *)"\0probe1", 7 }, { (const uint8_t *)"\0probe2", 7 } };
#define MAGIC "cairn"
#define CLEAR_LEN (5 + 4 + HASH_LEN)

static void clear_make(uint8_t out[CLEAR_LEN], uint32_t format)
{
	struct id32 check;

	memcpy(out, MAGIC, 5);
	put_u32(out + 5, format);
	crypto_hash1(&check, "cairn store format", out, 9);
	memcpy(out + 9, check.b, HASH_LEN);
}

static enum err clear_read(struct store_txn *t, uint32_t *format)
{
	uint8_t good[CLEAR_LEN];
	struct slice v;
	enum err e = t->store->backend->get(t->handle, clear_key, &v);

	if (e != OK)
		return e;
	if (v.len != CLEAR_LEN)
		return ERR_DAMAGED;
	clear_make(good, get_u32(v.data + 5));
	if (memcmp(good, v.data, CLEAR_LEN) != 0)
		return ERR_DAMAGED;
	*format = get_u32(v.data + 5);
	return *format == 0 ? ERR_DAMAGED : OK;
}

static enum err probe_read(struct store_txn *t, struct slice key)
{
	struct slice sealed, v;
	enum err e = t->store->backend->get(t->handle, key, &sealed);

	if (e == OK)
		e = take_value(t, &v, key, sealed);
	return e != OK || (v.len == 4 && get_u32(v.data) == STORE_FORMAT) ? e : ERR_DAMAGED;
}

static enum err write_format(struct store *s)
{
	uint8_t *room, format[4];
	struct store_txn *t;
	enum err e = store_begin(&t, s, true);

	if (e != OK)
		return e;
	e = s->backend->put(t->handle, clear_key, CLEAR_LEN, &room);
	if (e == OK)
		clear_make(room, STORE_FORMAT);
	put_u32(format, STORE_FORMAT);
	for (int i = 0; i < PROBES && e == OK; i++)
		e = put_sealed(t, probe_key[i], SLICE(format, sizeof format));
	if (e == OK)
		return store_commit(t);
	store_abort(t);
	return e;
}

struct format_seen {
	uint32_t format;
	enum err clear, probe[PROBES];
	bool empty, opened, sealed;     /* nothing at all; a probe opens; a probe is there and does not */
};

/* An error here says that nothing could be learnt: OK also when all is damaged or missing. */
static enum err read_format(struct format_seen *f, struct store *s)
{
	struct store_info info;
	struct store_txn *t;
	enum err e;

	if ((e = s->backend->info(s->self, &info)) != OK || (e = store_begin(&t, s, false)) != OK)
		return e;
	*f = (struct format_seen){ .empty = info.records == 0 };
	e = f->clear = clear_read(t, &f->format);
	for (int i = 0; i < PROBES && (e == OK || e == ERR_NOTFOUND || e == ERR_DAMAGED); i++) {
		e = f->probe[i] = probe_read(t, probe_key[i]);
		f->opened = f->opened || e == OK;
		f->sealed = f->sealed || e == ERR_DAMAGED;
	}
	store_abort(t);
	return e == ERR_NOTFOUND || e == ERR_DAMAGED ? OK : e;
}

/* Owner: may write; a new store gets its format here. */
static enum err check_format(struct store *s, uint32_t *found, bool owner)
{
	struct format_seen f;
	enum err e = read_format(&f, s);

	if (e != OK)
		return e;
	if (f.clear == OK && f.format > STORE_FORMAT) {
		*found = f.format;
		return ERR_VERSION;
	}
	if (f.empty)
		return owner ? write_format(s) : ERR_NOTFOUND;
	if (!f.opened)
		return f.clear == OK && f.sealed ? ERR_SEALED : ERR_DAMAGED;
	if (owner && (f.clear != OK || f.probe[0] != OK || f.probe[1] != OK) && (e = s->backend->check(s->self)) == OK)
		write_format(s);        /* a repair that fails, on a full disk perhaps, can wait */
	return e;
}

/* ---- opening ---- */

static enum err make_keys(struct store *s, const uint8_t key[KEY_LEN], bool guarded)
{
	s->guarded = guarded;
	s->keys = guarded ? crypto_secret_alloc(sizeof *s->keys) : mem_alloc(sizeof *s->keys);
	if (s->keys == NULL)
		return ERR_NOMEM;
	crypto_mac(s->keys->seal, KEY_LEN, key, "cairn store seal", NULL, 0);
	crypto_mac(s->keys->nonce, KEY_LEN, key, "cairn store nonce key", NULL, 0);
	return OK;
}

static enum err open_lmdb(struct store **out, const char *dir, const uint8_t key[KEY_LEN], uint32_t *found, size_t map,
	enum lmdb_mode mode)
{
	struct store *s = mem_alloc(sizeof *s);
	uint32_t ignored;
	enum err e = ERR_NOMEM;

	*out = NULL;
	found = found == NULL ? &ignored : found;
	*found = 0;
	if (s == NULL || (e = make_keys(s, key, true)) != OK ||
	    (e = backend_lmdb_open(&s->backend, &s->self, dir, map, mode)) != OK ||
	    (e = check_format(s, found, mode == LMDB_OWN)) != OK)
		goto fail;
	*out = s;
	return OK;
fail:
	store_close(s);
	return e;
}

enum err store_open_lmdb_map(struct store **out, const char *dir, const uint8_t key[KEY_LEN], uint32_t *found, size_t map)
{
	return open_lmdb(out, dir, key, found, map, LMDB_OWN);
}

enum err store_open_lmdb(struct store **out, const char *dir, const uint8_t key[KEY_LEN], uint32_t *found)
{
	return open_lmdb(out, dir, key, found, LMDB_MAP_INITIAL, LMDB_OWN);
}

enum err store_open_memory(struct store **out, struct store_disk *disk, const uint8_t key[KEY_LEN])
{
	struct store *s = mem_alloc(sizeof *s);
	uint32_t found;
	enum err e = ERR_NOMEM;

	*out = NULL;
	if (s == NULL || (e = make_keys(s, key, false)) != OK ||
	    (e = backend_memory_open(&s->backend, &s->self, disk)) != OK || (e = check_format(s, &found, true)) != OK)
		goto fail;
	*out = s;
	return OK;
fail:
	store_close(s);
	return e;
}

void store_close(struct store *s)
{
	if (s == NULL)
		return;
	while (s->open != NULL)
		store_abort(s->open);
	if (s->backend != NULL)
		s->backend->close(s->self);
	while (s->spare != NULL) {
		struct chunk *c = s->spare;

		s->spare = c->next;
		UNPOISON(c->bytes, c->size);
		mem_free(c);
	}
	if (s->guarded) {
		crypto_secret_free(s->keys);
	} else if (s->keys != NULL) {
		crypto_wipe(s->keys, sizeof *s->keys);
		mem_free(s->keys);
	}
	mem_free(s);
}

/* ---- the whole store ---- */

enum err store_info(struct store *s, struct store_info *out)
{
	enum err e = s->backend->info(s->self, out);

	if (e != OK)
		return e;
	out->records = out->records > RESERVED ? out->records - RESERVED : 0;
	out->format = STORE_FORMAT;
	return OK;
}

static enum err check_records(struct store_txn *t, void *cursor, uint64_t *count, void (*bad)(void *, enum store_table, struct slice),
	void *arg)
{
	const struct backend *b = t->store->backend;
	struct slice key, sealed, value;
	enum err e = b->cursor_seek(cursor, SLICE("\1", 1), false, &key, &sealed);

	for (; e == OK; e = b->cursor_next(cursor, false, &key, &sealed)) {
		if (key.len > DISK_KEY_MAX)
			return ERR_DAMAGED;
		++*count;
		e = take_value(t, &value, key, sealed);
		store_forget(t);
		if (e == ERR_DAMAGED)
			bad(arg, key.data[0], SLICE(key.data + 1, key.len - 1));
		else if (e != OK)
			return e;
	}
	return e == ERR_NOTFOUND ? OK : e;
}

enum err store_check(struct store *s, uint64_t *count, void (*bad)(void *, enum store_table, struct slice key), void *arg)
{
	struct store_info info;
	struct store_txn *t;
	void *cursor;
	enum err e;

	*count = 0;
	if ((e = store_info(s, &info)) != OK || (e = store_begin(&t, s, false)) != OK)
		return e;
	e = s->backend->check(s->self);
	if (e == OK)
		e = s->backend->cursor_open(t->handle, &cursor);
	if (e == OK) {
		e = check_records(t, cursor, count, bad, arg);
		s->backend->cursor_close(cursor);
	}
	store_abort(t);
	return e == OK && *count != info.records ? ERR_DAMAGED : e;
}

enum err store_backup(struct store *s, const char *dir)
{
	return s->backend->backup(s->self, dir);
}

/* ---- the same in a child process ---- */

struct scrub { const char *dir; const uint8_t *key; say_fn *say; void *say_arg; };
struct scrub_heard { uint64_t *count; void (*bad)(void *, enum store_table, struct slice); void *arg; };

static void say_bad(void *arg, enum store_table table, struct slice key)
{
	struct scrub *w = arg;
	uint8_t room[DISK_KEY_MAX];
	struct slice full;

	if (disk_key(room, &full, table, key) == OK)
		w->say(w->say_arg, full);
}

/* A record is said as its disk key, the count, at the end, as table 0 and eight bytes. */
static enum err scrub_work(void *arg, say_fn *say, void *say_arg)
{
	struct scrub *w = arg;
	uint8_t end[9] = { 0 };
	struct store *s;
	uint64_t count;
	enum err e;

	w->say = say;
	w->say_arg = say_arg;
	e = open_lmdb(&s, w->dir, w->key, NULL, LMDB_MAP_INITIAL, LMDB_LOOK);
	if (e != OK)
		return e;
	e = store_check(s, &count, say_bad, w);
	put_u64(end + 1, count);
	say(say_arg, SLICE(end, sizeof end));
	store_close(s);
	return e;
}

static void scrub_heard(void *arg, struct slice said)
{
	struct scrub_heard *h = arg;

	if (said.len == 9 && said.data[0] == 0)
		*h->count = get_u64(said.data + 1);
	else if (said.len > 0)
		h->bad(h->arg, said.data[0], SLICE(said.data + 1, said.len - 1));
}

enum err store_scrub(const char *dir, const uint8_t key[KEY_LEN], uint64_t *count,
	void (*bad)(void *, enum store_table, struct slice key), void *arg)
{
	struct scrub work = { .dir = dir, .key = key };
	struct scrub_heard heard = { count, bad, arg };

	*count = 0;
	return backend_lmdb_child(scrub_work, &work, scrub_heard, &heard);
}
