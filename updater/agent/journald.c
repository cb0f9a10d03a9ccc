// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/journald.h"

#include "base/cleanup.h"
#include "base/parse.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Of syslog(3).
enum { PRIORITY_ERROR = 3, PRIORITY_WARN = 4, PRIORITY_NOTICE = 5, PRIORITY_INFO = 6 };
enum { PRIORITY_DEBUG = 7, SENTENCE_MAX = 1024 };

bool journald_is_stream(int fd, const char *journal_stream)
{
    struct stat st;
    char device[32];
    uint64_t dev;
    uint64_t ino;
    const char *colon = journal_stream == NULL ? NULL : strchr(journal_stream, ':');
    if (colon == NULL || (size_t)(colon - journal_stream) >= sizeof device) {
        return false;
    }
    size_t len = (size_t)(colon - journal_stream);
    memcpy(device, journal_stream, len);
    device[len] = '\0';
    return parse_u64(device, &dev) && parse_u64(colon + 1, &ino) && fstat(fd, &st) == 0 &&
           st.st_dev == dev && st.st_ino == ino;
}

struct journald journald_open(const char *path)
{
    struct journald j = {.fd = -1, .to = {.sun_family = AF_UNIX}};
    size_t len = path == NULL ? 0 : strlen(path);
    if (len == 0 || len >= sizeof j.to.sun_path) {
        return j;
    }
    memcpy(j.to.sun_path, path, len);
    j.to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    j.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return j;
}

void journald_close(struct journald *j)
{
    if (j->fd >= 0) {
        close(j->fd);
    }
    j->fd = -1;
}

static int priority_of(const struct agent_event *ev)
{
    static const int of_level[] = {[LOG_LEVEL_ERROR] = PRIORITY_ERROR,
                                   [LOG_LEVEL_WARN] = PRIORITY_WARN,
                                   [LOG_LEVEL_INFO] = PRIORITY_INFO};
    if (ev->kind == EVENT_LOG) {
        return of_level[ev->level];
    }
    if (ev->kind == EVENT_PROGRESS) {
        return PRIORITY_DEBUG;
    }
    if (event_is_final(ev)) {
        return ev->outcome == OFFER_FAILURE ? PRIORITY_ERROR : PRIORITY_NOTICE;
    }
    return PRIORITY_INFO;
}

static void write_variables(const char *variables, FILE *out)
{
    for (const char *line = variables; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        if (len > 0 && line[len - 1] != '=') {
            fprintf(out, "%.*s\n", (int)len, line);
        }
        line += len + 1;
    }
}

static char *entry_of(const struct agent_event *ev, size_t *ret_len)
{
    CLEANUP(cleanup_free) char *variables = event_variables(ev);
    CLEANUP(cleanup_free) char *entry = NULL;
    char sentence[SENTENCE_MAX];
    FILE *out = variables == NULL ? NULL : open_memstream(&entry, ret_len);
    if (out == NULL) {
        return NULL;
    }
    fprintf(out, "MESSAGE=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=vv-update\n",
            event_sentence(ev, sentence, sizeof sentence), priority_of(ev));
    if (ev->kind == EVENT_STATE || ev->kind == EVENT_REPORT) {
        fprintf(out, "MESSAGE_ID=%s\n",
                ev->kind == EVENT_STATE ? JOURNALD_STATE_ID : JOURNALD_REPORT_ID);
    }
    write_variables(variables, out);
    bool whole = ferror(out) == 0;
    whole = fclose(out) == 0 && whole;
    return whole ? TAKE_PTR(entry) : NULL;
}

bool journald_send(const struct journald *j, const struct agent_event *ev)
{
    size_t len;
    CLEANUP(cleanup_free) char *entry = j->fd < 0 ? NULL : entry_of(ev, &len);
    return entry != NULL && sendto(j->fd, entry, len, MSG_NOSIGNAL | MSG_DONTWAIT,
                                   (const struct sockaddr *)&j->to, j->to_len) == (ssize_t)len;
}
