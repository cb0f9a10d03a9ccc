// SPDX-License-Identifier: Apache-2.0
#include "bootloader/fw_env_config.h"

#include "base/cleanup.h"
#include "tests/support/expect.h"
#include "tests/support/loop_device.h"
#include "tests/support/temp_dir.h"

#include <linux/major.h>
#include <sys/sysmacros.h>

static void two_copies_are_read_with_their_numbers(void **state)
{
    (void)state;
    struct error e;
    struct fw_env_config config;
    assert_ok(fw_env_config_parse("f",
                                  "# where the environment lies\n"
                                  "\n"
                                  "  /dev/mmcblk0\t0x400000   0x4000\n"
                                  "/dev/mmcblk0 8388608 4000 # the second copy\n",
                                  &config, &e));
    assert_string_equal(config.copies[0].path, "/dev/mmcblk0");
    assert_int_equal(config.copies[0].off_bytes, 0x400000);
    assert_int_equal(config.copies[1].off_bytes, 0x800000);
    assert_int_equal(config.size_bytes, 0x4000);
}

static void the_columns_of_raw_flash_are_accepted(void **state)
{
    (void)state;
    struct error e;
    struct fw_env_config config;
    assert_ok(
        fw_env_config_parse("f", "env 0 0x2000 0x2000\nenv 0x2000 0x2000 2000 2\n", &config, &e));
    assert_int_equal(config.copies[1].off_bytes, 0x2000);
}

static void an_offset_may_count_from_the_end_or_be_octal_as_in_c(void **state)
{
    (void)state;
    struct error e;
    struct fw_env_config config;
    assert_ok(
        fw_env_config_parse("f", "/dev/sda -0x8000 0x4000\n/dev/sda 01000 0x4000", &config, &e));
    assert_int_equal(config.copies[0].off_bytes, -0x8000);
    assert_int_equal(config.copies[1].off_bytes, 512);
}

static void a_line_that_is_wrong_is_refused_with_its_number(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *part;
    } rows[] = {
        {"env", "needs a path, an offset and a size"},
        {"env 0", "needs a path, an offset and a size"},
        {"env 0 0x4000 0x200 8 9", "at most two more numbers"},
        {"env 0 0x4000 0x200 8 9 10 11", "at most two more numbers"},
        {"env zero 0x4000", "the offset zero is no number"},
        {"env 0x 0x4000", "the offset 0x is no number"},
        {"env 99999999999999999999 0x4000", "is no number"},
        {"env 12k 0x4000", "the offset 12k is no number"},
        {"env 0x100 0x4000", "the offset 0x100 must be a multiple of 512"},
        {"env -1 0x4000", "must be a multiple of 512"},
        {"env 0 big", "the environment size big is no hexadecimal number"},
        {"env 0 -4000", "is no hexadecimal number"},
        {"env 0 +4000", "is no hexadecimal number"},
        {"env 0 0x4000k", "is no hexadecimal number"},
        {"env 0 0", "size 0 must be a multiple of 512"},
        {"env 0 0x4001", "size 0x4001 must be a multiple of 512"},
        {"env 0 16384", "read as hexadecimal"},
        {"env 0 0x100200", "at most 1 MiB"},
        {"env 0 0x4000 sector", "sector is no hexadecimal number"},
        {"env 0 0x4000 0x200 many", "many is no hexadecimal number"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e;
        char text[256];
        struct fw_env_config config;
        snprintf(text, sizeof text, "# first\nother 0 0x4000\n%s\n", rows[i].line);
        assert_fails(ERR_CONFIG, rows[i].part,
                     fw_env_config_parse("/etc/fw_env.config", text, &config, &e));
        assert_contains(e.msg, "/etc/fw_env.config:3: ");
    }
}

static void a_path_the_library_would_cut_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct fw_env_config config;
    char text[400];
    memset(text, 'p', sizeof text);
    strcpy(text + 255, " 0 0x4000\nq 0 0x4000\n");
    assert_ok(fw_env_config_parse("f", text, &config, &e));
    assert_int_equal(strlen(config.copies[0].path), 255);
    memset(text, 'p', sizeof text);
    strcpy(text + 256, " 0 0x4000\nq 0 0x4000\n");
    assert_fails(ERR_CONFIG, "f:1: the path is longer than 255 bytes",
                 fw_env_config_parse("f", text, &config, &e));
}

