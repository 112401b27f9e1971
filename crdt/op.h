/* op: data ops and runs (protocol §2).  Pure; no allocation but in the given buffers.
 *
 * Header, canonical msgpack array of 13:
 *   [version, space bin32, device bin32, incarnation, seq, prev bin32, hlc, heads [bin32…], kind, document bin16 | nil,
 *    epoch bin32 | nil, body length, body hash bin32]
 * id = H("cairn-op", header).  The first op of a log has seq 1 and prev 32 zero bytes.  Body hash = H("cairn-body", body as
 * stored); the body of an op with an epoch is sealed, of one without epoch clear.  A header is refused if seq is 0, if not
 * exactly seq 1 has a zero prev, if heads are not sorted and unique, or if a sealed body has less than TAG_LEN bytes.
 * Sealed body: key = keyed H(epoch key, "cairn-op-key", device ‖ incarnation u64), nonce = keyed BLAKE2b-192(that key,
 * "cairn-op-nonce", header part), associated data = header part: an array of 12, the header without body hash.
 * Signature: Ed25519 over "cairn-op" ‖ id by the device.
 *
 * Stored form: array of 3: [header bin, body bin | nil (dropped), signature bin64 | nil]. */
#ifndef CRDT_OP_H
#define CRDT_OP_H
#include "base/crypto.h"
#include "base/limits.h"
#include "crdt/hlc.h"

struct op {
	struct id32 space, device;
	uint64_t incarnation, seq;
	struct id32 prev;
	hlc hlc;
	size_t n_heads;
	struct id32 heads[LIMIT_HEADS];         /* sorted, unique */
	uint32_t kind;                          /* registry: org/model.h */
	bool has_document, has_epoch, has_signature;
	struct id16 document;
	struct id32 epoch;
	uint32_t body_len;
	struct id32 body_hash;
	struct slice body;                      /* as stored (sealed); data NULL: dropped */
	uint8_t signature[SIG_LEN];
	struct id32 id;                         /* of the header */
};

/* Encode the header of op (all fields above body; body_len and body_hash too) into out, and set op->id. */
enum err op_header(struct buf *out, struct op *);
/* The header without body hash (an array of 12): associated data and source of the nonce. */
enum err op_header_part(struct buf *out, const struct op *);

/* Fill op->body_len/hash/body/id from a plaintext body.  With an epoch: seals into out with the key derived from
 * (epoch_key, device, incarnation) and nonce BLAKE2b-192 of the header part; else copies.  Appends to out; op->body borrows
 * from out, so it dangles when out grows.  plain must not lie in out.  ERR_TOOBIG; ERR_STATE: a header that op_load would
 * refuse. */
enum err op_seal(struct op *, struct buf *out, struct slice plain, const uint8_t epoch_key[KEY_LEN]);
/* The plaintext of a body, appended to out.  ERR_SEALED: wrong key or altered; ERR_MISSING: dropped. */
enum err op_open(struct buf *out, const struct op *, const uint8_t epoch_key[KEY_LEN]);
void op_sign(struct op *, const uint8_t secret[SIGN_SECRET_LEN]);
bool op_verify(const struct op *);              /* its own signature */

enum err op_store(struct buf *out, const struct op *);
/* From the stored form; slices borrow from bytes.  Checks limits, canonical form, body against body hash, and computes the
 * id; not the signature.  ERR_MALFORMED, ERR_TOOBIG, ERR_VERSION. */
enum err op_load(struct op *, struct slice bytes);

/* A run: consecutive ops of one log, ending in a signature (<= 256 ops, <= 192 KiB).  On the wire:
 *   [version, space, device, incarnation, first seq, prev, signature bin64, [item…]]
 *   item = [flags, hlc delta, kind, body, …] with what flags name appended in this order:
 *   1 document bin16 · 2 epoch bin32 (else: as the item before, or none) · 4 heads [bin32…] (else: as the item before; the first
 *   item has 4) · 8 no epoch (overrides "as before") · 16 body dropped: body is then [length, hash bin32].
 *   hlc delta = hlc - hlc of the item before (the first: the hlc itself).  hlc grows strictly along a log.
 *   There is one encoding of a run: a flag that names what could be elided is malformed.  Signatures inside a run are not sent. */
struct run {
	struct id32 space, device;
	uint64_t incarnation, first_seq;
	struct id32 prev;
	size_t n;
	struct op *ops;                         /* owned: run_free */
};
void run_free(struct run *);
/* Encode ops[0..n): consecutive, the last with a signature.  ERR_TOOBIG, ERR_STATE. */
enum err run_encode(struct buf *out, const struct op *ops, size_t n);
/* Decode, rebuild and hash every header, verify bodies and the last signature, heads sorted, hlc growing, limits.  Refused whole:
 * ERR_MALFORMED, ERR_TOOBIG, ERR_VERSION, ERR_SIGNATURE, ERR_NOMEM.  Bodies borrow from bytes.  Thread-safe. */
enum err run_decode(struct run *out, struct slice bytes);

#endif
