// SPDX-License-Identifier: Apache-2.0
#include "updater/config_check.h"

#include "tests/support/expect.h"
#include "tests/support/fake_devices.h"
#include "tests/support/temp_dir.h"
#include "updater/config_build.h"

static struct fake_devices fake;

// Two slots of two partitions on one disk, state on a third partition.
static void make_disk(const char *dir)
{
    fake_devices_make(&fake, dir);
    fake_block("/dev/boot-a", 8, 1);
    fake_block("/dev/root-a", 8, 2);
    fake_block("/dev/boot-b", 8, 3);
    fake_block("/dev/root-b", 8, 4);
    fake_dir("/data", 8, 5);
}

static struct config *build(const char *slots, const char *state_dir)
{
    struct error e;
    char text[2048];
    struct config *c = NULL;
    CLEANUP(conf_clear) struct conf raw = {0};
    snprintf(text, sizeof text,
             "[device]\nproduct=p\ncompatible=c\nstate_dir=%s\n[trust]\nroots=/t\n%s", state_dir,
             slots);
    assert_ok(conf_add_text(&raw, "x.conf", text, strlen(text), &e));
    assert_ok(config_build(&raw, &c, &e));
    return c;
}

static const char good_slots[] = "[slot a]\nboot=/dev/boot-a\nrootfs=/dev/root-a\n"
                                 "[slot b]\nboot=/dev/boot-b\nrootfs=/dev/root-b\n";

static enum err check(const char *slots, const char *state_dir, struct error *e)
{
    CLEANUP(cleanup_config) struct config *c = build(slots, state_dir);
    return config_check(c, &fake.view, e);
}

static void two_whole_slots_and_a_state_directory_elsewhere_are_fine(void **state)
{
    struct error e;
    make_disk(*state);
    assert_ok(check(good_slots, "/data", &e));
}

static void a_directory_source_wants_a_directory_or_a_url(void **state)
{
    static const char *const rest[] = {"", "dir=/data/drop\n", "url=http://h/x.vvi\n",
                                       "dir=/data/drop\nurl=http://h/x.vvi\n"};
    struct error e;
    char text[512];
    make_disk(*state);
    for (size_t i = 0; i < sizeof rest / sizeof rest[0]; i++) {
        snprintf(text, sizeof text, "%s[fleet]\nsource=dir\n%s", good_slots, rest[i]);
        if (i == 1 || i == 2) {
            assert_ok(check(text, "/data", &e));
        } else {
            assert_fails(ERR_CONFIG, "x.conf:14: source: [fleet] the source dir wants either",
                         check(text, "/data", &e));
        }
    }
    assert_ok(check("[slot a]\nboot=/dev/boot-a\nrootfs=/dev/root-a\n"
                    "[slot b]\nboot=/dev/boot-b\nrootfs=/dev/root-b\n"
                    "[fleet]\nsource=none\n",
                    "/data", &e));
}

static void a_slot_path_that_is_missing_is_refused(void **state)
{
    struct error e;
    make_disk(*state);
    assert_fails(ERR_CONFIG, "x.conf:12: rootfs: [slot b] /dev/none: No such file",
                 check("[slot a]\nboot=/dev/boot-a\nrootfs=/dev/root-a\n"
                       "[slot b]\nboot=/dev/boot-b\nrootfs=/dev/none\n",
                       "/data", &e));
}

static void a_slot_path_that_is_a_directory_is_refused(void **state)
{
    struct error e;
    make_disk(*state);
    assert_fails(ERR_CONFIG, "is neither a block device nor a regular file",
                 check("[slot a]\nrootfs=/dev/root-a\n[slot b]\nrootfs=/data\n", "/data", &e));
}

static void the_same_device_for_both_slots_is_refused(void **state)
{
    struct error e;
    make_disk(*state);
    fake_block("/dev/disk/by-partlabel/rootfs-b", 8, 2);
    assert_fails(ERR_CONFIG, "is the same device or file as rootfs of [slot a]",
                 check("[slot a]\nrootfs=/dev/root-a\n"
                       "[slot b]\nrootfs=/dev/disk/by-partlabel/rootfs-b\n",
                       "/data", &e));
    assert_contains(e.msg, "x.conf:10: rootfs: [slot b]");
}

