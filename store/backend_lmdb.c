/* backend_lmdb: an LMDB environment in a directory; all I/O of the room (design §12; measured.md 5-8). */
#include "store/backend.h"
#include "base/mem.h"
#include "store/pages.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

struct lmdb {
	MDB_env *env;                   /* NULL: reopening failed; the next transaction tries again */
	MDB_dbi dbi;
	char *dir;
	int owned;                      /* descriptor of store.lock, or -1 */
	enum lmdb_mode mode;
	size_t map;
	atomic_bool grow;               /* a write met a full map */
	atomic_bool reopen;             /* a commit failed: LMDB may refuse all that follows (measured.md 7) */
	pthread_mutex_t mutex;          /* users, against a backup in another thread */
	int users;                      /* transactions and backups: the map cannot move under them */
};
struct lmdb_txn { struct lmdb *l; MDB_txn *txn; MDB_cursor *writer; };

/* ---- errors ---- */

/* No room for a few pages?  Asks the file system, and then, for a quota's sake, tries. */
static bool disk_full(const char *dir)
{
	static const uint8_t page[4096];
	char path[PATH_MAX];
	struct statfs fs;
	bool full = false;
	int fd;

	if (statfs(dir, &fs) == 0 && (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < 1024 * 1024)
		return true;
	if (snprintf(path, sizeof path, "%s/store.probe", dir) >= (int)sizeof path)
		return false;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == ENOSPC || errno == EDQUOT;
	for (int i = 0; i < 16 && !full; i++)
		full = write(fd, page, sizeof page) != sizeof page && (errno == ENOSPC || errno == EDQUOT);
	close(fd);
	unlink(path);
	return full;
}

static enum err error_of(struct lmdb *l, int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return OK;
	case MDB_NOTFOUND:
		return ERR_NOTFOUND;
	case MDB_MAP_FULL:
		l->grow = true;
		return ERR_MAPFULL;
	case ENOMEM:
		return ERR_NOMEM;
	case MDB_TXN_FULL:
	case MDB_BAD_VALSIZE:
		return ERR_TOOBIG;
	case MDB_READERS_FULL:
		return ERR_LIMIT;
	case MDB_BAD_TXN:               /* after one of these; after a failed write the store asks no more */
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_CURSOR_FULL:
	case MDB_PAGE_FULL:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
		return ERR_DAMAGED;
	case ENOSPC:
	case EDQUOT:
		return ERR_FULL;
	default:                        /* EIO is also what LMDB says of a full disk */
		return disk_full(l->dir) ? ERR_FULL : ERR_IO;
	}
}

/* ---- the directory ---- */

static bool on_network(const char *dir)
{
	struct statfs fs;

	if (statfs(dir, &fs) != 0)
		return false;
	switch ((uint32_t)fs.f_type) {  /* linux/magic.h has not got all of them */
	case 0x6969:                    /* NFS */
	case 0x517B:                    /* SMB */
	case 0xFE534D42:                /* SMB2 */
	case 0xFF534D42:                /* CIFS */
	case 0x564C:                    /* NCP */
	case 0x5346414F:                /* AFS */
	case 0x6B414653:                /* kAFS */
	case 0x73757245:                /* CODA */
	case 0x01021997:                /* 9P */
	case 0x00C36400:                /* CEPH */
	case 0x0BD00BD0:                /* Lustre */
	case 0x01161970:                /* GFS2 */
	case 0x7461636F:                /* OCFS2 */
		return true;
	default:                        /* FUSE too: most of it is local, and it does not say */
		return false;
	}
}

static int sync_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		close(fd);
	return rc;
}

/* The entry of path in its parent. */
static int sync_parent(const char *path)
{
	char parent[PATH_MAX];

	return snprintf(parent, sizeof parent, "%s/..", path) < (int)sizeof parent ? sync_path(parent) : -1;
}

static enum err make_dir(const char *dir)
{
	if (mkdir(dir, 0700) == 0)
		return sync_parent(dir) == 0 ? OK : ERR_IO;
	if (errno == ENOSPC || errno == EDQUOT)
		return ERR_FULL;
	return errno == EEXIST ? OK : ERR_IO;
}

static int open_in(const char *dir, const char *name, int flags)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, flags | O_CLOEXEC, 0600);
}

static bool data_stat(const char *dir, struct stat *st)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof path, "%s/data.mdb", dir) < (int)sizeof path && stat(path, st) == 0;
}

