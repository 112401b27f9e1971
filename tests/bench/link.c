/* How much of raw libzmq does net/link keep?  300-byte frames over CURVE on loopback, from one process to another: link to link (with
 * a window, as sessions have credit), then DEALER to ROUTER.  One line: frames/s and MB/s of both, the ratio, and
 * the time from one end to the other and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>
#include <zmq.h>
#include "net/link.h"

#define LEN     300
#define WINDOW  4000
#define ACK     250             /* frames between two acknowledgements */
#define PINGS   1000
#define ROUNDS  5

struct bench {
	struct link *link;
	uv_loop_t loop;
	uint32_t number;
	bool up, echo;
	uint64_t frames, total;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "bench/link: %s\n", what);
		exit(1);
	}
}

static void on_up(void *arg, uint32_t number, const uint8_t key[KEY_LEN])
{
	struct bench *b = arg;

	(void)key;
	b->number = number;
	b->up = true;
}

static void on_down(void *arg, uint32_t number, enum err why)
{
	(void)arg, (void)number, (void)why;
}

/* The receiver acknowledges every ACK-th frame, and answers each of the PINGS that follow. */
static void on_frame(void *arg, uint32_t number, struct slice frame)
{
	struct bench *b = arg;

	b->frames++;
	if (b->echo && (b->frames % ACK == 0 || b->frames > b->total))
		must(link_send(b->link, number, SLICE(frame.data, 8)) == OK, "acknowledging");
}

static void keys(struct curve_pair *k, uint8_t n)
{
	uint8_t seed[KEY_LEN] = { n };

	crypto_box_seed(k->public, k->secret, seed);
}

static void bench_open(struct bench *b, const struct curve_pair *own)
{
	struct link_events events = { b, on_up, on_down, on_frame };

	must(crypto_start() == OK && uv_loop_init(&b->loop) == 0, "the loop");
	must(link_open(&b->link, &b->loop, &events, own) == OK, "opening");
}

static void receive_link(int out, const struct curve_pair *own, const struct curve_pair *other, uint64_t n)
{
	struct bench b = { .echo = true, .total = n };
	uint16_t port;

	bench_open(&b, own);
	must(link_allow(b.link, &other->public, 1) == OK, "allowing");
	must(link_listen(b.link, "tcp://127.0.0.1:*", &port) == OK, "listening");
	must(write(out, &port, sizeof port) == sizeof port, "the pipe");
	while (b.frames < n + PINGS)
		uv_run(&b.loop, UV_RUN_ONCE);
	link_close(b.link);
	uv_run(&b.loop, UV_RUN_DEFAULT);
}

static double send_link(int in, const struct curve_pair *own, const struct curve_pair *other, uint64_t n, double *ping)
{
	struct bench b = { 0 };
	uint8_t frame[LEN] = { 0 };
	uint64_t sent = 0;
	uint16_t port;
	char address[64];
	double start, time;

	must(read(in, &port, sizeof port) == sizeof port, "the pipe");
	snprintf(address, sizeof address, "tcp://127.0.0.1:%u", port);
	bench_open(&b, own);
	must(link_connect(b.link, 1, address, other->public, own) == OK, "connecting");
	while (!b.up)
		uv_run(&b.loop, UV_RUN_ONCE);
	start = now();
	while (b.frames < n / ACK) {
		while (sent < n && sent - b.frames * ACK < WINDOW && link_send(b.link, 1, SLICE(frame, LEN)) == OK)
			sent++;
		uv_run(&b.loop, UV_RUN_ONCE);
	}
	time = now() - start;
	start = now();
	for (uint64_t i = 0; i < PINGS; i++) {
		uint64_t before = b.frames;
		must(link_send(b.link, 1, SLICE(frame, LEN)) == OK, "sending");
		while (b.frames == before)
			uv_run(&b.loop, UV_RUN_ONCE);
	}
	*ping = (now() - start) / PINGS;
	link_close(b.link);
	uv_run(&b.loop, UV_RUN_DEFAULT);
	return time;
}

