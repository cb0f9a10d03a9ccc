// SPDX-License-Identifier: Apache-2.0
#include "image-tools/container_file.h"

#include "base/file.h"
#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>

static int fail_fsync;

int fsync(int fd)
{
    if (fail_fsync != 0) {
        errno = fail_fsync;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

struct room {
    char *dir;
    char path[HOST_PATH_MAX];
    uint8_t table[192];
    struct hasher *hasher;
    struct container_parts parts;
};

static int setup(void **state)
{
    struct error e;
    void *dir = NULL;
    struct room *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    assert_int_equal(temp_dir_make(&dir), 0);
    r->dir = dir;
    fail_fsync = 0;
    temp_dir_path(r->path, sizeof(r->path), dir, "out");
    assert_ok(hasher_new(&r->hasher, &e));
    memset(r->table, 't', sizeof(r->table));
    int fd = open(dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_ok(write_all(fd, "payload and more", 16, &e));
    r->parts = (struct container_parts){.kind = FILE_PACK,
                                        .manifest = "{\"a\":1}",
                                        .manifest_len = 7,
                                        .table = r->table,
                                        .table_size = sizeof(r->table),
                                        .payload_fd = fd,
                                        .payload_size = 7,
                                        .signature_area_size = 100};
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct room *r = *state;
    void *dir = r->dir;
    close(r->parts.payload_fd);
    hasher_free(r->hasher);
    free(r);
    return temp_dir_remove(&dir);
}

static void all_zero(const uint8_t *bytes, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        assert_int_equal(bytes[i], 0);
    }
}

static void the_parts_stand_where_the_header_says(void **state)
{
    struct room *r = *state;
    struct error e;
    static const enum file_kind kinds[] = {FILE_PACK, FILE_IMAGE};
    for (size_t k = 0; k < 2; k++) {
        uint64_t file_bytes = 0;
        size_t len = 0;
        struct header h;
        uint8_t digest[SHA256_SIZE];
        r->parts.kind = kinds[k];
        assert_ok(container_file_write(r->path, &r->parts, r->hasher, &file_bytes, &e));
        CLEANUP(cleanup_free) uint8_t *bytes = host_read(r->path, &len);
        assert_int_equal(len, file_bytes);
        assert_int_equal(len, 4096 + 7);
        assert_ok(header_parse_kind(bytes, kinds[k], &h, &e));
        assert_int_equal(h.file_size, len);
        assert_memory_equal(bytes + 128, "{\"a\":1}", 7);
        assert_ok(hasher_sha256(r->hasher, "{\"a\":1}", 7, digest, &e));
        assert_memory_equal(h.manifest_sha256, digest, SHA256_SIZE);
        assert_int_equal(h.table_offset, 256);
        all_zero(bytes, 135, 256);
        assert_memory_equal(bytes + 256, r->table, sizeof(r->table));
        all_zero(bytes, 256 + sizeof(r->table), 4096);
        assert_memory_equal(bytes + 4096, "payload", 7);
        assert_int_equal(host_count(r->dir), 1);
    }
}

static void a_part_over_its_limit_leaves_no_file(void **state)
{
    struct room *r = *state;
    struct error e;
    uint64_t file_bytes;
    r->parts.table_size = 49;
    assert_fails(ERR_FORMAT, "not a multiple of 48",
                 container_file_write(r->path, &r->parts, r->hasher, &file_bytes, &e));
    r->parts.table_size = 48;
    r->parts.signature_area_size = SIGNATURE_AREA_MAX + 1;
    assert_fails(ERR_FORMAT, "the signature area is 65537 bytes",
                 container_file_write(r->path, &r->parts, r->hasher, &file_bytes, &e));
    assert_int_equal(host_count(r->dir), 0);
}

static void a_failure_leaves_an_older_file(void **state)
{
    struct room *r = *state;
    struct error e;
    uint64_t file_bytes;
    size_t len = 0;
    host_write(r->path, "old", 3);
    fail_fsync = EIO;
    assert_fails(ERR_IO, "sync",
                 container_file_write(r->path, &r->parts, r->hasher, &file_bytes, &e));
    fail_fsync = 0;
    r->parts.payload_size = 17; // more than the payload has
    assert_fails(ERR_IO, "to copy are missing",
                 container_file_write(r->path, &r->parts, r->hasher, &file_bytes, &e));
    CLEANUP(cleanup_free) uint8_t *bytes = host_read(r->path, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "old", 3);
    assert_int_equal(host_count(r->dir), 1);
}

#define in_room(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(the_parts_stand_where_the_header_says),
        in_room(a_part_over_its_limit_leaves_no_file),
        in_room(a_failure_leaves_an_older_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
