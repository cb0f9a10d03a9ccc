// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/offer_record.h"

#include "tests/support/expect.h"
#include "tests/support/state_mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct offer_record full_record(void)
{
    struct offer_record r = offer_record_none();
    r.offer = (struct offer){"hawkbit", "action-17 \"ü\"\n", "https://host/a.vvi?x=1"};
    r.phase = OFFER_DONE;
    memset(r.release.manifest_sha256, 0xab, SHA256_SIZE);
    snprintf(r.release.version, sizeof r.release.version, "2.0");
    r.release.release_index = INT64_MAX;
    r.release_known = true;
    r.target = 1;
    snprintf(r.boot_id, sizeof r.boot_id, "0b5c1d62-6a47-4a3e-9d5b-0f7a1c2d3e4f");
    r.outcome = OFFER_FAILURE;
    snprintf(r.reason, sizeof r.reason, "tv_api is unhealthy");
    snprintf(r.failed_checks, sizeof r.failed_checks, "tv_api: HTTP 500");
    r.failed_by = ERR_TRUST;
    r.consented = true;
    r.tries = 3;
    r.fetched_bytes = 123456789012;
    r.accepted_s = 1800000000;
    r.decided_s = 1800000100;
    r.reported = true;
    return r;
}

static void expect_same(const struct offer_record *a, const struct offer_record *b)
{
    assert_int_equal(a->lost, b->lost);
    assert_string_equal(a->offer.source, b->offer.source);
    assert_string_equal(a->offer.id, b->offer.id);
    assert_string_equal(a->offer.url, b->offer.url);
    assert_int_equal(a->phase, b->phase);
    assert_int_equal(a->release_known, b->release_known);
    assert_memory_equal(a->release.manifest_sha256, b->release.manifest_sha256, SHA256_SIZE);
    assert_string_equal(a->release.version, b->release.version);
    assert_int_equal(a->release.release_index, b->release.release_index);
    assert_int_equal(a->target, b->target);
    assert_string_equal(a->boot_id, b->boot_id);
    assert_int_equal(a->outcome, b->outcome);
    assert_string_equal(a->reason, b->reason);
    assert_string_equal(a->failed_checks, b->failed_checks);
    assert_int_equal(a->failed_by, b->failed_by);
    assert_int_equal(a->consented, b->consented);
    assert_int_equal(a->tries, b->tries);
    assert_int_equal(a->fetched_bytes, b->fetched_bytes);
    assert_int_equal(a->accepted_s, b->accepted_s);
    assert_int_equal(a->decided_s, b->decided_s);
    assert_int_equal(a->reported, b->reported);
}

struct scene {
    struct seam_sim seam;
    struct state_mem state;
};

static int make(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    state_mem_init(&s->state, &s->seam);
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct scene *s = *state;
    state_mem_free(&s->state);
    free(s);
    return 0;
}

static struct offer_record load(struct scene *s)
{
    struct error e;
    struct offer_record r;
    memset(&r, 0x5a, sizeof r);
    assert_ok(offer_record_load(&s->state.base, &r, &e));
    return r;
}

static void save(struct scene *s, const struct offer_record *r)
{
    struct error e;
    assert_ok(offer_record_save(&s->state.base, r, &e));
}

static void expect_lost(struct scene *s)
{
    struct offer_record none = offer_record_none();
    none.lost = true;
    struct offer_record r = load(s);
    expect_same(&r, &none);
}

// A text in the place of another one, with a checksum that holds.
static void put(struct scene *s, const char *from, const char *to)
{
    struct error e;
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len;
    char text[8192];
    assert_ok(state_read(&s->state.base, "offer", sizeof text, &data, &len, &e));
    const char *at = strstr((char *)data, from);
    assert_non_null(at);
    const char *end = strchr((char *)data, '\n') + 1;
    int line = snprintf(text, sizeof text, "%.*s%s%.*s", (int)(at - (char *)data), (char *)data, to,
                        (int)(end - at - (long)strlen(from)), at + strlen(from));
    snprintf(text + line, sizeof text - (size_t)line, "crc32c %08x\n", crc32c(text, (size_t)line));
    assert_ok(state_replace(&s->state.base, "offer", text, strlen(text), &e));
}

// --- tests ---------------------------------------------------------------------------------------

static void without_a_record_there_is_no_offer(void **state)
{
    struct offer_record none = offer_record_none();
    struct offer_record r = load(*state);
    expect_same(&r, &none);
    assert_int_equal(r.phase, OFFER_NONE);
    assert_int_equal(r.target, SLOT_NONE);
    assert_false(r.lost);
}

static void a_record_comes_back_as_it_was(void **state)
{
    struct offer_record r = full_record();
    save(*state, &r);
    struct offer_record back = load(*state);
    expect_same(&back, &r);
}

