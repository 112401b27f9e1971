/* The bytes that two implementations must share (protocol §§2, 7; op.h, doc.h, trie.h), pinned.  They were computed once and
 * agree with tests/golden/crdt_formats.py, written from the headers alone.  A change here breaks every peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/mem.h"
#include "crdt/doc.h"
#include "crdt/op.h"
#include "crdt/trie.h"

static const uint8_t SEED[KEY_LEN] = { 1, 2, 3 }, EPOCH_KEY[KEY_LEN] = { 7, 8, 9 };
static struct id32 device;
static uint8_t secret[SIGN_SECRET_LEN];

static int setup(void **state)
{
	(void)state;
	if (crypto_start() != OK)
		return -1;
	crypto_sign_seed(device.b, secret, SEED);
	return 0;
}

/* With CAIRN_GOLDEN set: print what would be pinned. */
static void assert_hex(const char *name, const void *data, size_t len, const char *hex)
{
	static char text[2 * LIMIT_OP + 1];

	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", ((const uint8_t *)data)[i]);
	text[2 * len] = '\0';
	if (getenv("CAIRN_GOLDEN") != NULL)
		printf("%s %s\n", name, text);
	else
		assert_string_equal(text, hex);
}

static struct op first_op(void)
{
	struct op op = { .device = device, .incarnation = 0x1122334455667788, .seq = 1, .hlc = hlc_from_ms(1700000000000) + 5,
		.n_heads = 2, .kind = 300, .has_document = true, .has_epoch = true };

	memset(op.space.b, 0x51, ID_LEN);
	memset(op.heads[0].b, 0x44, ID_LEN);
	memset(op.heads[1].b, 0x45, ID_LEN);
	memset(op.document.b, 0xdd, DOC_LEN);
	memset(op.epoch.b, 0xee, ID_LEN);
	return op;
}

static void op_bytes(void **state)
{
	struct op op = first_op();
	struct buf body = {0}, header = {0}, part = {0}, stored = {0};

	(void)state;
	assert_int_equal(op_seal(&op, &body, slice_of("plaintext"), EPOCH_KEY), OK);
	op_sign(&op, secret);
	assert_int_equal(op_header(&header, &op), OK);
	assert_int_equal(op_header_part(&part, &op), OK);
	assert_int_equal(op_store(&stored, &op), OK);
	assert_hex("device", device.b, ID_LEN, "221fe5f6859a1a4fec79057c9d32c8d3fc356e144b1da3b0f9016ef6f29888da");
	assert_hex("sealed body", body.data, body.len, "f116f1b8d19f87d44824da635b3e5580b6b050e2dc68b930e1");
	assert_hex("header part", part.data, part.len,
		"9c01c4205151515151515151515151515151515151515151515151515151515151515151c420221fe5f6859a1a4fec79057c9d32"
		"c8d3fc356e144b1da3b0f9016ef6f29888dacf112233445566778801c42000000000000000000000000000000000000000000000"
		"00000000000000000000cf018bcfe56800000592c420444444444444444444444444444444444444444444444444444444444444"
		"4444c4204545454545454545454545454545454545454545454545454545454545454545cd012cc410dddddddddddddddddddddd"
		"ddddddddddc420eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee19");
	assert_hex("header", header.data, header.len,
		"9d01c4205151515151515151515151515151515151515151515151515151515151515151c420221fe5f6859a1a4fec79057c9d32"
		"c8d3fc356e144b1da3b0f9016ef6f29888dacf112233445566778801c42000000000000000000000000000000000000000000000"
		"00000000000000000000cf018bcfe56800000592c420444444444444444444444444444444444444444444444444444444444444"
		"4444c4204545454545454545454545454545454545454545454545454545454545454545cd012cc410dddddddddddddddddddddd"
		"ddddddddddc420eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee19c42095955c27c19ab214574c"
		"8a8e8e543466849d2991b4cbdc313a1cb02cbc5116c0");
	assert_hex("op id", op.id.b, ID_LEN, "f13d6f761e11bce1d9d3e23941c2baaf8baac10a74ae075707e6c51c8ec08463");
	assert_hex("signature", op.signature, SIG_LEN,
		"f807002485bc3e204df5bef0e81a3cddcf54f39f3ca021a8f11e70f0aa54750feeb9df2f1133cb59a3ec7497a29d4c7dfb5583d7"
		"d983dc5092f0edfff551dc06");
	assert_hex("stored op", stored.data, stored.len,
		"93c5011a9d01c4205151515151515151515151515151515151515151515151515151515151515151c420221fe5f6859a1a4fec79"
		"057c9d32c8d3fc356e144b1da3b0f9016ef6f29888dacf112233445566778801c420000000000000000000000000000000000000"
		"0000000000000000000000000000cf018bcfe56800000592c4204444444444444444444444444444444444444444444444444444"
		"444444444444c4204545454545454545454545454545454545454545454545454545454545454545cd012cc410dddddddddddddd"
		"ddddddddddddddddddc420eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee19c42095955c27c19a"
		"b214574c8a8e8e543466849d2991b4cbdc313a1cb02cbc5116c0c419f116f1b8d19f87d44824da635b3e5580b6b050e2dc68b930"
		"e1c440f807002485bc3e204df5bef0e81a3cddcf54f39f3ca021a8f11e70f0aa54750feeb9df2f1133cb59a3ec7497a29d4c7dfb"
		"5583d7d983dc5092f0edfff551dc06");
	buf_free(&body);
	buf_free(&header);
	buf_free(&part);
	buf_free(&stored);
}

