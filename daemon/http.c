#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>
#include "base/mem.h"
#include "daemon/http_part.h"
#include "daemon/log.h"

#define TIMEOUT_S 30                    /* without traffic; suspended connections do not count */
#define CONNECTION_MEMORY (32 * 1024)
#define BACKLOG 1024                    /* curl takes a full backlog for a failure */
#define CLOSE_ROUNDS 8

struct http {
	struct MHD_Daemon *mhd;
	uv_poll_t poll, listen;         /* MHD's epoll descriptor; the socket */
	uv_timer_t timer;
	int fd, closing;
	bool full;                      /* as many connections as may be: others wait in the socket's backlog */
	bool kicked, running;           /* a connection was resumed; inside MHD_run */
	size_t handled;                 /* requests that reached a handler since the last http_turn */
	const struct http_host *host;
	const struct route *table;
	size_t n_table;
	struct request *requests;
	uint64_t next_token;
	char path[sizeof ((struct sockaddr_un *)0)->sun_path];
};

/* ---- requests ---- */

const struct http_host *http_host_of(const struct request *r)
{
	return r->http->host;
}

uint64_t http_new_token(struct http *h)
{
	return ++h->next_token;
}

struct request *http_find(struct http *h, uint64_t token)
{
	for (struct request *r = h->requests; r != NULL && token != 0; r = r->next)
		if (r->token == token)
			return r;
	return NULL;
}

size_t http_waiting(const struct http *h)
{
	size_t n = 0;

	for (const struct request *r = h->requests; r != NULL; r = r->next)
		n += r->phase == PHASE_WAITING;
	return n;
}

