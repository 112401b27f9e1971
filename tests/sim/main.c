/* simulate [-v] SEED...: one world for each seed.  Prints the seed, what happened to it and a hash of the trace.  Exit 1 where an
 * invariant broke: convergence after healing, acknowledged survives, the same seed gives the same trace (run twice with -t). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/id.h"
#include "base/mem.h"
#include "base/mp.h"
#include "tests/sim/world.h"

struct story { struct world *w; size_t nodes; struct id32 org; bool in[16]; struct id16 objective[8], goal[16]; size_t n_objectives; bool has_goal[16];
	int64_t acknowledged[16]; };

static bool fail(const char *what, uint64_t seed)
{
	printf("FAILED seed %llu: %s.  Repeat: make sim SEED=%llu\n", (unsigned long long)seed, what, (unsigned long long)seed);
	return false;
}

static enum err with_pairs(struct story *s, size_t node, enum command_kind kind, const char *key, const char *value, struct command c)
{
	struct pair pair = { slice_of(key), slice_of(value) };

	c.kind = kind;
	c.pairs = &pair;
	c.n_pairs = 1;
	return world_command(s->w, node, &c, 30000);
}

static bool found(struct story *s, uint64_t seed)
{
	struct command create = { .kind = COMMAND_ORG_CREATE, .text = slice_of("Sim") };
	struct command invite = { .kind = COMMAND_INVITE, .uses = s->nodes + 4 };
	const uint8_t *id;
	struct buf code = {0};

	for (int tries = 0; tries < 20; tries++) {
		if (world_command(s->w, 0, &create, 10000) == OK)
			break;
	}
	if ((id = world_reply_bin(s->w, "id", ID_LEN)) == NULL)
		return fail("no organization", seed);
	memcpy(&s->org, id, ID_LEN);
	s->in[0] = true;
	world_run(s->w, 500);
	for (int tries = 0; tries < 20; tries++)
		if (world_command(s->w, 0, &invite, 10000) == OK)
			break;
	buf_put_slice(&code, world_reply_text(s->w, "code"));
	for (size_t i = 1; i < s->nodes; i++) {
		struct command join = { .kind = COMMAND_ORG_JOIN, .text = buf_slice(&code) };

		for (int tries = 0; tries < 12 && !s->in[i]; tries++)
			s->in[i] = world_command(s->w, i, &join, 60000) == OK;
	}
	buf_free(&code);
	for (size_t i = 0; i < s->nodes; i++)
		if (!s->in[i])
			return fail("a node could not join", seed);
	return true;
}

static void add_objective(struct story *s)
{
	const uint8_t *id;

	if (s->n_objectives < 8 && with_pairs(s, 0, COMMAND_OBJECTIVE_ADD, "title", "An objective", (struct command){0}) == OK &&
	    (id = world_reply_bin(s->w, "id", DOC_LEN)) != NULL)
		memcpy(&s->objective[s->n_objectives++], id, DOC_LEN);
}

static void add_goal(struct story *s, size_t node)
{
	struct command link = { .kind = COMMAND_LINK, .has_document = true, .has_target = true };
	struct command accept = { .kind = COMMAND_SHARE_ACCEPT, .on = true };
	const uint8_t *id;

	if (s->has_goal[node] || s->n_objectives == 0)
		return;
	if (with_pairs(s, node, COMMAND_GOAL_ADD, "title", "A goal", (struct command){0}) != OK ||
	    (id = world_reply_bin(s->w, "id", DOC_LEN)) == NULL)
		return;
	memcpy(&s->goal[node], id, DOC_LEN);
	s->has_goal[node] = true;
	s->acknowledged[node] = -1;
	link.document = s->goal[node];
	link.target = s->objective[rng_below(world_rng(s->w), s->n_objectives)];
	(void)world_command(s->w, node, &link, 10000);
	(void)world_command(s->w, node, &accept, 10000);
}

static void progress(struct story *s, size_t node)
{
	struct command c = { .kind = COMMAND_GOAL_PROGRESS, .has_document = true, .document = s->goal[node], .has_value = true,
		.value = (decimal)rng_below(world_rng(s->w), 1000000) };
	enum err e;

	if (!s->has_goal[node])
		return;
	e = world_command(s->w, node, &c, 10000);
	if (e == OK)
		s->acknowledged[node] = c.value;
	else if (e == ERR_BUSY)
		s->acknowledged[node] = -1;             /* it crashed before the answer: either is right */
}

static void edit(struct story *s, size_t node)
{
	char text[32];
	struct command c = { .has_document = true };

	if (s->n_objectives == 0)
		return;
	c.document = s->objective[rng_below(world_rng(s->w), s->n_objectives)];
	(void)snprintf(text, sizeof text, "%u", (unsigned)rng_below(world_rng(s->w), 1000));
	(void)with_pairs(s, node, COMMAND_OBJECTIVE_EDIT, rng_below(world_rng(s->w), 2) ? "targetValue" : "description", text, c);
}

/* The founder grants and withdraws: roles (which end rights, with pins) and aggregators (whose roll-ups come and go). */
static void rights(struct story *s)
{
	struct rng *r = world_rng(s->w);
	size_t node = 1 + rng_below(r, s->nodes - 1);
	struct command grant = { .kind = COMMAND_DEVICE_GRANT, .has_other = true, .other = *world_device(s->w, node),
		.number = CAPABILITY_AGGREGATOR, .on = rng_below(r, 2) };
	struct command role = { .kind = COMMAND_MEMBER_ROLE, .has_other = true, .other = *world_member(s->w, node), .has_role = true,
		.role = rng_below(r, 2) ? ROLE_ADMIN : ROLE_MEMBER };

	(void)world_command(s->w, 0, rng_below(r, 2) ? &grant : &role, 10000);
}

