/* Open, turn, dispatch (design §3, "the seam"). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "daemon/node/effects.h"
#include "daemon/node/node_internal.h"

#define START_AGAIN_MS 2000

bool err_is_hard(enum err e)
{
	return e == ERR_NOMEM || e == ERR_IO || e == ERR_FULL || e == ERR_MAPFULL || e == ERR_DAMAGED;
}

/* ---- effects ------------------------------------------------------------------------------------------------------ */
void node_log(struct node *n, enum log_level level, const char *format, ...)
{
	char text[256];
	struct effect *e = effects_add(n->effects, EFFECT_LOG);
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	e->level = level;
	e->bytes = effects_copy(n->effects, slice_of(text));
}

void node_send(struct node *n, uint32_t link, struct slice frame)
{
	struct effect *e = effects_add(n->effects, EFFECT_SEND);

	e->link = link;
	e->bytes = effects_copy(n->effects, frame);
}

void node_connect(struct node *n, uint32_t link, const char *address, const uint8_t server_key[KEY_LEN], const uint8_t public[KEY_LEN],
	const uint8_t secret[KEY_LEN])
{
	struct effect *e = effects_add(n->effects, EFFECT_CONNECT);

	e->link = link;
	e->address = (const char *)effects_copy(n->effects, slice_of(address)).data;
	memcpy(e->server_key, server_key, KEY_LEN);
	memcpy(e->client_public, public, KEY_LEN);
	memcpy(e->client_secret, secret, KEY_LEN);
}

void node_disconnect(struct node *n, uint32_t link)
{
	effects_add(n->effects, EFFECT_DISCONNECT)->link = link;
}

void node_allow(struct node *n, const uint8_t (*keys)[KEY_LEN], size_t count)
{
	struct effect *e = effects_add(n->effects, EFFECT_ALLOW);

	e->bytes = effects_copy(n->effects, SLICE(keys, count * KEY_LEN));
}

void node_listen(struct node *n, bool on)
{
	struct effect *e = effects_add(n->effects, EFFECT_LISTEN);

	e->on = on;
}

void node_stop(struct node *n)
{
	(void)effects_add(n->effects, EFFECT_STOP);
}

/* ---- open ------------------------------------------------------------------------------------------------------------- */
static enum err settings_load(struct node *n)
{
	struct slice v;
	enum err e;

	if ((e = meta_get(n, "nonce", &v)) == OK && v.len == DOC_LEN)
		memcpy(&n->nonce, v.data, DOC_LEN);
	else if (e == ERR_NOTFOUND)
		node_random(n, &n->nonce, DOC_LEN);
	else
		return e == OK ? ERR_DAMAGED : e;
	if (meta_get(n, "log-numbers", &v) == OK && v.len == 4)
		n->next_log = get_u32(v.data);
	if (meta_get(n, "incarnation", &v) == OK && v.len == 8)
		n->incarnation = get_u64(v.data);
	/* Another machine or another file than the one we wrote to: a copied home, a restored backup (protocol §2). */
	if (meta_get(n, "machine", &v) != OK || v.len != 16 || memcmp(v.data, n->host.machine, 16) != 0)
		n->incarnation_spent = true;
	n->offline = meta_get(n, "offline", &v) == OK && v.len == 1 && v.data[0];
	if (meta_get(n, "default-org", &v) == OK && v.len == ID_LEN) {
		memcpy(&n->default_org, v.data, ID_LEN);
		n->has_default = true;
	}
	if (meta_get(n, "port", &v) == OK && v.len == 2 && n->host.port == 0)
		n->port = get_u16(v.data);
	return OK;
}

/* Our clock goes on from the newest op that is here, by whomever, and is not of the future. */
static enum err clock_load(struct node *n)
{
	struct store_cursor *c = NULL;
	struct slice key;
	enum err e = store_cursor_open(&c, n->txn, TABLE_LOG, SLICE(NULL, 0), SLICE(NULL, 0), false);

