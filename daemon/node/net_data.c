/* What sessions see of this node: struct net_data, and who may see it (protocol §§7, 8). */
#include <stdlib.h>
#include <string.h>
#include "daemon/node/replica_internal.h"

/* ---- what sessions see: struct net_data ------------------------------------------------------------------------------ */
static struct space *space_of(void *arg, const struct id32 *id)
{
	return space_find(arg, id);
}

static enum err data_roots(void *arg, const struct id32 *id, struct net_roots *out)
{
	struct space *s = space_of(arg, id);

	return s == NULL ? ERR_NOTFOUND : replica_roots(arg, s, out);
}

static enum err data_node(void *arg, const struct id32 *id, enum net_section section, struct slice path, struct net_node *out)
{
	struct space *s = space_of(arg, id);
	struct trie_place place = { arg, s, section };
	struct trie_nodes nodes = trie_at(&place);
	struct trie_node node;
	enum err e;

	if (s == NULL)
		return ERR_NOTFOUND;
	if ((e = replica_flush(arg, s)) != OK || (e = trie_node(&nodes, path, &node)) != OK)
		return e;
	memset(out, 0, sizeof *out);
	if (path.len > 0)
		memcpy(out->path, path.data, path.len);
	out->path_len = (uint8_t)path.len;
	for (int i = 0; i < 16 && e == OK; i++) {
		const struct trie_child *from = &node.child[i];
		struct net_child *to = &out->child[i];
		uint64_t journal;

		if (from->kind == TRIE_EMPTY)
			continue;
		to->hash = from->hash;
		to->kind = from->kind == TRIE_LEAF ? CHILD_LEAF : CHILD_BRANCH;
		if (from->kind == TRIE_LEAF)
			e = slot_record_get(arg, s, section, &from->key, &to->slot, &journal);
	}
	return e == ERR_NOTFOUND ? ERR_DAMAGED : e;
}

static enum err data_slot(void *arg, const struct id32 *id, struct slice key, struct slot *out)
{
	struct space *s = space_of(arg, id);

	return s == NULL ? ERR_NOTFOUND : replica_slot(arg, s, key, out);
}

struct below { struct node *n; struct space *s; enum net_section section; enum err (*each)(void *, const struct slot *); void *arg; };

static enum err below_leaf(void *arg, const struct trie_child *leaf)
{
	struct below *b = arg;
	struct slot slot;
	uint64_t journal;
	enum err e = slot_record_get(b->n, b->s, b->section, &leaf->key, &slot, &journal);

	return e == OK ? b->each(b->arg, &slot) : e;
}

static enum err data_slots_below(void *arg, const struct id32 *id, enum net_section section, struct slice path,
	enum err (*each)(void *, const struct slot *), void *each_arg)
{
	struct space *s = space_of(arg, id);
	struct trie_place place = { arg, s, section };
	struct trie_nodes nodes = trie_at(&place);
	struct below below = { arg, s, section, each, each_arg };
	enum err e;

	if (s == NULL)
		return ERR_NOTFOUND;
	e = replica_flush(arg, s);
	return e == OK ? trie_walk(&nodes, path, below_leaf, &below) : e;
}

/* Runs of a log from have+1 on; each ends at an op whose signature is kept ("mark", protocol §2). */
static enum err log_content(struct node *n, const struct log_head *head, uint64_t have, size_t budget,
	enum err (*piece)(void *, struct slice), void *piece_arg, uint64_t *upto)
{
	struct op *ops = mem_array(LIMIT_RUN_OPS, sizeof *ops);
	struct buf run = {0};
	size_t sent = 0;
	enum err e = ops == NULL ? ERR_NOMEM : OK;

	*upto = have;
	while (e == OK && *upto < head->visible && sent < budget) {
		size_t count = 0, marked = 0, bytes = 0;

		/* Where the bound lies between two signatures, the run goes on to the next: else nobody could prove what is below. */
		while (count < LIMIT_RUN_OPS && bytes < LIMIT_RUN_BYTES - LIMIT_OP &&
		       *upto + count < (*upto + marked < head->visible && *upto + count >= head->visible ? head->seq : head->visible)) {
			if ((e = op_read(n, head->number, *upto + count + 1, &ops[count])) != OK)
				break;
			bytes += 96 + ID_LEN * ops[count].n_heads + (ops[count].body.data != NULL ? ops[count].body.len : ID_LEN);
			if (ops[count++].has_signature)
				marked = count;
		}
		if (e != OK || marked == 0)
			break;
		buf_clear(&run);
		if ((e = run_encode(&run, ops, marked)) == OK)
			e = piece(piece_arg, buf_slice(&run));
		sent += run.len;
		*upto += marked;
	}
	buf_free(&run);
	mem_free(ops);
	return e;
}

static enum err data_content(void *arg, const struct id32 *id, struct slice key, uint64_t have, size_t budget,
	enum err (*piece)(void *, struct slice), void *piece_arg, uint64_t *upto)
{
	struct node *n = arg;
	struct space *s = space_of(arg, id);
	struct id32 device;
	uint64_t incarnation;
	uint32_t kind;
	struct id16 index;
	enum err e;

