/* op and run: headers, bodies, stored form, runs on the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/mem.h"
#include "base/mp.h"
#include "base/rng.h"
#include "crdt/op.h"

static const uint8_t SEED[KEY_LEN] = { 1 }, EPOCH_KEY[KEY_LEN] = { 7 }, OTHER_KEY[KEY_LEN] = { 8 };
static struct id32 device;
static uint8_t secret[SIGN_SECRET_LEN];

static int setup(void **state)
{
	(void)state;
	assert_int_equal(crypto_start(), OK);
	crypto_sign_seed(device.b, secret, SEED);
	return 0;
}

static struct op first_op(void)
{
	struct op op = { .device = device, .incarnation = 0x1122334455667788, .seq = 1, .hlc = hlc_from_ms(1700000000000),
		.n_heads = 1, .kind = 3, .has_document = true, .has_epoch = true };

	memset(op.space.b, 0x51, ID_LEN);
	memset(op.heads[0].b, 0x44, ID_LEN);
	memset(op.document.b, 0xdd, DOC_LEN);
	memset(op.epoch.b, 0xee, ID_LEN);
	return op;
}

static bool same_op(const struct op *a, const struct op *b)
{
	return id32_equal(&a->id, &b->id) && id32_equal(&a->space, &b->space) && id32_equal(&a->device, &b->device)
		&& a->incarnation == b->incarnation && a->seq == b->seq && id32_equal(&a->prev, &b->prev) && a->hlc == b->hlc
		&& a->n_heads == b->n_heads && memcmp(a->heads, b->heads, a->n_heads * ID_LEN) == 0 && a->kind == b->kind
		&& a->has_document == b->has_document && (!a->has_document || id16_equal(&a->document, &b->document))
		&& a->has_epoch == b->has_epoch && (!a->has_epoch || id32_equal(&a->epoch, &b->epoch))
		&& a->body_len == b->body_len && id32_equal(&a->body_hash, &b->body_hash)
		&& (a->body.data == NULL) == (b->body.data == NULL) && slice_equal(a->body, b->body);
}

/* ---- op ---- */

static void header_part_is_the_header_without_body_hash(void **state)
{
	struct op op = first_op();
	struct buf header = {0}, part = {0}, body = {0};
	struct id32 id;

	(void)state;
	assert_int_equal(op_seal(&op, &body, slice_of("plain"), EPOCH_KEY), OK);
	id = op.id;
	assert_int_equal(op_header(&header, &op), OK);
	assert_true(id32_equal(&id, &op.id));
	assert_int_equal(op_header_part(&part, &op), OK);
	assert_int_equal(part.len + 2 + HASH_LEN, header.len);
	assert_int_equal(part.data[0] + 1, header.data[0]);
	assert_memory_equal(part.data + 1, header.data + 1, part.len - 1);
	buf_free(&header);
	buf_free(&part);
	buf_free(&body);
}

static void sealed_body_opens_with_its_key_only(void **state)
{
	struct op op = first_op(), bad;
	struct buf body = {0}, plain = {0};
	uint8_t altered[64];

	(void)state;
	buf_put_text(&body, "before");
	assert_int_equal(op_seal(&op, &body, slice_of("plain"), EPOCH_KEY), OK);
	assert_int_equal(body.len, 6 + 5 + TAG_LEN);            /* appended, no scratch left */
	assert_int_equal(op.body_len, 5 + TAG_LEN);
	assert_int_equal(op_open(&plain, &op, EPOCH_KEY), OK);
	assert_true(slice_equal(buf_slice(&plain), slice_of("plain")));
	assert_int_equal(op_open(&plain, &op, OTHER_KEY), ERR_SEALED);
	assert_int_equal(op_open(&plain, &op, NULL), ERR_SEALED);
	assert_int_equal(plain.len, 5);
	bad = op;
	bad.hlc++;                                              /* the header is bound in */
	assert_int_equal(op_open(&plain, &bad, EPOCH_KEY), ERR_SEALED);
	bad = op;
	bad.device.b[0] ^= 1;
	assert_int_equal(op_open(&plain, &bad, EPOCH_KEY), ERR_SEALED);
	memcpy(altered, op.body.data, op.body.len);
	altered[2] ^= 1;
	bad = op;
	bad.body.data = altered;
	assert_int_equal(op_open(&plain, &bad, EPOCH_KEY), ERR_SEALED);
	bad.body = SLICE(NULL, 0);
	assert_int_equal(op_open(&plain, &bad, EPOCH_KEY), ERR_MISSING);
	assert_int_equal(plain.len, 5);
	buf_free(&body);
	buf_free(&plain);
}

