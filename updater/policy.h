// SPDX-License-Identifier: Apache-2.0
// Whether a release with a valid signature may be installed on this device now.
// Pure: what the device is and knows comes in as `struct policy_facts`. Rules: docs/trust.md,
// "Release order and anti-rollback" and "Clocks".
//
// Invariants
// 1. Each refusal has a sentence of its own that names both sides of the comparison.
// 2. What is not known (no release of the running slot, no time floor) never passes for something
//    that is known: an unknown time refuses nothing, an unknown running release is older than any.
#ifndef UPDATER_POLICY_H
#define UPDATER_POLICY_H

#include "base/error.h"
#include "format/manifest.h"
#include "updater/config.h"

#include <stdint.h>

struct policy_facts {
    const char *product, *compatible;
    const char *device_id;          // NULL or "": the device has none
    const struct config_slot *slot; // the target
    bool running_known;             // running_index is that of a release installed by us
    bool running_confirmed;         // and that release was confirmed
    uint64_t running_index;
    uint64_t floor;              // release floor, as policy_floor() gives it
    uint64_t time_floor_s;       // seconds since 1970; 0: nothing is known to be past
    uint64_t signer_not_after_s; // when the first of the signers' certificates ends
};

// ERR_TRUST. Everything that the manifest alone decides.
MUST_CHECK enum err policy_check(const struct manifest *m, const struct policy_facts *facts,
                                 struct error *e);

// ERR_TRUST. Of that, only whether it is for this device at all: product, compatible, device id.
MUST_CHECK enum err policy_check_device(const struct manifest *m, const struct policy_facts *facts,
                                        struct error *e);

// ERR_TRUST. Of that, only whether it may follow the release that runs.
MUST_CHECK enum err policy_check_min_from(const struct manifest *m, const struct policy_facts *f,
                                          struct error *e);

// ERR_TOO_LARGE: the image of a partition does not fit into the one of the slot.
MUST_CHECK enum err policy_check_size(const struct partition_info *image, const char *slot_name,
                                      uint64_t partition_size, struct error *e);

// The floor in force, from its two copies: the larger wins. A copy above the newest release that
// was ever confirmed can only be damaged (a floor is raised to the confirmed release's at most): it
// is not obeyed and `*ret_damaged` is set. Obeyed are two copies that agree, and any copy when no
// confirmed release is known: a lost journal must not open the way to old releases. A copy that no
// release can reach (above INT64_MAX) is damaged in any case.
struct policy_floors {
    uint64_t journal, environment;
    bool confirmed_known;
    uint64_t confirmed_index;
};
uint64_t policy_floor(const struct policy_floors *f, bool *ret_damaged);

#endif
