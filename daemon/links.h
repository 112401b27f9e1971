/* links: the node's links in the libuv loop.  Effects go out through net/link; what comes in is decoded and verified by net_check on
 * libuv's pool, in order per link, one job in flight per link, and becomes EVENT_LINK_UP, MESSAGE, BAD_FRAME, LINK_DOWN in that order.
 *
 * Waiting frames are bounded: per link by what its credit allows and 1 MiB more, in all by LINKS_BYTES.  Beyond that, or without
 * memory, the link is disconnected (LINK_DOWN, ERR_LIMIT or ERR_NOMEM): only its sender pays. */
#ifndef DAEMON_LINKS_H
#define DAEMON_LINKS_H
#include "daemon/queue.h"
#include "net/link.h"

#define LINKS_LINE_BYTES (LIMIT_SESSION_CREDIT + 1024 * 1024)
#define LINKS_BYTES (64 * 1024 * 1024)

struct uv_loop_s;
struct links;
/* Nothing listens or dials before an effect says so. */
enum err links_open(struct links **out, struct uv_loop_s *, const struct curve_pair *own, struct queue *);
/* SEND, CONNECT, DISCONNECT, ALLOW. */
void links_effect(struct links *, const struct effect *);
/* As link_listen. */
enum err links_listen(struct links *, const char *address, uint16_t *port);
void links_unlisten(struct links *);
/* NULL: no socket was needed so far. */
const struct link *links_link(const struct links *);
/* Asynchronous: gone when the loop has run and the queue is drained.  NULL is fine. */
void links_close(struct links *);

/* Proves on the pool, with a loop and keys of its own, that a ROUTER as we make it refuses a stranger's key (measured.md 2).
 * ERR_SIGNATURE: it does not.  Blocks. */
enum err links_self_test(void);

#endif
