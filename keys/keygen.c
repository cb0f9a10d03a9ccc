// SPDX-License-Identifier: Apache-2.0
#include "keys/keygen.h"

#include "base/file.h"
#include "base/hash.h"
#include "keys/ossl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { VALID_DAYS = 7305, SERIAL_BITS = 127, TAG_SIZE = 4 }; // 20 years; 16 bytes, positive

struct extension {
    int nid;
    const char *value;
};

static const struct extension root_extensions[] = {
    {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
    {NID_key_usage, "critical,keyCertSign,cRLSign"},
    {NID_subject_key_identifier, "hash"},
    {0, NULL},
};

static const struct extension signer_extensions[] = {
    {NID_basic_constraints, "critical,CA:FALSE"},   {NID_key_usage, "critical,digitalSignature"},
    {NID_ext_key_usage, "critical,codeSigning"},    {NID_subject_key_identifier, "hash"},
    {NID_authority_key_identifier, "keyid:always"}, {0, NULL},
};

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

static void cleanup_identity(struct identity *i)
{
    X509_free(i->cert);
    EVP_PKEY_free(i->key);
}

// The files of a set, in the order they are written; also what is removed when that fails.
enum { ROOT_CERT, ROOT_KEY, RELEASE_CERT, RELEASE_KEY, SECOND_CERT, SECOND_KEY, FILE_COUNT };
static const char *const file_names[FILE_COUNT] = {
    [ROOT_CERT] = "trust/root.pem", [ROOT_KEY] = "root.key",      [RELEASE_CERT] = "release.pem",
    [RELEASE_KEY] = "release.key",  [SECOND_CERT] = "second.pem", [SECOND_KEY] = "second.key",
};

// A directory beside the wanted one, where the set is made; removed with what is in it unless
// it was renamed into place.
struct staging {
    char *path;
    int fd;
};

static void cleanup_staging(struct staging *s)
{
    if (s->fd >= 0) {
        for (size_t i = 0; i < FILE_COUNT; i++) {
            (void)unlinkat(s->fd, file_names[i], 0);
        }
        (void)unlinkat(s->fd, "trust", AT_REMOVEDIR);
        close(s->fd);
    }
    if (s->path != NULL) {
        (void)rmdir(s->path);
        free(s->path);
    }
}

static MUST_CHECK bool set_serial(X509 *cert)
{
    CLEANUP(cleanup_bignum) BIGNUM *serial = BN_new();
    return serial != NULL &&
           BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
           BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL;
}

static MUST_CHECK bool set_extensions(X509 *cert, X509 *issuer, const struct extension *extensions)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    for (const struct extension *x = extensions; x->value != NULL; x++) {
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, x->nid, x->value);
        int added = extension == NULL ? 0 : X509_add_ext(cert, extension, -1);
        X509_EXTENSION_free(extension);
        if (added != 1) {
            return false;
        }
    }
    return true;
}

static MUST_CHECK bool set_name_and_times(X509 *cert, const char *name)
{
    return X509_set_version(cert, X509_VERSION_3) == 1 &&
           X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *)name, -1, -1, 0) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(cert), 0) != NULL &&
           X509_time_adj_ex(X509_getm_notAfter(cert), VALID_DAYS, 0, NULL) != NULL;
}

// `issuer` NULL: issued by itself.
static MUST_CHECK enum err make_identity(const char *role, const char *tag,
                                         const struct identity *issuer,
                                         const struct extension *extensions, struct identity *ret,
                                         struct error *e)
{
    char name[64];
    snprintf(name, sizeof(name), "%s %s", role, tag);
    ret->key = EVP_EC_gen("P-256");
    ret->cert = X509_new();
    if (ret->key == NULL || ret->cert == NULL) {
        return ossl_fail(e, ERR_INTERNAL, "cannot make a P-256 key");
    }
    const struct identity *by = issuer == NULL ? ret : issuer;
    if (!set_name_and_times(ret->cert, name) || !set_serial(ret->cert) ||
        X509_set_pubkey(ret->cert, ret->key) != 1 ||
        X509_set_issuer_name(ret->cert, X509_get_subject_name(by->cert)) != 1 ||
        !set_extensions(ret->cert, by->cert, extensions) ||
        X509_sign(ret->cert, by->key, EVP_sha256()) == 0) {
        return ossl_fail(e, ERR_INTERNAL, "cannot make the certificate of %s", name);
    }
    return OK;
}

static MUST_CHECK enum err write_file(const struct staging *s, const char *name, BIO *content,
                                      mode_t mode, struct error *e)
{
    const char *data = NULL;
    long len = BIO_get_mem_data(content, &data);
    CLEANUP(cleanup_close)
    int fd = openat(s->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return fail(e, ERR_IO, errno, "%s/%s: cannot create it", s->path, name);
    }
    enum err err = write_all(fd, data, (size_t)len, e);
    if (err != OK) {
        return error_context(e, "%s/%s", s->path, name);
    }
    if (fsync(fd) != 0) {
        return fail(e, ERR_IO, errno, "%s/%s: cannot write it to the medium", s->path, name);
    }
    return OK;
}

