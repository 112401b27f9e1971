/* model: what documents mean: kinds, fields, enums, defaults, limits (inventory B, C, D, E, U), as one table that decoding,
 * commands (KEY=VALUE with the JSON names), HTTP and output share.  Pure.
 *
 * Values in registers: text str · decimals int scaled by 10^4 · enums uint · dates and times int milliseconds UTC · ids bin ·
 * booleans bool · unset nil or absent. */
#ifndef ORG_MODEL_H
#define ORG_MODEL_H
#include "base/crypto.h"
#include "base/decimal.h"
#include "crdt/doc.h"

/* Kinds of data ops (the registry of protocol §2).  1-15: no document. */
enum kind {
	KIND_EPOCH = 1, KIND_WITHDRAW = 2,
	KIND_ORG = 16,          /* org space; id from (space, kind, ""): settings and texts of the organization */
	KIND_PROFILE = 17,      /* org space; key: the member's root key: name, e-mail */
	KIND_TEAM = 18,         /* org space; its id is the team's: name, description */
	KIND_OBJECTIVE = 19,    /* org space: S0 OrganizationGoal */
	KIND_GOAL = 32,         /* self space: a personal goal */
	KIND_LINK = 33,         /* self space; key: org ‖ goal ‖ objective */
	KIND_SHARING = 34,      /* self space; key: org: E1-E9 and consent */
	KIND_AUDIT = 35,        /* self space: one entry, hash-chained */
	KIND_SECRET = 36,       /* self space; key: org: the gate secret that blinds ids and names audiences */
	KIND_MEMBERSHIP = 37    /* self space; key: org: which orgs this member is in, and which is the default */
};

enum value_type { VALUE_TEXT, VALUE_DECIMAL, VALUE_WEIGHT, VALUE_UINT, VALUE_ENUM, VALUE_BOOL, VALUE_DATE, VALUE_TIME,
	VALUE_ID16, VALUE_ID32, VALUE_BYTES };
struct enum_names { const char *const *names; size_t n; };      /* index = stored number */
struct field_spec {
	uint32_t key;
	const char *name;               /* JSON name, camelCase, S0's where it has one */
	enum field_type field;          /* register, set, map, counter */
	enum value_type value;          /* of the register or the set's elements */
	const struct enum_names *names; /* VALUE_ENUM */
	size_t limit;                   /* TEXT: code points (title 500 …), BYTES: bytes; UINT: maximum */
	size_t minimum;                 /* UINT */
	bool in_bytes;                  /* TEXT: the limit counts bytes (description 16 KiB …) */
	const char *fallback;           /* text of the default when unset; NULL: null */
	bool settable;                  /* by KEY=VALUE; others only through their own commands */
	const struct kind_spec *element;/* FIELD_MAP */
};
struct kind_spec { uint32_t kind; const char *name; const struct field_spec *fields; size_t n; const struct schema *schema;
	bool self; };
const struct kind_spec *model_kind(uint32_t kind);                      /* NULL: unknown */
const struct field_spec *model_field(const struct kind_spec *, const char *name);        /* NULL; any case */
const struct field_spec *model_field_by_key(const struct kind_spec *, uint32_t key);
/* The field name nearest to a wrong one ("did you mean"), or NULL. */
const char *model_nearest(const struct kind_spec *, const char *name);

/* A stored value.  number: decimals, enums, dates, booleans; bytes: text and ids, borrowed. */
struct value { bool set; int64_t number; struct slice bytes; };
/* Decodes and checks against type and limits.  nil and empty: unset.  What a peer wrote against the table is ERR_MALFORMED or
 * ERR_TOOBIG and reads as unset everywhere: views and value_format go through this. */
enum err value_load(struct value *, const struct field_spec *, struct slice encoded);

/* Text as typed → encoded value (NFC, limits, enum names in any case, "45.5", dates YYYY-MM-DD, "" or "null": nil).  On ERR_USAGE or
 * ERR_TOOBIG why (>= 200 bytes) says what is wrong and what is allowed ("title has 501 characters; at most 500"). */
enum err value_parse(struct buf *encoded, const struct field_spec *, struct slice text, char *why);
/* Encoded value → plain text ("45.5", "Average", "2026-03-31"), without terminal escaping; nil or empty: the fallback or "". */
enum err value_format(struct buf *text, const struct field_spec *, struct slice encoded);
/* Any case; '_', '-' and ' ' do not matter ("in progress" is IN_PROGRESS). */
bool enum_parse(const struct enum_names *, unsigned *value, const char *name);

