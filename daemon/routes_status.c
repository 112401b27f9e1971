/* The state of this daemon, and what needs the member. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/id.h"
#include "daemon/http_part.h"
#include "daemon/loop.h"
#include "daemon/routes.h"

#define NOTICES_MAX 64
#define JOINS_MAX 64

/* ---- organizations, and what is shared with them --------------------------------------------------------------------------------- */
static json_t *organizations(struct read *q, const struct view_org *orgs, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o;

		if (orgs[i].joining || orgs[i].status != MEMBER_ACTIVE)
			continue;
		o = json_object();
		json_put(&o, "id", json_of_id32(&orgs[i].id));
		json_put(&o, "name", json_of_text_or_null(view_org_name(q->v, &orgs[i].id)));
		json_put(&o, "role", json_string(role_name(orgs[i].role)));
		json_put(&o, "inSync", json_boolean(orgs[i].in_sync));
		json_add(&list, o);
	}
	return list;
}

struct counts { size_t linked, shared; };

static struct counts count_goals(const struct gate_input *in)
{
	struct counts c = { 0, 0 };

	for (size_t i = 0; i < in->n_goals; i++) {
		enum gate_reason why;
		bool linked = false;

		for (size_t k = 0; k < in->n_links && !linked; k++)
			linked = in->links[k].active && id32_equal(&in->links[k].org, &in->org) && id16_equal(&in->links[k].goal, &in->goals[i].id);
		if (!linked || in->goals[i].deleted)
			continue;
		why = gate_why(in, &in->goals[i].id);
		c.linked++;
		c.shared += why == GATE_SHARED;
	}
	return c;
}

static void share_sentence(char *out, size_t size, struct slice name, bool accepted, struct counts c)
{
	const int len = (int)(name.len < 200 ? name.len : 200);
	const char *s = c.linked == 1 ? "" : "s", *is = c.linked == 1 ? "is" : "are", *text = (const char *)name.data;

	if (c.linked == 0)
		(void)snprintf(out, size, "%.*s: no goal is linked, so nothing is shared.", len, text);
	else if (!accepted)
		(void)snprintf(out, size, "%.*s: %zu goal%s %s linked, but sharing is not accepted: cairn share preview", len, text, c.linked, s, is);
	else
		(void)snprintf(out, size, "%.*s: %zu of %zu linked goal%s %s shared.", len, text, c.shared, c.linked, s, c.shared == 1 ? "is" : "are");
}

static json_t *shares(struct read *q, const struct view_org *orgs, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct gate_input *in;
		struct counts c;
		struct slice name;
		char text[320];
		json_t *o;

		if (orgs[i].joining || orgs[i].status != MEMBER_ACTIVE || view_share(q->v, &orgs[i].id, &in) != OK)
			continue;
		c = count_goals(in);
		name = view_org_name(q->v, &orgs[i].id);
		share_sentence(text, sizeof text, name, in->sharing->accepted, c);
		o = json_object();
		json_put(&o, "organizationId", json_of_id32(&orgs[i].id));
		json_put(&o, "name", json_of_text_or_null(name));
		json_put(&o, "accepted", json_boolean(in->sharing->accepted));
		json_put(&o, "linkedGoalCount", json_of_uint(c.linked));
		json_put(&o, "sharedGoalCount", json_of_uint(c.shared));
		json_put(&o, "sentence", json_of_string(text));
		json_add(&list, o);
	}
	return list;
}

/* ---- waiting, notices --------------------------------------------------------------------------------------------------------------- */
static json_t *waiting(struct read *q)
{
	struct view_join joins[JOINS_MAX];
	size_t n = view_joins(q->v, joins, JOINS_MAX);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		char text[300], id[ID_TEXT_MAX];

		id_format(id, &joins[i].org, ID_LEN, 8);
		if (joins[i].pending)
			(void)snprintf(text, sizeof text, "Joining organization %s: an Owner or Admin must approve it first.", id);
		else if (joins[i].admitted)
			(void)snprintf(text, sizeof text, "Admitted to organization %s: its data comes when a member is reachable.", id);
		else if (q->self.offline)
			(void)snprintf(text, sizeof text, "Joining organization %s waits, because you are offline: cairn online", id);
		else
			(void)snprintf(text, sizeof text, "Joining organization %s: nobody at the code's addresses has answered yet%s%s; tried again every 30 s.",
				id, joins[i].last_error == OK ? "" : ", last: ", joins[i].last_error == OK ? "" :
				joins[i].last_error == ERR_WAITING ? "unreachable" : err_text(joins[i].last_error));
		json_add(&list, json_string(text));
	}
	return list;
}

static json_t *notices(struct read *q)
{
	struct slice texts[NOTICES_MAX];
	size_t n = view_notices(q->v, texts, NOTICES_MAX);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_add(&list, json_of_text(texts[i]));
	return list;
}

