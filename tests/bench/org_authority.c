/* org_authority: acts appended one by one with a question after each, and all resolved at once: 5,000 in a chain, and two branches of
 * 500 side by side.  Prints one line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "org/authority_internal.h"

enum { ACTS = 5000, BRANCH = 500 };

struct key { struct id32 id; uint8_t secret[SIGN_SECRET_LEN]; };
struct space { struct id32 id; size_t n; struct buf *acts; struct id32 *ids; };
static struct key root, device;

static void must(bool fine, const char *what)
{
	if (!fine) {
		fprintf(stderr, "org_authority: %s\n", what);
		exit(1);
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct key key_of(uint32_t number)
{
	uint8_t seed[KEY_LEN] = { 2 };
	struct key k;

	put_u32(seed + 4, number);
	crypto_sign_seed(k.id.b, k.secret, seed);
	return k;
}

static void certificate(struct buf *out, const struct key *r, const struct key *d)
{
	struct certificate c = { .root = r->id, .device = d->id, .by_root = true, .certifier = r->id };

	must(certificate_make(out, &c, r->secret, d->secret) == OK, "certificate");
}

static struct id32 put(struct space *s, enum act_kind kind, const struct act_body *b, const struct id32 *cites, size_t n_cites)
{
	struct act act = { .space = s->id, .author = device.id, .kind = (uint32_t)kind, .n_cites = n_cites };
	struct buf body = {0};

	if (n_cites > 0)
		memcpy(act.cites, cites, n_cites * sizeof *cites);
	must(act_body_encode(&body, kind, b, NULL, NULL, NULL, NULL) == OK, "body");
	act.body = buf_slice(&body);
	must(act_make(&s->acts[s->n], &act, device.secret) == OK, "act");
	s->ids[s->n++] = act.id;
	buf_free(&body);
	return act.id;
}

static struct id32 genesis(struct space *s)
{
	struct act_body b = { .is_org = true, .root = root.id };
	struct buf c = {0};

	s->acts = calloc(ACTS, sizeof *s->acts);
	s->ids = calloc(ACTS, sizeof *s->ids);
	must(s->acts != NULL && s->ids != NULL, "memory");
	certificate(&c, &root, &device);
	b.certificate_bytes = buf_slice(&c);
	s->id = put(s, ACT_GENESIS, &b, NULL, 0);
	buf_free(&c);
	return s->id;
}

/* Mostly admissions, with teams, memberships and roles; every 20th a removal. */
static struct id32 work(struct space *s, uint32_t i, const struct id32 *at)
{
	static struct key invite;
	static struct id32 last_member, last_team;
	struct act_body b = { .n_pins = 0 };
	struct buf c = {0};
	struct key r, d;
	struct id32 id;

	if (i == 1) {
		invite = key_of(1);
		b.invite = invite.id;
		b.role = ROLE_MEMBER;
		b.uses = LIMIT_INVITE_USES;
		return put(s, ACT_INVITE, &b, at, 1);
	}
	memcpy(b.team.b, last_team.b, DOC_LEN);
	b.member = last_member;
	b.on = true;
	switch (i % 10) {
	case 3: put_u32(last_team.b, i); memcpy(b.team.b, last_team.b, DOC_LEN); return put(s, ACT_TEAM, &b, at, 1);
	case 5: case 6: return put(s, ACT_TEAM_MEMBER, &b, at, 1);
	case 7: b.role = ROLE_MANAGER; return put(s, ACT_ROLE, &b, at, 1);
	case 9: return i % 20 == 19 ? put(s, ACT_REMOVE, &b, at, 1) : put(s, ACT_MERGE, &b, at, 1);
	}
	r = key_of(2 * i);
	d = key_of(2 * i + 1);
	certificate(&c, &r, &d);
	b.invite = invite.id;
	b.root = last_member = r.id;
	put_u32(b.request.b, i);
	b.certificate_bytes = buf_slice(&c);
	join_proof(b.signature, &s->id, &b.invite, &b.request, &b.root, b.certificate_bytes, invite.secret);
	id = put(s, ACT_ADMIT, &b, at, 1);
	buf_free(&c);
	return id;
}

static void space_free(struct space *s)
{
	for (size_t i = 0; i < s->n; i++)
		buf_free(&s->acts[i]);
	free(s->acts);
	free(s->ids);
}

/* Adds all, with a question after each, or not: then they are decoded and signatures of admits checked, no more. */
static struct authority *add_all(const struct space *s, bool asking, double *seconds)
{
	struct authority *a = authority_new();
	const struct state *state;
	double start = now();
	bool added;

	must(a != NULL, "memory");
	for (size_t i = 0; i < s->n; i++) {
		must(authority_add(a, &added, buf_slice(&s->acts[i])) == OK && added, "add");
		must(!asking || authority_state(a, &state) == OK, "state");
	}
	*seconds = now() - start;
	return a;
}

static double resolve_time(struct authority *a, size_t *counting)
{
	struct acts acts = authority_acts(a);
	struct verdict *v = calloc(acts.n, sizeof *v);
	struct state *state;
	double start = now(), took;
	bool cycle;

	must(v != NULL && resolve(&state, v, &cycle, &acts) == OK, "resolve");
	took = now() - start;
	*counting = 0;
	for (size_t i = 0; i < acts.n; i++)
		*counting += v[i].ok;
	state_free(state);
	free(v);
	return took;
}

int main(void)
{
	struct space chain = { .n = 0 }, forked = { .n = 0 };
	double append, bare, chained, branched, at_time, next_time, unused;
	const struct state *state;
	struct authority *a, *b, *f;
	struct id32 tip, left, right;
	size_t n_chain, n_forked;

	must(crypto_start() == OK, "crypto");
	root = key_of(2);
	device = key_of(3);
	tip = genesis(&chain);
	for (uint32_t i = 1; i < ACTS; i++)
		tip = work(&chain, i, &tip);
	a = add_all(&chain, true, &append);
	b = add_all(&chain, false, &bare);
	chained = resolve_time(b, &n_chain);
	at_time = now();
	must(authority_state_at(a, &chain.ids[ACTS / 2], 1, &state) == OK, "state at");
	at_time = now() - at_time;
	next_time = now();
	must(authority_state_at(a, &chain.ids[ACTS / 2 + 10], 1, &state) == OK, "state at");
	next_time = now() - next_time;

	left = right = tip = genesis(&forked);
	left = right = work(&forked, 1, &tip);
	for (uint32_t i = 2; i < 2 + BRANCH; i++) {
		left = work(&forked, 2 * i, &left);
		right = work(&forked, 2 * i + 1, &right);
	}
	f = add_all(&forked, false, &unused);
	branched = resolve_time(f, &n_forked);
	printf("org_authority: append %.0f ns (and %.0f ns decoding and checking), resolve of %zu of %d chained %.1f ms, of %zu of %zu in two "
		"branches %.1f ms, a past state %.2f ms, the next %.3f ms\n", (append - bare) / ACTS * 1e9, bare / ACTS * 1e9, n_chain, ACTS,
		chained * 1e3, n_forked, forked.n, branched * 1e3, at_time * 1e3, next_time * 1e3);
	authority_free(a);
	authority_free(b);
	authority_free(f);
	space_free(&chain);
	space_free(&forked);
	return 0;
}
