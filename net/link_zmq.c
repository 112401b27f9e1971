/* link_zmq: see link.h.  The only file that includes zmq.h.
 *
 * How it hangs together with libuv.  A libzmq socket's ZMQ_FD becomes readable when commands arrive in its mailbox, and stops being
 * so when *any* call on the socket has taken them; whether messages wait is a separate question.  So a socket is put on the
 * `busy` list by its poll callback and by every call of ours, and leaves it only when a receive said EAGAIN (which implies
 * that the mailbox was empty too).  While the list is not empty an idle handle keeps the loop from sleeping.
 *
 * Incoming connections.  libzmq 4.3.4 neither reports a lost peer of a ROUTER nor closes one on demand, nor bounds how many strangers
 * connect.  But its monitor names the file descriptor of each accepted and closed connection, and each message carries it
 * too (ZMQ_SRCFD), so this file keeps a table of them and ends a connection with shutdown(2), which libzmq takes as the peer's
 * doing.  The descriptor may have been closed and used again meanwhile: the inode number is compared first; if that
 * race is lost regardless, an honest peer has to dial again.
 *
 * What libzmq does not bound.  A message in parts is kept until its last part comes, without a limit, so a peer with a valid key could
 * fill the memory by never ending one; and queues are counted in messages, not bytes.  Both are judged by what the kernel
 * says of the connection (TCP_INFO): see guard_pass and queue_full.
 *
 * What makes libzmq 4.3.4 abort.  When a connection whose input it has stopped (a full receive queue) is reset by the peer, any PING that is
 * still to be read, or its own heartbeat timer, runs into "Assertion failed: !_io_error".  So: ZMQ_RCVHWM is 0 (the guard
 * above bounds the queue instead), heartbeats are off (sessions have their own).  And HANDSHAKE_FAILED_PROTOCOL must
 * not be monitored: sending that event overwrites errno, and the engine takes a malformed frame for a full queue.
 * And a peer may choose its own routing id: if that is the one that the ROUTER is about to invent (a 32-bit counter that
 * begins anywhere), it aborts too, so each key may make only so many connections a second.
 *
 * Reconnecting is the node's business.  ZMQ_RECONNECT_IVL -1 would say so, but then libzmq 4.3.4 ends the pipe at once and drops received
 * frames that nobody has read yet.  So the interval is an hour, and the socket is closed at the first sign of failure. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>
#include <zmq.h>
#include "base/mem.h"
#include "net/link.h"
#include "net/link_address.h"

#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93               /* hidden by zmq.h, accepted by the library (measured.md 2) */
#endif

#define ZAP_DOMAIN      "cairn"
#define ZAP_ENDPOINT    "inproc://zeromq.zap.01"
#define CURVE_OVERHEAD  64                      /* a MESSAGE command is 33 bytes longer than its content */
#define HANDSHAKE_MS    4000
#define CONNECT_MS      5000
#define DIAL_MS         (CONNECT_MS + HANDSHAKE_MS + 2000)      /* should libzmq say nothing */
#define SILENT_MS       10000                   /* a connection without a first frame */
#define LINGER_MS       500
#define TICK_MS         500
#define SELF_TEST_MS    5000
#define RECONNECT_MS    (3600 * 1000)           /* never: see above */
#define HWM_SEND        1000
#define QUEUE_BYTES     (2 * LIMIT_SESSION_CREDIT)      /* towards one peer */
#define BACKLOG_BYTES   (64 * 1024 * 1024)      /* received while we were busy */
#define PART_BYTES      (4 * LIMIT_FRAME)       /* received without a frame coming of it */
#define GUARD_MS        50                      /* between two looks at the connections that receive much */
#define SMALL_TALK      (64 * 1024)             /* between two looks: not much */
#define BUDGET          64                      /* messages per socket and turn of the loop */
#define RATE_MS         100                     /* between two connections with one key, on average */
#define RATE_BURST      32
#define STRANGERS       1024                    /* connections that have not sent a frame yet */
#define LISTENERS       8
#define LOOKUPS         2                       /* names resolved at a time: they share uv's threads with net_check */
#define ALTERNATIVES    4                       /* addresses tried of one name */
#define BUCKETS         1024
#define SOCKETS         8192                    /* libzmq's own limit of 1023 is 340 outgoing links */
#define SELF_TEST       UINT32_MAX              /* the number of that outgoing link */
#define HEX_LEN         (2 * KEY_LEN)

/* A libzmq socket in the loop. */
struct sock {
	struct link *link;
	void *zmq, *owner;
	bool (*drain)(struct sock *);           /* true: perhaps not empty yet */
	struct sock *prev, *next;               /* on the busy list */
	bool busy;
	uv_poll_t poll;
};
enum dial_state { RESOLVING, CONNECTING, UP };
struct dial {                                   /* an outgoing link */
	struct link *link;
	struct dial *chain;
	struct sock *dealer, *monitor;
	struct lookup *lookup;
	enum dial_state state;
	int fd;                                 /* -1: not connected */
	enum err why;                           /* not OK: ended, reported when the dealer is drained */
	uint32_t number;
	uint64_t deadline;
	uint8_t server[KEY_LEN];
	struct curve_pair client;
	size_t n_alternatives, next_alternative;
	char alternatives[ALTERNATIVES][LIMIT_ADDRESS_TEXT + 1];
};
struct lookup {                                 /* outlives its dial */
	uv_getaddrinfo_t request;
	struct dial *dial;
	struct lookup *next;                    /* waiting for its turn */
	struct link *link;
	bool running;
	struct link_address address;
};
struct peer {                                   /* an incoming link */
	struct peer *by_route, *by_number, *next_gone;
	uint32_t route, number;
	int fd;
	bool gone, denied;                      /* denied: no frame is passed on any more */
	uint64_t age;                           /* its place in time */
	uint8_t key[KEY_LEN];
	char user[HEX_LEN];
};
struct conn {                                   /* a connection, by descriptor */
	bool open, linked, leaving;
	struct dial *dial;                      /* NULL: accepted */
	uint32_t route;                         /* linked: the peer */
	ino_t inode;
	uint64_t deadline;                      /* then it is ended, unless linked and not leaving */
	uint64_t sent, acked;                   /* bytes handed to libzmq; known to have arrived */
	uint64_t received, taken;               /* bytes at the last look; those that became frames */
	bool watched, delivered, strike;        /* delivered: since the last look */
};
struct allowed { uint8_t key[KEY_LEN]; uint64_t next; };        /* next: when it has used up nothing of its rate */
struct link {
	uv_loop_t *loop;
	struct link_events events;
	uint8_t public[KEY_LEN];
	void *context;
	struct sock *zap, *router, *monitor;
	struct sock *busy_head, *busy_tail;
	size_t n_busy, handles;
	uv_check_t check;
	uv_idle_t idle;
	uv_timer_t timer;
	bool closing, ticking, closed;          /* closed: the monitor told of a closed listener */
	enum err self_test;                     /* OK: no answer yet */
	struct allowed *allowed;                /* [n_allowed], ascending */
	size_t n_allowed;
	size_t n_listen;
	char listen[LISTENERS][LIMIT_ADDRESS_TEXT + 1];
	struct dial *dials[BUCKETS];
	struct peer *by_route[BUCKETS], *by_number[BUCKETS], *gone;
	size_t n_peers, n_dialing;
	uint64_t n_ever, n_linkless;            /* incoming links so far; connections that ended without one */
	uint32_t next_number, next_monitor;
	struct conn *conns;                     /* [n_conns] by descriptor */
	size_t n_conns, n_strangers, n_leaving, max_fd;
	int epoll;                              /* connections at rest; see guard_pass */
	uv_poll_t guard;
	uv_timer_t guard_timer;
	bool guarding, guard_due;
	uint64_t guard_next;
	struct lookup *waiting;
	size_t n_lookups;
	struct link_info info;
};

