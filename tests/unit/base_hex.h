/* hex: test vectors as text.  Spaces are ignored. */
#ifndef BASE_HEX_H
#define BASE_HEX_H
#include <stdio.h>
#include "base/bytes.h"

/* Returns the number of bytes; out must be large enough. */
static inline size_t hex_read(uint8_t *out, const char *hex)
{
	size_t n = 0;

	while (*hex != '\0') {
		unsigned byte;

		if (*hex == ' ') {
			hex++;
			continue;
		}
		if (sscanf(hex, "%2x", &byte) != 1)
			return 0;
		out[n++] = (uint8_t)byte;
		hex += 2;
	}
	return n;
}

/* Print what differs, for pinning new vectors. */
static inline bool hex_equal(const void *data, size_t len, const char *hex)
{
	uint8_t want[512];
	bool same = slice_equal(SLICE(data, len), SLICE(want, hex_read(want, hex)));

	for (size_t i = 0; !same && i < len; i++)
		fprintf(stderr, "%02x%s", ((const uint8_t *)data)[i], i + 1 == len ? "\n" : "");
	return same;
}

#endif
