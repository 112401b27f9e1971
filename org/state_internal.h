/* state_internal: what a state is made of.  Objects (members, devices, teams, invites) are counted and shared between clones; one
 * that is shared is copied before it is changed.  So a clone costs a pass over pointers, and applying an act to a state that
 * nobody shares is a binary search and an insertion. */
#ifndef ORG_STATE_INTERNAL_H
#define ORG_STATE_INTERNAL_H
#include "crdt/dag.h"
#include "org/authority.h"

/* What is public comes first in each: its address is the object's. */
struct member_own { struct member m; bool left; size_t n_removals; uint32_t *removals; };  /* acts that ended the membership, ever */
struct device_own { struct device d; bool by_own; };            /* revoked by its own member */
struct invite_own { struct invite i; size_t n_requests; struct id16 *requests; };          /* ascending: admitted ones */

enum shelf_kind { SHELF_MEMBERS, SHELF_DEVICES, SHELF_TEAMS, SHELF_INVITES, SHELVES };
struct shelf { void **items; size_t n, room; };                 /* ascending by id, with which every object begins */
struct scope { struct id16 document, team; bool has_team; };
struct setting_value { uint32_t number; uint64_t value; };

struct state {
	struct id32 space;
	bool is_org;
	uint32_t status;
	size_t owners;                  /* Active ones */
	struct shelf shelves[SHELVES];
	struct scope *scopes; size_t n_scopes;
	struct setting_value *settings; size_t n_settings;
};

struct state *state_new(void);
struct state *state_clone(const struct state *);                /* NULL: no memory */
void state_free(struct state *);                                /* NULL is fine */

/* An object to change; made if it is not there and create.  ERR_NOTFOUND; ERR_NOMEM: the state is as before. */
enum err state_edit(struct state *, enum shelf_kind, const void *id, bool create, void *out);
const void *state_find(const struct state *, enum shelf_kind, const void *id);

/* Sorted lists of things of size bytes that begin with an id of id_len bytes; their room is the next power of two. */
size_t list_find(const void *list, size_t n, size_t size, const void *id, size_t id_len, bool *found);
void *list_put(void *list, size_t n, size_t size, size_t at, const void *item);            /* the moved list, or NULL */
void list_drop(void *list, size_t n, size_t size, size_t at);
enum err id_set_put(const struct id32 **set, size_t *n, const struct id32 *id);            /* a list of ids */
void id_set_drop(const struct id32 *set, size_t *n, const struct id32 *id);
bool id_set_has(const struct id32 *set, size_t n, const struct id32 *id);

const struct scope *state_scope_of(const struct state *, const struct id16 *document);
bool state_in_team(const struct team *, const struct id32 *member);     /* plain membership */
bool state_leads(const struct team *, const struct id32 *member);
bool state_present(const struct state *, const struct id32 *root);      /* a member, not removed */

/* ---- acts, decoded once --------------------------------------------------------------------------------------------- */
struct entry {
	uint8_t *bytes; size_t len;
	struct id32 author; enum act_author author_type; uint32_t kind;
	bool known;                     /* a kind of this version; else carried, never counted */
	bool proof;                     /* an admit whose certificate and signature are right */
	struct act_body body;           /* slices borrow from bytes */
};

/* What an act does in a fold, and by whom. */
struct deed {
	const struct entry *entry;
	struct id32 member;             /* the author's */
	struct id32 id; uint32_t depth, index;
	const struct dag *dag;
};
/* Apply one counting act.  *effective false: it would leave no Owner, or there is nothing to do it to.  ERR_NOMEM: throw the state
 * away. */
enum err state_apply(struct state *, bool *effective, const struct deed *);
enum err state_apply_person(struct state *, bool *effective, const struct deed *);       /* kinds about members, devices, invites */
/* Would it leave no Owner? */
bool state_ends_last_owner(const struct state *, const struct entry *, const struct id32 *member);

#define TRY(expression) do { enum err try_ = (expression); if (try_ != OK) return try_; } while (0)

#endif
