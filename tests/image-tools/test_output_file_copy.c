// SPDX-License-Identifier: Apache-2.0
// The copies of image-tools/output_file.c; the rest is in test_output_file.c.
#include "image-tools/output_file.h"

#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>

static struct {
    int fail_copy_range;
    bool short_copies;
} sys;

// Stands in for the C library's, to fail as other file systems do.
ssize_t copy_file_range(int in_fd, off64_t *in_off, int out_fd, off64_t *out_off, size_t len,
                        unsigned flags)
{
    if (sys.fail_copy_range != 0) {
        errno = sys.fail_copy_range;
        return -1;
    }
    if (sys.short_copies && len > 1000) {
        len = 1000;
    }
    return syscall(SYS_copy_file_range, in_fd, in_off, out_fd, out_off, len, flags);
}

static int setup(void **state)
{
    memset(&sys, 0, sizeof(sys));
    return temp_dir_make(state);
}

enum { COPY_LEN = 700 * 1000 };

static void check_copy(const char *dir)
{
    struct error e;
    char from[HOST_PATH_MAX];
    char to[HOST_PATH_MAX];
    size_t len;
    CLEANUP(cleanup_free) uint8_t *data = malloc(COPY_LEN);
    fill_random(data, COPY_LEN, 5);
    host_write(temp_dir_path(from, sizeof(from), dir, "from"), data, COPY_LEN);
    temp_dir_path(to, sizeof(to), dir, "to");
    CLEANUP(cleanup_close) int fd = open(from, O_RDONLY);
    CLEANUP(cleanup_output_file) struct output_file *o = NULL;
    assert_ok(output_file_begin(to, OUTPUT_NAMELESS_IF_POSSIBLE, &o, &e));
    assert_ok(output_file_copy(o, fd, 11, 5, COPY_LEN - 11, &e));
    assert_ok(output_file_commit(o, &e));
    CLEANUP(cleanup_free) uint8_t *copied = host_read(to, &len);
    assert_int_equal(len, COPY_LEN - 11 + 5);
    assert_memory_equal(copied + 5, data + 11, COPY_LEN - 11);
}

static void a_copy_by_the_kernel_is_equal(void **state)
{
    check_copy(*state);
    sys.short_copies = true;
    check_copy(*state);
}

static void a_copy_through_memory_is_equal(void **state)
{
    static const int answers[] = {EXDEV, ENOSYS, EINVAL, EOPNOTSUPP};
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        sys.fail_copy_range = answers[i];
        check_copy(*state);
    }
}

static void a_source_that_ends_early_is_refused(void **state)
{
    struct error e;
    char from[HOST_PATH_MAX];
    char to[HOST_PATH_MAX];
    host_write(temp_dir_path(from, sizeof(from), *state, "from"), "12345", 5);
    temp_dir_path(to, sizeof(to), *state, "to");
    CLEANUP(cleanup_close) int fd = open(from, O_RDONLY);
    CLEANUP(cleanup_output_file) struct output_file *o = NULL;
    assert_ok(output_file_begin(to, OUTPUT_NAMELESS_IF_POSSIBLE, &o, &e));
    assert_fails(ERR_IO, "2 bytes to copy are missing", output_file_copy(o, fd, 0, 0, 7, &e));
    sys.fail_copy_range = EXDEV;
    assert_fails(ERR_IO, "2 bytes to copy are missing", output_file_copy(o, fd, 0, 0, 7, &e));
}

static void a_source_that_cannot_be_read_is_told(void **state)
{
    struct error e;
    char to[HOST_PATH_MAX];
    temp_dir_path(to, sizeof(to), *state, "to");
    CLEANUP(cleanup_output_file) struct output_file *o = NULL;
    assert_ok(output_file_begin(to, OUTPUT_NAMELESS_IF_POSSIBLE, &o, &e));
    assert_fails(ERR_IO, "read the data to copy", output_file_copy(o, -1, 0, 0, 7, &e));
}

static void on_signal(int signal)
{
    (void)signal;
}

static void a_copy_gives_up_when_a_signal_waits(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    temp_dir_path(path, sizeof(path), *state, "out");
    struct sigaction old;
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, &old);
    struct output_file *o = NULL;
    assert_ok(output_file_begin(path, OUTPUT_NAMELESS_IF_POSSIBLE, &o, &e));
    raise(SIGTERM);
    assert_fails(ERR_IO, "interrupted", output_file_copy(o, 0, 0, 0, 1, &e));
    output_file_free(o);
    sigaction(SIGTERM, &old, NULL);
}

#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, setup, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(a_copy_by_the_kernel_is_equal),
        WITH_DIR(a_copy_through_memory_is_equal),
        WITH_DIR(a_source_that_ends_early_is_refused),
        WITH_DIR(a_source_that_cannot_be_read_is_told),
        WITH_DIR(a_copy_gives_up_when_a_signal_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
