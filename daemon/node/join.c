/* Invites' codes, the JOIN dialogue, admission (protocol §4).
 *
 * Code: "cairn-" and base32 of  [version, space bin32, secret bin32, [[curve key bin32, address str]…]] ‖ 4 bytes of its hash.
 * The secret yields the invite's signing key and its CURVE client key, so that no unknown CURVE key is ever accepted.
 * TABLE_PENDING: 'j' ‖ space → [code bytes, request bin16, admitted]. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "base/id.h"
#include "daemon/node/node_internal.h"

#define CODE_PREFIX "cairn-"
#define CHECK_LEN 4
#define RETRY_MS 30000
#define ANSWER_MS 10000
#define JOIN_WAIT_MS 30000

/* ---- the code -------------------------------------------------------------------------------------------------------- */
struct invite_keys { struct id32 public; uint8_t secret[SIGN_SECRET_LEN]; uint8_t curve_public[KEY_LEN], curve_secret[KEY_LEN]; };

static void invite_keys(struct invite_keys *k, const uint8_t secret[KEY_LEN])
{
	uint8_t seed[KEY_LEN];

	crypto_mac(seed, KEY_LEN, secret, "cairn-invite-sign", NULL, 0);
	crypto_sign_seed(k->public.b, k->secret, seed);
	crypto_mac(seed, KEY_LEN, secret, "cairn-invite-curve", NULL, 0);
	crypto_box_seed(k->curve_public, k->curve_secret, seed);
	crypto_wipe(seed, sizeof seed);
}

void invite_public(struct id32 *key, uint8_t curve[KEY_LEN], const uint8_t secret[KEY_LEN])
{
	struct invite_keys k;

	invite_keys(&k, secret);
	*key = k.public;
	memcpy(curve, k.curve_public, KEY_LEN);
	crypto_wipe(&k, sizeof k);
}

static void code_check(uint8_t check[CHECK_LEN], const void *data, size_t len)
{
	struct id32 hash;

	crypto_hash1(&hash, "cairn-code", data, len);
	memcpy(check, &hash, CHECK_LEN);
}

static void put_door(struct buf *b, const uint8_t curve[KEY_LEN], struct slice address)
{
	mp_put_array(b, 2);
	mp_put_bin(b, curve, KEY_LEN);
	mp_put_str(b, (const char *)address.data, address.len);
}

/* Given addresses and our own first, then those of two other peers that are online (protocol §4). */
static size_t other_doors(struct node *n, const struct peer *out[2])
{
	size_t count = 0;

	for (size_t i = 0; i < n->n_peers && count < 2; i++)
		if (n->peers[i].session != NULL && n->peers[i].n_addresses > 0)
			out[count++] = &n->peers[i];
	return count;
}

enum err invite_code(struct buf *out, struct node *n, struct space *s, const uint8_t secret[32], const struct slice *addresses, size_t count)
{
	const struct peer *others[2];
	size_t n_others = other_doors(n, others), own = n->n_own_addresses;
	struct buf b = {0};
	uint8_t check[CHECK_LEN];
	enum err e;

	if (count + n_others > LIMIT_ADDRESSES)
		count = LIMIT_ADDRESSES - n_others;
	if (count + n_others + own > LIMIT_ADDRESSES)
		own = LIMIT_ADDRESSES - n_others - count;
	mp_put_array(&b, 4);
	mp_put_uint(&b, FORMAT_VERSION);
	mp_put_bin(&b, &s->id, ID_LEN);
	mp_put_bin(&b, secret, KEY_LEN);
	mp_put_array(&b, count + own + n_others);
	for (size_t i = 0; i < count; i++)
		put_door(&b, n->identity->curve_public, addresses[i]);
	for (size_t i = 0; i < own; i++)
		put_door(&b, n->identity->curve_public, slice_of(n->own_addresses[i]));
	for (size_t i = 0; i < n_others; i++)
		put_door(&b, others[i]->curve, slice_of(others[i]->addresses[0]));
	code_check(check, b.data, b.len);
	buf_put(&b, check, CHECK_LEN);
	buf_put_text(out, CODE_PREFIX);
	if ((e = b.err) == OK)
		id_encode(out, buf_slice(&b));
	buf_wipe(&b);
	return e == OK ? out->err : e;
}

static enum err code_read(struct join *j, struct slice bytes)
{
	struct mp_reader r;
	uint8_t check[CHECK_LEN];

