#include "org/gate.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "base/mem.h"
#include "base/mp.h"

#define LAYER_NUMBERS 2                 /* L2 of design §7 */
#define SALT_FIELD (1 + 2 + DOC_LEN)    /* its key and value, encoded */

/* ---- what may leave -------------------------------------------------------------------------------------------- */

static bool has_id(const struct id16 *ids, size_t n, const struct id16 *id)
{
	for (size_t i = 0; i < n; i++)
		if (id16_equal(&ids[i], id))
			return true;
	return false;
}

static bool is_member(const struct gate_input *in)
{
	const struct member *m = state_member(in->state, &in->member);

	return m != NULL && m->status == MEMBER_ACTIVE;
}

/* Whatever the links: E6, E7, D2, E13. */
static enum gate_reason goal_reason(const struct gate_input *in, const struct goal *goal)
{
	const struct sharing *s = in->sharing;

	if (goal == NULL || goal->deleted)
		return GATE_DELETED;
	if (!goal->shared || has_id(s->hide, s->n_hide, &goal->id))
		return GATE_HIDDEN;
	if (s->n_only > 0 && !has_id(s->only, s->n_only, &goal->id))
		return GATE_NOT_LISTED;
	if (goal->is_private && audience_manager(in->state, &in->member) == NULL)
		return GATE_PRIVATE_NO_MANAGER;
	return GATE_SHARED;
}

static bool is_ours(const struct gate_input *in, const struct link *link)
{
	return link->active && id32_equal(&link->org, &in->org);
}

static int by_objective_id(const void *key, const void *objective)
{
	return id16_compare(key, &((const struct objective *)objective)->id);
}

/* The objective of a link; NULL: unknown or deleted. */
static const struct objective *target_of(const struct gate_input *in, const struct link *link)
{
	const struct objective *o = in->n_objectives == 0 ? NULL :
		bsearch(&link->objective, in->objectives, in->n_objectives, sizeof *o, by_objective_id);

	return o == NULL || o->deleted ? NULL : o;
}

static const struct goal *find_goal(const struct gate_input *in, const struct id16 *id)
{
	for (size_t i = 0; i < in->n_goals; i++)
		if (id16_equal(&in->goals[i].id, id))
			return &in->goals[i];
	return NULL;
}

enum gate_reason gate_why(const struct gate_input *in, const struct id16 *id)
{
	const struct goal *goal = find_goal(in, id);
	bool linked = false, reachable = false;
	enum gate_reason why = goal_reason(in, goal);

	for (size_t i = 0; i < in->n_links; i++)
		if (is_ours(in, &in->links[i]) && id16_equal(&in->links[i].goal, id)) {
			linked = true;
			reachable = reachable || target_of(in, &in->links[i]) != NULL;
		}
	if (!is_member(in))
		return GATE_NOT_MEMBER;
	if (why == GATE_DELETED)
		return why;
	if (!linked)
		return GATE_NOT_LINKED;
	if (why != GATE_SHARED)
		return why;
	if (!reachable)
		return GATE_OBJECTIVE_GONE;
	return in->sharing->accepted ? GATE_SHARED : GATE_NOT_ACCEPTED;
}

const char *gate_reason_text(enum gate_reason why)
{
	switch (why) {
	case GATE_SHARED:             return "This goal is shared.";
	case GATE_NOT_ACCEPTED:       return "Not shared: sharing with this organization has not been accepted yet.";
	case GATE_NOT_LINKED:         return "Not shared: this goal is not linked to an objective of this organization.";
	case GATE_HIDDEN:             return "Not shared: sharing is switched off for this goal.";
	case GATE_NOT_LISTED:         return "Not shared: this goal is not on the list of goals to share.";
	case GATE_PRIVATE_NO_MANAGER: return "Not shared: this goal is private, and there is no direct manager to share it with.";
	case GATE_OBJECTIVE_GONE:     return "Not shared: the objective that this goal is linked to no longer exists.";
	case GATE_DELETED:            return "Not shared: this goal does not exist.";
	case GATE_NOT_MEMBER:         return "Not shared: you are not an active member of this organization.";
	}
	return "?";
}

/* ---- what is shared, by audience -------------------------------------------------------------------------------- */

