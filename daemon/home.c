#include "daemon/home.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err err_of(int number)
{
	switch (number) {
	case ENOSPC: case EDQUOT: return ERR_FULL;
	case ENOENT: return ERR_NOTFOUND;
	case ENOMEM: return ERR_NOMEM;
	default: return ERR_IO;
	}
}

enum err home_find(struct home *h, const char *option, char why[HOME_WHY])
{
	char cwd[PATHS_LEN];
	struct paths_env env = {
		.home_option = option, .cairn_home = getenv("CAIRN_HOME"), .home = getenv("HOME"),
		.xdg_data_home = getenv("XDG_DATA_HOME"), .xdg_state_home = getenv("XDG_STATE_HOME"),
		.xdg_runtime_dir = getenv("XDG_RUNTIME_DIR"), .cwd = getcwd(cwd, sizeof cwd), .uid = getuid(),
	};
	enum err e = option != NULL && option[0] == '\0' ? ERR_USAGE : paths_compute(&h->paths, &env);

	h->lock_fd = -1;
	why[0] = '\0';
	if (e == ERR_MISSING)
		snprintf(why, HOME_WHY, "HOME is not set: say with --home DIR or CAIRN_HOME where Cairn keeps its data");
	else if (e == ERR_TOOBIG)
		snprintf(why, HOME_WHY, "the path of the home is longer than %d bytes: choose a shorter one", PATHS_DIR_MAX);
	else if (e != OK && option != NULL && option[0] == '\0')
		snprintf(why, HOME_WHY, "--home needs a directory");
	else if (e != OK)
		snprintf(why, HOME_WHY, "the working directory cannot be found: give --home an absolute path");
	return e;
}

static enum err explain(char why[HOME_WHY], const char *path, int number)
{
	if (number == EROFS)
		snprintf(why, HOME_WHY, "%s is on a read-only file system: choose another home with --home DIR", path);
	else if (number == ENOSPC || number == EDQUOT)
		snprintf(why, HOME_WHY, "no room on the disk for %s: free some space and start again", path);
	else if (number == EACCES || number == EPERM)
		snprintf(why, HOME_WHY, "no permission to write %s: it must belong to you", path);
	else if (number == ENOTDIR)
		snprintf(why, HOME_WHY, "a part of %s is not a directory", path);
	else
		snprintf(why, HOME_WHY, "%s cannot be used: %s", path, strerror(number));
	return err_of(number) == ERR_FULL ? ERR_FULL : ERR_IO;
}

/* The directory and what is missing above it, 0700. */
static int make_dirs(const char *path)
{
	char part[PATHS_LEN];
	size_t len = strlen(path);

	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return errno;
	memcpy(part, path, len + 1);
	for (char *at = strchr(part + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST && errno != EACCES && errno != EROFS)
			return errno;
		*at = '/';
	}
	return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : errno;
}

/* A directory that nobody else can write: ours, of no group, not reached through somebody's symbolic link. */
static enum err own_dir(const char *path, bool follow, char why[HOME_WHY])
{
	struct stat st;
	int number = make_dirs(path);

	if (number != 0)
		return explain(why, path, number);
	if ((follow ? stat(path, &st) : lstat(path, &st)) != 0)
		return explain(why, path, errno);
	if (!S_ISDIR(st.st_mode)) {
		snprintf(why, HOME_WHY, "%s is not a directory", path);
		return ERR_IO;
	}
	if (st.st_uid != geteuid()) {
		snprintf(why, HOME_WHY, "%s belongs to another user", path);
		return ERR_IO;
	}
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		snprintf(why, HOME_WHY, "%s can be written by other users: chmod 700 it first", path);
		return ERR_IO;
	}
	return OK;
}

/* The socket's directory; its parent too, where that is ours alone (/tmp/cairn-UID). */
static enum err own_runtime_dir(const struct paths *p, char why[HOME_WHY])
{
	char parent[PATHS_LEN];
	char *slash;
	enum err e;

	if (strcmp(p->runtime_dir, p->dir) == 0)
		return OK;
	memcpy(parent, p->runtime_dir, sizeof parent);
	slash = strrchr(parent, '/');
	*slash = '\0';
	if ((e = own_dir(parent, false, why)) != OK)
		return e;
	return own_dir(p->runtime_dir, false, why);
}

static enum err busy(const struct home *h, char why[HOME_WHY])
{
	struct buf b = {0};
	uint32_t pid = 0;
	char socket[PATHS_SOCKET_MAX + 1];

