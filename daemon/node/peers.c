/* Peers: whom we know, whom we let in, whom we dial, and the sessions with them (protocol §8).
 * TABLE_PEER: device ‖ 'a' → [by hand, last seen wall ms, [address…]]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/node/node_internal.h"

#define ANTI_ENTROPY_MS (60 * 60 * 1000)
#define DIALS_AT_ONCE 8
#define OUTGOING_MAX 16
#define DIAL_TIMEOUT_MS 10000
#define MEMBER_PEERS 16
#define STRANGER_MS 60000

/* ---- the book ------------------------------------------------------------------------------------------------------ */
struct peer *peer_find(struct node *n, const struct id32 *device)
{
	for (size_t i = 0; i < n->n_peers; i++)
		if (id32_equal(&n->peers[i].device, device))
			return &n->peers[i];
	return NULL;
}

static struct peer *peer_by_curve(struct node *n, const uint8_t curve[KEY_LEN])
{
	for (size_t i = 0; i < n->n_peers; i++)
		if (memcmp(n->peers[i].curve, curve, KEY_LEN) == 0)
			return &n->peers[i];
	return NULL;
}

static struct peer *peer_by_link(struct node *n, uint32_t link)
{
	for (size_t i = 0; i < n->n_peers; i++)
		if (n->peers[i].link == link || n->peers[i].dial_link == link)
			return &n->peers[i];
	return NULL;
}

static enum err peer_store(struct node *n, const struct peer *p)
{
	uint8_t key[ID_LEN + 1];
	struct buf b = {0};
	enum err e;

	memcpy(key, &p->device, ID_LEN);
	key[ID_LEN] = 'a';
	mp_put_array(&b, 3);
	mp_put_bool(&b, p->by_hand);
	mp_put_uint(&b, p->seen_ms);
	mp_put_array(&b, p->n_addresses);
	for (size_t i = 0; i < p->n_addresses; i++)
		mp_put_text(&b, p->addresses[i]);
	n->dirty = true;
	e = b.err ? b.err : store_put(n->txn, TABLE_PEER, SLICE(key, sizeof key), buf_slice(&b));
	buf_free(&b);
	return e;
}

/* Newest first; at most LIMIT_ADDRESSES are kept. */
static enum err address_add(struct peer *p, struct slice text, bool *added)
{
	char *copy, **grown;

	*added = false;
	if (text.len == 0 || text.len >= LIMIT_ADDRESS_TEXT)
		return OK;
	for (size_t i = 0; i < p->n_addresses; i++)
		if (slice_equal(slice_of(p->addresses[i]), text))
			return OK;
	if ((copy = mem_alloc(text.len + 1)) == NULL)
		return ERR_NOMEM;
	memcpy(copy, text.data, text.len);
	if (p->n_addresses == LIMIT_ADDRESSES) {
		mem_free(p->addresses[LIMIT_ADDRESSES - 1]);
		p->n_addresses--;
	}
	if ((grown = mem_resize(p->addresses, p->n_addresses + 1, sizeof *grown)) == NULL) {
		mem_free(copy);
		return ERR_NOMEM;
	}
	p->addresses = grown;
	memmove(grown + 1, grown, p->n_addresses * sizeof *grown);
	grown[0] = copy;
	p->n_addresses++;
	*added = true;
	return OK;
}

enum err peer_add_address(struct node *n, struct peer *p, struct slice address, bool by_hand)
{
	bool added;
	enum err e = address_add(p, address, &added);

	if (e != OK || (!added && (!by_hand || p->by_hand)))
		return e;
	p->by_hand = p->by_hand || by_hand;
	p->dial_address = 0;
	return peer_store(n, p);
}

static enum err addresses_stored(struct node *n, struct peer *p)
{
	uint8_t key[ID_LEN + 1];
	struct slice value;
	struct mp_reader r;
	size_t count;
	enum err e;

