// SPDX-License-Identifier: Apache-2.0
#include "updater/trial.h"

#include "updater/activate.h"
#include "updater/policy.h"
#include "updater/release.h"
#include "updater/slot_record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

// --- what a slot holds --------------------------------------------------------------------------

static enum err load_record(struct device *d, int slot, struct image **ret, struct error *e)
{
    enum err err = device_load_trust(d, e);
    if (err != OK) {
        return err;
    }
    // Time floor 0: a certificate that ended during the trial must not fail it.
    struct image_trust trust = image_trust_with(d->trust, d->config->trust_signers, 0);
    return slot_record_load(d->state, d->config->slots[slot].name, &trust.verifier, d->hasher, ret,
                            e);
}

struct release_id trial_release(struct device *d, int slot)
{
    CLEANUP(cleanup_image) struct image *image = NULL;
    struct error ignored;
    enum slot_content content = d->journal.slots[slot].content;
    if (content == CONTENT_PARTIAL) {
        return (struct release_id){0};
    }
    if (content != CONTENT_UNKNOWN && d->journal.slots[slot].release.version[0] != '\0') {
        return d->journal.slots[slot].release;
    }
    if (load_record(d, slot, &image, &ignored) == OK) {
        return release_id_of(image);
    }
    return (struct release_id){0};
}

const char *trial_text(struct device *d, int slot, char buf[TRIAL_TEXT_SIZE])
{
    struct release_id release = trial_release(d, slot);
    const char *name = d->config->slots[slot].name;
    if (release.version[0] == '\0') {
        snprintf(buf, TRIAL_TEXT_SIZE, "slot %s", name);
    } else {
        snprintf(buf, TRIAL_TEXT_SIZE, "release %s in slot %s", release.version, name);
    }
    return buf;
}

unsigned trial_attempts(const struct device *d, const struct boot_state *boot)
{
    const struct journal *j = &d->journal;
    bool known = boot->trial != SLOT_NONE && j->slot == boot->trial && j->attempts > 0 &&
                 (j->step == STEP_ACTIVATING || j->step == STEP_TRIAL);
    return known ? j->attempts : d->config->boot.attempts;
}

bool trial_is_pending(const struct device *d, const struct boot_state *boot)
{
    return boot->trial != SLOT_NONE && boot->next == boot->trial &&
           boot->slots[boot->trial].attempts_left >= trial_attempts(d, boot);
}

bool trial_end_is_unrecorded(const struct device *d)
{
    const struct journal *j = &d->journal;
    return (j->step == STEP_ACTIVATING || j->step == STEP_TRIAL) && j->slot == d->running;
}

// Contract bootcount does not tell whether the slot that does not boot next would.
static bool may_boot(const struct device *d, const struct boot_state *boot, int slot)
{
    return boot->slots[slot].bootable || d->config->boot.contract == CONTRACT_BOOTCOUNT;
}

bool trial_was_forgotten(const struct device *d, const struct boot_state *boot)
{
    bool rejected = trial_is_rejected(d, d->running) && may_boot(d, boot, other_slot(d->running));
    return boot->trial == SLOT_NONE && !boot->floor_stored && !boot_given_up(boot, d->running) &&
           (rejected || trial_end_is_unrecorded(d));
}

// --- keep ---------------------------------------------------------------------------------------

struct floors {
    bool known;
    struct release_id release;
    uint64_t release_floor;
    uint64_t time_s;
};

// The end of the first certificate that signed.
static uint64_t signers_end(struct device *d, const struct image *image)
{
    struct signature_list signatures;
    struct signer_name signers[SIGNATURE_RECORDS_MAX];
    struct error ignored;
    size_t count = 0;
    size_t signed_size = header_signed_size(&image->header);
    if (signature_area_parse(image->head + signed_size, image->header.signature_area_size,
                             &signatures, &ignored) != OK ||
        trust_list_signers(d->trust, 0, image->head, signed_size, &signatures, signers,
                           SIGNATURE_RECORDS_MAX, &count, &ignored) != OK ||
        count == 0) {
        return 0;
    }
    uint64_t end = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        end = signers[i].not_after < end ? signers[i].not_after : end;
    }
    return end;
}

// A record that is gone or does not verify any more is no reason to lose a healthy system: it is
// kept, and no floor is raised on the word of nobody. Want of memory says nothing about the record.
static enum err read_floors(struct device *d, struct floors *ret, struct error *e)
{
    CLEANUP(cleanup_image) struct image *image = NULL;
    *ret = (struct floors){.known = false};
    enum err err = load_record(d, d->running, &image, e);
    if (err != OK && e->sys == ENOMEM) {
        return err;
    }
    if (err != OK) {
        log_warn(d->log, "%s: the release floor is not raised", e->msg);
        return OK;
    }
    uint64_t end_s = signers_end(d, image);
    uint64_t created_s = image->manifest->created;
    *ret = (struct floors){
        .known = true,
        .release = release_id_of(image),
        .release_floor = image->manifest->min_release_index,
        .time_s = created_s < end_s ? created_s : end_s,
    };
    return OK;
}

