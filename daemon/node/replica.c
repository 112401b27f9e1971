/* A space as stored: acts, logs, statements, and the map of slots with its tries and journal (protocol §§2, 3, 6, 7).
 * Record layouts: docs/storage.md. */
#include <stdlib.h>
#include <string.h>
#include "daemon/node/node_internal.h"

/* ---- keys of records ------------------------------------------------------------------------------------ */
struct key { uint8_t b[128]; size_t len; };
static struct slice key_slice(const struct key *k) { return SLICE(k->b, k->len); }
static void key_u8(struct key *k, uint8_t v) { k->b[k->len++] = v; }
static void key_u32(struct key *k, uint32_t v) { put_u32(k->b + k->len, v); k->len += 4; }
static void key_u64(struct key *k, uint64_t v) { put_u64(k->b + k->len, v); k->len += 8; }
static void key_bytes(struct key *k, const void *p, size_t n) { if (n > 0) memcpy(k->b + k->len, p, n); k->len += n; }

static struct key log_key(const struct space *s, const struct id32 *device, uint64_t incarnation)
{
	struct key k = { .len = 0 };

	key_u32(&k, s->number);
	key_bytes(&k, device, ID_LEN);
	key_u64(&k, incarnation);
	return k;
}

static struct key op_key(uint32_t log, uint64_t seq)
{
	struct key k = { .len = 0 };

	key_u32(&k, log);
	key_u64(&k, seq);
	return k;
}

static struct key statement_key(const struct space *s, const struct id32 *device, uint32_t kind, const struct id16 *index)
{
	struct key k = { .len = 0 };

	key_u32(&k, s->number);
	key_bytes(&k, device, ID_LEN);
	key_u8(&k, (uint8_t)kind);
	key_bytes(&k, index, DOC_LEN);
	return k;
}

static struct key slot_record_key(const struct space *s, enum net_section section, const struct id32 *hashed)
{
	struct key k = { .len = 0 };

	key_u32(&k, s->number);
	key_u8(&k, (uint8_t)section);
	key_bytes(&k, hashed, ID_LEN);
	return k;
}

static struct key journal_key(const struct space *s, uint64_t number)
{
	struct key k = { .len = 0 };

	key_u32(&k, s->number);
	key_u64(&k, number);
	return k;
}

static struct key space_prefix(const struct space *s)
{
	struct key k = { .len = 0 };

	key_u32(&k, s->number);
	return k;
}

/* ---- settings of the store ---------------------------------------------------------------------------------- */
enum err meta_get(struct node *n, const char *name, struct slice *value)
{
	return store_get(n->txn, TABLE_META, slice_of(name), value);
}

enum err meta_put(struct node *n, const char *name, struct slice value)
{
	n->dirty = true;
	return store_put(n->txn, TABLE_META, slice_of(name), value);
}

/* ---- spaces --------------------------------------------------------------------------------------------------- */
struct space *space_find(struct node *n, const struct id32 *id)
{
	for (size_t i = 0; i < n->n_spaces; i++)
		if (id32_equal(&n->spaces[i].id, id))
			return &n->spaces[i];
	return NULL;
}

const struct state *space_state(struct space *s)
{
	const struct state *state;

	if (s->authority == NULL || authority_state(s->authority, &state) != OK)
		return NULL;
	return state;
}

/* TABLE_SPACE: [number, self, joining]. */
static enum err space_store(struct node *n, const struct space *s)
{
	struct buf b = {0};
	enum err e;

	mp_put_array(&b, 3);
	mp_put_uint(&b, s->number);
	mp_put_bool(&b, s->is_self);
	mp_put_bool(&b, s->joining);
	n->dirty = true;
	e = b.err ? b.err : store_put(n->txn, TABLE_SPACE, SLICE(&s->id, ID_LEN), buf_slice(&b));
	buf_free(&b);
	return e;
}

static struct space *space_append(struct node *n, const struct id32 *id)
{
	struct space *grown = mem_resize(n->spaces, n->n_spaces + 1, sizeof *grown), *s;

	if (grown == NULL)
		return NULL;
	n->spaces = grown;
	s = &grown[n->n_spaces];
	memset(s, 0, sizeof *s);
	s->id = *id;
	s->wrap_check_at = s->publish_at = UINT64_MAX;
	s->authority = authority_new();
	if (s->authority == NULL)
		return NULL;
	n->n_spaces++;
	return s;
}

/* Records are kept by the space's number: one is never given twice, not even when a space was forgotten. */
static enum err number_next(struct node *n, uint32_t *number)
{
	struct slice v;
	uint8_t bytes[4];
	enum err e = meta_get(n, "space-numbers", &v);

	if (e != OK && e != ERR_NOTFOUND)
		return e;
	*number = e == OK && v.len == 4 ? get_u32(v.data) : 0;
	for (size_t i = 0; i < n->n_spaces; i++)
		if (n->spaces[i].number > *number)
			*number = n->spaces[i].number;
	put_u32(bytes, ++*number);
	return meta_put(n, "space-numbers", SLICE(bytes, 4));
}

enum err space_open(struct node *n, struct space **out, const struct id32 *id, bool is_self)
{
	struct space *s = space_find(n, id);
	uint32_t number;
	enum err e;

	*out = s;
	if (s != NULL)
		return OK;
	if (n->n_spaces >= LIMIT_SPACES)
		return ERR_LIMIT;
	if ((e = number_next(n, &number)) != OK)
		return e;
	s = space_append(n, id);
	if (s == NULL)
		return ERR_NOMEM;
	s->number = number;
	s->is_self = is_self;
	s->joining = !is_self;
	e = space_store(n, s);
	if (e == OK)
		*out = s;
	return e;
}

static enum err acts_load(struct node *n, struct space *s)
{
	struct key prefix = space_prefix(s);
	struct store_cursor *c = NULL;
	struct slice key, value;
	enum err e;

	e = store_cursor_open(&c, n->txn, TABLE_AUTHORITY, key_slice(&prefix), SLICE(NULL, 0), false);
	while (e == OK && (e = store_cursor_next(c, &key, &value)) == OK) {
		bool added;

		e = authority_add(s->authority, &added, value);
		s->n_acts++;
	}
	store_cursor_close(c);
	return e == ERR_NOTFOUND ? OK : e;
}

/* The newest journal number is that of the last record; at least what TABLE_META remembers is not needed. */
static enum err journal_load(struct node *n, struct space *s)
{
	struct key prefix = space_prefix(s);
	struct store_cursor *c = NULL;
	struct slice key;
	enum err e;

	e = store_cursor_open(&c, n->txn, TABLE_JOURNAL, key_slice(&prefix), SLICE(NULL, 0), true);
	if (e == OK && (e = store_cursor_next(c, &key, NULL)) == OK)
		s->journal = get_u64(key.data + 4);
	store_cursor_close(c);
	return e == ERR_NOTFOUND ? OK : e;
}