	memcpy(key, &p->device, ID_LEN);
	key[ID_LEN] = 'a';
	if ((e = store_get(n->txn, TABLE_PEER, SLICE(key, sizeof key), &value)) != OK)
		return e == ERR_NOTFOUND ? OK : e;
	r = mp_read(value);
	mp_get_array_of(&r, 3);
	p->by_hand = mp_get_bool(&r);
	p->seen_ms = mp_get_uint(&r, UINT64_MAX);
	count = mp_get_array(&r, LIMIT_ADDRESSES);
	for (size_t i = 0; i < count && e == OK; i++) {
		struct slice text = mp_get_str(&r, LIMIT_ADDRESS_TEXT);
		bool added;

		if (r.err == OK)
			e = address_add(p, text, &added);
	}
	return e == OK && mp_end(&r) != OK ? ERR_DAMAGED : e;
}

struct peer *peer_known(struct node *n, const struct id32 *device, const uint8_t curve[KEY_LEN])
{
	struct peer *p = peer_find(n, device), *grown;

	if (p != NULL)
		return p;
	if ((grown = mem_grow(n->peers, &n->cap_peers, n->n_peers, sizeof *grown)) == NULL)
		return NULL;
	n->peers = grown;
	p = &grown[n->n_peers];
	memset(p, 0, sizeof *p);
	p->device = *device;
	memcpy(p->curve, curve, KEY_LEN);
	p->since_ms = n->wall_ms;
	n->n_peers++;
	(void)addresses_stored(n, p);           /* a hint: what cannot be read is learnt again */
	return p;
}

static void peer_clear(struct peer *p)
{
	session_free(p->session);
	for (size_t i = 0; i < p->n_addresses; i++)
		mem_free(p->addresses[i]);
	mem_free(p->addresses);
}

void peers_free(struct node *n)
{
	for (size_t i = 0; i < n->n_peers; i++)
		peer_clear(&n->peers[i]);
	mem_free(n->peers);
	mem_free(n->joins);
	n->peers = NULL;
	n->n_peers = 0;
}

enum err peers_load(struct node *n)
{
	return joins_load(n);                   /* peers themselves follow from authority at EVENT_START */
}

/* ---- sessions ----------------------------------------------------------------------------------------------------------- */
static void send_frame(void *arg, struct slice frame)
{
	struct node *n = arg;

	node_send(n, n->out_link, frame);
}

static const struct net_out *out_to(struct node *n, uint32_t link)
{
	n->out = (struct net_out){ n, send_frame };
	n->out_link = link;
	return &n->out;
}

static void session_drop(struct node *n, struct peer *p, enum err why)
{
	session_free(p->session);
	p->session = NULL;
	p->link = 0;
	p->last_error = why;
	p->since_ms = p->last_error_ms = n->wall_ms;
}

static void hang_up(struct node *n, struct peer *p, enum err why)
{
	if (p->link != 0)
		node_disconnect(n, p->link);
	session_drop(n, p, why);
}

static enum err session_begin(struct node *n, struct peer *p, uint32_t link, bool outgoing)
{
	struct slice addresses[LIMIT_ADDRESSES];
	struct session_hello hello = { .nonce = n->nonce, .addresses = addresses, .agent = slice_of(n->host.agent) };

	p->session = session_new(&n->data, &p->device, outgoing, n->mono_ms);
	if (p->session == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < n->n_own_addresses && i < LIMIT_ADDRESSES; i++)
		addresses[hello.n_addresses++] = slice_of(n->own_addresses[i]);
	p->link = link;
	p->outgoing = outgoing;
	p->since_ms = p->seen_ms = n->wall_ms;
	p->last_error = OK;
	p->guest_bytes = 0;
	session_start(p->session, out_to(n, link), &hello);
	return OK;
}

/* Two may dial each other at once: the link stays that the smaller device id dialled.  Both sides judge alike. */
static bool keeps(struct node *n, const struct peer *p, bool outgoing)
{
	return outgoing == (id32_compare(&n->identity->device, &p->device) < 0);
}

