// SPDX-License-Identifier: Apache-2.0
#include "keys/cms_profile.h"

#include "base/cleanup.h"
#include "keys/der.h"
#include "tests/support/cms_recipe.h"
#include "tests/support/expect.h"

static struct test_cert signer;

static int make_signer(void **state)
{
    (void)state;
    signer = test_signer("profile", NULL);
    return 0;
}

static int clear_signer(void **state)
{
    (void)state;
    test_cert_clear(&signer);
    return 0;
}

static enum err read_recipe(const struct recipe *r, enum cert_key *ret_key, struct error *e)
{
    struct bytes record = recipe_compose(r);
    struct cms_profile profile;
    enum err err = cms_profile_read(record.data, record.len, &profile, e);
    if (err == OK) {
        struct bytes certificate = bytes_of_certificate(&signer);
        assert_int_equal(profile.leaf_len, certificate.len);
        assert_memory_equal(profile.leaf, certificate.data, certificate.len);
        assert_true(profile.leaf > record.data);
        *ret_key = profile.key;
    }
    return err;
}

#define REFUSED(sentence, ...)                                                                     \
    do {                                                                                           \
        struct error e;                                                                            \
        enum cert_key key_;                                                                        \
        struct recipe *r = recipe_good(&signer);                                                   \
        __VA_ARGS__;                                                                               \
        assert_fails(ERR_TRUST,                                                                    \
                     "not a CMS signature of the accepted form: ", read_recipe(r, &key_, &e));     \
        assert_fails(ERR_TRUST, sentence, read_recipe(r, &key_, &e));                              \
        recipe_free(r);                                                                            \
    } while (0)

#define ACCEPTED(key, ...)                                                                         \
    do {                                                                                           \
        struct error e;                                                                            \
        enum cert_key key_ = CERT_KEY_REFUSED;                                                     \
        struct recipe *r = recipe_good(&signer);                                                   \
        __VA_ARGS__;                                                                               \
        assert_ok(read_recipe(r, &key_, &e));                                                      \
        assert_int_equal(key_, (key));                                                             \
        recipe_free(r);                                                                            \
    } while (0)

static void the_plain_form_is_accepted_and_names_the_signer(void **state)
{
    (void)state;
    ACCEPTED(CERT_KEY_EC, (void)r);
}

static void every_prefix_of_a_record_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct cms_profile profile;
    struct recipe *r = recipe_good(&signer);
    struct bytes record = recipe_compose(r);
    for (size_t len = 0; len < record.len; len++) {
        assert_int_equal(cms_profile_read(record.data, len, &profile, &e), ERR_TRUST);
    }
    recipe_free(r);
}

static void digests_are_sha2_with_or_without_null(void **state)
{
    (void)state;
    ACCEPTED(CERT_KEY_EC, SET(r, DIGESTS, "\x31\x0f" SHA256_NULL), SET(r, DIGEST, SHA256_NULL));
    ACCEPTED(CERT_KEY_EC, SET(r, DIGESTS, "\x31\x0d" SHA384_ABSENT), SET(r, DIGEST, SHA384_ABSENT),
             SET(r, SIGNATURE_ALGORITHM, ECDSA_SHA384));
    ACCEPTED(CERT_KEY_EC, SET(r, DIGESTS, "\x31\x0d" SHA512_ABSENT), SET(r, DIGEST, SHA512_ABSENT),
             SET(r, SIGNATURE_ALGORITHM, ECDSA_SHA512));
    REFUSED("digest algorithm is none of SHA-256", SET(r, DIGESTS, "\x31\x09" SHA1_ABSENT),
            SET(r, DIGEST, SHA1_ABSENT));
    REFUSED("digest algorithm is none of SHA-256",
            SET(r, DIGESTS, "\x31\x0f\x30\x0d" OID_SHA256 "\x04\x00"),
            SET(r, DIGEST, "\x30\x0d" OID_SHA256 "\x04\x00"));
    REFUSED("digest algorithm is none of SHA-256",
            SET(r, DIGESTS, "\x31\x11\x30\x0f" OID_SHA256 "\x05\x00\x05\x00"),
            SET(r, DIGEST, "\x30\x0f" OID_SHA256 "\x05\x00\x05\x00"));
}

