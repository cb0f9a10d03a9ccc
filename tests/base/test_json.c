// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include "tests/support/expect.h"

#include <errno.h>
#include <stdlib.h>

static enum err parse(const char *text, json_t **ret_root, struct error *e)
{
    return json_parse(text, strlen(text), ret_root, e);
}

static void refuse(const char *text, const char *why)
{
    struct error e;
    json_t *root = NULL;
    assert_fails(ERR_FORMAT, why, parse(text, &root, &e));
    assert_null(root);
}

static void an_object_is_read(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_json) json_t *root = NULL;
    assert_ok(parse(" {\"a\": [1, -2, true, null, \"x.5e3\"],\n \"b\": {}} \n", &root, &e));
    assert_int_equal(json_object_size(root), 2);
    assert_int_equal(json_array_size(json_object_get(root, "a")), 5);
}

static void anything_but_an_object_is_refused(void **state)
{
    (void)state;
    refuse("", "line 1");
    refuse("[]", "not an object");
    refuse("1", "line 1");
    refuse("\"x\"", "line 1");
    refuse("null", "line 1");
}

static void broken_text_is_refused_with_its_line(void **state)
{
    (void)state;
    refuse("{", "json: line 1, column 1");
    refuse("{\"a\": }", "line 1");
    refuse("{\n\"a\":\n}", "line 3");
    refuse("{\"a\": 1,}", "line 1");
    refuse("{\"a\": 01}", "line 1");
    refuse("{'a': 1}", "line 1");
    refuse("{\"a\": 1}}", "line 1");
    refuse("{\"a\": 1} x", "line 1");
    refuse("{\"a\": 1}{}", "line 1");
    refuse("}{", "line 1");
    refuse("{\"a\": \"open}", "line 1");
    refuse("{\"a\": \"line\nbreak\"}", "line 1");
}

static void a_key_that_stands_twice_is_refused(void **state)
{
    (void)state;
    refuse("{\"a\": 1, \"a\": 1}", "duplicate");
    refuse("{\"x\": {\"a\": 1, \"\\u0061\": 2}}", "duplicate");
}

static void a_real_number_is_refused(void **state)
{
    (void)state;
    refuse("{\"a\": 1.0}", "line 1, column 8: a number that is not an integer");
    refuse("{\"a\": 1e3}", "not an integer");
    refuse("{\"a\": 1E3}", "not an integer");
    refuse("{\n\"a\": [\"1.5\", 1.5]}", "line 2, column 15: a number that is not an integer");
    refuse("{\"a\": -0.0}", "not an integer");
}

static void text_that_looks_like_a_real_number_is_no_number(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_json) json_t *root = NULL;
    assert_ok(parse("{\"1.5\": \"2.5\", \"v\": \"1e3\\\"4.5\\\\\", \"t\": true, \"f\": false}",
                    &root, &e));
    const char *v = NULL;
    assert_ok(json_get_string(root, "v", &v, &e));
    assert_string_equal(v, "1e3\"4.5\\");
}

static void integers_reach_from_the_lowest_to_the_highest(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_json) json_t *root = NULL;
    assert_ok(parse("{\"a\": 9223372036854775807, \"b\": -9223372036854775808}", &root, &e));
    uint64_t v = 0;
    assert_ok(json_get_u64(root, "a", &v, &e));
    assert_true(v == INT64_MAX);
}

static void an_integer_beyond_64_bits_is_refused(void **state)
{
    (void)state;
    refuse("{\"a\": 9223372036854775808}", "too big");
    refuse("{\"a\": -9223372036854775809}", "too");
    refuse("{\"a\": 99999999999999999999999999}", "too big");
}

static void a_nul_is_refused_wherever_it_stands(void **state)
{
    (void)state;
    struct error e;
    json_t *root = NULL;
    static const char inside[] = "{\"a\": \"x\0y\"}";
    static const char outside[] = "{\"a\":\0 1}";
    static const char behind[] = "{\"a\": 1}\0";
    assert_fails(ERR_FORMAT, "column 9: a NUL byte",
                 json_parse(inside, sizeof inside - 1, &root, &e));
    assert_fails(ERR_FORMAT, "a NUL byte", json_parse(outside, sizeof outside - 1, &root, &e));
    assert_fails(ERR_FORMAT, "a NUL byte", json_parse(behind, sizeof behind - 1, &root, &e));
    refuse("{\"a\": \"x\\u0000y\"}", "line 1");
    refuse("{\"a\\u0000\": 1}", "line 1");
}

