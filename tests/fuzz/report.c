/* An opened report is foreign bytes: it is refused, or within all bounds. */
#include <assert.h>
#include "base/text.h"
#include "org/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct report r;

	if (report_read(&r, SLICE(data, len)) != OK)
		return 0;
	assert(r.layer <= 3);
	for (size_t i = 0; i < r.n; i++) {
		const struct report_entry *e = &r.entries[i];

		assert(e->weight >= 0 && e->weight <= DECIMAL_WEIGHT_MAX && decimal_valid(e->percent));
		assert(e->tasks_done <= e->tasks_total && !(e->hidden && e->has_percent));
		assert(text_valid(e->category) && text_points(e->category) <= 50);
	}
	for (size_t i = 0; i < r.summary.n_categories; i++)
		assert(text_valid(r.summary.categories[i].name));
	report_free(&r);
	return 0;
}
