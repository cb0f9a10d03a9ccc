// SPDX-License-Identifier: Apache-2.0
// An install that is cut off, or meets a failure, at every single call of a seam: of block devices,
// boot environment, state directory and source.
#include "tests/support/bench_content.h"
#include "tests/support/bench_snapshot.h"
#include "tests/support/expect.h"

#include <stdlib.h>

struct sweep {
    const uint32_t *cuts;
    bool update; // slot b holds an earlier release of ours, not factory content
    bool power_cut;
    bool state_cut_after;
    enum blk_mem_fate fate;
    // Filled by begin().
    struct bench *bench;
    struct bench_content content;
    struct bench_snapshot before;
};

static void begin(struct sweep *s)
{
    struct error e;
    struct install_report report;
    s->content = bench_content_make(1);
    s->bench = bench_new(BENCH_ROOTFS_SIZE, BENCH_BOOT_SIZE);
    if (s->update) {
        struct bench_content old = bench_content_make(1);
        old.rootfs[85 * 1024] ^= 1;
        old.rootfs[149 * 1024] ^= 1;
        struct image_recipe r = bench_content_recipe(&old, "1.9", 1, s->cuts);
        bench_serve(s->bench, &r);
        assert_ok(bench_install(s->bench, &report, &e));
        bench_content_free(&old);
    }
    struct image_recipe r = bench_content_recipe(&s->content, "2.0", 2, s->cuts);
    bench_serve(s->bench, &r);
    bench_snapshot_take(s->bench, &s->before);
}

static void end(struct sweep *s)
{
    bench_snapshot_free(&s->before);
    bench_content_free(&s->content);
    bench_free(s->bench);
}

static bool is_equal(const struct blk_mem *m, const uint8_t *bytes, size_t len)
{
    return memcmp(m->data, bytes, len) == 0;
}

// Whatever the environment says: a partition that begins like a release is that release. And a slot
// the environment would boot is one as a whole.
static void expect_nothing_half_written_can_boot(const struct sweep *s, unsigned call)
{
    const uint8_t *contents[] = {s->content.rootfs, s->content.boot};
    const size_t lengths[] = {s->content.rootfs_len, s->content.boot_len};
    bool is_old = true;
    bool is_new = true;
    for (size_t p = 0; p < BENCH_PARTITIONS; p++) {
        const struct blk_mem *m = &s->bench->slots[SLOT_B][p];
        const uint8_t *before = s->before.data[SLOT_B][p];
        size_t head = lengths[p] < HEAD_SIZE ? lengths[p] : HEAD_SIZE;
        bool part_is_old = is_equal(m, before, lengths[p]);
        bool part_is_new = is_equal(m, contents[p], lengths[p]);
        bool begins = is_equal(m, before, head) || is_equal(m, contents[p], head);
        if (begins && !part_is_old && !part_is_new) {
            fail_msg("call %u: %s is half-written and could boot", call, m->path);
        }
        is_old = is_old && part_is_old;
        is_new = is_new && part_is_new;
    }
    if (bench_bootable(s->bench, SLOT_B) && !is_old && !is_new) {
        fail_msg("call %u: the environment would boot a half-written slot", call);
    }
    assert_true(bench_bootable(s->bench, SLOT_A));
    bench_expect_running_untouched(s->bench);
}

// Returns false when the call did not happen any more.
static bool break_at(struct sweep *s, unsigned call)
{
    struct error e;
    struct install_report report;
    struct bench *b = s->bench;
    b->seam.fail_at = call;
    b->seam.power_cut = s->power_cut;
    b->state.cut_after = s->state_cut_after;
    enum err err = bench_install(b, &report, &e);
    bool happened = b->seam.calls >= call;
    if (happened && s->power_cut && err == OK) {
        fail_msg("call %u: success was reported after a power cut", call);
    }
    if (s->power_cut) {
        bench_power_cut(b, s->fate, call);
    } else {
        bench_restart(b);
    }
    expect_nothing_half_written_can_boot(s, call);
    return happened;
}

