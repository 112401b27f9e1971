/* backoff: when to dial again; see session.h. */
#include "net/session.h"

#define FIRST_MS 1000u
#define LAST_MS (15u * 60 * 1000)

void backoff_fail(struct backoff *b, uint64_t mono_ms, uint64_t random)
{
	uint64_t base = b->failures < 10 ? (uint64_t)FIRST_MS << b->failures : LAST_MS;

	if (base > LAST_MS)
		base = LAST_MS;
	if (b->failures < UINT32_MAX)
		b->failures++;
	/* ±25 %: from three quarters to five quarters of the base. */
	b->next_ms = mono_ms + base * 3 / 4 + random % (base / 2 + 1);
}

void backoff_reset(struct backoff *b)
{
	*b = (struct backoff){0};
}
