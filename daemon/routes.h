/* routes: what the routes_*.c files share: a read (one view over the node for one request), references, bodies, answers.
 *
 *	static void goal_show(struct request *r)
 *	{
 *		struct read q;
 *		struct id16 id;
 *
 *		if (read_begin(&q, r) && read_ref(&q, KIND_GOAL, request_param(r, "goal"), "goal", &id))
 *			read_answer(&q, goal_json(&q, &id));
 *	}
 *
 * A function that returns false has answered and closed the view. */
#ifndef DAEMON_ROUTES_H
#define DAEMON_ROUTES_H
#include "daemon/http.h"
#include "daemon/json.h"
#include "daemon/node/view.h"

struct read {
	struct request *r;
	struct view *v;
	uint64_t now;                           /* wall, ms */
	struct view_self self;
	struct id32 org; const struct state *state;     /* after read_org */
};
bool read_begin(struct read *, struct request *);
/* Resolves {org}, or "default".  Only organizations of which this device is an active member. */
bool read_org(struct read *);
bool read_begin_org(struct read *, struct request *);           /* both */
bool read_org_named(struct read *, const struct id32 *org);     /* the organization is known */
void read_end(struct read *);                                   /* before a command; NULL views are fine */
void read_answer(struct read *, json_t *body);                  /* 200; takes the reference; NULL: out of memory */
void read_answer_as(struct read *, unsigned status, json_t *body);
bool read_fail(struct read *, enum err, const char *format, ...) __attribute__((format(printf, 3, 4)));  /* false */
/* Of a view's function: OK, or answered. */
bool read_ok(struct read *, enum err);
/* A reference (view_resolve's kinds).  what: for the sentence.  id has 16 or 32 bytes. */
bool read_ref(struct read *, uint32_t kind, const char *reference, const char *what, void *id);
uint64_t now_ms(void);

/* ---- bodies ---- */
/* What the body says under a key, as text (numbers and booleans too); *has false: absent or null. */
bool body_text(struct read *, const char *key, struct slice *, bool *has);
bool body_bool(struct read *, const char *key, bool *, bool *has);              /* true, "true", "yes", "on" … */
bool body_uint(struct read *, const char *key, uint64_t max, uint64_t *, bool *has);
bool body_decimal(struct read *, const char *key, decimal *, bool *has);
/* A reference under a key: has false if absent, null or "". */
bool body_ref(struct read *, uint32_t kind, const char *key, const char *what, void *id, bool *has);
bool body_has(const struct read *, const char *key);                            /* present, null too */
/* Every member of the body but those in skip as pairs of the command; the memory is the request's. */
bool body_pairs(struct read *, struct command *, const char *const *skip);
/* The value of one pair is replaced by the whole id that it refers to: parentGoalId, ownerUserId … */
bool body_pair_ref(struct read *, struct command *, uint32_t kind, const char *key, const char *what);
bool body_only(struct read *, const char *const *known);

/* ---- writing ---- */
/* Closes the view and sends the command; then() answers. */
void read_command(struct read *, const struct command *, void (*then)(struct request *, const struct reply *));
/* A further command of the same request: its Idempotency-Key is the first one's. */
void read_command_next(struct read *, struct command *, void (*then)(struct request *, const struct reply *));
/* For then(): an error is answered as it is (false); else a new read. */
bool reply_begin(struct read *, struct request *, const struct reply *);
bool reply_begin_org(struct read *, struct request *, const struct reply *);
bool reply_id(const struct reply *, void *id, size_t len);      /* the field "id" */
/* The object with message and hint; object NULL: {} was not to be had, the reply's own fields. */
void reply_answer(struct read *, const struct reply *, json_t *object);
void reply_plain(struct request *, const struct reply *);       /* message and hint, the reply's fields */

/* ---- objects that several files print ---- */
json_t *objective_read_json(struct read *, const struct id16 *);
json_t *goal_read_json(struct read *, const struct id16 *);
json_t *org_json(struct read *);                                /* after read_org */
json_t *member_json(struct read *, const struct member *);
json_t *device_json(struct read *, const struct device *);
json_t *name_json(struct read *, const struct id32 *member);    /* display name; null when not known */
json_t *who_json(struct read *, const struct id32 *device);     /* {deviceId, memberId, displayName} */
struct slice title_of(struct read *, const struct id16 *objective);
/* "5 s", "3 h", "2 days": for sentences. */
const char *span_text(char out[32], uint64_t ms);
const char *percent_text(char out[32], decimal);                /* "45.5 %": two decimals at most */

typedef void route_handler(struct request *);
route_handler local_init, local_unlock, local_passphrase, recovery_show, recovery_confirm, local_stop;  /* routes_keys.c */
route_handler local_status, local_check, local_offline, local_online;                                   /* routes_status.c */
route_handler orgs_list, org_create, org_show, org_set, org_join, org_use, org_invite, invite_close, profile_set;
route_handler members_list, member_show, member_set, member_remove, devices_list, device_set, device_revoke;
route_handler teams_list, team_add, team_show, team_set, team_members, team_assign, team_unassign;
route_handler objectives_list, objective_add, objective_show, objective_set;
route_handler progress_show, progress_list;
route_handler goals_list, goal_add, goal_show, goal_set, goal_progress, link_add, link_remove;
route_handler share_show, share_accept, share_withdraw, share_set, share_goal, share_preview, share_why, reports_list;
route_handler peers_list, peer_add, local_sync;
route_handler audit_list, state_hash;
#endif
