// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/gate_command.h"

#include "updater/printable.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_NOT_YET = 75, EXIT_NOT_YET_MENDER = 21, LINE_SIZE = 160 };

static int run_command(const void *context, int out_fd)
{
    const struct gate_command *c = context;
    char index[24];
    snprintf(index, sizeof index, "%" PRIu64, c->release_index);
    if (setenv("VV_PHASE", gate_phase_name(c->phase), 1) != 0 ||
        setenv("VV_VERSION", c->version != NULL ? c->version : "", 1) != 0 ||
        setenv("VV_RELEASE_INDEX", index, 1) != 0) {
        dprintf(out_fd, "out of memory\n");
        return EXIT_FAILURE;
    }
    return bounded_run_shell(c->command, out_fd);
}

enum err gate_command_start(struct bounded_run *r, const struct gate_command *c,
                            uint64_t timeout_ms, uint64_t now_ms, struct error *e)
{
    return bounded_run_start(r, run_command, c, timeout_ms, now_ms, e);
}

// A line whose beginning was lost is none.
static const char *whole_lines(const struct bounded_run *r)
{
    const char *newline = strchr(r->output, '\n');
    return r->output_len == RUN_OUTPUT_MAX && newline != NULL ? newline : r->output;
}

bool gate_command_open(const struct bounded_run *r, int status, char *reason, size_t size)
{
    char line[LINE_SIZE];
    char said[32] = "";
    if (status == 0) {
        return true;
    }
    if (status == RUN_ENDED_BY_FORCE) {
        printable_last_line(r->output, line, sizeof line);
    } else {
        printable_first_line(whole_lines(r), line, sizeof line);
        snprintf(said, sizeof said, "exit status %d", status);
    }
    // A run without output says its exit status by itself.
    if (status == EXIT_NOT_YET || status == EXIT_NOT_YET_MENDER) {
        const bool silent = strcmp(line, said) == 0;
        snprintf(reason, size, "gate command: not yet%s%s", silent ? "" : ": ", silent ? "" : line);
    } else if (status == RUN_ENDED_BY_FORCE || strcmp(line, said) == 0 || line[0] == '\0') {
        snprintf(reason, size, "gate command: %s", line[0] != '\0' ? line : said);
    } else {
        snprintf(reason, size, "gate command: %s: %s", said, line);
    }
    return false;
}
