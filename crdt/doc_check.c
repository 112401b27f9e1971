/* doc_check: reading bodies, and which are refused; see doc.h. */
#include <string.h>
#include "base/limits.h"
#include "crdt/doc_state.h"

/* ---- reading: what bodies and cached forms have in common ---- */

const uint8_t *doc_tag_at(struct doc_tags t, size_t i)
{
	return t.at + i * TAG_SIZE;
}

int doc_tag_compare(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, TAG_SIZE);
}

struct doc_tags doc_read_tags(struct mp_reader *r)
{
	size_t n = mp_get_array(r, (size_t)(r->end - r->at) / TAG_SIZE);
	struct doc_tags tags = { r->at, (uint32_t)n };

	for (size_t i = 0; i < n && r->err == OK; i++) {
		struct slice id = mp_get_bin(r, ID_LEN);

		if (id.len != ID_LEN || (i > 0 && doc_tag_compare(doc_tag_at(tags, i - 1), doc_tag_at(tags, i)) >= 0))
			mp_fail(r, ERR_MALFORMED);
	}
	return r->err == OK ? tags : (struct doc_tags){ NULL, 0 };
}

struct slice doc_read_scalar(struct mp_reader *r)
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

size_t doc_read_count(struct mp_reader *r)
{
	return mp_get_array(r, (size_t)(r->end - r->at));
}

size_t doc_read_pairs(struct mp_reader *r)
{
	return mp_get_map(r, (size_t)(r->end - r->at));
}

uint32_t doc_read_key(struct mp_reader *r)
{
	return (uint32_t)mp_get_uint(r, UINT32_MAX);
}

/* The next value of an ascending list. */
struct slice doc_read_next(struct mp_reader *r, struct slice *before)
{
	struct slice value = doc_read_scalar(r);

	if (before->data != NULL && slice_compare(*before, value) >= 0)
		mp_fail(r, ERR_MALFORMED);
	*before = value;
	return value;
}

/* ---- checking ---- */

static void check_set(struct mp_reader *r)
{
	struct slice before = SLICE(NULL, 0);

	mp_get_array_of(r, 2);
	for (size_t n = doc_read_count(r); n > 0 && r->err == OK; n--)
		doc_read_next(r, &before);
	before = SLICE(NULL, 0);
	for (size_t n = doc_read_count(r); n > 0 && r->err == OK; n--) {
		mp_get_array_of(r, 2);
		doc_read_next(r, &before);
		if (doc_read_tags(r).n == 0)
			mp_fail(r, ERR_MALFORMED);
	}
}

static void check_plain(struct mp_reader *r, enum field_type type)
{
	if (type == FIELD_REGISTER)
		doc_read_scalar(r);
	else
		mp_get_int(r, INT64_MIN, INT64_MAX);
}

static void check_element(struct mp_reader *r, const struct schema *s)
{
	struct doc_tags tags;

	mp_get_array_of(r, 2);
	tags = doc_read_tags(r);
	if (mp_get_nil(r)) {
		if (tags.n == 0)                /* who removes has seen what keeps it alive */
			mp_fail(r, ERR_MALFORMED);
		return;
	}
	for (size_t n = doc_read_pairs(r); n > 0 && r->err == OK; n--) {
		const struct schema_field *f = schema_find(s, doc_read_key(r));

		if (f != NULL && doc_is_plain(f->type))
			check_plain(r, f->type);
		else
			mp_get_any(r);
	}
}

static void check_map(struct mp_reader *r, const struct schema *s)
{
	struct id16 id;

	for (size_t n = doc_read_pairs(r); n > 0 && r->err == OK; n--) {
		mp_get_fixed(r, id.b, DOC_LEN);
		check_element(r, s);
	}
}

static void check_seen(struct mp_reader *r)
{
	struct slice before = SLICE(NULL, 0);

	for (size_t n = doc_read_count(r); n > 0 && r->err == OK; n--) {
		struct slice id = mp_get_bin(r, DOC_SEEN_LEN);

		if (id.len != DOC_SEEN_LEN || (before.data != NULL && slice_compare(before, id) >= 0))
			mp_fail(r, ERR_MALFORMED);
		before = id;
	}
}

static void check_pair(struct mp_reader *r, const struct schema *schema)
{
	uint32_t key = doc_read_key(r);
	const struct schema_field *f = schema_find(schema, key);

	if (key == DOC_KEY_SEEN)
		check_seen(r);
	else if (key == DOC_KEY_CREATE && !mp_get_bool(r))
		mp_fail(r, ERR_MALFORMED);
	else if (key == DOC_KEY_CREATE)
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
