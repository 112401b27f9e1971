#include <sodium.h>             /* before crypto.h, which says why */
#include "base/crypto.h"
#include <assert.h>
#include <string.h>

#define DOMAIN_MAX 255

static_assert(SIG_LEN == crypto_sign_BYTES && SIGN_SECRET_LEN == crypto_sign_SECRETKEYBYTES, "Ed25519");
static_assert(TAG_LEN == crypto_aead_xchacha20poly1305_ietf_ABYTES, "XChaCha20-Poly1305");
static_assert(NONCE_LEN == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "XChaCha20-Poly1305");
static_assert(BOX_LEN == crypto_box_SEALBYTES && NONCE_LEN == crypto_box_NONCEBYTES, "sealed box");

bool id32_equal(const struct id32 *a, const struct id32 *b)
{
	return id32_compare(a, b) == 0;
}

int id32_compare(const struct id32 *a, const struct id32 *b)
{
	return memcmp(a->b, b->b, ID_LEN);
}

bool id16_equal(const struct id16 *a, const struct id16 *b)
{
	return id16_compare(a, b) == 0;
}

int id16_compare(const struct id16 *a, const struct id16 *b)
{
	return memcmp(a->b, b->b, DOC_LEN);
}

bool id32_is_zero(const struct id32 *id)
{
	static const struct id32 zero;

	return id32_equal(id, &zero);
}

bool id16_is_zero(const struct id16 *id)
{
	static const struct id16 zero;

	return id16_equal(id, &zero);
}

enum err crypto_start(void)
{
	return sodium_init() < 0 ? ERR_IO : OK;
}

void crypto_random(void *out, size_t len)
{
	randombytes_buf(out, len);
}

static uint8_t domain_len(const char *domain)
{
	size_t len = strlen(domain);

	assert(len <= DOMAIN_MAX);
	return (uint8_t)len;
}

/* The framing of protocol §1: length of domain ‖ domain ‖ parts. */
static void hash_framed(uint8_t *out, size_t out_len, const uint8_t *key, const char *domain, const struct slice *parts, size_t n)
{
	crypto_generichash_state state;
	uint8_t len = domain_len(domain);

	crypto_generichash_init(&state, key, key == NULL ? 0 : KEY_LEN, out_len);
	crypto_generichash_update(&state, &len, 1);
	crypto_generichash_update(&state, (const uint8_t *)domain, len);
	for (size_t i = 0; i < n; i++)
		if (parts[i].len > 0)
			crypto_generichash_update(&state, parts[i].data, parts[i].len);
	crypto_generichash_final(&state, out, out_len);
	if (key != NULL)
		sodium_memzero(&state, sizeof state);
}

void crypto_hash(struct id32 *out, const char *domain, const struct slice *parts, size_t n)
{
	hash_framed(out->b, HASH_LEN, NULL, domain, parts, n);
}

void crypto_hash1(struct id32 *out, const char *domain, const void *data, size_t len)
{
	hash_framed(out->b, HASH_LEN, NULL, domain, &SLICE(data, len), 1);
}

void crypto_mac(uint8_t *out, size_t out_len, const uint8_t key[KEY_LEN], const char *domain, const struct slice *parts, size_t n)
{
	assert(out_len >= crypto_generichash_BYTES_MIN && out_len <= crypto_generichash_BYTES_MAX);
	hash_framed(out, out_len, key, domain, parts, n);
}

/* ---- signatures --------------------------------------------------------------------------------------------------------- */

struct signed_text { uint8_t b[1 + DOMAIN_MAX + HASH_LEN]; size_t len; };

static void signed_text(struct signed_text *t, const char *domain, const struct id32 *hash)
{
	uint8_t len = domain_len(domain);

	t->b[0] = len;
	memcpy(t->b + 1, domain, len);
	memcpy(t->b + 1 + len, hash->b, HASH_LEN);
	t->len = 1u + len + HASH_LEN;
}

