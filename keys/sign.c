// SPDX-License-Identifier: Apache-2.0
#include "keys/sign.h"

#include "base/file.h"
#include "keys/cert.h"
#include "keys/ossl.h"
#include "keys/record.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

enum { PEM_FILE_MAX = 1 << 20 };

struct signer {
    struct anchor self; // the certificate as its own anchor: every signature is verified with it
    EVP_PKEY *key;
    enum cert_key kind;
    uint64_t not_after;
};

// The text of a PEM file, wiped before it is released: it may be a private key.
struct secret {
    uint8_t *text;
    size_t len;
};

static void cleanup_secret(struct secret *s)
{
    if (s->text != NULL) {
        OPENSSL_cleanse(s->text, s->len);
        free(s->text);
    }
}

static MUST_CHECK enum err open_pem(const char *path, struct secret *ret_text, BIO **ret,
                                    struct error *e)
{
    if (file_read(path, PEM_FILE_MAX, &ret_text->text, &ret_text->len, e) != OK) {
        e->code = ERR_CONFIG;
        return ERR_CONFIG;
    }
    BIO *in = BIO_new_mem_buf(ret_text->text, (int)ret_text->len);
    if (in == NULL) {
        return fail_memory(e);
    }
    *ret = in;
    return OK;
}

static MUST_CHECK enum err read_certificate(const char *path, X509 **ret, struct error *e)
{
    CLEANUP(cleanup_secret) struct secret text = {0};
    CLEANUP(cleanup_bio) BIO *in = NULL;
    enum err err = open_pem(path, &text, &in, e);
    if (err != OK) {
        return err;
    }
    X509 *cert = PEM_read_bio_X509(in, NULL, NULL, NULL);
    if (cert == NULL) {
        return ossl_fail(e, ERR_CONFIG, "%s: no certificate that can be read", path);
    }
    *ret = cert;
    return OK;
}

// Without it OpenSSL would ask on the terminal, where a build pipeline has none.
static int refuse_passphrase(char *buf, int size, int for_writing, void *asked)
{
    (void)buf;
    (void)size;
    (void)for_writing;
    *(bool *)asked = true;
    return -1;
}

static MUST_CHECK enum err read_key(const char *path, EVP_PKEY **ret, struct error *e)
{
    CLEANUP(cleanup_secret) struct secret secret = {0};
    CLEANUP(cleanup_bio) BIO *in = NULL;
    enum err err = open_pem(path, &secret, &in, e);
    if (err != OK) {
        return err;
    }
    bool is_encrypted = false;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, refuse_passphrase, &is_encrypted);
    if (key == NULL && is_encrypted) {
        ERR_clear_error();
        return fail(e, ERR_CONFIG, 0, "%s: the private key is encrypted, give it decrypted", path);
    }
    if (key == NULL) {
        return ossl_fail(e, ERR_CONFIG, "%s: no private key that can be read", path);
    }
    *ret = key;
    return OK;
}

static MUST_CHECK enum err check_pair(struct signer *s, X509 *cert, const char *cert_path,
                                      const char *key_path, struct error *e)
{
    const char *why = cert_refuse_key(cert);
    if (why == NULL) {
        why = cert_refuse_signing(cert);
    }
    if (why != NULL) {
        return fail(e, ERR_CONFIG, 0, "%s: cannot sign images with it: %s", cert_path, why);
    }
    if (X509_check_private_key(cert, s->key) != 1) {
        ERR_clear_error();
        return fail(e, ERR_CONFIG, 0, "%s is not the private key of the certificate %s", key_path,
                    cert_path);
    }
    s->kind = cert_key_kind(cert);
    if (!cert_not_after(cert, &s->not_after)) {
        return fail(e, ERR_CONFIG, 0, "%s: its notAfter cannot be read", cert_path);
    }
    return anchor_init(cert, &s->self, e);
}

enum err signer_load(const char *cert_path, const char *key_path, struct signer **ret,
                     struct error *e)
{
    CLEANUP(cleanup_signer) struct signer *s = calloc(1, sizeof(*s));
    CLEANUP(cleanup_x509) X509 *cert = NULL;
    if (s == NULL) {
        return fail_memory(e);
    }
    enum err err;
    if ((err = read_certificate(cert_path, &cert, e)) != OK ||
        (err = read_key(key_path, &s->key, e)) != OK ||
        (err = check_pair(s, cert, cert_path, key_path, e)) != OK) {
        return err;
    }
    *ret = TAKE_PTR(s);
    return OK;
}

void signer_free(struct signer *s)
{
    if (s == NULL) {
        return;
    }
    anchor_clear(&s->self);
    EVP_PKEY_free(s->key);
    free(s);
}

