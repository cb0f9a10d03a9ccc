// SPDX-License-Identifier: Apache-2.0
// The loop breaker: an install that is cut off again and again without getting further.
#include "tests/support/bench_content.h"
#include "tests/support/expect.h"

#include <stdlib.h>

struct stage {
    struct bench *bench;
    struct bench_content content;
    unsigned mark; // no later than the call that journals step 3
};

static int make(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->content = bench_content_make(1);
    s->bench = bench_content_serve(&s->content, bench_even_cuts);
    s->mark = 1;
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct stage *s = *state;
    bench_free(s->bench);
    bench_content_free(&s->content);
    free(s);
    return 0;
}

// The power is cut at a call of a seam; what was written is lost or kept.
static void cut_at(struct stage *s, unsigned call, enum blk_mem_fate fate, bool *ret_journalled)
{
    struct error e;
    struct install_report report;
    struct bench *b = s->bench;
    b->seam.tracing = true;
    b->seam.fail_at = call;
    b->seam.power_cut = true;
    assert_int_not_equal(bench_install(b, &report, &e), OK);
    assert_true(b->seam.off);
    *ret_journalled = strstr(b->seam.trace, "journal installing") != NULL;
    bench_power_cut(b, fate, 1);
}

// The first call after step 3 was journalled. Every cut before it counts for nothing.
static unsigned find_step_4(struct stage *s)
{
    unsigned call = s->mark - 1;
    bool journalled = false;
    while (!journalled) {
        cut_at(s, ++call, BLK_MEM_LOSE, &journalled);
    }
    // A first start also marks the slot, which later ones do not.
    s->mark = call > 3 ? call - 3 : 1;
    return call;
}

// So many cuts in step 4: nothing is got done.
static void cut_off(struct stage *s, unsigned times)
{
    while (times-- > 0) {
        (void)find_step_4(s);
    }
}

static void expect_refused(struct stage *s)
{
    struct error e;
    struct install_report report;
    struct bench *b = s->bench;
    bench_restart(b);
    b->seam.tracing = true;
    assert_fails(ERR_NOT_NOW,
                 "slot b: the installation of 2.0 was cut off 20 times in a row without getting "
                 "further: ",
                 bench_install(b, &report, &e));
    assert_contains(e.msg, "install another release or use 'vv-update install --again'");
    assert_string_equal(b->seam.trace, "state try probe\n"
                                       "state try slot-b\n"
                                       "b.rootfs sync\n"
                                       "b.boot sync\n"
                                       "journal installing\n");
    assert_int_equal(b->env.sim.stores, 0);
    assert_int_equal(b->source.read_bytes, b->image.header.payload_offset); // and no chunk
    assert_int_equal(b->device.journal.last.outcome, OUTCOME_FAILED);
    assert_int_equal(b->device.journal.last.slot, SLOT_B);
    assert_string_equal(b->device.journal.last.release.version, "2.0");
    assert_string_equal(b->device.journal.last.reason, e.msg);
    bench_restart(b);
    assert_int_equal(b->device.journal.restarts, RESTARTS_MAX);
    assert_int_equal(b->device.journal.step, STEP_INSTALLING);
}

static void expect_installed(struct stage *s)
{
    struct error e;
    struct install_report report;
    bench_restart(s->bench);
    assert_ok(bench_install(s->bench, &report, &e));
    bench_content_expect_installed(s->bench, &s->content);
    assert_int_equal(s->bench->device.journal.restarts, 0);
}

// Fails after step 3, and tells it.
static void fail_at(struct stage *s, unsigned call, enum err code)
{
    struct error e;
    struct install_report report;
    struct bench *b = s->bench;
    b->seam.fail_at = call;
    b->seam.fail_with = code;
    assert_fails(code, "simulated failure", bench_install(b, &report, &e));
    assert_int_equal(b->device.journal.step, STEP_INSTALLING);
    bench_restart(b);
}

// --- what counts ---

static void twenty_cuts_without_progress_stop_it_and_the_next_start_changes_nothing(void **state)
{
    struct stage *s = *state;
    cut_off(s, RESTARTS_MAX - 1);
    assert_int_equal(s->bench->device.journal.restarts, RESTARTS_MAX - 2);
    cut_off(s, 1); // the twentieth start was still made
    expect_refused(s);
    expect_refused(s);
}

static void nineteen_cuts_do_not_stop_it(void **state)
{
    struct stage *s = *state;
    cut_off(s, RESTARTS_MAX - 1);
    expect_installed(s);
}

static void a_cut_before_step_3_does_not_count(void **state)
{
    struct stage *s = *state;
    bool journalled;
    cut_off(s, 1);
    unsigned step_3 = find_step_4(s) - 1;
    for (unsigned i = 0; i < 3 * RESTARTS_MAX; i++) {
        cut_at(s, 1 + i % (step_3 - 3), BLK_MEM_LOSE, &journalled);
        assert_false(journalled);
    }
    assert_int_equal(s->bench->device.journal.restarts, 1);
    expect_installed(s);
}

