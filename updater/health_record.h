// SPDX-License-Identifier: Apache-2.0
// What the health checks of a trial have said so far, where both slots can read it: for "status"
// while "confirm" waits, and for the old system when the trial was rejected.
//
//   {"slot", "version", "until_ms", "watchdog", "result", "reason", "checks": [...]}
//
// Invariants
// 1. A hint, like the journal: nothing is decided by it, and losing it loses an explanation.
// 2. Written at most once a second, and at the end.
#ifndef UPDATER_HEALTH_RECORD_H
#define UPDATER_HEALTH_RECORD_H

#include "updater/device.h"
#include "updater/health.h"

// NULL when out of memory; the caller owns it.
json_t *health_record_make(struct device *d, const struct health_report *r, uint64_t until_ms);
MUST_CHECK enum err health_record_save(const struct device *d, const json_t *record,
                                       struct error *e);

// The record as it was kept, an object; NULL when there is none that can be read.
json_t *health_record_load(const struct device *d);

// "Waiting for the health checks, 2 min 5 s at most: tv_api is starting (HTTP 500: ...).": by a
// record of the slot that runs now. "" when nothing is waited for, or not any more.
const char *health_record_sentence(const struct device *d, const json_t *record, char *buf,
                                   size_t len);

#endif
