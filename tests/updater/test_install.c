// SPDX-License-Identifier: Apache-2.0
#include "updater/install.h"

#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum { KIB = 1024, MIB = 1024 * 1024 };

// Two partitions with everything in them: text, noise, zeros, repetitions, a tail that fills no
// sector.
struct content {
    uint8_t *rootfs, *boot;
    size_t rootfs_len, boot_len;
};

static struct content content_make(uint64_t seed)
{
    struct content c = {.rootfs_len = 150 * KIB + 333, .boot_len = 3 * KIB + 1};
    c.rootfs = malloc(c.rootfs_len);
    c.boot = malloc(c.boot_len);
    assert_true(c.rootfs != NULL && c.boot != NULL);
    fill_text(c.rootfs, c.rootfs_len, seed);
    fill_random(c.rootfs + 16 * KIB, 16 * KIB, seed + 1);
    memset(c.rootfs + 40 * KIB, 0, 40 * KIB);
    memcpy(c.rootfs + 96 * KIB, c.rootfs, 16 * KIB); // with the head
    memcpy(c.rootfs + 128 * KIB, c.rootfs + 16 * KIB, 16 * KIB);
    fill_random(c.boot, c.boot_len, seed + 2);
    return c;
}

static void content_free(struct content *c)
{
    free(c->rootfs);
    free(c->boot);
}

static struct image_recipe recipe_of(const struct content *c, const char *version, uint64_t index,
                                     const uint32_t *cuts)
{
    struct image_recipe r = bench_recipe(version, index);
    r.cuts = cuts;
    image_recipe_add(&r, "rootfs", c->rootfs, c->rootfs_len);
    image_recipe_add(&r, "boot", c->boot, c->boot_len);
    return r;
}

static const uint32_t even_cuts[] = {8 * KIB, 0};
static const uint32_t odd_cuts[] = {3001, 20000, 5, 4096, 777, 12288, 0};

static struct bench *bench_serving(const struct content *c, const uint32_t *cuts)
{
    struct bench *b = bench_new(160 * KIB, 4 * KIB);
    struct image_recipe r = recipe_of(c, "2.0", 2, cuts);
    bench_serve(b, &r);
    return b;
}

static void expect_installed(struct bench *b, const struct content *c)
{
    bench_expect_content(b, 0, c->rootfs, c->rootfs_len);
    bench_expect_content(b, 1, c->boot, c->boot_len);
    bench_expect_running_untouched(b);
    assert_string_equal(env_sim_stored(&b->env.sim, "BOOT_ORDER"), "B A");
    assert_string_equal(env_sim_stored(&b->env.sim, "vv_trial"), "b");
    assert_string_equal(env_sim_stored(&b->env.sim, "bootdelay"), "2");
    assert_int_equal(b->device.journal.step, STEP_TRIAL);
    assert_int_equal(b->device.journal.slots[SLOT_B].content, CONTENT_INSTALLED);
    assert_int_equal(b->device.journal.last.outcome, OUTCOME_ACTIVATED);
}

static void an_image_arrives_whole_and_its_slot_is_on_trial(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    struct bench *b = bench_serving(&c, NULL);
    assert_ok(bench_install(b, &report, &e));
    expect_installed(b, &c);
    assert_int_equal(report.slot, SLOT_B);
    assert_string_equal(report.release.version, "2.0");
    assert_int_equal(report.release.release_index, 2);
    assert_true(report.activated);
    assert_false(report.nothing_to_do);
    assert_int_equal(report.reused_bytes, 0);
    assert_int_equal(report.written_bytes,
                     b->slots[SLOT_B][0].written_bytes + b->slots[SLOT_B][1].written_bytes);
    assert_int_equal(report.fetched_bytes, b->source.read_bytes);
    assert_true(report.planned_bytes <= b->image.header.payload_size);
    bench_free(b);
    content_free(&c);
}

