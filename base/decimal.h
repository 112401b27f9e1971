/* decimal: exact fixed-point numbers, int64 scaled by 10^4 (protocol §1).  |v| <= 99,999,999.9999.  One rounding rule:
 * half away from zero.  128-bit intermediates. */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H
#include <stdint.h>
#include "base/bytes.h"

typedef int64_t decimal;
#define DECIMAL_ONE ((decimal)10000)
#define DECIMAL_MAX ((decimal)999999999999)
#define DECIMAL_WEIGHT_MAX (1000 * DECIMAL_ONE)

bool decimal_valid(decimal);
/* "45.5", "-17", "+3.25", "1e" is refused; at most 4 decimals (more are refused unless zero).  ERR_USAGE, ERR_TOOBIG. */
enum err decimal_parse(decimal *, struct slice text);
/* At least min_places and at most max_places decimals (0..4), rounded by the rule; NUL-terminated; out >= 24 bytes. */
void decimal_format(char *out, decimal, unsigned min_places, unsigned max_places);
/* round(a * b / c), c != 0; saturates at INT64_MIN/MAX. */
int64_t decimal_muldiv(int64_t a, int64_t b, int64_t c);
/* round(n / d) for 128-bit sums, d > 0. */
int64_t decimal_div_round(__int128 n, __int128 d);

#endif
