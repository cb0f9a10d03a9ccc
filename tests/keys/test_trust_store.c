// SPDX-License-Identifier: Apache-2.0
#include "keys/trust_store.h"

#include "keys/cert.h"
#include "keys/trust.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certs.h"

#include <openssl/err.h>

static const char *dir_of(void **state)
{
    return *state;
}

static void assert_subject(const struct trust_store *t, size_t i, const char *want)
{
    char subject[CERT_SUBJECT_SIZE];
    assert_in_range(i, 0, t->count - 1);
    assert_string_equal(cert_subject(t->anchors[i].cert, subject), want);
}

static void anchors_come_from_pem_and_crt_files_in_byte_order(void **state)
{
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert a = test_ca("a", NULL);
    CLEANUP(test_cert_clear) struct test_cert b = test_ca("b", NULL);
    CLEANUP(test_cert_clear) struct test_cert c = test_signer("c", NULL);
    test_cert_write(&a, dir_of(state), "b.pem");
    test_cert_write(&b, dir_of(state), "Z.crt");
    test_cert_write(&c, dir_of(state), "a.pem");
    CLEANUP(cleanup_trust_store) struct trust_store *t = NULL;
    assert_ok(trust_store_load(dir_of(state), &t, &e));
    assert_int_equal(t->count, 3);
    assert_subject(t, 0, "CN=b");
    assert_subject(t, 1, "CN=c");
    assert_subject(t, 2, "CN=a");
    assert_int_equal(ERR_peek_error(), 0);
}

static void files_of_other_names_are_not_read(void **state)
{
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert a = test_ca("a", NULL);
    test_cert_write(&a, dir_of(state), "a.pem");
    test_text_write(dir_of(state), "README", "no certificate");
    test_text_write(dir_of(state), ".hidden.pem", "no certificate");
    test_text_write(dir_of(state), "a.pem.orig", "no certificate");
    CLEANUP(cleanup_trust_store) struct trust_store *t = NULL;
    assert_ok(trust_store_load(dir_of(state), &t, &e));
    assert_int_equal(t->count, 1);
}

static void one_file_may_hold_several_certificates_and_text_between(void **state)
{
    struct error e;
    CLEANUP(test_cert_clear) struct test_cert a = test_ca("a", NULL);
    CLEANUP(test_cert_clear) struct test_cert b = test_ca("b", NULL);
    test_cert_write(&a, dir_of(state), "one");
    test_cert_write(&b, dir_of(state), "two");
    const char *dir = dir_of(state);
    test_shell("cd %s && { cat one; echo 'the second:'; cat two; } >both.pem", dir);
    CLEANUP(cleanup_trust_store) struct trust_store *t = NULL;
    assert_ok(trust_store_load(dir, &t, &e));
    assert_int_equal(t->count, 2);
    assert_subject(t, 0, "CN=a");
    assert_subject(t, 1, "CN=b");
}

static void a_missing_directory_is_named(void **state)
{
    struct error e;
    struct trust_store *t;
    char path[4096];
    assert_fails(
        ERR_CONFIG, "none: No such file or directory",
        trust_store_load(temp_dir_path(path, sizeof(path), dir_of(state), "none"), &t, &e));
    assert_contains(e.msg, "trust directory ");
}

static void an_empty_directory_is_refused(void **state)
{
    struct error e;
    struct trust_store *t;
    assert_fails(ERR_CONFIG, "no certificate (*.pem, *.crt) in it",
                 trust_store_load(dir_of(state), &t, &e));
    assert_contains(e.msg, dir_of(state));
}

// Loads the directory with a good certificate and one bad file, which the sentence names.
static void refused_with(void **state, const char *name, const char *sentence)
{
    struct error e;
    struct trust_store *t;
    char named[4096];
    CLEANUP(test_cert_clear) struct test_cert good = test_ca("good", NULL);
    test_cert_write(&good, dir_of(state), "a-good.pem");
    assert_fails(ERR_CONFIG, sentence, trust_store_load(dir_of(state), &t, &e));
    assert_contains(e.msg, temp_dir_path(named, sizeof(named), dir_of(state), name));
    assert_int_equal(ERR_peek_error(), 0);
}

static void a_file_without_a_certificate_is_refused(void **state)
{
    test_text_write(dir_of(state), "bad.pem", "hello\n");
    refused_with(state, "bad.pem", "holds no PEM certificate");
}

static void an_empty_file_is_refused(void **state)
{
    test_text_write(dir_of(state), "bad.crt", "");
    refused_with(state, "bad.crt", "holds no PEM certificate");
}

static void a_cut_file_is_refused(void **state)
{
    CLEANUP(test_cert_clear) struct test_cert c = test_ca("c", NULL);
    const char *dir = dir_of(state);
    test_cert_write(&c, dir, "whole");
    test_shell("cd %s && head -n 4 whole >bad.pem", dir);
    refused_with(state, "bad.pem", "is damaged");
}

static void a_file_cut_in_its_second_certificate_is_refused(void **state)
{
    CLEANUP(test_cert_clear) struct test_cert c = test_ca("c", NULL);
    const char *dir = dir_of(state);
    test_cert_write(&c, dir, "whole");
    test_shell("cd %s && { cat whole; head -n 4 whole; } >bad.pem", dir);
    refused_with(state, "bad.pem", "is damaged");
}

