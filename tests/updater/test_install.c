// SPDX-License-Identifier: Apache-2.0
#include "updater/install.h"

#include "tests/support/bench_content.h"
#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum { KIB = 1024, MIB = 1024 * 1024 };

static void an_image_arrives_whole_and_its_slot_is_on_trial(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, NULL);
    assert_ok(bench_install(b, &report, &e));
    bench_content_expect_installed(b, &c);
    assert_int_equal(report.slot, SLOT_B);
    assert_string_equal(report.release.version, "2.0");
    assert_int_equal(report.release.release_index, 2);
    assert_true(report.activated);
    assert_false(report.nothing_to_do);
    assert_int_equal(report.reused_bytes, 0);
    // Two sectors of either head are written once more, behind the rest of it.
    assert_int_equal(report.written_bytes + (size_t)2 * BENCH_PARTITIONS * 512,
                     b->slots[SLOT_B][0].written_bytes + b->slots[SLOT_B][1].written_bytes);
    assert_int_equal(report.fetched_bytes, b->source.read_bytes);
    assert_true(report.planned_bytes <= b->image.header.payload_size);
    bench_free(b);
    bench_content_free(&c);
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
    r.cuts = bench_even_cuts;
    image_recipe_add(&r, "rootfs", data, sizeof data);
    bench_serve(b, &r);
    b->seam.tracing = true;
    assert_ok(bench_install(b, &report, &e));
    assert_string_equal(b->seam.trace, "state try probe\n"
                                       "state try slot-b\n"
                                       "b.rootfs sync\n"
                                       "state slot-b\n"
                                       "journal installing\n"
                                       "env order=A trial=-\n"
                                       "b.rootfs zero 0+512\n"
                                       "b.rootfs sync\n"
                                       "b.rootfs zero 1024+512\n"
                                       "b.rootfs sync\n"
                                       "b.rootfs zero 0+4096\n"
                                       "b.rootfs sync\n"
                                       "b.rootfs zero 8192+8192\n"
                                       "b.rootfs write 4096+4096\n"
                                       "b.rootfs write 16384+12288\n"
                                       "b.rootfs sync\n"
                                       "b.rootfs sync\n"
                                       "b.rootfs write 0+4096\n"
                                       "b.rootfs sync\n"
                                       "b.rootfs write 1024+512\n"
                                       "b.rootfs sync\n"
                                       "b.rootfs write 0+512\n"
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
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, bench_odd_cuts);
    assert_ok(bench_install(b, &report, &e));
    bench_restart(b);
    b->seam.tracing = true;
    assert_ok(bench_install(b, &report, &e));
    assert_true(report.nothing_to_do);
    assert_true(report.activated);
    assert_int_equal(report.written_bytes, 0);
    assert_int_equal(report.planned_bytes, 0);
    assert_int_equal(report.reused_bytes, c.rootfs_len + c.boot_len);
    assert_string_equal(b->seam.trace, "state try probe\nb.rootfs sync\nb.boot sync\n");
    bench_content_expect_installed(b, &c);
    bench_free(b);
    bench_content_free(&c);
}

static void what_runs_and_is_confirmed_is_not_installed_again(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, NULL);
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
    bench_content_free(&c);
}

static void only_chunks_that_differ_are_fetched_and_written(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, bench_even_cuts);
    assert_ok(bench_install(b, &report, &e));
    // 2.1 changes one byte in the eleventh chunk of rootfs, which is not repeated anywhere.
    c.rootfs[85 * KIB] ^= 1;
    struct image_recipe r = bench_content_recipe(&c, "2.1", 3, bench_even_cuts);
    bench_serve(b, &r);
    assert_ok(bench_install(b, &report, &e));
    bench_content_expect_installed(b, &c);
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
    bench_content_free(&c);
}

