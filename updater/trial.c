// SPDX-License-Identifier: Apache-2.0
#include "updater/trial.h"

#include "updater/release.h"
#include "updater/slot_record.h"

#include <stdio.h>

// --- what a slot holds --------------------------------------------------------------------------

static enum err load_record(struct device *d, int slot, struct image **ret, struct error *e)
{
    // Time floor 0: a certificate that ended during the trial must not fail it.
    struct image_trust trust = image_trust_with(d->trust, d->config->trust_signers, 0);
    return slot_record_load(d->state, d->config->slots[slot].name, &trust.verifier, d->hasher, ret,
                            e);
}

struct release_id trial_release(struct device *d, int slot)
{
    CLEANUP(cleanup_image) struct image *image = NULL;
    struct error ignored;
    if (d->journal.slots[slot].release.version[0] != '\0') {
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

bool trial_is_pending(const struct device *d, const struct boot_state *boot)
{
    return boot->trial != SLOT_NONE && boot->next == boot->trial &&
           boot->slots[boot->trial].attempts_left >= d->config->boot.attempts;
}

bool trial_end_is_unrecorded(const struct device *d)
{
    const struct journal *j = &d->journal;
    return (j->step == STEP_ACTIVATING || j->step == STEP_TRIAL) && j->slot == d->running;
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
// kept, and no floor is raised on the word of nobody.
static struct floors read_floors(struct device *d)
{
    CLEANUP(cleanup_image) struct image *image = NULL;
    struct error e;
    if (load_record(d, d->running, &image, &e) != OK) {
        log_warn(d->log, "%s: the release floor is not raised", e.msg);
        return (struct floors){.known = false};
    }
    uint64_t end_s = signers_end(d, image);
    uint64_t created_s = image->manifest->created;
    return (struct floors){
        .known = true,
        .release = release_id_of(image),
        .release_floor = image->manifest->min_release_index,
        .time_s = created_s < end_s ? created_s : end_s,
    };
}

static void journal_idle(struct journal *j)
{
    j->step = STEP_IDLE;
    j->slot = SLOT_NONE;
    j->release = (struct release_id){0};
    j->next_chunk = 0;
    j->chunk_count = 0;
    j->restarts = 0;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

enum err trial_keep(struct device *d, struct error *e)
{
    struct floors floors = read_floors(d);
    bool stored;
    enum err err = boot_decide(&d->config->boot, d->env, DECIDE_CONFIRM, d->running,
                               floors.release_floor, &stored, e);
    if (err != OK) {
        return err;
    }
    struct journal *j = &d->journal;
    journal_idle(j);
    j->slots[d->running].content = CONTENT_CONFIRMED;
    if (floors.known) {
        j->slots[d->running].release = floors.release;
    }
    j->floor = larger(j->floor, floors.release_floor);
    j->time_floor_s = larger(j->time_floor_s, floors.time_s);
    struct release_id release = j->slots[d->running].release;
    return device_record_result(d, OUTCOME_CONFIRMED, d->running, &release, "", e);
}

// --- reject and take back -----------------------------------------------------------------------

bool trial_is_rejected(const struct device *d, int slot)
{
    const struct journal *j = &d->journal;
    return j->step == STEP_IDLE && j->slots[slot].content == CONTENT_REJECTED &&
           j->last.outcome == OUTCOME_ROLLED_BACK && j->last.slot == slot;
}

enum err trial_check_other(const struct device *d, int slot, struct error *e)
{
    int other = other_slot(slot);
    if (d->journal.slots[other].content == CONTENT_PARTIAL) {
        return fail(e, ERR_NOT_NOW, 0,
                    "slot %s is the last bootable slot: slot %s is only partly written",
                    d->config->slots[slot].name, d->config->slots[other].name);
    }
    return OK;
}

static void record(struct device *d, int slot, enum slot_content content, const char *reason)
{
    struct error e;
    struct release_id release = trial_release(d, slot);
    journal_idle(&d->journal);
    d->journal.slots[slot].content = content;
    if (device_record_result(d, OUTCOME_ROLLED_BACK, slot, &release, reason, &e) != OK) {
        log_warn(d->log, "%s: why slot %s is given up is not kept", e.msg,
                 d->config->slots[slot].name);
    }
}

static enum err store_reject(struct device *d, int slot, struct error *e)
{
    bool stored;
    return boot_decide(&d->config->boot, d->env, DECIDE_REJECT, slot, 0, &stored, e);
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

enum err trial_take_back(struct device *d, const struct boot_state *boot, struct error *e)
{
    int slot = boot->trial;
    enum slot_content content =
        trial_is_pending(d, boot) ? d->journal.slots[slot].content : CONTENT_REJECTED;
    enum err err = trial_check_other(d, slot, e);
    if (err == OK) {
        record(d, slot, content, "taken back by the operator before it was confirmed");
        err = store_reject(d, slot, e);
    }
    return err;
}
