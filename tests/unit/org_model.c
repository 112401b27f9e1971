#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/id.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/mp.h"
#include "org/model.h"

/* ---- the table -------------------------------------------------------------------------------------------------- */

/* kind, field, type, default, limit: written down again from the inventory, so that a changed row needs two hands. */
static const struct row { uint32_t kind; const char *element, *name; enum field_type field; enum value_type value;
	const char *fallback; size_t limit; } ROWS[] = {
	{ KIND_ORG, NULL, "name", FIELD_REGISTER, VALUE_TEXT, NULL, 255 },
	{ KIND_ORG, NULL, "description", FIELD_REGISTER, VALUE_TEXT, NULL, 16384 },
	{ KIND_ORG, NULL, "mission", FIELD_REGISTER, VALUE_TEXT, NULL, 16384 },
	{ KIND_ORG, NULL, "vision", FIELD_REGISTER, VALUE_TEXT, NULL, 16384 },
	{ KIND_ORG, NULL, "logoUrl", FIELD_REGISTER, VALUE_TEXT, NULL, 2000 },
	{ KIND_ORG, NULL, "fiscalYearStartMonth", FIELD_REGISTER, VALUE_UINT, "1", 12 },
	{ KIND_ORG, NULL, "scoringMethod", FIELD_REGISTER, VALUE_ENUM, "Percentage", 0 },
	{ KIND_ORG, NULL, "externalId", FIELD_REGISTER, VALUE_TEXT, NULL, 255 },
	{ KIND_ORG, NULL, "minGroup", FIELD_REGISTER, VALUE_UINT, "1", 1000 },
	{ KIND_ORG, NULL, "rollupUnit", FIELD_REGISTER, VALUE_ENUM, "contributor", 0 },
	{ KIND_ORG, NULL, "allowOver", FIELD_REGISTER, VALUE_BOOL, "false", 0 },
	{ KIND_PROFILE, NULL, "displayName", FIELD_REGISTER, VALUE_TEXT, NULL, 255 },
	{ KIND_PROFILE, NULL, "email", FIELD_REGISTER, VALUE_TEXT, NULL, 255 },
	{ KIND_PROFILE, NULL, "externalId", FIELD_REGISTER, VALUE_TEXT, NULL, 255 },
	{ KIND_TEAM, NULL, "name", FIELD_REGISTER, VALUE_TEXT, NULL, 255 },
	{ KIND_TEAM, NULL, "description", FIELD_REGISTER, VALUE_TEXT, NULL, 16384 },
	{ KIND_OBJECTIVE, NULL, "title", FIELD_REGISTER, VALUE_TEXT, NULL, 500 },
	{ KIND_OBJECTIVE, NULL, "description", FIELD_REGISTER, VALUE_TEXT, NULL, 16384 },
	{ KIND_OBJECTIVE, NULL, "successCriteria", FIELD_REGISTER, VALUE_TEXT, NULL, 16384 },
	{ KIND_OBJECTIVE, NULL, "goalType", FIELD_REGISTER, VALUE_ENUM, "Objective", 0 },
	{ KIND_OBJECTIVE, NULL, "parentGoalId", FIELD_REGISTER, VALUE_ID16, NULL, 0 },
	{ KIND_OBJECTIVE, NULL, "calculationMethod", FIELD_REGISTER, VALUE_ENUM, "Average", 0 },
	{ KIND_OBJECTIVE, NULL, "period", FIELD_REGISTER, VALUE_ENUM, "Quarter", 0 },
	{ KIND_OBJECTIVE, NULL, "periodNumber", FIELD_REGISTER, VALUE_UINT, NULL, 53 },
	{ KIND_OBJECTIVE, NULL, "periodYear", FIELD_REGISTER, VALUE_UINT, NULL, 9999 },
	{ KIND_OBJECTIVE, NULL, "customStartDate", FIELD_REGISTER, VALUE_DATE, NULL, 0 },
	{ KIND_OBJECTIVE, NULL, "customEndDate", FIELD_REGISTER, VALUE_DATE, NULL, 0 },
	{ KIND_OBJECTIVE, NULL, "targetValue", FIELD_REGISTER, VALUE_DECIMAL, "100", 0 },
	{ KIND_OBJECTIVE, NULL, "currentValue", FIELD_REGISTER, VALUE_DECIMAL, NULL, 0 },
	{ KIND_OBJECTIVE, NULL, "unit", FIELD_REGISTER, VALUE_TEXT, NULL, 50 },
	{ KIND_OBJECTIVE, NULL, "status", FIELD_REGISTER, VALUE_ENUM, "Draft", 0 },
	{ KIND_OBJECTIVE, NULL, "priority", FIELD_REGISTER, VALUE_UINT, "2", 4 },
	{ KIND_OBJECTIVE, NULL, "ownerUserId", FIELD_REGISTER, VALUE_ID32, NULL, 0 },
	{ KIND_OBJECTIVE, NULL, "tags", FIELD_SET, VALUE_TEXT, NULL, 50 },
	{ KIND_OBJECTIVE, NULL, "keyResults", FIELD_MAP, VALUE_BYTES, NULL, 0 },
	{ KIND_OBJECTIVE, NULL, "contributorUserIds", FIELD_SET, VALUE_ID32, NULL, 0 },
	{ KIND_OBJECTIVE, NULL, "weight", FIELD_REGISTER, VALUE_WEIGHT, "1", 0 },
	{ KIND_OBJECTIVE, NULL, "edge", FIELD_REGISTER, VALUE_ENUM, "contribute", 0 },
	{ KIND_OBJECTIVE, NULL, "deleted", FIELD_REGISTER, VALUE_BOOL, "false", 0 },
	{ KIND_OBJECTIVE, "keyResults", "title", FIELD_REGISTER, VALUE_TEXT, NULL, 500 },
	{ KIND_OBJECTIVE, "keyResults", "description", FIELD_REGISTER, VALUE_TEXT, NULL, 16384 },
	{ KIND_OBJECTIVE, "keyResults", "type", FIELD_REGISTER, VALUE_ENUM, "Percentage", 0 },
	{ KIND_OBJECTIVE, "keyResults", "baselineValue", FIELD_REGISTER, VALUE_DECIMAL, "0", 0 },
	{ KIND_OBJECTIVE, "keyResults", "targetValue", FIELD_REGISTER, VALUE_DECIMAL, NULL, 0 },
	{ KIND_OBJECTIVE, "keyResults", "currentValue", FIELD_REGISTER, VALUE_DECIMAL, NULL, 0 },
	{ KIND_OBJECTIVE, "keyResults", "unit", FIELD_REGISTER, VALUE_TEXT, NULL, 50 },
	{ KIND_OBJECTIVE, "keyResults", "weight", FIELD_REGISTER, VALUE_WEIGHT, "1", 0 },
	{ KIND_OBJECTIVE, "keyResults", "position", FIELD_REGISTER, VALUE_BYTES, NULL, 64 },
	{ KIND_OBJECTIVE, "keyResults", "keep", FIELD_REGISTER, VALUE_ENUM, NULL, 0 },
	{ KIND_GOAL, NULL, "title", FIELD_REGISTER, VALUE_TEXT, NULL, 500 },
	{ KIND_GOAL, NULL, "description", FIELD_REGISTER, VALUE_TEXT, NULL, 16384 },
	{ KIND_GOAL, NULL, "category", FIELD_REGISTER, VALUE_TEXT, NULL, 50 },
	{ KIND_GOAL, NULL, "priority", FIELD_REGISTER, VALUE_ENUM, "MEDIUM", 0 },
	{ KIND_GOAL, NULL, "targetValue", FIELD_REGISTER, VALUE_DECIMAL, NULL, 0 },
	{ KIND_GOAL, NULL, "currentValue", FIELD_REGISTER, VALUE_DECIMAL, NULL, 0 },
	{ KIND_GOAL, NULL, "baselineValue", FIELD_REGISTER, VALUE_DECIMAL, "0", 0 },
	{ KIND_GOAL, NULL, "progressPercent", FIELD_REGISTER, VALUE_DECIMAL, NULL, 0 },
	{ KIND_GOAL, NULL, "unit", FIELD_REGISTER, VALUE_TEXT, NULL, 50 },
	{ KIND_GOAL, NULL, "status", FIELD_REGISTER, VALUE_ENUM, "NOT_STARTED", 0 },
	{ KIND_GOAL, NULL, "startDate", FIELD_REGISTER, VALUE_DATE, NULL, 0 },
	{ KIND_GOAL, NULL, "targetDate", FIELD_REGISTER, VALUE_DATE, NULL, 0 },
	{ KIND_GOAL, NULL, "completedDate", FIELD_REGISTER, VALUE_DATE, NULL, 0 },
	{ KIND_GOAL, NULL, "parentGoalId", FIELD_REGISTER, VALUE_ID16, NULL, 0 },
	{ KIND_GOAL, NULL, "isPrivate", FIELD_REGISTER, VALUE_BOOL, "false", 0 },
	{ KIND_GOAL, NULL, "contributingToTeamId", FIELD_REGISTER, VALUE_ID16, NULL, 0 },
	{ KIND_GOAL, NULL, "isSharedWithOrganization", FIELD_REGISTER, VALUE_BOOL, "true", 0 },
	{ KIND_GOAL, NULL, "checkins", FIELD_MAP, VALUE_BYTES, NULL, 0 },
	{ KIND_GOAL, NULL, "tasks", FIELD_MAP, VALUE_BYTES, NULL, 0 },
	{ KIND_GOAL, NULL, "milestones", FIELD_MAP, VALUE_BYTES, NULL, 0 },
	{ KIND_GOAL, NULL, "deleted", FIELD_REGISTER, VALUE_BOOL, "false", 0 },
	{ KIND_GOAL, "checkins", "at", FIELD_REGISTER, VALUE_TIME, NULL, 0 },
	{ KIND_GOAL, "checkins", "value", FIELD_REGISTER, VALUE_DECIMAL, NULL, 0 },
	{ KIND_GOAL, "checkins", "percent", FIELD_REGISTER, VALUE_DECIMAL, NULL, 0 },
	{ KIND_GOAL, "checkins", "note", FIELD_REGISTER, VALUE_TEXT, NULL, 4096 },
	{ KIND_GOAL, "tasks", "title", FIELD_REGISTER, VALUE_TEXT, NULL, 500 },
	{ KIND_GOAL, "tasks", "category", FIELD_REGISTER, VALUE_TEXT, NULL, 50 },
	{ KIND_GOAL, "tasks", "done", FIELD_REGISTER, VALUE_BOOL, "false", 0 },
	{ KIND_GOAL, "tasks", "estimate", FIELD_REGISTER, VALUE_UINT, NULL, 10000000 },
	{ KIND_GOAL, "tasks", "actual", FIELD_REGISTER, VALUE_UINT, NULL, 10000000 },
	{ KIND_GOAL, "tasks", "note", FIELD_REGISTER, VALUE_TEXT, NULL, 4096 },
	{ KIND_GOAL, "tasks", "position", FIELD_REGISTER, VALUE_BYTES, NULL, 64 },
	{ KIND_GOAL, "milestones", "title", FIELD_REGISTER, VALUE_TEXT, NULL, 500 },
	{ KIND_GOAL, "milestones", "targetValue", FIELD_REGISTER, VALUE_DECIMAL, NULL, 0 },
	{ KIND_GOAL, "milestones", "targetDate", FIELD_REGISTER, VALUE_DATE, NULL, 0 },
	{ KIND_GOAL, "milestones", "completed", FIELD_REGISTER, VALUE_BOOL, "false", 0 },
	{ KIND_GOAL, "milestones", "completedDate", FIELD_REGISTER, VALUE_DATE, NULL, 0 },
	{ KIND_GOAL, "milestones", "position", FIELD_REGISTER, VALUE_BYTES, NULL, 64 },
	{ KIND_LINK, NULL, "organizationId", FIELD_REGISTER, VALUE_ID32, NULL, 0 },
	{ KIND_LINK, NULL, "individualGoalId", FIELD_REGISTER, VALUE_ID16, NULL, 0 },
	{ KIND_LINK, NULL, "organizationGoalId", FIELD_REGISTER, VALUE_ID16, NULL, 0 },
	{ KIND_LINK, NULL, "contributionWeight", FIELD_REGISTER, VALUE_WEIGHT, "1", 0 },
	{ KIND_LINK, NULL, "linkedAt", FIELD_REGISTER, VALUE_TIME, NULL, 0 },
	{ KIND_LINK, NULL, "active", FIELD_REGISTER, VALUE_BOOL, "true", 0 },
	{ KIND_SHARING, NULL, "organizationId", FIELD_REGISTER, VALUE_ID32, NULL, 0 },
	{ KIND_SHARING, NULL, "shareGoalProgress", FIELD_REGISTER, VALUE_BOOL, "true", 0 },
	{ KIND_SHARING, NULL, "shareTaskCompletionCounts", FIELD_REGISTER, VALUE_BOOL, "true", 0 },
	{ KIND_SHARING, NULL, "shareTimeAllocation", FIELD_REGISTER, VALUE_BOOL, "false", 0 },
	{ KIND_SHARING, NULL, "shareDetailedTasks", FIELD_REGISTER, VALUE_BOOL, "false", 0 },
	{ KIND_SHARING, NULL, "shareCategories", FIELD_REGISTER, VALUE_BOOL, "true", 0 },
	{ KIND_SHARING, NULL, "goalIdsToShare", FIELD_SET, VALUE_ID16, NULL, 0 },
	{ KIND_SHARING, NULL, "goalIdsToHide", FIELD_SET, VALUE_ID16, NULL, 0 },
	{ KIND_SHARING, NULL, "accepted", FIELD_REGISTER, VALUE_BOOL, "false", 0 },
	{ KIND_SHARING, NULL, "version", FIELD_REGISTER, VALUE_UINT, "0", UINT32_MAX },
	{ KIND_SHARING, NULL, "refusedAggregators", FIELD_SET, VALUE_ID32, NULL, 0 },
	{ KIND_AUDIT, NULL, "action", FIELD_REGISTER, VALUE_ENUM, NULL, 0 },
	{ KIND_AUDIT, NULL, "entityType", FIELD_REGISTER, VALUE_TEXT, NULL, 50 },
	{ KIND_AUDIT, NULL, "entityId", FIELD_REGISTER, VALUE_BYTES, NULL, 32 },
	{ KIND_AUDIT, NULL, "organizationId", FIELD_REGISTER, VALUE_ID32, NULL, 0 },
	{ KIND_AUDIT, NULL, "details", FIELD_REGISTER, VALUE_TEXT, NULL, 16384 },
	{ KIND_AUDIT, NULL, "at", FIELD_REGISTER, VALUE_TIME, NULL, 0 },
	{ KIND_AUDIT, NULL, "previous", FIELD_REGISTER, VALUE_ID32, NULL, 0 },
	{ KIND_AUDIT, NULL, "hash", FIELD_REGISTER, VALUE_ID32, NULL, 0 },
	{ KIND_SECRET, NULL, "organizationId", FIELD_REGISTER, VALUE_ID32, NULL, 0 },
	{ KIND_SECRET, NULL, "key", FIELD_REGISTER, VALUE_BYTES, NULL, 32 },
	{ KIND_MEMBERSHIP, NULL, "organizationId", FIELD_REGISTER, VALUE_ID32, NULL, 0 },
	{ KIND_MEMBERSHIP, NULL, "default", FIELD_REGISTER, VALUE_BOOL, "false", 0 },
	{ KIND_MEMBERSHIP, NULL, "left", FIELD_REGISTER, VALUE_BOOL, "false", 0 },
	{ KIND_MEMBERSHIP, NULL, "name", FIELD_REGISTER, VALUE_TEXT, NULL, 255 },
};
static const uint32_t KINDS[] = { KIND_ORG, KIND_PROFILE, KIND_TEAM, KIND_OBJECTIVE, KIND_GOAL, KIND_LINK, KIND_SHARING,
	KIND_AUDIT, KIND_SECRET, KIND_MEMBERSHIP };

