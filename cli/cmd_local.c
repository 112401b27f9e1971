/* This device: init, unlock, recover, stop, offline, online, check. */
#include <stdio.h>
#include <string.h>
#include "cli/autostart.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/prompt.h"

#define INIT_MS 120000          /* hashing a passphrase takes a second; a small machine, more */
#define CHECK_MS 3600000
#define STOP_MS 30000

/* ---- init and unlock ---- */

/* Twice, without echo.  NULL: said, with *code. */
static const char *new_passphrase(int *code)
{
	const char *first = ask_secret("A passphrase for the keys on this device (empty: none): "), *second;

	*code = EXIT_PERSON;
	if (first == NULL) {
		complain(EXIT_PERSON, "No passphrase was given: nothing was made");
		return NULL;
	}
	if (first[0] == '\0')
		return first;
	second = ask_secret("The same again: ");
	if (second != NULL && strcmp(first, second) == 0)
		return first;
	complain(EXIT_PERSON, "The two are not the same: nothing was made");
	return NULL;
}

/* Adds passphrase or noPassphrase.  EXIT_DONE, or said. */
static int choose_passphrase(struct cli *c, json_t *body)
{
	const char *file = args_option(&c->args, "passphrase-file"), *secret = "";
	int code = EXIT_WRONG;

	if (args_option(&c->args, "no-passphrase") != NULL && file != NULL)
		return complain(EXIT_WRONG, "Give either --no-passphrase or --passphrase-file");
	if (file != NULL)
		secret = read_secret_file(file);
	else if (args_option(&c->args, "no-passphrase") == NULL && !may_ask(c))
		return complain(EXIT_WRONG, "Say how the keys are kept: --passphrase-file FILE or --no-passphrase");
	else if (args_option(&c->args, "no-passphrase") == NULL)
		secret = new_passphrase(&code);
	if (secret == NULL)
		return code;
	if (secret[0] != '\0')
		add_text(body, "passphrase", secret);
	else
		json_object_set_new(body, "noPassphrase", json_true());
	return EXIT_DONE;
}

int cmd_init(struct cli *c)
{
	const char *name = args_option(&c->args, "name");
	json_t *body = json_object(), *answer;
	int code;

	if (name == NULL && may_ask(c))
		name = ask("Your name, as the members of your organizations will see it: ");
	if (name == NULL || name[0] == '\0')
		code = complain(EXIT_WRONG, "Say who you are: cairn init --name NAME");
	else
		code = choose_passphrase(c, body);
	if (code != EXIT_DONE) {
		json_decref(body);
		return code;
	}
	add_text(body, "name", name);
	add_text(body, "email", args_option(&c->args, "email"));
	code = call_for(c, &answer, "POST", "/api/local/init", body, c->timeout_ms >= 0 ? c->timeout_ms : INIT_MS);
	return finish(c, code, answer);
}

int cmd_unlock(struct cli *c)
{
	const char *file = args_option(&c->args, "passphrase-file"), *secret;
	json_t *answer;
	int code;

	if (file == NULL && !may_ask(c))
		return complain(EXIT_PERSON, "There is no terminal to ask on: say --passphrase-file FILE");
	if (file == NULL && (code = get(c, &answer, "/api/local/status")) != EXIT_DONE)
		return code;
	if (file == NULL && strcmp(text_of(answer, "state"), "locked") != 0)
		return finish(c, EXIT_DONE, json_pack("{ss}", "message", strcmp(text_of(answer, "state"), "new") == 0 ?
			"There is no identity yet: cairn init" : "It is not locked."));
	secret = file != NULL ? read_secret_file(file) : ask_secret("Passphrase: ");
	if (secret == NULL)
		return file != NULL ? EXIT_WRONG : EXIT_PERSON;
	code = call_for(c, &answer, "POST", "/api/local/unlock", json_pack("{ss}", "passphrase", secret),
		c->timeout_ms >= 0 ? c->timeout_ms : INIT_MS);
	return finish(c, code, answer);
}

