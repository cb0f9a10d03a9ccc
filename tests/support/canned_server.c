// SPDX-License-Identifier: Apache-2.0
#include "tests/support/canned_server.h"

#include "tests/support/expect.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// To the empty line behind the header.
static bool read_request(int fd)
{
    char text[4096];
    size_t len = 0;
    while (len < sizeof text - 1) {
        ssize_t n = read(fd, text + len, sizeof text - 1 - len);
        if (n <= 0) {
            return false;
        }
        len += (size_t)n;
        text[len] = '\0';
        if (strstr(text, "\r\n\r\n") != NULL) {
            return true;
        }
    }
    return false;
}

static _Noreturn void serve(int listener, int requests_fd, const char *answer, size_t times,
                            bool hang)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 || !read_request(fd)) {
            close(fd);
            continue;
        }
        if (write(requests_fd, "r", 1) != 1) {
            _exit(1);
        }
        bool open = true;
        for (size_t i = 0; i < times && open; i++) {
            open = write(fd, answer, strlen(answer)) > 0;
        }
        if (!hang) {
            close(fd);
        }
    }
}

static void start(struct canned_server *s, int listener, const char *answer, size_t times,
                  bool hang)
{
    int fds[2];
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        serve(listener, fds[1], answer, times, hang);
    }
    close(listener);
    close(fds[1]);
    s->requests_fd = fds[0];
    assert_int_equal(fcntl(s->requests_fd, F_SETFL, O_NONBLOCK), 0);
}

void canned_server_start(struct canned_server *s, const char *answer, size_t times, bool hang)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof where;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&where, sizeof where), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&where, &len), 0);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/status", (unsigned)ntohs(where.sin_port));
    start(s, listener, answer, times, hang);
}

void canned_server_start_at(struct canned_server *s, const char *path, const char *answer,
                            size_t times, bool hang)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    assert_true(strlen(path) < sizeof where.sun_path);
    snprintf(where.sun_path, sizeof where.sun_path, "%s", path);
    assert_int_equal(bind(listener, (struct sockaddr *)&where, sizeof where), 0);
    snprintf(s->url, sizeof s->url, "http://localhost/status");
    start(s, listener, answer, times, hang);
}

void canned_server_stop(struct canned_server *s)
{
    kill(s->pid, SIGKILL);
    assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
    close(s->requests_fd);
}

size_t canned_server_requests(struct canned_server *s)
{
    char bytes[64];
    ssize_t n = read(s->requests_fd, bytes, sizeof bytes);
    return n > 0 ? (size_t)n : 0;
}
