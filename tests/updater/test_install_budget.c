// SPDX-License-Identifier: Apache-2.0
// An install with a byte budget: refused before anything is changed, ended on the way, continued.
#include "tests/support/bench_content.h"
#include "tests/support/expect.h"

#include <stdlib.h>

enum { KIB = 1024, CHUNK = 8 * KIB };

struct stage {
    struct bench *bench;
    struct bench_content content;
    uint64_t head; // up to the payload
    uint64_t all;  // that an install into an empty slot fetches
};

static int make(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->content = bench_content_make(1);
    s->bench = bench_content_serve(&s->content, bench_even_cuts);
    s->head = s->bench->image.header.payload_offset;
    s->all = s->head + s->bench->image.header.payload_size;
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct stage *s = *state;
    bench_free(s->bench);
    bench_content_free(&s->content);
    free(s);
    return 0;
}

static void expect_refused(struct stage *s)
{
    struct error e;
    struct install_report report;
    bench_restart(s->bench);
    assert_fails(ERR_NOT_NOW, "the byte budget of this release does not allow ",
                 bench_install(s->bench, &report, &e));
    assert_string_equal(s->bench->device.journal.last.reason, e.msg);
    assert_int_equal(s->bench->device.journal.last.outcome, OUTCOME_FAILED);
    bench_restart(s->bench);
}

static void expect_installed(struct stage *s)
{
    struct error e;
    struct install_report report;
    bench_restart(s->bench);
    assert_ok(bench_install(s->bench, &report, &e));
    bench_content_expect_installed(s->bench, &s->content);
    assert_int_equal(s->bench->device.journal.fetched.bytes, 0); // it is done
}

// The install ends with a lost connection at that byte of the file, as if it came to it in order.
static void lose_connection_at(struct stage *s, uint64_t off)
{
    struct error e;
    struct install_report report;
    bench_restart(s->bench);
    s->bench->source.cut_off = off;
    assert_fails(ERR_NETWORK, "the connection was lost", bench_install(s->bench, &report, &e));
    bench_restart(s->bench);
}

static void what_does_not_fit_is_refused_before_the_slot_is_touched(void **state)
{
    struct stage *s = *state;
    struct bench *b = s->bench;
    b->config.byte_budget = s->all - 1;
    expect_refused(s);
    assert_int_equal(b->device.journal.step, STEP_IDLE);
    assert_int_equal(b->slots[SLOT_B][0].written_bytes, 0);
    assert_int_equal(b->env.sim.stores, 0);
    // Head and table came in, and count.
    assert_int_equal(b->device.journal.fetched.bytes, s->head);
    b->config.byte_budget = s->all + s->head;
    expect_installed(s);
}

static void a_refusal_counts_what_it_cost(void **state)
{
    struct stage *s = *state;
    s->bench->config.byte_budget = s->head;
    expect_refused(s);
    assert_int_equal(s->bench->device.journal.fetched.bytes, s->head);
    // Now not even the head may come; but whose head it is is known only when it is there.
    expect_refused(s);
    assert_true(s->bench->device.journal.fetched.bytes <= 2 * s->head);
    assert_true(s->bench->device.journal.fetched.bytes > s->head);
}

static void all_starts_count_together(void **state)
{
    struct stage *s = *state;
    struct bench *b = s->bench;
    lose_connection_at(s, s->head + 20 * KIB);
    uint64_t first = b->device.journal.fetched.bytes;
    assert_true(first > s->head && first <= s->head + 20 * KIB);
    assert_int_equal(b->device.journal.step, STEP_INSTALLING);
    // What is in place is not to be fetched again: the rest may fit where all of it would not.
    b->config.byte_budget = first + s->head;
    expect_refused(s);
    assert_int_equal(b->device.journal.fetched.bytes, first + s->head);
    assert_int_equal(b->device.journal.step, STEP_INSTALLING);
    b->config.byte_budget = 3 * s->all;
    expect_installed(s);
}

