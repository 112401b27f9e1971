/* backend: what a store sits on: an ordered map of bytes with transactions.  Implementations: backend_lmdb.c (the only file with
 * I/O), backend_memory.c.  Internal to the room. */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H
#include "store/store.h"

#define DISK_KEY_MAX 511                /* LMDB's limit: one byte of table and STORE_KEY_MAX */

struct backend {                        /* the functions of one kind of backend; `self` and `txn` are its own */
	enum err (*begin)(void *self, void **txn, bool write);
	enum err (*commit)(void *txn);                                          /* consumed in any case */
	void (*abort)(void *txn);
	enum err (*get)(void *txn, struct slice key, struct slice *value);      /* borrowed until the next write */
	/* Room for len bytes under key: the caller fills it before any other call. */
	enum err (*put)(void *txn, struct slice key, size_t len, uint8_t **room);
	enum err (*remove)(void *txn, struct slice key);                        /* ERR_NOTFOUND */
	enum err (*cursor_open)(void *txn, void **cursor);
	/* The first key >= (ascending) or the last key < (descending) the given one; an empty key is the first or the last of
	 * all.  Then on from there, until a write. */
	enum err (*cursor_seek)(void *cursor, struct slice key, bool descending, struct slice *found, struct slice *value);
	enum err (*cursor_next)(void *cursor, bool descending, struct slice *found, struct slice *value);
	void (*cursor_close)(void *cursor);                                     /* before its transaction ends */
	enum err (*check)(void *self);                                          /* the structure: ERR_DAMAGED */
	enum err (*info)(void *self, struct store_info *out);                   /* all but format */
	enum err (*backup)(void *self, const char *dir);
	void (*close)(void *self);                                              /* NULL is fine; no transaction is open */
};
#define LMDB_MAP_INITIAL ((size_t)64 << 20)
enum lmdb_mode { LMDB_OWN, LMDB_LOOK };                     /* look: read only, also beside the owner in another process */
enum err backend_lmdb_open(const struct backend **functions, void **self, const char *dir, size_t map, enum lmdb_mode);
enum err backend_memory_open(const struct backend **functions, void **self, struct store_disk *disk);

/* work() in a forked child, because a damaged file can kill who reads it.  What it passes to say() arrives, a copy, at
 * heard() in this process (at most 65,535 bytes each).  Returns what work() returned; ERR_DAMAGED: the child died. */
typedef void say_fn(void *, struct slice);
enum err backend_lmdb_child(enum err (*work)(void *, say_fn *say, void *say_arg), void *, say_fn *heard, void *heard_arg);

/* Tests: store_open_lmdb with a smaller map to begin with. */
enum err store_open_lmdb_map(struct store **out, const char *dir, const uint8_t key[KEY_LEN], uint32_t *found, size_t map);

#endif
