// SPDX-License-Identifier: Apache-2.0
// No bit of a signature record can change unnoticed: the reason for the strict profile.
#include "keys/cms_profile.h"
#include "keys/sign.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certs.h"

static const uint8_t message[] = "\x89VVI\r\n\x1a\n header and manifest";

static struct test_cert ca, release;

static int make_pki(void **state)
{
    (void)state;
    ca = test_ca("ca", NULL);
    release = test_signer("release", &ca);
    return 0;
}

static int clear_pki(void **state)
{
    (void)state;
    test_cert_clear(&ca);
    test_cert_clear(&release);
    return 0;
}

// Under valgrind, where a verification takes forty times as long, one change a byte has to do.
static size_t changes_per_byte(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload != NULL && strstr(preload, "vgpreload") != NULL ? 1 : 9;
}

// Each byte changed in each of its bits, and altogether; none of it may go unnoticed.
static void assert_no_flip_verifies(const struct test_cert *pinned,
                                    const struct signature_record *good)
{
    struct error e;
    assert_ok(test_verify(pinned, good, message, sizeof(message), &e));
    const uint8_t masks[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff};
    size_t changes = changes_per_byte();
    CLEANUP(cleanup_free) uint8_t *copy = calloc(1, good->len + 1);
    assert_non_null(copy);
    memcpy(copy, good->data, good->len);
    struct signature_record record = {.type = good->type, .len = good->len, .data = copy};
    for (size_t i = 0; i < good->len; i++) {
        for (size_t k = 0; k < changes; k++) {
            uint8_t mask = masks[(i + k) % sizeof(masks)];
            copy[i] = good->data[i] ^ mask;
            if (test_verify(pinned, &record, message, sizeof(message), &e) != ERR_TRUST) {
                fail_msg("expected a refusal with byte %zu of %u changed by %02x\n     got: %d", i,
                         (unsigned)good->len, mask, e.code);
            }
        }
        copy[i] = good->data[i];
    }
    // Nor may it be shorter or longer.
    record.len = good->len - 1;
    assert_int_equal(test_verify(pinned, &record, message, sizeof(message), &e), ERR_TRUST);
    record.len = good->len + 1;
    assert_int_equal(test_verify(pinned, &record, message, sizeof(message), &e), ERR_TRUST);
}

static void no_changed_bit_of_our_own_record_goes_unnoticed(void **state)
{
    struct error e;
    char cert[4096], key[4096];
    test_cert_write(&release, *state, "cert.pem");
    test_key_write(&release, *state, "key.pem");
    CLEANUP(cleanup_signer) struct signer *s = NULL;
    assert_ok(signer_load(temp_dir_path(cert, sizeof(cert), *state, "cert.pem"),
                          temp_dir_path(key, sizeof(key), *state, "key.pem"), &s, &e));
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len = 0;
    struct signature_record record = {0};
    assert_ok(signer_sign(s, message, sizeof(message), &record.type, &data, &len, &e));
    record.data = data;
    record.len = (uint32_t)len;
    assert_no_flip_verifies(&ca, &record);
}

static void no_changed_bit_under_a_pinned_signer_goes_unnoticed(void **state)
{
    (void)state;
    CLEANUP(test_record_clear)
    struct signature_record record =
        test_cms(&release, "SHA256", CMS_NOATTR, NULL, message, sizeof(message));
    assert_no_flip_verifies(&release, &record);
}

static void no_changed_bit_of_a_record_by_openssl_cms_goes_unnoticed(void **state)
{
    CLEANUP(test_record_clear)
    struct signature_record record =
        test_cms_by_openssl(*state, &release, message, sizeof(message), "-md sha256");
    assert_no_flip_verifies(&ca, &record);
}

static void no_changed_bit_of_an_rsa_record_by_openssl_cms_goes_unnoticed(void **state)
{
    CLEANUP(test_cert_clear)
    struct test_cert rsa = test_cert_make(&(struct test_cert_spec){
        .subject = "rsa", .key = "RSA-3072", .issuer = &ca, .extended_usage = "codeSigning"});
    CLEANUP(test_record_clear)
    struct signature_record record =
        test_cms_by_openssl(*state, &rsa, message, sizeof(message), "-md sha512 -noattr");
    assert_no_flip_verifies(&ca, &record);
}

static void no_changed_bit_of_a_raw_ed25519_record_goes_unnoticed(void **state)
{
    (void)state;
    CLEANUP(test_cert_clear)
    struct test_cert ed = test_cert_make(&(struct test_cert_spec){
        .subject = "ed", .key = "ED25519", .extended_usage = "codeSigning"});
    CLEANUP(test_record_clear)
    struct signature_record record = test_ed25519(&ed, message, sizeof(message));
    assert_no_flip_verifies(&ed, &record);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(no_changed_bit_of_our_own_record_goes_unnoticed),
        cmocka_unit_test(no_changed_bit_under_a_pinned_signer_goes_unnoticed),
        WITH_DIR(no_changed_bit_of_a_record_by_openssl_cms_goes_unnoticed),
        WITH_DIR(no_changed_bit_of_an_rsa_record_by_openssl_cms_goes_unnoticed),
        cmocka_unit_test(no_changed_bit_of_a_raw_ed25519_record_goes_unnoticed),
    };
    return cmocka_run_group_tests(tests, make_pki, clear_pki);
}
