// SPDX-License-Identifier: Apache-2.0
// Offers the newest signed image of a directory (a USB stick, what Ansible drops), or the one at a
// URL (latest.vvi). Reports are files in [fleet] report_dir.
//
// Invariants
// 1. Only an image whose head has the signatures this device wants is offered, and only if it is
//    for this product and newer than what runs, or allows a downgrade; what it says is not trusted
//    before. It is the newest one of a directory that can be installed, wanted or not: two images
//    never take turns.
// 2. The offer's id is the hash of its manifest: the same release under another name is the same
//    offer.
// 3. A directory that is not there, or has no image, offers nothing; that is no error: a stick
//    comes and goes.
// 4. Every image of a directory is looked at, and what comes out does not depend on their order.
// 5. An image whose name cannot be told (plain_text.h) is not offered, and none is told raw.
// 6. What is no regular file is not opened: a stick may hold a name that leads to a device.
#ifndef UPDATER_AGENT_DIR_SOURCE_H
#define UPDATER_AGENT_DIR_SOURCE_H

#include "updater/agent/fleet_source.h"

extern const struct fleet_source dir_source;

// Changes whenever what dir_source offers may have changed: names, sizes and times of the images in
// the directory. 0 where that cannot be told, as of a URL.
uint64_t dir_source_stamp(const struct config *config);

#endif
