/* doc_form: the cached form of a document; see doc.h. */
#include <stdlib.h>
#include "base/mem.h"
#include "crdt/doc_state.h"

/* ---- encoding ---- */

struct writers { const struct doc_writer **at; size_t n; };

/* All fields that hold registers, one list after the other. */
static void each_list(const struct doc *d, void (*each)(void *, const struct doc_list *), void *arg)
{
	each(arg, &d->fields);
	for (size_t i = 0; i < d->fields.n; i++) {
		const struct doc_field *f = doc_field_at(&d->fields, i);

		if (f->type != FIELD_MAP)
			continue;
		for (size_t k = 0; k < f->u.map->live.n; k++)
			each(arg, &doc_element_at(&f->u.map->live, k)->fields);
		for (size_t k = 0; k < f->u.map->dead.n; k++)
			each(arg, &doc_element_at(&f->u.map->dead, k)->fields);
	}
}

static void count_writers(void *arg, const struct doc_list *fields)
{
	for (size_t i = 0; i < fields->n; i++)
		((struct writers *)arg)->n += doc_field_at(fields, i)->writer != NULL;
}

static void list_writers(void *arg, const struct doc_list *fields)
{
	struct writers *w = arg;

	for (size_t i = 0; i < fields->n; i++)
		if (doc_field_at(fields, i)->writer != NULL)
			w->at[w->n++] = doc_field_at(fields, i)->writer;
}

static int writer_compare(const void *a, const void *b)
{
	const struct doc_writer *x = *(const struct doc_writer *const *)a, *y = *(const struct doc_writer *const *)b;

	return doc_stamp_compare(x->hlc, &x->id, y->hlc, &y->id);
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
static bool is_present(const struct doc_field *f)
{
	switch (f->type) {
	case FIELD_REGISTER: return f->writer != NULL;
	case FIELD_COUNTER: return f->u.total != 0;
	case FIELD_SET: return f->u.entries.n > 0;
	case FIELD_MAP: return f->u.map->live.n + f->u.map->dead.n > 0;
	}
	return false;
}

static void put_fields(struct buf *out, const struct doc_list *fields, const struct writers *w);

static void put_elements(struct buf *out, const struct doc_map *m, const struct writers *w)
{
	size_t live = 0, dead = 0;

	mp_put_map(out, m->live.n + m->dead.n);
	while (live < m->live.n || dead < m->dead.n) {
		const struct doc_element *l = live < m->live.n ? doc_element_at(&m->live, live) : NULL;
		const struct doc_element *x = dead < m->dead.n ? doc_element_at(&m->dead, dead) : NULL;

		if (x == NULL || (l != NULL && id16_compare(&l->id, &x->id) < 0)) {
			x = l;
			live++;
		} else {
			dead++;
		}
		mp_put_bin(out, x->id.b, DOC_LEN);
		mp_put_array(out, 2);
		put_tags(out, x->tags);
		put_fields(out, &x->fields, w);
	}
}

static void put_field(struct buf *out, const struct doc_field *f, const struct writers *w)
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
			buf_put_slice(out, doc_entry_at(&f->u.entries, i)->value);
			put_tags(out, doc_entry_at(&f->u.entries, i)->tags);
		}
		break;
	case FIELD_MAP:
		put_elements(out, f->u.map, w);
		break;
	}
}

