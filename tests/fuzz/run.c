/* Runs.  The bytes are decoded as they are; and they say what a run that we sign holds, which then must come back. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "crdt/op.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define OPS_MAX 8

struct input { const uint8_t *at; size_t left; };

static uint8_t take(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static struct slice take_some(struct input *in)
{
	size_t len = take(in);
	struct slice s;

	len = len < in->left ? len : in->left;
	s = SLICE(in->at, len);
	in->at += len;
	in->left -= len;
	return s;
}

static void decode_raw(const uint8_t *data, size_t len)
{
	struct buf again = {0};
	struct run run;

	if (run_decode(&run, SLICE(data, len)) != OK)
		return;
	if (run_encode(&again, run.ops, run.n) != OK || !slice_equal(buf_slice(&again), SLICE(data, len)))
		abort();
	buf_free(&again);
	run_free(&run);
}

static void next_op(struct op *op, struct input *in)
{
	uint8_t shape = take(in);

	op->hlc += 1u + take(in);
	op->kind = take(in);
	op->has_document = shape & 1;
	op->has_epoch = shape & 2;
	op->document.b[0] = take(in);
	op->epoch.b[0] = shape & 4;
	op->n_heads = shape >> 4 & 3;
	for (uint8_t i = 0; i < op->n_heads; i++)
		op->heads[i].b[0] = (uint8_t)(i * 2 + (shape >> 6 & 1));
	op->has_signature = false;
}

static void encode_and_back(struct input in)
{
	static const uint8_t key[KEY_LEN] = { 1 };
	static struct op ops[OPS_MAX];
	struct buf bodies[OPS_MAX] = {0}, wire = {0};
	uint8_t secret[SIGN_SECRET_LEN];
	struct run run;
	size_t n = 0;

	ops[0] = (struct op){ .incarnation = take(&in), .seq = 1 };
	crypto_sign_seed(ops[0].device.b, secret, key);
	for (; n < OPS_MAX && in.left > 0; n++) {
		struct slice plain;
		bool drop;

		if (n > 0) {
			ops[n] = ops[n - 1];
			ops[n].seq++;
			ops[n].prev = ops[n - 1].id;
		}
		next_op(&ops[n], &in);
		drop = take(&in) & 1;
		plain = take_some(&in);
		if (op_seal(&ops[n], &bodies[n], plain, key) != OK)
			abort();
		if (drop)
			ops[n].body = SLICE(NULL, 0);
	}
	if (n == 0)
		return;
	op_sign(&ops[n - 1], secret);
	if (run_encode(&wire, ops, n) != OK || run_decode(&run, buf_slice(&wire)) != OK || run.n != n)
		abort();
	for (size_t i = 0; i < n; i++)
		if (!id32_equal(&run.ops[i].id, &ops[i].id) || !slice_equal(run.ops[i].body, ops[i].body))
			abort();
	run_free(&run);
	buf_free(&wire);
	for (size_t i = 0; i < n; i++)
		buf_free(&bodies[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	decode_raw(data, len);
	encode_and_back((struct input){ data, len });
	return 0;
}
