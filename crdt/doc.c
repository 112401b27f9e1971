/* doc: see doc.h.  Protocol §2, design §5.
 *
 * A document lives in one arena: what doc_decode makes is a copy of the cached bytes and arrays of slices into it, usually a
 * single allocation; what doc_apply adds is put behind.  What is replaced stays until doc_free, which is soon. */
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "base/mem.h"
#include "base/mp.h"
#include "crdt/doc_state.h"

#define KEY_SEEN 0
#define KEY_CREATE 1
#define SEEN_LEN 8
#define CHUNK_MIN 1024
#define ALIGN(n) (((n) + 15) & ~(size_t)15)

struct list { void *items; uint32_t n, room; };         /* in the arena */

struct entry { struct slice value; struct doc_tags tags; };                     /* of a set; by value */
struct field {                                                                  /* by key */
	uint32_t key;
	enum field_type type;
	struct slice value;                     /* register */
	const struct doc_writer *writer;        /* register */
	union {
		int64_t total;                  /* counter */
		struct list entries;            /* set */
		struct map *map;
	} u;
};
struct element { struct id16 id; struct doc_tags tags; struct list fields; };   /* by id */
/* A removed element keeps its fields: an edit concurrent with the removal may be folded after it, and revives it whole. */
struct map { struct list live, dead; };

struct chunk { struct chunk *next; };
struct doc {
	const struct schema *schema;
	uint8_t *at, *end;                      /* free room of the newest chunk; the first lies behind the struct */
	struct chunk *chunks;
	bool created;
	struct doc_writer last;
	struct list fields;
};

/* ---- memory ---- */

static void *keep(struct doc *d, size_t size)
{
	size_t room = ALIGN(size);
	void *p;

	if (room > (size_t)(d->end - d->at)) {
		size_t len = ALIGN(sizeof(struct chunk)) + (room > CHUNK_MIN ? room : CHUNK_MIN);
		struct chunk *c = mem_alloc(len);

		if (c == NULL)
			return NULL;
		c->next = d->chunks;
		d->chunks = c;
		d->at = (uint8_t *)c + ALIGN(sizeof *c);
		d->end = (uint8_t *)c + len;
	}
	p = d->at;
	d->at += room;
	return p;
}

static bool keep_slice(struct doc *d, struct slice *out, struct slice bytes)
{
	uint8_t *p = keep(d, bytes.len);

	if (p == NULL)
		return false;
	if (bytes.len > 0)
		memcpy(p, bytes.data, bytes.len);
	*out = SLICE(p, bytes.len);
	return true;
}

static bool list_reserve(struct doc *d, struct list *l, size_t size, size_t room)
{
	void *items;

	if (room <= l->room)
		return true;
	items = keep(d, room * size);
	if (items == NULL)
		return false;
	if (l->n > 0)
		memcpy(items, l->items, l->n * size);
	l->items = items;
	l->room = (uint32_t)room;
	return true;
}

/* A new zeroed item at index i, or NULL. */
static void *list_insert(struct doc *d, struct list *l, size_t size, size_t i)
{
	uint8_t *item;

	if (l->n == l->room && !list_reserve(d, l, size, l->n < 4 ? 4 : 2 * (size_t)l->n))
		return NULL;
	item = (uint8_t *)l->items + i * size;
	memmove(item + size, item, (l->n - i) * size);
	memset(item, 0, size);
	l->n++;
	return item;
}

static void list_remove(struct list *l, size_t size, size_t i)
{
	uint8_t *item = (uint8_t *)l->items + i * size;

	l->n--;
	memmove(item, item + size, (l->n - i) * size);
}

static struct doc *doc_with_room(const struct schema *schema, size_t room)
{
	size_t len = ALIGN(sizeof(struct doc)) + room;
	struct doc *d = mem_alloc(len);

	if (d == NULL)
		return NULL;
	d->schema = schema;
	d->at = (uint8_t *)d + ALIGN(sizeof *d);
	d->end = (uint8_t *)d + len;
	return d;
}

struct doc *doc_new(const struct schema *schema)
{
	return doc_with_room(schema, CHUNK_MIN);
}

void doc_free(struct doc *d)
{
	if (d == NULL)
		return;
	while (d->chunks != NULL) {
		struct chunk *next = d->chunks->next;

		mem_free(d->chunks);
		d->chunks = next;
	}
	mem_free(d);
}

/* ---- finding: each says the index, or where it would be ---- */

static struct field *field_at(const struct list *l, size_t i) { return (struct field *)l->items + i; }
static struct entry *entry_at(const struct list *l, size_t i) { return (struct entry *)l->items + i; }
static struct element *element_at(const struct list *l, size_t i) { return (struct element *)l->items + i; }

