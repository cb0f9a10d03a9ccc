// SPDX-License-Identifier: Apache-2.0
// One signature record against one set of anchors: who signed, or why it does not hold.
#ifndef KEYS_RECORD_H
#define KEYS_RECORD_H

#include "format/signature_area.h"
#include "keys/anchor.h"

enum { ED25519_KEY_ID_SIZE = 32, ED25519_SIGNATURE_SIZE = 64, ED25519_RECORD_SIZE = 96 };

// OK: the key of `*ret_signer` (a reference of the caller's) signed `message`, and one of the
// anchors vouches for that certificate. ERR_TRUST: this record does not count, and why.
// `record` is of type SIGNATURE_CMS or SIGNATURE_ED25519.
MUST_CHECK enum err record_verify(const struct anchor *anchors, size_t anchor_count,
                                  uint64_t time_floor, const uint8_t *message, size_t len,
                                  const struct signature_record *record, X509 **ret_signer,
                                  struct error *e);

// True if the record claims to be made with the key of `cert`; nothing is verified.
bool record_names_key(const struct signature_record *record, const X509 *cert);

#endif
