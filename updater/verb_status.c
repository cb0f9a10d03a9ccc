// SPDX-License-Identifier: Apache-2.0
#include "updater/health_record.h"
#include "updater/json_text.h"
#include "updater/printable.h"
#include "updater/status.h"
#include "updater/verbs.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

// What a slot holds is known once it is whole.
static const struct release_id *release_in(const struct device *d, int slot)
{
    enum slot_content content = d->journal.slots[slot].content;
    const struct release_id *release = &d->journal.slots[slot].release;
    return content == CONTENT_UNKNOWN || content == CONTENT_PARTIAL || release->version[0] == '\0'
               ? NULL
               : release;
}

static json_t *version_json(const struct release_id *r)
{
    return json_text_or_null(r == NULL || r->version[0] == '\0' ? NULL : r->version);
}

static json_t *index_json(const struct release_id *r)
{
    return r == NULL || r->version[0] == '\0' ? json_null()
                                              : json_integer((json_int_t)r->release_index);
}

static json_t *name_json(const struct device *d, int slot)
{
    return json_text_or_null(slot == SLOT_NONE ? NULL : d->config->slots[slot].name);
}

static json_t *slots_json(const struct device *d, const struct status *s)
{
    json_t *slots = json_object();
    for (int i = 0; i < SLOT_COUNT; i++) {
        const struct release_id *r = release_in(d, i);
        json_t *slot = json_pack(
            "{s:s, s:o, s:o, s:o, s:o}", "state", slot_state_name(s->slots[i]), "version",
            version_json(r), "release_index", index_json(r), "boots_left",
            s->boot_known ? json_integer((json_int_t)s->boot.slots[i].attempts_left) : json_null(),
            "bootable", s->boot_known ? json_boolean(s->boot.slots[i].bootable) : json_null());
        if (json_object_set_new(slots, d->config->slots[i].name, slot) != 0) {
            json_decref(slots);
            return NULL;
        }
    }
    return slots;
}

static json_t *last_json(const struct device *d)
{
    const struct journal *j = &d->journal;
    if (j->last.outcome == OUTCOME_NONE) {
        return json_null();
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I}", "result",
                     journal_outcome_name(j->last.outcome), "slot", name_json(d, j->last.slot),
                     "version", version_json(&j->last.release), "release_index",
                     index_json(&j->last.release), "reason",
                     json_text_or_null(j->last.reason[0] != '\0' ? j->last.reason : NULL), "time",
                     (json_int_t)j->last.time_s);
}

static json_t *update_json(const struct device *d, const struct status *s)
{
    const struct journal *j = &d->journal;
    if (j->step == STEP_IDLE) {
        return json_null();
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:b, s:I}", "step", journal_step_name(j->step), "slot",
                     name_json(d, j->slot), "version", version_json(&j->release), "percent",
                     s->percent >= 0 ? json_integer(s->percent) : json_null(), "under_way",
                     s->under_way, "restarts", (json_int_t)j->restarts);
}

