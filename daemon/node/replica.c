/* A space as stored: acts and statements (protocol §§3, 6), and what follows when authority changes.  Record layouts: docs/storage.md. */
#include <stdlib.h>
#include <string.h>
#include "daemon/node/replica_internal.h"

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
