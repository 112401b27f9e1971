/* paths: where an instance keeps its things.  Pure: environment values come in, texts go out; cairnd and cairn compute the same.
 *
 * One instance is one directory, dir: CAIRN_HOME or --home made absolute, else $XDG_DATA_HOME/cairn (~/.local/share/cairn).
 *
 *	dir/keystore, keystore.key   dir/store/   dir/backup/   dir/cairn.conf   dir/port   dir/cairnd.lock
 *	cairnd.log      in dir, for the default instance in $XDG_STATE_HOME/cairn (~/.local/state/cairn)
 *	cairnd.sock     in dir; for the default instance in $XDG_RUNTIME_DIR/cairn/HASH/, if that is set.  A path that does not
 *	                fit a socket address (107 bytes) is replaced by $XDG_RUNTIME_DIR/cairn/HASH/cairnd.sock, else
 *	                /tmp/cairn-UID/HASH/cairnd.sock.  HASH: 16 characters of base32 of H("cairn-home", dir).
 *
 * XDG_RUNTIME_DIR may differ between the daemon's session and the client's, so a running cairnd writes its socket into
 * cairnd.lock: "PID\nSOCKET\n" (and puts a newline in place of the first byte when it stops).  A client reads that first (paths_lock_parse) and falls back on paths.socket.  Whoever connects
 * checks by SO_PEERCRED that the other end is its own uid (or root): /tmp is everybody's. */
#ifndef BASE_PATHS_H
#define BASE_PATHS_H
#include "base/bytes.h"

#define PATHS_LEN 1024          /* bytes of any path, with the NUL */
#define PATHS_DIR_MAX 960       /* bytes of dir: leaves room for the names below it */
#define PATHS_SOCKET_MAX 107    /* sun_path without its NUL */

struct paths_env {              /* NULL or "": not set.  Relative XDG paths count as not set, as their specification says */
	const char *home_option;        /* --home */
	const char *cairn_home, *home, *xdg_data_home, *xdg_state_home, *xdg_runtime_dir;
	const char *cwd;                /* makes the first two absolute */
	uint32_t uid;
};
struct paths {
	bool chosen;                    /* by --home or CAIRN_HOME: everything is in dir */
	char dir[PATHS_LEN], state_dir[PATHS_LEN], runtime_dir[PATHS_LEN];  /* runtime_dir: the socket's; may be dir */
	char socket[PATHS_SOCKET_MAX + 1];
	char keystore[PATHS_LEN], key_file[PATHS_LEN], store_dir[PATHS_LEN], backup_dir[PATHS_LEN];
	char conf[PATHS_LEN], lock[PATHS_LEN], port[PATHS_LEN], log[PATHS_LEN];
};
/* ERR_MISSING: nothing says where (HOME is not set).  ERR_TOOBIG: dir is longer than PATHS_DIR_MAX.  ERR_USAGE: relative, and
 * cwd is not known. */
enum err paths_compute(struct paths *out, const struct paths_env *);
/* What a running cairnd wrote.  socket >= PATHS_SOCKET_MAX + 1 bytes.  ERR_NOTFOUND: empty or begins with a newline (nobody
 * runs); ERR_MALFORMED. */
enum err paths_lock_parse(uint32_t *pid, char *socket, struct slice content);

#endif
