// SPDX-License-Identifier: Apache-2.0
// The steps of an install, one function each; install.c puts them in order. Those of step 2 are in
// install_plan.c. The numbers are those
// of docs/crash-safety.md, "Order of operations".
//
// Invariants
// 1. A step either does all of its work or returns an error; every step may be run again.
// 2. Until step_take_baseline() nothing outside this struct is changed.
#ifndef UPDATER_INSTALL_STEPS_H
#define UPDATER_INSTALL_STEPS_H

#include "format/image.h"
#include "updater/byte_budget.h"
#include "updater/device.h"
#include "updater/fill.h"
#include "updater/install.h"
#include "updater/plan.h"

struct install {
    struct device *device;
    struct source *source;
    struct install_options options;
    int target;
    struct boot_state boot; // as it was at the start
    struct image *image;    // NULL until step_verify_head()
    struct slot *slot;
    struct plan *plan;
    struct heads *heads;
    struct writer *writer;
    struct pipeline *pipeline;
    struct byte_budget budget; // of the release, once step_verify_head() knows which it is
    struct journal next;       // as step 3 writes it
    bool recordable;           // the state directory can be written
    bool begun;                // step 3 was done
    bool finished;             // there is nothing left to be done
    bool whole;                // no chunk of the target differs: steps 3 to 8 have no work
    struct install_report report;
};

void install_clear(struct install *in);

// What several steps work with. `heads` may be NULL.
struct scan install_scan(struct install *in, const char *step, const struct heads *heads);
struct fill install_fill(struct install *in);
bool install_same_release(const struct release_id *a, const struct release_id *b);

MUST_CHECK enum err step_check_state(struct install *in, struct error *e);        // 1
MUST_CHECK enum err step_check_running(struct install *in, struct error *e);      // 1
MUST_CHECK enum err step_verify_head(struct install *in, struct error *e);        // 1
MUST_CHECK enum err step_apply_policy(struct install *in, struct error *e);       // 1
MUST_CHECK enum err step_open_target(struct install *in, struct error *e);        // 1
MUST_CHECK enum err step_verify_table(struct install *in, struct error *e);       // 1
MUST_CHECK enum err step_check_room(struct install *in, struct error *e);         // 1
MUST_CHECK enum err step_plan(struct install *in, struct error *e);               // 2
MUST_CHECK enum err step_hold_heads(struct install *in, struct error *e);         // 2
MUST_CHECK enum err step_check_budget(struct install *in, struct error *e);       // 2
MUST_CHECK enum err step_check_restarts(struct install *in, struct error *e);     // 2
MUST_CHECK enum err step_try_first_chunk(struct install *in, struct error *e);    // 2
MUST_CHECK enum err step_take_baseline(struct install *in, struct error *e);      // 3
MUST_CHECK enum err step_journal_installing(struct install *in, struct error *e); // 3
MUST_CHECK enum err step_invalidate_target(struct install *in, struct error *e);  // 4
MUST_CHECK enum err step_zero_heads(struct install *in, struct error *e);         // 5
MUST_CHECK enum err step_fill(struct install *in, struct error *e);               // 6
MUST_CHECK enum err step_read_back(struct install *in, struct error *e);          // 7
MUST_CHECK enum err step_write_heads(struct install *in, struct error *e);        // 8
MUST_CHECK enum err step_keep_record(struct install *in, struct error *e);        // 9
MUST_CHECK enum err step_activate(struct install *in, struct error *e);           // 10

#endif