static void the_order_of_operations_is_kept(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    uint8_t data[3 * 8192 + 100];
    fill_random(data, sizeof data, 5);
    memset(data + 8192, 0, 8192);
    struct bench *b = bench_new(32 * KIB, 0);
    struct image_recipe r = bench_recipe("2.0", 2);
    r.cuts = even_cuts;
    image_recipe_add(&r, "rootfs", data, sizeof data);
    bench_serve(b, &r);
    b->seam.tracing = true;
    assert_ok(bench_install(b, &report, &e));
    assert_string_equal(b->seam.trace, "state probe\n"
                                       "b.rootfs sync\n"
                                       "state slot-b\n"
                                       "journal installing\n"
                                       "env order=A trial=-\n"
                                       "b.rootfs zero 0+4096\n"
                                       "b.rootfs sync\n"
                                       "b.rootfs zero 8192+8192\n"
                                       "b.rootfs write 4096+4096\n"
                                       "b.rootfs write 16384+12288\n"
                                       "b.rootfs sync\n"
                                       "b.rootfs sync\n"
                                       "b.rootfs write 0+4096\n"
                                       "b.rootfs sync\n"
                                       "state slot-b\n"
                                       "journal installed\n"
                                       "journal activating\n"
                                       "env order=B A trial=b\n"
                                       "journal trial\n");
    assert_int_equal(b->env.sim.stores, 2);
    bench_free(b);
}

static void installing_the_same_again_changes_nothing(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    struct bench *b = bench_serving(&c, odd_cuts);
    assert_ok(bench_install(b, &report, &e));
    bench_restart(b);
    b->seam.tracing = true;
    assert_ok(bench_install(b, &report, &e));
    assert_true(report.nothing_to_do);
    assert_true(report.activated);
    assert_int_equal(report.written_bytes, 0);
    assert_int_equal(report.planned_bytes, 0);
    assert_int_equal(report.reused_bytes, c.rootfs_len + c.boot_len);
    assert_string_equal(b->seam.trace, "state probe\nb.rootfs sync\nb.boot sync\n");
    expect_installed(b, &c);
    bench_free(b);
    content_free(&c);
}

static void what_runs_and_is_confirmed_is_not_installed_again(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    struct bench *b = bench_serving(&c, NULL);
    assert_ok(bench_install(b, &report, &e));
    bench_set_running(b, SLOT_B, 2);
    bench_restart(b);
    assert_ok(bench_install(b, &report, &e));
    assert_true(report.nothing_to_do);
    assert_false(report.activated);
    assert_int_equal(report.slot, SLOT_B);
    assert_int_equal(b->env.sim.stores, 0);
    assert_int_equal(b->slots[SLOT_A][0].opens, 0);
    bench_free(b);
    content_free(&c);
}

static void only_chunks_that_differ_are_fetched_and_written(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    struct bench *b = bench_serving(&c, even_cuts);
    assert_ok(bench_install(b, &report, &e));
    // 2.1 changes one byte in the eleventh chunk of rootfs, which is not repeated anywhere.
    c.rootfs[85 * KIB] ^= 1;
    struct image_recipe r = recipe_of(&c, "2.1", 3, even_cuts);
    bench_serve(b, &r);
    assert_ok(bench_install(b, &report, &e));
    expect_installed(b, &c);
    for (size_t off = 0; off < b->slots[SLOT_B][0].size_bytes; off++) {
        bool expected = off < 4 * KIB || (off >= 80 * KIB && off < 88 * KIB);
        assert_int_equal(b->slots[SLOT_B][0].touched[off], expected);
    }
    assert_int_equal(report.written_bytes, (4 + 8 + 4) * KIB);
    assert_int_equal(report.reused_bytes, c.rootfs_len + c.boot_len - 8 * KIB);
    // Of the payload, the stored bytes of one chunk; the head it began with is still in place.
    assert_int_equal(b->source.range_count, 2);
    assert_int_equal(b->source.ranges[1].len, report.planned_bytes);
    assert_int_equal(report.fetched_bytes, b->image.header.payload_offset + report.planned_bytes);
    bench_free(b);
    content_free(&c);
}

static void odd_chunks_leave_their_neighbours_untouched(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    struct bench *b = bench_serving(&c, odd_cuts);
    assert_ok(bench_install(b, &report, &e));
    // In the second chunk of 20000 bytes: 3001 of the first round, then [sum of a round + 3001, ...
    const size_t round = 3001 + 20000 + 5 + 4096 + 777 + 12288;
    size_t first = round + 3001;
    c.rootfs[first + 10000] ^= 1;
    struct image_recipe r = recipe_of(&c, "2.1", 3, odd_cuts);
    bench_serve(b, &r);
    assert_ok(bench_install(b, &report, &e));
    expect_installed(b, &c);
    for (size_t off = 4096; off < b->slots[SLOT_B][0].size_bytes; off++) {
        assert_int_equal(b->slots[SLOT_B][0].touched[off], off >= first && off < first + 20000);
    }
    bench_free(b);
    content_free(&c);
}

