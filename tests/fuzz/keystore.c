/* Any bytes as a keystore file, as they are and with a fitting check at their end: refused, or a file whose parts lie within it. */
#include <assert.h>
#include <string.h>
#include "base/mem.h"
#include "daemon/keystore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *data, size_t size)
{
	enum keystore_lock lock;
	enum err e = keystore_check(SLICE(data, size), &lock);

	assert(e == OK || e == ERR_DAMAGED || e == ERR_VERSION);
	assert(lock == KEYSTORE_KEY_FILE || lock == KEYSTORE_PASSPHRASE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;
	struct id32 hash;

	check(data, size);
	if (size < 34 || size > 8192 || (copy = mem_copy(data, size)) == NULL)
		return 0;
	crypto_hash1(&hash, "cairn-keystore-file", copy, size - 34);
	copy[size - 34] = 0xc4;
	copy[size - 33] = 32;
	memcpy(copy + size - 32, hash.b, 32);
	check(copy, size);
	mem_free(copy);
	return 0;
}
