/* effects: how the node fills the list that its host executes.  Internal to the node. */
#ifndef NODE_EFFECTS_H
#define NODE_EFFECTS_H
#include "daemon/node/node.h"

struct effect *effects_add(struct effects *, enum effect_kind);         /* never NULL; see effects_failed */
void *effects_memory(struct effects *, size_t len);                     /* zeroed, until effects_clear; NULL: failed */
struct slice effects_copy(struct effects *, struct slice);              /* with a NUL behind */
bool effects_failed(const struct effects *);                            /* something was lost: do not commit */
void effects_move(struct effects *to, struct effects *from);            /* appends all; from is empty then */
#endif
