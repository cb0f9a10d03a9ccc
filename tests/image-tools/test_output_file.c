// SPDX-License-Identifier: Apache-2.0
#include "image-tools/output_file.h"

#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

// The calls that matter, written down in their order and made to fail on demand. They take the
// place of those of the C library in this program.
static struct {
    char order[128];
    int fail_tmpfile;
    int fail_fsync;
    int fail_rename;
    int fail_linkat;
    int fail_fchown;
} sys;

static void note(const char *what)
{
    size_t used = strlen(sys.order);
    snprintf(sys.order + used, sizeof(sys.order) - used, "%s ", what);
}

static int answer(int sys_error)
{
    errno = sys_error;
    return -1;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    unsigned mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, unsigned) : 0;
    va_end(args);
    if ((flags & O_TMPFILE) == O_TMPFILE && sys.fail_tmpfile != 0) {
        return answer(sys.fail_tmpfile);
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int fsync(int fd)
{
    struct stat st;
    bool dir = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    note(dir ? "fsync-dir" : "fsync");
    return !dir && sys.fail_fsync != 0 ? answer(sys.fail_fsync) : (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    note("rename");
    if (sys.fail_rename != 0) {
        return answer(sys.fail_rename);
    }
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    note("link");
    return sys.fail_linkat != 0 ? answer(sys.fail_linkat)
                                : (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags);
}

int fchown(int fd, uid_t owner, gid_t group)
{
    return sys.fail_fchown != 0 ? answer(sys.fail_fchown)
                                : (int)syscall(SYS_fchown, fd, owner, group);
}

static int setup(void **state)
{
    memset(&sys, 0, sizeof(sys));
    return temp_dir_make(state);
}

static int teardown(void **state)
{
    memset(&sys, 0, sizeof(sys));
    return temp_dir_remove(state);
}

static void assert_text(const char *path, const char *want)
{
    size_t len;
    CLEANUP(cleanup_free) uint8_t *data = host_read(path, &len);
    assert_string_equal((const char *)data, want);
    assert_int_equal(len, strlen(want));
}

static const enum output_naming both_ways[] = {OUTPUT_NAMELESS_IF_POSSIBLE, OUTPUT_NAMED};

static void make(const char *path, enum output_naming naming, const char *text)
{
    struct error e;
    CLEANUP(cleanup_output_file) struct output_file *o = NULL;
    assert_ok(output_file_begin(path, naming, &o, &e));
    assert_ok(output_file_write(o, text, strlen(text), 0, &e));
    assert_ok(output_file_commit(o, &e));
}

static void a_committed_file_stands_there_whole_and_alone(void **state)
{
    char path[HOST_PATH_MAX];
    temp_dir_path(path, sizeof(path), *state, "out");
    for (size_t i = 0; i < 2; i++) {
        make(path, both_ways[i], i == 0 ? "first" : "second");
        assert_text(path, i == 0 ? "first" : "second");
        assert_int_equal(host_count(*state), 1);
    }
}

static void it_is_synced_before_it_gets_its_name_and_the_directory_after(void **state)
{
    char path[HOST_PATH_MAX];
    temp_dir_path(path, sizeof(path), *state, "out");
    make(path, OUTPUT_NAMELESS_IF_POSSIBLE, "x");
    assert_string_equal(sys.order, "fsync link rename fsync-dir ");
    sys.order[0] = '\0';
    make(path, OUTPUT_NAMED, "x");
    assert_string_equal(sys.order, "fsync rename fsync-dir ");
}

static void a_nameless_file_leaves_no_trace_while_it_is_written(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    temp_dir_path(path, sizeof(path), *state, "out");
    CLEANUP(cleanup_output_file) struct output_file *o = NULL;
    assert_ok(output_file_begin(path, OUTPUT_NAMELESS_IF_POSSIBLE, &o, &e));
    assert_ok(output_file_write(o, "x", 1, 0, &e));
    assert_int_equal(host_count(*state), 0);
}

static void a_file_system_without_nameless_files_gets_a_named_one(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    temp_dir_path(path, sizeof(path), *state, "out");
    sys.fail_tmpfile = EOPNOTSUPP;
    CLEANUP(cleanup_output_file) struct output_file *o = NULL;
    assert_ok(output_file_begin(path, OUTPUT_NAMELESS_IF_POSSIBLE, &o, &e));
    assert_int_equal(host_count(*state), 1);
    assert_ok(output_file_commit(o, &e));
    assert_int_equal(host_count(*state), 1);
    assert_text(path, "");
}

static void what_is_not_committed_leaves_the_old_file_and_nothing_else(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    temp_dir_path(path, sizeof(path), *state, "out");
    make(path, OUTPUT_NAMED, "old");
    for (size_t i = 0; i < 2; i++) {
        struct output_file *o = NULL;
        assert_ok(output_file_begin(path, both_ways[i], &o, &e));
        assert_ok(output_file_write(o, "new", 3, 0, &e));
        assert_text(path, "old");
        output_file_free(o);
        assert_text(path, "old");
        assert_int_equal(host_count(*state), 1);
    }
}

static void every_failing_step_leaves_the_old_file_and_no_litter(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    temp_dir_path(path, sizeof(path), *state, "out");
    make(path, OUTPUT_NAMED, "old");
    int *const failures[] = {&sys.fail_fsync, &sys.fail_linkat, &sys.fail_rename};
    for (size_t i = 0; i < 3; i++) {
        struct output_file *o = NULL;
        assert_ok(output_file_begin(path, OUTPUT_NAMELESS_IF_POSSIBLE, &o, &e));
        *failures[i] = EIO;
        assert_fails(ERR_IO, path, output_file_commit(o, &e));
        assert_int_equal(e.sys, EIO);
        output_file_free(o);
        *failures[i] = 0;
        assert_text(path, "old");
        assert_int_equal(host_count(*state), 1);
    }
}

static void a_directory_or_device_in_its_place_is_refused(void **state)
{
    struct error e;
    struct output_file *o = NULL;
    assert_fails(ERR_IO, "not a regular file",
                 output_file_begin(*state, OUTPUT_NAMELESS_IF_POSSIBLE, &o, &e));
    assert_fails(ERR_IO, "not a regular file",
                 output_file_begin("/dev/null", OUTPUT_NAMELESS_IF_POSSIBLE, &o, &e));
    assert_fails(ERR_IO, "not a regular file", output_file_check(*state, &e));
}

static void a_missing_directory_is_told(void **state)
{
    struct error e;
    struct output_file *o = NULL;
    char path[HOST_PATH_MAX];
    temp_dir_path(path, sizeof(path), *state, "no/such/out");
    assert_fails(ERR_IO, path, output_file_begin(path, OUTPUT_NAMELESS_IF_POSSIBLE, &o, &e));
    assert_int_equal(e.sys, ENOENT);
    int fd = -1;
    assert_fails(ERR_IO, path, scratch_file_open(path, &fd, &e));
    assert_int_equal(fd, -1);
}

static void a_symbolic_link_stays_and_its_target_is_replaced(void **state)
{
    char target[HOST_PATH_MAX];
    char link_path[HOST_PATH_MAX];
    struct stat st;
    temp_dir_path(target, sizeof(target), *state, "target");
    temp_dir_path(link_path, sizeof(link_path), *state, "link");
    make(target, OUTPUT_NAMED, "old");
    assert_int_equal(symlink(target, link_path), 0);
    make(link_path, OUTPUT_NAMELESS_IF_POSSIBLE, "new");
    assert_text(target, "new");
    assert_int_equal(lstat(link_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void a_name_as_long_as_names_can_be_works(void **state)
{
    char path[HOST_PATH_MAX];
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    temp_dir_path(path, sizeof(path), *state, name);
    make(path, OUTPUT_NAMELESS_IF_POSSIBLE, "x");
    make(path, OUTPUT_NAMED, "y");
    assert_text(path, "y");
}

static void a_path_without_a_slash_stays_in_the_working_directory(void **state)
{
    char old[4096];
    assert_non_null(getcwd(old, sizeof(old)));
    assert_int_equal(chdir(*state), 0);
    make("out", OUTPUT_NAMELESS_IF_POSSIBLE, "x");
    assert_text("out", "x");
    assert_int_equal(chdir(old), 0);
}

static void the_umask_decides_the_mode_of_a_new_file(void **state)
{
    char path[HOST_PATH_MAX];
    struct stat st;
    temp_dir_path(path, sizeof(path), *state, "out");
    mode_t old = umask(027);
    for (size_t i = 0; i < 2; i++) {
        make(path, both_ways[i], "x");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
    }
    umask(old);
}

static void the_mode_of_another_file_is_taken(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    struct stat st = {.st_mode = S_IFREG | 0604, .st_uid = getuid(), .st_gid = getgid()};
    temp_dir_path(path, sizeof(path), *state, "out");
    CLEANUP(cleanup_output_file) struct output_file *o = NULL;
    assert_ok(output_file_begin(path, OUTPUT_NAMELESS_IF_POSSIBLE, &o, &e));
    assert_ok(output_file_take_mode(o, &st, &e));
    assert_ok(output_file_commit(o, &e));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
}

static void an_owner_that_may_not_be_set_is_let_be_but_other_failures_are_told(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    struct stat st = {.st_mode = S_IFREG | 0600};
    temp_dir_path(path, sizeof(path), *state, "out");
    CLEANUP(cleanup_output_file) struct output_file *o = NULL;
    assert_ok(output_file_begin(path, OUTPUT_NAMELESS_IF_POSSIBLE, &o, &e));
    sys.fail_fchown = EPERM;
    assert_ok(output_file_take_mode(o, &st, &e));
    sys.fail_fchown = EIO;
    assert_fails(ERR_IO, "set the owner", output_file_take_mode(o, &st, &e));
}

static void what_was_not_written_reads_as_zeros(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    size_t len;
    temp_dir_path(path, sizeof(path), *state, "out");
    CLEANUP(cleanup_output_file) struct output_file *o = NULL;
    assert_ok(output_file_begin(path, OUTPUT_NAMELESS_IF_POSSIBLE, &o, &e));
    assert_ok(output_file_write(o, "x", 1, 3, &e));
    assert_ok(output_file_set_size(o, 6, &e));
    assert_ok(output_file_commit(o, &e));
    CLEANUP(cleanup_free) uint8_t *data = host_read(path, &len);
    assert_int_equal(len, 6);
    assert_memory_equal(data, "\0\0\0x\0\0", 6);
}

// --- Signals ---

// What becomes of a child that is sent `signal` while it writes `path`: its wait status. It exits
// with the error code of what it does after the signal.
static int child_with_signal(const char *path, enum output_naming naming, int signal, bool ignored)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error e;
        struct output_file *o = NULL;
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        sigaction(signal, &(struct sigaction){.sa_handler = ignored ? SIG_IGN : SIG_DFL}, NULL);
        enum err err = output_file_begin(path, naming, &o, &e);
        if (err == OK) {
            err = output_file_write(o, "new", 3, 0, &e);
        }
        raise(signal);
        if (err == OK) {
            err = output_file_commit(o, &e);
        }
        output_file_free(o);
        _exit((int)err);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void a_signal_ends_the_program_only_after_the_litter_is_gone(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    char path[HOST_PATH_MAX];
    temp_dir_path(path, sizeof(path), *state, "out");
    make(path, OUTPUT_NAMED, "old");
    for (size_t i = 0; i < 6; i++) {
        int status = child_with_signal(path, both_ways[i % 2], signals[i / 2], false);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), signals[i / 2]);
        assert_text(path, "old");
        assert_int_equal(host_count(*state), 1);
    }
}

static void an_ignored_signal_does_not_disturb(void **state)
{
    char path[HOST_PATH_MAX];
    temp_dir_path(path, sizeof(path), *state, "out");
    int status = child_with_signal(path, OUTPUT_NAMELESS_IF_POSSIBLE, SIGHUP, true);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), OK);
    assert_text(path, "new");
}

static void a_scratch_file_has_no_name(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    temp_dir_path(path, sizeof(path), *state, "out");
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(cleanup_close) int fd = -1;
        sys.fail_tmpfile = i == 0 ? 0 : EOPNOTSUPP;
        assert_ok(scratch_file_open(path, &fd, &e));
        assert_int_equal(write(fd, "x", 1), 1);
        assert_int_equal(host_count(*state), 0);
    }
}

