/* Objectives and their progress. */
#include <string.h>
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/filter.h"
#include "cli/output.h"

#define COUNT(a) (sizeof (a) / sizeof *(a))

static const struct column LIST[] = {
	{ "id", "id", CELL_ID }, { "title", "title", CELL_TEXT }, { "progress", "progressPercent", CELL_BAR },
	{ "status", "status", CELL_WORD }, { "contributors", "contributorCount", CELL_NUMBER },
};
static const struct column RECORD[] = {
	{ "id", "id", CELL_TEXT }, { "title", "title", CELL_TEXT }, { "progress", "progressPercent", CELL_BAR },
	{ "contributors", "contributorCount", CELL_NUMBER }, { "status", "status", CELL_WORD }, { "type", "goalType", CELL_TEXT },
	{ "team", "teamId", CELL_TEXT }, { "parent", "parentGoalId", CELL_TEXT }, { "method", "calculationMethod", CELL_TEXT },
	{ "period", "period", CELL_TEXT }, { "number", "periodNumber", CELL_NUMBER }, { "year", "periodYear", CELL_TEXT },
	{ "from", "customStartDate", CELL_TIME }, { "to", "customEndDate", CELL_TIME }, { "current", "currentValue", CELL_NUMBER },
	{ "target", "targetValue", CELL_NUMBER }, { "unit", "unit", CELL_TEXT }, { "priority", "priority", CELL_TEXT },
	{ "owner", "ownerUserId", CELL_TEXT }, { "tags", "tags", CELL_TEXT }, { "description", "description", CELL_PROSE },
	{ "success when", "successCriteria", CELL_PROSE }, { "organization", "organizationId", CELL_TEXT },
	{ "created", "createdAt", CELL_TIME }, { "updated", "updatedAt", CELL_TIME },
};

/* ---- add, edit, list, show ---- */

static bool add_period(struct cli *c, json_t *body)
{
	const char *text = args_option(&c->args, "period");
	struct period p;

	if (text == NULL)
		return true;
	if (!args_period(&p, text)) {
		complain(EXIT_WRONG, "--period takes 2026-Q4, 2026-H1, 2026, 2026-07, 2026-W31 or 2026-01-15..2026-03-31, not \"%s\"", safe(text));
		return false;
	}
	add_text(body, "period", p.name);
	if (p.number > 0)
		json_object_set_new(body, "periodNumber", json_integer(p.number));
	if (p.year > 0)
		json_object_set_new(body, "periodYear", json_integer(p.year));
	if (p.start[0] != '\0') {
		add_text(body, "customStartDate", p.start);
		add_text(body, "customEndDate", p.end);
	}
	return true;
}

static bool add_options(struct cli *c, json_t *body)
{
	static const struct { const char *option, *key; } short_for[] = {
		{ "team", "teamId" }, { "parent", "parentGoalId" }, { "method", "calculationMethod" }, { "target", "targetValue" },
		{ "current", "currentValue" },
	};

	for (size_t i = 0; i < COUNT(short_for); i++)
		add_text(body, short_for[i].key, args_option(&c->args, short_for[i].option));
	return add_period(c, body) && add_pairs(c, body, 1);
}

int cmd_objective_add(struct cli *c)
{
	json_t *body = json_object();

	add_text(body, "title", c->args.words[0]);
	if (add_options(c, body))
		return make(c, route("/api/organizations/{}/goals", c->org), body);
	json_decref(body);
	return EXIT_WRONG;
}

int cmd_objective_edit(struct cli *c)
{
	json_t *body = json_object();
	int code = EXIT_WRONG;

	if (!add_options(c, body))
		;
	else if (json_object_size(body) == 0)
		code = complain(EXIT_WRONG, "Say what changes: KEY=VALUE, such as status=Active");
	else
		return change(c, "PUT", route("/api/organizations/{}/goals/{}", c->org, c->args.words[0]), body);
	json_decref(body);
	return code;
}

int cmd_objective_list(struct cli *c)
{
	static const char *const fields[] = { "team", "status", "parent", NULL };
	const char *path = filter_path(c, route("/api/organizations/{}/goals", c->org), fields);
	json_t *list;
	int code;

	if (path == NULL)
		return EXIT_WRONG;
	if ((code = get_rows(c, &list, path, LIST, COUNT(LIST))) != EXIT_DONE)
		return code;
	return print_list(c, list, LIST, COUNT(LIST), c->args.n_words > 0 ? "No objective fits." :
		"There is no objective yet: cairn objective add TITLE");
}

