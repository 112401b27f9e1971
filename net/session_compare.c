/* session: the course of a reconciliation (protocol §8); see session_internal.h.
 *
 * The driver says its ROOTS and wants the peer's.  Equal: done.  Else a round: SINCE, if both know up to where the other has read
 * their journal, or the descent of one section, authority first; then what is missing is asked for and sent, and ROOTS follow it
 * in the same breath.  Rounds go on while they change something. */
#include <string.h>
#include "base/mem.h"
#include "net/session_internal.h"

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* ---- planning ---- */

void session_plan(struct session *s, struct space *sp, uint64_t delay)
{
	uint64_t at = s->now + delay;

	if (sp->end_ms != 0)
		at = later(at, sp->end_ms + (sp->shown.why == OK ? COMPARE_MS : STUCK_MS));
	if (sp->compare_at == 0 || at < sp->compare_at)
		sp->compare_at = at;
}

void session_plan_ack(struct session *s, struct space *sp)
{
	if (sp->ack_at == 0)
		sp->ack_at = sp->has_told ? later(s->now, sp->told_ms + ACK_MS) : s->now;
}

static bool same_roots(const struct net_roots *a, const struct net_roots *b)
{
	return id32_equal(&a->authority, &b->authority) && id32_equal(&a->data, &b->data) && a->pending == b->pending;
}

/* Our roots as this peer is told them: who may not see the data gets none. */
static enum err our_roots(struct session *s, struct space *sp, struct net_roots *r)
{
	enum err e = s->data.roots(s->data.arg, &sp->shown.space, r);

	if (e == OK && !session_lane_open(s, sp, NET_DATA))
		r->data = (struct id32){{0}};
	return e;
}

void session_due(struct session *s, const struct net_out *out, struct space *sp)
{
	struct net_roots now;

	if (sp->compare_at != 0 && sp->compare_at <= s->now && sp->phase == PHASE_IDLE)
		session_begin(s, out, sp);
	if (sp->ack_at != 0 && sp->ack_at <= s->now) {
		sp->ack_at = 0;
		session_recheck(s, out, sp);
		if (our_roots(s, sp, &now) == OK && !(sp->has_told && same_roots(&now, &sp->told)))
			session_say_roots(s, out, sp, false);
	}
}

/* The peer's journal has reached this number by so many changes that we were sent. */
void session_heard(struct session *s, struct space *sp, uint64_t journal, size_t changes)
{
	if (sp->has_peer && journal > sp->heard && journal - sp->heard > changes)
		session_plan(s, sp, SETTLE_MS);
	sp->heard = later(journal, sp->heard);
}

/* ---- ROOTS ---- */

void session_say_roots(struct session *s, const struct net_out *out, struct space *sp, bool answer)
{
	struct net_message m = { .type = NET_ROOTS, .has_space = true, .space = sp->shown.space, .has_journal = true };
	struct net_roots now;

	if (our_roots(s, sp, &now) != OK)
		return;
	if (!session_lane_open(s, sp, NET_DATA) && !sp->lane_told) {
		session_refuse(s, out, REFUSE_LANE, &sp->shown.space);
		sp->lane_told = true;
	}
	m.journal = now.journal;
	m.u.roots.authority = now.authority;
	m.u.roots.data = now.data;
	m.u.roots.pending = now.pending;
	m.u.roots.answer = answer;
	if (session_emit(s, out, &m, NULL) != OK)
		return;
	sp->told = now;
	sp->has_told = true;
	sp->told_ms = s->now;
	sp->ack_at = 0;
}

static void ask_roots(struct session *s, const struct net_out *out, struct space *sp)
{
	sp->asked = true;
	sp->pushed_since_asked = false;
	sp->active_ms = s->now;
	session_say_roots(s, out, sp, true);
}

/* A comparison of its own: forgets how the last one ended. */
void session_begin(struct session *s, const struct net_out *out, struct space *sp)
{
	sp->compare_at = 0;
	sp->stalls = sp->silences = sp->reasks = sp->journals = 0;
	sp->has_round = false;
	sp->since_tried = 0;
	sp->visited = 0;
	sp->refused = OK;
	if (s->driver && sp->phase == PHASE_IDLE)
		sp->phase = PHASE_ASKED;
	ask_roots(s, out, sp);
}

