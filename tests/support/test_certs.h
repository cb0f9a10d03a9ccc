// SPDX-License-Identifier: Apache-2.0
// Keys, certificates and signatures of all kinds for tests, made at run time: good ones, and the
// odd ones no decent CA would issue. A failure to make one fails the test.
#ifndef TESTS_SUPPORT_TEST_CERTS_H
#define TESTS_SUPPORT_TEST_CERTS_H

#include "base/error.h"
#include "format/signature_area.h"

#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

struct test_cert {
    X509 *cert;
    EVP_PKEY *key;
};

struct test_cert_spec {
    const char *subject;
    const char *key;                // "P-256" if NULL; a curve, "RSA-2048", "RSA-3072", "ED25519"
    EVP_PKEY *same_key;             // instead of a new one
    const struct test_cert *issuer; // NULL: by itself
    const char *constraints;        // openssl.cnf syntax; NULL: extension left out
    const char *usage;
    const char *extended_usage;
    const char *digest;    // "SHA256" if NULL
    const char *not_after; // "20460101000000Z" if NULL
    bool no_key_ids;       // no subject and authority key identifiers
};

struct test_cert test_cert_make(const struct test_cert_spec *spec);
struct test_cert test_ca(const char *subject, const struct test_cert *issuer);
struct test_cert test_signer(const char *subject, const struct test_cert *issuer);
void test_cert_clear(struct test_cert *c);

// DIR/NAME, PEM.
void test_cert_write(const struct test_cert *c, const char *dir, const char *name);
void test_key_write(const struct test_cert *c, const char *dir, const char *name);
void test_text_write(const char *dir, const char *name, const char *text);

// A detached CMS; `flags` as for CMS_sign (CMS_NOATTR for none of the signed attributes), `extra`
// embedded beside the signer, may be NULL. `record.data` belongs to the caller.
struct signature_record test_cms(const struct test_cert *signer, const char *digest, unsigned flags,
                                 X509 *extra, const void *message, size_t len);
// The DER of a CMS a test has put together itself; releases it.
struct signature_record test_cms_encode(CMS_ContentInfo *cms);
struct signature_record test_ed25519(const struct test_cert *signer, const void *message,
                                     size_t len);
// The same by the openssl program, as somebody else's build would do it; works in `dir`.
struct signature_record test_cms_by_openssl(const char *dir, const struct test_cert *signer,
                                            const void *message, size_t len, const char *options);
void test_record_clear(struct signature_record *r);

// record_verify() with one certificate pinned; checks that nothing is left behind.
enum err test_verify(const struct test_cert *pinned, const struct signature_record *record,
                     const void *message, size_t len, struct error *e);

// Runs a shell command that must succeed.
void test_shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
