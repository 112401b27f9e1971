/* Replies: fields as a canonical map, kept for 24 h under the request id, so that a command that is sent twice is done once.
 * TABLE_REPLY: 'r' ‖ request16 → [wall ms, err, message, hint, fields]; 't' ‖ wall ms ‖ request16 → nothing. */
#include <stdlib.h>
#include <string.h>
#include "daemon/node/effects.h"
#include "daemon/node/node_internal.h"

struct field { struct buf key, value; };
struct reply_builder { struct field *fields; size_t n, cap; bool failed; };

struct reply_builder *reply_new(void)
{
	return mem_alloc(sizeof(struct reply_builder));
}

static void reply_free(struct reply_builder *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->n; i++) {
		buf_free(&b->fields[i].key);
		buf_free(&b->fields[i].value);
	}
	mem_free(b->fields);
	mem_free(b);
}

static struct buf *field_add(struct reply_builder *b, const char *key)
{
	struct field *grown;

	if (b == NULL)
		return NULL;
	if ((grown = mem_grow(b->fields, &b->cap, b->n, sizeof *grown)) == NULL) {
		b->failed = true;
		return NULL;
	}
	b->fields = grown;
	grown = &grown[b->n++];
	memset(grown, 0, sizeof *grown);
	mp_put_text(&grown->key, key);
	return &grown->value;
}

void reply_text(struct reply_builder *b, const char *key, struct slice text)
{
	struct buf *to = field_add(b, key);

	if (to != NULL)
		mp_put_str(to, (const char *)text.data, text.len);
}

void reply_uint(struct reply_builder *b, const char *key, uint64_t v)
{
	struct buf *to = field_add(b, key);

	if (to != NULL)
		mp_put_uint(to, v);
}

void reply_bool(struct reply_builder *b, const char *key, bool v)
{
	struct buf *to = field_add(b, key);

	if (to != NULL)
		mp_put_bool(to, v);
}

void reply_bin(struct reply_builder *b, const char *key, const void *p, size_t len)
{
	struct buf *to = field_add(b, key);

	if (to != NULL)
		mp_put_bin(to, p, len);
}

void reply_nil(struct reply_builder *b, const char *key)
{
	struct buf *to = field_add(b, key);

	if (to != NULL)
		mp_put_nil(to);
}

void reply_raw(struct reply_builder *b, const char *key, struct slice encoded)
{
	struct buf *to = field_add(b, key);

	if (to != NULL)
		buf_put_slice(to, encoded);
}

static int by_key(const void *a, const void *b)
{
	const struct field *x = a, *y = b;

	return slice_compare(buf_slice(&x->key), buf_slice(&y->key));
}

static void put_fields(struct buf *out, struct reply_builder *b)
{
	if (b == NULL) {
		mp_put_map(out, 0);
		return;
	}
	if (b->failed)
		out->err = ERR_NOMEM;
	if (b->n > 0)
		qsort(b->fields, b->n, sizeof *b->fields, by_key);
	mp_put_map(out, b->n);
	for (size_t i = 0; i < b->n; i++) {
		buf_put_slice(out, buf_slice(&b->fields[i].key));
		buf_put_slice(out, buf_slice(&b->fields[i].value));
	}
}

static void reply_effect(struct node *n, uint64_t token, enum err err, struct slice message, struct slice hint, struct slice fields)
{
	struct reply *reply = effects_memory(n->effects, sizeof *reply);
	struct effect *effect;

	if (reply == NULL)
		return;
	reply->err = err;
	reply->message = effects_copy(n->effects, message);
	reply->hint = effects_copy(n->effects, hint);
	reply->fields = effects_copy(n->effects, fields);
	effect = effects_add(n->effects, EFFECT_REPLY);
	effect->token = token;
	effect->reply = reply;
}

#define TIME_KEY (1 + 8 + DOC_LEN)

