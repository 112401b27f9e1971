#include "cli/commands.h"
#include <ctype.h>
#include <string.h>

#define OPTIONS(...) (const struct option_spec[]){ __VA_ARGS__, { NULL, 0, NULL, NULL } }
#define PASSPHRASE_FILE { "passphrase-file", 0, "FILE", "read the passphrase from the first line of FILE (-: stdin)" }

#define OBJECTIVE_OPTIONS \
	{ "team", 0, "TEAM", "the team that it belongs to (none: the whole organization)" }, \
	{ "parent", 0, "REF", "the objective above it" }, \
	{ "method", 0, "METHOD", "Average, WeightedAverage, Minimum, Maximum, Sum, KeyResults, TaskBased" }, \
	{ "period", 0, "PERIOD", "2026-Q4, 2026-H1, 2026, 2026-07, 2026-W31 or 2026-01-15..2026-03-31" }, \
	{ "target", 0, "N", "targetValue (default 100)" }, \
	{ "current", 0, "N", "currentValue: for an objective that nothing rolls up into" }
#define GOAL_OPTIONS \
	{ "target", 0, "N", "targetValue" }, \
	{ "current", 0, "N", "currentValue" }, \
	{ "parent", 0, "REF", "the goal above it" }
#define OBJECTIVE_KEYS "Keys: title description successCriteria goalType teamId parentGoalId calculationMethod period periodNumber\n" \
	"periodYear customStartDate customEndDate targetValue currentValue unit status priority ownerUserId tags weight edge."
#define GOAL_KEYS "Keys: title description category priority targetValue currentValue baselineValue progressPercent unit status\n" \
	"startDate targetDate completedDate parentGoalId isPrivate contributingToTeamId isSharedWithOrganization."
#define OBJECTIVE_FIELDS "id title description successCriteria goalType teamId parentGoalId calculationMethod period periodNumber " \
	"periodYear customStartDate customEndDate targetValue currentValue unit status priority ownerUserId tags progressPercent " \
	"contributorCount organizationId createdAt updatedAt"
#define GOAL_FIELDS "id title description category priority targetValue currentValue baselineValue progressPercent unit status " \
	"startDate targetDate completedDate parentGoalId isPrivate contributingToTeamId isSharedWithOrganization completedTaskCount " \
	"totalTaskCount links checkins updatedAt"
#define ORG_FIELDS "id name description mission vision logoUrl fiscalYearStartMonth allowMemberGoalCreation requireGoalApproval " \
	"scoringMethod externalId minGroup rollupUnit allowOver status role memberCount teamCount aggregators isDefault"
#define MEMBER_FIELDS "id displayName email role status teamIds joinedAt managerId devices"
#define PEER_FIELDS "deviceId memberId displayName state since why todo addresses spaces bytesIn bytesOut lastError"

const struct command_group command_groups[] = {
	{ "goal", "your own goals: nobody sees them until you link and share" },
	{ "objective", "the organization's objectives" },
	{ "share", "what others may see of your goals" },
	{ "org", "organizations: found, join, invite" },
	{ "member", "the people of an organization" },
	{ "team", "teams" },
	{ "peer", "other devices that this one talks to" },
	{ "device", "devices and what they may do" },
	{ "recover", "the recovery phrase" },
	{ "debug", "for tests and bug reports" },
};
const size_t command_groups_count = sizeof command_groups / sizeof *command_groups;