void session_forget(struct session *s, struct space *sp)
{
	session_forget_paths(s, sp);
	session_wants_forget(sp);
	sp->announcing = false;
}

static void end(struct session *s, struct space *sp)
{
	session_forget(s, sp);
	session_held_forget(s, &sp->shown.space);
	sp->phase = PHASE_IDLE;
	sp->end_ms = s->now;
	sp->stalls = sp->silences = sp->reasks = sp->journals = 0;
	sp->has_round = false;
	sp->since_tried = 0;
	sp->visited = 0;
}

void session_give_up(struct session *s, struct space *sp, enum err why)
{
	end(s, sp);
	sp->shown.in_sync = false;
	sp->shown.why = why;
	sp->compare_at = 0;
}

static bool data_compared(struct session *s, struct space *sp)
{
	return session_lane_open(s, sp, NET_DATA) && !sp->peer_authority_only;
}

static bool are_equal(struct session *s, struct space *sp, const struct net_roots *ours)
{
	return id32_equal(&ours->authority, &sp->peer.authority)
		&& (!data_compared(s, sp) || id32_equal(&ours->data, &sp->peer.data));
}

static void on_equal(struct session *s, const struct net_out *out, struct space *sp, const struct net_roots *ours, bool answer)
{
	end(s, sp);
	sp->compare_at = 0;
	sp->shown.in_sync = true;
	sp->shown.why = OK;
	sp->shown.since_ms = s->wall;
	sp->shown.authority = ours->authority;
	sp->shown.data = data_compared(s, sp) ? ours->data : (struct id32){{0}};
	sp->peer_cursor = ours->journal;
	/* All that the peer's journal held when it said so, we hold. */
	if (data_compared(s, sp) && sp->peer.journal > 0
			&& s->data.cursor(s->data.arg, &s->peer, &s->peer_nonce, &sp->shown.space) != sp->peer.journal)
		s->data.set_cursor(s->data.arg, &s->peer, &s->peer_nonce, &sp->shown.space, sp->peer.journal);
	/* So that the peer, too, learns that we are equal. */
	if (answer || !sp->has_told || !same_roots(ours, &sp->told))
		session_say_roots(s, out, sp, false);
	if (!sp->peer.pending)
		sp->polls = 0;
	else if (s->driver && sp->polls++ < POLLS_MAX)
		session_plan(s, sp, COMPARE_MS);
}

void session_recheck(struct session *s, const struct net_out *out, struct space *sp)
{
	struct net_roots ours;

	if (sp->heard > sp->peer.journal)
		return;                         /* it has changed since it said so */
	if (!sp->shown.in_sync && sp->has_peer && our_roots(s, sp, &ours) == OK && are_equal(s, sp, &ours))
		on_equal(s, out, sp, &ours, false);
}

static void remember_round(struct space *sp, const struct net_roots *ours)
{
	const struct id32 round[4] = { ours->authority, ours->data, sp->peer.authority, sp->peer.data };

	if (sp->has_round && memcmp(round, sp->round, sizeof round) == 0)
		sp->stalls++;
	else
		sp->stalls = 0;
	memcpy(sp->round, round, sizeof round);
	sp->has_round = true;
}

static bool try_since(struct session *s, const struct net_out *out, struct space *sp, const struct net_roots *ours,
	enum net_section section);

/* The roots differ: what next? */
static void next_round(struct session *s, const struct net_out *out, struct space *sp, const struct net_roots *ours)
{
	bool authority = !id32_equal(&ours->authority, &sp->peer.authority);
	enum net_section section = authority ? NET_AUTHORITY : NET_DATA;
	const struct id32 *theirs = authority ? &sp->peer.authority : &sp->peer.data;

	remember_round(sp, ours);
	if (sp->stalls >= ROUNDS_MAX) {
		session_give_up(s, sp, sp->refused != OK ? sp->refused : ERR_STATE);
		return;
	}
	/* What we sent after asking was not in the answer. */
	if (sp->pushed_since_asked && sp->reasks < REASKS_MAX) {
		sp->reasks++;
		sp->phase = PHASE_ASKED;
		ask_roots(s, out, sp);
		return;
	}
	sp->reasks = 0;
	session_forget(s, sp);
	if (!try_since(s, out, sp, ours, section))
		session_descend(s, out, sp, section, id32_is_zero(theirs));
}

