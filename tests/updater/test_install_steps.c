// SPDX-License-Identifier: Apache-2.0
#include "updater/install_steps.h"

#include "base/version.h"
#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/test_data.h"
#include "updater/activate.h"

#include <stdlib.h>

enum { KIB = 1024, LEN = 20 * KIB };

static uint8_t content[LEN];

static struct image_recipe recipe(const char *version, uint64_t index)
{
    struct image_recipe r = bench_recipe(version, index);
    fill_random(content, LEN, 1);
    image_recipe_add(&r, "rootfs", content, LEN);
    return r;
}

static int make(void **state)
{
    *state = bench_new(32 * KIB, 0);
    return 0;
}

static int clear(void **state)
{
    bench_free(*state);
    return 0;
}

static enum err install(struct bench *b, const struct image_recipe *r, struct error *e)
{
    struct install_report report;
    bench_serve(b, r);
    b->options.dry_run = true;
    return bench_install(b, &report, e);
}

static const char *talk(struct bench *b)
{
    fflush(b->log.stream);
    return b->talk != NULL ? b->talk : "";
}

// --- what the policy is told; each refusal comes before the table is fetched ---

static void expect_refused_by_policy(struct bench *b, const struct image_recipe *r,
                                     const char *part)
{
    struct error e;
    assert_fails(ERR_TRUST, part, install(b, r, &e));
    assert_true(b->source.read_bytes <= header_head_size(&b->image.header));
    assert_int_equal(b->slots[SLOT_B][0].opens, 0);
}

static void product_board_and_device_are_those_of_the_configuration(void **state)
{
    struct bench *b = *state;
    struct image_recipe r = recipe("2.0", 2);
    b->config.product = "vv-other";
    expect_refused_by_policy(b, &r, "this device is vv-other");
    b->config.product = "vv-test";
    b->config.compatible = "another-board";
    expect_refused_by_policy(b, &r, "does not have another-board");
    b->config.compatible = "vv-test-board";
    r.manifest.device_ids = (struct name_list){.count = 1, .names = {"device-1"}};
    b->config.device_id = "device-2";
    expect_refused_by_policy(b, &r, "does not have device-2");
}

static void partitions_are_those_of_the_target(void **state)
{
    struct bench *b = *state;
    struct image_recipe r = recipe("2.0", 2);
    image_recipe_add(&r, "data", content, 100);
    expect_refused_by_policy(b, &r, "the image has a partition data, slot b has none");
}

static void an_image_larger_than_the_slot_is_refused_before_its_table(void **state)
{
    struct error e;
    struct bench *b = *state;
    struct image_recipe r = recipe("2.0", 2);
    b->slots[SLOT_B][0].size_bytes = LEN - 1;
    assert_fails(ERR_TOO_LARGE, "slot b", install(b, &r, &e));
    assert_true(b->source.read_bytes <= header_head_size(&b->image.header));
}

static void the_floor_comes_from_journal_and_environment(void **state)
{
    struct error e;
    struct bench *b = *state;
    bench_set_running(b, SLOT_A, 10);
    struct image_recipe r = recipe("0.4", 4);
    r.manifest.allow_downgrade = true;
    assert_ok(install(b, &r, &e));
    env_sim_put(&b->env.sim, "vv_floor", "5");
    expect_refused_by_policy(b, &r, "release 4 is below the floor 5");
    env_sim_put(&b->env.sim, "vv_floor", NULL);
    b->device.journal.floor = 6;
    assert_ok(journal_save(b->device.state, &b->device.journal, &e));
    expect_refused_by_policy(b, &r, "release 4 is below the floor 6");
    assert_string_equal(talk(b), "");
}

