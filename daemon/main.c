/* cairnd: parses its arguments, hardens the process, opens the home, runs the loop.  What goes wrong before the loop runs is one sentence
 * on stderr and exit status 1 (2: wrong arguments). */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon/log.h"
#include "daemon/loop.h"

#define FILES_WANTED 16384

static const char usage[] =
	"Usage: cairnd [--home DIR] [OPTION...]\n"
	"The daemon of Cairn.  `cairn` starts it when it is needed; it stays in the foreground.\n"
	"\n"
	"      --home DIR              keep everything in DIR (default: $CAIRN_HOME, else ~/.local/share/cairn)\n"
	"      --passphrase-file FILE  unlock with the first line of FILE (else: systemd credential cairn-passphrase,\n"
	"                              else locked until `cairn unlock`)\n"
	"      --log-level LEVEL       error, warning, info or debug (default: cairn.conf, else info)\n"
	"      --log-file FILE         log to FILE instead of stderr\n"
	"      --foreground            stay in the foreground (always so)\n"
	"      --http ADDRESS          comes with a later version\n"
	"      --version, --help\n"
	"\n"
	"Exit status: 0 stopped, 1 could not start or had to stop, 2 wrong arguments.\n";

struct arguments { const char *home, *passphrase_file, *log_file; bool has_level; enum log_level level; };

__attribute__((format(printf, 1, 2)))
static void complain(const char *format, ...)
{
	va_list args;

	fputs("cairnd: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* -1: go on; else the exit status. */
static int parse(struct arguments *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "home", required_argument, NULL, 'H' }, { "passphrase-file", required_argument, NULL, 'p' },
		{ "log-level", required_argument, NULL, 'l' }, { "log-file", required_argument, NULL, 'L' },
		{ "foreground", no_argument, NULL, 'f' }, { "http", required_argument, NULL, 'w' },
		{ "version", no_argument, NULL, 'V' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (c) {
		case 'H': a->home = optarg; break;
		case 'p': a->passphrase_file = optarg; break;
		case 'L': a->log_file = optarg; break;
		case 'f': break;
		case 'l':
			a->has_level = log_level_parse(&a->level, optarg);
			if (!a->has_level) {
				complain("--log-level is error, warning, info or debug, not %s", optarg);
				return 2;
			}
			break;
		case 'w':
			complain("--http comes with a later version");
			return 2;
		case 'V':
			puts("cairnd " CAIRN_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs("Try cairnd --help.\n", stderr);
			return 2;
		}
	if (optind < argc) {
		complain("%s is not understood; try cairnd --help", argv[optind]);
		return 2;
	}
	return -1;
}

/* No core dumps, no files for others, no death by a closed pipe (design §4), no file that is taken for stderr; and room for a socket
 * or three per peer. */
static void harden(void)
{
	struct rlimit none = { 0, 0 }, files;
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_WANTED && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max < FILES_WANTED ? files.rlim_max : FILES_WANTED;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	prctl(PR_SET_DUMPABLE, 0);              /* leak checkers trace their own process */
#endif
}

/* The first line of --passphrase-file, or of systemd's credential.  *out stays NULL if there is neither. */
static enum err read_passphrase(char **out, const char *file)
{
	char path[PATHS_LEN];
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	struct buf b = {0};
	size_t len = 0;
	enum err e;

	*out = NULL;
	if (file == NULL) {
		if (credentials == NULL || (size_t)snprintf(path, sizeof path, "%s/cairn-passphrase", credentials) >= sizeof path ||
		    access(path, F_OK) != 0)
			return OK;
		file = path;
	}
	e = home_read_file(&b, file, KEYSTORE_PASSPHRASE_MAX + 2);
	while (e == OK && len < b.len && b.data[len] != '\n' && b.data[len] != '\r' && b.data[len] != '\0')
		len++;
	if (e == OK && (len == 0 || len > KEYSTORE_PASSPHRASE_MAX))
		e = ERR_USAGE;
	if (e == OK && (*out = crypto_secret_alloc((len + 16) & ~(size_t)15)) == NULL)
		e = ERR_NOMEM;
	if (e == OK)
		memcpy(*out, b.data, len);
	buf_wipe(&b);
	if (e != OK)
		complain("the passphrase in %s cannot be read: %s", file, e == ERR_USAGE ? "it is empty or too long" : err_text(e));
	return e;
}

/* Absolute, because we leave the working directory. */
static enum err open_log(const char *file)
{
	char cwd[PATHS_LEN], path[2 * PATHS_LEN];

	if (file[0] == '/')
		return log_file(file);
	if (getcwd(cwd, sizeof cwd) == NULL || (size_t)snprintf(path, sizeof path, "%s/%s", cwd, file) >= sizeof path)
		return ERR_IO;
	return log_file(path);
}

static int run(struct loop *loop)
{
	int status;

	if (chdir("/") != 0)                    /* keep nobody's disk from being unmounted */
		LOG(LOG_DEBUG, "the working directory stays");
	status = loop_run(loop);
	loop_free(loop);
	return status;
}

static int serve(const struct arguments *a, const struct home *home)
{
	struct conf conf;
	struct loop_options options = { .home = home, .conf = &conf };
	struct loop *loop;
	char why[LOOP_WHY], *passphrase = NULL;
	int status = 1;

	if (conf_load(&conf, home->paths.conf, why) != OK) {
		complain("%s", why);
		return 1;
	}
	log_level_set(a->has_level ? a->level : conf.level);
	if (a->log_file != NULL && open_log(a->log_file) != OK) {
		complain("cannot write the log file %s", a->log_file);
		return 1;
	}
	if (read_passphrase(&passphrase, a->passphrase_file) != OK)
		return 1;
	if (passphrase != NULL)
		options.passphrase = slice_of(passphrase);
	if (loop_open(&loop, &options, why) != OK)
		complain("%s", why);
	else
		status = run(loop);
	crypto_secret_free(passphrase);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments a = {0};
	static struct home home;
	char why[HOME_WHY];
	int status = parse(&a, argc, argv);

	if (status >= 0)
		return status;
	harden();
	if (crypto_start() != OK) {
		complain("the system's random numbers are not available");
		return 1;
	}
	if (home_find(&home, a.home, why) != OK || home_open(&home, why) != OK) {
		complain("%s", why);
		return 1;
	}
	status = serve(&a, &home);
	home_close(&home);
	return status;
}