static void text_that_is_not_utf_8_is_refused(void **state)
{
    (void)state;
    refuse("{\"a\": \"\xff\"}", "line 1, column 7: unable to decode byte");
    refuse("{\"a\": \"\xc0\xaf\"}", "line 1, column 7: unable to decode byte");
    refuse("{\"a\": \"\xed\xa0\x80\"}", "line 1, column 7: unable to decode byte");
    refuse("{\"a\": \"\\ud800\"}", "line 1");
}

// `depth` levels, the outermost an object.
static char *nest(size_t depth)
{
    char *text = malloc(5 + 2 * depth + 1);
    assert_non_null(text);
    char *p = stpcpy(text, "{\"a\":");
    memset(p, '[', depth - 1);
    memset(p + depth - 1, ']', depth - 1);
    stpcpy(p + 2 * (depth - 1), "}");
    return text;
}

static void eight_levels_are_read_and_nine_refused(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_free) char *eight = nest(8);
    CLEANUP(cleanup_free) char *nine = nest(9);
    CLEANUP(cleanup_json) json_t *root = NULL;
    assert_ok(parse(eight, &root, &e));
    refuse(nine, "line 1, column 13: nested deeper than 8 levels");
}

static void a_million_levels_are_refused_without_recursion(void **state)
{
    (void)state;
    CLEANUP(cleanup_free) char *deep = nest(1000000);
    refuse(deep, "nested deeper");
}

static void brackets_in_strings_do_not_count_as_levels(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_json) json_t *root = NULL;
    assert_ok(parse("{\"a\": \"[[[[[[[[[[[[\", \"b\\\"{{{{{{{{{\": \"\\\\\"}", &root, &e));
    assert_int_equal(json_object_size(root), 2);
}

static void canonical_text_has_sorted_keys_and_no_space(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_json) json_t *root = NULL;
    assert_ok(
        parse("{ \"b\": [1, 2], \"a\": {\"z\": 1, \"\xc3\xa4\": \"/\\u00e4\\n\"}, \"B\": -0 }",
              &root, &e));
    CLEANUP(cleanup_free) char *text = json_canonical(root);
    assert_string_equal(text,
                        "{\"B\":0,\"a\":{\"z\":1,\"\xc3\xa4\":\"/\xc3\xa4\\n\"},\"b\":[1,2]}");
    CLEANUP(cleanup_json) json_t *again = NULL;
    assert_ok(json_parse_canonical(text, strlen(text), &again, &e));
    CLEANUP(cleanup_free) char *twice = json_canonical(again);
    assert_string_equal(twice, text);
}

static void text_that_is_not_its_own_canonical_form_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"{\"a\": 1}", "from byte 5"},          {" {\"a\":1}", "from byte 0"},
        {"{\"a\":1}\n", "from byte 7"},         {"{\"b\":1,\"a\":1}", "from byte 2"},
        {"{\"a\":\"\\u0061\"}", "from byte 6"}, {"{\"a\":\"\\/\"}", "from byte 6"},
        {"{\"a\":-0}", "from byte 5"},          {"{\"a\":\"\\u000A\"}", "from byte 7"},
        {"{\"a\":1.0}", "not an integer"},      {"{\"a\":1", "line 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error e;
        json_t *root = NULL;
        assert_fails(ERR_FORMAT, cases[i].why,
                     json_parse_canonical(cases[i].text, strlen(cases[i].text), &root, &e));
        assert_null(root);
    }
}

