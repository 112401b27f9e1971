/* Frames: each message round-trips, each malformed field is refused, no damage is taken from truncations and flipped bits
 * (protocol §8; wire.h). */
#include "net/wire.h"
#include "tests/unit/net_records.h"

static struct author by;
static struct id32 space;
static struct record genesis;

static int setup(void **state)
{
	(void)state;
	if (crypto_start() != OK)
		return -1;
	by = toy_author(1);
	genesis = toy_act(NULL, &by, NULL, 0, 1);
	space = genesis.id;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(genesis.bytes);
	return 0;
}

static struct id32 id_of(uint8_t n)
{
	struct id32 id;

	memset(id.b, n, ID_LEN);
	return id;
}

static struct id16 short_id(uint8_t n)
{
	struct id16 id;

	memset(id.b, n, DOC_LEN);
	return id;
}

/* ---- one message of each type; what it borrows lives here ---- */

static struct {
	struct net_cursor cursor[2];
	struct slice address[2], path[3], act[2], statement[1];
	struct net_node node[2];
	struct slot slot[4];
	struct record record[8];
	size_t n_records;
} stock;

static struct slice keep(struct record r)
{
	stock.record[stock.n_records++] = r;
	return SLICE(r.bytes, r.len);
}

static struct slice single_run(uint32_t salt)
{
	struct record stored = toy_op(&space, &by, 9, NULL, 10, salt, &space);
	struct op op;
	struct buf out = {0};

	assert_int_equal(op_load(&op, SLICE(stored.bytes, stored.len)), OK);
	assert_int_equal(run_encode(&out, &op, 1), OK);
	free(stored.bytes);
	return keep(toy_record(&out, &op.id));
}

static void stock_up(void)
{
	static const uint8_t path[] = { 1, 15 };
	struct id32 id = id_of(4);
	struct statement s = { .device = id_of(6), .kind = 3, .index = statement_index(2), .counter = 8, .id = id_of(7) };

	memset(&stock, 0, sizeof stock);
	stock.cursor[0] = (struct net_cursor){ id_of(1), short_id(2), 300 };
	stock.cursor[1] = (struct net_cursor){ id_of(2), short_id(2), UINT64_MAX };
	stock.address[0] = slice_of("tcp://10.0.0.1:7411");
	stock.address[1] = slice_of("tcp://[::1]:7411");
	stock.path[0] = SLICE(path, 0);
	stock.path[1] = SLICE(path, 1);
	stock.path[2] = SLICE(path, 2);
	slot_log(&stock.slot[0], &id, 0x1122334455667788, 17, &space);
	slot_fork(&stock.slot[1], &id, 1, 3, &space);
	slot_statement(&stock.slot[2], &s);
	slot_act(&stock.slot[3], &id);
	stock.node[0].path_len = 0;
	stock.node[0].child[3].kind = CHILD_BRANCH;
	stock.node[0].child[3].hash = id_of(3);
	stock.node[0].child[15].kind = CHILD_LEAF;
	stock.node[0].child[15].slot = stock.slot[0];
	stock.node[1].path_len = 2;
	memcpy(stock.node[1].path, path, 2);
	stock.node[1].child[0].kind = CHILD_LEAF;
	stock.node[1].child[0].slot = stock.slot[2];
	stock.act[0] = SLICE(genesis.bytes, genesis.len);
	stock.act[1] = keep(toy_act(&space, &by, &space, 1, 2));
	stock.statement[0] = keep(toy_statement(&space, &by, 5, 6, 7));
}

static void stock_free(void)
{
	for (size_t i = 0; i < stock.n_records; i++)
		free(stock.record[i].bytes);
	stock.n_records = 0;
}

static struct net_message sample(enum net_type type)
{
	struct net_message m = { .type = type, .space = space };
	struct slice a, b;

