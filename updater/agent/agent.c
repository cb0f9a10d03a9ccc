// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

#include "updater/agent/boot_id.h"
#include <assert.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>

const char *agent_state_name(enum agent_state state)
{
    static const char *const names[AGENT_STATES] = {
        [AGENT_IDLE] = "idle",
        [AGENT_POLLING] = "polling",
        [AGENT_WAITING] = "waiting",
        [AGENT_DOWNLOADING] = "downloading",
        [AGENT_INSTALLING] = "installing",
        [AGENT_REBOOTING] = "rebooting",
        [AGENT_TRIAL] = "trial",
        [AGENT_REPORTING] = "reporting",
    };
    return names[state];
}

uint32_t agent_random(void)
{
    uint32_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random) {
        random = (uint32_t)loop_now_ms() * 2654435761u;
    }
    return random;
}

struct hold_now agent_hold_now(const struct agent *a)
{
    const struct clock *clock = a->device->clock;
    struct hold_now now = {.boot_id = a->offer.boot_id, .boottime_ms = loop_now_ms()};
    now.wall_s = clock->ops->wall_s(clock, &now.synchronised);
    return now;
}

void agent_turn_soon(struct agent *a)
{
    loop_set_deadline(&a->loop, &a->wake, 0);
}

void agent_wait(struct agent *a, uint64_t wait_ms, const char *why)
{
    a->again_ms = loop_now_ms() + wait_ms;
    a->gate_closed = false;
    if (why[0] != '\0') {
        agent_set_state(a, AGENT_WAITING, why);
    }
}

// --- the wall clock -----------------------------------------------------------------------------

// Holds of an earlier boot go on in this one once the clock is synchronised. Those that cannot be
// stored hold all the same, and are settled again by the next agent.
static void settle_holds(struct agent *a)
{
    struct error e;
    const struct hold_now now = agent_hold_now(a);
    if (holds_settle(&a->holds, &now)) {
        enum err err = holds_save(a->device->state, &a->holds, &e);
        (void)agent_tell_trouble(a, TASK_HOLDS, err, &e);
    }
}

// What was answered by the old time counts no more, and a gate that was closed is asked again.
// Other waits are by the time since boot, and go on. A poll that is under way may have the old
// time.
static void on_clock_set(void *ctx)
{
    struct agent *a = ctx;
    uint64_t soon_ms = loop_now_ms() + GATE_AGAIN_MIN_MS;
    a->answered = false;
    agent_look_anew(a);
    if (a->gate_closed && a->again_ms > soon_ms) {
        a->again_ms = soon_ms;
    }
    agent_turn_soon(a);
}

// --- turns --------------------------------------------------------------------------------------

// `next_ms`: no later than that.
static void arm(struct agent *a, uint64_t next_ms)
{
    uint64_t poll_ms =
        a->offer.record.phase < OFFER_ACTIVATING ? poll_schedule_next_ms(&a->poll) : UINT64_MAX;
    next_ms = poll_ms < next_ms ? poll_ms : next_ms;
    if (a->again_ms != 0 && a->again_ms < next_ms) {
        next_ms = a->again_ms;
    }
    if (next_ms != UINT64_MAX && !loop_has_deadline(&a->loop, &a->wake)) {
        loop_set_deadline(&a->loop, &a->wake, next_ms);
    }
}

static void turn(void *ctx)
{
    struct agent *a = ctx;
    settle_holds(a);
    if (verb_child_runs(&a->child)) {
        return; // its end is a turn
    }
    if (a->reload) {
        loop_stop(&a->loop);
    } else if (!agent_poll(a)) {
        agent_go_on(a);
    }
    if (!verb_child_runs(&a->child)) {
        arm(a, agent_give_back(a));
    }
}

static void on_signal(void *ctx, int number)
{
    struct agent *a = ctx;
    if (number != SIGHUP) {
        a->ends = true;
        loop_stop(&a->loop);
        return;
    }
    bool said = a->reload;
    a->reload = true;
    if (!said && verb_child_runs(&a->child)) {
        log_info(a->log, "the configuration is read again when what is under way has ended");
    }
    agent_turn_soon(a);
}

static void on_event(void *ctx, const json_t *event)
{
    struct agent *a = ctx;
    const char *kind = json_string_value(json_object_get(event, "event"));
    const char *message = json_string_value(json_object_get(event, "message"));
    uint64_t done;
    uint64_t total;
    struct error ignored;
    if (kind != NULL && strcmp(kind, "log") == 0 && message != NULL) {
        const char *level = json_string_value(json_object_get(event, "level"));
        agent_tell_log(a, event_level(level), message);
    } else if (kind != NULL && strcmp(kind, "progress") == 0 && a->job == JOB_STEP &&
               json_get_u64(event, "done", &done, &ignored) == OK &&
               json_get_u64(event, "total", &total, &ignored) == OK) {
        agent_tell_progress(a, done, total);
    }
}

static void on_ended(void *ctx, const struct verb_end *end)
{
    struct agent *a = ctx;
    enum agent_job job = a->job;
    a->job = JOB_NONE;
    if (job == JOB_POLL) {
        agent_poll_ended(a, end);
    } else {
        agent_step_ended(a, end);
    }
}

// --- opening and closing ------------------------------------------------------------------------

static enum err open_records(struct agent *a, struct error *e)
{
    char boot_id[BOOT_ID_SIZE];
    struct device *d = a->device;
    enum err err = boot_id_read(boot_id, e);
    if (err == OK) {
        err = offer_open(&a->offer, d->state, d->clock, boot_id, e);
    }
    if (err == OK) {
        err = holds_load(d->state, &a->holds, e);
    }
    if (err == OK) {
        err = agent_load_traffic(a, e);
    }
    if (err == OK && a->holds.lost) {
        log_warn(a->log, "the record of holds is damaged: nothing is held any more");
    }
    if (err == OK && a->offer.record.lost) {
        log_warn(a->log, "the record of the offer at hand is damaged: it is forgotten");
    }
    return err;
}

