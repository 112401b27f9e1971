/* Any bytes: what mp_check accepts, a walk rewrites to itself; what it refuses, the reader survives. */
#include <assert.h>
#include <string.h>
#include "base/limits.h"
#include "base/mp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void copy_values(struct buf *b, struct mp_reader *r, size_t n)
{
	struct slice s;

	for (; n > 0 && r->err == OK; n--)
		switch (mp_peek(r)) {
		case MP_NIL: mp_get_nil(r); mp_put_nil(b); break;
		case MP_BOOL: mp_put_bool(b, mp_get_bool(r)); break;
		case MP_UINT: mp_put_uint(b, mp_get_uint(r, UINT64_MAX)); break;
		case MP_NEGATIVE: mp_put_int(b, mp_get_int(r, INT64_MIN, -1)); break;
		case MP_BIN: mp_put_bin_slice(b, mp_get_bin(r, SIZE_MAX)); break;
		case MP_STR:
			s = mp_get_str(r, SIZE_MAX);
			mp_put_str(b, (const char *)s.data, s.len);
			break;
		case MP_ARRAY:
			mp_put_array(b, s.len = mp_get_array(r, SIZE_MAX));
			copy_values(b, r, s.len);
			break;
		case MP_MAP:
			mp_put_map(b, s.len = mp_get_map(r, SIZE_MAX));
			copy_values(b, r, 2 * s.len);
			break;
		case MP_END: mp_fail(r, ERR_MALFORMED);
		}
}

static void accepted(struct slice s)
{
	struct buf copy = {0};
	struct mp_reader r = mp_read(s);

	copy_values(&copy, &r, 1);
	assert(mp_end(&r) == OK && copy.err == OK);
	assert(slice_equal(buf_slice(&copy), s));
	buf_free(&copy);
	r = mp_read(s);
	assert(slice_equal(mp_get_any(&r), s) && mp_end(&r) == OK);
}

/* The wrong questions, in an order that the bytes choose. */
static void unchecked(struct slice s, uint8_t first)
{
	struct mp_reader r = mp_read(s);

	for (unsigned question = first; r.err == OK && r.at < r.end; question = question * 5 + 3) {
		uint8_t fixed[16];
		struct slice part = { NULL, 0 };

		switch (question % 8) {
		case 0: part = mp_get_any(&r); break;
		case 1: part = mp_get_str(&r, question); break;
		case 2: part = mp_get_bin(&r, SIZE_MAX); break;
		case 3: mp_get_fixed(&r, fixed, sizeof fixed); break;
		case 4: mp_get_array(&r, SIZE_MAX); break;
		case 5: mp_get_map(&r, question); break;
		case 6: mp_get_int(&r, INT64_MIN, INT64_MAX); break;
		case 7: mp_get_nil(&r); r.at += r.at < r.end; break;
		}
		assert(r.at <= r.end);
		assert(part.len == 0 || (part.data >= s.data && part.data + part.len <= r.end));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = SLICE(data, size);

	if (mp_check(s, LIMIT_DEPTH, size) == OK) {
		accepted(s);
		assert(mp_check(s, LIMIT_DEPTH + 1, size + 1) == OK);
	}
	if (size > 0)
		unchecked(SLICE(data + 1, size - 1), *data);
	return 0;
}
