// SPDX-License-Identifier: Apache-2.0
// The signature area: records {u16 type, u16 flags = 0, u32 len, data}, then zeros to its end.
//
// Invariants
// 1. A record of type 0 ends the list; every byte behind it is zero.
// 2. Records of unknown type are listed like the others; whoever verifies ignores them.
#ifndef FORMAT_SIGNATURE_AREA_H
#define FORMAT_SIGNATURE_AREA_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum signature_type {
    SIGNATURE_CMS = 1,     // detached CMS SignedData, DER
    SIGNATURE_ED25519 = 2, // 32-byte key id, 64-byte signature
    SIGNATURE_RFC3161 = 3, // timestamp; not evaluated
};

enum { SIGNATURE_RECORDS_MAX = 16, SIGNATURE_RECORD_HEADER = 8 };

struct signature_record {
    uint16_t type;
    uint32_t len;
    const uint8_t *data; // inside the area that was parsed
};

struct signature_list {
    struct signature_record records[SIGNATURE_RECORDS_MAX];
    size_t count;
    size_t used_bytes; // where a further record would begin
};

MUST_CHECK enum err signature_area_parse(const uint8_t *area, size_t len,
                                         struct signature_list *ret, struct error *e);

// Writes a record behind those in `list`. ERR_FORMAT says how many bytes of room are missing and
// names --sig-reserve.
MUST_CHECK enum err signature_area_append(uint8_t *area, size_t len,
                                          const struct signature_list *list, uint16_t type,
                                          const uint8_t *data, size_t data_len, struct error *e);

#endif
