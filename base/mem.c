#include "base/mem.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t live;
static atomic_long fail_after = -1;

/* Count down to the allocation that must fail; stays at 0, so that all later ones fail too. */
static bool may_allocate(void)
{
	long left = atomic_load_explicit(&fail_after, memory_order_relaxed);

	while (left > 0)
		if (atomic_compare_exchange_weak(&fail_after, &left, left - 1))
			return true;
	return left != 0;
}

static void *counted(void *p)
{
	if (p != NULL)
		atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
	return p;
}

void *mem_array(size_t count, size_t size)
{
	size_t total;

	if (!may_allocate() || __builtin_mul_overflow(count, size, &total))
		return NULL;
	if (count == 0 || size == 0)
		count = size = 1;
	return counted(calloc(count, size));
}

void *mem_alloc(size_t size)
{
	return mem_array(1, size);
}

void *mem_resize(void *old, size_t count, size_t size)
{
	size_t total;
	void *p;

	if (!may_allocate() || __builtin_mul_overflow(count, size, &total))
		return NULL;
	p = realloc(old, total == 0 ? 1 : total);
	return old == NULL ? counted(p) : p;
}

void *mem_copy(const void *data, size_t len)
{
	void *p = mem_alloc(len);

	if (p != NULL && len > 0)
		memcpy(p, data, len);
	return p;
}

char *mem_string(const char *text)
{
	return mem_copy(text, strlen(text) + 1);
}

void mem_free(void *p)
{
	if (p == NULL)
		return;
	atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
	free(p);
}

void *mem_grow(void *old, size_t *capacity, size_t count, size_t size)
{
	size_t room = *capacity < 8 ? 8 : *capacity;
	void *p;

	if (old != NULL && count < *capacity)
		return old;
	while (room <= count)
		if (__builtin_mul_overflow(room, (size_t)2, &room))
			return NULL;
	p = mem_resize(old, room, size);
	if (p != NULL)
		*capacity = room;
	return p;
}

void mem_fail_after(long k)
{
	atomic_store(&fail_after, k);
}

size_t mem_live(void)
{
	return atomic_load(&live);
}
