// SPDX-License-Identifier: Apache-2.0
#include "updater/slot_devices.h"

#include "tests/support/expect.h"
#include "tests/support/fake_devices.h"
#include "tests/support/temp_dir.h"

static struct fake_devices fake;

// Slots of two partitions; their paths can be changed by a test.
static struct config two_slots(const char *boot_a, const char *root_a, const char *boot_b,
                               const char *root_b)
{
    struct config c = {0};
    c.slots[0] = (struct config_slot){
        .name = "a", .partition_count = 2, .partitions = {{"boot", boot_a}, {"rootfs", root_a}}};
    c.slots[1] = (struct config_slot){
        .name = "b", .partition_count = 2, .partitions = {{"boot", boot_b}, {"rootfs", root_b}}};
    return c;
}

static struct config make_disk(const char *dir)
{
    fake_devices_make(&fake, dir);
    fake_block("/dev/sda1", 8, 1);
    fake_block("/dev/sda2", 8, 2);
    fake_block("/dev/sda3", 8, 3);
    fake_block("/dev/sda4", 8, 4);
    fake_block("/dev/sda5", 8, 5);
    fake_sys_device(&fake, "sda", "sda1", 8, 1);
    fake_sys_device(&fake, "sda", "sda2", 8, 2);
    fake_sys_device(&fake, "sda", "sda3", 8, 3);
    fake_sys_device(&fake, "sda", "sda4", 8, 4);
    return two_slots("/dev/sda1", "/dev/sda2", "/dev/sda3", "/dev/sda4");
}

