// SPDX-License-Identifier: Apache-2.0
// The hazards of libubootenv's write path, numbered as in docs/bootloader.md, one or more tests
// each
// (the last of them is in test_bootenv_uboot.c). fsync() and write() of this program, and so of the
// library in it, can be made to lie.

// Hazard 10: stands first, so that it is compiled with nothing before it.
#include "bootloader/bootenv_uboot.h"

#include "bootloader/fw_env_config.h"
#include "tests/support/env_file.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>

// Longer than any test that runs beside this one holds the library's lock, which is one for all.
enum { WAIT_MS = 60 * 1000, LIBRARY_LOCK_HELD_MS = 1000 };

static const char *const variables[] = {"BOOT_ORDER=A B", "bootcmd=run it", NULL};

// The file whose writes are counted, lost or not synced.
static struct {
    struct stat file;
    bool lose_writes;
    bool fail_syncs;
    unsigned writes;
} medium;

static bool is_medium(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_dev == medium.file.st_dev &&
           st.st_ino == medium.file.st_ino;
}

ssize_t write(int fd, const void *buf, size_t len)
{
    if (is_medium(fd)) {
        medium.writes++;
        if (medium.lose_writes) {
            return (ssize_t)len;
        }
    }
    return syscall(SYS_write, fd, buf, len);
}

