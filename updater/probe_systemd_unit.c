// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include <stdio.h>
#include <string.h>

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

// What systemctl says on standard error goes where this process says things.
static bool ask_systemd(const char *name, struct unit *ret)
{
    char command[512];
    char line[256];
    *ret = (struct unit){.load = ""};
    snprintf(command, sizeof command,
             "exec systemctl show --property=LoadState,ActiveState,SubState,Result -- '%s'", name);
    FILE *in = popen(command, "re");
    if (in == NULL) {
        return false;
    }
    while (fgets(line, sizeof line, in) != NULL) {
        read_property(ret, line);
    }
    return pclose(in) == 0;
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
