// SPDX-License-Identifier: Apache-2.0
#include "updater/fingerprints.h"

#include "tests/support/expect.h"

static struct fingerprint print_of(uint32_t index)
{
    struct fingerprint p = {{0}};
    memcpy(p.bytes, &index, sizeof index);
    return p;
}

static void keep(struct fingerprints *f, uint32_t index)
{
    struct fingerprint p = print_of(index);
    fingerprints_keep(f, index, &p);
}

static bool finds(const struct fingerprints *f, uint32_t index)
{
    struct fingerprint expected = print_of(index);
    struct fingerprint found;
    bool is = fingerprints_find(f, index, &found);
    assert_true(!is || fingerprint_equal(&found, &expected));
    return is;
}

static void a_short_image_has_room_for_all_of_them(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_fingerprints) struct fingerprints *f = NULL;
    assert_ok(fingerprints_new(100, &f, &e));
    for (uint32_t i = 0; i < 100; i++) {
        assert_false(finds(f, i));
        keep(f, i);
    }
    for (uint32_t i = 0; i < 100; i++) {
        assert_true(finds(f, i));
    }
    fingerprints_clear(f);
    for (uint32_t i = 0; i < 100; i++) {
        assert_false(finds(f, i));
    }
}

static void of_a_long_one_the_latest_are_kept(void **state)
{
    enum { COUNT = 3 * FINGERPRINTS_KEPT + 5 };
    (void)state;
    struct error e;
    CLEANUP(cleanup_fingerprints) struct fingerprints *f = NULL;
    assert_ok(fingerprints_new(COUNT, &f, &e));
    for (uint32_t i = 0; i < COUNT; i++) {
        keep(f, i);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(finds(f, i), i >= COUNT - FINGERPRINTS_KEPT);
    }
}

static void one_that_is_kept_again_is_the_newer(void **state)
{
    (void)state;
    struct error e;
    struct fingerprint found;
    struct fingerprint newer = print_of(77);
    CLEANUP(cleanup_fingerprints) struct fingerprints *f = NULL;
    assert_ok(fingerprints_new(10, &f, &e));
    keep(f, 3);
    fingerprints_keep(f, 3, &newer);
    assert_true(fingerprints_find(f, 3, &found));
    assert_true(fingerprint_equal(&found, &newer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_image_has_room_for_all_of_them),
        cmocka_unit_test(of_a_long_one_the_latest_are_kept),
        cmocka_unit_test(one_that_is_kept_again_is_the_newer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
