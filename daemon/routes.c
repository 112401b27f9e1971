/* The route table (design §11; docs/api.md): method, path, who may, in which state, handler.  In an organization every handler asks for
 * active membership first (read_org), and then the permission matrix about each row and command. */
#include "daemon/routes.h"

#define ORG "/api/organizations/{org}"
#define LOCAL RIGHT_LOCAL, NEEDS_OPEN
#define SELF RIGHT_SELF, NEEDS_OPEN
#define MEMBER RIGHT_MEMBER, NEEDS_OPEN

const struct route routes[] = {
	{ "GET", "/api/local/status", RIGHT_LOCAL, NEEDS_NOTHING, local_status, "the state of this daemon, and what needs the member" },
	{ "POST", "/api/local/init", RIGHT_LOCAL, NEEDS_NEW, local_init, "make identity and keys" },
	{ "POST", "/api/local/unlock", RIGHT_LOCAL, NEEDS_LOCKED, local_unlock, "open the keystore" },
	{ "POST", "/api/local/passphrase", LOCAL, local_passphrase, "change or remove the passphrase" },
	{ "GET", "/api/local/recovery", LOCAL, recovery_show, "the recovery phrase, until it is confirmed" },
	{ "POST", "/api/local/recovery/confirm", LOCAL, recovery_confirm, "the phrase is written down: forget the seed" },
	{ "POST", "/api/local/stop", RIGHT_LOCAL, NEEDS_NOTHING, local_stop, "stop this daemon" },
	{ "POST", "/api/local/offline", LOCAL, local_offline, "talk to nobody until told otherwise" },
	{ "POST", "/api/local/online", LOCAL, local_online, "talk to peers again" },
	{ "GET", "/api/local/check", LOCAL, local_check, "read and open every stored record" },

	{ "GET", "/api/organizations", MEMBER, orgs_list, "the organizations that this member is in" },
	{ "POST", "/api/organizations", SELF, org_create, "found an organization" },
	{ "GET", ORG, MEMBER, org_show, "an organization" },
	{ "PUT", ORG, MEMBER, org_set, "change its settings (Owner, Admin)" },
	{ "POST", "/api/local/organizations/join", LOCAL, org_join, "join with an invite's code" },
	{ "POST", "/api/local/organizations/{org}/use", LOCAL, org_use, "make it the default" },
	{ "POST", ORG "/members/invite", MEMBER, org_invite, "make an invite (Owner, Admin; Manager: to own teams)" },
	{ "DELETE", ORG "/invites/{invite}", MEMBER, invite_close, "close an invite" },
	{ "PUT", ORG "/profile", MEMBER, profile_set, "one's own name and e-mail address" },

	{ "GET", ORG "/members", MEMBER, members_list, "the members" },
	{ "GET", ORG "/members/{member}", MEMBER, member_show, "a member" },
	{ "PUT", ORG "/members/{member}", MEMBER, member_set, "change a role, or approve (Owner, Admin)" },
	{ "DELETE", ORG "/members/{member}", MEMBER, member_remove, "remove a member (Owner, Admin), or leave" },
	{ "GET", ORG "/devices", MEMBER, devices_list, "the members' devices" },
	{ "PUT", ORG "/devices/{device}", MEMBER, device_set, "grant or withdraw a capability (Owner)" },
	{ "DELETE", ORG "/devices/{device}", MEMBER, device_revoke, "revoke a device" },

	{ "GET", ORG "/teams", MEMBER, teams_list, "the teams" },
	{ "POST", ORG "/teams", MEMBER, team_add, "add a team" },
	{ "GET", ORG "/teams/{team}", MEMBER, team_show, "a team" },
	{ "PUT", ORG "/teams/{team}", MEMBER, team_set, "change a team" },
	{ "GET", ORG "/teams/{team}/members", MEMBER, team_members, "who is in a team" },
	{ "POST", ORG "/teams/{team}/members", MEMBER, team_assign, "put a member into a team" },
	{ "DELETE", ORG "/teams/{team}/members/{member}", MEMBER, team_unassign, "take a member off a team" },

	{ "GET", ORG "/goals", MEMBER, objectives_list, "the objectives" },
	{ "POST", ORG "/goals", MEMBER, objective_add, "add an objective" },
	{ "GET", ORG "/goals/{goal}", MEMBER, objective_show, "an objective" },
	{ "PUT", ORG "/goals/{goal}", MEMBER, objective_set, "change an objective" },
	{ "GET", ORG "/goals/{goal}/progress", MEMBER, progress_show, "how far an objective is; ?explain=1: why" },
	{ "GET", ORG "/progress", MEMBER, progress_list, "how far all objectives are" },

	{ "GET", "/api/local/goals", SELF, goals_list, "one's own goals" },
	{ "POST", "/api/local/goals", SELF, goal_add, "add a goal" },
	{ "GET", "/api/local/goals/{goal}", SELF, goal_show, "a goal" },
	{ "PUT", "/api/local/goals/{goal}", SELF, goal_set, "change a goal" },
	{ "POST", "/api/local/goals/{goal}/progress", SELF, goal_progress, "say how far a goal is" },
	{ "POST", ORG "/links", SELF, link_add, "link a goal to an objective" },
	{ "DELETE", ORG "/links", SELF, link_remove, "unlink a goal" },

	{ "GET", ORG "/share", SELF, share_show, "what is shared with an organization" },
	{ "PUT", ORG "/share", SELF, share_set, "change what is shared" },
	{ "POST", ORG "/share/accept", SELF, share_accept, "agree to share what the preview shows" },
	{ "POST", ORG "/share/withdraw", SELF, share_withdraw, "share nothing any more" },
	{ "PUT", ORG "/share/goals/{goal}", SELF, share_goal, "share or hide one goal" },
	{ "GET", ORG "/share/preview", SELF, share_preview, "exactly what would be sealed, and who could read it" },
	{ "GET", ORG "/share/why/{goal}", SELF, share_why, "why a goal is shared, or is not" },
	{ "GET", ORG "/reports", MEMBER, reports_list, "the reports that this device can open" },

	{ "GET", "/api/local/peers", LOCAL, peers_list, "the devices that this one talks to" },
	{ "POST", "/api/local/peers", LOCAL, peer_add, "say where a device can be reached" },
	{ "POST", "/api/local/sync", LOCAL, local_sync, "exchange everything with the peers now, and wait for it" },
	{ "GET", "/api/local/audit", SELF, audit_list, "who shared what with whom, and when" },
	{ "GET", ORG "/state-hash", MEMBER, state_hash, "two hashes that are equal on devices that agree" },
};
const size_t routes_count = sizeof routes / sizeof *routes;
