/* wire: reading frames; see wire.h.  Every count is checked against its limit before memory is asked for, so that no frame
 * costs more than a small multiple of its own length. */
#include "net/wire.h"
#include <string.h>
#include "base/mem.h"
#include "base/mp.h"

#define FRAME_DEPTH 5                   /* NODES: frame, list, node, children, leaf */
#define CREDIT_MAX ((uint64_t)1 << 32)

/* ---- pieces ---- */

static void get_id32(struct mp_reader *r, struct id32 *id)
{
	mp_get_fixed(r, id->b, ID_LEN);
}

static void get_id16(struct mp_reader *r, struct id16 *id)
{
	mp_get_fixed(r, id->b, DOC_LEN);
}

/* An optional number: nil or unsigned. */
static void get_journal(struct mp_reader *r, struct net_message *m)
{
	m->has_journal = !mp_get_nil(r);
	if (m->has_journal)
		m->journal = mp_get_uint(r, UINT64_MAX);
}

/* Printable ASCII, so that nothing from a HELLO needs care where it is shown. */
static struct slice get_ascii(struct mp_reader *r, size_t max, uint8_t least)
{
	struct slice s = mp_get_str(r, max);

	for (size_t i = 0; i < s.len && r->err == OK; i++)
		if (s.data[i] < least || s.data[i] > 0x7e)
			mp_fail(r, ERR_MALFORMED);
	return s;
}

/* count elements that net_message_free releases; NULL with the reader's error set. */
static void *get_room(struct mp_reader *r, struct net_message *m, int which, size_t count, size_t size)
{
	if (r->err == OK) {
		m->owned[which] = mem_array(count, size);
		if (m->owned[which] == NULL)
			mp_fail(r, ERR_NOMEM);
	}
	return r->err == OK ? m->owned[which] : NULL;
}

static void get_slot_key(struct mp_reader *r, struct slot *s)
{
	struct slice key = mp_get_bin(r, SLOT_KEY_MAX);

	if (r->err == OK && !slot_key_valid(key))
		mp_fail(r, ERR_MALFORMED);
	if (r->err != OK)
		return;
	memcpy(s->key, key.data, key.len);
	s->key_len = (uint8_t)key.len;
}

static void get_slot(struct mp_reader *r, struct slot *s, enum net_section section)
{
	struct slot act;

	mp_get_array_of(r, 3);
	get_slot_key(r, s);
	s->version = mp_get_uint(r, UINT64_MAX);
	get_id32(r, &s->id);
	if (r->err != OK)
		return;
	if (slot_section(SLICE(s->key, s->key_len)) != section)
		mp_fail(r, ERR_MALFORMED);
	slot_act(&act, &s->id);
	if (section == NET_AUTHORITY && (s->version != 0 || memcmp(act.key, s->key, act.key_len) != 0))
		mp_fail(r, ERR_MALFORMED);
}

static struct slice get_path(struct mp_reader *r)
{
	struct slice path = mp_get_bin(r, NET_PATH_LEN_MAX);

	for (size_t i = 0; i < path.len && r->err == OK; i++)
		if (path.data[i] > 15)
			mp_fail(r, ERR_MALFORMED);
	return path;
}

/* ---- frames ---- */

static void get_hello(struct mp_reader *r, struct net_message *m)
{
	get_id16(r, &m->u.hello.nonce);
	m->u.hello.n_cursors = mp_get_array(r, LIMIT_SPACES);
	m->u.hello.cursors = get_room(r, m, 0, m->u.hello.n_cursors, sizeof m->u.hello.cursors[0]);
	for (size_t i = 0; i < m->u.hello.n_cursors && r->err == OK; i++) {
		struct net_cursor *c = &m->u.hello.cursors[i];

		mp_get_array_of(r, 3);
		get_id32(r, &c->space);
		get_id16(r, &c->nonce);
		c->journal = mp_get_uint(r, UINT64_MAX);
	}
	m->u.hello.n_addresses = mp_get_array(r, LIMIT_ADDRESSES);
	m->u.hello.addresses = get_room(r, m, 1, m->u.hello.n_addresses, sizeof m->u.hello.addresses[0]);
	for (size_t i = 0; i < m->u.hello.n_addresses && r->err == OK; i++)
		m->u.hello.addresses[i] = get_ascii(r, LIMIT_ADDRESS_TEXT, '!');
	m->u.hello.agent = get_ascii(r, NET_AGENT_MAX, ' ');
}

