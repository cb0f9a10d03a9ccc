// SPDX-License-Identifier: Apache-2.0
#include "tests/support/checks.h"

struct config_check check_make(const char *name)
{
    return (struct config_check){
        .name = name,
        .required = true,
        .interval_ms = 20,
        .timeout_ms = 5000,
        .retries = 1,
        .successes = 1,
        .expect_first = 200,
        .expect_last = 299,
        .max_age_ms = 60000,
    };
}

struct config_check check_exec(const char *name, const char *command)
{
    struct config_check c = check_make(name);
    c.kind = CHECK_EXEC;
    c.command = command;
    return c;
}

struct config config_with_checks(struct config_check *checks, size_t count)
{
    return (struct config){
        .checks = checks,
        .check_count = count,
        .confirm_deadline_ms = 20000,
    };
}
