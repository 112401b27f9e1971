/* op: see op.h.  Protocol §2. */
#include <string.h>
#include "crdt/op_part.h"

#define DOMAIN_BODY "cairn-body"
#define DOMAIN_KEY "cairn-op-key"
#define DOMAIN_NONCE "cairn-op-nonce"
#define HEADER_FIELDS 13
#define STORED_FIELDS 3
#define HEADER_ITEMS (HEADER_FIELDS + LIMIT_HEADS + 1)

void op_put_log(struct buf *out, const struct op *op, bool with_hash)
{
	mp_put_array(out, with_hash ? HEADER_FIELDS : HEADER_FIELDS - 1);
	mp_put_uint(out, FORMAT_VERSION);
	mp_put_bin(out, op->space.b, ID_LEN);
	mp_put_bin(out, op->device.b, ID_LEN);
	mp_put_uint(out, op->incarnation);
}

void op_put_heads(struct buf *out, const struct op *op)
{
	mp_put_array(out, op->n_heads);
	for (size_t i = 0; i < op->n_heads; i++)
		mp_put_bin(out, op->heads[i].b, ID_LEN);
}

void op_put_rest(struct buf *out, const struct op *op, bool with_hash)
{
	mp_put_uint(out, op->seq);
	mp_put_bin(out, op->prev.b, ID_LEN);
	mp_put_uint(out, op->hlc);
	op_put_heads(out, op);
	mp_put_uint(out, op->kind);
	if (op->has_document)
		mp_put_bin(out, op->document.b, DOC_LEN);
	else
		mp_put_nil(out);
	if (op->has_epoch)
		mp_put_bin(out, op->epoch.b, ID_LEN);
	else
		mp_put_nil(out);
	mp_put_uint(out, op->body_len);
	if (with_hash)
		mp_put_bin(out, op->body_hash.b, HASH_LEN);
}

bool op_is_sound(const struct op *op)
{
	/* The first op of a log, and only it, has nothing before it. */
	if (op->seq == 0 || (op->seq == 1) != id32_is_zero(&op->prev))
		return false;
	if (op->body_len > LIMIT_BODY || (op->has_epoch && op->body_len < TAG_LEN) || op->n_heads > LIMIT_HEADS)
		return false;
	for (size_t i = 1; i < op->n_heads; i++)
		if (id32_compare(&op->heads[i - 1], &op->heads[i]) >= 0)
			return false;
	return true;
}

static enum err put_header(struct buf *out, const struct op *op, bool with_hash)
{
	size_t start = out->len;

	if (!op_is_sound(op))
		return ERR_STATE;
	op_put_log(out, op, with_hash);
	op_put_rest(out, op, with_hash);
	if (out->err != OK)
		out->len = start;
	return out->err;
}

enum err op_header(struct buf *out, struct op *op)
{
	size_t start = out->len;
	enum err e = put_header(out, op, true);

	if (e == OK)
		crypto_hash1(&op->id, OP_DOMAIN, out->data + start, out->len - start);
	return e;
}

enum err op_header_part(struct buf *out, const struct op *op)
{
	return put_header(out, op, false);
}

/* ---- bodies ---- */

struct slice op_present(struct slice body)
{
	return body.data != NULL ? body : SLICE("", 0);
}

/* One key per incarnation, so that a nonce can repeat only if one incarnation writes two ops with one header part. */
static void body_key(uint8_t key[KEY_LEN], const struct op *op, const uint8_t epoch_key[KEY_LEN])
{
	uint8_t incarnation[8];
	struct slice parts[2] = { SLICE(op->device.b, ID_LEN), SLICE(incarnation, sizeof incarnation) };

	put_u64(incarnation, op->incarnation);
	crypto_mac(key, KEY_LEN, epoch_key, DOMAIN_KEY, parts, 2);
}

