// SPDX-License-Identifier: Apache-2.0
#include "format/pack_table.h"

#include "tests/support/expect.h"

#include <stdlib.h>

enum { RECORDS = 3 };

struct room {
    struct hasher *hasher;
    struct pack_record records[RECORDS];
    struct pack_manifest m;
};

static int setup(void **state)
{
    struct error e;
    struct room *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    assert_ok(hasher_new(&r->hasher, &e));
    for (uint32_t i = 0; i < RECORDS; i++) {
        r->records[i] = (struct pack_record){.chunk = 10 * i,
                                             .base_partition = i,
                                             .base_off = (uint64_t)i * 65536,
                                             .base_len = 1000 + i,
                                             .stored_len = 50,
                                             .stored_off = 50 * i};
        memset(r->records[i].stored_sha256, (int)i + 1, STORED_HASH_SIZE);
    }
    r->m = (struct pack_manifest){.body.table_records = RECORDS,
                                  .body.table_size = RECORDS * PACK_RECORD_SIZE,
                                  .body.payload_size = 150};
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct room *r = *state;
    hasher_free(r->hasher);
    free(r);
    return 0;
}

// A malloced table of the records, whose hash the manifest names.
static uint8_t *table_of(struct room *r)
{
    struct error e;
    uint8_t *bytes = malloc((size_t)RECORDS * PACK_RECORD_SIZE);
    assert_non_null(bytes);
    for (size_t i = 0; i < RECORDS; i++) {
        pack_record_write(&r->records[i], bytes + i * PACK_RECORD_SIZE);
    }
    assert_ok(hasher_sha256(r->hasher, bytes, (size_t)RECORDS * PACK_RECORD_SIZE,
                            r->m.body.table_sha256, &e));
    return bytes;
}

static struct pack_table *accepts(struct room *r)
{
    struct error e;
    struct pack_table *t = NULL;
    assert_ok(pack_table_parse(table_of(r), r->m.body.table_size, &r->m, r->hasher, &t, &e));
    return t;
}

static void refuses(struct room *r, const char *sentence)
{
    struct error e;
    struct pack_table *t = NULL;
    assert_fails(ERR_FORMAT, sentence,
                 pack_table_parse(table_of(r), r->m.body.table_size, &r->m, r->hasher, &t, &e));
    assert_contains(e.msg, "pack table: ");
    assert_null(t);
}

// --- One record ---

static void a_record_stands_as_the_format_page_says(void **state)
{
    (void)state;
    static const uint8_t expected[PACK_RECORD_SIZE] = {
        0x01, 0x02, 0x03, 0x04, 0x05, 0x00, 0x00, 0x00, //
        0x00, 0x70, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, //
        0x11, 0x12, 0x03, 0x00, 0x21, 0x22, 0x03, 0x00, //
        0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, //
        0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, //
        0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
    };
    struct error e;
    struct pack_record r = {.chunk = 0x04030201,
                            .base_partition = 5,
                            .base_off = UINT64_C(0x0d0c0b0a09087000),
                            .base_len = 0x31211,
                            .stored_len = 0x32221,
                            .stored_off = UINT64_C(0x3837363534333231)};
    uint8_t bytes[PACK_RECORD_SIZE];
    memset(r.stored_sha256, 0xaa, STORED_HASH_SIZE);
    pack_record_write(&r, bytes);
    assert_memory_equal(bytes, expected, PACK_RECORD_SIZE);
    struct pack_record back = {0};
    assert_ok(pack_record_parse(bytes, &back, &e));
    assert_memory_equal(&back, &r, sizeof(r));
}

static void refuses_record(const char *sentence, const struct pack_record *r)
{
    struct error e;
    struct pack_record back;
    uint8_t bytes[PACK_RECORD_SIZE];
    pack_record_write(r, bytes);
    assert_fails(ERR_FORMAT, sentence, pack_record_parse(bytes, &back, &e));
}

static void accepts_record(const struct pack_record *r)
{
    struct error e;
    struct pack_record back;
    uint8_t bytes[PACK_RECORD_SIZE];
    pack_record_write(r, bytes);
    assert_ok(pack_record_parse(bytes, &back, &e));
}

static void a_window_length_out_of_range_is_refused(void **state)
{
    const struct room *room = *state;
    struct pack_record r = room->records[0];
    r.base_len = 0;
    refuses_record("a window of 0 bytes, allowed are 1 to 524288", &r);
    r.base_len = DELTA_WINDOW_MAX + 1;
    refuses_record("a window of 524289 bytes", &r);
    r.base_len = DELTA_WINDOW_MAX;
    accepts_record(&r);
    r.base_len = 1;
    accepts_record(&r);
}

static void a_window_off_its_alignment_is_refused(void **state)
{
    const struct room *room = *state;
    struct pack_record r = room->records[1];
    r.base_off += 512;
    refuses_record("a window at 66048, which is not a multiple of 4096", &r);
}