	while (e == OK && (e = store_cursor_next(c, &key, NULL)) == OK) {
		struct log_head head;
		struct id32 device;

		memcpy(&device, key.data + 4, ID_LEN);
		for (size_t i = 0; i < n->n_spaces && e == OK; i++) {
			if (n->spaces[i].number != get_u32(key.data))
				continue;
			e = log_read(n, &n->spaces[i], &device, get_u64(key.data + 4 + ID_LEN), &head);
			if (e == OK && head.hlc > n->clock && !hlc_is_future(head.hlc, n->wall_ms))
				n->clock = head.hlc;
		}
	}
	store_cursor_close(c);
	return e == ERR_NOTFOUND ? OK : e;
}

static enum err first_start(struct node *n);

static enum err node_load(struct node *n)
{
	struct slice v;
	enum err e;

	if ((e = settings_load(n)) != OK || (e = spaces_load(n)) != OK)
		return e;
	if (n->n_spaces == 0)
		e = first_start(n);
	if (e == OK && meta_get(n, "nonce", &v) == ERR_NOTFOUND)
		e = meta_put(n, "nonce", SLICE(&n->nonce, DOC_LEN));
	if (e == OK && (e = clock_load(n)) == OK)
		e = peers_load(n);
	return e;
}

/* The self space: genesis by the root key with the device embedded, a first self epoch (protocol §2). */
static enum err first_start(struct node *n)
{
	struct act_body body = { .root = n->member, .is_org = false,
		.certificate_bytes = SLICE(n->identity->certificate, n->identity->certificate_len) };
	struct act act = { .author_type = ACT_ROOT, .author = n->member, .kind = ACT_GENESIS };
	uint8_t public[ID_LEN], secret[SIGN_SECRET_LEN];
	struct buf encoded = {0}, bytes = {0};
	struct space *s;
	bool added;
	enum err e;

	if (!n->identity->has_seed)
		return ERR_STATE;
	crypto_sign_seed(public, secret, n->identity->seed);
	node_random(n, &body.nonce, DOC_LEN);
	e = act_body_encode(&encoded, ACT_GENESIS, &body, NULL, NULL, NULL, NULL);
	act.body = buf_slice(&encoded);
	if (e == OK && (e = act_make(&bytes, &act, secret)) == OK && (e = space_open(n, &s, &act.id, true)) == OK &&
	    (e = replica_act(n, s, buf_slice(&bytes), &added)) == OK && (e = replica_follow_authority(n, s)) == OK)
		e = replica_flush(n, s);
	crypto_wipe(secret, sizeof secret);
	buf_free(&encoded);
	buf_free(&bytes);
	return e;
}

enum err node_open(struct node **out, struct store *store, const struct node_identity *identity, const struct node_host *host,
	uint64_t wall_ms, const uint8_t random[32])
{
	struct node *n = mem_alloc(sizeof *n);
	enum err e = ERR_NOMEM;

	*out = NULL;
	if (n == NULL || (n->identity = crypto_secret_alloc(sizeof *identity)) == NULL || (n->effects = effects_new()) == NULL)
		goto fail;
	*n->identity = *identity;
	n->store = store;
	n->host = *host;
	n->port = host->port;
	n->member = identity->root;
	n->wall_ms = wall_ms;
	n->deadline = 0;
	n->next_link = 1;
	rng_seed(&n->rng, random);
	replica_net_data(n);
	if ((e = store_begin(&n->txn, store, true)) != OK)
		goto fail;
	e = node_load(n);
	if (e == OK && n->dirty)
		e = store_commit(n->txn);
	else
		store_abort(n->txn);
	n->txn = NULL;
	n->dirty = false;
	for (size_t i = 0; i < n->n_spaces; i++)
		n->spaces[i].n_changes = 0;
	effects_free(n->effects);               /* what loading logged is not kept; turns bring their own list */
	n->effects = NULL;
	if (e != OK)
		goto fail;
	*out = n;
	return OK;
fail:
	if (n != NULL)
		effects_free(n->effects);
	node_close(n);
	return e;
}

