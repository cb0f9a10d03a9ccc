// SPDX-License-Identifier: Apache-2.0
// The device as one value: configuration, state, boot environment, clock and talk. Every verb gets
// one; the simulators build one from simulated parts.
//
// Invariants
// 1. Nothing below reaches the outside except through the members of this struct.
// 2. With DEVICE_CHANGE the update lock is held for as long as the device is open.
// 3. A trust store that cannot be loaded keeps no verb from its work that verifies nothing: a bad
//    release must be rejected by the very device whose trust directory it emptied.
#ifndef UPDATER_DEVICE_H
#define UPDATER_DEVICE_H

#include "base/blk_file.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/progress.h"
#include "bootloader/bootenv.h"
#include "keys/trust.h"
#include "updater/config.h"
#include "updater/journal.h"
#include "updater/state_dir.h"
#include "updater/watchdog.h"

// How long the reboot command, and with it the update lock, is waited for.
enum { DEVICE_REBOOT_WAIT_MS = 60 * 1000 };

struct device {
    struct config *config;
    struct state_store *state;
    struct bootenv *env;
    struct trust_store *trust; // NULL until device_load_trust()
    struct hasher *hasher;
    struct journal journal;
    int running; // index of the running slot
    int lock_fd; // -1 with DEVICE_LOOK
    const struct clock *clock;
    struct log *log;
    struct progress progress;
    struct watchdog *watchdog; // of "confirm"; NULL: none is fed
    // Step 6 syncs and sets the resume mark when it has written so much: FILL_SYNC. A simulated
    // device, whose slots are small, takes less.
    uint64_t sync_bytes;
    // A delta pack is asked for when so much is left to fetch: DELTAS_WORTH. Less on such a device.
    uint64_t deltas_worth_bytes;
    // Threads that decode (0: all is done in one thread, as on a simulated device), and ranges that
    // are fetched side by side.
    unsigned workers, lanes;
    // Opens a partition of a slot: blk_file_open, or a simulated one.
    MUST_CHECK enum err (*open_blk)(const char *path, enum blk_mode mode, struct blk **ret,
                                    struct error *e);
    // Runs [device] reboot_command and waits for it, DEVICE_REBOOT_WAIT_MS at most: it may be a
    // slow shutdown, so it is left running then. A simulated device counts.
    MUST_CHECK enum err (*reboot)(struct device *d, struct error *e);
};

enum device_mode { DEVICE_LOOK, DEVICE_CHANGE };

// Takes ownership of `config` on success. Opens state, lock and boot environment (not loaded yet),
// loads the journal, finds the running slot.
MUST_CHECK enum err device_open(struct config *config, enum device_mode mode, struct log *log,
                                const struct progress *progress, const struct clock *clock,
                                struct device **ret, struct error *e);
void device_close(struct device *d);
DEFINE_CLEANUP(device, struct device *, device_close)

// max(build time, persisted floor, wall clock if the kernel says it is synchronised): seconds.
uint64_t device_time_floor(const struct device *d);

// Loads the trust store, once. ERR_CONFIG as by trust_store_load().
MUST_CHECK enum err device_load_trust(struct device *d, struct error *e);

// A verifier by this device's trust settings and time floor; loads the trust store.
MUST_CHECK enum err device_trust(struct device *d, struct image_trust *ret, struct error *e);

// The other one of the two slots.
int other_slot(int slot);

// Records how an update ended: fills journal.last and saves the journal.
MUST_CHECK enum err device_record_result(struct device *d, enum journal_outcome outcome, int slot,
                                         const struct release_id *release, const char *reason,
                                         struct error *e);

#endif
