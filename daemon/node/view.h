/* view: what users read (design §11: reads run on a read view and never enter the node).  A view is made between turns, on the loop
 * thread, over the node's memory and a read transaction; it changes nothing.  The routes turn these structs into JSON.
 * Text slices and pointers borrow from the view and end with it (view_close). */
#ifndef NODE_VIEW_H
#define NODE_VIEW_H
#include "daemon/node/node.h"
#include "net/session.h"
#include "org/gate.h"
#include "org/rollup.h"

struct view;
enum err view_open(struct view **out, struct node *, struct store *, uint64_t wall_ms);
void view_close(struct view *);

/* ---- who and where ------------------------------------------------------------------------------------------ */
struct view_self { struct id32 member, device; bool offline, listening, has_seed; uint16_t port; const char *name, *email;
	size_t n_known, n_connected; size_t n_joining; bool has_default; struct id32 default_org; };
void view_self(struct view *, struct view_self *out);
struct view_org { struct id32 id; bool joining, is_default, in_sync; enum role role; enum member_status status; };
size_t view_orgs(struct view *, struct view_org *out, size_t max);
/* The authority state of an org; NULL: joining. */
const struct state *view_state(struct view *, const struct id32 *org);
/* Folded documents.  Owned by the view.  ERR_NOTFOUND. */
enum err view_document(struct view *, const struct id32 *space, uint32_t kind, const struct id16 *id, const struct doc **out);
/* Every document of a kind, ascending by id; the doc is the view's (kept until view_close). */
enum err view_documents(struct view *, const struct id32 *space, uint32_t kind,
	enum err (*each)(void *, const struct id16 *, const struct doc *), void *arg);
const struct id32 *view_self_space(struct view *);
/* A text register of a document by the table; "" when unset, against the rules, or doc is NULL. */
struct slice view_register(const struct doc *, uint32_t kind, uint32_t key);
bool view_flag(const struct doc *, uint32_t kind, uint32_t key);        /* a boolean one; unset: false */
/* Display name of a member in an org, "" when no profile came yet; the organization's own, likewise. */
struct slice view_name(struct view *, const struct id32 *org, const struct id32 *member);
struct slice view_org_name(struct view *, const struct id32 *org);
uint64_t view_created_ms(struct view *, const struct id32 *space, const struct id16 *document);         /* 0: unknown */

/* ---- references: a whole id, a prefix of >= 4 characters, an exact title or name ------------------------------- */
struct view_candidate { uint8_t id[ID_LEN]; size_t id_len; struct slice title; };
/* OK, ERR_NOTFOUND, ERR_AMBIGUOUS (candidates, at most 16, are in *found).  kinds: KIND_OBJECTIVE, KIND_GOAL, KIND_TEAM, KIND_PROFILE
 * (members), 0 = organizations, 1 = devices of an org. */
#define VIEW_REF_ORG 0
#define VIEW_REF_DEVICE 1
enum err view_resolve(struct view *, const struct id32 *org, uint32_t kind, struct slice reference, uint8_t id[ID_LEN],
	struct view_candidate *found, size_t *n_found);

/* ---- progress ---------------------------------------------------------------------------------------------------- */
struct view_contributor { struct id32 member; struct slice name; struct number progress; decimal weight; uint64_t updated_ms; unsigned links;
	uint64_t tasks_done; };
struct view_progress {
	struct rollup_body body;                /* progress, counts, teams, key results */
	bool has_result;                        /* something is published, or computed here for who may see that */
	bool computed_here, is_aggregator;      /* from what this node holds */
	struct id32 published_by; uint64_t as_of_ms;
	size_t n_contributors; struct view_contributor *contributors;   /* filtered by who asks (this node's member) */
	const struct rollup_result *explain;    /* items, filtered likewise; NULL where nothing was computed here */
	size_t n_left_out;                      /* items that count, but are not for who asks */
	const char *note;                       /* "no aggregator yet" … or NULL */
};
enum err view_progress(struct view *, const struct id32 *org, const struct id16 *objective, struct view_progress *out);
/* Progress of every objective at once, for lists: NULL result → unset. */
enum err view_progress_all(struct view *, const struct id32 *org, enum err (*each)(void *, const struct id16 *, struct number, unsigned contributors),
	void *arg);

/* ---- sharing --------------------------------------------------------------------------------------------------------- */
enum err view_share(struct view *, const struct id32 *org, const struct gate_input **in);      /* settings, goals, links */
enum err view_preview(struct view *, const struct id32 *org, struct gate_report **reports, size_t *n);  /* view's; as if accepted now */
/* The consent version that accepting would write (or the one that counts, if accepted). */
uint64_t view_next_consent(struct view *, const struct id32 *org);
/* The goal of a preview's entry; NULL: none of ours. */
const struct goal *view_unblind(struct view *, const struct id32 *org, const struct id16 *blinded);
/* What everyone will see, through roll-ups, of each objective that we would share about.  others: further contributors, as far as
 * known; alone: the value that will be published, worked out as an aggregator will. */
struct view_everyone { struct id16 objective; struct slice title; enum method method; unsigned others, min_group; bool hidden, suppressed;
	struct number progress; };
enum err view_everyone(struct view *, const struct id32 *org, struct view_everyone **out, size_t *n);
struct view_report { struct id32 member, device; struct id16 audience; uint64_t consent, at_ms; struct slice body; };
enum err view_reports(struct view *, const struct id32 *org, struct view_report **out, size_t *n);      /* that open here, and may be seen */

/* ---- peers, audit, checks --------------------------------------------------------------------------------------------- */
struct view_peer { struct id32 device, member; enum { PEER_CONNECTED, PEER_DIALING, PEER_UNREACHABLE, PEER_NEVER } state;
	uint64_t since_ms, seen_ms, next_try_ms; enum err why; size_t n_addresses; char *const *addresses;
	const struct session_counters *counters; size_t n_spaces; struct session_space spaces[LIMIT_SPACES]; bool outgoing, by_hand;
	struct id32 org;                        /* one that both are in, for the name; zeros: none */
	unsigned changes; };                    /* of ours in common organizations, made since the last contact; counted up to 1000 */
size_t view_peers(struct view *, struct view_peer *out, size_t max);
struct view_join { struct id32 org; bool admitted, pending /* somebody must approve */; enum err last_error; };
size_t view_joins(struct view *, struct view_join *out, size_t max);
/* Audit entries, oldest first; verified: the hash chain holds up to this entry. */
struct view_audit { uint64_t at_ms; unsigned action; struct slice type, entity, details; struct id32 org, hash; bool verified; };
enum err view_audit(struct view *, struct view_audit **out, size_t *n);
/* Promise 1: replica = the two roots; state = documents and authority as any active member reads them, held ops taken as due. */
enum err view_state_hash(struct view *, const struct id32 *org, struct id32 *replica, struct id32 *state);
/* What the member is about to be told in one line each by `status`: new readers, waiting joins, unshared links.  At most max. */
size_t view_notices(struct view *, struct slice *out, size_t max);
#endif
