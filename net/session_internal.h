/* The inside of a session, shared by net/session*.c and by nothing else.  Each file has one job:
 *   session.c          life, dispatch of messages, timers
 *   session_compare.c  ROOTS, the course of a reconciliation, SINCE and SLOTS
 *   session_descend.c  the two tries walked against each other
 *   session_want.c     what we have asked for
 *   session_push.c     what we owe the peer, in frames, within its credit
 *   session_take.c     what the peer sent
 *   session_queue.c    a set of slots in order of arrival */
#ifndef NET_SESSION_INTERNAL_H
#define NET_SESSION_INTERNAL_H
#include "net/session.h"

#define HELLO_AGAIN_MS    5000u
#define SILENCE_MS        5000u          /* of a descent */
#define HEARTBEAT_MS     15000u
#define DEAD_MS          45000u          /* the peer said nothing at all */
#define ACK_MS             250u          /* at most one ROOTS per space in this time, after live frames */
#define SETTLE_MS          500u          /* unequal roots amid live frames: wait for what is under way */
#define COMPARE_MS        1000u          /* between two comparisons that nobody ordered */
#define STUCK_MS         30000u          /* the same after one that changed nothing */
#define CREDIT_MS        10000u          /* lost frames are never credited: then begin anew */
#define ROUNDS_MAX           3u          /* without progress */
#define REASKS_MAX           4u
#define POLLS_MAX           10u          /* while the peer is pending */
#define QUEUE_MAX        65536u          /* wanted slots, slots to push, open paths: each per session */
#define ASKED_MAX         1024u          /* paths under way */
#define VISITED_MAX  (1u << 20)          /* nodes of one descent */
#define HELD_MAX          4096u
#define HELD_BYTES (4u * 1024 * 1024)
#define CREDIT_STEP (1024u * 1024)
#define BATCH_BYTES (128u * 1024)
#define BATCH_RECORDS      512u
#define WANTS_PER_FRAME   4096u          /* the other side sorts the acts of one frame: the more the better */
#define SLOTS_PER_FRAME   1024u
#define NODES_PER_FRAME     64u
#define RUN_BUDGET (512u * 1024)
#define FORKS_MAX           64u

/* ---- a set of slots, in order of arrival ---- */

struct slot_entry {
	uint8_t key[SLOT_KEY_MAX], key_len;
	bool dead, flag;                /* flag: wanted: asked for; to push: live */
	uint64_t have, target;
};
struct slot_queue {
	struct slot_entry *entry;
	size_t n, cap, alive, first;    /* n counts the dead too; nothing before first is alive */
	uint32_t *index;                /* by hash: position + 1 */
	size_t index_cap;
	size_t *total;                  /* alive entries of all queues that share one limit */
};
struct slot_entry *queue_find(struct slot_queue *, struct slice key);
/* The entry of this key, a new one zeroed but for the key; NULL: full or out of memory.  Moves all other entries. */
struct slot_entry *queue_add(struct slot_queue *, struct slice key);
void queue_remove(struct slot_queue *, struct slot_entry *);        /* entries stay where they are */
struct slot_entry *queue_first(struct slot_queue *);
void queue_clear(struct slot_queue *);                              /* releases everything but total */

/* ---- one space ---- */

enum phase {
	PHASE_IDLE,
	PHASE_ASKED,                    /* ROOTS sent, nothing else */
	PHASE_SINCE,                    /* waiting for SLOTS */
	PHASE_DESCEND,                  /* waiting for NODES */
	PHASE_SETTLE                    /* waiting for what was asked for, then ROOTS again */
};
struct path { uint8_t len, nibble[NET_PATH_LEN_MAX]; };
struct paths { struct path *at; size_t n, cap; };
struct space {
	struct session_space shown;     /* busy and space are set when it is shown */
	enum phase phase;
	enum net_section section;       /* of the descent */

	struct net_roots peer;          /* as last heard in ROOTS */
	struct net_roots told;          /* as last said; told.journal also grows by live frames */
	bool has_peer, has_told;
	uint64_t heard;                 /* the peer's journal: by ROOTS, live frames, heartbeats */
	bool asked, pushed_since_asked; /* an answer to our ROOTS is due; we have sent content after asking */
	bool announcing;                /* the peer has not read all of our SLOTS */
	bool peer_authority_only, lane_told;    /* the peer told us, we told it, that data is not for it */
	uint64_t peer_cursor;           /* our journal, up to which the peer has everything; 0 unknown */
	unsigned since_tried;           /* bits of sections, and SINCE_CURSOR */
	unsigned stalls, silences, reasks, polls, journals;
	struct id32 round[4];           /* our and their roots at the last decision */
	bool has_round;
	enum err refused;               /* the last thing that we could not take from it */

	uint64_t active_ms, told_ms, wanted_ms, end_ms;
	uint64_t compare_at, ack_at;    /* 0: not planned */

	struct slot_queue wanted, acts, push;
	size_t unsent;                  /* of wanted */
	bool spilled;
	struct paths open, under_way;
	size_t visited, level;          /* the level of the trie that has been answered */
};
#define SINCE_CURSOR 4u

struct held_act { uint8_t *bytes; size_t len; struct id32 space, id, waits_for; bool ready; };

