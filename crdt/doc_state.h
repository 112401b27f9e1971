/* doc_state: the inside of a document, shared by doc.c, doc_check.c, doc_form.c and change.c; internal to the room. */
#ifndef CRDT_DOC_STATE_H
#define CRDT_DOC_STATE_H
#include "base/mp.h"
#include "crdt/doc.h"

#define DOC_KEY_SEEN 0
#define DOC_KEY_CREATE 1
#define DOC_SEEN_LEN 8

/* Ids of ops, ascending, each encoded as bin32 (TAG_SIZE bytes): copied from bodies to state to bodies as they are. */
struct doc_tags { const uint8_t *at; uint32_t n; };
#define TAG_SIZE (2 + ID_LEN)

struct doc_list { void *items; uint32_t n, room; };             /* in the arena */
struct doc_entry { struct slice value; struct doc_tags tags; }; /* of a set; by value */
struct doc_field {                                              /* by key */
	uint32_t key;
	enum field_type type;
	struct slice value;                     /* register */
	const struct doc_writer *writer;        /* register; NULL: other types */
	union {
		int64_t total;                  /* counter */
		struct doc_list entries;        /* set */
		struct doc_map *map;
	} u;
};
struct doc_element { struct id16 id; struct doc_tags tags; struct doc_list fields; };   /* by id */
/* A removed element keeps its fields: an edit concurrent with the removal may be folded after it, and revives it whole. */
struct doc_map { struct doc_list live, dead; };

struct doc_chunk { struct doc_chunk *next; };
struct doc {
	const struct schema *schema;
	uint8_t *at, *end;                      /* free room of the newest chunk; the first lies behind the struct */
	struct doc_chunk *chunks;
	bool created;
	struct doc_writer last;
	struct doc_list fields;
};

static inline struct doc_field *doc_field_at(const struct doc_list *l, size_t i) { return (struct doc_field *)l->items + i; }
static inline struct doc_entry *doc_entry_at(const struct doc_list *l, size_t i) { return (struct doc_entry *)l->items + i; }
static inline struct doc_element *doc_element_at(const struct doc_list *l, size_t i) { return (struct doc_element *)l->items + i; }

/* The arena.  Memory comes zeroed; NULL or false: none left. */
#define DOC_ALIGN(n) (((n) + 15) & ~(size_t)15)
struct doc *doc_with_room(const struct schema *, size_t room);
void *doc_keep(struct doc *, size_t size);
bool doc_keep_slice(struct doc *, struct slice *copy, struct slice bytes);
bool doc_list_reserve(struct doc *, struct doc_list *, size_t item_size, size_t room);
void *doc_list_insert(struct doc *, struct doc_list *, size_t item_size, size_t index); /* a zeroed item, or NULL */

/* Reading what bodies and cached forms have in common; errors stick in the reader. */
struct slice doc_read_scalar(struct mp_reader *);                       /* its encoding */
struct slice doc_read_next(struct mp_reader *, struct slice *before);   /* the next scalar of an ascending list */
struct doc_tags doc_read_tags(struct mp_reader *);
size_t doc_read_count(struct mp_reader *);                              /* of an array */
size_t doc_read_pairs(struct mp_reader *);                              /* of a map */
uint32_t doc_read_key(struct mp_reader *);
const uint8_t *doc_tag_at(struct doc_tags, size_t i);
int doc_tag_compare(const uint8_t *a, const uint8_t *b);

/* The order in which ops are folded. */
int doc_stamp_compare(hlc a_hlc, const struct id32 *a, hlc b_hlc, const struct id32 *b);
/* A register or a counter: what elements may hold, and what may be applied in any order. */
bool doc_is_plain(enum field_type);

/* What keeps a value or an element alive; n 0: it is not there. */
struct doc_tags doc_set_tags(const struct doc *, uint32_t key, struct slice value);
struct doc_tags doc_map_tags(const struct doc *, uint32_t key, const struct id16 *element);
/* The writer of a register (element NULL: of the document itself; also of a dead element), or NULL. */
const struct doc_writer *doc_register_writer(const struct doc *, uint32_t key, const struct id16 *element, uint32_t sub_key);

#endif
