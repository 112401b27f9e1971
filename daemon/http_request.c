#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/id.h"
#include "base/mem.h"
#include "base/mp.h"
#include "base/text.h"
#include "daemon/http_part.h"
#include "daemon/log.h"

#define JSON_DEPTH 24

/* ---- the target ---- */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place.  False: a wrong escape, a NUL, no UTF-8. */
static bool decode(char *text, bool plus)
{
	char *out = text;

	for (const char *in = text; *in != '\0'; in++) {
		int high, low;
		if (*in != '%') {
			*out++ = plus && *in == '+' ? ' ' : *in;
			continue;
		}
		if ((high = hex(in[1])) < 0 || (low = hex(in[2])) < 0 || high + low == 0)
			return false;
		*out++ = (char)(high << 4 | low);
		in += 2;
	}
	*out = '\0';
	return text_valid(slice_of(text));
}

static enum err split_query(struct target *t, char *at)
{
	while (at != NULL && *at != '\0') {
		char *next = strchr(at, '&'), *value;
		if (next != NULL)
			*next++ = '\0';
		if (*at != '\0') {
			if (t->n_queries == TARGET_QUERIES)
				return ERR_TOOBIG;
			value = strchr(at, '=');
			if (value != NULL)
				*value++ = '\0';
			else
				value = at + strlen(at);
			if (!decode(at, true) || !decode(value, true))
				return ERR_MALFORMED;
			t->queries[t->n_queries].name = at;
			t->queries[t->n_queries++].value = value;
		}
		at = next;
	}
	return OK;
}

enum err target_parse(struct target *t, const char *uri)
{
	char *at, *query;
	enum err e;

	memset(t, 0, sizeof *t);
	if (strlen(uri) > TARGET_MAX)
		return ERR_TOOBIG;
	if (uri[0] != '/')
		return ERR_MALFORMED;
	if ((t->text = mem_string(uri)) == NULL)
		return ERR_NOMEM;
	query = strchr(t->text, '?');
	if (query != NULL)
		*query++ = '\0';
	if ((e = split_query(t, query)) != OK)
		return e;
	for (at = t->text + 1; at != NULL; ) {
		char *next = strchr(at, '/');
		if (next != NULL)
			*next++ = '\0';
		if (next == NULL && *at == '\0' && t->n_segments > 0)
			break;                  /* a slash at the end */
		if (t->n_segments == TARGET_SEGMENTS)
			return ERR_TOOBIG;
		if (!decode(at, false))
			return ERR_MALFORMED;
		t->segments[t->n_segments++] = at;
		at = next;
	}
	return OK;
}

void target_free(struct target *t)
{
	mem_free(t->text);
	memset(t, 0, sizeof *t);
}

/* ---- the table ---- */

static bool match_path(struct match *m, const char *path, const struct target *t)
{
	size_t i = 0;

	m->n = 0;
	for (const char *at = path; *at == '/'; i++) {
		size_t len = strcspn(++at, "/");
		if (i == t->n_segments)
			return false;
		if (at[0] != '{') {
			if (strlen(t->segments[i]) != len || memcmp(t->segments[i], at, len) != 0)
				return false;
		} else {
			if (m->n == TARGET_PARAMS || t->segments[i][0] == '\0')
				return false;
			m->params[m->n].name = at + 1;
			m->params[m->n].name_len = len - 2;
			m->params[m->n++].value = t->segments[i];
		}
		at += len;
	}
	return i == t->n_segments;
}

static void allow_add(char *allow, const char *method)
{
	size_t len = strlen(allow);

	if (strstr(allow, method) == NULL)
		snprintf(allow + len, 64 - len, "%s%s", len > 0 ? ", " : "", method);
}

enum err match_find(struct match *out, char *allow, const struct route *table, size_t n, const char *method, const struct target *t)
{
	const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;