static const struct kind_spec *kind_of(const struct row *row)
{
	const struct kind_spec *kind = model_kind(row->kind);

	return row->element == NULL ? kind : model_field(kind, row->element)->element;
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void every_row_has_its_name_type_default_and_limit(void **state)
{
	size_t rows = 0;

	(void)state;
	for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
		const struct field_spec *f = model_field(kind_of(&ROWS[i]), ROWS[i].name);

		assert_non_null(f);
		assert_string_equal(f->name, ROWS[i].name);
		assert_int_equal(f->field, ROWS[i].field);
		assert_int_equal(f->value, ROWS[i].value);
		assert_int_equal(f->limit, ROWS[i].limit);
		assert_true(same_text(f->fallback, ROWS[i].fallback));
		assert_int_equal(f->value == VALUE_ENUM, f->names != NULL);
		assert_int_equal(f->field == FIELD_MAP, f->element != NULL);
	}
	for (size_t k = 0; k < sizeof KINDS / sizeof *KINDS; k++) {
		const struct kind_spec *kind = model_kind(KINDS[k]);

		rows += kind->n;
		for (size_t i = 0; i < kind->n; i++)
			rows += kind->fields[i].element == NULL ? 0 : kind->fields[i].element->n;
	}
	assert_int_equal(rows, sizeof ROWS / sizeof *ROWS);
}