// --- power cuts and failures at every call of a seam ---

struct sweep {
    const uint32_t *cuts;
    bool update; // slot b holds an earlier release of ours, not factory content
    bool power_cut;
    bool state_cut_after;
    enum blk_mem_fate fate;
};

struct old_content {
    uint8_t *bytes[BENCH_PARTITIONS];
};

static struct bench *sweep_bench(const struct sweep *s, const struct content *c,
                                 struct old_content *ret_old)
{
    struct error e;
    struct install_report report;
    struct bench *b = bench_new(160 * KIB, 4 * KIB);
    if (s->update) {
        struct content before = content_make(1);
        before.rootfs[85 * KIB] ^= 1;
        before.rootfs[149 * KIB] ^= 1;
        struct image_recipe r = recipe_of(&before, "1.9", 1, s->cuts);
        bench_serve(b, &r);
        assert_ok(bench_install(b, &report, &e));
        content_free(&before);
    }
    for (size_t p = 0; p < BENCH_PARTITIONS; p++) {
        size_t len = b->slots[SLOT_B][p].size_bytes;
        ret_old->bytes[p] = malloc(len);
        assert_non_null(ret_old->bytes[p]);
        memcpy(ret_old->bytes[p], b->slots[SLOT_B][p].data, len);
    }
    struct image_recipe r = recipe_of(c, "2.0", 2, s->cuts);
    bench_serve(b, &r);
    return b;
}

static bool is_equal(const struct blk_mem *m, const uint8_t *bytes, size_t from, size_t to)
{
    return memcmp(m->data + from, bytes + from, to - from) == 0;
}

// Whatever the environment says: a partition that begins like a release is that release. And a slot
// the environment would boot is one as a whole.
static void expect_nothing_half_written_can_boot(struct bench *b, const struct content *c,
                                                 const struct old_content *old, unsigned call)
{
    const uint8_t *new[] = {c->rootfs, c->boot};
    const size_t new_len[] = {c->rootfs_len, c->boot_len};
    unsigned all_old = 0;
    unsigned all_new = 0;
    for (size_t p = 0; p < BENCH_PARTITIONS; p++) {
        const struct blk_mem *m = &b->slots[SLOT_B][p];
        size_t head = new_len[p] < 4096 ? new_len[p] : 4096;
        bool is_old = is_equal(m, old->bytes[p], 0, new_len[p]);
        bool is_new = is_equal(m, new[p], 0, new_len[p]);
        bool begins = is_equal(m, old->bytes[p], 0, head) || is_equal(m, new[p], 0, head);
        if (begins && !is_old && !is_new) {
            fail_msg("call %u: %s is half-written and could boot", call, m->path);
        }
        all_old += is_old;
        all_new += is_new;
    }
    if (bench_bootable(b, SLOT_B) && all_old < BENCH_PARTITIONS && all_new < BENCH_PARTITIONS) {
        fail_msg("call %u: the environment would boot a half-written slot", call);
    }
    assert_true(bench_bootable(b, SLOT_A));
    bench_expect_running_untouched(b);
}

// Returns false when the call did not happen any more.
static bool sweep_one(const struct sweep *s, const struct content *c, unsigned call)
{
    struct error e;
    struct install_report report;
    struct old_content old;
    struct bench *b = sweep_bench(s, c, &old);
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
    expect_nothing_half_written_can_boot(b, c, &old, call);
    assert_ok(bench_install(b, &report, &e));
    expect_installed(b, c);
    assert_true(b->env.sim.stores <= 2);
    // Once more does nothing.
    bench_restart(b);
    assert_ok(bench_install(b, &report, &e));
    assert_true(report.nothing_to_do);
    assert_int_equal(b->env.sim.stores, 0);
    for (size_t p = 0; p < BENCH_PARTITIONS; p++) {
        assert_int_equal(b->slots[SLOT_B][p].writes, 0);
        free(old.bytes[p]);
    }
    bench_free(b);
    return happened;
}

static void sweep_all(struct sweep s)
{
    struct content c = content_make(1);
    unsigned call = 1;
    while (sweep_one(&s, &c, call)) {
        call++;
    }
    assert_true(call > 40); // else the sweep has missed its object
    content_free(&c);
}