	out->route = NULL;
	allow[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		struct match m = { .route = &table[i] };
		if (!match_path(&m, table[i].path, t))
			continue;
		if (strcmp(table[i].method, wanted) != 0)
			allow_add(allow, table[i].method);
		else if (out->route == NULL || m.n < out->n)
			*out = m;
	}
	return out->route != NULL ? OK : allow[0] != '\0' ? ERR_USAGE : ERR_NOTFOUND;
}

/* ---- what handlers read ---- */

const char *request_method(const struct request *r)
{
	return r->method;
}

const char *request_param(const struct request *r, const char *name)
{
	for (size_t i = 0; i < r->match.n; i++)
		if (strlen(name) == r->match.params[i].name_len && memcmp(name, r->match.params[i].name, strlen(name)) == 0)
			return r->match.params[i].value;
	return "";
}

const char *request_query(const struct request *r, const char *name)
{
	for (size_t i = 0; i < r->target.n_queries; i++)
		if (strcmp(r->target.queries[i].name, name) == 0)
			return r->target.queries[i].value;
	return NULL;
}

size_t request_query_each(const struct request *r, size_t i, const char **name, const char **value)
{
	if (i < r->target.n_queries) {
		*name = r->target.queries[i].name;
		*value = r->target.queries[i].value;
	}
	return r->target.n_queries;
}

json_t *request_body(const struct request *r)
{
	return r->json;
}

const struct route *request_route(const struct request *r)
{
	return r->match.route;
}

void *request_host(const struct request *r)
{
	return http_host_of(r)->arg;
}

struct http *request_http(const struct request *r)
{
	return r->http;
}

bool request_only(struct request *r, const char *const *known)
{
	const char *key;
	json_t *value;

	json_object_foreach(r->json, key, value) {
		size_t i = 0;
		while (known[i] != NULL && strcmp(known[i], key) != 0)
			i++;
		if (known[i] == NULL) {
			request_error(r, ERR_USAGE, "\"%.64s\" is not known here", key);
			return false;
		}
	}
	return true;
}

const char *request_text(struct request *r, const char *key, bool *ok)
{
	json_t *value = json_object_get(r->json, key);

	if (!*ok || value == NULL || json_is_null(value))
		return NULL;
	if (json_is_string(value))
		return json_string_value(value);
	*ok = false;
	request_error(r, ERR_USAGE, "\"%s\" must be text", key);
	return NULL;
}

void *request_alloc(struct request *r, size_t size)
{
	struct chunk *c = size > SIZE_MAX / 2 ? NULL : mem_alloc(sizeof *c + size);

	if (c == NULL)
		return NULL;
	c->next = r->chunks;
	r->chunks = c;
	return c->data;
}

enum err request_view(struct request *r, struct view **view)
{
	const struct http_host *host = http_host_of(r);
	enum http_state state = host->state(host->arg);
	struct timespec now;
	enum err e = OK;

