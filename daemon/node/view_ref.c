/* References: a whole id, an exact title or name, or a prefix of an id.  In this order, so that a title is never hidden by ids that
 * happen to begin like it. */
#include <string.h>
#include "base/id.h"
#include "base/text.h"
#include "daemon/node/view_internal.h"

#define FOUND_MAX 16

struct hits { size_t n; struct view_candidate list[FOUND_MAX]; };
struct search {
	struct view *v; struct space *s; uint32_t kind;
	struct slice text;                      /* the reference, NFC as all titles are */
	struct hits titles, prefixes;
};

static void hit(struct hits *h, const void *id, size_t id_len, struct slice title)
{
	struct view_candidate *c = &h->list[h->n];

	for (size_t i = 0; i < h->n; i++)
		if (h->list[i].id_len == id_len && memcmp(h->list[i].id, id, id_len) == 0)
			return;
	if (h->n == FOUND_MAX)
		return;
	memcpy(c->id, id, id_len);
	c->id_len = id_len;
	c->title = title;
	h->n++;
}

/* True: it is a candidate. */
static bool offer(struct search *q, const void *id, size_t id_len, struct slice title)
{
	bool by_title = title.len > 0 && slice_equal(title, q->text), by_id = id_has_prefix(id, id_len, q->text);

	if (by_title)
		hit(&q->titles, id, id_len, title);
	if (by_id)
		hit(&q->prefixes, id, id_len, title);
	return by_title || by_id;
}

/* ---- what there is --------------------------------------------------------------------------------------------------- */
static bool is_deleted(const struct doc *doc, uint32_t kind)
{
	return kind == KIND_OBJECTIVE ? view_flag(doc, kind, OBJ_DELETED) : kind == KIND_GOAL && view_flag(doc, kind, GOAL_DELETED);
}

/* Objectives and goals: both have their title at key 2. */
static enum err offer_document(void *arg, const struct id16 *id, struct doc **doc)
{
	struct search *q = arg;
	struct doc *kept = *doc;

	if (is_deleted(kept, q->kind) || !offer(q, id, DOC_LEN, view_register(kept, q->kind, OBJ_TITLE)))
		return OK;
	*doc = NULL;
	return view_own_doc(q->v, kept) ? OK : ERR_NOMEM;       /* the title borrows from it */
}

static void offer_teams(struct search *q, const struct state *state)
{
	const struct team *const *teams;
	size_t count = state_teams(state, &teams);

	for (size_t i = 0; i < count; i++) {
		const struct doc *doc;

		if (view_document(q->v, &q->s->id, KIND_TEAM, &teams[i]->id, &doc) != OK)
			doc = NULL;
		(void)offer(q, &teams[i]->id, DOC_LEN, view_register(doc, KIND_TEAM, TEAM_NAME));
	}
}

static void offer_members(struct search *q, const struct state *state)
{
	const struct member *const *members;
	size_t count = state_members(state, &members);

	for (size_t i = 0; i < count; i++)
		if (members[i]->status != MEMBER_REMOVED)
			(void)offer(q, &members[i]->root, ID_LEN, view_name(q->v, &q->s->id, &members[i]->root));
}

/* A member's name stands for its devices. */
static void offer_devices(struct search *q, const struct state *state)
{
	const struct device *const *devices;
	size_t count = state_devices(state, &devices);

	for (size_t i = 0; i < count; i++)
		(void)offer(q, &devices[i]->id, ID_LEN, devices[i]->revoked ? SLICE("", 0)
			: view_name(q->v, &q->s->id, &devices[i]->member));
}

static void offer_orgs(struct search *q)
{
	const struct node *n = q->v->n;

	for (size_t i = 0; i < n->n_spaces; i++)
		if (!n->spaces[i].is_self)
			(void)offer(q, &n->spaces[i].id, ID_LEN, view_org_name(q->v, &n->spaces[i].id));
}

/* ---- whole ids: no search ------------------------------------------------------------------------------------------------ */
static enum err whole(struct search *q, const struct state *state, uint8_t id[ID_LEN])
{
	const bool is_long = q->kind == VIEW_REF_ORG || q->kind == VIEW_REF_DEVICE || q->kind == KIND_PROFILE;
	const struct doc *doc;
	struct id32 wide;
	struct id16 narrow;
	bool is;

	if (is_long ? id_parse(&wide, ID_LEN, q->text) != OK : id_parse(&narrow, DOC_LEN, q->text) != OK)
		return ERR_NOTFOUND;
	if (!is_long) {
		is = q->kind == KIND_TEAM ? state_team(state, &narrow) != NULL
			: view_document(q->v, &q->s->id, q->kind, &narrow, &doc) == OK && !is_deleted(doc, q->kind);
		memcpy(id, &narrow, DOC_LEN);
	} else {
		is = q->kind == VIEW_REF_ORG ? view_space(q->v, &wide) != NULL
			: q->kind == VIEW_REF_DEVICE ? state_device(state, &wide) != NULL : state_member(state, &wide) != NULL;
		memcpy(id, &wide, ID_LEN);
	}
	return is ? OK : ERR_NOTFOUND;
}

static enum err decide(const struct search *q, uint8_t id[ID_LEN], struct view_candidate *found, size_t *n_found)
{
	const struct hits *h = q->titles.n > 0 ? &q->titles : &q->prefixes;

	if (h->n == 0)
		return ERR_NOTFOUND;
	if (h->n == 1) {
		memcpy(id, h->list[0].id, h->list[0].id_len);
		return OK;
	}
	memcpy(found, h->list, h->n * sizeof *found);
	*n_found = h->n;
	return ERR_AMBIGUOUS;
}

static enum err search(struct search *q, const struct state *state)
{
	switch (q->kind) {
	case KIND_OBJECTIVE:
	case KIND_GOAL:
		return documents_each(q->v->n, q->s, q->kind, offer_document, q);
	case KIND_TEAM:
		offer_teams(q, state);
		return OK;
	case KIND_PROFILE:
		offer_members(q, state);
		return OK;
	case VIEW_REF_DEVICE:
		offer_devices(q, state);
		return OK;
	case VIEW_REF_ORG:
		offer_orgs(q);
		return OK;
	default:
		return ERR_USAGE;
	}
}

enum err view_resolve(struct view *v, const struct id32 *org, uint32_t kind, struct slice reference, uint8_t id[ID_LEN],
	struct view_candidate *found, size_t *n_found)
{
	struct search *q = view_alloc(v, sizeof *q);
	const bool needs_state = kind == KIND_TEAM || kind == KIND_PROFILE || kind == VIEW_REF_DEVICE;
	const struct state *state = NULL;
	struct buf text = {0};
	enum err e;

	*n_found = 0;
	if (q == NULL)
		return ERR_NOMEM;
	q->v = v;
	q->kind = kind;
	q->s = kind == KIND_GOAL ? &v->n->spaces[0] : kind == VIEW_REF_ORG ? NULL : view_space(v, org);
	if ((kind != VIEW_REF_ORG && q->s == NULL) || (needs_state && (state = view_state(v, org)) == NULL))
		return ERR_NOTFOUND;
	e = text_nfc(&text, reference);
	q->text = buf_slice(&text);
	if (e == ERR_MALFORMED)
		e = ERR_NOTFOUND;
	if (e == OK && (e = whole(q, state, id)) == ERR_NOTFOUND && (e = search(q, state)) == OK)
		e = decide(q, id, found, n_found);
	buf_free(&text);
	return e;
}
