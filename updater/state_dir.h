// SPDX-License-Identifier: Apache-2.0
// The state seam: a few small named records that survive a power cut, each replaced as a whole.
//
// Invariants
// 1. After replace() returned OK the new record is what every later read() gives, across power
//    cuts; if it failed or was cut, read() gives the old record or the new one, never a mixture.
// 2. The real back end (a directory) is the only caller of file_replace() on the device. What a
//    killed process left of a record is taken away when that record is written or tried again.
// 3. Only the holder of the update lock writes; what is the agent's, only the agent.
#ifndef UPDATER_STATE_DIR_H
#define UPDATER_STATE_DIR_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

#include <stddef.h>
#include <stdint.h>

struct state_store;

struct state_ops {
    // Like file_read(): a missing record is ERR_IO with sys == ENOENT.
    MUST_CHECK enum err (*read)(struct state_store *s, const char *name, size_t max,
                                uint8_t **ret_data, size_t *ret_len, struct error *e);
    // Like file_each().
    MUST_CHECK enum err (*each)(struct state_store *s, const char *name, file_taker take,
                                void *context, struct error *e);
    // Like file_replace(), file_try_replace() and file_holds().
    MUST_CHECK enum err (*replace)(struct state_store *s, const char *name,
                                   const struct file_part *parts, size_t count, struct error *e);
    MUST_CHECK enum err (*try_replace)(struct state_store *s, const char *name,
                                       const struct file_part *parts, size_t count,
                                       struct error *e);
    MUST_CHECK enum err (*holds)(struct state_store *s, const char *name,
                                 const struct file_part *parts, size_t count, bool *ret_same,
                                 struct error *e);
    void (*close)(struct state_store *s);
};

struct state_store {
    const struct state_ops *ops;
};

MUST_CHECK enum err state_read(struct state_store *s, const char *name, size_t max,
                               uint8_t **ret_data, size_t *ret_len, struct error *e);
// The record in pieces of FILE_PIECE_BYTES.
MUST_CHECK enum err state_each(struct state_store *s, const char *name, file_taker take,
                               void *context, struct error *e);
MUST_CHECK enum err state_replace(struct state_store *s, const char *name, const void *data,
                                  size_t len, struct error *e);
// The record becomes the parts, one behind the other.
MUST_CHECK enum err state_replace_parts(struct state_store *s, const char *name,
                                        const struct file_part *parts, size_t count,
                                        struct error *e);
// Shows that state_replace_parts() would find room, beside the record as it is. Changes nothing.
MUST_CHECK enum err state_try_replace(struct state_store *s, const char *name,
                                      const struct file_part *parts, size_t count, struct error *e);
// Whether the record is just these parts; a missing one is not.
MUST_CHECK enum err state_holds(struct state_store *s, const char *name,
                                const struct file_part *parts, size_t count, bool *ret_same,
                                struct error *e);
void state_close(struct state_store *s);
DEFINE_CLEANUP(state_store, struct state_store *, state_close)

// The directory must exist (ERR_CONFIG otherwise).
MUST_CHECK enum err state_dir_open(const char *path, struct state_store **ret, struct error *e);
// A directory with files for other programs, which everybody may read: no state, and no lock.
// `what` names it in an error: "metrics: directory".
MUST_CHECK enum err state_dir_open_public(const char *path, const char *what,
                                          struct state_store **ret, struct error *e);

// Shows that a small record can be written here before anything irreversible begins: ERR_IO when
// the directory is read-only or full.
MUST_CHECK enum err state_check_writable(struct state_store *s, struct error *e);

// The lock of whoever changes slots: exclusive, waiting a tenth of a second at most. ERR_AGAIN when
// another process holds it and names it; released when the descriptor is closed or its process
// dies.
MUST_CHECK enum err update_lock_take(const char *state_dir, int *ret_fd, struct error *e);
// The same of the one agent, and of who writes its records while there is none. ERR_AGAIN: one
// runs.
MUST_CHECK enum err agent_lock_take(const char *state_dir, int *ret_fd, struct error *e);

#endif
