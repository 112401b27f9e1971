#include "org/audience.h"
#include <string.h>
#include "base/mem.h"

/* ---- rules ------------------------------------------------------------------------------------------------------ */

static bool contains(const struct id32 *ids, size_t n, const struct id32 *id)
{
	for (size_t i = 0; i < n; i++)
		if (id32_equal(&ids[i], id))
			return true;
	return false;
}

bool audience_in_team(const struct team *t, const struct id32 *member)
{
	return (t->has_lead && id32_equal(&t->lead, member)) || contains(t->members, t->n_members, member);
}

static bool in_or_below(const struct state *state, const struct id32 *member, const struct id16 *team)
{
	const struct team *const *teams;
	size_t n = state_teams(state, &teams);

	for (size_t i = 0; i < n; i++)
		if (audience_in_team(teams[i], member) && state_team_within(state, &teams[i]->id, team))
			return true;
	return false;
}

static void all_teams(struct reader_rule *rule, const struct state *state, const struct id32 *member)
{
	const struct team *const *teams;
	size_t n = state_teams(state, &teams);

	for (size_t i = 0; i < n; i++) {
		size_t at = rule->n_teams;

		if (!audience_in_team(teams[i], member))
			continue;
		while (at > 0 && id16_compare(&teams[i]->id, &rule->teams[at - 1]) < 0)
			at--;
		if (at == RULE_TEAMS_MAX)
			continue;
		if (rule->n_teams < RULE_TEAMS_MAX)
			rule->n_teams++;
		memmove(rule->teams + at + 1, rule->teams + at, (rule->n_teams - at - 1) * sizeof *rule->teams);
		rule->teams[at] = teams[i]->id;
	}
}

void reader_rule_for(struct reader_rule *rule, const struct state *state, const struct id32 *member, const struct goal *goal,
	bool objective_has_team, const struct id16 *objective_team, unsigned layer)
{
	memset(rule, 0, sizeof *rule);
	rule->layer = layer;
	rule->is_private = goal->is_private;
	if (goal->is_private)
		return;
	if (goal->has_team) {
		rule->teams[rule->n_teams++] = goal->team;
		return;
	}
	if (objective_has_team && in_or_below(state, member, objective_team)) {
		rule->teams[rule->n_teams++] = *objective_team;
		return;
	}
	all_teams(rule, state, member);
}

static size_t rule_bytes(uint8_t out[RULE_BYTES_MAX], const struct reader_rule *rule)
{
	out[0] = (uint8_t)rule->layer;
	out[1] = rule->is_private;
	out[2] = (uint8_t)rule->n_teams;
	memcpy(out + 3, rule->teams, rule->n_teams * DOC_LEN);
	return 3 + rule->n_teams * DOC_LEN;
}

void reader_rule_encode(struct buf *out, const struct reader_rule *rule)
{
	uint8_t bytes[RULE_BYTES_MAX];

	buf_put(out, bytes, rule_bytes(bytes, rule));
}

enum err reader_rule_decode(struct reader_rule *rule, struct slice s)
{
	memset(rule, 0, sizeof *rule);
	if (s.len < 3 || s.data[1] > 1 || s.data[2] > RULE_TEAMS_MAX || s.len != 3 + (size_t)s.data[2] * DOC_LEN ||
	    (s.data[1] == 1 && s.data[2] > 0))
		return ERR_MALFORMED;
	for (size_t i = 1; i < s.data[2]; i++)
		if (memcmp(s.data + 3 + (i - 1) * DOC_LEN, s.data + 3 + i * DOC_LEN, DOC_LEN) >= 0)
			return ERR_MALFORMED;
	rule->layer = s.data[0];
	rule->is_private = s.data[1];
	rule->n_teams = s.data[2];
	memcpy(rule->teams, s.data + 3, rule->n_teams * DOC_LEN);
	return OK;
}

int reader_rule_compare(const struct reader_rule *a, const struct reader_rule *b)
{
	uint8_t x[RULE_BYTES_MAX], y[RULE_BYTES_MAX];
	size_t nx = rule_bytes(x, a), ny = rule_bytes(y, b);

	return slice_compare(SLICE(x, nx), SLICE(y, ny));
}

void audience_id(struct id16 *out, const uint8_t secret[KEY_LEN], const struct reader_rule *rule)
{
	uint8_t bytes[RULE_BYTES_MAX];
	struct slice part = SLICE(bytes, rule_bytes(bytes, rule));

	crypto_mac(out->b, sizeof out->b, secret, "cairn-audience", &part, 1);
}

/* ---- readers ---------------------------------------------------------------------------------------------------- */

static bool is_relay(const struct device *d)
{
	return d->capabilities >> CAPABILITY_RELAY & 1;
}

static bool is_aggregator(const struct device *d)
{
	return d->capabilities >> CAPABILITY_AGGREGATOR & 1;
}

/* Does lead or Manager m stand above a team of the rule?  The nearest relation decides. */
static enum relation stands_over(const struct state *state, const struct member *m, const struct reader_rule *rule, bool *leads)
{
	const struct team *const *teams;
	size_t n = state_teams(state, &teams);
	enum relation best = RELATION_OTHER;

