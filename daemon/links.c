#include "daemon/links.h"
#include <stdio.h>
#include <string.h>
#include <uv.h>
#include "base/mem.h"
#include "daemon/log.h"

#define BUCKETS 256
#define JOB_FRAMES 64
#define JOB_BYTES (1024 * 1024)
#define SPARES 16

struct line;
struct frame {                          /* one that came, and what it says */
	struct queued q;                /* first: released through it */
	struct frame *next;
	struct line *line;
	enum err result;
	struct net_message message;
	size_t len;
	uint8_t bytes[];
};
struct line {                           /* one link */
	struct line *next;              /* in its bucket */
	struct links *links;
	uint32_t number;
	unsigned refs;                  /* the table, queued events, frames, the job */
	bool listed, dead, busy, closing;       /* dead: the node has ended it; closing: LINK_DOWN follows the last frame */
	enum err why;
	struct queued up, down;
	struct frame *first, **last;    /* to be checked */
	struct frame *job;              /* being checked */
	size_t bytes;
	uv_work_t work;
};
struct spare { struct queued q; bool used; };
struct links {
	uv_loop_t *loop;
	struct spare spares[SPARES];    /* to say LINK_DOWN without memory */
	struct link *link;
	struct queue *queue;
	struct curve_pair own;
	struct line *buckets[BUCKETS];
	size_t bytes, n_lines;          /* lines that exist, listed or not */
	bool closed;
	uint8_t (*allowed)[KEY_LEN];
	size_t n_allowed;
};

static void links_unref(struct links *s)
{
	if (!s->closed || s->n_lines > 0)
		return;
	mem_free(s->allowed);
	crypto_wipe(&s->own, sizeof s->own);
	mem_free(s);
}

static struct line **bucket(struct links *s, uint32_t number)
{
	return &s->buckets[(number ^ number >> 24) % BUCKETS];
}

static struct line *line_find(struct links *s, uint32_t number)
{
	struct line *l = *bucket(s, number);

	while (l != NULL && l->number != number)
		l = l->next;
	return l;
}

static void line_unref(struct line *l)
{
	struct links *s = l->links;

	if (--l->refs > 0)
		return;
	s->n_lines--;
	mem_free(l);
	links_unref(s);
}

static void line_unlist(struct line *l)
{
	struct line **at = bucket(l->links, l->number);

	if (!l->listed)
		return;
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	l->listed = false;
	line_unref(l);
}

static void frame_free(struct frame *f)
{
	struct line *l = f->line;

	net_message_free(&f->message);
	l->bytes -= f->len;
	l->links->bytes -= f->len;
	mem_free(f);
	line_unref(l);
}

static void frame_release(struct queued *q)
{
	frame_free((struct frame *)(void *)q);
}

static void up_release(struct queued *q)
{
	line_unref((struct line *)(void *)((char *)q - offsetof(struct line, up)));
}

static void down_release(struct queued *q)
{
	line_unref((struct line *)(void *)((char *)q - offsetof(struct line, down)));
}

static struct line *line_new(struct links *s, uint32_t number)
{
	struct line *l = mem_alloc(sizeof *l), **at = bucket(s, number);

	if (l == NULL)
		return NULL;
	l->links = s;
	l->number = number;
	l->refs = 1;
	l->listed = true;
	l->last = &l->first;
	l->work.data = l;
	l->next = *at;
	*at = l;
	s->n_lines++;
	return l;
}

static void drop_waiting(struct line *l)
{
	struct frame *f = l->first;

	l->first = NULL;
	l->last = &l->first;
	while (f != NULL) {
		struct frame *next = f->next;
		frame_free(f);
		f = next;
	}
}

static void push(struct line *l, struct queued *q, enum event_kind kind, void (*release)(struct queued *))
{
	q->event.kind = kind;
	q->event.link = l->number;
	q->stale = &l->dead;
	q->release = release;
	queue_push(l->links->queue, q);
}

static void send_down(struct line *l)
{
	l->down.event.why = l->why;
	l->refs++;
	push(l, &l->down, EVENT_LINK_DOWN, down_release);
	line_unlist(l);
}

/* LINK_DOWN comes behind the frames that came before. */
static void line_down(struct line *l, enum err why)
{
	if (l->closing)
		return;
	l->closing = true;
	l->why = why;
	if (!l->busy && l->first == NULL)
		send_down(l);
}

/* We end it, and what waits is not worth checking. */
static void line_refuse(struct line *l, enum err why)
{
	link_disconnect(l->links->link, l->number);
	l->refs++;                              /* its frames may be its last references */
	drop_waiting(l);
	line_down(l, why);
	line_unref(l);
}

/* ---- checking ---- */

static void check(uv_work_t *work)              /* on the pool: touches nothing but the job's frames */
{
	struct line *l = work->data;

	for (struct frame *f = l->job; f != NULL; f = f->next)
		f->result = net_check(&f->message, SLICE(f->bytes, f->len));
}

