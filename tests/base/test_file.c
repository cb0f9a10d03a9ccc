// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include "base/cleanup.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

// The calls that matter for invariant 1, written down in their order and made to fail on demand.
// They take the place of those of the C library in this program.
static struct {
    char order[128];
    int fail_write, fail_fchmod, fail_fsync_file, fail_fsync_dir, fail_rename, fail_read;
    bool short_calls; // every transfer moves one byte, every other one is interrupted first
    bool kill_in_fsync, interrupted;
} sys;

static void note(const char *what)
{
    size_t used = strlen(sys.order);
    snprintf(sys.order + used, sizeof sys.order - used, "%s ", what);
}

static int answer(int sys_error)
{
    errno = sys_error;
    return -1;
}

// True when this call is to be interrupted.
static bool interrupt(void)
{
    sys.interrupted = sys.short_calls && !sys.interrupted;
    return sys.interrupted;
}

ssize_t write(int fd, const void *data, size_t len)
{
    if (fd > 2) {
        note("write");
        if (interrupt()) {
            return answer(EINTR);
        }
        if (sys.fail_write != 0) {
            return answer(sys.fail_write);
        }
        len = sys.short_calls ? 1 : len;
    }
    return syscall(SYS_write, fd, data, len);
}

ssize_t read(int fd, void *data, size_t len)
{
    if (interrupt()) {
        return answer(EINTR);
    }
    if (sys.fail_read != 0) {
        return answer(sys.fail_read);
    }
    return syscall(SYS_read, fd, data, sys.short_calls && len > 1 ? 1 : len);
}

int fchmod(int fd, mode_t mode)
{
    note("chmod");
    return sys.fail_fchmod != 0 ? answer(sys.fail_fchmod) : (int)syscall(SYS_fchmod, fd, mode);
}

int fsync(int fd)
{
    struct stat st;
    bool dir = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    note(dir ? "fsync-dir" : "fsync");
    if (sys.kill_in_fsync) {
        raise(SIGKILL);
    }
    int sys_error = dir ? sys.fail_fsync_dir : sys.fail_fsync_file;
    return sys_error != 0 ? answer(sys_error) : (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    note("rename");
    if (sys.fail_rename != 0) {
        return answer(sys.fail_rename);
    }
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static int setup(void **state)
{
    memset(&sys, 0, sizeof sys);
    return temp_dir_make(state);
}

static int teardown(void **state)
{
    memset(&sys, 0, sizeof sys);
    return temp_dir_remove(state);
}

static size_t count_files(const char *dir)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    size_t n = 0;
    for (const struct dirent *i = readdir(d); i != NULL; i = readdir(d)) {
        n += strcmp(i->d_name, ".") != 0 && strcmp(i->d_name, "..") != 0;
    }
    closedir(d);
    return n;
}

// One part is what most of the tests need.
static enum err replace(const char *path, const void *data, size_t len, unsigned mode,
                        struct error *e)
{
    const struct file_part part = {data, len};
    return file_replace(path, &part, 1, mode, e);
}

static void assert_holds(const char *path, const char *want)
{
    struct error e;
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len = 0;
    assert_ok(file_read(path, 4096, &data, &len, &e));
    assert_int_equal(len, strlen(want));
    assert_string_equal((const char *)data, want);
}

static void a_new_file_holds_the_data_and_has_the_mode(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "state");
    assert_ok(replace(path, "hello", 5, 0640, &e));
    assert_holds(path, "hello");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(count_files(*state), 1);
}

static void a_replaced_file_holds_the_new_data_only(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "state");
    assert_ok(replace(path, "a long first text", 17, 0644, &e));
    assert_ok(replace(path, "b", 1, 0600, &e));
    assert_holds(path, "b");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_ok(replace(path, NULL, 0, 0600, &e));
    assert_holds(path, "");
}

static void the_data_is_synced_before_and_the_directory_after_the_rename(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "state");
    assert_ok(replace(path, "hello", 5, 0600, &e));
    assert_string_equal(sys.order, "write chmod fsync rename fsync-dir ");
}

static void a_path_without_a_slash_stays_in_the_working_directory(void **state)
{
    struct error e;
    char old[4096];
    assert_non_null(getcwd(old, sizeof old));
    assert_int_equal(chdir(*state), 0);
    assert_ok(replace("state", "x", 1, 0600, &e));
    assert_holds("state", "x");
    assert_int_equal(count_files("."), 1);
    assert_int_equal(chdir(old), 0);
}

static void every_failure_leaves_the_old_file_and_no_temporary_one(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "state");
    assert_ok(replace(path, "old", 3, 0600, &e));
    int *const failures[] = {&sys.fail_write, &sys.fail_fchmod, &sys.fail_fsync_file,
                             &sys.fail_rename};
    static const int answers[] = {ENOSPC, EROFS, EIO, EACCES};
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        *failures[i] = answers[i];
        assert_fails(ERR_IO, path, replace(path, "new", 3, 0600, &e));
        assert_int_equal(e.sys, answers[i]);
        *failures[i] = 0;
        assert_holds(path, "old");
        assert_int_equal(count_files(*state), 1);
    }
}

