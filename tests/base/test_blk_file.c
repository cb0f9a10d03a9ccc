// SPDX-License-Identifier: Apache-2.0
#include "base/blk_file.h"

#include "base/cleanup.h"
#include "tests/support/expect.h"
#include "tests/support/loop_device.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <sys/syscall.h>

enum { BLOCK = BLK_ALIGN, DISK = 64 * BLOCK };

DEFINE_CLEANUP(blk, struct blk *, blk_close)

// The transfers, counted by path and made to fail on demand. They take the place of those of the
// C library in this program. What opening takes and refuses is in test_blk_file_open.c.
static struct {
    unsigned direct;
    unsigned buffered;
    unsigned fallocates;
    unsigned syncs;
    unsigned drops;
    int refuse_direct;
    int fail_transfer;
    int fail_fallocate;
    int fail_sync;
    int fail_drop;
    bool short_calls; // one byte a call, every other call is interrupted first
    bool interrupted;
} sys;

static int answer(int sys_error)
{
    errno = sys_error;
    return -1;
}

// 0, or the errno this transfer is to fail with.
static int before_transfer(int fd, size_t *len)
{
    bool direct = (fcntl(fd, F_GETFL) & O_DIRECT) != 0;
    if (direct && sys.refuse_direct != 0) {
        return sys.refuse_direct;
    }
    sys.interrupted = sys.short_calls && !sys.interrupted;
    if (sys.interrupted) {
        return EINTR;
    }
    if (sys.fail_transfer != 0) {
        return sys.fail_transfer;
    }
    sys.direct += direct;
    sys.buffered += !direct;
    *len = sys.short_calls && !direct ? 1 : *len;
    return 0;
}

ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
    int sys_error = before_transfer(fd, &len);
    return sys_error != 0 ? answer(sys_error) : syscall(SYS_pread64, fd, buf, len, off);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
    int sys_error = before_transfer(fd, &len);
    return sys_error != 0 ? answer(sys_error) : syscall(SYS_pwrite64, fd, buf, len, off);
}

int fallocate(int fd, int mode, off_t off, off_t len)
{
    sys.fallocates++;
    sys.interrupted = sys.short_calls && !sys.interrupted;
    if (sys.interrupted) {
        return answer(EINTR);
    }
    return sys.fail_fallocate != 0 ? answer(sys.fail_fallocate)
                                   : (int)syscall(SYS_fallocate, fd, mode, off, len);
}

int fdatasync(int fd)
{
    sys.syncs++;
    return sys.fail_sync != 0 ? answer(sys.fail_sync) : (int)syscall(SYS_fdatasync, fd);
}

int posix_fadvise(int fd, off_t off, off_t len, int advice)
{
    sys.drops += advice == POSIX_FADV_DONTNEED && off == 0 && len == 0;
    return sys.fail_drop != 0 ? sys.fail_drop : (int)syscall(SYS_fadvise64, fd, off, len, advice);
}

// One test: a directory and an aligned buffer as large as the disk in it.
struct bench {
    char *dir;
    char path[256];
    uint8_t *buf;
};

static int setup(void **state)
{
    memset(&sys, 0, sizeof sys);
    struct bench *t = calloc(1, sizeof *t);
    void *dir = NULL;
    if (t == NULL || temp_dir_make(&dir) != 0) {
        return -1;
    }
    t->dir = dir;
    temp_dir_path(t->path, sizeof t->path, t->dir, "disk");
    int fd = open(t->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, DISK) != 0) {
        return -1;
    }
    close(fd);
    t->buf = aligned_alloc(BLOCK, DISK);
    *state = t;
    return t->buf == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct bench *t = *state;
    memset(&sys, 0, sizeof sys);
    void *dir = t->dir;
    int rc = temp_dir_remove(&dir);
    free(t->buf);
    free(t);
    return rc;
}

