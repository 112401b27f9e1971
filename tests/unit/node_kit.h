/* kit: one node over a memory disk, driven by hand, and members beside it whose keys the test holds: they sign what they like. */
#ifndef NODE_KIT_H
#define NODE_KIT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "daemon/node/effects.h"
#include "daemon/node/node_internal.h"
#include "org/certificate.h"

#define KIT_START 1790000000000ull

struct kit {
	struct store_disk *disk; struct store *store; struct node *node; struct effects *effects;
	struct node_identity identity; struct node_host host; uint8_t key[KEY_LEN];
	struct rng rng; uint64_t now, token;
	enum err err; struct buf message, fields; int replies;   /* of the last command */
};
struct person { struct id32 root, device; uint8_t root_secret[SIGN_SECRET_LEN], secret[SIGN_SECRET_LEN], box[KEY_LEN], box_secret[KEY_LEN],
	curve[KEY_LEN]; uint8_t certificate[512]; size_t certificate_len; };

static inline void person_make(struct person *p, struct rng *rng)
{
	struct certificate c = { .by_root = true, .created_ms = KIT_START };
	uint8_t seed[32], curve_secret[KEY_LEN];
	struct buf b = {0};

	rng_bytes(rng, seed, 32);
	crypto_sign_seed(p->root.b, p->root_secret, seed);
	rng_bytes(rng, seed, 32);
	crypto_sign_seed(p->device.b, p->secret, seed);
	rng_bytes(rng, seed, 32);
	crypto_box_seed(p->box, p->box_secret, seed);
	rng_bytes(rng, seed, 32);
	crypto_box_seed(p->curve, curve_secret, seed);
	c.root = c.certifier = p->root;
	c.device = p->device;
	memcpy(c.box, p->box, KEY_LEN);
	memcpy(c.curve, p->curve, KEY_LEN);
	assert_int_equal(certificate_make(&b, &c, p->root_secret, p->secret), OK);
	memcpy(p->certificate, b.data, b.len);
	p->certificate_len = b.len;
	buf_free(&b);
}

static inline struct event kit_event(struct kit *k, enum event_kind kind)
{
	struct event ev = { .kind = kind, .wall_ms = k->now, .mono_ms = k->now - KIT_START + 1000 };

	rng_bytes(&k->rng, ev.random, sizeof ev.random);
	return ev;
}

static inline enum err kit_turn(struct kit *k, const struct event *ev, size_t n)
{
	enum err e = node_turn(&k->node, k->store, ev, n, k->effects);

	for (size_t i = 0; i < effects_count(k->effects); i++) {
		const struct effect *f = effects_at(k->effects, i);

		if (f->kind != EFFECT_REPLY || f->token != k->token)
			continue;
		k->replies++;
		k->err = f->reply->err;
		buf_clear(&k->message);
		buf_put_slice(&k->message, f->reply->message);
		buf_clear(&k->fields);
		buf_put_slice(&k->fields, f->reply->fields);
	}
	return e;
}

static inline void kit_time(struct kit *k, uint64_t ms)
{
	struct event ev;

	k->now += ms;
	ev = kit_event(k, EVENT_TIME);
	assert_int_equal(kit_turn(k, &ev, 1), OK);
}

static inline enum err kit_command(struct kit *k, struct command c)
{
	struct event ev = kit_event(k, EVENT_COMMAND);

	rng_bytes(&k->rng, &c.request, DOC_LEN);
	k->now += 10;
	ev.command = &c;
	ev.token = ++k->token;
	k->replies = 0;
	k->err = ERR_BUSY;
	(void)kit_turn(k, &ev, 1);
	return k->err;
}

static inline bool kit_id(struct kit *k, void *out, size_t len)
{
	struct mp_reader r = mp_read(buf_slice(&k->fields));
	size_t n = mp_get_map(&r, 64);

	for (size_t i = 0; i < n; i++) {
		struct slice name = mp_get_str(&r, 64);

		if (slice_equal(name, slice_of("id"))) {
			mp_get_fixed(&r, out, len);
			return r.err == OK;
		}
		(void)mp_get_any(&r);
	}
	return false;
}

static inline void kit_open(struct kit *k)
{
	struct event ev = kit_event(k, EVENT_START);

	assert_int_equal(store_open_memory(&k->store, k->disk, k->key), OK);
	assert_int_equal(node_open(&k->node, k->store, &k->identity, &k->host, ev.wall_ms, ev.random), OK);
	assert_int_equal(kit_turn(k, &ev, 1), OK);
}