/* A removed or Pending device may come and be told so: authority only, within the limits of JOIN (protocol §8). */
static const struct device *device_by_curve(struct node *n, const uint8_t curve[KEY_LEN])
{
	for (size_t i = 0; i < n->n_spaces; i++) {
		const struct state *state = space_state(&n->spaces[i]);
		const struct device *const *devices;
		size_t count = state == NULL ? 0 : state_devices(state, &devices);

		for (size_t k = 0; k < count; k++)
			if (memcmp(devices[k]->curve, curve, KEY_LEN) == 0)
				return devices[k];
	}
	return NULL;
}

static struct peer *guest(struct node *n, const uint8_t curve[KEY_LEN])
{
	const struct device *d = device_by_curve(n, curve);
	size_t guests = 0;

	for (size_t i = 0; i < n->n_peers; i++)
		guests += !n->peers[i].marked;
	if (d == NULL || guests >= LIMIT_JOIN_LINKS || id32_equal(&d->id, &n->identity->device))
		return NULL;
	return peer_known(n, &d->id, d->curve);         /* NULL: no memory; it will come again */
}

static bool is_joining(const struct node *n)
{
	for (size_t i = 0; i < n->n_joins; i++)
		if (n->joins[i].admitted)
			return true;
	return false;
}

static void guest_leaves(struct node *n, struct peer *p)
{
	if (p->marked || p->session != NULL || is_joining(n))
		return;
	peer_clear(p);
	memmove(p, p + 1, (size_t)(n->peers + --n->n_peers - p) * sizeof *p);
}

enum err peers_link_up(struct node *n, const struct event *ev)
{
	const bool outgoing = ev->link < 0x80000000u;
	struct peer *p;

	if (join_link(n, ev))
		return OK;
	p = outgoing ? peer_by_link(n, ev->link) : peer_by_curve(n, ev->curve);
	if (p == NULL && !outgoing)
		p = guest(n, ev->curve);
	if (p == NULL) {
		if (outgoing || !join_curve(n, ev->curve) || n->n_strangers == LIMIT_JOIN_LINKS) {
			node_disconnect(n, ev->link);
			return OK;
		}
		n->strangers[n->n_strangers] = (struct stranger){ .link = ev->link, .until_ms = n->mono_ms + STRANGER_MS };
		memcpy(n->strangers[n->n_strangers++].curve, ev->curve, KEY_LEN);
		return OK;
	}
	if (outgoing) {
		p->dialing = false;
		p->dial_link = 0;
		backoff_reset(&p->backoff);
	}
	if (p->link != 0 && p->outgoing != outgoing && !keeps(n, p, outgoing)) {
		node_disconnect(n, ev->link);
		return OK;
	}
	if (p->link != 0)
		hang_up(n, p, OK);
	return session_begin(n, p, ev->link, outgoing);
}

static void stranger_drop(struct node *n, uint32_t link)
{
	for (size_t i = 0; i < n->n_strangers; i++)
		if (n->strangers[i].link == link)
			n->strangers[i] = n->strangers[--n->n_strangers];
}

enum err peers_link_down(struct node *n, const struct event *ev)
{
	struct peer *p = peer_by_link(n, ev->link);
	uint8_t random[8];

	stranger_drop(n, ev->link);
	if (join_link(n, ev) || p == NULL)
		return OK;
	if (p->dial_link == ev->link) {
		p->dialing = false;
		p->dial_link = 0;
		p->dial_address++;
		p->last_error = ev->why;
		p->last_error_ms = n->wall_ms;
		if (p->dial_address < p->n_addresses)
			return OK;                      /* the next address at once */
		p->dial_address = 0;
		node_random(n, random, sizeof random);
		backoff_fail(&p->backoff, n->mono_ms, get_u64(random));
		return OK;
	}
	session_drop(n, p, ev->why);
	node_random(n, random, sizeof random);
	if (p->outgoing)
		backoff_fail(&p->backoff, n->mono_ms, get_u64(random));
	guest_leaves(n, p);
	return OK;
}

static enum err hello_addresses(struct node *n, struct peer *p)
{
	const char *const *texts;
	size_t count = session_addresses(p->session, &texts);
	enum err e = OK;

