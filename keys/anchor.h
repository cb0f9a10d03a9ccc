// SPDX-License-Identifier: Apache-2.0
// One certificate of a trust directory, and whom it vouches for.
//
// Invariants
// 1. Each anchor stands alone: its store holds this one certificate, so a chain is the signer's
//    certificate alone (it is the anchor) or that and the anchor that issued it. Two anchors of the
//    same name do not get in each other's way, and nothing embedded in a signature takes part.
// 2. An anchor can sign images or issue certificates, and its key is of an accepted kind.
#ifndef KEYS_ANCHOR_H
#define KEYS_ANCHOR_H

#include "base/error.h"

#include <openssl/x509.h>
#include <stdint.h>

struct anchor {
    X509 *cert;
    X509_STORE *store;
};

// Takes its own reference to `cert`. ERR_CONFIG when it can serve as no anchor: weak key, neither
// a signer nor an issuer.
MUST_CHECK enum err anchor_init(X509 *cert, struct anchor *ret, struct error *e);
void anchor_clear(struct anchor *a);

// The certificate is this anchor, or names it as its issuer.
bool anchor_concerns(const struct anchor *a, X509 *leaf);

// ERR_TRUST: not issued by it after all, the anchor is no CA, or one of the two has expired.
MUST_CHECK enum err anchor_vouches(const struct anchor *a, X509 *leaf, uint64_t time_floor,
                                   struct error *e);

#endif
