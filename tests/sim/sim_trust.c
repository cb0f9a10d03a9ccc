// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_trust.h"

#include "base/hash.h"
#include "keys/ossl.h"
#include "keys/record.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

enum err __real_record_verify(const struct anchor *anchors, size_t anchor_count,
                              uint64_t time_floor, const uint8_t *message, size_t len,
                              const struct signature_record *record, X509 **ret_signer,
                              struct error *e);
enum err __wrap_record_verify(const struct anchor *anchors, size_t anchor_count,
                              uint64_t time_floor, const uint8_t *message, size_t len,
                              const struct signature_record *record, X509 **ret_signer,
                              struct error *e);

struct verdict {
    struct verdict *next;
    uint8_t key[SHA256_SIZE];
    X509 *signer;        // NULL: refused
    struct error reason; // then
};

enum { BUCKETS = 4096 };

// record_verify() has no parameter that could carry it.
static struct {
    struct verdict *buckets[BUCKETS];
    struct sim_trust_counts counts;
    EVP_MD *md; // fetching it costs as much as a small message
    EVP_MD_CTX *ctx;
} memo;

// Only the end of memory gets here, and a simulation without a memo is of no use.
static void must(bool done)
{
    if (!done) {
        abort();
    }
}

static void add(const void *data, size_t len)
{
    const uint64_t prefix = len;
    must(EVP_DigestUpdate(memo.ctx, &prefix, sizeof prefix) == 1);
    must(len == 0 || EVP_DigestUpdate(memo.ctx, data, len) == 1);
}

// Its store holds this one certificate and what anchor_init() always sets (keys/anchor.h).
static void add_anchor(const struct anchor *a)
{
    uint8_t *der = NULL;
    int len = i2d_X509(a->cert, &der);
    must(len > 0);
    add(der, (size_t)len);
    OPENSSL_free(der);
}

static void begin_key(void)
{
    if (memo.md == NULL) {
        memo.md = EVP_MD_fetch(NULL, "SHA256", NULL);
        memo.ctx = EVP_MD_CTX_new();
    }
    must(memo.md != NULL && memo.ctx != NULL);
    must(EVP_DigestInit_ex2(memo.ctx, memo.md, NULL) == 1);
}

static void make_key(const struct anchor *anchors, size_t anchor_count, uint64_t time_floor,
                     const uint8_t *message, size_t len, const struct signature_record *record,
                     uint8_t ret[SHA256_SIZE])
{
    begin_key();
    add(&anchor_count, sizeof anchor_count);
    for (size_t i = 0; i < anchor_count; i++) {
        add_anchor(&anchors[i]);
    }
    add(&time_floor, sizeof time_floor);
    add(message, len);
    add(&record->type, sizeof record->type);
    add(record->data, record->len);
    must(EVP_DigestFinal_ex(memo.ctx, ret, NULL) == 1);
}

static struct verdict **bucket_of(const uint8_t key[SHA256_SIZE])
{
    uint32_t number;
    memcpy(&number, key, sizeof number);
    return &memo.buckets[number % BUCKETS];
}

static const struct verdict *find(const uint8_t key[SHA256_SIZE])
{
    const struct verdict *v = *bucket_of(key);
    while (v != NULL && memcmp(v->key, key, SHA256_SIZE) != 0) {
        v = v->next;
    }
    return v;
}

static void remember(const uint8_t key[SHA256_SIZE], X509 *signer, const struct error *reason)
{
    struct verdict *v = OPENSSL_zalloc(sizeof *v);
    must(v != NULL);
    memcpy(v->key, key, SHA256_SIZE);
    if (signer != NULL) {
        X509_up_ref(signer);
        v->signer = signer;
    } else {
        v->reason = *reason;
    }
    struct verdict **bucket = bucket_of(key);
    v->next = *bucket;
    *bucket = v;
}

static enum err repeat(const struct verdict *v, X509 **ret_signer, struct error *e)
{
    if (v->signer == NULL) {
        *e = v->reason;
        return e->code;
    }
    X509_up_ref(v->signer);
    *ret_signer = v->signer;
    return OK;
}

enum err __wrap_record_verify(const struct anchor *anchors, size_t anchor_count,
                              uint64_t time_floor, const uint8_t *message, size_t len,
                              const struct signature_record *record, X509 **ret_signer,
                              struct error *e)
{
    uint8_t key[SHA256_SIZE];
    make_key(anchors, anchor_count, time_floor, message, len, record, key);
    memo.counts.asked++;
    const struct verdict *known = find(key);
    if (known != NULL) {
        return repeat(known, ret_signer, e);
    }
    memo.counts.verified++;
    enum err err = __real_record_verify(anchors, anchor_count, time_floor, message, len, record,
                                        ret_signer, e);
    if (err == OK) {
        remember(key, *ret_signer, NULL);
    } else if (err == ERR_TRUST) {
        remember(key, NULL, e);
    }
    return err;
}

struct sim_trust_counts sim_trust_counts(void)
{
    return memo.counts;
}

void sim_trust_clear(void)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct verdict *v = memo.buckets[i];
        while (v != NULL) {
            struct verdict *next = v->next;
            X509_free(v->signer);
            OPENSSL_free(v);
            v = next;
        }
        memo.buckets[i] = NULL;
    }
    EVP_MD_CTX_free(memo.ctx);
    EVP_MD_free(memo.md);
    memo.ctx = NULL;
    memo.md = NULL;
    memo.counts = (struct sim_trust_counts){0};
}
