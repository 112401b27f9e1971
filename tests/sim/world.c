#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/mp.h"
#include "daemon/node/node_internal.h"
#include "org/certificate.h"
#include "tests/sim/world.h"

const char *const fault_names[FAULT_COUNT] = { "lost", "duplicated", "reordered", "partitions", "crashes before sync", "crashes after sync",
	"full disks", "failed commits", "refused links", "turns without memory", "rollbacks" };

#define START_MS 1790000000000ull
#define NONE SIZE_MAX

struct sim_link { size_t a, b; uint32_t at_a, at_b; bool up; };         /* a dialled b */
struct sim_event { uint64_t at, order; size_t node; enum event_kind kind; size_t link; uint8_t *frame; size_t len; enum err why; };
struct sim_node {
	struct node *node; struct store *store; struct store_disk *disk, *snapshot;
	struct node_identity identity; struct node_host host; uint8_t store_key[KEY_LEN];
	struct effects *effects; uint8_t *allowed; size_t n_allowed; bool listening, side; uint32_t next_incoming; char address[40];
	int64_t skew_ms;
};
struct world {
	struct rng rng; struct world_options options; bool faults, partitioned;
	uint64_t now, order, token; uint8_t trace[HASH_LEN];
	size_t n; struct sim_node *nodes;
	struct sim_event *queue; size_t n_queue, cap_queue;                  /* a heap by (at, order) */
	struct sim_link *links; size_t n_links, cap_links;
	bool replied; enum err reply_err; struct buf reply_message, reply_fields; uint64_t reply_token;
	uint64_t counts[FAULT_COUNT];
	void (*tap)(void *, size_t, struct slice); void *tap_arg;
};

/* ---- the queue ----------------------------------------------------------------------------------------------------- */
static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void queue_push(struct world *w, struct sim_event e)
{
	size_t i = w->n_queue;

	w->queue = mem_grow(w->queue, &w->cap_queue, w->n_queue, sizeof e);
	assert(w->queue != NULL);
	e.order = ++w->order;
	w->n_queue++;
	for (; i > 0 && before(&e, &w->queue[(i - 1) / 2]); i = (i - 1) / 2)
		w->queue[i] = w->queue[(i - 1) / 2];
	w->queue[i] = e;
}

static struct sim_event queue_pop(struct world *w)
{
	struct sim_event top = w->queue[0], last = w->queue[--w->n_queue];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < w->n_queue) {
		if (child + 1 < w->n_queue && before(&w->queue[child + 1], &w->queue[child]))
			child++;
		if (!before(&w->queue[child], &last))
			break;
		w->queue[i] = w->queue[child];
		i = child;
	}
	w->queue[i] = last;
	return top;
}

static void note(struct world *w, const char *what, size_t node, const void *data, size_t len)
{
	struct slice parts[] = { SLICE(w->trace, HASH_LEN), slice_of(what), SLICE(&node, sizeof node), SLICE(&w->now, 8), SLICE(data, len) };
	struct id32 hash;

	crypto_hash(&hash, "sim-trace", parts, 5);
	memcpy(w->trace, &hash, HASH_LEN);
	if (!w->options.story)
		return;
	printf("%10.3f s  node %zu  %s (%zu bytes", (double)(w->now - START_MS) / 1000, node, what, len);
	if (len > 2 && (strcmp(what, "sends") == 0 || strcmp(what, "gets a frame") == 0))
		printf(", type %u", ((const uint8_t *)data)[1]);
	printf(")\n");
}

static bool chance(struct world *w, unsigned per_thousand)
{
	return w->faults && rng_below(&w->rng, 1000) < per_thousand;
}

/* ---- links ----------------------------------------------------------------------------------------------------------- */
static bool reachable(const struct world *w, size_t a, size_t b)
{
	return !w->partitioned || w->nodes[a].side == w->nodes[b].side;
}

static uint64_t delay(struct world *w)
{
	return 1 + rng_below(&w->rng, 20);
}

static void link_drop(struct world *w, size_t link, size_t teller, enum err why)
{
	struct sim_link *l = &w->links[link];

	if (!l->up)
		return;
	l->up = false;
	if (teller != l->a)
		queue_push(w, (struct sim_event){ .at = w->now + delay(w), .node = l->a, .kind = EVENT_LINK_DOWN, .link = link, .why = why });
	if (teller != l->b)
		queue_push(w, (struct sim_event){ .at = w->now + delay(w), .node = l->b, .kind = EVENT_LINK_DOWN, .link = link, .why = why });
}

