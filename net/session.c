/* session: life, dispatch and timers; see session.h and session_internal.h. */
#include <string.h>
#include "base/mem.h"
#include "net/session_internal.h"

/* ---- pieces for all files ---- */

struct space *session_space_of(struct session *s, const struct id32 *id)
{
	for (size_t i = 0; i < s->n_spaces; i++)
		if (id32_equal(&s->space[i]->shown.space, id))
			return s->space[i];
	return NULL;
}

enum err session_emit(struct session *s, const struct net_out *out, const struct net_message *m, size_t *len)
{
	enum err e;

	buf_clear(&s->frame);
	e = net_encode(&s->frame, m);
	if (e != OK)
		return e;
	if (len != NULL)
		*len = s->frame.len;
	s->count.frames_out++;
	s->count.bytes_out += s->frame.len;
	out->send(out->arg, buf_slice(&s->frame));
	return OK;
}

void session_refuse(struct session *s, const struct net_out *out, enum net_reason reason, const struct id32 *space)
{
	struct net_message m = { .type = NET_REFUSE, .u.reason = reason };

	m.has_space = space != NULL;
	if (space != NULL)
		m.space = *space;
	session_emit(s, out, &m, NULL);
}

bool session_lane_open(const struct session *s, const struct space *sp, enum net_section section)
{
	return s->data.may_send(s->data.arg, &s->peer, &sp->shown.space, section, SLICE(NULL, 0))
		&& s->data.may_take(s->data.arg, &s->peer, &sp->shown.space, section);
}

/* ---- life ---- */

struct session *session_new(const struct net_data *data, const struct id32 *peer, bool driver, uint64_t mono_ms)
{
	struct session *s = mem_alloc(sizeof *s);

	if (s == NULL)
		return NULL;
	s->data = *data;
	s->peer = *peer;
	s->driver = driver;
	s->now = s->heard_ms = s->beat_ms = s->hello_ms = mono_ms;
	return s;
}

static void texts_free(char **text, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		mem_free(text[i]);
	*n = 0;
}

/* Copies of at most LIMIT_ADDRESSES texts; on failure none. */
static enum err texts_copy(char **text, size_t *n, const struct slice *from, size_t count)
{
	texts_free(text, n);
	for (size_t i = 0; i < count && i < LIMIT_ADDRESSES; i++) {
		text[i] = mem_alloc(from[i].len + 1);
		if (text[i] == NULL) {
			texts_free(text, n);
			return ERR_NOMEM;
		}
		if (from[i].len > 0)
			memcpy(text[i], from[i].data, from[i].len);
		++*n;
	}
	return OK;
}

static void space_free(struct session *s, struct space *sp)
{
	if (sp == NULL)
		return;
	session_forget(s, sp);
	session_held_forget(s, &sp->shown.space);
	queue_clear(&sp->acts);
	queue_clear(&sp->push);
	mem_free(sp);
}

void session_free(struct session *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_spaces; i++)
		space_free(s, s->space[i]);
	texts_free(s->own_address, &s->n_own_addresses);
	texts_free(s->address, &s->n_addresses);
	session_held_forget(s, NULL);
	mem_free(s->held);
	mem_free(s->agent);
	mem_free(s->stack);
	buf_free(&s->frame);
	buf_free(&s->batch);
	buf_free(&s->scratch);
	mem_free(s);
}

static struct space *space_new(struct session *s, const struct id32 *id)
{
	struct space *sp = mem_alloc(sizeof *sp);

	if (sp == NULL)
		return NULL;
	sp->shown.space = *id;
	sp->wanted.total = &s->n_wanted;
	sp->acts.total = sp->push.total = &s->n_push;
	return sp;
}

/* The spaces in common as they are now; those that are still there keep their state.  ERR_NOMEM: a new one is left out until the
 * next time. */
static enum err update_spaces(struct session *s)
{
	enum err e = OK;
	struct id32 ids[LIMIT_SPACES];
	struct space *old[LIMIT_SPACES];
	size_t n = s->data.common(s->data.arg, &s->peer, ids, LIMIT_SPACES), n_old = s->n_spaces, at = 0;

	memcpy(old, s->space, sizeof old);
	s->n_spaces = 0;
	for (size_t i = 0; i < n; i++) {
		struct space *sp = NULL;

		for (; at < n_old && id32_compare(&old[at]->shown.space, &ids[i]) < 0; at++)
			space_free(s, old[at]);
		if (at < n_old && id32_equal(&old[at]->shown.space, &ids[i]))
			sp = old[at++];
		else
			sp = space_new(s, &ids[i]);
		if (sp != NULL)
			s->space[s->n_spaces++] = sp;
		else
			e = ERR_NOMEM;
	}
	for (; at < n_old; at++)
		space_free(s, old[at]);
	return e;
}