static struct field *find_field(const struct list *l, uint32_t key, size_t *index)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (field_at(l, middle)->key < key)
			low = middle + 1;
		else
			high = middle;
	}
	*index = low;
	return low < l->n && field_at(l, low)->key == key ? field_at(l, low) : NULL;
}

static struct entry *find_entry(const struct list *l, struct slice value, size_t *index)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (slice_compare(entry_at(l, middle)->value, value) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*index = low;
	return low < l->n && slice_equal(entry_at(l, low)->value, value) ? entry_at(l, low) : NULL;
}

static struct element *find_element(const struct list *l, const struct id16 *id, size_t *index)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (id16_compare(&element_at(l, middle)->id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*index = low;
	return low < l->n && id16_equal(&element_at(l, low)->id, id) ? element_at(l, low) : NULL;
}

/* The field of that key and type, or NULL. */
static const struct field *typed_field(const struct list *l, uint32_t key, enum field_type type)
{
	size_t i;
	const struct field *f = find_field(l, key, &i);

	return f != NULL && f->type == type ? f : NULL;
}

static struct field *make_field(struct doc *d, struct list *l, uint32_t key, enum field_type type)
{
	size_t i;
	struct field *f = find_field(l, key, &i);

	if (f != NULL || (f = list_insert(d, l, sizeof *f, i)) == NULL)
		return f;
	f->key = key;
	f->type = type;
	if (type == FIELD_MAP && (f->u.map = keep(d, sizeof *f->u.map)) == NULL)
		return NULL;
	return f;
}

/* Elements hold registers and counters. */
static bool is_plain(enum field_type type)
{
	return type == FIELD_REGISTER || type == FIELD_COUNTER;
}

/* ---- tags ---- */

static const uint8_t *tag_at(struct doc_tags t, size_t i)
{
	return t.at + i * TAG_SIZE;
}

static int tag_compare(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, TAG_SIZE);
}

static struct doc_tags read_tags(struct mp_reader *r)
{
	size_t n = mp_get_array(r, (size_t)(r->end - r->at) / TAG_SIZE);
	struct doc_tags tags = { r->at, (uint32_t)n };

	for (size_t i = 0; i < n && r->err == OK; i++) {
		struct slice id = mp_get_bin(r, ID_LEN);

		if (id.len != ID_LEN || (i > 0 && tag_compare(tag_at(tags, i - 1), tag_at(tags, i)) >= 0))
			mp_fail(r, ERR_MALFORMED);
	}
	return r->err == OK ? tags : (struct doc_tags){ NULL, 0 };
}

/* tags without those in gone, in new memory if any goes. */
static bool tags_subtract(struct doc *d, struct doc_tags *tags, struct doc_tags gone)
{
	uint8_t *kept;
	uint32_t n = 0;
	size_t g = 0;

	if (tags->n == 0 || gone.n == 0)
		return true;
	if ((kept = keep(d, tags->n * TAG_SIZE)) == NULL)
		return false;
	for (size_t i = 0; i < tags->n; i++) {
		while (g < gone.n && tag_compare(tag_at(gone, g), tag_at(*tags, i)) < 0)
			g++;
		if (g < gone.n && tag_compare(tag_at(gone, g), tag_at(*tags, i)) == 0)
			continue;
		memcpy(kept + n++ * TAG_SIZE, tag_at(*tags, i), TAG_SIZE);
	}
	*tags = (struct doc_tags){ kept, n };
	return true;
}

static bool tags_insert(struct doc *d, struct doc_tags *tags, const struct id32 *id)
{
	uint8_t tag[TAG_SIZE] = { 0xc4, ID_LEN }, *grown;       /* msgpack: bin 8 */
	size_t i = 0;

	memcpy(tag + 2, id->b, ID_LEN);
	while (i < tags->n && tag_compare(tag_at(*tags, i), tag) < 0)
		i++;
	if (i < tags->n && tag_compare(tag_at(*tags, i), tag) == 0)
		return true;
	if ((grown = keep(d, (tags->n + 1) * TAG_SIZE)) == NULL)
		return false;
	if (tags->n > 0) {
		memcpy(grown, tags->at, i * TAG_SIZE);
		memcpy(grown + (i + 1) * TAG_SIZE, tag_at(*tags, i), (tags->n - i) * TAG_SIZE);
	}
	memcpy(grown + i * TAG_SIZE, tag, TAG_SIZE);
	*tags = (struct doc_tags){ grown, tags->n + 1 };
	return true;
}

/* ---- checking ---- */

static struct slice read_scalar(struct mp_reader *r)
{
	const uint8_t *start = r->at;

