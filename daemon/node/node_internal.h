/* The inside of the node.  Files and their jobs:
 *   node.c      open, turn, dispatch of events      spaces.c    the spaces that this node knows
 *   replica.c   acts, statements, what follows      slots.c     the map: slots, tries, journal
 *   logs.c      logs and forks                      net_data.c  what sessions see of all that
 *   fold.c      which ops count; documents          keys.c      epochs, wraps, sealing under the one rule (protocol §5)
 *   author.c    writing: ops, acts, statements      peers.c     sessions, dialing, the peer book
 *   join.c      invites' codes, JOIN, admission     sync.c      `cairn sync`, waiting for peers
 *   share.c     gate → sealed reports, audit        publish.c   aggregator: reports → roll-ups
 *   command*.c  what users ask                      view*.c     what users read
 * Everything that is memory here can be rebuilt by node_open from the store. */
#ifndef NODE_INTERNAL_H
#define NODE_INTERNAL_H
#include "base/mem.h"
#include "base/mp.h"
#include "base/rng.h"
#include "daemon/node/node.h"
#include "crdt/trie.h"
#include "net/session.h"
#include "org/gate.h"
#include "org/rollup.h"

/* ---- spaces -------------------------------------------------------------------------------------------- */
struct epoch {                          /* a symmetric key as known (keys.c) */
	struct id32 id; bool has_key; uint8_t key[KEY_LEN];
	enum { EPOCH_SPACE = 0, EPOCH_AUDIENCE = 1 } type;
	bool led_to, led_before;                /* a counting epoch op holds its key as a parent's; led_before: see keys_leads_forget */
	size_t n_readers; struct id32 *readers; /* devices that some wrap names, ascending */
};
struct slot_change { struct slot slot; uint64_t old_version; enum net_section section; uint32_t origin; };
struct standing { struct id32 device; uint8_t standing; };
struct space {
	struct id32 id; uint32_t number;
	bool is_self, joining;                  /* joining: no genesis yet, or not yet admitted here */
	struct authority *authority;            /* NULL while joining without genesis */
	uint64_t n_acts;                        /* records in TABLE_AUTHORITY */
	uint64_t generation;                    /* authority_generation at which data was last derived */
	size_t n_standings; struct standing *standings; /* of the devices, as the statements in the map follow them */
	uint64_t journal;                       /* newest journal number */
	size_t n_epochs; struct epoch *epochs;
	struct reader *entitled; size_t n_entitled, entitled_acts;      /* to the space's epoch, as of so many acts; NULL: not known */
	/* collected in a turn, flushed by replica_flush and node.c */
	size_t n_tries[2], cap_tries[2]; struct trie_change *tries[2];
	size_t n_changes, cap_changes; struct slot_change *changes;
	bool foreign_acts;                      /* of those not yet followed, some came from a peer */
	bool authority_changed, follow_peers, share_dirty, publish_dirty;
	uint64_t wrap_check_at, publish_at;     /* monotonic; UINT64_MAX: none */
	uint64_t publish_rest;                  /* monotonic: not to compute again before */
	bool sync_once;                         /* joined: has been in sync with a peer */
};

/* ---- peers ----------------------------------------------------------------------------------------------- */
struct peer {                           /* one device of others that shares a space (peers.c) */
	struct id32 device; uint8_t curve[KEY_LEN];
	size_t n_addresses; char **addresses;   /* newest source first: HELLO, statement, by hand */
	bool by_hand, marked;                   /* marked: some space lists it as active (peers_follow) */
	struct session *session; uint32_t link; bool outgoing;   /* link 0: none */
	bool dialing; uint32_t dial_link; size_t dial_address;
	struct backoff backoff; enum err last_error; uint64_t last_error_ms;  /* wall */
	size_t guest_bytes;                     /* not marked, but let in to learn why: what it has said */
	uint64_t seen_ms, since_ms;             /* wall: last contact; connected or unreachable since */
};
struct stranger { uint32_t link; uint8_t curve[KEY_LEN]; uint64_t until_ms; uint32_t requests; size_t bytes; };   /* JOIN lane */
struct join {                           /* an organization that we are joining (join.c); kept in TABLE_PENDING */
	struct id32 space; struct id16 request; uint8_t secret[KEY_LEN];
	size_t n_doors, door; struct door { uint8_t curve[KEY_LEN]; char address[LIMIT_ADDRESS_TEXT]; } doors[LIMIT_ADDRESSES];
	bool admitted, failed; uint32_t link; uint64_t retry_at;        /* monotonic */
	enum err last_error; uint32_t status;   /* of the last answer: enum net_join_status, or UINT32_MAX */
};
struct waiter {                         /* a command that waits: sync, join */
	uint64_t token; struct id16 request; enum command_kind kind; struct id32 space, device; bool has_device;
	uint64_t from_ms, until_ms;
	uint64_t compare_at, started_wall; unsigned compared;
	void *kept;                             /* what the command needs to finish; freed with the waiter */
};

