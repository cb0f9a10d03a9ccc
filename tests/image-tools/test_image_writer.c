// SPDX-License-Identifier: Apache-2.0
#include "image-tools/image_writer.h"

#include "image-tools/cut_plan.h"
#include "image-tools/image_file.h"
#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

// A chunk as the pool would hand it over: `len` bytes of `data`, stored raw, or zeros.
static struct chunk chunk_of(const uint8_t *data, size_t len)
{
    struct error e;
    CLEANUP(cleanup_hasher) struct hasher *h = NULL;
    static const uint8_t zeros[4096];
    struct chunk c = {.raw_len = (uint32_t)len, .codec = CODEC_ZERO};
    assert_ok(hasher_new(&h, &e));
    assert_ok(hasher_sha256(h, data != NULL ? data : zeros, len, c.raw_sha256, &e));
    if (data != NULL) {
        c.codec = CODEC_RAW;
        c.stored_len = (uint32_t)len;
        memcpy(c.stored_sha256, c.raw_sha256, STORED_HASH_SIZE);
    }
    return c;
}

static void add(struct image_writer *w, const uint8_t *data, size_t len)
{
    struct error e;
    struct chunk c = chunk_of(data, len);
    // What stands here must not matter.
    c.stored_off = 12345;
    assert_ok(image_writer_add(w, &c, data, &e));
}

static struct manifest sample_manifest(size_t partitions)
{
    struct manifest m = host_options("").manifest;
    m.partition_count = partitions;
    for (size_t i = 0; i < partitions; i++) {
        m.partitions[i].id = (uint32_t)i;
        snprintf(m.partitions[i].name, sizeof(m.partitions[i].name), "p%zu", i);
    }
    return m;
}

static struct image_writer *new_writer(const char *path)
{
    struct error e;
    struct image_writer *w = NULL;
    assert_ok(image_writer_new(path, &w, &e));
    return w;
}

// What stands in the file, checked by the reader.
struct written {
    struct image_file *file;
    struct image_contents contents;
};

static void close_written(struct written *w)
{
    image_contents_clear(&w->contents);
    image_file_free(w->file);
}

static struct written open_written(const char *path)
{
    struct error e;
    struct written w = {0};
    assert_ok(image_file_open(path, &w.file, &e));
    assert_ok(image_file_contents(w.file, &w.contents, &e));
    return w;
}

static void two_partitions_are_laid_out_as_the_reader_wants_them(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    uint8_t data[3][4096];
    size_t len;
    temp_dir_path(path, sizeof(path), *state, "out.vvi");
    fill_random(data, sizeof(data), 1);
    CLEANUP(cleanup_image_writer) struct image_writer *w = new_writer(path);
    struct manifest m = sample_manifest(2);
    add(w, data[0], 4096);
    add(w, NULL, 4096);
    assert_ok(image_writer_end_partition(w, &m.partitions[0], &e));
    add(w, data[1], 4096);
    add(w, data[2], 100);
    assert_ok(image_writer_end_partition(w, &m.partitions[1], &e));
    struct image_totals t;
    assert_ok(image_writer_finish(w, &m, 8192, &t, &e));

    assert_int_equal(t.chunks, 4);
    assert_int_equal(t.zero_chunks, 1);
    assert_int_equal(t.repeated_chunks, 0);
    assert_int_equal(t.raw_bytes, 3 * 4096 + 100);
    assert_int_equal(t.payload_bytes, 2 * 4096 + 100);
    CLEANUP(close_written) struct written in = open_written(path);
    const struct manifest *got = in.contents.manifest;
    assert_int_equal(t.file_bytes, in.file->header.file_size);
    assert_int_equal(in.file->header.signature_area_size, 8192);
    assert_int_equal(in.contents.signatures.count, 0);
    assert_int_equal(got->partition_count, 2);
    assert_int_equal(got->partitions[0].image_size, 8192);
    assert_int_equal(got->partitions[0].count, 2);
    assert_int_equal(got->partitions[1].first, 2);
    assert_int_equal(got->partitions[1].image_size, 4196);
    CLEANUP(cleanup_free) uint8_t *raw = host_decode(path, &len);
    assert_int_equal(len, 3 * 4096 + 100);
    assert_memory_equal(raw, data[0], 4096);
    assert_memory_equal(raw + 8192, data[1], 4096);
    assert_memory_equal(raw + 12288, data[2], 100);
    assert_int_equal(host_count(*state), 1);
}

