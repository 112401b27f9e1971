/* wire: writing frames; see wire.h.  What net_encode writes, net_check takes, and there is one encoding of each message. */
#include "net/wire.h"
#include "base/mp.h"

static void put_id32(struct buf *out, const struct id32 *id)
{
	mp_put_bin(out, id->b, ID_LEN);
}

static void put_id16(struct buf *out, const struct id16 *id)
{
	mp_put_bin(out, id->b, DOC_LEN);
}

static void put_str(struct buf *out, struct slice text)
{
	mp_put_str(out, (const char *)text.data, text.len);
}

static void put_journal(struct buf *out, const struct net_message *m)
{
	if (m->has_journal)
		mp_put_uint(out, m->journal);
	else
		mp_put_nil(out);
}

static void put_hello(struct buf *out, const struct net_message *m)
{
	mp_put_array(out, 6);
	mp_put_uint(out, NET_HELLO);
	mp_put_uint(out, m->u.hello.version);
	put_id16(out, &m->u.hello.nonce);
	mp_put_array(out, m->u.hello.n_cursors);
	for (size_t i = 0; i < m->u.hello.n_cursors; i++) {
		mp_put_array(out, 3);
		put_id32(out, &m->u.hello.cursors[i].space);
		put_id16(out, &m->u.hello.cursors[i].nonce);
		mp_put_uint(out, m->u.hello.cursors[i].journal);
	}
	mp_put_array(out, m->u.hello.n_addresses);
	for (size_t i = 0; i < m->u.hello.n_addresses; i++)
		put_str(out, m->u.hello.addresses[i]);
	put_str(out, m->u.hello.agent);
}

static void put_roots(struct buf *out, const struct net_message *m)
{
	mp_put_array(out, 7);
	mp_put_uint(out, NET_ROOTS);
	put_id32(out, &m->space);
	put_id32(out, &m->u.roots.authority);
	put_id32(out, &m->u.roots.data);
	mp_put_bool(out, m->u.roots.pending);
	mp_put_uint(out, m->journal);
	mp_put_bool(out, m->u.roots.answer);
}

static void put_ask(struct buf *out, const struct net_message *m)
{
	mp_put_array(out, 4);
	mp_put_uint(out, NET_ASK_NODES);
	put_id32(out, &m->space);
	mp_put_uint(out, m->section);
	mp_put_array(out, m->u.ask.n);
	for (size_t i = 0; i < m->u.ask.n; i++)
		mp_put_bin_slice(out, m->u.ask.paths[i]);
}

static void put_slot(struct buf *out, const struct slot *s)
{
	mp_put_array(out, 3);
	mp_put_bin(out, s->key, s->key_len);
	mp_put_uint(out, s->version);
	put_id32(out, &s->id);
}

static void put_child(struct buf *out, const struct net_child *c)
{
	switch (c->kind) {
	case CHILD_EMPTY:  mp_put_nil(out); break;
	case CHILD_BRANCH: put_id32(out, &c->hash); break;
	case CHILD_LEAF:   put_slot(out, &c->slot); break;
	}
}

static void put_nodes(struct buf *out, const struct net_message *m)
{
	mp_put_array(out, 4);
	mp_put_uint(out, NET_NODES);
	put_id32(out, &m->space);
	mp_put_uint(out, m->section);
	mp_put_array(out, m->u.nodes.n);
	for (size_t i = 0; i < m->u.nodes.n; i++) {
		const struct net_node *node = &m->u.nodes.nodes[i];

		mp_put_array(out, 2);
		mp_put_bin(out, node->path, node->path_len);
		mp_put_array(out, 16);
		for (size_t k = 0; k < 16; k++)
			put_child(out, &node->child[k]);
	}
}

static void put_want(struct buf *out, const struct net_message *m)
{
	mp_put_array(out, 3);
	mp_put_uint(out, NET_WANT);
	put_id32(out, &m->space);
	mp_put_array(out, m->u.slots.n);
	for (size_t i = 0; i < m->u.slots.n; i++) {
		mp_put_array(out, 2);
		mp_put_bin(out, m->u.slots.slots[i].key, m->u.slots.slots[i].key_len);
		mp_put_uint(out, m->u.slots.slots[i].version);
	}
}

static void put_records(struct buf *out, const struct net_message *m, const struct slice *bytes, size_t n)
{
	mp_put_array(out, 4);
	mp_put_uint(out, m->type);
	put_id32(out, &m->space);
	put_journal(out, m);
	mp_put_array(out, n);
	for (size_t i = 0; i < n; i++)
		mp_put_bin_slice(out, bytes[i]);
}

