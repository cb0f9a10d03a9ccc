// SPDX-License-Identifier: Apache-2.0
// Which health checks failed already before an update. A release is not rejected for a service that
// did not work before it came: its check counts as wanted in the trial of that release.
//
// Invariants
// 1. It is about one release, by its manifest: for another one nothing is excused.
// 2. A record that is missing, damaged or cannot be read excuses nothing.
// 3. Taken once per installation: one that was cut off and goes on keeps what was found when the
//    old system was untouched. It ends with the trial.
// 4. Only a failure is one: "not yet" excuses nothing, nor does a failure within the start_period
//    of a check, counted from the start of the system.
#ifndef UPDATER_BASELINE_H
#define UPDATER_BASELINE_H

#include "updater/device.h"

struct baseline {
    size_t count;
    char **names;
};

void baseline_clear(struct baseline *b);
bool baseline_has(const struct baseline *b, const char *check);

// Asks the checks of the running system, health.h says how, and keeps the names of the required
// ones that fail. Nothing is asked without checks, with [confirm] baseline=no, or when an
// installation of this release `goes_on` for which it was taken. A record that cannot be written is
// a warning: then nothing is excused.
MUST_CHECK enum err baseline_take(struct device *d, const struct release_id *release, bool goes_on,
                                  struct error *e);
// What was found for this release; empty when there is nothing.
MUST_CHECK enum err baseline_load(struct device *d, const struct release_id *release,
                                  struct baseline *ret, struct error *e);
// The trial is over. What cannot be taken away is a warning.
void baseline_end(struct device *d);

#endif