static enum err forget_old(struct node *n)
{
	struct store_cursor *c = NULL;
	struct slice key;
	uint8_t old[TIME_KEY], record[1 + DOC_LEN] = { 'r' };
	enum err e;

	for (int i = 0; i < 4; i++) {           /* a few each time is enough to keep up */
		bool expired = false;

		e = store_cursor_open(&c, n->txn, TABLE_REPLY, SLICE("t", 1), SLICE(NULL, 0), false);
		if (e == OK && (e = store_cursor_next(c, &key, NULL)) == OK && key.len == TIME_KEY) {
			memcpy(old, key.data, TIME_KEY);
			expired = get_u64(old + 1) + LIMIT_REPLY_KEEP_MS < n->wall_ms;
		}
		store_cursor_close(c);
		if (e == ERR_NOTFOUND || (e == OK && !expired))
			return OK;
		if (e != OK)
			return e;
		memcpy(record + 1, old + 9, DOC_LEN);
		if ((e = store_delete(n->txn, TABLE_REPLY, SLICE(old, TIME_KEY))) != OK ||
		    (e = store_delete(n->txn, TABLE_REPLY, SLICE(record, sizeof record))) != OK)
			return e;
	}
	return OK;
}

static enum err keep(struct node *n, const struct id16 *request, enum err err, struct slice message, struct slice hint, struct slice fields)
{
	uint8_t record[1 + DOC_LEN] = { 'r' }, when[TIME_KEY] = { 't' };
	struct buf b = {0};
	enum err e;

	memcpy(record + 1, request, DOC_LEN);
	put_u64(when + 1, n->wall_ms);
	memcpy(when + 9, request, DOC_LEN);
	mp_put_array(&b, 5);
	mp_put_uint(&b, n->wall_ms);
	mp_put_uint(&b, err);
	mp_put_str(&b, (const char *)message.data, message.len);
	mp_put_str(&b, (const char *)hint.data, hint.len);
	mp_put_bin_slice(&b, fields);
	e = b.err ? b.err : store_put(n->txn, TABLE_REPLY, SLICE(record, sizeof record), buf_slice(&b));
	if (e == OK)
		e = store_put(n->txn, TABLE_REPLY, SLICE(when, sizeof when), SLICE(NULL, 0));
	buf_free(&b);
	return e == OK ? forget_old(n) : e;
}

enum err reply_send(struct node *n, uint64_t token, const struct id16 *request, enum err err, const char *message, const char *hint,
	struct reply_builder *b)
{
	struct slice text = slice_of(message == NULL ? "" : message), next = slice_of(hint == NULL ? "" : hint);
	struct buf fields = {0};
	enum err e;

	put_fields(&fields, b);
	e = fields.err;
	if (e == OK)
		reply_effect(n, token, err, text, next, buf_slice(&fields));
	/* Only what changed something needs to be remembered; the rest may simply be asked again. */
	if (e == OK && request != NULL && err == OK && n->dirty)
		e = keep(n, request, err, text, next, buf_slice(&fields));
	buf_free(&fields);
	reply_free(b);
	return e;
}

bool reply_again(struct node *n, uint64_t token, const struct id16 *request)
{
	uint8_t record[1 + DOC_LEN] = { 'r' };
	struct slice value, message, hint, fields;
	struct mp_reader r;
	enum err err;

	memcpy(record + 1, request, DOC_LEN);
	if (store_get(n->txn, TABLE_REPLY, SLICE(record, sizeof record), &value) != OK)
		return false;
	r = mp_read(value);
	mp_get_array_of(&r, 5);
	(void)mp_get_uint(&r, UINT64_MAX);
	err = (enum err)mp_get_uint(&r, ERR_LAST);
	message = mp_get_str(&r, SIZE_MAX);
	hint = mp_get_str(&r, SIZE_MAX);
	fields = mp_get_bin(&r, SIZE_MAX);
	if (mp_end(&r) != OK)
		return false;
	reply_effect(n, token, err, message, hint, fields);
	return true;
}
