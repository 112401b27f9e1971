/* people: an organization for tests, made of real authority acts.  Person 0 founds it; everything is a function of small numbers. */
#ifndef ORG_PEOPLE_H
#define ORG_PEOPLE_H
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "org/authority.h"

#define PEOPLE_MAX 16

struct person { struct id32 root, device; uint8_t root_secret[SIGN_SECRET_LEN], device_secret[SIGN_SECRET_LEN], box[KEY_LEN];
	struct buf certificate; };
struct people { struct authority *authority; struct person person[PEOPLE_MAX]; size_t n; uint8_t serial; };

static inline void people_keys(struct id32 *public, uint8_t secret[SIGN_SECRET_LEN], char use, size_t n)
{
	uint8_t seed[KEY_LEN] = { (uint8_t)use, (uint8_t)n };

	crypto_sign_seed(public->b, secret, seed);
}

static inline struct person *people_person(struct people *p)
{
	struct person *x = &p->person[p->n];
	struct certificate c = { .by_root = true };

	assert_true(p->n < PEOPLE_MAX);
	people_keys(&x->root, x->root_secret, 'r', p->n);
	people_keys(&x->device, x->device_secret, 'd', p->n);
	memset(x->box, (int)p->n + 1, KEY_LEN);
	c.root = c.certifier = x->root;
	c.device = x->device;
	memcpy(c.box, x->box, KEY_LEN);
	assert_int_equal(certificate_make(&x->certificate, &c, x->root_secret, x->device_secret), OK);
	p->n++;
	return x;
}

/* An act by the device of a person, citing all heads. */
static inline void people_act(struct people *p, size_t author, enum act_kind kind, const struct act_body *b, const struct id16 *claims)
{
	struct act act = { .author_type = ACT_DEVICE, .author = p->person[author].device, .kind = kind };
	struct buf body = { 0 }, bytes = { 0 };
	bool added;

	if (kind != ACT_GENESIS)
		act.space = *authority_space(p->authority);
	act.n_cites = authority_heads(p->authority, act.cites, LIMIT_HEADS);
	assert_int_equal(act_body_encode(&body, kind, b, NULL, claims, NULL, NULL), OK);
	act.body = buf_slice(&body);
	assert_int_equal(act_make(&bytes, &act, p->person[author].device_secret), OK);
	assert_int_equal(authority_add(p->authority, &added, buf_slice(&bytes)), OK);
	assert_true(added && authority_counts(p->authority, &act.id));
	buf_free(&body);
	buf_free(&bytes);
}

static inline struct people *people_new(void)
{
	struct people *p = calloc(1, sizeof *p);
	struct person *founder;
	struct act_body b = { .is_org = true };

	p->authority = authority_new();
	founder = people_person(p);
	b.root = founder->root;
	b.certificate_bytes = buf_slice(&founder->certificate);
	people_act(p, 0, ACT_GENESIS, &b, NULL);
	return p;
}

static inline void people_free(struct people *p)
{
	for (size_t i = 0; i < p->n; i++)
		buf_free(&p->person[i].certificate);
	authority_free(p->authority);
	free(p);
}

static inline const struct state *people_state(struct people *p)
{
	const struct state *s;

	assert_int_equal(authority_state(p->authority, &s), OK);
	return s;
}

/* The founder invites and admits somebody; returns the number of the person. */
static inline size_t people_join(struct people *p, enum role role)
{
	struct person *x = people_person(p);
	struct act_body b = { .role = role, .uses = 1 };
	uint8_t secret[SIGN_SECRET_LEN];

	people_keys(&b.invite, secret, 'i', p->n);
	people_act(p, 0, ACT_INVITE, &b, NULL);
	b.root = x->root;
	b.certificate_bytes = buf_slice(&x->certificate);
	join_proof(b.signature, authority_space(p->authority), &b.invite, &b.request, &b.root, b.certificate_bytes, secret);
	people_act(p, 0, ACT_ADMIT, &b, NULL);
	return p->n - 1;
}

/* A further device; its keys are those of a person that joins nothing. */
static inline size_t people_device(struct people *p, size_t owner)
{
	struct person *x = people_person(p);
	struct certificate c = { .root = p->person[owner].root, .device = x->device, .certifier = p->person[owner].device };
	struct act_body b = { 0 };

	memcpy(c.box, x->box, KEY_LEN);
	buf_clear(&x->certificate);
	assert_int_equal(certificate_make(&x->certificate, &c, p->person[owner].device_secret, x->device_secret), OK);
	b.certificate_bytes = buf_slice(&x->certificate);
	people_act(p, owner, ACT_CERTIFY, &b, NULL);
	return p->n - 1;
}

static inline struct id16 people_team(struct people *p, const struct id16 *parent)
{
	struct act_body b = { .team = { { 't', ++p->serial } } };

	b.has_parent = parent != NULL;
	if (parent != NULL)
		b.parent = *parent;
	people_act(p, 0, ACT_TEAM, &b, NULL);
	return b.team;
}

static inline void people_into(struct people *p, size_t person, const struct id16 *team)
{
	struct act_body b = { .team = *team, .member = p->person[person].root, .on = true };

	people_act(p, 0, ACT_TEAM_MEMBER, &b, NULL);
}

static inline void people_lead(struct people *p, size_t person, const struct id16 *team)
{
	struct act_body b = { .team = *team, .member = p->person[person].root, .has_member = true };

	people_act(p, 0, ACT_TEAM_LEAD, &b, NULL);
}

static inline void people_manager(struct people *p, size_t person, size_t manager)
{
	struct act_body b = { .member = p->person[person].root, .root = p->person[manager].root, .has_member = true };

	people_act(p, 0, ACT_MANAGER, &b, NULL);
}

static inline void people_dotted(struct people *p, size_t person, size_t manager)
{
	struct act_body b = { .member = p->person[person].root, .root = p->person[manager].root, .on = true };

	people_act(p, 0, ACT_DOTTED, &b, NULL);
}

static inline void people_capability(struct people *p, size_t device, enum capability capability)
{
	struct act_body b = { .device = p->person[device].device, .capability = capability, .on = true };

	people_act(p, 0, ACT_CAPABILITY, &b, NULL);
}

static inline void people_remove(struct people *p, size_t person)
{
	struct act_body b = { .member = p->person[person].root };

	people_act(p, 0, ACT_REMOVE, &b, NULL);
}

static inline void people_revoke(struct people *p, size_t device)
{
	struct act_body b = { .device = p->person[device].device };

	people_act(p, 0, ACT_REVOKE, &b, NULL);
}

#endif
