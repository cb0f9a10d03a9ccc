// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/hold.h"

#include "tests/support/expect.h"
#include "tests/support/state_mem.h"
#include "updater/sealed_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS };
enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S, YEAR_S = 365 * DAY_S };

#define BOOT_1 "11111111-1111-1111-1111-111111111111"
#define BOOT_2 "22222222-2222-2222-2222-222222222222"
#define NOON UINT64_C(1800000000)

struct room {
    struct seam_sim seam;
    struct state_mem store;
    struct holds holds;
    struct hold_now now;
};

static int make(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return -1;
    }
    state_mem_init(&r->store, &r->seam);
    r->now = (struct hold_now){BOOT_1, HOUR_MS, NOON, true};
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct room *r = *state;
    state_mem_free(&r->store);
    free(r);
    return 0;
}

static void set(struct room *r, enum hold_kind kind, const char *owner, uint64_t length_ms)
{
    struct error e;
    const struct hold_request q = {kind, owner, "because", GATE_ALL_PHASES, length_ms};
    assert_ok(holds_set(&r->holds, &q, &r->now, &e));
}

static void reload(struct room *r)
{
    struct error e;
    assert_ok(holds_save(&r->store.base, &r->holds, &e));
    memset(&r->holds, 0x5a, sizeof r->holds);
    assert_ok(holds_load(&r->store.base, &r->holds, &e));
}

static void expect_left(struct room *r, uint64_t want_ms)
{
    assert_int_equal(r->holds.count, 1);
    uint64_t got = hold_left_ms(&r->holds.all[0], &r->now);
    if (got != want_ms) {
        fail_msg("expected %llu ms left, got %llu", (unsigned long long)want_ms,
                 (unsigned long long)got);
    }
}

static void advance(struct room *r, uint64_t ms)
{
    r->now.boottime_ms += ms;
    r->now.wall_s += ms / 1000;
}

static void reboot(struct room *r, uint64_t uptime_ms)
{
    r->now.boot_id = BOOT_2;
    r->now.boottime_ms = uptime_ms;
}

// --- setting and releasing -----------------------------------------------------------------------

static void a_hold_stands_until_its_owner_releases_it(void **state)
{
    struct room *r = *state;
    set(r, HOLD_OPERATOR, "alice", HOLD_FOR_EVER);
    advance(r, UINT64_C(5000) * DAY_MS);
    const struct hold *h = holds_find(&r->holds, GATE_REBOOT, &r->now);
    assert_non_null(h);
    assert_string_equal(h->owner, "alice");
    assert_false(holds_release(&r->holds, HOLD_OPERATOR, "bob", &r->now));
    assert_false(holds_release(&r->holds, HOLD_LOCK, "alice", &r->now));
    assert_true(holds_release(&r->holds, HOLD_OPERATOR, "alice", &r->now));
    assert_null(holds_find(&r->holds, GATE_REBOOT, &r->now));
    assert_false(holds_release(&r->holds, HOLD_OPERATOR, "alice", &r->now));
}

static void it_holds_only_its_phases(void **state)
{
    struct room *r = *state;
    struct error e;
    const struct hold_request q = {HOLD_OPERATOR, "alice", NULL, 1 << GATE_REBOOT, HOLD_FOR_EVER};
    assert_ok(holds_set(&r->holds, &q, &r->now, &e));
    assert_null(holds_find(&r->holds, GATE_DOWNLOAD, &r->now));
    assert_null(holds_find(&r->holds, GATE_INSTALL, &r->now));
    assert_non_null(holds_find(&r->holds, GATE_REBOOT, &r->now));
}

static void setting_again_replaces_what_the_same_owner_had(void **state)
{
    struct room *r = *state;
    set(r, HOLD_OPERATOR, "alice", HOUR_MS);
    set(r, HOLD_LOCK, "alice", HOUR_MS); // of another kind: beside it
    assert_int_equal(r->holds.count, 2);
    advance(r, MINUTE_MS);
    set(r, HOLD_OPERATOR, "alice", MINUTE_MS);
    assert_int_equal(r->holds.count, 2);
    assert_int_equal(hold_left_ms(&r->holds.all[0], &r->now), MINUTE_MS);
    assert_int_equal(r->holds.all[0].since_s, NOON + 60);
}