	for (size_t i = count; i > 0 && e == OK; i--)
		e = peer_add_address(n, p, slice_of(texts[i - 1]), false);
	return e;
}

/* True: it said more than the lane of strangers lets through, and is gone. */
static bool stranger_talks(struct node *n, uint32_t link, size_t bytes)
{
	for (size_t i = 0; i < n->n_strangers; i++)
		if (n->strangers[i].link == link && (n->strangers[i].bytes += bytes) > LIMIT_JOIN_BYTES) {
			stranger_drop(n, link);
			node_disconnect(n, link);
			return true;
		}
	return false;
}

enum err peers_message(struct node *n, const struct event *ev)
{
	struct peer *p = peer_by_link(n, ev->link);
	enum err e;

	if (p == NULL || p->session == NULL) {
		if (stranger_talks(n, ev->link, ev->message->frame_len))
			return OK;
		return ev->message->type == NET_JOIN || ev->message->type == NET_JOINED ? join_message(n, ev->link, ev->message) : OK;
	}
	p->seen_ms = n->wall_ms;
	if (!p->marked && !is_joining(n) && (p->guest_bytes += ev->message->frame_len) > LIMIT_JOIN_BYTES) {
		hang_up(n, p, ERR_LIMIT);
		return OK;
	}
	if (ev->message->type == NET_JOIN)      /* a member that asks again: tell it so */
		return join_message(n, ev->link, ev->message);
	e = session_message(p->session, out_to(n, ev->link), ev->message, n->mono_ms, n->wall_ms);
	if (err_is_hard(e))
		return e;
	if (e != OK)
		n->refused_frames++;
	if (e == ERR_STATE || e == ERR_DENIED || e == ERR_LIMIT) {
		node_log(n, LOG_WARNING, "a peer broke the rules of its session (%s): hung up", err_text(e));
		hang_up(n, p, e);
		return OK;
	}
	return ev->message->type == NET_HELLO ? hello_addresses(n, p) : OK;
}

enum err peers_bad_frame(struct node *n, const struct event *ev)
{
	struct peer *p = peer_by_link(n, ev->link);

	n->refused_frames++;
	if (p != NULL && p->session != NULL) {
		node_log(n, LOG_WARNING, "a frame was refused (%s): hung up", err_text(ev->why));
		hang_up(n, p, ev->why);
	} else {
		stranger_drop(n, ev->link);
		node_disconnect(n, ev->link);
	}
	return OK;
}

void peers_push(struct node *n)
{
	for (size_t i = 0; i < n->n_peers; i++) {
		struct peer *p = &n->peers[i];

		if (p->session == NULL || session_state(p->session) != SESSION_OPEN)
			continue;
		for (size_t k = 0; k < n->n_spaces; k++)
			for (size_t c = 0; c < n->spaces[k].n_changes; c++) {
				const struct slot_change *change = &n->spaces[k].changes[c];

				if (change->origin != p->link)
					session_changed(p->session, out_to(n, p->link), &n->spaces[k].id, &change->slot,
						change->old_version);
			}
	}
}

/* ---- following authority: whom to know, to let in ------------------------------------------------------------------------- */
static enum err statement_addresses(void *arg, const struct statement *st)
{
	struct node *n = arg;
	struct peer *p = peer_find(n, &st->device);
	struct mp_reader r = mp_read(st->body);
	size_t count;
	enum err e = OK;

	if (p == NULL || mp_check(st->body, LIMIT_DEPTH, 64) != OK || mp_get_map(&r, 1) != 1 || mp_get_uint(&r, 1) != 1)
		return OK;
	count = mp_get_array(&r, LIMIT_ADDRESSES);
	for (size_t i = 0; i < count && e == OK; i++) {
		struct slice text = mp_get_str(&r, LIMIT_ADDRESS_TEXT);
		bool added;

		if (r.err == OK)
			e = address_add(p, text, &added);
	}
	return e;
}