// A byte for each offset, the same in no two blocks.
static uint8_t pattern(size_t off)
{
    return (uint8_t)(off * 31 + off / BLOCK + 1);
}

static void fill_pattern(uint8_t *buf, size_t off, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        buf[i] = pattern(off + i);
    }
}

static struct blk *open_disk(const struct bench *t)
{
    struct error e;
    struct blk *b = NULL;
    assert_ok(blk_file_open(t->path, BLK_READ_WRITE, &b, &e));
    return b;
}

// The disk holds the pattern, but for zeros in [zero_from, zero_to).
static void assert_disk(struct blk *b, uint8_t *buf, size_t zero_from, size_t zero_to)
{
    struct error e;
    assert_ok(blk_pread(b, buf, DISK, 0, &e));
    for (size_t i = 0; i < DISK; i++) {
        uint8_t want = i >= zero_from && i < zero_to ? 0 : pattern(i);
        if (buf[i] != want) {
            fail_msg("expected %u at %zu, got %u", want, i, buf[i]);
        }
    }
}

static void what_is_written_is_read_back_at_any_offset(void **state)
{
    const struct bench *t = *state;
    struct error e;
    CLEANUP(cleanup_blk) struct blk *b = open_disk(t);
    static const size_t cuts[] = {0, 1, 511, 512, BLOCK, BLOCK + 7, 3 * BLOCK, 9 * BLOCK - 1, DISK};
    for (size_t i = 0; i + 1 < sizeof cuts / sizeof cuts[0]; i++) {
        size_t len = cuts[i + 1] - cuts[i];
        fill_pattern(t->buf, cuts[i], len);
        assert_ok(blk_pwrite(b, t->buf, len, cuts[i], &e));
    }
    assert_disk(b, t->buf, 0, 0);
    assert_ok(blk_sync(b, &e));
    assert_disk(b, t->buf, 0, 0);
    uint8_t few[3];
    assert_ok(blk_pread(b, few, sizeof few, BLOCK - 1, &e));
    assert_int_equal(few[0], pattern(BLOCK - 1));
    assert_int_equal(few[2], pattern(BLOCK + 1));
}

static void only_aligned_calls_take_the_direct_path(void **state)
{
    const struct bench *t = *state;
    struct error e;
    CLEANUP(cleanup_close) int fd = open(t->path, O_RDWR | O_CLOEXEC | O_DIRECT);
    if (fd < 0) {
        skip(); // this file system has no direct path
    }
    CLEANUP(cleanup_blk) struct blk *b = open_disk(t);
    memset(t->buf, 1, DISK);
    assert_ok(blk_pwrite(b, t->buf, 2 * BLOCK, BLOCK, &e));
    assert_ok(blk_pread(b, t->buf, 2 * BLOCK, BLOCK, &e));
    assert_int_equal(sys.direct, 2);
    assert_int_equal(sys.buffered, 0);
    assert_ok(blk_pwrite(b, t->buf + 512, BLOCK, 0, &e));
    assert_ok(blk_pwrite(b, t->buf, BLOCK + 512, 0, &e));
    assert_ok(blk_pwrite(b, t->buf, BLOCK, 512, &e));
    assert_ok(blk_pread(b, t->buf + 1, BLOCK, 0, &e));
    assert_int_equal(sys.direct, 2);
    assert_int_equal(sys.buffered, 4);
}

static void both_paths_see_the_same_bytes(void **state)
{
    const struct bench *t = *state;
    struct error e;
    CLEANUP(cleanup_blk) struct blk *b = open_disk(t);
    fill_pattern(t->buf, 0, DISK);
    assert_ok(blk_pwrite(b, t->buf, DISK, 0, &e));
    uint8_t few[100];
    assert_ok(blk_pread(b, few, sizeof few, 50, &e));
    assert_int_equal(few[0], pattern(50));
    memset(few, 0, sizeof few);
    assert_ok(blk_pwrite(b, few, sizeof few, 50, &e));
    assert_disk(b, t->buf, 50, 150);
    assert_ok(blk_zero_range(b, 0, 2 * BLOCK, &e));
    assert_disk(b, t->buf, 0, 2 * BLOCK);
    assert_ok(blk_pread(b, few, sizeof few, 50, &e));
    assert_int_equal(few[99], 0);
}

