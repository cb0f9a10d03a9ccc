// SPDX-License-Identifier: Apache-2.0
#include "updater/activate.h"

#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum { KIB = 1024, ROOTFS_LEN = 50 * KIB + 1, BOOT_LEN = 3 * KIB };

// Installed into slot b and not activated.
static int make(void **state)
{
    struct error e;
    struct install_report report;
    uint8_t rootfs[ROOTFS_LEN];
    uint8_t boot[BOOT_LEN];
    fill_text(rootfs, ROOTFS_LEN, 1);
    fill_random(boot, BOOT_LEN, 2);
    struct bench *b = bench_new(64 * KIB, 4 * KIB);
    struct image_recipe r = bench_recipe("2.0", 2);
    image_recipe_add(&r, "rootfs", rootfs, ROOTFS_LEN);
    image_recipe_add(&r, "boot", boot, BOOT_LEN);
    bench_serve(b, &r);
    b->options.no_activate = true;
    assert_ok(bench_install(b, &report, &e));
    bench_restart(b);
    *state = b;
    return 0;
}

static int clear(void **state)
{
    bench_free(*state);
    return 0;
}

// A device as it leaves the factory.
static int make_factory(void **state)
{
    *state = bench_new(64 * KIB, 4 * KIB);
    return 0;
}

static void expect_nothing_stored(struct bench *b)
{
    assert_int_equal(b->env.sim.stores, 0);
    assert_null(env_sim_stored(&b->env.sim, "vv_trial"));
}

