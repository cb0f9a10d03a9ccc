// SPDX-License-Identifier: Apache-2.0
// Health checks for tests, with limits that are quick on the real clock.
#ifndef TESTS_SUPPORT_CHECKS_H
#define TESTS_SUPPORT_CHECKS_H

#include "updater/config.h"

// Required; interval 20 ms, timeout 5 s, no start period, 1 retry, 1 success.
struct config_check check_make(const char *name);
// The same of kind exec.
struct config_check check_exec(const char *name, const char *command);

// A configuration with these checks and nothing else; deadline 20 s, stable_for 0. The checks are
// the caller's.
struct config config_with_checks(struct config_check *checks, size_t count);

#endif
