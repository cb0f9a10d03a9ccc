// SPDX-License-Identifier: Apache-2.0
#include "format/pack_manifest.h"

#include "base/json.h"
#include "format/header.h"
#include "tests/support/expect.h"

#include <stdlib.h>

#define HASH_A "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HASH_B "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

#define SAMPLE                                                                                     \
    "{\"base\":{\"manifest_sha256\":\"" HASH_A "\",\"release_index\":7},"                          \
    "\"created\":1700000000,\"crit\":[],\"payload\":{\"size\":5000000000},"                        \
    "\"table\":{\"records\":5,\"sha256\":\"" HASH_B "\",\"size\":240},"                            \
    "\"target\":{\"manifest_sha256\":\"" HASH_B "\",\"release_index\":8}}"

static enum err parse(const char *text, struct pack_manifest **ret, struct error *e)
{
    return pack_manifest_parse((const uint8_t *)text, strlen(text), ret, e);
}

static void refuses_text(const char *sentence, const char *text)
{
    struct error e;
    struct pack_manifest *m = NULL;
    assert_fails(ERR_FORMAT, sentence, parse(text, &m, &e));
    assert_contains(e.msg, "manifest: ");
    assert_null(m);
}

// The sample with member `key` of `object` (NULL: of the root) set, or deleted when `value` is
// NULL.
static json_t *sample_with(const char *object, const char *key, json_t *value)
{
    struct error e;
    json_t *root = NULL;
    assert_ok(json_parse(SAMPLE, strlen(SAMPLE), &root, &e));
    json_t *at = object == NULL ? root : json_object_get(root, object);
    assert_int_equal(value == NULL ? json_object_del(at, key) : json_object_set_new(at, key, value),
                     0);
    return root;
}

static void refuses(const char *sentence, json_t *root)
{
    char *text = json_canonical(root);
    assert_non_null(text);
    refuses_text(sentence, text);
    free(text);
    json_decref(root);
}

static void accepts(json_t *root)
{
    struct error e;
    struct pack_manifest *m = NULL;
    char *text = json_canonical(root);
    assert_non_null(text);
    assert_ok(parse(text, &m, &e));
    pack_manifest_free(m);
    free(text);
    json_decref(root);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct error e;
    struct pack_manifest *m = NULL;
    char *text = NULL;
    size_t len = 0;
    assert_ok(parse(SAMPLE, &m, &e));
    assert_int_equal(m->created, 1700000000);
    assert_int_equal(m->base.release_index, 7);
    assert_int_equal(m->base.manifest_sha256[1], 0x23);
    assert_int_equal(m->target.release_index, 8);
    assert_int_equal(m->target.manifest_sha256[1], 0xdc);
    assert_int_equal(m->body.table_records, 5);
    assert_int_equal(m->body.table_size, 240);
    assert_int_equal(m->body.table_sha256[0], 0xfe);
    assert_true(m->body.payload_size == UINT64_C(5000000000));
    assert_ok(pack_manifest_write(m, &text, &len, &e));
    assert_string_equal(text, SAMPLE);
    assert_int_equal(len, strlen(SAMPLE));
    pack_manifest_free(m);
    free(text);
}

static void a_manifest_of_a_wrong_size_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct pack_manifest *m = NULL;
    static const uint8_t text[MANIFEST_MAX + 1];
    assert_fails(ERR_FORMAT, "manifest: 65537 bytes, allowed are 1 to 65536",
                 pack_manifest_parse(text, sizeof(text), &m, &e));
    assert_fails(ERR_FORMAT, "manifest: 0 bytes", pack_manifest_parse(text, 0, &m, &e));
}

static void text_that_is_not_canonical_is_refused(void **state)
{
    (void)state;
    refuses_text("canonical", SAMPLE " ");
    refuses_text("", "[]");
    refuses_text("", "{\"base\":");
}

