// SPDX-License-Identifier: Apache-2.0
#include "updater/pipeline_parts.h"

#include "tests/support/expect.h"
#include "tests/support/pipeline_bench.h"

static void a_server_of_one_connection_serves_it_all(void **state)
{
    struct line *s = *state;
    s->server.one_at_a_time = true;
    for (int i = 0; i < 10; i++) {
        line_open(s, 2, 6);
        line_run(s);
    }
}

static void lanes_that_fail_hand_back_what_they_had(void **state)
{
    struct line *s = *state;
    for (uint64_t bytes = 1; bytes < 4 * LINE_CHUNK; bytes += LINE_CHUNK / 2) {
        s->server.clone_bytes = bytes;
        line_open(s, 2, 4);
        line_run(s);
    }
}

static void what_the_first_lane_cannot_get_is_an_error(void **state)
{
    struct line *s = *state;
    struct error e;
    s->server.lost_off = line_off(s, 120);
    for (unsigned workers = 0; workers <= 3; workers++) {
        uint32_t index = 0;
        line_open(s, workers, 4);
        line_begin(s);
        assert_fails(ERR_NETWORK, "chunk 120: the connection was lost",
                     line_take_all(s, &index, &e));
        assert_true(index <= 120);
        pipeline_end(s->pipeline);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        line_test(a_server_of_one_connection_serves_it_all),
        line_test(lanes_that_fail_hand_back_what_they_had),
        line_test(what_the_first_lane_cannot_get_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