struct item { struct id16 audience, blinded; const struct goal *goal; const struct link *link; const struct objective *objective; };

static void rule_of(struct reader_rule *rule, const struct gate_input *in, const struct item *item)
{
	reader_rule_for(rule, in->state, &in->member, item->goal, item->objective->has_team, &item->objective->team, LAYER_NUMBERS);
}

void gate_blind(struct id16 *out, const uint8_t secret[KEY_LEN], const struct id16 *goal)
{
	struct slice part = SLICE(goal->b, DOC_LEN);

	crypto_mac(out->b, sizeof out->b, secret, "cairn-goal", &part, 1);
}

static int by_place(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int order = id16_compare(&x->audience, &y->audience);

	if (order == 0)
		order = id16_compare(&x->blinded, &y->blinded);
	if (order == 0)
		order = id16_compare(&x->objective->id, &y->objective->id);
	return order != 0 ? order : id16_compare(&x->link->id, &y->link->id);
}

static bool same_entry(const struct item *a, const struct item *b)
{
	return id16_equal(&a->blinded, &b->blinded) && id16_equal(&a->objective->id, &b->objective->id);
}

static int by_goal_id(const void *a, const void *b)
{
	return id16_compare(&(*(const struct goal *const *)a)->id, &(*(const struct goal *const *)b)->id);
}

static int goal_to_id(const void *key, const void *goal)
{
	return id16_compare(key, &(*(const struct goal *const *)goal)->id);
}

/* The goals that may leave, ascending by id. */
static enum err shared_goals(const struct goal ***out, size_t *n, const struct gate_input *in)
{
	*n = 0;
	*out = mem_array(in->n_goals, sizeof **out);
	if (*out == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < in->n_goals; i++)
		if (goal_reason(in, &in->goals[i]) == GATE_SHARED)
			(*out)[(*n)++] = &in->goals[i];
	qsort(*out, *n, sizeof **out, by_goal_id);
	return OK;
}

/* One item for each link that leaves, in the order of the reports. */
static enum err collect(struct item **out, size_t *n, const struct gate_input *in)
{
	const struct goal **goals, **found;
	size_t n_goals;
	enum err e = shared_goals(&goals, &n_goals, in);

	*n = 0;
	*out = mem_array(in->n_links, sizeof **out);
	if (e == OK && *out == NULL)
		e = ERR_NOMEM;
	for (size_t i = 0; e == OK && i < in->n_links; i++) {
		const struct link *link = &in->links[i];
		struct item *item = &(*out)[*n];
		struct reader_rule rule;

		if (!is_ours(in, link))
			continue;
		found = bsearch(&link->goal, goals, n_goals, sizeof *goals, goal_to_id);
		item->objective = target_of(in, link);
		if (found == NULL || item->objective == NULL)
			continue;
		item->goal = *found;
		item->link = link;
		rule_of(&rule, in, item);
		audience_id(&item->audience, in->secret, &rule);
		gate_blind(&item->blinded, in->secret, &item->goal->id);
		(*n)++;
	}
	mem_free(goals);
	if (e == OK)
		qsort(*out, *n, sizeof **out, by_place);
	return e;
}

/* ---- one report ------------------------------------------------------------------------------------------------- */

static void put_entry(struct buf *out, const struct sharing *s, const struct item *item)
{
	const struct goal *goal = item->goal;
	bool category = s->categories && goal->category.len > 0;

	mp_put_map(out, 4 + (size_t)s->progress + 2 * (size_t)s->counts + s->time + category);
	mp_put_uint(out, 1);
	mp_put_bin(out, item->blinded.b, DOC_LEN);
	mp_put_uint(out, 2);
	mp_put_bin(out, item->objective->id.b, DOC_LEN);
	mp_put_uint(out, 3);
	mp_put_int(out, item->link->weight);
	if (s->progress) {
		mp_put_uint(out, 4);
		if (goal->percent.set)
			mp_put_int(out, goal->percent.value);
		else
			mp_put_nil(out);
	}
	if (s->counts) {
		mp_put_uint(out, 5);
		mp_put_uint(out, goal->tasks_done);
		mp_put_uint(out, 6);
		mp_put_uint(out, goal->tasks_total);
	}
	mp_put_uint(out, 7);
	mp_put_uint(out, hlc_ms(goal->changed));
	if (s->time) {
		mp_put_uint(out, 8);
		mp_put_uint(out, goal->minutes);
	}
	if (category) {
		mp_put_uint(out, 9);
		mp_put_str(out, (const char *)goal->category.data, goal->category.len);
	}
}

