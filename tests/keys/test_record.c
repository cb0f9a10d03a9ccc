// SPDX-License-Identifier: Apache-2.0
#include "keys/record.h"

#include "keys/ossl.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certs.h"

#include <openssl/err.h>

static const uint8_t message[] = "\x89VVI\r\n\x1a\n header and manifest";

// What most tests need: a root, a release CA and a development CA under it, a signer of each.
static struct {
    struct test_cert root, release_ca, development_ca, release, development;
} pki;

static int make_pki(void **state)
{
    (void)state;
    pki.root = test_ca("root", NULL);
    pki.release_ca = test_ca("release ca", &pki.root);
    pki.development_ca = test_ca("development ca", &pki.root);
    pki.release = test_signer("release", &pki.release_ca);
    pki.development = test_signer("development", &pki.development_ca);
    return 0;
}

static int clear_pki(void **state)
{
    (void)state;
    test_cert_clear(&pki.root);
    test_cert_clear(&pki.release_ca);
    test_cert_clear(&pki.development_ca);
    test_cert_clear(&pki.release);
    test_cert_clear(&pki.development);
    return 0;
}

static enum err verify_under(const struct test_cert *pinned, const struct signature_record *record,
                             struct error *e)
{
    return test_verify(pinned, record, message, sizeof(message), e);
}

static struct signature_record cms(const struct test_cert *signer)
{
    return test_cms(signer, "SHA256", CMS_NOATTR, NULL, message, sizeof(message));
}

static void a_signature_under_the_pinned_ca_holds_and_names_its_signer(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_record_clear) struct signature_record record = cms(&pki.release);
    CLEANUP(anchor_clear) struct anchor a = {0};
    CLEANUP(cleanup_x509) X509 *signer = NULL;
    assert_ok(anchor_init(pki.release_ca.cert, &a, &e));
    assert_ok(record_verify(&a, 1, 0, message, sizeof(message), &record, &signer, &e));
    assert_int_equal(X509_cmp(signer, pki.release.cert), 0);
}

static void a_pinned_signer_needs_no_ca(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_record_clear) struct signature_record record = cms(&pki.release);
    assert_ok(verify_under(&pki.release, &record, &e));
}

static void another_message_does_not_hold(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_record_clear)
    struct signature_record record =
        test_cms(&pki.release, "SHA256", CMS_NOATTR, NULL, message, sizeof(message) - 1);
    assert_fails(ERR_TRUST, "the signature of CN=release does not match the signed bytes",
                 verify_under(&pki.release_ca, &record, &e));
}

static void an_empty_message_can_be_signed(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_record_clear)
    struct signature_record record = test_cms(&pki.release, "SHA256", CMS_NOATTR, NULL, "", 0);
    CLEANUP(anchor_clear) struct anchor a = {0};
    CLEANUP(cleanup_x509) X509 *signer = NULL;
    assert_ok(anchor_init(pki.release_ca.cert, &a, &e));
    assert_ok(record_verify(&a, 1, 0, message, 0, &record, &signer, &e));
}

static void a_signer_of_no_pinned_ca_is_refused(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_record_clear) struct signature_record record = cms(&pki.development);
    assert_fails(ERR_TRUST,
                 "signer CN=development is not issued by a certificate of the trust directory",
                 verify_under(&pki.release_ca, &record, &e));
}

// The company's root issues both CAs; the device pins the one for releases.
static void an_embedded_development_ca_of_the_same_root_is_no_way_in(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_record_clear)
    struct signature_record record = test_cms(&pki.development, "SHA256", CMS_NOATTR,
                                              pki.development_ca.cert, message, sizeof(message));
    assert_fails(ERR_TRUST, "signer CN=development is not issued by a certificate of the trust",
                 verify_under(&pki.release_ca, &record, &e));
}