static void odd_chunks_leave_their_neighbours_untouched(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, bench_odd_cuts);
    assert_ok(bench_install(b, &report, &e));
    // In the second chunk of 20000 bytes: 3001 of the first round, then [sum of a round + 3001, ...
    const size_t round = 3001 + 20000 + 5 + 4096 + 777 + 12288;
    size_t first = round + 3001;
    c.rootfs[first + 10000] ^= 1;
    struct image_recipe r = bench_content_recipe(&c, "2.1", 3, bench_odd_cuts);
    bench_serve(b, &r);
    assert_ok(bench_install(b, &report, &e));
    bench_content_expect_installed(b, &c);
    for (size_t off = 4096; off < b->slots[SLOT_B][0].size_bytes; off++) {
        assert_int_equal(b->slots[SLOT_B][0].touched[off], off >= first && off < first + 20000);
    }
    bench_free(b);
    bench_content_free(&c);
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
    bench_power_cut(b, BLK_MEM_LOSE, 1);
    // What the record claims is there, but for the head that is held back.
    assert_memory_equal(b->slots[SLOT_B][0].data + 4096, data + 4096, 17 * MIB - 4096);
    state_mem_forget(&b->state, "journal");
    bench_restart(b);
    assert_ok(bench_install(b, &report, &e));
    bench_expect_content(b, 0, data, len);
    // The first chunk, whose head was held back, and what was not synced.
    assert_int_equal(report.planned_bytes, 4 * MIB);
    assert_int_equal(report.reused_bytes, 16 * MIB);
    bench_free(b);
    free(data);
}

// --- other slots, other states ---

static void while_the_running_slot_is_on_trial_nothing_is_installed(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, NULL);
    env_sim_put(&b->env.sim, "vv_trial", "a");
    assert_fails(ERR_NOT_NOW, "the running slot a is still on trial",
                 bench_install(b, &report, &e));
    assert_int_equal(b->source.range_count, 0);
    assert_int_equal(b->slots[SLOT_B][0].opens, 0);
    assert_int_equal(b->env.sim.stores, 0);
    bench_free(b);
    bench_content_free(&c);
}

static void a_pending_trial_of_another_image_is_installed_over(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, bench_even_cuts);
    assert_ok(bench_install(b, &report, &e));
    struct bench_content d = bench_content_make(7);
    struct image_recipe r = bench_content_recipe(&d, "2.1", 3, bench_even_cuts);
    bench_serve(b, &r);
    b->seam.tracing = true;
    assert_ok(bench_install(b, &report, &e));
    bench_content_expect_installed(b, &d);
    assert_non_null(strstr(b->seam.trace,
                           "journal installing\nenv order=A trial=-\nstate slot-b\nb.rootfs zero"));
    assert_int_equal(b->env.sim.stores, 2);
    bench_free(b);
    bench_content_free(&c);
    bench_content_free(&d);
}

static void a_dry_run_verifies_and_changes_nothing(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, bench_even_cuts);
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
    bench_content_free(&c);
}

static void without_activation_the_slot_is_whole_and_not_bootable(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, bench_even_cuts);
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
    bench_content_expect_installed(b, &c);
    bench_free(b);
    bench_content_free(&c);
}

static void a_whole_slot_whose_record_is_lost_gets_it_back(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, bench_even_cuts);
    assert_ok(bench_install(b, &report, &e));
    state_mem_forget(&b->state, "slot-b");
    bench_restart(b);
    assert_ok(bench_install(b, &report, &e));
    assert_true(report.nothing_to_do);
    assert_true(state_mem_has(&b->state, "slot-b"));
    assert_int_equal(b->slots[SLOT_B][0].writes, 0);
    bench_content_expect_installed(b, &c);
    bench_free(b);
    bench_content_free(&c);
}

// --- failures ---

static void a_failure_is_recorded_with_its_reason(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, bench_even_cuts);
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
    bench_content_free(&c);
}

static void a_failure_before_the_first_change_leaves_the_slot_as_it_was(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, bench_even_cuts);
    b->source.flip_off = (int64_t)b->image.header.payload_offset; // the first chunk
    b->seam.tracing = true;
    assert_fails(ERR_FORMAT, "chunk 0", bench_install(b, &report, &e));
    assert_string_equal(
        b->seam.trace,
        "state try probe\nstate try slot-b\nb.rootfs sync\nb.boot sync\njournal idle\n");
    assert_int_equal(b->device.journal.last.outcome, OUTCOME_FAILED);
    assert_int_equal(b->device.journal.slots[SLOT_B].content, CONTENT_UNKNOWN);
    assert_true(bench_bootable(b, SLOT_B));
    bench_free(b);
    bench_content_free(&c);
}

