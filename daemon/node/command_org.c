/* Commands about organizations, members, devices and teams. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "daemon/node/command_internal.h"

/* Names that live in authority rather than in the document of the same thing. */
static const char *const org_rights[] = { "allowMemberGoalCreation", "requireGoalApproval", "status", NULL };
static const char *const team_rights[] = { "type", "status", "parentTeamId", NULL };

/* ---- organizations -------------------------------------------------------------------------------------------------- */
static bool parse_bool(struct slice text, uint64_t *value)
{
	static const char *const yes[] = { "true", "yes", "on", "1" }, *const no[] = { "false", "no", "off", "0" };

	for (int i = 0; i < 4; i++) {
		if (text.len == strlen(yes[i]) && strncasecmp((const char *)text.data, yes[i], text.len) == 0)
			return *value = 1, true;
		if (text.len == strlen(no[i]) && strncasecmp((const char *)text.data, no[i], text.len) == 0)
			return *value = 0, true;
	}
	return false;
}

static int word_index(struct slice text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text.len == strlen(words[i]) && strncasecmp((const char *)text.data, words[i], text.len) == 0)
			return (int)i;
	return -1;
}

static const char *const org_statuses[] = { "Active", "Inactive", "Archived" };

/* Refuse a wrong value before anything is made. */
static enum err rights_check(const struct ask *a, bool *sent)
{
	uint64_t value;

	*sent = true;
	for (int i = 0; org_rights[i] != NULL; i++) {
		const struct pair *p = command_pair(a->c, org_rights[i]);

		if (p != NULL && i == 2 && word_index(p->value, org_statuses, 3) < 0)
			return command_refuse(a, ERR_USAGE, "status is Active, Inactive or Archived.");
		if (p != NULL && i != 2 && !parse_bool(p->value, &value))
			return command_refuse(a, ERR_USAGE, "%s is true or false.", org_rights[i]);
	}
	*sent = false;
	return OK;
}

/* Settings that change rights are authority ops.  Not OK or *sent: to be returned. */
static enum err rights_set(const struct ask *a, struct space *s, bool *sent)
{
	struct act_body body = { .n_pins = 0 };
	enum err e = OK;

	*sent = true;
	for (int i = 0; org_rights[i] != NULL; i++) {
		const struct pair *p = command_pair(a->c, org_rights[i]);

		if (p == NULL)
			continue;
		if (i == 2) {
			body.status = (uint32_t)word_index(p->value, org_statuses, 3);
			e = author_act(a->n, s, ACT_STATUS, &body, NULL, NULL, NULL, NULL, NULL);
		} else {
			(void)parse_bool(p->value, &body.value);
			body.setting = i == 0 ? SETTING_MEMBER_CREATION : SETTING_GOAL_APPROVAL;
			if (state_setting(space_state(s), (enum setting)body.setting) != body.value)
				e = author_act(a->n, s, ACT_SETTING, &body, NULL, NULL, NULL, NULL, NULL);
		}
		if (e != OK)
			return command_error(a, e, "change this setting");
	}
	*sent = false;
	return OK;
}

static enum err genesis(struct node *n, struct space **s)
{
	struct act_body body = { .root = n->member, .is_org = true,
		.certificate_bytes = SLICE(n->identity->certificate, n->identity->certificate_len) };
	struct act act = { .author_type = ACT_DEVICE, .author = n->identity->device, .kind = ACT_GENESIS };
	struct buf encoded = {0}, bytes = {0};
	bool added;
	enum err e;

	node_random(n, &body.nonce, DOC_LEN);
	e = act_body_encode(&encoded, ACT_GENESIS, &body, NULL, NULL, NULL, NULL);
	act.body = buf_slice(&encoded);
	if (e == OK && (e = act_make(&bytes, &act, n->identity->sign_secret)) == OK &&
	    (e = space_open(n, s, &act.id, false)) == OK && (e = replica_act(n, *s, buf_slice(&bytes), &added)) == OK)
		e = replica_follow_authority(n, *s);
	buf_free(&encoded);
	buf_free(&bytes);
	return e;
}

/* The organization's document: its first op creates it. */
static enum err org_document(const struct ask *a, struct space *s, bool create, bool *sent)
{
	const struct kind_spec *kind = model_kind(KIND_ORG);
	struct change *change;
	struct doc *doc = NULL;
	struct id16 id;
	enum err e = OK;

