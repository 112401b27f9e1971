/* Help out of the one table: examples first. */
#include <stdio.h>
#include <string.h>
#include "cli/commands.h"
#include "cli/output.h"

const char *help_usage(const struct command *command)
{
	return keep_printf("cairn %s%s%s", command->path, command->args[0] != '\0' ? " " : "", command->args);
}

static void line_of(const char *left, const char *right, int width)
{
	int space = width - (int)strlen(left);

	say("  %s%*s  %s", bold(left), space > 0 ? space : 0, "", right);
}

static bool in_group(const struct command *command, const char *name)
{
	size_t len = strlen(name);

	return strncmp(command->path, name, len) == 0 && command->path[len] == ' ';
}

static void print_commands(const char *group, int width)
{
	for (size_t i = 0; i < commands_count; i++)
		if (group != NULL ? in_group(&commands[i], group) : commands[i].path[0] != '\0' && strchr(commands[i].path, ' ') == NULL)
			line_of(keep_printf("%s%s%s", commands[i].path, commands[i].args[0] != '\0' ? " " : "", commands[i].args),
				commands[i].summary, width);
}

static void print_options(const struct option_spec *list)
{
	for (; list != NULL && list->name != NULL; list++)
		line_of(keep_printf("%s--%s%s%s", list->letter != 0 ? keep_printf("-%c, ", list->letter) : "    ", list->name,
			list->value != NULL ? " " : "", list->value != NULL ? list->value : ""), list->help, 28);
}

static void print_examples(const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		say("  %.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

/* Words in lines of at most 78 columns. */
static void print_wrapped(const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		if (column > 0 && column + 1 + len > 78) {
			putchar('\n');
			column = 0;
		}
		column += (size_t)printf("%s%.*s", column == 0 ? "  " : " ", (int)len, text);
		text += len + (text[len] == ' ');
	}
	putchar('\n');
}

void help_all(void)
{
	say("Cairn: goal tracking for a team that has no server.\n");
	say("%s", bold("First steps"));
	print_examples("cairn init                                   your identity and keys\n"
		"cairn org create Acme                        found an organization, or: cairn org join CODE\n"
		"cairn org invite                             a code for somebody else\n"
		"cairn goal add \"Ship v2\" --target 100        a goal of your own\n"
		"cairn link \"Ship v2\" \"Grow revenue\"          let it contribute to an objective\n"
		"cairn share preview                          what others would see\n"
		"cairn goal progress \"Ship v2\" 45.5           say how far it is\n");
	say("\n%s", bold("Commands"));
	print_commands(NULL, 22);
	say("\n%s  (cairn GROUP lists its commands)", bold("Groups"));
	for (size_t i = 0; i < command_groups_count; i++)
		line_of(command_groups[i].name, command_groups[i].summary, 22);
	say("\n%s  (anywhere on the line)", bold("Options of every command"));
	print_options(global_options);
}

void help_group(const struct command_group *group)
{
	say("cairn %s: %s\n", group->name, group->summary);
	print_commands(group->name, 36);
	say("\ncairn %s COMMAND --help explains one.", group->name);
}

void help_command(const struct command *command)
{
	say("cairn %s: %s\n", command->path, command->summary);
	print_examples(command->examples);
	say("\n%s\n  %s [OPTION...]", bold("Usage"), help_usage(command));
	if (command->more != NULL)
		say("\n%s", command->more);
	if (command->options != NULL) {
		say("\n%s", bold("Options"));
		print_options(command->options);
	}
	say("\n%s", bold("Options of every command"));
	print_options(global_options);
	if (command->fields != NULL) {
		say("\n%s", bold("With --json"));
		print_wrapped(command->fields);
	}
}

bool help_topic(const char *name)
{
	if (strcmp(name, "exit-codes") == 0)
		fputs("Exit codes of cairn\n\n"
			"  0  done\n  1  failed\n  2  wrong usage\n  3  partly done\n  4  refused by permission or consent\n"
			"  5  cairnd is unreachable\n  6  a person must decide or unlock\n  7  not found, or ambiguous\n"
			"  8  saved, but waiting for a peer; cairnd goes on by itself\n\nTake an unknown one for a failure.\n", stdout);
	else if (strcmp(name, "environment") == 0)
		fputs("Environment of cairn\n\n"
			"  CAIRN_HOME       the instance to use, unless --home says otherwise\n"
			"  XDG_DATA_HOME    without either: $XDG_DATA_HOME/cairn, else ~/.local/share/cairn\n"
			"  XDG_STATE_HOME   where the default instance writes cairnd.log\n"
			"  XDG_RUNTIME_DIR  where the default instance has its socket\n"
			"  NO_COLOR         not empty: no colour (also with TERM=dumb, and when piped)\n"
			"  PATH             finds cairnd if it is not beside cairn\n", stdout);
	else
		return false;
	return true;
}

int cmd_help(struct cli *c)
{
	const struct command_group *group;
	const struct command *command;
	size_t used;

	if (c->args.n_words == 0) {
		help_all();
		return EXIT_DONE;
	}
	if (help_topic(c->args.words[0]))
		return EXIT_DONE;
	command = command_find(&used, &group, c->args.n_words, c->args.words);
	if (used != c->args.n_words)
		return complain(EXIT_WRONG, "There is no such command or topic: see cairn help");
	if (command != NULL)
		help_command(command);
	else
		help_group(group);
	return EXIT_DONE;
}
