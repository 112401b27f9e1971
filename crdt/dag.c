/* dag: see dag.h.  Protocol §3.
 *
 * Every node has a gate: the newest node through which all ways from it to the genesis lead (its immediate dominator).  On a
 * chain the gate is the one node cited; at a merge it is where the branches parted.  For any x in past(b) that is not deeper
 * than gate(b): x is the gate or in the gate's past.  So a question about a is passed down from gate to gate, in O(log n) by
 * jump pointers (Myers' skew-binary ancestors), until a lies between a node and its gate; only that stretch is searched. */
#include <string.h>
#include "base/limits.h"
#include "base/mem.h"
#include "crdt/dag.h"

struct node {
	struct id32 id;
	uint32_t depth, level;          /* longest way to the genesis; number of gates below */
	uint32_t gate, jump;            /* the genesis: itself */
	uint32_t past;                  /* size of its past */
	uint32_t cites, n_cites;        /* dag->cites[cites..) */
	uint32_t cited;                 /* by how many */
};

struct search { uint32_t *seen, *stack, stamp; };       /* seen[i] == stamp: was on the stack */

struct dag {
	struct node *nodes;
	uint32_t *order;                /* by (depth, id) */
	uint32_t *heads;                /* by id */
	uint32_t *cites, *table;        /* table: index + 1 by id, 0 empty, linear probing */
	struct search in_past, sizing;
	size_t count, room, n_heads, n_cites, cites_room, table_size;
};

#define ROOM_FIRST 16
#define COUNT_MAX ((size_t)1 << 30)     /* indexes + 1, doubled, fit 32 bits */

struct dag *dag_new(void)
{
	return mem_alloc(sizeof(struct dag));
}

static void search_free(struct search *s)
{
	mem_free(s->seen);
	mem_free(s->stack);
}

void dag_free(struct dag *d)
{
	if (d == NULL)
		return;
	mem_free(d->nodes);
	mem_free(d->order);
	mem_free(d->heads);
	mem_free(d->cites);
	mem_free(d->table);
	search_free(&d->in_past);
	search_free(&d->sizing);
	mem_free(d);
}

/* ---- finding by id ---- */

static size_t table_slot(const struct dag *d, const struct id32 *id)
{
	size_t at = (size_t)get_u64(id->b) & (d->table_size - 1);       /* ids are hashes */

	while (d->table[at] != 0 && !id32_equal(&d->nodes[d->table[at] - 1].id, id))
		at = (at + 1) & (d->table_size - 1);
	return at;
}

uint32_t dag_find(const struct dag *d, const struct id32 *id)
{
	return d->table_size == 0 ? DAG_NONE : d->table[table_slot(d, id)] - 1;
}

/* ---- room for one more ---- */

static bool grow_u32(uint32_t **array, size_t room, size_t old_room)
{
	uint32_t *grown = mem_resize(*array, room, sizeof *grown);

	if (grown == NULL)
		return false;
	memset(grown + old_room, 0, (room - old_room) * sizeof *grown);
	*array = grown;
	return true;
}

static bool grow_nodes(struct dag *d)
{
	size_t room = d->room == 0 ? ROOM_FIRST : 2 * d->room;
	struct node *nodes = mem_resize(d->nodes, room, sizeof *nodes);

	if (nodes == NULL)
		return false;
	d->nodes = nodes;
	if (!grow_u32(&d->order, room, d->room) || !grow_u32(&d->heads, room, d->room)
	 || !grow_u32(&d->in_past.seen, room, d->room) || !grow_u32(&d->in_past.stack, room, d->room)
	 || !grow_u32(&d->sizing.seen, room, d->room) || !grow_u32(&d->sizing.stack, room, d->room))
		return false;
	d->room = room;
	return true;
}

/* Nodes enter in the order of their indexes, so the youngest is never passed by a probe for another and may simply be cleared
 * by dag_remove_last. */
static bool grow_table(struct dag *d)
{
	size_t size = d->table_size == 0 ? 2 * ROOM_FIRST : 2 * d->table_size;
	uint32_t *table = mem_array(size, sizeof *table);

	if (table == NULL)
		return false;
	mem_free(d->table);
	d->table = table;
	d->table_size = size;
	for (size_t i = 0; i < d->count; i++)
		d->table[table_slot(d, &d->nodes[i].id)] = (uint32_t)i + 1;
	return true;
}

static enum err reserve(struct dag *d, size_t n_cites)
{
	if (d->count >= COUNT_MAX)
		return ERR_TOOBIG;
	if (d->count == d->room && !grow_nodes(d))
		return ERR_NOMEM;
	if (2 * (d->count + 1) > d->table_size && !grow_table(d))
		return ERR_NOMEM;
	while (d->n_cites + n_cites > d->cites_room) {
		size_t room = d->cites_room == 0 ? ROOM_FIRST : 2 * d->cites_room;

		if (!grow_u32(&d->cites, room, d->cites_room))
			return ERR_NOMEM;
		d->cites_room = room;
	}
	return OK;
}

/* ---- gates ---- */

