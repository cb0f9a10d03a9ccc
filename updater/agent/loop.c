// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/loop.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EVENTS_PER_WAIT = 32, MS_PER_S = 1000, NS_PER_MS = 1000000 };

#define NEVER UINT64_MAX

uint64_t loop_now_ms(void)
{
    return clock_system.ops->boottime_ms(&clock_system);
}

// --- set-up and end -----------------------------------------------------------------------------

static enum err watch_own(struct loop *l, int *fd, struct error *e)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};
    return *fd >= 0 && epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, *fd, &event) == 0
               ? OK
               : fail(e, ERR_IO, errno, "event loop: set up");
}

// SIGCHLD has no handler, so that nobody but waitpid() takes the status of a child away.
static void take_signals(struct loop *l, sigset_t *ret_mask)
{
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP};
    sigemptyset(&action.sa_mask);
    sigemptyset(ret_mask);
    sigaddset(ret_mask, SIGHUP);
    sigaddset(ret_mask, SIGINT);
    sigaddset(ret_mask, SIGTERM);
    sigaddset(ret_mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, ret_mask, &l->old_mask);
    sigaction(SIGCHLD, &action, &l->old_child);
}

enum err loop_open(struct loop *ret, loop_signal_call on_signal, void *ctx, struct error *e)
{
    sigset_t mask;
    *ret =
        (struct loop){.on_signal = on_signal, .signal_ctx = ctx, .clock_fd = -1, .armed_ms = NEVER};
    take_signals(ret, &mask);
    ret->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    ret->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    ret->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    enum err err = watch_own(ret, &ret->timer_fd, e);
    return err == OK ? watch_own(ret, &ret->signal_fd, e) : err;
}

void loop_close(struct loop *l)
{
    cleanup_close(&l->clock_fd);
    cleanup_close(&l->signal_fd);
    cleanup_close(&l->timer_fd);
    cleanup_close(&l->epoll_fd);
    loop_restore_signals(l);
    *l = (struct loop){
        .epoll_fd = -1, .timer_fd = -1, .signal_fd = -1, .clock_fd = -1, .armed_ms = NEVER};
}

void loop_restore_signals(const struct loop *l)
{
    sigaction(SIGCHLD, &l->old_child, NULL);
    sigprocmask(SIG_SETMASK, &l->old_mask, NULL);
}

// --- the wall clock -----------------------------------------------------------------------------

// A timer at the end of time: it does not fire, but is cancelled whenever the clock is set.
enum err loop_watch_clock(struct loop *l, loop_clock_call call, void *ctx, struct error *e)
{
    const struct itimerspec never = {.it_value.tv_sec =
                                         (time_t)(UINT64_MAX >> (65 - 8 * sizeof(time_t)))};
    l->on_clock = call;
    l->clock_ctx = ctx;
    l->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (l->clock_fd < 0 || timerfd_settime(l->clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
                                           &never, NULL) != 0) {
        return fail(e, ERR_IO, errno, "event loop: watch the wall clock");
    }
    return watch_own(l, &l->clock_fd, e);
}

// Reading makes the timer ready for the next time; that it fails is what it was waited for.
static void take_clock(struct loop *l)
{
    uint64_t times;
    l->clock_set = read(l->clock_fd, &times, sizeof times) >= 0 || errno == ECANCELED;
}

static void call_clock(struct loop *l)
{
    if (l->clock_set) {
        l->clock_set = false;
        l->on_clock(l->clock_ctx);
    }
}

// --- file descriptors ---------------------------------------------------------------------------

static struct loop_fd **find_fd(struct loop *l, const struct loop_fd *w)
{
    struct loop_fd **at = &l->fds;
    while (*at != NULL && *at != w) {
        at = &(*at)->next;
    }
    return at;
}

static enum err control_fd(struct loop *l, int operation, struct loop_fd *w, uint32_t events,
                           struct error *e)
{
    struct epoll_event event = {.events = events, .data.ptr = w};
    return epoll_ctl(l->epoll_fd, operation, w->fd, &event) == 0
               ? OK
               : fail(e, ERR_IO, errno, "event loop: watch file descriptor %d", w->fd);
}

enum err loop_watch_fd(struct loop *l, struct loop_fd *w, uint32_t events, struct error *e)
{
    enum err err = control_fd(l, EPOLL_CTL_ADD, w, events, e);
    if (err == OK) {
        w->ready = 0;
        w->next = NULL;
        *find_fd(l, w) = w;
    }
    return err;
}

enum err loop_change_fd(struct loop *l, struct loop_fd *w, uint32_t events, struct error *e)
{
    return control_fd(l, EPOLL_CTL_MOD, w, events, e);
}

