/* link_address: the text of an address, taken apart.  Pure.
 *   tcp://name:port   tcp://127.0.0.1:port   tcp://[v6]:port   tcp://[v6%zone]:port
 * Nothing else that libzmq understands: other transports, source addresses, wildcards (but where one listens). */
#ifndef NET_LINK_ADDRESS_H
#define NET_LINK_ADDRESS_H
#include <stdbool.h>
#include "base/limits.h"

struct link_address {
	char host[254], port[6];        /* without brackets; "*" for any, only where one listens */
	bool numeric;                   /* host is no name: nothing has to be looked up */
};
/* listen: "*" as host or port, and port 0, are allowed too. */
bool link_address_parse(struct link_address *out, const char *text, bool listen);

#endif
