/* Commands that wait: `cairn sync` until every connected peer holds equal roots (promise 12), `cairn org join` until joined. */
#include <stdio.h>
#include <string.h>
#include "base/id.h"
#include "daemon/node/node_internal.h"

#define CONNECT_MS 5000
#define COMPARE_MS 250          /* at most so long between two looks; the first come sooner */

enum err waiter_add(struct node *n, enum command_kind kind, uint64_t token, const struct id16 *request, uint64_t for_ms, struct waiter **out)
{
	struct waiter *grown = mem_grow(n->waiters, &n->cap_waiters, n->n_waiters, sizeof *grown);

	if (grown == NULL)
		return ERR_NOMEM;
	n->waiters = grown;
	*out = &grown[n->n_waiters++];
	memset(*out, 0, sizeof **out);
	(*out)->kind = kind;
	(*out)->token = token;
	(*out)->request = *request;
	(*out)->from_ms = n->mono_ms;
	(*out)->until_ms = n->mono_ms + for_ms;
	(*out)->started_wall = n->wall_ms;
	return OK;
}

void waiter_remove(struct node *n, struct waiter *w)
{
	mem_free(w->kept);
	*w = n->waiters[--n->n_waiters];
}

/* ---- what a peer holds ------------------------------------------------------------------------------------------------ */
static bool concerns(const struct waiter *w, const struct peer *p)
{
	return w->has_device ? id32_equal(&w->device, &p->device) : p->marked;  /* guests get no data: they are never in sync */
}

/* Equal now: the digests last found equal are still ours, were compared since the command came, nothing is pending. */
static bool space_equal(struct node *n, const struct session_space *is, const struct waiter *w)
{
	struct space *s = space_find(n, &is->space);
	struct net_roots own;

	if (s == NULL)
		return true;
	if (!is->in_sync || is->peer_pending || is->since_ms <= w->started_wall || replica_roots(n, s, &own) != OK)
		return false;
	return !own.pending && id32_equal(&own.authority, &is->authority) && id32_equal(&own.data, &is->data);
}

static bool peer_equal(struct node *n, const struct peer *p, const struct waiter *w, struct id32 *digest, uint64_t *at)
{
	struct session_space list[LIMIT_SPACES];
	size_t count = session_list(p->session, list, LIMIT_SPACES);

	memset(digest, 0, sizeof *digest);
	*at = n->wall_ms;
	for (size_t i = 0; i < count; i++) {
		struct slice parts[] = { SLICE(digest, ID_LEN), SLICE(&list[i].authority, ID_LEN), SLICE(&list[i].data, ID_LEN) };

		if (!space_equal(n, &list[i], w))
			return false;
		crypto_hash(digest, "cairn-digest", parts, 3);
		*at = list[i].since_ms;
	}
	return count > 0;
}

/* ---- answers ------------------------------------------------------------------------------------------------------------- */
static size_t count_of(struct node *n, const struct waiter *w, bool connected)
{
	size_t count = 0;

	for (size_t i = 0; i < n->n_peers; i++)
		count += concerns(w, &n->peers[i]) && (!connected || (n->peers[i].session != NULL &&
			session_state(n->peers[i].session) == SESSION_OPEN));
	return count;
}

static void put_peer(struct node *n, struct buf *b, const struct peer *p, const struct waiter *w)
{
	struct id32 digest;
	uint64_t at;
	bool equal = peer_equal(n, p, w, &digest, &at);

	/* Keys ascending by encoding: the shorter text first. */
	mp_put_map(b, equal ? 4 : 2);
	if (equal) {
		mp_put_text(b, "at");
		mp_put_uint(b, at);
		mp_put_text(b, "digest");
		mp_put_bin(b, &digest, ID_LEN);
	}
	mp_put_text(b, "inSync");
	mp_put_bool(b, equal);
	mp_put_text(b, "deviceId");
	mp_put_bin(b, &p->device, ID_LEN);
}

static struct reply_builder *peer_fields(struct node *n, const struct waiter *w)
{
	struct reply_builder *fields = reply_new();
	struct buf b = {0};

	mp_put_array(&b, count_of(n, w, true));
	for (size_t i = 0; i < n->n_peers; i++)
		if (concerns(w, &n->peers[i]) && n->peers[i].session != NULL && session_state(n->peers[i].session) == SESSION_OPEN)
			put_peer(n, &b, &n->peers[i], w);
	if (b.err == OK)
		reply_raw(fields, "peers", buf_slice(&b));
	buf_free(&b);
	return fields;
}

static enum err sync_answer(struct node *n, struct waiter *w, enum err err, const char *message, const char *hint)
{
	const struct waiter copy = *w;

	waiter_remove(n, w);
	return reply_send(n, copy.token, NULL, err, message, hint, peer_fields(n, &copy));
}

