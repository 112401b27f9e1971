#include "cli/output.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/decimal.h"
#include "base/mem.h"
#include "base/text.h"

#define ID_SHOWN 8
#define BAR_WIDTH 10

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* ---- what the terminal can do ---- */

bool unicode(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *value = getenv(names[i]);
		if (value != NULL && value[0] != '\0')         /* the first one that is set decides */
			return strcasestr(value, "UTF-8") != NULL || strcasestr(value, "UTF8") != NULL;
	}
	return false;
}

const char *arrow(void)
{
	return unicode() ? "→" : "->";
}

bool colourful(void)
{
	static int known = -1;

	if (known < 0) {
		const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
		known = isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0;
	}
	return known == 1;
}

static const char *painted(const char *code, const char *text)
{
	return colourful() && text[0] != '\0' ? keep_printf("\033[%sm%s\033[0m", code, text) : text;
}

const char *bold(const char *text)
{
	return painted("1", text);
}

const char *red(const char *text)
{
	return painted("31", text);
}

const char *dim(const char *text)
{
	return painted("2", text);
}

/* ---- JSON ---- */

static int put_chunk(const char *data, size_t len, void *arg)
{
	struct buf *b = arg;

	buf_put(b, data, len);
	return b->err == OK ? 0 : -1;
}

/* Length of the UTF-8 sequence that begins so. */
static size_t sequence(uint8_t c)
{
	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* jansson escapes C0 only.  DEL, C1, bidi controls and the like, inside strings, as \uXXXX: the same JSON value. */
static void put_escaped(struct buf *out, struct slice s)
{
	struct buf shown = {0};
	size_t plain = 0;

	for (size_t i = 0, step; i < s.len; i += step) {
		uint32_t c = s.data[i];
		struct slice one;

		step = sequence(s.data[i]);
		if (c < 0x7f || i + step > s.len)
			continue;
		one = SLICE(s.data + i, step);
		buf_clear(&shown);
		if (text_safe(&shown, one, false) != OK || slice_equal(buf_slice(&shown), one))
			continue;
		buf_put(out, s.data + plain, i - plain);
		plain = i + step;
		c = step == 1 ? c : step == 2 ? c & 0x1f : step == 3 ? c & 0x0f : c & 0x07;
		for (size_t k = 1; k < step; k++)
			c = c << 6 | (s.data[i + k] & 0x3f);
		if (c < 0x10000)
			buf_printf(out, "\\u%04x", c);
		else
			buf_printf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
	}
	buf_put(out, s.data + plain, s.len - plain);
	buf_free(&shown);
}

enum err format_json(struct buf *out, const json_t *value)
{
	struct buf raw = {0};
	enum err e = OK;

	if (json_dump_callback(value, put_chunk, &raw, JSON_SORT_KEYS | JSON_INDENT(2) | JSON_REAL_PRECISION(15) | JSON_ENCODE_ANY) != 0)
		e = raw.err != OK ? raw.err : ERR_NOMEM;
	else
		put_escaped(out, buf_slice(&raw));
	buf_free(&raw);
	return e != OK ? e : out->err;
}

void print_json(const json_t *value)
{
	struct buf b = {0};

	if (format_json(&b, value) != OK)
		no_memory();
	else {
		fwrite(b.data, 1, b.len, stdout);
		putchar('\n');
	}
	buf_free(&b);
}

/* ---- values ---- */

const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : safe(text);
}