static void the_one_that_holds_longest_is_told(void **state)
{
    struct room *r = *state;
    set(r, HOLD_OPERATOR, "short", HOUR_MS);
    set(r, HOLD_OPERATOR, "long", DAY_MS);
    set(r, HOLD_LOCK, "lock", 2 * HOUR_MS);
    assert_string_equal(holds_find(&r->holds, GATE_INSTALL, &r->now)->owner, "long");
    set(r, HOLD_OPERATOR, "ever", HOLD_FOR_EVER);
    assert_string_equal(holds_find(&r->holds, GATE_INSTALL, &r->now)->owner, "ever");
}

static void what_is_over_is_as_if_it_were_not_there(void **state)
{
    struct room *r = *state;
    set(r, HOLD_OPERATOR, "alice", HOUR_MS);
    advance(r, HOUR_MS - 1);
    expect_left(r, 1);
    advance(r, 1);
    expect_left(r, 0);
    assert_null(holds_find(&r->holds, GATE_INSTALL, &r->now));
    assert_false(holds_release(&r->holds, HOLD_OPERATOR, "alice", &r->now));
    assert_int_equal(r->holds.count, 0);
}

static void there_is_room_for_sixteen_that_stand(void **state)
{
    struct room *r = *state;
    struct error e;
    char owner[16];
    for (int i = 0; i < HOLDS_MAX; i++) {
        snprintf(owner, sizeof owner, "owner %d", i);
        set(r, HOLD_OPERATOR, owner, i == 7 ? MINUTE_MS : HOUR_MS);
    }
    const struct hold_request q = {HOLD_OPERATOR, "one more", NULL, GATE_ALL_PHASES, HOUR_MS};
    assert_fails(ERR_AGAIN, "owner 0", holds_set(&r->holds, &q, &r->now, &e));
    set(r, HOLD_OPERATOR, "owner 3", HOUR_MS); // one that has a place keeps it
    advance(r, MINUTE_MS);
    assert_ok(holds_set(&r->holds, &q, &r->now, &e)); // in the place of one that is over
    assert_int_equal(r->holds.count, HOLDS_MAX);
}