static void start_job(struct line *l);

static void checked(uv_work_t *work, int status)
{
	struct line *l = work->data;
	struct frame *f = l->job;
	bool nomem = false;

	l->job = NULL;
	l->busy = false;
	while (f != NULL) {
		struct frame *next = f->next;
		nomem = nomem || f->result == ERR_NOMEM;
		if (status != 0 || l->dead || l->links->closed || nomem) {
			frame_free(f);
		} else {
			f->q.event.message = f->result == OK ? &f->message : NULL;
			f->q.event.why = f->result;
			f->q.bytes = f->len;
			push(l, &f->q, f->result == OK ? EVENT_MESSAGE : EVENT_BAD_FRAME, frame_release);
		}
		f = next;
	}
	if (l->dead || l->links->closed)
		drop_waiting(l);
	else if (nomem && !l->closing)
		line_refuse(l, ERR_NOMEM);
	else if (l->first != NULL)
		start_job(l);
	else if (l->closing && l->listed)
		send_down(l);
	line_unref(l);
}

static void start_job(struct line *l)
{
	struct frame *f = l->first;
	size_t n = 1, bytes = f->len;

	while (f->next != NULL && n < JOB_FRAMES && bytes + f->next->len <= JOB_BYTES) {
		f = f->next;
		n++;
		bytes += f->len;
	}
	l->job = l->first;
	l->first = f->next;
	if (l->first == NULL)
		l->last = &l->first;
	f->next = NULL;
	l->busy = true;
	l->refs++;
	uv_queue_work(l->links->loop, &l->work, check, checked);
}

/* ---- of net/link ---- */

static void on_up(void *arg, uint32_t number, const uint8_t curve[KEY_LEN])
{
	struct links *s = arg;
	struct line *l = line_find(s, number);

	if (l != NULL && (number & LINK_INCOMING) != 0) {       /* the number is used again before the old one's frames are through */
		drop_waiting(l);
		l->closing = true;
		send_down(l);
		l = NULL;
	}
	if (l == NULL && (l = line_new(s, number)) == NULL) {
		link_disconnect(s->link, number);
		return;
	}
	memcpy(l->up.event.curve, curve, KEY_LEN);
	l->refs++;
	push(l, &l->up, EVENT_LINK_UP, up_release);
}

static void on_down(void *arg, uint32_t number, enum err why)
{
	struct line *l = line_find(arg, number);

	if (l != NULL)
		line_down(l, why);
}

static void on_frame(void *arg, uint32_t number, struct slice bytes)
{
	struct links *s = arg;
	struct line *l = line_find(s, number);
	struct frame *f;

	if (l == NULL || l->closing)
		return;
	if (l->bytes + bytes.len > LINKS_LINE_BYTES || s->bytes + bytes.len > LINKS_BYTES) {
		LOG(LOG_WARNING, "a peer sent more than may wait: disconnected");
		line_refuse(l, ERR_LIMIT);
		return;
	}
	if ((f = mem_alloc(sizeof *f + bytes.len)) == NULL) {
		line_refuse(l, ERR_NOMEM);
		return;
	}
	memcpy(f->bytes, bytes.data, bytes.len);
	f->len = bytes.len;
	f->line = l;
	l->refs++;
	l->bytes += bytes.len;
	s->bytes += bytes.len;
	*l->last = f;
	l->last = &f->next;
	if (!l->busy)
		start_job(l);
}

/* ---- effects ---- */

static enum err need_link(struct links *s)
{
	struct link_events events = { .arg = s, .up = on_up, .down = on_down, .frame = on_frame };
	enum err e;

	if (s->link != NULL)
		return OK;
	e = link_open(&s->link, s->loop, &events, &s->own);
	if (e == OK && s->n_allowed > 0 && (e = link_allow(s->link, (const uint8_t (*)[KEY_LEN])s->allowed, s->n_allowed)) != OK) {
		link_close(s->link);
		s->link = NULL;
	}
	if (e != OK)
		LOG(LOG_ERROR, "no socket for peers: %s", err_text(e));
	return e;
}

/* Remembered too: the set may come before the first socket. */
static void allow(struct links *s, struct slice keys)
{
	uint8_t (*copy)[KEY_LEN] = mem_copy(keys.data, keys.len);
	enum err e = copy == NULL ? ERR_NOMEM : OK;

	if (e == OK) {
		mem_free(s->allowed);
		s->allowed = copy;
		s->n_allowed = keys.len / KEY_LEN;
		if (s->link != NULL)
			e = link_allow(s->link, (const uint8_t (*)[KEY_LEN])copy, s->n_allowed);
	}
	if (e != OK && s->link != NULL) {       /* rather nobody than somebody who was removed */
		LOG(LOG_ERROR, "the list of peers was not taken: %s; refusing incoming links", err_text(e));
		link_allow(s->link, NULL, 0);
	}
}

