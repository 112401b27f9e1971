#include "base/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uninorm.h>
#include <unistr.h>
#include <uniwidth.h>

#define ESC 0x1b

static bool is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] >= 0x80)
			return false;
	return true;
}

bool text_valid(struct slice s)
{
	return is_ascii(s) || u8_check(s.data, s.len) == NULL;
}

/* Every byte but a continuation begins a code point. */
size_t text_points(struct slice s)
{
	size_t points = 0;

	for (size_t i = 0; i < s.len; i++)
		points += (s.data[i] & 0xc0) != 0x80;
	return points;
}

enum err text_nfc(struct buf *out, struct slice text)
{
	uint8_t *normal;
	size_t len;

	if (is_ascii(text)) {
		buf_put_slice(out, text);
		return out->err;
	}
	if (!text_valid(text))
		return ERR_MALFORMED;
	normal = u8_normalize(UNINORM_NFC, text.data, text.len, NULL, &len);
	if (normal == NULL)
		return ERR_NOMEM;
	buf_put(out, normal, len);
	free(normal);                   /* libunistring's, not mem's */
	return out->err;
}

/* What could move the cursor, reorder or hide other text.  Variation selectors stay: emoji need them. */
static bool is_unsafe(ucs4_t c)
{
	static const struct { ucs4_t first, last; } RANGES[] = {
		{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c }, { 0x180e, 0x180e }, { 0x200b, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f },
	};

	for (size_t i = 0; i < sizeof RANGES / sizeof *RANGES && c >= RANGES[i].first; i++)
		if (c <= RANGES[i].last)
			return true;
	return false;
}

enum err text_safe(struct buf *out, struct slice text, bool multiline)
{
	for (size_t i = 0, step; i < text.len; i += step) {
		ucs4_t c;

		step = (size_t)u8_mbtouc(&c, text.data + i, text.len - i);
		if (c == 0xfffd)        /* also what stands for ill-formed bytes */
			buf_put_text(out, "\uFFFD");
		else if (!is_unsafe(c) || (multiline && (c == '\n' || c == '\t')))
			buf_put(out, text.data + i, step);
		else if (c == ESC)
			buf_put_text(out, "␛");
		else
			buf_printf(out, "\\u{%X}", (unsigned)c);
	}
	return out->err;
}

size_t text_width(struct slice s)
{
	return s.len == 0 ? 0 : (size_t)u8_width(s.data, s.len, "UTF-8");
}
