// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/gate_power.h"

#include "base/cleanup.h"
#include "base/parse.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

enum { LINE_SIZE = 64 };

// All supplies so far.
struct seen {
    bool mains_listed, mains_online;
    bool charging, discharging;
    struct power_state *state;
};

// The line of an attribute; "" when there is none.
static const char *read_line(int dir_fd, const char *name, char buf[LINE_SIZE])
{
    CLEANUP(cleanup_close) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, buf, LINE_SIZE - 1) : -1;
    buf[len > 0 ? len : 0] = '\0';
    buf[strcspn(buf, "\n")] = '\0';
    return buf;
}

static bool is_external(const char *type)
{
    // USB_DCP, USB_C, USB_PD and others are what older kernels say for USB.
    return strcmp(type, "Mains") == 0 || strncmp(type, "USB", 3) == 0 ||
           strcmp(type, "Wireless") == 0;
}

static void take_battery(int fd, struct seen *seen)
{
    char line[LINE_SIZE];
    uint64_t percent;
    if (strcmp(read_line(fd, "present", line), "0") == 0) {
        return;
    }
    // "Unknown" says nothing of a charger.
    const char *status = read_line(fd, "status", line);
    seen->discharging |= strcmp(status, "Discharging") == 0;
    seen->charging |= strcmp(status, "Charging") == 0 || strcmp(status, "Not charging") == 0 ||
                      strcmp(status, "Full") == 0;
    if (!parse_u64(read_line(fd, "capacity", line), &percent) || percent > 100) {
        return;
    }
    if (!seen->state->battery_known || percent < seen->state->battery_percent) {
        seen->state->battery_known = true;
        seen->state->battery_percent = (unsigned)percent;
    }
}

static void take_supply(int dir_fd, const char *name, struct seen *seen)
{
    char line[LINE_SIZE];
    CLEANUP(cleanup_close) int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || strcmp(read_line(fd, "scope", line), "Device") == 0) {
        return;
    }
    const char *type = read_line(fd, "type", line);
    if (is_external(type)) {
        seen->mains_listed = true;
        // 1, or 2 for one whose voltage can be set.
        const char *online = read_line(fd, "online", line);
        seen->mains_online |= online[0] != '\0' && strcmp(online, "0") != 0;
    } else if (strcmp(type, "Battery") == 0 || strcmp(type, "UPS") == 0) {
        take_battery(fd, seen);
    }
}

struct power_state gate_power_read(const char *dir)
{
    struct power_state state = {0};
    struct seen seen = {.state = &state};
    DIR *list = opendir(dir);
    const struct dirent *entry;
    for (int i = 0; list != NULL && i < POWER_SUPPLIES_MAX && (entry = readdir(list)) != NULL;) {
        if (entry->d_name[0] != '.') {
            take_supply(dirfd(list), entry->d_name, &seen);
            i++;
        }
    }
    if (list != NULL) {
        closedir(list);
    }
    state.external_known = seen.mains_listed || seen.charging || seen.discharging;
    state.external = seen.mains_online || (seen.charging && !seen.discharging);
    return state;
}

bool gate_power_open(const struct power_state *s, bool need_ac, unsigned min_percent, char *reason,
                     size_t size)
{
    bool with = s->external_known && s->external;
    if (need_ac && s->external_known && !s->external) {
        snprintf(reason, size, "waiting for external power");
        return false;
    }
    if (!with && s->battery_known && s->battery_percent < min_percent) {
        snprintf(reason, size, "battery at %u %%, %u %% are wanted", s->battery_percent,
                 min_percent);
        return false;
    }
    return true;
}