	*sent = false;
	model_document_id(&id, &s->id, KIND_ORG, SLICE(NULL, 0));
	if (!create && (e = document_read(a->n, s, KIND_ORG, &id, &doc)) != OK && e != ERR_NOTFOUND)
		return e;
	if ((change = change_new(kind->schema, doc)) == NULL) {
		doc_free(doc);
		return ERR_NOMEM;
	}
	if (create)
		change_register_text(change, ORG_NAME, a->c->text);
	e = command_pairs(a, change, kind, doc, org_rights, sent);
	if (e == OK && !*sent && (create || !change_is_empty(change)))
		e = author_change(a->n, s, KIND_ORG, &id, change);
	change_free(change);
	doc_free(doc);
	return e;
}

static enum err org_check(const struct ask *a, struct slice name, bool *sent)
{
	const struct field_spec *field = model_field_by_key(model_kind(KIND_ORG), ORG_NAME);
	struct change *trial = change_new(model_kind(KIND_ORG)->schema, NULL);
	struct buf encoded = {0};
	char why[256] = "";
	enum err e = trial == NULL ? ERR_NOMEM : value_parse(&encoded, field, name, why);

	*sent = true;
	if (e == OK && name.len == 0)
		e = command_refuse(a, ERR_USAGE, "An organization needs a name: cairn org create NAME.");
	else if (e != OK)
		e = err_is_hard(e) ? e : command_refuse(a, ERR_USAGE, "%s.", why);
	else
		e = command_pairs(a, trial, model_kind(KIND_ORG), NULL, org_rights, sent);      /* refuse before anything is made */
	buf_free(&encoded);
	change_free(trial);
	return e;
}

enum err command_org_create(const struct ask *a)
{
	struct reply_builder *fields;
	struct space *s;
	bool sent;
	enum err e = org_check(a, a->c->text, &sent);

	if (e != OK || sent || (e = rights_check(a, &sent)) != OK || sent)
		return e;
	if ((e = genesis(a->n, &s)) != OK)
		return command_error(a, e, "create an organization");
	if ((e = rights_set(a, s, &sent)) != OK || sent || (e = org_document(a, s, true, &sent)) != OK || sent)
		return e;
	if ((e = member_begin(a->n, s)) != OK)
		return e;
	fields = reply_new();
	reply_bin(fields, "id", &s->id, ID_LEN);
	return command_done(a, fields, "cairn org invite", "Created. You are its Owner, and this device computes its roll-ups.");
}

enum err command_org_set(const struct ask *a)
{
	struct reply_builder *fields;
	struct space *s;
	char reach[96];
	bool sent;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if (!state_permits(space_state(s), &a->n->member, MAY_CONFIGURE, RELATION_OTHER))
		return command_error(a, ERR_DENIED, "change the organization's settings");
	if ((e = rights_check(a, &sent)) != OK || sent || (e = command_ready(a, s, "change the organization's settings", &sent)) != OK || sent)
		return e;
	if ((e = rights_set(a, s, &sent)) != OK || sent)
		return e;
	if ((e = org_document(a, s, false, &sent)) != OK || sent)
		return e == OK ? OK : command_error(a, e, "change the organization's settings");
	fields = reply_new();
	reply_bin(fields, "id", &s->id, ID_LEN);
	return command_done(a, fields, NULL, "Saved.%s", command_reach(a->n, s, reach));
}

enum err command_org_use(const struct ask *a)
{
	struct reply_builder *fields;
	struct space *s;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	a->n->default_org = s->id;
	a->n->has_default = true;
	if ((e = meta_put(a->n, "default-org", SLICE(&s->id, ID_LEN))) != OK)
		return e;
	fields = reply_new();
	reply_bin(fields, "id", &s->id, ID_LEN);
	return command_done(a, fields, NULL, "Commands are about this organization from now on.");
}

enum err command_org_leave(const struct ask *a)
{
	struct act_body body = { .n_pins = 0 };
	struct pin *pins = NULL;
	struct space *s;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if ((e = author_pins(a->n, s, &a->n->member, NULL, &pins, &body.n_pins)) == OK)
		e = author_act(a->n, s, ACT_LEAVE, &body, NULL, NULL, NULL, pins, NULL);
	mem_free(pins);
	if (e != OK)
		return command_error(a, e, "leave (the last Owner first hands the role to somebody)");
	return command_done(a, NULL, NULL, "You have left. Your personal goals stay with you.");
}

