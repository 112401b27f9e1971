/* link: the one socket wrapper (measured.md 1-4).  Nothing else opens a ZeroMQ socket, and none can be opened without CURVE, the
 * ZAP handler (bound first), ZAP domain and its enforcement (option 93), MAXMSGSIZE, HANDSHAKE_IVL, HWM, LINGER, IPV6,
 * backlog.  One ROUTER for incoming, one DEALER per outgoing peer; tcp:// only.  Runs in a libuv loop, without polling:
 * sockets on which something happened are drained in uv_check, 64 messages a turn.
 *
 * Links are numbered: the caller numbers outgoing ones (< LINK_INCOMING), incoming ones get LINK_INCOMING | n at their first frame.
 * Callbacks should queue an event and return; link_send and link_disconnect may be called from them, link_close may not.
 * A frame is one message of one part, at most LIMIT_FRAME; a peer that sends anything else loses its connection.
 *
 * Bounds: LIMIT_PEERS incoming links, LIMIT_JOIN_LINKS per key (a further one ends the oldest), 1,024 connections that have not sent
 * a frame yet (the oldest goes; each after 10 s), 10 connections a second per key (32 at once), 16 MiB waiting to be sent
 * to one peer, about 64 MiB received from one but not yet passed on.  Descriptors: 4 per outgoing link, 1 per incoming one: the
 * daemon should raise RLIMIT_NOFILE to its hard limit before link_open. */
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
	/* ERR_DENIED: the other side says that it refuses our key.  That word is not authenticated (anything at that address, or on
	 * the way, can say it): tell the user, and go on trying slowly.  ERR_WAITING: unreachable, gone, or not the key that was
	 * expected.  The link is forgotten; the number may be used again.  Nothing reconnects by itself. */
	void (*down)(void *, uint32_t link, enum err why);
	void (*frame)(void *, uint32_t link, struct slice bytes);       /* borrowed */
};
struct curve_pair { uint8_t public[KEY_LEN], secret[KEY_LEN]; };

/* ERR_NOMEM, ERR_LIMIT (descriptors), ERR_IO.  Also after a failure run the loop once more before uv_loop_close. */
enum err link_open(struct link **out, struct uv_loop_s *, const struct link_events *, const struct curve_pair *own);
/* Lets queued frames go for at most 0.5 s.  Asynchronous parts end with the loop; call before uv_loop_close and run the loop until
 * it has nothing left (a name being looked up can take seconds).  NULL is fine.  No callback follows. */
void link_close(struct link *);
/* Accept connections.  address: "tcp://0.0.0.0:7411", "tcp://[::]:7411", port "*" or 0: any free one; *port: the one bound.
 * ERR_BUSY: the port is taken.  ERR_USAGE: not such an address, or not one of this host.  ERR_DENIED: a port for root.
 * May be called several times (8 addresses). */
enum err link_listen(struct link *, const char *address, uint16_t *port);
void link_unlisten(struct link *);                                     /* all; the ports are free when it returns */
/* Prove that the ROUTER refuses a stranger's key (over loopback on a port of its own, within 5 s, running the loop).  ERR_SIGNATURE:
 * it does not; ERR_WAITING: no answer.  Anything but OK: do not listen. */
enum err link_self_test(struct link *);
/* Dial.  client: the device's CURVE keys or an invite's.  up or down follows, within 11 s per address of the name (at most 4).
 * ERR_USAGE: not tcp://host:port.  ERR_EXISTS: the number is in use.  ERR_LIMIT: descriptors. */
enum err link_connect(struct link *, uint32_t link, const char *address, const uint8_t server_key[KEY_LEN],
	const struct curve_pair *client);
/* No callback follows.  Frames just sent still go; what it sends is not heard any more, and it loses its connection in 0.5 s. */
void link_disconnect(struct link *, uint32_t link);
/* Copies.  ERR_LIMIT: its queue is full (the frame is not sent); ERR_NOTFOUND: no such link, or not up; ERR_TOOBIG; ERR_NOMEM. */
enum err link_send(struct link *, uint32_t link, struct slice frame);
/* The CURVE client keys that may connect; replaces the set.  One that is no longer in it is disconnected: none of its frames comes
 * any more, down follows.  ERR_NOMEM: the set is as before. */
enum err link_allow(struct link *, const uint8_t (*keys)[KEY_LEN], size_t n);
/* refused_handshakes: connections that ended without becoming a link, except for the key.  outgoing: those that are up. */
struct link_info { uint64_t refused_handshakes, refused_keys, dropped_frames; uint32_t incoming, outgoing; };
void link_info(const struct link *, struct link_info *);
bool link_address_valid(const char *);                                  /* tcp://host:port, length, characters */

#endif
