/* A durable change over one open control connection (PUT of one field of one goal), against one raw LMDB commit of the same number of
 * bytes on the same disk, taken in turns.  usage: control SOCKET GOAL DIR [COUNT]; tests/bench/way.py starts it. */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BYTES 2500      /* what one change writes: op, fold, log head, slot, journal, trie node, reply */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int dial(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

/* One request, one whole answer (Content-Length). */
static void ask(int fd, const char *goal, int value)
{
	char request[512], body[64], answer[16384];
	size_t have = 0, want = 0;
	int n = snprintf(body, sizeof body, "{\"currentValue\": %d}", value % 100);
	int len = snprintf(request, sizeof request, "PUT /api/local/goals/%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		"Content-Length: %d\r\n\r\n%s", goal, n, body);

	if (write(fd, request, (size_t)len) != len)
		exit(1);
	while (want == 0 || have < want) {
		ssize_t got = read(fd, answer + have, sizeof answer - 1 - have);
		char *end, *field;

		if (got <= 0)
			exit(1);
		have += (size_t)got;
		answer[have] = '\0';
		end = strstr(answer, "\r\n\r\n");
		field = strcasestr(answer, "content-length:");
		if (end != NULL && field != NULL)
			want = (size_t)(end + 4 - answer) + (size_t)atol(field + 15);
	}
	if (strncmp(answer, "HTTP/1.1 200", 12) != 0) {
		fprintf(stderr, "%s\n", answer);
		exit(1);
	}
}

static void raw(MDB_env *env, MDB_dbi dbi, unsigned i)
{
	static char bytes[BYTES];
	unsigned key = __builtin_bswap32(i);
	MDB_val k = { sizeof key, &key }, v = { sizeof bytes, bytes };
	MDB_txn *txn;

	if (mdb_txn_begin(env, NULL, 0, &txn) || mdb_put(txn, dbi, &k, &v, 0) || mdb_txn_commit(txn))
		exit(1);
}

int main(int argc, char **argv)
{
	int count = argc > 4 ? atoi(argv[4]) : 2000, fd;
	double *ours = calloc((size_t)count, sizeof *ours), *theirs = calloc((size_t)count, sizeof *theirs), start;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	if (argc < 4)
		return 0;                       /* started by make bench: way.py does it */
	fd = dial(argv[1]);
	if (mdb_env_create(&env) || mdb_env_set_mapsize(env, 1 << 28) || mdb_env_open(env, argv[3], 0, 0600) ||
	    mdb_txn_begin(env, NULL, 0, &txn) || mdb_dbi_open(txn, NULL, 0, &dbi) || mdb_txn_commit(txn))
		return 1;
	for (int i = 0; i < count; i++) {
		start = now();
		ask(fd, argv[2], i);
		ours[i] = now() - start;
		start = now();
		raw(env, dbi, (unsigned)i);
		theirs[i] = now() - start;
	}
	qsort(ours, (size_t)count, sizeof *ours, by_value);
	qsort(theirs, (size_t)count, sizeof *theirs, by_value);
	printf("durable change over the control socket: p50 %.0f us (%.2f x raw LMDB commit of %d bytes: %.0f us), p99 %.0f us (%.2f x %.0f us), n %d\n",
		ours[count / 2], ours[count / 2] / theirs[count / 2], BYTES, theirs[count / 2], ours[count * 99 / 100],
		ours[count * 99 / 100] / theirs[count * 99 / 100], theirs[count * 99 / 100], count);
	mdb_env_close(env);
	return 0;
}
