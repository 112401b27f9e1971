/* What concerns the keystore: init, unlock, passphrase, recovery phrase; and stop. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/phrase.h"
#include "base/text.h"
#include "daemon/loop.h"
#include "daemon/routes.h"

/* ---- init, unlock ---- */

/* {"passphrase": text} or {"noPassphrase": true}: *out's data NULL for the latter.  False: answered. */
static bool get_passphrase(struct request *r, const char *key, struct slice *out)
{
	bool ok = true, none = json_is_true(json_object_get(request_body(r), "noPassphrase"));
	const char *text = request_text(r, key, &ok);

	if (!ok)
		return false;
	*out = text == NULL ? SLICE(NULL, 0) : slice_of(text);
	if (none == (text != NULL))
		request_error(r, ERR_USAGE, "Give either a %s or noPassphrase: true", key);
	else if (text != NULL && (out->len == 0 || out->len > KEYSTORE_PASSPHRASE_MAX))
		request_error(r, ERR_USAGE, "A passphrase has 1 to %d bytes", KEYSTORE_PASSPHRASE_MAX);
	else
		return true;
	return false;
}

static bool has_controls(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] < 0x20 || s.data[i] == 0x7f)
			return true;
	return false;
}

/* NFC, without white space around it, within max code points.  Appended to b.  False: answered. */
static bool get_name(struct request *r, const char *key, struct buf *b, size_t max, bool needed)
{
	bool ok = true;
	const char *text = request_text(r, key, &ok);
	size_t len;
	enum err e;

	if (!ok)
		return false;
	if (text == NULL)
		text = "";
	text += strspn(text, " \t\r\n");
	for (len = strlen(text); len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL; len--)
		;
	e = text_nfc(b, SLICE(text, len));
	if (e == ERR_NOMEM || b->err != OK)
		request_error(r, ERR_NOMEM, NULL);
	else if (e != OK || has_controls(buf_slice(b)))
		request_error(r, ERR_USAGE, "\"%s\" holds characters that do not belong there", key);
	else if (needed && b->len == 0)
		request_error(r, ERR_USAGE, "\"%s\" is missing", key);
	else if (text_points(buf_slice(b)) > max)
		request_error(r, ERR_TOOBIG, "\"%s\" is longer than %zu characters", key, max);
	else
		return true;
	return false;
}

static void job_failed(struct request *r, enum err e, const char *why)
{
	char text[LOOP_WHY];

	snprintf(text, sizeof text, "%s", why);
	if (text[0] >= 'a' && text[0] <= 'z')
		text[0] = (char)(text[0] - 'a' + 'A');
	if (text[0] != '\0')
		request_error(r, e, "%s", text);
	else
		request_error(r, e, e == ERR_BUSY ? "Another request works on the keystore: try again" : NULL);
}

static void init_done(struct loop *l, uint64_t token, enum err e, const char *why)
{
	struct request *r = http_find(loop_http(l), token);
	const struct node_identity *id = loop_identity(l);

	if (r == NULL)
		return;
	if (e != OK || id == NULL) {
		job_failed(r, e, why);
		return;
	}
	request_answer(r, 200, json_pack("{sssssoso}", "message", "Your identity and this device's keys are made.",
		"hint", "Write down your recovery phrase: cairn recover show", "memberId", http_json_id(id->root.b, ID_LEN),
		"deviceId", http_json_id(id->device.b, ID_LEN)));
}

void local_init(struct request *r)
{
	static const char *const known[] = { "name", "email", "passphrase", "noPassphrase", NULL };
	struct keystore_init in = {0};
	struct buf name = {0}, email = {0};
	enum err e;

	if (request_only(r, known) && get_name(r, "name", &name, LIMIT_NAME, true) && get_name(r, "email", &email, LIMIT_EMAIL, false) &&
	    get_passphrase(r, "passphrase", &in.passphrase)) {
		in.name = buf_slice(&name);
		in.email = buf_slice(&email);
		e = loop_init(request_host(r), &in, init_done, request_suspend(r));
		if (e == ERR_EXISTS)
			request_error(r, e, "There is a store in this home, but its keystore is gone: cairn recover restore");
		else if (e != OK)
			job_failed(r, e, "");
	}
	http_json_wipe(request_body(r), "passphrase");
	buf_free(&name);
	buf_free(&email);
}

static void unlock_done(struct loop *l, uint64_t token, enum err e, const char *why)
{
	struct request *r = http_find(loop_http(l), token);

	if (r == NULL)
		return;
	if (e != OK)
		job_failed(r, e, why);
	else
		request_answer(r, 200, json_pack("{sssn}", "message", "Unlocked.", "hint"));
}