static enum err check_file(const char *dir)
{
	int fd = open_in(dir, "data.mdb", O_RDONLY);
	void *map = MAP_FAILED;
	struct stat st;
	enum err e;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (map == MAP_FAILED)
		return ERR_IO;
	e = pages_check(map, (size_t)st.st_size);
	munmap(map, (size_t)st.st_size);
	return e == ERR_VERSION ? OK : e;       /* a layout that pages.c does not know: LMDB will say */
}

/* A map for what is there already.  False: nothing is. */
static bool fit_map(struct lmdb *l)
{
	struct stat st;

	if (!data_stat(l->dir, &st) || st.st_size == 0)
		return false;
	while ((uint64_t)st.st_size > l->map / 4 * 3)
		l->map *= 2;
	return true;
}

/* ---- the owner's lock: of the open file, so that a second opener in this process meets it too ---- */

static struct flock whole_file(void)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

static int read_pid(int fd)
{
	char text[16] = "";

	return pread(fd, text, sizeof text - 1, 0) > 0 ? atoi(text) : 0;
}

/* *died: the last owner left its pid behind. */
static enum err own(int *out, const char *dir, bool *died)
{
	struct flock lock = whole_file();
	char text[16];
	int fd = open_in(dir, "store.lock", O_RDWR | O_CREAT), len;
	bool named;

	*out = -1;
	if (fd < 0)
		return errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
	if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
		enum err e = errno == EAGAIN || errno == EACCES ? ERR_BUSY : ERR_IO;

		close(fd);
		return e;
	}
	*died = read_pid(fd) != 0;
	len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	named = ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) == len;
	(void)named;                    /* on a full disk the store is opened all the same, its owner just has no name */
	*out = fd;
	return OK;
}

static void disown(int fd)
{
	bool cleared = fd < 0 || ftruncate(fd, 0) == 0;

	(void)cleared;                  /* if not, the next opener takes a longer look */
	if (fd >= 0)
		close(fd);
}

int store_holder(const char *dir)
{
	struct flock lock = whole_file();
	int fd = open_in(dir, "store.lock", O_RDONLY), pid = 0;

	if (fd < 0)
		return 0;
	if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && (pid = read_pid(fd)) <= 0)
		pid = -1;
	close(fd);
	return pid;
}

/* ---- the environment ---- */

static int env_open(struct lmdb *l)
{
	unsigned flags = MDB_NOTLS | (l->mode == LMDB_LOOK ? MDB_RDONLY : 0);
	MDB_txn *txn = NULL;
	int rc = mdb_env_create(&l->env), dead;

	if (rc != 0)
		return rc;
	if ((rc = mdb_env_set_mapsize(l->env, l->map)) != 0 || (rc = mdb_env_open(l->env, l->dir, flags, 0600)) != 0 ||
	    (rc = mdb_reader_check(l->env, &dead)) != 0 || (rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn)) != 0)
		goto fail;
	rc = mdb_dbi_open(txn, NULL, 0, &l->dbi);
	mdb_txn_abort(txn);
	if (rc == 0)
		return 0;
fail:
	mdb_env_close(l->env);
	l->env = NULL;
	return rc;
}

static bool near_full(struct lmdb *l)
{
	MDB_envinfo info;
	MDB_stat stat;

	return mdb_env_info(l->env, &info) == 0 && mdb_env_stat(l->env, &stat) == 0 &&
		(info.me_last_pgno + 1) * stat.ms_psize > info.me_mapsize / 4 * 3;
}

static enum err reopen(struct lmdb *l)
{
	int rc;

	mdb_env_close(l->env);
	l->env = NULL;
	rc = env_open(l);
	if (rc != 0)
		return error_of(l, rc);
	l->reopen = false;
	return OK;
}

static enum err grow(struct lmdb *l)
{
	int dead, rc;

	mdb_reader_check(l->env, &dead);
	rc = mdb_env_set_mapsize(l->env, l->map * 2);
	if (rc != 0) {
		l->reopen = true;       /* it has no map at all now */
		return error_of(l, rc);
	}
	l->map *= 2;
	l->grow = false;
	return OK;
}

/* What may only be done while nobody uses the environment; then one user more.  The mutex is held. */
static enum err prepare(struct lmdb *l, bool write)
{
	enum err e = OK;

	if ((l->reopen || l->env == NULL) && l->users == 0)
		e = reopen(l);
	if (e == OK && write && (l->grow || near_full(l)) && l->users == 0)
		e = grow(l);
	if (e == OK && write && (l->grow || l->reopen))
		e = ERR_BUSY;
	if (e == OK)
		l->users++;
	return e;
}

