// SPDX-License-Identifier: Apache-2.0
// A directory like /sys/class/power_supply.
#ifndef TESTS_SUPPORT_FAKE_POWER_H
#define TESTS_SUPPORT_FAKE_POWER_H

// An attribute of a supply, with the end of its line: fake_power_set(dir, "BAT0", "capacity", "7").
// Both are made as needed.
void fake_power_set(const char *dir, const char *supply, const char *attribute, const char *value);

#endif
