// SPDX-License-Identifier: Apache-2.0
#include "keys/cert.h"

#include "keys/ossl.h"
#include "tests/support/expect.h"
#include "tests/support/test_certs.h"

#include <openssl/core_names.h>

static struct test_cert with_key(const char *kind)
{
    return test_cert_make(
        &(struct test_cert_spec){.subject = kind, .key = kind, .digest = "SHA384"});
}

static void accepted_keys_are_p256_p384_ed25519_and_rsa_of_3072_bits(void **state)
{
    (void)state;
    const struct {
        const char *kind;
        enum cert_key key;
    } cases[] = {
        {"P-256", CERT_KEY_EC},
        {"P-384", CERT_KEY_EC},
        {"ED25519", CERT_KEY_ED25519},
        {"RSA-3072", CERT_KEY_RSA},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(test_cert_clear) struct test_cert c = with_key(cases[i].kind);
        assert_int_equal(cert_key_kind(c.cert), cases[i].key);
        assert_null(cert_refuse_key(c.cert));
    }
}

static void weak_and_unusual_keys_are_refused(void **state)
{
    (void)state;
    const char *const kinds[] = {"P-224", "secp256k1", "brainpoolP256r1", "RSA-2048"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        CLEANUP(test_cert_clear) struct test_cert c = with_key(kinds[i]);
        assert_int_equal(cert_key_kind(c.cert), CERT_KEY_REFUSED);
        assert_contains(cert_refuse_key(c.cert), "its key is none of ECDSA P-256");
    }
}

static EVP_PKEY *p256_with(const char *param, const char *value)
{
    EVP_PKEY *key = NULL;
    char text[32];
    char group[] = "P-256";
    snprintf(text, sizeof(text), "%s", value);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_utf8_string(param, text, 0),
        OSSL_PARAM_construct_end(),
    };
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_params(ctx, params), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

// What stands in a certificate file is what counts, so it goes through DER once.
static X509 *reread(X509 *cert)
{
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);
    const unsigned char *at = der;
    X509 *again = d2i_X509(NULL, &at, len);
    assert_non_null(again);
    OPENSSL_free(der);
    return again;
}

static void a_curve_spelled_out_by_its_parameters_is_refused(void **state)
{
    (void)state;
    CLEANUP(cleanup_evp_pkey)
    EVP_PKEY *key = p256_with(OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT);
    CLEANUP(test_cert_clear)
    struct test_cert made =
        test_cert_make(&(struct test_cert_spec){.subject = "explicit", .same_key = key});
    CLEANUP(cleanup_x509) X509 *cert = reread(made.cert);
    assert_int_equal(cert_key_kind(cert), CERT_KEY_REFUSED);
}

static void one_key_in_two_spellings_is_the_same_key(void **state)
{
    (void)state;
    CLEANUP(cleanup_evp_pkey) EVP_PKEY *key = EVP_EC_gen("P-256");
    CLEANUP(test_cert_clear)
    struct test_cert plain =
        test_cert_make(&(struct test_cert_spec){.subject = "plain", .same_key = key});
    CLEANUP(cleanup_x509) X509 *a = reread(plain.cert);
    assert_int_equal(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                                    "compressed"),
                     1);
    CLEANUP(test_cert_clear)
    struct test_cert compressed =
        test_cert_make(&(struct test_cert_spec){.subject = "compressed", .same_key = key});
    CLEANUP(cleanup_x509) X509 *b = reread(compressed.cert);
    CLEANUP(test_cert_clear) struct test_cert other = with_key("P-256");

    struct error e;
    uint8_t id_a[SHA256_SIZE], id_b[SHA256_SIZE];
    assert_ok(cert_key_id(a, id_a, &e));
    assert_ok(cert_key_id(b, id_b, &e));
    assert_memory_not_equal(id_a, id_b, SHA256_SIZE); // so ids could not tell
    assert_true(cert_same_key(a, b));
    assert_false(cert_same_key(a, other.cert));
}

static void the_key_id_is_the_hash_of_the_public_key_info(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert c = with_key("ED25519");
    unsigned char *spki = NULL;
    uint8_t want[SHA256_SIZE], got[SHA256_SIZE];
    int len = i2d_PUBKEY(c.key, &spki);
    assert_int_equal(len, 44);
    assert_int_equal(EVP_Digest(spki, (size_t)len, want, NULL, EVP_sha256(), NULL), 1);
    OPENSSL_free(spki);
    assert_ok(cert_key_id(c.cert, got, &e));
    assert_memory_equal(got, want, SHA256_SIZE);
}

static const char *refuse_signing(const char *usage, const char *extended_usage)
{
    CLEANUP(test_cert_clear)
    struct test_cert c = test_cert_make(
        &(struct test_cert_spec){.subject = "s", .usage = usage, .extended_usage = extended_usage});
    return cert_refuse_signing(c.cert);
}

static void who_signs_has_the_extended_usage_code_signing(void **state)
{
    (void)state;
    assert_null(refuse_signing(NULL, "codeSigning"));
    assert_null(refuse_signing(NULL, "emailProtection,codeSigning"));
    assert_contains(refuse_signing(NULL, NULL), "lacks the extended key usage codeSigning");
    assert_contains(refuse_signing(NULL, "serverAuth"), "lacks the extended key usage codeSigning");
    assert_contains(refuse_signing(NULL, "anyExtendedKeyUsage"),
                    "lacks the extended key usage codeSigning");
}

static void who_signs_has_digital_signature_if_there_is_a_key_usage(void **state)
{
    (void)state;
    assert_null(refuse_signing("digitalSignature", "codeSigning"));
    assert_contains(refuse_signing("keyEncipherment", "codeSigning"), "lacks digitalSignature");
}

