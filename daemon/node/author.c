/* Writing: ops into our log, acts into the DAG, statements into our slots.  All go the way of what peers send (replica.c), so
 * that nothing is stored of our own that a peer would refuse. */
#include <stdlib.h>
#include <string.h>
#include "daemon/node/node_internal.h"

#define PINS_MAX 580            /* of 53 bytes at most, in an act of LIMIT_AUTHORITY_OP */

void node_random(struct node *n, void *out, size_t len)
{
	rng_bytes(&n->rng, out, len);
}

hlc node_stamp(struct node *n)
{
	/* Our own clock was ahead and was set right: what we stamped then is held; what we write now is of now. */
	if (hlc_is_future(n->clock, n->wall_ms))
		n->clock = hlc_from_ms(n->wall_ms);
	n->clock = hlc_next(n->clock, n->wall_ms);
	return n->clock;
}

/* The incarnation to write under: a new one where the last may have been used by somebody else (protocol §2). */
static enum err incarnation_ready(struct node *n)
{
	uint8_t bytes[8];
	enum err e;

	if (n->incarnation != 0 && !n->incarnation_spent)
		return OK;
	do {
		node_random(n, bytes, 8);
	} while (get_u64(bytes) == 0);
	n->incarnation = get_u64(bytes);
	n->incarnation_spent = false;
	e = meta_put(n, "machine", SLICE(n->host.machine, 16));
	return e == OK ? meta_put(n, "incarnation", SLICE(bytes, 8)) : e;
}

/* All heads must fit one op: with more than 16 the author first merges (protocol §3). */
static enum err heads_ready(struct node *n, struct space *s, struct id32 heads[LIMIT_HEADS + 1], size_t *count)
{
	while ((*count = authority_heads(s->authority, heads, LIMIT_HEADS + 1)) > LIMIT_HEADS) {
		struct act_body none = { .n_pins = 0 };
		struct act act = { .space = s->id, .author = n->identity->device, .kind = ACT_MERGE, .n_cites = LIMIT_HEADS };
		struct buf body = {0}, bytes = {0};
		bool added;
		enum err e;

		memcpy(act.cites, heads, sizeof act.cites);
		e = act_body_encode(&body, ACT_MERGE, &none, NULL, NULL, NULL, NULL);
		act.body = buf_slice(&body);
		if (e == OK && (e = act_make(&bytes, &act, n->identity->sign_secret)) == OK)
			e = replica_act(n, s, buf_slice(&bytes), &added);
		buf_free(&body);
		buf_free(&bytes);
		if (e != OK)
			return e;
	}
	return *count > 0 ? OK : ERR_STATE;
}

/* The head of the log to write to.  One that ends in the future was written by a clock that was ahead: another incarnation. */
static enum err own_head(struct node *n, struct space *s, struct log_head *head)
{
	enum err e;

	if ((e = incarnation_ready(n)) != OK)
		return e;
	e = log_read(n, s, &n->identity->device, n->incarnation, head);
	if (e == OK && hlc_is_future(head->hlc, n->wall_ms)) {
		n->incarnation_spent = true;
		if ((e = incarnation_ready(n)) != OK)
			return e;
		e = ERR_NOTFOUND;
	}
	if (e == ERR_NOTFOUND)
		memset(head, 0, sizeof *head);
	return e == ERR_NOTFOUND ? OK : e;
}

static enum err op_fill(struct node *n, struct space *s, struct op *op)
{
	struct id32 heads[LIMIT_HEADS + 1];
	struct log_head head;
	enum err e;

	op->space = s->id;
	op->device = n->identity->device;
	if ((e = heads_ready(n, s, heads, &op->n_heads)) != OK || (e = own_head(n, s, &head)) != OK)
		return e;
	memcpy(op->heads, heads, sizeof op->heads);
	op->incarnation = n->incarnation;
	op->seq = head.seq + 1;
	op->prev = head.id;
	if (n->clock < head.hlc)
		n->clock = head.hlc;
	op->hlc = node_stamp(n);
	return OK;
}

enum err author_op(struct node *n, struct space *s, uint32_t kind, const struct id16 *document, struct slice plain)
{
	struct op *op = mem_alloc(sizeof *op);
	struct buf sealed = {0};
	struct epoch *epoch = NULL;
	const uint32_t origin = n->origin_link;
	size_t added;
	enum err e = op == NULL ? ERR_NOMEM : OK;

	n->origin_link = 0;                     /* what we write goes to every peer, also to the one whose message led to it */
	if (e == OK && document != NULL && (e = keys_for_space(n, s, &epoch)) == OK) {
		op->has_document = op->has_epoch = true;
		op->document = *document;
		op->epoch = epoch->id;
	}
	if (e == OK && (e = op_fill(n, s, op)) == OK) {
		op->kind = kind;
		if ((e = op_seal(op, &sealed, plain, epoch == NULL ? NULL : epoch->key)) == OK) {
			op_sign(op, n->identity->sign_secret);
			e = replica_run(n, s, op, 1, &added);
		}
	}
	n->origin_link = origin;
	buf_free(&sealed);
	mem_free(op);
	return e;
}

enum err author_change(struct node *n, struct space *s, uint32_t kind, const struct id16 *document, struct change *change)
{
	struct buf body = {0};
	enum err e = change_finish(change, &body);

	if (e == OK)
		e = author_op(n, s, kind, document, buf_slice(&body));
	buf_free(&body);
	return e;
}

