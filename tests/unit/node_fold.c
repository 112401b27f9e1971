/* Documents are a cache: whatever comes in whatever order, they are what their ops say. */
#include "tests/unit/node_kit.h"

static struct person mallory, bob;
static struct id16 document = {{42}};

static void found(struct kit *k, uint64_t seed)
{
	kit_new(k, seed);
	kit_found(k);
	person_make(&mallory, &k->rng);
	person_make(&bob, &k->rng);
	kit_admit(k, &mallory, ROLE_MEMBER);
	kit_admit(k, &bob, ROLE_ADMIN);
}

static void assert_folds(struct kit *k)
{
	size_t wrong = 1;

	kit_begin(k);
	for (size_t i = 0; i < k->node->n_spaces; i++) {
		assert_int_equal(fold_check(k->node, &k->node->spaces[i], &wrong), OK);
		assert_int_equal(wrong, 0);
	}
	kit_end(k);
}

static void text_body(struct buf *b, uint32_t kind, const char *key_text, uint32_t key, bool create, uint32_t status)
{
	const struct schema *schema = model_kind(kind)->schema;
	struct doc *base = create ? NULL : doc_new(schema);
	struct change *c = change_new(schema, base);

	change_register_text(c, key, slice_of(key_text));
	if (create && kind == KIND_OBJECTIVE)
		change_register_int(c, OBJ_STATUS, status);
	assert_int_equal(change_finish(c, b), OK);
	change_free(c);
	doc_free(base);
}

/* A Member's proposal that turns out to come after an Admin's op on the same document counts no more. */
static void test_proposal_out_of_order(void **unused)
{
	struct op propose, edit;
	struct buf a = {0}, b = {0}, x = {0}, y = {0};
	struct act_body team = { .team = {{9}} }, member = { .team = {{9}}, .on = true }, scope = { .team = {{9}}, .has_team = true, .n_claims = 1 };
	const struct id16 nonce = {{8}};
	struct doc *doc;
	struct kit k;

	(void)unused;
	found(&k, 1);
	member.member = mallory.root;
	kit_begin(&k);          /* a Member proposes in its own team */
	assert_int_equal(author_act(k.node, kit_org(&k), ACT_TEAM, &team, NULL, NULL, NULL, NULL, NULL), OK);
	assert_int_equal(author_act(k.node, kit_org(&k), ACT_TEAM_MEMBER, &member, NULL, NULL, NULL, NULL, NULL), OK);
	assert_int_equal(author_act(k.node, kit_org(&k), ACT_SCOPE, &scope, NULL, &nonce, NULL, NULL, NULL), OK);
	kit_end(&k);
	scope_document(&document, &kit_org(&k)->id, &k.identity.root, &nonce);
	text_body(&a, KIND_OBJECTIVE, "proposed", OBJ_TITLE, true, OBJECTIVE_DRAFT);
	text_body(&b, KIND_OBJECTIVE, "edited", OBJ_DESCRIPTION, false, 0);
	kit_op(&k, &propose, &x, &mallory, 1, NULL, hlc_from_ms(KIT_START) + 9, KIND_OBJECTIVE, &document, buf_slice(&a));
	kit_op(&k, &edit, &y, &bob, 1, NULL, hlc_from_ms(KIT_START) + 5, KIND_OBJECTIVE, &document, buf_slice(&b));
	kit_begin(&k);
	assert_int_equal(kit_take(&k, &propose, 1), OK);
	assert_int_equal(document_read(k.node, kit_org(&k), KIND_OBJECTIVE, &document, &doc), OK);
	doc_free(doc);
	assert_int_equal(kit_take(&k, &edit, 1), OK);
	assert_int_equal(document_read(k.node, kit_org(&k), KIND_OBJECTIVE, &document, &doc), ERR_NOTFOUND);
	kit_end(&k);
	assert_folds(&k);
	buf_free(&a);
	buf_free(&b);
	buf_free(&x);
	buf_free(&y);
	kit_free(&k);
}

