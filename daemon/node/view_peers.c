/* Peers, joins and notices: what needs the member's eye. */
#include <stdio.h>
#include <string.h>
#include "base/id.h"
#include "daemon/node/view_internal.h"

#define CHANGES_MAX 1000

static bool is_open(const struct peer *p)
{
	return p->session != NULL && session_state(p->session) == SESSION_OPEN;
}

static bool shares(struct space *s, const struct id32 *device)
{
	const struct state *state = s->is_self || s->joining ? NULL : space_state(s);

	return state != NULL && state_device_active(state, device);
}

/* Ops of ours in one space after a time, newest first along the log that we write now; older incarnations are long known. */
static unsigned own_since(struct view *v, struct space *s, uint64_t since_ms, unsigned max)
{
	struct log_head head;
	unsigned count = 0;

	if (log_read(v->n, s, &v->n->identity->device, v->n->incarnation, &head) != OK)
		return 0;
	for (uint64_t seq = head.seq; seq > 0 && count < max; seq--) {
		struct op op;

		if (op_read(v->n, head.number, seq, &op) != OK || hlc_ms(op.hlc) <= since_ms)
			break;
		count += op.kind >= 16;                 /* keys are no change that anybody made */
	}
	return count;
}

static void peer_read(struct view *v, const struct peer *p, struct view_peer *out)
{
	const struct node *n = v->n;

	memset(out, 0, sizeof *out);
	out->device = p->device;
	out->state = is_open(p) ? PEER_CONNECTED : p->dialing || p->session != NULL ? PEER_DIALING
		: p->seen_ms == 0 && p->last_error_ms == 0 ? PEER_NEVER : PEER_UNREACHABLE;
	out->since_ms = p->since_ms;
	out->seen_ms = p->seen_ms;
	out->why = p->last_error;
	if (p->backoff.next_ms > n->mono_ms && p->backoff.failures > 0)
		out->next_try_ms = n->wall_ms + (p->backoff.next_ms - n->mono_ms);
	out->n_addresses = p->n_addresses;
	out->addresses = p->addresses;
	out->outgoing = p->outgoing;
	out->by_hand = p->by_hand;
	if (p->session != NULL) {
		out->counters = session_counters(p->session);
		out->n_spaces = session_list(p->session, out->spaces, LIMIT_SPACES);
	}
	for (size_t i = 0; i < n->n_spaces; i++) {
		struct space *s = &n->spaces[i];
		const struct device *device;

		if (!shares(s, &p->device))
			continue;
		if (id32_is_zero(&out->org) && (device = state_device(space_state(s), &p->device)) != NULL) {
			out->org = s->id;
			out->member = device->member;
		}
		if (!is_open(p) && out->changes < CHANGES_MAX)
			out->changes += own_since(v, s, p->seen_ms, CHANGES_MAX - out->changes);
	}
}

size_t view_peers(struct view *v, struct view_peer *out, size_t max)
{
	size_t count = v->n->n_peers < max ? v->n->n_peers : max;

	for (size_t i = 0; i < count; i++)
		peer_read(v, &v->n->peers[i], &out[i]);
	return count;
}

size_t view_joins(struct view *v, struct view_join *out, size_t max)
{
	size_t count = v->n->n_joins < max ? v->n->n_joins : max;

	for (size_t i = 0; i < count; i++)
		out[i] = (struct view_join){ v->n->joins[i].space, v->n->joins[i].admitted, v->n->joins[i].status == JOIN_PENDING,
			v->n->joins[i].last_error };
	return count;
}

/* ---- notices ---------------------------------------------------------------------------------------------------------------- */
struct notices { struct view *v; struct slice *out; size_t n, max; struct space *space; };

static void say(struct notices *q, struct slice text)
{
	if (q->n < q->max && text.len > 0)
		q->out[q->n++] = text;
}

/* Goals linked to this organization: does anything come of them? */
static void unshared_links(struct notices *q, struct space *s)
{
	struct view *v = q->v;
	struct share_input *in;
	size_t linked = 0;
	struct slice name = view_org_name(v, &s->id);

	if (view_share_input(v, s, &in) != OK || in->sharing.accepted)
		return;
	for (size_t i = 0; i < in->gate.n_links; i++) {
		bool again = false;

		if (!in->links[i].active || !id32_equal(&in->links[i].org, &s->id))
			continue;
		for (size_t k = 0; k < i; k++)
			again = again || (in->links[k].active && id32_equal(&in->links[k].org, &s->id) &&
				id16_equal(&in->links[k].goal, &in->links[i].goal));
		linked += !again;
	}
	if (linked > 0)
		say(q, view_text(v, "%zu goal%s linked to %.*s, but sharing is not accepted: cairn share preview", linked,
			linked == 1 ? " is" : "s are", (int)name.len, (const char *)name.data));
}

