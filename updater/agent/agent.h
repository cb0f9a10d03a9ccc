// SPDX-License-Identifier: Apache-2.0
// The agent: asks a source for releases, waits for the right moment, lets the verbs of this program
// install, activate and reboot, and tells the source what became of it.
//
//   poll  ->  accept  ->  download  ->  install (the flip)  ->  reboot  ->  [confirm]  ->  report
//             offer_run   gate, child   gate, child            gate, child   by others     source
//
// Invariants
// 1. One process and one event loop; nothing runs between what loop.h tells. What takes long, or
//    talks to a network, is a child process, and there is one at a time.
// 2. What is to be done follows from what is on record (offer_step.h) and is looked up anew each
//    time: after a restart the agent goes on as if it had not been away.
// 3. A gate is asked directly before its phase begins; that before the flip by the same turn that
//    starts the flip.
// 4. A failure is never tried again at once: every wait has a lower bound.
// 5. Without room in the state directory nothing is begun and nothing is forgotten: the agent
//    waits, and says so once.
// 6. Waits are by the time since boot. A wall clock that is set, by however much, makes the agent
//    ask a closed gate again, and moves no other wait.
// 7. A configuration that is read again is taken as a whole, or not at all; nothing is given up
//    before it is known that it can be used.
#ifndef UPDATER_AGENT_AGENT_H
#define UPDATER_AGENT_AGENT_H

#include "updater/agent/control.h"
#include "updater/agent/fleet_source.h"
#include "updater/agent/gates.h"
#include "updater/agent/hooks.h"
#include "updater/agent/journald.h"
#include "updater/agent/metrics.h"
#include "updater/agent/offer_run.h"
#include "updater/agent/poll_schedule.h"
#include "updater/agent/traffic.h"
#include "updater/agent/verb_child.h"

enum agent_state {
    AGENT_IDLE,
    AGENT_POLLING,
    AGENT_WAITING, // for a gate, for others, or before another try; `waits_for` says for what
    AGENT_DOWNLOADING,
    AGENT_INSTALLING,
    AGENT_REBOOTING,
    AGENT_TRIAL, // the running slot is, and waits for what `confirm` decides
    AGENT_REPORTING,
    AGENT_STATES,
};

enum agent_job { JOB_NONE, JOB_POLL, JOB_STEP };

enum { AGENT_TEXT_SIZE = 320 };

// What is tried again and again while it fails.
enum agent_task {
    TASK_OFFER, // to write its record
    TASK_HISTORY,
    TASK_DENYLIST,
    TASK_HOLDS,
    TASK_TRAFFIC,
    TASK_METRICS,
    TASK_JOURNAL, // to read it
    TASK_BOOT,    // to read the boot environment
    AGENT_TASKS,
};

// Why it failed last; code OK: it did not.
struct agent_trouble {
    enum err code;
    int sys;
    char text[AGENT_TEXT_SIZE];
};

struct agent {
    // Borrowed, or set by agent_open().
    struct device *device; // opened to look; its journal is read again at each turn
    struct log *log;
    struct verb_program program;
    const struct fleet_source *source;
    struct gate_config gate_config;
    struct loop loop;
    struct control control;
    struct loop_deadline wake;
    struct verb_child child;
    enum agent_job job;     // of the child that runs
    struct offer_todo step; // JOB_STEP: what it does
    struct offer_run offer;
    struct offer_facts facts;
    bool reload, ends;

    // Polling.
    struct poll_schedule poll;
    // dir_source_stamp() before the last poll, so that what came during it is new. 0: none.
    uint64_t asked_stamp;
    // Of the last answer that was dealt with: the same, what a server knows it by, and when. "": it
    // is asked in full.
    uint64_t seen_stamp;
    char seen[FLEET_SEEN_SIZE];
    uint64_t seen_ms;    // since boot
    bool looks_anew;     // agent_look_anew() since the last poll began
    bool by_hand;        // the poll that is due or under way
    uint64_t decided_ms; // since boot: the newest entry of the history; 0: not by this agent
    uint64_t last_poll_s;
    char poll_says[AGENT_TEXT_SIZE]; // why nothing is offered, or why it could not be asked

    // Waiting.
    struct holds holds;
    struct traffic traffic;
    struct gates gates;
    struct loop_fd gate_output;
    struct loop_child gate_child;
    struct loop_deadline gate_due;
    struct gate_answer answer;
    bool answered;                    // `answer` is for the step that is next, and was not used yet
    bool reboots;                     // it was ordered and is under way
    uint64_t lock_again_ms;           // "steady-state" is not sent again before; 0: at once
    char lock_says[GATE_REASON_SIZE]; // why the place is not given back; "": nothing was said
    uint64_t again_ms;                // no step before; 0: at once
    bool gate_closed;                 // that is for a gate, which may open before
    unsigned failures;                // of the step that is next, in a row
    bool paused;                      // the install that runs is being stopped for a hold
    bool remembered;                  // history and denylist have the offer, which is decided
    bool told;                        // its source has the report, whether that is on record or not

    // What is shown.
    enum agent_state state;
    char waits_for[AGENT_TEXT_SIZE];
    uint64_t done_bytes, total_bytes;
    // The gate that listeners were told is closed for the offer at hand; `name` NULL: none is.
    struct agent_gate {
        const char *name;
        enum gate_phase phase;
        char reason[GATE_REASON_SIZE];
        uint64_t until_s; // by the wall clock: it is asked again by then
    } told_gate;
    // Since the agent started.
    uint64_t polls, poll_failures;
    uint64_t updates[METRICS_OUTCOMES]; // decided, by enum offer_outcome
    uint64_t download_bytes;
    bool counted;            // the offer at hand is, in `updates`
    uint64_t fetched_before; // for the release of the install that runs, when it began
    struct hooks hooks;
    struct loop_child hook_child;
    struct loop_deadline hook_due;
    struct journald journald;
    struct agent_trouble troubles[AGENT_TASKS];
};

struct agent_options {
    const char *program, *config; // of the verbs: verb_child.h
};

// ERR_CONFIG: no agent could run with this, and why.
MUST_CHECK enum err agent_check_config(const struct config *config, struct error *e);

// `device` outlives it, or is followed by another one (agent_reload()); so does `log`. The agent
// does not move until it is closed. ERR_AGAIN: another agent runs. ERR_CONFIG: as
// agent_check_config().
MUST_CHECK enum err agent_open(struct agent *ret, struct device *device, struct log *log,
                               const struct agent_options *options, struct error *e);
// Until SIGTERM or SIGINT (OK), or until SIGHUP: then `*ret_reload` is true, no child runs, and the
// caller reads what is configured now and goes on with it, or without.
MUST_CHECK enum err agent_run(struct agent *a, bool *ret_reload, struct error *e);
// Goes on with `next` in the place of its device, which the caller may close then. What it is at,
// who is connected, and what a hook has not been told yet stay; what waits is looked at again. On
// an error nothing has changed: it cannot be used, or the state directory is another one.
MUST_CHECK enum err agent_reload(struct agent *a, struct device *next, struct error *e);
void agent_close(struct agent *a);

const char *agent_state_name(enum agent_state state);

#endif
