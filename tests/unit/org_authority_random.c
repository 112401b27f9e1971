/* authority: random DAGs in any order, against protocol §3's pseudo-code transcribed literally. */
#include <stdio.h>
#include "tests/unit/org_authority_kit.h"

#define MAX 64
enum { PEOPLE = 6, RANDOM_ACTS = 12 };

/* ---- the literal transcription ----------------------------------------------------------------------------------------- */
struct naive {
	struct acts acts;
	size_t n;
	bool past[MAX][MAX], ok[MAX], kept[MAX];        /* past[o][x]: x in past(o) */
	uint32_t order[MAX];
	struct verdict v[MAX];
};

static bool before(const struct naive *s, uint32_t a, uint32_t b)
{
	uint32_t x = dag_depth(s->acts.dag, a), y = dag_depth(s->acts.dag, b);

	return x != y ? x < y : id32_compare(dag_id(s->acts.dag, a), dag_id(s->acts.dag, b)) < 0;
}

static void shape(struct naive *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const uint32_t *cites;
		size_t n = dag_cites(s->acts.dag, i, &cites), at = i;

		for (size_t k = 0; k < n; k++) {
			s->past[i][cites[k]] = true;
			for (size_t x = 0; x < i; x++)
				s->past[i][x] |= s->past[cites[k]][x];
		}
		for (; at > 0 && before(s, i, s->order[at - 1]); at--)
			s->order[at] = s->order[at - 1];
		s->order[at] = i;
	}
}

static struct state *fold(const struct naive *s, const bool *set)
{
	struct state *state = state_new();

	for (size_t r = 0; r < s->n; r++) {
		uint32_t i = s->order[r];
		struct deed deed = deed_of(&s->acts, i, &s->v[i].member);
		bool effective;

		if (set[i])
			assert_int_equal(state_apply(state, &effective, &deed), OK);
	}
	return state;
}

static struct state *past_state(const struct naive *s, uint32_t o)
{
	bool set[MAX];

	for (size_t i = 0; i < s->n; i++)
		set[i] = s->ok[i] && s->past[o][i];
	return fold(s, set);
}

static bool conc(const struct naive *s, uint32_t t, uint32_t o)
{
	return !s->past[t][o] && !s->past[o][t];
}

static bool hits(const struct naive *s, uint32_t t, uint32_t o)
{
	return conc(s, t, o) && strikes(s->acts.entries[t], &s->v[t], s->acts.entries[o], &s->v[o]);
}

static bool attacks(const struct naive *s, uint32_t u, uint32_t t)
{
	if (hits(s, u, t))
		return true;
	for (uint32_t x = 0; x < s->n; x++)
		if (s->ok[x] && s->past[t][x] && hits(s, u, x))
			return true;
	return false;
}

static void judge_all(struct naive *s)
{
	memset(s->ok, 0, sizeof s->ok);
	for (size_t r = 0; r < s->n; r++) {
		uint32_t o = s->order[r];
		struct state *past;
		bool hit = false;

		if (s->kept[o]) {
			s->ok[o] = true;
			continue;
		}
		past = past_state(s, o);
		s->ok[o] = judge(&s->v[o], past, s->acts.entries[o]) == OK;
		state_free(past);
		for (uint32_t t = 0; t < s->n; t++)
			hit = hit || (s->kept[t] && hits(s, t, o));
		s->ok[o] = s->ok[o] && !hit;
	}
}

/* false: C is empty */
static bool choose(struct naive *s)
{
	uint32_t first = DAG_NONE;

	for (int unattacked = 1; unattacked >= 0 && first == DAG_NONE; unattacked--)
		for (uint32_t t = 0; t < s->n; t++) {
			bool attacked = false;

			if (!s->ok[t] || !s->v[t].taking || s->kept[t])
				continue;
			for (uint32_t u = 0; u < s->n; u++)
				attacked = attacked || (s->ok[u] && s->v[u].taking && !s->kept[u] && attacks(s, u, t));
			if (unattacked && attacked)
				continue;
			if (first == DAG_NONE || precedence(&s->v[t], dag_id(s->acts.dag, t), &s->v[first], dag_id(s->acts.dag, first)) < 0)
				first = t;
		}
	if (first != DAG_NONE)
		s->kept[first] = true;
	return first != DAG_NONE;
}

static struct naive *naive_of(const struct authority *a)
{
	struct naive *s = mem_alloc(sizeof *s);

	assert_non_null(s);
	s->acts = authority_acts(a);
	s->n = s->acts.n;
	assert_true(s->n <= MAX);
	shape(s);
	do
		judge_all(s);
	while (choose(s));
	return s;
}

/* ---- random spaces ----------------------------------------------------------------------------------------------------- */
static struct person people[PEOPLE + 4];        /* the last ones are not members at first */

/* wide: of any; else of mostly recent ones. */
static struct cites random_cites(struct world *w, struct rng *rng, size_t from, bool wide)
{
	struct cites c = { 0, {{{ 0 }}} };
	size_t want = 1 + rng_below(rng, 2);

