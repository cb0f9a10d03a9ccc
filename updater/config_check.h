// SPDX-License-Identifier: Apache-2.0
// What a configuration must fulfil beyond the limits of each key: slots and state directory as they
// are found on this device.
//
// Rules
// 1. Every partition of a slot is there, and is a block device or a regular file.
// 2. No two partitions, of one slot or of both, are the same device or file.
// 3. Both slots have the same set of partition names, and differ in boot name and boot value.
// 4. The state directory is there and does not lie on a slot: it would be lost at the switch.
#ifndef UPDATER_CONFIG_CHECK_H
#define UPDATER_CONFIG_CHECK_H

#include "updater/block_stack.h"
#include "updater/config.h"

// ERR_CONFIG names file, line, section and key. The members of `c` are filled from `c->raw`.
MUST_CHECK enum err config_check(const struct config *c, const struct block_view *view,
                                 struct error *e);

// The entry of a key, for messages; NULL when there is none.
const struct conf_entry *config_entry(const struct config *c, const char *kind, const char *name,
                                      const char *key);

#endif
