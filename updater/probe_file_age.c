// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include "base/parse.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { DURATION_TEXT_SIZE = 32 };

// The time of modification is whatever the file system says: it need not make sense.
static bool age_of(const struct stat *st, int64_t *ret_ms)
{
    struct timespec now;
    int64_t seconds;
    int64_t ms;
    clock_gettime(CLOCK_REALTIME, &now);
    if (__builtin_sub_overflow((int64_t)now.tv_sec, (int64_t)st->st_mtim.tv_sec, &seconds) ||
        __builtin_mul_overflow(seconds, (int64_t)1000, &ms)) {
        return false;
    }
    return !__builtin_add_overflow(
        ms, (int64_t)(now.tv_nsec / 1000000 - st->st_mtim.tv_nsec / 1000000), ret_ms);
}

// By the clock that goes on while the system sleeps, as file times do.
static uint64_t uptime_ms(void)
{
    struct timespec up;
    clock_gettime(CLOCK_BOOTTIME, &up);
    return (uint64_t)up.tv_sec * 1000 + (uint64_t)up.tv_nsec / 1000000;
}

int probe_file_age(const struct config_check *c, int out_fd)
{
    struct stat st;
    char age_text[DURATION_TEXT_SIZE];
    char max_text[DURATION_TEXT_SIZE];
    int64_t age_ms;
    if (stat(c->path, &st) != 0) {
        dprintf(out_fd, "%s: %s\n", c->path, strerror(errno));
        return PROBE_EXIT_FAILED;
    }
    if (!age_of(&st, &age_ms)) {
        dprintf(out_fd, "%s has an impossible time of modification\n", c->path);
        return PROBE_EXIT_FAILED;
    }
    if (age_ms < -HEARTBEAT_AHEAD_MAX_MS) {
        dprintf(out_fd, "%s is dated %s in the future: it cannot be told how old it is\n", c->path,
                format_duration((uint64_t)-age_ms, age_text, sizeof age_text));
        return PROBE_EXIT_FAILED;
    }
    uint64_t age = age_ms < 0 ? 0 : (uint64_t)age_ms;
    format_duration(age, age_text, sizeof age_text);
    if (age > c->max_age_ms) {
        dprintf(out_fd, "%s is %s old, allowed are %s\n", c->path, age_text,
                format_duration(c->max_age_ms, max_text, sizeof max_text));
        return PROBE_EXIT_FAILED;
    }
    // Both slots may write this file: the old system's heartbeat says nothing of this one.
    if (age > uptime_ms()) {
        dprintf(out_fd, "%s is %s old: not written since the system was started\n", c->path,
                age_text);
        return PROBE_EXIT_NOT_YET;
    }
    dprintf(out_fd, "%s is %s old\n", c->path, age_text);
    return PROBE_EXIT_HEALTHY;
}