static json_t *warnings_json(const struct status *s)
{
    json_t *all = json_array();
    for (size_t i = 0; i < s->warning_count; i++) {
        if (json_array_append_new(all, json_text(s->warnings[i])) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

static json_t *status_json(const struct device *d, const struct status *s)
{
    json_t *health = health_record_load(d);
    json_t *root = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:{s:i, s:i}, s:I, s:o, s:o, s:o, s:s}", "running",
        name_json(d, d->running), "next_boot", name_json(d, s->boot.next), "trial",
        name_json(d, s->boot.trial), "slots", slots_json(d, s), "last", last_json(d), "environment",
        "copies", (int)s->copies_total, "copies_good", (int)s->copies_good, "floor",
        (json_int_t)s->floor, "update", update_json(d, s), "health",
        health != NULL ? health : json_null(), "warnings", warnings_json(s), "summary", s->summary);
    if (root != NULL && !s->boot_known &&
        json_object_set_new(root, "error", app_error_json(&s->boot_error)) != 0) {
        json_decref(root);
        return NULL;
    }
    return root;
}

// NULL: there is no agent, or none that answers, which is said.
static json_t *ask_agent(struct app *app, const struct device *d)
{
    struct error e;
    json_t *agent = NULL;
    if (app->ask_agent == NULL || d->config->fleet.source == FLEET_NONE) {
        return NULL;
    }
    enum err err = app->ask_agent(d->config, &agent, &e);
    if (err != OK && err != ERR_NOT_NOW) {
        log_warn(&app->log, "%s", e.msg);
    }
    return err == OK ? agent : NULL;
}

static enum err print_json(const struct device *d, const struct status *s, struct app *app,
                           struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = status_json(d, s);
    json_t *agent = ask_agent(app, d);
    if (root != NULL &&
        json_object_set_new(root, "agent", agent != NULL ? agent : json_null()) != 0) {
        return fail_memory(e);
    }
    CLEANUP(cleanup_free) char *text = root == NULL ? NULL : json_print(root, JSON_INDENT(2));
    if (text == NULL) {
        return fail_memory(e);
    }
    fprintf(app->out, "%s\n", text);
    return OK;
}

static void print_slots(const struct device *d, const struct status *s, FILE *out)
{
    fprintf(out, "%-12s %-10s %-20s %-10s %s\n", "SLOT", "STATE", "VERSION", "RELEASE",
            "BOOTS LEFT");
    for (int i = 0; i < SLOT_COUNT; i++) {
        const struct release_id *r = release_in(d, i);
        char name[NAME_MAX_LEN + 16];
        char index[24] = "-";
        char left[16] = "-";
        snprintf(name, sizeof name, "%s%s", d->config->slots[i].name,
                 i == d->running ? " (running)" : "");
        if (r != NULL) {
            snprintf(index, sizeof index, "%" PRIu64, r->release_index);
        }
        if (s->boot_known) {
            snprintf(left, sizeof left, "%u", s->boot.slots[i].attempts_left);
        }
        fprintf(out, "%-12s %-10s %-20s %-10s %s\n", name, slot_state_name(s->slots[i]),
                r != NULL ? r->version : "-", index, left);
    }
}

static void print_last(const struct device *d, FILE *out)
{
    const struct journal *j = &d->journal;
    char when[32] = "";
    struct tm tm;
    time_t t = (time_t)j->last.time_s;
    if (j->last.outcome == OUTCOME_NONE) {
        return;
    }
    if (gmtime_r(&t, &tm) != NULL) {
        strftime(when, sizeof when, ", %F %T UTC", &tm);
    }
    // The word of --json, as people write it.
    bool rolled_back = j->last.outcome == OUTCOME_ROLLED_BACK;
    fprintf(out, "Last result: %s",
            rolled_back ? "rolled back" : journal_outcome_name(j->last.outcome));
    if (j->last.release.version[0] != '\0') {
        fprintf(out, " %s", j->last.release.version);
    }
    if (j->last.slot != SLOT_NONE) {
        fprintf(out, " in slot %s", d->config->slots[j->last.slot].name);
    }
    char reason[sizeof j->last.reason];
    printable_copy(j->last.reason, strlen(j->last.reason), reason, sizeof reason);
    fprintf(out, "%s%s%s.\n", when, reason[0] != '\0' ? ": " : "", reason);
}

// A record says "waiting" also when "confirm" was killed: who waits holds the lock, in a trial.
static void print_waiting(const struct device *d, const struct status *s, FILE *out)
{
    char text[2048];
    CLEANUP(cleanup_json) json_t *health = health_record_load(d);
    bool on_trial = s->boot_known && s->boot.trial == d->running;
    if (s->under_way && on_trial &&
        health_record_sentence(d, health, text, sizeof text)[0] != '\0') {
        const char *watchdog = json_string_value(json_object_get(health, "watchdog"));
        fprintf(out, "%s\n", text);
        if (watchdog != NULL) {
            fprintf(out, "Watchdog: %s.\n", watchdog);
        }
    }
}

// Of each phase that is still ahead.
static void print_gates(const json_t *gates, FILE *out)
{
    size_t index;
    const json_t *gate;
    json_array_foreach(gates, index, gate)
    {
        const char *phase = json_string_value(json_object_get(gate, "phase"));
        const char *name = json_string_value(json_object_get(gate, "gate"));
        const char *reason = json_string_value(json_object_get(gate, "reason"));
        fprintf(out, "  %-10s", phase != NULL ? phase : "?");
        if (name != NULL) {
            fprintf(out, "closed by %s: %s\n", name, reason != NULL ? reason : "?");
            continue;
        }
        const json_t *to_ask = json_object_get(gate, "to_ask");
        fprintf(out, "open");
        for (size_t i = 0; i < json_array_size(to_ask); i++) {
            const char *later = json_string_value(json_array_get(to_ask, i));
            fprintf(out, "%s%s", i == 0 ? ", still to ask: " : ", ", later != NULL ? later : "?");
        }
        fprintf(out, "\n");
    }
}

static void print_agent(const struct device *d, const json_t *agent, FILE *out)
{
    const char *state = json_string_value(json_object_get(agent, "state"));
    const char *waits_for = json_string_value(json_object_get(agent, "waits_for"));
    const json_t *offer = json_object_get(agent, "offer");
    const char *version = json_string_value(json_object_get(offer, "version"));
    if (d->config->fleet.source == FLEET_NONE) {
        return;
    }
    if (state == NULL) {
        fprintf(out, "Agent: not running.\n");
        return;
    }
    fprintf(out, "Agent: %s", state);
    if (version != NULL) {
        fprintf(out, ", release %s", version);
    }
    char text[512];
    waits_for = waits_for != NULL ? waits_for : "";
    printable_copy(waits_for, strlen(waits_for), text, sizeof text);
    fprintf(out, "%s%s.\n", text[0] != '\0' ? ": " : "", text);
    print_gates(json_object_get(agent, "gates"), out);
}

static void print_text(const struct device *d, const struct status *s, struct app *app)
{
    print_slots(d, s, app->out);
    fprintf(app->out, "\n%s\n", s->summary);
    print_waiting(d, s, app->out);
    CLEANUP(cleanup_json) json_t *agent = ask_agent(app, d);
    print_agent(d, agent, app->out);
    print_last(d, app->out);
    for (size_t i = 0; i < s->warning_count; i++) {
        log_warn(&app->log, "%s", s->warnings[i]);
    }
}

enum err verb_status(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    CLEANUP(cleanup_device) struct device *d = NULL;
    enum err err = app_open_device(a, args, DEVICE_LOOK, &d, e);
    if (err != OK) {
        return err;
    }
    struct status s;
    status_read(d, &s);
    if (app_json(args)) {
        err = print_json(d, &s, a, e);
    } else {
        print_text(d, &s, a);
    }
    if (err == OK && fflush(a->out) != 0) {
        return fail(e, ERR_IO, errno, "print the status");
    }
    if (err == OK && !s.boot_known) {
        a->error_told = true;
        *e = s.boot_error;
        return s.boot_error.code;
    }
    return err;
}