	if (rng_below(rng, 3) == 0)
		return NOW;
	for (size_t k = 0; k < want; k++) {
		size_t span = w->n - from, back = wide ? rng_below(rng, span) : rng_below(rng, span) * rng_below(rng, span) / span;
		const struct id32 *id = &w->acts[w->n - 1 - back].id;
		size_t at = c.n;
		bool twice = false;

		for (size_t i = 0; i < c.n; i++)
			twice = twice || id32_equal(&c.ids[i], id);
		if (twice)
			continue;
		while (at > 0 && id32_compare(id, &c.ids[at - 1]) < 0) {
			c.ids[at] = c.ids[at - 1];
			at--;
		}
		c.ids[at] = *id;
		c.n++;
	}
	return c;
}

static void random_act(struct world *w, struct rng *rng, struct cites cites)
{
	const struct person *p = &people[rng_below(rng, PEOPLE)], *q = &people[rng_below(rng, PEOPLE)];
	const struct id16 team = id16_of((unsigned)rng_below(rng, 2));
	unsigned number = (unsigned)rng_below(rng, PEOPLE), fresh = 100 + (unsigned)w->n;
	struct person second = with_device(p, (unsigned)rng_below(rng, 3));
	const struct id16 document = id16_of(200 + (unsigned)rng_below(rng, 2));
	const struct lists lists = { .claims = &document, .moves = &document };
	struct act_body scope = { .has_team = rng_below(rng, 2), .team = team, .n_claims = rng_below(rng, 2) };
	struct act_body b = { .member = q->root.id, .root = people[rng_below(rng, PEOPLE)].root.id, .device = q->device.id, .team = team,
		.has_member = true, .on = rng_below(rng, 2), .capability = CAPABILITY_RELAY, .setting = SETTING_MEMBER_CREATION };

	switch (rng_below(rng, 28)) {
	case 0: case 1: case 2: case 3: case 4: case 5:
		remove_member(w, p, q, cites);
		break;
	case 6: case 7: case 8: case 9: case 10:
		set_role(w, p, q, (enum role)rng_below(rng, 5), cites);
		break;
	case 11: by(w, p, ACT_REVOKE, b, cites); break;
	case 12: by(w, p, ACT_LEAVE, b, cites); break;
	case 13: by(w, p, ACT_CLOSE, (struct act_body){ .invite = invite_key(1 + number).id }, cites); break;
	case 14: case 15:
		admit(w, p, 1 + number, &people[rng_below(rng, PEOPLE + 4)], fresh, cites);
		break;
	case 16: invite(w, p, 1 + (unsigned)rng_below(rng, 12), (enum role)rng_below(rng, 5), 2, rng_below(rng, 2) ? &team : NULL, cites); break;
	case 17:
		b.certificate_bytes = SLICE(second.certificate, second.certificate_len);
		by(w, p, ACT_CERTIFY, b, cites);
		break;
	case 18: by(w, p, ACT_TEAM, b, cites); break;
	case 19: by(w, p, ACT_TEAM_LEAD, b, cites); break;
	case 20: by(w, p, ACT_TEAM_MEMBER, b, cites); break;
	case 21: by(w, p, ACT_MANAGER, b, cites); break;
	case 22: put(w, &p->root, ACT_ROOT, ACT_REVOKE, &b, NULL, cites); break;
	case 23:
		scope.n_moves = !scope.n_claims;
		put(w, &p->device, ACT_DEVICE, ACT_SCOPE, &scope, &lists, cites);
		break;
	case 24: by(w, p, ACT_DOTTED, b, cites); break;
	case 25: by(w, p, ACT_SETTING, b, cites); break;
	case 26: by(w, p, ACT_CAPABILITY, b, cites); break;
	default: by(w, p, ACT_MERGE, b, cites); break;
	}
}

/* Those at the top against each other. */
static void random_blow(struct world *w, struct rng *rng, struct cites cites)
{
	const struct person *p = &people[1 + rng_below(rng, 3)], *q = &people[1 + rng_below(rng, 3)];

	switch (rng_below(rng, 12)) {
	case 0: case 1: case 2: set_role(w, &people[rng_below(rng, 4)], q, ROLE_OWNER, cites); break;
	case 3: set_role(w, p, q, (enum role)rng_below(rng, 4), cites); break;
	case 4: by(w, p, ACT_REVOKE, (struct act_body){ .device = q->device.id }, cites); break;
	case 5: by(w, p, ACT_MERGE, (struct act_body){ .on = false }, cites); break;
	default: remove_member(w, p, q, cites); break;
	}
}

/* Two who may both remove each other, as they know. */
static void duel(struct world *w)
{
	struct cites then = cite1(w->acts[w->n - 1].id);
	struct id32 promotion = set_role(w, &people[0], &people[2], ROLE_OWNER, then);

	remove_member(w, &people[2], &people[1], cite1(promotion));
	remove_member(w, &people[1], &people[2], then);
}

