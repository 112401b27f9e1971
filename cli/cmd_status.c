/* `cairn` alone: what needs me; `cairn status`: everything on one screen. */
#include <string.h>
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/output.h"

/* Lists of texts, or of objects with a "message" or "sentence". */
static size_t print_notes(const json_t *list, const char *mark)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		const char *text = json_is_string(one) ? safe(json_string_value(one)) : text_of(one, "message");
		if (text[0] == '\0')
			text = text_of(one, "sentence");
		if (text[0] != '\0')
			say("%s %s", mark, text);
	}
	return json_array_size(list);
}

static void print_who(const json_t *status)
{
	const json_t *organizations = json_object_get(status, "organizations"), *one;
	size_t i;

	say("%s  cairnd %s, process %s%s", bold(text_of(status, "name")), text_of(status, "version"),
		number_text(json_object_get(status, "pid")), true_of(status, "offline") ? ", offline (cairn online ends that)" : "");
	json_array_foreach(organizations, i, one)
		say("  %s: %s%s", text_of(one, "name"), text_of(one, "role"), true_of(one, "inSync") ? "" : ", not in sync");
	if (json_array_size(organizations) == 0 && json_array_size(json_object_get(status, "waiting")) == 0)
		say("  in no organization yet: cairn org create NAME, or cairn org join CODE");
}

/* EXIT_DONE: there is an identity and it is open. */
static int check_state(const json_t *status)
{
	const char *state = text_of(status, "state");

	if (strcmp(state, "new") == 0)
		say("There is no identity here yet: cairn init");
	else if (strcmp(state, "locked") == 0)
		say("The keystore is locked: cairn unlock");
	else
		return EXIT_DONE;
	return strcmp(state, "new") == 0 ? EXIT_DONE : EXIT_PERSON;
}

static bool is_open(const json_t *status)
{
	const char *state = text_of(status, "state");

	return strcmp(state, "new") != 0 && strcmp(state, "locked") != 0;
}

static void print_share(const json_t *list)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		const char *name = text_of(one, "name"), *text = json_is_string(one) ? safe(json_string_value(one)) : text_of(one, "sentence");

		if (text[0] != '\0')
			say("Sharing: %s", text);
		else if (json_is_object(one))
			say("Sharing with %s: %s", name[0] != '\0' ? name : text_of(one, "organizationId"), true_of(one, "accepted") ?
				"accepted" : "nothing yet (cairn share preview)");
	}
}

static void print_needs(const json_t *status)
{
	json_t *confirmed = json_object_get(status, "recoveryConfirmed");

	print_notes(json_object_get(status, "notices"), red("!"));
	print_notes(json_object_get(status, "waiting"), unicode() ? "…" : "...");
	if (json_is_false(confirmed) && json_array_size(json_object_get(status, "notices")) == 0)
		say("%s Your recovery phrase is not written down yet: cairn recover show", red("!"));
}

int cmd_status(struct cli *c)
{
	const json_t *known;
	const char *port;
	json_t *status, *peers;
	int code = get(c, &status, "/api/local/status");

	if (code != EXIT_DONE)
		return code;
	if (c->json) {
		print_json(status);
		return EXIT_DONE;
	}
	if (!is_open(status)) {
		code = check_state(status);
		say("Home: %s (cairnd %s, process %s)", text_of(status, "home"), text_of(status, "version"),
			number_text(json_object_get(status, "pid")));
		return code;
	}
	print_who(status);
	known = json_object_get(status, "peers");
	port = number_text(json_object_get(status, "port"));
	say("Home: %s, %s%s", text_of(status, "home"), port[0] != '\0' ? "port " : "not listening", port);
	say("Peers: %s of %s connected", number_text(json_object_get(known, "connected")), number_text(json_object_get(known, "known")));
	if ((code = get(c, &peers, "/api/local/peers")) != EXIT_DONE)
		return code;
	print_peers(peers, json_object_get(status, "organizations"));
	print_share(json_object_get(status, "share"));
	print_needs(status);
	return EXIT_DONE;
}

int cmd_overview(struct cli *c)
{
	json_t *status;
	int code = get(c, &status, "/api/local/status");

	if (code != EXIT_DONE)
		return code;
	if (c->json) {
		print_json(status);
		return EXIT_DONE;
	}
	if (!is_open(status)) {
		code = check_state(status);
		hint(c, "cairn help");
		return code;
	}
	print_who(status);
	print_needs(status);
	if (json_array_size(json_object_get(status, "notices")) + json_array_size(json_object_get(status, "waiting")) == 0)
		say("Nothing needs you now.");
	hint(c, "cairn goal list, cairn progress, cairn status, cairn help");
	return EXIT_DONE;
}