	*upto = have;
	if (s == NULL)
		return ERR_NOTFOUND;
	if (key.data[0] == 'A') {
		struct id32 act;
		struct slice bytes;

		memcpy(&act, key.data + 1, ID_LEN);
		bytes = authority_bytes(s->authority, &act);
		return bytes.data == NULL ? ERR_NOTFOUND : piece(piece_arg, bytes);
	}
	if (key.data[0] == 'F') {
		struct fork fork;

		memcpy(&device, key.data + 1, ID_LEN);
		if ((e = fork_read(n, s, &device, get_u64(key.data + 1 + ID_LEN), &fork)) == OK && (e = piece(piece_arg, fork.a)) == OK)
			e = piece(piece_arg, fork.b);
		*upto = fork.seq;
		return e;
	}
	if (slot_key_log(key, &device, &incarnation)) {
		struct log_head head;

		e = log_read(n, s, &device, incarnation, &head);
		return e == OK ? log_content(n, &head, have, budget, piece, piece_arg, upto) : e;
	}
	if (slot_key_statement(key, &device, &kind, &index)) {
		struct key k = statement_key(s, &device, kind, &index);
		struct slice bytes;
		struct statement st;

		if ((e = store_get(n->txn, TABLE_STATEMENT, key_slice(&k), &bytes)) != OK)
			return e;
		if (statement_load(&st, bytes) != OK)
			return ERR_DAMAGED;
		*upto = st.counter;
		return piece(piece_arg, bytes);
	}
	return ERR_NOTFOUND;
}

static enum err data_take_act(void *arg, const struct id32 *peer, const struct act *act, struct slice bytes)
{
	struct node *n = arg;
	struct id32 id = id32_is_zero(&act->space) ? act->id : act->space;
	struct space *s = space_find(n, &id);
	bool added;

	(void)peer;
	return s == NULL ? ERR_DENIED : replica_act(n, s, bytes, &added);
}

static enum err data_take_run(void *arg, const struct id32 *peer, const struct run *run, struct slice bytes)
{
	struct node *n = arg;
	struct space *s = space_find(n, &run->space);
	size_t added;
	enum err e;

	(void)peer;
	(void)bytes;
	if (s == NULL)
		return ERR_DENIED;
	if ((e = replica_follow_authority(n, s)) != OK)
		return e;
	e = replica_run(n, s, run->ops, run->n, &added);
	if (e == OK && added > 0)
		notice_own(n, &run->ops[run->n - 1]);
	return e;
}

static enum err data_take_fork(void *arg, const struct id32 *peer, const struct run *a, struct slice a_bytes, const struct run *b,
	struct slice b_bytes)
{
	struct fork fork = { a->first_seq, a->ops[0].id, a_bytes, b_bytes };
	struct node *n = arg;
	struct space *s = space_find(n, &a->space);
	enum err e;

	(void)peer;
	(void)b;
	if (s == NULL)
		return ERR_DENIED;
	if ((e = replica_follow_authority(n, s)) != OK)
		return e;
	if (a_bytes.len + b_bytes.len > FORK_RUNS_MAX)
		return ERR_TOOBIG;
	if (space_state(s) == NULL || state_device(space_state(s), &a->device) == NULL)
		return ERR_MISSING;
	return fork_take(n, s, &a->device, a->incarnation, &fork);
}

static enum err data_take_statement(void *arg, const struct id32 *peer, const struct statement *st, struct slice bytes)
{
	struct node *n = arg;
	struct space *s = space_find(n, &st->space);
	bool added;
	enum err e;

	(void)peer;
	if (s == NULL)
		return ERR_DENIED;
	if ((e = replica_follow_authority(n, s)) != OK)
		return e;
	e = replica_statement(n, s, st, bytes, &added);
	if (e == OK && added && id32_equal(&st->device, &n->identity->device))
		n->incarnation_spent = true;            /* ours, and newer than we know (promise 9) */
	return e;
}

/* Is this a device behind whose door we knocked to join this space?  Others need not know that we do. */
static bool is_door(struct node *n, const struct space *s, const struct id32 *device)
{
	const struct peer *p = peer_find(n, device);

	for (size_t i = 0; p != NULL && i < n->n_joins; i++)
		for (size_t k = 0; id32_equal(&n->joins[i].space, &s->id) && k < n->joins[i].n_doors; k++)
			if (memcmp(n->joins[i].doors[k].curve, p->curve, KEY_LEN) == 0)
				return true;
	return false;
}

/* Lanes (protocol §8): active members' devices and relays: all; removed and Pending ones: authority only. */
static bool lane_full(struct node *n, const struct id32 *peer, const struct id32 *space)
{
	struct space *s = space_find(n, space);
	const struct state *state = s == NULL ? NULL : space_state(s);

	if (s != NULL && s->joining && is_door(n, s, peer))
		return true;                            /* the inviter, until we know more */
	return state != NULL && state_device_active(state, peer);
}