static size_t link_of(const struct world *w, size_t node, uint32_t number)
{
	for (size_t i = w->n_links; i > 0; i--) {
		const struct sim_link *l = &w->links[i - 1];

		if ((l->a == node && l->at_a == number) || (l->b == node && l->at_b == number))
			return i - 1;
	}
	return NONE;
}

static size_t node_at(const struct world *w, const char *address)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->nodes[i].address, address) == 0)
			return i;
	return NONE;
}

static bool allows(const struct sim_node *node, const uint8_t key[KEY_LEN])
{
	for (size_t i = 0; i < node->n_allowed; i++)
		if (memcmp(node->allowed + i * KEY_LEN, key, KEY_LEN) == 0)
			return true;
	return false;
}

static void on_connect(struct world *w, size_t from, const struct effect *e)
{
	size_t to = node_at(w, e->address);
	struct sim_link *l;
	struct sim_event event = { .at = w->now + delay(w), .node = from, .kind = EVENT_LINK_DOWN, .why = ERR_WAITING };

	w->links = mem_grow(w->links, &w->cap_links, w->n_links, sizeof *l);
	assert(w->links != NULL);
	l = &w->links[w->n_links];
	*l = (struct sim_link){ .a = from, .at_a = e->link, .b = to };
	event.link = w->n_links++;
	if (to != NONE && w->nodes[to].listening && reachable(w, from, to) &&
	    memcmp(e->server_key, w->nodes[to].identity.curve_public, KEY_LEN) == 0) {
		if (allows(&w->nodes[to], e->client_public)) {
			l->up = true;
			l->at_b = 0x80000000u | ++w->nodes[to].next_incoming;
			event.kind = EVENT_LINK_UP;
			event.frame = mem_copy(e->client_public, KEY_LEN);
			event.node = to;
			queue_push(w, event);
			event.frame = mem_copy(e->server_key, KEY_LEN);
			event.node = from;
		} else {
			event.why = ERR_DENIED;
			w->counts[FAULT_REFUSED_LINK]++;
		}
	}
	queue_push(w, event);
}

static void on_send(struct world *w, size_t from, const struct effect *e)
{
	size_t link = link_of(w, from, e->link);
	struct sim_event event = { .kind = EVENT_MESSAGE, .link = link };
	int copies = 1;

	if (w->tap != NULL)
		w->tap(w->tap_arg, from, e->bytes);
	if (link == NONE || !w->links[link].up || !reachable(w, w->links[link].a, w->links[link].b))
		return;
	event.node = w->links[link].a == from ? w->links[link].b : w->links[link].a;
	if (chance(w, w->options.loss)) {
		w->counts[FAULT_LOSS]++;
		return;
	}
	if (chance(w, w->options.duplicate)) {
		w->counts[FAULT_DUPLICATE]++;
		copies = 2;
	}
	while (copies-- > 0) {
		/* In order on a link, as TCP keeps it, unless the fault is drawn. */
		event.at = w->now + 5;
		if (chance(w, w->options.reorder)) {
			w->counts[FAULT_REORDER]++;
			event.at += rng_below(&w->rng, 500);
		}
		event.frame = mem_copy(e->bytes.data, e->bytes.len);
		event.len = e->bytes.len;
		queue_push(w, event);
	}
}

/* ---- nodes ------------------------------------------------------------------------------------------------------------- */
static void stop_node(struct world *w, size_t i)
{
	struct sim_node *s = &w->nodes[i];

	for (size_t k = 0; k < w->n_links; k++)
		if (w->links[k].up && (w->links[k].a == i || w->links[k].b == i))
			link_drop(w, k, i, ERR_WAITING);
	node_close(s->node);
	store_close(s->store);
	s->node = NULL;
	s->store = NULL;
	s->listening = false;
}

static struct event make_event(struct world *w, size_t i, enum event_kind kind)
{
	struct event ev = { .kind = kind, .wall_ms = w->now + (uint64_t)w->nodes[i].skew_ms, .mono_ms = w->now - START_MS + 1000 };

