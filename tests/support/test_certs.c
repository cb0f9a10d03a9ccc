// SPDX-License-Identifier: Apache-2.0
#include "tests/support/test_certs.h"

#include "keys/record.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static EVP_PKEY *make_key(const char *kind)
{
    EVP_PKEY *key;
    if (strncmp(kind, "RSA-", 4) == 0) {
        key = EVP_RSA_gen((unsigned)atoi(kind + 4));
    } else if (strcmp(kind, "ED25519") == 0) {
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    } else {
        key = EVP_EC_gen(kind);
    }
    assert_non_null(key);
    return key;
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    if (value == NULL) {
        return;
    }
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

struct test_cert test_cert_make(const struct test_cert_spec *spec)
{
    static long serial = 1000;
    struct test_cert made = {.cert = X509_new(), .key = spec->same_key};
    if (made.key == NULL) {
        made.key = make_key(spec->key == NULL ? "P-256" : spec->key);
    } else {
        EVP_PKEY_up_ref(made.key);
    }
    assert_non_null(made.cert);
    const struct test_cert *issuer = spec->issuer == NULL ? &made : spec->issuer;
    X509 *cert = made.cert;
    assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                                                (const unsigned char *)spec->subject, -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(issuer->cert)), 1);
    assert_int_equal(ASN1_TIME_set_string(X509_getm_notBefore(cert), "20200101000000Z"), 1);
    assert_int_equal(ASN1_TIME_set_string(X509_getm_notAfter(cert), spec->not_after == NULL
                                                                        ? "20460101000000Z"
                                                                        : spec->not_after),
                     1);
    assert_int_equal(X509_set_pubkey(cert, made.key), 1);
    add_extension(cert, issuer->cert, NID_basic_constraints, spec->constraints);
    add_extension(cert, issuer->cert, NID_key_usage, spec->usage);
    add_extension(cert, issuer->cert, NID_ext_key_usage, spec->extended_usage);
    if (!spec->no_key_ids) {
        add_extension(cert, issuer->cert, NID_subject_key_identifier, "hash");
        add_extension(cert, issuer->cert, NID_authority_key_identifier, "keyid");
    }
    const EVP_MD *md = EVP_get_digestbyname(spec->digest == NULL ? "SHA256" : spec->digest);
    bool digests_itself = EVP_PKEY_is_a(issuer->key, "ED25519") == 1;
    assert_int_not_equal(X509_sign(cert, issuer->key, digests_itself ? NULL : md), 0);
    return made;
}

struct test_cert test_ca(const char *subject, const struct test_cert *issuer)
{
    return test_cert_make(&(struct test_cert_spec){
        .subject = subject,
        .issuer = issuer,
        .constraints = "critical,CA:TRUE",
        .usage = "critical,keyCertSign,cRLSign",
    });
}

struct test_cert test_signer(const char *subject, const struct test_cert *issuer)
{
    return test_cert_make(&(struct test_cert_spec){
        .subject = subject,
        .issuer = issuer,
        .constraints = "critical,CA:FALSE",
        .usage = "critical,digitalSignature",
        .extended_usage = "codeSigning",
    });
}

void test_cert_clear(struct test_cert *c)
{
    X509_free(c->cert);
    EVP_PKEY_free(c->key);
    *c = (struct test_cert){0};
}

static FILE *create(const char *dir, const char *name)
{
    char path[4096];
    FILE *f = fopen(temp_dir_path(path, sizeof(path), dir, name), "w");
    assert_non_null(f);
    return f;
}

void test_cert_write(const struct test_cert *c, const char *dir, const char *name)
{
    FILE *f = create(dir, name);
    assert_int_equal(PEM_write_X509(f, c->cert), 1);
    assert_int_equal(fclose(f), 0);
}

void test_key_write(const struct test_cert *c, const char *dir, const char *name)
{
    FILE *f = create(dir, name);
    assert_int_equal(PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(f), 0);
}

