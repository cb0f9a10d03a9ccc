// SPDX-License-Identifier: Apache-2.0
#include "updater/activate.h"

#include "updater/heads.h"
#include "updater/release.h"
#include "updater/scan.h"
#include "updater/slot_record.h"
#include "updater/trial.h"

#include <inttypes.h>

static enum err fail_differs(const struct scan *scan, const struct chunk_set *differs,
                             struct error *e)
{
    uint32_t index = 0;
    while (!chunk_set_has(differs, index)) {
        index++;
    }
    uint64_t off;
    (void)chunk_table_get(scan->table, index, &off);
    return fail(e, ERR_NOT_NOW, 0,
                "slot %s holds no verified release: partition %s differs from its record at "
                "offset %" PRIu64 "; install again",
                scan->slot->name, scan->slot->partitions[slot_find(scan->slot, index)].info->name,
                off);
}

static enum err scan_against(struct device *d, int index, const struct image *image,
                             struct error *e)
{
    CLEANUP(cleanup_slot) struct slot *slot = NULL;
    CLEANUP(cleanup_chunk_set) struct chunk_set *differs = NULL;
    CLEANUP(cleanup_free) uint8_t *buf = aligned_alloc(BLK_ALIGN, SCAN_BUF_SIZE);
    if (buf == NULL) {
        return fail_memory(e);
    }
    enum err err = slot_open(d, index, image->manifest, BLK_READ_ONLY, &slot, e);
    if (err == OK) {
        err = chunk_set_new(chunk_table_count(image->table), &differs, e);
    }
    if (err != OK) {
        return err;
    }
    struct scan scan = {
        .slot = slot,
        .table = image->table,
        .hasher = d->hasher,
        .progress = &d->progress,
        .step = "check",
        .buf = buf,
        .buf_len = SCAN_BUF_SIZE,
    };
    err = scan_slot(&scan, differs, NULL, e);
    if (err == OK && chunk_set_size(differs) > 0) {
        err = fail_differs(&scan, differs, e);
    }
    return err;
}

// Whatever is wrong with the record or the size of a partition: there is nothing to activate.
static enum err not_verified(struct device *d, int slot, struct error *e)
{
    e->code = ERR_NOT_NOW;
    return error_context(e, "slot %s holds no verified release", d->config->slots[slot].name);
}

enum err activate_verify_slot(struct device *d, int slot, struct release_id *ret_release,
                              struct error *e)
{
    CLEANUP(cleanup_image) struct image *image = NULL;
    struct image_trust trust;
    enum err err = device_trust(d, &trust, e);
    if (err != OK) {
        return err;
    }
    err = slot_record_load(d->state, d->config->slots[slot].name, &trust.verifier, d->hasher,
                           &image, e);
    if (err == OK) {
        err = scan_against(d, slot, image, e);
    }
    if (err == ERR_TRUST || err == ERR_FORMAT || err == ERR_TOO_LARGE) {
        return not_verified(d, slot, e);
    }
    if (err == OK) {
        *ret_release = release_id_of(image);
    }
    return err;
}

// An update leaves an entry, so that a slot without one was not written to since.
static bool journal_knows_updates(const struct device *d)
{
    for (int i = 0; i < SLOT_COUNT; i++) {
        if (d->journal.slots[i].content != CONTENT_UNKNOWN) {
            return true;
        }
    }
    return false;
}

// The environment remembers an update, the journal none: the state directory was lost, and with it
// whether we ever wrote to the slot.
static bool state_was_lost(const struct device *d, const struct boot_state *boot, int slot)
{
    bool shut_out = d->config->boot.contract == CONTRACT_ORDER && !boot->slots[slot].listed;
    return boot->floor_stored || boot->trial != SLOT_NONE || shut_out;
}

static enum err is_headless(struct device *d, const struct config_partition *partition, bool *ret,
                            struct error *e)
{
    struct blk *blk = NULL;
    CLEANUP(cleanup_free) uint8_t *buf = aligned_alloc(BLK_ALIGN, BLK_ALIGN);
    if (buf == NULL) {
        return fail_memory(e);
    }
    enum err err = d->open_blk(partition->path, BLK_READ_ONLY, &blk, e);
    if (err != OK) {
        return err;
    }
    size_t len = blk->size_bytes < BLK_ALIGN ? (size_t)blk->size_bytes : BLK_ALIGN;
    err = blk_pread(blk, buf, len, 0, e);
    blk_close(blk);
    *ret = err == OK && !head_has_superblock(buf, len);
    return err;
}

