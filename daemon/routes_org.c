/* Organizations: found, show, set, join, use; invites; one's own profile there. */
#include <string.h>
#include "base/id.h"
#include "daemon/routes.h"
#include "net/link.h"

#define WEEK_S (7 * 24 * 3600)
#define EXPIRES_MAX_S (10ULL * 366 * 24 * 3600)
#define TEAMS_MAX 64

/* ---- objects --------------------------------------------------------------------------------------------------------------- */
json_t *name_json(struct read *q, const struct id32 *member)
{
	return json_of_text_or_null(view_name(q->v, &q->org, member));
}

json_t *who_json(struct read *q, const struct id32 *device)
{
	const struct device *d = state_device(q->state, device);
	json_t *o = json_object();

	json_put(&o, "deviceId", json_of_id32(device));
	json_put(&o, "memberId", json_of_id32(d == NULL ? NULL : &d->member));
	json_put(&o, "displayName", d == NULL ? json_null() : name_json(q, &d->member));
	return o;
}

static json_t *aggregators(struct read *q)
{
	const struct device *const *devices;
	size_t count = state_devices(q->state, &devices);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		if ((devices[i]->capabilities & 1u << CAPABILITY_AGGREGATOR) && state_device_active(q->state, &devices[i]->id))
			json_add(&list, who_json(q, &devices[i]->id));
	return list;
}

static size_t active_members(const struct state *state)
{
	const struct member *const *members;
	size_t count = state_members(state, &members), active = 0;

	for (size_t i = 0; i < count; i++)
		active += members[i]->status == MEMBER_ACTIVE;
	return active;
}

/* What the organization's document says; nothing of it may be here yet. */
static void put_document(struct read *q, json_t **o)
{
	const struct kind_spec *kind = model_kind(KIND_ORG);
	const struct doc *doc = NULL;
	struct id16 id;

	model_document_id(&id, &q->org, KIND_ORG, SLICE(NULL, 0));
	if (view_document(q->v, &q->org, KIND_ORG, &id, &doc) == OK)
		json_put_fields(o, kind, doc, NULL);
	else
		for (size_t i = 0; i < kind->n; i++)
			json_put(o, kind->fields[i].name, json_of_field(&kind->fields[i], SLICE(NULL, 0)));
}

json_t *org_json(struct read *q)
{
	static const char *const statuses[] = { "Active", "Inactive", "Archived", "Deleted" };
	const struct member *own = state_member(q->state, &q->self.member);
	const struct team *const *teams;
	uint32_t status = state_status(q->state);
	json_t *o = json_object();

	put_document(q, &o);
	json_put(&o, "id", json_of_id32(&q->org));
	json_put(&o, "allowMemberGoalCreation", json_boolean(state_setting(q->state, SETTING_MEMBER_CREATION) != 0));
	json_put(&o, "requireGoalApproval", json_boolean(state_setting(q->state, SETTING_GOAL_APPROVAL) != 0));
	json_put(&o, "status", json_string(statuses[status < 4 ? status : 0]));
	json_put(&o, "role", json_string(role_name(own == NULL ? ROLE_NONE : own->role)));
	json_put(&o, "memberCount", json_of_uint(active_members(q->state)));
	json_put(&o, "teamCount", json_of_uint(state_teams(q->state, &teams)));
	json_put(&o, "aggregators", aggregators(q));
	json_put(&o, "isDefault", json_boolean(q->self.has_default && id32_equal(&q->self.default_org, &q->org)));
	return o;
}

void orgs_list(struct request *r)
{
	struct view_org orgs[LIMIT_SPACES];
	struct read q;
	json_t *list;
	size_t n;

	if (!read_begin(&q, r))
		return;
	list = json_array();
	n = view_orgs(q.v, orgs, LIMIT_SPACES);
	for (size_t i = 0; i < n; i++) {
		if (orgs[i].joining || orgs[i].status != MEMBER_ACTIVE || (q.state = view_state(q.v, &orgs[i].id)) == NULL)
			continue;
		q.org = orgs[i].id;
		json_add(&list, org_json(&q));
	}
	read_answer(&q, list);
}

void org_show(struct request *r)
{
	struct read q;

	if (read_begin_org(&q, r))
		read_answer(&q, org_json(&q));
}