static void members_are_given_with_their_kind(void **state)
{
    (void)state;
    struct error e;
    static const char text[] =
        "{\"n\": 0, \"s\": \"\", \"h\": "
        "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}";
    CLEANUP(cleanup_json) json_t *root = NULL;
    assert_ok(parse(text, &root, &e));
    uint64_t n = 7;
    const char *s = NULL;
    uint8_t h[32] = {0};
    assert_ok(json_get_u64(root, "n", &n, &e));
    assert_ok(json_get_string(root, "s", &s, &e));
    assert_ok(json_get_sha256(root, "h", h, &e));
    assert_int_equal(n, 0);
    assert_string_equal(s, "");
    assert_int_equal(h[0], 0xba);
    assert_int_equal(h[31], 0xad);
}

static void a_missing_member_is_named(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_json) json_t *root = NULL;
    assert_ok(parse("{}", &root, &e));
    uint64_t n = 7;
    const char *s = "unchanged";
    uint8_t h[32] = {0xaa};
    assert_fails(ERR_FORMAT, "\"release\" is missing", json_get_u64(root, "release", &n, &e));
    assert_fails(ERR_FORMAT, "\"product\" is missing", json_get_string(root, "product", &s, &e));
    assert_fails(ERR_FORMAT, "\"sha256\" is missing", json_get_sha256(root, "sha256", h, &e));
    assert_int_equal(n, 7);
    assert_string_equal(s, "unchanged");
    assert_int_equal(h[0], 0xaa);
}

static void a_member_of_another_kind_is_refused_and_named(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_json) json_t *root = NULL;
    assert_ok(
        parse("{\"n\": \"1\", \"m\": -1, \"s\": 1, \"h\": \"BA78\", \"z\": null}", &root, &e));
    uint64_t n = 7;
    const char *s = NULL;
    uint8_t h[32] = {0};
    assert_fails(ERR_FORMAT, "\"n\" is not a number", json_get_u64(root, "n", &n, &e));
    assert_fails(ERR_FORMAT, "\"m\" is not a number", json_get_u64(root, "m", &n, &e));
    assert_fails(ERR_FORMAT, "\"z\" is not a number", json_get_u64(root, "z", &n, &e));
    assert_fails(ERR_FORMAT, "\"s\" is not a string", json_get_string(root, "s", &s, &e));
    assert_fails(ERR_FORMAT, "\"z\" is not a string", json_get_string(root, "z", &s, &e));
    assert_fails(ERR_FORMAT, "\"h\" is not a SHA-256", json_get_sha256(root, "h", h, &e));
    assert_fails(ERR_FORMAT, "\"s\" is not a string", json_get_sha256(root, "s", h, &e));
    assert_int_equal(n, 7);
    assert_null(s);
}

static void a_string_with_a_nul_made_elsewhere_is_refused(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_json) json_t *root = json_pack("{s:s#}", "s", "a\0b", 3);
    assert_non_null(root);
    const char *s = NULL;
    assert_fails(ERR_FORMAT, "\"s\" is not a string", json_get_string(root, "s", &s, &e));
}

// --- jansson without memory ---

// The allocation with number `fail_from` fails, and with `for_good` every later one too.
static struct {
    unsigned count, fail_from;
    bool for_good;
} heap;

static void *heap_take(size_t len)
{
    heap.count++;
    bool fails = heap.for_good ? heap.count >= heap.fail_from : heap.count == heap.fail_from;
    return fails ? NULL : malloc(len);
}

static void heap_begin(unsigned fail_from, bool for_good)
{
    heap.count = 0;
    heap.fail_from = fail_from;
    heap.for_good = for_good;
    json_set_alloc_funcs(heap_take, free);
}

static int heap_end(void **state)
{
    (void)state;
    json_set_alloc_funcs(malloc, free);
    return 0;
}

// The long text is read into a buffer that has to grow. A number of 15 digits or more would be too,
// but there jansson 2.14 ends the program: it asserts that the byte it lost is there.
static const char frugal_text[] =
    "{\"a\":[12345678901234,\"a text longer than the first buffer\"],\"b\":{\"c\":true}}";

