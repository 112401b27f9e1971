/* Members and their devices. */
#include <string.h>
#include <strings.h>
#include "daemon/routes.h"

/* ---- members ----------------------------------------------------------------------------------------------------------------- */
static json_t *teams_of(struct read *q, const struct id32 *member)
{
	const struct team *const *teams;
	size_t count = state_teams(q->state, &teams);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		if (audience_in_team(teams[i], member))
			json_add(&list, json_of_id16(&teams[i]->id));
	return list;
}

static json_t *devices_of(struct read *q, const struct id32 *member)
{
	const struct device *const *devices;
	size_t count = state_devices(q->state, &devices);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		if (id32_equal(&devices[i]->member, member) && !devices[i]->revoked)
			json_add(&list, json_of_id32(&devices[i]->id));
	return list;
}

/* Authority has no clock: a member has joined when its profile was written. */
json_t *member_json(struct read *q, const struct member *m)
{
	static const char *const statuses[] = { "Pending", "Active", "Inactive", "Removed" };
	const struct kind_spec *kind = model_kind(KIND_PROFILE);
	const struct doc *doc = NULL;
	struct id16 profile;
	json_t *o = json_object();

	if (m == NULL) {
		json_decref(o);
		return NULL;
	}
	model_document_id(&profile, &q->org, KIND_PROFILE, SLICE(&m->root, ID_LEN));
	if (view_document(q->v, &q->org, KIND_PROFILE, &profile, &doc) != OK)
		doc = NULL;
	for (size_t i = 0; i < kind->n; i++)
		json_put(&o, kind->fields[i].name, json_of_field(&kind->fields[i],
			doc == NULL ? SLICE(NULL, 0) : doc_register(doc, kind->fields[i].key, NULL)));
	json_put(&o, "id", json_of_id32(&m->root));
	json_put(&o, "role", json_string(role_name(m->role)));
	json_put(&o, "status", json_string(statuses[m->status]));
	json_put(&o, "teamIds", teams_of(q, &m->root));
	json_put(&o, "joinedAt", json_of_time(doc == NULL ? 0 : view_created_ms(q->v, &q->org, &profile)));
	json_put(&o, "managerId", json_of_id32(m->has_manager ? &m->manager : NULL));
	json_put(&o, "devices", devices_of(q, &m->root));
	return o;
}

void members_list(struct request *r)
{
	const struct member *const *members;
	struct read q;
	size_t count;
	json_t *list;

	if (!read_begin_org(&q, r))
		return;
	list = json_array();
	count = state_members(q.state, &members);
	for (size_t i = 0; i < count; i++)
		if (members[i]->status != MEMBER_REMOVED)
			json_add(&list, member_json(&q, members[i]));
	read_answer(&q, list);
}

static bool find_member(struct read *q, struct id32 *id)
{
	return read_ref(q, KIND_PROFILE, request_param(q->r, "member"), "member", id);
}

void member_show(struct request *r)
{
	struct id32 id;
	struct read q;

	if (read_begin_org(&q, r) && find_member(&q, &id))
		read_answer(&q, member_json(&q, state_member(q.state, &id)));
}

static void then_member(struct request *r, const struct reply *reply)
{
	struct id32 id;
	struct read q;

	if (!reply_begin_org(&q, r, reply))
		return;
	reply_answer(&q, reply, reply_id(reply, &id, ID_LEN) ? member_json(&q, state_member(q.state, &id)) : NULL);
}

static bool role_given(struct read *q, struct command *c)
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

/* {role}; or {status: "Active"}: who waits for approval is let in. */
void member_set(struct request *r)
{
	static const char *const known[] = { "role", "status", NULL };
	struct command c = { .kind = COMMAND_MEMBER_ROLE, .has_org = true, .has_other = true };
	struct slice status;
	struct read q;
	bool has_status;

	if (!read_begin_org(&q, r) || !find_member(&q, &c.other) || !body_only(&q, known) || !role_given(&q, &c) ||
	    !body_text(&q, "status", &status, &has_status))
		return;
	if (has_status == c.has_role) {
		read_fail(&q, ERR_USAGE, "Give a role, or status Active to approve a member.");
		return;
	}
	if (has_status) {
		if (status.len != 6 || strncasecmp((const char *)status.data, "active", 6) != 0) {
			read_fail(&q, ERR_USAGE, "“status” can be set to Active only.");
			return;
		}
		c.kind = COMMAND_MEMBER_APPROVE;
	}
	c.org = q.org;
	read_command(&q, &c, then_member);
}

