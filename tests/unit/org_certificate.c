/* Certificates: both signatures are needed, the certifier's and that of the device itself. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/mem.h"
#include "org/certificate.h"

struct key { struct id32 id; uint8_t secret[SIGN_SECRET_LEN]; };

static struct key key_of(uint8_t n)
{
	uint8_t seed[KEY_LEN] = { n };
	struct key k;

	crypto_sign_seed(k.id.b, k.secret, seed);
	return k;
}

static struct buf made(const struct key *root, const struct key *device, const uint8_t *certifier, const uint8_t *claim)
{
	struct certificate c = { .root = root->id, .device = device->id, .by_root = true, .certifier = root->id, .created_ms = 7 };
	struct buf b = {0};

	memset(c.box, 3, KEY_LEN);
	memset(c.curve, 4, KEY_LEN);
	assert_int_equal(certificate_make(&b, &c, certifier, claim), OK);
	return b;
}

static void test_round_trip(void **state)
{
	struct key root = key_of(1), device = key_of(2);
	struct buf b = made(&root, &device, root.secret, device.secret);
	struct certificate c;

	(void)state;
	assert_int_equal(certificate_load(&c, buf_slice(&b)), OK);
	assert_true(id32_equal(&c.device, &device.id) && id32_equal(&c.root, &root.id) && c.by_root && c.created_ms == 7);
	buf_free(&b);
}

static void test_a_device_must_claim_its_certificate(void **state)
{
	struct key device = key_of(2), thief = key_of(3);
	struct buf b = made(&thief, &device, thief.secret, thief.secret);        /* somebody else's device key */
	struct certificate c;

	(void)state;
	assert_int_equal(certificate_load(&c, buf_slice(&b)), ERR_SIGNATURE);
	buf_free(&b);
}

static void test_the_certifier_must_sign(void **state)
{
	struct key root = key_of(1), device = key_of(2);
	struct buf b = made(&root, &device, device.secret, device.secret);
	struct certificate c;

	(void)state;
	assert_int_equal(certificate_load(&c, buf_slice(&b)), ERR_SIGNATURE);
	buf_free(&b);
}

static void test_every_changed_byte_is_found(void **state)
{
	struct key root = key_of(1), device = key_of(2);
	struct buf b = made(&root, &device, root.secret, device.secret);
	struct certificate c;

	(void)state;
	for (size_t i = 0; i < b.len; i++) {
		b.data[i] ^= 1;
		assert_int_not_equal(certificate_load(&c, buf_slice(&b)), OK);
		b.data[i] ^= 1;
	}
	for (size_t len = 0; len < b.len; len++)
		assert_int_not_equal(certificate_load(&c, SLICE(b.data, len)), OK);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_a_device_must_claim_its_certificate),
		cmocka_unit_test(test_the_certifier_must_sign),
		cmocka_unit_test(test_every_changed_byte_is_found),
	};

	if (crypto_start() != OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
