// SPDX-License-Identifier: Apache-2.0
#include "tests/support/env_file.h"

#include "base/cleanup.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <zlib.h>

static off_t offset_of(int copy)
{
    return copy == 0 ? ENV_FILE_OFFSET_0 : ENV_FILE_OFFSET_1;
}

static int open_image(const struct env_file *f)
{
    int fd = open(f->image, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    return fd;
}

void env_file_write_config(const struct env_file *f, const char *text)
{
    FILE *out = fopen(f->config, "we");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

void env_file_write_copy(const struct env_file *f, int copy, uint8_t flag, const void *data,
                         size_t len)
{
    assert_true(len <= ENV_FILE_DATA_SIZE);
    uint8_t image[ENV_FILE_SIZE] = {0};
    memcpy(image + 5, data, len);
    uint32_t crc = (uint32_t)crc32(0, image + 5, ENV_FILE_DATA_SIZE);
    memcpy(image, &crc, sizeof crc);
    image[4] = flag;
    CLEANUP(cleanup_close) int fd = open_image(f);
    assert_int_equal(pwrite(fd, image, sizeof image, offset_of(copy)), sizeof image);
}

void env_file_write_vars(const struct env_file *f, int copy, uint8_t flag, const char *const *vars)
{
    char data[ENV_FILE_DATA_SIZE] = {0};
    size_t at = 0;
    for (; *vars != NULL; vars++) {
        size_t len = strlen(*vars) + 1;
        assert_true(at + len < sizeof data);
        memcpy(data + at, *vars, len);
        at += len;
    }
    env_file_write_copy(f, copy, flag, data, sizeof data);
}

void env_file_make(struct env_file *f, const char *dir, const char *const *vars)
{
    temp_dir_path(f->image, sizeof f->image, dir, "env.img");
    temp_dir_path(f->config, sizeof f->config, dir, "fw_env.config");
    env_file_write_vars(f, 0, 1, vars);
    env_file_write_vars(f, 1, 0, vars);
    char text[1024];
    snprintf(text, sizeof text, "# device offset size\n%s 0x%x 0x%x\n%s 0x%x 0x%x\n", f->image,
             ENV_FILE_OFFSET_0, ENV_FILE_SIZE, f->image, ENV_FILE_OFFSET_1, ENV_FILE_SIZE);
    env_file_write_config(f, text);
}

void env_file_damage(const struct env_file *f, int copy)
{
    CLEANUP(cleanup_close) int fd = open_image(f);
    off_t at = offset_of(copy) + ENV_FILE_SIZE / 2;
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x5a;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

void env_file_read_copy(const struct env_file *f, int copy, uint8_t ret[ENV_FILE_SIZE])
{
    CLEANUP(cleanup_close) int fd = open_image(f);
    assert_int_equal(pread(fd, ret, ENV_FILE_SIZE, offset_of(copy)), ENV_FILE_SIZE);
}

uint8_t env_file_flag(const struct env_file *f, int copy)
{
    uint8_t image[ENV_FILE_SIZE];
    env_file_read_copy(f, copy, image);
    return image[4];
}
