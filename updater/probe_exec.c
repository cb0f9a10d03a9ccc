// SPDX-License-Identifier: Apache-2.0
#include "updater/bounded_run.h"
#include "updater/probe_kinds.h"

int probe_exec(const struct config_check *c, int out_fd)
{
    return bounded_run_shell(c->command, out_fd);
}