static void the_same_device_twice_within_a_slot_is_refused(void **state)
{
    struct error e;
    make_disk(*state);
    assert_fails(ERR_CONFIG, "is the same device or file as boot of [slot b]",
                 check("[slot a]\nboot=/dev/boot-a\nrootfs=/dev/root-a\n"
                       "[slot b]\nboot=/dev/boot-b\nrootfs=/dev/boot-b\n",
                       "/data", &e));
}

static void two_links_to_one_file_are_the_same_slot(void **state)
{
    struct error e;
    make_disk(*state);
    fake_file("/data/a.img", 8, 5, 11);
    fake_file("/data/b.img", 8, 5, 12);
    fake_file("/data/link.img", 8, 5, 11);
    assert_ok(check("[slot a]\nrootfs=/data/a.img\n[slot b]\nrootfs=/data/b.img\n", "/data", &e));
    assert_fails(
        ERR_CONFIG, "is the same device or file",
        check("[slot a]\nrootfs=/data/a.img\n[slot b]\nrootfs=/data/link.img\n", "/data", &e));
}

static void slots_with_different_partitions_are_refused(void **state)
{
    struct error e;
    make_disk(*state);
    assert_fails(ERR_CONFIG, "boot: [slot a] has a partition of this name, [slot b] has not",
                 check("[slot a]\nboot=/dev/boot-a\nrootfs=/dev/root-a\n"
                       "[slot b]\nrootfs=/dev/root-b\n",
                       "/data", &e));
    assert_fails(ERR_CONFIG, "boot: [slot b] has a partition of this name, [slot a] has not",
                 check("[slot a]\nrootfs=/dev/root-a\n"
                       "[slot b]\nboot=/dev/boot-b\nrootfs=/dev/root-b\n",
                       "/data", &e));
}

static void equal_boot_names_or_boot_values_are_refused(void **state)
{
    struct error e;
    make_disk(*state);
    assert_fails(ERR_CONFIG, "[slot b] has the same boot name as [slot a]",
                 check("[slot a]\nbootname=X\nrootfs=/dev/root-a\n"
                       "[slot b]\nbootname=X\nrootfs=/dev/root-b\n",
                       "/data", &e));
    assert_fails(ERR_CONFIG, "[slot b] has the same boot value as [slot a]",
                 check("[slot a]\nbootvalue=7\nrootfs=/dev/root-a\n"
                       "[slot b]\nbootvalue=7\nrootfs=/dev/root-b\n",
                       "/data", &e));
    // Neither has one: contract order does not use them.
    assert_ok(
        check("[slot left]\nrootfs=/dev/root-a\n[slot right]\nrootfs=/dev/root-b\n", "/data", &e));
}

static void a_boot_name_that_is_the_other_slots_name_is_refused(void **state)
{
    struct error e;
    make_disk(*state);
    assert_fails(ERR_CONFIG, "bootname: [slot a] has the name of the other slot as its boot name",
                 check("[slot a]\nbootname=b\nrootfs=/dev/root-a\n"
                       "[slot b]\nrootfs=/dev/root-b\n",
                       "/data", &e));
    assert_fails(ERR_CONFIG, "bootname: [slot b] has the name of the other slot as its boot name",
                 check("[slot a]\nrootfs=/dev/root-a\n"
                       "[slot b]\nbootname=a\nrootfs=/dev/root-b\n",
                       "/data", &e));
}

static void a_missing_state_directory_is_refused(void **state)
{
    struct error e;
    make_disk(*state);
    assert_fails(ERR_CONFIG, "x.conf:4: state_dir: [device] /none: No such file",
                 check(good_slots, "/none", &e));
    fake_file("/data/file", 8, 5, 9);
    assert_fails(ERR_CONFIG, "/data/file is not a directory", check(good_slots, "/data/file", &e));
}

static void a_state_directory_on_a_slot_is_refused(void **state)
{
    struct error e;
    make_disk(*state);
    fake_dir("/var/lib/vv", 8, 2);
    assert_fails(ERR_CONFIG, "/var/lib/vv lies on rootfs of [slot a] and would be lost",
                 check(good_slots, "/var/lib/vv", &e));
    fake_dir("/mnt/b", 8, 3);
    assert_fails(ERR_CONFIG, "/mnt/b lies on boot of [slot b]", check(good_slots, "/mnt/b", &e));
}

