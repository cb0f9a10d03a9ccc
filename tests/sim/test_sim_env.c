// SPDX-License-Identifier: Apache-2.0
// The simulated boot environment is held equal to the real one: whole, lost, and with failing
// calls. Torn stores are in test_sim_env_torn.c.
#include "tests/sim/sim_env.h"

#include "bootloader/env_image.h"
#include "tests/sim/sim_env_pair.h"
#include "tests/support/expect.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SEQUENCES = 300, OPERATIONS = 40, STORES = 12, CALLS = 16 };

// --- whole ---------------------------------------------------------------------------------------

static const char *random_value(uint64_t *dice)
{
    static const char *const values[] = {NULL, "", "A B", "B", "3", "a=b==", " ", "\xff\x01 x"};
    static const char long_value[] =
        "0123456789012345678901234567890123456789012345678901234567890123456789"
        "0123456789012345678901234567890123456789012345678901234567890123456789";
    uint64_t n = next_random(dice) % 10;
    return n < 8 ? values[n] : long_value + next_random(dice) % sizeof long_value;
}

// Any flags, as after many stores; the CRC does not cover them.
static void set_flags(struct env_pair *p, uint8_t flag)
{
    for (int i = 0; i < 2; i++) {
        for (int copy = 0; copy < SIM_ENV_COPIES; copy++) {
            uint8_t value = (uint8_t)(flag - copy);
            sim_disk_put(&p->sides[i].disk, (size_t)copy * SIM_ENV_STRIDE + ENV_IMAGE_FLAG_AT,
                         &value, 1);
        }
    }
}

// Returns whether it stored.
static bool random_operation(struct env_pair *p, uint64_t *dice)
{
    bool stored = false;
    switch (next_random(dice) % 16) {
    case 0:
    case 1:
    case 2:
        if (env_pair_load(p) == OK) {
            env_pair_assert_says_what_is_there(p);
        }
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        if (env_pair_commit(p, &stored) == OK && stored) {
            env_pair_assert_says_what_is_there(p);
        }
        break;
    case 7:
        if (next_random(dice) % 4 != 0) {
            break;
        }
        // Between a load and a commit this is another program that stores.
        env_pair_destroy(p, 1U << next_random(dice) % 2);
        break;
    case 8:
        bootenv_close(p->sides[0].env);
        bootenv_close(p->sides[1].env);
        break;
    default: {
        const char *name = env_pair_names[next_random(dice) % ENV_PAIR_NAMES];
        enum err r = env_pair_set(p, name, random_value(dice));
        assert_true(r == OK || r == ERR_IO);
    }
    }
    env_pair_assert_equal_media(p);
    return stored;
}

static void random_sequences_leave_equal_bytes_through_both(void **state)
{
    struct env_pair *p = *state;
    uint64_t dice = 1;
    size_t stores = 0;
    for (unsigned i = 0; i < SEQUENCES; i++) {
        env_pair_format(p, i % 2 == 0 ? 512 : 4096);
        set_flags(p, (uint8_t)(i % 8 - 4));
        assert_int_equal(env_pair_load(p), OK);
        for (int n = 0; n < OPERATIONS; n++) {
            stores += random_operation(p, &dice) ? 1 : 0;
        }
    }
    assert_true(stores > 2 * SEQUENCES);
}

static void foreign_variables_keep_every_byte(void **state)
{
    struct env_pair *p = *state;
    env_pair_format(p, 512);
    for (int i = 0; i < STORES; i++) {
        char value[32];
        snprintf(value, sizeof value, "%.*s", i, "abcdefghijklmnopqrstuvwxyz");
        bool stored;
        assert_int_equal(env_pair_load(p), OK);
        assert_int_equal(env_pair_set(p, "BOOT_ORDER", i % 3 == 2 ? NULL : "A B"), OK);
        assert_int_equal(env_pair_set(p, "vv_trial", value), OK);
        assert_int_equal(env_pair_commit(p, &stored), OK);
    }
    env_pair_assert_equal_media(p);
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    env_pair_parse(p->sides[1].disk.medium, &vars);
    size_t foreign = 0;
    for (; sim_env_foreign[foreign] != NULL; foreign++) {
        char name[32];
        const char *equals = strchr(sim_env_foreign[foreign], '=');
        snprintf(name, sizeof name, "%.*s", (int)(equals - sim_env_foreign[foreign]),
                 sim_env_foreign[foreign]);
        assert_non_null(env_vars_get(&vars, name));
        assert_string_equal(env_vars_get(&vars, name), equals + 1);
    }
    assert_int_equal(vars.count, foreign + 1); // and vv_trial
}

