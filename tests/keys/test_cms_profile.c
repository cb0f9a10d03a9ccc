// SPDX-License-Identifier: Apache-2.0
// The records here are put together piece by piece; no signature in them is ever made, because the
// profile speaks of form only.
#include "keys/cms_profile.h"

#include "base/cleanup.h"
#include "keys/der.h"
#include "tests/support/der_builder.h"
#include "tests/support/expect.h"
#include "tests/support/test_certs.h"

// Whole elements in their order; an empty one is left out.
enum piece {
    CONTENT_TYPE,
    VERSION,
    DIGESTS,
    CONTENT,
    CERTIFICATES,
    CRLS,
    INFO_VERSION,
    SIGNER_ID,
    DIGEST,
    ATTRIBUTES,
    SIGNATURE_ALGORITHM,
    SIGNATURE,
    UNSIGNED,
    OTHER_SIGNER, // behind the SignerInfo
    BEHIND_SIGNERS,
    BEHIND_SIGNED_DATA,
    BEHIND_WRAPPER,
    BEHIND_ALL,
    PIECE_COUNT,
};

struct recipe {
    struct bytes pieces[PIECE_COUNT];
    // Tags of the elements that hold the pieces; 0: as it should be.
    uint8_t wrapper_tag, signed_data_tag, signers_tag, signer_tag;
};

#define OID_DATA "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
#define OID_SIGNED_DATA "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
#define OID_CONTENT_TYPE "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03"
#define OID_MESSAGE_DIGEST "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04"
#define OID_SHA256 "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01"
#define OID_SHA384 "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02"
#define SHA256_ABSENT "\x30\x0b" OID_SHA256
#define SHA256_NULL "\x30\x0d" OID_SHA256 "\x05\x00"
#define SHA384_ABSENT "\x30\x0b" OID_SHA384
#define SHA512_ABSENT "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03"
#define SHA1_ABSENT "\x30\x07\x06\x05\x2b\x0e\x03\x02\x1a"
#define ECDSA_SHA256 "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
#define ECDSA_SHA384 "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"
#define ECDSA_SHA512 "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04"
#define RSA_OID(last) "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01" last
#define RSA_NULL(last) "\x30\x0d" RSA_OID(last) "\x05\x00"

static void set(struct recipe *r, enum piece piece, const void *data, size_t len)
{
    r->pieces[piece].len = 0;
    put(&r->pieces[piece], data, len);
}
#define SET(r, piece, literal) set((r), (piece), (literal), sizeof(literal) - 1)

static struct bytes certificate_of(const struct test_cert *c)
{
    struct bytes out = {.len = 0};
    unsigned char *der = NULL;
    int len = i2d_X509(c->cert, &der);
    assert_true(len > 0);
    put(&out, der, (size_t)len);
    OPENSSL_free(der);
    return out;
}

static void set_signer(struct recipe *r, const struct test_cert *c)
{
    struct bytes id = {.len = 0};
    unsigned char *serial = NULL;
    unsigned char *issuer = NULL;
    int issuer_len = i2d_X509_NAME(X509_get_issuer_name(c->cert), &issuer);
    int serial_len = i2d_ASN1_INTEGER(X509_get0_serialNumber(c->cert), &serial);
    assert_true(serial_len > 0 && issuer_len > 0);
    put(&id, issuer, (size_t)issuer_len);
    put(&id, serial, (size_t)serial_len);
    OPENSSL_free(serial);
    OPENSSL_free(issuer);
    r->pieces[SIGNER_ID] = wrap(DER_SEQUENCE, &id);
}

static void set_certificates(struct recipe *r, const struct bytes *certificate, size_t count)
{
    struct bytes body = {.len = 0};
    for (size_t i = 0; i < count; i++) {
        put(&body, certificate->data, certificate->len);
    }
    r->pieces[CERTIFICATES] = wrap(DER_CONTEXT_0, &body);
}

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

