/* What the view files share: the node, a read transaction, and whatever was made for the reader, which ends with the view. */
#ifndef NODE_VIEW_INTERNAL_H
#define NODE_VIEW_INTERNAL_H
#include "daemon/node/node_internal.h"
#include "daemon/node/view.h"

struct view_owned { struct view_owned *next; void (*release)(void *); void *what; };
struct view_org_cache { struct view_org_cache *next; struct id32 org; struct computed *computed; struct share_input *share; };
struct view {
	struct node *n; struct store_txn *txn; struct effects *effects; uint64_t wall_ms;
	struct view_owned *owned;
	struct view_org_cache *orgs;            /* what is costly and asked for twice */
};
/* The view takes what; on failure it is released at once. */
bool view_own(struct view *, void (*release)(void *), void *what);
void *view_alloc(struct view *, size_t size);                           /* zeroed, until view_close */
bool view_own_doc(struct view *, struct doc *);
/* printf into the view's memory; an empty slice when there is none. */
struct slice view_text(struct view *, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct space *view_space(struct view *, const struct id32 *org);        /* an org space; NULL */
struct view_org_cache *view_cache(struct view *, const struct id32 *org);       /* NULL: no memory */
/* The roll-ups of an org as this device can compute them; made once. */
enum err view_compute(struct view *, struct space *, struct computed **out);
bool view_may_see(const struct view *, const struct state *, const struct id32 *member);       /* this member's contributions */
enum err view_share_input(struct view *, struct space *, struct share_input **out);
#endif
