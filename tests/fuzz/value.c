/* Text as typed, for every field: refused with a sentence, or a value that prints as text that means the same.  And the same bytes
 * as a stored value: unset, or within the table.  First byte: the kind; second: the field. */
#include <assert.h>
#include <string.h>
#include "org/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_typed(const struct field_spec *f, struct slice typed)
{
	struct buf first = { 0 }, text = { 0 }, second = { 0 };
	struct value v;
	char why[200] = "";
	enum err e = value_parse(&first, f, typed, why);

	assert((e == OK) == (why[0] == '\0') && strlen(why) < sizeof why);
	if (e == OK) {
		assert(value_load(&v, f, buf_slice(&first)) == OK);
		assert(value_format(&text, f, buf_slice(&first)) == OK);
		if (v.set) {
			assert(value_parse(&second, f, buf_slice(&text), why) == OK);
			assert(slice_equal(buf_slice(&first), buf_slice(&second)));
		}
	}
	buf_free(&first);
	buf_free(&text);
	buf_free(&second);
}

static void check_stored(const struct field_spec *f, struct slice bytes)
{
	struct buf text = { 0 };
	struct value v;

	if (value_load(&v, f, bytes) != OK)
		assert(!v.set);
	assert(value_format(&text, f, bytes) == OK);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct kind_spec *kind;
	const struct field_spec *f;
	char name[64];

	if (len < 2 || (kind = model_kind(data[0] % 38)) == NULL)
		return 0;
	f = &kind->fields[data[1] % kind->n];
	if (f->element != NULL)
		f = &f->element->fields[data[1] / kind->n % f->element->n];
	data += 2;
	len -= 2;
	check_typed(f, SLICE(data, len));
	check_stored(f, SLICE(data, len));
	if (len < sizeof name && memchr(data, 0, len) == NULL) {
		memcpy(name, data, len);
		name[len] = '\0';
		model_nearest(kind, name);
		model_field(kind, name);
	}
	return 0;
}
