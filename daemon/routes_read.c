/* What all routes need: a view for a request, references, bodies, answers. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/id.h"
#include "base/mem.h"
#include "base/mp.h"
#include "base/text.h"
#include "daemon/http_part.h"
#include "daemon/routes.h"

uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- answers ------------------------------------------------------------------------------------------------------------ */
/* As request_answer, but decimals are printed as decimals. */
static void answer(struct request *r, unsigned status, json_t *body)
{
	char *text = body == NULL ? NULL : json_dumps(body, JSON_DUMP);
	struct buf b = {0};

	json_decref(body);
	if (text != NULL) {
		buf_put_text(&b, text);
		buf_put_u8(&b, '\n');
	}
	mem_free(text);
	if (text == NULL || b.err != OK) {
		buf_free(&b);
		request_finish(r, status, NULL, 0);
		return;
	}
	request_finish(r, status, (char *)b.data, b.len);
}

void read_end(struct read *q)
{
	view_close(q->v);
	q->v = NULL;
}

void read_answer_as(struct read *q, unsigned status, json_t *body)
{
	read_end(q);
	answer(q->r, status, body);
}

void read_answer(struct read *q, json_t *body)
{
	read_answer_as(q, 200, body);
}

bool read_fail(struct read *q, enum err e, const char *format, ...)
{
	char text[512];
	va_list ap;

	if (format != NULL) {
		va_start(ap, format);
		(void)vsnprintf(text, sizeof text, format, ap);
		va_end(ap);
	}
	read_end(q);
	if (format != NULL)
		request_error(q->r, e, "%s", text);
	else
		request_error(q->r, e, NULL);
	return false;
}

bool read_ok(struct read *q, enum err e)
{
	if (e == OK)
		return true;
	return e == ERR_NOTFOUND ? read_fail(q, e, "There is no such thing here.") : read_fail(q, e, NULL);
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */
bool read_begin(struct read *q, struct request *r)
{
	const struct http_host *host = http_host_of(r);
	enum err e;

	*q = (struct read){ .r = r, .now = now_ms() };
	if (host->state(host->arg) != HTTP_OPEN)
		return read_fail(q, ERR_STATE, "cairnd is stopping or not open");
	if ((e = view_open(&q->v, host->node(host->arg), host->store(host->arg), q->now)) != OK)
		return read_fail(q, e, NULL);
	view_self(q->v, &q->self);
	return true;
}

bool read_org_named(struct read *q, const struct id32 *org)
{
	const struct member *own;

	q->org = *org;
	if ((q->state = view_state(q->v, org)) == NULL || (own = state_member(q->state, &q->self.member)) == NULL ||
	    own->status == MEMBER_PENDING)
		return read_fail(q, ERR_WAITING, "You have not been admitted to this organization yet: see cairn status.");
	if (own->status != MEMBER_ACTIVE || !state_device_active(q->state, &q->self.device))
		return read_fail(q, ERR_DENIED, "You are no longer an active member of this organization.");
	return true;
}

bool read_org(struct read *q)
{
	const char *reference = request_param(q->r, "org");
	struct id32 org = q->self.default_org;

	if (strcmp(reference, "default") == 0) {
		if (!q->self.has_default)
			return read_fail(q, ERR_NOTFOUND,
				"You are in no organization yet: make one with cairn org create, or join one with cairn org join.");
	} else if (!read_ref(q, VIEW_REF_ORG, reference, "organization", &org))
		return false;
	return read_org_named(q, &org);
}

bool read_begin_org(struct read *q, struct request *r)
{
	return read_begin(q, r) && read_org(q);
}

static json_t *candidates_json(const struct view_candidate *found, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();
		char id[ID_TEXT_MAX];

		json_put(&o, "id", json_string(id_format(id, found[i].id, found[i].id_len, 0)));
		json_put(&o, "title", json_of_text_or_null(found[i].title));
		json_add(&list, o);
	}
	return list;
}

static bool ambiguous(struct read *q, const char *reference, const char *what, const struct view_candidate *found, size_t n)
{
	json_t *error = json_object(), *o = json_object();
	char text[400];

	(void)snprintf(text, sizeof text, "“%.200s” fits %zu %ss%s: use a longer id.", reference, n, what, n == 16 ? " or more" : "");
	json_put(&error, "code", json_string(err_name(ERR_AMBIGUOUS)));
	json_put(&error, "message", json_of_text(slice_of(text_valid(slice_of(text)) ? text : "This fits several: use a longer id.")));
	json_put(&error, "candidates", candidates_json(found, n));
	json_put(&o, "error", error);
	read_end(q);
	answer(q->r, 404, o);
	return false;
}