static void rsa_is_accepted_under_its_two_names_with_null(void **state)
{
    (void)state;
    ACCEPTED(CERT_KEY_RSA, SET(r, SIGNATURE_ALGORITHM, RSA_NULL("\x01")));
    ACCEPTED(CERT_KEY_RSA, SET(r, SIGNATURE_ALGORITHM, RSA_NULL("\x0b")));
    ACCEPTED(CERT_KEY_RSA, SET(r, SIGNATURE_ALGORITHM, RSA_NULL("\x0c")),
             SET(r, DIGESTS, "\x31\x0d" SHA384_ABSENT), SET(r, DIGEST, SHA384_ABSENT));
    ACCEPTED(CERT_KEY_RSA, SET(r, SIGNATURE_ALGORITHM, RSA_NULL("\x0d")),
             SET(r, DIGESTS, "\x31\x0d" SHA512_ABSENT), SET(r, DIGEST, SHA512_ABSENT));
    REFUSED("signature algorithm is neither",
            SET(r, SIGNATURE_ALGORITHM, "\x30\x0b" RSA_OID("\x01")));
    REFUSED("signature algorithm is neither", SET(r, SIGNATURE_ALGORITHM, RSA_NULL("\x0a")));
    REFUSED("signature algorithm is neither", SET(r, SIGNATURE_ALGORITHM, RSA_NULL("\x05")));
}

static void the_signature_algorithm_is_known_and_for_this_digest(void **state)
{
    (void)state;
    REFUSED("signature algorithm is for another digest", SET(r, SIGNATURE_ALGORITHM, ECDSA_SHA384));
    REFUSED("signature algorithm is for another digest",
            SET(r, SIGNATURE_ALGORITHM, RSA_NULL("\x0d")));
    REFUSED(
        "signature algorithm is neither",
        SET(r, SIGNATURE_ALGORITHM, "\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00"));
    REFUSED("signature algorithm is neither",
            SET(r, SIGNATURE_ALGORITHM, "\x30\x05\x06\x03\x2b\x65\x70"));
    REFUSED("signature algorithm is neither", SET(r, SIGNATURE_ALGORITHM, "\x30\x00"));
    REFUSED("no signature algorithm", SET(r, SIGNATURE_ALGORITHM, ""));
}

static void both_digest_algorithms_are_the_same_byte_for_byte(void **state)
{
    (void)state;
    REFUSED("digest algorithm is not the signer's", SET(r, DIGESTS, "\x31\x0d" SHA384_ABSENT));
    REFUSED("digest algorithm is not the signer's", SET(r, DIGESTS, "\x31\x0f" SHA256_NULL));
    REFUSED("not exactly one digest algorithm", SET(r, DIGESTS, "\x30\x0d" SHA256_ABSENT));
    REFUSED("not exactly one digest algorithm", SET(r, DIGESTS, "\x31\x00"));
    REFUSED("not exactly one digest algorithm",
            SET(r, DIGESTS, "\x31\x1a" SHA256_ABSENT SHA384_ABSENT));
    REFUSED("signer has no digest algorithm", SET(r, DIGEST, "\x02\x01\x01"));
}

static void what_is_no_sequence_or_too_long_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct cms_profile profile;
    static const uint8_t too_long[CMS_RECORD_MAX + 1];
    assert_fails(ERR_TRUST, "longer than 64 KiB",
                 cms_profile_read(too_long, sizeof(too_long), &profile, &e));
    assert_fails(ERR_TRUST, "no DER sequence",
                 cms_profile_read(too_long, CMS_RECORD_MAX, &profile, &e));
    const uint8_t indefinite[] = {0x30, 0x80, 0x00, 0x00};
    assert_fails(ERR_TRUST, "no DER sequence",
                 cms_profile_read(indefinite, sizeof(indefinite), &profile, &e));
}

static void the_outer_layers_are_exactly_as_written(void **state)
{
    (void)state;
    REFUSED("bytes behind its end", SET(r, BEHIND_ALL, "\x00"));
    REFUSED("content is not SignedData", SET(r, CONTENT_TYPE, OID_DATA));
    const char *const want = "SignedData is not one DER sequence";
    REFUSED(want, r->wrapper_tag = DER_CONTEXT_1);
    REFUSED(want, r->signed_data_tag = DER_SET);
    REFUSED(want, r->wrapper_tag = TAG_LEFT_OUT);
    REFUSED(want, r->signed_data_tag = TAG_LEFT_OUT);
    REFUSED(want, SET(r, BEHIND_SIGNED_DATA, "\x05\x00"));
    REFUSED(want, SET(r, BEHIND_WRAPPER, "\x05\x00"));
    REFUSED("SignedData does not end with its signers", SET(r, BEHIND_SIGNERS, "\x05\x00"));
    REFUSED("SignedData does not end with its signers", r->signers_tag = DER_SEQUENCE);
    REFUSED("SignedData does not end with its signers", r->signers_tag = TAG_LEFT_OUT);
}

