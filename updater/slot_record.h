// SPDX-License-Identifier: Apache-2.0
// The signed head and chunk table of what was installed into a slot, kept in the state directory,
// so that the slot can be checked again at any time without a server.
//
// Invariants
// 1. A record is verified like an image from the network each time it is read; a stored one is
//    trusted no more than a fetched one. Certificate expiry is checked as everywhere.
// 2. A slot without anything under its name was never written by us.
#ifndef UPDATER_SLOT_RECORD_H
#define UPDATER_SLOT_RECORD_H

#include "format/image.h"
#include "updater/state_dir.h"

// Before the first byte of a slot is changed: from now on there is something under its name, so
// that it never counts as a factory slot again, even if the journal is lost. A record that is there
// stays.
MUST_CHECK enum err slot_record_mark(struct state_store *s, const char *slot_name, struct error *e);
// After the slot was shut out of the boot order, before its first byte changes: only the mark is
// left, because what the record says of the slot is about to be untrue.
MUST_CHECK enum err slot_record_forget(struct state_store *s, const char *slot_name,
                                       struct error *e);
// Whether a record was ever saved, or the slot marked.
MUST_CHECK enum err slot_record_exists(struct state_store *s, const char *slot_name,
                                       bool *ret_exists, struct error *e);

MUST_CHECK enum err slot_record_save(struct state_store *s, const char *slot_name,
                                     const struct image *image, struct error *e);
// Before the old content of a slot is given up: its record can take up to IMAGE_PREFIX_MAX bytes
// beside the one that is there. ERR_IO when they do not fit; nothing is changed.
MUST_CHECK enum err slot_record_check_room(struct state_store *s, const char *slot_name,
                                           const struct image *image, struct error *e);
// Whether the record is that of this image, byte for byte; then it is as good as the image.
MUST_CHECK enum err slot_record_is(struct state_store *s, const char *slot_name,
                                   const struct image *image, bool *ret_same, struct error *e);
// No record, or only a mark: ERR_NOT_NOW "slot b holds no verified release".
MUST_CHECK enum err slot_record_load(struct state_store *s, const char *slot_name,
                                     const struct head_verifier *verifier, struct hasher *hasher,
                                     struct image **ret, struct error *e);

// The chunks of a record one by one, without the record in memory: it is read twice, and `each`
// gets the second reading, after signature and table hash of the first one held. What else
// chunk_table_parse() checks is not. `off`: where the chunk stands in the partition.
struct slot_record_walk {
    void (*each)(void *context, const struct partition_info *info, uint64_t off,
                 const struct chunk *c);
    void *context;
    // The head, without its table, when all of the record was right; NULL: it is not wanted.
    struct image **ret_head;
};
// As slot_record_load().
MUST_CHECK enum err slot_record_walk(struct state_store *s, const char *slot_name,
                                     const struct head_verifier *verifier, struct hasher *hasher,
                                     const struct slot_record_walk *walk, struct error *e);

#endif
