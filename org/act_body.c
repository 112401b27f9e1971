/* Bodies of authority ops: one table of fields serves reading and writing (org/authority.h). */
#include <stddef.h>
#include <string.h>
#include "base/mp.h"
#include "org/authority.h"

/* How one key of a body is encoded, and where it goes in struct act_body. */
enum part_type { P_END, P_ID32, P_ID16, P_ID16_NIL, P_ID32_NIL, P_UINT, P_BOOL, P_KEY, P_ROLE, P_TIME_NIL, P_CERTIFICATE, P_SIGNATURE,
	P_TEAMS, P_CLAIMS, P_MOVES, P_PINS };
struct part { unsigned char key; unsigned char type; unsigned short at, flag; uint64_t max; };

#define AT(field) (unsigned short)offsetof(struct act_body, field)
#define ID32(k, field) { k, P_ID32, AT(field), 0, 0 }
#define ID16(k, field) { k, P_ID16, AT(field), 0, 0 }
#define ID16_NIL(k, field, has) { k, P_ID16_NIL, AT(field), AT(has), 0 }
#define ID32_NIL(k, field, has) { k, P_ID32_NIL, AT(field), AT(has), 0 }
#define U32(k, field, max) { k, P_UINT, AT(field), 4, max }
#define U64(k, field, max) { k, P_UINT, AT(field), 8, max }
#define FLAG(k, field) { k, P_BOOL, AT(field), 0, 0 }
#define LIST(k, type) { k, type, 0, 0, 0 }
#define PINS LIST(9, P_PINS)
#define PARTS 8

static const struct part bodies[][PARTS] = {
	[ACT_GENESIS] = { FLAG(1, is_org), ID32(2, root), LIST(3, P_CERTIFICATE), ID16(4, nonce) },
	[ACT_INVITE] = { ID32(1, invite), { 2, P_KEY, AT(curve), 0, 0 }, LIST(3, P_ROLE), LIST(4, P_TEAMS), U64(5, uses, LIMIT_INVITE_USES),
		{ 6, P_TIME_NIL, AT(expires_ms), AT(has_expiry), 0 }, FLAG(7, approval) },
	[ACT_CLOSE] = { ID32(1, invite) },
	[ACT_ADMIT] = { ID32(1, invite), ID16(2, request), ID32(3, root), LIST(4, P_CERTIFICATE), LIST(5, P_SIGNATURE) },
	[ACT_LEAVE] = { PINS },
	[ACT_REMOVE] = { ID32(1, member), PINS },
	[ACT_ROLE] = { ID32(1, member), LIST(2, P_ROLE), PINS },
	[ACT_CAPABILITY] = { ID32(1, device), U32(2, capability, 31), FLAG(3, on) },
	[ACT_CERTIFY] = { LIST(1, P_CERTIFICATE) },
	[ACT_REVOKE] = { ID32(1, device), PINS },
	[ACT_TEAM] = { ID16(1, team), ID16_NIL(2, parent, has_parent), U32(3, type, TEAM_CUSTOM) },
	[ACT_TEAM_PARENT] = { ID16(1, team), ID16_NIL(2, parent, has_parent) },
	[ACT_TEAM_LEAD] = { ID16(1, team), ID32_NIL(2, member, has_member), PINS },
	[ACT_TEAM_MEMBER] = { ID16(1, team), ID32(2, member), FLAG(3, on), PINS },
	[ACT_MANAGER] = { ID32(1, member), ID32_NIL(2, root, has_member), PINS },
	[ACT_DOTTED] = { ID32(1, member), ID32(2, root), FLAG(3, on), PINS },
	[ACT_SETTING] = { U32(1, setting, UINT32_MAX), U64(2, value, UINT64_MAX) },
	[ACT_SCOPE] = { ID16_NIL(1, team, has_team), LIST(2, P_CLAIMS), LIST(3, P_MOVES) },
	[ACT_SALVAGE] = { ID32(1, device), U64(2, incarnation, UINT64_MAX), U64(3, from, UINT64_MAX), U64(4, to, UINT64_MAX), ID32(5, op) },
	[ACT_APPROVE] = { ID32(1, member) },
	[ACT_MERGE] = { { 0 } },
	[ACT_STATUS] = { U32(1, status, 2) },
	[ACT_DELETE] = { { 0 } },
	[ACT_TEAM_STATUS] = { ID16(1, team), U32(2, status, 2) },
};
#define KINDS (sizeof bodies / sizeof bodies[0])

/* ---- reading ------------------------------------------------------------------------------------------------- */
/* An array of fixed-size things, ascending and unique; the slice is the encoding. */
static struct slice get_list(struct mp_reader *r, size_t *n, size_t max, bool pins)
{
	const uint8_t *start = r->at;
	struct pin last = { .seq = 0 }, pin = { .seq = 0 };

