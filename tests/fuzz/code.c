/* Invite codes: as text, and as well-formed base32 with the right check around any bytes. */
#include <assert.h>
#include <string.h>
#include "base/id.h"
#include "daemon/node/node_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void parse(struct slice text)
{
	struct join join = { .n_doors = 0 };
	struct buf bytes = {0};
	enum err e = join_code_parse(&join, &bytes, text);

	assert(e == OK || e == ERR_USAGE || e == ERR_VERSION);
	for (size_t i = 0; e == OK && i < join.n_doors; i++)
		assert(memchr(join.doors[i].address, 0, LIMIT_ADDRESS_TEXT) != NULL);
	buf_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf whole = {0}, text = {0};
	struct id32 hash;

	parse(SLICE(data, len));
	crypto_hash1(&hash, "cairn-code", data, len);
	buf_put(&whole, data, len);
	buf_put(&whole, &hash, 4);
	buf_put_text(&text, "cairn-");
	id_encode(&text, buf_slice(&whole));
	parse(buf_slice(&text));
	buf_free(&whole);
	buf_free(&text);
	return 0;
}