static void journal_idle(struct journal *j)
{
    j->step = STEP_IDLE;
    j->slot = SLOT_NONE;
    j->release = (struct release_id){0};
    j->next_chunk = 0;
    j->chunk_count = 0;
    j->attempts = 0;
    journal_count_anew(j);
}

// --- what the journal has wrong -----------------------------------------------------------------

// Reads the whole slot. `*ret_whole`: it holds what its record says, and the journal has that now.
// An error only when that could not be found out.
static enum err find_whole(struct device *d, int slot, bool *ret_whole, struct error *e)
{
    struct release_id release;
    enum err err = activate_verify_slot(d, slot, &release, e);
    if (err != OK && e->sys == ENOMEM) {
        return err;
    }
    *ret_whole = err == OK;
    if (err == OK) {
        d->journal.slots[slot].content = CONTENT_INSTALLED;
        d->journal.slots[slot].release = release;
    }
    return OK;
}

void trial_correct_running(struct device *d)
{
    struct error e;
    struct journal *j = &d->journal;
    bool whole = false;
    if (j->slots[d->running].content != CONTENT_PARTIAL ||
        find_whole(d, d->running, &whole, &e) != OK) {
        return;
    }
    if (!whole) {
        j->slots[d->running].content = CONTENT_UNKNOWN;
        j->slots[d->running].release = (struct release_id){0};
    }
    if (j->step == STEP_INSTALLING && j->slot == d->running) {
        journal_idle(j);
    }
    if (journal_save(d->state, j, &e) != OK) {
        log_warn(d->log, "%s: the journal still has slot %s as partly written", e.msg,
                 d->config->slots[d->running].name);
    }
}

// --- keep: what is stored -----------------------------------------------------------------------

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

// The floor obeyed so far. The slot to be kept does not count as confirmed yet.
static enum err read_floor_in_force(struct device *d, uint64_t *ret, struct error *e)
{
    struct boot_state boot;
    enum err err = boot_state_read(&d->config->boot, d->env, &boot, e);
    if (err != OK) {
        return err;
    }
    bool damaged; // told by status and install
    struct policy_floors f = {.journal = d->journal.floor, .environment = boot.floor};
    f.confirmed_known = journal_newest_confirmed(&d->journal, SLOT_NONE, &f.confirmed_index);
    *ret = policy_floor(&f, &damaged);
    return OK;
}

static void journal_confirmed(struct device *d, const struct floors *floors, uint64_t floor)
{
    struct journal *j = &d->journal;
    journal_idle(j);
    if (floors->known) {
        j->slots[d->running].release = floors->release;
    }
    if (floors->known || j->slots[d->running].content != CONTENT_UNKNOWN) {
        j->slots[d->running].content = CONTENT_CONFIRMED;
        j->confirmed_max = larger(j->confirmed_max, j->slots[d->running].release.release_index);
        // A floor from before the journal was lost stays in force: some release had raised it.
        j->confirmed_max = larger(j->confirmed_max, floor);
    }
    j->floor = larger(j->floor, floor);
    j->time_floor_s = larger(j->time_floor_s, floors->time_s);
}

enum err trial_keep(struct device *d, struct error *e)
{
    struct floors floors;
    uint64_t floor = 0;
    bool stored;
    enum err err = read_floors(d, &floors, e);
    if (err == OK) {
        err = read_floor_in_force(d, &floor, e);
    }
    floor = larger(floor, floors.release_floor);
    if (err == OK) {
        err = boot_decide(&d->config->boot, d->env, DECIDE_CONFIRM, d->running, floor, &stored, e);
    }
    if (err != OK) {
        return err;
    }
    journal_confirmed(d, &floors, floor);
    struct release_id release = d->journal.slots[d->running].release;
    if (device_record_result(d, OUTCOME_CONFIRMED, d->running, &release, "", e) != OK) {
        // Full storage is no reason to give a healthy system up: it is confirmed, and the next
        // confirm finds the journal behind.
        log_warn(d->log, "%s: that slot %s is confirmed is not recorded yet", e->msg,
                 d->config->slots[d->running].name);
    }
    return OK;
}

// --- settle -------------------------------------------------------------------------------------

// What vv_floor has to be while the running slot is confirmed; 0: nothing is known. Where a flip
// may have been forgotten, none comes back: its want is what says so.
static enum err read_floor_to_keep(struct device *d, uint64_t *ret, struct error *e)
{
    *ret = 0;
    bool confirmed = d->journal.slots[d->running].content == CONTENT_CONFIRMED;
    bool certain = confirmed && d->journal.step != STEP_ACTIVATING;
    return certain ? read_floor_in_force(d, ret, e) : OK;
}

// In the journal too. What boots is decided without it.
static void keep_floor(struct device *d, uint64_t floor)
{
    struct error e;
    if (floor <= d->journal.floor) {
        return;
    }
    d->journal.floor = floor;
    if (journal_save(d->state, &d->journal, &e) != OK) {
        log_warn(d->log, "%s: the release floor %" PRIu64 " is not recorded", e.msg, floor);
    }
}

