// SPDX-License-Identifier: Apache-2.0
// Making a signature record over the signed bytes of an image.
#ifndef KEYS_SIGN_H
#define KEYS_SIGN_H

#include "base/cleanup.h"
#include "base/error.h"
#include "format/signature_area.h"

#include <stddef.h>
#include <stdint.h>

struct signer;

// Reads certificate and key (PEM). ERR_CONFIG when one cannot be read, they do not belong together,
// or the certificate could not sign an image (no EKU codeSigning, weak key).
MUST_CHECK enum err signer_load(const char *cert_path, const char *key_path, struct signer **ret,
                                struct error *e);
void signer_free(struct signer *s);
DEFINE_CLEANUP(signer, struct signer *, signer_free)

// Type and data of one record; `*ret_data` is malloced. Detached CMS for RSA and EC keys, a raw
// Ed25519 record for Ed25519 keys. The caller compares the image's `created` with
// signer_not_after().
MUST_CHECK enum err signer_sign(const struct signer *s, const uint8_t *message, size_t len,
                                uint16_t *ret_type, uint8_t **ret_data, size_t *ret_len,
                                struct error *e);

// The signer certificate's notAfter, seconds since 1970.
uint64_t signer_not_after(const struct signer *s);

// True in `*ret_present` if one of the records was made by this signer's key.
MUST_CHECK enum err signer_has_signed(const struct signer *s,
                                      const struct signature_list *signatures, bool *ret_present,
                                      struct error *e);

#endif
