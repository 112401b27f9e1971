/* Peers: who, since when, why, and what to do; sync. */
#include <stdio.h>
#include <string.h>
#include "base/id.h"
#include "base/text.h"
#include "daemon/routes.h"
#include "net/link.h"

#define SYNC_MAX_MS (24 * 3600 * 1000)

/* The view's peers, in the request's memory.  NULL: answered. */
static struct view_peer *all_peers(struct read *q, size_t *n)
{
	struct view_peer *list = request_alloc(q->r, (q->self.n_known + 1) * sizeof *list);

	*n = 0;
	if (list == NULL)
		read_fail(q, ERR_NOMEM, NULL);
	else
		*n = view_peers(q->v, list, q->self.n_known);
	return list;
}

static struct slice peer_name(struct read *q, const struct view_peer *p)
{
	return id32_is_zero(&p->org) ? SLICE("", 0) : view_name(q->v, &p->org, &p->member);
}

/* ---- sentences --------------------------------------------------------------------------------------------------------------------- */
static const char *refusal(enum err why)
{
	switch (why) {
	case ERR_WAITING:   return "no answer";
	case ERR_DENIED:    return "it refused this device's key";
	case ERR_USAGE:     return "that address cannot be used";
	case ERR_VERSION:   return "it runs another version of cairn";
	case ERR_SIGNATURE:
	case ERR_MALFORMED: return "it sent what is not understood";
	case ERR_LIMIT:     return "it sent too much";
	default:            return err_text(why);
	}
}

static const char *space_trouble(const struct session_space *s)
{
	if (s->busy)
		return "exchanging now";
	switch (s->why) {
	case OK:          return s->peer_pending ? "it still has something to publish" : "not compared yet";
	case ERR_WAITING: return "it does not answer";
	case ERR_DENIED:  return "it has not heard yet that you both are members";
	default:          return err_text(s->why);
	}
}

/* A connected one has nothing to say, unless some space is not in sync. */
static void why_connected(struct read *q, const struct view_peer *p, char *out, size_t size)
{
	for (size_t i = 0; i < p->n_spaces; i++) {
		struct slice name;

		if (p->spaces[i].in_sync)
			continue;
		name = view_org_name(q->v, &p->spaces[i].space);
		(void)snprintf(out, size, "connected, but %.*s is not in sync: %s", name.len == 0 ? 15 : (int)(name.len < 200 ? name.len : 200),
			name.len == 0 ? "an organization" : (const char *)name.data, space_trouble(&p->spaces[i]));
		return;
	}
}

static void why_unreachable(struct read *q, const struct view_peer *p, char *out, size_t size)
{
	const uint64_t since = p->seen_ms > 0 ? p->seen_ms : p->since_ms;
	char span[32], changes[64] = "", more[32] = "";

	if (p->n_addresses > 1)
		(void)snprintf(more, sizeof more, " and %zu more", p->n_addresses - 1);
	if (p->changes > 0)
		(void)snprintf(changes, sizeof changes, " Your %u change%s %s.", p->changes, p->changes == 1 ? "" : "s",
			p->changes == 1 ? "waits" : "wait");
	span_text(span, q->now > since ? q->now - since : 0);
	if (q->self.offline)
		(void)snprintf(out, size, "you are offline, and last met %s ago.%s", span, changes);
	else if (p->n_addresses == 0)
		(void)snprintf(out, size, "no address of it is known here.%s", changes);
	else if (p->state == PEER_NEVER)
		(void)snprintf(out, size, "not tried yet (%s).%s", p->addresses[0], changes);
	else if (p->why == OK)
		(void)snprintf(out, size, "%s for %s (it hung up, or has not dialled).%s", p->seen_ms > 0 ? "unreachable" : "never reached", span, changes);
	else
		(void)snprintf(out, size, "%s for %s (%s%s: %s).%s", p->seen_ms > 0 ? "unreachable" : "not reached", span, p->addresses[0],
			more, refusal(p->why), changes);
}

static void what_to_do(struct read *q, const struct view_peer *p, char *out, size_t size)
{
	struct slice name = peer_name(q, p);
	char id[ID_TEXT_MAX];

	id_format(id, &p->device, ID_LEN, 8);
	out[0] = '\0';
	if (p->state == PEER_CONNECTED || p->state == PEER_DIALING)
		return;
	if (q->self.offline)
		(void)snprintf(out, size, "cairn online");
	else if (p->n_addresses == 0)
		(void)snprintf(out, size, "cairn peer add %s tcp://HOST:PORT, or let it connect to you", id);
	else if (p->why == ERR_DENIED)
		(void)snprintf(out, size, "it has not heard of this device yet: it must first sync with a member that has");
	else if (p->why == ERR_VERSION)
		(void)snprintf(out, size, "bring both to the same version of cairn");
	else
		(void)snprintf(out, size, "see that cairnd runs at %.*s%s and that nothing is in the way, then cairn sync; or cairn peer add %s ADDRESS",
			name.len == 0 ? 14 : (int)(name.len < 100 ? name.len : 100), name.len == 0 ? "the other side" : (const char *)name.data,
			name.len == 0 ? "" : "'s", id);
}