static void tick_start(struct link *l);

/* ---- sockets in the loop ---- */

static void on_idle(uv_idle_t *h)
{
	(void)h;                                /* its being active is what counts */
}

static void mark(struct sock *s)
{
	struct link *l = s->link;

	if (s->busy)
		return;
	s->busy = true;
	s->next = NULL;
	s->prev = l->busy_tail;
	*(l->busy_tail != NULL ? &l->busy_tail->next : &l->busy_head) = s;
	l->busy_tail = s;
	l->n_busy++;
	uv_idle_start(&l->idle, on_idle);
}

static void unmark(struct sock *s)
{
	struct link *l = s->link;

	if (!s->busy)
		return;
	s->busy = false;
	*(s->prev != NULL ? &s->prev->next : &l->busy_head) = s->next;
	*(s->next != NULL ? &s->next->prev : &l->busy_tail) = s->prev;
	l->n_busy--;
}

static void on_readable(uv_poll_t *h, int status, int events)
{
	(void)status, (void)events;
	mark(h->data);
}

/* Every handle counts: the last one to close takes the link along. */
static void handle_gone(struct link *l)
{
	if (--l->handles > 0 || !l->closing)
		return;
	mem_free(l->allowed);
	mem_free(l->conns);
	mem_free(l);
}

static void on_handle_closed(uv_handle_t *h)
{
	handle_gone(h->data);
}

static void on_sock_closed(uv_handle_t *h)
{
	struct sock *s = h->data;
	struct link *l = s->link;

	mem_free(s);
	handle_gone(l);
}

static void sock_close(struct sock *s, int linger)
{
	if (s == NULL)
		return;
	unmark(s);
	uv_close((uv_handle_t *)&s->poll, on_sock_closed);
	zmq_setsockopt(s->zmq, ZMQ_LINGER, &linger, sizeof linger);
	zmq_close(s->zmq);
	s->zmq = NULL;
}

static enum err sock_open(struct sock **out, struct link *l, int type, void *owner, bool (*drain)(struct sock *))
{
	struct sock *s = mem_alloc(sizeof *s);
	size_t len = sizeof (int);
	int fd;

	*out = NULL;
	if (s == NULL)
		return ERR_NOMEM;
	s->zmq = zmq_socket(l->context, type);
	if (s->zmq == NULL) {
		enum err e = errno == EMFILE || errno == ENFILE ? ERR_LIMIT : ERR_NOMEM;
		mem_free(s);
		return e;
	}
	s->link = l;
	s->owner = owner;
	s->drain = drain;
	s->poll.data = s;
	if (zmq_getsockopt(s->zmq, ZMQ_FD, &fd, &len) != 0 || uv_poll_init(l->loop, &s->poll, fd) != 0) {
		zmq_close(s->zmq);
		mem_free(s);
		return ERR_IO;
	}
	l->handles++;
	uv_poll_start(&s->poll, UV_READABLE, on_readable);
	mark(s);
	*out = s;
	return OK;
}

static int set_int(struct sock *s, int option, int value)
{
	return zmq_setsockopt(s->zmq, option, &value, sizeof value);
}

static int set_key(struct sock *s, int option, const uint8_t key[KEY_LEN])
{
	return zmq_setsockopt(s->zmq, option, key, KEY_LEN);
}

/* What every socket that touches the network gets (measured.md 1-4). */
static enum err harden(struct sock *s, const struct curve_pair *own)
{
	static const struct { int option, value; } table[] = {
		{ ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS }, { ZMQ_CONNECT_TIMEOUT, CONNECT_MS }, { ZMQ_LINGER, 0 },
		{ ZMQ_SNDHWM, HWM_SEND }, { ZMQ_RCVHWM, 0 }, { ZMQ_BACKLOG, 1024 }, { ZMQ_IPV6, 1 },
		{ ZMQ_TCP_KEEPALIVE, 1 }, { ZMQ_TCP_KEEPALIVE_IDLE, 60 }, { ZMQ_TCP_KEEPALIVE_INTVL, 20 },
		{ ZMQ_TCP_KEEPALIVE_CNT, 3 }, { ZMQ_HEARTBEAT_IVL, 0 },
		{ ZMQ_RECONNECT_IVL, RECONNECT_MS }, { ZMQ_IMMEDIATE, 0 },
	};
	int64_t max = LIMIT_FRAME + CURVE_OVERHEAD;
	int bad = zmq_setsockopt(s->zmq, ZMQ_MAXMSGSIZE, &max, sizeof max);

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		bad |= set_int(s, table[i].option, table[i].value);
	bad |= set_key(s, ZMQ_CURVE_PUBLICKEY, own->public);
	bad |= set_key(s, ZMQ_CURVE_SECRETKEY, own->secret);
	return bad == 0 ? OK : ERR_IO;
}

/* A v1 monitor event: 16 bits of event and 32 of value in host order; then the endpoint. */
static bool monitor_next(struct sock *s, uint16_t *event, uint32_t *value)
{
	zmq_msg_t m;
	bool got = false, more;

	for (int part = 0;; part++) {
		zmq_msg_init(&m);
		if (zmq_msg_recv(&m, s->zmq, ZMQ_DONTWAIT) < 0) {
			zmq_msg_close(&m);
			return got;
		}
		if (part == 0 && zmq_msg_size(&m) >= 6) {
			memcpy(event, zmq_msg_data(&m), 2);
			memcpy(value, (uint8_t *)zmq_msg_data(&m) + 2, 4);
			got = true;
		}
		more = zmq_msg_more(&m);
		zmq_msg_close(&m);
		if (!more)
			return got;
	}
}

/* Unlimited, since an event that does not fit would block libzmq's I/O thread. */
static enum err monitor_open(struct sock **out, struct sock *of, int events, void *owner, bool (*drain)(struct sock *))
{
	struct link *l = of->link;
	char name[48];
	enum err e = sock_open(out, l, ZMQ_PAIR, owner, drain);