	*n = mp_get_array(r, max);
	for (size_t i = 0; i < *n && r->err == OK; i++) {
		if (pins) {
			mp_get_array_of(r, 3);
			mp_get_fixed(r, &pin.device, ID_LEN);
			pin.incarnation = mp_get_uint(r, UINT64_MAX);
			pin.seq = mp_get_uint(r, UINT64_MAX);
		} else
			mp_get_fixed(r, &pin.device, DOC_LEN);
		if (i > 0) {
			int order = id32_compare(&last.device, &pin.device);

			if (order > 0 || (order == 0 && last.incarnation >= pin.incarnation))
				mp_fail(r, ERR_MALFORMED);
		}
		last = pin;
	}
	return r->err == OK ? SLICE(start, (size_t)(r->at - start)) : SLICE(NULL, 0);
}

static void get_part(struct mp_reader *r, struct act_body *b, const struct part *p)
{
	uint8_t *to = (uint8_t *)b + p->at;
	uint64_t v;

	switch (p->type) {
	case P_ID32: mp_get_fixed(r, to, ID_LEN); break;
	case P_KEY: mp_get_fixed(r, to, KEY_LEN); break;
	case P_ID16: mp_get_fixed(r, to, DOC_LEN); break;
	case P_SIGNATURE: mp_get_fixed(r, b->signature, SIG_LEN); break;
	case P_ID16_NIL:
	case P_ID32_NIL:
		if (mp_get_nil(r))
			break;
		*((bool *)b + p->flag) = true;
		mp_get_fixed(r, to, p->type == P_ID16_NIL ? DOC_LEN : ID_LEN);
		break;
	case P_TIME_NIL:
		if (mp_get_nil(r))
			break;
		b->has_expiry = true;
		b->expires_ms = mp_get_uint(r, INT64_MAX);
		break;
	case P_UINT:
		v = mp_get_uint(r, p->max);
		if (p->flag == 4)
			*(uint32_t *)(void *)to = (uint32_t)v;
		else
			*(uint64_t *)(void *)to = v;
		break;
	case P_BOOL: *(bool *)to = mp_get_bool(r); break;
	case P_ROLE: b->role = (enum role)mp_get_uint(r, ROLE_VIEWER); break;
	case P_CERTIFICATE:
		b->certificate_bytes = mp_get_bin(r, 512);
		if (r->err == OK) {
			enum err e = certificate_load(&b->certificate, b->certificate_bytes);

			if (e != OK)
				mp_fail(r, e == ERR_NOMEM ? ERR_NOMEM : ERR_MALFORMED);
		}
		break;
	case P_TEAMS: b->teams = get_list(r, &b->n_teams, 64, false); break;
	case P_CLAIMS: b->claims = get_list(r, &b->n_claims, LIMIT_SCOPE_DOCUMENTS, false); break;
	case P_MOVES: b->moves = get_list(r, &b->n_moves, LIMIT_SCOPE_DOCUMENTS, false); break;
	case P_PINS: b->pins = get_list(r, &b->n_pins, LIMIT_PINS, true); break;
	}
}

static size_t parts_of(const struct part *parts)
{
	size_t n = 0;

	while (n < PARTS && parts[n].type != P_END)
		n++;
	return n;
}

enum err act_body_load(struct act_body *b, const struct act *act)
{
	struct mp_reader r = mp_read(act->body);
	const struct part *parts;
	size_t n, next = 0;

	memset(b, 0, sizeof *b);
	if (act->kind == 0 || act->kind >= KINDS)
		return ERR_VERSION;
	parts = bodies[act->kind];
	n = parts_of(parts);
	/* Keys that this version does not know are kept and ignored (protocol §1); those that it knows must all be there. */
	for (size_t i = 0, pairs = mp_get_map(&r, 64); i < pairs && r.err == OK; i++) {
		uint64_t key = mp_get_uint(&r, UINT32_MAX);

		if (next < n && key == parts[next].key)
			get_part(&r, b, &parts[next++]);
		else
			(void)mp_get_any(&r);
	}
	if (mp_end(&r) == ERR_NOMEM)
		return ERR_NOMEM;
	return r.err == OK && next == n ? OK : ERR_MALFORMED;
}

struct id16 act_id16_at(struct slice array, size_t i)
{
	struct mp_reader r = mp_read(array);
	struct id16 id = {{0}};

	if (mp_get_array(&r, SIZE_MAX) > i) {
		r.at += i * (DOC_LEN + 2);              /* bin8: each is as long as the other */
		mp_get_fixed(&r, &id, DOC_LEN);
	}
	return id;
}

struct pin act_pin_at(struct slice array, size_t i)
{
	struct mp_reader r = mp_read(array);
	struct pin pin = { .seq = 0 };

