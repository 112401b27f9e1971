/* The bytes of the wire that two implementations must share (protocol §§3, 6, 8; act.h, statement.h, wire.h), pinned.  They were
 * computed once and agree with tests/golden/net_formats.py, written from the headers alone.  A change here breaks every peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/mem.h"
#include "net/wire.h"

static const struct { const char *name, *hex; } PINNED[] = {
	{ "space",
		"3fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378" },
	{ "genesis",
		"9801c420000000000000000000000000000000000000000000000000000000000000000001c420221fe5f6859a1a4fec79057c9d32c8d3fc"
		"356e144b1da3b0f9016ef6f29888da90018201c420090909090909090909090909090909090909090909090909090909090909090902a472"
		"6f6c65c440ff7cf1182117163888587328782007e6418d5832f2b6e31117bc193f9c6763ddc5788699502dca5950f6d094dadbe73aaa208d"
		"3c63e60cd1bf7c7781b96a7106" },
	{ "second act id",
		"fd6d8d322fcf6d0e9dc0c5dc667cade45f965d6384958308db715509fe5dcf5b" },
	{ "second act",
		"9801c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d3537800c420221fe5f6859a1a4fec79057c9d32c8d3fc"
		"356e144b1da3b0f9016ef6f29888da92c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378c420ffffffff"
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffcd012c80c4409e703d4c8f84268b27d0e225b1675924e8230d0684fa"
		"b5f332db21b10735b26c6c18d368ef5cea44b51e2c36bbb3583950523f1ff65e6a4899601cba8b9c2007" },
	{ "report id",
		"970c7f01bf650880c029d829d6ba9e2880a191ed1024cb9e3910cf01afa5d9ef" },
	{ "report",
		"9d01c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378c420221fe5f6859a1a4fec79057c9d32c8d3fc35"
		"6e144b1da3b0f9016ef6f29888da01c410000000000000000000000000000000054dcf018bcfe568000000c420eeeeeeeeeeeeeeeeeeeeee"
		"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee03c410aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac4184e4e4e4e4e4e4e4e4e4e4e4e4e4e"
		"4e4e4e4e4e4e4e4e4e4ec418b16e7cfee97086af5b461977f9ab111b90206659fed204d2c44093f835e78090fe2b4a77859d19c5141661e6"
		"844761693f1d3467aca14b99e197a8891fd49ea3971f2d2348d1f095fdb0bfed56337eea36d9b07afeb25a0e6c02" },
	{ "address id",
		"3c505bbd20aad724f03902f5592072b0986f202a7e816a9887554fd815f9c37a" },
	{ "address",
		"9d01c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378c420221fe5f6859a1a4fec79057c9d32c8d3fc35"
		"6e144b1da3b0f9016ef6f29888da03c41000000000000000000000000000000000cf0000010000000000cf018bcfe568000000c000c0c418"
		"4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4ec408696e20636c656172c44067e4380836d5c37bec34338e1a44d556d5087da5"
		"33c92fde4dc2f3f1e3dbc0a569f93334d99983968b9a2ad4825f4a0e39a35f334308a1b2ce97278b6857580b" },
	{ "HELLO",
		"960101c410090909090909090909090909090909099193c42001010101010101010101010101010101010101010101010101010101010101"
		"01c41002020202020202020202020202020202cd012c92b37463703a2f2f31302e302e302e313a37343131b07463703a2f2f5b3a3a315d3a"
		"37343131ab636169726e20302e312e30" },
	{ "ROOTS",
		"9702c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378c420010101010101010101010101010101010101"
		"0101010101010101010101010101c4200202020202020202020202020202020202020202020202020202020202020202c3ce00011170c2" },
	{ "ASK_NODES",
		"9403c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d353780193c400c40101c402010f" },
	{ "NODES",
		"9404c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378019292c400dc0010c0c0c0c42003030303030303"
		"03030303030303030303030303030303030303030303030303c0c0c0c0c0c0c0c0c0c0c093c4294c221fe5f6859a1a4fec79057c9d32c8d3"
		"fc356e144b1da3b0f9016ef6f29888da112233445566778809c420ad41f93ce190d0fff585a55d4861653454ce3969128bcff1d8e4442f1d"
		"81fd5792c402010fdc001093c43253221fe5f6859a1a4fec79057c9d32c8d3fc356e144b1da3b0f9016ef6f29888da010000000000000000"
		"00000000000000054dc420970c7f01bf650880c029d829d6ba9e2880a191ed1024cb9e3910cf01afa5d9efc0c0c0c0c0c0c0c0c0c0c0c0c0"
		"c0c0" },
	{ "WANT",
		"9305c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d353789492c42141fd6d8d322fcf6d0e9dc0c5dc667cad"
		"e45f965d6384958308db715509fe5dcf5b0092c4294c221fe5f6859a1a4fec79057c9d32c8d3fc356e144b1da3b0f9016ef6f29888da1122"
		"3344556677880992c42946221fe5f6859a1a4fec79057c9d32c8d3fc356e144b1da3b0f9016ef6f29888da11223344556677880192c43253"
		"221fe5f6859a1a4fec79057c9d32c8d3fc356e144b1da3b0f9016ef6f29888da01000000000000000000000000000000054d" },
	{ "ACTS",
		"9406c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d353780592c4b59801c420000000000000000000000000"
		"000000000000000000000000000000000000000001c420221fe5f6859a1a4fec79057c9d32c8d3fc356e144b1da3b0f9016ef6f29888da90"
		"018201c420090909090909090909090909090909090909090909090909090909090909090902a4726f6c65c440ff7cf11821171638885873"
		"28782007e6418d5832f2b6e31117bc193f9c6763ddc5788699502dca5950f6d094dadbe73aaa208d3c63e60cd1bf7c7781b96a7106c4d298"
		"01c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d3537800c420221fe5f6859a1a4fec79057c9d32c8d3fc35"
		"6e144b1da3b0f9016ef6f29888da92c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378c420ffffffffff"
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffcd012c80c4409e703d4c8f84268b27d0e225b1675924e8230d0684fab5"
		"f332db21b10735b26c6c18d368ef5cea44b51e2c36bbb3583950523f1ff65e6a4899601cba8b9c2007" },
	{ "RUN",
		"9307c0c4ed9801c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378c420221fe5f6859a1a4fec79057c9d"
		"32c8d3fc356e144b1da3b0f9016ef6f29888dacf112233445566778801c42000000000000000000000000000000000000000000000000000"
		"00000000000000c440720a2ae2f7a4836810a3a4fc25afc50b094cdcac30c20eb1eba1eb6a25d374c43915bbe477ecaa64642d7e1302ec94"
		"7d7b824a867c2a38f4704375f6e2e2f606919504cf018bcfe56800000103c4076f6e652077617991c4203fe024be0bed5cdb5ebeec45bf5a"
		"ea78c0e6710a95b7f9ca721c70d4e8d35378" },
	{ "STATEMENTS",
		"9408c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378cf000000010000000092c5010e9d01c4203fe024"
		"be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378c420221fe5f6859a1a4fec79057c9d32c8d3fc356e144b1da3b0f9"
		"016ef6f29888da01c410000000000000000000000000000000054dcf018bcfe568000000c420eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
		"eeeeeeeeeeeeeeeeeeeeeeeeeeee03c410aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac4184e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e"
		"4e4e4ec418b16e7cfee97086af5b461977f9ab111b90206659fed204d2c44093f835e78090fe2b4a77859d19c5141661e6844761693f1d34"
		"67aca14b99e197a8891fd49ea3971f2d2348d1f095fdb0bfed56337eea36d9b07afeb25a0e6c02c4d49d01c4203fe024be0bed5cdb5ebeec"
		"45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378c420221fe5f6859a1a4fec79057c9d32c8d3fc356e144b1da3b0f9016ef6f29888da03"
		"c41000000000000000000000000000000000cf0000010000000000cf018bcfe568000000c000c0c4184e4e4e4e4e4e4e4e4e4e4e4e4e4e4e"
		"4e4e4e4e4e4e4e4e4ec408696e20636c656172c44067e4380836d5c37bec34338e1a44d556d5087da533c92fde4dc2f3f1e3dbc0a569f933"
		"34d99983968b9a2ad4825f4a0e39a35f334308a1b2ce97278b6857580b" },
	{ "HEARTBEAT",
		"92099292c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d353780c92c420fefefefefefefefefefefefefefe"
		"fefefefefefefefefefefefefefefefefefecfffffffffffffffff" },
	{ "SINCE",
		"930ac4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378cf00000002dfdc1c35" },
	{ "SLOTS",
		"960bc4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378019393c4294c221fe5f6859a1a4fec79057c9d32"
		"c8d3fc356e144b1da3b0f9016ef6f29888da112233445566778809c420ad41f93ce190d0fff585a55d4861653454ce3969128bcff1d8e444"
		"2f1d81fd5793c42946221fe5f6859a1a4fec79057c9d32c8d3fc356e144b1da3b0f9016ef6f29888da112233445566778801c420ad41f93c"
		"e190d0fff585a55d4861653454ce3969128bcff1d8e4442f1d81fd5793c43253221fe5f6859a1a4fec79057c9d32c8d3fc356e144b1da3b0"
		"f9016ef6f29888da01000000000000000000000000000000054dc420970c7f01bf650880c029d829d6ba9e2880a191ed1024cb9e3910cf01"
		"afa5d9ef63c3" },
	{ "JOIN",
		"970cc4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378c420080808080808080808080808080808080808"
		"0808080808080808080808080808c41007070707070707070707070707070707c42006060606060606060606060606060606060606060606"
		"06060606060606060606c40b6365727469666963617465c44005050505050505050505050505050505050505050505050505050505050505"
		"050505050505050505050505050505050505050505050505050505050505050505" },
	{ "JOINED",
		"950dc4100707070707070707070707070707070700c4200303030303030303030303030303030303030303030303030303030303030303c4"
		"200404040404040404040404040404040404040404040404040404040404040404" },
	{ "JOINED waiting",
		"950dc4100707070707070707070707070707070701c0c4200404040404040404040404040404040404040404040404040404040404040404" },
	{ "REFUSE",
		"930e03c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378" },
	{ "REFUSE all",
		"930e01c0" },
	{ "CREDIT",
		"920fce00100000" },
	{ "FORK",
		"9410c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378c4ed9801c4203fe024be0bed5cdb5ebeec45bf5a"
		"ea78c0e6710a95b7f9ca721c70d4e8d35378c420221fe5f6859a1a4fec79057c9d32c8d3fc356e144b1da3b0f9016ef6f29888dacf112233"
		"445566778801c4200000000000000000000000000000000000000000000000000000000000000000c440720a2ae2f7a4836810a3a4fc25af"
		"c50b094cdcac30c20eb1eba1eb6a25d374c43915bbe477ecaa64642d7e1302ec947d7b824a867c2a38f4704375f6e2e2f606919504cf018b"
		"cfe56800000103c4076f6e652077617991c4203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378c4f29801c4"
		"203fe024be0bed5cdb5ebeec45bf5aea78c0e6710a95b7f9ca721c70d4e8d35378c420221fe5f6859a1a4fec79057c9d32c8d3fc356e144b"
		"1da3b0f9016ef6f29888dacf112233445566778801c4200000000000000000000000000000000000000000000000000000000000000000c4"
		"402cf865ab9861e2297c612fc0e438f3715639b4366ce3b436804bdf0dc00ebedc2ea18f63d9cf3915b567ad034605a0a1f5d9ff186f4e93"
		"3a56758df01e1ee503919504cf018bcfe56800000203c40c6f7220746865206f7468657291c4203fe024be0bed5cdb5ebeec45bf5aea78c0"
		"e6710a95b7f9ca721c70d4e8d35378" },
};

static const uint8_t SEED[KEY_LEN] = { 1, 2, 3 }, EPOCH_KEY[KEY_LEN] = { 7, 8, 9 };
#define T0 hlc_from_ms(1700000000000)
#define INCARNATION 0x1122334455667788
static struct id32 device;
static uint8_t secret[SIGN_SECRET_LEN];
static size_t seen;

/* What all frames are made of. */
static struct act acts[2];
static struct statement statements[2];
static struct op ops[2];
static struct buf act_bytes[2], statement_bytes[2], op_body[2], run_bytes[2];

