/* http: a small HTTP/1.1 client over a Unix socket: one connection, kept alive; Content-Length and chunked; limits on everything. */
#ifndef CLI_HTTP_H
#define CLI_HTTP_H
#include "base/bytes.h"

#define HTTP_HEADER_MAX (16 * 1024)
#define HTTP_BODY_MAX (64 * 1024 * 1024)

struct http;
struct http_response { int status; struct slice body; };        /* body: borrowed until the next request, NUL behind it */

/* ERR_NOTFOUND: nobody listens there.  ERR_DENIED: not ours to open, or the other end is another user.  ERR_IO, ERR_NOMEM,
 * ERR_TOOBIG (the path). */
enum err http_connect(struct http **out, const char *socket_path);
void http_close(struct http *);                                 /* NULL is fine */
/* One exchange; a connection that the other end closed while idle is opened again.  body.data NULL: none.  ERR_IO: the other end
 * went away; ERR_BUSY: no answer within timeout_ms (-1: wait for ever); ERR_MALFORMED: no HTTP; ERR_TOOBIG; ERR_NOMEM.  After an
 * error the connection is closed; ERR_NOTFOUND, ERR_DENIED as above if it cannot be opened again. */
enum err http_exchange(struct http *, struct http_response *, const char *method, const char *target, struct slice body,
	long timeout_ms);

#endif
