/* commands: ONE table that is dispatch, help, "did you mean" and, later, completion. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H
#include "cli/cli.h"

enum command_tail { TAIL_NONE, TAIL_PAIRS /* KEY=VALUE words */, TAIL_FILTERS /* field:value and free words */ };
struct command {
	const char *path;               /* "goal add" */
	const char *args;               /* "TITLE [KEY=VALUE...]", for people */
	const char *summary;            /* one line, no full stop */
	unsigned char min, max;         /* words before the tail */
	enum command_tail tail;
	int (*run)(struct cli *);       /* returns an enum cli_exit */
	const struct option_spec *options;      /* NULL: only the global ones */
	const char *examples;           /* lines; the first thing in its help */
	const char *more;               /* lines, or NULL */
	const char *fields;             /* what --json prints, or NULL */
};
struct command_group { const char *name, *summary; };   /* in the order of `cairn help` */

extern const struct command commands[];
extern const size_t commands_count;
extern const struct command_group command_groups[];
extern const size_t command_groups_count;

/* The longest path that begins words[0..n): *used words of it; NULL: none.  A group ("goal") is not a command: *used is 1 then
 * and *group says which. */
const struct command *command_find(size_t *used, const struct command_group **group, size_t n, const char *const *words);
/* Up to max paths that somebody may have meant by these words; returns how many. */
size_t command_nearest(const char **paths, size_t max, size_t n, const char *const *words);
/* Edits (insert, delete, replace, swap of neighbours; any case) from one to the other, at most 99. */
unsigned edit_distance(const char *a, const char *b);

/* help.c: on stdout. */
void help_all(void);
void help_group(const struct command_group *);
void help_command(const struct command *);
/* "exit-codes", "environment": false: no such topic. */
bool help_topic(const char *name);
/* "cairn goal add TITLE [KEY=VALUE...]" */
const char *help_usage(const struct command *);

/* The handlers. */
int cmd_overview(struct cli *), cmd_status(struct cli *), cmd_init(struct cli *), cmd_unlock(struct cli *), cmd_stop(struct cli *);
int cmd_offline(struct cli *), cmd_online(struct cli *), cmd_check(struct cli *), cmd_help(struct cli *);
int cmd_recover_show(struct cli *), cmd_recover_confirm(struct cli *);
int cmd_org_create(struct cli *), cmd_org_join(struct cli *), cmd_org_show(struct cli *), cmd_org_set(struct cli *);
int cmd_org_invite(struct cli *), cmd_org_use(struct cli *), cmd_org_list(struct cli *);
int cmd_member_list(struct cli *), cmd_member_show(struct cli *), cmd_member_role(struct cli *), cmd_member_remove(struct cli *);
int cmd_team_add(struct cli *), cmd_team_list(struct cli *), cmd_team_assign(struct cli *);
int cmd_objective_add(struct cli *), cmd_objective_list(struct cli *), cmd_objective_show(struct cli *), cmd_objective_edit(struct cli *);
int cmd_goal_add(struct cli *), cmd_goal_list(struct cli *), cmd_goal_show(struct cli *), cmd_goal_edit(struct cli *);
int cmd_goal_progress(struct cli *), cmd_link(struct cli *), cmd_unlink(struct cli *);
int cmd_share_show(struct cli *), cmd_share_accept(struct cli *), cmd_share_withdraw(struct cli *), cmd_share_set(struct cli *);
int cmd_share_goal(struct cli *), cmd_share_preview(struct cli *), cmd_share_why(struct cli *);
int cmd_peer_add(struct cli *), cmd_peers(struct cli *), cmd_sync(struct cli *), cmd_progress(struct cli *);
int cmd_device_list(struct cli *), cmd_device_grant(struct cli *), cmd_device_withdraw(struct cli *);
/* cmd_peer.c, also for status: each peer with its truth about sync; organizations: [{id, name}] or NULL. */
void print_peers(const json_t *peers, const json_t *organizations);
/* cmd_share.c, also for debug report: the bytes of these reports, one behind the other (--audience: of some). */
int print_raw(struct cli *, const json_t *reports);
int cmd_audit(struct cli *), cmd_debug_state_hash(struct cli *), cmd_debug_report(struct cli *);

#endif