static struct id32 of(uint8_t n)
{
	struct id32 id;

	memset(id.b, n, ID_LEN);
	return id;
}

static struct id16 short_of(uint8_t n)
{
	struct id16 id;

	memset(id.b, n, DOC_LEN);
	return id;
}

/* With CAIRN_GOLDEN set: print what would be pinned. */
static void assert_pinned(const char *name, const void *data, size_t len)
{
	static char text[2 * LIMIT_FRAME + 1];
	size_t i = 0;

	for (size_t k = 0; k < len; k++)
		sprintf(text + 2 * k, "%02x", ((const uint8_t *)data)[k]);
	text[2 * len] = '\0';
	if (getenv("CAIRN_GOLDEN") != NULL) {
		printf("%s %s\n", name, text);
		return;
	}
	while (i < sizeof PINNED / sizeof PINNED[0] && strcmp(PINNED[i].name, name) != 0)
		i++;
	assert_true(i < sizeof PINNED / sizeof PINNED[0]);
	assert_string_equal(text, PINNED[i].hex);
	seen++;
}

static void make_acts(void)
{
	static uint8_t body[64] = { 0x82, 0x01, 0xc4, 0x20 };

	memset(body + 4, 9, 32);
	memcpy(body + 36, "\x02\xa4role", 6);
	acts[0] = (struct act){ .author_type = ACT_ROOT, .author = device, .kind = 1, .body = SLICE(body, 42) };
	assert_int_equal(act_make(&act_bytes[0], &acts[0], secret), OK);
	acts[1] = (struct act){ .space = acts[0].id, .author = device, .n_cites = 2, .kind = 300, .body = SLICE("\x80", 1) };
	acts[1].cites[0] = acts[0].id;
	acts[1].cites[1] = of(0xff);
	assert_int_equal(act_make(&act_bytes[1], &acts[1], secret), OK);
}

