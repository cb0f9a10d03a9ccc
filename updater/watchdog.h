// SPDX-License-Identifier: Apache-2.0
// What resets the board when "confirm" hangs, or the kernel under it: fed while it gets on, through
// the whole of a trial. Two of them, of which any may be missing: the device (/dev/watchdog),
// unless somebody else has it, and the limit that systemd sets for the service (WatchdogSec=),
// which counts from the beginning.
//
// Invariants
// 1. The device is not opened before watchdog_arm().
// 2. A device of which the kernel does not say that it can be stopped again (nowayout) is left to
//    others.
// 3. The device is stopped by watchdog_close() only with `stop`; else it goes on, and resets the
//    board unless the reboot that is wanted comes first. So it does when this process dies.
#ifndef UPDATER_WATCHDOG_H
#define UPDATER_WATCHDOG_H

#include "base/clock.h"
#include "base/log.h"
#include "updater/notify.h"

struct watchdog {
    const char *device; // NULL: none is to be used
    const char *sysfs;  // "/sys/class/watchdog"
    const struct clock *clock;
    struct log *log;
    struct notify manager;
    int fd;            // of the device, -1: we do not have it
    const char *state; // for people: "ours", "busy", "cannot be stopped", "none"
    uint64_t every_ms; // how often it is to be fed; 0: never
    uint64_t fed_ms;
};

// Strings live as long as the watchdog. Opens nothing but the way to systemd.
struct watchdog watchdog_on(const char *device, const struct clock *clock, struct log *log);
// From now on the device has to be fed, too. One that cannot be had is told in the log, once.
void watchdog_arm(struct watchdog *w);
// A sign of life; called as often as one likes.
void watchdog_feed(struct watchdog *w);
void watchdog_close(struct watchdog *w, bool stop);

#endif
