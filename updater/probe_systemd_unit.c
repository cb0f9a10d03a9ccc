// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// Of systemctl(1), "show"; the words are those of org.freedesktop.systemd1(5).
struct unit {
    char load[32];
    char active[32];
    char sub[32];
    char result[32];
};

static void read_property(struct unit *u, const char *line)
{
    const struct {
        const char *name;
        char *value;
    } all[] = {{"LoadState=", u->load},
               {"ActiveState=", u->active},
               {"SubState=", u->sub},
               {"Result=", u->result}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        size_t len = strlen(all[i].name);
        if (strncmp(line, all[i].name, len) == 0) {
            snprintf(all[i].value, sizeof u->load, "%.*s", (int)strcspn(line + len, "\n"),
                     line + len);
        }
    }
}

// Starts systemctl with its output in a pipe; what it says on standard error goes where this
// process says things.
static bool start_systemctl(const char *unit, pid_t *ret_pid, FILE **ret_out)
{
    char *const argv[] = {(char[]){"systemctl"},
                          (char[]){"show"},
                          (char[]){"--property=LoadState,ActiveState,SubState,Result"},
                          (char[]){"--"},
                          strdup(unit),
                          NULL};
    int fds[2] = {-1, -1};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    bool ok = argv[4] != NULL && pipe2(fds, O_CLOEXEC) == 0 &&
              posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO) == 0 &&
              posix_spawnp(ret_pid, argv[0], &actions, NULL, argv, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    free(argv[4]);
    cleanup_close(&fds[1]);
    *ret_out = ok ? fdopen(fds[0], "re") : NULL;
    if (*ret_out == NULL) {
        cleanup_close(&fds[0]);
    }
    return ok;
}

static bool ask_systemd(const char *unit, struct unit *ret)
{
    CLEANUP(cleanup_fclose) FILE *out = NULL;
    char line[256];
    pid_t pid;
    int status = 0;
    *ret = (struct unit){.load = ""};
    if (!start_systemctl(unit, &pid, &out)) {
        return false;
    }
    while (out != NULL && fgets(line, sizeof line, out) != NULL) {
        read_property(ret, line);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int probe_systemd_unit(const struct config_check *c, int out_fd)
{
    struct unit u;
    if (!ask_systemd(c->unit, &u) || u.active[0] == '\0') {
        dprintf(out_fd, "systemd does not tell the state of %s\n", c->unit);
        return PROBE_EXIT_FAILED;
    }
    if (strcmp(u.load, "loaded") != 0) {
        dprintf(out_fd, "%s: %s\n", c->unit, u.load);
        return PROBE_EXIT_FAILED;
    }
    dprintf(out_fd, "%s is %s (%s)", c->unit, u.active, u.sub);
    if (strcmp(u.active, "failed") == 0) {
        dprintf(out_fd, ": %s\n", u.result);
        return PROBE_EXIT_FAILED;
    }
    dprintf(out_fd, "\n");
    return strcmp(u.active, "active") == 0 ? PROBE_EXIT_HEALTHY : PROBE_EXIT_NOT_YET;
}
