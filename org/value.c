#include "org/model.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/id.h"
#include "base/mem.h"
#include "base/mp.h"
#include "base/text.h"

#define WHY_LEN 200
#define DAY_MS 86400000LL
#define YEAR_MAX 9999

/* ---- dates: the proleptic Gregorian calendar of years 1 to 9999, UTC (after H. Hinnant, "chrono-compatible low-level date
 * algorithms") --------------------------------------------------------------------------------------------------- */

struct civil { int64_t year; unsigned month, day; };

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t days_from_civil(struct civil c)
{
	int64_t y = c.year - (c.month <= 2), era = floor_div(y, 400), of_era = y - era * 400;
	int64_t of_year = (153 * (c.month > 2 ? c.month - 3 : c.month + 9) + 2) / 5 + c.day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct civil civil_from_days(int64_t days)
{
	int64_t z = days + 719468, era = floor_div(z, 146097), day = z - era * 146097;
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t of_year = day - (365 * year + year / 4 - year / 100), shifted = (5 * of_year + 2) / 153;
	struct civil c = { .day = (unsigned)(of_year - (153 * shifted + 2) / 5 + 1),
		.month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9) };

	c.year = year + era * 400 + (c.month <= 2);
	return c;
}

static int64_t time_min(void)
{
	return days_from_civil((struct civil){ 1, 1, 1 }) * DAY_MS;
}

static int64_t time_max(void)
{
	return (days_from_civil((struct civil){ YEAR_MAX, 12, 31 }) + 1) * DAY_MS - 1;
}

/* Exactly n digits, then the separator (0: none). */
static bool take_digits(struct slice *s, size_t n, char separator, unsigned *out)
{
	*out = 0;
	if (s->len < n + (separator != 0))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s->data[i] < '0' || s->data[i] > '9')
			return false;
		*out = *out * 10 + (unsigned)(s->data[i] - '0');
	}
	if (separator != 0 && s->data[n] != (uint8_t)separator)
		return false;
	*s = SLICE(s->data + n + (separator != 0), s->len - n - (separator != 0));
	return true;
}

static bool parse_date(int64_t *ms, struct slice *s)
{
	unsigned year;
	struct civil c, back;

	if (!take_digits(s, 4, '-', &year) || !take_digits(s, 2, '-', &c.month) || !take_digits(s, 2, 0, &c.day))
		return false;
	if (year == 0 || c.month == 0 || c.month > 12 || c.day == 0 || c.day > 31)
		return false;
	c.year = year;
	*ms = days_from_civil(c) * DAY_MS;
	back = civil_from_days(*ms / DAY_MS);           /* 31 April is 1 May; both are whole days */
	return back.month == c.month;
}

/* T10:30, T10:30:00, T10:30:00.250, each with or without Z. */
static bool parse_clock(int64_t *ms, struct slice s)
{
	unsigned hour, minute, second = 0, fraction = 0;

	if (s.len > 0 && s.data[s.len - 1] == 'Z')
		s.len--;
	if (s.len < 6 || (s.data[0] != 'T' && s.data[0] != ' '))
		return false;
	s = SLICE(s.data + 1, s.len - 1);
	if (!take_digits(&s, 2, ':', &hour) || !take_digits(&s, 2, 0, &minute))
		return false;
	if (s.len > 0 && (s.data[0] != ':' || (s = SLICE(s.data + 1, s.len - 1), !take_digits(&s, 2, 0, &second))))
		return false;
	if (s.len > 0 && (s.data[0] != '.' || (s = SLICE(s.data + 1, s.len - 1), !take_digits(&s, 3, 0, &fraction))))
		return false;
	if (s.len > 0 || hour > 23 || minute > 59 || second > 59)
		return false;
	*ms += (((int64_t)hour * 60 + minute) * 60 + second) * 1000 + fraction;
	return true;
}

static bool parse_time(int64_t *ms, struct slice s)
{
	return parse_date(ms, &s) && (s.len == 0 || parse_clock(ms, s));
}

static void put_date(struct buf *out, int64_t ms)
{
	struct civil c = civil_from_days(floor_div(ms, DAY_MS));

	buf_printf(out, "%04lld-%02u-%02u", (long long)c.year, c.month, c.day);
}

static void put_time(struct buf *out, int64_t ms)
{
	int64_t of_day = ms - floor_div(ms, DAY_MS) * DAY_MS;

	put_date(out, ms);
	buf_printf(out, "T%02d:%02d:%02d", (int)(of_day / 3600000), (int)(of_day / 60000 % 60), (int)(of_day / 1000 % 60));
	if (of_day % 1000 != 0)
		buf_printf(out, ".%03d", (int)(of_day % 1000));
	buf_put_u8(out, 'Z');
}

/* ---- stored values ---------------------------------------------------------------------------------------------- */

static size_t text_size(const struct field_spec *f, struct slice text)
{
	return f->in_bytes ? text.len : text_points(text);
}

static size_t id_len(const struct field_spec *f)
{
	return f->value == VALUE_ID16 ? DOC_LEN : ID_LEN;
}

