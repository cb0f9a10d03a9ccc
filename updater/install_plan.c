// SPDX-License-Identifier: Apache-2.0
// Step 2 of an install: what is to be done, and whether it can be.
#include "updater/install_steps.h"

#include "updater/release.h"

#include <inttypes.h>

static enum err make_buffers(struct install *in, struct error *e)
{
    enum err err = heads_new(in->slot, &in->heads, e);
    if (err == OK) {
        err = writer_new(in->slot, in->heads, &in->writer, e);
    }
    const struct pipeline_options options = {
        .workers = in->device->workers,
        .lanes = in->device->lanes,
        .slot = in->slot,
        .heads = in->heads,
    };
    if (err == OK) {
        err = pipeline_new(in->source, in->image, &options, &in->pipeline, e);
    }
    return err;
}

struct scan install_scan(struct install *in, const char *step, const struct heads *heads)
{
    return (struct scan){
        .slot = in->slot,
        .table = in->image->table,
        .hasher = in->device->hasher,
        .progress = &in->device->progress,
        .step = step,
        .heads = heads,
        .buf = pipeline_scratch(in->pipeline),
        .buf_len = SCAN_BUF_SIZE,
    };
}

struct fill install_fill(struct install *in)
{
    return (struct fill){
        .device = in->device,
        .slot = in->slot,
        .table = in->image->table,
        .pipeline = in->pipeline,
        .writer = in->writer,
        .seeds = in->plan->seeds,
        .deltas = in->plan->deltas,
        .budget = &in->budget,
    };
}

static enum err add_seeds(struct install *in, struct error *e)
{
    struct seeds *seeds = NULL;
    const struct seed_search search = {
        .device = in->device,
        .target = in->slot,
        .image = in->image,
        .differs = in->plan->differs,
        .blind_bytes = SEED_BLIND_BYTES,
    };
    enum err err = seeds_gather(&search, &seeds, e);
    if (err == OK) {
        plan_add_seeds(in->plan, in->image->table, seeds);
    }
    return err;
}

static void add_deltas(struct install *in)
{
    struct plan *p = in->plan;
    // What head and table may cost (deltas.h) is not to be what the image lacks in the end.
    uint64_t room = byte_budget_left(&in->budget);
    if (p->fetch_bytes < in->device->deltas_worth_bytes ||
        room < p->fetch_bytes + p->fetch_bytes / 2 + RELEASE_FIRST_RANGE) {
        return;
    }
    struct deltas *deltas =
        deltas_open(in->device, in->source, in->image, p->seeds, p->fetch_bytes);
    if (deltas != NULL) {
        plan_add_deltas(p, in->image->table, deltas);
    }
}

// An install of this image was begun, or its slot was whole once.
static bool is_known(const struct install *in)
{
    const struct journal *j = &in->device->journal;
    return (j->slot == in->target && install_same_release(&j->release, &in->report.release)) ||
           (j->slots[in->target].content != CONTENT_UNKNOWN &&
            install_same_release(&j->slots[in->target].release, &in->report.release));
}

enum err step_plan(struct install *in, struct error *e)
{
    enum err err = make_buffers(in, e);
    if (err != OK) {
        return err;
    }
    struct scan scan = install_scan(in, "check", NULL);
    err = plan_make(&scan, is_known(in), &in->plan, e);
    if (err != OK) {
        return err;
    }
    if (in->plan->unreadable_bytes > 0) {
        log_warn(in->device->log,
                 "slot %s: %" PRIu64 " bytes cannot be read and will be written anew",
                 in->slot->name, in->plan->unreadable_bytes);
    }
    err = add_seeds(in, e);
    if (err == OK) {
        add_deltas(in);
    }
    return err;
}

enum err step_hold_heads(struct install *in, struct error *e)
{
    struct plan *p = in->plan;
    in->whole = chunk_set_size(p->differs) == 0;
    if (!in->whole) {
        enum err err = heads_take_present(in->heads, in->slot, in->image->table, in->device->hasher,
                                          pipeline_scratch(in->pipeline), p->differs, e);
        if (err != OK) {
            return err;
        }
    }
    in->report.nothing_to_do = in->whole;
    in->report.activated = in->whole && in->boot.trial == in->target && in->boot.next == in->target;
    in->report.planned_bytes = p->fetch_bytes;
    in->report.planned_copy_bytes = p->copy_bytes;
    in->report.planned_zero_bytes = p->zero_bytes;
    in->report.planned_write_bytes = p->write_bytes;
    in->report.reused_bytes = p->reused_bytes;
    return OK;
}

// What step 6 has to write, be it fetched, copied or zeros. Chunks with a part in a head are left
// out: from step 5 on they differ whatever was written, and would hide what was got done.
static uint64_t bytes_left(const struct install *in)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < chunk_table_count(in->image->table); i++) {
        uint64_t off;
        struct chunk c = chunk_table_get(in->image->table, i, &off);
        sum += off >= HEAD_SIZE && chunk_set_has(in->plan->differs, i) ? c.raw_len : 0;
    }
    return sum;
}

// Before anything is changed: a slot that cannot be filled keeps what it has.
enum err step_check_budget(struct install *in, struct error *e)
{
    bool network = in->source->requests > 0;
    return in->whole || !network ? OK : byte_budget_check(&in->budget, in->plan->fetch_bytes, e);
}

enum err step_check_restarts(struct install *in, struct error *e)
{
    struct device *d = in->device;
    if (in->whole) {
        return OK;
    }
    in->next = d->journal;
    journal_begin(&in->next, in->target, &in->report.release, bytes_left(in), in->options.again);
    if (in->next.restarts < RESTARTS_MAX) {
        return OK;
    }
    // The last cut is counted now, and by no later start.
    d->journal.restarts = in->next.restarts;
    d->journal.open = false;
    return fail(e, ERR_NOT_NOW, 0,
                "slot %s: the installation of %s was cut off %" PRIu32
                " times in a row without getting further: find out why (power supply, memory, worn "
                "medium), then install another release or use 'vv-update install --again'",
                in->slot->name, in->report.release.version, in->next.restarts);
}

enum err step_try_first_chunk(struct install *in, struct error *e)
{
    if (in->whole) {
        return OK;
    }
    struct fill fill = install_fill(in);
    return fill_try_first(&fill, in->plan->differs, e);
}
