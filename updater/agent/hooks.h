// SPDX-License-Identifier: Apache-2.0
// Hooks: a command of the configuration that is run at each change of state and for each final
// report, with the variables of events.h in its environment (VV_EVENT, VV_STATE, VV_OUTCOME, ...).
//
// The command is run by /bin/sh -c, as the user of the agent, with an empty standard input; what it
// prints on standard output is dropped, and standard error is the agent's.
//
// Invariants
// 1. Nobody waits for a hook: not the agent, not an update. Its exit status changes nothing.
// 2. One hook process at a time, in the order of the events. HOOKS_QUEUE_MAX events wait at most;
//    beyond that the oldest that is not final is dropped, and counted. So the last word on an offer
//    is told, if ever HOOKS_QUEUE_MAX offers were not decided while one hook ran.
// 3. After HOOKS_TIME_MAX_MS its whole process group is killed, and what a hook leaves behind in
//    its group when it ends, too. One that cannot be ended even so (it waits for a dead disk) is
//    not waited for and no second one is started beside it.
// 4. A hook has none of the agent's files, the default signals, and nothing of what systemd tells a
//    service about itself (NOTIFY_SOCKET, WATCHDOG_*, LISTEN_*).
// 5. Nothing that a server chose is part of the command: it is in the environment only.
#ifndef UPDATER_AGENT_HOOKS_H
#define UPDATER_AGENT_HOOKS_H

#include "base/log.h"
#include "updater/agent/events.h"

#include <sys/types.h>

enum { HOOKS_QUEUE_MAX = 16, HOOKS_TIME_MAX_MS = 60 * 1000 };

struct hooks_waiting {
    char *variables; // of event_variables()
    bool final;
};

struct hooks {
    const char *command; // borrowed; NULL or "": there is no hook
    struct log *log;
    pid_t pid; // 0: none runs. For the loop to watch; changes in the calls below
    bool killed;
    uint64_t deadline_ms; // boot time
    struct hooks_waiting waiting[HOOKS_QUEUE_MAX];
    size_t count;
    uint64_t dropped; // since hooks_init()
};

void hooks_init(struct hooks *h, const char *command, struct log *log);
// After a reload of the configuration: what waits is run by the new one. It must outlive the use.
void hooks_set_command(struct hooks *h, const char *command);
// Kills the hook that runs, whose process is for the caller to reap, and forgets what waits.
void hooks_close(struct hooks *h);

// Starts the hook for this event or lets it wait. Events of other kinds than state and report are
// none of its business.
void hooks_post(struct hooks *h, const struct agent_event *ev, uint64_t now_ms);
// A child of the agent ended and was waited for, just now. False: it was not the hook. Else the
// next one is started, if any waits; look at `pid` again.
bool hooks_child_ended(struct hooks *h, pid_t pid, int status, uint64_t now_ms);
// When to call hooks_overdue(); UINT64_MAX: no need.
uint64_t hooks_deadline_ms(const struct hooks *h);
// Kills the hook if its time is over. Its end comes as that of any child.
void hooks_overdue(struct hooks *h, uint64_t now_ms);

#endif