static enum err load_number(struct value *out, const struct field_spec *f, struct mp_reader *r)
{
	switch (f->value) {
	case VALUE_DECIMAL:
		out->number = mp_get_int(r, -DECIMAL_MAX, DECIMAL_MAX);
		break;
	case VALUE_WEIGHT:
		out->number = mp_get_int(r, 0, DECIMAL_WEIGHT_MAX);
		break;
	case VALUE_UINT:
		out->number = mp_get_int(r, (int64_t)f->minimum, (int64_t)f->limit);
		break;
	case VALUE_ENUM:
		out->number = mp_get_int(r, 0, (int64_t)f->names->n - 1);
		break;
	case VALUE_BOOL:
		out->number = mp_get_bool(r);
		break;
	default:
		out->number = mp_get_int(r, time_min(), time_max());
		break;
	}
	return mp_end(r);
}

static enum err load_bytes(struct value *out, const struct field_spec *f, struct mp_reader *r)
{
	bool text = f->value == VALUE_TEXT;

	out->bytes = text ? mp_get_str(r, SIZE_MAX) : mp_get_bin(r, SIZE_MAX);
	if (mp_end(r) != OK)
		return r->err;
	if (text)
		return text_size(f, out->bytes) <= f->limit ? OK : ERR_TOOBIG;
	if (f->value == VALUE_BYTES)
		return out->bytes.len <= f->limit ? OK : ERR_TOOBIG;
	return out->bytes.len == id_len(f) ? OK : ERR_MALFORMED;
}

enum err value_load(struct value *out, const struct field_spec *f, struct slice encoded)
{
	struct mp_reader r = mp_read(encoded);
	enum err e;

	*out = (struct value){ 0 };
	if (encoded.len == 0)
		return OK;
	if (mp_check(encoded, 1, 1) != OK)
		return ERR_MALFORMED;
	if (mp_get_nil(&r))
		return OK;
	if (f->value == VALUE_TEXT || f->value == VALUE_BYTES || f->value == VALUE_ID16 || f->value == VALUE_ID32)
		e = load_bytes(out, f, &r);
	else
		e = load_number(out, f, &r);
	out->set = e == OK;
	if (e != OK)
		*out = (struct value){ 0 };
	return e;
}

enum err value_format(struct buf *text, const struct field_spec *f, struct slice encoded)
{
	struct value v;
	char number[64];

	if (value_load(&v, f, encoded) != OK || !v.set) {
		buf_put_text(text, f->fallback == NULL ? "" : f->fallback);
		return text->err;
	}
	switch (f->value) {
	case VALUE_TEXT:
		buf_put_slice(text, v.bytes);
		break;
	case VALUE_DECIMAL:
	case VALUE_WEIGHT:
		decimal_format(number, v.number, 0, 4);
		buf_put_text(text, number);
		break;
	case VALUE_UINT:
		buf_printf(text, "%lld", (long long)v.number);
		break;
	case VALUE_ENUM:
		buf_put_text(text, f->names->names[v.number]);
		break;
	case VALUE_BOOL:
		buf_put_text(text, v.number ? "true" : "false");
		break;
	case VALUE_DATE:
		put_date(text, v.number);
		break;
	case VALUE_TIME:
		put_time(text, v.number);
		break;
	case VALUE_ID16:
	case VALUE_ID32:
		buf_put_text(text, id_format(number, v.bytes.data, v.bytes.len, 0));
		break;
	case VALUE_BYTES:
		id_encode(text, v.bytes);
		break;
	}
	return text->err;
}

/* ---- values as typed -------------------------------------------------------------------------------------------- */

static bool is_word(struct slice text, const char *word)
{
	size_t n = strlen(word);

	if (text.len != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = text.data[i];

		if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != word[i])
			return false;
	}
	return true;
}

static enum err parse_text(struct buf *encoded, const struct field_spec *f, struct slice text, char *why)
{
	struct buf normal = { 0 };
	enum err e = text_nfc(&normal, text);
	size_t size;

	if (e == ERR_MALFORMED) {
		snprintf(why, WHY_LEN, "%s is not valid UTF-8 text", f->name);
		e = ERR_USAGE;
	}
	if (e != OK)
		goto out;
	size = text_size(f, buf_slice(&normal));
	if (size > f->limit) {
		snprintf(why, WHY_LEN, "%s has %zu %s; at most %zu", f->name, size, f->in_bytes ? "bytes" : "characters",
			f->limit);
		e = ERR_TOOBIG;
		goto out;
	}
	mp_put_str(encoded, (const char *)normal.data, normal.len);
	e = encoded->err;
out:
	buf_free(&normal);
	return e;
}

static enum err parse_decimal(struct buf *encoded, const struct field_spec *f, struct slice text, char *why)
{
	decimal v, min = -DECIMAL_MAX, max = DECIMAL_MAX;
	enum err e = decimal_parse(&v, text);
	char low[24], high[24];

