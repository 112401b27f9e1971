/* prompt: questions to the person at the terminal, on /dev/tty's behalf: asked on stderr, answered on stdin. */
#ifndef CLI_PROMPT_H
#define CLI_PROMPT_H
#include "cli/cli.h"

/* May we ask?  stdin and stderr are terminals, no --json. */
bool may_ask(const struct cli *);
/* A line without its end, kept; NULL at the end of input. */
const char *ask(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool ask_yes(const char *format, ...) __attribute__((format(printf, 1, 2)));   /* y/N */
/* Without echo. */
const char *ask_secret(const char *question);
/* The first line of a file ("-": stdin), at most 1024 bytes.  NULL: said. */
const char *read_secret_file(const char *path);
/* For dangerous commands: --yes, or the name is typed.  EXIT_DONE, or said. */
int confirm_name(struct cli *, const char *what, const char *name);

#endif