/* The last node on the way of gates from v (v included) that is deeper than depth; v must be. */
static uint32_t last_deeper(const struct dag *d, uint32_t v, uint32_t depth)
{
	while (d->nodes[d->nodes[v].gate].depth > depth)
		v = d->nodes[d->nodes[v].jump].depth > depth ? d->nodes[v].jump : d->nodes[v].gate;
	return v;
}

static uint32_t common_gate(const struct dag *d, uint32_t u, uint32_t v)
{
	const struct node *n = d->nodes;

	while (n[u].level != n[v].level) {
		uint32_t *higher = n[u].level > n[v].level ? &u : &v;
		uint32_t target = n[u].level > n[v].level ? n[v].level : n[u].level;

		*higher = n[n[*higher].jump].level >= target ? n[*higher].jump : n[*higher].gate;
	}
	while (u != v) {
		bool jump = n[u].jump != n[v].jump;     /* equal levels jump equally far */

		u = jump ? n[u].jump : n[u].gate;
		v = jump ? n[v].jump : n[v].gate;
	}
	return u;
}

static void set_gate(struct dag *d, struct node *b, uint32_t gate)
{
	const struct node *g = &d->nodes[gate], *j = &d->nodes[g->jump];

	b->gate = gate;
	b->level = g->level + 1;
	b->jump = g->level - j->level == j->level - d->nodes[j->jump].level ? j->jump : gate;
}

/* ---- the past ---- */

static void search_start(struct search *s, size_t room)
{
	if (++s->stamp == 0) {          /* wrapped: old stamps must not look new */
		memset(s->seen, 0, room * sizeof *s->seen);
		s->stamp = 1;
	}
}

static size_t search_push(struct search *s, size_t n, uint32_t i)
{
	if (s->seen[i] == s->stamp)
		return n;
	s->seen[i] = s->stamp;
	s->stack[n] = i;
	return n + 1;
}

bool dag_in_past(const struct dag *d, uint32_t a, uint32_t b)
{
	struct search *s = (struct search *)&d->in_past;        /* scratch: says nothing about the dag */
	uint32_t depth = d->nodes[a].depth;
	size_t n = 0;

	if (d->nodes[b].depth <= depth)
		return false;
	search_start(s, d->room);
	n = search_push(s, n, last_deeper(d, b, depth));
	while (n > 0) {
		const struct node *x = &d->nodes[s->stack[--n]];

		if (x->gate == a)
			return true;
		if (d->nodes[x->gate].depth == depth)
			continue;               /* the only one of this depth in past(x) is the gate */
		for (uint32_t k = 0; k < x->n_cites; k++) {
			uint32_t c = d->cites[x->cites + k];

			if (c == a)
				return true;
			if (d->nodes[c].depth > depth)
				n = search_push(s, n, last_deeper(d, c, depth));
		}
	}
	return false;
}

/* |past(b)| = the past of its most knowing cite, that cite, and what only the others know. */
static uint32_t past_size(struct dag *d, const uint32_t *cites, size_t n_cites)
{
	struct search *s = &d->sizing;
	uint32_t best = cites[0], size;
	size_t n = 0;

	for (size_t i = 1; i < n_cites; i++)
		if (d->nodes[cites[i]].past > d->nodes[best].past)
			best = cites[i];
	size = d->nodes[best].past + 1;
	search_start(s, d->room);
	for (size_t i = 0; i < n_cites; i++)
		if (cites[i] != best && !dag_in_past(d, cites[i], best))
			n = search_push(s, n, cites[i]);
	while (n > 0) {
		const struct node *x = &d->nodes[s->stack[--n]];

		size++;
		for (uint32_t k = 0; k < x->n_cites; k++) {
			uint32_t c = d->cites[x->cites + k];

			if (s->seen[c] != s->stamp && !dag_in_past(d, c, best))
				n = search_push(s, n, c);
		}
	}
	return size;
}

void dag_mark_past(const struct dag *d, uint8_t *marks, const uint32_t *set, size_t n)
{
	size_t end = 0;

	memset(marks, 0, d->count);
	for (size_t i = 0; i < n; i++) {
		marks[set[i]] = 1;
		end = set[i] + 1 > end ? set[i] + 1 : end;
	}
	/* What is cited was added before: one sweep down. */
	for (size_t i = end; i-- > 0;)
		for (uint32_t k = 0; marks[i] && k < d->nodes[i].n_cites; k++)
			marks[d->cites[d->nodes[i].cites + k]] = 1;
}

/* ---- sorted lists ---- */

static bool before(const struct dag *d, uint32_t a, uint32_t b)
{
	if (d->nodes[a].depth != d->nodes[b].depth)
		return d->nodes[a].depth < d->nodes[b].depth;
	return id32_compare(&d->nodes[a].id, &d->nodes[b].id) < 0;
}

