/* Epoch keys: minting, wrapping, opening, and the one rule (protocol §5): if readers ⊄ entitled, mint a new epoch; if entitled ⊄
 * readers, add wraps; before sealing and in the turn of every authority change.
 *
 * Wrap statement, clear body, map: 1 epoch id bin32 · 2 [[device bin32, box bin80]…] by device · 3 type (0 space, 1 audience).
 * Epoch op, clear body, map: 1 epoch id bin32 · 2 [parent id bin32…] · 3 their keys, sealed under a key derived from the epoch's.
 * TABLE_EPOCH: space# ‖ epoch id → [type, key bin32 | nil, led to, readers bin (32 bytes each)].  Only epochs whose key is held are
 * kept: a wrap of another is looked at when its key comes.  Readers only ever grow: who was once wrapped to is a reader for good,
 * also when the wrap has been superseded.  A reader that authority does not know is noted as `nobody`, who is entitled to nothing.
 * An epoch is led to if a counting epoch op holds its very key: what cannot be checked leads nowhere. */
#include <string.h>
#include "daemon/node/node_internal.h"

#define WRAPPED (KEY_LEN + BOX_LEN)
#define WRAP_GROW 64            /* a statement that is added to is rewritten: keep it small */
#define WRAP_FULL 256           /* a fresh one */
#define PARENTS_MAX 64
#define READERS_MAX 7500        /* of one epoch: its record stays below STORE_VALUE_MAX; one with more is used no longer */

/* ---- known epochs ------------------------------------------------------------------------------------------------ */
struct epoch *keys_find(struct space *s, const struct id32 *id)
{
	for (size_t i = 0; i < s->n_epochs; i++)
		if (id32_equal(&s->epochs[i].id, id))
			return &s->epochs[i];
	return NULL;
}

void keys_free(struct space *s)
{
	for (size_t i = 0; i < s->n_epochs; i++) {
		crypto_wipe(s->epochs[i].key, KEY_LEN);
		mem_free(s->epochs[i].readers);
	}
	mem_free(s->epochs);
	mem_free(s->entitled);
	s->entitled = NULL;
	s->epochs = NULL;
	s->n_epochs = 0;
}

static struct epoch *epoch_known(struct space *s, const struct id32 *id)
{
	struct epoch *found = keys_find(s, id), *grown;

	if (found != NULL)
		return found;
	if ((grown = mem_resize(s->epochs, s->n_epochs + 1, sizeof *grown)) == NULL)
		return NULL;
	s->epochs = grown;
	grown = &grown[s->n_epochs++];
	memset(grown, 0, sizeof *grown);
	grown->id = *id;
	return grown;
}