static void make_statements(void)
{
	statements[0] = (struct statement){ .space = acts[0].id, .device = device, .kind = STATEMENT_REPORT, .index = statement_index(5),
		.counter = 77, .hlc = T0, .has_epoch = true, .epoch = of(0xee), .consent = 3, .has_audience = true,
		.audience = short_of(0xaa) };
	memset(statements[0].nonce, 0x4e, NONCE_LEN);
	assert_int_equal(statement_make(&statement_bytes[0], &statements[0], slice_of("the body"), EPOCH_KEY, secret), OK);
	statements[1] = (struct statement){ .space = acts[0].id, .device = device, .kind = STATEMENT_ADDRESS,
		.counter = (uint64_t)1 << 40, .hlc = T0 };
	memset(statements[1].nonce, 0x4e, NONCE_LEN);
	assert_int_equal(statement_make(&statement_bytes[1], &statements[1], slice_of("in clear"), NULL, secret), OK);
}

static void make_runs(void)
{
	static const char *const text[2] = { "one way", "or the other" };

	for (int i = 0; i < 2; i++) {
		ops[i] = (struct op){ .space = acts[0].id, .device = device, .incarnation = INCARNATION, .seq = 1,
			.hlc = T0 + 1 + (unsigned)i, .n_heads = 1, .kind = 3 };
		ops[i].heads[0] = acts[0].id;
		assert_int_equal(op_seal(&ops[i], &op_body[i], slice_of(text[i]), NULL), OK);
		op_sign(&ops[i], secret);
		assert_int_equal(run_encode(&run_bytes[i], &ops[i], 1), OK);
	}
	if (id32_compare(&ops[0].id, &ops[1].id) > 0) {
		struct op op = ops[0];
		struct buf run = run_bytes[0];

		ops[0] = ops[1], ops[1] = op;
		run_bytes[0] = run_bytes[1], run_bytes[1] = run;
	}
}

