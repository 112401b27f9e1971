/* http_part: what http.c and http_request.c share. */
#ifndef DAEMON_HTTP_PART_H
#define DAEMON_HTTP_PART_H
#include "daemon/http.h"

#define TARGET_SEGMENTS 16
#define TARGET_QUERIES 32
#define TARGET_PARAMS 8
#define TARGET_MAX 8192

struct target {                 /* a request target taken apart; pointers into text */
	char *text;
	size_t n_segments, n_queries;
	char *segments[TARGET_SEGMENTS];
	struct { char *name, *value; } queries[TARGET_QUERIES];
};
/* Decodes %XX and, in the query, +.  ERR_MALFORMED: no path, a wrong escape, a NUL, ill-formed UTF-8; ERR_TOOBIG; ERR_NOMEM. */
enum err target_parse(struct target *, const char *uri);
void target_free(struct target *);

struct match { const struct route *route; size_t n; struct { const char *name, *value; size_t name_len; } params[TARGET_PARAMS]; };
/* ERR_NOTFOUND: no such path; ERR_USAGE: another method (allow >= 64 bytes lists those that are). */
enum err match_find(struct match *, char *allow, const struct route *table, size_t n, const char *method, const struct target *);

enum phase { PHASE_READING, PHASE_HANDLING, PHASE_WAITING, PHASE_ANSWERED };
struct chunk { struct chunk *next; _Alignas(16) uint8_t data[]; };
struct MHD_Connection;
struct MHD_Response;
struct request {
	struct http *http;
	struct request *prev, *next;
	struct MHD_Connection *connection;
	enum phase phase;
	bool suspended;                 /* waits for an answer, inside MHD too */
	bool parked;                    /* MHD has not called again since it was suspended: it takes no response yet */
	bool refused;                   /* its bytes are too many; answered 413 when it ends */
	uint64_t token;                 /* while waiting; else 0 */
	enum err uri_error;
	struct target target;
	struct match match;
	const char *method;
	struct buf body;
	json_t *json;
	struct chunk *chunks;
	struct view *view;
	void (*then)(struct request *, const struct reply *);
	unsigned status;
	struct MHD_Response *response;  /* NULL when answered: out of memory, the connection closes */
	char allow[64];
};
const struct http_host *http_host_of(const struct request *);
uint64_t http_new_token(struct http *);
/* Closes the request's view; stores the answer; wakes the connection. */
void request_finish(struct request *, unsigned status, char *text, size_t len);         /* takes text (mem) ; NULL: out of memory */
void request_wait(struct request *);
void request_end_view(struct request *);
void request_free_parts(struct request *);
/* From a parsed request to its handler.  Afterwards it is answered or waiting. */
void request_dispatch(struct request *, const struct route *table, size_t n);

#endif
