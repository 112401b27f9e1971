#include "cli/pick.h"
#include <string.h>

struct cursor { const char *at, *end; };

static void blanks(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r'))
		c->at++;
}

static bool take(struct cursor *c, char wanted)
{
	blanks(c);
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

/* A string with its quotes.  *plain: it means what it shows. */
static bool take_string(struct cursor *c, struct slice *out, bool *plain)
{
	const char *begin = c->at;

	*plain = true;
	if (!take(c, '"'))
		return false;
	begin = c->at - 1;
	while (c->at < c->end && *c->at != '"') {
		if (*c->at == '\\') {
			*plain = false;
			c->at++;
		}
		c->at++;
	}
	if (c->at >= c->end)
		return false;
	c->at++;
	*out = SLICE(begin, (size_t)(c->at - begin));
	return true;
}

/* Any value, skipped: nested ones by counting brackets. */
static bool take_value(struct cursor *c, struct slice *out, bool *plain)
{
	const char *begin;
	size_t depth = 0;
	struct slice s;

	blanks(c);
	begin = c->at;
	if (c->at < c->end && *c->at == '"')
		return take_string(c, out, plain);
	*plain = false;
	do {
		if (c->at == c->end)
			return false;
		if (*c->at == '"') {
			bool ignored;
			if (!take_string(c, &s, &ignored))
				return false;
			continue;
		}
		if (*c->at == '[' || *c->at == '{')
			depth++;
		else if (depth > 0 && (*c->at == ']' || *c->at == '}'))
			depth--;
		c->at++;
	} while (depth > 0 || (c->at < c->end && strchr(",]} \n\t\r", *c->at) == NULL));
	*out = SLICE(begin, (size_t)(c->at - begin));
	return out->len > 0;
}

static json_t *value_of(struct slice s, bool plain)
{
	if (plain)
		return json_stringn((const char *)s.data + 1, s.len - 2);       /* checks its UTF-8 */
	if (slice_equal(s, slice_of("null")))
		return json_null();
	return json_loadb((const char *)s.data, s.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
}

static const char *wanted(struct slice quoted, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(keys[i]) == quoted.len - 2 && memcmp(keys[i], quoted.data + 1, quoted.len - 2) == 0)
			return keys[i];
	return NULL;
}

static json_t *pick_object(struct cursor *c, const char *const *keys, size_t n)
{
	json_t *object = take(c, '{') ? json_object() : NULL;
	struct slice name, value;
	bool plain, ok = object != NULL;

	if (ok && take(c, '}'))
		return object;
	while (ok) {
		const char *key;

		ok = take_string(c, &name, &plain) && plain && take(c, ':') && take_value(c, &value, &plain);
		key = ok ? wanted(name, keys, n) : NULL;
		if (key != NULL)
			ok = json_object_set_new(object, key, value_of(value, plain)) == 0;
		if (ok && !take(c, ',')) {
			if (take(c, '}'))
				return object;
			ok = false;
		}
	}
	json_decref(object);
	return NULL;
}

json_t *pick_rows(struct slice text, const char *const *keys, size_t n)
{
	struct cursor c = { (const char *)text.data, (const char *)text.data + text.len };
	json_t *rows = take(&c, '[') ? json_array() : NULL;
	bool ok = rows != NULL, more = ok && !take(&c, ']');

	while (ok && more) {
		ok = json_array_append_new(rows, pick_object(&c, keys, n)) == 0;
		more = ok && take(&c, ',');
		if (ok && !more)
			ok = take(&c, ']');
	}
	blanks(&c);
	if (ok && c.at == c.end)
		return rows;
	json_decref(rows);
	return NULL;
}