static void root_leads_to_the_slot_with_that_partition(void **state)
{
    struct config c = make_disk(*state);
    fake_disk_link(&fake, "partlabel/rootfs-b", 8, 4);
    fake_disk_link(&fake, "partuuid/0de7-02", 8, 2);
    fake_disk_link(&fake, "uuid/6f1e", 8, 4);
    fake_disk_link(&fake, "label/ROOT_A", 8, 2);
    fake_disk_link(&fake, "label/data", 8, 5);
    static const struct {
        const char *root;
        int slot;
    } cases[] = {
        {"/dev/sda2", 0},          {"/dev/sda3", 1},          {"PARTLABEL=rootfs-b", 1},
        {"PARTUUID=0de7-02", 0},   {"UUID=6f1e", 1},          {"LABEL=ROOT_A", 0},
        {"LABEL=data", SLOT_NONE}, {"/dev/sda5", SLOT_NONE},  {"/dev/none", SLOT_NONE},
        {"UUID=none", SLOT_NONE},  {"8:2", SLOT_NONE},        {"", SLOT_NONE},
        {"ID=sda2", SLOT_NONE},    {"PARTLABEL=", SLOT_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int got = slot_of_root(&c, &fake.view, cases[i].root);
        if (got != cases[i].slot) {
            fail_msg("root=%s: expected slot %d, got %d", cases[i].root, cases[i].slot, got);
        }
    }
}

static void a_root_on_any_partition_of_the_slot_is_accepted(void **state)
{
    struct error e;
    struct config c = make_disk(*state);
    fake_dir("/", 8, 2);
    assert_ok(slot_check_root(&c, &fake.view, "/", 0, &e));
    fake_dir("/boot", 8, 1);
    assert_ok(slot_check_root(&c, &fake.view, "/boot", 0, &e));
}

static void a_root_on_the_other_slot_is_refused(void **state)
{
    struct error e;
    struct config c = make_disk(*state);
    fake_dir("/", 8, 4);
    assert_fails(ERR_NOT_NOW,
                 "names slot a, but / is not mounted from one of its partitions: running slot "
                 "unclear",
                 slot_check_root(&c, &fake.view, "/", 0, &e));
}

static void a_root_on_neither_slot_is_refused(void **state)
{
    struct error e;
    struct config c = make_disk(*state);
    fake_dir("/", 8, 5);
    assert_fails(ERR_NOT_NOW, "running slot unclear", slot_check_root(&c, &fake.view, "/", 0, &e));
    assert_fails(ERR_NOT_NOW, "running slot unclear", slot_check_root(&c, &fake.view, "/", 1, &e));
}

static void a_root_that_lies_on_both_slots_is_refused(void **state)
{
    struct error e;
    struct config c = make_disk(*state);
    fake_dir("/", 254, 0);
    fake_sys_device(&fake, "dm-0", NULL, 254, 0);
    fake_sys_slave(&fake, 254, 0, "sda2", 8, 2);
    assert_ok(slot_check_root(&c, &fake.view, "/", 0, &e));
    fake_sys_slave(&fake, 254, 0, "sda4", 8, 4);
    assert_fails(ERR_NOT_NOW, "names slot a, but / is mounted from slot b",
                 slot_check_root(&c, &fake.view, "/", 0, &e));
}

static void slots_that_are_files_are_let_by(void **state)
{
    struct error e;
    fake_devices_make(&fake, *state);
    struct config c = two_slots("/a1", "/a2", "/b1", "/b2");
    fake_file("/a1", 8, 9, 1);
    fake_file("/a2", 8, 9, 2);
    fake_file("/b1", 8, 9, 3);
    fake_file("/b2", 8, 9, 4);
    fake_dir("/", 8, 9);
    assert_ok(slot_check_root(&c, &fake.view, "/", 0, &e));
    assert_ok(slot_check_root(&c, &fake.view, "/", 1, &e));
    assert_ok(slot_check_disk(&c, &fake.view, 0, &e));
}

static void a_root_that_cannot_be_looked_at_is_an_error(void **state)
{
    struct error e;
    struct config c = make_disk(*state);
    assert_fails(ERR_IO, "/none", slot_check_root(&c, &fake.view, "/none", 0, &e));
}

static void a_target_found_by_label_lies_on_the_disk_of_the_running_slot(void **state)
{
    struct error e;
    make_disk(*state);
    fake_block("/dev/disk/by-partlabel/boot-b", 8, 3);
    fake_block("/dev/disk/by-partlabel/rootfs-b", 8, 4);
    struct config c = two_slots("/dev/sda1", "/dev/sda2", "/dev/disk/by-partlabel/boot-b",
                                "/dev/disk/by-partlabel/rootfs-b");
    assert_ok(slot_check_disk(&c, &fake.view, 0, &e));
}

static void a_label_on_a_second_disk_is_refused(void **state)
{
    static const char *const labels[] = {"/dev/disk/by-partlabel/rootfs-b",
                                         "/dev/disk/by-label/rootfs-b"};
    struct error e;
    for (size_t i = 0; i < 2; i++) {
        char dir[512];
        snprintf(dir, sizeof dir, "%s/%zu", (const char *)*state, i);
        assert_int_equal(mkdir(dir, 0700), 0);
        make_disk(dir);
        fake_block(labels[i], 8, 20);
        fake_sys_device(&fake, "sdb", "sdb4", 8, 20);
        struct config c = two_slots("/dev/sda1", "/dev/sda2", "/dev/sda3", labels[i]);
        assert_fails(ERR_NOT_NOW, "leads to another disk than the one slot a runs from",
                     slot_check_disk(&c, &fake.view, 0, &e));
        assert_contains(e.msg, labels[i]);
        // Slot b running from there and slot a given by its device name: nothing was found by
        // label.
        assert_ok(slot_check_disk(&c, &fake.view, 1, &e));
    }
}

static void a_device_name_on_a_second_disk_is_what_the_operator_wants(void **state)
{
    struct error e;
    make_disk(*state);
    fake_block("/dev/sdb4", 8, 20);
    fake_sys_device(&fake, "sdb", "sdb4", 8, 20);
    struct config c = two_slots("/dev/sda1", "/dev/sda2", "/dev/sda3", "/dev/sdb4");
    assert_ok(slot_check_disk(&c, &fake.view, 0, &e));
}

static void a_label_whose_disk_the_kernel_does_not_show_is_refused(void **state)
{
    struct error e;
    make_disk(*state);
    fake_block("/dev/disk/by-partlabel/rootfs-b", 8, 20);
    struct config c =
        two_slots("/dev/sda1", "/dev/sda2", "/dev/sda3", "/dev/disk/by-partlabel/rootfs-b");
    assert_fails(ERR_NOT_NOW, "another disk", slot_check_disk(&c, &fake.view, 0, &e));
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(root_leads_to_the_slot_with_that_partition),
        WITH_DIR(a_root_on_any_partition_of_the_slot_is_accepted),
        WITH_DIR(a_root_on_the_other_slot_is_refused),
        WITH_DIR(a_root_on_neither_slot_is_refused),
        WITH_DIR(a_root_that_lies_on_both_slots_is_refused),
        WITH_DIR(slots_that_are_files_are_let_by),
        WITH_DIR(a_root_that_cannot_be_looked_at_is_an_error),
        WITH_DIR(a_target_found_by_label_lies_on_the_disk_of_the_running_slot),
        WITH_DIR(a_label_on_a_second_disk_is_refused),
        WITH_DIR(a_device_name_on_a_second_disk_is_what_the_operator_wants),
        WITH_DIR(a_label_whose_disk_the_kernel_does_not_show_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
