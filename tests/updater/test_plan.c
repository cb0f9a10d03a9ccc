// SPDX-License-Identifier: Apache-2.0
#include "updater/plan.h"

#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

// Seven chunks of 8 KiB: noise, zeros, text, noise again (as the first), text again, noise, tail.
enum { KIB = 1024, CHUNK = 8 * KIB, CHUNKS = 7, LEN = 6 * CHUNK + 100 };

struct stage {
    struct bench *bench;
    struct bench_target t;
    uint8_t content[LEN];
};

static int make(void **state)
{
    static const uint32_t cuts[] = {CHUNK, 0};
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    fill_random(s->content, LEN, 1);
    memset(s->content + CHUNK, 0, CHUNK);
    fill_text(s->content + 2 * CHUNK, CHUNK, 2);
    memcpy(s->content + 3 * CHUNK, s->content, CHUNK);
    memcpy(s->content + 4 * CHUNK, s->content + 2 * CHUNK, CHUNK);
    s->bench = bench_new(64 * KIB, 0);
    struct image_recipe r = bench_recipe("2.0", 2);
    r.cuts = cuts;
    image_recipe_add(&r, "rootfs", s->content, LEN);
    bench_serve(s->bench, &r);
    bench_open_target(s->bench, &s->t);
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct stage *s = *state;
    bench_close_target(&s->t);
    bench_free(s->bench);
    free(s);
    return 0;
}

static struct plan *plan_of(struct stage *s)
{
    struct error e;
    struct plan *p = NULL;
    struct scan scan = bench_scan(s->bench, &s->t);
    assert_ok(plan_make(&scan, false, &p, &e));
    return p;
}

static void for_foreign_content_everything_differs_and_shared_bytes_are_fetched_once(void **state)
{
    struct stage *s = *state;
    struct plan *p = plan_of(s);
    assert_int_equal(chunk_set_size(p->differs), CHUNKS);
    assert_int_equal(p->fetch_bytes, s->bench->image.header.payload_size);
    assert_int_equal(p->reused_bytes, 0);
    const bool fetched[CHUNKS] = {true, false, true, false, false, true, true};
    for (uint32_t i = 0; i < CHUNKS; i++) {
        assert_int_equal(plan_fetches(p->differs, NULL, s->t.image->table, i), fetched[i]);
    }
    plan_free(p);
}

static void what_is_in_place_by_hash_is_reused(void **state)
{
    struct stage *s = *state;
    memcpy(s->bench->slots[SLOT_B][0].data, s->content, LEN);
    s->bench->slots[SLOT_B][0].data[2 * CHUNK + 5] ^= 1;
    s->bench->slots[SLOT_B][0].data[LEN - 1] ^= 1;
    struct plan *p = plan_of(s);
    assert_int_equal(chunk_set_size(p->differs), 2);
    assert_int_equal(p->reused_bytes, 5 * CHUNK);
    assert_int_equal(p->fetch_bytes, chunk_table_get(s->t.image->table, 2, NULL).stored_len +
                                         chunk_table_get(s->t.image->table, 6, NULL).stored_len);
    plan_free(p);
}

static void a_repetition_of_a_chunk_in_place_is_not_fetched(void **state)
{
    struct stage *s = *state;
    memcpy(s->bench->slots[SLOT_B][0].data, s->content, LEN);
    s->bench->slots[SLOT_B][0].data[3 * CHUNK] ^= 1;
    s->bench->slots[SLOT_B][0].data[CHUNK] ^= 1; // and zeros
    struct plan *p = plan_of(s);
    assert_int_equal(chunk_set_size(p->differs), 2);
    assert_int_equal(p->fetch_bytes, 0);
    plan_free(p);
}

static void a_whole_slot_needs_nothing(void **state)
{
    struct stage *s = *state;
    memcpy(s->bench->slots[SLOT_B][0].data, s->content, LEN);
    struct plan *p = plan_of(s);
    assert_int_equal(chunk_set_size(p->differs), 0);
    assert_int_equal(p->fetch_bytes, 0);
    assert_int_equal(p->reused_bytes, LEN);
    assert_int_equal(p->unreadable_bytes, 0);
    plan_free(p);
    plan_free(NULL);
}

static void unreadable_bytes_are_planned_anew_and_counted(void **state)
{
    struct stage *s = *state;
    memcpy(s->bench->slots[SLOT_B][0].data, s->content, LEN);
    s->bench->slots[SLOT_B][0].unreadable_off = 9;
    struct plan *p = plan_of(s);
    assert_int_equal(chunk_set_size(p->differs), CHUNKS);
    assert_int_equal(p->unreadable_bytes, LEN);
    plan_free(p);
}

// --- an image of many chunks ---

enum { BLOCK = 4096, BLOCKS = 1000, LONG = BLOCKS * BLOCK };

