// SPDX-License-Identifier: Apache-2.0
#include "updater/install.h"

#include "updater/install_steps.h"

#include <string.h>

typedef enum err (*step_fn)(struct install *in, struct error *e);

// Nothing is changed here.
static const step_fn prepare[] = {
    step_check_state,     // 1  the state directory can be written
    step_check_running,   // 1  refuse while the running slot is an unconfirmed trial
    step_verify_head,     // 1  fetch, signature, parse; the release that was asked for
    step_apply_policy,    // 1  for this device, and not older than allowed
    step_open_target,     // 1  the slot is free and large enough
    step_verify_table,    // 1  fetch, hash, check
    step_check_room,      // 1  the state directory can take the slot's record
    step_plan,            // 2  which chunks differ: by their hashes
    step_hold_heads,      // 2  the first 4 KiB of each partition, where they are right already
    step_check_budget,    // 2  refuse what costs more bytes than the release may
    step_check_restarts,  // 2  refuse what was cut off again and again
    step_try_first_chunk, // 2  fetch, stored hash, decode, raw hash
    NULL,
};

// Only when a chunk differs.
static const step_fn change[] = {
    step_take_baseline,      // 3  which health checks fail already
    step_journal_installing, // 3
    step_invalidate_target,  // 4  one store: the target cannot be booted
    step_zero_heads,         // 5  nor by its own content
    step_fill,               // 6  zero, copy or fetch; hash; write; sync every 8 MiB
    step_read_back,          // 7  hash everything; bad chunks again
    step_write_heads,        // 8  the slot is whole
    NULL,
};

static const step_fn finish[] = {
    step_keep_record, // 9  journal: installed; signed head and table for later checks
    step_activate,    // 10 the commit point
    NULL,
};

static enum err run_steps(struct install *in, const step_fn *steps, struct error *e)
{
    enum err err = OK;
    for (; err == OK && !in->finished && *steps != NULL; steps++) {
        err = (*steps)(in, e);
    }
    return err;
}

static enum err run_in_order(struct install *in, struct error *e)
{
    enum err err = run_steps(in, prepare, e);
    if (in->options.dry_run) {
        return err;
    }
    if (err == OK && !in->whole) {
        err = run_steps(in, change, e);
    }
    if (err == OK) {
        err = run_steps(in, finish, e);
    }
    return err;
}

// A copy that is not at its end yet has all of its size, perhaps, and not all of its bytes.
static void blame_change(const struct install *in, struct error *e)
{
    if (e->code == ERR_FORMAT && source_changed(in->source)) {
        (void)source_fail_changed(e);
        (void)error_context(e, "%s", in->source->name);
    }
}

// Which image was refused: the sources name themselves, what was read from them does not.
static void name_image(const struct install *in, struct error *e)
{
    bool about_image = e->code == ERR_FORMAT || e->code == ERR_TRUST || e->code == ERR_TOO_LARGE;
    if (about_image && strstr(e->msg, in->source->name) == NULL) {
        (void)error_context(e, "%s", in->source->name);
    }
}

// For people and the fleet, and so that it is not taken for a cut. An install that failed before
// its own step 3 says nothing of the one in the journal. The first error is the one that is told,
// whatever happens here.
static void record_failure(struct install *in, const struct error *first)
{
    struct error e;
    struct device *d = in->device;
    enum err err = OK;
    if (in->begun) {
        d->journal.open = false;
    }
    if (in->slot != NULL) { // the release is one for this device
        journal_set_fetched(&d->journal, &in->report.release, byte_budget_used(&in->budget));
    }
    if (in->recordable && first->code != ERR_AGAIN && first->code != ERR_USAGE) {
        err = device_record_result(d, OUTCOME_FAILED, in->target, &in->report.release, first->msg,
                                   &e);
    } else if (in->begun) {
        err = journal_save(d->state, &d->journal, &e);
    }
    if (err != OK) {
        log_warn(d->log, "the failure could not be recorded: %s", e.msg);
    }
}

static uint64_t fetched_bytes(const struct install *in)
{
    uint64_t sum = in->source->fetched_bytes + in->source->others_fetched_bytes;
    bool pack = in->plan != NULL && in->plan->deltas != NULL;
    return sum + (pack ? in->plan->deltas->source->fetched_bytes : 0);
}

enum err install_run(struct device *d, struct source *source, const struct install_options *options,
                     struct install_report *ret, struct error *e)
{
    CLEANUP(install_clear)
    struct install in = {
        .device = d,
        .source = source,
        .options = *options,
        .target = other_slot(d->running),
    };
    in.report.slot = in.target;
    // cppcheck-suppress autoVariables ; install_clear() takes it back
    source->budget = &in.budget;
    enum err err = run_in_order(&in, e);
    if (err != OK) {
        blame_change(&in, e);
        name_image(&in, e);
        record_failure(&in, e);
        return e->code;
    }
    in.report.fetched_bytes = fetched_bytes(&in);
    *ret = in.report;
    return OK;
}
