/* err: the one list of errors.  Errors are values; the core returns them, the shell logs them once. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err {
	OK = 0,
	ERR_NOMEM,      /* no memory: this request fails, the daemon goes on */
	ERR_TOOBIG,     /* beyond a limit of base/limits.h */
	ERR_MALFORMED,  /* wrong bytes from a peer, a file, a client */
	ERR_VERSION,    /* a version or format that this program does not know */
	ERR_SIGNATURE,  /* a signature or proof that does not verify */
	ERR_SEALED,     /* no key opens this */
	ERR_NOTFOUND,
	ERR_AMBIGUOUS,  /* a reference that fits several things */
	ERR_EXISTS,
	ERR_STATE,      /* not in this state: a programming error or a late event */
	ERR_DENIED,     /* the permission matrix says no */
	ERR_CONSENT,    /* the member has not approved this */
	ERR_USAGE,      /* a wrong argument */
	ERR_LIMIT,      /* too many, too often */
	ERR_BUSY,       /* another process or request holds it */
	ERR_WAITING,    /* saved, but a peer is needed to finish */
	ERR_PERSON,     /* a person must decide */
	ERR_LOCKED,     /* the keystore is locked */
	ERR_IO,
	ERR_FULL,       /* no room on the disk */
	ERR_MAPFULL,    /* the store's map must grow: retry outside the transaction */
	ERR_DAMAGED,    /* a stored record does not open */
	ERR_MISSING,    /* something it refers to is not here yet */
	ERR_FORK,       /* conflicts with a different record at the same place */
	ERR_LAST        /* not an error: the number of codes */
};

/* A short English phrase for logs ("no room on the disk").  Never NULL. */
const char *err_text(enum err);
/* The symbol without ERR_, lower case ("full"), for JSON.  Never NULL. */
const char *err_name(enum err);

#endif