	if (e != OK)
		return e;
	snprintf(name, sizeof name, "inproc://monitor-%u", l->next_monitor++);
	if (set_int(*out, ZMQ_RCVHWM, 0) == 0 && zmq_socket_monitor(of->zmq, name, events) == 0
		&& zmq_connect((*out)->zmq, name) == 0)
		return OK;
	e = errno == EMFILE || errno == ENFILE ? ERR_LIMIT : ERR_IO;
	zmq_socket_monitor(of->zmq, NULL, 0);
	sock_close(*out, 0);
	*out = NULL;
	return e;
}

/* In this order: an event without a reader would block the I/O thread too. */
static void monitored_close(struct sock *s, struct sock *monitor, int linger)
{
	if (s != NULL)
		zmq_socket_monitor(s->zmq, NULL, 0);
	sock_close(monitor, 0);
	sock_close(s, linger);
}

/* ---- ZAP: who may connect ---- */

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, KEY_LEN);
}

static struct allowed *is_allowed(const struct link *l, const uint8_t key[KEY_LEN])
{
	return l->n_allowed == 0 ? NULL : bsearch(key, l->allowed, l->n_allowed, sizeof *l->allowed, compare_keys);
}

/* A connection every RATE_MS, and RATE_BURST at once. */
static bool within_rate(struct link *l, struct allowed *a)
{
	uint64_t now = uv_now(l->loop);

	if (a->next < now)
		a->next = now;
	if (a->next > now + (RATE_BURST - 1) * RATE_MS)
		return false;
	a->next += RATE_MS;
	return true;
}

static void to_hex(char out[HEX_LEN], const uint8_t key[KEY_LEN])
{
	for (int i = 0; i < KEY_LEN; i++) {
		out[2 * i] = "0123456789abcdef"[key[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[key[i] & 15];
	}
}

static bool from_hex(uint8_t key[KEY_LEN], const char *text)
{
	static const char digits[] = "0123456789abcdef";

	if (text == NULL || strlen(text) != HEX_LEN)
		return false;
	for (int i = 0; i < KEY_LEN; i++) {
		const char *high = strchr(digits, text[2 * i]), *low = strchr(digits, text[2 * i + 1]);
		if (high == NULL || low == NULL)
			return false;
		key[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return true;
}

static void zap_part(struct sock *s, const void *data, size_t len, bool more)
{
	zmq_send(s->zmq, data, len, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
}

/* Request: version, id, domain, address, routing id, mechanism, key.  Answer: version, id, status, text, user, metadata. */
static bool zap_answer(struct sock *s)
{
	struct link *l = s->link;
	uint8_t id[256], key[KEY_LEN];
	size_t id_len = 0, part = 0;
	bool version = false, domain = false, curve = false, whole = false, more = true;
	struct allowed *who = NULL;
	const char *status = "400";             /* the client takes 400 for a refusal, 500 for "later" */
	char user[HEX_LEN];

	for (; more; part++) {
		zmq_msg_t m;
		const void *data;
		size_t len;

		zmq_msg_init(&m);
		if (zmq_msg_recv(&m, s->zmq, ZMQ_DONTWAIT) < 0) {
			zmq_msg_close(&m);
			return false;
		}
		data = zmq_msg_data(&m);
		len = zmq_msg_size(&m);
		if (part == 0)
			version = len == 3 && memcmp(data, "1.0", 3) == 0;
		else if (part == 1 && len <= sizeof id)
			memcpy(id, data, id_len = len);
		else if (part == 2)
			domain = len == strlen(ZAP_DOMAIN) && memcmp(data, ZAP_DOMAIN, len) == 0;
		else if (part == 5)
			curve = len == 5 && memcmp(data, "CURVE", 5) == 0;
		else if (part == 6 && len == KEY_LEN) {
			memcpy(key, data, KEY_LEN);
			whole = true;
		}
		more = zmq_msg_more(&m);
		zmq_msg_close(&m);
	}
	if (version && domain && curve && whole && part == 7)
		who = is_allowed(l, key);
	if (who == NULL)
		l->info.refused_keys++;
	else if (!within_rate(l, who))
		status = "500";
	else {
		status = "200";
		to_hex(user, key);
	}
	zap_part(s, "1.0", 3, true);
	zap_part(s, id, id_len, true);
	zap_part(s, status, 3, true);
	zap_part(s, "", 0, true);
	zap_part(s, user, *status == '2' ? HEX_LEN : 0, true);
	zap_part(s, "", 0, false);
	return true;
}

static bool zap_drain(struct sock *s)
{
	for (int i = 0; i < BUDGET; i++)
		if (!zap_answer(s))
			return false;
	return true;
}

/* ---- connections ---- */

static void peer_gone(struct link *, struct peer *);
static void peer_drop(struct link *, struct peer *);
static void dial_end(struct dial *);
static struct peer *peer_by_route(const struct link *, uint32_t route);

static struct conn *conn_of(struct link *l, int fd)
{
	return fd >= 0 && (size_t)fd < l->n_conns && l->conns[fd].open ? &l->conns[fd] : NULL;
}

static void conn_count(struct link *l, const struct conn *c, int by)
{
	if (c->leaving)
		l->n_leaving += (size_t)by;
	else if (!c->linked && c->dial == NULL)
		l->n_strangers += (size_t)by;
}

/* Its connection, if it had one, is closed or somebody else's. */
static void conn_peer_gone(struct link *l, const struct conn *c)
{
	struct peer *p = c->linked ? peer_by_route(l, c->route) : NULL;

	if (p != NULL && p->fd == c - l->conns)
		peer_gone(l, p);
}

/* Said by the monitor of that dial, or of the ROUTER (NULL): the descriptor may be another's by now. */
static void conn_closed(struct link *l, int fd, const struct dial *said_by)
{
	struct conn *c = conn_of(l, fd);

	if (c == NULL || c->dial != said_by)
		return;
	conn_peer_gone(l, c);
	conn_count(l, c, -1);
	if (!c->linked && c->dial == NULL)
		l->n_linkless++;
	c->open = false;
}

/* abruptly: with a reset, which also ends a peer that is stuck in sending to us. */
static void conn_end(struct link *l, int fd, bool abruptly)
{
	struct linger reset = { .l_onoff = 1 };
	struct conn *c = conn_of(l, fd);
	struct stat st;

	if (c == NULL || fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode) || st.st_ino != c->inode)
		return;
	if (abruptly)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	shutdown(fd, SHUT_RDWR);
}

/* End it at once, or after a while if frames sent just now should still go. */
static void conn_leave(struct link *l, int fd, uint64_t after)
{
	struct conn *c = conn_of(l, fd);

	if (c == NULL || (c->leaving && c->deadline <= uv_now(l->loop) + after))
		return;
	conn_count(l, c, -1);
	c->leaving = true;
	c->deadline = uv_now(l->loop) + after;
	conn_count(l, c, 1);
	if (after == 0)
		conn_end(l, fd, true);
	tick_start(l);
}

/* Tell us once when something arrives on it. */
static void conn_watch(struct link *l, int fd)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET | EPOLLONESHOT, .data.fd = fd };
	struct conn *c = conn_of(l, fd);

	c->watched = epoll_ctl(l->epoll, EPOLL_CTL_MOD, fd, &e) == 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

static struct conn *conn_add(struct link *l, int fd, struct dial *of)
{
	struct stat st;
	struct conn *c = conn_of(l, fd);

	if (c != NULL)
		conn_closed(l, fd, c->dial);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode)) {
		l->n_linkless += of == NULL;            /* gone already */
		return NULL;
	}
	if ((size_t)fd >= l->n_conns) {
		size_t n = (size_t)fd + 64;
		struct conn *grown = mem_resize(l->conns, n, sizeof *grown);
		if (grown == NULL) {
			shutdown(fd, SHUT_RDWR);
			return NULL;
		}
		memset(grown + l->n_conns, 0, (n - l->n_conns) * sizeof *grown);
		l->conns = grown;
		l->n_conns = n;
	}
	c = &l->conns[fd];
	*c = (struct conn){ .open = true, .dial = of, .inode = st.st_ino, .deadline = uv_now(l->loop) + SILENT_MS };
	conn_count(l, c, 1);
	conn_watch(l, fd);
	return c;
}

/* Of those that have not sent a frame yet the oldest goes: an honest one needs little time. */
static void drop_oldest_stranger(struct link *l)
{
	int oldest = -1;

	for (size_t fd = 0; fd < l->n_conns; fd++) {
		const struct conn *c = &l->conns[fd];
		if (c->open && !c->linked && !c->leaving && c->dial == NULL
			&& (oldest < 0 || c->deadline < l->conns[oldest].deadline))
			oldest = (int)fd;
	}
	conn_leave(l, oldest, 0);
}

static void conn_accepted(struct link *l, int fd)
{
	if (conn_add(l, fd, NULL) == NULL)
		return;
	if (l->n_strangers > STRANGERS || (size_t)fd > l->max_fd)
		drop_oldest_stranger(l);
	tick_start(l);
}

/* The kernel's struct; glibc's ends earlier, and uv.h includes glibc's. */
struct traffic { struct tcp_info info; uint64_t pacing[2], acked, received; };
_Static_assert(offsetof(struct traffic, acked) == 120, "struct tcp_info");

static bool conn_ask(int fd, struct traffic *out)
{
	socklen_t len = sizeof *out;

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, out, &len) == 0 && len == sizeof *out;
}

