// SPDX-License-Identifier: Apache-2.0
// Cuts the power at every point of a recorded update, and looks at what is left of the card.
//
//     p123    all writes before number 123 are on the card, none behind it
//     d123    the window of write 123 is over; this write alone never reached the card
//     s45.6   window 45 is over; of its writes those of its subset 6 reached the card
#include "tests/board/cut_log.h"
#include "tests/support/test_data.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// Of a window with so few writes all subsets are looked at.
enum { SUBSETS = 1000, WHOLE_MAX = 9 };
_Static_assert((1 << WHOLE_MAX) <= SUBSETS, "all subsets are at most as many as are drawn");

// What was found, and that nothing could be.
enum { EXIT_VIOLATED = 1, EXIT_FAILED = 2 };

struct cuts {
    struct card card;
    struct cut_log log;
    struct card_check check;
    uint8_t *under;  // what lay under each write of the window: CARD_BLOCK bytes a write
    uint16_t *cover; // by sector: writes of the window
    bool *lost;      // by write of the window: the state at hand is without it
    const char *wanted;
    const char *save;
    bool found;
    bool show_steps;
    uint64_t prefixes, drops, subsets_done, windows_whole;
    uint64_t by_step[STEPS_KNOWN + 1];
};

// --- going to a state ----------------------------------------------------------------------------

static void put(struct cuts *c, size_t i)
{
    const struct cut_write *w = &c->log.writes[i];
    card_write(&c->card, w->off, w->data, w->len);
}

static void take_back(struct cuts *c, const struct cut_window *w, size_t i)
{
    const struct cut_write *write = &c->log.writes[i];
    card_write(&c->card, write->off, c->under + (i - w->first) * CARD_BLOCK, write->len);
}

static void begin_window(struct cuts *c, const struct cut_window *w)
{
    for (size_t i = w->first; i < w->end; i++) {
        const struct cut_write *write = &c->log.writes[i];
        for (uint64_t s = write->off / CARD_SECTOR; s * CARD_SECTOR < write->off + write->len;
             s++) {
            c->cover[s]++;
        }
    }
}

static void end_window(struct cuts *c, const struct cut_window *w)
{
    for (size_t i = w->first; i < w->end; i++) {
        const struct cut_write *write = &c->log.writes[i];
        for (uint64_t s = write->off / CARD_SECTOR; s * CARD_SECTOR < write->off + write->len;
             s++) {
            c->cover[s] = 0;
        }
    }
}

// As before the window, whichever of its writes are there.
static void to_begin(struct cuts *c, const struct cut_window *w)
{
    for (size_t i = w->end; i-- > w->first;) {
        take_back(c, w, i);
    }
}

// As behind the window, but for the writes that are lost.
static void to_end(struct cuts *c, const struct cut_window *w)
{
    to_begin(c, w);
    for (size_t i = w->first; i < w->end; i++) {
        if (!c->lost[i - w->first]) {
            put(c, i);
        }
    }
}

static void narrate_state(struct cuts *c)
{
    static const char *const vars[] = {"BOOT_ORDER", "BOOT_A_LEFT", "BOOT_B_LEFT", "vv_trial",
                                       "vv_floor"};
    printf("state %s, step %d\n", c->check.state, c->check.step);
    for (int slot = 0; slot < SLOT_COUNT; slot++) {
        int release = card_content(&c->card, slot);
        printf("  slot %s: %s, %s\n", c->card.slots[slot].name,
               release >= 0 ? c->card.releases[release].version : "no whole release",
               card_mountable(&c->card, slot) ? "can be mounted" : "has no superblock");
    }
    for (size_t i = 0; c->check.env_valid && i < sizeof vars / sizeof vars[0]; i++) {
        const char *value = env_vars_get(&c->check.env, vars[i]);
        printf("  %s=%s\n", vars[i], value != NULL ? value : "");
    }
    printf("  journal: %s, slot %d, release %s, %" PRIu32 " chunks\n",
           c->check.journal_read ? journal_step_name(c->check.journal.step)
                                 : c->check.journal_error.msg,
           c->check.journal.slot, c->check.journal.release.version, c->check.journal.next_chunk);
    printf("  boots: %s\n",
           c->check.boots == SLOT_NONE ? "nothing" : c->card.slots[c->check.boots].name);
}

// All states are, or one.
static bool is_wanted(const struct cuts *c, const char *name)
{
    return c->wanted == NULL || strcmp(c->wanted, name) == 0;
}

// One state of the card.
static enum err look(struct cuts *c, const char *name, int step, struct error *e)
{
    c->check.step = step;
    c->by_step[step]++;
    enum err err = card_check_state(&c->check, name, e);
    if (err == OK && c->wanted != NULL) {
        c->found = true;
        narrate_state(c);
        err = c->save != NULL ? card_save(&c->card, c->save, e) : OK;
    }
    return err;
}

