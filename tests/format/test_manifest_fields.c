// SPDX-License-Identifier: Apache-2.0
#include "format/manifest_fields.h"

#include "tests/support/expect.h"

#include <stdlib.h>

struct sample {
    char name[NAME_MAX_LEN + 1];
    struct name_list list;
    uint32_t small;
    uint64_t large;
    uint64_t maybe;
    bool flag;
    uint8_t hash[SHA256_SIZE];
};

static const struct field sample_fields[] = {
    {"name", offsetof(struct sample, name), FIELD_NAME, false},
    {"list", offsetof(struct sample, list), FIELD_NAMES, true},
    {"small", offsetof(struct sample, small), FIELD_U32, false},
    {"large", offsetof(struct sample, large), FIELD_U64, false},
    {"maybe", offsetof(struct sample, maybe), FIELD_U64, true},
    {"flag", offsetof(struct sample, flag), FIELD_BOOL, true},
    {"hash", offsetof(struct sample, hash), FIELD_SHA256, false},
    {0},
};

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define REQUIRED "\"hash\":\"" HASH "\",\"large\":9,\"name\":\"a\",\"small\":3"

static json_t *parsed(const char *text)
{
    struct error e;
    json_t *root = NULL;
    assert_ok(fields_parse((const uint8_t *)text, strlen(text), &root, &e));
    return root;
}

static void refuses(const char *sentence, const char *text)
{
    struct error e;
    struct sample s = {0};
    json_t *root = parsed(text);
    assert_fails(ERR_FORMAT, sentence, fields_read(root, sample_fields, &s, &e));
    json_decref(root);
}

static void every_kind_of_field_is_read_and_written(void **state)
{
    (void)state;
    static const char text[] =
        "{\"flag\":true,\"hash\":\"" HASH "\",\"large\":9223372036854775807,\"list\":[\"x\",\"y\"],"
        "\"maybe\":5,\"name\":\"a\",\"small\":4294967295}";
    struct error e;
    struct sample s = {0};
    char *again = NULL;
    size_t len = 0;
    json_t *root = parsed(text);
    assert_ok(fields_read(root, sample_fields, &s, &e));
    assert_string_equal(s.name, "a");
    assert_int_equal(s.list.count, 2);
    assert_string_equal(s.list.names[1], "y");
    assert_int_equal(s.small, UINT32_MAX);
    assert_true(s.large == INT64_MAX);
    assert_int_equal(s.maybe, 5);
    assert_true(s.flag);
    assert_int_equal(s.hash[0], 0x01);
    json_decref(root);
    root = json_object();
    assert_ok(fields_write(root, sample_fields, &s, &e));
    assert_ok(fields_print(root, &again, &len, &e));
    assert_string_equal(again, text);
    assert_int_equal(len, strlen(text));
    json_decref(root);
    free(again);
}

static void what_may_be_left_out_is_left_out(void **state)
{
    (void)state;
    struct error e;
    struct sample s = {0};
    char *again = NULL;
    size_t len = 0;
    json_t *root = parsed("{" REQUIRED "}");
    assert_ok(fields_read(root, sample_fields, &s, &e));
    assert_int_equal(s.list.count, 0);
    assert_int_equal(s.maybe, 0);
    assert_false(s.flag);
    json_decref(root);
    root = json_object();
    assert_ok(fields_write(root, sample_fields, &s, &e));
    assert_ok(fields_print(root, &again, &len, &e));
    assert_string_equal(again, "{" REQUIRED "}");
    json_decref(root);
    free(again);
}

static void a_text_of_no_or_too_many_bytes_is_refused(void **state)
{
    (void)state;
    struct error e;
    json_t *root = NULL;
    static const uint8_t text[MANIFEST_MAX + 1];
    assert_fails(ERR_FORMAT, "0 bytes, allowed are 1 to 65536", fields_parse(text, 0, &root, &e));
    assert_fails(ERR_FORMAT, "65537 bytes", fields_parse(text, sizeof(text), &root, &e));
    assert_fails(ERR_FORMAT, "canonical", fields_parse((const uint8_t *)"{ }", 3, &root, &e));
    assert_null(root);
}

static void every_refusal_names_its_key(void **state)
{
    (void)state;
    refuses("hash: is missing", "{\"large\":9,\"name\":\"a\",\"small\":3}");
    refuses("name: must be a string", "{\"name\":1}");
    refuses("name: must be 1 to 64 characters", "{\"name\":\"a b\"}");
    refuses("list: must be a list", "{\"list\":1,\"name\":\"a\"}");
    refuses("list: has 0 entries, allowed are 1 to 64", "{\"list\":[],\"name\":\"a\"}");
    refuses("list: must be a string", "{\"list\":[1],\"name\":\"a\"}");
    refuses("small: must be a whole number", "{\"name\":\"a\",\"small\":-1}");
    refuses("small: 4294967296 is not allowed", "{\"name\":\"a\",\"small\":4294967296}");
    refuses("flag: must be true or false", "{\"flag\":1,\"large\":9,\"name\":\"a\",\"small\":3}");
    refuses("hash: must be a SHA-256", "{\"hash\":\"00\",\"large\":9,\"name\":\"a\",\"small\":3}");
}