static void a_power_cut_that_loses_what_was_not_synced_is_survived_anywhere(void **state)
{
    (void)state;
    sweep_all((struct sweep){.cuts = even_cuts, .power_cut = true, .fate = BLK_MEM_LOSE});
}

static void a_power_cut_that_keeps_what_was_written_is_survived_anywhere(void **state)
{
    (void)state;
    sweep_all((struct sweep){
        .cuts = even_cuts, .power_cut = true, .fate = BLK_MEM_KEEP, .state_cut_after = true});
}

static void a_power_cut_that_tears_writes_is_survived_anywhere(void **state)
{
    (void)state;
    sweep_all((struct sweep){.cuts = odd_cuts, .power_cut = true, .fate = BLK_MEM_MIX});
}

static void a_power_cut_in_an_update_of_an_older_release_is_survived_anywhere(void **state)
{
    (void)state;
    sweep_all((struct sweep){
        .cuts = odd_cuts, .update = true, .power_cut = true, .fate = BLK_MEM_MIX});
    sweep_all((struct sweep){
        .cuts = even_cuts, .update = true, .power_cut = true, .fate = BLK_MEM_LOSE});
}

static void a_failing_call_anywhere_is_mended_by_the_next_run(void **state)
{
    (void)state;
    sweep_all((struct sweep){.cuts = even_cuts});
    sweep_all((struct sweep){.cuts = odd_cuts, .update = true});
}

static void a_second_power_cut_while_recovering_is_survived(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    const struct sweep s = {.cuts = odd_cuts, .update = true};
    for (unsigned first = 12; first < 40; first += 3) {
        for (unsigned second = 1; second < 60; second += 4) {
            struct old_content old;
            struct bench *b = sweep_bench(&s, &c, &old);
            b->seam.fail_at = first;
            b->seam.power_cut = true;
            assert_int_not_equal(bench_install(b, &report, &e), OK);
            bench_power_cut(b, BLK_MEM_MIX, first);
            b->seam.fail_at = second;
            b->seam.power_cut = true;
            (void)!bench_install(b, &report, &e);
            bench_power_cut(b, BLK_MEM_MIX, 1000 + second);
            expect_nothing_half_written_can_boot(b, &c, &old, second);
            assert_ok(bench_install(b, &report, &e));
            expect_installed(b, &c);
            for (size_t p = 0; p < BENCH_PARTITIONS; p++) {
                free(old.bytes[p]);
            }
            bench_free(b);
        }
    }
    content_free(&c);
}

// --- resuming a large one ---

static void a_large_install_goes_on_where_it_was_even_without_its_journal(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    const size_t len = 20 * MIB;
    uint8_t *data = malloc(len);
    assert_non_null(data);
    fill_random(data, len, 9);
    struct bench *b = bench_new(len, 0);
    struct image_recipe r = bench_recipe("2.0", 2);
    r.cuts = (const uint32_t[]){MIB, 0};
    image_recipe_add(&r, "rootfs", data, len);
    bench_serve(b, &r);
    b->source.cut_off = b->image.header.payload_offset + 18 * MIB;
    assert_fails(ERR_NETWORK, "chunk 18: memory: the connection was lost",
                 bench_install(b, &report, &e));
    assert_int_equal(b->device.journal.step, STEP_INSTALLING);
    assert_int_equal(b->device.journal.next_chunk, 17); // 16 MiB after the head were synced
    assert_int_equal(b->device.journal.chunk_count, 20);
    assert_true(b->slots[SLOT_B][0].largest_write <= MIB);
    assert_false(bench_bootable(b, SLOT_B));
    state_mem_forget(&b->state, "journal");
    bench_power_cut(b, BLK_MEM_LOSE, 1);
    assert_ok(bench_install(b, &report, &e));
    bench_expect_content(b, 0, data, len);
    // The first chunk, whose head was held back, and what was not synced.
    assert_int_equal(report.planned_bytes, 4 * MIB);
    assert_int_equal(report.reused_bytes, 16 * MIB);
    bench_free(b);
    free(data);
}