	rng_bytes(&w->rng, ev.random, sizeof ev.random);
	return ev;
}

static void turn(struct world *w, size_t i, const struct event *ev);

static void start_node(struct world *w, size_t i)
{
	struct sim_node *s = &w->nodes[i];
	struct event ev = make_event(w, i, EVENT_START);
	enum err e = store_open_memory(&s->store, s->disk, s->store_key);

	if (e == OK)
		e = node_open(&s->node, s->store, &s->identity, &s->host, ev.wall_ms, ev.random);
	if (e != OK) {
		fprintf(stderr, "node %zu does not open: %s\n", i, err_text(e));
		abort();
	}
	store_disk_sync(s->disk);
	turn(w, i, &ev);
}

static void on_listen(struct world *w, size_t i, bool on)
{
	struct event ev = make_event(w, i, EVENT_LISTENING);
	struct slice address = slice_of(w->nodes[i].address);

	w->nodes[i].listening = on;
	ev.port = on ? 7411 : 0;
	ev.addresses = &address;
	ev.n_addresses = on;
	turn(w, i, &ev);
}

static void execute(struct world *w, size_t i, const struct effect *e, int *listen)
{
	size_t link;

	switch (e->kind) {
	case EFFECT_SEND:
		note(w, "sends", i, e->bytes.data, e->bytes.len);
		on_send(w, i, e);
		break;
	case EFFECT_CONNECT:
		note(w, "dials", i, e->address, strlen(e->address));
		on_connect(w, i, e);
		break;
	case EFFECT_DISCONNECT:
		note(w, "hangs up", i, &e->link, sizeof e->link);
		if ((link = link_of(w, i, e->link)) != NONE)
			link_drop(w, link, i, ERR_WAITING);
		break;
	case EFFECT_ALLOW:
		mem_free(w->nodes[i].allowed);
		w->nodes[i].allowed = mem_copy(e->bytes.data, e->bytes.len);
		w->nodes[i].n_allowed = e->bytes.len / KEY_LEN;
		break;
	case EFFECT_REPLY:
		note(w, "replies", i, &e->reply->err, sizeof e->reply->err);
		if (e->token != w->reply_token)
			break;
		w->replied = true;
		w->reply_err = e->reply->err;
		buf_clear(&w->reply_message);
		buf_put_slice(&w->reply_message, e->reply->message);
		buf_clear(&w->reply_fields);
		buf_put_slice(&w->reply_fields, e->reply->fields);
		break;
	case EFFECT_LISTEN:
		*listen = e->on;
		break;
	case EFFECT_LOG:
		if (w->options.story)
			printf("            node %zu  log: %.*s\n", i, (int)e->bytes.len, (const char *)e->bytes.data);
		break;
	case EFFECT_STOP:
		break;
	}
}

/* A turn, the disk's sync, then the effects: a crash may come between any two of them (promise 3). */
static void turn(struct world *w, size_t i, const struct event *ev)
{
	struct sim_node *s = &w->nodes[i];
	int listen = -1;
	enum err e;

	if (s->node == NULL)
		return;
	store_disk_unsynced(s->disk, true);
	if (chance(w, w->options.oom)) {
		w->counts[FAULT_MEMORY]++;
		mem_fail_after((long)rng_below(&w->rng, 400));
	}
	e = node_turn(&s->node, s->store, ev, 1, s->effects);
	mem_fail_after(-1);
	if (e != OK) {
		assert(s->node == NULL);
		s->node = NULL;                 /* it could not even be rebuilt: the process would end and be started again */
		stop_node(w, i);
		store_disk_limit(s->disk, 0);
		start_node(w, i);
		return;
	}
	if (chance(w, w->options.crash)) {
		w->counts[FAULT_CRASH_BEFORE_SYNC]++;
		note(w, "crashes before its writes are synced", i, NULL, 0);
		stop_node(w, i);
		store_disk_crash(s->disk);
		start_node(w, i);
		return;
	}
	store_disk_sync(s->disk);
	if (chance(w, w->options.crash)) {
		w->counts[FAULT_CRASH_AFTER_SYNC]++;
		note(w, "crashes before its frames are sent", i, NULL, 0);
		stop_node(w, i);
		start_node(w, i);
		return;
	}
	for (size_t k = 0; k < effects_count(s->effects); k++)
		execute(w, i, effects_at(s->effects, k), &listen);
	if (listen >= 0 && s->listening != (listen != 0))
		on_listen(w, i, listen != 0);
}

