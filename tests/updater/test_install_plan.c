// SPDX-License-Identifier: Apache-2.0
// updater/install_plan.c: step 2 of an install.
#include "updater/install_steps.h"

#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/test_data.h"

#include <stdlib.h>
#include <string.h>

// As many chunks as it takes not to be looked at as a whole.
enum { KIB = 1024, CHUNK = 4 * KIB, CHUNKS = 400, LEN = CHUNKS * CHUNK };

struct stage {
    struct bench *bench;
    uint8_t *content;
};

static void serve(struct stage *s, const char *version, uint64_t index)
{
    static const uint32_t cuts[] = {CHUNK, 0};
    struct image_recipe r = bench_recipe(version, index);
    r.cuts = cuts;
    image_recipe_add(&r, "rootfs", s->content, LEN);
    bench_serve(s->bench, &r);
}

static int make(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->content = malloc(LEN);
    assert_non_null(s->content);
    fill_random(s->content, LEN, 1);
    s->bench = bench_new(LEN, 0);
    serve(s, "2.0", 2);
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct stage *s = *state;
    bench_free(s->bench);
    free(s->content);
    free(s);
    return 0;
}

static struct install_report installs(struct stage *s)
{
    struct install_report report;
    struct error e;
    assert_ok(bench_install(s->bench, &report, &e));
    return report;
}

static void a_slot_with_bytes_that_cannot_be_read_is_mended(void **state)
{
    struct stage *s = *state;
    s->bench->slots[SLOT_B][0].unreadable_off = CHUNK + 1; // the first sample
    (void)installs(s);
    fflush(s->bench->log.stream);
    assert_contains(s->bench->talk, "bytes cannot be read and will be written anew");
    bench_expect_content(s->bench, 0, s->content, LEN);
}

static void a_dry_run_asks_for_no_room_and_changes_nothing(void **state)
{
    struct stage *s = *state;
    s->bench->state.read_only = true;
    s->bench->options.dry_run = true;
    struct install_report report = installs(s);
    assert_true(report.planned_bytes > 0);
    assert_int_equal(report.planned_write_bytes, LEN);
    assert_int_equal(s->bench->slots[SLOT_B][0].writes, 0);
    assert_int_equal(s->bench->env.sim.stores, 0);
}

// Two chunks are less than what samples find for certain: it is the journal that knows.
static void an_install_that_was_cut_off_early_keeps_what_it_got_done(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct journal *j = &s->bench->device.journal;
    serve(s, "2.0", 2);
    memcpy(s->bench->slots[SLOT_B][0].data + 2 * CHUNK, s->content + 2 * CHUNK, CHUNK);
    assert_int_equal(installs(s).reused_bytes, 0); // no sample is there
    j->slots[SLOT_B].content = CONTENT_PARTIAL;
    memset(s->bench->slots[SLOT_B][0].data, 0xee, LEN);
    memcpy(s->bench->slots[SLOT_B][0].data + 2 * CHUNK, s->content + 2 * CHUNK, CHUNK);
    env_sim_put(&s->bench->env.sim, "vv_trial", NULL);
    env_sim_put(&s->bench->env.sim, "BOOT_ORDER", "A B");
    j->step = STEP_INSTALLING;
    j->slot = SLOT_B;
    assert_ok(journal_save(s->bench->device.state, j, &e));
    bench_restart(s->bench);
    assert_int_equal(installs(s).reused_bytes, CHUNK);
    bench_expect_content(s->bench, 0, s->content, LEN);
}

#define plan_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        plan_test(a_slot_with_bytes_that_cannot_be_read_is_mended),
        plan_test(a_dry_run_asks_for_no_room_and_changes_nothing),
        plan_test(an_install_that_was_cut_off_early_keeps_what_it_got_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