/* ---- invites ------------------------------------------------------------------------------------------------------------ */
static void reply_texts(struct reply_builder *fields, const char *key, char *const *texts, size_t n, const struct slice *first, size_t n_first)
{
	struct buf b = {0};

	mp_put_array(&b, n + n_first);
	for (size_t i = 0; i < n_first; i++)
		mp_put_str(&b, (const char *)first[i].data, first[i].len);
	for (size_t i = 0; i < n; i++)
		mp_put_text(&b, texts[i]);
	if (b.err == OK)
		reply_raw(fields, key, buf_slice(&b));
	buf_free(&b);
}

static int by_team(const void *a, const void *b)
{
	return id16_compare(a, b);
}

/* All that it takes to write an invite's code, also a little later. */
struct invite_order { struct id32 space; struct act_body body; struct id16 teams[64]; uint8_t secret[KEY_LEN];
	size_t n_texts; struct { char text[LIMIT_ADDRESS_TEXT]; } texts[LIMIT_ADDRESSES]; };

static struct reply_builder *invite_fields(const struct node *n, const struct invite_order *o, const struct slice *texts, struct slice code)
{
	struct reply_builder *fields = reply_new();
	struct buf list = {0};

	mp_put_array(&list, o->body.n_teams);
	for (size_t i = 0; i < o->body.n_teams; i++)
		mp_put_bin(&list, &o->teams[i], DOC_LEN);
	reply_text(fields, "code", code);
	reply_bin(fields, "id", &o->body.invite, ID_LEN);
	reply_text(fields, "role", slice_of(role_name(o->body.role)));
	if (list.err == OK)
		reply_raw(fields, "teams", buf_slice(&list));
	reply_uint(fields, "uses", o->body.uses);
	if (o->body.has_expiry)
		reply_uint(fields, "expiresAt", o->body.expires_ms);
	else
		reply_nil(fields, "expiresAt");
	reply_texts(fields, "addresses", n->own_addresses, n->n_own_addresses, texts, o->n_texts);
	buf_free(&list);
	return fields;
}

static enum err invite_reply(struct node *n, uint64_t token, const struct id16 *request, const struct invite_order *o)
{
	struct space *s = space_find(n, &o->space);
	struct slice texts[LIMIT_ADDRESSES];
	struct buf code = {0};
	enum err e;

	for (size_t i = 0; i < o->n_texts; i++)
		texts[i] = slice_of(o->texts[i].text);
	e = s == NULL ? ERR_NOTFOUND : invite_code(&code, n, s, o->secret, texts, o->n_texts);
	if (e == OK)
		e = reply_send(n, token, request, OK, n->n_own_addresses + o->n_texts > 0
			? "Give this code to whom you invite, over a way that you trust. Whoever has it can join."
			: "Give this code to whom you invite. This device has no address yet that others can reach: add one with --address.",
			"cairn org join CODE", invite_fields(n, o, texts, buf_slice(&code)));
	buf_wipe(&code);
	return e;
}

enum err invite_finish(struct node *n, struct waiter *w)
{
	enum err e = invite_reply(n, w->token, &w->request, w->kept);

	crypto_wipe(w->kept, sizeof(struct invite_order));
	waiter_remove(n, w);
	return e;
}

static enum err invite_order(const struct ask *a, struct space *s, struct invite_order *o)
{
	o->space = s->id;
	o->body = (struct act_body){ .role = a->c->has_role ? a->c->role : ROLE_MEMBER, .uses = a->c->uses ? a->c->uses : 1,
		.has_expiry = a->c->has_expiry, .expires_ms = a->c->expires_ms, .approval = a->c->on, .n_teams = a->c->n_teams };
	if (o->body.n_teams > 64 || o->body.uses > LIMIT_INVITE_USES || a->c->n_texts > LIMIT_ADDRESSES)
		return ERR_TOOBIG;
	for (; o->n_texts < a->c->n_texts; o->n_texts++) {
		if (a->c->texts[o->n_texts].len >= LIMIT_ADDRESS_TEXT)
			return ERR_TOOBIG;
		memcpy(o->texts[o->n_texts].text, a->c->texts[o->n_texts].data, a->c->texts[o->n_texts].len);
	}
	if (o->body.n_teams > 0) {
		memcpy(o->teams, a->c->teams, o->body.n_teams * sizeof *o->teams);
		qsort(o->teams, o->body.n_teams, sizeof *o->teams, by_team);
	}
	node_random(a->n, o->secret, KEY_LEN);
	invite_public(&o->body.invite, o->body.curve, o->secret);
	return OK;
}

