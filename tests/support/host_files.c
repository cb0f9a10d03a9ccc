// SPDX-License-Identifier: Apache-2.0
#include "tests/support/host_files.h"

#include "base/file.h"
#include "image-tools/build.h"
#include "image-tools/image_file.h"
#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_MAX = 64 * 1024 * 1024 };

void host_write(const char *path, const void *data, size_t len)
{
    struct error e;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_ok(write_all(fd, data, len, &e));
    assert_int_equal(close(fd), 0);
}

uint8_t *host_read(const char *path, size_t *ret_len)
{
    struct error e;
    uint8_t *data = NULL;
    assert_ok(file_read(path, FILE_MAX, &data, ret_len, &e));
    return data;
}

size_t host_count(const char *dir)
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

void host_assert_same(const char *path_a, const char *path_b)
{
    size_t len_a;
    size_t len_b;
    CLEANUP(cleanup_free) uint8_t *a = host_read(path_a, &len_a);
    CLEANUP(cleanup_free) uint8_t *b = host_read(path_b, &len_b);
    assert_int_equal(len_a, len_b);
    assert_memory_equal(a, b, len_a);
}

void host_flip(const char *path, uint64_t off)
{
    uint8_t byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)off), 1);
    byte = (uint8_t)~byte;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)off), 1);
    assert_int_equal(close(fd), 0);
}

struct build_options host_options(const char *output)
{
    struct build_options o = {
        .output = output,
        .manifest = {.product = "vv-test",
                     .compatible = {.count = 1, .names = {"vv-test-board"}},
                     .version = "1.0.0",
                     .release_index = 1,
                     .created = 1700000000},
        .codec = CODEC_ZSTD,
        .level = 3,
        .cut = {.rule = CUT_BLOCK, .max_records = CUT_PLAN_RECORDS},
        .jobs = 2,
        .signature_reserve = BUILD_SIGNATURE_RESERVE,
    };
    return o;
}

void host_add_partition(struct build_options *o, const char *name, const char *path)
{
    struct partition_info *p = &o->manifest.partitions[o->manifest.partition_count];
    p->id = (uint32_t)o->manifest.partition_count;
    snprintf(p->name, sizeof(p->name), "%s", name);
    o->paths[o->manifest.partition_count++] = path;
}

struct image_totals host_build(struct build_options *o)
{
    struct error e;
    struct image_totals totals;
    struct progress quiet = {.kind = PROGRESS_NONE};
    assert_ok(build_image(o, &quiet, &totals, &e));
    return totals;
}

struct image_recipe host_recipe(uint8_t *data)
{
    enum { PART = HOST_SAMPLE_SIZE / 5 };
    fill_text(data, PART, 1);
    memset(data + PART, 0, PART);
    fill_random(data + 2 * PART, PART, 2);
    fill_text(data + 3 * PART, PART, 3);
    memcpy(data + 4 * PART, data + 2 * PART, PART);
    struct image_recipe r = image_recipe_default();
    r.rule = CUT_FIXED;
    r.average = PART;
    image_recipe_add(&r, "rootfs", data, HOST_SAMPLE_SIZE);
    return r;
}

void host_write_image(const char *path, struct image_recipe *recipe)
{
    struct built_image image = image_build(recipe);
    host_write(path, image.bytes, image.len);
    built_image_free(&image);
}

uint8_t *host_decode(const char *path, size_t *ret_len)
{
    struct error e;
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    CLEANUP(image_contents_clear) struct image_contents c = {0};
    CLEANUP(cleanup_decoder) struct decoder *d = NULL;
    assert_ok(image_file_open(path, &f, &e));
    assert_ok(image_file_contents(f, &c, &e));
    assert_ok(decoder_new(&d, &e));
    CLEANUP(cleanup_free) uint8_t *stored = malloc(CHUNK_STORED_MAX);
    uint8_t *raw = calloc(1, FILE_MAX);
    size_t len = 0;
    assert_non_null(stored);
    assert_non_null(raw);
    for (uint32_t i = 0; i < chunk_table_count(c.table); i++) {
        struct chunk chunk = chunk_table_get(c.table, i, NULL);
        assert_true(len + chunk.raw_len <= FILE_MAX);
        if (chunk.codec != CODEC_ZERO) {
            assert_ok(image_file_read(f, stored, chunk.stored_len,
                                      f->header.payload_offset + chunk.stored_off, &e));
            assert_ok(decoder_run(d, chunk.codec, stored, chunk.stored_len, raw + len,
                                  chunk.raw_len, &e));
        }
        len += chunk.raw_len;
    }
    *ret_len = len;
    return raw;
}
