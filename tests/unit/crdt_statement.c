/* Statements: what is made loads and opens, and nothing else does (protocol §6; statement.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/mem.h"
#include "base/mp.h"
#include "crdt/statement.h"

static struct id32 device;
static uint8_t secret[SIGN_SECRET_LEN];
static const uint8_t EPOCH_KEY[KEY_LEN] = { 5, 6 }, OTHER_KEY[KEY_LEN] = { 5, 7 };

static int setup(void **state)
{
	static const uint8_t seed[KEY_LEN] = { 43 };

	(void)state;
	if (crypto_start() != OK)
		return -1;
	crypto_sign_seed(device.b, secret, seed);
	return 0;
}

static struct statement sample(bool sealed)
{
	struct statement s = { .device = device, .kind = STATEMENT_REPORT, .index = statement_index(1023), .counter = 77,
		.hlc = hlc_from_ms(1700000000000), .has_epoch = sealed, .has_audience = sealed, .consent = sealed ? 3 : 0 };

	memset(s.space.b, 0x51, ID_LEN);
	memset(s.nonce, 0x4e, NONCE_LEN);
	if (sealed) {
		memset(s.epoch.b, 0xee, ID_LEN);
		memset(s.audience.b, 0xaa, DOC_LEN);
	}
	return s;
}

static void what_is_made_loads_and_opens(void **state)
{
	size_t before = mem_live();

	(void)state;
	for (int sealed = 0; sealed < 2; sealed++) {
		struct statement made = sample(sealed), read;
		struct buf out = {0}, plain = {0};
		const uint8_t *key = sealed ? EPOCH_KEY : NULL;

		buf_put_text(&out, "before");
		assert_int_equal(statement_make(&out, &made, slice_of("the body"), key, secret), OK);
		assert_int_equal(statement_load(&read, SLICE(out.data + 6, out.len - 6)), OK);
		assert_true(id32_equal(&read.id, &made.id));
		assert_true(slice_equal(read.body, made.body));
		assert_true(statement_verify(&read) && statement_verify(&made));
		assert_int_equal(read.counter, 77);
		assert_int_equal(read.hlc, made.hlc);
		assert_int_equal(read.consent, made.consent);
		assert_true(read.has_epoch == sealed && read.has_audience == sealed);
		assert_true(id16_equal(&read.index, &made.index));
		assert_int_equal(statement_open(&plain, &read, key), OK);
		assert_true(slice_equal(buf_slice(&plain), slice_of("the body")));
		buf_free(&plain);
		buf_free(&out);
	}
	assert_int_equal(mem_live(), before);
}

static void an_empty_body_is_one(void **state)
{
	(void)state;
	for (int sealed = 0; sealed < 2; sealed++) {
		struct statement s = sample(sealed), read;
		struct buf out = {0}, plain = {0};

		assert_int_equal(statement_make(&out, &s, SLICE(NULL, 0), sealed ? EPOCH_KEY : NULL, secret), OK);
		assert_int_equal(statement_load(&read, buf_slice(&out)), OK);
		assert_int_equal(read.body.len, sealed ? TAG_LEN : 0);
		assert_int_equal(statement_open(&plain, &read, EPOCH_KEY), OK);
		assert_int_equal(plain.len, 0);
		buf_free(&plain);
		buf_free(&out);
	}
}

/* Every field of the header is associated data: a body cannot be moved under another. */
static void a_body_opens_only_with_its_key_and_header(void **state)
{
	struct statement s = sample(true), t;
	struct buf out = {0}, plain = {0};

	(void)state;
	assert_int_equal(statement_make(&out, &s, slice_of("secret"), EPOCH_KEY, secret), OK);
	assert_int_equal(statement_open(&plain, &s, OTHER_KEY), ERR_SEALED);
	assert_int_equal(statement_open(&plain, &s, NULL), ERR_SEALED);
	t = s, t.counter++;
	assert_int_equal(statement_open(&plain, &t, EPOCH_KEY), ERR_SEALED);
	t = s, t.consent++;
	assert_int_equal(statement_open(&plain, &t, EPOCH_KEY), ERR_SEALED);
	t = s, t.audience.b[3]++;
	assert_int_equal(statement_open(&plain, &t, EPOCH_KEY), ERR_SEALED);
	t = s, t.device.b[3]++;
	assert_int_equal(statement_open(&plain, &t, EPOCH_KEY), ERR_SEALED);
	t = s, t.nonce[0]++;
	assert_int_equal(statement_open(&plain, &t, EPOCH_KEY), ERR_SEALED);
	t = s, t.hlc++;
	assert_int_equal(statement_open(&plain, &t, EPOCH_KEY), ERR_SEALED);
	assert_int_equal(plain.len, 0);
	assert_int_equal(statement_open(&plain, &s, EPOCH_KEY), OK);
	buf_free(&plain);
	buf_free(&out);
}

static void no_bit_can_be_changed(void **state)
{
	struct statement s = sample(true), read;
	struct buf out = {0};

	(void)state;
	assert_int_equal(statement_make(&out, &s, slice_of("b"), EPOCH_KEY, secret), OK);
	for (size_t bit = 0; bit < 8 * out.len; bit++) {
		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (statement_load(&read, buf_slice(&out)) == OK)
			assert_false(statement_verify(&read));
		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < out.len; len++)
		assert_int_equal(statement_load(&read, SLICE(out.data, len)), ERR_MALFORMED);
	buf_put_u8(&out, 0);
	assert_int_equal(statement_load(&read, buf_slice(&out)), ERR_MALFORMED);
	buf_free(&out);
}

