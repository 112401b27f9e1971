/* Organizations: create, join, show, set, invite, use, list. */
#include <stdlib.h>
#include <string.h>
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/prompt.h"

#define COUNT(a) (sizeof (a) / sizeof *(a))
#define JOIN_MS 120000                  /* cairnd itself waits 30 s for admission, then says 202 */

static const struct column LIST[] = {
	{ "id", "id", CELL_ID }, { "name", "name", CELL_TEXT }, { "role", "role", CELL_WORD }, { "members", "memberCount", CELL_NUMBER },
	{ "teams", "teamCount", CELL_NUMBER }, { "default", "isDefault", CELL_WORD },
};
static const struct column RECORD[] = {
	{ "id", "id", CELL_TEXT }, { "name", "name", CELL_TEXT }, { "your role", "role", CELL_WORD }, { "status", "status", CELL_WORD },
	{ "members", "memberCount", CELL_NUMBER }, { "teams", "teamCount", CELL_NUMBER }, { "default", "isDefault", CELL_WORD },
	{ "description", "description", CELL_PROSE }, { "mission", "mission", CELL_PROSE }, { "vision", "vision", CELL_PROSE },
	{ "logo", "logoUrl", CELL_TEXT }, { "fiscal year starts in month", "fiscalYearStartMonth", CELL_NUMBER },
	{ "scoring", "scoringMethod", CELL_TEXT }, { "members may propose objectives", "allowMemberGoalCreation", CELL_TEXT },
	{ "objectives need approval", "requireGoalApproval", CELL_TEXT }, { "smallest group shown", "minGroup", CELL_NUMBER },
	{ "roll-up counts each", "rollupUnit", CELL_TEXT }, { "over 100 % counts", "allowOver", CELL_TEXT },
	{ "external id", "externalId", CELL_TEXT },
};

/* Small groups give people away: asked while it is easy to choose (design §7). */
static bool ask_min_group(struct cli *c, json_t *body)
{
	const char *line;

	if (c->yes || !may_ask(c) || json_object_get(body, "minGroup") != NULL)
		return true;
	line = ask("Hide roll-ups of fewer than how many people? (1: none; 5 for surveys) [1] ");
	if (line == NULL)
		return false;
	if (line[0] != '\0')
		add_text(body, "minGroup", line);
	return true;
}

int cmd_org_create(struct cli *c)
{
	json_t *body = json_object();

	add_text(body, "name", c->args.words[0]);
	if (add_pairs(c, body, 1) && ask_min_group(c, body))
		return make(c, "/api/organizations", body);
	json_decref(body);
	return EXIT_WRONG;
}

int cmd_org_join(struct cli *c)
{
	json_t *answer;
	int code;

	notice(c, "By joining, its members will see your name, your device's public keys and its addresses.  Nothing else is shared\n"
		"until you have looked at `cairn share preview` and accepted it.");
	c->late = "Not joined in that time: cairnd goes on by itself, cairn status says how far it is";
	code = call_for(c, &answer, "POST", "/api/local/organizations/join", json_pack("{ss}", "code", c->args.words[0]),
		c->timeout_ms >= 0 ? c->timeout_ms : JOIN_MS);
	return finish(c, code, answer);
}

static void print_aggregators(const json_t *org)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(org, "aggregators"), i, one)
		say("aggregator\t%s, device %s", text_of(one, "displayName"), cell_text(json_object_get(one, "deviceId"), CELL_ID, true));
}

int cmd_org_show(struct cli *c)
{
	json_t *org;
	int code = get(c, &org, route("/api/organizations/{}", c->args.n_words > 0 ? c->args.words[0] : c->org));

	if (code != EXIT_DONE)
		return code;
	print_thing(c, org, RECORD, COUNT(RECORD));
	if (!c->json)
		print_aggregators(org);
	return EXIT_DONE;
}

int cmd_org_set(struct cli *c)
{
	json_t *body = json_object();
	int code = EXIT_WRONG;

	if (!add_pairs(c, body, 0))
		;
	else if (json_object_size(body) == 0)
		code = complain(EXIT_WRONG, "Say what changes: KEY=VALUE, such as mission=\"Paint everything\"");
	else
		return change(c, "PUT", route("/api/organizations/{}", c->org), body);
	json_decref(body);
	return code;
}

int cmd_org_use(struct cli *c)
{
	return change(c, "POST", route("/api/local/organizations/{}/use", c->args.words[0]), NULL);
}

int cmd_org_list(struct cli *c)
{
	json_t *list;
	int code = get_rows(c, &list, "/api/organizations", LIST, COUNT(LIST));

	if (code != EXIT_DONE)
		return code;
	return print_list(c, list, LIST, COUNT(LIST), "You are in no organization yet: cairn org create NAME, or cairn org join CODE");
}

/* ---- invites ---- */

static json_t *texts_of(const struct cli *c, const char *option)
{
	json_t *list = NULL;
	const char *text;

	for (size_t i = 0; (text = args_option_at(&c->args, option, i)) != NULL; i++) {
		if (list == NULL)
			list = json_array();
		json_array_append_new(list, json_string(text));
	}
	return list;
}

/* A count of 1 or more.  False: said. */
static bool add_uses(const struct cli *c, json_t *body)
{
	const char *text = args_option(&c->args, "uses");
	char *end;
	long n;

	if (text == NULL)
		return true;
	n = strtol(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || n < 1 || n > 1000000) {
		complain(EXIT_WRONG, "--uses takes a number of people, such as 5, not \"%s\"", safe(text));
		return false;
	}
	json_object_set_new(body, "uses", json_integer(n));
	return true;
}

static bool add_expiry(const struct cli *c, json_t *body)
{
	const char *text = args_option(&c->args, "expires");
	long seconds = 0;

	if (text == NULL)
		return true;
	if (strcmp(text, "never") != 0 && (!args_duration(&seconds, text) || seconds == 0)) {
		complain(EXIT_WRONG, "--expires takes 7d, 12h, 30m, 1s or never, not \"%s\"", safe(text));
		return false;
	}
	json_object_set_new(body, "expiresIn", json_integer(seconds));   /* 0: never */
	return true;
}

static void print_invite(struct cli *c, const json_t *invite)
{
	const json_t *expires = json_object_get(invite, "expiresAt");

	say("%s", text_of(invite, "code"));
	notice(c, "For %s %s, as %s, %s%s.", number_text(json_object_get(invite, "uses")),
		json_integer_value(json_object_get(invite, "uses")) == 1 ? "person" : "people", text_of(invite, "role"),
		json_is_null(expires) || expires == NULL ? "without an end" : "until ", json_is_null(expires) || expires == NULL ? "" :
		time_text(expires));
	hint(c, "Send it over a channel that you trust; the other one types: cairn org join CODE");
}

int cmd_org_invite(struct cli *c)
{
	json_t *body = json_object(), *teams = texts_of(c, "team"), *addresses = texts_of(c, "address"), *answer;
	int code;

	if (teams != NULL)
		json_object_set_new(body, "teams", teams);
	if (addresses != NULL)
		json_object_set_new(body, "addresses", addresses);
	add_text(body, "role", args_option(&c->args, "role"));
	if (args_option(&c->args, "approval") != NULL)
		json_object_set_new(body, "approval", json_true());
	if (!add_uses(c, body) || !add_expiry(c, body)) {
		json_decref(body);
		return EXIT_WRONG;
	}
	code = call(c, &answer, "POST", route("/api/organizations/{}/members/invite", c->org), body);
	if (code != EXIT_DONE || c->json)
		return finish(c, code, answer);
	print_invite(c, answer);
	return EXIT_DONE;
}