/* Held, and its key not here: when both have come it is applied, in either order. */
static void held_and_sealed(bool key_first)
{
	struct op op = { .kind = KIND_PROFILE };
	struct id16 profile;
	struct buf plain = {0}, body = {0};
	struct id32 epoch;
	uint8_t key[KEY_LEN] = {1};
	struct slice parts[2];
	struct doc *doc;
	struct kit k;
	struct space *s;

	found(&k, 2);
	s = kit_org(&k);
	parts[0] = SLICE(key, KEY_LEN);
	parts[1] = SLICE(&s->id, ID_LEN);
	crypto_hash(&epoch, "cairn-epoch", parts, 2);
	model_document_id(&profile, &s->id, KIND_PROFILE, SLICE(&mallory.root, ID_LEN));
	text_body(&plain, KIND_PROFILE, "held", PROFILE_NAME, true, 0);
	op.space = s->id;
	op.device = mallory.device;
	op.incarnation = op.seq = 1;
	op.hlc = hlc_from_ms(k.now + 20 * 60 * 1000);
	op.n_heads = authority_heads(s->authority, op.heads, LIMIT_HEADS);
	op.has_document = op.has_epoch = true;
	op.document = profile;
	op.epoch = epoch;
	assert_int_equal(op_seal(&op, &body, buf_slice(&plain), key), OK);
	op_sign(&op, mallory.secret);
	kit_begin(&k);
	assert_int_equal(kit_take(&k, &op, 1), OK);
	kit_end(&k);
	for (int i = 0; i < 2; i++) {
		if ((i == 0) != key_first) {
			kit_time(&k, 30 * 60 * 1000);
			continue;
		}
		/* the key, in a wrap by mallory for us */
		struct statement st = { .space = kit_org(&k)->id, .device = mallory.device, .kind = STATEMENT_WRAP, .counter = 1, .hlc = 1 };
		uint8_t box[KEY_LEN + BOX_LEN], random[32] = {3};
		struct buf wrap = {0}, bytes = {0};
		bool added;

		crypto_box(box, key, KEY_LEN, k.identity.box_public, random);
		mp_put_map(&wrap, 3);
		mp_put_uint(&wrap, 1);
		mp_put_bin(&wrap, &epoch, ID_LEN);
		mp_put_uint(&wrap, 2);
		mp_put_array(&wrap, 1);
		mp_put_array(&wrap, 2);
		mp_put_bin(&wrap, &k.identity.device, ID_LEN);
		mp_put_bin(&wrap, box, sizeof box);
		mp_put_uint(&wrap, 3);
		mp_put_uint(&wrap, 0);
		assert_int_equal(statement_make(&bytes, &st, buf_slice(&wrap), NULL, mallory.secret), OK);
		kit_begin(&k);
		k.node->origin_link = 77;
		assert_int_equal(replica_statement(k.node, kit_org(&k), &st, buf_slice(&bytes), &added), OK);
		k.node->origin_link = 0;
		assert_non_null(keys_find(kit_org(&k), &epoch));
		kit_end(&k);
		buf_free(&wrap);
		buf_free(&bytes);
		assert_folds(&k);
	}
	assert_folds(&k);
	kit_begin(&k);
	assert_int_equal(document_read(k.node, kit_org(&k), KIND_PROFILE, &profile, &doc), OK);
	doc_free(doc);
	kit_end(&k);
	buf_free(&plain);
	buf_free(&body);
	kit_free(&k);
}

static void test_held_and_sealed(void **unused)
{
	(void)unused;
	held_and_sealed(false);
	held_and_sealed(true);
}

static enum err first_goal(struct kit *k, struct id16 *id)
{
	const struct pair pairs[] = { { slice_of("title"), slice_of("Goal") } };
	enum err e = kit_command(k, (struct command){ .kind = COMMAND_GOAL_ADD, .pairs = pairs, .n_pairs = 1 });

	return e == OK && kit_id(k, id, DOC_LEN) ? OK : e;
}

/* The clock was ten hours ahead and is set back: what was written then comes due again, what is written now shows now. */
static void test_clock_set_back(void **unused)
{
	struct kit k;
	struct id16 ahead, now;
	struct doc *doc;

	(void)unused;
	kit_new(&k, 3);
	kit_time(&k, 36000000);
	assert_int_equal(first_goal(&k, &ahead), OK);
	k.now -= 36000000;
	kit_time(&k, 1000);
	assert_int_equal(first_goal(&k, &now), OK);
	kit_begin(&k);
	assert_int_equal(document_read(k.node, &k.node->spaces[0], KIND_GOAL, &now, &doc), OK);
	doc_free(doc);
	assert_int_equal(fold_document(k.node, &k.node->spaces[0], KIND_GOAL, &ahead), OK);
	kit_end(&k);
	kit_close(&k);
	kit_open(&k);
	assert_int_equal(first_goal(&k, &now), OK);
	kit_begin(&k);
	assert_int_equal(document_read(k.node, &k.node->spaces[0], KIND_GOAL, &now, &doc), OK);
	doc_free(doc);
	kit_end(&k);
	kit_time(&k, 36000000 + 400000);
	assert_folds(&k);
	kit_begin(&k);
	assert_int_equal(document_read(k.node, &k.node->spaces[0], KIND_GOAL, &ahead, &doc), OK);
	doc_free(doc);
	kit_end(&k);
	kit_free(&k);
}

