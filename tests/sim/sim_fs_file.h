// SPDX-License-Identifier: Apache-2.0
// The data of one file of the simulated file system (sim_fs.h): what was written to it, what of
// that is on the medium, and what a cut makes of the difference.
//
// Invariants
// 1. Data and length give what was written last, synced or not.
// 2. After a sync the medium has all that was pending. A cut leaves of it what its fate says.
// 3. A sync that fails leaves a part on the medium and nothing pending: the next one does not
//    write it again, and what was written is read until the device is started anew.
#ifndef TESTS_SIM_SIM_FS_FILE_H
#define TESTS_SIM_SIM_FS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_FS_FILE_MAX = 12 * 1024 };

struct sim_fs_file {
    unsigned mode;
    bool dirty; // something is pending
    bool stale; // a sync failed: the view is not what the medium has
    size_t medium_len;
    // Valid while dirty or stale; else what is on the medium is what is read.
    size_t view_len;
    // Valid while dirty: the bytes written since the last sync lie within, and so many bytes of the
    // medium were never cut off.
    size_t from, to, kept_len;
    uint8_t medium[SIM_FS_FILE_MAX]; // behind all that is copied whole
    uint8_t view[SIM_FS_FILE_MAX];
};

// Empty, and so on the medium.
void sim_fs_file_init(struct sim_fs_file *f, unsigned mode);
// Copies the bytes in use only.
void sim_fs_file_copy(struct sim_fs_file *to, const struct sim_fs_file *from);

const uint8_t *sim_fs_file_data(const struct sim_fs_file *f);
size_t sim_fs_file_len(const struct sim_fs_file *f);
// At most up to SIM_FS_FILE_MAX: the caller sees to that.
void sim_fs_file_write(struct sim_fs_file *f, const void *data, size_t len, size_t off);
void sim_fs_file_empty(struct sim_fs_file *f);
void sim_fs_file_sync(struct sim_fs_file *f);
// By seed: what part is on the medium.
void sim_fs_file_fail_sync(struct sim_fs_file *f, uint64_t seed);

// The fates of what is pending: as on the medium, cut off (if it was since the last sync), the
// first half, the length only, the second half, all, garbage. 0: nothing is pending.
uint8_t sim_fs_file_fates(const struct sim_fs_file *f);
void sim_fs_file_cut(struct sim_fs_file *f, uint8_t fate, uint64_t seed);
// What is on the medium is all there is.
void sim_fs_file_start_anew(struct sim_fs_file *f);

#endif