static void versions_other_than_1_are_refused(void **state)
{
    (void)state;
    REFUSED("SignedData is not of version 1", SET(r, VERSION, "\x02\x01\x03"));
    REFUSED("SignedData is not of version 1", SET(r, VERSION, "\x02\x02\x00\x01"));
    REFUSED("signer is not named by issuer and serial number",
            SET(r, INFO_VERSION, "\x02\x01\x03"));
}

static void content_is_detached_data(void **state)
{
    (void)state;
    REFUSED("content type is not id-data", SET(r, CONTENT, "\x30\x0b" OID_SIGNED_DATA));
    REFUSED("content type is not id-data", SET(r, CONTENT, "\x31\x0b" OID_DATA));
    REFUSED("carries the content itself",
            SET(r, CONTENT, "\x30\x10" OID_DATA "\xa0\x03\x04\x01\xaa"));
}

static void certificates_are_there_and_revocation_lists_are_not(void **state)
{
    (void)state;
    REFUSED("carries no certificate", SET(r, CERTIFICATES, ""));
    REFUSED("the signer's certificate is not in it", SET(r, CERTIFICATES, "\xa0\x00"));
    REFUSED("carries revocation lists", SET(r, CRLS, "\xa1\x00"));
}

static void exactly_one_certificate_is_the_named_signer(void **state)
{
    (void)state;
    struct bytes own = bytes_of_certificate(&signer);
    CLEANUP(test_cert_clear) struct test_cert other = test_signer("other", NULL);
    struct bytes two = bytes_of_certificate(&other);
    REFUSED("the signer's certificate is not in it", recipe_set_certificates(r, &two, 1));
    REFUSED("the signer's certificate is in it more than once",
            recipe_set_certificates(r, &own, 2));
    bytes_put(&two, own.data, own.len);
    ACCEPTED(CERT_KEY_EC, recipe_set_certificates(r, &two, 1));
}

static void at_most_eight_certificates_are_looked_at(void **state)
{
    (void)state;
    CLEANUP(test_cert_clear) struct test_cert other = test_signer("other", NULL);
    struct bytes others = bytes_of_certificate(&other);
    struct bytes all = bytes_of_certificate(&signer);
    for (size_t i = 0; i < 7; i++) {
        bytes_put(&all, others.data, others.len);
    }
    ACCEPTED(CERT_KEY_EC, recipe_set_certificates(r, &all, 1));
    bytes_put(&all, others.data, others.len);
    REFUSED("carries more than 8 certificates", recipe_set_certificates(r, &all, 1));
}

static void a_certificate_has_the_shape_of_x509_version_3(void **state)
{
    (void)state;
    const uint8_t shape[] = {0xa0, 0x15, 0x30, 0x13, 0x30, 0x0c, 0xa0, 3, 2, 1, 2, 2,
                             1,    1,    0x30, 0,    0x30, 0,    0x30, 0, 3, 1, 0};
    REFUSED("the signer's certificate is not in it",
            recipe_set(r, CERTIFICATES, shape, sizeof(shape)));
    const struct {
        size_t tag_at;
        const char *sentence;
    } cases[] = {
        {2, "a certificate in it is not DER"},              // the certificate
        {4, "a certificate in it is not DER"},              // what is signed of it
        {18, "a certificate in it is not DER"},             // signature algorithm
        {20, "a certificate in it is not DER"},             // signature
        {6, "a certificate in it is not X.509 version 3"},  // version; left out in version 1
        {11, "a certificate in it is not X.509 version 3"}, // serial number
        {14, "a certificate in it is not X.509 version 3"}, // signature algorithm again
        {16, "a certificate in it is not X.509 version 3"}, // issuer
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t odd[sizeof(shape)];
        memcpy(odd, shape, sizeof(shape));
        odd[cases[i].tag_at] ^= 1;
        REFUSED(cases[i].sentence, recipe_set(r, CERTIFICATES, odd, sizeof(odd)));
    }
    uint8_t longer[sizeof(shape) + 2] = {0};
    memcpy(longer, shape, sizeof(shape));
    longer[1] += 2;
    longer[3] += 2;
    longer[sizeof(shape)] = DER_NULL;
    REFUSED("a certificate in it is not DER", recipe_set(r, CERTIFICATES, longer, sizeof(longer)));
}