	*view = NULL;
	if (state != HTTP_OPEN)
		return state == HTTP_LOCKED ? ERR_LOCKED : ERR_STATE;
	clock_gettime(CLOCK_REALTIME, &now);
	if (r->view == NULL)
		e = view_open(&r->view, host->node(host->arg), host->store(host->arg),
			(uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
	if (e != OK)
		r->view = NULL;
	*view = r->view;
	return e;
}

void request_end_view(struct request *r)
{
	if (r->view != NULL)
		view_close(r->view);
	r->view = NULL;
}

/* ---- JSON ---- */

unsigned http_status(enum err e)
{
	switch (e) {
	case OK: return 200;
	case ERR_WAITING: return 202;
	case ERR_MALFORMED: case ERR_USAGE: case ERR_SIGNATURE: case ERR_VERSION: return 400;
	case ERR_SEALED: case ERR_DENIED: case ERR_CONSENT: return 403;
	case ERR_NOTFOUND: return 404;
	case ERR_AMBIGUOUS: case ERR_EXISTS: case ERR_STATE: case ERR_BUSY: case ERR_PERSON: case ERR_MISSING: case ERR_FORK: return 409;
	case ERR_TOOBIG: return 413;
	case ERR_LOCKED: return 423;
	case ERR_LIMIT: return 429;
	case ERR_NOMEM: case ERR_MAPFULL: return 503;
	case ERR_FULL: return 507;
	case ERR_IO: case ERR_DAMAGED: case ERR_LAST: break;
	}
	return 500;
}

json_t *http_json_id(const void *id, size_t len)
{
	struct buf b = {0};
	json_t *text;

	id_encode(&b, SLICE(id, len));
	text = b.err == OK ? json_stringn(b.data == NULL ? "" : (const char *)b.data, b.len) : NULL;
	buf_free(&b);
	return text;
}

json_t *http_json_text(struct slice s)
{
	return json_stringn(s.data == NULL ? "" : (const char *)s.data, s.len);
}

static json_t *json_value(struct mp_reader *, unsigned depth);

static bool set_member(json_t *object, struct mp_reader *r, unsigned depth)
{
	char number[24];
	struct slice key;
	json_t *value;

	if (mp_peek(r) == MP_UINT) {
		snprintf(number, sizeof number, "%llu", (unsigned long long)mp_get_uint(r, UINT64_MAX));
		key = slice_of(number);
	} else {
		key = mp_get_str(r, SIZE_MAX);
	}
	value = r->err == OK ? json_value(r, depth + 1) : NULL;
	/* NUL cannot be a part of a jansson key before 2.14's ..n functions; those of ours are names. */
	return value != NULL && json_object_setn_new(object, (const char *)key.data, key.len, value) == 0;
}

static json_t *json_map(struct mp_reader *r, unsigned depth)
{
	size_t n = mp_get_map(r, SIZE_MAX);
	json_t *object = json_object();

	for (size_t i = 0; i < n && object != NULL; i++)
		if (!set_member(object, r, depth)) {
			json_decref(object);
			return NULL;
		}
	return object;
}

static json_t *json_list(struct mp_reader *r, unsigned depth)
{
	size_t n = mp_get_array(r, SIZE_MAX);
	json_t *array = json_array();

	for (size_t i = 0; i < n && array != NULL; i++)
		if (json_array_append_new(array, json_value(r, depth + 1)) != 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *json_value(struct mp_reader *r, unsigned depth)
{
	struct slice s;
	uint64_t n;
	char number[24];

	if (depth > JSON_DEPTH)
		return NULL;
	switch (mp_peek(r)) {
	case MP_NIL:
		mp_get_nil(r);
		return json_null();
	case MP_BOOL:
		return json_boolean(mp_get_bool(r));
	case MP_UINT:
		n = mp_get_uint(r, UINT64_MAX);
		if (n <= INT64_MAX)
			return json_integer((json_int_t)n);
		snprintf(number, sizeof number, "%llu", (unsigned long long)n);
		return json_string(number);
	case MP_NEGATIVE:
		return json_integer(mp_get_int(r, INT64_MIN, INT64_MAX));
	case MP_BIN:
		s = mp_get_bin(r, SIZE_MAX);
		return r->err == OK ? http_json_id(s.data, s.len) : NULL;
	case MP_STR:
		s = mp_get_str(r, SIZE_MAX);
		return r->err == OK ? http_json_text(s) : NULL;
	case MP_ARRAY:
		return json_list(r, depth);
	case MP_MAP:
		return json_map(r, depth);
	case MP_END:
		break;
	}
	return NULL;
}

json_t *http_json_mp(struct slice s)
{
	struct mp_reader r = mp_read(s);
	json_t *value = json_value(&r, 0);

	if (value != NULL && mp_end(&r) != OK) {
		json_decref(value);
		value = NULL;
	}
	return value;
}

static json_t *error_object(enum err e, struct slice message, struct slice hint)
{
	json_t *error = json_object();
	bool ok = error != NULL && json_object_set_new(error, "code", json_string(err_name(e))) == 0 &&
		json_object_set_new(error, "message", http_json_text(message)) == 0 &&
		(hint.len == 0 || json_object_set_new(error, "hint", http_json_text(hint)) == 0);

	if (!ok) {
		json_decref(error);
		return NULL;
	}
	return error;
}

json_t *http_json_reply(const struct reply *reply)
{
	json_t *o = reply->fields.len > 0 ? http_json_mp(reply->fields) : json_object();
	struct slice message = reply->message.len > 0 ? reply->message : slice_of(err_text(reply->err));
	bool ok = json_is_object(o);

	if (ok && reply->err != OK)
		ok = json_object_set_new(o, "error", error_object(reply->err, message, reply->hint)) == 0;
	if (ok && (reply->err == OK || reply->err == ERR_WAITING)) {
		ok = json_object_set_new(o, "message", http_json_text(reply->message)) == 0;
		if (ok && reply->hint.len > 0)
			ok = json_object_set_new(o, "hint", http_json_text(reply->hint)) == 0;
	}
	if (!ok) {
		json_decref(o);
		return NULL;
	}
	return o;
}

void http_json_wipe(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (json_is_string(value))
		crypto_wipe((char *)(uintptr_t)json_string_value(value), json_string_length(value));
}

/* ---- answers ---- */

/* Text with a newline behind it, in mem memory; NULL: out of memory. */
static char *dump(json_t *body, size_t *len)
{
	struct buf b = {0};
	char *text = json_dumps(body, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

	if (text == NULL)
		return NULL;
	*len = strlen(text);
	buf_put(&b, text, *len);
	buf_put_u8(&b, '\n');
	mem_free(text);                         /* jansson allocates through base/mem.h: http_open */
	if (b.err != OK) {
		buf_free(&b);
		return NULL;
	}
	++*len;
	return (char *)b.data;
}

void request_answer(struct request *r, unsigned status, json_t *body)
{
	size_t len = 0;
	char *text = body == NULL ? NULL : dump(body, &len);

	json_decref(body);
	request_finish(r, status, text, len);
}

static const char *usual_message(enum err e)
{
	switch (e) {
	case ERR_NOMEM: return "Out of memory: this request failed, the daemon goes on";
	case ERR_FULL: return "No room on the disk: nothing was changed; free some space and try again";
	case ERR_LOCKED: return "The keystore is locked: cairn unlock";
	default: return err_text(e);
	}
}

static void error_answer(struct request *r, enum err e, json_t *more, const char *format, va_list args)
{
	char message[512];
	json_t *o = more != NULL ? more : json_object();

	if (format == NULL)
		snprintf(message, sizeof message, "%s", usual_message(e));
	else
		vsnprintf(message, sizeof message, format, args);
	if (!text_valid(slice_of(message)))     /* cut in the middle of a character */
		snprintf(message, sizeof message, "%s", usual_message(e));
	if (o != NULL && json_object_set_new(o, "error", error_object(e, slice_of(message), SLICE(NULL, 0))) != 0) {
		json_decref(o);
		o = NULL;
	}
	request_answer(r, http_status(e), o);
}

void request_error(struct request *r, enum err e, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	error_answer(r, e, NULL, format, args);
	va_end(args);
}

void request_error_with(struct request *r, enum err e, json_t *more, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	error_answer(r, e, more, format, args);
	va_end(args);
}

void request_reply(struct request *r, const struct reply *reply)
{
	request_answer(r, http_status(reply->err), http_json_reply(reply));
}

/* ---- commands ---- */

static enum err request_id(struct request *r, struct id16 *id)
{
	const char *key = request_header(r, "Idempotency-Key");

	if (!id16_is_zero(id))
		return OK;
	if (key != NULL)
		return id_parse(id->b, sizeof id->b, slice_of(key));
	crypto_random(id->b, sizeof id->b);
	return OK;
}

void request_command(struct request *r, const struct command *command)
{
	request_command_then(r, command, request_reply);
}

void request_command_then(struct request *r, const struct command *command, void (*then)(struct request *, const struct reply *))
{
	const struct http_host *host = http_host_of(r);
	struct command c = *command;
	enum err e;

	if (host->state(host->arg) != HTTP_OPEN) {
		request_error(r, ERR_STATE, "cairnd is stopping or not open");
		return;
	}
	if (request_id(r, &c.request) != OK) {
		request_error(r, ERR_USAGE, "Idempotency-Key must be 16 bytes in base32 (26 characters)");
		return;
	}
	r->then = then;
	e = host->command(host->arg, request_suspend(r), &c);
	if (e != OK)
		request_error(r, e, NULL);
}

uint64_t request_suspend(struct request *r)
{
	r->token = http_new_token(r->http);
	request_wait(r);
	return r->token;
}

/* ---- from bytes to the handler ---- */

static bool parse_body(struct request *r)
{
	json_error_t error;

	if (r->body.len == 0) {
		r->json = json_object();
		if (r->json == NULL)
			request_error(r, ERR_NOMEM, NULL);
		return r->json != NULL;
	}
	r->json = json_loadb((const char *)r->body.data, r->body.len, JSON_REJECT_DUPLICATES, &error);
	if (r->json == NULL && json_error_code(&error) == json_error_out_of_memory)
		request_error(r, ERR_NOMEM, NULL);
	else if (r->json == NULL)
		request_error(r, ERR_MALFORMED, "The body is not valid JSON, line %d: %.160s", error.line, error.text);
	else if (!json_is_object(r->json))
		request_error(r, ERR_MALFORMED, "The body must be a JSON object");
	else
		return true;
	return false;
}

static bool check_state(struct request *r)
{
	const struct http_host *host = http_host_of(r);
	enum http_state state = host->state(host->arg);
	enum route_state needs = r->match.route->needs;

	if (state == HTTP_STOPPING)
		request_error(r, ERR_STATE, "cairnd is stopping");
	else if (needs == NEEDS_OPEN && state == HTTP_LOCKED)
		request_error(r, ERR_LOCKED, NULL);
	else if (needs != NEEDS_NOTHING && needs != NEEDS_NEW && state == HTTP_NEW)
		request_error(r, ERR_STATE, "There is no identity yet: cairn init");
	else if (needs == NEEDS_NEW && state != HTTP_NEW)
		request_error(r, ERR_EXISTS, "There is an identity already");
	else if (needs == NEEDS_LOCKED && state == HTTP_OPEN)
		request_error(r, ERR_STATE, "Not locked");
	else
		return true;
	return false;
}

void request_dispatch(struct request *r, const struct route *table, size_t n)
{
	enum err e = r->uri_error;

	r->phase = PHASE_HANDLING;
	if (e == OK)
		e = match_find(&r->match, r->allow, table, n, r->method, &r->target);
	if (e == ERR_USAGE) {
		request_answer(r, 405, json_pack("{s{ssss}}", "error", "code", "usage", "message", "This path has no such method"));
		return;
	}
	if (e != OK) {
		request_error(r, e, e == ERR_NOTFOUND ? "There is no such path" : e == ERR_NOMEM ? NULL : "The request's path is not understood");
		return;
	}
	r->allow[0] = '\0';
	if (!check_state(r) || !parse_body(r))
		return;
	r->match.route->handler(r);
	if (r->phase == PHASE_HANDLING) {
		LOG(LOG_ERROR, "the handler of %s %s did not answer", r->match.route->method, r->match.route->path);
		request_error(r, ERR_STATE, "This request was not answered");
	}
}

void request_free_parts(struct request *r)
{
	for (struct chunk *c = r->chunks, *next; c != NULL; c = next) {
		next = c->next;
		mem_free(c);
	}
	r->chunks = NULL;
	request_end_view(r);
	json_decref(r->json);
	r->json = NULL;
	buf_wipe(&r->body);
	target_free(&r->target);
}
