/* The bytes of reports and published roll-ups (gate.h, audience.h, rollup.h; protocol §§6, 9), pinned.  They agree with
 * tests/golden/org_reports.py, written from the headers alone.  A change here breaks every peer. */
#include "tests/unit/org_people.h"
#include <stdio.h>
#include "org/rollup.h"

static const uint8_t SECRET[KEY_LEN] = { 7, 8, 9 };
static struct people *people;

static int setup(void **state)
{
	(void)state;
	if (crypto_start() != OK)
		return -1;
	people = people_new();
	people_join(people, ROLE_MEMBER);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	people_free(people);
	return 0;
}

/* With CAIRN_GOLDEN set: print what would be pinned. */
static void assert_hex(const char *name, const void *data, size_t len, const char *hex)
{
	static char text[4096];

	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", ((const uint8_t *)data)[i]);
	text[2 * len] = '\0';
	if (getenv("CAIRN_GOLDEN") != NULL)
		printf("%s %s\n", name, text);
	else
		assert_string_equal(text, hex);
}

static struct id16 id_of(uint8_t byte)
{
	struct id16 id;

	memset(id.b, byte, sizeof id.b);
	return id;
}

/* The sample of the seed (D13): 45.5 %, 12 of 25 tasks; 47 tasks done by category; 1840 minutes. */
static struct gate_report report(bool time)
{
	static struct goal goals[2];
	static struct link links[3];
	static struct objective objectives[2];
	struct sharing sharing = { .accepted = true, .progress = true, .counts = true, .time = time, .categories = true };
	struct gate_input in = { .goals = goals, .n_goals = 2, .links = links, .n_links = 3, .objectives = objectives,
		.n_objectives = 2, .sharing = &sharing, .state = people_state(people), .secret = SECRET };
	struct gate_report *reports, out;
	size_t n;

	in.org = *authority_space(people->authority);
	in.member = people->person[1].root;
	goals[0] = (struct goal){ .id = id_of(0x11), .shared = true, .title = slice_of("never shown"), .status = GOAL_IN_PROGRESS,
		.category = slice_of("Development"), .percent = { true, 455000 }, .tasks_done = 12, .tasks_total = 25,
		.minutes = 1800, .n_categories = 1, .categories = { { slice_of("Development"), 12 } },
		.changed = hlc_from_ms(1705329000000) };
	goals[1] = (struct goal){ .id = id_of(0x22), .shared = true, .status = GOAL_COMPLETED, .tasks_done = 35, .tasks_total = 300,
		.minutes = 40, .n_categories = 3, .categories = { { slice_of("Development"), 8 }, { slice_of("Documentation"), 15 },
		{ slice_of("Meetings"), 12 } }, .changed = hlc_from_ms(1705329000001) };
	objectives[0].id = id_of(0x0a);
	objectives[1].id = id_of(0x0b);
	for (uint8_t i = 0; i < 3; i++)
		links[i] = (struct link){ .id = id_of(i), .org = in.org, .goal = id_of(i == 2 ? 0x22 : 0x11), .active = true,
			.objective = id_of(i == 1 ? 0x0b : 0x0a), .weight = i == 1 ? 25000 : 10000 };
	assert_int_equal(gate_reports(&reports, &n, &in, false), OK);
	assert_int_equal(n, 1);
	out = reports[0];
	reports[0].body = (struct buf){ 0 };
	gate_reports_free(reports, n);
	return out;
}

