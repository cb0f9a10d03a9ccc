// SPDX-License-Identifier: Apache-2.0
#include "base/fingerprint.h"

#include "base/openssl.h"

#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

struct fingerprinter {
    struct fingerprint_key key;
    EVP_MAC *mac;
    EVP_MAC_CTX *ctx;
};

enum err fingerprint_key_make(struct fingerprint_key *ret, struct error *e)
{
    // OpenSSL's own generator is 100 KiB that nobody else here needs.
    if (getrandom(ret->bytes, sizeof ret->bytes, 0) != sizeof ret->bytes) {
        return fail(e, ERR_INTERNAL, errno, "poly1305: make a key");
    }
    return OK;
}

enum err fingerprinter_new(const struct fingerprint_key *key, struct fingerprinter **ret,
                           struct error *e)
{
    CLEANUP(cleanup_fingerprinter) struct fingerprinter *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return fail_memory(e);
    }
    f->key = *key;
    f->mac = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    f->ctx = f->mac != NULL ? EVP_MAC_CTX_new(f->mac) : NULL;
    if (f->ctx == NULL) {
        return fail_openssl(e, "poly1305: fetch the algorithm");
    }
    *ret = TAKE_PTR(f);
    return OK;
}

void fingerprinter_free(struct fingerprinter *f)
{
    if (f != NULL) {
        EVP_MAC_CTX_free(f->ctx);
        EVP_MAC_free(f->mac);
        free(f);
    }
}

enum err fingerprint_begin(struct fingerprinter *f, struct error *e)
{
    if (EVP_MAC_init(f->ctx, f->key.bytes, sizeof f->key.bytes, NULL) != 1) {
        return fail_openssl(e, "poly1305: begin");
    }
    return OK;
}

enum err fingerprint_add(struct fingerprinter *f, const void *data, size_t len, struct error *e)
{
    if (len > 0 && EVP_MAC_update(f->ctx, data, len) != 1) {
        return fail_openssl(e, "poly1305: add");
    }
    return OK;
}

enum err fingerprint_end(struct fingerprinter *f, struct fingerprint *ret, struct error *e)
{
    size_t len;
    if (EVP_MAC_final(f->ctx, ret->bytes, &len, sizeof ret->bytes) != 1) {
        return fail_openssl(e, "poly1305: end");
    }
    return OK;
}

bool fingerprint_equal(const struct fingerprint *a, const struct fingerprint *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}
