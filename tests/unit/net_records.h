/* records: authors, and the signed acts, ops and statements that tests of the wire need. */
#ifndef NET_RECORDS_H
#define NET_RECORDS_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/mem.h"
#include "base/mp.h"
#include "crdt/act.h"
#include "crdt/op.h"
#include "crdt/statement.h"

struct author { struct id32 id; uint8_t secret[SIGN_SECRET_LEN]; };

static inline struct author toy_author(uint32_t n)
{
	struct author a;
	uint8_t seed[KEY_LEN] = {0};

	put_u32(seed, n + 1);
	crypto_sign_seed(a.id.b, a.secret, seed);
	return a;
}

struct record { uint8_t *bytes; size_t len; struct id32 id; };          /* malloc: outside the failing allocator */

static inline struct record toy_record(struct buf *b, const struct id32 *id)
{
	struct record r = { malloc(b->len), b->len, *id };

	assert_int_equal(b->err, OK);
	memcpy(r.bytes, b->data, b->len);
	buf_free(b);
	return r;
}

static inline int by_id(const void *a, const void *b)
{
	return id32_compare(a, b);
}

/* cites NULL: a genesis. */
static inline struct record toy_act(const struct id32 *space, const struct author *by, const struct id32 *cites, size_t n, uint32_t salt)
{
	struct act a = { .author_type = ACT_DEVICE, .author = by->id, .n_cites = n, .kind = 9 };
	struct buf body = {0}, out = {0};

	if (space != NULL)
		a.space = *space;
	if (n > 0)
		memcpy(a.cites, cites, n * sizeof *cites);
	qsort(a.cites, n, sizeof a.cites[0], by_id);
	mp_put_map(&body, 1);
	mp_put_uint(&body, 1);
	mp_put_uint(&body, salt);
	a.body = buf_slice(&body);
	assert_int_equal(act_make(&out, &a, by->secret), OK);
	buf_free(&body);
	return toy_record(&out, &a.id);
}

static inline struct record toy_statement(const struct id32 *space, const struct author *by, uint32_t index, uint64_t counter, size_t len)
{
	static uint8_t plain[LIMIT_STATEMENT];
	struct statement s = { .space = *space, .device = by->id, .kind = STATEMENT_ROLLUP, .counter = counter };
	struct buf out = {0};

	put_u32(s.index.b, index);
	assert_int_equal(statement_make(&out, &s, SLICE(plain, len), NULL, by->secret), OK);
	return toy_record(&out, &s.id);
}

/* The op after prev (NULL: the first), stored form. */
static inline struct record toy_op(const struct id32 *space, const struct author *by, uint64_t incarnation, const struct op *prev, size_t len,
	uint32_t salt, const struct id32 *head)
{
	struct op op = { .space = *space, .device = by->id, .incarnation = incarnation, .seq = prev ? prev->seq + 1 : 1,
		.hlc = (prev ? prev->hlc : 1000) + 1 + salt, .n_heads = 1, .kind = 3 };
	struct buf body = {0}, out = {0};
	uint8_t *plain = calloc(1, len + 4);

	if (prev != NULL)
		op.prev = prev->id;
	op.heads[0] = *head;
	put_u32(plain, salt);
	assert_int_equal(op_seal(&op, &body, SLICE(plain, len + 4), NULL), OK);
	op_sign(&op, by->secret);
	assert_int_equal(op_store(&out, &op), OK);
	buf_free(&body);
	free(plain);
	return toy_record(&out, &op.id);
}

#endif
