/* log: what the daemon says about itself, to stderr or a file: text on a terminal, else one JSON object a line.  Nothing personal:
 * no titles, names, addresses of people, keys.  Each call site is held to 20 lines in 10 s; what was left out is counted in its
 * next line.  The loop thread only. */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H
#include "base/bytes.h"
#include "daemon/node/node.h"           /* enum log_level */

struct log_site { uint64_t since_ms; unsigned count, dropped; };
void log_level_set(enum log_level);
bool log_level_parse(enum log_level *, const char *text);       /* error, warning, info, debug */
/* Write to this file from now on (0600, appended; beyond 1 MiB it becomes FILE.1 and a new one begins).  ERR_IO, ERR_FULL. */
enum err log_file(const char *path);
void log_at(struct log_site *, enum log_level, const char *format, ...) __attribute__((format(printf, 3, 4)));
void log_text(enum log_level, struct slice text);               /* of the node: the call site is told by the text's beginning */
/* One JSON string, quotes included, any bytes (ill-formed ones become U+FFFD). */
void log_json_string(struct buf *, struct slice);

#define LOG(level, ...) do { static struct log_site log_site_; log_at(&log_site_, level, __VA_ARGS__); } while (0)

#endif
