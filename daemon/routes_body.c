/* Bodies of requests: JSON values as the text and ids that commands take. */
#include <string.h>
#include <strings.h>
#include "base/id.h"
#include "base/mem.h"
#include "daemon/routes.h"

/* The text lives as long as the request. */
static bool as_text(struct read *q, const char *key, const json_t *value, struct slice *out)
{
	struct buf b = {0};
	uint8_t *copy = NULL;

	*out = SLICE("", 0);
	if (!json_to_text(&b, value)) {
		buf_free(&b);
		return read_fail(q, ERR_USAGE, "“%.64s” must be text, a number, true, false or null, or a list of those.", key);
	}
	if (b.err == OK && b.len > 0 && (copy = request_alloc(q->r, b.len)) != NULL) {
		memcpy(copy, b.data, b.len);
		*out = SLICE(copy, b.len);
	}
	if (b.err != OK || (b.len > 0 && copy == NULL)) {
		buf_free(&b);
		return read_fail(q, ERR_NOMEM, NULL);
	}
	buf_free(&b);
	return true;
}

bool body_has(const struct read *q, const char *key)
{
	return json_object_get(request_body(q->r), key) != NULL;
}

bool body_text(struct read *q, const char *key, struct slice *out, bool *has)
{
	const json_t *value = json_object_get(request_body(q->r), key);

	*out = SLICE("", 0);
	*has = value != NULL && !json_is_null(value);
	return !*has || as_text(q, key, value, out);
}

static bool is_word(struct slice text, const char *word)
{
	return text.len == strlen(word) && strncasecmp((const char *)text.data, word, text.len) == 0;
}

bool body_bool(struct read *q, const char *key, bool *out, bool *has)
{
	struct slice text;

	*out = false;
	if (!body_text(q, key, &text, has))
		return false;
	if (!*has)
		return true;
	*out = is_word(text, "true") || is_word(text, "yes") || is_word(text, "on") || is_word(text, "1");
	if (*out || is_word(text, "false") || is_word(text, "no") || is_word(text, "off") || is_word(text, "0"))
		return true;
	return read_fail(q, ERR_USAGE, "“%s” is true or false.", key);
}

bool body_uint(struct read *q, const char *key, uint64_t max, uint64_t *out, bool *has)
{
	struct slice text;
	bool fits = true;

	*out = 0;
	if (!body_text(q, key, &text, has))
		return false;
	for (size_t i = 0; fits && i < text.len; i++) {
		unsigned digit = (unsigned)text.data[i] - '0';

		fits = digit <= 9 && *out <= (UINT64_MAX - digit) / 10 && (*out = *out * 10 + digit) <= max;
	}
	if (!*has || (fits && text.len > 0))
		return true;
	return read_fail(q, ERR_USAGE, "“%s” is a whole number from 0 to %llu.", key, (unsigned long long)max);
}

bool body_decimal(struct read *q, const char *key, decimal *out, bool *has)
{
	struct slice text;
	enum err e;

	*out = 0;
	if (!body_text(q, key, &text, has))
		return false;
	if (!*has || (e = decimal_parse(out, text)) == OK)
		return true;
	return e == ERR_TOOBIG ? read_fail(q, ERR_USAGE, "“%s” is beyond ±99,999,999.9999.", key)
		: read_fail(q, ERR_USAGE, "“%s” is a number with at most four decimals, such as 45.5.", key);
}

/* A slice of the request's memory as a C string: references never hold NULs. */
static const char *as_string(struct read *q, struct slice text)
{
	char *copy = request_alloc(q->r, text.len + 1);

	if (copy == NULL) {
		read_fail(q, ERR_NOMEM, NULL);
		return NULL;
	}
	memcpy(copy, text.data, text.len);
	return copy;
}

bool body_ref(struct read *q, uint32_t kind, const char *key, const char *what, void *id, bool *has)
{
	struct slice text;
	const char *reference;

	if (!body_text(q, key, &text, has))
		return false;
	*has = *has && text.len > 0;
	if (!*has)
		return true;
	return (reference = as_string(q, text)) != NULL && read_ref(q, kind, reference, what, id);
}

static bool listed(const char *const *names, const char *name)
{
	for (; names != NULL && *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

bool body_pairs(struct read *q, struct command *c, const char *const *skip)
{
	json_t *body = request_body(q->r), *value;
	struct pair *pairs = request_alloc(q->r, (json_object_size(body) + 1) * sizeof *pairs);
	const char *key;

	if (pairs == NULL)
		return read_fail(q, ERR_NOMEM, NULL);
	c->pairs = pairs;
	c->n_pairs = 0;
	json_object_foreach(body, key, value) {
		struct pair *p = &pairs[c->n_pairs];

		if (listed(skip, key))
			continue;
		p->key = slice_of(key);
		if (!as_text(q, key, value, &p->value))
			return false;
		c->n_pairs++;
	}
	return true;
}

bool body_pair_ref(struct read *q, struct command *c, uint32_t kind, const char *key, const char *what)
{
	const size_t len = kind == KIND_PROFILE ? ID_LEN : DOC_LEN;

	for (size_t i = 0; i < c->n_pairs; i++) {
		struct pair *p = (struct pair *)(uintptr_t)&c->pairs[i];
		const char *reference;
		uint8_t id[ID_LEN];
		char *text;

		if (!is_word(p->key, key) || p->value.len == 0 || is_word(p->value, "null"))
			continue;
		if ((reference = as_string(q, p->value)) == NULL || !read_ref(q, kind, reference, what, id))
			return false;
		if ((text = request_alloc(q->r, ID_TEXT_MAX)) == NULL)
			return read_fail(q, ERR_NOMEM, NULL);
		p->value = slice_of(id_format(text, id, len, 0));
	}
	return true;
}

bool body_only(struct read *q, const char *const *known)
{
	json_t *value;
	const char *key;

	json_object_foreach(request_body(q->r), key, value)
		if (!listed(known, key)) {
			char names[200] = "";

			for (size_t i = 0; known[i] != NULL && strlen(names) + strlen(known[i]) + 3 < sizeof names; i++) {
				if (i > 0)
					strcat(names, ", ");
				strcat(names, known[i]);
			}
			return read_fail(q, ERR_USAGE, known[0] == NULL ? "“%.64s” is not known here: nothing is to be said.%s"
				: "“%.64s” is not known here; known: %s.", key, names);
		}
	return true;
}