// Builds a certificate of `tbs` and `rest`, to be one that is not the signer's.
static void set_other_certificate(struct recipe *r, const char *tbs, size_t tbs_len,
                                  const char *rest, size_t rest_len)
{
    struct bytes inner = {.len = 0};
    bytes_put(&inner, tbs, tbs_len);
    struct bytes body = bytes_wrap(DER_SEQUENCE, &inner);
    bytes_put(&body, rest, rest_len);
    struct bytes all = bytes_wrap(DER_SEQUENCE, &body);
    struct bytes own = bytes_of_certificate(&signer);
    bytes_put(&all, own.data, own.len);
    recipe_set_certificates(r, &all, 1);
}

#define OTHER(r, tbs, rest)                                                                        \
    set_other_certificate((r), (tbs), sizeof(tbs) - 1, (rest), sizeof(rest) - 1)

static void no_element_of_a_certificate_is_left_out(void **state)
{
    (void)state;
    const char *const not_der = "a certificate in it is not DER";
    const char *const not_v3 = "a certificate in it is not X.509 version 3";
#define TBS_3 "\xa0\x03\x02\x01\x02\x02\x01\x01\x30\x00"
    ACCEPTED(CERT_KEY_EC, OTHER(r, TBS_3 "\x30\x00", "\x30\x00\x03\x01\x00"));
    REFUSED(not_der, OTHER(r, TBS_3 "\x30\x00", "\x30\x00"));
    REFUSED(not_der, OTHER(r, TBS_3 "\x30\x00", "\x03\x01\x00"));
    REFUSED(not_v3, OTHER(r, TBS_3, "\x30\x00\x03\x01\x00"));
    REFUSED(not_v3, OTHER(r, "\xa0\x03\x02\x01\x02\x30\x00\x30\x00", "\x30\x00\x03\x01\x00"));
    REFUSED(not_v3, OTHER(r, "\x02\x01\x01\x30\x00\x30\x00", "\x30\x00\x03\x01\x00"));
}

static void the_signers_certificate_names_one_signature_algorithm(void **state)
{
    (void)state;
    struct bytes certificate = bytes_of_certificate(&signer);
    // The outer algorithm is the last place where the OID stands.
    size_t at = certificate.len - 10;
    while (memcmp(certificate.data + at, ECDSA_SHA256, 12) != 0) {
        at--;
    }
    certificate.data[at + 11] = 0x03;
    REFUSED("the signer's certificate names two signature algorithms",
            recipe_set_certificates(r, &certificate, 1));
}

static void there_is_exactly_one_signer_named_by_issuer_and_serial_number(void **state)
{
    (void)state;
    REFUSED("not exactly one signer", SET(r, OTHER_SIGNER, "\x30\x00"));
    REFUSED("not exactly one signer", r->signer_tag = DER_SET);
    REFUSED("not exactly one signer", r->signer_tag = TAG_LEFT_OUT);
    REFUSED("signer is not named by issuer and serial number",
            SET(r, SIGNER_ID, "\x80\x02\xaa\xbb"));
    REFUSED("signer is not named by issuer and serial number",
            SET(r, SIGNER_ID, "\x30\x04\x30\x00\x02\x01"));
    REFUSED("signer is not named by issuer and serial number",
            SET(r, SIGNER_ID, "\x30\x02\x30\x00"));
    REFUSED("signer is not named by issuer and serial number",
            SET(r, SIGNER_ID, "\x30\x03\x02\x01\x01"));
    REFUSED("signer is not named by issuer and serial number", SET(r, INFO_VERSION, ""));
    REFUSED("signer is not named by issuer and serial number",
            SET(r, SIGNER_ID, "\x30\x07\x30\x00\x02\x01\x01\x05\x00"));
}

static void there_is_a_signature_and_nothing_unsigned_behind_it(void **state)
{
    (void)state;
    REFUSED("no signature", SET(r, SIGNATURE, ""));
    REFUSED("no signature", SET(r, SIGNATURE, "\x03\x02\xaa\xbb"));
    REFUSED("carries unsigned attributes", SET(r, UNSIGNED, "\xa1\x02\x30\x00"));
    REFUSED("bytes behind the signature", SET(r, UNSIGNED, "\x05\x00"));
}