static void equal_bodies_of_two_ops_seal_differently(void **state)
{
	struct op a = first_op(), b = first_op();
	struct buf one = {0}, two = {0};

	(void)state;
	b.hlc++;
	assert_int_equal(op_seal(&a, &one, slice_of("plain"), EPOCH_KEY), OK);
	assert_int_equal(op_seal(&b, &two, slice_of("plain"), EPOCH_KEY), OK);
	assert_false(slice_equal(a.body, b.body));
	buf_free(&one);
	buf_free(&two);
}

static void clear_body_is_copied(void **state)
{
	struct op op = first_op();
	struct buf body = {0}, plain = {0};

	(void)state;
	op.has_epoch = false;
	assert_int_equal(op_seal(&op, &body, SLICE(NULL, 0), NULL), OK);
	assert_non_null(op.body.data);                          /* empty is not dropped */
	assert_int_equal(op_seal(&op, &body, slice_of("clear"), NULL), OK);
	assert_true(slice_equal(op.body, slice_of("clear")));
	assert_int_equal(op_open(&plain, &op, NULL), OK);
	assert_true(slice_equal(buf_slice(&plain), slice_of("clear")));
	buf_free(&body);
	buf_free(&plain);
}

static void too_big_body_is_refused(void **state)
{
	static const uint8_t big[LIMIT_BODY + 1];
	struct op op = first_op();
	struct buf body = {0};

	(void)state;
	assert_int_equal(op_seal(&op, &body, SLICE(big, LIMIT_BODY - TAG_LEN + 1), EPOCH_KEY), ERR_TOOBIG);
	assert_int_equal(op_seal(&op, &body, SLICE(big, LIMIT_BODY - TAG_LEN), EPOCH_KEY), OK);
	op.has_epoch = false;
	buf_clear(&body);
	assert_int_equal(op_seal(&op, &body, SLICE(big, LIMIT_BODY + 1), NULL), ERR_TOOBIG);
	assert_int_equal(body.len, 0);
	buf_free(&body);
}

static void unsound_headers_are_not_written(void **state)
{
	struct buf out = {0};
	struct op op = first_op();

	(void)state;
	op.body_len = TAG_LEN;
	op.seq = 0;
	assert_int_equal(op_header(&out, &op), ERR_STATE);
	op.seq = 2;                                             /* with no op before it */
	assert_int_equal(op_header(&out, &op), ERR_STATE);
	op.seq = 1;
	op.prev.b[3] = 1;
	assert_int_equal(op_header(&out, &op), ERR_STATE);
	op = first_op();
	op.body_len = TAG_LEN - 1;
	assert_int_equal(op_header(&out, &op), ERR_STATE);
	op = first_op();
	op.body_len = TAG_LEN;
	op.n_heads = 2;
	op.heads[1] = op.heads[0];
	assert_int_equal(op_header(&out, &op), ERR_STATE);
	op.n_heads = LIMIT_HEADS + 1;
	assert_int_equal(op_header_part(&out, &op), ERR_STATE);
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

static void stored_form_comes_back(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < 32; variant++) {
		struct op op = first_op(), back;
		struct buf body = {0}, stored = {0}, again = {0};

		op.has_epoch = variant & 1;
		op.has_document = variant & 2;
		op.n_heads = variant & 4 ? LIMIT_HEADS : 1;
		for (size_t i = 0; i < op.n_heads; i++)
			op.heads[i].b[0] = (uint8_t)i;
		assert_int_equal(op_seal(&op, &body, slice_of("some plaintext"), EPOCH_KEY), OK);
		if (variant & 8)
			op_sign(&op, secret);
		if (variant & 16)
			op.body = SLICE(NULL, 0);
		assert_int_equal(op_store(&stored, &op), OK);
		assert_int_equal(op_load(&back, buf_slice(&stored)), OK);
		assert_true(same_op(&op, &back));
		assert_int_equal(back.has_signature, op.has_signature);
		assert_int_equal(op_verify(&back), op.has_signature);
		assert_int_equal(op_store(&again, &back), OK);
		assert_true(slice_equal(buf_slice(&stored), buf_slice(&again)));
		buf_free(&body);
		buf_free(&stored);
		buf_free(&again);
	}
}

