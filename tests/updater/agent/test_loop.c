// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/loop.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/support/loop_room.h"
#include "tests/support/moved_clock.h"

#include <errno.h>
#include <fcntl.h>

enum { PAIRS = 10, LONG_MS = 100 };

// --- waiting ------------------------------------------------------------------------------------

static void idle_descriptors_wake_nobody_up(void **state)
{
    struct loop_room *r = *state;
    struct named n[PAIRS];
    struct named d = named(r, "deadline");
    for (size_t i = 0; i < PAIRS; i++) {
        n[i] = named(r, "fd");
        watch(&n[i]);
    }
    uint64_t began_ms = loop_now_ms();
    set_deadline(&d, began_ms + LONG_MS);
    turn(r);
    assert_string_equal(r->said, "deadline ");
    assert_true(loop_now_ms() >= began_ms + LONG_MS);
    assert_int_equal(r->loop.wakeups, 1); // by the deadline itself
    for (size_t i = 0; i < PAIRS; i++) {
        unwatch(&n[i]);
    }
}

static void a_cleared_deadline_wakes_nobody_up(void **state)
{
    struct loop_room *r = *state;
    struct named soon = named(r, "soon");
    struct named late = named(r, "late");
    struct named now = named(r, "now");
    set_deadline(&soon, loop_now_ms() + LONG_MS);
    set_deadline(&now, 0);
    turn(r); // the timer was set
    loop_clear_deadline(&r->loop, &soon.deadline);
    assert_false(loop_has_deadline(&r->loop, &soon.deadline));
    loop_clear_deadline(&r->loop, &soon.deadline);
    set_deadline(&late, loop_now_ms() + LONG_MS + LONG_MS / 2);
    r->loop.wakeups = 0;
    turn(r);
    assert_string_equal(r->said, "late ");
    assert_int_equal(r->loop.wakeups, 1);
}

