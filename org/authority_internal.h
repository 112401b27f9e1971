/* authority_internal: judging acts and the parts of struct authority.  The steps of protocol §3's resolve() are apart, so that a test
 * can put them together once more, literally. */
#ifndef ORG_AUTHORITY_INTERNAL_H
#define ORG_AUTHORITY_INTERNAL_H
#include "org/state_internal.h"

/* What is known of one act; the first part by judging it in past_state. */
struct verdict {
	struct id32 member;             /* the author's */
	enum role role;                 /* the author's in past_state; ROLE_NONE: no member there */
	uint32_t admitted_depth; struct id32 admitted_by;       /* the author's seniority */
	enum role needed;               /* needed_by */
	bool taking; enum role left;    /* left_by */
	enum role invite_role; struct id32 inviter;             /* an admit's */
	bool ends; struct id32 ended;   /* who loses a lead without being named */
	bool ok, kept, effective;       /* counts; is in kept; does something in fold(ok) */
};

/* entitled(past, act), and what hits() needs.  OK, ERR_DENIED, ERR_NOTFOUND (a target), ERR_STATE (not now). */
enum err judge(struct verdict *, const struct state *past, const struct entry *);
/* hits(t, o) but for conc(t, o). */
bool strikes(const struct entry *t, const struct verdict *tv, const struct entry *o, const struct verdict *ov);
/* Which of C goes first: by the author's role, its admission, the act's id. */
int precedence(const struct verdict *a, const struct id32 *a_id, const struct verdict *b, const struct id32 *b_id);

struct acts { const struct dag *dag; struct entry *const *entries; size_t n; };
struct deed deed_of(const struct acts *, uint32_t index, const struct id32 *member);
/* Verdicts of all acts and the state that they make.  *cycle: takings attacked each other. */
enum err resolve(struct state **out, struct verdict *verdicts, bool *cycle, const struct acts *);
enum err apply_one(struct state *, bool *effective, const struct acts *, const struct verdict *, uint32_t index);
/* Apply those marked and ok from a rank on. */
enum err fold_marked(struct state *, const struct acts *, const struct verdict *, const uint8_t *marks, size_t rank);

/* ---- struct authority ------------------------------------------------------------------------------------------------- */
#define STATES_CACHED 16
struct cached { struct id32 key; struct state *state; uint64_t used; size_t first; };     /* first: of the first so many in the order */
struct ending { struct id32 subject; uint32_t act; };   /* a member, or a device revoked, and what ends its rights */

struct authority {
	struct dag *dag;
	struct id32 space;
	struct entry **entries;         /* by dag index */
	struct verdict *verdicts;
	size_t n, room;
	size_t judged;                  /* verdicts [0..judged) are right, unless dirty: then they are the old ones */
	bool dirty, cycle;              /* dirty: resolve before answering */
	struct state *state;            /* fold(ok); NULL only while dirty */
	uint64_t generation, clock;
	struct cached cache[STATES_CACHED];
	struct ending *endings; size_t n_endings, endings_room;         /* ascending by subject, then as found */
	bool endings_right;
};
enum err authority_settle(struct authority *);          /* resolve if dirty; endings */
enum err authority_find_endings(struct authority *);
enum err authority_add_ending(struct authority *, uint32_t act);
struct acts authority_acts(const struct authority *);
void authority_forget_states(struct authority *);
bool ends_rights(const struct verdict *, const struct entry *);         /* does it take rights of data ops from somebody? */

#endif