const struct command commands[] = {
{ "", "", "what needs you now", 0, 0, TAIL_NONE, cmd_overview, NULL, "cairn\n", NULL, NULL },

{ "init", "", "make your identity and this device's keys", 0, 0, TAIL_NONE, cmd_init, OPTIONS(
	{ "name", 0, "NAME", "your name, as others will see it" },
	{ "email", 0, "ADDRESS", "your e-mail address" },
	{ "no-passphrase", 0, NULL, "keep the keys under a key file instead of a passphrase" },
	PASSPHRASE_FILE),
	"cairn init\ncairn init --name Ann --no-passphrase\ncairn init --name Ann --passphrase-file ~/.cairn-pass\n",
	"On a terminal it asks for what is missing.", "memberId deviceId message hint" },
{ "unlock", "", "open the keystore with its passphrase", 0, 0, TAIL_NONE, cmd_unlock, OPTIONS(PASSPHRASE_FILE),
	"cairn unlock\ncairn unlock --passphrase-file FILE\n", NULL, "message" },
{ "status", "", "this device, its organizations and peers", 0, 0, TAIL_NONE, cmd_status, NULL, "cairn status\ncairn status --json\n",
	"Says for each peer that is not reachable: who, since when, why, and what to do.",
	"state version pid home memberId deviceId name offline port recoveryConfirmed organizations peers notices waiting share" },
{ "stop", "", "stop cairnd", 0, 0, TAIL_NONE, cmd_stop, NULL, "cairn stop\n", NULL, "message pid" },
{ "offline", "", "talk to no peer until `cairn online`, also after a restart", 0, 0, TAIL_NONE, cmd_offline, NULL, "cairn offline\n",
	NULL, "message hint" },
{ "online", "", "talk to peers again", 0, 0, TAIL_NONE, cmd_online, NULL, "cairn online\n", NULL, "message hint" },
{ "check", "", "read and open every stored record", 0, 0, TAIL_NONE, cmd_check, NULL, "cairn check\n", NULL, "records damaged format" },
{ "recover show", "", "show the 24 words that restore your identity", 0, 0, TAIL_NONE, cmd_recover_show, NULL, "cairn recover show\n",
	"Write them on paper.  They can be shown until you confirm that you have them.", "phrase hint" },
{ "recover confirm", "", "say that the words are on paper: they leave this machine", 0, 0, TAIL_NONE, cmd_recover_confirm, OPTIONS(
	{ "phrase-file", 0, "FILE", "read the words from the first line of FILE (-: stdin)" }),
	"cairn recover confirm\ncairn recover confirm --phrase-file -\n", "Asks for the words, to be sure that they are written down.", "message hint" },

{ "goal add", "TITLE [KEY=VALUE...]", "add a goal of your own", 1, 1, TAIL_PAIRS, cmd_goal_add, OPTIONS(GOAL_OPTIONS),
	"cairn goal add \"Ship v2\" --target 100\ncairn goal add \"Read 12 books\" --target 12 unit=books targetDate=2026-12-31\n",
	GOAL_KEYS, GOAL_FIELDS },
{ "goal list", "[FILTER...]", "list your goals", 0, 0, TAIL_FILTERS, cmd_goal_list, NULL,
	"cairn goal list\ncairn goal list status:IN_PROGRESS\n", "Filters: status: category: priority: parent:, or words of the title.", GOAL_FIELDS },
{ "goal show", "GOAL", "show one goal", 1, 1, TAIL_NONE, cmd_goal_show, NULL, "cairn goal show \"Ship v2\"\ncairn goal show 7f3k --json\n",
	NULL, GOAL_FIELDS },
{ "goal edit", "GOAL KEY=VALUE...", "change a goal", 1, 1, TAIL_PAIRS, cmd_goal_edit, OPTIONS(GOAL_OPTIONS),
	"cairn goal edit \"Ship v2\" status=IN_PROGRESS priority=HIGH\ncairn goal edit 7f3k description=\n",
	GOAL_KEYS "\nKEY= without a value unsets it.", GOAL_FIELDS },
{ "goal progress", "GOAL VALUE", "say how far a goal is", 2, 2, TAIL_NONE, cmd_goal_progress, OPTIONS(
	{ "note", 'm', "NOTE", "a note, for yourself unless you share details" }),
	"cairn goal progress \"Ship v2\" 45.5\ncairn goal progress 7f3k 45% -m \"first half done\"\n",
	"VALUE is the current value; with % it is a percentage.", GOAL_FIELDS },
{ "link", "GOAL OBJECTIVE", "let a goal of yours contribute to an objective", 2, 2, TAIL_NONE, cmd_link, OPTIONS(
	{ "weight", 'w', "W", "how much it counts (default 1)" }),
	"cairn link \"Ship v2\" \"Grow revenue\" --weight 2\n", "Nothing is shared by this alone: see cairn share preview.", "message hint …" },
{ "unlink", "GOAL [OBJECTIVE]", "take a goal away from one objective, or from all", 1, 2, TAIL_NONE, cmd_unlink, NULL,
	"cairn unlink \"Ship v2\"\n", NULL, "message hint" },

{ "share show", "", "your sharing settings, goal by goal", 0, 0, TAIL_NONE, cmd_share_show, NULL, "cairn share show\n", NULL,
	"accepted version shareGoalProgress shareTaskCompletionCounts shareTimeAllocation shareDetailedTasks shareCategories goals "
	"refusedAggregators" },
{ "share preview", "", "exactly what would be sealed, and who could read it", 0, 0, TAIL_NONE, cmd_share_preview, OPTIONS(
	{ "raw", 0, NULL, "the bytes themselves (on a terminal: hexadecimal)" },
	{ "audience", 0, "PREFIX", "with --raw: only the report to this audience" }),
	"cairn share preview\ncairn share preview --raw | sha256sum\n", NULL, "consentVersion reports everyone" },
{ "share accept", "", "agree to share what the preview shows", 0, 0, TAIL_NONE, cmd_share_accept, NULL,
	"cairn share accept\ncairn share accept --yes\n", "Shows the preview and asks; without a terminal it needs --yes.", "message hint" },
{ "share withdraw", "", "share nothing any more", 0, 0, TAIL_NONE, cmd_share_withdraw, NULL, "cairn share withdraw\n", NULL, "message hint" },
{ "share set", "KEY=VALUE...", "change what is shared", 0, 0, TAIL_PAIRS, cmd_share_set, NULL,
	"cairn share set shareTaskCompletionCounts=false\n",
	"Keys: shareGoalProgress shareTaskCompletionCounts shareTimeAllocation shareDetailedTasks shareCategories\n"
	"refusedAggregators (devices, with commas between).", "as share show" },
{ "share goal", "GOAL on|off", "share one goal, or keep it hidden", 2, 2, TAIL_NONE, cmd_share_goal, NULL,
	"cairn share goal \"Ship v2\" off\n", NULL, "message hint" },
{ "share why", "GOAL", "why a goal is shared, or is not", 1, 1, TAIL_NONE, cmd_share_why, NULL, "cairn share why \"Ship v2\"\n", NULL,
	"shared sentence" },

{ "org create", "NAME [KEY=VALUE...]", "found an organization", 1, 1, TAIL_PAIRS, cmd_org_create, NULL,
	"cairn org create Acme\ncairn org create \"Survey Group\" minGroup=5 fiscalYearStartMonth=4\n",
	"Keys: description mission vision logoUrl fiscalYearStartMonth scoringMethod externalId minGroup rollupUnit allowOver.", ORG_FIELDS },
{ "org join", "CODE", "join an organization with an invite's code", 1, 1, TAIL_NONE, cmd_org_join, NULL, "cairn org join CODE\n",
	"Members will see your name, your device's keys and its addresses.  Nothing else is shared by joining.", "id name role message hint" },
{ "org show", "[ORG]", "show an organization", 0, 1, TAIL_NONE, cmd_org_show, NULL, "cairn org show\n", NULL, ORG_FIELDS },
{ "org set", "KEY=VALUE...", "change settings of an organization", 0, 0, TAIL_PAIRS, cmd_org_set, NULL,
	"cairn org set mission=\"Paint everything\" minGroup=5\n", NULL, ORG_FIELDS },
{ "org invite", "", "make a code that lets somebody join", 0, 0, TAIL_NONE, cmd_org_invite, OPTIONS(
	{ "role", 0, "ROLE", "Owner, Admin, Manager, Member or Viewer (default Member)" },
	{ "team", 0, "TEAM", "join this team too; may be repeated" },
	{ "uses", 0, "N", "how many people may use it (default 1)" },
	{ "expires", 0, "TIME", "7d (default), 12h, 30m, 1s or never" },
	{ "approval", 0, NULL, "somebody must approve each join" },
	{ "address", 0, "ADDRESS", "where this device is reachable, such as tcp://192.0.2.7:7411; may be repeated" }),
	"cairn org invite\ncairn org invite --role Manager --team Sales --expires 12h\ncairn org invite --uses 20 --json\n",
	"Whoever has the code can join: send it over a channel that you trust.", "code id role teams uses expiresAt addresses" },
{ "org use", "ORG", "make it the organization that commands mean without --org", 1, 1, TAIL_NONE, cmd_org_use, NULL, "cairn org use Acme\n",
	NULL, "message hint" },
{ "org list", "", "list your organizations", 0, 0, TAIL_NONE, cmd_org_list, NULL, "cairn org list\n", NULL, ORG_FIELDS },

{ "member list", "", "list the members", 0, 0, TAIL_NONE, cmd_member_list, NULL, "cairn member list\n", NULL, MEMBER_FIELDS },
{ "member show", "MEMBER", "show one member", 1, 1, TAIL_NONE, cmd_member_show, NULL, "cairn member show Bob\n", NULL, MEMBER_FIELDS },
{ "member role", "MEMBER ROLE", "give a member another role", 2, 2, TAIL_NONE, cmd_member_role, NULL, "cairn member role Bob Manager\n",
	"Roles: Owner, Admin, Manager, Member, Viewer.", MEMBER_FIELDS },
{ "member remove", "MEMBER", "remove a member from the organization", 1, 1, TAIL_NONE, cmd_member_remove, OPTIONS(
	{ "force", 0, NULL, "also if this device has not yet synced with the others" }),
	"cairn member remove Bob\ncairn member remove Bob --yes\n", "What the member already has cannot be taken back.", "message hint" },

{ "team add", "NAME [KEY=VALUE...]", "add a team", 1, 1, TAIL_PAIRS, cmd_team_add, OPTIONS(
	{ "parent", 0, "TEAM", "the team above it" }),
	"cairn team add Sales\ncairn team add Field --parent Sales\n", NULL, "id name description parentTeamId type status teamLeadUserId memberIds" },
{ "team list", "", "list the teams", 0, 0, TAIL_NONE, cmd_team_list, NULL, "cairn team list\n", NULL,
	"id name description parentTeamId type status teamLeadUserId memberIds" },
{ "team assign", "TEAM MEMBER", "put a member into a team", 2, 2, TAIL_NONE, cmd_team_assign, OPTIONS(
	{ "lead", 0, NULL, "and make the member its lead" }),
	"cairn team assign Sales Bob\n", NULL, "message hint" },

{ "objective add", "TITLE [KEY=VALUE...]", "add an objective", 1, 1, TAIL_PAIRS, cmd_objective_add, OPTIONS(OBJECTIVE_OPTIONS),
	"cairn objective add \"Grow revenue\" --period 2026-Q4\n"
	"cairn objective add \"95% CSAT\" --team Support --parent \"Happy customers\" --current 83 priority=1\n", OBJECTIVE_KEYS, OBJECTIVE_FIELDS },
{ "objective list", "[FILTER...]", "list the objectives", 0, 0, TAIL_FILTERS, cmd_objective_list, NULL,
	"cairn objective list\ncairn objective list team:Sales status:AtRisk\n", "Filters: team: status: parent:, or words of the title.",
	OBJECTIVE_FIELDS },
{ "objective show", "OBJECTIVE", "show one objective", 1, 1, TAIL_NONE, cmd_objective_show, NULL, "cairn objective show \"Grow revenue\"\n",
	NULL, OBJECTIVE_FIELDS },
{ "objective edit", "OBJECTIVE KEY=VALUE...", "change an objective", 1, 1, TAIL_PAIRS, cmd_objective_edit, OPTIONS(OBJECTIVE_OPTIONS),
	"cairn objective edit \"Grow revenue\" status=Active\n", OBJECTIVE_KEYS "\nKEY= without a value unsets it.", OBJECTIVE_FIELDS },
{ "progress", "[OBJECTIVE]", "how far the objectives are", 0, 1, TAIL_NONE, cmd_progress, OPTIONS(
	{ "explain", 0, NULL, "how the number comes about" }),
	"cairn progress\ncairn progress \"Grow revenue\" --explain\n", NULL,
	"overallProgress status lastUpdated contributors teams keyResults trend contributorCount hiddenCount method publishedBy asOf "
	"computedHere note" },

{ "peers", "", "the devices that this one talks to", 0, 0, TAIL_NONE, cmd_peers, NULL, "cairn peers\n", NULL, PEER_FIELDS },
{ "peer list", "", "the devices that this one talks to", 0, 0, TAIL_NONE, cmd_peers, NULL, "cairn peer list\n", NULL, PEER_FIELDS },
{ "peer add", "MEMBER|DEVICE ADDRESS", "say where a device can be reached", 2, 2, TAIL_NONE, cmd_peer_add, NULL,
	"cairn peer add Bob tcp://192.0.2.7:7411\n", NULL, "message hint" },
{ "sync", "[PEER]", "exchange everything with the peers now, and wait for it", 0, 1, TAIL_NONE, cmd_sync, NULL,
	"cairn sync\ncairn sync Bob --timeout 10\n", "Waits 60 s unless --timeout says otherwise.  Exit status 8: no peer could be reached.",
	"peers (deviceId displayName digest at inSync why)" },
{ "device list", "", "the devices of the members", 0, 0, TAIL_NONE, cmd_device_list, NULL, "cairn device list\n", NULL,
	"id memberId displayName capabilities revoked self" },
{ "device grant", "DEVICE CAPABILITY", "let a device be an aggregator or relay", 2, 2, TAIL_NONE, cmd_device_grant, NULL,
	"cairn device grant 7f3k aggregator\n", NULL, "message hint" },
{ "device withdraw", "DEVICE CAPABILITY", "take that back", 2, 2, TAIL_NONE, cmd_device_withdraw, NULL,
	"cairn device withdraw 7f3k aggregator\n", NULL, "message hint" },
{ "audit", "", "who shared what with whom, and when", 0, 0, TAIL_NONE, cmd_audit, NULL, "cairn audit\n", NULL,
	"at action entityType entityId organizationId details hash" },
{ "debug state-hash", "", "two hashes that are equal on devices that agree", 0, 0, TAIL_NONE, cmd_debug_state_hash, NULL,
	"cairn debug state-hash\n", NULL, "replica state" },
{ "debug report", "", "the reports that this device can open", 0, 0, TAIL_NONE, cmd_debug_report, OPTIONS(
	{ "raw", 0, NULL, "the bytes themselves (on a terminal: hexadecimal)" },
	{ "audience", 0, "PREFIX", "only reports to this audience" }),
	"cairn debug report\ncairn debug report --raw | sha256sum\n", NULL, "memberId displayName audience consent at entries" },
{ "help", "[COMMAND]", "explain a command; also: exit-codes, environment", 0, 3, TAIL_NONE, cmd_help, NULL,
	"cairn help goal add\ncairn help exit-codes\n", NULL, NULL },
};
const size_t commands_count = sizeof commands / sizeof *commands;

