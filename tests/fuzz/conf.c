/* Any bytes as cairn.conf: settings within their limits, or one sentence that names the file. */
#include <assert.h>
#include <string.h>
#include "daemon/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf c;
	static char why[CONF_WHY];
	char host[LIMIT_ADDRESS_TEXT];
	uint16_t port;
	enum err e = conf_parse(&c, SLICE(data, size), "cairn.conf", why);

	if (e != OK) {
		assert(e == ERR_USAGE && strncmp(why, "cairn.conf:", 11) == 0 && memchr(why, '\0', CONF_WHY) != NULL);
		return 0;
	}
	assert(address_split(c.listen, host, &port) && strcmp(host, c.listen_host) == 0 && port == c.port);
	assert(c.sync_minutes >= 1 && c.sync_minutes <= 1440 && c.level <= LOG_DEBUG && c.advertise.n < LIMIT_ADDRESSES);
	return 0;
}
