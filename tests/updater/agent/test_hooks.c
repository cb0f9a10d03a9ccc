// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/hooks.h"

#include "tests/support/talk.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>

struct room {
    char *dir;
    struct talk talk;
    struct hooks hooks;
    char text[8192]; // what was read last
};

static int make_room(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    assert_non_null(r);
    void *dir = NULL;
    assert_int_equal(temp_dir_make(&dir), 0);
    r->dir = dir;
    talk_begin(&r->talk);
    setenv("T", r->dir, 1); // commands of the tests write there
    hooks_init(&r->hooks, NULL, &r->talk.log);
    *state = r;
    return 0;
}

static int free_room(void **state)
{
    struct room *r = *state;
    pid_t pid = r->hooks.pid;
    hooks_close(&r->hooks);
    if (pid != 0) {
        waitpid(pid, NULL, 0);
    }
    talk_end(&r->talk);
    void *dir = r->dir;
    int rc = temp_dir_remove(&dir);
    free(r);
    return rc;
}

static void set(struct room *r, const char *command)
{
    hooks_set_command(&r->hooks, command);
}

// Of release number `n`.
static void post(struct room *r, const char *state, enum offer_outcome outcome, unsigned n)
{
    const struct agent_event ev = {.kind = EVENT_STATE,
                                   .state = state,
                                   .version = "v",
                                   .release_index = n,
                                   .outcome = outcome};
    hooks_post(&r->hooks, &ev, 1000);
}

// Waits for the hook that runs; the next one runs then, if any waited.
static int reap(struct room *r)
{
    int status = 0;
    pid_t pid = r->hooks.pid;
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(hooks_child_ended(&r->hooks, pid, status, 2000));
    return status;
}

static void reap_all(struct room *r)
{
    while (r->hooks.pid != 0) {
        reap(r);
    }
}

static const char *file(struct room *r, const char *name)
{
    char path[512];
    FILE *f = fopen(temp_dir_path(path, sizeof path, r->dir, name), "r");
    size_t n = f == NULL ? 0 : fread(r->text, 1, sizeof r->text - 1, f);
    r->text[n] = '\0';
    if (f != NULL) {
        fclose(f);
    }
    return r->text;
}

static void without_a_command_nothing_is_started(void **state)
{
    struct room *r = *state;
    post(r, "downloading", OFFER_UNDECIDED, 1);
    set(r, "");
    post(r, "downloading", OFFER_UNDECIDED, 1);
    assert_int_equal(r->hooks.pid, 0);
    assert_int_equal(r->hooks.count, 0);
    assert_int_equal(r->hooks.dropped, 0);
    assert_true(hooks_deadline_ms(&r->hooks) == UINT64_MAX);
}

static void the_event_is_in_the_environment(void **state)
{
    struct room *r = *state;
    const struct agent_event ev = {.kind = EVENT_REPORT,
                                   .state = "reporting",
                                   .source = "dir",
                                   .offer = "2.0/4711",
                                   .version = "2.0",
                                   .release_index = 20,
                                   .outcome = OFFER_FAILURE,
                                   .reason = "It said \"no\"; $(reboot)\n`id`",
                                   .failed_checks = "tv_api: HTTP 500"};
    set(r, "env | grep ^VV_ | sort >$T/env");
    hooks_post(&r->hooks, &ev, 1000);
    assert_int_equal(reap(r), 0);
    assert_string_equal(file(r, "env"), "VV_EVENT=report\n"
                                        "VV_FAILED_CHECKS=tv_api: HTTP 500\n"
                                        "VV_OFFER=2.0/4711\n"
                                        "VV_OUTCOME=failure\n"
                                        "VV_REASON=It said \"no\"; $(reboot) `id`\n"
                                        "VV_RELEASE_INDEX=20\n"
                                        "VV_SOURCE=dir\n"
                                        "VV_STATE=reporting\n"
                                        "VV_VERSION=2.0\n");
    assert_string_equal(talk_text(&r->talk), "");
}

static void what_systemd_told_the_agent_is_not_told_to_a_hook(void **state)
{
    struct room *r = *state;
    setenv("NOTIFY_SOCKET", "/run/n", 1);
    setenv("WATCHDOG_USEC", "1", 1);
    setenv("LISTEN_FDS", "1", 1);
    setenv("VV_STALE", "1", 1);
    setenv("NOTIFY_SOCKETS", "stays", 1);
    set(r, "env >$T/env");
    post(r, "downloading", OFFER_UNDECIDED, 1);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("LISTEN_FDS");
    unsetenv("VV_STALE");
    unsetenv("NOTIFY_SOCKETS");
    assert_int_equal(reap(r), 0);
    const char *env = file(r, "env");
    assert_null(strstr(env, "NOTIFY_SOCKET="));
    assert_null(strstr(env, "WATCHDOG_"));
    assert_null(strstr(env, "LISTEN_"));
    assert_null(strstr(env, "VV_STALE"));
    assert_contains(env, "NOTIFY_SOCKETS=stays\n");
    assert_contains(env, "PATH=");
}

