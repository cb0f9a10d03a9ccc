// SPDX-License-Identifier: Apache-2.0
#include "keys/sign.h"

#include "keys/cms_profile.h"
#include "keys/ossl.h"
#include "keys/record.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certs.h"

#include <openssl/err.h>

static const uint8_t message[] = "\x89VVI\r\n\x1a\n header and manifest";

static enum err load(const char *dir, const char *cert_name, const char *key_name,
                     struct signer **ret, struct error *e)
{
    char cert[4096], key[4096];
    enum err err = signer_load(temp_dir_path(cert, sizeof(cert), dir, cert_name),
                               temp_dir_path(key, sizeof(key), dir, key_name), ret, e);
    assert_int_equal(ERR_peek_error(), 0);
    return err;
}

static enum err load_written(const char *dir, const struct test_cert *c, struct signer **ret,
                             struct error *e)
{
    test_cert_write(c, dir, "cert.pem");
    test_key_write(c, dir, "key.pem");
    return load(dir, "cert.pem", "key.pem", ret, e);
}

static struct signature_record sign(const struct signer *s)
{
    struct error e;
    uint8_t *data = NULL;
    size_t len = 0;
    struct signature_record record = {0};
    assert_ok(signer_sign(s, message, sizeof(message), &record.type, &data, &len, &e));
    assert_int_equal(ERR_peek_error(), 0);
    record.len = (uint32_t)len;
    record.data = data;
    return record;
}

static struct test_cert self_signed(const char *kind)
{
    return test_cert_make(&(struct test_cert_spec){
        .subject = kind, .key = kind, .extended_usage = "codeSigning", .digest = "SHA384"});
}

static void each_kind_of_key_makes_a_record_that_verifies(void **state)
{
    struct error e;
    const struct {
        const char *kind;
        uint16_t type;
        const char *digest; // DER of the last two arcs of the digest's OID
    } cases[] = {
        {"P-256", SIGNATURE_CMS, "\x02\x01"},
        {"P-384", SIGNATURE_CMS, "\x02\x02"},
        {"RSA-3072", SIGNATURE_CMS, "\x02\x01"},
        {"ED25519", SIGNATURE_ED25519, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(test_cert_clear) struct test_cert c = self_signed(cases[i].kind);
        CLEANUP(cleanup_signer) struct signer *s = NULL;
        assert_ok(load_written(*state, &c, &s, &e));
        CLEANUP(test_record_clear) struct signature_record record = sign(s);
        assert_int_equal(record.type, cases[i].type);
        assert_ok(test_verify(&c, &record, message, sizeof(message), &e));
        if (cases[i].digest != NULL) {
            uint8_t oid[11] = {0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04};
            memcpy(oid + 9, cases[i].digest, 2);
            assert_non_null(memmem(record.data, record.len, oid, sizeof(oid)));
        }
    }
}

static void a_cms_record_holds_one_certificate_and_no_attribute(void **state)
{
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert ca = test_ca("ca", NULL);
    CLEANUP(test_cert_clear) struct test_cert c = test_signer("signer", &ca);
    CLEANUP(cleanup_signer) struct signer *s = NULL;
    assert_ok(load_written(*state, &c, &s, &e));
    CLEANUP(test_record_clear) struct signature_record record = sign(s);
    const uint8_t *at = record.data;
    CLEANUP(cleanup_cms) CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)record.len);
    assert_non_null(cms);
    STACK_OF(X509) *certs = CMS_get1_certs(cms);
    assert_int_equal(sk_X509_num(certs), 1);
    assert_int_equal(X509_cmp(sk_X509_value(certs, 0), c.cert), 0);
    sk_X509_pop_free(certs, X509_free);
    const CMS_SignerInfo *info = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    assert_int_equal(CMS_signed_get_attr_count(info), -1);
    assert_int_equal(CMS_unsigned_get_attr_count(info), -1);
}

