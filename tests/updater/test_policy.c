// SPDX-License-Identifier: Apache-2.0
#include "updater/policy.h"

#include "tests/support/expect.h"

#include <stdio.h>

static const struct config_slot two_partitions = {
    .name = "b",
    .partition_count = 2,
    .partitions = {{"rootfs", "/dev/b1"}, {"boot", "/dev/b2"}},
};

// A release that may be installed, with nothing to spare.
struct sample {
    struct manifest m;
    struct policy_facts facts;
};

static struct sample good(void)
{
    struct sample s = {
        .m = {.product = "vv-edge",
              .compatible = {.count = 2, .names = {"board-1", "board-2"}},
              .version = "2.0",
              .release_index = 20,
              .min_from = 10,
              .created = 1700000000,
              .not_after = 1800000000,
              .device_ids = {.count = 2, .names = {"device-1", "device-2"}},
              .partition_count = 2,
              .partitions = {{.name = "boot", .image_size = 1},
                             {.name = "rootfs", .image_size = 2}}},
        .facts = {.product = "vv-edge",
                  .compatible = "board-2",
                  .device_id = "device-2",
                  .slot = &two_partitions,
                  .running_known = true,
                  .running_confirmed = true,
                  .running_index = 20,
                  .floor = 20,
                  .time_floor_s = 1800000000,
                  .signer_not_after_s = 1700000000},
    };
    return s;
}

static void expect_refused(const struct sample *s, const char *part)
{
    struct error e;
    assert_fails(ERR_TRUST, part, policy_check(&s->m, &s->facts, &e));
}

static void expect_allowed(const struct sample *s)
{
    struct error e;
    assert_ok(policy_check(&s->m, &s->facts, &e));
}

static void a_release_that_meets_every_limit_exactly_is_allowed(void **state)
{
    (void)state;
    struct sample s = good();
    expect_allowed(&s);
}

static void another_product_is_refused(void **state)
{
    (void)state;
    struct sample s = good();
    s.facts.product = "vv-other";
    expect_refused(&s, "for product vv-edge, this device is vv-other");
    s.facts.product = "vv-edge2";
    expect_refused(&s, "product");
}

static void a_device_that_is_not_in_the_list_of_compatible_ones_is_refused(void **state)
{
    (void)state;
    struct sample s = good();
    s.facts.compatible = "board-3";
    expect_refused(&s, "not compatible with this device: its list (board-1, ...) does not have "
                       "board-3");
    s.m.compatible.count = 1;
    s.facts.compatible = "board-2"; // behind the end of the list
    expect_refused(&s, "(board-1) does not have board-2");
}

static void a_device_that_is_not_named_is_refused(void **state)
{
    (void)state;
    struct sample s = good();
    s.facts.device_id = "device-3";
    expect_refused(&s, "does not have device-3");
    s.facts.device_id = "";
    expect_refused(&s, "this device has no id");
    s.facts.device_id = NULL;
    expect_refused(&s, "this device has no id");
    s.m.device_ids.count = 0;
    expect_allowed(&s);
}

static void a_release_below_the_floor_is_refused_even_as_a_downgrade(void **state)
{
    (void)state;
    struct sample s = good();
    s.facts.floor = 21;
    s.m.allow_downgrade = true;
    expect_refused(&s, "release 20 is below the floor 21");
}

static void a_release_older_than_the_running_one_is_refused_unless_it_says_it_may(void **state)
{
    (void)state;
    struct sample s = good();
    s.facts.running_index = 21;
    expect_refused(&s, "release 20 is older than the running release 21");
    s.m.allow_downgrade = true;
    expect_allowed(&s);
    s.m.allow_downgrade = false;
    s.facts.running_confirmed = false; // it does not bind anybody
    expect_allowed(&s);
}

static void a_release_that_needs_a_newer_one_first_is_refused(void **state)
{
    (void)state;
    struct sample s = good();
    s.facts.running_index = 9;
    expect_refused(&s, "from release 10 on, running is 9");
    s.facts.running_index = 10;
    expect_allowed(&s);
    s.facts.running_known = false;
    s.facts.running_confirmed = false;
    expect_refused(&s, "which release is running is not known");
    s.m.min_from = 0;
    expect_allowed(&s);
}

static void an_expired_image_is_refused(void **state)
{
    (void)state;
    struct sample s = good();
    s.facts.time_floor_s++;
    expect_refused(&s, "expired at 2027-01-15 08:00:00 UTC, and it is 2027-01-15 08:00:01 UTC");
    s.m.not_after = 0;
    expect_allowed(&s);
}

static void a_low_clock_refuses_nothing(void **state)
{
    (void)state;
    struct sample s = good();
    s.facts.time_floor_s = 0;
    expect_allowed(&s);
}

static void an_image_made_after_the_end_of_its_signer_is_refused(void **state)
{
    (void)state;
    struct sample s = good();
    s.m.created++;
    expect_refused(&s, "made at 2023-11-14 22:13:21 UTC, after a certificate that signed it had "
                       "ended at 2023-11-14 22:13:20 UTC");
    s.m.created = INT64_MAX; // no calendar goes that far
    expect_refused(&s, "made at 9223372036854775807");
}

