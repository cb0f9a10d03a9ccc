// SPDX-License-Identifier: Apache-2.0
#include "keys/trust_store.h"

#include "base/file.h"
#include "keys/ossl.h"
#include "keys/trust.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

enum { CERT_FILE_MAX = 1 << 20 };

static bool ends_with(const char *name, const char *ending)
{
    size_t len = strlen(name);
    size_t end = strlen(ending);
    return len > end && strcmp(name + len - end, ending) == 0;
}

// *.key is listed so that it can be refused: a whole key directory copied to a device by mistake.
static int is_wanted(const struct dirent *entry)
{
    return entry->d_name[0] != '.' &&
           (ends_with(entry->d_name, ".pem") || ends_with(entry->d_name, ".crt") ||
            ends_with(entry->d_name, ".key"));
}

static int in_byte_order(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static MUST_CHECK enum err add_certificate(struct trust_store *t, const uint8_t *der, long len,
                                           struct error *e)
{
    const uint8_t *at = der;
    CLEANUP(cleanup_x509) X509 *cert = d2i_X509(NULL, &at, len);
    if (cert == NULL || at != der + len) {
        return ossl_fail(e, ERR_CONFIG, "holds a certificate that cannot be read");
    }
    struct anchor *grown = reallocarray(t->anchors, t->count + 1, sizeof(*grown));
    if (grown == NULL) {
        return fail_memory(e);
    }
    t->anchors = grown;
    enum err err = anchor_init(cert, &t->anchors[t->count], e);
    if (err == OK) {
        t->count++;
    }
    return err;
}

static MUST_CHECK enum err refuse_private_key(struct error *e)
{
    return fail(e, ERR_CONFIG, 0,
                "is a private key: it must not be on a device, remove it and consider it stolen");
}

static MUST_CHECK enum err add_block(struct trust_store *t, const char *kind, const uint8_t *data,
                                     long len, struct error *e)
{
    if (strstr(kind, PEM_STRING_PKCS8INF) != NULL) {
        return refuse_private_key(e);
    }
    if (strcmp(kind, PEM_STRING_X509) != 0) {
        return fail(e, ERR_CONFIG, 0, "holds a '%s', only certificates belong there", kind);
    }
    return add_certificate(t, data, len, e);
}

static MUST_CHECK enum err add_blocks(struct trust_store *t, BIO *in, struct error *e)
{
    for (size_t blocks = 0;; blocks++) {
        char *kind = NULL;
        char *header = NULL;
        uint8_t *data = NULL;
        long len = 0;
        if (PEM_read_bio(in, &kind, &header, &data, &len) != 1) {
            bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
            if (ended && blocks > 0) {
                ERR_clear_error();
                return OK;
            }
            return ossl_fail(e, ERR_CONFIG, ended ? "holds no PEM certificate" : "is damaged");
        }
        enum err err = add_block(t, kind, data, len, e);
        OPENSSL_free(kind);
        OPENSSL_free(header);
        OPENSSL_free(data);
        if (err != OK) {
            return err;
        }
    }
}

static MUST_CHECK enum err add_text(struct trust_store *t, const uint8_t *text, size_t len,
                                    struct error *e)
{
    CLEANUP(cleanup_bio) BIO *in = BIO_new_mem_buf(text, (int)len);
    if (in == NULL) {
        return fail_memory(e);
    }
    return add_blocks(t, in, e);
}

static MUST_CHECK enum err add_file(struct trust_store *t, const char *path, struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *text = NULL;
    size_t len = 0;
    enum err err;
    if (ends_with(path, ".key")) {
        err = refuse_private_key(e);
    } else if (file_read(path, CERT_FILE_MAX, &text, &len, e) != OK) {
        e->code = ERR_CONFIG; // the directory is the operator's; the sentence names the file
        return ERR_CONFIG;
    } else {
        err = add_text(t, text, len, e);
    }
    return err == OK ? OK : error_context(e, "%s", path);
}

static MUST_CHECK enum err add_entry(struct trust_store *t, const char *dir, const char *name,
                                     struct error *e)
{
    CLEANUP(cleanup_free) char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        path = NULL;
        return fail_memory(e);
    }
    return add_file(t, path, e);
}

static MUST_CHECK enum err load_entries(const char *dir, struct dirent **entries, int count,
                                        struct trust_store **ret, struct error *e)
{
    CLEANUP(cleanup_trust_store) struct trust_store *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return fail_memory(e);
    }
    for (int i = 0; i < count; i++) {
        enum err err = add_entry(t, dir, entries[i]->d_name, e);
        if (err != OK) {
            return err;
        }
    }
    if (t->count == 0) {
        return fail(e, ERR_CONFIG, 0,
                    "trust directory %s: no certificate (*.pem, *.crt) in it, nothing could verify",
                    dir);
    }
    *ret = TAKE_PTR(t);
    return OK;
}

enum err trust_store_load(const char *dir, struct trust_store **ret, struct error *e)
{
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, is_wanted, in_byte_order);
    if (count < 0) {
        return fail(e, ERR_CONFIG, errno, "trust directory %s", dir);
    }
    enum err err = load_entries(dir, entries, count, ret, e);
    for (int i = 0; i < count; i++) {
        free(entries[i]);
    }
    free((void *)entries);
    return err;
}

void trust_store_free(struct trust_store *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        anchor_clear(&t->anchors[i]);
    }
    free(t->anchors);
    free(t);
}
