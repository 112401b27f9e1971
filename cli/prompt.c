#include "cli/prompt.h"
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "base/mem.h"

#define LINE_MAX_BYTES 4096
#define SECRET_MAX 1024

bool may_ask(const struct cli *c)
{
	return c->in_tty && c->err_tty && !c->json;
}

/* A line of stdin, byte by byte: what follows belongs to the next question. */
static const char *read_line(int fd, size_t max)
{
	char *line = keep(mem_alloc(max + 1));
	size_t len = 0;
	ssize_t n = 0;
	char c;

	if (line == NULL)
		return NULL;
	while ((n = read(fd, &c, 1)) == 1 && c != '\n')
		if (len < max && c != '\r' && c != '\0')
			line[len++] = c;
	return n != 1 && len == 0 ? NULL : line;
}

static const char *ask_with(const char *format, va_list args)
{
	fflush(stdout);
	vfprintf(stderr, format, args);
	fflush(stderr);
	return read_line(STDIN_FILENO, LINE_MAX_BYTES);
}

const char *ask(const char *format, ...)
{
	const char *line;
	va_list args;

	va_start(args, format);
	line = ask_with(format, args);
	va_end(args);
	return line;
}

bool ask_yes(const char *format, ...)
{
	const char *line;
	va_list args;

	va_start(args, format);
	line = ask_with(format, args);
	va_end(args);
	return line != NULL && (line[0] == 'y' || line[0] == 'Y');
}

static struct termios before;           /* the terminal, while it does not echo */

/* Ctrl-C must not leave a shell that does not echo. */
static void on_signal(int number)
{
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	signal(number, SIG_DFL);
	raise(number);
}

static void catch_signals(void (*handler)(int))
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		signal(numbers[i], handler);
}

const char *ask_secret(const char *question)
{
	struct termios quiet;
	bool hidden = tcgetattr(STDIN_FILENO, &before) == 0;
	const char *line;

	if (hidden) {
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
		catch_signals(on_signal);
		hidden = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
	}
	line = ask("%s", question);
	if (hidden) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	catch_signals(SIG_DFL);
	return line;
}

const char *read_secret_file(const char *path)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	const char *line = fd < 0 ? NULL : read_line(fd, SECRET_MAX);

	if (fd > STDERR_FILENO)
		close(fd);
	if (fd < 0)
		complain(EXIT_WRONG, "%s cannot be read: give the path of a file whose first line is the passphrase", safe(path));
	else if (line == NULL || line[0] == '\0') {
		complain(EXIT_WRONG, "%s is empty: its first line must be the passphrase", safe(path));
		line = NULL;
	}
	return line;
}

int confirm_name(struct cli *c, const char *what, const char *name)
{
	const char *line;

	if (c->yes)
		return EXIT_DONE;
	if (!may_ask(c))
		return complain(EXIT_PERSON, "%s; say --yes to do it without being asked", what);
	line = ask("%s.\nType the name (%s) to go on: ", what, safe(name));
	if (line != NULL && strcmp(line, name) == 0)
		return EXIT_DONE;
	return complain(EXIT_PERSON, "That is not the name: nothing was changed");
}