static void check_schema(const struct kind_spec *kind)
{
	assert_int_equal(kind->schema->n, kind->n);
	for (size_t i = 0; i < kind->n; i++) {
		const struct field_spec *f = &kind->fields[i];
		const struct schema_field *s = &kind->schema->fields[i];

		assert_int_equal(s->key, f->key);
		assert_int_equal(s->type, f->field);
		assert_true(f->key >= SCHEMA_FIRST_KEY && (i == 0 || f->key > kind->fields[i - 1].key));
		assert_ptr_equal(s->element, f->element == NULL ? NULL : f->element->schema);
		assert_ptr_equal(model_field_by_key(kind, f->key), f);
		if (f->element != NULL)
			check_schema(f->element);
	}
	assert_null(model_field_by_key(kind, 1000));
}

static void schemas_are_the_tables_in_ascending_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
		const struct kind_spec *kind = model_kind(KINDS[i]);

		assert_int_equal(kind->kind, KINDS[i]);
		assert_int_equal(kind->self, KINDS[i] >= KIND_GOAL);
		check_schema(kind);
	}
	assert_null(model_kind(0));
	assert_null(model_kind(KIND_EPOCH));
	assert_null(model_kind(9999));
}

static void enums_have_the_inventorys_members_in_order(void **state)
{
	static const struct { uint32_t kind; const char *field, *members; } enums[] = {
		{ KIND_ORG, "scoringMethod", "Percentage OKRStyle Binary Custom" },
		{ KIND_ORG, "rollupUnit", "contributor link" },
		{ KIND_OBJECTIVE, "goalType", "Objective KeyResult Initiative Milestone" },
		{ KIND_OBJECTIVE, "calculationMethod", "Average WeightedAverage Minimum Maximum Sum KeyResults TaskBased" },
		{ KIND_OBJECTIVE, "period", "Week Month Quarter Half Year Custom" },
		{ KIND_OBJECTIVE, "status", "Draft Active OnTrack AtRisk Behind Completed Cancelled" },
		{ KIND_OBJECTIVE, "edge", "contribute support" },
		{ KIND_GOAL, "priority", "LOW MEDIUM HIGH CRITICAL" },
		{ KIND_GOAL, "status", "NOT_STARTED IN_PROGRESS AT_RISK ON_TRACK COMPLETED EXCEEDED NOT_MET CANCELLED" },
		{ KIND_AUDIT, "action", "LinkedGoal UnlinkedGoal EnabledSharing DisabledSharing SyncedProgress ExportedData "
			"ViewedByManager" },
	};
	const struct kind_spec *kr = model_field(model_kind(KIND_OBJECTIVE), "keyResults")->element;

	(void)state;
	for (size_t i = 0; i < sizeof enums / sizeof *enums; i++) {
		const struct enum_names *names = model_field(model_kind(enums[i].kind), enums[i].field)->names;
		char joined[256] = "";

		for (size_t j = 0; j < names->n; j++) {
			strcat(joined, j == 0 ? "" : " ");
			strcat(joined, names->names[j]);
		}
		assert_string_equal(joined, enums[i].members);
	}
	assert_string_equal(model_field(kr, "type")->names->names[KR_KPI], "KPI");
	assert_int_equal(model_field(kr, "type")->names->n, 6);
}