void loop_unwatch_fd(struct loop *l, struct loop_fd *w)
{
    struct loop_fd **at = find_fd(l, w);
    if (*at != NULL) {
        *at = w->next;
        (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    }
}

// A call may unwatch any of them, so that the search begins anew after each.
static void call_fds(struct loop *l)
{
    struct loop_fd *w = l->fds;
    while (w != NULL) {
        uint32_t ready = w->ready;
        if (ready == 0) {
            w = w->next;
            continue;
        }
        w->ready = 0;
        w->call(w->ctx, ready);
        w = l->fds;
    }
}

// --- deadlines ----------------------------------------------------------------------------------

static struct loop_deadline **find_deadline(struct loop *l, const struct loop_deadline *d)
{
    struct loop_deadline **at = &l->deadlines;
    while (*at != NULL && *at != d) {
        at = &(*at)->next;
    }
    return at;
}

bool loop_has_deadline(const struct loop *l, const struct loop_deadline *d)
{
    const struct loop_deadline *at = l->deadlines;
    while (at != NULL && at != d) {
        at = at->next;
    }
    return at != NULL;
}

void loop_set_deadline(struct loop *l, struct loop_deadline *d, uint64_t due_ms)
{
    loop_clear_deadline(l, d);
    d->due_ms = due_ms;
    d->ready = false;
    d->next = NULL;
    *find_deadline(l, d) = d;
}

void loop_clear_deadline(struct loop *l, struct loop_deadline *d)
{
    struct loop_deadline **at = find_deadline(l, d);
    if (*at != NULL) {
        *at = d->next;
    }
}

// The earliest of all, or of those that are ready.
static struct loop_deadline *earliest(const struct loop *l, bool ready)
{
    struct loop_deadline *first = NULL;
    for (struct loop_deadline *d = l->deadlines; d != NULL; d = d->next) {
        if ((!ready || d->ready) && (first == NULL || d->due_ms < first->due_ms)) {
            first = d;
        }
    }
    return first;
}

static void call_deadlines(struct loop *l)
{
    struct loop_deadline *d = earliest(l, true);
    while (d != NULL) {
        loop_clear_deadline(l, d);
        d->call(d->ctx);
        d = earliest(l, true);
    }
}

static void mark_due(struct loop *l)
{
    uint64_t now_ms = loop_now_ms();
    for (struct loop_deadline *d = l->deadlines; d != NULL; d = d->next) {
        d->ready = d->due_ms <= now_ms;
    }
}

static enum err arm(struct loop *l, struct error *e)
{
    const struct loop_deadline *first = earliest(l, false);
    uint64_t due_ms = first != NULL ? first->due_ms : NEVER;
    struct itimerspec when = {0}; // disarms
    if (due_ms == l->armed_ms) {
        return OK;
    }
    if (due_ms != NEVER) {
        // The kernel takes what is too far away for it as the end of time. 0 would disarm.
        when.it_value.tv_sec = (time_t)(due_ms / MS_PER_S);
        when.it_value.tv_nsec = due_ms == 0 ? 1 : (long)(due_ms % MS_PER_S) * NS_PER_MS;
    }
    if (timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) != 0) {
        return fail(e, ERR_IO, errno, "event loop: set the timer");
    }
    l->armed_ms = due_ms;
    return OK;
}

// --- signals and children -----------------------------------------------------------------------

static void call_signals(struct loop *l)
{
    struct signalfd_siginfo info;
    while (read(l->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            l->look = true;
        } else {
            l->on_signal(l->signal_ctx, (int)info.ssi_signo);
        }
    }
}

static struct loop_child **find_child(struct loop *l, const struct loop_child *c)
{
    struct loop_child **at = &l->children;
    while (*at != NULL && *at != c) {
        at = &(*at)->next;
    }
    return at;
}

void loop_watch_child(struct loop *l, struct loop_child *c)
{
    c->ended = false;
    c->next = NULL;
    *find_child(l, c) = c;
    l->look = true; // its signal may be gone already
}

void loop_unwatch_child(struct loop *l, struct loop_child *c)
{
    struct loop_child **at = find_child(l, c);
    if (*at != NULL) {
        *at = c->next;
    }
}

static void mark_ended(struct loop *l)
{
    for (struct loop_child *c = l->children; c != NULL; c = c->next) {
        pid_t pid;
        do {
            pid = waitpid(c->pid, &c->status, WNOHANG);
        } while (pid < 0 && errno == EINTR);
        c->ended = pid != 0;
        c->status = pid < 0 ? LOOP_STATUS_UNKNOWN : c->status;
    }
}

static void call_children(struct loop *l)
{
    struct loop_child *c = l->children;
    while (c != NULL) {
        if (!c->ended) {
            c = c->next;
            continue;
        }
        loop_unwatch_child(l, c);
        c->call(c->ctx, c->status);
        c = l->children;
    }
}

// --- turns --------------------------------------------------------------------------------------

// A timer that fired is not set any more.
static void reset_timer(struct loop *l)
{
    uint64_t times;
    if (read(l->timer_fd, &times, sizeof times) == (ssize_t)sizeof times) {
        l->armed_ms = NEVER;
    }
}

// Before the first call: what is written down is what was ready at the wake-up, and belongs to
// watches that are all there. Whether there are signals.
static bool mark_ready(struct loop *l, const struct epoll_event *events, int count)
{
    bool signals = false;
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == &l->signal_fd) {
            signals = true;
        } else if (events[i].data.ptr == &l->timer_fd) {
            reset_timer(l);
        } else if (events[i].data.ptr == &l->clock_fd) {
            take_clock(l);
        } else {
            struct loop_fd *w = events[i].data.ptr;
            w->ready = events[i].events;
        }
    }
    mark_due(l);
    return signals;
}

enum err loop_turn(struct loop *l, struct error *e)
{
    struct epoll_event events[EVENTS_PER_WAIT];
    enum err err = arm(l, e);
    if (err != OK) {
        return err;
    }
    int count = epoll_wait(l->epoll_fd, events, EVENTS_PER_WAIT, l->look ? 0 : -1);
    if (count < 0 && errno != EINTR) {
        return fail(e, ERR_IO, errno, "event loop: wait");
    }
    l->wakeups += count != 0;
    if (mark_ready(l, events, count)) {
        call_signals(l);
    }
    call_clock(l);
    if (l->look) {
        l->look = false;
        mark_ended(l);
        call_children(l);
    }
    call_fds(l);
    call_deadlines(l);
    return OK;
}

enum err loop_run(struct loop *l, struct error *e)
{
    enum err err = OK;
    while (err == OK && !l->stopped) {
        err = loop_turn(l, e);
    }
    l->stopped = false;
    return err;
}

void loop_stop(struct loop *l)
{
    l->stopped = true;
}