static void a_verified_slot_goes_on_trial_with_one_store(void **state)
{
    struct error e;
    struct bench *b = *state;
    b->seam.tracing = true;
    assert_ok(activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    assert_string_equal(b->seam.trace, "state try probe\n"
                                       "b.rootfs sync\n"
                                       "b.boot sync\n"
                                       "journal activating\n"
                                       "env order=B A trial=b\n"
                                       "journal trial\n");
    assert_int_equal(b->env.sim.stores, 1);
    assert_int_equal(b->device.journal.last.outcome, OUTCOME_ACTIVATED);
    assert_string_equal(b->device.journal.last.release.version, "2.0");
    assert_int_equal(b->device.journal.slot, SLOT_B);
    assert_int_equal(b->device.journal.attempts, 3);
    assert_int_equal(b->slots[SLOT_A][0].opens, 0);
}

static void a_slot_on_trial_already_is_left_alone(void **state)
{
    struct error e;
    struct bench *b = *state;
    assert_ok(activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    bench_restart(b);
    b->seam.tracing = true;
    assert_ok(activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    assert_string_equal(b->seam.trace, "");
}

static void a_lost_journal_is_made_good_without_a_store(void **state)
{
    struct error e;
    struct bench *b = *state;
    assert_ok(activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    state_mem_spoil(&b->state, "journal");
    bench_restart(b);
    assert_true(b->device.journal.lost);
    assert_ok(activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    assert_int_equal(b->env.sim.stores, 0);
    assert_int_equal(b->device.journal.step, STEP_TRIAL);
    assert_int_equal(b->device.journal.slots[SLOT_B].content, CONTENT_INSTALLED);
    assert_string_equal(b->device.journal.slots[SLOT_B].release.version, "2.0");
}

static void a_trial_whose_attempts_are_used_up_is_begun_anew(void **state)
{
    struct error e;
    struct bench *b = *state;
    assert_ok(activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    env_sim_put(&b->env.sim, "BOOT_B_LEFT", "0");
    bench_restart(b);
    assert_ok(activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    assert_int_equal(b->env.sim.stores, 1);
    assert_string_equal(env_sim_stored(&b->env.sim, "BOOT_B_LEFT"), "3");
}

static void a_single_changed_byte_keeps_a_slot_from_being_activated(void **state)
{
    struct error e;
    struct bench *b = *state;
    b->slots[SLOT_B][0].data[40000] ^= 1;
    assert_fails(ERR_NOT_NOW,
                 "slot b holds no verified release: partition rootfs differs from its record",
                 activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    b->slots[SLOT_B][0].data[40000] ^= 1;
    b->slots[SLOT_B][1].data[BOOT_LEN - 1] ^= 1;
    assert_fails(ERR_NOT_NOW, "partition boot differs from its record at offset 0",
                 activate_slot(&b->device, SLOT_B, ACTIVATE_FACTORY_ALLOWED, &e));
    expect_nothing_stored(b);
    assert_int_equal(b->device.journal.step, STEP_INSTALLED);
}

static void a_changed_record_keeps_a_slot_from_being_activated(void **state)
{
    struct error e;
    struct bench *b = *state;
    state_mem_spoil(&b->state, "slot-b");
    assert_fails(ERR_NOT_NOW, "slot b holds no verified release: slot b: its stored record",
                 activate_slot(&b->device, SLOT_B, ACTIVATE_FACTORY_ALLOWED, &e));
    expect_nothing_stored(b);
}

static void a_record_that_is_trusted_no_longer_keeps_a_slot_from_being_activated(void **state)
{
    struct error e;
    struct bench *b = *state;
    b->config.trust_signers = 2;
    assert_fails(ERR_NOT_NOW, "slot b holds no verified release",
                 activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    expect_nothing_stored(b);
}

static void a_record_for_a_larger_slot_keeps_it_from_being_activated(void **state)
{
    struct error e;
    struct bench *b = *state;
    b->slots[SLOT_B][0].size_bytes = ROOTFS_LEN - 1;
    assert_fails(ERR_NOT_NOW, "slot b holds no verified release: partition rootfs of the image",
                 activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    expect_nothing_stored(b);
}

static void a_slot_without_a_record_is_not_activated(void **state)
{
    struct error e;
    struct bench *b = *state;
    state_mem_forget(&b->state, "slot-b");
    assert_fails(ERR_NOT_NOW, "slot b holds no verified release",
                 activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    // Not even as a factory slot, because the journal knows better.
    assert_fails(ERR_NOT_NOW, "not known to be as it left the factory",
                 activate_slot(&b->device, SLOT_B, ACTIVATE_FACTORY_ALLOWED, &e));
    expect_nothing_stored(b);
}

static void a_factory_slot_is_let_by_where_that_is_allowed(void **state)
{
    struct error e;
    struct bench *b = *state;
    assert_fails(ERR_NOT_NOW, "slot b holds no verified release",
                 activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    expect_nothing_stored(b);
    assert_ok(activate_slot(&b->device, SLOT_B, ACTIVATE_FACTORY_ALLOWED, &e));
    assert_string_equal(env_sim_stored(&b->env.sim, "vv_trial"), "b");
    assert_int_equal(b->device.journal.slots[SLOT_B].content, CONTENT_UNKNOWN);
}

static void with_a_lost_journal_no_slot_counts_as_a_factory_slot(void **state)
{
    struct error e;
    struct bench *b = *state;
    b->device.journal.lost = true;
    assert_fails(ERR_NOT_NOW, "not known to be as it left the factory",
                 activate_slot(&b->device, SLOT_B, ACTIVATE_FACTORY_ALLOWED, &e));
    expect_nothing_stored(b);
}

static void a_half_written_slot_is_no_factory_slot_even_when_the_journal_is_gone(void **state)
{
    struct error e;
    struct bench *b = *state;
    struct install_report report;
    uint8_t rootfs[ROOTFS_LEN];
    uint8_t boot[BOOT_LEN];
    fill_random(rootfs, ROOTFS_LEN, 1);
    fill_random(boot, BOOT_LEN, 2);
    struct image_recipe r = bench_recipe("2.0", 2);
    image_recipe_add(&r, "rootfs", rootfs, ROOTFS_LEN);
    image_recipe_add(&r, "boot", boot, BOOT_LEN);
    bench_serve(b, &r);
    b->source.cut_off = b->image.len - 10;
    assert_fails(ERR_NETWORK, "lost", bench_install(b, &report, &e));
    state_mem_forget(&b->state, "journal");
    bench_restart(b);
    assert_false(b->device.journal.lost); // it looks like a new device
    assert_fails(ERR_NOT_NOW, "slot b holds no verified release",
                 activate_slot(&b->device, SLOT_B, ACTIVATE_FACTORY_ALLOWED, &e));
    expect_nothing_stored(b);
}

static void an_empty_or_half_written_slot_is_no_factory_slot(void **state)
{
    struct error e;
    struct bench *b = *state;
    memset(b->slots[SLOT_B][0].data, 0, 4 * KIB);
    memset(b->slots[SLOT_B][1].data, 0, 4 * KIB);
    assert_fails(ERR_NOT_NOW,
                 "slot b holds no verified release: it is empty or only partly written",
                 activate_slot(&b->device, SLOT_B, ACTIVATE_FACTORY_ALLOWED, &e));
    expect_nothing_stored(b);
    // Step 8 writes the rest of the heads before the superblocks.
    memset(b->slots[SLOT_B][0].data + 512, 1, 512);
    memset(b->slots[SLOT_B][0].data + 1536, 1, 4 * KIB - 1536);
    assert_fails(ERR_NOT_NOW, "slot b holds no verified release",
                 activate_slot(&b->device, SLOT_B, ACTIVATE_FACTORY_ALLOWED, &e));
    expect_nothing_stored(b);
    // A partition may be empty by design; an install takes the superblock of every one.
    b->slots[SLOT_B][1].data[1024 + 511] = 1;
    assert_ok(activate_slot(&b->device, SLOT_B, ACTIVATE_FACTORY_ALLOWED, &e));
}

static void a_journal_that_knows_updates_is_believed_of_a_factory_slot_without_a_head(void **state)
{
    struct error e;
    struct bench *b = *state;
    memset(b->slots[SLOT_B][0].data, 0, 4 * KIB); // btrfs, say
    memset(b->slots[SLOT_B][1].data, 0, 4 * KIB);
    b->device.journal.slots[SLOT_A].content = CONTENT_CONFIRMED;
    assert_ok(activate_slot(&b->device, SLOT_B, ACTIVATE_FACTORY_ALLOWED, &e));
}

static void a_factory_slot_that_was_rejected_once_may_be_tried_again(void **state)
{
    struct error e;
    struct bench *b = *state;
    b->device.journal.slots[SLOT_A].content = CONTENT_CONFIRMED;
    b->device.journal.slots[SLOT_B].content = CONTENT_REJECTED;
    assert_ok(activate_slot(&b->device, SLOT_B, ACTIVATE_FACTORY_ALLOWED, &e));
}

// All records were lost, and then a fallback was recorded: of what release is not known.
static void a_rejected_slot_without_a_release_is_no_factory_slot_when_it_is_empty(void **state)
{
    struct error e;
    struct bench *b = *state;
    memset(b->slots[SLOT_B][0].data, 0, 4 * KIB);
    memset(b->slots[SLOT_B][1].data, 0, 4 * KIB);
    b->device.journal.slots[SLOT_B].content = CONTENT_REJECTED;
    assert_fails(ERR_NOT_NOW, "it is empty or only partly written",
                 activate_slot(&b->device, SLOT_B, ACTIVATE_FACTORY_ALLOWED, &e));
    expect_nothing_stored(b);
}

static void an_update_that_only_the_environment_remembers_leaves_no_factory_slot(void **state)
{
    struct error e;
    struct bench *b = *state;
    const char *const traces[][2] = {
        {"vv_floor", "3"}, {"vv_floor", "many"}, {"vv_trial", "b"}, {"BOOT_ORDER", "A"}};
    for (size_t i = 0; i < sizeof traces / sizeof traces[0]; i++) {
        env_sim_put(&b->env.sim, traces[i][0], traces[i][1]);
        assert_fails(ERR_NOT_NOW, "not known to be as it left the factory",
                     activate_slot(&b->device, SLOT_B, ACTIVATE_FACTORY_ALLOWED, &e));
        assert_int_equal(b->env.sim.stores, 0);
        env_sim_put(&b->env.sim, traces[i][0], i == 3 ? "A B" : NULL);
    }
    // A journal that knows of the update is believed.
    env_sim_put(&b->env.sim, "vv_floor", "3");
    b->device.journal.slots[SLOT_A].content = CONTENT_CONFIRMED;
    assert_ok(activate_slot(&b->device, SLOT_B, ACTIVATE_FACTORY_ALLOWED, &e));
}

static void a_running_slot_that_was_given_up_is_not_revived(void **state)
{
    struct error e;
    struct bench *b = *state;
    env_sim_put(&b->env.sim, "BOOT_ORDER", "B");
    env_sim_put(&b->env.sim, "BOOT_A_LEFT", "0");
    bench_restart(b);
    b->seam.tracing = true;
    assert_ok(activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    assert_string_equal(b->seam.trace, "");
    expect_nothing_stored(b);
    b->config.boot.contract = CONTRACT_BOOTCOUNT;
    b->config.boot.slot_var = "rpipart";
    env_sim_put(&b->env.sim, "rpipart", "3");
    assert_ok(activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    expect_nothing_stored(b);
}

static void the_running_slot_is_never_put_on_trial(void **state)
{
    struct error e;
    struct bench *b = *state;
    assert_fails(ERR_NOT_NOW, "slot a is the running one",
                 activate_slot(&b->device, SLOT_A, ACTIVATE_JUST_READ_BACK, &e));
    env_sim_put(&b->env.sim, "vv_trial", "a");
    assert_fails(ERR_NOT_NOW, "the running slot a is on trial itself",
                 activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    assert_int_equal(b->env.sim.stores, 0);
}

static void a_state_directory_that_cannot_be_written_stops_before_the_store(void **state)
{
    struct error e;
    struct bench *b = *state;
    b->state.read_only = true;
    assert_fails(ERR_IO, "state directory cannot be written",
                 activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
    expect_nothing_stored(b);
}

static void a_failing_call_anywhere_is_mended_by_the_next_run(void **state)
{
    struct error e;
    struct bench *b = *state;
    unsigned n = 1;
    for (;; n++) {
        env_sim_put(&b->env.sim, "BOOT_ORDER", "A");
        env_sim_put(&b->env.sim, "BOOT_B_LEFT", "0");
        env_sim_put(&b->env.sim, "vv_trial", NULL);
        bench_restart(b);
        b->seam.fail_at = n;
        enum err err = activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e);
        if (b->seam.calls < n) {
            assert_int_equal(err, OK);
            break;
        }
        bench_restart(b);
        assert_ok(activate_slot(&b->device, SLOT_B, ACTIVATE_VERIFY, &e));
        assert_int_equal(b->device.journal.step, STEP_TRIAL);
        assert_string_equal(env_sim_stored(&b->env.sim, "BOOT_ORDER"), "B A");
    }
    assert_true(n > 8);
}

static void the_check_says_what_a_slot_holds(void **state)
{
    struct error e;
    struct bench *b = *state;
    struct release_id id = {0};
    assert_ok(activate_verify_slot(&b->device, SLOT_B, &id, &e));
    assert_string_equal(id.version, "2.0");
    assert_int_equal(id.release_index, 2);
    assert_fails(ERR_NOT_NOW, "slot a holds no verified release",
                 activate_verify_slot(&b->device, SLOT_A, &id, &e));
}

#define activate_test(name) cmocka_unit_test_setup_teardown(name, make, clear)
#define factory_test(name) cmocka_unit_test_setup_teardown(name, make_factory, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        activate_test(a_verified_slot_goes_on_trial_with_one_store),
        activate_test(a_slot_on_trial_already_is_left_alone),
        activate_test(a_lost_journal_is_made_good_without_a_store),
        activate_test(a_trial_whose_attempts_are_used_up_is_begun_anew),
        activate_test(a_single_changed_byte_keeps_a_slot_from_being_activated),
        activate_test(a_changed_record_keeps_a_slot_from_being_activated),
        activate_test(a_record_that_is_trusted_no_longer_keeps_a_slot_from_being_activated),
        activate_test(a_record_for_a_larger_slot_keeps_it_from_being_activated),
        activate_test(a_slot_without_a_record_is_not_activated),
        factory_test(a_factory_slot_is_let_by_where_that_is_allowed),
        factory_test(with_a_lost_journal_no_slot_counts_as_a_factory_slot),
        factory_test(a_half_written_slot_is_no_factory_slot_even_when_the_journal_is_gone),
        factory_test(an_empty_or_half_written_slot_is_no_factory_slot),
        factory_test(a_journal_that_knows_updates_is_believed_of_a_factory_slot_without_a_head),
        factory_test(a_factory_slot_that_was_rejected_once_may_be_tried_again),
        factory_test(a_rejected_slot_without_a_release_is_no_factory_slot_when_it_is_empty),
        factory_test(an_update_that_only_the_environment_remembers_leaves_no_factory_slot),
        activate_test(a_running_slot_that_was_given_up_is_not_revived),
        activate_test(the_running_slot_is_never_put_on_trial),
        activate_test(a_state_directory_that_cannot_be_written_stops_before_the_store),
        activate_test(a_failing_call_anywhere_is_mended_by_the_next_run),
        activate_test(the_check_says_what_a_slot_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
