/* Logs and forks (protocol §2): what is kept, where a log ends, what the map shows of it. */
#include <stdlib.h>
#include <string.h>
#include "daemon/node/replica_internal.h"

/* ---- logs --------------------------------------------------------------------------------------------------------- */
static enum err log_record_read(struct log_head *out, struct slice value)
{
	struct mp_reader r = mp_read(value);

	memset(out, 0, sizeof *out);
	mp_get_array_of(&r, 6);
	out->number = (uint32_t)mp_get_uint(&r, UINT32_MAX);
	out->seq = mp_get_uint(&r, UINT64_MAX);
	mp_get_fixed(&r, &out->id, ID_LEN);
	out->hlc = mp_get_uint(&r, UINT64_MAX);
	out->visible = mp_get_uint(&r, UINT64_MAX);
	mp_get_fixed(&r, &out->visible_id, ID_LEN);
	return mp_end(&r) == OK ? OK : ERR_DAMAGED;
}

enum err log_read(struct node *n, struct space *s, const struct id32 *device, uint64_t incarnation, struct log_head *out)
{
	struct key k = log_key(s, device, incarnation);
	struct slice value;
	enum err e = store_get(n->txn, TABLE_LOG, key_slice(&k), &value);

	return e == OK ? log_record_read(out, value) : e;
}

enum err log_write(struct node *n, struct space *s, const struct id32 *device, uint64_t incarnation, const struct log_head *head)
{
	struct key k = log_key(s, device, incarnation);
	struct buf b = {0};
	enum err e;

	mp_put_array(&b, 6);
	mp_put_uint(&b, head->number);
	mp_put_uint(&b, head->seq);
	mp_put_bin(&b, &head->id, ID_LEN);
	mp_put_uint(&b, head->hlc);
	mp_put_uint(&b, head->visible);
	mp_put_bin(&b, &head->visible_id, ID_LEN);
	n->dirty = true;
	e = b.err ? b.err : store_put(n->txn, TABLE_LOG, key_slice(&k), buf_slice(&b));
	buf_free(&b);
	return e;
}

enum err op_read(struct node *n, uint32_t log, uint64_t seq, struct op *out)
{
	struct key k = op_key(log, seq);
	struct slice value;
	enum err e = store_get(n->txn, TABLE_OP, key_slice(&k), &value);

	if (e == OK && (e = op_load(out, value)) == ERR_MALFORMED)
		e = ERR_DAMAGED;
	return e;
}

static enum err op_write(struct node *n, uint32_t log, const struct op *op)
{
	struct key k = op_key(log, op->seq);
	struct buf b = {0};
	enum err e = op_store(&b, op);

	n->dirty = true;
	if (e == OK)
		e = store_put(n->txn, TABLE_OP, key_slice(&k), buf_slice(&b));
	buf_free(&b);
	return e;
}

/* ---- forks: TABLE_INDEX 'f' ‖ space# ‖ device ‖ incarnation → [seq, smaller first id, its run, the other run] -------------- */
static struct key fork_key(const struct space *s, const struct id32 *device, uint64_t incarnation)
{
	struct key k = { .len = 0 };

	key_u8(&k, 'f');
	key_u32(&k, s->number);
	key_bytes(&k, device, ID_LEN);
	key_u64(&k, incarnation);
	return k;
}

enum err fork_read(struct node *n, struct space *s, const struct id32 *device, uint64_t incarnation, struct fork *out)
{
	struct key k = fork_key(s, device, incarnation);
	struct slice value;
	struct mp_reader r;
	enum err e = store_get(n->txn, TABLE_INDEX, key_slice(&k), &value);

	if (e != OK)
		return e;
	r = mp_read(value);
	mp_get_array_of(&r, 4);
	out->seq = mp_get_uint(&r, UINT64_MAX);
	mp_get_fixed(&r, &out->id, ID_LEN);
	out->a = mp_get_bin(&r, SIZE_MAX);
	out->b = mp_get_bin(&r, SIZE_MAX);
	return mp_end(&r) == OK ? OK : ERR_DAMAGED;
}

/* The last seq of a log that may count: below its pins and its lowest fork.  A device that nobody certified with effect has no
 * logs: its certificate may be voided after its ops came. */
enum err replica_bound(struct node *n, struct space *s, const struct id32 *device, uint64_t incarnation, uint64_t *bound)
{
	const struct state *state = space_state(s);
	struct fork fork;
	enum err e;

	*bound = 0;
	if (state == NULL)
		return ERR_NOMEM;
	if (state_device(state, device) == NULL)
		return OK;
	*bound = authority_bound(s->authority, device, incarnation);
	e = fork_read(n, s, device, incarnation, &fork);
	if (e == OK && fork.seq - 1 < *bound)
		*bound = fork.seq - 1;
	return e == ERR_NOTFOUND ? OK : e;
}

