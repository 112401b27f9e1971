/* change: a body in the making; see doc.h. */
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "base/mem.h"
#include "base/mp.h"
#include "crdt/doc_state.h"

#define PLAIN_MAX (LIMIT_BODY - TAG_LEN)        /* room for sealing is kept */

enum what { SET_REGISTER, ADD_COUNTER, ADD_VALUE, REMOVE_VALUE, EDIT_ELEMENT, EDIT_COUNTER, REMOVE_ELEMENT };

/* One edit.  There is at most one per (key, element, sub_key) or (key, value): a later one takes the place of an earlier. */
struct edit {
	uint32_t key, sub_key;
	enum what what;
	struct id16 element;
	size_t value_at, value_len;             /* in change->values */
	int64_t delta;
};

struct change {
	const struct schema *schema;
	const struct doc *base;
	struct edit *edits;
	size_t n, room;
	struct buf values;
	enum err err;
};

struct change *change_new(const struct schema *schema, const struct doc *base)
{
	struct change *c = mem_alloc(sizeof *c);

	if (c != NULL) {
		c->schema = schema;
		c->base = base;
	}
	return c;
}

void change_free(struct change *c)
{
	if (c == NULL)
		return;
	mem_free(c->edits);
	buf_free(&c->values);
	mem_free(c);
}

/* ---- collecting ---- */

static void fail(struct change *c, enum err e)
{
	if (c->err == OK)
		c->err = e;
}

static struct slice value_of(const struct change *c, const struct edit *e)
{
	return SLICE(c->values.data + e->value_at, e->value_len);
}

static bool of_element(enum what what)
{
	return what == EDIT_ELEMENT || what == EDIT_COUNTER || what == REMOVE_ELEMENT;
}

static bool of_set(enum what what)
{
	return what == ADD_VALUE || what == REMOVE_VALUE;
}

/* Where two edits would end up; and in which order they are encoded. */
static int place_compare(const struct change *c, const struct edit *a, const struct edit *b)
{
	int order;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	if (of_set(a->what))
		return slice_compare(value_of(c, a), value_of(c, b));
	if ((order = id16_compare(&a->element, &b->element)) != 0)
		return order;
	return (a->sub_key > b->sub_key) - (a->sub_key < b->sub_key);
}

static void forget(struct change *c, size_t i)
{
	c->n--;
	memmove(&c->edits[i], &c->edits[i + 1], (c->n - i) * sizeof c->edits[0]);
}

static void forget_place(struct change *c, const struct edit *e)
{
	for (size_t i = c->n; i-- > 0;)
		if (place_compare(c, &c->edits[i], e) == 0)
			forget(c, i);
}

/* An edit of an element undoes its removal, and the other way round. */
static void forget_opposites(struct change *c, const struct edit *e)
{
	for (size_t i = c->n; of_element(e->what) && i-- > 0;)
		if (c->edits[i].key == e->key && id16_equal(&c->edits[i].element, &e->element)
		 && (c->edits[i].what == REMOVE_ELEMENT || e->what == REMOVE_ELEMENT))
			forget(c, i);
}

static void add_edit(struct change *c, const struct edit *e)
{
	struct edit *grown;

	forget_opposites(c, e);
	for (size_t i = 0; i < c->n; i++) {
		if (place_compare(c, &c->edits[i], e) != 0)
			continue;
		uint64_t delta = (uint64_t)e->delta + (uint64_t)c->edits[i].delta;

		c->edits[i] = *e;
		c->edits[i].delta = (int64_t)delta;
		return;
	}
	grown = mem_grow(c->edits, &c->room, c->n, sizeof *grown);
	if (grown == NULL) {
		fail(c, ERR_NOMEM);
		return;
	}
	c->edits = grown;
	c->edits[c->n++] = *e;
}

/* Is key a field of this type?  Anything else is the caller's mistake. */
static const struct schema_field *expect(struct change *c, uint32_t key, enum field_type type)
{
	const struct schema_field *f = schema_find(c->schema, key);

	if (f == NULL || f->type != type) {
		fail(c, ERR_STATE);
		return NULL;
	}
	return c->err == OK ? f : NULL;
}

/* Keep a copy of the value that e is about. */
static bool keep_value(struct change *c, struct edit *e, struct slice value)
{
	e->value_at = c->values.len;
	e->value_len = value.len;
	buf_put_slice(&c->values, value);
	if (c->values.err != OK)
		fail(c, c->values.err);
	return c->err == OK;
}

void change_register(struct change *c, uint32_t key, struct slice encoded_value)
{
	struct edit e = { .key = key, .what = SET_REGISTER };

	if (expect(c, key, FIELD_REGISTER) != NULL && keep_value(c, &e, encoded_value))
		add_edit(c, &e);
}

/* A register whose value is what was put behind the values from start. */
static void register_from(struct change *c, uint32_t key, size_t start)
{
	struct edit e = { .key = key, .what = SET_REGISTER, .value_at = start, .value_len = c->values.len - start };

	if (c->values.err != OK)
		fail(c, c->values.err);
	if (expect(c, key, FIELD_REGISTER) != NULL)
		add_edit(c, &e);
}