	switch (mp_peek(r)) {
	case MP_NIL: mp_get_nil(r); break;
	case MP_BOOL: mp_get_bool(r); break;
	case MP_UINT: mp_get_uint(r, INT64_MAX); break;
	case MP_NEGATIVE: mp_get_int(r, INT64_MIN, -1); break;
	case MP_BIN: case MP_STR: mp_get_any(r); break;
	case MP_ARRAY: case MP_MAP: case MP_END: mp_fail(r, ERR_MALFORMED);
	}
	return r->err == OK ? SLICE(start, (size_t)(r->at - start)) : SLICE(NULL, 0);
}

static size_t read_count(struct mp_reader *r)
{
	return mp_get_array(r, (size_t)(r->end - r->at));
}

static uint32_t read_key(struct mp_reader *r)
{
	return (uint32_t)mp_get_uint(r, UINT32_MAX);
}

/* The next value of an ascending list. */
static struct slice read_next(struct mp_reader *r, struct slice *before)
{
	struct slice value = read_scalar(r);

	if (before->data != NULL && slice_compare(*before, value) >= 0)
		mp_fail(r, ERR_MALFORMED);
	*before = value;
	return value;
}

static void check_set(struct mp_reader *r)
{
	struct slice before = SLICE(NULL, 0);

	mp_get_array_of(r, 2);
	for (size_t n = read_count(r); n > 0 && r->err == OK; n--)
		read_next(r, &before);
	before = SLICE(NULL, 0);
	for (size_t n = read_count(r); n > 0 && r->err == OK; n--) {
		mp_get_array_of(r, 2);
		read_next(r, &before);
		if (read_tags(r).n == 0)
			mp_fail(r, ERR_MALFORMED);
	}
}

static void check_plain(struct mp_reader *r, enum field_type type)
{
	if (type == FIELD_REGISTER)
		read_scalar(r);
	else
		mp_get_int(r, INT64_MIN, INT64_MAX);
}

static void check_element(struct mp_reader *r, const struct schema *s)
{
	struct doc_tags tags;

	mp_get_array_of(r, 2);
	tags = read_tags(r);
	if (mp_get_nil(r)) {
		if (tags.n == 0)                /* who removes has seen what keeps it alive */
			mp_fail(r, ERR_MALFORMED);
		return;
	}
	for (size_t n = mp_get_map(r, (size_t)(r->end - r->at)); n > 0 && r->err == OK; n--) {
		const struct schema_field *f = schema_find(s, read_key(r));

		if (f != NULL && is_plain(f->type))
			check_plain(r, f->type);
		else
			mp_get_any(r);
	}
}

static void check_map(struct mp_reader *r, const struct schema *s)
{
	struct id16 id;

	for (size_t n = mp_get_map(r, (size_t)(r->end - r->at)); n > 0 && r->err == OK; n--) {
		mp_get_fixed(r, id.b, DOC_LEN);
		check_element(r, s);
	}
}

static void check_seen(struct mp_reader *r)
{
	struct slice before = SLICE(NULL, 0);

	for (size_t n = read_count(r); n > 0 && r->err == OK; n--) {
		struct slice id = mp_get_bin(r, SEEN_LEN);

		if (id.len != SEEN_LEN || (before.data != NULL && slice_compare(before, id) >= 0))
			mp_fail(r, ERR_MALFORMED);
		before = id;
	}
}

static void check_pair(struct mp_reader *r, const struct schema *schema)
{
	uint32_t key = read_key(r);
	const struct schema_field *f = schema_find(schema, key);

	if (key == KEY_SEEN)
		check_seen(r);
	else if (key == KEY_CREATE && !mp_get_bool(r))
		mp_fail(r, ERR_MALFORMED);
	else if (key == KEY_CREATE)
		return;
	else if (f == NULL)
		mp_get_any(r);
	else if (f->type == FIELD_SET)
		check_set(r);
	else if (f->type == FIELD_MAP)
		check_map(r, f->element);
	else
		check_plain(r, f->type);
}

enum err doc_check(const struct schema *schema, struct slice body)
{
	struct mp_reader r = mp_read(body);
	enum err e;

	if (body.len > LIMIT_BODY)
		return ERR_TOOBIG;
	if ((e = mp_check(body, LIMIT_DEPTH, LIMIT_BODY)) != OK)        /* every value takes a byte: the length bounds the items */
		return e;
	for (size_t n = mp_get_map(&r, body.len); n > 0 && r.err == OK; n--)
		check_pair(&r, schema);
	return mp_end(&r);
}

/* ---- applying: the body has been checked ---- */

static int stamp_compare(hlc a_hlc, const struct id32 *a, hlc b_hlc, const struct id32 *b)
{
	if (a_hlc != b_hlc)
		return a_hlc < b_hlc ? -1 : 1;
	return id32_compare(a, b);
}