static void every_default_is_a_value_of_its_field(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
		const struct field_spec *f = model_field(kind_of(&ROWS[i]), ROWS[i].name);
		struct buf encoded = { 0 }, text = { 0 };
		char why[200];

		if (f->fallback == NULL)
			continue;
		assert_int_equal(value_parse(&encoded, f, slice_of(f->fallback), why), OK);
		assert_int_equal(value_format(&text, f, buf_slice(&encoded)), OK);
		assert_true(slice_equal(buf_slice(&text), slice_of(f->fallback)));
		buf_free(&encoded);
		buf_free(&text);
	}
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

static void names_are_found_in_any_case(void **state)
{
	const struct kind_spec *kind = model_kind(KIND_OBJECTIVE);
	unsigned v;

	(void)state;
	assert_int_equal(model_field(kind, "TARGETVALUE")->key, OBJ_TARGET);
	assert_int_equal(model_field(kind, "target_value")->key, OBJ_TARGET);
	assert_null(model_field(kind, "target"));
	assert_null(model_field(kind, "targetValues"));
	assert_null(model_field(kind, ""));
	assert_true(enum_parse(model_field(model_kind(KIND_GOAL), "status")->names, &v, "in progress"));
	assert_int_equal(v, GOAL_IN_PROGRESS);
	assert_true(enum_parse(model_field(kind, "status")->names, &v, "on-track"));
	assert_int_equal(v, OBJECTIVE_ON_TRACK);
	assert_false(enum_parse(model_field(kind, "status")->names, &v, "0"));
}

static void a_wrong_name_gets_the_nearest(void **state)
{
	const struct kind_spec *kind = model_kind(KIND_OBJECTIVE);

	(void)state;
	assert_string_equal(model_nearest(kind, "tilte"), "title");
	assert_string_equal(model_nearest(kind, "Titel"), "title");
	assert_string_equal(model_nearest(kind, "desc"), "description");
	assert_string_equal(model_nearest(kind, "target"), "targetValue");
	assert_string_equal(model_nearest(kind, "calculationmetod"), "calculationMethod");
	assert_string_equal(model_nearest(kind, "wieght"), "weight");
	assert_null(model_nearest(kind, "xyzzy"));
	assert_null(model_nearest(kind, ""));
	assert_null(model_nearest(kind, "a_name_that_is_far_too_long_to_be_the_name_of_anything"));
	assert_null(model_nearest(model_kind(KIND_SECRET), "key"));             /* not settable */
}

static void derived_ids_depend_on_space_kind_and_key(void **state)
{
	struct id32 a = { { 1 } }, b = { { 2 } };
	struct id16 x, y;

	(void)state;
	model_document_id(&x, &a, KIND_ORG, slice_of(""));
	model_document_id(&y, &a, KIND_ORG, slice_of(""));
	assert_true(id16_equal(&x, &y));
	model_document_id(&y, &b, KIND_ORG, slice_of(""));
	assert_false(id16_equal(&x, &y));
	model_document_id(&y, &a, KIND_PROFILE, slice_of(""));
	assert_false(id16_equal(&x, &y));
	model_document_id(&y, &a, KIND_ORG, slice_of("k"));
	assert_false(id16_equal(&x, &y));
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

static const struct field_spec *field(uint32_t kind, const char *name)
{
	return model_field(model_kind(kind), name);
}

/* Typed text becomes a value that prints as expected. */
static void check_text(const struct field_spec *f, const char *typed, const char *expected)
{
	struct buf encoded = { 0 }, text = { 0 };
	struct value v;
	char why[200] = "";

	assert_int_equal(value_parse(&encoded, f, slice_of(typed), why), OK);
	assert_int_equal(value_load(&v, f, buf_slice(&encoded)), OK);
	assert_int_equal(value_format(&text, f, buf_slice(&encoded)), OK);
	buf_put_u8(&text, 0);
	assert_string_equal((char *)text.data, expected);
	buf_free(&encoded);
	buf_free(&text);
}

static void check_refused(const struct field_spec *f, const char *typed, enum err expected, const char *expected_why)
{
	struct buf encoded = { 0 };
	char why[200] = "";

	assert_int_equal(value_parse(&encoded, f, slice_of(typed), why), expected);
	assert_string_equal(why, expected_why);
	assert_int_equal(encoded.len, 0);
	buf_free(&encoded);
}

static void values_print_as_they_were_typed(void **state)
{
	(void)state;
	check_text(field(KIND_GOAL, "title"), "Ship it", "Ship it");
	check_text(field(KIND_GOAL, "title"), "Cafe\xcc\x81", "Caf\xc3\xa9");
	check_text(field(KIND_GOAL, "targetValue"), "45.5", "45.5");
	check_text(field(KIND_GOAL, "targetValue"), "-17", "-17");
	check_text(field(KIND_GOAL, "targetValue"), "99999999.9999", "99999999.9999");
	check_text(field(KIND_LINK, "contributionWeight"), "0.25", "0.25");
	check_text(field(KIND_LINK, "contributionWeight"), "1000", "1000");
	check_text(field(KIND_OBJECTIVE, "priority"), "4", "4");
	check_text(field(KIND_OBJECTIVE, "calculationMethod"), "weightedaverage", "WeightedAverage");
	check_text(field(KIND_OBJECTIVE, "calculationMethod"), "task-based", "TaskBased");
	check_text(field(KIND_GOAL, "isPrivate"), "YES", "true");
	check_text(field(KIND_GOAL, "isPrivate"), "off", "false");
	check_text(field(KIND_GOAL, "targetDate"), "2026-03-31", "2026-03-31");
	check_text(field(KIND_GOAL, "targetDate"), "2024-02-29", "2024-02-29");
	check_text(field(KIND_GOAL, "targetDate"), "1969-12-31", "1969-12-31");
	check_text(field(KIND_GOAL, "targetDate"), "0001-01-01", "0001-01-01");
	check_text(field(KIND_GOAL, "targetDate"), "9999-12-31", "9999-12-31");
	check_text(field(KIND_LINK, "linkedAt"), "2026-03-31", "2026-03-31T00:00:00Z");
	check_text(field(KIND_LINK, "linkedAt"), "2026-03-31T23:59", "2026-03-31T23:59:00Z");
	check_text(field(KIND_LINK, "linkedAt"), "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z");
	check_text(field(KIND_SHARING, "goalIdsToHide"), "00000000000000000000000004", "00000000000000000000000004");
}

static void empty_and_null_are_unset_and_print_the_default(void **state)
{
	(void)state;
	check_text(field(KIND_GOAL, "title"), "", "");
	check_text(field(KIND_GOAL, "targetValue"), "null", "");
	check_text(field(KIND_OBJECTIVE, "targetValue"), "NULL", "100");
	check_text(field(KIND_OBJECTIVE, "status"), "", "Draft");
}

static void refusals_say_what_is_wrong_and_what_is_allowed(void **state)
{
	const char *number = " is a number such as 45.5, with at most 4 decimals";
	char expected[200];

	(void)state;
	check_refused(field(KIND_GOAL, "title"), "\xff", ERR_USAGE, "title is not valid UTF-8 text");
	snprintf(expected, sizeof expected, "targetValue%s", number);
	check_refused(field(KIND_GOAL, "targetValue"), "many", ERR_USAGE, expected);
	check_refused(field(KIND_GOAL, "targetValue"), "0.00001", ERR_USAGE, expected);
	check_refused(field(KIND_GOAL, "targetValue"), "1e3", ERR_USAGE, expected);
	check_refused(field(KIND_GOAL, "targetValue"), "100000000", ERR_TOOBIG,
		"targetValue is a number from -99999999.9999 to 99999999.9999");
	check_refused(field(KIND_LINK, "contributionWeight"), "-1", ERR_USAGE, "contributionWeight is a number from 0 to 1000");
	check_refused(field(KIND_LINK, "contributionWeight"), "1000.0001", ERR_TOOBIG,
		"contributionWeight is a number from 0 to 1000");
	check_refused(field(KIND_OBJECTIVE, "priority"), "0", ERR_USAGE, "priority is a whole number from 1 to 4");
	check_refused(field(KIND_OBJECTIVE, "priority"), "5", ERR_TOOBIG, "priority is a whole number from 1 to 4");
	check_refused(field(KIND_OBJECTIVE, "priority"), "99999999999999999999999", ERR_TOOBIG,
		"priority is a whole number from 1 to 4");
	check_refused(field(KIND_OBJECTIVE, "priority"), "two", ERR_USAGE, "priority is a whole number from 1 to 4");
	check_refused(field(KIND_OBJECTIVE, "status"), "Activ", ERR_USAGE,
		"status is one of Draft, Active, OnTrack, AtRisk, Behind, Completed, Cancelled");
	check_refused(field(KIND_GOAL, "isPrivate"), "maybe", ERR_USAGE, "isPrivate is true or false");
	check_refused(field(KIND_GOAL, "isPrivate"), "\x11", ERR_USAGE, "isPrivate is true or false");
	check_refused(field(KIND_GOAL, "targetDate"), "31.03.2026", ERR_USAGE, "targetDate is a date such as 2026-03-31");
	check_refused(field(KIND_GOAL, "targetDate"), "2026-02-29", ERR_USAGE, "targetDate is a date such as 2026-03-31");
	check_refused(field(KIND_GOAL, "targetDate"), "2026-13-01", ERR_USAGE, "targetDate is a date such as 2026-03-31");
	check_refused(field(KIND_GOAL, "targetDate"), "2026-03-31T10:00", ERR_USAGE, "targetDate is a date such as 2026-03-31");
	check_refused(field(KIND_LINK, "linkedAt"), "2026-03-31T24:00", ERR_USAGE,
		"linkedAt is a time in UTC such as 2026-03-31T17:30 or 2026-03-31");
	check_refused(field(KIND_GOAL, "parentGoalId"), "abcd", ERR_USAGE, "parentGoalId is an id of 26 characters");
	check_refused(field(KIND_OBJECTIVE, "ownerUserId"), "abcd", ERR_USAGE, "ownerUserId is an id of 52 characters");
}

static void every_refusal_fits_its_buffer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
		struct { char why[200]; char guard; } b = { .guard = 7 };
		struct buf encoded = { 0 };
		enum err e = value_parse(&encoded, model_field(kind_of(&ROWS[i]), ROWS[i].name), slice_of("\xfe?"), b.why);

		assert_int_equal(e, ERR_USAGE);
		assert_int_equal(b.guard, 7);
		assert_true(strlen(b.why) > 10 && strlen(b.why) < sizeof b.why - 1);
		buf_free(&encoded);
	}
}