// --- prefixes, single writes, subsets ------------------------------------------------------------

static enum err cut_prefixes(struct cuts *c, const struct cut_window *w, struct error *e)
{
    enum err err = OK;
    for (size_t i = w->first; err == OK && i < w->end; i++) {
        const struct cut_write *write = &c->log.writes[i];
        char name[32];
        memcpy(c->under + (i - w->first) * CARD_BLOCK, c->card.bytes + write->off, write->len);
        put(c, i);
        snprintf(name, sizeof name, "p%zu", i + 1);
        err = is_wanted(c, name) ? look(c, name, write->step, e) : OK;
        c->prefixes++;
    }
    return err;
}

static bool alone(const struct cuts *c, const struct cut_write *write)
{
    for (uint64_t s = write->off / CARD_SECTOR; s * CARD_SECTOR < write->off + write->len; s++) {
        if (c->cover[s] > 1) {
            return false;
        }
    }
    return true;
}

// The window without write `i`, and back.
static enum err drop_one(struct cuts *c, const struct cut_window *w, size_t i, const char *name,
                         struct error *e)
{
    bool is_alone = alone(c, &c->log.writes[i]);
    c->lost[i - w->first] = true;
    if (is_alone) {
        take_back(c, w, i);
    } else {
        to_end(c, w);
    }
    enum err err = look(c, name, w->step, e);
    c->lost[i - w->first] = false;
    if (is_alone) {
        put(c, i);
    } else {
        to_end(c, w);
    }
    return err;
}

static enum err drop_each(struct cuts *c, const struct cut_window *w, struct error *e)
{
    enum err err = OK;
    for (size_t i = w->first; err == OK && i < w->end; i++) {
        char name[32];
        snprintf(name, sizeof name, "d%zu", i);
        err = is_wanted(c, name) ? drop_one(c, w, i, name, e) : OK;
        c->drops++;
    }
    return err;
}

// Each entry of the log is lost, whole, cut off somewhere, or torn, with the same chance each.
static void draw_subset(struct cuts *c, const struct cut_window *w, uint64_t random)
{
    uint32_t entry = UINT32_MAX;
    uint64_t fate = 0, cut = 0;
    for (size_t i = w->first; i < w->end; i++) {
        if (c->log.writes[i].entry != entry) {
            size_t len = 1;
            entry = c->log.writes[i].entry;
            while (i + len < w->end && c->log.writes[i + len].entry == entry) {
                len++;
            }
            fate = next_random(&random) % 4;
            cut = i + next_random(&random) % len;
        }
        bool torn = next_random(&random) % 2 == 0;
        c->lost[i - w->first] = fate == 0 || (fate == 2 && i >= cut) || (fate == 3 && torn);
    }
}

static enum err cut_subsets(struct cuts *c, size_t number, const struct cut_window *w,
                            struct error *e)
{
    size_t len = w->end - w->first;
    bool all = len <= WHOLE_MAX;
    uint64_t count = all ? UINT64_C(1) << len : SUBSETS;
    enum err err = OK;
    for (uint64_t k = 0; err == OK && k < count; k++) {
        char name[64];
        if (all) {
            for (size_t i = 0; i < len; i++) {
                c->lost[i] = (k >> i & 1) != 0;
            }
        } else {
            draw_subset(c, w, (uint64_t)number << 32 ^ k);
        }
        snprintf(name, sizeof name, "s%zu.%" PRIu64, number, k);
        if (is_wanted(c, name)) {
            to_end(c, w);
            err = look(c, name, w->step, e);
        }
        c->subsets_done++;
    }
    c->windows_whole += all;
    memset(c->lost, 0, len * sizeof *c->lost);
    to_end(c, w);
    return err;
}

static enum err cut_all(struct cuts *c, struct error *e)
{
    enum err err = is_wanted(c, "p0") ? look(c, "p0", 1, e) : OK;
    c->prefixes++;
    for (size_t i = 0; err == OK && i < c->log.window_count; i++) {
        const struct cut_window *w = &c->log.windows[i];
        c->check.journal_wanted = i >= c->log.journal_from;
        begin_window(c, w);
        err = cut_prefixes(c, w, e);
        if (err == OK) {
            err = drop_each(c, w, e);
        }
        if (err == OK) {
            err = cut_subsets(c, i, w, e);
        }
        end_window(c, w);
    }
    return err;
}

// --- what is printed -----------------------------------------------------------------------------

