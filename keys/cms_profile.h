// SPDX-License-Identifier: Apache-2.0
// The strict profile of CMS (RFC 5652) a signature record must have, checked on the bytes before
// OpenSSL sees them: there is one way to write each field that OpenSSL does not cover by a
// signature, so that no bit of a record can change unnoticed.
//
// Rules (docs/trust.md)
// 1. ContentInfo{signedData} > SignedData version 1 > exactly one digest algorithm (SHA-256, -384
//    or -512), content type id-data without content, no revocation lists, exactly one SignerInfo.
// 2. SignerInfo version 1, signer named by issuer and serial number, digest algorithm equal to the
//    one above, signature algorithm ecdsa-with-SHA*, sha*WithRSAEncryption of the same digest, or
//    rsaEncryption; no unsigned attributes. Signed attributes may be there; then contentType is
//    id-data.
// 3. Of 1 to CMS_CERTIFICATES_MAX version 3 certificates exactly one is the named signer's. The
//    others are left to lie: nobody reads them, so their bytes prove nothing and change nothing.
// 4. DER throughout (keys/der.h), no byte behind the end.
#ifndef KEYS_CMS_PROFILE_H
#define KEYS_CMS_PROFILE_H

#include "keys/cert.h"

#include <stddef.h>
#include <stdint.h>

enum { CMS_RECORD_MAX = 65536, CMS_CERTIFICATES_MAX = 8 };

struct cms_profile {
    const uint8_t *leaf; // the signer's certificate, DER, inside the record
    size_t leaf_len;
    enum cert_key key; // the kind of key the signature algorithm needs
};

// ERR_TRUST with one sentence for each rule. Nothing is verified yet.
MUST_CHECK enum err cms_profile_read(const uint8_t *record, size_t len, struct cms_profile *ret,
                                     struct error *e);

#endif