struct node {
	struct store *store; struct store_txn *txn;     /* txn: only during a step */
	struct node_identity *identity;         /* secret memory */
	struct node_host host;
	struct id32 member;                     /* = identity->root */
	struct id16 nonce;                      /* this store's */
	struct effects *effects; struct rng rng;
	uint64_t wall_ms, mono_ms;
	uint64_t incarnation; bool incarnation_spent;   /* the next write opens a new one */
	hlc clock;
	uint32_t next_log;
	bool offline, listening, wants_listen, stopping; uint16_t port;
	size_t n_own_addresses; char **own_addresses;
	size_t n_spaces; struct space *spaces;          /* the self space first */
	bool has_default; struct id32 default_org;
	size_t n_peers, cap_peers; struct peer *peers;
	uint32_t next_link;
	size_t n_strangers; struct stranger strangers[LIMIT_JOIN_LINKS];
	size_t n_waiters, cap_waiters; struct waiter *waiters;
	size_t n_joins, cap_joins; struct join *joins;
	uint64_t compare_at;                    /* next anti-entropy, monotonic */
	struct id32 allowed;                    /* hash of the keys last allowed */
	uint32_t origin_link;                   /* whose message is being taken in: it gets no echo */
	uint64_t tries;                         /* turns begun, over rebuilds: never the same randomness twice */
	bool started;                           /* peers follow authority (EVENT_START was done) */
	bool dirty;                             /* this step wrote: its failure must abort the turn */
	uint64_t deadline;
	uint64_t refused_frames;
	struct net_data data; struct net_out out; uint32_t out_link;    /* lent to sessions */
};

/* ---- replica.c ---------------------------------------------------------------------------------------------- */
struct log_head {                       /* value of TABLE_LOG */
	uint32_t number; uint64_t seq; struct id32 id; hlc hlc;         /* newest stored op */
	uint64_t visible; struct id32 visible_id;                       /* newest op below the bound: what the map shows; 0: none */
	uint64_t heads_depth;                                           /* of the newest op's heads: never going back */
};
struct space *space_find(struct node *, const struct id32 *id);         /* NULL */
enum err space_open(struct node *, struct space **out, const struct id32 *id, bool is_self);   /* create if new; moves node->spaces */
enum err spaces_load(struct node *);
void spaces_free(struct node *);
const struct state *space_state(struct space *);                        /* NULL: none yet (or out of memory) */
enum err replica_act(struct node *, struct space *, struct slice bytes, bool *added);
enum err replica_run(struct node *, struct space *, const struct op *ops, size_t n, size_t *added);
enum err replica_statement(struct node *, struct space *, const struct statement *, struct slice bytes, bool *added);
/* After acts were added: bounds, active devices, allowed keys, folds follow in the same turn. */
enum err replica_follow_authority(struct node *, struct space *);
enum err replica_flush(struct node *, struct space *);                  /* trie changes into the store */
enum err replica_roots(struct node *, struct space *, struct net_roots *out);
enum err replica_slot(struct node *, struct space *, struct slice slot_key, struct slot *out);
enum err log_read(struct node *, struct space *, const struct id32 *device, uint64_t incarnation, struct log_head *out);
/* The last seq of a log that may count: pins, forks; 0 for a device that is not (or no longer) certified. */
enum err replica_bound(struct node *, struct space *, const struct id32 *device, uint64_t incarnation, uint64_t *bound);
enum err op_read(struct node *, uint32_t log, uint64_t seq, struct op *out);    /* slices live as long as the transaction */
enum err statement_read(struct node *, struct space *, const struct id32 *device, uint32_t kind, const struct id16 *index,
	struct statement *out);
