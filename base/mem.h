/* mem: the allocator of all rooms.  Memory comes zeroed; any allocation can be made to fail in tests. */
#ifndef BASE_MEM_H
#define BASE_MEM_H
#include <stddef.h>

void *mem_alloc(size_t size);                       /* zeroed; NULL when out of memory; size 0 gives a valid pointer */
void *mem_array(size_t count, size_t size);         /* zeroed; NULL also on overflow */
/* Grow or shrink to count elements; what is new is NOT zeroed.  On failure NULL and the old block is untouched. */
void *mem_resize(void *old, size_t count, size_t size);
void *mem_copy(const void *data, size_t len);       /* a copy; len 0 gives a valid pointer */
char *mem_string(const char *text);                 /* a copy of a C string */
void mem_free(void *);                              /* NULL is fine */
/* Append one element to a growing array: makes room for count + 1, doubling *capacity.  Returns the (moved) array or
 * NULL with the old one untouched. */
void *mem_grow(void *old, size_t *capacity, size_t count, size_t size);

/* Tests: let the k-th allocation from now (k = 0: the next) and all later ones fail; -1: stop failing. */
void mem_fail_after(long k);
/* Blocks allocated and not freed, for leak checks in tests. */
size_t mem_live(void);

#endif
