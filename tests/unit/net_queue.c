/* The set of slots inside a session (net/session_internal.h): a map in order of arrival, bounded, and not to be slowed down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/mem.h"
#include "base/rng.h"
#include "net/session_internal.h"

static struct slice key_of(uint8_t out[33], uint64_t n)
{
	memset(out, 0, 33);
	out[0] = 'A';
	put_u64(out + 1, n);
	return SLICE(out, 33);
}

static void it_behaves_like_a_list_without_doubles(void **state)
{
	enum { KEYS = 300 };
	size_t total = 0, n = 0, before = mem_live();
	struct slot_queue q = { .total = &total };
	uint64_t order[20000], have[KEYS] = {0};        /* 0: not in it */
	uint8_t raw[33];
	struct rng rng;

	(void)state;
	rng_seed_u64(&rng, 1);
	for (uint64_t i = 1; i < 20000; i++) {
		uint64_t k = rng_below(&rng, KEYS);
		struct slice key = key_of(raw, k);
		struct slot_entry *e = queue_find(&q, key);

		assert_true((e != NULL) == (have[k] != 0));
		if (e != NULL) {
			assert_int_equal(e->have, have[k]);
			assert_true(queue_add(&q, key) == e);
			queue_remove(&q, e);
			queue_remove(&q, e);
			for (size_t j = 0; j < n; j++)
				if (order[j] == k) {
					memmove(order + j, order + j + 1, (--n - j) * sizeof *order);
					break;
				}
			have[k] = 0;
		} else {
			e = queue_add(&q, key);
			assert_true(e->have == 0 && !e->flag && !e->dead);
			e->have = have[k] = i;
			order[n++] = k;
		}
		assert_int_equal(q.alive, n);
		assert_int_equal(total, n);
		if (n > 0) {
			assert_true(slice_equal(SLICE(queue_first(&q)->key, 33), key_of(raw, order[0])));
		} else {
			assert_null(queue_first(&q));
		}
	}
	queue_clear(&q);
	assert_int_equal(total, 0);
	assert_null(queue_first(&q));
	assert_int_equal(mem_live(), before);
}

static void the_total_is_bounded(void **state)
{
	size_t total = QUEUE_MAX - 2;
	struct slot_queue q = { .total = &total };
	uint8_t raw[33];

	(void)state;
	assert_non_null(queue_add(&q, key_of(raw, 1)));
	assert_non_null(queue_add(&q, key_of(raw, 2)));
	assert_null(queue_add(&q, key_of(raw, 3)));
	assert_non_null(queue_add(&q, key_of(raw, 2)));
	queue_remove(&q, queue_find(&q, key_of(raw, 1)));
	assert_non_null(queue_add(&q, key_of(raw, 3)));
	queue_clear(&q);
}

/* As in session_queue.c: who wants to do harm can compute it, too. */
static size_t hash(struct slice key)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ key.data[i]) * 0x100000001b3u;
	h ^= h >> 29;
	return (size_t)h;
}

static void keys_that_collide_are_left_out(void **state)
{
	size_t total = 0, added = 0, tried = 0, left_out = 0;
	struct slot_queue q = { .total = &total };
	uint8_t raw[33];

	(void)state;
	for (uint64_t n = 0; tried < 400; n++) {
		struct slice key = key_of(raw, n);

		if ((hash(key) & 4095) != 7)
			continue;
		tried++;
		added += queue_add(&q, key) != NULL;
	}
	assert_true(added >= 100 && added < 400);
	assert_true(q.alive <= added && total == q.alive);
	/* of others only those that fall into the crowd wait for the next round, until the index has grown beyond it */
	for (uint64_t n = 1u << 30; n < (1u << 30) + 4000; n++)
		left_out += queue_add(&q, key_of(raw, n)) == NULL;
	assert_true(left_out < 200);
	queue_clear(&q);
	assert_int_equal(total, 0);
}

static void no_memory_changes_nothing(void **state)
{
	size_t before = mem_live();
	uint8_t raw[33];

	(void)state;
	for (long k = 0, e = 1; e != 0; k++) {
		size_t total = 0;
		struct slot_queue q = { .total = &total };

		mem_fail_after(k);
		e = 0;
		for (uint64_t n = 0; n < 200; n++)
			e += queue_add(&q, key_of(raw, n)) == NULL;
		mem_fail_after(-1);
		assert_int_equal(total, 200 - e);
		assert_int_equal(q.alive, 200 - e);
		for (uint64_t n = 0; n < 200 - (uint64_t)e; n++)
			assert_non_null(queue_find(&q, key_of(raw, n)));
		queue_clear(&q);
	}
	assert_int_equal(mem_live(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_behaves_like_a_list_without_doubles),
		cmocka_unit_test(the_total_is_bounded),
		cmocka_unit_test(keys_that_collide_are_left_out),
		cmocka_unit_test(no_memory_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