// For whoever chooses states: the prefixes of each step, and each window.
static void show_steps(const struct cut_log *log)
{
    for (size_t i = 0, first = 0; i < log->count; i++) {
        if (i + 1 == log->count || log->writes[i + 1].step != log->writes[i].step) {
            printf("step %d %zu %zu\n", log->writes[i].step, first + 1, i + 1);
            first = i + 1;
        }
    }
    for (size_t i = 0; i < log->window_count; i++) {
        printf("window %zu %d %zu %zu\n", i, log->windows[i].step, log->windows[i].first,
               log->windows[i].end);
    }
}

static uint64_t show_counts(const struct cuts *c)
{
    uint64_t failures = 0;
    printf("recorded: %zu entries, %zu writes when torn apart, %zu flushes, %zu windows, "
           "%zu stores of the environment\n",
           c->log.entries, c->log.count, c->log.flushes, c->log.window_count,
           c->check.known_count - 1);
    printf("cut: %" PRIu64 " prefixes, %" PRIu64 " single writes lost, %" PRIu64
           " subsets (all of %" PRIu64 " windows, sampled in %" PRIu64 ")\n",
           c->prefixes, c->drops, c->subsets_done, c->windows_whole,
           c->log.window_count - c->windows_whole);
    printf("states checked by step:");
    for (int step = 1; step <= STEPS_KNOWN; step++) {
        printf(" %d:%" PRIu64, step, c->by_step[step]);
    }
    printf("\nviolations:");
    for (int i = 1; i <= FINDING_INVARIANTS; i++) {
        failures += c->check.violations[i];
        if (i != 5 && i < 8) {
            printf(" I%d %" PRIu64, i, c->check.violations[i]);
        }
    }
    printf("\nrecorded cuts: %" PRIu64 " states checked, each with the environment and without; "
           "failures %" PRIu64 "\n",
           c->check.states, failures);
    return failures;
}

// --- the program ---------------------------------------------------------------------------------

static enum err prepare(struct cuts *c, const char *folder, struct error *e)
{
    enum err err = card_load(folder, &c->card, e);
    if (err == OK) {
        err = cut_log_load(folder, &c->card, &c->log, e);
    }
    size_t longest = 1;
    for (size_t i = 0; i < c->log.window_count; i++) {
        size_t len = c->log.windows[i].end - c->log.windows[i].first;
        longest = len > longest ? len : longest;
    }
    c->under = calloc(longest, CARD_BLOCK);
    c->lost = calloc(longest, sizeof *c->lost);
    c->cover = calloc((size_t)(c->card.len / CARD_SECTOR) + 1, sizeof *c->cover);
    if (err == OK && (c->under == NULL || c->lost == NULL || c->cover == NULL)) {
        return fail_memory(e);
    }
    c->check.card = &c->card;
    c->check.verbose = c->wanted != NULL;
    return err == OK ? cut_log_survey(&c->log, &c->check, e) : err;
}

static enum err run(struct cuts *c, const char *folder, uint64_t *ret_failures, struct error *e)
{
    enum err err = prepare(c, folder, e);
    if (err == OK && c->show_steps) {
        show_steps(&c->log);
        return OK;
    }
    if (err == OK) {
        err = cut_all(c, e);
    }
    if (err == OK && c->wanted != NULL && !c->found) {
        return fail(e, ERR_USAGE, 0, "there is no state %s", c->wanted);
    }
    if (err == OK) {
        *ret_failures = show_counts(c);
    }
    return err;
}

static void release_all(struct cuts *c)
{
    free(c->under);
    free(c->lost);
    free(c->cover);
    cut_log_clear(&c->log);
    card_check_end(&c->check);
    card_free(&c->card);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"name", required_argument, NULL, 'm'},
        {"state", required_argument, NULL, 's'},
        {"save", required_argument, NULL, 'o'},
        {"steps", no_argument, NULL, 'l'},
        {0},
    };
    struct cuts c = {.card = {.fd = -1}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'm':
            c.check.name = optarg;
            break;
        case 's':
            c.wanted = optarg;
            break;
        case 'o':
            c.save = optarg;
            break;
        case 'l':
            c.show_steps = true;
            break;
        default:
            return EXIT_FAILED;
        }
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "usage: cuts [--name NAME] [--state NAME [--save FILE]] [--steps] "
                        "RECORDING\n");
        return EXIT_FAILED;
    }
    struct error e = {0};
    uint64_t failures = 0;
    enum err err = run(&c, argv[optind], &failures, &e);
    release_all(&c);
    if (err != OK) {
        fprintf(stderr, "cuts: %s\n", e.msg);
        return EXIT_FAILED;
    }
    return failures != 0 ? EXIT_VIOLATED : EXIT_SUCCESS;
}