static const char *group_of(const struct config *config)
{
    return config->agent.group != NULL ? config->agent.group : "";
}

static enum err open_control(struct agent *a, struct error *e)
{
    const struct control_options options = {
        .path = a->device->config->agent.socket,
        .group = group_of(a->device->config),
        .handle = agent_request,
        .ctx = a,
    };
    return control_open(&a->control, &a->loop, a->log, &options, e);
}

static_assert((int)FLEET_INTERVAL_MIN_MS >= (int)POLL_INTERVAL_MIN_MS &&
                  (int)FLEET_INTERVAL_MAX_MS <= (int)POLL_INTERVAL_MAX_MS,
              "what can be configured is what the schedule keeps");

static struct poll_rules poll_rules_of(const struct config *config)
{
    return (struct poll_rules){config->fleet.interval_ms, config->fleet.jitter_percent};
}

static void begin_polling(struct agent *a)
{
    const struct poll_rules rules = poll_rules_of(a->device->config);
    poll_schedule_begin(&a->poll, &rules, loop_now_ms(), agent_random());
}

enum err agent_check_config(const struct config *config, struct error *e)
{
    const struct fleet_source *source;
    const struct gate_config gates = agent_gate_config(config);
    enum err err = fleet_source_of(config, &source, e);
    return err != OK || gates.fleet_lock.url == NULL ? err : fleet_lock_check(&gates.fleet_lock, e);
}

enum err agent_open(struct agent *ret, struct device *device, struct log *log,
                    const struct agent_options *options, struct error *e)
{
    *ret = (struct agent){
        .device = device,
        .log = log,
        .program = {options->program, options->config},
        .gate_config = agent_gate_config(device->config),
        .gates = {.lock_owed = true}, // an agent before this one may have been cut off
        .wake = {.call = turn, .ctx = ret},
        .child = {.loop = &ret->loop, .event = on_event, .ended = on_ended, .ctx = ret},
    };
    enum err err = agent_check_config(device->config, e);
    if (err == OK) {
        err = loop_open(&ret->loop, on_signal, ret, e);
    }
    if (err != OK) {
        return err;
    }
    bool to_journal = journald_is_stream(STDERR_FILENO, getenv("JOURNAL_STREAM"));
    ret->journald = journald_open(to_journal ? JOURNALD_SOCKET : NULL);
    hooks_init(&ret->hooks, device->config->agent.hook, log);
    err = fleet_source_of(device->config, &ret->source, e);
    if (err == OK) {
        err = loop_watch_clock(&ret->loop, on_clock_set, ret, e);
    }
    if (err == OK) {
        err = open_records(ret, e);
    }
    if (err == OK) {
        err = open_control(ret, e);
    }
    if (err != OK) {
        hooks_close(&ret->hooks);
        journald_close(&ret->journald);
        loop_close(&ret->loop);
        return err;
    }
    begin_polling(ret);
    agent_turn_soon(ret);
    return OK;
}

enum err agent_run(struct agent *a, bool *ret_reload, struct error *e)
{
    agent_turn_soon(a); // the one before was for the reload
    enum err err = loop_run(&a->loop, e);
    *ret_reload = a->reload && !a->ends;
    a->reload = false;
    return err;
}

// --- another configuration ----------------------------------------------------------------------

static bool is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

// One that is new is asked as after a start; of the old one, what it asked to be waited for, and
// for how long it failed, still counts. What it has is looked at again: it may be for us now.
static void poll_by(struct agent *a, const struct config *before)
{
    const struct config *now = a->device->config;
    const struct poll_rules rules = poll_rules_of(now);
    if (now->fleet.source == before->fleet.source &&
        is_same_text(now->fleet.dir, before->fleet.dir) &&
        is_same_text(now->fleet.url, before->fleet.url)) {
        poll_schedule_set_rules(&a->poll, &rules, loop_now_ms(), agent_random());
    } else {
        begin_polling(a);
        a->poll_says[0] = '\0';
    }
    if (a->by_hand) {
        poll_schedule_trigger(&a->poll, loop_now_ms());
    }
    agent_look_anew(a);
}

enum err agent_reload(struct agent *a, struct device *next, struct error *e)
{
    const struct config *config = next->config;
    const struct config *before = a->device->config;
    const struct fleet_source *source = NULL;
    enum err err = agent_check_config(config, e);
    if (err == OK && strcmp(config->state_dir, before->state_dir) != 0) {
        err =
            fail(e, ERR_CONFIG, 0, "[device] state_dir: from %s to %s: restart the agent for that",
                 before->state_dir, config->state_dir);
    }
    if (err == OK) {
        err = fleet_source_of(config, &source, e);
    }
    if (err == OK) {
        err = control_move(&a->control, config->agent.socket, group_of(config), e);
    }
    if (err != OK) {
        return err;
    }
    agent_drop_gate(a);
    a->device = next;
    a->source = source;
    a->gate_config = agent_gate_config(config);
    a->offer.state = next->state;
    a->offer.clock = next->clock;
    offer_look(&a->offer, next, &a->facts); // what it was had the journal of the old one
    hooks_set_command(&a->hooks, config->agent.hook);
    poll_by(a, before);
    a->lock_again_ms = 0;
    a->again_ms = a->reboots ? a->again_ms : 0;
    return OK;
}

void agent_close(struct agent *a)
{
    agent_drop_gate(a);
    verb_child_close(&a->child);
    control_close(&a->control);
    hooks_close(&a->hooks);
    journald_close(&a->journald);
    loop_close(&a->loop);
}