	if (bytes.len < CHECK_LEN)
		return ERR_USAGE;
	bytes.len -= CHECK_LEN;
	code_check(check, bytes.data, bytes.len);
	if (memcmp(check, bytes.data + bytes.len, CHECK_LEN) != 0 || mp_check(bytes, 4, 64) != OK)
		return ERR_USAGE;
	r = mp_read(bytes);
	mp_get_array_of(&r, 4);
	if (mp_get_uint(&r, UINT32_MAX) != FORMAT_VERSION)
		return ERR_VERSION;
	mp_get_fixed(&r, &j->space, ID_LEN);
	mp_get_fixed(&r, j->secret, KEY_LEN);
	j->n_doors = mp_get_array(&r, LIMIT_ADDRESSES);
	for (size_t i = 0; i < j->n_doors; i++) {
		struct slice text;

		mp_get_array_of(&r, 2);
		mp_get_fixed(&r, j->doors[i].curve, KEY_LEN);
		text = mp_get_str(&r, LIMIT_ADDRESS_TEXT - 1);
		if (r.err == OK)
			memcpy(j->doors[i].address, text.data, text.len);
	}
	return mp_end(&r) == OK ? OK : ERR_USAGE;
}

enum err join_code_parse(struct join *j, struct buf *bytes, struct slice text)
{
	const size_t skip = sizeof CODE_PREFIX - 1;

	while (text.len > 0 && isspace(text.data[0]))
		text = SLICE(text.data + 1, text.len - 1);
	while (text.len > 0 && isspace(text.data[text.len - 1]))
		text.len--;
	if (text.len <= skip || memcmp(text.data, CODE_PREFIX, skip) != 0)
		return ERR_USAGE;
	if (id_decode(bytes, SLICE(text.data + skip, text.len - skip)) != OK)
		return ERR_USAGE;
	return code_read(j, buf_slice(bytes));
}

/* ---- the list of joins -------------------------------------------------------------------------------------------------- */
static void pending_key(uint8_t key[1 + ID_LEN], const struct id32 *space)
{
	key[0] = 'j';
	memcpy(key + 1, space, ID_LEN);
}

static enum err join_store(struct node *n, const struct join *j, struct slice code)
{
	uint8_t key[1 + ID_LEN];
	struct buf b = {0};
	enum err e;

	pending_key(key, &j->space);
	mp_put_array(&b, 3);
	mp_put_bin_slice(&b, code);
	mp_put_bin(&b, &j->request, DOC_LEN);
	mp_put_bool(&b, j->admitted);
	n->dirty = true;
	e = b.err ? b.err : store_put(n->txn, TABLE_PENDING, SLICE(key, sizeof key), buf_slice(&b));
	buf_wipe(&b);
	return e;
}

static enum err join_mark_admitted(struct node *n, struct join *j)
{
	uint8_t key[1 + ID_LEN];
	struct slice value, code;
	struct mp_reader r;
	struct buf copy = {0};
	enum err e;

	pending_key(key, &j->space);
	j->admitted = true;
	if ((e = store_get(n->txn, TABLE_PENDING, SLICE(key, sizeof key), &value)) != OK)
		return e;
	r = mp_read(value);
	mp_get_array_of(&r, 3);
	code = mp_get_bin(&r, SIZE_MAX);
	buf_put_slice(&copy, code);
	e = copy.err ? copy.err : join_store(n, j, buf_slice(&copy));
	buf_wipe(&copy);
	return e;
}

static struct join *join_append(struct node *n)
{
	struct join *grown = mem_grow(n->joins, &n->cap_joins, n->n_joins, sizeof *grown);

	if (grown == NULL)
		return NULL;
	n->joins = grown;
	grown = &grown[n->n_joins++];
	memset(grown, 0, sizeof *grown);
	grown->status = UINT32_MAX;
	return grown;
}

static enum err join_remove(struct node *n, struct join *j)
{
	uint8_t key[1 + ID_LEN];

	pending_key(key, &j->space);
	if (j->link != 0)
		node_disconnect(n, j->link);
	crypto_wipe(j, sizeof *j);
	*j = n->joins[--n->n_joins];
	n->dirty = true;
	return store_delete(n->txn, TABLE_PENDING, SLICE(key, sizeof key));
}

