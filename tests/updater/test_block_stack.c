// SPDX-License-Identifier: Apache-2.0
#include "updater/block_stack.h"

#include "tests/support/expect.h"
#include "tests/support/fake_devices.h"
#include "tests/support/temp_dir.h"

#include <errno.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static struct fake_devices fake;

static struct block_id block(unsigned maj, unsigned min)
{
    return (struct block_id){makedev(maj, min), 0};
}

static void put_mountinfo(const char *text)
{
    FILE *f = fopen(fake.mountinfo, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static struct block_stack under(const char *path, enum block_layer layer)
{
    struct error e;
    struct block_stack s;
    assert_ok(block_stack_under(&fake.view, path, layer, &s, &e));
    return s;
}

static void a_plain_partition_is_the_whole_stack(void **state)
{
    fake_devices_make(&fake, *state);
    fake_dir("/", 8, 2);
    struct block_stack s = under("/", LAYER_LOWER);
    assert_int_equal(s.count, 1);
    assert_true(block_stack_has(&s, block(8, 2)));
    assert_false(block_stack_has(&s, block(8, 3)));
}

static void device_mapper_is_looked_through_to_its_lowest_device(void **state)
{
    fake_devices_make(&fake, *state);
    fake_dir("/", 254, 1);
    fake_sys_device(&fake, "dm-1", NULL, 254, 1);
    fake_sys_device(&fake, "dm-0", NULL, 254, 0);
    fake_sys_slave(&fake, 254, 1, "dm-0", 254, 0);
    fake_sys_slave(&fake, 254, 0, "sda2", 8, 2);
    fake_sys_slave(&fake, 254, 0, "sda3", 8, 3);
    struct block_stack s = under("/", LAYER_LOWER);
    assert_int_equal(s.count, 4);
    assert_true(block_stack_has(&s, block(254, 0)));
    assert_true(block_stack_has(&s, block(8, 2)));
    assert_true(block_stack_has(&s, block(8, 3)));
}

static void a_mount_for_writing_is_seen_and_one_for_reading_is_not(void **state)
{
    fake_devices_make(&fake, *state);
    put_mountinfo("21 1 8:2 / / ro,relatime shared:1 - ext4 /dev/sda2 ro\n"
                  "not a line of mountinfo\n"
                  "22 1 8:3 / /mnt ro,relatime - ext4 /dev/sda3 rw,noatime\n");
    assert_false(block_is_mounted_writable(&fake.view, makedev(8, 2)));
    assert_true(block_is_mounted_writable(&fake.view, makedev(8, 3)));
    assert_false(block_is_mounted_writable(&fake.view, makedev(8, 4)));
    assert_int_equal(unlink(fake.mountinfo), 0);
    assert_false(block_is_mounted_writable(&fake.view, makedev(8, 3)));
}

static void devices_that_refer_to_each_other_end_the_walk(void **state)
{
    fake_devices_make(&fake, *state);
    fake_dir("/", 254, 1);
    fake_sys_device(&fake, "dm-1", NULL, 254, 1);
    fake_sys_device(&fake, "dm-0", NULL, 254, 0);
    fake_sys_slave(&fake, 254, 1, "dm-0", 254, 0);
    fake_sys_slave(&fake, 254, 0, "dm-1", 254, 1);
    assert_int_equal(under("/", LAYER_LOWER).count, 2);
}

static void more_devices_than_fit_are_left_out(void **state)
{
    fake_devices_make(&fake, *state);
    fake_dir("/", 254, 1);
    fake_sys_device(&fake, "dm-1", NULL, 254, 1);
    for (unsigned i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "sd%u", i);
        fake_sys_slave(&fake, 254, 1, name, 8, i);
    }
    assert_int_equal(under("/", LAYER_LOWER).count, BLOCK_STACK_MAX);
}

static void a_slave_without_a_number_is_left_out(void **state)
{
    char path[1024];
    fake_devices_make(&fake, *state);
    fake_dir("/", 254, 1);
    fake_sys_device(&fake, "dm-1", NULL, 254, 1);
    fake_sys_slave(&fake, 254, 1, "sda2", 8, 2);
    snprintf(path, sizeof path, "%s/254:1/slaves/sda2/dev", fake.view.sys_dev_block);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs("garbage\n", f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(under("/", LAYER_LOWER).count, 1);
}

static void a_loop_device_leads_to_its_file_and_the_disk_that_holds_it(void **state)
{
    fake_devices_make(&fake, *state);
    fake_dir("/state", 7, 0);
    fake_file("/data/slot-b.img", 8, 4, 77);
    fake_sys_device(&fake, "loop0", NULL, 7, 0);
    fake_sys_backing_file(&fake, 7, 0, "/data/slot-b.img");
    struct block_stack s = under("/state", LAYER_UPPER);
    assert_true(block_stack_has(&s, (struct block_id){makedev(8, 4), 77}));
    assert_true(block_stack_has(&s, block(8, 4)));
    assert_int_equal(s.count, 3);
}

static void a_loop_device_on_a_partition_leads_to_the_partition(void **state)
{
    fake_devices_make(&fake, *state);
    fake_dir("/", 7, 0);
    fake_block("/dev/sda2", 8, 2);
    fake_sys_device(&fake, "loop0", NULL, 7, 0);
    fake_sys_backing_file(&fake, 7, 0, "/dev/sda2");
    struct block_stack s = under("/", LAYER_LOWER);
    assert_true(block_stack_has(&s, block(8, 2)));
    assert_int_equal(s.count, 2);
}

static const char overlay[] =
    "20 1 0:18 / /proc rw,nosuid - proc proc rw\n"
    "broken line\n"
    "1 2 3 4 5\n"
    "31 20 0:30 / / rw,relatime shared:1 - overlay overlay "
    "rw,lowerdir=/lower\\040one:/lower2,upperdir=/data/up,workdir=/data/work\n";

static void an_overlay_is_looked_through_to_its_lower_or_upper_layer(void **state)
{
    fake_devices_make(&fake, *state);
    put_mountinfo(overlay);
    fake_dir("/", 0, 30);
    fake_dir("/lower one", 8, 2);
    fake_dir("/lower2", 8, 5);
    fake_dir("/data/up", 8, 4);
    struct block_stack lower = under("/", LAYER_LOWER);
    assert_true(block_stack_has(&lower, block(8, 2)));
    assert_true(block_stack_has(&lower, block(8, 5)));
    assert_false(block_stack_has(&lower, block(8, 4)));
    struct block_stack upper = under("/", LAYER_UPPER);
    assert_true(block_stack_has(&upper, block(8, 4)));
    assert_false(block_stack_has(&upper, block(8, 2)));
}

static void a_directory_inside_an_overlay_is_found_by_its_number(void **state)
{
    fake_devices_make(&fake, *state);
    put_mountinfo(overlay);
    fake_dir("/var/lib/vv", 0, 30);
    fake_dir("/data/up", 8, 4);
    struct block_stack s = under("/var/lib/vv", LAYER_UPPER);
    assert_true(block_stack_has(&s, block(8, 4)));
}

static void layers_that_are_given_one_by_one_are_all_seen(void **state)
{
    fake_devices_make(&fake, *state);
    put_mountinfo("31 20 0:30 / / rw - overlay overlay rw,lowerdir+=/x,lowerdir+=/y\n");
    fake_dir("/", 0, 30);
    fake_dir("/x", 8, 2);
    fake_dir("/y", 8, 3);
    struct block_stack s = under("/", LAYER_LOWER);
    assert_true(block_stack_has(&s, block(8, 2)));
    assert_true(block_stack_has(&s, block(8, 3)));
}

static void a_layer_that_cannot_be_seen_is_left_out(void **state)
{
    fake_devices_make(&fake, *state);
    put_mountinfo(overlay);
    fake_dir("/", 0, 30);
    assert_int_equal(under("/", LAYER_LOWER).count, 1);
}

static void a_file_system_without_a_number_is_found_by_its_source(void **state)
{
    fake_devices_make(&fake, *state);
    // The number of a btrfs subvolume is not the one mountinfo shows: its mount point decides, and
    // the last mount there is the visible one.
    put_mountinfo("30 1 0:2 / / rw - rootfs rootfs rw\n"
                  "31 30 0:26 /@ / rw - btrfs /dev/sda2 rw,subvol=/@\n");
    fake_dir("/", 0, 29);
    fake_block("/dev/sda2", 8, 2);
    struct block_stack s = under("/", LAYER_LOWER);
    assert_true(block_stack_has(&s, block(8, 2)));
}

static void without_mountinfo_there_is_just_the_number(void **state)
{
    fake_devices_make(&fake, *state);
    fake_dir("/", 0, 30);
    assert_int_equal(under("/", LAYER_LOWER).count, 1);
}

static void a_missing_path_is_an_error(void **state)
{
    struct error e;
    struct block_stack s;
    fake_devices_make(&fake, *state);
    assert_fails(ERR_IO, "/none", block_stack_under(&fake.view, "/none", LAYER_LOWER, &s, &e));
    assert_int_equal(e.sys, ENOENT);
}

static void devices_and_files_have_identities_and_directories_have_not(void **state)
{
    struct block_id id;
    fake_devices_make(&fake, *state);
    fake_block("/dev/sda2", 8, 2);
    fake_file("/data/a.img", 8, 4, 77);
    fake_dir("/data", 8, 4);
    assert_true(block_id_of(&fake.view, "/dev/sda2", &id));
    assert_true(id.dev == makedev(8, 2) && id.ino == 0);
    assert_true(block_id_of(&fake.view, "/data/a.img", &id));
    assert_true(id.dev == makedev(8, 4) && id.ino == 77);
    assert_false(block_id_of(&fake.view, "/data", &id));
    assert_false(block_id_of(&fake.view, "/none", &id));
}

static void the_disk_of_a_partition_is_the_device_above_it(void **state)
{
    char disk[BLOCK_DISK_MAX];
    char same[BLOCK_DISK_MAX];
    fake_devices_make(&fake, *state);
    fake_sys_device(&fake, "sda", NULL, 8, 0);
    fake_sys_device(&fake, "sda", "sda2", 8, 2);
    fake_sys_device(&fake, "sda", "sda3", 8, 3);
    fake_sys_device(&fake, "sdb", "sdb3", 8, 19);
    assert_true(block_disk_of(&fake.view, makedev(8, 2), disk));
    assert_contains(disk, "/sda");
    assert_true(block_disk_of(&fake.view, makedev(8, 3), same));
    assert_string_equal(disk, same);
    assert_true(block_disk_of(&fake.view, makedev(8, 0), same));
    assert_string_equal(disk, same);
    assert_true(block_disk_of(&fake.view, makedev(8, 19), same));
    assert_contains(same, "/sdb");
    assert_false(block_disk_of(&fake.view, makedev(8, 99), same));
}

static void the_real_system_can_be_looked_at(void **state)
{
    struct error e;
    struct block_stack s;
    (void)state;
    assert_ok(block_stack_under(&block_view_system, "/", LAYER_LOWER, &s, &e));
    assert_true(s.count >= 1);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(a_plain_partition_is_the_whole_stack),
        WITH_DIR(device_mapper_is_looked_through_to_its_lowest_device),
        WITH_DIR(a_mount_for_writing_is_seen_and_one_for_reading_is_not),
        WITH_DIR(devices_that_refer_to_each_other_end_the_walk),
        WITH_DIR(more_devices_than_fit_are_left_out),
        WITH_DIR(a_slave_without_a_number_is_left_out),
        WITH_DIR(a_loop_device_leads_to_its_file_and_the_disk_that_holds_it),
        WITH_DIR(a_loop_device_on_a_partition_leads_to_the_partition),
        WITH_DIR(an_overlay_is_looked_through_to_its_lower_or_upper_layer),
        WITH_DIR(a_directory_inside_an_overlay_is_found_by_its_number),
        WITH_DIR(layers_that_are_given_one_by_one_are_all_seen),
        WITH_DIR(a_layer_that_cannot_be_seen_is_left_out),
        WITH_DIR(a_file_system_without_a_number_is_found_by_its_source),
        WITH_DIR(without_mountinfo_there_is_just_the_number),
        WITH_DIR(a_missing_path_is_an_error),
        WITH_DIR(devices_and_files_have_identities_and_directories_have_not),
        WITH_DIR(the_disk_of_a_partition_is_the_device_above_it),
        cmocka_unit_test(the_real_system_can_be_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
