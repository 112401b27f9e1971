/* call: one request to cairnd, started if need be.  What goes wrong becomes a sentence on stderr and an exit code. */
#ifndef CLI_CALL_H
#define CLI_CALL_H
#include "cli/cli.h"
#include "cli/output.h"

#define CALL_WAIT_MS 60000              /* unless --timeout says otherwise */

/* A path: each "{}" of format stands for one const char * argument, percent-encoded.  Kept. */
const char *route(const char *format, ...);
/* path?key=value, or &key=value; value NULL: path as it is.  Kept. */
const char *with_query(const char *path, const char *key, const char *value);
/* Takes the reference of body (NULL: none).  EXIT_DONE or EXIT_WAITING (HTTP 202: finish() says why): *out is kept and never NULL.  Else
 * it was said, and *out is NULL. */
int call(struct cli *, json_t **out, const char *method, const char *path, json_t *body);
int call_for(struct cli *, json_t **out, const char *method, const char *path, json_t *body, long timeout_ms);
int get(struct cli *, json_t **out, const char *path);     /* what is not EXIT_DONE was said */
/* For print_list: without --json only the columns are asked for (?fields=) and read. */
int get_rows(struct cli *, json_t **out, const char *path, const struct column *, size_t n);
/* The end of a command that changed something: prints the object (--json) or its message and hint.  Returns code. */
int finish(struct cli *, int code, json_t *answer);
/* One write from beginning to end. */
int change(struct cli *, const char *method, const char *path, json_t *body);
/* A POST that makes something: its id is said too. */
int make(struct cli *, const char *path, json_t *body);
/* Is a cairnd there?  Never starts one and says nothing.  EXIT_DONE, EXIT_NO_DAEMON, or what cli_paths said. */
int call_running(struct cli *);
/* The exit code for an error code of docs/api.md, or else by HTTP status. */
int exit_of(const char *code, int status);

/* Adds KEY=VALUE words from words[from] on to body as texts (VALUE empty: null).  False: said, exit EXIT_WRONG. */
bool add_pairs(struct cli *, json_t *body, size_t from);
/* body[key] = text, if text is not NULL. */
void add_text(json_t *body, const char *key, const char *text);

#endif
