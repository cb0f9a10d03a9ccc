// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

struct gate_facts agent_gate_facts(const struct agent *a)
{
    const struct offer_record *r = &a->offer.record;
    return (struct gate_facts){
        .holds = &a->holds,
        .now = agent_hold_now(a),
        .time_floor_s = device_time_floor(a->device),
        .consented = r->consented,
        .version = r->release_known ? r->release.version : NULL,
        .release_index = r->release_known ? r->release.release_index : 0,
        .month_bytes = a->traffic.bytes,
        .month_ends_s = agent_next_month_s(a),
        .random = agent_random(),
    };
}

static void unwatch(struct agent *a)
{
    loop_unwatch_fd(&a->loop, &a->gate_output);
    loop_unwatch_child(&a->loop, &a->gate_child);
    loop_clear_deadline(&a->loop, &a->gate_due);
}

// What was ended by force, and is still to be waited for.
static void on_gone(void *ctx, int status)
{
    struct agent *a = ctx;
    bounded_run_reaped(&a->gates.run, status);
    bounded_run_kill(&a->gates.run);
}

// No run goes on: at most the process of one that was ended is left.
static void watch_end(struct agent *a)
{
    unwatch(a);
    if (a->gates.run.pid != 0) {
        a->gate_child = (struct loop_child){.pid = a->gates.run.pid, .call = on_gone, .ctx = a};
        loop_watch_child(&a->loop, &a->gate_child);
    }
}

static void watch(struct agent *a);

// The run said something, ended, or its time is over.
static void on_run(struct agent *a)
{
    struct gate_facts facts = agent_gate_facts(a);
    struct gate_answer answer;
    bool gives_back = a->gates.stage == GATES_STEADY_STATE;
    unwatch(a);
    if (gates_step(&a->gates, &a->gate_config, &facts, &answer)) {
        watch_end(a);
        if (gives_back) {
            agent_gave_back(a, &answer);
        } else {
            a->answer = answer;
            a->answered = true;
        }
        agent_turn_soon(a);
    } else if (a->gates.stage != GATES_IDLE) {
        watch(a);
    }
}

static void on_output(void *ctx, uint32_t events)
{
    (void)events;
    on_run(ctx);
}

static void on_child(void *ctx, int status)
{
    struct agent *a = ctx;
    bounded_run_reaped(&a->gates.run, status);
    on_run(a);
}

static void on_due(void *ctx)
{
    on_run(ctx);
}

static void watch(struct agent *a)
{
    const struct bounded_run *run = &a->gates.run;
    struct error e;
    unwatch(a);
    a->gate_output = (struct loop_fd){.fd = run->output_fd, .call = on_output, .ctx = a};
    a->gate_child = (struct loop_child){.pid = run->pid, .call = on_child, .ctx = a};
    a->gate_due = (struct loop_deadline){.call = on_due, .ctx = a};
    loop_watch_child(&a->loop, &a->gate_child);
    loop_set_deadline(&a->loop, &a->gate_due, run->deadline_ms);
    if (run->output_fd >= 0 && loop_watch_fd(&a->loop, &a->gate_output, EPOLLIN, &e) != OK) {
        log_warn(a->log, "%s", e.msg); // its end and its time are watched still
    }
}

bool agent_begin_give_back(struct agent *a, struct gate_answer *ret)
{
    struct gate_facts facts = agent_gate_facts(a);
    a->answered = false;
    if (gates_give_back(&a->gates, &a->gate_config, &facts, ret)) {
        watch_end(a);
        return true;
    }
    watch(a);
    return false;
}

void agent_drop_gate(struct agent *a)
{
    gates_cancel(&a->gates);
    watch_end(a);
    a->answered = false;
}

enum gate_verdict agent_ask_gate(struct agent *a, enum gate_phase phase)
{
    struct gate_facts facts = agent_gate_facts(a);
    bool gives_back = a->gates.stage == GATES_STEADY_STATE; // its end is a turn
    if (gives_back || (a->gates.stage != GATES_IDLE && a->gates.phase == phase)) {
        return GATE_ASKED;
    }
    if (!a->answered || a->gates.phase != phase) {
        agent_drop_gate(a);
        a->gates.phase = phase;
        if (!gates_begin(&a->gates, &a->gate_config, phase, &facts, &a->answer)) {
            watch(a);
            return GATE_ASKED;
        }
        watch_end(a);
    }
    a->answered = false;
    if (a->answer.clock_untrusted) {
        log_warn(a->log, "the clock of this device is wrong: windows do not count");
    }
    if (!a->answer.open) {
        agent_wait(a, a->answer.ask_again_ms, a->answer.reason);
    }
    agent_tell_gate(a, phase, &a->answer);
    return a->answer.open ? GATE_OPEN : GATE_CLOSED;
}

struct gate_config agent_gate_config(const struct config *config)
{
    const struct config_gates *g = &config->gates;
    return (struct gate_config){
        .windows = {[GATE_DOWNLOAD] = g->download_window,
                    [GATE_INSTALL] = g->install_window,
                    [GATE_REBOOT] = g->reboot_window},
        .clock_wait_ms = g->clock_wait_ms,
        .monthly_budget = g->monthly_budget,
        .battery_min_percent = g->battery_min_percent,
        .need_ac = g->need_ac,
        .power_dir = "/sys/class/power_supply",
        .command = {[GATE_DOWNLOAD] = g->download_command,
                    [GATE_INSTALL] = g->install_command,
                    [GATE_REBOOT] = g->reboot_command},
        .command_timeout_ms = g->command_timeout_ms,
        .fleet_lock = {g->fleet_lock_url, g->fleet_lock_group, config->device_id, &config->http},
        .need_consent = g->need_consent,
    };
}
