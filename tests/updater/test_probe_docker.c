// SPDX-License-Identifier: Apache-2.0
// Answers as the Engine API documents them: https://docs.docker.com/reference/api/engine/
#include "updater/probe_kinds.h"

#include "tests/support/canned_server.h"
#include "tests/support/captured.h"
#include "tests/support/checks.h"
#include "tests/support/temp_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define OK_HEAD                                                                                    \
    "HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\nContent-Type: application/json\r\n"                   \
    "Connection: close\r\n\r\n"
#define INSPECT(state)                                                                             \
    OK_HEAD "{\"Id\":\"ba033ac44011\",\"Created\":\"2015-01-06T15:47:31.485331387Z\","             \
            "\"RestartCount\":0,"                                                                  \
            "\"State\":{" state "},\"HostConfig\":{\"MemorySwappiness\":null,\"CpuPercent\":0.5}}"
#define RUNNING "\"Status\":\"running\",\"Running\":true,\"Pid\":1,\"ExitCode\":0,\"Error\":\"\""
#define HEALTH(status, log)                                                                        \
    INSPECT(RUNNING ",\"Health\":{\"Status\":\"" status "\",\"FailingStreak\":0,\"Log\":[" log "]" \
                    "}")
#define ENTRY(output)                                                                              \
    "{\"Start\":\"2019-12-22T10:59:05.6385933Z\",\"ExitCode\":0,\"Output\":\"" output "\"}"

static struct config_check docker_check(const char *dir, char path[512])
{
    struct config_check c = check_make("x");
    c.kind = CHECK_DOCKER;
    c.container = "scene_scanner";
    c.socket = temp_dir_path(path, 512, dir, "docker.sock");
    c.running_for_ms = 10000;
    return c;
}

static void expect(const char *dir, const char *answer, int exit_status, const char *says)
{
    char path[512];
    struct canned_server server;
    struct captured out = captured_begin();
    struct config_check c = docker_check(dir, path);
    canned_server_start_at(&server, c.socket, answer, 1, false);
    int got = probe_docker(&c, out.fd);
    if (got != exit_status) {
        fail_msg("expected %d, got %d: %s\nof the answer %s", exit_status, got, captured_text(&out),
                 answer);
    }
    assert_contains(captured_text(&out), says);
    canned_server_stop(&server);
    assert_int_equal(unlink(c.socket), 0);
    captured_end(&out);
}

static void a_running_container_is_what_its_healthcheck_says(void **state)
{
    expect(*state, HEALTH("healthy", ENTRY("old") "," ENTRY("12 frames\\nmore")),
           PROBE_EXIT_HEALTHY, "scene_scanner is healthy: 12 frames\n");
    expect(*state, HEALTH("healthy", ""), PROBE_EXIT_HEALTHY, "scene_scanner is healthy\n");
    expect(*state, HEALTH("starting", ""), PROBE_EXIT_NOT_YET, "scene_scanner is starting\n");
    expect(*state, HEALTH("unhealthy", ENTRY("no frames")), PROBE_EXIT_FAILED,
           "scene_scanner is unhealthy: no frames\n");
    expect(*state, HEALTH("dizzy", ""), PROBE_EXIT_FAILED, "scene_scanner is dizzy\n");
}

static void a_container_that_is_not_running_says_why(void **state)
{
    expect(*state, INSPECT("\"Status\":\"created\",\"Pid\":0,\"ExitCode\":0"), PROBE_EXIT_NOT_YET,
           "scene_scanner is created\n");
    expect(*state, INSPECT("\"Status\":\"exited\",\"Pid\":0,\"ExitCode\":137,\"Error\":\"\""),
           PROBE_EXIT_FAILED, "scene_scanner is exited, its last exit status is 137\n");
    expect(
        *state,
        INSPECT("\"Status\":\"restarting\",\"Pid\":0,\"ExitCode\":1,\"Error\":\"no such device\""),
        PROBE_EXIT_FAILED, "is restarting, its last exit status is 1: no such device\n");
    expect(*state, INSPECT("\"Status\":\"paused\",\"Pid\":7,\"ExitCode\":0"), PROBE_EXIT_FAILED,
           "is paused");
    expect(*state, INSPECT("\"Status\":\"dead\",\"Pid\":0,\"ExitCode\":1"), PROBE_EXIT_FAILED,
           "is dead");
}

static void a_missing_container_is_told_in_the_words_of_the_engine(void **state)
{
    expect(*state,
           "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n"
           "{\"message\":\"No such container: scene_scanner\"}",
           PROBE_EXIT_FAILED, "docker.sock: HTTP 404: No such container: scene_scanner\n");
    expect(*state, "HTTP/1.1 500 Broken\r\nConnection: close\r\n\r\nnot json", PROBE_EXIT_FAILED,
           "docker.sock: HTTP 500\n");
}