struct wrong { uint64_t version, kind; size_t fields, nonce_len, body_len; unsigned index; bool big_index, epoch; };

static enum err load_wrong(struct wrong w)
{
	static uint8_t zeros[LIMIT_STATEMENT];
	struct buf out = {0};
	struct statement read;
	struct id16 index = statement_index(w.index);
	enum err e;

	index.b[0] = w.big_index;
	mp_put_array(&out, w.fields);
	mp_put_uint(&out, w.version);
	mp_put_bin(&out, zeros, ID_LEN);
	mp_put_bin(&out, zeros, ID_LEN);
	mp_put_uint(&out, w.kind);
	mp_put_bin(&out, index.b, DOC_LEN);
	mp_put_uint(&out, UINT64_MAX);
	mp_put_uint(&out, 0);
	if (w.epoch)
		mp_put_bin(&out, zeros, ID_LEN);
	else
		mp_put_nil(&out);
	mp_put_uint(&out, 0);
	mp_put_nil(&out);
	mp_put_bin(&out, zeros, w.nonce_len);
	mp_put_bin(&out, zeros, w.body_len);
	mp_put_bin(&out, zeros, SIG_LEN);
	for (size_t i = 13; i < w.fields; i++)
		mp_put_nil(&out);
	e = statement_load(&read, buf_slice(&out));
	buf_free(&out);
	return e;
}

static void each_malformed_field_is_refused(void **state)
{
	const struct wrong right = { 1, STATEMENT_REPORT, 13, NONCE_LEN, TAG_LEN, 0, false, true };
	struct wrong w;

	(void)state;
	assert_int_equal(load_wrong(right), OK);
	w = right, w.version = 2, w.fields = 14;
	assert_int_equal(load_wrong(w), ERR_VERSION);
	w = right, w.fields = 14;
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
	w = right, w.nonce_len = 23;
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
	w = right, w.body_len = TAG_LEN - 1;
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
	w.epoch = false;
	assert_int_equal(load_wrong(w), OK);
	w = right, w.body_len = LIMIT_STATEMENT;
	assert_int_equal(load_wrong(w), ERR_TOOBIG);
	w = right, w.body_len = LIMIT_STATEMENT - 400;
	assert_int_equal(load_wrong(w), OK);
	w = right, w.kind = 0;
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
	w = right, w.kind = 255;                        /* unknown, carried */
	assert_int_equal(load_wrong(w), OK);
	w = right, w.kind = 256;
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
	w = right, w.index = LIMIT_SLOT_INDEX;
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
	w = right, w.big_index = true;
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
	w.kind = STATEMENT_ROLLUP;
	assert_int_equal(load_wrong(w), OK);
}

static void what_nobody_could_read_is_not_signed(void **state)
{
	static uint8_t big[LIMIT_STATEMENT];
	struct statement s = sample(true), t = sample(false);
	struct buf out = {0};

	(void)state;
	assert_int_equal(statement_make(&out, &s, slice_of("x"), NULL, secret), ERR_STATE);
	assert_int_equal(statement_make(&out, &t, slice_of("x"), EPOCH_KEY, secret), ERR_STATE);
	assert_int_equal(statement_make(&out, &s, SLICE(big, sizeof big), EPOCH_KEY, secret), ERR_TOOBIG);
	s.index = statement_index(LIMIT_SLOT_INDEX);
	assert_int_equal(statement_make(&out, &s, slice_of("x"), EPOCH_KEY, secret), ERR_MALFORMED);
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

static void the_higher_counter_wins_then_the_larger_id(void **state)
{
	struct statement a = sample(false), b = a;

	(void)state;
	a.counter = 2, b.counter = 1;
	b.id.b[0] = 9;
	assert_true(statement_compare(&a, &b) > 0 && statement_compare(&b, &a) < 0);
	b.counter = 2;
	assert_true(statement_compare(&a, &b) < 0 && statement_compare(&b, &a) > 0);
	b.id = a.id;
	assert_int_equal(statement_compare(&a, &b), 0);
}

static void no_memory_leaves_nothing(void **state)
{
	size_t before = mem_live();

	(void)state;
	for (int k = 0, e = ERR_NOMEM; e != OK; k++) {
		struct buf out = {0}, plain = {0};
		struct statement s = sample(true);

		mem_fail_after(k);
		e = statement_make(&out, &s, slice_of("body"), EPOCH_KEY, secret);
		if (e == OK)
			e = statement_open(&plain, &s, EPOCH_KEY);
		mem_fail_after(-1);
		assert_true(e == OK || (e == ERR_NOMEM && plain.len == 0));
		buf_free(&out);
		buf_free(&plain);
	}
	assert_int_equal(mem_live(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_made_loads_and_opens),
		cmocka_unit_test(an_empty_body_is_one),
		cmocka_unit_test(a_body_opens_only_with_its_key_and_header),
		cmocka_unit_test(no_bit_can_be_changed),
		cmocka_unit_test(each_malformed_field_is_refused),
		cmocka_unit_test(what_nobody_could_read_is_not_signed),
		cmocka_unit_test(the_higher_counter_wins_then_the_larger_id),
		cmocka_unit_test(no_memory_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