const char *request_header(const struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

void request_wait(struct request *r)
{
	request_end_view(r);                    /* never held over a suspension: long readers make the file grow */
	r->phase = PHASE_WAITING;
	if (!r->suspended) {
		MHD_suspend_connection(r->connection);
		r->suspended = r->parked = true;
	}
}

static struct MHD_Response *make_response(const struct request *r, char *text, size_t len)
{
	struct MHD_Response *m = MHD_create_response_from_buffer_with_free_callback(len, text, mem_free);

	if (m == NULL)
		return NULL;
	if (MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json") != MHD_YES ||
	    MHD_add_response_header(m, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") != MHD_YES ||
	    (r->allow[0] != '\0' && MHD_add_response_header(m, MHD_HTTP_HEADER_ALLOW, r->allow) != MHD_YES)) {
		MHD_destroy_response(m);        /* frees text */
		return NULL;
	}
	return m;
}

/* Without memory for the sentence, the status still goes out, with a text that needs none. */
static struct MHD_Response *bare_response(void)
{
	static char text[] = "{\"error\":{\"code\":\"nomem\",\"message\":\"Out of memory: this request failed, the daemon goes on\"}}\n";

	return MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
}

void request_finish(struct request *r, unsigned status, char *text, size_t len)
{
	if (r->phase == PHASE_ANSWERED) {
		LOG(LOG_ERROR, "a request was answered twice");
		mem_free(text);
		return;
	}
	r->response = text == NULL ? NULL : make_response(r, text, len);
	r->status = status;
	if (text == NULL) {
		r->response = bare_response();
		r->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	}
	r->phase = PHASE_ANSWERED;
	r->token = 0;
	request_end_view(r);
	if (r->suspended) {
		r->suspended = false;
		MHD_resume_connection(r->connection);
		r->http->kicked = true;
	}
}

void http_reply(struct http *h, uint64_t token, const struct reply *reply)
{
	struct request *r = http_find(h, token);

	if (r == NULL || r->then == NULL)
		return;
	r->token = 0;
	r->then(r, reply);
	if (r->phase == PHASE_WAITING && r->token == 0)
		request_error(r, ERR_STATE, "This request was not answered");
}

/* ---- libmicrohttpd's callbacks ---- */

static void *on_uri(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct http *h = arg;
	struct request *r = mem_alloc(sizeof *r);

	if (r == NULL)
		return NULL;
	r->http = h;
	r->connection = connection;
	r->uri_error = target_parse(&r->target, uri);
	r->next = h->requests;
	if (r->next != NULL)
		r->next->prev = r;
	h->requests = r;
	return r;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode why)
{
	struct http *h = arg;
	struct request *r = *context;

	(void)connection, (void)why;
	if (r == NULL)
		return;
	*context = NULL;
	*(r->prev != NULL ? &r->prev->next : &h->requests) = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	request_free_parts(r);
	if (r->response != NULL)
		MHD_destroy_response(r->response);
	mem_free(r);
}

static enum MHD_Result send_answer(struct request *r)
{
	enum MHD_Result result;

	if (r->response == NULL)
		return MHD_NO;
	result = MHD_queue_response(r->connection, r->status, r->response);
	MHD_destroy_response(r->response);      /* the connection holds its own reference */
	r->response = NULL;
	return result;
}

/* The first call: only headers are here.  An answer now saves reading a body that is refused anyway. */
static enum MHD_Result begin(struct request *r, const char *method)
{
	const char *length = request_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);

	r->method = method;
	r->phase = PHASE_HANDLING;
	if (length != NULL && strtoull(length, NULL, 10) > LIMIT_HTTP_BODY)
		request_error(r, ERR_TOOBIG, "The body is larger than %d bytes", LIMIT_HTTP_BODY);
	else
		r->phase = PHASE_READING;
	return r->phase == PHASE_READING ? MHD_YES : send_answer(r);
}

static void take_bytes(struct request *r, const char *data, size_t len)
{
	if (len > LIMIT_HTTP_BODY - r->body.len) {
		r->refused = true;
		buf_wipe(&r->body);
	}
	if (!r->refused)
		buf_put(&r->body, data, len);
}

static enum MHD_Result on_access(void *arg, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
	const char *data, size_t *len, void **context)
{
	struct http *h = arg;
	struct request *r = *context;

	(void)connection, (void)url, (void)version;
	if (r == NULL)
		return MHD_NO;                  /* no memory: the connection closes */
	r->parked = false;
	if (r->method == NULL)
		return begin(r, method);
	if (*len > 0) {
		take_bytes(r, data, *len);
		*len = 0;
		return MHD_YES;
	}
	if (r->phase == PHASE_READING) {
		h->handled++;
		r->phase = PHASE_HANDLING;
		if (r->refused)
			request_error(r, ERR_TOOBIG, "The body is larger than %d bytes", LIMIT_HTTP_BODY);
		else if (r->body.err != OK)
			request_error(r, ERR_NOMEM, NULL);
		else
			request_dispatch(r, h->table, h->n_table);
	}
	return r->phase == PHASE_ANSWERED && !r->parked ? send_answer(r) : MHD_YES;
}

__attribute__((format(printf, 2, 0)))
static void on_log(void *arg, const char *format, va_list args)
{
	char line[256];

	(void)arg;
	vsnprintf(line, sizeof line, format, args);
	line[strcspn(line, "\r\n")] = '\0';
	LOG(LOG_DEBUG, "http: %s", line);
}

/* ---- in the loop ---- */

/* Our user's processes, and root's: who is who without tokens (design §10). */
static bool peer_is_us(int fd)
{
	struct ucred who;
	socklen_t len = sizeof who;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && (who.uid == geteuid() || who.uid == 0);
}

static bool has_room(const struct http *h)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info == NULL || info->num_connections < LIMIT_HTTP_CONNECTIONS;
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct http *h = poll->data;
	int fd;

	(void)status, (void)events;
	while (!(h->full = !has_room(h))) {
		fd = accept4(h->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			h->full = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
			break;
		}
		if (!peer_is_us(fd)) {
			LOG(LOG_WARNING, "a process of another user was refused");
			close(fd);
		} else {
			MHD_add_connection(h->mhd, fd, NULL, 0);        /* closes fd if it fails */
		}
	}
	if (h->full)
		uv_poll_stop(poll);
	h->kicked = true;
}

static void run(struct http *h)
{
	if (h->running)
		return;                         /* MHD calls a handler: it sees resumed connections itself */
	h->running = true;
	h->kicked = false;
	MHD_run(h->mhd);
	h->running = false;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	run(poll->data);
}

static void on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