void change_register_text(struct change *c, uint32_t key, struct slice text)
{
	size_t start = c->values.len;

	mp_put_str(&c->values, (const char *)text.data, text.len);
	register_from(c, key, start);
}

void change_register_int(struct change *c, uint32_t key, int64_t value)
{
	size_t start = c->values.len;

	mp_put_int(&c->values, value);
	register_from(c, key, start);
}

void change_register_bin(struct change *c, uint32_t key, struct slice bytes)
{
	size_t start = c->values.len;

	mp_put_bin_slice(&c->values, bytes);
	register_from(c, key, start);
}

void change_register_bool(struct change *c, uint32_t key, bool value)
{
	size_t start = c->values.len;

	mp_put_bool(&c->values, value);
	register_from(c, key, start);
}

void change_register_nil(struct change *c, uint32_t key)
{
	size_t start = c->values.len;

	mp_put_nil(&c->values);
	register_from(c, key, start);
}

void change_counter(struct change *c, uint32_t key, int64_t delta)
{
	struct edit e = { .key = key, .what = ADD_COUNTER, .delta = delta };

	if (expect(c, key, FIELD_COUNTER) != NULL)
		add_edit(c, &e);
}

void change_set_add(struct change *c, uint32_t key, struct slice encoded_value)
{
	struct edit e = { .key = key, .what = ADD_VALUE };

	if (expect(c, key, FIELD_SET) != NULL && keep_value(c, &e, encoded_value))
		add_edit(c, &e);
}

static struct doc_tags set_tags(const struct change *c, uint32_t key, struct slice value)
{
	return c->base != NULL ? doc_set_tags(c->base, key, value) : (struct doc_tags){ NULL, 0 };
}

static struct doc_tags map_tags(const struct change *c, uint32_t key, const struct id16 *element)
{
	return c->base != NULL ? doc_map_tags(c->base, key, element) : (struct doc_tags){ NULL, 0 };
}

void change_set_remove(struct change *c, uint32_t key, struct slice encoded_value)
{
	struct edit e = { .key = key, .what = REMOVE_VALUE };

	if (expect(c, key, FIELD_SET) == NULL || !keep_value(c, &e, encoded_value))
		return;
	if (set_tags(c, key, encoded_value).n > 0)
		add_edit(c, &e);
	else
		forget_place(c, &e);    /* what this change itself would have added */
}

void change_map_edit(struct change *c, uint32_t key, const struct id16 *element, uint32_t sub_key, struct slice encoded_value)
{
	struct edit e = { .key = key, .sub_key = sub_key, .what = EDIT_ELEMENT, .element = *element };
	const struct schema_field *map = expect(c, key, FIELD_MAP);
	const struct schema_field *field = map != NULL ? schema_find(map->element, sub_key) : NULL;
	struct mp_reader r = mp_read(encoded_value);

	if (map == NULL)
		return;
	if (field != NULL && field->type == FIELD_REGISTER) {
		if (keep_value(c, &e, encoded_value))
			add_edit(c, &e);
	} else if (field != NULL && field->type == FIELD_COUNTER) {
		e.what = EDIT_COUNTER;
		e.delta = mp_get_int(&r, INT64_MIN, INT64_MAX);
		if (mp_end(&r) == OK)
			add_edit(c, &e);
		else
			fail(c, ERR_MALFORMED);
	} else {
		fail(c, ERR_STATE);
	}
}

void change_map_remove(struct change *c, uint32_t key, const struct id16 *element)
{
	struct edit e = { .key = key, .what = REMOVE_ELEMENT, .element = *element };

	if (expect(c, key, FIELD_MAP) == NULL)
		return;
	if (map_tags(c, key, element).n > 0)
		add_edit(c, &e);
	else
		forget_opposites(c, &e);
}

bool change_is_empty(const struct change *c)
{
	return c->n == 0;
}

/* ---- encoding ---- */

static int edit_compare(const void *a, const void *b, void *change)
{
	return place_compare(change, a, b);
}

static int seen_compare(const void *a, const void *b)
{
	return memcmp(a, b, DOC_SEEN_LEN);
}

/* The first bytes of the ids of the register values that are replaced, sorted and unique. */
static enum err list_seen(const struct change *c, uint8_t (**seen)[DOC_SEEN_LEN], size_t *n)
{
	size_t unique = 0;

	*n = 0;
	*seen = mem_array(c->n, DOC_SEEN_LEN);
	if (*seen == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; c->base != NULL && i < c->n; i++) {
		const struct edit *e = &c->edits[i];
		const struct doc_writer *w = NULL;

		if (e->what == SET_REGISTER)
			w = doc_register_writer(c->base, e->key, NULL, 0);
		else if (e->what == EDIT_ELEMENT)
			w = doc_register_writer(c->base, e->key, &e->element, e->sub_key);
		if (w != NULL)
			memcpy((*seen)[(*n)++], w->id.b, DOC_SEEN_LEN);
	}
	qsort(*seen, *n, DOC_SEEN_LEN, seen_compare);
	for (size_t i = 0; i < *n; i++)
		if (i == 0 || seen_compare((*seen)[unique - 1], (*seen)[i]) != 0)
			memmove((*seen)[unique++], (*seen)[i], DOC_SEEN_LEN);
	*n = unique;
	return OK;
}

