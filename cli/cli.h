/* cli: what every command of `cairn` gets, and how it ends.  A command is one process: memory of cli_keep* lives until it exits.
 *
 * Streams: data and what happened go to stdout; hints, notices, prompts and errors to stderr.  With --json stdout holds one JSON
 * value and nothing else.  Text that came from the daemon passes safe() before it reaches either. */
#ifndef CLI_CLI_H
#define CLI_CLI_H
#include <jansson.h>
#include "base/paths.h"
#include "cli/args.h"

enum cli_exit {                 /* design §10 */
	EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_WRONG = 2 /* usage */, EXIT_PARTLY = 3, EXIT_REFUSED = 4 /* permission, consent */,
	EXIT_NO_DAEMON = 5, EXIT_PERSON = 6, EXIT_NOT_FOUND = 7 /* or ambiguous */, EXIT_WAITING = 8 /* for a peer; saved */
};

#define CLI_KEYS 16
struct http;
struct cli {
	struct args args;               /* of this command */
	const char *home, *org;         /* --home; --org, else "default" */
	bool json, no_autostart, yes;
	const char *late;               /* not NULL: what no answer within --timeout means; EXIT_WAITING then */
	bool made;                      /* finish() says the id of what was made */
	long timeout_ms;                /* --timeout; -1: not given */
	size_t n_keys; const char *keys[CLI_KEYS];      /* of the rows that get_rows reads */
	bool in_tty, out_tty, err_tty;
	struct paths paths;             /* valid once cli_paths() said EXIT_DONE */
	struct http *http;              /* connected at the first call() */
	uint32_t started;               /* pid of the cairnd that this process started, or 0 */
};

/* ---- ends ---- */
/* "cairn: sentence" on stderr; returns code, so that a handler can `return complain(...)`. */
int complain(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "→ what comes next" on stderr, if a person is there to read it (not with --json). */
void hint(const struct cli *, const char *text);
/* A sentence on stderr, not with --json. */
void notice(const struct cli *, const char *format, ...) __attribute__((format(printf, 2, 3)));
int no_memory(void);            /* says so; EXIT_FAILED */

/* ---- memory until exit ---- */
void *keep(void *block);                        /* from mem_*; NULL passes through */
char *keep_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));    /* never NULL: exits when out of memory */
json_t *keep_json(json_t *);
/* Text fit for a terminal, borrowed until exit. */
const char *safe(const char *text);
const char *safe_lines(const char *text);       /* newlines and tabs stay */

/* EXIT_DONE and c->paths, or a sentence. */
int cli_paths(struct cli *);
/* The whole program. */
int cli_main(int argc, char **argv);

#endif
