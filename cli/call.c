#include "cli/call.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "cli/autostart.h"
#include "cli/http.h"
#include "cli/output.h"
#include "cli/pick.h"

/* ---- paths ---- */

static void put_encoded(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (isalnum(c) || strchr("-_~", c) != NULL || (c == '.' && text[1] != '\0'))
			buf_put_u8(b, c);               /* "." alone would be taken for a directory */
		else
			buf_printf(b, "%%%02X", c);
	}
}

static const char *kept_text(struct buf *b)
{
	buf_put_u8(b, 0);
	if (b->err != OK) {
		buf_free(b);
		return keep_printf("/");
	}
	return keep(b->data);
}

const char *route(const char *format, ...)
{
	struct buf b = {0};
	va_list args;

	va_start(args, format);
	for (; *format != '\0'; format++) {
		if (format[0] == '{' && format[1] == '}') {
			put_encoded(&b, va_arg(args, const char *));
			format++;
		} else {
			buf_put_u8(&b, (uint8_t)*format);
		}
	}
	va_end(args);
	return kept_text(&b);
}

const char *with_query(const char *path, const char *key, const char *value)
{
	struct buf b = {0};

	if (value == NULL)
		return path;
	buf_printf(&b, "%s%c%s=", path, strchr(path, '?') == NULL ? '?' : '&', key);
	put_encoded(&b, value);
	return kept_text(&b);
}

/* ---- the connection ---- */

int call_running(struct cli *c)
{
	char why[AUTOSTART_WHY];
	int code = cli_paths(c);

	if (code != EXIT_DONE || c->http != NULL)
		return code;
	return daemon_connect(&c->http, &c->paths, why) == OK ? EXIT_DONE : EXIT_NO_DAEMON;
}

static int connected(struct cli *c)
{
	char why[AUTOSTART_WHY];
	enum err e;
	int code = cli_paths(c);

	if (code != EXIT_DONE || c->http != NULL)
		return code;
	e = daemon_connect(&c->http, &c->paths, why);
	if (e == ERR_NOTFOUND && c->no_autostart)
		return complain(EXIT_NO_DAEMON, "No cairnd runs on %s: start it with cairnd --home DIR, or leave off --no-autostart",
			safe(c->paths.dir));
	if (e == ERR_NOTFOUND)
		e = daemon_start(&c->http, &c->started, &c->paths, why);
	return e == OK ? EXIT_DONE : complain(EXIT_NO_DAEMON, "%s", safe(why));
}

/* ---- answers ---- */

int exit_of(const char *code, int status)
{
	static const struct { const char *code; int exit; } codes[] = {
		{ "usage", EXIT_WRONG }, { "toobig", EXIT_WRONG }, { "malformed", EXIT_WRONG },
		{ "denied", EXIT_REFUSED }, { "consent", EXIT_REFUSED },
		{ "notfound", EXIT_NOT_FOUND }, { "ambiguous", EXIT_NOT_FOUND },
		{ "person", EXIT_PERSON }, { "locked", EXIT_PERSON }, { "waiting", EXIT_WAITING },
	};

	for (size_t i = 0; code != NULL && i < sizeof codes / sizeof *codes; i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].exit;
	switch (status) {
	case 202: return EXIT_WAITING;
	case 400: case 405: case 413: return EXIT_WRONG;
	case 403: return EXIT_REFUSED;
	case 404: return EXIT_NOT_FOUND;
	case 423: return EXIT_PERSON;
	default: return EXIT_FAILED;
	}
}

static void print_candidates(const json_t *list)
{
	static const char *const names[] = { "title", "displayName", "name" };
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		const char *name = "";
		for (size_t k = 0; k < sizeof names / sizeof *names && name[0] == '\0'; k++)
			name = text_of(one, names[k]);
		fprintf(stderr, "  %s  %s\n", json_is_string(one) ? cell_text(one, CELL_TEXT, true) : text_of(one, "id"), name);
	}
}

static int refused(struct cli *c, int status, const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	const char *code = json_string_value(json_object_get(error, "code")), *message = text_of(error, "message");
	const json_t *list = json_object_get(error, "candidates");
	int end = exit_of(code, status);

	if (message[0] == '\0' && code != NULL)
		message = safe(code);
	if (message[0] == '\0')
		message = keep_printf("cairnd answered with HTTP status %d and no reason", status);
	complain(end, "%s", message);
	print_candidates(list != NULL ? list : json_object_get(answer, "candidates"));
	hint(c, text_of(error, "hint"));
	return end;
}

static int broken(struct cli *c, enum err e, long timeout_ms)
{
	const char *dir = safe(c->paths.dir);

	if (e == ERR_BUSY && c->late != NULL)
		return complain(EXIT_WAITING, "%s", c->late);
	switch (e) {
	case ERR_BUSY: return complain(EXIT_NO_DAEMON, "cairnd did not answer within %ld s: see %s", (timeout_ms + 999) / 1000, safe(c->paths.log));
	case ERR_NOMEM: return no_memory();
	case ERR_TOOBIG: return complain(EXIT_FAILED, "The answer of cairnd is too large: ask for less");
	case ERR_MALFORMED: return complain(EXIT_FAILED, "What listens in %s does not speak HTTP", dir);
	default: return complain(EXIT_NO_DAEMON, "cairnd in %s went away before it answered: see %s", dir, safe(c->paths.log));
	}
}