bool http_turn(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG wait;
	bool ran = h->handled > 0;

	if (h->closing)
		return false;
	if (h->kicked)
		run(h);
	ran = ran || h->handled > 0;
	h->handled = 0;
	if (h->full && has_room(h)) {
		h->full = false;
		uv_poll_start(&h->listen, UV_READABLE, on_connection);
	}
	if (MHD_get_timeout(h->mhd, &wait) == MHD_YES)
		uv_timer_start(&h->timer, on_timer, wait, 0);
	else
		uv_timer_stop(&h->timer);
	return ran;
}

/* ---- opening and closing ---- */

static enum err bind_socket(int *out, struct http *h, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, number;

	*out = -1;
	if (strlen(path) >= sizeof address.sun_path)
		return ERR_TOOBIG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return ERR_IO;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) {
		strcpy(h->path, path);
		if (chmod(path, 0600) == 0 && listen(fd, BACKLOG) == 0) {
			*out = fd;
			return OK;
		}
	}
	number = errno;
	close(fd);
	LOG(LOG_ERROR, "the socket cannot be made: %s", strerror(number));
	return number == ENOSPC || number == EDQUOT ? ERR_FULL : ERR_IO;
}

static struct MHD_Daemon *start_mhd(struct http *h)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL,
		on_access, h,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_URI_LOG_CALLBACK, on_uri, h,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)LIMIT_HTTP_CONNECTIONS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
		MHD_OPTION_STRICT_FOR_CLIENT, 0,
		MHD_OPTION_END);
}

enum err http_open(struct http **out, uv_loop_t *loop, const char *path, const struct http_host *host, const struct route *table, size_t n)
{
	struct http *h = mem_alloc(sizeof *h);
	const union MHD_DaemonInfo *info;
	enum err e = ERR_NOMEM;

	*out = NULL;
	if (h == NULL)
		return ERR_NOMEM;
	json_set_alloc_funcs(mem_alloc, mem_free);
	json_object_seed(0);
	h->host = host;
	h->table = table;
	h->n_table = n;
	if ((e = bind_socket(&h->fd, h, path)) != OK)
		goto fail;
	e = ERR_IO;
	if ((h->mhd = start_mhd(h)) == NULL)
		goto fail;
	info = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL || uv_poll_init(loop, &h->poll, info->epoll_fd) != 0)
		goto fail;
	h->poll.data = h->timer.data = h->listen.data = h;
	uv_timer_init(loop, &h->timer);
	if (uv_poll_init(loop, &h->listen, h->fd) != 0) {
		http_close(h);
		return ERR_IO;
	}
	uv_poll_start(&h->poll, UV_READABLE, on_poll);
	uv_poll_start(&h->listen, UV_READABLE, on_connection);
	*out = h;
	return OK;
fail:
	if (h->fd >= 0)
		close(h->fd);
	if (h->mhd != NULL)
		MHD_stop_daemon(h->mhd);
	if (h->path[0] != '\0')
		unlink(h->path);
	mem_free(h);
	return e;
}

static void on_closed(uv_handle_t *handle)
{
	struct http *h = handle->data;

	if (--h->closing == 0)
		mem_free(h);
}

static void close_handle(struct http *h, uv_handle_t *handle)
{
	if (uv_handle_get_type(handle) == UV_UNKNOWN_HANDLE)
		return;                         /* opening ended before it */
	h->closing++;
	uv_close(handle, on_closed);
}

void http_close(struct http *h)
{
	if (h == NULL)
		return;
	unlink(h->path);
	for (int i = 0; i < CLOSE_ROUNDS; i++) {        /* a resumed connection may bring another request */
		for (struct request *r = h->requests; r != NULL; r = r->next)
			if (r->phase == PHASE_WAITING)
				request_error(r, ERR_STATE, "cairnd is stopping");
		MHD_run(h->mhd);
	}
	uv_poll_stop(&h->poll);                 /* before their descriptors go */
	if (uv_handle_get_type((uv_handle_t *)&h->listen) == UV_POLL)
		uv_poll_stop(&h->listen);
	MHD_stop_daemon(h->mhd);
	close(h->fd);
	close_handle(h, (uv_handle_t *)&h->poll);
	close_handle(h, (uv_handle_t *)&h->listen);
	close_handle(h, (uv_handle_t *)&h->timer);
}
