/* Members and teams. */
#include <string.h>
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/prompt.h"

#define COUNT(a) (sizeof (a) / sizeof *(a))

static const struct column MEMBERS[] = {
	{ "id", "id", CELL_ID }, { "name", "displayName", CELL_TEXT }, { "role", "role", CELL_WORD }, { "status", "status", CELL_WORD },
	{ "e-mail", "email", CELL_TEXT }, { "devices", "devices", CELL_COUNT },
};
static const struct column MEMBER[] = {
	{ "id", "id", CELL_TEXT }, { "name", "displayName", CELL_TEXT }, { "e-mail", "email", CELL_TEXT }, { "role", "role", CELL_WORD },
	{ "status", "status", CELL_WORD }, { "teams", "teamIds", CELL_TEXT }, { "manager", "managerId", CELL_TEXT },
	{ "joined", "joinedAt", CELL_TIME }, { "devices", "devices", CELL_COUNT },
};
static const struct column TEAMS[] = {
	{ "id", "id", CELL_ID }, { "name", "name", CELL_TEXT }, { "type", "type", CELL_WORD }, { "status", "status", CELL_WORD },
	{ "members", "memberIds", CELL_COUNT }, { "above it", "parentTeamId", CELL_ID },
};

int cmd_member_list(struct cli *c)
{
	json_t *list;
	int code = get_rows(c, &list, route("/api/organizations/{}/members", c->org), MEMBERS, COUNT(MEMBERS));

	return code != EXIT_DONE ? code : print_list(c, list, MEMBERS, COUNT(MEMBERS), "There is no member.");
}

int cmd_member_show(struct cli *c)
{
	json_t *member;
	int code = get(c, &member, route("/api/organizations/{}/members/{}", c->org, c->args.words[0]));

	return code != EXIT_DONE ? code : print_thing(c, member, MEMBER, COUNT(MEMBER));
}

int cmd_member_role(struct cli *c)
{
	return change(c, "PUT", route("/api/organizations/{}/members/{}", c->org, c->args.words[0]),
		json_pack("{ss}", "role", c->args.words[1]));
}

int cmd_member_remove(struct cli *c)
{
	json_t *member;
	const char *name, *id, *path;
	int code = get(c, &member, route("/api/organizations/{}/members/{}", c->org, c->args.words[0]));

	if (code != EXIT_DONE)
		return code;
	name = json_string_value(json_object_get(member, "displayName"));
	id = json_string_value(json_object_get(member, "id"));
	if (name == NULL || name[0] == '\0')
		name = c->args.words[0];
	code = confirm_name(c, keep_printf("This removes %s from the organization, for good", safe(name)), name);
	if (code != EXIT_DONE)
		return code;
	path = route("/api/organizations/{}/members/{}", c->org, id != NULL ? id : c->args.words[0]);
	return change(c, "DELETE", with_query(path, "force", args_option(&c->args, "force") != NULL ? "1" : NULL), NULL);
}

int cmd_team_list(struct cli *c)
{
	json_t *list;
	int code = get_rows(c, &list, route("/api/organizations/{}/teams", c->org), TEAMS, COUNT(TEAMS));

	return code != EXIT_DONE ? code : print_list(c, list, TEAMS, COUNT(TEAMS), "There is no team yet: cairn team add NAME");
}

int cmd_team_add(struct cli *c)
{
	json_t *body = json_object();

	add_text(body, "name", c->args.words[0]);
	add_text(body, "parentTeamId", args_option(&c->args, "parent"));
	if (add_pairs(c, body, 1))
		return make(c, route("/api/organizations/{}/teams", c->org), body);
	json_decref(body);
	return EXIT_WRONG;
}

int cmd_team_assign(struct cli *c)
{
	json_t *body = json_pack("{ss}", "memberId", c->args.words[1]);

	if (args_option(&c->args, "lead") != NULL)
		json_object_set_new(body, "lead", json_true());
	return change(c, "POST", route("/api/organizations/{}/teams/{}/members", c->org, c->args.words[0]), body);
}