static void an_object_inside_is_named_too(void **state)
{
    (void)state;
    struct error e;
    struct sample s = {0};
    json_t *root = parsed("{\"in\":{" REQUIRED "},\"other\":[]}");
    assert_ok(fields_read_object(root, "in", sample_fields, &s, &e));
    assert_int_equal(s.small, 3);
    assert_fails(ERR_FORMAT, "none: is missing",
                 fields_read_object(root, "none", sample_fields, &s, &e));
    assert_fails(ERR_FORMAT, "other: must be an object",
                 fields_read_object(root, "other", sample_fields, &s, &e));
    json_decref(root);
}

static void what_the_reader_refuses_is_not_written(void **state)
{
    (void)state;
    struct error e;
    struct sample s = {.name = "a b"};
    json_t *root = json_object();
    assert_fails(ERR_FORMAT, "in: name: must be 1 to 64 characters",
                 fields_write_object(root, "in", sample_fields, &s, &e));
    s = (struct sample){.name = "a", .large = UINT64_MAX};
    assert_fails(ERR_FORMAT, "large: ", fields_write(root, sample_fields, &s, &e));
    s = (struct sample){.name = "a", .list = {.count = 1, .names = {"b c"}}};
    assert_fails(ERR_FORMAT, "list: must be 1 to 64", fields_write(root, sample_fields, &s, &e));
    json_decref(root);
}

static void only_an_empty_crit_is_understood(void **state)
{
    (void)state;
    struct error e;
    static const struct {
        const char *text;
        const char *sentence;
    } bad[] = {
        {"{}", "crit: is missing"},
        {"{\"crit\":1}", "crit: must be a list"},
        {"{\"crit\":[1]}", "crit: must be a string"},
        {"{\"crit\":[\"x\"]}", "crit: unsupported feature \"x\""},
    };
    json_t *root = parsed("{\"crit\":[]}");
    assert_ok(fields_read_crit(root, &e));
    json_decref(root);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        root = parsed(bad[i].text);
        assert_fails(ERR_FORMAT, bad[i].sentence, fields_read_crit(root, &e));
        json_decref(root);
    }
}

static void a_table_is_as_long_as_its_records(void **state)
{
    (void)state;
    struct error e;
    struct file_body body = {.table_records = 1, .table_size = 48};
    assert_ok(fields_check_body(&body, 48, &e));
    body = (struct file_body){.table_records = 65536, .table_size = 65536 * 64};
    assert_ok(fields_check_body(&body, 64, &e));
    body = (struct file_body){0};
    assert_fails(ERR_FORMAT, "table: records: 0", fields_check_body(&body, 48, &e));
    body = (struct file_body){.table_records = 65537, .table_size = 65537u * 48};
    assert_fails(ERR_FORMAT, "table: records: 65537", fields_check_body(&body, 48, &e));
    body = (struct file_body){.table_records = 1, .table_size = 49};
    assert_fails(ERR_FORMAT, "table: size: 49 bytes", fields_check_body(&body, 48, &e));
}

static void ranges_and_counts_include_their_ends(void **state)
{
    (void)state;
    struct error e;
    assert_ok(field_check_range("k", 2, 2, 4, &e));
    assert_ok(field_check_range("k", 4, 2, 4, &e));
    assert_fails(ERR_FORMAT, "k: 1 is not allowed, only 2 to 4",
                 field_check_range("k", 1, 2, 4, &e));
    assert_fails(ERR_FORMAT, "k: 5", field_check_range("k", 5, 2, 4, &e));
    assert_ok(field_check_count("k", 1, 1, 1, &e));
    assert_fails(ERR_FORMAT, "k: has 2 entries, allowed are 1 to 1",
                 field_check_count("k", 2, 1, 1, &e));
    assert_fails(ERR_FORMAT, "k: is missing", field_check_list(NULL, "k", 0, 1, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_field_is_read_and_written),
        cmocka_unit_test(what_may_be_left_out_is_left_out),
        cmocka_unit_test(a_text_of_no_or_too_many_bytes_is_refused),
        cmocka_unit_test(every_refusal_names_its_key),
        cmocka_unit_test(an_object_inside_is_named_too),
        cmocka_unit_test(what_the_reader_refuses_is_not_written),
        cmocka_unit_test(only_an_empty_crit_is_understood),
        cmocka_unit_test(a_table_is_as_long_as_its_records),
        cmocka_unit_test(ranges_and_counts_include_their_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
