// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/hooks.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void hooks_init(struct hooks *h, const char *command, struct log *log)
{
    *h = (struct hooks){.command = command, .log = log};
}

void hooks_set_command(struct hooks *h, const char *command)
{
    h->command = command;
}

// --- starting one --------------------------------------------------------------------------------

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

// Invariant 4; and of ours only what this event has.
static bool is_passed_on(const char *variable)
{
    return !begins_with(variable, "NOTIFY_SOCKET=") && !begins_with(variable, "WATCHDOG_") &&
           !begins_with(variable, "LISTEN_") && !begins_with(variable, "VV_");
}

static size_t lines_in(const char *text)
{
    size_t n = 0;
    for (const char *at = strchr(text, '\n'); at != NULL; at = strchr(at + 1, '\n')) {
        n++;
    }
    return n;
}

// The agent's own environment and `variables`, whose lines are cut apart for it. NULL when out of
// memory; the caller frees the array.
static char **environment_with(char *variables)
{
    size_t own = 0;
    while (environ[own] != NULL) {
        own++;
    }
    char **env = calloc(own + lines_in(variables) + 1, sizeof *env);
    size_t n = 0;
    for (size_t i = 0; i < own && env != NULL; i++) {
        if (is_passed_on(environ[i])) {
            env[n++] = environ[i];
        }
    }
    char *rest = env != NULL ? variables : NULL;
    for (char *line = strsep(&rest, "\n"); line != NULL && rest != NULL;
         line = strsep(&rest, "\n")) {
        env[n++] = line;
    }
    return env;
}

static int prepare_files(posix_spawn_file_actions_t *files)
{
    int rc = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0) {
        rc = posix_spawn_file_actions_addopen(files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    }
    // All are closed at exec anyway; this is for what a library forgot.
    return rc != 0 ? rc : posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
}

static int prepare_signals(posix_spawnattr_t *attr)
{
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    int rc = posix_spawnattr_setsigdefault(attr, &all);
    if (rc == 0) {
        rc = posix_spawnattr_setsigmask(attr, &none);
    }
    if (rc == 0) {
        rc = posix_spawnattr_setpgroup(attr, 0);
    }
    return rc != 0 ? rc
                   : posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                        POSIX_SPAWN_SETPGROUP);
}

// An errno, as posix_spawn() has it.
static int spawn(const char *command, char **env, pid_t *ret_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    char sh[] = "sh";
    char from_text[] = "-c";
    CLEANUP(cleanup_free) char *text = strdup(command);
    char *const argv[] = {sh, from_text, text, NULL};
    int rc = text == NULL ? ENOMEM : posix_spawn_file_actions_init(&files);
    if (rc != 0) {
        return rc;
    }
    rc = posix_spawnattr_init(&attr);
    if (rc == 0) {
        rc = prepare_files(&files);
        rc = rc != 0 ? rc : prepare_signals(&attr);
        rc = rc != 0 ? rc : posix_spawn(ret_pid, "/bin/sh", &files, &attr, argv, env);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

static void take_out(struct hooks *h, size_t i)
{
    free(h->waiting[i].variables);
    h->count--;
    memmove(&h->waiting[i], &h->waiting[i + 1], (h->count - i) * sizeof h->waiting[0]);
}

// One that cannot be started is given up: the next event tries again. Ends, because each turn takes
// one out.
static void start_next(struct hooks *h, uint64_t now_ms)
{
    while (h->pid == 0 && h->count > 0) {
        pid_t pid;
        CLEANUP(cleanup_free) char **env = environment_with(h->waiting[0].variables);
        int rc = env == NULL ? ENOMEM : spawn(h->command, env, &pid);
        if (rc == 0) {
            h->pid = pid;
            h->killed = false;
            h->deadline_ms = now_ms + HOOKS_TIME_MAX_MS;
        } else {
            h->dropped++;
            log_warn(h->log, "hook: cannot be started: %s", strerror(rc));
        }
        take_out(h, 0);
    }
}

// --- the queue -----------------------------------------------------------------------------------

// Room for one more: the oldest that is not final gives way. False: the new one does.
static bool make_room(struct hooks *h, bool final)
{
    size_t i = 0;
    if (h->count < HOOKS_QUEUE_MAX) {
        return true;
    }
    // The 1st, 2nd, 4th, 8th is told: a hook that hangs for ever does not fill the log.
    h->dropped++;
    if ((h->dropped & (h->dropped - 1)) == 0) {
        log_warn(h->log, "hook: it is too slow; %" PRIu64 " events were not told to it so far",
                 h->dropped);
    }
    while (i < h->count && h->waiting[i].final) {
        i++;
    }
    if (i == h->count && !final) {
        return false;
    }
    take_out(h, i < h->count ? i : 0);
    return true;
}

void hooks_post(struct hooks *h, const struct agent_event *ev, uint64_t now_ms)
{
    bool ours = ev->kind == EVENT_STATE || ev->kind == EVENT_REPORT;
    bool final = event_is_final(ev);
    if (h->command == NULL || h->command[0] == '\0' || !ours || !make_room(h, final)) {
        return;
    }
    char *variables = event_variables(ev);
    if (variables == NULL) {
        h->dropped++;
        return;
    }
    h->waiting[h->count++] = (struct hooks_waiting){variables, final};
    start_next(h, now_ms);
}

static void forget_waiting(struct hooks *h)
{
    while (h->count > 0) {
        take_out(h, h->count - 1);
    }
}

// --- its end -------------------------------------------------------------------------------------

static void kill_group(pid_t pid)
{
    (void)kill(-pid, SIGKILL);
}

static void tell_end(struct hooks *h, int status)
{
    if (h->killed) {
        log_warn(h->log, "hook: ended for its time, %d s", HOOKS_TIME_MAX_MS / 1000);
    } else if (WIFSIGNALED(status)) {
        log_warn(h->log, "hook: ended by signal %d", WTERMSIG(status));
    } else if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
        log_warn(h->log, "hook: exit status %d", WEXITSTATUS(status));
    }
}

bool hooks_child_ended(struct hooks *h, pid_t pid, int status, uint64_t now_ms)
{
    if (h->pid == 0 || pid != h->pid) {
        return false;
    }
    // While one of its group lives, the number is not given to anybody else; and if none does, it
    // was free for no longer than the caller took to get here.
    kill_group(pid);
    h->pid = 0;
    tell_end(h, status);
    if (h->command == NULL || h->command[0] == '\0') {
        forget_waiting(h);
    }
    start_next(h, now_ms);
    return true;
}

uint64_t hooks_deadline_ms(const struct hooks *h)
{
    return h->pid == 0 || h->killed ? UINT64_MAX : h->deadline_ms;
}

void hooks_overdue(struct hooks *h, uint64_t now_ms)
{
    if (now_ms >= hooks_deadline_ms(h)) {
        kill_group(h->pid);
        h->killed = true;
    }
}

void hooks_close(struct hooks *h)
{
    forget_waiting(h);
    if (h->pid != 0) {
        kill_group(h->pid);
        h->pid = 0;
    }
}
