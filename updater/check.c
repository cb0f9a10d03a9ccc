// SPDX-License-Identifier: Apache-2.0
#include "updater/check.h"

const char *check_kind_name(enum check_kind kind)
{
    static const char *const names[CHECK_KINDS] = {
        [CHECK_HTTP] = "http",
        [CHECK_TCP] = "tcp",
        [CHECK_EXEC] = "exec",
        [CHECK_FILE_AGE] = "file-age",
        [CHECK_MOUNT] = "mount",
        [CHECK_DISK_FREE] = "disk-free",
        [CHECK_SYSTEMD_UNIT] = "systemd-unit",
        [CHECK_DOCKER] = "docker",
        [CHECK_SERVER] = "server",
    };
    return names[kind];
}

struct check_state check_begin(uint64_t now_ms)
{
    return (struct check_state){
        .verdict = CHECK_STARTING,
        .began_ms = now_ms,
        .due_ms = now_ms,
    };
}

static void take_success(struct check_state *s, const struct config_check *c, uint64_t now_ms)
{
    s->ever_succeeded = true;
    s->failures_in_a_row = 0;
    s->successes_in_a_row++;
    if (s->verdict != CHECK_HEALTHY && s->successes_in_a_row >= c->successes) {
        s->verdict = CHECK_HEALTHY;
        s->healthy_since_ms = now_ms;
    }
}

static void take_failure(struct check_state *s, const struct config_check *c, uint64_t now_ms)
{
    s->successes_in_a_row = 0;
    if (!s->ever_succeeded && now_ms - s->began_ms < c->start_period_ms) {
        return;
    }
    s->failures_in_a_row++;
    if (s->failures_in_a_row >= c->retries) {
        s->verdict = CHECK_UNHEALTHY;
    }
}

void check_take(struct check_state *s, const struct config_check *c, enum probe_result result,
                uint64_t now_ms)
{
    s->tries++;
    s->due_ms = now_ms + c->interval_ms;
    switch (result) {
    case PROBE_HEALTHY:
        take_success(s, c, now_ms);
        break;
    case PROBE_FAILED:
        take_failure(s, c, now_ms);
        break;
    case PROBE_NOT_YET:
        s->successes_in_a_row = 0;
        break;
    }
}

bool check_passes(const struct check_state *s, const struct config_check *c)
{
    return s->verdict == CHECK_HEALTHY && s->successes_in_a_row >= c->successes;
}