/* A device that has just begun to listen does not know its addresses yet: the code waits for them, up to 5 s. */
static bool waits_for_address(const struct node *n, const struct invite_order *o)
{
	return n->wants_listen && !n->listening && n->n_own_addresses == 0 && o->n_texts == 0;
}

static enum err invite_write(const struct ask *a, struct space *s, struct invite_order **o)
{
	struct waiter *w;
	enum err e = author_act(a->n, s, ACT_INVITE, &(*o)->body, (*o)->teams, NULL, NULL, NULL, NULL);

	if (e != OK)
		return command_error(a, e, "invite people (to this role and these teams)");
	if (!waits_for_address(a->n, *o))
		return invite_reply(a->n, a->token, &a->c->request, *o);
	if ((e = waiter_add(a->n, COMMAND_INVITE, a->token, &a->c->request, 5000, &w)) == OK) {
		w->kept = *o;
		*o = NULL;                              /* the waiter has it now */
	}
	return e;
}

enum err command_invite(const struct ask *a)
{
	struct invite_order *o;
	struct space *s;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if ((o = mem_alloc(sizeof *o)) == NULL)
		return ERR_NOMEM;
	e = invite_order(a, s, o) == OK ? invite_write(a, s, &o)
		: command_refuse(a, ERR_USAGE, "An invite names at most 64 teams and %d addresses, and admits at most %d people.",
			LIMIT_ADDRESSES, LIMIT_INVITE_USES);
	if (o != NULL)
		crypto_wipe(o, sizeof *o);
	mem_free(o);
	return e;
}

enum err command_invite_close(const struct ask *a)
{
	struct act_body body = { .invite = a->c->other };
	struct space *s;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if ((e = author_act(a->n, s, ACT_CLOSE, &body, NULL, NULL, NULL, NULL, NULL)) != OK)
		return command_error(a, e, "close this invite");
	return command_done(a, NULL, NULL, "Closed: nobody can join with that code any more.");
}

/* ---- members and devices ---------------------------------------------------------------------------------------------------- */
static enum err member_reply(const struct ask *a, struct space *s, const char *text, const char *hint)
{
	struct reply_builder *fields = reply_new();
	char reach[96];

	reply_bin(fields, "id", &a->c->other, ID_LEN);
	return command_done(a, fields, hint, "%s%s", text, command_reach(a->n, s, reach));
}

enum err command_member_role(const struct ask *a)
{
	struct act_body body = { .member = a->c->other, .role = a->c->role };
	const struct member *target;
	struct pin *pins = NULL;
	struct space *s;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	target = state_member(space_state(s), &body.member);
	if (target == NULL || target->status == MEMBER_REMOVED)
		return command_error(a, ERR_NOTFOUND, "change this role");
	if (target->role == body.role)
		return member_reply(a, s, "Nothing to change: the member has that role already.", NULL);
	if (body.role > target->role)           /* a role ends: what was done under it stays, up to here */
		e = author_pins(a->n, s, &body.member, NULL, &pins, &body.n_pins);
	if (e == OK)
		e = author_act(a->n, s, ACT_ROLE, &body, NULL, NULL, NULL, pins, NULL);
	mem_free(pins);
	return e == OK ? member_reply(a, s, "Role changed.", NULL) : command_error(a, e, "give this role to this member");
}

enum err command_member_remove(const struct ask *a)
{
	struct act_body body = { .member = a->c->other };
	struct pin *pins = NULL;
	struct space *s;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if (id32_equal(&body.member, &a->n->member))
		return command_refuse(a, ERR_USAGE, "To go yourself, use cairn org leave.");
	if (!a->c->force && !s->sync_once && !join_synced(a->n, s))
		return command_refuse(a, ERR_PERSON, "This device has not synced with anybody since it started, so it may not know the member's "
			"latest work, which would be cut off. Run cairn sync first, or insist with --force.");
	if ((e = author_pins(a->n, s, &body.member, NULL, &pins, &body.n_pins)) == OK)
		e = author_act(a->n, s, ACT_REMOVE, &body, NULL, NULL, NULL, pins, NULL);
	mem_free(pins);
	return e == OK ? member_reply(a, s, "Removed. Nothing new is sealed to this member; what was shared before cannot be taken back.", NULL)
		: command_error(a, e, "remove this member");
}

