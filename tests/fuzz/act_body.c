/* Bodies of authority ops and the certificates in them: the first byte is the kind. */
#include <assert.h>
#include <stdlib.h>
#include "org/authority.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct act act = { .kind = 0 };
	struct act_body body;
	struct certificate certificate;
	enum err e;

	if (len == 0)
		return 0;
	act.kind = data[0] % 32;
	act.body = SLICE(data + 1, len - 1);
	e = act_body_load(&body, &act);
	assert(e == OK || e == ERR_MALFORMED || e == ERR_VERSION || e == ERR_NOMEM);
	if (e == OK) {
		for (size_t i = 0; i < body.n_pins; i++)
			(void)act_pin_at(body.pins, i);
		for (size_t i = 0; i < body.n_claims; i++)
			(void)act_id16_at(body.claims, i);
	}
	e = certificate_load(&certificate, SLICE(data + 1, len - 1));
	assert(e != OK || len > 300);
	return 0;
}
