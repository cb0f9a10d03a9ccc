// SPDX-License-Identifier: Apache-2.0
#include "keys/anchor.h"

#include "keys/cert.h"
#include "keys/ossl.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

// Level 3 is 128 bits of security: it refuses SHA-1 and SHA-224 under a certificate's signature.
enum { AUTH_LEVEL = 3 };

// The default purpose of CMS is S/MIME mail, which refuses a signer of code; EKU codeSigning is
// checked by cert_refuse_signing(). Times are checked by cert_check_time() against the time floor.
static MUST_CHECK enum err make_store(X509 *cert, X509_STORE **ret, struct error *e)
{
    CLEANUP(cleanup_x509_store) X509_STORE *store = X509_STORE_new();
    if (store == NULL) {
        return fail_memory(e);
    }
    X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);
    X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
    if (X509_STORE_add_cert(store, cert) != 1 ||
        X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY) != 1 ||
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME) !=
            1) {
        return ossl_fail(e, ERR_INTERNAL, "cannot set up a certificate store");
    }
    *ret = TAKE_PTR(store);
    return OK;
}

enum err anchor_init(X509 *cert, struct anchor *ret, struct error *e)
{
    char subject[CERT_SUBJECT_SIZE];
    const char *weak = cert_refuse_key(cert);
    if (weak != NULL) {
        return fail(e, ERR_CONFIG, 0, "certificate %s is refused: %s", cert_subject(cert, subject),
                    weak);
    }
    const char *no_signer = cert_refuse_signing(cert);
    const char *no_issuer = cert_refuse_issuing(cert);
    if (no_signer != NULL && no_issuer != NULL) {
        return fail(e, ERR_CONFIG, 0,
                    "certificate %s can neither issue certificates (%s) nor sign images (%s)",
                    cert_subject(cert, subject), no_issuer, no_signer);
    }
    X509_STORE *store = NULL;
    enum err err = make_store(cert, &store, e);
    if (err != OK) {
        return err;
    }
    X509_up_ref(cert);
    *ret = (struct anchor){.cert = cert, .store = store};
    return OK;
}

void anchor_clear(struct anchor *a)
{
    X509_free(a->cert);
    X509_STORE_free(a->store);
    *a = (struct anchor){0};
}

bool anchor_concerns(const struct anchor *a, X509 *leaf)
{
    return X509_cmp(a->cert, leaf) == 0 ||
           X509_NAME_cmp(X509_get_subject_name(a->cert), X509_get_issuer_name(leaf)) == 0;
}

static MUST_CHECK enum err check_issued(const struct anchor *a, X509 *leaf, struct error *e)
{
    char leaf_name[CERT_SUBJECT_SIZE], issuer_name[CERT_SUBJECT_SIZE];
    const char *no_issuer = cert_refuse_issuing(a->cert);
    if (no_issuer != NULL) {
        return fail(e, ERR_TRUST, 0, "certificate %s may not issue others: %s",
                    cert_subject(a->cert, issuer_name), no_issuer);
    }
    CLEANUP(cleanup_x509_store_ctx) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    if (ctx == NULL || X509_STORE_CTX_init(ctx, a->store, leaf, NULL) != 1) {
        return ossl_fail(e, ERR_INTERNAL, "cannot set up a certificate check");
    }
    int valid = X509_verify_cert(ctx);
    ERR_clear_error();
    if (valid != 1) {
        return fail(e, ERR_TRUST, 0, "certificate %s does not hold under %s: %s",
                    cert_subject(leaf, leaf_name), cert_subject(a->cert, issuer_name),
                    X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    }
    return OK;
}

enum err anchor_vouches(const struct anchor *a, X509 *leaf, uint64_t time_floor, struct error *e)
{
    if (X509_cmp(a->cert, leaf) != 0) {
        enum err err = check_issued(a, leaf, e);
        if (err != OK) {
            return err;
        }
        err = cert_check_time(a->cert, time_floor, e);
        if (err != OK) {
            return err;
        }
    }
    return cert_check_time(leaf, time_floor, e);
}
