// SPDX-License-Identifier: Apache-2.0
#include "format/manifest.h"

#include "format/header.h"
#include "tests/support/expect.h"
#include "tests/support/manifest_sample.h"

#include <stdio.h>
#include <stdlib.h>

static struct manifest full_manifest(void)
{
    struct manifest m = {.product = "gateway",
                         .compatible = {.count = 2, .names = {"board-1", "board-2"}},
                         .version = "2.0.0~rc1+git:5",
                         .release_index = 20,
                         .min_release_index = 10,
                         .min_from = 5,
                         .created = 1700000000,
                         .not_after = 1800000000,
                         .allow_downgrade = true,
                         .device_ids = {.count = 1, .names = {"serial-42"}},
                         .body.table_size = 320,
                         .body.table_records = 5,
                         .body.payload_size = UINT64_C(6) << 30,
                         .partition_count = 2};
    m.partitions[0] = (struct partition_info){.id = 3,
                                              .name = "rootfs",
                                              .image_size = UINT64_C(6) << 30,
                                              .count = 4,
                                              .cut = "block:65536"};
    m.partitions[1] =
        (struct partition_info){.id = 9, .name = "boot", .image_size = 1, .first = 4, .count = 1};
    memset(m.body.table_sha256, 0x5a, SHA256_SIZE);
    memset(m.partitions[1].sha256_list, 0xc3, SHA256_SIZE);
    return m;
}

static void does_not_write(const char *sentence, const struct manifest *m)
{
    struct error e;
    char *text = NULL;
    size_t len = 0;
    assert_fails(ERR_FORMAT, sentence, manifest_write(m, &text, &len, &e));
    assert_null(text);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct error e;
    struct manifest m = full_manifest();
    char *text = NULL;
    size_t len = 0;
    assert_ok(manifest_write(&m, &text, &len, &e));
    assert_int_equal(len, strlen(text));
    struct manifest *back = manifest_accepts_text(text);
    assert_string_equal(back->product, m.product);
    assert_int_equal(back->compatible.count, 2);
    assert_string_equal(back->compatible.names[1], "board-2");
    assert_string_equal(back->version, m.version);
    assert_int_equal(back->release_index, 20);
    assert_int_equal(back->min_release_index, 10);
    assert_int_equal(back->min_from, 5);
    assert_int_equal(back->created, 1700000000);
    assert_int_equal(back->not_after, 1800000000);
    assert_true(back->allow_downgrade);
    assert_int_equal(back->device_ids.count, 1);
    assert_string_equal(back->device_ids.names[0], "serial-42");
    assert_memory_equal(back->body.table_sha256, m.body.table_sha256, SHA256_SIZE);
    assert_int_equal(back->body.table_size, 320);
    assert_int_equal(back->body.table_records, 5);
    assert_true(back->body.payload_size == UINT64_C(6) << 30);
    assert_int_equal(back->partition_count, 2);
    assert_memory_equal(back->partitions, m.partitions, sizeof(m.partitions));
    manifest_free(back);
    free(text);
}

static void writing_what_was_read_gives_the_same_bytes(void **state)
{
    (void)state;
    struct error e;
    struct manifest *m = manifest_accepts_text(MANIFEST_SMALLEST);
    char *text = NULL;
    size_t len = 0;
    assert_ok(manifest_write(m, &text, &len, &e));
    assert_string_equal(text, MANIFEST_SMALLEST);
    manifest_free(m);
    free(text);
}

static void keys_that_are_left_out_have_their_default(void **state)
{
    (void)state;
    struct manifest *m = manifest_accepts_text(MANIFEST_SMALLEST);
    assert_int_equal(m->min_release_index, 0);
    assert_int_equal(m->min_from, 0);
    assert_int_equal(m->not_after, 0);
    assert_false(m->allow_downgrade);
    assert_int_equal(m->device_ids.count, 0);
    assert_string_equal(m->partitions[0].cut, "");
    manifest_free(m);
}

static void allow_downgrade_may_be_false(void **state)
{
    (void)state;
    struct manifest *m = manifest_accepts(manifest_with("allow_downgrade", json_false()));
    assert_false(m->allow_downgrade);
    manifest_free(m);
}

static void numbers_reach_to_the_highest_signed_one(void **state)
{
    (void)state;
    struct manifest *m = manifest_accepts(manifest_with("release_index", json_integer(INT64_MAX)));
    assert_true(m->release_index == INT64_MAX);
    manifest_free(m);
}

