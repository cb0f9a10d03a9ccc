// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_trust.h"

#include "keys/cert.h"
#include "keys/record.h"
#include "keys/trust.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certs.h"

#include <openssl/err.h>
#include <stdlib.h>

// The one that is wrapped, by the name the linker gives it.
enum err __real_record_verify(const struct anchor *anchors, size_t anchor_count,
                              uint64_t time_floor, const uint8_t *message, size_t len,
                              const struct signature_record *record, X509 **ret_signer,
                              struct error *e);

enum { MESSAGE = 200 };

static const uint64_t expired = 2500000000; // the certificates end in 2046

struct fixture {
    struct test_cert ca, other_ca, signer, ed;
    struct anchor anchor, other, ed_anchor;
    struct signature_record cms, raw;
    uint8_t message[MESSAGE];
};

static int setup(void **state)
{
    struct error e;
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    memset(f->message, 'm', sizeof f->message);
    f->ca = test_ca("ca", NULL);
    f->other_ca = test_ca("other ca", NULL);
    f->signer = test_signer("signer", &f->ca);
    f->ed = test_cert_make(&(struct test_cert_spec){
        .subject = "ed", .key = "ED25519", .issuer = &f->ca, .extended_usage = "codeSigning"});
    assert_ok(anchor_init(f->ca.cert, &f->anchor, &e));
    assert_ok(anchor_init(f->other_ca.cert, &f->other, &e));
    assert_ok(anchor_init(f->ed.cert, &f->ed_anchor, &e));
    f->cms = test_cms(&f->signer, "SHA256", 0, NULL, f->message, sizeof f->message);
    f->raw = test_ed25519(&f->ed, f->message, sizeof f->message);
    sim_trust_clear();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    sim_trust_clear();
    anchor_clear(&f->anchor);
    anchor_clear(&f->other);
    anchor_clear(&f->ed_anchor);
    test_cert_clear(&f->ca);
    test_cert_clear(&f->other_ca);
    test_cert_clear(&f->signer);
    test_cert_clear(&f->ed);
    test_record_clear(&f->cms);
    test_record_clear(&f->raw);
    free(f);
    return 0;
}

// The signature of record_verify().
typedef enum err verify_fn(const struct anchor *, size_t, uint64_t, const uint8_t *, size_t,
                           const struct signature_record *, X509 **, struct error *);

struct question {
    const struct anchor *anchors;
    size_t count;
    uint64_t time_floor;
    const uint8_t *message;
    size_t len;
    const struct signature_record *record;
};

struct answer {
    enum err err;
    char reason[512];
    uint8_t signer_key[SHA256_SIZE];
};

static struct answer ask(verify_fn *verify, const struct question *q)
{
    struct error e = {0};
    struct answer a = {0};
    X509 *signer = NULL;
    a.err = verify(q->anchors, q->count, q->time_floor, q->message, q->len, q->record, &signer, &e);
    if (a.err == OK) {
        assert_ok(cert_key_id(signer, a.signer_key, &e));
        X509_free(signer);
    } else {
        assert_null(signer);
        assert_int_equal(e.code, a.err);
        memcpy(a.reason, e.msg, strlen(e.msg));
    }
    assert_int_equal(ERR_peek_error(), 0);
    return a;
}

// Twice the answer of the real one; the second time without asking it.
static void remembers(const struct question *q, enum err want)
{
    struct answer real = ask(__real_record_verify, q);
    assert_int_equal(real.err, want);
    uint64_t before = sim_trust_counts().verified;
    for (int i = 0; i < 2; i++) {
        struct answer got = ask(record_verify, q);
        assert_int_equal(got.err, real.err);
        assert_string_equal(got.reason, real.reason);
        assert_memory_equal(got.signer_key, real.signer_key, SHA256_SIZE);
        assert_int_equal(sim_trust_counts().verified, before + 1);
    }
}

static struct question about(const struct fixture *f)
{
    return (struct question){&f->anchor, 1, 0, f->message, sizeof f->message, &f->cms};
}

static void good_records_are_remembered_with_their_signer(void **state)
{
    const struct fixture *f = *state;
    struct question q = about(f);
    remembers(&q, OK);
    q.record = &f->raw;
    q.anchors = &f->ed_anchor;
    remembers(&q, OK);
    assert_int_equal(sim_trust_counts().verified, 2);
    assert_int_equal(sim_trust_counts().asked, 4);
}

static void refusals_are_remembered_with_their_reason(void **state)
{
    struct fixture *f = *state;
    struct question q = about(f);
    q.anchors = &f->other;
    remembers(&q, ERR_TRUST);
    q = about(f);
    q.time_floor = expired;
    remembers(&q, ERR_TRUST);
    q = about(f);
    q.len--;
    remembers(&q, ERR_TRUST);
    f->message[0] ^= 1;
    q = about(f);
    remembers(&q, ERR_TRUST);
}