static int by_member(const void *a, const void *b)
{
	const struct device *x = *(const struct device *const *)a, *y = *(const struct device *const *)b;
	int order = id32_compare(&x->member, &y->member);

	return order != 0 ? order : id32_compare(&x->id, &y->id);
}

/* One member's active devices: those that we know first, then new ones, while there is room. */
static enum err member_known(struct node *n, const struct state *state, const struct device *const *list, size_t count)
{
	size_t marked = 0;

	for (int fresh = 0; fresh < 2; fresh++)
		for (size_t i = 0; i < count && marked < MEMBER_PEERS; i++) {
			struct peer *p;

			if (id32_equal(&list[i]->id, &n->identity->device) || !state_device_active(state, &list[i]->id))
				continue;
			p = peer_find(n, &list[i]->id);
			if (fresh ? p != NULL || n->n_peers >= LIMIT_PEERS : p == NULL)
				continue;
			if (fresh && (p = peer_known(n, &list[i]->id, list[i]->curve)) == NULL)
				return ERR_NOMEM;
			p->marked = true;
			marked++;
		}
	return OK;
}

/* The book holds LIMIT_PEERS devices, of one member at most MEMBER_PEERS: whoever certifies thousands takes nobody's place. */
static enum err active_known(struct node *n, const struct state *state, const struct device *const *devices, size_t count)
{
	const struct device **list = mem_array(count, sizeof *list);
	enum err e = OK;

	if (list == NULL)
		return ERR_NOMEM;
	if (count > 0) {
		memcpy(list, devices, count * sizeof *list);
		qsort(list, count, sizeof *list, by_member);
	}
	for (size_t from = 0, to; from < count && e == OK; from = to) {
		for (to = from + 1; to < count && id32_equal(&list[to]->member, &list[from]->member); to++)
			;
		e = member_known(n, state, list + from, to - from);
	}
	mem_free(list);
	return e;
}

enum err peers_take_address(struct node *n, const struct statement *st)
{
	return statement_addresses(n, st);
}

static enum err devices_known(struct node *n, struct space *s, struct buf *allowed)
{
	const struct state *state = space_state(s);
	const struct device *const *devices;
	const struct invite *const *invites;
	size_t count = state == NULL ? 0 : state_devices(state, &devices);
	enum err e = state == NULL ? OK : active_known(n, state, devices, count);

	for (size_t i = 0; i < count; i++)
		if (!id32_equal(&devices[i]->id, &n->identity->device))
			buf_put(allowed, devices[i]->curve, KEY_LEN);   /* removed ones too: authority only */
	count = state == NULL || s->is_self ? 0 : state_invites(state, &invites);
	for (size_t i = 0; i < count; i++)
		buf_put(allowed, invites[i]->curve, KEY_LEN);
	return e == OK ? allowed->err : e;
}

static void forget_unmarked(struct node *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->n_peers; i++) {
		struct peer *p = &n->peers[i];

		if (p->marked || is_joining(n)) {
			n->peers[kept++] = *p;
			continue;
		}
		/* Removed: it may still learn so, on the authority lane, while it stays connected. */
		if (p->session != NULL) {
			n->peers[kept++] = *p;
			continue;
		}
		if (p->dial_link != 0)
			node_disconnect(n, p->dial_link);
		peer_clear(p);
	}
	n->n_peers = kept;
}

static void allow_changed(struct node *n, const struct buf *allowed)
{
	struct id32 hash;

	crypto_hash1(&hash, "cairn-allowed", allowed->data, allowed->len);
	if (id32_equal(&hash, &n->allowed))
		return;
	n->allowed = hash;
	node_allow(n, (const uint8_t (*)[KEY_LEN])(const void *)allowed->data, allowed->len / KEY_LEN);
}

enum err peers_follow(struct node *n)
{
	struct buf allowed = {0};
	bool has_org = false;
	enum err e = OK;