static void what_killed_processes_left_does_not_pile_up(void **state)
{
    struct error e;
    char path[256];
    int status;
    temp_dir_path(path, sizeof path, *state, "state");
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            sys.kill_in_fsync = true;
            _exit(replace(path, "a long text that is cut", 23, 0600, &e) == OK ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(count_files(*state), 1);
    }
    assert_ok(replace(path, "new", 3, 0600, &e));
    assert_holds(path, "new");
    assert_int_equal(count_files(*state), 1);
}

static void a_link_in_the_place_of_the_temporary_file_is_not_followed(void **state)
{
    struct error e;
    char path[256];
    char other[256];
    char temp[256];
    temp_dir_path(path, sizeof path, *state, "state");
    temp_dir_path(other, sizeof other, *state, "other");
    temp_dir_path(temp, sizeof temp, *state, ".state.new");
    assert_ok(replace(other, "of somebody else", 16, 0600, &e));
    assert_int_equal(symlink(other, temp), 0);
    assert_ok(replace(path, "new", 3, 0600, &e));
    assert_holds(path, "new");
    assert_holds(other, "of somebody else");
}

static void parts_stand_one_behind_the_other(void **state)
{
    struct error e;
    char path[256];
    const struct file_part parts[] = {{"he", 2}, {NULL, 0}, {"llo", 3}};
    temp_dir_path(path, sizeof path, *state, "state");
    assert_ok(file_replace(path, parts, 3, 0600, &e));
    assert_holds(path, "hello");
}

static void a_trial_shows_that_there_is_room_and_leaves_nothing(void **state)
{
    struct error e;
    char path[256];
    const struct file_part parts[] = {{"he", 2}, {"llo", 3}};
    temp_dir_path(path, sizeof path, *state, "state");
    assert_ok(replace(path, "old", 3, 0600, &e));
    sys.order[0] = '\0';
    assert_ok(file_try_replace(path, parts, 2, &e));
    assert_string_equal(sys.order, "write write fsync ");
    assert_holds(path, "old");
    assert_int_equal(count_files(*state), 1);
}

static void a_trial_that_fails_says_why_and_leaves_nothing(void **state)
{
    struct error e;
    char path[256];
    const struct file_part part = {"hello", 5};
    int *const failures[] = {&sys.fail_write, &sys.fail_fsync_file};
    temp_dir_path(path, sizeof path, *state, "state");
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        *failures[i] = ENOSPC;
        assert_fails(ERR_IO, path, file_try_replace(path, &part, 1, &e));
        assert_int_equal(e.sys, ENOSPC);
        *failures[i] = 0;
        assert_int_equal(count_files(*state), 0);
    }
    temp_dir_path(path, sizeof path, *state, "absent/state");
    assert_fails(ERR_IO, path, file_try_replace(path, &part, 1, &e));
    assert_int_equal(e.sys, ENOENT);
}

static bool holds(const char *path, const void *data, size_t len)
{
    struct error e;
    bool same;
    const struct file_part parts[] = {{data, len / 2},
                                      {(const char *)data + len / 2, len - len / 2}};
    assert_ok(file_holds(path, parts, 2, &same, &e));
    return same;
}

static void a_file_is_compared_to_its_end_and_not_further(void **state)
{
    struct error e;
    enum { LEN = 100000 };
    char path[256];
    CLEANUP(cleanup_free) uint8_t *data = calloc(1, LEN + 1);
    assert_non_null(data);
    temp_dir_path(path, sizeof path, *state, "state");
    assert_false(holds(path, data, 0)); // it is missing
    assert_ok(replace(path, data, LEN, 0600, &e));
    assert_true(holds(path, data, LEN));
    assert_false(holds(path, data, LEN - 1));
    assert_false(holds(path, data, LEN + 1));
    static const size_t changed[] = {0, 16384, LEN / 2 - 1, LEN / 2, LEN - 1};
    for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++) {
        data[changed[i]] ^= 1;
        assert_false(holds(path, data, LEN));
        data[changed[i]] ^= 1;
    }
    assert_ok(replace(path, "hello", 5, 0600, &e));
    sys.short_calls = true;
    assert_true(holds(path, "hello", 5));
    assert_false(holds(path, "help", 4));
}

static void a_file_that_cannot_be_compared_is_told(void **state)
{
    struct error e;
    char path[256];
    bool same;
    const struct file_part part = {"hello", 5};
    temp_dir_path(path, sizeof path, *state, "state");
    assert_ok(replace(path, "hello", 5, 0600, &e));
    sys.fail_read = EIO;
    assert_fails(ERR_IO, path, file_holds(path, &part, 1, &same, &e));
    assert_int_equal(e.sys, EIO);
    sys.fail_read = 0;
    temp_dir_path(path, sizeof path, *state, "state/below");
    assert_fails(ERR_IO, path, file_holds(path, &part, 1, &same, &e));
    assert_int_equal(e.sys, ENOTDIR);
}

