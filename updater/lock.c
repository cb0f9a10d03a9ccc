// SPDX-License-Identifier: Apache-2.0
#include "updater/lock.h"

#include "base/clock.h"
#include "base/file.h"
#include "updater/state_dir.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

// A `status` that looks holds a shared lock for an instant; that must not turn an install away.
#define UPDATE_LOCK "lock"
#define AGENT_LOCK "agent.lock"
enum { TRIES = 10, PAUSE_MS = 10, CMDLINE_MAX = 64 * 1024 };

static int open_lock(const char *state_dir, const char *name, int flags)
{
    CLEANUP(cleanup_free) char *path = NULL;
    if (asprintf(&path, "%s/%s", state_dir, name) < 0) {
        path = NULL;
        errno = ENOMEM;
        return -1;
    }
    return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

bool update_lock_held(const char *state_dir)
{
    CLEANUP(cleanup_close) int fd = open_lock(state_dir, UPDATE_LOCK, O_RDONLY);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

static bool try_lock(int fd)
{
    for (int i = 0; i < TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            return true;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return false;
        }
        clock_system.ops->sleep_ms(&clock_system, PAUSE_MS);
    }
    errno = EWOULDBLOCK;
    return false;
}

// Whether a process is "vv-update ... confirm ...".
static bool is_confirmation(long pid)
{
    char path[64];
    CLEANUP(cleanup_free) uint8_t *args = NULL;
    size_t len = 0;
    struct error ignored;
    snprintf(path, sizeof path, "/proc/%ld/cmdline", pid);
    if (file_read(path, CMDLINE_MAX, &args, &len, &ignored) != OK) {
        return false;
    }
    for (size_t at = 0; at < len; at += strlen((const char *)args + at) + 1) {
        if (strcmp((const char *)args + at, "confirm") == 0) {
            return true;
        }
    }
    return false;
}

// The one that holds the lock; 0: it does not say.
static long read_holder(int fd)
{
    char text[16] = "";
    long pid = read(fd, text, sizeof text - 1) > 0 ? strtol(text, NULL, 10) : 0;
    return pid > 0 ? pid : 0;
}

static enum err fail_held(int fd, const char *state_dir, struct error *e)
{
    long pid = read_holder(fd);
    if (pid == 0) {
        return fail(e, ERR_AGAIN, 0, "another update is under way: %s/lock is held", state_dir);
    }
    if (is_confirmation(pid)) {
        return fail(e, ERR_AGAIN, 0,
                    "the running system is on trial and its confirmation under way: process %ld "
                    "holds %s/lock; to decide by hand, end it first (systemctl stop "
                    "vv-update-confirm)",
                    pid, state_dir);
    }
    return fail(e, ERR_AGAIN, 0, "another update is under way: process %ld holds %s/lock", pid,
                state_dir);
}

static enum err fail_agent(int fd, const char *state_dir, struct error *e)
{
    return fail(e, ERR_AGAIN, 0, "another agent is running: process %ld holds %s/%s",
                read_holder(fd), state_dir, AGENT_LOCK);
}

static enum err take(const char *state_dir, const char *name,
                     enum err (*fail_taken)(int fd, const char *state_dir, struct error *e),
                     int *ret_fd, struct error *e)
{
    CLEANUP(cleanup_close) int fd = open_lock(state_dir, name, O_RDWR | O_CREAT);
    if (fd < 0) {
        return fail(e, ERR_IO, errno, "%s/%s: open", state_dir, name);
    }
    if (!try_lock(fd)) {
        return errno == EWOULDBLOCK ? fail_taken(fd, state_dir, e)
                                    : fail(e, ERR_IO, errno, "%s/%s: lock", state_dir, name);
    }
    // The number ends with its line: what an older and longer one leaves behind it does not matter.
    // Without room none is there, which only makes a sentence shorter.
    struct error ignored;
    char text[16];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (write_all(fd, text, (size_t)len, &ignored) != OK) {
        CLEANUP(cleanup_close) int emptied = open_lock(state_dir, name, O_WRONLY | O_TRUNC);
        (void)emptied;
    }
    *ret_fd = TAKE_FD(fd);
    return OK;
}

enum err update_lock_take(const char *state_dir, int *ret_fd, struct error *e)
{
    return take(state_dir, UPDATE_LOCK, fail_held, ret_fd, e);
}

enum err agent_lock_take(const char *state_dir, int *ret_fd, struct error *e)
{
    return take(state_dir, AGENT_LOCK, fail_agent, ret_fd, e);
}
