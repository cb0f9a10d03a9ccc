// SPDX-License-Identifier: Apache-2.0
#include "bootloader/env_copies.h"

#include "tests/support/env_file.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

static const char *const variables[] = {"a=1", "b=2", NULL};
static const char *const other_variables[] = {"a=9", NULL};

static struct fw_env_config config_of(const struct env_file *f)
{
    struct fw_env_config config;
    struct error e;
    assert_ok(fw_env_config_read(f->config, &config, &e));
    return config;
}

static void check_variable(const struct env_copies *copies, const char *name, const char *want)
{
    struct error e;
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    assert_ok(env_copies_parse(copies, &vars, &e));
    assert_string_equal(env_vars_get(&vars, name), want);
}

static void of_two_whole_copies_the_newer_one_is_current(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    struct fw_env_config config = config_of(&f);
    for (int newer = 0; newer < 2; newer++) {
        env_file_write_vars(&f, newer, 7, other_variables);
        env_file_write_vars(&f, 1 - newer, 6, variables);
        CLEANUP(env_copies_clear) struct env_copies copies = {.current = -1};
        assert_ok(env_copies_read(&config, &copies, &e));
        assert_int_equal(copies.current, newer);
        assert_true(copies.copies[0].whole && copies.copies[1].whole);
        assert_int_equal(env_copies_unreadable(&copies), -1);
        check_variable(&copies, "a", "9");
    }
}

static void a_damaged_copy_leaves_the_other_one(void **state)
{
    struct error e;
    for (int damaged = 0; damaged < 2; damaged++) {
        struct env_file f;
        env_file_make(&f, *state, variables);
        env_file_damage(&f, damaged);
        struct fw_env_config config = config_of(&f);
        CLEANUP(env_copies_clear) struct env_copies copies = {.current = -1};
        assert_ok(env_copies_read(&config, &copies, &e));
        assert_int_equal(copies.current, 1 - damaged);
        assert_false(copies.copies[damaged].whole);
        assert_int_equal(env_copies_unreadable(&copies), -1);
        check_variable(&copies, "b", "2");
    }
}

static void two_damaged_copies_hold_no_variables(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    env_file_damage(&f, 0);
    env_file_damage(&f, 1);
    struct fw_env_config config = config_of(&f);
    CLEANUP(env_copies_clear) struct env_copies copies = {.current = -1};
    assert_ok(env_copies_read(&config, &copies, &e));
    assert_int_equal(copies.current, -1);
    struct env_vars vars = {0};
    assert_fails(ERR_IO, "both copies of the boot environment are damaged; nothing was written",
                 env_copies_parse(&copies, &vars, &e));
}

static void a_short_file_is_a_finding_and_not_an_error(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    assert_int_equal(truncate(f.image, ENV_FILE_OFFSET_1 + 100), 0);
    struct fw_env_config config = config_of(&f);
    CLEANUP(env_copies_clear) struct env_copies copies = {.current = -1};
    assert_ok(env_copies_read(&config, &copies, &e));
    assert_int_equal(copies.current, 0);
    assert_int_equal(env_copies_unreadable(&copies), 1);
    assert_contains(copies.copies[1].why, "ends after 100 of 16384 bytes");
}

static void an_unreadable_and_a_damaged_copy_are_both_named(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    env_file_damage(&f, 0);
    assert_int_equal(truncate(f.image, ENV_FILE_OFFSET_1), 0);
    struct fw_env_config config = config_of(&f);
    CLEANUP(env_copies_clear) struct env_copies copies = {.current = -1};
    assert_ok(env_copies_read(&config, &copies, &e));
    struct env_vars vars = {0};
    assert_fails(ERR_IO, "copy 2 unreadable (it ends after 0",
                 env_copies_parse(&copies, &vars, &e));
    assert_contains(e.msg, "both copies of the boot environment are damaged");
}

static void a_device_that_vanished_is_a_finding(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    struct fw_env_config config = config_of(&f);
    temp_dir_path(config.copies[0].path, sizeof config.copies[0].path, *state, "gone");
    CLEANUP(env_copies_clear) struct env_copies copies = {.current = -1};
    assert_ok(env_copies_read(&config, &copies, &e));
    assert_int_equal(copies.current, 1);
    assert_int_equal(env_copies_unreadable(&copies), 0);
    assert_contains(copies.copies[0].why, "No such file");
}

static void a_current_copy_without_an_end_is_an_error(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    static char endless[ENV_FILE_DATA_SIZE];
    memset(endless, 'x', sizeof endless);
    env_file_write_copy(&f, 1, 2, endless, sizeof endless);
    struct fw_env_config config = config_of(&f);
    CLEANUP(env_copies_clear) struct env_copies copies = {.current = -1};
    assert_ok(env_copies_read(&config, &copies, &e));
    struct env_vars vars = {0};
    assert_fails(ERR_IO, "have no end", env_copies_parse(&copies, &vars, &e));
}

