// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/verb_child.h"

#include "base/parse.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    READS_AT_END = 64,   // more than a pipe holds
    KILL_WAIT_MS = 5000, // who is killed is gone by then, or hangs
    CLOSE_WAIT_MS = 1000,
    CLOSE_LOOK_MS = 10,
};

// --- what it prints -----------------------------------------------------------------------------

static void take_line(struct verb_child *c, const char *line, size_t len)
{
    struct error ignored;
    CLEANUP(cleanup_json) json_t *event = NULL;
    if (c->event != NULL && len > 0 && json_parse(line, len, &event, &ignored) == OK) {
        c->event(c->ctx, event);
    }
}

// Whole lines of its talk, as they come. What it answers is one line, kept to its end.
static void cut_lines(struct verb_child *c)
{
    struct verb_stream *s = &c->talk;
    char *end = memchr(s->line, '\n', s->len);
    while (end != NULL) {
        size_t len = (size_t)(end - s->line);
        if (!s->skips) {
            take_line(c, s->line, len);
        }
        s->skips = false;
        s->len -= len + 1;
        memmove(s->line, end + 1, s->len);
        end = memchr(s->line, '\n', s->len);
    }
    if (s->len == VERB_CHILD_MAX) {
        s->skips = true;
        s->len = 0;
    }
}

static void close_stream(struct verb_child *c, struct verb_stream *s)
{
    if (s->watch.fd >= 0) {
        loop_unwatch_fd(c->loop, &s->watch);
        close(s->watch.fd);
        s->watch.fd = -1;
    }
}

// False: there is nothing now, or it is at its end.
static bool read_stream(struct verb_child *c, struct verb_stream *s)
{
    char dropped[512];
    bool full = s->len == VERB_CHILD_MAX;
    if (s->watch.fd < 0) {
        return false;
    }
    ssize_t n = full ? read(s->watch.fd, dropped, sizeof dropped)
                     : read(s->watch.fd, s->line + s->len, VERB_CHILD_MAX - s->len);
    if (n > 0) {
        s->len += full ? 0 : (size_t)n;
        s->skips = s->skips || full;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_stream(c, s);
    }
    return n > 0;
}

static bool read_out(struct verb_child *c)
{
    return read_stream(c, &c->out);
}

static bool read_talk(struct verb_child *c)
{
    bool some = read_stream(c, &c->talk);
    cut_lines(c);
    return some;
}

static void on_out(void *ctx, uint32_t events)
{
    (void)events;
    (void)read_out(ctx);
}

static void on_talk(void *ctx, uint32_t events)
{
    (void)events;
    (void)read_talk(ctx);
}

// --- how it ends --------------------------------------------------------------------------------

static void fill_error(const struct verb_child *c, const json_t *answer, struct error *ret)
{
    const json_t *said = json_object_get(json_object_get(answer, "error"), "message");
    const char *text = json_string_value(said);
    char limit[32];
    if (c->late) {
        (void)fail(ret, ERR_AGAIN, 0, "'%s' did not end within %s, and was killed", c->verb,
                   format_duration(c->limit_ms, limit, sizeof limit));
    } else if (c->stopped) {
        (void)fail(ret, ERR_AGAIN, 0, "it was stopped");
    } else if (c->status == LOOP_STATUS_UNKNOWN || !WIFEXITED(c->status)) {
        (void)fail(ret, ERR_INTERNAL, 0, "it ended by signal %d",
                   c->status == LOOP_STATUS_UNKNOWN ? 0 : WTERMSIG(c->status));
    } else if (WEXITSTATUS(c->status) != OK) {
        (void)fail(ret, (enum err)WEXITSTATUS(c->status), 0, "%s",
                   text != NULL ? text : "it did not say why");
    }
}

static void free_lines(struct verb_child *c)
{
    free(TAKE_PTR(c->out.line));
    free(TAKE_PTR(c->talk.line));
}

