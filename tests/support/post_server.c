// SPDX-License-Identifier: Apache-2.0
#include "tests/support/post_server.h"

#include "tests/support/expect.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// To the end of the body, whose length the head says. 0: the client went away.
static size_t read_request(int fd, char *text, size_t size)
{
    static const char key[] = "Content-Length: ";
    size_t len = 0;
    size_t want = SIZE_MAX;
    while (len < want && len < size - 1) {
        ssize_t n = read(fd, text + len, size - 1 - len);
        if (n <= 0) {
            return 0;
        }
        len += (size_t)n;
        text[len] = '\0';
        const char *body = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, key);
        if (body != NULL) {
            want = (size_t)(body + 4 - text);
            want += length != NULL ? strtoul(length + strlen(key), NULL, 10) : 0;
        }
    }
    return len;
}

static _Noreturn void serve(int listener, int log_fd, const char *const *answers, size_t count)
{
    char text[4096];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        size_t len = fd < 0 ? 0 : read_request(fd, text, sizeof text);
        if (len == 0) {
            close(fd);
            continue;
        }
        if (write(log_fd, text, len) != (ssize_t)len) {
            _exit(1);
        }
        const char *answer = answers[i];
        i += i + 1 < count ? 1 : 0;
        if (strcmp(answer, "hang") != 0) {
            (void)!write(fd, answer, strlen(answer));
            close(fd);
        }
    }
}

void post_server_start(struct post_server *s, const char *const *answers, size_t count)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof where;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&where, sizeof where), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&where, &len), 0);
    assert_int_equal(listen(listener, 8), 0);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/base", (unsigned)ntohs(where.sin_port));
    s->log_fd = memfd_create("requests", MFD_CLOEXEC);
    assert_true(s->log_fd >= 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        serve(listener, s->log_fd, answers, count);
    }
    close(listener);
}

void post_server_stop(struct post_server *s)
{
    kill(s->pid, SIGKILL);
    assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
    close(s->log_fd);
}

const char *post_server_requests(struct post_server *s)
{
    ssize_t n = pread(s->log_fd, s->text, POST_SERVER_TEXT_MAX, 0);
    assert_true(n >= 0);
    s->text[n] = '\0';
    return s->text;
}
