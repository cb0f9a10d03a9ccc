// SPDX-License-Identifier: Apache-2.0
// A record of the state directory that shows whether it is whole: one line of canonical JSON, then
// one line "crc32c " and 8 hex digits over the first line with its end.
//
// Invariants
// 1. Nothing is parsed before the checksum holds.
// 2. What was damaged is told from what was never there, and neither is an error: it is for the
//    caller to decide what a lost record means.
#ifndef UPDATER_SEALED_RECORD_H
#define UPDATER_SEALED_RECORD_H

#include "base/json.h"
#include "updater/state_dir.h"

// `*ret_root` is an object that the caller owns, or NULL: the record is missing, or it is damaged,
// larger than `max` bytes or on a bad block; then `*ret_lost` is true. ERR_IO: the directory cannot
// be read, which says nothing of the record.
MUST_CHECK enum err sealed_record_load(struct state_store *s, const char *name, size_t max,
                                       json_t **ret_root, bool *ret_lost, struct error *e);
// `root` NULL counts as out of memory, so that a failed json_pack() needs no test of its own.
MUST_CHECK enum err sealed_record_save(struct state_store *s, const char *name, const json_t *root,
                                       struct error *e);

#endif