static void a_cut_in_the_read_back_counts_because_only_heads_are_left_each_time(void **state)
{
    struct stage *s = *state;
    struct bench *b = s->bench;
    struct error e;
    struct install_report report;
    bench_restart(b);
    assert_ok(bench_install(b, &report, &e));
    // All is there but the heads, as after a cut in step 7.
    memset(b->slots[SLOT_B][0].data, 0, 4096);
    memset(b->slots[SLOT_B][1].data, 0, 4096);
    state_mem_forget(&b->state, "journal");
    state_mem_forget(&b->state, "slot-b");
    env_sim_put(&b->env.sim, "BOOT_ORDER", "A");
    env_sim_put(&b->env.sim, "vv_trial", NULL);
    bench_power_cut(b, BLK_MEM_KEEP, 1);
    cut_off(s, RESTARTS_MAX);
    assert_int_equal(b->device.journal.left_bytes, 0);
    expect_refused(s);
}

// --- progress ---

// A cut further on, where chunks behind the heads were written, to stay.
static void cut_with_progress(struct stage *s)
{
    bool journalled;
    uint64_t left = s->bench->device.journal.left_bytes;
    unsigned call = find_step_4(s);
    cut_at(s, call + 24, BLK_MEM_KEEP, &journalled);
    assert_true(journalled);
    (void)find_step_4(s);
    assert_true(s->bench->device.journal.left_bytes < left);
}

static void with_progress_the_count_begins_anew(void **state)
{
    struct stage *s = *state;
    cut_off(s, RESTARTS_MAX - 3);
    cut_with_progress(s);
    assert_int_equal(s->bench->device.journal.restarts, 0);
    cut_off(s, RESTARTS_MAX - 2);
    assert_int_equal(s->bench->device.journal.restarts, RESTARTS_MAX - 2);
    cut_off(s, 1);
    expect_refused(s);
}

static void progress_that_is_lost_again_counts_once_only(void **state)
{
    struct stage *s = *state;
    struct blk_mem *m = &s->bench->slots[SLOT_B][0];
    cut_off(s, 2);
    cut_with_progress(s);
    uint64_t least = s->bench->device.journal.left_bytes;
    uint8_t *good = malloc(m->size_bytes);
    assert_non_null(good);
    memcpy(good, m->data, m->size_bytes);
    // Better and worse in turn.
    for (unsigned i = 0; i < RESTARTS_MAX - 1; i++) {
        memcpy(m->data, good, m->size_bytes);
        if (i % 2 == 0) {
            memset(m->data, 0xee, m->size_bytes);
        }
        bench_power_cut(s->bench, BLK_MEM_KEEP, 1);
        cut_off(s, 1);
        assert_int_equal(s->bench->device.journal.left_bytes, least);
    }
    free(good);
    expect_refused(s);
}

static void a_slot_that_is_whole_is_finished_whatever_was_counted(void **state)
{
    struct stage *s = *state;
    struct bench *b = s->bench;
    struct error e;
    struct install_report report;
    cut_off(s, RESTARTS_MAX);
    expect_refused(s);
    struct journal counted = b->device.journal;
    counted.left_bytes = 0; // cut off in step 8, the last time after all heads were written
    b->options.again = true;
    expect_installed(s);
    b->options.again = false;
    assert_ok(journal_save(b->device.state, &counted, &e));
    bench_restart(b);
    assert_ok(bench_install(b, &report, &e));
    assert_true(report.nothing_to_do);
    assert_int_equal(b->device.journal.step, STEP_TRIAL);
}

// --- what is no crash ---

static void an_install_that_tells_its_failure_does_not_count(void **state)
{
    struct stage *s = *state;
    cut_off(s, 1);
    unsigned call = find_step_4(s); // the second cut
    for (unsigned i = 0; i < RESTARTS_MAX + 5; i++) {
        fail_at(s, call, ERR_IO);
        assert_int_equal(s->bench->device.journal.restarts, 2);
        assert_int_equal(s->bench->device.journal.last.outcome, OUTCOME_FAILED);
    }
    expect_installed(s);
}

static void a_lock_that_somebody_else_holds_does_not_count(void **state)
{
    struct stage *s = *state;
    cut_off(s, 1);
    unsigned call = find_step_4(s);
    for (unsigned i = 0; i < RESTARTS_MAX + 5; i++) {
        fail_at(s, call, ERR_AGAIN);
        assert_int_equal(s->bench->device.journal.restarts, 2);
        assert_int_equal(s->bench->device.journal.last.outcome, OUTCOME_NONE);
    }
    expect_installed(s);
}

static void a_failure_after_step_3_leaves_the_count_as_it_is(void **state)
{
    struct stage *s = *state;
    cut_off(s, RESTARTS_MAX / 2);
    unsigned call = find_step_4(s);
    fail_at(s, call, ERR_IO);
    assert_int_equal(s->bench->device.journal.restarts, RESTARTS_MAX / 2 + 1);
    cut_off(s, RESTARTS_MAX / 2 - 2);
    assert_int_equal(s->bench->device.journal.restarts, RESTARTS_MAX - 2);
    cut_off(s, 1);
    expect_refused(s);
}

