#include "base/id.h"
#include <string.h>

#define PREFIX_MIN 4

static const char ALPHABET[] = "0123456789abcdefghjkmnpqrstvwxyz";

size_t id_text_len(size_t bytes)
{
	return (8 * bytes + 4) / 5;
}

/* Symbol i: bits 5i..5i+4, zeros behind the end. */
static unsigned symbol(const uint8_t *data, size_t len, size_t i)
{
	size_t byte = 5 * i / 8, bit = 5 * i % 8;
	unsigned two = (unsigned)data[byte] << 8 | (byte + 1 < len ? data[byte + 1] : 0u);

	return two >> (11 - bit) & 31;
}

/* 0..31, or -1. */
static int value_of(uint8_t c)
{
	const char *at;

	if (c >= 'A' && c <= 'Z')
		c = (uint8_t)(c - 'A' + 'a');
	if (c == 'o')
		return 0;
	if (c == 'i' || c == 'l')
		return 1;
	at = c == '\0' ? NULL : strchr(ALPHABET, c);
	return at == NULL ? -1 : (int)(at - ALPHABET);
}

char *id_format(char *out, const void *id, size_t len, size_t chars)
{
	if (chars == 0 || chars > id_text_len(len))
		chars = id_text_len(len);
	for (size_t i = 0; i < chars; i++)
		out[i] = ALPHABET[symbol(id, len, i)];
	out[chars] = '\0';
	return out;
}

/* The text's floor(5n/8) bytes; false for a wrong character, a useless last one or stray bits. */
static bool decode(uint8_t *out, struct slice text)
{
	unsigned bits = 0, kept = 0;

	for (size_t i = 0; i < text.len; i++) {
		int v = value_of(text.data[i]);

		if (v < 0)
			return false;
		bits = (bits << 5 | (unsigned)v) & 0xfff;
		kept += 5;
		if (kept >= 8) {
			kept -= 8;
			*out++ = (uint8_t)(bits >> kept);
		}
	}
	return kept < 5 && (bits & ((1u << kept) - 1)) == 0;
}

enum err id_parse(void *id, size_t len, struct slice text)
{
	return text.len == id_text_len(len) && decode(id, text) ? OK : ERR_USAGE;
}

bool id_has_prefix(const void *id, size_t len, struct slice text)
{
	if (text.len < PREFIX_MIN || text.len > id_text_len(len))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (value_of(text.data[i]) != (int)symbol(id, len, i))
			return false;
	return true;
}

void id_encode(struct buf *out, struct slice bytes)
{
	size_t chars = id_text_len(bytes.len);
	uint8_t *at = buf_extend(out, chars);

	for (size_t i = 0; at != NULL && i < chars; i++)
		at[i] = (uint8_t)ALPHABET[symbol(bytes.data, bytes.len, i)];
}

enum err id_decode(struct buf *out, struct slice text)
{
	size_t before = out->len;
	uint8_t *at = buf_extend(out, 5 * text.len / 8);

	if (at == NULL)
		return out->err;
	if (decode(at, text))
		return OK;
	out->len = before;
	return ERR_USAGE;
}
