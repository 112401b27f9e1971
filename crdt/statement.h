/* statement: a signed, single-writer record of which only the newest counts (protocol §6).  Pure.
 *
 * Bytes: array of 13: [version, space bin32, device bin32, kind, index bin16, counter, hlc, epoch bin32 | nil, consent version,
 *         audience bin16 | nil, nonce bin24, body bin, signature bin64]
 * The first 11 (as an array of 11) are the associated data of a sealed body: XChaCha20-Poly1305 under a key derived from the epoch
 * key (H-keyed "cairn-statement"), with that nonce.  id = H("cairn-statement", the array of 12 without signature).
 * Slot = (device, kind, index).  Higher counter wins, then the larger id.  A small index is its number in the last two bytes. */
#ifndef CRDT_STATEMENT_H
#define CRDT_STATEMENT_H
#include "base/crypto.h"
#include "base/limits.h"
#include "crdt/hlc.h"

enum statement_kind { STATEMENT_REPORT = 1, STATEMENT_ROLLUP = 2, STATEMENT_ADDRESS = 3, STATEMENT_WRAP = 4, STATEMENT_RECEIPT = 5 };
struct statement {
	struct id32 space, device;
	uint32_t kind;
	struct id16 index;
	uint64_t counter;
	hlc hlc;
	bool has_epoch, has_audience;
	struct id32 epoch;
	uint64_t consent;                       /* consent version; 0 where it means nothing */
	struct id16 audience;
	uint8_t nonce[NONCE_LEN];
	struct slice body;                      /* as stored */
	uint8_t signature[SIG_LEN];
	struct id32 id;
};
struct id16 statement_index(uint32_t number);           /* < LIMIT_SLOT_INDEX */
/* Seal (epoch_key not NULL: has_epoch must be set) or copy the plaintext, sign, encode; sets body, id, signature. */
enum err statement_make(struct buf *out, struct statement *, struct slice plain, const uint8_t *epoch_key,
	const uint8_t secret[SIGN_SECRET_LEN]);
enum err statement_load(struct statement *, struct slice bytes);        /* limits, canonical form, id; not the signature */
bool statement_verify(const struct statement *);
enum err statement_open(struct buf *plain, const struct statement *, const uint8_t *epoch_key);
/* > 0: a is newer than b (same slot). */
int statement_compare(const struct statement *a, const struct statement *b);

#endif