static void get_roots(struct mp_reader *r, struct net_message *m)
{
	get_id32(r, &m->space);
	get_id32(r, &m->u.roots.authority);
	get_id32(r, &m->u.roots.data);
	m->u.roots.pending = mp_get_bool(r);
	m->has_journal = true;
	m->journal = mp_get_uint(r, UINT64_MAX);
	m->u.roots.answer = mp_get_bool(r);
}

static void get_space_and_section(struct mp_reader *r, struct net_message *m)
{
	get_id32(r, &m->space);
	m->section = (enum net_section)mp_get_uint(r, NET_DATA);
}

static void get_ask(struct mp_reader *r, struct net_message *m)
{
	get_space_and_section(r, m);
	m->u.ask.n = mp_get_array(r, NET_PATHS_MAX);
	m->u.ask.paths = get_room(r, m, 0, m->u.ask.n, sizeof m->u.ask.paths[0]);
	for (size_t i = 0; i < m->u.ask.n && r->err == OK; i++)
		m->u.ask.paths[i] = get_path(r);
}

static void get_child(struct mp_reader *r, struct net_child *c, enum net_section section, size_t path_len)
{
	switch (mp_peek(r)) {
	case MP_NIL:
		mp_get_nil(r);
		c->kind = CHILD_EMPTY;
		return;
	case MP_BIN:
		get_id32(r, &c->hash);
		c->kind = CHILD_BRANCH;
		if (path_len == NET_PATH_LEN_MAX)
			mp_fail(r, ERR_MALFORMED);
		return;
	default:
		c->kind = CHILD_LEAF;
		get_slot(r, &c->slot, section);
	}
}

static void get_nodes(struct mp_reader *r, struct net_message *m)
{
	get_space_and_section(r, m);
	m->u.nodes.n = mp_get_array(r, NET_PATHS_MAX);
	m->u.nodes.nodes = get_room(r, m, 0, m->u.nodes.n, sizeof m->u.nodes.nodes[0]);
	for (size_t i = 0; i < m->u.nodes.n && r->err == OK; i++) {
		struct net_node *node = &m->u.nodes.nodes[i];
		struct slice path;

		mp_get_array_of(r, 2);
		path = get_path(r);
		mp_get_array_of(r, 16);
		if (r->err != OK)
			return;
		if (path.len > 0)
			memcpy(node->path, path.data, path.len);
		node->path_len = (uint8_t)path.len;
		for (size_t k = 0; k < 16; k++)
			get_child(r, &node->child[k], m->section, path.len);
	}
}

static void get_want(struct mp_reader *r, struct net_message *m)
{
	get_id32(r, &m->space);
	m->u.slots.n = mp_get_array(r, NET_SLOTS_MAX);
	m->u.slots.slots = get_room(r, m, 0, m->u.slots.n, sizeof m->u.slots.slots[0]);
	for (size_t i = 0; i < m->u.slots.n && r->err == OK; i++) {
		mp_get_array_of(r, 2);
		get_slot_key(r, &m->u.slots.slots[i]);
		m->u.slots.slots[i].version = mp_get_uint(r, UINT64_MAX);
	}
}

static void get_slots(struct mp_reader *r, struct net_message *m)
{
	get_space_and_section(r, m);
	m->u.slots.n = mp_get_array(r, NET_SLOTS_MAX);
	m->u.slots.slots = get_room(r, m, 0, m->u.slots.n, sizeof m->u.slots.slots[0]);
	for (size_t i = 0; i < m->u.slots.n && r->err == OK; i++)
		get_slot(r, &m->u.slots.slots[i], m->section);
	m->has_journal = true;
	m->journal = mp_get_uint(r, UINT64_MAX);
	m->u.slots.more = mp_get_bool(r);
}

/* An act of this space: the genesis, which cannot name it, or one that does. */
static bool act_belongs(const struct act *a, const struct id32 *space)
{
	return id32_equal(id32_is_zero(&a->space) ? &a->id : &a->space, space);
}