// A failed write-back is reported once to each descriptor that was open then.
int fsync(int fd)
{
    if (is_medium(fd) && medium.fail_syncs) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

static struct bootenv *open_env(const struct env_file *f)
{
    struct error e;
    struct bootenv *env = NULL;
    assert_ok(bootenv_uboot_open(f->config, NULL, WAIT_MS, &env, &e));
    return env;
}

// A loaded environment in which vv_trial was set.
static struct bootenv *open_and_set(const struct env_file *f)
{
    struct error e;
    struct bootenv *env = open_env(f);
    assert_ok(bootenv_load(env, &e));
    assert_ok(bootenv_set(env, "vv_trial", "b", &e));
    return env;
}

struct snapshot {
    uint8_t copies[2][ENV_FILE_SIZE];
};

static void take_snapshot(const struct env_file *f, struct snapshot *s)
{
    env_file_read_copy(f, 0, s->copies[0]);
    env_file_read_copy(f, 1, s->copies[1]);
}

static void check_untouched(const struct env_file *f, const struct snapshot *before)
{
    static struct snapshot now;
    take_snapshot(f, &now);
    assert_memory_equal(&now, before, sizeof now);
}

static void start_medium(const struct env_file *f)
{
    memset(&medium, 0, sizeof medium);
    assert_int_equal(stat(f->image, &medium.file), 0);
}

static int stop_medium(void **state)
{
    memset(&medium, 0, sizeof medium);
    return temp_dir_remove(state);
}

static void hazard_1_a_failed_sync_is_an_error(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    start_medium(&f);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_and_set(&f);
    medium.fail_syncs = true;
    bool stored;
    assert_fails(ERR_IO, "the boot environment did not reach the medium",
                 bootenv_commit(env, &stored, &e));
    assert_int_equal(e.sys, EIO);
    medium.fail_syncs = false;
    assert_fails(ERR_IO, "was not read; nothing was written", bootenv_commit(env, &stored, &e));
    assert_fails(ERR_IO, "was not read; vv_trial cannot be set",
                 bootenv_set(env, "vv_trial", "b", &e));
    assert_ok(bootenv_load(env, &e));
}

static void hazard_1_a_store_that_was_lost_is_an_error(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    start_medium(&f);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_and_set(&f);
    medium.lose_writes = true;
    bool stored;
    assert_fails(ERR_IO, "reads back otherwise than it was stored (vv_trial)",
                 bootenv_commit(env, &stored, &e));
    medium.lose_writes = false;
    assert_ok(bootenv_load(env, &e));
    assert_null(bootenv_get(env, "vv_trial"));
}

static void hazard_2_copies_that_share_or_split_a_sector_are_refused(void **state)
{
    static const struct {
        unsigned first, second;
        const char *part;
    } rows[] = {
        {0x4000, 0x4100, "must be a multiple of 512"},
        {0x4001, 0x404000, "must be a multiple of 512"},
        {0x4000, 0x6000, "overlap"},
        {0x4000, 0x4000, "overlap"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e;
        struct env_file f;
        env_file_make(&f, *state, variables);
        char text[1024];
        snprintf(text, sizeof text, "%s 0x%x 0x4000\n%s 0x%x 0x4000\n", f.image, rows[i].first,
                 f.image, rows[i].second);
        env_file_write_config(&f, text);
        struct bootenv *env = NULL;
        assert_fails(ERR_CONFIG, rows[i].part,
                     bootenv_uboot_open(f.config, NULL, WAIT_MS, &env, &e));
        assert_null(env);
    }
}

static void hazard_3_nothing_is_stored_when_both_copies_are_damaged(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    env_file_damage(&f, 0);
    env_file_damage(&f, 1);
    static struct snapshot before;
    take_snapshot(&f, &before);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
    assert_fails(ERR_IO, "both copies of the boot environment are damaged; nothing was written",
                 bootenv_load(env, &e));
    assert_int_equal(env->copies_good, 0);
    assert_fails(ERR_IO, "cannot be set", bootenv_set(env, "vv_trial", "b", &e));
    bool stored;
    assert_fails(ERR_IO, "nothing was written", bootenv_commit(env, &stored, &e));
    check_untouched(&f, &before);
}

static void hazard_3_copies_damaged_after_the_load_are_not_stored_to(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_and_set(&f);
    env_file_damage(&f, 0);
    env_file_damage(&f, 1);
    static struct snapshot before;
    take_snapshot(&f, &before);
    bool stored;
    assert_fails(ERR_IO, "libubootenv cannot read the boot environment; nothing was written",
                 bootenv_commit(env, &stored, &e));
    check_untouched(&f, &before);
}

static void hazard_4_a_held_lock_is_waited_for_only_so_long(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    CLEANUP(cleanup_bootenv) struct bootenv *ready = open_and_set(&f);
    struct bootenv *env = NULL;
    assert_ok(bootenv_uboot_open(f.config, NULL, LIBRARY_LOCK_HELD_MS, &env, &e));
    assert_ok(bootenv_load(env, &e));
    assert_ok(bootenv_set(env, "vv_trial", "b", &e));

    // As fw_setenv takes it.
    int fd = open("/var/lock/fw_printenv.lock", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    bool stored;
    enum err committed = bootenv_commit(env, &stored, &e);
    struct error load_error = {0};
    enum err loaded = bootenv_load(env, &load_error);
    close(fd);

    assert_int_equal(committed, ERR_AGAIN);
    assert_contains(e.msg, "another program holds the lock");
    assert_int_equal(loaded, ERR_AGAIN);
    assert_int_equal(env_file_flag(&f, 1), 0);
    bootenv_close(env);
    assert_ok(bootenv_commit(ready, &stored, &e));
}

static void hazard_4_a_lock_that_cannot_be_opened_is_an_error(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum err loaded = bootenv_load(env, &e);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(loaded, ERR_IO);
    assert_contains(e.msg, "fw_printenv.lock: the lock file cannot be opened");
}

static void hazard_5_a_protected_variable_is_refused_before_the_store(void **state)
{
    static const char *const rows[] = {".flags=vv_trial:sr", ".flags=vv_trial:so"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e;
        struct env_file f;
        env_file_make(&f, *state, (const char *const[]){rows[i], "vv_trial=a", NULL});
        static struct snapshot before;
        take_snapshot(&f, &before);
        CLEANUP(cleanup_bootenv) struct bootenv *env = open_and_set(&f);
        bool stored;
        assert_fails(ERR_IO, "does not let vv_trial be changed (.flags)",
                     bootenv_commit(env, &stored, &e));
        assert_ok(bootenv_load(env, &e));
        assert_ok(bootenv_set(env, "vv_trial", NULL, &e));
        assert_fails(ERR_IO, "does not let vv_trial be changed (.flags)",
                     bootenv_commit(env, &stored, &e));
        check_untouched(&f, &before);
    }
}

static void hazard_5_flags_the_library_would_rewrite_are_refused_before_the_store(void **state)
{
    // A variable that is not set, a type the library writes otherwise, the default attributes.
    static const char *const rows[] = {".flags=serial#:so", ".flags=bootcmd:xc",
                                       ".flags=bootcmd:sa"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e;
        struct env_file f;
        env_file_make(&f, *state, (const char *const[]){rows[i], "bootcmd=run it", NULL});
        static struct snapshot before;
        take_snapshot(&f, &before);
        CLEANUP(cleanup_bootenv) struct bootenv *env = open_and_set(&f);
        bool stored;
        assert_fails(ERR_IO, "would not keep .flags of the boot environment as it is",
                     bootenv_commit(env, &stored, &e));
        assert_contains(e.msg, "nothing was written");
        check_untouched(&f, &before);
    }
}

static void hazard_5_flags_the_library_keeps_are_no_obstacle(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, (const char *const[]){".flags=bootcmd:sr", "bootcmd=run it", NULL});
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_and_set(&f);
    bool stored;
    assert_ok(bootenv_commit(env, &stored, &e));
    assert_string_equal(bootenv_get(env, ".flags"), "bootcmd:sr");
}

static void hazard_6_many_changes_are_one_store_of_one_copy(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    static struct snapshot before;
    take_snapshot(&f, &before);
    start_medium(&f);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_and_set(&f);
    assert_ok(bootenv_set(env, "BOOT_ORDER", "B A", &e));
    assert_ok(bootenv_set(env, "BOOT_A_LEFT", "3", &e));
    assert_ok(bootenv_set(env, "BOOT_B_LEFT", "3", &e));
    bool stored;
    assert_ok(bootenv_commit(env, &stored, &e));
    assert_int_equal(medium.writes, 1);
    assert_int_equal(env_file_flag(&f, 1), 2);
    uint8_t kept[ENV_FILE_SIZE];
    env_file_read_copy(&f, 0, kept);
    assert_memory_equal(kept, before.copies[0], sizeof kept);
}

static void hazard_7_a_size_that_is_not_u_boots_reads_as_damaged(void **state)
{
    static const unsigned sizes[] = {0x2000, 0x8000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct error e;
        struct env_file f;
        env_file_make(&f, *state, variables);
        assert_int_equal(truncate(f.image, ENV_FILE_OFFSET_1 + 0x8000), 0);
        char text[1024];
        snprintf(text, sizeof text, "%s 0x%x 0x%x\n%s 0x%x 0x%x\n", f.image, ENV_FILE_OFFSET_0,
                 sizes[i], f.image, ENV_FILE_OFFSET_1, sizes[i]);
        env_file_write_config(&f, text);
        static struct snapshot before;
        take_snapshot(&f, &before);
        CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
        assert_fails(ERR_IO, "a size other than U-Boot's CONFIG_ENV_SIZE looks the same",
                     bootenv_load(env, &e));
        check_untouched(&f, &before);
    }
}

// The root of the source tree, from the name this file was compiled under.
static void source_path(char *buf, size_t len, const char *name)
{
    static const char here[] = "tests/bootloader/test_bootenv_uboot_hazards.c";
    size_t root = sizeof __FILE__ - sizeof here;
    snprintf(buf, len, "%.*s%s", (int)root, __FILE__, name);
}

static void hazard_8_the_shipped_example_keeps_the_copies_4_mib_apart(void **state)
{
    (void)state;
    struct error e;
    char path[512];
    source_path(path, sizeof path, "bootloader/fw_env.config");
    FILE *in = fopen(path, "re");
    assert_non_null(in);
    char text[4096] = "";
    assert_true(fread(text, 1, sizeof text - 1, in) > 0);
    assert_int_equal(fclose(in), 0);
    struct fw_env_config config;
    assert_ok(fw_env_config_parse(path, text, &config, &e));
    assert_string_equal(config.copies[0].path, config.copies[1].path);
    int64_t apart = config.copies[1].off_bytes - config.copies[0].off_bytes;
    assert_true(apart >= 4 * 1024 * 1024);
    assert_int_equal(config.copies[0].off_bytes % 4096, 0);
    assert_int_equal(config.copies[1].off_bytes % 4096, 0);
}

static void hazard_9_what_lies_behind_the_last_variable_means_nothing(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    static char data[ENV_FILE_DATA_SIZE];
    memset(data, 'S', sizeof data);
    static const char used[] = "BOOT_ORDER=A B\0bootcmd=run it\0";
    memcpy(data, used, sizeof used);
    static const char leftover[] = "vv_trial=a\0\0";
    memcpy(data + sizeof used + 10, leftover, sizeof leftover);
    env_file_write_copy(&f, 0, 1, data, sizeof data);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
    assert_ok(bootenv_load(env, &e));
    assert_null(bootenv_get(env, "vv_trial"));
    assert_ok(bootenv_set(env, "vv_floor", "3", &e));
    bool stored;
    assert_ok(bootenv_commit(env, &stored, &e));
    assert_null(bootenv_get(env, "vv_trial"));
    assert_string_equal(bootenv_get(env, "bootcmd"), "run it");
}

static void hazard_10_the_header_of_the_library_is_not_in_ours(void **state)
{
    (void)state;
    // libuboot.h does not compile without <stddef.h>; ours stands first in this file. What is
    // left to check is that it does not hand the library's names on.
#ifdef DEVNAME_MAX_LENGTH
    fail_msg("bootenv_uboot.h brings libuboot.h with it");
#endif
}

static void hazard_11_an_environment_with_a_short_copy_is_read_but_not_stored_to(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    assert_int_equal(truncate(f.image, ENV_FILE_OFFSET_1 + 4096), 0);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_and_set(&f);
    assert_int_equal(env->copies_good, 1);
    assert_string_equal(bootenv_get(env, "bootcmd"), "run it");
    bool stored;
    assert_fails(ERR_IO, "copy 2 of the boot environment", bootenv_commit(env, &stored, &e));
    assert_contains(e.msg, "cannot be read (it ends after 4096 of 16384 bytes); repair it first");
    struct stat st;
    assert_int_equal(stat(f.image, &st), 0);
    assert_int_equal(st.st_size, ENV_FILE_OFFSET_1 + 4096);
}

static void hazard_11_an_environment_with_an_unreadable_copy_is_read_but_not_stored_to(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    // Reading it at offset 0 is an I/O error: nothing is mapped there.
    char text[1024];
    snprintf(text, sizeof text, "/proc/self/mem 0 0x%x\n%s 0x%x 0x%x\n", ENV_FILE_SIZE, f.image,
             ENV_FILE_OFFSET_0, ENV_FILE_SIZE);
    env_file_write_config(&f, text);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_and_set(&f);
    assert_int_equal(env->copies_good, 1);
    bool stored;
    assert_fails(ERR_IO, "copy 1 of the boot environment", bootenv_commit(env, &stored, &e));
    assert_contains(e.msg, "Input/output error");
    assert_int_equal(env_file_flag(&f, 0), 1);
}

static void hazard_12_empty_and_absent_are_the_same(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, (const char *const[]){"empty=", "vv_trial=b", "other=1", NULL});
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
    assert_ok(bootenv_load(env, &e));
    assert_null(bootenv_get(env, "empty"));
    assert_ok(bootenv_set(env, "empty", NULL, &e));
    assert_ok(bootenv_set(env, "absent", "", &e));
    bool stored = true;
    assert_ok(bootenv_commit(env, &stored, &e));
    assert_false(stored);
    assert_ok(bootenv_set(env, "vv_trial", "", &e));
    assert_ok(bootenv_commit(env, &stored, &e));
    assert_true(stored);
    uint8_t image[ENV_FILE_SIZE];
    env_file_read_copy(&f, 1, image);
    static const char want[] = "empty=\0other=1\0";
    assert_memory_equal(image + 5, want, sizeof want);
}

int main(void)
{
#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, stop_medium)
    const struct CMUnitTest tests[] = {
        IN_DIR(hazard_1_a_failed_sync_is_an_error),
        IN_DIR(hazard_1_a_store_that_was_lost_is_an_error),
        IN_DIR(hazard_2_copies_that_share_or_split_a_sector_are_refused),
        IN_DIR(hazard_3_nothing_is_stored_when_both_copies_are_damaged),
        IN_DIR(hazard_3_copies_damaged_after_the_load_are_not_stored_to),
        IN_DIR(hazard_4_a_held_lock_is_waited_for_only_so_long),
        IN_DIR(hazard_4_a_lock_that_cannot_be_opened_is_an_error),
        IN_DIR(hazard_5_a_protected_variable_is_refused_before_the_store),
        IN_DIR(hazard_5_flags_the_library_would_rewrite_are_refused_before_the_store),
        IN_DIR(hazard_5_flags_the_library_keeps_are_no_obstacle),
        IN_DIR(hazard_6_many_changes_are_one_store_of_one_copy),
        IN_DIR(hazard_7_a_size_that_is_not_u_boots_reads_as_damaged),
        IN_DIR(hazard_8_the_shipped_example_keeps_the_copies_4_mib_apart),
        IN_DIR(hazard_9_what_lies_behind_the_last_variable_means_nothing),
        IN_DIR(hazard_10_the_header_of_the_library_is_not_in_ours),
        IN_DIR(hazard_11_an_environment_with_a_short_copy_is_read_but_not_stored_to),
        IN_DIR(hazard_11_an_environment_with_an_unreadable_copy_is_read_but_not_stored_to),
        IN_DIR(hazard_12_empty_and_absent_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