/* ---- writing ------------------------------------------------------------------------------------------------------------------- */
/* The reply names the organization: its name may just have changed, or there was none before. */
static void then_org(struct request *r, const struct reply *reply)
{
	struct id32 org;
	struct read q;

	if (!reply_begin(&q, r, reply))
		return;
	if (!reply_id(reply, &org, ID_LEN)) {
		read_end(&q);
		reply_plain(r, reply);
	} else if (read_org_named(&q, &org))
		reply_answer(&q, reply, org_json(&q));
}

void org_create(struct request *r)
{
	static const char *const skip[] = { "name", NULL };
	struct command c = { .kind = COMMAND_ORG_CREATE };
	struct read q;
	bool has;

	if (read_begin(&q, r) && body_text(&q, "name", &c.text, &has) && body_pairs(&q, &c, skip))
		read_command(&q, &c, then_org);
}

void org_set(struct request *r)
{
	struct command c = { .kind = COMMAND_ORG_SET, .has_org = true };
	struct read q;

	if (!read_begin_org(&q, r) || !body_pairs(&q, &c, NULL))
		return;
	c.org = q.org;
	read_command(&q, &c, then_org);
}

static void then_joined(struct request *r, const struct reply *reply)
{
	const struct member *own;
	struct id32 org;
	struct read q;
	json_t *o;

	if (!reply_begin(&q, r, reply))
		return;
	if (!reply_id(reply, &org, ID_LEN)) {
		read_end(&q);
		reply_plain(r, reply);
		return;
	}
	if (!read_org_named(&q, &org))
		return;
	own = state_member(q.state, &q.self.member);
	o = json_object();
	json_put(&o, "id", json_of_id32(&org));
	json_put(&o, "name", json_of_text_or_null(view_org_name(q.v, &org)));
	json_put(&o, "role", json_string(role_name(own == NULL ? ROLE_NONE : own->role)));
	reply_answer(&q, reply, o);
}

void org_join(struct request *r)
{
	static const char *const known[] = { "code", "request", NULL };
	struct command c = { .kind = COMMAND_ORG_JOIN };
	struct slice request;
	struct read q;
	bool has_code, has_request;

	if (!read_begin(&q, r) || !body_only(&q, known) || !body_text(&q, "code", &c.text, &has_code) ||
	    !body_text(&q, "request", &request, &has_request))
		return;
	if (!has_code)
		read_fail(&q, ERR_USAGE, "“code” is missing: the code of an invite.");
	else if (has_request && id_parse(&c.request, DOC_LEN, request) != OK)
		read_fail(&q, ERR_USAGE, "“request” must be 16 bytes in base32 (26 characters).");
	else
		read_command(&q, &c, then_joined);
}

void org_use(struct request *r)
{
	static const char *const known[] = { NULL };
	struct command c = { .kind = COMMAND_ORG_USE, .has_org = true };
	struct read q;

	if (!read_begin_org(&q, r) || !body_only(&q, known))
		return;
	c.org = q.org;
	read_command(&q, &c, then_org);
}

/* ---- invites ----------------------------------------------------------------------------------------------------------------------- */
static bool invite_role(struct read *q, struct command *c)
{
	struct slice text;
	char name[16] = "";

	if (!body_text(q, "role", &text, &c->has_role))
		return false;
	if (c->has_role && text.len < sizeof name)
		memcpy(name, text.data, text.len);
	if (!c->has_role || role_parse(&c->role, name))
		return true;
	return read_fail(q, ERR_USAGE, "“role” is Owner, Admin, Manager, Member or Viewer.");
}

/* Absent: a week; null or 0: never. */
static bool invite_expiry(struct read *q, struct command *c)
{
	uint64_t seconds;
	bool has;

	if (!body_uint(q, "expiresIn", EXPIRES_MAX_S, &seconds, &has))
		return false;
	if (!body_has(q, "expiresIn"))
		seconds = WEEK_S;
	c->has_expiry = seconds > 0;
	c->expires_ms = q->now + seconds * 1000;
	return true;
}

static bool text_list(struct read *q, const char *key, size_t max, const json_t **list, size_t *n)
{
	const json_t *one;
	size_t i;

	*list = json_object_get(request_body(q->r), key);
	*n = 0;
	if (*list == NULL || json_is_null(*list))
		return true;
	if (!json_is_array(*list))
		return read_fail(q, ERR_USAGE, "“%s” is a list of texts.", key);
	json_array_foreach(*list, i, one)
		if (!json_is_string(one))
			return read_fail(q, ERR_USAGE, "“%s” is a list of texts.", key);
	if ((*n = json_array_size(*list)) > max)
		return read_fail(q, ERR_USAGE, "“%s” holds at most %zu.", key, max);
	return true;
}

