// SPDX-License-Identifier: Apache-2.0
#include "image-tools/worker_pool.h"

#include "tests/support/expect.h"

#include <stdatomic.h>
#include <time.h>

enum { ITEMS = 60, FACTOR = 7, BAD = 1000 };

struct number {
    unsigned in;
    unsigned out;
    atomic_bool *waits_for; // NULL: for nothing
    atomic_bool *tells;     // that it was worked on
};

// A worker is a factor, a copy of the plan.
static enum err new_worker(const void *plan, void **ret, struct error *e)
{
    unsigned *factor = malloc(sizeof(*factor));
    if (factor == NULL) {
        return fail_memory(e);
    }
    *factor = *(const unsigned *)plan;
    *ret = factor;
    return OK;
}

static enum err run(void *worker, void *item, struct error *e)
{
    struct number *n = item;
    const struct timespec tick = {.tv_nsec = 1000 * 1000};
    // Bounded, should the other never be worked on.
    for (int i = 0; n->waits_for != NULL && !*n->waits_for && i < 5000; i++) {
        nanosleep(&tick, NULL);
    }
    if (n->in >= BAD) {
        return fail(e, ERR_FORMAT, 0, "%u is bad", n->in);
    }
    n->out = n->in * *(unsigned *)worker;
    if (n->tells != NULL) {
        *n->tells = true;
    }
    return OK;
}

static const struct work multiply = {sizeof(struct number), new_worker, free, run};

static struct worker_pool *new_pool(unsigned jobs)
{
    struct error e;
    struct worker_pool *p = NULL;
    unsigned factor = FACTOR;
    assert_ok(worker_pool_new(jobs, &multiply, &factor, &p, &e));
    assert_true(worker_pool_is_empty(p));
    return p;
}

static void put(struct worker_pool *p, struct number n)
{
    struct number *room = worker_pool_room(p);
    *room = n;
    worker_pool_put(p);
}

static void expect(struct worker_pool *p, unsigned in)
{
    struct error e;
    const void *taken = NULL;
    assert_ok(worker_pool_take(p, &taken, &e));
    const struct number *n = taken;
    assert_int_equal(n->in, in);
    assert_int_equal(n->out, in * FACTOR);
}

// More items than a ring has, so that each place is used again.
static void items_come_in_order_whatever_the_number_of_threads(void **state)
{
    (void)state;
    for (unsigned jobs = 1; jobs <= 5; jobs += 2) {
        CLEANUP(cleanup_worker_pool) struct worker_pool *p = new_pool(jobs);
        unsigned next = 0;
        for (unsigned n = 0; n < ITEMS; n++) {
            while (next < ITEMS && !worker_pool_is_full(p)) {
                put(p, (struct number){.in = next++});
            }
            expect(p, n);
        }
        assert_true(worker_pool_is_empty(p));
    }
}

static void an_item_that_is_done_waits_for_its_turn(void **state)
{
    (void)state;
    atomic_bool later_is_done = false;
    CLEANUP(cleanup_worker_pool) struct worker_pool *p = new_pool(2);
    put(p, (struct number){.in = 1, .waits_for = &later_is_done});
    put(p, (struct number){.in = 2, .tells = &later_is_done});
    expect(p, 1);
    assert_true(later_is_done);
    expect(p, 2);
}

static void the_pool_is_full_after_a_bounded_number_of_items(void **state)
{
    (void)state;
    CLEANUP(cleanup_worker_pool) struct worker_pool *p = new_pool(3);
    unsigned n = 0;
    while (!worker_pool_is_full(p)) {
        put(p, (struct number){.in = n++});
        assert_true(n <= 64);
    }
    assert_true(n >= 3);
    expect(p, 0);
    assert_false(worker_pool_is_full(p));
}

static void an_error_comes_in_its_turn(void **state)
{
    (void)state;
    struct error e;
    const void *taken = NULL;
    CLEANUP(cleanup_worker_pool) struct worker_pool *p = new_pool(3);
    put(p, (struct number){.in = 5});
    put(p, (struct number){.in = BAD});
    put(p, (struct number){.in = BAD + 1});
    put(p, (struct number){.in = 6});
    expect(p, 5);
    assert_fails(ERR_FORMAT, "1000 is bad", worker_pool_take(p, &taken, &e));
    assert_fails(ERR_FORMAT, "1001 is bad", worker_pool_take(p, &taken, &e));
    assert_null(taken);
    expect(p, 6);
}

static void a_pool_with_work_under_way_can_be_dropped(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        CLEANUP(cleanup_worker_pool) struct worker_pool *p = new_pool(2);
        for (unsigned n = 0; n < i % 8; n++) {
            put(p, (struct number){.in = n});
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_in_order_whatever_the_number_of_threads),
        cmocka_unit_test(an_item_that_is_done_waits_for_its_turn),
        cmocka_unit_test(the_pool_is_full_after_a_bounded_number_of_items),
        cmocka_unit_test(an_error_comes_in_its_turn),
        cmocka_unit_test(a_pool_with_work_under_way_can_be_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
