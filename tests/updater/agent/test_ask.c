// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/ask.h"

#include "tests/support/agent_verbs.h"

static void without_an_agent_its_status_is_not_there(void **state)
{
    struct error e;
    struct file_device d;
    json_t *status = NULL;
    CLEANUP(cleanup_config) struct config *config = NULL;
    agent_device_make(&d, *state, "");
    assert_ok(config_load(d.conf, &config, &e));
    assert_fails(ERR_NOT_NOW, "no agent is running", agent_ask_status(config, &status, &e));
    assert_null(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(without_an_agent_its_status_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
