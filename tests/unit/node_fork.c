/* Forks (protocol §2): whatever branch came first, every replica ends the log below the lowest fork. */
#include "tests/unit/node_kit.h"

static struct person mallory;
static struct id16 profile;

/* The same node again, from a copy of its disk. */
static void kit_clone(struct kit *to, struct kit *from)
{
	uint8_t seed[32];

	memset(to, 0, sizeof *to);
	to->identity = from->identity;
	to->host = from->host;
	to->now = from->now;
	memcpy(to->key, from->key, KEY_LEN);
	rng_bytes(&from->rng, seed, 32);
	rng_seed(&to->rng, seed);
	to->disk = store_disk_clone(from->disk);
	to->effects = effects_new();
	kit_open(to);
}

static void found(struct kit *k, uint64_t seed)
{
	kit_new(k, seed);
	kit_found(k);
	person_make(&mallory, &k->rng);
	kit_admit(k, &mallory, ROLE_MEMBER);
	model_document_id(&profile, &kit_org(k)->id, KIND_PROFILE, SLICE(&mallory.root, ID_LEN));
}

static void name_op(struct kit *k, struct op *op, struct buf *body, const struct op *prev, hlc at, const char *name)
{
	struct change *c = change_new(model_kind(KIND_PROFILE)->schema, NULL);
	struct buf plain = {0};

	change_register_text(c, PROFILE_NAME, slice_of(name));
	assert_int_equal(change_finish(c, &plain), OK);
	kit_op(k, op, body, &mallory, 9, prev, at, KIND_PROFILE, &profile, buf_slice(&plain));
	change_free(c);
	buf_free(&plain);
}

static void take(struct kit *k, const struct op *ops, size_t n, enum err wanted)
{
	kit_begin(k);
	assert_int_equal(kit_take(k, ops, n), wanted);
	kit_end(k);
}

static void assert_name(struct kit *k, const char *name)
{
	struct doc *doc;
	struct mp_reader r;

	kit_begin(k);
	assert_int_equal(document_read(k->node, kit_org(k), KIND_PROFILE, &profile, &doc), OK);
	r = mp_read(doc_register(doc, PROFILE_NAME, NULL));
	assert_true(slice_equal(mp_get_str(&r, 100), slice_of(name)));
	doc_free(doc);
	kit_end(k);
}

static void assert_equal(struct kit *a, struct kit *b)
{
	struct net_roots x = kit_roots(a), y = kit_roots(b);

	assert_true(id32_equal(&x.authority, &y.authority));
	assert_true(id32_equal(&x.data, &y.data));
}

struct pieces { struct buf bytes; size_t len[16], n; };

static enum err keep(void *arg, struct slice s)
{
	struct pieces *p = arg;

	buf_put_slice(&p->bytes, s);
	p->len[p->n++] = s.len;
	return OK;
}

static void content(struct kit *k, struct pieces *p, const struct slot *slot)
{
	uint64_t upto;

	memset(p, 0, sizeof *p);
	kit_begin(k);
	assert_int_equal(k->node->data.content(k->node, &kit_org(k)->id, SLICE(slot->key, slot->key_len), 0, 1 << 20, keep, p, &upto), OK);
	kit_end(k);
}

/* The fork frame of one node, as another gets it. */
static void send_fork(struct kit *from, struct kit *to)
{
	struct net_message m = { .type = NET_FORK, .has_space = true, .space = kit_org(from)->id }, got;
	struct buf frame = {0};
	struct pieces p;
	struct slot slot;

	slot_fork(&slot, &mallory.device, 9, 0, &mallory.device);
	content(from, &p, &slot);
	assert_int_equal(p.n, 2);
	m.u.fork.a_bytes = SLICE(p.bytes.data, p.len[0]);
	m.u.fork.b_bytes = SLICE(p.bytes.data + p.len[0], p.len[1]);
	assert_int_equal(net_encode(&frame, &m), OK);
	assert_int_equal(net_check(&got, buf_slice(&frame)), OK);
	kit_begin(to);
	assert_int_equal(to->node->data.take_fork(to->node, &mallory.device, &got.u.fork.a, got.u.fork.a_bytes, &got.u.fork.b,
		got.u.fork.b_bytes), OK);
	kit_end(to);
	net_message_free(&got);
	buf_free(&frame);
	buf_free(&p.bytes);
}

static void send_log(struct kit *from, struct kit *to, uint64_t wanted)
{
	struct pieces p;
	struct slot slot;
	struct log_head head;
	size_t at = 0;

	slot_log(&slot, &mallory.device, 9, 0, &mallory.device);
	content(from, &p, &slot);
	kit_begin(to);
	for (size_t i = 0; i < p.n; i++) {
		struct run run;

		assert_int_equal(run_decode(&run, SLICE(p.bytes.data + at, p.len[i])), OK);
		assert_int_equal(to->node->data.take_run(to->node, &mallory.device, &run, SLICE(p.bytes.data + at, p.len[i])), OK);
		at += p.len[i];
		run_free(&run);
	}
	assert_int_equal(log_read(to->node, kit_org(to), &mallory.device, 9, &head), OK);
	assert_int_equal(head.visible, wanted);
	kit_end(to);
	buf_free(&p.bytes);
}