static bool data_may_send(void *arg, const struct id32 *peer, const struct id32 *space, enum net_section section, struct slice key)
{
	struct node *n = arg;
	struct space *s = space_find(n, space);

	(void)key;
	if (s == NULL)
		return false;
	if (s->is_self) {
		const struct state *state = space_state(s);

		return state != NULL && state_device_active(state, peer);
	}
	return section == NET_AUTHORITY || lane_full(n, peer, space);
}

static bool data_may_take(void *arg, const struct id32 *peer, const struct id32 *space, enum net_section section)
{
	return section == NET_AUTHORITY || lane_full(arg, peer, space);
}

static int by_id(const void *a, const void *b)
{
	return id32_compare(a, b);
}

/* Each side offers exactly the spaces whose authority lists the other's device, and those it is joining (protocol §8). */
static size_t data_common(void *arg, const struct id32 *peer, struct id32 *spaces, size_t max)
{
	struct node *n = arg;
	size_t count = 0;

	for (size_t i = 0; i < n->n_spaces && count < max; i++) {
		struct space *s = &n->spaces[i];
		const struct state *state = space_state(s);

		if ((state != NULL && state_device(state, peer) != NULL) || (s->joining && is_door(n, s, peer)))
			spaces[count++] = s->id;
	}
	qsort(spaces, count, sizeof *spaces, by_id);
	return count;
}

static enum err data_since(void *arg, const struct id32 *id, uint64_t journal, size_t max,
	enum err (*each)(void *, const struct slot *, enum net_section), void *each_arg, uint64_t *covered)
{
	struct node *n = arg;
	struct space *s = space_of(arg, id);
	struct store_cursor *c = NULL;
	struct slice key, value;
	struct key prefix, from;
	size_t count = 0;
	enum err e;

	*covered = journal;
	if (s == NULL)
		return ERR_NOTFOUND;
	prefix = space_prefix(s);
	from = journal_key(s, journal + 1);
	e = store_cursor_open(&c, n->txn, TABLE_JOURNAL, key_slice(&prefix), key_slice(&from), false);
	while (e == OK && count < max && (e = store_cursor_next(c, &key, &value)) == OK) {
		struct slot slot;
		uint64_t number;
		struct id32 hashed;
		enum net_section section = (enum net_section)value.data[0];

		memcpy(&hashed, value.data + 1, ID_LEN);
		*covered = get_u64(key.data + 4);
		if ((e = slot_record_get(n, s, section, &hashed, &slot, &number)) == OK) {
			e = each(each_arg, &slot, section);
			count++;
		}
	}
	store_cursor_close(c);
	if (e == ERR_NOTFOUND) {
		*covered = s->journal;
		e = OK;
	}
	return e;
}

/* TABLE_PEER: device ‖ 'c' ‖ space# → nonce ‖ journal#. */
static struct key cursor_key(const struct id32 *peer, const struct space *s)
{
	struct key k = { .len = 0 };

	key_bytes(&k, peer, ID_LEN);
	key_u8(&k, 'c');
	key_u32(&k, s->number);
	return k;
}

static uint64_t data_cursor(void *arg, const struct id32 *peer, const struct id16 *nonce, const struct id32 *id)
{
	struct node *n = arg;
	struct space *s = space_of(arg, id);
	struct slice value;
	struct key k;

	if (s == NULL)
		return 0;
	k = cursor_key(peer, s);
	if (store_get(n->txn, TABLE_PEER, key_slice(&k), &value) != OK || value.len != DOC_LEN + 8 ||
	    memcmp(value.data, nonce, DOC_LEN) != 0)
		return 0;
	return get_u64(value.data + DOC_LEN);
}

static void data_set_cursor(void *arg, const struct id32 *peer, const struct id16 *nonce, const struct id32 *id, uint64_t journal)
{
	struct node *n = arg;
	struct space *s = space_of(arg, id);
	uint8_t value[DOC_LEN + 8];
	struct key k;

	if (s == NULL)
		return;
	memcpy(value, nonce, DOC_LEN);
	put_u64(value + DOC_LEN, journal);
	k = cursor_key(peer, s);
	n->dirty = true;
	(void)store_put(n->txn, TABLE_PEER, key_slice(&k), SLICE(value, sizeof value));     /* a hint: may be lost */
}

void replica_net_data(struct node *n)
{
	n->data = (struct net_data){
		.arg = n, .roots = data_roots, .node = data_node, .slot = data_slot, .slots_below = data_slots_below,
		.content = data_content, .take_act = data_take_act, .take_run = data_take_run,
		.take_statement = data_take_statement, .take_fork = data_take_fork, .may_send = data_may_send, .may_take = data_may_take,
		.common = data_common, .since = data_since, .cursor = data_cursor, .set_cursor = data_set_cursor,
	};
}
