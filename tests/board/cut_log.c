// SPDX-License-Identifier: Apache-2.0
#include "tests/board/cut_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

void cut_log_clear(struct cut_log *log)
{
    free(log->writes);
    free(log->windows);
    *log = (struct cut_log){0};
}

// --- cutting up ----------------------------------------------------------------------------------

static enum err add_write(struct cut_log *log, struct cut_write w, struct error *e)
{
    if (log->count == log->room) {
        size_t room = log->room != 0 ? 2 * log->room : 1024;
        struct cut_write *grown = reallocarray(log->writes, room, sizeof *grown);
        if (grown == NULL) {
            return fail_memory(e);
        }
        log->writes = grown;
        log->room = room;
    }
    log->writes[log->count++] = w;
    return OK;
}

static enum err cut_entry(struct cut_log *log, const struct card *card, uint32_t number,
                          const struct log_entry *entry, struct error *e)
{
    enum err err = OK;
    for (uint64_t at = 0; err == OK && at < entry->len_bytes;) {
        int slot;
        uint64_t off = entry->off_bytes + at;
        enum card_area area = card_area(card, off, &slot);
        uint64_t size = area == AREA_BODY || area == AREA_OTHER ? CARD_BLOCK : CARD_SECTOR;
        uint64_t len = size - off % size;
        len = len < entry->len_bytes - at ? len : entry->len_bytes - at;
        err = add_write(
            log,
            (struct cut_write){
                .off = off, .data = entry->data + at, .len = (uint32_t)len, .entry = number},
            e);
        at += len;
    }
    return err;
}

enum err cut_log_load(const char *folder, const struct card *card, struct cut_log *ret,
                      struct error *e)
{
    char path[1024];
    uint8_t *bytes;
    uint64_t len;
    CLEANUP(write_log_clear) struct write_log log = {0};
    CLEANUP(cut_log_clear) struct cut_log cut = {0};
    snprintf(path, sizeof path, "%s/log.img", folder);
    enum err err = map_file(path, PROT_READ, &bytes, &len, e);
    if (err == OK) {
        err = write_log_parse(bytes, (size_t)len, card->len, &log, e);
    }
    if (err != OK) {
        return err;
    }
    cut.windows = calloc(log.count + 1, sizeof *cut.windows);
    if (cut.windows == NULL) {
        return fail_memory(e);
    }
    size_t first = 0;
    for (size_t i = 0; err == OK && i <= log.count; i++) {
        bool ends = i == log.count || log.entries[i].flush;
        if (!ends) {
            err = cut_entry(&cut, card, (uint32_t)i, &log.entries[i], e);
        } else if (cut.count > first) {
            cut.windows[cut.window_count++] = (struct cut_window){.first = first, .end = cut.count};
            first = cut.count;
        }
        cut.flushes += i < log.count && log.entries[i].flush;
    }
    cut.entries = log.count;
    if (err == OK) {
        *ret = cut;
        cut = (struct cut_log){0};
    }
    return err;
}

// --- the steps -----------------------------------------------------------------------------------

struct survey {
    int step;
    enum card_area copy; // of the environment that was written last
    int stores;          // since step 3
};

static int at_least(int step, int other)
{
    return step > other ? step : other;
}

// The journal names steps 3, 9 and 10. The environment is stored for "invalidate", for "activate",
// by the boot script and for "confirm", each time into the copy that is not in force.
static void take_step(struct survey *s, enum card_area area, const struct journal *j)
{
    static const int of_store[] = {0, 4, 10, 11, 12};
    static const int of_journal[] = {[STEP_INSTALLING] = 3,
                                     [STEP_INSTALLED] = 9,
                                     [STEP_ACTIVATING] = 10,
                                     [STEP_TRIAL] = 10,
                                     [STEP_IDLE] = 0};
    if (area == AREA_DATA) {
        s->step = at_least(s->step, of_journal[j->step]);
    } else if (area == AREA_ENV_0 || area == AREA_ENV_1) {
        s->stores += s->step >= 3 && area != s->copy && s->stores < 4;
        s->copy = area;
        s->step = at_least(s->step, of_store[s->stores]);
    } else if (area == AREA_HEAD) {
        s->step = at_least(s->step, s->step < 6 ? 5 : 8);
    } else if (area == AREA_BODY) {
        s->step = at_least(s->step, 6);
    }
}

static bool is_env(enum card_area area)
{
    return area == AREA_ENV_0 || area == AREA_ENV_1;
}

// Step 7 writes nothing: it is between the last write behind the heads, and the heads.
static void name_steps(struct cut_log *log, size_t last_body)
{
    for (size_t i = last_body; i < log->count && log->writes[i].step == 6; i++) {
        log->writes[i].step = 7;
    }
    for (size_t i = 0; i < log->window_count; i++) {
        log->windows[i].step = log->writes[log->windows[i].end - 1].step;
    }
}

// The first window that begins when `count` writes and the flush behind them are done.
static size_t window_behind(const struct cut_log *log, size_t count)
{
    size_t window = 0;
    while (window < log->window_count && log->windows[window].first < count) {
        window++;
    }
    return window;
}

enum err cut_log_survey(struct cut_log *log, struct card_check *check, struct error *e)
{
    struct survey s = {.step = 1, .copy = AREA_OTHER};
    size_t last_body = log->count;
    bool there = false; // the journal
    size_t writes_without = 0;
    enum card_area before = AREA_OTHER;
    enum err err = card_check_begin(check, e);
    for (size_t i = 0; err == OK && i < log->count; i++) {
        struct cut_write *w = &log->writes[i];
        int slot;
        enum card_area area = card_area(check->card, w->off, &slot);
        if (is_env(before) && area != before) {
            err = card_check_known(check, e);
        }
        before = area;
        card_write(check->card, w->off, w->data, w->len);
        if (err == OK) {
            err = card_check_look(check, e);
        }
        snprintf(check->state, sizeof check->state, "p%zu", i + 1);
        // In the step before it: the step of a write to a slot is found by the write itself.
        check->step = s.step;
        card_check_write(check, w->off, w->len);
        take_step(&s, area, &check->journal);
        w->step = s.step;
        last_body = area == AREA_BODY ? i : last_body;
        there = there || check->journal_there;
        writes_without += !there;
    }
    log->journal_from = window_behind(log, writes_without + 1);
    if (err == OK) {
        err = card_check_known(check, e);
    }
    name_steps(log, last_body);
    return err == OK ? card_rewind(check->card, e) : err;
}