static void only_states_and_reports_are_told(void **state)
{
    struct room *r = *state;
    set(r, "echo $VV_EVENT >>$T/out");
    for (int kind = EVENT_STATE; kind <= EVENT_LOG; kind++) {
        const struct agent_event ev = {.kind = (enum event_kind)kind};
        hooks_post(&r->hooks, &ev, 1000);
    }
    reap_all(r);
    assert_string_equal(file(r, "out"), "state\nreport\n");
}

static void one_runs_at_a_time_in_the_order_of_the_events(void **state)
{
    struct room *r = *state;
    // Fails when another one is there.
    set(r, "mkdir $T/only && echo $VV_RELEASE_INDEX >>$T/out && rmdir $T/only");
    for (unsigned n = 1; n <= 5; n++) {
        post(r, "downloading", OFFER_UNDECIDED, n);
    }
    assert_int_equal(r->hooks.count, 4);
    reap_all(r);
    assert_string_equal(file(r, "out"), "1\n2\n3\n4\n5\n");
    assert_string_equal(talk_text(&r->talk), "");
}

static void of_too_many_the_oldest_that_is_not_final_is_dropped(void **state)
{
    struct room *r = *state;
    set(r, "echo $VV_RELEASE_INDEX >>$T/out");
    post(r, "downloading", OFFER_UNDECIDED, 0); // runs
    post(r, "idle", OFFER_FAILURE, 1);
    for (unsigned n = 2; n <= HOOKS_QUEUE_MAX + 3; n++) {
        post(r, "downloading", OFFER_UNDECIDED, n);
        assert_true(r->hooks.count <= HOOKS_QUEUE_MAX);
    }
    assert_int_equal(r->hooks.dropped, 3); // 2, 3 and 4
    reap_all(r);
    assert_string_equal(file(r, "out"),
                        "0\n1\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n");
    assert_int_equal(count_of(talk_text(&r->talk), "it is too slow"), 2); // of 3: the 1st and 2nd
}

static void when_all_that_wait_are_final_they_stay_before_one_that_is_not(void **state)
{
    struct room *r = *state;
    set(r, "echo $VV_RELEASE_INDEX >>$T/out");
    post(r, "downloading", OFFER_UNDECIDED, 0); // runs
    for (unsigned n = 1; n <= HOOKS_QUEUE_MAX; n++) {
        post(r, "idle", OFFER_SUCCESS, n);
    }
    post(r, "downloading", OFFER_UNDECIDED, 98);
    assert_int_equal(r->hooks.dropped, 1);
    post(r, "idle", OFFER_SUCCESS, 99); // the oldest gives way
    assert_int_equal(r->hooks.dropped, 2);
    reap_all(r);
    assert_string_equal(file(r, "out"),
                        "0\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n99\n");
}

static void a_hook_that_hangs_for_ever_does_not_fill_the_log(void **state)
{
    struct room *r = *state;
    set(r, "exec sleep 1000");
    for (unsigned n = 0; n < 1000 + HOOKS_QUEUE_MAX + 1; n++) {
        post(r, "downloading", OFFER_UNDECIDED, n);
    }
    assert_int_equal(r->hooks.dropped, 1000);
    assert_int_equal(r->hooks.count, HOOKS_QUEUE_MAX);
    assert_int_equal(count_of(talk_text(&r->talk), "\n"), 10); // 1, 2, 4, ... 512
}

static void an_overdue_hook_is_killed_with_its_group(void **state)
{
    struct room *r = *state;
    char fifo[512];
    // Its child holds the other end of the pipe.
    assert_int_equal(mkfifo(temp_dir_path(fifo, sizeof fifo, r->dir, "fifo"), 0600), 0);
    set(r, "sleep 1000 >$T/fifo & wait");
    post(r, "downloading", OFFER_UNDECIDED, 1);
    int fd = open(fifo, O_RDONLY | O_CLOEXEC); // until it is there
    assert_true(fd >= 0);
    uint64_t due_ms = hooks_deadline_ms(&r->hooks);
    assert_int_equal(due_ms, 1000 + HOOKS_TIME_MAX_MS);
    hooks_overdue(&r->hooks, due_ms - 1);
    assert_int_equal(waitpid(r->hooks.pid, NULL, WNOHANG), 0);
    assert_false(r->hooks.killed);
    hooks_overdue(&r->hooks, due_ms);
    assert_true(hooks_deadline_ms(&r->hooks) == UINT64_MAX); // no busy loop while it ends
    hooks_overdue(&r->hooks, due_ms + 1);
    int status = reap(r);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    char byte;
    assert_int_equal(read(fd, &byte, 1), 0); // the end: nobody has it open
    close(fd);
    assert_int_equal(count_of(talk_text(&r->talk), "hook: ended for its time, 60 s\n"), 1);
}