static void unknown_keys_are_accepted(void **state)
{
    (void)state;
    manifest_free(
        manifest_accepts(manifest_with("sbom", json_pack("{s:s}", "url", "https://example.com/"))));
    manifest_free(manifest_accepts(
        manifest_with_inside(NULL, 0, "verity", json_pack("{s:i}", "data_blocks", 5))));
    manifest_free(manifest_accepts(manifest_with_inside("table", 0, "later", json_integer(1))));
}

static void an_unknown_critical_feature_is_unsupported(void **state)
{
    (void)state;
    manifest_refuses("manifest: crit: unsupported feature \"delta\"",
                     manifest_with("crit", json_list_of(1, "delta")));
    const char *longest = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    manifest_refuses(longest, manifest_with("crit", json_list_of(2, longest)));
}

static void an_unknown_critical_feature_is_named_before_anything_else(void **state)
{
    (void)state;
    json_t *root = manifest_with("crit", json_list_of(1, "delta"));
    assert_int_equal(json_object_del(root, "table"), 0);
    manifest_refuses("crit: unsupported feature", root);
}

static void a_malformed_crit_is_refused(void **state)
{
    (void)state;
    manifest_refuses("crit: is missing", manifest_with("crit", NULL));
    manifest_refuses("crit: must be a list", manifest_with("crit", json_object()));
    manifest_refuses("crit: must be a string", manifest_with("crit", json_pack("[i]", 1)));
    manifest_refuses("crit: must be 1 to 64 characters",
                     manifest_with("crit", json_list_of(1, "\x1b[2J")));
    manifest_refuses("crit: has 65 entries", manifest_with("crit", json_list_of(65, "x")));
}

static void a_manifest_of_a_wrong_size_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct manifest *m = NULL;
    uint8_t *text = malloc(MANIFEST_MAX + 1);
    assert_non_null(text);
    memset(text, ' ', MANIFEST_MAX + 1);
    assert_fails(ERR_FORMAT, "manifest: 65537 bytes, allowed are 1 to 65536",
                 manifest_parse(text, MANIFEST_MAX + 1, &m, &e));
    assert_fails(ERR_FORMAT, "manifest: 0 bytes", manifest_parse(text, 0, &m, &e));
    free(text);
}

static void a_manifest_of_the_largest_size_is_read(void **state)
{
    (void)state;
    char *filler = calloc(1, MANIFEST_MAX);
    assert_non_null(filler);
    size_t key_len = strlen("\"x\":\"\",");
    memset(filler, 'y', MANIFEST_MAX - strlen(MANIFEST_SMALLEST) - key_len);
    manifest_free(manifest_accepts(manifest_with("x", json_string(filler))));
    strcat(filler, "y");
    manifest_refuses("manifest: 65537 bytes", manifest_with("x", json_string(filler)));
    free(filler);
}

static void text_that_is_not_canonical_is_refused(void **state)
{
    (void)state;
    manifest_refuses_text("manifest: json: not in canonical form", MANIFEST_SMALLEST "\n");
    manifest_refuses_text("manifest: json: not in canonical form", " " MANIFEST_SMALLEST);
    manifest_refuses_text("manifest: json: not in canonical form", "{\"b\":1,\"a\":2}");
}

static void text_that_is_not_strict_json_is_refused(void **state)
{
    (void)state;
    manifest_refuses_text("duplicate", "{\"a\":1,\"a\":1}");
    manifest_refuses_text("unable to decode byte 0xff", "{\"a\":\"\xff\"}");
    manifest_refuses_text("not an integer", "{\"a\":1.5}");
    manifest_refuses_text("nested deeper", "{\"a\":[[[[[[[[1]]]]]]]]}");
    manifest_refuses_text("manifest: json: ", "{\"a\":1");
    manifest_refuses_text("not an object", "[1]");
}