bool true_of(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

/* The exact decimal that cairnd meant: it prints at most four places. */
static bool decimal_of(decimal *out, const json_t *value)
{
	char text[64];

	if (json_is_string(value))
		return decimal_parse(out, slice_of(json_string_value(value))) == OK;
	if (!json_is_number(value) || !(fabs(json_number_value(value)) < 1e9))
		return false;
	snprintf(text, sizeof text, "%.4f", json_number_value(value));
	return decimal_parse(out, slice_of(text)) == OK;
}

const char *percent_text(const json_t *value)
{
	char text[24];
	decimal d;

	if (!decimal_of(&d, value))
		return "no data";
	decimal_format(text, d, 2, 2);
	return keep_printf("%s", text);
}

const char *number_text(const json_t *value)
{
	char text[24];
	decimal d;

	if (json_is_integer(value))
		return keep_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	if (!decimal_of(&d, value))
		return json_is_string(value) ? safe(json_string_value(value)) : "";
	decimal_format(text, d, 0, 4);
	return keep_printf("%s", text);
}

/* Milliseconds since 1970, or "2026-03-31T10:20:30Z".  False: no time. */
static bool moment_of(time_t *out, const json_t *value)
{
	const char *text = json_string_value(value);
	struct tm tm = {0};
	const char *end;

	if (json_is_integer(value)) {
		*out = (time_t)(json_integer_value(value) / 1000);
		return *out > 0;
	}
	end = text == NULL ? NULL : strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (end == NULL || end[0] != 'Z' || end[1] != '\0')
		return false;
	*out = timegm(&tm);
	return true;
}

const char *time_text(const json_t *value)
{
	char text[32];
	struct tm tm;
	time_t t;

	if (!moment_of(&t, value))
		return json_is_string(value) ? safe(json_string_value(value)) : "";
	if (localtime_r(&t, &tm) == NULL || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		return "";
	return keep_printf("%s", text);
}

const char *ago_text(const json_t *value)
{
	long long s;
	time_t t;

	if (!moment_of(&t, value))
		return "";
	s = (long long)(time(NULL) - t);
	if (s < 0)
		s = 0;
	return s < 120 ? keep_printf("for %lld s", s) : s < 7200 ? keep_printf("for %lld min", s / 60) :
		s < 172800 ? keep_printf("for %lld h", s / 3600) : keep_printf("for %lld days", s / 86400);
}

const char *bar_text(const json_t *percent, unsigned width, bool blocks)
{
	struct buf b = {0};
	decimal d = 0;
	unsigned full;

	if (!decimal_of(&d, percent) || d < 0)
		d = 0;
	full = d >= 100 * DECIMAL_ONE ? width : (unsigned)(d * width / (100 * DECIMAL_ONE));
	for (unsigned i = 0; i < width; i++)
		buf_put_text(&b, i < full ? (blocks ? "█" : "#") : blocks ? "░" : "-");
	buf_put_u8(&b, 0);
	if (b.err != OK) {
		buf_free(&b);
		return "";
	}
	return keep(b.data);
}

static const char *joined(const json_t *list, bool tty)
{
	struct buf b = {0};
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		if (i > 0)
			buf_put_text(&b, ", ");
		buf_put_text(&b, cell_text(one, CELL_TEXT, tty));
	}
	buf_put_u8(&b, 0);
	if (b.err != OK) {
		buf_free(&b);
		return "";
	}
	return keep(b.data);
}

const char *cell_text(const json_t *value, enum cell cell, bool tty)
{
	if (cell == CELL_COUNT)
		return keep_printf("%zu", json_array_size(value));
	if (cell == CELL_PERCENT || cell == CELL_BAR) {
		decimal d;
		const char *text = decimal_of(&d, value) ? percent_text(value) : NULL;
		if (text == NULL)
			return tty ? "no data" : "";
		return !tty ? text : cell == CELL_PERCENT ? keep_printf("%s %%", text) :
			keep_printf("%s %s %%", bar_text(value, BAR_WIDTH, unicode()), text);
	}
	if (cell == CELL_TIME && (tty || json_is_integer(value)))
		return time_text(value);
	switch (json_typeof(value)) {
	case JSON_STRING:
		if (cell == CELL_ID && tty && json_string_length(value) > ID_SHOWN)
			return keep_printf("%.*s", ID_SHOWN, safe(json_string_value(value)));
		return safe(json_string_value(value));
	case JSON_INTEGER: case JSON_REAL: return number_text(value);
	case JSON_TRUE: return "yes";
	case JSON_FALSE: return "no";
	case JSON_ARRAY: return joined(value, tty);
	default: return "";
	}
}

/* ---- lists and things ---- */

static const json_t *member(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value != NULL ? value : json_null();
}

static int print_plain(const json_t *rows, const struct column *columns, size_t n)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		for (size_t k = 0; k < n; k++) {
			if (k > 0)
				putchar('\t');
			fputs(cell_text(member(row, columns[k].key), columns[k].cell, false), stdout);
		}
		putchar('\n');
	}
	return EXIT_DONE;
}

int print_table(struct cli *c, const json_t *rows, const struct column *columns, size_t n, const char *none)
{
	size_t count = json_array_size(rows), i;
	const char **cells;
	const json_t *row;
	char *text;

	if (count == 0) {
		if (none != NULL)
			notice(c, "%s", none);
		return EXIT_DONE;
	}
	if (!c->out_tty)
		return print_plain(rows, columns, n);
	terminal_start();
	if ((cells = keep(mem_array(count * n, sizeof *cells))) == NULL)
		return no_memory();
	json_array_foreach(rows, i, row)
		for (size_t k = 0; k < n; k++)
			cells[i * n + k] = cell_text(member(row, columns[k].key), columns[k].cell, true);
	if (table_render(&text, columns, n, cells, count, terminal_width()) != OK)
		return no_memory();
	say("%s", text);
	free(text);
	return EXIT_DONE;
}

/* Its lines, each but the first behind so many blanks. */
static const char *indented(const json_t *value, size_t indent)
{
	const char *text = safe_lines(json_is_string(value) ? json_string_value(value) : "");
	struct buf b = {0};

	for (; *text != '\0'; text++) {
		buf_put_u8(&b, (uint8_t)*text);
		if (*text == '\n')
			buf_printf(&b, "%*s", (int)indent, "");
	}
	buf_put_u8(&b, 0);
	if (b.err != OK) {
		buf_free(&b);
		return "";
	}
	return keep(b.data);
}

int print_record(struct cli *c, const json_t *thing, const struct column *columns, size_t n)
{
	size_t widest = 0;

	for (size_t k = 0; k < n; k++)
		if (strlen(columns[k].title) > widest)
			widest = strlen(columns[k].title);
	if (c->out_tty)
		terminal_start();
	for (size_t k = 0; k < n; k++) {
		const json_t *value = member(thing, columns[k].key);
		const char *text = cell_text(value, columns[k].cell, c->out_tty);

		if (json_is_null(value) && columns[k].cell != CELL_PERCENT && columns[k].cell != CELL_BAR)
			continue;
		if (text[0] == '\0' && c->out_tty)
			continue;
		if (c->out_tty && columns[k].cell == CELL_PROSE)
			say("%s%*s  %s", dim(columns[k].title), (int)(widest - strlen(columns[k].title)), "", indented(value, widest + 2));
		else if (c->out_tty)
			say("%s%*s  %s", dim(columns[k].title), (int)(widest - strlen(columns[k].title)), "", text);
		else
			say("%s\t%s", columns[k].title, text);
	}
	return EXIT_DONE;
}

int print_list(struct cli *c, const json_t *rows, const struct column *columns, size_t n, const char *none)
{
	if (!c->json)
		return print_table(c, rows, columns, n, none);
	print_json(rows);
	return EXIT_DONE;
}

int print_thing(struct cli *c, const json_t *thing, const struct column *columns, size_t n)
{
	if (!c->json)
		return print_record(c, thing, columns, n);
	print_json(thing);
	return EXIT_DONE;
}
