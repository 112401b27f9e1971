/* doc_state: what change.c must know of a document's inside; internal to the room. */
#ifndef CRDT_DOC_STATE_H
#define CRDT_DOC_STATE_H
#include "crdt/doc.h"

/* Ids of ops, ascending, each encoded as bin32 (TAG_SIZE bytes): copied from bodies to state to bodies as they are. */
struct doc_tags { const uint8_t *at; uint32_t n; };
#define TAG_SIZE (2 + ID_LEN)

/* What keeps a value or an element alive; n 0: it is not there. */
struct doc_tags doc_set_tags(const struct doc *, uint32_t key, struct slice value);
struct doc_tags doc_map_tags(const struct doc *, uint32_t key, const struct id16 *element);
/* The writer of a register (element NULL: of the document itself; also of a dead element), or NULL. */
const struct doc_writer *doc_register_writer(const struct doc *, uint32_t key, const struct id16 *element, uint32_t sub_key);

#endif
