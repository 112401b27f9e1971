/* Tests of authority: people with seeded keys, and a space whose acts they write. */
#ifndef ORG_AUTHORITY_KIT_H
#define ORG_AUTHORITY_KIT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <assert.h>
#include <cmocka.h>
#include "base/limits.h"
#include "base/mem.h"
#include "base/rng.h"
#include "org/authority_internal.h"

#define KIT __attribute__((unused)) static

struct key { struct id32 id; uint8_t secret[SIGN_SECRET_LEN]; };
struct person { struct key root, device; uint8_t certificate[512]; size_t certificate_len; };
struct lists { const struct id16 *teams, *claims, *moves; const struct pin *pins; };
struct cites { size_t n; struct id32 ids[LIMIT_HEADS]; };       /* n 0: all heads */

#define WORLD_MAX 256
struct world {
	struct authority *a;
	struct id32 space;
	size_t n;
	struct { struct buf bytes; struct id32 id; } acts[WORLD_MAX];
};

KIT struct key key_of(unsigned number)
{
	uint8_t seed[KEY_LEN] = { 1 };
	struct key key;

	put_u32(seed + 4, number);
	crypto_sign_seed(key.id.b, key.secret, seed);
	return key;
}

/* A certificate of a device by the root key or by another device. */
KIT size_t certify(uint8_t *out, const struct key *root, const struct key *device, const struct key *by)
{
	struct certificate c = { .root = root->id, .device = device->id, .by_root = by == root, .certifier = by->id, .created_ms = 1 };
	struct buf b = {0};
	size_t len;

	memcpy(c.box, device->id.b, KEY_LEN);
	memcpy(c.curve, device->id.b, KEY_LEN);
	assert_int_equal(certificate_make(&b, &c, by->secret, device->secret), OK);
	memcpy(out, b.data, len = b.len);
	buf_free(&b);
	return len;
}

KIT struct person person_of(unsigned number)
{
	struct person p = { .root = key_of(2 * number), .device = key_of(2 * number + 1) };

	p.certificate_len = certify(p.certificate, &p.root, &p.device, &p.root);
	return p;
}

/* The same person, with another device, certified by the root key. */
KIT struct person with_device(const struct person *p, unsigned number)
{
	struct person q = { .root = p->root, .device = key_of(1000000 + number) };

	q.certificate_len = certify(q.certificate, &q.root, &q.device, &q.root);
	return q;
}

KIT struct id16 id16_of(unsigned number)
{
	struct id16 id = {{0}};

	put_u32(id.b + 12, number);
	id.b[0] = 0x16;
	return id;
}

KIT struct cites cite1(struct id32 a)
{
	return (struct cites){ 1, { a } };
}

KIT struct cites cite2(struct id32 a, struct id32 b)
{
	struct cites c = { 2, { a, b } };

	if (id32_compare(&a, &b) > 0) {
		c.ids[0] = b;
		c.ids[1] = a;
	}
	return c;
}

static const struct cites NOW;

/* Writes an act; adds it to the space's authority. */
KIT struct id32 put(struct world *w, const struct key *by, enum act_author type, enum act_kind kind, const struct act_body *body,
	const struct lists *lists, struct cites cites)
{
	struct act act = { .space = w->space, .author_type = type, .author = by->id, .kind = (uint32_t)kind };
	struct lists none = { NULL, NULL, NULL, NULL };
	struct buf b = {0};
	bool added;

	lists = lists == NULL ? &none : lists;
	assert_true(w->n < WORLD_MAX);
	assert_int_equal(act_body_encode(&b, kind, body, lists->teams, lists->claims, lists->moves, lists->pins), OK);
	act.body = buf_slice(&b);
	if (cites.n == 0)
		cites.n = authority_heads(w->a, cites.ids, LIMIT_HEADS);
	act.n_cites = cites.n;
	memcpy(act.cites, cites.ids, sizeof act.cites);
	assert_int_equal(act_make(&w->acts[w->n].bytes, &act, by->secret), OK);
	w->acts[w->n].id = act.id;
	assert_int_equal(authority_add(w->a, &added, buf_slice(&w->acts[w->n].bytes)), OK);
	if (added)
		w->n++;
	else                                    /* the same once more */
		buf_free(&w->acts[w->n].bytes);
	buf_free(&b);
	return act.id;
}