static const char *list_command(uint32_t kind)
{
	switch (kind) {
	case KIND_OBJECTIVE: return "cairn objective list";
	case KIND_GOAL:      return "cairn goal list";
	case KIND_TEAM:      return "cairn team list";
	case KIND_PROFILE:   return "cairn member list";
	case VIEW_REF_ORG:   return "cairn org list";
	default:             return "cairn device list";
	}
}

bool read_ref(struct read *q, uint32_t kind, const char *reference, const char *what, void *id)
{
	struct view_candidate found[16];
	uint8_t wide[ID_LEN];
	size_t n;
	enum err e = view_resolve(q->v, &q->org, kind, slice_of(reference), wide, found, &n);

	if (e == ERR_AMBIGUOUS)
		return ambiguous(q, reference, what, found, n);
	if (e == ERR_NOTFOUND || e == ERR_USAGE)
		return read_fail(q, ERR_NOTFOUND, "There is no %s “%.200s” here: see %s.", what, reference, list_command(kind));
	if (e != OK)
		return read_fail(q, e, NULL);
	memcpy(id, wide, kind == KIND_OBJECTIVE || kind == KIND_GOAL || kind == KIND_TEAM ? DOC_LEN : ID_LEN);
	return true;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------------ */
void read_command(struct read *q, const struct command *c, void (*then)(struct request *, const struct reply *))
{
	read_end(q);
	request_command_then(q->r, c, then);
}

void read_command_next(struct read *q, struct command *c, void (*then)(struct request *, const struct reply *))
{
	const char *key = request_header(q->r, "Idempotency-Key");
	uint8_t kind = (uint8_t)c->kind;
	const struct slice parts[] = { SLICE(&kind, 1), SLICE(&c->other, ID_LEN), key == NULL ? SLICE("", 0) : slice_of(key) };
	struct id32 hash;

	if (key != NULL) {
		crypto_hash(&hash, "cairn-request-next", parts, 3);
		memcpy(&c->request, &hash, DOC_LEN);
	}
	read_command(q, c, then);
}

void reply_plain(struct request *r, const struct reply *reply)
{
	json_t *o;

	if (reply->err != OK) {
		request_reply(r, reply);
		return;
	}
	o = http_json_reply(reply);
	json_put(&o, "hint", json_of_text_or_null(reply->hint));
	answer(r, 200, o);
}

bool reply_begin(struct read *q, struct request *r, const struct reply *reply)
{
	if (reply->err == OK)
		return read_begin(q, r);
	request_reply(r, reply);
	return false;
}

bool reply_begin_org(struct read *q, struct request *r, const struct reply *reply)
{
	return reply_begin(q, r, reply) && read_org(q);
}

bool reply_id(const struct reply *reply, void *id, size_t len)
{
	struct mp_reader m = mp_read(reply->fields);
	size_t n = mp_get_map(&m, SIZE_MAX);

	for (size_t i = 0; i < n && m.err == OK; i++) {
		struct slice key = mp_get_str(&m, SIZE_MAX);

		if (slice_equal(key, slice_of("id"))) {
			mp_get_fixed(&m, id, len);
			return m.err == OK;
		}
		(void)mp_get_any(&m);
	}
	return false;
}

/* What is missing in the object is not invented, but the writing has happened: then the reply's own fields must do. */
void reply_answer(struct read *q, const struct reply *reply, json_t *object)
{
	read_end(q);
	if (object == NULL) {
		reply_plain(q->r, reply);
		return;
	}
	json_put(&object, "message", json_of_text(reply->message));
	json_put(&object, "hint", json_of_text_or_null(reply->hint));
	answer(q->r, 200, object);
}

/* ---- sentences ---------------------------------------------------------------------------------------------------------------- */
const char *span_text(char out[32], uint64_t ms)
{
	uint64_t minutes = ms / 60000;

	if (minutes < 1)
		(void)snprintf(out, 32, "%llu s", (unsigned long long)(ms / 1000));
	else if (minutes < 120)
		(void)snprintf(out, 32, "%llu min", (unsigned long long)minutes);
	else if (minutes < 48 * 60)
		(void)snprintf(out, 32, "%llu h", (unsigned long long)(minutes / 60));
	else
		(void)snprintf(out, 32, "%llu days", (unsigned long long)(minutes / 60 / 24));
	return out;
}

const char *percent_text(char out[32], decimal d)
{
	char number[24];

	decimal_format(number, d, 0, 2);
	(void)snprintf(out, 32, "%s %%", number);
	return out;
}