static int by_number(const void *a, const void *b)
{
	const struct space *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* What decides which statements of a device show. */
static uint8_t standing_of(const struct state *state, const struct device *d)
{
	return (uint8_t)(state_device_active(state, &d->id) ? 1 + (d->capabilities & 1u << CAPABILITY_AGGREGATOR) : 0);
}

static enum err standings_read(const struct state *state, struct standing **out, size_t *count)
{
	const struct device *const *devices;

	*count = state_devices(state, &devices);
	if ((*out = mem_array(*count, sizeof **out)) == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < *count; i++)
		(*out)[i] = (struct standing){ devices[i]->id, standing_of(state, devices[i]) };
	return OK;
}

enum err spaces_load(struct node *n)
{
	struct store_cursor *c = NULL;
	struct slice key, value;
	enum err e = store_cursor_open(&c, n->txn, TABLE_SPACE, SLICE(NULL, 0), SLICE(NULL, 0), false);

	while (e == OK && (e = store_cursor_next(c, &key, &value)) == OK) {
		struct mp_reader r = mp_read(value);
		struct id32 id;
		struct space *s;

		if (key.len != ID_LEN) {
			e = ERR_DAMAGED;
			break;
		}
		memcpy(&id, key.data, ID_LEN);
		s = space_append(n, &id);
		if (s == NULL) {
			e = ERR_NOMEM;
			break;
		}
		mp_get_array_of(&r, 3);
		s->number = (uint32_t)mp_get_uint(&r, UINT32_MAX);
		s->is_self = mp_get_bool(&r);
		s->joining = mp_get_bool(&r);
		e = mp_end(&r) == OK ? OK : ERR_DAMAGED;
	}
	store_cursor_close(c);
	if (e != ERR_NOTFOUND)
		return e;
	if (n->n_spaces > 0)
		qsort(n->spaces, n->n_spaces, sizeof *n->spaces, by_number);
	e = OK;
	for (size_t i = 0; i < n->n_spaces && e == OK; i++) {
		struct space *s = &n->spaces[i];

		if ((e = acts_load(n, s)) == OK && (e = journal_load(n, s)) == OK)
			e = keys_load(n, s);
		s->generation = authority_generation(s->authority);
		if (e == OK && space_state(s) != NULL)
			e = standings_read(space_state(s), &s->standings, &s->n_standings);
	}
	return e;
}

void spaces_free(struct node *n)
{
	for (size_t i = 0; i < n->n_spaces; i++) {
		struct space *s = &n->spaces[i];

		authority_free(s->authority);
		keys_free(s);
		mem_free(s->tries[0]);
		mem_free(s->tries[1]);
		mem_free(s->changes);
		mem_free(s->standings);
	}
	mem_free(n->spaces);
	n->spaces = NULL;
	n->n_spaces = 0;
}

/* ---- the map: slots, tries, journal (protocol §7) ---------------------------------------------------------- */
/* TABLE_SLOT: [slot key, version, id, journal#]. */
static enum err slot_record_read(struct slot *out, uint64_t *journal, struct slice value)
{
	struct mp_reader r = mp_read(value);
	struct slice key;

	mp_get_array_of(&r, 4);
	key = mp_get_bin(&r, SLOT_KEY_MAX);
	memcpy(out->key, key.data, key.len);
	out->key_len = (uint8_t)key.len;
	out->version = mp_get_uint(&r, UINT64_MAX);
	mp_get_fixed(&r, &out->id, ID_LEN);
	*journal = mp_get_uint(&r, UINT64_MAX);
	return mp_end(&r) == OK ? OK : ERR_DAMAGED;
}

static enum err slot_record_get(struct node *n, struct space *s, enum net_section section, const struct id32 *hashed, struct slot *out,
	uint64_t *journal)
{
	struct key k = slot_record_key(s, section, hashed);
	struct slice value;
	enum err e = store_get(n->txn, TABLE_SLOT, key_slice(&k), &value);

	return e == OK ? slot_record_read(out, journal, value) : e;
}

enum err replica_slot(struct node *n, struct space *s, struct slice slot_key, struct slot *out)
{
	struct id32 hashed;
	uint64_t journal;

	trie_slot_key(&hashed, slot_key);
	return slot_record_get(n, s, slot_section(slot_key), &hashed, out, &journal);
}

static enum err trie_queue(struct space *s, enum net_section section, const struct trie_change *change)
{
	struct trie_change *grown = mem_grow(s->tries[section], &s->cap_tries[section], s->n_tries[section], sizeof *grown);

	if (grown == NULL)
		return ERR_NOMEM;
	s->tries[section] = grown;
	grown[s->n_tries[section]++] = *change;
	return OK;
}

static enum err change_queue(struct space *s, enum net_section section, const struct slot *slot, uint64_t old_version, uint32_t origin)
{
	struct slot_change *grown;

	/* A log that grows several times in a step is one change. */
	for (size_t i = s->n_changes; i > 0 && i + 8 > s->n_changes; i--) {
		struct slot_change *c = &s->changes[i - 1];

		if (slice_equal(SLICE(c->slot.key, c->slot.key_len), SLICE(slot->key, slot->key_len))) {
			c->slot = *slot;
			c->origin = c->origin == origin ? origin : 0;
			return OK;
		}
	}
	grown = mem_grow(s->changes, &s->cap_changes, s->n_changes, sizeof *grown);
	if (grown == NULL)
		return ERR_NOMEM;
	s->changes = grown;
	grown[s->n_changes++] = (struct slot_change){ *slot, old_version, section, origin };
	return OK;
}

static enum err journal_write(struct node *n, struct space *s, enum net_section section, const struct id32 *hashed, uint64_t old)
{
	uint8_t value[1 + ID_LEN];
	struct key k;
	enum err e;

	if (old != 0) {
		k = journal_key(s, old);
		if ((e = store_delete(n->txn, TABLE_JOURNAL, key_slice(&k))) != OK)
			return e;
	}
	value[0] = (uint8_t)section;
	memcpy(value + 1, hashed, ID_LEN);
	k = journal_key(s, ++s->journal);
	return store_put(n->txn, TABLE_JOURNAL, key_slice(&k), SLICE(value, sizeof value));
}

static enum err slot_put(struct node *n, struct space *s, const struct slot *slot)
{
	enum net_section section = slot_section(SLICE(slot->key, slot->key_len));
	struct trie_change change = { .remove = false };
	struct buf b = {0};
	struct slot old;
	uint64_t journal = 0;
	struct key k;
	enum err e;

	trie_slot_key(&change.key, SLICE(slot->key, slot->key_len));
	trie_slot_value(&change.value, slot->version, &slot->id);
	e = slot_record_get(n, s, section, &change.key, &old, &journal);
	if (e != OK && e != ERR_NOTFOUND)
		return e;
	if (e == OK && old.version == slot->version && id32_equal(&old.id, &slot->id))
		return OK;
	if (e == ERR_NOTFOUND)
		old.version = 0;
	n->dirty = true;
	if ((e = journal_write(n, s, section, &change.key, journal)) != OK)
		return e;
	mp_put_array(&b, 4);
	mp_put_bin(&b, slot->key, slot->key_len);
	mp_put_uint(&b, slot->version);
	mp_put_bin(&b, &slot->id, ID_LEN);
	mp_put_uint(&b, s->journal);
	k = slot_record_key(s, section, &change.key);
	e = b.err ? b.err : store_put(n->txn, TABLE_SLOT, key_slice(&k), buf_slice(&b));
	buf_free(&b);
	if (e == OK && (e = trie_queue(s, section, &change)) == OK)
		e = change_queue(s, section, slot, old.version, n->origin_link);
	return e;
}

static enum err slot_remove(struct node *n, struct space *s, const struct slot *slot)
{
	enum net_section section = slot_section(SLICE(slot->key, slot->key_len));
	struct trie_change change = { .remove = true };
	struct slot old;
	uint64_t journal;
	struct key k;
	enum err e;

	trie_slot_key(&change.key, SLICE(slot->key, slot->key_len));
	e = slot_record_get(n, s, section, &change.key, &old, &journal);
	if (e != OK)
		return e == ERR_NOTFOUND ? OK : e;
	n->dirty = true;
	k = journal_key(s, journal);
	if ((e = store_delete(n->txn, TABLE_JOURNAL, key_slice(&k))) != OK)
		return e;
	k = slot_record_key(s, section, &change.key);
	if ((e = store_delete(n->txn, TABLE_SLOT, key_slice(&k))) == OK)
		e = trie_queue(s, section, &change);
	return e;
}

/* Nodes of a section's trie in the store. */
struct trie_place { struct node *n; struct space *s; enum net_section section; };

static struct key trie_key(const struct trie_place *p, struct slice path)
{
	struct key k = { .len = 0 };

	key_u32(&k, p->s->number);
	key_u8(&k, (uint8_t)p->section);
	key_bytes(&k, path.data, path.len);
	return k;
}

static enum err trie_get(void *arg, struct slice path, struct slice *node)
{
	struct trie_place *p = arg;
	struct key k = trie_key(p, path);

	return store_get(p->n->txn, TABLE_TRIE, key_slice(&k), node);
}

static enum err trie_put(void *arg, struct slice path, struct slice node)
{
	struct trie_place *p = arg;
	struct key k = trie_key(p, path);

	return store_put(p->n->txn, TABLE_TRIE, key_slice(&k), node);
}

static enum err trie_remove(void *arg, struct slice path)
{
	struct trie_place *p = arg;
	struct key k = trie_key(p, path);

	return store_delete(p->n->txn, TABLE_TRIE, key_slice(&k));
}

static struct trie_nodes trie_at(struct trie_place *p)
{
	return (struct trie_nodes){ p, trie_get, trie_put, trie_remove };
}

enum err replica_flush(struct node *n, struct space *s)
{
	enum err e = OK;

	for (int i = 0; i < 2 && e == OK; i++) {
		struct trie_place place = { n, s, (enum net_section)i };
		struct trie_nodes nodes = trie_at(&place);

		if (s->n_tries[i] > 0)
			e = trie_update(&nodes, s->tries[i], s->n_tries[i]);
		s->n_tries[i] = 0;
	}
	return e;
}

enum err replica_roots(struct node *n, struct space *s, struct net_roots *out)
{
	enum err e = replica_flush(n, s);

	memset(out, 0, sizeof *out);
	for (int i = 0; i < 2 && e == OK; i++) {
		struct trie_place place = { n, s, (enum net_section)i };
		struct trie_nodes nodes = trie_at(&place);

		e = trie_root(&nodes, i == 0 ? &out->authority : &out->data);
	}
	out->journal = s->journal;
	out->pending = s->publish_at != UINT64_MAX || s->wrap_check_at != UINT64_MAX;
	return e;
}

/* ---- acts ------------------------------------------------------------------------------------------------------- */
static enum err act_store(struct node *n, struct space *s, struct slice bytes)
{
	struct key k = { .len = 0 };

	key_u32(&k, s->number);
	key_u64(&k, ++s->n_acts);
	n->dirty = true;
	return store_put(n->txn, TABLE_AUTHORITY, key_slice(&k), bytes);
}

enum err replica_act(struct node *n, struct space *s, struct slice bytes, bool *added)
{
	struct slot slot;
	struct act act;
	enum err e;

	*added = false;
	if ((e = act_load(&act, bytes)) != OK)
		return e;
	if (authority_has(s->authority, &act.id))
		return OK;
	if (authority_count(s->authority) == 0 && !id32_equal(&act.id, &s->id))
		return act.kind == ACT_GENESIS ? ERR_DENIED : ERR_MISSING;     /* checked against the code (protocol §4) */
	if ((e = authority_add(s->authority, added, bytes)) != OK || !*added)
		return e;
	n->dirty = true;
	slot_act(&slot, &act.id);
	if ((e = act_store(n, s, bytes)) == OK)
		e = slot_put(n, s, &slot);
	s->authority_changed = true;
	s->foreign_acts = s->foreign_acts || n->origin_link != 0;
	return e;
}

/* ---- logs --------------------------------------------------------------------------------------------------------- */
static enum err log_record_read(struct log_head *out, struct slice value)
{
	struct mp_reader r = mp_read(value);

	memset(out, 0, sizeof *out);
	mp_get_array_of(&r, 6);
	out->number = (uint32_t)mp_get_uint(&r, UINT32_MAX);
	out->seq = mp_get_uint(&r, UINT64_MAX);
	mp_get_fixed(&r, &out->id, ID_LEN);
	out->hlc = mp_get_uint(&r, UINT64_MAX);
	out->visible = mp_get_uint(&r, UINT64_MAX);
	mp_get_fixed(&r, &out->visible_id, ID_LEN);
	return mp_end(&r) == OK ? OK : ERR_DAMAGED;
}

enum err log_read(struct node *n, struct space *s, const struct id32 *device, uint64_t incarnation, struct log_head *out)
{
	struct key k = log_key(s, device, incarnation);
	struct slice value;
	enum err e = store_get(n->txn, TABLE_LOG, key_slice(&k), &value);

	return e == OK ? log_record_read(out, value) : e;
}

static enum err log_write(struct node *n, struct space *s, const struct id32 *device, uint64_t incarnation, const struct log_head *head)
{
	struct key k = log_key(s, device, incarnation);
	struct buf b = {0};
	enum err e;

	mp_put_array(&b, 6);
	mp_put_uint(&b, head->number);
	mp_put_uint(&b, head->seq);
	mp_put_bin(&b, &head->id, ID_LEN);
	mp_put_uint(&b, head->hlc);
	mp_put_uint(&b, head->visible);
	mp_put_bin(&b, &head->visible_id, ID_LEN);
	n->dirty = true;
	e = b.err ? b.err : store_put(n->txn, TABLE_LOG, key_slice(&k), buf_slice(&b));
	buf_free(&b);
	return e;
}

enum err op_read(struct node *n, uint32_t log, uint64_t seq, struct op *out)
{
	struct key k = op_key(log, seq);
	struct slice value;
	enum err e = store_get(n->txn, TABLE_OP, key_slice(&k), &value);

	if (e == OK && (e = op_load(out, value)) == ERR_MALFORMED)
		e = ERR_DAMAGED;
	return e;
}

static enum err op_write(struct node *n, uint32_t log, const struct op *op)
{
	struct key k = op_key(log, op->seq);
	struct buf b = {0};
	enum err e = op_store(&b, op);

	n->dirty = true;
	if (e == OK)
		e = store_put(n->txn, TABLE_OP, key_slice(&k), buf_slice(&b));
	buf_free(&b);
	return e;
}

/* ---- forks: TABLE_INDEX 'f' ‖ space# ‖ device ‖ incarnation → [seq, smaller first id, its run, the other run] -------------- */
#define FORK_RUNS_MAX (LIMIT_FRAME - 256)       /* two runs that fit one frame and one record */
struct fork { uint64_t seq; struct id32 id; struct slice a, b; };

static struct key fork_key(const struct space *s, const struct id32 *device, uint64_t incarnation)
{
	struct key k = { .len = 0 };

	key_u8(&k, 'f');
	key_u32(&k, s->number);
	key_bytes(&k, device, ID_LEN);
	key_u64(&k, incarnation);
	return k;
}

static enum err fork_read(struct node *n, struct space *s, const struct id32 *device, uint64_t incarnation, struct fork *out)
{
	struct key k = fork_key(s, device, incarnation);
	struct slice value;
	struct mp_reader r;
	enum err e = store_get(n->txn, TABLE_INDEX, key_slice(&k), &value);

	if (e != OK)
		return e;
	r = mp_read(value);
	mp_get_array_of(&r, 4);
	out->seq = mp_get_uint(&r, UINT64_MAX);
	mp_get_fixed(&r, &out->id, ID_LEN);
	out->a = mp_get_bin(&r, SIZE_MAX);
	out->b = mp_get_bin(&r, SIZE_MAX);
	return mp_end(&r) == OK ? OK : ERR_DAMAGED;
}

/* The last seq of a log that may count: below its pins and its lowest fork.  A device that nobody certified with effect has no
 * logs: its certificate may be voided after its ops came. */
enum err replica_bound(struct node *n, struct space *s, const struct id32 *device, uint64_t incarnation, uint64_t *bound)
{
	const struct state *state = space_state(s);
	struct fork fork;
	enum err e;

	*bound = 0;
	if (state == NULL)
		return ERR_NOMEM;
	if (state_device(state, device) == NULL)
		return OK;
	*bound = authority_bound(s->authority, device, incarnation);
	e = fork_read(n, s, device, incarnation, &fork);
	if (e == OK && fork.seq - 1 < *bound)
		*bound = fork.seq - 1;
	return e == ERR_NOTFOUND ? OK : e;
}

/* What the map shows of a log: its newest op below the bound (protocol §7).  Sets the slot, or takes it away. */
static enum err log_show(struct node *n, struct space *s, const struct id32 *device, uint64_t incarnation, struct log_head *head)
{
	struct slot slot;
	uint64_t bound;
	enum err e = replica_bound(n, s, device, incarnation, &bound);

	if (e != OK)
		return e;
	head->visible = head->seq < bound ? head->seq : bound;
	head->visible_id = head->id;
	if (head->visible > 0 && head->visible < head->seq) {
		struct op op;

		if ((e = op_read(n, head->number, head->visible, &op)) != OK)
			return e;
		head->visible_id = op.id;
	}
	slot_log(&slot, device, incarnation, head->visible, &head->visible_id);
	return head->visible > 0 ? slot_put(n, s, &slot) : slot_remove(n, s, &slot);
}

static enum err fork_show(struct node *n, struct space *s, const struct id32 *device, uint64_t incarnation, const struct fork *fork)
{
	const struct state *state = space_state(s);
	struct slot slot;

	slot_fork(&slot, device, incarnation, fork->seq, &fork->id);
	if (state == NULL)
		return ERR_NOMEM;
	return state_device(state, device) != NULL ? slot_put(n, s, &slot) : slot_remove(n, s, &slot);
}

/* A proof of a fork: kept if it is the lowest (protocol §2).  The log ends below it, and what it said above counts no more. */
static enum err fork_take(struct node *n, struct space *s, const struct id32 *device, uint64_t incarnation, const struct fork *fork)
{
	struct key k = fork_key(s, device, incarnation);
	struct log_head head;
	struct fork old;
	struct buf b = {0};
	enum err e = fork_read(n, s, device, incarnation, &old);

	if (id32_equal(device, &n->identity->device))
		n->incarnation_spent = true;
	if (e == OK && (old.seq < fork->seq || (old.seq == fork->seq && id32_compare(&old.id, &fork->id) <= 0)))
		return OK;
	if (e != OK && e != ERR_NOTFOUND)
		return e;
	mp_put_array(&b, 4);
	mp_put_uint(&b, fork->seq);
	mp_put_bin(&b, &fork->id, ID_LEN);
	mp_put_bin_slice(&b, fork->a);
	mp_put_bin_slice(&b, fork->b);
	n->dirty = true;
	e = b.err ? b.err : store_put(n->txn, TABLE_INDEX, key_slice(&k), buf_slice(&b));
	buf_free(&b);
	if (e != OK || (e = fork_show(n, s, device, incarnation, fork)) != OK)
		return e;
	e = log_read(n, s, device, incarnation, &head);
	if (e != OK)
		return e == ERR_NOTFOUND ? OK : e;
	if ((e = log_show(n, s, device, incarnation, &head)) == OK && (e = log_write(n, s, device, incarnation, &head)) == OK &&
	    head.seq >= fork->seq)
		e = fold_log(n, s, head.number, fork->seq, head.seq);
	return e;
}

/* Our branch, from the op where the other parts up to the first signature. */
static enum err branch_encode(struct node *n, const struct log_head *head, uint64_t from, struct buf *out)
{
	struct op *ops = mem_array(LIMIT_RUN_OPS, sizeof *ops);
	size_t count = 0;
	enum err e = ops == NULL ? ERR_NOMEM : ERR_STATE;

	while (ops != NULL && count < LIMIT_RUN_OPS && from + count <= head->seq) {
		if ((e = op_read(n, head->number, from + count, &ops[count])) != OK)
			break;
		if (ops[count++].has_signature)
			break;
	}
	if (e == OK)
		e = run_encode(out, ops, count);
	mem_free(ops);
	return e;
}

/* ops[0] differs from what we hold at its seq, and has the same prev. */
static enum err fork_found(struct node *n, struct space *s, const struct log_head *head, const struct op *ops, size_t count)
{
	struct fork fork = { .seq = ops[0].seq };
	struct buf ours = {0}, theirs = {0};
	struct op own;
	enum err e;

	if ((e = branch_encode(n, head, ops[0].seq, &ours)) == OK && (e = run_encode(&theirs, ops, count)) == OK &&
	    (e = op_read(n, head->number, ops[0].seq, &own)) == OK) {
		const bool first = id32_compare(&own.id, &ops[0].id) < 0;

		fork.id = first ? own.id : ops[0].id;
		fork.a = buf_slice(first ? &ours : &theirs);
		fork.b = buf_slice(first ? &theirs : &ours);
		e = ours.len + theirs.len > FORK_RUNS_MAX ? ERR_FORK : fork_take(n, s, &ops[0].device, ops[0].incarnation, &fork);
	}
	buf_free(&ours);
	buf_free(&theirs);
	return e;
}

/* Where a run meets the log: *known of its ops are here already.  *parts: the next one is another than ours.  ERR_MISSING: there is a
 * gap.  ERR_FORK: they part before the run begins. */
static enum err run_meets(struct node *n, const struct log_head *head, const struct op *ops, size_t count, size_t *known, bool *parts)
{
	struct op stored;
	enum err e;

	*known = 0;
	*parts = false;
	if (ops[0].seq > head->seq + 1)
		return ERR_MISSING;
	if (ops[0].seq > 1) {
		if ((e = op_read(n, head->number, ops[0].seq - 1, &stored)) != OK)
			return e;
		if (!id32_equal(&stored.id, &ops[0].prev))
			return ERR_FORK;
	}
	while (*known < count && ops[*known].seq <= head->seq) {
		if ((e = op_read(n, head->number, ops[*known].seq, &stored)) != OK)
			return e;
		if ((*parts = !id32_equal(&stored.id, &ops[*known].id)))
			return OK;
		++*known;
	}
	return OK;
}

/* Ops above the bound are kept for a salvage, but not without end. */
static enum err quarantine_full(struct node *n, const struct log_head *head, uint64_t bound, bool *full)
{
	size_t bytes = 0;

	*full = false;
	for (uint64_t seq = head->seq; seq > bound && !*full; seq--) {
		struct op op;
		enum err e = op_read(n, head->number, seq, &op);

		if (e != OK)
			return e;
		bytes += 256 + op.body.len;
		*full = bytes > LIMIT_QUARANTINE;
	}
	return OK;
}

/* A device in the space's authority, whatever has become of it: what its data ops need to be kept at all. */
static enum err author_known(struct space *s, const struct op *ops, size_t n)
{
	const struct state *state = space_state(s);

	if (state == NULL || state_device(state, &ops[0].device) == NULL)
		return ERR_MISSING;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ops[i].n_heads; k++)
			if (!authority_has(s->authority, &ops[i].heads[k]))
				return ERR_MISSING;
	return OK;
}

