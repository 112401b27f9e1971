/* dag: the shape of a space's authority (protocol §3): nodes that cite nodes.  Knows ids, depths and pasts; nothing of meaning.
 * Pure, in memory, one thread at a time (asking, too, uses scratch inside).  Real DAGs are almost chains: adding is O(cites),
 * dag_in_past close to O(1) there; O(log n) while long branches run side by side; a merge costs the shorter branch. */
#ifndef CRDT_DAG_H
#define CRDT_DAG_H
#include "base/crypto.h"

struct dag;
#define DAG_NONE ((uint32_t)-1)

struct dag *dag_new(void);
void dag_free(struct dag *);
/* Add a node.  *index: its number, in order of adding (stable).  ERR_MISSING: a cited id is not here (nothing added);
 * ERR_EXISTS (*index set); ERR_MALFORMED: no cites though not the first, unsorted, or more than LIMIT_HEADS. */
enum err dag_add(struct dag *, uint32_t *index, const struct id32 *id, const struct id32 *cites, size_t n_cites);
/* Undo the last dag_add (a transaction that failed). */
void dag_remove_last(struct dag *);
size_t dag_count(const struct dag *);
uint32_t dag_find(const struct dag *, const struct id32 *id);   /* DAG_NONE */
const struct id32 *dag_id(const struct dag *, uint32_t);
uint32_t dag_depth(const struct dag *, uint32_t);               /* genesis 1 */
size_t dag_cites(const struct dag *, uint32_t, const uint32_t **cites);
/* Is a in past(b)?  Strict: false for a == b. */
bool dag_in_past(const struct dag *, uint32_t a, uint32_t b);
/* Is everything with a smaller (depth, id) than b in past(b)? then past(b) is a prefix of the order. */
bool dag_is_after_all_before(const struct dag *, uint32_t b);
/* Indexes sorted by (depth, id); borrowed until the next add. */
const uint32_t *dag_order(const struct dag *);
/* Marks (1) every node of past(set), the set's members included, in a caller's array of dag_count bytes (zeroed here). */
void dag_mark_past(const struct dag *, uint8_t *marks, const uint32_t *set, size_t n);
/* Nodes that nobody cites, sorted by id; at most max are written, the count returned. */
size_t dag_heads(const struct dag *, struct id32 *out, size_t max);

#endif
