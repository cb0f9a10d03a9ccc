// SPDX-License-Identifier: Apache-2.0
#include "updater/install_steps.h"

#include "updater/activate.h"
#include "updater/baseline.h"
#include "updater/policy.h"
#include "updater/read_back.h"
#include "updater/release.h"
#include "updater/slot_record.h"
#include "updater/trial.h"

#include <inttypes.h>
#include <string.h>

// Memory that later steps do without.
static void drop_buffers(struct install *in)
{
    writer_free(TAKE_PTR(in->writer));
    pipeline_free(TAKE_PTR(in->pipeline));
}

void install_clear(struct install *in)
{
    source_cancel(in->source);
    in->source->budget = NULL;
    drop_buffers(in);
    heads_free(in->heads);
    plan_free(in->plan);
    slot_close(in->slot);
    image_free(in->image);
}

bool install_same_release(const struct release_id *a, const struct release_id *b)
{
    return memcmp(a->manifest_sha256, b->manifest_sha256, SHA256_SIZE) == 0;
}

// --- Step 1 ---

enum err step_check_state(struct install *in, struct error *e)
{
    if (in->options.dry_run) {
        return OK;
    }
    enum err err = state_check_writable(in->device->state, e);
    in->recordable = err == OK;
    return err;
}

// The target must not be what the device is to boot from next: then it is the good one.
static enum err check_boots_next(const struct install *in, struct error *e)
{
    const struct device *d = in->device;
    const char *running = d->config->slots[d->running].name;
    const char *target = d->config->slots[in->target].name;
    if (in->boot.trial == d->running || trial_was_forgotten(d, &in->boot)) {
        return fail(e, ERR_NOT_NOW, 0,
                    "the running slot %s is still on trial: confirm it or roll it back first",
                    running);
    }
    if (boot_given_up(&in->boot, d->running)) {
        return fail(e, ERR_NOT_NOW, 0,
                    "slot %s boots next and the running slot %s was given up: reboot first", target,
                    running);
    }
    if (boot_worn_out(&in->boot, d->running)) {
        return fail(e, ERR_NOT_NOW, 0,
                    "slot %s boots next, because the running slot %s has no boot attempts left: "
                    "run 'vv-update confirm' first",
                    target, running);
    }
    return OK;
}

enum err step_check_running(struct install *in, struct error *e)
{
    struct device *d = in->device;
    in->boot = (struct boot_state){.next = SLOT_NONE, .trial = SLOT_NONE};
    enum err err = boot_state_read(&d->config->boot, d->env, &in->boot, e);
    // Why the running slot is given up is what the old system has to tell, and what the next boot
    // goes by where that was not stored yet.
    bool left = err != OK || in->boot.trial == d->running || trial_was_forgotten(d, &in->boot);
    if (boot_given_up(&in->boot, d->running) || (left && trial_is_rejected(d, d->running))) {
        in->recordable = false;
    }
    if (err == OK) {
        err = check_boots_next(in, e);
    }
    if (err == OK && in->recordable) {
        trial_correct_running(d);
    }
    if (err == OK && d->env->copies_good < d->env->copies_total) {
        log_warn(d->log, "one of the two copies of the boot environment is damaged; the next "
                         "store repairs it");
    }
    return err;
}

// What came in so far came in for this release, too.
static void take_budget(struct install *in)
{
    const struct device *d = in->device;
    if (!in->options.again) {
        byte_budget_count(&in->budget, journal_fetched(&d->journal, &in->report.release));
    }
    in->budget.limit_bytes = d->config->byte_budget;
}

// What was offered and agreed to is not always what stands there when its time has come.
static enum err check_is_asked_for(const struct install *in, struct error *e)
{
    const uint8_t *wanted = in->options.manifest_sha256;
    const struct release_id found = release_id_of(in->image);
    if (wanted == NULL || memcmp(found.manifest_sha256, wanted, SHA256_SIZE) == 0) {
        return OK;
    }
    return fail(e, ERR_NOT_NOW, 0,
                "%s: it is release %" PRIu64 " (%s), and not the one that was asked for",
                in->source->name, found.release_index, found.version);
}

