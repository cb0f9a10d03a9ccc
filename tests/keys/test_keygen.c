// SPDX-License-Identifier: Apache-2.0
#include "keys/keygen.h"

#include "keys/cert.h"
#include "keys/ossl.h"
#include "keys/sign.h"
#include "keys/trust.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

static const uint8_t message[] = "\x89VVI\r\n\x1a\n header and manifest";

static const char *path_in(const char *dir, const char *name)
{
    static char path[4096];
    return temp_dir_path(path, sizeof(path), dir, name);
}

static X509 *read_cert(const char *dir, const char *name)
{
    FILE *f = fopen(path_in(dir, name), "r");
    assert_non_null(f);
    X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    assert_non_null(cert);
    return cert;
}

static size_t entries_of(const char *dir)
{
    size_t count = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (const struct dirent *entry; (entry = readdir(d)) != NULL;) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(d);
    return count;
}

static void make_keys(const char *dir, char *ret_keys, size_t len)
{
    struct error e;
    temp_dir_path(ret_keys, len, dir, "keys");
    assert_ok(keygen_make(ret_keys, &e));
}

static void sign_with(const char *keys, const char *cert_name, const char *key_name,
                      struct signature_list *list)
{
    struct error e;
    char cert[1024], key[1024];
    CLEANUP(cleanup_signer) struct signer *s = NULL;
    uint16_t type;
    uint8_t *data;
    size_t len;
    assert_ok(signer_load(temp_dir_path(cert, sizeof(cert), keys, cert_name),
                          temp_dir_path(key, sizeof(key), keys, key_name), &s, &e));
    assert_ok(signer_sign(s, message, sizeof(message), &type, &data, &len, &e));
    list->records[list->count++] =
        (struct signature_record){.type = type, .len = (uint32_t)len, .data = data};
}

static void a_set_signs_with_two_signers_that_its_trust_directory_believes(void **state)
{
    struct error e;
    char keys[512];
    make_keys(*state, keys, sizeof(keys));
    CLEANUP(cleanup_trust_store) struct trust_store *store = NULL;
    assert_ok(trust_store_load(path_in(keys, "trust"), &store, &e));
    struct signature_list list = {0};
    sign_with(keys, "release.pem", "release.key", &list);
    assert_ok(trust_verify(store, 1, 0, message, sizeof(message), &list, &e));
    sign_with(keys, "second.pem", "second.key", &list);
    assert_ok(trust_verify(store, 2, 0, message, sizeof(message), &list, &e));
    for (size_t i = 0; i < list.count; i++) {
        free((void *)(uintptr_t)list.records[i].data);
    }
}

static void a_set_is_six_files_and_its_keys_are_for_their_owner_only(void **state)
{
    char keys[512];
    make_keys(*state, keys, sizeof(keys));
    assert_int_equal(entries_of(*state), 1);
    assert_int_equal(entries_of(keys), 6); // trust/ among them
    assert_int_equal(entries_of(path_in(keys, "trust")), 1);
    const char *const secret[] = {"root.key", "release.key", "second.key"};
    struct stat st;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stat(path_in(keys, secret[i]), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    assert_int_equal(stat(keys, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void certificates_are_p256_for_20_years_and_say_what_they_are_for(void **state)
{
    char keys[512];
    make_keys(*state, keys, sizeof(keys));
    const char *const names[] = {"trust/root.pem", "release.pem", "second.pem"};
    uint64_t now = (uint64_t)time(NULL);
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(cleanup_x509) X509 *cert = read_cert(keys, names[i]);
        uint64_t not_after;
        assert_int_equal(cert_key_kind(cert), CERT_KEY_EC);
        assert_int_equal(EVP_PKEY_get_bits(X509_get0_pubkey(cert)), 256);
        assert_true(cert_not_after(cert, &not_after));
        assert_in_range(not_after - now, UINT64_C(7305) * 86400 - 3600, UINT64_C(7305) * 86400);
        bool is_root = i == 0;
        assert_int_equal(cert_refuse_issuing(cert) == NULL, is_root);
        assert_int_equal(cert_refuse_signing(cert) == NULL, !is_root);
        assert_int_equal(X509_get_pathlen(cert), is_root ? 0 : -1);
        assert_int_equal(X509_get_key_usage(cert),
                         is_root ? KU_KEY_CERT_SIGN | KU_CRL_SIGN : KU_DIGITAL_SIGNATURE);
    }
}

static void serial_numbers_are_random_and_positive(void **state)
{
    char keys[512];
    make_keys(*state, keys, sizeof(keys));
    CLEANUP(cleanup_x509) X509 *a = read_cert(keys, "release.pem");
    CLEANUP(cleanup_x509) X509 *b = read_cert(keys, "second.pem");
    CLEANUP(cleanup_bignum) BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(a), NULL);
    assert_int_equal(BN_num_bits(n), 127);
    assert_false(BN_is_negative(n));
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(a), X509_get0_serialNumber(b)), 0);
}

