/* doc: see doc.h.  Protocol §2, design §5.
 *
 * A document lives in one arena: what doc_decode makes is a copy of the cached bytes and arrays of slices into it, usually a
 * single allocation; what doc_apply adds is put behind.  What is replaced stays until doc_free, which is soon. */
#include <string.h>
#include "base/mem.h"
#include "crdt/doc_state.h"

#define CHUNK_MIN 1024

/* ---- memory ---- */

void *doc_keep(struct doc *d, size_t size)
{
	size_t room = DOC_ALIGN(size);
	void *p;

	if (room > (size_t)(d->end - d->at)) {
		size_t len = DOC_ALIGN(sizeof(struct doc_chunk)) + (room > CHUNK_MIN ? room : CHUNK_MIN);
		struct doc_chunk *c = mem_alloc(len);

		if (c == NULL)
			return NULL;
		c->next = d->chunks;
		d->chunks = c;
		d->at = (uint8_t *)c + DOC_ALIGN(sizeof *c);
		d->end = (uint8_t *)c + len;
	}
	p = d->at;
	d->at += room;
	return p;
}

bool doc_keep_slice(struct doc *d, struct slice *out, struct slice bytes)
{
	uint8_t *p = doc_keep(d, bytes.len);

	if (p == NULL)
		return false;
	if (bytes.len > 0)
		memcpy(p, bytes.data, bytes.len);
	*out = SLICE(p, bytes.len);
	return true;
}

bool doc_list_reserve(struct doc *d, struct doc_list *l, size_t size, size_t room)
{
	void *items;

	if (room <= l->room)
		return true;
	items = doc_keep(d, room * size);
	if (items == NULL)
		return false;
	if (l->n > 0)
		memcpy(items, l->items, l->n * size);
	l->items = items;
	l->room = (uint32_t)room;
	return true;
}

/* A new zeroed item at index i, or NULL. */
void *doc_list_insert(struct doc *d, struct doc_list *l, size_t size, size_t i)
{
	uint8_t *item;

	if (l->n == l->room && !doc_list_reserve(d, l, size, l->n < 4 ? 4 : 2 * (size_t)l->n))
		return NULL;
	item = (uint8_t *)l->items + i * size;
	memmove(item + size, item, (l->n - i) * size);
	memset(item, 0, size);
	l->n++;
	return item;
}

static void list_remove(struct doc_list *l, size_t size, size_t i)
{
	uint8_t *item = (uint8_t *)l->items + i * size;

	l->n--;
	memmove(item, item + size, (l->n - i) * size);
}

struct doc *doc_with_room(const struct schema *schema, size_t room)
{
	size_t len = DOC_ALIGN(sizeof(struct doc)) + room;
	struct doc *d = mem_alloc(len);

	if (d == NULL)
		return NULL;
	d->schema = schema;
	d->at = (uint8_t *)d + DOC_ALIGN(sizeof *d);
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
		struct doc_chunk *next = d->chunks->next;

		mem_free(d->chunks);
		d->chunks = next;
	}
	mem_free(d);
}

/* ---- finding: each says the index, or where it would be ---- */

static struct doc_field *find_field(const struct doc_list *l, uint32_t key, size_t *index)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (doc_field_at(l, middle)->key < key)
			low = middle + 1;
		else
			high = middle;
	}
	*index = low;
	return low < l->n && doc_field_at(l, low)->key == key ? doc_field_at(l, low) : NULL;
}

static struct doc_entry *find_entry(const struct doc_list *l, struct slice value, size_t *index)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (slice_compare(doc_entry_at(l, middle)->value, value) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*index = low;
	return low < l->n && slice_equal(doc_entry_at(l, low)->value, value) ? doc_entry_at(l, low) : NULL;
}