enum err step_verify_head(struct install *in, struct error *e)
{
    enum err err = release_fetch_head(in->device, in->source, &in->image, e);
    if (err == OK) {
        err = check_is_asked_for(in, e);
    }
    if (err == OK) {
        in->report.release = release_id_of(in->image);
        take_budget(in);
    }
    return err;
}

static bool is_whole(enum slot_content content)
{
    return content == CONTENT_INSTALLED || content == CONTENT_CONFIRMED ||
           content == CONTENT_REJECTED;
}

static uint64_t floor_in_force(struct install *in)
{
    struct device *d = in->device;
    bool damaged;
    struct policy_floors floors = {
        .journal = d->journal.floor,
        .environment = in->boot.floor,
    };
    // It is not on trial: step_check_running().
    floors.confirmed_known =
        journal_newest_confirmed(&d->journal, d->running, &floors.confirmed_index);
    uint64_t floor = policy_floor(&floors, &damaged);
    if (damaged) {
        log_warn(d->log,
                 "the release floor (%" PRIu64 " in the state directory, %" PRIu64
                 " in the boot environment) is above the newest confirmed release %" PRIu64
                 ": it is damaged and not obeyed",
                 floors.journal, floors.environment, floors.confirmed_index);
    }
    if (in->boot.floor_damaged) {
        log_warn(d->log, "vv_floor in the boot environment is not a number: it is not obeyed");
    }
    return floor;
}

// Asked for the release that is running, confirmed, and boots next.
static bool is_running_release(const struct install *in)
{
    const struct device *d = in->device;
    return d->journal.slots[d->running].content == CONTENT_CONFIRMED &&
           install_same_release(&d->journal.slots[d->running].release, &in->report.release) &&
           in->boot.next == d->running;
}

enum err step_apply_policy(struct install *in, struct error *e)
{
    struct device *d = in->device;
    const struct config *c = d->config;
    enum slot_content running = d->journal.slots[d->running].content;
    struct policy_facts facts = {
        .product = c->product,
        .compatible = c->compatible,
        .device_id = c->device_id,
        .slot = &c->slots[in->target],
        .running_known = is_whole(running),
        .running_confirmed = running == CONTENT_CONFIRMED || running == CONTENT_INSTALLED,
        .running_index = d->journal.slots[d->running].release.release_index,
        .floor = floor_in_force(in),
        .time_floor_s = device_time_floor(d),
    };
    enum err err = release_signer_not_after(d, in->image, &facts.signer_not_after_s, e);
    if (err == OK) {
        err = policy_check(in->image->manifest, &facts, e);
    }
    if (err == OK && is_running_release(in)) {
        in->report.slot = d->running;
        in->report.nothing_to_do = true;
        in->finished = true;
    }
    return err;
}

enum err step_open_target(struct install *in, struct error *e)
{
    return slot_open(in->device, in->target, in->image->manifest,
                     in->options.dry_run ? BLK_READ_ONLY : BLK_READ_WRITE, &in->slot, e);
}

enum err step_verify_table(struct install *in, struct error *e)
{
    return release_fetch_table(in->device, in->source, in->image, e);
}

// Nothing is written when the record is there already.
enum err step_check_room(struct install *in, struct error *e)
{
    struct state_store *state = in->device->state;
    bool same;
    if (in->options.dry_run) {
        return OK;
    }
    enum err err = slot_record_is(state, in->slot->name, in->image, &same, e);
    return err == OK && !same ? slot_record_check_room(state, in->slot->name, in->image, e) : err;
}

// --- Steps 3 to 8 ---

static enum err save_journal(struct device *d, const struct journal *next, struct error *e)
{
    enum err err = journal_save(d->state, next, e);
    if (err == OK) {
        d->journal = *next;
    }
    return err;
}