static void test_branches_converge(void **unused)
{
	struct op ops[3], other[2], lower;
	struct buf body[6] = {{0}};
	struct kit a, b, c;
	hlc at = hlc_from_ms(KIT_START);

	(void)unused;
	found(&a, 1);
	kit_clone(&b, &a);
	kit_clone(&c, &a);
	name_op(&a, &ops[0], &body[0], NULL, at + 1, "one");
	name_op(&a, &ops[1], &body[1], &ops[0], at + 2, "two");
	name_op(&a, &ops[2], &body[2], &ops[1], at + 3, "three");
	name_op(&a, &other[0], &body[3], &ops[1], at + 4, "other");
	name_op(&a, &other[1], &body[4], &other[0], at + 5, "more");
	name_op(&a, &lower, &body[5], &ops[0], at + 6, "lower");
	take(&a, ops, 3, OK);
	take(&b, ops, 2, OK);
	take(&b, other, 2, OK);
	assert_name(&b, "more");
	take(&a, &other[1], 1, ERR_FORK);       /* they part before it: the session asks for the whole log */
	take(&a, other, 2, OK);
	take(&b, ops, 3, OK);
	assert_name(&a, "two");
	assert_name(&b, "two");
	assert_equal(&a, &b);
	send_fork(&a, &c);                      /* the proof before the log */
	send_log(&b, &c, 2);
	assert_equal(&a, &c);
	assert_name(&c, "two");
	take(&a, &lower, 1, OK);                /* a lower one */
	send_fork(&a, &b);
	send_fork(&b, &c);
	send_fork(&c, &a);
	assert_equal(&a, &b);
	assert_equal(&a, &c);
	kit_close(&b);
	kit_open(&b);
	take(&b, ops, 3, OK);
	assert_equal(&a, &b);
	assert_name(&b, "one");
	for (int i = 0; i < 6; i++)
		buf_free(&body[i]);
	kit_free(&a);
	kit_free(&b);
	kit_free(&c);
}

/* A pin between two signatures: what lies below it still reaches a newcomer. */
static void test_bound_between_signatures(void **unused)
{
	struct op ops[6];
	struct buf body[6] = {{0}};
	struct kit a, b;
	struct pin pin = { .incarnation = 9, .seq = 4 };
	struct act_body remove = { .n_pins = 1 };

	(void)unused;
	found(&a, 2);
	kit_clone(&b, &a);
	for (int i = 0; i < 6; i++)
		name_op(&a, &ops[i], &body[i], i > 0 ? &ops[i - 1] : NULL, hlc_from_ms(KIT_START) + (hlc)i, "x");
	take(&a, ops, 6, OK);
	pin.device = mallory.device;
	remove.member = mallory.root;
	kit_begin(&a);
	assert_int_equal(author_act(a.node, kit_org(&a), ACT_REMOVE, &remove, NULL, NULL, NULL, &pin, NULL), OK);
	kit_end(&a);
	kit_begin(&b);
	for (size_t i = 0; i < 1; i++) {
		struct id32 heads[4];
		bool added;

		assert_int_equal(authority_heads(kit_org(&a)->authority, heads, 4), 1);
		assert_int_equal(replica_act(b.node, kit_org(&b), authority_bytes(kit_org(&a)->authority, &heads[0]), &added), OK);
	}
	kit_end(&b);
	send_log(&a, &b, 4);
	for (int i = 0; i < 6; i++)
		buf_free(&body[i]);
	kit_free(&a);
	kit_free(&b);
}

/* A roll-up of an aggregator that is one no longer leaves the map, wherever it had been. */
static void test_withdrawn_aggregator(void **unused)
{
	struct kit a;
	struct net_roots before, after;
	struct act_body body = { .capability = CAPABILITY_AGGREGATOR, .on = true };
	struct statement st = { .kind = STATEMENT_ROLLUP, .counter = 1, .hlc = hlc_from_ms(KIT_START) };
	struct buf bytes = {0};
	bool added;

	(void)unused;
	found(&a, 3);
	before = kit_roots(&a);
	body.device = mallory.device;
	kit_begin(&a);
	assert_int_equal(author_act(a.node, kit_org(&a), ACT_CAPABILITY, &body, NULL, NULL, NULL, NULL, NULL), OK);
	st.space = kit_org(&a)->id;
	st.device = mallory.device;
	assert_int_equal(statement_make(&bytes, &st, SLICE("x", 1), NULL, mallory.secret), OK);
	assert_int_equal(replica_statement(a.node, kit_org(&a), &st, buf_slice(&bytes), &added), OK);
	assert_true(added);
	kit_end(&a);
	after = kit_roots(&a);
	assert_false(id32_equal(&before.data, &after.data));
	body.on = false;
	kit_begin(&a);
	assert_int_equal(author_act(a.node, kit_org(&a), ACT_CAPABILITY, &body, NULL, NULL, NULL, NULL, NULL), OK);
	kit_end(&a);
	after = kit_roots(&a);
	assert_true(id32_equal(&before.data, &after.data));
	buf_free(&bytes);
	kit_free(&a);
}