enum err joins_load(struct node *n)
{
	struct store_cursor *c = NULL;
	struct slice key, value;
	enum err e = store_cursor_open(&c, n->txn, TABLE_PENDING, SLICE("j", 1), SLICE(NULL, 0), false);

	while (e == OK && (e = store_cursor_next(c, &key, &value)) == OK) {
		struct mp_reader r = mp_read(value);
		struct join *j = join_append(n);
		struct slice code;

		if (j == NULL) {
			e = ERR_NOMEM;
			break;
		}
		mp_get_array_of(&r, 3);
		code = mp_get_bin(&r, SIZE_MAX);
		mp_get_fixed(&r, &j->request, DOC_LEN);
		j->admitted = mp_get_bool(&r);
		e = mp_end(&r) == OK && code_read(j, code) == OK ? OK : ERR_DAMAGED;
	}
	store_cursor_close(c);
	return e == ERR_NOTFOUND ? OK : e;
}

static struct join *join_of_space(struct node *n, const struct id32 *space)
{
	for (size_t i = 0; i < n->n_joins; i++)
		if (id32_equal(&n->joins[i].space, space))
			return &n->joins[i];
	return NULL;
}

static struct join *join_of_link(struct node *n, uint32_t link)
{
	for (size_t i = 0; i < n->n_joins; i++)
		if (link != 0 && n->joins[i].link == link)
			return &n->joins[i];
	return NULL;
}

/* A join that came to nothing leaves no trace. */
enum err space_forget(struct node *n, struct space *s)
{
	const size_t at = (size_t)(s - n->spaces);
	enum err e;

	if (authority_count(s->authority) > 0) {
		s->joining = false;                     /* we were in it once: what is known of it stays */
		return OK;
	}
	e = store_delete(n->txn, TABLE_SPACE, SLICE(&s->id, ID_LEN));
	n->dirty = true;
	authority_free(s->authority);
	keys_free(s);
	mem_free(s->tries[0]);
	mem_free(s->tries[1]);
	mem_free(s->changes);
	mem_free(s->standings);
	memmove(s, s + 1, (n->n_spaces - at - 1) * sizeof *s);
	n->n_spaces--;
	return e;
}

/* ---- the joiner ------------------------------------------------------------------------------------------------------------ */
static void knock(struct node *n, struct join *j)
{
	struct invite_keys k;
	const struct door *door = &j->doors[j->door % j->n_doors];

	invite_keys(&k, j->secret);
	j->link = n->next_link++ & 0x7fffffffu;
	j->retry_at = n->mono_ms + ANSWER_MS;
	node_connect(n, j->link, door->address, door->curve, k.curve_public, k.curve_secret);
	crypto_wipe(&k, sizeof k);
}

static enum err ask(struct node *n, struct join *j)
{
	struct net_message m = { .type = NET_JOIN, .space = j->space, .has_space = true };
	struct invite_keys k;
	struct buf frame = {0};
	enum err e;

	invite_keys(&k, j->secret);
	m.u.join.invite = k.public;
	m.u.join.request = j->request;
	m.u.join.root = n->member;
	m.u.join.certificate = SLICE(n->identity->certificate, n->identity->certificate_len);
	join_proof(m.u.join.signature, &j->space, &k.public, &j->request, &n->member, m.u.join.certificate, k.secret);
	crypto_wipe(&k, sizeof k);
	if ((e = net_encode(&frame, &m)) == OK)
		node_send(n, j->link, buf_slice(&frame));
	buf_free(&frame);
	return e;
}

bool join_link(struct node *n, const struct event *ev)
{
	struct join *j = join_of_link(n, ev->link);

	if (j == NULL)
		return false;
	if (ev->kind == EVENT_LINK_UP) {
		(void)ask(n, j);                        /* out of memory: asked again in 10 s */
		return true;
	}
	j->link = 0;
	j->last_error = ev->why;
	if (ev->why == ERR_DENIED)
		j->status = JOIN_UNKNOWN;
	/* The next address at once; after the last one a pause. */
	j->door++;
	j->retry_at = j->door % j->n_doors == 0 ? n->mono_ms + RETRY_MS : n->mono_ms;
	return true;
}

