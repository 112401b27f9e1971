#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>             /* as an oracle, and to construct hostile keys */
#include <string.h>
#include "base/crypto.h"
#include "base/rng.h"
#include "tests/unit/base_hex.h"

#define DOMAIN "cairn-test"

static void counting_bytes(uint8_t *out, size_t len, uint8_t from)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(from + i);
}

/* Vectors made with Python's hashlib and the arithmetic of RFC 8032 spelled out. */
static void hashes_are_framed_blake2b(void **state)
{
	struct slice parts[] = { slice_of("a"), SLICE(NULL, 0), slice_of("bc") };
	uint8_t key[KEY_LEN], mac[64];
	struct id32 h;

	(void)state;
	crypto_hash1(&h, DOMAIN, "abc", 3);
	assert_true(hex_equal(h.b, 32, "2d7331e3a8f4cb18a972bae8af0777a1e11c93e10ac89e558178c440c1ff2362"));
	crypto_hash(&h, DOMAIN, parts, 3);
	assert_true(hex_equal(h.b, 32, "2d7331e3a8f4cb18a972bae8af0777a1e11c93e10ac89e558178c440c1ff2362"));
	crypto_hash(&h, "", NULL, 0);
	assert_true(hex_equal(h.b, 32, "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314"));
	counting_bytes(key, sizeof key, 0);
	crypto_mac(mac, 16, key, DOMAIN, parts, 3);
	assert_true(hex_equal(mac, 16, "5f8c252431fb424874c03dfd5fa87386"));
	crypto_mac(mac, 64, key, DOMAIN, parts, 3);
	assert_true(hex_equal(mac, 64, "21c50ba7ec14a159d4c61b406c939584a66abcd3180b25cacf09989958b005fe"
		"668335be4fdb0169284bb5423b0dd71e2da3131cd3ce4c7b4674e3eec2046d3a"));
}

static void ids_compare(void **state)
{
	struct id32 a = {{0}}, b = {{0}};
	struct id16 c = {{0}}, d = {{0}};

	(void)state;
	b.b[31] = 1;
	d.b[0] = 0xff;
	assert_true(id32_is_zero(&a) && !id32_is_zero(&b) && id16_is_zero(&c) && !id16_is_zero(&d));
	assert_true(id32_equal(&a, &a) && !id32_equal(&a, &b) && id16_equal(&c, &c) && !id16_equal(&c, &d));
	assert_true(id32_compare(&a, &b) < 0 && id32_compare(&b, &a) > 0 && id16_compare(&d, &c) > 0);
}

/* ---- signatures --------------------------------------------------------------------------------------------------------- */

struct signer { struct id32 public, hash; uint8_t secret[SIGN_SECRET_LEN], sig[SIG_LEN]; };

static struct signer signer(void)
{
	struct signer s;
	uint8_t seed[KEY_LEN];

	counting_bytes(seed, sizeof seed, 0);
	counting_bytes(s.hash.b, sizeof s.hash.b, 32);
	crypto_sign_seed(s.public.b, s.secret, seed);
	crypto_sign(s.sig, DOMAIN, &s.hash, s.secret);
	return s;
}

static void signatures_are_pinned(void **state)
{
	struct signer s = signer();

	(void)state;
	assert_true(hex_equal(s.public.b, 32, "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"));
	assert_true(hex_equal(s.sig, 64, "5cf0b91c50fd5f0d03ddb229f085906d7770ddf8491a35108b9dd338967e9947"
		"00d5ca2c07b62f3ff8d12c5df5b33b9217a43e456a3998637c85adcdd3cf5306"));
	assert_true(crypto_verify(s.sig, DOMAIN, &s.hash, &s.public));
}