/* Three ops: sealed with a document; clear, without; clear and dropped, with other heads. */
static void run_bytes(void **state)
{
	struct op ops[3];
	struct buf bodies[3] = {0}, wire = {0};

	(void)state;
	ops[0] = first_op();
	assert_int_equal(op_seal(&ops[0], &bodies[0], slice_of("plaintext"), EPOCH_KEY), OK);
	for (size_t i = 1; i < 3; i++) {
		ops[i] = ops[i - 1];
		ops[i].seq++;
		ops[i].prev = ops[i - 1].id;
		ops[i].hlc += 0x10000 * i;
		ops[i].has_epoch = false;
		ops[i].has_document = i == 2;
		ops[i].n_heads = 3 - i;
		assert_int_equal(op_seal(&ops[i], &bodies[i], slice_of("clear"), NULL), OK);
	}
	ops[2].body = SLICE(NULL, 0);
	op_sign(&ops[2], secret);
	assert_int_equal(run_encode(&wire, ops, 3), OK);
	assert_hex("last op id", ops[2].id.b, ID_LEN, "86978819a0d61be79a0a4e087dc440ca97c5120a2ea6e38f293dd1a2bf261f59");
	assert_hex("run", wire.data, wire.len,
		"9801c4205151515151515151515151515151515151515151515151515151515151515151c420221fe5f6859a1a4fec79057c9d32"
		"c8d3fc356e144b1da3b0f9016ef6f29888dacf112233445566778801c42000000000000000000000000000000000000000000000"
		"00000000000000000000c440da27793e9010ec7901bf769268380e83a63d00883f4ff85df82ae7870eba0852ac09207cc8c6960e"
		"6f9c4530622774f5dbf81ec039a35eee0937a1001d734b07939707cf018bcfe568000005cd012cc419f116f1b8d19f87d44824da"
		"635b3e5580b6b050e2dc68b930e1c410ddddddddddddddddddddddddddddddddc420eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
		"eeeeeeeeeeeeeeeeeeeeeeeeeeee92c4204444444444444444444444444444444444444444444444444444444444444444c42045"
		"454545454545454545454545454545454545454545454545454545454545459408ce00010000cd012cc405636c6561729615ce00"
		"020000cd012c9205c420c651a82d621d8f952e39a2d37bd9d6e21eb68c1f7aa520cf777c4f481b1ae28cc410dddddddddddddddd"
		"dddddddddddddddd91c4204444444444444444444444444444444444444444444444444444444444444444");
	buf_free(&wire);
	for (size_t i = 0; i < 3; i++)
		buf_free(&bodies[i]);
}