static void put_run(struct buf *out, const struct net_message *m)
{
	mp_put_array(out, 3);
	mp_put_uint(out, NET_RUN);
	put_journal(out, m);
	mp_put_bin_slice(out, m->u.run.bytes);
}

static void put_heartbeat(struct buf *out, const struct net_message *m)
{
	mp_put_array(out, 2);
	mp_put_uint(out, NET_HEARTBEAT);
	mp_put_array(out, m->u.heartbeat.n);
	for (size_t i = 0; i < m->u.heartbeat.n; i++) {
		mp_put_array(out, 2);
		put_id32(out, &m->u.heartbeat.cursors[i].space);
		mp_put_uint(out, m->u.heartbeat.cursors[i].journal);
	}
}

static void put_slots(struct buf *out, const struct net_message *m)
{
	mp_put_array(out, 6);
	mp_put_uint(out, NET_SLOTS);
	put_id32(out, &m->space);
	mp_put_uint(out, m->section);
	mp_put_array(out, m->u.slots.n);
	for (size_t i = 0; i < m->u.slots.n; i++)
		put_slot(out, &m->u.slots.slots[i]);
	mp_put_uint(out, m->journal);
	mp_put_bool(out, m->u.slots.more);
}

static void put_join(struct buf *out, const struct net_message *m)
{
	mp_put_array(out, 7);
	mp_put_uint(out, NET_JOIN);
	put_id32(out, &m->space);
	put_id32(out, &m->u.join.invite);
	put_id16(out, &m->u.join.request);
	put_id32(out, &m->u.join.root);
	mp_put_bin_slice(out, m->u.join.certificate);
	mp_put_bin(out, m->u.join.signature, SIG_LEN);
}

static void put_joined(struct buf *out, const struct net_message *m)
{
	mp_put_array(out, 5);
	mp_put_uint(out, NET_JOINED);
	put_id16(out, &m->u.joined.request);
	mp_put_uint(out, m->u.joined.status);
	if (m->u.joined.has_admit)
		put_id32(out, &m->u.joined.admit);
	else
		mp_put_nil(out);
	put_id32(out, &m->u.joined.device);
}

static void put_refuse(struct buf *out, const struct net_message *m)
{
	mp_put_array(out, 3);
	mp_put_uint(out, NET_REFUSE);
	mp_put_uint(out, m->u.reason);
	if (m->has_space)
		put_id32(out, &m->space);
	else
		mp_put_nil(out);
}

static void put_fork(struct buf *out, const struct net_message *m)
{
	mp_put_array(out, 4);
	mp_put_uint(out, NET_FORK);
	put_id32(out, &m->space);
	mp_put_bin_slice(out, m->u.fork.a_bytes);
	mp_put_bin_slice(out, m->u.fork.b_bytes);
}

static void put_message(struct buf *out, const struct net_message *m)
{
	switch (m->type) {
	case NET_HELLO:      put_hello(out, m); break;
	case NET_ROOTS:      put_roots(out, m); break;
	case NET_ASK_NODES:  put_ask(out, m); break;
	case NET_NODES:      put_nodes(out, m); break;
	case NET_WANT:       put_want(out, m); break;
	case NET_ACTS:       put_records(out, m, m->u.acts.bytes, m->u.acts.n); break;
	case NET_RUN:        put_run(out, m); break;
	case NET_STATEMENTS: put_records(out, m, m->u.statements.bytes, m->u.statements.n); break;
	case NET_HEARTBEAT:  put_heartbeat(out, m); break;
	case NET_SINCE:
		mp_put_array(out, 3);
		mp_put_uint(out, NET_SINCE);
		put_id32(out, &m->space);
		mp_put_uint(out, m->journal);
		break;
	case NET_SLOTS:      put_slots(out, m); break;
	case NET_JOIN:       put_join(out, m); break;
	case NET_JOINED:     put_joined(out, m); break;
	case NET_REFUSE:     put_refuse(out, m); break;
	case NET_CREDIT:
		mp_put_array(out, 2);
		mp_put_uint(out, NET_CREDIT);
		mp_put_uint(out, m->u.credit);
		break;
	case NET_FORK:       put_fork(out, m); break;
	}
}

enum err net_encode(struct buf *out, const struct net_message *m)
{
	size_t start = out->len;
	enum err e;

	put_message(out, m);
	e = out->err;
	if (e == OK && out->len - start > LIMIT_FRAME)
		e = ERR_TOOBIG;
	if (e != OK)
		out->len = start;
	return e;
}