static int setup(void **state)
{
	(void)state;
	if (crypto_start() != OK)
		return -1;
	crypto_sign_seed(device.b, secret, SEED);
	make_acts();
	make_statements();
	make_runs();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		buf_free(&act_bytes[i]);
		buf_free(&statement_bytes[i]);
		buf_free(&op_body[i]);
		buf_free(&run_bytes[i]);
	}
	return 0;
}

static void records(void **state)
{
	(void)state;
	assert_pinned("space", acts[0].id.b, ID_LEN);
	assert_pinned("genesis", act_bytes[0].data, act_bytes[0].len);
	assert_pinned("second act id", acts[1].id.b, ID_LEN);
	assert_pinned("second act", act_bytes[1].data, act_bytes[1].len);
	assert_pinned("report id", statements[0].id.b, ID_LEN);
	assert_pinned("report", statement_bytes[0].data, statement_bytes[0].len);
	assert_pinned("address id", statements[1].id.b, ID_LEN);
	assert_pinned("address", statement_bytes[1].data, statement_bytes[1].len);
}

/* Written as pinned, and what is pinned is taken. */
static void frame(const char *name, struct net_message m)
{
	struct buf out = {0};
	struct net_message read;

	assert_int_equal(net_encode(&out, &m), OK);
	assert_pinned(name, out.data, out.len);
	assert_int_equal(net_check(&read, buf_slice(&out)), OK);
	assert_int_equal(read.type, m.type);
	net_message_free(&read);
	buf_free(&out);
}

