// SPDX-License-Identifier: Apache-2.0
// Numbers, sizes, durations and names from text. Each takes the whole string or nothing:
// no sign, no space, no leading or trailing rest; overflow is a refusal.
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { NAME_MAX_LEN = 64 };

MUST_CHECK bool parse_u64(const char *text, uint64_t *ret);
// Decimal with an optional K, M, G or T (powers of 1024).
MUST_CHECK bool parse_size(const char *text, uint64_t *ret_bytes);
// Decimal with a unit: ms, s, min, h, d; "0" needs none.
MUST_CHECK bool parse_duration(const char *text, uint64_t *ret_ms);
// yes/no, true/false, 1/0.
MUST_CHECK bool parse_bool(const char *text, bool *ret);
// [A-Za-z0-9._+~:-]{1,64}: the alphabet of product, compatible, version and partition names.
bool is_name(const char *text);

// "1.4 MiB", "300 B": for people, into a caller-owned buffer of at least 16 bytes.
const char *format_size(uint64_t bytes, char *buf, size_t len);
// "2 min 5 s", "40 ms": for people, into a caller-owned buffer of at least 32 bytes.
const char *format_duration(uint64_t ms, char *buf, size_t len);

#endif
