/* schema: the field types of one kind of document.  The meaning (org/model.h) is none of this room's business. */
#ifndef CRDT_SCHEMA_H
#define CRDT_SCHEMA_H
#include <stddef.h>
#include <stdint.h>

enum field_type {
	FIELD_REGISTER,         /* last writer wins by (hlc, device, op id); value: nil, bool, int, bin or str */
	FIELD_SET,              /* add-wins set of scalar values; tags are op ids */
	FIELD_COUNTER,          /* PN-counter: the sum of int deltas, one per op */
	FIELD_MAP               /* elements by bin16 id, each with registers and counters of its own; an
	                         * ordered list is a map whose elements hold a fractional position in a register */
};
struct schema_field { uint32_t key; enum field_type type; const struct schema *element; };
struct schema { const struct schema_field *fields; size_t n; };   /* keys ascending, all >= SCHEMA_FIRST_KEY */
#define SCHEMA_FIRST_KEY 2
const struct schema_field *schema_find(const struct schema *, uint32_t key);   /* NULL: unknown, kept and ignored */

#endif