/* Every stored statement of a kind, ascending by device and index. */
enum err statements_each(struct node *, struct space *, uint32_t kind, enum err (*each)(void *, const struct statement *), void *);
void replica_net_data(struct node *);                                   /* fills node->data */

/* ---- fold.c -------------------------------------------------------------------------------------------------- */
/* Does this op count now?  (bounds, rights, schema; not: held, sealed) */
enum err fold_counts(struct node *, struct space *, const struct op *, bool *counts);
enum err fold_added(struct node *, struct space *, const struct op *, uint32_t log);     /* a new op: index it, apply it if it can be */
enum err fold_document(struct node *, struct space *, uint32_t kind, const struct id16 *id);    /* again from its ops */
enum err fold_log(struct node *, struct space *, uint32_t log, uint64_t from, uint64_t to);      /* the documents of these ops again */
enum err fold_space(struct node *, struct space *);                     /* everything again: rights changed */
enum err fold_epoch_opened(struct node *, struct space *, const struct id32 *epoch);     /* ops that waited for this key */
enum err fold_due(struct node *);                                       /* held ops whose time has come */
uint64_t fold_next_due(struct node *);                                  /* wall ms; UINT64_MAX: none */
/* The cached fold.  ERR_NOTFOUND: none or not created.  Free with doc_free. */
enum err document_read(struct node *, struct space *, uint32_t kind, const struct id16 *id, struct doc **out);
/* Every created document of a kind, ascending by id.  The callback may keep *doc by setting it to NULL. */
enum err documents_each(struct node *, struct space *, uint32_t kind, enum err (*each)(void *, const struct id16 *, struct doc **),
	void *);
/* How many cached documents are not what their ops add up to now: a check; 0 unless something is broken. */
enum err fold_check(struct node *, struct space *, size_t *wrong);
/* Canonical bytes of all documents, held ops taken as due, into a hash: for debug state-hash. */
enum err fold_hash(struct node *, struct space *, struct id32 *out);

/* ---- author.c -------------------------------------------------------------------------------------------------- */
hlc node_stamp(struct node *);
void node_random(struct node *, void *out, size_t len);
/* Write one op with a finished body to a document of ours (kind EPOCH, WITHDRAW: document NULL).  Seals under the space's epoch. */
enum err author_op(struct node *, struct space *, uint32_t kind, const struct id16 *document, struct slice plain_body);
enum err author_change(struct node *, struct space *, uint32_t kind, const struct id16 *document, struct change *);
enum err author_act(struct node *, struct space *, enum act_kind, const struct act_body *, const struct id16 *teams,
	const struct id16 *claims, const struct id16 *moves, const struct pin *pins, struct id32 *id);
/* The pins of every log that is stored of a member's (or one device's) devices; allocated. */
enum err author_pins(struct node *, struct space *, const struct id32 *member, const struct id32 *device, struct pin **out, size_t *n);
/* A statement in our slot (kind, index); counter = max(known + 1, hlc ms).  epoch NULL: clear. */
enum err author_statement(struct node *, struct space *, uint32_t kind, const struct id16 *index, const struct epoch *, uint64_t consent,
	const struct id16 *audience, struct slice plain);

/* ---- keys.c ------------------------------------------------------------------------------------------------------ */
enum err keys_load(struct node *, struct space *);                      /* at open: TABLE_EPOCH and wraps */
struct epoch *keys_find(struct space *, const struct id32 *id);         /* NULL */
enum err keys_take_wrap(struct node *, struct space *, const struct statement *);       /* a wrap arrived: readers, perhaps a key */
enum err keys_take_epoch_op(struct node *, struct space *, const struct op *);          /* parents' keys, led_to */
bool keys_epoch_op_id(const struct op *, struct id32 *epoch);            /* which epoch an epoch op is of; false: malformed */
/* The one rule for the space's epoch, now: mints and wraps where it falls to us.  must: we are about to seal. */
enum err keys_settle(struct node *, struct space *, bool must);
/* The epoch to seal a document of this space under.  ERR_WAITING: no key yet. */
enum err keys_for_space(struct node *, struct space *, struct epoch **out);
/* The epoch for one report: held, readers ⊆ entitled, none missing; mints or wraps as needed.  preferred: last used or NULL. */
enum err keys_for_audience(struct node *, struct space *, const struct reader *readers, size_t n, const struct id32 *preferred,
	struct epoch **out);