static void a_record_is_understood_by_openssl_cms(void **state)
{
    struct error e;
    char path[4096];
    CLEANUP(test_cert_clear) struct test_cert ca = test_ca("ca", NULL);
    CLEANUP(test_cert_clear) struct test_cert c = test_signer("signer", &ca);
    CLEANUP(cleanup_signer) struct signer *s = NULL;
    assert_ok(load_written(*state, &c, &s, &e));
    CLEANUP(test_record_clear) struct signature_record record = sign(s);
    test_cert_write(&ca, *state, "ca.pem");
    const struct {
        const char *name;
        const void *data;
        size_t len;
    } files[] = {{"record", record.data, record.len}, {"message", message, sizeof(message)}};
    for (size_t i = 0; i < 2; i++) {
        FILE *f = fopen(temp_dir_path(path, sizeof(path), *state, files[i].name), "w");
        assert_non_null(f);
        assert_int_equal(fwrite(files[i].data, files[i].len, 1, f), 1);
        fclose(f);
    }
    test_shell("cd %s && openssl cms -verify -binary -inform DER -in record -content message "
               "-CAfile ca.pem -purpose any -out /dev/null 2>verify.log",
               (const char *)*state);
}

static void a_raw_record_is_key_id_and_signature(void **state)
{
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert c = self_signed("ED25519");
    CLEANUP(cleanup_signer) struct signer *s = NULL;
    assert_ok(load_written(*state, &c, &s, &e));
    CLEANUP(test_record_clear) struct signature_record record = sign(s);
    // Ed25519 is deterministic, so the whole record can be told beforehand.
    CLEANUP(test_record_clear)
    struct signature_record want = test_ed25519(&c, message, sizeof(message));
    assert_int_equal(record.len, ED25519_RECORD_SIZE);
    assert_memory_equal(record.data, want.data, ED25519_RECORD_SIZE);
}

static void not_after_is_the_certificates(void **state)
{
    struct error e;
    CLEANUP(test_cert_clear)
    struct test_cert c = test_cert_make(&(struct test_cert_spec){
        .subject = "s", .extended_usage = "codeSigning", .not_after = "20000301000000Z"});
    CLEANUP(cleanup_signer) struct signer *s = NULL;
    assert_ok(load_written(*state, &c, &s, &e));
    assert_int_equal(signer_not_after(s), 951868800);
}

static void own_records_are_found_again_by_their_key(void **state)
{
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert c = self_signed("P-256");
    CLEANUP(test_cert_clear) struct test_cert other = self_signed("P-256");
    CLEANUP(test_cert_clear) struct test_cert ed = self_signed("ED25519");
    CLEANUP(cleanup_signer) struct signer *s = NULL;
    CLEANUP(cleanup_signer) struct signer *s_ed = NULL;
    assert_ok(load_written(*state, &c, &s, &e));
    assert_ok(load_written(*state, &ed, &s_ed, &e));
    CLEANUP(test_record_clear) struct signature_record own = sign(s);
    CLEANUP(test_record_clear) struct signature_record own_ed = sign(s_ed);
    CLEANUP(test_record_clear)
    struct signature_record others = test_cms(&other, "SHA256", 0, NULL, message, sizeof(message));
    struct signature_list list = {.records = {others, {.type = 9, .len = 0}}, .count = 2};
    bool present = true;
    assert_ok(signer_has_signed(s, &list, &present, &e));
    assert_false(present);
    list.records[list.count++] = own_ed;
    assert_ok(signer_has_signed(s, &list, &present, &e));
    assert_false(present);
    assert_ok(signer_has_signed(s_ed, &list, &present, &e));
    assert_true(present);
    list.records[list.count++] = own;
    assert_ok(signer_has_signed(s, &list, &present, &e));
    assert_true(present);
}

static void a_missing_file_is_named(void **state)
{
    struct error e;
    struct signer *s;
    CLEANUP(test_cert_clear) struct test_cert c = self_signed("P-256");
    test_cert_write(&c, *state, "cert.pem");
    assert_fails(ERR_CONFIG, "/none.pem: open: No such file",
                 load(*state, "none.pem", "none.key", &s, &e));
    assert_fails(ERR_CONFIG, "/none.key: open: No such file",
                 load(*state, "cert.pem", "none.key", &s, &e));
}

static void files_that_hold_something_else_are_named(void **state)
{
    struct error e;
    struct signer *s;
    CLEANUP(test_cert_clear) struct test_cert c = self_signed("P-256");
    test_cert_write(&c, *state, "cert.pem");
    test_key_write(&c, *state, "key.pem");
    assert_fails(ERR_CONFIG, "key.pem: no certificate that can be read",
                 load(*state, "key.pem", "key.pem", &s, &e));
    assert_fails(ERR_CONFIG, "cert.pem: no private key that can be read",
                 load(*state, "cert.pem", "cert.pem", &s, &e));
}

