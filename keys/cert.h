// SPDX-License-Identifier: Apache-2.0
// What this project asks of an X.509 certificate, apart from who issued it.
//
// Rules (docs/trust.md)
// 1. Keys: ECDSA on the named curves P-256 and P-384, RSA of at least 3072 bits, Ed25519.
// 2. Who signs images says so: EKU codeSigning (anyExtendedKeyUsage is not enough), and
//    digitalSignature if it has a key usage at all.
// 3. Who issues certificates says so: CA:true and key usage keyCertSign.
// 4. notBefore is never looked at: a device without a clock must not refuse a fresh certificate.
#ifndef KEYS_CERT_H
#define KEYS_CERT_H

#include "base/error.h"
#include "base/hash.h"

#include <openssl/x509.h>
#include <stdint.h>

enum cert_key { CERT_KEY_REFUSED, CERT_KEY_EC, CERT_KEY_RSA, CERT_KEY_ED25519 };

enum { CERT_SUBJECT_SIZE = 128 };

enum cert_key cert_key_kind(const X509 *cert);

// Each is NULL if the certificate may, else why not: the end of a sentence about it.
const char *cert_refuse_key(const X509 *cert);
const char *cert_refuse_signing(X509 *cert);
const char *cert_refuse_issuing(X509 *cert);

// notAfter in seconds since 1970 (0 for earlier dates); false if the field cannot be read.
MUST_CHECK bool cert_not_after(const X509 *cert, uint64_t *ret_s);

// ERR_TRUST if notAfter < time_floor; names the certificate and the day.
MUST_CHECK enum err cert_check_time(const X509 *cert, uint64_t time_floor, struct error *e);

// The subject for people: control and non-ASCII bytes escaped, cut to the size of the buffer.
const char *cert_subject(const X509 *cert, char ret[CERT_SUBJECT_SIZE]);

// SHA-256 of the SubjectPublicKeyInfo as it stands in the certificate: the key id of type 2
// records.
MUST_CHECK enum err cert_key_id(const X509 *cert, uint8_t ret[SHA256_SIZE], struct error *e);

// The same public key, in whatever spelling each certificate has it.
bool cert_same_key(const X509 *a, const X509 *b);

#endif
