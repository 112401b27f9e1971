/* session: a set of slots in order of arrival; see session_internal.h.  Open addressing by a plain hash; who chooses keys that
 * collide runs into PROBES_MAX and is served by the next round instead, so nobody can make it slow. */
#include <string.h>
#include "base/mem.h"
#include "net/session_internal.h"

#define PROBES_MAX 128
#define INDEX_MIN 64

static size_t hash(struct slice key)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ key.data[i]) * 0x100000001b3u;
	h ^= h >> 29;
	return (size_t)h;
}

static struct slice key_of(const struct slot_entry *e)
{
	return SLICE(e->key, e->key_len);
}

/* The index cell of this key, or the empty one where it belongs; NULL: too many collisions. */
static uint32_t *probe(const struct slot_queue *q, struct slice key)
{
	size_t at = hash(key);

	for (size_t i = 0; i < PROBES_MAX; i++) {
		uint32_t *cell = &q->index[(at + i) & (q->index_cap - 1)];

		if (*cell == 0 || slice_equal(key_of(&q->entry[*cell - 1]), key))
			return cell;
	}
	return NULL;
}

struct slot_entry *queue_find(struct slot_queue *q, struct slice key)
{
	uint32_t *cell = q->index_cap == 0 ? NULL : probe(q, key);

	if (cell == NULL || *cell == 0 || q->entry[*cell - 1].dead)
		return NULL;
	return &q->entry[*cell - 1];
}

void queue_clear(struct slot_queue *q)
{
	size_t *total = q->total;

	*total -= q->alive;
	mem_free(q->entry);
	mem_free(q->index);
	*q = (struct slot_queue){ .total = total };
}

/* Squeeze out the dead and make the index anew, with room for one more. */
static bool rebuild(struct slot_queue *q)
{
	size_t cap = INDEX_MIN, n = 0;
	uint32_t *index;

	while (cap < 4 * (q->alive + 1))
		cap *= 2;
	index = mem_array(cap, sizeof *index);
	if (index == NULL)
		return false;
	mem_free(q->index);
	q->index = index;
	q->index_cap = cap;
	for (size_t i = 0; i < q->n; i++) {
		uint32_t *cell;

		if (q->entry[i].dead)
			continue;
		if (n != i)
			q->entry[n] = q->entry[i];
		cell = probe(q, key_of(&q->entry[n]));
		if (cell != NULL) {
			*cell = (uint32_t)n + 1;
			n++;
		} else {
			--*q->total;            /* collisions: the next round finds it again */
			q->alive--;
		}
	}
	q->n = n;
	q->first = 0;
	return true;
}

struct slot_entry *queue_add(struct slot_queue *q, struct slice key)
{
	struct slot_entry *e = queue_find(q, key), *grown;
	uint32_t *cell;

	if (e != NULL)
		return e;
	if (*q->total >= QUEUE_MAX || key.len > SLOT_KEY_MAX)
		return NULL;
	if (2 * (q->n + 1) > q->index_cap && !rebuild(q))
		return NULL;
	grown = mem_grow(q->entry, &q->cap, q->n, sizeof *q->entry);
	if (grown == NULL)
		return NULL;
	q->entry = grown;
	cell = probe(q, key);
	if (cell == NULL)
		return NULL;
	e = &q->entry[q->n];
	*e = (struct slot_entry){ .key_len = (uint8_t)key.len };
	memcpy(e->key, key.data, key.len);
	*cell = (uint32_t)++q->n;       /* of a dead entry with this key: now ours */
	q->alive++;
	++*q->total;
	return e;
}

void queue_remove(struct slot_queue *q, struct slot_entry *e)
{
	if (e->dead)
		return;
	e->dead = true;
	q->alive--;
	--*q->total;
}

struct slot_entry *queue_first(struct slot_queue *q)
{
	while (q->first < q->n && q->entry[q->first].dead)
		q->first++;
	return q->first < q->n ? &q->entry[q->first] : NULL;
}
