// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/parse.h"
#include "updater/probe_request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_MAX_LEN = 255 };

// The first line of something that somebody else wrote.
static int line_len(const char *text)
{
    size_t len = strcspn(text, "\r\n");
    return (int)(len < TEXT_MAX_LEN ? len : TEXT_MAX_LEN);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

// --- without a HEALTHCHECK ----------------------------------------------------------------------

// Field 22 of /proc/PID/stat (proc_pid_stat(5)): ticks since boot when it started. The name in
// field 2 may hold anything, so the last ')' ends it.
static bool started_ticks(int64_t pid, uint64_t *ret)
{
    char path[64];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    FILE *in = fopen(path, "re");
    if (in == NULL) {
        return false;
    }
    size_t len = fread(text, 1, sizeof text - 1, in);
    fclose(in);
    text[len] = '\0';
    char *field = strrchr(text, ')');
    char *rest = NULL;
    for (int i = 2; field != NULL && i <= 22; i++) {
        field = strtok_r(i == 2 ? field : NULL, " ", &rest);
    }
    return field != NULL && parse_u64(field, ret);
}

// Not .State.StartedAt: that is what the wall clock said, which a time server may have set since. A
// restart of the container is another process.
static int judge_running_time(const struct config_check *c, const json_t *state, int out_fd)
{
    struct timespec now;
    uint64_t ticks;
    char has[32];
    char wants[32];
    int64_t pid = json_integer_value(json_object_get(state, "Pid"));
    if (pid <= 0 || !started_ticks(pid, &ticks)) {
        dprintf(out_fd, "%s is running, but its process %" PRId64 " is not there\n", c->container,
                pid);
        return PROBE_EXIT_FAILED;
    }
    clock_gettime(CLOCK_BOOTTIME, &now);
    uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    uint64_t start_ms = ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t runs_ms = now_ms > start_ms ? now_ms - start_ms : 0;
    format_duration(runs_ms, has, sizeof has);
    if (runs_ms < c->running_for_ms) {
        dprintf(out_fd, "%s is running for %s, wanted are %s\n", c->container, has,
                format_duration(c->running_for_ms, wants, sizeof wants));
        return PROBE_EXIT_NOT_YET;
    }
    dprintf(out_fd, "%s is running for %s\n", c->container, has);
    return PROBE_EXIT_HEALTHY;
}

// --- what the engine says -----------------------------------------------------------------------

// .Health.Log has the oldest entry first.
static const char *last_output(const json_t *health)
{
    const json_t *log = json_object_get(health, "Log");
    size_t count = json_array_size(log);
    return count == 0 ? "" : text_of(json_array_get(log, count - 1), "Output");
}

static int judge_running(const struct config_check *c, const json_t *state, int out_fd)
{
    const json_t *health = json_object_get(state, "Health");
    const char *status = text_of(health, "Status");
    const char *output = last_output(health);
    // Docker leaves Health out, or says "none"; Podman has an empty word.
    if (status[0] == '\0' || strcmp(status, "none") == 0) {
        return judge_running_time(c, state, out_fd);
    }
    dprintf(out_fd, "%s is %.*s%s%.*s\n", c->container, line_len(status), status,
            output[0] != '\0' ? ": " : "", line_len(output), output);
    if (strcmp(status, "starting") == 0) {
        return PROBE_EXIT_NOT_YET;
    }
    return strcmp(status, "healthy") == 0 ? PROBE_EXIT_HEALTHY : PROBE_EXIT_FAILED;
}

static int judge(const struct config_check *c, const json_t *state, int out_fd)
{
    const char *status = text_of(state, "Status");
    const char *why = text_of(state, "Error");
    if (strcmp(status, "running") == 0) {
        return judge_running(c, state, out_fd);
    }
    if (status[0] == '\0') {
        dprintf(out_fd, "%s: no State.Status in the answer\n", c->socket);
        return PROBE_EXIT_FAILED;
    }
    dprintf(out_fd, "%s is %.*s", c->container, line_len(status), status);
    if (strcmp(status, "created") == 0) {
        dprintf(out_fd, "\n");
        return PROBE_EXIT_NOT_YET;
    }
    dprintf(out_fd, ", its last exit status is %" JSON_INTEGER_FORMAT "%s%.*s\n",
            json_integer_value(json_object_get(state, "ExitCode")), why[0] != '\0' ? ": " : "",
            line_len(why), why);
    return PROBE_EXIT_FAILED;
}

int probe_docker(const struct config_check *c, int out_fd)
{
    char url[256];
    struct probe_answer a;
    json_error_t where;
    // Without a version the engine takes its own; one of ours would end with an engine to come.
    snprintf(url, sizeof url, "http://localhost/containers/%s/json", c->container);
    const struct probe_request r = {.url = url, .timeout_ms = c->timeout_ms, .socket = c->socket};
    if (!probe_request(&r, &a, out_fd)) {
        return PROBE_EXIT_FAILED;
    }
    // Its numbers may be reals, and how deep it goes is its own business: not json_parse().
    CLEANUP(cleanup_json) json_t *root = json_loadb(a.body, a.len, 0, &where);
    const char *message = text_of(root, "message");
    if (a.status != 200) {
        dprintf(out_fd, "%s: HTTP %ld%s%.*s\n", c->socket, a.status, message[0] != '\0' ? ": " : "",
                line_len(message), message);
        return PROBE_EXIT_FAILED;
    }
    if (root == NULL) {
        dprintf(out_fd, "%s: the answer is not JSON\n", c->socket);
        return PROBE_EXIT_FAILED;
    }
    return judge(c, json_object_get(root, "State"), out_fd);
}