void node_close(struct node *n)
{
	if (n == NULL)
		return;
	peers_free(n);
	spaces_free(n);
	for (size_t i = 0; i < n->n_own_addresses; i++)
		mem_free(n->own_addresses[i]);
	mem_free(n->own_addresses);
	while (n->n_waiters > 0)
		waiter_remove(n, &n->waiters[0]);
	mem_free(n->waiters);
	if (n->identity != NULL)
		crypto_secret_free(n->identity);
	mem_free(n);
}

/* ---- a step ------------------------------------------------------------------------------------------------------------- */
/* What memory holds beyond the store: peers, what is to be shared and computed. */
static enum err start(struct node *n)
{
	enum err e;

	for (size_t i = 0; i < n->n_spaces; i++)
		n->spaces[i].publish_dirty = n->spaces[i].share_dirty = true;
	if ((e = peers_follow(n)) == OK)
		e = peers_announce(n);
	n->started = n->started || !err_is_hard(e);
	return e;
}

static enum err dispatch(struct node *n, const struct event *ev)
{
	switch (ev->kind) {
	case EVENT_START:
		return start(n);
	case EVENT_TIME:                                /* settle() looks at every timer */
		return n->started ? OK : start(n);      /* the start failed: the disk was full, say */
	case EVENT_COMMAND:
		return command_run(n, ev->command, ev->token);
	case EVENT_LINK_UP:
		return peers_link_up(n, ev);
	case EVENT_LINK_DOWN:
		return peers_link_down(n, ev);
	case EVENT_MESSAGE:
		return peers_message(n, ev);
	case EVENT_BAD_FRAME:
		return peers_bad_frame(n, ev);
	case EVENT_LISTENING:
	case EVENT_NETWORK:
		return peers_addresses(n, ev);
	}
	return ERR_STATE;
}

/* What cannot be done for a reason of its own is said and left; the rest of a step must not suffer: what was written is to be
 * flushed and pushed all the same. */
static enum err soft(struct node *n, enum err e, const char *what)
{
	if (e == OK || err_is_hard(e))
		return e;
	node_log(n, LOG_WARNING, "%s: %s", what, err_text(e));
	return OK;
}

/* What follows from what has changed, in the order of the rooms: authority, shares, roll-ups, the map, peers, waiting commands. */
static enum err settle(struct node *n)
{
	bool authority = false;
	enum err e = OK;