/* Does libzmq hold too many bytes for this connection?  The kernel is asked only when it might. */
static bool queue_full(struct link *l, int fd)
{
	struct conn *c = conn_of(l, fd);
	struct traffic now;

	if (c == NULL || c->sent < c->acked + QUEUE_BYTES)
		return false;
	if (conn_ask(fd, &now) && now.acked > c->acked)
		c->acked = now.acked;
	if (c->sent < c->acked)
		c->sent = c->acked;             /* heartbeats and long headers were not counted */
	return c->sent >= c->acked + QUEUE_BYTES;
}

/* Handed to libzmq: never too much, or that would add up until the queue seems full for ever. */
static void conn_sent(struct link *l, int fd, size_t len)
{
	struct conn *c = conn_of(l, fd);

	if (c != NULL)
		c->sent += 2 + 33 + len;        /* a short frame header, and a CURVE MESSAGE command around it */
}

static void conn_delivered(struct link *l, int fd, size_t len)
{
	struct conn *c = conn_of(l, fd);

	if (c == NULL)
		return;
	c->taken += 2 + 33 + len;
	c->delivered = true;
}

/* End a connection for what it sent, and what is still waiting of it. */
static void conn_refuse(struct link *l, int fd)
{
	struct conn *c = conn_of(l, fd);
	struct peer *p = c->linked ? peer_by_route(l, c->route) : NULL;

	l->info.dropped_frames++;
	if (c->dial != NULL) {
		c->dial->why = ERR_WAITING;
		dial_end(c->dial);
	} else if (p != NULL && p->fd == fd)
		peer_drop(l, p);
	else
		conn_leave(l, fd, 0);
}

/* Look at one connection that received something: true if that was much.  drained: no whole frame is waiting any more. */
static bool guard_conn(struct link *l, int fd, bool drained)
{
	struct conn *c = &l->conns[fd];
	uint64_t before = c->received, limit = c->linked || c->dial != NULL ? PART_BYTES : LIMIT_JOIN_BYTES;
	struct traffic now;

	if (!conn_ask(fd, &now))
		return false;
	c->received = now.received;
	if ((drained && c->delivered) || c->taken > c->received)
		c->taken = c->received;         /* with what is not counted: headers, commands */
	c->delivered = false;
	if (c->received - c->taken <= (drained ? limit : BACKLOG_BYTES)) {
		c->strike = false;
		return c->received - before > SMALL_TALK;
	}
	if (!c->strike && c->received - c->taken <= BACKLOG_BYTES) {
		c->strike = true;               /* frames may have come just now: once more, after a drain */
		return true;
	}
	conn_refuse(l, fd);
	return false;
}

/* Connections at rest are watched by epoll, once each; what arrives there leads here.  A connection on which much arrives stays under
 * observation every GUARD_MS; others go back to the watch.  What arrives without a frame coming of it is a frame in
 * the making, which has a limit. */
static void on_guard_timer(uv_timer_t *h);

static void guard_pass(struct link *l)
{
	bool again = false;

	l->guard_due = false;
	l->guard_next = uv_now(l->loop) + GUARD_MS;
	for (size_t fd = 0; fd < l->n_conns; fd++) {
		struct conn *c = &l->conns[fd];

		if (!c->open || c->watched)
			continue;
		if (guard_conn(l, (int)fd, !(c->dial != NULL ? c->dial->dealer : l->router)->busy))
			again = true;
		else if (c->open)
			conn_watch(l, (int)fd);
	}
	if (again)
		uv_timer_start(&l->guard_timer, on_guard_timer, GUARD_MS, 0);
}

static void on_guard_timer(uv_timer_t *h)
{
	struct link *l = h->data;

	l->guard_due = true;                    /* after the drain */
}

static void on_guard(uv_poll_t *h, int status, int events)
{
	struct link *l = h->data;
	struct epoll_event list[64];
	int n = epoll_wait(l->epoll, list, 64, 0);

	(void)status, (void)events;
	for (int i = 0; i < n; i++) {
		struct conn *c = conn_of(l, list[i].data.fd);
		if (c != NULL)
			c->watched = false;
	}
	if (uv_now(l->loop) >= l->guard_next)
		l->guard_due = true;
	else if (!uv_is_active((uv_handle_t *)&l->guard_timer))
		uv_timer_start(&l->guard_timer, on_guard_timer, l->guard_next - uv_now(l->loop), 0);
}

/* ---- incoming links ---- */

static struct peer *peer_by_route(const struct link *l, uint32_t route)
{
	struct peer *p = l->by_route[route % BUCKETS];

	while (p != NULL && p->route != route)
		p = p->by_route;
	return p;
}

static struct peer *peer_by_number(const struct link *l, uint32_t number)
{
	struct peer *p = l->by_number[number % BUCKETS];