static void restarts_of_one_install_are_counted(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    struct bench *b = bench_serving(&c, even_cuts);
    for (unsigned i = 0; i < 3; i++) {
        b->slots[SLOT_B][1].spoil_off = 4000; // a byte that never arrives
        b->slots[SLOT_B][0].spoil_off = 8192;
        b->slots[SLOT_B][0].spoil_times = 100;
        assert_fails(ERR_IO, "do not read back", bench_install(b, &report, &e));
        assert_int_equal(b->device.journal.restarts, i);
        bench_restart(b);
    }
    struct image_recipe r = recipe_of(&c, "2.1", 3, even_cuts);
    bench_serve(b, &r);
    assert_fails(ERR_IO, "do not read back", bench_install(b, &report, &e));
    assert_int_equal(b->device.journal.restarts, 0);
    bench_free(b);
    content_free(&c);
}

// --- other slots, other states ---

static void while_the_running_slot_is_on_trial_nothing_is_installed(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    struct bench *b = bench_serving(&c, NULL);
    env_sim_put(&b->env.sim, "vv_trial", "a");
    assert_fails(ERR_NOT_NOW, "the running slot a is still on trial",
                 bench_install(b, &report, &e));
    assert_int_equal(b->source.range_count, 0);
    assert_int_equal(b->slots[SLOT_B][0].opens, 0);
    assert_int_equal(b->env.sim.stores, 0);
    bench_free(b);
    content_free(&c);
}

static void a_pending_trial_of_another_image_is_installed_over(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    struct bench *b = bench_serving(&c, even_cuts);
    assert_ok(bench_install(b, &report, &e));
    struct content d = content_make(7);
    struct image_recipe r = recipe_of(&d, "2.1", 3, even_cuts);
    bench_serve(b, &r);
    b->seam.tracing = true;
    assert_ok(bench_install(b, &report, &e));
    expect_installed(b, &d);
    assert_non_null(strstr(b->seam.trace, "journal installing\nenv order=A trial=-\nb.rootfs zero"));
    assert_int_equal(b->env.sim.stores, 2);
    bench_free(b);
    content_free(&c);
    content_free(&d);
}

static void a_dry_run_verifies_and_changes_nothing(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    struct bench *b = bench_serving(&c, even_cuts);
    b->options.dry_run = true;
    b->seam.tracing = true;
    b->slots[SLOT_B][0].in_use = true; // looking is allowed
    assert_ok(bench_install(b, &report, &e));
    assert_string_equal(b->seam.trace, "b.rootfs sync\nb.boot sync\n");
    assert_true(report.planned_bytes > 0);
    assert_false(report.activated);
    assert_int_equal(b->env.sim.stores, 0);
    b->source.flip_off = (int64_t)b->image.header.payload_offset + 3;
    assert_fails(ERR_FORMAT, "chunk 0", bench_install(b, &report, &e));
    assert_int_equal(b->state.replaced, 0);
    bench_free(b);
    content_free(&c);
}

static void without_activation_the_slot_is_whole_and_not_bootable(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    struct bench *b = bench_serving(&c, even_cuts);
    b->options.no_activate = true;
    assert_ok(bench_install(b, &report, &e));
    assert_false(report.activated);
    assert_int_equal(b->device.journal.step, STEP_INSTALLED);
    assert_int_equal(b->device.journal.last.outcome, OUTCOME_INSTALLED);
    assert_false(bench_bootable(b, SLOT_B));
    // The same again, now with activation: nothing to install, one store.
    bench_restart(b);
    b->options.no_activate = false;
    assert_ok(bench_install(b, &report, &e));
    assert_true(report.nothing_to_do);
    assert_true(report.activated);
    assert_int_equal(b->env.sim.stores, 1);
    expect_installed(b, &c);
    bench_free(b);
    content_free(&c);
}

static void a_whole_slot_whose_record_is_lost_gets_it_back(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    struct bench *b = bench_serving(&c, even_cuts);
    assert_ok(bench_install(b, &report, &e));
    state_mem_forget(&b->state, "slot-b");
    bench_restart(b);
    assert_ok(bench_install(b, &report, &e));
    assert_true(report.nothing_to_do);
    assert_true(state_mem_has(&b->state, "slot-b"));
    assert_int_equal(b->slots[SLOT_B][0].writes, 0);
    expect_installed(b, &c);
    bench_free(b);
    content_free(&c);
}

// --- failures ---