static enum err use(struct lmdb *l, bool write)
{
	enum err e;

	pthread_mutex_lock(&l->mutex);
	e = prepare(l, write);
	pthread_mutex_unlock(&l->mutex);
	return e;
}

static void unuse(struct lmdb *l)
{
	pthread_mutex_lock(&l->mutex);
	l->users--;
	pthread_mutex_unlock(&l->mutex);
}

/* ---- transactions ---- */

static MDB_val val_of(struct slice s)
{
	return (MDB_val){ s.len, (void *)(uintptr_t)s.data };
}

static struct slice slice_of_val(MDB_val v)
{
	return SLICE(v.mv_data, v.mv_size);
}

static enum err lmdb_begin(void *self, void **out, bool write)
{
	struct lmdb *l = self;
	struct lmdb_txn *t = mem_alloc(sizeof *t);
	enum err e;
	int rc;

	*out = NULL;
	if (t == NULL)
		return ERR_NOMEM;
	if ((e = use(l, write)) != OK)
		goto fail;
	rc = mdb_txn_begin(l->env, NULL, write ? 0 : MDB_RDONLY, &t->txn);
	if (rc == 0 && write && (rc = mdb_cursor_open(t->txn, l->dbi, &t->writer)) != 0)
		mdb_txn_abort(t->txn);
	if (rc != 0) {
		unuse(l);
		l->reopen = l->reopen || rc == MDB_PANIC;
		e = error_of(l, rc);
		goto fail;
	}
	t->l = l;
	*out = t;
	return OK;
fail:
	mem_free(t);
	return e;
}

static void txn_done(struct lmdb_txn *t)
{
	unuse(t->l);
	mem_free(t);
}

static void lmdb_abort(void *handle)
{
	struct lmdb_txn *t = handle;

	if (t->writer != NULL)
		mdb_cursor_close(t->writer);
	mdb_txn_abort(t->txn);
	txn_done(t);
}

static enum err lmdb_commit(void *handle)
{
	struct lmdb_txn *t = handle;
	struct lmdb *l = t->l;
	int rc;

	if (t->writer != NULL)
		mdb_cursor_close(t->writer);
	rc = mdb_txn_commit(t->txn);
	l->reopen = l->reopen || (rc != 0 && rc != MDB_MAP_FULL);
	txn_done(t);
	return error_of(l, rc);
}

static enum err lmdb_get(void *handle, struct slice key, struct slice *value)
{
	struct lmdb_txn *t = handle;
	MDB_val k = val_of(key), v;
	int rc = mdb_get(t->txn, t->l->dbi, &k, &v);

	if (rc != 0)
		return error_of(t->l, rc);
	*value = slice_of_val(v);
	return OK;
}

/* The cursor remembers its page, so that keys in order are not looked for from the root. */
static enum err lmdb_put(void *handle, struct slice key, size_t len, uint8_t **room)
{
	struct lmdb_txn *t = handle;
	MDB_val k = val_of(key), v = { len, NULL };
	int rc = mdb_cursor_put(t->writer, &k, &v, MDB_RESERVE);

	if (rc != 0)
		return error_of(t->l, rc);
	*room = v.mv_data;
	return OK;
}

static enum err lmdb_remove(void *handle, struct slice key)
{
	struct lmdb_txn *t = handle;
	MDB_val k = val_of(key);

	return error_of(t->l, mdb_del(t->txn, t->l->dbi, &k, NULL));
}

/* ---- cursors ---- */

struct lmdb_cursor { struct lmdb *l; MDB_cursor *cursor; };

static enum err lmdb_cursor_open(void *handle, void **out)
{
	struct lmdb_txn *t = handle;
	struct lmdb_cursor *c = mem_alloc(sizeof *c);
	int rc;

	*out = NULL;
	if (c == NULL)
		return ERR_NOMEM;
	rc = mdb_cursor_open(t->txn, t->l->dbi, &c->cursor);
	if (rc != 0) {
		mem_free(c);
		return error_of(t->l, rc);
	}
	c->l = t->l;
	*out = c;
	return OK;
}

static enum err cursor_do(struct lmdb_cursor *c, MDB_cursor_op op, struct slice from, struct slice *found, struct slice *value)
{
	MDB_val k = val_of(from), v;
	int rc = mdb_cursor_get(c->cursor, &k, &v, op);

	if (rc != 0)
		return error_of(c->l, rc);
	*found = slice_of_val(k);
	*value = slice_of_val(v);
	return OK;
}