static void a_stopped_child_wakes_nobody_up(void **state)
{
    struct loop_room *r = *state;
    struct named d = named(r, "deadline");
    pid_t pid = fork_child(r, 0, false);
    set_deadline(&d, loop_now_ms() + LONG_MS);
    siginfo_t info;
    kill(pid, SIGSTOP); // only ends count
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
    kill(pid, SIGCONT);
    turn(r);
    assert_string_equal(r->said, "deadline ");
    assert_int_equal(r->loop.wakeups, 1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

// --- the wall clock -----------------------------------------------------------------------------

static void on_clock(void *ctx)
{
    say(ctx, "clock");
}

static void a_wall_clock_that_is_set_is_one_wake_up_and_no_other(void **state)
{
    struct loop_room *r = *state;
    struct error e;
    struct named d = named(r, "deadline");
    assert_ok(loop_watch_clock(&r->loop, on_clock, r, &e));
    for (unsigned i = 1; i <= 3; i++) {
        moved_clock_tell(&r->loop);
        turn(r);
        assert_string_equal(r->said, "clock ");
        assert_int_equal(r->loop.wakeups, i);
    }
    set_deadline(&d, loop_now_ms() + LONG_MS);
    turn(r);
    assert_string_equal(r->said, "deadline ");
    assert_int_equal(r->loop.wakeups, 4);
}

// By what the kernel says of it: whoever may not set the clock cannot see it happen.
static void what_watches_the_wall_clock_is_cancelled_when_that_is_set(void **state)
{
    struct loop_room *r = *state;
    struct error e;
    char path[64];
    size_t len = 0;
    CLEANUP(cleanup_free) uint8_t *text = NULL;
    assert_int_equal(r->loop.clock_fd, -1);
    assert_ok(loop_watch_clock(&r->loop, on_clock, r, &e));
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", r->loop.clock_fd);
    assert_ok(file_read(path, 4096, &text, &len, &e));
    assert_contains((char *)text, "clockid: 0\n");
    assert_contains((char *)text, "settime flags: 03\n");
}

// --- order --------------------------------------------------------------------------------------

static void deadlines_come_by_time_then_in_the_order_of_setting(void **state)
{
    struct loop_room *r = *state;
    struct named n[] = {named(r, "a"), named(r, "b"), named(r, "c"), named(r, "d")};
    set_deadline(&n[0], 30);
    set_deadline(&n[1], 10);
    set_deadline(&n[2], 20);
    set_deadline(&n[3], 10);
    turn(r);
    assert_string_equal(r->said, "b d c a ");
    assert_int_equal(r->loop.wakeups, 1);
    for (size_t i = 0; i < 4; i++) {
        assert_false(loop_has_deadline(&r->loop, &n[i].deadline));
    }
}

static void deadlines_of_the_future_come_one_after_the_other(void **state)
{
    struct loop_room *r = *state;
    struct named n[] = {named(r, "a"), named(r, "b"), named(r, "never")};
    uint64_t now_ms = loop_now_ms();
    set_deadline(&n[0], now_ms + 3 * LONG_MS);
    set_deadline(&n[1], now_ms + 1);
    set_deadline(&n[2], UINT64_MAX - 1);
    turn(r);
    assert_string_equal(r->said, "b ");
    turn(r);
    assert_string_equal(r->said, "a ");
    assert_true(loop_has_deadline(&r->loop, &n[2].deadline));
    assert_int_equal(r->loop.wakeups, 2);
}

static void all_kinds_come_in_one_order(void **state)
{
    struct loop_room *r = *state;
    struct error e;
    struct named n[] = {named(r, "fd1"), named(r, "fd2"), named(r, "deadline"), named(r, "child1"),
                        named(r, "child2")};
    assert_ok(loop_watch_clock(&r->loop, on_clock, r, &e));
    moved_clock_tell(&r->loop);
    watch(&n[0]);
    watch(&n[1]);
    pid_t one = fork_child(r, 1, true);
    pid_t two = fork_child(r, 2, true);
    wait_until_ended(one);
    wait_until_ended(two);
    set_deadline(&n[2], 1);
    watch_child(&n[3], one);
    watch_child(&n[4], two);
    make_ready(&n[1]);
    make_ready(&n[0]);
    raise(SIGTERM);
    raise(SIGHUP);
    turn(r);
    assert_string_equal(r->said, "HUP TERM clock child1 child2 fd1 fd2 deadline ");
    assert_int_equal(r->loop.wakeups, 1);
    unwatch(&n[0]);
    unwatch(&n[1]);
}

// --- changes during a wake-up -------------------------------------------------------------------

static void unwatch_other(struct named *n)
{
    unwatch(n->other);
}

static void a_removed_descriptor_is_not_called_though_it_was_ready(void **state)
{
    struct loop_room *r = *state;
    struct named n[] = {named(r, "a"), named(r, "b"), named(r, "c")};
    for (size_t i = 0; i < 3; i++) {
        watch(&n[i]);
        make_ready(&n[i]);
    }
    n[0].then = unwatch_other;
    n[0].other = &n[1];
    turn(r);
    assert_string_equal(r->said, "a c ");
    unwatch(&n[0]);
    unwatch(&n[2]);
}

static void unwatch_itself(struct named *n)
{
    struct loop_room *r = n->room;
    unwatch(n);
    free(n); // a look at it is seen by the sanitizer
    say(r, "freed");
}

static void a_watch_may_be_freed_in_its_own_call(void **state)
{
    struct loop_room *r = *state;
    struct named *n = malloc(sizeof *n);
    assert_non_null(n);
    *n = named(r, "a");
    n->then = unwatch_itself;
    watch(n);
    make_ready(n);
    turn(r);
    assert_string_equal(r->said, "a freed ");
}

static void watch_other(struct named *n)
{
    watch(n->other);
    make_ready(n->other);
    set_deadline(n->other, 0);
    n->then = NULL;
}

static void what_is_added_during_a_wake_up_waits_for_the_next(void **state)
{
    struct loop_room *r = *state;
    struct named a = named(r, "a");
    struct named b = named(r, "b");
    watch(&a);
    make_ready(&a);
    a.then = watch_other;
    a.other = &b;
    turn(r);
    assert_string_equal(r->said, "a ");
    turn(r);
    assert_string_equal(r->said, "b b ");
    unwatch(&a);
    unwatch(&b);
}

static void watch_other_anew(struct named *n)
{
    struct error e;
    loop_unwatch_fd(&n->room->loop, &n->other->watch);
    assert_ok(loop_watch_fd(&n->room->loop, &n->other->watch, EPOLLIN, &e));
}

static void what_is_watched_anew_waits_for_the_next_wake_up_too(void **state)
{
    struct loop_room *r = *state;
    struct named a = named(r, "a");
    struct named b = named(r, "b");
    a.then = watch_other_anew;
    a.other = &b;
    watch(&a);
    watch(&b);
    make_ready(&a);
    make_ready(&b);
    turn(r);
    assert_string_equal(r->said, "a ");
    turn(r);
    assert_string_equal(r->said, "b ");
    unwatch(&a);
    unwatch(&b);
}

static void set_again(struct named *n)
{
    set_deadline(n, 0);
}

static void a_deadline_that_sets_itself_does_not_keep_the_others_away(void **state)
{
    struct loop_room *r = *state;
    struct named again = named(r, "again");
    struct named fd = named(r, "fd");
    again.then = set_again;
    watch(&fd);
    make_ready(&fd);
    set_deadline(&again, 0);
    turn(r);
    assert_string_equal(r->said, "fd again ");
    make_ready(&fd);
    turn(r);
    assert_string_equal(r->said, "fd again ");
    unwatch(&fd);
}

static void clear_other(struct named *n)
{
    loop_clear_deadline(&n->room->loop, &n->other->deadline);
}

static void a_deadline_cleared_by_another_is_not_called(void **state)
{
    struct loop_room *r = *state;
    struct named a = named(r, "a");
    struct named b = named(r, "b");
    a.then = clear_other;
    a.other = &b;
    set_deadline(&a, 1);
    set_deadline(&b, 2);
    turn(r);
    assert_string_equal(r->said, "a ");
}

// --- descriptors --------------------------------------------------------------------------------

static void a_descriptor_is_watched_for_what_was_asked(void **state)
{
    struct error e;
    struct loop_room *r = *state;
    struct named a = named(r, "a");
    struct named d = named(r, "d");
    watch(&a);
    make_ready(&a);
    assert_ok(loop_change_fd(&r->loop, &a.watch, 0, &e));
    set_deadline(&d, 0);
    turn(r);
    assert_string_equal(r->said, "d ");
    assert_ok(loop_change_fd(&r->loop, &a.watch, EPOLLOUT, &e));
    turn(r);
    assert_string_equal(r->said, "a ");
    assert_int_equal(a.events, EPOLLOUT);
    assert_ok(loop_change_fd(&r->loop, &a.watch, 0, &e));
    close(a.fds[1]);
    turn(r);
    assert_true((a.events & EPOLLHUP) != 0); // comes unasked
    loop_unwatch_fd(&r->loop, &a.watch);
    loop_unwatch_fd(&r->loop, &a.watch);
    close(a.fds[0]);
}

static void what_cannot_be_watched_is_told(void **state)
{
    struct error e;
    struct loop_room *r = *state;
    struct loop_fd file = {.fd = open("/dev/null", O_RDONLY), .call = on_fd};
    struct loop_fd none = {.fd = -1, .call = on_fd};
    struct loop_fd free_one = {.fd = 0, .call = on_fd};
    assert_fails(ERR_IO, "watch file descriptor", loop_watch_fd(&r->loop, &file, EPOLLIN, &e));
    assert_int_equal(e.sys, EPERM);
    assert_fails(ERR_IO, "-1", loop_watch_fd(&r->loop, &none, EPOLLIN, &e));
    assert_fails(ERR_IO, "descriptor 0", loop_change_fd(&r->loop, &free_one, EPOLLIN, &e));
    assert_null(r->loop.fds);
    close(file.fd);
}

// --- running ------------------------------------------------------------------------------------

static void stop_loop(struct named *n)
{
    loop_stop(&n->room->loop);
}

static void it_runs_until_it_is_stopped_and_can_run_again(void **state)
{
    struct error e;
    struct loop_room *r = *state;
    struct named a = named(r, "a");
    struct named b = named(r, "b");
    struct named c = named(r, "c");
    b.then = stop_loop;
    c.then = stop_loop;
    uint64_t now_ms = loop_now_ms();
    set_deadline(&a, now_ms + 1);
    set_deadline(&b, now_ms + 20);
    assert_ok(loop_run(&r->loop, &e));
    assert_string_equal(r->said, "a b ");
    set_deadline(&c, now_ms + 40);
    assert_ok(loop_run(&r->loop, &e));
    assert_string_equal(r->said, "a b c ");
}

static void a_wait_that_cannot_be_is_an_error_and_no_busy_loop(void **state)
{
    struct error e;
    struct loop_room *r = *state;
    close(r->loop.epoll_fd);
    assert_fails(ERR_IO, "wait", loop_run(&r->loop, &e));
    r->loop.epoll_fd = -1;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, loop_room_make, loop_room_free)
    const struct CMUnitTest tests[] = {
        T(idle_descriptors_wake_nobody_up),
        T(a_cleared_deadline_wakes_nobody_up),
        T(a_stopped_child_wakes_nobody_up),
        T(a_wall_clock_that_is_set_is_one_wake_up_and_no_other),
        T(what_watches_the_wall_clock_is_cancelled_when_that_is_set),
        T(deadlines_come_by_time_then_in_the_order_of_setting),
        T(deadlines_of_the_future_come_one_after_the_other),
        T(all_kinds_come_in_one_order),
        T(a_removed_descriptor_is_not_called_though_it_was_ready),
        T(a_watch_may_be_freed_in_its_own_call),
        T(what_is_added_during_a_wake_up_waits_for_the_next),
        T(what_is_watched_anew_waits_for_the_next_wake_up_too),
        T(a_deadline_that_sets_itself_does_not_keep_the_others_away),
        T(a_deadline_cleared_by_another_is_not_called),
        T(a_descriptor_is_watched_for_what_was_asked),
        T(what_cannot_be_watched_is_told),
        T(it_runs_until_it_is_stopped_and_can_run_again),
        T(a_wait_that_cannot_be_is_an_error_and_no_busy_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
