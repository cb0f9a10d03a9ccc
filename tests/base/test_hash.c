// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include "tests/support/expect.h"

static const char empty_hex[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char abc_hex[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
// FIPS 180-4 example: one million times 'a'.
static const char million_hex[] =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static void assert_digest(const uint8_t digest[SHA256_SIZE], const char *want)
{
    char hex[SHA256_HEX_SIZE];
    hex_encode(digest, SHA256_SIZE, hex);
    assert_string_equal(hex, want);
}

static void sha256_gives_the_published_digests(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_hasher) struct hasher *h = NULL;
    assert_ok(hasher_new(&h, &e));
    uint8_t digest[SHA256_SIZE];
    assert_ok(hasher_sha256(h, "abc", 3, digest, &e));
    assert_digest(digest, abc_hex);
    assert_ok(hasher_sha256(h, NULL, 0, digest, &e));
    assert_digest(digest, empty_hex);
}

static void a_digest_is_compared_as_far_as_it_is_known(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_hasher) struct hasher *h = NULL;
    assert_ok(hasher_new(&h, &e));
    uint8_t digest[SHA256_SIZE];
    assert_true(hex_decode(abc_hex, SHA256_SIZE, digest));
    assert_ok(hasher_check(h, "abc", 3, digest, SHA256_SIZE, "not abc", &e));
    assert_fails(ERR_FORMAT, "not abc", hasher_check(h, "ab", 2, digest, 16, "not abc", &e));
    digest[16] ^= 1;
    assert_ok(hasher_check(h, "abc", 3, digest, 16, "not abc", &e));
    assert_fails(ERR_FORMAT, "not abc",
                 hasher_check(h, "abc", 3, digest, SHA256_SIZE, "not abc", &e));
}

static void a_message_in_parts_has_the_digest_of_the_whole(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_hasher) struct hasher *h = NULL;
    assert_ok(hasher_new(&h, &e));
    char part[1000];
    memset(part, 'a', sizeof part);
    uint8_t digest[SHA256_SIZE];
    assert_ok(hasher_begin(h, &e));
    for (int i = 0; i < 1000; i++) {
        assert_ok(hasher_add(h, part, sizeof part, &e));
        assert_ok(hasher_add(h, NULL, 0, &e));
    }
    assert_ok(hasher_end(h, digest, &e));
    assert_digest(digest, million_hex);
}

static void a_new_message_forgets_the_one_before(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_hasher) struct hasher *h = NULL;
    assert_ok(hasher_new(&h, &e));
    uint8_t digest[SHA256_SIZE];
    assert_ok(hasher_begin(h, &e));
    assert_ok(hasher_add(h, "left over", 9, &e));
    assert_ok(hasher_sha256(h, "abc", 3, digest, &e));
    assert_digest(digest, abc_hex);
}

static void releasing_no_hasher_does_nothing(void **state)
{
    (void)state;
    hasher_free(NULL);
}

static void crc32c_gives_the_sums_of_rfc_3720(void **state)
{
    (void)state;
    uint8_t buf[32];
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    memset(buf, 0, sizeof buf);
    assert_int_equal(crc32c(buf, sizeof buf), 0x8a9136aa);
    memset(buf, 0xff, sizeof buf);
    assert_int_equal(crc32c(buf, sizeof buf), 0x62a8ab43);
    for (size_t i = 0; i < sizeof buf; i++) {
        buf[i] = (uint8_t)i;
    }
    assert_int_equal(crc32c(buf, sizeof buf), 0x46dd794e);
    assert_int_equal(crc32c(NULL, 0), 0);
}

static void every_flipped_bit_changes_the_crc(void **state)
{
    (void)state;
    uint8_t buf[124];
    memset(buf, 0x5a, sizeof buf);
    uint32_t want = crc32c(buf, sizeof buf);
    for (size_t bit = 0; bit < 8 * sizeof buf; bit++) {
        buf[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(crc32c(buf, sizeof buf), want);
        buf[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static void hex_goes_there_and_back(void **state)
{
    (void)state;
    static const uint8_t data[] = {0x00, 0x09, 0x0a, 0x0f, 0x90, 0xa0, 0xff};
    char text[2 * sizeof data + 1];
    uint8_t back[sizeof data] = {0};
    hex_encode(data, sizeof data, text);
    assert_string_equal(text, "00090a0f90a0ff");
    assert_true(hex_decode(text, sizeof data, back));
    assert_memory_equal(back, data, sizeof data);
    hex_encode(data, 0, text);
    assert_string_equal(text, "");
    assert_true(hex_decode("", 0, back));
}

static void hex_of_the_wrong_length_or_alphabet_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "0",    "00",      "001",   "00112", "001122", "00 1",
                                      "001G", "001A", "00x1",    "-011",  "001g",  "001`",   "001/",
                                      "001:", "001@", "\xff@11", "0011 ", " 0011", "0011\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t out[2] = {0xaa, 0xaa};
        if (hex_decode(bad[i], sizeof out, out)) {
            fail_msg("expected a refusal of '%s'", bad[i]);
        }
        assert_int_equal(out[0], 0xaa);
        assert_int_equal(out[1], 0xaa);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(a_digest_is_compared_as_far_as_it_is_known),
        cmocka_unit_test(a_message_in_parts_has_the_digest_of_the_whole),
        cmocka_unit_test(a_new_message_forgets_the_one_before),
        cmocka_unit_test(releasing_no_hasher_does_nothing),
        cmocka_unit_test(crc32c_gives_the_sums_of_rfc_3720),
        cmocka_unit_test(every_flipped_bit_changes_the_crc),
        cmocka_unit_test(hex_goes_there_and_back),
        cmocka_unit_test(hex_of_the_wrong_length_or_alphabet_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
