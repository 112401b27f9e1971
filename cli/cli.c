#include "cli/cli.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"

#define NEAREST_MAX 3

/* ---- ends ---- */

int complain(int code, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("cairn: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

int no_memory(void)
{
	return complain(EXIT_FAILED, "Out of memory: close something and try again");
}

void hint(const struct cli *c, const char *text)
{
	if (c->json || text == NULL || text[0] == '\0')
		return;
	fflush(stdout);
	fprintf(stderr, "%s %s\n", arrow(), text);
}

void notice(const struct cli *c, const char *format, ...)
{
	va_list args;

	if (c->json)
		return;
	fflush(stdout);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* ---- memory until exit: reachable from here, so that leak checkers agree ---- */

static void **kept;
static size_t n_kept, cap_kept;

void *keep(void *block)
{
	void **grown;

	if (block == NULL)
		return NULL;
	grown = mem_grow(kept, &cap_kept, n_kept, sizeof *kept);
	if (grown == NULL)
		exit(no_memory());
	kept = grown;
	kept[n_kept++] = block;
	return block;
}

char *keep_printf(const char *format, ...)
{
	char stack[256];
	char *out;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(stack, sizeof stack, format, args);
	va_end(args);
	out = n < 0 ? NULL : keep(mem_alloc((size_t)n + 1));
	if (out == NULL)
		exit(no_memory());
	if ((size_t)n < sizeof stack) {
		memcpy(out, stack, (size_t)n);
	} else {
		va_start(args, format);
		vsnprintf(out, (size_t)n + 1, format, args);
		va_end(args);
	}
	return out;
}

json_t *keep_json(json_t *value)
{
	return keep(value);
}

static const char *made_safe(const char *text, bool multiline)
{
	struct buf b = {0};
	const char *at = text;

	while (*at >= 0x20 && *at < 0x7f)
		at++;
	if (*at == '\0')
		return text;                    /* nearly always */
	text_safe(&b, slice_of(text), multiline);
	buf_put_u8(&b, 0);
	if (b.err != OK)
		exit(no_memory());
	return keep(b.data);
}

const char *safe(const char *text)
{
	return made_safe(text, false);
}

const char *safe_lines(const char *text)
{
	return made_safe(text, true);
}

/* ---- the home ---- */

int cli_paths(struct cli *c)
{
	char cwd[PATHS_LEN];
	struct paths_env env = {
		.home_option = c->home, .cairn_home = getenv("CAIRN_HOME"), .home = getenv("HOME"),
		.xdg_data_home = getenv("XDG_DATA_HOME"), .xdg_state_home = getenv("XDG_STATE_HOME"),
		.xdg_runtime_dir = getenv("XDG_RUNTIME_DIR"), .cwd = getcwd(cwd, sizeof cwd), .uid = geteuid(),
	};
	enum err e;

	if (c->paths.dir[0] != '\0')
		return EXIT_DONE;
	if (c->home != NULL && c->home[0] == '\0')
		return complain(EXIT_WRONG, "--home needs a directory");
	switch (e = paths_compute(&c->paths, &env)) {
	case OK: return EXIT_DONE;
	case ERR_MISSING: return complain(EXIT_WRONG, "HOME is not set: say with --home DIR or CAIRN_HOME where Cairn keeps its data");
	case ERR_TOOBIG: return complain(EXIT_WRONG, "The path of the home is longer than %d bytes: choose a shorter one", PATHS_DIR_MAX);
	default: return complain(EXIT_WRONG, "The working directory cannot be found (%s): give --home an absolute path", err_text(e));
	}
}

/* ---- from words to a command ---- */

/* Sorts argv into the words that name the command and all the rest.  "--" and options of a command end the search. */
struct split { size_t n_path; const char *path[3]; int n_rest; char **rest; };

static bool split(struct split *s, int argc, char **argv)
{
	const struct command_group *group;
	bool open = true;
	size_t used;

	memset(s, 0, sizeof *s);
	s->rest = keep(mem_array((size_t)argc + 1, sizeof *s->rest));
	for (int i = 1; s->rest != NULL && i < argc; i++) {
		int n = open ? args_global(argc - i, argv + i) : 0;

		if (n > 0) {
			for (int k = 0; k < n; k++)
				s->rest[s->n_rest++] = argv[i + k];
			i += n - 1;
			continue;
		}
		open = open && (argv[i][0] != '-' || argv[i][1] == '\0') && s->n_path < 2;
		if (open) {
			s->path[s->n_path++] = argv[i];
			command_find(&used, &group, s->n_path, s->path);
			open = used == s->n_path;
			if (open || s->n_path == 1)
				continue;
			s->n_path--;
		}
		s->rest[s->n_rest++] = argv[i];
	}
	return s->rest != NULL;
}

/* word: behind a group, or NULL. */
static int not_a_command(const struct split *s, const struct command_group *group, const char *word)
{
	const char *paths[NEAREST_MAX], *words[] = { s->path[0], word };
	const char *typed = word == NULL ? safe(s->path[0]) : keep_printf("%s %s", safe(s->path[0]), safe(word));
	size_t found = command_nearest(paths, NEAREST_MAX, word == NULL ? 1 : 2, words);

	if (found == 0)
		return complain(EXIT_WRONG, "\"%s\" is no command; see cairn help%s%s", typed, group != NULL ? " " : "",
			group != NULL ? group->name : "");
	if (found == 1)
		return complain(EXIT_WRONG, "\"%s\" is no command; did you mean cairn %s?", typed, paths[0]);
	return complain(EXIT_WRONG, "\"%s\" is no command; did you mean cairn %s or cairn %s?", typed, paths[0], paths[1]);
}

static int take_globals(struct cli *c)
{
	const char *wait = args_option(&c->args, "timeout");

	c->home = args_option(&c->args, "home");
	c->org = args_option(&c->args, "org");
	if (c->org == NULL || c->org[0] == '\0')
		c->org = "default";
	c->json = args_option(&c->args, "json") != NULL;
	c->yes = args_option(&c->args, "yes") != NULL;
	c->no_autostart = args_option(&c->args, "no-autostart") != NULL;
	c->timeout_ms = -1;
	if (wait != NULL && !args_timeout(&c->timeout_ms, wait))
		return complain(EXIT_WRONG, "--timeout takes seconds, such as 30 or 0.5, not \"%s\"", safe(wait));
	return EXIT_DONE;
}

static int check_words(const struct cli *c, const struct command *command)
{
	size_t n = c->args.n_words;

	if (n < command->min)
		return complain(EXIT_WRONG, "Something is missing: %s", help_usage(command));
	if (n > command->max && command->tail == TAIL_NONE)
		return complain(EXIT_WRONG, "\"%s\" is too much: %s", safe(c->args.words[command->max]), help_usage(command));
	return EXIT_DONE;
}

static int run(struct cli *c, const struct command *command, const struct command_group *group, const struct split *s)
{
	char why[256];
	int code;

	if (!args_parse(&c->args, why, s->n_rest, s->rest, command == NULL ? NULL : command->options))
		return complain(EXIT_WRONG, "%s; see cairn %s%s--help", why, command == NULL ? "" : command->path,
			command == NULL || command->path[0] == '\0' ? "" : " ");
	if ((code = take_globals(c)) != EXIT_DONE)
		return code;
	if (args_option(&c->args, "version") != NULL) {
		say("cairn %s", CAIRN_VERSION);
		return EXIT_DONE;
	}
	if (args_option(&c->args, "help") != NULL || command == NULL) {
		if (command != NULL && command->path[0] == '\0')
			help_all();
		else if (command != NULL)
			help_command(command);
		else if (c->args.n_words > 0)
			return not_a_command(s, group, c->args.words[0]);
		else
			help_group(group);
		return EXIT_DONE;
	}
	return (code = check_words(c, command)) != EXIT_DONE ? code : command->run(c);
}

int cli_main(int argc, char **argv)
{
	static struct cli c;
	const struct command_group *group = NULL;
	const struct command *command;
	struct split s;
	size_t used;
	int code;

	json_set_alloc_funcs(mem_alloc, mem_free);
	json_object_seed(1);                    /* what we parse comes from our own daemon */
	c.in_tty = isatty(STDIN_FILENO);
	c.out_tty = isatty(STDOUT_FILENO);
	c.err_tty = isatty(STDERR_FILENO);
	if (!split(&s, argc, argv))
		return no_memory();
	command = command_find(&used, &group, s.n_path, s.path);
	if (used < s.n_path)
		return not_a_command(&s, NULL, NULL);
	if (command == NULL && group == NULL)
		command = &commands[0];         /* `cairn` alone */
	code = run(&c, command, group, &s);
	if (fflush(stdout) != 0 || ferror(stdout))
		code = complain(EXIT_FAILED, "The output cannot be written: %s", strerror(errno));
	return code;
}
