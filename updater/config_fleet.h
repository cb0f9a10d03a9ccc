// SPDX-License-Identifier: Apache-2.0
// What the agent is configured with; `struct config` has it.
#ifndef UPDATER_CONFIG_FLEET_H
#define UPDATER_CONFIG_FLEET_H

#include <stdint.h>

enum fleet_kind { FLEET_NONE, FLEET_DIR, FLEET_KINDS };

struct config_fleet {
    enum fleet_kind source;
    const char *dir;        // dir: a directory with images, NULL: none
    const char *url;        // dir: of one image; NULL: none
    const char *report_dir; // dir: where reports are put; NULL: nowhere
    uint64_t interval_ms;
    unsigned jitter_percent;
};

struct config_agent {
    const char *socket;
    const char *group;   // that may use it; NULL: root only
    const char *metrics; // a text file for Prometheus; NULL: none
    const char *hook;    // run at each change of state; NULL: none
};

#endif