int cmd_objective_show(struct cli *c)
{
	json_t *objective;
	int code = get(c, &objective, route("/api/organizations/{}/goals/{}", c->org, c->args.words[0]));

	return code != EXIT_DONE ? code : print_thing(c, objective, RECORD, COUNT(RECORD));
}

/* ---- progress ---- */

static const json_t *member(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value != NULL ? value : json_null();
}

/* "  Sales  45.50 %" for each of them. */
static void print_parts(const json_t *breakdown, const char *key, const char *name, const char *other_name)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(breakdown, key), i, one)
		say("  %s\t%s", text_of(one, name)[0] != '\0' ? text_of(one, name) : text_of(one, other_name),
			cell_text(member(one, "progress"), CELL_PERCENT, true));
}

static void print_items(const json_t *items)
{
	const json_t *one;
	size_t i;

	json_array_foreach(items, i, one) {
		const char *title = text_of(one, "title"), *why = text_of(one, "why"), *raw = cell_text(member(one, "raw"), CELL_PERCENT, true);
		const char *counted = cell_text(member(one, "counted"), CELL_PERCENT, true);
		bool counts = json_is_number(json_object_get(one, "counted"));

		say("  %s %s: %s%s, weight %s%s%s: %s", text_of(one, "kind"), title[0] != '\0' ? title : text_of(one, "displayName"), raw,
			counts && strcmp(raw, counted) != 0 ? keep_printf(", counted as %s", counted) : "", number_text(member(one, "weight")),
			counts ? keep_printf(", share %s %%", number_text(member(one, "share"))) : "", "", why);
	}
}

/* Whose number it is, and of when. */
static void print_source(const json_t *breakdown)
{
	const json_t *by = json_object_get(breakdown, "publishedBy");
	const char *name = json_is_object(by) ? text_of(by, "displayName") : json_is_string(by) ? safe(json_string_value(by)) : "";
	const char *note = text_of(breakdown, "note"), *at = time_text(json_object_get(breakdown, "asOf"));

	if (true_of(breakdown, "computedHere"))
		say("computed here%s%s", at[0] != '\0' ? ", as of " : "", at);
	else if (name[0] != '\0')
		say("published by %s%s%s", name, at[0] != '\0' ? ", as of " : "", at);
	if (note[0] != '\0')
		say("%s", note);
}

static void print_breakdown(struct cli *c, const json_t *b)
{
	const json_t *hidden = json_object_get(b, "hiddenCount");
	const char *reason = text_of(b, "reason");

	if (c->out_tty)
		terminal_start();
	say("%s  %s", bold(cell_text(member(b, "overallProgress"), c->out_tty ? CELL_BAR : CELL_PERCENT, true)),
		text_of(b, "status"));
	if (json_is_integer(json_object_get(b, "contributorCount")))
		say("%s contributor%s%s, method %s", number_text(json_object_get(b, "contributorCount")),
			json_integer_value(json_object_get(b, "contributorCount")) == 1 ? "" : "s", json_integer_value(hidden) > 0 ?
			keep_printf(", %s hidden", number_text(hidden)) : "", text_of(b, "method"));
	if (reason[0] != '\0')
		say("%s", reason);
	if (json_array_size(json_object_get(b, "items")) > 0)
		print_items(json_object_get(b, "items"));
	else
		print_parts(b, "contributors", "displayName", "userId");
	print_parts(b, "teams", "teamName", "teamId");
	print_parts(b, "keyResults", "title", "id");
	print_source(b);
}

int cmd_progress(struct cli *c)
{
	bool explain = args_option(&c->args, "explain") != NULL;
	const char *path;
	json_t *answer;
	int code;

	if (c->args.n_words == 0 && explain)
		return complain(EXIT_WRONG, "Say which objective: cairn progress OBJECTIVE --explain");
	path = c->args.n_words == 0 ? route("/api/organizations/{}/progress", c->org) :
		with_query(route("/api/organizations/{}/goals/{}/progress", c->org, c->args.words[0]), "explain", explain ? "1" : NULL);
	code = c->args.n_words == 0 ? get_rows(c, &answer, path, LIST, COUNT(LIST)) : get(c, &answer, path);
	if (code != EXIT_DONE)
		return code;
	if (c->args.n_words == 0)
		return print_list(c, answer, LIST, COUNT(LIST), "There is no objective yet: cairn objective add TITLE");
	if (c->json)
		print_json(answer);
	else
		print_breakdown(c, answer);
	return EXIT_DONE;
}
