// SPDX-License-Identifier: Apache-2.0
// Looking at the update lock without holding it; taking it is update_lock_take() of state_dir.h.
#ifndef UPDATER_LOCK_H
#define UPDATER_LOCK_H

#include "base/error.h"

// Whether some process holds the update lock of this state directory now. What cannot be looked at
// counts as not held.
bool update_lock_held(const char *state_dir);

#endif