	n->origin_link = 0;
	for (size_t i = 0; i < n->n_spaces && e == OK; i++) {
		e = soft(n, replica_follow_authority(n, &n->spaces[i]), "following authority");
		authority = authority || n->spaces[i].follow_peers;
		n->spaces[i].follow_peers = false;
	}
	if (e == OK && fold_next_due(n) <= n->wall_ms)
		e = soft(n, fold_due(n), "applying what has come due");
	if (e == OK && (e = soft(n, keys_time(n), "wrapping keys")) == OK && (e = soft(n, join_time(n), "joining")) == OK)
		e = soft(n, peers_time(n), "looking after peers");
	for (size_t i = 0; i < n->n_spaces && e == OK; i++)
		if (n->spaces[i].share_dirty && !n->spaces[i].is_self && !n->spaces[i].joining) {
			n->spaces[i].share_dirty = false;
			e = soft(n, share_settle(n, &n->spaces[i]), "sealing reports");
		}
	if (e == OK)
		e = soft(n, publish_time(n), "computing roll-ups");
	if (e == OK && authority)
		e = soft(n, peers_follow(n), "following peers");
	for (size_t i = 0; i < n->n_spaces && e == OK; i++)
		e = replica_flush(n, &n->spaces[i]);
	if (e == OK) {
		peers_push(n);
		e = soft(n, sync_check(n), "answering who waits");
	}
	for (size_t i = 0; i < n->n_spaces; i++)
		n->spaces[i].n_changes = 0;
	return e == OK && effects_failed(n->effects) ? ERR_NOMEM : e;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void deadline_set(struct node *n)
{
	uint64_t due = fold_next_due(n), at = least(peers_deadline(n), least(join_deadline(n), sync_deadline(n)));

	if (due != UINT64_MAX)
		at = least(at, n->mono_ms + (due > n->wall_ms ? due - n->wall_ms : 0));
	for (size_t i = 0; i < n->n_spaces; i++)
		at = least(at, least(n->spaces[i].wrap_check_at, n->spaces[i].publish_at));
	n->deadline = at;
}

/* An event that is tried again must not draw the same nonces and keys as before for what may be other plaintext. */
static void draw_from(struct node *n, const uint8_t random[32])
{
	uint8_t tries[8], seed[32];
	struct slice part = SLICE(tries, sizeof tries);

	put_u64(tries, n->tries);
	crypto_mac(seed, sizeof seed, random, "cairn-step", &part, 1);
	rng_seed(&n->rng, seed);
	crypto_wipe(seed, sizeof seed);
}

static enum err step(struct node *n, const struct event *ev)
{
	enum err e;

	n->wall_ms = ev->wall_ms;
	n->mono_ms = ev->mono_ms;
	n->origin_link = ev->kind == EVENT_MESSAGE ? ev->link : 0;
	draw_from(n, ev->random);
	e = dispatch(n, ev);
	if (err_is_hard(e))
		return e;
	e = settle(n);
	return err_is_hard(e) ? e : OK;
}

uint64_t node_deadline(const struct node *n)
{
	return n->deadline;
}

/* ---- a turn ---------------------------------------------------------------------------------------------------------------- */
/* All events in one transaction.  Only what wrote is committed: a turn that only sent a heartbeat costs no fsync. */
static enum err attempt(struct node *n, const struct event *events, size_t count, struct effects *out)
{
	enum err e = store_begin(&n->txn, n->store, true);

	if (e != OK)
		return e;
	n->effects = out;
	n->dirty = false;
	n->tries++;
	for (size_t i = 0; i < count && e == OK; i++)
		e = step(n, &events[i]);
	if (e == OK)
		deadline_set(n);
	if (e == OK && n->dirty)
		e = store_commit(n->txn);
	else
		store_abort(n->txn);
	n->txn = NULL;
	n->effects = NULL;
	return e;
}

static void refuse(uint64_t token, enum err why, struct effects *out)
{
	struct reply *reply = effects_memory(out, sizeof *reply);
	struct effect *effect;
	char text[160];

	if (reply == NULL)
		return;
	(void)snprintf(text, sizeof text, why == ERR_FULL ? "Nothing was saved: there is no room on the disk. Make room and try again."
		: "Nothing was saved: %s.", err_text(why));
	reply->err = why;
	reply->message = effects_copy(out, slice_of(text));
	reply->fields = effects_copy(out, SLICE("\x80", 1));
	effect = effects_add(out, EFFECT_REPLY);
	effect->token = token;
	effect->reply = reply;
}

struct batch { const struct event *events; size_t n; enum err why; };   /* what a failed turn was about */

static bool is_asked(const struct batch *b, uint64_t token)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->events[i].kind == EVENT_COMMAND && b->events[i].token == token)
			return true;
	return false;
}