static void a_wrong_request_is_refused(void **state)
{
    struct room *r = *state;
    char long_owner[HOLD_OWNER_MAX + 2];
    memset(long_owner, 'x', sizeof long_owner - 1);
    long_owner[sizeof long_owner - 1] = '\0';
    const struct {
        struct hold_request q;
        const char *says;
    } cases[] = {
        {{HOLD_OPERATOR, "", NULL, 7, HOUR_MS}, "owner"},
        {{HOLD_OPERATOR, long_owner, NULL, 7, HOUR_MS}, "64"},
        {{HOLD_OPERATOR, " alice", NULL, 7, HOUR_MS}, "owner"},
        {{HOLD_OPERATOR, "alice ", NULL, 7, HOUR_MS}, "owner"},
        {{HOLD_OPERATOR, "al\nice", NULL, 7, HOUR_MS}, "printable"},
        {{HOLD_OPERATOR, "al\x1b[31m", NULL, 7, HOUR_MS}, "printable"},
        {{HOLD_OPERATOR, "\xc3\xa4", NULL, 7, HOUR_MS}, "ASCII"},
        {{HOLD_OPERATOR, "alice", NULL, 0, HOUR_MS}, "phase"},
        {{HOLD_OPERATOR, "alice", NULL, 8, HOUR_MS}, "phase"},
        {{HOLD_OPERATOR, "alice", NULL, 7, 0}, "end"},
        {{HOLD_OPERATOR, "alice", NULL, 7, HOLD_MAX_MS + 1}, "within 3653 d"},
        {{HOLD_LOCK, "tv", NULL, 7, HOLD_LOCK_MAX_MS + 1}, "lock: it must have an end, within 1 d"},
        {{HOLD_LOCK, "tv", NULL, 7, HOLD_FOR_EVER}, "end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e;
        assert_fails(ERR_USAGE, cases[i].says, holds_set(&r->holds, &cases[i].q, &r->now, &e));
        assert_int_equal(r->holds.count, 0);
    }
    long_owner[HOLD_OWNER_MAX] = '\0';
    set(r, HOLD_OPERATOR, long_owner, HOLD_MAX_MS);
    set(r, HOLD_LOCK, "~/a b", HOLD_LOCK_MAX_MS);
}

static void a_reason_is_made_printable_and_cut(void **state)
{
    struct room *r = *state;
    struct error e;
    char text[HOLD_REASON_MAX + 40];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    text[1] = '\n';
    const struct hold_request q = {HOLD_OPERATOR, "alice", text, 7, HOUR_MS};
    assert_ok(holds_set(&r->holds, &q, &r->now, &e));
    assert_int_equal(strlen(r->holds.all[0].reason), HOLD_REASON_MAX);
    assert_int_equal(memcmp(r->holds.all[0].reason, "x?xx", 4), 0);
}

static void sentences_say_who_how_long_and_why(void **state)
{
    struct room *r = *state;
    char buf[HOLD_SENTENCE_SIZE];
    set(r, HOLD_OPERATOR, "alice", 2 * HOUR_MS + 5 * MINUTE_MS);
    assert_string_equal(hold_sentence(&r->holds.all[0], &r->now, buf, sizeof buf),
                        "held by alice for another 2 h 5 min: because");
    set(r, HOLD_OPERATOR, "bob", HOLD_FOR_EVER);
    assert_string_equal(hold_sentence(&r->holds.all[1], &r->now, buf, sizeof buf),
                        "held by bob until released: because");
    struct error e;
    const struct hold_request q = {HOLD_LOCK, "tv", "", 7, MINUTE_MS};
    assert_ok(holds_set(&r->holds, &q, &r->now, &e));
    assert_string_equal(hold_sentence(&r->holds.all[2], &r->now, buf, sizeof buf),
                        "locked by tv for another 1 min");
    assert_string_equal(hold_kind_name(HOLD_OPERATOR), "hold");
    assert_string_equal(hold_kind_name(HOLD_LOCK), "lock");
}

// --- clocks --------------------------------------------------------------------------------------

static void a_wall_clock_that_jumps_changes_nothing_within_a_boot(void **state)
{
    struct room *r = *state;
    static const int64_t jumps_s[] = {YEAR_S, -YEAR_S, -(int64_t)NOON, 1, -1};
    for (size_t i = 0; i < sizeof jumps_s / sizeof *jumps_s; i++) {
        r->holds = (struct holds){0};
        r->now = (struct hold_now){BOOT_1, HOUR_MS, NOON, true};
        set(r, HOLD_OPERATOR, "alice", HOUR_MS);
        r->now.wall_s = (uint64_t)((int64_t)NOON + jumps_s[i]);
        expect_left(r, HOUR_MS);
        advance(r, HOUR_MS - 1);
        expect_left(r, 1);
        assert_false(holds_settle(&r->holds, &r->now));
        advance(r, 1);
        expect_left(r, 0);
    }
}

static void after_a_reboot_the_wall_clock_or_the_uptime_ends_it(void **state)
{
    // A hold of one day, set at NOON; what the next boot makes of it.
    static const struct {
        const char *what;
        uint64_t uptime_ms, wall_s;
        uint64_t left_ms;
    } cases[] = {
        {"an hour later", 5 * MINUTE_MS, NOON + HOUR_S, DAY_MS - HOUR_MS},
        {"a second before its end", 0, NOON + DAY_S - 1, 1000},
        {"at its end", 0, NOON + DAY_S, 0},
        {"a week later", 0, NOON + 7 * DAY_S, 0},
        {"the clock begins in 1970", 0, 0, DAY_MS},
        {"the same, an hour on", HOUR_MS, HOUR_S, DAY_MS - HOUR_MS},
        {"the same, as long as it was set for", DAY_MS, DAY_S, 0},
        {"the clock went back a year", HOUR_MS, NOON - YEAR_S, DAY_MS - HOUR_MS},
        {"the clock went ahead a year", HOUR_MS, NOON + YEAR_S, 0},
    };
    struct room *r = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        r->holds = (struct holds){0};
        r->now = (struct hold_now){BOOT_1, 50 * (uint64_t)DAY_MS, NOON, true};
        set(r, HOLD_OPERATOR, "alice", DAY_MS);
        reload(r);
        reboot(r, cases[i].uptime_ms);
        r->now.wall_s = cases[i].wall_s;
        uint64_t got = hold_left_ms(&r->holds.all[0], &r->now);
        if (got != cases[i].left_ms) {
            fail_msg("expected %llu ms left, got %llu: %s", (unsigned long long)cases[i].left_ms,
                     (unsigned long long)got, cases[i].what);
        }
    }
}