void keys_leads_forget(struct space *);                                 /* rights changed: which epochs are led to is found again */
enum err keys_leads_keep(struct node *, struct space *);                /* … and kept */
enum err keys_time(struct node *);                                      /* wraps that nobody else has made in 10 s */
void keys_free(struct space *);

/* ---- peers.c, join.c, sync.c ---------------------------------------------------------------------------------- */
enum err peers_load(struct node *);
void peers_free(struct node *);
enum err peers_follow(struct node *);                   /* authority, addresses or offline changed: who to know, allow, dial */
enum err peer_add_address(struct node *, struct peer *, struct slice address, bool by_hand);
struct peer *peer_known(struct node *, const struct id32 *device, const uint8_t curve[KEY_LEN]);        /* made if new; NULL: no memory */
void peers_dial_now(struct node *);
enum err peers_link_up(struct node *, const struct event *);
enum err peers_link_down(struct node *, const struct event *);
enum err peers_message(struct node *, const struct event *);
enum err peers_bad_frame(struct node *, const struct event *);
enum err peers_time(struct node *);                     /* ticks, dials */
uint64_t peers_deadline(const struct node *);
void peers_push(struct node *);                         /* this step's slot changes, to every session but their origin */
enum err peers_addresses(struct node *, const struct event *);  /* LISTENING, NETWORK: own addresses, address statements */
enum err peers_announce(struct node *);
enum err peers_take_address(struct node *, const struct statement *);   /* somebody's address statement came */
struct peer *peer_find(struct node *, const struct id32 *device);
/* An invite code as text → what it says, and its bytes.  ERR_USAGE: not whole; ERR_VERSION. */
enum err join_code_parse(struct join *, struct buf *bytes, struct slice text);
enum err join_command(struct node *, const struct command *, uint64_t token);
enum err join_message(struct node *, uint32_t link, const struct net_message *);        /* JOIN at the admitter, JOINED at the joiner */
enum err join_time(struct node *);
enum err joins_load(struct node *);
void invite_public(struct id32 *key, uint8_t curve[KEY_LEN], const uint8_t secret[KEY_LEN]);
enum err member_begin(struct node *, struct space *);                   /* profile, default org: once per org */
bool join_link(struct node *, const struct event *);                    /* a link event of a JOIN dialogue: handled */
bool join_synced(struct node *, const struct space *);                   /* in sync with some peer, now */
enum err space_forget(struct node *, struct space *);                   /* a join that came to nothing */
uint64_t join_deadline(const struct node *);
bool join_curve(struct node *, const uint8_t curve[KEY_LEN]);           /* is this the key of an invite? */
enum err invite_code(struct buf *out, struct node *, struct space *, const uint8_t secret[32], const struct slice *addresses, size_t n);
enum err sync_command(struct node *, const struct command *, uint64_t token);
enum err sync_check(struct node *);                     /* after each step: who can be answered */
uint64_t sync_deadline(const struct node *);
enum err waiter_add(struct node *, enum command_kind, uint64_t token, const struct id16 *request, uint64_t for_ms, struct waiter **out);
void waiter_remove(struct node *, struct waiter *);
enum err invite_finish(struct node *, struct waiter *);                 /* an invite that waited for this device's addresses */

/* ---- share.c, publish.c ----------------------------------------------------------------------------------------- */
enum err share_settle(struct node *, struct space *);   /* seal what changed, if consent says so */
/* The input of the gate, read from the store; freed by share_input_free.  ERR_NOTFOUND: no gate secret yet. */
struct share_input { struct gate_input gate; struct goal *goals; struct link *links; struct objective *objectives; struct sharing sharing;
	struct doc **docs; size_t n_docs; uint8_t secret[KEY_LEN]; };