void test_text_write(const char *dir, const char *name, const char *text)
{
    FILE *f = create(dir, name);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

struct signature_record test_cms_encode(CMS_ContentInfo *cms)
{
    unsigned char *der = NULL;
    int len = i2d_CMS_ContentInfo(cms, &der);
    assert_true(len > 0);
    CMS_ContentInfo_free(cms);
    uint8_t *data = malloc((size_t)len);
    assert_non_null(data);
    memcpy(data, der, (size_t)len);
    OPENSSL_free(der);
    return (struct signature_record){.type = SIGNATURE_CMS, .len = (uint32_t)len, .data = data};
}

struct signature_record test_cms(const struct test_cert *signer, const char *digest, unsigned flags,
                                 X509 *extra, const void *message, size_t len)
{
    flags |= CMS_DETACHED | CMS_BINARY | CMS_PARTIAL;
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
    BIO *content = BIO_new_mem_buf(message, (int)len);
    assert_non_null(cms);
    assert_non_null(content);
    assert_non_null(
        CMS_add1_signer(cms, signer->cert, signer->key, EVP_get_digestbyname(digest), flags));
    if (extra != NULL) {
        assert_int_equal(CMS_add1_cert(cms, extra), 1);
    }
    assert_int_equal(CMS_final(cms, content, NULL, flags), 1);
    BIO_free(content);
    return test_cms_encode(cms);
}

struct signature_record test_ed25519(const struct test_cert *signer, const void *message,
                                     size_t len)
{
    uint8_t *data = malloc(96);
    unsigned char *spki = NULL;
    int spki_len = i2d_PUBKEY(signer->key, &spki);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t signature_len = 64;
    assert_true(data != NULL && spki_len > 0 && ctx != NULL);
    assert_int_equal(EVP_Digest(spki, (size_t)spki_len, data, NULL, EVP_sha256(), NULL), 1);
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, signer->key), 1);
    assert_int_equal(EVP_DigestSign(ctx, data + 32, &signature_len, message, len), 1);
    OPENSSL_free(spki);
    EVP_MD_CTX_free(ctx);
    return (struct signature_record){.type = SIGNATURE_ED25519, .len = 96, .data = data};
}

struct signature_record test_cms_by_openssl(const char *dir, const struct test_cert *signer,
                                            const void *message, size_t len, const char *options)
{
    enum { RECORD_MAX = 65536 };
    char path[4096];
    test_cert_write(signer, dir, "cert.pem");
    test_key_write(signer, dir, "key.pem");
    FILE *f = create(dir, "message");
    assert_int_equal(fwrite(message, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    test_shell("cd %s && openssl cms -sign -binary -in message -signer cert.pem -inkey key.pem "
               "-outform DER -out record %s",
               dir, options);
    f = fopen(temp_dir_path(path, sizeof(path), dir, "record"), "r");
    uint8_t *data = malloc(RECORD_MAX);
    assert_true(f != NULL && data != NULL);
    struct signature_record record = {.type = SIGNATURE_CMS, .data = data};
    record.len = (uint32_t)fread(data, 1, RECORD_MAX, f);
    assert_int_equal(fclose(f), 0);
    return record;
}

void test_record_clear(struct signature_record *r)
{
    free((void *)(uintptr_t)r->data);
    *r = (struct signature_record){0};
}

enum err test_verify(const struct test_cert *pinned, const struct signature_record *record,
                     const void *message, size_t len, struct error *e)
{
    struct anchor a;
    X509 *signer = NULL;
    assert_int_equal(anchor_init(pinned->cert, &a, e), OK);
    enum err err = record_verify(&a, 1, 0, message, len, record, &signer, e);
    assert_int_equal(signer != NULL, err == OK);
    assert_int_equal(ERR_peek_error(), 0);
    X509_free(signer);
    anchor_clear(&a);
    return err;
}

void test_shell(const char *fmt, ...)
{
    char command[8192];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    assert_in_range(len, 1, sizeof(command) - 1);
    int status = system(command);
    if (status != 0) {
        fail_msg("expected success of: %s\n     got status: %d", command, status);
    }
}