/* The nonce is bound to everything before the body hash, and not stored. */
static void body_nonce(uint8_t nonce[NONCE_LEN], const uint8_t key[KEY_LEN], struct slice part)
{
	crypto_mac(nonce, NONCE_LEN, key, DOMAIN_NONCE, &part, 1);
}

/* Seal plain (which must not lie in out) into the op->body_len bytes at body_at of out; the header part is written behind them
 * and taken away again. */
static enum err seal_at(const struct op *op, struct buf *out, size_t body_at, struct slice plain, const uint8_t *epoch_key)
{
	size_t end = out->len;
	uint8_t key[KEY_LEN], nonce[NONCE_LEN];
	struct slice part;
	enum err e = op_header_part(out, op);

	if (e != OK)
		return e;
	part = SLICE(out->data + end, out->len - end);
	body_key(key, op, epoch_key);
	body_nonce(nonce, key, part);
	crypto_seal(out->data + body_at, plain.data, plain.len, part, nonce, key);
	crypto_wipe(key, sizeof key);
	out->len = end;
	return OK;
}

enum err op_seal(struct op *op, struct buf *out, struct slice plain, const uint8_t epoch_key[KEY_LEN])
{
	size_t start = out->len, len = plain.len + (op->has_epoch ? TAG_LEN : 0);
	enum err e = OK;

	if (len > LIMIT_BODY)
		return ERR_TOOBIG;
	op->body_len = (uint32_t)len;
	if (op->has_epoch) {
		buf_extend(out, len);
		e = out->err != OK ? out->err : seal_at(op, out, start, plain, epoch_key);
	} else {
		buf_put_slice(out, plain);
	}
	if (e != OK || (e = out->err) != OK)
		goto fail;
	crypto_hash1(&op->body_hash, DOMAIN_BODY, out->data + start, len);
	e = op_header(out, op);
	if (e != OK)
		goto fail;
	out->len = start + len;
	op->body = op_present(SLICE(out->data + start, len));
	return OK;
fail:
	out->len = start;
	return e;
}

static enum err open_at(const struct op *op, struct buf *out, size_t plain_at, const uint8_t *epoch_key)
{
	size_t end = out->len;
	uint8_t key[KEY_LEN], nonce[NONCE_LEN];
	struct slice part;
	enum err e = op_header_part(out, op);

	if (e != OK)
		return e;
	part = SLICE(out->data + end, out->len - end);
	body_key(key, op, epoch_key);
	body_nonce(nonce, key, part);
	e = crypto_open(out->data + plain_at, op->body.data, op->body.len, part, nonce, key);
	crypto_wipe(key, sizeof key);
	out->len = end;
	return e;
}

enum err op_open(struct buf *out, const struct op *op, const uint8_t epoch_key[KEY_LEN])
{
	size_t start = out->len;
	enum err e;

	if (op->body.data == NULL)
		return ERR_MISSING;
	if (!op->has_epoch) {
		buf_put_slice(out, op->body);
		return out->err;
	}
	if (epoch_key == NULL || op->body.len < TAG_LEN)
		return ERR_SEALED;
	buf_extend(out, op->body.len - TAG_LEN);
	e = out->err != OK ? out->err : open_at(op, out, start, epoch_key);
	if (e != OK)
		out->len = start;
	return e;
}

void op_sign(struct op *op, const uint8_t secret[SIGN_SECRET_LEN])
{
	crypto_sign(op->signature, OP_DOMAIN, &op->id, secret);
	op->has_signature = true;
}

bool op_verify(const struct op *op)
{
	return op->has_signature && crypto_verify(op->signature, OP_DOMAIN, &op->id, &op->device);
}

/* ---- stored form ---- */

enum err op_store(struct buf *out, const struct op *op)
{
	uint8_t room[OP_HEADER_ROOM];
	struct buf header = { .data = room, .cap = sizeof room };       /* never grows: the longest header fits */
	size_t start = out->len;
	enum err e = put_header(&header, op, true);

