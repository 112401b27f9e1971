/* doc: a document, folded from the ops that count (protocol §2, design §5).  Pure.
 *
 * The body of an op is a map with small unsigned keys:
 *   0  seen: [bin8…] sorted; first 8 bytes of the ids of the ops whose register values this op replaces (absent: none).  It
 *      decides nothing; from it `cairn conflicts` tells an overwrite from a concurrent loser.
 *   1  true: this op creates the document (absent otherwise)
 *   k  by the field's type: register: the value; counter: the delta; set: [[added…], [[value, [tag bin32…]]…]], both sorted by
 *      encoding; map: {element bin16: [[tag bin32…], nil | {sub-key: change}]}, the tags being the ids of all observed ops
 *      that keep the element alive (nil: removes it).  An element is there while a tag lives that no op has named; so
 *      an edit concurrent with a removal wins.
 * A set's additions and a map's edits name the tags they have seen too, so that tags stay few.  A removal names at least one.
 * Elements hold registers and counters.  Integers are int64; a counter's sum wraps.  Unknown keys are kept in the op and
 * ignored here.
 *
 * The fold is defined as: apply the counting ops in (hlc, op id) order.  Documents with only registers and counters give
 * the same in any order; doc_in_order() tells whether an op may simply be applied to a cached fold or whether it must be
 * folded again.
 *
 * Cached form (canonical: equal op sets give equal bytes): [created, [[hlc, op bin32, device bin32]…] writers sorted by (hlc, op),
 * last [hlc, op bin32, device bin32], {key: state}] with states register [writer, value] (writer: its rank), counter total (0: no
 * entry), set [[value, [tag…]]…], map {element: [[tag…], {sub-key: state}]}.  A removed element stays, without tags: an edit
 * concurrent with the removal may be folded after it and revives it whole; so does `undo`, by editing it again.
 *
 * A doc is one arena that grows with every doc_apply: one that is to live long should now and then be encoded and decoded.
 * doc_decode copies its input.  What the functions below return is borrowed until the next doc_apply. */
#ifndef CRDT_DOC_H
#define CRDT_DOC_H
#include "base/crypto.h"
#include "crdt/hlc.h"
#include "crdt/schema.h"

struct doc;
struct doc_op { hlc hlc; struct id32 id, device; struct slice body; /* plaintext */ };
struct doc_writer { hlc hlc; struct id32 id, device; };

struct doc *doc_new(const struct schema *);                     /* NULL: out of memory */
void doc_free(struct doc *);                                    /* NULL is fine */
/* Check a body against the schema without applying it: what every author and reader refuses.  ERR_MALFORMED, ERR_TOOBIG. */
enum err doc_check(const struct schema *, struct slice body);
/* May this op be applied to the fold as it stands? (later than all applied, or only registers and counters touched) */
bool doc_in_order(const struct doc *, const struct doc_op *);
/* ERR_MALFORMED: bad body, nothing applied.  ERR_NOMEM: the doc is unusable, free it.  Applying an op twice is the
 * caller's mistake (the log excludes it). */
enum err doc_apply(struct doc *, const struct doc_op *);
enum err doc_encode(struct buf *out, const struct doc *);
enum err doc_decode(struct doc **out, const struct schema *, struct slice cached);

bool doc_created(const struct doc *);                           /* a counting op creates it: it shows */
struct doc_writer doc_last(const struct doc *);                 /* newest applied op; zeros: none */
/* The encoded value of a register (borrowed until the next doc_apply); len 0: never set.  *writer may be NULL. */
struct slice doc_register(const struct doc *, uint32_t key, struct doc_writer *writer);
int64_t doc_counter(const struct doc *, uint32_t key);
size_t doc_set_count(const struct doc *, uint32_t key);
struct slice doc_set_at(const struct doc *, uint32_t key, size_t i);            /* encoded value, ascending */
size_t doc_map_count(const struct doc *, uint32_t key);
const struct id16 *doc_map_at(const struct doc *, uint32_t key, size_t i);      /* living element ids, ascending */
struct slice doc_map_register(const struct doc *, uint32_t key, const struct id16 *element, uint32_t sub_key,
	struct doc_writer *writer);
int64_t doc_map_counter(const struct doc *, uint32_t key, const struct id16 *element, uint32_t sub_key);

/* A change in the making: collects what one command does to one document and encodes the body, with seen and tags taken from
 * the document as it stands (NULL: it is being created, which sets key 1).  A later call for the same register, value or
 * element takes the place of an earlier one; deltas add up.  Errors stick until change_finish. */
struct change;
struct change *change_new(const struct schema *, const struct doc *base);
void change_free(struct change *);
void change_register(struct change *, uint32_t key, struct slice encoded_value);
void change_register_text(struct change *, uint32_t key, struct slice text);    /* as str */
void change_register_int(struct change *, uint32_t key, int64_t);
void change_register_bin(struct change *, uint32_t key, struct slice);
void change_register_bool(struct change *, uint32_t key, bool);
void change_register_nil(struct change *, uint32_t key);
void change_counter(struct change *, uint32_t key, int64_t delta);
void change_set_add(struct change *, uint32_t key, struct slice encoded_value);
void change_set_remove(struct change *, uint32_t key, struct slice encoded_value);   /* all observed tags */
/* sub_key a register: its value; a counter: an encoded int, the delta.  Makes the element or revives a removed one. */
void change_map_edit(struct change *, uint32_t key, const struct id16 *element, uint32_t sub_key, struct slice encoded_value);
void change_map_remove(struct change *, uint32_t key, const struct id16 *element);
bool change_is_empty(const struct change *);                    /* nothing but key 1 */
/* Appends the encoded body.  The sticky error; ERR_STATE: a key that is no such field; ERR_MALFORMED: a value that is no canonical
 * scalar or no UTF-8; ERR_TOOBIG: it would not fit an op when sealed.  base must live until here. */
enum err change_finish(struct change *, struct buf *body);

#endif