static bool invite_teams(struct read *q, struct command *c)
{
	const json_t *list;
	struct id16 *teams;
	size_t n;

	if (!text_list(q, "teams", TEAMS_MAX, &list, &n))
		return false;
	if ((teams = request_alloc(q->r, (n + 1) * sizeof *teams)) == NULL)
		return read_fail(q, ERR_NOMEM, NULL);
	c->teams = teams;
	for (size_t i = 0; i < n; i++)
		if (!read_ref(q, KIND_TEAM, json_string_value(json_array_get(list, i)), "team", &teams[i]))
			return false;
	c->n_teams = n;
	c->has_team_list = true;
	return true;
}

static bool invite_addresses(struct read *q, struct command *c)
{
	const json_t *list;
	struct slice *texts;
	size_t n;

	if (!text_list(q, "addresses", LIMIT_ADDRESSES, &list, &n))
		return false;
	if ((texts = request_alloc(q->r, (n + 1) * sizeof *texts)) == NULL)
		return read_fail(q, ERR_NOMEM, NULL);
	c->texts = texts;
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!link_address_valid(text))
			return read_fail(q, ERR_USAGE, "“%.100s” is no address: write tcp://HOST:PORT, such as tcp://192.0.2.7:7411.", text);
		texts[i] = slice_of(text);
	}
	c->n_texts = n;
	return true;
}

/* The command's reply has everything but the time as text. */
static void then_invite(struct request *r, const struct reply *reply)
{
	struct read q;
	json_t *o;

	if (!reply_begin(&q, r, reply))
		return;
	o = http_json_mp(reply->fields);
	if (json_is_integer(json_object_get(o, "expiresAt")))
		json_put(&o, "expiresAt", json_of_time((uint64_t)json_integer_value(json_object_get(o, "expiresAt"))));
	reply_answer(&q, reply, o);
}

void org_invite(struct request *r)
{
	static const char *const known[] = { "role", "teams", "uses", "expiresIn", "approval", "addresses", NULL };
	struct command c = { .kind = COMMAND_INVITE, .has_org = true };
	struct read q;
	bool has_uses, has_approval;

	if (!read_begin_org(&q, r) || !body_only(&q, known) || !invite_role(&q, &c) || !invite_teams(&q, &c) ||
	    !body_uint(&q, "uses", LIMIT_INVITE_USES, &c.uses, &has_uses) || !invite_expiry(&q, &c) ||
	    !body_bool(&q, "approval", &c.on, &has_approval) || !invite_addresses(&q, &c))
		return;
	if (has_uses && c.uses == 0) {
		read_fail(&q, ERR_USAGE, "“uses” is at least 1.");
		return;
	}
	c.org = q.org;
	read_command(&q, &c, then_invite);
}

static bool find_invite(struct read *q, const char *reference, struct id32 *key)
{
	const struct invite *const *invites;
	size_t n = state_invites(q->state, &invites), found = 0;

	for (size_t i = 0; i < n; i++)
		if (id_has_prefix(&invites[i]->key, ID_LEN, slice_of(reference))) {
			*key = invites[i]->key;
			found++;
		}
	if (found == 0)
		return read_fail(q, ERR_NOTFOUND, "There is no invite “%.100s” here.", reference);
	return found == 1 || read_fail(q, ERR_AMBIGUOUS, "“%.100s” fits several invites: use a longer id.", reference);
}

void invite_close(struct request *r)
{
	struct command c = { .kind = COMMAND_INVITE_CLOSE, .has_org = true, .has_other = true };
	struct read q;

	if (!read_begin_org(&q, r) || !find_invite(&q, request_param(r, "invite"), &c.other))
		return;
	c.org = q.org;
	read_command(&q, &c, reply_plain);
}

/* ---- profile ------------------------------------------------------------------------------------------------------------------------- */
static void then_profile(struct request *r, const struct reply *reply)
{
	struct read q;

	if (reply_begin_org(&q, r, reply))
		reply_answer(&q, reply, member_json(&q, state_member(q.state, &q.self.member)));
}

void profile_set(struct request *r)
{
	struct command c = { .kind = COMMAND_PROFILE_SET, .has_org = true };
	struct read q;

	if (!read_begin_org(&q, r) || !body_pairs(&q, &c, NULL))
		return;
	c.org = q.org;
	read_command(&q, &c, then_profile);
}