	if (e != OK)
		return e;
	mp_put_array(out, STORED_FIELDS);
	mp_put_bin_slice(out, buf_slice(&header));
	if (op->body.data != NULL)
		mp_put_bin_slice(out, op->body);
	else
		mp_put_nil(out);
	if (op->has_signature)
		mp_put_bin(out, op->signature, SIG_LEN);
	else
		mp_put_nil(out);
	if (out->err != OK)
		out->len = start;
	return out->err;
}

enum err op_get_envelope(struct mp_reader *r, size_t fields)
{
	size_t count = mp_get_array(r, UINT32_MAX);
	uint64_t version = mp_get_uint(r, UINT64_MAX);

	if (r->err == OK && version != FORMAT_VERSION)
		mp_fail(r, ERR_VERSION);
	if (count != fields)
		mp_fail(r, ERR_MALFORMED);
	return r->err;
}

void op_get_heads(struct op *op, struct mp_reader *r)
{
	op->n_heads = mp_get_array(r, LIMIT_HEADS);
	for (size_t i = 0; i < op->n_heads; i++)
		mp_get_fixed(r, op->heads[i].b, ID_LEN);
}

static enum err load_header(struct op *op, struct slice header)
{
	struct mp_reader r = mp_read(header);
	enum err e = op_get_envelope(&r, HEADER_FIELDS);

	if (e != OK || (e = mp_check(header, 2, HEADER_ITEMS)) != OK)
		return e;
	mp_get_fixed(&r, op->space.b, ID_LEN);
	mp_get_fixed(&r, op->device.b, ID_LEN);
	op->incarnation = mp_get_uint(&r, UINT64_MAX);
	op->seq = mp_get_uint(&r, UINT64_MAX);
	mp_get_fixed(&r, op->prev.b, ID_LEN);
	op->hlc = mp_get_uint(&r, UINT64_MAX);
	op_get_heads(op, &r);
	op->kind = (uint32_t)mp_get_uint(&r, UINT32_MAX);
	op->has_document = !mp_get_nil(&r);
	if (op->has_document)
		mp_get_fixed(&r, op->document.b, DOC_LEN);
	op->has_epoch = !mp_get_nil(&r);
	if (op->has_epoch)
		mp_get_fixed(&r, op->epoch.b, ID_LEN);
	op->body_len = (uint32_t)mp_get_uint(&r, LIMIT_BODY);
	mp_get_fixed(&r, op->body_hash.b, HASH_LEN);
	if ((e = mp_end(&r)) != OK)
		return e;
	crypto_hash1(&op->id, OP_DOMAIN, header.data, header.len);
	return op_is_sound(op) ? OK : ERR_MALFORMED;
}

/* A present body is the one that the header names. */
static enum err load_body(struct op *op, struct mp_reader *r)
{
	struct id32 hash;

	if (mp_get_nil(r))
		return OK;
	op->body = op_present(mp_get_bin(r, LIMIT_BODY));
	if (r->err != OK || op->body.len != op->body_len)
		return ERR_MALFORMED;
	crypto_hash1(&hash, DOMAIN_BODY, op->body.data, op->body.len);
	return id32_equal(&hash, &op->body_hash) ? OK : ERR_MALFORMED;
}

enum err op_load(struct op *op, struct slice bytes)
{
	struct mp_reader r = mp_read(bytes);
	enum err e;

	*op = (struct op){0};
	if (bytes.len > LIMIT_OP)
		return ERR_TOOBIG;
	if ((e = mp_check(bytes, 1, STORED_FIELDS + 1)) != OK)
		return e;
	mp_get_array_of(&r, STORED_FIELDS);
	if ((e = load_header(op, mp_get_bin(&r, OP_HEADER_ROOM))) != OK || (e = load_body(op, &r)) != OK)
		return e;
	op->has_signature = !mp_get_nil(&r);
	if (op->has_signature)
		mp_get_fixed(&r, op->signature, SIG_LEN);
	return mp_end(&r);
}
