/* command: what users ask of a node, typed.  The routes (daemon/routes_*.c) make them from JSON and resolve references first; the node
 * checks rights, signs, stores, and replies.  Reads are not commands: view.h. */
#ifndef NODE_COMMAND_H
#define NODE_COMMAND_H
#include "base/crypto.h"
#include "base/decimal.h"
#include "org/authority.h"

enum command_kind {
	COMMAND_ORG_CREATE = 1,         /* text: name; pairs: settings */
	COMMAND_ORG_JOIN,               /* text: the code; reply when admitted and synced once, or ERR_WAITING after 30 s */
	COMMAND_ORG_SET,                /* pairs */
	COMMAND_ORG_USE,                /* org: the default from now on */
	COMMAND_ORG_LEAVE,
	COMMAND_INVITE,                 /* role, teams, uses, expires_ms (a time), on: approval; texts: addresses */
	COMMAND_INVITE_CLOSE,           /* other: invite key */
	COMMAND_MEMBER_ROLE,            /* other: member; role */
	COMMAND_MEMBER_REMOVE,          /* other: member; force: without having reconciled */
	COMMAND_MEMBER_APPROVE,
	COMMAND_PROFILE_SET,            /* pairs: own displayName, email */
	COMMAND_DEVICE_GRANT,           /* other: device; number: capability; on */
	COMMAND_DEVICE_REVOKE,
	COMMAND_TEAM_ADD,               /* pairs (name …); target: parent */
	COMMAND_TEAM_EDIT,              /* document; pairs; target/clear_target: parent */
	COMMAND_TEAM_ASSIGN,            /* document: team; other: member; on */
	COMMAND_TEAM_LEAD,              /* document: team; other: member; on */
	COMMAND_OBJECTIVE_ADD,          /* pairs; target: team (has_target) */
	COMMAND_OBJECTIVE_EDIT,         /* document; pairs; has_target/clear_target: team */
	COMMAND_GOAL_ADD,               /* pairs */
	COMMAND_GOAL_EDIT,              /* document; pairs */
	COMMAND_GOAL_PROGRESS,          /* document; value: current value, or percent (on); text: note */
	COMMAND_LINK,                   /* document: goal; target: objective; value: weight (has_value) */
	COMMAND_UNLINK,                 /* document: goal; target: objective (has_target), else all of this org */
	COMMAND_SHARE_ACCEPT,           /* on: accept; off: withdraw consent */
	COMMAND_SHARE_SET,              /* pairs of shareGoalProgress … */
	COMMAND_SHARE_GOAL,             /* document; on */
	COMMAND_SHARE_AGGREGATOR,       /* other: device; on: refuse */
	COMMAND_PEER_ADD,               /* text: tcp address; other: the device (or zero: ask by CURVE key in number…) */
	COMMAND_SYNC,                   /* other: one device (has_other); number: timeout ms */
	COMMAND_OFFLINE,                /* on: offline */
	COMMAND_RECOVER_CONFIRM,        /* the shell has taken the seed off the disk */
	COMMAND_STOP
};
struct pair { struct slice key, value; };
struct command {
	enum command_kind kind;
	struct id16 request;                    /* idempotency: the reply is kept 24 h */
	bool has_org; struct id32 org;          /* else the default org */
	struct slice text;
	const struct pair *pairs; size_t n_pairs;       /* JSON names and values as text (org/model.h value_parse) */
	const struct slice *texts; size_t n_texts;
	bool has_document, has_target, clear_target, has_other, has_value, has_expiry, has_role, has_team_list;
	struct id16 document, target;
	struct id32 other;
	const struct id16 *teams; size_t n_teams;
	enum role role;
	uint64_t number, uses, expires_ms;
	decimal value;
	bool on, force;
};
/* A reply: an error or OK, one sentence for people, what comes next, and fields for JSON.  fields is a canonical msgpack map of text
 * keys to text, uint, bool, nil, bin (ids, shown as base32) or arrays of those.  So it can be stored and sent again as it is. */
struct reply { enum err err; struct slice message, hint, fields; };
#endif
