#include "daemon/json.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/id.h"
#include "base/mem.h"

/* ---- building ---------------------------------------------------------------------------------------------------------- */
void json_put(json_t **object, const char *key, json_t *value)
{
	if (*object == NULL) {
		json_decref(value);
		return;
	}
	if (json_object_set_new_nocheck(*object, key, value) != 0) {
		json_decref(*object);
		*object = NULL;
	}
}

void json_add(json_t **array, json_t *value)
{
	if (*array == NULL) {
		json_decref(value);
		return;
	}
	if (json_array_append_new(*array, value) != 0) {
		json_decref(*array);
		*array = NULL;
	}
}

/* ---- values -------------------------------------------------------------------------------------------------------------- */
json_t *json_of_text(struct slice s)
{
	return json_stringn(s.data == NULL ? "" : (const char *)s.data, s.len);
}

json_t *json_of_text_or_null(struct slice s)
{
	return s.len == 0 ? json_null() : json_of_text(s);
}

json_t *json_of_string(const char *text)
{
	return text == NULL ? json_null() : json_string(text);
}

static json_t *id_text(const void *id, size_t len)
{
	char text[ID_TEXT_MAX];

	return json_string_nocheck(id_format(text, id, len, 0));
}

json_t *json_of_id16(const struct id16 *id)
{
	return id == NULL ? json_null() : id_text(id, DOC_LEN);
}

json_t *json_of_id32(const struct id32 *id)
{
	return id == NULL ? json_null() : id_text(id, ID_LEN);
}

json_t *json_of_uint(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

json_t *json_of_decimal(decimal d)
{
	if (d % DECIMAL_ONE == 0)
		return json_integer(d / DECIMAL_ONE);
	return json_real((double)d / (double)DECIMAL_ONE);
}

json_t *json_of_number(struct number n)
{
	return n.set ? json_of_decimal(n.value) : json_null();
}

json_t *json_of_time(uint64_t ms)
{
	const time_t seconds = (time_t)(ms / 1000);
	char text[80];
	struct tm tm;

	if (ms == 0 || gmtime_r(&seconds, &tm) == NULL)
		return json_null();
	snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		tm.tm_sec);
	return json_string_nocheck(text);
}

/* ---- fields ---------------------------------------------------------------------------------------------------------------- */
static json_t *fallback(const struct field_spec *f)
{
	decimal d;

	if (f->fallback == NULL)
		return json_null();
	switch (f->value) {
	case VALUE_DECIMAL:
	case VALUE_WEIGHT:
	case VALUE_UINT:
		return decimal_parse(&d, slice_of(f->fallback)) == OK ? json_of_decimal(d) : json_null();
	case VALUE_BOOL:
		return json_boolean(strcmp(f->fallback, "true") == 0);
	default:
		return json_string(f->fallback);
	}
}

json_t *json_of_field(const struct field_spec *f, struct slice encoded)
{
	struct buf text = {0};
	struct value v;
	json_t *value;

	if (value_load(&v, f, encoded) != OK || !v.set)
		return fallback(f);
	switch (f->value) {
	case VALUE_DECIMAL:
	case VALUE_WEIGHT:
		return json_of_decimal(v.number);
	case VALUE_UINT:
		return json_integer(v.number);
	case VALUE_BOOL:
		return json_boolean(v.number != 0);
	case VALUE_TIME:
		return json_of_time((uint64_t)v.number);
	case VALUE_TEXT:
		return json_of_text_or_null(v.bytes);
	case VALUE_ENUM:
		return json_string_nocheck(f->names->names[v.number]);
	case VALUE_ID16:
	case VALUE_ID32:
		return id_text(v.bytes.data, v.bytes.len);
	default:
		value = value_format(&text, f, encoded) == OK ? json_of_text(buf_slice(&text)) : NULL;
		buf_free(&text);
		return value;
	}
}

static json_t *set_of(const struct field_spec *f, const struct doc *doc)
{
	json_t *list = json_array();

	for (size_t i = 0; i < doc_set_count(doc, f->key); i++)
		json_add(&list, json_of_field(f, doc_set_at(doc, f->key, i)));
	return list;
}

static json_t *element_of(const struct field_spec *f, const struct doc *doc, const struct id16 *id)
{
	json_t *o = json_object();

	json_put(&o, "id", json_of_id16(id));
	for (size_t i = 0; i < f->element->n; i++) {
		const struct field_spec *of = &f->element->fields[i];

		json_put(&o, of->name, json_of_field(of, doc_map_register(doc, f->key, id, of->key, NULL)));
	}
	return o;
}