static void every_phase_and_outcome_has_a_name_of_its_own_and_comes_back(void **state)
{
    for (int phase = OFFER_NONE; phase <= OFFER_DONE; phase++) {
        struct offer_record r = full_record();
        r.phase = (enum offer_phase)phase;
        r.reported = false;
        r.outcome = phase == OFFER_DONE ? OFFER_CANCELLED : OFFER_UNDECIDED;
        r.failed_by = OK;
        save(*state, &r);
        struct offer_record back = load(*state);
        expect_same(&back, &r);
        for (int other = OFFER_NONE; other < phase; other++) {
            assert_string_not_equal(offer_phase_name((enum offer_phase)other),
                                    offer_phase_name((enum offer_phase)phase));
        }
    }
    for (int outcome = OFFER_SUCCESS; outcome <= OFFER_CANCELLED; outcome++) {
        struct offer_record r = full_record();
        r.outcome = (enum offer_outcome)outcome;
        r.failed_by = outcome == OFFER_FAILURE ? ERR_TRUST : OK;
        save(*state, &r);
        assert_int_equal(load(*state).outcome, outcome);
    }
}

static void a_release_that_is_not_known_stays_that(void **state)
{
    struct offer_record r = offer_record_none();
    r.offer = (struct offer){"dir", "latest.vvi", "file:///media/usb/latest.vvi"};
    r.phase = OFFER_ACCEPTED;
    save(*state, &r);
    struct offer_record back = load(*state);
    expect_same(&back, &r);
    assert_false(back.release_known);
}

static void the_longest_texts_fit(void **state)
{
    struct offer_record r = full_record();
    memset(r.offer.source, 1, OFFER_SOURCE_MAX); // six characters of JSON each
    memset(r.offer.id, 1, OFFER_ID_MAX);
    memset(r.offer.url, 1, OFFER_URL_MAX);
    memset(r.reason, 1, OFFER_REASON_SIZE - 1);
    memset(r.failed_checks, 1, OFFER_CHECKS_SIZE - 1);
    save(*state, &r);
    struct offer_record back = load(*state);
    expect_same(&back, &r);
}

static void a_reason_that_is_not_utf8_is_kept_without_those_bytes(void **state)
{
    struct offer_record r = full_record();
    snprintf(r.reason, sizeof r.reason, "bad \xff byte");
    save(*state, &r);
    assert_string_equal(load(*state).reason, "bad ? byte");
}

static void a_damaged_record_is_lost_and_no_error(void **state)
{
    struct scene *s = *state;
    struct error e;
    struct offer_record r = full_record();
    save(s, &r);
    state_mem_spoil(&s->state, "offer");
    expect_lost(s);
    assert_ok(state_replace(&s->state.base, "offer", "", 0, &e));
    expect_lost(s);
    assert_ok(state_replace(&s->state.base, "offer", "{}\ncrc32c 00000000\n", 19, &e));
    expect_lost(s);
}

static void a_record_that_cannot_be_is_lost(void **state)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        {"\"format\":1", "\"format\":2"},
        {"\"phase\":\"done\"", "\"phase\":\"undone\""},
        {"\"phase\":\"done\"", "\"phase\":\"accepted\""}, // with an outcome
        {"\"outcome\":\"failure\"", "\"outcome\":\"undecided\""},
        {"\"outcome\":\"failure\"", "\"outcome\":\"\""},
        {"\"target\":1", "\"target\":2"},
        {"\"target\":1", "\"target\":-2"},
        {"\"target\":1", "\"target\":\"b\""},
        {"\"tries\":3", "\"tries\":4294967296"},
        {"\"fetched\":123456789012", "\"fetched\":-1"},
        {"\"fetched\":123456789012", "\"fetched\":null"},
        {"\"reported\":true", "\"reported\":1"},
        {"\"consented\":true", "\"consented\":1"},
        {"\"failed_by\":5", "\"failed_by\":256"},
        {"\"failed_by\":5", "\"failed_by\":\"trust\""},
        {"\"outcome\":\"failure\"", "\"outcome\":\"success\""}, // that failed
        {"\"index\":9223372036854775807", "\"index\":-1"},
        {"\"version\":\"2.0\"", "\"version\":2"},
        {"\"decided\":1800000100,", ""},
        {"\"boot_id\":\"0b5c1d62-6a47-4a3e-9d5b-0f7a1c2d3e4f\"",
         "\"boot_id\":\"0b5c1d62-6a47-4a3e-9d5b-0f7a1c2d3e4f0\""},
        {"\"source\":\"hawkbit\"", "\"source\" :\"hawkbit\""}, // not canonical
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct offer_record r = full_record();
        save(s, &r);
        put(s, rows[i].from, rows[i].to);
        struct offer_record back = load(s);
        if (!back.lost) {
            fail_msg("expected a record with %s to be lost", rows[i].to);
        }
        expect_lost(s);
    }
}