/* An op of ours that we lack: a copied home or a restored backup (protocol §2); go on under another incarnation. */
static void notice_own(struct node *n, const struct op *op)
{
	if (id32_equal(&op->device, &n->identity->device))
		n->incarnation_spent = true;
}

enum err replica_run(struct node *n, struct space *s, const struct op *ops, size_t count, size_t *added)
{
	const struct id32 device = ops[0].device;
	const uint64_t incarnation = ops[0].incarnation;
	struct log_head head;
	uint64_t bound;
	size_t known;
	bool parts, full;
	enum err e;

	*added = 0;
	if ((e = author_known(s, ops, count)) != OK)
		return e;
	e = log_read(n, s, &device, incarnation, &head);
	if (e == ERR_NOTFOUND) {
		memset(&head, 0, sizeof head);
		head.number = n->next_log;
	} else if (e != OK)
		return e;
	if ((e = replica_bound(n, s, &device, incarnation, &bound)) != OK)
		return e;
	e = run_meets(n, &head, ops, count, &known, &parts);
	if ((e == ERR_FORK || e == ERR_MISSING || parts) && ops[0].seq > bound)
		return OK;                              /* beyond the end of the log: quarantine of others */
	if (e != OK || known == count)
		return e;
	if (parts)
		return fork_found(n, s, &head, ops + known, count - known);
	if (head.seq > bound && ((e = quarantine_full(n, &head, bound, &full)) != OK || full))
		return e;
	if (ops[known].hlc <= head.hlc)
		return ERR_MALFORMED;
	if (head.seq == 0) {
		uint8_t number[4];

		put_u32(number, ++n->next_log);
		if ((e = meta_put(n, "log-numbers", SLICE(number, 4))) != OK)
			return e;
	}
	head.seq = ops[count - 1].seq;
	head.id = ops[count - 1].id;
	head.hlc = ops[count - 1].hlc;
	for (size_t i = known; i < count && e == OK; i++)
		e = op_write(n, head.number, &ops[i]);
	if (e == OK && (e = log_show(n, s, &device, incarnation, &head)) == OK)
		e = log_write(n, s, &device, incarnation, &head);
	for (size_t i = known; i < count && e == OK; i++)
		e = fold_added(n, s, &ops[i], head.number);
	*added = count - known;
	/* What we write from now on comes after what we have seen, unless that is of the future. */
	if (head.hlc > n->clock && !hlc_is_future(head.hlc, n->wall_ms))
		n->clock = head.hlc;
	return e;
}