enum err author_act(struct node *n, struct space *s, enum act_kind kind, const struct act_body *body, const struct id16 *teams,
	const struct id16 *claims, const struct id16 *moves, const struct pin *pins, struct id32 *id)
{
	struct act act = { .space = s->id, .author_type = ACT_DEVICE, .author = n->identity->device, .kind = kind };
	struct id32 heads[LIMIT_HEADS + 1];
	struct buf encoded = {0}, bytes = {0};
	const uint32_t origin = n->origin_link;
	bool added;
	enum err e;

	if ((e = authority_may(s->authority, ACT_DEVICE, &act.author, kind, body)) != OK ||
	    (e = heads_ready(n, s, heads, &act.n_cites)) != OK)
		return e;
	memcpy(act.cites, heads, sizeof act.cites);
	e = act_body_encode(&encoded, kind, body, teams, claims, moves, pins);
	act.body = buf_slice(&encoded);
	n->origin_link = 0;
	if (e == OK && (e = act_make(&bytes, &act, n->identity->sign_secret)) == OK &&
	    (e = replica_act(n, s, buf_slice(&bytes), &added)) == OK) {
		if (id != NULL)
			*id = act.id;
		e = replica_follow_authority(n, s);
	}
	n->origin_link = origin;
	buf_free(&encoded);
	buf_free(&bytes);
	return e;
}

static bool pin_wanted(const struct state *state, const struct id32 *log_device, const struct id32 *member, const struct id32 *device)
{
	const struct device *d;

	if (device != NULL)
		return id32_equal(log_device, device);
	d = state_device(state, log_device);
	return d != NULL && id32_equal(&d->member, member);
}

static int longest_first(const void *a, const void *b)
{
	const struct pin *x = a, *y = b;

	return x->seq != y->seq ? (x->seq > y->seq ? -1 : 1) : id32_compare(&x->device, &y->device);
}

static int by_log(const void *a, const void *b)
{
	const struct pin *x = a, *y = b;
	int order = id32_compare(&x->device, &y->device);

	return order != 0 ? order : x->incarnation < y->incarnation ? -1 : x->incarnation > y->incarnation;
}

/* An act holds so many pins and no more; a log not named is pinned at 0.  Whoever opens a thousand incarnations to become
 * unremovable loses the shortest of them. */
static size_t pins_fit(struct pin *pins, size_t count)
{
	if (count <= PINS_MAX)
		return count;
	qsort(pins, count, sizeof *pins, longest_first);
	qsort(pins, PINS_MAX, sizeof *pins, by_log);
	return PINS_MAX;
}

enum err author_pins(struct node *n, struct space *s, const struct id32 *member, const struct id32 *device, struct pin **out, size_t *count)
{
	const struct state *state = space_state(s);
	struct store_cursor *c = NULL;
	struct slice key, value;
	struct pin *pins = NULL, *grown;
	size_t cap = 0, used = 0;
	uint8_t prefix[4];
	enum err e;

	*out = NULL;
	*count = 0;
	put_u32(prefix, s->number);
	e = store_cursor_open(&c, n->txn, TABLE_LOG, SLICE(prefix, 4), SLICE(NULL, 0), false);
	while (e == OK && (e = store_cursor_next(c, &key, &value)) == OK) {
		struct log_head head;
		struct pin pin;

		memcpy(&pin.device, key.data + 4, ID_LEN);
		pin.incarnation = get_u64(key.data + 4 + ID_LEN);
		if (state == NULL || !pin_wanted(state, &pin.device, member, device))
			continue;
		if ((e = log_read(n, s, &pin.device, pin.incarnation, &head)) != OK)
			break;
		pin.seq = head.visible;
		if ((grown = mem_grow(pins, &cap, used, sizeof *pins)) == NULL) {
			e = ERR_NOMEM;
			break;
		}
		pins = grown;
		pins[used++] = pin;
	}
	store_cursor_close(c);
	if (e != ERR_NOTFOUND) {
		mem_free(pins);
		return e == OK ? ERR_STATE : e;
	}
	*out = pins;
	*count = pins_fit(pins, used);
	return OK;
}

enum err author_statement(struct node *n, struct space *s, uint32_t kind, const struct id16 *index, const struct epoch *epoch,
	uint64_t consent, const struct id16 *audience, struct slice plain)
{
	struct statement st = { .space = s->id, .device = n->identity->device, .kind = kind, .index = *index, .consent = consent }, old;
	const uint32_t origin = n->origin_link;
	struct buf bytes = {0};
	bool added = false;
	enum err e = statement_read(n, s, &st.device, kind, index, &old);

	if (e != OK && e != ERR_NOTFOUND)
		return e;
	st.hlc = node_stamp(n);
	st.counter = hlc_ms(st.hlc);
	if (e == OK && st.counter <= old.counter)
		st.counter = old.counter + 1;
	if (epoch != NULL) {
		st.has_epoch = true;
		st.epoch = epoch->id;
	}
	if (audience != NULL) {
		st.has_audience = true;
		st.audience = *audience;
	}
	node_random(n, st.nonce, NONCE_LEN);
	n->origin_link = 0;
	e = statement_make(&bytes, &st, plain, epoch == NULL ? NULL : epoch->key, n->identity->sign_secret);
	if (e == OK)
		e = replica_statement(n, s, &st, buf_slice(&bytes), &added);
	if (e == OK && !added)
		e = ERR_STATE;                  /* a counter that cannot grow: nothing was said */
	n->origin_link = origin;
	buf_free(&bytes);
	return e;
}
