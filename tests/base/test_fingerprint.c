// SPDX-License-Identifier: Apache-2.0
#include "base/fingerprint.h"

#include "tests/support/expect.h"

// RFC 8439, section 2.5.2.
static const struct fingerprint_key rfc_key = {
    {0x85, 0xd6, 0xbe, 0x78, 0x57, 0x55, 0x6d, 0x33, 0x7f, 0x44, 0x52,
     0xfe, 0x42, 0xd5, 0x06, 0xa8, 0x01, 0x03, 0x80, 0x8a, 0xfb, 0x0d,
     0xb2, 0xfd, 0x4a, 0xbf, 0xf6, 0xaf, 0x41, 0x49, 0xf5, 0x1b},
};
static const char rfc_message[] = "Cryptographic Forum Research Group";
static const struct fingerprint rfc_tag = {
    {0xa8, 0x06, 0x1d, 0xc1, 0x30, 0x51, 0x36, 0xc6, 0xc2, 0x2b, 0x8b, 0xaf, 0x0c, 0x01, 0x27,
     0xa9},
};

static struct fingerprint take(struct fingerprinter *f, const void *data, size_t len, size_t part)
{
    struct error e;
    struct fingerprint print;
    assert_ok(fingerprint_begin(f, &e));
    for (size_t off = 0; off < len; off += part) {
        size_t n = part < len - off ? part : len - off;
        assert_ok(fingerprint_add(f, (const char *)data + off, n, &e));
    }
    assert_ok(fingerprint_end(f, &print, &e));
    return print;
}

static void it_is_poly1305_as_published(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_fingerprinter) struct fingerprinter *f = NULL;
    assert_ok(fingerprinter_new(&rfc_key, &f, &e));
    size_t len = strlen(rfc_message);
    for (size_t part = 1; part <= len; part++) {
        struct fingerprint print = take(f, rfc_message, len, part);
        assert_memory_equal(print.bytes, rfc_tag.bytes, FINGERPRINT_SIZE);
        assert_true(fingerprint_equal(&print, &rfc_tag));
    }
}

static void every_flipped_bit_and_every_cut_changes_it(void **state)
{
    (void)state;
    struct error e;
    uint8_t data[200];
    struct fingerprint_key key;
    CLEANUP(cleanup_fingerprinter) struct fingerprinter *f = NULL;
    memset(data, 0x5a, sizeof data);
    assert_ok(fingerprint_key_make(&key, &e));
    assert_ok(fingerprinter_new(&key, &f, &e));
    struct fingerprint whole = take(f, data, sizeof data, sizeof data);
    for (size_t bit = 0; bit < 8 * sizeof data; bit++) {
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        struct fingerprint other = take(f, data, sizeof data, sizeof data);
        assert_false(fingerprint_equal(&other, &whole));
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t len = 0; len < sizeof data; len++) {
        struct fingerprint other = take(f, data, len, sizeof data);
        assert_false(fingerprint_equal(&other, &whole));
    }
}

static void those_of_one_key_agree_and_those_of_two_do_not(void **state)
{
    (void)state;
    struct error e;
    struct fingerprint prints[3];
    struct fingerprint_key keys[2];
    assert_ok(fingerprint_key_make(&keys[0], &e));
    assert_ok(fingerprint_key_make(&keys[1], &e));
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(cleanup_fingerprinter) struct fingerprinter *f = NULL;
        assert_ok(fingerprinter_new(&keys[i / 2], &f, &e));
        prints[i] = take(f, "abc", 3, 3);
    }
    assert_true(fingerprint_equal(&prints[0], &prints[1]));
    assert_false(fingerprint_equal(&prints[0], &prints[2]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_poly1305_as_published),
        cmocka_unit_test(every_flipped_bit_and_every_cut_changes_it),
        cmocka_unit_test(those_of_one_key_agree_and_those_of_two_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