static void a_damaged_floor_is_told_and_not_obeyed(void **state)
{
    struct error e;
    struct bench *b = *state;
    bench_set_running(b, SLOT_A, 10);
    struct image_recipe r = recipe("1.0", 10);
    env_sim_put(&b->env.sim, "vv_floor", "11");
    assert_ok(install(b, &r, &e));
    assert_contains(talk(b),
                    "11 in the boot environment) is above the newest confirmed release 10");
    env_sim_put(&b->env.sim, "vv_floor", "many");
    assert_ok(install(b, &r, &e));
    assert_contains(talk(b), "vv_floor in the boot environment is not a number");
}

static void the_confirmed_release_need_not_be_in_a_slot_any_more(void **state)
{
    struct bench *b = *state;
    struct error e;
    bench_set_running(b, SLOT_A, 10); // rolled back to
    b->device.journal.confirmed_max = 12;
    assert_ok(journal_save(b->device.state, &b->device.journal, &e));
    env_sim_put(&b->env.sim, "vv_floor", "12");
    struct image_recipe r = recipe("1.1", 11);
    expect_refused_by_policy(b, &r, "below the floor 12");
}

static void with_a_lost_journal_the_floor_of_the_environment_is_obeyed(void **state)
{
    struct bench *b = *state;
    struct error e;
    bench_set_running(b, SLOT_A, 10);
    env_sim_put(&b->env.sim, "vv_floor", "12");
    state_mem_forget(&b->state, "journal");
    struct image_recipe r = recipe("1.1", 11);
    expect_refused_by_policy(b, &r, "below the floor 12");
    // Nor is it forgotten by what runs from then on.
    b->device.journal.slots[SLOT_A].content = CONTENT_INSTALLED;
    b->device.journal.slots[SLOT_A].release.release_index = 10;
    assert_ok(journal_save(b->device.state, &b->device.journal, &e));
    expect_refused_by_policy(b, &r, "below the floor 12");
}

// --- what boots next ---

static void use_bootcount(struct bench *b, const char *slot)
{
    b->config.boot.contract = CONTRACT_BOOTCOUNT;
    b->config.boot.slot_var = "rpipart";
    env_sim_put(&b->env.sim, "rpipart", slot);
}

static void expect_not_now(struct bench *b, const char *part)
{
    struct error e;
    struct install_report report;
    struct image_recipe r = recipe("2.0", 2);
    bench_serve(b, &r);
    assert_fails(ERR_NOT_NOW, part, bench_install(b, &report, &e));
    assert_int_equal(b->env.sim.stores, 0);
    assert_int_equal(b->source.read_bytes, 0);
    assert_int_equal(b->slots[SLOT_B][0].opens, 0);
}

static void the_slot_that_boots_next_is_not_written_after_the_running_one_was_given_up(void **state)
{
    struct bench *b = *state;
    const char *sentence = "slot b boots next and the running slot a was given up: reboot first";
    env_sim_put(&b->env.sim, "BOOT_ORDER", "B");
    env_sim_put(&b->env.sim, "BOOT_A_LEFT", "0");
    expect_not_now(b, sentence);
    assert_int_equal(b->device.journal.last.outcome, OUTCOME_NONE); // the rejection's is kept
    // Attempts do not bring back what is not in BOOT_ORDER: confirm without a journal settles.
    env_sim_put(&b->env.sim, "BOOT_A_LEFT", "3");
    expect_not_now(b, sentence);
    use_bootcount(b, "3");
    expect_not_now(b, sentence);
}

static void a_running_slot_without_attempts_is_to_be_confirmed_first(void **state)
{
    struct error e;
    struct bench *b = *state;
    env_sim_put(&b->env.sim, "BOOT_A_LEFT", "0");
    expect_not_now(b, "slot b boots next, because the running slot a has no boot attempts left: "
                      "run 'vv-update confirm' first");
    env_sim_put(&b->env.sim, "BOOT_A_LEFT", "3");
    struct image_recipe r = recipe("2.0", 2);
    assert_ok(install(b, &r, &e));
}