/* Whatever loads from altered bytes is another op or has another signature, never the same op with other contents. */
static void altered_stored_ops_are_refused_or_other_ops(void **state)
{
	struct op op = first_op(), back;
	struct buf body = {0}, stored = {0};
	size_t len;

	(void)state;
	assert_int_equal(op_seal(&op, &body, slice_of("some plaintext"), EPOCH_KEY), OK);
	op_sign(&op, secret);
	assert_int_equal(op_store(&stored, &op), OK);
	len = stored.len;
	for (size_t i = 0; i < len; i++)
		assert_int_not_equal(op_load(&back, SLICE(stored.data, i)), OK);
	for (size_t i = 0; i < len * 8; i++) {
		stored.data[i / 8] ^= (uint8_t)(1 << i % 8);
		if (op_load(&back, buf_slice(&stored)) == OK)
			assert_false(op_verify(&back));
		stored.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	buf_put_u8(&stored, 0);
	assert_int_equal(op_load(&back, buf_slice(&stored)), ERR_MALFORMED);
	buf_free(&body);
	buf_free(&stored);
}

static void unknown_version_says_so(void **state)
{
	struct op op = first_op(), back;
	struct buf body = {0}, stored = {0}, big = {0};

	(void)state;
	assert_int_equal(op_seal(&op, &body, slice_of("x"), EPOCH_KEY), OK);
	assert_int_equal(op_store(&stored, &op), OK);
	assert_int_equal(stored.data[4], FORMAT_VERSION);       /* array, bin8 head of 2 bytes, array, version */
	stored.data[4]++;
	assert_int_equal(op_load(&back, buf_slice(&stored)), ERR_VERSION);
	assert_non_null(buf_extend(&big, LIMIT_OP + 1));
	assert_int_equal(op_load(&back, buf_slice(&big)), ERR_TOOBIG);
	buf_free(&body);
	buf_free(&stored);
	buf_free(&big);
}

static void signature_is_of_the_device_and_the_id(void **state)
{
	struct op op = first_op();
	struct buf body = {0};

	(void)state;
	assert_int_equal(op_seal(&op, &body, slice_of("x"), EPOCH_KEY), OK);
	assert_false(op_verify(&op));
	op_sign(&op, secret);
	assert_true(op_verify(&op));
	op.id.b[0] ^= 1;
	assert_false(op_verify(&op));
	buf_free(&body);
}

static void op_functions_survive_lack_of_memory(void **state)
{
	enum err e = ERR_NOMEM;

	(void)state;
	for (long k = 0; e != OK; k++) {
		struct op op = first_op();
		struct buf body = {0}, plain = {0}, stored = {0};

		mem_fail_after(k);
		e = op_seal(&op, &body, slice_of("some plaintext"), EPOCH_KEY);
		if (e == OK)
			e = op_open(&plain, &op, EPOCH_KEY);
		if (e == OK)
			e = op_store(&stored, &op);
		mem_fail_after(-1);
		assert_true(e == OK || e == ERR_NOMEM);
		assert_true(e == OK || body.len == 0 || body.len == 14 + TAG_LEN);
		buf_free(&body);
		buf_free(&plain);
		buf_free(&stored);
	}
	assert_int_equal(mem_live(), 0);
}

/* ---- runs ---- */

struct log { struct op ops[LIMIT_RUN_OPS + 1]; size_t n; struct buf bodies[LIMIT_RUN_OPS + 1]; };

/* A random log, with enough variety that each elision is used and not used. */
static struct log *make_log(struct rng *rng, size_t n, size_t body_max)
{
	struct log *log = mem_alloc(sizeof *log);
	static uint8_t plain[LIMIT_BODY];

	log->n = n;
	for (size_t i = 0; i < n; i++) {
		struct op *op = &log->ops[i];

		*op = i > 0 ? log->ops[i - 1] : first_op();
		if (i == 0 && rng_below(rng, 2)) {              /* from the middle of a log */
			op->seq = 1 + rng_u64(rng) / 2 + 1;
			rng_bytes(rng, op->prev.b, ID_LEN);
		}
		if (i > 0) {
			op->seq++;
			op->prev = log->ops[i - 1].id;
			op->hlc += 1 + rng_below(rng, 1 << rng_below(rng, 30));
		}
		op->kind = (uint32_t)rng_below(rng, 300);
		op->has_document = rng_below(rng, 4) > 0;
		rng_bytes(rng, op->document.b, DOC_LEN);
		if (rng_below(rng, 4) == 0) {
			op->has_epoch = rng_below(rng, 2);
			op->epoch.b[0] = (uint8_t)rng_below(rng, 3);
		}
		if (rng_below(rng, 8) == 0) {
			op->n_heads = rng_below(rng, LIMIT_HEADS + 1);
			for (size_t k = 0; k < op->n_heads; k++)
				op->heads[k].b[0] = (uint8_t)(k * 7 + rng_below(rng, 7));
		}
		rng_bytes(rng, plain, 64);
		assert_int_equal(op_seal(op, &log->bodies[i], SLICE(plain, rng_below(rng, body_max + 1)), EPOCH_KEY), OK);
		if (rng_below(rng, 10) == 0)
			op->body = SLICE(NULL, 0);
		op->has_signature = false;
	}
	op_sign(&log->ops[n - 1], secret);
	return log;
}

static void free_log(struct log *log)
{
	for (size_t i = 0; i < log->n; i++)
		buf_free(&log->bodies[i]);
	mem_free(log);
}

static void random_runs_come_back(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed_u64(&rng, 1);
	for (int round = 0; round < 200; round++) {
		struct log *log = make_log(&rng, 1 + rng_below(&rng, round % 10 == 0 ? LIMIT_RUN_OPS : 20), 300);
		struct buf wire = {0}, again = {0};
		struct run run;

		assert_int_equal(run_encode(&wire, log->ops, log->n), OK);
		assert_int_equal(run_decode(&run, buf_slice(&wire)), OK);
		assert_int_equal(run.n, log->n);
		assert_int_equal(run.first_seq, log->ops[0].seq);
		assert_true(id32_equal(&run.prev, &log->ops[0].prev));
		for (size_t i = 0; i < log->n; i++) {
			assert_true(same_op(&log->ops[i], &run.ops[i]));
			assert_int_equal(run.ops[i].has_signature, i + 1 == log->n);
		}
		assert_true(op_verify(&run.ops[run.n - 1]));
		assert_int_equal(run_encode(&again, run.ops, run.n), OK);
		assert_true(slice_equal(buf_slice(&wire), buf_slice(&again)));
		run_free(&run);
		buf_free(&wire);
		buf_free(&again);
		free_log(log);
	}
	assert_int_equal(mem_live(), 0);
}

/* One encoding of a run: what is altered is refused. */
static void altered_runs_are_refused(void **state)
{
	struct rng rng;
	struct log *log;
	struct buf wire = {0};
	struct run run;

	(void)state;
	rng_seed_u64(&rng, 2);
	log = make_log(&rng, 6, 40);
	assert_int_equal(run_encode(&wire, log->ops, log->n), OK);
	for (size_t i = 0; i < wire.len; i++) {
		assert_int_not_equal(run_decode(&run, SLICE(wire.data, i)), OK);
		assert_null(run.ops);
	}
	for (size_t i = 0; i < wire.len * 8; i++) {
		enum err e;

		wire.data[i / 8] ^= (uint8_t)(1 << i % 8);
		e = run_decode(&run, buf_slice(&wire));
		assert_true(e == ERR_MALFORMED || e == ERR_SIGNATURE || e == ERR_VERSION);
		wire.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(run_decode(&run, buf_slice(&wire)), OK);
	run_free(&run);
	buf_put_u8(&wire, 0xc0);
	assert_int_equal(run_decode(&run, buf_slice(&wire)), ERR_MALFORMED);
	buf_free(&wire);
	free_log(log);
	assert_int_equal(mem_live(), 0);
}

static void runs_that_are_no_runs_are_not_written(void **state)
{
	struct rng rng;
	struct log *log;
	struct buf wire = {0};
	struct op saved;

	(void)state;
	rng_seed_u64(&rng, 3);
	log = make_log(&rng, 5, 40);
	assert_int_equal(run_encode(&wire, log->ops, 0), ERR_STATE);
	assert_int_equal(run_encode(&wire, log->ops, 4), ERR_STATE);            /* no signature at its end */
	assert_int_equal(run_encode(&wire, log->ops, LIMIT_RUN_OPS + 1), ERR_TOOBIG);
	saved = log->ops[2];
	log->ops[2].seq++;
	assert_int_equal(run_encode(&wire, log->ops, 5), ERR_STATE);
	log->ops[2] = saved;
	log->ops[2].hlc = log->ops[1].hlc;
	assert_int_equal(run_encode(&wire, log->ops, 5), ERR_STATE);
	log->ops[2] = saved;
	log->ops[2].prev.b[0] ^= 1;
	assert_int_equal(run_encode(&wire, log->ops, 5), ERR_STATE);
	log->ops[2] = saved;
	log->ops[2].incarnation ^= 1;
	assert_int_equal(run_encode(&wire, log->ops, 5), ERR_STATE);
	log->ops[2] = saved;
	assert_int_equal(wire.len, 0);
	assert_int_equal(run_encode(&wire, log->ops, 5), OK);
	buf_free(&wire);
	free_log(log);
}

static void run_keeps_to_its_size(void **state)
{
	struct rng rng;
	struct buf wire = {0};
	struct run run;
	size_t n = 2;
	enum err e;

	(void)state;
	rng_seed_u64(&rng, 4);
	do {
		struct log *log = make_log(&rng, n++, LIMIT_BODY - TAG_LEN);

		e = run_encode(&wire, log->ops, log->n);
		assert_true(e == OK ? wire.len <= LIMIT_RUN_BYTES : wire.len == 0);
		if (e == OK) {
			assert_int_equal(run_decode(&run, buf_slice(&wire)), OK);
			run_free(&run);
		}
		buf_clear(&wire);
		free_log(log);
	} while (e == OK);
	assert_int_equal(e, ERR_TOOBIG);
	assert_non_null(buf_extend(&wire, LIMIT_RUN_BYTES + 1));
	assert_int_equal(run_decode(&run, buf_slice(&wire)), ERR_TOOBIG);
	buf_free(&wire);
}

/* A run by hand, in which one thing at a time is wrong. */
enum fault { NO_FAULT, STANDING_HLC, WRAPPING_HLC, BOTH_EPOCHS, NAMED_TWICE, UNKNOWN_FLAG, HEADS_UNSORTED, NO_HEADS, WRAPPING_SEQ,
	SHORT_SEALED, NO_OPS, FAULTS };

static void put_item(struct buf *out, enum fault fault, bool first)
{
	static const uint8_t head[2][ID_LEN] = { { 1 }, { 2 } };
	bool heads = first && fault != NO_HEADS, sealed = fault == SHORT_SEALED, twice = !first && fault == NAMED_TWICE;
	unsigned flags = heads || twice ? 4 : 0;

	flags |= !first && fault == UNKNOWN_FLAG ? 32 : 0;
	flags |= first && fault == BOTH_EPOCHS ? 2 | 8 : 0;
	flags |= sealed && first ? 2 : 0;
	mp_put_array(out, 4u + (flags >> 1 & 1) + (flags >> 2 & 1));
	mp_put_uint(out, flags);
	mp_put_uint(out, first ? 1000 : fault == STANDING_HLC ? 0 : fault == WRAPPING_HLC ? UINT64_MAX - 999 : 1);
	mp_put_uint(out, 1);
	mp_put_bin(out, "123456789", 9);
	if (flags & 2)
		mp_put_bin(out, head[0], ID_LEN);
	if (flags & 4) {
		mp_put_array(out, 2);
		mp_put_bin(out, head[fault == HEADS_UNSORTED], ID_LEN);
		mp_put_bin(out, head[fault != HEADS_UNSORTED], ID_LEN);
	}
}

static void put_run(struct buf *out, enum fault fault)
{
	uint8_t zeros[SIG_LEN] = {0}, prev[ID_LEN] = {0};

	prev[0] = fault == WRAPPING_SEQ;
	mp_put_array(out, 8);
	mp_put_uint(out, FORMAT_VERSION);
	mp_put_bin(out, zeros, ID_LEN);
	mp_put_bin(out, device.b, ID_LEN);
	mp_put_uint(out, 5);
	mp_put_uint(out, fault == WRAPPING_SEQ ? UINT64_MAX : 1);
	mp_put_bin(out, prev, ID_LEN);
	mp_put_bin(out, zeros, SIG_LEN);
	mp_put_array(out, fault == NO_OPS ? 0 : 2);
	for (int i = 0; i < 2 && fault != NO_OPS; i++)
		put_item(out, fault, i == 0);
}

static void each_fault_is_malformed(void **state)
{
	(void)state;
	for (enum fault fault = NO_FAULT; fault < FAULTS; fault++) {
		struct buf wire = {0};
		struct run run;

		put_run(&wire, fault);
		/* the one without fault comes as far as its signature */
		assert_int_equal(run_decode(&run, buf_slice(&wire)), fault == NO_FAULT ? ERR_SIGNATURE : ERR_MALFORMED);
		buf_free(&wire);
	}
}

static void runs_survive_lack_of_memory(void **state)
{
	struct rng rng;
	struct log *log;
	struct buf wire = {0};
	struct run run;
	enum err e = ERR_NOMEM;
	size_t live;

	(void)state;
	rng_seed_u64(&rng, 5);
	log = make_log(&rng, 20, 100);
	live = mem_live();
	for (long k = 0; e != OK; k++) {
		mem_fail_after(k);
		e = run_encode(&wire, log->ops, log->n);
		mem_fail_after(-1);
		assert_true(e == OK || (e == ERR_NOMEM && wire.len == 0));
		if (e != OK)
			buf_free(&wire);
	}
	e = ERR_NOMEM;
	for (long k = 0; e != OK; k++) {
		mem_fail_after(k);
		e = run_decode(&run, buf_slice(&wire));
		mem_fail_after(-1);
		assert_true(e == OK || (e == ERR_NOMEM && run.ops == NULL));
	}
	run_free(&run);
	buf_free(&wire);
	assert_int_equal(mem_live(), live);
	free_log(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_part_is_the_header_without_body_hash),
		cmocka_unit_test(sealed_body_opens_with_its_key_only),
		cmocka_unit_test(equal_bodies_of_two_ops_seal_differently),
		cmocka_unit_test(clear_body_is_copied),
		cmocka_unit_test(too_big_body_is_refused),
		cmocka_unit_test(unsound_headers_are_not_written),
		cmocka_unit_test(stored_form_comes_back),
		cmocka_unit_test(altered_stored_ops_are_refused_or_other_ops),
		cmocka_unit_test(unknown_version_says_so),
		cmocka_unit_test(signature_is_of_the_device_and_the_id),
		cmocka_unit_test(op_functions_survive_lack_of_memory),
		cmocka_unit_test(random_runs_come_back),
		cmocka_unit_test(altered_runs_are_refused),
		cmocka_unit_test(runs_that_are_no_runs_are_not_written),
		cmocka_unit_test(run_keeps_to_its_size),
		cmocka_unit_test(each_fault_is_malformed),
		cmocka_unit_test(runs_survive_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