// The device pins the root itself: OpenSSL alone would accept root, embedded CA, signer.
static void an_embedded_ca_does_not_reach_a_pinned_root(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_record_clear)
    struct signature_record record = test_cms(&pki.development, "SHA256", CMS_NOATTR,
                                              pki.development_ca.cert, message, sizeof(message));
    assert_fails(ERR_TRUST, "signer CN=development is not issued by a certificate of the trust",
                 verify_under(&pki.root, &record, &e));
    CLEANUP(test_record_clear)
    struct signature_record release =
        test_cms(&pki.release, "SHA256", CMS_NOATTR, pki.release_ca.cert, message, sizeof(message));
    assert_fails(ERR_TRUST, "signer CN=release is not issued by a certificate of the trust",
                 verify_under(&pki.root, &release, &e));
}

static void embedded_certificates_beside_the_signer_are_ignored(void **state)
{
    (void)state;
    struct error e;
    X509 *const extras[] = {pki.release_ca.cert, pki.root.cert, pki.development.cert};
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(test_record_clear)
        struct signature_record record =
            test_cms(&pki.release, "SHA256", CMS_NOATTR, extras[i], message, sizeof(message));
        assert_ok(verify_under(&pki.release_ca, &record, &e));
    }
}

static void the_right_one_of_several_anchors_is_found(void **state)
{
    (void)state;
    struct error e;
    // Same name as the CA that issued the signer, no key identifiers to tell them apart.
    CLEANUP(test_cert_clear)
    struct test_cert twin = test_cert_make(&(struct test_cert_spec){.subject = "release ca",
                                                                    .constraints = "CA:TRUE",
                                                                    .usage = "keyCertSign",
                                                                    .no_key_ids = true});
    CLEANUP(test_cert_clear)
    struct test_cert leaf = test_cert_make(&(struct test_cert_spec){.subject = "leaf",
                                                                    .issuer = &pki.release_ca,
                                                                    .extended_usage = "codeSigning",
                                                                    .no_key_ids = true});
    CLEANUP(test_record_clear) struct signature_record record = cms(&leaf);
    struct anchor anchors[3];
    assert_ok(anchor_init(pki.root.cert, &anchors[0], &e));
    assert_ok(anchor_init(twin.cert, &anchors[1], &e));
    assert_ok(anchor_init(pki.release_ca.cert, &anchors[2], &e));
    CLEANUP(cleanup_x509) X509 *signer = NULL;
    assert_ok(record_verify(anchors, 3, 0, message, sizeof(message), &record, &signer, &e));
    for (size_t i = 0; i < 3; i++) {
        anchor_clear(&anchors[i]);
    }
}

static void an_expired_signer_is_refused_by_the_time_floor(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_record_clear) struct signature_record record = cms(&pki.release);
    CLEANUP(anchor_clear) struct anchor a = {0};
    X509 *signer;
    assert_ok(anchor_init(pki.release_ca.cert, &a, &e));
    assert_fails(ERR_TRUST, "expired on 2046-01-01",
                 record_verify(&a, 1, 2398377601, message, sizeof(message), &record, &signer, &e));
}

static void a_signer_without_code_signing_is_refused(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear)
    struct test_cert mail = test_cert_make(&(struct test_cert_spec){
        .subject = "mail", .issuer = &pki.release_ca, .extended_usage = "emailProtection"});
    CLEANUP(test_record_clear) struct signature_record record = cms(&mail);
    assert_fails(ERR_TRUST,
                 "signer CN=mail is refused: it lacks the extended key usage codeSigning",
                 verify_under(&pki.release_ca, &record, &e));
}

static void a_ca_does_not_sign_images_itself(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_record_clear) struct signature_record record = cms(&pki.release_ca);
    assert_fails(ERR_TRUST, "signer CN=release ca is refused: it lacks",
                 verify_under(&pki.release_ca, &record, &e));
}

static struct test_cert signer_with_key(const char *kind)
{
    return test_cert_make(&(struct test_cert_spec){
        .subject = kind, .key = kind, .issuer = &pki.release_ca, .extended_usage = "codeSigning"});
}

