/* Peers, sync, devices, audit, debug. */
#include <string.h>
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/output.h"

#define COUNT(a) (sizeof (a) / sizeof *(a))
#define SYNC_MS 60000                   /* unless --timeout says otherwise (design §8) */
#define SYNC_GRACE_MS 15000

static const struct column PEERS[] = {
	{ "device", "deviceId", CELL_ID }, { "name", "displayName", CELL_TEXT }, { "state", "state", CELL_WORD },
	{ "since", "since", CELL_TIME }, { "why", "why", CELL_TEXT }, { "what to do", "todo", CELL_TEXT },
};
static const struct column SYNCED[] = {
	{ "device", "deviceId", CELL_ID }, { "name", "displayName", CELL_TEXT }, { "in sync", "inSync", CELL_WORD },
	{ "digest", "digest", CELL_ID }, { "at", "at", CELL_TIME }, { "why", "why", CELL_TEXT },
};
static const struct column DEVICES[] = {
	{ "device", "id", CELL_ID }, { "name", "displayName", CELL_TEXT }, { "capabilities", "capabilities", CELL_TEXT },
	{ "revoked", "revoked", CELL_WORD }, { "this one", "self", CELL_WORD },
};
static const struct column AUDIT[] = {
	{ "at", "at", CELL_TIME }, { "action", "action", CELL_WORD }, { "kind", "entityType", CELL_WORD }, { "id", "entityId", CELL_ID },
	{ "details", "details", CELL_TEXT },
};
static const struct column HASHES[] = { { "replica", "replica", CELL_TEXT }, { "state", "state", CELL_WORD } };
static const struct column REPORTS[] = {
	{ "member", "memberId", CELL_ID }, { "name", "displayName", CELL_TEXT }, { "audience", "audience", CELL_ID },
	{ "consent", "consent", CELL_NUMBER }, { "at", "at", CELL_TIME }, { "entries", "entries", CELL_COUNT },
};

static const json_t *member(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value != NULL ? value : json_null();
}

static const char *organization_name(const json_t *organizations, const char *id)
{
	const json_t *one;
	size_t i;

	json_array_foreach(organizations, i, one)
		if (strcmp(text_of(one, "id"), id) == 0)
			return text_of(one, "name");
	return keep_printf("%.8s", id);
}

/* "In sync" names the digest that both hold, and the time (design §2, 12). */
static void print_peer(const json_t *peer, const json_t *organizations)
{
	const char *name = text_of(peer, "displayName"), *why = text_of(peer, "why"), *todo = text_of(peer, "todo");
	const char *state = text_of(peer, "state"), *since = ago_text(member(peer, "since"));
	bool connected = strcmp(state, "connected") == 0;
	const json_t *space;
	size_t i;

	if (name[0] == '\0')
		name = cell_text(member(peer, "deviceId"), CELL_ID, true);
	if (why[0] != '\0')
		say("  %s %s: %s", red("!"), name, why);
	else
		say("  %s %s: %s%s%s", connected ? (unicode() ? "✓" : "+") : red("!"), name, state, since[0] != '\0' ? " " : "", since);
	if (todo[0] != '\0')
		say("    %s %s", arrow(), todo);
	json_array_foreach(json_object_get(peer, "spaces"), i, space)
		if (connected && true_of(space, "inSync"))
			say("    %s: in sync, both hold %s, compared %s", organization_name(organizations, text_of(space, "organizationId")),
				cell_text(member(space, "digest"), CELL_ID, true), time_text(member(space, "at")));
}

void print_peers(const json_t *peers, const json_t *organizations)
{
	const json_t *one;
	size_t i;

	json_array_foreach(peers, i, one)
		print_peer(one, organizations);
}

int cmd_peers(struct cli *c)
{
	json_t *list;
	int code = get(c, &list, "/api/local/peers");

	if (code != EXIT_DONE)
		return code;
	if (c->out_tty && !c->json && json_array_size(list) > 0)
		print_peers(list, NULL);
	else
		print_list(c, list, PEERS, COUNT(PEERS), "No peer is known yet: cairn org invite, or cairn peer add MEMBER ADDRESS");
	return EXIT_DONE;
}

int cmd_peer_add(struct cli *c)
{
	return change(c, "POST", "/api/local/peers", json_pack("{ssss}", "peer", c->args.words[0], "address", c->args.words[1]));
}

int cmd_sync(struct cli *c)
{
	long wait = c->timeout_ms >= 0 ? c->timeout_ms : SYNC_MS;
	json_t *body = json_pack("{sI}", "timeout", (json_int_t)wait), *answer;
	const json_t *peers, *one;
	size_t i, behind = 0, n;
	int code;

	add_text(body, "peer", c->args.n_words > 0 ? c->args.words[0] : NULL);
	code = call_for(c, &answer, "POST", "/api/local/sync", body, wait + SYNC_GRACE_MS);
	peers = json_object_get(answer, "peers");
	n = json_array_size(peers);
	if (answer == NULL || n == 0)
		return finish(c, code, answer);
	json_array_foreach(peers, i, one)
		behind += !true_of(one, "inSync");
	code = behind == 0 ? code : behind == n ? EXIT_WAITING : EXIT_PARTLY;
	if (c->json) {
		print_json(answer);
		return code;
	}
	print_table(c, peers, SYNCED, COUNT(SYNCED), NULL);
	if (behind == 0)
		hint(c, text_of(answer, "hint"));
	else
		complain(code, "Not in sync with %zu of %zu peers yet: cairnd goes on by itself, cairn peers says why", behind, n);
	return code;
}

int cmd_device_list(struct cli *c)
{
	json_t *list;
	int code = get(c, &list, route("/api/organizations/{}/devices", c->org));

	return code != EXIT_DONE ? code : print_list(c, list, DEVICES, COUNT(DEVICES), "There is no device.");
}

static int set_capability(struct cli *c, bool on)
{
	return change(c, "PUT", route("/api/organizations/{}/devices/{}", c->org, c->args.words[0]),
		json_pack("{sssb}", "capability", c->args.words[1], "granted", on));
}

int cmd_device_grant(struct cli *c)
{
	return set_capability(c, true);
}

int cmd_device_withdraw(struct cli *c)
{
	return set_capability(c, false);
}

int cmd_audit(struct cli *c)
{
	json_t *list;
	int code = get(c, &list, "/api/local/audit");

	return code != EXIT_DONE ? code : print_list(c, list, AUDIT, COUNT(AUDIT), "Nothing has been shared or linked yet.");
}

int cmd_debug_state_hash(struct cli *c)
{
	json_t *hashes;
	int code = get(c, &hashes, route("/api/organizations/{}/state-hash", c->org));

	return code != EXIT_DONE ? code : print_thing(c, hashes, HASHES, COUNT(HASHES));
}

int cmd_debug_report(struct cli *c)
{
	bool raw = args_option(&c->args, "raw") != NULL;
	json_t *list;
	int code = get(c, &list, with_query(route("/api/organizations/{}/reports", c->org), "raw", raw ? "1" : NULL));

	if (code != EXIT_DONE)
		return code;
	if (raw && !c->json)
		return print_raw(c, list);
	return print_list(c, list, REPORTS, COUNT(REPORTS), "No report opens here.");
}
