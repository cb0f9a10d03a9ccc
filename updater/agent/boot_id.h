// SPDX-License-Identifier: Apache-2.0
// The name that the kernel gives to each boot: by it an agent that starts tells whether it was the
// device that was restarted, or only itself.
#ifndef UPDATER_AGENT_BOOT_ID_H
#define UPDATER_AGENT_BOOT_ID_H

#include "base/error.h"

enum { BOOT_ID_SIZE = 37 }; // a UUID as text

// /proc/sys/kernel/random/boot_id, without the end of its line.
MUST_CHECK enum err boot_id_read(char ret[BOOT_ID_SIZE], struct error *e);

#endif