// Each slot would be tried, and which one was good is not known: an install names what runs.
static void a_lost_environment_is_no_slot_given_up(void **state)
{
    struct error e;
    struct bench *b = *state;
    struct image_recipe r = recipe("2.0", 2);
    env_sim_put(&b->env.sim, "BOOT_ORDER", "B A");
    assert_ok(install(b, &r, &e));
    use_bootcount(b, NULL);
    b->config.boot.slots[SLOT_A].bootvalue = "3";
    b->config.boot.slots[SLOT_B].bootvalue = "2";
    assert_ok(install(b, &r, &e));
}

static void an_older_release_than_the_running_one_is_refused(void **state)
{
    struct bench *b = *state;
    struct error e;
    bench_set_running(b, SLOT_A, 3);
    struct image_recipe r = recipe("0.2", 2);
    expect_refused_by_policy(b, &r, "older than the running release 3");
    // Installed and running without being on trial: confirmed, but the journal is behind.
    b->device.journal.slots[SLOT_A].content = CONTENT_INSTALLED;
    assert_ok(journal_save(b->device.state, &b->device.journal, &e));
    expect_refused_by_policy(b, &r, "older than the running release 3");
    b->device.journal.slots[SLOT_A].content = CONTENT_REJECTED;
    assert_ok(journal_save(b->device.state, &b->device.journal, &e));
    assert_ok(install(b, &r, &e));
}

static void the_release_to_come_from_is_the_running_one(void **state)
{
    struct error e;
    struct bench *b = *state;
    struct image_recipe r = recipe("2.0", 20);
    r.manifest.min_from = 10;
    expect_refused_by_policy(b, &r, "which release is running is not known");
    bench_set_running(b, SLOT_A, 9);
    expect_refused_by_policy(b, &r, "running is 9");
    bench_set_running(b, SLOT_A, 10);
    assert_ok(install(b, &r, &e));
}

static void time_is_the_floor_of_the_device(void **state)
{
    struct error e;
    struct bench *b = *state;
    struct image_recipe r = recipe("2.0", 2);
    r.manifest.not_after = vv_build_time_s + 1000;
    r.manifest.created = vv_build_time_s;
    b->clock.wall_s = r.manifest.not_after + 1;
    expect_refused_by_policy(b, &r, "the image expired at ");
    b->clock.synchronised = false; // then its time means nothing
    assert_ok(install(b, &r, &e));
    b->device.journal.time_floor_s = r.manifest.not_after + 1;
    assert_ok(journal_save(b->device.state, &b->device.journal, &e));
    expect_refused_by_policy(b, &r, "the image expired at ");
}

static void an_image_from_after_its_signers_end_is_refused(void **state)
{
    struct bench *b = *state;
    struct image_recipe r = recipe("2.0", 2);
    r.manifest.created = 2398377601; // the signer ended a second before
    expect_refused_by_policy(b, &r, "after a certificate that signed it had ended at 2046-01-01");
}

static void a_damaged_copy_of_the_environment_is_told(void **state)
{
    struct error e;
    struct bench *b = *state;
    struct image_recipe r = recipe("2.0", 2);
    b->env.base.copies_total = 3; // the simulated environment has two good ones
    assert_ok(install(b, &r, &e));
    assert_contains(talk(b), "copies of the boot environment is damaged");
}

// --- records ---

static void what_was_installed_is_kept_with_its_signed_head(void **state)
{
    struct error e;
    struct install_report report;
    struct bench *b = *state;
    struct image_recipe r = recipe("2.0", 2);
    bench_serve(b, &r);
    assert_ok(bench_install(b, &report, &e));
    for (int i = 0; i < STATE_MEM_RECORDS_MAX; i++) {
        if (strcmp(b->state.records[i].name, "slot-b") == 0) {
            assert_int_equal(b->state.records[i].len, b->image.header.payload_offset);
            assert_memory_equal(b->state.records[i].data, b->image.bytes, b->state.records[i].len);
            return;
        }
    }
    fail_msg("expected a record slot-b");
}

