/* act: see act.h. */
#include "crdt/act.h"
#include "base/mp.h"

#define DOMAIN "cairn-authority"
#define FIELDS 8
#define ARRAY_OF(n) ((uint8_t)(0x90 | (n)))     /* msgpack: an array of n < 16 */

/* The id is over the array without the signature: the same bytes behind another first byte. */
static void compute_id(struct id32 *id, struct slice bytes, size_t up_to)
{
	static const uint8_t head[1] = { ARRAY_OF(FIELDS - 1) };
	struct slice parts[2] = { SLICE(head, 1), SLICE(bytes.data + 1, up_to - 1) };

	crypto_hash(id, DOMAIN, parts, 2);
}

enum err act_make(struct buf *out, struct act *a, const uint8_t secret[SIGN_SECRET_LEN])
{
	size_t start = out->len;
	struct act check;
	enum err e;

	if (a->n_cites > LIMIT_HEADS)
		return ERR_TOOBIG;
	mp_put_array(out, FIELDS);
	mp_put_uint(out, FORMAT_VERSION);
	mp_put_bin(out, a->space.b, ID_LEN);
	mp_put_uint(out, a->author_type);
	mp_put_bin(out, a->author.b, ID_LEN);
	mp_put_array(out, a->n_cites);
	for (size_t i = 0; i < a->n_cites; i++)
		mp_put_bin(out, a->cites[i].b, ID_LEN);
	mp_put_uint(out, a->kind);
	buf_put_slice(out, a->body);
	if (out->err != OK)
		goto fail;
	compute_id(&a->id, SLICE(out->data + start, out->len - start), out->len - start);
	crypto_sign(a->signature, DOMAIN, &a->id, secret);
	mp_put_bin(out, a->signature, SIG_LEN);
	if (out->err != OK)
		goto fail;
	/* What we sign, everybody must be able to read. */
	e = act_load(&check, SLICE(out->data + start, out->len - start));
	if (e != OK)
		out->len = start;
	return e;
fail:
	out->len = start;
	return out->err;
}

static void load_cites(struct act *a, struct mp_reader *r)
{
	a->n_cites = mp_get_array(r, LIMIT_HEADS);
	for (size_t i = 0; i < a->n_cites; i++) {
		mp_get_fixed(r, a->cites[i].b, ID_LEN);
		if (i > 0 && id32_compare(&a->cites[i - 1], &a->cites[i]) >= 0)
			mp_fail(r, ERR_MALFORMED);
	}
	/* Only a genesis stands alone, and only it cannot know its own id. */
	if ((a->n_cites == 0) != id32_is_zero(&a->space))
		mp_fail(r, ERR_MALFORMED);
}

enum err act_load(struct act *a, struct slice bytes)
{
	struct mp_reader r;
	const uint8_t *signature_at;
	size_t fields;
	enum err e;

	*a = (struct act){0};
	if (bytes.len > LIMIT_AUTHORITY_OP)
		return ERR_TOOBIG;
	/* Every value takes a byte at least: the length bounds the items. */
	e = mp_check(bytes, LIMIT_DEPTH + 1, LIMIT_AUTHORITY_OP);
	if (e != OK)
		return e;
	r = mp_read(bytes);
	fields = mp_get_array(&r, LIMIT_AUTHORITY_OP);
	if (mp_get_uint(&r, UINT64_MAX) != FORMAT_VERSION && r.err == OK)
		return ERR_VERSION;
	if (fields != FIELDS)
		return ERR_MALFORMED;
	mp_get_fixed(&r, a->space.b, ID_LEN);
	a->author_type = (enum act_author)mp_get_uint(&r, ACT_ROOT);
	mp_get_fixed(&r, a->author.b, ID_LEN);
	load_cites(a, &r);
	a->kind = (uint32_t)mp_get_uint(&r, UINT32_MAX);
	if (mp_peek(&r) != MP_MAP)
		return ERR_MALFORMED;
	a->body = mp_get_any(&r);
	signature_at = r.at;
	mp_get_fixed(&r, a->signature, SIG_LEN);
	e = mp_end(&r);
	if (e != OK)
		return e;
	compute_id(&a->id, bytes, (size_t)(signature_at - bytes.data));
	return OK;
}

bool act_verify(const struct act *a)
{
	return crypto_verify(a->signature, DOMAIN, &a->id, &a->author);
}
