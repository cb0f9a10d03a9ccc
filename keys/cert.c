// SPDX-License-Identifier: Apache-2.0
#include "keys/cert.h"

#include "keys/ossl.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { RSA_MIN_BITS = 3072 };

// A curve spelled out by its parameters could be one that only looks like P-256.
static bool is_named_curve(const EVP_PKEY *key)
{
    char name[32];
    int is_explicit = 0;
    if (EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) != 1 ||
        EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                               &is_explicit) != 1) {
        return false;
    }
    return is_explicit == 0 &&
           (strcmp(name, SN_X9_62_prime256v1) == 0 || strcmp(name, SN_secp384r1) == 0);
}

enum cert_key cert_key_kind(const X509 *cert)
{
    const EVP_PKEY *key = X509_get0_pubkey(cert);
    enum cert_key kind = CERT_KEY_REFUSED;
    if (key == NULL) {
        kind = CERT_KEY_REFUSED;
    } else if (EVP_PKEY_is_a(key, "EC") == 1) {
        kind = is_named_curve(key) ? CERT_KEY_EC : CERT_KEY_REFUSED;
    } else if (EVP_PKEY_is_a(key, "RSA") == 1) {
        kind = EVP_PKEY_get_bits(key) >= RSA_MIN_BITS ? CERT_KEY_RSA : CERT_KEY_REFUSED;
    } else if (EVP_PKEY_is_a(key, "ED25519") == 1) {
        kind = CERT_KEY_ED25519;
    }
    ERR_clear_error();
    return kind;
}

const char *cert_refuse_key(const X509 *cert)
{
    if (cert_key_kind(cert) == CERT_KEY_REFUSED) {
        return "its key is none of ECDSA P-256, ECDSA P-384, RSA of at least 3072 bits, Ed25519";
    }
    return NULL;
}

static const char *refuse_unreadable(X509 *cert)
{
    uint64_t not_after;
    if ((X509_get_extension_flags(cert) & EXFLAG_INVALID) != 0) {
        return "its extensions cannot be read";
    }
    if (!cert_not_after(cert, &not_after)) {
        return "its notAfter cannot be read";
    }
    return NULL;
}

const char *cert_refuse_signing(X509 *cert)
{
    const char *why = refuse_unreadable(cert);
    if (why != NULL) {
        return why;
    }
    uint32_t flags = X509_get_extension_flags(cert);
    if ((flags & EXFLAG_XKUSAGE) == 0 || (X509_get_extended_key_usage(cert) & XKU_CODE_SIGN) == 0) {
        return "it lacks the extended key usage codeSigning";
    }
    if ((flags & EXFLAG_KUSAGE) != 0 &&
        (X509_get_key_usage(cert) & X509v3_KU_DIGITAL_SIGNATURE) == 0) {
        return "its key usage lacks digitalSignature";
    }
    return NULL;
}

const char *cert_refuse_issuing(X509 *cert)
{
    const char *why = refuse_unreadable(cert);
    if (why != NULL) {
        return why;
    }
    uint32_t flags = X509_get_extension_flags(cert);
    if ((flags & EXFLAG_CA) == 0) {
        return "it is no CA (basic constraint CA:true)";
    }
    if ((flags & EXFLAG_KUSAGE) == 0 || (X509_get_key_usage(cert) & X509v3_KU_KEY_CERT_SIGN) == 0) {
        return "its key usage lacks keyCertSign";
    }
    return NULL;
}

// timegm() would end in 2038 where time_t has 32 bits, and keys are made for 20 years.
static uint64_t seconds_since_1970(const struct tm *tm)
{
    // Days of the Gregorian calendar with years that begin in March, so that the leap day is last.
    int64_t year = tm->tm_year + INT64_C(1900) - (tm->tm_mon < 2 ? 1 : 0);
    int64_t month = (tm->tm_mon + 10) % 12;
    int64_t days = 365 * year + year / 4 - year / 100 + year / 400 + (306 * month + 5) / 10 +
                   tm->tm_mday - 1 - 719468;
    int64_t seconds =
        days * 86400 + tm->tm_hour * INT64_C(3600) + tm->tm_min * INT64_C(60) + tm->tm_sec;
    return seconds < 0 ? 0 : (uint64_t)seconds;
}

bool cert_not_after(const X509 *cert, uint64_t *ret_s)
{
    struct tm tm;
    int known = ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm);
    ERR_clear_error();
    if (known != 1) {
        return false;
    }
    *ret_s = seconds_since_1970(&tm);
    return true;
}

enum err cert_check_time(const X509 *cert, uint64_t time_floor, struct error *e)
{
    char subject[CERT_SUBJECT_SIZE];
    uint64_t not_after;
    if (!cert_not_after(cert, &not_after)) {
        return fail(e, ERR_TRUST, 0, "certificate %s: its notAfter cannot be read",
                    cert_subject(cert, subject));
    }
    if (not_after >= time_floor) {
        return OK;
    }
    struct tm day = {0};
    (void)ASN1_TIME_to_tm(X509_get0_notAfter(cert), &day);
    return fail(e, ERR_TRUST, 0, "certificate %s expired on %04d-%02d-%02d",
                cert_subject(cert, subject), day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
}

const char *cert_subject(const X509 *cert, char ret[CERT_SUBJECT_SIZE])
{
    CLEANUP(cleanup_bio) BIO *out = BIO_new(BIO_s_mem());
    int len = 0;
    if (out != NULL &&
        X509_NAME_print_ex(out, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0) {
        len = BIO_read(out, ret, CERT_SUBJECT_SIZE - 1);
    }
    ERR_clear_error();
    if (len <= 0) {
        len = snprintf(ret, CERT_SUBJECT_SIZE, "(no subject)");
    }
    ret[len] = '\0';
    return ret;
}

enum err cert_key_id(const X509 *cert, uint8_t ret[SHA256_SIZE], struct error *e)
{
    uint8_t *spki = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki);
    if (len <= 0) {
        return ossl_fail(e, ERR_INTERNAL, "public key of a certificate cannot be encoded");
    }
    int done = EVP_Digest(spki, (size_t)len, ret, NULL, EVP_sha256(), NULL);
    OPENSSL_free(spki);
    if (done != 1) {
        return ossl_fail(e, ERR_INTERNAL, "SHA-256 of a public key failed");
    }
    return OK;
}

bool cert_same_key(const X509 *a, const X509 *b)
{
    const EVP_PKEY *key_a = X509_get0_pubkey(a);
    const EVP_PKEY *key_b = X509_get0_pubkey(b);
    bool same = key_a != NULL && key_b != NULL && EVP_PKEY_eq(key_a, key_b) == 1;
    ERR_clear_error();
    return same;
}
