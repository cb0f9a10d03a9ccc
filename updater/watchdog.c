// SPDX-License-Identifier: Apache-2.0
#include "updater/watchdog.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

// A device that does not say how long it waits; drivers have 10 s at least.
enum { LIMIT_DEFAULT_MS = 9000, FEEDS_PER_LIMIT = 3, MS_PER_S = 1000 };

static void feed_within(struct watchdog *w, uint64_t limit_ms)
{
    uint64_t every_ms = limit_ms / FEEDS_PER_LIMIT;
    if (limit_ms > 0 && (w->every_ms == 0 || every_ms < w->every_ms)) {
        w->every_ms = every_ms > 0 ? every_ms : 1;
    }
}

struct watchdog watchdog_on(const char *device, const struct clock *clock, struct log *log)
{
    struct watchdog w = {
        .device = device,
        .sysfs = "/sys/class/watchdog",
        .clock = clock,
        .log = log,
        .manager = notify_open(),
        .fd = -1,
        .state = "none",
    };
    feed_within(&w, w.manager.watchdog_ms);
    return w;
}

// By SYSFS/watchdog0/nowayout; /dev/watchdog is the first one. What is no device has no driver that
// could refuse.
static bool can_be_stopped(const struct watchdog *w)
{
    char path[512];
    char flag = '1';
    struct stat st;
    if (stat(w->device, &st) == 0 && !S_ISCHR(st.st_mode)) {
        return true;
    }
    const char *slash = strrchr(w->device, '/');
    const char *name = slash != NULL ? slash + 1 : w->device;
    snprintf(path, sizeof path, "%s/%s%s/nowayout", w->sysfs, name,
             strcmp(name, "watchdog") == 0 ? "0" : "");
    FILE *in = fopen(path, "re");
    if (in != NULL) {
        flag = (char)fgetc(in);
        fclose(in);
    }
    return flag == '0';
}

static void open_device(struct watchdog *w)
{
    if (w->device == NULL || access(w->device, F_OK) != 0) {
        return;
    }
    if (!can_be_stopped(w)) {
        w->state = "cannot be stopped";
        log_info(w->log, "%s is not known to stop again once it is open (nowayout): left to others",
                 w->device);
        return;
    }
    w->fd = open(w->device, O_WRONLY | O_CLOEXEC);
    if (w->fd >= 0) {
        w->state = "ours";
        return;
    }
    w->state = errno == EBUSY ? "busy" : "none";
    log_info(w->log, "%s: %s", w->device,
             errno == EBUSY ? "somebody else feeds the watchdog" : strerror(errno));
}

static void feed(struct watchdog *w)
{
    w->fed_ms = w->clock->ops->boottime_ms(w->clock);
    notify_send(&w->manager, "WATCHDOG=1");
    if (w->fd >= 0) {
        ssize_t ignored = write(w->fd, "", 1); // any byte but a V
        (void)ignored;
    }
}

void watchdog_arm(struct watchdog *w)
{
    int seconds = 0;
    if (w->fd >= 0) {
        return;
    }
    open_device(w);
    if (w->fd >= 0) {
        bool told = ioctl(w->fd, WDIOC_GETTIMEOUT, &seconds) == 0 && seconds > 0;
        feed_within(w, told ? (uint64_t)seconds * MS_PER_S : LIMIT_DEFAULT_MS);
    }
    if (w->every_ms > 0) {
        feed(w);
    }
}

void watchdog_feed(struct watchdog *w)
{
    uint64_t now_ms = w->clock->ops->boottime_ms(w->clock);
    if (w->every_ms > 0 && now_ms - w->fed_ms >= w->every_ms) {
        feed(w);
    }
}

void watchdog_close(struct watchdog *w, bool stop)
{
    if (w->fd >= 0 && stop) {
        ssize_t ignored = write(w->fd, "V", 1); // "magic close": without it the device goes on
        (void)ignored;
    }
    if (w->fd >= 0) {
        close(w->fd);
    }
    w->fd = -1;
    w->every_ms = 0;
    notify_close(&w->manager);
}