/* ---- statements --------------------------------------------------------------------------------------------------- */
/* The map shows statements of active devices; roll-ups only of aggregators (protocol §§6, 7). */
static bool statement_shows(const struct state *state, const struct id32 *device, uint32_t kind)
{
	const struct device *d = state_device(state, device);

	if (d == NULL || !state_device_active(state, device))
		return false;
	return kind != STATEMENT_ROLLUP || (d->capabilities & 1u << CAPABILITY_AGGREGATOR);
}

enum err statement_read(struct node *n, struct space *s, const struct id32 *device, uint32_t kind, const struct id16 *index,
	struct statement *out)
{
	struct key k = statement_key(s, device, kind, index);
	struct slice value;
	enum err e = store_get(n->txn, TABLE_STATEMENT, key_slice(&k), &value);

	if (e == OK && statement_load(out, value) != OK)
		e = ERR_DAMAGED;
	return e;
}

static enum err statement_effect(struct node *n, struct space *s, const struct statement *st)
{
	switch (st->kind) {
	case STATEMENT_WRAP:
		return keys_take_wrap(n, s, st);
	case STATEMENT_REPORT:
	case STATEMENT_ROLLUP:
		s->publish_dirty = true;
		return OK;
	case STATEMENT_ADDRESS:
		return peers_take_address(n, st);
	default:
		return OK;
	}
}

