// SPDX-License-Identifier: Apache-2.0
#include "tests/support/trial_bench.h"

#include "bootloader/boot_model.h"
#include "tests/support/checks.h"
#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

static void use_bootcount(struct bench *b)
{
    b->config.boot.contract = CONTRACT_BOOTCOUNT;
    b->config.boot.slot_var = "rpipart";
    env_sim_put(&b->env.sim, "BOOT_ORDER", NULL);
    env_sim_put(&b->env.sim, "BOOT_A_LEFT", NULL);
    env_sim_put(&b->env.sim, "BOOT_B_LEFT", NULL);
    env_sim_put(&b->env.sim, "rpipart", "2");
}

static void install(struct trial_bench *t, const char *version, uint64_t index)
{
    struct error e;
    struct install_report report;
    struct image_recipe r = bench_recipe(version, index);
    r.manifest.min_release_index = TRIAL_FLOOR;
    r.manifest.created = TRIAL_CREATED_S;
    fill_text(t->content, sizeof t->content, index);
    image_recipe_add(&r, "rootfs", t->content, sizeof t->content);
    bench_serve(t->bench, &r);
    assert_ok(bench_install(t->bench, &report, &e));
    assert_true(report.activated);
    trial_restart(t);
}

struct trial_bench *trial_bench_new(enum contract contract)
{
    struct trial_bench *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->bench = bench_new(TRIAL_CONTENT_SIZE + 4096, 0);
    t->device = &t->bench->device;
    t->clock = fast_clock_make();
    t->device->clock = &t->clock.base;
    t->bench->config.confirm_deadline_ms = 20000;
    if (contract == CONTRACT_BOOTCOUNT) {
        use_bootcount(t->bench);
    }
    install(t, "2.0", 2);
    return t;
}

void trial_bench_free(struct trial_bench *t)
{
    bench_free(t->bench);
    free(t);
}

void trial_check(struct trial_bench *t, const char *command)
{
    t->check = check_exec("api", command);
    t->bench->config.checks = &t->check;
    t->bench->config.check_count = 1;
}

void trial_restart(struct trial_bench *t)
{
    bench_restart(t->bench);
    t->bench->env.sim.calls = t->bench->env.sim.fail_at = 0;
    t->bench->reboots = 0;
}

int trial_boot(struct trial_bench *t)
{
    struct error e;
    struct boot_outcome outcome;
    t->bench->env.sim.fail_at = 0;
    assert_ok(
        boot_model_run(&t->bench->config.boot, &t->bench->env.sim.base, NULL, NULL, &outcome, &e));
    t->device->running = outcome.slot;
    trial_restart(t);
    return outcome.slot;
}

void trial_confirmed(struct trial_bench *t)
{
    struct error e;
    bool stored;
    assert_int_equal(trial_boot(t), SLOT_B);
    assert_ok(boot_decide(&t->bench->config.boot, &t->bench->env.sim.base, DECIDE_CONFIRM, SLOT_B,
                          TRIAL_FLOOR, &stored, &e));
    struct journal j = t->device->journal;
    j.step = STEP_IDLE;
    j.slot = SLOT_NONE;
    j.slots[SLOT_B].content = CONTENT_CONFIRMED;
    j.confirmed_max = j.slots[SLOT_B].release.release_index;
    j.floor = TRIAL_FLOOR;
    j.last.outcome = OUTCOME_CONFIRMED;
    trial_put_journal(t, &j);
    trial_restart(t);
}

void trial_install_next(struct trial_bench *t)
{
    install(t, "3.0", 3);
}

struct boot_state trial_boot_state(struct trial_bench *t)
{
    struct error e;
    struct boot_state state;
    unsigned fail_at = t->bench->env.sim.fail_at;
    t->bench->env.sim.fail_at = 0;
    assert_ok(boot_state_read(&t->bench->config.boot, &t->bench->env.sim.base, &state, &e));
    t->bench->env.sim.fail_at = fail_at;
    return state;
}

unsigned trial_stores(const struct trial_bench *t)
{
    return t->bench->env.sim.stores;
}

void trial_expect_order(const struct trial_bench *t, const char *first, const char *second)
{
    const char *trace = t->bench->seam.trace;
    assert_contains(trace, first);
    assert_contains(strstr(trace, first), second);
}

const char *trial_talk(struct trial_bench *t)
{
    fflush(t->bench->log.stream);
    return t->bench->talk == NULL ? "" : t->bench->talk;
}

void trial_put_journal(struct trial_bench *t, const struct journal *j)
{
    struct error e;
    t->device->journal = *j;
    assert_ok(journal_save(t->device->state, j, &e));
}
