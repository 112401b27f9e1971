/* Stored ops: what loads is stored again as it was, and its body can be asked for. */
#include <stdlib.h>
#include "crdt/op.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t key[KEY_LEN] = { 1 };
	struct buf stored = {0}, plain = {0};
	struct op op;

	if (op_load(&op, SLICE(data, len)) != OK)
		return 0;
	if (op_store(&stored, &op) != OK || !slice_equal(buf_slice(&stored), SLICE(data, len)))
		abort();
	op_open(&plain, &op, key);
	op_verify(&op);
	buf_free(&stored);
	buf_free(&plain);
	return 0;
}
