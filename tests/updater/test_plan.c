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
    assert_ok(plan_make(&scan, &p, &e));
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

#define plan_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        plan_test(for_foreign_content_everything_differs_and_shared_bytes_are_fetched_once),
        plan_test(what_is_in_place_by_hash_is_reused),
        plan_test(a_repetition_of_a_chunk_in_place_is_not_fetched),
        plan_test(a_whole_slot_needs_nothing),
        plan_test(unreadable_bytes_are_planned_anew_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
