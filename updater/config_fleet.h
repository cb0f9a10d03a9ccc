// SPDX-License-Identifier: Apache-2.0
// What the agent is configured with; `struct config` has it.
#ifndef UPDATER_CONFIG_FLEET_H
#define UPDATER_CONFIG_FLEET_H

#include "updater/windows.h"

#include <stdbool.h>
#include <stdint.h>

// What is polled less often than once a week is not polled; the schedule (poll_schedule.h) takes no
// more either.
enum { FLEET_INTERVAL_MIN_MS = 10 * 1000, FLEET_INTERVAL_MAX_MS = 7 * 24 * 3600 * 1000 };

enum fleet_kind { FLEET_NONE, FLEET_DIR, FLEET_KINDS };

struct config_fleet {
    enum fleet_kind source;
    const char *dir;        // dir: a directory with images, NULL: none
    const char *url;        // dir: of one image; NULL: none
    const char *report_dir; // dir: where reports are put; NULL: nowhere
    uint64_t interval_ms;
    unsigned jitter_percent;
};

// What holds an update back. Of three things that are named alike: of the download into the other
// slot, of the flip, of the reboot.
struct config_gates {
    struct windows download_window, install_window, reboot_window;   // none: always open
    const char *download_command, *install_command, *reboot_command; // NULL: none
    uint64_t command_timeout_ms;
    uint64_t clock_wait_ms; // how long after the start the windows wait for a synchronised clock
    bool need_ac;
    uint64_t monthly_budget;      // bytes; 0: no limit
    unsigned battery_min_percent; // 0: any
    bool need_consent;
    const char *fleet_lock_url; // NULL: none
    const char *fleet_lock_group;
};

struct config_agent {
    const char *socket;
    const char *group;   // that may use it; NULL: root only
    const char *metrics; // a text file for Prometheus; NULL: none
    const char *hook;    // run at each change of state; NULL: none
};

#endif
