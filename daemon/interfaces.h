/* interfaces: under which addresses others may reach this machine.  Loopback comes last: it serves two daemons on one machine. */
#ifndef DAEMON_INTERFACES_H
#define DAEMON_INTERFACES_H
#include "base/bytes.h"
#include "base/limits.h"

struct address_list { size_t n; char text[LIMIT_ADDRESSES][LIMIT_ADDRESS_TEXT]; struct slice slices[LIMIT_ADDRESSES]; };

/* "tcp://HOST:PORT", "tcp://[V6]:PORT"; port "*" is 0.  host >= LIMIT_ADDRESS_TEXT bytes, without brackets.  False: no such thing. */
bool address_split(const char *text, char *host, uint16_t *port);
void address_add(struct address_list *, const char *text);      /* ignored when full or there already */
bool address_list_equal(const struct address_list *, const struct address_list *);

/* What a socket bound to `listen` (host part; "0.0.0.0", "::" or one address) can be reached at, `first` before all else.
 * Link-local IPv6 is left out: it means nothing without this machine's name for the interface.  ERR_NOMEM, ERR_IO: *out then holds
 * `first` and loopback. */
enum err interfaces_list(struct address_list *out, const struct address_list *first, const char *listen, uint16_t port);

/* Calls changed(arg) within half a second after links or addresses of the machine have changed.  Netlink, no polling.  ERR_IO: not
 * available here (then nothing is ever called), ERR_NOMEM. */
struct uv_loop_s;
struct interfaces_watch;
enum err interfaces_watch_open(struct interfaces_watch **out, struct uv_loop_s *, void (*changed)(void *), void *arg);
void interfaces_watch_close(struct interfaces_watch *);         /* asynchronous: gone when the loop has run; NULL is fine */

#endif
