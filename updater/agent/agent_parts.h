// SPDX-License-Identifier: Apache-2.0
// What the files of the agent have in common.
#ifndef UPDATER_AGENT_AGENT_PARTS_H
#define UPDATER_AGENT_AGENT_PARTS_H

#include "updater/agent/agent.h"

// --- agent.c
struct hold_now agent_hold_now(const struct agent *a);
uint32_t agent_random(void);
// A wait before the step that is next, or the report: no sooner than `wait_ms` from now.
void agent_wait(struct agent *a, uint64_t wait_ms, const char *why);
// Something has changed: a turn, as soon as the calls of this wake-up are over.
void agent_turn_soon(struct agent *a);

// --- agent_step.c: what is done about the offer at hand
// Does what can be done now, up to where something is to be waited for.
void agent_go_on(struct agent *a);
void agent_step_ended(struct agent *a, const struct verb_end *end);
// Reads anew what is true of the device.
void agent_look(struct agent *a);
// Stops an install that a hold forbids; it goes on where it was once its gate is open again.
void agent_pause(struct agent *a);
// A newer release, or a person, ends an offer that is not past the flip. OK: it is on record.
MUST_CHECK enum err agent_cancel(struct agent *a, const char *reason, struct error *e);

// --- agent_gate.c: whether a phase may begin
enum gate_verdict { GATE_OPEN, GATE_CLOSED, GATE_ASKED };
// GATE_ASKED: there is a turn when the answer has come. GATE_CLOSED: `a->again_ms` and
// `a->waits_for` say when and why.
enum gate_verdict agent_ask_gate(struct agent *a, enum gate_phase phase);
void agent_drop_gate(struct agent *a);
// Sends "steady-state": gates_give_back(). agent_gave_back() gets an answer that comes later.
bool agent_begin_give_back(struct agent *a, struct gate_answer *ret);
struct gate_facts agent_gate_facts(const struct agent *a);
struct gate_config agent_gate_config(const struct config *config);

// --- agent_lock.c: the place of the fleet lock is given back (fleet_lock.h)
bool agent_owes_lock(const struct agent *a);
// Does so if it is owed and this is the time. Returns when there has to be a turn for it by itself;
// UINT64_MAX: never, because nothing is owed, or the end of something else is a turn anyway.
uint64_t agent_give_back(struct agent *a);
void agent_gave_back(struct agent *a, const struct gate_answer *answer);

// --- agent_traffic.c: what downloads have cost this month (traffic.h)
MUST_CHECK enum err agent_load_traffic(struct agent *a, struct error *e);
// Takes over what the journal has counted.
void agent_count_traffic(struct agent *a);
// What an install of the offer at hand says itself.
void agent_add_traffic(struct agent *a, uint64_t bytes);
uint64_t agent_next_month_s(const struct agent *a);

// --- agent_poll.c: whether the source has something
// Starts a poll if one is due and may be. True: a child runs.
bool agent_poll(struct agent *a);
void agent_poll_ended(struct agent *a, const struct verb_end *end);
// What the source told so far says nothing any more: the next poll asks for all of it, and the one
// that is under way does not count.
void agent_look_anew(struct agent *a);

// --- agent_request.c: what clients of the control socket ask for
enum err agent_request(void *agent, const char *what, const json_t *request,
                       const struct control_peer *peer, json_t **ret_answer, struct error *e);

// --- agent_tell.c: what is shown and told
// Tells listeners, hook, log and metrics, if it is another state or another sentence.
void agent_set_state(struct agent *a, enum agent_state state, const char *waits_for);
// The answer to a question whether a phase may begin: told if it is another one than before, and
// unless all was open from the first.
void agent_tell_gate(struct agent *a, enum gate_phase phase, const struct gate_answer *answer);
// Something that a verb says: to the log, and to all who listen.
void agent_tell_log(struct agent *a, enum log_level level, const char *message);
void agent_tell_progress(struct agent *a, uint64_t done_bytes, uint64_t total_bytes);
void agent_tell_report(struct agent *a, bool acknowledged);
void agent_write_metrics(struct agent *a);
// How a task went, `err` and `e`: a trouble that lasts is told once, and as long as it does in the
// words it began with. Returns `err`.
enum err agent_tell_trouble(struct agent *a, enum agent_task task, enum err err,
                            const struct error *e);
// The caller owns it; NULL when out of memory.
json_t *agent_status_json(const struct agent *a);

#endif