static void make_identity(struct world *w, size_t i)
{
	struct sim_node *s = &w->nodes[i];
	struct certificate c = { .by_root = true, .created_ms = START_MS };
	uint8_t seed[32], root_secret[SIGN_SECRET_LEN];
	struct buf b = {0};

	rng_bytes(&w->rng, s->identity.seed, 32);
	s->identity.has_seed = true;
	crypto_sign_seed(s->identity.root.b, root_secret, s->identity.seed);
	rng_bytes(&w->rng, seed, 32);
	crypto_sign_seed(s->identity.device.b, s->identity.sign_secret, seed);
	rng_bytes(&w->rng, seed, 32);
	crypto_box_seed(s->identity.box_public, s->identity.box_secret, seed);
	rng_bytes(&w->rng, seed, 32);
	crypto_box_seed(s->identity.curve_public, s->identity.curve_secret, seed);
	c.root = c.certifier = s->identity.root;
	c.device = s->identity.device;
	memcpy(c.box, s->identity.box_public, KEY_LEN);
	memcpy(c.curve, s->identity.curve_public, KEY_LEN);
	assert(certificate_make(&b, &c, root_secret, s->identity.sign_secret) == OK && b.len <= sizeof s->identity.certificate);
	memcpy(s->identity.certificate, b.data, b.len);
	s->identity.certificate_len = b.len;
	buf_free(&b);
	(void)snprintf(s->identity.name, sizeof s->identity.name, "Node %zu", i);
	rng_bytes(&w->rng, s->store_key, KEY_LEN);
	rng_bytes(&w->rng, s->host.machine, 16);
	s->host.agent = "sim";
	(void)snprintf(s->address, sizeof s->address, "tcp://10.0.0.%zu:7411", i + 1);
}

struct world *world_new(uint64_t seed, const struct world_options *options)
{
	struct world *w = mem_alloc(sizeof *w);

	assert(w != NULL);
	w->options = *options;
	w->now = START_MS;
	rng_seed_u64(&w->rng, seed);
	w->n = options->nodes;
	w->nodes = mem_array(w->n, sizeof *w->nodes);
	assert(w->nodes != NULL);
	for (size_t i = 0; i < w->n; i++) {
		make_identity(w, i);
		w->nodes[i].disk = store_disk_new();
		w->nodes[i].effects = effects_new();
		w->nodes[i].skew_ms = (int64_t)rng_below(&w->rng, 4000) - 2000;
		if (rng_below(&w->rng, 8) == 0)         /* beyond LIMIT_FUTURE_MS: its ops are held elsewhere, or theirs with it */
			w->nodes[i].skew_ms *= 300;
		start_node(w, i);
	}
	w->faults = true;
	return w;
}

void world_free(struct world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		node_close(w->nodes[i].node);
		store_close(w->nodes[i].store);
		store_disk_free(w->nodes[i].disk);
		store_disk_free(w->nodes[i].snapshot);
		effects_free(w->nodes[i].effects);
		mem_free(w->nodes[i].allowed);
	}
	for (size_t i = 0; i < w->n_queue; i++)
		mem_free(w->queue[i].frame);
	buf_free(&w->reply_message);
	buf_free(&w->reply_fields);
	mem_free(w->nodes);
	mem_free(w->queue);
	mem_free(w->links);
	mem_free(w);
}

/* ---- time ---------------------------------------------------------------------------------------------------------------- */
static void deliver_frame(struct world *w, const struct sim_event *q, struct event *ev)
{
	struct net_message message;
	enum err e = net_check(&message, SLICE(q->frame, q->len));

	if (e == OK) {
		ev->message = &message;
		turn(w, q->node, ev);
		net_message_free(&message);
	} else {
		ev->kind = EVENT_BAD_FRAME;
		ev->why = e;
		turn(w, q->node, ev);
	}
}

