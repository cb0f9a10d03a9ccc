// SPDX-License-Identifier: Apache-2.0
// What the real back end does; what it guards against is in test_bootenv_uboot_hazards.c.
#include "bootloader/bootenv_uboot.h"

#include "bootloader/boot_model.h"
#include "tests/support/env_file.h"
#include "tests/support/env_sim.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <zlib.h>

enum { WAIT_MS = 60 * 1000 };

static const char *const variables[] = {"BOOT_ORDER=A B", "bootcmd=run it", NULL};

static struct bootenv *open_env(const struct env_file *f)
{
    struct error e;
    struct bootenv *env = NULL;
    assert_ok(bootenv_uboot_open(f->config, NULL, WAIT_MS, &env, &e));
    return env;
}

static void opening_reads_nothing(void **state)
{
    struct env_file f;
    env_file_make(&f, *state, variables);
    env_file_damage(&f, 0);
    env_file_damage(&f, 1);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
    assert_int_equal(env->copies_total, 2);
    assert_int_equal(env->copies_good, 0);
    assert_null(bootenv_get(env, "bootcmd"));
}

static void a_variable_is_set_changed_and_deleted(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
    assert_ok(bootenv_load(env, &e));
    assert_int_equal(env->copies_good, 2);
    assert_string_equal(bootenv_get(env, "BOOT_ORDER"), "A B");
    assert_ok(bootenv_set(env, "vv_trial", "b", &e));
    assert_ok(bootenv_set(env, "BOOT_ORDER", "B A", &e));
    assert_string_equal(bootenv_get(env, "BOOT_ORDER"), "B A");
    bool stored = false;
    assert_ok(bootenv_commit(env, &stored, &e));
    assert_true(stored);
    assert_string_equal(bootenv_get(env, "vv_trial"), "b");

    CLEANUP(cleanup_bootenv) struct bootenv *again = open_env(&f);
    assert_ok(bootenv_load(again, &e));
    assert_string_equal(bootenv_get(again, "vv_trial"), "b");
    assert_string_equal(bootenv_get(again, "BOOT_ORDER"), "B A");
    assert_string_equal(bootenv_get(again, "bootcmd"), "run it");
    assert_ok(bootenv_set(again, "vv_trial", NULL, &e));
    assert_ok(bootenv_commit(again, &stored, &e));
    assert_ok(bootenv_load(env, &e));
    assert_null(bootenv_get(env, "vv_trial"));
}

static void what_was_set_is_forgotten_by_the_next_load(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
    assert_ok(bootenv_load(env, &e));
    assert_ok(bootenv_set(env, "bootcmd", "reset", &e));
    assert_ok(bootenv_load(env, &e));
    assert_string_equal(bootenv_get(env, "bootcmd"), "run it");
    bool stored = true;
    assert_ok(bootenv_commit(env, &stored, &e));
    assert_false(stored);
}

static void a_commit_without_a_change_touches_no_byte(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
    assert_ok(bootenv_load(env, &e));
    assert_ok(bootenv_set(env, "BOOT_ORDER", "B", &e));
    assert_ok(bootenv_set(env, "BOOT_ORDER", "A B", &e));
    assert_ok(bootenv_set(env, "vv_trial", NULL, &e));
    bool stored = true;
    assert_ok(bootenv_commit(env, &stored, &e));
    assert_false(stored);
    assert_int_equal(env_file_flag(&f, 0), 1);
    assert_int_equal(env_file_flag(&f, 1), 0);
}

static void stores_go_to_the_copies_in_turn_and_the_flag_wraps(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    env_file_write_vars(&f, 0, 253, variables);
    env_file_write_vars(&f, 1, 252, variables);
    static const uint8_t flags[][2] = {{253, 254}, {255, 254}, {255, 0}, {1, 0}, {1, 2}};
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
    for (int i = 0; i < 5; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        bool stored;
        assert_ok(bootenv_load(env, &e));
        assert_ok(bootenv_set(env, "count", value, &e));
        assert_ok(bootenv_commit(env, &stored, &e));
        assert_int_equal(env_file_flag(&f, 0), flags[i][0]);
        assert_int_equal(env_file_flag(&f, 1), flags[i][1]);
        assert_ok(bootenv_load(env, &e));
        assert_string_equal(bootenv_get(env, "count"), value);
    }
}

static void a_damaged_copy_is_counted_and_repaired_by_the_next_store(void **state)
{
    for (int damaged = 0; damaged < 2; damaged++) {
        struct error e;
        struct env_file f;
        env_file_make(&f, *state, variables);
        env_file_damage(&f, damaged);
        CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
        assert_ok(bootenv_load(env, &e));
        assert_int_equal(env->copies_total, 2);
        assert_int_equal(env->copies_good, 1);
        assert_string_equal(bootenv_get(env, "bootcmd"), "run it");
        bool stored;
        assert_ok(bootenv_set(env, "vv_trial", "a", &e));
        assert_ok(bootenv_commit(env, &stored, &e));
        assert_int_equal(env->copies_good, 2);
        assert_ok(bootenv_load(env, &e));
        assert_int_equal(env->copies_good, 2);
    }
}

