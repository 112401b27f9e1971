/* keystore: the one file of secrets (design §4): the seed until `recover confirm`, this device's keys, the store key, the root's id,
 * the certificate, and the name and e-mail address given to `init`.  Everything else that is secret is a sealed record in the store.
 *
 * The file (0600) is one canonical msgpack array of 8:
 *
 *	0  "cairn-keystore"
 *	1  1                    the version
 *	2  0 | 1                what opens it: 0 the key file beside it, 1 a passphrase
 *	3  bin 16               salt
 *	4  bin 24               nonce of 6
 *	5  bin 72               the store key for who has the seed: nonce 24 ‖ XChaCha20-Poly1305(store key), under
 *	                        MAC(seed, "cairn-keystore-backup"), associated data: the root's id
 *	6  bin                  XChaCha20-Poly1305(body), associated data: the file's bytes before this value
 *	7  bin 32               H("cairn-keystore-file", the file's bytes before this value): tells damage from a wrong passphrase
 *
 * Key of 6: Argon2id(passphrase, salt) (base/crypto.h, crypto_password), or MAC(the 32 bytes of keystore.key,
 * "cairn-keystore-key", salt).  The body is one canonical msgpack array of 11:
 *
 *	0  seed bin 32 | nil    1  root bin 32          2  Ed25519 secret bin 64 (its last 32 are the device's id)
 *	3  box public bin 32    4  box secret bin 32    5  CURVE public bin 32   6  CURVE secret bin 32
 *	7  store key bin 32     8  certificate bin      9  name str             10  e-mail str
 *
 * The member root key is Ed25519 with the seed itself: crypto_sign_seed(root, secret, seed).
 *
 * Files are replaced whole and durably.  There is no second generation: it would keep what was meant to be gone (the seed, an old
 * passphrase).  All functions block, with a passphrase for half a second: run them on libuv's pool, one at a time. */
#ifndef DAEMON_KEYSTORE_H
#define DAEMON_KEYSTORE_H
#include "base/paths.h"
#include "daemon/node/node.h"

#define KEYSTORE_PASSPHRASE_MAX 1024
enum keystore_lock { KEYSTORE_KEY_FILE = 0, KEYSTORE_PASSPHRASE = 1 };
struct keystore;                                /* in locked memory; one owner at a time */

/* Is there one, and what opens it?  ERR_NOTFOUND; ERR_DAMAGED; ERR_VERSION: of a newer program. */
enum err keystore_probe(const struct paths *, enum keystore_lock *);

/* The same of a file's bytes; pure.  ERR_DAMAGED, ERR_VERSION. */
enum err keystore_check(struct slice file, enum keystore_lock *);

struct keystore_init {
	struct slice name, email;               /* UTF-8, NFC; <= 1023 bytes each; email may be empty */
	struct slice passphrase;                /* data NULL: a key file */
	const uint8_t *seed;                    /* 32 bytes; NULL: a new one */
	const uint8_t *store_key;               /* NULL: a new one */
	uint64_t now_ms;                        /* into the certificate */
};
/* Makes seed, keys and certificate, and the file.  ERR_EXISTS: there is one; it is not touched. */
enum err keystore_create(struct keystore **out, const struct paths *, const struct keystore_init *);
/* ERR_NOTFOUND; ERR_LOCKED: it has a passphrase, and none was given (data NULL); ERR_SEALED: a wrong passphrase or key file; ERR_MISSING:
 * the key file is not there; ERR_DAMAGED; ERR_VERSION; ERR_NOMEM. */
enum err keystore_load(struct keystore **out, const struct paths *, struct slice passphrase);
void keystore_close(struct keystore *);         /* NULL is fine */

const struct node_identity *keystore_identity(const struct keystore *);
const uint8_t *keystore_store_key(const struct keystore *);     /* KEY_LEN bytes */
enum keystore_lock keystore_locked_by(const struct keystore *);
/* In constant time, but for the Argon2id before it. */
bool keystore_passphrase_fits(const struct keystore *, struct slice passphrase);

/* `recover confirm`: the seed leaves the disk, then memory.  On an error it is still in both. */
enum err keystore_drop_seed(struct keystore *);
/* data NULL: to a key file.  On an error the old file and passphrase still hold. */
enum err keystore_change_passphrase(struct keystore *, struct slice passphrase);
/* `recover restore`: the store key of a keystore whose passphrase is lost.  ERR_SEALED: of another seed. */
enum err keystore_recover(uint8_t store_key[KEY_LEN], const struct paths *, const uint8_t seed[32]);

#endif