static void a_directory_that_does_not_sync_is_told(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "state");
    sys.fail_fsync_dir = EIO;
    assert_fails(ERR_IO, *state, replace(path, "new", 3, 0600, &e));
    assert_int_equal(e.sys, EIO);
    assert_holds(path, "new");
}

static void a_missing_directory_is_named(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "absent/state");
    assert_fails(ERR_IO, path, replace(path, "new", 3, 0600, &e));
    assert_int_equal(e.sys, ENOENT);
}

static void a_directory_is_not_replaced(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "");
    assert_fails(ERR_IO, path, replace(path, "new", 3, 0600, &e));
    assert_int_equal(e.sys, EISDIR);
    temp_dir_path(path, sizeof path, *state, "sub");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_fails(ERR_IO, path, replace(path, "new", 3, 0600, &e));
    assert_int_equal(count_files(*state), 1);
}

static void short_and_interrupted_calls_are_continued(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "state");
    sys.short_calls = true;
    assert_ok(replace(path, "hello", 5, 0600, &e));
    assert_holds(path, "hello");
}

static void a_file_is_read_up_to_the_bound_and_not_further(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "data");
    assert_ok(replace(path, "12345", 5, 0600, &e));
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len = 0;
    assert_ok(file_read(path, 5, &data, &len, &e));
    assert_int_equal(len, 5);
    assert_int_equal(data[5], 0);
    uint8_t *none = NULL;
    assert_fails(ERR_FORMAT, "larger than the allowed 4 bytes",
                 file_read(path, 4, &none, &len, &e));
    assert_fails(ERR_FORMAT, path, file_read(path, 0, &none, &len, &e));
    assert_null(none);
    assert_int_equal(len, 5);
}

static void an_empty_file_is_read(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "empty");
    assert_ok(replace(path, "", 0, 0600, &e));
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len = 7;
    assert_ok(file_read(path, 0, &data, &len, &e));
    assert_int_equal(len, 0);
    assert_int_equal(data[0], 0);
}

static void a_large_file_is_read_whole(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "large");
    size_t size = 1234567;
    CLEANUP(cleanup_free) uint8_t *want = malloc(size);
    assert_non_null(want);
    for (size_t i = 0; i < size; i++) {
        want[i] = (uint8_t)(i * 7);
    }
    assert_ok(replace(path, want, size, 0600, &e));
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len = 0;
    assert_ok(file_read(path, size, &data, &len, &e));
    assert_int_equal(len, size);
    assert_memory_equal(data, want, size);
}

static void a_file_that_says_it_is_empty_is_read_whole(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len = 0;
    // procfs gives every file the size 0.
    assert_ok(file_read("/proc/self/smaps", 1 << 24, &data, &len, &e));
    assert_true(len > 4096);
    assert_int_equal(strlen((const char *)data), len);
}

static void a_missing_file_is_told_by_errno(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "absent");
    uint8_t *none = NULL;
    size_t len = 0;
    assert_fails(ERR_IO, path, file_read(path, 10, &none, &len, &e));
    assert_int_equal(e.sys, ENOENT);
}

static void a_directory_or_a_failing_read_is_refused(void **state)
{
    struct error e;
    char path[256];
    uint8_t *none = NULL;
    size_t len = 0;
    assert_fails(ERR_IO, *state, file_read(*state, 10, &none, &len, &e));
    assert_int_equal(e.sys, EISDIR);
    temp_dir_path(path, sizeof path, *state, "data");
    assert_ok(replace(path, "12345", 5, 0600, &e));
    sys.fail_read = EIO;
    assert_fails(ERR_IO, path, file_read(path, 10, &none, &len, &e));
    assert_int_equal(e.sys, EIO);
    assert_null(none);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_new_file_holds_the_data_and_has_the_mode),
        T(a_replaced_file_holds_the_new_data_only),
        T(the_data_is_synced_before_and_the_directory_after_the_rename),
        T(a_path_without_a_slash_stays_in_the_working_directory),
        T(every_failure_leaves_the_old_file_and_no_temporary_one),
        T(what_killed_processes_left_does_not_pile_up),
        T(a_link_in_the_place_of_the_temporary_file_is_not_followed),
        T(parts_stand_one_behind_the_other),
        T(a_trial_shows_that_there_is_room_and_leaves_nothing),
        T(a_trial_that_fails_says_why_and_leaves_nothing),
        T(a_file_is_compared_to_its_end_and_not_further),
        T(a_file_that_cannot_be_compared_is_told),
        T(a_directory_that_does_not_sync_is_told),
        T(a_missing_directory_is_named),
        T(a_directory_is_not_replaced),
        T(short_and_interrupted_calls_are_continued),
        T(a_file_is_read_up_to_the_bound_and_not_further),
        T(an_empty_file_is_read),
        T(a_large_file_is_read_whole),
        T(a_file_that_says_it_is_empty_is_read_whole),
        T(a_missing_file_is_told_by_errno),
        T(a_directory_or_a_failing_read_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
