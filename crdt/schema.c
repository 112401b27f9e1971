/* schema: see schema.h. */
#include "crdt/schema.h"

const struct schema_field *schema_find(const struct schema *s, uint32_t key)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->fields[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->n && s->fields[low].key == key ? &s->fields[low] : NULL;
}
