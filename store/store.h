/* store: sealed, ordered records over a backend (design §3, §4 "records at rest", §12).
 *
 * A record is (table, key) → value.  Its key on disk is table byte ‖ key; its value is sealed with XChaCha20-Poly1305 under a key
 * derived from the store key, the disk key being the associated data and nonce = keyed BLAKE2b-192(length of the disk key ‖
 * disk key ‖ value): 24 (nonce) + 16 (tag) bytes more.  So a damaged, moved or swapped record is found when it is read:
 * ERR_DAMAGED.  Keys hold ids, enums, numbers and keyed hashes, never text (integers big-endian).
 *
 * One write transaction at a time; reads in it see its own writes.  The loop thread owns a store.  Errors of a backend:
 * ERR_FULL (disk), ERR_MAPFULL (see store_begin), ERR_IO, ERR_NOMEM, ERR_DAMAGED (the file's structure).  After a put or delete
 * that failed, the transaction can only be aborted: all its other calls return that error, and store_commit aborts it.
 * Reads that fail change nothing. */
#ifndef STORE_STORE_H
#define STORE_STORE_H
#include "base/crypto.h"

#define STORE_KEY_MAX 510
#define STORE_VALUE_MAX (256 * 1024)

enum store_table {                      /* the layout of each key and value: docs/storage.md */
	TABLE_META = 1,                 /* name → settings of this store, keys of this device … */
	TABLE_SPACE = 2,                /* space id → what this node knows of the space */
	TABLE_LOG = 3,                  /* space#u32 device32 incarnation u64 → head, bound, marks, log# */
	TABLE_OP = 4,                   /* log#u32 seq u64 → stored op */
	TABLE_DOC_OPS = 5,              /* space#u32 document16 hlc u64 op32 → log#, seq, counts? */
	TABLE_DOC = 6,                  /* space#u32 kind u32 document16 → cached fold */
	TABLE_AUTHORITY = 7,            /* space#u32 sequence u64 → authority op bytes, in order of arrival */
	TABLE_STATEMENT = 8,            /* space#u32 device32 kind u8 index16 → statement bytes */
	TABLE_SLOT = 9,                 /* space#u32 section u8 hashed slot key 32 → slot key, version, id, journal# */
	TABLE_TRIE = 10,                /* space#u32 section u8 path nibbles → trie node */
	TABLE_JOURNAL = 11,             /* space#u32 journal# u64 → section, hashed slot key */
	TABLE_EPOCH = 12,               /* space#u32 epoch32 → key, parents, readers as known */
	TABLE_HELD = 13,                /* hlc u64 space#u32 log#u32 seq u64 → nothing: ops ahead of the clock, by due time */
	TABLE_INDEX = 14,               /* index u8, whatever the node makes */
	TABLE_REPLY = 15,               /* time u64 request16 → reply; and request16 → time */
	TABLE_PEER = 16,                /* device32 → addresses, counters, cursors */
	TABLE_COPY = 17,                /* table u8 key → second copy of a record */
	TABLE_ROLLUP = 18,              /* space#u32 … → what an aggregator keeps */
	TABLE_PENDING = 19              /* things to do after a restart: joins, seals */
};

struct store;
struct store_txn;
struct store_cursor;

/* LMDB in dir (data.mdb, lock.mdb, store.lock, 0600), default durable flags; dir is made if only it is missing.  ERR_VERSION:
 * made by a newer format (*found is that format; else 0; found may be NULL); ERR_DAMAGED: cannot be opened; ERR_BUSY: a store
 * has it, here or in another process; ERR_IO: e.g. a network file system, read-only; ERR_SEALED: the key does not fit this
 * store.  Initial map 64 MiB, doubled when full.  When its last owner died, the whole file is first read in a child process,
 * because a damaged one can kill who reads it (measured.md 5): ERR_DAMAGED instead of SIGBUS. */
enum err store_open_lmdb(struct store **out, const char *dir, const uint8_t key[KEY_LEN], uint32_t *found);
/* The process that has the store in dir open; 0: nobody; -1: somebody unknown. */
int store_holder(const char *dir);
/* The same in memory, for the simulator and tests.  The "disk" survives store_close inside *disk, which is created by
 * store_disk_new and can lose what was not synced, fill up and flip bits.  A disk, its clones and their stores belong to
 * one thread: a clone shares memory with its original until either changes.  ERR_BUSY: the disk has an open store. */
