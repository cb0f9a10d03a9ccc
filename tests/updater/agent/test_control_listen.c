// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/control_listen.h"

#include "base/cleanup.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static int connect_to(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

// A listening socket that was not made by the code under test.
static int listen_at(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

// --- a socket of our own ------------------------------------------------------------------------

static void without_a_group_it_is_for_its_owner_only(void **state)
{
    struct error e;
    char path[256];
    struct control_socket s;
    mode_t old = umask(0);
    assert_ok(control_socket_open(temp_dir_path(path, sizeof path, *state, "control"), "", &s, &e));
    assert_int_equal(umask(old), 0); // as it was
    assert_int_equal(mode_of(path), 0600);
    assert_true((fcntl(s.fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(s.fd, F_GETFD) & FD_CLOEXEC) != 0);
    int fd = connect_to(path);
    assert_true(fd >= 0);
    close(fd);
    control_socket_close(&s);
    assert_int_equal(access(path, F_OK), -1);
    control_socket_close(&s);
}

static void with_a_group_it_is_for_that_group_too(void **state)
{
    struct error e;
    char path[256];
    struct stat st;
    struct control_socket s;
    // Root may give it to any group, others to their own only.
    const struct group *group = geteuid() == 0 ? getgrnam("daemon") : getgrgid(getegid());
    assert_non_null(group);
    gid_t want = group->gr_gid;
    char name[64]; // the one in *group goes with the next look-up
    snprintf(name, sizeof name, "%s", group->gr_name);
    assert_ok(
        control_socket_open(temp_dir_path(path, sizeof path, *state, "control"), name, &s, &e));
    assert_int_equal(mode_of(path), 0660);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_gid, want);
    control_socket_close(&s);
}

static void a_group_that_is_not_there_is_named(void **state)
{
    struct error e;
    char path[256];
    struct control_socket s = {.fd = -7};
    assert_fails(ERR_CONFIG, "there is no group \"vv-nobody\"",
                 control_socket_open(temp_dir_path(path, sizeof path, *state, "control"),
                                     "vv-nobody", &s, &e));
    assert_int_equal(s.fd, -7);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_path_that_cannot_be_one_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct control_socket s;
    char path[200];
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    assert_fails(ERR_CONFIG, "less than 108", control_socket_open(path, "", &s, &e));
    assert_fails(ERR_CONFIG, "must begin with /", control_socket_open("control", "", &s, &e));
    assert_fails(ERR_CONFIG, "must begin with /", control_socket_open("", "", &s, &e));
}

static void the_last_directory_is_made(void **state)
{
    struct error e;
    char path[256];
    char dir[256];
    struct control_socket s;
    temp_dir_path(path, sizeof path, *state, "run/control");
    mode_t old = umask(077); // the program's
    assert_ok(control_socket_open(path, "", &s, &e));
    assert_int_equal(mode_of(temp_dir_path(dir, sizeof dir, *state, "run")), 0755);
    assert_int_equal(umask(old), 077);
    control_socket_close(&s);
    assert_ok(control_socket_open(path, "", &s, &e)); // it is there
    control_socket_close(&s);
    // One that was there is somebody else's: its mode stays.
    assert_int_equal(chmod(dir, 0700), 0);
    assert_ok(control_socket_open(path, "", &s, &e));
    assert_int_equal(mode_of(dir), 0700);
    control_socket_close(&s);
    temp_dir_path(path, sizeof path, *state, "absent/run/control");
    assert_fails(ERR_IO, "make the directory", control_socket_open(path, "", &s, &e));
    assert_int_equal(e.sys, ENOENT);
}

static void what_is_no_socket_stays(void **state)
{
    struct error e;
    char path[256];
    struct control_socket s;
    temp_dir_path(path, sizeof path, *state, "control");
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "mine", 4), 4);
    close(fd);
    assert_fails(ERR_CONFIG, "is no socket", control_socket_open(path, "", &s, &e));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4);
}

// --- others -------------------------------------------------------------------------------------

