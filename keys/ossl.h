// SPDX-License-Identifier: Apache-2.0
// Ownership by scope for OpenSSL objects, and its error queue as one sentence.
//
// Invariant: whoever calls into OpenSSL leaves the error queue of the thread empty, either by
// ossl_fail() or by ERR_clear_error().
#ifndef KEYS_OSSL_H
#define KEYS_OSSL_H

#include "base/cleanup.h"
#include "base/error.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

DEFINE_CLEANUP(bio, BIO *, BIO_free_all)
DEFINE_CLEANUP(bignum, BIGNUM *, BN_free)
DEFINE_CLEANUP(cms, CMS_ContentInfo *, CMS_ContentInfo_free)
DEFINE_CLEANUP(evp_md_ctx, EVP_MD_CTX *, EVP_MD_CTX_free)
DEFINE_CLEANUP(evp_pkey, EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(x509, X509 *, X509_free)
DEFINE_CLEANUP(x509_list, STACK_OF(X509) *, sk_X509_free) // the certificates are not owned
DEFINE_CLEANUP(x509_store, X509_STORE *, X509_STORE_free)
DEFINE_CLEANUP(x509_store_ctx, X509_STORE_CTX *, X509_STORE_CTX_free)

// Like fail(), with OpenSSL's own reason (the first it noted) behind the sentence; empties the
// queue.
enum err ossl_fail(struct error *e, enum err code, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
