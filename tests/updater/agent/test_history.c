// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/history.h"

#include "tests/support/expect.h"
#include "tests/support/state_mem.h"
#include "tests/support/talk.h"
#include "updater/sealed_record.h"

#include <errno.h>

struct room {
    struct seam_sim seam;
    struct state_mem store;
    struct talk talk;
};

static int make_room(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    assert_non_null(r);
    state_mem_init(&r->store, &r->seam);
    talk_begin(&r->talk);
    *state = r;
    return 0;
}

static int free_room(void **state)
{
    struct room *r = *state;
    talk_end(&r->talk);
    state_mem_free(&r->store);
    free(r);
    return 0;
}

static struct offer_record sample(void)
{
    struct offer_record r = {
        .offer = {.source = "dir", .id = "2.0/4711"},
        .phase = OFFER_DONE,
        .release = {.version = "2.0", .release_index = 20},
        .release_known = true,
        .outcome = OFFER_FAILURE,
        .reason = "The health checks failed.",
        .failed_checks = "tv_api: HTTP 500",
        .accepted_s = 1700000000,
        .decided_s = 1700000125,
        .fetched_bytes = 1024 * 1024,
    };
    return r;
}

static void add(struct room *r, const struct offer_record *record)
{
    struct error e;
    struct history_entry entry;
    history_entry_of(record, &entry);
    assert_ok(history_add(&r->store.base, &entry, &r->talk.log, &e));
}

// The caller frees it.
static struct history *load(struct room *r)
{
    struct error e;
    struct history *h = NULL;
    assert_ok(history_load(&r->store.base, &r->talk.log, &h, &e));
    return h;
}

static void without_a_record_the_history_is_empty_and_that_is_no_news(void **state)
{
    CLEANUP(cleanup_free) struct history *h = load(*state);
    assert_int_equal(h->count, 0);
    assert_string_equal(talk_text(&((struct room *)*state)->talk), "");
}

static void what_was_added_is_read_back(void **state)
{
    struct room *r = *state;
    struct offer_record record = sample();
    add(r, &record);
    CLEANUP(cleanup_free) struct history *h = load(r);
    assert_int_equal(h->count, 1);
    assert_string_equal(h->entries[0].source, "dir");
    assert_string_equal(h->entries[0].offer, "2.0/4711");
    assert_string_equal(h->entries[0].version, "2.0");
    assert_int_equal(h->entries[0].release_index, 20);
    assert_int_equal(h->entries[0].outcome, OFFER_FAILURE);
    assert_string_equal(h->entries[0].reason, "The health checks failed.");
    assert_string_equal(h->entries[0].failed_checks, "tv_api: HTTP 500");
    assert_int_equal(h->entries[0].accepted_s, 1700000000);
    assert_int_equal(h->entries[0].decided_s, 1700000125);
    assert_int_equal(h->entries[0].duration_s, 125);
    assert_int_equal(h->entries[0].fetched_bytes, 1024 * 1024);
}

static void every_outcome_is_read_back(void **state)
{
    struct room *r = *state;
    struct offer_record record = sample();
    for (int i = OFFER_SUCCESS; i <= OFFER_CANCELLED; i++) {
        record.outcome = (enum offer_outcome)i;
        record.decided_s++;
        add(r, &record);
    }
    CLEANUP(cleanup_free) struct history *h = load(r);
    assert_int_equal(h->count, 3);
    assert_int_equal(h->entries[0].outcome, OFFER_SUCCESS);
    assert_int_equal(h->entries[1].outcome, OFFER_FAILURE);
    assert_int_equal(h->entries[2].outcome, OFFER_CANCELLED);
}

static void the_last_fifty_are_kept_newest_last(void **state)
{
    struct room *r = *state;
    struct offer_record record = sample();
    for (int i = 0; i < 53; i++) {
        record.decided_s = 1700000125 + (uint64_t)i;
        add(r, &record);
    }
    CLEANUP(cleanup_free) struct history *h = load(r);
    assert_int_equal(h->count, HISTORY_MAX);
    for (size_t i = 0; i < HISTORY_MAX; i++) {
        assert_int_equal(h->entries[i].decided_s, 1700000125 + 3 + i);
    }
}

