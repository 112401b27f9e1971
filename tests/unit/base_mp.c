#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <msgpack.h>
#include <string.h>
#include "base/mem.h"
#include "base/mp.h"
#include "base/rng.h"
#include "tests/unit/base_hex.h"

#define DEPTH 8
#define ITEMS 1000

static enum err check_hex(const char *hex)
{
	uint8_t bytes[512];

	return mp_check(SLICE(bytes, hex_read(bytes, hex)), DEPTH, ITEMS);
}

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

static void integers_have_their_shortest_form(void **state)
{
	static const struct { int64_t v; const char *hex; } GOLDEN[] = {
		{ 0, "00" }, { 127, "7f" }, { 128, "cc80" }, { 255, "ccff" }, { 256, "cd0100" }, { 65535, "cdffff" },
		{ 65536, "ce00010000" }, { 0xffffffff, "ceffffffff" }, { 0x100000000, "cf0000000100000000" },
		{ INT64_MAX, "cf7fffffffffffffff" },
		{ -1, "ff" }, { -32, "e0" }, { -33, "d0df" }, { -128, "d080" }, { -129, "d1ff7f" }, { -32768, "d18000" },
		{ -32769, "d2ffff7fff" }, { INT32_MIN, "d280000000" }, { (int64_t)INT32_MIN - 1, "d3ffffffff7fffffff" },
		{ INT64_MIN, "d38000000000000000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof GOLDEN / sizeof *GOLDEN; i++) {
		struct buf b = {0};
		struct mp_reader r;

		mp_put_int(&b, GOLDEN[i].v);
		assert_true(hex_equal(b.data, b.len, GOLDEN[i].hex));
		assert_int_equal(mp_check(buf_slice(&b), 0, 1), OK);
		r = mp_read(buf_slice(&b));
		assert_true(mp_get_int(&r, INT64_MIN, INT64_MAX) == GOLDEN[i].v);
		assert_int_equal(mp_end(&r), OK);
		if (GOLDEN[i].v >= 0) {
			buf_clear(&b);
			mp_put_uint(&b, (uint64_t)GOLDEN[i].v);
			assert_true(hex_equal(b.data, b.len, GOLDEN[i].hex));
		}
		buf_free(&b);
	}
}

static void other_values_have_one_form(void **state)
{
	struct buf b = {0};

	(void)state;
	mp_put_array(&b, 7);
	mp_put_nil(&b);
	mp_put_bool(&b, false);
	mp_put_bool(&b, true);
	mp_put_uint(&b, UINT64_MAX);
	mp_put_bin(&b, "\x01\x02", 2);
	mp_put_text(&b, "é");
	mp_put_map(&b, 2);
	mp_put_uint(&b, 1);
	mp_put_bin_slice(&b, SLICE(NULL, 0));
	mp_put_uint(&b, 2);
	mp_put_str(&b, "", 0);
	assert_true(hex_equal(b.data, b.len, "97 c0 c2 c3 cfffffffffffffffff c4020102 a2c3a9 82 01 c400 02 a0"));
	assert_int_equal(mp_check(buf_slice(&b), 2, 12), OK);
	buf_free(&b);
}

static void check_head(const char *hex, void (*put)(struct buf *, size_t), size_t n)
{
	struct buf b = {0};

	put(&b, n);
	assert_true(hex_equal(b.data, strlen(hex) / 2, hex));
	buf_free(&b);
}

static void put_zeros_bin(struct buf *b, size_t n)
{
	void *zeros = mem_alloc(n);

	mp_put_bin(b, zeros, n);
	mem_free(zeros);
}

static void put_zeros_str(struct buf *b, size_t n)
{
	void *zeros = mem_alloc(n);

	mp_put_str(b, zeros, n);
	assert_int_equal(mp_check(buf_slice(b), 0, 1), OK);
	mem_free(zeros);
}

static void lengths_have_their_shortest_form(void **state)
{
	(void)state;
	check_head("a0", put_zeros_str, 0);
	check_head("bf", put_zeros_str, 31);
	check_head("d920", put_zeros_str, 32);
	check_head("d9ff", put_zeros_str, 255);
	check_head("da0100", put_zeros_str, 256);
	check_head("daffff", put_zeros_str, 65535);
	check_head("db00010000", put_zeros_str, 65536);
	check_head("c400", put_zeros_bin, 0);
	check_head("c4ff", put_zeros_bin, 255);
	check_head("c50100", put_zeros_bin, 256);
	check_head("c600010000", put_zeros_bin, 65536);
	check_head("9f", mp_put_array, 15);
	check_head("dc0010", mp_put_array, 16);
	check_head("dcffff", mp_put_array, 65535);
	check_head("dd00010000", mp_put_array, 65536);
	check_head("8f", mp_put_map, 15);
	check_head("de0010", mp_put_map, 16);
	check_head("df00010000", mp_put_map, 65536);
}

static void lengths_beyond_32_bits_are_refused(void **state)
{
	struct buf b = {0};

	(void)state;
	mp_put_array(&b, (size_t)UINT32_MAX + 1);
	assert_int_equal(b.err, ERR_TOOBIG);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

/* ---- checking ----------------------------------------------------------------------------------------------------------- */

static void other_forms_are_refused(void **state)
{
	static const char *const WRONG[] = {
		"",                                                     /* nothing */
		"cc7f", "cd00ff", "ce0000ffff", "cf00000000ffffffff",   /* unsigned, too long */
		"d0e0", "d1ff80", "d2ffff8000", "d3ffffffff80000000",   /* negative, too long */
		"d000", "d07f", "d10000", "d17fff", "d200000001", "d37fffffffffffffff", /* signed, not negative */
		"ca3f800000", "cb3ff0000000000000",                     /* floats */
		"d40100", "d5010000", "d60100000000", "c70001", "c8000001", "c90000000001", /* ext */
		"c1",
		"d900", "d91f" "00000000000000000000000000000000000000000000000000000000000000",
		"da0000", "db00000000", "c50000", "c600000000",         /* lengths, too long */
		"dc0000", "dc0001c0", "dd00000000", "de0000", "df00000000",
		"cc", "cd01", "ce010000", "cf01000000000000", "d0", "a1", "a261", "c4", "c401", "91", "81", "8100", /* cut */
		"c0c0", "9000",                                         /* something behind */
		"82 01c0 01c0", "82 02c0 01c0", "82 a161c0 01c0", "82 cc80c0 01c0", /* keys: twice, descending */
		"a1ff", "a180", "a2c0af", "a3e08080", "a3eda080", "a4f4908080", "a2c3", "a1c3", "a4f0808080", /* UTF-8 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
		if (check_hex(WRONG[i]) != ERR_MALFORMED)
			fail_msg("accepted %s", WRONG[i]);
}

static void keys_ascend_by_their_encoding(void **state)
{
	(void)state;
	assert_int_equal(check_hex("84 01c0 7fc0 a161c0 cc80c0"), OK);
	assert_int_equal(check_hex("83 a0c0 a161c0 a26161c0"), OK);
	assert_int_equal(check_hex("82 a162c0 a16100"), ERR_MALFORMED);
}

static void announced_lengths_cost_nothing(void **state)
{
	(void)state;
	assert_int_equal(check_hex("ddffffffff"), ERR_MALFORMED);
	assert_int_equal(check_hex("dfffffffff"), ERR_MALFORMED);
	assert_int_equal(check_hex("c6ffffffff"), ERR_MALFORMED);
	assert_int_equal(check_hex("dbffffffff"), ERR_MALFORMED);
	assert_int_equal(check_hex("df8000000000"), ERR_MALFORMED);
}

static void nesting_is_limited(void **state)
{
	static uint8_t deep[1000000];

	(void)state;
	assert_int_equal(mp_check(SLICE("\x90", 1), 0, 1), ERR_MALFORMED);
	assert_int_equal(mp_check(SLICE("\x90", 1), 1, 1), OK);
	assert_int_equal(mp_check(SLICE("\x91\x91\xc0", 3), 2, 3), OK);
	assert_int_equal(mp_check(SLICE("\x91\x91\xc0", 3), 1, 3), ERR_MALFORMED);
	assert_int_equal(mp_check(SLICE("\x81\x01\x81\x01\xc0", 5), 1, 9), ERR_MALFORMED);
	memset(deep, 0x91, sizeof deep);
	deep[sizeof deep - 1] = 0xc0;
	assert_int_equal(mp_check(SLICE(deep, sizeof deep), 8, SIZE_MAX), ERR_MALFORMED);
}

static void values_are_limited(void **state)
{
	struct slice s = SLICE("\x92\x81\x01\x02\xc0", 5);

	(void)state;
	assert_int_equal(mp_check(s, 2, 5), OK);
	for (size_t items = 0; items < 5; items++)
		assert_int_equal(mp_check(s, 2, items), ERR_MALFORMED);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

static struct mp_reader reader(uint8_t *bytes, const char *hex)
{
	return mp_read(SLICE(bytes, hex_read(bytes, hex)));
}

static void a_reader_gives_what_was_written(void **state)
{
	uint8_t bytes[64], fixed[2];
	struct mp_reader r = reader(bytes, "98 c0 c3 05 e0 c4020102 a2c3a9 81 01 91 00 c402aabb");

	(void)state;
	assert_int_equal(mp_peek(&r), MP_ARRAY);
	mp_get_array_of(&r, 8);
	assert_true(mp_get_nil(&r));
	assert_true(!mp_get_nil(&r));
	assert_true(mp_get_bool(&r));
	assert_int_equal(mp_peek(&r), MP_UINT);
	assert_int_equal(mp_get_uint(&r, 5), 5);
	assert_int_equal(mp_peek(&r), MP_NEGATIVE);
	assert_int_equal(mp_get_int(&r, -32, 0), -32);
	assert_true(slice_equal(mp_get_bin(&r, 2), SLICE("\1\2", 2)));
	assert_int_equal(mp_peek(&r), MP_STR);
	assert_true(slice_equal(mp_get_str(&r, 2), slice_of("é")));
	assert_int_equal(mp_get_map(&r, 1), 1);
	assert_int_equal(mp_get_uint(&r, 1), 1);
	assert_true(slice_equal(mp_get_any(&r), SLICE("\x91\x00", 2)));
	mp_get_fixed(&r, fixed, 2);
	assert_memory_equal(fixed, "\xaa\xbb", 2);
	assert_int_equal(mp_peek(&r), MP_END);
	assert_int_equal(mp_end(&r), OK);
}

static void the_first_mismatch_sticks(void **state)
{
	uint8_t bytes[16], fixed[2] = { 1, 1 };
	struct mp_reader r = reader(bytes, "a161 05 c3");

	(void)state;
	assert_int_equal(mp_get_uint(&r, 9), 0);
	assert_int_equal(r.err, ERR_MALFORMED);
	assert_int_equal(mp_peek(&r), MP_END);
	assert_true(!mp_get_nil(&r));
	assert_true(!mp_get_bool(&r));
	assert_int_equal(mp_get_int(&r, -9, 9), 0);
	assert_int_equal(mp_get_bin(&r, 9).len, 0);
	assert_int_equal(mp_get_str(&r, 9).len, 0);
	assert_int_equal(mp_get_array(&r, 9), 0);
	assert_int_equal(mp_get_map(&r, 9), 0);
	assert_int_equal(mp_get_any(&r).len, 0);
	mp_get_fixed(&r, fixed, 2);
	assert_memory_equal(fixed, "\0\0", 2);
	mp_fail(&r, ERR_VERSION);
	assert_int_equal(mp_end(&r), ERR_MALFORMED);
}

static void limits_are_inclusive(void **state)
{
	uint8_t bytes[16];
	struct mp_reader r;

	(void)state;
#define REFUSED(hex, call) do { r = reader(bytes, hex); (void)(call); assert_int_equal(r.err, ERR_MALFORMED); } while (0)
#define ACCEPTED(hex, call) do { r = reader(bytes, hex); (void)(call); assert_int_equal(mp_end(&r), OK); } while (0)
	ACCEPTED("05", mp_get_uint(&r, 5));
	REFUSED("05", mp_get_uint(&r, 4));
	REFUSED("ff", mp_get_uint(&r, UINT64_MAX));
	ACCEPTED("ff", mp_get_int(&r, -1, -1));
	REFUSED("ff", mp_get_int(&r, 0, 5));
	REFUSED("05", mp_get_int(&r, -5, 4));
	REFUSED("cf8000000000000000", mp_get_int(&r, INT64_MIN, INT64_MAX));
	ACCEPTED("d38000000000000000", mp_get_int(&r, INT64_MIN, INT64_MAX));
	ACCEPTED("a161", mp_get_str(&r, 1));
	REFUSED("a161", mp_get_str(&r, 0));
	REFUSED("a161", mp_get_bin(&r, 9));
	REFUSED("c40161", mp_get_str(&r, 9));
	REFUSED("c40161", mp_get_bin(&r, 0));
	REFUSED("c40161", (mp_get_fixed(&r, (char[2]){0}, 2), 0));
	REFUSED("c40161", (mp_get_fixed(&r, NULL, 0), 0));
	ACCEPTED("c400", (mp_get_fixed(&r, NULL, 0), 0));
	REFUSED("9100", mp_get_array(&r, 0));
	REFUSED("9100", (mp_get_array_of(&r, 2), 0));
	REFUSED("9100", (mp_get_array_of(&r, 0), 0));
	REFUSED("810000", mp_get_map(&r, 0));
	REFUSED("", mp_get_any(&r));
	REFUSED("9201", mp_get_any(&r));
#undef REFUSED
#undef ACCEPTED
}

static void bytes_behind_the_end_are_malformed(void **state)
{
	uint8_t bytes[4];
	struct mp_reader r = reader(bytes, "0000"), none = mp_read(SLICE(NULL, 0));

	(void)state;
	mp_get_uint(&r, 0);
	assert_int_equal(mp_end(&r), ERR_MALFORMED);
	assert_int_equal(mp_check(SLICE(NULL, 0), DEPTH, ITEMS), ERR_MALFORMED);
	assert_int_equal(mp_peek(&none), MP_END);
	assert_int_equal(mp_end(&none), OK);
}

/* ---- msgpack-c as an oracle --------------------------------------------------------------------------------------------- */

static void put_random(struct buf *b, struct rng *r, int depth)
{
	static const char *const TEXTS[] = { "", "a", "é", "\U0001F600", "a text that is longer than thirty-one bytes" };
	uint64_t n = rng_below(r, 4);

	switch (rng_below(r, depth > 0 ? 8 : 6)) {
	case 0: mp_put_nil(b); break;
	case 1: mp_put_bool(b, n & 1); break;
	case 2: mp_put_uint(b, rng_u64(r) >> rng_below(r, 64)); break;
	case 3: mp_put_int(b, (int64_t)rng_u64(r) >> rng_below(r, 64)); break;
	case 4: mp_put_text(b, TEXTS[rng_below(r, 5)]); break;
	case 5: mp_put_bin(b, TEXTS[4], n); break;
	case 6:
		mp_put_array(b, n);
		while (n-- > 0)
			put_random(b, r, depth - 1);
		break;
	case 7:
		mp_put_map(b, n);
		for (uint64_t key = rng_below(r, 200); n-- > 0; key += 1 + rng_below(r, 50)) {
			mp_put_uint(b, key);
			put_random(b, r, depth - 1);
		}
	}
}

static void mutate(uint8_t *bytes, size_t *len, struct rng *r)
{
	static const uint8_t HEADS[] = { 0x00, 0x81, 0x91, 0xa1, 0xc0, 0xc1, 0xc4, 0xc5, 0xc7, 0xca, 0xcc, 0xcd, 0xce, 0xcf, 0xd0,
		0xd1, 0xd2, 0xd3, 0xd4, 0xd9, 0xda, 0xdc, 0xde, 0xe0 };
	size_t at = rng_below(r, *len);

	switch (rng_below(r, 5)) {
	case 0: bytes[at] = HEADS[rng_below(r, sizeof HEADS)]; break;
	case 1: bytes[at] ^= (uint8_t)(1 << rng_below(r, 8)); break;
	case 2: bytes[at] = (uint8_t)rng_u64(r); break;
	case 3:
		memmove(bytes + at, bytes + at + 1, *len - at - 1);
		*len -= 1;
		break;
	case 4:
		memmove(bytes + at + 1, bytes + at, *len - at);
		*len += 1;
	}
}

static bool oracle_utf8(const uint8_t *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint32_t c = s[i], least = 0;
		size_t more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 9;

		if (more == 9 || i + more >= len)
			return false;
		c &= more == 0 ? 0x7f : 0x3fu >> more;
		least = more == 3 ? 0x10000 : more == 2 ? 0x800 : more == 1 ? 0x80 : 0;
		for (i++; more > 0; more--, i++) {
			if ((s[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (s[i] & 0x3f);
		}
		if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return false;
	}
	return true;
}

static bool oracle_value(const msgpack_object *o, int depth);

static bool oracle_map(const msgpack_object_map *map, int depth)
{
	msgpack_sbuffer last, key;
	bool good = true;

	msgpack_sbuffer_init(&last);
	for (uint32_t i = 0; good && i < map->size; i++) {
		msgpack_packer pk;

		msgpack_sbuffer_init(&key);
		msgpack_packer_init(&pk, &key, msgpack_sbuffer_write);
		msgpack_pack_object(&pk, map->ptr[i].key);
		good = oracle_value(&map->ptr[i].key, depth) && oracle_value(&map->ptr[i].val, depth) &&
			(i == 0 || slice_compare(SLICE(last.data, last.size), SLICE(key.data, key.size)) < 0);
		msgpack_sbuffer_destroy(&last);
		last = key;
	}
	msgpack_sbuffer_destroy(&last);
	return good;
}

static bool oracle_value(const msgpack_object *o, int depth)
{
	switch (o->type) {
	case MSGPACK_OBJECT_STR:
		return oracle_utf8((const uint8_t *)o->via.str.ptr, o->via.str.size);
	case MSGPACK_OBJECT_ARRAY:
		for (uint32_t i = 0; i < o->via.array.size; i++)
			if (!oracle_value(&o->via.array.ptr[i], depth - 1))
				return false;
		return depth > 0;
	case MSGPACK_OBJECT_MAP:
		return depth > 0 && oracle_map(&o->via.map, depth - 1);
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
	case MSGPACK_OBJECT_EXT:
		return false;
	default:
		return true;
	}
}

/* Canonical is what msgpack-c decodes, packs to the same bytes, and holds none of what protocol §1 excludes. */
static bool oracle_accepts(const uint8_t *bytes, size_t len)
{
	msgpack_unpacked u;
	msgpack_sbuffer again;
	msgpack_packer pk;
	size_t used = 0;
	bool good;

	msgpack_unpacked_init(&u);
	msgpack_sbuffer_init(&again);
	good = msgpack_unpack_next(&u, (const char *)bytes, len, &used) == MSGPACK_UNPACK_SUCCESS && used == len;
	if (good) {
		msgpack_packer_init(&pk, &again, msgpack_sbuffer_write);
		msgpack_pack_object(&pk, u.data);
		good = slice_equal(SLICE(again.data, again.size), SLICE(bytes, len)) && oracle_value(&u.data, DEPTH);
	}
	msgpack_sbuffer_destroy(&again);
	msgpack_unpacked_destroy(&u);
	return good;
}

/* Arrays and maps of 32 bits make msgpack-c reserve gigabytes; none fits here. */
static bool safe_for_oracle(const uint8_t *bytes, size_t len)
{
	return memchr(bytes, 0xdd, len) == NULL && memchr(bytes, 0xdf, len) == NULL;
}

static void mutated_values_pass_only_if_canonical(void **state)
{
	int accepted = 0, refused = 0;
	struct rng r;

	(void)state;
	rng_seed_u64(&r, 1);
	for (int round = 0; round < 30000; round++) {
		uint8_t bytes[512];
		struct buf b = {0};
		size_t len;

		put_random(&b, &r, 4);
		len = b.len < 300 ? b.len : 300;
		memcpy(bytes, b.data, len);
		if (b.len == len)
			assert_int_equal(mp_check(buf_slice(&b), DEPTH, ITEMS), OK);
		buf_free(&b);
		for (int i = 0; i < 4 && len > 0; i++) {
			mutate(bytes, &len, &r);
			if (len == 0 || !safe_for_oracle(bytes, len))
				continue;
			bool good = mp_check(SLICE(bytes, len), DEPTH, ITEMS) == OK;
			assert_int_equal(good, oracle_accepts(bytes, len));
			accepted += good;
			refused += !good;
		}
	}
	assert_true(accepted > 5000 && refused > 5000);
}

/* Nested exactly as the value in the reader is. */
static void copy_value(struct buf *b, struct mp_reader *r)
{
	size_t n;

	switch (mp_peek(r)) {
	case MP_NIL: mp_get_nil(r); mp_put_nil(b); break;
	case MP_BOOL: mp_put_bool(b, mp_get_bool(r)); break;
	case MP_UINT: mp_put_uint(b, mp_get_uint(r, UINT64_MAX)); break;
	case MP_NEGATIVE: mp_put_int(b, mp_get_int(r, INT64_MIN, -1)); break;
	case MP_BIN: mp_put_bin_slice(b, mp_get_bin(r, SIZE_MAX)); break;
	case MP_STR: {
		struct slice s = mp_get_str(r, SIZE_MAX);
		mp_put_str(b, (const char *)s.data, s.len);
		break;
	}
	case MP_ARRAY:
		for (mp_put_array(b, n = mp_get_array(r, SIZE_MAX)); n > 0; n--)
			copy_value(b, r);
		break;
	case MP_MAP:
		for (mp_put_map(b, n = mp_get_map(r, SIZE_MAX)), n *= 2; n > 0; n--)
			copy_value(b, r);
		break;
	case MP_END: mp_fail(r, ERR_MALFORMED);
	}
}

static void a_walk_rewrites_the_same_bytes(void **state)
{
	struct rng r;

	(void)state;
	rng_seed_u64(&r, 2);
	for (int round = 0; round < 2000; round++) {
		struct buf b = {0}, copy = {0};
		struct mp_reader at;

		put_random(&b, &r, 6);
		at = mp_read(buf_slice(&b));
		copy_value(&copy, &at);
		assert_int_equal(mp_end(&at), OK);
		assert_true(slice_equal(buf_slice(&copy), buf_slice(&b)));
		buf_free(&b);
		buf_free(&copy);
	}
}

static void writing_survives_any_failed_allocation(void **state)
{
	enum err e = ERR_NOMEM;

	(void)state;
	for (int k = 0; e != OK; k++) {
		struct buf b = {0};
		struct rng r;

		rng_seed_u64(&r, 3);
		mem_fail_after(k);
		mp_put_array(&b, 50);
		for (int i = 0; i < 50; i++)
			put_random(&b, &r, 3);
		mem_fail_after(-1);
		e = b.err;
		assert_true(e == OK || e == ERR_NOMEM);
		assert_int_equal(mp_check(buf_slice(&b), DEPTH, ITEMS) == OK, e == OK);
		buf_free(&b);
	}
	assert_int_equal(mem_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_have_their_shortest_form),
		cmocka_unit_test(other_values_have_one_form),
		cmocka_unit_test(lengths_have_their_shortest_form),
		cmocka_unit_test(lengths_beyond_32_bits_are_refused),
		cmocka_unit_test(other_forms_are_refused),
		cmocka_unit_test(keys_ascend_by_their_encoding),
		cmocka_unit_test(announced_lengths_cost_nothing),
		cmocka_unit_test(nesting_is_limited),
		cmocka_unit_test(values_are_limited),
		cmocka_unit_test(a_reader_gives_what_was_written),
		cmocka_unit_test(the_first_mismatch_sticks),
		cmocka_unit_test(limits_are_inclusive),
		cmocka_unit_test(bytes_behind_the_end_are_malformed),
		cmocka_unit_test(mutated_values_pass_only_if_canonical),
		cmocka_unit_test(a_walk_rewrites_the_same_bytes),
		cmocka_unit_test(writing_survives_any_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
