/* session: what we owe the peer, in frames, within its credit; see session_internal.h.  The queues hold slots, not content: that
 * is read when it is sent, so a slot that changes twice goes out once. */
#include <string.h>
#include "base/mem.h"
#include "net/session_internal.h"

bool session_is_blocked(const struct session *s)
{
	return s->outstanding + s->batch.len + LIMIT_FRAME > LIMIT_SESSION_CREDIT;
}

void session_push(struct session *s, struct space *sp, struct slice key, uint64_t have, bool live)
{
	struct slot_queue *q = slot_section(key) == NET_AUTHORITY ? &sp->acts : &sp->push;
	struct slot_entry *e;
	bool old;

	if (q == &sp->push && sp->peer_authority_only)
		return;                         /* it said that it will not take it */
	old = queue_find(q, key) != NULL;
	e = queue_add(q, key);
	if (e == NULL)
		return;                         /* full: the next ROOTS find it */
	if (!old && s->n_push == 1)
		s->credit_ms = s->now;
	if (!old || have < e->have)
		e->have = have;
	e->flag |= live;
}

/* ---- frames ---- */

/* Live frames count our journal up by their changes, never beyond its end: a peer that misses one sees the gap, or hears of it in
 * the next heartbeat. */
static void label(struct session *s, struct space *sp, struct net_message *m, size_t changes)
{
	struct net_roots now;

	if (s->data.roots(s->data.arg, &sp->shown.space, &now) != OK)
		return;
	if (sp->told.journal < now.journal)
		sp->told.journal = now.journal - sp->told.journal > changes ? sp->told.journal + changes : now.journal;
	m->has_journal = true;
	m->journal = sp->told.journal;
}

static void emit_content(struct session *s, const struct net_out *out, struct space *sp, struct net_message *m, size_t changes)
{
	size_t len;

	m->has_space = true;
	m->space = sp->shown.space;
	if (changes > 0)
		label(s, sp, m, changes);
	if (session_emit(s, out, m, &len) != OK)
		return;
	s->outstanding += len;
	sp->pushed_since_asked = true;
}

static void batch_flush(struct session *s, const struct net_out *out)
{
	struct net_message m = { .type = s->batch_type };
	const uint8_t *at = s->batch.data;
	size_t n = s->n_pieces;

	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		s->piece[i].data = at;
		at += s->piece[i].len;
	}
	if (m.type == NET_ACTS) {
		m.u.acts.n = n;
		m.u.acts.bytes = s->piece;
	} else {
		m.u.statements.n = n;
		m.u.statements.bytes = s->piece;
	}
	s->n_pieces = 0;
	emit_content(s, out, s->batch_space, &m, s->batch_live ? n : 0);
	buf_clear(&s->batch);
}

static void batch_add(struct session *s, const struct net_out *out, struct space *sp, enum net_type type, bool live)
{
	if (s->n_pieces > 0 && (s->batch_space != sp || s->batch_type != type || s->batch_live != live
			|| s->n_pieces == BATCH_RECORDS || s->batch.len + s->scratch.len > BATCH_BYTES))
		batch_flush(s, out);
	s->batch_space = sp;
	s->batch_type = type;
	s->batch_live = live;
	buf_put_slice(&s->batch, buf_slice(&s->scratch));
	if (s->batch.err == OK)
		s->piece[s->n_pieces++].len = s->scratch.len;
	s->batch.err = OK;
}

static enum err keep_piece(void *arg, struct slice bytes)
{
	struct session *s = arg;

	buf_clear(&s->scratch);
	buf_put_slice(&s->scratch, bytes);
	return s->scratch.err;
}

/* The one piece of an act or statement, in scratch. */
static enum err read_one(struct session *s, struct space *sp, const struct slot_entry *e)
{
	uint64_t upto = 0;
	enum err err;

	buf_clear(&s->scratch);
	err = s->data.content(s->data.arg, &sp->shown.space, SLICE(e->key, e->key_len), 0, LIMIT_FRAME, keep_piece, s, &upto);
	return err == OK && s->scratch.len == 0 ? ERR_NOTFOUND : err;
}

static bool may_send(const struct session *s, const struct space *sp, const struct slot_entry *e)
{
	struct slice key = SLICE(e->key, e->key_len);

	return s->data.may_send(s->data.arg, &s->peer, &sp->shown.space, slot_section(key), key);
}

/* ---- acts: parents first ---- */

static struct slot_entry *waiting_parent(struct session *s, struct space *sp, const struct slot_entry *e)
{
	struct slot_entry *parent;
	struct act act;
	struct slot slot;

	if (read_one(s, sp, e) != OK || act_load(&act, buf_slice(&s->scratch)) != OK)
		return NULL;
	for (size_t i = 0; i < act.n_cites; i++) {
		slot_act(&slot, &act.cites[i]);
		parent = queue_find(&sp->acts, SLICE(slot.key, slot.key_len));
		if (parent != NULL)
			return parent;
	}
	return NULL;
}

static bool stack_room(struct session *s, size_t depth)
{
	uint32_t *grown = mem_grow(s->stack, &s->cap_stack, depth, sizeof *s->stack);

	if (grown != NULL)
		s->stack = grown;
	return grown != NULL;
}

/* This act, and before it all that it stands on and that is also to be sent. */
static void send_with_past(struct session *s, const struct net_out *out, struct space *sp, struct slot_entry *act)
{
	size_t depth = 0;

	if (!stack_room(s, 0))
		return;
	s->stack[depth++] = (uint32_t)(act - sp->acts.entry);
	while (depth > 0 && !session_is_blocked(s)) {
		struct slot_entry *top = &sp->acts.entry[s->stack[depth - 1]], *parent = waiting_parent(s, sp, top);

		if (parent != NULL && stack_room(s, depth)) {
			s->stack[depth++] = (uint32_t)(parent - sp->acts.entry);
			continue;
		}
		if (may_send(s, sp, top) && read_one(s, sp, top) == OK)
			batch_add(s, out, sp, NET_ACTS, top->flag);
		queue_remove(&sp->acts, top);
		depth--;
	}
}