// Its last line: `activate --reboot` has answered before it says that there was no reboot.
static json_t *parse_answer(const struct verb_stream *out)
{
    struct error ignored;
    json_t *answer = NULL;
    size_t end = out->len;
    while (end > 0 && out->line[end - 1] == '\n') {
        end--;
    }
    const char *before = end > 0 ? memrchr(out->line, '\n', end) : NULL;
    const char *begin = before != NULL ? before + 1 : out->line;
    size_t len = end - (size_t)(begin - out->line);
    return !out->skips && len > 0 && json_parse(begin, len, &answer, &ignored) == OK ? answer
                                                                                     : NULL;
}

// Once the process has ended and both pipes are empty.
static void tell_end(struct verb_child *c)
{
    struct verb_end end = {.error = {.code = OK}};
    CLEANUP(cleanup_json) json_t *answer = parse_answer(&c->out);
    loop_clear_deadline(c->loop, &c->limit);
    fill_error(c, answer, &end.error);
    end.answer = answer;
    free_lines(c);
    c->runs = false;
    c->ended(c->ctx, &end);
}

// What is left in the pipes. A process that it left behind may go on writing, which is not waited
// for.
static void on_end(void *ctx, int status)
{
    struct verb_child *c = ctx;
    c->status = status;
    for (unsigned reads = 0; reads < READS_AT_END && read_out(c); reads++) {
    }
    for (unsigned reads = 0; reads < READS_AT_END && read_talk(c); reads++) {
    }
    close_stream(c, &c->out);
    close_stream(c, &c->talk);
    tell_end(c);
}

// --- a limit ------------------------------------------------------------------------------------

static void on_gone(void *ctx, int status)
{
    struct verb_child *c = ctx;
    (void)status;
    c->hangs = false;
}

static void on_limit(void *ctx)
{
    struct verb_child *c = ctx;
    if (!c->late) {
        c->late = true;
        kill(c->child.pid, SIGKILL);
        loop_set_deadline(c->loop, &c->limit, loop_now_ms() + KILL_WAIT_MS);
        return;
    }
    c->hangs = true;
    c->child.call = on_gone;
    close_stream(c, &c->out);
    close_stream(c, &c->talk);
    tell_end(c);
}

void verb_child_limit(struct verb_child *c, uint64_t limit_ms)
{
    c->limit_ms = limit_ms;
    c->limit.call = on_limit;
    c->limit.ctx = c;
    loop_set_deadline(c->loop, &c->limit, loop_now_ms() + limit_ms);
}

// --- starting and stopping ----------------------------------------------------------------------

static enum err open_stream(struct verb_stream *s, loop_fd_call call, struct verb_child *c,
                            int *ret_write, struct error *e)
{
    int ends[2];
    *s = (struct verb_stream){.watch = {.fd = -1, .call = call, .ctx = c}};
    s->line = malloc(VERB_CHILD_MAX);
    if (s->line == NULL) {
        return fail_memory(e);
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return fail(e, ERR_INTERNAL, errno, "a pipe");
    }
    *ret_write = ends[1];
    enum err err = fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0
                       ? OK
                       : fail(e, ERR_INTERNAL, errno, "a pipe without waiting");
    s->watch.fd = ends[0];
    if (err == OK) {
        err = loop_watch_fd(c->loop, &s->watch, EPOLLIN, e);
    }
    if (err != OK) {
        close(ends[0]);
        s->watch.fd = -1;
    }
    return err;
}

// Whatever the agent was started with: it is stopped by SIGTERM, and the agent holds SIGHUP back.
static void unblock_signals(const struct loop *l)
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGHUP);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    loop_restore_signals(l);
    sigprocmask(SIG_UNBLOCK, &ours, NULL);
}

// All of it is in the pipe before anybody reads: no more than that takes without waiting.
static enum err open_input(const char *input, int *ret_read, struct error *e)
{
    int ends[2];
    size_t len = input == NULL ? 0 : strlen(input);
    if (input == NULL) {
        return OK;
    }
    if (len + 1 > PIPE_BUF) {
        return fail(e, ERR_INTERNAL, 0, "a line of %zu bytes is more than a pipe takes", len);
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return fail(e, ERR_INTERNAL, errno, "a pipe");
    }
    *ret_read = ends[0];
    CLEANUP(cleanup_close) int end = ends[1];
    bool all = write(end, input, len) == (ssize_t)len && write(end, "\n", 1) == 1;
    return all ? OK : fail(e, ERR_INTERNAL, errno, "write to a pipe");
}

