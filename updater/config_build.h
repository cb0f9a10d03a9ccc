// SPDX-License-Identifier: Apache-2.0
// From entries of files to a filled `struct config`: sections are found, defaults added, values
// read by the table of keys, required keys asked for.
//
// What needs a look at the device itself (paths, devices) is config_check()'s.
#ifndef UPDATER_CONFIG_BUILD_H
#define UPDATER_CONFIG_BUILD_H

#include "updater/config.h"

// The file name of the entries that stand for defaults: the last of raw.files.
#define CONFIG_ORIGIN_DEFAULT "default"

// Takes over what `raw` holds, and leaves it empty, in every case. `raw` has at least one file.
MUST_CHECK enum err config_build(struct conf *raw, struct config **ret, struct error *e);

#endif