static const char *const refusals[] = {
	[JOIN_USED] = "This invite is already used up. Ask for a new one.",
	[JOIN_EXPIRED] = "This invite has expired. Ask for a new one.",
	[JOIN_CLOSED] = "This invite was withdrawn. Ask for a new one.",
	[JOIN_UNKNOWN] = "The organization does not know this invite (yet). Ask whoever made it.",
	[JOIN_WRONG] = "The organization refused the request: its signature does not fit.",
	[JOIN_REMOVED] = "The organization does not admit this device: it, or whoever invited you, may have been removed. Ask an Owner.",
};

static struct waiter *join_waiter(struct node *n, const struct id32 *space)
{
	for (size_t i = 0; i < n->n_waiters; i++)
		if (n->waiters[i].kind == COMMAND_ORG_JOIN && id32_equal(&n->waiters[i].space, space))
			return &n->waiters[i];
	return NULL;
}

static enum err join_fail(struct node *n, struct join *j, enum net_join_status status)
{
	struct waiter *w = join_waiter(n, &j->space);
	struct space *s = space_find(n, &j->space);
	enum err e = OK;

	if (w != NULL) {
		e = reply_send(n, w->token, &w->request, ERR_DENIED, refusals[status], NULL, NULL);
		waiter_remove(n, w);
	} else
		node_log(n, LOG_WARNING, "joining an organization was refused (%d)", (int)status);
	if (e == OK && s != NULL && s->joining)
		e = space_forget(n, s);
	return e == OK ? join_remove(n, j) : e;
}

static enum err joined(struct node *n, struct join *j, const struct net_message *m)
{
	struct peer *p;
	struct door door = j->doors[j->door % j->n_doors];
	enum err e;

	node_disconnect(n, j->link);
	j->link = 0;
	j->status = m->u.joined.status;
	switch (m->u.joined.status) {
	case JOIN_ADMITTED:
	case JOIN_PENDING:
		break;
	case JOIN_UNKNOWN:
		j->retry_at = n->mono_ms + RETRY_MS;    /* it may not have heard of the invite yet */
		if (j->door + 1 < j->n_doors) {
			j->door++;
			j->retry_at = n->mono_ms;
			return OK;
		}
		return join_fail(n, j, JOIN_UNKNOWN);
	default:
		return join_fail(n, j, m->u.joined.status);
	}
	if ((e = join_mark_admitted(n, j)) != OK)
		return e;
	if ((p = peer_known(n, &m->u.joined.device, door.curve)) == NULL)
		return ERR_NOMEM;
	j->retry_at = n->mono_ms + RETRY_MS;
	backoff_reset(&p->backoff);
	return peer_add_address(n, p, slice_of(door.address), true);
}

/* Name and e-mail become visible to members: that is what joining says (promise 5). */
static enum err profile_write(struct node *n, struct space *s)
{
	const struct kind_spec *kind = model_kind(KIND_PROFILE);
	struct id16 id;
	struct doc *old = NULL;
	struct change *change;
	enum err e;

	model_document_id(&id, &s->id, KIND_PROFILE, SLICE(&n->member, ID_LEN));
	e = document_read(n, s, KIND_PROFILE, &id, &old);
	doc_free(old);
	if (e != ERR_NOTFOUND)
		return e;
	if ((change = change_new(kind->schema, NULL)) == NULL)
		return ERR_NOMEM;
	change_register_text(change, PROFILE_NAME, slice_of(n->identity->name));
	if (n->identity->email[0] != '\0')
		change_register_text(change, PROFILE_EMAIL, slice_of(n->identity->email));
	e = author_change(n, s, KIND_PROFILE, &id, change);
	change_free(change);
	return e;
}

enum err member_begin(struct node *n, struct space *s)
{
	enum err e = profile_write(n, s);

	if (e == OK)
		e = secret_begin(n, s);
	if (e == OK)                                    /* it may have begun to listen before the organization was here */
		e = peers_announce(n);
	if (e == OK && !n->has_default) {
		n->has_default = true;
		n->default_org = s->id;
		e = meta_put(n, "default-org", SLICE(&s->id, ID_LEN));
	}
	return e;
}

bool join_synced(struct node *n, const struct space *s)
{
	struct session_space list[LIMIT_SPACES];

	for (size_t i = 0; i < n->n_peers; i++) {
		size_t count = n->peers[i].session == NULL ? 0 : session_list(n->peers[i].session, list, LIMIT_SPACES);

		for (size_t k = 0; k < count; k++)
			if (list[k].in_sync && id32_equal(&list[k].space, &s->id))
				return true;
	}
	return false;
}

