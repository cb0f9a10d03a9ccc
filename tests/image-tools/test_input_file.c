// SPDX-License-Identifier: Apache-2.0
#include "image-tools/input_file.h"

#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>

// Stands in for the C library's, to count what is read and to do it in small pieces.
static struct {
    uint64_t read_bytes;
    bool short_reads;
    bool interrupt_next;
    int fail_read;
    bool no_holes;   // a file system that knows nothing of holes
    bool same_ticks; // all happens within one tick of the clock
} sys;

ssize_t pread(int fd, void *data, size_t len, off_t off)
{
    if (sys.fail_read != 0) {
        errno = sys.fail_read;
        return -1;
    }
    if (sys.short_reads) {
        sys.interrupt_next = !sys.interrupt_next;
        if (sys.interrupt_next) {
            errno = EINTR;
            return -1;
        }
        len = len > 100000 ? 100000 : len;
    }
    ssize_t n = syscall(SYS_pread64, fd, data, len, off);
    sys.read_bytes += n > 0 ? (uint64_t)n : 0;
    return n;
}

off_t lseek(int fd, off_t off, int whence)
{
    if (sys.no_holes && (whence == SEEK_DATA || whence == SEEK_HOLE)) {
        errno = EINVAL;
        return -1;
    }
    return syscall(SYS_lseek, fd, off, whence);
}

int fstat(int fd, struct stat *st)
{
    int rc = (int)syscall(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH);
    if (sys.same_ticks) {
        st->st_ctim = (struct timespec){0};
    }
    return rc;
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

enum { SAMPLE_SIZE = 9 * 1024 * 1024 + 77 };

struct run {
    size_t off, len;
};

// Data in a file that otherwise is one hole.
static const struct run runs[] = {
    {0, 5000}, {1 << 20, 1}, {3 << 20, 2 << 20}, {(6 << 20) + 4096, 4096}, {SAMPLE_SIZE - 10, 10},
};

// The sample as a file: with holes or with the zeros written.
static void write_sample(const char *path, bool sparse)
{
    CLEANUP(cleanup_free) uint8_t *data = calloc(1, SAMPLE_SIZE);
    assert_non_null(data);
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        fill_random(data + runs[i].off, runs[i].len, i);
    }
    if (!sparse) {
        host_write(path, data, SAMPLE_SIZE);
        return;
    }
    host_write(path, "", 0);
    CLEANUP(cleanup_close) int fd = open(path, O_RDWR);
    assert_int_equal(ftruncate(fd, SAMPLE_SIZE), 0);
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        const struct run *r = &runs[i];
        assert_int_equal(pwrite(fd, data + r->off, r->len, (off_t)r->off), r->len);
    }
}

// Walks over the file in steps of different lengths and compares every window.
static void assert_reads_as(const char *path, const uint8_t *want, size_t size)
{
    static const size_t steps[] = {1, 4096, 65536, 1000003, CHUNK_RAW_MAX, 12345};
    struct error e;
    CLEANUP(cleanup_input_file) struct input_file *in = NULL;
    assert_ok(input_file_open(path, &in, &e));
    assert_int_equal(input_file_size(in), size);
    size_t pos = 0;
    for (size_t i = 0; pos < size; i++) {
        const uint8_t *data = NULL;
        size_t len = 0;
        size_t hole = 0;
        assert_int_equal(input_file_left(in), size - pos);
        assert_ok(input_file_window(in, &data, &len, &hole, &e));
        assert_int_equal(len, size - pos < INPUT_WINDOW ? size - pos : INPUT_WINDOW);
        assert_memory_equal(data, want + pos, len);
        size_t step = steps[i % 6] < len ? steps[i % 6] : len;
        input_file_advance(in, step);
        pos += step;
    }
    assert_int_equal(input_file_left(in), 0);
    assert_ok(input_file_check_unchanged(in, &e));
}

static void the_windows_show_the_file_with_holes_and_without(void **state)
{
    char dense[HOST_PATH_MAX];
    char sparse[HOST_PATH_MAX];
    size_t len;
    write_sample(temp_dir_path(dense, sizeof(dense), *state, "dense"), false);
    write_sample(temp_dir_path(sparse, sizeof(sparse), *state, "sparse"), true);
    CLEANUP(cleanup_free) uint8_t *want = host_read(dense, &len);
    assert_reads_as(dense, want, len);
    assert_reads_as(sparse, want, len);
    sys.short_reads = true;
    assert_reads_as(sparse, want, len);
    sys.no_holes = true;
    assert_reads_as(sparse, want, len);
}

