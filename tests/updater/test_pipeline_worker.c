// SPDX-License-Identifier: Apache-2.0
#include "updater/pipeline_parts.h"

#include "tests/support/expect.h"
#include "tests/support/pipeline_bench.h"

static void a_wrong_byte_is_an_error_that_names_its_chunk(void **state)
{
    struct line *s = *state;
    struct error e;
    s->server.flip_off = line_off(s, 90);
    for (unsigned workers = 0; workers <= 3; workers++) {
        uint32_t index = 0;
        line_open(s, workers, 4);
        line_begin(s);
        assert_fails(ERR_FORMAT, "chunk 90: chunk: corrupt: its stored bytes do not match",
                     line_take_all(s, &index, &e));
        assert_true(index <= 90);
        pipeline_end(s->pipeline);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        line_test(a_wrong_byte_is_an_error_that_names_its_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