static void spare_release(struct queued *q)
{
	((struct spare *)(void *)q)->used = false;
}

static void down_without_line(struct links *s, uint32_t number)
{
	for (size_t i = 0; i < SPARES; i++)
		if (!s->spares[i].used) {
			s->spares[i] = (struct spare){ .used = true, .q = { .release = spare_release,
				.event = { .kind = EVENT_LINK_DOWN, .link = number, .why = ERR_NOMEM } } };
			queue_push(s->queue, &s->spares[i].q);
			return;
		}
	LOG(LOG_ERROR, "no memory for links");
}

static void dial(struct links *s, const struct effect *x)
{
	struct line *l = line_find(s, x->link);
	struct curve_pair client;
	enum err e;

	if (l != NULL) {
		LOG(LOG_ERROR, "link %u is dialed twice", x->link);
		return;
	}
	if ((l = line_new(s, x->link)) == NULL) {
		down_without_line(s, x->link);
		return;
	}
	memcpy(client.public, x->client_public, KEY_LEN);
	memcpy(client.secret, x->client_secret, KEY_LEN);
	e = need_link(s);
	if (e == OK)
		e = link_connect(s->link, x->link, x->address, x->server_key, &client);
	crypto_wipe(&client, sizeof client);
	if (e != OK)
		line_down(l, e);
}

static void disconnect(struct links *s, uint32_t number)
{
	struct line *l = line_find(s, number);

	if (l == NULL)
		return;
	if (!l->closing)
		link_disconnect(s->link, number);
	l->dead = true;
	l->refs++;
	drop_waiting(l);
	line_unlist(l);
	line_unref(l);
}

void links_effect(struct links *s, const struct effect *x)
{
	enum err e;

	switch (x->kind) {
	case EFFECT_SEND:               /* frames are hints: one that is not sent is found missing and asked for (protocol §8) */
		e = s->link == NULL ? ERR_NOTFOUND : link_send(s->link, x->link, x->bytes);
		if (e != OK)
			LOG(LOG_DEBUG, "frame not sent: %s", err_text(e));
		break;
	case EFFECT_CONNECT:
		dial(s, x);
		break;
	case EFFECT_DISCONNECT:
		disconnect(s, x->link);
		break;
	case EFFECT_ALLOW:
		allow(s, x->bytes);
		break;
	case EFFECT_REPLY: case EFFECT_LISTEN: case EFFECT_LOG: case EFFECT_STOP:
		break;
	}
}

enum err links_listen(struct links *s, const char *address, uint16_t *port)
{
	enum err e = need_link(s);

	return e == OK ? link_listen(s->link, address, port) : e;
}

void links_unlisten(struct links *s)
{
	if (s->link != NULL)
		link_unlisten(s->link);
}

const struct link *links_link(const struct links *s)
{
	return s->link;
}

enum err links_open(struct links **out, uv_loop_t *loop, const struct curve_pair *own, struct queue *queue)
{
	struct links *s = mem_alloc(sizeof *s);

	*out = s;
	if (s == NULL)
		return ERR_NOMEM;
	s->loop = loop;
	s->own = *own;
	s->queue = queue;
	return OK;
}

void links_close(struct links *s)
{
	if (s == NULL)
		return;
	if (s->link != NULL)
		link_close(s->link);
	s->link = NULL;
	s->n_lines++;                           /* holds s while the lines go */
	s->closed = true;
	for (size_t i = 0; i < BUCKETS; i++)
		while (s->buckets[i] != NULL) {
			struct line *l = s->buckets[i];
			l->dead = true;
			drop_waiting(l);
			if (l->busy)
				uv_cancel((uv_req_t *)&l->work);
			line_unlist(l);
		}
	s->n_lines--;
	links_unref(s);
}

/* ---- the self-test ---- */

static void test_up(void *arg, uint32_t number, const uint8_t curve[KEY_LEN])
{
	(void)arg, (void)number, (void)curve;
}

static void test_down(void *arg, uint32_t number, enum err why)
{
	(void)arg, (void)number, (void)why;
}

static void test_frame(void *arg, uint32_t number, struct slice bytes)
{
	(void)arg, (void)number, (void)bytes;
}

enum err links_self_test(void)
{
	struct link_events events = { .up = test_up, .down = test_down, .frame = test_frame };
	struct curve_pair pair;
	uint8_t seed[KEY_LEN];
	uv_loop_t loop;
	struct link *link;
	enum err e;

	if (uv_loop_init(&loop) != 0)
		return ERR_NOMEM;
	crypto_random(seed, sizeof seed);
	crypto_box_seed(pair.public, pair.secret, seed);
	e = link_open(&link, &loop, &events, &pair);
	if (e == OK) {
		e = link_self_test(link);
		link_close(link);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
	uv_loop_close(&loop);
	crypto_wipe(seed, sizeof seed);
	crypto_wipe(&pair, sizeof pair);
	return e;
}