static bool all_here(const struct space *sp)
{
	return sp->wanted.alive == 0 && sp->acts.alive == 0 && sp->push.alive == 0 && !sp->announcing;
}

static void on_unequal(struct session *s, const struct net_out *out, struct space *sp, const struct net_roots *ours, bool answer)
{
	sp->shown.in_sync = false;
	if (answer)
		session_say_roots(s, out, sp, false);
	if (!s->driver)
		return;
	switch (sp->phase) {
	case PHASE_IDLE:
		if (answer)                     /* the peer wants to know: not the time to be sulking */
			sp->shown.why = OK;
		session_plan(s, sp, answer ? 0 : SETTLE_MS);
		break;
	case PHASE_ASKED:
		next_round(s, out, sp, ours);
		break;
	case PHASE_SETTLE:
		if (all_here(sp))
			next_round(s, out, sp, ours);
		break;
	case PHASE_SINCE:
	case PHASE_DESCEND:
		break;
	}
}

enum err session_on_roots(struct session *s, const struct net_out *out, struct space *sp, const struct net_message *m)
{
	struct net_roots ours;
	enum err e = our_roots(s, sp, &ours);

	if (e != OK)
		return e;
	sp->peer = (struct net_roots){ m->u.roots.authority, m->u.roots.data, m->u.roots.pending, m->journal };
	sp->heard = sp->has_peer ? later(sp->heard, m->journal) : m->journal;
	sp->has_peer = true;
	sp->shown.peer_pending = m->u.roots.pending;
	if (!id32_is_zero(&m->u.roots.data))
		sp->peer_authority_only = false;
	if (sp->asked && !m->u.roots.answer) {
		sp->asked = false;
		sp->silences = 0;
		sp->active_ms = s->now;
		s->count.round_trips++;
	}
	if (are_equal(s, sp, &ours))
		on_equal(s, out, sp, &ours, m->u.roots.answer);
	else
		on_unequal(s, out, sp, &ours, m->u.roots.answer);
	return OK;
}

/* ---- waiting for what was asked for ---- */

void session_to_settle(struct session *s, const struct net_out *out, struct space *sp)
{
	session_wants_send(s, out, sp);
	session_drain(s, out);
	sp->phase = PHASE_SETTLE;
	/* Behind our wants, so that the answer comes behind what we want: no round trip more. */
	ask_roots(s, out, sp);
}

void session_settle(struct session *s, const struct net_out *out, struct space *sp)
{
	if (sp->phase == PHASE_SETTLE && !sp->asked && all_here(sp))
		ask_roots(s, out, sp);
}

void session_silent(struct session *s, const struct net_out *out, struct space *sp)
{
	session_forget(s, sp);
	if (++sp->silences >= ROUNDS_MAX) {
		session_give_up(s, sp, ERR_WAITING);
		return;
	}
	sp->phase = PHASE_ASKED;
	ask_roots(s, out, sp);
}

/* ---- SINCE and SLOTS: the journals instead of the tries ---- */

struct changed { struct slot *slot; size_t n[2], max; };        /* authority from the front, data from the back */

static enum err collect(void *arg, const struct slot *slot, enum net_section section)
{
	struct changed *c = arg;

	if (c->n[0] + c->n[1] == c->max)
		return ERR_LIMIT;
	if (section == NET_AUTHORITY)
		c->slot[c->n[0]++] = *slot;
	else
		c->slot[c->max - ++c->n[1]] = *slot;
	return OK;
}

static void emit_slots(struct session *s, const struct net_out *out, struct space *sp, enum net_section section,
	struct slot *slots, size_t n, uint64_t covered, bool more)
{
	struct net_message m = { .type = NET_SLOTS, .has_space = true, .space = sp->shown.space, .section = section,
		.has_journal = true, .journal = covered, .u.slots = { n, slots, more } };

	session_emit(s, out, &m, NULL);
}