static inline void kit_new(struct kit *k, uint64_t seed)
{
	struct person p;

	memset(k, 0, sizeof *k);
	assert_int_equal(crypto_start(), OK);
	k->now = KIT_START;
	rng_seed_u64(&k->rng, seed);
	k->identity.has_seed = true;
	rng_bytes(&k->rng, k->identity.seed, 32);
	person_make(&p, &k->rng);
	crypto_sign_seed(p.root.b, p.root_secret, k->identity.seed);
	{       /* the root comes from the seed */
		struct certificate c = { .by_root = true, .created_ms = KIT_START, .root = p.root, .certifier = p.root, .device = p.device };
		struct buf b = {0};

		memcpy(c.box, p.box, KEY_LEN);
		memcpy(c.curve, p.curve, KEY_LEN);
		assert_int_equal(certificate_make(&b, &c, p.root_secret, p.secret), OK);
		memcpy(k->identity.certificate, b.data, b.len);
		k->identity.certificate_len = b.len;
		buf_free(&b);
	}
	k->identity.root = p.root;
	k->identity.device = p.device;
	memcpy(k->identity.sign_secret, p.secret, sizeof p.secret);
	memcpy(k->identity.box_public, p.box, KEY_LEN);
	memcpy(k->identity.box_secret, p.box_secret, KEY_LEN);
	memcpy(k->identity.curve_public, p.curve, KEY_LEN);
	(void)snprintf(k->identity.name, sizeof k->identity.name, "Kit");
	rng_bytes(&k->rng, k->key, KEY_LEN);
	rng_bytes(&k->rng, k->host.machine, 16);
	k->host.agent = "kit";
	k->disk = store_disk_new();
	k->effects = effects_new();
	kit_open(k);
}

static inline void kit_close(struct kit *k)
{
	node_close(k->node);
	store_close(k->store);
	k->node = NULL;
	k->store = NULL;
}

static inline void kit_free(struct kit *k)
{
	kit_close(k);
	store_disk_free(k->disk);
	effects_free(k->effects);
	buf_free(&k->message);
	buf_free(&k->fields);
}

/* Calls of the inside between these two; kit_end commits, flushes and lets everything settle. */
static inline void kit_begin(struct kit *k)
{
	assert_int_equal(store_begin(&k->node->txn, k->store, true), OK);
	k->node->effects = k->effects;
	effects_clear(k->effects);
	k->node->wall_ms = k->now;
	k->node->mono_ms = k->now - KIT_START + 1000;
}

static inline void kit_end(struct kit *k)
{
	for (size_t i = 0; i < k->node->n_spaces; i++)
		assert_int_equal(replica_flush(k->node, &k->node->spaces[i]), OK);
	assert_int_equal(store_commit(k->node->txn), OK);
	k->node->txn = NULL;
	k->node->effects = NULL;
	kit_time(k, 1);
}

static inline struct space *kit_org(struct kit *k)
{
	return &k->node->spaces[1];
}

static inline void kit_found(struct kit *k)
{
	assert_int_equal(kit_command(k, (struct command){ .kind = COMMAND_ORG_CREATE, .text = slice_of("Kit") }), OK);
}

/* p becomes a member of the org: an invite and an admit, both by us. */
static inline void kit_admit(struct kit *k, const struct person *p, enum role role)
{
	uint8_t secret[KEY_LEN], sign[SIGN_SECRET_LEN];
	struct act_body invite = { .role = role, .uses = 1 }, admit = { .root = p->root,
		.certificate_bytes = SLICE(p->certificate, p->certificate_len) };

	rng_bytes(&k->rng, secret, sizeof secret);
	crypto_sign_seed(invite.invite.b, sign, secret);
	kit_begin(k);
	assert_int_equal(author_act(k->node, kit_org(k), ACT_INVITE, &invite, NULL, NULL, NULL, NULL, NULL), OK);
	admit.invite = invite.invite;
	rng_bytes(&k->rng, &admit.request, DOC_LEN);
	assert_int_equal(certificate_load(&admit.certificate, admit.certificate_bytes), OK);
	join_proof(admit.signature, &kit_org(k)->id, &admit.invite, &admit.request, &p->root, admit.certificate_bytes, sign);
	assert_int_equal(author_act(k->node, kit_org(k), ACT_ADMIT, &admit, NULL, NULL, NULL, NULL, NULL), OK);
	kit_end(k);
}

/* An op of p in the org: clear, of any kind and document, after prev (NULL: the first). */
static inline void kit_op(struct kit *k, struct op *op, struct buf *body, const struct person *p, uint64_t incarnation, const struct op *prev,
	hlc at, uint32_t kind, const struct id16 *document, struct slice plain)
{
	memset(op, 0, sizeof *op);
	op->space = kit_org(k)->id;
	op->device = p->device;
	op->incarnation = incarnation;
	op->seq = prev == NULL ? 1 : prev->seq + 1;
	if (prev != NULL)
		op->prev = prev->id;
	op->hlc = at;
	op->n_heads = authority_heads(kit_org(k)->authority, op->heads, LIMIT_HEADS);
	op->kind = kind;
	op->has_document = document != NULL;
	if (document != NULL)
		op->document = *document;
	assert_int_equal(op_seal(op, body, plain, NULL), OK);
	op_sign(op, p->secret);
}

/* As if a peer had sent it. */
static inline enum err kit_take(struct kit *k, const struct op *ops, size_t n)
{
	struct buf bytes = {0};
	struct run run;
	enum err e;

	assert_int_equal(run_encode(&bytes, ops, n), OK);
	assert_int_equal(run_decode(&run, buf_slice(&bytes)), OK);
	k->node->origin_link = 77;
	e = k->node->data.take_run(k->node, &ops->device, &run, buf_slice(&bytes));
	k->node->origin_link = 0;
	run_free(&run);
	buf_free(&bytes);
	return e;
}

static inline struct net_roots kit_roots(struct kit *k)
{
	struct net_roots roots;

	kit_begin(k);
	assert_int_equal(replica_roots(k->node, kit_org(k), &roots), OK);
	kit_end(k);
	return roots;
}

#endif
