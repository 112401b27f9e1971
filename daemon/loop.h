/* loop: cairnd's libuv loop (design §3): it owns keystore, store, node, links and HTTP, turns what happens into events, runs
 * node_turn once per iteration over all that are queued, and executes the effects in order.  One thread; Argon2id, net_check and the
 * sockets' self-test run on libuv's pool.
 *
 * States: NEW (no keystore: only status and init), LOCKED (a keystore with a passphrase: status and unlock), OPEN.
 *
 * No polling: an idle daemon sleeps until the node's deadline, a descriptor or a change of the clock. */
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H
#include "daemon/conf.h"
#include "daemon/home.h"
#include "daemon/http.h"
#include "daemon/keystore.h"
#include "net/link.h"

#define LOOP_WHY 2400
struct loop;
struct loop_options {                           /* borrowed until loop_free */
	const struct home *home;                /* its lock is held */
	const struct conf *conf;
	struct slice passphrase;                /* data NULL: none; used once, at the start */
};
/* Opens what can be opened: HTTP always; store and node if the keystore needs no passphrase.  On an error why is one sentence. */
enum err loop_open(struct loop **out, const struct loop_options *, char why[LOOP_WHY]);
/* Until a signal, loop_stop or a failure; everything is closed then.  The exit status. */
int loop_run(struct loop *);
void loop_free(struct loop *);                  /* after loop_run, or instead of it; NULL is fine */

/* ---- for routes: request_host() is the struct loop ---- */
enum http_state loop_state(const struct loop *);
const struct paths *loop_paths(const struct loop *);
const struct conf *loop_conf(const struct loop *);
struct http *loop_http(const struct loop *);                            /* for http_find */
const struct node_identity *loop_identity(const struct loop *);         /* NULL unless OPEN */
const struct keystore *loop_keystore(const struct loop *);              /* NULL unless OPEN */
enum keystore_lock loop_locked_by(const struct loop *);                 /* unless NEW */
const struct link *loop_link(const struct loop *);                      /* NULL: no socket for peers so far; for link_info */
uint16_t loop_port(const struct loop *);                                /* 0: not listening */
bool loop_seed_confirmed(const struct loop *);                          /* the seed has left the disk */

/* Jobs on the keystore, one at a time (ERR_BUSY).  Arguments are copied.  done comes on the loop, with a sentence if it went wrong ("":
 * none); it finds its request by token, if that is still there. */
typedef void loop_done(struct loop *, uint64_t token, enum err, const char *why);
enum err loop_init(struct loop *, const struct keystore_init *, loop_done *, uint64_t token);         /* NEW → OPEN.  ERR_EXISTS */
enum err loop_unlock(struct loop *, struct slice passphrase, loop_done *, uint64_t token);             /* LOCKED → OPEN */
enum err loop_drop_seed(struct loop *, loop_done *, uint64_t token);
/* old: checked if there is a passphrase now; new data NULL: a key file. */
enum err loop_change_passphrase(struct loop *, struct slice old, struct slice new, loop_done *, uint64_t token);
/* Stops after what is answered now has gone out. */
void loop_stop(struct loop *);

#endif
