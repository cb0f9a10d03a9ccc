// SPDX-License-Identifier: Apache-2.0
#include "updater/probe.h"

#include "base/cleanup.h"
#include "base/parse.h"
#include "updater/probe_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

// One step reads at most this much, so that a flood of output holds up no other check.
enum { READ_SIZE = 16 * 1024, READS_PER_STEP = 16 };

// --- in the child -------------------------------------------------------------------------------

static int run_kind(const struct config_check *c, int out_fd)
{
    static int (*const kinds[CHECK_KINDS])(const struct config_check *c, int out_fd) = {
        [CHECK_HTTP] = probe_http,
        [CHECK_TCP] = probe_tcp,
        [CHECK_EXEC] = probe_exec,
        [CHECK_FILE_AGE] = probe_file_age,
        [CHECK_MOUNT] = probe_mount,
        [CHECK_DISK_FREE] = probe_disk_free,
        [CHECK_SYSTEMD_UNIT] = probe_systemd_unit,
        [CHECK_DOCKER] = probe_docker,
        [CHECK_SERVER] = probe_server,
    };
    return kinds[c->kind](c, out_fd);
}

static void default_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int sig = 1; sig < NSIG; sig++) {
        signal(sig, SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void run_child(const struct config_check *c, int out_fd, pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(PROBE_EXIT_FAILED); // it died before the line above
    }
    default_signals();
    // Above 2, so that the calls below do not close it when 0 to 2 were not open.
    out_fd = fcntl(out_fd, F_DUPFD, 3);
    int null_fd = open("/dev/null", O_RDONLY);
    if (out_fd < 0 || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
        dup2(out_fd, STDOUT_FILENO) < 0 || dup2(out_fd, STDERR_FILENO) < 0) {
        _exit(PROBE_EXIT_FAILED);
    }
    // The update lock and the slots are none of its business.
    closefrom(STDERR_FILENO + 1);
    _exit(run_kind(c, STDOUT_FILENO));
}

// --- output -------------------------------------------------------------------------------------

static void keep_last(struct probe *p, const char *data, size_t len)
{
    if (len > PROBE_OUTPUT_MAX) {
        data += len - PROBE_OUTPUT_MAX;
        len = PROBE_OUTPUT_MAX;
    }
    size_t room = PROBE_OUTPUT_MAX - p->output_len;
    if (len > room) {
        size_t drop = len - room;
        p->output_len -= drop;
        memmove(p->output, p->output + drop, p->output_len);
    }
    memcpy(p->output + p->output_len, data, len);
    p->output_len += len;
    p->output[p->output_len] = '\0';
}

// A line of our own behind what the probe said.
static void add_line(struct probe *p, const char *line)
{
    if (p->output_len > 0 && p->output[p->output_len - 1] != '\n') {
        keep_last(p, "\n", 1);
    }
    keep_last(p, line, strlen(line));
}

static void close_output(struct probe *p)
{
    cleanup_close(&p->output_fd);
    p->output_fd = -1;
}

static void read_some(struct probe *p)
{
    char buf[READ_SIZE];
    for (int i = 0; i < READS_PER_STEP && p->output_fd >= 0; i++) {
        ssize_t n = read(p->output_fd, buf, sizeof buf);
        if (n > 0) {
            keep_last(p, buf, (size_t)n);
        } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        } else {
            close_output(p); // else poll() would report the end of the pipe for ever
        }
    }
}

// --- start and end ------------------------------------------------------------------------------

// True when the process is gone.
static bool reap(struct probe *p, int *ret_status)
{
    pid_t got = waitpid(p->pid, ret_status, WNOHANG);
    if (got == 0) {
        return false;
    }
    if (got < 0) {
        *ret_status = 0;
    }
    p->pid = 0;
    return true;
}

// As a zombie it still holds its process id, so that no other group can have got it.
static bool has_ended(const struct probe *p)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == p->pid;
}

static enum err start_child(struct probe *p, const struct config_check *c, struct error *e)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return fail(e, ERR_IO, errno, "cannot make a pipe for a health check");
    }
    CLEANUP(cleanup_close) int read_fd = fds[0];
    CLEANUP(cleanup_close) int write_fd = fds[1];
    // Only the reading end: to the child the pipe is an ordinary standard output.
    if (fcntl(read_fd, F_SETFL, O_NONBLOCK) != 0) {
        return fail(e, ERR_IO, errno, "cannot set up the pipe of a health check");
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        return fail(e, ERR_IO, errno, "cannot start a process for a health check");
    }
    if (pid == 0) {
        run_child(c, write_fd, parent);
    }
    // Here too: whoever comes first, the group exists before it can be killed.
    setpgid(pid, pid);
    p->pid = pid;
    p->output_fd = TAKE_FD(read_fd);
    return OK;
}

enum err probe_start(struct probe *p, const struct config_check *c, uint64_t now_ms,
                     struct error *e)
{
    int status;
    p->output_len = 0;
    p->output[0] = '\0';
    p->deadline_ms = now_ms + c->timeout_ms;
    if (p->pid != 0 && !reap(p, &status)) {
        p->deadline_ms = now_ms;
        add_line(p, "the last probe still hangs and cannot be ended");
        return OK;
    }
    p->given_up = false;
    return start_child(p, c, e);
}

static enum probe_result result_of(struct probe *p, int status)
{
    char line[64];
    if (WIFSIGNALED(status)) {
        snprintf(line, sizeof line, "ended by signal %d", WTERMSIG(status));
        add_line(p, line);
        return PROBE_FAILED;
    }
    if (WEXITSTATUS(status) != PROBE_EXIT_HEALTHY && p->output_len == 0) {
        snprintf(line, sizeof line, "exit status %d", WEXITSTATUS(status));
        add_line(p, line);
    }
    if (WEXITSTATUS(status) == PROBE_EXIT_NOT_YET) {
        return PROBE_NOT_YET;
    }
    return WEXITSTATUS(status) == PROBE_EXIT_HEALTHY ? PROBE_HEALTHY : PROBE_FAILED;
}

static enum probe_result finish(struct probe *p)
{
    int status = 0;
    kill(-p->pid, SIGKILL); // what it left behind
    read_some(p);
    close_output(p);
    (void)reap(p, &status); // it has ended: it is there to be reaped
    return result_of(p, status);
}

static void give_up(struct probe *p, const struct config_check *c)
{
    char time[32];
    char line[64];
    snprintf(line, sizeof line, "no answer within %s",
             format_duration(c->timeout_ms, time, sizeof time));
    probe_kill(p);
    add_line(p, line);
}

bool probe_step(struct probe *p, const struct config_check *c, uint64_t now_ms,
                enum probe_result *ret_result)
{
    if (p->given_up) {
        *ret_result = PROBE_FAILED;
        return true;
    }
    read_some(p);
    if (has_ended(p)) {
        *ret_result = finish(p);
        return true;
    }
    if (now_ms >= p->deadline_ms) {
        give_up(p, c);
        *ret_result = PROBE_FAILED;
        return true;
    }
    return false;
}

void probe_kill(struct probe *p)
{
    int status;
    if (p->pid == 0) {
        return;
    }
    if (!p->given_up) {
        kill(-p->pid, SIGKILL);
        close_output(p);
        p->given_up = true;
    }
    (void)reap(p, &status);
}
