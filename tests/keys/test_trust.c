// SPDX-License-Identifier: Apache-2.0
#include "keys/trust.h"

#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certs.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

static const uint8_t message[] = "\x89VVI\r\n\x1a\n header and manifest";

// One CA in the trust directory, three signers of it, one of nobody's.
struct fixture {
    char *dir;
    struct test_cert ca, a, b, ed, stranger;
    struct signature_record of_a, of_a_again, of_b, of_ed, of_stranger, of_other_message, timestamp,
        damaged;
    struct trust_store *store;
};

static int make(void **state)
{
    struct error e;
    struct fixture *f = calloc(1, sizeof(*f));
    void *dir = NULL;
    if (f == NULL || temp_dir_make(&dir) != 0) {
        return -1;
    }
    f->dir = dir;
    f->ca = test_ca("ca", NULL);
    f->a = test_signer("a", &f->ca);
    f->b = test_signer("b", &f->ca);
    f->ed = test_cert_make(&(struct test_cert_spec){
        .subject = "ed", .key = "ED25519", .issuer = &f->ca, .extended_usage = "codeSigning"});
    f->stranger = test_signer("stranger", NULL);
    const size_t len = sizeof(message);
    f->of_a = test_cms(&f->a, "SHA256", CMS_NOATTR, NULL, message, len);
    f->of_a_again = test_cms(&f->a, "SHA512", 0, NULL, message, len);
    f->of_b = test_cms(&f->b, "SHA384", 0, NULL, message, len);
    f->of_ed = test_ed25519(&f->ed, message, len);
    f->of_stranger = test_cms(&f->stranger, "SHA256", CMS_NOATTR, NULL, message, len);
    f->of_other_message = test_cms(&f->b, "SHA256", CMS_NOATTR, NULL, message, len - 1);
    f->timestamp = (struct signature_record){.type = SIGNATURE_RFC3161, .len = 3, .data = message};
    f->damaged = (struct signature_record){.type = SIGNATURE_CMS, .len = 3, .data = message};
    test_cert_write(&f->ca, f->dir, "ca.pem");
    test_cert_write(&f->ed, f->dir, "ed.pem");
    assert_ok(trust_store_load(f->dir, &f->store, &e));
    *state = f;
    return 0;
}

static int clear(void **state)
{
    struct fixture *f = *state;
    test_cert_clear(&f->ca);
    test_cert_clear(&f->a);
    test_cert_clear(&f->b);
    test_cert_clear(&f->ed);
    test_cert_clear(&f->stranger);
    test_record_clear(&f->of_a);
    test_record_clear(&f->of_a_again);
    test_record_clear(&f->of_b);
    test_record_clear(&f->of_ed);
    test_record_clear(&f->of_stranger);
    test_record_clear(&f->of_other_message);
    trust_store_free(f->store);
    void *dir = f->dir;
    free(f);
    return temp_dir_remove(&dir);
}

#define LIST(...)                                                                                  \
    list_of((const struct signature_record[]){__VA_ARGS__},                                        \
            sizeof((const struct signature_record[]){__VA_ARGS__}) /                               \
                sizeof(struct signature_record))

static struct signature_list list_of(const struct signature_record *records, size_t count)
{
    struct signature_list list = {.count = count};
    memcpy(list.records, records, count * sizeof(*records));
    return list;
}

static enum err verify(const struct fixture *f, unsigned signers, struct signature_list list,
                       struct error *e)
{
    enum err err = trust_verify(f->store, signers, 0, message, sizeof(message), &list, e);
    assert_int_equal(ERR_peek_error(), 0);
    return err;
}

static void one_trusted_signer_is_enough_for_one(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    assert_ok(verify(f, 1, LIST(f->of_a), &e));
    assert_ok(verify(f, 1, LIST(f->of_ed), &e));
}

static void two_are_required_and_one_is_not_enough(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    assert_ok(verify(f, 2, LIST(f->of_a, f->of_b), &e));
    assert_ok(verify(f, 2, LIST(f->of_ed, f->of_b), &e));
    assert_ok(verify(f, 3, LIST(f->of_ed, f->of_b, f->of_a), &e));
    assert_fails(ERR_TRUST, "1 of 1 signatures count, 2 required", verify(f, 2, LIST(f->of_a), &e));
    assert_string_equal(e.msg, "1 of 1 signatures count, 2 required");
}