	switch (type) {
	case NET_HELLO:
		m.u.hello.version = 1;
		m.u.hello.nonce = short_id(9);
		m.u.hello.n_cursors = 2;
		m.u.hello.cursors = stock.cursor;
		m.u.hello.n_addresses = 2;
		m.u.hello.addresses = stock.address;
		m.u.hello.agent = slice_of("cairn 0.1.0");
		break;
	case NET_ROOTS:
		m.u.roots.authority = id_of(1);
		m.u.roots.data = id_of(2);
		m.u.roots.pending = true;
		m.journal = 70000;
		m.u.roots.answer = true;
		break;
	case NET_ASK_NODES:
		m.section = NET_DATA;
		m.u.ask.n = 3;
		m.u.ask.paths = stock.path;
		break;
	case NET_NODES:
		m.section = NET_DATA;
		m.u.nodes.n = 2;
		m.u.nodes.nodes = stock.node;
		break;
	case NET_WANT:
		m.u.slots.n = 4;
		m.u.slots.slots = stock.slot;
		break;
	case NET_ACTS:
		m.has_journal = true;
		m.journal = 5;
		m.u.acts.n = 2;
		m.u.acts.bytes = stock.act;
		break;
	case NET_RUN:
		m.u.run.bytes = single_run(1);
		break;
	case NET_STATEMENTS:
		m.u.statements.n = 1;
		m.u.statements.bytes = stock.statement;
		break;
	case NET_HEARTBEAT:
		m.u.heartbeat.n = 2;
		m.u.heartbeat.cursors = stock.cursor;
		break;
	case NET_SINCE:
		m.journal = 12345678901;
		break;
	case NET_SLOTS:
		m.section = NET_DATA;
		m.u.slots.n = 3;
		m.u.slots.slots = stock.slot;
		m.u.slots.more = true;
		m.journal = 99;
		break;
	case NET_JOIN:
		m.u.join.invite = id_of(8);
		m.u.join.request = short_id(7);
		m.u.join.root = id_of(6);
		m.u.join.certificate = slice_of("certificate");
		memset(m.u.join.signature, 5, SIG_LEN);
		break;
	case NET_JOINED:
		m.u.joined.request = short_id(7);
		m.u.joined.status = JOIN_ADMITTED;
		m.u.joined.has_admit = true;
		m.u.joined.admit = id_of(3);
		m.u.joined.device = id_of(4);
		break;
	case NET_REFUSE:
		m.u.reason = REFUSE_LANE;
		m.has_space = true;
		break;
	case NET_CREDIT:
		m.u.credit = 1 << 20;
		break;
	case NET_FORK:
		a = single_run(1), b = single_run(2);
		m.u.fork.a_bytes = id32_compare(&stock.record[stock.n_records - 2].id, &stock.record[stock.n_records - 1].id) < 0 ? a : b;
		m.u.fork.b_bytes = m.u.fork.a_bytes.data == a.data ? b : a;
		break;
	}
	return m;
}

static struct buf encoded(enum net_type type)
{
	struct net_message m;
	struct buf out = {0};

	stock_free();
	stock_up();
	m = sample(type);
	assert_int_equal(net_encode(&out, &m), OK);
	assert_int_equal(out.data[1], type);
	return out;
}

/* ---- the tests ---- */

static void every_message_round_trips(void **state)
{
	size_t before = mem_live();

	(void)state;
	for (enum net_type type = NET_HELLO; type <= NET_FORK; type++) {
		struct buf first = encoded(type), second = {0};
		struct net_message m;

		assert_int_equal(net_check(&m, buf_slice(&first)), OK);
		assert_int_equal(m.type, type);
		assert_int_equal(m.frame_len, first.len);
		buf_put_text(&second, "before");
		assert_int_equal(net_encode(&second, &m), OK);
		assert_true(slice_equal(SLICE(second.data + 6, second.len - 6), buf_slice(&first)));
		net_message_free(&m);
		net_message_free(&m);                   /* twice is fine */
		buf_free(&first);
		buf_free(&second);
	}
	stock_free();
	assert_int_equal(mem_live(), before);
}

