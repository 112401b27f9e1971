/* Sharing: what others may see, and the reports themselves. */
#include <stdio.h>
#include <string.h>
#include "base/id.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/prompt.h"

#define COUNT(a) (sizeof (a) / sizeof *(a))

static const struct column SETTINGS[] = {
	{ "accepted", "accepted", CELL_TEXT }, { "consent version", "version", CELL_NUMBER },
	{ "shareGoalProgress", "shareGoalProgress", CELL_TEXT }, { "shareTaskCompletionCounts", "shareTaskCompletionCounts", CELL_TEXT },
	{ "shareTimeAllocation", "shareTimeAllocation", CELL_TEXT }, { "shareDetailedTasks", "shareDetailedTasks", CELL_TEXT },
	{ "shareCategories", "shareCategories", CELL_TEXT }, { "refused aggregators", "refusedAggregators", CELL_TEXT },
};
static const struct column GOALS[] = {
	{ "id", "id", CELL_ID }, { "goal", "title", CELL_TEXT }, { "shared", "shared", CELL_WORD }, { "why", "why", CELL_TEXT },
};

int cmd_share_show(struct cli *c)
{
	json_t *share;
	int code = get(c, &share, route("/api/organizations/{}/share", c->org));

	if (code != EXIT_DONE)
		return code;
	print_thing(c, share, SETTINGS, COUNT(SETTINGS));
	return c->json ? EXIT_DONE : print_table(c, json_object_get(share, "goals"), GOALS, COUNT(GOALS), NULL);
}

/* refusedAggregators=A,B is a list; nothing behind "=" is an empty one. */
static void list_refused(json_t *body)
{
	const json_t *given = json_object_get(body, "refusedAggregators");
	const char *text = json_is_string(given) ? json_string_value(given) : "";
	json_t *list = json_array();

	if (given == NULL) {
		json_decref(list);
		return;
	}
	while (*text != '\0') {
		size_t len = strcspn(text, ", ");
		if (len > 0)
			json_array_append_new(list, json_stringn(text, len));
		text += len + (text[len] != '\0');
	}
	json_object_set_new(body, "refusedAggregators", list);
}

int cmd_share_set(struct cli *c)
{
	json_t *body = json_object();
	int code = EXIT_WRONG;
	bool ok = add_pairs(c, body, 0);

	list_refused(body);
	if (!ok)
		;
	else if (json_object_size(body) == 0)
		code = complain(EXIT_WRONG, "Say what changes: KEY=VALUE, such as shareTaskCompletionCounts=false");
	else
		return change(c, "PUT", route("/api/organizations/{}/share", c->org), body);
	json_decref(body);
	return code;
}

int cmd_share_goal(struct cli *c)
{
	const char *word = c->args.words[1];
	bool on = strcmp(word, "on") == 0 || strcmp(word, "yes") == 0;

	if (!on && strcmp(word, "off") != 0 && strcmp(word, "no") != 0)
		return complain(EXIT_WRONG, "Say on or off, not \"%s\"", safe(word));
	return change(c, "PUT", route("/api/organizations/{}/share/goals/{}", c->org, c->args.words[0]), json_pack("{sb}", "shared", on));
}

int cmd_share_why(struct cli *c)
{
	json_t *answer;
	int code = get(c, &answer, route("/api/organizations/{}/share/why/{}", c->org, c->args.words[0]));

	if (code != EXIT_DONE)
		return code;
	if (c->json)
		print_json(answer);
	else
		say("%s", text_of(answer, "sentence"));
	return EXIT_DONE;
}

/* ---- the preview ---- */

static const json_t *member(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value != NULL ? value : json_null();
}

/* "Sales 20, Meetings 12" of {"Meetings": 12, "Sales": 20}; other values as they are. */
static const char *plain(const char *key, const json_t *value)
{
	const char *name, *text = "";
	const json_t *one;

	if (json_is_array(value) && json_array_size(value) > 0 && !json_is_string(json_array_get(value, 0)))
		return safe(keep(json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(15))));
	json_object_foreach((json_t *)(uintptr_t)value, name, one)
		text = keep_printf("%s%s%s %s", text, text[0] != '\0' ? ", " : "", safe(name), cell_text(one, CELL_TEXT, true));
	return json_is_object(value) ? text : cell_text(value, strcmp(key, "lastActivity") == 0 ? CELL_TIME : CELL_TEXT, true);
}

/* What is sealed besides what was said already: nothing stays unsaid. */
static void print_rest(const json_t *object, const char *const *said, size_t n)
{
	const json_t *value;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t)object, key, value) {
		bool skip = json_is_null(value) || (json_is_object(value) && json_object_size(value) == 0);
		for (size_t i = 0; i < n && !skip; i++)
			skip = strcmp(key, said[i]) == 0;
		if (!skip)
			say("      %s: %s", safe(key), plain(key, value));
	}
}

static const char *entry_numbers(const json_t *e)
{
	const json_t *total = member(e, "totalTaskCount");
	const char *tasks = json_is_number(total) ? keep_printf(", %s of %s tasks done", number_text(member(e, "completedTaskCount")),
		number_text(total)) : "";
	const char *percent = true_of(e, "percentHidden") ? "percentage hidden" : cell_text(member(e, "percent"), CELL_PERCENT, true);

	return keep_printf("%s%s, weight %s", percent, tasks, number_text(member(e, "weight")));
}

