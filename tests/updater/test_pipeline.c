// SPDX-License-Identifier: Apache-2.0
#include "updater/pipeline.h"

#include "tests/support/expect.h"
#include "tests/support/pipeline_bench.h"
#include "updater/fetch.h"

static void any_number_of_workers_and_lanes_makes_the_same(void **state)
{
    struct line *s = *state;
    for (unsigned workers = 0; workers <= PIPELINE_WORKERS_MAX; workers++) {
        for (unsigned lanes = 1; lanes <= PIPELINE_LANES_MAX; lanes++) {
            s->server.read_bytes = 0;
            line_open(s, workers, lanes);
            line_run(s);
            assert_int_equal(s->server.read_bytes, s->payload_len); // and no byte twice
        }
    }
}

static void without_threads_one_range_after_the_other_is_asked_for(void **state)
{
    struct line *s = *state;
    line_open(s, 0, 4);
    line_run(s);
    assert_int_equal(s->server.clones, 0);
    assert_int_equal(s->server.most_under_way, 1);
    assert_int_equal(s->server.starts, 4); // of 3 MiB
}

static void what_is_asked_for_and_not_taken_is_three_mib_at_most(void **state)
{
    struct line *s = *state;
    for (unsigned lanes = 1; lanes <= PIPELINE_LANES_MAX; lanes++) {
        s->server.most_asked = 0;
        line_open(s, 2, lanes);
        line_run(s);
        assert_true(s->server.most_asked <= FETCH_IN_FLIGHT_MAX);
        assert_true(s->server.most_under_way <= lanes);
    }
}

static void the_first_chunk_is_tried_and_not_fetched_again(void **state)
{
    struct line *s = *state;
    struct error e;
    for (unsigned workers = 0; workers <= 3; workers++) {
        uint32_t index = 0;
        s->server.read_bytes = 0;
        line_open(s, workers, 4);
        line_begin(s);
        assert_ok(pipeline_try_first(s->pipeline, &e));
        assert_int_equal(s->server.read_bytes, LINE_CHUNK);
        assert_ok(line_take_all(s, &index, &e));
        pipeline_end(s->pipeline);
        assert_int_equal(s->server.read_bytes, s->payload_len);
    }
}

static void a_bad_first_chunk_is_found_when_it_is_tried(void **state)
{
    struct line *s = *state;
    struct error e;
    s->server.flip_off = line_off(s, 0) + 5;
    line_open(s, 2, 4);
    line_begin(s);
    assert_fails(ERR_FORMAT, "chunk 0: chunk: corrupt", pipeline_try_first(s->pipeline, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        line_test(any_number_of_workers_and_lanes_makes_the_same),
        line_test(without_threads_one_range_after_the_other_is_asked_for),
        line_test(what_is_asked_for_and_not_taken_is_three_mib_at_most),
        line_test(the_first_chunk_is_tried_and_not_fetched_again),
        line_test(a_bad_first_chunk_is_found_when_it_is_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
