// SPDX-License-Identifier: Apache-2.0
#include "updater/sealed_record.h"

#include "base/hash.h"
#include "tests/support/expect.h"
#include "tests/support/state_mem.h"

#include <errno.h>

enum { MAX = 256 };

struct room {
    struct seam_sim seam;
    struct state_mem store;
};

static int make(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return -1;
    }
    state_mem_init(&r->store, &r->seam);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct room *r = *state;
    state_mem_free(&r->store);
    free(r);
    return 0;
}

static void put(struct room *r, const char *text)
{
    struct error e;
    assert_ok(state_replace(&r->store.base, "x", text, strlen(text), &e));
}

// What is there of it: its JSON in `buf`, "missing" or "lost".
static const char *found(struct room *r, char *buf, size_t size)
{
    struct error e;
    json_t *root = NULL;
    bool lost = true;
    assert_ok(sealed_record_load(&r->store.base, "x", MAX, &root, &lost, &e));
    char *text = root != NULL ? json_canonical(root) : NULL;
    snprintf(buf, size, "%s", text != NULL ? text : lost ? "lost" : "missing");
    assert_false(text != NULL && lost);
    free(text);
    json_decref(root);
    return buf;
}

static void a_record_comes_back(void **state)
{
    struct room *r = *state;
    struct error e;
    char buf[MAX];
    assert_string_equal(found(r, buf, sizeof buf), "missing");
    CLEANUP(cleanup_json) json_t *root = json_pack("{s:i, s:s}", "b", 2, "a", "one");
    assert_ok(sealed_record_save(&r->store.base, "x", root, &e));
    assert_string_equal(found(r, buf, sizeof buf), "{\"a\":\"one\",\"b\":2}");
    static const char want[] = "{\"a\":\"one\",\"b\":2}\ncrc32c ";
    assert_memory_equal(r->store.records[0].data, want, strlen(want));
}

static void a_flipped_bit_anywhere_loses_it(void **state)
{
    struct room *r = *state;
    struct error e;
    char buf[MAX];
    CLEANUP(cleanup_json) json_t *root = json_pack("{s:i}", "n", 12);
    assert_ok(sealed_record_save(&r->store.base, "x", root, &e));
    for (size_t i = 0; i < r->store.records[0].len * 8; i++) {
        r->store.records[0].data[i / 8] ^= (uint8_t)(1U << i % 8);
        assert_string_equal(found(r, buf, sizeof buf), "lost");
        r->store.records[0].data[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    assert_string_equal(found(r, buf, sizeof buf), "{\"n\":12}");
    for (size_t len = r->store.records[0].len; len-- > 0;) {
        r->store.records[0].len = len;
        assert_string_equal(found(r, buf, sizeof buf), "lost");
    }
}

static void what_is_whole_but_no_canonical_object_is_lost(void **state)
{
    struct room *r = *state;
    char buf[MAX];
    static const char *const lines[] = {"\n", "{ }\n", "[1]\n", "{\"a\":1.5}\n", "{}\n\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[64];
        snprintf(text, sizeof text, "%scrc32c %08x\n", lines[i],
                 (unsigned)crc32c(lines[i], strlen(lines[i])));
        put(r, text);
        assert_string_equal(found(r, buf, sizeof buf), "lost");
    }
    char large[MAX + 2];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    put(r, large);
    assert_string_equal(found(r, buf, sizeof buf), "lost");
}

static void a_directory_that_cannot_be_read_says_nothing_of_the_record(void **state)
{
    struct room *r = *state;
    struct error e;
    json_t *root = NULL;
    bool lost;
    r->seam.fail_at = r->seam.calls + 1;
    r->seam.fail_with = ERR_INTERNAL;
    assert_fails(ERR_INTERNAL, "", sealed_record_load(&r->store.base, "x", MAX, &root, &lost, &e));
}

static void a_full_directory_is_told(void **state)
{
    struct room *r = *state;
    struct error e;
    char buf[MAX];
    CLEANUP(cleanup_json) json_t *root = json_pack("{s:i}", "n", 1);
    assert_ok(sealed_record_save(&r->store.base, "x", root, &e));
    r->store.room = 1;
    assert_fails(ERR_IO, "", sealed_record_save(&r->store.base, "x", root, &e));
    assert_int_equal(e.sys, ENOSPC);
    assert_string_equal(found(r, buf, sizeof buf), "{\"n\":1}");
    assert_fails(ERR_IO, "memory", sealed_record_save(&r->store.base, "x", NULL, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_comes_back, make, tear_down),
        cmocka_unit_test_setup_teardown(a_flipped_bit_anywhere_loses_it, make, tear_down),
        cmocka_unit_test_setup_teardown(what_is_whole_but_no_canonical_object_is_lost, make,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_directory_that_cannot_be_read_says_nothing_of_the_record,
                                        make, tear_down),
        cmocka_unit_test_setup_teardown(a_full_directory_is_told, make, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