/* Some keys of each row where that is all that is printed (get_rows), else everything. */
static json_t *parse(const struct cli *c, const struct http_response *r)
{
	json_t *answer = c->n_keys > 0 && r->status == 200 ? pick_rows(r->body, c->keys, c->n_keys) : NULL;

	if (answer != NULL)
		return answer;
	return r->body.len == 0 ? json_object() :
		json_loadb((const char *)r->body.data, r->body.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

static int take_answer(struct cli *c, json_t **out, const struct http_response *r)
{
	json_t *answer = parse(c, r);

	if (answer == NULL && r->status < 400)
		return complain(EXIT_FAILED, "The answer of cairnd is no JSON: is it of another version?");
	keep_json(answer);
	if (r->status < 200 || r->status >= 300)
		return refused(c, r->status, answer);
	*out = answer;
	return r->status == 202 ? EXIT_WAITING : EXIT_DONE;
}

int call_for(struct cli *c, json_t **out, const char *method, const char *path, json_t *body, long timeout_ms)
{
	struct http_response response;
	char *text = NULL;
	int code;
	enum err e;

	*out = NULL;
	if (body != NULL) {
		text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15));
		json_decref(body);
		if (text == NULL)
			return complain(EXIT_WRONG, "The arguments are not well-formed UTF-8 text");
	}
	if ((code = connected(c)) == EXIT_DONE) {
		e = http_exchange(c->http, &response, method, path, text == NULL ? SLICE(NULL, 0) : slice_of(text), timeout_ms);
		code = e == OK ? take_answer(c, out, &response) : broken(c, e, timeout_ms);
	}
	mem_free(text);                         /* jansson allocates through base/mem.h: cli_main */
	return code;
}

int call(struct cli *c, json_t **out, const char *method, const char *path, json_t *body)
{
	return call_for(c, out, method, path, body, c->timeout_ms >= 0 ? c->timeout_ms : CALL_WAIT_MS);
}

int get(struct cli *c, json_t **out, const char *path)
{
	int code = call(c, out, "GET", path, NULL);

	return code == EXIT_WAITING ? finish(c, code, *out) : code;
}

int get_rows(struct cli *c, json_t **out, const char *path, const struct column *columns, size_t n)
{
	const char *fields = NULL;
	int code;

	if (!c->json && n <= CLI_KEYS) {
		for (size_t i = 0; i < n; i++) {
			c->keys[i] = columns[i].key;
			fields = i == 0 ? columns[0].key : keep_printf("%s,%s", fields, columns[i].key);
		}
		c->n_keys = n;
	}
	code = get(c, out, with_query(path, "fields", fields));
	c->n_keys = 0;
	return code;
}

int finish(struct cli *c, int code, json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	const char *message, *next;

	if (answer == NULL)
		return code;
	if (c->json) {
		print_json(answer);
		return code;
	}
	message = text_of(answer, "message");
	next = text_of(answer, "hint");
	if (message[0] == '\0')
		message = text_of(error, "message");
	if (next[0] == '\0')
		next = text_of(error, "hint");
	if (code == EXIT_DONE && c->made && text_of(answer, "id")[0] != '\0')
		say("%s  (id %s)", message, cell_text(json_object_get(answer, "id"), CELL_ID, c->out_tty));
	else if (code == EXIT_DONE)
		say("%s", message[0] != '\0' ? message : "Done.");
	else
		complain(code, "%s", message[0] != '\0' ? message : "Waiting for a peer; cairnd goes on by itself");
	hint(c, next);
	return code;
}

int change(struct cli *c, const char *method, const char *path, json_t *body)
{
	json_t *answer;
	int code = call(c, &answer, method, path, body != NULL ? body : json_object());

	return finish(c, code, answer);
}

int make(struct cli *c, const char *path, json_t *body)
{
	c->made = true;
	return change(c, "POST", path, body);
}

/* ---- bodies ---- */

void add_text(json_t *body, const char *key, const char *text)
{
	if (text != NULL)
		json_object_set_new(body, key, json_string(text));
}

bool add_pairs(struct cli *c, json_t *body, size_t from)
{
	for (size_t i = from; i < c->args.n_words; i++) {
		const char *key, *value, *word = c->args.words[i];

		if (!args_pair(&key, &value, word)) {
			complain(EXIT_WRONG, "\"%s\" is not KEY=VALUE; put quotes around text with spaces", safe(word));
			return false;
		}
		if (json_object_get(body, key) != NULL) {
			complain(EXIT_WRONG, "%s is given twice", safe(key));
			return false;
		}
		if (json_object_set_new(body, key, value[0] == '\0' ? json_null() : json_string(value)) != 0) {
			complain(EXIT_WRONG, "%s is not well-formed UTF-8 text", safe(key));
			return false;
		}
	}
	return true;
}