static void the_same_decision_added_again_is_there_once_and_not_written(void **state)
{
    struct room *r = *state;
    struct offer_record record = sample();
    add(r, &record);
    assert_int_equal(r->store.replaced, 1);
    add(r, &record);
    assert_int_equal(r->store.replaced, 1);
    struct offer_record other = sample();
    other.decided_s++; // offered again later
    add(r, &other);
    other = sample();
    snprintf(other.offer.source, sizeof other.offer.source, "hawkbit");
    add(r, &other);
    other = sample();
    snprintf(other.offer.id, sizeof other.offer.id, "2.0/4712");
    add(r, &other);
    add(r, &record);
    CLEANUP(cleanup_free) struct history *h = load(r);
    assert_int_equal(h->count, 4);
}

static void an_id_too_long_to_be_kept_is_known_again(void **state)
{
    struct room *r = *state;
    struct offer_record record = sample();
    memset(record.offer.id, 'i', OFFER_ID_MAX);
    add(r, &record);
    add(r, &record);
    CLEANUP(cleanup_free) struct history *h = load(r);
    assert_int_equal(h->count, 1);
    assert_int_equal(strlen(h->entries[0].offer), PLAIN_TEXT_MAX);
}

static void long_texts_are_cut_between_characters(void **state)
{
    struct room *r = *state;
    struct offer_record record = sample();
    for (size_t i = 0; i < 150; i++) {
        memcpy(record.reason + 1 + 2 * i, "\303\244", 3);
    }
    record.reason[0] = 'a';
    memset(record.failed_checks, 'c', sizeof record.failed_checks - 1);
    add(r, &record);
    CLEANUP(cleanup_free) struct history *h = load(r);
    assert_int_equal(strlen(h->entries[0].reason), 199);
    assert_int_equal(strlen(h->entries[0].failed_checks), 200);
}

static void fifty_entries_as_long_as_can_be_are_read_back(void **state)
{
    struct room *r = *state;
    struct offer_record record = sample();
    memset(record.offer.source, '"', OFFER_SOURCE_MAX);
    memset(record.offer.id, '\\', OFFER_ID_MAX);
    memset(record.release.version, 'v', NAME_MAX_LEN);
    memset(record.reason, '"', sizeof record.reason - 1);
    memset(record.failed_checks, '\\', sizeof record.failed_checks - 1);
    record.release.release_index = UINT64_MAX;
    record.accepted_s = INT64_MAX - 1000;
    for (int i = 0; i < HISTORY_MAX + 1; i++) {
        record.decided_s = INT64_MAX - (uint64_t)i;
        add(r, &record);
    }
    CLEANUP(cleanup_free) struct history *h = load(r);
    assert_int_equal(h->count, HISTORY_MAX);
    assert_int_equal(h->entries[0].release_index, INT64_MAX);
    assert_string_equal(talk_text(&r->talk), "");
}

static void a_clock_that_was_set_in_between_makes_the_duration_unknown(void **state)
{
    (void)state;
    static const struct {
        uint64_t accepted_s, decided_s, want_s;
    } rows[] = {
        {1000, 1000, 0},
        {1000, 1060, 60},
        {1000, 999, 0},
        {0, 1700000000, 0},
        {1, 1700000000, 0},
        {1000, 1000 + 183 * 86400, 183 * 86400},
        {1000, 1001 + 183 * 86400, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct offer_record record = sample();
        struct history_entry entry;
        record.accepted_s = rows[i].accepted_s;
        record.decided_s = rows[i].decided_s;
        history_entry_of(&record, &entry);
        if (entry.duration_s != rows[i].want_s) {
            fail_msg("row %zu: expected %u s, got %u s", i, (unsigned)rows[i].want_s,
                     (unsigned)entry.duration_s);
        }
    }
}

static void a_release_that_is_not_known_is_not_made_up(void **state)
{
    (void)state;
    struct offer_record record = sample();
    struct history_entry entry;
    record.release_known = false;
    history_entry_of(&record, &entry);
    assert_string_equal(entry.version, "");
    assert_int_equal(entry.release_index, 0);
}

static void a_damaged_record_is_an_empty_history_and_one_line(void **state)
{
    struct room *r = *state;
    struct offer_record record = sample();
    add(r, &record);
    state_mem_spoil(&r->store, "history");
    {
        CLEANUP(cleanup_free) struct history *h = load(r);
        assert_int_equal(h->count, 0);
    }
    assert_int_equal(count_of(talk_text(&r->talk), "the history of updates is damaged"), 1);
    add(r, &record); // says so again, and makes it whole
    CLEANUP(cleanup_free) struct history *h = load(r);
    assert_int_equal(h->count, 1);
    assert_int_equal(count_of(talk_text(&r->talk), "damaged"), 2);
}

// Whole by its checksum, and still not ours.
static void a_record_with_members_that_do_not_fit_is_lost(void **state)
{
    struct room *r = *state;
    static const char *const odd[] = {
        "{}",
        "{\"entries\":[]}",
        "{\"schema\":2,\"entries\":[]}",
        "{\"schema\":1}",
        "{\"schema\":1,\"entries\":{}}",
        "{\"schema\":1,\"entries\":[1]}",
        "{\"schema\":1,\"entries\":[{}]}",
    };
    struct error e;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        CLEANUP(cleanup_json) json_t *root = json_loads(odd[i], 0, NULL);
        assert_ok(sealed_record_save(&r->store.base, "history", root, &e));
        CLEANUP(cleanup_free) struct history *h = load(r);
        assert_int_equal(h->count, 0);
        assert_int_equal(count_of(talk_text(&r->talk), "damaged"), i + 1);
    }
}

