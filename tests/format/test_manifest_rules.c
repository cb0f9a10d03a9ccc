// SPDX-License-Identifier: Apache-2.0
// What must hold between the values of a manifest.
#include "format/manifest.h"

#include "tests/support/expect.h"
#include "tests/support/manifest_sample.h"

static void a_floor_above_the_release_itself_is_refused(void **state)
{
    (void)state;
    manifest_refuses("min_release_index: 8 is above release_index 7",
                     manifest_with("min_release_index", json_integer(8)));
    manifest_free(manifest_accepts(manifest_with("min_release_index", json_integer(7))));
}

static void an_image_created_after_its_own_end_is_refused(void **state)
{
    (void)state;
    manifest_refuses("not_after: 1699999999 is before created 1700000000",
                     manifest_with("not_after", json_integer(1699999999)));
    manifest_free(manifest_accepts(manifest_with("not_after", json_integer(1700000000))));
}

static void a_table_size_other_than_its_records_is_refused(void **state)
{
    (void)state;
    manifest_refuses("table: size: 256 bytes do not hold exactly 5 records",
                     manifest_with_inside("table", 0, "size", json_integer(256)));
    manifest_refuses("table: size: 384 bytes do not hold exactly 5 records",
                     manifest_with_inside("table", 0, "size", json_integer(384)));
}

static void a_table_of_too_many_records_is_refused(void **state)
{
    (void)state;
    manifest_refuses("table: records: 0 is not allowed, only 1 to 65536",
                     manifest_with_inside("table", 0, "records", json_integer(0)));
    manifest_refuses("table: records: 65537 is not allowed",
                     manifest_with_inside("table", 0, "records", json_integer(65537)));
}

static void partitions_are_one_to_sixteen(void **state)
{
    (void)state;
    manifest_refuses("partitions: has 0 entries, allowed are 1 to 16",
                     manifest_with("partitions", json_array()));
    manifest_refuses("partitions: has 17 entries",
                     manifest_with("partitions", json_list_of(17, "x")));
}

static void a_repeated_partition_id_is_refused(void **state)
{
    (void)state;
    manifest_refuses("partitions[1]: id: 0 is used twice",
                     manifest_with_inside(NULL, 1, "id", json_integer(0)));
}

static void a_repeated_partition_name_is_refused(void **state)
{
    (void)state;
    manifest_refuses("partitions[1]: name: rootfs is used twice",
                     manifest_with_inside(NULL, 1, "name", json_string("rootfs")));
}

static void an_empty_partition_is_refused(void **state)
{
    (void)state;
    manifest_refuses("partitions[0]: image_size: 0 is not allowed",
                     manifest_with_inside(NULL, 0, "image_size", json_integer(0)));
    manifest_refuses("partitions[0]: count: 0 records from record 0 on are none",
                     manifest_with_inside(NULL, 0, "count", json_integer(0)));
}

static void ranges_that_overlap_are_refused(void **state)
{
    (void)state;
    manifest_refuses("partitions[1]: first: record 2 does not continue the table at record 3",
                     manifest_with_inside(NULL, 1, "first", json_integer(2)));
    manifest_refuses("partitions[1]: first: record 3 does not continue the table at record 4",
                     manifest_with_inside(NULL, 0, "count", json_integer(4)));
}

static void ranges_with_a_gap_are_refused(void **state)
{
    (void)state;
    manifest_refuses("partitions[0]: first: record 1 does not continue the table at record 0",
                     manifest_with_inside(NULL, 0, "first", json_integer(1)));
    manifest_refuses("partitions[1]: first: record 4 does not continue the table at record 3",
                     manifest_with_inside(NULL, 1, "first", json_integer(4)));
}

static void ranges_past_the_table_are_refused(void **state)
{
    (void)state;
    manifest_refuses("count: 3 records from record 3 on are none or reach past the table of 5",
                     manifest_with_inside(NULL, 1, "count", json_integer(3)));
    manifest_refuses("count: 4294967295 records",
                     manifest_with_inside(NULL, 1, "count", json_integer(UINT32_MAX)));
}

static void records_of_no_partition_are_refused(void **state)
{
    (void)state;
    manifest_refuses("partitions: they cover 4 of 5 chunk records",
                     manifest_with_inside(NULL, 1, "count", json_integer(1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_floor_above_the_release_itself_is_refused),
        cmocka_unit_test(an_image_created_after_its_own_end_is_refused),
        cmocka_unit_test(a_table_size_other_than_its_records_is_refused),
        cmocka_unit_test(a_table_of_too_many_records_is_refused),
        cmocka_unit_test(partitions_are_one_to_sixteen),
        cmocka_unit_test(a_repeated_partition_id_is_refused),
        cmocka_unit_test(a_repeated_partition_name_is_refused),
        cmocka_unit_test(an_empty_partition_is_refused),
        cmocka_unit_test(ranges_that_overlap_are_refused),
        cmocka_unit_test(ranges_with_a_gap_are_refused),
        cmocka_unit_test(ranges_past_the_table_are_refused),
        cmocka_unit_test(records_of_no_partition_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