/* ---- finding ---- */

static bool is_path(const char *path, size_t n, const char *const *words)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(words[i]);
		if (len == 0 || strncmp(path, words[i], len) != 0 || path[len] != (i + 1 < n ? ' ' : '\0'))
			return false;
		path += len + 1;
	}
	return true;
}

const struct command *command_find(size_t *used, const struct command_group **group, size_t n, const char *const *words)
{
	*group = NULL;
	for (*used = n < 2 ? n : 2; *used > 0; --*used)
		for (size_t i = 0; i < commands_count; i++)
			if (is_path(commands[i].path, *used, words))
				return &commands[i];
	for (size_t i = 0; n > 0 && i < command_groups_count; i++)
		if (strcmp(command_groups[i].name, words[0]) == 0) {
			*group = &command_groups[i];
			*used = 1;
		}
	return NULL;
}

/* ---- did you mean ---- */

#define WORD_MAX 31

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned edit_distance(const char *a, const char *b)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > WORD_MAX || m > WORD_MAX)
		return 99;
	for (unsigned i = 0; i <= n; i++)
		d[i][0] = i;
	for (unsigned k = 0; k <= m; k++)
		d[0][k] = k;
	for (size_t i = 1; i <= n; i++)
		for (size_t k = 1; k <= m; k++) {
			int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[k - 1]);
			d[i][k] = least(least(d[i - 1][k], d[i][k - 1]) + 1, d[i - 1][k - 1] + (x != y));
			if (i > 1 && k > 1 && x == tolower((unsigned char)b[k - 2]) && y == tolower((unsigned char)a[i - 2]))
				d[i][k] = least(d[i][k], d[i - 2][k - 2] + 1);
		}
	return d[n][m];
}