	while (p != NULL && p->number != number)
		p = p->by_number;
	return p;
}

static void peer_forget(struct link *l, struct peer *p)
{
	struct peer **at = &l->by_route[p->route % BUCKETS];

	while (*at != p)
		at = &(*at)->by_route;
	*at = p->by_route;
	for (at = &l->by_number[p->number % BUCKETS]; *at != p; at = &(*at)->by_number)
		;
	*at = p->by_number;
	if (p->gone) {
		for (at = &l->gone; *at != p; at = &(*at)->next_gone)
			;
		*at = p->next_gone;
	}
	l->n_peers--;
	mem_free(p);
}

/* Its connection is closed.  Frames may still wait in the ROUTER: down() when it has been empty once, or at the next tick. */
static void peer_gone(struct link *l, struct peer *p)
{
	if (p->gone)
		return;
	p->gone = true;
	p->fd = -1;
	p->next_gone = l->gone;
	l->gone = p;
	mark(l->router);
	tick_start(l);
}

/* End it: no frame of it is passed on any more. */
static void peer_drop(struct link *l, struct peer *p)
{
	p->denied = true;
	conn_leave(l, p->fd, 0);
	peer_gone(l, p);
}

static void report_gone(struct link *l)
{
	while (l->gone != NULL) {
		uint32_t number = l->gone->number;

		peer_forget(l, l->gone);
		l->events.down(l->events.arg, number, ERR_WAITING);
	}
}

static bool router_event(struct link *l)
{
	uint16_t event;
	uint32_t value;

	if (!monitor_next(l->monitor, &event, &value))
		return false;
	switch (event) {
	case ZMQ_EVENT_ACCEPTED:
		conn_accepted(l, (int)value);
		break;
	case ZMQ_EVENT_DISCONNECTED:
		conn_closed(l, (int)value, NULL);
		break;
	case ZMQ_EVENT_CLOSED:
		l->closed = true;
		break;
	}
	return true;
}

static bool router_monitor_drain(struct sock *s)
{
	for (int i = 0; i < BUDGET; i++)
		if (!router_event(s->link))
			return false;
	return true;
}

/* A key has a limited number of links; the oldest goes, since it is likely to be one that its owner lost. */
static void make_room(struct link *l, const uint8_t key[KEY_LEN])
{
	struct peer *oldest = NULL;
	unsigned same = 0;

	for (size_t i = 0; i < BUCKETS; i++)
		for (struct peer *p = l->by_route[i]; p != NULL; p = p->by_route) {
			if (p->gone || memcmp(p->key, key, KEY_LEN) != 0)
				continue;
			same++;
			if (oldest == NULL || p->age < oldest->age)
				oldest = p;
		}
	if (same >= LIMIT_JOIN_LINKS)
		peer_drop(l, oldest);
}

/* The first frame of a connection.  NULL: it may not have a link. */
static struct peer *peer_new(struct link *l, uint32_t route, int fd, const char *user)
{
	struct peer *p = NULL;
	uint8_t key[KEY_LEN];
	struct conn *c;

	while (router_event(l))                 /* what was said of this descriptor's earlier users */
		;
	c = conn_of(l, fd);
	if (c != NULL && c->dial != NULL)
		c = NULL;                       /* it is gone, and its descriptor an outgoing link's by now */
	if (!from_hex(key, user) || is_allowed(l, key) == NULL || (c != NULL && c->leaving))
		goto refuse;
	make_room(l, key);
	if (l->n_peers >= LIMIT_PEERS || (p = mem_alloc(sizeof *p)) == NULL)
		goto refuse;
	p->age = l->n_ever++;
	do {
		p->number = LINK_INCOMING | (l->next_number++ & 0x3fffffff);
	} while (peer_by_number(l, p->number) != NULL);
	p->route = route;
	p->fd = fd;
	memcpy(p->key, key, KEY_LEN);
	memcpy(p->user, user, HEX_LEN);
	p->by_route = l->by_route[route % BUCKETS];
	l->by_route[route % BUCKETS] = p;
	p->by_number = l->by_number[p->number % BUCKETS];
	l->by_number[p->number % BUCKETS] = p;
	l->n_peers++;
	if (c != NULL) {
		conn_peer_gone(l, c);           /* a stale user of the same descriptor */
		conn_count(l, c, -1);
		c->linked = true;
		c->route = route;
		conn_count(l, c, 1);
	} else
		peer_gone(l, p);
	l->events.up(l->events.arg, p->number, p->key);
	return peer_by_route(l, route);         /* the callback may have disconnected it */
refuse:
	if (c == NULL || !c->leaving)           /* else it has its time already */
		conn_leave(l, fd, 0);
	return NULL;
}

/* A name of its own choosing (as if ours, even), several parts, or too large: not our software. */
static bool is_foreign(zmq_msg_t *body, const struct peer *p, bool whole)
{
	const char *chosen = p == NULL ? zmq_msg_gets(body, "Identity") : NULL;

	return (chosen != NULL && *chosen != 0) || !whole || zmq_msg_size(body) > LIMIT_FRAME;
}

static void router_frame(struct link *l, zmq_msg_t *from, zmq_msg_t *body, bool whole)
{
	const char *user = zmq_msg_gets(body, "User-Id");
	const uint8_t *route = zmq_msg_data(from);
	bool ours = zmq_msg_size(from) == 5 && route[0] == 0;
	struct peer *p = ours ? peer_by_route(l, get_u32(route + 1)) : NULL;

	if (user == NULL || !ours || is_foreign(body, p, whole)) {
		conn_leave(l, zmq_msg_get(body, ZMQ_SRCFD), 0);
		goto drop;
	}
	if (p == NULL && (p = peer_new(l, get_u32(route + 1), zmq_msg_get(body, ZMQ_SRCFD), user)) == NULL)
		goto drop;
	if (p->denied || strlen(user) != HEX_LEN || memcmp(user, p->user, HEX_LEN) != 0)
		goto drop;
	conn_delivered(l, p->fd, zmq_msg_size(body));
	l->events.frame(l->events.arg, p->number, SLICE(zmq_msg_data(body), zmq_msg_size(body)));
	return;
drop:
	l->info.dropped_frames++;
}

/* Receive the rest of a message that has more parts than it may.  (libzmq hands out whole messages only.) */
static void skip_parts(struct sock *s)
{
	bool more = true;

	while (more) {
		zmq_msg_t m;

		zmq_msg_init(&m);
		more = zmq_msg_recv(&m, s->zmq, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&m);
		zmq_msg_close(&m);
	}
}

static bool router_drain(struct sock *s)
{
	struct link *l = s->link;

	for (int i = 0; i < BUDGET; i++) {
		zmq_msg_t from, body;
		bool whole;

		zmq_msg_init(&from);
		if (zmq_msg_recv(&from, s->zmq, ZMQ_DONTWAIT) < 0) {
			zmq_msg_close(&from);
			report_gone(l);
			return false;
		}
		zmq_msg_init(&body);
		if (zmq_msg_recv(&body, s->zmq, ZMQ_DONTWAIT) >= 0) {
			whole = !zmq_msg_more(&body);
			if (!whole)
				skip_parts(s);
			router_frame(l, &from, &body, whole);
		}
		zmq_msg_close(&body);
		zmq_msg_close(&from);
	}
	return true;
}