static void frames(void **state)
{
	static const uint8_t path[] = { 1, 15 };
	const struct id32 space = acts[0].id;
	struct net_cursor cursor = { of(1), short_of(2), 300 }, beats[2] = { { .space = space, .journal = 12 },
		{ .space = of(0xfe), .journal = UINT64_MAX } };
	struct slice addresses[] = { slice_of("tcp://10.0.0.1:7411"), slice_of("tcp://[::1]:7411") };
	struct slice paths[] = { SLICE(path, 0), SLICE(path, 1), SLICE(path, 2) };
	struct slice act_slices[] = { buf_slice(&act_bytes[0]), buf_slice(&act_bytes[1]) };
	struct slice statement_slices[] = { buf_slice(&statement_bytes[0]), buf_slice(&statement_bytes[1]) };
	struct slot slots[4];
	struct net_node nodes[2] = { { .path_len = 0 }, { .path = { 1, 15 }, .path_len = 2 } };
	struct net_message join = { .type = NET_JOIN, .space = space,
		.u.join = { of(8), short_of(7), of(6), slice_of("certificate"), {0} } };

	(void)state;
	slot_act(&slots[0], &acts[1].id);
	slot_log(&slots[1], &device, INCARNATION, 9, &ops[0].id);
	slot_fork(&slots[2], &device, INCARNATION, 1, &ops[0].id);
	slot_statement(&slots[3], &statements[0]);
	nodes[0].child[3].kind = CHILD_BRANCH;
	nodes[0].child[3].hash = of(3);
	nodes[0].child[15].kind = nodes[1].child[0].kind = CHILD_LEAF;
	nodes[0].child[15].slot = slots[1];
	nodes[1].child[0].slot = slots[3];
	memset(join.u.join.signature, 5, SIG_LEN);

	frame("HELLO", (struct net_message){ .type = NET_HELLO,
		.u.hello = { 1, short_of(9), 1, &cursor, 2, addresses, slice_of("cairn 0.1.0") } });
	frame("ROOTS", (struct net_message){ .type = NET_ROOTS, .space = space, .journal = 70000,
		.u.roots = { of(1), of(2), true, false } });
	frame("ASK_NODES", (struct net_message){ .type = NET_ASK_NODES, .space = space, .section = NET_DATA, .u.ask = { 3, paths } });
	frame("NODES", (struct net_message){ .type = NET_NODES, .space = space, .section = NET_DATA, .u.nodes = { 2, nodes } });
	frame("WANT", (struct net_message){ .type = NET_WANT, .space = space, .u.slots = { 4, slots, false } });
	frame("ACTS", (struct net_message){ .type = NET_ACTS, .space = space, .has_journal = true, .journal = 5,
		.u.acts = { 2, NULL, act_slices } });
	frame("RUN", (struct net_message){ .type = NET_RUN, .u.run.bytes = buf_slice(&run_bytes[0]) });
	frame("STATEMENTS", (struct net_message){ .type = NET_STATEMENTS, .space = space, .has_journal = true,
		.journal = (uint64_t)1 << 32, .u.statements = { 2, NULL, statement_slices } });
	frame("HEARTBEAT", (struct net_message){ .type = NET_HEARTBEAT, .u.heartbeat = { 2, beats } });
	frame("SINCE", (struct net_message){ .type = NET_SINCE, .space = space, .journal = 12345678901 });
	frame("SLOTS", (struct net_message){ .type = NET_SLOTS, .space = space, .section = NET_DATA, .journal = 99,
		.u.slots = { 3, slots + 1, true } });
	frame("JOIN", join);
	frame("JOINED", (struct net_message){ .type = NET_JOINED,
		.u.joined = { short_of(7), JOIN_ADMITTED, true, of(3), of(4) } });
	frame("JOINED waiting", (struct net_message){ .type = NET_JOINED,
		.u.joined = { .request = short_of(7), .status = JOIN_PENDING, .device = of(4) } });
	frame("REFUSE", (struct net_message){ .type = NET_REFUSE, .has_space = true, .space = space, .u.reason = REFUSE_LANE });
	frame("REFUSE all", (struct net_message){ .type = NET_REFUSE, .u.reason = REFUSE_VERSION });
	frame("CREDIT", (struct net_message){ .type = NET_CREDIT, .u.credit = 1 << 20 });
	frame("FORK", (struct net_message){ .type = NET_FORK, .space = space,
		.u.fork = { .a_bytes = buf_slice(&run_bytes[0]), .b_bytes = buf_slice(&run_bytes[1]) } });
}

static void nothing_pinned_is_forgotten(void **state)
{
	(void)state;
	if (getenv("CAIRN_GOLDEN") == NULL)
		assert_int_equal(seen, sizeof PINNED / sizeof PINNED[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records),
		cmocka_unit_test(frames),
		cmocka_unit_test(nothing_pinned_is_forgotten),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