// What `copy` says of BOOT_ORDER, as if the other one were lost.
static void check_alone(const struct env_file *f, int copy, const char *order)
{
    struct error e;
    env_file_damage(f, 1 - copy);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(f);
    assert_ok(bootenv_load(env, &e));
    assert_int_equal(env->copies_good, 1);
    assert_string_equal(bootenv_get(env, "BOOT_ORDER"), order);
    assert_string_equal(bootenv_get(env, "bootcmd"), "run it");
    env_file_damage(f, 1 - copy); // and back
}

static bool commit_both(const struct env_file *f)
{
    struct error e;
    bool stored = false;
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(f);
    assert_ok(bootenv_load(env, &e));
    env->both_copies = true;
    assert_ok(bootenv_commit(env, &stored, &e));
    return stored;
}

static void an_older_copy_is_brought_in_line_by_one_store_if_that_is_asked_for(void **state)
{
    static const char *const before[] = {"BOOT_ORDER=B A", "bootcmd=run it", NULL};
    for (int older = 0; older < 2; older++) {
        struct error e;
        struct env_file f;
        env_file_make(&f, *state, variables);
        env_file_write_vars(&f, older, 6, before);
        env_file_write_vars(&f, 1 - older, 7, variables);
        // Nobody asks: what is in force is as meant.
        bool stored = true;
        CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
        assert_ok(bootenv_load(env, &e));
        assert_ok(bootenv_commit(env, &stored, &e));
        assert_false(stored);
        check_alone(&f, older, "B A");

        assert_true(commit_both(&f));
        assert_int_equal(env_file_flag(&f, older), 8);
        assert_int_equal(env_file_flag(&f, 1 - older), 7);
        check_alone(&f, 0, "A B");
        check_alone(&f, 1, "A B");
        assert_false(commit_both(&f)); // both agree
        assert_int_equal(env_file_flag(&f, older), 8);
        assert_int_equal(env_file_flag(&f, 1 - older), 7);
    }
}

// Damaged, or whole and without an end.
static void an_older_copy_that_says_nothing_is_brought_in_line_if_that_is_asked_for(void **state)
{
    static char endless[ENV_FILE_DATA_SIZE];
    memset(endless, 'x', sizeof endless);
    for (int older = 0; older < 2; older++) {
        for (int whole = 0; whole < 2; whole++) {
            struct env_file f;
            env_file_make(&f, *state, variables);
            env_file_write_vars(&f, 1 - older, 7, variables);
            env_file_write_copy(&f, older, 6, endless, sizeof endless);
            if (!whole) {
                env_file_damage(&f, older);
            }
            assert_true(commit_both(&f));
            assert_int_equal(env_file_flag(&f, 1 - older), 7);
            check_alone(&f, older, "A B");
            assert_false(commit_both(&f));
        }
    }
}

static void invalidate_on_the_medium_leaves_no_copy_that_boots_the_slot(void **state)
{
    static const struct boot_setup base = {
        .slot_var = "rpipart",
        .attempts = 3,
        .slots = {{.name = "a", .bootname = "A", .bootvalue = "2"},
                  {.name = "b", .bootname = "B", .bootvalue = "3"}},
    };
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        struct error e;
        struct env_file f;
        struct boot_state boot;
        struct boot_setup setup = base;
        bool stored;
        setup.contract = (enum contract)contract;
        env_file_make(&f, *state, variables);
        CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
        assert_ok(boot_decide(&setup, env, DECIDE_CONFIRM, 1, 5, &stored, &e));
        assert_ok(boot_decide(&setup, env, DECIDE_REJECT, 1, 0, &stored, &e));
        assert_ok(boot_decide(&setup, env, DECIDE_INVALIDATE, 1, 0, &stored, &e));
        assert_true(stored);
        for (int lost = 0; lost < 2; lost++) {
            env_file_damage(&f, lost);
            assert_ok(boot_state_read(&setup, env, &boot, &e));
            assert_int_equal(boot.next, 0);
            assert_false(boot.slots[1].bootable);
            assert_int_equal(boot.floor, 5);
            env_file_damage(&f, lost); // and back
        }
    }
}

static void a_name_that_is_none_is_refused(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
    assert_ok(bootenv_load(env, &e));
    assert_fails(ERR_INTERNAL, "is no name of a boot variable", bootenv_set(env, "", "1", &e));
    assert_fails(ERR_INTERNAL, "a=b is no name", bootenv_set(env, "a=b", "1", &e));
}

