// SPDX-License-Identifier: Apache-2.0
#include "keys/cms_profile.h"

#include "keys/der.h"

#include <string.h>

// Whole elements where there is only one way to write them.
static const uint8_t oid_signed_data[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                          0xf7, 0x0d, 0x01, 0x07, 0x02};
static const uint8_t oid_data[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                   0xf7, 0x0d, 0x01, 0x07, 0x01};
static const uint8_t oid_content_type[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                           0xf7, 0x0d, 0x01, 0x09, 0x03};
static const uint8_t version_1[] = {0x02, 0x01, 0x01};
static const uint8_t null_element[] = {0x05, 0x00};

enum digest { DIGEST_ANY, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };
enum params { PARAMS_ABSENT, PARAMS_NULL, PARAMS_ABSENT_OR_NULL };

// Algorithms whose identifiers differ in the last byte of the OID only.
struct family {
    uint8_t oid[10]; // header and body but for that byte
    uint8_t oid_len;
    enum params params;
    enum cert_key key; // of signature algorithms
};

struct algorithm {
    const struct family *family;
    uint8_t last;
    enum digest digest;
};

// RFC 5754, section 2: parameters should be absent, and NULL must be understood.
static const struct family sha2 = {
    .oid = {0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02},
    .oid_len = 10,
    .params = PARAMS_ABSENT_OR_NULL,
};

// RFC 5754, section 3.3.
static const struct family ecdsa = {
    .oid = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03},
    .oid_len = 9,
    .params = PARAMS_ABSENT,
    .key = CERT_KEY_EC,
};

// RFC 5754, section 3.2.
static const struct family pkcs1 = {
    .oid = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01},
    .oid_len = 10,
    .params = PARAMS_NULL,
    .key = CERT_KEY_RSA,
};

static const struct algorithm digest_algorithms[] = {
    {&sha2, 0x01, DIGEST_SHA256},
    {&sha2, 0x02, DIGEST_SHA384},
    {&sha2, 0x03, DIGEST_SHA512},
};

static const struct algorithm signature_algorithms[] = {
    {&ecdsa, 0x02, DIGEST_SHA256}, // ecdsa-with-SHA256
    {&ecdsa, 0x03, DIGEST_SHA384}, // ecdsa-with-SHA384
    {&ecdsa, 0x04, DIGEST_SHA512}, // ecdsa-with-SHA512
    {&pkcs1, 0x0b, DIGEST_SHA256}, // sha256WithRSAEncryption
    {&pkcs1, 0x0c, DIGEST_SHA384}, // sha384WithRSAEncryption
    {&pkcs1, 0x0d, DIGEST_SHA512}, // sha512WithRSAEncryption
    {&pkcs1, 0x01, DIGEST_ANY},    // rsaEncryption
};

static enum err refuse(struct error *e, const char *why)
{
    return fail(e, ERR_TRUST, 0, "not a CMS signature of the accepted form: %s", why);
}

static bool at_end(const struct cursor *c)
{
    return cursor_left(c) == 0;
}

static bool next_is(const struct cursor *c, uint8_t tag)
{
    struct cursor at = *c;
    struct der element;
    return der_take(&at, tag, &element);
}

static bool params_are(struct cursor params, enum params wanted)
{
    if (at_end(&params)) {
        return wanted != PARAMS_NULL;
    }
    return wanted != PARAMS_ABSENT &&
           der_take_exactly(&params, null_element, sizeof(null_element)) && at_end(&params);
}

static bool oid_is(const struct der *oid, const struct algorithm *a)
{
    size_t len = a->family->oid_len;
    return oid->whole_len == len + 1 && memcmp(oid->whole, a->family->oid, len) == 0 &&
           oid->whole[len] == a->last;
}

// The entry of the table that `identifier` (an AlgorithmIdentifier) names, or NULL.
static const struct algorithm *find_algorithm(const struct algorithm *table, size_t count,
                                              const struct der *identifier)
{
    struct cursor body = identifier->body;
    struct der oid;
    if (!der_take(&body, DER_OID, &oid)) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (oid_is(&oid, &table[i]) && params_are(body, table[i].family->params)) {
            return &table[i];
        }
    }
    return NULL;
}

#define FIND_ALGORITHM(table, identifier)                                                          \
    find_algorithm(table, sizeof(table) / sizeof((table)[0]), identifier)

struct signer_info {
    struct der issuer;
    struct der serial;
    struct der digest_algorithm;
    enum cert_key key;
};

struct signed_data {
    struct der digest_algorithm;
    struct cursor certificates;
    struct cursor signer_infos;
};