static void print_entries(const json_t *entries)
{
	static const char *const said[] = { "goalTitle", "goalId", "objectiveTitle", "objectiveId", "weight", "percent", "percentHidden",
		"completedTaskCount", "totalTaskCount" };
	const json_t *e;
	size_t i;

	json_array_foreach(entries, i, e) {
		const char *goal = text_of(e, "goalTitle"), *objective = text_of(e, "objectiveTitle");

		say("    %s %s %s: %s", goal[0] != '\0' ? goal : cell_text(member(e, "blindedGoalId"), CELL_ID, true), arrow(),
			objective[0] != '\0' ? objective : cell_text(member(e, "objectiveId"), CELL_ID, true), entry_numbers(e));
		print_rest(e, said, COUNT(said));
	}
}

static void print_readers(const json_t *readers)
{
	const json_t *one;
	size_t i;

	json_array_foreach(readers, i, one)
		say("    read by %s (%s, device %s)", text_of(one, "displayName"), text_of(one, "class"),
			cell_text(member(one, "deviceId"), CELL_ID, true));
	if (json_array_size(readers) == 0)
		say("    read by nobody yet");
}

static void print_preview(const json_t *p)
{
	const json_t *reports = json_object_get(p, "reports"), *everyone = json_object_get(p, "everyone"), *one;
	size_t i;

	say("%s", bold(keep_printf("Consent version %s", number_text(json_object_get(p, "consentVersion")))));
	if (json_array_size(reports) == 0)
		say("No report would be sealed: no shared goal is linked here (cairn link GOAL OBJECTIVE).");
	json_array_foreach(reports, i, one) {
		say("Report %zu, layer %s, to audience %s", i + 1, cell_text(member(one, "layer"), CELL_TEXT, true),
			cell_text(member(one, "audience"), CELL_ID, true));
		print_entries(json_object_get(one, "entries"));
		if (json_is_object(json_object_get(one, "summary"))) {
			say("    summary");
			print_rest(json_object_get(one, "summary"), NULL, 0);
		}
		print_readers(json_object_get(one, "readers"));
	}
	if (json_array_size(everyone) > 0)
		say("Through roll-ups everyone will see:");
	json_array_foreach(everyone, i, one) {
		const char *objective = text_of(one, "objectiveTitle");
		say("    %s: %s", objective[0] != '\0' ? objective : text_of(one, "objective"), text_of(one, "sentence"));
	}
}

/* ---- raw bytes ---- */

static void print_hex(struct slice s)
{
	for (size_t i = 0; i < s.len; i += 32) {
		for (size_t k = i; k < s.len && k < i + 32; k++)
			printf("%02x", s.data[k]);
		putchar('\n');
	}
}

/* Appends the raw members of the reports, or of those whose audience begins with prefix; returns how many.  ERR_MALFORMED: one is not
 * there or no base32. */
static size_t collect_raw(struct buf *bytes, enum err *e, const json_t *reports, const char *prefix)
{
	const json_t *one;
	size_t i, found = 0;

	*e = OK;
	json_array_foreach(reports, i, one) {
		const char *raw = json_string_value(json_object_get(one, "raw")), *to = json_string_value(json_object_get(one, "audience"));
		if (prefix != NULL && (to == NULL || strncasecmp(to, prefix, strlen(prefix)) != 0))
			continue;
		found++;
		if (raw == NULL || id_decode(bytes, slice_of(raw)) != OK)
			*e = ERR_MALFORMED;
	}
	return found;
}

int print_raw(struct cli *c, const json_t *reports)
{
	const char *prefix = args_option(&c->args, "audience");
	struct buf bytes = {0};
	enum err e;
	size_t found = collect_raw(&bytes, &e, reports, prefix);
	int code = EXIT_DONE;

	if (bytes.err != OK)
		code = no_memory();
	else if (e != OK)
		code = complain(EXIT_FAILED, "cairnd sent a report without its bytes: is it of another version?");
	else if (prefix != NULL && found == 0)
		code = complain(EXIT_NOT_FOUND, "No report goes to an audience that begins with \"%s\"", safe(prefix));
	else if (c->out_tty)
		print_hex(buf_slice(&bytes));
	else if (bytes.len > 0)
		fwrite(bytes.data, 1, bytes.len, stdout);
	buf_wipe(&bytes);
	return code;
}

int cmd_share_preview(struct cli *c)
{
	bool raw = args_option(&c->args, "raw") != NULL;
	json_t *preview;
	int code = get(c, &preview, with_query(route("/api/organizations/{}/share/preview", c->org), "raw", raw ? "1" : NULL));

	if (code != EXIT_DONE)
		return code;
	if (c->json)
		print_json(preview);
	else if (raw)
		return print_raw(c, json_object_get(preview, "reports"));
	else
		print_preview(preview);
	return EXIT_DONE;
}

/* ---- consent ---- */

int cmd_share_accept(struct cli *c)
{
	json_t *preview;
	int code;

	if (!c->yes) {
		if (!may_ask(c))
			return complain(EXIT_REFUSED, "Nothing was accepted: look at cairn share preview, then say cairn share accept --yes");
		if ((code = get(c, &preview, route("/api/organizations/{}/share/preview", c->org))) != EXIT_DONE)
			return code;
		print_preview(preview);
		if (!ask_yes("Share this from now on? [y/N] "))
			return complain(EXIT_REFUSED, "Nothing was accepted: what is shared stays as it was");
	}
	return change(c, "POST", route("/api/organizations/{}/share/accept", c->org), NULL);
}

int cmd_share_withdraw(struct cli *c)
{
	return change(c, "POST", route("/api/organizations/{}/share/withdraw", c->org), NULL);
}
