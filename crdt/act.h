/* act: the envelope of an authority op (protocol §3): a signed node of a space's authority DAG.  What the kinds and bodies mean
 * is org/authority's business.  Pure.
 *
 * Bytes: array of 8: [version, space bin32 (genesis: zeros), author type (0 device, 1 member root key), author bin32,
 *         cites [bin32…] sorted, kind, body (a canonical map, in place), signature bin64]
 * id = H("cairn-authority", the array of 7 without signature); signature: Ed25519 over "cairn-authority" ‖ id by author.
 * The space id is the id of its genesis act. */
#ifndef CRDT_ACT_H
#define CRDT_ACT_H
#include "base/crypto.h"
#include "base/limits.h"

enum act_author { ACT_DEVICE = 0, ACT_ROOT = 1 };
struct act {
	struct id32 space;                      /* genesis: zeros in the bytes; act_load leaves zeros */
	enum act_author author_type;
	struct id32 author;
	size_t n_cites;
	struct id32 cites[LIMIT_HEADS];
	uint32_t kind;
	struct slice body;                      /* encoded map */
	uint8_t signature[SIG_LEN];
	struct id32 id;
};
/* Encode and sign with the author's secret; sets id and signature. */
enum err act_make(struct buf *out, struct act *, const uint8_t secret[SIGN_SECRET_LEN]);
/* From bytes, slices borrowed; limits and canonical form, id computed; not the signature. */
enum err act_load(struct act *, struct slice bytes);
bool act_verify(const struct act *);

#endif
