/* session: what the peer sent; see session_internal.h. */
#include <string.h>
#include "base/mem.h"
#include "net/session_internal.h"

/* Is it this machine that failed, and not the bytes? */
static bool is_our_fault(enum err e)
{
	switch (e) {
	case ERR_NOMEM: case ERR_FULL: case ERR_MAPFULL: case ERR_IO: case ERR_DAMAGED: case ERR_LOCKED: case ERR_BUSY:
		return true;
	default:
		return false;
	}
}

static bool is_taken(enum err e)
{
	return e == OK || e == ERR_EXISTS;
}

static void refused(struct session *s, struct space *sp, enum err e)
{
	s->count.refused++;
	sp->refused = e;
}

static bool is_here(struct session *s, struct space *sp, const struct id32 *act)
{
	struct slot slot, now;

	slot_act(&slot, act);
	return s->data.slot(s->data.arg, &sp->shown.space, SLICE(slot.key, slot.key_len), &now) == OK;
}

static void act_done(struct session *s, struct space *sp, const struct id32 *id, bool taken)
{
	struct slot slot;

	slot_act(&slot, id);
	session_want_done(s, sp, SLICE(slot.key, slot.key_len), 0, taken);
}

/* ---- acts that came before what they cite ---- */

static void held_drop(struct session *s, struct held_act *h)
{
	s->held_bytes -= h->len;
	mem_free(h->bytes);
	*h = s->held[--s->n_held];
}

void session_held_forget(struct session *s, const struct id32 *space)
{
	for (size_t i = s->n_held; i-- > 0; )
		if (space == NULL || id32_equal(&s->held[i].space, space))
			held_drop(s, &s->held[i]);
}

bool session_is_held(const struct session *s, const struct id32 *act)
{
	for (size_t i = 0; i < s->n_held; i++)
		if (id32_equal(&s->held[i].id, act))
			return true;
	return false;
}

/* Ask for all cited acts that are not here; *first: one of them.  False: none is missing. */
static bool want_cites(struct session *s, struct space *sp, const struct act *a, struct id32 *first)
{
	bool any = false;

	for (size_t i = 0; i < a->n_cites; i++) {
		if (is_here(s, sp, &a->cites[i]))
			continue;
		if (!any)
			*first = a->cites[i];
		any = true;
		session_want_act(s, sp, &a->cites[i]);
	}
	return any;
}

static void hold(struct session *s, struct space *sp, const struct act *a, struct slice bytes)
{
	struct held_act h = { .len = bytes.len, .space = sp->shown.space, .id = a->id }, *grown;

	if (session_is_held(s, &a->id) || s->n_held == HELD_MAX || s->held_bytes + bytes.len > HELD_BYTES)
		return;                         /* the next round asks for it again */
	if (!want_cites(s, sp, a, &h.waits_for))
		return;
	grown = mem_grow(s->held, &s->cap_held, s->n_held, sizeof *s->held);
	if (grown == NULL)
		return;
	s->held = grown;
	h.bytes = mem_copy(bytes.data, bytes.len);
	if (h.bytes == NULL)
		return;
	s->held[s->n_held++] = h;
	s->held_bytes += h.len;
}

static void wake(struct session *s, const struct id32 *act)
{
	for (size_t i = 0; i < s->n_held; i++)
		if (id32_equal(&s->held[i].waits_for, act))
			s->held[i].ready = true;
}

static enum err take_held(struct session *s, struct space *sp, struct held_act *h)
{
	struct act a;
	struct id32 id = h->id;
	enum err e = act_load(&a, SLICE(h->bytes, h->len));

	h->ready = false;
	if (e == OK)
		e = s->data.take_act(s->data.arg, &s->peer, &a, SLICE(h->bytes, h->len));
	if (e == ERR_MISSING && want_cites(s, sp, &a, &h->waits_for))
		return OK;
	if (is_our_fault(e)) {
		h->ready = true;
		return e;
	}
	held_drop(s, h);
	if (is_taken(e))
		wake(s, &id);
	else
		refused(s, sp, e);
	return OK;
}

static enum err take_ready(struct session *s, struct space *sp)
{
	enum err e;

	for (size_t i = 0; i < s->n_held; ) {
		if (!s->held[i].ready || !id32_equal(&s->held[i].space, &sp->shown.space)) {
			i++;
			continue;
		}
		if ((e = take_held(s, sp, &s->held[i])) != OK)
			return e;
		i = 0;                          /* others may have woken, and places have changed */
	}
	return OK;
}

static enum err take_acts(struct session *s, struct space *sp, const struct net_message *m)
{
	for (size_t i = 0; i < m->u.acts.n; i++) {
		const struct act *a = &m->u.acts.acts[i];
		enum err e = s->data.take_act(s->data.arg, &s->peer, a, m->u.acts.bytes[i]);

		if (is_our_fault(e))
			return e;
		if (e == ERR_MISSING) {
			hold(s, sp, a, m->u.acts.bytes[i]);
			act_done(s, sp, &a->id, session_is_held(s, &a->id));
			continue;
		}
		act_done(s, sp, &a->id, is_taken(e));
		if (!is_taken(e)) {
			refused(s, sp, e);
			continue;
		}
		wake(s, &a->id);
		if ((e = take_ready(s, sp)) != OK)
			return e;
	}
	return OK;
}

/* ---- runs, statements, forks ---- */

static void log_slot(struct slot *slot, const struct run *run)
{
	slot_log(slot, &run->device, run->incarnation, run->first_seq + run->n - 1, &run->ops[run->n - 1].id);
}

