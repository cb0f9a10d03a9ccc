// SPDX-License-Identifier: Apache-2.0
#include "bootloader/env_lock.h"

#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>

static void a_free_lock_is_taken_and_its_file_made(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "lock");
    CLEANUP(cleanup_close) int fd = -1;
    assert_ok(env_lock_take(path, 0, &fd, &e));
    assert_true(fd >= 0);
    assert_int_equal(access(path, F_OK), 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void a_held_lock_is_refused_after_the_wait(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "lock");
    CLEANUP(cleanup_close) int first = -1;
    assert_ok(env_lock_take(path, 0, &first, &e));
    CLEANUP(cleanup_close) int second = -1;
    assert_fails(ERR_AGAIN, "try again later", env_lock_take(path, 0, &second, &e));
    assert_fails(ERR_AGAIN, path, env_lock_take(path, 30, &second, &e));
    assert_int_equal(second, -1);
}

static void closing_the_descriptor_gives_the_lock_back(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "lock");
    for (int i = 0; i < 3; i++) {
        CLEANUP(cleanup_close) int fd = -1;
        assert_ok(env_lock_take(path, 0, &fd, &e));
    }
}

static void *close_soon(void *fd)
{
    usleep(50 * 1000);
    close(*(int *)fd);
    return NULL;
}

static void a_lock_given_back_in_time_is_taken(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "lock");
    int first = -1;
    assert_ok(env_lock_take(path, 0, &first, &e));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, close_soon, &first), 0);
    CLEANUP(cleanup_close) int second = -1;
    assert_ok(env_lock_take(path, 60 * 1000, &second, &e));
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_lock_file_that_cannot_be_opened_is_an_error(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "missing/lock");
    int fd = -1;
    assert_fails(ERR_IO, "the lock file cannot be opened", env_lock_take(path, 0, &fd, &e));
    assert_int_equal(e.sys, ENOENT);
    assert_int_equal(fd, -1);
}

int main(void)
{
#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)
    const struct CMUnitTest tests[] = {
        IN_DIR(a_free_lock_is_taken_and_its_file_made),
        IN_DIR(a_held_lock_is_refused_after_the_wait),
        IN_DIR(closing_the_descriptor_gives_the_lock_back),
        IN_DIR(a_lock_given_back_in_time_is_taken),
        IN_DIR(a_lock_file_that_cannot_be_opened_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