static enum err lmdb_cursor_seek(void *handle, struct slice key, bool descending, struct slice *found, struct slice *value)
{
	struct lmdb_cursor *c = handle;
	enum err e;

	if (key.len == 0)
		return cursor_do(c, descending ? MDB_LAST : MDB_FIRST, key, found, value);
	e = cursor_do(c, MDB_SET_RANGE, key, found, value);
	if (!descending || (e != OK && e != ERR_NOTFOUND))
		return e;
	return cursor_do(c, e == OK ? MDB_PREV : MDB_LAST, key, found, value);
}

static enum err lmdb_cursor_next(void *handle, bool descending, struct slice *found, struct slice *value)
{
	return cursor_do(handle, descending ? MDB_PREV : MDB_NEXT, SLICE(NULL, 0), found, value);
}

static void lmdb_cursor_close(void *handle)
{
	struct lmdb_cursor *c = handle;

	mdb_cursor_close(c->cursor);
	mem_free(c);
}

/* ---- info and backup ---- */

static enum err env_info(struct lmdb *l, struct store_info *out)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	int dead = 0, rc;

	if ((rc = mdb_env_info(l->env, &info)) != 0 || (rc = mdb_env_stat(l->env, &stat)) != 0 ||
	    (rc = mdb_reader_check(l->env, &dead)) != 0)
		return error_of(l, rc);
	*out = (struct store_info){ .map_bytes = info.me_mapsize, .records = stat.ms_entries, .stale_readers = (uint32_t)dead,
		.used_bytes = (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * (uint64_t)stat.ms_psize,
		.identity = data_stat(l->dir, &st) ? st.st_ino : 0 };
	return OK;
}

static enum err lmdb_check(void *self)
{
	struct lmdb *l = self;

	return check_file(l->dir);
}

static enum err lmdb_info(void *self, struct store_info *out)
{
	struct lmdb *l = self;
	enum err e = use(l, false);

	*out = (struct store_info){ 0 };
	if (e != OK)
		return e;
	e = env_info(l, out);
	unuse(l);
	return e;
}

static int copy_env(MDB_env *env, int fd)
{
	int rc = mdb_env_copyfd2(env, fd, MDB_CP_COMPACT);

	if (rc == MDB_INCOMPATIBLE) {   /* pages that LMDB lost track of: harmless, but it will not compact over them */
		rc = ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0 ? errno : mdb_env_copyfd2(env, fd, 0);
	}
	return rc == 0 && fsync(fd) != 0 ? errno : rc;
}

static enum err lmdb_backup(void *self, const char *dir)
{
	struct lmdb *l = self;
	enum err e = make_dir(dir);
	int fd = -1, rc;

	if (e != OK)
		return e;
	fd = open_in(dir, "data.mdb", O_WRONLY | O_CREAT | O_EXCL);
	if (fd < 0)
		return errno == EEXIST ? ERR_EXISTS : errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
	if ((e = use(l, false)) == OK) {
		rc = copy_env(l->env, fd);
		e = rc == 0 ? OK : disk_full(dir) ? ERR_FULL : rc == ENOMEM ? ERR_NOMEM : ERR_IO;
		unuse(l);
	}
	close(fd);
	if (e == OK && sync_path(dir) != 0)
		e = ERR_IO;
	if (e != OK) {
		char path[PATH_MAX];

		snprintf(path, sizeof path, "%s/data.mdb", dir);
		unlink(path);
		rmdir(dir);
	}
	return e;
}

/* ---- a damaged file ---- */

