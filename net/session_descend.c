/* session: two tries walked against each other (protocol §8); see session_internal.h.
 *
 * Of a subtree with one leaf a trie keeps only that leaf, at any height.  So a node that one side has and the other has not is
 * compared with what the other would hold there: nothing, or the leaf that lives further up. */
#include <string.h>
#include "base/mem.h"
#include "crdt/trie.h"
#include "net/session_internal.h"

/* ---- our side ---- */

static bool leaf_lies_below(const struct slot *leaf, struct slice path, uint8_t *next)
{
	struct id32 key;

	trie_slot_key(&key, SLICE(leaf->key, leaf->key_len));
	for (size_t i = 0; i <= path.len; i++) {
		uint8_t nibble = i % 2 == 0 ? key.b[i / 2] >> 4 : key.b[i / 2] & 15;

		if (i == path.len)
			*next = nibble;
		else if (nibble != path.data[i])
			return false;
	}
	return true;
}

/* The children of our trie at this path, whether a node is kept there or not. */
static enum err our_node(struct session *s, struct space *sp, enum net_section section, struct slice path, struct net_node *out)
{
	enum err e = s->data.node(s->data.arg, &sp->shown.space, section, path, out);
	struct net_node *above;
	uint8_t next = 0;

	if (e == ERR_NOTFOUND) {
		above = out;
		for (size_t len = path.len; e == ERR_NOTFOUND && len-- > 0; ) {
			e = s->data.node(s->data.arg, &sp->shown.space, section, SLICE(path.data, len), above);
			if (e != OK)
				continue;
			struct net_child child = above->child[path.data[len]];

			*out = (struct net_node){0};
			if (child.kind == CHILD_LEAF && leaf_lies_below(&child.slot, path, &next))
				out->child[next] = child;
		}
		if (e == ERR_NOTFOUND) {
			*out = (struct net_node){0};
			e = OK;
		}
	}
	if (e == OK && path.len > 0)
		memcpy(out->path, path.data, path.len);
	out->path_len = (uint8_t)path.len;
	return e;
}

/* ---- answering ---- */

enum err session_on_ask(struct session *s, const struct net_out *out, struct space *sp, const struct net_message *m)
{
	struct net_message answer = { .type = NET_NODES, .has_space = true, .space = m->space, .section = m->section };
	struct net_node *nodes;
	enum err e = OK;

	if (!s->data.may_send(s->data.arg, &s->peer, &sp->shown.space, m->section, SLICE(NULL, 0))) {
		s->count.refused++;
		session_refuse(s, out, REFUSE_LANE, &sp->shown.space);
		return OK;
	}
	nodes = mem_array(NODES_PER_FRAME, sizeof *nodes);
	if (nodes == NULL)
		return ERR_NOMEM;
	answer.u.nodes.nodes = nodes;
	for (size_t i = 0; i < m->u.ask.n && e == OK; i++) {
		e = our_node(s, sp, m->section, m->u.ask.paths[i], &nodes[answer.u.nodes.n++]);
		if (e == OK && (answer.u.nodes.n == NODES_PER_FRAME || i + 1 == m->u.ask.n)) {
			e = session_emit(s, out, &answer, NULL);
			answer.u.nodes.n = 0;
		}
	}
	mem_free(nodes);
	return e;
}

/* ---- asking ---- */

static void add_path(struct session *s, struct space *sp, const struct path *path)
{
	struct path *grown;

	if (s->n_open >= QUEUE_MAX || sp->visited >= VISITED_MAX)
		return;                         /* the next round comes back to it */
	grown = mem_grow(sp->open.at, &sp->open.cap, sp->open.n, sizeof *grown);
	if (grown == NULL)
		return;
	sp->open.at = grown;
	sp->open.at[sp->open.n++] = *path;
	s->n_open++;
	sp->visited++;
}

void session_forget_paths(struct session *s, struct space *sp)
{
	s->n_open -= sp->open.n;
	mem_free(sp->open.at);
	mem_free(sp->under_way.at);
	sp->open = sp->under_way = (struct paths){0};
}

/* The last found first: so the open paths stay few, whatever the size of the trie. */
static void send_asks(struct session *s, const struct net_out *out, struct space *sp)
{
	struct net_message m = { .type = NET_ASK_NODES, .has_space = true, .space = sp->shown.space, .section = sp->section };
	struct slice paths[NET_PATHS_MAX];
	struct path *grown;

	while (sp->open.n > 0 && sp->under_way.n + NET_PATHS_MAX <= ASKED_MAX) {
		size_t n = sp->open.n < NET_PATHS_MAX ? sp->open.n : NET_PATHS_MAX, first = sp->under_way.n;

		grown = mem_grow(sp->under_way.at, &sp->under_way.cap, first + n, sizeof *grown);
		if (grown == NULL)
			break;
		sp->under_way.at = grown;
		memcpy(grown + first, sp->open.at + sp->open.n - n, n * sizeof *grown);
		for (size_t i = 0; i < n; i++)
			paths[i] = SLICE(grown[first + i].nibble, grown[first + i].len);
		sp->open.n -= n;
		s->n_open -= n;
		sp->under_way.n += n;
		m.u.ask.n = n;
		m.u.ask.paths = paths;
		if (session_emit(s, out, &m, NULL) != OK)
			break;                  /* silence begins anew */
	}
}

/* Was this path asked for?  Each is answered once, mostly in order. */
static bool was_asked(struct space *sp, const struct net_node *node)
{
	struct paths *u = &sp->under_way;

	for (size_t i = 0; i < u->n; i++) {
		if (u->at[i].len != node->path_len || memcmp(u->at[i].nibble, node->path, node->path_len) != 0)
			continue;
		memmove(u->at + i, u->at + i + 1, (u->n - i - 1) * sizeof *u->at);
		u->n--;
		return true;
	}
	return false;
}