static void every_required_key_is_asked_for(void **state)
{
    (void)state;
    static const char *const keys[] = {"product", "compatible", "version", "release_index",
                                       "created"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char sentence[64];
        snprintf(sentence, sizeof(sentence), "manifest: %s: is missing", keys[i]);
        manifest_refuses(sentence, manifest_with(keys[i], NULL));
    }
    manifest_refuses("manifest: table: is missing", manifest_with("table", NULL));
    manifest_refuses("manifest: payload: is missing", manifest_with("payload", NULL));
    manifest_refuses("manifest: partitions: is missing", manifest_with("partitions", NULL));
    manifest_refuses("table: sha256: is missing", manifest_with_inside("table", 0, "sha256", NULL));
    manifest_refuses("table: size: is missing", manifest_with_inside("table", 0, "size", NULL));
    manifest_refuses("table: records: is missing",
                     manifest_with_inside("table", 0, "records", NULL));
    manifest_refuses("payload: size: is missing", manifest_with_inside("payload", 0, "size", NULL));
}

static void every_key_of_a_partition_is_asked_for(void **state)
{
    (void)state;
    static const char *const keys[] = {"id", "name", "image_size", "first", "count", "sha256_list"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char sentence[64];
        snprintf(sentence, sizeof(sentence), "partitions[1]: %s: is missing", keys[i]);
        manifest_refuses(sentence, manifest_with_inside(NULL, 1, keys[i], NULL));
    }
}

static void a_key_of_the_wrong_kind_is_refused(void **state)
{
    (void)state;
    manifest_refuses("product: must be a string", manifest_with("product", json_integer(1)));
    manifest_refuses("compatible: must be a list",
                     manifest_with("compatible", json_string("board-1")));
    manifest_refuses("compatible: must be a string",
                     manifest_with("compatible", json_pack("[i]", 1)));
    manifest_refuses("release_index: must be a whole number",
                     manifest_with("release_index", json_string("7")));
    manifest_refuses("min_from: must be a whole number", manifest_with("min_from", json_null()));
    manifest_refuses("allow_downgrade: must be true or false",
                     manifest_with("allow_downgrade", json_integer(1)));
    manifest_refuses("table: must be an object", manifest_with("table", json_array()));
    manifest_refuses("payload: must be an object", manifest_with("payload", json_integer(5)));
    manifest_refuses("partitions: must be a list", manifest_with("partitions", json_object()));
    manifest_refuses("partitions[0]: must be an object",
                     manifest_with("partitions", json_list_of(1, "rootfs")));
    manifest_refuses("partitions[1]: cut: must be a string",
                     manifest_with_inside(NULL, 1, "cut", json_true()));
}

static void negative_and_oversized_numbers_are_refused(void **state)
{
    (void)state;
    manifest_refuses("release_index: must be a whole number and not negative",
                     manifest_with("release_index", json_integer(-1)));
    manifest_refuses("payload: size: must be a whole number and not negative",
                     manifest_with_inside("payload", 0, "size", json_integer(INT64_MIN)));
    manifest_refuses("id: 4294967296 is not allowed, only 0 to 4294967295",
                     manifest_with_inside(NULL, 0, "id", json_integer(4294967296)));
    manifest_refuses("count: 4294967299 is not allowed",
                     manifest_with_inside(NULL, 0, "count", json_integer(4294967299)));
    manifest_refuses("size: 4294967616 is not allowed",
                     manifest_with_inside("table", 0, "size", json_integer(4294967616)));
    manifest_refuses_text("manifest: json: ", "{\"release_index\":9223372036854775808}");
}

static void a_malformed_hash_is_refused(void **state)
{
    (void)state;
    manifest_refuses("table: sha256: must be a SHA-256",
                     manifest_with_inside("table", 0, "sha256", json_string("0123")));
    manifest_refuses("partitions[0]: sha256_list: must be a SHA-256",
                     manifest_with_inside(NULL, 0, "sha256_list", json_integer(1)));
}

static void names_outside_their_alphabet_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",         "a b",    "a/b",
        "\xc3\xa4", "line\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        manifest_refuses("product: must be 1 to 64 characters",
                         manifest_with("product", json_string(bad[i])));
        manifest_refuses("version: must be 1 to 64 characters",
                         manifest_with("version", json_string(bad[i])));
        manifest_refuses("compatible: must be 1 to 64 characters",
                         manifest_with("compatible", json_list_of(2, bad[i])));
        manifest_refuses("device_ids: must be 1 to 64 characters",
                         manifest_with("device_ids", json_list_of(1, bad[i])));
        manifest_refuses("partitions[1]: name: must be 1 to 64 characters",
                         manifest_with_inside(NULL, 1, "name", json_string(bad[i])));
        manifest_refuses("partitions[0]: cut: must be 1 to 64 characters",
                         manifest_with_inside(NULL, 0, "cut", json_string(bad[i])));
    }
}

