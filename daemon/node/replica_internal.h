/* Keys of records, and what the files of a replica share: spaces.c (spaces, settings of the store), slots.c (the map: slots, tries,
 * journal), logs.c (logs and forks), replica.c (acts, statements, following authority), net_data.c (what sessions see). */
#ifndef NODE_REPLICA_INTERNAL_H
#define NODE_REPLICA_INTERNAL_H
#include <string.h>
#include "daemon/node/node_internal.h"

struct key { uint8_t b[128]; size_t len; };
static inline struct slice key_slice(const struct key *k) { return SLICE(k->b, k->len); }
static inline void key_u8(struct key *k, uint8_t v) { k->b[k->len++] = v; }
static inline void key_u32(struct key *k, uint32_t v) { put_u32(k->b + k->len, v); k->len += 4; }
static inline void key_u64(struct key *k, uint64_t v) { put_u64(k->b + k->len, v); k->len += 8; }
static inline void key_bytes(struct key *k, const void *p, size_t n) { if (n > 0) memcpy(k->b + k->len, p, n); k->len += n; }

static inline struct key log_key(const struct space *s, const struct id32 *device, uint64_t incarnation)
{
	struct key k = { .len = 0 };

	key_u32(&k, s->number);
	key_bytes(&k, device, ID_LEN);
	key_u64(&k, incarnation);
	return k;
}

static inline struct key op_key(uint32_t log, uint64_t seq)
{
	struct key k = { .len = 0 };

	key_u32(&k, log);
	key_u64(&k, seq);
	return k;
}

static inline struct key statement_key(const struct space *s, const struct id32 *device, uint32_t kind, const struct id16 *index)
{
	struct key k = { .len = 0 };

	key_u32(&k, s->number);
	key_bytes(&k, device, ID_LEN);
	key_u8(&k, (uint8_t)kind);
	key_bytes(&k, index, DOC_LEN);
	return k;
}

static inline struct key slot_record_key(const struct space *s, enum net_section section, const struct id32 *hashed)
{
	struct key k = { .len = 0 };

	key_u32(&k, s->number);
	key_u8(&k, (uint8_t)section);
	key_bytes(&k, hashed, ID_LEN);
	return k;
}

static inline struct key journal_key(const struct space *s, uint64_t number)
{
	struct key k = { .len = 0 };

	key_u32(&k, s->number);
	key_u64(&k, number);
	return k;
}

static inline struct key space_prefix(const struct space *s)
{
	struct key k = { .len = 0 };

	key_u32(&k, s->number);
	return k;
}


/* slots.c: the map.  A slot that changed goes into the trie's queue, the journal and the step's changes. */
enum err slot_put(struct node *, struct space *, const struct slot *);
enum err slot_remove(struct node *, struct space *, const struct slot *);
enum err slot_record_get(struct node *, struct space *, enum net_section, const struct id32 *hashed, struct slot *out, uint64_t *journal);
struct trie_place { struct node *n; struct space *s; enum net_section section; };
struct trie_nodes trie_at(struct trie_place *);         /* borrows the place */

/* logs.c.  A fork: the lowest known, with the two runs that prove it. */
#define FORK_RUNS_MAX (LIMIT_FRAME - 256)       /* two runs that fit one frame and one record */
struct fork { uint64_t seq; struct id32 id; struct slice a, b; };
enum err log_write(struct node *, struct space *, const struct id32 *device, uint64_t incarnation, const struct log_head *);
enum err log_show(struct node *, struct space *, const struct id32 *device, uint64_t incarnation, struct log_head *);
enum err fork_read(struct node *, struct space *, const struct id32 *device, uint64_t incarnation, struct fork *out);
enum err fork_show(struct node *, struct space *, const struct id32 *device, uint64_t incarnation, const struct fork *);
enum err fork_take(struct node *, struct space *, const struct id32 *device, uint64_t incarnation, const struct fork *);
void notice_own(struct node *, const struct op *);      /* an op of ours that we lack came from a peer */

/* spaces.c */
enum err space_store(struct node *, const struct space *);
enum err standings_read(const struct state *, struct standing **out, size_t *count);
#endif