static void a_failure_before_step_3_does_not_hide_the_crash_before_it(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct install_report report;
    for (unsigned i = 0; i < RESTARTS_MAX; i++) {
        cut_off(s, 1);
        s->bench->source.cut_off = 10;
        assert_fails(ERR_NETWORK, "", bench_install(s->bench, &report, &e));
        assert_int_equal(s->bench->device.journal.last.outcome, OUTCOME_FAILED);
        assert_true(s->bench->device.journal.open);
        bench_restart(s->bench);
    }
    expect_refused(s);
}

// --- what begins anew ---

static void again_begins_anew(void **state)
{
    struct stage *s = *state;
    struct bench *b = s->bench;
    cut_off(s, RESTARTS_MAX);
    expect_refused(s);
    b->options.again = true;
    cut_off(s, 1);
    assert_int_equal(b->device.journal.restarts, 0);
    b->options.again = false;
    cut_off(s, RESTARTS_MAX - 1);
    expect_refused(s);
    b->options.again = true;
    expect_installed(s);
}

static void again_skips_no_check(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct install_report report;
    cut_off(s, RESTARTS_MAX);
    s->bench->options.again = true;
    s->bench->source.flip_off = 200; // in the manifest
    assert_fails(ERR_FORMAT, "manifest", bench_install(s->bench, &report, &e));
    bench_restart(s->bench);
    s->bench->source.flip_off = (int64_t)s->bench->image.header.payload_offset + 10;
    assert_fails(ERR_FORMAT, "chunk 0", bench_install(s->bench, &report, &e));
    assert_int_equal(s->bench->slots[SLOT_B][0].writes, 0);
    bench_restart(s->bench);
    s->bench->options.again = false;
    expect_refused(s); // nor was anything begun by these
}

static void another_release_begins_anew(void **state)
{
    struct stage *s = *state;
    struct bench *b = s->bench;
    struct error e;
    struct install_report report;
    struct image_recipe other = bench_content_recipe(&s->content, "2.1", 3, bench_even_cuts);
    struct image_recipe same = bench_content_recipe(&s->content, "2.0", 2, bench_even_cuts);
    cut_off(s, RESTARTS_MAX);
    expect_refused(s);
    // One that is refused itself begins nothing.
    bench_serve(b, &other);
    b->source.flip_off = 200;
    assert_fails(ERR_FORMAT, "manifest", bench_install(b, &report, &e));
    bench_serve(b, &same);
    expect_refused(s);
    bench_serve(b, &other);
    s->mark = 1;
    cut_off(s, 1);
    assert_int_equal(b->device.journal.restarts, 0);
    bench_serve(b, &same);
    expect_installed(s);
}

static void a_journal_that_is_lost_or_damaged_begins_anew(void **state)
{
    struct stage *s = *state;
    cut_off(s, RESTARTS_MAX);
    state_mem_spoil(&s->bench->state, "journal");
    bench_restart(s->bench);
    assert_true(s->bench->device.journal.lost);
    cut_off(s, 1);
    assert_int_equal(s->bench->device.journal.restarts, 0);
    cut_off(s, RESTARTS_MAX - 1);
    expect_refused(s);
    state_mem_forget(&s->bench->state, "journal");
    expect_installed(s);
}

// --- who only looks ---

static void a_dry_run_says_that_it_would_be_refused_and_stores_nothing(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct install_report report;
    cut_off(s, RESTARTS_MAX);
    s->bench->options.dry_run = true;
    assert_fails(ERR_NOT_NOW, "cut off 20 times", bench_install(s->bench, &report, &e));
    s->bench->options.again = true;
    assert_ok(bench_install(s->bench, &report, &e));
    assert_int_equal(s->bench->state.replaced, 0);
}

#define restarts_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        restarts_test(twenty_cuts_without_progress_stop_it_and_the_next_start_changes_nothing),
        restarts_test(nineteen_cuts_do_not_stop_it),
        restarts_test(a_cut_before_step_3_does_not_count),
        restarts_test(a_cut_in_the_read_back_counts_because_only_heads_are_left_each_time),
        restarts_test(with_progress_the_count_begins_anew),
        restarts_test(progress_that_is_lost_again_counts_once_only),
        restarts_test(a_slot_that_is_whole_is_finished_whatever_was_counted),
        restarts_test(an_install_that_tells_its_failure_does_not_count),
        restarts_test(a_lock_that_somebody_else_holds_does_not_count),
        restarts_test(a_failure_after_step_3_leaves_the_count_as_it_is),
        restarts_test(a_failure_before_step_3_does_not_hide_the_crash_before_it),
        restarts_test(again_begins_anew),
        restarts_test(again_skips_no_check),
        restarts_test(another_release_begins_anew),
        restarts_test(a_journal_that_is_lost_or_damaged_begins_anew),
        restarts_test(a_dry_run_says_that_it_would_be_refused_and_stores_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