static void a_chunk_seen_before_repeats_its_record_and_stores_nothing(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    uint8_t data[2][4096];
    temp_dir_path(path, sizeof(path), *state, "out.vvi");
    fill_random(data, sizeof(data), 1);
    CLEANUP(cleanup_image_writer) struct image_writer *w = new_writer(path);
    struct manifest m = sample_manifest(2);
    add(w, data[0], 4096);
    add(w, data[1], 4096);
    add(w, data[0], 4096);
    assert_ok(image_writer_end_partition(w, &m.partitions[0], &e));
    // In another partition too.
    add(w, data[1], 4096);
    assert_ok(image_writer_end_partition(w, &m.partitions[1], &e));
    struct image_totals t;
    assert_ok(image_writer_finish(w, &m, 0, &t, &e));
    assert_int_equal(t.repeated_chunks, 2);
    assert_int_equal(t.payload_bytes, 8192);
    CLEANUP(close_written) struct written in = open_written(path);
    const uint8_t *table = chunk_table_bytes(in.contents.table);
    assert_memory_equal(table, table + 2 * CHUNK_RECORD_SIZE, CHUNK_RECORD_SIZE);
    assert_memory_equal(table + CHUNK_RECORD_SIZE, table + 3 * CHUNK_RECORD_SIZE,
                        CHUNK_RECORD_SIZE);
    assert_int_equal(chunk_table_origin(in.contents.table, 2), 0);
    assert_int_equal(chunk_table_origin(in.contents.table, 3), 1);
}

static void zero_chunks_stand_at_the_running_end(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    uint8_t data[4096];
    temp_dir_path(path, sizeof(path), *state, "out.vvi");
    fill_random(data, sizeof(data), 1);
    CLEANUP(cleanup_image_writer) struct image_writer *w = new_writer(path);
    struct manifest m = sample_manifest(1);
    add(w, NULL, 4096);
    add(w, data, 4096);
    add(w, NULL, 4096);
    assert_ok(image_writer_end_partition(w, &m.partitions[0], &e));
    struct image_totals t;
    assert_ok(image_writer_finish(w, &m, 0, &t, &e));
    assert_int_equal(t.zero_chunks, 2);
    CLEANUP(close_written) struct written in = open_written(path);
    assert_int_equal(chunk_table_get(in.contents.table, 0, NULL).stored_off, 0);
    assert_int_equal(chunk_table_get(in.contents.table, 2, NULL).stored_off, 4096);
}

static void an_image_of_nothing_but_zeros_has_no_payload(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    temp_dir_path(path, sizeof(path), *state, "out.vvi");
    CLEANUP(cleanup_image_writer) struct image_writer *w = new_writer(path);
    struct manifest m = sample_manifest(1);
    add(w, NULL, 4096);
    assert_ok(image_writer_end_partition(w, &m.partitions[0], &e));
    struct image_totals t;
    assert_ok(image_writer_finish(w, &m, 0, &t, &e));
    CLEANUP(close_written) struct written in = open_written(path);
    assert_int_equal(in.file->header.payload_size, 0);
    assert_int_equal(in.file->st.st_size, in.file->header.payload_offset);
}

static void the_largest_table_fits_and_one_chunk_more_does_not(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    temp_dir_path(path, sizeof(path), *state, "out.vvi");
    CLEANUP(cleanup_image_writer) struct image_writer *w = new_writer(path);
    struct manifest m = sample_manifest(1);
    struct chunk zero = chunk_of(NULL, 4096);
    for (uint32_t i = 0; i < CUT_PLAN_RECORDS; i++) {
        assert_int_equal(image_writer_add(w, &zero, NULL, &e), OK);
    }
    assert_fails(ERR_IO, "they changed while they were read", image_writer_add(w, &zero, NULL, &e));
    assert_ok(image_writer_end_partition(w, &m.partitions[0], &e));
    struct image_totals t;
    assert_ok(image_writer_finish(w, &m, 0, &t, &e));
    CLEANUP(close_written) struct written in = open_written(path);
    assert_int_equal(in.file->header.table_size, TABLE_MAX);
}

static void a_manifest_that_readers_would_refuse_leaves_the_old_file(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    size_t len;
    host_write(temp_dir_path(path, sizeof(path), *state, "out.vvi"), "old", 3);
    CLEANUP(cleanup_image_writer) struct image_writer *w = new_writer(path);
    struct manifest m = sample_manifest(1);
    struct image_totals t;
    add(w, NULL, 4096);
    assert_ok(image_writer_end_partition(w, &m.partitions[0], &e));
    m.product[0] = '/';
    assert_fails(ERR_FORMAT, "product", image_writer_finish(w, &m, 0, &t, &e));
    CLEANUP(cleanup_free) uint8_t *old = host_read(path, &len);
    assert_string_equal((const char *)old, "old");
    assert_int_equal(host_count(*state), 1);
}

#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(two_partitions_are_laid_out_as_the_reader_wants_them),
        WITH_DIR(a_chunk_seen_before_repeats_its_record_and_stores_nothing),
        WITH_DIR(zero_chunks_stand_at_the_running_end),
        WITH_DIR(an_image_of_nothing_but_zeros_has_no_payload),
        WITH_DIR(the_largest_table_fits_and_one_chunk_more_does_not),
        WITH_DIR(a_manifest_that_readers_would_refuse_leaves_the_old_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