static void expect_the_next_run_to_mend_it(struct sweep *s)
{
    struct error e;
    struct install_report report;
    struct bench *b = s->bench;
    assert_ok(bench_install(b, &report, &e));
    bench_content_expect_installed(b, &s->content);
    assert_true(b->env.sim.stores <= 2); // one a decision
}

static void expect_another_run_to_do_nothing(struct sweep *s)
{
    struct error e;
    struct install_report report;
    struct bench *b = s->bench;
    bench_restart(b);
    assert_ok(bench_install(b, &report, &e));
    assert_true(report.nothing_to_do);
    assert_int_equal(b->env.sim.stores, 0);
    for (size_t p = 0; p < BENCH_PARTITIONS; p++) {
        assert_int_equal(b->slots[SLOT_B][p].writes + b->slots[SLOT_B][p].zeroings, 0);
    }
}

static void sweep_all(struct sweep s)
{
    begin(&s);
    unsigned call = 1;
    for (bool happened = true; happened; call++) {
        bench_snapshot_restore(s.bench, &s.before);
        happened = break_at(&s, call);
        expect_the_next_run_to_mend_it(&s);
        if (call % 4 == 0) {
            expect_another_run_to_do_nothing(&s);
        }
    }
    assert_true(call > 40); // else the sweep has missed its object
    end(&s);
}

static void a_power_cut_that_loses_what_was_not_synced_is_survived_anywhere(void **state)
{
    (void)state;
    sweep_all((struct sweep){.cuts = bench_even_cuts, .power_cut = true, .fate = BLK_MEM_LOSE});
    sweep_all((struct sweep){
        .cuts = bench_even_cuts, .update = true, .power_cut = true, .fate = BLK_MEM_LOSE});
}

static void a_power_cut_that_keeps_what_was_written_is_survived_anywhere(void **state)
{
    (void)state;
    sweep_all((struct sweep){
        .cuts = bench_even_cuts, .power_cut = true, .fate = BLK_MEM_KEEP, .state_cut_after = true});
    sweep_all((struct sweep){.cuts = bench_odd_cuts,
                             .update = true,
                             .power_cut = true,
                             .fate = BLK_MEM_KEEP,
                             .state_cut_after = true});
}

static void a_power_cut_that_tears_writes_is_survived_anywhere(void **state)
{
    (void)state;
    sweep_all((struct sweep){.cuts = bench_odd_cuts, .power_cut = true, .fate = BLK_MEM_MIX});
    sweep_all((struct sweep){
        .cuts = bench_odd_cuts, .update = true, .power_cut = true, .fate = BLK_MEM_MIX});
    sweep_all((struct sweep){.power_cut = true, .fate = BLK_MEM_MIX});
}

static void a_failing_call_anywhere_is_mended_by_the_next_run(void **state)
{
    (void)state;
    sweep_all((struct sweep){.cuts = bench_even_cuts});
    sweep_all((struct sweep){.cuts = bench_odd_cuts, .update = true});
}

static void a_second_power_cut_while_recovering_is_survived(void **state)
{
    (void)state;
    struct sweep s = {.update = true, .power_cut = true, .fate = BLK_MEM_MIX};
    begin(&s);
    bool first_happened = true;
    for (unsigned first = 1; first_happened; first++) {
        bool second_happened = true;
        // Every 13th, but other ones each time.
        for (unsigned second = 1 + first % 13; second_happened; second += 13) {
            bench_snapshot_restore(s.bench, &s.before);
            first_happened = break_at(&s, first);
            second_happened = break_at(&s, second);
            expect_the_next_run_to_mend_it(&s);
        }
    }
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_power_cut_that_loses_what_was_not_synced_is_survived_anywhere),
        cmocka_unit_test(a_power_cut_that_keeps_what_was_written_is_survived_anywhere),
        cmocka_unit_test(a_power_cut_that_tears_writes_is_survived_anywhere),
        cmocka_unit_test(a_failing_call_anywhere_is_mended_by_the_next_run),
        cmocka_unit_test(a_second_power_cut_while_recovering_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
