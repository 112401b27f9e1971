/* A published roll-up is foreign bytes: it is refused, or what was understood of it is written and read alike. */
#include <assert.h>
#include <string.h>
#include "org/rollup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct rollup_body a, b;
	struct buf first = { 0 }, second = { 0 };

	if (rollup_body_read(&a, SLICE(data, len)) != OK)
		return 0;
	assert(rollup_body_encode(&first, &a) == OK);
	assert(rollup_body_read(&b, buf_slice(&first)) == OK);
	assert(rollup_body_encode(&second, &b) == OK);
	assert(slice_equal(buf_slice(&first), buf_slice(&second)));
	buf_free(&first);
	buf_free(&second);
	return 0;
}
