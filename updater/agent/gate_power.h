// SPDX-License-Identifier: Apache-2.0
// Whether there is power enough, by what Linux says of the supplies
// (/sys/class/power_supply, Documentation/ABI/testing/sysfs-class-power).
//
// External power is a supply of type Mains, USB... or Wireless that is online; a battery that is
// charged or kept full, while none is discharged, says it too, because not every charger is listed.
// The battery is the least charged one of those that are present. Supplies of scope Device (mice,
// pens) are not the system's.
//
// Invariants
// 1. What is not known closes nothing: a device without supplies listed (most boards), a battery
//    that does not say how full it is or whether it is charged. Updates survive a power cut;
//    this gate saves batteries.
// 2. External power outweighs a low battery: one that is worn out does not end all updates.
// 3. At most POWER_SUPPLIES_MAX supplies and a line of each file are read.
#ifndef UPDATER_AGENT_GATE_POWER_H
#define UPDATER_AGENT_GATE_POWER_H

#include <stdbool.h>
#include <stddef.h>

enum { POWER_SUPPLIES_MAX = 64 };

struct power_state {
    bool external_known, external;
    bool battery_known;
    unsigned battery_percent;
};

// A directory that is not there or cannot be read has no supplies.
struct power_state gate_power_read(const char *dir);

// True: open. Else the reason is written: "battery at 12 %, 30 % are wanted".
bool gate_power_open(const struct power_state *s, bool need_ac, unsigned min_percent, char *reason,
                     size_t size);

#endif
