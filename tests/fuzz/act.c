/* Fuzz act_load: any bytes are an act or an error, and a signature that fits is of its author (protocol §3; act.h). */
#include <stdlib.h>
#include "base/mp.h"
#include "crdt/act.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool started;
	struct act a;

	if (!started && crypto_start() != OK)
		abort();
	started = true;
	if (act_load(&a, SLICE(data, len)) != OK)
		return 0;
	if (a.n_cites > LIMIT_HEADS || a.body.data < data || a.body.data + a.body.len > data + len
			|| mp_check(a.body, LIMIT_DEPTH, LIMIT_AUTHORITY_OP) != OK)
		abort();
	act_verify(&a);
	return 0;
}
