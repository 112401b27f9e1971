/* Spaces as this node knows them, and the settings of the store.  Record layouts: docs/storage.md. */
#include <stdlib.h>
#include <string.h>
#include "daemon/node/replica_internal.h"

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
enum err space_store(struct node *n, const struct space *s)
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

enum err standings_read(const struct state *state, struct standing **out, size_t *count)
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