static void a_synchronised_clock_moves_it_into_this_boot_once(void **state)
{
    struct room *r = *state;
    set(r, HOLD_OPERATOR, "alice", DAY_MS);
    reboot(r, 2 * MINUTE_MS);
    r->now.wall_s = NOON + 6 * HOUR_S;
    r->now.synchronised = false;
    assert_false(holds_settle(&r->holds, &r->now));
    r->now.synchronised = true;
    assert_true(holds_settle(&r->holds, &r->now));
    assert_false(holds_settle(&r->holds, &r->now));
    expect_left(r, 18 * (uint64_t)HOUR_MS);
    reload(r);
    r->now.wall_s = 0; // from here on the wall clock does not count
    expect_left(r, 18 * (uint64_t)HOUR_MS);
    advance(r, 18 * (uint64_t)HOUR_MS);
    expect_left(r, 0);
    assert_true(holds_settle(&r->holds, &r->now));
    assert_int_equal(r->holds.count, 0);
}

static void one_set_by_a_clock_a_year_ahead_is_no_longer_than_it_was_set_for(void **state)
{
    struct room *r = *state;
    r->now.wall_s = NOON + YEAR_S;
    set(r, HOLD_OPERATOR, "alice", DAY_MS);
    reboot(r, HOUR_MS);
    r->now.wall_s = NOON;
    expect_left(r, DAY_MS - HOUR_MS);
    assert_true(holds_settle(&r->holds, &r->now));
    expect_left(r, DAY_MS - HOUR_MS);
    assert_int_equal(r->holds.all[0].until_s, NOON + DAY_S - HOUR_S);
}

static void without_a_boot_id_no_boot_is_the_same(void **state)
{
    struct room *r = *state;
    r->now.boot_id = "";
    set(r, HOLD_OPERATOR, "alice", HOUR_MS);
    r->now.boottime_ms = 0;
    assert_false(holds_settle(&r->holds, &r->now));
    r->now.wall_s += HOUR_S - 1;
    expect_left(r, 1000);
    r->now.wall_s += 1;
    expect_left(r, 0);
}

static void one_for_ever_outlasts_every_boot(void **state)
{
    struct room *r = *state;
    set(r, HOLD_OPERATOR, "alice", HOLD_FOR_EVER);
    reload(r);
    reboot(r, UINT64_C(4000) * DAY_MS);
    r->now.wall_s += 100 * (uint64_t)YEAR_S;
    assert_false(holds_settle(&r->holds, &r->now));
    expect_left(r, HOLD_FOR_EVER);
}

// --- the record ----------------------------------------------------------------------------------