static void put_fields(struct buf *out, const struct doc_list *fields, const struct writers *w)
{
	size_t present = 0;

	for (size_t i = 0; i < fields->n; i++)
		present += is_present(doc_field_at(fields, i));
	mp_put_map(out, present);
	for (size_t i = 0; i < fields->n; i++) {
		if (!is_present(doc_field_at(fields, i)))
			continue;
		mp_put_uint(out, doc_field_at(fields, i)->key);
		put_field(out, doc_field_at(fields, i), w);
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
	struct doc_writer *w = doc_keep(l->doc, n * sizeof *w);

	if (w == NULL) {
		no_memory(l);
		return;
	}
	for (size_t i = 0; i < n && l->r.err == OK; i++) {
		get_stamp(&l->r, &w[i]);
		if (i > 0 && doc_stamp_compare(w[i - 1].hlc, &w[i - 1].id, w[i].hlc, &w[i].id) >= 0)
			mp_fail(&l->r, ERR_MALFORMED);
	}
	l->writers = w;
	l->n_writers = n;
}

static void load_register(struct load *l, struct doc_field *f)
{
	uint64_t writer;

	mp_get_array_of(&l->r, 2);
	writer = mp_get_uint(&l->r, UINT32_MAX);
	f->value = doc_read_scalar(&l->r);
	if (writer < l->n_writers)
		f->writer = &l->writers[writer];
	else
		mp_fail(&l->r, ERR_MALFORMED);
}

static void load_set(struct load *l, struct doc_list *entries)
{
	struct slice before = SLICE(NULL, 0);
	size_t n = doc_read_count(&l->r);

	if (!doc_list_reserve(l->doc, entries, sizeof(struct doc_entry), n)) {
		no_memory(l);
		return;
	}
	for (size_t i = 0; i < n && l->r.err == OK; i++) {
		struct doc_entry *e = doc_list_insert(l->doc, entries, sizeof *e, i);

		mp_get_array_of(&l->r, 2);
		e->value = doc_read_next(&l->r, &before);
		e->tags = doc_read_tags(&l->r);
		if (e->tags.n == 0)
			mp_fail(&l->r, ERR_MALFORMED);
	}
}

static void load_fields(struct load *l, struct doc_list *fields, const struct schema *s, bool top);

static void load_map(struct load *l, struct doc_map *m, const struct schema *s)
{
	size_t n = mp_get_map(&l->r, (size_t)(l->r.end - l->r.at) / (2 + DOC_LEN));
	struct doc_element x, before;

	if (!doc_list_reserve(l->doc, &m->live, sizeof x, n)) {
		no_memory(l);
		return;
	}
	for (size_t i = 0; i < n && l->r.err == OK; i++) {
		struct doc_list *to;
		struct doc_element *e;

		x = (struct doc_element){0};
		mp_get_fixed(&l->r, x.id.b, DOC_LEN);
		if (i > 0 && id16_compare(&before.id, &x.id) >= 0)
			mp_fail(&l->r, ERR_MALFORMED);
		mp_get_array_of(&l->r, 2);
		x.tags = doc_read_tags(&l->r);
		load_fields(l, &x.fields, s, false);
		to = x.tags.n > 0 ? &m->live : &m->dead;
		if ((e = doc_list_insert(l->doc, to, sizeof x, to->n)) == NULL)
			no_memory(l);
		else
			*e = x;
		before = x;
	}
}

static void load_field(struct load *l, struct doc_field *f, const struct schema_field *s)
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
		if ((f->u.map = doc_keep(l->doc, sizeof *f->u.map)) != NULL)
			load_map(l, f->u.map, s->element);
		else
			no_memory(l);
		break;
	}
}

static void load_fields(struct load *l, struct doc_list *fields, const struct schema *schema, bool top)
{
	size_t n = mp_get_map(&l->r, schema->n), next = 0;

	if (!doc_list_reserve(l->doc, fields, sizeof(struct doc_field), n)) {
		no_memory(l);
		return;
	}
	for (size_t i = 0; i < n && l->r.err == OK; i++) {
		uint32_t key = doc_read_key(&l->r);

		while (next < schema->n && schema->fields[next].key < key)      /* both ascend */
			next++;
		if (next == schema->n || schema->fields[next].key != key || !(top || doc_is_plain(schema->fields[next].type))) {
			mp_fail(&l->r, ERR_MALFORMED);
			return;
		}
		load_field(l, doc_list_insert(l->doc, fields, sizeof(struct doc_field), i), &schema->fields[next++]);
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
	return DOC_ALIGN(cached.len) + DOC_ALIGN(writers * sizeof(struct doc_writer)) + DOC_ALIGN(schema->n * sizeof(struct doc_field));
}

enum err doc_decode(struct doc **out, const struct schema *schema, struct slice cached)
{
	struct load l = { .doc = doc_with_room(schema, room_for(schema, cached)) };
	struct slice copy;
	enum err e = ERR_NOMEM;

	*out = NULL;
	if (l.doc == NULL || !doc_keep_slice(l.doc, &copy, cached))
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