enum err command_member_approve(const struct ask *a)
{
	struct act_body body = { .member = a->c->other };
	struct space *s;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	e = author_act(a->n, s, ACT_APPROVE, &body, NULL, NULL, NULL, NULL, NULL);
	return e == OK ? member_reply(a, s, "Approved.", NULL) : command_error(a, e, "approve this member");
}

enum err command_profile(const struct ask *a)
{
	const struct kind_spec *kind = model_kind(KIND_PROFILE);
	struct change *change;
	struct doc *doc = NULL;
	struct space *s;
	struct id16 id;
	char reach[96];
	bool sent;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	model_document_id(&id, &s->id, KIND_PROFILE, SLICE(&a->n->member, ID_LEN));
	e = document_read(a->n, s, KIND_PROFILE, &id, &doc);
	if (e != OK && e != ERR_NOTFOUND)
		return e;
	if ((change = change_new(kind->schema, doc)) == NULL)
		e = ERR_NOMEM;
	else if ((e = command_pairs(a, change, kind, doc, NULL, &sent)) == OK && !sent) {
		e = author_change(a->n, s, KIND_PROFILE, &id, change);
		e = e == OK ? command_done(a, NULL, NULL, "Saved.%s", command_reach(a->n, s, reach)) : command_error(a, e, "change your profile");
	}
	change_free(change);
	doc_free(doc);
	return e;
}

enum err command_device_grant(const struct ask *a)
{
	struct act_body body = { .device = a->c->other, .capability = (uint32_t)a->c->number, .on = a->c->on };
	struct reply_builder *fields;
	struct space *s;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if (body.capability != CAPABILITY_AGGREGATOR && body.capability != CAPABILITY_RELAY)
		return command_refuse(a, ERR_USAGE, "A capability is aggregator or relay.");
	if ((e = author_act(a->n, s, ACT_CAPABILITY, &body, NULL, NULL, NULL, NULL, NULL)) != OK)
		return command_error(a, e, "grant capabilities (Owners do)");
	fields = reply_new();
	reply_bin(fields, "id", &a->c->other, ID_LEN);
	return command_done(a, fields, NULL, body.on ? "Granted. Every member sees it in org show and in each share preview." : "Withdrawn.");
}

enum err command_device_revoke(const struct ask *a)
{
	struct act_body body = { .device = a->c->other };
	struct pin *pins = NULL;
	struct space *s;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if ((e = author_pins(a->n, s, NULL, &body.device, &pins, &body.n_pins)) == OK)
		e = author_act(a->n, s, ACT_REVOKE, &body, NULL, NULL, NULL, pins, NULL);
	mem_free(pins);
	return e == OK ? command_done(a, NULL, NULL, "Revoked: this device key never returns.") : command_error(a, e, "revoke this device");
}

/* ---- teams ------------------------------------------------------------------------------------------------------------------- */
static const char *const team_types[] = { "Department", "Squad", "Chapter", "WorkingGroup", "ProjectTeam", "Custom" };
static const char *const team_statuses[] = { "Active", "Inactive", "Archived" };

static enum err team_document(const struct ask *a, struct space *s, const struct id16 *id, bool create, bool *sent)
{
	const struct kind_spec *kind = model_kind(KIND_TEAM);
	struct change *change;
	struct doc *doc = NULL;
	enum err e = OK;

	*sent = false;
	if (!create && (e = document_read(a->n, s, KIND_TEAM, id, &doc)) != OK && e != ERR_NOTFOUND)
		return e;
	if ((change = change_new(kind->schema, doc)) == NULL)
		e = ERR_NOMEM;
	else if ((e = command_pairs(a, change, kind, doc, team_rights, sent)) == OK && !*sent && (create || !change_is_empty(change)))
		e = author_change(a->n, s, KIND_TEAM, id, change);
	change_free(change);
	doc_free(doc);
	return e;
}

static enum err team_reply(const struct ask *a, struct space *s, const struct id16 *id, const char *text, const char *hint)
{
	struct reply_builder *fields = reply_new();
	char reach[96];

	reply_bin(fields, "id", id, DOC_LEN);
	return command_done(a, fields, hint, "%s%s", text, command_reach(a->n, s, reach));
}