static enum err join_done(struct node *n, struct join *j, struct space *s)
{
	struct waiter *w = join_waiter(n, &j->space);
	struct reply_builder *b;
	enum err e;

	if (w != NULL) {
		b = reply_new();
		reply_bin(b, "id", &s->id, ID_LEN);
		e = reply_send(n, w->token, &w->request, OK, "Joined. Name, keys and addresses are now visible to its members; nothing else is shared.",
			"cairn objective list", b);
		waiter_remove(n, w);
		if (e != OK)
			return e;
	}
	s->sync_once = true;
	return join_remove(n, j);
}

/* Admitted here, a key in hand: write the profile; in sync once more: done. */
static enum err join_progress(struct node *n, struct join *j)
{
	struct space *s = space_find(n, &j->space);
	struct epoch *epoch;
	enum err e;

	if (s == NULL || s->joining || (e = keys_for_space(n, s, &epoch)) == ERR_WAITING)
		return OK;
	if (e == OK && (e = member_begin(n, s)) == OK && join_synced(n, s))
		e = join_done(n, j, s);
	return e;
}

enum err join_time(struct node *n)
{
	enum err e = OK;

	for (size_t i = n->n_joins; i > 0 && e == OK; i--) {
		struct join *j = &n->joins[i - 1];

		if (j->admitted) {
			struct space *s = space_find(n, &j->space);

			if (s != NULL && s->joining && j->retry_at <= n->mono_ms) {
				peers_dial_now(n);
				j->retry_at = n->mono_ms + RETRY_MS;
			}
			e = join_progress(n, j);
		} else if (j->retry_at <= n->mono_ms && !n->offline) {
			if (j->link != 0) {
				node_disconnect(n, j->link);
				j->door++;
			}
			knock(n, j);
		}
	}
	return e;
}

uint64_t join_deadline(const struct node *n)
{
	uint64_t at = UINT64_MAX;

	for (size_t i = 0; i < n->n_joins; i++)
		if (!n->offline && n->joins[i].retry_at < at)
			at = n->joins[i].retry_at;
	return at;
}

enum err join_command(struct node *n, const struct command *c, uint64_t token)
{
	struct join parsed = { .n_doors = 0 }, *j;
	struct buf bytes = {0};
	struct space *s;
	struct waiter *w;
	enum err e = join_code_parse(&parsed, &bytes, c->text);

	if (e == ERR_VERSION) {
		e = reply_send(n, token, NULL, ERR_USAGE, "This code was made by a newer cairn. Upgrade, or ask for a code of this version.", NULL, NULL);
		goto out;
	}
	if (e == OK && parsed.n_doors == 0) {
		e = reply_send(n, token, NULL, ERR_USAGE, "This code names no address. Ask for one made with cairn org invite --address tcp://HOST:PORT.",
			NULL, NULL);
		goto out;
	}
	if (e != OK) {
		e = reply_send(n, token, NULL, ERR_USAGE, "This is not a whole invite code: check that nothing was lost or changed when copying it.",
			NULL, NULL);
		goto out;
	}
	s = space_find(n, &parsed.space);
	if (s != NULL && !s->joining && state_device_active(space_state(s), &n->identity->device)) {
		struct reply_builder *b = reply_new();

		reply_bin(b, "id", &s->id, ID_LEN);
		e = reply_send(n, token, &c->request, OK, "You are already a member.", NULL, b);
		goto out;
	}
	if ((j = join_of_space(n, &parsed.space)) == NULL) {
		if ((j = join_append(n)) == NULL) {
			e = ERR_NOMEM;
			goto out;
		}
		*j = parsed;
		j->status = UINT32_MAX;
		node_random(n, &j->request, DOC_LEN);
	} else
		memcpy(j->secret, parsed.secret, KEY_LEN);      /* another invite to the same organization */
	j->retry_at = n->mono_ms;
	if ((e = space_open(n, &s, &parsed.space, false)) == OK && (e = join_store(n, j, buf_slice(&bytes))) == OK &&
	    (e = waiter_add(n, COMMAND_ORG_JOIN, token, &c->request, JOIN_WAIT_MS, &w)) == OK)
		w->space = parsed.space;
	if (s != NULL)
		s->joining = s->follow_peers = true;
	else if (e == ERR_LIMIT && (e = join_remove(n, j)) == OK)
		e = reply_send(n, token, NULL, ERR_LIMIT, "You are in as many organizations as one home can hold.", NULL, NULL);
out:
	crypto_wipe(&parsed, sizeof parsed);
	buf_wipe(&bytes);
	return e;
}