static void act(struct story *s)
{
	struct rng *r = world_rng(s->w);
	size_t node = rng_below(r, s->nodes);
	struct command offline = { .kind = COMMAND_OFFLINE, .on = rng_below(r, 2) };

	switch (rng_below(r, 20)) {
	case 0: add_objective(s); break;
	case 1: case 2: add_goal(s, node); break;
	case 3: world_partition(s->w, rng_below(r, 2)); break;
	case 4: (void)world_command(s->w, node, &offline, 10000); break;
	case 5: world_crash(s->w, node); break;
	case 6: world_fail_commit(s->w, node); break;
	case 7: world_disk_limit(s->w, node, rng_below(r, 2) ? 1 : 0); break;
	case 8: case 9: case 10: edit(s, node); break;
	case 11: case 12: rights(s); break;
	case 13:
		if (world_rollback(s->w, node, rng_below(r, 2)))
			s->has_goal[node] = false;      /* what was personal is on this device only: back to what it was then */
		break;
	default: progress(s, node); break;
	}
	world_run(s->w, rng_below(r, 4000));
}

static bool kept(struct story *s, size_t node)
{
	struct view *v = world_view(s->w, node);
	const struct doc *doc;
	struct goal goal;
	bool ok = view_document(v, view_self_space(v), KIND_GOAL, &s->goal[node], &doc) == OK;

	if (ok) {
		goal_read(&goal, &s->goal[node], doc);
		ok = s->acknowledged[node] < 0 || (goal.current.set && goal.current.value == s->acknowledged[node]);
	}
	view_close(v);
	return ok;
}

static bool healed(struct story *s, uint64_t seed, bool story)
{
	struct command online = { .kind = COMMAND_OFFLINE, .on = false };

	world_faults(s->w, false);
	for (size_t i = 0; i < s->nodes; i++)
		(void)world_command(s->w, i, &online, 10000);
	for (int k = 0; k < 60; k++) {
		struct command sync = { .kind = COMMAND_SYNC, .number = 30000 };

		world_run(s->w, 5000);
		for (size_t i = 0; i < s->nodes; i++)
			(void)world_command(s->w, i, &sync, 40000);
		if (world_equal(s->w, &s->org))
			break;
	}
	if (!world_equal(s->w, &s->org)) {
		if (story)
			world_show(s->w, &s->org);
		return fail("the nodes do not converge", seed);
	}
	if (world_wrong_folds(s->w) != 0)
		return fail("a cached document is not what its ops say", seed);
	for (size_t i = 0; i < s->nodes; i++)
		if (s->has_goal[i] && !kept(s, i))
			return fail("something acknowledged is gone", seed);
	return true;
}

static bool run(uint64_t seed, bool story, uint64_t counts[FAULT_COUNT], struct id32 *trace)
{
	struct rng draw;
	struct world_options o = { .story = story };
	struct story s = { .nodes = 3 };
	bool ok;

	rng_seed_u64(&draw, seed ^ 0x9e3779b97f4a7c15ull);
	s.nodes = o.nodes = 3 + rng_below(&draw, 3);
	o.loss = (unsigned)rng_below(&draw, 100);
	o.duplicate = (unsigned)rng_below(&draw, 100);
	o.reorder = (unsigned)rng_below(&draw, 200);
	o.crash = (unsigned)rng_below(&draw, 4);
	o.oom = (unsigned)rng_below(&draw, 8);
	s.w = world_new(seed, &o);
	world_faults(s.w, false);
	ok = found(&s, seed);
	world_faults(s.w, true);
	for (int i = 0; ok && i < 40; i++)
		act(&s);
	ok = ok && healed(&s, seed, true);
	for (int f = 0; f < FAULT_COUNT; f++)
		counts[f] += world_count(s.w, (enum fault)f);
	world_trace(s.w, trace);
	world_free(s.w);
	return ok;
}

int main(int argc, char **argv)
{
	uint64_t counts[FAULT_COUNT] = {0};
	bool story = false, twice = false;
	int bad = 0, ran = 0;
	size_t before;

	if (crypto_start() != OK)
		return 1;
	before = mem_live();
	for (int i = 1; i < argc; i++) {
		struct id32 trace, again;
		char text[ID_TEXT_MAX];

		if (strcmp(argv[i], "-v") == 0) {
			story = true;
			continue;
		}
		if (strcmp(argv[i], "-t") == 0) {
			twice = true;
			continue;
		}
		ran++;
		bad += !run(strtoull(argv[i], NULL, 10), story, counts, &trace);
		if (twice) {
			(void)run(strtoull(argv[i], NULL, 10), false, counts, &again);
			if (!id32_equal(&trace, &again))
				bad += !fail("two runs, two traces", strtoull(argv[i], NULL, 10));
		}
		if (story)
			printf("seed %s: trace %s\n", argv[i], id_format(text, &trace, ID_LEN, 16));
	}
	printf("simulator: %d seeds, %d failed;", ran, bad);
	for (int f = 0; f < FAULT_COUNT; f++)
		printf(" %llu %s%s", (unsigned long long)counts[f], fault_names[f], f + 1 < FAULT_COUNT ? "," : "\n");
	if (mem_live() != before) {
		printf("FAILED: %zu blocks leaked\n", mem_live() - before);
		bad++;
	}
	return bad > 0;
}