enum err replica_statement(struct node *n, struct space *s, const struct statement *st, struct slice bytes, bool *added)
{
	const struct state *state = space_state(s);
	struct key k = statement_key(s, &st->device, st->kind, &st->index);
	struct statement old;
	struct slot slot;
	enum err e;

	*added = false;
	if (state == NULL || state_device(state, &st->device) == NULL)
		return ERR_MISSING;
	if (!statement_shows(state, &st->device, st->kind))
		return ERR_DENIED;
	e = statement_read(n, s, &st->device, st->kind, &st->index, &old);
	if (e != OK && e != ERR_NOTFOUND)
		return e;
	if (e == OK && statement_compare(st, &old) <= 0)
		return OK;
	n->dirty = true;
	if ((e = store_put(n->txn, TABLE_STATEMENT, key_slice(&k), bytes)) != OK)
		return e;
	slot_statement(&slot, st);
	if ((e = slot_put(n, s, &slot)) == OK)
		e = statement_effect(n, s, st);
	*added = true;
	return e;
}

enum err statements_each(struct node *n, struct space *s, uint32_t kind, enum err (*each)(void *, const struct statement *), void *arg)
{
	const struct state *state = space_state(s);
	size_t n_devices = 0;
	const struct device *const *devices = NULL;
	enum err e = OK;