static void what_does_not_fit_of_a_file_that_changed_is_no_fault_of_the_image(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, bench_even_cuts);
    b->source.flip_off = (int64_t)b->image.header.payload_offset;
    b->source.changed = true;
    assert_fails(ERR_NETWORK, "memory: the file changed while it was being read; run the install",
                 bench_install(b, &report, &e));
    assert_contains(b->device.journal.last.reason, "the file changed");
    bench_restart(b);
    b->source.changed = true; // and what was read is right all the same
    assert_ok(bench_install(b, &report, &e));
    bench_free(b);
    bench_content_free(&c);
}

static void a_state_directory_that_cannot_be_written_stops_before_anything(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, bench_even_cuts);
    b->state.read_only = true;
    assert_fails(ERR_IO, "state directory cannot be written", bench_install(b, &report, &e));
    assert_int_equal(b->source.range_count, 0);
    assert_int_equal(b->env.sim.loads, 0);
    assert_int_equal(b->seam.calls, 1); // and nobody tried to record that
    bench_free(b);
    bench_content_free(&c);
}

static void a_slot_in_use_is_refused_before_anything(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, bench_even_cuts);
    b->slots[SLOT_B][1].in_use = true;
    assert_fails(ERR_NOT_NOW, "slot b, partition boot: slot device b.boot is mounted or in use",
                 bench_install(b, &report, &e));
    assert_int_equal(b->env.sim.stores, 0);
    assert_int_equal(b->slots[SLOT_B][0].writes, 0);
    bench_free(b);
    bench_content_free(&c);
}

static void another_release_than_was_asked_for_is_refused_before_anything(void **state)
{
    (void)state;
    struct error e;
    struct install_report report;
    uint8_t wanted[SHA256_SIZE];
    struct bench_content c = bench_content_make(1);
    struct bench *b = bench_content_serve(&c, bench_even_cuts);
    memcpy(wanted, b->image.header.manifest_sha256, sizeof wanted);
    b->options.manifest_sha256 = wanted;
    b->seam.tracing = true;
    wanted[SHA256_SIZE - 1] ^= 1;
    assert_fails(ERR_NOT_NOW, "it is release 2 (2.0), and not the one that was asked for",
                 bench_install(b, &report, &e));
    assert_contains(e.msg, b->source.base.name);
    assert_string_equal(b->seam.trace, "state try probe\njournal idle\n");
    assert_int_equal(b->source.range_count, 1); // the head
    assert_string_equal(b->device.journal.last.release.version, "");
    assert_int_equal(b->slots[SLOT_B][0].opens, 0);
    wanted[SHA256_SIZE - 1] ^= 1;
    assert_ok(bench_install(b, &report, &e));
    bench_content_expect_installed(b, &c);
    bench_free(b);
    bench_content_free(&c);
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
        cmocka_unit_test(a_large_install_goes_on_where_it_was_even_without_its_journal),
        cmocka_unit_test(while_the_running_slot_is_on_trial_nothing_is_installed),
        cmocka_unit_test(a_pending_trial_of_another_image_is_installed_over),
        cmocka_unit_test(a_dry_run_verifies_and_changes_nothing),
        cmocka_unit_test(without_activation_the_slot_is_whole_and_not_bootable),
        cmocka_unit_test(a_whole_slot_whose_record_is_lost_gets_it_back),
        cmocka_unit_test(a_failure_is_recorded_with_its_reason),
        cmocka_unit_test(a_failure_before_the_first_change_leaves_the_slot_as_it_was),
        cmocka_unit_test(what_does_not_fit_of_a_file_that_changed_is_no_fault_of_the_image),
        cmocka_unit_test(a_state_directory_that_cannot_be_written_stops_before_anything),
        cmocka_unit_test(a_slot_in_use_is_refused_before_anything),
        cmocka_unit_test(another_release_than_was_asked_for_is_refused_before_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
