/* op_part: what op.c and run.c share; internal to the room. */
#ifndef CRDT_OP_PART_H
#define CRDT_OP_PART_H
#include "base/mp.h"
#include "crdt/op.h"

#define OP_DOMAIN "cairn-op"
#define OP_HEADER_ROOM 1024             /* a header is never longer */

/* The header in two pieces: a run's first piece is the same for all its ops. */
void op_put_log(struct buf *, const struct op *, bool with_hash);       /* array head … incarnation */
void op_put_rest(struct buf *, const struct op *, bool with_hash);      /* seq … */
/* The rules for the fields of one header that need no other op. */
bool op_is_sound(const struct op *);
/* heads: sorted, unique, at most LIMIT_HEADS. */
void op_put_heads(struct buf *, const struct op *);
void op_get_heads(struct op *, struct mp_reader *);
/* Read the count of an envelope and its version.  ERR_MALFORMED; ERR_VERSION for any other version, whatever the count. */
enum err op_get_envelope(struct mp_reader *, size_t fields);
/* A present body has data, also an empty one. */
struct slice op_present(struct slice body);

#endif
