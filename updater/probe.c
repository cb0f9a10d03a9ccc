// SPDX-License-Identifier: Apache-2.0
#include "updater/probe.h"

#include "updater/probe_kinds.h"

static int run_kind(const void *context, int out_fd)
{
    static int (*const kinds[CHECK_KINDS])(const struct config_check *c, int out_fd) = {
        [CHECK_HTTP] = probe_http,
        [CHECK_TCP] = probe_tcp,
        [CHECK_EXEC] = probe_exec,
        [CHECK_FILE_AGE] = probe_file_age,
        [CHECK_MOUNT] = probe_mount,
        [CHECK_DISK_FREE] = probe_disk_free,
        [CHECK_SYSTEMD_UNIT] = probe_systemd_unit,
        [CHECK_DOCKER] = probe_docker,
        [CHECK_SERVER] = probe_server,
    };
    const struct config_check *c = context;
    return kinds[c->kind](c, out_fd);
}

enum err probe_start(struct bounded_run *r, const struct config_check *c, uint64_t now_ms,
                     struct error *e)
{
    return bounded_run_start(r, run_kind, c, c->timeout_ms, now_ms, e);
}

bool probe_step(struct bounded_run *r, uint64_t now_ms, enum probe_result *ret_result)
{
    int status;
    if (!bounded_run_step(r, now_ms, &status)) {
        return false;
    }
    *ret_result = status == PROBE_EXIT_HEALTHY   ? PROBE_HEALTHY
                  : status == PROBE_EXIT_NOT_YET ? PROBE_NOT_YET
                                                 : PROBE_FAILED;
    return true;
}