/* ---- HELLO ---- */

static void say_hello(struct session *s, const struct net_out *out)
{
	struct net_message m = { .type = NET_HELLO };
	struct net_cursor cursors[LIMIT_SPACES];
	struct slice addresses[LIMIT_ADDRESSES];

	m.u.hello.version = FORMAT_VERSION;
	m.u.hello.nonce = s->nonce;
	m.u.hello.cursors = cursors;
	m.u.hello.addresses = addresses;
	m.u.hello.n_addresses = s->n_own_addresses;
	for (size_t i = 0; i < s->n_own_addresses; i++)
		addresses[i] = slice_of(s->own_address[i]);
	m.u.hello.agent = slice_of(s->agent);
	/* Only the answering side knows whose journal it is talking about. */
	for (size_t i = 0; i < s->n_spaces && s->state == SESSION_OPEN; i++) {
		struct net_cursor *c = &cursors[m.u.hello.n_cursors];

		c->space = s->space[i]->shown.space;
		c->nonce = s->peer_nonce;
		c->journal = s->data.cursor(s->data.arg, &s->peer, &s->peer_nonce, &c->space);
		if (c->journal > 0)
			m.u.hello.n_cursors++;
	}
	s->hello_ms = s->now;
	s->greeted = session_emit(s, out, &m, NULL) == OK;
}

static void compare_all(struct session *s, const struct net_out *out)
{
	for (size_t i = 0; i < s->n_spaces; i++)
		session_begin(s, out, s->space[i]);
}

enum err session_start(struct session *s, const struct net_out *out, const struct session_hello *hello)
{
	char *agent = NULL;
	enum err e = texts_copy(s->own_address, &s->n_own_addresses, hello->addresses, hello->n_addresses);

	if (e != OK)
		return e;
	agent = mem_alloc(hello->agent.len + 1);
	if (agent == NULL)
		return ERR_NOMEM;
	if (hello->agent.len > 0)
		memcpy(agent, hello->agent.data, hello->agent.len);
	mem_free(s->agent);
	s->agent = agent;
	s->nonce = hello->nonce;
	if ((e = update_spaces(s)) != OK)
		return e;
	s->started = true;
	if (s->driver || s->state == SESSION_OPEN)
		say_hello(s, out);
	if (s->driver)
		compare_all(s, out);            /* rides along: one round trip in all */
	return OK;
}

static enum err on_hello(struct session *s, const struct net_out *out, const struct net_message *m)
{
	enum err e;

	if (m->u.hello.version != FORMAT_VERSION) {
		s->count.refused++;
		session_refuse(s, out, REFUSE_VERSION, NULL);
		s->state = SESSION_CLOSED;
		return ERR_VERSION;
	}
	e = texts_copy(s->address, &s->n_addresses, m->u.hello.addresses, m->u.hello.n_addresses);
	if (e != OK)
		return e;
	if (!id16_equal(&s->peer_nonce, &m->u.hello.nonce))
		for (size_t i = 0; i < s->n_spaces; i++)
			s->space[i]->has_peer = false;  /* another journal */
	s->peer_nonce = m->u.hello.nonce;
	s->state = SESSION_OPEN;
	for (size_t i = 0; i < m->u.hello.n_cursors; i++) {
		struct space *sp = session_space_of(s, &m->u.hello.cursors[i].space);

		if (sp != NULL && id16_equal(&m->u.hello.cursors[i].nonce, &s->nonce))
			sp->peer_cursor = m->u.hello.cursors[i].journal;
	}
	if (s->started && !s->driver)
		say_hello(s, out);
	return OK;
}

/* ---- other messages ---- */

static void on_heartbeat(struct session *s, const struct net_message *m)
{
	for (size_t i = 0; i < m->u.heartbeat.n; i++) {
		struct space *sp = session_space_of(s, &m->u.heartbeat.cursors[i].space);

		if (sp != NULL)
			session_heard(s, sp, m->u.heartbeat.cursors[i].journal, 0);
	}
}

static enum err on_refuse(struct session *s, const struct net_message *m)
{
	struct space *sp = m->has_space ? session_space_of(s, &m->space) : NULL;

	if (m->u.reason == REFUSE_VERSION) {
		s->state = SESSION_CLOSED;
		return ERR_VERSION;
	}
	if (sp == NULL)
		return OK;
	if (m->u.reason == REFUSE_LANE)
		sp->peer_authority_only = true;
	else
		session_give_up(s, sp, ERR_DENIED);
	return OK;
}

