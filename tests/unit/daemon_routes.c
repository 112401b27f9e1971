/* The routes over real nodes in memory. */
#include "tests/unit/daemon_routes.h"

/* The answer's JSON, to be released; the status must be as wanted. */
static json_t *ask(unsigned status, const char *method, const char *path, const char *body)
{
	json_t *answer = NULL;
	const char *text;
	char line[32];

	exchange(method, path, body, -1);
	snprintf(line, sizeof line, "HTTP/1.1 %u ", status);
	text = strstr(received, "\r\n\r\n");
	if (strncmp(received, line, strlen(line)) != 0 || text == NULL || (answer = json_loads(text, JSON_DECODE_ANY, NULL)) == NULL)
		fail_msg("%s %s: not %u: %s", method, path, status, received);
	return answer;
}

/* The answer as sorted text. */
static const char *says(unsigned status, const char *method, const char *path, const char *body)
{
	json_decref(ask(status, method, path, body));
	return strstr(received, "\r\n\r\n") + 4;
}

static void assert_says(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("not in it: %s\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part) != NULL)
		fail_msg("in it: %s\n%s", part, text);
}

/* One member of an answer, as text. */
static const char *get(const char *path, const char *key)
{
	static char text[600];
	json_t *answer = ask(200, "GET", path, ""), *value = json_object_get(answer, key);
	char *dump = value == NULL ? NULL : json_dumps(value, JSON_DUMP);

	snprintf(text, sizeof text, "%s", dump == NULL ? "absent" : dump);
	mem_free(dump);
	json_decref(answer);
	return text;
}

#define DEFAULT "/api/organizations/default"

/* Ann founds Acme, with one objective. */
static void found(void)
{
	says(200, "POST", "/api/organizations", "{\"name\":\"Acme\"}");
	pass(100);
	says(200, "POST", DEFAULT "/goals", "{\"title\":\"Grow\"}");
}

/* Another one joins her. */
static void join_as(size_t node, const char *role)
{
	char body[2048];
	json_t *invite;

	current = 0;
	snprintf(body, sizeof body, "{\"role\":\"%s\"}", role);
	invite = ask(200, "POST", DEFAULT "/members/invite", body);
	snprintf(body, sizeof body, "{\"code\":\"%s\"}", json_string_value(json_object_get(invite, "code")));
	json_decref(invite);
	current = node;
	assert_says(says(200, "POST", "/api/local/organizations/join", body), "\"name\":\"Acme\"");
	pass(500);
}

/* A goal of one's own at so many percent, linked and shared. */
static void contribute(size_t node, const char *percent)
{
	char body[256];

	current = node;
	snprintf(body, sizeof body, "{\"title\":\"Mine\",\"progressPercent\":%s}", percent);
	says(200, "POST", "/api/local/goals", body);
	says(200, "POST", DEFAULT "/links", "{\"goal\":\"Mine\",\"objective\":\"Grow\"}");
	says(200, "POST", DEFAULT "/share/accept", "{}");
	pass(1000);
}

/* ---- tests ------------------------------------------------------------------------------------------------------------------------------ */
static void decimals_and_times_are_plain(void **state)
{
	const char *text;

	(void)state;
	text = says(200, "POST", "/api/local/goals", "{\"title\":\"G\",\"targetValue\":33.3333,\"currentValue\":\"-0.1\",\"targetDate\":\"2026-03-31\"}");
	assert_says(text, "\"targetValue\":33.3333,");
	assert_says(text, "\"currentValue\":-0.1,");
	assert_says(text, "\"targetDate\":\"2026-03-31\"");
	assert_says(text, "\"updatedAt\":\"2026-09-21T14:13:20Z\"");
	assert_says(text, "\"message\":\"Added. It stays on your devices.\"");
	assert_says(text, "\"completedDate\":null");
	assert_says(says(200, "PUT", "/api/local/goals/G", "{\"targetValue\":null,\"isPrivate\":true}"), "\"targetValue\":null");
	assert_string_equal(get("/api/local/goals/G", "isPrivate"), "true");
}

static void references_are_ids_prefixes_or_titles(void **state)
{
	json_t *goal = ask(200, "POST", "/api/local/goals", "{\"title\":\"Ähre\"}");
	char path[128];

	(void)state;
	snprintf(path, sizeof path, "/api/local/goals/%.4s", json_string_value(json_object_get(goal, "id")));
	assert_string_equal(get(path, "title"), "\"Ähre\"");
	json_decref(goal);
	assert_string_equal(get("/api/local/goals/A%CC%88hre", "title"), "\"Ähre\"");     /* another normal form */
	says(200, "POST", "/api/local/goals", "{\"title\":\"Ähre\"}");
	assert_says(says(404, "GET", "/api/local/goals/%C3%84hre", ""), "\"candidates\":[{\"id\":");
	assert_says(received, "\"code\":\"ambiguous\"");
	assert_says(says(404, "GET", "/api/local/goals/nothing", ""), "cairn goal list");
	assert_says(says(404, "GET", DEFAULT, ""), "cairn org create");
}

static void wrong_bodies_are_told(void **state)
{
	(void)state;
	assert_says(says(400, "POST", "/api/local/goals", "{\"titel\":\"x\",\"title\":\"x\"}"), "did you mean title?");
	assert_says(says(400, "POST", "/api/local/goals", "{\"title\":{}}"), "must be text");
	assert_says(says(400, "POST", "/api/local/goals", "{\"title\":\"x\",\"status\":\"Nope\"}"), "NOT_STARTED");
	says(200, "POST", "/api/local/goals", "{\"title\":\"G\"}");
	assert_says(says(400, "POST", "/api/local/goals/G/progress", "{\"value\":1,\"percent\":2}"), "not both");
	assert_says(says(400, "POST", "/api/local/goals/G/progress", "{\"value\":1.00001}"), "four decimals");
	assert_says(says(400, "POST", "/api/local/peers", "{\"peer\":\"\",\"address\":\"x\"}"), "peer");
	assert_says(says(400, "POST", "/api/local/sync", "{\"timeout\":-1}"), "whole number");
	found();
	assert_says(says(400, "POST", DEFAULT "/members/invite", "{\"addresses\":[\"udp://x\"]}"), "tcp://HOST:PORT");
	assert_says(says(400, "GET", DEFAULT "/goals?status=Nope", ""), "OnTrack");
}

static void what_was_written_comes_back_as_a_whole(void **state)
{
	(void)state;
	found();
	assert_says(says(200, "POST", DEFAULT "/teams", "{\"name\":\"Sales\",\"type\":\"Squad\",\"teamLeadUserId\":\"Ann\"}"), "\"name\":\"Sales\"");
	assert_lacks(received, "\"teamLeadUserId\":null");
	assert_says(says(200, "POST", DEFAULT "/goals", "{\"title\":\"Sell\",\"teamId\":\"Sales\",\"parentGoalId\":\"Grow\",\"tags\":[\"b\",\"a\"]}"),
		"\"tags\":[\"a\",\"b\"]");
	assert_lacks(received, "\"teamId\":null");
	assert_lacks(received, "\"parentGoalId\":null");
	assert_says(says(200, "GET", DEFAULT "/goals?team=Sales&q=SEL", ""), "\"title\":\"Sell\"");
	assert_lacks(received, "\"title\":\"Grow\"");
	assert_says(says(200, "PUT", DEFAULT, "{\"name\":\"New name\",\"minGroup\":3}"), "\"name\":\"New name\"");
	assert_string_equal(get("/api/organizations/New%20name", "minGroup"), "3");
	assert_string_equal(get(DEFAULT "/members/Ann", "role"), "\"Owner\"");
}

static void everyone_sees_what_the_matrix_allows(void **state)
{
	(void)state;
	found();
	join_as(1, "Member");
	join_as(2, "Viewer");
	join_as(3, "Member");
	contribute(0, "75");
	contribute(1, "50");
	for (current = 0; current < 4; current++)
		assert_string_equal(get(DEFAULT "/goals/Grow/progress", "overallProgress"), "62.5");
	current = 0;
	assert_says(get(DEFAULT "/goals/Grow/progress", "contributors"), "\"displayName\":\"Bob\"");
	assert_says(get(DEFAULT "/goals/Grow/progress?explain=1", "items"), "\"share\":50");
	current = 1;
	assert_lacks(get(DEFAULT "/goals/Grow/progress", "contributors"), "Ann");
	assert_says(get(DEFAULT "/goals/Grow/progress", "contributors"), "\"progress\":50");
	assert_says(get(DEFAULT "/goals/Grow/progress", "publishedBy"), "\"displayName\":\"Ann\"");
	current = 2;
	assert_string_equal(get(DEFAULT "/goals/Grow/progress", "contributors"), "[]");
	assert_string_equal(get(DEFAULT "/goals/Grow/progress?explain=1", "items"), "[]");
	assert_says(says(200, "GET", DEFAULT "/reports", ""), "[]");
	assert_says(says(403, "POST", DEFAULT "/goals", "{\"title\":\"No\"}"), "\"code\":\"denied\"");
}

/* Its device opens every report, but its member may see none. */
static void an_aggregator_of_a_viewer_keeps_them_to_itself(void **state)
{
	(void)state;
	found();
	join_as(1, "Member");
	join_as(2, "Viewer");
	current = 0;
	says(200, "PUT", DEFAULT "/devices/Vic", "{\"capability\":\"aggregator\",\"granted\":true}");
	contribute(1, "50");
	current = 2;
	assert_string_equal(get(DEFAULT "/goals/Grow/progress", "overallProgress"), "50");
	assert_says(get(DEFAULT "/goals/Grow/progress", "publishedBy"), "\"displayName\":\"Vic\"");
	assert_string_equal(get(DEFAULT "/goals/Grow/progress", "contributors"), "[]");
	assert_string_equal(get(DEFAULT "/goals/Grow/progress?explain=1", "items"), "[]");
	assert_says(get(DEFAULT "/goals/Grow/progress?explain=1", "reason"), "1 of them is not yours to see");
	assert_lacks(says(200, "GET", DEFAULT "/reports", ""), "Bob");
}

static void the_preview_says_what_will_be_seen(void **state)
{
	(void)state;
	found();
	says(200, "POST", "/api/local/goals", "{\"title\":\"Mine\",\"progressPercent\":45.5}");
	says(200, "POST", DEFAULT "/links", "{\"goal\":\"Mine\",\"objective\":\"Grow\"}");
	assert_says(get(DEFAULT "/share/preview", "everyone"), "You are the only contributor: everyone will see 45.5 %.");
	assert_says(get(DEFAULT "/share/preview", "reports"), "\"goalTitle\":\"Mine\"");
	assert_string_equal(get(DEFAULT "/share/preview", "consentVersion"), "1");
	assert_string_equal(get(DEFAULT "/share/why/Mine", "shared"), "false");
	says(200, "POST", DEFAULT "/share/accept", "{}");
	assert_string_equal(get(DEFAULT "/share/preview", "consentVersion"), "1");
	assert_string_equal(get(DEFAULT "/share", "version"), "1");
	says(200, "PUT", DEFAULT "/share/goals/Mine", "{\"shared\":false}");
	assert_says(get(DEFAULT "/share/why/Mine", "sentence"), "switched off for this goal");
	assert_lacks(says(200, "GET", "/api/local/audit", ""), "\"verified\":false");
}

static void sync_and_peers_name_who(void **state)
{
	(void)state;
	found();
	assert_says(says(200, "POST", "/api/local/sync", "{}"), "\"peers\":[]");
	join_as(1, "Member");
	assert_says(says(200, "POST", "/api/local/sync", "{\"peer\":\"Ann\"}"), "\"displayName\":\"Ann\",\"inSync\":true");
	assert_says(says(200, "GET", "/api/local/peers", ""), "\"state\":\"connected\"");
	assert_says(says(200, "POST", "/api/local/offline", ""), "Offline");
	pass(100);
	assert_says(says(200, "GET", "/api/local/peers", ""), "\"todo\":\"cairn online\"");
	assert_says(says(202, "POST", "/api/local/sync", "{\"timeout\":1000}"), "\"code\":\"waiting\"");
}

static void without_memory_a_read_fails_alone(void **state)
{
	static const char *const paths[] = { "/api/organizations", DEFAULT "/goals", DEFAULT "/goals/Grow/progress?explain=1",
		"/api/local/goals", DEFAULT "/share", DEFAULT "/share/preview?raw=1", DEFAULT "/members", DEFAULT "/reports",
		"/api/local/peers", "/api/local/audit", DEFAULT "/state-hash" };

	(void)state;
	found();
	contribute(0, "75");
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		size_t live = mem_live();

		received[0] = '\0';
		for (long k = 0; strncmp(received, "HTTP/1.1 200", 12) != 0; k += 1 + k / 16) {
			assert_true(k < 100000);
			exchange("GET", paths[i], "", k);
		}
		says(200, "GET", paths[i], "");
		if (mem_live() > live + 64)
			fail_msg("%s keeps %zu blocks", paths[i], mem_live() - live);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
		TEST(decimals_and_times_are_plain), TEST(references_are_ids_prefixes_or_titles), TEST(wrong_bodies_are_told),
		TEST(what_was_written_comes_back_as_a_whole), TEST(everyone_sees_what_the_matrix_allows),
		TEST(an_aggregator_of_a_viewer_keeps_them_to_itself), TEST(the_preview_says_what_will_be_seen), TEST(sync_and_peers_name_who), TEST(without_memory_a_read_fails_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
