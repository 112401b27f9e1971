#include "cli/filter.h"
#include <ctype.h>
#include <string.h>
#include "cli/call.h"
#include "cli/output.h"

static bool names(const char *word, const char *field)
{
	size_t len = strlen(field);

	return strncasecmp(word, field, len) == 0 && word[len] == ':';
}

const char *filter_path(struct cli *c, const char *path, const char *const *fields)
{
	const char *text = NULL;
	unsigned given = 0;

	for (size_t i = 0; i < c->args.n_words; i++) {
		const char *word = c->args.words[i];
		unsigned k = 0;

		while (fields[k] != NULL && !names(word, fields[k]))
			k++;
		if (fields[k] == NULL) {
			text = text == NULL ? word : keep_printf("%s %s", text, word);
			continue;
		}
		if ((given & 1U << k) != 0) {
			complain(EXIT_WRONG, "%s: is given twice", fields[k]);
			return NULL;
		}
		given |= 1U << k;
		path = with_query(path, fields[k], word + strlen(fields[k]) + 1);
	}
	return with_query(path, "q", text);
}

/* Any case, "-", "_" and spaces do not matter: all of wish, or all of its beginning. */
static bool alike(const char *value, const char *wish, bool beginning)
{
	for (;; value++, wish++) {
		while (*value == '_' || *value == '-' || *value == ' ')
			value++;
		while (*wish == '_' || *wish == '-' || *wish == ' ')
			wish++;
		if (*wish == '\0')
			return beginning || *value == '\0';
		if (tolower((unsigned char)*value) != tolower((unsigned char)*wish))
			return false;
	}
}

static bool contains(const char *text, const char *part)
{
	for (; *text != '\0'; text++)
		if (strncasecmp(text, part, strlen(part)) == 0)
			return true;
	return *part == '\0';
}

static bool fits(const json_t *row, const char *word, const struct filter *list)
{
	const char *title = json_string_value(json_object_get(row, "title"));

	for (; list->field != NULL; list++)
		if (names(word, list->field)) {
			const json_t *value = json_object_get(row, list->key);
			const char *wish = word + strlen(list->field) + 1;
			size_t len = strlen(list->key);
			bool id = len > 2 && strcmp(list->key + len - 2, "Id") == 0;
			return alike(value == NULL ? "" : cell_text(value, CELL_TEXT, false), wish, id && wish[0] != '\0');
		}
	return title != NULL && contains(title, word);
}

void filter_rows(const struct cli *c, json_t *rows, const struct filter *list)
{
	for (size_t k = 0; k < json_array_size(rows); ) {
		bool fit = true;
		for (size_t i = 0; i < c->args.n_words && fit; i++)
			fit = fits(json_array_get(rows, k), c->args.words[i], list);
		if (fit)
			k++;
		else
			json_array_remove(rows, k);
	}
}