static void random_world(struct world *w, struct rng *rng)
{
	size_t from, wanted = 2 + rng_below(rng, RANDOM_ACTS);
	bool fight = rng_below(rng, 2);

	world_start(w, &people[0], true);
	for (unsigned i = 1; i < PEOPLE; i++) {
		/* several uses: all may be used again */
		invite(w, &people[0], i, i <= 3 ? ROLE_ADMIN : i == 4 ? ROLE_MANAGER : ROLE_MEMBER, 2, NULL, NOW);
		admit(w, &people[i - 1], i, &people[i], i, NOW);
	}
	if (rng_below(rng, 2))
		set_role(w, &people[0], &people[1], ROLE_OWNER, NOW);
	from = w->n - 1;
	if (fight && rng_below(rng, 2))
		duel(w);
	while (wanted-- > 0) {
		struct cites cites = random_cites(w, rng, from, fight);

		if (fight)
			random_blow(w, rng, cites);
		else
			random_act(w, rng, cites);
	}
}

/* ---- comparing --------------------------------------------------------------------------------------------------------- */
static void assert_states_equal(const struct state *a, const struct state *b)
{
	struct buf x = {0}, y = {0};

	state_encode(&x, a);
	state_encode(&y, b);
	assert_int_equal(x.err, OK);
	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.data, y.data, x.len);
	buf_free(&x);
	buf_free(&y);
}

/* Against the transcription, for all acts and for the past of some heads. */
static void check(struct authority *a, const struct naive *s, const struct authority *of, struct rng *rng)
{
	bool set[MAX];
	uint32_t h = (uint32_t)rng_below(rng, s->n);
	const struct state *got;
	struct state *expected = fold(s, s->ok);

	for (uint32_t i = 0; i < s->n; i++)
		assert_int_equal(authority_counts(a, dag_id(of->dag, i)), s->ok[i]);
	assert_int_equal(authority_state(a, &got), OK);
	assert_states_equal(got, expected);
	state_free(expected);
	for (uint32_t i = 0; i < s->n; i++)
		set[i] = s->ok[i] && (i == h || s->past[h][i]);
	expected = fold(s, set);
	assert_int_equal(authority_state_at(a, dag_id(of->dag, h), 1, &got), OK);
	assert_states_equal(got, expected);
	state_free(expected);
}

/* What two authorities of the same acts say of data ops. */
static void check_data(struct authority *a, struct authority *b, struct rng *rng)
{
	const struct id16 team = id16_of(0);
	const struct data_right rights[] = { { .own_only = true }, { .action = MAY_CONFIGURE },
		{ .action = MAY_EDIT_OBJECTIVES, .has_document = true, .document = team } };

	for (size_t p = 0; p < PEOPLE; p++) {
		const struct id32 *device = &people[p].device.id, *head = dag_id(a->dag, (uint32_t)rng_below(rng, a->n));

		assert_true(authority_bound(a, device, 7) == authority_bound(b, device, 7));
		for (size_t r = 0; r < 3; r++) {
			bool x, y;

			assert_int_equal(authority_data_counts(a, &x, device, 7, 1, head, 1, &rights[r]), OK);
			assert_int_equal(authority_data_counts(b, &y, device, 7, 1, head, 1, &rights[r]), OK);
			assert_int_equal(x, y);
		}
	}
}

/* The acts in some order that has what is cited first, with questions in between. */
static struct authority *in_another_order(const struct world *w, struct rng *rng, bool asking)
{
	struct authority *a = authority_new();
	bool in[WORLD_MAX] = { false };
	size_t left = w->n;

	assert_non_null(a);
	while (left > 0) {
		size_t k = rng_below(rng, w->n);
		bool added;
		enum err e = in[k] ? OK : authority_add(a, &added, buf_slice(&w->acts[k].bytes));
		const struct state *s;

		if (in[k] || e == ERR_MISSING)
			continue;
		assert_int_equal(e, OK);
		assert_true(added);
		in[k] = true;
		left--;
		if (asking && rng_below(rng, 4) == 0) {         /* a turn that fails */
			authority_remove_last(a);
			in[k] = false;
			left++;
		}
		if (asking && rng_below(rng, 2))
			assert_int_equal(authority_state(a, &s), OK);
	}
	return a;
}

static void one_seed(uint64_t seed)
{
	struct world w;
	struct rng rng;
	struct naive *s;

	rng_seed_u64(&rng, seed);
	random_world(&w, &rng);
	s = naive_of(w.a);
	check(w.a, s, w.a, &rng);
	for (int k = 0; k < 3; k++) {
		struct authority *a = in_another_order(&w, &rng, k > 0);

		check(a, s, w.a, &rng);
		check_data(a, w.a, &rng);
		authority_free(a);
	}
	mem_free(s);
	world_end(&w);
}

static void test_counting_is_a_function_of_the_set(void **state)
{
	const char *more = getenv("AUTHORITY_SEEDS");
	uint64_t seeds = more == NULL ? 300 : strtoull(more, NULL, 10);

	(void)state;
	for (unsigned i = 0; i < PEOPLE + 4; i++)
		people[i] = person_of(i + 1);
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		if (more != NULL)
			fprintf(stderr, "\r%llu", (unsigned long long)seed);
		one_seed(seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_counting_is_a_function_of_the_set) };

	assert(crypto_start() == OK);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
