// SPDX-License-Identifier: Apache-2.0
// What the chunks of a pass looked like when they were hashed, until they are read back.
//
// Invariants
// 1. Memory does not grow with the image: so many of the latest are kept. A chunk without a
//    fingerprint is hashed instead.
#ifndef UPDATER_FINGERPRINTS_H
#define UPDATER_FINGERPRINTS_H

#include "base/cleanup.h"
#include "base/fingerprint.h"

#include <stdint.h>

// What is read back later than this was far behind: 64K chunks of 64 MiB.
enum { FINGERPRINTS_KEPT = 1024 };

struct fingerprints;

// `count`: chunks of the image.
MUST_CHECK enum err fingerprints_new(uint32_t count, struct fingerprints **ret, struct error *e);
void fingerprints_free(struct fingerprints *f);
DEFINE_CLEANUP(fingerprints, struct fingerprints *, fingerprints_free)

void fingerprints_clear(struct fingerprints *f);
void fingerprints_keep(struct fingerprints *f, uint32_t index, const struct fingerprint *print);
// False: there is none (any more).
bool fingerprints_find(const struct fingerprints *f, uint32_t index, struct fingerprint *ret);

#endif
