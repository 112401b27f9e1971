/* statement: see statement.h. */
#include <string.h>
#include "crdt/statement.h"
#include "base/mem.h"
#include "base/mp.h"

#define DOMAIN "cairn-statement"
#define FIELDS 13
#define HEADER_FIELDS 11
#define ARRAY_OF(n) ((uint8_t)(0x90 | (n)))     /* msgpack: an array of n < 16 */
#define KIND_MAX 255                            /* a byte of the slot key */

struct id16 statement_index(uint32_t number)
{
	struct id16 index = {{0}};

	put_u16(index.b + DOC_LEN - 2, (uint16_t)number);
	return index;
}

/* A roll-up's index is the objective's id; all others number their slots. */
static bool index_valid(uint32_t kind, const struct id16 *index)
{
	uint16_t number = get_u16(index->b + DOC_LEN - 2);
	struct id16 small = statement_index(number);

	return kind == STATEMENT_ROLLUP || (number < LIMIT_SLOT_INDEX && id16_equal(&small, index));
}

static void put_header(struct buf *out, const struct statement *s, size_t fields)
{
	mp_put_array(out, fields);
	mp_put_uint(out, FORMAT_VERSION);
	mp_put_bin(out, s->space.b, ID_LEN);
	mp_put_bin(out, s->device.b, ID_LEN);
	mp_put_uint(out, s->kind);
	mp_put_bin(out, s->index.b, DOC_LEN);
	mp_put_uint(out, s->counter);
	mp_put_uint(out, s->hlc);
	if (s->has_epoch)
		mp_put_bin(out, s->epoch.b, ID_LEN);
	else
		mp_put_nil(out);
	mp_put_uint(out, s->consent);
	if (s->has_audience)
		mp_put_bin(out, s->audience.b, DOC_LEN);
	else
		mp_put_nil(out);
	mp_put_bin(out, s->nonce, NONCE_LEN);
}

static void body_key(uint8_t key[KEY_LEN], const uint8_t *epoch_key)
{
	crypto_mac(key, KEY_LEN, epoch_key, DOMAIN, NULL, 0);
}

/* The id is over the array without the signature: the same bytes behind another first byte. */
static void compute_id(struct id32 *id, struct slice bytes, size_t up_to)
{
	static const uint8_t head[1] = { ARRAY_OF(FIELDS - 1) };
	struct slice parts[2] = { SLICE(head, 1), SLICE(bytes.data + 1, up_to - 1) };

	crypto_hash(id, DOMAIN, parts, 2);
}

/* The body as stored, appended to out. */
static enum err seal_body(struct buf *out, const struct statement *s, struct slice plain, const uint8_t *epoch_key)
{
	struct buf header = {0};
	uint8_t key[KEY_LEN], *at;

	if (!s->has_epoch) {
		buf_put_slice(out, plain);
		return out->err;
	}
	put_header(&header, s, HEADER_FIELDS);
	at = buf_extend(out, plain.len + TAG_LEN);
	if (at != NULL && header.err == OK) {
		body_key(key, epoch_key);
		crypto_seal(at, plain.data, plain.len, buf_slice(&header), s->nonce, key);
		crypto_wipe(key, sizeof key);
	} else {
		buf_free(&header);
		return ERR_NOMEM;
	}
	buf_free(&header);
	return OK;
}

enum err statement_make(struct buf *out, struct statement *s, struct slice plain, const uint8_t *epoch_key,
	const uint8_t secret[SIGN_SECRET_LEN])
{
	size_t start = out->len, body_at = 0;
	struct buf body = {0};
	struct statement check;
	enum err e;

	if (s->has_epoch != (epoch_key != NULL) || s->kind == 0 || s->kind > KIND_MAX)
		return ERR_STATE;
	if (plain.len > LIMIT_STATEMENT)
		return ERR_TOOBIG;
	if ((e = seal_body(&body, s, plain, epoch_key)) != OK)
		goto done;
	put_header(out, s, FIELDS);
	mp_put_bin_slice(out, buf_slice(&body));
	body_at = out->len - body.len;
	if ((e = out->err) != OK)
		goto done;
	compute_id(&s->id, SLICE(out->data + start, out->len - start), out->len - start);
	crypto_sign(s->signature, DOMAIN, &s->id, secret);
	mp_put_bin(out, s->signature, SIG_LEN);
	if ((e = out->err) != OK)
		goto done;
	/* What we sign, everybody must be able to read. */
	e = statement_load(&check, SLICE(out->data + start, out->len - start));
done:
	if (e == OK)
		s->body = SLICE(out->data + body_at, body.len);
	else
		out->len = start;
	buf_free(&body);
	return e;
}

