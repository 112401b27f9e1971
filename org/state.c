/* state: storage and queries (org/authority.h).  Protocol §3, design §6. */
#include <string.h>
#include "base/mem.h"
#include "org/state_internal.h"

/* ---- sorted lists ---------------------------------------------------------------------------------------------------- */
size_t list_find(const void *list, size_t n, size_t size, const void *id, size_t id_len, bool *found)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp((const uint8_t *)list + middle * size, id, id_len);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*found = false;
	return low;
}

void *list_put(void *list, size_t n, size_t size, size_t at, const void *item)
{
	uint8_t *grown = list;

	if ((n & (n - 1)) == 0 && (grown = mem_resize(list, n == 0 ? 1 : 2 * n, size)) == NULL)
		return NULL;
	memmove(grown + (at + 1) * size, grown + at * size, (n - at) * size);
	memcpy(grown + at * size, item, size);
	return grown;
}

void list_drop(void *list, size_t n, size_t size, size_t at)
{
	memmove((uint8_t *)list + at * size, (uint8_t *)list + (at + 1) * size, (n - at - 1) * size);
}

enum err id_set_put(const struct id32 **set, size_t *n, const struct id32 *id)
{
	bool found;
	size_t at = list_find(*set, *n, sizeof *id, id, ID_LEN, &found);
	void *grown;

	if (found)
		return OK;
	if ((grown = list_put((void *)*set, *n, sizeof *id, at, id)) == NULL)
		return ERR_NOMEM;
	*set = grown;
	(*n)++;
	return OK;
}

void id_set_drop(const struct id32 *set, size_t *n, const struct id32 *id)
{
	bool found;
	size_t at = list_find(set, *n, sizeof *id, id, ID_LEN, &found);

	if (found)
		list_drop((void *)set, (*n)--, sizeof *id, at);
}

bool id_set_has(const struct id32 *set, size_t n, const struct id32 *id)
{
	bool found;

	(void)list_find(set, n, sizeof *id, id, ID_LEN, &found);
	return found;
}

/* A copy with the room that list_put expects.  NULL when n is 0, or (*fine false) without memory. */
static void *list_copy(const void *list, size_t n, size_t size, bool *fine)
{
	size_t room = 1;
	void *copy;

	if (n == 0)
		return NULL;
	while (room < n)
		room *= 2;
	if ((copy = mem_array(room, size)) == NULL)
		*fine = false;
	else
		memcpy(copy, list, n * size);
	return copy;
}

/* ---- objects --------------------------------------------------------------------------------------------------------- */
struct head { _Alignas(16) size_t refs; };      /* before every object */

static const struct { size_t size, id_len; } kinds[SHELVES] = {
	[SHELF_MEMBERS] = { sizeof(struct member_own), ID_LEN },
	[SHELF_DEVICES] = { sizeof(struct device_own), ID_LEN },
	[SHELF_TEAMS] = { sizeof(struct team), DOC_LEN },
	[SHELF_INVITES] = { sizeof(struct invite_own), ID_LEN },
};

static struct head *head_of(void *object)
{
	return (struct head *)object - 1;
}

static void *object_new(enum shelf_kind kind)
{
	struct head *h = mem_alloc(sizeof *h + kinds[kind].size);

	if (h == NULL)
		return NULL;
	h->refs = 1;
	return h + 1;
}

static void object_drop(enum shelf_kind kind, void *object)
{
	if (--head_of(object)->refs > 0)
		return;
	switch (kind) {
	case SHELF_MEMBERS:
		mem_free((void *)((struct member_own *)object)->m.dotted);
		mem_free(((struct member_own *)object)->removals);
		break;
	case SHELF_TEAMS:
		mem_free((void *)((struct team *)object)->members);
		break;
	case SHELF_INVITES:
		mem_free((void *)((struct invite_own *)object)->i.teams);
		mem_free(((struct invite_own *)object)->requests);
		break;
	case SHELF_DEVICES: case SHELVES:
		break;
	}
	mem_free(head_of(object));
}

static void *object_copy(enum shelf_kind kind, const void *object)
{
	void *copy = object_new(kind);
	struct member_own *m = copy;
	struct team *t = copy;
	struct invite_own *i = copy;
	bool fine = true;

	if (copy == NULL)
		return NULL;
	memcpy(copy, object, kinds[kind].size);
	switch (kind) {
	case SHELF_MEMBERS:
		m->m.dotted = list_copy(m->m.dotted, m->m.n_dotted, sizeof *m->m.dotted, &fine);
		m->removals = list_copy(m->removals, m->n_removals, sizeof *m->removals, &fine);
		break;
	case SHELF_TEAMS:
		t->members = list_copy(t->members, t->n_members, sizeof *t->members, &fine);
		break;
	case SHELF_INVITES:
		i->i.teams = list_copy(i->i.teams, i->i.n_teams, sizeof *i->i.teams, &fine);
		i->requests = list_copy(i->requests, i->n_requests, sizeof *i->requests, &fine);
		break;
	case SHELF_DEVICES: case SHELVES:
		break;
	}
	if (!fine) {
		object_drop(kind, copy);
		return NULL;
	}
	return copy;
}

/* ---- shelves --------------------------------------------------------------------------------------------------------- */
static size_t shelf_find(const struct shelf *shelf, enum shelf_kind kind, const void *id, bool *found)
{
	size_t low = 0, high = shelf->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(shelf->items[middle], id, kinds[kind].id_len);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*found = false;
	return low;
}