/* What changed here after this number of our journal. */
static void say_since(struct session *s, const struct net_out *out, struct space *sp, uint64_t journal)
{
	struct changed c = { .max = SLOTS_PER_FRAME };
	uint64_t covered = journal;
	bool more, with_data = session_lane_open(s, sp, NET_DATA);

	c.slot = mem_array(c.max, sizeof *c.slot);
	if (c.slot == NULL)
		return;
	if (s->data.since(s->data.arg, &sp->shown.space, journal, c.max, collect, &c, &covered) != OK) {
		c.n[0] = c.n[1] = 0;            /* then the descent will find it */
		covered = journal;
	}
	more = c.n[0] + c.n[1] == c.max && covered > journal;
	if (!with_data)
		c.n[1] = 0;
	sp->announcing = more;
	if (c.n[0] > 0 && c.n[1] > 0)
		emit_slots(s, out, sp, NET_AUTHORITY, c.slot, c.n[0], 0, true);
	if (c.n[1] > 0)
		emit_slots(s, out, sp, NET_DATA, c.slot + c.max - c.n[1], c.n[1], covered, more);
	else
		emit_slots(s, out, sp, NET_AUTHORITY, c.slot, c.n[0], covered, more);
	mem_free(c.slot);
}

static void ask_since(struct session *s, const struct net_out *out, struct space *sp, uint64_t journal)
{
	struct net_message m = { .type = NET_SINCE, .has_space = true, .space = sp->shown.space, .has_journal = true,
		.journal = journal };

	session_emit(s, out, &m, NULL);
}

/* Once per comparison by the cursors; and, where we have nothing at all, the whole journal: it is as long as the trie has leaves,
 * and names acts parents first. */
static bool try_since(struct session *s, const struct net_out *out, struct space *sp, const struct net_roots *ours,
	enum net_section section)
{
	uint64_t cursor = s->data.cursor(s->data.arg, &s->peer, &s->peer_nonce, &sp->shown.space);
	const struct id32 *mine = section == NET_AUTHORITY ? &ours->authority : &ours->data;

	if (id32_is_zero(mine) && !(sp->since_tried & (1u << section))) {
		sp->since_tried |= 1u << section;
		cursor = 0;
	} else if (cursor > 0 && sp->peer_cursor > 0 && !(sp->since_tried & SINCE_CURSOR)) {
		sp->since_tried |= SINCE_CURSOR;
		say_since(s, out, sp, sp->peer_cursor);
	} else {
		return false;
	}
	sp->phase = PHASE_SINCE;
	sp->active_ms = s->now;
	ask_since(s, out, sp, cursor);
	return true;
}

bool session_read_journal(struct session *s, const struct net_out *out, struct space *sp)
{
	if (sp->journals++ >= ROUNDS_MAX)
		return false;
	session_forget(s, sp);
	sp->phase = PHASE_SINCE;
	sp->active_ms = s->now;
	ask_since(s, out, sp, 0);
	return true;
}

enum err session_on_since(struct session *s, const struct net_out *out, struct space *sp, const struct net_message *m)
{
	say_since(s, out, sp, m->journal);
	sp->active_ms = s->now;
	session_settle(s, out, sp);
	return OK;
}

/* Want what we lack or have older. */
static enum err want_slots(struct session *s, struct space *sp, const struct net_message *m)
{
	for (size_t i = 0; i < m->u.slots.n && !sp->spilled; i++) {
		const struct slot *theirs = &m->u.slots.slots[i];
		struct slice key = SLICE(theirs->key, theirs->key_len);
		struct slot ours;
		enum err e = s->data.slot(s->data.arg, &sp->shown.space, key, &ours);

		if (e == ERR_NOTFOUND)
			session_want(s, sp, key, 0, theirs->version);
		else if (e == OK)
			session_want_if_newer(s, sp, theirs, &ours);
		else
			return e;
	}
	return OK;
}

/* Both sides take SLOTS: the driver as the answer to SINCE, the other as what the driver says of its own journal. */
enum err session_on_slots(struct session *s, const struct net_out *out, struct space *sp, const struct net_message *m)
{
	bool more = m->u.slots.more && !sp->spilled;
	enum err e = OK;

	if (session_lane_open(s, sp, m->section))
		e = want_slots(s, sp, m);
	if (e != OK)
		return e;
	session_wants_send(s, out, sp);
	sp->active_ms = s->now;
	if (more && m->journal > 0 && !sp->spilled)
		ask_since(s, out, sp, m->journal);
	if (sp->phase == PHASE_SINCE && (!more || sp->spilled)) {
		s->count.round_trips++;
		session_to_settle(s, out, sp);
	}
	return OK;
}