bool doc_in_order(const struct doc *d, const struct doc_op *op)
{
	struct mp_reader r = mp_read(op->body);

	if (stamp_compare(op->hlc, &op->id, d->last.hlc, &d->last.id) > 0)
		return true;
	for (size_t n = mp_get_map(&r, op->body.len); n > 0 && r.err == OK; n--) {
		const struct schema_field *f = schema_find(d->schema, read_key(&r));

		if (f != NULL && !is_plain(f->type))
			return false;
		mp_get_any(&r);
	}
	return true;
}

struct apply { struct doc *doc; const struct doc_op *op; const struct doc_writer *writer; /* made when needed */ };

static const struct doc_writer *op_writer(struct apply *a)
{
	struct doc_writer *w;

	if (a->writer == NULL && (w = keep(a->doc, sizeof *w)) != NULL) {
		*w = (struct doc_writer){ a->op->hlc, a->op->id, a->op->device };
		a->writer = w;
	}
	return a->writer;
}

/* The last writer wins by (hlc, device, op id). */
static bool beats(const struct doc_op *op, const struct doc_writer *w)
{
	int order;

	if (w == NULL)
		return true;
	if (op->hlc != w->hlc)
		return op->hlc > w->hlc;
	order = id32_compare(&op->device, &w->device);
	return order != 0 ? order > 0 : id32_compare(&op->id, &w->id) > 0;
}

static enum err apply_plain(struct apply *a, struct list *fields, const struct schema_field *s, struct mp_reader *r)
{
	struct field *f = make_field(a->doc, fields, s->key, s->type);
	struct slice value;

	if (f == NULL)
		return ERR_NOMEM;
	if (s->type == FIELD_COUNTER) {         /* wraps: then the sum is the same in any order */
		f->u.total = (int64_t)((uint64_t)f->u.total + (uint64_t)mp_get_int(r, INT64_MIN, INT64_MAX));
		return OK;
	}
	value = read_scalar(r);
	if (!beats(a->op, f->writer))
		return OK;
	if (op_writer(a) == NULL || !keep_slice(a->doc, &f->value, value))
		return ERR_NOMEM;
	f->writer = a->writer;
	return OK;
}

static enum err add_value(struct apply *a, struct list *entries, struct slice value)
{
	size_t i;
	struct entry *e = find_entry(entries, value, &i);

	if (e == NULL) {
		if ((e = list_insert(a->doc, entries, sizeof *e, i)) == NULL || !keep_slice(a->doc, &e->value, value))
			return ERR_NOMEM;
	}
	return tags_insert(a->doc, &e->tags, &a->op->id) ? OK : ERR_NOMEM;
}

static enum err remove_value(struct apply *a, struct list *entries, struct slice value, struct doc_tags gone)
{
	size_t i;
	struct entry *e = find_entry(entries, value, &i);

	if (e == NULL)
		return OK;
	if (!tags_subtract(a->doc, &e->tags, gone))
		return ERR_NOMEM;
	if (e->tags.n == 0)
		list_remove(entries, sizeof *e, i);
	return OK;
}

static enum err apply_set(struct apply *a, const struct schema_field *s, struct mp_reader *r)
{
	struct field *f = make_field(a->doc, &a->doc->fields, s->key, s->type);
	enum err e = f == NULL ? ERR_NOMEM : OK;

	mp_get_array_of(r, 2);
	for (size_t n = read_count(r); n > 0 && e == OK; n--)
		e = add_value(a, &f->u.entries, read_scalar(r));
	for (size_t n = e == OK ? read_count(r) : 0; n > 0 && e == OK; n--) {
		struct slice value;

		mp_get_array_of(r, 2);
		value = read_scalar(r);
		e = remove_value(a, &f->u.entries, value, read_tags(r));
	}
	return e;
}

/* A copy of the element of that id to work on; a new one counts as dead. */
static enum err take_element(struct doc *d, struct map *m, const struct id16 *id, bool make, struct element *out, size_t *index,
	bool *was_live)
{
	struct element *e = find_element(&m->live, id, index);

	*was_live = e != NULL;
	if (e == NULL)
		e = find_element(&m->dead, id, index);
	if (e == NULL && !make)
		return ERR_NOTFOUND;
	if (e == NULL) {
		if ((e = list_insert(d, &m->dead, sizeof *e, *index)) == NULL)
			return ERR_NOMEM;
		e->id = *id;
	}
	*out = *e;
	return OK;
}

/* Put the copy back among the living or the dead, as its tags say. */
static enum err put_back_element(struct doc *d, struct map *m, const struct element *x, size_t index, bool was_live)
{
	struct list *from = was_live ? &m->live : &m->dead, *to = x->tags.n > 0 ? &m->live : &m->dead;
	size_t i = index;

	if (from != to) {
		find_element(to, &x->id, &i);
		if (list_insert(d, to, sizeof *x, i) == NULL)
			return ERR_NOMEM;
		list_remove(from, sizeof *x, index);
	}
	*element_at(to, i) = *x;
	return OK;
}

