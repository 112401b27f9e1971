/* session: one connection to one device: HELLO, reconciliation of the spaces that both hold, live push (protocol §8).  Pure: it
 * reaches data through struct net_data and speaks through struct net_out.  A session keeps at most a bounded amount of state
 * (a descent's open paths, wanted slots); what it forgets, the next ROOTS finds again.
 *
 * Course: the *driver* (the dialing side) sends HELLO and, in the same breath, ROOTS for each common space, an answer wanted; the
 * other side answers both.  On unequal authority roots the driver asks for what changed SINCE it last read the peer's journal, and
 * says the same of its own (SLOTS), if both know how far that was; else, and if that was not enough, it descends the authority trie
 * (ASK_NODES/NODES, all differing nodes of a level together).  It asks for what it lacks or has older (WANT), sends what the peer
 * lacks or has older, and right behind that ROOTS again; then the data section in the same way, compared only under equal authority
 * roots.  The other side never starts a reconciliation: it says its ROOTS, and the driver acts.  Rounds go on while they change
 * something: after three that change nothing the session says why and waits for the next comparison.
 * Frames are hints: a lost one is repaired by the ROOTS that follow a 5 s silence, a journal gap, or the next anti-entropy.  Live
 * frames are acknowledged by ROOTS, so both sides know at once whether they are equal again.
 * A session with both roots equal is "in sync" with that digest, at that time. */
#ifndef NET_SESSION_H
#define NET_SESSION_H
#include "net/wire.h"

struct net_roots { struct id32 authority, data; bool pending; uint64_t journal; };

/* What the node lends a session.  All borrowed slices end with the call.  Return ERR_NOTFOUND for what is not here.  What a take_*
 * has taken, every later call shows.  The callbacks each and piece call nothing of this table (piece may send a frame). */
struct net_data {
	void *arg;
	enum err (*roots)(void *, const struct id32 *space, struct net_roots *out);
	enum err (*node)(void *, const struct id32 *space, enum net_section, struct slice path, struct net_node *out);
	enum err (*slot)(void *, const struct id32 *space, struct slice slot_key, struct slot *out);     /* as held now */
	/* Every slot below a path, for a subtree that the peer lacks altogether. */
	enum err (*slots_below)(void *, const struct id32 *space, enum net_section, struct slice path,
		enum err (*each)(void *, const struct slot *), void *each_arg);
	/* The content of a slot beyond version `have`: acts, statements and forks whole (whatever `have` is), logs as runs from have+1
	 * on, as many as fit `budget` bytes and at least one; *upto: the version reached.  piece() gets a complete payload: act, run
	 * or statement bytes; of a fork proof its two runs, the smaller first id first. */
	enum err (*content)(void *, const struct id32 *space, struct slice slot_key, uint64_t have, size_t budget,
		enum err (*piece)(void *, struct slice bytes), void *piece_arg, uint64_t *upto);
	/* Take in what the peer sent.  OK: stored or known already.  ERR_MISSING: something before it is lacking (a cited act, an
	 * earlier op): the session asks for it.  ERR_DENIED: not allowed, counted against the peer.  ERR_NOMEM, ERR_FULL …: stop. */
	enum err (*take_act)(void *, const struct id32 *peer, const struct act *, struct slice bytes);
	enum err (*take_run)(void *, const struct id32 *peer, const struct run *, struct slice bytes);
	enum err (*take_statement)(void *, const struct id32 *peer, const struct statement *, struct slice bytes);
	/* a and b: two runs from one prev whose first ops differ, signatures verified.  NULL: fork proofs are refused. */
	enum err (*take_fork)(void *, const struct id32 *peer, const struct run *a, struct slice a_bytes, const struct run *b,
		struct slice b_bytes);
	/* May this device be told of this section (empty slot key) / this slot?  (design §3: net never includes org) */
	bool (*may_send)(void *, const struct id32 *peer, const struct id32 *space, enum net_section, struct slice slot_key);
	bool (*may_take)(void *, const struct id32 *peer, const struct id32 *space, enum net_section);
	/* Spaces whose authority lists this device, ascending. */
	size_t (*common)(void *, const struct id32 *peer, struct id32 *spaces, size_t max);
	/* At most `max` slots changed after `journal`, ascending in journal order; *covered: the journal number reached. */
	enum err (*since)(void *, const struct id32 *space, uint64_t journal, size_t max,
		enum err (*each)(void *, const struct slot *, enum net_section), void *each_arg, uint64_t *covered);
	/* The journal position of the peer's store up to which everything was taken (kept by the node per peer and nonce). */
	uint64_t (*cursor)(void *, const struct id32 *peer, const struct id16 *nonce, const struct id32 *space);
	void (*set_cursor)(void *, const struct id32 *peer, const struct id16 *nonce, const struct id32 *space, uint64_t journal);
};
struct net_out {
	void *arg;
	void (*send)(void *, struct slice frame);               /* copied or sent before it returns */
};
struct session_hello { struct id16 nonce; const struct slice *addresses; size_t n_addresses; struct slice agent; };

