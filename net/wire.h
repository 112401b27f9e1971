/* wire: the frames of a session (protocol §8): canonical msgpack arrays that begin with their type, <= 256 KiB.  Pure and
 * thread-safe: net_check() decodes, checks limits and verifies the signatures of everything inside; only its result reaches the
 * node.  docs/protocol.md lists each frame to the byte. */
#ifndef NET_WIRE_H
#define NET_WIRE_H
#include "crdt/act.h"
#include "crdt/op.h"
#include "crdt/statement.h"

enum net_section { NET_AUTHORITY = 0, NET_DATA = 1 };
enum net_type {
	NET_HELLO = 1,          /* [1, version, store nonce bin16, [[space bin32, nonce bin16, journal#]…] cursors, [address str…], agent str] */
	NET_ROOTS = 2,          /* [2, space, authority root, data root, pending, journal#, answer wanted] */
	NET_ASK_NODES = 3,      /* [3, space, section, [path bin…]]: one nibble a byte */
	NET_NODES = 4,          /* [4, space, section, [[path bin, [16 × child]]…]]; child = nil | hash bin32 | [slot key bin, version, id bin32] */
	NET_WANT = 5,           /* [5, space, [[slot key bin, have version]…]] */
	NET_ACTS = 6,           /* [6, space, journal# | nil, [authority op bin…]] */
	NET_RUN = 7,            /* [7, journal# | nil, run bin] */
	NET_STATEMENTS = 8,     /* [8, space, journal# | nil, [statement bin…]] */
	NET_HEARTBEAT = 9,      /* [9, [[space, journal#]…]] */
	NET_SINCE = 10,         /* [10, space, journal#]: slots changed since */
	NET_SLOTS = 11,         /* [11, space, section, [[slot key bin, version, id]…], journal# covered, more]; covered 0 and more: the
	                         * other section's part of the same answer follows */
	NET_JOIN = 12,          /* [12, space, invite key bin32, request bin16, root key bin32, certificate bin, signature bin64] */
	NET_JOINED = 13,        /* [13, request bin16, status, admit id bin32 | nil, answering device bin32] */
	NET_REFUSE = 14,        /* [14, reason, space | nil] */
	NET_CREDIT = 15,        /* [15, bytes]: of what was received, consumed */
	NET_FORK = 16           /* [16, space, run bin, run bin]: two runs from one prev, the smaller first id first */
};
/* What one frame may hold; more is ERR_MALFORMED.  Addresses and agent are printable ASCII. */
#define NET_PATHS_MAX   256
#define NET_SLOTS_MAX   4096
#define NET_RECORDS_MAX 2048
#define NET_AGENT_MAX   64
#define NET_PATH_LEN_MAX 63             /* of a branch */
enum net_join_status { JOIN_ADMITTED = 0, JOIN_PENDING = 1, JOIN_USED = 2, JOIN_EXPIRED = 3, JOIN_CLOSED = 4, JOIN_UNKNOWN = 5,
	JOIN_WRONG = 6, JOIN_REMOVED = 7 };
enum net_reason { REFUSE_VERSION = 1, REFUSE_MALFORMED = 2, REFUSE_LANE = 3, REFUSE_CREDIT = 4, REFUSE_LIMIT = 5, REFUSE_UNKNOWN = 6 };

/* Slot keys (protocol §7): a type byte and fixed fields.
 *   'A' act id32 · 'L' device32 incarnation u64 · 'F' device32 incarnation u64 (fork proof) · 'S' device32 kind u8 index16 */
#define SLOT_KEY_MAX 50
struct slot { uint8_t key[SLOT_KEY_MAX]; uint8_t key_len; uint64_t version; struct id32 id; };
void slot_act(struct slot *, const struct id32 *id);                                      /* version 0, id = the act's */
void slot_log(struct slot *, const struct id32 *device, uint64_t incarnation, uint64_t head_seq, const struct id32 *head_id);
void slot_fork(struct slot *, const struct id32 *device, uint64_t incarnation, uint64_t seq, const struct id32 *id);
void slot_statement(struct slot *, const struct statement *);                             /* version counter, id */
bool slot_key_valid(struct slice key);
enum net_section slot_section(struct slice key);
bool slot_key_log(struct slice key, struct id32 *device, uint64_t *incarnation);          /* false: no log slot */
bool slot_key_statement(struct slice key, struct id32 *device, uint32_t *kind, struct id16 *index);

struct net_cursor { struct id32 space; struct id16 nonce; uint64_t journal; };
struct net_child { enum { CHILD_EMPTY, CHILD_BRANCH, CHILD_LEAF } kind; struct id32 hash; struct slot slot; };
struct net_node { uint8_t path[64]; uint8_t path_len; struct net_child child[16]; };
struct net_want { struct slot slot; /* version: what we have */ };

struct net_message {
	enum net_type type;
	size_t frame_len;                       /* for credit and counters */
	struct id32 space;                      /* where the type has one; has_space for REFUSE */
	bool has_space, has_journal;
	uint64_t journal;
	enum net_section section;
	union {
		struct { uint32_t version; struct id16 nonce; size_t n_cursors; struct net_cursor *cursors;
			size_t n_addresses; struct slice *addresses; struct slice agent; } hello;
		struct { struct id32 authority, data; bool pending, answer; } roots;
		struct { size_t n; struct slice *paths; } ask;
		struct { size_t n; struct net_node *nodes; } nodes;
		struct { size_t n; struct slot *slots; bool more; } slots;      /* WANT (version = have) and SLOTS */
		struct { size_t n; struct act *acts; struct slice *bytes; } acts;
		struct { struct run run; struct slice bytes; } run;
		struct { size_t n; struct statement *statements; struct slice *bytes; } statements;
		struct { size_t n; struct net_cursor *cursors; } heartbeat;     /* nonce unused */
		struct { struct id32 invite; struct id16 request; struct id32 root; struct slice certificate;
			uint8_t signature[SIG_LEN]; } join;
		struct { struct id16 request; enum net_join_status status; bool has_admit; struct id32 admit, device; } joined;
		enum net_reason reason;
		uint64_t credit;
		struct { struct run a, b; struct slice a_bytes, b_bytes; } fork;
	} u;
	void *owned[3];                         /* what net_message_free releases */
};
/* Decode and verify.  Slices borrow from frame, which must outlive *out.  ERR_MALFORMED, ERR_TOOBIG, ERR_VERSION, ERR_SIGNATURE
 * (act, run or statement: the whole frame is refused), ERR_NOMEM; then *out holds nothing.  A HELLO of another version is OK with
 * hello.version alone set, so that the session can say why it refuses.  A JOIN's signature is the node's to verify. */
enum err net_check(struct net_message *out, struct slice frame);
void net_message_free(struct net_message *);
/* Encode any message (run, acts, statements and fork from their bytes), appended to out.  ERR_TOOBIG; then out is as before. */
enum err net_encode(struct buf *out, const struct net_message *);

#endif
