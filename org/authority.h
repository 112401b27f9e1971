/* authority: who may do what in a space, as a function of its set of authority ops alone (protocol §3; promise 7).  Pure.
 *
 * Bodies of the kinds below: maps with the unsigned keys given.  `pins` is an array of [device bin32, incarnation, seq] sorted, for
 * every log of every device of the members named (a log not named is pinned at 0). */
#ifndef ORG_AUTHORITY_H
#define ORG_AUTHORITY_H
#include "crdt/act.h"
#include "org/certificate.h"
#include "org/permit.h"

enum act_kind {
	ACT_GENESIS = 1,        /* 1 space type (0 self, 1 org) · 2 root bin32 · 3 certificate bin · 4 nonce bin16.  Self: by the root key */
	ACT_INVITE = 2,         /* 1 invite key bin32 · 2 curve key bin32 · 3 role · 4 teams [bin16] · 5 uses · 6 expires ms | nil · 7 approval bool */
	ACT_CLOSE = 3,          /* 1 invite key */
	ACT_ADMIT = 4,          /* 1 invite key · 2 request bin16 · 3 root bin32 · 4 certificate bin · 5 signature bin64 by the invite key
	                         *   over "cairn-join" ‖ H("cairn-join", space ‖ invite ‖ request ‖ root ‖ certificate) */
	ACT_LEAVE = 5,          /* 9 pins */
	ACT_REMOVE = 6,         /* 1 member bin32 · 9 pins */
	ACT_ROLE = 7,           /* 1 member · 2 role · 9 pins (when it ends a role) */
	ACT_CAPABILITY = 8,     /* 1 device · 2 capability · 3 bool */
	ACT_CERTIFY = 9,        /* 1 certificate: a further device of the author's member */
	ACT_REVOKE = 10,        /* 1 device · 9 pins */
	ACT_TEAM = 11,          /* 1 team bin16 · 2 parent bin16 | nil · 3 type */
	ACT_TEAM_PARENT = 12,   /* 1 team · 2 parent | nil */
	ACT_TEAM_LEAD = 13,     /* 1 team · 2 member | nil · 9 pins */
	ACT_TEAM_MEMBER = 14,   /* 1 team · 2 member · 3 bool · 9 pins */
	ACT_MANAGER = 15,       /* 1 member · 2 manager (body.root, has_member) | nil · 9 pins */
	ACT_DOTTED = 16,        /* 1 member · 2 manager · 3 bool · 9 pins */
	ACT_SETTING = 17,       /* 1 setting number · 2 value uint: settings that change rights */
	ACT_SCOPE = 18,         /* 1 team | nil · 2 claims [nonce bin16] · 3 moves [document bin16]: which team org documents belong to.
	                         *   A claimed document's id is scope_document(space, author's member, nonce), so that nobody claims
	                         *   another's; a move needs the right over the present scope (none: org-wide) and the new one */
	ACT_SALVAGE = 19,       /* 1 device · 2 incarnation · 3 from · 4 to · 5 op id bin32 */
	ACT_APPROVE = 20,       /* 1 member: a Pending one becomes Active */
	ACT_MERGE = 21,         /* {} */
	ACT_STATUS = 22,        /* 1 status 0 Active 1 Inactive 2 Archived */
	ACT_DELETE = 23,        /* {}: the organization ends */
	ACT_TEAM_STATUS = 24    /* 1 team · 2 status 0 Active 1 Inactive 2 Archived */
};
enum capability { CAPABILITY_AGGREGATOR = 1, CAPABILITY_RELAY = 2 };
enum member_status { MEMBER_PENDING, MEMBER_ACTIVE, MEMBER_INACTIVE, MEMBER_REMOVED };      /* A5 */
enum setting { SETTING_MEMBER_CREATION = 1, SETTING_GOAL_APPROVAL = 2 };                     /* B1: defaults true, false */
enum team_type { TEAM_DEPARTMENT, TEAM_SQUAD, TEAM_CHAPTER, TEAM_WORKING_GROUP, TEAM_PROJECT, TEAM_CUSTOM };   /* B5 */

