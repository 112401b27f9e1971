/* Personal goals and their links. */
#include <string.h>
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/filter.h"
#include "cli/output.h"

#define COUNT(a) (sizeof (a) / sizeof *(a))

static const struct column LIST[] = {
	{ "id", "id", CELL_ID }, { "title", "title", CELL_TEXT }, { "progress", "progressPercent", CELL_BAR },
	{ "status", "status", CELL_WORD }, { "due", "targetDate", CELL_TIME }, { "links", "links", CELL_COUNT },
};
static const struct column RECORD[] = {
	{ "id", "id", CELL_TEXT }, { "title", "title", CELL_TEXT }, { "progress", "progressPercent", CELL_BAR },
	{ "status", "status", CELL_WORD }, { "current", "currentValue", CELL_NUMBER }, { "target", "targetValue", CELL_NUMBER },
	{ "baseline", "baselineValue", CELL_NUMBER }, { "unit", "unit", CELL_TEXT }, { "priority", "priority", CELL_TEXT },
	{ "category", "category", CELL_TEXT }, { "start", "startDate", CELL_TIME }, { "due", "targetDate", CELL_TIME },
	{ "completed", "completedDate", CELL_TIME }, { "parent", "parentGoalId", CELL_TEXT },
	{ "team", "contributingToTeamId", CELL_TEXT }, { "private", "isPrivate", CELL_TEXT },
	{ "shared", "isSharedWithOrganization", CELL_TEXT }, { "tasks done", "completedTaskCount", CELL_NUMBER },
	{ "tasks", "totalTaskCount", CELL_NUMBER }, { "description", "description", CELL_PROSE }, { "updated", "updatedAt", CELL_TIME },
};

/* The options that are short for keys.  False: said. */
static bool add_options(struct cli *c, json_t *body)
{
	static const struct { const char *option, *key; } short_for[] = {
		{ "target", "targetValue" }, { "current", "currentValue" }, { "parent", "parentGoalId" },
	};

	for (size_t i = 0; i < COUNT(short_for); i++)
		add_text(body, short_for[i].key, args_option(&c->args, short_for[i].option));
	return add_pairs(c, body, 1);
}

int cmd_goal_add(struct cli *c)
{
	json_t *body = json_object();

	add_text(body, "title", c->args.words[0]);
	if (add_options(c, body))
		return make(c, "/api/local/goals", body);
	json_decref(body);
	return EXIT_WRONG;
}

int cmd_goal_edit(struct cli *c)
{
	json_t *body = json_object();
	int code = EXIT_WRONG;

	if (!add_options(c, body))
		;
	else if (json_object_size(body) == 0)
		code = complain(EXIT_WRONG, "Say what changes: KEY=VALUE, such as status=IN_PROGRESS");
	else
		return change(c, "PUT", route("/api/local/goals/{}", c->args.words[0]), body);
	json_decref(body);
	return code;
}

int cmd_goal_list(struct cli *c)
{
	static const struct filter filters[] = {
		{ "status", "status" }, { "category", "category" }, { "priority", "priority" }, { "parent", "parentGoalId" }, { NULL, NULL }
	};
	json_t *goals;
	int code = c->args.n_words > 0 ? get(c, &goals, "/api/local/goals") : get_rows(c, &goals, "/api/local/goals", LIST, COUNT(LIST));

	if (code != EXIT_DONE)
		return code;
	filter_rows(c, goals, filters);
	return print_list(c, goals, LIST, COUNT(LIST), c->args.n_words > 0 ? "No goal fits." : "You have no goal yet: cairn goal add TITLE");
}

static void print_links(const json_t *goal, const char *gap)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(goal, "links"), i, one) {
		const char *title = text_of(one, "objectiveTitle");
		say("link%s%s%s, weight %s", gap, title[0] != '\0' ? title : "objective ",
			title[0] != '\0' ? "" : text_of(one, "objectiveId"), number_text(json_object_get(one, "weight")));
	}
}

static void print_checkins(const json_t *goal, const char *gap)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(goal, "checkins"), i, one) {
		const json_t *percent = json_object_get(one, "percent"), *value = json_object_get(one, "value");
		const char *note = text_of(one, "note");
		say("check-in%s%s\t%s%s%s", gap, time_text(json_object_get(one, "at")), json_is_null(value) || value == NULL ?
			cell_text(percent != NULL ? percent : json_null(), CELL_PERCENT, true) : number_text(value), note[0] != '\0' ? "\t" : "", note);
	}
}

int cmd_goal_show(struct cli *c)
{
	json_t *goal;
	int code = get(c, &goal, route("/api/local/goals/{}", c->args.words[0]));

	if (code != EXIT_DONE)
		return code;
	print_thing(c, goal, RECORD, COUNT(RECORD));
	if (!c->json) {
		print_links(goal, c->out_tty ? "         " : "\t");
		print_checkins(goal, c->out_tty ? "     " : "\t");
	}
	return EXIT_DONE;
}

int cmd_goal_progress(struct cli *c)
{
	const char *text = c->args.words[1];
	size_t len = strlen(text);
	bool percent = len > 1 && text[len - 1] == '%';
	json_t *body = json_object();

	add_text(body, percent ? "percent" : "value", percent ? keep_printf("%.*s", (int)(len - 1), text) : text);
	add_text(body, "note", args_option(&c->args, "note"));
	return change(c, "POST", route("/api/local/goals/{}/progress", c->args.words[0]), body);
}

int cmd_link(struct cli *c)
{
	json_t *body = json_object();

	add_text(body, "goal", c->args.words[0]);
	add_text(body, "objective", c->args.words[1]);
	add_text(body, "weight", args_option(&c->args, "weight"));
	return change(c, "POST", route("/api/organizations/{}/links", c->org), body);
}

int cmd_unlink(struct cli *c)
{
	json_t *body = json_object();

	add_text(body, "goal", c->args.words[0]);
	add_text(body, "objective", c->args.n_words > 1 ? c->args.words[1] : NULL);
	return change(c, "DELETE", route("/api/organizations/{}/links", c->org), body);
}