static bool is_active(const struct goal *goal)
{
	return goal->status < GOAL_COMPLETED;
}

/* Map keys are sorted by their encoding, which begins with the length. */
static int by_encoding(const void *a, const void *b)
{
	struct slice x = ((const struct task_category *)a)->name, y = ((const struct task_category *)b)->name;

	return x.len != y.len ? (x.len < y.len ? -1 : 1) : slice_compare(x, y);
}

/* The categories of all goals of the report, each once. */
static size_t merge_categories(struct task_category *all, size_t n)
{
	size_t kept = 0;

	qsort(all, n, sizeof *all, by_encoding);
	for (size_t i = 0; i < n; i++)
		if (kept > 0 && slice_equal(all[kept - 1].name, all[i].name))
			all[kept - 1].done += all[i].done;
		else
			all[kept++] = all[i];
	return kept;
}

struct totals { unsigned tasks, active; uint64_t minutes; struct task_category *categories; size_t n_categories; };

/* items[0..n) are sorted by goal, so each goal's entries are neighbours. */
static enum err add_up(struct totals *t, const struct item *items, size_t n)
{
	*t = (struct totals){ .categories = mem_array(n * GOAL_CATEGORIES_MAX, sizeof *t->categories) };
	if (t->categories == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct goal *goal = items[i].goal;

		if (i > 0 && goal == items[i - 1].goal)
			continue;
		t->tasks += goal->tasks_done;
		t->active += is_active(goal);
		t->minutes += goal->minutes;
		for (size_t c = 0; c < goal->n_categories; c++)
			t->categories[t->n_categories++] = goal->categories[c];
	}
	t->n_categories = merge_categories(t->categories, t->n_categories);
	return OK;
}

static bool has_summary(const struct sharing *s)
{
	return s->progress || s->counts || s->time;
}

static enum err put_summary(struct buf *out, const struct sharing *s, const struct item *items, size_t n)
{
	struct totals t;
	enum err e = add_up(&t, items, n);

	if (e != OK)
		return e;
	mp_put_map(out, (size_t)s->counts + s->progress + (s->counts && s->categories) + s->time);
	if (s->counts) {
		mp_put_uint(out, 1);
		mp_put_uint(out, t.tasks);
	}
	if (s->progress) {
		mp_put_uint(out, 2);
		mp_put_uint(out, t.active);
	}
	if (s->counts && s->categories) {
		mp_put_uint(out, 3);
		mp_put_map(out, t.n_categories);
		for (size_t i = 0; i < t.n_categories; i++) {
			mp_put_str(out, (const char *)t.categories[i].name.data, t.categories[i].name.len);
			mp_put_uint(out, t.categories[i].done);
		}
	}
	if (s->time) {
		mp_put_uint(out, 4);
		mp_put_uint(out, t.minutes);
	}
	mem_free(t.categories);
	return out->err;
}

/* Fields 1 to 3, without the header of the map. */
static enum err put_content(struct buf *out, const struct sharing *s, const struct item *items, size_t n)
{
	mp_put_uint(out, 1);
	mp_put_uint(out, LAYER_NUMBERS);
	mp_put_uint(out, 2);
	mp_put_array(out, n);
	for (size_t i = 0; i < n; i++)
		put_entry(out, s, &items[i]);
	if (!has_summary(s))
		return out->err;
	mp_put_uint(out, 3);
	return put_summary(out, s, items, n);
}

static size_t bin_header(size_t len)
{
	return len <= 0xff ? 2 : len <= 0xffff ? 3 : 5;
}

/* Where the header grows some totals cannot be had (2 + 255 is followed by 3 + 256); then the next power of two is taken. */
size_t report_padding(size_t *total, size_t len)
{
	for (*total = 256;; *total *= 2)
		for (size_t header = 2; header <= 5; header++)
			if (*total >= len + 1 + header && bin_header(*total - len - 1 - header) == header)
				return *total - len - 1 - header;
}