/* ---- comparing ---- */

static struct slice key_of(const struct slot *slot)
{
	return SLICE(slot->key, slot->key_len);
}

static void compare_slots(struct session *s, struct space *sp, const struct slot *theirs, const struct slot *ours)
{
	if (session_want_if_newer(s, sp, theirs, ours))
		session_push(s, sp, key_of(ours), theirs->version, false);
}

/* Our slots under a child where the peer has nothing, or one leaf. */
struct below { struct session *s; struct space *sp; const struct slot *theirs; bool met; };

static enum err ours_below(void *arg, const struct slot *ours)
{
	struct below *b = arg;

	if (b->theirs != NULL && slice_equal(key_of(b->theirs), key_of(ours))) {
		b->met = true;
		compare_slots(b->s, b->sp, b->theirs, ours);
	} else {
		session_push(b->s, b->sp, key_of(ours), 0, false);
	}
	return b->s->n_push < QUEUE_MAX ? OK : ERR_LIMIT;
}

static enum err compare_branch(struct session *s, struct space *sp, const struct path *path, const struct slot *theirs)
{
	struct below b = { s, sp, theirs, false };
	enum err e = s->data.slots_below(s->data.arg, &sp->shown.space, sp->section, SLICE(path->nibble, path->len), ours_below, &b);

	if (theirs != NULL && !b.met)
		session_want(s, sp, key_of(theirs), 0, theirs->version);
	return e == ERR_LIMIT || e == ERR_NOTFOUND ? OK : e;
}

static enum err compare_child(struct session *s, struct space *sp, const struct path *path, const struct net_child *theirs,
	const struct net_child *ours)
{
	if (theirs->kind == CHILD_BRANCH) {
		if (ours->kind != CHILD_BRANCH || !id32_equal(&ours->hash, &theirs->hash))
			add_path(s, sp, path);
		return OK;
	}
	if (ours->kind == CHILD_BRANCH)
		return compare_branch(s, sp, path, theirs->kind == CHILD_LEAF ? &theirs->slot : NULL);
	if (theirs->kind == CHILD_LEAF && ours->kind == CHILD_LEAF && slice_equal(key_of(&theirs->slot), key_of(&ours->slot))) {
		compare_slots(s, sp, &theirs->slot, &ours->slot);
		return OK;
	}
	if (theirs->kind == CHILD_LEAF)
		session_want(s, sp, key_of(&theirs->slot), 0, theirs->slot.version);
	if (ours->kind == CHILD_LEAF)
		session_push(s, sp, key_of(&ours->slot), 0, false);
	return OK;
}

static enum err compare_node(struct session *s, struct space *sp, const struct net_node *theirs)
{
	struct path path = { .len = theirs->path_len };
	struct net_node ours;
	enum err e = our_node(s, sp, sp->section, SLICE(theirs->path, theirs->path_len), &ours);

	if (e != OK)
		return e;
	if (path.len > 0)
		memcpy(path.nibble, theirs->path, path.len);
	for (uint8_t i = 0; i < 16 && e == OK; i++) {
		struct path child = path;

		if (path.len == NET_PATH_LEN_MAX) {     /* no branch can be below */
			if (theirs->child[i].kind == CHILD_BRANCH || ours.child[i].kind == CHILD_BRANCH)
				continue;
		} else {
			child.nibble[child.len++] = i;
		}
		e = compare_child(s, sp, &child, &theirs->child[i], &ours.child[i]);
	}
	return e;
}

/* ---- the descent ---- */

static void go_on(struct session *s, const struct net_out *out, struct space *sp)
{
	/* The trie names acts in no order.  So many could not be held until what they cite has come. */
	if (sp->section == NET_AUTHORITY && sp->unsent >= HELD_MAX && session_read_journal(s, out, sp))
		return;
	if (sp->spilled)
		session_forget_paths(s, sp);
	if (sp->unsent >= WANTS_PER_FRAME)
		session_wants_send(s, out, sp);
	session_drain(s, out);
	send_asks(s, out, sp);
	if (sp->under_way.n == 0 && sp->open.n == 0)
		session_to_settle(s, out, sp);
}

void session_descend(struct session *s, const struct net_out *out, struct space *sp, enum net_section section, bool peer_is_empty)
{
	struct net_node nothing = {0};
	struct path root = {0};

	sp->phase = PHASE_DESCEND;
	sp->section = section;
	sp->level = 0;
	sp->active_ms = s->now;
	if (peer_is_empty)
		compare_node(s, sp, &nothing);
	else
		add_path(s, sp, &root);
	go_on(s, out, sp);
}

enum err session_on_nodes(struct session *s, const struct net_out *out, struct space *sp, const struct net_message *m)
{
	enum err e = OK;

	if (sp->phase != PHASE_DESCEND || sp->section != m->section)
		return OK;                      /* late */
	sp->active_ms = s->now;
	for (size_t i = 0; i < m->u.nodes.n && e == OK; i++) {
		if (!was_asked(sp, &m->u.nodes.nodes[i]))
			continue;
		if (m->u.nodes.nodes[i].path_len >= sp->level) {
			sp->level = m->u.nodes.nodes[i].path_len + 1u;
			s->count.round_trips++;
		}
		e = compare_node(s, sp, &m->u.nodes.nodes[i]);
	}
	if (e == OK)
		go_on(s, out, sp);
	return e;
}
