#include "base/mp.h"
#include <msgpack.h>
#include <string.h>
#include "base/text.h"

/* ---- heads: what one value begins with ---------------------------------------------------------------------------------- */

/* value: the number (a negative one in two's complement), the truth, or the count of bytes, elements or pairs. */
struct head { enum mp_type type; uint64_t value; };

/* The forms with 1, 2, 4 or 8 bytes behind the first, and the least value that needs this form.  Width 0: not canonical msgpack. */
static const struct form { enum mp_type type; uint8_t width; uint64_t least; } FORMS[] = {
	[0xc4 - 0xc0] = { MP_BIN, 1, 0 },
	[0xc5 - 0xc0] = { MP_BIN, 2, 0x100 },
	[0xc6 - 0xc0] = { MP_BIN, 4, 0x10000 },
	[0xcc - 0xc0] = { MP_UINT, 1, 0x80 },
	[0xcd - 0xc0] = { MP_UINT, 2, 0x100 },
	[0xce - 0xc0] = { MP_UINT, 4, 0x10000 },
	[0xcf - 0xc0] = { MP_UINT, 8, 0x100000000 },
	[0xd0 - 0xc0] = { MP_NEGATIVE, 1, 33 },         /* of these the magnitude */
	[0xd1 - 0xc0] = { MP_NEGATIVE, 2, 0x81 },
	[0xd2 - 0xc0] = { MP_NEGATIVE, 4, 0x8001 },
	[0xd3 - 0xc0] = { MP_NEGATIVE, 8, 0x80000001 },
	[0xd9 - 0xc0] = { MP_STR, 1, 32 },
	[0xda - 0xc0] = { MP_STR, 2, 0x100 },
	[0xdb - 0xc0] = { MP_STR, 4, 0x10000 },
	[0xdc - 0xc0] = { MP_ARRAY, 2, 16 },
	[0xdd - 0xc0] = { MP_ARRAY, 4, 0x10000 },
	[0xde - 0xc0] = { MP_MAP, 2, 16 },
	[0xdf - 0xc0] = { MP_MAP, 4, 0x10000 },
};

static struct head short_form(uint8_t b)
{
	if (b <= 0x7f)
		return (struct head){ MP_UINT, b };
	if (b <= 0x8f)
		return (struct head){ MP_MAP, b & 0x0f };
	if (b <= 0x9f)
		return (struct head){ MP_ARRAY, b & 0x0f };
	if (b <= 0xbf)
		return (struct head){ MP_STR, b & 0x1f };
	if (b >= 0xe0)
		return (struct head){ MP_NEGATIVE, (uint64_t)b - 256 };
	if (b == 0xc0)
		return (struct head){ MP_NIL, 0 };
	if (b == 0xc2 || b == 0xc3)
		return (struct head){ MP_BOOL, b & 1 };
	return (struct head){ MP_END, 0 };
}

static struct head long_form(uint8_t b, const uint8_t *at, size_t left)
{
	const struct form *f = &FORMS[b - 0xc0];
	unsigned shift = 64 - 8u * f->width;
	uint64_t v = 0, size;

	if (left < f->width)
		return (struct head){ MP_END, 0 };
	for (unsigned i = 0; i < f->width; i++)
		v = v << 8 | at[i];
	if (f->type == MP_NEGATIVE && v >> (63 - shift) == 0)
		return (struct head){ MP_END, 0 };      /* non-negative: belongs to the unsigned forms */
	if (f->type == MP_NEGATIVE)
		v |= ~(UINT64_MAX >> shift);
	size = f->type == MP_NEGATIVE ? -v : v;
	return (struct head){ size < f->least ? MP_END : f->type, v };
}

/* Read a head, and step over it.  MP_END, and no step: not canonical, or more announced than there are bytes left. */
static struct head take_head(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *p = *at;
	uint64_t least = 0;
	struct head h;

	if (p == end)
		return (struct head){ MP_END, 0 };
	if (*p >= 0xc0 && *p <= 0xdf && FORMS[*p - 0xc0].width > 0) {
		h = long_form(*p, p + 1, (size_t)(end - p) - 1);
		p += FORMS[*p - 0xc0].width;
	} else {
		h = short_form(*p);
	}
	if (h.type == MP_END)
		return h;
	p++;
	if (h.type == MP_BIN || h.type == MP_STR || h.type == MP_ARRAY)
		least = h.value;
	else if (h.type == MP_MAP)
		least = 2 * h.value;
	if (least > (uint64_t)(end - p))
		return (struct head){ MP_END, 0 };
	*at = p;
	return h;
}

