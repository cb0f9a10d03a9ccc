// SPDX-License-Identifier: Apache-2.0
// What blk_file_open() takes and refuses, and what is the same device.
#include "base/blk_file.h"

#include "base/cleanup.h"
#include "tests/support/expect.h"
#include "tests/support/loop_device.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

enum { DISK = 64 * BLK_ALIGN };

DEFINE_CLEANUP(blk, struct blk *, blk_close)

// Answers of a device that no test machine has. 0: what the real one says. This ioctl() takes the
// place of that of the C library in this program.
static struct {
    int sector_bytes;
    int fail_size;
} fake;

int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (request == BLKGETSIZE64 && fake.fail_size != 0) {
        errno = fake.fail_size;
        return -1;
    }
    if (request == BLKSSZGET && fake.sector_bytes != 0) {
        *(int *)arg = fake.sector_bytes;
        return 0;
    }
    return (int)syscall(SYS_ioctl, fd, request, arg);
}

// One test: a directory with a file in it.
struct bench {
    char *dir;
    char path[256];
};

static int setup(void **state)
{
    memset(&fake, 0, sizeof fake);
    struct bench *t = calloc(1, sizeof *t);
    void *dir = NULL;
    if (t == NULL || temp_dir_make(&dir) != 0) {
        return -1;
    }
    t->dir = dir;
    temp_dir_path(t->path, sizeof t->path, t->dir, "disk");
    *state = t;
    CLEANUP(cleanup_close) int fd = open(t->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    return fd < 0 ? -1 : ftruncate(fd, DISK);
}

static int teardown(void **state)
{
    struct bench *t = *state;
    void *dir = t->dir;
    free(t);
    return temp_dir_remove(&dir);
}

static void a_file_is_opened_with_its_size(void **state)
{
    const struct bench *t = *state;
    struct error e;
    CLEANUP(cleanup_blk) struct blk *b = NULL;
    assert_ok(blk_file_open(t->path, BLK_READ_WRITE, &b, &e));
    assert_int_equal(b->size_bytes, DISK);
    assert_int_equal(b->sector_bytes, 512);
    assert_string_equal(b->name, t->path);
}

static void a_missing_path_is_a_configuration_error(void **state)
{
    const struct bench *t = *state;
    struct error e;
    struct blk *b = NULL;
    char path[300];
    temp_dir_path(path, sizeof path, t->dir, "absent");
    assert_fails(ERR_CONFIG, path, blk_file_open(path, BLK_READ_WRITE, &b, &e));
    assert_int_equal(e.sys, ENOENT);
    temp_dir_path(path, sizeof path, t->path, "below-a-file");
    assert_fails(ERR_CONFIG, path, blk_file_open(path, BLK_READ_ONLY, &b, &e));
    assert_null(b);
}

static void anything_but_a_device_or_a_file_is_refused(void **state)
{
    const struct bench *t = *state;
    struct error e;
    struct blk *b = NULL;
    char fifo[300];
    temp_dir_path(fifo, sizeof fifo, t->dir, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    const char *const paths[] = {t->dir, fifo, "/dev/null"};
    for (size_t i = 0; i < 3; i++) {
        assert_fails(ERR_CONFIG, "neither a block device nor a file",
                     blk_file_open(paths[i], BLK_READ_WRITE, &b, &e));
    }
    assert_null(b);
}

static void a_file_without_permission_is_an_input_output_error(void **state)
{
    const struct bench *t = *state;
    struct error e;
    struct blk *b = NULL;
    uid_t me = geteuid();
    assert_int_equal(chmod(t->dir, 0755), 0);
    assert_int_equal(chmod(t->path, 0), 0);
    if (me == 0) {
        // Root is refused nothing; nobody is.
        assert_int_equal(seteuid(65534), 0);
    }
    enum err err = blk_file_open(t->path, BLK_READ_WRITE, &b, &e);
    assert_int_equal(seteuid(me), 0);
    assert_int_equal(err, ERR_IO);
    assert_int_equal(e.sys, EACCES);
    assert_contains(e.msg, t->path);
    assert_null(b);
}

static void two_names_of_one_file_are_the_same(void **state)
{
    const struct bench *t = *state;
    struct error e;
    bool same = false;
    char link_path[300];
    char other[300];
    temp_dir_path(link_path, sizeof link_path, t->dir, "link");
    temp_dir_path(other, sizeof other, t->dir, "hard");
    assert_int_equal(symlink(t->path, link_path), 0);
    assert_int_equal(link(t->path, other), 0);
    assert_ok(blk_file_same(t->path, t->path, &same, &e));
    assert_true(same);
    same = false;
    assert_ok(blk_file_same(t->path, link_path, &same, &e));
    assert_true(same);
    same = false;
    assert_ok(blk_file_same(other, link_path, &same, &e));
    assert_true(same);
    assert_ok(blk_file_same(t->path, t->dir, &same, &e));
    assert_false(same);
}

static void a_missing_path_is_not_the_same_as_anything(void **state)
{
    const struct bench *t = *state;
    struct error e;
    bool same = true;
    char path[300];
    temp_dir_path(path, sizeof path, t->dir, "absent");
    assert_fails(ERR_CONFIG, path, blk_file_same(t->path, path, &same, &e));
    assert_fails(ERR_CONFIG, path, blk_file_same(path, t->path, &same, &e));
    assert_true(same);
}

static void a_block_device_in_use_is_refused_for_writing(void **state)
{
    const struct bench *t = *state;
    struct error e;
    char name[64];
    CLEANUP(cleanup_close) int loop = loop_device_attach(t->path, name, sizeof name);
    if (loop < 0) {
        skip(); // needs root and loop devices
    }
    CLEANUP(cleanup_blk) struct blk *writer = NULL;
    assert_ok(blk_file_open(name, BLK_READ_WRITE, &writer, &e));
    struct blk *second = NULL;
    assert_fails(ERR_NOT_NOW, "is mounted or in use",
                 blk_file_open(name, BLK_READ_WRITE, &second, &e));
    assert_contains(e.msg, name);
    assert_null(second);
    CLEANUP(cleanup_blk) struct blk *reader = NULL;
    assert_ok(blk_file_open(name, BLK_READ_ONLY, &reader, &e));
    bool same = false;
    assert_ok(blk_file_same(name, name, &same, &e));
    assert_true(same);
    assert_ok(blk_file_same(name, t->path, &same, &e));
    assert_false(same);
}

static void a_device_with_odd_sectors_or_no_size_is_refused(void **state)
{
    const struct bench *t = *state;
    struct error e;
    char name[64];
    CLEANUP(cleanup_close) int loop = loop_device_attach(t->path, name, sizeof name);
    if (loop < 0) {
        skip(); // needs root and loop devices
    }
    struct blk *b = NULL;
    static const int odd[] = {-512, 1, 256, 520, 8192};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        fake.sector_bytes = odd[i];
        assert_fails(ERR_IO, "are not supported", blk_file_open(name, BLK_READ_WRITE, &b, &e));
    }
    fake.fail_size = EIO;
    assert_fails(ERR_IO, "ask for its size", blk_file_open(name, BLK_READ_WRITE, &b, &e));
    assert_null(b);
    fake.fail_size = 0;
    fake.sector_bytes = 4096;
    // Nothing refused above still holds the device.
    CLEANUP(cleanup_blk) struct blk *good = NULL;
    assert_ok(blk_file_open(name, BLK_READ_WRITE, &good, &e));
    assert_int_equal(good->sector_bytes, 4096);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_file_is_opened_with_its_size),
        T(a_missing_path_is_a_configuration_error),
        T(anything_but_a_device_or_a_file_is_refused),
        T(a_file_without_permission_is_an_input_output_error),
        T(two_names_of_one_file_are_the_same),
        T(a_missing_path_is_not_the_same_as_anything),
        T(a_block_device_in_use_is_refused_for_writing),
        T(a_device_with_odd_sectors_or_no_size_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
