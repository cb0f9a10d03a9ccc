// SPDX-License-Identifier: Apache-2.0
#include "updater/running_slot.h"

#include "tests/support/expect.h"
#include "tests/support/fake_devices.h"
#include "tests/support/temp_dir.h"

static struct fake_devices fake;

static struct config two_slots(const char *path_a, const char *path_b)
{
    struct config c = {0};
    c.slots[0] =
        (struct config_slot){.name = "a", .partition_count = 1, .partitions = {{"rootfs", path_a}}};
    c.slots[1] =
        (struct config_slot){.name = "b", .partition_count = 1, .partitions = {{"rootfs", path_b}}};
    c.boot.slots[0] = (struct boot_slot){"a", "A", "2"};
    c.boot.slots[1] = (struct boot_slot){"b", "System1", "3"};
    return c;
}

static struct config make_disk(const char *dir)
{
    fake_devices_make(&fake, dir);
    fake_block("/dev/sda2", 8, 2);
    fake_block("/dev/sda3", 8, 3);
    return two_slots("/dev/sda2", "/dev/sda3");
}

static void the_command_line_names_the_running_slot(void **state)
{
    static const struct {
        const char *cmdline;
        int slot;
    } cases[] = {
        {"console=ttyS0 vv.slot=a ro\n", 0},
        {"vv.slot=b", 1},
        {"\t vv.slot=b\n", 1},
        {"vv.slot=b vv.slot=b", 1},
        {"rauc.slot=A", 0},
        {"rauc.slot=System1", 1},
        {"rauc.slot=b", 1},
        {"root=/dev/sda3", 1},
        {"root=/dev/sda2 rw", 0},
        // The first that speaks decides; the others must not contradict.
        {"root=/dev/none rauc.slot=A vv.slot=a", 0},
        {"root=/dev/sda2 rauc.slot=System0 vv.slot=a", 0},
        {"root=/dev/none rauc.slot=b", 1},
        {"vv.slot=\"b\"", 1},
        {"\"vv.slot=b\"", 1},
        {"dyndbg=\"file a.c +p\" vv.slot=a", 0},
        {"dyndbg=\"x vv.slot=a\" vv.slot=b", 1},
        {"xvv.slot=a vv.slot=b", 1},
        {"vv.slot=b -- vv.slot=a", 1},
    };
    struct error e;
    struct config c = make_disk(*state);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int slot = 99;
        enum err err = running_slot_from_cmdline_at(&c, &fake.view, cases[i].cmdline, &slot, &e);
        if (err != OK || slot != cases[i].slot) {
            fail_msg("%s: expected slot %d, got %d (%s)", cases[i].cmdline, cases[i].slot, slot,
                     err == OK ? "" : e.msg);
        }
    }
}

static void an_unclear_command_line_is_refused(void **state)
{
    static const struct {
        const char *cmdline;
        const char *part;
    } cases[] = {
        {"", "names no slot"},
        {"console=ttyS0 ro", "names no slot"},
        {"root=/dev/none", "names no slot"},
        {"root=UUID=1234", "names no slot"},
        {"-- vv.slot=a", "names no slot"},
        {"vv.slot=a vv.slot=b", "names both slots with vv.slot="},
        {"rauc.slot=A rauc.slot=b", "names both slots with rauc.slot="},
        {"root=/dev/sda2 root=/dev/sda3", "names both slots with root="},
        {"vv.slot=c", "says vv.slot=c, and no slot has this name"},
        {"vv.slot=A", "says vv.slot=A, and no slot has this name"},
        {"vv.slot=", "names no slot"},
        {"rauc.slot=System0", "says rauc.slot=System0, and no slot has this name"},
        {"vv.slot=a rauc.slot=b", "names slot a with vv.slot= and slot b with rauc.slot="},
        {"vv.slot=a root=/dev/sda3", "names slot a with vv.slot= and slot b with root="},
        {"rauc.slot=b root=/dev/sda2", "names slot b with rauc.slot= and slot a with root="},
    };
    struct error e;
    struct config c = make_disk(*state);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int slot = 99;
        assert_fails(ERR_NOT_NOW, cases[i].part,
                     running_slot_from_cmdline_at(&c, &fake.view, cases[i].cmdline, &slot, &e));
        assert_contains(e.msg, "running slot unclear");
        assert_int_equal(slot, 99);
    }
}