static void the_set_of_partitions_must_be_that_of_the_slot(void **state)
{
    (void)state;
    struct sample s = good();
    snprintf(s.m.partitions[0].name, sizeof s.m.partitions[0].name, "data");
    expect_refused(&s, "the image has a partition data, slot b has none");
    s = good();
    s.m.partition_count = 1;
    expect_refused(&s, "slot b has a partition rootfs, the image has none");
    struct config_slot one = two_partitions;
    one.partition_count = 1;
    s = good();
    s.facts.slot = &one;
    expect_refused(&s, "the image has a partition boot, slot b has none");
}

static void an_image_larger_than_its_partition_is_refused(void **state)
{
    (void)state;
    struct error e;
    const struct partition_info image = {.name = "rootfs", .image_size = 4097};
    assert_ok(policy_check_size(&image, "b", 4097, &e));
    assert_fails(ERR_TOO_LARGE,
                 "partition rootfs of the image has 4097 bytes, that of slot b has "
                 "4096",
                 policy_check_size(&image, "b", 4096, &e));
}

static void the_larger_floor_wins(void **state)
{
    (void)state;
    bool damaged;
    struct policy_floors f = {.journal = 3, .environment = 5};
    assert_int_equal(policy_floor(&f, &damaged), 5);
    f = (struct policy_floors){.journal = 7, .environment = 5};
    assert_int_equal(policy_floor(&f, &damaged), 7);
    assert_false(damaged);
    f.confirmed_known = true;
    f.confirmed_index = 7;
    assert_int_equal(policy_floor(&f, &damaged), 7);
    assert_false(damaged);
}

static void a_floor_above_the_confirmed_release_is_damaged_and_not_obeyed(void **state)
{
    (void)state;
    bool damaged;
    struct policy_floors f = {
        .journal = 4, .environment = UINT64_MAX, .confirmed_known = true, .confirmed_index = 6};
    assert_int_equal(policy_floor(&f, &damaged), 4);
    assert_true(damaged);
    f.journal = 7;
    assert_int_equal(policy_floor(&f, &damaged), 0);
    assert_true(damaged);
}

static void copies_that_agree_are_obeyed_whatever_was_confirmed(void **state)
{
    (void)state;
    bool damaged;
    struct policy_floors f = {
        .journal = 9, .environment = 9, .confirmed_known = true, .confirmed_index = 6};
    assert_int_equal(policy_floor(&f, &damaged), 9);
    assert_false(damaged);
}

static void without_a_confirmed_release_a_floor_is_obeyed_as_far_as_one_can_reach_it(void **state)
{
    (void)state;
    bool damaged;
    struct policy_floors f = {.environment = INT64_MAX};
    assert_int_equal(policy_floor(&f, &damaged), INT64_MAX);
    assert_false(damaged);
    f.environment++;
    assert_int_equal(policy_floor(&f, &damaged), 0);
    assert_true(damaged);
    f.journal = f.environment;
    assert_int_equal(policy_floor(&f, &damaged), 0);
    assert_true(damaged);
}

static void what_may_follow_the_running_release_can_be_asked_alone(void **state)
{
    (void)state;
    struct error e;
    struct sample s = good();
    s.facts.product = "another";
    s.facts.running_index = s.m.min_from;
    assert_ok(policy_check_min_from(&s.m, &s.facts, &e));
    s.facts.running_index--;
    assert_fails(ERR_TRUST, "from release 10 on, running is 9",
                 policy_check_min_from(&s.m, &s.facts, &e));
    s.facts.running_known = false;
    assert_fails(ERR_TRUST, "which release is running is not known",
                 policy_check_min_from(&s.m, &s.facts, &e));
    s.m.min_from = 0;
    assert_ok(policy_check_min_from(&s.m, &s.facts, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_release_that_meets_every_limit_exactly_is_allowed),
        cmocka_unit_test(another_product_is_refused),
        cmocka_unit_test(a_device_that_is_not_in_the_list_of_compatible_ones_is_refused),
        cmocka_unit_test(a_device_that_is_not_named_is_refused),
        cmocka_unit_test(a_release_below_the_floor_is_refused_even_as_a_downgrade),
        cmocka_unit_test(a_release_older_than_the_running_one_is_refused_unless_it_says_it_may),
        cmocka_unit_test(a_release_that_needs_a_newer_one_first_is_refused),
        cmocka_unit_test(an_expired_image_is_refused),
        cmocka_unit_test(a_low_clock_refuses_nothing),
        cmocka_unit_test(an_image_made_after_the_end_of_its_signer_is_refused),
        cmocka_unit_test(the_set_of_partitions_must_be_that_of_the_slot),
        cmocka_unit_test(an_image_larger_than_its_partition_is_refused),
        cmocka_unit_test(the_larger_floor_wins),
        cmocka_unit_test(a_floor_above_the_confirmed_release_is_damaged_and_not_obeyed),
        cmocka_unit_test(copies_that_agree_are_obeyed_whatever_was_confirmed),
        cmocka_unit_test(without_a_confirmed_release_a_floor_is_obeyed_as_far_as_one_can_reach_it),
        cmocka_unit_test(what_may_follow_the_running_release_can_be_asked_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