/* ---- objects ------------------------------------------------------------------------------------------------------------------------ */
/* As `cairn sync` makes it for one space. */
static void digest_of(const struct session_space *s, struct id32 *out)
{
	static const struct id32 zero;
	const struct slice parts[] = { SLICE(&zero, ID_LEN), SLICE(&s->authority, ID_LEN), SLICE(&s->data, ID_LEN) };

	crypto_hash(out, "cairn-digest", parts, 3);
}

static json_t *spaces_json(const struct view_peer *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n_spaces; i++) {
		const struct session_space *s = &p->spaces[i];
		json_t *o = json_object();
		struct id32 digest;

		digest_of(s, &digest);
		json_put(&o, "organizationId", json_of_id32(&s->space));
		json_put(&o, "inSync", json_boolean(s->in_sync));
		json_put(&o, "digest", s->since_ms > 0 ? json_of_id32(&digest) : json_null());
		json_put(&o, "at", json_of_time(s->since_ms));
		json_add(&list, o);
	}
	return list;
}

static json_t *sentence_json(const char *text)
{
	return text[0] == '\0' ? json_null() : json_of_text(slice_of(text_valid(slice_of(text)) ? text : "?"));
}

static json_t *peer_json(struct read *q, const struct view_peer *p)
{
	static const char *const states[] = { [PEER_CONNECTED] = "connected", [PEER_DIALING] = "dialing", [PEER_UNREACHABLE] = "unreachable",
		[PEER_NEVER] = "never" };
	const struct session_counters *c = p->counters;
	const bool met = p->state == PEER_CONNECTED || p->seen_ms == 0;
	json_t *o = json_object(), *addresses = json_array();
	char why[512] = "", todo[320];

	if (p->state == PEER_CONNECTED)
		why_connected(q, p, why, sizeof why);
	else if (p->state == PEER_DIALING)
		(void)snprintf(why, sizeof why, "connecting%s%s", p->n_addresses > 0 ? " to " : "", p->n_addresses > 0 ? p->addresses[0] : "");
	else
		why_unreachable(q, p, why, sizeof why);
	what_to_do(q, p, todo, sizeof todo);
	for (size_t i = 0; i < p->n_addresses; i++)
		json_add(&addresses, json_string(p->addresses[i]));
	json_put(&o, "deviceId", json_of_id32(&p->device));
	json_put(&o, "memberId", json_of_id32(id32_is_zero(&p->org) ? NULL : &p->member));
	json_put(&o, "displayName", json_of_text_or_null(peer_name(q, p)));
	json_put(&o, "state", json_string(states[p->state]));
	json_put(&o, "since", json_of_time(met ? p->since_ms : p->seen_ms));
	json_put(&o, "why", sentence_json(why));
	json_put(&o, "todo", sentence_json(todo));
	json_put(&o, "addresses", addresses);
	json_put(&o, "spaces", spaces_json(p));
	json_put(&o, "bytesIn", json_of_uint(c == NULL ? 0 : c->bytes_in));
	json_put(&o, "bytesOut", json_of_uint(c == NULL ? 0 : c->bytes_out));
	json_put(&o, "lastError", p->why == OK ? json_null() : json_string(err_name(p->why)));
	return o;
}

void peers_list(struct request *r)
{
	struct view_peer *peers;
	struct read q;
	json_t *list;
	size_t n;

	if (!read_begin(&q, r) || (peers = all_peers(&q, &n)) == NULL)
		return;
	list = json_array();
	for (size_t i = 0; i < n; i++)
		json_add(&list, peer_json(&q, &peers[i]));
	read_answer(&q, list);
}

/* ---- finding one: a device, or a member that has one device -------------------------------------------------------------------------- */
static bool fits(struct read *q, const struct view_peer *p, struct slice text)
{
	return id_has_prefix(&p->device, ID_LEN, text) || (!id32_is_zero(&p->org) && (id_has_prefix(&p->member, ID_LEN, text) ||
		slice_equal(peer_name(q, p), text)));
}

