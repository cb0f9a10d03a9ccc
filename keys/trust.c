// SPDX-License-Identifier: Apache-2.0
#include "keys/trust.h"

#include "keys/cert.h"
#include "keys/ossl.h"
#include "keys/record.h"
#include "keys/trust_store.h"

#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(((struct signer_name *)0)->subject) >= CERT_SUBJECT_SIZE,
               "a subject fits into a signer_name");

// The distinct keys that signed, and why the first record that does not count does not.
struct tally {
    X509 *signers[SIGNATURE_RECORDS_MAX];
    size_t count;
    size_t records; // of a type we verify
    struct error first_refusal;
};

static void tally_clear(struct tally *t)
{
    for (size_t i = 0; i < t->count; i++) {
        X509_free(t->signers[i]);
    }
}

static bool tally_has_key(const struct tally *t, const X509 *signer)
{
    for (size_t i = 0; i < t->count; i++) {
        if (cert_same_key(t->signers[i], signer)) {
            return true;
        }
    }
    return false;
}

static void tally_refuse(struct tally *t, struct error *reason)
{
    if (t->first_refusal.code == OK) {
        (void)error_context(reason, "record %zu", t->records);
        t->first_refusal = *reason;
    }
}

static void tally_accept(struct tally *t, X509 *signer)
{
    if (tally_has_key(t, signer)) {
        struct error reason;
        char subject[CERT_SUBJECT_SIZE];
        (void)fail(&reason, ERR_TRUST, 0, "made by the same key as an earlier one (%s)",
                   cert_subject(signer, subject));
        tally_refuse(t, &reason);
        X509_free(signer);
        return;
    }
    t->signers[t->count++] = signer;
}

// Only what stops all counting is returned; a record that does not hold is noted and left out.
static MUST_CHECK enum err tally_records(struct tally *t, const struct trust_store *store,
                                         uint64_t time_floor, const uint8_t *message, size_t len,
                                         const struct signature_list *signatures, struct error *e)
{
    for (size_t i = 0; i < signatures->count; i++) {
        const struct signature_record *record = &signatures->records[i];
        if (record->type != SIGNATURE_CMS && record->type != SIGNATURE_ED25519) {
            continue;
        }
        t->records++;
        struct error reason;
        X509 *signer;
        enum err err = record_verify(store->anchors, store->count, time_floor, message, len, record,
                                     &signer, &reason);
        if (err == OK) {
            tally_accept(t, signer);
        } else if (err == ERR_TRUST) {
            tally_refuse(t, &reason);
        } else {
            *e = reason;
            return err;
        }
    }
    return OK;
}

enum err trust_verify(const struct trust_store *store, unsigned signers, uint64_t time_floor,
                      const uint8_t *message, size_t len, const struct signature_list *signatures,
                      struct error *e)
{
    if (signers == 0) {
        return fail(e, ERR_CONFIG, 0,
                    "signers must be at least 1: there is no way to verify nothing");
    }
    CLEANUP(tally_clear) struct tally t = {0};
    enum err err = tally_records(&t, store, time_floor, message, len, signatures, e);
    if (err != OK) {
        return err;
    }
    if (t.count >= signers) {
        return OK;
    }
    if (t.records == 0) {
        return fail(e, ERR_TRUST, 0, "not signed: %u trusted %s required", signers,
                    signers == 1 ? "signer is" : "signers are");
    }
    return fail(e, ERR_TRUST, 0, "%zu of %zu signatures count, %u required%s%s", t.count, t.records,
                signers, t.first_refusal.code == OK ? "" : "; ",
                t.first_refusal.code == OK ? "" : t.first_refusal.msg);
}

static enum err verify_image(const struct head_verifier *v, const uint8_t *message, size_t len,
                             const struct signature_list *signatures, struct error *e)
{
    const struct image_trust *trust = (const struct image_trust *)v;
    return trust_verify(trust->store, trust->signers, trust->time_floor, message, len, signatures,
                        e);
}

struct image_trust image_trust_with(const struct trust_store *store, unsigned signers,
                                    uint64_t time_floor)
{
    return (struct image_trust){
        .verifier = {.verify = verify_image},
        .store = store,
        .signers = signers,
        .time_floor = time_floor,
    };
}

enum err trust_list_signers(const struct trust_store *store, uint64_t time_floor,
                            const uint8_t *message, size_t len,
                            const struct signature_list *signatures, struct signer_name *ret,
                            size_t max, size_t *ret_count, struct error *e)
{
    CLEANUP(tally_clear) struct tally t = {0};
    enum err err = tally_records(&t, store, time_floor, message, len, signatures, e);
    if (err != OK) {
        return err;
    }
    size_t count = t.count < max ? t.count : max;
    for (size_t i = 0; i < count; i++) {
        (void)cert_subject(t.signers[i], ret[i].subject);
        if (!cert_not_after(t.signers[i], &ret[i].not_after)) {
            return fail(e, ERR_INTERNAL, 0, "a signer that verified has no notAfter");
        }
    }
    *ret_count = count;
    return OK;
}