static void an_unknown_critical_feature_is_unsupported(void **state)
{
    (void)state;
    json_t *root = sample_with(NULL, "crit", json_pack("[s]", "later"));
    json_object_del(root, "base");
    refuses("crit: unsupported feature \"later\"", root);
    refuses("crit: is missing", sample_with(NULL, "crit", NULL));
    refuses("crit: must be a list", sample_with(NULL, "crit", json_integer(1)));
}

static void every_required_key_is_asked_for(void **state)
{
    (void)state;
    static const char *const keys[][2] = {
        {NULL, "created"},         {NULL, "base"},       {NULL, "target"},
        {NULL, "table"},           {NULL, "payload"},    {"base", "manifest_sha256"},
        {"base", "release_index"}, {"table", "sha256"},  {"target", "manifest_sha256"},
        {"table", "size"},         {"table", "records"}, {"target", "release_index"},
        {"payload", "size"},
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char sentence[64];
        snprintf(sentence, sizeof(sentence), "%s: is missing", keys[i][1]);
        refuses(sentence, sample_with(keys[i][0], keys[i][1], NULL));
    }
}

static void a_key_of_the_wrong_kind_is_refused(void **state)
{
    (void)state;
    refuses("base: must be an object", sample_with(NULL, "base", json_integer(1)));
    refuses("created: must be a whole number", sample_with(NULL, "created", json_string("1")));
    refuses("created: must be a whole number", sample_with(NULL, "created", json_integer(-1)));
    refuses("base: manifest_sha256: must be a SHA-256",
            sample_with("base", "manifest_sha256", json_string("00")));
    refuses("table: size: 4294967296 is not allowed",
            sample_with("table", "size", json_integer(INT64_C(1) << 32)));
}

static void unknown_keys_are_accepted(void **state)
{
    (void)state;
    accepts(sample_with(NULL, "later", json_true()));
    accepts(sample_with("base", "version", json_string("1.0")));
}

static void a_pack_between_an_image_and_itself_is_refused(void **state)
{
    (void)state;
    refuses("base: is the target itself",
            sample_with("base", "manifest_sha256", json_string(HASH_B)));
}

static void a_pack_table_of_no_or_too_many_records_is_refused(void **state)
{
    (void)state;
    refuses("table: records: 0 is not allowed, only 1 to 65536",
            sample_with("table", "records", json_integer(0)));
    refuses("table: records: 65537 is not allowed",
            sample_with("table", "records", json_integer(65537)));
}

static void a_pack_table_size_other_than_its_records_is_refused(void **state)
{
    (void)state;
    refuses("table: size: 241 bytes do not hold exactly 5 records of 48 bytes",
            sample_with("table", "size", json_integer(241)));
}

static void what_the_reader_refuses_is_not_written(void **state)
{
    (void)state;
    struct error e;
    struct pack_manifest *m = NULL;
    char *text = NULL;
    size_t len = 0;
    assert_ok(parse(SAMPLE, &m, &e));
    m->body.table_size++;
    assert_fails(ERR_FORMAT, "manifest: table: size: 241 bytes",
                 pack_manifest_write(m, &text, &len, &e));
    m->body.table_size--;
    m->created = UINT64_MAX;
    assert_fails(ERR_FORMAT, "manifest: created: ", pack_manifest_write(m, &text, &len, &e));
    assert_null(text);
    pack_manifest_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_manifest_of_a_wrong_size_is_refused),
        cmocka_unit_test(text_that_is_not_canonical_is_refused),
        cmocka_unit_test(an_unknown_critical_feature_is_unsupported),
        cmocka_unit_test(every_required_key_is_asked_for),
        cmocka_unit_test(a_key_of_the_wrong_kind_is_refused),
        cmocka_unit_test(unknown_keys_are_accepted),
        cmocka_unit_test(a_pack_between_an_image_and_itself_is_refused),
        cmocka_unit_test(a_pack_table_of_no_or_too_many_records_is_refused),
        cmocka_unit_test(a_pack_table_size_other_than_its_records_is_refused),
        cmocka_unit_test(what_the_reader_refuses_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
