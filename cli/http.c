#include "cli/http.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "base/mem.h"

#define READ_SIZE (64 * 1024)

struct http {
	int fd;                         /* -1: closed */
	struct sockaddr_un address;
	struct buf in, body;            /* received and not yet used; the decoded body */
	size_t at;                      /* in in */
	int64_t deadline;               /* monotonic ms; -1: none */
	bool used;                      /* an answer came over this connection: it may have been closed since */
};

/* ---- the connection ---- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void hang_up(struct http *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
	h->used = false;
	buf_clear(&h->in);
	h->at = 0;
}

static enum err open_err(int number)
{
	switch (number) {
	case ENOENT: case ECONNREFUSED: case ENOTDIR: return ERR_NOTFOUND;
	case EACCES: case EPERM: return ERR_DENIED;
	case ENOMEM: return ERR_NOMEM;
	default: return ERR_IO;
	}
}

/* /tmp is everybody's: the other end must be this user, or root. */
static bool ours(int fd)
{
	struct ucred who;
	socklen_t len = sizeof who;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && (who.uid == geteuid() || who.uid == 0);
}

static enum err dial(struct http *h)
{
	enum err e = OK;

	h->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (h->fd < 0)
		return open_err(errno);
	if (connect(h->fd, (struct sockaddr *)&h->address, sizeof h->address) != 0)
		e = open_err(errno);
	else if (!ours(h->fd))
		e = ERR_DENIED;
	if (e != OK)
		hang_up(h);
	return e;
}

enum err http_connect(struct http **out, const char *socket_path)
{
	struct http *h;
	enum err e;

	*out = NULL;
	if (strlen(socket_path) >= sizeof h->address.sun_path)
		return ERR_TOOBIG;
	if ((h = mem_alloc(sizeof *h)) == NULL)
		return ERR_NOMEM;
	h->address.sun_family = AF_UNIX;
	strcpy(h->address.sun_path, socket_path);
	if ((e = dial(h)) != OK) {
		http_close(h);
		return e;
	}
	*out = h;
	return OK;
}

void http_close(struct http *h)
{
	if (h == NULL)
		return;
	hang_up(h);
	buf_wipe(&h->in);               /* a recovery phrase may have passed */
	buf_wipe(&h->body);
	mem_free(h);
}

/* ---- bytes ---- */

static enum err wait_for(struct http *h, short events)
{
	struct pollfd p = { .fd = h->fd, .events = events };
	int64_t left = -1;
	int n;

	do {
		if (h->deadline >= 0 && (left = h->deadline - now_ms()) < 0)
			left = 0;
		n = poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left);
	} while (n < 0 && errno == EINTR);
	return n > 0 ? OK : n == 0 ? ERR_BUSY : ERR_IO;
}

static enum err send_all(struct http *h, struct slice s)
{
	enum err e;

	while (s.len > 0) {
		ssize_t n = send(h->fd, s.data, s.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			if ((e = wait_for(h, POLLOUT)) != OK)
				return e;
		} else if (n < 0 && errno != EINTR) {
			return ERR_IO;
		} else if (n > 0) {
			s = SLICE(s.data + n, s.len - (size_t)n);
		}
	}
	return OK;
}

/* More bytes behind in.  ERR_IO: the other end closed. */
static enum err fill(struct http *h)
{
	uint8_t *room;
	ssize_t n;
	enum err e;

	if ((e = wait_for(h, POLLIN)) != OK)
		return e;
	if ((room = buf_extend(&h->in, READ_SIZE)) == NULL)
		return ERR_NOMEM;
	do
		n = recv(h->fd, room, READ_SIZE, 0);
	while (n < 0 && errno == EINTR);
	h->in.len -= READ_SIZE - (n > 0 ? (size_t)n : 0);
	return n > 0 ? OK : ERR_IO;
}

/* The line at h->at, without its end; moves behind it.  Borrowed until the next fill. */
static enum err read_line(struct http *h, struct slice *line)
{
	enum err e;

	for (size_t seen = 0; ; ) {
		const uint8_t *from = h->in.data + h->at;
		size_t have = h->in.len - h->at;
		const uint8_t *end = have > seen ? memchr(from + seen, '\n', have - seen) : NULL;

		if (end != NULL) {
			size_t len = (size_t)(end - from);
			h->at += len + 1;
			*line = SLICE(from, len > 0 && from[len - 1] == '\r' ? len - 1 : len);
			return OK;
		}
		if (have > HTTP_HEADER_MAX)
			return ERR_TOOBIG;
		seen = have;
		if ((e = fill(h)) != OK)
			return e;
	}
}

/* count bytes of the stream, appended to body. */
static enum err read_body(struct http *h, uint64_t count)
{
	enum err e;

	if (count > HTTP_BODY_MAX || h->body.len + count > HTTP_BODY_MAX)
		return ERR_TOOBIG;
	while (count > 0) {
		size_t have = h->in.len - h->at;
		size_t n = have < count ? have : (size_t)count;

		buf_put(&h->body, h->in.data + h->at, n);
		h->at += n;
		count -= n;
		if (count > 0) {
			buf_clear(&h->in);
			h->at = 0;
			if ((e = fill(h)) != OK)
				return e;
		}
	}
	return h->body.err;
}

/* ---- the answer ---- */

struct head { int status; bool has_length, chunked, close; uint64_t length; };

