/* hlc: see hlc.h. */
#include "base/limits.h"
#include "crdt/hlc.h"

#define MS_MAX (UINT64_MAX >> 16)

hlc hlc_next(hlc last, uint64_t now_ms)
{
	hlc now = hlc_from_ms(now_ms < MS_MAX ? now_ms : MS_MAX);

	if (now > last)
		return now;
	/* The end of time (year 10889) is the one place where stamps stop growing: local writes never fail for the clock. */
	return last == UINT64_MAX ? last : last + 1;
}

int hlc_is_future(hlc t, uint64_t now_ms)
{
	return hlc_ms(t) > LIMIT_FUTURE_MS && hlc_ms(t) - LIMIT_FUTURE_MS > now_ms;
}