static void what_is_read_is_what_was_written(void **state)
{
	struct net_message m;
	struct buf f = encoded(NET_NODES);

	(void)state;
	assert_int_equal(net_check(&m, buf_slice(&f)), OK);
	assert_true(m.has_space && id32_equal(&m.space, &space));
	assert_int_equal(m.section, NET_DATA);
	assert_int_equal(m.u.nodes.n, 2);
	assert_int_equal(m.u.nodes.nodes[1].path_len, 2);
	assert_int_equal(m.u.nodes.nodes[1].path[1], 15);
	assert_int_equal(m.u.nodes.nodes[0].child[3].kind, CHILD_BRANCH);
	assert_int_equal(m.u.nodes.nodes[0].child[15].kind, CHILD_LEAF);
	assert_int_equal(m.u.nodes.nodes[0].child[15].slot.version, 17);
	assert_int_equal(m.u.nodes.nodes[0].child[0].kind, CHILD_EMPTY);
	net_message_free(&m);
	buf_free(&f);

	f = encoded(NET_ACTS);
	assert_int_equal(net_check(&m, buf_slice(&f)), OK);
	assert_true(m.has_journal && m.journal == 5);
	assert_int_equal(m.u.acts.n, 2);
	assert_true(id32_equal(&m.u.acts.acts[0].id, &space));
	assert_true(id32_equal(&m.u.acts.acts[1].space, &space));
	net_message_free(&m);
	buf_free(&f);

	f = encoded(NET_RUN);
	assert_int_equal(net_check(&m, buf_slice(&f)), OK);
	assert_true(!m.has_journal && m.has_space && id32_equal(&m.space, &space));
	assert_int_equal(m.u.run.run.n, 1);
	net_message_free(&m);
	buf_free(&f);

	f = encoded(NET_HELLO);
	assert_int_equal(net_check(&m, buf_slice(&f)), OK);
	assert_int_equal(m.u.hello.cursors[1].journal, UINT64_MAX);
	assert_true(slice_equal(m.u.hello.addresses[1], slice_of("tcp://[::1]:7411")));
	net_message_free(&m);
	buf_free(&f);
	stock_free();
}

static void truncations_are_refused(void **state)
{
	(void)state;
	for (enum net_type type = NET_HELLO; type <= NET_FORK; type++) {
		struct buf f = encoded(type);
		struct net_message m;

		for (size_t len = 0; len < f.len; len++) {
			uint8_t *exact = malloc(len + (len == 0));      /* so that asan sees the edge */

			memcpy(exact, f.data, len);
			assert_int_equal(net_check(&m, SLICE(exact, len)), ERR_MALFORMED);
			free(exact);
		}
		buf_put_u8(&f, 0xc0);
		assert_int_equal(net_check(&m, buf_slice(&f)), ERR_MALFORMED);
		buf_free(&f);
	}
	stock_free();
}

