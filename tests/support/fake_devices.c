// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_devices.h"

#include "tests/support/expect.h"

#include <errno.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { PATHS_MAX = 64 };

static struct {
    size_t count;
    struct {
        char path[256];
        struct stat st;
    } of[PATHS_MAX];
} paths;

static int fake_stat(const char *path, struct stat *ret)
{
    for (size_t i = 0; i < paths.count; i++) {
        if (strcmp(paths.of[i].path, path) == 0) {
            *ret = paths.of[i].st;
            return 0;
        }
    }
    errno = ENOENT;
    return -1;
}

static void add_path(const char *path, const struct stat *st)
{
    assert_true(paths.count < PATHS_MAX);
    snprintf(paths.of[paths.count].path, sizeof paths.of[0].path, "%s", path);
    paths.of[paths.count++].st = *st;
}

static void make_dir(const char *path)
{
    if (mkdir(path, 0755) != 0) {
        assert_int_equal(errno, EEXIST);
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fprintf(f, "%s\n", text);
    assert_int_equal(fclose(f), 0);
}

void fake_devices_make(struct fake_devices *f, const char *dir)
{
    static char disk_by[256];
    static char sys_dev_block[512];
    paths.count = 0;
    snprintf(f->sys, sizeof f->sys, "%s/sys", dir);
    snprintf(f->mountinfo, sizeof f->mountinfo, "%s/mountinfo", dir);
    snprintf(disk_by, sizeof disk_by, "%s/disk", dir);
    snprintf(sys_dev_block, sizeof sys_dev_block, "%s/block", f->sys);
    make_dir(f->sys);
    make_dir(sys_dev_block);
    f->view = (struct block_view){sys_dev_block, f->mountinfo, disk_by, fake_stat};
}

void fake_block(const char *path, unsigned maj, unsigned min)
{
    add_path(path, &(struct stat){.st_mode = S_IFBLK | 0600,
                                  .st_dev = makedev(0, 5),
                                  .st_ino = maj * 1000 + min,
                                  .st_rdev = makedev(maj, min)});
}

void fake_file(const char *path, unsigned maj, unsigned min, unsigned long ino)
{
    add_path(path,
             &(struct stat){.st_mode = S_IFREG | 0600, .st_dev = makedev(maj, min), .st_ino = ino});
}

void fake_dir(const char *path, unsigned maj, unsigned min)
{
    add_path(path,
             &(struct stat){.st_mode = S_IFDIR | 0755, .st_dev = makedev(maj, min), .st_ino = 2});
}

void fake_disk_link(const struct fake_devices *f, const char *kind_and_name, unsigned maj,
                    unsigned min)
{
    char path[512];
    snprintf(path, sizeof path, "%s/by-%s", f->view.disk_by, kind_and_name);
    fake_block(path, maj, min);
}

void fake_sys_device(const struct fake_devices *f, const char *disk, const char *partition,
                     unsigned maj, unsigned min)
{
    char path[1024];
    char link[1100];
    snprintf(path, sizeof path, "%s/%s", f->sys, disk);
    make_dir(path);
    if (partition != NULL) {
        snprintf(path, sizeof path, "%s/%s/%s", f->sys, disk, partition);
        make_dir(path);
        snprintf(link, sizeof link, "%s/partition", path);
        write_file(link, "1");
    }
    snprintf(link, sizeof link, "%s/%u:%u", f->view.sys_dev_block, maj, min);
    assert_int_equal(symlink(path, link), 0);
}

void fake_sys_slave(const struct fake_devices *f, unsigned maj, unsigned min, const char *slave,
                    unsigned slave_maj, unsigned slave_min)
{
    char path[1024];
    char number[32];
    snprintf(path, sizeof path, "%s/%u:%u/slaves", f->view.sys_dev_block, maj, min);
    make_dir(path);
    snprintf(path, sizeof path, "%s/%u:%u/slaves/%s", f->view.sys_dev_block, maj, min, slave);
    make_dir(path);
    snprintf(path, sizeof path, "%s/%u:%u/slaves/%s/dev", f->view.sys_dev_block, maj, min, slave);
    snprintf(number, sizeof number, "%u:%u", slave_maj, slave_min);
    write_file(path, number);
}

void fake_sys_backing_file(const struct fake_devices *f, unsigned maj, unsigned min,
                           const char *path)
{
    char file[1024];
    snprintf(file, sizeof file, "%s/%u:%u/loop", f->view.sys_dev_block, maj, min);
    make_dir(file);
    snprintf(file, sizeof file, "%s/%u:%u/loop/backing_file", f->view.sys_dev_block, maj, min);
    write_file(file, path);
}
