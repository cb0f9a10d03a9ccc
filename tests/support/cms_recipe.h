// SPDX-License-Identifier: Apache-2.0
// A CMS record put together piece by piece, right or wrong as a test wants it. No signature in it
// is ever made: this is for tests of form.
#ifndef TESTS_SUPPORT_CMS_RECIPE_H
#define TESTS_SUPPORT_CMS_RECIPE_H

#include "tests/support/test_certs.h"

#include <stdint.h>

struct bytes {
    uint8_t data[12000];
    size_t len;
};

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

// A tag of an element that holds pieces: as it should be, or left out with all it holds.
enum { TAG_USUAL = 0, TAG_LEFT_OUT = 0xff };

struct recipe {
    struct bytes pieces[PIECE_COUNT];
    uint8_t wrapper_tag, signed_data_tag, signers_tag, signer_tag;
};

// Whole elements.
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

// A record of the accepted form by `signer`; ends with recipe_free().
struct recipe *recipe_good(const struct test_cert *signer);
void recipe_free(struct recipe *r);

void recipe_set(struct recipe *r, enum piece piece, const void *data, size_t len);
#define SET(r, piece, literal) recipe_set((r), (piece), (literal), sizeof(literal) - 1)
// `certificates` stand one behind the other, and that `count` times.
void recipe_set_certificates(struct recipe *r, const struct bytes *certificates, size_t count);

struct bytes recipe_compose(const struct recipe *r);

struct bytes bytes_of_certificate(const struct test_cert *c);
void bytes_put(struct bytes *b, const void *data, size_t len);
// An element of up to 64 KiB around `body`.
struct bytes bytes_wrap(uint8_t tag, const struct bytes *body);

#endif
