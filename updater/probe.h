// SPDX-License-Identifier: Apache-2.0
// One probe of one health check, as a run of its own (bounded_run.h): what ends it by force counts
// as failed.
#ifndef UPDATER_PROBE_H
#define UPDATER_PROBE_H

#include "updater/bounded_run.h"
#include "updater/check.h"

// As bounded_run_start() and bounded_run_step(). bounded_run_kill() ends it.
MUST_CHECK enum err probe_start(struct bounded_run *r, const struct config_check *c,
                                uint64_t now_ms, struct error *e);
bool probe_step(struct bounded_run *r, uint64_t now_ms, enum probe_result *ret_result);

#endif
