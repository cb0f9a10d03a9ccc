// SPDX-License-Identifier: Apache-2.0
// The signed head and chunk table of what was installed into a slot, kept in the state directory,
// so that the slot can be checked again at any time without a server.
//
// Invariants
// 1. A record is verified like an image from the network each time it is read; a stored one is
//    trusted no more than a fetched one. Certificate expiry is checked as everywhere.
#ifndef UPDATER_SLOT_RECORD_H
#define UPDATER_SLOT_RECORD_H

#include "format/image.h"
#include "updater/state_dir.h"

MUST_CHECK enum err slot_record_save(struct state_store *s, const char *slot_name,
                                     const struct image *image, struct error *e);
// No record: ERR_NOT_NOW "slot b holds no verified release".
MUST_CHECK enum err slot_record_load(struct state_store *s, const char *slot_name,
                                     const struct head_verifier *verifier, struct hasher *hasher,
                                     struct image **ret, struct error *e);

#endif