static void a_full_environment_is_refused_before_the_store(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
    assert_ok(bootenv_load(env, &e));
    static char large[ENV_FILE_SIZE + 1];
    // From far too much down to what just fits: never a copy without its end.
    size_t used = sizeof "BOOT_ORDER=A B" + sizeof "bootcmd=run it" + sizeof "x=";
    size_t fits = ENV_FILE_DATA_SIZE - used - 1;
    for (size_t len = fits + 3; len >= fits; len--) {
        memset(large, 'x', len);
        large[len] = '\0';
        bool stored = false;
        assert_ok(bootenv_set(env, "x", large, &e));
        if (len > fits) {
            enum err r = bootenv_commit(env, &stored, &e);
            assert_int_equal(r, ERR_IO);
            assert_contains(e.msg, "of 16384 bytes is full; nothing was written");
            assert_int_equal(env_file_flag(&f, 1), 0);
        } else {
            assert_ok(bootenv_commit(env, &stored, &e));
            assert_true(stored);
        }
    }
}

static void the_lock_is_held_until_the_environment_is_closed(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    char lock[256];
    temp_dir_path(lock, sizeof lock, *state, "lock");
    struct bootenv *first = NULL;
    struct bootenv *second = NULL;
    assert_ok(bootenv_uboot_open(f.config, lock, 0, &first, &e));
    assert_fails(ERR_AGAIN, lock, bootenv_uboot_open(f.config, lock, 20, &second, &e));
    bootenv_close(first);
    assert_ok(bootenv_uboot_open(f.config, lock, 0, &second, &e));
    bootenv_close(second);
}

static void what_another_program_changed_meanwhile_is_not_overwritten(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    CLEANUP(cleanup_bootenv) struct bootenv *mine = open_env(&f);
    CLEANUP(cleanup_bootenv) struct bootenv *other = open_env(&f);
    bool stored;
    assert_ok(bootenv_load(mine, &e));
    assert_ok(bootenv_load(other, &e));
    assert_ok(bootenv_set(other, "ethaddr", "02:00:00:00:00:01", &e));
    assert_ok(bootenv_commit(other, &stored, &e));
    assert_ok(bootenv_set(mine, "vv_trial", "b", &e));
    assert_fails(ERR_AGAIN, "another program changed the boot environment",
                 bootenv_commit(mine, &stored, &e));
    assert_ok(bootenv_load(mine, &e));
    assert_string_equal(bootenv_get(mine, "ethaddr"), "02:00:00:00:00:01");
    assert_null(bootenv_get(mine, "vv_trial"));
    assert_ok(bootenv_set(mine, "vv_trial", "b", &e));
    assert_ok(bootenv_commit(mine, &stored, &e));
}

// Every prefix of the store's sectors on the medium: the old variables or the new ones.
static void a_torn_store_leaves_the_old_variables_or_the_new_ones(void **state)
{
    struct error e;
    struct env_file f;
    env_file_make(&f, *state, variables);
    uint8_t old[ENV_FILE_SIZE];
    env_file_read_copy(&f, 1, old);
    bool stored;
    CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
    assert_ok(bootenv_load(env, &e));
    assert_ok(bootenv_set(env, "vv_trial", "b", &e));
    assert_ok(bootenv_set(env, "BOOT_ORDER", "B A", &e));
    assert_ok(bootenv_commit(env, &stored, &e));
    uint8_t new[ENV_FILE_SIZE];
    env_file_read_copy(&f, 1, new);

    unsigned old_seen = 0;
    unsigned new_seen = 0;
    for (size_t cut = 0; cut <= ENV_FILE_SIZE; cut += 512) {
        for (int from_end = 0; from_end < 2; from_end++) {
            uint8_t torn[ENV_FILE_SIZE];
            memcpy(torn, from_end ? new : old, ENV_FILE_SIZE);
            memcpy(torn, from_end ? old : new, cut);
            CLEANUP(cleanup_close) int fd = open(f.image, O_WRONLY | O_CLOEXEC);
            assert_int_equal(pwrite(fd, torn, sizeof torn, ENV_FILE_OFFSET_1), sizeof torn);
            assert_ok(bootenv_load(env, &e));
            bool is_new = bootenv_get(env, "vv_trial") != NULL;
            assert_string_equal(bootenv_get(env, "BOOT_ORDER"), is_new ? "B A" : "A B");
            assert_string_equal(bootenv_get(env, "bootcmd"), "run it");
            old_seen += is_new ? 0 : 1;
            new_seen += is_new ? 1 : 0;
        }
    }
    assert_true(old_seen > 0 && new_seen > 0);
}