/* Ids derived so that two who make the same one converge: first 16 bytes of H("cairn-document", space ‖ kind u32 ‖ key). */
void model_document_id(struct id16 *out, const struct id32 *space, uint32_t kind, struct slice key);

enum method { METHOD_AVERAGE, METHOD_WEIGHTED, METHOD_MINIMUM, METHOD_MAXIMUM, METHOD_SUM, METHOD_KEY_RESULTS, METHOD_TASKS };   /* J */
enum objective_status { OBJECTIVE_DRAFT, OBJECTIVE_ACTIVE, OBJECTIVE_ON_TRACK, OBJECTIVE_AT_RISK, OBJECTIVE_BEHIND,
	OBJECTIVE_COMPLETED, OBJECTIVE_CANCELLED };                                             /* C4 */
enum key_result_type { KR_PERCENTAGE, KR_NUMBER, KR_CURRENCY, KR_BINARY, KR_SCALE, KR_KPI };   /* C16 */
enum kr_keep { KEEP_ABOVE, KEEP_BELOW, KEEP_RANGE, KEEP_UNSET };        /* KPI: unset: by the order of baseline and target */
enum period { PERIOD_WEEK, PERIOD_MONTH, PERIOD_QUARTER, PERIOD_HALF, PERIOD_YEAR, PERIOD_CUSTOM };
enum goal_status { GOAL_NOT_STARTED, GOAL_IN_PROGRESS, GOAL_AT_RISK, GOAL_ON_TRACK, GOAL_COMPLETED, GOAL_EXCEEDED, GOAL_NOT_MET,
	GOAL_CANCELLED };                                                                       /* U6 */

/* Field keys.  New ones are appended, never reused. */
enum org_field { ORG_NAME = 2, ORG_DESCRIPTION, ORG_MISSION, ORG_VISION, ORG_LOGO, ORG_FISCAL_MONTH, ORG_SCORING, ORG_EXTERNAL_ID,
	ORG_MIN_GROUP, ORG_ROLLUP_UNIT, ORG_ALLOW_OVER };
enum profile_field { PROFILE_NAME = 2, PROFILE_EMAIL, PROFILE_EXTERNAL_ID };
enum team_field { TEAM_NAME = 2, TEAM_DESCRIPTION };
enum objective_field { OBJ_TITLE = 2, OBJ_DESCRIPTION, OBJ_SUCCESS, OBJ_TYPE, OBJ_PARENT, OBJ_METHOD, OBJ_PERIOD, OBJ_PERIOD_NUMBER,
	OBJ_PERIOD_YEAR, OBJ_START, OBJ_END, OBJ_TARGET, OBJ_CURRENT, OBJ_UNIT, OBJ_STATUS, OBJ_PRIORITY, OBJ_OWNER, OBJ_TAGS,
	OBJ_KEY_RESULTS, OBJ_CONTRIBUTORS, OBJ_WEIGHT, OBJ_EDGE, OBJ_DELETED };
enum key_result_field { KR_TITLE = 2, KR_DESCRIPTION, KR_TYPE, KR_BASELINE, KR_TARGET, KR_CURRENT, KR_UNIT, KR_WEIGHT, KR_POSITION,
	KR_KEEP };
enum goal_field { GOAL_TITLE = 2, GOAL_DESCRIPTION, GOAL_CATEGORY, GOAL_PRIORITY, GOAL_TARGET, GOAL_CURRENT, GOAL_BASELINE, GOAL_PERCENT,
	GOAL_UNIT, GOAL_STATUS, GOAL_START, GOAL_DUE, GOAL_DONE_AT, GOAL_PARENT, GOAL_PRIVATE, GOAL_TEAM, GOAL_SHARED, GOAL_CHECKINS,
	GOAL_TASKS, GOAL_MILESTONES, GOAL_DELETED };    /* CHECKINS: map {at, value, percent, note}; TASKS: map {title, category, done, estimate, actual, note} */
