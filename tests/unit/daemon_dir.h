/* A directory of its own for each test, removed with all that is in it. */
#ifndef TESTS_DAEMON_DIR_H
#define TESTS_DAEMON_DIR_H
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/paths.h"

static char dir_path[64];

static int dir_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static inline int dir_make(void **state)
{
	(void)state;
	strcpy(dir_path, "/tmp/cairn-test-XXXXXX");
	return crypto_start() == OK && mkdtemp(dir_path) != NULL ? 0 : -1;
}

static inline int dir_remove(void **state)
{
	(void)state;
	return nftw(dir_path, dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void dir_paths(struct paths *p)
{
	struct paths_env env = { .home_option = dir_path, .uid = getuid() };

	assert_int_equal(paths_compute(p, &env), OK);
}

#endif
