/* conf: cairn.conf in the home, read once at start.  Unknown keys and wrong values are errors that name file and line.
 *
 *	listen       = "tcp://0.0.0.0:7411"             where peers may reach us; port 0: any free one
 *	advertise    = {"tcp://cairn.example.org:7411"} addresses to tell others besides those of the interfaces
 *	sync-minutes = 60                               anti-entropy: 1 to 1440
 *	log-level    = "info"                           error, warning, info, debug
 *	http         = ""                               the dashboard: comes with a later version */
#ifndef DAEMON_CONF_H
#define DAEMON_CONF_H
#include "daemon/interfaces.h"
#include "daemon/node/node.h"

#define CONF_WHY 1400
struct conf {
	char listen[LIMIT_ADDRESS_TEXT], listen_host[LIMIT_ADDRESS_TEXT];
	uint16_t port;
	bool listen_given;              /* not the default */
	struct address_list advertise;
	unsigned sync_minutes;
	enum log_level level;
};
void conf_default(struct conf *);
/* A missing file is all defaults.  ERR_USAGE: why is one sentence with file and line.  ERR_IO, ERR_NOMEM too fill why. */
enum err conf_load(struct conf *, const char *path, char why[CONF_WHY]);
enum err conf_parse(struct conf *, struct slice text, const char *name, char why[CONF_WHY]);

#endif