static void put_tags(struct buf *out, struct doc_tags tags)
{
	mp_put_array(out, tags.n);
	buf_put(out, tags.at, tags.n * TAG_SIZE);
}

/* An addition takes the place of the tags it has seen, so that they stay few; one concurrent removal misses the new one. */
static void put_set(struct buf *out, const struct change *c, const struct edit *e, size_t n)
{
	size_t added = 0, removed = 0;

	for (size_t i = 0; i < n; i++) {
		added += e[i].what == ADD_VALUE;
		removed += set_tags(c, e[i].key, value_of(c, &e[i])).n > 0;
	}
	mp_put_array(out, 2);
	mp_put_array(out, added);
	for (size_t i = 0; i < n; i++)
		if (e[i].what == ADD_VALUE)
			buf_put_slice(out, value_of(c, &e[i]));
	mp_put_array(out, removed);
	for (size_t i = 0; i < n; i++) {
		struct doc_tags tags = set_tags(c, e[i].key, value_of(c, &e[i]));

		if (tags.n == 0)
			continue;
		mp_put_array(out, 2);
		buf_put_slice(out, value_of(c, &e[i]));
		put_tags(out, tags);
	}
}

static size_t same_element(const struct edit *e, size_t n)
{
	size_t share = 1;

	while (share < n && id16_equal(&e[share].element, &e->element))
		share++;
	return share;
}

static void put_map(struct buf *out, const struct change *c, const struct edit *e, size_t n)
{
	size_t elements = 0, share;

	for (size_t i = 0; i < n; i += same_element(e + i, n - i))
		elements++;
	mp_put_map(out, elements);
	for (; n > 0; e += share, n -= share) {
		share = same_element(e, n);
		mp_put_bin(out, e->element.b, DOC_LEN);
		mp_put_array(out, 2);
		put_tags(out, map_tags(c, e->key, &e->element));
		if (e->what == REMOVE_ELEMENT) {
			mp_put_nil(out);
			continue;
		}
		mp_put_map(out, share);
		for (size_t i = 0; i < share; i++) {
			mp_put_uint(out, e[i].sub_key);
			if (e[i].what == EDIT_COUNTER)
				mp_put_int(out, e[i].delta);
			else
				buf_put_slice(out, value_of(c, &e[i]));
		}
	}
}

static size_t same_key(const struct edit *e, size_t n)
{
	size_t share = 1;

	while (share < n && e[share].key == e->key)
		share++;
	return share;
}

static void put_field(struct buf *out, const struct change *c, const struct edit *e, size_t n)
{
	mp_put_uint(out, e->key);
	if (e->what == SET_REGISTER)
		buf_put_slice(out, value_of(c, e));
	else if (e->what == ADD_COUNTER)
		mp_put_int(out, e->delta);
	else if (of_set(e->what))
		put_set(out, c, e, n);
	else
		put_map(out, c, e, n);
}

static void put_body(struct buf *out, const struct change *c, const uint8_t (*seen)[DOC_SEEN_LEN], size_t n_seen)
{
	size_t keys = 0, share;

	keys += n_seen > 0;
	keys += c->base == NULL;
	for (size_t i = 0; i < c->n; i += same_key(c->edits + i, c->n - i))
		keys++;
	mp_put_map(out, keys);
	if (n_seen > 0) {
		mp_put_uint(out, DOC_KEY_SEEN);
		mp_put_array(out, n_seen);
		for (size_t i = 0; i < n_seen; i++)
			mp_put_bin(out, seen[i], DOC_SEEN_LEN);
	}
	if (c->base == NULL) {
		mp_put_uint(out, DOC_KEY_CREATE);
		mp_put_bool(out, true);
	}
	for (size_t i = 0; i < c->n; i += share) {
		share = same_key(c->edits + i, c->n - i);
		put_field(out, c, c->edits + i, share);
	}
}

enum err change_finish(struct change *c, struct buf *body)
{
	uint8_t (*seen)[DOC_SEEN_LEN] = NULL;
	size_t start = body->len, n_seen;
	enum err e = c->err;

	if (e != OK || (e = list_seen(c, &seen, &n_seen)) != OK)
		return e;
	if (c->n > 0)
		qsort_r(c->edits, c->n, sizeof c->edits[0], edit_compare, c);
	put_body(body, c, (const uint8_t (*)[DOC_SEEN_LEN])seen, n_seen);
	mem_free(seen);
	e = body->err;
	if (e == OK && body->len - start > PLAIN_MAX)
		e = ERR_TOOBIG;
	if (e == OK)            /* what we write, everybody must be able to read: this finds wrong values */
		e = doc_check(c->schema, SLICE(body->data + start, body->len - start));
	if (e != OK)
		body->len = start;
	return e;
}