// An install that began left zeros where every partition has its superblock (docs/crash-safety.md,
// steps 5 to 8), and so does an empty disk.
static enum err check_heads(struct device *d, int slot, struct error *e)
{
    const struct config_slot *s = &d->config->slots[slot];
    bool headless = true;
    enum err err = OK;
    for (size_t i = 0; i < s->partition_count && err == OK && headless; i++) {
        err = is_headless(d, &s->partitions[i], &headless, e);
    }
    if (err == OK && headless) {
        err = fail(e, ERR_NOT_NOW, 0,
                   "slot %s holds no verified release: it is empty or only partly written; install "
                   "into it first",
                   s->name);
    }
    return err;
}

// No record is there. The journal's word that we never wrote to the slot is good unless the journal
// was lost. One that was gone back to and rejected is still as it left the factory.
static enum err check_factory(struct device *d, const struct boot_state *boot, int slot,
                              struct error *e)
{
    bool known = journal_knows_updates(d);
    enum slot_content content = d->journal.slots[slot].content;
    bool rejected =
        content == CONTENT_REJECTED && d->journal.slots[slot].release.version[0] == '\0';
    if (d->journal.lost || (content != CONTENT_UNKNOWN && !rejected) ||
        (!known && state_was_lost(d, boot, slot))) {
        return fail(e, ERR_NOT_NOW, 0,
                    "slot %s holds no verified release, and is not known to be as it left the "
                    "factory: install into it first",
                    d->config->slots[slot].name);
    }
    // A rejection without a release may as well be of one that nothing is known about any more.
    return known && !rejected ? OK : check_heads(d, slot, e);
}

static enum err check_content(struct device *d, const struct boot_state *boot, int slot,
                              enum activate_mode mode, struct release_id *ret_release,
                              struct error *e)
{
    bool recorded = true;
    enum err err = OK;
    if (mode == ACTIVATE_FACTORY_ALLOWED) {
        err = slot_record_exists(d->state, d->config->slots[slot].name, &recorded, e);
    }
    if (err != OK) {
        return err;
    }
    *ret_release = d->journal.slots[slot].release;
    if (mode == ACTIVATE_JUST_READ_BACK) {
        return OK;
    }
    return recorded ? activate_verify_slot(d, slot, ret_release, e)
                    : check_factory(d, boot, slot, e);
}

static enum err check_allowed(const struct device *d, const struct boot_state *boot, int slot,
                              struct error *e)
{
    const char *running = d->config->slots[d->running].name;
    if (slot == d->running) {
        return fail(e, ERR_NOT_NOW, 0, "slot %s is the running one", running);
    }
    if (boot->trial == d->running || trial_was_forgotten(d, boot)) {
        return fail(e, ERR_NOT_NOW, 0,
                    "the running slot %s is on trial itself: confirm it or roll it back first",
                    running);
    }
    return OK;
}

static enum err journal_activating(struct device *d, int slot, const struct release_id *release,
                                   struct error *e)
{
    struct journal next = d->journal;
    next.step = STEP_ACTIVATING;
    next.slot = slot;
    next.release = *release;
    next.attempts = d->config->boot.attempts;
    enum slot_content content = next.slots[slot].content;
    bool verified = release->version[0] != '\0'; // else: a factory slot
    if (verified && (content == CONTENT_PARTIAL || content == CONTENT_UNKNOWN)) {
        // Read whole against its record a moment ago: the journal was behind, or lost.
        next.slots[slot].content = CONTENT_INSTALLED;
        next.slots[slot].release = *release;
    }
    enum err err = journal_save(d->state, &next, e);
    if (err == OK) {
        d->journal = next;
    }
    return err;
}

static enum err flip(struct device *d, int slot, const struct release_id *release, struct error *e)
{
    enum err err = journal_activating(d, slot, release, e);
    if (err != OK) {
        return err;
    }
    bool stored;
    err = boot_decide(&d->config->boot, d->env, DECIDE_ACTIVATE, slot, 0, &stored, e);
    if (err != OK) {
        return err;
    }
    struct journal before = d->journal;
    d->journal.step = STEP_TRIAL;
    err = device_record_result(d, OUTCOME_ACTIVATED, slot, release, "", e);
    if (err != OK) {
        d->journal = before; // so that the next run comes here again
    }
    return err;
}

enum err activate_slot(struct device *d, int slot, enum activate_mode mode, struct error *e)
{
    struct boot_state boot;
    struct release_id release;
    enum err err = boot_state_read(&d->config->boot, d->env, &boot, e);
    if (err == OK) {
        err = check_allowed(d, &boot, slot, e);
    }
    if (err != OK) {
        return err;
    }
    bool on_trial = boot.trial == slot && boot.next == slot;
    if (boot_given_up(&boot, d->running)) {
        return OK;
    }
    if (on_trial && d->journal.step == STEP_TRIAL && d->journal.slot == slot) {
        return OK;
    }
    if (mode != ACTIVATE_JUST_READ_BACK) {
        err = state_check_writable(d->state, e);
    }
    if (err == OK) {
        err = check_content(d, &boot, slot, mode, &release, e);
    }
    return err == OK ? flip(d, slot, &release, e) : err;
}