KIT struct id32 by(struct world *w, const struct person *p, enum act_kind kind, struct act_body body, struct cites cites)
{
	return put(w, &p->device, ACT_DEVICE, kind, &body, NULL, cites);
}

KIT struct id32 world_start(struct world *w, const struct person *founder, bool is_org)
{
	struct act_body b = { .is_org = is_org, .root = founder->root.id,
		.certificate_bytes = SLICE(founder->certificate, founder->certificate_len) };

	memset(w, 0, sizeof *w);
	w->a = authority_new();
	assert_non_null(w->a);
	if (is_org)
		w->space = put(w, &founder->device, ACT_DEVICE, ACT_GENESIS, &b, NULL, NOW);
	else
		w->space = put(w, &founder->root, ACT_ROOT, ACT_GENESIS, &b, NULL, NOW);
	return w->space;
}

KIT void world_end(struct world *w)
{
	authority_free(w->a);
	for (size_t i = 0; i < w->n; i++)
		buf_free(&w->acts[i].bytes);
	memset(w, 0, sizeof *w);
}

/* Invite keys: numbers from 500000. */
KIT struct key invite_key(unsigned number)
{
	return key_of(500000 + number);
}

KIT struct id32 invite(struct world *w, const struct person *p, unsigned number, enum role role, uint64_t uses, const struct id16 *team,
	struct cites cites)
{
	struct act_body b = { .invite = invite_key(number).id, .role = role, .uses = uses, .n_teams = team != NULL };
	struct lists lists = { .teams = team };

	memcpy(b.curve, b.invite.b, KEY_LEN);
	return put(w, &p->device, ACT_DEVICE, ACT_INVITE, &b, &lists, cites);
}

KIT struct id32 admit(struct world *w, const struct person *p, unsigned number, const struct person *newcomer, unsigned request,
	struct cites cites)
{
	struct key key = invite_key(number);
	struct act_body b = { .invite = key.id, .request = id16_of(request), .root = newcomer->root.id,
		.certificate_bytes = SLICE(newcomer->certificate, newcomer->certificate_len) };

	join_proof(b.signature, &w->space, &key.id, &b.request, &b.root, b.certificate_bytes, key.secret);
	return put(w, &p->device, ACT_DEVICE, ACT_ADMIT, &b, NULL, cites);
}

/* Invite and admit by one, citing all heads. */
KIT struct id32 join(struct world *w, const struct person *host, const struct person *newcomer, unsigned number, enum role role)
{
	invite(w, host, number, role, 1, NULL, NOW);
	return admit(w, host, number, newcomer, number, NOW);
}

KIT struct id32 remove_member(struct world *w, const struct person *p, const struct person *target, struct cites cites)
{
	return by(w, p, ACT_REMOVE, (struct act_body){ .member = target->root.id }, cites);
}

KIT struct id32 set_role(struct world *w, const struct person *p, const struct person *target, enum role role, struct cites cites)
{
	return by(w, p, ACT_ROLE, (struct act_body){ .member = target->root.id, .role = role }, cites);
}

KIT struct id32 make_team(struct world *w, const struct person *p, unsigned team, struct cites cites)
{
	return by(w, p, ACT_TEAM, (struct act_body){ .team = id16_of(team) }, cites);
}

KIT struct id32 team_member(struct world *w, const struct person *p, unsigned team, const struct person *target, bool on, struct cites cites)
{
	return by(w, p, ACT_TEAM_MEMBER, (struct act_body){ .team = id16_of(team), .member = target->root.id, .on = on }, cites);
}

KIT struct id32 team_lead(struct world *w, const struct person *p, unsigned team, const struct person *target, struct cites cites)
{
	struct act_body b = { .team = id16_of(team), .has_member = target != NULL };

	if (target != NULL)
		b.member = target->root.id;
	return by(w, p, ACT_TEAM_LEAD, b, cites);
}

KIT const struct state *now(struct world *w)
{
	const struct state *s;

	assert_int_equal(authority_state(w->a, &s), OK);
	return s;
}

KIT bool counts(struct world *w, struct id32 act)
{
	return authority_counts(w->a, &act);
}

KIT const struct member *member(struct world *w, const struct person *p)
{
	return state_member(now(w), &p->root.id);
}

KIT bool is(struct world *w, const struct person *p, enum role role, enum member_status status)
{
	const struct member *m = member(w, p);

	return m != NULL && m->role == role && m->status == status;
}

#endif