struct large {
    struct bench *bench;
    struct bench_target t;
    uint8_t *content;
};

static struct large large_make(void)
{
    static const uint32_t cuts[] = {BLOCK, 0};
    struct large l = {.content = malloc(LONG), .bench = bench_new(LONG, 0)};
    assert_non_null(l.content);
    fill_random(l.content, LONG, 3);
    memset(l.content + 100 * BLOCK, 0, 50 * BLOCK);
    struct image_recipe r = bench_recipe("2.0", 2);
    r.cuts = cuts;
    image_recipe_add(&r, "rootfs", l.content, LONG);
    bench_serve(l.bench, &r);
    bench_open_target(l.bench, &l.t);
    bench_restart(l.bench);
    return l;
}

static void large_clear(struct large *l)
{
    bench_close_target(&l->t);
    bench_free(l->bench);
    free(l->content);
}

// Plans, and returns how many chunks differ; `*ret_calls` is how often the slot was turned to.
static uint32_t large_plan(struct large *l, bool look_at_all, unsigned *ret_calls)
{
    struct error e;
    struct plan *p = NULL;
    struct scan scan = bench_scan(l->bench, &l->t);
    unsigned before = l->bench->seam.calls;
    assert_ok(plan_make(&scan, look_at_all, &p, &e));
    *ret_calls = l->bench->seam.calls - before;
    uint32_t differ = chunk_set_size(p->differs);
    assert_int_equal(p->reused_bytes, (uint64_t)(BLOCKS - differ) * BLOCK);
    plan_free(p);
    return differ;
}

static void a_slot_of_which_no_sample_is_in_place_is_not_read_as_a_whole(void **state)
{
    (void)state;
    struct large l = large_make();
    unsigned calls;
    assert_int_equal(large_plan(&l, false, &calls), BLOCKS);
    assert_in_range(calls, 1 + PLAN_SAMPLES - 5, 1 + PLAN_SAMPLES + 5); // a sync, and samples
    large_clear(&l);
}

static void an_install_of_this_image_that_is_known_is_looked_for_everywhere(void **state)
{
    (void)state;
    struct large l = large_make();
    unsigned calls;
    memcpy(l.bench->slots[SLOT_B][0].data + 3 * BLOCK, l.content + 3 * BLOCK, BLOCK);
    assert_int_equal(large_plan(&l, true, &calls), BLOCKS - 1);
    large_clear(&l);
}

// A sixtieth of it is enough, wherever it is: no record has to tell.
static void what_an_install_got_done_is_found_without_any_record(void **state)
{
    (void)state;
    struct large l = large_make();
    uint8_t *data = l.bench->slots[SLOT_B][0].data;
    unsigned calls;
    for (uint32_t first = 1; first + 17 < BLOCKS; first += 23) {
        if (first + 17 > 100 && first < 150) {
            continue; // zeros
        }
        memcpy(data + first * BLOCK, l.content + first * BLOCK, 17 * BLOCK);
        assert_int_equal(large_plan(&l, false, &calls), BLOCKS - 17);
        memset(data + first * BLOCK, 0xee, 17 * BLOCK);
    }
    large_clear(&l);
}

static void zeros_in_place_are_no_reason_to_look(void **state)
{
    (void)state;
    struct large l = large_make();
    unsigned calls;
    memset(l.bench->slots[SLOT_B][0].data, 0, LONG);
    assert_int_equal(large_plan(&l, false, &calls), BLOCKS);
    large_clear(&l);
}

static void a_sample_that_cannot_be_read_is_a_reason_to_look(void **state)
{
    (void)state;
    struct large l = large_make();
    unsigned calls;
    uint8_t *data = l.bench->slots[SLOT_B][0].data;
    memcpy(data + 900 * BLOCK, l.content + 900 * BLOCK, BLOCK);
    l.bench->slots[SLOT_B][0].unreadable_off = BLOCK; // the first sample
    uint32_t differ = large_plan(&l, false, &calls);
    assert_int_equal(differ, BLOCKS - 1);
    large_clear(&l);
}

#define plan_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        plan_test(for_foreign_content_everything_differs_and_shared_bytes_are_fetched_once),
        plan_test(what_is_in_place_by_hash_is_reused),
        plan_test(a_repetition_of_a_chunk_in_place_is_not_fetched),
        plan_test(a_whole_slot_needs_nothing),
        plan_test(unreadable_bytes_are_planned_anew_and_counted),
        cmocka_unit_test(a_slot_of_which_no_sample_is_in_place_is_not_read_as_a_whole),
        cmocka_unit_test(an_install_of_this_image_that_is_known_is_looked_for_everywhere),
        cmocka_unit_test(what_an_install_got_done_is_found_without_any_record),
        cmocka_unit_test(zeros_in_place_are_no_reason_to_look),
        cmocka_unit_test(a_sample_that_cannot_be_read_is_a_reason_to_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