static void receive_raw(int out, const struct curve_pair *own, const struct curve_pair *other, uint64_t n)
{
	void *context = zmq_ctx_new(), *s = zmq_socket(context, ZMQ_ROUTER);
	char endpoint[64];
	size_t len = sizeof endpoint;
	uint8_t id[256];
	uint16_t port;
	int one = 1, id_len = 0;
	zmq_msg_t m;

	(void)other;
	zmq_setsockopt(s, ZMQ_CURVE_SERVER, &one, sizeof one);
	zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, own->secret, KEY_LEN);
	must(zmq_bind(s, "tcp://127.0.0.1:*") == 0, "binding");
	zmq_getsockopt(s, ZMQ_LAST_ENDPOINT, endpoint, &len);
	port = (uint16_t)atoi(strrchr(endpoint, ':') + 1);
	must(write(out, &port, sizeof port) == sizeof port, "the pipe");
	for (uint64_t i = 0; i < n; i++) {
		id_len = zmq_recv(s, id, sizeof id, 0);
		zmq_msg_init(&m);
		must(zmq_msg_recv(&m, s, 0) == LEN, "receiving");
		zmq_msg_close(&m);
	}
	zmq_send(s, id, (size_t)id_len, ZMQ_SNDMORE);
	zmq_send(s, "done", 4, 0);
	zmq_close(s);
	zmq_ctx_term(context);
}

static double send_raw(int in, const struct curve_pair *own, const struct curve_pair *other, uint64_t n, double *ping)
{
	void *context = zmq_ctx_new(), *s = zmq_socket(context, ZMQ_DEALER);
	uint8_t frame[LEN] = { 0 };
	char address[64];
	uint16_t port;
	double start;

	(void)ping;
	must(read(in, &port, sizeof port) == sizeof port, "the pipe");
	snprintf(address, sizeof address, "tcp://127.0.0.1:%u", port);
	zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, own->public, KEY_LEN);
	zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, own->secret, KEY_LEN);
	zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, other->public, KEY_LEN);
	must(zmq_connect(s, address) == 0, "connecting");
	start = now();
	for (uint64_t i = 0; i < n; i++)
		must(zmq_send(s, frame, LEN, 0) == LEN, "sending");
	must(zmq_recv(s, frame, LEN, 0) == 4, "receiving");
	start = now() - start;
	zmq_close(s);
	zmq_ctx_term(context);
	return start;
}

typedef void receive_fn(int, const struct curve_pair *, const struct curve_pair *, uint64_t);
typedef double send_fn(int, const struct curve_pair *, const struct curve_pair *, uint64_t, double *);

static double measure(receive_fn *receive, send_fn *send, uint64_t n, double *ping)
{
	struct curve_pair a, b;
	int ends[2];
	pid_t child;
	double time;

	must(pipe(ends) == 0, "a pipe");
	keys(&a, 1);
	keys(&b, 2);
	child = fork();
	must(child >= 0, "a process");
	if (child == 0) {
		receive(ends[1], &b, &a, n);
		_exit(0);
	}
	time = send(ends[0], &a, &b, n, ping);
	waitpid(child, NULL, 0);
	close(ends[0]);
	close(ends[1]);
	return (double)n / time;
}

int main(int argc, char **argv)
{
	uint64_t n = (argc > 1 ? strtoull(argv[1], NULL, 10) : 400000) / ACK * ACK;
	double ping = 1, link = 0, raw = 0;

	must(crypto_start() == OK, "libsodium");
	for (int i = 0; i < ROUNDS; i++) {      /* the best of each, by turns: other programs disturb */
		double time = 1, rate = measure(receive_link, send_link, n, &time);

		link = rate > link ? rate : link;
		ping = time < ping ? time : ping;
		rate = measure(receive_raw, send_raw, n, &time);
		raw = rate > raw ? rate : raw;
	}
	printf("link: %.0f k/s %.0f MB/s; raw zmq: %.0f k/s %.0f MB/s (%d B, CURVE, loopback); ratio %.2f; round trip %.0f us\n",
		link / 1e3, link * LEN / 1e6, raw / 1e3, raw * LEN / 1e6, LEN, link / raw, ping * 1e6);
	return 0;
}