/* What the map shows of a log: its newest op below the bound (protocol §7).  Sets the slot, or takes it away. */
enum err log_show(struct node *n, struct space *s, const struct id32 *device, uint64_t incarnation, struct log_head *head)
{
	struct slot slot;
	uint64_t bound;
	enum err e = replica_bound(n, s, device, incarnation, &bound);

	if (e != OK)
		return e;
	head->visible = head->seq < bound ? head->seq : bound;
	head->visible_id = head->id;
	if (head->visible > 0 && head->visible < head->seq) {
		struct op op;

		if ((e = op_read(n, head->number, head->visible, &op)) != OK)
			return e;
		head->visible_id = op.id;
	}
	slot_log(&slot, device, incarnation, head->visible, &head->visible_id);
	return head->visible > 0 ? slot_put(n, s, &slot) : slot_remove(n, s, &slot);
}

enum err fork_show(struct node *n, struct space *s, const struct id32 *device, uint64_t incarnation, const struct fork *fork)
{
	const struct state *state = space_state(s);
	struct slot slot;

	slot_fork(&slot, device, incarnation, fork->seq, &fork->id);
	if (state == NULL)
		return ERR_NOMEM;
	return state_device(state, device) != NULL ? slot_put(n, s, &slot) : slot_remove(n, s, &slot);
}

/* A proof of a fork: kept if it is the lowest (protocol §2).  The log ends below it, and what it said above counts no more. */
enum err fork_take(struct node *n, struct space *s, const struct id32 *device, uint64_t incarnation, const struct fork *fork)
{
	struct key k = fork_key(s, device, incarnation);
	struct log_head head;
	struct fork old;
	struct buf b = {0};
	enum err e = fork_read(n, s, device, incarnation, &old);

	if (id32_equal(device, &n->identity->device))
		n->incarnation_spent = true;
	if (e == OK && (old.seq < fork->seq || (old.seq == fork->seq && id32_compare(&old.id, &fork->id) <= 0)))
		return OK;
	if (e != OK && e != ERR_NOTFOUND)
		return e;
	mp_put_array(&b, 4);
	mp_put_uint(&b, fork->seq);
	mp_put_bin(&b, &fork->id, ID_LEN);
	mp_put_bin_slice(&b, fork->a);
	mp_put_bin_slice(&b, fork->b);
	n->dirty = true;
	e = b.err ? b.err : store_put(n->txn, TABLE_INDEX, key_slice(&k), buf_slice(&b));
	buf_free(&b);
	if (e != OK || (e = fork_show(n, s, device, incarnation, fork)) != OK)
		return e;
	e = log_read(n, s, device, incarnation, &head);
	if (e != OK)
		return e == ERR_NOTFOUND ? OK : e;
	if ((e = log_show(n, s, device, incarnation, &head)) == OK && (e = log_write(n, s, device, incarnation, &head)) == OK &&
	    head.seq >= fork->seq)
		e = fold_log(n, s, head.number, fork->seq, head.seq);
	return e;
}

/* Our branch, from the op where the other parts up to the first signature. */
static enum err branch_encode(struct node *n, const struct log_head *head, uint64_t from, struct buf *out)
{
	struct op *ops = mem_array(LIMIT_RUN_OPS, sizeof *ops);
	size_t count = 0;
	enum err e = ops == NULL ? ERR_NOMEM : ERR_STATE;

	while (ops != NULL && count < LIMIT_RUN_OPS && from + count <= head->seq) {
		if ((e = op_read(n, head->number, from + count, &ops[count])) != OK)
			break;
		if (ops[count++].has_signature)
			break;
	}
	if (e == OK)
		e = run_encode(out, ops, count);
	mem_free(ops);
	return e;
}

/* ops[0] differs from what we hold at its seq, and has the same prev. */
static enum err fork_found(struct node *n, struct space *s, const struct log_head *head, const struct op *ops, size_t count)
{
	struct fork fork = { .seq = ops[0].seq };
	struct buf ours = {0}, theirs = {0};
	struct op own;
	enum err e;

	if ((e = branch_encode(n, head, ops[0].seq, &ours)) == OK && (e = run_encode(&theirs, ops, count)) == OK &&
	    (e = op_read(n, head->number, ops[0].seq, &own)) == OK) {
		const bool first = id32_compare(&own.id, &ops[0].id) < 0;

		fork.id = first ? own.id : ops[0].id;
		fork.a = buf_slice(first ? &ours : &theirs);
		fork.b = buf_slice(first ? &theirs : &ours);
		e = ours.len + theirs.len > FORK_RUNS_MAX ? ERR_FORK : fork_take(n, s, &ops[0].device, ops[0].incarnation, &fork);
	}
	buf_free(&ours);
	buf_free(&theirs);
	return e;
}