static void a_direct_path_that_answers_einval_is_dropped(void **state)
{
    const struct bench *t = *state;
    struct error e;
    CLEANUP(cleanup_blk) struct blk *b = open_disk(t);
    sys.refuse_direct = EINVAL;
    fill_pattern(t->buf, 0, DISK);
    assert_ok(blk_pwrite(b, t->buf, DISK, 0, &e));
    assert_disk(b, t->buf, 0, 0);
    assert_int_equal(sys.direct, 0);
    assert_int_equal(sys.buffered, 2);
    // Dropped for good: it is not tried again, even if it would work by now.
    sys.refuse_direct = 0;
    assert_disk(b, t->buf, 0, 0);
    assert_int_equal(sys.direct, 0);
}

static void short_and_interrupted_transfers_are_continued(void **state)
{
    const struct bench *t = *state;
    struct error e;
    CLEANUP(cleanup_blk) struct blk *b = open_disk(t);
    sys.short_calls = true;
    fill_pattern(t->buf, 10, 300);
    assert_ok(blk_pwrite(b, t->buf, 300, 10, &e));
    memset(t->buf, 0, 300);
    assert_ok(blk_pread(b, t->buf, 300, 10, &e));
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(t->buf[i], pattern(10 + i));
    }
    assert_true(sys.buffered >= 600);
}

static void a_failing_medium_is_an_input_output_error(void **state)
{
    const struct bench *t = *state;
    struct error e;
    CLEANUP(cleanup_blk) struct blk *b = open_disk(t);
    sys.fail_transfer = EIO;
    assert_fails(ERR_IO, "read at 8192", blk_pread(b, t->buf, BLOCK, 8192, &e));
    assert_int_equal(e.sys, EIO);
    assert_fails(ERR_IO, "write at 100", blk_pwrite(b, t->buf, 5, 100, &e));
    assert_fails(ERR_IO, t->path, blk_zero_range(b, 1, 5, &e));
    sys.fail_transfer = ENOSPC;
    assert_fails(ERR_IO, "No space left", blk_pwrite(b, t->buf, BLOCK, 0, &e));
    // EINVAL on the buffered path is an error like any other and not tried for ever.
    sys.fail_transfer = EINVAL;
    assert_fails(ERR_IO, "Invalid argument", blk_pread(b, t->buf, BLOCK, 0, &e));
}

static void a_file_that_shrank_is_an_error_and_not_a_short_read(void **state)
{
    const struct bench *t = *state;
    struct error e;
    CLEANUP(cleanup_blk) struct blk *b = open_disk(t);
    assert_int_equal(truncate(t->path, 3 * BLOCK), 0);
    assert_fails(ERR_IO, "ends at 12288", blk_pread(b, t->buf, 4 * BLOCK, 0, &e));
}

static void zeroing_takes_exactly_its_range(void **state)
{
    const struct bench *t = *state;
    struct error e;
    static const size_t ranges[][2] = {
        {0, DISK},
        {0, 1},
        {DISK - 1, DISK},
        {BLOCK, 2 * BLOCK},
        {100, 200},
        {100, BLOCK},
        {BLOCK - 1, BLOCK + 1},
        {1, 2 * BLOCK - 1},
        {1, 2 * BLOCK + 1},
        {7, DISK - 13},
        {17 * BLOCK - 1, 40 * BLOCK + 1},
    };
    CLEANUP(cleanup_blk) struct blk *b = open_disk(t);
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        fill_pattern(t->buf, 0, DISK);
        assert_ok(blk_pwrite(b, t->buf, DISK, 0, &e));
        assert_ok(blk_zero_range(b, ranges[i][0], ranges[i][1] - ranges[i][0], &e));
        assert_disk(b, t->buf, ranges[i][0], ranges[i][1]);
    }
}