// True when memory was enough.
static bool parse_frugally(unsigned fail_from, bool for_good)
{
    struct error e = {0};
    CLEANUP(cleanup_json) json_t *root = NULL;
    heap_begin(fail_from, for_good);
    enum err err = json_parse_canonical(frugal_text, strlen(frugal_text), &root, &e);
    bool enough = heap.count < fail_from;
    heap_end(NULL);
    if (err != OK && e.sys != ENOMEM) {
        fail_msg("allocation %u: expected no memory, got: %s", fail_from, e.msg);
    }
    assert_int_equal(root != NULL, err == OK);
    if (err == OK) {
        CLEANUP(cleanup_free) char *back = json_canonical(root);
        assert_string_equal(back, frugal_text);
    }
    return enough;
}

static void a_text_is_not_called_bad_when_memory_ran_out(void **state)
{
    (void)state;
    unsigned n = 1;
    while (!parse_frugally(n, false)) {
        n++;
    }
    assert_true(n > 20);
    for (n = 1; !parse_frugally(n, true);) {
        n++;
    }
    assert_true(n > 20);
}

// True when memory was enough.
static bool print_frugally(const json_t *value, const char *want, unsigned fail_from, bool for_good)
{
    heap_begin(fail_from, for_good);
    CLEANUP(cleanup_free) char *text = json_canonical(value);
    bool enough = heap.count < fail_from;
    heap_end(NULL);
    assert_true(text != NULL || !enough);
    if (text != NULL) {
        assert_string_equal(text, want);
    }
    return enough;
}

// json_dumps() loses a key for which its buffer cannot grow, and says nothing.
static void a_text_is_whole_or_not_there_when_memory_ran_out(void **state)
{
    (void)state;
    char key[] = "a key that is longer than all else";
    CLEANUP(cleanup_json) json_t *root = json_object();
    for (; key[0] <= 'z'; key[0]++) {
        assert_int_equal(json_object_set_new(root, key, json_integer(1)), 0);
    }
    CLEANUP(cleanup_free) char *want = json_canonical(root);
    assert_int_equal(strlen(want), ('z' - 'a' + 1) * (sizeof key + 4) + 1);
    for (unsigned n = 1; !print_frugally(root, want, n, false); n++) {
    }
    for (unsigned n = 1; !print_frugally(root, want, n, true); n++) {
    }
}

static void a_text_that_is_bad_is_called_so_with_memory_enough(void **state)
{
    (void)state;
    struct error e;
    json_t *root = NULL;
    assert_fails(ERR_FORMAT, "line 1", json_parse_canonical("{\"a\":}", 6, &root, &e));
    assert_fails(ERR_FORMAT, "not in canonical form", json_parse_canonical("{ }", 3, &root, &e));
    assert_null(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_read),
        cmocka_unit_test(anything_but_an_object_is_refused),
        cmocka_unit_test(broken_text_is_refused_with_its_line),
        cmocka_unit_test(a_key_that_stands_twice_is_refused),
        cmocka_unit_test(a_real_number_is_refused),
        cmocka_unit_test(text_that_looks_like_a_real_number_is_no_number),
        cmocka_unit_test(integers_reach_from_the_lowest_to_the_highest),
        cmocka_unit_test(an_integer_beyond_64_bits_is_refused),
        cmocka_unit_test(a_nul_is_refused_wherever_it_stands),
        cmocka_unit_test(text_that_is_not_utf_8_is_refused),
        cmocka_unit_test(eight_levels_are_read_and_nine_refused),
        cmocka_unit_test(a_million_levels_are_refused_without_recursion),
        cmocka_unit_test(brackets_in_strings_do_not_count_as_levels),
        cmocka_unit_test(canonical_text_has_sorted_keys_and_no_space),
        cmocka_unit_test(text_that_is_not_its_own_canonical_form_is_refused),
        cmocka_unit_test(members_are_given_with_their_kind),
        cmocka_unit_test(a_missing_member_is_named),
        cmocka_unit_test(a_member_of_another_kind_is_refused_and_named),
        cmocka_unit_test(a_string_with_a_nul_made_elsewhere_is_refused),
        cmocka_unit_test_teardown(a_text_is_not_called_bad_when_memory_ran_out, heap_end),
        cmocka_unit_test_teardown(a_text_is_whole_or_not_there_when_memory_ran_out, heap_end),
        cmocka_unit_test(a_text_that_is_bad_is_called_so_with_memory_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