	if (state != NULL)
		n_devices = state_devices(state, &devices);
	for (size_t i = 0; i < n_devices && e == OK; i++) {
		struct store_cursor *c = NULL;
		struct key prefix = space_prefix(s);
		struct slice key, value;

		if (!statement_shows(state, &devices[i]->id, kind))
			continue;
		key_bytes(&prefix, &devices[i]->id, ID_LEN);
		key_u8(&prefix, (uint8_t)kind);
		e = store_cursor_open(&c, n->txn, TABLE_STATEMENT, key_slice(&prefix), SLICE(NULL, 0), false);
		while (e == OK && (e = store_cursor_next(c, &key, &value)) == OK) {
			struct statement st;

			e = statement_load(&st, value) == OK ? each(arg, &st) : ERR_DAMAGED;
		}
		store_cursor_close(c);
		if (e == ERR_NOTFOUND)
			e = OK;
	}
	return e;
}

/* ---- following authority ------------------------------------------------------------------------------------------ */
/* Records of a table are changed while they are walked: walk keys first, then act on each. */
static enum err keys_below(struct node *n, const struct key *prefix, enum store_table table, struct buf *keys)
{
	struct store_cursor *c = NULL;
	struct slice key;
	enum err e = store_cursor_open(&c, n->txn, table, key_slice(prefix), SLICE(NULL, 0), false);

	while (e == OK && (e = store_cursor_next(c, &key, NULL)) == OK)
		buf_put_slice(keys, key);
	store_cursor_close(c);
	return e != ERR_NOTFOUND ? e : keys->err;
}

/* fold: nobody else makes the documents of what is shown or hidden again. */
static enum err logs_show_again(struct node *n, struct space *s, const struct key *prefix, bool fold)
{
	const size_t key_len = 4 + ID_LEN + 8;
	struct buf keys = {0};
	enum err e = keys_below(n, prefix, TABLE_LOG, &keys);

	for (size_t at = 0; at + key_len <= keys.len && e == OK; at += key_len) {
		struct id32 device;
		uint64_t incarnation = get_u64(keys.data + at + 4 + ID_LEN), visible;
		struct log_head head;

		memcpy(&device, keys.data + at + 4, ID_LEN);
		if ((e = log_read(n, s, &device, incarnation, &head)) != OK)
			break;
		visible = head.visible;
		if ((e = log_show(n, s, &device, incarnation, &head)) != OK || visible == head.visible)
			continue;
		if ((e = log_write(n, s, &device, incarnation, &head)) == OK && fold)
			e = fold_log(n, s, head.number, 1, head.seq);
	}
	buf_free(&keys);
	return e;
}

static enum err forks_show_again(struct node *n, struct space *s)
{
	const size_t key_len = 5 + ID_LEN + 8;
	struct store_cursor *c = NULL;
	struct buf keys = {0};
	uint8_t prefix[5] = { 'f' };
	struct slice key;
	enum err e;

	put_u32(prefix + 1, s->number);
	e = store_cursor_open(&c, n->txn, TABLE_INDEX, SLICE(prefix, sizeof prefix), SLICE(NULL, 0), false);
	while (e == OK && (e = store_cursor_next(c, &key, NULL)) == OK)
		buf_put_slice(&keys, key);
	store_cursor_close(c);
	e = e == ERR_NOTFOUND ? keys.err : e;
	for (size_t at = 0; at + key_len <= keys.len && e == OK; at += key_len) {
		struct fork fork;
		struct id32 device;
		uint64_t incarnation = get_u64(keys.data + at + 5 + ID_LEN);

		memcpy(&device, keys.data + at + 5, ID_LEN);
		if ((e = fork_read(n, s, &device, incarnation, &fork)) == OK)
			e = fork_show(n, s, &device, incarnation, &fork);
	}
	buf_free(&keys);
	return e;
}

static enum err statements_show_again(struct node *n, struct space *s, const struct id32 *device)
{
	const size_t key_len = 4 + ID_LEN + 1 + DOC_LEN;
	const struct state *state = space_state(s);
	struct key prefix = space_prefix(s);
	struct buf keys = {0};
	enum err e;

	key_bytes(&prefix, device, ID_LEN);
	e = keys_below(n, &prefix, TABLE_STATEMENT, &keys);
	if (state == NULL)
		e = ERR_NOMEM;
	for (size_t at = 0; at + key_len <= keys.len && e == OK; at += key_len) {
		struct slice key = SLICE(keys.data + at, key_len), value;
		struct statement st;
		struct slot slot;

		if ((e = store_get(n->txn, TABLE_STATEMENT, key, &value)) != OK)
			break;
		if (statement_load(&st, value) != OK) {
			e = ERR_DAMAGED;
			break;
		}
		slot_statement(&slot, &st);
		e = statement_shows(state, &st.device, st.kind) ? slot_put(n, s, &slot) : slot_remove(n, s, &slot);
	}
	buf_free(&keys);
	return e;
}

/* What a device has stored here shows by its standing; one whose certificate was voided, or made good, has or has not its logs. */
static enum err device_show_again(struct node *n, struct space *s, const struct id32 *device)
{
	struct key prefix = space_prefix(s);
	enum err e = statements_show_again(n, s, device);

	key_bytes(&prefix, device, ID_LEN);
	return e == OK ? logs_show_again(n, s, &prefix, true) : e;
}

/* Both lists are ascending. */
static enum err standings_follow(struct node *n, struct space *s)
{
	struct standing *now, *old = s->standings;
	size_t count, at = 0;
	enum err e = standings_read(space_state(s), &now, &count);

	for (size_t i = 0; e == OK && i < count; i++) {
		for (; e == OK && at < s->n_standings && id32_compare(&old[at].device, &now[i].device) < 0; at++)
			e = device_show_again(n, s, &old[at].device);       /* its certificate was voided */
		if (e != OK)
			break;
		if (at == s->n_standings || !id32_equal(&old[at].device, &now[i].device) || old[at++].standing != now[i].standing)
			e = device_show_again(n, s, &now[i].device);
	}
	for (; e == OK && at < s->n_standings; at++)
		e = device_show_again(n, s, &old[at].device);
	if (e != OK) {
		mem_free(now);
		return e;
	}
	mem_free(old);
	s->standings = now;
	s->n_standings = count;
	return OK;
}

enum err replica_follow_authority(struct node *n, struct space *s)
{
	const struct key all = space_prefix(s);
	enum err e = OK;

	if (!s->authority_changed)
		return OK;
	s->authority_changed = false;
	s->follow_peers = true;
	if (space_state(s) == NULL)
		return ERR_NOMEM;
	if (authority_generation(s->authority) != s->generation) {
		s->generation = authority_generation(s->authority);
		if ((e = logs_show_again(n, s, &all, false)) == OK && (e = forks_show_again(n, s)) == OK)
			e = fold_space(n, s);
	}
	if (e == OK)
		e = standings_follow(n, s);
	if (e == OK && s->joining && state_device_active(space_state(s), &n->identity->device)) {
		s->joining = false;
		e = space_store(n, s);
	}
	s->share_dirty = s->publish_dirty = true;
	if (e == OK)
		e = keys_settle(n, s, false);
	s->foreign_acts = false;
	return e;
}

/* ---- what sessions see: struct net_data ------------------------------------------------------------------------------ */
static struct space *space_of(void *arg, const struct id32 *id)
{
	return space_find(arg, id);
}