/* A space that we do not share with this peer: it learns so, if it asked. */
static void on_unknown_space(struct session *s, const struct net_out *out, const struct net_message *m)
{
	s->count.refused++;
	if (m->type == NET_ROOTS || m->type == NET_ASK_NODES || m->type == NET_WANT || m->type == NET_SINCE)
		session_refuse(s, out, REFUSE_UNKNOWN, &m->space);
}

static enum err on_space_message(struct session *s, const struct net_out *out, const struct net_message *m)
{
	struct space *sp = session_space_of(s, &m->space);

	if (sp == NULL) {
		on_unknown_space(s, out, m);
		return OK;
	}
	switch (m->type) {
	case NET_ROOTS:     return session_on_roots(s, out, sp, m);
	case NET_ASK_NODES: return session_on_ask(s, out, sp, m);
	case NET_NODES:     return session_on_nodes(s, out, sp, m);
	case NET_WANT:      return session_on_want(s, out, sp, m);
	case NET_SINCE:     return session_on_since(s, out, sp, m);
	case NET_SLOTS:     return session_on_slots(s, out, sp, m);
	default:            return session_on_content(s, out, sp, m);
	}
}

static bool is_content(enum net_type type)
{
	return type == NET_ACTS || type == NET_RUN || type == NET_STATEMENTS || type == NET_FORK;
}

static void on_credit(struct session *s, const struct net_out *out, const struct net_message *m)
{
	session_on_credit(s, out, m->u.credit);
	for (size_t i = 0; i < s->n_spaces; i++) {
		s->space[i]->active_ms = s->now;        /* the peer is busy with what we send */
		session_settle(s, out, s->space[i]);
	}
}

static enum err dispatch(struct session *s, const struct net_out *out, const struct net_message *m)
{
	enum err e;

	switch (m->type) {
	case NET_HELLO:
		return on_hello(s, out, m);
	case NET_JOIN:
	case NET_JOINED:
		return ERR_STATE;               /* the node's, on lanes without a session */
	case NET_REFUSE:
		return on_refuse(s, m);
	default:
		break;
	}
	if (s->state != SESSION_OPEN)
		return OK;                      /* its HELLO was lost, and will come again */
	if (m->type == NET_HEARTBEAT) {
		on_heartbeat(s, m);
		return OK;
	}
	if (m->type == NET_CREDIT) {
		on_credit(s, out, m);
		return OK;
	}
	e = on_space_message(s, out, m);
	if (e == OK && is_content(m->type))
		session_pay(s, out, m->frame_len);
	return e;
}

enum err session_message(struct session *s, const struct net_out *out, const struct net_message *m, uint64_t mono_ms,
	uint64_t wall_ms)
{
	enum err e;

	s->now = mono_ms;
	s->wall = wall_ms;
	s->heard_ms = mono_ms;
	s->count.frames_in++;
	s->count.bytes_in += m->frame_len;
	if (s->state == SESSION_CLOSED)
		return OK;
	e = dispatch(s, out, m);
	for (size_t i = 0; i < s->n_spaces && s->state == SESSION_OPEN; i++)
		session_due(s, out, s->space[i]);
	return e;
}

/* ---- what happens here ---- */

void session_changed(struct session *s, const struct net_out *out, const struct id32 *space, const struct slot *slot,
	uint64_t old_version)
{
	struct space *sp = session_space_of(s, space);

	if (sp == NULL)
		return;
	sp->shown.in_sync = false;
	if (s->state != SESSION_OPEN)
		return;                         /* the first ROOTS will find it */
	session_push(s, sp, SLICE(slot->key, slot->key_len), old_version, true);
	session_drain(s, out);
	session_recheck(s, out, sp);
}

void session_compare(struct session *s, const struct net_out *out, const struct id32 *space, uint64_t mono_ms)
{
	s->now = mono_ms;
	if (!s->started || s->state == SESSION_CLOSED || (s->state == SESSION_HELLO && !s->driver))
		return;
	update_spaces(s);                       /* what found no memory last time */
	for (size_t i = 0; i < s->n_spaces; i++)
		if (space == NULL || id32_equal(space, &s->space[i]->shown.space))
			if (s->space[i]->phase == PHASE_IDLE)
				session_begin(s, out, s->space[i]);
}

void session_spaces(struct session *s, const struct net_out *out, uint64_t mono_ms)
{
	s->now = mono_ms;
	if (!s->started || s->state == SESSION_CLOSED)
		return;
	update_spaces(s);
	for (size_t i = 0; i < s->n_spaces; i++) {
		struct space *sp = s->space[i];
		bool opened = sp->lane_told && session_lane_open(s, sp, NET_DATA);

		if (opened)
			sp->lane_told = false;
		sp->peer_authority_only = false;
		if (!sp->has_told && (s->driver || s->state == SESSION_OPEN))
			session_begin(s, out, sp);
		else if (opened)
			session_plan(s, sp, 0);
		session_due(s, out, sp);
	}
}

