// SPDX-License-Identifier: Apache-2.0
#include "tests/support/agent_verbs.h"

static void a_time_that_is_none_is_a_usage_error(void **state)
{
    static const char *const times[] = {"", "soon", "0s", "999ms", "-1h"};
    struct file_device d;
    agent_device_make(&d, *state, "");
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        CLEANUP(verb_run_clear) struct verb_run r;
        verb_run(&r, verb_hold, (const char *[]){"-c", d.conf, "--for", times[i], NULL});
        assert_int_equal(r.err, ERR_USAGE);
        assert_contains(r.log, "wants a duration from 1s");
    }
}

static void without_an_agent_nothing_is_held_or_released(void **state)
{
    struct file_device d;
    agent_device_make(&d, *state, "");
    CLEANUP(verb_run_clear) struct verb_run hold;
    CLEANUP(verb_run_clear) struct verb_run release;
    verb_run(&hold, verb_hold,
             (const char *[]){"-c", d.conf, "--for", "2h", "--owner", "alice", "inventory", NULL});
    assert_int_equal(hold.err, ERR_NOT_NOW);
    verb_run(&release, verb_release, (const char *[]){"-c", d.conf, NULL});
    assert_int_equal(release.err, ERR_NOT_NOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(a_time_that_is_none_is_a_usage_error),
        with_dir(without_an_agent_nothing_is_held_or_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