enum { TITLE = 2, LABELS = 3, SPENT = 4, TASKS = 5 };
static const struct schema_field task_fields[] = { { 2, FIELD_REGISTER, NULL }, { 3, FIELD_COUNTER, NULL } };
static const struct schema task = { task_fields, 2 };
static const struct schema_field fields[] = {
	{ TITLE, FIELD_REGISTER, NULL }, { LABELS, FIELD_SET, NULL }, { SPENT, FIELD_COUNTER, NULL }, { TASKS, FIELD_MAP, &task } };
static const struct schema goal = { fields, 4 };
static const struct id16 TASK_A = {{ 0xaa }}, TASK_B = {{ 0xbb }};

static void apply(struct doc *d, struct change *c, struct buf *body, hlc t, uint8_t name)
{
	struct doc_op op = { .hlc = t, .device = {{ (uint8_t)(name + 16) }} };

	memset(op.id.b, name, ID_LEN);
	assert_int_equal(change_finish(c, body), OK);
	change_free(c);
	op.body = buf_slice(body);
	assert_int_equal(doc_apply(d, &op), OK);
}

static void document_bytes(void **state)
{
	struct doc *d = doc_new(&goal);
	struct change *c = change_new(&goal, NULL);
	struct buf first = {0}, second = {0}, cached = {0}, empty = {0};

	(void)state;
	assert_int_equal(doc_encode(&empty, d), OK);
	change_register_text(c, TITLE, slice_of("Ship it"));
	change_set_add(c, LABELS, SLICE("\xa3red", 4));
	change_set_add(c, LABELS, SLICE("\xa4" "blue", 5));
	change_counter(c, SPENT, -300);
	change_map_edit(c, TASKS, &TASK_A, 2, SLICE("\xa1x", 2));
	change_map_edit(c, TASKS, &TASK_A, 3, SLICE("\7", 1));
	change_map_edit(c, TASKS, &TASK_B, 2, SLICE("\xa1y", 2));
	apply(d, c, &first, hlc_from_ms(1700000000000), 1);
	c = change_new(&goal, d);
	change_register_nil(c, TITLE);
	change_set_add(c, LABELS, SLICE("\xa3red", 4));
	change_set_remove(c, LABELS, SLICE("\xa4" "blue", 5));
	change_map_edit(c, TASKS, &TASK_A, 3, SLICE("\xff", 1));
	change_map_remove(c, TASKS, &TASK_B);
	apply(d, c, &second, hlc_from_ms(1700000000001), 2);
	assert_int_equal(doc_encode(&cached, d), OK);
	assert_hex("first body", first.data, first.len,
		"8501c302a753686970206974039292a3726564a4626c75659004d1fed40582c410aa000000000000000000000000000000929082"
		"02a1780307c410bb00000000000000000000000000000092908102a179");
	assert_hex("second body", second.data, second.len,
		"840091c408010101010101010102c0039291a37265649292a372656491c420010101010101010101010101010101010101010101"
		"010101010101010101010192a4626c756591c4200101010101010101010101010101010101010101010101010101010101010101"
		"0582c410aa0000000000000000000000000000009291c42001010101010101010101010101010101010101010101010101010101"
		"010101018103ffc410bb0000000000000000000000000000009291c4200101010101010101010101010101010101010101010101"
		"010101010101010101c0");
	assert_hex("cached doc", cached.data, cached.len,
		"94c39293cf018bcfe568000000c4200101010101010101010101010101010101010101010101010101010101010101c420110000"
		"000000000000000000000000000000000000000000000000000000000093cf018bcfe568010000c4200202020202020202020202"
		"020202020202020202020202020202020202020202c4201200000000000000000000000000000000000000000000000000000000"
		"00000093cf018bcfe568010000c4200202020202020202020202020202020202020202020202020202020202020202c420120000"
		"000000000000000000000000000000000000000000000000000000000084029201c0039192a372656491c4200202020202020202"
		"02020202020202020202020202020202020202020202020204d1fed40582c410aa0000000000000000000000000000009291c420"
		"020202020202020202020202020202020202020202020202020202020202020282029200a1780306c410bb000000000000000000"
		"000000000000929081029200a179");
	assert_hex("empty doc", empty.data, empty.len,
		"94c2909300c4200000000000000000000000000000000000000000000000000000000000000000c4200000000000000000000000"
		"00000000000000000000000000000000000000000080");
	doc_free(d);
	buf_free(&first);
	buf_free(&second);
	buf_free(&cached);
	buf_free(&empty);
}