/* Where a run meets the log: *known of its ops are here already.  *parts: the next one is another than ours.  ERR_MISSING: there is a
 * gap.  ERR_FORK: they part before the run begins. */
static enum err run_meets(struct node *n, const struct log_head *head, const struct op *ops, size_t count, size_t *known, bool *parts)
{
	struct op stored;
	enum err e;

	*known = 0;
	*parts = false;
	if (ops[0].seq > head->seq + 1)
		return ERR_MISSING;
	if (ops[0].seq > 1) {
		if ((e = op_read(n, head->number, ops[0].seq - 1, &stored)) != OK)
			return e;
		if (!id32_equal(&stored.id, &ops[0].prev))
			return ERR_FORK;
	}
	while (*known < count && ops[*known].seq <= head->seq) {
		if ((e = op_read(n, head->number, ops[*known].seq, &stored)) != OK)
			return e;
		if ((*parts = !id32_equal(&stored.id, &ops[*known].id)))
			return OK;
		++*known;
	}
	return OK;
}

/* Ops above the bound are kept for a salvage, but not without end. */
static enum err quarantine_full(struct node *n, const struct log_head *head, uint64_t bound, bool *full)
{
	size_t bytes = 0;

	*full = false;
	for (uint64_t seq = head->seq; seq > bound && !*full; seq--) {
		struct op op;
		enum err e = op_read(n, head->number, seq, &op);

		if (e != OK)
			return e;
		bytes += 256 + op.body.len;
		*full = bytes > LIMIT_QUARANTINE;
	}
	return OK;
}

/* A device in the space's authority, whatever has become of it: what its data ops need to be kept at all. */
static enum err author_known(struct space *s, const struct op *ops, size_t n)
{
	const struct state *state = space_state(s);

	if (state == NULL || state_device(state, &ops[0].device) == NULL)
		return ERR_MISSING;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ops[i].n_heads; k++)
			if (!authority_has(s->authority, &ops[i].heads[k]))
				return ERR_MISSING;
	return OK;
}

/* An op of ours that we lack: a copied home or a restored backup (protocol §2); go on under another incarnation. */
void notice_own(struct node *n, const struct op *op)
{
	if (id32_equal(&op->device, &n->identity->device))
		n->incarnation_spent = true;
}

enum err replica_run(struct node *n, struct space *s, const struct op *ops, size_t count, size_t *added)
{
	const struct id32 device = ops[0].device;
	const uint64_t incarnation = ops[0].incarnation;
	struct log_head head;
	uint64_t bound;
	size_t known;
	bool parts, full;
	enum err e;

	*added = 0;
	if ((e = author_known(s, ops, count)) != OK)
		return e;
	e = log_read(n, s, &device, incarnation, &head);
	if (e == ERR_NOTFOUND) {
		memset(&head, 0, sizeof head);
		head.number = n->next_log;
	} else if (e != OK)
		return e;
	if ((e = replica_bound(n, s, &device, incarnation, &bound)) != OK)
		return e;
	e = run_meets(n, &head, ops, count, &known, &parts);
	if ((e == ERR_FORK || e == ERR_MISSING || parts) && ops[0].seq > bound)
		return OK;                              /* beyond the end of the log: quarantine of others */
	if (e != OK || known == count)
		return e;
	if (parts)
		return fork_found(n, s, &head, ops + known, count - known);
	if (head.seq > bound && ((e = quarantine_full(n, &head, bound, &full)) != OK || full))
		return e;
	if (ops[known].hlc <= head.hlc)
		return ERR_MALFORMED;
	if (head.seq == 0) {
		uint8_t number[4];

		put_u32(number, ++n->next_log);
		if ((e = meta_put(n, "log-numbers", SLICE(number, 4))) != OK)
			return e;
	}
	head.seq = ops[count - 1].seq;
	head.id = ops[count - 1].id;
	head.hlc = ops[count - 1].hlc;
	for (size_t i = known; i < count && e == OK; i++)
		e = op_write(n, head.number, &ops[i]);
	if (e == OK && (e = log_show(n, s, &device, incarnation, &head)) == OK)
		e = log_write(n, s, &device, incarnation, &head);
	for (size_t i = known; i < count && e == OK; i++)
		e = fold_added(n, s, &ops[i], head.number);
	*added = count - known;
	/* What we write from now on comes after what we have seen, unless that is of the future. */
	if (head.hlc > n->clock && !hlc_is_future(head.hlc, n->wall_ms))
		n->clock = head.hlc;
	return e;
}
