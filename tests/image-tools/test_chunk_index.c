// SPDX-License-Identifier: Apache-2.0
#include "image-tools/chunk_index.h"

#include "format/chunk_table.h"
#include "image-tools/cut_plan.h"
#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

static uint8_t *random_table(size_t records)
{
    uint8_t *table = malloc(records * CHUNK_RECORD_SIZE);
    assert_non_null(table);
    fill_random(table, records * CHUNK_RECORD_SIZE, 3);
    return table;
}

static struct chunk_index *new_index(void)
{
    struct error e;
    struct chunk_index *x = NULL;
    assert_ok(chunk_index_new(&x, &e));
    return x;
}

static void an_empty_index_finds_nothing(void **state)
{
    (void)state;
    CLEANUP(cleanup_chunk_index) struct chunk_index *x = new_index();
    CLEANUP(cleanup_free) uint8_t *table = random_table(1);
    uint32_t found = 77;
    assert_false(chunk_index_find(x, table, table, &found));
    assert_int_equal(found, 77);
}

static void an_added_record_is_found_by_its_hash_the_first_one_too(void **state)
{
    (void)state;
    CLEANUP(cleanup_chunk_index) struct chunk_index *x = new_index();
    CLEANUP(cleanup_free) uint8_t *table = random_table(3);
    uint32_t found = 77;
    chunk_index_add(x, table, 0);
    chunk_index_add(x, table, 2);
    assert_true(chunk_index_find(x, table, table, &found));
    assert_int_equal(found, 0);
    assert_true(chunk_index_find(x, table, table + 2 * CHUNK_RECORD_SIZE, &found));
    assert_int_equal(found, 2);
    assert_false(chunk_index_find(x, table, table + CHUNK_RECORD_SIZE, &found));
}

static void hashes_that_share_a_place_are_told_apart(void **state)
{
    (void)state;
    enum { RECORDS = 200 };
    CLEANUP(cleanup_chunk_index) struct chunk_index *x = new_index();
    CLEANUP(cleanup_free) uint8_t *table = random_table(RECORDS);
    for (uint32_t i = 0; i < RECORDS; i++) {
        // All in the last place, so that the search has to go on from the beginning.
        memset(table + (size_t)i * CHUNK_RECORD_SIZE, 0xff, 8);
    }
    for (uint32_t i = 0; i < RECORDS; i++) {
        uint32_t found;
        const uint8_t *hash = table + (size_t)i * CHUNK_RECORD_SIZE;
        assert_false(chunk_index_find(x, table, hash, &found));
        chunk_index_add(x, table, i);
    }
    for (uint32_t i = 0; i < RECORDS; i++) {
        uint32_t found = UINT32_MAX;
        assert_true(chunk_index_find(x, table, table + (size_t)i * CHUNK_RECORD_SIZE, &found));
        assert_int_equal(found, i);
    }
}

static void only_the_raw_hash_counts(void **state)
{
    (void)state;
    CLEANUP(cleanup_chunk_index) struct chunk_index *x = new_index();
    CLEANUP(cleanup_free) uint8_t *table = random_table(1);
    uint8_t hash[SHA256_SIZE];
    uint32_t found;
    memcpy(hash, table, sizeof(hash));
    chunk_index_add(x, table, 0);
    assert_true(chunk_index_find(x, table, hash, &found));
    hash[SHA256_SIZE - 1] ^= 1;
    assert_false(chunk_index_find(x, table, hash, &found));
}

static void a_full_table_fits(void **state)
{
    (void)state;
    CLEANUP(cleanup_chunk_index) struct chunk_index *x = new_index();
    CLEANUP(cleanup_free) uint8_t *table = random_table(CUT_PLAN_RECORDS);
    uint8_t other[SHA256_SIZE];
    uint32_t found = UINT32_MAX;
    for (uint32_t i = 0; i < CUT_PLAN_RECORDS; i++) {
        chunk_index_add(x, table, i);
    }
    for (uint32_t i = 0; i < CUT_PLAN_RECORDS; i += 97) {
        assert_true(chunk_index_find(x, table, table + (size_t)i * CHUNK_RECORD_SIZE, &found));
        assert_int_equal(found, i);
    }
    fill_random(other, sizeof(other), 4);
    assert_false(chunk_index_find(x, table, other, &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_index_finds_nothing),
        cmocka_unit_test(an_added_record_is_found_by_its_hash_the_first_one_too),
        cmocka_unit_test(hashes_that_share_a_place_are_told_apart),
        cmocka_unit_test(only_the_raw_hash_counts),
        cmocka_unit_test(a_full_table_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