static MUST_CHECK enum err write_identity(const struct staging *s, const struct identity *i,
                                          const char *cert_name, const char *key_name,
                                          struct error *e)
{
    CLEANUP(cleanup_bio) BIO *cert = BIO_new(BIO_s_mem());
    CLEANUP(cleanup_bio) BIO *key = BIO_new(BIO_s_secmem());
    if (cert == NULL || key == NULL || PEM_write_bio_X509(cert, i->cert) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(key, i->key, NULL, NULL, 0, NULL, NULL) != 1) {
        return ossl_fail(e, ERR_INTERNAL, "cannot encode %s", cert_name);
    }
    enum err err = write_file(s, key_name, key, 0600, e);
    return err != OK ? err : write_file(s, cert_name, cert, 0644, e);
}

static MUST_CHECK enum err make_set(const struct staging *s, struct error *e)
{
    // Tells one set from another where only names are shown.
    uint8_t random[TAG_SIZE];
    char tag[2 * TAG_SIZE + 1];
    if (RAND_bytes(random, sizeof(random)) != 1) {
        return ossl_fail(e, ERR_INTERNAL, "no random numbers");
    }
    hex_encode(random, sizeof(random), tag);

    CLEANUP(cleanup_identity) struct identity root = {0};
    CLEANUP(cleanup_identity) struct identity release = {0};
    CLEANUP(cleanup_identity) struct identity second = {0};
    enum err err;
    if ((err = make_identity("Image root", tag, NULL, root_extensions, &root, e)) != OK ||
        (err = make_identity("Release signer", tag, &root, signer_extensions, &release, e)) != OK ||
        (err = make_identity("Second signer", tag, &root, signer_extensions, &second, e)) != OK ||
        (err = write_identity(s, &root, file_names[ROOT_CERT], file_names[ROOT_KEY], e)) != OK ||
        (err = write_identity(s, &release, file_names[RELEASE_CERT], file_names[RELEASE_KEY], e)) !=
            OK) {
        return err;
    }
    return write_identity(s, &second, file_names[SECOND_CERT], file_names[SECOND_KEY], e);
}

static MUST_CHECK enum err refuse_existing(const char *dir, struct error *e)
{
    return fail(e, ERR_CONFIG, 0, "%s exists and is not an empty directory: keys go to a new one",
                dir);
}

static MUST_CHECK enum err check_is_free(const char *dir, struct error *e)
{
    struct stat st;
    if (lstat(dir, &st) != 0) {
        return errno == ENOENT ? OK : fail(e, ERR_CONFIG, errno, "%s", dir);
    }
    DIR *d = S_ISDIR(st.st_mode) ? opendir(dir) : NULL;
    if (d == NULL) {
        return refuse_existing(dir, e);
    }
    size_t entries = 0;
    while (readdir(d) != NULL) {
        entries++;
    }
    closedir(d);
    return entries <= 2 ? OK : refuse_existing(dir, e); // "." and ".."
}

static MUST_CHECK enum err open_staging(const char *dir, size_t dir_len, struct staging *ret,
                                        struct error *e)
{
    char *path = NULL;
    if (asprintf(&path, "%.*s.XXXXXX", (int)dir_len, dir) < 0) {
        return fail_memory(e);
    }
    if (mkdtemp(path) == NULL) {
        int saved = errno;
        free(path);
        return fail(e, ERR_IO, saved, "%s: cannot make a directory beside it", dir);
    }
    ret->path = path;
    ret->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ret->fd < 0 || mkdirat(ret->fd, "trust", 0755) != 0) {
        return fail(e, ERR_IO, errno, "%s: cannot make a directory in it", path);
    }
    return OK;
}

enum err keygen_make(const char *dir, struct error *e)
{
    enum err err = check_is_free(dir, e);
    if (err != OK) {
        return err;
    }
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/') {
        len--;
    }
    CLEANUP(cleanup_staging) struct staging s = {.path = NULL, .fd = -1};
    if ((err = open_staging(dir, len, &s, e)) != OK || (err = make_set(&s, e)) != OK) {
        return err;
    }
    // An empty directory is replaced in the same step; one that filled up meanwhile is not.
    if (fsync(s.fd) != 0 || rename(s.path, dir) != 0) {
        return fail(e, ERR_IO, errno, "%s: cannot put the keys in place", dir);
    }
    close(TAKE_FD(s.fd));
    free(TAKE_PTR(s.path));
    return OK;
}