	for (size_t i = 0; i < n->n_peers; i++)
		n->peers[i].marked = false;
	for (size_t i = 0; i < n->n_spaces && e == OK; i++) {
		has_org = has_org || (!n->spaces[i].is_self && !n->spaces[i].joining);
		e = devices_known(n, &n->spaces[i], &allowed);
		if (e == OK && !n->spaces[i].is_self)
			e = statements_each(n, &n->spaces[i], STATEMENT_ADDRESS, statement_addresses, n);
	}
	if (e == OK) {
		forget_unmarked(n);
		allow_changed(n, &allowed);
		if ((has_org && !n->offline) != n->wants_listen) {
			n->wants_listen = has_org && !n->offline;
			node_listen(n, n->wants_listen);
		}
		for (size_t i = 0; i < n->n_peers; i++)
			if (n->peers[i].session != NULL)
				session_spaces(n->peers[i].session, out_to(n, n->peers[i].link), n->mono_ms);
	}
	buf_free(&allowed);
	return e;
}

/* ---- timers: heartbeats, dials, anti-entropy ------------------------------------------------------------------------------ */
static void dial(struct node *n, struct peer *p)
{
	p->dialing = true;
	p->dial_link = n->next_link++ & 0x7fffffffu;
	node_connect(n, p->dial_link, p->addresses[p->dial_address % p->n_addresses], p->curve, n->identity->curve_public,
		n->identity->curve_secret);
	/* If no answer comes at all, the next try is due then; the link layer reports failures itself. */
	if (p->backoff.next_ms < n->mono_ms + DIAL_TIMEOUT_MS)
		p->backoff.next_ms = n->mono_ms + DIAL_TIMEOUT_MS;
}

static bool may_dial(const struct node *n, const struct peer *p)
{
	return !n->offline && p->session == NULL && p->n_addresses > 0;
}

void peers_dial_now(struct node *n)
{
	for (size_t i = 0; i < n->n_peers; i++)
		if (!n->peers[i].dialing)
			backoff_reset(&n->peers[i].backoff);
}

static void count_links(const struct node *n, size_t *dialing, size_t *outgoing)
{
	*dialing = *outgoing = 0;
	for (size_t i = 0; i < n->n_peers; i++) {
		*dialing += n->peers[i].dialing;
		*outgoing += n->peers[i].session != NULL && n->peers[i].outgoing;
	}
}

static uint64_t compare_every(const struct node *n)
{
	return n->host.compare_ms != 0 ? n->host.compare_ms : ANTI_ENTROPY_MS;
}

enum err peers_time(struct node *n)
{
	size_t dialing, outgoing;

	for (size_t i = 0; i < n->n_peers; i++) {
		struct peer *p = &n->peers[i];
		uint64_t next;

		if (p->session != NULL && n->offline)
			hang_up(n, p, OK);
		if (p->session != NULL && session_tick(p->session, out_to(n, p->link), n->mono_ms, &next) != OK)
			hang_up(n, p, ERR_WAITING);
	}
	for (size_t i = n->n_peers; i > 0; i--)
		guest_leaves(n, &n->peers[i - 1]);
	/* The lane of strangers is narrow: nobody stays in it. */
	for (size_t i = n->n_strangers; i > 0; i--)
		if (n->strangers[i - 1].until_ms <= n->mono_ms) {
			node_disconnect(n, n->strangers[i - 1].link);
			n->strangers[i - 1] = n->strangers[--n->n_strangers];
		}
	count_links(n, &dialing, &outgoing);
	for (size_t i = 0; i < n->n_peers && dialing < DIALS_AT_ONCE; i++) {
		struct peer *p = &n->peers[i];

		if (!may_dial(n, p) || p->backoff.next_ms > n->mono_ms || (outgoing >= OUTGOING_MAX && !p->by_hand))
			continue;
		if (p->dialing) {               /* silent for too long: give up on it, go on with the next address */
			node_disconnect(n, p->dial_link);
			p->dial_address++;
		}
		dial(n, p);
		dialing++;
	}
	if (n->compare_at == 0)
		n->compare_at = n->mono_ms + compare_every(n);
	if (n->compare_at <= n->mono_ms) {
		uint8_t jitter[2];

		node_random(n, jitter, 2);
		n->compare_at = n->mono_ms + compare_every(n) / 65536 * (60000 + get_u16(jitter) / 6);
		for (size_t i = 0; i < n->n_peers; i++)
			if (n->peers[i].session != NULL)
				session_compare(n->peers[i].session, out_to(n, n->peers[i].link), NULL, n->mono_ms);
	}
	return OK;
}