static void get_acts(struct mp_reader *r, struct net_message *m)
{
	get_id32(r, &m->space);
	get_journal(r, m);
	m->u.acts.n = mp_get_array(r, NET_RECORDS_MAX);
	m->u.acts.acts = get_room(r, m, 0, m->u.acts.n, sizeof m->u.acts.acts[0]);
	m->u.acts.bytes = get_room(r, m, 1, m->u.acts.n, sizeof m->u.acts.bytes[0]);
	for (size_t i = 0; i < m->u.acts.n && r->err == OK; i++) {
		struct act *a = &m->u.acts.acts[i];
		enum err e;

		m->u.acts.bytes[i] = mp_get_bin(r, LIMIT_FRAME);
		if (r->err != OK)
			return;
		e = act_load(a, m->u.acts.bytes[i]);
		if (e == OK && !act_belongs(a, &m->space))
			e = ERR_MALFORMED;
		if (e == OK && !act_verify(a))
			e = ERR_SIGNATURE;
		if (e != OK)
			mp_fail(r, e);
	}
}

static void get_statements(struct mp_reader *r, struct net_message *m)
{
	get_id32(r, &m->space);
	get_journal(r, m);
	m->u.statements.n = mp_get_array(r, NET_RECORDS_MAX);
	m->u.statements.statements = get_room(r, m, 0, m->u.statements.n, sizeof m->u.statements.statements[0]);
	m->u.statements.bytes = get_room(r, m, 1, m->u.statements.n, sizeof m->u.statements.bytes[0]);
	for (size_t i = 0; i < m->u.statements.n && r->err == OK; i++) {
		struct statement *s = &m->u.statements.statements[i];
		enum err e;

		m->u.statements.bytes[i] = mp_get_bin(r, LIMIT_FRAME);
		if (r->err != OK)
			return;
		e = statement_load(s, m->u.statements.bytes[i]);
		if (e == OK && !id32_equal(&s->space, &m->space))
			e = ERR_MALFORMED;
		if (e == OK && !statement_verify(s))
			e = ERR_SIGNATURE;
		if (e != OK)
			mp_fail(r, e);
	}
}

static struct slice get_one_run(struct mp_reader *r, struct run *run)
{
	struct slice bytes = mp_get_bin(r, LIMIT_FRAME);
	enum err e = r->err;

	if (e == OK)
		e = run_decode(run, bytes);
	if (e != OK) {
		*run = (struct run){0};         /* run_decode leaves nothing to free */
		mp_fail(r, e);
	}
	return bytes;
}

static void get_run(struct mp_reader *r, struct net_message *m)
{
	get_journal(r, m);
	m->u.run.bytes = get_one_run(r, &m->u.run.run);
	m->space = m->u.run.run.space;
}

static void get_fork(struct mp_reader *r, struct net_message *m)
{
	struct run *a = &m->u.fork.a, *b = &m->u.fork.b;

	get_id32(r, &m->space);
	m->u.fork.a_bytes = get_one_run(r, a);
	m->u.fork.b_bytes = get_one_run(r, b);
	if (r->err != OK)
		return;
	if (!id32_equal(&a->space, &m->space) || !id32_equal(&b->space, &m->space) || !id32_equal(&a->device, &b->device)
			|| a->incarnation != b->incarnation || a->first_seq != b->first_seq || !id32_equal(&a->prev, &b->prev)
			|| id32_compare(&a->ops[0].id, &b->ops[0].id) >= 0)
		mp_fail(r, ERR_MALFORMED);
}

static void get_heartbeat(struct mp_reader *r, struct net_message *m)
{
	m->u.heartbeat.n = mp_get_array(r, LIMIT_SPACES);
	m->u.heartbeat.cursors = get_room(r, m, 0, m->u.heartbeat.n, sizeof m->u.heartbeat.cursors[0]);
	for (size_t i = 0; i < m->u.heartbeat.n && r->err == OK; i++) {
		mp_get_array_of(r, 2);
		get_id32(r, &m->u.heartbeat.cursors[i].space);
		m->u.heartbeat.cursors[i].journal = mp_get_uint(r, UINT64_MAX);
	}
}

static void get_join(struct mp_reader *r, struct net_message *m)
{
	get_id32(r, &m->space);
	get_id32(r, &m->u.join.invite);
	get_id16(r, &m->u.join.request);
	get_id32(r, &m->u.join.root);
	m->u.join.certificate = mp_get_bin(r, LIMIT_AUTHORITY_OP);
	mp_get_fixed(r, m->u.join.signature, SIG_LEN);
}

