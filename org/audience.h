/* audience: who may read a report (design §6 "Team only", §7; protocol §§5, 6).  Pure functions of the authority state. */
#ifndef ORG_AUDIENCE_H
#define ORG_AUDIENCE_H
#include "org/authority.h"
#include "org/model.h"

/* The reader rule of a report: which teams' leads, managers and the like.  Canonical: teams ascending. */
#define RULE_TEAMS_MAX 32               /* of a member in more teams: those with the smallest ids */
struct reader_rule { unsigned layer; bool is_private; size_t n_teams; struct id16 teams[RULE_TEAMS_MAX]; };
/* The rule for one goal linked to an objective of a team: contributingToTeamId if set, else the objective's team if the member is
 * in or below it, else all the member's teams; private goals: the direct manager only. */
void reader_rule_for(struct reader_rule *, const struct state *, const struct id32 *member, const struct goal *, bool objective_has_team,
	const struct id16 *objective_team, unsigned layer);
/* Canonical bytes, input of the audience id: layer u8 ‖ private u8 ‖ number of teams u8 ‖ team… */
#define RULE_BYTES_MAX (3 + RULE_TEAMS_MAX * DOC_LEN)
void reader_rule_encode(struct buf *, const struct reader_rule *);
enum err reader_rule_decode(struct reader_rule *, struct slice);        /* ERR_MALFORMED */
int reader_rule_compare(const struct reader_rule *, const struct reader_rule *);
/* audience id = keyed BLAKE2b-128 (gate secret), domain "cairn-audience", of the rule's bytes. */
void audience_id(struct id16 *out, const uint8_t secret[KEY_LEN], const struct reader_rule *);

enum reader_class { READER_SELF, READER_OWNER, READER_ADMIN, READER_AGGREGATOR, READER_LEAD, READER_MANAGER, READER_MEMBER };
struct reader { struct id32 device, member; enum reader_class class; uint8_t box[KEY_LEN]; };
/* The entitled devices, ascending by device id; allocated.  Class: the first of the enum that fits.  refused: aggregators that this
 * member refuses (an Owner's or Admin's device reads by rank all the same).  Private: the active direct manager and the member
 * itself; without such a manager nobody. */
enum err audience_readers(struct reader **out, size_t *n, const struct state *, const struct id32 *member, const struct reader_rule *,
	const struct id32 *refused, size_t n_refused);
/* The member's direct manager, if there is one and it is active, else NULL. */
const struct member *audience_manager(const struct state *, const struct id32 *member);
/* Is the member in the team: listed or its lead? */
bool audience_in_team(const struct team *, const struct id32 *member);
/* Readers of the org epoch: all devices of active members (relays are not), classed by role. */
enum err audience_org(struct reader **out, size_t *n, const struct state *);
const char *reader_class_name(enum reader_class);       /* "Owner", "aggregator" … for preview */
#endif
