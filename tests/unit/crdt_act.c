/* The envelope of an authority op: what is made loads, and nothing else does (protocol §3; act.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/mem.h"
#include "base/mp.h"
#include "crdt/act.h"

static struct id32 author;
static uint8_t secret[SIGN_SECRET_LEN];

static int setup(void **state)
{
	static const uint8_t seed[KEY_LEN] = { 42 };

	(void)state;
	if (crypto_start() != OK)
		return -1;
	crypto_sign_seed(author.b, secret, seed);
	return 0;
}

static struct act sample(size_t n_cites, struct slice body)
{
	struct act a = { .author_type = ACT_DEVICE, .author = author, .n_cites = n_cites, .kind = 7, .body = body };

	for (size_t i = 0; i < n_cites; i++)
		a.cites[i].b[0] = (uint8_t)(i + 1);
	if (n_cites > 0)
		a.space.b[0] = 0x51;
	return a;
}

static const uint8_t BODY[] = { 0x82, 0x01, 0xc0, 0x02, 0xc3 };         /* {1: nil, 2: true} */
#define BODY_SLICE SLICE(BODY, sizeof BODY)

static void what_is_made_loads(void **state)
{
	size_t before = mem_live();

	(void)state;
	for (size_t n = 0; n <= LIMIT_HEADS; n++) {
		struct act made = sample(n, BODY_SLICE), read;
		struct buf out = {0};

		buf_put_text(&out, "before");
		assert_int_equal(act_make(&out, &made, secret), OK);
		assert_int_equal(act_load(&read, SLICE(out.data + 6, out.len - 6)), OK);
		assert_true(id32_equal(&read.id, &made.id));
		assert_true(id32_equal(&read.space, &made.space));
		assert_true(id32_equal(&read.author, &author));
		assert_int_equal(read.n_cites, n);
		assert_memory_equal(read.cites, made.cites, n * sizeof made.cites[0]);
		assert_int_equal(read.kind, 7);
		assert_true(slice_equal(read.body, BODY_SLICE));
		assert_true(read.body.data > out.data && read.body.data < out.data + out.len);
		assert_true(act_verify(&read));
		buf_free(&out);
	}
	assert_int_equal(mem_live(), before);
}

static void the_id_is_that_of_the_array_without_signature(void **state)
{
	struct act a = sample(2, BODY_SLICE);
	struct buf out = {0}, plain = {0};
	struct id32 id;

	(void)state;
	assert_int_equal(act_make(&out, &a, secret), OK);
	mp_put_array(&plain, 7);
	buf_put(&plain, out.data + 1, out.len - 1 - 2 - SIG_LEN);
	crypto_hash1(&id, "cairn-authority", plain.data, plain.len);
	assert_true(id32_equal(&id, &a.id));
	buf_free(&plain);
	buf_free(&out);
}

