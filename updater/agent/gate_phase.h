// SPDX-License-Identifier: Apache-2.0
// The three phases of an offer that can be held back, each by itself.
#ifndef UPDATER_AGENT_GATE_PHASE_H
#define UPDATER_AGENT_GATE_PHASE_H

#include "base/error.h"

#include <stddef.h>

enum gate_phase {
    GATE_DOWNLOAD, // into the inactive slot: nothing boots differently
    GATE_INSTALL,  // the flip: the point of no return
    GATE_REBOOT,
    GATE_PHASES,
};

// A set of phases: bit 1 << GATE_DOWNLOAD and so on.
enum { GATE_ALL_PHASES = (1 << GATE_PHASES) - 1, GATE_PHASES_TEXT_SIZE = 32 };

// "download", "install", "reboot".
const char *gate_phase_name(enum gate_phase phase);

// "install, reboot", or "all": names with commas between them, each at most once. False for
// anything else, the empty text too.
MUST_CHECK bool gate_phases_parse(const char *text, unsigned *ret);
// The same the other way, in order; "all" for all of them. Returns `buf`, of GATE_PHASES_TEXT_SIZE
// bytes.
const char *gate_phases_text(unsigned phases, char *buf, size_t size);

#endif
