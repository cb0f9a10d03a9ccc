// SPDX-License-Identifier: Apache-2.0
#include "updater/notify.h"

#include "base/parse.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { US_PER_MS = 1000 };

// "/run/systemd/notify", or "@name" in the abstract namespace, whose first byte is a NUL.
static bool read_address(const char *text, struct notify *n)
{
    size_t len = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || text[1] == '\0' || len >= sizeof n->to.sun_path) {
        return false;
    }
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, text, len);
    if (text[0] == '@') {
        n->to.sun_path[0] = '\0';
    }
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

// WATCHDOG_PID, when it is there, says whom the limit is for.
static uint64_t read_watchdog(void)
{
    const char *limit = getenv("WATCHDOG_USEC");
    const char *whom = getenv("WATCHDOG_PID");
    uint64_t us;
    uint64_t pid;
    bool ours = whom == NULL || (parse_u64(whom, &pid) && pid == (uint64_t)getpid());
    return limit != NULL && ours && parse_u64(limit, &us) ? us / US_PER_MS : 0;
}

struct notify notify_open(void)
{
    struct notify n = {.fd = -1};
    const char *where = getenv("NOTIFY_SOCKET");
    if (where != NULL && read_address(where, &n)) {
        n.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    n.watchdog_ms = n.fd >= 0 ? read_watchdog() : 0;
    return n;
}

void notify_close(struct notify *n)
{
    if (n->fd >= 0) {
        close(n->fd);
    }
    n->fd = -1;
}

void notify_send(const struct notify *n, const char *lines)
{
    if (n->fd >= 0) {
        (void)sendto(n->fd, lines, strlen(lines), MSG_NOSIGNAL | MSG_DONTWAIT,
                     (const struct sockaddr *)&n->to, n->to_len);
    }
}
