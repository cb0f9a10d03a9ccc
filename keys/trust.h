// SPDX-License-Identifier: Apache-2.0
// Whom this device believes: the anchors of a trust directory, and whether enough of them signed.
//
// Rules (docs/trust.md)
// 1. Anchors are the certificates (*.pem, *.crt) of the directory; each is an anchor by itself
//    (partial chain). Certificates embedded in a signature are ignored except the signer's own.
// 2. A signer counts if its certificate chains to an anchor, carries EKU codeSigning, and every
//    issuer above it is a CA allowed to sign certificates.
// 3. One record = one signature by one key. A record that does not verify is not counted and does
//    not fail the others. `signers` are counted by distinct public key.
// 4. Certificate times are compared with `time_floor` only: expired if notAfter < time_floor; a low
//    clock never rejects. OpenSSL's own time check is off.
// 5. There is no way to verify nothing: an empty directory is ERR_CONFIG, signers = 0 too.
#ifndef KEYS_TRUST_H
#define KEYS_TRUST_H

#include "base/cleanup.h"
#include "base/error.h"
#include "format/image.h"

#include <stdint.h>

struct trust_store;

// ERR_CONFIG: no directory, no certificate in it, an unreadable one, a weak key (RSA < 3072).
MUST_CHECK enum err trust_store_load(const char *dir, struct trust_store **ret, struct error *e);
void trust_store_free(struct trust_store *t);
DEFINE_CLEANUP(trust_store, struct trust_store *, trust_store_free)

// A head_verifier for images. `verifier` first, so that a pointer to it is one to the whole.
struct image_trust {
    struct head_verifier verifier;
    const struct trust_store *store;
    unsigned signers;    // >= 1
    uint64_t time_floor; // seconds since 1970; 0: nothing is known to be past
};

struct image_trust image_trust_with(const struct trust_store *store, unsigned signers,
                                    uint64_t time_floor);

// ERR_TRUST; the sentence says how many of how many signatures held and why the first did not.
MUST_CHECK enum err trust_verify(const struct trust_store *store, unsigned signers,
                                 uint64_t time_floor, const uint8_t *message, size_t len,
                                 const struct signature_list *signatures, struct error *e);

// Who signed, for people: up to `max` subject names of records that verify. For `inspect`.
struct signer_name {
    char subject[128];
    uint64_t not_after; // the certificate's, seconds since 1970
};
MUST_CHECK enum err trust_list_signers(const struct trust_store *store, uint64_t time_floor,
                                       const uint8_t *message, size_t len,
                                       const struct signature_list *signatures,
                                       struct signer_name *ret, size_t max, size_t *ret_count,
                                       struct error *e);

#endif