static enum err data_roots(void *arg, const struct id32 *id, struct net_roots *out)
{
	struct space *s = space_of(arg, id);

	return s == NULL ? ERR_NOTFOUND : replica_roots(arg, s, out);
}

static enum err data_node(void *arg, const struct id32 *id, enum net_section section, struct slice path, struct net_node *out)
{
	struct space *s = space_of(arg, id);
	struct trie_place place = { arg, s, section };
	struct trie_nodes nodes = trie_at(&place);
	struct trie_node node;
	enum err e;

	if (s == NULL)
		return ERR_NOTFOUND;
	if ((e = replica_flush(arg, s)) != OK || (e = trie_node(&nodes, path, &node)) != OK)
		return e;
	memset(out, 0, sizeof *out);
	if (path.len > 0)
		memcpy(out->path, path.data, path.len);
	out->path_len = (uint8_t)path.len;
	for (int i = 0; i < 16 && e == OK; i++) {
		const struct trie_child *from = &node.child[i];
		struct net_child *to = &out->child[i];
		uint64_t journal;

		if (from->kind == TRIE_EMPTY)
			continue;
		to->hash = from->hash;
		to->kind = from->kind == TRIE_LEAF ? CHILD_LEAF : CHILD_BRANCH;
		if (from->kind == TRIE_LEAF)
			e = slot_record_get(arg, s, section, &from->key, &to->slot, &journal);
	}
	return e == ERR_NOTFOUND ? ERR_DAMAGED : e;
}

static enum err data_slot(void *arg, const struct id32 *id, struct slice key, struct slot *out)
{
	struct space *s = space_of(arg, id);

	return s == NULL ? ERR_NOTFOUND : replica_slot(arg, s, key, out);
}

struct below { struct node *n; struct space *s; enum net_section section; enum err (*each)(void *, const struct slot *); void *arg; };

static enum err below_leaf(void *arg, const struct trie_child *leaf)
{
	struct below *b = arg;
	struct slot slot;
	uint64_t journal;
	enum err e = slot_record_get(b->n, b->s, b->section, &leaf->key, &slot, &journal);

	return e == OK ? b->each(b->arg, &slot) : e;
}

static enum err data_slots_below(void *arg, const struct id32 *id, enum net_section section, struct slice path,
	enum err (*each)(void *, const struct slot *), void *each_arg)
{
	struct space *s = space_of(arg, id);
	struct trie_place place = { arg, s, section };
	struct trie_nodes nodes = trie_at(&place);
	struct below below = { arg, s, section, each, each_arg };
	enum err e;

	if (s == NULL)
		return ERR_NOTFOUND;
	e = replica_flush(arg, s);
	return e == OK ? trie_walk(&nodes, path, below_leaf, &below) : e;
}

/* Runs of a log from have+1 on; each ends at an op whose signature is kept ("mark", protocol §2). */
static enum err log_content(struct node *n, const struct log_head *head, uint64_t have, size_t budget,
	enum err (*piece)(void *, struct slice), void *piece_arg, uint64_t *upto)
{
	struct op *ops = mem_array(LIMIT_RUN_OPS, sizeof *ops);
	struct buf run = {0};
	size_t sent = 0;
	enum err e = ops == NULL ? ERR_NOMEM : OK;

	*upto = have;
	while (e == OK && *upto < head->visible && sent < budget) {
		size_t count = 0, marked = 0, bytes = 0;

		/* Where the bound lies between two signatures, the run goes on to the next: else nobody could prove what is below. */
		while (count < LIMIT_RUN_OPS && bytes < LIMIT_RUN_BYTES - LIMIT_OP &&
		       *upto + count < (*upto + marked < head->visible && *upto + count >= head->visible ? head->seq : head->visible)) {
			if ((e = op_read(n, head->number, *upto + count + 1, &ops[count])) != OK)
				break;
			bytes += 96 + ID_LEN * ops[count].n_heads + (ops[count].body.data != NULL ? ops[count].body.len : ID_LEN);
			if (ops[count++].has_signature)
				marked = count;
		}
		if (e != OK || marked == 0)
			break;
		buf_clear(&run);
		if ((e = run_encode(&run, ops, marked)) == OK)
			e = piece(piece_arg, buf_slice(&run));
		sent += run.len;
		*upto += marked;
	}
	buf_free(&run);
	mem_free(ops);
	return e;
}

static enum err data_content(void *arg, const struct id32 *id, struct slice key, uint64_t have, size_t budget,
	enum err (*piece)(void *, struct slice), void *piece_arg, uint64_t *upto)
{
	struct node *n = arg;
	struct space *s = space_of(arg, id);
	struct id32 device;
	uint64_t incarnation;
	uint32_t kind;
	struct id16 index;
	enum err e;

	*upto = have;
	if (s == NULL)
		return ERR_NOTFOUND;
	if (key.data[0] == 'A') {
		struct id32 act;
		struct slice bytes;

		memcpy(&act, key.data + 1, ID_LEN);
		bytes = authority_bytes(s->authority, &act);
		return bytes.data == NULL ? ERR_NOTFOUND : piece(piece_arg, bytes);
	}
	if (key.data[0] == 'F') {
		struct fork fork;

		memcpy(&device, key.data + 1, ID_LEN);
		if ((e = fork_read(n, s, &device, get_u64(key.data + 1 + ID_LEN), &fork)) == OK && (e = piece(piece_arg, fork.a)) == OK)
			e = piece(piece_arg, fork.b);
		*upto = fork.seq;
		return e;
	}
	if (slot_key_log(key, &device, &incarnation)) {
		struct log_head head;

		e = log_read(n, s, &device, incarnation, &head);
		return e == OK ? log_content(n, &head, have, budget, piece, piece_arg, upto) : e;
	}
	if (slot_key_statement(key, &device, &kind, &index)) {
		struct key k = statement_key(s, &device, kind, &index);
		struct slice bytes;
		struct statement st;

		if ((e = store_get(n->txn, TABLE_STATEMENT, key_slice(&k), &bytes)) != OK)
			return e;
		if (statement_load(&st, bytes) != OK)
			return ERR_DAMAGED;
		*upto = st.counter;
		return piece(piece_arg, bytes);
	}
	return ERR_NOTFOUND;
}

static enum err data_take_act(void *arg, const struct id32 *peer, const struct act *act, struct slice bytes)
{
	struct node *n = arg;
	struct id32 id = id32_is_zero(&act->space) ? act->id : act->space;
	struct space *s = space_find(n, &id);
	bool added;

	(void)peer;
	return s == NULL ? ERR_DENIED : replica_act(n, s, bytes, &added);
}

static enum err data_take_run(void *arg, const struct id32 *peer, const struct run *run, struct slice bytes)
{
	struct node *n = arg;
	struct space *s = space_find(n, &run->space);
	size_t added;
	enum err e;

	(void)peer;
	(void)bytes;
	if (s == NULL)
		return ERR_DENIED;
	if ((e = replica_follow_authority(n, s)) != OK)
		return e;
	e = replica_run(n, s, run->ops, run->n, &added);
	if (e == OK && added > 0)
		notice_own(n, &run->ops[run->n - 1]);
	return e;
}