static void two_records_by_one_key_count_once(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    assert_fails(ERR_TRUST,
                 "1 of 2 signatures count, 2 required; record 2: made by the same key as an "
                 "earlier one (CN=a)",
                 verify(f, 2, LIST(f->of_a, f->of_a_again), &e));
    assert_fails(ERR_TRUST, "1 of 2 signatures count, 2 required",
                 verify(f, 2, LIST(f->of_ed, f->of_ed), &e));
    assert_ok(verify(f, 2, LIST(f->of_a, f->of_a_again, f->of_b), &e));
}

static void two_certificates_of_one_key_count_once(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    CLEANUP(test_cert_clear)
    struct test_cert again =
        test_cert_make(&(struct test_cert_spec){.subject = "a, once more",
                                                .same_key = f->a.key,
                                                .issuer = &f->ca,
                                                .extended_usage = "codeSigning"});
    CLEANUP(test_record_clear)
    struct signature_record record =
        test_cms(&again, "SHA256", CMS_NOATTR, NULL, message, sizeof(message));
    assert_fails(ERR_TRUST, "record 2: made by the same key",
                 verify(f, 2, LIST(f->of_a, record), &e));
}

static void one_key_in_two_spellings_counts_once(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    EVP_PKEY *key = EVP_PKEY_dup(f->a.key);
    assert_int_equal(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                                    "compressed"),
                     1);
    CLEANUP(test_cert_clear)
    struct test_cert compressed =
        test_cert_make(&(struct test_cert_spec){.subject = "compressed",
                                                .same_key = key,
                                                .issuer = &f->ca,
                                                .extended_usage = "codeSigning"});
    EVP_PKEY_free(key);
    CLEANUP(test_record_clear)
    struct signature_record record =
        test_cms(&compressed, "SHA256", CMS_NOATTR, NULL, message, sizeof(message));
    assert_ok(verify(f, 1, LIST(record), &e));
    assert_fails(ERR_TRUST, "record 2: made by the same key",
                 verify(f, 2, LIST(f->of_a, record), &e));
}

static void a_record_that_does_not_hold_spoils_no_other(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    assert_ok(verify(f, 1, LIST(f->damaged, f->of_stranger, f->of_other_message, f->of_a), &e));
    assert_ok(verify(f, 2, LIST(f->of_a, f->damaged, f->of_b, f->of_stranger), &e));
}

static void the_first_reason_is_told_with_the_number_of_its_record(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    assert_fails(ERR_TRUST,
                 "1 of 3 signatures count, 2 required; record 2: signer CN=stranger is not issued "
                 "by a certificate of the trust directory",
                 verify(f, 2, LIST(f->of_a, f->of_stranger, f->damaged), &e));
    assert_fails(ERR_TRUST, "0 of 1 signatures count, 1 required; record 1: not a CMS signature",
                 verify(f, 1, LIST(f->damaged), &e));
    assert_fails(ERR_TRUST, "record 1: the signature of CN=b does not match the signed bytes",
                 verify(f, 1, LIST(f->of_other_message), &e));
}

static void records_of_unknown_types_are_ignored(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    assert_ok(verify(f, 1, LIST(f->timestamp, f->of_a), &e));
    assert_fails(ERR_TRUST, "1 of 1 signatures count, 2 required",
                 verify(f, 2, LIST(f->timestamp, f->of_a), &e));
    assert_fails(ERR_TRUST, "not signed: 1 trusted signer is required",
                 verify(f, 1, LIST(f->timestamp), &e));
}

static void nothing_signed_is_refused(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    struct signature_list none = {.count = 0};
    assert_fails(ERR_TRUST, "not signed: 1 trusted signer is required", verify(f, 1, none, &e));
    assert_fails(ERR_TRUST, "not signed: 2 trusted signers are required", verify(f, 2, none, &e));
}

