// SPDX-License-Identifier: Apache-2.0
#include "tests/support/agent_verbs.h"

static void without_a_source_there_is_nothing_to_run(void **state)
{
    struct file_device d;
    agent_device_make(&d, *state, "");
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, verb_agent, (const char *[]){"-c", d.conf, NULL});
    assert_int_equal(r.err, ERR_CONFIG);
    assert_contains(r.log, "[fleet] source is none");
}

static void a_second_one_is_refused_and_names_the_first(void **state)
{
    struct error e;
    char extra[512];
    struct file_device d;
    CLEANUP(cleanup_close) int lock = -1;
    snprintf(extra, sizeof extra, "[fleet]\nsource=dir\ndir=%s\n", (const char *)*state);
    agent_device_make(&d, *state, extra);
    assert_ok(agent_lock_take(d.state, &lock, &e));
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, verb_agent, (const char *[]){"-c", d.conf, NULL});
    assert_int_equal(r.err, ERR_AGAIN);
    assert_contains(r.log, "another agent is running: process ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(without_a_source_there_is_nothing_to_run),
        with_dir(a_second_one_is_refused_and_names_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
