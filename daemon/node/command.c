/* Commands: dispatch, and what their files share.  Soft errors become replies; hard ones fail the turn. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "daemon/node/command_internal.h"

enum err command_refuse(const struct ask *a, enum err err, const char *format, ...)
{
	char text[640];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	return reply_send(a->n, a->token, NULL, err, text, NULL, NULL);
}

enum err command_done(const struct ask *a, struct reply_builder *fields, const char *hint, const char *format, ...)
{
	char text[640];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	return reply_send(a->n, a->token, &a->c->request, OK, text, hint, fields);
}

enum err command_error(const struct ask *a, enum err e, const char *what)
{
	switch (e) {
	case ERR_DENIED:
		return command_refuse(a, e, "Your role does not allow you to %s: ask an Owner or Admin.", what);
	case ERR_WAITING:
		return command_refuse(a, e, "The organization's key has not arrived here yet, so you cannot %s: run cairn sync with a member online.",
			what);
	case ERR_NOTFOUND:
		return command_refuse(a, e, "Cannot %s: there is no such thing here.", what);
	case ERR_TOOBIG:
		return command_refuse(a, e, "Cannot %s: that is more than one change may hold (64 KiB).", what);
	default:
		return err_is_hard(e) ? e : command_refuse(a, e, "Cannot %s: %s.", what, err_text(e));
	}
}

struct space *command_self(struct node *n)
{
	return &n->spaces[0];
}

enum err command_ready(const struct ask *a, struct space *s, const char *what, bool *sent)
{
	struct epoch *epoch;
	enum err e = keys_for_space(a->n, s, &epoch);

	*sent = e != OK;
	return e == OK ? OK : command_error(a, e, what);
}

struct space *command_org(const struct ask *a, enum err *e)
{
	struct node *n = a->n;
	struct space *s;

	*e = OK;
	if (!a->c->has_org && !n->has_default) {
		*e = command_refuse(a, ERR_NOTFOUND, "You are in no organization yet: make one with cairn org create, or join one with cairn org join.");
		return NULL;
	}
	s = space_find(n, a->c->has_org ? &a->c->org : &n->default_org);
	if (s == NULL || s->is_self)
		*e = command_refuse(a, ERR_NOTFOUND, "There is no such organization here: see cairn org list.");
	else if (s->joining)
		*e = command_refuse(a, ERR_WAITING, "You have not been admitted to this organization yet: see cairn status.");
	else if (!state_device_active(space_state(s), &n->identity->device))
		*e = command_refuse(a, ERR_DENIED, "You are no longer an active member of this organization.");
	else
		return s;
	return NULL;
}

const struct pair *command_pair(const struct command *c, const char *name)
{
	for (size_t i = 0; i < c->n_pairs; i++)
		if (c->pairs[i].key.len == strlen(name) && strncasecmp((const char *)c->pairs[i].key.data, name, c->pairs[i].key.len) == 0)
			return &c->pairs[i];
	return NULL;
}

/* ---- fields ---------------------------------------------------------------------------------------------------------- */
static struct slice next_part(struct slice *rest)
{
	const uint8_t *comma = rest->len == 0 ? NULL : memchr(rest->data, ',', rest->len);
	struct slice part = *rest;

	if (comma == NULL) {
		*rest = SLICE(NULL, 0);
	} else {
		part.len = (size_t)(comma - rest->data);
		*rest = SLICE(comma + 1, rest->len - part.len - 1);
	}
	while (part.len > 0 && part.data[0] == ' ')
		part = SLICE(part.data + 1, part.len - 1);
	while (part.len > 0 && part.data[part.len - 1] == ' ')
		part.len--;
	return part;
}

static bool set_has(const struct doc *doc, uint32_t key, struct slice value)
{
	for (size_t i = 0; doc != NULL && i < doc_set_count(doc, key); i++)
		if (slice_equal(doc_set_at(doc, key, i), value))
			return true;
	return false;
}

/* A set is given whole, "a, b, c": what is missing is added, what is not named is removed. */
static enum err set_field(struct change *change, const struct field_spec *field, const struct doc *base, struct slice text, char *why)
{
	struct buf wanted = {0};
	enum err e = OK;

