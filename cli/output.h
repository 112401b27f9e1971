/* output: what people and scripts get to see.  On a terminal: tables, bars, colour; else plain tab-separated lines without a heading. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H
#include "base/bytes.h"
#include "cli/cli.h"

enum cell {
	CELL_TEXT,                      /* cut where the table is too wide */
	CELL_WORD,                      /* never cut: states, roles */
	CELL_PROSE,                     /* lines; in records on a terminal */
	CELL_ID,                        /* the first 8 characters on a terminal and in records, all of it when piped */
	CELL_PERCENT,                   /* "45.50 %"; piped "45.50" */
	CELL_BAR,                       /* the same behind a bar */
	CELL_NUMBER,
	CELL_TIME,                      /* local time; piped, and dates, as they come */
	CELL_COUNT                      /* how many elements */
};
struct column { const char *title, *key; enum cell cell; };

/* Sorted keys, indent 2, reals with 15 digits; what a terminal must not see is \u-escaped. */
void print_json(const json_t *);
enum err format_json(struct buf *out, const json_t *);
/* rows: an array of objects.  none: said on stderr when there are none. */
int print_table(struct cli *, const json_t *rows, const struct column *, size_t n, const char *none);
/* One object, a line for each column that is set. */
int print_record(struct cli *, const json_t *thing, const struct column *, size_t n);
/* The same as one array or object: --json prints it whole. */
int print_list(struct cli *, const json_t *rows, const struct column *, size_t n, const char *none);
int print_thing(struct cli *, const json_t *thing, const struct column *, size_t n);
/* A line on stdout. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Values for people; kept or constant, already safe.  tty: for a terminal. */
const char *cell_text(const json_t *value, enum cell, bool tty);
const char *percent_text(const json_t *value);          /* "45.50", "no data" */
const char *number_text(const json_t *value);           /* "45.5"; at most 4 decimals */
const char *time_text(const json_t *value);
const char *ago_text(const json_t *value);              /* "for 3 h" since that time; "" if it is none */
const char *bar_text(const json_t *percent, unsigned width, bool blocks);
/* A member of an object as safe text; "" if it is no text. */
const char *text_of(const json_t *object, const char *key);
bool true_of(const json_t *object, const char *key);

bool unicode(void);                                     /* the locale of the environment is a UTF-8 one */
const char *arrow(void);                                /* "→" or "->" */
bool colourful(void);                                   /* stdout: a terminal, no NO_COLOR, TERM not dumb */
const char *bold(const char *text);                     /* safe text in, as it is without colour */
const char *red(const char *text);
const char *dim(const char *text);

/* table.c: the same rows by libsmartcols into out (free()d by the caller), width columns wide.  cells: n_rows × n texts. */
enum err table_render(char **out, const struct column *, size_t n, const char *const *cells, size_t n_rows, size_t width);
void terminal_start(void);                              /* setlocale, once */
size_t terminal_width(void);

#endif