struct store_disk;
struct store_disk *store_disk_new(void);                            /* NULL: no memory */
void store_disk_free(struct store_disk *);                          /* after its store; NULL is fine */
void store_disk_limit(struct store_disk *, size_t bytes);           /* commits that grow beyond say ERR_FULL; 0: none */
void store_disk_fail_commits(struct store_disk *, int count);       /* the next count commits say ERR_IO; nothing is kept */
void store_disk_unsynced(struct store_disk *, bool on);             /* commits stay volatile until store_disk_sync */
void store_disk_sync(struct store_disk *);
void store_disk_crash(struct store_disk *);                         /* drop what is volatile */
void store_disk_flip(struct store_disk *, uint64_t which);          /* flip one bit of one stored value, if there is any */
/* A copied home, a restored backup: the data as it is now, volatile or not, without limits; another identity.  NULL: no memory. */
struct store_disk *store_disk_clone(const struct store_disk *);
enum err store_open_memory(struct store **out, struct store_disk *, const uint8_t key[KEY_LEN]);
void store_close(struct store *);                                   /* NULL is fine; aborts an open transaction */

/* When a write meets a full map, the put (or the commit) says ERR_MAPFULL; the caller aborts and does the same again:
 * store_begin(write) grows the map first.  It does so early enough that only a transaction of many megabytes ever sees it.
 * ERR_BUSY: the map must grow, but a reader or a backup is open: later.  ERR_STATE: there is a write transaction. */
enum err store_begin(struct store_txn **out, struct store *, bool write);
enum err store_commit(struct store_txn *);                          /* consumed in any case; durable on OK */
void store_abort(struct store_txn *);                               /* NULL is fine */

/* *value is borrowed until the transaction ends or store_forget (opened records live in its arena; with ASan, what was
 * released is poisoned).  ERR_NOTFOUND, ERR_DAMAGED. */
enum err store_get(struct store_txn *, enum store_table, struct slice key, struct slice *value);
enum err store_put(struct store_txn *, enum store_table, struct slice key, struct slice value);      /* ERR_TOOBIG */
enum err store_delete(struct store_txn *, enum store_table, struct slice key);   /* absent: OK */
/* Release what store_get and cursors have opened so far in this transaction (long reads). */
void store_forget(struct store_txn *);

/* A cursor over the records of a table whose key begins with prefix, from < end of the prefix.  Ascending: it begins at the
 * first key >= from (a whole key; empty: the beginning).  Descending: at the last key < from (empty: the end of the prefix).
 * Writes in its transaction are allowed: it goes on behind its last key and sees what they made. */
enum err store_cursor_open(struct store_cursor **out, struct store_txn *, enum store_table, struct slice prefix, struct slice from,
	bool descending);
/* ERR_NOTFOUND at the end.  ERR_DAMAGED: the next call goes on behind *key; if key->len is 0, the file's structure is damaged.
 * *key (without the table) is borrowed until the next call on this cursor.  value may be NULL: not opened.  ERR_STATE: its
 * transaction has ended. */
enum err store_cursor_next(struct store_cursor *, struct slice *key, struct slice *value);
void store_cursor_close(struct store_cursor *);                     /* NULL is fine; also after the transaction */

struct store_info {
	uint64_t map_bytes, used_bytes, records;
	uint64_t identity;              /* data file's inode; differs in a copied home or a restored backup (protocol §2) */
	uint32_t format;
	uint32_t stale_readers;         /* that were found and cleared */
};
enum err store_info(struct store *, struct store_info *out);
/* Every committed record read and opened; calls bad() for each that is damaged, and goes on: OK.  *count: records seen.
 * ERR_DAMAGED: records are missing or the file's structure is damaged.  bad must not write. */
enum err store_check(struct store *, uint64_t *count, void (*bad)(void *, enum store_table, struct slice key), void *);
/* The same in a child process, for a suspect file that could kill who reads it, whether or not the store is open, here or
 * elsewhere.  Blocks; any thread.  ERR_DAMAGED also: the child died; ERR_SEALED, ERR_VERSION, ERR_NOTFOUND as on opening. */
enum err store_scrub(const char *dir, const uint8_t key[KEY_LEN], uint64_t *count,
	void (*bad)(void *, enum store_table, struct slice key), void *);
/* A consistent compacted copy of an LMDB store into a new directory (made, or empty), durable on OK, while the store is in
 * use.  Blocks; the one call that any thread may make, as long as the store stays open.  ERR_EXISTS, ERR_FULL, ERR_IO; ERR_USAGE:
 * a store in memory. */
enum err store_backup(struct store *, const char *dir);
#define STORE_FORMAT 1

#endif