struct pin { struct id32 device; uint64_t incarnation, seq; };
/* A decoded body; which fields mean something depends on the kind.  Slices borrow from the act. */
struct act_body {
	struct id32 member, device, invite, root;
	uint8_t curve[KEY_LEN];
	struct certificate certificate;
	struct slice certificate_bytes;
	struct id16 team, parent, request, nonce;
	bool has_parent, has_member, has_team, on, approval, is_org;
	enum role role;
	uint32_t capability, setting, status, type;
	uint64_t value, uses, expires_ms, incarnation, from, to;
	bool has_expiry;
	struct id32 op;
	uint8_t signature[SIG_LEN];
	size_t n_teams, n_claims, n_moves, n_pins;
	struct slice teams, claims, moves, pins;        /* encoded arrays: authority_id16_at, authority_pin_at */
};
enum err act_body_load(struct act_body *, const struct act *);          /* ERR_MALFORMED; unknown kinds: ERR_VERSION (carried, not applied) */
enum err act_body_encode(struct buf *out, enum act_kind, const struct act_body *,
	const struct id16 *teams, const struct id16 *claims, const struct id16 *moves, const struct pin *pins);
struct id16 act_id16_at(struct slice array, size_t i);
struct pin act_pin_at(struct slice array, size_t i);
void scope_document(struct id16 *out, const struct id32 *space, const struct id32 *member, const struct id16 *nonce);
/* The signature inside NET_JOIN and ACT_ADMIT. */
void join_proof(uint8_t sig[SIG_LEN], const struct id32 *space, const struct id32 *invite, const struct id16 *request,
	const struct id32 *root, struct slice certificate, const uint8_t invite_secret[SIGN_SECRET_LEN]);
bool join_proof_verify(const uint8_t sig[SIG_LEN], const struct id32 *space, const struct id32 *invite, const struct id16 *request,
	const struct id32 *root, struct slice certificate);

/* ---- state: what a set of effective acts adds up to; immutable once made -------------------------------------- */
struct member {
	struct id32 root;
	enum role role;
	enum member_status status;
	uint32_t admitted_depth; struct id32 admitted_by;       /* seniority: depth, then id of the admitting act */
	bool has_manager; struct id32 manager;
	size_t n_dotted; const struct id32 *dotted;
};
struct device {
	struct id32 id, member;
	uint8_t box[KEY_LEN], curve[KEY_LEN];
	bool revoked; uint32_t capabilities;                    /* bits 1 << capability */
	uint32_t certified_depth; struct id32 certified_by;
};
struct team {
	struct id16 id; bool has_parent; struct id16 parent;    /* cycles already cut */
	uint32_t type, status;
	bool has_lead; struct id32 lead;
	size_t n_members; const struct id32 *members;           /* ascending */
};
struct invite {
	struct id32 key; uint8_t curve[KEY_LEN];
	enum role role; size_t n_teams; const struct id16 *teams;
	uint64_t uses, used, expires_ms; bool has_expiry, approval, closed;
	struct id32 author_member;
};
struct state;
bool state_is_org(const struct state *);
size_t state_members(const struct state *, const struct member *const **);      /* ascending by root; removed ones included */
const struct member *state_member(const struct state *, const struct id32 *root);        /* NULL */
const struct member *state_member_of(const struct state *, const struct id32 *device);   /* by device key, whatever its status */
size_t state_devices(const struct state *, const struct device *const **);      /* ascending; revoked ones included */
const struct device *state_device(const struct state *, const struct id32 *device);
bool state_device_active(const struct state *, const struct id32 *device);      /* certified, not revoked, member Active */
size_t state_teams(const struct state *, const struct team *const **);
const struct team *state_team(const struct state *, const struct id16 *);
bool state_team_within(const struct state *, const struct id16 *team, const struct id16 *ancestor);   /* or the same */
size_t state_invites(const struct state *, const struct invite *const **);
const struct invite *state_invite(const struct state *, const struct id32 *key);
bool state_scope(const struct state *, const struct id16 *document, struct id16 *team);  /* false: none or org-wide */
uint64_t state_setting(const struct state *, enum setting);
uint32_t state_status(const struct state *);            /* 0 Active 1 Inactive 2 Archived 3 deleted */
bool state_outranks(const struct state *, const struct id32 *a, const struct id32 *b);   /* members */
/* How subject stands to object, a member: own; own team (lead or Manager of a team of theirs, or solid or dotted manager);
 * team below (of an ancestor of a team of theirs, or manager further up); else other. */