/* A flipped bit may make another valid frame (a hash, a number), never a crash; and no signed thing survives it. */
static void flipped_bits_do_no_harm(void **state)
{
	size_t before = mem_live();

	(void)state;
	for (enum net_type type = NET_HELLO; type <= NET_FORK; type++) {
		struct buf f = encoded(type);
		struct net_message m;
		size_t taken = 0;

		for (size_t bit = 0; bit < 8 * f.len; bit++) {
			f.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
			if (net_check(&m, buf_slice(&f)) == OK) {
				struct buf again = {0};

				taken++;
				/* the only bit of a HELLO whose effect is not written back is the version */
				if (m.type != NET_HELLO || m.u.hello.version == 1) {
					assert_int_equal(net_encode(&again, &m), OK);
					assert_true(slice_equal(buf_slice(&again), buf_slice(&f)));
				}
				buf_free(&again);
				net_message_free(&m);
			}
			f.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		/* All that no signature covers in these is the journal number: nil and 64 are one bit apart. */
		if (type == NET_RUN || type == NET_STATEMENTS || type == NET_FORK)
			assert_int_equal(taken, type == NET_FORK ? 0 : 1);
		buf_free(&f);
	}
	stock_free();
	assert_int_equal(mem_live(), before);
}

/* ---- fields, one by one ---- */

static enum err check_buf(struct buf *f)
{
	struct net_message m;
	enum err e = net_check(&m, buf_slice(f));

	net_message_free(&m);
	buf_free(f);
	return e;
}

static void begin(struct buf *f, size_t fields, enum net_type type)
{
	*f = (struct buf){0};
	mp_put_array(f, fields);
	mp_put_uint(f, type);
}

static void put_id(struct buf *f)
{
	mp_put_bin(f, space.b, ID_LEN);
}

static enum err check_message(struct net_message m)
{
	struct buf f = {0};

	assert_int_equal(net_encode(&f, &m), OK);
	return check_buf(&f);
}

static void unknown_frames_are_refused(void **state)
{
	static uint8_t big[LIMIT_FRAME + 1];
	struct net_message m;
	struct buf f;

	(void)state;
	begin(&f, 1, 0);
	assert_int_equal(check_buf(&f), ERR_MALFORMED);
	begin(&f, 2, 17);
	mp_put_nil(&f);
	assert_int_equal(check_buf(&f), ERR_MALFORMED);
	f = (struct buf){0};
	mp_put_uint(&f, 1);
	assert_int_equal(check_buf(&f), ERR_MALFORMED);
	f = (struct buf){0};
	mp_put_array(&f, 0);
	assert_int_equal(check_buf(&f), ERR_MALFORMED);
	assert_int_equal(net_check(&m, SLICE(big, sizeof big)), ERR_TOOBIG);
	assert_int_equal(net_check(&m, SLICE(NULL, 0)), ERR_MALFORMED);
	/* each type with a field more */
	for (enum net_type type = NET_HELLO; type <= NET_FORK; type++) {
		f = encoded(type);
		f.data[0]++;
		mp_put_nil(&f);
		assert_int_equal(check_buf(&f), ERR_MALFORMED);
	}
	stock_free();
}

static struct buf hello(uint64_t version, size_t nonce, size_t cursors, size_t addresses, size_t address_len, char letter, size_t agent)
{
	static char text[1000];
	struct buf f;

	memset(text, letter, sizeof text);
	begin(&f, 6, NET_HELLO);
	mp_put_uint(&f, version);
	mp_put_bin(&f, space.b, nonce);
	mp_put_array(&f, cursors);
	for (size_t i = 0; i < cursors; i++) {
		mp_put_array(&f, 3);
		put_id(&f);
		mp_put_bin(&f, space.b, DOC_LEN);
		mp_put_uint(&f, 1);
	}
	mp_put_array(&f, addresses);
	for (size_t i = 0; i < addresses; i++)
		mp_put_str(&f, text, address_len);
	mp_put_str(&f, text, agent);
	return f;
}

static void hello_is_checked(void **state)
{
	struct buf f;
	struct net_message m;

	(void)state;
	f = hello(1, 16, LIMIT_SPACES, LIMIT_ADDRESSES, LIMIT_ADDRESS_TEXT, 'x', NET_AGENT_MAX);
	assert_int_equal(check_buf(&f), OK);
	f = hello(1, 15, 0, 0, 0, 'x', 0);
	assert_int_equal(check_buf(&f), ERR_MALFORMED);
	f = hello(1, 16, LIMIT_SPACES + 1, 0, 0, 'x', 0);
	assert_int_equal(check_buf(&f), ERR_MALFORMED);
	f = hello(1, 16, 0, LIMIT_ADDRESSES + 1, 1, 'x', 0);
	assert_int_equal(check_buf(&f), ERR_MALFORMED);
	f = hello(1, 16, 0, 1, LIMIT_ADDRESS_TEXT + 1, 'x', 0);
	assert_int_equal(check_buf(&f), ERR_MALFORMED);
	f = hello(1, 16, 0, 1, 3, ' ', 0);              /* no spaces in addresses */
	assert_int_equal(check_buf(&f), ERR_MALFORMED);
	f = hello(1, 16, 0, 0, 0, ' ', 3);
	assert_int_equal(check_buf(&f), OK);
	f = hello(1, 16, 0, 0, 0, '\033', 3);
	assert_int_equal(check_buf(&f), ERR_MALFORMED);
	f = hello(1, 16, 0, 1, 3, '\0', 3);
	assert_int_equal(check_buf(&f), ERR_MALFORMED);
	f = hello(1, 16, 0, 0, 0, 'x', NET_AGENT_MAX + 1);
	assert_int_equal(check_buf(&f), ERR_MALFORMED);
	/* another version may look different behind it */
	begin(&f, 4, NET_HELLO);
	mp_put_uint(&f, 2);
	mp_put_nil(&f);
	mp_put_text(&f, "news");
	assert_int_equal(net_check(&m, buf_slice(&f)), OK);
	assert_int_equal(m.u.hello.version, 2);
	assert_int_equal(m.u.hello.n_addresses, 0);
	net_message_free(&m);
	buf_free(&f);
}

static void sections_reasons_and_statuses_are_checked(void **state)
{
	struct buf f;

	(void)state;
	for (uint64_t section = 0; section < 4; section++) {
		begin(&f, 4, NET_ASK_NODES);
		put_id(&f);
		mp_put_uint(&f, section);
		mp_put_array(&f, 0);
		assert_int_equal(check_buf(&f), section < 2 ? OK : ERR_MALFORMED);
	}
	for (uint64_t reason = 0; reason < 9; reason++) {
		begin(&f, 3, NET_REFUSE);
		mp_put_uint(&f, reason);
		mp_put_nil(&f);
		assert_int_equal(check_buf(&f), reason >= 1 && reason <= 6 ? OK : ERR_MALFORMED);
	}
	for (uint64_t status = 0; status < 10; status++) {
		begin(&f, 5, NET_JOINED);
		mp_put_bin(&f, space.b, DOC_LEN);
		mp_put_uint(&f, status);
		mp_put_nil(&f);
		put_id(&f);
		assert_int_equal(check_buf(&f), status <= 7 ? OK : ERR_MALFORMED);
	}
	begin(&f, 2, NET_CREDIT);
	mp_put_uint(&f, (uint64_t)1 << 32);
	assert_int_equal(check_buf(&f), OK);
	begin(&f, 2, NET_CREDIT);
	mp_put_uint(&f, ((uint64_t)1 << 32) + 1);
	assert_int_equal(check_buf(&f), ERR_MALFORMED);
	begin(&f, 7, NET_ROOTS);
	put_id(&f), put_id(&f), put_id(&f);
	mp_put_uint(&f, 1);                             /* pending is true or false */
	mp_put_uint(&f, 1);
	mp_put_bool(&f, false);
	assert_int_equal(check_buf(&f), ERR_MALFORMED);
}

static void paths_are_checked(void **state)
{
	static uint8_t path[64];
	static struct slice many[NET_PATHS_MAX + 1];
	struct net_message ask = { .type = NET_ASK_NODES, .u.ask = { 1, many } };
	struct net_node node = { .path_len = 63 };
	struct net_message nodes = { .type = NET_NODES, .section = NET_DATA, .u.nodes = { 1, &node } };

	(void)state;
	many[0] = SLICE(path, 63);
	assert_int_equal(check_message(ask), OK);
	many[0] = SLICE(path, 64);
	assert_int_equal(check_message(ask), ERR_MALFORMED);
	many[0] = SLICE(path, 2);
	path[1] = 16;
	assert_int_equal(check_message(ask), ERR_MALFORMED);
	path[1] = 15;
	assert_int_equal(check_message(ask), OK);
	ask.u.ask.n = NET_PATHS_MAX;
	assert_int_equal(check_message(ask), OK);
	ask.u.ask.n = NET_PATHS_MAX + 1;
	assert_int_equal(check_message(ask), ERR_MALFORMED);
	assert_int_equal(check_message(nodes), OK);
	node.child[1].kind = CHILD_BRANCH;              /* no branch lies below the last nibble */
	assert_int_equal(check_message(nodes), ERR_MALFORMED);
	node.path_len = 62;
	assert_int_equal(check_message(nodes), OK);
	node.path[61] = 16;
	assert_int_equal(check_message(nodes), ERR_MALFORMED);
}

static void slots_are_checked(void **state)
{
	static struct slot many[NET_SLOTS_MAX + 1];
	struct id32 id = id_of(1);
	struct net_message slots = { .type = NET_SLOTS, .section = NET_AUTHORITY, .u.slots = { 1, many, false } };
	struct net_message want = { .type = NET_WANT, .u.slots = { 1, many, false } };

	(void)state;
	slot_act(&many[0], &id);
	assert_int_equal(check_message(slots), OK);
	many[0].version = 1;                            /* an act has none */
	assert_int_equal(check_message(slots), ERR_MALFORMED);
	slot_act(&many[0], &id);
	many[0].id = id_of(2);                          /* and is its own id */
	assert_int_equal(check_message(slots), ERR_MALFORMED);
	slot_act(&many[0], &id);
	slots.section = NET_DATA;                       /* in the wrong section */
	assert_int_equal(check_message(slots), ERR_MALFORMED);
	slot_log(&many[0], &id, 1, 2, &id);
	assert_int_equal(check_message(slots), OK);
	slots.section = NET_AUTHORITY;
	assert_int_equal(check_message(slots), ERR_MALFORMED);
	for (size_t len = 0; len <= SLOT_KEY_MAX; len++)
		for (int type = 0; type < 256; type++) {
			bool valid = (type == 'A' && len == 33) || ((type == 'L' || type == 'F') && len == 41) || (type == 'S' && len == 50);

			if (len % 7 != 1 && strchr("ALFS", type) == NULL)
				continue;
			many[0].key[0] = (uint8_t)type;
			many[0].key_len = (uint8_t)len;
			assert_int_equal(check_message(want), valid ? OK : ERR_MALFORMED);
		}
	for (size_t i = 0; i <= NET_SLOTS_MAX; i++)
		slot_act(&many[i], &id);
	want.u.slots.n = NET_SLOTS_MAX;
	assert_int_equal(check_message(want), OK);
	want.u.slots.n++;
	assert_int_equal(check_message(want), ERR_MALFORMED);
}

static void records_must_be_of_the_space_and_signed(void **state)
{
	struct net_message m;

	(void)state;
	stock_free();
	stock_up();
	m = sample(NET_ACTS);
	m.space = id_of(1);
	assert_int_equal(check_message(m), ERR_MALFORMED);
	m = sample(NET_STATEMENTS);
	m.space = id_of(1);
	assert_int_equal(check_message(m), ERR_MALFORMED);
	m = sample(NET_FORK);
	m.space = id_of(1);
	assert_int_equal(check_message(m), ERR_MALFORMED);
	/* signatures: the last bytes of each */
	stock.record[0].bytes[stock.record[0].len - 1] ^= 1;
	assert_int_equal(check_message(sample(NET_ACTS)), ERR_SIGNATURE);
	stock.record[1].bytes[stock.record[1].len - 1] ^= 1;
	assert_int_equal(check_message(sample(NET_STATEMENTS)), ERR_SIGNATURE);
	m = sample(NET_RUN);
	stock.record[stock.n_records - 1].bytes[stock.record[stock.n_records - 1].len - 1] ^= 1;
	assert_int_equal(check_message(m), ERR_SIGNATURE);
	stock_free();
}

static void a_fork_is_two_runs_from_one_prev_in_order(void **state)
{
	struct net_message m, n;
	struct author other = toy_author(2);
	struct record stored;
	struct op op;
	struct buf run = {0};

	(void)state;
	stock_free();
	stock_up();
	m = n = sample(NET_FORK);
	assert_int_equal(check_message(m), OK);
	n.u.fork.a_bytes = m.u.fork.b_bytes;
	n.u.fork.b_bytes = m.u.fork.a_bytes;
	assert_int_equal(check_message(n), ERR_MALFORMED);
	n.u.fork.b_bytes = m.u.fork.b_bytes;            /* the same twice */
	assert_int_equal(check_message(n), ERR_MALFORMED);
	for (int k = 0; k < 2; k++) {                   /* another device, another incarnation */
		stored = toy_op(&space, k == 0 ? &other : &by, k == 0 ? 9 : 10, NULL, 10, 3, &space);
		assert_int_equal(op_load(&op, SLICE(stored.bytes, stored.len)), OK);
		assert_int_equal(run_encode(&run, &op, 1), OK);
		n = m;
		n.u.fork.b_bytes = buf_slice(&run);
		assert_int_equal(check_message(n), ERR_MALFORMED);
		n.u.fork.b_bytes = m.u.fork.b_bytes;
		n.u.fork.a_bytes = buf_slice(&run);
		assert_int_equal(check_message(n), ERR_MALFORMED);
		buf_clear(&run);
		free(stored.bytes);
	}
	buf_free(&run);
	stock_free();
}

static void what_is_too_big_is_not_encoded(void **state)
{
	static uint8_t zeros[LIMIT_FRAME];
	struct slice bytes = SLICE(zeros, sizeof zeros);
	struct net_message m = { .type = NET_STATEMENTS, .u.statements = { 1, NULL, &bytes } };
	struct buf out = {0};

	(void)state;
	buf_put_text(&out, "before");
	assert_int_equal(net_encode(&out, &m), ERR_TOOBIG);
	assert_int_equal(out.len, 6);
	bytes.len -= 100;
	assert_int_equal(net_encode(&out, &m), OK);
	buf_free(&out);
}

/* A short frame can announce much: memory is asked for only within limits. */
static void small_frames_cost_little(void **state)
{
	struct buf f;
	struct net_message m;

	(void)state;
	begin(&f, 4, NET_ACTS);
	put_id(&f);
	mp_put_nil(&f);
	mp_put_array(&f, 200000);
	for (int i = 0; i < 200000; i++)
		mp_put_nil(&f);
	assert_int_equal(net_check(&m, buf_slice(&f)), ERR_MALFORMED);
	buf_free(&f);
}

static void no_memory_leaves_nothing(void **state)
{
	size_t before = mem_live();

	(void)state;
	for (enum net_type type = NET_HELLO; type <= NET_FORK; type++) {
		struct buf f = encoded(type);

		for (int k = 0, e = ERR_NOMEM; e != OK; k++) {
			struct net_message m;
			struct buf out = {0};

			mem_fail_after(k);
			e = net_check(&m, buf_slice(&f));
			if (e == OK)
				e = net_encode(&out, &m);
			mem_fail_after(-1);
			assert_true(e == OK || (e == ERR_NOMEM && out.len == 0));
			net_message_free(&m);
			buf_free(&out);
		}
		buf_free(&f);
	}
	stock_free();
	assert_int_equal(mem_live(), before);
}

static void slot_keys_say_what_they_are(void **state)
{
	struct id32 device = id_of(5), id = id_of(6), read;
	struct statement s = { .device = device, .kind = 200, .index = short_id(3), .counter = 4, .id = id };
	struct id16 index;
	struct slot slot;
	uint64_t incarnation;
	uint32_t kind;

	(void)state;
	slot_act(&slot, &id);
	assert_int_equal(slot_section(SLICE(slot.key, slot.key_len)), NET_AUTHORITY);
	assert_false(slot_key_log(SLICE(slot.key, slot.key_len), &read, &incarnation));
	slot_log(&slot, &device, 77, 8, &id);
	assert_int_equal(slot_section(SLICE(slot.key, slot.key_len)), NET_DATA);
	assert_true(slot_key_log(SLICE(slot.key, slot.key_len), &read, &incarnation));
	assert_true(id32_equal(&read, &device) && incarnation == 77 && slot.version == 8);
	assert_false(slot_key_statement(SLICE(slot.key, slot.key_len), &read, &kind, &index));
	slot_fork(&slot, &device, 77, 8, &id);
	assert_false(slot_key_log(SLICE(slot.key, slot.key_len), &read, &incarnation));
	slot_statement(&slot, &s);
	assert_true(slot_key_statement(SLICE(slot.key, slot.key_len), &read, &kind, &index));
	assert_true(id32_equal(&read, &device) && kind == 200 && id16_equal(&index, &s.index) && slot.version == 4);
	assert_false(slot_key_valid(SLICE(slot.key, slot.key_len - 1)));
	assert_false(slot_key_valid(SLICE(NULL, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_round_trips),
		cmocka_unit_test(what_is_read_is_what_was_written),
		cmocka_unit_test(truncations_are_refused),
		cmocka_unit_test(flipped_bits_do_no_harm),
		cmocka_unit_test(unknown_frames_are_refused),
		cmocka_unit_test(hello_is_checked),
		cmocka_unit_test(sections_reasons_and_statuses_are_checked),
		cmocka_unit_test(paths_are_checked),
		cmocka_unit_test(slots_are_checked),
		cmocka_unit_test(records_must_be_of_the_space_and_signed),
		cmocka_unit_test(a_fork_is_two_runs_from_one_prev_in_order),
		cmocka_unit_test(what_is_too_big_is_not_encoded),
		cmocka_unit_test(small_frames_cost_little),
		cmocka_unit_test(no_memory_leaves_nothing),
		cmocka_unit_test(slot_keys_say_what_they_are),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