static void a_very_long_foreign_value_is_cut_in_the_sentence(void **state)
{
    struct error e;
    char cmdline[2048] = "vv.slot=";
    int slot;
    struct config c = make_disk(*state);
    memset(cmdline + 8, 'x', 2000);
    assert_fails(ERR_NOT_NOW, "says vv.slot=xxx",
                 running_slot_from_cmdline_at(&c, &fake.view, cmdline, &slot, &e));
    assert_contains(e.msg, "running slot unclear");
}

static void file_slots_of_a_real_system_follow_the_command_line(void **state)
{
    struct error e;
    int slot;
    struct config c = two_slots("/etc/passwd", "/etc/group");
    (void)state;
    assert_ok(running_slot_from_cmdline(&c, "quiet rauc.slot=System1", &slot, &e));
    assert_int_equal(slot, 1);
}

static void put_cmdline(const char *dir, struct config *c, char *path, const char *text)
{
    FILE *f = fopen(temp_dir_path(path, 512, dir, "cmdline"), "we");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    c->cmdline_file = path;
}

static void the_device_below_root_must_agree(void **state)
{
    struct error e;
    char path[512];
    int slot = 99;
    struct config c = make_disk(*state);
    put_cmdline(*state, &c, path, "vv.slot=a\n");
    fake_dir("/a", 8, 2);
    fake_dir("/b", 8, 3);
    assert_ok(running_slot_find_at(&c, &fake.view, "/a", &slot, &e));
    assert_int_equal(slot, 0);
    slot = 99;
    assert_fails(ERR_NOT_NOW, "names slot a, but /b is not mounted from one of its partitions",
                 running_slot_find_at(&c, &fake.view, "/b", &slot, &e));
    assert_int_equal(slot, 99);
    put_cmdline(*state, &c, path, "vv.slot=b\n");
    assert_ok(running_slot_find_at(&c, &fake.view, "/b", &slot, &e));
    assert_int_equal(slot, 1);
}

static void a_target_on_a_second_disk_with_the_same_label_is_refused(void **state)
{
    struct error e;
    char path[512];
    int slot;
    fake_devices_make(&fake, *state);
    fake_block("/dev/disk/by-partlabel/rootfs-a", 8, 2);
    fake_block("/dev/disk/by-partlabel/rootfs-b", 8, 19);
    fake_sys_device(&fake, "sda", "sda2", 8, 2);
    fake_sys_device(&fake, "sdb", "sdb3", 8, 19);
    fake_dir("/", 8, 2);
    struct config c =
        two_slots("/dev/disk/by-partlabel/rootfs-a", "/dev/disk/by-partlabel/rootfs-b");
    put_cmdline(*state, &c, path, "vv.slot=a\n");
    assert_fails(ERR_NOT_NOW, "another disk", running_slot_find_at(&c, &fake.view, "/", &slot, &e));
}

static void a_command_line_that_cannot_be_read_is_an_io_error(void **state)
{
    struct error e;
    int slot;
    struct config c = two_slots("/etc/passwd", "/etc/group");
    (void)state;
    c.cmdline_file = "/nonexistent/cmdline";
    assert_fails(ERR_IO, "/nonexistent/cmdline", running_slot_find(&c, &slot, &e));
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(the_command_line_names_the_running_slot),
        WITH_DIR(an_unclear_command_line_is_refused),
        WITH_DIR(a_very_long_foreign_value_is_cut_in_the_sentence),
        cmocka_unit_test(file_slots_of_a_real_system_follow_the_command_line),
        WITH_DIR(the_device_below_root_must_agree),
        WITH_DIR(a_target_on_a_second_disk_with_the_same_label_is_refused),
        cmocka_unit_test(a_command_line_that_cannot_be_read_is_an_io_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