static enum err apply_fields(struct apply *a, struct element *x, const struct schema *s, struct mp_reader *r)
{
	enum err e = OK;

	for (size_t n = mp_get_map(r, (size_t)(r->end - r->at)); n > 0 && e == OK; n--) {
		const struct schema_field *f = schema_find(s, read_key(r));

		if (f != NULL && is_plain(f->type))
			e = apply_plain(a, &x->fields, f, r);
		else
			mp_get_any(r);
	}
	return e;
}

static enum err apply_element(struct apply *a, struct map *m, const struct schema *s, struct mp_reader *r)
{
	struct element x;
	struct id16 id;
	struct doc_tags gone;
	bool was_live, remove;
	size_t index;
	enum err e;

	mp_get_fixed(r, id.b, DOC_LEN);
	mp_get_array_of(r, 2);
	gone = read_tags(r);
	remove = mp_get_nil(r);
	e = take_element(a->doc, m, &id, !remove, &x, &index, &was_live);
	if (e != OK)
		return e == ERR_NOTFOUND ? OK : e;
	if (!tags_subtract(a->doc, &x.tags, gone))
		return ERR_NOMEM;
	if (!remove) {
		if (!tags_insert(a->doc, &x.tags, &a->op->id))
			return ERR_NOMEM;
		if ((e = apply_fields(a, &x, s, r)) != OK)
			return e;
	}
	return put_back_element(a->doc, m, &x, index, was_live);
}

static enum err apply_map(struct apply *a, const struct schema_field *s, struct mp_reader *r)
{
	struct field *f = make_field(a->doc, &a->doc->fields, s->key, s->type);
	enum err e = f == NULL ? ERR_NOMEM : OK;

	for (size_t n = mp_get_map(r, (size_t)(r->end - r->at)); n > 0 && e == OK; n--)
		e = apply_element(a, f->u.map, s->element, r);
	return e;
}

static enum err apply_pair(struct apply *a, struct mp_reader *r)
{
	uint32_t key = read_key(r);
	const struct schema_field *s = schema_find(a->doc->schema, key);

	if (key == KEY_CREATE)
		a->doc->created = true;
	if (s == NULL)
		mp_get_any(r);
	else if (s->type == FIELD_SET)
		return apply_set(a, s, r);
	else if (s->type == FIELD_MAP)
		return apply_map(a, s, r);
	else
		return apply_plain(a, &a->doc->fields, s, r);
	return OK;
}

enum err doc_apply(struct doc *d, const struct doc_op *op)
{
	struct apply a = { d, op, NULL };
	struct mp_reader r = mp_read(op->body);
	enum err e = doc_check(d->schema, op->body);

	if (e != OK)
		return e;
	for (size_t n = mp_get_map(&r, op->body.len); n > 0 && e == OK; n--)
		e = apply_pair(&a, &r);
	if (stamp_compare(op->hlc, &op->id, d->last.hlc, &d->last.id) > 0)
		d->last = (struct doc_writer){ op->hlc, op->id, op->device };
	return e;
}

/* ---- encoding ---- */

struct writers { const struct doc_writer **at; size_t n; };

/* All fields that hold registers, one list after the other. */
static void each_list(const struct doc *d, void (*each)(void *, const struct list *), void *arg)
{
	each(arg, &d->fields);
	for (size_t i = 0; i < d->fields.n; i++) {
		const struct field *f = field_at(&d->fields, i);

		if (f->type != FIELD_MAP)
			continue;
		for (size_t k = 0; k < f->u.map->live.n; k++)
			each(arg, &element_at(&f->u.map->live, k)->fields);
		for (size_t k = 0; k < f->u.map->dead.n; k++)
			each(arg, &element_at(&f->u.map->dead, k)->fields);
	}
}

static void count_writers(void *arg, const struct list *fields)
{
	for (size_t i = 0; i < fields->n; i++)
		((struct writers *)arg)->n += field_at(fields, i)->writer != NULL;
}

static void list_writers(void *arg, const struct list *fields)
{
	struct writers *w = arg;

	for (size_t i = 0; i < fields->n; i++)
		if (field_at(fields, i)->writer != NULL)
			w->at[w->n++] = field_at(fields, i)->writer;
}

static int writer_compare(const void *a, const void *b)
{
	const struct doc_writer *x = *(const struct doc_writer *const *)a, *y = *(const struct doc_writer *const *)b;

	return stamp_compare(x->hlc, &x->id, y->hlc, &y->id);
}

static enum err collect_writers(struct writers *w, const struct doc *d)
{
	size_t unique = 0;