static void get_joined(struct mp_reader *r, struct net_message *m)
{
	get_id16(r, &m->u.joined.request);
	m->u.joined.status = (enum net_join_status)mp_get_uint(r, JOIN_REMOVED);
	m->u.joined.has_admit = !mp_get_nil(r);
	if (m->u.joined.has_admit)
		get_id32(r, &m->u.joined.admit);
	get_id32(r, &m->u.joined.device);
}

static void get_refuse(struct mp_reader *r, struct net_message *m)
{
	uint64_t reason = mp_get_uint(r, REFUSE_UNKNOWN);

	if (reason == 0)
		mp_fail(r, ERR_MALFORMED);
	m->u.reason = (enum net_reason)reason;
	m->has_space = !mp_get_nil(r);
	if (m->has_space)
		get_id32(r, &m->space);
}

/* ---- the whole ---- */

static const struct { uint8_t fields; bool has_space; void (*get)(struct mp_reader *, struct net_message *); } FRAMES[] = {
	[NET_HELLO] = { 6, false, get_hello },
	[NET_ROOTS] = { 7, true, get_roots },
	[NET_ASK_NODES] = { 4, true, get_ask },
	[NET_NODES] = { 4, true, get_nodes },
	[NET_WANT] = { 3, true, get_want },
	[NET_ACTS] = { 4, true, get_acts },
	[NET_RUN] = { 3, true, get_run },
	[NET_STATEMENTS] = { 4, true, get_statements },
	[NET_HEARTBEAT] = { 2, false, get_heartbeat },
	[NET_SINCE] = { 3, true, NULL },
	[NET_SLOTS] = { 6, true, get_slots },
	[NET_JOIN] = { 7, true, get_join },
	[NET_JOINED] = { 5, false, get_joined },
	[NET_REFUSE] = { 3, false, get_refuse },
	[NET_CREDIT] = { 2, false, NULL },
	[NET_FORK] = { 4, true, get_fork },
};

static enum err decode(struct net_message *m, struct mp_reader *r)
{
	size_t fields = mp_get_array(r, LIMIT_FRAME);
	uint64_t type = mp_get_uint(r, NET_FORK);

	if (r->err != OK || type == 0)
		return ERR_MALFORMED;
	m->type = (enum net_type)type;
	if (type == NET_HELLO) {
		m->u.hello.version = (uint32_t)mp_get_uint(r, UINT32_MAX);
		if (r->err == OK && m->u.hello.version != FORMAT_VERSION)
			return OK;              /* its other fields may mean anything */
	}
	if (fields != FRAMES[type].fields)
		return ERR_MALFORMED;
	m->has_space = FRAMES[type].has_space;
	if (type == NET_CREDIT) {
		m->u.credit = mp_get_uint(r, CREDIT_MAX);
	} else if (type == NET_SINCE) {
		get_id32(r, &m->space);
		m->has_journal = true;
		m->journal = mp_get_uint(r, UINT64_MAX);
	} else {
		FRAMES[type].get(r, m);
	}
	return mp_end(r);
}

enum err net_check(struct net_message *out, struct slice frame)
{
	struct mp_reader r;
	enum err e;

	*out = (struct net_message){0};
	if (frame.len > LIMIT_FRAME)
		return ERR_TOOBIG;
	/* Every value takes a byte at least: the length bounds the items. */
	e = mp_check(frame, FRAME_DEPTH, LIMIT_FRAME);
	if (e != OK)
		return e;
	r = mp_read(frame);
	e = decode(out, &r);
	if (e != OK) {
		net_message_free(out);
		return e;
	}
	out->frame_len = frame.len;
	return OK;
}

void net_message_free(struct net_message *m)
{
	if (m->type == NET_RUN)
		run_free(&m->u.run.run);
	if (m->type == NET_FORK) {
		run_free(&m->u.fork.a);
		run_free(&m->u.fork.b);
	}
	for (size_t i = 0; i < sizeof m->owned / sizeof m->owned[0]; i++)
		mem_free(m->owned[i]);
	*m = (struct net_message){0};
}
