// SPDX-License-Identifier: Apache-2.0
// What may hold back a phase of an offer, asked in this order; the first that is closed is told:
//
//   1 hold         an operator's hold or an application's update lock       hold.h
//   2 consent      of a person, for this offer; not for the download
//   3 window       weekly windows in local time, a set for each phase       updater/windows.h
//   4 budget       bytes of the month for a metered link; download only     traffic.h
//   5 power        external power, charge of the battery                    gate_power.h
//   6 command      of the configuration, one for each phase                 gate_command.h
//   7 fleet lock   a place among the devices that reboot; reboot only       fleet_lock.h
//
// 1 to 5 cost nothing and answer at once. 6 and 7 are runs of their own (bounded_run.h), one after
// the other; behind each of them 1 to 5 are asked again, for time has passed. The fleet lock is the
// last, so that no place is taken for a reboot that something else holds back.
//
// The clock of the windows
//   Synchronised: they go by it. Not (yet) synchronised: the gate waits for it, until the device
//   has been up for clock_wait_ms. After that they go by the clock as it is, which is right on a
//   device with a clock of its own and no network. A clock before time_floor_s is certainly wrong:
//   then the gate opens, because a device without clock and network would never be updated;
//   `clock_untrusted` says so, for the log.
//
// In answers their names are "hold", "consent", "window", "power", "command", "fleet_lock".
//
// Invariants
// 1. Open is only what every gate that is configured said yes to. What cannot be asked is closed.
// 2. A closed answer has a reason, of one printable line, and ask_again_ms within
//    GATE_AGAIN_MIN_MS and GATE_AGAIN_MAX_MS: nobody asks in a busy loop, and nobody misses for
//    longer that a wall clock was set. An open one has neither.
// 3. At most one run goes on at a time, and one that is cancelled decides nothing.
// 4. Nothing is remembered from one question to the next, but for `lock_owed`.
#ifndef UPDATER_AGENT_GATES_H
#define UPDATER_AGENT_GATES_H

#include "updater/agent/fleet_lock.h"
#include "updater/agent/gate_phase.h"
#include "updater/agent/hold.h"
#include "updater/bounded_run.h"
#include "updater/windows.h"

enum {
    GATE_REASON_SIZE = 256,
    GATE_AGAIN_MIN_MS = 1000,
    GATE_AGAIN_MAX_MS = 15 * 60 * 1000,
    GATE_AGAIN_CLOCK_MS = 60 * 1000,
    GATE_AGAIN_POWER_MS = 2 * 60 * 1000,
    GATE_AGAIN_RUN_MS = 60 * 1000, // of a command; of the fleet lock half as much again by chance
};

// Strings belong to the configuration and outlive every question.
struct gate_config {
    struct windows windows[GATE_PHASES]; // none: always open
    uint64_t clock_wait_ms;
    uint64_t monthly_budget;      // 0: none. No download begins once a month has cost so much
    unsigned battery_min_percent; // 0: any
    bool need_ac;
    const char *power_dir;            // "/sys/class/power_supply"
    const char *command[GATE_PHASES]; // NULL: none
    uint64_t command_timeout_ms;
    struct fleet_lock fleet_lock; // url NULL: none; else fleet_lock_check() has seen it
    bool need_consent;
};

// What is so when a question is asked.
struct gate_facts {
    const struct holds *holds;
    struct hold_now now;
    uint64_t time_floor_s;  // no earlier time can be now (docs/trust.md, "Clocks")
    bool consented;         // to this offer
    uint64_t month_bytes;   // what downloads have cost this month,
    uint64_t month_ends_s;  // and when the next one begins
    const char *version;    // NULL: not known yet
    uint64_t release_index; // 0: not known yet
    uint32_t random;        // spreads what many devices ask of one server
};

struct gate_answer {
    bool open;
    bool clock_untrusted;          // the windows did not count
    const char *gate;              // the name of the first that is closed; NULL when open
    uint64_t ask_again_ms;         // no sooner than this is it worth asking again; 0 when open
    char reason[GATE_REASON_SIZE]; // "waiting for window Sun 02:00"; "" when open
};

// 1 to 5 only, at once: for `status` and a dry run, and as a first look.
void gates_look(const struct gate_config *c, enum gate_phase phase, const struct gate_facts *f,
                struct gate_answer *ret);

// The names of those that it leaves out, as far as they are configured; how many.
enum { GATES_RUNS_MAX = 2 };
size_t gates_left_out(const struct gate_config *c, enum gate_phase phase,
                      const char *ret[GATES_RUNS_MAX]);

enum gates_stage { GATES_IDLE, GATES_COMMAND, GATES_FLEET_LOCK, GATES_STEADY_STATE };

// All zeros: never asked.
struct gates {
    enum gates_stage stage; // of the run that goes on
    enum gate_phase phase;
    bool lock_owed; // the server may have a place for us: "steady-state" is owed (fleet_lock.h)
                    // unless the device reboots now. The caller sets it at the start
    struct bounded_run run;
};

// True: `ret` is the answer. False: gates_step() will have it. What goes on is cancelled first.
bool gates_begin(struct gates *g, const struct gate_config *c, enum gate_phase phase,
                 const struct gate_facts *f, struct gate_answer *ret);
// To be called when `g->run` has something to do (its output_fd, its deadline_ms, the end of its
// pid: bounded_run.h), with the facts as they are then. True: `ret` is the answer. False: it still
// goes on, perhaps with another run in the place of the first; or nothing goes on.
bool gates_step(struct gates *g, const struct gate_config *c, const struct gate_facts *f,
                struct gate_answer *ret);
// Sends "steady-state", which ends `lock_owed` when it is granted; a gate that is asked meanwhile
// cancels it. As gates_begin(); an answer that is not open says when to send it again, and why.
bool gates_give_back(struct gates *g, const struct gate_config *c, const struct gate_facts *f,
                     struct gate_answer *ret);
// Ends what goes on, without waiting: call again until g->run.pid is 0.
void gates_cancel(struct gates *g);

#endif
