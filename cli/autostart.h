/* autostart: the cairnd of an instance: where it listens, how it is started. */
#ifndef CLI_AUTOSTART_H
#define CLI_AUTOSTART_H
#include "base/paths.h"
#include "cli/http.h"

#define AUTOSTART_WHY 512
#define AUTOSTART_WAIT_MS 5000

/* Connects to the cairnd that runs on these paths.  ERR_NOTFOUND: none does.  Other errors: why is a sentence. */
enum err daemon_connect(struct http **out, const struct paths *, char why[AUTOSTART_WHY]);
/* Starts the cairnd beside this program (else that of PATH), its stderr in paths.log, and connects as soon as it answers, within
 * AUTOSTART_WAIT_MS.  *pid: of what was started.  On an error why is a sentence: cairnd's own, if it ended with one. */
enum err daemon_start(struct http **out, uint32_t *pid, const struct paths *, char why[AUTOSTART_WHY]);
/* Waits until that process is gone.  False: it still runs. */
bool daemon_gone(uint32_t pid, long timeout_ms);

#endif
