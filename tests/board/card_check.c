// SPDX-License-Identifier: Apache-2.0
#include "tests/board/card_check.h"

#include "bootloader/boot_defaults.h"
#include "bootloader/boot_model.h"
#include "bootloader/env_image.h"
#include "tests/support/env_sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { STEP_INVALIDATE = 4, STEP_WRITE_HEADS = 8, STEP_CONFIRM = 12, MOUNTABLE_UNKNOWN = 4 };

// The contract of recording.py, and its slots.
static const struct boot_setup setup = {
    .contract = CONTRACT_ORDER,
    .attempts = BOOT_DEFAULT_ATTEMPTS,
    .slots = {{.name = "a", .bootname = "A"}, {.name = "b", .bootname = "B"}},
};
enum { TARGET = 1 };
static const char *const ours[] = {"BOOT_ORDER", "BOOT_A_LEFT", "BOOT_B_LEFT",
                                   "vv_trial",   "vv_floor",    NULL};

// What U-Boot sets at each start, and saves with the rest.
static const char *const of_the_start[] = {"fdtcontroladdr", "stdin", "stdout", "stderr", NULL};

static void broken(struct card_check *c, int invariant, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void broken(struct card_check *c, int invariant, const char *fmt, ...)
{
    c->violations[invariant]++;
    if (c->shown == FINDINGS_SHOWN && !c->verbose) {
        return;
    }
    c->shown++;
    va_list args;
    va_start(args, fmt);
    printf("I%d violated in step %d, state %s: ", invariant, c->step, c->state);
    vprintf(fmt, args);
    printf("\n");
    if (c->name != NULL) {
        printf("    again: make board-recorded REPLAY=%s:%s\n", c->name, c->state);
    }
    va_end(args);
    fflush(stdout);
}

// --- looking -------------------------------------------------------------------------------------

static enum err read_environment(struct card_check *c, struct error *e)
{
    const uint8_t *copy[2];
    bool whole[2];
    for (int i = 0; i < 2; i++) {
        copy[i] = c->card->bytes + c->card->env_off[i];
        whole[i] = env_image_is_whole(copy[i], (size_t)c->card->env_len);
    }
    int current = whole[0] && whole[1] ? env_image_newer(copy[0], copy[1]) : whole[0] ? 0 : 1;
    env_vars_clear(&c->env);
    c->env_valid = whole[0] || whole[1];
    if (!c->env_valid) {
        return OK;
    }
    enum err err = env_image_parse(copy[current], (size_t)c->card->env_len, &c->env, e);
    if (err == ERR_FORMAT) {
        c->env_valid = false;
        return OK;
    }
    return err;
}

static enum err read_boot_state(struct card_check *c, struct error *e)
{
    struct env_sim sim;
    env_sim_init(&sim);
    enum err err = env_vars_copy(&c->env, &sim.medium, e);
    if (err == OK) {
        err = boot_state_read(&setup, &sim.base, &c->boot, e);
    }
    env_sim_free(&sim);
    return err;
}

static enum err store_read(struct state_store *s, const char *name, size_t max, uint8_t **ret_data,
                           size_t *ret_len, struct error *e);
static const struct state_ops store_ops = {.read = store_read};

// The state directory as the data partition holds it.
struct card_store {
    struct state_store base;
    const struct ext4_view *view;
    bool missing;
};

static enum err store_read(struct state_store *s, const char *name, size_t max, uint8_t **ret_data,
                           size_t *ret_len, struct error *e)
{
    char path[64];
    snprintf(path, sizeof path, "vv-update/%s", name);
    struct card_store *store = (struct card_store *)s;
    enum err err = ext4_read_file(store->view, path, max, ret_data, ret_len, e);
    store->missing = err != OK && e->sys == ENOENT;
    return err;
}

static void read_journal(struct card_check *c)
{
    struct card_store store = {.base = {.ops = &store_ops}, .view = &c->view};
    c->view.bytes = c->card->bytes + c->card->data_off;
    c->view.len = c->card->data_len;
    struct error *e = &c->journal_error;
    enum err err = ext4_view_open(&c->view, e);
    if (err == OK) {
        // A record that is damaged is taken for lost; a file system that is not.
        err = journal_load(&store.base, &c->journal, e);
    }
    c->journal_read = err == OK;
    c->journal_there = c->journal_read && !store.missing;
}

enum err card_check_look(struct card_check *c, struct error *e)
{
    enum err err = OK;
    if (c->env_seen != c->card->env_changes) {
        err = read_environment(c, e);
        if (err == OK && c->env_valid) {
            err = read_boot_state(c, e);
        }
        c->env_seen = c->card->env_changes;
        c->mountable_seen = MOUNTABLE_UNKNOWN;
    }
    if (c->data_seen != c->card->data_changes) {
        read_journal(c);
        c->data_seen = c->card->data_changes;
    }
    return err;
}

// --- what boots ----------------------------------------------------------------------------------

static bool can_start(void *context, int slot)
{
    return card_mountable(context, slot);
}

static enum err boots(struct card_check *c, const struct env_vars *vars, int *ret, struct error *e)
{
    struct env_sim sim;
    struct boot_outcome outcome;
    env_sim_init(&sim);
    enum err err = env_vars_copy(vars, &sim.medium, e);
    if (err == OK) {
        err = boot_model_run(&setup, &sim.base, can_start, c->card, &outcome, e);
    }
    env_sim_free(&sim);
    *ret = err == OK ? outcome.slot : SLOT_NONE;
    return err;
}

static void check_booted(struct card_check *c, int invariant, int slot, const char *how)
{
    if (slot == SLOT_NONE) {
        broken(c, invariant, "nothing boots%s", how);
    } else if (card_content(c->card, slot) < 0) {
        broken(c, invariant, "slot %s boots%s, and is not one release", c->card->slots[slot].name,
               how);
    }
}

// I1, and what boots when nothing is left of the environment.
static enum err check_power_on(struct card_check *c, struct error *e)
{
    static const struct env_vars built_in = {0};
    unsigned mountable = (unsigned)card_mountable(c->card, 0) | (unsigned)card_mountable(c->card, 1)
                                                                    << 1;
    enum err err = OK;
    int lost = SLOT_NONE;
    if (mountable != c->mountable_seen) {
        err = boots(c, c->env_valid ? &c->env : &built_in, &c->boots, e);
        c->mountable_seen = mountable;
    }
    if (err == OK) {
        err = boots(c, &built_in, &lost, e);
    }
    if (err == OK) {
        check_booted(c, 1, c->boots, "");
        check_booted(c, 2, lost, " without an environment");
    }
    return err;
}

// --- I2, I3, I4, I6 ------------------------------------------------------------------------------

static void check_contents(struct card_check *c)
{
    for (int slot = 0; slot < SLOT_COUNT; slot++) {
        if (card_content(c->card, slot) >= 0) {
            continue;
        }
        const char *name = c->card->slots[slot].name;
        if (card_mountable(c->card, slot)) {
            broken(c, 2, "slot %s can be mounted, and is not one release", name);
        }
        // Until step 4 is over the environment may name a slot that the factory left empty.
        if (c->env_valid && env_vars_get(&c->env, "BOOT_ORDER") != NULL &&
            (c->boot.slots[slot].listed || c->boot.trial == slot) && c->step > STEP_INVALIDATE) {
            broken(c, 2, "the environment boots slot %s, which is not one release", name);
        }
    }
}

static bool is_among(const char *const *names, const char *name)
{
    for (; *names != NULL; names++) {
        if (strcmp(*names, name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_environment(struct card_check *c)
{
    if (!c->env_valid) {
        broken(c, 3, "no copy of the environment is valid");
        return;
    }
    for (size_t i = 0; i < c->board.count; i++) {
        const char *now = env_vars_get(&c->env, c->board.items[i].name);
        if (now == NULL || strcmp(now, c->board.items[i].value) != 0) {
            broken(c, 3, "the board's variable %s was changed or lost", c->board.items[i].name);
        }
    }
    for (size_t i = 0; i < c->env.count; i++) {
        const char *name = c->env.items[i].name;
        if (!is_among(ours, name) && !is_among(of_the_start, name) &&
            env_vars_get(&c->board, name) == NULL) {
            broken(c, 3, "variable %s is nobody's", name);
        }
    }
    for (size_t i = 0; i < c->known_count; i++) {
        if (env_vars_difference(&c->known[i], &c->env) == NULL) {
            return;
        }
    }
    broken(c, 3, "the environment is not what one store has left");
}

static int release_of(const struct card *card, const struct release_id *id)
{
    for (int r = 0; r < CARD_RELEASES; r++) {
        if (card->releases[r].index == id->release_index &&
            strcmp(card->releases[r].version, id->version) == 0) {
            return r;
        }
    }
    return -1;
}

// The chunks that the journal's mark claims, without what is held back of the first one.
static void check_mark(struct card_check *c, const struct journal *j, int release)
{
    const struct chunk_table *table = c->card->releases[release].image->table;
    if (j->next_chunk == 0) {
        return;
    }
    if (j->next_chunk > chunk_table_count(table)) {
        broken(c, 4, "the journal claims %" PRIu32 " chunks of %" PRIu32, j->next_chunk,
               chunk_table_count(table));
        return;
    }
    uint64_t off;
    struct chunk last = chunk_table_get(table, j->next_chunk - 1, &off);
    uint64_t end = off + last.raw_len;
    uint64_t good = (uint64_t)card_first_difference(c->card, j->slot, release) * CARD_BLOCK;
    uint64_t tail = end - good; // used only if the first difference is within the last block
    const uint8_t *there = c->card->bytes + c->card->slots[j->slot].off + good;
    if (good < end && (tail >= CARD_BLOCK ||
                       memcmp(there, c->card->releases[release].content + good, tail) != 0)) {
        broken(c, 4,
               "the journal claims %" PRIu64 " bytes of slot %s, and at %" PRIu64
               " they are others",
               end, c->card->slots[j->slot].name, good);
    }
}

static void check_slots_on_record(struct card_check *c, const struct journal *j)
{
    for (int slot = 0; slot < SLOT_COUNT; slot++) {
        enum slot_content content = j->slots[slot].content;
        if (content != CONTENT_INSTALLED && content != CONTENT_CONFIRMED) {
            continue;
        }
        int release = release_of(c->card, &j->slots[slot].release);
        if (release < 0 || c->card->slots[slot].differing[release] != 0) {
            broken(c, 4, "the journal says that slot %s holds %s, which it does not",
                   c->card->slots[slot].name, j->slots[slot].release.version);
        }
    }
}

static void check_journal(struct card_check *c)
{
    const struct journal *j = &c->journal;
    if (!c->journal_read) {
        broken(c, 4, "the journal cannot be read: %s", c->journal_error.msg);
        return;
    }
    if (j->lost) {
        broken(c, 4, "the journal is damaged");
    }
    if (c->journal_wanted && !c->journal_there) {
        broken(c, 4, "the journal is gone");
    }
    check_slots_on_record(c, j);
    if (j->step == STEP_IDLE) {
        return;
    }
    int release = release_of(c->card, &j->release);
    if (release < 0 || j->slot == SLOT_NONE) {
        broken(c, 4, "the journal is about a release that does not exist, or no slot");
    } else if (j->step == STEP_INSTALLING) {
        check_mark(c, j, release);
    } else if (c->card->slots[j->slot].differing[release] != 0) {
        broken(c, 4, "the journal is at %s, and slot %s is not whole", journal_step_name(j->step),
               c->card->slots[j->slot].name);
    }
}

// The floor when the first one of the releases is confirmed, or both.
static uint64_t floor_of(const struct card *card, bool both)
{
    uint64_t first = card->releases[0].image->manifest->min_release_index;
    uint64_t second = card->releases[1].image->manifest->min_release_index;
    return both && second > first ? second : first;
}

// One store takes a slot off trial and raises the floor: neither is there without the other.
static void check_floor_of_the_environment(struct card_check *c)
{
    bool confirmed = c->boot.trial == SLOT_NONE && c->boot.next == TARGET;
    uint64_t max = floor_of(c->card, confirmed);
    if (c->boot.floor > max) {
        broken(c, 6, "vv_floor is %" PRIu64 ", confirmed releases allow %" PRIu64, c->boot.floor,
               max);
    }
    if (confirmed && c->boot.floor < max) {
        broken(c, 6, "vv_floor is %" PRIu64 ", and a release is confirmed that wants %" PRIu64,
               c->boot.floor, max);
    }
}

static void check_floors(struct card_check *c)
{
    uint64_t max = floor_of(c->card, c->step >= STEP_CONFIRM);
    if (c->env_valid) {
        check_floor_of_the_environment(c);
    }
    if (c->journal_read && c->journal.floor > max) {
        broken(c, 6, "the journal's floor is %" PRIu64 ", confirmed releases allow %" PRIu64,
               c->journal.floor, max);
    }
}

enum err card_check_state(struct card_check *c, const char *name, struct error *e)
{
    snprintf(c->state, sizeof c->state, "%s", name);
    c->states++;
    enum err err = card_check_look(c, e);
    if (err == OK) {
        err = check_power_on(c, e);
    }
    if (err == OK) {
        check_contents(c);
        check_environment(c);
        check_journal(c);
        check_floors(c);
    }
    return err;
}

// --- I7 ------------------------------------------------------------------------------------------

void card_check_write(struct card_check *c, uint64_t off, uint64_t len)
{
    int slot;
    enum card_area area = card_area(c->card, off, &slot);
    if (area == AREA_OTHER) {
        broken(c, 7, "%" PRIu64 " bytes at %" PRIu64 " of the card were written", len, off);
    }
    bool may = slot == TARGET && c->step >= STEP_INVALIDATE && c->step <= STEP_WRITE_HEADS;
    if (slot != SLOT_NONE && !may) {
        broken(c, 7, "slot %s was written to", c->card->slots[slot].name);
    }
}

// --- making --------------------------------------------------------------------------------------

enum err card_check_known(struct card_check *c, struct error *e)
{
    enum err err = card_check_look(c, e);
    if (err == OK && c->boot.floor < c->floor_seen) {
        broken(c, 6, "a store left vv_floor at %" PRIu64 ", it was %" PRIu64, c->boot.floor,
               c->floor_seen);
    }
    c->floor_seen = c->boot.floor > c->floor_seen ? c->boot.floor : c->floor_seen;
    for (size_t i = 0; err == OK && i < c->known_count; i++) {
        if (env_vars_difference(&c->known[i], &c->env) == NULL) {
            return OK;
        }
    }
    if (err == OK && c->known_count == KNOWN_STORES_MAX) {
        return fail(e, ERR_TOO_LARGE, 0, "more than %d stores of the environment",
                    KNOWN_STORES_MAX);
    }
    return err == OK ? env_vars_copy(&c->env, &c->known[c->known_count++], e) : err;
}

enum err card_check_begin(struct card_check *c, struct error *e)
{
    enum err err = card_check_look(c, e);
    if (err == OK && !c->env_valid) {
        return fail(e, ERR_FORMAT, 0, "the recording begins without an environment");
    }
    for (size_t i = 0; err == OK && i < c->env.count; i++) {
        if (!is_among(ours, c->env.items[i].name)) {
            err = env_vars_set(&c->board, c->env.items[i].name, c->env.items[i].value, e);
        }
    }
    return err == OK ? card_check_known(c, e) : err;
}

void card_check_end(struct card_check *c)
{
    env_vars_clear(&c->env);
    env_vars_clear(&c->board);
    for (size_t i = 0; i < c->known_count; i++) {
        env_vars_clear(&c->known[i]);
    }
    ext4_view_clear(&c->view);
}
