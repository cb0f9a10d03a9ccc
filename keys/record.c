// SPDX-License-Identifier: Apache-2.0
#include "keys/record.h"

#include "keys/cms_profile.h"
#include "keys/ossl.h"

#include <limits.h>
#include <openssl/err.h>
#include <string.h>

static MUST_CHECK enum err read_leaf(const struct cms_profile *profile, X509 **ret, struct error *e)
{
    const uint8_t *at = profile->leaf;
    CLEANUP(cleanup_x509) X509 *leaf = d2i_X509(NULL, &at, (long)profile->leaf_len);
    if (leaf == NULL || at != profile->leaf + profile->leaf_len) {
        return ossl_fail(e, ERR_TRUST, "the signer's certificate cannot be read");
    }
    *ret = TAKE_PTR(leaf);
    return OK;
}

static MUST_CHECK enum err check_leaf(X509 *leaf, enum cert_key wanted, struct error *e)
{
    char subject[CERT_SUBJECT_SIZE];
    const char *why = cert_refuse_key(leaf);
    if (why == NULL && cert_key_kind(leaf) != wanted) {
        why = "its key does not fit the signature algorithm";
    }
    if (why == NULL) {
        why = cert_refuse_signing(leaf);
    }
    if (why != NULL) {
        return fail(e, ERR_TRUST, 0, "signer %s is refused: %s", cert_subject(leaf, subject), why);
    }
    return OK;
}

// The anchor that vouches for `leaf`; the reason of the last one that could have.
static MUST_CHECK enum err find_anchor(const struct anchor *anchors, size_t count, X509 *leaf,
                                       uint64_t time_floor, const struct anchor **ret,
                                       struct error *e)
{
    char subject[CERT_SUBJECT_SIZE];
    enum err err =
        fail(e, ERR_TRUST, 0, "signer %s is not issued by a certificate of the trust directory",
             cert_subject(leaf, subject));
    for (size_t i = 0; i < count; i++) {
        if (!anchor_concerns(&anchors[i], leaf)) {
            continue;
        }
        err = anchor_vouches(&anchors[i], leaf, time_floor, e);
        if (err == OK) {
            *ret = &anchors[i];
            return OK;
        }
        if (err != ERR_TRUST) {
            return err;
        }
    }
    return err;
}

// CMS_verify() builds its chain once more; what is embedded may take part there, which can refuse
// but never admit, because the anchor vouched already. CMS_NOINTERN: `leaf`, which was checked, is
// the only certificate whose key may verify.
static MUST_CHECK enum err check_cms_signature(const struct anchor *anchor, X509 *leaf,
                                               const struct signature_record *record,
                                               const uint8_t *message, size_t len, struct error *e)
{
    if (len > INT_MAX) {
        return fail(e, ERR_INTERNAL, 0, "signed message of %zu bytes is too long", len);
    }
    const uint8_t *at = record->data;
    CLEANUP(cleanup_cms) CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)record->len);
    if (cms == NULL) {
        return ossl_fail(e, ERR_TRUST, "the signature cannot be read");
    }
    CLEANUP(cleanup_bio) BIO *content = BIO_new_mem_buf(message, (int)len);
    CLEANUP(cleanup_x509_list) STACK_OF(X509) *signers = sk_X509_new_null();
    if (content == NULL || signers == NULL || sk_X509_push(signers, leaf) == 0) {
        ERR_clear_error();
        return fail_memory(e);
    }
    int valid = CMS_verify(cms, signers, anchor->store, content, NULL,
                           CMS_BINARY | CMS_NOINTERN | CMS_NOCRL);
    ERR_clear_error();
    if (valid != 1) {
        char subject[CERT_SUBJECT_SIZE];
        return fail(e, ERR_TRUST, 0, "the signature of %s does not match the signed bytes",
                    cert_subject(leaf, subject));
    }
    return OK;
}

static MUST_CHECK enum err verify_cms(const struct anchor *anchors, size_t anchor_count,
                                      uint64_t time_floor, const uint8_t *message, size_t len,
                                      const struct signature_record *record, X509 **ret_signer,
                                      struct error *e)
{
    struct cms_profile profile;
    CLEANUP(cleanup_x509) X509 *leaf = NULL;
    const struct anchor *anchor = NULL;
    enum err err;
    if ((err = cms_profile_read(record->data, record->len, &profile, e)) != OK ||
        (err = read_leaf(&profile, &leaf, e)) != OK ||
        (err = check_leaf(leaf, profile.key, e)) != OK) {
        return err;
    }
    err = find_anchor(anchors, anchor_count, leaf, time_floor, &anchor, e);
    if (anchor == NULL) {
        return err;
    }
    err = check_cms_signature(anchor, leaf, record, message, len, e);
    if (err == OK) {
        *ret_signer = TAKE_PTR(leaf);
    }
    return err;
}

