#include "base/decimal.h"
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>

#define PLACES 4

static const int64_t POWER[PLACES + 1] = { 1, 10, 100, 1000, 10000 };

bool decimal_valid(decimal v)
{
	return v >= -DECIMAL_MAX && v <= DECIMAL_MAX;
}

/* Append a digit; what is beyond DECIMAL_MAX stays beyond it. */
static int64_t append_digit(int64_t v, int digit)
{
	return v > DECIMAL_MAX ? v : v * 10 + digit;
}

enum err decimal_parse(decimal *out, struct slice text)
{
	const uint8_t *at = text.data, *end;
	bool negative, point = false;
	int digits = 0, places = 0;
	int64_t v = 0;

	*out = 0;
	if (text.len == 0)
		return ERR_USAGE;
	end = at + text.len;
	negative = *at == '-';
	if (*at == '-' || *at == '+')
		at++;
	for (; at < end; at++) {
		if (*at == '.' && !point) {
			point = true;
			digits = 0;             /* some must follow */
			continue;
		}
		if (*at < '0' || *at > '9' || (places == PLACES && *at != '0'))
			return ERR_USAGE;
		digits = 1;
		if (places == PLACES)
			continue;
		v = append_digit(v, *at - '0');
		places += point;
	}
	if (digits == 0)
		return ERR_USAGE;
	for (; places < PLACES; places++)
		v = append_digit(v, 0);
	if (v > DECIMAL_MAX)
		return ERR_TOOBIG;
	*out = negative ? -v : v;
	return OK;
}

void decimal_format(char *out, decimal v, unsigned min_places, unsigned max_places)
{
	int64_t rounded, unit;
	uint64_t magnitude;
	unsigned places = max_places;

	assert(min_places <= max_places && max_places <= PLACES);
	rounded = decimal_div_round(v, POWER[PLACES - max_places]);
	magnitude = rounded < 0 ? -(uint64_t)rounded : (uint64_t)rounded;
	for (; places > min_places && magnitude % 10 == 0; places--)
		magnitude /= 10;
	unit = POWER[places];
	out += sprintf(out, "%s%llu", rounded < 0 ? "-" : "", (unsigned long long)(magnitude / (uint64_t)unit));
	if (places > 0)
		sprintf(out, ".%0*llu", (int)places, (unsigned long long)(magnitude % (uint64_t)unit));
}

static int64_t saturate(__int128 v)
{
	if (v > INT64_MAX)
		return INT64_MAX;
	return v < INT64_MIN ? INT64_MIN : (int64_t)v;
}

int64_t decimal_muldiv(int64_t a, int64_t b, int64_t c)
{
	__int128 n = (__int128)a * b, d = c;

	assert(c != 0);
	if (d < 0) {
		n = -n;
		d = -d;
	}
	return decimal_div_round(n, d);
}

/* n + d/2 could overflow; the remainder cannot. */
int64_t decimal_div_round(__int128 n, __int128 d)
{
	__int128 quotient, rest;

	assert(d > 0);
	quotient = n / d;
	rest = n % d;
	if (rest > 0 && rest >= d - rest)
		quotient++;
	else if (rest < 0 && -rest >= d + rest)
		quotient--;
	return saturate(quotient);
}