	if (f->value == VALUE_WEIGHT) {
		min = 0;
		max = DECIMAL_WEIGHT_MAX;
	}
	if (e == ERR_USAGE) {
		snprintf(why, WHY_LEN, "%s is a number such as 45.5, with at most 4 decimals", f->name);
		return e;
	}
	if (e != OK || v < min || v > max) {
		decimal_format(low, min, 0, 4);
		decimal_format(high, max, 0, 4);
		snprintf(why, WHY_LEN, "%s is a number from %s to %s", f->name, low, high);
		return v < min && e == OK ? ERR_USAGE : ERR_TOOBIG;
	}
	mp_put_int(encoded, v);
	return encoded->err;
}

static enum err parse_uint(struct buf *encoded, const struct field_spec *f, struct slice text, char *why)
{
	uint64_t v = 0;
	bool digits = true;

	for (size_t i = 0; i < text.len; i++) {
		digits = digits && text.data[i] >= '0' && text.data[i] <= '9';
		if (v <= f->limit)
			v = v * 10 + (unsigned)(text.data[i] - '0') % 10;
	}
	if (!digits || v < f->minimum || v > f->limit) {
		snprintf(why, WHY_LEN, "%s is a whole number from %zu to %zu", f->name, f->minimum, f->limit);
		return digits && v > f->limit ? ERR_TOOBIG : ERR_USAGE;
	}
	mp_put_uint(encoded, v);
	return encoded->err;
}

static enum err parse_enum(struct buf *encoded, const struct field_spec *f, struct slice text, char *why)
{
	char name[64];
	unsigned v;
	int n;

	if (text.len < sizeof name && memchr(text.data, 0, text.len) == NULL) {
		memcpy(name, text.data, text.len);
		name[text.len] = '\0';
		if (enum_parse(f->names, &v, name)) {
			mp_put_uint(encoded, v);
			return encoded->err;
		}
	}
	n = snprintf(why, WHY_LEN, "%s is one of", f->name);
	for (size_t i = 0; i < f->names->n && n < WHY_LEN; i++)
		n += snprintf(why + n, WHY_LEN - (size_t)n, "%s %s", i == 0 ? "" : ",", f->names->names[i]);
	return ERR_USAGE;
}

static enum err parse_bool(struct buf *encoded, const struct field_spec *f, struct slice text, char *why)
{
	static const char *const yes[] = { "true", "yes", "on", "1" }, *const no[] = { "false", "no", "off", "0" };

	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		if (is_word(text, yes[i]) || is_word(text, no[i])) {
			mp_put_bool(encoded, is_word(text, yes[i]));
			return encoded->err;
		}
	snprintf(why, WHY_LEN, "%s is true or false", f->name);
	return ERR_USAGE;
}

static enum err parse_when(struct buf *encoded, const struct field_spec *f, struct slice text, char *why)
{
	bool date = f->value == VALUE_DATE;
	int64_t ms;

	if (date ? !parse_date(&ms, &text) || text.len > 0 : !parse_time(&ms, text)) {
		snprintf(why, WHY_LEN, "%s is a %s", f->name,
			date ? "date such as 2026-03-31" : "time in UTC such as 2026-03-31T17:30 or 2026-03-31");
		return ERR_USAGE;
	}
	mp_put_int(encoded, ms);
	return encoded->err;
}

static enum err parse_id(struct buf *encoded, const struct field_spec *f, struct slice text, char *why)
{
	uint8_t id[ID_LEN];

	if (id_parse(id, id_len(f), text) != OK) {
		snprintf(why, WHY_LEN, "%s is an id of %zu characters", f->name, id_text_len(id_len(f)));
		return ERR_USAGE;
	}
	mp_put_bin(encoded, id, id_len(f));
	return encoded->err;
}

static enum err parse_bytes(struct buf *encoded, const struct field_spec *f, struct slice text, char *why)
{
	struct buf bytes = { 0 };
	enum err e = id_decode(&bytes, text);

	if (e == OK && bytes.len > f->limit)
		e = ERR_TOOBIG;
	if (e == OK)
		mp_put_bin_slice(encoded, buf_slice(&bytes));
	else if (e != ERR_NOMEM)
		snprintf(why, WHY_LEN, "%s is at most %zu bytes in base32", f->name, f->limit);
	buf_wipe(&bytes);
	return e != OK ? e : encoded->err;
}

enum err value_parse(struct buf *encoded, const struct field_spec *f, struct slice text, char *why)
{
	why[0] = '\0';
	if (text.len == 0 || is_word(text, "null")) {
		mp_put_nil(encoded);
		return encoded->err;
	}
	switch (f->value) {
	case VALUE_TEXT:        return parse_text(encoded, f, text, why);
	case VALUE_DECIMAL:
	case VALUE_WEIGHT:      return parse_decimal(encoded, f, text, why);
	case VALUE_UINT:        return parse_uint(encoded, f, text, why);
	case VALUE_ENUM:        return parse_enum(encoded, f, text, why);
	case VALUE_BOOL:        return parse_bool(encoded, f, text, why);
	case VALUE_DATE:
	case VALUE_TIME:        return parse_when(encoded, f, text, why);
	case VALUE_ID16:
	case VALUE_ID32:        return parse_id(encoded, f, text, why);
	case VALUE_BYTES:       return parse_bytes(encoded, f, text, why);
	}
	return ERR_STATE;
}