void local_unlock(struct request *r)
{
	static const char *const known[] = { "passphrase", NULL };
	bool ok = true;
	const char *text;
	enum err e;

	if (!request_only(r, known) || ((text = request_text(r, "passphrase", &ok)) == NULL && !ok))
		return;
	e = loop_unlock(request_host(r), text == NULL ? SLICE(NULL, 0) : slice_of(text), unlock_done, request_suspend(r));
	if (e != OK)
		job_failed(r, e, "");
	http_json_wipe(request_body(r), "passphrase");
}

static void passphrase_done(struct loop *l, uint64_t token, enum err e, const char *why)
{
	struct request *r = http_find(loop_http(l), token);

	if (r == NULL)
		return;
	if (e != OK)
		job_failed(r, e, why);
	else
		request_answer(r, 200, json_pack("{sssn}", "message", loop_locked_by(l) == KEYSTORE_PASSPHRASE ?
			"The keystore opens with the new passphrase only." : "The keystore opens without a passphrase now.", "hint"));
}

void local_passphrase(struct request *r)
{
	static const char *const known[] = { "passphrase", "newPassphrase", "noPassphrase", NULL };
	bool ok = true;
	const char *old;
	struct slice new;
	enum err e;

	if (request_only(r, known) && ((old = request_text(r, "passphrase", &ok)) != NULL || ok) &&
	    get_passphrase(r, "newPassphrase", &new)) {
		e = loop_change_passphrase(request_host(r), old == NULL ? SLICE(NULL, 0) : slice_of(old), new, passphrase_done,
			request_suspend(r));
		if (e != OK)
			job_failed(r, e, "");
	}
	http_json_wipe(request_body(r), "passphrase");
	http_json_wipe(request_body(r), "newPassphrase");
}

/* ---- the recovery phrase ---- */

/* False: answered, the seed has left this machine. */
static bool have_seed(struct request *r)
{
	if (loop_identity(request_host(r))->has_seed)
		return true;
	request_error(r, ERR_NOTFOUND, "The recovery phrase was confirmed: it is on paper only, no longer on this machine");
	return false;
}

void recovery_show(struct request *r)
{
	char phrase[PHRASE_TEXT_MAX];

	if (!have_seed(r))
		return;
	phrase_format(phrase, loop_identity(request_host(r))->seed);
	request_answer(r, 200, json_pack("{ssss}", "phrase", phrase, "hint", "When it is written down: cairn recover confirm"));
	crypto_wipe(phrase, sizeof phrase);
}

static void confirm_done(struct loop *l, uint64_t token, enum err e, const char *why)
{
	struct request *r = http_find(loop_http(l), token);
	struct command c = { .kind = COMMAND_RECOVER_CONFIRM };

	if (r == NULL)
		return;
	if (e != OK)
		job_failed(r, e, why);
	else
		request_command_then(r, &c, reply_plain);
}

void recovery_confirm(struct request *r)
{
	static const char *const known[] = { "phrase", NULL };
	bool ok = true;
	const char *text;
	uint8_t seed[32] = {0};
	char suggestion[64];
	int wrong = 0;
	enum err e;

	if (!have_seed(r) || !request_only(r, known) || ((text = request_text(r, "phrase", &ok)) == NULL && !ok))
		return;
	e = text == NULL ? ERR_USAGE : phrase_parse(seed, &wrong, suggestion, slice_of(text));
	if (text == NULL)
		request_error(r, ERR_USAGE, "\"phrase\" is missing: the 24 words");
	else if (e != OK && wrong > 0 && suggestion[0] != '\0')
		request_error(r, ERR_USAGE, "Word %d is wrong; did you mean \"%s\"?", wrong, suggestion);
	else if (e != OK && wrong > 0)
		request_error(r, ERR_USAGE, "Word %d is not a word of a recovery phrase", wrong);
	else if (e != OK)
		request_error(r, ERR_USAGE, "This is not a recovery phrase of 24 words, or several words are wrong");
	else if (!crypto_equal(seed, loop_identity(request_host(r))->seed, sizeof seed))
		request_error(r, ERR_USAGE, "This is a recovery phrase, but not yours");
	else if ((e = loop_drop_seed(request_host(r), confirm_done, request_suspend(r))) != OK)
		job_failed(r, e, "");
	crypto_wipe(seed, sizeof seed);
	http_json_wipe(request_body(r), "phrase");
}

void local_stop(struct request *r)
{
	request_answer(r, 200, json_pack("{sssnsI}", "message", "cairnd stops.", "hint", "pid", (json_int_t)getpid()));
	loop_stop(request_host(r));
}
