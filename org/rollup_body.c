#include "org/rollup.h"
#include <string.h>
#include "base/limits.h"
#include "base/mp.h"

#define FIELDS 15                       /* 1 to 14 and 16 */
#define FIELDS_MAX 64                   /* unknown ones included */
#define TIME_MAX (((uint64_t)1 << 48) - 1)
#define NEEDED 0x17ffeu                 /* bits 1 to 14 and 16 */

void rollup_body_fill(struct rollup_body *out, const struct rollup_result *r, const struct objective *o,
	const struct rollup_settings *settings, const struct id32 *heads, size_t n_heads, const struct key_result *krs, size_t n_krs)
{
	memset(out, 0, sizeof *out);
	out->objective = r->objective;
	out->n_heads = n_heads < LIMIT_HEADS ? n_heads : LIMIT_HEADS;
	if (out->n_heads > 0)
		memcpy(out->heads, heads, out->n_heads * sizeof *heads);
	out->method = o->method;
	out->unit_link = settings->unit_link;
	out->status = (unsigned)o->status;
	out->newest_ms = r->newest_ms;
	out->leaves = r->merkle_leaves;
	out->merkle_root = r->merkle_root;
	out->suppressed = r->suppressed;
	if (r->suppressed)
		return;
	out->raw = r->raw;
	out->progress = r->progress;
	out->contributors = r->contributors;
	out->hidden = r->hidden;
	for (size_t i = 0; i < r->n_teams && out->n_teams < ROLLUP_TEAMS_MAX; i++)
		if (r->teams[i].contributors >= settings->min_group)
			out->teams[out->n_teams++] = r->teams[i];
	for (; out->n_key_results < n_krs && out->n_key_results < ROLLUP_KEY_RESULTS_MAX; out->n_key_results++) {
		out->key_results[out->n_key_results].id = krs[out->n_key_results].id;
		out->key_results[out->n_key_results].percent = key_result_percent(&krs[out->n_key_results]);
	}
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void put_number(struct buf *out, struct number n)
{
	if (n.set)
		mp_put_int(out, n.value);
	else
		mp_put_nil(out);
}

static void put_key_results(struct buf *out, const struct rollup_body *b)
{
	mp_put_array(out, b->n_key_results);
	for (size_t i = 0; i < b->n_key_results; i++) {
		mp_put_array(out, 2);
		mp_put_bin(out, b->key_results[i].id.b, DOC_LEN);
		put_number(out, b->key_results[i].percent);
	}
}

static void put_teams(struct buf *out, const struct rollup_body *b)
{
	mp_put_array(out, b->n_teams);
	for (size_t i = 0; i < b->n_teams; i++) {
		mp_put_array(out, 3);
		mp_put_bin(out, b->teams[i].team.b, DOC_LEN);
		put_number(out, b->teams[i].progress);
		mp_put_uint(out, b->teams[i].contributors);
	}
}

enum err rollup_body_encode(struct buf *out, const struct rollup_body *b)
{
	struct number contributors = { !b->suppressed, b->contributors }, hidden = { !b->suppressed, b->hidden };

	mp_put_map(out, FIELDS);
	mp_put_uint(out, 1);
	mp_put_bin(out, b->objective.b, DOC_LEN);
	mp_put_uint(out, 2);
	mp_put_array(out, b->n_heads);
	for (size_t i = 0; i < b->n_heads; i++)
		mp_put_bin(out, b->heads[i].b, ID_LEN);
	mp_put_uint(out, 3);
	mp_put_uint(out, b->method);
	mp_put_uint(out, 4);
	mp_put_uint(out, b->unit_link);
	mp_put_uint(out, 5);
	put_number(out, b->raw);
	mp_put_uint(out, 6);
	put_number(out, b->progress);
	mp_put_uint(out, 7);
	mp_put_uint(out, b->status);
	mp_put_uint(out, 8);
	mp_put_uint(out, b->newest_ms);
	mp_put_uint(out, 9);
	put_number(out, contributors);
	mp_put_uint(out, 10);
	put_number(out, hidden);
	mp_put_uint(out, 11);
	put_key_results(out, b);
	mp_put_uint(out, 12);
	put_teams(out, b);
	mp_put_uint(out, 13);
	mp_put_uint(out, b->leaves);
	mp_put_uint(out, 14);
	mp_put_bin(out, b->merkle_root.b, ID_LEN);
	mp_put_uint(out, 16);
	mp_put_bool(out, b->suppressed);
	return out->err;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static struct number get_number(struct mp_reader *r, int64_t min, int64_t max)
{
	if (mp_get_nil(r))
		return (struct number){ 0 };
	return (struct number){ true, mp_get_int(r, min, max) };
}

static struct number get_percent(struct mp_reader *r)
{
	return get_number(r, -DECIMAL_MAX, DECIMAL_MAX);
}

static void get_heads(struct rollup_body *b, struct mp_reader *r)
{
	b->n_heads = mp_get_array(r, LIMIT_HEADS);
	for (size_t i = 0; i < b->n_heads; i++) {
		mp_get_fixed(r, b->heads[i].b, ID_LEN);
		if (i > 0 && id32_compare(&b->heads[i - 1], &b->heads[i]) >= 0)
			mp_fail(r, ERR_MALFORMED);
	}
}

static void get_key_results(struct rollup_body *b, struct mp_reader *r)
{
	b->n_key_results = mp_get_array(r, ROLLUP_KEY_RESULTS_MAX);
	for (size_t i = 0; i < b->n_key_results; i++) {
		mp_get_array_of(r, 2);
		mp_get_fixed(r, b->key_results[i].id.b, DOC_LEN);
		b->key_results[i].percent = get_percent(r);
	}
}

static void get_teams(struct rollup_body *b, struct mp_reader *r)
{
	b->n_teams = mp_get_array(r, ROLLUP_TEAMS_MAX);
	for (size_t i = 0; i < b->n_teams; i++) {
		mp_get_array_of(r, 3);
		mp_get_fixed(r, b->teams[i].team.b, DOC_LEN);
		b->teams[i].progress = get_percent(r);
		b->teams[i].contributors = (unsigned)mp_get_uint(r, UINT32_MAX);
		if (i > 0 && id16_compare(&b->teams[i - 1].team, &b->teams[i].team) >= 0)
			mp_fail(r, ERR_MALFORMED);
	}
}

static void get_field(struct rollup_body *b, struct mp_reader *r, uint64_t key, struct number counts[2])
{
	switch (key) {
	case 1:
		mp_get_fixed(r, b->objective.b, DOC_LEN);
		break;
	case 2:
		get_heads(b, r);
		break;
	case 3:
		b->method = (enum method)mp_get_uint(r, METHOD_TASKS);
		break;
	case 4:
		b->unit_link = mp_get_uint(r, 1) == 1;
		break;
	case 5:
		b->raw = get_percent(r);
		break;
	case 6:
		b->progress = get_percent(r);
		break;
	case 7:
		b->status = (unsigned)mp_get_uint(r, OBJECTIVE_CANCELLED);
		break;
	case 8:
		b->newest_ms = mp_get_uint(r, TIME_MAX);
		break;
	case 9:
	case 10:
		counts[key - 9] = get_number(r, 0, UINT32_MAX);
		break;
	case 11:
		get_key_results(b, r);
		break;
	case 12:
		get_teams(b, r);
		break;
	case 13:
		b->leaves = (unsigned)mp_get_uint(r, UINT32_MAX);
		break;
	case 14:
		mp_get_fixed(r, b->merkle_root.b, ID_LEN);
		break;
	case 16:
		b->suppressed = mp_get_bool(r);
		break;
	default:
		mp_get_any(r);
		break;
	}
}

/* A suppressed body says nothing; any other says how many. */
static bool is_consistent(const struct rollup_body *b, const struct number counts[2])
{
	if (b->suppressed)
		return !b->raw.set && !b->progress.set && !counts[0].set && !counts[1].set && b->n_key_results == 0 &&
			b->n_teams == 0;
	return counts[0].set && counts[1].set && b->raw.set == b->progress.set;
}

enum err rollup_body_read(struct rollup_body *out, struct slice body)
{
	struct mp_reader r = mp_read(body);
	struct number counts[2] = { { 0 } };
	uint32_t seen = 0;

	memset(out, 0, sizeof *out);
	if (body.len > LIMIT_STATEMENT)
		return ERR_TOOBIG;
	if (mp_check(body, LIMIT_DEPTH, body.len) != OK)
		return ERR_MALFORMED;
	for (size_t n = mp_get_map(&r, FIELDS_MAX); n > 0 && r.err == OK; n--) {
		uint64_t key = mp_get_uint(&r, UINT32_MAX);

		seen |= key < 32 ? 1u << key : 0;
		get_field(out, &r, key, counts);
	}
	if ((seen & NEEDED) != NEEDED || !is_consistent(out, counts))
		mp_fail(&r, ERR_MALFORMED);
	if (mp_end(&r) != OK) {
		memset(out, 0, sizeof *out);
		return r.err;
	}
	out->contributors = (unsigned)counts[0].value;
	out->hidden = (unsigned)counts[1].value;
	return OK;
}