/* The body names it under any of these keys.  False: answered; *out NULL: it names none. */
static bool peer_given(struct read *q, const struct view_peer **out)
{
	static const char *const keys[] = { "peer", "device", "member", "deviceId", "memberId" };
	struct slice text = SLICE("", 0);
	const struct view_peer *list;
	size_t n, found = 0;
	bool has = false;

	*out = NULL;
	for (size_t i = 0; i < sizeof keys / sizeof *keys && !has; i++)
		if (!body_text(q, keys[i], &text, &has))
			return false;
	if (!has || text.len == 0)
		return true;
	if ((list = all_peers(q, &n)) == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		if (fits(q, &list[i], text)) {
			*out = &list[i];
			found++;
		}
	if (found == 0)
		return read_fail(q, ERR_NOTFOUND, "There is no peer “%.*s” here: see cairn peers.", (int)(text.len < 200 ? text.len : 200),
			(const char *)text.data);
	return found == 1 || read_fail(q, ERR_AMBIGUOUS, "“%.*s” fits several devices: use a device's id from cairn peers.",
		(int)(text.len < 200 ? text.len : 200), (const char *)text.data);
}

static void then_peer(struct request *r, const struct reply *reply)
{
	const struct view_peer *p;
	struct read q;

	if (reply_begin(&q, r, reply) && peer_given(&q, &p))
		reply_answer(&q, reply, p == NULL ? NULL : peer_json(&q, p));
}

void peer_add(struct request *r)
{
	static const char *const known[] = { "peer", "address", "device", "member", "deviceId", "memberId", NULL };
	struct command c = { .kind = COMMAND_PEER_ADD, .has_other = true };
	const struct view_peer *p;
	const char *address;
	struct read q;
	bool has;

	if (!read_begin(&q, r) || !body_only(&q, known) || !peer_given(&q, &p) || !body_text(&q, "address", &c.text, &has))
		return;
	address = json_string_value(json_object_get(request_body(r), "address"));
	if (p == NULL)
		read_fail(&q, ERR_USAGE, "“peer” is missing: a member or a device.");
	else if (address == NULL || !link_address_valid(address))
		read_fail(&q, ERR_USAGE, "“address” must be tcp://HOST:PORT, such as tcp://192.0.2.7:7411.");
	else {
		c.other = p->device;
		read_command(&q, &c, then_peer);
	}
}

/* ---- sync ------------------------------------------------------------------------------------------------------------------------------- */
static const struct view_peer *of_device(const struct view_peer *list, size_t n, const struct id32 *device)
{
	for (size_t i = 0; i < n; i++)
		if (id32_equal(&list[i].device, device))
			return &list[i];
	return NULL;
}

/* The node gives device, digest, time and the verdict; names and reasons are added here. */
static json_t *synced_json(struct read *q, json_t *one, const struct view_peer *list, size_t n)
{
	const char *device = json_string_value(json_object_get(one, "deviceId"));
	bool in_sync = json_is_true(json_object_get(one, "inSync"));
	json_t *at = json_object_get(one, "at"), *digest = json_object_get(one, "digest"), *o = json_object();
	const struct view_peer *p = NULL;
	char why[512] = "";
	struct id32 id;

	if (device != NULL && id_parse(&id, ID_LEN, slice_of(device)) == OK)
		p = of_device(list, n, &id);
	if (!in_sync && p != NULL && p->state == PEER_CONNECTED)
		why_connected(q, p, why, sizeof why);
	if (!in_sync && why[0] == '\0')
		(void)snprintf(why, sizeof why, "not compared since");
	json_put(&o, "deviceId", json_of_string(device));
	json_put(&o, "displayName", p == NULL ? json_null() : json_of_text_or_null(peer_name(q, p)));
	json_put(&o, "digest", digest == NULL ? json_null() : json_incref(digest));
	json_put(&o, "at", json_is_integer(at) ? json_of_time((uint64_t)json_integer_value(at)) : json_null());
	json_put(&o, "inSync", json_boolean(in_sync));
	json_put(&o, "why", sentence_json(why));
	return o;
}

static void then_synced(struct request *r, const struct reply *reply)
{
	struct view_peer *list;
	json_t *o, *from, *peers, *one;
	struct read q;
	size_t n, i;

	if (reply->err != OK && reply->err != ERR_WAITING) {
		request_reply(r, reply);
		return;
	}
	if (!read_begin(&q, r) || (list = all_peers(&q, &n)) == NULL)
		return;
	o = http_json_reply(reply);
	from = json_object_get(o, "peers");
	peers = json_array();
	json_array_foreach(from, i, one)
		json_add(&peers, synced_json(&q, one, list, n));
	json_put(&o, "peers", peers);
	json_put(&o, "hint", json_of_text_or_null(reply->hint));
	read_answer_as(&q, http_status(reply->err), o);
}

void local_sync(struct request *r)
{
	static const char *const known[] = { "peer", "device", "member", "timeout", NULL };
	struct command c = { .kind = COMMAND_SYNC };
	const struct view_peer *p;
	struct read q;
	bool has;

	if (!read_begin(&q, r) || !body_only(&q, known) || !peer_given(&q, &p) || !body_uint(&q, "timeout", SYNC_MAX_MS, &c.number, &has))
		return;
	if (p != NULL) {
		c.has_other = true;
		c.other = p->device;
	}
	read_command(&q, &c, then_synced);
}