/* ---- trie: the table holds its few nodes in a list; the path's digits name them ---- */

struct nodes { struct { char path[8]; uint8_t data[1100]; size_t len; } at[64]; size_t n; };

static size_t find(struct nodes *t, struct slice path)
{
	char text[8] = "";
	size_t i = 0;

	for (size_t k = 0; k < path.len; k++)
		text[k] = "0123456789abcdef"[path.data[k]];
	while (i < t->n && strcmp(t->at[i].path, text) != 0)
		i++;
	if (i == t->n)
		strcpy(t->at[i].path, text);
	return i;
}

static enum err get(void *arg, struct slice path, struct slice *node)
{
	struct nodes *t = arg;
	size_t i = find(t, path);

	*node = SLICE(t->at[i].data, t->at[i].len);
	return i < t->n ? OK : ERR_NOTFOUND;
}

static enum err put(void *arg, struct slice path, struct slice node)
{
	struct nodes *t = arg;
	size_t i = find(t, path);

	memcpy(t->at[i].data, node.data, node.len);
	t->at[i].len = node.len;
	t->n += i == t->n;
	return OK;
}

static enum err remove_node(void *arg, struct slice path)
{
	(void)arg;
	(void)path;
	return ERR_STATE;               /* nothing is removed here */
}

static void trie_bytes(void **state)
{
	static const struct { size_t n; const char *name, *root; } roots[] = {
		{ 0, "root of 0", "0000000000000000000000000000000000000000000000000000000000000000" },
		{ 1, "root of 1", "318b9f8639e012cb38a1a486f0515a4eb1ef8f4d80d1ee647c97db02457ea4e9" },
		{ 2, "root of 2", "9352656a9b8a8289028edc773352ee70b9d81778a938d0577521574fb15029b8" },
		{ 17, "root of 17", "4dab1c36c67b1b29008ca8674f966d6f75ceb03111b909a47c1480f440f15780" },
	};

	(void)state;
	for (size_t k = 0; k < 4; k++) {
		struct nodes t = { .n = 0 };
		struct trie_nodes nodes = { &t, get, put, remove_node };
		struct trie_change c[17] = {0};
		struct id32 root;

		for (uint8_t i = 0; i < roots[k].n; i++) {
			struct id32 id = {{ i }};

			trie_slot_key(&c[i].key, SLICE(&i, 1));
			trie_slot_value(&c[i].value, 1000u + i, &id);
		}
		assert_int_equal(trie_update(&nodes, c, roots[k].n), OK);
		assert_int_equal(trie_root(&nodes, &root), OK);
		assert_hex(roots[k].name, root.b, ID_LEN, roots[k].root);
		if (roots[k].n == 2)
			assert_hex("root node of 2", t.at[0].data, t.at[0].len,
		"040400002b8dabeee40c5354215d967baf24b548ecaed0233b446cb7c72c8faed56baf26874a822de99d190bd0532a62af660c03"
		"5bb4ddd04f2237a094da7009ae3c0975af0e5993228706dce7fda5e0730ae82d0f382fe248219b5e302666287233bc94fd8d116a"
		"2c43501e9d1c494a113a9f0237e1b91f9e17491bb1fad74ddadfdd6d");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(op_bytes),
		cmocka_unit_test(run_bytes),
		cmocka_unit_test(document_bytes),
		cmocka_unit_test(trie_bytes),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
