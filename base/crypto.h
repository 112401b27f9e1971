/* crypto: the only door to libsodium.  Every hash and signature has a domain string (protocol §1), so that bytes made for
 * one purpose mean nothing for another.  All functions are pure except crypto_start and crypto_random. */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H
#include "base/bytes.h"

/* libsodium exports functions of these names, and libzmq calls them: ours must have other symbols.  A file that needs sodium.h
 * (only in base) includes it first. */
#define crypto_hash crypto_hash_domain
#define crypto_sign crypto_sign_domain
#define crypto_box crypto_box_make
#define crypto_box_open crypto_box_unmake

#define ID_LEN 32               /* device, member, space, op: 32 bytes */
#define DOC_LEN 16              /* documents, teams, invites' request ids, audiences */
#define HASH_LEN 32
#define KEY_LEN 32
#define SIG_LEN 64
#define TAG_LEN 16              /* what sealing adds */
#define BOX_LEN 48              /* what crypto_box adds: ephemeral key and tag */
#define NONCE_LEN 24
#define SIGN_SECRET_LEN 64

struct id32 { uint8_t b[ID_LEN]; };
struct id16 { uint8_t b[DOC_LEN]; };
bool id32_equal(const struct id32 *, const struct id32 *);
int id32_compare(const struct id32 *, const struct id32 *);
bool id16_equal(const struct id16 *, const struct id16 *);
int id16_compare(const struct id16 *, const struct id16 *);
bool id32_is_zero(const struct id32 *);
bool id16_is_zero(const struct id16 *);

enum err crypto_start(void);                        /* once, before threads */
void crypto_random(void *out, size_t len);          /* the shell only; pure rooms get bytes as arguments */

/* BLAKE2b-256(length of domain as one byte ‖ domain ‖ part ‖ part …).  Parts are concatenated, so callers hash fixed-size or
 * self-delimiting parts. */
void crypto_hash(struct id32 *out, const char *domain, const struct slice *parts, size_t n);
void crypto_hash1(struct id32 *out, const char *domain, const void *data, size_t len);
/* Keyed BLAKE2b with the same framing; out_len 16..64. */
void crypto_mac(uint8_t *out, size_t out_len, const uint8_t key[KEY_LEN], const char *domain, const struct slice *parts, size_t n);

/* Ed25519 over length of domain ‖ domain ‖ hash.  Secret keys are libsodium's 64 bytes. */
void crypto_sign_seed(uint8_t public[ID_LEN], uint8_t secret[SIGN_SECRET_LEN], const uint8_t seed[KEY_LEN]);
void crypto_sign(uint8_t sig[SIG_LEN], const char *domain, const struct id32 *hash, const uint8_t secret[SIGN_SECRET_LEN]);
bool crypto_verify(const uint8_t sig[SIG_LEN], const char *domain, const struct id32 *hash, const struct id32 *public);

/* XChaCha20-Poly1305.  out has len + TAG_LEN (seal) or len - TAG_LEN (open) bytes and may be the input. */
void crypto_seal(uint8_t *out, const void *plain, size_t len, struct slice associated, const uint8_t nonce[NONCE_LEN],
	const uint8_t key[KEY_LEN]);
enum err crypto_open(uint8_t *out, const void *sealed, size_t len, struct slice associated, const uint8_t nonce[NONCE_LEN],
	const uint8_t key[KEY_LEN]);             /* ERR_SEALED */

/* X25519: also the key type of CURVE. */
void crypto_box_seed(uint8_t public[KEY_LEN], uint8_t secret[KEY_LEN], const uint8_t seed[KEY_LEN]);
/* Sealed to a public key with an ephemeral key derived from randomness (32 fresh bytes): ephemeral public ‖ tag ‖
 * ciphertext; len + BOX_LEN bytes.  Deterministic in its arguments, openable like libsodium's crypto_box_seal.
 * ERR_MALFORMED for a public key that is no safe point (it may come from a peer): out is then zeroed. */
enum err crypto_box(uint8_t *out, const void *plain, size_t len, const uint8_t public[KEY_LEN], const uint8_t randomness[32]);
enum err crypto_box_open(uint8_t *out, const void *sealed, size_t len, const uint8_t public[KEY_LEN],
	const uint8_t secret[KEY_LEN]);          /* ERR_SEALED */

/* Argon2id, moderate cost (256 MiB, 3 passes): 0.5 s.  A pool job, never on the loop.  ERR_NOMEM. */
enum err crypto_password(uint8_t key[KEY_LEN], const char *passphrase, size_t len, const uint8_t salt[16]);

void crypto_wipe(void *, size_t);
bool crypto_equal(const void *, const void *, size_t);   /* constant time */
/* Guarded, locked memory for long-lived secrets; NULL when out of memory. */
void *crypto_secret_alloc(size_t);
void crypto_secret_free(void *);

#endif