/* ---- outgoing links ---- */

static struct dial *dial_by_number(const struct link *l, uint32_t number)
{
	struct dial *d = l->dials[number % BUCKETS];

	while (d != NULL && d->number != number)
		d = d->chain;
	return d;
}

static void lookup_next(struct link *l);

static void dial_hang_up(struct dial *d, int linger)
{
	conn_closed(d->link, d->fd, d);
	d->fd = -1;
	monitored_close(d->dealer, d->monitor, linger);
	d->dealer = d->monitor = NULL;
}

static void dial_forget(struct dial *d, int linger)
{
	struct link *l = d->link;
	struct dial **at = &l->dials[d->number % BUCKETS];

	while (*at != d)
		at = &(*at)->chain;
	*at = d->chain;
	dial_hang_up(d, linger);
	if (d->lookup != NULL) {
		d->lookup->dial = NULL;
		if (d->lookup->running)
			uv_cancel((uv_req_t *)&d->lookup->request);
	}
	if (d->state == UP)
		l->info.outgoing--;
	else
		l->n_dialing--;
	crypto_wipe(d, sizeof *d);
	mem_free(d);
}

static bool dealer_drain(struct sock *s);
static bool dealer_monitor_drain(struct sock *s);

static enum err dial_start(struct dial *d)
{
	enum err e = sock_open(&d->dealer, d->link, ZMQ_DEALER, d, dealer_drain);

	if (e != OK || (e = harden(d->dealer, &d->client)) != OK)
		return e;
	if (set_key(d->dealer, ZMQ_CURVE_SERVERKEY, d->server) != 0)
		return ERR_IO;
	e = monitor_open(&d->monitor, d->dealer, ZMQ_EVENT_ALL & ~ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, d, dealer_monitor_drain);
	if (e != OK)
		return e;
	d->state = CONNECTING;
	d->deadline = uv_now(d->link->loop) + DIAL_MS;
	if (zmq_connect(d->dealer->zmq, d->alternatives[d->next_alternative++]) != 0)
		return ERR_USAGE;
	mark(d->dealer);
	return OK;
}

/* It ended.  Try the next address of the name, or report it. */
static void dial_end(struct dial *d)
{
	struct link *l = d->link;
	uint32_t number = d->number;
	enum err why = d->why;

	if (why == ERR_WAITING && d->state == CONNECTING && d->next_alternative < d->n_alternatives) {
		dial_hang_up(d, 0);
		d->why = OK;
		if (dial_start(d) == OK)
			return;
	}
	dial_forget(d, 0);
	if (number == SELF_TEST)
		l->self_test = why;
	else
		l->events.down(l->events.arg, number, why);
}

static void dial_up(struct dial *d)
{
	struct link *l = d->link;

	if (d->state == UP)
		return;
	d->state = UP;
	l->n_dialing--;
	l->info.outgoing++;
	crypto_wipe(&d->client, sizeof d->client);
	if (d->number == SELF_TEST)
		l->self_test = ERR_SIGNATURE;
	else
		l->events.up(l->events.arg, d->number, d->server);
}

static bool dealer_event(struct dial *d)
{
	uint16_t event;
	uint32_t value;

	if (!monitor_next(d->monitor, &event, &value))
		return false;
	switch (event) {
	case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
		dial_up(d);
		return true;                    /* the callback may have ended it: the caller looks */
	case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
		d->why = value == 400 ? ERR_DENIED : ERR_WAITING;
		break;
	case ZMQ_EVENT_CONNECTED:
		d->fd = (int)value;
		conn_add(d->link, d->fd, d);
		return true;
	case ZMQ_EVENT_CONNECT_RETRIED:
	case ZMQ_EVENT_CLOSED:
	case ZMQ_EVENT_DISCONNECTED:
	case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
		if (d->why == OK)
			d->why = ERR_WAITING;
		break;
	default:
		return true;
	}
	mark(d->dealer);
	return true;
}

static bool dealer_monitor_drain(struct sock *s)
{
	struct link *l = s->link;
	uint32_t number = ((struct dial *)s->owner)->number;

	for (int i = 0; i < BUDGET; i++) {
		struct dial *d = dial_by_number(l, number);
		if (d == NULL || d->monitor != s || !dealer_event(d))
			return false;
	}
	return true;
}

static bool dealer_drain(struct sock *s)
{
	struct link *l = s->link;
	struct dial *d = s->owner;
	uint32_t number = d->number;

	for (int i = 0; i < BUDGET; i++) {
		zmq_msg_t m;
		bool whole;

		zmq_msg_init(&m);
		if (zmq_msg_recv(&m, s->zmq, ZMQ_DONTWAIT) < 0) {
			zmq_msg_close(&m);
			if (d->why != OK)
				dial_end(d);
			return false;
		}
		whole = !zmq_msg_more(&m);
		if (!whole)
			skip_parts(s);
		dial_up(d);                     /* CURVE let it through, though the monitor's word may come later */
		d = dial_by_number(l, number);
		if (d != NULL && d->dealer == s) {
			conn_delivered(l, d->fd, zmq_msg_size(&m));
			if (whole && zmq_msg_size(&m) <= LIMIT_FRAME)
				l->events.frame(l->events.arg, number, SLICE(zmq_msg_data(&m), zmq_msg_size(&m)));
			else
				l->info.dropped_frames++;
			d = dial_by_number(l, number);
		}
		zmq_msg_close(&m);
		if (d == NULL || d->dealer != s)
			return false;
	}
	return true;
}

/* ---- names ---- */

static void on_lookup(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
	struct lookup *k = (struct lookup *)request->data;
	struct link *l = k->link;
	struct dial *d = k->dial;

	if (d != NULL) {
		d->lookup = NULL;
		for (struct addrinfo *a = list; status == 0 && a != NULL && d->n_alternatives < ALTERNATIVES; a = a->ai_next) {
			char host[LIMIT_ADDRESS_TEXT];
			if (getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST) == 0)
				snprintf(d->alternatives[d->n_alternatives++], sizeof *d->alternatives,
					a->ai_family == AF_INET6 ? "tcp://[%s]:%s" : "tcp://%s:%s", host, k->address.port);
		}
		if (d->n_alternatives == 0 || dial_start(d) != OK) {
			d->why = ERR_WAITING;
			dial_end(d);
		}
	}
	uv_freeaddrinfo(list);
	mem_free(k);
	l->n_lookups--;
	lookup_next(l);
	handle_gone(l);
}