/* ---- timers ---- */

static void earlier(uint64_t *next, uint64_t at)
{
	if (at < *next)
		*next = at;
}

static bool credit_is_lost(const struct session *s)
{
	return s->n_push > 0 && session_is_blocked(s);
}

uint64_t session_next(const struct session *s)
{
	uint64_t next = s->heard_ms + DEAD_MS;

	if (s->state == SESSION_CLOSED)
		return UINT64_MAX;
	if (s->state == SESSION_HELLO) {
		if (s->driver)
			earlier(&next, s->hello_ms + HELLO_AGAIN_MS);
		return next;
	}
	earlier(&next, s->beat_ms + HEARTBEAT_MS);
	if (credit_is_lost(s))
		earlier(&next, s->credit_ms + CREDIT_MS);
	for (size_t i = 0; i < s->n_spaces; i++) {
		const struct space *sp = s->space[i];

		if (sp->phase != PHASE_IDLE)
			earlier(&next, sp->active_ms + SILENCE_MS);
		else if (sp->wanted.alive > 0)
			earlier(&next, sp->wanted_ms + SILENCE_MS);
		if (sp->compare_at != 0 && sp->phase == PHASE_IDLE)
			earlier(&next, sp->compare_at);
		if (sp->ack_at != 0)
			earlier(&next, sp->ack_at);
	}
	return next;
}

static void tick_space(struct session *s, const struct net_out *out, struct space *sp)
{
	if (sp->phase != PHASE_IDLE && s->now >= sp->active_ms + SILENCE_MS) {
		session_silent(s, out, sp);
	} else if (sp->phase == PHASE_IDLE && sp->wanted.alive > 0 && s->now >= sp->wanted_ms + SILENCE_MS) {
		session_wants_forget(sp);
		session_plan(s, sp, 0);
	}
	session_due(s, out, sp);
}

static void beat(struct session *s, const struct net_out *out)
{
	struct net_message m = { .type = NET_HEARTBEAT };
	struct net_cursor cursors[LIMIT_SPACES];
	struct net_roots now;

	m.u.heartbeat.cursors = cursors;
	for (size_t i = 0; i < s->n_spaces; i++) {
		struct space *sp = s->space[i];

		if (s->data.roots(s->data.arg, &sp->shown.space, &now) != OK)
			continue;
		cursors[m.u.heartbeat.n++] = (struct net_cursor){ .space = sp->shown.space, .journal = now.journal };
		sp->told.journal = now.journal;
	}
	session_emit(s, out, &m, NULL);
	s->beat_ms = s->now;
}

enum err session_tick(struct session *s, const struct net_out *out, uint64_t mono_ms, uint64_t *next)
{
	s->now = mono_ms;
	if (s->state == SESSION_CLOSED) {
		*next = UINT64_MAX;
		return OK;
	}
	if (s->now >= s->heard_ms + DEAD_MS) {
		*next = UINT64_MAX;
		return ERR_WAITING;
	}
	if (s->state == SESSION_HELLO) {
		if (s->driver && s->started && s->now >= s->hello_ms + HELLO_AGAIN_MS) {
			say_hello(s, out);
			compare_all(s, out);
		}
		*next = session_next(s);
		return OK;
	}
	if (credit_is_lost(s) && s->now >= s->credit_ms + CREDIT_MS) {
		s->outstanding = 0;
		session_on_credit(s, out, 0);
	}
	for (size_t i = 0; i < s->n_spaces; i++)
		tick_space(s, out, s->space[i]);
	if (s->now >= s->beat_ms + HEARTBEAT_MS)
		beat(s, out);
	*next = session_next(s);
	return OK;
}

/* ---- looking in ---- */

enum session_state session_state(const struct session *s)
{
	return s->state;
}

const struct id32 *session_peer(const struct session *s)
{
	return &s->peer;
}

size_t session_list(const struct session *s, struct session_space *out, size_t max)
{
	size_t n = s->n_spaces < max ? s->n_spaces : max;

	for (size_t i = 0; i < n; i++) {
		out[i] = s->space[i]->shown;
		out[i].busy = s->space[i]->phase != PHASE_IDLE;
	}
	return n;
}

const struct session_counters *session_counters(const struct session *s)
{
	return &s->count;
}

size_t session_addresses(const struct session *s, const char *const **texts)
{
	*texts = (const char *const *)s->address;
	return s->n_addresses;
}
