// SPDX-License-Identifier: Apache-2.0
#include "tests/support/cms_recipe.h"

#include "keys/der.h"
#include "tests/support/expect.h"

void bytes_put(struct bytes *b, const void *data, size_t len)
{
    assert_true(len <= sizeof(b->data) - b->len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

struct bytes bytes_wrap(uint8_t tag, const struct bytes *body)
{
    struct bytes out = {.len = 0};
    uint8_t header[4] = {tag};
    size_t header_len = 2;
    if (body->len < 0x80) {
        header[1] = (uint8_t)body->len;
    } else if (body->len < 0x100) {
        header[1] = 0x81;
        header[2] = (uint8_t)body->len;
        header_len = 3;
    } else {
        header[1] = 0x82;
        header[2] = (uint8_t)(body->len >> 8);
        header[3] = (uint8_t)body->len;
        header_len = 4;
    }
    bytes_put(&out, header, header_len);
    bytes_put(&out, body->data, body->len);
    return out;
}

void recipe_set(struct recipe *r, enum piece piece, const void *data, size_t len)
{
    r->pieces[piece].len = 0;
    bytes_put(&r->pieces[piece], data, len);
}

struct bytes bytes_of_certificate(const struct test_cert *c)
{
    struct bytes out = {.len = 0};
    unsigned char *der = NULL;
    int len = i2d_X509(c->cert, &der);
    assert_true(len > 0);
    bytes_put(&out, der, (size_t)len);
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
    bytes_put(&id, issuer, (size_t)issuer_len);
    bytes_put(&id, serial, (size_t)serial_len);
    OPENSSL_free(serial);
    OPENSSL_free(issuer);
    r->pieces[SIGNER_ID] = bytes_wrap(DER_SEQUENCE, &id);
}

void recipe_set_certificates(struct recipe *r, const struct bytes *certificates, size_t count)
{
    struct bytes body = {.len = 0};
    for (size_t i = 0; i < count; i++) {
        bytes_put(&body, certificates->data, certificates->len);
    }
    r->pieces[CERTIFICATES] = bytes_wrap(DER_CONTEXT_0, &body);
}

void recipe_free(struct recipe *r)
{
    test_free(r);
}

struct recipe *recipe_good(const struct test_cert *signer)
{
    struct recipe *r = test_calloc(1, sizeof(*r));
    SET(r, CONTENT_TYPE, OID_SIGNED_DATA);
    SET(r, VERSION, "\x02\x01\x01");
    SET(r, DIGESTS, "\x31\x0d" SHA256_ABSENT);
    SET(r, CONTENT, "\x30\x0b" OID_DATA);
    struct bytes certificate = bytes_of_certificate(signer);
    recipe_set_certificates(r, &certificate, 1);
    SET(r, INFO_VERSION, "\x02\x01\x01");
    set_signer(r, signer);
    SET(r, DIGEST, SHA256_ABSENT);
    SET(r, SIGNATURE_ALGORITHM, ECDSA_SHA256);
    SET(r, SIGNATURE, "\x04\x02\xaa\xbb");
    return r;
}

static void put_piece(struct bytes *b, const struct recipe *r, enum piece piece)
{
    bytes_put(b, r->pieces[piece].data, r->pieces[piece].len);
}

static struct bytes wrap_or(uint8_t tag, uint8_t usual, const struct bytes *body)
{
    struct bytes nothing = {.len = 0};
    return tag == TAG_LEFT_OUT ? nothing : bytes_wrap(tag == TAG_USUAL ? usual : tag, body);
}

struct bytes recipe_compose(const struct recipe *r)
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
    bytes_put(&data, set_of.data, set_of.len);
    put_piece(&data, r, BEHIND_SIGNERS);
    struct bytes signed_data = wrap_or(r->signed_data_tag, DER_SEQUENCE, &data);
    put_piece(&signed_data, r, BEHIND_SIGNED_DATA);
    struct bytes wrapper = wrap_or(r->wrapper_tag, DER_CONTEXT_0, &signed_data);
    struct bytes outer = {.len = 0};
    put_piece(&outer, r, CONTENT_TYPE);
    bytes_put(&outer, wrapper.data, wrapper.len);
    put_piece(&outer, r, BEHIND_WRAPPER);
    struct bytes record = bytes_wrap(DER_SEQUENCE, &outer);
    put_piece(&record, r, BEHIND_ALL);
    return record;
}