/* ---- status ---------------------------------------------------------------------------------------------------------------------------- */
static json_t *shell_status(const struct loop *l)
{
	static const char *const names[] = { [HTTP_NEW] = "new", [HTTP_LOCKED] = "locked", [HTTP_OPEN] = "open",
		[HTTP_STOPPING] = "stopping" };
	enum http_state state = loop_state(l);
	json_t *o = json_object();

	json_put(&o, "state", json_string(names[state]));
	json_put(&o, "version", json_string(CAIRN_VERSION));
	json_put(&o, "pid", json_integer((json_int_t)getpid()));
	json_put(&o, "home", json_string(loop_paths(l)->dir));
	json_put(&o, "passphrase", state == HTTP_NEW ? json_null() : json_boolean(loop_locked_by(l) == KEYSTORE_PASSPHRASE));
	return o;
}

/* Whatever the state, every key is there. */
static void put_closed(json_t **o)
{
	static const char *const nulls[] = { "memberId", "deviceId", "name", "offline", "port", "recoveryConfirmed" };
	static const char *const lists[] = { "organizations", "notices", "waiting", "share" };
	json_t *peers = json_object();

	for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
		json_put(o, nulls[i], json_null());
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		json_put(o, lists[i], json_array());
	json_put(&peers, "known", json_integer(0));
	json_put(&peers, "connected", json_integer(0));
	json_put(o, "peers", peers);
}

static void put_open(struct read *q, json_t **o, const struct loop *l)
{
	struct view_org orgs[LIMIT_SPACES];
	size_t n = view_orgs(q->v, orgs, LIMIT_SPACES);
	json_t *peers = json_object();

	json_put(o, "memberId", json_of_id32(&q->self.member));
	json_put(o, "deviceId", json_of_id32(&q->self.device));
	json_put(o, "name", json_of_string(q->self.name));
	json_put(o, "offline", json_boolean(q->self.offline));
	json_put(o, "port", loop_port(l) == 0 ? json_null() : json_integer(loop_port(l)));
	json_put(o, "recoveryConfirmed", json_boolean(!q->self.has_seed));
	json_put(o, "organizations", organizations(q, orgs, n));
	json_put(&peers, "known", json_of_uint(q->self.n_known));
	json_put(&peers, "connected", json_of_uint(q->self.n_connected));
	json_put(o, "peers", peers);
	json_put(o, "notices", notices(q));
	json_put(o, "waiting", waiting(q));
	json_put(o, "share", shares(q, orgs, n));
}

void local_status(struct request *r)
{
	const struct loop *l = request_host(r);
	struct read q = { .r = r };
	json_t *o;

	if (loop_state(l) != HTTP_OPEN) {
		o = shell_status(l);
		put_closed(&o);
		read_answer(&q, o);
		return;
	}
	if (!read_begin(&q, r))
		return;
	o = shell_status(l);
	put_open(&q, &o, l);
	read_answer(&q, o);
}

/* ---- check, offline, online ---------------------------------------------------------------------------------------------------------------- */
static void bad_record(void *arg, enum store_table table, struct slice key)
{
	json_t **list = arg, *o = json_object();
	struct buf b = {0};

	id_encode(&b, key);
	json_put(&o, "table", json_integer(table));
	json_put(&o, "key", b.err == OK ? json_of_text(buf_slice(&b)) : NULL);
	json_add(list, o);
	buf_free(&b);
}

void local_check(struct request *r)
{
	const struct http_host *host = http_host_of(r);
	struct store *store = host->store(host->arg);
	struct read q = { .r = r };
	struct store_info info;
	json_t *o, *damaged = json_array();
	uint64_t records = 0;
	enum err e = store_check(store, &records, bad_record, &damaged), known = store_info(store, &info);

	if (e != OK && e != ERR_DAMAGED) {
		json_decref(damaged);
		read_fail(&q, e, NULL);
		return;
	}
	if (e == ERR_DAMAGED && json_array_size(damaged) == 0)
		json_add(&damaged, json_string("records are missing, or the file's structure is damaged"));
	o = json_object();
	json_put(&o, "records", json_of_uint(records));
	json_put(&o, "damaged", damaged);
	json_put(&o, "format", known == OK ? json_of_uint(info.format) : json_null());
	read_answer(&q, o);
}

static void turn(struct request *r, bool off)
{
	static const char *const known[] = { NULL };
	struct command c = { .kind = COMMAND_OFFLINE, .on = off };
	struct read q;

	if (read_begin(&q, r) && body_only(&q, known))
		read_command(&q, &c, reply_plain);
}

void local_offline(struct request *r)
{
	turn(r, true);
}

void local_online(struct request *r)
{
	turn(r, false);
}