static void a_block_that_is_no_certificate_inside_is_refused(void **state)
{
    test_text_write(dir_of(state), "bad.pem",
                    "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n");
    refused_with(state, "bad.pem", "holds a certificate that cannot be read");
}

static void bytes_behind_a_certificate_in_its_block_are_refused(void **state)
{
    CLEANUP(test_cert_clear) struct test_cert c = test_ca("c", NULL);
    const char *dir = dir_of(state);
    test_cert_write(&c, dir, "whole");
    test_shell("cd %s && { echo '-----BEGIN CERTIFICATE-----'; "
               "{ openssl x509 -in whole -outform DER; printf x; } | base64 -w 64; "
               "echo '-----END CERTIFICATE-----'; } >bad.pem",
               dir);
    refused_with(state, "bad.pem", "holds a certificate that cannot be read");
}

static void a_block_of_another_kind_is_refused(void **state)
{
    CLEANUP(test_cert_clear) struct test_cert c = test_ca("c", NULL);
    const char *dir = dir_of(state);
    test_cert_write(&c, dir, "whole");
    // Such a block carries trust settings of its own, which would weigh in OpenSSL's verdict.
    test_shell("cd %s && openssl x509 -in whole -trustout -addtrust codeSigning -out bad.pem", dir);
    refused_with(state, "bad.pem", "holds a 'TRUSTED CERTIFICATE', only certificates belong there");
}

static void a_private_key_is_refused_in_words_of_its_own(void **state)
{
    CLEANUP(test_cert_clear) struct test_cert c = test_ca("c", NULL);
    test_key_write(&c, dir_of(state), "bad.pem");
    refused_with(state, "bad.pem", "is a private key: it must not be on a device");
}

static void an_old_style_private_key_behind_a_certificate_is_refused(void **state)
{
    CLEANUP(test_cert_clear) struct test_cert c = test_ca("c", NULL);
    const char *dir = dir_of(state);
    test_cert_write(&c, dir, "cert");
    test_key_write(&c, dir, "key");
    test_shell("cd %s && { cat cert; openssl ec -in key 2>/dev/null; } >bad.crt", dir);
    refused_with(state, "bad.crt", "is a private key: it must not be on a device");
}

static void a_key_file_is_refused_by_its_name(void **state)
{
    test_text_write(dir_of(state), "root.key", "");
    refused_with(state, "root.key", "is a private key: it must not be on a device");
}

static void a_weak_certificate_is_refused(void **state)
{
    CLEANUP(test_cert_clear)
    struct test_cert c = test_cert_make(&(struct test_cert_spec){
        .subject = "weak", .key = "P-224", .constraints = "CA:TRUE", .usage = "keyCertSign"});
    test_cert_write(&c, dir_of(state), "weak.pem");
    refused_with(state, "weak.pem", "certificate CN=weak is refused: its key is none of");
}

static void a_certificate_of_no_use_is_refused(void **state)
{
    CLEANUP(test_cert_clear)
    struct test_cert c = test_cert_make(&(struct test_cert_spec){.subject = "web"});
    test_cert_write(&c, dir_of(state), "web.pem");
    refused_with(state, "web.pem", "certificate CN=web can neither issue certificates");
}

static void a_file_that_cannot_be_read_is_refused(void **state)
{
    const char *dir = dir_of(state);
    test_shell("mkdir %s/bad.pem", dir);
    refused_with(state, "bad.pem", "Is a directory");
}

static void a_file_of_more_than_a_mebibyte_is_refused(void **state)
{
    const char *dir = dir_of(state);
    test_shell("truncate -s 1048577 %s/bad.pem", dir);
    refused_with(state, "bad.pem", "larger than the allowed 1048576 bytes");
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(anchors_come_from_pem_and_crt_files_in_byte_order),
        WITH_DIR(files_of_other_names_are_not_read),
        WITH_DIR(one_file_may_hold_several_certificates_and_text_between),
        WITH_DIR(a_missing_directory_is_named),
        WITH_DIR(an_empty_directory_is_refused),
        WITH_DIR(a_file_without_a_certificate_is_refused),
        WITH_DIR(an_empty_file_is_refused),
        WITH_DIR(a_cut_file_is_refused),
        WITH_DIR(a_file_cut_in_its_second_certificate_is_refused),
        WITH_DIR(a_block_that_is_no_certificate_inside_is_refused),
        WITH_DIR(bytes_behind_a_certificate_in_its_block_are_refused),
        WITH_DIR(a_block_of_another_kind_is_refused),
        WITH_DIR(a_private_key_is_refused_in_words_of_its_own),
        WITH_DIR(an_old_style_private_key_behind_a_certificate_is_refused),
        WITH_DIR(a_key_file_is_refused_by_its_name),
        WITH_DIR(a_weak_certificate_is_refused),
        WITH_DIR(a_certificate_of_no_use_is_refused),
        WITH_DIR(a_file_that_cannot_be_read_is_refused),
        WITH_DIR(a_file_of_more_than_a_mebibyte_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
