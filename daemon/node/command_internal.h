/* What the command files share.  Handlers reply and return OK, or return a hard error, which fails the turn. */
#ifndef NODE_COMMAND_INTERNAL_H
#define NODE_COMMAND_INTERNAL_H
#include "daemon/node/node_internal.h"

struct ask { struct node *n; const struct command *c; uint64_t token; };        /* one command, being done */

enum err command_refuse(const struct ask *, enum err, const char *format, ...) __attribute__((format(printf, 3, 4)));
enum err command_done(const struct ask *, struct reply_builder *, const char *hint, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* An error of a lower level as a reply: hard ones are returned as they are. */
enum err command_error(const struct ask *, enum err, const char *what);
/* The org that the command names, or the default, of which this device is an active member.  NULL: *e is to be returned. */
struct space *command_org(const struct ask *, enum err *e);
/* KEY=VALUE pairs into a change; base: the document as it stands (for sets), NULL when new.  Names that are not fields of the kind and
 * stand in skip (NULL-terminated) are passed over.  Not OK: a reply was sent, *sent is true. */
enum err command_pairs(const struct ask *, struct change *, const struct kind_spec *, const struct doc *base, const char *const *skip,
	bool *sent);
const struct pair *command_pair(const struct command *, const char *name);      /* NULL */
/* "With 2 of 3 peers." or "" where there are none. */
const char *command_reach(struct node *, struct space *, char out[96]);
struct space *command_self(struct node *);
/* Can documents of this org be written here?  Asked before an act is signed that a later refusal could not take back.  *sent: no, and
 * the refusal went out. */
enum err command_ready(const struct ask *, struct space *, const char *what, bool *sent);

typedef enum err command_handler(const struct ask *);
command_handler command_org_create, command_org_set, command_org_use, command_org_leave, command_invite, command_invite_close,
	command_member_role, command_member_remove, command_member_approve, command_profile, command_device_grant, command_device_revoke,
	command_team_add, command_team_edit, command_team_assign, command_team_lead, command_objective_add, command_objective_edit,
	command_goal_add, command_goal_edit, command_goal_progress, command_link, command_unlink, command_share_accept,
	command_share_set, command_share_goal, command_share_aggregator;
#endif
