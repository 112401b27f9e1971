/* permit: who may do what: inventory section F as one constant table (role × action × relation), default deny (design §6).  Used
 * when ops are folded, when reports are sealed, when the command line answers and when HTTP answers. */
#ifndef ORG_PERMIT_H
#define ORG_PERMIT_H
#include <stdbool.h>

/* Rank: a smaller number outranks a larger one. */
enum role { ROLE_OWNER = 0, ROLE_ADMIN = 1, ROLE_MANAGER = 2, ROLE_MEMBER = 3, ROLE_VIEWER = 4, ROLE_NONE = 5 };
enum action {
	MAY_EDIT_OBJECTIVES,            /* F1 */
	MAY_VIEW_OBJECTIVES,            /* F2 */
	MAY_VIEW_PROGRESS,              /* F3 */
	MAY_VIEW_CONTRIBUTIONS,         /* F4 */
	MAY_VIEW_TASKS,                 /* F5: only what is shared, whatever the role (AH4) */
	MAY_MANAGE_TEAMS,               /* F6 */
	MAY_INVITE,                     /* F7 */
	MAY_CONFIGURE,                  /* F8 */
	MAY_EXPORT,                     /* F9 */
	MAY_DELETE,                     /* F10 */
	MAY_MANAGE_MEMBERS,             /* roles, removal: Owner and Admin, of whom they outrank */
	MAY_GRANT_CAPABILITY,           /* Owner */
	MAY_PROPOSE_OBJECTIVES,         /* C10: Draft in own teams, if allowMemberGoalCreation */
	ACTION_COUNT
};
enum relation { RELATION_OWN, RELATION_OWN_TEAM, RELATION_TEAM_BELOW, RELATION_OTHER, RELATION_COUNT };
bool permit(enum role, enum action, enum relation);
const char *role_name(enum role);       /* "Owner" … */
bool role_parse(enum role *, const char *name);   /* any case */
#endif