struct session {
	struct net_data data;
	struct id32 peer;
	bool driver, started, greeted;  /* greeted: our HELLO is out */
	enum session_state state;
	struct session_counters count;
	uint64_t now, wall;

	struct id16 nonce, peer_nonce;  /* of the stores */
	char *own_address[LIMIT_ADDRESSES], *agent;
	size_t n_own_addresses;
	char *address[LIMIT_ADDRESSES];
	size_t n_addresses;

	struct space *space[LIMIT_SPACES];      /* ascending by id */
	size_t n_spaces;
	size_t n_wanted, n_push, n_open;        /* over all spaces */

	uint64_t heard_ms, beat_ms, hello_ms, credit_ms;
	uint64_t outstanding, consumed;         /* bulk bytes sent and not credited; taken and not yet credited */

	struct held_act *held;
	size_t n_held, cap_held, held_bytes;
	struct slot_entry forked[FORKS_MAX];    /* logs already fetched from their beginning because of a fork */
	size_t n_forked;

	struct buf frame, batch, scratch;
	struct slice piece[BATCH_RECORDS];      /* lengths of what is in batch */
	size_t n_pieces;
	struct space *batch_space;
	enum net_type batch_type;
	bool batch_live;
	uint32_t *stack;                        /* of session_push.c */
	size_t cap_stack;
};

/* ---- session.c ---- */
struct space *session_space_of(struct session *, const struct id32 *);      /* NULL: not in common */
/* Encode and send.  *len may be NULL: bytes sent.  ERR_NOMEM, ERR_TOOBIG: nothing was sent. */
enum err session_emit(struct session *, const struct net_out *, const struct net_message *, size_t *len);
void session_refuse(struct session *, const struct net_out *, enum net_reason, const struct id32 *space);
bool session_lane_open(const struct session *, const struct space *, enum net_section);

/* ---- session_compare.c ---- */
void session_begin(struct session *, const struct net_out *, struct space *);   /* ROOTS, with an answer wanted */
void session_say_roots(struct session *, const struct net_out *, struct space *, bool answer);
void session_plan(struct session *, struct space *, uint64_t delay);            /* a comparison, not too often */
void session_plan_ack(struct session *, struct space *);
void session_due(struct session *, const struct net_out *, struct space *);     /* does what is planned and due */
/* Ours have changed: are they now what the peer last said of its own? */
void session_recheck(struct session *, const struct net_out *, struct space *);
void session_heard(struct session *, struct space *, uint64_t journal, size_t changes);
enum err session_on_roots(struct session *, const struct net_out *, struct space *, const struct net_message *);
enum err session_on_since(struct session *, const struct net_out *, struct space *, const struct net_message *);
enum err session_on_slots(struct session *, const struct net_out *, struct space *, const struct net_message *);
/* Read the peer's whole journal, which names acts parents first; false: that was tried too often. */
bool session_read_journal(struct session *, const struct net_out *, struct space *);
void session_to_settle(struct session *, const struct net_out *, struct space *);   /* enters the phase */
void session_settle(struct session *, const struct net_out *, struct space *);      /* has everything come? */
void session_silent(struct session *, const struct net_out *, struct space *);
void session_give_up(struct session *, struct space *, enum err why);
void session_forget(struct session *, struct space *);                              /* paths and wants */

/* ---- session_descend.c ---- */
void session_descend(struct session *, const struct net_out *, struct space *, enum net_section, bool peer_is_empty);
enum err session_on_ask(struct session *, const struct net_out *, struct space *, const struct net_message *);
enum err session_on_nodes(struct session *, const struct net_out *, struct space *, const struct net_message *);
void session_forget_paths(struct session *, struct space *);

/* ---- session_want.c ---- */
int session_newer(const struct slot *a, const struct slot *b);                      /* of one key; > 0: a wins, 0: equal or a fork */
void session_want(struct session *, struct space *, struct slice key, uint64_t have, uint64_t target);
void session_want_act(struct session *, struct space *, const struct id32 *);
/* Theirs differs from ours: want it if it wins.  True: ours wins. */
bool session_want_if_newer(struct session *, struct space *, const struct slot *theirs, const struct slot *ours);
void session_want_whole_log(struct session *, struct space *, struct slice key, uint64_t target);
void session_wants_send(struct session *, const struct net_out *, struct space *);
void session_want_done(struct session *, struct space *, struct slice key, uint64_t version, bool taken);
void session_wants_forget(struct space *);

/* ---- session_push.c ---- */
void session_push(struct session *, struct space *, struct slice key, uint64_t have, bool live);
void session_drain(struct session *, const struct net_out *);
bool session_is_blocked(const struct session *);
enum err session_on_want(struct session *, const struct net_out *, struct space *, const struct net_message *);
void session_on_credit(struct session *, const struct net_out *, uint64_t bytes);

/* ---- session_take.c ---- */
void session_pay(struct session *, const struct net_out *, size_t len);             /* credit for what was consumed */
enum err session_on_content(struct session *, const struct net_out *, struct space *, const struct net_message *);
void session_held_forget(struct session *, const struct id32 *space);               /* NULL: all */
bool session_is_held(const struct session *, const struct id32 *act);

#endif
