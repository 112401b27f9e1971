#include <string.h>
#include <strings.h>
#include "org/permit.h"

/* Inventory F.  Bits by relation; what is not set is denied.  Below: teams under one's own. */
#define OWN   (1u << RELATION_OWN)
#define TEAM  (1u << RELATION_OWN_TEAM)
#define BELOW (1u << RELATION_TEAM_BELOW)
#define OTHER (1u << RELATION_OTHER)
#define ALL   (OWN | TEAM | BELOW | OTHER)

static const unsigned char matrix[ACTION_COUNT][ROLE_NONE] = {
	/*                            Owner  Admin  Manager             Member  Viewer */
	[MAY_EDIT_OBJECTIVES]     = { ALL,   ALL,   TEAM | BELOW,       0,      0 },
	[MAY_VIEW_OBJECTIVES]     = { ALL,   ALL,   ALL,                ALL,    ALL },
	[MAY_VIEW_PROGRESS]       = { ALL,   ALL,   OWN | TEAM | BELOW, OWN,    0 },
	[MAY_VIEW_CONTRIBUTIONS]  = { ALL,   ALL,   OWN | TEAM | BELOW, OWN,    0 },
	[MAY_VIEW_TASKS]          = { ALL,   ALL,   OWN | TEAM | BELOW, OWN,    0 },
	[MAY_MANAGE_TEAMS]        = { ALL,   ALL,   TEAM | BELOW,       0,      0 },
	[MAY_INVITE]              = { ALL,   ALL,   TEAM | BELOW,       0,      0 },
	[MAY_CONFIGURE]           = { ALL,   ALL,   0,                  0,      0 },
	[MAY_EXPORT]              = { ALL,   ALL,   OWN | TEAM | BELOW, OWN,    0 },
	[MAY_DELETE]              = { ALL,   0,     0,                  0,      0 },
	[MAY_MANAGE_MEMBERS]      = { ALL,   ALL,   0,                  0,      0 },
	[MAY_GRANT_CAPABILITY]    = { ALL,   0,     0,                  0,      0 },
	[MAY_PROPOSE_OBJECTIVES]  = { ALL,   ALL,   TEAM | BELOW,       TEAM,   0 },
};

bool permit(enum role role, enum action action, enum relation relation)
{
	if ((unsigned)role >= ROLE_NONE || (unsigned)action >= ACTION_COUNT || (unsigned)relation >= RELATION_COUNT)
		return false;
	return matrix[action][role] & 1u << relation;
}

static const char *const names[] = { "Owner", "Admin", "Manager", "Member", "Viewer" };

const char *role_name(enum role role)
{
	return (unsigned)role < ROLE_NONE ? names[role] : "none";
}

bool role_parse(enum role *role, const char *name)
{
	for (unsigned i = 0; i < ROLE_NONE; i++)
		if (strcasecmp(names[i], name) == 0) {
			*role = (enum role)i;
			return true;
		}
	return false;
}
