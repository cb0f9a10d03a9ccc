// SPDX-License-Identifier: Apache-2.0
// What the journal counts and concludes, without a store.
#include "tests/support/expect.h"
#include "updater/journal.h"

#include <stdio.h>

static struct release_id release(const char *version, uint64_t index, uint8_t hash)
{
    struct release_id r = {.release_index = index};
    memset(r.manifest_sha256, hash, sizeof r.manifest_sha256);
    snprintf(r.version, sizeof r.version, "%s", version);
    return r;
}

// Of a device that has seen updates, and is in the middle of one.
static struct journal used_journal(void)
{
    struct journal j = {.step = STEP_INSTALLING,
                        .slot = 1,
                        .open = true,
                        .next_chunk = 12,
                        .restarts = 3,
                        .left_bytes = 100,
                        .floor = 20};
    j.release = j.slots[1].release = release("2.0", 20, 0xab);
    j.slots[0].content = CONTENT_CONFIRMED;
    j.slots[0].release = release("1.0", 10, 0xaa);
    j.last.outcome = OUTCOME_CONFIRMED;
    return j;
}

static void an_install_that_begins_is_what_the_journal_tells(void **state)
{
    struct journal j = used_journal();
    struct journal before = j;
    const struct release_id other = release("3.0", 30, 0xcd);
    (void)state;
    journal_begin(&j, 1, &other, 500, false);
    assert_int_equal(j.step, STEP_INSTALLING);
    assert_int_equal(j.slot, 1);
    assert_memory_equal(&j.release, &other, sizeof other);
    assert_int_equal(j.next_chunk, 0);
    assert_int_equal(j.slots[1].content, CONTENT_PARTIAL);
    assert_memory_equal(&j.slots[1].release, &other, sizeof other);
    assert_true(j.open);
    // All else stays.
    assert_memory_equal(&j.slots[0], &before.slots[0], sizeof j.slots[0]);
    assert_memory_equal(&j.last, &before.last, sizeof j.last);
    assert_int_equal(j.floor, before.floor);
}

struct begin_case {
    const char *what;
    enum journal_step step;
    int slot;
    uint8_t hash;
    bool open;
    uint64_t left_bytes;
    bool anew;
    uint32_t want_restarts;
    uint64_t want_left;
};

// The journal has release 0xab in slot 1, 3 restarts, 100 bytes left.
static const struct begin_case begin_cases[] = {
    {"cut off, as much left", STEP_INSTALLING, 1, 0xab, true, 100, false, 4, 100},
    {"cut off, more left", STEP_INSTALLING, 1, 0xab, true, 101, false, 4, 100},
    {"cut off, less left", STEP_INSTALLING, 1, 0xab, true, 99, false, 0, 99},
    {"told its end, as much left", STEP_INSTALLING, 1, 0xab, false, 100, false, 3, 100},
    {"told its end, less left", STEP_INSTALLING, 1, 0xab, false, 99, false, 0, 99},
    {"the operator says so", STEP_INSTALLING, 1, 0xab, true, 101, true, 0, 101},
    {"another slot", STEP_INSTALLING, 0, 0xab, true, 101, false, 0, 101},
    {"another release", STEP_INSTALLING, 1, 0xac, true, 101, false, 0, 101},
    {"it was finished since", STEP_INSTALLED, 1, 0xab, true, 101, false, 0, 101},
    {"nothing was under way", STEP_IDLE, 1, 0xab, true, 101, false, 0, 101},
};

static void only_a_cut_without_progress_is_one_more_restart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof begin_cases / sizeof begin_cases[0]; i++) {
        const struct begin_case *c = &begin_cases[i];
        struct journal j = {.step = c->step, .slot = 1, .restarts = 3, .left_bytes = 100};
        const struct release_id r = release("2.0", 20, c->hash);
        j.release = release("2.0", 20, 0xab);
        j.open = c->open;
        journal_begin(&j, c->slot, &r, c->left_bytes, c->anew);
        if (j.restarts != c->want_restarts || j.left_bytes != c->want_left || !j.open) {
            fail_msg("%s: expected %u restarts and %u left, got %u and %u", c->what,
                     c->want_restarts, (unsigned)c->want_left, j.restarts, (unsigned)j.left_bytes);
        }
    }
}

static void the_count_does_not_begin_anew_by_growing(void **state)
{
    struct journal j = {.step = STEP_INSTALLING, .open = true, .restarts = UINT32_MAX};
    const struct release_id r = {0};
    (void)state;
    journal_begin(&j, 0, &r, 0, false);
    assert_int_equal(j.restarts, UINT32_MAX);
}

static void counting_anew_leaves_nothing_counted(void **state)
{
    struct journal j = used_journal();
    (void)state;
    journal_set_fetched(&j, &j.release, 77);
    journal_count_anew(&j);
    assert_int_equal(journal_fetched(&j, &j.release), 0);
    assert_int_equal(j.restarts, 0);
    assert_int_equal(j.left_bytes, 0);
    assert_false(j.open);
}

static void bytes_are_counted_for_one_release(void **state)
{
    struct journal j = used_journal();
    const struct release_id other = release("3.0", 30, 0xcd);
    (void)state;
    assert_int_equal(journal_fetched(&j, &j.release), 0);
    journal_set_fetched(&j, &j.release, 100);
    assert_int_equal(journal_fetched(&j, &j.release), 100);
    assert_int_equal(journal_fetched(&j, &other), 0);
    // Beginning it again takes nothing from the count.
    const struct release_id same = j.release;
    journal_begin(&j, 1, &same, 50, false);
    assert_int_equal(journal_fetched(&j, &same), 100);
    journal_set_fetched(&j, &other, 5);
    assert_int_equal(journal_fetched(&j, &other), 5);
    assert_int_equal(journal_fetched(&j, &same), 0);
}

static void the_newest_confirmed_release_is_found(void **state)
{
    struct journal j = {0};
    uint64_t index = 7;
    (void)state;
    // Not known: what the slots hold may be all that is left after a loss.
    j.slots[0].content = CONTENT_INSTALLED;
    j.slots[0].release.release_index = 3;
    j.slots[1].content = CONTENT_REJECTED;
    j.slots[1].release.release_index = 9;
    assert_false(journal_newest_confirmed(&j, 0, &index));
    assert_int_equal(index, 7);
    // Its slot need not hold it any more, and what was never confirmed does not count.
    j.confirmed_max = 2;
    assert_true(journal_newest_confirmed(&j, SLOT_NONE, &index));
    assert_int_equal(index, 2);
    // What runs without being on trial was confirmed, and the journal is behind.
    assert_true(journal_newest_confirmed(&j, 0, &index));
    assert_int_equal(index, 3);
    assert_true(journal_newest_confirmed(&j, 1, &index));
    assert_int_equal(index, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_install_that_begins_is_what_the_journal_tells),
        cmocka_unit_test(only_a_cut_without_progress_is_one_more_restart),
        cmocka_unit_test(the_count_does_not_begin_anew_by_growing),
        cmocka_unit_test(counting_anew_leaves_nothing_counted),
        cmocka_unit_test(bytes_are_counted_for_one_release),
        cmocka_unit_test(the_newest_confirmed_release_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