/* ---- the recovery phrase ---- */

static void print_phrase(const char *phrase)
{
	char word[32];
	int i = 0, used;

	while (sscanf(phrase, "%31s%n", word, &used) == 1) {
		printf("%2d. %-12s%s", i + 1, word, i % 4 == 3 ? "\n" : "");
		phrase += used;
		i++;
	}
	if (i % 4 != 0)
		putchar('\n');
}

int cmd_recover_show(struct cli *c)
{
	json_t *answer;
	int code = get(c, &answer, "/api/local/recovery");

	if (code != EXIT_DONE)
		return code;
	if (c->json) {
		print_json(answer);
		return code;
	}
	if (c->out_tty)
		print_phrase(text_of(answer, "phrase"));
	else
		say("%s", text_of(answer, "phrase"));
	notice(c, "These words restore your identity on a new machine.  Whoever has them is you: write them on paper.");
	hint(c, text_of(answer, "hint"));
	return code;
}

int cmd_recover_confirm(struct cli *c)
{
	const char *file = args_option(&c->args, "phrase-file"), *phrase;

	if (file == NULL && !may_ask(c))
		return complain(EXIT_PERSON, "There is no terminal to ask on: say --phrase-file FILE");
	phrase = file != NULL ? read_secret_file(file) : ask("Type the 24 words from your paper: ");
	if (phrase == NULL)
		return file != NULL ? EXIT_WRONG : EXIT_PERSON;
	return change(c, "POST", "/api/local/recovery/confirm", json_pack("{ss}", "phrase", phrase));
}

/* ---- the daemon ---- */

int cmd_stop(struct cli *c)
{
	json_t *answer;
	json_int_t pid;
	int code = call_running(c);

	if (code == EXIT_NO_DAEMON)
		return finish(c, EXIT_DONE, keep_json(json_pack("{sssn}", "message", "cairnd is not running.", "pid")));
	if (code == EXIT_DONE)
		code = call(c, &answer, "POST", "/api/local/stop", json_object());
	if (code != EXIT_DONE)
		return code;
	pid = json_integer_value(json_object_get(answer, "pid"));
	if (pid > 1 && pid <= INT32_MAX && !daemon_gone((uint32_t)pid, c->timeout_ms >= 0 ? c->timeout_ms : STOP_MS))
		return complain(EXIT_FAILED, "cairnd (process %" JSON_INTEGER_FORMAT ") was told to stop, but still runs: wait, or see %s", pid,
			safe(c->paths.log));
	return finish(c, code, answer);
}

int cmd_offline(struct cli *c)
{
	return change(c, "POST", "/api/local/offline", NULL);
}

int cmd_online(struct cli *c)
{
	return change(c, "POST", "/api/local/online", NULL);
}

int cmd_check(struct cli *c)
{
	static const struct column columns[] = { { "records", "records", CELL_NUMBER }, { "format", "format", CELL_TEXT } };
	json_t *answer, *one;
	size_t i, n;
	int code = call_for(c, &answer, "GET", "/api/local/check", NULL, c->timeout_ms >= 0 ? c->timeout_ms : CHECK_MS);

	if (code != EXIT_DONE)
		return code;
	print_thing(c, answer, columns, sizeof columns / sizeof *columns);
	n = json_array_size(json_object_get(answer, "damaged"));
	if (n == 0) {
		notice(c, "Every record opens.");
		return EXIT_DONE;
	}
	json_array_foreach(json_object_get(answer, "damaged"), i, one)
		notice(c, "  %s", json_is_object(one) ? safe(keep(json_dumps(one, JSON_COMPACT | JSON_SORT_KEYS))) :
			cell_text(one, CELL_TEXT, true));
	return complain(EXIT_FAILED, "%zu record%s cannot be opened: sync with a peer, or restore a backup", n, n == 1 ? "" : "s");
}