// Written before there was anything else to be said, or behind it.
static void a_record_of_an_older_or_newer_program_is_read(void **state)
{
    struct scene *s = *state;
    struct offer_record r = full_record();
    save(s, &r);
    put(s, "\"consented\":true,", "");
    put(s, "\"failed_by\":5,", "");
    put(s, "\"fetched\":123456789012,", "");
    struct offer_record back = load(s);
    r.consented = false;
    r.failed_by = OK;
    r.fetched_bytes = 0;
    expect_same(&back, &r);
    put(s, "\"accepted\":1800000000,", "\"accepted\":1800000000,\"also\":{\"new\":1},");
    back = load(s);
    expect_same(&back, &r);
}

static void any_exit_status_is_a_cause(void **state)
{
    struct offer_record r = full_record();
    r.failed_by = (enum err)127;
    save(*state, &r);
    assert_int_equal(load(*state).failed_by, 127);
}

static void an_installed_release_without_a_slot_is_lost(void **state)
{
    struct offer_record r = full_record();
    r.phase = OFFER_INSTALLED;
    r.outcome = OFFER_UNDECIDED;
    r.failed_by = OK;
    r.reported = false;
    r.target = SLOT_NONE;
    save(*state, &r);
    expect_lost(*state);
    r.target = 0;
    r.release_known = false;
    save(*state, &r);
    expect_lost(*state);
    r.release_known = true;
    save(*state, &r);
    assert_false(load(*state).lost);
}

static void a_record_that_cannot_be_read_now_is_an_error(void **state)
{
    struct scene *s = *state;
    struct error e;
    struct offer_record back = {.tries = 7};
    struct offer_record r = full_record();
    save(s, &r);
    s->seam.fail_at = s->seam.calls + 1;
    s->seam.fail_with = ERR_INTERNAL;
    assert_fails(ERR_INTERNAL, "", offer_record_load(&s->state.base, &back, &e));
    assert_int_equal(back.tries, 7);
}

// A store whose reads fail with EIO, so many of them.
struct bad_block {
    struct state_store base;
    struct state_store *below;
    unsigned left, reads;
};

static enum err bad_block_read(struct state_store *s, const char *name, size_t max,
                               uint8_t **ret_data, size_t *ret_len, struct error *e)
{
    struct bad_block *b = (struct bad_block *)s;
    b->reads++;
    if (b->left > 0) {
        b->left--;
        return fail(e, ERR_IO, EIO, "read");
    }
    return state_read(b->below, name, max, ret_data, ret_len, e);
}

static void a_bad_block_loses_the_record_if_it_is_bad_twice(void **state)
{
    static const struct state_ops ops = {.read = bad_block_read};
    struct scene *s = *state;
    struct error e;
    struct offer_record back;
    struct offer_record r = full_record();
    save(s, &r);
    struct bad_block b = {.base.ops = &ops, .below = &s->state.base, .left = 1};
    assert_ok(offer_record_load(&b.base, &back, &e));
    expect_same(&back, &r);
    assert_int_equal(b.reads, 2);
    b.left = 2;
    assert_ok(offer_record_load(&b.base, &back, &e));
    assert_true(back.lost);
    assert_int_equal(b.reads, 4);
}

static void a_number_that_json_has_not_is_not_saved(void **state)
{
    struct scene *s = *state;
    struct error e;
    struct offer_record r = full_record();
    r.decided_s = (uint64_t)INT64_MAX + 1;
    assert_fails(ERR_INTERNAL, "too large", offer_record_save(&s->state.base, &r, &e));
    assert_false(state_mem_has(&s->state, "offer"));
}

#define record_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        record_test(without_a_record_there_is_no_offer),
        record_test(a_record_comes_back_as_it_was),
        record_test(every_phase_and_outcome_has_a_name_of_its_own_and_comes_back),
        record_test(a_release_that_is_not_known_stays_that),
        record_test(the_longest_texts_fit),
        record_test(a_reason_that_is_not_utf8_is_kept_without_those_bytes),
        record_test(a_damaged_record_is_lost_and_no_error),
        record_test(a_record_that_cannot_be_is_lost),
        record_test(a_record_of_an_older_or_newer_program_is_read),
        record_test(any_exit_status_is_a_cause),
        record_test(an_installed_release_without_a_slot_is_lost),
        record_test(a_record_that_cannot_be_read_now_is_an_error),
        record_test(a_bad_block_loses_the_record_if_it_is_bad_twice),
        record_test(a_number_that_json_has_not_is_not_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