static size_t reader_place(const struct epoch *epoch, const struct id32 *device)
{
	size_t low = 0, high = epoch->n_readers;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (id32_compare(&epoch->readers[mid], device) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_reader(const struct epoch *epoch, const struct id32 *device)
{
	size_t at = reader_place(epoch, device);

	return at < epoch->n_readers && id32_equal(&epoch->readers[at], device);
}

static enum err reader_add(struct space *s, struct epoch *epoch, const struct id32 *device)
{
	static const struct id32 nobody = {{0}};
	const struct state *state = space_state(s);
	struct id32 *grown;
	size_t at;

	if (state == NULL || epoch->n_readers >= READERS_MAX || state_device(state, device) == NULL)
		device = &nobody;
	at = reader_place(epoch, device);
	if (at < epoch->n_readers && id32_equal(&epoch->readers[at], device))
		return OK;
	if ((grown = mem_resize(epoch->readers, epoch->n_readers + 1, sizeof *grown)) == NULL)
		return ERR_NOMEM;
	epoch->readers = grown;
	memmove(grown + at + 1, grown + at, (epoch->n_readers - at) * sizeof *grown);
	grown[at] = *device;
	epoch->n_readers++;
	return OK;
}

static void epoch_id(struct id32 *out, const uint8_t key[KEY_LEN], const struct space *s)
{
	struct slice parts[] = { SLICE(key, KEY_LEN), SLICE(&s->id, ID_LEN) };

	crypto_hash(out, "cairn-epoch", parts, 2);
}

static enum err epoch_write(struct node *n, struct space *s, const struct epoch *epoch)
{
	uint8_t key[4 + ID_LEN];
	struct buf b = {0};
	enum err e;

	put_u32(key, s->number);
	memcpy(key + 4, &epoch->id, ID_LEN);
	mp_put_array(&b, 4);
	mp_put_uint(&b, epoch->type);
	if (epoch->has_key)
		mp_put_bin(&b, epoch->key, KEY_LEN);
	else
		mp_put_nil(&b);
	mp_put_bool(&b, epoch->led_to);
	mp_put_bin(&b, epoch->readers, epoch->n_readers * ID_LEN);
	n->dirty = true;
	e = b.err ? b.err : store_put(n->txn, TABLE_EPOCH, SLICE(key, sizeof key), buf_slice(&b));
	buf_wipe(&b);
	return e;
}

static enum err epoch_load(struct space *s, const struct id32 *id, struct slice value)
{
	struct epoch *epoch = epoch_known(s, id);
	struct mp_reader r = mp_read(value);
	struct slice readers;

	if (epoch == NULL)
		return ERR_NOMEM;
	mp_get_array_of(&r, 4);
	epoch->type = mp_get_uint(&r, 1) ? EPOCH_AUDIENCE : EPOCH_SPACE;
	if (!mp_get_nil(&r)) {
		mp_get_fixed(&r, epoch->key, KEY_LEN);
		epoch->has_key = true;
	}
	epoch->led_to = mp_get_bool(&r);
	readers = mp_get_bin(&r, SIZE_MAX);
	if (mp_end(&r) != OK)
		return ERR_DAMAGED;
	if ((epoch->readers = mem_copy(readers.data, readers.len)) == NULL)
		return ERR_NOMEM;
	epoch->n_readers = readers.len / ID_LEN;
	return OK;
}

enum err keys_load(struct node *n, struct space *s)
{
	struct store_cursor *c = NULL;
	struct slice key, value;
	uint8_t prefix[4];
	enum err e;

	put_u32(prefix, s->number);
	e = store_cursor_open(&c, n->txn, TABLE_EPOCH, SLICE(prefix, 4), SLICE(NULL, 0), false);
	while (e == OK && (e = store_cursor_next(c, &key, &value)) == OK) {
		struct id32 id;

		memcpy(&id, key.data + 4, ID_LEN);
		e = epoch_load(s, &id, value);
	}
	store_cursor_close(c);
	return e == ERR_NOTFOUND ? OK : e;
}

/* ---- opening: wraps and epoch ops ---------------------------------------------------------------------------------- */
/* The head of a wrap body: *r then stands at the first entry. */
static bool wrap_read(struct mp_reader *r, struct slice body, struct id32 *id, size_t *entries)
{
	if (mp_check(body, LIMIT_DEPTH, 4 * LIMIT_WRAP_DEVICES + 8) != OK)
		return false;
	*r = mp_read(body);
	if (mp_get_map(r, 3) != 3 || mp_get_uint(r, 1) != 1)
		return false;
	mp_get_fixed(r, id, ID_LEN);
	if (mp_get_uint(r, 2) != 2)
		return false;
	*entries = mp_get_array(r, LIMIT_WRAP_DEVICES);
	return r->err == OK;
}

/* Epoch ops of this epoch that were here before its key: their parents open now.  Anybody may write one that names it. */
static enum err parents_of(struct node *n, struct space *s, const struct id32 *id)
{
	struct store_cursor *c = NULL;
	struct slice key;
	struct buf keys = {0};
	uint8_t prefix[5 + ID_LEN] = { 'e' };
	enum err e;

	put_u32(prefix + 1, s->number);
	memcpy(prefix + 5, id, ID_LEN);
	e = store_cursor_open(&c, n->txn, TABLE_INDEX, SLICE(prefix, sizeof prefix), SLICE(NULL, 0), false);
	while (e == OK && (e = store_cursor_next(c, &key, NULL)) == OK)
		buf_put(&keys, key.data + sizeof prefix, 12);
	store_cursor_close(c);
	e = e == ERR_NOTFOUND ? keys.err : e;
	for (size_t at = 0; at + 12 <= keys.len && e == OK; at += 12) {
		struct op op;
		bool counts;

		if ((e = op_read(n, get_u32(keys.data + at), get_u64(keys.data + at + 4), &op)) == OK &&
		    (e = fold_counts(n, s, &op, &counts)) == OK && counts)
			e = keys_take_epoch_op(n, s, &op);
	}
	buf_free(&keys);
	return e;
}

/* The readers that a wrap names.  *r stands at its first entry. */
static enum err readers_take(struct space *s, struct epoch *epoch, struct mp_reader *r, size_t entries)
{
	enum err e = OK;

	for (size_t i = 0; i < entries && e == OK; i++) {
		struct id32 device;
		uint8_t box[WRAPPED];

		mp_get_array_of(r, 2);
		mp_get_fixed(r, &device, ID_LEN);
		mp_get_fixed(r, box, WRAPPED);
		if (r->err != OK)
			return OK;
		e = reader_add(s, epoch, &device);
	}
	return e;
}

/* All wraps of an epoch that came before its key, whoever made them and whatever has become of him. */
static enum err readers_stored(struct node *n, struct space *s, struct epoch *epoch)
{
	const struct state *state = space_state(s);
	const struct device *const *devices;
	size_t count = state == NULL ? 0 : state_devices(state, &devices);
	enum err e = OK;

	for (size_t i = 0; i < count && e == OK; i++) {
		struct store_cursor *c = NULL;
		struct slice key, value;
		uint8_t prefix[4 + ID_LEN + 1];

		put_u32(prefix, s->number);
		memcpy(prefix + 4, &devices[i]->id, ID_LEN);
		prefix[4 + ID_LEN] = STATEMENT_WRAP;
		e = store_cursor_open(&c, n->txn, TABLE_STATEMENT, SLICE(prefix, sizeof prefix), SLICE(NULL, 0), false);
		while (e == OK && (e = store_cursor_next(c, &key, &value)) == OK) {
			struct statement st;
			struct mp_reader r;
			struct id32 id;
			size_t entries;

			if (statement_load(&st, value) != OK)
				e = ERR_DAMAGED;
			else if (wrap_read(&r, st.body, &id, &entries) && id32_equal(&id, &epoch->id))
				e = readers_take(s, epoch, &r, entries);
		}
		store_cursor_close(c);
		e = e == ERR_NOTFOUND ? OK : e;
	}
	return e;
}

/* A key came to hand.  A key that does not hash to its id is refused (protocol §5). */
static enum err key_learn(struct node *n, struct space *s, const struct id32 *id, const uint8_t key[KEY_LEN], bool audience)
{
	struct epoch *epoch = keys_find(s, id);
	struct id32 check;
	enum err e;

	epoch_id(&check, key, s);
	if (!id32_equal(&check, id))
		return ERR_MALFORMED;
	if (epoch == NULL && (epoch = epoch_known(s, id)) == NULL)
		return ERR_NOMEM;
	if (epoch->has_key)
		return OK;
	memcpy(epoch->key, key, KEY_LEN);
	epoch->has_key = true;
	epoch->type = audience ? EPOCH_AUDIENCE : EPOCH_SPACE;
	s->publish_dirty = true;
	if ((e = readers_stored(n, s, epoch)) != OK || (e = epoch_write(n, s, epoch)) != OK || (e = fold_epoch_opened(n, s, id)) != OK)
		return e;
	return parents_of(n, s, id);
}

/* Our entry in a wrap, if there is one that opens.  r: a copy that stands at the first entry. */
static bool own_key(struct node *n, struct mp_reader r, size_t entries, uint8_t key[KEY_LEN], bool *audience)
{
	uint8_t box[WRAPPED];
	bool found = false;

	for (size_t i = 0; i < entries; i++) {
		struct id32 device;
		uint8_t other[WRAPPED];

		mp_get_array_of(&r, 2);
		mp_get_fixed(&r, &device, ID_LEN);
		mp_get_fixed(&r, other, WRAPPED);
		if (r.err != OK || found || !id32_equal(&device, &n->identity->device))
			continue;
		memcpy(box, other, WRAPPED);
		found = true;
	}
	*audience = mp_get_uint(&r, 3) == 3 && mp_get_uint(&r, 1) == EPOCH_AUDIENCE && r.err == OK;
	/* One that does not open: somebody lied. */
	return found && crypto_box_open(key, box, WRAPPED, n->identity->box_public, n->identity->box_secret) == OK;
}

enum err keys_take_wrap(struct node *n, struct space *s, const struct statement *st)
{
	uint8_t key[KEY_LEN];
	struct mp_reader r;
	struct epoch *epoch;
	struct id32 id;
	size_t entries, before;
	bool audience;
	enum err e = OK;

	if (!wrap_read(&r, st->body, &id, &entries))
		return OK;                              /* carried, means nothing */
	epoch = keys_find(s, &id);
	if ((epoch == NULL || !epoch->has_key) && own_key(n, r, entries, key, &audience)) {
		e = key_learn(n, s, &id, key, audience);
		crypto_wipe(key, KEY_LEN);
		epoch = keys_find(s, &id);
	}
	if (err_is_hard(e) || epoch == NULL || !epoch->has_key)
		return err_is_hard(e) ? e : OK;
	before = epoch->n_readers;
	e = readers_take(s, epoch, &r, entries);
	if (e == OK && epoch->n_readers != before)
		e = epoch_write(n, s, epoch);
	if (e == OK && s->wrap_check_at != UINT64_MAX)
		e = keys_settle(n, s, false);
	return e;
}

/* Body of an epoch op.  parents: up to PARENTS_MAX ids. */
static bool epoch_op_read(const struct op *op, struct id32 *id, struct id32 *parents, size_t *n_parents, struct slice *sealed)
{
	struct mp_reader r = mp_read(op->body);

	if (op->has_epoch || op->body.data == NULL || mp_check(op->body, LIMIT_DEPTH, 256) != OK || mp_get_map(&r, 3) != 3 ||
	    mp_get_uint(&r, 1) != 1)
		return false;
	mp_get_fixed(&r, id, ID_LEN);
	(void)mp_get_uint(&r, 2);
	*n_parents = mp_get_array(&r, PARENTS_MAX);
	for (size_t i = 0; i < *n_parents; i++)
		mp_get_fixed(&r, &parents[i], ID_LEN);
	(void)mp_get_uint(&r, 3);
	*sealed = mp_get_bin(&r, PARENTS_MAX * KEY_LEN + TAG_LEN);
	return mp_end(&r) == OK && sealed->len == *n_parents * KEY_LEN + TAG_LEN;
}

bool keys_epoch_op_id(const struct op *op, struct id32 *epoch)
{
	struct id32 parents[PARENTS_MAX];
	struct slice sealed;
	size_t count;

	return epoch_op_read(op, epoch, parents, &count, &sealed);
}

/* The key and nonce that seal the parents' keys: used once, since an epoch has one epoch op. */
static void parent_key(uint8_t key[KEY_LEN], uint8_t nonce[NONCE_LEN], const uint8_t epoch_key[KEY_LEN], const struct id32 *parents, size_t n)
{
	struct slice part = SLICE(parents, n * ID_LEN);

	crypto_mac(key, KEY_LEN, epoch_key, "cairn-epoch-parents", &part, 1);
	crypto_mac(nonce, NONCE_LEN, epoch_key, "cairn-epoch-nonce", &part, 1);
}

enum err keys_take_epoch_op(struct node *n, struct space *s, const struct op *op)
{
	struct id32 id, parents[PARENTS_MAX];
	uint8_t keys[PARENTS_MAX * KEY_LEN], key[KEY_LEN], nonce[NONCE_LEN];
	struct slice sealed;
	struct epoch *epoch;
	size_t count;
	enum err e = OK;

	if (!epoch_op_read(op, &id, parents, &count, &sealed))
		return OK;
	epoch = keys_find(s, &id);
	if (epoch == NULL || !epoch->has_key)
		return OK;                              /* looked at again when its key comes */
	parent_key(key, nonce, epoch->key, parents, count);
	if (crypto_open(keys, sealed.data, sealed.len, SLICE(&id, ID_LEN), nonce, key) != OK)
		return OK;
	for (size_t i = 0; i < count && e == OK; i++) {
		if ((e = key_learn(n, s, &parents[i], keys + i * KEY_LEN, false)) == ERR_MALFORMED) {
			e = OK;
			continue;
		}
		epoch = keys_find(s, &parents[i]);
		if (e == OK && epoch != NULL && !epoch->led_to && !id32_equal(&parents[i], &id)) {
			epoch->led_to = true;
			e = epoch_write(n, s, epoch);
		}
	}
	crypto_wipe(keys, sizeof keys);
	return e;
}

void keys_leads_forget(struct space *s)
{
	for (size_t i = 0; i < s->n_epochs; i++) {
		s->epochs[i].led_before = s->epochs[i].led_to;
		s->epochs[i].led_to = false;
	}
}

enum err keys_leads_keep(struct node *n, struct space *s)
{
	enum err e = OK;

	for (size_t i = 0; i < s->n_epochs && e == OK; i++)
		if (s->epochs[i].led_before && !s->epochs[i].led_to)
			e = epoch_write(n, s, &s->epochs[i]);
	return e;
}

/* ---- wrapping --------------------------------------------------------------------------------------------------------- */
static void put_wrap_head(struct buf *b, const struct id32 *epoch, size_t entries)
{
	mp_put_map(b, 3);
	mp_put_uint(b, 1);
	mp_put_bin(b, epoch, ID_LEN);
	mp_put_uint(b, 2);
	mp_put_array(b, entries);
}

static void put_wrap_tail(struct buf *b, const struct epoch *epoch)
{
	mp_put_uint(b, 3);
	mp_put_uint(b, epoch->type);
}

static void put_wrap_entry(struct node *n, struct buf *b, const struct epoch *epoch, const struct reader *reader)
{
	uint8_t box[WRAPPED], randomness[32];

	node_random(n, randomness, sizeof randomness);
	crypto_box(box, epoch->key, KEY_LEN, reader->box, randomness);
	mp_put_array(b, 2);
	mp_put_bin(b, &reader->device, ID_LEN);
	mp_put_bin(b, box, WRAPPED);
}

/* One entry of an old body, copied, or a new one: both ascending by device. */
static void merge_wraps(struct node *n, struct buf *b, const struct epoch *epoch, struct mp_reader *old, size_t n_old, const struct reader *add,
	size_t n_add)
{
	size_t i = 0;

	for (size_t k = 0; k < n_old; k++) {
		struct slice entry = mp_get_any(old);
		struct mp_reader r = mp_read(entry);
		struct id32 device;

		mp_get_array_of(&r, 2);
		mp_get_fixed(&r, &device, ID_LEN);
		for (; i < n_add && id32_compare(&add[i].device, &device) < 0; i++)
			put_wrap_entry(n, b, epoch, &add[i]);
		buf_put_slice(b, entry);
	}
	for (; i < n_add; i++)
		put_wrap_entry(n, b, epoch, &add[i]);
}

/* Our wrap slot `index`: which epoch it holds, how many entries.  ERR_NOTFOUND: free. */
static enum err own_wrap(struct node *n, struct space *s, uint32_t index, struct statement *st, struct mp_reader *r, struct id32 *epoch,
	size_t *entries)
{
	struct id16 place = statement_index(index);
	enum err e = statement_read(n, s, &n->identity->device, STATEMENT_WRAP, &place, st);

	if (e == OK && !wrap_read(r, st->body, epoch, entries))
		e = ERR_DAMAGED;
	return e;
}

static enum err wrap_write(struct node *n, struct space *s, const struct epoch *epoch, uint32_t index, struct mp_reader *old, size_t n_old,
	const struct reader *add, size_t n_add)
{
	struct id16 place = statement_index(index);
	struct buf b = {0};
	enum err e;

	put_wrap_head(&b, &epoch->id, n_old + n_add);
	merge_wraps(n, &b, epoch, old, n_old, add, n_add);
	put_wrap_tail(&b, epoch);
	e = b.err ? b.err : author_statement(n, s, STATEMENT_WRAP, &place, NULL, 0, NULL, buf_slice(&b));
	buf_free(&b);
	return e;
}

/* May this slot of ours be used for new wraps of `epoch`?  Free, of the epoch that is replaced, or of a space epoch that another
 * one leads to (its readers get its key through that). */
static bool reusable(struct space *s, enum err found, const struct id32 *held, const struct id32 *replace)
{
	struct epoch *old;

	if (found == ERR_NOTFOUND)
		return true;
	if (found != OK)
		return false;
	old = keys_find(s, held);
	return (replace != NULL && id32_equal(held, replace)) || (old != NULL && old->led_to && old->type == EPOCH_SPACE);
}

/* Wrap an epoch to further devices (ascending), into as few small statements as may be. */
static enum err wrap_to(struct node *n, struct space *s, const struct id32 *id, const struct reader *add, size_t count, const struct id32 *replace)
{
	const size_t fresh = count > WRAP_GROW ? WRAP_FULL : WRAP_GROW;
	size_t done = 0;
	enum err e = OK;

	for (uint32_t index = 0; index < LIMIT_SLOT_INDEX && done < count && e == OK; index++) {
		struct statement st;
		struct mp_reader r = mp_read(SLICE(NULL, 0));
		struct id32 held;
		size_t n_old = 0, room;
		enum err found = own_wrap(n, s, index, &st, &r, &held, &n_old);

		if (err_is_hard(found) && found != ERR_DAMAGED)
			return found;
		if (found == OK && id32_equal(&held, id) && n_old < WRAP_GROW)
			room = WRAP_GROW - n_old;
		else if (reusable(s, found, &held, replace))
			n_old = 0, room = fresh;
		else
			continue;
		if (room > count - done)
			room = count - done;
		e = wrap_write(n, s, keys_find(s, id), index, &r, n_old, add + done, room);
		done += room;
	}
	return e == OK && done < count ? ERR_LIMIT : e;
}

/* ---- minting ------------------------------------------------------------------------------------------------------------ */
static enum err epoch_op_write(struct node *n, struct space *s, const struct epoch *epoch, const struct id32 *parents, size_t count)
{
	uint8_t keys[PARENTS_MAX * KEY_LEN + TAG_LEN], key[KEY_LEN], nonce[NONCE_LEN];
	struct buf b = {0};
	enum err e;

	for (size_t i = 0; i < count; i++)
		memcpy(keys + i * KEY_LEN, keys_find(s, &parents[i])->key, KEY_LEN);
	parent_key(key, nonce, epoch->key, parents, count);
	crypto_seal(keys, keys, count * KEY_LEN, SLICE(&epoch->id, ID_LEN), nonce, key);
	mp_put_map(&b, 3);
	mp_put_uint(&b, 1);
	mp_put_bin(&b, &epoch->id, ID_LEN);
	mp_put_uint(&b, 2);
	mp_put_array(&b, count);
	for (size_t i = 0; i < count; i++)
		mp_put_bin(&b, &parents[i], ID_LEN);
	mp_put_uint(&b, 3);
	mp_put_bin(&b, keys, count * KEY_LEN + TAG_LEN);
	e = b.err ? b.err : author_op(n, s, KIND_EPOCH, NULL, buf_slice(&b));
	buf_free(&b);
	crypto_wipe(keys, sizeof keys);
	return e;
}

/* All held space epochs to which no counting epoch op leads. */
static size_t loose_ends(const struct space *s, struct id32 parents[PARENTS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < s->n_epochs && count < PARENTS_MAX; i++)
		if (s->epochs[i].type == EPOCH_SPACE && s->epochs[i].has_key && !s->epochs[i].led_to)
			parents[count++] = s->epochs[i].id;
	return count;
}

static enum err mint(struct node *n, struct space *s, bool audience, const struct reader *readers, size_t count, const struct id32 *replace,
	struct id32 *id)
{
	struct id32 parents[PARENTS_MAX];
	size_t n_parents = audience ? 0 : loose_ends(s, parents);
	uint8_t key[KEY_LEN];
	struct epoch *epoch;
	enum err e;

	node_random(n, key, KEY_LEN);
	epoch_id(id, key, s);
	if ((epoch = epoch_known(s, id)) == NULL)
		return ERR_NOMEM;
	epoch->type = audience ? EPOCH_AUDIENCE : EPOCH_SPACE;
	memcpy(epoch->key, key, KEY_LEN);
	crypto_wipe(key, KEY_LEN);
	epoch->has_key = true;
	if ((e = epoch_write(n, s, epoch)) != OK)
		return e;
	if (!audience && (e = epoch_op_write(n, s, epoch, parents, n_parents)) != OK)
		return e;
	return wrap_to(n, s, id, readers, count, replace);
}

/* ---- the rule --------------------------------------------------------------------------------------------------------------- */
static bool readers_entitled(const struct epoch *epoch, const struct reader *entitled, size_t count)
{
	size_t at = 0;

	for (size_t i = 0; i < epoch->n_readers; i++) {
		while (at < count && id32_compare(&entitled[at].device, &epoch->readers[i]) < 0)
			at++;
		if (at == count || !id32_equal(&entitled[at].device, &epoch->readers[i]))
			return false;
	}
	return true;
}

/* Held, readers ⊆ entitled, most readers, then the largest id. */
static struct epoch *best_epoch(struct space *s, const struct reader *entitled, size_t count)
{
	struct epoch *best = NULL;

	for (size_t i = 0; i < s->n_epochs; i++) {
		struct epoch *c = &s->epochs[i];

		if (c->type != EPOCH_SPACE || !c->has_key || c->led_to || c->n_readers == 0 || !readers_entitled(c, entitled, count))
			continue;
		if (best == NULL || c->n_readers > best->n_readers ||
		    (c->n_readers == best->n_readers && id32_compare(&c->id, &best->id) > 0))
			best = c;
	}
	return best;
}

/* Those of entitled that are no readers, moved to the front of a copy. */
static enum err lacking(const struct epoch *epoch, const struct reader *entitled, size_t count, struct reader **out, size_t *n_out)
{
	*n_out = 0;
	if ((*out = mem_array(count, sizeof **out)) == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		if (!is_reader(epoch, &entitled[i].device))
			(*out)[(*n_out)++] = entitled[i];
	return OK;
}

static bool holds_any(const struct space *s)
{
	for (size_t i = 0; i < s->n_epochs; i++)
		if (s->epochs[i].type == EPOCH_SPACE && s->epochs[i].has_key)
			return true;
	return false;
}

static void check_later(struct node *n, struct space *s)
{
	uint8_t jitter[2];

	if (s->wrap_check_at != UINT64_MAX)
		return;
	node_random(n, jitter, 2);
	s->wrap_check_at = n->mono_ms + 10000 + get_u16(jitter) % 5000;
}

/* Whom authority entitles to the space's epoch: made once for each set of acts, since each local write asks. */
static enum err entitled_now(struct space *s, const struct state *state, const struct reader **out, size_t *count)
{
	const size_t acts = authority_count(s->authority);
	struct reader *list;
	enum err e = OK;

	if (s->entitled == NULL || s->entitled_acts != acts) {
		if ((e = audience_org(&list, count, state)) != OK)
			return e;
		mem_free(s->entitled);
		s->entitled = list;
		s->n_entitled = *count;
		s->entitled_acts = acts;
	}
	*out = s->entitled;
	*count = s->n_entitled;
	return OK;
}

enum err keys_settle(struct node *n, struct space *s, bool must)
{
	const struct state *state = space_state(s);
	/* What a peer did is first the business of that peer: others wrap only for whom 10 s brought nothing (protocol §5). */
	const bool due = s->wrap_check_at <= n->mono_ms, ours = due || (n->origin_link == 0 && !s->foreign_acts);
	const struct reader *entitled;
	struct reader *add = NULL;              /* what is written to must not move while that goes on */
	struct epoch *best;
	struct id32 id;
	size_t count = 0, n_add = 0;
	enum err e;

	if (s->joining || state == NULL || !state_device_active(state, &n->identity->device))
		return OK;
	if ((e = entitled_now(s, state, &entitled, &count)) != OK)
		return e;
	if (due || must)
		s->wrap_check_at = UINT64_MAX;          /* before our own wraps lead here again */
	best = best_epoch(s, entitled, count);
	if (best == NULL && !holds_any(s)) {
		/* A newcomer waits for its wrap; whoever is alone begins. */
		if (count == 1)
			e = mint(n, s, false, entitled, count, NULL, &id);
	} else if (best == NULL && (must || ours)) {
		s->wrap_check_at = UINT64_MAX;
		if ((add = mem_copy(entitled, count * sizeof *add)) == NULL)
			e = ERR_NOMEM;
		else
			e = mint(n, s, false, add, count, NULL, &id);
	} else if (best == NULL) {
		check_later(n, s);
	} else if ((e = lacking(best, entitled, count, &add, &n_add)) == OK && n_add > 0) {
		if (ours) {
			id = best->id;
			s->wrap_check_at = UINT64_MAX;
			e = wrap_to(n, s, &id, add, n_add, NULL);
		} else
			check_later(n, s);
	} else
		s->wrap_check_at = UINT64_MAX;
	mem_free(add);
	return e;
}

enum err keys_time(struct node *n)
{
	enum err e = OK;

	for (size_t i = 0; i < n->n_spaces && e == OK; i++)
		if (n->spaces[i].wrap_check_at <= n->mono_ms) {
			e = keys_settle(n, &n->spaces[i], false);
			n->spaces[i].wrap_check_at = UINT64_MAX;
		}
	return e;
}

enum err keys_for_space(struct node *n, struct space *s, struct epoch **out)
{
	const struct state *state = space_state(s);
	const struct reader *entitled;
	size_t count = 0;
	enum err e;

	*out = NULL;
	if (state == NULL)
		return ERR_WAITING;
	if ((e = entitled_now(s, state, &entitled, &count)) != OK)
		return e;
	*out = best_epoch(s, entitled, count);
	if (*out == NULL && (e = keys_settle(n, s, true)) == OK)
		*out = best_epoch(s, entitled, count);
	return e != OK ? e : *out == NULL ? ERR_WAITING : OK;
}

enum err keys_for_audience(struct node *n, struct space *s, const struct reader *readers, size_t count, const struct id32 *preferred,
	struct epoch **out)
{
	struct epoch *epoch = preferred == NULL ? NULL : keys_find(s, preferred);
	struct reader *add = NULL;
	size_t n_add = 0;
	struct id32 id;
	enum err e = OK;

	*out = NULL;
	if (epoch == NULL || !epoch->has_key || !readers_entitled(epoch, readers, count)) {
		if ((e = mint(n, s, true, readers, count, preferred, &id)) == OK)
			*out = keys_find(s, &id);
		return e;
	}
	id = epoch->id;
	if ((e = lacking(epoch, readers, count, &add, &n_add)) == OK && n_add > 0)
		e = wrap_to(n, s, &id, add, n_add, NULL);
	mem_free(add);
	if (e == OK)
		*out = keys_find(s, &id);
	return e;
}
