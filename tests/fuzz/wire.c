/* Fuzz net_check: any bytes are a frame or an error, and a frame has one encoding (protocol §8; wire.h).
 * Seeds: the frames of tests/golden/net_formats.c. */
#include <stdlib.h>
#include "base/mem.h"
#include "net/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool started;
	struct net_message m;
	struct buf again = {0};
	size_t before;

	if (!started && crypto_start() != OK)
		abort();
	started = true;
	before = mem_live();
	if (net_check(&m, SLICE(data, len)) == OK) {
		bool of_another_version = m.type == NET_HELLO && m.u.hello.version != FORMAT_VERSION;

		if (!of_another_version && (net_encode(&again, &m) != OK || !slice_equal(buf_slice(&again), SLICE(data, len))))
			abort();
		net_message_free(&m);
		buf_free(&again);
	}
	if (mem_live() != before)
		abort();
	return 0;
}