	*w = (struct writers){0};
	each_list(d, count_writers, w);
	if ((w->at = mem_array(w->n, sizeof *w->at)) == NULL)
		return ERR_NOMEM;
	w->n = 0;
	each_list(d, list_writers, w);
	qsort(w->at, w->n, sizeof *w->at, writer_compare);
	for (size_t i = 0; i < w->n; i++)
		if (i == 0 || writer_compare(&w->at[unique - 1], &w->at[i]) != 0)
			w->at[unique++] = w->at[i];
	w->n = unique;
	return OK;
}

static void put_stamp(struct buf *out, const struct doc_writer *w)
{
	mp_put_array(out, 3);
	mp_put_uint(out, w->hlc);
	mp_put_bin(out, w->id.b, ID_LEN);
	mp_put_bin(out, w->device.b, ID_LEN);
}

static void put_tags(struct buf *out, struct doc_tags tags)
{
	mp_put_array(out, tags.n);
	buf_put(out, tags.at, tags.n * TAG_SIZE);
}

/* A field that was touched and came to nothing leaves no trace: the cached form is a function of what there is. */
static bool is_present(const struct field *f)
{
	switch (f->type) {
	case FIELD_REGISTER: return f->writer != NULL;
	case FIELD_COUNTER: return f->u.total != 0;
	case FIELD_SET: return f->u.entries.n > 0;
	case FIELD_MAP: return f->u.map->live.n + f->u.map->dead.n > 0;
	}
	return false;
}

static void put_fields(struct buf *out, const struct list *fields, const struct writers *w);

static void put_elements(struct buf *out, const struct map *m, const struct writers *w)
{
	size_t live = 0, dead = 0;

	mp_put_map(out, m->live.n + m->dead.n);
	while (live < m->live.n || dead < m->dead.n) {
		bool from_live = dead == m->dead.n
			|| (live < m->live.n && id16_compare(&element_at(&m->live, live)->id, &element_at(&m->dead, dead)->id) < 0);
		const struct element *x = from_live ? element_at(&m->live, live++) : element_at(&m->dead, dead++);

		mp_put_bin(out, x->id.b, DOC_LEN);
		mp_put_array(out, 2);
		put_tags(out, x->tags);
		put_fields(out, &x->fields, w);
	}
}

static void put_field(struct buf *out, const struct field *f, const struct writers *w)
{
	const struct doc_writer **found;

	switch (f->type) {
	case FIELD_REGISTER:
		found = bsearch(&f->writer, w->at, w->n, sizeof *w->at, writer_compare);
		mp_put_array(out, 2);
		mp_put_uint(out, (uint64_t)(found - w->at));
		buf_put_slice(out, f->value);
		break;
	case FIELD_COUNTER:
		mp_put_int(out, f->u.total);
		break;
	case FIELD_SET:
		mp_put_array(out, f->u.entries.n);
		for (size_t i = 0; i < f->u.entries.n; i++) {
			mp_put_array(out, 2);
			buf_put_slice(out, entry_at(&f->u.entries, i)->value);
			put_tags(out, entry_at(&f->u.entries, i)->tags);
		}
		break;
	case FIELD_MAP:
		put_elements(out, f->u.map, w);
		break;
	}
}

static void put_fields(struct buf *out, const struct list *fields, const struct writers *w)
{
	size_t present = 0;

	for (size_t i = 0; i < fields->n; i++)
		present += is_present(field_at(fields, i));
	mp_put_map(out, present);
	for (size_t i = 0; i < fields->n; i++) {
		if (!is_present(field_at(fields, i)))
			continue;
		mp_put_uint(out, field_at(fields, i)->key);
		put_field(out, field_at(fields, i), w);
	}
}

enum err doc_encode(struct buf *out, const struct doc *d)
{
	size_t start = out->len;
	struct writers w;
	enum err e = collect_writers(&w, d);

	if (e != OK)
		return e;
	mp_put_array(out, 4);
	mp_put_bool(out, d->created);
	mp_put_array(out, w.n);
	for (size_t i = 0; i < w.n; i++)
		put_stamp(out, w.at[i]);
	put_stamp(out, &d->last);
	put_fields(out, &d->fields, &w);
	mem_free(w.at);
	if (out->err != OK)
		out->len = start;
	return out->err;
}

/* ---- decoding ---- */

struct load { struct doc *doc; struct mp_reader r; const struct doc_writer *writers; size_t n_writers; };

static void no_memory(struct load *l)
{
	mp_fail(&l->r, ERR_NOMEM);
}

static void get_stamp(struct mp_reader *r, struct doc_writer *w)
{
	mp_get_array_of(r, 3);
	w->hlc = mp_get_uint(r, UINT64_MAX);
	mp_get_fixed(r, w->id.b, ID_LEN);
	mp_get_fixed(r, w->device.b, ID_LEN);
}

