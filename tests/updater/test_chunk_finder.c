// SPDX-License-Identifier: Apache-2.0
#include "updater/chunk_finder.h"

#include "tests/support/bench_letters.h"
#include "tests/support/expect.h"

#include <stdlib.h>
#include <string.h>

struct stage {
    struct bench *bench;
    struct bench_target t;
    struct chunk_finder *finder;
};

static void make(struct stage *s, const char *rootfs, const char *boot, bool no_dedupe)
{
    struct error e;
    s->bench = letters_bench();
    if (no_dedupe) {
        uint8_t *twice = malloc((size_t)2 * LETTER);
        assert_non_null(twice);
        memset(twice, 7, (size_t)2 * LETTER);
        struct image_recipe r = bench_recipe("2.0", 2);
        r.cuts = (const uint32_t[]){LETTER, 0};
        r.no_dedupe = true;
        image_recipe_add(&r, "rootfs", twice, (size_t)2 * LETTER);
        bench_serve(s->bench, &r);
        free(twice);
    } else {
        letters_serve(s->bench, 2, rootfs, boot);
    }
    bench_open_target(s->bench, &s->t);
    assert_ok(chunk_finder_new(s->t.image->table, &s->finder, &e));
}

static void clear(struct stage *s)
{
    chunk_finder_free(s->finder);
    bench_close_target(&s->t);
    bench_free(s->bench);
}

// UINT32_MAX: not found.
static uint32_t find(const struct stage *s, uint32_t index)
{
    uint32_t found;
    struct chunk c = chunk_table_get(s->t.image->table, index, NULL);
    return chunk_finder_find(s->finder, c.raw_sha256, &found) ? found : UINT32_MAX;
}

static void every_chunk_is_found_by_its_hash(void **state)
{
    (void)state;
    struct stage s;
    make(&s, "ABCDEFGHIJKLMN", "OPQ", false);
    for (uint32_t i = 0; i < 17; i++) {
        assert_int_equal(find(&s, i), i);
    }
    clear(&s);
}

static void what_the_image_does_not_have_is_not_found(void **state)
{
    (void)state;
    struct stage s;
    uint32_t index = 77;
    uint8_t hash[SHA256_SIZE];
    make(&s, "ABCDE", "P", false);
    for (uint32_t i = 0; i < 6; i++) {
        struct chunk c = chunk_table_get(s.t.image->table, i, NULL);
        for (size_t byte = 0; byte < SHA256_SIZE; byte += SHA256_SIZE - 1) {
            memcpy(hash, c.raw_sha256, sizeof hash);
            hash[byte] ^= 1;
            assert_false(chunk_finder_find(s.finder, hash, &index));
        }
    }
    memset(hash, 0, sizeof hash);
    assert_false(chunk_finder_find(s.finder, hash, &index));
    memset(hash, 0xff, sizeof hash);
    assert_false(chunk_finder_find(s.finder, hash, &index));
    assert_int_equal(index, 77);
    clear(&s);
}

static void zeros_are_not_found_and_a_repetition_leads_to_the_first(void **state)
{
    (void)state;
    struct stage s;
    make(&s, "A0BA0B", "B0", false);
    assert_int_equal(find(&s, 1), UINT32_MAX);
    assert_int_equal(find(&s, 3), 0);
    assert_int_equal(find(&s, 6), 2);
    clear(&s);
}

static void an_image_of_zeros_has_nothing_to_be_found(void **state)
{
    (void)state;
    struct stage s;
    make(&s, "00", "0", false);
    assert_int_equal(find(&s, 0), UINT32_MAX);
    clear(&s);
}

static void of_equal_chunks_that_are_stored_twice_the_first_is_found(void **state)
{
    (void)state;
    struct stage s;
    make(&s, NULL, NULL, true);
    assert_int_equal(chunk_table_origin(s.t.image->table, 1), 1);
    assert_int_equal(find(&s, 1), 0);
    clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chunk_is_found_by_its_hash),
        cmocka_unit_test(what_the_image_does_not_have_is_not_found),
        cmocka_unit_test(zeros_are_not_found_and_a_repetition_leads_to_the_first),
        cmocka_unit_test(an_image_of_zeros_has_nothing_to_be_found),
        cmocka_unit_test(of_equal_chunks_that_are_stored_twice_the_first_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
