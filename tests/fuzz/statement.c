/* Fuzz statement_load and statement_open: any bytes are a statement or an error (protocol §6; statement.h). */
#include <stdlib.h>
#include "base/mem.h"
#include "crdt/statement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t key[KEY_LEN] = { 7, 8, 9 };
	static bool started;
	struct statement s;
	struct buf plain = {0};
	size_t before;

	if (!started && crypto_start() != OK)
		abort();
	started = true;
	before = mem_live();
	if (statement_load(&s, SLICE(data, len)) != OK)
		return 0;
	if (s.body.len > 0 && (s.body.data < data || s.body.data + s.body.len > data + len))
		abort();
	statement_verify(&s);
	if (statement_open(&plain, &s, key) == OK && plain.len != s.body.len - (s.has_epoch ? TAG_LEN : 0))
		abort();
	buf_free(&plain);
	if (mem_live() != before)
		abort();
	return 0;
}