static void a_state_directory_on_a_slot_below_device_mapper_is_refused(void **state)
{
    struct error e;
    make_disk(*state);
    fake_dir("/var/lib/vv", 254, 0);
    fake_sys_device(&fake, "dm-0", NULL, 254, 0);
    fake_sys_slave(&fake, 254, 0, "sda2", 8, 2);
    assert_fails(ERR_CONFIG, "lies on rootfs of [slot a]", check(good_slots, "/var/lib/vv", &e));
}

static void a_state_directory_in_a_slot_file_is_refused(void **state)
{
    struct error e;
    make_disk(*state);
    fake_file("/data/a.img", 8, 5, 11);
    fake_file("/data/b.img", 8, 5, 12);
    fake_dir("/mnt/state", 7, 3);
    fake_sys_device(&fake, "loop3", NULL, 7, 3);
    fake_sys_backing_file(&fake, 7, 3, "/data/b.img");
    assert_fails(
        ERR_CONFIG, "/mnt/state lies on rootfs of [slot b]",
        check("[slot a]\nrootfs=/data/a.img\n[slot b]\nrootfs=/data/b.img\n", "/mnt/state", &e));
}

// Of an overlay the layer that is written to counts: on the data partition it outlives the switch.
static void a_state_directory_on_an_overlay_is_where_its_upper_layer_is(void **state)
{
    struct error e;
    make_disk(*state);
    FILE *f = fopen(fake.mountinfo, "we");
    assert_non_null(f);
    fputs("31 1 0:30 / / rw - overlay overlay rw,lowerdir=/ro,upperdir=/rw,workdir=/w\n", f);
    assert_int_equal(fclose(f), 0);
    fake_dir("/var/lib/vv", 0, 30);
    fake_dir("/ro", 8, 2);
    fake_dir("/rw", 8, 5);
    assert_ok(check(good_slots, "/var/lib/vv", &e));
    fake_devices_make(&fake, *state);
    make_disk(*state);
    fake_dir("/var/lib/vv", 0, 30);
    fake_dir("/ro", 8, 5);
    fake_dir("/rw", 8, 2);
    assert_fails(ERR_CONFIG, "lies on rootfs of [slot a]", check(good_slots, "/var/lib/vv", &e));
}

static void entries_are_found_by_section_and_key(void **state)
{
    make_disk(*state);
    CLEANUP(cleanup_config) struct config *c = build(good_slots, "/data");
    assert_int_equal(config_entry(c, "slot", "b", "rootfs")->line, 12);
    assert_string_equal(config_entry(c, "device", NULL, "product")->value, "p");
    assert_null(config_entry(c, "slot", "c", "rootfs"));
    assert_null(config_entry(c, "device", NULL, "id"));
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(two_whole_slots_and_a_state_directory_elsewhere_are_fine),
        WITH_DIR(a_directory_source_wants_a_directory_or_a_url),
        WITH_DIR(a_slot_path_that_is_missing_is_refused),
        WITH_DIR(a_slot_path_that_is_a_directory_is_refused),
        WITH_DIR(the_same_device_for_both_slots_is_refused),
        WITH_DIR(the_same_device_twice_within_a_slot_is_refused),
        WITH_DIR(two_links_to_one_file_are_the_same_slot),
        WITH_DIR(slots_with_different_partitions_are_refused),
        WITH_DIR(equal_boot_names_or_boot_values_are_refused),
        WITH_DIR(a_boot_name_that_is_the_other_slots_name_is_refused),
        WITH_DIR(a_missing_state_directory_is_refused),
        WITH_DIR(a_state_directory_on_a_slot_is_refused),
        WITH_DIR(a_state_directory_on_a_slot_below_device_mapper_is_refused),
        WITH_DIR(a_state_directory_in_a_slot_file_is_refused),
        WITH_DIR(a_state_directory_on_an_overlay_is_where_its_upper_layer_is),
        WITH_DIR(entries_are_found_by_section_and_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