static void the_variables_of_the_contracts_lie_in_both_sectors_of_a_copy(void **state)
{
    struct env_pair *p = *state;
    env_pair_format(p, 512);
    bool stored;
    assert_int_equal(env_pair_load(p), OK);
    assert_int_equal(env_pair_set(p, "BOOT_ORDER", "B A"), OK);
    assert_int_equal(env_pair_set(p, "vv_trial", "b"), OK);
    assert_int_equal(env_pair_commit(p, &stored), OK);
    const uint8_t *copy = sim_env_copy(p->sides[1].disk.medium, 1);
    assert_non_null(memmem(copy, 512, "BOOT_ORDER=B A", 15));
    assert_non_null(memmem(copy + 512, 512, "vv_trial=b", 11));
}

static void a_name_with_an_equals_sign_or_without_a_letter_is_refused(void **state)
{
    struct env_pair *p = *state;
    env_pair_format(p, 512);
    assert_int_equal(env_pair_load(p), OK);
    assert_int_equal(env_pair_set(p, "a=b", "1"), ERR_INTERNAL);
    assert_int_equal(env_pair_set(p, "", "1"), ERR_INTERNAL);
}

// Every length up to the last that fits, and beyond.
static void a_full_environment_is_refused_and_not_touched(void **state)
{
    struct env_pair *p = *state;
    char value[SIM_ENV_SIZE];
    size_t longest = 0;
    for (size_t len = 1; len < sizeof value - 1; len += len < 200 || len > 600 ? 20 : 1) {
        memset(value, 'x', len);
        value[len] = '\0';
        env_pair_format(p, 512);
        unsigned stores = p->sim_env.stores;
        bool stored;
        assert_int_equal(env_pair_load(p), OK);
        assert_int_equal(env_pair_set(p, "vv_trial", value), OK);
        if (env_pair_commit(p, &stored) == OK) {
            assert_int_equal(env_pair_load(p), OK);
            env_pair_assert_says_what_is_there(p);
            longest = len;
        } else {
            assert_int_equal(p->sim_env.stores, stores);
            assert_int_equal(sim_env_current(p->sides[0].disk.view), 0);
        }
        env_pair_assert_equal_media(p);
    }
    assert_in_range(longest, 200, 600);
}

static void a_store_of_another_program_meanwhile_makes_a_commit_try_again(void **state)
{
    struct env_pair *p = *state;
    for (unsigned copies = 1; copies <= 3; copies++) {
        env_pair_format(p, 512);
        bool stored;
        assert_int_equal(env_pair_load(p), OK);
        assert_int_equal(env_pair_set(p, "vv_trial", "b"), OK);
        env_pair_destroy(p, copies);
        assert_int_equal(env_pair_commit(p, &stored), copies == 3 ? ERR_IO : ERR_AGAIN);
        assert_int_equal(p->sim_env.stores, 0);
        env_pair_assert_equal_media(p);
        // What was set is still there, and so is the refusal.
        assert_string_equal(bootenv_get(p->sides[0].env, "vv_trial"), "b");
        assert_int_equal(env_pair_commit(p, &stored), copies == 3 ? ERR_IO : ERR_AGAIN);
    }
}

// --- lost ----------------------------------------------------------------------------------------

static void with_one_copy_destroyed_the_other_counts_and_the_next_store_repairs(void **state)
{
    struct env_pair *p = *state;
    for (unsigned copies = 1; copies <= 2; copies++) {
        env_pair_format(p, 512);
        env_pair_destroy(p, copies);
        assert_int_equal(sim_env_whole_copies(p->sides[0].disk.medium), 1);
        assert_int_equal(env_pair_load(p), OK);
        assert_int_equal(p->sides[0].env->copies_good, 1);
        env_pair_assert_says_what_is_there(p);
        env_pair_assert_next_store_repairs(p);
    }
}