static void each_member_is_needed_and_of_its_kind(void **state)
{
    struct room *r = *state;
    struct offer_record record = sample();
    add(r, &record);
    struct error e;
    CLEANUP(cleanup_free) struct history *whole = load(r);
    CLEANUP(cleanup_json) json_t *model = history_json(whole);
    const char *key;
    json_t *value;
    size_t refused = 0;
    json_object_foreach(json_array_get(json_object_get(model, "entries"), 0), key, value)
    {
        CLEANUP(cleanup_json) json_t *root = json_deep_copy(model);
        json_t *entry = json_array_get(json_object_get(root, "entries"), 0);
        assert_int_equal(json_object_set_new(entry, key, json_true()), 0);
        assert_ok(sealed_record_save(&r->store.base, "history", root, &e));
        CLEANUP(cleanup_free) struct history *h = load(r);
        if (h->count != 0) {
            fail_msg("expected an entry with %s:true to be refused", key);
        }
        refused++;
    }
    assert_int_equal(refused, 11);
}

static void more_entries_than_fit_are_no_history_of_ours(void **state)
{
    struct room *r = *state;
    struct offer_record record = sample();
    add(r, &record);
    struct error e;
    CLEANUP(cleanup_free) struct history *one = load(r);
    CLEANUP(cleanup_json) json_t *root = history_json(one);
    json_t *entries = json_object_get(root, "entries");
    while (json_array_size(entries) <= HISTORY_MAX) {
        assert_int_equal(json_array_append(entries, json_array_get(entries, 0)), 0);
    }
    assert_ok(sealed_record_save(&r->store.base, "history", root, &e));
    CLEANUP(cleanup_free) struct history *h = load(r);
    assert_int_equal(h->count, 0);
    assert_contains(talk_text(&r->talk), "damaged");
}

static void a_directory_that_cannot_be_read_or_written_is_an_error(void **state)
{
    struct room *r = *state;
    struct error e;
    struct history *h = NULL;
    struct history_entry entry;
    struct offer_record record = sample();
    add(r, &record);
    record.decided_s++;
    history_entry_of(&record, &entry);
    r->store.read_only = true;
    assert_fails(ERR_IO, "history", history_add(&r->store.base, &entry, &r->talk.log, &e));
    r->store.read_only = false;
    r->seam.fail_with = ERR_INTERNAL; // ERR_IO is a bad block: damage
    r->seam.fail_at = r->seam.calls + 1;
    assert_fails(ERR_INTERNAL, "", history_add(&r->store.base, &entry, &r->talk.log, &e));
    r->seam.fail_at = r->seam.calls + 1;
    assert_fails(ERR_INTERNAL, "", history_load(&r->store.base, &r->talk.log, &h, &e));
    assert_null(h);
    seam_reset(&r->seam);
    CLEANUP(cleanup_free) struct history *after = load(r);
    assert_int_equal(after->count, 1);
    assert_string_equal(talk_text(&r->talk), "");
}

