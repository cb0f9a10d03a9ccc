// SPDX-License-Identifier: Apache-2.0
#include "updater/seeds.h"

#include "tests/support/bench_letters.h"
#include "tests/support/expect.h"
#include "updater/plan.h"

#include <stdlib.h>
#include <string.h>

// Slot a runs, slot b is the target. What differs is what the scan says.
struct stage {
    struct bench *bench;
    struct bench_target t;
    struct seeds *seeds;
};

static int make(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->bench = letters_bench();
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct stage *s = *state;
    seeds_free(s->seeds);
    if (s->t.image != NULL) {
        bench_close_target(&s->t);
    }
    bench_free(s->bench);
    free(s);
    return 0;
}

static void gather(struct stage *s, const char *rootfs, const char *boot)
{
    struct error e;
    letters_serve(s->bench, 2, rootfs, boot);
    bench_open_target(s->bench, &s->t);
    struct scan scan = bench_scan(s->bench, &s->t);
    assert_ok(scan_slot(&scan, s->t.differs, NULL, &e));
    bench_restart(s->bench);
    const struct seed_search search = {
        .device = &s->bench->device,
        .target = s->t.slot,
        .image = s->t.image,
        .differs = s->t.differs,
        .blind_bytes = SEED_BLIND_BYTES,
    };
    assert_ok(seeds_gather(&search, &s->seeds, &e));
}

// One word a chunk: where it stands, "a0+8192" in the running slot, "b1+0" in the target, "-".
static void expect_seeds(const struct stage *s, const char *expected)
{
    char text[512] = "";
    size_t len = 0;
    for (uint32_t i = 0; i < chunk_table_count(s->t.image->table); i++) {
        struct seed_place p;
        const char *gap = i > 0 ? " " : "";
        if (seeds_find(s->seeds, i, &p)) {
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%c%zu+%u", gap,
                                    p.slot == SEED_RUNNING ? 'a' : 'b', p.part,
                                    (unsigned)(p.off / LETTER));
        } else {
            len += (size_t)snprintf(text + len, sizeof text - len, "%s-", gap);
        }
    }
    assert_string_equal(text, expected);
}

static void what_the_running_slot_has_is_known_from_its_record(void **state)
{
    struct stage *s = *state;
    letters_record(s->bench, SLOT_A, "ABCDEFG", "PQ");
    gather(s, "XACGPB", "QE");
    expect_seeds(s, "- a0+0 a0+2 a0+6 a1+0 a0+1 a1+1 a0+4");
    assert_string_equal(s->bench->talk == NULL ? "" : s->bench->talk, "");
}

static void what_is_in_place_zeros_and_repetitions_need_no_seed(void **state)
{
    struct stage *s = *state;
    letters_record(s->bench, SLOT_A, "ABCDEF0", "PQ");
    letters_put(s->bench, SLOT_B, "ZB", "");
    gather(s, "AB0CC", "PA");
    expect_seeds(s, "a0+0 - - a0+2 - a1+0 -");
    assert_false(seeds_find(NULL, 0, &(struct seed_place){SEED_RUNNING, 0, 0}));
}

static void the_target_has_what_is_not_written_over_before_it_is_needed(void **state)
{
    struct stage *s = *state;
    letters_record(s->bench, SLOT_B, "ABCDEFGH", "PQR");
    letters_put(s->bench, SLOT_B, "ABCDEFGH", "PQR");
    // C stands behind its new place, A in the head, B in what is written first; H has moved to the
    // other partition, behind what is written by then; Q comes from there, P stands in its head.
    gather(s, "XCAQPFGB", "HQR");
    expect_seeds(s, "- b0+2 - b1+1 - - - - - - -");
}

static void the_running_slot_is_asked_first(void **state)
{
    struct stage *s = *state;
    letters_record(s->bench, SLOT_A, "BBBC", "P");
    letters_record(s->bench, SLOT_B, "ADCE", "P");
    letters_put(s->bench, SLOT_B, "ADCE", "P");
    gather(s, "XCEY", "P");
    expect_seeds(s, "- a0+3 b0+3 - -");
}

static void no_place_reaches_behind_the_end_of_a_device(void **state)
{
    struct stage *s = *state;
    letters_record(s->bench, SLOT_A, "ABCDEFGH", "PQ");
    s->bench->slots[SLOT_A][0].size_bytes = 3 * LETTER + LETTER / 2;
    gather(s, "XABCDEFGH", "PQ");
    expect_seeds(s, "- a0+0 a0+1 a0+2 - - - - - a1+0 a1+1");
}

static void a_slot_without_a_record_is_searched(void **state)
{
    struct stage *s = *state;
    letters_put(s->bench, SLOT_A, "ABCDEFGH", "PQR");
    gather(s, "HXBQA", "PA");
    expect_seeds(s, "a0+7 - a0+1 a1+1 a0+0 a1+0 -");
}

static void a_record_that_cannot_be_used_is_none(void **state)
{
    struct stage *s = *state;
    letters_record(s->bench, SLOT_A, "XYZ", "P");
    letters_put(s->bench, SLOT_A, "ABC", "P");
    struct state_store *state_dir = &s->bench->state.base;
    struct error e;
    assert_ok(state_replace(state_dir, "slot-a", "no record", 9, &e));
    gather(s, "CB", "P");
    expect_seeds(s, "a0+2 a0+1 a1+0");
    fflush(s->bench->log.stream);
    assert_contains(s->bench->talk, "slot a: its stored record");
}