// Another agent, in a process of its own, until it is killed.
static pid_t start_other(const char *path)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct error e;
        struct control_socket s;
        bool ok = control_socket_open(path, "", &s, &e) == OK;
        (void)!write(ready[1], "", ok ? 1 : 0);
        close(ready[1]);
        while (ok) {
            pause();
        }
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void end_other(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_running_agent_is_left_alone_and_named(void **state)
{
    struct error e;
    char path[256];
    char want[64];
    struct control_socket s;
    pid_t pid = start_other(temp_dir_path(path, sizeof path, *state, "control"));
    snprintf(want, sizeof want, "another agent is running (pid %d)", (int)pid);
    assert_fails(ERR_AGAIN, want, control_socket_open(path, "", &s, &e));
    int fd = connect_to(path);
    assert_true(fd >= 0); // it still answers
    close(fd);
    end_other(pid);
}

static void what_a_killed_agent_left_is_replaced(void **state)
{
    struct error e;
    char path[256];
    struct control_socket s;
    end_other(start_other(temp_dir_path(path, sizeof path, *state, "control")));
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(connect_to(path), -1);
    assert_ok(control_socket_open(path, "", &s, &e));
    int fd = connect_to(path);
    assert_true(fd >= 0);
    close(fd);
    control_socket_close(&s);
}

static void who_answers_without_the_lock_is_left_alone_too(void **state)
{
    struct error e;
    char path[256];
    char want[64];
    struct control_socket s;
    int fd = listen_at(temp_dir_path(path, sizeof path, *state, "control"));
    snprintf(want, sizeof want, "another agent is running (pid %d)", (int)getpid());
    assert_fails(ERR_AGAIN, want, control_socket_open(path, "", &s, &e));
    // Its queue is full now: it answers nobody, and is there all the same.
    int waiting[8];
    for (size_t i = 0; i < 8; i++) {
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        memcpy(at.sun_path, path, strlen(path) + 1);
        waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(waiting[i], (struct sockaddr *)&at, sizeof at);
    }
    assert_fails(ERR_AGAIN, "another agent is running", control_socket_open(path, "", &s, &e));
    for (size_t i = 0; i < 8; i++) {
        close(waiting[i]);
    }
    close(fd);
    assert_ok(control_socket_open(path, "", &s, &e));
    control_socket_close(&s);
}

static void an_agent_that_is_just_starting_keeps_the_second_one_out(void **state)
{
    struct error e;
    char path[256];
    char lock[256];
    struct control_socket s;
    temp_dir_path(path, sizeof path, *state, "control");
    int fd = open(temp_dir_path(lock, sizeof lock, *state, "control.lock"), O_CREAT | O_RDWR, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_fails(ERR_AGAIN, "is starting or ending", control_socket_open(path, "", &s, &e));
    close(fd);
    assert_ok(control_socket_open(path, "", &s, &e));
    control_socket_close(&s);
}

// --- passed by systemd --------------------------------------------------------------------------

// In a process of its own, in which `fd` (-1: none) is number 3; what became of it, as text.
static void open_passed(int fd, const char *count, const char *pid, const char *path,
                        char said[512])
{
    int out[2];
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    if (child == 0) {
        struct error e;
        struct control_socket s;
        char own[16];
        int to = fcntl(out[1], F_DUPFD, 10);
        int from = fd >= 0 ? fcntl(fd, F_DUPFD, 10) : -1;
        (void)!dup2(from, 3);
        snprintf(own, sizeof own, "%d", (int)getpid());
        setenv("LISTEN_PID", pid != NULL ? pid : own, 1);
        setenv("LISTEN_FDS", count, 1);
        enum err err = control_socket_open(path, "", &s, &e);
        if (err != OK) {
            dprintf(to, "error %d: %s", (int)err, e.msg);
        } else {
            bool cloexec = (fcntl(s.fd, F_GETFD) & FD_CLOEXEC) != 0;
            bool nonblock = (fcntl(s.fd, F_GETFL) & O_NONBLOCK) != 0;
            dprintf(to, "%s%s%s%s", s.path == NULL ? "passed" : "made", cloexec ? " cloexec" : "",
                    nonblock ? " nonblock" : "", getenv("LISTEN_FDS") == NULL ? "" : " env");
            control_socket_close(&s);
        }
        _exit(0);
    }
    close(out[1]);
    ssize_t n = read(out[0], said, 511);
    said[n > 0 ? n : 0] = '\0';
    close(out[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_passed_socket_is_taken_and_stays(void **state)
{
    char path[256];
    char said[512];
    int fd = listen_at(temp_dir_path(path, sizeof path, *state, "systemd"));
    open_passed(fd, "1", NULL, "unused", said);
    assert_string_equal(said, "passed cloexec nonblock");
    assert_int_equal(access(path, F_OK), 0);
    close(fd);
}

static void what_was_passed_to_another_process_is_not_ours(void **state)
{
    static const char *const pids[] = {"1", "", "me"};
    char path[256];
    char own[256];
    char said[512];
    int fd = listen_at(temp_dir_path(path, sizeof path, *state, "systemd"));
    temp_dir_path(own, sizeof own, *state, "control");
    for (size_t i = 0; i < 3; i++) {
        open_passed(fd, "1", pids[i], own, said);
        assert_string_equal(said, "made cloexec nonblock env");
    }
    open_passed(fd, "none", NULL, own, said);
    assert_string_equal(said, "made cloexec nonblock env");
    close(fd);
}

static void what_was_passed_must_be_one_listening_stream_socket(void **state)
{
    char path[256];
    char said[512];
    int pair[2];
    int fd = listen_at(temp_dir_path(path, sizeof path, *state, "systemd"));
    open_passed(fd, "2", NULL, "unused", said);
    assert_contains(said, "error 3: systemd passed 2 sockets");
    close(fd);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    int odd[] = {socket(AF_UNIX, SOCK_SEQPACKET, 0), socket(AF_INET, SOCK_STREAM, 0), pair[0],
                 open("/dev/null", O_RDONLY), -1};
    const struct sockaddr_un at = {.sun_family = AF_UNIX}; // a name is chosen for it
    assert_int_equal(bind(odd[0], (const struct sockaddr *)&at, sizeof at.sun_family), 0);
    assert_int_equal(listen(odd[0], 1), 0);
    assert_int_equal(listen(odd[1], 1), 0);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        open_passed(odd[i], "1", NULL, "unused", said);
        assert_contains(said, "error 3: what systemd passed is no listening Unix stream socket");
        cleanup_close(&odd[i]);
    }
    close(pair[1]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)
    const struct CMUnitTest tests[] = {
        T(without_a_group_it_is_for_its_owner_only),
        T(with_a_group_it_is_for_that_group_too),
        T(a_group_that_is_not_there_is_named),
        T(a_path_that_cannot_be_one_is_refused),
        T(the_last_directory_is_made),
        T(what_is_no_socket_stays),
        T(a_running_agent_is_left_alone_and_named),
        T(what_a_killed_agent_left_is_replaced),
        T(who_answers_without_the_lock_is_left_alone_too),
        T(an_agent_that_is_just_starting_keeps_the_second_one_out),
        T(a_passed_socket_is_taken_and_stays),
        T(what_was_passed_to_another_process_is_not_ours),
        T(what_was_passed_must_be_one_listening_stream_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
