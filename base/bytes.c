#include "base/bytes.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"

struct slice slice_of(const char *text)
{
	return SLICE(text, strlen(text));
}

bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

int slice_compare(struct slice a, struct slice b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

void buf_free(struct buf *b)
{
	mem_free(b->data);
	*b = (struct buf){0};
}

void buf_wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_free(b);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->err = OK;
}

/* Room for len more bytes, and one that buf_printf needs for its NUL. */
static bool reserve(struct buf *b, size_t len)
{
	size_t need, cap = b->cap < 64 ? 64 : b->cap;
	uint8_t *p;

	if (b->err != OK)
		return false;
	if (__builtin_add_overflow(b->len, len, &need) || need > SIZE_MAX / 2 - 1)
		goto fail;
	if (b->data != NULL && need + 1 <= b->cap)
		return true;
	while (cap < need + 1)
		cap *= 2;
	p = mem_resize(b->data, cap, 1);
	if (p == NULL)
		goto fail;
	b->data = p;
	b->cap = cap;
	return true;
fail:
	b->err = ERR_NOMEM;
	return false;
}

uint8_t *buf_extend(struct buf *b, size_t len)
{
	uint8_t *at;

	if (!reserve(b, len))
		return NULL;
	at = b->data + b->len;
	b->len += len;
	return at;
}

void buf_put(struct buf *b, const void *data, size_t len)
{
	uint8_t *at = buf_extend(b, len);

	if (at != NULL && len > 0)
		memcpy(at, data, len);
}

void buf_put_slice(struct buf *b, struct slice s)
{
	buf_put(b, s.data, s.len);
}

void buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, 1);
}

void buf_put_u16(struct buf *b, uint16_t v)
{
	uint8_t raw[2];

	put_u16(raw, v);
	buf_put(b, raw, sizeof raw);
}

void buf_put_u32(struct buf *b, uint32_t v)
{
	uint8_t raw[4];

	put_u32(raw, v);
	buf_put(b, raw, sizeof raw);
}

void buf_put_u64(struct buf *b, uint64_t v)
{
	uint8_t raw[8];

	put_u64(raw, v);
	buf_put(b, raw, sizeof raw);
}

void buf_put_text(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args, again;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	if (len < 0) {
		if (b->err == OK)
			b->err = ERR_USAGE;
	} else if (reserve(b, (size_t)len)) {
		vsnprintf((char *)b->data + b->len, (size_t)len + 1, format, again);
		b->len += (size_t)len;
	}
	va_end(again);
	va_end(args);
}

struct slice buf_slice(const struct buf *b)
{
	return SLICE(b->data, b->len);
}

uint64_t get_u64(const uint8_t *p)
{
	return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

void put_u64(uint8_t *p, uint64_t v)
{
	put_u32(p, (uint32_t)(v >> 32));
	put_u32(p + 4, (uint32_t)v);
}

void put_u32(uint8_t *p, uint32_t v)
{
	put_u16(p, (uint16_t)(v >> 16));
	put_u16(p + 2, (uint16_t)v);
}

void put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