static void p384_and_rsa_of_3072_bits_verify_with_each_digest(void **state)
{
    (void)state;
    struct error e;
    const char *const kinds[] = {"P-384", "RSA-3072"};
    const char *const digests[] = {"SHA256", "SHA384", "SHA512"};
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(test_cert_clear) struct test_cert c = signer_with_key(kinds[i]);
        for (size_t k = 0; k < 3; k++) {
            CLEANUP(test_record_clear)
            struct signature_record record =
                test_cms(&c, digests[k], k == 0 ? CMS_NOATTR : 0, NULL, message, sizeof(message));
            assert_ok(verify_under(&pki.release_ca, &record, &e));
        }
    }
}

static void weak_keys_and_digests_are_refused(void **state)
{
    (void)state;
    struct error e;
    const char *const kinds[] = {"P-224", "secp256k1", "RSA-2048"};
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(test_cert_clear) struct test_cert c = signer_with_key(kinds[i]);
        CLEANUP(test_record_clear) struct signature_record record = cms(&c);
        assert_fails(ERR_TRUST, "is refused: its key is none of",
                     verify_under(&pki.release_ca, &record, &e));
    }
    CLEANUP(test_record_clear)
    struct signature_record sha1 =
        test_cms(&pki.release, "SHA1", CMS_NOATTR, NULL, message, sizeof(message));
    assert_fails(ERR_TRUST, "digest algorithm is none of SHA-256",
                 verify_under(&pki.release_ca, &sha1, &e));
}

// OpenSSL ignores what the signature algorithm says when the key is an elliptic curve's.
static void a_signature_algorithm_for_another_kind_of_key_is_refused(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_record_clear) struct signature_record record = cms(&pki.release);
    const uint8_t *at = record.data;
    CMS_ContentInfo *parsed = d2i_CMS_ContentInfo(NULL, &at, (long)record.len);
    assert_non_null(parsed);
    CMS_SignerInfo *info = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(parsed), 0);
    X509_ALGOR *algorithm = NULL;
    CMS_SignerInfo_get0_algs(info, NULL, NULL, NULL, &algorithm);
    X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_rsaEncryption), V_ASN1_NULL, NULL);
    CLEANUP(test_record_clear) struct signature_record changed = test_cms_encode(parsed);
    assert_fails(ERR_TRUST, "CN=release is refused: its key does not fit the signature algorithm",
                 verify_under(&pki.release_ca, &changed, &e));
}

static void a_signer_certificate_that_is_no_x509_is_refused(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_record_clear) struct signature_record record = cms(&pki.release);
    uint8_t *version = memmem(record.data, record.len, "\xa0\x03\x02\x01\x02", 5);
    assert_non_null(version);
    version[2] = 0x04;
    assert_fails(ERR_TRUST, "the signer's certificate cannot be read",
                 verify_under(&pki.release_ca, &record, &e));
}

static void a_record_by_openssl_cms_with_its_chain_verifies(void **state)
{
    struct error e;
    test_cert_write(&pki.release_ca, *state, "chain.pem");
    CLEANUP(test_record_clear)
    struct signature_record record =
        test_cms_by_openssl(*state, &pki.release, message, sizeof(message), "-certfile chain.pem");
    assert_ok(verify_under(&pki.release_ca, &record, &e));
    assert_int_equal(verify_under(&pki.root, &record, &e), ERR_TRUST);
}

