/* store_commit: durable puts a second, sealed store against raw LMDB in the same run, with 1, 100 and 10,000 puts a transaction.
 * Usage: store_commit [directory].  Prints one line; the ratios are what counts (measured.md 16). */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "store/store.h"

enum { VALUE = 300, ROUNDS = 7 };
static const struct { unsigned puts, txns; } shapes[] = { { 1, 400 }, { 100, 60 }, { 10000, 3 } };
#define SHAPES (sizeof shapes / sizeof shapes[0])

static void must(int rc, const char *what)
{
	if (rc != 0) {
		fprintf(stderr, "store_commit: %s: %d\n", what, rc);
		exit(1);
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The next key in log order, and a value of its own. */
static void next(uint8_t key[13], uint8_t value[VALUE], uint64_t *seq)
{
	key[0] = TABLE_OP;
	put_u32(key + 1, 1);
	put_u64(key + 5, ++*seq);
	put_u64(value, *seq * 0x9e3779b97f4a7c15);
}

static double run_raw(MDB_env *env, MDB_dbi dbi, unsigned puts, unsigned txns, uint64_t *seq)
{
	uint8_t key[13], value[VALUE] = { 0 };
	double start = now();

	for (unsigned i = 0; i < txns; i++) {
		MDB_txn *t;

		must(mdb_txn_begin(env, NULL, 0, &t), "begin");
		for (unsigned j = 0; j < puts; j++) {
			MDB_val k = { sizeof key, key }, v = { sizeof value, value };

			next(key, value, seq);
			must(mdb_put(t, dbi, &k, &v, 0), "put");
		}
		must(mdb_txn_commit(t), "commit");
	}
	return puts * txns / (now() - start);
}

static double run_store(struct store *s, unsigned puts, unsigned txns, uint64_t *seq)
{
	uint8_t key[13], value[VALUE] = { 0 };
	double start = now();

	for (unsigned i = 0; i < txns; i++) {
		struct store_txn *t;

		must((int)store_begin(&t, s, true), "store_begin");
		for (unsigned j = 0; j < puts; j++) {
			next(key, value, seq);
			must((int)store_put(t, TABLE_OP, SLICE(key + 1, 12), SLICE(value, VALUE)), "store_put");
		}
		must((int)store_commit(t), "store_commit");
	}
	return puts * txns / (now() - start);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *of)
{
	qsort(of, ROUNDS, sizeof *of, by_size);
	return of[ROUNDS / 2];
}

static void clean(const char *dir, const char *sub)
{
	static const char *const names[] = { "data.mdb", "lock.mdb", "store.lock", "" };
	char path[4200];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s/%s", dir, sub, names[i]);
		remove(path);
	}
}

int main(int argc, char **argv)
{
	static const uint8_t secret[KEY_LEN] = { 1 };
	char dir[4100], path[4200];
	uint64_t seq = 0;
	struct store *s;
	uint32_t found;
	MDB_env *env;
	MDB_txn *t;
	MDB_dbi dbi;

	snprintf(dir, sizeof dir, "%s/store_commit-XXXXXX", argc > 1 ? argv[1] : "/var/tmp");
	must(mkdtemp(dir) == NULL, dir);
	snprintf(path, sizeof path, "%s/raw", dir);
	must(mkdir(path, 0700), path);
	must(mdb_env_create(&env), "create");
	must(mdb_env_set_mapsize(env, (size_t)1 << 30), "map");
	must(mdb_env_open(env, path, MDB_NOTLS, 0600), "open");
	must(mdb_txn_begin(env, NULL, 0, &t), "begin");
	must(mdb_dbi_open(t, NULL, 0, &dbi), "dbi");
	must(mdb_txn_commit(t), "commit");
	must((int)crypto_start(), "crypto");
	snprintf(path, sizeof path, "%s/store", dir);
	must((int)store_open_lmdb(&s, path, secret, &found), "store_open");

	printf("store_commit:");
	for (size_t i = 0; i < SHAPES; i++) {
		double raw[ROUNDS], sealed[ROUNDS], ratio[ROUNDS], r;

		for (int round = 0; round < ROUNDS; round++) {
			raw[round] = run_raw(env, dbi, shapes[i].puts, shapes[i].txns, &seq);
			sealed[round] = run_store(s, shapes[i].puts, shapes[i].txns, &seq);
			ratio[round] = sealed[round] / raw[round];
		}
		r = median(ratio);
		printf("%s %u/txn raw %.0f/s store %.0f/s ratio %.2f", i > 0 ? ";" : "", shapes[i].puts, median(raw), median(sealed), r);
	}
	printf("\n");
	store_close(s);
	mdb_env_close(env);
	clean(dir, "raw");
	clean(dir, "store");
	remove(dir);
	return 0;
}
