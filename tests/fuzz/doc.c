/* Documents.  The first byte chooses: a cached form, or bodies (each behind its length, two bytes) applied one after the other.
 * What is decoded or folded encodes to what decodes to the same; a body that is refused changes nothing. */
#include <stdlib.h>
#include "base/limits.h"
#include "base/mp.h"
#include "crdt/doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct schema_field element_fields[] = { { 2, FIELD_REGISTER, NULL }, { 3, FIELD_COUNTER, NULL } };
static const struct schema element = { element_fields, 2 };
static const struct schema_field fields[] = {
	{ 2, FIELD_REGISTER, NULL }, { 3, FIELD_REGISTER, NULL }, { 4, FIELD_SET, NULL }, { 5, FIELD_COUNTER, NULL },
	{ 6, FIELD_MAP, &element } };
static const struct schema schema = { fields, 5 };

static void read_all(const struct doc *d)
{
	struct doc_writer w;

	for (uint32_t key = 0; key < 8; key++) {
		doc_register(d, key, &w);
		doc_counter(d, key);
		for (size_t i = 0; i < doc_set_count(d, key); i++)
			if (doc_set_at(d, key, i).len == 0)
				abort();
		for (size_t i = 0; i < doc_map_count(d, key); i++) {
			doc_map_register(d, key, doc_map_at(d, key, i), 2, &w);
			doc_map_counter(d, key, doc_map_at(d, key, i), 3);
		}
	}
}

static void encode_and_back(const struct doc *d)
{
	struct buf one = {0}, two = {0};
	struct doc *back;

	if (doc_encode(&one, d) != OK || doc_decode(&back, &schema, buf_slice(&one)) != OK || doc_encode(&two, back) != OK)
		abort();
	if (!slice_equal(buf_slice(&one), buf_slice(&two)))
		abort();
	read_all(back);
	doc_free(back);
	buf_free(&one);
	buf_free(&two);
}

static void decode_cached(struct slice cached)
{
	struct doc *d;

	if (doc_decode(&d, &schema, cached) != OK)
		return;
	read_all(d);
	encode_and_back(d);
	doc_free(d);
}

/* A change to the document as it stands, which must be well-formed and applicable. */
static void change_it(struct doc *d, struct doc_op *op)
{
	struct change *c = change_new(&schema, d);
	struct buf body = {0};
	struct slice nil = SLICE("\xc0", 1);

	change_register_nil(c, 2);
	change_set_add(c, 4, nil);
	if (doc_set_count(d, 4) > 0)
		change_set_remove(c, 4, doc_set_at(d, 4, 0));
	if (doc_map_count(d, 6) > 0)
		change_map_remove(c, 6, doc_map_at(d, 6, 0));
	if (doc_map_count(d, 6) > 1)
		change_map_edit(c, 6, doc_map_at(d, 6, 1), 2, nil);
	if (change_finish(c, &body) == OK) {
		op->body = buf_slice(&body);
		if (doc_apply(d, op) != OK)
			abort();
	}
	change_free(c);
	buf_free(&body);
}

static void apply_bodies(const uint8_t *data, size_t len)
{
	struct doc *d = doc_new(&schema);
	struct doc_op op = { .hlc = 1 };

	for (; len >= 2; op.hlc++) {
		size_t size = get_u16(data);

		size = size < len - 2 ? size : len - 2;
		op.id.b[0]++;
		op.id.b[1] = (uint8_t)(size & 3);
		op.body = SLICE(data + 2, size);
		doc_in_order(d, &op);
		if (doc_check(&schema, op.body) != doc_apply(d, &op))
			abort();
		data += 2 + size;
		len -= 2 + size;
	}
	read_all(d);
	encode_and_back(d);
	op.id.b[2] = 1;
	change_it(d, &op);
	encode_and_back(d);
	doc_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	if (data[0] & 1)
		decode_cached(SLICE(data + 1, len - 1));
	else
		apply_bodies(data + 1, len - 1);
	return 0;
}