static void deliver(struct world *w, struct sim_event *q)
{
	const struct sim_link *l = &w->links[q->link];
	struct event ev = make_event(w, q->node, q->kind);

	ev.link = l->a == q->node && q->node != l->b ? l->at_a : l->at_b;
	ev.why = q->why;
	if (q->kind == EVENT_LINK_UP)
		memcpy(ev.curve, q->frame, KEY_LEN);
	if (q->kind == EVENT_MESSAGE && !l->up)
		return;
	if (q->kind == EVENT_LINK_UP && !l->up)
		return;
	note(w, q->kind == EVENT_MESSAGE ? "gets a frame" : q->kind == EVENT_LINK_UP ? "link up" : "link down", q->node, q->frame, q->len);
	if (q->kind == EVENT_MESSAGE)
		deliver_frame(w, q, &ev);
	else
		turn(w, q->node, &ev);
}

static uint64_t next_timer(const struct world *w, size_t *who)
{
	uint64_t at = UINT64_MAX;

	for (size_t i = 0; i < w->n; i++) {
		uint64_t due = w->nodes[i].node == NULL ? UINT64_MAX : node_deadline(w->nodes[i].node);

		if (due == UINT64_MAX)
			continue;
		due += START_MS - 1000;
		if (due < at) {
			at = due;
			*who = i;
		}
	}
	return at;
}

/* One thing: the next frame or timer.  False: nothing before the limit. */
static bool world_step(struct world *w, uint64_t limit)
{
	size_t who = 0;
	uint64_t timer = next_timer(w, &who);

	if (w->n_queue > 0 && w->queue[0].at <= limit && w->queue[0].at <= timer) {
		struct sim_event q = queue_pop(w);

		if (q.at > w->now)
			w->now = q.at;
		deliver(w, &q);
		mem_free(q.frame);
		return true;
	}
	if (timer <= limit) {
		struct event ev;

		w->now = timer > w->now ? timer : w->now + 1;
		ev = make_event(w, who, EVENT_TIME);
		note(w, "timer", who, NULL, 0);
		turn(w, who, &ev);
		return true;
	}
	return false;
}

void world_run(struct world *w, uint64_t ms)
{
	uint64_t limit = w->now + ms;

	while (w->now < limit && world_step(w, limit))
		;
	if (w->now < limit)
		w->now = limit;
}

enum err world_command(struct world *w, size_t node, struct command *c, uint64_t max_ms)
{
	struct event ev = make_event(w, node, EVENT_COMMAND);
	uint64_t limit = w->now + max_ms;

	rng_bytes(&w->rng, &c->request, DOC_LEN);
	w->replied = false;
	w->reply_token = ev.token = ++w->token;
	ev.command = c;
	note(w, "command", node, &c->kind, sizeof c->kind);
	turn(w, node, &ev);
	while (!w->replied && w->now < limit && world_step(w, limit))
		;
	return w->replied ? w->reply_err : ERR_BUSY;            /* BUSY: it crashed, nobody knows */
}

/* ---- looking --------------------------------------------------------------------------------------------------------------- */
static struct slice reply_field(struct world *w, const char *key)
{
	struct mp_reader r = mp_read(buf_slice(&w->reply_fields));
	size_t n = mp_get_map(&r, 64);

	for (size_t i = 0; i < n; i++) {
		struct slice name = mp_get_str(&r, 64), value = mp_get_any(&r);

		if (slice_equal(name, slice_of(key)))
			return value;
	}
	return SLICE(NULL, 0);
}

const uint8_t *world_reply_bin(struct world *w, const char *key, size_t len)
{
	struct mp_reader r = mp_read(reply_field(w, key));
	struct slice s = mp_get_bin(&r, 1024);

	return s.len == len ? s.data : NULL;
}

struct slice world_reply_text(struct world *w, const char *key)
{
	struct mp_reader r = mp_read(reply_field(w, key));

	return mp_get_str(&r, 65536);
}

struct slice world_reply_message(struct world *w)
{
	return buf_slice(&w->reply_message);
}

void world_crash(struct world *w, size_t node)
{
	w->counts[FAULT_CRASH_AFTER_SYNC]++;
	stop_node(w, node);
	start_node(w, node);
}

/* The first call takes a snapshot of the machine, the second goes back to it.  known: what a node can notice (a restored backup, a
 * copied home); else a live snapshot, which only fork proofs can mend. */