static void other_act(struct kit *k, struct buf *bytes, const struct person *by, enum act_kind kind, const struct act_body *b,
	const struct id32 *cites, size_t n)
{
	struct act act = { .author_type = ACT_DEVICE, .kind = kind, .space = kit_org(k)->id, .author = by->device, .n_cites = n };
	struct buf body = {0};

	memcpy(act.cites, cites, n * sizeof *cites);
	assert_int_equal(act_body_encode(&body, kind, b, NULL, NULL, NULL, NULL), OK);
	act.body = buf_slice(&body);
	assert_int_equal(act_make(bytes, &act, by->secret), OK);
	buf_free(&body);
}

static void take_bytes(struct kit *k, const struct buf *bytes)
{
	bool added;

	kit_begin(k);
	k->node->origin_link = 77;
	assert_int_equal(replica_act(k->node, kit_org(k), buf_slice(bytes), &added), OK);
	k->node->origin_link = 0;
	assert_true(added);
	kit_end(k);
}

/* A close voids an admission that it did not know: the newcomer's log goes from the map where it had come, and does not come where
 * it had not. */
static void test_voided_newcomer(void **unused)
{
	struct act_body invite = { .role = ROLE_MEMBER, .uses = 1 }, admit = { .n_pins = 0 }, close = { .n_pins = 0 };
	uint8_t secret[KEY_LEN] = {5}, sign[SIGN_SECRET_LEN];
	struct buf admit_bytes = {0}, close_bytes = {0}, plain = {0}, body = {0};
	struct person bob, carol;
	struct id32 heads[4];
	struct change *c = change_new(model_kind(KIND_PROFILE)->schema, NULL);
	struct kit a, b;
	struct op op;
	size_t n;

	(void)unused;
	found(&a, 4);
	person_make(&bob, &a.rng);
	person_make(&carol, &a.rng);
	kit_admit(&a, &bob, ROLE_ADMIN);
	crypto_sign_seed(invite.invite.b, sign, secret);
	kit_begin(&a);
	assert_int_equal(author_act(a.node, kit_org(&a), ACT_INVITE, &invite, NULL, NULL, NULL, NULL, NULL), OK);
	kit_end(&a);
	kit_clone(&b, &a);
	n = authority_heads(kit_org(&a)->authority, heads, 4);
	admit.invite = close.invite = invite.invite;
	admit.root = carol.root;
	admit.certificate_bytes = SLICE(carol.certificate, carol.certificate_len);
	assert_int_equal(certificate_load(&admit.certificate, admit.certificate_bytes), OK);
	join_proof(admit.signature, &kit_org(&a)->id, &admit.invite, &admit.request, &carol.root, admit.certificate_bytes, sign);
	other_act(&a, &admit_bytes, &mallory, ACT_ADMIT, &admit, heads, n);
	other_act(&a, &close_bytes, &bob, ACT_CLOSE, &close, heads, n);
	take_bytes(&a, &admit_bytes);
	assert_true(state_device_active(space_state(kit_org(&a)), &carol.device));
	model_document_id(&profile, &kit_org(&a)->id, KIND_PROFILE, SLICE(&carol.root, ID_LEN));
	change_register_text(c, PROFILE_NAME, slice_of("carol"));
	assert_int_equal(change_finish(c, &plain), OK);
	kit_op(&a, &op, &body, &carol, 7, NULL, hlc_from_ms(KIT_START) + 1, KIND_PROFILE, &profile, buf_slice(&plain));
	take(&a, &op, 1, OK);
	assert_name(&a, "carol");
	take_bytes(&a, &close_bytes);
	assert_null(state_device(space_state(kit_org(&a)), &carol.device));
	take_bytes(&b, &close_bytes);
	take_bytes(&b, &admit_bytes);
	kit_time(&a, 20000);
	kit_time(&b, 20000);
	kit_begin(&a);
	{
		struct log_head head;

		assert_int_equal(log_read(a.node, kit_org(&a), &carol.device, 7, &head), OK);
		assert_int_equal(head.visible, 0);
	}
	kit_end(&a);
	change_free(c);
	buf_free(&plain);
	buf_free(&body);
	buf_free(&admit_bytes);
	buf_free(&close_bytes);
	kit_free(&a);
	kit_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_branches_converge), cmocka_unit_test(test_bound_between_signatures),
		cmocka_unit_test(test_withdrawn_aggregator), cmocka_unit_test(test_voided_newcomer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