/* The number of nodes before i in the order (count: without i, if i is new). */
static size_t rank(const struct dag *d, uint32_t i, size_t count)
{
	size_t low = 0, high = count;

	if (count > 0 && before(d, d->order[count - 1], i))
		return count;           /* nearly always the newest is last */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (before(d, d->order[middle], i))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t head_rank(const struct dag *d, uint32_t i)
{
	size_t low = 0, high = d->n_heads;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (id32_compare(&d->nodes[d->heads[middle]].id, &d->nodes[i].id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void list_insert(uint32_t *list, size_t len, size_t at, uint32_t i)
{
	memmove(list + at + 1, list + at, (len - at) * sizeof *list);
	list[at] = i;
}

static void list_remove(uint32_t *list, size_t len, size_t at)
{
	memmove(list + at, list + at + 1, (len - at - 1) * sizeof *list);
}

static void head_add(struct dag *d, uint32_t i)
{
	list_insert(d->heads, d->n_heads++, head_rank(d, i), i);
}

static void head_remove(struct dag *d, uint32_t i)
{
	list_remove(d->heads, d->n_heads--, head_rank(d, i));
}

/* ---- adding ---- */

/* The cites as indexes, behind those in use. */
static enum err find_cites(struct dag *d, const struct id32 *cites, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t c = dag_find(d, &cites[i]);

		if (c == DAG_NONE)
			return ERR_MISSING;
		d->cites[d->n_cites + i] = c;
	}
	return OK;
}

static bool cites_sound(const struct dag *d, const struct id32 *cites, size_t n)
{
	if (n > LIMIT_HEADS || (n == 0) != (d->count == 0))
		return false;
	for (size_t i = 1; i < n; i++)
		if (id32_compare(&cites[i - 1], &cites[i]) >= 0)
			return false;
	return true;
}

static void place(struct dag *d, struct node *b, const struct id32 *id, size_t n_cites)
{
	const uint32_t *cites = d->cites + d->n_cites;
	uint32_t gate = n_cites > 0 ? cites[0] : 0;

	*b = (struct node){ .id = *id, .cites = (uint32_t)d->n_cites, .n_cites = (uint32_t)n_cites, .depth = 1 };
	if (n_cites == 0)
		return;
	for (size_t i = 0; i < n_cites; i++) {
		const struct node *c = &d->nodes[cites[i]];

		b->depth = c->depth + 1 > b->depth ? c->depth + 1 : b->depth;
		gate = common_gate(d, gate, cites[i]);
	}
	set_gate(d, b, gate);
	b->past = past_size(d, cites, n_cites);
}

enum err dag_add(struct dag *d, uint32_t *index, const struct id32 *id, const struct id32 *cites, size_t n_cites)
{
	uint32_t i = (uint32_t)d->count;
	enum err e;

	*index = dag_find(d, id);
	if (*index != DAG_NONE)
		return ERR_EXISTS;
	if (d->count == 0 && n_cites > 0)
		return ERR_MISSING;
	if (!cites_sound(d, cites, n_cites))
		return ERR_MALFORMED;
	if ((e = reserve(d, n_cites)) != OK || (e = find_cites(d, cites, n_cites)) != OK)
		return e;
	place(d, &d->nodes[i], id, n_cites);
	d->table[table_slot(d, id)] = i + 1;
	list_insert(d->order, d->count, rank(d, i, d->count), i);
	for (size_t k = 0; k < n_cites; k++)
		if (d->nodes[d->cites[d->n_cites + k]].cited++ == 0)
			head_remove(d, d->cites[d->n_cites + k]);
	head_add(d, i);
	d->n_cites += n_cites;
	d->count++;
	*index = i;
	return OK;
}

void dag_remove_last(struct dag *d)
{
	uint32_t i = (uint32_t)d->count - 1;
	const struct node *b = &d->nodes[i];

	if (d->count == 0)
		return;
	head_remove(d, i);
	for (uint32_t k = 0; k < b->n_cites; k++)
		if (--d->nodes[d->cites[b->cites + k]].cited == 0)
			head_add(d, d->cites[b->cites + k]);
	list_remove(d->order, d->count, rank(d, i, d->count));
	d->table[table_slot(d, &b->id)] = 0;
	d->n_cites = b->cites;
	d->count--;
}

/* ---- asking ---- */

size_t dag_count(const struct dag *d)
{
	return d->count;
}

const struct id32 *dag_id(const struct dag *d, uint32_t i)
{
	return &d->nodes[i].id;
}

uint32_t dag_depth(const struct dag *d, uint32_t i)
{
	return d->nodes[i].depth;
}

size_t dag_cites(const struct dag *d, uint32_t i, const uint32_t **cites)
{
	*cites = d->cites + d->nodes[i].cites;
	return d->nodes[i].n_cites;
}

bool dag_is_after_all_before(const struct dag *d, uint32_t b)
{
	/* past(b) lies before b in any case: depth grows along cites */
	return d->nodes[b].past == rank(d, b, d->count);
}

const uint32_t *dag_order(const struct dag *d)
{
	return d->order;
}

size_t dag_heads(const struct dag *d, struct id32 *out, size_t max)
{
	for (size_t i = 0; i < d->n_heads && i < max; i++)
		out[i] = d->nodes[d->heads[i]].id;
	return d->n_heads;
}