static void a_failure_that_cannot_be_recorded_does_not_hide_the_first(void **state)
{
    struct error e;
    struct install_report report;
    struct bench *b = *state;
    struct image_recipe r = recipe("2.0", 2);
    bench_serve(b, &r);
    b->source.flip_off = 200; // in the manifest
    assert_fails(ERR_FORMAT, "manifest", bench_install(b, &report, &e));
    unsigned last = b->seam.calls; // recorded the failure
    bench_restart(b);
    b->source.flip_off = 200;
    b->seam.fail_at = last;
    assert_fails(ERR_FORMAT, "manifest", bench_install(b, &report, &e));
    assert_contains(talk(b), "the failure could not be recorded: state replace");
}

static void somebody_else_holding_a_lock_is_no_failure_to_record(void **state)
{
    struct error e;
    struct install_report report;
    struct bench *b = *state;
    struct image_recipe r = recipe("2.0", 2);
    bench_serve(b, &r);
    b->seam.fail_at = 2; // the load of the environment
    b->seam.fail_with = ERR_AGAIN;
    assert_fails(ERR_AGAIN, "environment load", bench_install(b, &report, &e));
    assert_int_equal(b->state.replaced, 0);
    assert_int_equal(b->device.journal.last.outcome, OUTCOME_NONE);
}

static void without_room_for_the_record_the_old_slot_is_not_given_up(void **state)
{
    struct error e;
    struct install_report report;
    struct bench *b = *state;
    struct image_recipe r = recipe("2.0", 2);
    bench_serve(b, &r);
    b->state.room = (size_t)b->image.header.payload_offset - 1;
    b->seam.tracing = true;
    assert_fails(ERR_IO, "the state directory cannot take the record of slot b: ",
                 bench_install(b, &report, &e));
    assert_int_equal(e.sys, ENOSPC);
    assert_int_equal(b->env.sim.stores, 0);
    assert_false(state_mem_has(&b->state, "slot-b"));
    assert_null(strstr(b->seam.trace, "b.rootfs"));
    b->state.room++;
    assert_ok(bench_install(b, &report, &e));
    assert_true(report.activated);
}

// The journal has the slot as it is, so it stays as it is: a confirmed slot stays one.
static void a_damaged_record_of_a_whole_slot_is_written_anew(void **state)
{
    struct error e;
    struct install_report report;
    struct bench *b = *state;
    struct image_recipe r = recipe("2.0", 2);
    bench_serve(b, &r);
    b->options.no_activate = true;
    assert_ok(bench_install(b, &report, &e));
    b->device.journal.slots[SLOT_B].content = CONTENT_CONFIRMED;
    assert_ok(journal_save(b->device.state, &b->device.journal, &e));
    state_mem_spoil(&b->state, "slot-b");
    bench_restart(b);
    assert_ok(bench_install(b, &report, &e));
    assert_true(report.nothing_to_do);
    assert_int_equal(b->state.replaced, 1);
    assert_int_equal(b->device.journal.slots[SLOT_B].content, CONTENT_CONFIRMED);
    struct release_id release;
    assert_ok(activate_verify_slot(&b->device, SLOT_B, &release, &e));
    bench_restart(b);
    assert_ok(bench_install(b, &report, &e));
    assert_int_equal(b->state.replaced, 0);
}

static void an_install_whose_end_could_not_be_recorded_is_recorded_by_the_next_run(void **state)
{
    struct error e;
    struct install_report report;
    struct bench *b = *state;
    struct image_recipe r = recipe("2.0", 2);
    bench_serve(b, &r);
    b->options.no_activate = true;
    assert_ok(bench_install(b, &report, &e));
    unsigned last = b->seam.calls;
    state_mem_forget(&b->state, "journal");
    state_mem_forget(&b->state, "slot-b");
    memset(b->slots[SLOT_B][0].data, 0xee, b->slots[SLOT_B][0].size_bytes);
    bench_restart(b);
    b->seam.fail_at = last;
    assert_fails(ERR_IO, "state replace", bench_install(b, &report, &e));
    assert_int_equal(b->device.journal.last.outcome, OUTCOME_FAILED);
    assert_int_equal(b->device.journal.step, STEP_INSTALLING);
    bench_restart(b);
    assert_ok(bench_install(b, &report, &e));
    assert_true(report.nothing_to_do);
    assert_int_equal(b->device.journal.last.outcome, OUTCOME_INSTALLED);
    assert_int_equal(b->device.journal.step, STEP_INSTALLED);
}

