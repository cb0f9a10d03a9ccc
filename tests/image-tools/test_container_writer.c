// SPDX-License-Identifier: Apache-2.0
#include "image-tools/container_writer.h"

#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"

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

enum { RECORDS = 3 };

static const char manifest[] = "{\"a\":1}";

struct room {
    char *dir;
    char path[HOST_PATH_MAX];
    struct container_writer *writer;
};

// A writer that was given three records of `record_size` bytes 't' and a payload of 7 bytes.
static void begin(struct room *r, enum file_kind kind, size_t record_size)
{
    struct error e;
    struct file_body body;
    container_writer_free(r->writer);
    r->writer = NULL;
    assert_ok(container_writer_new(kind, r->path, &r->writer, &e));
    for (size_t i = 0; i < RECORDS; i++) {
        memset(container_writer_add_record(r->writer), 't', record_size);
    }
    assert_ok(container_writer_store(r->writer, (const uint8_t *)"pay", 3, &e));
    assert_ok(container_writer_store(r->writer, (const uint8_t *)"load", 4, &e));
    assert_ok(container_writer_seal(r->writer, &body, &e));
    assert_int_equal(body.table_records, RECORDS);
    assert_int_equal(body.table_size, RECORDS * record_size);
    assert_int_equal(body.payload_size, 7);
    assert_ok(container_check_table(&body, r->writer->table, RECORDS * record_size,
                                    r->writer->hasher, &e));
}

static enum err finish(struct room *r, uint32_t signature_area_size, uint64_t *ret, struct error *e)
{
    return container_writer_finish(r->writer, manifest, strlen(manifest), signature_area_size, ret,
                                   e);
}

static int setup(void **state)
{
    void *dir = NULL;
    struct room *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    assert_int_equal(temp_dir_make(&dir), 0);
    r->dir = dir;
    fail_fsync = 0;
    temp_dir_path(r->path, sizeof(r->path), dir, "out");
    begin(r, FILE_PACK, 48);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct room *r = *state;
    void *dir = r->dir;
    container_writer_free(r->writer);
    free(r);
    return temp_dir_remove(&dir);
}

static void all_are(const uint8_t *bytes, size_t from, size_t to, uint8_t value)
{
    for (size_t i = from; i < to; i++) {
        assert_int_equal(bytes[i], value);
    }
}

static void the_parts_stand_where_the_header_says(void **state)
{
    struct room *r = *state;
    struct error e;
    static const size_t record_sizes[] = {[FILE_IMAGE] = 64, [FILE_PACK] = 48};
    for (enum file_kind kind = FILE_IMAGE; kind <= FILE_PACK; kind++) {
        uint64_t file_bytes = 0;
        size_t len = 0;
        struct header h;
        size_t table_end = 256 + RECORDS * record_sizes[kind];
        begin(r, kind, record_sizes[kind]);
        assert_ok(finish(r, 100, &file_bytes, &e));
        CLEANUP(cleanup_free) uint8_t *bytes = host_read(r->path, &len);
        assert_int_equal(len, file_bytes);
        assert_int_equal(len, 4096 + 7);
        assert_ok(header_parse_kind(bytes, kind, &h, &e));
        assert_int_equal(h.file_size, len);
        assert_memory_equal(bytes + 128, manifest, 7);
        assert_ok(container_check_manifest(&h, bytes + 128, r->writer->hasher, &e));
        assert_int_equal(h.table_offset, 256);
        all_are(bytes, 135, 256, 0);
        all_are(bytes, 256, table_end, 't');
        all_are(bytes, table_end, 4096, 0);
        assert_memory_equal(bytes + 4096, "payload", 7);
        assert_int_equal(host_count(r->dir), 1);
    }
}

static void before_it_is_finished_nothing_is_there(void **state)
{
    struct room *r = *state;
    assert_int_equal(host_count(r->dir), 0);
    container_writer_free(r->writer);
    r->writer = NULL;
    assert_int_equal(host_count(r->dir), 0);
}

static void a_part_over_its_limit_leaves_no_file(void **state)
{
    struct room *r = *state;
    struct error e;
    uint64_t file_bytes;
    assert_fails(ERR_FORMAT, "the signature area is 65537 bytes",
                 finish(r, SIGNATURE_AREA_MAX + 1, &file_bytes, &e));
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
    assert_fails(ERR_IO, "sync", finish(r, 0, &file_bytes, &e));
    fail_fsync = 0;
    r->writer->body.payload_size++; // more than the payload has
    assert_fails(ERR_IO, "to copy are missing", finish(r, 0, &file_bytes, &e));
    CLEANUP(cleanup_free) uint8_t *bytes = host_read(r->path, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "old", 3);
    assert_int_equal(host_count(r->dir), 1);
}

static void a_place_where_no_file_can_stand_is_told_at_once(void **state)
{
    struct room *r = *state;
    struct error e;
    char path[HOST_PATH_MAX];
    struct container_writer *w = NULL;
    assert_fails(ERR_IO, "not a regular file", container_writer_new(FILE_PACK, r->dir, &w, &e));
    temp_dir_path(path, sizeof(path), r->dir, "none/out.vvd");
    assert_fails(ERR_IO, path, container_writer_new(FILE_PACK, path, &w, &e));
    assert_null(w);
}

#define in_room(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(the_parts_stand_where_the_header_says),
        in_room(before_it_is_finished_nothing_is_there),
        in_room(a_part_over_its_limit_leaves_no_file),
        in_room(a_failure_leaves_an_older_file),
        in_room(a_place_where_no_file_can_stand_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
