#include "cli/autostart.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOCK_MAX 256
#define TAIL_MAX 8192

/* ---- where it listens ---- */

/* The socket of a running cairnd from its lock file, or "". */
static void running_socket(char socket[PATHS_SOCKET_MAX + 1], const struct paths *p)
{
	char text[LOCK_MAX];
	uint32_t pid;
	ssize_t n;
	int fd = open(p->lock, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	socket[0] = '\0';
	if (fd < 0)
		return;
	n = read(fd, text, sizeof text);
	close(fd);
	if (n > 0 && paths_lock_parse(&pid, socket, SLICE(text, (size_t)n)) != OK)
		socket[0] = '\0';
}

enum err daemon_connect(struct http **out, const struct paths *p, char why[AUTOSTART_WHY])
{
	char socket[PATHS_SOCKET_MAX + 1];
	enum err e = ERR_NOTFOUND;

	*out = NULL;
	why[0] = '\0';
	running_socket(socket, p);
	if (socket[0] != '\0')
		e = http_connect(out, socket);
	if (e == ERR_NOTFOUND && strcmp(socket, p->socket) != 0)
		e = http_connect(out, p->socket);
	if (e == ERR_DENIED)
		snprintf(why, AUTOSTART_WHY, "The socket of cairnd in %.300s belongs to another user", p->dir);
	else if (e != OK && e != ERR_NOTFOUND)
		snprintf(why, AUTOSTART_WHY, "cairnd in %.300s cannot be reached: %s", p->dir, err_text(e));
	return e;
}

/* ---- starting it ---- */

/* The path with its missing parents, 0700.  What goes wrong shows when something is opened in it. */
static void make_dirs(const char *path)
{
	char part[PATHS_LEN];

	if (mkdir(path, 0700) == 0 || errno != ENOENT)
		return;
	snprintf(part, sizeof part, "%s", path);
	for (char *at = strchr(part + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(part, 0700);
		*at = '/';
	}
	mkdir(path, 0700);
}

/* Where its stderr goes: the log, or memory where there can be none (then it says why). */
static int open_log(off_t *begin, const struct paths *p)
{
	int fd;

	make_dirs(p->state_dir);
	fd = open(p->log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		fd = memfd_create("cairnd.log", MFD_CLOEXEC);
	*begin = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	return fd;
}

/* "DIR/cairnd" where DIR holds this program; false: there is none. */
static bool beside_us(char path[PATHS_LEN])
{
	ssize_t n = readlink("/proc/self/exe", path, PATHS_LEN - 1);
	char *slash;

	if (n <= 0)
		return false;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (slash == NULL || (size_t)(slash - path) + sizeof "/cairnd" > PATHS_LEN)
		return false;
	strcpy(slash, "/cairnd");
	return access(path, X_OK) == 0;
}

static _Noreturn void become_daemon(const struct paths *p, const char *program, int log)
{
	char *home_args[] = { (char *)(uintptr_t)"cairnd", (char *)(uintptr_t)"--home", (char *)(uintptr_t)p->dir, NULL };
	char *default_args[] = { home_args[0], NULL };
	char **args = p->chosen ? home_args : default_args;
	int null = open("/dev/null", O_RDWR);

	setsid();
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(log >= 0 ? log : null, 2) < 0)
		_exit(126);
	syscall(SYS_close_range, 3U, ~0U, 0U);  /* nobody waits for our pipes to end */
	if (chdir("/") != 0)
		_exit(126);
	if (program != NULL)
		execv(program, args);
	else
		execvp("cairnd", args);
	_exit(errno == ENOENT ? 127 : 126);
}

/* The last "cairnd: sentence" that it wrote behind begin, as a sentence. */
static bool last_words(char why[AUTOSTART_WHY], int log, off_t begin)
{
	char text[TAIL_MAX + 1];
	off_t end = log < 0 ? 0 : lseek(log, 0, SEEK_END);
	ssize_t n;
	const char *found = NULL;

	if (end - begin > TAIL_MAX)
		begin = end - TAIL_MAX;
	n = end > begin ? pread(log, text, TAIL_MAX, begin) : 0;
	if (n <= 0)
		return false;
	text[n] = '\0';
	for (const char *at = strstr(text, "cairnd: "); at != NULL; at = strstr(at + 1, "cairnd: "))
		found = at;
	if (found == NULL)
		return false;
	found += sizeof "cairnd: " - 1;
	snprintf(why, AUTOSTART_WHY, "%.*s", (int)strcspn(found, "\n"), found);
	if (why[0] >= 'a' && why[0] <= 'z' && strncmp(why, "cairn", 5) != 0)
		why[0] = (char)(why[0] - 'a' + 'A');
	return why[0] != '\0';
}

static enum err ended(char why[AUTOSTART_WHY], const struct paths *p, int status, int log, off_t begin)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		snprintf(why, AUTOSTART_WHY, "There is no cairnd beside this program or on PATH: install it, or start it by hand");
	else if (WIFSIGNALED(status))
		snprintf(why, AUTOSTART_WHY, "cairnd was killed by signal %d while starting: see %.300s", WTERMSIG(status), p->log);
	else if (!last_words(why, log, begin))
		snprintf(why, AUTOSTART_WHY, "cairnd ended while starting: see %.300s", p->log);
	return ERR_STATE;
}

static void nap(long us)
{
	struct timespec t = { 0, us * 1000 };

	nanosleep(&t, NULL);
}

/* It answers as soon as its socket is there; another process may have started one at the same time. */
static enum err wait_for_socket(struct http **out, const struct paths *p, pid_t child, int log, off_t begin, char why[AUTOSTART_WHY])
{
	long waited = 0, step = 500, patience = AUTOSTART_WAIT_MS * 1000L;
	int status = 0;
	bool dead = false;
	enum err e;

	for (;;) {
		e = daemon_connect(out, p, why);
		if (e != ERR_NOTFOUND)
			return e;
		if (!dead && waitpid(child, &status, WNOHANG) == child) {
			dead = true;
			ended(why, p, status, log, begin);
			if (strstr(why, "already runs") == NULL)
				return ERR_STATE;
		}
		if (waited >= patience)
			break;
		nap(step);
		waited += step;
		step = step < 10000 ? step * 5 / 4 : 10000;
	}
	if (dead)
		return ended(why, p, status, log, begin);
	snprintf(why, AUTOSTART_WHY, "cairnd (process %ld) was started, but does not answer after %d s: see %.300s", (long)child,
		AUTOSTART_WAIT_MS / 1000, p->log);
	return ERR_BUSY;
}

enum err daemon_start(struct http **out, uint32_t *pid, const struct paths *p, char why[AUTOSTART_WHY])
{
	char program[PATHS_LEN];
	bool beside = beside_us(program);
	off_t begin = 0;
	int log = open_log(&begin, p);
	pid_t child;
	enum err e;

	*out = NULL;
	*pid = 0;
	child = fork();
	if (child == 0)
		become_daemon(p, beside ? program : NULL, log);
	if (child < 0) {
		snprintf(why, AUTOSTART_WHY, "cairnd cannot be started: %s", strerror(errno));
		e = ERR_IO;
	} else {
		*pid = (uint32_t)child;
		e = wait_for_socket(out, p, child, log, begin, why);
	}
	if (log >= 0)
		close(log);
	return e;
}

bool daemon_gone(uint32_t pid, long timeout_ms)
{
	struct pollfd p = { .events = POLLIN };

	p.fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0U);
	if (p.fd >= 0) {
		int n = poll(&p, 1, (int)timeout_ms);
		close(p.fd);
		return n > 0;
	}
	for (long waited = 0; kill((pid_t)pid, 0) == 0; waited += 10) {
		if (waited >= timeout_ms)
			return false;
		nap(10000);
	}
	return true;
}
