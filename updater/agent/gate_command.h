// SPDX-License-Identifier: Apache-2.0
// A gate that is a command of the configuration: its exit status decides.
//
//   0          open
//   75, 21     not yet (EX_TEMPFAIL of sysexits.h; the "retry later" of Mender's state scripts)
//   others     closed as well, and said to be: nothing but success opens a gate
//
// The first line of its output is the reason that is shown (of the last RUN_OUTPUT_MAX bytes).
//
// Invariants
// 1. It runs as a run of its own (bounded_run.h), by /bin/sh -c, in the environment of the agent
//    and with VV_PHASE (download, install, reboot), VV_VERSION and VV_RELEASE_INDEX.
// 2. One that ends by a signal, for its time, or cannot be started closes the gate.
#ifndef UPDATER_AGENT_GATE_COMMAND_H
#define UPDATER_AGENT_GATE_COMMAND_H

#include "updater/agent/gate_phase.h"
#include "updater/bounded_run.h"

struct gate_command {
    const char *command;
    enum gate_phase phase;
    const char *version; // NULL: not known yet; the variable is empty then
    uint64_t release_index;
};

MUST_CHECK enum err gate_command_start(struct bounded_run *r, const struct gate_command *c,
                                       uint64_t timeout_ms, uint64_t now_ms, struct error *e);
// Of a run that ended with `status` (bounded_run_step()). True: open. Else the reason is written:
// "gate command: exit status 1: busy", "gate command: not yet: busy".
bool gate_command_open(const struct bounded_run *r, int status, char *reason, size_t size);

#endif
