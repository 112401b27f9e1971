/* http: HTTP/JSON on the instance's Unix socket (design §10, §11): one table of routes, one struct request, in libuv's loop.
 * microhttpd.h is known to daemon/http*.c only.  Everything here runs on the loop thread.
 *
 * A handler gets a request whose body is parsed and whose route's state holds.  It does exactly one of: request_answer, request_error,
 * request_command, request_suspend.  What it must not do: block.
 *
 *	static void goal_add(struct request *r)
 *	{
 *		static const char *const known[] = { "title", "unit", NULL };
 *		struct command c = { .kind = COMMAND_GOAL_ADD };
 *		if (!request_only(r, known) || !request_org(r, &c))     // answered 400 already; request_org: the routes' own
 *			return;
 *		struct pair *pairs = request_alloc(r, 2 * sizeof *pairs);
 *		if (pairs == NULL) { request_error(r, ERR_NOMEM, NULL); return; }
 *		...
 *		c.pairs = pairs;
 *		request_command(r, &c);         // copied; answers when the node's reply comes
 *	}
 *
 * Errors are {"error":{"code":"notfound","message":"…","hint":"…"}} with the status of http_status().  A reply is
 * {"message":…,"hint":…, its fields}; a reply with ERR_WAITING has both and status 202. */
#ifndef DAEMON_HTTP_H
#define DAEMON_HTTP_H
#include <jansson.h>
#include "base/limits.h"
#include "daemon/node/view.h"

struct uv_loop_s;
struct http;
struct request;

/* Who may call it once there is HTTP on loopback too; on the Unix socket everybody is the member itself. */
enum route_right {
	RIGHT_LOCAL,            /* the Unix socket only: keys, shutdown */
	RIGHT_SELF,             /* the member's own data */
	RIGHT_MEMBER            /* the organization's data; the matrix decides about each row and command */
};
enum route_state { NEEDS_NOTHING, NEEDS_NEW, NEEDS_LOCKED, NEEDS_OPEN };
struct route {
	const char *method, *path;      /* "GET", "/api/organizations/{org}/goals/{goal}": a literal segment wins over {…} */
	enum route_right right;
	enum route_state needs;         /* else: ERR_STATE or ERR_LOCKED with what to do */
	void (*handler)(struct request *);
	const char *summary;            /* for the OpenAPI file and `cairn help api` */
};
extern const struct route routes[];     /* daemon/routes.c */
extern const size_t routes_count;

/* ---- reading a request: borrowed until it is answered ---- */
const char *request_method(const struct request *);
const char *request_param(const struct request *, const char *name);    /* {name} of the path, decoded; never NULL */
const char *request_query(const struct request *, const char *name);    /* decoded; NULL: absent; the first one of several */
size_t request_query_each(const struct request *, size_t i, const char **name, const char **value);     /* returns how many */
const char *request_header(const struct request *, const char *name);   /* NULL: absent */
json_t *request_body(const struct request *);                           /* an object, perhaps empty; never NULL */
const struct route *request_route(const struct request *);
void *request_host(const struct request *);                             /* http_host.arg: the struct loop */
/* Refuses (400, naming it) a body with a key that is not in known[], which ends with NULL.  False: answered. */
bool request_only(struct request *, const char *const *known);
/* A member of the body: NULL when absent or null; answered 400 and *ok = false if it is not a string. */
const char *request_text(struct request *, const char *key, bool *ok);
/* Zeroed memory that lives as long as the request.  NULL: out of memory. */
void *request_alloc(struct request *, size_t size);
/* The view of this request: opened at the first call, closed when the request is answered or suspended (so never kept over a turn);
 * after a suspension call again.  ERR_STATE, ERR_LOCKED: not open.  Errors of view_open. */
enum err request_view(struct request *, struct view **);

/* ---- answering: once ---- */
void request_answer(struct request *, unsigned status, json_t *body);   /* takes the reference; NULL: out of memory, 503 */
/* message NULL: the usual sentence of that error. */
void request_error(struct request *, enum err, const char *message, ...) __attribute__((format(printf, 3, 4)));
/* As request_error, with members besides "error" (candidates of an ambiguous reference …); takes the reference. */
void request_error_with(struct request *, enum err, json_t *more, const char *message, ...) __attribute__((format(printf, 4, 5)));
/* To the node; answered by its reply.  command->request: left zero, it comes from the header Idempotency-Key (16 bytes of base32), else
 * it is random.  Copied: the caller's memory may go. */
void request_command(struct request *, const struct command *);
/* The same, but the reply goes to then(), which answers or sends another command. */
void request_command_then(struct request *, const struct command *, void (*then)(struct request *, const struct reply *));
void request_reply(struct request *, const struct reply *);             /* what request_command does with a reply */
/* Answered later by somebody who keeps the token and finds the request with http_find (NULL: gone, at shutdown). */
uint64_t request_suspend(struct request *);
struct request *http_find(struct http *, uint64_t token);
struct http *request_http(const struct request *);

/* ---- JSON ---- */
unsigned http_status(enum err);
json_t *http_json_id(const void *id, size_t len);                       /* base32 */
json_t *http_json_text(struct slice);                                   /* UTF-8; ill-formed: NULL */
json_t *http_json_mp(struct slice);             /* canonical msgpack: bin → base32, unsigned keys → decimal text; NULL: neither */
json_t *http_json_reply(const struct reply *);
void http_json_wipe(json_t *object, const char *key);                   /* overwrites a secret in a parsed body */

/* ---- the server ---- */
enum http_state { HTTP_NEW, HTTP_LOCKED, HTTP_OPEN, HTTP_STOPPING };
struct http_host {
	void *arg;
	enum http_state (*state)(void *);
	/* Queue a copy; http_reply follows with this token.  ERR_NOMEM, ERR_LIMIT. */
	enum err (*command)(void *, uint64_t token, const struct command *);
	struct node *(*node)(void *);
	struct store *(*store)(void *);
};
/* Listens on the socket (0600); a file that is there is replaced: the caller holds the lock of the home.  host and table are borrowed.
 * ERR_IO, ERR_FULL, ERR_NOMEM. */
enum err http_open(struct http **out, struct uv_loop_s *, const char *socket_path, const struct http_host *host, const struct route *table,
	size_t n);
void http_reply(struct http *, uint64_t token, const struct reply *);   /* an unknown token is ignored */
/* In each uv_prepare, after the turn: sends what was answered meanwhile and arms the timer.  True: handlers ran, look again. */
bool http_turn(struct http *);
/* Every waiting request gets ERR_STATE, answers go out, the socket file is removed, handles close: gone when the loop has run. */
void http_close(struct http *);                                         /* NULL is fine */
size_t http_waiting(const struct http *);                               /* suspended requests */

#endif