static void names_of_sixty_four_characters_are_kept(void **state)
{
    (void)state;
    const char *name = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA~";
    assert_int_equal(strlen(name), 64);
    struct manifest *m = manifest_accepts(manifest_with("product", json_string(name)));
    assert_string_equal(m->product, name);
    manifest_free(m);
}

static void a_list_of_names_has_one_to_sixty_four_entries(void **state)
{
    (void)state;
    manifest_refuses("compatible: has 0 entries, allowed are 1 to 64",
                     manifest_with("compatible", json_array()));
    manifest_refuses("compatible: has 65 entries",
                     manifest_with("compatible", json_list_of(65, "x")));
    manifest_refuses("device_ids: has 65 entries",
                     manifest_with("device_ids", json_list_of(65, "x")));
    struct manifest *m = manifest_accepts(manifest_with("compatible", json_list_of(64, "x")));
    assert_int_equal(m->compatible.count, 64);
    manifest_free(m);
}

static void an_empty_list_of_devices_does_not_mean_all_of_them(void **state)
{
    (void)state;
    manifest_refuses("device_ids: has 0 entries", manifest_with("device_ids", json_array()));
}

static void what_a_reader_refuses_is_not_written(void **state)
{
    (void)state;
    struct manifest good = full_manifest();
    struct manifest m = good;
    strcpy(m.product, "a b");
    does_not_write("manifest: product: must be 1 to 64", &m);
    m = good;
    m.version[0] = '\0';
    does_not_write("version: must be", &m);
    m = good;
    m.compatible.count = 0;
    does_not_write("compatible: has 0 entries", &m);
    m = good;
    m.compatible.count = MANIFEST_NAMES_MAX + 1;
    does_not_write("compatible: has 65 entries", &m);
    m = good;
    strcpy(m.device_ids.names[0], "\"");
    does_not_write("device_ids: must be", &m);
    m = good;
    m.release_index = (uint64_t)INT64_MAX + 1;
    does_not_write("release_index: 9223372036854775808 is not allowed", &m);
    m = good;
    m.body.payload_size = UINT64_MAX;
    does_not_write("payload: size: 18446744073709551615 is not allowed", &m);
    m = good;
    m.partition_count = 0;
    does_not_write("partitions: has 0 entries", &m);
    m = good;
    strcpy(m.partitions[1].name, "a/b");
    does_not_write("partitions[1]: name: must be", &m);
    m = good;
    m.partitions[1].first = 3;
    does_not_write("partitions[1]: first: record 3 does not continue", &m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(writing_what_was_read_gives_the_same_bytes),
        cmocka_unit_test(keys_that_are_left_out_have_their_default),
        cmocka_unit_test(allow_downgrade_may_be_false),
        cmocka_unit_test(numbers_reach_to_the_highest_signed_one),
        cmocka_unit_test(unknown_keys_are_accepted),
        cmocka_unit_test(an_unknown_critical_feature_is_unsupported),
        cmocka_unit_test(an_unknown_critical_feature_is_named_before_anything_else),
        cmocka_unit_test(a_malformed_crit_is_refused),
        cmocka_unit_test(a_manifest_of_a_wrong_size_is_refused),
        cmocka_unit_test(a_manifest_of_the_largest_size_is_read),
        cmocka_unit_test(text_that_is_not_canonical_is_refused),
        cmocka_unit_test(text_that_is_not_strict_json_is_refused),
        cmocka_unit_test(every_required_key_is_asked_for),
        cmocka_unit_test(every_key_of_a_partition_is_asked_for),
        cmocka_unit_test(a_key_of_the_wrong_kind_is_refused),
        cmocka_unit_test(negative_and_oversized_numbers_are_refused),
        cmocka_unit_test(a_malformed_hash_is_refused),
        cmocka_unit_test(names_outside_their_alphabet_are_refused),
        cmocka_unit_test(names_of_sixty_four_characters_are_kept),
        cmocka_unit_test(a_list_of_names_has_one_to_sixty_four_entries),
        cmocka_unit_test(an_empty_list_of_devices_does_not_mean_all_of_them),
        cmocka_unit_test(what_a_reader_refuses_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
