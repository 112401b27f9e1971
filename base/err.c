#include "base/err.h"
#include <stddef.h>

static const struct { const char *name, *text; } TABLE[ERR_LAST] = {
	[OK]            = { "ok", "no error" },
	[ERR_NOMEM]     = { "nomem", "out of memory" },
	[ERR_TOOBIG]    = { "toobig", "larger than the limit" },
	[ERR_MALFORMED] = { "malformed", "malformed data" },
	[ERR_VERSION]   = { "version", "unknown version or format" },
	[ERR_SIGNATURE] = { "signature", "a signature does not verify" },
	[ERR_SEALED]    = { "sealed", "no key opens this" },
	[ERR_NOTFOUND]  = { "notfound", "not found" },
	[ERR_AMBIGUOUS] = { "ambiguous", "fits several things" },
	[ERR_EXISTS]    = { "exists", "exists already" },
	[ERR_STATE]     = { "state", "not possible in this state" },
	[ERR_DENIED]    = { "denied", "not permitted" },
	[ERR_CONSENT]   = { "consent", "not approved by the member" },
	[ERR_USAGE]     = { "usage", "wrong argument" },
	[ERR_LIMIT]     = { "limit", "too many or too often" },
	[ERR_BUSY]      = { "busy", "in use by another process or request" },
	[ERR_WAITING]   = { "waiting", "saved, waiting for a peer" },
	[ERR_PERSON]    = { "person", "a person must decide" },
	[ERR_LOCKED]    = { "locked", "the keystore is locked" },
	[ERR_IO]        = { "io", "input or output failed" },
	[ERR_FULL]      = { "full", "no room on the disk" },
	[ERR_MAPFULL]   = { "mapfull", "the store's map must grow" },
	[ERR_DAMAGED]   = { "damaged", "a stored record is damaged" },
	[ERR_MISSING]   = { "missing", "something it refers to is not here yet" },
	[ERR_FORK]      = { "fork", "conflicts with a different record at the same place" },
};

static int index_of(enum err e)
{
	return (unsigned)e < ERR_LAST ? (int)e : -1;
}

const char *err_text(enum err e)
{
	return index_of(e) < 0 ? "unknown error" : TABLE[e].text;
}

const char *err_name(enum err e)
{
	return index_of(e) < 0 ? "unknown" : TABLE[e].name;
}
