// SPDX-License-Identifier: Apache-2.0
#include "updater/pipeline_parts.h"

#include "tests/support/expect.h"
#include "tests/support/pipeline_bench.h"

static void one_pipeline_runs_again_and_again(void **state)
{
    struct line *s = *state;
    line_open(s, 2, 4);
    for (int i = 0; i < 5; i++) {
        line_run(s);
    }
    assert_int_equal(s->source->fetched_bytes + s->source->others_fetched_bytes,
                     5 * s->payload_len);
    assert_int_equal(s->source->requests + s->source->others_requests, s->server.starts);
}

static void a_few_ranges_open_no_more_connections_than_there_are(void **state)
{
    struct line *s = *state;
    struct error e;
    struct piece piece;
    line_open(s, 2, 6);
    pipeline_want(s->pipeline, 1, PIECE_FETCHED);
    pipeline_want(s->pipeline, 100, PIECE_FETCHED);
    pipeline_begin(s->pipeline, NULL, NULL);
    assert_ok(pipeline_take(s->pipeline, 1, &piece, &e));
    assert_ok(pipeline_take(s->pipeline, 100, &piece, &e));
    assert_memory_equal(piece.raw, s->content + 100 * LINE_CHUNK, LINE_CHUNK);
    pipeline_end(s->pipeline);
    assert_int_equal(s->server.clones, 1);
    assert_int_equal(s->server.starts, 2);
}

static void a_source_that_is_read_from_one_place_is_read_by_one_lane(void **state)
{
    struct line *s = *state;
    s->server.no_clones = true;
    line_open(s, 2, 6);
    line_run(s);
    assert_int_equal(s->server.most_under_way, 1);
}

static void who_takes_no_more_ends_all_waits(void **state)
{
    struct line *s = *state;
    struct error e;
    struct piece piece;
    s->server.silent_off = line_off(s, 2);
    line_open(s, 2, 4);
    line_begin(s);
    assert_ok(pipeline_take(s->pipeline, 0, &piece, &e));
    pipeline_end(s->pipeline);
    assert_true(s->server.interrupted <= 1);
    s->server.silent_off = SIDE_NOWHERE;
    line_run(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        line_test(one_pipeline_runs_again_and_again),
        line_test(a_few_ranges_open_no_more_connections_than_there_are),
        line_test(a_source_that_is_read_from_one_place_is_read_by_one_lane),
        line_test(who_takes_no_more_ends_all_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
