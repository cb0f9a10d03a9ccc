// SPDX-License-Identifier: Apache-2.0
// A simulated file system of one directory that the real updater/state_dir.c and base/file.c work
// on: what they did since the last fsync is pending, and a cut decides about it.
//
// It promises what POSIX and fsync(2) promise, and no more. Real file systems mostly do better:
// ext4 flushes a file that is renamed over another one, unless mounted noauto_da_alloc (ext4(5)).
// That programs must not count on it is what ALICE found (Pillai et al., OSDI '14).
//
// Invariants
// 1. What a call answers is what was done last, synced or not.
// 2. Names: to create, to rename and to unlink are operations on the directory. They reach the
//    medium in their order, each as a whole: any number of them before the directory is synced, all
//    of them by then. An fsync of a file does nothing for its name (fsync(2)).
// 3. Data: bytes and length of a file are on the medium after its fsync. Before it they are there
//    in part, as a whole, or as garbage, whatever became of the name: a name that is durable can
//    lead to an empty or a torn file.
// 4. A cut is offered the data of files that a name may lead to afterwards, and of no others.
// 5. An fsync of a file that fails leaves a part of the data on the medium, and the file clean: the
//    next one says OK without having written it, and reads give what was written until the device
//    is started anew (fsync(2) on EIO; Rebello et al., USENIX ATC '20).
// 6. An fsync of the directory that fails leaves pending what is pending: a cut chooses.
// 7. When a table is full (SIM_FS_OPS_MAX, SIM_FS_FILES) the oldest pending operation on the
//    directory reaches the medium, as it does by itself after a while.
// 8. Modes are kept, and no cut touches them. Nothing here allocates or calls the system.
#ifndef TESTS_SIM_SIM_FS_H
#define TESTS_SIM_SIM_FS_H

#include "tests/sim/sim.h"
#include "tests/sim/sim_fs_calls.h"
#include "tests/sim/sim_fs_file.h"

enum {
    SIM_FS_FDS = 8,        // open at a time; more: EMFILE
    SIM_FS_FILES = 12,     // with a name, open or pending; more: ENOSPC
    SIM_FS_NAME_SIZE = 48, // with its NUL; longer: ENAMETOOLONG
    SIM_FS_OPS_MAX = 16,   // pending operations on the directory
    SIM_FS_NO_FILE = -1,
};

struct sim_fs_dir {
    size_t count;
    struct sim_fs_name {
        char name[SIM_FS_NAME_SIZE];
        uint8_t file;
    } names[SIM_FS_FILES]; // no file has two names
};

struct sim_fs_op {
    enum sim_fs_op_kind { SIM_FS_CREATE, SIM_FS_UNLINK, SIM_FS_RENAME } kind;
    uint8_t file; // of CREATE
    char name[SIM_FS_NAME_SIZE];
    char to[SIM_FS_NAME_SIZE]; // of RENAME
};

struct sim_fs_fd {
    bool used;
    bool is_dir;
    uint8_t file;
    int flags; // of open()
    size_t off;
};

struct sim_fs {
    struct sim *sim;
    struct sim_fs_dir durable, view;
    size_t pending; // operations that lead from one to the other
    struct sim_fs_op ops[SIM_FS_OPS_MAX];
    struct sim_fs_fd fds[SIM_FS_FDS];
    struct sim_fs_file files[SIM_FS_FILES];
};

// An empty directory.
void sim_fs_init(struct sim_fs *fs, struct sim *sim);
// All but `to->sim`; copies what is in use only.
void sim_fs_copy(struct sim_fs *to, const struct sim_fs *from);

// What is pending: a piece for the operations on the directory, whose fate is how many of them
// happened, and one for each file with data that is not synced (sim_fs_file_fates()).
size_t sim_fs_pieces(const struct sim_fs *fs, struct sim_piece *pieces, size_t max);
// The power went away: one fate per piece. Nothing is pending and nothing open afterwards.
void sim_fs_cut(struct sim_fs *fs, const uint8_t *fates, uint64_t seed);
// A reboot without a cut: everything reaches the medium.
void sim_fs_settle(struct sim_fs *fs);

// --- for the driver: neither counted nor failing -------------------------------------------------
// What changes something lets all that is pending reach the medium first, and is durable at once.

// As a read would give it; valid until the next change.
bool sim_fs_lookup(const struct sim_fs *fs, const char *name, const uint8_t **ret_data,
                   size_t *ret_len);
void sim_fs_put(struct sim_fs *fs, const char *name, const void *data, size_t len);
// False: there was none.
bool sim_fs_remove(struct sim_fs *fs, const char *name);
// By seed: a bit flipped, the second half lost, or all of it garbage; an empty one becomes garbage.
// False: there was none.
bool sim_fs_spoil(struct sim_fs *fs, const char *name, uint64_t seed);
// The same names and contents on the medium.
bool sim_fs_equal(const struct sim_fs *a, const struct sim_fs *b);

// --- for the calls: what they do to the directory as it is seen ----------------------------------

// The index of the file, or SIM_FS_NO_FILE.
int sim_fs_find(const struct sim_fs *fs, const char *name);
// There is none of that name. SIM_FS_NO_FILE: no room.
int sim_fs_create(struct sim_fs *fs, const char *name, unsigned mode);
// There is one of that name.
void sim_fs_unlink(struct sim_fs *fs, const char *name);
// There is one of the first name, and the names differ.
void sim_fs_rename(struct sim_fs *fs, const char *from, const char *to);
void sim_fs_sync_dir(struct sim_fs *fs);

#endif
