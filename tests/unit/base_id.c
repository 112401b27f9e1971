#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/id.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/unit/base_hex.h"

static void text_is_crockford_base32(void **state)
{
	static const struct { const char *hex, *text; } GOLDEN[] = {
		{ "", "" }, { "00", "00" }, { "ff", "zw" }, { "f8", "z0" }, { "0001", "000g" },
		{ "00443214c74254b635cf84653a56d7c675be77df", "0123456789abcdefghjkmnpqrstvwxyz" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof GOLDEN / sizeof *GOLDEN; i++) {
		uint8_t bytes[32], back[32];
		char out[ID_TEXT_MAX];
		size_t len = hex_read(bytes, GOLDEN[i].hex);

		assert_string_equal(id_format(out, bytes, len, 0), GOLDEN[i].text);
		assert_int_equal(strlen(out), id_text_len(len));
		assert_int_equal(id_parse(back, len, slice_of(out)), OK);
		assert_memory_equal(back, bytes, len);
	}
	assert_int_equal(id_text_len(32), 52);
	assert_int_equal(id_text_len(16), 26);
}

static void ids_are_shown_short(void **state)
{
	uint8_t id[32] = { 0x12, 0x34, 0x56, 0x78, 0x9a };
	char out[ID_TEXT_MAX];

	(void)state;
	assert_string_equal(id_format(out, id, 32, 8), "28t5cy4t");
	assert_int_equal(strlen(id_format(out, id, 32, 1000)), 52);
}

static void readers_forgive_case_and_likeness(void **state)
{
	uint8_t id[5];

	(void)state;
	assert_int_equal(id_parse(id, 5, slice_of("OoIiLl1Z")), OK);
	assert_true(hex_equal(id, 5, "000210843f"));
	assert_true(id_has_prefix(id, 5, slice_of("001111lz")));
	assert_int_equal(id_parse(id, 5, slice_of("0011111u")), ERR_USAGE);
}

static void other_texts_are_refused(void **state)
{
	uint8_t id[5], one[1];
	struct buf b = {0};

	(void)state;
	assert_int_equal(id_parse(id, 5, slice_of("0000000")), ERR_USAGE);
	assert_int_equal(id_parse(id, 5, slice_of("000000000")), ERR_USAGE);
	assert_int_equal(id_parse(id, 5, slice_of("0000-000")), ERR_USAGE);
	assert_int_equal(id_parse(id, 5, SLICE("0000000\0", 8)), ERR_USAGE);
	assert_int_equal(id_parse(id, 5, slice_of("000000\xc3\xa9")), ERR_USAGE);
	assert_int_equal(id_parse(one, 1, slice_of("zx")), ERR_USAGE);          /* stray bits */
	assert_int_equal(id_decode(&b, slice_of("0")), ERR_USAGE);              /* 5 bits are no byte */
	assert_int_equal(id_decode(&b, slice_of("000")), ERR_USAGE);            /* nor 15 two */
	assert_int_equal(id_decode(&b, slice_of("000000")), ERR_USAGE);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void prefixes_are_found(void **state)
{
	uint8_t id[16] = { 0x12, 0x34, 0x56, 0x78, 0x9a };
	char out[ID_TEXT_MAX];

	(void)state;
	id_format(out, id, sizeof id, 0);
	for (size_t len = 0; len <= strlen(out); len++)
		assert_int_equal(id_has_prefix(id, sizeof id, SLICE(out, len)), len >= 4);
	assert_true(id_has_prefix(id, sizeof id, slice_of("28T5")));
	assert_true(!id_has_prefix(id, sizeof id, slice_of("28T6")));
	assert_true(!id_has_prefix(id, sizeof id, slice_of("28t!")));
	strcat(out, "0");
	assert_true(!id_has_prefix(id, sizeof id, slice_of(out)));
}

static void bytes_of_any_length_come_back(void **state)
{
	struct rng r;

	(void)state;
	rng_seed_u64(&r, 1);
	for (size_t len = 0; len < 100; len++) {
		struct buf text = {0}, back = {0};
		uint8_t bytes[100];

		rng_bytes(&r, bytes, len);
		id_encode(&text, SLICE(bytes, len));
		assert_int_equal(text.len, id_text_len(len));
		buf_put_text(&back, "kept");
		assert_int_equal(id_decode(&back, buf_slice(&text)), OK);
		assert_true(slice_equal(SLICE(back.data + 4, back.len - 4), SLICE(bytes, len)));
		buf_free(&text);
		buf_free(&back);
	}
}

static void decoding_survives_any_failed_allocation(void **state)
{
	struct buf b = {0};

	(void)state;
	mem_fail_after(0);
	id_encode(&b, SLICE("abc", 3));
	assert_int_equal(b.err, ERR_NOMEM);
	buf_clear(&b);
	assert_int_equal(id_decode(&b, slice_of("0000")), ERR_NOMEM);
	mem_fail_after(-1);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_crockford_base32),
		cmocka_unit_test(ids_are_shown_short),
		cmocka_unit_test(readers_forgive_case_and_likeness),
		cmocka_unit_test(other_texts_are_refused),
		cmocka_unit_test(prefixes_are_found),
		cmocka_unit_test(bytes_of_any_length_come_back),
		cmocka_unit_test(decoding_survives_any_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