bool world_rollback(struct world *w, size_t node, bool known)
{
	struct sim_node *s = &w->nodes[node];

	if (s->snapshot == NULL) {
		s->snapshot = store_disk_clone(s->disk);
		assert(s->snapshot != NULL);
		return false;
	}
	w->counts[FAULT_ROLLBACK]++;
	note(w, "goes back to its snapshot", node, NULL, 0);
	stop_node(w, node);
	store_disk_free(s->disk);
	s->disk = s->snapshot;
	s->snapshot = NULL;
	if (known)
		rng_bytes(&w->rng, s->host.machine, 16);
	start_node(w, node);
	return true;
}

void world_partition(struct world *w, bool on)
{
	w->partitioned = on;
	w->counts[FAULT_PARTITION] += on;
	for (size_t i = 0; i < w->n; i++)
		w->nodes[i].side = rng_below(&w->rng, 2);
	for (size_t k = 0; on && k < w->n_links; k++)
		if (w->links[k].up && !reachable(w, w->links[k].a, w->links[k].b))
			link_drop(w, k, NONE, ERR_WAITING);
}

void world_disk_limit(struct world *w, size_t node, size_t bytes)
{
	w->counts[FAULT_FULL] += bytes != 0;
	store_disk_limit(w->nodes[node].disk, bytes);
}

void world_fail_commit(struct world *w, size_t node)
{
	w->counts[FAULT_FAILED_COMMIT]++;
	store_disk_fail_commits(w->nodes[node].disk, 1);
}

void world_faults(struct world *w, bool on)
{
	w->faults = on;
	if (!on) {
		w->partitioned = false;
		for (size_t i = 0; i < w->n; i++)
			store_disk_limit(w->nodes[i].disk, 0);
	}
}

struct rng *world_rng(struct world *w) { return &w->rng; }
uint64_t world_now(const struct world *w) { return w->now; }
uint64_t world_count(const struct world *w, enum fault f) { return w->counts[f]; }
struct store *world_store(struct world *w, size_t node) { return w->nodes[node].store; }
const struct id32 *world_device(struct world *w, size_t node) { return &w->nodes[node].identity.device; }
const struct id32 *world_member(struct world *w, size_t node) { return &w->nodes[node].identity.root; }
void world_trace(const struct world *w, struct id32 *out) { memcpy(out, w->trace, HASH_LEN); }

void world_tap(struct world *w, void (*tap)(void *, size_t, struct slice), void *arg)
{
	w->tap = tap;
	w->tap_arg = arg;
}

struct view *world_view(struct world *w, size_t node)
{
	struct view *v = NULL;

	assert(view_open(&v, w->nodes[node].node, w->nodes[node].store, w->now) == OK);
	return v;
}

static void hashes(struct world *w, size_t i, const struct id32 *org, struct id32 out[2])
{
	struct view *v = world_view(w, i);

	memset(out, 0, 2 * sizeof *out);
	if (view_state_hash(v, org, &out[0], &out[1]) != OK)
		memset(out, (int)i + 1, 2 * sizeof *out);
	view_close(v);
}

/* What is cached of documents is what their ops add up to. */
size_t world_wrong_folds(struct world *w)
{
	size_t all = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct view *v = world_view(w, i);
		struct node *n = w->nodes[i].node;

		for (size_t k = 0; k < n->n_spaces; k++) {
			size_t wrong = 1;

			if (fold_check(n, &n->spaces[k], &wrong) != OK)
				wrong = 1;
			all += wrong;
		}
		view_close(v);
	}
	return all;
}

bool world_equal(struct world *w, const struct id32 *org)
{
	struct id32 first[2], other[2];

	hashes(w, 0, org, first);
	for (size_t i = 1; i < w->n; i++) {
		hashes(w, i, org, other);
		if (memcmp(first, other, sizeof first) != 0)
			return false;
	}
	return true;
}

void world_show(struct world *w, const struct id32 *org)
{
	for (size_t i = 0; i < w->n; i++) {
		struct id32 h[2];

		hashes(w, i, org, h);
		printf("  node %zu: replica %02x%02x%02x%02x state %02x%02x%02x%02x\n", i, h[0].b[0], h[0].b[1], h[0].b[2], h[0].b[3], h[1].b[0],
			h[1].b[1], h[1].b[2], h[1].b[3]);
	}
}
