// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/denylist.h"

#include "tests/support/expect.h"
#include "tests/support/state_mem.h"
#include "tests/support/talk.h"
#include "updater/sealed_record.h"

struct room {
    struct seam_sim seam;
    struct state_mem store;
    struct talk talk;
    struct denylist list;
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

// Number `n` of many, of that version.
static struct release_id release(unsigned n, const char *version)
{
    struct release_id id = {.manifest_sha256 = {0xab, 0xcd, 0, 0xef, (uint8_t)(n >> 8), (uint8_t)n},
                            .release_index = n};
    snprintf(id.version, sizeof id.version, "%s", version);
    return id;
}

static void deny(struct room *r, unsigned n, const char *version)
{
    const struct release_id id = release(n, version);
    denylist_add(&r->list, &id, "The health checks failed.", 1700000000 + n);
}

static bool is_denied(const struct room *r, unsigned n)
{
    const struct release_id id = release(n, "");
    return denylist_find(&r->list, id.manifest_sha256) != NULL;
}

static struct denylist *load(struct room *r)
{
    struct error e;
    struct denylist *d = NULL;
    assert_ok(denylist_load(&r->store.base, &r->talk.log, &d, &e));
    return d;
}

// --- who is to blame -----------------------------------------------------------------------------

static void only_what_is_the_fault_of_the_release_is_denied(void **state)
{
    (void)state;
    static const struct {
        enum err code;
        bool denied;
    } rows[] = {
        {OK, false},           {ERR_INTERNAL, false}, {ERR_USAGE, false},  {ERR_CONFIG, false},
        {ERR_NETWORK, false},  {ERR_TRUST, false},    {ERR_FORMAT, false}, {ERR_IO, false},
        {ERR_TOO_LARGE, true}, {ERR_NOT_NOW, false},  {ERR_HEALTH, false}, {ERR_AGAIN, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int outcome = OFFER_UNDECIDED; outcome <= OFFER_CANCELLED; outcome++) {
            bool failed = outcome == OFFER_FAILURE;
            const bool want[] = {[FAILURE_OF_INSTALL] = failed && rows[i].denied,
                                 [FAILURE_OF_TRIAL] = failed,
                                 [FAILURE_BY_HAND] = false};
            for (int cause = FAILURE_OF_INSTALL; cause <= FAILURE_BY_HAND; cause++) {
                bool got = denylist_blames_release((enum offer_outcome)outcome,
                                                   (enum failure_cause)cause, rows[i].code);
                if (got != want[cause]) {
                    fail_msg("outcome %d, cause %d, error %d: expected %d, got %d", outcome, cause,
                             rows[i].code, want[cause], got);
                }
            }
        }
    }
}

// --- the list ------------------------------------------------------------------------------------

static void a_release_is_found_by_its_manifest(void **state)
{
    struct room *r = *state;
    assert_false(is_denied(r, 1));
    deny(r, 1, "2.0");
    deny(r, 2, "2.0");
    assert_true(is_denied(r, 1));
    assert_true(is_denied(r, 2));
    assert_false(is_denied(r, 3));
    const struct release_id id = release(2, "");
    const struct denied_release *found = denylist_find(&r->list, id.manifest_sha256);
    assert_string_equal(found->version, "2.0");
    assert_int_equal(found->release_index, 2);
    assert_int_equal(found->time_s, 1700000002);
    assert_int_equal(found->count, 1);
    assert_string_equal(found->reason, "The health checks failed.");
}

static void one_that_fails_again_is_counted_and_the_newest(void **state)
{
    struct room *r = *state;
    deny(r, 1, "2.0");
    deny(r, 2, "2.1");
    const struct release_id id = release(1, "2.0");
    denylist_add(&r->list, &id, "It did not boot.", 1800000000);
    assert_int_equal(r->list.count, 2);
    assert_int_equal(r->list.releases[1].release_index, 1);
    assert_int_equal(r->list.releases[1].count, 2);
    assert_int_equal(r->list.releases[1].time_s, 1800000000);
    assert_string_equal(r->list.releases[1].reason, "It did not boot.");
    assert_int_equal(r->list.releases[0].release_index, 2);
}

static void the_same_failure_added_again_after_a_cut_is_counted_once(void **state)
{
    struct room *r = *state;
    deny(r, 1, "2.0");
    deny(r, 1, "2.0");
    assert_int_equal(r->list.count, 1);
    assert_int_equal(r->list.releases[0].count, 1);
}

static void of_more_than_fit_the_oldest_gives_way(void **state)
{
    struct room *r = *state;
    for (unsigned n = 0; n < DENYLIST_MAX; n++) {
        deny(r, n, "2.0");
    }
    deny(r, 0, "2.0"); // there already: nothing gives way
    assert_true(is_denied(r, 1));
    deny(r, 1000, "2.0");
    assert_int_equal(r->list.count, DENYLIST_MAX);
    assert_true(is_denied(r, 1000));
    assert_true(is_denied(r, 0));
    assert_false(is_denied(r, 1));
    assert_true(is_denied(r, 2));
}

static void a_reason_is_kept_in_part_and_in_one_line(void **state)
{
    struct room *r = *state;
    char reason[512];
    memset(reason, 'r', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    reason[3] = '\n';
    const struct release_id id = release(1, "2.0");
    denylist_add(&r->list, &id, reason, 1);
    assert_int_equal(strlen(r->list.releases[0].reason), PLAIN_TEXT_MAX);
    assert_memory_equal(r->list.releases[0].reason, "rrr r", 5);
}

// --- the operator's word -------------------------------------------------------------------------

static void all_of_a_version_are_allowed_again(void **state)
{
    struct room *r = *state;
    struct error e;
    size_t count = 0;
    deny(r, 1, "2.0");
    deny(r, 2, "2.1");
    deny(r, 3, "2.0");
    assert_ok(denylist_allow(&r->list, "2.0", &count, &e));
    assert_int_equal(count, 2);
    assert_int_equal(r->list.count, 1);
    assert_true(is_denied(r, 2));
}

static void all_is_all_even_of_none(void **state)
{
    struct room *r = *state;
    struct error e;
    size_t count = 99;
    assert_ok(denylist_allow(&r->list, "all", &count, &e));
    assert_int_equal(count, 0);
    deny(r, 1, "2.0");
    deny(r, 2, "2.1");
    assert_ok(denylist_allow(&r->list, "all", &count, &e));
    assert_int_equal(count, 2);
    assert_int_equal(r->list.count, 0);
}

static void the_beginning_of_a_hash_names_one(void **state)
{
    struct room *r = *state;
    struct error e;
    size_t count = 0;
    deny(r, 1, "2.0");
    deny(r, 2, "2.0");
    assert_fails(ERR_USAGE, "give more digits", denylist_allow(&r->list, "abcd00ef00", &count, &e));
    assert_int_equal(r->list.count, 2);
    assert_ok(denylist_allow(&r->list, "ABCD00ef0001", &count, &e));
    assert_int_equal(count, 1);
    assert_false(is_denied(r, 1));
    assert_true(is_denied(r, 2));
    char hex[SHA256_HEX_SIZE];
    const struct release_id id = release(2, "");
    hex_encode(id.manifest_sha256, SHA256_SIZE, hex);
    assert_ok(denylist_allow(&r->list, hex, &count, &e));
    assert_int_equal(r->list.count, 0);
}

static void a_version_that_looks_like_a_hash_is_a_version(void **state)
{
    struct room *r = *state;
    struct error e;
    size_t count = 0;
    deny(r, 1, "2.0");
    deny(r, 2, "abcd00ef0001");
    assert_ok(denylist_allow(&r->list, "abcd00ef0001", &count, &e));
    assert_true(is_denied(r, 1));
    assert_false(is_denied(r, 2));
}

static void what_names_no_denied_release_is_refused(void **state)
{
    struct room *r = *state;
    struct error e;
    size_t count = 0;
    static const char *const odd[] = {
        "",
        "3.0",
        "2.",
        "abcd00e",      // too short
        "abcd00ef00ff", // nobody's
        "xbcd00ef0001",
        "abcd00ef000100000000000000000000000000000000000000000000000000000", // 65 digits
    };
    deny(r, 1, "2.0");
    deny(r, 2, ""); // its version is not known
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        assert_fails(ERR_USAGE, "no release is denied",
                     denylist_allow(&r->list, odd[i], &count, &e));
        assert_int_equal(r->list.count, 2);
    }
    assert_int_equal(count, 0);
}

// --- the record ----------------------------------------------------------------------------------

static void without_a_record_nothing_is_denied_and_that_is_no_news(void **state)
{
    struct room *r = *state;
    CLEANUP(cleanup_free) struct denylist *d = load(r);
    assert_int_equal(d->count, 0);
    assert_string_equal(talk_text(&r->talk), "");
}

static void what_was_saved_is_read_back(void **state)
{
    struct room *r = *state;
    struct error e;
    deny(r, 1, "2.0");
    deny(r, 2, "2.1");
    deny(r, 1, "2.0");
    assert_ok(denylist_save(&r->store.base, &r->list, &e));
    CLEANUP(cleanup_free) struct denylist *d = load(r);
    assert_int_equal(d->count, 2);
    assert_memory_equal(d->releases, r->list.releases, 2 * sizeof d->releases[0]);
}

static void a_full_list_of_the_longest_texts_is_read_back(void **state)
{
    struct room *r = *state;
    struct error e;
    char reason[512];
    memset(reason, '"', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    for (unsigned n = 0; n < DENYLIST_MAX; n++) {
        struct release_id id = release(n, "");
        memset(id.version, '\\', NAME_MAX_LEN);
        id.release_index = UINT64_MAX;
        denylist_add(&r->list, &id, reason, UINT64_MAX);
        r->list.releases[n].count = INT64_MAX;
    }
    assert_ok(denylist_save(&r->store.base, &r->list, &e));
    CLEANUP(cleanup_free) struct denylist *d = load(r);
    assert_int_equal(d->count, DENYLIST_MAX);
    assert_string_equal(talk_text(&r->talk), "");
}

static void a_damaged_record_denies_nothing_and_is_one_line(void **state)
{
    struct room *r = *state;
    struct error e;
    deny(r, 1, "2.0");
    assert_ok(denylist_save(&r->store.base, &r->list, &e));
    state_mem_spoil(&r->store, "denied");
    CLEANUP(cleanup_free) struct denylist *d = load(r);
    assert_int_equal(d->count, 0);
    assert_int_equal(count_of(talk_text(&r->talk), "the list of denied releases is damaged"), 1);
}

static void a_record_with_members_that_do_not_fit_is_lost(void **state)
{
    struct room *r = *state;
    struct error e;
    static const char *const odd[] = {
        "{}",
        "{\"denied\":[]}",
        "{\"denied\":[],\"schema\":2}",
        "{\"denied\":{},\"schema\":1}",
        "{\"denied\":[0],\"schema\":1}",
    };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        CLEANUP(cleanup_json) json_t *root = json_loads(odd[i], 0, NULL);
        assert_ok(sealed_record_save(&r->store.base, "denied", root, &e));
        CLEANUP(cleanup_free) struct denylist *d = load(r);
        assert_int_equal(d->count, 0);
        assert_int_equal(count_of(talk_text(&r->talk), "damaged"), i + 1);
    }
}

static void each_member_is_needed_and_of_its_kind(void **state)
{
    struct room *r = *state;
    struct error e;
    deny(r, 1, "2.0");
    CLEANUP(cleanup_json) json_t *model = denylist_json(&r->list);
    const char *key;
    json_t *value;
    size_t refused = 0;
    json_object_foreach(json_array_get(json_object_get(model, "denied"), 0), key, value)
    {
        CLEANUP(cleanup_json) json_t *root = json_deep_copy(model);
        json_t *one = json_array_get(json_object_get(root, "denied"), 0);
        assert_int_equal(json_object_set_new(one, key, json_true()), 0);
        assert_ok(sealed_record_save(&r->store.base, "denied", root, &e));
        CLEANUP(cleanup_free) struct denylist *d = load(r);
        if (d->count != 0) {
            fail_msg("expected a release with %s:true to be refused", key);
        }
        refused++;
    }
    assert_int_equal(refused, 6);
}

static void more_releases_than_fit_are_no_list_of_ours(void **state)
{
    struct room *r = *state;
    struct error e;
    deny(r, 1, "2.0");
    CLEANUP(cleanup_json) json_t *root = denylist_json(&r->list);
    json_t *denied = json_object_get(root, "denied");
    while (json_array_size(denied) <= DENYLIST_MAX) {
        assert_int_equal(json_array_append(denied, json_array_get(denied, 0)), 0);
    }
    assert_ok(sealed_record_save(&r->store.base, "denied", root, &e));
    CLEANUP(cleanup_free) struct denylist *d = load(r);
    assert_int_equal(d->count, 0);
}

static void a_directory_that_cannot_be_read_or_written_is_an_error(void **state)
{
    struct room *r = *state;
    struct error e;
    struct denylist *d = NULL;
    r->store.read_only = true;
    assert_fails(ERR_IO, "denied", denylist_save(&r->store.base, &r->list, &e));
    r->seam.fail_with = ERR_INTERNAL; // ERR_IO is a bad block: damage
    r->seam.fail_at = r->seam.calls + 1;
    assert_fails(ERR_INTERNAL, "", denylist_load(&r->store.base, &r->talk.log, &d, &e));
    assert_null(d);
    assert_string_equal(talk_text(&r->talk), "");
}

static void the_record_stands_as_the_header_says(void **state)
{
    struct room *r = *state;
    deny(r, 1, "2.0");
    CLEANUP(cleanup_json) json_t *root = denylist_json(&r->list);
    CLEANUP(cleanup_free) char *text = json_canonical(root);
    assert_string_equal(text,
                        "{\"denied\":[{\"count\":1,\"manifest\":"
                        "\"abcd00ef00010000000000000000000000000000000000000000000000000000\","
                        "\"reason\":\"The health checks failed.\",\"release_index\":1,"
                        "\"time_s\":1700000001,\"version\":\"2.0\"}],\"schema\":1}");
}

static void the_print_has_what_allow_takes(void **state)
{
    struct room *r = *state;
    char buf[1024];
    FILE *out = fmemopen(buf, sizeof buf, "w");
    denylist_print(&r->list, out);
    deny(r, 1, "2.0");
    const struct release_id id = release(2, "");
    denylist_add(&r->list, &id, "", 1);
    denylist_add(&r->list, &id, "", 2);
    denylist_print(&r->list, out);
    fclose(out);
    assert_string_equal(buf, "No release is denied.\n"
                             "abcd00ef0001  2.0              failed 1 time: The health checks "
                             "failed.\n"
                             "abcd00ef0002  -                failed 2 times: -\n");
}

#define IN_ROOM(f) cmocka_unit_test_setup_teardown(f, make_room, free_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_the_fault_of_the_release_is_denied),
        IN_ROOM(a_release_is_found_by_its_manifest),
        IN_ROOM(one_that_fails_again_is_counted_and_the_newest),
        IN_ROOM(the_same_failure_added_again_after_a_cut_is_counted_once),
        IN_ROOM(of_more_than_fit_the_oldest_gives_way),
        IN_ROOM(a_reason_is_kept_in_part_and_in_one_line),
        IN_ROOM(all_of_a_version_are_allowed_again),
        IN_ROOM(all_is_all_even_of_none),
        IN_ROOM(the_beginning_of_a_hash_names_one),
        IN_ROOM(a_version_that_looks_like_a_hash_is_a_version),
        IN_ROOM(what_names_no_denied_release_is_refused),
        IN_ROOM(without_a_record_nothing_is_denied_and_that_is_no_news),
        IN_ROOM(what_was_saved_is_read_back),
        IN_ROOM(a_full_list_of_the_longest_texts_is_read_back),
        IN_ROOM(a_damaged_record_denies_nothing_and_is_one_line),
        IN_ROOM(a_record_with_members_that_do_not_fit_is_lost),
        IN_ROOM(each_member_is_needed_and_of_its_kind),
        IN_ROOM(more_releases_than_fit_are_no_list_of_ours),
        IN_ROOM(a_directory_that_cannot_be_read_or_written_is_an_error),
        IN_ROOM(the_record_stands_as_the_header_says),
        IN_ROOM(the_print_has_what_allow_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