#define ATTRIBUTE_CONTENT_TYPE "\x30\x18" OID_CONTENT_TYPE "\x31\x0b" OID_DATA
#define MESSAGE_DIGEST "\x30\x11" OID_MESSAGE_DIGEST "\x31\x04\x04\x02\xaa\xbb"

static void signed_attributes_are_accepted_with_content_type_data(void **state)
{
    (void)state;
    ACCEPTED(CERT_KEY_EC, SET(r, ATTRIBUTES, "\xa0\x2d" ATTRIBUTE_CONTENT_TYPE MESSAGE_DIGEST));
    REFUSED("its signed content type is not id-data",
            SET(r, ATTRIBUTES, "\xa0\x1a\x30\x18" OID_CONTENT_TYPE "\x31\x0b" OID_SIGNED_DATA));
    REFUSED("its signed content type has more than one value",
            SET(r, ATTRIBUTES, "\xa0\x25\x30\x23" OID_CONTENT_TYPE "\x31\x16" OID_DATA OID_DATA));
    REFUSED("its signed attributes do not name the content type once",
            SET(r, ATTRIBUTES, "\xa0\x13" MESSAGE_DIGEST));
    REFUSED("its signed attributes do not name the content type once",
            SET(r, ATTRIBUTES, "\xa0\x34" ATTRIBUTE_CONTENT_TYPE ATTRIBUTE_CONTENT_TYPE));
}

static void signed_attributes_are_der(void **state)
{
    (void)state;
    REFUSED("a signed attribute is not DER", SET(r, ATTRIBUTES, "\xa0\x02\x31\x00"));
    REFUSED("a signed attribute is not DER", SET(r, ATTRIBUTES, "\xa0\x04\x30\x02\x05\x00"));
    REFUSED("a signed attribute is not DER", SET(r, ATTRIBUTES, "\xa0\x04\x30\x02\x31\x00"));
    REFUSED("a signed attribute is not DER",
            SET(r, ATTRIBUTES, "\xa0\x0d\x30\x0b" OID_MESSAGE_DIGEST));
    REFUSED("a signed attribute is not DER",
            SET(r, ATTRIBUTES, "\xa0\x0f\x30\x0d" OID_MESSAGE_DIGEST "\x30\x00"));
    REFUSED("a signed attribute is not DER",
            SET(r, ATTRIBUTES, "\xa0\x0f\x30\x0d" OID_CONTENT_TYPE "\x30\x00"));
    REFUSED("a signed attribute is not DER",
            SET(r, ATTRIBUTES, "\xa0\x11\x30\x0f" OID_MESSAGE_DIGEST "\x31\x00\x05\x00"));
    // A value whose length is spelled with a byte too many.
    REFUSED("a signed attribute is not DER",
            SET(r, ATTRIBUTES, "\xa0\x12\x30\x10" OID_MESSAGE_DIGEST "\x31\x03\x04\x81\x00"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_form_is_accepted_and_names_the_signer),
        cmocka_unit_test(every_prefix_of_a_record_is_refused),
        cmocka_unit_test(digests_are_sha2_with_or_without_null),
        cmocka_unit_test(rsa_is_accepted_under_its_two_names_with_null),
        cmocka_unit_test(the_signature_algorithm_is_known_and_for_this_digest),
        cmocka_unit_test(both_digest_algorithms_are_the_same_byte_for_byte),
        cmocka_unit_test(what_is_no_sequence_or_too_long_is_refused),
        cmocka_unit_test(the_outer_layers_are_exactly_as_written),
        cmocka_unit_test(versions_other_than_1_are_refused),
        cmocka_unit_test(content_is_detached_data),
        cmocka_unit_test(certificates_are_there_and_revocation_lists_are_not),
        cmocka_unit_test(exactly_one_certificate_is_the_named_signer),
        cmocka_unit_test(at_most_eight_certificates_are_looked_at),
        cmocka_unit_test(a_certificate_has_the_shape_of_x509_version_3),
        cmocka_unit_test(no_element_of_a_certificate_is_left_out),
        cmocka_unit_test(the_signers_certificate_names_one_signature_algorithm),
        cmocka_unit_test(there_is_exactly_one_signer_named_by_issuer_and_serial_number),
        cmocka_unit_test(there_is_a_signature_and_nothing_unsigned_behind_it),
        cmocka_unit_test(signed_attributes_are_accepted_with_content_type_data),
        cmocka_unit_test(signed_attributes_are_der),
    };
    return cmocka_run_group_tests(tests, make_signer, clear_signer);
}