static void zero_signers_are_a_configuration_error(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    struct signature_list none = {.count = 0};
    assert_fails(ERR_CONFIG, "signers must be at least 1", verify(f, 0, none, &e));
    assert_fails(ERR_CONFIG, "signers must be at least 1", verify(f, 0, LIST(f->of_a), &e));
}

static void all_sixteen_records_are_counted(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    struct signature_list list = {.count = SIGNATURE_RECORDS_MAX};
    for (size_t i = 0; i < SIGNATURE_RECORDS_MAX; i++) {
        list.records[i] = i == SIGNATURE_RECORDS_MAX - 1 ? f->of_a : f->damaged;
    }
    assert_ok(verify(f, 1, list, &e));
    assert_fails(ERR_TRUST, "1 of 16 signatures count", verify(f, 2, list, &e));
}

static void the_time_floor_expires_signers(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    const uint64_t not_after = 2398377600; // 2046-01-01
    struct signature_list list = LIST(f->of_a);
    const size_t len = sizeof(message);
    assert_ok(trust_verify(f->store, 1, not_after, message, len, &list, &e));
    assert_fails(ERR_TRUST, "expired on 2046-01-01",
                 trust_verify(f->store, 1, not_after + 1, message, len, &list, &e));
}

static void an_image_verifier_asks_for_its_signers_at_its_time(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    struct signature_list list = LIST(f->of_a);
    struct image_trust one = image_trust_with(f->store, 1, 0);
    struct image_trust two = image_trust_with(f->store, 2, 0);
    struct image_trust late = image_trust_with(f->store, 1, 2398377601);
    struct image_trust none = image_trust_with(f->store, 0, 0);
    const size_t len = sizeof(message);
    assert_ok(one.verifier.verify(&one.verifier, message, len, &list, &e));
    assert_fails(ERR_TRUST, "2 required",
                 two.verifier.verify(&two.verifier, message, len, &list, &e));
    assert_fails(ERR_TRUST, "expired",
                 late.verifier.verify(&late.verifier, message, len, &list, &e));
    assert_fails(ERR_TRUST, "does not match the signed bytes",
                 one.verifier.verify(&one.verifier, message, len - 1, &list, &e));
    assert_fails(ERR_CONFIG, "at least 1",
                 none.verifier.verify(&none.verifier, message, len, &list, &e));
}

static void signers_are_listed_by_name_and_end_of_validity(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    struct signer_name names[4];
    size_t count = 99;
    struct signature_list list = LIST(f->damaged, f->of_b, f->of_stranger, f->of_a, f->of_a_again);
    assert_ok(
        trust_list_signers(f->store, 0, message, sizeof(message), &list, names, 4, &count, &e));
    assert_int_equal(count, 2);
    assert_string_equal(names[0].subject, "CN=b");
    assert_string_equal(names[1].subject, "CN=a");
    assert_int_equal(names[0].not_after, 2398377600);
    assert_ok(
        trust_list_signers(f->store, 0, message, sizeof(message), &list, names, 1, &count, &e));
    assert_int_equal(count, 1);
    list.count = 1;
    assert_ok(
        trust_list_signers(f->store, 0, message, sizeof(message), &list, names, 4, &count, &e));
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_trusted_signer_is_enough_for_one),
        cmocka_unit_test(two_are_required_and_one_is_not_enough),
        cmocka_unit_test(two_records_by_one_key_count_once),
        cmocka_unit_test(two_certificates_of_one_key_count_once),
        cmocka_unit_test(one_key_in_two_spellings_counts_once),
        cmocka_unit_test(a_record_that_does_not_hold_spoils_no_other),
        cmocka_unit_test(the_first_reason_is_told_with_the_number_of_its_record),
        cmocka_unit_test(records_of_unknown_types_are_ignored),
        cmocka_unit_test(nothing_signed_is_refused),
        cmocka_unit_test(zero_signers_are_a_configuration_error),
        cmocka_unit_test(all_sixteen_records_are_counted),
        cmocka_unit_test(the_time_floor_expires_signers),
        cmocka_unit_test(an_image_verifier_asks_for_its_signers_at_its_time),
        cmocka_unit_test(signers_are_listed_by_name_and_end_of_validity),
    };
    return cmocka_run_group_tests(tests, make, clear);
}