static void zeros_are_written_where_nothing_else_is_taken(void **state)
{
    const struct bench *t = *state;
    struct error e;
    CLEANUP(cleanup_blk) struct blk *b = open_disk(t);
    static const int refusals[] = {EOPNOTSUPP, EINVAL, ENOSYS, EPERM};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        sys.fail_fallocate = refusals[i];
        sys.fallocates = 0;
        fill_pattern(t->buf, 0, DISK);
        assert_ok(blk_pwrite(b, t->buf, DISK, 0, &e));
        assert_ok(blk_zero_range(b, 5, 40 * BLOCK, &e));
        assert_disk(b, t->buf, 5, 5 + 40 * BLOCK);
        // Both ways were asked: a hole, then zeroed extents.
        assert_int_equal(sys.fallocates, 2);
    }
}

static void zeroing_a_file_frees_its_blocks(void **state)
{
    const struct bench *t = *state;
    struct error e;
    CLEANUP(cleanup_blk) struct blk *b = open_disk(t);
    memset(t->buf, 1, DISK);
    assert_ok(blk_pwrite(b, t->buf, DISK, 0, &e));
    assert_ok(blk_sync(b, &e));
    sys.direct = sys.buffered = 0;
    sys.short_calls = true;
    assert_ok(blk_zero_range(b, 0, DISK, &e));
    sys.short_calls = false;
    assert_int_equal(sys.direct + sys.buffered, 0);
    struct stat st;
    assert_int_equal(stat(t->path, &st), 0);
    assert_int_equal(st.st_size, DISK);
    assert_int_equal(st.st_blocks, 0);
}

static void a_sync_reaches_the_medium_and_drops_the_cache(void **state)
{
    const struct bench *t = *state;
    struct error e;
    CLEANUP(cleanup_blk) struct blk *b = open_disk(t);
    memset(t->buf, 1, DISK);
    assert_ok(blk_pwrite(b, t->buf + 1, 16 * BLOCK, 0, &e));
    assert_ok(blk_sync(b, &e));
    assert_int_equal(sys.syncs, 1);
    assert_int_equal(sys.drops, 1);
    sys.fail_drop = ESPIPE;
    assert_fails(ERR_IO, "drop the cached pages", blk_sync(b, &e));
    sys.fail_sync = EIO;
    assert_fails(ERR_IO, "sync", blk_sync(b, &e));
    assert_int_equal(e.sys, EIO);
}

static void offsets_above_4_gib_are_kept(void **state)
{
    const struct bench *t = *state;
    struct error e;
    uint64_t size = UINT64_C(6) << 30;
    assert_int_equal(truncate(t->path, (off_t)size), 0);
    CLEANUP(cleanup_blk) struct blk *b = open_disk(t);
    assert_true(b->size_bytes == size);
    uint64_t off = (UINT64_C(5) << 30) + 3;
    assert_ok(blk_pwrite(b, "high", 4, off, &e));
    assert_ok(blk_pwrite(b, "end", 3, size - 3, &e));
    char got[4];
    assert_ok(blk_pread(b, got, 4, off, &e));
    assert_memory_equal(got, "high", 4);
    assert_ok(blk_pread(b, got, 4, off & UINT32_MAX, &e));
    assert_memory_equal(got, "\0\0\0\0", 4);
    assert_ok(blk_zero_range(b, UINT64_C(1) << 30, size - (UINT64_C(1) << 30) - 1, &e));
    assert_ok(blk_pread(b, got, 4, off, &e));
    assert_memory_equal(got, "\0\0\0\0", 4);
    assert_ok(blk_pread(b, got, 3, size - 3, &e));
    assert_memory_equal(got, "\0\0d", 3);
}

