#include <string.h>
#include "base/limits.h"
#include "base/mp.h"
#include "org/certificate.h"

#define DOMAIN "cairn-certificate"
#define DOMAIN_DEVICE "cairn-certificate-device"

static void put_body(struct buf *out, const struct certificate *c, size_t fields)
{
	mp_put_array(out, fields);
	mp_put_uint(out, FORMAT_VERSION);
	mp_put_bin(out, &c->root, ID_LEN);
	mp_put_bin(out, &c->device, ID_LEN);
	mp_put_bin(out, c->box, KEY_LEN);
	mp_put_bin(out, c->curve, KEY_LEN);
	mp_put_uint(out, c->by_root);
	mp_put_bin(out, &c->certifier, ID_LEN);
	mp_put_uint(out, c->created_ms);
}

static enum err body_hash(struct id32 *out, const struct certificate *c)
{
	struct buf b = {0};
	enum err e;

	put_body(&b, c, 8);
	e = b.err;
	if (e == OK)
		crypto_hash1(out, DOMAIN, b.data, b.len);
	buf_free(&b);
	return e;
}

enum err certificate_make(struct buf *out, const struct certificate *c, const uint8_t certifier_secret[SIGN_SECRET_LEN],
	const uint8_t device_secret[SIGN_SECRET_LEN])
{
	uint8_t claim[SIG_LEN], sig[SIG_LEN];
	struct id32 hash;
	enum err e = body_hash(&hash, c);

	if (e != OK)
		return e;
	crypto_sign(claim, DOMAIN_DEVICE, &hash, device_secret);
	crypto_sign(sig, DOMAIN, &hash, certifier_secret);
	put_body(out, c, 10);
	mp_put_bin(out, claim, SIG_LEN);
	mp_put_bin(out, sig, SIG_LEN);
	return out->err;
}

enum err certificate_load(struct certificate *c, struct slice bytes)
{
	struct mp_reader r = mp_read(bytes);
	uint8_t claim[SIG_LEN], sig[SIG_LEN];
	struct id32 hash;
	enum err e;

	memset(c, 0, sizeof *c);
	if (mp_check(bytes, 2, 16) != OK)
		return ERR_MALFORMED;
	mp_get_array_of(&r, 10);
	if (mp_get_uint(&r, UINT64_MAX) != FORMAT_VERSION)
		return r.err == OK ? ERR_VERSION : ERR_MALFORMED;
	mp_get_fixed(&r, &c->root, ID_LEN);
	mp_get_fixed(&r, &c->device, ID_LEN);
	mp_get_fixed(&r, c->box, KEY_LEN);
	mp_get_fixed(&r, c->curve, KEY_LEN);
	c->by_root = mp_get_uint(&r, 1) == 1;
	mp_get_fixed(&r, &c->certifier, ID_LEN);
	c->created_ms = mp_get_uint(&r, UINT64_MAX);
	mp_get_fixed(&r, claim, SIG_LEN);
	mp_get_fixed(&r, sig, SIG_LEN);
	if (mp_end(&r) != OK || (c->by_root && !id32_equal(&c->root, &c->certifier)))
		return ERR_MALFORMED;
	if ((e = body_hash(&hash, c)) != OK)
		return e;
	return crypto_verify(claim, DOMAIN_DEVICE, &hash, &c->device) && crypto_verify(sig, DOMAIN, &hash, &c->certifier) ? OK
		: ERR_SIGNATURE;
}