static void what_a_hook_leaves_behind_is_killed_when_it_ends(void **state)
{
    struct room *r = *state;
    char fifo[512];
    assert_int_equal(mkfifo(temp_dir_path(fifo, sizeof fifo, r->dir, "fifo"), 0600), 0);
    set(r, "sleep 1000 >$T/fifo & exit 0");
    post(r, "downloading", OFFER_UNDECIDED, 1);
    int fd = open(fifo, O_RDONLY | O_CLOEXEC);
    assert_int_equal(reap(r), 0);
    char byte;
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
}

static void while_one_cannot_be_ended_no_second_one_is_started(void **state)
{
    struct room *r = *state;
    set(r, "exec sleep 1000");
    post(r, "downloading", OFFER_UNDECIDED, 1);
    pid_t pid = r->hooks.pid;
    hooks_overdue(&r->hooks, UINT64_MAX - 1); // killed; its end did not come yet
    post(r, "installing", OFFER_UNDECIDED, 2);
    assert_int_equal(r->hooks.pid, pid);
    assert_int_equal(r->hooks.count, 1);
    set(r, "true");
    reap(r);
    assert_true(r->hooks.pid > 0 && r->hooks.pid != pid);
    assert_int_equal(hooks_deadline_ms(&r->hooks), 2000 + HOOKS_TIME_MAX_MS);
    assert_int_equal(reap(r), 0);
}

static void how_a_hook_ended_is_told_when_it_is_no_success(void **state)
{
    struct room *r = *state;
    set(r, "test $VV_RELEASE_INDEX = 1 && exit 3; test $VV_RELEASE_INDEX = 2 && kill -9 $$; true");
    post(r, "downloading", OFFER_UNDECIDED, 1);
    post(r, "downloading", OFFER_UNDECIDED, 2);
    post(r, "downloading", OFFER_UNDECIDED, 3);
    reap_all(r);
    assert_string_equal(talk_text(&r->talk), "vv-update: warning: hook: exit status 3\n"
                                             "vv-update: warning: hook: ended by signal 9\n");
}

static void other_children_are_not_the_hook(void **state)
{
    struct room *r = *state;
    assert_false(hooks_child_ended(&r->hooks, 0, 0, 0));
    set(r, "exec sleep 1000");
    post(r, "downloading", OFFER_UNDECIDED, 1);
    assert_false(hooks_child_ended(&r->hooks, r->hooks.pid + 1, 0, 0));
    assert_true(r->hooks.pid > 0);
}

static void a_hook_has_no_file_of_the_agent_and_the_usual_signals(void **state)
{
    struct room *r = *state;
    char path[512];
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    void (*old)(int) = signal(SIGPIPE, SIG_IGN);
    // Without O_CLOEXEC, as a library may forget it.
    int fd = open(temp_dir_path(path, sizeof path, r->dir, "leak"), O_CREAT | O_RDWR, 0600);
    assert_true(fd > 2);
    set(r, "ls -l /proc/$$/fd | sed -n 's/.* \\([0-9]*\\) -> \\(.*\\)/\\1 \\2/p' >$T/fds; "
           "grep -E '^Sig(Blk|Ign)' /proc/self/status >$T/signals");
    post(r, "downloading", OFFER_UNDECIDED, 1);
    close(fd);
    signal(SIGPIPE, old);
    sigprocmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(reap(r), 0);
    const char *fds = file(r, "fds");
    assert_contains(fds, "0 /dev/null\n");
    assert_null(strstr(fds, "/leak"));
    // Signals 32 and 33 are the C library's own, which leaves them ignored.
    uint64_t blocked_now = 1;
    uint64_t ignored = 1;
    assert_int_equal(
        sscanf(file(r, "signals"), "SigBlk: %" SCNx64 " SigIgn: %" SCNx64, &blocked_now, &ignored),
        2);
    assert_int_equal(blocked_now, 0);
    assert_int_equal(ignored & ~UINT64_C(0x180000000), 0);
}