static void with_both_copies_destroyed_nothing_can_be_read_nor_stored(void **state)
{
    struct env_pair *p = *state;
    env_pair_format(p, 512);
    env_pair_destroy(p, 3);
    assert_true(sim_env_lost(p->sides[0].disk.medium));
    assert_int_equal(env_pair_load(p), ERR_IO);
    assert_int_equal(env_pair_set(p, "BOOT_ORDER", "A"), ERR_IO);
    bool stored = false;
    assert_int_equal(env_pair_commit(p, &stored), ERR_IO);
    assert_int_equal(p->sim_env.stores, 0);
    assert_int_equal(p->sides[0].disk.written_bytes + p->sides[1].disk.written_bytes, 0);
    env_pair_assert_equal_media(p);
}

static void what_u_boot_saves_after_the_loss_is_read_and_stored_to(void **state)
{
    static const char *const defaults[] = {"bootcmd=run defaults", "BOOT_ORDER=A B", NULL};
    struct env_pair *p = *state;
    env_pair_format(p, 512);
    env_pair_destroy(p, 3);
    sim_env_uboot_defaults(&p->sides[0].disk, defaults);
    sim_env_uboot_defaults(&p->sides[1].disk, defaults);
    assert_int_equal(sim_env_whole_copies(p->sides[0].disk.medium), 1);
    assert_int_equal(env_pair_load(p), OK);
    assert_string_equal(bootenv_get(p->sides[1].env, "bootcmd"), "run defaults");
    assert_null(bootenv_get(p->sides[1].env, "ethaddr"));
    env_pair_assert_next_store_repairs(p);
    assert_int_equal(sim_env_current(p->sides[1].disk.medium), 1);
}

// --- failing calls -------------------------------------------------------------------------------

// Two decisions. Stops at the first failure, as the updater does.
static enum err decide_twice(struct env_pair *p)
{
    for (int n = 0; n < 2; n++) {
        enum err r = env_pair_load(p);
        if (r != OK) {
            return r;
        }
        // A current copy that cannot be read leaves what the older one has.
        if (p->sides[0].env->copies_good == SIM_ENV_COPIES) {
            env_pair_assert_says_what_is_there(p);
        }
        r = env_pair_set(p, "BOOT_ORDER", n == 0 ? "B A" : "B");
        assert_int_equal(r, OK);
        r = env_pair_set(p, "vv_trial", n == 0 ? "b" : NULL);
        assert_int_equal(r, OK);
        bool stored;
        r = env_pair_commit(p, &stored);
        if (r != OK) {
            return r;
        }
    }
    return OK;
}

static void fail_both(struct env_pair *p, uint64_t n, bool part)
{
    for (int i = 0; i < 2; i++) {
        struct sim *sim = &p->sides[i].sim;
        sim_reset(sim);
        sim->fail_seam = SIM_ENV;
        sim->fail_at = n;
        sim->fail_sys = EIO;
        sim->fail_short = part;
    }
}

// Calls of the first decision are 1 and 2 (load), 3 and 4 (before the store), 5 (write), 6 (sync),
// 7 and 8 (read back); those of the second follow.
static void assert_failed_as_it_should(struct env_pair *p, uint64_t n, enum err r)
{
    uint64_t call = (n - 1) % 8 + 1;
    bool other = call == 7 + (n > 8 ? 1U : 0U); // read back: the copy that was not written
    bool touched = call >= 5;
    if (other) {
        // It is a finding: the decision holds. The next one loads afresh.
        assert_int_equal(r, OK);
    } else {
        assert_int_equal(r, ERR_IO);
    }
    for (int i = 0; i < 2 && r != OK && touched; i++) {
        struct error e;
        assert_null(bootenv_get(p->sides[i].env, "bootcmd"));
        assert_int_equal(bootenv_set(p->sides[i].env, "zzz", "1", &e), ERR_IO);
    }
}

