#include "cli/args.h"
#include <ctype.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/decimal.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/cli.h"

/* popt takes "-5" for an option and expands "!#:+" inside values.  A guard character in front hides both; it is taken out again. */
#define GUARD '\001'
#define WHY 200

const struct option_spec global_options[] = {
	{ "home", 0, "DIR", "the instance to use (default: $CAIRN_HOME, else ~/.local/share/cairn)" },
	{ "org", 0, "ORG", "the organization, by id or name (default: see cairn org use)" },
	{ "json", 0, NULL, "print one JSON value" },
	{ "timeout", 0, "SECONDS", "wait at most so long" },
	{ "yes", 'y', NULL, "do not ask" },
	{ "no-autostart", 0, NULL, "do not start cairnd" },
	{ "version", 0, NULL, "print the version" },
	{ "help", 'h', NULL, "explain a command" },
	{ NULL, 0, NULL, NULL }
};

/* ---- guarding ---- */

static bool negative_number(const char *word)
{
	return word[0] == '-' && (isdigit((unsigned char)word[1]) || (word[1] == '.' && isdigit((unsigned char)word[2])));
}

static char *guard(const char *word)
{
	size_t len = strlen(word);
	char *out = keep(mem_alloc(2 * len + 2)), *at = out;

	if (out == NULL)
		return NULL;
	if (negative_number(word))
		*at++ = GUARD;
	for (size_t i = 0; i < len; i++) {
		*at++ = word[i];
		if (word[i] == '!')
			*at++ = GUARD;
	}
	*at = '\0';
	return out;
}

static char *unguard(const char *word)
{
	char *out = keep(mem_string(word)), *at = out;

	for (const char *in = word; out != NULL && *in != '\0'; in++)
		if (*in != GUARD)
			*at++ = *in;
	if (out != NULL)
		*at = '\0';
	return out;
}

/* ---- popt ---- */

static size_t add_specs(struct poptOption *table, const struct option_spec **specs, size_t n, const struct option_spec *list)
{
	for (; list != NULL && list->name != NULL && n < ARGS_OPTIONS; list++, n++) {
		specs[n] = list;
		table[n] = (struct poptOption){ .longName = list->name, .shortName = list->letter,
			.argInfo = list->value != NULL ? POPT_ARG_STRING : POPT_ARG_NONE, .val = (int)n + 1 };
	}
	return n;
}

/* "-x" alone or "--name" of what popt points at; popt would show the guard and the value too. */
static void explain(char *why, poptContext popt, int code)
{
	char *bad = unguard(poptBadOption(popt, POPT_BADOPTION_NOALIAS));

	if (bad == NULL)
		snprintf(why, WHY, "Out of memory");
	else if (code == POPT_ERROR_BADOPT)
		snprintf(why, WHY, "The option %.100s is not known here", safe(bad));
	else if (code == POPT_ERROR_NOARG)
		snprintf(why, WHY, "The option %.100s needs a value", safe(bad));
	else if (code == POPT_ERROR_UNWANTEDARG)
		snprintf(why, WHY, "The option %.100s takes no value", safe(bad));
	else
		snprintf(why, WHY, "%.100s: %.80s", safe(bad), poptStrerror(code));
}

/* Everything but the name of a file goes into JSON. */
static bool check_text(char *why, const char *text, const char *kind)
{
	if (text == NULL)
		snprintf(why, WHY, "Out of memory");
	else if (!text_valid(slice_of(text)) && (kind == NULL || (strcmp(kind, "FILE") != 0 && strcmp(kind, "DIR") != 0)))
		snprintf(why, WHY, "\"%.100s\" is not well-formed UTF-8 text", safe(text));
	else
		return true;
	return false;
}

static bool take_options(struct args *a, char *why, poptContext popt, const struct option_spec **specs)
{
	int code;

	while ((code = poptGetNextOpt(popt)) > 0) {
		struct option_value *v = &a->values[a->n_values++];
		char *text = poptGetOptArg(popt);
		v->spec = specs[code - 1];
		v->text = v->spec->value == NULL ? "" : text != NULL ? unguard(text) : NULL;
		free(text);                     /* popt's own malloc */
		if (!check_text(why, v->text, v->spec->value))
			return false;
	}
	if (code < -1)
		explain(why, popt, code);
	return code == -1;
}

static bool take_words(struct args *a, char *why, const char **left)
{
	for (; left != NULL && *left != NULL; left++)
		if (!check_text(why, a->words[a->n_words++] = unguard(*left), NULL))
			return false;
	return true;
}

bool args_parse(struct args *a, char *why, int n, char **argv, const struct option_spec *own)
{
	struct poptOption table[ARGS_OPTIONS + 1] = {0};
	const struct option_spec *specs[ARGS_OPTIONS];
	const char **guarded = keep(mem_array((size_t)n + 2, sizeof *guarded));
	poptContext popt;
	bool ok;

	memset(a, 0, sizeof *a);
	a->words = keep(mem_array((size_t)n + 1, sizeof *a->words));
	a->values = keep(mem_array((size_t)n + 1, sizeof *a->values));
	ok = guarded != NULL && a->words != NULL && a->values != NULL;
	for (int i = 0; ok && i < n; i++)
		ok = (guarded[i + 1] = guard(argv[i])) != NULL;
	if (ok)
		guarded[0] = "cairn";
	add_specs(table, specs, add_specs(table, specs, 0, own), global_options);
	popt = ok ? poptGetContext("cairn", n + 1, guarded, table, 0) : NULL;
	if (popt == NULL) {
		snprintf(why, WHY, "Out of memory");
		return false;
	}
	ok = take_options(a, why, popt, specs) && take_words(a, why, poptGetArgs(popt));
	poptFreeContext(popt);
	return ok;
}

