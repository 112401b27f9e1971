/* link: the one socket wrapper (measured.md 1-4).  Nothing else opens a ZeroMQ socket, and none can be opened without CURVE, the
 * ZAP handler (bound first), ZAP domain and its enforcement (option 93), MAXMSGSIZE, HANDSHAKE_IVL, HWM, LINGER, heartbeats,
 * IPV6, backlog.  One ROUTER for incoming, one DEALER per outgoing peer; tcp:// only.  Runs in a libuv loop: ZMQ_FD is a hint,
 * sockets are drained with a budget in uv_check, ZMQ_EVENTS re-read in uv_prepare and after each send.
 *
 * Links are numbered: the caller numbers outgoing ones (< LINK_INCOMING), incoming ones get LINK_INCOMING | n at their first frame.
 * Callbacks clear nothing and do no work: they queue an event. */
#ifndef NET_LINK_H
#define NET_LINK_H
#include "base/crypto.h"
#include "base/limits.h"

#define LINK_INCOMING 0x80000000u
struct uv_loop_s;
struct link;
struct link_events {
	void *arg;
	/* Outgoing: the CURVE handshake is done.  Incoming: the first frame came (User-Id checked).  curve: the peer's key. */
	void (*up)(void *, uint32_t link, const uint8_t curve[KEY_LEN]);
	/* ERR_DENIED: the other side refused our key (no automatic retry goes on); ERR_WAITING: unreachable or gone; ERR_USAGE: bad
	 * address.  The link is forgotten; the number may be used again. */
	void (*down)(void *, uint32_t link, enum err why);
	void (*frame)(void *, uint32_t link, struct slice bytes);       /* borrowed */
};
struct curve_pair { uint8_t public[KEY_LEN], secret[KEY_LEN]; };

enum err link_open(struct link **out, struct uv_loop_s *, const struct link_events *, const struct curve_pair *own);
/* Asynchronous parts end with the loop; call before uv_loop_close and run the loop once more. */
void link_close(struct link *);
/* Accept connections.  address: "tcp://0.0.0.0:7411", "tcp://[::]:7411", port "*" or 0: any free one; *port: the one bound.
 * ERR_BUSY: the port is taken.  ERR_USAGE. */
enum err link_listen(struct link *, const char *address, uint16_t *port);
void link_unlisten(struct link *);
/* Prove that the ROUTER refuses a stranger's key (over loopback, within 5 s, running the loop).  ERR_SIGNATURE: it does not. */
enum err link_self_test(struct link *);
/* Dial.  client: the device's CURVE keys or an invite's.  up or down follows.  ERR_USAGE: not tcp://host:port. */
enum err link_connect(struct link *, uint32_t link, const char *address, const uint8_t server_key[KEY_LEN],
	const struct curve_pair *client);
void link_disconnect(struct link *, uint32_t link);                    /* no callback follows */
/* ERR_LIMIT: its queue is full (the frame is not sent); ERR_NOTFOUND. */
enum err link_send(struct link *, uint32_t link, struct slice frame);
/* The CURVE client keys that may connect; replaces the set.  A connected one that is no longer in it is disconnected. */
enum err link_allow(struct link *, const uint8_t (*keys)[KEY_LEN], size_t n);
/* refused_handshakes: connections that ended without becoming a link, except for the key.  outgoing: those that are up. */
struct link_info { uint64_t refused_handshakes, refused_keys, dropped_frames; uint32_t incoming, outgoing; };
void link_info(const struct link *, struct link_info *);
bool link_address_valid(const char *);                                  /* tcp://host:port, length, characters */

#endif