uint64_t peers_deadline(const struct node *n)
{
	uint64_t at = n->compare_at == 0 ? UINT64_MAX : n->compare_at;
	size_t dialing, outgoing;

	count_links(n, &dialing, &outgoing);
	for (size_t i = 0; i < n->n_peers; i++) {
		const struct peer *p = &n->peers[i];
		uint64_t due = UINT64_MAX;

		if (p->session != NULL)
			due = session_next(p->session);
		else if (may_dial(n, p) && (p->dialing || dialing < DIALS_AT_ONCE) && (outgoing < OUTGOING_MAX || p->by_hand))
			due = p->backoff.next_ms;
		if (due < at)
			at = due;
	}
	for (size_t i = 0; i < n->n_strangers; i++)
		if (n->strangers[i].until_ms < at)
			at = n->strangers[i].until_ms;
	return at;
}

/* ---- own addresses -------------------------------------------------------------------------------------------------------- */
static enum err address_statement(struct node *n, struct space *s)
{
	struct id16 index = statement_index(0);
	struct statement old;
	struct buf b = {0};
	enum err e;

	mp_put_map(&b, 1);
	mp_put_uint(&b, 1);
	mp_put_array(&b, n->n_own_addresses);
	for (size_t i = 0; i < n->n_own_addresses; i++)
		mp_put_text(&b, n->own_addresses[i]);
	if ((e = b.err) == OK) {
		e = statement_read(n, s, &n->identity->device, STATEMENT_ADDRESS, &index, &old);
		if (e == ERR_NOTFOUND || (e == OK && !slice_equal(old.body, buf_slice(&b))))
			e = author_statement(n, s, STATEMENT_ADDRESS, &index, NULL, 0, NULL, buf_slice(&b));
	}
	buf_free(&b);
	return e;
}

static enum err own_addresses_set(struct node *n, const struct event *ev)
{
	size_t count = ev->n_addresses < LIMIT_ADDRESSES ? ev->n_addresses : LIMIT_ADDRESSES;
	char **list = mem_array(count, sizeof *list);

	if (list == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < n->n_own_addresses; i++)
		mem_free(n->own_addresses[i]);
	mem_free(n->own_addresses);
	n->own_addresses = list;
	n->n_own_addresses = 0;
	for (size_t i = 0; i < count; i++) {
		if ((list[i] = mem_alloc(ev->addresses[i].len + 1)) == NULL)
			return ERR_NOMEM;
		memcpy(list[i], ev->addresses[i].data, ev->addresses[i].len);
		n->n_own_addresses++;
	}
	return OK;
}

/* Every org is told where this device can be reached. */
enum err peers_announce(struct node *n)
{
	enum err e = OK;

	for (size_t i = 0; i < n->n_spaces && e == OK && n->n_own_addresses > 0; i++) {
		struct space *s = &n->spaces[i];
		const struct state *state = space_state(s);

		if (!s->is_self && !s->joining && state != NULL && state_device_active(state, &n->identity->device))
			e = address_statement(n, s);
	}
	return e;
}

enum err peers_addresses(struct node *n, const struct event *ev)
{
	uint8_t port[2];
	enum err e = own_addresses_set(n, ev);

	if (ev->kind == EVENT_LISTENING) {
		n->listening = ev->port != 0;
		if (e == OK && ev->port != 0 && ev->port != n->port) {
			n->port = ev->port;
			put_u16(port, ev->port);
			e = meta_put(n, "port", SLICE(port, 2));
		}
	}
	peers_dial_now(n);
	return e == OK ? peers_announce(n) : e;
}