static bool asks_force(struct read *q, bool *force)
{
	const char *text = request_query(q->r, "force");
	bool has;

	if (!body_bool(q, "force", force, &has))
		return false;
	*force = *force || (text != NULL && strcmp(text, "0") != 0 && strcasecmp(text, "false") != 0);
	return true;
}

/* Oneself: leaving. */
void member_remove(struct request *r)
{
	static const char *const known[] = { "force", NULL };
	struct command c = { .kind = COMMAND_MEMBER_REMOVE, .has_org = true, .has_other = true };
	struct read q;

	if (!read_begin_org(&q, r) || !find_member(&q, &c.other) || !body_only(&q, known) || !asks_force(&q, &c.force))
		return;
	if (id32_equal(&c.other, &q.self.member))
		c.kind = COMMAND_ORG_LEAVE;
	c.org = q.org;
	read_command(&q, &c, c.kind == COMMAND_ORG_LEAVE ? reply_plain : then_member);
}

/* ---- devices --------------------------------------------------------------------------------------------------------------------- */
static const struct { const char *name; enum capability capability; } capabilities[] = {
	{ "aggregator", CAPABILITY_AGGREGATOR }, { "relay", CAPABILITY_RELAY },
};

json_t *device_json(struct read *q, const struct device *d)
{
	json_t *o = json_object(), *list = json_array();

	if (d == NULL) {
		json_decref(o);
		json_decref(list);
		return NULL;
	}
	for (size_t i = 0; i < 2; i++)
		if (d->capabilities & 1u << capabilities[i].capability)
			json_add(&list, json_string(capabilities[i].name));
	json_put(&o, "id", json_of_id32(&d->id));
	json_put(&o, "memberId", json_of_id32(&d->member));
	json_put(&o, "displayName", name_json(q, &d->member));
	json_put(&o, "capabilities", list);
	json_put(&o, "revoked", json_boolean(d->revoked));
	json_put(&o, "self", json_boolean(id32_equal(&d->id, &q->self.device)));
	return o;
}

void devices_list(struct request *r)
{
	const struct device *const *devices;
	struct read q;
	size_t count;
	json_t *list;

	if (!read_begin_org(&q, r))
		return;
	list = json_array();
	count = state_devices(q.state, &devices);
	for (size_t i = 0; i < count; i++) {
		const struct member *m = state_member(q.state, &devices[i]->member);

		if (m != NULL && m->status != MEMBER_REMOVED)
			json_add(&list, device_json(&q, devices[i]));
	}
	read_answer(&q, list);
}

static bool capability_given(struct read *q, uint64_t *capability)
{
	struct slice text;
	bool has;

	if (!body_text(q, "capability", &text, &has))
		return false;
	for (size_t i = 0; has && i < 2; i++)
		if (text.len == strlen(capabilities[i].name) &&
		    strncasecmp((const char *)text.data, capabilities[i].name, text.len) == 0) {
			*capability = capabilities[i].capability;
			return true;
		}
	return read_fail(q, ERR_USAGE, "“capability” is aggregator or relay.");
}

static void then_device(struct request *r, const struct reply *reply)
{
	struct id32 id;
	struct read q;

	if (!reply_begin_org(&q, r, reply))
		return;
	reply_answer(&q, reply, reply_id(reply, &id, ID_LEN) ? device_json(&q, state_device(q.state, &id)) : NULL);
}

static bool find_device(struct read *q, struct id32 *id)
{
	return read_ref(q, VIEW_REF_DEVICE, request_param(q->r, "device"), "device", id);
}

void device_set(struct request *r)
{
	static const char *const known[] = { "capability", "granted", NULL };
	struct command c = { .kind = COMMAND_DEVICE_GRANT, .has_org = true, .has_other = true };
	struct read q;
	bool has;

	if (!read_begin_org(&q, r) || !find_device(&q, &c.other) || !body_only(&q, known) || !capability_given(&q, &c.number) ||
	    !body_bool(&q, "granted", &c.on, &has))
		return;
	if (!has) {
		read_fail(&q, ERR_USAGE, "“granted” is missing: true or false.");
		return;
	}
	c.org = q.org;
	read_command(&q, &c, then_device);
}

void device_revoke(struct request *r)
{
	static const char *const known[] = { NULL };
	struct command c = { .kind = COMMAND_DEVICE_REVOKE, .has_org = true, .has_other = true };
	struct read q;

	if (!read_begin_org(&q, r) || !find_device(&q, &c.other) || !body_only(&q, known))
		return;
	c.org = q.org;
	read_command(&q, &c, reply_plain);
}
