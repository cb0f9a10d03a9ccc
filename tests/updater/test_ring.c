// SPDX-License-Identifier: Apache-2.0
#include "updater/ring.h"

#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <string.h>

enum { BLOCK = RING_ALIGN, SIZE = 10 * BLOCK };

static struct ring make(void)
{
    struct ring r;
    struct error e;
    assert_ok(ring_init(&r, SIZE - 1, &e)); // rounded up
    return r;
}

static void an_empty_ring_takes_all_that_it_is_long_again_and_again(void **state)
{
    (void)state;
    struct ring r = make();
    for (size_t len = 1; len <= SIZE; len += 1000) {
        uint8_t *p = ring_take(&r, len);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % RING_ALIGN, 0);
        memset(p, 1, len);
        ring_give_back(&r, p, len);
    }
    assert_non_null(ring_take(&r, SIZE));
    assert_null(ring_take(&r, 1));
    ring_clear(&r);
}

static void what_is_out_stays_where_it_is(void **state)
{
    (void)state;
    struct ring r = make();
    uint8_t *a = ring_take(&r, 4 * BLOCK);
    uint8_t *b = ring_take(&r, 4 * BLOCK);
    assert_null(ring_take(&r, 3 * BLOCK));
    ring_give_back(&r, a, 4 * BLOCK);
    uint8_t *c = ring_take(&r, 3 * BLOCK); // past the last two blocks, at the front
    assert_ptr_equal(c, a);
    assert_true(c + 3 * BLOCK <= b);
    assert_null(ring_take(&r, 2 * BLOCK)); // one block is left before b
    uint8_t *d = ring_take(&r, BLOCK);
    assert_ptr_equal(d, c + 3 * BLOCK);
    ring_give_back(&r, b, 4 * BLOCK);
    assert_non_null(ring_take(&r, 4 * BLOCK));
    ring_clear(&r);
}

// Against the obvious: a list of who is out.
static void any_order_of_lengths_gives_stretches_that_do_not_meet(void **state)
{
    enum { OUT_MAX = 16, TURNS = 20000 };
    (void)state;
    struct ring r = make();
    struct {
        uint8_t *p;
        size_t len;
        uint8_t mark;
    } out[OUT_MAX];
    size_t first = 0;
    size_t count = 0;
    for (uint64_t turn = 0; turn < TURNS; turn++) {
        uint32_t dice;
        fill_random(&dice, sizeof dice, turn);
        size_t len = 1 + dice % (dice % 7 == 0 ? SIZE : 2 * BLOCK);
        uint8_t *p = count < OUT_MAX ? ring_take(&r, len) : NULL;
        if (p != NULL) {
            memset(p, (int)(turn & 0xff), len);
            out[(first + count) % OUT_MAX].p = p;
            out[(first + count) % OUT_MAX].len = len;
            out[(first + count) % OUT_MAX].mark = (uint8_t)turn;
            count++;
            continue;
        }
        assert_true(count > 0); // into an empty one it would have gone
        for (size_t i = 0; i < out[first].len; i++) {
            assert_int_equal(out[first].p[i], out[first].mark);
        }
        ring_give_back(&r, out[first].p, out[first].len);
        first = (first + 1) % OUT_MAX;
        count--;
    }
    ring_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_ring_takes_all_that_it_is_long_again_and_again),
        cmocka_unit_test(what_is_out_stays_where_it_is),
        cmocka_unit_test(any_order_of_lengths_gives_stretches_that_do_not_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