static void there_are_two_copies_no_more_no_less(void **state)
{
    (void)state;
    struct error e;
    struct fw_env_config config;
    assert_fails(ERR_CONFIG, "two copies of the environment are needed, here 0",
                 fw_env_config_parse("f", "# nothing\n", &config, &e));
    assert_fails(ERR_CONFIG, "two copies of the environment are needed, here 1",
                 fw_env_config_parse("f", "env 0 0x4000\n", &config, &e));
    assert_fails(
        ERR_CONFIG, "f:3: a third copy",
        fw_env_config_parse("f", "env 0 4000\nenv 0x4000 4000\nenv 0x8000 4000\n", &config, &e));
}

static void copies_of_two_sizes_are_refused(void **state)
{
    (void)state;
    struct error e;
    struct fw_env_config config;
    assert_fails(ERR_CONFIG, "both copies must have one size, here 0x4000 and 0x2000",
                 fw_env_config_parse("f", "env 0 4000\nenv 0x4000 2000\n", &config, &e));
}

// --- with devices -----------------------------------------------------------------------------

// DIR/NAME, empty.
static const char *make_file(char buf[256], const char *dir, const char *name)
{
    temp_dir_path(buf, 256, dir, name);
    FILE *out = fopen(buf, "we");
    assert_non_null(out);
    assert_int_equal(fclose(out), 0);
    return buf;
}

static enum err read_text(const char *dir, const char *text, struct fw_env_config *ret,
                          struct error *e)
{
    char path[256];
    make_file(path, dir, "fw_env.config");
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    return fw_env_config_read(path, ret, e);
}

static enum err read_places(const char *dir, const char *path_0, const char *off_0,
                            const char *path_1, const char *off_1, struct fw_env_config *ret,
                            struct error *e)
{
    char text[1200];
    snprintf(text, sizeof text, "%s %s 0x4000\n%s %s 0x4000\n", path_0, off_0, path_1, off_1);
    return read_text(dir, text, ret, e);
}

static void copies_that_overlap_are_refused(void **state)
{
    static const struct {
        const char *first, *second;
        bool overlap;
    } rows[] = {
        {"0", "0x4000", false},     {"0x4000", "0", false},     {"0", "0", true},
        {"0", "0x3e00", true},      {"0x3e00", "0", true},      {"0x8000", "0x4000", false},
        {"0x8000", "0x4200", true}, {"0x8000", "0x8200", true},
    };
    char env[256];
    make_file(env, *state, "env");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e;
        struct fw_env_config config;
        if (rows[i].overlap) {
            assert_fails(ERR_CONFIG, "the two copies of the environment overlap",
                         read_places(*state, env, rows[i].first, env, rows[i].second, &config, &e));
        } else {
            assert_ok(read_places(*state, env, rows[i].first, env, rows[i].second, &config, &e));
        }
    }
}

static void one_file_under_two_names_is_one_file(void **state)
{
    struct error e;
    struct fw_env_config config;
    char env[256];
    char symlink_path[256];
    char hard[256];
    make_file(env, *state, "env");
    temp_dir_path(symlink_path, sizeof symlink_path, *state, "soft");
    temp_dir_path(hard, sizeof hard, *state, "hard");
    assert_int_equal(symlink(env, symlink_path), 0);
    assert_int_equal(link(env, hard), 0);
    assert_fails(ERR_CONFIG, "overlap",
                 read_places(*state, env, "0", symlink_path, "0", &config, &e));
    assert_fails(ERR_CONFIG, "overlap", read_places(*state, env, "0", hard, "0", &config, &e));
    assert_ok(read_places(*state, symlink_path, "0", hard, "0x4000", &config, &e));
    assert_string_equal(config.copies[0].path, env);
}

static void two_files_may_use_the_same_offset(void **state)
{
    struct error e;
    struct fw_env_config config;
    char env_0[256];
    char env_1[256];
    make_file(env_0, *state, "uboot.env");
    make_file(env_1, *state, "uboot-redund.env");
    assert_ok(read_places(*state, env_0, "0", env_1, "0", &config, &e));
    assert_string_equal(config.copies[1].path, env_1);
}

static void a_relative_path_starts_at_the_working_directory(void **state)
{
    struct error e;
    struct fw_env_config config;
    char env[256];
    make_file(env, *state, "env");
    char before[256];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(*state), 0);
    assert_ok(read_places(*state, "env", "0", "./env", "0x4000", &config, &e));
    assert_int_equal(chdir(before), 0);
    assert_string_equal(config.copies[0].path, env);
    assert_string_equal(config.copies[1].path, env);
}