const void *state_find(const struct state *s, enum shelf_kind kind, const void *id)
{
	bool found;
	size_t at = shelf_find(&s->shelves[kind], kind, id, &found);

	return found ? s->shelves[kind].items[at] : NULL;
}

enum err state_edit(struct state *s, enum shelf_kind kind, const void *id, bool create, void *out)
{
	struct shelf *shelf = &s->shelves[kind];
	bool found;
	size_t at = shelf_find(shelf, kind, id, &found);
	void *object = NULL, **grown;

	memcpy(out, &object, sizeof object);
	if (!found && !create)
		return ERR_NOTFOUND;
	if (found && head_of(shelf->items[at])->refs > 1) {
		if ((object = object_copy(kind, shelf->items[at])) == NULL)
			return ERR_NOMEM;
		object_drop(kind, shelf->items[at]);
		shelf->items[at] = object;
	} else if (!found) {
		if (shelf->n == shelf->room) {
			if ((grown = mem_grow(shelf->items, &shelf->room, shelf->n, sizeof *grown)) == NULL)
				return ERR_NOMEM;
			shelf->items = grown;
		}
		if ((object = object_new(kind)) == NULL)
			return ERR_NOMEM;
		memcpy(object, id, kinds[kind].id_len);
		memmove(shelf->items + at + 1, shelf->items + at, (shelf->n - at) * sizeof *shelf->items);
		shelf->items[at] = object;
		shelf->n++;
	}
	memcpy(out, &shelf->items[at], sizeof object);
	return OK;
}

struct state *state_new(void)
{
	return mem_alloc(sizeof(struct state));
}

void state_free(struct state *s)
{
	if (s == NULL)
		return;
	for (enum shelf_kind k = 0; k < SHELVES; k++) {
		for (size_t i = 0; i < s->shelves[k].n; i++)
			object_drop(k, s->shelves[k].items[i]);
		mem_free(s->shelves[k].items);
	}
	mem_free(s->scopes);
	mem_free(s->settings);
	mem_free(s);
}

struct state *state_clone(const struct state *from)
{
	struct state *s = mem_alloc(sizeof *s);
	bool fine = s != NULL;

	if (s == NULL)
		return NULL;
	*s = *from;
	memset(s->shelves, 0, sizeof s->shelves);
	s->scopes = list_copy(from->scopes, from->n_scopes, sizeof *from->scopes, &fine);
	s->settings = list_copy(from->settings, from->n_settings, sizeof *from->settings, &fine);
	for (enum shelf_kind k = 0; k < SHELVES && fine; k++) {
		const struct shelf *f = &from->shelves[k];
		struct shelf *to = &s->shelves[k];

		if ((to->items = mem_array(f->n, sizeof *to->items)) == NULL) {
			fine = false;
			break;
		}
		to->n = to->room = f->n;
		for (size_t i = 0; i < f->n; i++) {
			to->items[i] = f->items[i];
			head_of(f->items[i])->refs++;
		}
	}
	if (!fine) {
		state_free(s);
		return NULL;
	}
	return s;
}

/* ---- simple queries -------------------------------------------------------------------------------------------------- */
bool state_is_org(const struct state *s)
{
	return s->is_org;
}

#define LIST(name, type, kind) \
	size_t name(const struct state *s, const struct type *const **out) \
	{ \
		*out = (const struct type *const *)(void *)s->shelves[kind].items; \
		return s->shelves[kind].n; \
	}
LIST(state_members, member, SHELF_MEMBERS)
LIST(state_devices, device, SHELF_DEVICES)
LIST(state_teams, team, SHELF_TEAMS)
LIST(state_invites, invite, SHELF_INVITES)

const struct member *state_member(const struct state *s, const struct id32 *root)
{
	return state_find(s, SHELF_MEMBERS, root);
}

const struct device *state_device(const struct state *s, const struct id32 *device)
{
	return state_find(s, SHELF_DEVICES, device);
}

const struct member *state_member_of(const struct state *s, const struct id32 *device)
{
	const struct device *d = state_device(s, device);

	return d == NULL ? NULL : state_member(s, &d->member);
}

bool state_device_active(const struct state *s, const struct id32 *device)
{
	const struct device *d = state_device(s, device);
	const struct member *m = d == NULL || d->revoked ? NULL : state_member(s, &d->member);

	return m != NULL && m->status == MEMBER_ACTIVE;
}

const struct team *state_team(const struct state *s, const struct id16 *team)
{
	return state_find(s, SHELF_TEAMS, team);
}

const struct invite *state_invite(const struct state *s, const struct id32 *key)
{
	return state_find(s, SHELF_INVITES, key);
}

const struct scope *state_scope_of(const struct state *s, const struct id16 *document)
{
	bool found;
	size_t at = list_find(s->scopes, s->n_scopes, sizeof *s->scopes, document, DOC_LEN, &found);

	return found ? &s->scopes[at] : NULL;
}

bool state_scope(const struct state *s, const struct id16 *document, struct id16 *team)
{
	const struct scope *scope = state_scope_of(s, document);

	if (scope == NULL || !scope->has_team)
		return false;
	*team = scope->team;
	return true;
}

uint64_t state_setting(const struct state *s, enum setting setting)
{
	for (size_t i = 0; i < s->n_settings; i++)
		if (s->settings[i].number == (uint32_t)setting)
			return s->settings[i].value;
	return setting == SETTING_MEMBER_CREATION;
}

uint32_t state_status(const struct state *s)
{
	return s->status;
}