static void load_writers(struct load *l)
{
	size_t n = mp_get_array(&l->r, (size_t)(l->r.end - l->r.at) / (2 * TAG_SIZE));
	struct doc_writer *w = keep(l->doc, n * sizeof *w);

	if (w == NULL) {
		no_memory(l);
		return;
	}
	for (size_t i = 0; i < n && l->r.err == OK; i++) {
		get_stamp(&l->r, &w[i]);
		if (i > 0 && stamp_compare(w[i - 1].hlc, &w[i - 1].id, w[i].hlc, &w[i].id) >= 0)
			mp_fail(&l->r, ERR_MALFORMED);
	}
	l->writers = w;
	l->n_writers = n;
}

static void load_register(struct load *l, struct field *f)
{
	uint64_t writer;

	mp_get_array_of(&l->r, 2);
	writer = mp_get_uint(&l->r, UINT32_MAX);
	f->value = read_scalar(&l->r);
	if (writer < l->n_writers)
		f->writer = &l->writers[writer];
	else
		mp_fail(&l->r, ERR_MALFORMED);
}

static void load_set(struct load *l, struct list *entries)
{
	struct slice before = SLICE(NULL, 0);
	size_t n = read_count(&l->r);

	if (!list_reserve(l->doc, entries, sizeof(struct entry), n)) {
		no_memory(l);
		return;
	}
	for (size_t i = 0; i < n && l->r.err == OK; i++) {
		struct entry *e = list_insert(l->doc, entries, sizeof *e, i);

		mp_get_array_of(&l->r, 2);
		e->value = read_next(&l->r, &before);
		e->tags = read_tags(&l->r);
		if (e->tags.n == 0)
			mp_fail(&l->r, ERR_MALFORMED);
	}
}

static void load_fields(struct load *l, struct list *fields, const struct schema *s, bool top);

static void load_map(struct load *l, struct map *m, const struct schema *s)
{
	size_t n = mp_get_map(&l->r, (size_t)(l->r.end - l->r.at) / (2 + DOC_LEN));
	struct element x, before;

	if (!list_reserve(l->doc, &m->live, sizeof x, n)) {
		no_memory(l);
		return;
	}
	for (size_t i = 0; i < n && l->r.err == OK; i++) {
		struct list *to;
		struct element *e;

		x = (struct element){0};
		mp_get_fixed(&l->r, x.id.b, DOC_LEN);
		if (i > 0 && id16_compare(&before.id, &x.id) >= 0)
			mp_fail(&l->r, ERR_MALFORMED);
		mp_get_array_of(&l->r, 2);
		x.tags = read_tags(&l->r);
		load_fields(l, &x.fields, s, false);
		to = x.tags.n > 0 ? &m->live : &m->dead;
		if ((e = list_insert(l->doc, to, sizeof x, to->n)) == NULL)
			no_memory(l);
		else
			*e = x;
		before = x;
	}
}

static void load_field(struct load *l, struct field *f, const struct schema_field *s)
{
	f->key = s->key;
	f->type = s->type;
	switch (s->type) {
	case FIELD_REGISTER:
		load_register(l, f);
		break;
	case FIELD_COUNTER:
		f->u.total = mp_get_int(&l->r, INT64_MIN, INT64_MAX);
		break;
	case FIELD_SET:
		load_set(l, &f->u.entries);
		break;
	case FIELD_MAP:
		if ((f->u.map = keep(l->doc, sizeof *f->u.map)) != NULL)
			load_map(l, f->u.map, s->element);
		else
			no_memory(l);
		break;
	}
}

static void load_fields(struct load *l, struct list *fields, const struct schema *schema, bool top)
{
	size_t n = mp_get_map(&l->r, schema->n), next = 0;

	if (!list_reserve(l->doc, fields, sizeof(struct field), n)) {
		no_memory(l);
		return;
	}
	for (size_t i = 0; i < n && l->r.err == OK; i++) {
		uint32_t key = read_key(&l->r);

		while (next < schema->n && schema->fields[next].key < key)      /* both ascend */
			next++;
		if (next == schema->n || schema->fields[next].key != key || !(top || is_plain(schema->fields[next].type))) {
			mp_fail(&l->r, ERR_MALFORMED);
			return;
		}
		load_field(l, list_insert(l->doc, fields, sizeof(struct field), i), &schema->fields[next++]);
	}
}

/* Room for the copy and the arrays that a document without sets and maps needs. */
static size_t room_for(const struct schema *schema, struct slice cached)
{
	struct mp_reader r = mp_read(cached);
	size_t writers;

	mp_get_array_of(&r, 4);
	mp_get_bool(&r);
	writers = mp_get_array(&r, cached.len / (2 * TAG_SIZE));
	return ALIGN(cached.len) + ALIGN(writers * sizeof(struct doc_writer)) + ALIGN(schema->n * sizeof(struct field));
}

enum err doc_decode(struct doc **out, const struct schema *schema, struct slice cached)
{
	struct load l = { .doc = doc_with_room(schema, room_for(schema, cached)) };
	struct slice copy;
	enum err e = ERR_NOMEM;

