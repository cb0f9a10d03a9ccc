// SPDX-License-Identifier: Apache-2.0
#include "keys/anchor.h"

#include "base/cleanup.h"
#include "tests/support/expect.h"
#include "tests/support/test_certs.h"

#include <openssl/err.h>

static struct anchor anchor_of(const struct test_cert *c)
{
    struct error e;
    struct anchor a;
    assert_ok(anchor_init(c->cert, &a, &e));
    return a;
}

static void an_issuer_vouches_for_what_it_issued(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert ca = test_ca("ca", NULL);
    CLEANUP(test_cert_clear) struct test_cert leaf = test_signer("leaf", &ca);
    CLEANUP(anchor_clear) struct anchor a = anchor_of(&ca);
    assert_true(anchor_concerns(&a, leaf.cert));
    assert_ok(anchor_vouches(&a, leaf.cert, 0, &e));
    assert_int_equal(ERR_peek_error(), 0);
}

static void a_signer_that_is_the_anchor_needs_no_issuer(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert ca = test_ca("ca", NULL);
    CLEANUP(test_cert_clear) struct test_cert leaf = test_signer("leaf", &ca);
    CLEANUP(anchor_clear) struct anchor a = anchor_of(&leaf);
    assert_true(anchor_concerns(&a, leaf.cert));
    assert_ok(anchor_vouches(&a, leaf.cert, 0, &e));
}

static void an_intermediate_ca_is_an_anchor_without_its_root(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert root = test_ca("root", NULL);
    CLEANUP(test_cert_clear) struct test_cert ca = test_ca("release ca", &root);
    CLEANUP(test_cert_clear) struct test_cert leaf = test_signer("leaf", &ca);
    CLEANUP(anchor_clear) struct anchor a = anchor_of(&ca);
    assert_ok(anchor_vouches(&a, leaf.cert, 0, &e));
    CLEANUP(anchor_clear) struct anchor top = anchor_of(&root);
    assert_false(anchor_concerns(&top, leaf.cert));
    assert_fails(ERR_TRUST, "CN=leaf does not hold under CN=root",
                 anchor_vouches(&top, leaf.cert, 0, &e));
}

static void a_ca_of_the_same_name_vouches_only_for_its_own(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert ca = test_ca("ca", NULL);
    CLEANUP(test_cert_clear) struct test_cert twin = test_ca("ca", NULL);
    // Without key identifiers nothing but the signature tells the two apart.
    CLEANUP(test_cert_clear)
    struct test_cert leaf = test_cert_make(&(struct test_cert_spec){
        .subject = "leaf", .issuer = &ca, .extended_usage = "codeSigning", .no_key_ids = true});
    CLEANUP(anchor_clear) struct anchor a = anchor_of(&twin);
    assert_true(anchor_concerns(&a, leaf.cert));
    assert_fails(ERR_TRUST, "CN=leaf does not hold under CN=ca: certificate signature failure",
                 anchor_vouches(&a, leaf.cert, 0, &e));
    assert_int_equal(ERR_peek_error(), 0);
}

static void an_issuer_is_a_ca_that_may_sign_certificates(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert signer = test_signer("signer", NULL);
    CLEANUP(test_cert_clear) struct test_cert leaf = test_signer("leaf", &signer);
    CLEANUP(anchor_clear) struct anchor a = anchor_of(&signer);
    assert_fails(ERR_TRUST, "CN=signer may not issue others: it is no CA",
                 anchor_vouches(&a, leaf.cert, 0, &e));

    // OpenSSL by itself lets a CA without any key usage issue.
    CLEANUP(test_cert_clear)
    struct test_cert lax = test_cert_make(&(struct test_cert_spec){
        .subject = "lax", .constraints = "CA:TRUE", .extended_usage = "codeSigning"});
    CLEANUP(test_cert_clear) struct test_cert other = test_signer("other", &lax);
    CLEANUP(anchor_clear) struct anchor b = anchor_of(&lax);
    assert_fails(ERR_TRUST, "CN=lax may not issue others: its key usage lacks keyCertSign",
                 anchor_vouches(&b, other.cert, 0, &e));
}

static void a_certificate_signed_with_a_weak_digest_is_refused(void **state)
{
    (void)state;
    struct error e;
    const char *const weak[] = {"SHA1", "SHA224"};
    CLEANUP(test_cert_clear) struct test_cert ca = test_ca("ca", NULL);
    CLEANUP(anchor_clear) struct anchor a = anchor_of(&ca);
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(test_cert_clear)
        struct test_cert leaf = test_cert_make(&(struct test_cert_spec){
            .subject = "leaf", .issuer = &ca, .extended_usage = "codeSigning", .digest = weak[i]});
        assert_fails(ERR_TRUST, "digest algorithm too weak", anchor_vouches(&a, leaf.cert, 0, &e));
    }
}

static void an_unknown_critical_extension_is_refused(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert ca = test_ca("ca", NULL);
    CLEANUP(test_cert_clear) struct test_cert leaf = test_signer("leaf", &ca);
    CLEANUP(anchor_clear) struct anchor a = anchor_of(&ca);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
    X509_EXTENSION *odd = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
    assert_int_equal(X509_add_ext(leaf.cert, odd, -1), 1);
    assert_int_not_equal(X509_sign(leaf.cert, ca.key, EVP_sha256()), 0);
    X509_EXTENSION_free(odd);
    ASN1_OBJECT_free(oid);
    ASN1_OCTET_STRING_free(value);
    assert_fails(ERR_TRUST, "unhandled critical extension", anchor_vouches(&a, leaf.cert, 0, &e));
}