static void a_file_opened_for_reading_is_never_written(void **state)
{
    const struct bench *t = *state;
    struct error e;
    CLEANUP(cleanup_blk) struct blk *b = NULL;
    assert_ok(blk_file_open(t->path, BLK_READ_ONLY, &b, &e));
    assert_fails(ERR_INTERNAL, "opened for reading", blk_pwrite(b, "x", 1, 0, &e));
    assert_fails(ERR_INTERNAL, "opened for reading", blk_zero_range(b, 0, BLOCK, &e));
    assert_ok(blk_pread(b, t->buf, BLOCK, 0, &e));
    assert_ok(blk_sync(b, &e));
}

// Through the cache, the other sectors of its block would be written too.
static void a_sector_of_a_device_is_written_directly_and_alone(void **state)
{
    const struct bench *t = *state;
    struct error e;
    char name[32];
    CLEANUP(cleanup_close) int loop = loop_device_attach(t->path, name, sizeof name);
    if (loop < 0) {
        skip(); // needs root and loop devices
    }
    CLEANUP(cleanup_blk) struct blk *b = NULL;
    assert_ok(blk_file_open(name, BLK_READ_WRITE, &b, &e));
    memset(t->buf, 7, BLOCK);
    sys.direct = sys.buffered = 0;
    assert_ok(blk_pwrite(b, t->buf + b->sector_bytes, b->sector_bytes, 2 * b->sector_bytes, &e));
    assert_ok(blk_zero_range(b, 0, b->sector_bytes, &e));
    if (sys.direct + sys.buffered > 2) {
        skip(); // what is behind the device has no direct path
    }
    assert_int_equal(sys.direct, 2);
    assert_ok(blk_pwrite(b, t->buf, b->sector_bytes - 1, 4 * b->sector_bytes, &e));
    assert_int_equal(sys.buffered, 1);
}

static void a_block_device_is_written_zeroed_and_read(void **state)
{
    const struct bench *t = *state;
    struct error e;
    char name[64];
    CLEANUP(cleanup_close) int loop = loop_device_attach(t->path, name, sizeof name);
    if (loop < 0) {
        skip(); // needs root and loop devices
    }
    CLEANUP(cleanup_blk) struct blk *b = NULL;
    assert_ok(blk_file_open(name, BLK_READ_WRITE, &b, &e));
    assert_int_equal(b->size_bytes, DISK);
    assert_int_equal(b->sector_bytes, 512);
    fill_pattern(t->buf, 0, DISK);
    assert_ok(blk_pwrite(b, t->buf, DISK, 0, &e));
    sys.direct = sys.buffered = 0;
    assert_ok(blk_zero_range(b, 100, 20 * BLOCK, &e));
    // The two edges are written, the middle is not.
    assert_int_equal(sys.direct + sys.buffered, 2);
    assert_disk(b, t->buf, 100, 100 + 20 * BLOCK);
    assert_ok(blk_sync(b, &e));
    assert_disk(b, t->buf, 100, 100 + 20 * BLOCK);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_is_written_is_read_back_at_any_offset),
        T(only_aligned_calls_take_the_direct_path),
        T(both_paths_see_the_same_bytes),
        T(a_direct_path_that_answers_einval_is_dropped),
        T(short_and_interrupted_transfers_are_continued),
        T(a_failing_medium_is_an_input_output_error),
        T(a_file_that_shrank_is_an_error_and_not_a_short_read),
        T(zeroing_takes_exactly_its_range),
        T(zeros_are_written_where_nothing_else_is_taken),
        T(zeroing_a_file_frees_its_blocks),
        T(a_sync_reaches_the_medium_and_drops_the_cache),
        T(offsets_above_4_gib_are_kept),
        T(a_file_opened_for_reading_is_never_written),
        T(a_block_device_is_written_zeroed_and_read),
        T(a_sector_of_a_device_is_written_directly_and_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