static void report_bytes(void **state)
{
	struct gate_report r = report(false);

	(void)state;
	assert_hex("audience", r.audience.b, sizeof r.audience.b, "5fc8ffcfbae675ffe665647e93000236");
	assert_hex("report", r.body.data, r.body.len,
		"85010202938801c410740c7f0f9e8f00fc1c29c734591d92bd02c4100a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a03cd271004ce0006f15805"
		"0c061907cf0000018d0d877e4009ab446576656c6f706d656e748801c410740c7f0f9e8f00fc1c29c734591d92bd02c4100b0b0b0b0b0b"
		"0b0b0b0b0b0b0b0b0b0b03cd61a804ce0006f158050c061907cf0000018d0d877e4009ab446576656c6f706d656e748701c410aa4b62f7"
		"e2ceffa198e70288e4d790ac02c4100a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a03cd271004c0052306cd012c07cf0000018d0d877e410383"
		"012f02010383a84d656574696e67730cab446576656c6f706d656e7414ad446f63756d656e746174696f6e0f04c4104b0212b37682792e"
		"1d2f91b7b336b4670fc4e20000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"0000000000000000000000000000000000");
	buf_free(&r.body);
	r = report(true);
	assert_hex("report_with_time", r.body.data, r.body.len,
		"85010202938901c410740c7f0f9e8f00fc1c29c734591d92bd02c4100a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a03cd271004ce0006f15805"
		"0c061907cf0000018d0d877e4008cd070809ab446576656c6f706d656e748901c410740c7f0f9e8f00fc1c29c734591d92bd02c4100b0b"
		"0b0b0b0b0b0b0b0b0b0b0b0b0b0b03cd61a804ce0006f158050c061907cf0000018d0d877e4008cd070809ab446576656c6f706d656e74"
		"8801c410aa4b62f7e2ceffa198e70288e4d790ac02c4100a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a03cd271004c0052306cd012c07cf0000"
		"018d0d877e4108280384012f02010383a84d656574696e67730cab446576656c6f706d656e7414ad446f63756d656e746174696f6e0f04"
		"cd073004c410bc80d2b376df7e0525db9895a016d7770fc4d4000000000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"0000000000000000000000000000000000");
	buf_free(&r.body);
}

static void rule_bytes(void **state)
{
	struct reader_rule rule = { .layer = 2, .n_teams = 2, .teams = { { { 1 } }, { { 2 } } } }, private = { .layer = 2, .is_private = true };
	struct buf b = { 0 };
	struct id16 id;

	(void)state;
	reader_rule_encode(&b, &rule);
	assert_hex("rule", b.data, b.len, "0200020100000000000000000000000000000002000000000000000000000000000000");
	audience_id(&id, SECRET, &rule);
	assert_hex("rule_audience", id.b, sizeof id.b, "559cddae7b075c4971caaeeb783ee182");
	audience_id(&id, SECRET, &private);
	assert_hex("private_audience", id.b, sizeof id.b, "aff370a5acbd1a0bab2d5b2e7ff3329f");
	buf_free(&b);
}

/* The seed's example (J16): Alice two links at 75, Bob one at 50, and one that is hidden. */
static void rollup_bytes(void **state)
{
	static const uint8_t member[] = { 1, 1, 2, 3 };
	struct contribution c[4] = { { .at_ms = 0 } };
	struct objective o = { .id = id_of(0x0a), .status = OBJECTIVE_ACTIVE, .weight = 10000 };
	struct key_result kr = { .id = id_of(0x33), .type = KR_NUMBER, .keep = KEEP_UNSET, .baseline = 80000, .target = { true, 40000 },
		.current = { true, 52000 } };
	struct rollup_input in = { .objectives = &o, .n_objectives = 1, .contributions = c, .n_contributions = 4,
		.settings = { .min_group = 1 } };
	struct id32 heads[1];
	struct rollup_body body;
	struct rollup r;
	struct buf b = { 0 };

	(void)state;
	memset(heads, 0x44, sizeof heads);
	for (uint8_t i = 0; i < 4; i++) {
		memset(c[i].member.b, member[i], ID_LEN);
		memset(c[i].report.b, 0x50 + member[i], ID_LEN);
		memset(c[i].salt.b, 0x60 + member[i], DOC_LEN);
		c[i].at_ms = 1705329000000 + i;
		c[i].entry = (struct report_entry){ .goal = id_of(i), .objective = o.id, .weight = 10000, .hidden = i == 3,
			.has_percent = i < 3, .percent = i < 2 ? 750000 : i == 2 ? 500000 : 0 };
	}
	assert_int_equal(rollup_compute(&r, &in), OK);
	rollup_body_fill(&body, &r.results[0], &o, &in.settings, heads, 1, &kr, 1);
	assert_int_equal(rollup_body_encode(&b, &body), OK);
	assert_hex("rollup", b.data, b.len,
		"8f01c4100a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0291c42044444444444444444444444444444444444444444444444444444444444444"
		"440300040005ce0009896806ce00098968070108cf0000018d0d877e4309030a010b9192c41033333333333333333333333333333333ce"
		"000aae600c900d030ec4205374e077f9a8833a99145d19b3c6040bb12748c6e7d834c6a78819ae6cde848a10c2");
	body.suppressed = true;
	body.raw.set = body.progress.set = false;
	body.n_key_results = 0;
	buf_clear(&b);
	assert_int_equal(rollup_body_encode(&b, &body), OK);
	assert_hex("rollup_suppressed", b.data, b.len,
		"8f01c4100a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0291c42044444444444444444444444444444444444444444444444444444444444444"
		"440300040005c006c0070108cf0000018d0d877e4309c00ac00b900c900d030ec4205374e077f9a8833a99145d19b3c6040bb12748c6e7"
		"d834c6a78819ae6cde848a10c3");
	buf_free(&b);
	rollup_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_bytes),
		cmocka_unit_test(report_bytes),
		cmocka_unit_test(rollup_bytes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
