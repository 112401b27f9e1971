/* pages_check over a real data file with bytes changed: the input is a list of (page u8, offset u16, byte u8), and at the end how
 * much of the file is there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "store/backend.h"
#include "store/pages.h"

int LLVMFuzzerInitialize(int *, char ***);
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static uint8_t *image;
static size_t image_len;

static void must(bool is)
{
	if (!is)
		abort();
}

/* Trees of two levels, values in pages of their own, free pages. */
static void fill(struct store *s)
{
	static uint8_t value[20000];

	for (int round = 0; round < 4; round++) {
		struct store_txn *t;

		must(store_begin(&t, s, true) == OK);
		for (uint32_t i = 0; i < 60; i++) {
			put_u32(value, i * 7919);
			must((i % 4 == 3 ? store_delete(t, TABLE_OP, SLICE(value, 4)) :
				store_put(t, TABLE_OP, SLICE(value, 4), SLICE(value, i % 20 == 0 ? sizeof value : 400))) == OK);
		}
		must(store_commit(t) == OK);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const names[] = { "/data.mdb", "/lock.mdb", "/store.lock", "" };
	char dir[] = "/tmp/cairn-fuzz-XXXXXX", path[64];
	static const uint8_t key[KEY_LEN];
	struct store *s = NULL;
	FILE *f;

	(void)argc;
	(void)argv;
	must(crypto_start() == OK && mkdtemp(dir) != NULL && store_open_lmdb(&s, dir, key, NULL) == OK);
	fill(s);
	store_close(s);
	snprintf(path, sizeof path, "%s/data.mdb", dir);
	must((f = fopen(path, "rb")) != NULL && (image = malloc(1 << 20)) != NULL);
	image_len = fread(image, 1, 1 << 20, f);
	fclose(f);
	must(pages_check(image, image_len) == OK);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s%s", dir, names[i]);
		remove(path);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t keep = len % 4 == 2 ? get_u16(data + len - 2) * (size_t)16 % (image_len + 1) : image_len;
	uint8_t *file = malloc(image_len);

	must(file != NULL);
	memcpy(file, image, image_len);
	for (; len >= 4; data += 4, len -= 4) {
		size_t at = (data[0] * (size_t)4096 + get_u16(data + 1) % 4096) % image_len;

		file[at] ^= data[3];
	}
	file = realloc(file, keep == 0 ? 1 : keep);     /* its end is where the sanitizer watches */
	must(file != NULL);
	pages_check(file, keep);
	free(file);
	return 0;
}