static bool write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static bool read_all(int fd, void *data, size_t len)
{
	char *at = data;

	while (len > 0) {
		ssize_t n = read(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* What the child says: len u16 ‖ bytes, and at the end len 0 ‖ error u8. */
static void say_pipe(void *arg, struct slice what)
{
	uint8_t len[2];

	put_u16(len, (uint16_t)what.len);
	if (what.len > 0 && what.len <= UINT16_MAX && write_all(*(int *)arg, len, 2))
		write_all(*(int *)arg, what.data, what.len);
}

static _Noreturn void be_child(int fd, pid_t parent, enum err (*work)(void *, say_fn *, void *), void *arg)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGTERM, SIGINT, SIGALRM };
	struct rlimit none = { 0, 0 };
	uint8_t end[3] = { 0 };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
		signal(fatal[i], SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_PDEATHSIG, SIGKILL);       /* it has inherited the owner's lock: not to be held for a dead one */
	if (getppid() != parent)
		_exit(0);
	if (null >= 0)
		dup2(null, STDERR_FILENO); /* LMDB's last words */
	end[2] = (uint8_t)work(arg, say_pipe, &fd);
	write_all(fd, end, sizeof end);
	_exit(0);
}

/* Until the last word.  False: it never came. */
static bool hear(int fd, enum err *result, say_fn *heard, void *arg)
{
	static const size_t room = UINT16_MAX;
	uint8_t *said = mem_alloc(room), len[2], end;
	bool done = false;

	while (said != NULL && !done && read_all(fd, len, 2)) {
		if (get_u16(len) == 0) {
			done = read_all(fd, &end, 1);
			*result = done && end < ERR_LAST ? (enum err)end : ERR_DAMAGED;
			break;
		}
		if (!read_all(fd, said, get_u16(len)))
			break;
		heard(arg, SLICE(said, get_u16(len)));
	}
	if (said == NULL)
		*result = ERR_NOMEM;
	mem_free(said);
	return done;
}

enum err backend_lmdb_child(enum err (*work)(void *, say_fn *say, void *say_arg), void *arg, say_fn *heard, void *heard_arg)
{
	enum err e = ERR_DAMAGED;
	int ends[2], status;
	pid_t pid, parent = getpid();

	if (pipe2(ends, O_CLOEXEC) != 0)
		return ERR_IO;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		be_child(ends[1], parent, work, arg);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return errno == ENOMEM ? ERR_NOMEM : ERR_IO;
	}
	hear(ends[0], &e, heard, heard_arg);
	close(ends[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return e;
}

/* In the child, because a bad sector or a file that shrinks is a SIGBUS. */
static enum err check_work(void *dir, say_fn *say, void *say_arg)
{
	(void)say;
	(void)say_arg;
	return check_file(dir);
}

static void hear_nothing(void *arg, struct slice said)
{
	(void)arg;
	(void)said;
}

/* Its end is missing?  Pages that were taken and given back within one transaction are never written, so a short file may
 * be whole: that is for pages_check to say. */
static bool is_short(struct lmdb *l)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;

	return mdb_env_info(l->env, &info) == 0 && mdb_env_stat(l->env, &stat) == 0 && data_stat(l->dir, &st) &&
		(uint64_t)st.st_size < (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize;
}

/* ---- opening and closing ---- */

static void lmdb_close(void *self)
{
	struct lmdb *l = self;

	if (l == NULL)
		return;
	mdb_env_close(l->env);
	disown(l->owned);
	pthread_mutex_destroy(&l->mutex);
	mem_free(l->dir);
	mem_free(l);
}

static enum err open_own(struct lmdb *l)
{
	bool died = false, exists;
	enum err e = make_dir(l->dir);
	int rc;

	if (e != OK)
		return e;
	if (on_network(l->dir))
		return ERR_IO;
	if ((e = own(&l->owned, l->dir, &died)) != OK)
		return e;
	exists = fit_map(l);
	if (exists && died && (e = backend_lmdb_child(check_work, l->dir, hear_nothing, NULL)) != OK)
		return e;
	if ((rc = env_open(l)) != 0)
		return error_of(l, rc);
	if (exists && !died && is_short(l) && (e = backend_lmdb_child(check_work, l->dir, hear_nothing, NULL)) != OK)
		return e;
	return exists || sync_path(l->dir) == 0 ? OK : ERR_IO;
}

static enum err open_look(struct lmdb *l)
{
	int rc;

	if (!fit_map(l))
		return ERR_NOTFOUND;
	rc = env_open(l);
	return rc == 0 ? OK : error_of(l, rc);
}

enum err backend_lmdb_open(const struct backend **functions, void **self, const char *dir, size_t map, enum lmdb_mode mode)
{
	static const struct backend lmdb = {
		lmdb_begin, lmdb_commit, lmdb_abort, lmdb_get, lmdb_put, lmdb_remove, lmdb_cursor_open, lmdb_cursor_seek,
		lmdb_cursor_next, lmdb_cursor_close, lmdb_check, lmdb_info, lmdb_backup, lmdb_close,
	};
	struct lmdb *l = mem_alloc(sizeof *l);
	enum err e;

	*functions = &lmdb;
	*self = NULL;
	if (l == NULL)
		return ERR_NOMEM;
	l->owned = -1;
	l->map = map;
	l->mode = mode;
	pthread_mutex_init(&l->mutex, NULL);
	l->dir = mem_string(dir);
	e = l->dir == NULL ? ERR_NOMEM : mode == LMDB_OWN ? open_own(l) : open_look(l);
	if (e != OK) {
		lmdb_close(l);
		return e;
	}
	*self = l;
	return OK;
}