static void a_file_shorter_than_a_window_is_one_window(void **state)
{
    char path[HOST_PATH_MAX];
    host_write(temp_dir_path(path, sizeof(path), *state, "f"), "abc", 3);
    assert_reads_as(path, (const uint8_t *)"abc", 3);
}

static void holes_are_not_read(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    uint64_t size = UINT64_C(1) << 30;
    host_write(temp_dir_path(path, sizeof(path), *state, "f"), "x", 1);
    assert_int_equal(truncate(path, (off_t)size), 0);
    CLEANUP(cleanup_input_file) struct input_file *in = NULL;
    assert_ok(input_file_open(path, &in, &e));
    size_t holes = 0;
    while (input_file_left(in) > 0) {
        const uint8_t *data;
        size_t len;
        size_t hole;
        assert_ok(input_file_window(in, &data, &len, &hole, &e));
        holes += hole == len;
        input_file_advance(in, len);
    }
    assert_true(holes >= size / INPUT_WINDOW - 1);
    // The block that holds the one byte, as large as the file system makes it.
    assert_true(sys.read_bytes <= 65536);
}

static void a_window_tells_how_far_the_hole_at_its_start_reaches(void **state)
{
    enum { DATA_AT = 512 * 1024, DATA_LEN = 64 * 1024, SIZE = 768 * 1024 };
    static const struct {
        size_t pos, hole;
    } want[] = {
        {0, DATA_AT},
        {4096, DATA_AT - 4096},
        {DATA_AT - 1, 1},
        {DATA_AT, 0},
        {DATA_AT + DATA_LEN, SIZE - DATA_AT - DATA_LEN},
    };
    struct error e;
    char path[HOST_PATH_MAX];
    uint8_t data[DATA_LEN];
    memset(data, 'x', sizeof(data));
    host_write(temp_dir_path(path, sizeof(path), *state, "f"), "", 0);
    CLEANUP(cleanup_close) int fd = open(path, O_RDWR);
    assert_int_equal(ftruncate(fd, SIZE), 0);
    assert_int_equal(pwrite(fd, data, DATA_LEN, DATA_AT), DATA_LEN);
    for (size_t i = 0; i < 2 * sizeof(want) / sizeof(want[0]); i++) {
        sys.no_holes = i >= sizeof(want) / sizeof(want[0]);
        size_t which = i % (sizeof(want) / sizeof(want[0]));
        const uint8_t *window;
        size_t len;
        size_t hole;
        CLEANUP(cleanup_input_file) struct input_file *in = NULL;
        assert_ok(input_file_open(path, &in, &e));
        input_file_advance(in, want[which].pos);
        assert_ok(input_file_window(in, &window, &len, &hole, &e));
        assert_int_equal(len, SIZE - want[which].pos);
        assert_int_equal(hole, sys.no_holes ? 0 : want[which].hole);
    }
}

static void a_rewound_file_begins_again(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    const uint8_t *data;
    size_t len;
    size_t hole;
    write_sample(temp_dir_path(path, sizeof(path), *state, "f"), true);
    CLEANUP(cleanup_free) uint8_t *want = host_read(path, &len);
    CLEANUP(cleanup_input_file) struct input_file *in = NULL;
    assert_ok(input_file_open(path, &in, &e));
    while (input_file_left(in) > 0) {
        assert_ok(input_file_window(in, &data, &len, &hole, &e));
        input_file_advance(in, len);
    }
    input_file_rewind(in);
    assert_int_equal(input_file_left(in), SAMPLE_SIZE);
    assert_ok(input_file_window(in, &data, &len, &hole, &e));
    assert_memory_equal(data, want, len);
}

static void an_empty_file_is_refused(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    struct input_file *in = NULL;
    host_write(temp_dir_path(path, sizeof(path), *state, "f"), "", 0);
    assert_fails(ERR_USAGE, "it is empty", input_file_open(path, &in, &e));
}

static void a_missing_file_is_refused(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    struct input_file *in = NULL;
    temp_dir_path(path, sizeof(path), *state, "f");
    assert_fails(ERR_IO, path, input_file_open(path, &in, &e));
    assert_int_equal(e.sys, ENOENT);
}