static void records_by_openssl_cms_of_another_form_are_refused(void **state)
{
    struct error e;
    test_cert_write(&pki.development, *state, "second.pem");
    test_key_write(&pki.development, *state, "second.key");
    const struct {
        const char *options, *sentence;
    } cases[] = {
        {"-nodetach", "carries the content itself"},
        {"-keyid", "SignedData is not of version 1"},
        {"-nocerts", "carries no certificate"},
        {"-md sha224", "digest algorithm is none of SHA-256"},
        {"-signer second.pem -inkey second.key", "not exactly one signer"},
        {"-stream -nodetach -indef", "no DER sequence"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(test_record_clear)
        struct signature_record record =
            test_cms_by_openssl(*state, &pki.release, message, sizeof(message), cases[i].options);
        assert_fails(ERR_TRUST, cases[i].sentence, verify_under(&pki.release_ca, &record, &e));
    }
}

static struct test_cert ed25519_signer(const char *extended_usage, const char *usage,
                                       const char *constraints)
{
    return test_cert_make(&(struct test_cert_spec){.subject = "ed",
                                                   .key = "ED25519",
                                                   .extended_usage = extended_usage,
                                                   .usage = usage,
                                                   .constraints = constraints});
}

static void a_raw_ed25519_record_holds_under_the_pinned_certificate(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert ed = ed25519_signer("codeSigning", NULL, NULL);
    CLEANUP(test_record_clear)
    struct signature_record record = test_ed25519(&ed, message, sizeof(message));
    assert_ok(verify_under(&ed, &record, &e));
    CLEANUP(test_record_clear)
    struct signature_record other = test_ed25519(&ed, message, sizeof(message) - 1);
    assert_fails(ERR_TRUST, "the signature of CN=ed does not match the signed bytes",
                 verify_under(&ed, &other, &e));
}

static void a_raw_record_of_a_key_nobody_pinned_is_refused(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert ed = ed25519_signer("codeSigning", NULL, NULL);
    CLEANUP(test_cert_clear) struct test_cert other = ed25519_signer("codeSigning", NULL, NULL);
    CLEANUP(test_record_clear)
    struct signature_record record = test_ed25519(&other, message, sizeof(message));
    const char *want = "no certificate of the trust directory has this Ed25519 key";
    assert_fails(ERR_TRUST, want, verify_under(&ed, &record, &e));
    assert_fails(ERR_TRUST, want, verify_under(&pki.release_ca, &record, &e));
}

static void a_raw_record_needs_code_signing_and_time_left_too(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert ca = ed25519_signer(NULL, "keyCertSign", "CA:TRUE");
    CLEANUP(test_record_clear)
    struct signature_record record = test_ed25519(&ca, message, sizeof(message));
    assert_fails(ERR_TRUST, "signer CN=ed is refused: it lacks the extended key usage codeSigning",
                 verify_under(&ca, &record, &e));

    CLEANUP(test_cert_clear) struct test_cert ed = ed25519_signer("codeSigning", NULL, NULL);
    CLEANUP(test_record_clear)
    struct signature_record late = test_ed25519(&ed, message, sizeof(message));
    CLEANUP(anchor_clear) struct anchor a = {0};
    X509 *signer;
    assert_ok(anchor_init(ed.cert, &a, &e));
    assert_fails(ERR_TRUST, "CN=ed expired on 2046-01-01",
                 record_verify(&a, 1, 2398377601, message, sizeof(message), &late, &signer, &e));
}

static void a_renewed_certificate_of_the_same_ed25519_key_is_enough(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert renewed = ed25519_signer("codeSigning", NULL, NULL);
    CLEANUP(test_cert_clear)
    struct test_cert old = test_cert_make(&(struct test_cert_spec){.subject = "old",
                                                                   .same_key = renewed.key,
                                                                   .extended_usage = "codeSigning",
                                                                   .not_after = "20210101000000Z"});
    CLEANUP(test_record_clear)
    struct signature_record record = test_ed25519(&old, message, sizeof(message));
    struct anchor anchors[2];
    assert_ok(anchor_init(old.cert, &anchors[0], &e));
    assert_ok(anchor_init(renewed.cert, &anchors[1], &e));
    CLEANUP(cleanup_x509) X509 *signer = NULL;
    assert_ok(
        record_verify(anchors, 2, 1700000000, message, sizeof(message), &record, &signer, &e));
    assert_int_equal(X509_cmp(signer, renewed.cert), 0);
    anchor_clear(&anchors[0]);
    anchor_clear(&anchors[1]);
}

static void a_raw_record_of_another_length_is_refused(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert ed = ed25519_signer("codeSigning", NULL, NULL);
    CLEANUP(test_record_clear)
    struct signature_record record = test_ed25519(&ed, message, sizeof(message));
    record.len = 95;
    assert_fails(ERR_TRUST, "an Ed25519 signature record has 96 bytes, not 95",
                 verify_under(&ed, &record, &e));
}

static void a_record_names_the_key_it_was_made_with(void **state)
{
    (void)state;
    CLEANUP(test_cert_clear) struct test_cert ed = ed25519_signer("codeSigning", NULL, NULL);
    CLEANUP(test_record_clear)
    struct signature_record raw = test_ed25519(&ed, message, sizeof(message));
    CLEANUP(test_record_clear) struct signature_record record = cms(&pki.release);
    assert_true(record_names_key(&raw, ed.cert));
    assert_false(record_names_key(&raw, pki.release.cert));
    assert_true(record_names_key(&record, pki.release.cert));
    assert_false(record_names_key(&record, pki.development.cert));
    assert_false(record_names_key(&record, ed.cert));
    record.type = SIGNATURE_RFC3161;
    assert_false(record_names_key(&record, pki.release.cert));
    raw.len = 95;
    assert_false(record_names_key(&raw, ed.cert));
}

static void records_of_other_types_are_not_for_this_function(void **state)
{
    (void)state;
    struct error e;
    struct signature_record record = {.type = SIGNATURE_RFC3161, .len = 0, .data = NULL};
    assert_fails(ERR_INTERNAL, "type 3 are not verified",
                 verify_under(&pki.release_ca, &record, &e));
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_under_the_pinned_ca_holds_and_names_its_signer),
        cmocka_unit_test(a_pinned_signer_needs_no_ca),
        cmocka_unit_test(another_message_does_not_hold),
        cmocka_unit_test(an_empty_message_can_be_signed),
        cmocka_unit_test(a_signer_of_no_pinned_ca_is_refused),
        cmocka_unit_test(an_embedded_development_ca_of_the_same_root_is_no_way_in),
        cmocka_unit_test(an_embedded_ca_does_not_reach_a_pinned_root),
        cmocka_unit_test(embedded_certificates_beside_the_signer_are_ignored),
        cmocka_unit_test(the_right_one_of_several_anchors_is_found),
        cmocka_unit_test(an_expired_signer_is_refused_by_the_time_floor),
        cmocka_unit_test(a_signer_without_code_signing_is_refused),
        cmocka_unit_test(a_ca_does_not_sign_images_itself),
        cmocka_unit_test(p384_and_rsa_of_3072_bits_verify_with_each_digest),
        cmocka_unit_test(weak_keys_and_digests_are_refused),
        cmocka_unit_test(a_signature_algorithm_for_another_kind_of_key_is_refused),
        cmocka_unit_test(a_signer_certificate_that_is_no_x509_is_refused),
        WITH_DIR(a_record_by_openssl_cms_with_its_chain_verifies),
        WITH_DIR(records_by_openssl_cms_of_another_form_are_refused),
        cmocka_unit_test(a_raw_ed25519_record_holds_under_the_pinned_certificate),
        cmocka_unit_test(a_raw_record_of_a_key_nobody_pinned_is_refused),
        cmocka_unit_test(a_raw_record_needs_code_signing_and_time_left_too),
        cmocka_unit_test(a_renewed_certificate_of_the_same_ed25519_key_is_enough),
        cmocka_unit_test(a_raw_record_of_another_length_is_refused),
        cmocka_unit_test(a_record_names_the_key_it_was_made_with),
        cmocka_unit_test(records_of_other_types_are_not_for_this_function),
    };
    return cmocka_run_group_tests(tests, make_pki, clear_pki);
}