/* Elements have a position, or the time at which they were made; the field that says so. */
static const struct field_spec *order_of(const struct kind_spec *element)
{
	const struct field_spec *f = model_field(element, "position");

	return f != NULL ? f : model_field(element, "at");
}

struct place { const struct id16 *id; struct value at; };

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = slice_compare(x->at.bytes, y->at.bytes);

	if (order == 0 && x->at.number != y->at.number)
		order = x->at.number < y->at.number ? -1 : 1;
	return order != 0 ? order : id16_compare(x->id, y->id);
}

static json_t *map_of(const struct field_spec *f, const struct doc *doc)
{
	const struct field_spec *order = order_of(f->element);
	size_t n = doc_map_count(doc, f->key);
	struct place *places = mem_array(n, sizeof *places);
	json_t *list = places == NULL ? NULL : json_array();

	for (size_t i = 0; places != NULL && i < n; i++) {
		places[i].id = doc_map_at(doc, f->key, i);
		if (order != NULL)
			value_load(&places[i].at, order, doc_map_register(doc, f->key, places[i].id, order->key, NULL));
	}
	if (places != NULL && n > 0)
		qsort(places, n, sizeof *places, by_place);
	for (size_t i = 0; places != NULL && i < n; i++)
		json_add(&list, element_of(f, doc, places[i].id));
	mem_free(places);
	return list;
}

static bool listed(const char *const *names, const char *name)
{
	for (; names != NULL && *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

bool json_wanted(const char *wanted, const char *key)
{
	const size_t len = strlen(key);

	for (const char *at = wanted; at != NULL; at = strchr(at, ',')) {
		at += at != wanted;
		if (strncmp(at, key, len) == 0 && (at[len] == ',' || at[len] == '\0'))
			return true;
	}
	return wanted == NULL;
}

uint64_t json_fields(const struct kind_spec *kind, const char *const *skip, const char *wanted)
{
	uint64_t fields = 0;

	assert(kind->n <= 64);
	for (size_t i = 0; i < kind->n; i++)
		if (!listed(skip, kind->fields[i].name) && json_wanted(wanted, kind->fields[i].name))
			fields |= UINT64_C(1) << i;
	return fields;
}

void json_put_fields(json_t **object, const struct kind_spec *kind, const struct doc *doc, const char *const *skip)
{
	json_put_chosen(object, kind, doc, json_fields(kind, skip, NULL));
}

void json_put_chosen(json_t **object, const struct kind_spec *kind, const struct doc *doc, uint64_t fields)
{
	for (size_t i = 0; i < kind->n; i++) {
		const struct field_spec *f = &kind->fields[i];

		if ((fields >> i & 1) == 0)
			continue;
		switch (f->field) {
		case FIELD_SET:
			json_put(object, f->name, set_of(f, doc));
			break;
		case FIELD_MAP:
			json_put(object, f->name, map_of(f, doc));
			break;
		case FIELD_COUNTER:
			json_put(object, f->name, json_integer(doc_counter(doc, f->key)));
			break;
		case FIELD_REGISTER:
			json_put(object, f->name, json_of_field(f, doc_register(doc, f->key, NULL)));
			break;
		}
	}
}

/* ---- from clients -------------------------------------------------------------------------------------------------------------- */
static bool scalar_text(struct buf *out, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		buf_put(out, json_string_value(value), json_string_length(value));
		return true;
	case JSON_INTEGER:
		buf_printf(out, "%lld", (long long)json_integer_value(value));
		return true;
	case JSON_REAL:
		buf_printf(out, "%.15g", json_real_value(value));
		return true;
	case JSON_TRUE:
		buf_put_text(out, "true");
		return true;
	case JSON_FALSE:
		buf_put_text(out, "false");
		return true;
	case JSON_NULL:
		return true;
	default:
		return false;
	}
}

bool json_to_text(struct buf *out, const json_t *value)
{
	const json_t *one;
	size_t i;

	if (!json_is_array(value))
		return scalar_text(out, value);
	json_array_foreach(value, i, one) {
		if (i > 0)
			buf_put_text(out, ", ");
		if (json_is_null(one) || !scalar_text(out, one))
			return false;
	}
	return true;
}