static void a_window_that_overflows_is_refused(void **state)
{
    const struct room *room = *state;
    struct pack_record r = room->records[1];
    r.base_off = UINT64_MAX - 4095;
    r.base_len = 4096;
    refuses_record("whose end overflows", &r);
    r.base_len = 4095;
    accepts_record(&r);
}

static void a_delta_length_out_of_range_is_refused(void **state)
{
    const struct room *room = *state;
    struct pack_record r = room->records[0];
    r.stored_len = 0;
    refuses_record("0 stored bytes, allowed are 1 to 1048640", &r);
    r.stored_len = CHUNK_STORED_MAX + 1;
    refuses_record("1048641 stored bytes", &r);
    r.stored_len = CHUNK_STORED_MAX;
    accepts_record(&r);
}

// --- The table ---

static void what_is_written_is_read_back(void **state)
{
    struct room *r = *state;
    struct pack_table *t = accepts(r);
    assert_int_equal(pack_table_count(t), RECORDS);
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct pack_record got = pack_table_get(t, i);
        assert_memory_equal(&got, &r->records[i], sizeof(got));
    }
    pack_table_free(t);
}

static void a_record_is_found_by_its_chunk(void **state)
{
    struct room *r = *state;
    struct pack_table *t = accepts(r);
    for (uint32_t chunk = 0; chunk < 25; chunk++) {
        struct pack_record got = {.chunk = 99};
        bool found = pack_table_find(t, chunk, &got);
        assert_int_equal(found, chunk % 10 == 0);
        assert_int_equal(got.chunk, found ? chunk : 99);
        if (found) {
            assert_memory_equal(&got, &r->records[chunk / 10], sizeof(got));
        }
    }
    struct pack_record got;
    assert_false(pack_table_find(t, UINT32_MAX, &got));
    pack_table_free(t);
}

static void another_size_than_the_manifests_is_refused(void **state)
{
    struct error e;
    struct room *r = *state;
    struct pack_table *t = NULL;
    assert_fails(ERR_FORMAT, "pack table: 143 bytes, the manifest says 144",
                 pack_table_parse(table_of(r), r->m.body.table_size - 1, &r->m, r->hasher, &t, &e));
}

static void another_hash_than_the_manifests_is_corrupt(void **state)
{
    struct error e;
    struct room *r = *state;
    struct pack_table *t = NULL;
    uint8_t *bytes = table_of(r);
    bytes[5] ^= 1;
    assert_fails(ERR_FORMAT, "pack table: corrupt: its hash is not the one in the manifest",
                 pack_table_parse(bytes, r->m.body.table_size, &r->m, r->hasher, &t, &e));
}

static void a_malformed_record_is_named(void **state)
{
    struct room *r = *state;
    r->records[2].base_len = 0;
    refuses(r, "record 2: a window of 0 bytes");
}

static void records_out_of_order_are_refused(void **state)
{
    struct room *r = *state;
    r->records[1].chunk = 20;
    refuses(r, "record 2: chunk 20 does not come behind the one before");
    r->records[1].chunk = 21;
    refuses(r, "record 2: chunk 20 does not come behind the one before");
    r->records[1].chunk = 0;
    refuses(r, "record 1: chunk 0 does not come behind the one before");
    r->records[2].chunk = UINT32_MAX;
    r->records[1].chunk = UINT32_MAX;
    refuses(r, "record 2: chunk 4294967295 does not come behind");
}

static void a_gap_between_deltas_is_refused(void **state)
{
    struct room *r = *state;
    r->records[1].stored_off = 51;
    refuses(r, "record 1: stored offset 51 does not continue the payload at 50");
    r->records[1].stored_off = 50;
    r->records[0].stored_off = 1;
    refuses(r, "record 0: stored offset 1 does not continue the payload at 0");
}

static void an_overlap_of_deltas_is_refused(void **state)
{
    struct room *r = *state;
    r->records[2].stored_off = 99;
    refuses(r, "record 2: stored offset 99 does not continue the payload at 100");
}

static void a_pack_payload_of_another_size_is_refused(void **state)
{
    struct room *r = *state;
    r->m.body.payload_size = 149;
    refuses(r, "its records take 150 stored bytes, the payload has 149");
    r->m.body.payload_size = 151;
    refuses(r, "its records take 150 stored bytes, the payload has 151");
}

#define in_room(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(a_record_stands_as_the_format_page_says),
        in_room(a_window_length_out_of_range_is_refused),
        in_room(a_window_off_its_alignment_is_refused),
        in_room(a_window_that_overflows_is_refused),
        in_room(a_delta_length_out_of_range_is_refused),
        in_room(what_is_written_is_read_back),
        in_room(a_record_is_found_by_its_chunk),
        in_room(another_size_than_the_manifests_is_refused),
        in_room(another_hash_than_the_manifests_is_corrupt),
        in_room(a_malformed_record_is_named),
        in_room(records_out_of_order_are_refused),
        in_room(a_gap_between_deltas_is_refused),
        in_room(an_overlap_of_deltas_is_refused),
        in_room(a_pack_payload_of_another_size_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