static struct recipe *good(void)
{
    struct recipe *r = test_calloc(1, sizeof(*r));
    SET(r, CONTENT_TYPE, OID_SIGNED_DATA);
    SET(r, VERSION, "\x02\x01\x01");
    SET(r, DIGESTS, "\x31\x0d" SHA256_ABSENT);
    SET(r, CONTENT, "\x30\x0b" OID_DATA);
    struct bytes certificate = certificate_of(&signer);
    set_certificates(r, &certificate, 1);
    SET(r, INFO_VERSION, "\x02\x01\x01");
    set_signer(r, &signer);
    SET(r, DIGEST, SHA256_ABSENT);
    SET(r, SIGNATURE_ALGORITHM, ECDSA_SHA256);
    SET(r, SIGNATURE, "\x04\x02\xaa\xbb");
    return r;
}

static void put_piece(struct bytes *b, const struct recipe *r, enum piece piece)
{
    put(b, r->pieces[piece].data, r->pieces[piece].len);
}

static struct bytes wrap_or(uint8_t tag, uint8_t usual, const struct bytes *body)
{
    return wrap(tag != 0 ? tag : usual, body);
}

static struct bytes compose(const struct recipe *r)
{
    struct bytes info = {.len = 0};
    for (enum piece p = INFO_VERSION; p <= UNSIGNED; p++) {
        put_piece(&info, r, p);
    }
    struct bytes infos = wrap_or(r->signer_tag, DER_SEQUENCE, &info);
    put_piece(&infos, r, OTHER_SIGNER);
    struct bytes set_of = wrap_or(r->signers_tag, DER_SET, &infos);
    struct bytes data = {.len = 0};
    for (enum piece p = VERSION; p <= CRLS; p++) {
        put_piece(&data, r, p);
    }
    put(&data, set_of.data, set_of.len);
    put_piece(&data, r, BEHIND_SIGNERS);
    struct bytes signed_data = wrap_or(r->signed_data_tag, DER_SEQUENCE, &data);
    put_piece(&signed_data, r, BEHIND_SIGNED_DATA);
    struct bytes wrapper = wrap_or(r->wrapper_tag, DER_CONTEXT_0, &signed_data);
    struct bytes outer = {.len = 0};
    put_piece(&outer, r, CONTENT_TYPE);
    put(&outer, wrapper.data, wrapper.len);
    put_piece(&outer, r, BEHIND_WRAPPER);
    struct bytes record = wrap(DER_SEQUENCE, &outer);
    put_piece(&record, r, BEHIND_ALL);
    return record;
}