enum err command_team_add(const struct ask *a)
{
	const struct pair *type = command_pair(a->c, "type"), *name = command_pair(a->c, "name");
	struct act_body body = { .has_parent = a->c->has_target, .parent = a->c->target };
	struct change *trial;
	uint8_t key[16];
	struct space *s;
	bool sent = true;
	int index = 0;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if ((e = command_ready(a, s, "add a team", &sent)) != OK || sent)
		return e;
	if (name == NULL || name->value.len == 0)
		return command_refuse(a, ERR_USAGE, "A team needs a name: cairn team add NAME.");
	if (type != NULL && (index = word_index(type->value, team_types, 6)) < 0)
		return command_refuse(a, ERR_USAGE, "type is Department, Squad, Chapter, WorkingGroup, ProjectTeam or Custom.");
	if ((trial = change_new(model_kind(KIND_TEAM)->schema, NULL)) == NULL)
		return ERR_NOMEM;
	e = command_pairs(a, trial, model_kind(KIND_TEAM), NULL, team_rights, &sent);   /* refuse before anything is made */
	change_free(trial);
	if (e != OK || sent)
		return e;
	body.type = (uint32_t)index;
	node_random(a->n, key, sizeof key);
	model_document_id(&body.team, &s->id, KIND_TEAM, SLICE(key, sizeof key));
	if ((e = author_act(a->n, s, ACT_TEAM, &body, NULL, NULL, NULL, NULL, NULL)) != OK)
		return command_error(a, e, "add a team here");
	if ((e = team_document(a, s, &body.team, true, &sent)) != OK || sent)
		return e == OK ? OK : command_error(a, e, "name the team");
	return team_reply(a, s, &body.team, "Team added.", "cairn team assign TEAM MEMBER");
}

enum err command_team_edit(const struct ask *a)
{
	const struct pair *status = command_pair(a->c, "status");
	struct act_body body = { .team = a->c->document, .has_parent = a->c->has_target, .parent = a->c->target };
	struct space *s;
	bool sent;
	int index;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if ((e = command_ready(a, s, "change this team", &sent)) != OK || sent)
		return e;
	if (command_pair(a->c, "type") != NULL)
		return command_refuse(a, ERR_USAGE, "A team's type is given when it is made.");
	if (status != NULL) {
		if ((index = word_index(status->value, team_statuses, 3)) < 0)
			return command_refuse(a, ERR_USAGE, "status is Active, Inactive or Archived.");
		body.status = (uint32_t)index;
		if ((e = author_act(a->n, s, ACT_TEAM_STATUS, &body, NULL, NULL, NULL, NULL, NULL)) != OK)
			return command_error(a, e, "change this team");
	}
	if ((a->c->has_target || a->c->clear_target) &&
	    (e = author_act(a->n, s, ACT_TEAM_PARENT, &body, NULL, NULL, NULL, NULL, NULL)) != OK)
		return command_error(a, e, "move this team");
	if ((e = team_document(a, s, &a->c->document, false, &sent)) != OK || sent)
		return e == OK ? OK : command_error(a, e, "change this team");
	return team_reply(a, s, &a->c->document, "Saved.", NULL);
}

enum err command_team_assign(const struct ask *a)
{
	struct act_body body = { .team = a->c->document, .member = a->c->other, .on = a->c->on };
	struct pin *pins = NULL;
	struct space *s;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	if (!body.on)
		e = author_pins(a->n, s, &body.member, NULL, &pins, &body.n_pins);
	if (e == OK)
		e = author_act(a->n, s, ACT_TEAM_MEMBER, &body, NULL, NULL, NULL, pins, NULL);
	mem_free(pins);
	return e == OK ? team_reply(a, s, &body.team, body.on ? "Assigned." : "Taken off the team.", NULL)
		: command_error(a, e, "change who is in this team");
}

enum err command_team_lead(const struct ask *a)
{
	struct act_body body = { .team = a->c->document, .member = a->c->other, .has_member = a->c->on };
	const struct team *team;
	struct pin *pins = NULL;
	struct space *s;
	enum err e;

	if ((s = command_org(a, &e)) == NULL)
		return e;
	team = state_team(space_state(s), &body.team);
	if (team != NULL && team->has_lead)     /* the former lead's right ends */
		e = author_pins(a->n, s, &team->lead, NULL, &pins, &body.n_pins);
	if (e == OK)
		e = author_act(a->n, s, ACT_TEAM_LEAD, &body, NULL, NULL, NULL, pins, NULL);
	mem_free(pins);
	return e == OK ? team_reply(a, s, &body.team, "Saved.", NULL) : command_error(a, e, "name the lead of this team");
}
