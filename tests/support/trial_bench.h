// SPDX-License-Identifier: Apache-2.0
// An install_bench for what comes after an installation: release 2.0 is in slot b and on trial,
// slot a still runs, in either contract. The boot loader is the model of its script.
//
//     struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
//     trial_check(t, "true");
//     assert_int_equal(trial_boot(t), SLOT_B);
//     ... confirm_run(&t->bench->device, ...) ...
//     trial_bench_free(t);
#ifndef TESTS_SUPPORT_TRIAL_BENCH_H
#define TESTS_SUPPORT_TRIAL_BENCH_H

#include "tests/support/fast_clock.h"
#include "tests/support/install_bench.h"

enum { TRIAL_CREATED_S = 1700000000, TRIAL_FLOOR = 2, TRIAL_CONTENT_SIZE = 32 * 1024 };

struct trial_bench {
    struct bench *bench;
    struct device *device;
    struct fast_clock clock;
    struct config_check check;
    uint8_t content[TRIAL_CONTENT_SIZE];
};

struct trial_bench *trial_bench_new(enum contract contract);
void trial_bench_free(struct trial_bench *t);

// One required check, exec; it decides at its first answer.
void trial_check(struct trial_bench *t, const char *command);

// One power-on: the slot that the boot loader starts, which runs from now on. Counters begin anew.
int trial_boot(struct trial_bench *t);
// The same process again: nothing but the medium is remembered.
void trial_restart(struct trial_bench *t);
// As if slot b had been started and confirmed; it runs.
void trial_confirmed(struct trial_bench *t);
// Builds 3.0 (release index 3) and installs it into the slot that does not run.
void trial_install_next(struct trial_bench *t);

struct boot_state trial_boot_state(struct trial_bench *t);
unsigned trial_stores(const struct trial_bench *t);
// Fails the test unless the trace (tracing is on) has a line that begins with `first`, and a later
// one that begins with `second`.
void trial_expect_order(const struct trial_bench *t, const char *first, const char *second);
// What was logged so far; "" when nothing was.
const char *trial_talk(struct trial_bench *t);
// Replaces the journal in memory and in the store.
void trial_put_journal(struct trial_bench *t, const struct journal *j);

#endif
