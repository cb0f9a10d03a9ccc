// SPDX-License-Identifier: Apache-2.0
// Members of the records in the state directory. False: the member is missing, of the wrong kind,
// or not among what can be; the record is then lost like a damaged one, and why is nobody's
// concern.
#ifndef UPDATER_RECORD_MEMBER_H
#define UPDATER_RECORD_MEMBER_H

#include "base/json.h"

#include <stdbool.h>

MUST_CHECK bool member_u64(const json_t *obj, const char *key, uint64_t *ret);
MUST_CHECK bool member_u32(const json_t *obj, const char *key, uint32_t *ret);
MUST_CHECK bool member_bool(const json_t *obj, const char *key, bool *ret);
// A slot, or SLOT_NONE.
MUST_CHECK bool member_slot(const json_t *obj, const char *key, int *ret);
// With its NUL in `size` bytes; what is longer is not cut.
MUST_CHECK bool member_text(const json_t *obj, const char *key, char *ret, size_t size);
// The index of the word among `names`.
MUST_CHECK bool member_word(const json_t *obj, const char *key, const char *const *names,
                            size_t count, unsigned *ret);

#endif