	while (text.len > 0 && e == OK) {
		struct slice part = next_part(&text);
		struct buf one = {0};

		if (part.len > 0 && (e = value_parse(&one, field, part, why)) == OK) {
			if (!set_has(base, field->key, buf_slice(&one)))
				change_set_add(change, field->key, buf_slice(&one));
			mp_put_bin_slice(&wanted, buf_slice(&one));
		}
		buf_free(&one);
	}
	for (size_t i = 0; e == OK && base != NULL && i < doc_set_count(base, field->key); i++) {
		struct mp_reader r = mp_read(buf_slice(&wanted));
		bool keep = false;

		while (r.at < r.end && r.err == OK)
			keep = slice_equal(mp_get_bin(&r, SIZE_MAX), doc_set_at(base, field->key, i)) || keep;
		if (!keep)
			change_set_remove(change, field->key, doc_set_at(base, field->key, i));
	}
	e = e == OK ? wanted.err : e;
	buf_free(&wanted);
	return e;
}

static enum err one_field(struct change *change, const struct field_spec *field, const struct doc *base, struct slice value, char *why)
{
	struct buf encoded = {0};
	enum err e;

	if (field->field == FIELD_SET)
		return set_field(change, field, base, value, why);
	e = value_parse(&encoded, field, value, why);
	if (e == OK && encoded.err == OK)
		change_register(change, field->key, buf_slice(&encoded));
	e = e == OK ? encoded.err : e;
	buf_free(&encoded);
	return e;
}

static bool listed(const char *const *names, const char *name)
{
	for (; names != NULL && *names != NULL; names++)
		if (strcasecmp(*names, name) == 0)
			return true;
	return false;
}

enum err command_pairs(const struct ask *a, struct change *change, const struct kind_spec *kind, const struct doc *base, const char *const *skip,
	bool *sent)
{
	const char *an = strchr("aeio", kind->name[0]) != NULL ? "An" : "A";

	*sent = true;
	for (size_t i = 0; i < a->c->n_pairs; i++) {
		const struct pair *p = &a->c->pairs[i];
		const struct field_spec *field;
		char name[64], why[256] = "";
		const char *nearest;
		enum err e;

		(void)snprintf(name, sizeof name, "%.*s", (int)(p->key.len < 60 ? p->key.len : 60), (const char *)p->key.data);
		if (listed(skip, name))
			continue;
		field = model_field(kind, name);
		if (field == NULL || !field->settable) {
			nearest = field == NULL ? model_nearest(kind, name) : NULL;
			if (field != NULL)
				return command_refuse(a, ERR_USAGE, "%s cannot be set like this: it has a command of its own.", field->name);
			return nearest == NULL ? command_refuse(a, ERR_USAGE, "%s %s has no field “%s”.", an, kind->name, name)
				: command_refuse(a, ERR_USAGE, "%s %s has no field “%s”; did you mean %s?", an, kind->name, name, nearest);
		}
		e = one_field(change, field, base, p->value, why);
		if (err_is_hard(e))
			return e;
		if (e != OK)
			return command_refuse(a, ERR_USAGE, "%s.", why[0] ? why : err_text(e));
	}
	*sent = false;
	return OK;
}

const char *command_reach(struct node *n, struct space *s, char out[96])
{
	const struct state *state = space_state(s);
	size_t known = 0, with = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n->n_peers; i++) {
		const struct peer *p = &n->peers[i];

		if (state == NULL || !state_device_active(state, &p->device))
			continue;
		known++;
		with += p->session != NULL && session_state(p->session) == SESSION_OPEN;
	}
	if (known > 0 && n->offline)
		(void)snprintf(out, 96, " You are offline: it goes out when you are back.");
	else if (known > 0)
		(void)snprintf(out, 96, " With %zu of %zu peers%s", with, known, with < known ? "; the others get it when they are reachable." : ".");
	return out;
}

/* ---- dispatch --------------------------------------------------------------------------------------------------------- */
static enum err peer_add(const struct ask *a)
{
	struct peer *p = peer_find(a->n, &a->c->other);
	enum err e;