static struct doc_element *find_element(const struct doc_list *l, const struct id16 *id, size_t *index)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (id16_compare(&doc_element_at(l, middle)->id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*index = low;
	return low < l->n && id16_equal(&doc_element_at(l, low)->id, id) ? doc_element_at(l, low) : NULL;
}

/* The field of that key and type, or NULL. */
static const struct doc_field *typed_field(const struct doc_list *l, uint32_t key, enum field_type type)
{
	size_t i;
	const struct doc_field *f = find_field(l, key, &i);

	return f != NULL && f->type == type ? f : NULL;
}

static struct doc_field *make_field(struct doc *d, struct doc_list *l, uint32_t key, enum field_type type)
{
	size_t i;
	struct doc_field *f = find_field(l, key, &i);

	if (f != NULL || (f = doc_list_insert(d, l, sizeof *f, i)) == NULL)
		return f;
	f->key = key;
	f->type = type;
	if (type == FIELD_MAP && (f->u.map = doc_keep(d, sizeof *f->u.map)) == NULL)
		return NULL;
	return f;
}

/* Elements hold registers and counters. */
bool doc_is_plain(enum field_type type)
{
	return type == FIELD_REGISTER || type == FIELD_COUNTER;
}

/* ---- tags ---- */

/* tags without those in gone, in new memory if any goes. */
static bool tags_subtract(struct doc *d, struct doc_tags *tags, struct doc_tags gone)
{
	uint8_t *kept;
	uint32_t n = 0;
	size_t g = 0;

	if (tags->n == 0 || gone.n == 0)
		return true;
	if ((kept = doc_keep(d, tags->n * TAG_SIZE)) == NULL)
		return false;
	for (size_t i = 0; i < tags->n; i++) {
		while (g < gone.n && doc_tag_compare(doc_tag_at(gone, g), doc_tag_at(*tags, i)) < 0)
			g++;
		if (g < gone.n && doc_tag_compare(doc_tag_at(gone, g), doc_tag_at(*tags, i)) == 0)
			continue;
		memcpy(kept + n++ * TAG_SIZE, doc_tag_at(*tags, i), TAG_SIZE);
	}
	*tags = (struct doc_tags){ kept, n };
	return true;
}

static bool tags_insert(struct doc *d, struct doc_tags *tags, const struct id32 *id)
{
	uint8_t tag[TAG_SIZE] = { 0xc4, ID_LEN }, *grown;       /* msgpack: bin 8 */
	size_t i = 0;

	memcpy(tag + 2, id->b, ID_LEN);
	while (i < tags->n && doc_tag_compare(doc_tag_at(*tags, i), tag) < 0)
		i++;
	if (i < tags->n && doc_tag_compare(doc_tag_at(*tags, i), tag) == 0)
		return true;
	if ((grown = doc_keep(d, (tags->n + 1) * TAG_SIZE)) == NULL)
		return false;
	if (tags->n > 0) {
		memcpy(grown, tags->at, i * TAG_SIZE);
		memcpy(grown + (i + 1) * TAG_SIZE, doc_tag_at(*tags, i), (tags->n - i) * TAG_SIZE);
	}
	memcpy(grown + i * TAG_SIZE, tag, TAG_SIZE);
	*tags = (struct doc_tags){ grown, tags->n + 1 };
	return true;
}

/* ---- applying: the body has been checked ---- */

int doc_stamp_compare(hlc a_hlc, const struct id32 *a, hlc b_hlc, const struct id32 *b)
{
	if (a_hlc != b_hlc)
		return a_hlc < b_hlc ? -1 : 1;
	return id32_compare(a, b);
}

bool doc_in_order(const struct doc *d, const struct doc_op *op)
{
	struct mp_reader r = mp_read(op->body);

	if (doc_stamp_compare(op->hlc, &op->id, d->last.hlc, &d->last.id) > 0)
		return true;
	for (size_t n = mp_get_map(&r, op->body.len); n > 0 && r.err == OK; n--) {
		const struct schema_field *f = schema_find(d->schema, doc_read_key(&r));

		if (f != NULL && !doc_is_plain(f->type))
			return false;
		mp_get_any(&r);
	}
	return true;
}

struct apply { struct doc *doc; const struct doc_op *op; const struct doc_writer *writer; /* made when needed */ };

static const struct doc_writer *op_writer(struct apply *a)
{
	struct doc_writer *w;

	if (a->writer == NULL && (w = doc_keep(a->doc, sizeof *w)) != NULL) {
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

static enum err apply_plain(struct apply *a, struct doc_list *fields, const struct schema_field *s, struct mp_reader *r)
{
	struct doc_field *f = make_field(a->doc, fields, s->key, s->type);
	struct slice value;

	if (f == NULL)
		return ERR_NOMEM;
	if (s->type == FIELD_COUNTER) {         /* wraps: then the sum is the same in any order */
		f->u.total = (int64_t)((uint64_t)f->u.total + (uint64_t)mp_get_int(r, INT64_MIN, INT64_MAX));
		return OK;
	}
	value = doc_read_scalar(r);
	if (!beats(a->op, f->writer))
		return OK;
	if (op_writer(a) == NULL || !doc_keep_slice(a->doc, &f->value, value))
		return ERR_NOMEM;
	f->writer = a->writer;
	return OK;
}

static enum err add_value(struct apply *a, struct doc_list *entries, struct slice value)
{
	size_t i;
	struct doc_entry *e = find_entry(entries, value, &i);

	if (e == NULL) {
		if ((e = doc_list_insert(a->doc, entries, sizeof *e, i)) == NULL || !doc_keep_slice(a->doc, &e->value, value))
			return ERR_NOMEM;
	}
	return tags_insert(a->doc, &e->tags, &a->op->id) ? OK : ERR_NOMEM;
}

static enum err remove_value(struct apply *a, struct doc_list *entries, struct slice value, struct doc_tags gone)
{
	size_t i;
	struct doc_entry *e = find_entry(entries, value, &i);

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
	struct doc_field *f = make_field(a->doc, &a->doc->fields, s->key, s->type);
	enum err e = f == NULL ? ERR_NOMEM : OK;

	mp_get_array_of(r, 2);
	for (size_t n = doc_read_count(r); n > 0 && e == OK; n--)
		e = add_value(a, &f->u.entries, doc_read_scalar(r));
	for (size_t n = e == OK ? doc_read_count(r) : 0; n > 0 && e == OK; n--) {
		struct slice value;

		mp_get_array_of(r, 2);
		value = doc_read_scalar(r);
		e = remove_value(a, &f->u.entries, value, doc_read_tags(r));
	}
	return e;
}

/* A copy of the element of that id to work on; a new one counts as dead. */
static enum err take_element(struct doc *d, struct doc_map *m, const struct id16 *id, bool make, struct doc_element *out, size_t *index,
	bool *was_live)
{
	struct doc_element *e = find_element(&m->live, id, index);

	*was_live = e != NULL;
	if (e == NULL)
		e = find_element(&m->dead, id, index);
	if (e == NULL && !make)
		return ERR_NOTFOUND;
	if (e == NULL) {
		if ((e = doc_list_insert(d, &m->dead, sizeof *e, *index)) == NULL)
			return ERR_NOMEM;
		e->id = *id;
	}
	*out = *e;
	return OK;
}

/* Put the copy back among the living or the dead, as its tags say. */
static enum err put_back_element(struct doc *d, struct doc_map *m, const struct doc_element *x, size_t index, bool was_live)
{
	struct doc_list *from = was_live ? &m->live : &m->dead, *to = x->tags.n > 0 ? &m->live : &m->dead;
	size_t i = index;

	if (from != to) {
		find_element(to, &x->id, &i);
		if (doc_list_insert(d, to, sizeof *x, i) == NULL)
			return ERR_NOMEM;
		list_remove(from, sizeof *x, index);
	}
	*doc_element_at(to, i) = *x;
	return OK;
}

static enum err apply_fields(struct apply *a, struct doc_element *x, const struct schema *s, struct mp_reader *r)
{
	enum err e = OK;

	for (size_t n = doc_read_pairs(r); n > 0 && e == OK; n--) {
		const struct schema_field *f = schema_find(s, doc_read_key(r));

		if (f != NULL && doc_is_plain(f->type))
			e = apply_plain(a, &x->fields, f, r);
		else
			mp_get_any(r);
	}
	return e;
}

static enum err apply_element(struct apply *a, struct doc_map *m, const struct schema *s, struct mp_reader *r)
{
	struct doc_element x;
	struct id16 id;
	struct doc_tags gone;
	bool was_live, remove;
	size_t index;
	enum err e;

	mp_get_fixed(r, id.b, DOC_LEN);
	mp_get_array_of(r, 2);
	gone = doc_read_tags(r);
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
	struct doc_field *f = make_field(a->doc, &a->doc->fields, s->key, s->type);
	enum err e = f == NULL ? ERR_NOMEM : OK;

	for (size_t n = doc_read_pairs(r); n > 0 && e == OK; n--)
		e = apply_element(a, f->u.map, s->element, r);
	return e;
}

static enum err apply_pair(struct apply *a, struct mp_reader *r)
{
	uint32_t key = doc_read_key(r);
	const struct schema_field *s = schema_find(a->doc->schema, key);

	if (key == DOC_KEY_CREATE)
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
	if (doc_stamp_compare(op->hlc, &op->id, d->last.hlc, &d->last.id) > 0)
		d->last = (struct doc_writer){ op->hlc, op->id, op->device };
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

static struct slice register_of(const struct doc_list *fields, uint32_t key, struct doc_writer *writer)
{
	const struct doc_field *f = typed_field(fields, key, FIELD_REGISTER);

	if (writer != NULL)
		*writer = f != NULL && f->writer != NULL ? *f->writer : (struct doc_writer){0};
	return f != NULL ? f->value : SLICE(NULL, 0);
}

static int64_t counter_of(const struct doc_list *fields, uint32_t key)
{
	const struct doc_field *f = typed_field(fields, key, FIELD_COUNTER);

	return f != NULL ? f->u.total : 0;
}

/* The living elements, or the entries of a set: none if there is no such field. */
static const struct doc_list *items_of(const struct doc *d, uint32_t key, enum field_type type)
{
	static const struct doc_list none = {0};
	const struct doc_field *f = typed_field(&d->fields, key, type);

	if (f == NULL)
		return &none;
	return type == FIELD_SET ? &f->u.entries : &f->u.map->live;
}

static const struct doc_list *element_fields(const struct doc *d, uint32_t key, const struct id16 *id)
{
	static const struct doc_list none = {0};
	size_t i;
	const struct doc_element *e = find_element(items_of(d, key, FIELD_MAP), id, &i);

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
	const struct doc_list *entries = items_of(d, key, FIELD_SET);

	return i < entries->n ? doc_entry_at(entries, i)->value : SLICE(NULL, 0);
}

size_t doc_map_count(const struct doc *d, uint32_t key)
{
	return items_of(d, key, FIELD_MAP)->n;
}

const struct id16 *doc_map_at(const struct doc *d, uint32_t key, size_t i)
{
	const struct doc_list *elements = items_of(d, key, FIELD_MAP);

	return i < elements->n ? &doc_element_at(elements, i)->id : NULL;
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
	const struct doc_entry *e = find_entry(items_of(d, key, FIELD_SET), value, &i);

	return e != NULL ? e->tags : (struct doc_tags){ NULL, 0 };
}

struct doc_tags doc_map_tags(const struct doc *d, uint32_t key, const struct id16 *element)
{
	size_t i;
	const struct doc_element *e = find_element(items_of(d, key, FIELD_MAP), element, &i);

	return e != NULL ? e->tags : (struct doc_tags){ NULL, 0 };
}

const struct doc_writer *doc_register_writer(const struct doc *d, uint32_t key, const struct id16 *element, uint32_t sub_key)
{
	const struct doc_field *f = typed_field(&d->fields, key, element != NULL ? FIELD_MAP : FIELD_REGISTER);
	const struct doc_element *e;
	size_t i;

	if (f == NULL || element == NULL)
		return f != NULL ? f->writer : NULL;
	e = find_element(&f->u.map->live, element, &i);
	if (e == NULL && (e = find_element(&f->u.map->dead, element, &i)) == NULL)
		return NULL;
	f = typed_field(&e->fields, sub_key, FIELD_REGISTER);
	return f != NULL ? f->writer : NULL;
}
