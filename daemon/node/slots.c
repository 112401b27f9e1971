/* The map of a space (protocol §7): slots, the two tries over them, the journal of changes. */
#include <stdlib.h>
#include <string.h>
#include "daemon/node/replica_internal.h"

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

enum err slot_record_get(struct node *n, struct space *s, enum net_section section, const struct id32 *hashed, struct slot *out,
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

enum err slot_put(struct node *n, struct space *s, const struct slot *slot)
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

enum err slot_remove(struct node *n, struct space *s, const struct slot *slot)
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

struct trie_nodes trie_at(struct trie_place *p)
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