static void the_nth_call_fails_both_in_the_same_way(void **state)
{
    struct env_pair *p = *state;
    for (int part = 0; part < 2; part++) {
        bool failed = true;
        for (uint64_t n = 1; failed; n++) {
            env_pair_format(p, 512);
            fail_both(p, n, part == 1);
            enum err r = decide_twice(p);
            failed = p->sides[0].sim.failed;
            assert_int_equal(failed, p->sides[1].sim.failed);
            assert_int_equal(failed, n <= CALLS);
            env_pair_assert_equal_media(p);
            assert_true(sim_env_whole_copies(p->sides[0].disk.medium) >= 1);
            // libubootenv syncs after a failed write too.
            assert_int_equal(p->sides[0].disk.queued + p->sides[1].disk.queued, 0);
            if (failed) {
                assert_failed_as_it_should(p, n, r);
            }
            fail_both(p, 0, false);
            assert_int_equal(decide_twice(p), OK);
            env_pair_assert_equal_media(p);
            assert_int_equal(sim_env_whole_copies(p->sides[0].disk.medium), SIM_ENV_COPIES);
        }
    }
}

static void a_commit_without_a_change_stores_nothing(void **state)
{
    struct env_pair *p = *state;
    env_pair_format(p, 512);
    bool stored = true;
    p->sim_env.stores = p->real.stores = 0;
    assert_int_equal(env_pair_load(p), OK);
    assert_int_equal(env_pair_set(p, "bootdelay", "1"), OK);
    assert_int_equal(env_pair_set(p, "bootdelay", "0"), OK);
    assert_int_equal(env_pair_set(p, "empty", NULL), OK);
    assert_int_equal(env_pair_commit(p, &stored), OK);
    assert_false(stored);
    assert_int_equal(p->sim_env.stores, 0);
    assert_int_equal(p->sides[0].sim.calls[SIM_ENV], 2);
    assert_int_equal(p->sides[1].sim.calls[SIM_ENV], 4);
}

// Behind the sync of a store: the copy that was written is no longer what it was.
static void spoil_before_read_back(struct sim *sim, bool changed)
{
    struct env_side *s = sim->context;
    if (!changed && sim->calls[SIM_ENV] == 7) {
        sim_env_destroy(&s->disk, 2);
    }
}

static void a_store_that_reads_back_otherwise_is_an_error(void **state)
{
    struct env_pair *p = *state;
    env_pair_format(p, 512);
    p->sides[0].sim.on_moment = p->sides[1].sim.on_moment = spoil_before_read_back;
    assert_int_equal(env_pair_load(p), OK);
    assert_int_equal(env_pair_set(p, "BOOT_ORDER", "B"), OK);
    struct error e;
    bool stored;
    for (int i = 0; i < 2; i++) {
        assert_fails(ERR_IO, "reads back otherwise", bootenv_commit(p->sides[i].env, &stored, &e));
        assert_null(bootenv_get(p->sides[i].env, "bootcmd"));
    }
}

// The C library's flock() is stood in for by one that always gets the lock.
static void the_lock_of_another_process_is_not_waited_for(void **state)
{
    struct env_pair *p = *state;
    CLEANUP(cleanup_close)
    int fd = open("/var/lock/fw_printenv.lock", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(syscall(SYS_flock, fd, LOCK_EX), 0);
    bool stored;
    env_pair_format(p, 512);
    assert_int_equal(env_pair_load(p), OK);
    assert_int_equal(env_pair_set(p, "vv_trial", "b"), OK);
    assert_int_equal(env_pair_commit(p, &stored), OK);
    assert_true(stored);
}

static void a_lock_on_no_file_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(flock(-1, LOCK_EX), -1);
    assert_int_equal(errno, EBADF);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, env_pair_make, env_pair_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(random_sequences_leave_equal_bytes_through_both),
        TEST(foreign_variables_keep_every_byte),
        TEST(the_variables_of_the_contracts_lie_in_both_sectors_of_a_copy),
        TEST(a_name_with_an_equals_sign_or_without_a_letter_is_refused),
        TEST(a_full_environment_is_refused_and_not_touched),
        TEST(a_store_of_another_program_meanwhile_makes_a_commit_try_again),
        TEST(with_one_copy_destroyed_the_other_counts_and_the_next_store_repairs),
        TEST(with_both_copies_destroyed_nothing_can_be_read_nor_stored),
        TEST(what_u_boot_saves_after_the_loss_is_read_and_stored_to),
        TEST(the_nth_call_fails_both_in_the_same_way),
        TEST(a_commit_without_a_change_stores_nothing),
        TEST(a_store_that_reads_back_otherwise_is_an_error),
        TEST(the_lock_of_another_process_is_not_waited_for),
        cmocka_unit_test(a_lock_on_no_file_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
