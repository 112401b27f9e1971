/* Real nodes in memory, links between them that lose nothing, and the HTTP server in front of one of them (`current`): requests come
 * through a socket, commands become turns, reads are views.  All in one thread. */
#ifndef TESTS_DAEMON_ROUTES_H
#define TESTS_DAEMON_ROUTES_H
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>
#include "base/mem.h"
#include "base/rng.h"
#include "daemon/routes.h"
#include "net/link.h"
#include "tests/unit/daemon_dir.h"

/* ---- a few nodes, and links between them that lose nothing ------------------------------------------------------------------- */
#define NODES 4
#define LINKS 64
#define WAITING 512
struct machine { struct node *node; struct store *store; struct store_disk *disk; struct node_identity id; struct node_host host; };
struct wire { bool up; size_t node[2]; uint32_t link[2]; };
struct waiting { struct event event; size_t node; struct buf frame; };
static struct machine machines[NODES];
static struct wire wires[LINKS];
static struct waiting queue[WAITING];
static size_t n_wires, first, last, current, n_machines;
static struct effects *effects;
static struct rng rng;
static uint64_t mono, wall;
static const char *const names[NODES] = { "Ann", "Bob", "Vic", "Mia" };

static void make_machine(size_t i)
{
	struct machine *m = &machines[i];
	struct certificate c = { .by_root = true };
	uint8_t seed[32], root_secret[SIGN_SECRET_LEN], key[KEY_LEN], random[32];
	struct buf b = { 0 };

	rng_bytes(&rng, m->id.seed, 32);
	m->id.has_seed = true;
	crypto_sign_seed(m->id.root.b, root_secret, m->id.seed);
	rng_bytes(&rng, seed, 32);
	crypto_sign_seed(m->id.device.b, m->id.sign_secret, seed);
	rng_bytes(&rng, seed, 32);
	crypto_box_seed(m->id.box_public, m->id.box_secret, seed);
	rng_bytes(&rng, seed, 32);
	crypto_box_seed(m->id.curve_public, m->id.curve_secret, seed);
	c.root = c.certifier = m->id.root;
	c.device = m->id.device;
	memcpy(c.box, m->id.box_public, KEY_LEN);
	memcpy(c.curve, m->id.curve_public, KEY_LEN);
	assert_int_equal(certificate_make(&b, &c, root_secret, m->id.sign_secret), OK);
	memcpy(m->id.certificate, b.data, b.len);
	m->id.certificate_len = b.len;
	buf_free(&b);
	strcpy(m->id.name, names[i]);
	m->host.agent = "test";
	rng_bytes(&rng, key, KEY_LEN);
	rng_bytes(&rng, random, 32);
	m->disk = store_disk_new();
	assert_int_equal(store_open_memory(&m->store, m->disk, key), OK);
	assert_int_equal(node_open(&m->node, m->store, &m->id, &m->host, wall, random), OK);
}

static struct waiting *later(size_t node, enum event_kind kind, uint32_t link)
{
	struct waiting *w = &queue[last++ % WAITING];

	assert_true(last - first < WAITING);
	*w = (struct waiting){ .node = node, .event = { .kind = kind, .link = link } };
	return w;
}

static struct wire *wire_of(size_t node, uint32_t link, size_t *end)
{
	for (size_t i = 0; i < n_wires; i++)
		for (*end = 0; *end < 2; ++*end)
			if (wires[i].up && wires[i].node[*end] == node && wires[i].link[*end] == link)
				return &wires[i];
	return NULL;
}

static void connect_to(size_t from, const struct effect *x)
{
	for (size_t i = 0; i < n_machines; i++)
		if (memcmp(machines[i].id.curve_public, x->server_key, KEY_LEN) == 0) {
			assert_true(n_wires < LINKS);
			wires[n_wires] = (struct wire){ true, { from, i }, { x->link, LINK_INCOMING | (uint32_t)(n_wires + 1) } };
			memcpy(later(from, EVENT_LINK_UP, x->link)->event.curve, x->server_key, KEY_LEN);
			memcpy(later(i, EVENT_LINK_UP, wires[n_wires].link[1])->event.curve, x->client_public, KEY_LEN);
			n_wires++;
			return;
		}
	later(from, EVENT_LINK_DOWN, x->link)->event.why = ERR_WAITING;
}

/* ---- the server ------------------------------------------------------------------------------------------------------------------ */
static uv_loop_t loop;
static uv_prepare_t prepare;
static struct http *http;
static char socket_path[128];
static struct { bool is; uint64_t token; struct reply reply; struct buf message, hint, fields; } answered;

static void keep_reply(const struct effect *x)
{
	answered.is = true;
	answered.token = x->token;
	buf_put_slice(&answered.message, x->reply->message);
	buf_put_slice(&answered.hint, x->reply->hint);
	buf_put_slice(&answered.fields, x->reply->fields);
	answered.reply = (struct reply){ x->reply->err, buf_slice(&answered.message), buf_slice(&answered.hint), buf_slice(&answered.fields) };
}