// ContentInfo down to the SignedData.
static MUST_CHECK enum err read_content_info(const uint8_t *record, size_t len, struct der *ret,
                                             struct error *e)
{
    struct cursor c = cursor_over(record, len);
    struct der outer, wrapper;
    if (len > CMS_RECORD_MAX) {
        return refuse(e, "longer than 64 KiB");
    }
    if (!der_take(&c, DER_SEQUENCE, &outer)) {
        return refuse(e, "no DER sequence");
    }
    if (!at_end(&c)) {
        return refuse(e, "bytes behind its end");
    }
    if (!der_take_exactly(&outer.body, oid_signed_data, sizeof(oid_signed_data))) {
        return refuse(e, "content is not SignedData");
    }
    if (!der_take(&outer.body, DER_CONTEXT_0, &wrapper) || !at_end(&outer.body) ||
        !der_take(&wrapper.body, DER_SEQUENCE, ret) || !at_end(&wrapper.body)) {
        return refuse(e, "SignedData is not one DER sequence");
    }
    return OK;
}

static MUST_CHECK enum err read_signed_data(struct cursor c, struct signed_data *ret,
                                            struct error *e)
{
    struct der digests, content, certificates, signers;
    if (!der_take_exactly(&c, version_1, sizeof(version_1))) {
        return refuse(e, "SignedData is not of version 1");
    }
    if (!der_take(&c, DER_SET, &digests) ||
        !der_take(&digests.body, DER_SEQUENCE, &ret->digest_algorithm) || !at_end(&digests.body)) {
        return refuse(e, "not exactly one digest algorithm");
    }
    if (!der_take(&c, DER_SEQUENCE, &content) ||
        !der_take_exactly(&content.body, oid_data, sizeof(oid_data))) {
        return refuse(e, "content type is not id-data");
    }
    if (!at_end(&content.body)) {
        return refuse(e, "carries the content itself, not a detached signature");
    }
    if (!der_take(&c, DER_CONTEXT_0, &certificates)) {
        return refuse(e, "carries no certificate");
    }
    if (next_is(&c, DER_CONTEXT_1)) {
        return refuse(e, "carries revocation lists");
    }
    if (!der_take(&c, DER_SET, &signers) || !at_end(&c)) {
        return refuse(e, "SignedData does not end with its signers");
    }
    ret->certificates = certificates.body;
    ret->signer_infos = signers.body;
    return OK;
}

// The attributes are covered by the signature, but not what kind of content they speak of.
static MUST_CHECK enum err check_signed_attributes(struct cursor c, struct error *e)
{
    unsigned content_types = 0;
    while (!at_end(&c)) {
        struct der attribute, values, value;
        if (!der_take(&c, DER_SEQUENCE, &attribute)) {
            return refuse(e, "a signed attribute is not DER");
        }
        bool is_content_type =
            der_take_exactly(&attribute.body, oid_content_type, sizeof(oid_content_type));
        if ((!is_content_type && !der_take(&attribute.body, DER_OID, &value)) ||
            !der_take(&attribute.body, DER_SET, &values) || !at_end(&attribute.body)) {
            return refuse(e, "a signed attribute is not DER");
        }
        if (is_content_type) {
            content_types++;
            if (!der_take_exactly(&values.body, oid_data, sizeof(oid_data))) {
                return refuse(e, "its signed content type is not id-data");
            }
        }
        while (!is_content_type && !at_end(&values.body)) {
            if (!der_next(&values.body, &value)) {
                return refuse(e, "a signed attribute is not DER");
            }
        }
        if (!at_end(&values.body)) {
            return refuse(e, "its signed content type has more than one value");
        }
    }
    if (content_types != 1) {
        return refuse(e, "its signed attributes do not name the content type once");
    }
    return OK;
}

static MUST_CHECK enum err read_signature_algorithm(struct cursor *c, struct signer_info *info,
                                                    struct error *e)
{
    struct der identifier;
    if (!der_take(c, DER_SEQUENCE, &identifier)) {
        return refuse(e, "no signature algorithm");
    }
    const struct algorithm *digest = FIND_ALGORITHM(digest_algorithms, &info->digest_algorithm);
    if (digest == NULL) {
        return refuse(e, "digest algorithm is none of SHA-256, SHA-384, SHA-512");
    }
    const struct algorithm *signature = FIND_ALGORITHM(signature_algorithms, &identifier);
    if (signature == NULL) {
        return refuse(e, "signature algorithm is neither ECDSA nor RSA (PKCS #1 v1.5) with SHA-2");
    }
    if (signature->digest != DIGEST_ANY && signature->digest != digest->digest) {
        return refuse(e, "signature algorithm is for another digest");
    }
    info->key = signature->family->key;
    return OK;
}