static void put_padding(struct buf *out, size_t len)
{
	uint8_t *zeros = mem_array(len, 1);

	if (zeros == NULL) {
		out->err = ERR_NOMEM;
		return;
	}
	mp_put_uint(out, 15);
	mp_put_bin(out, zeros, len);
	mem_free(zeros);
}

static void make_salt(struct id16 *out, const uint8_t secret[KEY_LEN], const struct id16 *audience, struct slice unsalted)
{
	struct slice parts[] = { SLICE(audience->b, DOC_LEN), unsalted };

	crypto_mac(out->b, sizeof out->b, secret, "cairn-report-salt", parts, 2);
}

static enum err put_body(struct buf *body, const struct gate_input *in, const struct id16 *audience, const struct item *items,
	size_t n)
{
	struct buf content = { 0 };
	size_t fields = 2 + (size_t)has_summary(in->sharing), total, padding;
	struct id16 salt;
	enum err e = put_content(&content, in->sharing, items, n);

	mp_put_map(body, fields);
	buf_put_slice(body, buf_slice(&content));
	padding = report_padding(&total, body->len + SALT_FIELD);
	if (e == OK)
		e = body->err;
	if (e == OK && total > REPORT_MAX)
		e = ERR_TOOBIG;
	if (e != OK)
		goto out;
	make_salt(&salt, in->secret, audience, buf_slice(body));
	buf_clear(body);
	mp_put_map(body, fields + 2);
	buf_put_slice(body, buf_slice(&content));
	mp_put_uint(body, 4);
	mp_put_bin(body, salt.b, DOC_LEN);
	put_padding(body, padding);
	e = body->err;
	assert(e != OK || body->len == total);
out:
	buf_wipe(&content);
	return e;
}

enum err gate_withdrawn(struct buf *out, unsigned layer)
{
	const struct id16 no_salt = {{ 0 }};
	size_t total;

	mp_put_map(out, 4);
	mp_put_uint(out, 1);
	mp_put_uint(out, layer);
	mp_put_uint(out, 2);
	mp_put_array(out, 0);
	mp_put_uint(out, 4);
	mp_put_bin(out, no_salt.b, DOC_LEN);
	put_padding(out, report_padding(&total, out->len));
	return out->err;
}

static enum err make_report(struct gate_report *out, const struct gate_input *in, const struct item *items, size_t n)
{
	enum err e;

	out->audience = items[0].audience;
	out->n_entries = n;
	rule_of(&out->rule, in, &items[0]);
	e = audience_readers(&out->readers, &out->n_readers, in->state, &in->member, &out->rule, in->sharing->refused,
		in->sharing->n_refused);
	return e != OK ? e : put_body(&out->body, in, &out->audience, items, n);
}

static size_t drop_repeated(struct item *items, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !id16_equal(&items[kept - 1].audience, &items[i].audience) ||
		    !same_entry(&items[kept - 1], &items[i]))
			items[kept++] = items[i];
	return kept;
}

enum err gate_reports(struct gate_report **out, size_t *n, const struct gate_input *in, bool preview)
{
	struct item *items = NULL;
	struct gate_report *reports = NULL;
	size_t n_items = 0, n_reports = 0;
	enum err e = OK;

	*out = NULL;
	*n = 0;
	if ((!in->sharing->accepted && !preview) || !is_member(in))
		return OK;
	e = collect(&items, &n_items, in);
	if (e != OK)
		goto out;
	n_items = drop_repeated(items, n_items);
	reports = mem_array(n_items, sizeof *reports);
	if (reports == NULL)
		e = ERR_NOMEM;
	for (size_t i = 0, end; e == OK && i < n_items; i = end) {
		for (end = i + 1; end < n_items && id16_equal(&items[i].audience, &items[end].audience);)
			end++;
		e = make_report(&reports[n_reports++], in, items + i, end - i);
	}
out:
	mem_free(items);
	if (e != OK) {
		gate_reports_free(reports, n_reports);
		return e;
	}
	*out = reports;
	*n = n_reports;
	return OK;
}

void gate_reports_free(struct gate_report *reports, size_t n)
{
	for (size_t i = 0; reports != NULL && i < n; i++) {
		buf_wipe(&reports[i].body);
		mem_free(reports[i].readers);
	}
	mem_free(reports);
}