enum checkin_field { CHECKIN_AT = 2, CHECKIN_VALUE, CHECKIN_PERCENT, CHECKIN_NOTE };
enum task_field { TASK_TITLE = 2, TASK_CATEGORY, TASK_DONE, TASK_ESTIMATE, TASK_ACTUAL, TASK_NOTE, TASK_POSITION };
enum milestone_field { MILESTONE_TITLE = 2, MILESTONE_TARGET, MILESTONE_DUE, MILESTONE_DONE, MILESTONE_DONE_AT, MILESTONE_POSITION };
enum link_field { LINK_ORG = 2, LINK_GOAL, LINK_OBJECTIVE, LINK_WEIGHT, LINK_AT, LINK_ACTIVE };
enum sharing_field { SHARE_ORG = 2, SHARE_PROGRESS, SHARE_COUNTS, SHARE_TIME, SHARE_TASKS, SHARE_CATEGORIES, SHARE_ONLY, SHARE_HIDE,
	SHARE_ACCEPTED, SHARE_VERSION, SHARE_REFUSED };   /* ONLY, HIDE: sets of goal ids (E6, E7); REFUSED: set of aggregator devices */
enum audit_field { AUDIT_ACTION = 2, AUDIT_ENTITY_TYPE, AUDIT_ENTITY, AUDIT_ORG, AUDIT_DETAILS, AUDIT_AT, AUDIT_PREVIOUS, AUDIT_HASH };
enum secret_field { SECRET_ORG = 2, SECRET_KEY };
enum membership_field { MEMBERSHIP_ORG = 2, MEMBERSHIP_DEFAULT, MEMBERSHIP_LEFT, MEMBERSHIP_NAME };
enum audit_action { AUDIT_LINKED, AUDIT_UNLINKED, AUDIT_ENABLED, AUDIT_DISABLED, AUDIT_SYNCED, AUDIT_EXPORTED, AUDIT_VIEWED };   /* H2 */

/* ---- typed views: structs filled from folded documents; text slices borrow from the doc ------------------------ */
struct number { bool set; decimal value; };
struct objective {
	struct id16 id, parent, team; bool has_parent, has_team, deleted, support_edge;
	struct slice title, description, unit;
	enum method method; enum objective_status status; enum period period; unsigned period_number, period_year, priority;
	struct number target, current, start, end; decimal weight;      /* target defaults to 100, current to none, weight to 1 */
	struct id32 owner; bool has_owner;
	hlc changed;
	hlc parent_at;                  /* of the parent register: orders the edges that could close a cycle */
};
struct key_result { struct id16 id; struct slice title, unit; enum key_result_type type; enum kr_keep keep; decimal baseline;
	struct number target, current; decimal weight; };
struct task_category { struct slice name; unsigned done; };
#define GOAL_CATEGORIES_MAX 16
struct goal {
	struct id16 id, team; bool has_team, is_private, deleted;
	bool shared;                    /* isSharedWithOrganization: the switch on the goal itself */
	struct slice title, description, category, unit;
	enum goal_status status;
	struct number target, current; decimal baseline;
	struct number percent;          /* as the owner set it, if newer than current; else derived; unset: null */
	unsigned tasks_done, tasks_total; uint64_t minutes;
	/* Done tasks by category (a task's own, else the goal's; without any: not listed), ascending; beyond the 16th: "Other". */
	size_t n_categories; struct task_category categories[GOAL_CATEGORIES_MAX];
	hlc changed;                    /* newest activity */
};
struct link { struct id16 id, goal, objective; struct id32 org; decimal weight; uint64_t at_ms; bool active; };
struct sharing { bool accepted, progress, counts, time, tasks, categories; uint64_t version;
	size_t n_only, n_hide, n_refused; const struct id16 *only, *hide; const struct id32 *refused; };
void objective_read(struct objective *, const struct id16 *id, const struct doc *);     /* team is set by the caller, from the scope */
/* In the order of their positions; returns how many there are, of which at most max are written. */
size_t objective_key_results(const struct doc *, struct key_result *out, size_t max);
void goal_read(struct goal *, const struct id16 *id, const struct doc *);
bool link_read(struct link *, const struct id16 *id, const struct doc *);
/* Arrays are allocated (sharing_free); doc NULL: the defaults E1-E5, not accepted, version 0. */
enum err sharing_read(struct sharing *, const struct doc *);
void sharing_free(struct sharing *);
/* (current − baseline)/(target − baseline)·100 to 10⁻⁴ of a percent, unclamped (but a valid decimal); unset without current or with
 * target = baseline. */
struct number progress_percent(struct number current, struct number target, decimal baseline);
/* By type: Percentage's target defaults to 100, Binary's to 1 (reached: 100, else 0); Scale counts whole steps from the baseline; KPI:
 * 100 while kept (in range: between baseline and target), else the distance covered from the baseline, 0…100 (range: 0). */
struct number key_result_percent(const struct key_result *);
#endif