static void lookup_next(struct link *l)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

	while (l->waiting != NULL && (l->n_lookups < LOOKUPS || l->waiting->dial == NULL)) {
		struct lookup *k = l->waiting;

		l->waiting = k->next;
		if (k->dial != NULL && uv_getaddrinfo(l->loop, &k->request, on_lookup, k->address.host, NULL, &hints) == 0) {
			k->running = true;
			l->n_lookups++;
			l->handles++;
			continue;
		}
		if (k->dial != NULL)
			k->dial->lookup = NULL; /* its deadline reports it */
		mem_free(k);
	}
}

static enum err lookup_start(struct dial *d, const struct link_address *address)
{
	struct lookup *k = mem_alloc(sizeof *k), **at = &d->link->waiting;

	if (k == NULL)
		return ERR_NOMEM;
	k->request.data = k;
	k->dial = d;
	k->link = d->link;
	k->address = *address;
	d->lookup = k;
	while (*at != NULL)
		at = &(*at)->next;
	*at = k;
	lookup_next(d->link);
	return OK;
}

static enum err dial(struct link *l, uint32_t number, const char *address, const uint8_t server_key[KEY_LEN],
	const struct curve_pair *client)
{
	struct link_address parts;
	struct dial *d;
	enum err e;

	if (!link_address_parse(&parts, address, false))
		return ERR_USAGE;
	if (dial_by_number(l, number) != NULL)
		return ERR_EXISTS;
	d = mem_alloc(sizeof *d);
	if (d == NULL)
		return ERR_NOMEM;
	d->link = l;
	d->number = number;
	d->fd = -1;
	d->client = *client;
	memcpy(d->server, server_key, KEY_LEN);
	d->deadline = uv_now(l->loop) + DIAL_MS;
	d->chain = l->dials[number % BUCKETS];
	l->dials[number % BUCKETS] = d;
	l->n_dialing++;
	if (parts.numeric) {
		strcpy(d->alternatives[0], address);
		d->n_alternatives = 1;
		e = dial_start(d);
	} else
		e = lookup_start(d, &parts);
	if (e != OK)
		dial_forget(d, 0);
	else
		tick_start(l);
	return e;
}

enum err link_connect(struct link *l, uint32_t number, const char *address, const uint8_t server_key[KEY_LEN],
	const struct curve_pair *client)
{
	return number < LINK_INCOMING ? dial(l, number, address, server_key, client) : ERR_USAGE;
}

/* ---- the loop ---- */

static void on_check(uv_check_t *h)
{
	struct link *l = h->data;

	for (size_t n = l->n_busy; n > 0 && l->busy_head != NULL; n--) {
		struct sock *s = l->busy_head;

		unmark(s);
		if (s->drain(s) && s->zmq != NULL)
			mark(s);
	}
	if (l->guard_due)
		guard_pass(l);
	if (l->busy_head == NULL)
		uv_idle_stop(&l->idle);
}

/* Runs only while something is under way: an idle daemon has no tick. */
static void on_tick(uv_timer_t *h)
{
	struct link *l = h->data;
	uint64_t now = uv_now(l->loop);

	report_gone(l);
	for (size_t fd = 0; fd < l->n_conns && l->n_strangers + l->n_leaving > 0; fd++) {
		struct conn *c = &l->conns[fd];
		if (!c->open || ((c->linked || c->dial != NULL) && !c->leaving) || now < c->deadline)
			continue;
		if (c->leaving)
			conn_end(l, (int)fd, now > c->deadline + 2 * TICK_MS);
		else
			conn_leave(l, (int)fd, 0);
	}
	for (size_t i = 0; i < BUCKETS && l->n_dialing > 0; i++)
		for (struct dial *d = l->dials[i], *next; d != NULL; d = next) {
			next = d->chain;
			if (d->state == UP || now < d->deadline)
				continue;
			d->why = d->why != OK ? d->why : ERR_WAITING;
			dial_end(d);
			next = l->dials[i];     /* the callback may have changed the chain */
		}
	if (l->n_dialing + l->n_strangers + l->n_leaving == 0 && l->gone == NULL) {
		uv_timer_stop(&l->timer);
		l->ticking = false;
	}
}

static void tick_start(struct link *l)
{
	if (!l->ticking && !l->closing)
		uv_timer_start(&l->timer, on_tick, TICK_MS, TICK_MS);
	l->ticking = true;
}

/* ---- the interface ---- */

static enum err router_open(struct link *l, const struct curve_pair *own)
{
	enum err e = sock_open(&l->router, l, ZMQ_ROUTER, l, router_drain);

	if (e != OK || (e = harden(l->router, own)) != OK)
		return e;
	if (set_int(l->router, ZMQ_CURVE_SERVER, 1) != 0 || set_int(l->router, ZMQ_ZAP_ENFORCE_DOMAIN, 1) != 0
		|| zmq_setsockopt(l->router->zmq, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN)) != 0
		|| set_int(l->router, ZMQ_ROUTER_MANDATORY, 1) != 0)
		return ERR_IO;
	return monitor_open(&l->monitor, l->router, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED, l,
		router_monitor_drain);
}

enum err link_open(struct link **out, struct uv_loop_s *loop, const struct link_events *events, const struct curve_pair *own)
{
	struct link *l = mem_alloc(sizeof *l);
	struct rlimit files = { 0 };
	enum err e = ERR_NOMEM;

	*out = NULL;
	if (l == NULL)
		return ERR_NOMEM;
	getrlimit(RLIMIT_NOFILE, &files);
	l->max_fd = files.rlim_cur - files.rlim_cur / 8;
	l->loop = loop;
	l->events = *events;
	memcpy(l->public, own->public, KEY_LEN);
	l->check.data = l->idle.data = l->timer.data = l->guard_timer.data = l->guard.data = l;
	uv_check_init(loop, &l->check);
	uv_idle_init(loop, &l->idle);
	uv_timer_init(loop, &l->timer);
	uv_check_start(&l->check, on_check);
	uv_timer_init(loop, &l->guard_timer);
	l->handles = 4;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0 || uv_poll_init(loop, &l->guard, l->epoll) != 0) {
		e = ERR_LIMIT;
		goto fail;
	}
	l->handles++;
	l->guarding = true;
	uv_poll_start(&l->guard, UV_READABLE, on_guard);
	l->context = zmq_ctx_new();
	if (l->context == NULL || zmq_ctx_set(l->context, ZMQ_MAX_SOCKETS, SOCKETS) != 0)
		goto fail;
	e = sock_open(&l->zap, l, ZMQ_REP, l, zap_drain);
	if (e != OK)
		goto fail;
	e = ERR_IO;
	if (set_int(l->zap, ZMQ_RCVHWM, 0) != 0 || zmq_bind(l->zap->zmq, ZAP_ENDPOINT) != 0)
		goto fail;
	e = router_open(l, own);
	if (e != OK)
		goto fail;
	*out = l;
	return OK;
fail:
	link_close(l);
	return e;
}