static void counting_begins_anew_when_the_operator_says_so(void **state)
{
    struct stage *s = *state;
    struct bench *b = s->bench;
    b->config.byte_budget = s->all;
    lose_connection_at(s, s->head + 20 * KIB);
    // The chunk in which the connection was lost is fetched twice, and so is the head.
    expect_refused(s);
    b->options.again = true;
    expect_installed(s);
}

static void another_release_has_a_budget_of_its_own(void **state)
{
    struct stage *s = *state;
    struct bench *b = s->bench;
    struct error e;
    struct install_report report;
    b->config.byte_budget = s->all;
    lose_connection_at(s, s->head + 20 * KIB);
    uint64_t first = b->device.journal.fetched.bytes;
    struct image_recipe r = bench_content_recipe(&s->content, "2.1", 3, bench_even_cuts);
    bench_serve(b, &r);
    assert_ok(bench_install(b, &report, &e));
    assert_true(first + report.fetched_bytes > s->all);
    bench_content_expect_installed(b, &s->content);
}

static void what_is_refused_for_this_device_takes_nothing_from_the_count(void **state)
{
    struct stage *s = *state;
    struct bench *b = s->bench;
    struct error e;
    struct install_report report;
    lose_connection_at(s, s->head + 20 * KIB);
    uint64_t first = b->device.journal.fetched.bytes;
    struct image_recipe r = bench_content_recipe(&s->content, "2.1", 3, bench_even_cuts);
    b->config.product = "other";
    bench_serve(b, &r);
    assert_fails(ERR_TRUST, "this device is other", bench_install(b, &report, &e));
    assert_int_equal(b->device.journal.fetched.bytes, first);
}

static void a_cut_forgets_no_more_than_came_since_the_last_sync(void **state)
{
    struct stage *s = *state;
    struct bench *b = s->bench;
    struct error e;
    struct install_report report;
    uint64_t most = 0;
    unsigned call = 0;
    b->device.sync_bytes = CHUNK;
    for (enum err err = ERR_IO; err != OK;) {
        const struct journal nothing = {.slot = SLOT_NONE, .last = {.slot = SLOT_NONE}};
        assert_ok(journal_save(b->device.state, &nothing, &e));
        memset(b->slots[SLOT_B][0].data, 0xee, b->slots[SLOT_B][0].size_bytes);
        bench_restart(b);
        b->seam.fail_at = ++call;
        b->seam.power_cut = true;
        err = bench_install(b, &report, &e);
        uint64_t came = b->source.read_bytes;
        bench_power_cut(b, BLK_MEM_KEEP, 1);
        if (err != OK && b->device.journal.step == STEP_INSTALLING) {
            uint64_t counted = b->device.journal.fetched.bytes;
            assert_true(counted <= came);
            assert_true(came - counted <= (uint64_t)2 * CHUNK); // an epoch, and one under way
            most = counted > most ? counted : most;
        }
    }
    assert_true(most >= s->all - CHUNK);
}

static void a_dry_run_says_whether_it_fits_and_counts_nothing(void **state)
{
    struct stage *s = *state;
    struct bench *b = s->bench;
    struct error e;
    struct install_report report;
    b->config.byte_budget = s->all - 1;
    b->options.dry_run = true;
    bench_restart(b);
    assert_fails(ERR_NOT_NOW, "the byte budget", bench_install(b, &report, &e));
    bench_restart(b);
    assert_int_equal(b->device.journal.fetched.bytes, 0);
    b->config.byte_budget = s->all;
    assert_ok(bench_install(b, &report, &e));
}

#define STAGE_TEST(test) cmocka_unit_test_setup_teardown(test, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(what_does_not_fit_is_refused_before_the_slot_is_touched),
        STAGE_TEST(a_refusal_counts_what_it_cost),
        STAGE_TEST(all_starts_count_together),
        STAGE_TEST(counting_begins_anew_when_the_operator_says_so),
        STAGE_TEST(another_release_has_a_budget_of_its_own),
        STAGE_TEST(what_is_refused_for_this_device_takes_nothing_from_the_count),
        STAGE_TEST(a_cut_forgets_no_more_than_came_since_the_last_sync),
        STAGE_TEST(a_dry_run_says_whether_it_fits_and_counts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