enum session_state { SESSION_HELLO, SESSION_OPEN, SESSION_CLOSED };
struct session_space {                  /* what `cairn peers` and `cairn sync` say */
	struct id32 space, authority, data;     /* the digests both held when last equal */
	bool in_sync, peer_pending, busy;       /* busy: a descent is under way */
	uint64_t since_ms;                      /* wall time of the last equality */
	enum err why;                           /* not in sync, and three rounds changed nothing: ERR_WAITING no answer, ERR_DENIED the
	                                         * peer does not know the space, else what was last refused (or ERR_STATE) */
};
/* refused: what we did not take or answer.  repaired: slots that came because we asked. */
struct session_counters { uint64_t frames_in, frames_out, bytes_in, bytes_out, refused, repaired, round_trips; };

struct session;
/* The table is copied, its arg borrowed.  NULL: out of memory. */
struct session *session_new(const struct net_data *, const struct id32 *peer, bool driver, uint64_t mono_ms);
void session_free(struct session *);
/* The driver sends HELLO and ROOTS; the other side answers the driver's HELLO with its own, which can then say up to where it
 * has read the driver's journal.  ERR_NOMEM: nothing was sent. */
enum err session_start(struct session *, const struct net_out *, const struct session_hello *);
/* One checked message.  ERR_VERSION, ERR_STATE (JOIN and JOINED belong to the node): the peer's fault, close (in the first case
 * after sending what was emitted: it says why).  Errors of this machine
 * that take_* gave (ERR_NOMEM, ERR_FULL, ERR_IO …) are passed on: what the frame brought may be half taken, and the session can go
 * on or be given the frame again.  What the data refuses for the peer's fault is counted in `refused`, and is no error. */
enum err session_message(struct session *, const struct net_out *, const struct net_message *, uint64_t mono_ms, uint64_t wall_ms);
/* A slot changed here (not by this peer): push it, once for each change, after net_data shows it.  old_version: what the peer may
 * be assumed to have (log: head before). */
void session_changed(struct session *, const struct net_out *, const struct id32 *space, const struct slot *, uint64_t old_version);
/* Compare roots of one or (NULL) all spaces again. */
void session_compare(struct session *, const struct net_out *, const struct id32 *space, uint64_t mono_ms);
/* Spaces in common may have changed (an authority change). */
void session_spaces(struct session *, const struct net_out *, uint64_t mono_ms);
/* Timers: heartbeat 15 s, silence of a descent 5 s, peer silent for 45 s → ERR_WAITING: close.  *next: when to call again. */
enum err session_tick(struct session *, const struct net_out *, uint64_t mono_ms, uint64_t *next);
/* When session_tick wants to be called: messages and changes can bring it forward. */
uint64_t session_next(const struct session *);
enum session_state session_state(const struct session *);
const struct id32 *session_peer(const struct session *);
size_t session_list(const struct session *, struct session_space *out, size_t max);
const struct session_counters *session_counters(const struct session *);
size_t session_addresses(const struct session *, const char *const **texts);  /* as the peer's HELLO gave them */

/* Reconnection: 1 s doubling to 15 min with +-25 % jitter, reset by success or a change of network; a breaker: after 5 failures in
 * a row the state says so.  random: any fresh number. */
struct backoff { uint32_t failures; uint64_t next_ms; };
void backoff_fail(struct backoff *, uint64_t mono_ms, uint64_t random);
void backoff_reset(struct backoff *);

#endif