static void a_directory_or_fifo_is_refused(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    struct input_file *in = NULL;
    assert_fails(ERR_IO, "neither a file nor a block device", input_file_open(*state, &in, &e));
    assert_int_equal(mkfifo(temp_dir_path(path, sizeof(path), *state, "fifo"), 0600), 0);
    assert_fails(ERR_IO, "neither a file nor a block device", input_file_open(path, &in, &e));
}

static void a_read_error_is_told(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    const uint8_t *data;
    size_t len;
    size_t hole;
    host_write(temp_dir_path(path, sizeof(path), *state, "f"), "abc", 3);
    CLEANUP(cleanup_input_file) struct input_file *in = NULL;
    assert_ok(input_file_open(path, &in, &e));
    sys.fail_read = EIO;
    assert_fails(ERR_IO, path, input_file_window(in, &data, &len, &hole, &e));
    assert_int_equal(e.sys, EIO);
}

static void a_file_that_shrinks_is_refused_by_the_read(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    const uint8_t *data;
    size_t len;
    size_t hole;
    host_write(temp_dir_path(path, sizeof(path), *state, "f"), "abcdef", 6);
    CLEANUP(cleanup_input_file) struct input_file *in = NULL;
    assert_ok(input_file_open(path, &in, &e));
    // Where holes are not known, the read finds the end.
    sys.no_holes = true;
    assert_int_equal(truncate(path, 4), 0);
    assert_fails(ERR_IO, "it shrank to 4 bytes", input_file_window(in, &data, &len, &hole, &e));
    assert_fails(ERR_IO, "it changed", input_file_check_unchanged(in, &e));
}

static void a_file_that_changes_is_refused(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    struct stat st;
    host_write(temp_dir_path(path, sizeof(path), *state, "f"), "abcdef", 6);
    assert_int_equal(stat(path, &st), 0);
    CLEANUP(cleanup_input_file) struct input_file *in = NULL;
    assert_ok(input_file_open(path, &in, &e));
    assert_ok(input_file_check_unchanged(in, &e));
    // Several ticks of the clock of a file system; then the time of modification is set back.
    nanosleep(&(struct timespec){.tv_nsec = 30 * 1000 * 1000}, NULL);
    host_write(path, "ABCDEF", 6);
    struct timespec old[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    assert_fails(ERR_IO, "it changed while it was read", input_file_check_unchanged(in, &e));
}

static void a_file_that_grows_within_a_tick_is_refused(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    host_write(temp_dir_path(path, sizeof(path), *state, "f"), "abcdef", 6);
    sys.same_ticks = true;
    CLEANUP(cleanup_input_file) struct input_file *in = NULL;
    assert_ok(input_file_open(path, &in, &e));
    assert_ok(input_file_check_unchanged(in, &e));
    assert_int_equal(truncate(path, 7), 0);
    assert_fails(ERR_IO, "it changed while it was read", input_file_check_unchanged(in, &e));
}

static void it_knows_its_own_inode(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    struct stat st;
    host_write(temp_dir_path(path, sizeof(path), *state, "f"), "abc", 3);
    CLEANUP(cleanup_input_file) struct input_file *in = NULL;
    assert_ok(input_file_open(path, &in, &e));
    assert_int_equal(stat(path, &st), 0);
    assert_true(input_file_is(in, &st));
    assert_int_equal(stat(*state, &st), 0);
    assert_false(input_file_is(in, &st));
}

#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(the_windows_show_the_file_with_holes_and_without),
        WITH_DIR(a_file_shorter_than_a_window_is_one_window),
        WITH_DIR(holes_are_not_read),
        WITH_DIR(a_window_tells_how_far_the_hole_at_its_start_reaches),
        WITH_DIR(a_rewound_file_begins_again),
        WITH_DIR(an_empty_file_is_refused),
        WITH_DIR(a_missing_file_is_refused),
        WITH_DIR(a_directory_or_fifo_is_refused),
        WITH_DIR(a_read_error_is_told),
        WITH_DIR(a_file_that_shrinks_is_refused_by_the_read),
        WITH_DIR(a_file_that_changes_is_refused),
        WITH_DIR(a_file_that_grows_within_a_tick_is_refused),
        WITH_DIR(it_knows_its_own_inode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