	if (p == NULL)
		return command_refuse(a, ERR_NOTFOUND, "No such device in your organizations: see cairn device list.");
	if ((e = peer_add_address(a->n, p, a->c->text, true)) != OK)
		return e;
	backoff_reset(&p->backoff);
	return command_done(a, NULL, "cairn peers", "Saved. The address is tried at once and kept.");
}

static enum err offline(const struct ask *a)
{
	uint8_t on = a->c->on;
	enum err e = meta_put(a->n, "offline", SLICE(&on, 1));

	if (e != OK)
		return e;
	a->n->offline = a->c->on;
	peers_dial_now(a->n);
	if ((e = peers_follow(a->n)) != OK)
		return e;
	return a->c->on ? command_done(a, NULL, "cairn online", "Offline: nothing goes out or comes in until you say otherwise. Work goes on locally.")
		: command_done(a, NULL, "cairn sync", "Online again.");
}

static enum err stop(const struct ask *a)
{
	enum err e = command_done(a, NULL, NULL, "Stopping.");

	node_stop(a->n);
	return e;
}

static enum err recover_confirm(const struct ask *a)
{
	a->n->identity->has_seed = false;
	crypto_wipe(a->n->identity->seed, sizeof a->n->identity->seed);
	return command_done(a, NULL, NULL, "Confirmed: the recovery phrase has left this disk. Keep your copy safe.");
}

static enum err join(const struct ask *a)
{
	return join_command(a->n, a->c, a->token);
}

static enum err sync_with(const struct ask *a)
{
	return sync_command(a->n, a->c, a->token);
}

static command_handler *const handlers[] = {
	[COMMAND_ORG_CREATE] = command_org_create, [COMMAND_ORG_JOIN] = join, [COMMAND_ORG_SET] = command_org_set,
	[COMMAND_ORG_USE] = command_org_use, [COMMAND_ORG_LEAVE] = command_org_leave, [COMMAND_INVITE] = command_invite,
	[COMMAND_INVITE_CLOSE] = command_invite_close, [COMMAND_MEMBER_ROLE] = command_member_role,
	[COMMAND_MEMBER_REMOVE] = command_member_remove, [COMMAND_MEMBER_APPROVE] = command_member_approve,
	[COMMAND_PROFILE_SET] = command_profile, [COMMAND_DEVICE_GRANT] = command_device_grant,
	[COMMAND_DEVICE_REVOKE] = command_device_revoke, [COMMAND_TEAM_ADD] = command_team_add, [COMMAND_TEAM_EDIT] = command_team_edit,
	[COMMAND_TEAM_ASSIGN] = command_team_assign, [COMMAND_TEAM_LEAD] = command_team_lead,
	[COMMAND_OBJECTIVE_ADD] = command_objective_add, [COMMAND_OBJECTIVE_EDIT] = command_objective_edit,
	[COMMAND_GOAL_ADD] = command_goal_add, [COMMAND_GOAL_EDIT] = command_goal_edit, [COMMAND_GOAL_PROGRESS] = command_goal_progress,
	[COMMAND_LINK] = command_link, [COMMAND_UNLINK] = command_unlink, [COMMAND_SHARE_ACCEPT] = command_share_accept,
	[COMMAND_SHARE_SET] = command_share_set, [COMMAND_SHARE_GOAL] = command_share_goal,
	[COMMAND_SHARE_AGGREGATOR] = command_share_aggregator, [COMMAND_PEER_ADD] = peer_add, [COMMAND_SYNC] = sync_with,
	[COMMAND_OFFLINE] = offline, [COMMAND_RECOVER_CONFIRM] = recover_confirm, [COMMAND_STOP] = stop,
};

enum err command_run(struct node *n, const struct command *c, uint64_t token)
{
	const struct ask ask = { n, c, token };

	if (reply_again(n, token, &c->request))
		return OK;
	if ((size_t)c->kind >= sizeof handlers / sizeof handlers[0] || handlers[c->kind] == NULL)
		return command_refuse(&ask, ERR_USAGE, "This cairnd does not know that command.");
	return handlers[c->kind](&ask);
}