static void any_changed_bit_is_noticed(void **state)
{
	struct signer s = signer();

	(void)state;
	assert_true(!crypto_verify(s.sig, "cairn-tesu", &s.hash, &s.public));
	assert_true(!crypto_verify(s.sig, "cairn-tes", &s.hash, &s.public));
	for (int bit = 0; bit < 8 * SIG_LEN; bit++) {
		s.sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(!crypto_verify(s.sig, DOMAIN, &s.hash, &s.public));
		s.sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (int bit = 0; bit < 256; bit++) {
		struct signer t = s;

		t.hash.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(!crypto_verify(s.sig, DOMAIN, &t.hash, &s.public));
		t.public.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(!crypto_verify(s.sig, DOMAIN, &s.hash, &t.public));
	}
}

/* The order of the base point, little-endian. */
#define ORDER "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"

static void s_beyond_the_order_is_refused(void **state)
{
	struct signer s = signer();
	uint8_t order[32];

	(void)state;
	hex_read(order, ORDER);
	for (int times = 1; times < 8; times++) {
		sodium_add(s.sig + 32, order, 32);
		assert_true(!crypto_verify(s.sig, DOMAIN, &s.hash, &s.public));
	}
}

/* The eight points of small order, and their encodings with y >= p. */
static const char *const SMALL[] = {
	"0100000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};
#define SMALLS (sizeof SMALL / sizeof *SMALL)

/* With R of small order and S = 0 one in eight messages would verify under a small key, and all under the identity. */
static void keys_of_small_order_are_refused(void **state)
{
	(void)state;
	for (size_t a = 0; a < SMALLS; a++)
		for (size_t r = 0; r < SMALLS; r++)
			for (uint8_t m = 0; m < 16; m++) {
				uint8_t sig[SIG_LEN] = {0};
				struct id32 public, hash = {{ m }};

				hex_read(public.b, SMALL[a]);
				hex_read(sig, SMALL[r]);
				assert_true(!crypto_verify(sig, DOMAIN, &hash, &public));
			}
}

/* Sign with secret scalar a under the public key A that the caller claims; the nonce is r.  True if 8 divides the challenge. */
static bool sign_raw(uint8_t sig[SIG_LEN], const uint8_t R[32], const uint8_t r[32], const uint8_t a[32], const struct id32 *A,
	const struct id32 *hash)
{
	uint8_t wide[64], k[32];
	crypto_hash_sha512_state h;
	uint8_t len = (uint8_t)strlen(DOMAIN);

	crypto_hash_sha512_init(&h);
	crypto_hash_sha512_update(&h, R, 32);
	crypto_hash_sha512_update(&h, A->b, 32);
	crypto_hash_sha512_update(&h, &len, 1);
	crypto_hash_sha512_update(&h, (const uint8_t *)DOMAIN, len);
	crypto_hash_sha512_update(&h, hash->b, 32);
	crypto_hash_sha512_final(&h, wide);
	crypto_core_ed25519_scalar_reduce(k, wide);
	crypto_core_ed25519_scalar_mul(sig + 32, k, a);
	crypto_core_ed25519_scalar_add(sig + 32, sig + 32, r);
	memcpy(sig, R, 32);
	return k[0] % 8 == 0;
}

static void secret_scalar(uint8_t a[32], struct id32 *A, uint8_t from)
{
	memset(a, 0, 32);
	counting_bytes(a, 31, from);
	assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(A->b, a), 0);
}

static void r_of_small_order_is_refused(void **state)
{
	static const uint8_t zero[32];
	uint8_t a[32], r[32], sig[SIG_LEN], point[32];
	struct id32 A, R, hash = {{ 7 }};

	(void)state;
	secret_scalar(a, &A, 1);
	secret_scalar(r, &R, 50);
	sign_raw(sig, R.b, r, a, &A, &hash);
	assert_true(crypto_verify(sig, DOMAIN, &hash, &A));     /* sign_raw is right */
	hex_read(point, SMALL[0]);
	sign_raw(sig, point, zero, a, &A, &hash);               /* [0]B = identity: the equation holds */
	assert_true(!crypto_verify(sig, DOMAIN, &hash, &A));
}

/* A = aB + T with T of order 8: libsodium does not multiply by the cofactor, so it accepts iff [k]T is the identity.  All
 * devices must agree on this, so it is pinned. */
static void keys_of_mixed_order_are_judged_without_cofactor(void **state)
{
	uint8_t a[32], r[32], sig[SIG_LEN], torsion[32];
	struct id32 A, mixed, R;
	int accepted = 0;

	(void)state;
	secret_scalar(a, &A, 1);
	secret_scalar(r, &R, 50);
	hex_read(torsion, SMALL[1]);
	assert_int_equal(crypto_core_ed25519_add(mixed.b, A.b, torsion), 0);
	for (uint8_t m = 0; m < 32; m++) {
		struct id32 hash = {{ m }};
		bool cancels = sign_raw(sig, R.b, r, a, &mixed, &hash);

		assert_int_equal(crypto_verify(sig, DOMAIN, &hash, &mixed), cancels);
		accepted += cancels;
	}
	assert_int_equal(accepted, 5);
}

/* ---- sealing ------------------------------------------------------------------------------------------------------------ */

/* draft-irtf-cfrg-xchacha, A.3.1 */
static void sealing_is_pinned(void **state)
{
	static const char PLAIN[] = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
		"sunscreen would be it.";
	uint8_t key[KEY_LEN], nonce[NONCE_LEN], ad[12], out[114 + TAG_LEN], back[114];

	(void)state;
	counting_bytes(key, sizeof key, 0x80);
	counting_bytes(nonce, sizeof nonce, 0x40);
	hex_read(ad, "50515253c0c1c2c3c4c5c6c7");
	crypto_seal(out, PLAIN, 114, SLICE(ad, 12), nonce, key);
	assert_true(hex_equal(out, 16, "bd6d179d3e83d43b9576579493c0e939"));
	assert_true(hex_equal(out + 114, TAG_LEN, "c0875924c1c7987947deafd8780acf49"));
	assert_int_equal(crypto_open(back, out, sizeof out, SLICE(ad, 12), nonce, key), OK);
	assert_memory_equal(back, PLAIN, 114);
}

static void sealed_bytes_open_only_unchanged(void **state)
{
	uint8_t key[KEY_LEN] = {1}, nonce[NONCE_LEN] = {2}, bytes[5 + TAG_LEN] = "plain", back[5];
	struct slice ad = slice_of("ad");

	(void)state;
	crypto_seal(bytes, bytes, 5, ad, nonce, key);           /* in place */
	assert_int_equal(crypto_open(back, bytes, sizeof bytes, ad, nonce, key), OK);
	assert_memory_equal(back, "plain", 5);
	for (size_t i = 0; i < sizeof bytes; i++) {
		bytes[i] ^= 0x10;
		assert_int_equal(crypto_open(back, bytes, sizeof bytes, ad, nonce, key), ERR_SEALED);
		bytes[i] ^= 0x10;
	}
	for (size_t len = 0; len < sizeof bytes; len++)
		assert_int_equal(crypto_open(back, bytes, len, ad, nonce, key), ERR_SEALED);
	assert_int_equal(crypto_open(back, bytes, sizeof bytes, slice_of("AD"), nonce, key), ERR_SEALED);
	key[31] ^= 1;
	assert_int_equal(crypto_open(back, bytes, sizeof bytes, ad, nonce, key), ERR_SEALED);
	key[31] ^= 1;
	assert_int_equal(crypto_open(bytes, bytes, sizeof bytes, ad, nonce, key), OK);
	assert_memory_equal(bytes, "plain", 5);
}

static void nothing_can_be_sealed(void **state)
{
	uint8_t key[KEY_LEN] = {0}, nonce[NONCE_LEN] = {0}, tag[TAG_LEN], none[1];

	(void)state;
	crypto_seal(tag, NULL, 0, SLICE(NULL, 0), nonce, key);
	assert_int_equal(crypto_open(none, tag, sizeof tag, SLICE(NULL, 0), nonce, key), OK);
}

static void boxes_are_those_of_libsodium(void **state)
{
	uint8_t seed[32], public[KEY_LEN], secret[KEY_LEN], box[6 + BOX_LEN], again[6 + BOX_LEN], back[6];

	(void)state;
	counting_bytes(seed, sizeof seed, 0);
	crypto_box_seed(public, secret, seed);
	assert_true(hex_equal(public, KEY_LEN, "4701d08488451f545a409fb58ae3e58581ca40ac3f7f114698cd71deac73ca01"));
	counting_bytes(seed, sizeof seed, 100);
	assert_int_equal(crypto_box(box, "secret", 6, public, seed), OK);
	assert_int_equal(crypto_box(again, "secret", 6, public, seed), OK);
	assert_memory_equal(box, again, sizeof box);
	assert_true(hex_equal(box, sizeof box, "5bccd484527714f28eb6b6fa9e43feabae73eab192aef1e7d59d2111343d7b70"
		"63d1c608d1e443ffee1a56fdc4494b88fcb1b5264ca4"));
	assert_int_equal(crypto_box_seal_open(back, box, sizeof box, public, secret), 0);
	assert_memory_equal(back, "secret", 6);
	assert_int_equal(crypto_box_seal(box, (const uint8_t *)"hidden", 6, public), 0);
	assert_int_equal(crypto_box_open(back, box, sizeof box, public, secret), OK);
	assert_memory_equal(back, "hidden", 6);
}

static void damaged_boxes_do_not_open(void **state)
{
	uint8_t seed[32] = {9}, public[KEY_LEN], secret[KEY_LEN], box[3 + BOX_LEN], back[3];

	(void)state;
	crypto_box_seed(public, secret, seed);
	assert_int_equal(crypto_box(box, "abc", 3, public, seed), OK);
	for (size_t i = 0; i < sizeof box; i++) {
		box[i] ^= 1;
		assert_int_equal(crypto_box_open(back, box, sizeof box, public, secret), ERR_SEALED);
		box[i] ^= 1;
	}
	for (size_t len = 0; len < sizeof box; len++)
		assert_int_equal(crypto_box_open(back, box, len, public, secret), ERR_SEALED);
	assert_int_equal(crypto_box_open(back, box, sizeof box, public, secret), OK);
}

static void no_box_for_a_weak_key(void **state)
{
	uint8_t weak[KEY_LEN] = {1}, randomness[32] = {9}, box[3 + BOX_LEN], zeros[3 + BOX_LEN] = {0};

	(void)state;
	assert_int_equal(crypto_box(box, "abc", 3, weak, randomness), ERR_MALFORMED);
	assert_memory_equal(box, zeros, sizeof box);
}

/* ---- secrets ------------------------------------------------------------------------------------------------------------ */

/* As Python's cryptography computes Argon2id with 3 passes over 256 MiB in 1 lane. */
static void passwords_are_stretched(void **state)
{
	uint8_t key[KEY_LEN], salt[16];

	(void)state;
	counting_bytes(salt, sizeof salt, 0);
	assert_int_equal(crypto_password(key, "correct horse", 13, salt), OK);
	assert_true(hex_equal(key, KEY_LEN, "eebe26b451a68d4c43a23f45a8df1386550eeacb028ed6209232f2875f938676"));
}

static void secrets_are_zeroed_and_compared(void **state)
{
	static const uint8_t zeros[100];
	uint8_t *p = crypto_secret_alloc(100);

	(void)state;
	assert_true(crypto_equal(p, zeros, 100));
	p[99] = 1;
	assert_true(!crypto_equal(p, zeros, 100));
	crypto_wipe(p, 100);
	assert_true(crypto_equal(p, zeros, 100));
	crypto_secret_free(p);
	crypto_secret_free(NULL);
}

/* ---- rng ---------------------------------------------------------------------------------------------------------------- */

static void random_bytes_are_chacha20(void **state)
{
	static const uint8_t zero[32];
	uint8_t out[80];
	struct rng r;

	(void)state;
	rng_seed(&r, zero);
	rng_bytes(&r, out, sizeof out);
	assert_true(hex_equal(out, 80, "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
		"da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586 9f07e7be5551387a98ba977c732d080d"));
	assert_true(r.block == 2);
	rng_bytes(&r, out, 0);
	assert_true(r.block == 2);
	rng_seed_u64(&r, 1);
	assert_true(rng_u64(&r) == 0xafe61ad96dbe7f9b);
	assert_true(rng_u64(&r) == 0xa5bb2872f8df6a6e);
	assert_true(rng_u64(&r) == 0x5b22e99abb615650);
}

static void bounded_numbers_are_uniform(void **state)
{
	int counts[6] = {0};
	struct rng r;

	(void)state;
	rng_seed_u64(&r, 2);
	for (int i = 0; i < 60000; i++)
		counts[rng_below(&r, 6)]++;
	for (int i = 0; i < 6; i++)
		assert_in_range(counts[i], 9600, 10400);
	assert_true(rng_below(&r, 1) == 0);
	for (int i = 0; i < 100; i++)
		assert_true(rng_below(&r, (UINT64_MAX >> 1) + 2) <= (UINT64_MAX >> 1) + 1);
}

static int start(void **state)
{
	(void)state;
	return crypto_start() == OK ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_framed_blake2b),
		cmocka_unit_test(ids_compare),
		cmocka_unit_test(signatures_are_pinned),
		cmocka_unit_test(any_changed_bit_is_noticed),
		cmocka_unit_test(s_beyond_the_order_is_refused),
		cmocka_unit_test(keys_of_small_order_are_refused),
		cmocka_unit_test(r_of_small_order_is_refused),
		cmocka_unit_test(keys_of_mixed_order_are_judged_without_cofactor),
		cmocka_unit_test(sealing_is_pinned),
		cmocka_unit_test(sealed_bytes_open_only_unchanged),
		cmocka_unit_test(nothing_can_be_sealed),
		cmocka_unit_test(boxes_are_those_of_libsodium),
		cmocka_unit_test(damaged_boxes_do_not_open),
		cmocka_unit_test(no_box_for_a_weak_key),
		cmocka_unit_test(passwords_are_stretched),
		cmocka_unit_test(secrets_are_zeroed_and_compared),
		cmocka_unit_test(random_bytes_are_chacha20),
		cmocka_unit_test(bounded_numbers_are_uniform),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
