// SPDX-License-Identifier: Apache-2.0
// A complete set of keys to begin with: one root, two release signers under it.
#ifndef KEYS_KEYGEN_H
#define KEYS_KEYGEN_H

#include "base/error.h"

// Creates the directory `dir` (ERR_CONFIG when it exists and is not empty) with
//   trust/root.pem  root.key  release.pem  release.key  second.pem  second.key
// ECDSA P-256, valid 20 years, keys mode 0600, signers with EKU codeSigning. A failure leaves no
// half-made set behind.
MUST_CHECK enum err keygen_make(const char *dir, struct error *e);

#endif