// As strong as the key: SHA-384 for P-384, SHA-256 for P-256 and RSA.
static const EVP_MD *digest_for(const struct signer *s)
{
    return s->kind == CERT_KEY_EC && EVP_PKEY_get_bits(s->key) > 256 ? EVP_sha384() : EVP_sha256();
}

// No signed attributes: they would only repeat the digest and add the time of the build host.
static MUST_CHECK enum err make_cms(const struct signer *s, const uint8_t *message, size_t len,
                                    uint8_t **ret_data, size_t *ret_len, struct error *e)
{
    const unsigned flags = CMS_DETACHED | CMS_BINARY | CMS_PARTIAL | CMS_NOATTR | CMS_NOSMIMECAP;
    CLEANUP(cleanup_cms) CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
    CLEANUP(cleanup_bio) BIO *content = BIO_new_mem_buf(message, (int)len);
    if (cms == NULL || content == NULL ||
        CMS_add1_signer(cms, s->self.cert, s->key, digest_for(s), flags) == NULL ||
        CMS_final(cms, content, NULL, flags) != 1) {
        return ossl_fail(e, ERR_INTERNAL, "signing failed");
    }
    uint8_t *der = NULL;
    int der_len = i2d_CMS_ContentInfo(cms, &der);
    if (der_len <= 0) {
        return ossl_fail(e, ERR_INTERNAL, "a signature cannot be encoded");
    }
    uint8_t *data = malloc((size_t)der_len);
    if (data != NULL) {
        memcpy(data, der, (size_t)der_len);
    }
    OPENSSL_free(der);
    if (data == NULL) {
        return fail_memory(e);
    }
    *ret_data = data;
    *ret_len = (size_t)der_len;
    return OK;
}

static MUST_CHECK enum err make_ed25519(const struct signer *s, const uint8_t *message, size_t len,
                                        uint8_t **ret_data, size_t *ret_len, struct error *e)
{
    CLEANUP(cleanup_evp_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return fail_memory(e);
    }
    CLEANUP(cleanup_free) uint8_t *data = malloc(ED25519_RECORD_SIZE);
    if (data == NULL) {
        return fail_memory(e);
    }
    enum err err = cert_key_id(s->self.cert, data, e);
    if (err != OK) {
        return err;
    }
    size_t signature_len = ED25519_SIGNATURE_SIZE;
    if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, s->key) != 1 ||
        EVP_DigestSign(ctx, data + ED25519_KEY_ID_SIZE, &signature_len, message, len) != 1 ||
        signature_len != ED25519_SIGNATURE_SIZE) {
        return ossl_fail(e, ERR_INTERNAL, "signing failed");
    }
    *ret_data = TAKE_PTR(data);
    *ret_len = ED25519_RECORD_SIZE;
    return OK;
}

// What a device would refuse must not leave the build host.
static MUST_CHECK enum err check_own(const struct signer *s, const uint8_t *message, size_t len,
                                     const struct signature_record *record, struct error *e)
{
    X509 *signer;
    enum err err = record_verify(&s->self, 1, 0, message, len, record, &signer, e);
    if (err != OK) {
        return error_context(e, "the signature just made does not verify");
    }
    X509_free(signer);
    return OK;
}

enum err signer_sign(const struct signer *s, const uint8_t *message, size_t len, uint16_t *ret_type,
                     uint8_t **ret_data, size_t *ret_len, struct error *e)
{
    if (len > INT_MAX) {
        return fail(e, ERR_INTERNAL, 0, "message of %zu bytes is too long to sign", len);
    }
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t data_len = 0;
    bool is_raw = s->kind == CERT_KEY_ED25519;
    enum err err = is_raw ? make_ed25519(s, message, len, &data, &data_len, e)
                          : make_cms(s, message, len, &data, &data_len, e);
    if (err != OK) {
        return err;
    }
    struct signature_record record = {
        .type = is_raw ? SIGNATURE_ED25519 : SIGNATURE_CMS,
        .len = (uint32_t)data_len,
        .data = data,
    };
    err = check_own(s, message, len, &record, e);
    if (err != OK) {
        return err;
    }
    *ret_type = record.type;
    *ret_data = TAKE_PTR(data);
    *ret_len = data_len;
    return OK;
}

uint64_t signer_not_after(const struct signer *s)
{
    return s->not_after;
}

enum err signer_has_signed(const struct signer *s, const struct signature_list *signatures,
                           bool *ret_present, struct error *e)
{
    (void)e;
    bool present = false;
    for (size_t i = 0; i < signatures->count; i++) {
        present = present || record_names_key(&signatures->records[i], s->self.cert);
    }
    *ret_present = present;
    return OK;
}
