/* json: what the node's documents and values look like as JSON (docs/api.md): S0's camelCase names by the one field table of
 * org/model.h, decimals as numbers, dates YYYY-MM-DD, times ISO 8601 UTC, ids base32, every key printed, null when unset.
 *
 * Building: json_put and json_add take the reference of the value; the first failure frees the whole and leaves NULL, which
 * request answers tell as "out of memory".  Check nothing in between.  Keys are ours: ASCII. */
#ifndef DAEMON_JSON_H
#define DAEMON_JSON_H
#include <jansson.h>
#include "org/model.h"

void json_put(json_t **object, const char *key, json_t *value);
void json_add(json_t **array, json_t *value);
/* Decimals as jansson must print them: at most 15 significant digits, so 45.5 stays 45.5. */
#define JSON_DUMP (JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

json_t *json_of_text(struct slice);                     /* "" too */
json_t *json_of_text_or_null(struct slice);             /* empty: null */
json_t *json_of_string(const char *);                   /* NULL: null */
json_t *json_of_id16(const struct id16 *);              /* NULL: null */
json_t *json_of_id32(const struct id32 *);
json_t *json_of_uint(uint64_t);
json_t *json_of_decimal(decimal);                       /* whole numbers as integers */
json_t *json_of_number(struct number);
json_t *json_of_time(uint64_t ms);                      /* "2026-03-31T10:20:30Z"; 0: null */
/* A stored register; unset: the table's default, else null. */
json_t *json_of_field(const struct field_spec *, struct slice encoded);
/* Is this key asked for?  wanted: "id,title" (?fields=); NULL: everything is. */
bool json_wanted(const char *wanted, const char *key);
/* The fields of a kind that are to be printed: bit i stands for fields[i].  Not those in skip (NULL-terminated; may be NULL). */
uint64_t json_fields(const struct kind_spec *, const char *const *skip, const char *wanted);
/* Maps: arrays of objects with id, by position or time. */
void json_put_chosen(json_t **object, const struct kind_spec *, const struct doc *, uint64_t fields);
void json_put_fields(json_t **object, const struct kind_spec *, const struct doc *, const char *const *skip);   /* all but those */
/* JSON from a client as the text that value_parse() reads: strings as they are, numbers, true, false, null as "", arrays of those
 * joined by ", ".  False: an object, or an array in an array. */
bool json_to_text(struct buf *, const json_t *);
#endif