static void check_length(const struct field_spec *f, const char *unit, size_t n, const char *why_not)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < n; i++)
		buf_put_text(&text, unit);
	buf_put_u8(&text, 0);
	if (why_not == NULL)
		check_text(f, (char *)text.data, (char *)text.data);
	else
		check_refused(f, (char *)text.data, ERR_TOOBIG, why_not);
	buf_free(&text);
}

static void long_texts_are_refused_with_their_count(void **state)
{
	(void)state;
	check_length(field(KIND_GOAL, "title"), "a", 500, NULL);
	check_length(field(KIND_GOAL, "title"), "\xe2\x82\xac", 500, NULL);
	check_length(field(KIND_GOAL, "title"), "\xe2\x82\xac", 501, "title has 501 characters; at most 500");
	check_length(field(KIND_GOAL, "unit"), "u", 51, "unit has 51 characters; at most 50");
	check_length(field(KIND_PROFILE, "email"), "e", 256, "email has 256 characters; at most 255");
	check_length(field(KIND_GOAL, "description"), "d", 16384, NULL);
	check_length(field(KIND_GOAL, "description"), "\xc3\xa9", 8193, "description has 16386 bytes; at most 16384");
	check_length(field(KIND_GOAL, "title"), "e\xcc\x81", 501, "title has 501 characters; at most 500");     /* after NFC */
	check_length(field(KIND_GOAL, "category"), "c", 51, "category has 51 characters; at most 50");
}