const char *args_option(const struct args *a, const char *name)
{
	for (size_t i = a->n_values; i-- > 0; )
		if (strcmp(a->values[i].spec->name, name) == 0)
			return a->values[i].text;
	return NULL;
}

const char *args_option_at(const struct args *a, const char *name, size_t i)
{
	for (size_t k = 0; k < a->n_values; k++)
		if (strcmp(a->values[k].spec->name, name) == 0 && i-- == 0)
			return a->values[k].text;
	return NULL;
}

int args_global(int n, char **argv)
{
	const char *word = argv[0];

	for (const struct option_spec *s = global_options; s->name != NULL; s++) {
		size_t len = strlen(s->name);
		if (s->letter != 0 && word[0] == '-' && word[1] == s->letter && word[2] == '\0')
			return 1;
		if (strncmp(word, "--", 2) != 0 || strncmp(word + 2, s->name, len) != 0)
			continue;
		if (word[2 + len] == '=')
			return 1;
		if (word[2 + len] == '\0')
			return s->value != NULL && n > 1 ? 2 : 1;
	}
	return 0;
}

/* ---- values ---- */

bool args_pair(const char **key, const char **value, const char *word)
{
	size_t len = 0;
	char *name;

	if (!isalpha((unsigned char)word[0]))
		return false;
	while (isalnum((unsigned char)word[len]))
		len++;
	if (word[len] != '=')
		return false;
	name = keep(mem_copy(word, len + 1));
	if (name == NULL)
		return false;
	name[len] = '\0';
	*key = name;
	*value = word + len + 1;
	return true;
}

bool args_duration(long *seconds, const char *text)
{
	const long most = 10L * 366 * 86400;
	long n = 0, unit;

	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++)
		if ((n = n * 10 + (*text - '0')) > most)
			return false;
	unit = *text == 'w' ? 7 * 86400 : *text == 'd' ? 86400 : *text == 'h' ? 3600 : *text == 'm' ? 60 :
		*text == 's' || *text == '\0' ? 1 : 0;
	if (unit == 0 || (*text != '\0' && text[1] != '\0') || n > most / unit)
		return false;
	*seconds = n * unit;
	return true;
}

bool args_timeout(long *ms, const char *text)
{
	decimal d;

	if (decimal_parse(&d, slice_of(text)) != OK || d < 0 || d > 86400 * DECIMAL_ONE)
		return false;
	*ms = (long)decimal_div_round((__int128)d * 1000, DECIMAL_ONE);
	return true;
}

/* Exactly count digits at text, as a number in low…high; -1: not that. */
static int digits(const char *text, int count, int low, int high)
{
	int n = 0;

	for (int i = 0; i < count; i++) {
		if (!isdigit((unsigned char)text[i]))
			return -1;
		n = n * 10 + (text[i] - '0');
	}
	return n < low || n > high ? -1 : n;
}

static bool date(const char *text)
{
	return digits(text, 4, 1970, 9999) >= 0 && text[4] == '-' && digits(text + 5, 2, 1, 12) >= 0 && text[7] == '-' &&
		digits(text + 8, 2, 1, 31) >= 0;
}

static bool custom_period(struct period *p, const char *text)
{
	if (!date(text) || strncmp(text + 10, "..", 2) != 0 || !date(text + 12) || text[22] != '\0')
		return false;
	p->name = "Custom";
	memcpy(p->start, text, 10);
	memcpy(p->end, text + 12, 10);
	return true;
}

bool args_period(struct period *p, const char *text)
{
	static const struct { char letter; const char *name; int digits, most; } kinds[] = {
		{ 'H', "Half", 1, 2 }, { 'Q', "Quarter", 1, 4 }, { 'M', "Month", 2, 12 }, { 'W', "Week", 2, 53 },
	};
	size_t len = strlen(text);

	memset(p, 0, sizeof *p);
	if (custom_period(p, text))
		return true;
	if ((p->year = digits(text, 4, 1970, 9999)) < 0)
		return false;
	p->name = "Year";
	if (len == 4)
		return true;
	if (text[4] != '-')
		return false;
	p->name = "Month";
	if (len == 7 && (p->number = digits(text + 5, 2, 1, 12)) > 0)
		return true;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (toupper((unsigned char)text[5]) != kinds[i].letter)
			continue;
		p->name = kinds[i].name;
		p->number = len == 7 ? digits(text + 6, 1, 1, kinds[i].most) : len == 8 && kinds[i].digits == 2 ?
			digits(text + 6, 2, 1, kinds[i].most) : -1;
		return p->number > 0;
	}
	return false;
}
