// SPDX-License-Identifier: Apache-2.0
// The keys of the configuration, as one table: what each is called, how its value is read, its
// limits and its default. Loading, checking and printing are driven by it; the readers are those of
// config_values.h.
//
// Invariants
// 1. A default is a value of its key like any other: it passes the same reader.
// 2. Strings are kept by reference: values live as long as the `struct conf` they came from.
#ifndef UPDATER_CONFIG_KEYS_H
#define UPDATER_CONFIG_KEYS_H

#include "base/error.h"
#include "updater/config.h"

#include <stddef.h>
#include <stdint.h>

enum key_flag {
    KEY_REQUIRED = 1,  // must be given; of a check: by the kinds that have it
    KEY_STATE_DIR = 2, // may stand in a drop-in of the state directory
    KEY_URL = 4,       // may carry a user name and a password, which are never shown
};

// What `offset` counts from.
enum key_base { BASE_CONFIG, BASE_BOOT_SLOT, BASE_CHECK };

struct key_spec {
    const char *section; // the kind: "slot" of [slot a]
    const char *key;
    bool (*read)(void *field, const struct key_spec *spec, const char *value);
    enum key_base base;
    size_t offset;
    uint64_t min, max;    // of numbers, sizes and durations
    const char *fallback; // the default as text; NULL: none
    const char *allowed;  // goes on from "wants ..."
    unsigned flags;       // enum key_flag
    unsigned kinds;       // of a check: a bit 1 << enum check_kind for each that has it
};

// All keys; ends with a NULL section. A [slot] also has one key per partition, of any other name.
extern const struct key_spec config_keys[];

const struct key_spec *config_key_find(const char *section, const char *key);

// Whether the section kind exists, and whether it carries a name ("slot a").
bool config_section_known(const char *section, bool *ret_named);

// A sentence that helps with an unknown key: "did you mean attempts?", "attempts belongs to
// [bootloader]", or which keys there are. Into a caller-owned buffer; returns it.
const char *config_key_hint(const char *section, const char *key, char *buf, size_t len);

// The value as it may be shown: without user name and password. Into a caller-owned buffer.
const char *config_key_shown(const struct key_spec *spec, const char *value, char *buf, size_t len);

#endif
