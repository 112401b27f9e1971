/* node: the whole daemon as one pure step (design §3, "the seam").  No I/O, no clock, no randomness of its own: an event brings
 * time and 32 fresh bytes; data is read and written through a store transaction; what should happen comes out as effects.  The
 * shell turns libuv callbacks into events and executes effects; the simulator runs the same object code over the memory backend.
 *
 * A turn: begin one write transaction, step every queued event in it (reads see own writes), commit once, execute the effects in
 * order.  node_turn() is that, so that both hosts do the same.  Nothing leaves before it is durable (promise 3). */
#ifndef NODE_NODE_H
#define NODE_NODE_H
#include "daemon/node/command.h"
#include "net/wire.h"
#include "store/store.h"

/* What the keystore holds, besides the store key.  Copied at node_open. */
struct node_identity {
	bool has_seed; uint8_t seed[32];                /* until `recover confirm` */
	struct id32 root, device;
	uint8_t sign_secret[SIGN_SECRET_LEN];
	uint8_t box_public[KEY_LEN], box_secret[KEY_LEN];
	uint8_t curve_public[KEY_LEN], curve_secret[KEY_LEN];
	uint8_t certificate[512]; size_t certificate_len;
	char name[1024], email[1024];                   /* UTF-8; what `init` was given; written into profiles after joining */
};
/* Things of the machine that the node must know but not ask for. */
struct node_host {
	uint8_t machine[16];            /* hash of the machine id and the data file's inode: another one opens a new incarnation */
	uint16_t port;                  /* wanted; 0: 7411, else any free one */
	uint64_t compare_ms;            /* anti-entropy; 0: 60 minutes */
	const char *agent;              /* "cairnd 0.1.0" */
};

enum event_kind {
	EVENT_START,            /* once after node_open */
	EVENT_TIME,             /* the deadline has come, or the clock jumped */
	EVENT_COMMAND,
	EVENT_LINK_UP, EVENT_LINK_DOWN,
	EVENT_MESSAGE,          /* a frame, already through net_check */
	EVENT_BAD_FRAME,        /* a frame that net_check refused */
	EVENT_LISTENING,        /* the port is bound; addresses of the interfaces */
	EVENT_NETWORK           /* interfaces changed: dial again at once */
};
struct event {                  /* memory is the caller's */
	enum event_kind kind;
	uint64_t wall_ms, mono_ms;
	uint8_t random[32];
	uint32_t link;                                          /* LINK_*, MESSAGE, BAD_FRAME */
	uint8_t curve[KEY_LEN];                                 /* LINK_UP: the peer's key */
	enum err why;                                           /* LINK_DOWN, BAD_FRAME */
	const struct net_message *message;
	uint64_t token;                                         /* COMMAND: comes back in the reply */
	const struct command *command;
	uint16_t port; const struct slice *addresses; size_t n_addresses;       /* LISTENING, NETWORK: "tcp://10.0.0.7:7411" */
};

enum effect_kind { EFFECT_SEND, EFFECT_CONNECT, EFFECT_DISCONNECT, EFFECT_ALLOW, EFFECT_REPLY, EFFECT_LISTEN, EFFECT_LOG, EFFECT_STOP };
enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
struct effect {                 /* borrowed until the next turn */
	enum effect_kind kind;
	uint32_t link;
	struct slice bytes;             /* SEND: the frame; ALLOW: the keys, 32 bytes each; LOG: text without anything personal */
	const char *address;            /* CONNECT */
	uint8_t server_key[KEY_LEN], client_public[KEY_LEN], client_secret[KEY_LEN];    /* CONNECT */
	uint64_t token;                 /* REPLY */
	const struct reply *reply;      /* REPLY */
	bool on;                        /* LISTEN */
	enum log_level level;           /* LOG */
};
struct effects;
struct effects *effects_new(void);
void effects_free(struct effects *);
size_t effects_count(const struct effects *);
const struct effect *effects_at(const struct effects *, size_t i);
void effects_clear(struct effects *);

struct node;
/* Reads the store (its own read transaction, or a write one at the first start).  ERR_VERSION, ERR_DAMAGED, ERR_NOMEM … */
enum err node_open(struct node **out, struct store *, const struct node_identity *, const struct node_host *, uint64_t wall_ms,
	const uint8_t random[32]);
void node_close(struct node *);
/* One turn over n events.  After a failed commit or a step that ran out of memory or disk, the node is rebuilt from the store,
 * the other events are tried again one by one, and each command that failed gets the error as its reply.  *node changes then; NULL
 * only if the rebuild failed too (the error is returned, the host stops).  seen: wall clock, for the new incarnation. */
enum err node_turn(struct node **node, struct store *, const struct event *events, size_t n, struct effects *out);
/* Monotonic time at which an EVENT_TIME is wanted; UINT64_MAX: none. */
uint64_t node_deadline(const struct node *);
#endif