static void load_header(struct statement *s, struct mp_reader *r)
{
	mp_get_fixed(r, s->space.b, ID_LEN);
	mp_get_fixed(r, s->device.b, ID_LEN);
	s->kind = (uint32_t)mp_get_uint(r, KIND_MAX);
	mp_get_fixed(r, s->index.b, DOC_LEN);
	s->counter = mp_get_uint(r, UINT64_MAX);
	s->hlc = mp_get_uint(r, UINT64_MAX);
	s->has_epoch = !mp_get_nil(r);
	if (s->has_epoch)
		mp_get_fixed(r, s->epoch.b, ID_LEN);
	s->consent = mp_get_uint(r, UINT64_MAX);
	s->has_audience = !mp_get_nil(r);
	if (s->has_audience)
		mp_get_fixed(r, s->audience.b, DOC_LEN);
	mp_get_fixed(r, s->nonce, NONCE_LEN);
}

enum err statement_load(struct statement *s, struct slice bytes)
{
	struct mp_reader r;
	const uint8_t *signature_at;
	size_t fields;
	enum err e;

	*s = (struct statement){0};
	if (bytes.len > LIMIT_STATEMENT)
		return ERR_TOOBIG;
	/* Every value takes a byte at least: the length bounds the items. */
	e = mp_check(bytes, LIMIT_DEPTH + 1, LIMIT_STATEMENT);
	if (e != OK)
		return e;
	r = mp_read(bytes);
	fields = mp_get_array(&r, LIMIT_STATEMENT);
	if (mp_get_uint(&r, UINT64_MAX) != FORMAT_VERSION && r.err == OK)
		return ERR_VERSION;
	if (fields != FIELDS)
		return ERR_MALFORMED;
	load_header(s, &r);
	s->body = mp_get_bin(&r, LIMIT_STATEMENT);
	signature_at = r.at;
	mp_get_fixed(&r, s->signature, SIG_LEN);
	e = mp_end(&r);
	if (e != OK)
		return e;
	if (s->kind == 0 || !index_valid(s->kind, &s->index) || (s->has_epoch && s->body.len < TAG_LEN))
		return ERR_MALFORMED;
	compute_id(&s->id, bytes, (size_t)(signature_at - bytes.data));
	return OK;
}

bool statement_verify(const struct statement *s)
{
	return crypto_verify(s->signature, DOMAIN, &s->id, &s->device);
}

enum err statement_open(struct buf *plain, const struct statement *s, const uint8_t *epoch_key)
{
	struct buf header = {0};
	size_t start = plain->len;
	uint8_t key[KEY_LEN], *at;
	enum err e;

	if (!s->has_epoch) {
		buf_put_slice(plain, s->body);
		return plain->err;
	}
	if (epoch_key == NULL || s->body.len < TAG_LEN)
		return ERR_SEALED;
	put_header(&header, s, HEADER_FIELDS);
	at = buf_extend(plain, s->body.len - TAG_LEN);
	e = header.err != OK ? header.err : plain->err;
	if (e == OK) {
		body_key(key, epoch_key);
		e = crypto_open(at, s->body.data, s->body.len, buf_slice(&header), s->nonce, key);
		crypto_wipe(key, sizeof key);
	}
	if (e != OK)
		plain->len = start;
	buf_free(&header);
	return e;
}

int statement_compare(const struct statement *a, const struct statement *b)
{
	if (a->counter != b->counter)
		return a->counter > b->counter ? 1 : -1;
	return id32_compare(&a->id, &b->id);
}