static void the_json_is_that_of_the_header(void **state)
{
    struct room *r = *state;
    struct offer_record record = sample();
    add(r, &record);
    CLEANUP(cleanup_free) struct history *h = load(r);
    CLEANUP(cleanup_json) json_t *root = history_json(h);
    CLEANUP(cleanup_free) char *text = json_canonical(root);
    assert_string_equal(text,
                        "{\"entries\":[{\"accepted_s\":1700000000,\"decided_s\":1700000125,"
                        "\"duration_s\":125,\"failed_checks\":\"tv_api: HTTP 500\","
                        "\"fetched_bytes\":1048576,\"offer\":\"2.0/4711\",\"outcome\":\"failure\","
                        "\"reason\":\"The health checks failed.\",\"release_index\":20,"
                        "\"source\":\"dir\",\"version\":\"2.0\"}],\"schema\":1}");
}

static const char *printed(const struct history *h, char *buf, size_t size)
{
    FILE *out = fmemopen(buf, size, "w");
    assert_non_null(out);
    history_print(h, out);
    fclose(out);
    return buf;
}

static void the_table_has_a_row_for_each_and_lines_for_what_went_wrong(void **state)
{
    struct room *r = *state;
    char buf[4096];
    struct offer_record record = sample();
    add(r, &record);
    record =
        (struct offer_record){.offer = {.source = "dir", .id = "x"}, .outcome = OFFER_CANCELLED};
    struct history_entry entry;
    struct error e;
    history_entry_of(&record, &entry);
    assert_ok(history_add(&r->store.base, &entry, &r->talk.log, &e));
    CLEANUP(cleanup_free) struct history *h = load(r);
    assert_string_equal(
        printed(h, buf, sizeof buf),
        "DECIDED                  SOURCE       VERSION          OUTCOME    TOOK           FETCHED\n"
        "2023-11-14 22:15:25 UTC  dir          2.0              failure    2 min 5 s      1.0 MiB\n"
        "    The health checks failed.\n"
        "    failed checks: tv_api: HTTP 500\n"
        "-                        dir          -                cancelled  -              -\n");
}

static void an_empty_history_says_so(void **state)
{
    char buf[256];
    CLEANUP(cleanup_free) struct history *h = load(*state);
    assert_string_equal(printed(h, buf, sizeof buf), "No update was decided here yet.\n");
}

// From a record that somebody wrote by hand: no number breaks the table.
static void a_number_without_sense_does_not_break_the_table(void **state)
{
    (void)state;
    char buf[1024];
    struct history *h = calloc(1, sizeof *h);
    assert_non_null(h);
    h->count = 1;
    h->entries[0] = (struct history_entry){.outcome = OFFER_SUCCESS,
                                           .decided_s = INT64_MAX,
                                           .duration_s = INT64_MAX,
                                           .fetched_bytes = INT64_MAX};
    assert_contains(printed(h, buf, sizeof buf), " success    -              ");
    free(h);
}

#define IN_ROOM(f) cmocka_unit_test_setup_teardown(f, make_room, free_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(without_a_record_the_history_is_empty_and_that_is_no_news),
        IN_ROOM(what_was_added_is_read_back),
        IN_ROOM(every_outcome_is_read_back),
        IN_ROOM(the_last_fifty_are_kept_newest_last),
        IN_ROOM(the_same_decision_added_again_is_there_once_and_not_written),
        IN_ROOM(an_id_too_long_to_be_kept_is_known_again),
        IN_ROOM(long_texts_are_cut_between_characters),
        IN_ROOM(fifty_entries_as_long_as_can_be_are_read_back),
        cmocka_unit_test(a_clock_that_was_set_in_between_makes_the_duration_unknown),
        cmocka_unit_test(a_release_that_is_not_known_is_not_made_up),
        IN_ROOM(a_damaged_record_is_an_empty_history_and_one_line),
        IN_ROOM(a_record_with_members_that_do_not_fit_is_lost),
        IN_ROOM(each_member_is_needed_and_of_its_kind),
        IN_ROOM(more_entries_than_fit_are_no_history_of_ours),
        IN_ROOM(a_directory_that_cannot_be_read_or_written_is_an_error),
        IN_ROOM(the_json_is_that_of_the_header),
        IN_ROOM(the_table_has_a_row_for_each_and_lines_for_what_went_wrong),
        IN_ROOM(an_empty_history_says_so),
        cmocka_unit_test(a_number_without_sense_does_not_break_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