	if (home_read_file(&b, h->paths.lock, 4096) == OK)
		paths_lock_parse(&pid, socket, buf_slice(&b));
	buf_free(&b);
	if (pid != 0)
		snprintf(why, HOME_WHY, "a cairnd already runs on %s: process %u", h->paths.dir, (unsigned)pid);
	else
		snprintf(why, HOME_WHY, "a cairnd already runs on %s", h->paths.dir);
	return ERR_BUSY;
}

/* The new text over the old, then the rest off: a full disk still lets a restarted daemon in. */
static bool write_lock(const struct home *h)
{
	char text[PATHS_SOCKET_MAX + 32];
	int n = snprintf(text, sizeof text, "%ld\n%s\n", (long)getpid(), h->paths.socket);

	return pwrite(h->lock_fd, text, (size_t)n, 0) == n && ftruncate(h->lock_fd, n) == 0;
}

static enum err take_lock(struct home *h, char why[HOME_WHY])
{
	int number;

	h->lock_fd = open(h->paths.lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (h->lock_fd < 0)
		return explain(why, h->paths.lock, errno);
	if (flock(h->lock_fd, LOCK_EX | LOCK_NB) == 0) {
		if (write_lock(h))
			return OK;
		number = errno;
		if (err_of(number) == ERR_FULL && access(h->paths.keystore, F_OK) == 0)
			return OK;              /* reading goes on (design §12); clients compute the socket's path */
		home_close(h);
		return explain(why, h->paths.lock, number);
	}
	number = errno;
	close(h->lock_fd);
	h->lock_fd = -1;
	return number == EWOULDBLOCK ? busy(h, why) : explain(why, h->paths.lock, number);
}

enum err home_open(struct home *h, char why[HOME_WHY])
{
	enum err e;

	why[0] = '\0';
	if ((e = own_dir(h->paths.dir, true, why)) != OK || (e = own_runtime_dir(&h->paths, why)) != OK)
		return e;
	if (strcmp(h->paths.state_dir, h->paths.dir) != 0 && (e = own_dir(h->paths.state_dir, true, why)) != OK)
		return e;
	return take_lock(h, why);
}

void home_close(struct home *h)
{
	if (h->lock_fd < 0)
		return;
	if (pwrite(h->lock_fd, "\n", 1, 0) != 1)        /* in place: the file keeps its block, should the disk be full next time */
		(void)0;                                /* a stale pid: the next one holds the lock and writes its own */
	close(h->lock_fd);
	h->lock_fd = -1;
}

static enum err write_all(int fd, struct slice content)
{
	while (content.len > 0) {
		ssize_t n = write(fd, content.data, content.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? err_of(errno) : ERR_IO;
		content = SLICE(content.data + n, content.len - (size_t)n);
	}
	return fsync(fd) == 0 ? OK : err_of(errno);
}

static enum err sync_dir_of(const char *path)
{
	char dir[PATHS_LEN];
	char *slash;
	int fd;
	enum err e;

	snprintf(dir, sizeof dir, "%s", path);
	slash = strrchr(dir, '/');
	if (slash == NULL)
		return ERR_USAGE;
	slash[slash == dir] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_of(errno);
	e = fsync(fd) == 0 ? OK : err_of(errno);
	close(fd);
	return e;
}

enum err home_write_file(const char *path, struct slice content)
{
	char temporary[PATHS_LEN + 4];
	enum err e;
	int fd;

	snprintf(temporary, sizeof temporary, "%s.tmp", path);
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_of(errno);
	e = write_all(fd, content);
	if (close(fd) != 0 && e == OK)
		e = err_of(errno);
	if (e == OK && rename(temporary, path) != 0)
		e = err_of(errno);
	if (e != OK) {
		unlink(temporary);
		return e;
	}
	return sync_dir_of(path);
}

enum err home_read_file(struct buf *out, const char *path, size_t max)
{
	struct stat st;
	size_t room = 0;
	uint8_t *at = NULL;
	ssize_t n = 0;
	enum err e = ERR_IO;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_of(errno);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		goto done;
	if ((e = st.st_size > (off_t)max ? ERR_TOOBIG : OK) != OK)
		goto done;
	room = (size_t)st.st_size;              /* taken at once: no copy of a secret stays behind in the heap */
	if ((e = (at = buf_extend(out, room)) == NULL ? ERR_NOMEM : OK) != OK)
		goto done;
	while (room > 0 && ((n = read(fd, at, room)) > 0 || (n < 0 && errno == EINTR)))
		if (n > 0) {
			at += n;
			room -= (size_t)n;
		}
	out->len -= room;
	e = n < 0 ? ERR_IO : OK;
done:
	close(fd);
	return e;
}