/* ---- the admitter ------------------------------------------------------------------------------------------------------------- */
bool join_curve(struct node *n, const uint8_t curve[KEY_LEN])
{
	for (size_t i = 0; i < n->n_spaces; i++) {
		const struct state *state = n->spaces[i].is_self ? NULL : space_state(&n->spaces[i]);
		const struct invite *const *invites;
		size_t count = state == NULL ? 0 : state_invites(state, &invites);

		for (size_t k = 0; k < count; k++)
			if (memcmp(invites[k]->curve, curve, KEY_LEN) == 0)
				return true;
	}
	return false;
}

/* What to answer; *may: admit it. */
static enum net_join_status judge(struct node *n, struct space *s, const struct net_message *m, struct certificate *certificate, bool *may)
{
	const struct state *state = s == NULL || s->joining ? NULL : space_state(s);
	const struct invite *invite = state == NULL ? NULL : state_invite(state, &m->u.join.invite);
	const struct member *member;

	*may = false;
	if (invite == NULL)
		return JOIN_UNKNOWN;
	if (certificate_load(certificate, m->u.join.certificate) != OK || !id32_equal(&certificate->root, &m->u.join.root) ||
	    !join_proof_verify(m->u.join.signature, &s->id, &m->u.join.invite, &m->u.join.request, &m->u.join.root, m->u.join.certificate))
		return JOIN_WRONG;
	if (state_device_active(state, &certificate->device))
		return JOIN_ADMITTED;                   /* asked before, the answer was lost */
	member = state_member(state, &m->u.join.root);
	if (member != NULL && member->status == MEMBER_PENDING)
		return JOIN_PENDING;
	if (invite->closed)
		return JOIN_CLOSED;
	if (invite->has_expiry && invite->expires_ms <= n->wall_ms)
		return JOIN_EXPIRED;
	*may = invite->used < invite->uses;
	return JOIN_USED;
}

static enum err admit(struct node *n, struct space *s, const struct net_message *m, struct id32 *act, enum net_join_status *status)
{
	struct act_body body = { .invite = m->u.join.invite, .request = m->u.join.request, .root = m->u.join.root,
		.certificate_bytes = m->u.join.certificate };
	const bool approval = state_invite(space_state(s), &body.invite)->approval;
	enum err e;

	if (certificate_load(&body.certificate, body.certificate_bytes) != OK) {
		*status = JOIN_WRONG;
		return OK;
	}
	memcpy(body.signature, m->u.join.signature, SIG_LEN);
	e = author_act(n, s, ACT_ADMIT, &body, NULL, NULL, NULL, NULL, act);
	*status = e == OK ? (approval ? JOIN_PENDING : JOIN_ADMITTED) : JOIN_REMOVED;
	return err_is_hard(e) ? e : OK;
}

static enum err answer(struct node *n, uint32_t link, const struct net_message *m)
{
	struct net_message reply = { .type = NET_JOINED };
	struct space *s = space_find(n, &m->space);
	struct certificate certificate;
	bool may;
	enum net_join_status status = judge(n, s, m, &certificate, &may);
	struct buf frame = {0};
	enum err e = OK;

	reply.u.joined.request = m->u.join.request;
	reply.u.joined.device = n->identity->device;
	if (may) {
		e = admit(n, s, m, &reply.u.joined.admit, &status);
		reply.u.joined.has_admit = e == OK && (status == JOIN_ADMITTED || status == JOIN_PENDING);
	}
	reply.u.joined.status = status;
	if (e == OK && (e = net_encode(&frame, &reply)) == OK)
		node_send(n, link, buf_slice(&frame));
	buf_free(&frame);
	return e;
}

enum err join_message(struct node *n, uint32_t link, const struct net_message *m)
{
	struct join *j = join_of_link(n, link);

	if (m->type == NET_JOINED)
		return j != NULL && id16_equal(&j->request, &m->u.joined.request) ? joined(n, j, m) : OK;
	for (size_t i = 0; i < n->n_strangers; i++)
		if (n->strangers[i].link == link && ++n->strangers[i].requests > 30) {
			node_disconnect(n, link);       /* one a second, for as long as a link lives */
			return OK;
		}
	return answer(n, link, m);
}
