/* The one table of kinds and fields (inventory B1, C1, C5, D2-D5, E1-E7, H1, U1, U2).  Each kind's rows are written once
 * and expanded twice: into the specs and into the schema that crdt/doc folds by. */
#include "org/model.h"
#include "base/limits.h"

#define NAMES(id, ...) \
	static const char *const id##_list[] = { __VA_ARGS__ }; \
	static const struct enum_names id = { id##_list, sizeof id##_list / sizeof *id##_list };

NAMES(scoring_names, "Percentage", "OKRStyle", "Binary", "Custom")                              /* B3 */
NAMES(unit_names, "contributor", "link")                                                        /* J16 */
NAMES(goal_type_names, "Objective", "KeyResult", "Initiative", "Milestone")                     /* C3 */
NAMES(method_names, "Average", "WeightedAverage", "Minimum", "Maximum", "Sum", "KeyResults", "TaskBased")      /* J8 */
NAMES(period_names, "Week", "Month", "Quarter", "Half", "Year", "Custom")                       /* B12 */
NAMES(objective_status_names, "Draft", "Active", "OnTrack", "AtRisk", "Behind", "Completed", "Cancelled")      /* C4 */
NAMES(key_result_names, "Percentage", "Number", "Currency", "Binary", "Scale", "KPI")           /* C16 */
NAMES(keep_names, "above", "below", "inRange")                                                  /* C13, J11 */
NAMES(edge_names, "contribute", "support")
NAMES(priority_names, "LOW", "MEDIUM", "HIGH", "CRITICAL")                                      /* U4 */
NAMES(goal_status_names, "NOT_STARTED", "IN_PROGRESS", "AT_RISK", "ON_TRACK", "COMPLETED", "EXCEEDED", "NOT_MET",
	"CANCELLED")                                                                            /* U6 */
NAMES(audit_names, "LinkedGoal", "UnlinkedGoal", "EnabledSharing", "DisabledSharing", "SyncedProgress", "ExportedData",
	"ViewedByManager")                                                                      /* H2 */

#define TEXT(points)    .value = VALUE_TEXT, .limit = (points)
#define PROSE(bytes)    .value = VALUE_TEXT, .limit = (bytes), .in_bytes = true
#define DECIMAL         .value = VALUE_DECIMAL
#define WEIGHT          .value = VALUE_WEIGHT
#define UINT(min, max)  .value = VALUE_UINT, .minimum = (min), .limit = (max)
#define CHOICE(list)    .value = VALUE_ENUM, .names = &(list)
#define BOOL            .value = VALUE_BOOL
#define DATE            .value = VALUE_DATE
#define TIME            .value = VALUE_TIME
#define ID16            .value = VALUE_ID16
#define ID32            .value = VALUE_ID32
#define BYTES(max)      .value = VALUE_BYTES, .limit = (max)
#define DEFAULT(text)   .fallback = (text)
#define SETTABLE        .settable = true

#define SPEC(k, n, shape, ...) { .key = (k), .name = (n), .field = FIELD_##shape, __VA_ARGS__ },
#define SPEC_MAP(k, n, of) { .key = (k), .name = (n), .field = FIELD_MAP, .value = VALUE_BYTES, .element = &of##_kind },
#define SHAPE(k, n, shape, ...) { .key = (k), .type = FIELD_##shape },
#define SHAPE_MAP(k, n, of) { .key = (k), .type = FIELD_MAP, .element = &of##_schema },
#define TABLE(id, rows, number, label, is_self) \
	static const struct field_spec id##_fields[] = { rows(SPEC, SPEC_MAP) }; \
	static const struct schema_field id##_shape[] = { rows(SHAPE, SHAPE_MAP) }; \
	static const struct schema id##_schema = { id##_shape, sizeof id##_shape / sizeof *id##_shape }; \
	static const struct kind_spec id##_kind = { .kind = (number), .name = (label), .fields = id##_fields, \
		.n = sizeof id##_fields / sizeof *id##_fields, .schema = &id##_schema, .self = (is_self) };

#define MINUTES_MAX 10000000            /* nineteen years */

/* ---- the organization's documents ----------------------------------------------------------------------------- */

#define ORG_ROWS(R, M) \
	R(ORG_NAME, "name", REGISTER, TEXT(LIMIT_NAME), SETTABLE) \
	R(ORG_DESCRIPTION, "description", REGISTER, PROSE(LIMIT_DESCRIPTION), SETTABLE) \
	R(ORG_MISSION, "mission", REGISTER, PROSE(LIMIT_DESCRIPTION), SETTABLE) \
	R(ORG_VISION, "vision", REGISTER, PROSE(LIMIT_DESCRIPTION), SETTABLE) \
	R(ORG_LOGO, "logoUrl", REGISTER, TEXT(2000), SETTABLE) \
	R(ORG_FISCAL_MONTH, "fiscalYearStartMonth", REGISTER, UINT(1, 12), DEFAULT("1"), SETTABLE) \
	R(ORG_SCORING, "scoringMethod", REGISTER, CHOICE(scoring_names), DEFAULT("Percentage"), SETTABLE) \
	R(ORG_EXTERNAL_ID, "externalId", REGISTER, TEXT(LIMIT_NAME), SETTABLE) \
	R(ORG_MIN_GROUP, "minGroup", REGISTER, UINT(1, 1000), DEFAULT("1"), SETTABLE) \
	R(ORG_ROLLUP_UNIT, "rollupUnit", REGISTER, CHOICE(unit_names), DEFAULT("contributor"), SETTABLE) \
	R(ORG_ALLOW_OVER, "allowOver", REGISTER, BOOL, DEFAULT("false"), SETTABLE)
TABLE(org, ORG_ROWS, KIND_ORG, "organization", false)

#define PROFILE_ROWS(R, M) \
	R(PROFILE_NAME, "displayName", REGISTER, TEXT(LIMIT_NAME), SETTABLE) \
	R(PROFILE_EMAIL, "email", REGISTER, TEXT(LIMIT_EMAIL), SETTABLE) \
	R(PROFILE_EXTERNAL_ID, "externalId", REGISTER, TEXT(LIMIT_NAME), SETTABLE)
TABLE(profile, PROFILE_ROWS, KIND_PROFILE, "profile", false)

#define TEAM_ROWS(R, M) \
	R(TEAM_NAME, "name", REGISTER, TEXT(LIMIT_NAME), SETTABLE) \
	R(TEAM_DESCRIPTION, "description", REGISTER, PROSE(LIMIT_DESCRIPTION), SETTABLE)
TABLE(team, TEAM_ROWS, KIND_TEAM, "team", false)

#define KEY_RESULT_ROWS(R, M) \
	R(KR_TITLE, "title", REGISTER, TEXT(LIMIT_TITLE), SETTABLE) \
	R(KR_DESCRIPTION, "description", REGISTER, PROSE(LIMIT_DESCRIPTION), SETTABLE) \
	R(KR_TYPE, "type", REGISTER, CHOICE(key_result_names), DEFAULT("Percentage"), SETTABLE) \
	R(KR_BASELINE, "baselineValue", REGISTER, DECIMAL, DEFAULT("0"), SETTABLE) \
	R(KR_TARGET, "targetValue", REGISTER, DECIMAL, SETTABLE) \
	R(KR_CURRENT, "currentValue", REGISTER, DECIMAL, SETTABLE) \
	R(KR_UNIT, "unit", REGISTER, TEXT(LIMIT_UNIT), SETTABLE) \
	R(KR_WEIGHT, "weight", REGISTER, WEIGHT, DEFAULT("1"), SETTABLE) \
	R(KR_POSITION, "position", REGISTER, BYTES(64)) \
	R(KR_KEEP, "keep", REGISTER, CHOICE(keep_names), SETTABLE)
TABLE(key_result, KEY_RESULT_ROWS, 0, "key result", false)

#define OBJECTIVE_ROWS(R, M) \
	R(OBJ_TITLE, "title", REGISTER, TEXT(LIMIT_TITLE), SETTABLE) \
	R(OBJ_DESCRIPTION, "description", REGISTER, PROSE(LIMIT_DESCRIPTION), SETTABLE) \
	R(OBJ_SUCCESS, "successCriteria", REGISTER, PROSE(LIMIT_DESCRIPTION), SETTABLE) \
	R(OBJ_TYPE, "goalType", REGISTER, CHOICE(goal_type_names), DEFAULT("Objective"), SETTABLE) \
	R(OBJ_PARENT, "parentGoalId", REGISTER, ID16, SETTABLE) \
	R(OBJ_METHOD, "calculationMethod", REGISTER, CHOICE(method_names), DEFAULT("Average"), SETTABLE) \
	R(OBJ_PERIOD, "period", REGISTER, CHOICE(period_names), DEFAULT("Quarter"), SETTABLE) \
	R(OBJ_PERIOD_NUMBER, "periodNumber", REGISTER, UINT(1, 53), SETTABLE) \
	R(OBJ_PERIOD_YEAR, "periodYear", REGISTER, UINT(1970, 9999), SETTABLE) \
	R(OBJ_START, "customStartDate", REGISTER, DATE, SETTABLE) \
	R(OBJ_END, "customEndDate", REGISTER, DATE, SETTABLE) \
	R(OBJ_TARGET, "targetValue", REGISTER, DECIMAL, DEFAULT("100"), SETTABLE) \
	R(OBJ_CURRENT, "currentValue", REGISTER, DECIMAL, SETTABLE) \
	R(OBJ_UNIT, "unit", REGISTER, TEXT(LIMIT_UNIT), SETTABLE) \
	R(OBJ_STATUS, "status", REGISTER, CHOICE(objective_status_names), DEFAULT("Draft"), SETTABLE) \
	R(OBJ_PRIORITY, "priority", REGISTER, UINT(1, 4), DEFAULT("2"), SETTABLE) \
	R(OBJ_OWNER, "ownerUserId", REGISTER, ID32, SETTABLE) \
	R(OBJ_TAGS, "tags", SET, TEXT(50), SETTABLE) \
	M(OBJ_KEY_RESULTS, "keyResults", key_result) \
	R(OBJ_CONTRIBUTORS, "contributorUserIds", SET, ID32, SETTABLE) \
	R(OBJ_WEIGHT, "weight", REGISTER, WEIGHT, DEFAULT("1"), SETTABLE) \
	R(OBJ_EDGE, "edge", REGISTER, CHOICE(edge_names), DEFAULT("contribute"), SETTABLE) \
	R(OBJ_DELETED, "deleted", REGISTER, BOOL, DEFAULT("false"))
TABLE(objective, OBJECTIVE_ROWS, KIND_OBJECTIVE, "objective", false)

/* ---- personal documents --------------------------------------------------------------------------------------- */

#define CHECKIN_ROWS(R, M) \
	R(CHECKIN_AT, "at", REGISTER, TIME) \
	R(CHECKIN_VALUE, "value", REGISTER, DECIMAL) \
	R(CHECKIN_PERCENT, "percent", REGISTER, DECIMAL) \
	R(CHECKIN_NOTE, "note", REGISTER, PROSE(LIMIT_NOTE), SETTABLE)
TABLE(checkin, CHECKIN_ROWS, 0, "check-in", true)

#define TASK_ROWS(R, M) \
	R(TASK_TITLE, "title", REGISTER, TEXT(LIMIT_TITLE), SETTABLE) \
	R(TASK_CATEGORY, "category", REGISTER, TEXT(50), SETTABLE) \
	R(TASK_DONE, "done", REGISTER, BOOL, DEFAULT("false"), SETTABLE) \
	R(TASK_ESTIMATE, "estimate", REGISTER, UINT(0, MINUTES_MAX), SETTABLE) \
	R(TASK_ACTUAL, "actual", REGISTER, UINT(0, MINUTES_MAX), SETTABLE) \
	R(TASK_NOTE, "note", REGISTER, PROSE(LIMIT_NOTE), SETTABLE) \
	R(TASK_POSITION, "position", REGISTER, BYTES(64))
TABLE(task, TASK_ROWS, 0, "task", true)

#define MILESTONE_ROWS(R, M) \
	R(MILESTONE_TITLE, "title", REGISTER, TEXT(LIMIT_TITLE), SETTABLE) \
	R(MILESTONE_TARGET, "targetValue", REGISTER, DECIMAL, SETTABLE) \
	R(MILESTONE_DUE, "targetDate", REGISTER, DATE, SETTABLE) \
	R(MILESTONE_DONE, "completed", REGISTER, BOOL, DEFAULT("false"), SETTABLE) \
	R(MILESTONE_DONE_AT, "completedDate", REGISTER, DATE, SETTABLE) \
	R(MILESTONE_POSITION, "position", REGISTER, BYTES(64))
TABLE(milestone, MILESTONE_ROWS, 0, "milestone", true)

#define GOAL_ROWS(R, M) \
	R(GOAL_TITLE, "title", REGISTER, TEXT(LIMIT_TITLE), SETTABLE) \
	R(GOAL_DESCRIPTION, "description", REGISTER, PROSE(LIMIT_DESCRIPTION), SETTABLE) \
	R(GOAL_CATEGORY, "category", REGISTER, TEXT(50), SETTABLE) \
	R(GOAL_PRIORITY, "priority", REGISTER, CHOICE(priority_names), DEFAULT("MEDIUM"), SETTABLE) \
	R(GOAL_TARGET, "targetValue", REGISTER, DECIMAL, SETTABLE) \
	R(GOAL_CURRENT, "currentValue", REGISTER, DECIMAL, SETTABLE) \
	R(GOAL_BASELINE, "baselineValue", REGISTER, DECIMAL, DEFAULT("0"), SETTABLE) \
	R(GOAL_PERCENT, "progressPercent", REGISTER, DECIMAL, SETTABLE) \
	R(GOAL_UNIT, "unit", REGISTER, TEXT(LIMIT_UNIT), SETTABLE) \
	R(GOAL_STATUS, "status", REGISTER, CHOICE(goal_status_names), DEFAULT("NOT_STARTED"), SETTABLE) \
	R(GOAL_START, "startDate", REGISTER, DATE, SETTABLE) \
	R(GOAL_DUE, "targetDate", REGISTER, DATE, SETTABLE) \
	R(GOAL_DONE_AT, "completedDate", REGISTER, DATE, SETTABLE) \
	R(GOAL_PARENT, "parentGoalId", REGISTER, ID16, SETTABLE) \
	R(GOAL_PRIVATE, "isPrivate", REGISTER, BOOL, DEFAULT("false"), SETTABLE) \
	R(GOAL_TEAM, "contributingToTeamId", REGISTER, ID16, SETTABLE) \
	R(GOAL_SHARED, "isSharedWithOrganization", REGISTER, BOOL, DEFAULT("true"), SETTABLE) \
	M(GOAL_CHECKINS, "checkins", checkin) \
	M(GOAL_TASKS, "tasks", task) \
	M(GOAL_MILESTONES, "milestones", milestone) \
	R(GOAL_DELETED, "deleted", REGISTER, BOOL, DEFAULT("false"))
TABLE(goal, GOAL_ROWS, KIND_GOAL, "goal", true)

#define LINK_ROWS(R, M) \
	R(LINK_ORG, "organizationId", REGISTER, ID32) \
	R(LINK_GOAL, "individualGoalId", REGISTER, ID16) \
	R(LINK_OBJECTIVE, "organizationGoalId", REGISTER, ID16) \
	R(LINK_WEIGHT, "contributionWeight", REGISTER, WEIGHT, DEFAULT("1"), SETTABLE) \
	R(LINK_AT, "linkedAt", REGISTER, TIME) \
	R(LINK_ACTIVE, "active", REGISTER, BOOL, DEFAULT("true"))
TABLE(link, LINK_ROWS, KIND_LINK, "link", true)

#define SHARING_ROWS(R, M) \
	R(SHARE_ORG, "organizationId", REGISTER, ID32) \
	R(SHARE_PROGRESS, "shareGoalProgress", REGISTER, BOOL, DEFAULT("true"), SETTABLE) \
	R(SHARE_COUNTS, "shareTaskCompletionCounts", REGISTER, BOOL, DEFAULT("true"), SETTABLE) \
	R(SHARE_TIME, "shareTimeAllocation", REGISTER, BOOL, DEFAULT("false"), SETTABLE) \
	R(SHARE_TASKS, "shareDetailedTasks", REGISTER, BOOL, DEFAULT("false"), SETTABLE) \
	R(SHARE_CATEGORIES, "shareCategories", REGISTER, BOOL, DEFAULT("true"), SETTABLE) \
	R(SHARE_ONLY, "goalIdsToShare", SET, ID16) \
	R(SHARE_HIDE, "goalIdsToHide", SET, ID16) \
	R(SHARE_ACCEPTED, "accepted", REGISTER, BOOL, DEFAULT("false")) \
	R(SHARE_VERSION, "version", REGISTER, UINT(0, UINT32_MAX), DEFAULT("0")) \
	R(SHARE_REFUSED, "refusedAggregators", SET, ID32)
TABLE(sharing, SHARING_ROWS, KIND_SHARING, "sharing", true)

#define AUDIT_ROWS(R, M) \
	R(AUDIT_ACTION, "action", REGISTER, CHOICE(audit_names)) \
	R(AUDIT_ENTITY_TYPE, "entityType", REGISTER, TEXT(50)) \
	R(AUDIT_ENTITY, "entityId", REGISTER, BYTES(ID_LEN)) \
	R(AUDIT_ORG, "organizationId", REGISTER, ID32) \
	R(AUDIT_DETAILS, "details", REGISTER, PROSE(LIMIT_DESCRIPTION)) \
	R(AUDIT_AT, "at", REGISTER, TIME) \
	R(AUDIT_PREVIOUS, "previous", REGISTER, ID32) \
	R(AUDIT_HASH, "hash", REGISTER, ID32)
TABLE(audit, AUDIT_ROWS, KIND_AUDIT, "audit entry", true)

#define SECRET_ROWS(R, M) \
	R(SECRET_ORG, "organizationId", REGISTER, ID32) \
	R(SECRET_KEY, "key", REGISTER, BYTES(KEY_LEN))
TABLE(secret, SECRET_ROWS, KIND_SECRET, "gate secret", true)

#define MEMBERSHIP_ROWS(R, M) \
	R(MEMBERSHIP_ORG, "organizationId", REGISTER, ID32) \
	R(MEMBERSHIP_DEFAULT, "default", REGISTER, BOOL, DEFAULT("false")) \
	R(MEMBERSHIP_LEFT, "left", REGISTER, BOOL, DEFAULT("false")) \
	R(MEMBERSHIP_NAME, "name", REGISTER, TEXT(LIMIT_NAME))
TABLE(membership, MEMBERSHIP_ROWS, KIND_MEMBERSHIP, "membership", true)

const struct kind_spec *model_kind(uint32_t kind)
{
	static const struct kind_spec *const kinds[] = { &org_kind, &profile_kind, &team_kind, &objective_kind, &goal_kind,
		&link_kind, &sharing_kind, &audit_kind, &secret_kind, &membership_kind };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i]->kind == kind)
			return kinds[i];
	return NULL;
}