static void signer_and_issuer_expire_by_the_time_floor_alone(void **state)
{
    (void)state;
    struct error e;
    const uint64_t end_of_2030 = 1924991999;
    CLEANUP(test_cert_clear)
    struct test_cert ca = test_cert_make(&(struct test_cert_spec){.subject = "ca",
                                                                  .constraints = "CA:TRUE",
                                                                  .usage = "keyCertSign",
                                                                  .not_after = "20301231235959Z"});
    CLEANUP(test_cert_clear) struct test_cert outlives = test_signer("outlives", &ca);
    CLEANUP(anchor_clear) struct anchor a = anchor_of(&ca);
    assert_ok(anchor_vouches(&a, outlives.cert, end_of_2030, &e));
    assert_fails(ERR_TRUST, "CN=ca expired on 2030-12-31",
                 anchor_vouches(&a, outlives.cert, end_of_2030 + 1, &e));

    // Long expired by the clock of any machine this runs on, and not by the floor.
    CLEANUP(test_cert_clear)
    struct test_cert old = test_cert_make(&(struct test_cert_spec){.subject = "old",
                                                                   .issuer = &ca,
                                                                   .extended_usage = "codeSigning",
                                                                   .not_after = "20200102000000Z"});
    assert_ok(anchor_vouches(&a, old.cert, 0, &e));
    assert_ok(anchor_vouches(&a, old.cert, 1577923200, &e));
    assert_fails(ERR_TRUST, "CN=old expired on 2020-01-02",
                 anchor_vouches(&a, old.cert, 1577923201, &e));
    CLEANUP(anchor_clear) struct anchor self = anchor_of(&old);
    assert_fails(ERR_TRUST, "CN=old expired on 2020-01-02",
                 anchor_vouches(&self, old.cert, 1577923201, &e));
}

static void a_certificate_not_yet_valid_by_the_clock_is_accepted(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert ca = test_ca("ca", NULL);
    CLEANUP(test_cert_clear) struct test_cert leaf = test_signer("leaf", &ca);
    assert_int_equal(ASN1_TIME_set_string(X509_getm_notBefore(leaf.cert), "20450101000000Z"), 1);
    assert_int_not_equal(X509_sign(leaf.cert, ca.key, EVP_sha256()), 0);
    CLEANUP(anchor_clear) struct anchor a = anchor_of(&ca);
    assert_ok(anchor_vouches(&a, leaf.cert, 0, &e));
}

static void a_weak_key_makes_no_anchor(void **state)
{
    (void)state;
    struct error e;
    struct anchor a;
    CLEANUP(test_cert_clear)
    struct test_cert ca = test_cert_make(&(struct test_cert_spec){
        .subject = "short", .key = "RSA-2048", .constraints = "CA:TRUE", .usage = "keyCertSign"});
    assert_fails(ERR_CONFIG, "certificate CN=short is refused: its key is none of",
                 anchor_init(ca.cert, &a, &e));
}

static void a_certificate_of_no_use_makes_no_anchor(void **state)
{
    (void)state;
    struct error e;
    struct anchor a;
    CLEANUP(test_cert_clear)
    struct test_cert c =
        test_cert_make(&(struct test_cert_spec){.subject = "web", .extended_usage = "serverAuth"});
    assert_fails(ERR_CONFIG,
                 "certificate CN=web can neither issue certificates (it is no CA (basic constraint "
                 "CA:true)) nor sign images (it lacks the extended key usage codeSigning)",
                 anchor_init(c.cert, &a, &e));
}

static void an_anchor_keeps_its_certificate_alive(void **state)
{
    (void)state;
    struct error e;
    struct test_cert ca = test_ca("ca", NULL);
    CLEANUP(test_cert_clear) struct test_cert leaf = test_signer("leaf", &ca);
    CLEANUP(anchor_clear) struct anchor a = anchor_of(&ca);
    test_cert_clear(&ca);
    assert_ok(anchor_vouches(&a, leaf.cert, 0, &e));
    anchor_clear(&a);
    assert_null(a.cert);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_issuer_vouches_for_what_it_issued),
        cmocka_unit_test(a_signer_that_is_the_anchor_needs_no_issuer),
        cmocka_unit_test(an_intermediate_ca_is_an_anchor_without_its_root),
        cmocka_unit_test(a_ca_of_the_same_name_vouches_only_for_its_own),
        cmocka_unit_test(an_issuer_is_a_ca_that_may_sign_certificates),
        cmocka_unit_test(a_certificate_signed_with_a_weak_digest_is_refused),
        cmocka_unit_test(an_unknown_critical_extension_is_refused),
        cmocka_unit_test(signer_and_issuer_expire_by_the_time_floor_alone),
        cmocka_unit_test(a_certificate_not_yet_valid_by_the_clock_is_accepted),
        cmocka_unit_test(a_weak_key_makes_no_anchor),
        cmocka_unit_test(a_certificate_of_no_use_makes_no_anchor),
        cmocka_unit_test(an_anchor_keeps_its_certificate_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