static void a_record_of_which_nothing_is_true_is_none(void **state)
{
    struct stage *s = *state;
    letters_record(s->bench, SLOT_A, "ABCDEFGHIJKLMNOP", "Q");
    letters_put(s->bench, SLOT_A, "abcdefghijklmnop", "q");
    gather(s, "ONMLKJIHGFEDCBAa", "Q");
    expect_seeds(s, "- - - - - - - - - - - - - - - a0+0 -");
    fflush(s->bench->log.stream);
    assert_contains(s->bench->talk, "slot a does not hold what is on record about it");
}

static void a_record_of_which_much_is_true_is_believed(void **state)
{
    struct stage *s = *state;
    letters_record(s->bench, SLOT_A, "ABCDEFGHIJKLMNOP", "Q");
    letters_put(s->bench, SLOT_A, "aBcDeFgHiJkLmNOP", "q");
    gather(s, "ONMLKJIHGFEDCBAa", "Q");
    expect_seeds(s, "a0+14 a0+13 a0+12 a0+11 a0+10 a0+9 a0+8 a0+7 a0+6 a0+5 a0+4 a0+3 a0+2 a0+1 "
                    "a0+0 - a1+0");
}

static void where_nothing_is_to_be_fetched_nothing_is_looked_for(void **state)
{
    struct stage *s = *state;
    letters_put(s->bench, SLOT_A, "AB", "P");
    letters_put(s->bench, SLOT_B, "AZZ", "P");
    gather(s, "A0A", "P");
    expect_seeds(s, "- - - -");
    assert_int_equal(s->bench->slots[SLOT_A][0].opens, 0);
}

static void a_running_slot_in_use_is_only_read(void **state)
{
    struct stage *s = *state;
    struct error e;
    uint8_t *buf = malloc(LETTER);
    assert_non_null(buf);
    letters_record(s->bench, SLOT_A, "ABC", "P");
    letters_put(s->bench, SLOT_A, "ABC", "P");
    s->bench->slots[SLOT_A][0].in_use = s->bench->slots[SLOT_A][1].in_use = true;
    gather(s, "XC", "P");
    struct seed_place place = {0};
    assert_true(seeds_find(s->seeds, 1, &place));
    assert_ok(seed_read(s->seeds, &place, buf, LETTER, &e));
    assert_memory_equal(buf, s->bench->slots[SLOT_A][0].data + 2 * LETTER, LETTER);
    s->bench->slots[SLOT_A][0].unreadable_off = 2 * LETTER + 5;
    assert_int_equal(seed_read(s->seeds, &place, buf, LETTER, &e), ERR_IO);
    free(buf);
}

static void a_partition_that_cannot_be_opened_has_no_seeds(void **state)
{
    struct stage *s = *state;
    letters_record(s->bench, SLOT_A, "ABC", "PQ");
    s->bench->config.slots[SLOT_A].partitions[0].path = "nowhere";
    gather(s, "XC", "PQ");
    expect_seeds(s, "- - a1+0 a1+1");
    fflush(s->bench->log.stream);
    assert_contains(s->bench->talk, "slot a, partition rootfs: ");
    assert_contains(s->bench->talk, "nothing is copied from there");
}

static void what_the_search_cannot_read_ends_it_there(void **state)
{
    struct stage *s = *state;
    letters_put(s->bench, SLOT_A, "ABC", "PQ");
    s->bench->slots[SLOT_A][0].unreadable_off = 0;
    gather(s, "XC", "QP");
    expect_seeds(s, "- - a1+1 a1+0");
    fflush(s->bench->log.stream);
    assert_contains(s->bench->talk, "the search for chunks of it ends there");
}

static void what_differs_and_has_a_seed_is_not_planned_to_be_fetched(void **state)
{
    struct stage *s = *state;
    letters_record(s->bench, SLOT_A, "ABC", "PQ");
    gather(s, "XCYC", "PQ");
    const struct chunk_table *table = s->t.image->table;
    assert_int_equal(plan_fetch_bytes(s->t.differs, NULL, NULL, table), 5 * LETTER);
    assert_int_equal(plan_fetch_bytes(s->t.differs, s->seeds, NULL, table), 2 * LETTER);
    assert_true(plan_fetches(s->t.differs, s->seeds, table, 0));
    assert_false(plan_fetches(s->t.differs, s->seeds, table, 1));
}

#define seeds_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeds_test(what_the_running_slot_has_is_known_from_its_record),
        seeds_test(what_is_in_place_zeros_and_repetitions_need_no_seed),
        seeds_test(the_target_has_what_is_not_written_over_before_it_is_needed),
        seeds_test(the_running_slot_is_asked_first),
        seeds_test(no_place_reaches_behind_the_end_of_a_device),
        seeds_test(a_slot_without_a_record_is_searched),
        seeds_test(a_record_that_cannot_be_used_is_none),
        seeds_test(a_record_of_which_nothing_is_true_is_none),
        seeds_test(a_record_of_which_much_is_true_is_believed),
        seeds_test(where_nothing_is_to_be_fetched_nothing_is_looked_for),
        seeds_test(a_running_slot_in_use_is_only_read),
        seeds_test(a_partition_that_cannot_be_opened_has_no_seeds),
        seeds_test(what_the_search_cannot_read_ends_it_there),
        seeds_test(what_differs_and_has_a_seed_is_not_planned_to_be_fetched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