	*out = NULL;
	if (l.doc == NULL || !keep_slice(l.doc, &copy, cached))
		goto fail;
	l.r = mp_read(copy);
	mp_get_array_of(&l.r, 4);
	l.doc->created = mp_get_bool(&l.r);
	load_writers(&l);
	get_stamp(&l.r, &l.doc->last);
	load_fields(&l, &l.doc->fields, schema, true);
	if ((e = mp_end(&l.r)) != OK)
		goto fail;
	*out = l.doc;
	return OK;
fail:
	doc_free(l.doc);
	return e;
}

/* ---- reading ---- */

bool doc_created(const struct doc *d)
{
	return d->created;
}

struct doc_writer doc_last(const struct doc *d)
{
	return d->last;
}

static struct slice register_of(const struct list *fields, uint32_t key, struct doc_writer *writer)
{
	const struct field *f = typed_field(fields, key, FIELD_REGISTER);

	if (writer != NULL)
		*writer = f != NULL && f->writer != NULL ? *f->writer : (struct doc_writer){0};
	return f != NULL ? f->value : SLICE(NULL, 0);
}

static int64_t counter_of(const struct list *fields, uint32_t key)
{
	const struct field *f = typed_field(fields, key, FIELD_COUNTER);

	return f != NULL ? f->u.total : 0;
}

/* The living elements, or the entries of a set: none if there is no such field. */
static const struct list *items_of(const struct doc *d, uint32_t key, enum field_type type)
{
	static const struct list none = {0};
	const struct field *f = typed_field(&d->fields, key, type);

	if (f == NULL)
		return &none;
	return type == FIELD_SET ? &f->u.entries : &f->u.map->live;
}

static const struct list *element_fields(const struct doc *d, uint32_t key, const struct id16 *id)
{
	static const struct list none = {0};
	size_t i;
	const struct element *e = find_element(items_of(d, key, FIELD_MAP), id, &i);

	return e != NULL ? &e->fields : &none;
}

struct slice doc_register(const struct doc *d, uint32_t key, struct doc_writer *writer)
{
	return register_of(&d->fields, key, writer);
}

int64_t doc_counter(const struct doc *d, uint32_t key)
{
	return counter_of(&d->fields, key);
}

size_t doc_set_count(const struct doc *d, uint32_t key)
{
	return items_of(d, key, FIELD_SET)->n;
}

struct slice doc_set_at(const struct doc *d, uint32_t key, size_t i)
{
	const struct list *entries = items_of(d, key, FIELD_SET);

	return i < entries->n ? entry_at(entries, i)->value : SLICE(NULL, 0);
}

size_t doc_map_count(const struct doc *d, uint32_t key)
{
	return items_of(d, key, FIELD_MAP)->n;
}

const struct id16 *doc_map_at(const struct doc *d, uint32_t key, size_t i)
{
	const struct list *elements = items_of(d, key, FIELD_MAP);

	return i < elements->n ? &element_at(elements, i)->id : NULL;
}

struct slice doc_map_register(const struct doc *d, uint32_t key, const struct id16 *element, uint32_t sub_key,
	struct doc_writer *writer)
{
	return register_of(element_fields(d, key, element), sub_key, writer);
}

int64_t doc_map_counter(const struct doc *d, uint32_t key, const struct id16 *element, uint32_t sub_key)
{
	return counter_of(element_fields(d, key, element), sub_key);
}

/* ---- for change.c ---- */

struct doc_tags doc_set_tags(const struct doc *d, uint32_t key, struct slice value)
{
	size_t i;
	const struct entry *e = find_entry(items_of(d, key, FIELD_SET), value, &i);

	return e != NULL ? e->tags : (struct doc_tags){ NULL, 0 };
}

struct doc_tags doc_map_tags(const struct doc *d, uint32_t key, const struct id16 *element)
{
	size_t i;
	const struct element *e = find_element(items_of(d, key, FIELD_MAP), element, &i);

	return e != NULL ? e->tags : (struct doc_tags){ NULL, 0 };
}

const struct doc_writer *doc_register_writer(const struct doc *d, uint32_t key, const struct id16 *element, uint32_t sub_key)
{
	const struct field *f = typed_field(&d->fields, key, element != NULL ? FIELD_MAP : FIELD_REGISTER);
	const struct element *e;
	size_t i;

	if (f == NULL || element == NULL)
		return f != NULL ? f->writer : NULL;
	e = find_element(&f->u.map->live, element, &i);
	if (e == NULL && (e = find_element(&f->u.map->dead, element, &i)) == NULL)
		return NULL;
	f = typed_field(&e->fields, sub_key, FIELD_REGISTER);
	return f != NULL ? f->writer : NULL;
}
