// SPDX-License-Identifier: Apache-2.0
// A device made of files whose agent does not run, for the verbs that ask for it.
#ifndef TESTS_SUPPORT_AGENT_VERBS_H
#define TESTS_SUPPORT_AGENT_VERBS_H

#include "tests/support/expect.h"
#include "tests/support/file_device.h"
#include "tests/support/temp_dir.h"
#include "tests/support/verb_run.h"
#include "updater/agent/verbs.h"

static inline void agent_device_make(struct file_device *d, const char *dir, const char *extra)
{
    char text[1024];
    snprintf(text, sizeof text, "[agent]\nsocket=%s/agent.sock\n%s", dir, extra);
    file_device_make(d, dir, NULL, text);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

#endif