/* Digits of base 10 or 16 at the beginning.  False: none, or too large. */
static bool number(uint64_t *out, struct slice s, unsigned base)
{
	size_t i = 0;

	for (*out = 0; i < s.len; i++) {
		uint8_t c = s.data[i] | 0x20;
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 99;
		if (digit >= base)
			break;
		if (*out > (UINT64_MAX >> 5))
			return false;
		*out = *out * base + digit;
	}
	return i > 0;
}

/* Is this header called name?  Then *value is what it says. */
static bool header(struct slice *value, struct slice line, const char *name)
{
	size_t n = strlen(name);

	if (line.len <= n || line.data[n] != ':' || strncasecmp((const char *)line.data, name, n) != 0)
		return false;
	for (n++; n < line.len && (line.data[n] == ' ' || line.data[n] == '\t'); n++)
		;
	*value = SLICE(line.data + n, line.len - n);
	return true;
}

static bool says(struct slice value, const char *word)
{
	return value.len == strlen(word) && strncasecmp((const char *)value.data, word, value.len) == 0;
}

static enum err read_head(struct http *h, struct head *out)
{
	size_t total = 0;
	struct slice line, value;
	uint64_t status;
	enum err e;

	memset(out, 0, sizeof *out);
	if ((e = read_line(h, &line)) != OK)
		return e;
	if (line.len < 12 || memcmp(line.data, "HTTP/1.", 7) != 0 || line.data[8] != ' ' ||
	    !number(&status, SLICE(line.data + 9, 3), 10) || status < 100 || status > 599)
		return ERR_MALFORMED;
	out->status = (int)status;
	out->close = line.data[7] == '0';
	while ((e = read_line(h, &line)) == OK && line.len > 0) {
		if ((total += line.len) > HTTP_HEADER_MAX)
			return ERR_TOOBIG;
		if (header(&value, line, "Content-Length"))
			out->has_length = number(&out->length, value, 10);
		else if (header(&value, line, "Transfer-Encoding"))
			out->chunked = says(value, "chunked");
		else if (header(&value, line, "Connection"))
			out->close = says(value, "close");
	}
	return e;
}

static enum err read_chunks(struct http *h)
{
	struct slice line;
	uint64_t size;
	enum err e;

	for (;;) {
		if ((e = read_line(h, &line)) != OK)
			return e;
		if (!number(&size, line, 16))
			return ERR_MALFORMED;
		if (size == 0)
			break;
		if ((e = read_body(h, size)) != OK || (e = read_line(h, &line)) != OK)
			return e;
		if (line.len != 0)
			return ERR_MALFORMED;
	}
	while ((e = read_line(h, &line)) == OK && line.len > 0)
		;                               /* trailers */
	return e;
}

static enum err read_to_end(struct http *h)
{
	enum err e;

	for (;;) {
		if ((e = read_body(h, h->in.len - h->at)) != OK)
			return e;
		buf_clear(&h->in);
		h->at = 0;
		if ((e = fill(h)) != OK)
			return e == ERR_IO ? OK : e;
	}
}

static enum err read_response(struct http *h, struct http_response *out, const char *method)
{
	struct head head;
	enum err e;

	do
		e = read_head(h, &head);
	while (e == OK && head.status < 200);
	if (e != OK)
		return e;
	if (head.status == 204 || head.status == 304 || strcmp(method, "HEAD") == 0)
		e = OK;
	else if (head.chunked)
		e = read_chunks(h);
	else if (head.has_length)
		e = read_body(h, head.length);
	else {
		e = read_to_end(h);
		head.close = true;
	}
	if (e != OK)
		return e;
	buf_put_u8(&h->body, 0);
	out->status = head.status;
	out->body = SLICE(h->body.data, h->body.len - 1);
	h->used = true;
	if (head.close || h->at != h->in.len)
		hang_up(h);
	return h->body.err;
}

/* A closed or chatty idle connection is of no more use. */
static enum err refresh(struct http *h)
{
	struct pollfd p = { .fd = h->fd, .events = POLLIN };

	if (h->used && poll(&p, 1, 0) != 0)
		hang_up(h);
	return h->fd >= 0 ? OK : dial(h);
}

/* One request on the connection as it is, or on a new one. */
static enum err exchange(struct http *h, struct http_response *out, const char *method, struct slice request)
{
	enum err e;

	buf_clear(&h->in);
	buf_clear(&h->body);
	h->at = 0;
	if ((e = refresh(h)) != OK)
		return e;
	if ((e = send_all(h, request)) == OK)
		return read_response(h, out, method);
	if (e == ERR_IO && read_response(h, out, method) == OK)
		return OK;                      /* refused before it had read everything: the answer says why */
	return e;
}

enum err http_exchange(struct http *h, struct http_response *out, const char *method, const char *target, struct slice body,
	long timeout_ms)
{
	struct buf request = {0};
	bool used = h->used;
	enum err e;

	memset(out, 0, sizeof *out);
	h->deadline = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	buf_printf(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\n", method, target);
	if (body.data != NULL)
		buf_printf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.len);
	buf_put_text(&request, "\r\n");
	buf_put_slice(&request, body);
	if ((e = request.err) == OK)
		e = exchange(h, out, method, buf_slice(&request));
	if (e == ERR_IO && used && h->in.len == 0 && strcmp(method, "GET") == 0) {
		hang_up(h);                     /* it was being closed when we wrote: a read may be asked twice */
		e = exchange(h, out, method, buf_slice(&request));
	}
	buf_wipe(&request);
	if (e != OK)
		hang_up(h);
	return e;
}
