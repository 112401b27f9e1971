/* A scripted cairnd in a thread, and `cairn` run in a forked process against it. */
#ifndef TESTS_CLI_FAKE_H
#define TESTS_CLI_FAKE_H
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli/cli.h"

enum fake_how { FAKE_LENGTH, FAKE_CHUNKED, FAKE_DRIP /* byte by byte */, FAKE_CLOSE /* body ends with the connection */,
	FAKE_RAW /* body is all that is sent; then it closes */, FAKE_SILENT /* no answer at all */, FAKE_LAST /* length, then it closes */ };
struct fake_answer { const char *request; int status; const char *body; enum fake_how how; };   /* request: "GET /path"; NULL ends */

#define FAKE_LOG 65536
struct fake {
	const struct fake_answer *answers;
	char dir[64], socket[96], log[FAKE_LOG];        /* log: "METHOD /path body\n" */
	size_t log_len;
	int fd, connections;
	pthread_t thread;
};

static void fake_send(int fd, const char *data, size_t len, bool drip)
{
	while (len > 0) {
		ssize_t n = send(fd, data, drip ? 1 : len, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		data += n;
		len -= (size_t)n;
	}
}

/* False: the connection ends here. */
static inline bool fake_answer(struct fake *f, int fd, const char *line, const char *body)
{
	static const struct fake_answer none = { NULL, 404, "{\"error\":{\"code\":\"notfound\",\"message\":\"There is no such path\"}}", 0 };
	const struct fake_answer *a = f->answers;
	size_t len;
	char head[256];
	int n;

	n = snprintf(f->log + f->log_len, FAKE_LOG - f->log_len, "%s %s\n", line, body);
	f->log_len += n > 0 && (size_t)n < FAKE_LOG - f->log_len ? (size_t)n : 0;
	len = (size_t)(strstr(line, "?fields=") != NULL ? strstr(line, "?fields=") - line : (ptrdiff_t)strlen(line));
	while (a->request != NULL && (strlen(a->request) != len || memcmp(a->request, line, len) != 0))
		a++;                            /* ?fields= asks for less: everything is right too */
	if (a->request == NULL)
		a = &none;
	len = strlen(a->body);
	switch (a->how) {
	case FAKE_SILENT:
		return read(fd, head, 1) > 0;           /* until the other end hangs up */
	case FAKE_RAW:
		fake_send(fd, a->body, len, false);
		return false;
	case FAKE_CLOSE:
		n = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\n\r\n", a->status);
		break;
	case FAKE_CHUNKED:
		n = snprintf(head, sizeof head, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n", a->status);
		break;
	default:
		n = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\ncontent-length:%zu\r\n\r\n", a->status, len);
		break;
	}
	fake_send(fd, head, (size_t)n, a->how == FAKE_DRIP);
	for (size_t at = 0; a->how == FAKE_CHUNKED && at <= len; at += 5) {
		size_t part = len - at < 5 ? len - at : 5;
		n = snprintf(head, sizeof head, "%zx;x=y\r\n%.*s%s", part, (int)part, a->body + at, part > 0 ? "\r\n" : "Trailer: x\r\n\r\n");
		fake_send(fd, head, (size_t)n, false);
		if (part > 0 && part < 5)
			fake_send(fd, "0\r\n\r\n", 5, false), at = len;
	}
	if (a->how != FAKE_CHUNKED)
		fake_send(fd, a->body, len, a->how == FAKE_DRIP);
	return a->how != FAKE_CLOSE && a->how != FAKE_LAST;
}

static inline void fake_serve(struct fake *f, int fd)
{
	static _Thread_local char in[FAKE_LOG];
	size_t have = 0;
	ssize_t n;

	while ((n = recv(fd, in + have, sizeof in - 1 - have, 0)) > 0) {
		char *end, *length, line[1024];
		size_t head, body = 0;

		have += (size_t)n;
		in[have] = '\0';
		if ((end = strstr(in, "\r\n\r\n")) == NULL)
			continue;
		head = (size_t)(end - in) + 4;
		if ((length = strstr(in, "Content-Length: ")) != NULL && length < end)
			body = strtoul(length + 16, NULL, 10);
		if (have < head + body)
			continue;
		snprintf(line, sizeof line, "%.*s", (int)(strstr(in, " HTTP/1.1") - in), in);
		if (!fake_answer(f, fd, line, in + head))
			break;
		have = 0;
	}
	close(fd);
}

static inline void *fake_loop(void *arg)
{
	struct fake *f = arg;
	int fd;

	while ((fd = accept(f->fd, NULL, NULL)) >= 0) {
		f->connections++;
		fake_serve(f, fd);
	}
	return NULL;
}

/* A home in a new directory, with somebody who answers on its socket.  answers NULL: nobody does. */
static inline struct fake *fake_start(const struct fake_answer *answers)
{
	struct fake *f = calloc(1, sizeof *f);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(f->dir, "/tmp/cairn-cli-XXXXXX");
	f->answers = answers;
	f->fd = -1;
	if (mkdtemp(f->dir) == NULL)
		abort();
	snprintf(f->socket, sizeof f->socket, "%s/cairnd.sock", f->dir);
	setenv("CAIRN_HOME", f->dir, 1);
	if (answers == NULL)
		return f;
	strcpy(address.sun_path, f->socket);
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(f->fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(f->fd, 8) != 0)
		abort();
	if (pthread_create(&f->thread, NULL, fake_loop, f) != 0)
		abort();
	return f;
}

static inline void fake_stop(struct fake *f)
{
	if (f->fd >= 0) {
		shutdown(f->fd, SHUT_RDWR);
		pthread_join(f->thread, NULL);
		close(f->fd);
		unlink(f->socket);
	}
	rmdir(f->dir);
	free(f);
}

/* ---- running the command ---- */

struct ran { int code; char out[65536], err[16384]; };

static inline void fake_slurp(char *text, size_t size, int fd)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	close(fd);
}

/* argv[0] is "cairn"; ends with NULL.  stdin is /dev/null. */
static inline struct ran *ran(const char *const *argv)
{
	static struct ran r;
	int out = memfd_create("out", 0), err = memfd_create("err", 0), n = 0, status = 0;
	pid_t child;

	while (argv[n] != NULL)
		n++;
	fflush(NULL);
	child = fork();
	if (child == 0) {
		if (freopen("/dev/null", "r", stdin) == NULL || dup2(out, 1) < 0 || dup2(err, 2) < 0)
			_exit(99);
		n = cli_main(n, (char **)(uintptr_t)argv);
		fflush(stdout);
		_exit(n);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		abort();
	r.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	fake_slurp(r.out, sizeof r.out, out);
	fake_slurp(r.err, sizeof r.err, err);
	return &r;
}
#define CAIRN(...) ran((const char *const[]){ "cairn", __VA_ARGS__, NULL })

#endif