/* ---- checking ----------------------------------------------------------------------------------------------------------- */

struct check { const uint8_t *at, *end; size_t items; };

static bool check_value(struct check *c, unsigned depth);

static bool check_map(struct check *c, uint64_t pairs, unsigned depth)
{
	struct slice last = { NULL, 0 };

	for (uint64_t i = 0; i < pairs; i++) {
		struct slice key = { c->at, 0 };

		if (!check_value(c, depth))
			return false;
		key.len = (size_t)(c->at - key.data);
		if (i > 0 && slice_compare(last, key) >= 0)
			return false;
		last = key;
		if (!check_value(c, depth))
			return false;
	}
	return true;
}

static bool check_array(struct check *c, uint64_t count, unsigned depth)
{
	for (uint64_t i = 0; i < count; i++)
		if (!check_value(c, depth))
			return false;
	return true;
}

/* Recursion only into arrays and maps, so at most depth deep. */
static bool check_value(struct check *c, unsigned depth)
{
	struct head h = take_head(&c->at, c->end);
	const uint8_t *content = c->at;

	if (h.type == MP_END || c->items-- == 0)
		return false;
	switch (h.type) {
	case MP_STR:
		c->at += h.value;
		return text_valid(SLICE(content, h.value));
	case MP_BIN:
		c->at += h.value;
		return true;
	case MP_ARRAY:
		return depth > 0 && h.value <= c->items && check_array(c, h.value, depth - 1);
	case MP_MAP:
		return depth > 0 && h.value <= c->items / 2 && check_map(c, h.value, depth - 1);
	default:
		return true;
	}
}

enum err mp_check(struct slice s, unsigned depth, size_t items)
{
	struct check c = { s.data, s.data, items };

