// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_fs_file.h"

#include "tests/sim/sim.h"

#include <string.h>

// In the order of the fates; a file that was never cut off has no SHORTENED.
enum outcome { AS_SYNCED, SHORTENED, FIRST_HALF, LENGTH_ONLY, SECOND_HALF, ALL, GARBAGE, OUTCOMES };

void sim_fs_file_init(struct sim_fs_file *f, unsigned mode)
{
    f->mode = mode;
    f->dirty = f->stale = false;
    f->medium_len = f->view_len = f->from = f->to = f->kept_len = 0;
}

static bool has_view(const struct sim_fs_file *f)
{
    return f->dirty || f->stale;
}

void sim_fs_file_copy(struct sim_fs_file *to, const struct sim_fs_file *from)
{
    memcpy(to, from, offsetof(struct sim_fs_file, medium));
    memcpy(to->medium, from->medium, from->medium_len);
    if (has_view(from)) {
        memcpy(to->view, from->view, from->view_len);
    }
}

const uint8_t *sim_fs_file_data(const struct sim_fs_file *f)
{
    return has_view(f) ? f->view : f->medium;
}

size_t sim_fs_file_len(const struct sim_fs_file *f)
{
    return has_view(f) ? f->view_len : f->medium_len;
}

static void begin_change(struct sim_fs_file *f)
{
    if (f->dirty) {
        return;
    }
    if (!f->stale) {
        memcpy(f->view, f->medium, f->medium_len);
        f->view_len = f->medium_len;
    }
    f->from = f->to = 0;
    f->kept_len = f->view_len < f->medium_len ? f->view_len : f->medium_len;
    f->dirty = true;
}

void sim_fs_file_write(struct sim_fs_file *f, const void *data, size_t len, size_t off)
{
    if (len == 0) {
        return;
    }
    begin_change(f);
    if (off > f->view_len) {
        memset(f->view + f->view_len, 0, off - f->view_len);
    }
    memcpy(f->view + off, data, len);
    bool first = f->from == f->to;
    f->from = first || off < f->from ? off : f->from;
    f->to = first || off + len > f->to ? off + len : f->to;
    f->view_len = f->to > f->view_len ? f->to : f->view_len;
}

void sim_fs_file_empty(struct sim_fs_file *f)
{
    begin_change(f);
    f->view_len = f->kept_len = f->from = f->to = 0;
}

// --- what becomes of it --------------------------------------------------------------------------

static void set_medium_len(struct sim_fs_file *f, size_t len)
{
    if (len > f->medium_len) {
        memset(f->medium + f->medium_len, 0, len - f->medium_len);
    }
    f->medium_len = len;
}

static void reach_medium(struct sim_fs_file *f, enum outcome outcome, uint64_t seed)
{
    size_t middle = f->from + (f->to - f->from) / 2;
    size_t from = outcome == SECOND_HALF ? middle : f->from;
    size_t to = outcome == FIRST_HALF ? middle : f->to;
    if (outcome == AS_SYNCED) {
        return;
    }
    set_medium_len(f, f->kept_len);
    if (outcome == SHORTENED) {
        return;
    }
    if (outcome != FIRST_HALF) {
        set_medium_len(f, f->view_len);
    } else if (to > f->medium_len) {
        set_medium_len(f, to);
    }
    if (outcome == GARBAGE) {
        sim_garbage(f->medium + from, to - from, seed);
    } else if (outcome != LENGTH_ONLY) {
        memcpy(f->medium + from, f->view + from, to - from);
    }
}

void sim_fs_file_sync(struct sim_fs_file *f)
{
    if (f->dirty) {
        reach_medium(f, ALL, 0);
        f->dirty = false;
    }
}

void sim_fs_file_fail_sync(struct sim_fs_file *f, uint64_t seed)
{
    if (f->dirty) {
        reach_medium(f, (enum outcome)(next_random(&seed) % GARBAGE), 0);
        f->dirty = false;
        f->stale = true;
    }
}

static bool was_shortened(const struct sim_fs_file *f)
{
    return f->kept_len < f->medium_len;
}

uint8_t sim_fs_file_fates(const struct sim_fs_file *f)
{
    if (!f->dirty) {
        return 0;
    }
    return (uint8_t)(was_shortened(f) ? OUTCOMES : OUTCOMES - 1);
}

void sim_fs_file_cut(struct sim_fs_file *f, uint8_t fate, uint64_t seed)
{
    bool skips = fate >= SHORTENED && !was_shortened(f);
    reach_medium(f, (enum outcome)(skips ? fate + 1 : fate), seed);
}

void sim_fs_file_start_anew(struct sim_fs_file *f)
{
    f->dirty = f->stale = false;
}