/* A new name in a class of readers that the member approved: told for a week, or asked about for as long as it waits. */
static enum err new_reader(void *arg, const struct id32 *member, uint64_t at_ms, bool waiting)
{
	struct notices *q = arg;
	struct slice name = view_name(q->v, &q->space->id, member);

	if (waiting)
		say(q, view_text(q->v, "%.*s would newly read a private goal of yours: cairn share preview, then cairn share accept", (int)name.len,
			(const char *)name.data));
	else if (at_ms + 7ull * 24 * 3600 * 1000 > q->v->n->wall_ms)
		say(q, view_text(q->v, "%.*s can now read what you share: cairn share preview", (int)name.len, (const char *)name.data));
	return OK;
}

static void pending_members(struct notices *q, struct space *s)
{
	const struct state *state = space_state(s);
	const struct member *const *members;
	size_t count = state_members(state, &members);
	char id[ID_TEXT_MAX];

	if (!state_permits(state, &q->v->n->member, MAY_MANAGE_MEMBERS, RELATION_OTHER))
		return;
	for (size_t i = 0; i < count; i++) {
		struct slice name;

		if (members[i]->status != MEMBER_PENDING)
			continue;
		name = view_name(q->v, &s->id, &members[i]->root);
		id_format(id, &members[i]->root, ID_LEN, 8);
		say(q, view_text(q->v, "%.*s%s%s asks to be admitted: cairn member approve %s", (int)name.len, (const char *)name.data,
			name.len > 0 ? " " : "", id, id));
	}
}

/* Who is removed should learn it where it looks. */
static void gone_default(struct notices *q)
{
	struct view *v = q->v;
	struct space *s = v->n->has_default ? view_space(v, &v->n->default_org) : NULL;
	const struct state *state = s == NULL || s->joining ? NULL : space_state(s);
	const struct member *own = state == NULL ? NULL : state_member(state, &v->n->member);
	struct slice name;

	if (own == NULL || own->status != MEMBER_REMOVED)
		return;
	name = view_org_name(v, &s->id);
	say(q, view_text(v, "You are no longer a member of %.*s, your default organization: cairn org use ORG", (int)name.len,
		(const char *)name.data));
}

/* Ops from ahead of the clock are held back until they are due: say whose clock it is. */
static void held_ops(struct notices *q)
{
	struct view *v = q->v;
	struct store_cursor *c = NULL;
	struct slice key;
	struct op op;
	bool is = store_cursor_open(&c, v->txn, TABLE_HELD, SLICE(NULL, 0), SLICE(NULL, 0), false) == OK &&
		store_cursor_next(c, &key, NULL) == OK && key.len == 24 &&
		op_read(v->n, get_u32(key.data + 12), get_u64(key.data + 16), &op) == OK;

	store_cursor_close(c);
	for (size_t i = 0; is && i < v->n->n_spaces; i++) {
		struct space *s = &v->n->spaces[i];
		const struct state *state = s->is_self || !id32_equal(&s->id, &op.space) ? NULL : space_state(s);
		const struct device *device = state == NULL ? NULL : state_device(state, &op.device);
		struct slice name;
		char id[ID_TEXT_MAX];

		if (device == NULL)
			continue;
		name = view_name(v, &op.space, &device->member);
		say(q, view_text(v, "Changes of %.*s (device %s) wait until they are due: the clock there is ahead of the one here.",
			(int)name.len, (const char *)name.data, id_format(id, &op.device, ID_LEN, 8)));
	}
}

size_t view_notices(struct view *v, struct slice *out, size_t max)
{
	struct notices q = { v, out, 0, max, NULL };
	struct node *n = v->n;

	if (n->identity->has_seed)
		say(&q, slice_of("Recovery phrase not confirmed yet: cairn recover show"));
	if (n->offline)
		say(&q, slice_of("You are offline: nothing goes out or comes in until cairn online"));
	for (size_t i = 0; i < n->n_spaces; i++) {
		struct space *s = &n->spaces[i];
		struct slice name;

		if (s->is_self || s->joining || space_state(s) == NULL || !state_device_active(space_state(s), &n->identity->device))
			continue;
		name = view_org_name(v, &s->id);
		if (name.len == 0 && s->n_epochs == 0)
			say(&q, slice_of("The key of an organization has not arrived here yet: cairn sync"));
		pending_members(&q, s);
		unshared_links(&q, s);
		q.space = s;
		(void)new_readers_each(n, s, new_reader, &q);
	}
	gone_default(&q);
	held_ops(&q);
	return q.n;
}