static MUST_CHECK enum err read_signer_info(struct cursor signer_infos, struct signer_info *ret,
                                            struct error *e)
{
    struct der signer, id, attributes, signature;
    if (!der_take(&signer_infos, DER_SEQUENCE, &signer) || !at_end(&signer_infos)) {
        return refuse(e, "not exactly one signer");
    }
    struct cursor c = signer.body;
    if (!der_take_exactly(&c, version_1, sizeof(version_1)) || !der_take(&c, DER_SEQUENCE, &id)) {
        return refuse(e, "signer is not named by issuer and serial number");
    }
    if (!der_take(&id.body, DER_SEQUENCE, &ret->issuer) ||
        !der_take(&id.body, DER_INTEGER, &ret->serial) || !at_end(&id.body)) {
        return refuse(e, "signer is not named by issuer and serial number");
    }
    if (!der_take(&c, DER_SEQUENCE, &ret->digest_algorithm)) {
        return refuse(e, "signer has no digest algorithm");
    }
    if (der_take(&c, DER_CONTEXT_0, &attributes)) {
        enum err err = check_signed_attributes(attributes.body, e);
        if (err != OK) {
            return err;
        }
    }
    enum err err = read_signature_algorithm(&c, ret, e);
    if (err != OK) {
        return err;
    }
    if (!der_take(&c, DER_OCTET_STRING, &signature)) {
        return refuse(e, "no signature");
    }
    if (next_is(&c, DER_CONTEXT_1)) {
        return refuse(e, "carries unsigned attributes");
    }
    return at_end(&c) ? OK : refuse(e, "bytes behind the signature");
}

// True in `*ret_is_signer` if the certificate carries issuer and serial number of the signer.
static MUST_CHECK enum err match_certificate(struct cursor certificate,
                                             const struct signer_info *signer, bool *ret_is_signer,
                                             struct error *e)
{
    struct der tbs, outer_algorithm, signature, version, serial, inner_algorithm, issuer;
    if (!der_take(&certificate, DER_SEQUENCE, &tbs) ||
        !der_take(&certificate, DER_SEQUENCE, &outer_algorithm) ||
        !der_take(&certificate, DER_BIT_STRING, &signature) || !at_end(&certificate)) {
        return refuse(e, "a certificate in it is not DER");
    }
    if (!der_take(&tbs.body, DER_CONTEXT_0, &version) ||
        !der_take(&tbs.body, DER_INTEGER, &serial) ||
        !der_take(&tbs.body, DER_SEQUENCE, &inner_algorithm) ||
        !der_take(&tbs.body, DER_SEQUENCE, &issuer)) {
        return refuse(e, "a certificate in it is not X.509 version 3");
    }
    *ret_is_signer = der_same(&issuer, &signer->issuer) && der_same(&serial, &signer->serial);
    // The outer copy is the one field of a certificate its own signature does not cover.
    if (*ret_is_signer && !der_same(&outer_algorithm, &inner_algorithm)) {
        return refuse(e, "the signer's certificate names two signature algorithms");
    }
    return OK;
}

static MUST_CHECK enum err find_signer(struct cursor certificates, const struct signer_info *signer,
                                       struct cms_profile *ret, struct error *e)
{
    size_t count = 0;
    size_t matches = 0;
    while (!at_end(&certificates)) {
        struct der certificate;
        bool is_signer = false;
        if (!der_take(&certificates, DER_SEQUENCE, &certificate)) {
            return refuse(e, "a certificate in it is not DER");
        }
        if (++count > CMS_CERTIFICATES_MAX) {
            return refuse(e, "carries more than 8 certificates");
        }
        enum err err = match_certificate(certificate.body, signer, &is_signer, e);
        if (err != OK) {
            return err;
        }
        if (is_signer) {
            matches++;
            ret->leaf = certificate.whole;
            ret->leaf_len = certificate.whole_len;
        }
    }
    if (matches == 0) {
        return refuse(e, "the signer's certificate is not in it");
    }
    return matches == 1 ? OK : refuse(e, "the signer's certificate is in it more than once");
}

enum err cms_profile_read(const uint8_t *record, size_t len, struct cms_profile *ret,
                          struct error *e)
{
    struct der body;
    struct signed_data data;
    struct signer_info signer = {0};
    struct cms_profile found = {0};
    enum err err;
    if ((err = read_content_info(record, len, &body, e)) != OK ||
        (err = read_signed_data(body.body, &data, e)) != OK ||
        (err = read_signer_info(data.signer_infos, &signer, e)) != OK) {
        return err;
    }
    if (!der_same(&data.digest_algorithm, &signer.digest_algorithm)) {
        return refuse(e, "digest algorithm is not the signer's");
    }
    if ((err = find_signer(data.certificates, &signer, &found, e)) != OK) {
        return err;
    }
    found.key = signer.key;
    *ret = found;
    return OK;
}
