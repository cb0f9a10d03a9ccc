// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include "base/openssl.h"

#include <openssl/evp.h>
#include <string.h>

struct hasher {
    EVP_MD *md;
    EVP_MD_CTX *ctx;
};

enum err hasher_new(struct hasher **ret_hasher, struct error *e)
{
    CLEANUP(cleanup_hasher) struct hasher *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return fail_memory(e);
    }
    h->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    h->ctx = EVP_MD_CTX_new();
    if (h->md == NULL || h->ctx == NULL) {
        return fail_openssl(e, "sha256: fetch the algorithm");
    }
    *ret_hasher = TAKE_PTR(h);
    return OK;
}

void hasher_free(struct hasher *h)
{
    if (h != NULL) {
        EVP_MD_CTX_free(h->ctx);
        EVP_MD_free(h->md);
        free(h);
    }
}

enum err hasher_begin(struct hasher *h, struct error *e)
{
    if (EVP_DigestInit_ex2(h->ctx, h->md, NULL) != 1) {
        return fail_openssl(e, "sha256: begin");
    }
    return OK;
}

enum err hasher_add(struct hasher *h, const void *data, size_t len, struct error *e)
{
    if (len > 0 && EVP_DigestUpdate(h->ctx, data, len) != 1) {
        return fail_openssl(e, "sha256: add");
    }
    return OK;
}

enum err hasher_end(struct hasher *h, uint8_t ret_digest[SHA256_SIZE], struct error *e)
{
    if (EVP_DigestFinal_ex(h->ctx, ret_digest, NULL) != 1) {
        return fail_openssl(e, "sha256: end");
    }
    return OK;
}

enum err hasher_sha256(struct hasher *h, const void *data, size_t len,
                       uint8_t ret_digest[SHA256_SIZE], struct error *e)
{
    enum err err = hasher_begin(h, e);
    if (err == OK) {
        err = hasher_add(h, data, len, e);
    }
    if (err == OK) {
        err = hasher_end(h, ret_digest, e);
    }
    return err;
}

enum err hasher_check(struct hasher *h, const void *data, size_t len, const uint8_t *expected,
                      size_t n, const char *sentence, struct error *e)
{
    uint8_t digest[SHA256_SIZE];
    enum err err = hasher_sha256(h, data, len, digest, e);
    if (err == OK && memcmp(digest, expected, n) != 0) {
        err = fail(e, ERR_FORMAT, 0, "%s", sentence);
    }
    return err;
}

// Entry i is the register after four shifts from i, polynomial 0x1EDC6F41 reflected (0x82F63B78).
// Half a byte a step: only headers of some hundred bytes are summed, a larger table buys nothing.
static const uint32_t crc32c_nibble[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c(const void *data, size_t len)
{
    const uint8_t *p = data;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        crc = (crc >> 4) ^ crc32c_nibble[crc & 15];
        crc = (crc >> 4) ^ crc32c_nibble[crc & 15];
    }
    return ~crc;
}

void hex_encode(const void *data, size_t len, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++) {
        ret[2 * i] = digits[p[i] >> 4];
        ret[2 * i + 1] = digits[p[i] & 15];
    }
    ret[2 * len] = '\0';
}

// 16 for anything that is not a lower-case hex digit.
static unsigned hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0');
    }
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

bool hex_decode(const char *text, size_t len, uint8_t *ret)
{
    // Checked whole first: nothing is written on refusal. Stops at the NUL of a short text.
    for (size_t i = 0; i < 2 * len; i++) {
        if (hex_value(text[i]) > 15) {
            return false;
        }
    }
    if (text[2 * len] != '\0') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        ret[i] = (uint8_t)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
    }
    return true;
}