/* Any changed bit makes another act, or none; its signature does not fit. */
static void no_bit_can_be_changed(void **state)
{
	struct act a = sample(2, BODY_SLICE), read;
	struct buf out = {0};

	(void)state;
	assert_int_equal(act_make(&out, &a, secret), OK);
	for (size_t bit = 0; bit < 8 * out.len; bit++) {
		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (act_load(&read, buf_slice(&out)) == OK)
			assert_false(act_verify(&read));
		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_free(&out);
}

static void truncations_and_trailing_bytes_are_refused(void **state)
{
	struct act a = sample(1, BODY_SLICE), read;
	struct buf out = {0};

	(void)state;
	assert_int_equal(act_make(&out, &a, secret), OK);
	for (size_t len = 0; len < out.len; len++)
		assert_int_equal(act_load(&read, SLICE(out.data, len)), ERR_MALFORMED);
	buf_put_u8(&out, 0xc0);
	assert_int_equal(act_load(&read, buf_slice(&out)), ERR_MALFORMED);
	buf_free(&out);
}

/* An act with any field wrong, signed all the same. */
struct wrong { uint64_t version, author_type, kind; size_t fields, n_cites, space_len; bool unsorted, zero_space, no_map; };

static enum err load_wrong(struct wrong w)
{
	struct buf out = {0};
	uint8_t zeros[64] = {0}, id[40] = {0};
	struct act read;
	enum err e;

	mp_put_array(&out, w.fields);
	mp_put_uint(&out, w.version);
	id[0] = w.zero_space ? 0 : 9;
	mp_put_bin(&out, id, w.space_len);
	mp_put_uint(&out, w.author_type);
	mp_put_bin(&out, author.b, ID_LEN);
	mp_put_array(&out, w.n_cites);
	for (size_t i = 0; i < w.n_cites; i++) {
		id[0] = (uint8_t)(w.unsorted ? w.n_cites - i : i + 1);
		mp_put_bin(&out, id, ID_LEN);
	}
	mp_put_uint(&out, w.kind);
	if (w.no_map)
		mp_put_nil(&out);
	else
		mp_put_map(&out, 0);
	mp_put_bin(&out, zeros, SIG_LEN);
	for (size_t i = 8; i < w.fields; i++)
		mp_put_nil(&out);
	e = act_load(&read, buf_slice(&out));
	buf_free(&out);
	return e;
}

static void each_malformed_field_is_refused(void **state)
{
	const struct wrong right = { 1, 0, 5, 8, 2, ID_LEN, false, false, false };
	struct wrong w;

	(void)state;
	assert_int_equal(load_wrong(right), OK);
	w = right, w.version = 2;
	assert_int_equal(load_wrong(w), ERR_VERSION);
	w = right, w.version = 2, w.fields = 9;
	assert_int_equal(load_wrong(w), ERR_VERSION);
	w = right, w.fields = 9;
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
	w = right, w.author_type = 1;
	assert_int_equal(load_wrong(w), OK);
	w = right, w.author_type = 2;
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
	w = right, w.kind = UINT32_MAX;
	assert_int_equal(load_wrong(w), OK);
	w = right, w.kind = (uint64_t)UINT32_MAX + 1;
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
	w = right, w.n_cites = 17;
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
	w = right, w.unsorted = true;
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
	w = right, w.space_len = 31;
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
	w = right, w.zero_space = true;                 /* a genesis cites nothing */
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
	w = right, w.n_cites = 0;                       /* and only it */
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
	w = right, w.no_map = true;
	assert_int_equal(load_wrong(w), ERR_MALFORMED);
}

static void what_nobody_could_read_is_not_signed(void **state)
{
	static uint8_t big[LIMIT_AUTHORITY_OP];
	struct buf out = {0}, body = {0};
	struct act a = sample(1, SLICE(BODY, 2)), empty = sample(1, SLICE(NULL, 0)), large;

	(void)state;
	assert_int_equal(act_make(&out, &a, secret), ERR_MALFORMED);
	assert_int_equal(act_make(&out, &empty, secret), ERR_MALFORMED);
	mp_put_map(&body, 1);
	mp_put_uint(&body, 1);
	mp_put_bin(&body, big, sizeof big - 200);
	large = sample(1, buf_slice(&body));
	assert_int_equal(act_make(&out, &large, secret), OK);
	out.len = 0;
	buf_clear(&body);
	mp_put_map(&body, 1);
	mp_put_uint(&body, 1);
	mp_put_bin(&body, big, sizeof big);
	large = sample(1, buf_slice(&body));
	assert_int_equal(act_make(&out, &large, secret), ERR_TOOBIG);
	a = sample(2, BODY_SLICE);
	a.cites[1] = a.cites[0];
	assert_int_equal(act_make(&out, &a, secret), ERR_MALFORMED);
	assert_int_equal(out.len, 0);
	buf_free(&body);
	buf_free(&out);
}

static void bodies_nest_to_the_limit(void **state)
{
	struct buf out = {0}, body = {0};
	struct act a;

	(void)state;
	for (int depth = 1; depth <= LIMIT_DEPTH; depth++) {
		mp_put_map(&body, 1);
		mp_put_uint(&body, 1);
	}
	mp_put_nil(&body);
	a = sample(1, buf_slice(&body));
	assert_int_equal(act_make(&out, &a, secret), OK);
	buf_clear(&body);
	for (int depth = 1; depth <= LIMIT_DEPTH + 1; depth++) {
		mp_put_map(&body, 1);
		mp_put_uint(&body, 1);
	}
	mp_put_nil(&body);
	a = sample(1, buf_slice(&body));
	assert_int_equal(act_make(&out, &a, secret), ERR_MALFORMED);
	buf_free(&body);
	buf_free(&out);
}

static void no_memory_leaves_nothing(void **state)
{
	size_t before = mem_live();

	(void)state;
	for (int k = 0, e = ERR_NOMEM; e != OK; k++) {
		struct buf out = {0};
		struct act a = sample(2, BODY_SLICE);

		mem_fail_after(k);
		e = act_make(&out, &a, secret);
		mem_fail_after(-1);
		assert_true(e == OK || (e == ERR_NOMEM && out.len == 0));
		buf_free(&out);
	}
	assert_int_equal(mem_live(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_made_loads),
		cmocka_unit_test(the_id_is_that_of_the_array_without_signature),
		cmocka_unit_test(no_bit_can_be_changed),
		cmocka_unit_test(truncations_and_trailing_bytes_are_refused),
		cmocka_unit_test(each_malformed_field_is_refused),
		cmocka_unit_test(what_nobody_could_read_is_not_signed),
		cmocka_unit_test(bodies_nest_to_the_limit),
		cmocka_unit_test(no_memory_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
