/* Any bytes: NFC is stable, and what text_safe lets through steers no terminal. */
#include <assert.h>
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_nfc(struct slice s)
{
	struct buf once = {0}, twice = {0};
	enum err e = text_nfc(&once, s);

	assert((e == OK) == text_valid(s));
	if (e == OK) {
		assert(text_valid(buf_slice(&once)));
		assert(text_nfc(&twice, buf_slice(&once)) == OK);
		assert(slice_equal(buf_slice(&once), buf_slice(&twice)));
	}
	buf_free(&once);
	buf_free(&twice);
}

/* No C0 or C1 control (but those allowed), no bidi control U+202A..E, U+2066..9. */
static void assert_harmless(struct slice s, bool multiline)
{
	for (size_t i = 0; i < s.len; i++) {
		const uint8_t *at = s.data + i;
		bool line = multiline && (*at == '\n' || *at == '\t');

		assert((*at >= 0x20 || line) && *at != 0x7f);
		assert(!(*at == 0xc2 && at[1] < 0xa0));
		assert(!(*at == 0xe2 && at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae));
		assert(!(*at == 0xe2 && at[1] == 0x81 && at[2] >= 0xa0 && at[2] <= 0xaf));
	}
}

static void check_safe(struct slice s, bool multiline)
{
	struct buf once = {0}, twice = {0};

	assert(text_safe(&once, s, multiline) == OK);
	assert(text_valid(buf_slice(&once)));
	assert_harmless(buf_slice(&once), multiline);
	assert(text_safe(&twice, buf_slice(&once), multiline) == OK);
	assert(slice_equal(buf_slice(&once), buf_slice(&twice)));
	assert(text_width(buf_slice(&once)) <= 2 * once.len);
	buf_free(&once);
	buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = SLICE(data, size);

	check_nfc(s);
	check_safe(s, false);
	check_safe(s, true);
	text_width(s);
	assert(text_points(s) <= size);
	return 0;
}