/* Links end, and so does what waited from before: after a failed turn nobody knows what it waited for. */
static void hang_up(struct node *n, struct effects *out, const struct batch *b)
{
	n->effects = out;
	for (size_t i = 0; i < n->n_peers; i++) {
		if (n->peers[i].link != 0)
			node_disconnect(n, n->peers[i].link);
		if (n->peers[i].dial_link != 0)
			node_disconnect(n, n->peers[i].dial_link);
	}
	for (size_t i = 0; i < n->n_strangers; i++)
		node_disconnect(n, n->strangers[i].link);
	for (size_t i = 0; i < n->n_joins; i++)
		if (n->joins[i].link != 0)
			node_disconnect(n, n->joins[i].link);
	for (size_t i = 0; i < n->n_waiters; i++)
		if (!is_asked(b, n->waiters[i].token))
			refuse(n->waiters[i].token, b->why, out);
	n->effects = NULL;
}

/* Memory may be ahead of the store: make the node again from the store.  Its next write opens a new incarnation (protocol §2). */
static enum err rebuild(struct node **node, struct store *store, const struct batch *b, struct effects *out)
{
	struct node *old = *node, *fresh;
	struct node_host host = old->host;
	uint32_t next_link = old->next_link;
	enum err e;

	effects_clear(out);
	hang_up(old, out, b);
	e = node_open(&fresh, store, old->identity, &host, b->events->wall_ms, b->events->random);
	if (e == OK) {
		fresh->incarnation_spent = true;
		fresh->tries = old->tries;
		fresh->next_link = next_link;
		fresh->port = old->port;
		fresh->listening = old->listening;
		fresh->n_own_addresses = old->n_own_addresses;
		fresh->own_addresses = old->own_addresses;
		old->n_own_addresses = 0;
		old->own_addresses = NULL;
	}
	node_close(old);
	*node = e == OK ? fresh : NULL;
	return e;
}

/* Messages and links of before are gone with the sessions: reconciliation repairs that.  What the machine says comes once. */
static bool worth_another_try(const struct event *ev)
{
	return ev->kind == EVENT_COMMAND || ev->kind == EVENT_LISTENING || ev->kind == EVENT_NETWORK;
}

/* A turn of its own; what it asks for goes out only if it succeeds. */
static enum err alone(struct node **node, struct store *store, const struct event *ev, struct effects *out, enum err *why)
{
	struct effects *one = effects_new();
	struct batch b = { ev, 1, ERR_NOMEM };
	enum err e = OK;

	if (one != NULL && (b.why = attempt(*node, ev, 1, one)) != OK)
		e = rebuild(node, store, &b, one);
	*why = b.why;
	if (one != NULL)
		effects_move(out, one);
	effects_free(one);
	return e;
}

/* A turn failed.  Each event gets a turn of its own, so that one that cannot be done does not take the others with it. */
static enum err one_by_one(struct node **node, struct store *store, const struct event *events, size_t count, struct effects *out)
{
	enum err e = OK, why;

	for (size_t i = 0; i < count && e == OK; i++) {
		if (events[i].kind == EVENT_LINK_UP)    /* its session was never begun */
			effects_add(out, EFFECT_DISCONNECT)->link = events[i].link;
		if (!worth_another_try(&events[i]))
			continue;
		e = alone(node, store, &events[i], out, &why);
		if (why != OK && events[i].kind == EVENT_COMMAND)
			refuse(events[i].token, why, out);
	}
	return e;
}

enum err node_turn(struct node **node, struct store *store, const struct event *events, size_t count, struct effects *out)
{
	struct event begin = count > 0 ? events[0] : (struct event){ .kind = EVENT_START };
	struct batch b = { events, count, OK };
	enum err why, e;

	effects_clear(out);
	if (count == 0 || (b.why = attempt(*node, events, count, out)) == OK)
		return OK;
	if ((e = rebuild(node, store, &b, out)) != OK || (e = one_by_one(node, store, events, count, out)) != OK)
		return e;
	begin.kind = EVENT_START;
	if ((e = alone(node, store, &begin, out, &why)) == OK && why != OK)
		(*node)->deadline = begin.mono_ms + START_AGAIN_MS;     /* when there is room */
	return e;
}