/* A document that outgrows a record: its writer and its readers go on. */
static void test_document_beyond_a_record(void **unused)
{
	struct kit k;
	struct op op[12];
	struct buf body[12] = {{0}};
	struct doc *doc;

	(void)unused;
	found(&k, 4);
	for (uint32_t i = 0; i < 12; i++) {
		struct doc *base = doc_new(model_kind(KIND_OBJECTIVE)->schema);
		struct change *c = change_new(model_kind(KIND_OBJECTIVE)->schema, i == 0 ? NULL : base);
		struct buf plain = {0};

		for (uint32_t j = 0; j < 700; j++) {
			struct id16 element = {{0}};
			struct buf text = {0};

			put_u32(element.b, i * 1000 + j);
			mp_put_text(&text, "a key result with a title");
			change_map_edit(c, OBJ_KEY_RESULTS, &element, KR_TITLE, buf_slice(&text));
			buf_free(&text);
		}
		assert_int_equal(change_finish(c, &plain), OK);
		kit_op(&k, &op[i], &body[i], &bob, 3, i > 0 ? &op[i - 1] : NULL, hlc_from_ms(KIT_START) + i, KIND_OBJECTIVE, &document,
			buf_slice(&plain));
		kit_begin(&k);
		assert_int_equal(kit_take(&k, &op[i], 1), OK);
		kit_end(&k);
		change_free(c);
		doc_free(base);
		buf_free(&plain);
	}
	assert_folds(&k);
	kit_begin(&k);
	assert_int_equal(document_read(k.node, kit_org(&k), KIND_OBJECTIVE, &document, &doc), OK);
	assert_int_equal(doc_map_count(doc, OBJ_KEY_RESULTS), 12 * 700);
	doc_free(doc);
	kit_end(&k);
	for (int i = 0; i < 12; i++)
		buf_free(&body[i]);
	kit_free(&k);
}

/* Whoever has seen a change writes after it, whatever the clocks say. */
static void test_stamps_follow_what_was_seen(void **unused)
{
	struct kit k;
	struct op op;
	struct buf plain = {0}, body = {0};
	struct id16 profile;
	hlc ahead;

	(void)unused;
	found(&k, 5);
	ahead = hlc_from_ms(k.now + 200000);
	model_document_id(&profile, &kit_org(&k)->id, KIND_PROFILE, SLICE(&mallory.root, ID_LEN));
	text_body(&plain, KIND_PROFILE, "ahead", PROFILE_NAME, true, 0);
	kit_op(&k, &op, &body, &mallory, 1, NULL, ahead, KIND_PROFILE, &profile, buf_slice(&plain));
	kit_begin(&k);
	assert_int_equal(kit_take(&k, &op, 1), OK);
	assert_true(node_stamp(k.node) > ahead);
	kit_end(&k);
	kit_close(&k);
	kit_open(&k);
	kit_begin(&k);
	assert_true(node_stamp(k.node) > ahead);
	kit_end(&k);
	buf_free(&plain);
	buf_free(&body);
	kit_free(&k);
}

/* A member that opened a thousand incarnations is removed all the same, and its longest log keeps its work. */
static void test_removal_of_a_thousand_logs(void **unused)
{
	struct kit k;
	struct op op[2];
	struct buf plain = {0}, body[2] = {{0}};
	struct id16 profile;
	uint64_t bound;

	(void)unused;
	found(&k, 6);
	model_document_id(&profile, &kit_org(&k)->id, KIND_PROFILE, SLICE(&mallory.root, ID_LEN));
	text_body(&plain, KIND_PROFILE, "x", PROFILE_NAME, true, 0);
	kit_begin(&k);
	for (uint64_t i = 1; i <= 1000; i++) {
		buf_clear(&body[0]);
		kit_op(&k, &op[0], &body[0], &mallory, i << 40, NULL, hlc_from_ms(KIT_START) + i, KIND_PROFILE, &profile, buf_slice(&plain));
		assert_int_equal(kit_take(&k, op, 1), OK);
	}
	kit_op(&k, &op[1], &body[1], &mallory, op[0].incarnation, &op[0], hlc_from_ms(KIT_START) + 2000, KIND_PROFILE, &profile, buf_slice(&plain));
	assert_int_equal(kit_take(&k, &op[1], 1), OK);
	kit_end(&k);
	assert_int_equal(kit_command(&k, (struct command){ .kind = COMMAND_MEMBER_REMOVE, .has_other = true, .other = mallory.root, .force = true }), OK);
	assert_int_equal(state_member(space_state(kit_org(&k)), &mallory.root)->status, MEMBER_REMOVED);
	kit_begin(&k);
	assert_int_equal(replica_bound(k.node, kit_org(&k), &mallory.device, op[1].incarnation, &bound), OK);
	assert_int_equal(bound, 2);
	kit_end(&k);
	assert_folds(&k);
	buf_free(&plain);
	buf_free(&body[0]);
	buf_free(&body[1]);
	kit_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proposal_out_of_order), cmocka_unit_test(test_held_and_sealed), cmocka_unit_test(test_clock_set_back),
		cmocka_unit_test(test_document_beyond_a_record), cmocka_unit_test(test_stamps_follow_what_was_seen),
		cmocka_unit_test(test_removal_of_a_thousand_logs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
