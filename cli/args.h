/* args: the words of one command taken apart by popt: options anywhere, "--" ends them, negative numbers are words.
 * Global options (--home, --org, --json, …) are known to every command and may stand before its words. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H
#include <stdbool.h>
#include <stddef.h>

struct option_spec {
	const char *name;               /* long, without dashes; NULL ends a list */
	char letter;                    /* or 0 */
	const char *value;              /* "N": takes one, called so in help; NULL: a flag */
	const char *help;
};
extern const struct option_spec global_options[];

#define ARGS_OPTIONS 24                 /* of one command with the global ones */
struct option_value { const struct option_spec *spec; const char *text; };
struct args {
	size_t n_words, n_values;
	const char **words;             /* what is no option */
	struct option_value *values;    /* in the order given */
};
/* Takes argv[0..n) apart.  own: the command's options, may be NULL.  On false why (>= 200 bytes) is a sentence. */
bool args_parse(struct args *, char *why, int n, char **argv, const struct option_spec *own);
/* The last value given, or NULL; flags: "". */
const char *args_option(const struct args *, const char *name);
/* The i-th value of a repeatable option, or NULL. */
const char *args_option_at(const struct args *, const char *name, size_t i);
/* Splits "key=value" at the first "=": key is [A-Za-z][A-Za-z0-9]*.  *key is kept memory.  False: no such word. */
bool args_pair(const char **key, const char **value, const char *word);
/* How many words of argv are the global option at argv[0] with its value: 0, 1 or 2. */
int args_global(int n, char **argv);
/* "7d", "12h", "30m", "45s", "45" (seconds) → seconds, at most ten years.  False: something else. */
bool args_duration(long *seconds, const char *text);
/* Seconds with up to three decimals → milliseconds, at most a day. */
bool args_timeout(long *ms, const char *text);

struct period { const char *name; int number, year; char start[11], end[11]; };
/* "2026", "2026-H1", "2026-Q4", "2026-07" (month), "2026-W31", "2026-01-15..2026-03-31". */
bool args_period(struct period *, const char *text);

#endif
