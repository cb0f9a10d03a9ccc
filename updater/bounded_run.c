// SPDX-License-Identifier: Apache-2.0
#include "updater/bounded_run.h"

#include "base/cleanup.h"
#include "base/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

// One step reads at most this much, so that a flood of output holds up no other check.
enum { READ_SIZE = 16 * 1024, READS_PER_STEP = 16 };

// --- in the child -------------------------------------------------------------------------------

static void default_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int sig = 1; sig < NSIG; sig++) {
        signal(sig, SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void run_child(bounded_work work, const void *context, int out_fd, pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_FAILURE); // it died before the line above
    }
    default_signals();
    // Above 2, so that the calls below do not close it when 0 to 2 were not open.
    out_fd = fcntl(out_fd, F_DUPFD, 3);
    int null_fd = open("/dev/null", O_RDONLY);
    if (out_fd < 0 || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
        dup2(out_fd, STDOUT_FILENO) < 0 || dup2(out_fd, STDERR_FILENO) < 0) {
        _exit(EXIT_FAILURE);
    }
    // The update lock and the slots are none of its business.
    closefrom(STDERR_FILENO + 1);
    _exit(work(context, STDOUT_FILENO));
}

// --- output -------------------------------------------------------------------------------------

static void keep_last(struct bounded_run *r, const char *data, size_t len)
{
    if (len > RUN_OUTPUT_MAX) {
        data += len - RUN_OUTPUT_MAX;
        len = RUN_OUTPUT_MAX;
    }
    size_t room = RUN_OUTPUT_MAX - r->output_len;
    if (len > room) {
        size_t drop = len - room;
        r->output_len -= drop;
        memmove(r->output, r->output + drop, r->output_len);
    }
    memcpy(r->output + r->output_len, data, len);
    r->output_len += len;
    r->output[r->output_len] = '\0';
}

// A line of our own behind what the process said.
static void add_line(struct bounded_run *r, const char *line)
{
    if (r->output_len > 0 && r->output[r->output_len - 1] != '\n') {
        keep_last(r, "\n", 1);
    }
    keep_last(r, line, strlen(line));
}

static void close_output(struct bounded_run *r)
{
    cleanup_close(&r->output_fd);
    r->output_fd = -1;
}

static void read_some(struct bounded_run *r)
{
    char buf[READ_SIZE];
    for (int i = 0; i < READS_PER_STEP && r->output_fd >= 0; i++) {
        ssize_t n = read(r->output_fd, buf, sizeof buf);
        if (n > 0) {
            keep_last(r, buf, (size_t)n);
        } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        } else {
            close_output(r); // else poll() would report the end of the pipe for ever
        }
    }
}

// --- start and end ------------------------------------------------------------------------------

// True when the process is gone.
static bool reap(struct bounded_run *r, int *ret_status)
{
    if (r->reaped) {
        *ret_status = r->wait_status;
        r->reaped = false;
        r->pid = 0;
        return true;
    }
    pid_t got = waitpid(r->pid, ret_status, WNOHANG);
    if (got == 0) {
        return false;
    }
    if (got < 0) {
        *ret_status = 0;
    }
    r->pid = 0;
    return true;
}

// As a zombie it still holds its process id, so that no other group can have got it.
static bool has_ended(const struct bounded_run *r)
{
    siginfo_t info = {0};
    if (r->reaped) {
        return true;
    }
    return waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == r->pid;
}

static enum err start_child(struct bounded_run *r, bounded_work work, const void *context,
                            struct error *e)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return fail(e, ERR_IO, errno, "cannot make a pipe for another process");
    }
    CLEANUP(cleanup_close) int read_fd = fds[0];
    CLEANUP(cleanup_close) int write_fd = fds[1];
    // Only the reading end: to the child the pipe is an ordinary standard output.
    if (fcntl(read_fd, F_SETFL, O_NONBLOCK) != 0) {
        return fail(e, ERR_IO, errno, "cannot set up the pipe of another process");
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        return fail(e, ERR_IO, errno, "cannot start another process");
    }
    if (pid == 0) {
        run_child(work, context, write_fd, parent);
    }
    // Here too: whoever comes first, the group exists before it can be killed.
    setpgid(pid, pid);
    r->pid = pid;
    r->output_fd = TAKE_FD(read_fd);
    return OK;
}

enum err bounded_run_start(struct bounded_run *r, bounded_work work, const void *context,
                           uint64_t timeout_ms, uint64_t now_ms, struct error *e)
{
    int status;
    r->output_len = 0;
    r->output[0] = '\0';
    r->timeout_ms = timeout_ms;
    r->deadline_ms = now_ms + timeout_ms;
    if (r->pid != 0 && !reap(r, &status)) {
        r->deadline_ms = now_ms;
        add_line(r, "the last one still hangs and cannot be ended");
        return OK;
    }
    r->given_up = false;
    return start_child(r, work, context, e);
}

static int result_of(struct bounded_run *r, int status)
{
    char line[64];
    if (WIFSIGNALED(status)) {
        snprintf(line, sizeof line, "ended by signal %d", WTERMSIG(status));
        add_line(r, line);
        return RUN_ENDED_BY_FORCE;
    }
    if (WEXITSTATUS(status) != 0 && r->output_len == 0) {
        snprintf(line, sizeof line, "exit status %d", WEXITSTATUS(status));
        add_line(r, line);
    }
    return WEXITSTATUS(status);
}

static int finish(struct bounded_run *r)
{
    int status = 0;
    kill(-r->pid, SIGKILL); // what it left behind
    read_some(r);
    close_output(r);
    (void)reap(r, &status); // it has ended: it is there to be reaped
    return result_of(r, status);
}

static void give_up(struct bounded_run *r)
{
    char time[32];
    char line[64];
    snprintf(line, sizeof line, "no answer within %s",
             format_duration(r->timeout_ms, time, sizeof time));
    bounded_run_kill(r);
    add_line(r, line);
}

void bounded_run_reaped(struct bounded_run *r, int wait_status)
{
    r->reaped = r->pid != 0;
    r->wait_status = wait_status;
}

bool bounded_run_step(struct bounded_run *r, uint64_t now_ms, int *ret_status)
{
    if (r->given_up) {
        *ret_status = RUN_ENDED_BY_FORCE;
        return true;
    }
    read_some(r);
    if (has_ended(r)) {
        *ret_status = finish(r);
        return true;
    }
    if (now_ms >= r->deadline_ms) {
        give_up(r);
        *ret_status = RUN_ENDED_BY_FORCE;
        return true;
    }
    return false;
}

void bounded_run_kill(struct bounded_run *r)
{
    int status;
    if (r->pid == 0) {
        return;
    }
    if (!r->given_up) {
        kill(-r->pid, SIGKILL);
        close_output(r);
        r->given_up = true;
    }
    (void)reap(r, &status);
}

int bounded_run_shell(const char *command, int out_fd)
{
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    dprintf(out_fd, "cannot start /bin/sh: %s\n", strerror(errno));
    return EXIT_FAILURE;
}