enum err step_take_baseline(struct install *in, struct error *e)
{
    const struct journal *j = &in->device->journal;
    bool goes_on = j->step == STEP_INSTALLING && j->slot == in->target &&
                   install_same_release(&j->release, &in->report.release);
    return baseline_take(in->device, &in->report.release, goes_on, e);
}

enum err step_journal_installing(struct install *in, struct error *e)
{
    struct device *d = in->device;
    journal_set_fetched(&in->next, &in->report.release, byte_budget_used(&in->budget));
    in->next.chunk_count = chunk_table_count(in->image->table);
    enum err err = slot_record_mark(d->state, in->slot->name, e);
    if (err == OK) {
        err = save_journal(d, &in->next, e);
    }
    in->begun = err == OK;
    return err;
}

enum err step_invalidate_target(struct install *in, struct error *e)
{
    struct device *d = in->device;
    bool stored;
    enum err err =
        boot_decide(&d->config->boot, d->env, DECIDE_INVALIDATE, in->target, 0, &stored, e);
    return err == OK ? slot_record_forget(d->state, in->slot->name, e) : err;
}

enum err step_zero_heads(struct install *in, struct error *e)
{
    return heads_zero(in->slot, e);
}

enum err step_fill(struct install *in, struct error *e)
{
    struct fill fill = install_fill(in);
    const struct plan *p = in->plan;
    progress_begin(&in->device->progress, p->copy_bytes > 0 ? "copy and download" : "download",
                   p->fetch_bytes + p->copy_bytes);
    enum err err = fill_chunks(&fill, p->differs, e);
    progress_end(&in->device->progress);
    in->report.copied_bytes = fill.copied_bytes;
    return err;
}

enum err step_read_back(struct install *in, struct error *e)
{
    struct scan scan = install_scan(in, "verify", in->heads);
    scan.skip = pipeline_verified(in->pipeline);
    struct fill fill = install_fill(in);
    return read_back(&scan, &fill, in->plan->differs, e);
}

enum err step_write_heads(struct install *in, struct error *e)
{
    enum err err = heads_write(in->heads, in->slot, e);
    if (err == OK) {
        in->report.written_bytes = writer_written(in->writer) + heads_bytes(in->slot);
    }
    return err;
}

// --- Steps 9 and 10 ---

// A whole slot was installed before, and the journal has it.
static bool is_journalled(const struct install *in)
{
    const struct journal *j = &in->device->journal;
    enum slot_content content = j->slots[in->target].content;
    return in->whole && (content == CONTENT_INSTALLED || content == CONTENT_CONFIRMED) &&
           install_same_release(&j->slots[in->target].release, &in->report.release);
}

enum err step_keep_record(struct install *in, struct error *e)
{
    struct device *d = in->device;
    bool recorded = false;
    bool journalled = is_journalled(in);
    drop_buffers(in);
    enum err err = OK;
    if (journalled) {
        // Other bytes: the record is damaged, or the release was signed again.
        err = slot_record_is(d->state, in->slot->name, in->image, &recorded, e);
    }
    if (err == OK && !recorded) {
        err = slot_record_save(d->state, in->slot->name, in->image, e);
    }
    if (err != OK || journalled) {
        return err;
    }
    struct journal before = d->journal;
    d->journal.step = STEP_INSTALLED;
    d->journal.slot = in->target;
    d->journal.release = in->report.release;
    journal_count_anew(&d->journal);
    d->journal.slots[in->target].content = CONTENT_INSTALLED;
    d->journal.slots[in->target].release = in->report.release;
    err = device_record_result(d, OUTCOME_INSTALLED, in->target, &in->report.release, "", e);
    if (err != OK) {
        d->journal = before; // so that the next run comes here again
    }
    return err;
}

enum err step_activate(struct install *in, struct error *e)
{
    if (in->options.no_activate) {
        return OK;
    }
    enum err err = activate_slot(in->device, in->target, ACTIVATE_JUST_READ_BACK, e);
    in->report.activated = err == OK;
    return err;
}
