// SPDX-License-Identifier: Apache-2.0
#include "tests/support/loop_room.h"
#include "updater/agent/loop.h"

// --- children and signals -----------------------------------------------------------------------

static void the_end_of_a_child_is_told_once_with_its_status(void **state)
{
    struct loop_room *r = *state;
    struct named killed = named(r, "killed");
    struct named ended = named(r, "ended");
    struct named d = named(r, "d");
    pid_t pid = fork_child(r, 0, false);
    watch_child(&killed, pid);
    pid_t quick = fork_child(r, 7, true);
    wait_until_ended(quick);
    watch_child(&ended, quick);
    turn(r);
    assert_string_equal(r->said, "ended ");
    assert_true(WIFEXITED(ended.status));
    assert_int_equal(WEXITSTATUS(ended.status), 7);
    kill(pid, SIGTERM); // not blocked there: loop_restore_signals()
    turn(r);
    assert_string_equal(r->said, "killed ");
    assert_true(WIFSIGNALED(killed.status));
    assert_int_equal(WTERMSIG(killed.status), SIGTERM);
    set_deadline(&d, 0);
    turn(r);
    assert_string_equal(r->said, "d ");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // none is left
}

static void a_child_that_was_found_dead_before_it_was_watched_is_told(void **state)
{
    struct loop_room *r = *state;
    struct named c = named(r, "c");
    struct named d = named(r, "d");
    pid_t pid = fork_child(r, 3, true);
    wait_until_ended(pid);
    set_deadline(&d, 0);
    turn(r); // takes its signal
    watch_child(&c, pid);
    turn(r);
    assert_string_equal(r->said, "c ");
    assert_int_equal(WEXITSTATUS(c.status), 3);
}

static void a_child_that_somebody_waited_for_has_no_status(void **state)
{
    struct loop_room *r = *state;
    struct named c = named(r, "c");
    pid_t pid = fork_child(r, 3, true);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    watch_child(&c, pid);
    turn(r);
    assert_string_equal(r->said, "c ");
    assert_int_equal(c.status, LOOP_STATUS_UNKNOWN);
}

static void children_of_others_are_left_to_them(void **state)
{
    int status;
    struct loop_room *r = *state;
    struct named c = named(r, "c");
    struct named d = named(r, "d");
    pid_t watched = fork_child(r, 1, true);
    pid_t other = fork_child(r, 2, true);
    wait_until_ended(watched);
    wait_until_ended(other);
    watch_child(&c, watched);
    loop_unwatch_child(&r->loop, &c.child);
    set_deadline(&d, 0);
    turn(r);
    assert_string_equal(r->said, "d ");
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(WEXITSTATUS(status), 2);
    assert_int_equal(waitpid(watched, &status, 0), watched);
}

static void signals_are_told_by_number_and_as_before_afterwards(void **state)
{
    sigset_t mask;
    struct loop_room *r = *state;
    raise(SIGTERM);
    raise(SIGINT);
    raise(SIGHUP);
    turn(r);
    assert_string_equal(r->said, "HUP INT TERM ");
    assert_int_equal(r->loop.wakeups, 1);
    loop_close(&r->loop);
    sigprocmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGTERM));
    assert_false(sigismember(&mask, SIGCHLD));
    struct error e;
    assert_ok(loop_open(&r->loop, on_signal, r, &e));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, loop_room_make, loop_room_free)
    const struct CMUnitTest tests[] = {
        T(the_end_of_a_child_is_told_once_with_its_status),
        T(a_child_that_was_found_dead_before_it_was_watched_is_told),
        T(a_child_that_somebody_waited_for_has_no_status),
        T(children_of_others_are_left_to_them),
        T(signals_are_told_by_number_and_as_before_afterwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