/* ---- checking ------------------------------------------------------------------------------------------------------------- */
static bool may_still_connect(struct node *n, const struct waiter *w)
{
	if (n->mono_ms >= w->from_ms + CONNECT_MS || n->offline)
		return false;
	for (size_t i = 0; i < n->n_peers; i++) {
		const struct peer *p = &n->peers[i];

		if (concerns(w, p) && p->n_addresses > 0 && (p->session == NULL || session_state(p->session) != SESSION_OPEN) &&
		    (p->dialing || p->session != NULL || p->backoff.failures == 0))
			return true;
	}
	return false;
}

static void send_frame(void *arg, struct slice frame)
{
	struct node *n = arg;

	node_send(n, n->out_link, frame);
}

static void compare_again(struct node *n, struct waiter *w)
{
	struct net_out out = { n, send_frame };

	if (n->mono_ms < w->compare_at)
		return;
	w->compare_at = n->mono_ms + (w->compared < 4 ? 15u << w->compared : COMPARE_MS);
	w->compared++;
	for (size_t i = 0; i < n->n_peers; i++) {
		struct peer *p = &n->peers[i];
		struct id32 digest;
		uint64_t at;

		if (!concerns(w, p) || p->session == NULL || session_state(p->session) != SESSION_OPEN || peer_equal(n, p, w, &digest, &at))
			continue;
		n->out_link = p->link;
		session_compare(p->session, &out, NULL, n->mono_ms);
	}
}

static enum err sync_step(struct node *n, struct waiter *w)
{
	const size_t connected = count_of(n, w, true);
	size_t equal = 0;
	char text[160];

	if (count_of(n, w, false) == 0)
		return sync_answer(n, w, OK, "Nobody else is in your organizations yet: there is nothing to sync.", "cairn org invite");
	for (size_t i = 0; i < n->n_peers; i++) {
		struct peer *p = &n->peers[i];
		struct id32 digest;
		uint64_t at;

		equal += concerns(w, p) && p->session != NULL && session_state(p->session) == SESSION_OPEN &&
			peer_equal(n, p, w, &digest, &at);
	}
	if (!may_still_connect(n, w)) {
		if (connected == 0)
			return sync_answer(n, w, ERR_WAITING, n->offline ? "You are offline: nothing was exchanged. Your changes are saved."
				: "No peer could be reached. Your changes are saved and will go out when one can.",
				n->offline ? "cairn online" : "cairn peers");
		if (equal == connected) {
			(void)snprintf(text, sizeof text, "In sync with %zu of %zu peers.", equal, count_of(n, w, false));
			return sync_answer(n, w, OK, text, NULL);
		}
	}
	if (n->mono_ms >= w->until_ms) {
		(void)snprintf(text, sizeof text, "In sync with %zu of %zu connected peers so far; the rest goes on in the background.", equal,
			connected);
		return sync_answer(n, w, ERR_WAITING, text, "cairn peers");
	}
	compare_again(n, w);
	return OK;
}

static enum err join_step(struct node *n, struct waiter *w)
{
	const struct waiter copy = *w;

	if (n->mono_ms < w->until_ms)
		return OK;
	waiter_remove(n, w);
	return reply_send(n, copy.token, NULL, ERR_WAITING,
		"The organization could not be reached yet. The request is saved and retried every 30 s while cairnd runs.", "cairn status", NULL);
}

static enum err invite_step(struct node *n, struct waiter *w)
{
	return n->n_own_addresses > 0 || n->mono_ms >= w->until_ms ? invite_finish(n, w) : OK;
}

enum err sync_check(struct node *n)
{
	enum err e = OK;

	for (size_t i = n->n_waiters; i > 0 && e == OK; i--) {
		struct waiter *w = &n->waiters[i - 1];

		switch (w->kind) {
		case COMMAND_SYNC: e = sync_step(n, w); break;
		case COMMAND_INVITE: e = invite_step(n, w); break;
		default: e = join_step(n, w); break;
		}
	}
	return e;
}

uint64_t sync_deadline(const struct node *n)
{
	uint64_t at = UINT64_MAX;

	for (size_t i = 0; i < n->n_waiters; i++) {
		uint64_t due = n->waiters[i].kind == COMMAND_SYNC ? n->waiters[i].compare_at : n->waiters[i].until_ms;

		if (due < at)
			at = due;
	}
	return at;
}

enum err sync_command(struct node *n, const struct command *c, uint64_t token)
{
	struct waiter *w;
	enum err e = waiter_add(n, COMMAND_SYNC, token, &c->request, c->number ? c->number : 60000, &w);

	if (e != OK)
		return e;
	w->has_device = c->has_other;
	w->device = c->other;
	peers_dial_now(n);
	return OK;
}