static void its_standard_output_is_nobodys(void **state)
{
    struct room *r = *state;
    char path[512];
    // What the agent prints there is data: nothing of a hook may come between.
    int fd = open(temp_dir_path(path, sizeof path, r->dir, "stdout"), O_CREAT | O_RDWR | O_CLOEXEC,
                  0600);
    int saved = dup(STDOUT_FILENO);
    fflush(stdout);
    assert_true(dup2(fd, STDOUT_FILENO) >= 0);
    set(r, "echo noise; test -z \"$(cat)\" && echo done >$T/done");
    post(r, "downloading", OFFER_UNDECIDED, 1);
    int status = reap(r);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(fd);
    assert_int_equal(status, 0);
    assert_string_equal(file(r, "stdout"), "");
    assert_string_equal(file(r, "done"), "done\n");
}

// No process can be had: each event is given up, with one line, and nothing turns in circles.
static void a_hook_that_cannot_be_started_is_given_up(void **state)
{
    struct room *r = *state;
    // A command longer than the kernel takes (MAX_ARG_STRLEN, 128 KiB): E2BIG, whoever runs this.
    enum { TOO_LONG = 256 * 1024 };
    const char *preload = getenv("LD_PRELOAD");
    if (preload != NULL && strstr(preload, "vgpreload") != NULL) {
        skip(); // there vfork() is fork(), and a failed exec is not told
    }
    CLEANUP(cleanup_free) char *command = malloc(TOO_LONG);
    assert_non_null(command);
    memset(command, ' ', TOO_LONG - 1);
    command[TOO_LONG - 1] = '\0';
    set(r, command);
    post(r, "downloading", OFFER_UNDECIDED, 1);
    post(r, "downloading", OFFER_UNDECIDED, 2);
    assert_int_equal(r->hooks.pid, 0);
    assert_int_equal(r->hooks.count, 0);
    assert_int_equal(r->hooks.dropped, 2);
    assert_int_equal(count_of(talk_text(&r->talk), "hook: cannot be started: "), 2);
    set(r, "echo again >$T/out");
    post(r, "downloading", OFFER_UNDECIDED, 3);
    reap_all(r);
    assert_string_equal(file(r, "out"), "again\n");
    hooks_set_command(&r->hooks, NULL);
}

static void a_reload_that_takes_the_hook_away_forgets_what_waits(void **state)
{
    struct room *r = *state;
    set(r, "echo $VV_RELEASE_INDEX >>$T/out");
    post(r, "downloading", OFFER_UNDECIDED, 1);
    post(r, "downloading", OFFER_UNDECIDED, 2);
    set(r, NULL);
    reap(r);
    assert_int_equal(r->hooks.pid, 0);
    assert_int_equal(r->hooks.count, 0);
    assert_string_equal(file(r, "out"), "1\n");
}

static void at_the_end_the_hook_is_killed_and_what_waits_is_freed(void **state)
{
    struct room *r = *state;
    set(r, "exec sleep 1000");
    post(r, "downloading", OFFER_UNDECIDED, 1);
    post(r, "downloading", OFFER_UNDECIDED, 2);
    pid_t pid = r->hooks.pid;
    hooks_close(&r->hooks);
    assert_int_equal(r->hooks.pid, 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    hooks_close(&r->hooks);
}

#define IN_ROOM(f) cmocka_unit_test_setup_teardown(f, make_room, free_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(without_a_command_nothing_is_started),
        IN_ROOM(the_event_is_in_the_environment),
        IN_ROOM(what_systemd_told_the_agent_is_not_told_to_a_hook),
        IN_ROOM(only_states_and_reports_are_told),
        IN_ROOM(one_runs_at_a_time_in_the_order_of_the_events),
        IN_ROOM(of_too_many_the_oldest_that_is_not_final_is_dropped),
        IN_ROOM(when_all_that_wait_are_final_they_stay_before_one_that_is_not),
        IN_ROOM(a_hook_that_hangs_for_ever_does_not_fill_the_log),
        IN_ROOM(an_overdue_hook_is_killed_with_its_group),
        IN_ROOM(what_a_hook_leaves_behind_is_killed_when_it_ends),
        IN_ROOM(while_one_cannot_be_ended_no_second_one_is_started),
        IN_ROOM(how_a_hook_ended_is_told_when_it_is_no_success),
        IN_ROOM(other_children_are_not_the_hook),
        IN_ROOM(a_hook_has_no_file_of_the_agent_and_the_usual_signals),
        IN_ROOM(its_standard_output_is_nobodys),
        IN_ROOM(a_hook_that_cannot_be_started_is_given_up),
        IN_ROOM(a_reload_that_takes_the_hook_away_forgets_what_waits),
        IN_ROOM(at_the_end_the_hook_is_killed_and_what_waits_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