#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(a_committed_file_stands_there_whole_and_alone),
        WITH_DIR(it_is_synced_before_it_gets_its_name_and_the_directory_after),
        WITH_DIR(a_nameless_file_leaves_no_trace_while_it_is_written),
        WITH_DIR(a_file_system_without_nameless_files_gets_a_named_one),
        WITH_DIR(what_is_not_committed_leaves_the_old_file_and_nothing_else),
        WITH_DIR(every_failing_step_leaves_the_old_file_and_no_litter),
        WITH_DIR(a_directory_or_device_in_its_place_is_refused),
        WITH_DIR(a_missing_directory_is_told),
        WITH_DIR(a_symbolic_link_stays_and_its_target_is_replaced),
        WITH_DIR(a_name_as_long_as_names_can_be_works),
        WITH_DIR(a_path_without_a_slash_stays_in_the_working_directory),
        WITH_DIR(the_umask_decides_the_mode_of_a_new_file),
        WITH_DIR(the_mode_of_another_file_is_taken),
        WITH_DIR(an_owner_that_may_not_be_set_is_let_be_but_other_failures_are_told),
        WITH_DIR(what_was_not_written_reads_as_zeros),
        WITH_DIR(a_signal_ends_the_program_only_after_the_litter_is_gone),
        WITH_DIR(an_ignored_signal_does_not_disturb),
        WITH_DIR(a_scratch_file_has_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
