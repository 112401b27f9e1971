/* filter: the words of a list command, "field:value" or free text. */
#ifndef CLI_FILTER_H
#define CLI_FILTER_H
#include "cli/cli.h"

/* The path with ?field=value&q=text, for cairnd to filter.  fields ends with NULL; words that name none of them are text, joined by
 * spaces.  NULL: said. */
const char *filter_path(struct cli *, const char *path, const char *const *fields);

struct filter { const char *field, *key; };     /* "due" looks at "targetDate"; NULL ends a list */
/* Takes rows out that do not fit every word: field:value equals the key's text (any case, "_" as " "; an id by its beginning);
 * free text is part of the title. */
void filter_rows(const struct cli *, json_t *rows, const struct filter *);

#endif
