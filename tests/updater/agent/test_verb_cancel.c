// SPDX-License-Identifier: Apache-2.0
#include "tests/support/agent_verbs.h"

static void without_an_agent_there_is_nobody_to_ask(void **state)
{
    struct file_device d;
    agent_device_make(&d, *state, "");
    enum err (*const verbs[])(void *, const struct parsed *, struct error *) = {verb_cancel,
                                                                                verb_consent};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        CLEANUP(verb_run_clear) struct verb_run r;
        verb_run(&r, verbs[i], (const char *[]){"-c", d.conf, NULL});
        assert_int_equal(r.err, ERR_NOT_NOW);
        assert_contains(r.log, "no agent is running");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(without_an_agent_there_is_nobody_to_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
