// SPDX-License-Identifier: Apache-2.0
// Which files the configuration is read from, and in which order.
//
// Rules (docs/man/vv-update.conf.5, FILES)
// 1. A later file wins: vendor drop-ins, the main file, local drop-ins, drop-ins of the state
//    directory. A local drop-in hides a vendor drop-in of the same name.
// 2. The state directory is written by programs and servers: its drop-ins may set only the keys the
//    table allows there. Nothing in it can change whom the device trusts or what it overwrites.
// 3. With a path of the caller's, that file and its `.d` directory are all there is.
#ifndef UPDATER_CONFIG_FILES_H
#define UPDATER_CONFIG_FILES_H

#include "base/conf.h"
#include "base/error.h"

struct config_places {
    const char *vendor_dir; // "/usr/lib/vv-update/conf.d"
    const char *main_file;  // "/etc/vv-update/update.conf"
    const char *local_dir;  // "/etc/vv-update/conf.d"
    bool check_owner;       // files must belong to root and be writable by nobody else
    bool spare_state_dir;   // nothing is read from the state directory
};

// The standard places; the owner counts when this process is root.
struct config_places config_places_standard(void);

// Fills `ret`, which the caller clears with conf_clear() in every case. No file at all is
// ERR_CONFIG.
MUST_CHECK enum err config_files_read(const struct config_places *places, struct conf *ret,
                                      struct error *e);

// `path` and `path`.d/*.conf only.
MUST_CHECK enum err config_files_read_one(const char *path, bool check_owner, struct conf *ret,
                                          struct error *e);

#endif
