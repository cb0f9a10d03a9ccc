// SPDX-License-Identifier: Apache-2.0
#include "image-tools/tool.h"

#include "base/cpus.h"
#include "base/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS_PER_DAY = 86400 };

// 9999-12-31 23:59:59 UTC, the last second with a year of four digits: 10000-01-01 is 2932897 days
// after 1970-01-01.
static const uint64_t last_printable_s = UINT64_C(2932897) * SECONDS_PER_DAY - 1;

struct progress tool_progress(const struct tool *t)
{
    struct progress p = progress_on(t->log.stream, false, t->clock);
    if (p.kind != PROGRESS_BAR) {
        p.kind = PROGRESS_NONE;
    }
    return p;
}

enum err tool_finish_output(struct tool *t, struct error *e)
{
    if (fflush(t->out) != 0 || ferror(t->out)) {
        return fail(e, ERR_IO, errno, "write to standard output");
    }
    return OK;
}

unsigned tool_default_jobs(void)
{
    unsigned cpus = cpus_usable();
    return cpus < TOOL_JOBS_MAX ? cpus : TOOL_JOBS_MAX;
}

enum err tool_option_number(const struct parsed *args, const char *name, uint64_t min, uint64_t max,
                            uint64_t *ret, struct error *e)
{
    const char *text = parsed_option(args, name);
    if (text == NULL) {
        return OK;
    }
    uint64_t value;
    if (!parse_u64(text, &value) || value < min || value > max) {
        return fail(e, ERR_USAGE, 0, "--%s %s: must be a whole number from %" PRIu64 " to %" PRIu64,
                    name, text, min, max);
    }
    *ret = value;
    return OK;
}

enum err tool_option_size(const struct parsed *args, const char *name, uint64_t max, uint64_t *ret,
                          struct error *e)
{
    const char *text = parsed_option(args, name);
    if (text == NULL) {
        return OK;
    }
    uint64_t value;
    if (!parse_size(text, &value) || value > max) {
        return fail(e, ERR_USAGE, 0,
                    "--%s %s: must be a size (K, M for 1024, 1024^2) of at most %" PRIu64 " bytes",
                    name, text, max);
    }
    *ret = value;
    return OK;
}

int tool_start_thread(pthread_t *ret, void *(*run)(void *), void *arg)
{
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    // A thread inherits the mask of its creator.
    int rc = pthread_sigmask(SIG_SETMASK, &all, &old);
    if (rc != 0) {
        return rc;
    }
    rc = pthread_create(ret, NULL, run, arg);
    int restored = pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc != 0 ? rc : restored;
}

const char *tool_format_time(uint64_t seconds, char *buf, size_t len)
{
    struct tm tm;
    time_t t = (time_t)seconds;
    if (seconds > last_printable_s || gmtime_r(&t, &tm) == NULL ||
        strftime(buf, len, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0) {
        snprintf(buf, len, "%" PRIu64, seconds);
    }
    return buf;
}