static enum err data_take_fork(void *arg, const struct id32 *peer, const struct run *a, struct slice a_bytes, const struct run *b,
	struct slice b_bytes)
{
	struct fork fork = { a->first_seq, a->ops[0].id, a_bytes, b_bytes };
	struct node *n = arg;
	struct space *s = space_find(n, &a->space);
	enum err e;

	(void)peer;
	(void)b;
	if (s == NULL)
		return ERR_DENIED;
	if ((e = replica_follow_authority(n, s)) != OK)
		return e;
	if (a_bytes.len + b_bytes.len > FORK_RUNS_MAX)
		return ERR_TOOBIG;
	if (space_state(s) == NULL || state_device(space_state(s), &a->device) == NULL)
		return ERR_MISSING;
	return fork_take(n, s, &a->device, a->incarnation, &fork);
}

static enum err data_take_statement(void *arg, const struct id32 *peer, const struct statement *st, struct slice bytes)
{
	struct node *n = arg;
	struct space *s = space_find(n, &st->space);
	bool added;
	enum err e;

	(void)peer;
	if (s == NULL)
		return ERR_DENIED;
	if ((e = replica_follow_authority(n, s)) != OK)
		return e;
	e = replica_statement(n, s, st, bytes, &added);
	if (e == OK && added && id32_equal(&st->device, &n->identity->device))
		n->incarnation_spent = true;            /* ours, and newer than we know (promise 9) */
	return e;
}

/* Is this a device behind whose door we knocked to join this space?  Others need not know that we do. */
static bool is_door(struct node *n, const struct space *s, const struct id32 *device)
{
	const struct peer *p = peer_find(n, device);

	for (size_t i = 0; p != NULL && i < n->n_joins; i++)
		for (size_t k = 0; id32_equal(&n->joins[i].space, &s->id) && k < n->joins[i].n_doors; k++)
			if (memcmp(n->joins[i].doors[k].curve, p->curve, KEY_LEN) == 0)
				return true;
	return false;
}

/* Lanes (protocol §8): active members' devices and relays: all; removed and Pending ones: authority only. */
static bool lane_full(struct node *n, const struct id32 *peer, const struct id32 *space)
{
	struct space *s = space_find(n, space);
	const struct state *state = s == NULL ? NULL : space_state(s);

	if (s != NULL && s->joining && is_door(n, s, peer))
		return true;                            /* the inviter, until we know more */
	return state != NULL && state_device_active(state, peer);
}

static bool data_may_send(void *arg, const struct id32 *peer, const struct id32 *space, enum net_section section, struct slice key)
{
	struct node *n = arg;
	struct space *s = space_find(n, space);

	(void)key;
	if (s == NULL)
		return false;
	if (s->is_self) {
		const struct state *state = space_state(s);

		return state != NULL && state_device_active(state, peer);
	}
	return section == NET_AUTHORITY || lane_full(n, peer, space);
}

static bool data_may_take(void *arg, const struct id32 *peer, const struct id32 *space, enum net_section section)
{
	return section == NET_AUTHORITY || lane_full(arg, peer, space);
}

static int by_id(const void *a, const void *b)
{
	return id32_compare(a, b);
}

/* Each side offers exactly the spaces whose authority lists the other's device, and those it is joining (protocol §8). */
static size_t data_common(void *arg, const struct id32 *peer, struct id32 *spaces, size_t max)
{
	struct node *n = arg;
	size_t count = 0;

	for (size_t i = 0; i < n->n_spaces && count < max; i++) {
		struct space *s = &n->spaces[i];
		const struct state *state = space_state(s);

		if ((state != NULL && state_device(state, peer) != NULL) || (s->joining && is_door(n, s, peer)))
			spaces[count++] = s->id;
	}
	qsort(spaces, count, sizeof *spaces, by_id);
	return count;
}

static enum err data_since(void *arg, const struct id32 *id, uint64_t journal, size_t max,
	enum err (*each)(void *, const struct slot *, enum net_section), void *each_arg, uint64_t *covered)
{
	struct node *n = arg;
	struct space *s = space_of(arg, id);
	struct store_cursor *c = NULL;
	struct slice key, value;
	struct key prefix, from;
	size_t count = 0;
	enum err e;

	*covered = journal;
	if (s == NULL)
		return ERR_NOTFOUND;
	prefix = space_prefix(s);
	from = journal_key(s, journal + 1);
	e = store_cursor_open(&c, n->txn, TABLE_JOURNAL, key_slice(&prefix), key_slice(&from), false);
	while (e == OK && count < max && (e = store_cursor_next(c, &key, &value)) == OK) {
		struct slot slot;
		uint64_t number;
		struct id32 hashed;
		enum net_section section = (enum net_section)value.data[0];

		memcpy(&hashed, value.data + 1, ID_LEN);
		*covered = get_u64(key.data + 4);
		if ((e = slot_record_get(n, s, section, &hashed, &slot, &number)) == OK) {
			e = each(each_arg, &slot, section);
			count++;
		}
	}
	store_cursor_close(c);
	if (e == ERR_NOTFOUND) {
		*covered = s->journal;
		e = OK;
	}
	return e;
}

/* TABLE_PEER: device ‖ 'c' ‖ space# → nonce ‖ journal#. */
static struct key cursor_key(const struct id32 *peer, const struct space *s)
{
	struct key k = { .len = 0 };

	key_bytes(&k, peer, ID_LEN);
	key_u8(&k, 'c');
	key_u32(&k, s->number);
	return k;
}

static uint64_t data_cursor(void *arg, const struct id32 *peer, const struct id16 *nonce, const struct id32 *id)
{
	struct node *n = arg;
	struct space *s = space_of(arg, id);
	struct slice value;
	struct key k;

	if (s == NULL)
		return 0;
	k = cursor_key(peer, s);
	if (store_get(n->txn, TABLE_PEER, key_slice(&k), &value) != OK || value.len != DOC_LEN + 8 ||
	    memcmp(value.data, nonce, DOC_LEN) != 0)
		return 0;
	return get_u64(value.data + DOC_LEN);
}

static void data_set_cursor(void *arg, const struct id32 *peer, const struct id16 *nonce, const struct id32 *id, uint64_t journal)
{
	struct node *n = arg;
	struct space *s = space_of(arg, id);
	uint8_t value[DOC_LEN + 8];
	struct key k;

	if (s == NULL)
		return;
	memcpy(value, nonce, DOC_LEN);
	put_u64(value + DOC_LEN, journal);
	k = cursor_key(peer, s);
	n->dirty = true;
	(void)store_put(n->txn, TABLE_PEER, key_slice(&k), SLICE(value, sizeof value));     /* a hint: may be lost */
}

void replica_net_data(struct node *n)
{
	n->data = (struct net_data){
		.arg = n, .roots = data_roots, .node = data_node, .slot = data_slot, .slots_below = data_slots_below,
		.content = data_content, .take_act = data_take_act, .take_run = data_take_run,
		.take_statement = data_take_statement, .take_fork = data_take_fork, .may_send = data_may_send, .may_take = data_may_take,
		.common = data_common, .since = data_since, .cursor = data_cursor, .set_cursor = data_set_cursor,
	};
}