/* How far the path is from what was typed; a whole last word ("invite" for "org invite") counts as near. */
static unsigned distance(const char *path, size_t n, const char *const *words)
{
	char first[WORD_MAX + 1];
	const char *space = strchr(path, ' ');
	size_t len = space == NULL ? strlen(path) : (size_t)(space - path);
	unsigned d;

	if (len > WORD_MAX || len == 0)
		return 99;
	memcpy(first, path, len);
	first[len] = '\0';
	d = edit_distance(first, words[0]);
	if (n == 1)
		return space != NULL ? (strcasecmp(space + 1, words[0]) == 0 ? 1 : 99) : d;
	return space == NULL ? 99 : d + edit_distance(space + 1, words[1]);
}

size_t command_nearest(const char **paths, size_t max, size_t n, const char *const *words)
{
	size_t len = n == 0 ? 0 : strlen(words[n - 1]), found = 0;
	unsigned limit = len < 4 ? 1 : len < 7 ? 2 : 3;

	for (unsigned d = 0; d <= limit && n > 0 && found == 0; d++) {
		for (size_t i = 0; i < command_groups_count && n == 1 && found < max; i++)
			if (edit_distance(command_groups[i].name, words[0]) == d)
				paths[found++] = command_groups[i].name;
		for (size_t i = 0; i < commands_count && found < max; i++)
			if (distance(commands[i].path, n, words) == d)
				paths[found++] = commands[i].path;
	}
	return found;
}