static void the_largest_set_comes_back(void **state)
{
    struct room *r = *state;
    struct error e;
    char owner[HOLD_OWNER_MAX + 1];
    char reason[HOLD_REASON_MAX + 1];
    memset(reason, '"', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    for (int i = 0; i < HOLDS_MAX; i++) {
        snprintf(owner, sizeof owner, "%064d", i);
        const struct hold_request q = {i % 2 == 0 ? HOLD_OPERATOR : HOLD_LOCK, owner, reason,
                                       1U + (unsigned)i % 7, (uint64_t)i * MINUTE_MS + 1};
        assert_ok(holds_set(&r->holds, &q, &r->now, &e));
    }
    assert_ok(holds_save(&r->store.base, &r->holds, &e));
    CLEANUP(cleanup_free)
    char *line = strndup((char *)r->store.records[0].data, r->store.records[0].len);
    reload(r);
    assert_false(r->holds.lost);
    assert_int_equal(r->holds.count, HOLDS_MAX);
    assert_string_equal(r->holds.all[15].reason, reason);
    assert_int_equal(r->holds.all[15].until_s, NOON + 15 * 60 + 1);
    reload(r);
    assert_int_equal(strlen(line), r->store.records[0].len);
    assert_memory_equal(line, r->store.records[0].data, strlen(line));
}

static void no_record_holds_nothing(void **state)
{
    struct room *r = *state;
    struct error e;
    r->holds.count = 3;
    assert_ok(holds_load(&r->store.base, &r->holds, &e));
    assert_int_equal(r->holds.count, 0);
    assert_false(r->holds.lost);
}

static void a_damaged_record_holds_nothing_and_says_so(void **state)
{
    struct room *r = *state;
    struct error e;
    set(r, HOLD_OPERATOR, "alice", HOLD_FOR_EVER);
    assert_ok(holds_save(&r->store.base, &r->holds, &e));
    state_mem_spoil(&r->store, "holds");
    assert_ok(holds_load(&r->store.base, &r->holds, &e));
    assert_true(r->holds.lost);
    assert_int_equal(r->holds.count, 0);
    set(r, HOLD_OPERATOR, "bob", HOLD_FOR_EVER);
    reload(r);
    assert_false(r->holds.lost);
}

static void a_record_of_what_could_not_be_set_is_damaged(void **state)
{
    struct room *r = *state;
    static const struct {
        const char *key;
        const char *value; // of JSON; NULL: the member is missing
    } cases[] = {
        {"kind", "\"x\""},
        {"kind", NULL},
        {"owner", "\"\""},
        {"owner", "\"a\\nb\""},
        {"owner", "7"},
        {"reason", NULL},
        {"phases", "0"},
        {"phases", "8"},
        {"phases", "-1"},
        {"length_ms", "-1"},
        {"until", "-1"},
        {"until_boot_ms", NULL},
        {"boot_id", "7"},
        {"since", "\"soon\""},
        {"length_ms", "9223372036854775807"},
        {"boot_id", "\"1111111111111111111111111111111111111\""},
    };
    set(r, HOLD_LOCK, "tv", HOUR_MS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e;
        struct holds got = {0};
        CLEANUP(cleanup_free) char *line = NULL;
        assert_ok(holds_save(&r->store.base, &r->holds, &e));
        line = strndup((char *)r->store.records[0].data, r->store.records[0].len - 17);
        json_t *root = json_loads(line, 0, NULL);
        assert_non_null(root);
        json_t *hold = json_array_get(json_object_get(root, "holds"), 0);
        if (cases[i].value == NULL) {
            json_object_del(hold, cases[i].key);
        } else {
            json_object_set_new(hold, cases[i].key,
                                json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        }
        assert_ok(sealed_record_save(&r->store.base, "holds", root, &e));
        json_decref(root);
        assert_ok(holds_load(&r->store.base, &got, &e));
        if (!got.lost || got.count != 0) {
            fail_msg("expected a damaged record: %s is %s", cases[i].key,
                     cases[i].value != NULL ? cases[i].value : "missing");
        }
    }
}

static void a_lock_for_ever_in_the_record_is_damage(void **state)
{
    struct room *r = *state;
    struct error e;
    set(r, HOLD_OPERATOR, "alice", HOLD_FOR_EVER);
    r->holds.all[0].kind = HOLD_LOCK;
    assert_ok(holds_save(&r->store.base, &r->holds, &e));
    assert_ok(holds_load(&r->store.base, &r->holds, &e));
    assert_true(r->holds.lost);
}

static void a_full_directory_is_told(void **state)
{
    struct room *r = *state;
    struct error e;
    set(r, HOLD_OPERATOR, "alice", HOUR_MS);
    r->store.read_only = true;
    assert_fails(ERR_IO, "", holds_save(&r->store.base, &r->holds, &e));
    r->seam.fail_at = r->seam.calls + 1;
    r->seam.fail_with = ERR_INTERNAL; // an ERR_IO of it is a bad block
    assert_fails(ERR_INTERNAL, "", holds_load(&r->store.base, &r->holds, &e));
}

#define HOLD_TEST(name) cmocka_unit_test_setup_teardown(name, make, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOLD_TEST(a_hold_stands_until_its_owner_releases_it),
        HOLD_TEST(it_holds_only_its_phases),
        HOLD_TEST(setting_again_replaces_what_the_same_owner_had),
        HOLD_TEST(the_one_that_holds_longest_is_told),
        HOLD_TEST(what_is_over_is_as_if_it_were_not_there),
        HOLD_TEST(there_is_room_for_sixteen_that_stand),
        HOLD_TEST(a_wrong_request_is_refused),
        HOLD_TEST(a_reason_is_made_printable_and_cut),
        HOLD_TEST(sentences_say_who_how_long_and_why),
        HOLD_TEST(a_wall_clock_that_jumps_changes_nothing_within_a_boot),
        HOLD_TEST(after_a_reboot_the_wall_clock_or_the_uptime_ends_it),
        HOLD_TEST(a_synchronised_clock_moves_it_into_this_boot_once),
        HOLD_TEST(one_set_by_a_clock_a_year_ahead_is_no_longer_than_it_was_set_for),
        HOLD_TEST(without_a_boot_id_no_boot_is_the_same),
        HOLD_TEST(one_for_ever_outlasts_every_boot),
        HOLD_TEST(the_largest_set_comes_back),
        HOLD_TEST(no_record_holds_nothing),
        HOLD_TEST(a_damaged_record_holds_nothing_and_says_so),
        HOLD_TEST(a_record_of_what_could_not_be_set_is_damaged),
        HOLD_TEST(a_lock_for_ever_in_the_record_is_damage),
        HOLD_TEST(a_full_directory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