static MUST_CHECK enum err check_ed25519_signature(X509 *cert, const uint8_t *signature,
                                                   const uint8_t *message, size_t len,
                                                   struct error *e)
{
    CLEANUP(cleanup_evp_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, X509_get0_pubkey(cert)) != 1) {
        return ossl_fail(e, ERR_INTERNAL, "cannot set up an Ed25519 check");
    }
    int valid = EVP_DigestVerify(ctx, signature, ED25519_SIGNATURE_SIZE, message, len);
    ERR_clear_error();
    if (valid != 1) {
        char subject[CERT_SUBJECT_SIZE];
        return fail(e, ERR_TRUST, 0, "the signature of %s does not match the signed bytes",
                    cert_subject(cert, subject));
    }
    return OK;
}

static MUST_CHECK enum err verify_ed25519_with(const struct anchor *anchor, uint64_t time_floor,
                                               const uint8_t *message, size_t len,
                                               const uint8_t *signature, struct error *e)
{
    enum err err;
    if ((err = check_leaf(anchor->cert, CERT_KEY_ED25519, e)) != OK ||
        (err = anchor_vouches(anchor, anchor->cert, time_floor, e)) != OK) {
        return err;
    }
    return check_ed25519_signature(anchor->cert, signature, message, len, e);
}

// There is no certificate in such a record: the key must be that of an anchor itself. The same key
// may stand in several, e.g. in a renewed certificate.
static MUST_CHECK enum err verify_ed25519(const struct anchor *anchors, size_t anchor_count,
                                          uint64_t time_floor, const uint8_t *message, size_t len,
                                          const struct signature_record *record, X509 **ret_signer,
                                          struct error *e)
{
    if (record->len != ED25519_RECORD_SIZE) {
        return fail(e, ERR_TRUST, 0, "an Ed25519 signature record has %d bytes, not %u",
                    ED25519_RECORD_SIZE, (unsigned)record->len);
    }
    enum err err =
        fail(e, ERR_TRUST, 0, "no certificate of the trust directory has this Ed25519 key");
    for (size_t i = 0; i < anchor_count; i++) {
        X509 *cert = anchors[i].cert;
        if (!record_names_key(record, cert)) {
            continue;
        }
        err = verify_ed25519_with(&anchors[i], time_floor, message, len,
                                  record->data + ED25519_KEY_ID_SIZE, e);
        if (err == OK) {
            X509_up_ref(cert);
            *ret_signer = cert;
            return OK;
        }
        if (err != ERR_TRUST) {
            return err;
        }
    }
    return err;
}

enum err record_verify(const struct anchor *anchors, size_t anchor_count, uint64_t time_floor,
                       const uint8_t *message, size_t len, const struct signature_record *record,
                       X509 **ret_signer, struct error *e)
{
    if (record->type == SIGNATURE_CMS) {
        return verify_cms(anchors, anchor_count, time_floor, message, len, record, ret_signer, e);
    }
    if (record->type == SIGNATURE_ED25519) {
        return verify_ed25519(anchors, anchor_count, time_floor, message, len, record, ret_signer,
                              e);
    }
    return fail(e, ERR_INTERNAL, 0, "signature records of type %u are not verified", record->type);
}

bool record_names_key(const struct signature_record *record, const X509 *cert)
{
    struct error ignored;
    if (record->type == SIGNATURE_ED25519) {
        uint8_t id[SHA256_SIZE];
        return record->len == ED25519_RECORD_SIZE && cert_key_id(cert, id, &ignored) == OK &&
               memcmp(record->data, id, ED25519_KEY_ID_SIZE) == 0;
    }
    struct cms_profile profile;
    CLEANUP(cleanup_x509) X509 *leaf = NULL;
    return record->type == SIGNATURE_CMS &&
           cms_profile_read(record->data, record->len, &profile, &ignored) == OK &&
           read_leaf(&profile, &leaf, &ignored) == OK && cert_same_key(leaf, cert);
}