/* Names that came newly into a class of readers that the member had approved. */
enum err new_readers_each(struct node *, struct space *, enum err (*each)(void *, const struct id32 *member, uint64_t at_ms, bool waiting),
	void *);
enum err secret_begin(struct node *, struct space *org);                /* the gate secret: once per org */
enum err share_input_read(struct node *, struct space *org, struct share_input *);
void share_input_free(struct share_input *);
enum err audit_write(struct node *, const struct id32 *org, enum audit_action, const char *entity_type, const void *entity, size_t len,
	const char *details);
void audit_hash(struct id32 *out, const struct id32 *previous, const struct id32 *org, unsigned action, struct slice type, struct slice entity,
	struct slice details, uint64_t at);
enum err publish_time(struct node *);                   /* aggregators: compute and publish what is dirty and due */
bool publish_is_aggregator(struct node *, struct space *);
/* The roll-up of an org from what this node can open; contributions borrow from *arena until publish_free. */
/* A member's newest report for one audience, among its active devices, of its highest consent version (protocol §6). */
struct report_found { struct id32 member, device; struct id16 index, audience; hlc hlc; uint64_t consent; };
enum err reports_find(struct node *, struct space *, struct report_found **out, size_t *n);     /* by member and audience */
struct computed { struct rollup rollup; struct rollup_settings settings; const struct key_result **key_results; size_t *n_key_results; struct objective *objectives; size_t n_objectives; struct contribution *contributions;
	size_t n_contributions; struct doc **docs; size_t n_docs; struct report *reports; size_t n_reports; struct buf *bodies; };
enum err publish_compute(struct node *, struct space *, struct computed *);
void publish_free(struct computed *);
/* The newest roll-up of an objective by an active aggregator.  ERR_NOTFOUND.  ERR_SEALED: no key. */
enum err publish_newest(struct node *, struct space *, const struct id16 *objective, struct rollup_body *, struct id32 *by, uint64_t *at_ms);
/* Opens a member's report statement if we can: plain body.  ERR_SEALED. */
enum err report_open(struct node *, struct space *, const struct statement *, struct buf *plain);

/* ---- node.c, command*.c ------------------------------------------------------------------------------------------ */
enum err command_run(struct node *, const struct command *, uint64_t token);    /* soft errors become replies; hard ones are returned */
void node_log(struct node *, enum log_level, const char *format, ...) __attribute__((format(printf, 3, 4)));
void node_send(struct node *, uint32_t link, struct slice frame);
void node_connect(struct node *, uint32_t link, const char *address, const uint8_t server_key[KEY_LEN], const uint8_t public[KEY_LEN],
	const uint8_t secret[KEY_LEN]);
void node_disconnect(struct node *, uint32_t link);
void node_allow(struct node *, const uint8_t (*keys)[KEY_LEN], size_t n);
void node_listen(struct node *, bool on);
void node_stop(struct node *);
/* Replies.  fields: pairs added by reply_*; see reply.c.  Stored for 24 h under the request id. */
struct reply_builder;
struct reply_builder *reply_new(void);
void reply_text(struct reply_builder *, const char *key, struct slice);
void reply_uint(struct reply_builder *, const char *key, uint64_t);
void reply_bool(struct reply_builder *, const char *key, bool);
void reply_bin(struct reply_builder *, const char *key, const void *, size_t);
void reply_nil(struct reply_builder *, const char *key);
void reply_raw(struct reply_builder *, const char *key, struct slice encoded);
/* Sends and frees; message and hint are printf'ed by the caller beforehand.  builder may be NULL. */
enum err reply_send(struct node *, uint64_t token, const struct id16 *request, enum err, const char *message, const char *hint,
	struct reply_builder *);
/* The stored reply of this request, if there is one, is sent again. */
bool reply_again(struct node *, uint64_t token, const struct id16 *request);
bool err_is_hard(enum err);                             /* NOMEM, IO, FULL, MAPFULL, DAMAGED: the turn cannot go on */

enum err meta_get(struct node *, const char *name, struct slice *value);
enum err meta_put(struct node *, const char *name, struct slice value);
#endif
