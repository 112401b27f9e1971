/* home: the directories of an instance, and the lock that makes this cairnd the only one on them.  Which paths: base/paths.h,
 * which the CLI shares. */
#ifndef DAEMON_HOME_H
#define DAEMON_HOME_H
#include "base/paths.h"

#define HOME_WHY 1400
struct home { struct paths paths; int lock_fd; };

/* Computes the paths from option (--home, may be NULL), the environment and the working directory.  On an error why is one
 * sentence for people. */
enum err home_find(struct home *, const char *option, char why[HOME_WHY]);
/* Makes the directories (0700) and takes the lock.  ERR_BUSY: another cairnd runs (why names its pid); ERR_FULL; ERR_IO: read-only, not
 * ours, not permitted. */
enum err home_open(struct home *, char why[HOME_WHY]);
/* Marks the lock file as nobody's and lets go.  The file stays: removing it would let two take "the" lock. */
void home_close(struct home *);

/* A small file, replaced whole and durably: temporary file, fsync, rename, fsync of the directory.  ERR_FULL, ERR_IO. */
enum err home_write_file(const char *path, struct slice content);
/* The whole of a regular file.  ERR_NOTFOUND, ERR_TOOBIG, ERR_IO, ERR_NOMEM.  Free with buf_wipe. */
enum err home_read_file(struct buf *out, const char *path, size_t max);

#endif