static void a_rejected_release_may_be_tried_again(void **state)
{
    struct error e;
    struct install_report report;
    struct bench *b = *state;
    struct image_recipe r = recipe("2.0", 2);
    bench_serve(b, &r);
    assert_ok(bench_install(b, &report, &e));
    bench_set_running(b, SLOT_A, 1);
    b->device.journal.slots[SLOT_B].content = CONTENT_REJECTED;
    assert_ok(journal_save(b->device.state, &b->device.journal, &e));
    bench_restart(b);
    assert_ok(bench_install(b, &report, &e));
    assert_true(report.nothing_to_do);
    assert_true(report.activated);
    assert_int_equal(b->slots[SLOT_B][0].writes, 0);
    assert_int_equal(b->device.journal.slots[SLOT_B].content, CONTENT_INSTALLED);
    assert_string_equal(env_sim_stored(&b->env.sim, "vv_trial"), "b");
}

static void asking_for_the_running_release_while_another_waits_installs_it(void **state)
{
    struct error e;
    struct install_report report;
    struct bench *b = *state;
    struct image_recipe one = recipe("1.0", 1);
    bench_serve(b, &one);
    // Slot a runs 1.0, slot b waits with 2.0.
    bench_set_running(b, SLOT_A, 1);
    memcpy(b->device.journal.slots[SLOT_A].release.manifest_sha256, b->image.header.manifest_sha256,
           SHA256_SIZE);
    assert_ok(journal_save(b->device.state, &b->device.journal, &e));
    struct image_recipe two = recipe("2.0", 2);
    bench_serve(b, &two);
    assert_ok(bench_install(b, &report, &e));
    bench_serve(b, &one);
    assert_ok(bench_install(b, &report, &e));
    assert_int_equal(report.slot, SLOT_B);
    assert_true(report.activated);
    assert_string_equal(b->device.journal.slots[SLOT_B].release.version, "1.0");
}

#define steps_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        steps_test(product_board_and_device_are_those_of_the_configuration),
        steps_test(partitions_are_those_of_the_target),
        steps_test(an_image_larger_than_the_slot_is_refused_before_its_table),
        steps_test(the_floor_comes_from_journal_and_environment),
        steps_test(a_damaged_floor_is_told_and_not_obeyed),
        steps_test(the_confirmed_release_need_not_be_in_a_slot_any_more),
        steps_test(with_a_lost_journal_the_floor_of_the_environment_is_obeyed),
        steps_test(the_slot_that_boots_next_is_not_written_after_the_running_one_was_given_up),
        steps_test(a_running_slot_without_attempts_is_to_be_confirmed_first),
        steps_test(a_lost_environment_is_no_slot_given_up),
        steps_test(an_older_release_than_the_running_one_is_refused),
        steps_test(the_release_to_come_from_is_the_running_one),
        steps_test(time_is_the_floor_of_the_device),
        steps_test(an_image_from_after_its_signers_end_is_refused),
        steps_test(a_damaged_copy_of_the_environment_is_told),
        steps_test(what_was_installed_is_kept_with_its_signed_head),
        steps_test(a_failure_that_cannot_be_recorded_does_not_hide_the_first),
        steps_test(somebody_else_holding_a_lock_is_no_failure_to_record),
        steps_test(without_room_for_the_record_the_old_slot_is_not_given_up),
        steps_test(a_damaged_record_of_a_whole_slot_is_written_anew),
        steps_test(an_install_whose_end_could_not_be_recorded_is_recorded_by_the_next_run),
        steps_test(a_rejected_release_may_be_tried_again),
        steps_test(asking_for_the_running_release_while_another_waits_installs_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
