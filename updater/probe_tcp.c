// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include "updater/probe_request.h"

#include <stdio.h>

int probe_tcp(const struct config_check *c, int out_fd)
{
    // libcurl tries all addresses of a host, the next one before the one before has timed out.
    char url[512];
    struct probe_answer a;
    snprintf(url, sizeof url, "http://%s", c->address);
    const struct probe_request r = {.url = url, .timeout_ms = c->timeout_ms, .connect_only = true};
    if (!probe_request(&r, &a, out_fd)) {
        return PROBE_EXIT_FAILED;
    }
    dprintf(out_fd, "connected to %s\n", c->address);
    return PROBE_EXIT_HEALTHY;
}