static void names_tell_one_set_from_another(void **state)
{
    struct error e;
    char first[512], second[512], text_a[CERT_SUBJECT_SIZE], text_b[CERT_SUBJECT_SIZE];
    make_keys(*state, first, sizeof(first));
    assert_ok(keygen_make(temp_dir_path(second, sizeof(second), *state, "more/"), &e));
    CLEANUP(cleanup_x509) X509 *a = read_cert(first, "trust/root.pem");
    CLEANUP(cleanup_x509) X509 *b = read_cert(second, "trust/root.pem");
    assert_contains(cert_subject(a, text_a), "CN=Image root ");
    assert_string_not_equal(text_a, cert_subject(b, text_b));
}

static void an_empty_directory_is_taken_and_its_name_kept(void **state)
{
    struct error e;
    char keys[512];
    assert_int_equal(mkdir(temp_dir_path(keys, sizeof(keys), *state, "empty"), 0755), 0);
    assert_ok(keygen_make(keys, &e));
    assert_int_equal(entries_of(keys), 6);
    assert_int_equal(entries_of(*state), 1);
}

static void what_exists_is_refused_and_left_as_it_was(void **state)
{
    struct error e;
    char keys[512];
    make_keys(*state, keys, sizeof(keys));
    CLEANUP(cleanup_x509) X509 *before = read_cert(keys, "trust/root.pem");
    assert_fails(ERR_CONFIG, "exists and is not an empty directory", keygen_make(keys, &e));
    CLEANUP(cleanup_x509) X509 *after = read_cert(keys, "trust/root.pem");
    assert_int_equal(X509_cmp(before, after), 0);
    assert_fails(ERR_CONFIG, "exists and is not an empty directory",
                 keygen_make(path_in(keys, "root.key"), &e));
    assert_int_equal(entries_of(keys), 6);
    assert_int_equal(entries_of(*state), 1);
}

static void a_directory_that_cannot_be_made_is_said_with_its_reason(void **state)
{
    struct error e;
    assert_fails(ERR_IO, "cannot make a directory beside it: No such file",
                 keygen_make(path_in(*state, "no/such/place"), &e));
    assert_fails(ERR_CONFIG, "File name too long",
                 keygen_make(path_in(*state, "0123456789012345678901234567890123456789"
                                             "0123456789012345678901234567890123456789"
                                             "0123456789012345678901234567890123456789"
                                             "0123456789012345678901234567890123456789"
                                             "0123456789012345678901234567890123456789"
                                             "0123456789012345678901234567890123456789"
                                             "0123456789012345678901234567890123456789"),
                             &e));
    assert_int_equal(entries_of(*state), 0);
}

// Makes a set in DIR/keys with one limit of the process lowered.
static enum err make_limited(const char *dir, __rlimit_resource_t what, rlim_t value,
                             struct error *e)
{
    struct rlimit before;
    assert_int_equal(getrlimit(what, &before), 0);
    struct rlimit lowered = {.rlim_cur = value, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(what, &lowered), 0);
    enum err err = keygen_make(path_in(dir, "keys"), e);
    assert_int_equal(setrlimit(what, &before), 0);
    signal(SIGXFSZ, handler);
    return err;
}

// A key of 241 bytes still fits, the certificate behind it does not; then the root's certificate
// fits, the longer one of a signer does not. In both cases the set is half-made.
static void a_failure_in_the_middle_leaves_nothing(void **state)
{
    struct error e;
    assert_fails(ERR_IO, "trust/root.pem: ", make_limited(*state, RLIMIT_FSIZE, 300, &e));
    assert_contains(e.msg, "File too large");
    assert_int_equal(entries_of(*state), 0);
    assert_fails(ERR_IO, "/release.pem: ", make_limited(*state, RLIMIT_FSIZE, 620, &e));
    assert_int_equal(entries_of(*state), 0);
}

static void a_directory_that_cannot_be_opened_leaves_nothing(void **state)
{
    struct error e;
    assert_fails(ERR_IO, "cannot make a directory in it: Too many open files",
                 make_limited(*state, RLIMIT_NOFILE, 0, &e));
    assert_int_equal(entries_of(*state), 0);
}

// "." cannot be replaced, which only shows when everything is made.
static void a_set_that_cannot_be_put_in_place_leaves_nothing(void **state)
{
    struct error e;
    assert_fails(ERR_IO, "cannot put the keys in place", keygen_make(path_in(*state, "."), &e));
    assert_int_equal(entries_of(*state), 0);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(a_set_signs_with_two_signers_that_its_trust_directory_believes),
        WITH_DIR(a_set_is_six_files_and_its_keys_are_for_their_owner_only),
        WITH_DIR(certificates_are_p256_for_20_years_and_say_what_they_are_for),
        WITH_DIR(serial_numbers_are_random_and_positive),
        WITH_DIR(names_tell_one_set_from_another),
        WITH_DIR(an_empty_directory_is_taken_and_its_name_kept),
        WITH_DIR(what_exists_is_refused_and_left_as_it_was),
        WITH_DIR(a_directory_that_cannot_be_made_is_said_with_its_reason),
        WITH_DIR(a_failure_in_the_middle_leaves_nothing),
        WITH_DIR(a_directory_that_cannot_be_opened_leaves_nothing),
        WITH_DIR(a_set_that_cannot_be_put_in_place_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
