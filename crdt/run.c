/* run: consecutive ops of one log under one signature; see op.h.  Protocol §2. */
#include <string.h>
#include "base/mem.h"
#include "crdt/op_part.h"

#define ENVELOPE_FIELDS 8
#define ITEM_FIELDS 4                   /* flags, hlc delta, kind, body; the rest is named by flags */
#define ITEM_FIELDS_MAX (ITEM_FIELDS + 3)
/* Values in a whole run, at most: each item with all its extras, heads, and a dropped body's pair. */
#define RUN_ITEMS (ENVELOPE_FIELDS + 1 + LIMIT_RUN_OPS * (1 + ITEM_FIELDS_MAX + LIMIT_HEADS + 2))
#define RUN_DEPTH 4

enum item_flag { ITEM_DOCUMENT = 1, ITEM_EPOCH = 2, ITEM_HEADS = 4, ITEM_NO_EPOCH = 8, ITEM_DROPPED = 16, ITEM_ALL = 31 };

void run_free(struct run *run)
{
	mem_free(run->ops);
	*run = (struct run){0};
}

static bool same_heads(const struct op *a, const struct op *b)
{
	return a->n_heads == b->n_heads && memcmp(a->heads, b->heads, a->n_heads * sizeof a->heads[0]) == 0;
}

/* What must be named because it differs from the item before (NULL: the first).  There is one encoding of a run: the decoder
 * refuses flags that name what could be elided. */
static unsigned item_flags(const struct op *op, const struct op *before)
{
	unsigned flags = 0;
	bool epoch_before = before != NULL && before->has_epoch;

	if (op->has_document)
		flags |= ITEM_DOCUMENT;
	if (op->has_epoch && !(epoch_before && id32_equal(&op->epoch, &before->epoch)))
		flags |= ITEM_EPOCH;
	if (!op->has_epoch && epoch_before)
		flags |= ITEM_NO_EPOCH;
	if (before == NULL || !same_heads(op, before))
		flags |= ITEM_HEADS;
	if (op->body.data == NULL)
		flags |= ITEM_DROPPED;
	return flags;
}

static size_t item_fields(unsigned flags)
{
	return ITEM_FIELDS + (size_t)__builtin_popcount(flags & (ITEM_DOCUMENT | ITEM_EPOCH | ITEM_HEADS));
}

/* ---- encoding ---- */

static bool follows(const struct op *op, const struct op *before)
{
	return id32_equal(&op->space, &before->space) && id32_equal(&op->device, &before->device)
		&& op->incarnation == before->incarnation && op->seq - 1 == before->seq && op->seq > before->seq
		&& id32_equal(&op->prev, &before->id) && op->hlc > before->hlc;
}

static void put_item(struct buf *out, const struct op *op, const struct op *before)
{
	unsigned flags = item_flags(op, before);

	mp_put_array(out, item_fields(flags));
	mp_put_uint(out, flags);
	mp_put_uint(out, before == NULL ? op->hlc : op->hlc - before->hlc);
	mp_put_uint(out, op->kind);
	if (flags & ITEM_DROPPED) {
		mp_put_array(out, 2);
		mp_put_uint(out, op->body_len);
		mp_put_bin(out, op->body_hash.b, HASH_LEN);
	} else {
		mp_put_bin_slice(out, op->body);
	}
	if (flags & ITEM_DOCUMENT)
		mp_put_bin(out, op->document.b, DOC_LEN);
	if (flags & ITEM_EPOCH)
		mp_put_bin(out, op->epoch.b, ID_LEN);
	if (flags & ITEM_HEADS)
		op_put_heads(out, op);
}

static enum err put_run(struct buf *out, const struct op *ops, size_t n)
{
	size_t start = out->len;

	mp_put_array(out, ENVELOPE_FIELDS);
	mp_put_uint(out, FORMAT_VERSION);
	mp_put_bin(out, ops->space.b, ID_LEN);
	mp_put_bin(out, ops->device.b, ID_LEN);
	mp_put_uint(out, ops->incarnation);
	mp_put_uint(out, ops->seq);
	mp_put_bin(out, ops->prev.b, ID_LEN);
	mp_put_bin(out, ops[n - 1].signature, SIG_LEN);
	mp_put_array(out, n);
	for (size_t i = 0; i < n; i++) {
		if (!op_is_sound(&ops[i]) || (i > 0 && !follows(&ops[i], &ops[i - 1])))
			return ERR_STATE;
		put_item(out, &ops[i], i > 0 ? &ops[i - 1] : NULL);
		if (out->len - start > LIMIT_RUN_BYTES)
			return ERR_TOOBIG;
	}
	return out->err;
}

enum err run_encode(struct buf *out, const struct op *ops, size_t n)
{
	size_t start = out->len;
	enum err e;

	if (n > LIMIT_RUN_OPS)
		return ERR_TOOBIG;
	if (n == 0 || !ops[n - 1].has_signature)
		return ERR_STATE;
	e = put_run(out, ops, n);
	if (e != OK)
		out->len = start;
	return e;
}

/* ---- decoding ---- */