/* Something before this run is lacking: earlier ops, or acts that it cites. */
static void want_before_run(struct session *s, struct space *sp, const struct run *run, const struct slot *slot)
{
	struct slice key = SLICE(slot->key, slot->key_len);
	struct slot now = {0};

	if (s->data.slot(s->data.arg, &sp->shown.space, key, &now) != OK)
		now.version = 0;
	if (now.version + 1 < run->first_seq) {
		session_want(s, sp, key, now.version, slot->version);
		return;
	}
	/* The run is not kept: after the acts have come, a comparison brings it again. */
	session_want_done(s, sp, key, slot->version, false);
	for (size_t i = 0; i < run->n; i++) {
		const struct op *op = &run->ops[i];

		if (i > 0 && op->n_heads == op[-1].n_heads && memcmp(op->heads, op[-1].heads, op->n_heads * ID_LEN) == 0)
			continue;
		for (size_t k = 0; k < op->n_heads; k++)
			if (!is_here(s, sp, &op->heads[k]))
				session_want_act(s, sp, &op->heads[k]);
	}
	session_plan(s, sp, SETTLE_MS);
}

static enum err take_run(struct session *s, struct space *sp, const struct net_message *m)
{
	const struct run *run = &m->u.run.run;
	struct slot slot;
	struct slice key;
	enum err e = s->data.take_run(s->data.arg, &s->peer, run, m->u.run.bytes);

	if (is_our_fault(e))
		return e;
	log_slot(&slot, run);
	key = SLICE(slot.key, slot.key_len);
	if (e == ERR_MISSING) {
		want_before_run(s, sp, run, &slot);
		return OK;
	}
	session_want_done(s, sp, key, slot.version, is_taken(e));
	if (!is_taken(e))
		refused(s, sp, e);
	/* Where the logs part may lie before this run. */
	if (e == ERR_FORK && run->first_seq > 1)
		session_want_whole_log(s, sp, key, slot.version);
	return OK;
}

static enum err take_statements(struct session *s, struct space *sp, const struct net_message *m)
{
	for (size_t i = 0; i < m->u.statements.n; i++) {
		const struct statement *st = &m->u.statements.statements[i];
		enum err e = s->data.take_statement(s->data.arg, &s->peer, st, m->u.statements.bytes[i]);
		struct slot slot;

		if (is_our_fault(e))
			return e;
		slot_statement(&slot, st);
		session_want_done(s, sp, SLICE(slot.key, slot.key_len), slot.version, is_taken(e));
		if (e == ERR_MISSING)
			session_plan(s, sp, SETTLE_MS);
		else if (!is_taken(e))
			refused(s, sp, e);
	}
	return OK;
}

static enum err take_fork(struct session *s, struct space *sp, const struct net_message *m)
{
	const struct run *a = &m->u.fork.a;
	struct slot slot;
	enum err e = ERR_DENIED;

	if (s->data.take_fork != NULL)
		e = s->data.take_fork(s->data.arg, &s->peer, a, m->u.fork.a_bytes, &m->u.fork.b, m->u.fork.b_bytes);
	if (is_our_fault(e))
		return e;
	slot_fork(&slot, &a->device, a->incarnation, a->first_seq, &a->ops[0].id);
	session_want_done(s, sp, SLICE(slot.key, slot.key_len), UINT64_MAX, is_taken(e));
	if (e == ERR_MISSING)
		session_plan(s, sp, SETTLE_MS);
	else if (!is_taken(e))
		refused(s, sp, e);
	return OK;
}

/* ---- all content ---- */

void session_pay(struct session *s, const struct net_out *out, size_t len)
{
	struct net_message m = { .type = NET_CREDIT };

	s->consumed += len;
	if (s->consumed < CREDIT_STEP)
		return;
	m.u.credit = s->consumed;
	if (session_emit(s, out, &m, NULL) == OK)
		s->consumed = 0;
}

static enum err take(struct session *s, struct space *sp, const struct net_message *m)
{
	switch (m->type) {
	case NET_ACTS:       return take_acts(s, sp, m);
	case NET_RUN:        return take_run(s, sp, m);
	case NET_STATEMENTS: return take_statements(s, sp, m);
	default:             return take_fork(s, sp, m);
	}
}

enum err session_on_content(struct session *s, const struct net_out *out, struct space *sp, const struct net_message *m)
{
	enum net_section section = m->type == NET_ACTS ? NET_AUTHORITY : NET_DATA;
	size_t changes = m->type == NET_ACTS ? m->u.acts.n : m->type == NET_STATEMENTS ? m->u.statements.n : 1;
	bool asked;
	enum err e;

	if (!s->data.may_take(s->data.arg, &s->peer, &sp->shown.space, section)) {
		refused(s, sp, ERR_DENIED);
		if (!sp->lane_told)
			session_refuse(s, out, REFUSE_LANE, &sp->shown.space);
		sp->lane_told = true;
		return OK;
	}
	sp->shown.in_sync = false;
	asked = sp->phase == PHASE_IDLE && sp->wanted.alive > 0;
	if ((e = take(s, sp, m)) != OK)
		return e;
	if (m->has_journal)
		session_heard(s, sp, m->journal, changes);
	else
		sp->active_ms = s->now;         /* live frames are no sign that a descent goes on */
	/* What belongs to a reconciliation is followed by the driver's ROOTS. */
	if (m->has_journal || asked)
		session_plan_ack(s, sp);
	if (sp->phase != PHASE_DESCEND)
		session_wants_send(s, out, sp);
	session_settle(s, out, sp);
	return OK;
}