	if (s.len == 0)
		return ERR_MALFORMED;   /* data may be NULL */
	c.end += s.len;
	return check_value(&c, depth) && c.at == c.end ? OK : ERR_MALFORMED;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

static int put(void *to, const char *data, size_t len)
{
	struct buf *b = to;

	buf_put(b, data, len);
	return b->err == OK ? 0 : -1;
}

static msgpack_packer packer(struct buf *b)
{
	return (msgpack_packer){ .data = b, .callback = put };
}

/* Lengths have 32 bits. */
static bool fits(struct buf *b, size_t n)
{
	if (n > UINT32_MAX && b->err == OK)
		b->err = ERR_TOOBIG;
	return b->err == OK;
}

void mp_put_nil(struct buf *b)
{
	msgpack_packer pk = packer(b);

	msgpack_pack_nil(&pk);
}

void mp_put_bool(struct buf *b, bool v)
{
	msgpack_packer pk = packer(b);

	if (v)
		msgpack_pack_true(&pk);
	else
		msgpack_pack_false(&pk);
}

void mp_put_uint(struct buf *b, uint64_t v)
{
	msgpack_packer pk = packer(b);

	msgpack_pack_uint64(&pk, v);
}

void mp_put_int(struct buf *b, int64_t v)
{
	msgpack_packer pk = packer(b);

	msgpack_pack_int64(&pk, v);
}

void mp_put_bin(struct buf *b, const void *data, size_t len)
{
	msgpack_packer pk = packer(b);

	if (!fits(b, len))
		return;
	msgpack_pack_bin(&pk, len);
	buf_put(b, data, len);
}

void mp_put_bin_slice(struct buf *b, struct slice s)
{
	mp_put_bin(b, s.data, s.len);
}

void mp_put_str(struct buf *b, const char *text, size_t len)
{
	msgpack_packer pk = packer(b);

	if (!fits(b, len))
		return;
	msgpack_pack_str(&pk, len);
	buf_put(b, text, len);
}

void mp_put_text(struct buf *b, const char *text)
{
	mp_put_str(b, text, strlen(text));
}

void mp_put_array(struct buf *b, size_t count)
{
	msgpack_packer pk = packer(b);

	if (fits(b, count))
		msgpack_pack_array(&pk, count);
}

void mp_put_map(struct buf *b, size_t pairs)
{
	msgpack_packer pk = packer(b);

	if (fits(b, pairs))
		msgpack_pack_map(&pk, pairs);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

struct mp_reader mp_read(struct slice s)
{
	static const uint8_t nothing;
	const uint8_t *at = s.data != NULL ? s.data : &nothing;

	return (struct mp_reader){ at, at + s.len, OK };
}

void mp_fail(struct mp_reader *r, enum err e)
{
	if (r->err == OK)
		r->err = e;
}

enum err mp_end(struct mp_reader *r)
{
	if (r->at != r->end)
		mp_fail(r, ERR_MALFORMED);
	return r->err;
}

enum mp_type mp_peek(const struct mp_reader *r)
{
	const uint8_t *at = r->at;

	return r->err == OK ? take_head(&at, r->end).type : MP_END;
}

/* The value of the next head if it has this type and is at most max; else the error sticks. */
static uint64_t expect(struct mp_reader *r, enum mp_type type, uint64_t max)
{
	struct head h;

	if (r->err != OK)
		return 0;
	h = take_head(&r->at, r->end);
	if (h.type == type && h.value <= max)
		return h.value;
	r->err = ERR_MALFORMED;
	return 0;
}

static struct slice content(struct mp_reader *r, enum mp_type type, size_t max)
{
	struct slice s = { NULL, (size_t)expect(r, type, max) };

	s.data = r->at;
	r->at += s.len;
	return s;
}

bool mp_get_nil(struct mp_reader *r)
{
	if (mp_peek(r) != MP_NIL)
		return false;
	r->at++;
	return true;
}

bool mp_get_bool(struct mp_reader *r)
{
	return expect(r, MP_BOOL, 1) != 0;
}

uint64_t mp_get_uint(struct mp_reader *r, uint64_t max)
{
	return expect(r, MP_UINT, max);
}

int64_t mp_get_int(struct mp_reader *r, int64_t min, int64_t max)
{
	enum mp_type type = mp_peek(r) == MP_NEGATIVE ? MP_NEGATIVE : MP_UINT;
	int64_t v = (int64_t)expect(r, type, type == MP_UINT ? (uint64_t)INT64_MAX : UINT64_MAX);

	if (r->err == OK && v >= min && v <= max)
		return v;
	mp_fail(r, ERR_MALFORMED);
	return 0;
}

struct slice mp_get_bin(struct mp_reader *r, size_t max)
{
	return content(r, MP_BIN, max);
}

void mp_get_fixed(struct mp_reader *r, void *out, size_t len)
{
	struct slice s = content(r, MP_BIN, len);

	if (s.len != len)
		mp_fail(r, ERR_MALFORMED);
	if (len == 0)
		return;
	if (r->err == OK)
		memcpy(out, s.data, len);
	else
		memset(out, 0, len);
}

struct slice mp_get_str(struct mp_reader *r, size_t max)
{
	return content(r, MP_STR, max);
}

size_t mp_get_array(struct mp_reader *r, size_t max)
{
	return (size_t)expect(r, MP_ARRAY, max);
}

size_t mp_get_map(struct mp_reader *r, size_t max)
{
	return (size_t)expect(r, MP_MAP, max);
}

void mp_get_array_of(struct mp_reader *r, size_t exactly)
{
	if (mp_get_array(r, exactly) != exactly)
		mp_fail(r, ERR_MALFORMED);
}

/* No recursion: it only counts the values that are still to come, and each needs a byte. */
struct slice mp_get_any(struct mp_reader *r)
{
	struct slice whole = { r->at, 0 };

	for (uint64_t left = 1; left > 0 && r->err == OK; left--) {
		struct head h = take_head(&r->at, r->end);

		if (h.type == MP_END)
			r->err = ERR_MALFORMED;
		else if (h.type == MP_BIN || h.type == MP_STR)
			r->at += h.value;
		else if (h.type == MP_ARRAY)
			left += h.value;
		else if (h.type == MP_MAP)
			left += 2 * h.value;
	}
	if (r->err == OK)
		whole.len = (size_t)(r->at - whole.data);
	return whole;
}