static void a_change_of_one_byte_is_seen(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    struct fw_env_config config = config_of(&f);
    CLEANUP(env_copies_clear) struct env_copies before = {.current = -1};
    assert_ok(env_copies_read(&config, &before, &e));
    assert_true(env_copies_equal(&before, &before));
    for (int damaged = 0; damaged < 2; damaged++) {
        env_file_damage(&f, damaged);
        CLEANUP(env_copies_clear) struct env_copies after = {.current = -1};
        assert_ok(env_copies_read(&config, &after, &e));
        assert_false(env_copies_equal(&before, &after));
        env_file_damage(&f, damaged); // and back
    }
    assert_int_equal(truncate(f.image, ENV_FILE_OFFSET_1), 0);
    CLEANUP(env_copies_clear) struct env_copies shorter = {.current = -1};
    assert_ok(env_copies_read(&config, &shorter, &e));
    assert_false(env_copies_equal(&before, &shorter));
    assert_false(env_copies_equal(&shorter, &shorter));
}

// Whether it is all said: by the copy in force, or by both.
static bool says(const struct env_copies *copies, const struct env_vars *meant, bool both)
{
    struct error e;
    CLEANUP(env_vars_clear) struct env_vars found = {0};
    bool said = false;
    assert_ok(env_copies_parse(copies, &found, &e));
    assert_ok(env_copies_say(copies, &found, meant, both, &said, &e));
    return said;
}

static void what_is_meant_is_said_by_the_copy_in_force_or_by_both(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    struct fw_env_config config = config_of(&f);
    for (int newer = 0; newer < 2; newer++) {
        CLEANUP(env_vars_clear) struct env_vars meant = {0};
        assert_ok(env_vars_set(&meant, "a", "1", &e));
        assert_ok(env_vars_set(&meant, "b", "2", &e));
        env_file_write_vars(&f, newer, 7, variables);
        env_file_write_vars(&f, 1 - newer, 6, variables);
        CLEANUP(env_copies_clear) struct env_copies equal = {.current = -1};
        assert_ok(env_copies_read(&config, &equal, &e));
        assert_true(says(&equal, &meant, false) && says(&equal, &meant, true));

        env_file_write_vars(&f, 1 - newer, 6, other_variables);
        CLEANUP(env_copies_clear) struct env_copies differ = {.current = -1};
        assert_ok(env_copies_read(&config, &differ, &e));
        assert_true(says(&differ, &meant, false));
        assert_false(says(&differ, &meant, true));

        env_file_write_vars(&f, 1 - newer, 6, variables);
        env_file_damage(&f, 1 - newer);
        CLEANUP(env_copies_clear) struct env_copies damaged = {.current = -1};
        assert_ok(env_copies_read(&config, &damaged, &e));
        assert_true(says(&damaged, &meant, false));
        assert_false(says(&damaged, &meant, true));

        assert_ok(env_vars_set(&meant, "b", NULL, &e));
        assert_false(says(&equal, &meant, false) || says(&equal, &meant, true));
    }
}

static void an_older_copy_that_cannot_be_read_says_nothing(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    struct fw_env_config config = config_of(&f);
    assert_int_equal(truncate(f.image, ENV_FILE_OFFSET_1 + 100), 0);
    CLEANUP(env_copies_clear) struct env_copies copies = {.current = -1};
    CLEANUP(env_vars_clear) struct env_vars meant = {0};
    assert_ok(env_copies_read(&config, &copies, &e));
    assert_ok(env_copies_parse(&copies, &meant, &e));
    assert_true(says(&copies, &meant, false));
    assert_false(says(&copies, &meant, true));
}

static void an_older_copy_without_an_end_is_to_be_stored_over(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    static char endless[ENV_FILE_DATA_SIZE];
    memset(endless, 'x', sizeof endless);
    env_file_write_copy(&f, 1, 0, endless, sizeof endless);
    struct fw_env_config config = config_of(&f);
    CLEANUP(env_copies_clear) struct env_copies copies = {.current = -1};
    CLEANUP(env_vars_clear) struct env_vars meant = {0};
    assert_ok(env_copies_read(&config, &copies, &e));
    assert_int_equal(copies.current, 0);
    assert_ok(env_copies_parse(&copies, &meant, &e));
    assert_true(says(&copies, &meant, false));
    assert_false(says(&copies, &meant, true));
}

int main(void)
{
#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)
    const struct CMUnitTest tests[] = {
        IN_DIR(of_two_whole_copies_the_newer_one_is_current),
        IN_DIR(a_damaged_copy_leaves_the_other_one),
        IN_DIR(two_damaged_copies_hold_no_variables),
        IN_DIR(a_short_file_is_a_finding_and_not_an_error),
        IN_DIR(an_unreadable_and_a_damaged_copy_are_both_named),
        IN_DIR(a_device_that_vanished_is_a_finding),
        IN_DIR(a_current_copy_without_an_end_is_an_error),
        IN_DIR(a_change_of_one_byte_is_seen),
        IN_DIR(what_is_meant_is_said_by_the_copy_in_force_or_by_both),
        IN_DIR(an_older_copy_that_cannot_be_read_says_nothing),
        IN_DIR(an_older_copy_without_an_end_is_to_be_stored_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