	for (size_t n = mp_get_array(&r, SIZE_MAX); n > 0 && i > 0; n--, i--)
		(void)mp_get_any(&r);
	mp_get_array_of(&r, 3);
	mp_get_fixed(&r, &pin.device, ID_LEN);
	pin.incarnation = mp_get_uint(&r, UINT64_MAX);
	pin.seq = mp_get_uint(&r, UINT64_MAX);
	return pin;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */
static void put_ids(struct buf *out, const struct id16 *ids, size_t n)
{
	mp_put_array(out, n);
	for (size_t i = 0; i < n; i++)
		mp_put_bin(out, &ids[i], DOC_LEN);
}

static void put_pins(struct buf *out, const struct pin *pins, size_t n)
{
	mp_put_array(out, n);
	for (size_t i = 0; i < n; i++) {
		mp_put_array(out, 3);
		mp_put_bin(out, &pins[i].device, ID_LEN);
		mp_put_uint(out, pins[i].incarnation);
		mp_put_uint(out, pins[i].seq);
	}
}

struct lists { const struct id16 *teams, *claims, *moves; const struct pin *pins; };

static void put_part(struct buf *out, const struct act_body *b, const struct part *p, const struct lists *l)
{
	const uint8_t *from = (const uint8_t *)b + p->at;

	switch (p->type) {
	case P_ID32: mp_put_bin(out, from, ID_LEN); break;
	case P_KEY: mp_put_bin(out, from, KEY_LEN); break;
	case P_ID16: mp_put_bin(out, from, DOC_LEN); break;
	case P_SIGNATURE: mp_put_bin(out, b->signature, SIG_LEN); break;
	case P_ID16_NIL:
	case P_ID32_NIL:
		if (*((const bool *)b + p->flag))
			mp_put_bin(out, from, p->type == P_ID16_NIL ? DOC_LEN : ID_LEN);
		else
			mp_put_nil(out);
		break;
	case P_TIME_NIL:
		if (b->has_expiry)
			mp_put_uint(out, b->expires_ms);
		else
			mp_put_nil(out);
		break;
	case P_UINT:
		mp_put_uint(out, p->flag == 4 ? *(const uint32_t *)(const void *)from : *(const uint64_t *)(const void *)from);
		break;
	case P_BOOL: mp_put_bool(out, *(const bool *)from); break;
	case P_ROLE: mp_put_uint(out, b->role); break;
	case P_CERTIFICATE: mp_put_bin_slice(out, b->certificate_bytes); break;
	case P_TEAMS: put_ids(out, l->teams, b->n_teams); break;
	case P_CLAIMS: put_ids(out, l->claims, b->n_claims); break;
	case P_MOVES: put_ids(out, l->moves, b->n_moves); break;
	case P_PINS: put_pins(out, l->pins, b->n_pins); break;
	}
}

enum err act_body_encode(struct buf *out, enum act_kind kind, const struct act_body *b, const struct id16 *teams, const struct id16 *claims,
	const struct id16 *moves, const struct pin *pins)
{
	const struct lists lists = { teams, claims, moves, pins };
	size_t n;

	if (kind == 0 || (size_t)kind >= KINDS)
		return ERR_VERSION;
	n = parts_of(bodies[kind]);
	mp_put_map(out, n);
	for (size_t i = 0; i < n; i++) {
		mp_put_uint(out, bodies[kind][i].key);
		put_part(out, b, &bodies[kind][i], &lists);
	}
	return out->err;
}

/* ---- derived things ------------------------------------------------------------------------------------------------ */
void scope_document(struct id16 *out, const struct id32 *space, const struct id32 *member, const struct id16 *nonce)
{
	struct slice parts[] = { SLICE(space, ID_LEN), SLICE(member, ID_LEN), SLICE(nonce, DOC_LEN) };
	struct id32 hash;

	crypto_hash(&hash, "cairn-scope", parts, 3);
	memcpy(out, &hash, DOC_LEN);
}

static void join_hash(struct id32 *out, const struct id32 *space, const struct id32 *invite, const struct id16 *request,
	const struct id32 *root, struct slice certificate)
{
	struct slice parts[] = { SLICE(space, ID_LEN), SLICE(invite, ID_LEN), SLICE(request, DOC_LEN), SLICE(root, ID_LEN), certificate };

	crypto_hash(out, "cairn-join", parts, 5);
}

void join_proof(uint8_t sig[SIG_LEN], const struct id32 *space, const struct id32 *invite, const struct id16 *request,
	const struct id32 *root, struct slice certificate, const uint8_t invite_secret[SIGN_SECRET_LEN])
{
	struct id32 hash;

	join_hash(&hash, space, invite, request, root, certificate);
	crypto_sign(sig, "cairn-join", &hash, invite_secret);
}

bool join_proof_verify(const uint8_t sig[SIG_LEN], const struct id32 *space, const struct id32 *invite, const struct id16 *request,
	const struct id32 *root, struct slice certificate)
{
	struct id32 hash;

	join_hash(&hash, space, invite, request, root, certificate);
	return crypto_verify(sig, "cairn-join", &hash, invite);
}