// An environment that has lost its floor may have lost as well that the other slot was given up.
// Once the floor is back nothing tells any more, so that is stored with it.
static enum err settle(struct device *d, const struct boot_state *boot, uint64_t floor,
                       struct error *e)
{
    bool stored;
    int other = other_slot(d->running);
    enum slot_content content = d->journal.slots[other].content;
    bool bad = content == CONTENT_REJECTED || content == CONTENT_PARTIAL;
    if (floor > boot->floor && bad) {
        return boot_decide(&d->config->boot, d->env, DECIDE_REJECT, other, floor, &stored, e);
    }
    return boot_decide(&d->config->boot, d->env, DECIDE_SETTLE, d->running, floor, &stored, e);
}

enum err trial_settle(struct device *d, struct error *e)
{
    struct boot_state boot;
    uint64_t floor;
    enum err err = boot_state_read(&d->config->boot, d->env, &boot, e);
    if (err == OK) {
        err = read_floor_to_keep(d, &floor, e);
    }
    if (err == OK) {
        err = settle(d, &boot, floor, e);
    }
    if (err == OK) {
        keep_floor(d, floor);
    }
    return err;
}

// --- reject and take back -----------------------------------------------------------------------

bool trial_is_rejected(const struct device *d, int slot)
{
    const struct journal *j = &d->journal;
    return j->step == STEP_IDLE && j->slots[slot].content == CONTENT_REJECTED &&
           j->last.outcome == OUTCOME_ROLLED_BACK && j->last.slot == slot;
}

enum err trial_check_other(struct device *d, int slot, struct error *e)
{
    int other = other_slot(slot);
    bool whole = true;
    if (d->journal.slots[other].content == CONTENT_PARTIAL) {
        enum err err = find_whole(d, other, &whole, e);
        if (err != OK) {
            return err;
        }
    }
    if (!whole) {
        return fail(e, ERR_NOT_NOW, 0,
                    "slot %s is the last bootable slot: slot %s is only partly written",
                    d->config->slots[slot].name, d->config->slots[other].name);
    }
    return OK;
}

// A slot that is partly written stays that, and worse than bad; it is never true of the one that
// runs.
static void record(struct device *d, int slot, enum slot_content content, const char *reason)
{
    struct error e;
    struct release_id release = trial_release(d, slot);
    journal_idle(&d->journal);
    if (slot == d->running || d->journal.slots[slot].content != CONTENT_PARTIAL) {
        d->journal.slots[slot].content = content;
    }
    if (device_record_result(d, OUTCOME_ROLLED_BACK, slot, &release, reason, &e) != OK) {
        log_warn(d->log, "%s: why slot %s is given up is not kept", e.msg,
                 d->config->slots[slot].name);
    }
}

static enum err store_reject(struct device *d, int slot, struct error *e)
{
    uint64_t floor;
    bool stored;
    enum err err = read_floor_to_keep(d, &floor, e);
    return err == OK ? boot_decide(&d->config->boot, d->env, DECIDE_REJECT, slot, floor, &stored, e)
                     : err;
}

enum err trial_reject(struct device *d, int slot, const char *reason, struct error *e)
{
    enum err err = trial_check_other(d, slot, e);
    if (err != OK) {
        return err;
    }
    // The first reason is the true one: what is seen later are its consequences.
    if (!trial_is_rejected(d, slot)) {
        record(d, slot, CONTENT_REJECTED, reason);
    }
    return store_reject(d, slot, e);
}

enum err trial_go_on_alone(struct device *d, const char *reason, struct error *e)
{
    struct error ignored;
    bool stored;
    struct release_id release = trial_release(d, d->running);
    journal_idle(&d->journal);
    d->journal.slots[d->running].content = CONTENT_REJECTED;
    if (device_record_result(d, OUTCOME_FAILED, d->running, &release, reason, &ignored) != OK) {
        log_warn(d->log, "%s: that slot %s is not healthy is not kept", ignored.msg,
                 d->config->slots[d->running].name);
    }
    return boot_decide(&d->config->boot, d->env, DECIDE_REJECT, other_slot(d->running), 0, &stored,
                       e);
}

// Never tried, and it was to be gone back to: it stays what to fall back to, behind the running
// slot.
static enum err store_as_before(struct device *d, struct error *e)
{
    uint64_t floor;
    bool stored;
    enum err err = read_floor_to_keep(d, &floor, e);
    return err == OK ? boot_decide(&d->config->boot, d->env, DECIDE_CONFIRM, d->running, floor,
                                   &stored, e)
                     : err;
}

enum err trial_take_back(struct device *d, const struct boot_state *boot, struct error *e)
{
    int slot = boot->trial;
    bool pending = trial_is_pending(d, boot);
    enum slot_content content = pending ? d->journal.slots[slot].content : CONTENT_REJECTED;
    enum err err = trial_check_other(d, slot, e);
    if (err != OK) {
        return err;
    }
    record(d, slot, content, "taken back by the operator before it was confirmed");
    bool worked_before = content == CONTENT_CONFIRMED || content == CONTENT_UNKNOWN;
    return worked_before ? store_as_before(d, e) : store_reject(d, slot, e);
}