static void an_answer_is_good_for_equal_anchors_elsewhere_in_memory(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    struct question q = about(f);
    remembers(&q, OK);
    struct anchor again;
    assert_ok(anchor_init(f->ca.cert, &again, &e));
    q.anchors = &again;
    assert_int_equal(ask(record_verify, &q).err, OK);
    assert_int_equal(sim_trust_counts().verified, 1);
    anchor_clear(&again);
}

static void number_and_order_of_the_anchors_count(void **state)
{
    const struct fixture *f = *state;
    const struct anchor both[] = {f->anchor, f->other};
    const struct anchor turned[] = {f->other, f->anchor};
    struct question q = about(f);
    remembers(&q, OK);
    q.anchors = both;
    q.count = 2;
    remembers(&q, OK);
    q.anchors = turned;
    remembers(&q, OK);
    q.count = 0;
    remembers(&q, ERR_TRUST);
}

static void a_changed_byte_anywhere_is_another_question(void **state)
{
    struct fixture *f = *state;
    struct question q = about(f);
    remembers(&q, OK);
    for (size_t i = 0; i < sizeof f->message; i++) {
        f->message[i] ^= 1;
        remembers(&q, ERR_TRUST);
        f->message[i] ^= 1;
    }
    CLEANUP(cleanup_free) uint8_t *bytes = malloc(f->cms.len);
    assert_non_null(bytes);
    memcpy(bytes, f->cms.data, f->cms.len);
    const struct signature_record flipped = {SIGNATURE_CMS, f->cms.len, bytes};
    q.record = &flipped;
    for (size_t i = 0; i < f->cms.len; i++) {
        bytes[i] ^= 1;
        remembers(&q, ERR_TRUST);
        bytes[i] ^= 1;
    }
    q.record = &f->cms;
    uint64_t verified = sim_trust_counts().verified;
    assert_int_equal(verified, 1 + sizeof f->message + f->cms.len);
    assert_int_equal(ask(record_verify, &q).err, OK);
    assert_int_equal(sim_trust_counts().verified, verified);
}

// Without lengths these would be the same bytes.
static void a_byte_that_moves_from_message_to_record_is_another_question(void **state)
{
    const struct fixture *f = *state;
    const uint8_t bytes[3] = {1, 2, 3};
    const struct signature_record one = {SIGNATURE_CMS, 1, bytes + 2};
    const struct signature_record two = {SIGNATURE_CMS, 2, bytes + 1};
    struct question q = {&f->anchor, 1, 0, bytes, 2, &one};
    remembers(&q, ERR_TRUST);
    q.record = &two;
    q.len = 1;
    remembers(&q, ERR_TRUST);
}

static void an_internal_error_is_asked_for_again(void **state)
{
    const struct fixture *f = *state;
    const struct signature_record odd = {SIGNATURE_RFC3161, f->cms.len, f->cms.data};
    struct question q = about(f);
    q.record = &odd;
    assert_int_equal(ask(record_verify, &q).err, ERR_INTERNAL);
    assert_int_equal(ask(record_verify, &q).err, ERR_INTERNAL);
    assert_int_equal(sim_trust_counts().verified, 2);
}

static void what_was_forgotten_is_verified_again(void **state)
{
    const struct fixture *f = *state;
    struct question q = about(f);
    remembers(&q, OK);
    sim_trust_clear();
    assert_int_equal(sim_trust_counts().asked, 0);
    remembers(&q, OK);
    assert_int_equal(sim_trust_counts().verified, 1);
}

static void whole_verifications_and_lists_of_signers_go_through_the_memo(void **state)
{
    struct error e;
    const struct fixture *f = *state;
    void *dir = NULL;
    assert_int_equal(temp_dir_make(&dir), 0);
    test_cert_write(&f->ca, dir, "ca.pem");
    struct trust_store *store = NULL;
    assert_ok(trust_store_load(dir, &store, &e));
    const struct signature_list list = {.count = 1, .records = {f->cms}};
    struct signer_name names[2];
    size_t count = 0;
    for (int i = 0; i < 2; i++) {
        assert_ok(trust_verify(store, 1, 0, f->message, sizeof f->message, &list, &e));
        assert_ok(trust_list_signers(store, 0, f->message, sizeof f->message, &list, names, 2,
                                     &count, &e));
        assert_int_equal(count, 1);
        assert_contains(names[0].subject, "signer");
    }
    assert_int_equal(sim_trust_counts().asked, 4);
    assert_int_equal(sim_trust_counts().verified, 1);
    trust_store_free(store);
    assert_int_equal(temp_dir_remove(&dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(good_records_are_remembered_with_their_signer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(refusals_are_remembered_with_their_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_is_good_for_equal_anchors_elsewhere_in_memory,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(number_and_order_of_the_anchors_count, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_byte_anywhere_is_another_question, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_byte_that_moves_from_message_to_record_is_another_question, setup, teardown),
        cmocka_unit_test_setup_teardown(an_internal_error_is_asked_for_again, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_forgotten_is_verified_again, setup, teardown),
        cmocka_unit_test_setup_teardown(
            whole_verifications_and_lists_of_signers_go_through_the_memo, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