	*leads = false;
	for (size_t i = 0; i < n; i++) {
		bool lead = teams[i]->has_lead && id32_equal(&teams[i]->lead, &m->root);

		if (!lead && (m->role != ROLE_MANAGER || !contains(teams[i]->members, teams[i]->n_members, &m->root)))
			continue;
		for (size_t j = 0; j < rule->n_teams; j++) {
			enum relation r = id16_equal(&teams[i]->id, &rule->teams[j]) ? RELATION_OWN_TEAM : RELATION_TEAM_BELOW;

			if (!state_team_within(state, &rule->teams[j], &teams[i]->id))
				continue;
			*leads = *leads || lead;
			if (r < best)
				best = r;
		}
	}
	return best;
}

static bool manages(const struct id32 *manager, const struct member *m)
{
	return (m->has_manager && id32_equal(&m->manager, manager)) || contains(m->dotted, m->n_dotted, manager);
}

/* What one member may read; device-bound classes are the caller's.  READER_MEMBER: nothing.  Being a lead, or a manager in the org
 * chart, gives the relation; what the relation allows is the table's business. */
static enum reader_class class_of(const struct state *state, const struct member *m, const struct member *subject,
	const struct reader_rule *rule)
{
	enum action action = rule->layer >= 3 ? MAY_VIEW_TASKS : MAY_VIEW_CONTRIBUTIONS;
	enum relation over;
	bool leads;

	if (id32_equal(&m->root, &subject->root))
		return READER_SELF;
	if (rule->is_private)
		return subject->has_manager && id32_equal(&subject->manager, &m->root) ? READER_MANAGER : READER_MEMBER;
	if (state_permits(state, &m->root, action, RELATION_OTHER))
		return m->role == ROLE_OWNER ? READER_OWNER : READER_ADMIN;
	over = stands_over(state, m, rule, &leads);
	if (over != RELATION_OTHER && state_permits(state, &m->root, action, over))
		return leads ? READER_LEAD : READER_MANAGER;
	if (manages(&m->root, subject) && state_permits(state, &m->root, action, RELATION_OWN_TEAM))
		return READER_MANAGER;
	return READER_MEMBER;
}

const struct member *audience_manager(const struct state *state, const struct id32 *member)
{
	const struct member *m = state_member(state, member);
	const struct member *manager = m != NULL && m->has_manager ? state_member(state, &m->manager) : NULL;

	return manager != NULL && manager->status == MEMBER_ACTIVE ? manager : NULL;
}

static void set_reader(struct reader *r, const struct device *d, enum reader_class class)
{
	r->device = d->id;
	r->member = d->member;
	r->class = class;
	memcpy(r->box, d->box, KEY_LEN);
}

enum err audience_readers(struct reader **out, size_t *n, const struct state *state, const struct id32 *member,
	const struct reader_rule *rule, const struct id32 *refused, size_t n_refused)
{
	const struct member *subject = state_member(state, member);
	const struct device *const *devices;
	size_t n_devices = state_devices(state, &devices);      /* ascending */

	*n = 0;
	*out = mem_array(n_devices, sizeof **out);
	if (*out == NULL)
		return ERR_NOMEM;
	if (subject == NULL || (rule->is_private && audience_manager(state, member) == NULL))
		return OK;
	for (size_t i = 0; i < n_devices; i++) {
		const struct device *d = devices[i];
		enum reader_class class;

		if (is_relay(d) || !state_device_active(state, &d->id))
			continue;
		class = class_of(state, state_member(state, &d->member), subject, rule);
		if (class > READER_AGGREGATOR && !rule->is_private && is_aggregator(d) && !contains(refused, n_refused, &d->id))
			class = READER_AGGREGATOR;
		if (class != READER_MEMBER)
			set_reader(&(*out)[(*n)++], d, class);
	}
	return OK;
}

static enum reader_class class_by_role(enum role role)
{
	switch (role) {
	case ROLE_OWNER:        return READER_OWNER;
	case ROLE_ADMIN:        return READER_ADMIN;
	case ROLE_MANAGER:      return READER_MANAGER;
	default:                return READER_MEMBER;
	}
}

enum err audience_org(struct reader **out, size_t *n, const struct state *state)
{
	const struct device *const *devices;
	size_t n_devices = state_devices(state, &devices);      /* ascending */

	*n = 0;
	*out = mem_array(n_devices, sizeof **out);
	if (*out == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < n_devices; i++)
		if (!is_relay(devices[i]) && state_device_active(state, &devices[i]->id))
			set_reader(&(*out)[(*n)++], devices[i], class_by_role(state_member(state, &devices[i]->member)->role));
	return OK;
}

const char *reader_class_name(enum reader_class class)
{
	switch (class) {
	case READER_SELF:       return "you";
	case READER_OWNER:      return "Owner";
	case READER_ADMIN:      return "Admin";
	case READER_AGGREGATOR: return "aggregator";
	case READER_LEAD:       return "team lead";
	case READER_MANAGER:    return "manager";
	case READER_MEMBER:     return "member";
	}
	return "?";
}
