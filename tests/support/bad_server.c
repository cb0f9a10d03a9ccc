// SPDX-License-Identifier: Apache-2.0
#include "tests/support/bad_server.h"

#include "tests/support/expect.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_script(int stdin_fd, int stdout_fd, const char *dir, const char *mode,
                       const char *log_path)
{
    if (dup2(stdin_fd, STDIN_FILENO) >= 0 && dup2(stdout_fd, STDOUT_FILENO) >= 0) {
        execlp("python3", "python3", "tests/e2e/bad_server.py", "--dir", dir, "--mode", mode,
               "--log", log_path, (char *)NULL);
    }
    _exit(127);
}

static unsigned read_port(int fd)
{
    char text[16] = "";
    size_t len = 0;
    while (len < sizeof text - 1 && strchr(text, '\n') == NULL) {
        ssize_t n = read(fd, text + len, sizeof text - 1 - len);
        if (n <= 0) {
            fail_msg("bad_server.py did not start");
        }
        len += (size_t)n;
    }
    return (unsigned)strtoul(text, NULL, 10);
}

void bad_server_start(struct bad_server *s, const char *dir, const char *mode)
{
    int to[2];
    int from[2];
    *s = (struct bad_server){.stdin_fd = -1};
    snprintf(s->log_path, sizeof s->log_path, "%s/requests-XXXXXX", dir);
    int log_fd = mkstemp(s->log_path);
    assert_true(log_fd >= 0);
    close(log_fd);
    // Closed on exec, or a second server would keep the first one's standard input open.
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        run_script(to[0], from[1], dir, mode, s->log_path);
    }
    close(to[0]);
    close(from[1]);
    s->stdin_fd = to[1];
    s->port = read_port(from[0]);
    close(from[0]);
}

// Lines come in the order in which answers ended; `n` is the order of the requests.
static void read_log(struct bad_server *s)
{
    FILE *f = fopen(s->log_path, "r");
    assert_non_null(f);
    s->requests = json_array();
    char line[4096];
    while (fgets(line, sizeof line, f) != NULL) {
        json_t *request = json_loads(line, 0, NULL);
        assert_non_null(request);
        json_int_t n = json_integer_value(json_object_get(request, "n"));
        while (n > 0 && (json_int_t)json_array_size(s->requests) < n) {
            json_array_append_new(s->requests, json_null());
        }
        if (n > 0) {
            json_array_set(s->requests, (size_t)n - 1, request);
        }
        json_decref(request);
    }
    fclose(f);
}

void bad_server_stop(struct bad_server *s)
{
    if (s->pid == 0) {
        return;
    }
    int status;
    close(s->stdin_fd);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    s->pid = 0;
    assert_int_equal(status, 0);
    read_log(s);
}

void bad_server_clear(struct bad_server *s)
{
    bad_server_stop(s);
    json_decref(s->requests);
    s->requests = NULL;
}

size_t bad_server_count(const struct bad_server *s)
{
    return json_array_size(s->requests);
}

static const json_t *field_of(const struct bad_server *s, size_t n, const char *field)
{
    if (n < 1 || n > bad_server_count(s)) {
        fail_msg("there was no request %zu, only %zu", n, bad_server_count(s));
    }
    return json_object_get(json_array_get(s->requests, n - 1), field);
}

const char *bad_server_text(const struct bad_server *s, size_t n, const char *field)
{
    return json_string_value(field_of(s, n, field));
}

long bad_server_number(const struct bad_server *s, size_t n, const char *field)
{
    const json_t *value = field_of(s, n, field);
    return json_is_boolean(value) ? json_is_true(value) : (long)json_integer_value(value);
}
