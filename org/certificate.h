/* certificate: who a device is (protocol §4): its keys, certified by the member's root key or by another device of the member, and
 * claimed by the device itself, so that nobody certifies a device key that is somebody else's.
 * Bytes: array of 10: [version, root bin32, device bin32, box key bin32, curve key bin32, certifier type (0 device, 1 root),
 *         certifier bin32, created ms, device's signature bin64, certifier's signature bin64]; with H = H("cairn-certificate", array of
 *         the first 8): the device signs "cairn-certificate-device" ‖ H, the certifier "cairn-certificate" ‖ H. */
#ifndef ORG_CERTIFICATE_H
#define ORG_CERTIFICATE_H
#include "base/crypto.h"

struct certificate {
	struct id32 root, device;
	uint8_t box[KEY_LEN], curve[KEY_LEN];
	bool by_root;
	struct id32 certifier;
	uint64_t created_ms;
};
enum err certificate_make(struct buf *out, const struct certificate *, const uint8_t certifier_secret[SIGN_SECRET_LEN],
	const uint8_t device_secret[SIGN_SECRET_LEN]);
/* Decodes and verifies both signatures.  ERR_MALFORMED, ERR_VERSION, ERR_SIGNATURE. */
enum err certificate_load(struct certificate *, struct slice bytes);
#endif
