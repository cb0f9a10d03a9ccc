// SPDX-License-Identifier: Apache-2.0
#include "updater/lock.h"

#include "base/cleanup.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "updater/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int open_lock_file(const char *dir)
{
    char path[512];
    return open(temp_dir_path(path, sizeof path, dir, "lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static void the_lock_belongs_to_one_at_a_time_and_names_its_holder(void **state)
{
    struct error e;
    char who[64];
    CLEANUP(cleanup_close) int fd = -1;
    int second = -1;
    assert_ok(update_lock_take(*state, &fd, &e));
    snprintf(who, sizeof who, "process %ld holds %s/lock", (long)getpid(), (const char *)*state);
    assert_fails(ERR_AGAIN, who, update_lock_take(*state, &second, &e));
    assert_int_equal(second, -1);
    assert_int_equal(close(TAKE_FD(fd)), 0);
    assert_ok(update_lock_take(*state, &fd, &e));
}

static void the_lock_of_the_agent_is_another_one(void **state)
{
    struct error e;
    char who[64];
    CLEANUP(cleanup_close) int fd = -1;
    CLEANUP(cleanup_close) int update = -1;
    int second = -1;
    assert_ok(agent_lock_take(*state, &fd, &e));
    snprintf(who, sizeof who, "process %ld holds %s/agent.lock", (long)getpid(),
             (const char *)*state);
    assert_fails(ERR_AGAIN, who, agent_lock_take(*state, &second, &e));
    assert_ok(update_lock_take(*state, &update, &e));
    assert_int_equal(close(TAKE_FD(fd)), 0);
    assert_ok(agent_lock_take(*state, &fd, &e));
}

static void the_lock_is_not_inherited_by_programs_that_are_started(void **state)
{
    struct error e;
    CLEANUP(cleanup_close) int fd = -1;
    assert_ok(update_lock_take(*state, &fd, &e));
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void the_lock_dies_with_its_process(void **state)
{
    struct error e;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error child_error;
        int held = -1;
        char ok = update_lock_take(*state, &held, &child_error) == OK ? 'y' : 'n';
        (void)!write(ready[1], &ok, 1);
        pause();
        _exit(0);
    }
    char ok = 0;
    assert_int_equal(read(ready[0], &ok, 1), 1);
    assert_int_equal(ok, 'y');
    char who[64];
    snprintf(who, sizeof who, "process %ld holds", (long)child);
    int fd = -1;
    assert_fails(ERR_AGAIN, who, update_lock_take(*state, &fd, &e));
    assert_true(update_lock_held(*state));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_false(update_lock_held(*state));
    assert_ok(update_lock_take(*state, &fd, &e));
    close(fd);
    close(ready[0]);
    close(ready[1]);
}

// A program whose arguments are those of a confirmation, in place of the process that has the lock.
static void the_confirmation_of_a_trial_is_told_as_what_it_is(void **state)
{
    struct error e;
    int out[2];
    int in[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error child_error;
        int held = -1;
        bool ok = update_lock_take(*state, &held, &child_error) == OK && dup2(in[0], 0) == 0 &&
                  dup2(out[1], 1) == 1 && dup2(held, 9) == 9;
        if (ok) {
            execl("/bin/sh", "vv-update", "-c", "echo; read end", "confirm", (char *)NULL);
        }
        _exit(1);
    }
    char started;
    assert_int_equal(read(out[0], &started, 1), 1);
    char who[64];
    int fd = -1;
    snprintf(who, sizeof who, "on trial and its confirmation under way: process %ld", (long)child);
    assert_fails(ERR_AGAIN, who, update_lock_take(*state, &fd, &e));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    for (int i = 0; i < 2; i++) {
        close(out[i]);
        close(in[i]);
    }
}

static void what_an_older_number_left_behind_is_not_read(void **state)
{
    struct error e;
    char who[64];
    int second = -1;
    CLEANUP(cleanup_close) int file = open_lock_file(*state);
    assert_int_equal(write(file, "41943049999\n", 12), 12);
    CLEANUP(cleanup_close) int fd = -1;
    assert_ok(update_lock_take(*state, &fd, &e));
    snprintf(who, sizeof who, "process %ld holds ", (long)getpid());
    assert_fails(ERR_AGAIN, who, update_lock_take(*state, &second, &e));
}

static void a_holder_that_left_no_number_is_told_without_one(void **state)
{
    struct error e;
    int fd = -1;
    CLEANUP(cleanup_close) int file = open_lock_file(*state);
    assert_int_equal(flock(file, LOCK_EX), 0);
    assert_fails(ERR_AGAIN, "another update is under way", update_lock_take(*state, &fd, &e));
    assert_null(strstr(e.msg, "process"));
    assert_int_equal(write(file, "nonsense\n", 9), 9);
    assert_fails(ERR_AGAIN, "/lock is held", update_lock_take(*state, &fd, &e));
}

static void a_lock_without_room_for_its_number_is_taken(void **state)
{
    struct error e;
    struct rlimit before;
    int second = -1;
    CLEANUP(cleanup_close) int fd = -1;
    CLEANUP(cleanup_close) int file = open_lock_file(*state);
    assert_int_equal(write(file, "4194304\n", 8), 8); // of another one, long ago
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    enum err err = update_lock_take(*state, &fd, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(err, OK);
    assert_fails(ERR_AGAIN, "another update is under way", update_lock_take(*state, &second, &e));
    assert_null(strstr(e.msg, "process"));
}

static void who_only_looks_does_not_hold_the_lock(void **state)
{
    struct error e;
    assert_false(update_lock_held(*state));
    CLEANUP(cleanup_close) int fd = -1;
    assert_ok(update_lock_take(*state, &fd, &e));
    assert_true(update_lock_held(*state));
    assert_int_equal(close(TAKE_FD(fd)), 0);
    assert_false(update_lock_held(*state));
    assert_ok(update_lock_take(*state, &fd, &e));
}

static void a_look_that_is_over_soon_turns_nobody_away(void **state)
{
    struct error e;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int file = open_lock_file(*state);
        char ok = flock(file, LOCK_SH) == 0 ? 'y' : 'n';
        (void)!write(ready[1], &ok, 1);
        usleep(20000);
        _exit(0);
    }
    char ok = 0;
    assert_int_equal(read(ready[0], &ok, 1), 1);
    assert_int_equal(ok, 'y');
    CLEANUP(cleanup_close) int fd = -1;
    assert_ok(update_lock_take(*state, &fd, &e));
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
}

static void a_lock_that_cannot_be_opened_is_an_io_error(void **state)
{
    struct error e;
    char dir[512];
    char path[512];
    int fd = -1;
    temp_dir_path(dir, sizeof dir, *state, "none");
    assert_fails(ERR_IO, "/none/lock: open", update_lock_take(dir, &fd, &e));
    assert_int_equal(e.sys, ENOENT);
    assert_false(update_lock_held(dir));
    // A link could make root write into another file.
    assert_int_equal(symlink("/dev/null", temp_dir_path(path, sizeof path, *state, "lock")), 0);
    assert_fails(ERR_IO, "/lock: open", update_lock_take(*state, &fd, &e));
    assert_int_equal(e.sys, ELOOP);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(the_lock_belongs_to_one_at_a_time_and_names_its_holder),
        WITH_DIR(the_lock_is_not_inherited_by_programs_that_are_started),
        WITH_DIR(the_lock_of_the_agent_is_another_one),
        WITH_DIR(the_lock_dies_with_its_process),
        WITH_DIR(the_confirmation_of_a_trial_is_told_as_what_it_is),
        WITH_DIR(what_an_older_number_left_behind_is_not_read),
        WITH_DIR(a_holder_that_left_no_number_is_told_without_one),
        WITH_DIR(a_lock_without_room_for_its_number_is_taken),
        WITH_DIR(who_only_looks_does_not_hold_the_lock),
        WITH_DIR(a_look_that_is_over_soon_turns_nobody_away),
        WITH_DIR(a_lock_that_cannot_be_opened_is_an_io_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