static void drain_acts(struct session *s, const struct net_out *out, struct space *sp)
{
	struct slot_entry *e;

	while (!session_is_blocked(s) && (e = queue_first(&sp->acts)) != NULL) {
		send_with_past(s, out, sp, e);
		if (s->stack == NULL)
			queue_remove(&sp->acts, e);     /* out of memory: the next ROOTS find it */
	}
}

/* ---- logs, statements, forks ---- */

struct run_sender { struct session *s; const struct net_out *out; struct space *sp; };

static void emit_run(struct run_sender *r, bool live)
{
	struct net_message m = { .type = NET_RUN, .u.run.bytes = buf_slice(&r->s->scratch) };

	if (r->s->scratch.len > 0)
		emit_content(r->s, r->out, r->sp, &m, live ? 1 : 0);
	buf_clear(&r->s->scratch);
}

/* Keeps one back, so that the last can be told from the others. */
static enum err send_run(void *arg, struct slice bytes)
{
	struct run_sender *r = arg;

	emit_run(r, false);
	return keep_piece(r->s, bytes);
}

/* True: this slot is done with. */
static bool send_log(struct session *s, const struct net_out *out, struct space *sp, struct slot_entry *e)
{
	struct run_sender sender = { s, out, sp };
	/* One run more than the budget may come, and we are not blocked: a frame fits. */
	size_t left = LIMIT_SESSION_CREDIT - LIMIT_FRAME - s->outstanding;
	struct slice key = SLICE(e->key, e->key_len);
	uint64_t upto = e->have;
	struct slot now;
	bool done;

	if (s->data.slot(s->data.arg, &sp->shown.space, key, &now) != OK || now.version <= e->have)
		return true;
	buf_clear(&s->scratch);
	done = s->data.content(s->data.arg, &sp->shown.space, key, e->have, left == 0 ? 1 : left < RUN_BUDGET ? left : RUN_BUDGET,
			send_run, &sender, &upto) != OK || upto <= e->have || upto >= now.version;
	/* The number belongs to the frame that completes the change: if any before it is lost, this one does not fit. */
	emit_run(&sender, done && e->flag);
	e->have = upto;
	return done;
}

struct two { struct buf *bytes; size_t n, first_len; };

static enum err keep_two(void *arg, struct slice bytes)
{
	struct two *two = arg;

	if (two->n++ == 0)
		two->first_len = bytes.len;
	buf_put_slice(two->bytes, bytes);
	return two->bytes->err;
}

static void send_fork(struct session *s, const struct net_out *out, struct space *sp, const struct slot_entry *e)
{
	struct net_message m = { .type = NET_FORK };
	struct two two = { &s->scratch, 0, 0 };
	uint64_t upto;

	buf_clear(&s->scratch);
	if (s->data.content(s->data.arg, &sp->shown.space, SLICE(e->key, e->key_len), 0, LIMIT_FRAME, keep_two, &two, &upto) != OK
			|| two.n != 2)
		return;
	m.u.fork.a_bytes = SLICE(s->scratch.data, two.first_len);
	m.u.fork.b_bytes = SLICE(s->scratch.data + two.first_len, s->scratch.len - two.first_len);
	emit_content(s, out, sp, &m, e->flag ? 1 : 0);
}

static void drain_rest(struct session *s, const struct net_out *out, struct space *sp)
{
	struct slot_entry *e;

	while (!session_is_blocked(s) && (e = queue_first(&sp->push)) != NULL) {
		bool done = true;

		if (e->key[0] != 'S')
			batch_flush(s, out);
		if (!may_send(s, sp, e))
			s->count.refused++;
		else if (e->key[0] == 'L')
			done = send_log(s, out, sp, e);
		else if (e->key[0] == 'F')
			send_fork(s, out, sp, e);
		else if (read_one(s, sp, e) == OK)
			batch_add(s, out, sp, NET_STATEMENTS, e->flag);
		if (done)
			queue_remove(&sp->push, e);
	}
}

void session_drain(struct session *s, const struct net_out *out)
{
	if (s->n_push == 0 || s->state != SESSION_OPEN)
		return;
	for (size_t i = 0; i < s->n_spaces; i++)
		drain_acts(s, out, s->space[i]);
	for (size_t i = 0; i < s->n_spaces; i++)
		drain_rest(s, out, s->space[i]);
	batch_flush(s, out);
	for (size_t i = 0; i < s->n_spaces; i++) {
		if (s->space[i]->acts.alive == 0)
			queue_clear(&s->space[i]->acts);
		if (s->space[i]->push.alive == 0)
			queue_clear(&s->space[i]->push);
	}
}

/* ---- the peer asks, the peer pays ---- */

enum err session_on_want(struct session *s, const struct net_out *out, struct space *sp, const struct net_message *m)
{
	for (size_t i = 0; i < m->u.slots.n; i++) {
		const struct slot *slot = &m->u.slots.slots[i];

		session_push(s, sp, SLICE(slot->key, slot->key_len), slot->version, false);
	}
	session_drain(s, out);
	return OK;
}

void session_on_credit(struct session *s, const struct net_out *out, uint64_t bytes)
{
	s->outstanding -= bytes < s->outstanding ? bytes : s->outstanding;
	s->credit_ms = s->now;
	session_drain(s, out);
}