static enum err read_recipe(const struct recipe *r, enum cert_key *ret_key, struct error *e)
{
    struct bytes record = compose(r);
    struct cms_profile profile;
    enum err err = cms_profile_read(record.data, record.len, &profile, e);
    if (err == OK) {
        struct bytes certificate = certificate_of(&signer);
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
        struct recipe *r = good();                                                                 \
        __VA_ARGS__;                                                                               \
        assert_fails(ERR_TRUST,                                                                    \
                     "not a CMS signature of the accepted form: ", read_recipe(r, &key_, &e));     \
        assert_fails(ERR_TRUST, sentence, read_recipe(r, &key_, &e));                              \
        test_free(r);                                                                              \
    } while (0)

#define ACCEPTED(key, ...)                                                                         \
    do {                                                                                           \
        struct error e;                                                                            \
        enum cert_key key_ = CERT_KEY_REFUSED;                                                     \
        struct recipe *r = good();                                                                 \
        __VA_ARGS__;                                                                               \
        assert_ok(read_recipe(r, &key_, &e));                                                      \
        assert_int_equal(key_, (key));                                                             \
        test_free(r);                                                                              \
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
    struct recipe *r = good();
    struct bytes record = compose(r);
    for (size_t len = 0; len < record.len; len++) {
        assert_int_equal(cms_profile_read(record.data, len, &profile, &e), ERR_TRUST);
    }
    test_free(r);
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
    REFUSED(want, SET(r, BEHIND_SIGNED_DATA, "\x05\x00"));
    REFUSED(want, SET(r, BEHIND_WRAPPER, "\x05\x00"));
    REFUSED("SignedData does not end with its signers", SET(r, BEHIND_SIGNERS, "\x05\x00"));
    REFUSED("SignedData does not end with its signers", r->signers_tag = DER_SEQUENCE);
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
    struct bytes own = certificate_of(&signer);
    CLEANUP(test_cert_clear) struct test_cert other = test_signer("other", NULL);
    struct bytes two = certificate_of(&other);
    REFUSED("the signer's certificate is not in it", set_certificates(r, &two, 1));
    REFUSED("the signer's certificate is in it more than once", set_certificates(r, &own, 2));
    put(&two, own.data, own.len);
    ACCEPTED(CERT_KEY_EC, set_certificates(r, &two, 1));
}

static void at_most_eight_certificates_are_looked_at(void **state)
{
    (void)state;
    CLEANUP(test_cert_clear) struct test_cert other = test_signer("other", NULL);
    struct bytes others = certificate_of(&other);
    struct bytes all = certificate_of(&signer);
    for (size_t i = 0; i < 7; i++) {
        put(&all, others.data, others.len);
    }
    ACCEPTED(CERT_KEY_EC, set_certificates(r, &all, 1));
    put(&all, others.data, others.len);
    REFUSED("carries more than 8 certificates", set_certificates(r, &all, 1));
}

static void a_certificate_has_the_shape_of_x509_version_3(void **state)
{
    (void)state;
    const uint8_t shape[] = {0xa0, 0x15, 0x30, 0x13, 0x30, 0x0c, 0xa0, 3, 2, 1, 2, 2,
                             1,    1,    0x30, 0,    0x30, 0,    0x30, 0, 3, 1, 0};
    REFUSED("the signer's certificate is not in it", set(r, CERTIFICATES, shape, sizeof(shape)));
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
        REFUSED(cases[i].sentence, set(r, CERTIFICATES, odd, sizeof(odd)));
    }
    uint8_t longer[sizeof(shape) + 2] = {0};
    memcpy(longer, shape, sizeof(shape));
    longer[1] += 2;
    longer[3] += 2;
    longer[sizeof(shape)] = DER_NULL;
    REFUSED("a certificate in it is not DER", set(r, CERTIFICATES, longer, sizeof(longer)));
}

static void the_signers_certificate_names_one_signature_algorithm(void **state)
{
    (void)state;
    struct bytes certificate = certificate_of(&signer);
    // The outer algorithm is the last place where the OID stands.
    size_t at = certificate.len - 10;
    while (memcmp(certificate.data + at, ECDSA_SHA256, 12) != 0) {
        at--;
    }
    certificate.data[at + 11] = 0x03;
    REFUSED("the signer's certificate names two signature algorithms",
            set_certificates(r, &certificate, 1));
}

static void there_is_exactly_one_signer_named_by_issuer_and_serial_number(void **state)
{
    (void)state;
    REFUSED("not exactly one signer", SET(r, OTHER_SIGNER, "\x30\x00"));
    REFUSED("not exactly one signer", r->signer_tag = DER_SET);
    REFUSED("signer is not named by issuer and serial number",
            SET(r, SIGNER_ID, "\x80\x02\xaa\xbb"));
    REFUSED("signer is not named by issuer and serial number",
            SET(r, SIGNER_ID, "\x30\x04\x30\x00\x02\x01"));
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
        cmocka_unit_test(the_signers_certificate_names_one_signature_algorithm),
        cmocka_unit_test(there_is_exactly_one_signer_named_by_issuer_and_serial_number),
        cmocka_unit_test(there_is_a_signature_and_nothing_unsigned_behind_it),
        cmocka_unit_test(signed_attributes_are_accepted_with_content_type_data),
        cmocka_unit_test(signed_attributes_are_der),
    };
    return cmocka_run_group_tests(tests, make_signer, clear_signer);
}