static const char *refuse_issuing(const char *constraints, const char *usage)
{
    CLEANUP(test_cert_clear)
    struct test_cert c = test_cert_make(
        &(struct test_cert_spec){.subject = "i", .constraints = constraints, .usage = usage});
    return cert_refuse_issuing(c.cert);
}

static void who_issues_is_a_ca_with_key_cert_sign(void **state)
{
    (void)state;
    assert_null(refuse_issuing("CA:TRUE", "keyCertSign"));
    assert_contains(refuse_issuing(NULL, "keyCertSign"), "it is no CA");
    assert_contains(refuse_issuing("CA:FALSE", "keyCertSign"), "it is no CA");
    assert_contains(refuse_issuing("CA:TRUE", NULL), "lacks keyCertSign");
    assert_contains(refuse_issuing("CA:TRUE", "digitalSignature"), "lacks keyCertSign");
}

static void a_certificate_whose_extensions_cannot_be_read_may_nothing(void **state)
{
    (void)state;
    CLEANUP(test_cert_clear)
    struct test_cert c = test_cert_make(&(struct test_cert_spec){
        .subject = "odd", .constraints = "CA:TRUE,pathlen:-1", .extended_usage = "codeSigning"});
    assert_contains(cert_refuse_signing(c.cert), "its extensions cannot be read");
    assert_contains(cert_refuse_issuing(c.cert), "its extensions cannot be read");
}

static void a_not_after_that_is_no_date_may_nothing(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert c = test_signer("dateless", NULL);
    assert_int_equal(ASN1_STRING_set(X509_getm_notAfter(c.cert), "20ab0101000000Z", -1), 1);
    uint64_t not_after;
    assert_false(cert_not_after(c.cert, &not_after));
    assert_contains(cert_refuse_signing(c.cert), "its notAfter cannot be read");
    assert_contains(cert_refuse_issuing(c.cert), "its notAfter cannot be read");
    assert_fails(ERR_TRUST, "CN=dateless: its notAfter cannot be read",
                 cert_check_time(c.cert, 0, &e));
}

static void not_after_is_seconds_since_1970_far_beyond_2038(void **state)
{
    (void)state;
    const struct {
        const char *text;
        uint64_t seconds;
    } cases[] = {
        {"19700101000000Z", 0},          {"19690101000000Z", 0},
        {"19700101000001Z", 1},          {"20000229235959Z", 951868799},
        {"20000301000000Z", 951868800},  {"20380119031408Z", 2147483648},
        {"21000301000000Z", 4107542400}, {"99991231235959Z", 253402300799},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(test_cert_clear)
        struct test_cert c =
            test_cert_make(&(struct test_cert_spec){.subject = "t", .not_after = cases[i].text});
        uint64_t got;
        assert_true(cert_not_after(c.cert, &got));
        assert_int_equal(got, cases[i].seconds);
    }
}

static void a_certificate_is_expired_from_the_second_behind_its_not_after(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear)
    struct test_cert c =
        test_cert_make(&(struct test_cert_spec){.subject = "old", .not_after = "20000229235959Z"});
    assert_ok(cert_check_time(c.cert, 0, &e));
    assert_ok(cert_check_time(c.cert, 951868799, &e));
    assert_fails(ERR_TRUST, "certificate CN=old expired on 2000-02-29",
                 cert_check_time(c.cert, 951868800, &e));
}

static void a_subject_is_printed_without_control_bytes_and_cut(void **state)
{
    (void)state;
    char text[CERT_SUBJECT_SIZE];
    CLEANUP(test_cert_clear)
    struct test_cert escape =
        test_cert_make(&(struct test_cert_spec){.subject = "a\x1b[2Jb\xc3\xa9"});
    assert_string_equal(cert_subject(escape.cert, text), "CN=a\\1B[2Jb\\C3\\A9");
    // 64 characters is the longest common name; each becomes six of text.
    CLEANUP(test_cert_clear)
    struct test_cert longest = test_cert_make(
        &(struct test_cert_spec){.subject = "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                                            "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                                            "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                                            "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                                            "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"});
    assert_int_equal(strlen(cert_subject(longest.cert, text)), CERT_SUBJECT_SIZE - 1);
    CLEANUP(cleanup_x509) X509 *nameless = X509_new();
    assert_string_equal(cert_subject(nameless, text), "(no subject)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_keys_are_p256_p384_ed25519_and_rsa_of_3072_bits),
        cmocka_unit_test(weak_and_unusual_keys_are_refused),
        cmocka_unit_test(a_curve_spelled_out_by_its_parameters_is_refused),
        cmocka_unit_test(one_key_in_two_spellings_is_the_same_key),
        cmocka_unit_test(the_key_id_is_the_hash_of_the_public_key_info),
        cmocka_unit_test(who_signs_has_the_extended_usage_code_signing),
        cmocka_unit_test(who_signs_has_digital_signature_if_there_is_a_key_usage),
        cmocka_unit_test(who_issues_is_a_ca_with_key_cert_sign),
        cmocka_unit_test(a_certificate_whose_extensions_cannot_be_read_may_nothing),
        cmocka_unit_test(a_not_after_that_is_no_date_may_nothing),
        cmocka_unit_test(not_after_is_seconds_since_1970_far_beyond_2038),
        cmocka_unit_test(a_certificate_is_expired_from_the_second_behind_its_not_after),
        cmocka_unit_test(a_subject_is_printed_without_control_bytes_and_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