// What the process has as 0, 1 and 2; `in` -1: as this one.
struct verb_files {
    int in, out, talk;
};

static noreturn void be_child(const struct verb_child *c, const struct verb_program *program,
                              const char *const *words, pid_t parent,
                              const struct verb_files *files)
{
    const char *argv[VERB_CHILD_WORDS + 5] = {"vv-update", "--json"};
    size_t count = 2;
    if (program->config != NULL) {
        argv[count++] = "-c";
        argv[count++] = program->config;
    }
    for (size_t i = 0; i < VERB_CHILD_WORDS && words[i] != NULL; i++) {
        argv[count++] = words[i];
    }
    unblock_signals(c->loop);
    // The parent may be gone by now, and its end is not told any more.
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent &&
        (files->in < 0 || dup2(files->in, 0) == 0) && dup2(files->out, 1) == 1 &&
        dup2(files->talk, 2) == 2) {
        execv(program->path, (char **)(uintptr_t)argv);
    }
    _exit(ERR_INTERNAL);
}

static enum err start(struct verb_child *c, const struct verb_program *program,
                      const char *const *words, const struct verb_files *files, struct error *e)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        return fail(e, ERR_INTERNAL, errno, "a process for '%s'", words[0]);
    }
    if (pid == 0) {
        be_child(c, program, words, parent, files);
    }
    c->child = (struct loop_child){.pid = pid, .call = on_end, .ctx = c};
    c->runs = true;
    c->verb = words[0];
    c->stopped = false;
    c->late = false;
    loop_watch_child(c->loop, &c->child);
    return OK;
}

enum err verb_child_start(struct verb_child *c, const struct verb_program *program,
                          const char *const *words, const char *input, struct error *e)
{
    CLEANUP(cleanup_close) int in = -1;
    CLEANUP(cleanup_close) int out = -1;
    CLEANUP(cleanup_close) int talk = -1;
    assert(!c->runs);
    if (c->hangs) {
        return fail(e, ERR_AGAIN, 0, "'%s': the last process still hangs and cannot be ended",
                    words[0]);
    }
    enum err err = open_stream(&c->out, on_out, c, &out, e);
    if (err == OK) {
        err = open_stream(&c->talk, on_talk, c, &talk, e);
    } else {
        c->talk = (struct verb_stream){.watch = {.fd = -1}};
    }
    if (err == OK) {
        err = open_input(input, &in, e);
    }
    const struct verb_files files = {in, out, talk};
    if (err == OK) {
        err = start(c, program, words, &files, e);
    }
    if (err != OK) {
        close_stream(c, &c->out);
        close_stream(c, &c->talk);
        free_lines(c);
    }
    return err;
}

bool verb_child_runs(const struct verb_child *c)
{
    return c->runs;
}

void verb_child_stop(struct verb_child *c)
{
    if (c->runs) {
        c->stopped = true;
        kill(c->child.pid, SIGTERM);
    }
}

static void wait_a_little(pid_t pid)
{
    for (int waited = 0; waited < CLOSE_WAIT_MS; waited += CLOSE_LOOK_MS) {
        if (waitpid(pid, NULL, WNOHANG) != 0) {
            return;
        }
        (void)poll(NULL, 0, CLOSE_LOOK_MS);
    }
}

void verb_child_close(struct verb_child *c)
{
    loop_unwatch_child(c->loop, &c->child);
    if (!c->runs) {
        return;
    }
    loop_clear_deadline(c->loop, &c->limit);
    close_stream(c, &c->out);
    close_stream(c, &c->talk);
    free_lines(c);
    kill(c->child.pid, SIGKILL);
    wait_a_little(c->child.pid);
    c->runs = false;
}