static void foreign_values_against_the_table_read_as_unset(void **state)
{
	static const struct { const char *field, *bytes; size_t len; } bad[] = {
		{ "title", "\x01", 1 }, { "title", "\xc4\x01x", 3 }, { "title", "\xa2x", 2 }, { "title", "\xa1x\xc0", 3 },
		{ "targetValue", "\xa1x", 2 }, { "targetValue", "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9 },
		{ "status", "\x08", 1 }, { "status", "\xff", 1 }, { "isPrivate", "\x01", 1 }, { "parentGoalId", "\xc4\x01x", 3 },
		{ "targetDate", "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9 }, { "title", "\xcc\x01", 2 }, { "title", "\x90", 1 },
	};
	const struct field_spec *f = field(KIND_GOAL, "title");
	struct buf long_text = { 0 };
	struct value v;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct buf text = { 0 };
		const struct field_spec *of = field(KIND_GOAL, bad[i].field);

		assert_int_equal(value_load(&v, of, SLICE(bad[i].bytes, bad[i].len)), ERR_MALFORMED);
		assert_false(v.set);
		assert_int_equal(value_format(&text, of, SLICE(bad[i].bytes, bad[i].len)), OK);
		assert_true(slice_equal(buf_slice(&text), slice_of(of->fallback == NULL ? "" : of->fallback)));
		buf_free(&text);
	}
	mp_put_str(&long_text, (char[501]){ 0 }, 501);
	assert_int_equal(value_load(&v, f, buf_slice(&long_text)), ERR_TOOBIG);
	assert_false(v.set);
	buf_free(&long_text);
}

/* ---- progress --------------------------------------------------------------------------------------------------- */

static struct number num(double v)
{
	return (struct number){ true, (decimal)(v < 0 ? v * 10000 - 0.5 : v * 10000 + 0.5) };
}

static void progress_goes_from_baseline_to_target_in_either_direction(void **state)
{
	struct number none = { 0 };

	(void)state;
	assert_int_equal(progress_percent(num(5.2), num(4), num(8).value).value, 700000);       /* the seed's 70.0 */
	assert_int_equal(progress_percent(num(1), num(3), 0).value, 333333);
	assert_int_equal(progress_percent(num(2), num(3), 0).value, 666667);
	assert_int_equal(progress_percent(num(9), num(4), num(8).value).value, -250000);
	assert_int_equal(progress_percent(num(150), num(100), 0).value, 1500000);
	assert_false(progress_percent(none, num(100), 0).set);
	assert_false(progress_percent(num(1), none, 0).set);
	assert_false(progress_percent(num(1), num(8), num(8).value).set);
	assert_int_equal(progress_percent((struct number){ true, DECIMAL_MAX }, (struct number){ true, 1 }, -0).value, DECIMAL_MAX);
	assert_int_equal(progress_percent((struct number){ true, -DECIMAL_MAX }, (struct number){ true, DECIMAL_MAX - 1 },
		DECIMAL_MAX).value, DECIMAL_MAX);
	assert_int_equal(progress_percent((struct number){ true, -DECIMAL_MAX }, (struct number){ true, 1 }, 0).value, -DECIMAL_MAX);
}

static int64_t kr(enum key_result_type type, enum kr_keep keep, double base, double target, double current)
{
	struct key_result k = { .type = type, .keep = keep, .baseline = num(base).value, .target = num(target),
		.current = num(current), .weight = DECIMAL_ONE };
	struct number n = key_result_percent(&k);

	assert_true(n.set);
	return n.value;
}

static void key_results_are_measured_by_type(void **state)
{
	struct key_result k = { .type = KR_PERCENTAGE, .keep = KEEP_UNSET };

	(void)state;
	assert_int_equal(kr(KR_NUMBER, KEEP_UNSET, 8, 4, 5.2), 700000);
	assert_int_equal(kr(KR_CURRENCY, KEEP_UNSET, 0, 200, 50), 250000);
	assert_int_equal(kr(KR_BINARY, KEEP_UNSET, 0, 1, 0.9), 0);
	assert_int_equal(kr(KR_BINARY, KEEP_UNSET, 0, 1, 1), 1000000);
	assert_int_equal(kr(KR_SCALE, KEEP_UNSET, 0, 5, 3.9), 600000);
	assert_int_equal(kr(KR_SCALE, KEEP_UNSET, 5, 0, 3.9), 200000);
	assert_int_equal(kr(KR_KPI, KEEP_UNSET, 0, 99.9, 99.95), 1000000);
	assert_int_equal(kr(KR_KPI, KEEP_UNSET, 90, 100, 95), 500000);
	assert_int_equal(kr(KR_KPI, KEEP_UNSET, 90, 100, 80), 0);
	assert_int_equal(kr(KR_KPI, KEEP_UNSET, 8, 4, 3), 1000000);
	assert_int_equal(kr(KR_KPI, KEEP_UNSET, 8, 4, 5), 750000);
	assert_int_equal(kr(KR_KPI, KEEP_BELOW, 0, 4, 5), 0);
	assert_int_equal(kr(KR_KPI, KEEP_BELOW, 0, 4, 4), 1000000);
	assert_int_equal(kr(KR_KPI, KEEP_ABOVE, 8, 4, 3), 0);
	assert_int_equal(kr(KR_KPI, KEEP_RANGE, 20, 10, 15), 1000000);
	assert_int_equal(kr(KR_KPI, KEEP_RANGE, 10, 20, 21), 0);
	assert_false(key_result_percent(&k).set);
	k.current = num(45);
	assert_int_equal(key_result_percent(&k).value, 450000);                 /* of 100 */
	k.type = KR_NUMBER;
	assert_false(key_result_percent(&k).set);
	k.type = KR_KPI;
	assert_false(key_result_percent(&k).set);
	k.type = KR_BINARY;
	assert_int_equal(key_result_percent(&k).value, 1000000);
}

/* ---- views ------------------------------------------------------------------------------------------------------ */

struct writing { struct doc *doc; struct change *change; const struct kind_spec *kind; };

static struct writing begin(struct doc *doc, uint32_t kind)
{
	struct writing w = { doc, NULL, model_kind(kind) };

	if (w.doc == NULL) {
		w.doc = doc_new(w.kind->schema);
		w.change = change_new(w.kind->schema, NULL);
	} else {
		w.change = change_new(w.kind->schema, doc);
	}
	return w;
}

static void set(struct writing *w, const char *name, const char *text)
{
	const struct field_spec *f = model_field(w->kind, name);
	struct buf encoded = { 0 };
	char why[200];

	assert_int_equal(value_parse(&encoded, f, slice_of(text), why), OK);
	if (f->field == FIELD_SET)
		change_set_add(w->change, f->key, buf_slice(&encoded));
	else
		change_register(w->change, f->key, buf_slice(&encoded));
	buf_free(&encoded);
}

static void set_in(struct writing *w, const char *map, uint8_t element, const char *name, const char *text)
{
	const struct field_spec *m = model_field(w->kind, map), *f = model_field(m->element, name);
	struct id16 id = { { element } };
	struct buf encoded = { 0 };
	char why[200];

	assert_int_equal(value_parse(&encoded, f, slice_of(text), why), OK);
	change_map_edit(w->change, m->key, &id, f->key, buf_slice(&encoded));
	buf_free(&encoded);
}

static struct doc *end(struct writing *w, uint64_t ms)
{
	struct buf body = { 0 };
	struct doc_op op = { .hlc = hlc_from_ms(ms), .device = { { 9 } } };

	put_u64(op.id.b, ms);
	assert_int_equal(change_finish(w->change, &body), OK);
	op.body = buf_slice(&body);
	assert_int_equal(doc_apply(w->doc, &op), OK);
	change_free(w->change);
	buf_free(&body);
	return w->doc;
}

static bool is_text(struct slice s, const char *text)
{
	return slice_equal(s, slice_of(text));
}

static void an_empty_objective_has_the_defaults(void **state)
{
	struct writing w = begin(NULL, KIND_OBJECTIVE);
	struct id16 id = { { 3 } };
	struct objective o;
	struct doc *doc = end(&w, 1000);

	(void)state;
	objective_read(&o, &id, doc);
	assert_true(id16_equal(&o.id, &id));
	assert_int_equal(o.method, METHOD_AVERAGE);
	assert_int_equal(o.status, OBJECTIVE_DRAFT);
	assert_int_equal(o.period, PERIOD_QUARTER);
	assert_int_equal(o.priority, 2);
	assert_true(o.target.set && o.target.value == 1000000);
	assert_false(o.current.set || o.start.set || o.has_parent || o.has_owner || o.deleted || o.support_edge);
	assert_int_equal(o.weight, 10000);
	assert_int_equal(o.title.len, 0);
	assert_int_equal(o.changed, hlc_from_ms(1000));
	assert_int_equal(objective_key_results(doc, NULL, 0), 0);
	doc_free(doc);
}

static void an_objective_reads_what_was_written(void **state)
{
	struct writing w = begin(NULL, KIND_OBJECTIVE);
	struct id16 id = { { 3 } }, parent = { { 0 } };
	struct objective o;
	struct doc *doc;

	(void)state;
	parent.b[15] = 1;
	set(&w, "title", "Increase customer satisfaction score to 4.5");
	set(&w, "targetValue", "4.5");
	set(&w, "currentValue", "4");
	set(&w, "calculationMethod", "WeightedAverage");
	set(&w, "status", "Active");
	set(&w, "periodNumber", "1");
	set(&w, "periodYear", "2024");
	set(&w, "weight", "20");
	doc = end(&w, 1000);
	w = begin(doc, KIND_OBJECTIVE);
	set(&w, "parentGoalId", "00000000000000000000000004");
	end(&w, 2000);
	w = begin(doc, KIND_OBJECTIVE);
	set(&w, "edge", "support");
	end(&w, 3000);
	objective_read(&o, &id, doc);
	assert_true(is_text(o.title, "Increase customer satisfaction score to 4.5"));
	assert_int_equal(o.target.value, 45000);
	assert_int_equal(o.current.value, 40000);
	assert_int_equal(o.method, METHOD_WEIGHTED);
	assert_int_equal(o.status, OBJECTIVE_ACTIVE);
	assert_int_equal(o.period_number, 1);
	assert_int_equal(o.period_year, 2024);
	assert_int_equal(o.weight, 200000);
	assert_true(o.has_parent && id16_equal(&o.parent, &parent) && o.support_edge);
	assert_int_equal(o.parent_at, hlc_from_ms(2000));
	assert_int_equal(o.changed, hlc_from_ms(3000));
	doc_free(doc);
}

static void key_results_come_in_the_order_of_their_positions(void **state)
{
	struct writing w = begin(NULL, KIND_OBJECTIVE);
	struct key_result krs[3];
	struct doc *doc;

	(void)state;
	set_in(&w, "keyResults", 1, "title", "last");
	set_in(&w, "keyResults", 1, "position", "g0");
	set_in(&w, "keyResults", 2, "title", "first");
	set_in(&w, "keyResults", 2, "position", "20");
	set_in(&w, "keyResults", 3, "title", "none");
	set_in(&w, "keyResults", 3, "type", "Number");
	set_in(&w, "keyResults", 3, "baselineValue", "8");
	set_in(&w, "keyResults", 3, "targetValue", "4");
	set_in(&w, "keyResults", 3, "currentValue", "5.2");
	doc = end(&w, 1000);
	assert_int_equal(objective_key_results(doc, krs, 3), 3);
	assert_true(is_text(krs[0].title, "none") && is_text(krs[1].title, "first") && is_text(krs[2].title, "last"));
	assert_int_equal(krs[0].type, KR_NUMBER);
	assert_int_equal(key_result_percent(&krs[0]).value, 700000);
	assert_int_equal(krs[1].type, KR_PERCENTAGE);
	assert_int_equal(krs[1].keep, KEEP_UNSET);
	assert_int_equal(krs[1].weight, 10000);
	assert_int_equal(objective_key_results(doc, krs, 2), 3);
	assert_true(is_text(krs[0].title, "none") && is_text(krs[1].title, "first"));
	doc_free(doc);
}

static struct goal read_goal(const struct doc *doc)
{
	struct id16 id = { { 5 } };
	struct goal g;

	goal_read(&g, &id, doc);
	return g;
}

static void the_percent_is_what_the_owner_said_last(void **state)
{
	struct writing w = begin(NULL, KIND_GOAL);
	struct doc *doc;

	(void)state;
	set(&w, "title", "Read more");
	doc = end(&w, 1000);
	assert_false(read_goal(doc).percent.set);
	assert_true(read_goal(doc).shared);
	assert_false(read_goal(doc).is_private);
	w = begin(doc, KIND_GOAL);
	set(&w, "progressPercent", "45.5");
	end(&w, 2000);
	assert_int_equal(read_goal(doc).percent.value, 455000);
	w = begin(doc, KIND_GOAL);
	set(&w, "currentValue", "3");
	end(&w, 3000);
	assert_int_equal(read_goal(doc).percent.value, 455000);         /* no target: the value says no percent */
	w = begin(doc, KIND_GOAL);
	set(&w, "targetValue", "12");
	end(&w, 4000);
	assert_int_equal(read_goal(doc).percent.value, 250000);
	w = begin(doc, KIND_GOAL);
	set(&w, "progressPercent", "30");
	end(&w, 5000);
	assert_int_equal(read_goal(doc).percent.value, 300000);
	w = begin(doc, KIND_GOAL);
	set(&w, "progressPercent", "null");
	end(&w, 6000);
	assert_int_equal(read_goal(doc).percent.value, 250000);
	w = begin(doc, KIND_GOAL);
	set(&w, "progressPercent", "80");
	set(&w, "currentValue", "6");
	end(&w, 7000);
	assert_int_equal(read_goal(doc).percent.value, 800000);         /* both at once: the percent */
	doc_free(doc);
}

static void tasks_are_counted_by_category(void **state)
{
	struct writing w = begin(NULL, KIND_GOAL);
	struct goal g;
	struct doc *doc;

	(void)state;
	set(&w, "category", "EFFICIENCY");
	set_in(&w, "tasks", 1, "title", "one");
	set_in(&w, "tasks", 1, "done", "true");
	set_in(&w, "tasks", 1, "actual", "90");
	set_in(&w, "tasks", 2, "category", "Meetings");
	set_in(&w, "tasks", 2, "done", "true");
	set_in(&w, "tasks", 2, "actual", "30");
	set_in(&w, "tasks", 3, "category", "Meetings");
	set_in(&w, "tasks", 4, "category", "Docs");
	set_in(&w, "tasks", 4, "done", "yes");
	doc = end(&w, 1000);
	g = read_goal(doc);
	assert_int_equal(g.tasks_total, 4);
	assert_int_equal(g.tasks_done, 3);
	assert_int_equal(g.minutes, 120);
	assert_int_equal(g.n_categories, 3);
	assert_true(is_text(g.categories[0].name, "Docs") && is_text(g.categories[1].name, "EFFICIENCY") &&
		is_text(g.categories[2].name, "Meetings"));
	assert_int_equal(g.categories[2].done, 1);
	doc_free(doc);
}

static void beyond_sixteen_categories_the_rest_is_other(void **state)
{
	for (int named_other = 0; named_other <= 1; named_other++) {
		struct writing w = begin(NULL, KIND_GOAL);
		unsigned others = 0, total = 0;
		struct goal g;
		struct doc *doc;

		for (uint8_t i = 0; i < 40; i++) {
			char name[16];

			snprintf(name, sizeof name, named_other && i == 3 ? "Other" : "c%02u", i);
			set_in(&w, "tasks", (uint8_t)(i + 1), "category", name);
			set_in(&w, "tasks", (uint8_t)(i + 1), "done", "true");
		}
		doc = end(&w, 1000);
		g = read_goal(doc);
		assert_int_equal(g.n_categories, GOAL_CATEGORIES_MAX);
		for (size_t i = 0; i < g.n_categories; i++) {
			others += is_text(g.categories[i].name, "Other");
			total += g.categories[i].done;
		}
		assert_int_equal(others, 1);
		assert_int_equal(total, 40);
		doc_free(doc);
	}
	(void)state;
}

static void a_link_without_its_ends_is_none(void **state)
{
	static const char id52[] = "0000000000000000000000000000000000000000000000000000", id26[] = "00000000000000000000000000";
	struct writing w = begin(NULL, KIND_LINK);
	struct id16 id = { { 1 } };
	struct link l;
	struct doc *doc;

	(void)state;
	set(&w, "organizationId", id52);
	set(&w, "individualGoalId", id26);
	doc = end(&w, 1000);
	assert_false(link_read(&l, &id, doc));
	w = begin(doc, KIND_LINK);
	set(&w, "organizationGoalId", id26);
	set(&w, "linkedAt", "1970-01-01T00:00:05Z");
	end(&w, 2000);
	assert_true(link_read(&l, &id, doc));
	assert_true(l.active);
	assert_int_equal(l.weight, 10000);
	assert_int_equal(l.at_ms, 5000);
	w = begin(doc, KIND_LINK);
	set(&w, "active", "false");
	set(&w, "contributionWeight", "0");
	end(&w, 3000);
	assert_true(link_read(&l, &id, doc));
	assert_false(l.active);
	assert_int_equal(l.weight, 0);
	doc_free(doc);
}

static void sharing_begins_with_the_seeds_defaults_and_nothing_accepted(void **state)
{
	struct sharing s;

	(void)state;
	assert_int_equal(sharing_read(&s, NULL), OK);
	assert_true(s.progress && s.counts && s.categories);
	assert_false(s.accepted || s.time || s.tasks);
	assert_int_equal(s.version + s.n_only + s.n_hide + s.n_refused, 0);
	sharing_free(&s);
}

static struct doc *sharing_doc(void)
{
	struct writing w = begin(NULL, KIND_SHARING);

	set(&w, "shareGoalProgress", "false");
	set(&w, "shareTimeAllocation", "true");
	set(&w, "accepted", "true");
	set(&w, "version", "7");
	set(&w, "goalIdsToShare", "00000000000000000000000004");
	set(&w, "goalIdsToShare", "00000000000000000000000008");
	set(&w, "goalIdsToHide", "00000000000000000000000008");
	set(&w, "refusedAggregators", "0000000000000000000000000000000000000000000000000000");
	return end(&w, 1000);
}

static void sharing_reads_what_was_written(void **state)
{
	struct doc *doc = sharing_doc();
	struct sharing s;

	(void)state;
	assert_int_equal(sharing_read(&s, doc), OK);
	assert_true(s.accepted && s.counts && s.categories && s.time);
	assert_false(s.progress || s.tasks);
	assert_int_equal(s.version, 7);
	assert_int_equal(s.n_only, 2);
	assert_int_equal(s.only[0].b[15], 1);
	assert_int_equal(s.only[1].b[15], 2);
	assert_int_equal(s.n_hide, 1);
	assert_int_equal(s.n_refused, 1);
	sharing_free(&s);
	doc_free(doc);
}

static void any_allocation_may_fail(void **state)
{
	struct doc *doc = sharing_doc();
	size_t live = mem_live();
	enum err e = ERR_NOMEM;

	(void)state;
	for (int k = 0; e != OK; k++) {
		struct sharing s;

		mem_fail_after(k);
		e = sharing_read(&s, doc);
		mem_fail_after(-1);
		assert_true(e == OK || e == ERR_NOMEM);
		if (e == OK)
			sharing_free(&s);
		assert_int_equal(mem_live(), live);
	}
	e = ERR_NOMEM;
	for (int k = 0; e != OK; k++) {
		struct buf encoded = { 0 };
		char why[200];

		mem_fail_after(k);
		e = value_parse(&encoded, field(KIND_GOAL, "title"), slice_of("Cafe\xcc\x81"), why);
		mem_fail_after(-1);
		assert_true(e == OK || e == ERR_NOMEM);
		buf_free(&encoded);
		assert_int_equal(mem_live(), live);
	}
	doc_free(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_its_name_type_default_and_limit),
		cmocka_unit_test(schemas_are_the_tables_in_ascending_keys),
		cmocka_unit_test(enums_have_the_inventorys_members_in_order),
		cmocka_unit_test(every_default_is_a_value_of_its_field),
		cmocka_unit_test(names_are_found_in_any_case),
		cmocka_unit_test(a_wrong_name_gets_the_nearest),
		cmocka_unit_test(derived_ids_depend_on_space_kind_and_key),
		cmocka_unit_test(values_print_as_they_were_typed),
		cmocka_unit_test(empty_and_null_are_unset_and_print_the_default),
		cmocka_unit_test(refusals_say_what_is_wrong_and_what_is_allowed),
		cmocka_unit_test(every_refusal_fits_its_buffer),
		cmocka_unit_test(long_texts_are_refused_with_their_count),
		cmocka_unit_test(foreign_values_against_the_table_read_as_unset),
		cmocka_unit_test(progress_goes_from_baseline_to_target_in_either_direction),
		cmocka_unit_test(key_results_are_measured_by_type),
		cmocka_unit_test(an_empty_objective_has_the_defaults),
		cmocka_unit_test(an_objective_reads_what_was_written),
		cmocka_unit_test(key_results_come_in_the_order_of_their_positions),
		cmocka_unit_test(the_percent_is_what_the_owner_said_last),
		cmocka_unit_test(tasks_are_counted_by_category),
		cmocka_unit_test(beyond_sixteen_categories_the_rest_is_other),
		cmocka_unit_test(a_link_without_its_ends_is_none),
		cmocka_unit_test(sharing_begins_with_the_seeds_defaults_and_nothing_accepted),
		cmocka_unit_test(sharing_reads_what_was_written),
		cmocka_unit_test(any_allocation_may_fail),
	};

	crypto_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