static void an_encrypted_key_is_refused_without_asking(void **state)
{
    struct error e;
    struct signer *s;
    CLEANUP(test_cert_clear) struct test_cert c = self_signed("P-256");
    test_cert_write(&c, *state, "cert.pem");
    test_key_write(&c, *state, "key.pem");
    test_shell("cd %s && openssl pkcs8 -topk8 -in key.pem -passout pass:secret -out locked.pem",
               (const char *)*state);
    assert_fails(ERR_CONFIG, "locked.pem: the private key is encrypted",
                 load(*state, "cert.pem", "locked.pem", &s, &e));
}

static void a_key_of_another_certificate_is_refused(void **state)
{
    struct error e;
    struct signer *s;
    const char *const kinds[] = {"P-256", "ED25519"};
    CLEANUP(test_cert_clear) struct test_cert c = self_signed("P-256");
    test_cert_write(&c, *state, "cert.pem");
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(test_cert_clear) struct test_cert other = self_signed(kinds[i]);
        test_key_write(&other, *state, "other.key");
        assert_fails(ERR_CONFIG, "other.key is not the private key of the certificate",
                     load(*state, "cert.pem", "other.key", &s, &e));
    }
}

static void a_certificate_no_device_would_believe_is_refused(void **state)
{
    struct error e;
    struct signer *s;
    CLEANUP(test_cert_clear) struct test_cert weak = self_signed("RSA-2048");
    assert_fails(ERR_CONFIG, "cannot sign images with it: its key is none of",
                 load_written(*state, &weak, &s, &e));
    CLEANUP(test_cert_clear) struct test_cert ca = test_ca("ca", NULL);
    assert_fails(ERR_CONFIG, "cannot sign images with it: it lacks the extended key usage",
                 load_written(*state, &ca, &s, &e));
    CLEANUP(test_cert_clear)
    struct test_cert usage = test_cert_make(&(struct test_cert_spec){
        .subject = "usage", .usage = "keyEncipherment", .extended_usage = "codeSigning"});
    assert_fails(ERR_CONFIG, "cannot sign images with it: its key usage lacks digitalSignature",
                 load_written(*state, &usage, &s, &e));
}

// Such a certificate passes every check but the one of the record itself.
static void a_signature_no_device_would_count_is_not_given_out(void **state)
{
    struct error e;
    const uint8_t ecdsa_sha256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    CLEANUP(test_cert_clear) struct test_cert made = test_signer("two algorithms", NULL);
    unsigned char *der = NULL;
    int len = i2d_X509(made.cert, &der);
    uint8_t *first = memmem(der, (size_t)len, ecdsa_sha256, sizeof(ecdsa_sha256));
    assert_non_null(first);
    first[sizeof(ecdsa_sha256) - 1] = 0x03;
    const unsigned char *at = der;
    struct test_cert odd = {.cert = d2i_X509(NULL, &at, len), .key = made.key};
    assert_non_null(odd.cert);
    OPENSSL_free(der);
    CLEANUP(cleanup_signer) struct signer *s = NULL;
    assert_ok(load_written(*state, &odd, &s, &e));
    X509_free(odd.cert);
    uint16_t type;
    uint8_t *data = NULL;
    size_t data_len;
    assert_fails(ERR_TRUST, "the signature just made does not verify: not a CMS signature",
                 signer_sign(s, message, sizeof(message), &type, &data, &data_len, &e));
    assert_null(data);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(each_kind_of_key_makes_a_record_that_verifies),
        WITH_DIR(a_cms_record_holds_one_certificate_and_no_attribute),
        WITH_DIR(a_record_is_understood_by_openssl_cms),
        WITH_DIR(a_raw_record_is_key_id_and_signature),
        WITH_DIR(not_after_is_the_certificates),
        WITH_DIR(own_records_are_found_again_by_their_key),
        WITH_DIR(a_missing_file_is_named),
        WITH_DIR(files_that_hold_something_else_are_named),
        WITH_DIR(an_encrypted_key_is_refused_without_asking),
        WITH_DIR(a_key_of_another_certificate_is_refused),
        WITH_DIR(a_certificate_no_device_would_believe_is_refused),
        WITH_DIR(a_signature_no_device_would_count_is_not_given_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