static void an_answer_that_makes_no_sense_has_failed(void **state)
{
    expect(*state, OK_HEAD "<html>", PROBE_EXIT_FAILED, "the answer is not JSON\n");
    expect(*state, OK_HEAD "[1,2]", PROBE_EXIT_FAILED, "no State.Status in the answer\n");
    expect(*state, OK_HEAD "{\"State\":\"running\"}", PROBE_EXIT_FAILED, "no State.Status");
    expect(*state, OK_HEAD "{\"State\":{\"Status\":5}}", PROBE_EXIT_FAILED, "no State.Status");
    expect(*state, INSPECT("\"Status\":\"running\",\"Pid\":\"one\""), PROBE_EXIT_FAILED,
           "its process 0 is not there\n");
    expect(*state, INSPECT("\"Status\":\"running\",\"Pid\":-1"), PROBE_EXIT_FAILED,
           "its process -1 is not there\n");
    expect(*state, "SSH-2.0-OpenSSH\r\n", PROBE_EXIT_FAILED, "HTTP/0.9");
}

// --- without a HEALTHCHECK ----------------------------------------------------------------------

// Asks for a container whose process is `pid`, with `health` behind it.
static void expect_of_process(const char *dir, pid_t pid, const char *health,
                              uint64_t running_for_ms, int exit_status, const char *says)
{
    char path[512];
    char answer[1024];
    struct canned_server server;
    struct captured out = captured_begin();
    struct config_check c = docker_check(dir, path);
    c.running_for_ms = running_for_ms;
    snprintf(answer, sizeof answer, OK_HEAD "{\"State\":{\"Status\":\"running\",\"Pid\":%d%s}}",
             (int)pid, health);
    canned_server_start_at(&server, c.socket, answer, 1, false);
    assert_int_equal(probe_docker(&c, out.fd), exit_status);
    assert_contains(captured_text(&out), says);
    canned_server_stop(&server);
    assert_int_equal(unlink(c.socket), 0);
    captured_end(&out);
}

static pid_t start_process(const char *name)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, name);
        for (;;) {
            pause();
        }
    }
    return pid;
}

static void without_a_healthcheck_a_process_that_runs_long_enough_is_healthy(void **state)
{
    pid_t pid = start_process("scanner");
    expect_of_process(*state, pid, "", 3600000, PROBE_EXIT_NOT_YET, ", wanted are 1 h\n");
    expect_of_process(*state, pid, ",\"Health\":{\"Status\":\"none\"}", 3600000, PROBE_EXIT_NOT_YET,
                      ", wanted are 1 h\n");
    // Podman.
    expect_of_process(*state, pid, ",\"Health\":{\"Status\":\"\",\"Log\":null}", 3600000,
                      PROBE_EXIT_NOT_YET, ", wanted are 1 h\n");
    expect_of_process(*state, pid, "", 0, PROBE_EXIT_HEALTHY, "scene_scanner is running for ");
    // Once it is older than that; a tick of the clock behind it is at most 10 ms.
    const struct timespec some = {.tv_nsec = 60 * 1000000};
    nanosleep(&some, NULL);
    expect_of_process(*state, pid, "", 50, PROBE_EXIT_HEALTHY, "scene_scanner is running for ");
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    expect_of_process(*state, pid, "", 0, PROBE_EXIT_FAILED, "is not there\n");
}

static void the_name_of_a_process_does_not_hide_when_it_started(void **state)
{
    pid_t pid = start_process("a) R 1 (b) 9 9");
    expect_of_process(*state, pid, "", 3600000, PROBE_EXIT_NOT_YET, ", wanted are 1 h\n");
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

// --- no answer ----------------------------------------------------------------------------------

static void a_socket_that_hangs_has_failed_in_time(void **state)
{
    char path[512];
    struct canned_server server;
    struct captured out = captured_begin();
    struct config_check c = docker_check(*state, path);
    c.timeout_ms = 100;
    canned_server_start_at(&server, c.socket, OK_HEAD "{", 1, true);
    assert_int_equal(probe_docker(&c, out.fd), PROBE_EXIT_FAILED);
    assert_string_equal(captured_text(&out), "no answer within 100 ms\n");
    canned_server_stop(&server);
    captured_end(&out);
}

static void of_an_endless_answer_only_the_beginning_is_read(void **state)
{
    char path[512];
    struct canned_server server;
    struct captured out = captured_begin();
    struct config_check c = docker_check(*state, path);
    c.timeout_ms = 60000;
    canned_server_start_at(&server, c.socket, OK_HEAD "{\"a\":\"", SIZE_MAX, false);
    assert_int_equal(probe_docker(&c, out.fd), PROBE_EXIT_FAILED);
    assert_contains(captured_text(&out), "the answer is not JSON\n");
    canned_server_stop(&server);
    captured_end(&out);
}

static void where_no_engine_runs_the_socket_is_named(void **state)
{
    char path[512];
    struct captured out = captured_begin();
    struct config_check c = docker_check(*state, path);
    assert_int_equal(probe_docker(&c, out.fd), PROBE_EXIT_FAILED);
    assert_contains(captured_text(&out), c.socket);
    captured_end(&out);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(a_running_container_is_what_its_healthcheck_says),
        IN_DIR(a_container_that_is_not_running_says_why),
        IN_DIR(a_missing_container_is_told_in_the_words_of_the_engine),
        IN_DIR(an_answer_that_makes_no_sense_has_failed),
        IN_DIR(without_a_healthcheck_a_process_that_runs_long_enough_is_healthy),
        IN_DIR(the_name_of_a_process_does_not_hide_when_it_started),
        IN_DIR(a_socket_that_hangs_has_failed_in_time),
        IN_DIR(of_an_endless_answer_only_the_beginning_is_read),
        IN_DIR(where_no_engine_runs_the_socket_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