static void get_body(struct op *op, struct mp_reader *r, bool dropped)
{
	if (dropped) {
		mp_get_array_of(r, 2);
		op->body_len = (uint32_t)mp_get_uint(r, LIMIT_BODY);
		mp_get_fixed(r, op->body_hash.b, HASH_LEN);
		return;
	}
	op->body = op_present(mp_get_bin(r, LIMIT_BODY));
	op->body_len = (uint32_t)op->body.len;
	crypto_hash1(&op->body_hash, "cairn-body", op->body.data, op->body.len);
}

/* Where the item is silent, as before. */
static void inherit(struct op *op, const struct op *before)
{
	op->space = before->space;
	op->device = before->device;
	op->incarnation = before->incarnation;
	op->seq = before->seq + 1;
	op->prev = before->id;
	op->has_epoch = before->has_epoch;
	op->epoch = before->epoch;
	op->n_heads = before->n_heads;
	memcpy(op->heads, before->heads, before->n_heads * sizeof op->heads[0]);
}

static enum err get_item(struct op *op, struct mp_reader *r, const struct op *before)
{
	size_t fields = mp_get_array(r, ITEM_FIELDS_MAX);
	unsigned flags = (unsigned)mp_get_uint(r, ITEM_ALL);
	uint64_t delta = mp_get_uint(r, UINT64_MAX);

	/* hlc grows strictly along a log, seq by one, and neither wraps */
	if (before != NULL && (delta == 0 || delta > UINT64_MAX - before->hlc || before->seq == UINT64_MAX))
		return ERR_MALFORMED;
	op->hlc = before == NULL ? delta : before->hlc + delta;
	op->kind = (uint32_t)mp_get_uint(r, UINT32_MAX);
	get_body(op, r, flags & ITEM_DROPPED);
	op->has_document = flags & ITEM_DOCUMENT;
	if (op->has_document)
		mp_get_fixed(r, op->document.b, DOC_LEN);
	if (flags & ITEM_EPOCH) {
		op->has_epoch = true;
		mp_get_fixed(r, op->epoch.b, ID_LEN);
	} else if (flags & ITEM_NO_EPOCH) {
		op->has_epoch = false;
	}
	if (flags & ITEM_HEADS)
		op_get_heads(op, r);
	if (r->err != OK || fields != item_fields(flags) || flags != item_flags(op, before) || !op_is_sound(op))
		return ERR_MALFORMED;
	return OK;
}

/* The elided header, written again and hashed.  The first `prefix` bytes of header are the same for the whole run. */
static enum err rebuild(struct op *op, struct buf *header, size_t prefix)
{
	header->len = prefix;
	op_put_rest(header, op, true);
	if (header->err == OK)
		crypto_hash1(&op->id, OP_DOMAIN, header->data, header->len);
	return header->err;
}

static enum err get_items(struct run *run, struct mp_reader *r)
{
	uint8_t room[OP_HEADER_ROOM];
	struct buf header = { .data = room, .cap = sizeof room };       /* never grows: the longest header fits */
	struct op *op = run->ops;
	size_t prefix;
	enum err e;

	*op = (struct op){ .space = run->space, .device = run->device, .incarnation = run->incarnation,
		.seq = run->first_seq, .prev = run->prev };
	op_put_log(&header, op, true);
	prefix = header.len;
	for (size_t i = 0; i < run->n; i++, op++) {
		if (i > 0)
			inherit(op, op - 1);
		if ((e = get_item(op, r, i > 0 ? op - 1 : NULL)) != OK || (e = rebuild(op, &header, prefix)) != OK)
			return e;
	}
	return mp_end(r);
}

static enum err get_run(struct run *run, struct slice bytes)
{
	struct mp_reader r = mp_read(bytes);
	uint8_t signature[SIG_LEN];
	struct op *last;
	enum err e = op_get_envelope(&r, ENVELOPE_FIELDS);

	if (e != OK || (e = mp_check(bytes, RUN_DEPTH, RUN_ITEMS)) != OK)
		return e;
	mp_get_fixed(&r, run->space.b, ID_LEN);
	mp_get_fixed(&r, run->device.b, ID_LEN);
	run->incarnation = mp_get_uint(&r, UINT64_MAX);
	run->first_seq = mp_get_uint(&r, UINT64_MAX);
	mp_get_fixed(&r, run->prev.b, ID_LEN);
	mp_get_fixed(&r, signature, SIG_LEN);
	run->n = mp_get_array(&r, LIMIT_RUN_OPS);
	if (r.err != OK || run->n == 0)
		return ERR_MALFORMED;
	run->ops = mem_array(run->n, sizeof run->ops[0]);
	if (run->ops == NULL)
		return ERR_NOMEM;
	if ((e = get_items(run, &r)) != OK)
		return e;
	last = &run->ops[run->n - 1];
	memcpy(last->signature, signature, SIG_LEN);
	last->has_signature = true;
	return op_verify(last) ? OK : ERR_SIGNATURE;
}

enum err run_decode(struct run *out, struct slice bytes)
{
	enum err e;

	*out = (struct run){0};
	if (bytes.len > LIMIT_RUN_BYTES)
		return ERR_TOOBIG;
	e = get_run(out, bytes);
	if (e != OK)
		run_free(out);
	return e;
}