void link_close(struct link *l)
{
	if (l == NULL || l->closing)
		return;
	l->closing = true;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (l->dials[i] != NULL)
			dial_forget(l->dials[i], LINGER_MS);
		while (l->by_route[i] != NULL)
			peer_forget(l, l->by_route[i]);
	}
	lookup_next(l);                         /* those not begun yet */
	monitored_close(l->router, l->monitor, LINGER_MS);
	sock_close(l->zap, 0);
	while (l->context != NULL && zmq_ctx_term(l->context) != 0 && errno == EINTR)
		;
	uv_close((uv_handle_t *)&l->check, on_handle_closed);
	uv_close((uv_handle_t *)&l->idle, on_handle_closed);
	uv_close((uv_handle_t *)&l->timer, on_handle_closed);
	uv_close((uv_handle_t *)&l->guard_timer, on_handle_closed);
	if (l->guarding)
		uv_close((uv_handle_t *)&l->guard, on_handle_closed);
	if (l->epoll >= 0)
		close(l->epoll);
}

enum err link_listen(struct link *l, const char *address, uint16_t *port)
{
	char *last = l->listen[l->n_listen < LISTENERS ? l->n_listen : 0];
	size_t len = sizeof l->listen[0];
	struct link_address parts;

	*port = 0;
	if (!link_address_parse(&parts, address, true))
		return ERR_USAGE;
	if (l->n_listen == LISTENERS)
		return ERR_LIMIT;
	mark(l->router);
	if (zmq_bind(l->router->zmq, address) != 0)
		return errno == EADDRINUSE ? ERR_BUSY : errno == EACCES ? ERR_DENIED
			: errno == EMFILE || errno == ENFILE ? ERR_LIMIT : ERR_USAGE;
	if (zmq_getsockopt(l->router->zmq, ZMQ_LAST_ENDPOINT, last, &len) != 0)
		return ERR_IO;
	l->n_listen++;
	*port = (uint16_t)atoi(strrchr(last, ':') + 1);
	return OK;
}

/* Returns when the port is free again: libzmq closes it in its own thread. */
static void unlisten(struct link *l)
{
	zmq_pollitem_t item = { .socket = l->monitor->zmq, .events = ZMQ_POLLIN };

	mark(l->router);
	mark(l->monitor);
	while (router_event(l))                 /* a failed bind says "closed" too */
		;
	l->closed = false;
	if (zmq_unbind(l->router->zmq, l->listen[--l->n_listen]) != 0)
		return;
	for (int i = 0; i < 100 && !l->closed; i++) {
		while (router_event(l))
			;
		if (!l->closed)
			zmq_poll(&item, 1, 5);
	}
}

void link_unlisten(struct link *l)
{
	while (l->n_listen > 0)
		unlisten(l);
}

enum err link_self_test(struct link *l)
{
	uint8_t seed[KEY_LEN];
	struct curve_pair stranger;
	uint64_t refused = l->info.refused_keys, until;
	uint16_t port;
	enum err e = link_listen(l, "tcp://127.0.0.1:*", &port);

	if (e != OK)
		return e;
	crypto_random(seed, sizeof seed);
	crypto_box_seed(stranger.public, stranger.secret, seed);
	l->self_test = OK;
	uv_update_time(l->loop);
	until = uv_now(l->loop) + SELF_TEST_MS;
	e = dial(l, SELF_TEST, l->listen[l->n_listen - 1], l->public, &stranger);
	while (e == OK && l->self_test == OK && uv_now(l->loop) < until)
		uv_run(l->loop, UV_RUN_ONCE);   /* the tick keeps this from sleeping for long */
	if (e == OK)
		e = l->self_test == ERR_DENIED && l->info.refused_keys > refused ? OK
			: l->self_test == ERR_SIGNATURE ? ERR_SIGNATURE : ERR_WAITING;
	if (dial_by_number(l, SELF_TEST) != NULL)
		dial_forget(dial_by_number(l, SELF_TEST), 0);
	if (e == OK)
		l->info.refused_keys--, l->n_linkless--;        /* that was us */
	unlisten(l);
	crypto_wipe(&stranger, sizeof stranger);
	return e;
}

void link_disconnect(struct link *l, uint32_t number)
{
	struct dial *d;
	struct peer *p;

	if (number < LINK_INCOMING) {
		d = dial_by_number(l, number);
		if (d != NULL)
			dial_forget(d, LINGER_MS);
		return;
	}
	p = peer_by_number(l, number);
	if (p == NULL)
		return;
	conn_leave(l, p->fd, LINGER_MS);
	peer_forget(l, p);
}

static enum err send_parts(struct sock *s, int fd, const struct peer *p, struct slice frame)
{
	uint8_t route[5] = { 0 };
	zmq_msg_t m;

	if (queue_full(s->link, fd))
		return ERR_LIMIT;
	mark(s);                                /* a send may take commands from the mailbox */
	if (zmq_msg_init_size(&m, frame.len) != 0)
		return ERR_NOMEM;
	if (frame.len > 0)
		memcpy(zmq_msg_data(&m), frame.data, frame.len);
	if (p != NULL) {
		put_u32(route + 1, p->route);
		if (zmq_send(s->zmq, route, sizeof route, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
			goto fail;
	}
	if (zmq_msg_send(&m, s->zmq, ZMQ_DONTWAIT) >= 0) {
		conn_sent(s->link, fd, frame.len);
		return OK;
	}
fail:
	zmq_msg_close(&m);
	return errno == EAGAIN ? ERR_LIMIT : errno == EHOSTUNREACH ? ERR_NOTFOUND : ERR_IO;
}

enum err link_send(struct link *l, uint32_t number, struct slice frame)
{
	struct dial *d;
	struct peer *p;
	enum err e;

	if (frame.len > LIMIT_FRAME)
		return ERR_TOOBIG;
	if (number < LINK_INCOMING) {
		d = dial_by_number(l, number);
		return d == NULL || d->state != UP || d->why != OK ? ERR_NOTFOUND : send_parts(d->dealer, d->fd, NULL, frame);
	}
	p = peer_by_number(l, number);
	if (p == NULL || p->gone)
		return ERR_NOTFOUND;
	e = send_parts(l->router, p->fd, p, frame);
	if (e == ERR_NOTFOUND)
		peer_gone(l, p);
	return e;
}

enum err link_allow(struct link *l, const uint8_t (*keys)[KEY_LEN], size_t n)
{
	struct allowed *sorted = mem_array(n, sizeof *sorted), *old;

	if (sorted == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		memcpy(sorted[i].key, keys[i], KEY_LEN);
		old = is_allowed(l, keys[i]);
		sorted[i].next = old != NULL ? old->next : 0;
	}
	qsort(sorted, n, sizeof *sorted, compare_keys);
	mem_free(l->allowed);
	l->allowed = sorted;
	l->n_allowed = n;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct peer *p = l->by_route[i]; p != NULL; p = p->by_route)
			if (is_allowed(l, p->key) == NULL)
				peer_drop(l, p);
	return OK;
}

void link_info(const struct link *l, struct link_info *out)
{
	*out = l->info;
	out->incoming = (uint32_t)l->n_peers;
	out->refused_handshakes = (int64_t)(l->n_linkless - l->info.refused_keys) > 0 ? l->n_linkless - l->info.refused_keys : 0;
}