void crypto_sign_seed(uint8_t public[ID_LEN], uint8_t secret[SIGN_SECRET_LEN], const uint8_t seed[KEY_LEN])
{
	crypto_sign_seed_keypair(public, secret, seed);
}

void crypto_sign(uint8_t sig[SIG_LEN], const char *domain, const struct id32 *hash, const uint8_t secret[SIGN_SECRET_LEN])
{
	struct signed_text t;

	signed_text(&t, domain, hash);
	crypto_sign_detached(sig, NULL, t.b, t.len, secret);
}

bool crypto_verify(const uint8_t sig[SIG_LEN], const char *domain, const struct id32 *hash, const struct id32 *public)
{
	struct signed_text t;

	signed_text(&t, domain, hash);
	return crypto_sign_verify_detached(sig, t.b, t.len, public->b) == 0;
}

/* ---- sealing ------------------------------------------------------------------------------------------------------------ */

void crypto_seal(uint8_t *out, const void *plain, size_t len, struct slice associated, const uint8_t nonce[NONCE_LEN],
	const uint8_t key[KEY_LEN])
{
	crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, plain, len, associated.data, associated.len, NULL, nonce, key);
}

enum err crypto_open(uint8_t *out, const void *sealed, size_t len, struct slice associated, const uint8_t nonce[NONCE_LEN],
	const uint8_t key[KEY_LEN])
{
	int failed = len < TAG_LEN || crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed, len,
		associated.data, associated.len, nonce, key) != 0;

	return failed ? ERR_SEALED : OK;
}

void crypto_box_seed(uint8_t public[KEY_LEN], uint8_t secret[KEY_LEN], const uint8_t seed[KEY_LEN])
{
	crypto_box_seed_keypair(public, secret, seed);
}

/* As libsodium's crypto_box_seal: nonce = BLAKE2b-192(ephemeral public ‖ public). */
static void box_nonce(uint8_t nonce[NONCE_LEN], const uint8_t ephemeral[KEY_LEN], const uint8_t public[KEY_LEN])
{
	uint8_t both[2 * KEY_LEN];

	memcpy(both, ephemeral, KEY_LEN);
	memcpy(both + KEY_LEN, public, KEY_LEN);
	crypto_generichash(nonce, NONCE_LEN, both, sizeof both, NULL, 0);
}

enum err crypto_box(uint8_t *out, const void *plain, size_t len, const uint8_t public[KEY_LEN], const uint8_t randomness[32])
{
	uint8_t secret[KEY_LEN], nonce[NONCE_LEN];
	int failed;

	crypto_box_seed_keypair(out, secret, randomness);
	box_nonce(nonce, out, public);
	failed = crypto_box_easy(out + KEY_LEN, plain, len, nonce, public, secret);
	sodium_memzero(secret, sizeof secret);
	if (failed)
		memset(out, 0, len + BOX_LEN);
	return failed ? ERR_MALFORMED : OK;
}

enum err crypto_box_open(uint8_t *out, const void *sealed, size_t len, const uint8_t public[KEY_LEN],
	const uint8_t secret[KEY_LEN])
{
	return len < BOX_LEN || crypto_box_seal_open(out, sealed, len, public, secret) != 0 ? ERR_SEALED : OK;
}

/* ---- secrets ------------------------------------------------------------------------------------------------------------ */

enum err crypto_password(uint8_t key[KEY_LEN], const char *passphrase, size_t len, const uint8_t salt[16])
{
	int failed = crypto_pwhash(key, KEY_LEN, passphrase, len, salt, crypto_pwhash_OPSLIMIT_MODERATE,
		crypto_pwhash_MEMLIMIT_MODERATE, crypto_pwhash_ALG_ARGON2ID13);

	return failed ? ERR_NOMEM : OK;
}

void crypto_wipe(void *data, size_t len)
{
	sodium_memzero(data, len);
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

void *crypto_secret_alloc(size_t len)
{
	void *p = sodium_malloc(len);

	if (p != NULL)
		memset(p, 0, len);
	return p;
}

void crypto_secret_free(void *p)
{
	sodium_free(p);
}