enum relation state_relation_member(const struct state *, const struct id32 *subject, const struct id32 *object);
/* … to a team (NULL: the whole organization, other): own team = lead of it, or Manager and member of it. */
enum relation state_relation_team(const struct state *, const struct id32 *subject, const struct id16 *team);
/* The table for the subject's role, the relation (as one of the two above gives it) and (for MAY_PROPOSE) settings; false for anyone
 * not Active.  A plain Member who is a lead or a manager in the chart may what "Team only" lets a Manager (inventory AH3). */
bool state_permits(const struct state *, const struct id32 *member, enum action, enum relation);
void state_encode(struct buf *out, const struct state *);       /* canonical: equal states, equal bytes */

/* ---- the whole: ops, DAG, what counts ---------------------------------------------------------------------------- */
struct authority;
struct authority *authority_new(void);
void authority_free(struct authority *);
/* Add a verified act (bytes are copied).  *added: it was new.  ERR_MISSING: cites something unknown; ERR_MALFORMED (first not genesis,
 * of another space, body); ERR_NOMEM.  Unknown kinds are kept and do not count. */
enum err authority_add(struct authority *, bool *added, struct slice bytes);
void authority_remove_last(struct authority *);         /* undo the last successful add: a turn that failed */
const struct id32 *authority_space(const struct authority *);
size_t authority_count(const struct authority *);
size_t authority_heads(const struct authority *, struct id32 *out, size_t max);
bool authority_has(const struct authority *, const struct id32 *id);
struct slice authority_bytes(const struct authority *, const struct id32 *id);
/* The state now (resolve() of protocol §3; incremental where an act cites all heads and takes nothing).  Borrowed until the next
 * add.  ERR_NOMEM. */
enum err authority_state(struct authority *, const struct state **out);
/* fold(ok ∩ past(heads)), heads included.  ERR_MISSING: a head is unknown.  Borrowed until the next add, or until a dozen other states
 * have been asked for (here or by authority_data_counts): a few are remembered. */
enum err authority_state_at(struct authority *, const struct id32 *heads, size_t n, const struct state **out);
bool authority_counts(struct authority *, const struct id32 *act);
/* Would an act by this author count if it were added now, citing all heads?  OK, ERR_DENIED, ERR_NOTFOUND (target), ERR_STATE (not in
 * this state: known already, closed, the last Owner).  The body as act_body_load gives it: ERR_USAGE if teams or moves are announced
 * without their encoded list. */
enum err authority_may(struct authority *, enum act_author, const struct id32 *author, enum act_kind, const struct act_body *);

/* Bounds of logs (protocol §3): the highest seq of (device, incarnation) that counts as a whole, from effective removals,
 * leaves, revocations and salvages; UINT64_MAX: unbounded. */
uint64_t authority_bound(struct authority *, const struct id32 *device, uint64_t incarnation);
/* Does a data op count?  needs: the right over (action, team of the document) that the node derives.  Judged in the state at
 * the op's heads, and against every later effective act that names its author and ends a right, unless pinned at or above
 * seq or the right is left.  ERR_MISSING: heads unknown. */
struct data_right { enum action action; bool own_only; bool has_document; struct id16 document; };
enum err authority_data_counts(struct authority *, bool *counts, const struct id32 *device, uint64_t incarnation, uint64_t seq,
	const struct id32 *heads, size_t n_heads, const struct data_right *);
/* Changes at every add that alters bounds or rights of data ops already there: the node folds again when it moved. */
uint64_t authority_generation(struct authority *);
#endif
