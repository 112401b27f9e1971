/* The effects of a turn: a list whose memory lives until it is cleared. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "daemon/node/effects.h"
#include "base/mem.h"

struct block { struct block *next; uint8_t bytes[]; };
struct effects {
	struct effect *list; size_t n, cap;
	struct block *blocks;
	bool failed;                            /* out of memory: the turn must not be committed */
};

struct effects *effects_new(void)
{
	return mem_alloc(sizeof(struct effects));
}

void effects_clear(struct effects *e)
{
	while (e->blocks != NULL) {
		struct block *next = e->blocks->next;

		mem_free(e->blocks);
		e->blocks = next;
	}
	e->n = 0;
	e->failed = false;
}

void effects_free(struct effects *e)
{
	if (e == NULL)
		return;
	effects_clear(e);
	mem_free(e->list);
	mem_free(e);
}

size_t effects_count(const struct effects *e)
{
	return e->n;
}

const struct effect *effects_at(const struct effects *e, size_t i)
{
	return &e->list[i];
}

bool effects_failed(const struct effects *e)
{
	return e->failed;
}

void effects_move(struct effects *to, struct effects *from)
{
	struct block **last = &to->blocks;

	for (size_t i = 0; i < from->n; i++)
		*effects_add(to, from->list[i].kind) = from->list[i];
	while (*last != NULL)
		last = &(*last)->next;
	*last = from->blocks;
	from->blocks = NULL;
	effects_clear(from);
}

void *effects_memory(struct effects *e, size_t len)
{
	struct block *b = mem_alloc(sizeof *b + len);

	if (b == NULL) {
		e->failed = true;
		return NULL;
	}
	b->next = e->blocks;
	e->blocks = b;
	return b->bytes;
}

struct slice effects_copy(struct effects *e, struct slice s)
{
	uint8_t *to = effects_memory(e, s.len + 1);     /* a NUL behind, for texts */

	if (to == NULL)
		return SLICE(NULL, 0);
	if (s.len > 0)
		memcpy(to, s.data, s.len);
	to[s.len] = 0;
	return SLICE(to, s.len);
}

struct effect *effects_add(struct effects *e, enum effect_kind kind)
{
	static _Thread_local struct effect lost;     /* where effects go that cannot be kept: the turn fails anyway */
	struct effect *grown = mem_grow(e->list, &e->cap, e->n, sizeof *grown);

	if (grown == NULL) {
		e->failed = true;
		return &lost;
	}
	e->list = grown;
	grown = &grown[e->n++];
	memset(grown, 0, sizeof *grown);
	grown->kind = kind;
	return grown;
}