static void a_failure_is_recorded_with_its_reason(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    struct bench *b = bench_serving(&c, even_cuts);
    b->source.flip_off = (int64_t)b->image.header.payload_offset + 9000;
    assert_fails(ERR_FORMAT, "stored bytes do not match", bench_install(b, &report, &e));
    bench_restart(b);
    assert_int_equal(b->device.journal.last.outcome, OUTCOME_FAILED);
    assert_int_equal(b->device.journal.last.slot, SLOT_B);
    assert_string_equal(b->device.journal.last.release.version, "2.0");
    assert_contains(b->device.journal.last.reason, "stored bytes do not match");
    assert_int_equal(b->device.journal.step, STEP_INSTALLING);
    assert_int_equal(b->device.journal.slots[SLOT_B].content, CONTENT_PARTIAL);
    assert_false(bench_bootable(b, SLOT_B));
    bench_free(b);
    content_free(&c);
}

static void a_failure_before_the_first_change_leaves_the_slot_as_it_was(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    struct bench *b = bench_serving(&c, even_cuts);
    b->source.flip_off = (int64_t)b->image.header.payload_offset; // the first chunk
    b->seam.tracing = true;
    assert_fails(ERR_FORMAT, "chunk 0", bench_install(b, &report, &e));
    assert_string_equal(b->seam.trace,
                        "state probe\nb.rootfs sync\nb.boot sync\njournal idle\n");
    assert_int_equal(b->device.journal.last.outcome, OUTCOME_FAILED);
    assert_int_equal(b->device.journal.slots[SLOT_B].content, CONTENT_UNKNOWN);
    assert_true(bench_bootable(b, SLOT_B));
    bench_free(b);
    content_free(&c);
}

static void a_state_directory_that_cannot_be_written_stops_before_anything(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    struct bench *b = bench_serving(&c, even_cuts);
    b->state.read_only = true;
    assert_fails(ERR_IO, "state directory cannot be written", bench_install(b, &report, &e));
    assert_int_equal(b->source.range_count, 0);
    assert_int_equal(b->env.sim.loads, 0);
    assert_int_equal(b->seam.calls, 1); // and nobody tried to record that
    bench_free(b);
    content_free(&c);
}

static void a_slot_in_use_is_refused_before_anything(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct content c = content_make(1);
    struct bench *b = bench_serving(&c, even_cuts);
    b->slots[SLOT_B][1].in_use = true;
    assert_fails(ERR_NOT_NOW, "slot b, partition boot: slot device b.boot is mounted or in use",
                 bench_install(b, &report, &e));
    assert_int_equal(b->env.sim.stores, 0);
    assert_int_equal(b->slots[SLOT_B][0].writes, 0);
    bench_free(b);
    content_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_arrives_whole_and_its_slot_is_on_trial),
        cmocka_unit_test(the_order_of_operations_is_kept),
        cmocka_unit_test(installing_the_same_again_changes_nothing),
        cmocka_unit_test(what_runs_and_is_confirmed_is_not_installed_again),
        cmocka_unit_test(only_chunks_that_differ_are_fetched_and_written),
        cmocka_unit_test(odd_chunks_leave_their_neighbours_untouched),
        cmocka_unit_test(a_power_cut_that_loses_what_was_not_synced_is_survived_anywhere),
        cmocka_unit_test(a_power_cut_that_keeps_what_was_written_is_survived_anywhere),
        cmocka_unit_test(a_power_cut_that_tears_writes_is_survived_anywhere),
        cmocka_unit_test(a_power_cut_in_an_update_of_an_older_release_is_survived_anywhere),
        cmocka_unit_test(a_failing_call_anywhere_is_mended_by_the_next_run),
        cmocka_unit_test(a_second_power_cut_while_recovering_is_survived),
        cmocka_unit_test(a_large_install_goes_on_where_it_was_even_without_its_journal),
        cmocka_unit_test(restarts_of_one_install_are_counted),
        cmocka_unit_test(while_the_running_slot_is_on_trial_nothing_is_installed),
        cmocka_unit_test(a_pending_trial_of_another_image_is_installed_over),
        cmocka_unit_test(a_dry_run_verifies_and_changes_nothing),
        cmocka_unit_test(without_activation_the_slot_is_whole_and_not_bootable),
        cmocka_unit_test(a_whole_slot_whose_record_is_lost_gets_it_back),
        cmocka_unit_test(a_failure_is_recorded_with_its_reason),
        cmocka_unit_test(a_failure_before_the_first_change_leaves_the_slot_as_it_was),
        cmocka_unit_test(a_state_directory_that_cannot_be_written_stops_before_anything),
        cmocka_unit_test(a_slot_in_use_is_refused_before_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