// The same decisions and boots on both back ends: the same variables after each.
static void the_library_and_the_simulation_agree(void **state)
{
    static const struct boot_setup base = {
        .slot_var = "rpipart",
        .attempts = 2,
        .slots = {{.name = "a", .bootname = "A", .bootvalue = "2"},
                  {.name = "b", .bootname = "B", .bootvalue = "3"}},
    };
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        struct boot_setup setup = base;
        setup.contract = (enum contract)contract;
        struct env_file f;
        env_file_make(&f, *state, (const char *const[]){"bootcmd=run it", NULL});
        struct env_sim sim;
        env_sim_init(&sim);
        env_sim_put(&sim, "bootcmd", "run it");
        CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
        uint32_t random = 1;
        for (int step = 0; step < 120; step++) {
            struct error e;
            random = random * 1664525 + 1013904223;
            unsigned choice = random >> 24;
            if (choice < 100) {
                struct boot_outcome outs[2];
                assert_ok(boot_model_run(&setup, env, NULL, NULL, &outs[0], &e));
                assert_ok(boot_model_run(&setup, &sim.base, NULL, NULL, &outs[1], &e));
                assert_int_equal(outs[0].slot, outs[1].slot);
            } else {
                enum decision d = (enum decision)(choice % 5);
                int slot = (int)(choice / 5 % 2);
                bool stored[2];
                assert_ok(boot_decide(&setup, env, d, slot, choice, &stored[0], &e));
                assert_ok(boot_decide(&setup, &sim.base, d, slot, choice, &stored[1], &e));
                assert_int_equal(stored[0], stored[1]);
            }
            assert_ok(bootenv_load(env, &e));
            for (size_t i = 0; i < sim.medium.count; i++) {
                assert_string_equal(bootenv_get(env, sim.medium.items[i].name),
                                    sim.medium.items[i].value);
            }
        }
        env_sim_free(&sim);
    }
}

static void hazard_12_200_foreign_variables_keep_every_byte(void **state)
{
    struct error e;
    struct env_file f;
    static char data[ENV_FILE_DATA_SIZE];
    size_t at = 0;
    // Sorted by name, as the library writes them; with every byte a value can have.
    for (int i = 0; i < 200; i++) {
        at += (size_t)sprintf(data + at, "foreign_%03d=", i);
        for (int k = 0; k < i % 60; k++) {
            data[at++] = (char)(1 + (i * 31 + k * 7) % 255);
        }
        data[at++] = '\0';
    }
    size_t foreign_len = at;
    memcpy(data + at, "vv_floor=1", 11);
    env_file_make(&f, *state, variables);
    env_file_write_copy(&f, 0, 1, data, sizeof data);
    for (int round = 0; round < 4; round++) {
        CLEANUP(cleanup_bootenv) struct bootenv *env = open_env(&f);
        char value[16];
        snprintf(value, sizeof value, "%d", round + 2);
        bool stored;
        assert_ok(bootenv_load(env, &e));
        assert_ok(bootenv_set(env, "vv_floor", value, &e));
        assert_ok(bootenv_commit(env, &stored, &e));
        uint8_t image[ENV_FILE_SIZE];
        env_file_read_copy(&f, round % 2 == 0 ? 1 : 0, image);
        assert_memory_equal(image + 5, data, foreign_len);
        assert_string_equal((char *)image + 5 + foreign_len + strlen("vv_floor="), value);
    }
}

int main(void)
{
#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)
    const struct CMUnitTest tests[] = {
        IN_DIR(opening_reads_nothing),
        IN_DIR(a_variable_is_set_changed_and_deleted),
        IN_DIR(what_was_set_is_forgotten_by_the_next_load),
        IN_DIR(a_commit_without_a_change_touches_no_byte),
        IN_DIR(stores_go_to_the_copies_in_turn_and_the_flag_wraps),
        IN_DIR(a_damaged_copy_is_counted_and_repaired_by_the_next_store),
        IN_DIR(an_older_copy_is_brought_in_line_by_one_store_if_that_is_asked_for),
        IN_DIR(an_older_copy_that_says_nothing_is_brought_in_line_if_that_is_asked_for),
        IN_DIR(invalidate_on_the_medium_leaves_no_copy_that_boots_the_slot),
        IN_DIR(a_name_that_is_none_is_refused),
        IN_DIR(a_full_environment_is_refused_before_the_store),
        IN_DIR(the_lock_is_held_until_the_environment_is_closed),
        IN_DIR(what_another_program_changed_meanwhile_is_not_overwritten),
        IN_DIR(a_torn_store_leaves_the_old_variables_or_the_new_ones),
        IN_DIR(the_library_and_the_simulation_agree),
        IN_DIR(hazard_12_200_foreign_variables_keep_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