static void carry_out(size_t node, const struct effect *x)
{
	struct waiting *w;
	struct wire *wire;
	size_t end;

	switch (x->kind) {
	case EFFECT_CONNECT:
		connect_to(node, x);
		break;
	case EFFECT_SEND:
		if ((wire = wire_of(node, x->link, &end)) != NULL) {
			w = later(wire->node[!end], EVENT_MESSAGE, wire->link[!end]);
			buf_put_slice(&w->frame, x->bytes);
		}
		break;
	case EFFECT_DISCONNECT:
		if ((wire = wire_of(node, x->link, &end)) != NULL) {
			wire->up = false;
			later(wire->node[!end], EVENT_LINK_DOWN, wire->link[!end])->event.why = ERR_WAITING;
		}
		break;
	case EFFECT_LISTEN:
		if (x->on)
			later(node, EVENT_LISTENING, 0)->event.port = 7411;
		break;
	case EFFECT_REPLY:
		keep_reply(x);
		break;
	default:
		break;
	}
}

static void turn(size_t node, struct event *ev)
{
	char text[64];
	struct slice address;

	snprintf(text, sizeof text, "tcp://10.0.0.%zu:7411", node + 1);
	address = slice_of(text);
	ev->wall_ms = wall;
	ev->mono_ms = mono;
	rng_bytes(&rng, ev->random, 32);
	if (ev->kind == EVENT_LISTENING) {
		ev->addresses = &address;
		ev->n_addresses = 1;
	}
	assert_int_equal(node_turn(&machines[node].node, machines[node].store, ev, 1, effects), OK);
	for (size_t i = 0; i < effects_count(effects); i++)
		carry_out(node, effects_at(effects, i));
}

static void one_event(void)
{
	struct waiting *w = &queue[first++ % WAITING];
	struct net_message message;
	size_t end;

	if (w->event.kind != EVENT_MESSAGE) {
		turn(w->node, &w->event);
		return;
	}
	assert_int_equal(net_check(&message, buf_slice(&w->frame)), OK);
	w->event.message = &message;
	if (wire_of(w->node, w->event.link, &end) != NULL)
		turn(w->node, &w->event);
	net_message_free(&message);
	buf_free(&w->frame);
}

/* What happens in so many milliseconds. */
static void pass(uint64_t ms)
{
	const uint64_t end = mono + ms;

	while (mono < end) {
		while (first < last)
			one_event();
		mono += 10;
		wall += 10;
		for (size_t i = 0; i < n_machines; i++)
			if (node_deadline(machines[i].node) <= mono)
				turn(i, &(struct event){ .kind = EVENT_TIME });
	}
}

static enum http_state on_state(void *arg)
{
	(void)arg;
	return HTTP_OPEN;
}

static enum err on_command(void *arg, uint64_t token, const struct command *c)
{
	(void)arg;
	turn(current, &(struct event){ .kind = EVENT_COMMAND, .token = token, .command = c });
	return OK;
}

static struct node *on_node(void *arg)
{
	(void)arg;
	return machines[current].node;
}

static struct store *on_store(void *arg)
{
	(void)arg;
	return machines[current].store;
}

static const struct http_host host = { .state = on_state, .command = on_command, .node = on_node, .store = on_store };

static void on_prepare(uv_prepare_t *p)
{
	(void)p;
	if (!answered.is && http_waiting(http) > 0)
		pass(50);                               /* somebody waits for what takes time */
	if (answered.is) {
		struct buf message = answered.message, hint = answered.hint, fields = answered.fields;
		struct reply reply = answered.reply;
		uint64_t token = answered.token;

		memset(&answered, 0, sizeof answered);
		http_reply(http, token, &reply);
		buf_free(&message);
		buf_free(&hint);
		buf_free(&fields);
	}
	http_turn(http);
}

static int start(void **state)
{
	static const uint8_t seed[32] = { 7 };

	if (dir_make(state) != 0)
		return -1;
	mono = 1000;
	wall = 1790000000000;
	n_machines = n_wires = first = last = current = 0;
	rng_seed(&rng, seed);
	effects = effects_new();
	for (; n_machines < NODES; n_machines++)
		make_machine(n_machines);
	for (size_t i = 0; i < NODES; i++)
		turn(i, &(struct event){ .kind = EVENT_START });
	snprintf(socket_path, sizeof socket_path, "%s/s", dir_path);
	uv_loop_init(&loop);
	uv_prepare_init(&loop, &prepare);
	uv_prepare_start(&prepare, on_prepare);
	return http_open(&http, &loop, socket_path, &host, routes, routes_count) == OK ? 0 : -1;
}

static int stop(void **state)
{
	uv_close((uv_handle_t *)&prepare, NULL);
	http_close(http);
	uv_run(&loop, UV_RUN_DEFAULT);
	while (first < last)
		buf_free(&queue[first++ % WAITING].frame);
	for (size_t i = 0; i < n_machines; i++) {
		node_close(machines[i].node);
		store_close(machines[i].store);
		store_disk_free(machines[i].disk);
	}
	memset(machines, 0, sizeof machines);
	effects_free(effects);
	return uv_loop_close(&loop) != 0 ? -1 : dir_remove(state);
}

/* ---- a client in the same thread ---------------------------------------------------------------------------------------------------- */
static char received[1 << 20];

static size_t receive(int fd)
{
	size_t len = 0;

	for (int i = 0; i < 100000; i++) {
		ssize_t n = recv(fd, received + len, sizeof received - 1 - len, MSG_DONTWAIT);

		if (n == 0)
			break;
		len += n > 0 ? (size_t)n : 0;
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	received[len] = '\0';
	return len;
}

/* With the k-th allocation of the server failing, and all after it. */
static void exchange(const char *method, const char *path, const char *body, long k)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char request[8192];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, socket_path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", method, path,
		strlen(body), body);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	mem_fail_after(k);
	receive(fd);
	mem_fail_after(-1);
	close(fd);
}

#endif