static void what_is_missing_or_no_device_is_refused(void **state)
{
    struct error e;
    struct fw_env_config config;
    char env[256];
    make_file(env, *state, "env");
    char missing[256];
    temp_dir_path(missing, sizeof missing, *state, "missing");
    assert_fails(ERR_CONFIG, "missing: No such file",
                 read_places(*state, env, "0", missing, "0", &config, &e));
    assert_contains(e.msg, "fw_env.config: ");
    assert_fails(ERR_CONFIG, "neither a block device nor a regular file",
                 read_places(*state, env, "0", *state, "0", &config, &e));
    assert_fails(ERR_CONFIG, "raw flash is not supported",
                 read_places(*state, "/dev/null", "0", env, "0", &config, &e));
}

static void a_block_device_on_raw_flash_is_refused(void **state)
{
    struct error e;
    struct fw_env_config config;
    char env[256];
    make_file(env, *state, "env");
    char flash[256];
    temp_dir_path(flash, sizeof flash, *state, "mtdblock0");
    if (mknod(flash, S_IFBLK | 0600, makedev(MTD_BLOCK_MAJOR, 0)) != 0) {
        skip(); // needs root
    }
    assert_fails(ERR_CONFIG, "raw flash is not supported",
                 read_places(*state, flash, "0", env, "0", &config, &e));
}

static void an_offset_from_the_end_of_a_file_is_refused(void **state)
{
    struct error e;
    struct fw_env_config config;
    char env[256];
    make_file(env, *state, "env");
    assert_fails(ERR_CONFIG, "an offset below 0 counts from the end of a block device",
                 read_places(*state, env, "-0x8000", env, "0", &config, &e));
    assert_fails(ERR_CONFIG, "the offset is too large",
                 read_places(*state, env, "0x7ffffffffffffe00", env, "0", &config, &e));
}

static void an_offset_below_0_counts_from_the_end_of_a_block_device(void **state)
{
    struct error e;
    struct fw_env_config config;
    char disk[256];
    make_file(disk, *state, "disk");
    assert_int_equal(truncate(disk, 1024 * 1024), 0);
    char loop[64];
    CLEANUP(cleanup_close) int fd = loop_device_attach(disk, loop, sizeof loop);
    if (fd < 0) {
        skip(); // needs root and loop devices
    }
    assert_ok(read_places(*state, loop, "-0x8000", loop, "-0x4000", &config, &e));
    assert_int_equal(config.copies[0].off_bytes, 0x100000 - 0x8000);
    assert_int_equal(config.copies[1].off_bytes, 0x100000 - 0x4000);
    assert_fails(ERR_CONFIG, "overlap",
                 read_places(*state, loop, "-0x4000", loop, "0xfc000", &config, &e));
    assert_fails(ERR_CONFIG, "the offset lies before the device",
                 read_places(*state, loop, "-0x100200", loop, "0", &config, &e));
}

static void a_file_that_is_missing_or_no_text_is_a_mistake_of_the_configuration(void **state)
{
    struct error e;
    struct fw_env_config config;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "nothing");
    assert_fails(ERR_CONFIG, "nothing", fw_env_config_read(path, &config, &e));

    make_file(path, *state, "binary");
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    assert_int_equal(fwrite("env 0\0x4000\n", 1, 12, out), 12);
    assert_int_equal(fclose(out), 0);
    assert_fails(ERR_CONFIG, "binary: a zero byte", fw_env_config_read(path, &config, &e));
}

int main(void)
{
#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_copies_are_read_with_their_numbers),
        cmocka_unit_test(the_columns_of_raw_flash_are_accepted),
        cmocka_unit_test(an_offset_may_count_from_the_end_or_be_octal_as_in_c),
        cmocka_unit_test(a_line_that_is_wrong_is_refused_with_its_number),
        cmocka_unit_test(a_path_the_library_would_cut_is_refused),
        cmocka_unit_test(there_are_two_copies_no_more_no_less),
        cmocka_unit_test(copies_of_two_sizes_are_refused),
        IN_DIR(copies_that_overlap_are_refused),
        IN_DIR(one_file_under_two_names_is_one_file),
        IN_DIR(two_files_may_use_the_same_offset),
        IN_DIR(a_relative_path_starts_at_the_working_directory),
        IN_DIR(what_is_missing_or_no_device_is_refused),
        IN_DIR(a_block_device_on_raw_flash_is_refused),
        IN_DIR(an_offset_from_the_end_of_a_file_is_refused),
        IN_DIR(an_offset_below_0_counts_from_the_end_of_a_block_device),
        IN_DIR(a_file_that_is_missing_or_no_text_is_a_mistake_of_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
