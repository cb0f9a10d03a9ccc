// SPDX-License-Identifier: Apache-2.0
#include "image-tools/pack_writer.h"

#include "image-tools/pack_file.h"
#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"

static struct pack_manifest sample_manifest(void)
{
    struct pack_manifest m = {.created = 1700000000};
    m.base.manifest_sha256[0] = 1;
    m.target.manifest_sha256[0] = 2;
    return m;
}

// Of DIR/out.vvd, which is put into `path`.
static struct container_writer *new_writer(char path[HOST_PATH_MAX], const char *dir)
{
    struct error e;
    struct container_writer *w = NULL;
    temp_dir_path(path, HOST_PATH_MAX, dir, "out.vvd");
    assert_ok(container_writer_new(FILE_PACK, path, &w, &e));
    return w;
}

static void add(struct container_writer *w, uint32_t chunk, const char *stored)
{
    struct error e;
    struct pack_record r = {.chunk = chunk,
                            .base_len = 4096,
                            .stored_len = (uint32_t)strlen(stored),
                            .stored_off = 12345}; // must not matter
    memset(r.stored_sha256, (int)chunk, STORED_HASH_SIZE);
    assert_ok(pack_writer_add(w, &r, (const uint8_t *)stored, &e));
}

static void records_are_laid_out_as_the_reader_wants_them(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    size_t len = 0;
    uint64_t file_bytes = 0;
    CLEANUP(cleanup_container_writer) struct container_writer *w = new_writer(path, *state);
    struct pack_manifest m = sample_manifest();
    add(w, 3, "three");
    add(w, 70000, "x");
    add(w, 70001, "more");
    assert_ok(pack_writer_finish(w, &m, 2048, &file_bytes, &e));
    assert_int_equal(m.body.table_records, 3);
    assert_int_equal(m.body.table_size, 144);
    assert_int_equal(m.body.payload_size, 10);

    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    CLEANUP(pack_contents_clear) struct pack_contents c = {0};
    assert_ok(image_file_open(path, &f, &e));
    assert_ok(pack_file_contents(f, &c, &e));
    assert_int_equal(f->header.signature_area_size, 2048);
    assert_int_equal(f->header.file_size, file_bytes);
    assert_int_equal(pack_table_get(c.table, 1).chunk, 70000);
    assert_int_equal(pack_table_get(c.table, 1).stored_off, 5);
    assert_int_equal(pack_table_get(c.table, 2).stored_off, 6);
    CLEANUP(cleanup_free) uint8_t *bytes = host_read(path, &len);
    assert_memory_equal(bytes + f->header.payload_offset, "threexmore", 10);
    assert_int_equal(host_count(*state), 1);
}

static void a_pack_of_nothing_is_not_written(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    uint64_t file_bytes;
    CLEANUP(cleanup_container_writer) struct container_writer *w = new_writer(path, *state);
    struct pack_manifest m = sample_manifest();
    assert_fails(ERR_FORMAT, "table: records: 0", pack_writer_finish(w, &m, 0, &file_bytes, &e));
    assert_int_equal(host_count(*state), 0);
}

static void no_more_records_than_a_table_holds(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    CLEANUP(cleanup_container_writer) struct container_writer *w = new_writer(path, *state);
    struct pack_record r = {.base_len = 1, .stored_len = 1};
    for (r.chunk = 0; r.chunk < TABLE_RECORDS_MAX; r.chunk++) {
        assert_ok(pack_writer_add(w, &r, (const uint8_t *)"s", &e));
    }
    assert_fails(ERR_INTERNAL, "more than 65536 records",
                 pack_writer_add(w, &r, (const uint8_t *)"s", &e));
}

#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(records_are_laid_out_as_the_reader_wants_them),
        WITH_DIR(a_pack_of_nothing_is_not_written),
        WITH_DIR(no_more_records_than_a_table_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
