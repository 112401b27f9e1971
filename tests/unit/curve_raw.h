/* CURVE by hand (ZMTP 3.1, CurveZMQ), blocking: it says what libzmq never would.  For tests of what a peer with or
 * without a valid key can do to us. */
#ifndef TESTS_CURVE_RAW_H
#define TESTS_CURVE_RAW_H
#include <arpa/inet.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct raw {
	int fd;
	uint8_t session[32];            /* the precomputed key C' -> S' */
	uint64_t nonce;
	bool server, hasty;             /* hasty: waits 50 ms, not 5 s */
	/* Faults: the n-th frame (from 1) is garbled by this many random changes; other properties in INITIATE. */
	unsigned frames, garble, changes;
	bool corked;                    /* collect what is written */
	uint8_t *cork;
	size_t cork_len;
	const void *properties;
	size_t properties_len;
};

static inline bool raw_write(struct raw *r, const void *data, size_t len)
{
	if (r->corked) {
		memcpy(r->cork + r->cork_len, data, len);
		r->cork_len += len;
		return true;
	}
	for (size_t done = 0; done < len;) {
		ssize_t n = send(r->fd, (const uint8_t *)data + done, len - done, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static inline bool raw_read(struct raw *r, void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = recv(r->fd, (uint8_t *)data + done, len - done, 0);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* The rest of *r is the caller's to set, before. */
static inline bool raw_connect(struct raw *r, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = r->hasty ? 0 : 5, .tv_usec = 20000 };

	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(r->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	return connect(r->fd, (struct sockaddr *)&to, sizeof to) == 0;
}

static inline bool raw_greet_as(struct raw *r, const char *mechanism, uint8_t server)
{
	uint8_t greeting[64] = { 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 1 }, theirs[64];

	memcpy(greeting + 12, mechanism, strlen(mechanism));
	greeting[32] = server;
	return raw_write(r, greeting, 64) && raw_read(r, theirs, 64);
}

static inline bool raw_greet(struct raw *r, const char *mechanism)
{
	return raw_greet_as(r, mechanism, 0);
}

/* A frame: flags 1 more, 2 long, 4 command. */
static inline bool raw_frame(struct raw *r, uint8_t flags, const void *data, size_t len)
{
	uint8_t head[9] = { (uint8_t)(flags | 2) };

	for (int i = 0; i < 8; i++)
		head[1 + i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
	if (len < 256) {
		head[0] = flags;
		head[1] = (uint8_t)len;
	}
	if (++r->frames == r->garble) {
		uint8_t *copy = malloc(len + 64);
		size_t longer = len + 64;
		bool ok;

		memcpy(copy, data, len);
		memset(copy + len, 7, 64);
		for (unsigned i = 0; i < r->changes; i++)
			switch (randombytes_uniform(4)) {
			case 0: head[randombytes_uniform(2)] ^= (uint8_t)(1 << randombytes_uniform(8)); break;
			case 1: longer = randombytes_uniform((uint32_t)longer + 1); break;
			case 2: copy[randombytes_uniform(16)] = (uint8_t)randombytes_random(); break;
			case 3: copy[randombytes_uniform((uint32_t)len + 64)] ^= (uint8_t)(1 << randombytes_uniform(8)); break;
			}
		ok = raw_write(r, head, len < 256 ? 2 : 9) && raw_write(r, copy, longer);
		free(copy);
		return ok;
	}
	return raw_write(r, head, len < 256 ? 2 : 9) && raw_write(r, data, len);
}

/* Receive a short frame of at most 255 bytes; 0: failed. */
static inline size_t raw_receive(struct raw *r, uint8_t *flags, uint8_t out[255])
{
	uint8_t head[2];

	if (!raw_read(r, head, 2) || (head[0] & 2) != 0 || !raw_read(r, out, head[1]))
		return 0;
	*flags = head[0];
	return head[1];
}

static inline void raw_nonce(uint8_t out[24], const char *prefix, uint64_t n)
{
	memcpy(out, prefix, 16);
	for (int i = 0; i < 8; i++)
		out[16 + i] = (uint8_t)(n >> (56 - 8 * i));
}

/* The whole handshake.  true: READY came. */
static inline bool raw_handshake(struct raw *r, const uint8_t server[32], const uint8_t public[32], const uint8_t secret[32],
	const char *identity)
{
	static const uint8_t zeros[64];
	uint8_t hello[200] = "\5HELLO\1", welcome[255], box[128], their[32], cookie[96], tp[32], ts[32], nonce[24], flags;
	uint8_t plain[512], initiate[1024] = "\10INITIATE", vouch[64];
	size_t n = 0, id_len = strlen(identity);

	crypto_box_keypair(tp, ts);
	raw_nonce(nonce, "CurveZMQHELLO---", ++r->nonce);
	memcpy(hello + 80, tp, 32);
	memcpy(hello + 112, nonce + 16, 8);
	if (crypto_box_easy(hello + 120, zeros, 64, nonce, server, ts) != 0 || !raw_greet(r, "CURVE")
		|| !raw_frame(r, 4, hello, 200) || raw_receive(r, &flags, welcome) != 168 || memcmp(welcome, "\7WELCOME", 8) != 0)
		return false;
	memcpy(nonce, "WELCOME-", 8);
	memcpy(nonce + 8, welcome + 8, 16);
	if (crypto_box_open_easy(box, welcome + 24, 144, nonce, server, ts) != 0)
		return false;
	memcpy(their, box, 32);
	memcpy(cookie, box + 32, 96);
	if (crypto_box_beforenm(r->session, their, ts) != 0)
		return false;
	memcpy(plain, public, 32);
	memcpy(nonce, "VOUCH---", 8);
	randombytes_buf(nonce + 8, 16);
	memcpy(plain + 32, nonce + 8, 16);
	memcpy(vouch, tp, 32);
	memcpy(vouch + 32, server, 32);
	if (crypto_box_easy(plain + 48, vouch, 64, nonce, their, secret) != 0)
		return false;
	n = 128;
	if (r->properties != NULL) {
		memcpy(plain + n, r->properties, r->properties_len);
		n += r->properties_len;
	} else {
		memcpy(plain + n, "\13Socket-Type\0\0\0\6DEALER", 22);
		n += 22;
		memcpy(plain + n, "\10Identity\0\0\0", 12);
		n += 12;
		plain[n++] = (uint8_t)id_len;
		memcpy(plain + n, identity, id_len);
		n += id_len;
	}
	raw_nonce(nonce, "CurveZMQINITIATE", ++r->nonce);
	memcpy(initiate + 9, cookie, 96);
	memcpy(initiate + 105, nonce + 16, 8);
	crypto_box_easy_afternm(initiate + 113, plain, n, nonce, r->session);
	return raw_frame(r, 4, initiate, 113 + n + 16) && raw_receive(r, &flags, welcome) > 0
		&& memcmp(welcome, "\5READY", 6) == 0;
}

/* The other role: accept one connection on a listening socket and do the server's part.  true: READY is sent. */
static inline bool raw_serve(struct raw *r, int listener, const uint8_t public[32], const uint8_t secret[32])
{
	uint8_t hello[255], flags, tp[32], ts[32], plain[128] = { 0 }, welcome[168] = "\7WELCOME", nonce[24], head[9];
	uint8_t initiate[1024], ready[64] = "\5READY", properties[22];
	struct timeval patience = { .tv_sec = r->hasty ? 0 : 5, .tv_usec = 20000 };
	uint8_t their[32];
	size_t len;

	(void)public;
	r->server = true;
	r->fd = accept(listener, NULL, NULL);
	setsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(r->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (r->fd < 0 || !raw_greet_as(r, "CURVE", 1) || raw_receive(r, &flags, hello) != 200)
		return false;
	memcpy(their, hello + 80, 32);
	crypto_box_keypair(tp, ts);
	memcpy(nonce, "WELCOME-", 8);
	randombytes_buf(nonce + 8, 16);
	memcpy(welcome + 8, nonce + 8, 16);
	memcpy(plain, tp, 32);                  /* and any cookie */
	if (crypto_box_easy(welcome + 24, plain, 128, nonce, their, secret) != 0 || !raw_frame(r, 4, welcome, 168)
		|| crypto_box_beforenm(r->session, their, ts) != 0)
		return false;
	if (!raw_read(r, head, 2))
		return false;
	len = head[1];
	if ((head[0] & 2) != 0) {
		if (!raw_read(r, head + 2, 7))
			return false;
		len = (size_t)head[7] << 8 | head[8];
	}
	if (len > sizeof initiate || !raw_read(r, initiate, len))
		return false;
	memcpy(properties, "\13Socket-Type\0\0\0\6ROUTER", 22);
	raw_nonce(nonce, "CurveZMQREADY---", ++r->nonce);
	memcpy(ready + 6, nonce + 16, 8);
	crypto_box_easy_afternm(ready + 14, properties, 22, nonce, r->session);
	return raw_frame(r, 4, ready, 14 + 22 + 16);
}

/* A message or a part of one (flags 1: more follow) or a command (2), encrypted. */
static inline bool raw_message(struct raw *r, uint8_t flags, const void *data, size_t len)
{
	uint8_t *plain = malloc(len + 1), *frame = malloc(len + 33), nonce[24];
	bool ok;

	raw_nonce(nonce, r->server ? "CurveZMQMESSAGES" : "CurveZMQMESSAGEC", ++r->nonce);
	plain[0] = flags;
	if (len > 0)
		memcpy(plain + 1, data, len);
	memcpy(frame, "\7MESSAGE", 8);
	memcpy(frame + 8, nonce + 16, 8);
	crypto_box_easy_afternm(frame + 16, plain, len + 1, nonce, r->session);
	ok = raw_frame(r, 0, frame, len + 33);
	free(plain);
	free(frame);
	return ok;
}

/* Does the other side end the connection (within the patience of the socket)? */
static inline bool raw_ended(struct raw *r)
{
	uint8_t rest[4096];
	ssize_t n;

	while ((n = recv(r->fd, rest, sizeof rest, 0)) > 0)
		;
	return n == 0 || errno == ECONNRESET || errno == EPIPE;
}

static inline void raw_close(struct raw *r)
{
	close(r->fd);
}

#endif
