/* session: what we have asked the peer for; see session_internal.h. */
#include <string.h>
#include "base/mem.h"
#include "net/session_internal.h"

int session_newer(const struct slot *a, const struct slot *b)
{
	int version = (a->version > b->version) - (a->version < b->version);
	int id = id32_compare(&a->id, &b->id);

	switch (a->key[0]) {
	case 'S': return version != 0 ? version : id;           /* protocol §6 */
	case 'F': return version != 0 ? -version : -id;         /* a fork proof keeps the minimum (protocol §2) */
	default:  return version;
	}
}

void session_want(struct session *s, struct space *sp, struct slice key, uint64_t have, uint64_t target)
{
	struct slot_entry *e = queue_find(&sp->wanted, key);
	struct id32 act;

	if (key.data[0] == 'A') {
		memcpy(act.b, key.data + 1, ID_LEN);
		if (session_is_held(s, &act))
			return;
	}
	if (e != NULL) {
		if (target > e->target)
			e->target = target;
		return;
	}
	e = queue_add(&sp->wanted, key);
	if (e == NULL) {
		sp->spilled = true;             /* the next round finds it */
		return;
	}
	e->have = have;
	e->target = target;
	if (sp->unsent++ == 0 && sp->wanted.alive == 1)
		sp->wanted_ms = s->now;
}

void session_want_act(struct session *s, struct space *sp, const struct id32 *id)
{
	struct slot slot;

	slot_act(&slot, id);
	session_want(s, sp, SLICE(slot.key, slot.key_len), 0, 0);
}

void session_want_whole_log(struct session *s, struct space *sp, struct slice key, uint64_t target)
{
	struct slot_entry *e;

	for (size_t i = 0; i < s->n_forked; i++)
		if (slice_equal(SLICE(s->forked[i].key, s->forked[i].key_len), key))
			return;                 /* once is enough: the data knows of the fork, or never will */
	if (s->n_forked == FORKS_MAX)
		return;
	e = &s->forked[s->n_forked++];
	memcpy(e->key, key.data, key.len);
	e->key_len = (uint8_t)key.len;
	session_want(s, sp, key, 0, target);
}

bool session_want_if_newer(struct session *s, struct space *sp, const struct slot *theirs, const struct slot *ours)
{
	struct slice key = SLICE(theirs->key, theirs->key_len);
	int newer;

	if (theirs->version == ours->version && id32_equal(&theirs->id, &ours->id))
		return false;
	newer = session_newer(theirs, ours);
	if (newer > 0)
		session_want(s, sp, key, ours->version, theirs->version);
	else if (newer == 0)
		session_want_whole_log(s, sp, key, theirs->version);
	return newer < 0;
}

/* The next wants that are not sent yet, from *at on. */
static size_t unsent_wants(struct space *sp, size_t *at, struct slot *slots, size_t room)
{
	size_t n = 0;

	for (; *at < sp->wanted.n && n < room; ++*at) {
		struct slot_entry *e = &sp->wanted.entry[*at];

		if (e->dead || e->flag)
			continue;
		memcpy(slots[n].key, e->key, e->key_len);
		slots[n].key_len = e->key_len;
		slots[n++].version = e->have;
		e->flag = true;
	}
	return n;
}

void session_wants_send(struct session *s, const struct net_out *out, struct space *sp)
{
	struct net_message m = { .type = NET_WANT, .has_space = true, .space = sp->shown.space };
	size_t room = sp->unsent < WANTS_PER_FRAME ? sp->unsent : WANTS_PER_FRAME, at = 0;

	if (room == 0)
		return;
	m.u.slots.slots = mem_array(room, sizeof m.u.slots.slots[0]);
	if (m.u.slots.slots == NULL)
		return;                         /* silence will begin the round anew */
	while ((m.u.slots.n = unsent_wants(sp, &at, m.u.slots.slots, room)) > 0)
		session_emit(s, out, &m, NULL);
	sp->unsent = 0;
	sp->wanted_ms = sp->active_ms = s->now;
	mem_free(m.u.slots.slots);
}

void session_want_done(struct session *s, struct space *sp, struct slice key, uint64_t version, bool taken)
{
	struct slot_entry *e = queue_find(&sp->wanted, key);

	if (e == NULL)
		return;
	sp->wanted_ms = s->now;
	if (taken && version < e->target)
		return;
	if (taken && e->flag)
		s->count.repaired++;
	queue_remove(&sp->wanted, e);
}

void session_wants_forget(struct space *sp)
{
	queue_clear(&sp->wanted);
	sp->unsent = 0;
	sp->spilled = false;
}
