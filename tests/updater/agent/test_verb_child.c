// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/verb_child.h"

#include "tests/support/expect.h"
#include "tests/support/file_device.h"
#include "tests/support/temp_dir.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Signals are not delivered: what they are sent to waits for a dead disk.
static bool deaf;

int kill(pid_t pid, int number)
{
    return deaf ? 0 : (int)syscall(SYS_kill, pid, number);
}

// A program of the test's in the place of vv-update.
struct stage {
    struct loop loop;
    struct verb_child child;
    struct verb_program program;
    const char *input;
    char path[512];
    unsigned events, ends;
    json_int_t last_done;
    struct error error;
    char answer[256]; // canonical; "": none
};

static void on_event(void *ctx, const json_t *event)
{
    struct stage *s = ctx;
    s->events++;
    s->last_done = json_integer_value(json_object_get(event, "done"));
}

static void on_ended(void *ctx, const struct verb_end *end)
{
    struct stage *s = ctx;
    CLEANUP(cleanup_free) char *text = end->answer == NULL ? NULL : json_canonical(end->answer);
    snprintf(s->answer, sizeof s->answer, "%s", text == NULL ? "" : text);
    s->error = end->error;
    s->ends++;
    loop_stop(&s->loop);
}

static void no_signal(void *ctx, int number)
{
    (void)ctx;
    (void)number;
}

static void begin_with(struct stage *s, const char *dir, const char *script, const char *input)
{
    struct error e;
    char text[1024];
    memset(s, 0, sizeof *s);
    s->input = input;
    snprintf(text, sizeof text, "#!/bin/sh\n%s\n", script);
    file_device_write(dir, "program", text);
    temp_dir_path(s->path, sizeof s->path, dir, "program");
    assert_int_equal(chmod(s->path, 0700), 0);
    s->program = (struct verb_program){.path = s->path, .config = "x.conf"};
    assert_ok(loop_open(&s->loop, no_signal, s, &e));
    s->child =
        (struct verb_child){.loop = &s->loop, .event = on_event, .ended = on_ended, .ctx = s};
    const char *const words[] = {"install", "URL", NULL};
    assert_ok(verb_child_start(&s->child, &s->program, words, s->input, &e));
    assert_true(verb_child_runs(&s->child));
}

static void begin(struct stage *s, const char *dir, const char *script)
{
    begin_with(s, dir, script, NULL);
}

static void finish(struct stage *s)
{
    struct error e;
    assert_ok(loop_run(&s->loop, &e));
    assert_int_equal(s->ends, 1);
    assert_false(verb_child_runs(&s->child));
    loop_close(&s->loop);
}

// One that runs until it is stopped. It has spoken when this returns: valgrind loses a signal that
// comes between its fork() and its exec().
static const char *const endless = "echo '{\"event\":\"progress\"}' >&2; exec sleep 1000";

static void wait_until_it_speaks(struct stage *s)
{
    struct error e;
    while (s->events == 0) {
        assert_ok(loop_turn(&s->loop, &e));
    }
}

static void run(struct stage *s, const char *dir, const char *script)
{
    begin(s, dir, script);
    finish(s);
}

static void its_answer_and_its_events_are_told(void **state)
{
    struct stage s;
    run(&s, *state,
        "for n in 1 2 3; do echo \"{\\\"event\\\":\\\"progress\\\",\\\"done\\\":$n}\" >&2; done\n"
        "echo '{\"result\":\"installed\"}'");
    assert_int_equal(s.error.code, OK);
    assert_string_equal(s.answer, "{\"result\":\"installed\"}");
    assert_int_equal(s.events, 3);
    assert_int_equal(s.last_done, 3);
}

static void it_gets_the_verb_behind_json_and_the_configuration(void **state)
{
    struct stage s;
    run(&s, *state, "echo \"{\\\"words\\\":\\\"$*\\\"}\"");
    assert_string_equal(s.answer, "{\"words\":\"--json -c x.conf install URL\"}");
}

static void what_it_is_to_read_is_a_line_and_then_there_is_no_more(void **state)
{
    struct stage s;
    begin_with(&s, *state, "read a; read b; echo \"{\\\"a\\\":\\\"$a\\\",\\\"b\\\":\\\"$b\\\"}\"",
               "https://user:secret@h/x y");
    finish(&s);
    assert_string_equal(s.answer, "{\"a\":\"https://user:secret@h/x y\",\"b\":\"\"}");
    begin_with(&s, *state, "exit 0", "nobody reads it");
    finish(&s);
    assert_int_equal(s.error.code, OK);
}

static void more_to_read_than_a_pipe_takes_at_once_is_refused(void **state)
{
    struct stage s;
    struct error e;
    static char input[4097];
    const char *const words[] = {"install", "-", NULL};
    run(&s, *state, "exit 0");
    memset(input, 'x', sizeof input - 1);
    assert_ok(loop_open(&s.loop, no_signal, &s, &e));
    assert_fails(ERR_INTERNAL, "more than a pipe takes",
                 verb_child_start(&s.child, &s.program, words, input, &e));
    assert_false(verb_child_runs(&s.child));
    loop_close(&s.loop);
}

static void its_exit_status_is_an_error_with_its_own_sentence(void **state)
{
    struct stage s;
    run(&s, *state,
        "echo '{\"error\":{\"code\":4,\"name\":\"network\",\"message\":\"h: refused\"}}'; exit 4");
    assert_int_equal(s.error.code, ERR_NETWORK);
    assert_string_equal(s.error.msg, "h: refused");
    run(&s, *state, "exit 7");
    assert_int_equal(s.error.code, ERR_IO);
    assert_string_equal(s.error.msg, "it did not say why");
}

static void the_last_line_is_its_answer(void **state)
{
    struct stage s;
    run(&s, *state,
        "echo '{\"result\":\"activated\"}'; echo '{\"error\":{\"message\":\"no reboot\"}}'; exit "
        "7");
    assert_int_equal(s.error.code, ERR_IO);
    assert_string_equal(s.error.msg, "no reboot");
}

static void a_crash_is_an_internal_error(void **state)
{
    struct stage s;
    run(&s, *state, "echo '{\"result\":\"installed\"}'; kill -SEGV $$");
    assert_int_equal(s.error.code, ERR_INTERNAL);
    assert_string_equal(s.error.msg, "it ended by signal 11");
}

static void one_that_is_stopped_is_to_be_tried_again(void **state)
{
    struct stage s;
    begin(&s, *state, endless);
    wait_until_it_speaks(&s);
    verb_child_stop(&s.child);
    finish(&s);
    assert_int_equal(s.error.code, ERR_AGAIN);
}

static void one_whose_time_is_over_is_killed(void **state)
{
    struct stage s;
    begin(&s, *state, "trap '' TERM; echo '{\"result\":\"nothing\"}'; exec sleep 1000");
    pid_t pid = s.child.child.pid;
    verb_child_limit(&s.child, 0);
    finish(&s);
    assert_int_equal(s.error.code, ERR_AGAIN);
    assert_string_equal(s.error.msg, "'install' did not end within 0 ms, and was killed");
    assert_int_equal(kill(pid, 0), -1);
}

static void one_that_ends_in_time_ends_as_ever(void **state)
{
    struct stage s;
    begin(&s, *state, "echo '{\"result\":\"nothing\"}'");
    verb_child_limit(&s.child, 3600 * 1000);
    finish(&s);
    assert_int_equal(s.error.code, OK);
    assert_string_equal(s.answer, "{\"result\":\"nothing\"}");
    assert_false(loop_has_deadline(&s.loop, &s.child.limit));
}

static void one_that_cannot_be_killed_is_not_waited_for_and_keeps_others_away(void **state)
{
    static const char *const words[] = {"check", NULL};
    struct stage s;
    struct error e;
    begin(&s, *state, endless);
    wait_until_it_speaks(&s);
    pid_t pid = s.child.child.pid;
    deaf = true;
    verb_child_limit(&s.child, 0);
    while (!s.child.late) {
        assert_ok(loop_turn(&s.loop, &e));
    }
    assert_int_equal(s.ends, 0);
    loop_set_deadline(&s.loop, &s.child.limit, 0); // nor is it gone a moment later
    assert_ok(loop_run(&s.loop, &e));
    assert_int_equal(s.ends, 1);
    assert_int_equal(s.error.code, ERR_AGAIN);
    assert_false(verb_child_runs(&s.child));
    assert_fails(ERR_AGAIN, "the last process still hangs and cannot be ended",
                 verb_child_start(&s.child, &s.program, words, NULL, &e));
    deaf = false;
    kill(pid, SIGKILL);
    while (s.child.hangs) {
        assert_ok(loop_turn(&s.loop, &e));
    }
    assert_int_equal(kill(pid, 0), -1); // it was waited for
    assert_int_equal(s.ends, 1);
    s.events = s.ends = 0;
    assert_ok(verb_child_start(&s.child, &s.program, words, NULL, &e));
    wait_until_it_speaks(&s);
    verb_child_stop(&s.child);
    finish(&s);
}

static void closing_does_not_wait_for_what_cannot_be_killed(void **state)
{
    struct stage s;
    begin(&s, *state, "exec sleep 1000");
    pid_t pid = s.child.child.pid;
    deaf = true;
    verb_child_close(&s.child);
    assert_false(verb_child_runs(&s.child));
    deaf = false;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    loop_close(&s.loop);
}

static void what_it_prints_is_bounded_and_garbage_is_skipped(void **state)
{
    struct stage s;
    run(&s, *state,
        "head -c 1000000 /dev/zero | tr '\\0' x >&2; echo >&2\n"
        "echo garbage >&2; echo '{\"event\":\"progress\",\"done\":5}' >&2\n"
        "head -c 1000000 /dev/zero | tr '\\0' x");
    assert_int_equal(s.error.code, OK);
    assert_string_equal(s.answer, "");
    assert_int_equal(s.events, 1);
    assert_int_equal(s.last_done, 5);
}

static void what_it_left_behind_is_not_waited_for(void **state)
{
    struct stage s;
    run(&s, *state, "sleep 1000 & echo $! > \"$0.pid\"; echo '{\"result\":\"x\"}'");
    assert_string_equal(s.answer, "{\"result\":\"x\"}");
    char command[600];
    snprintf(command, sizeof command, "kill $(cat %s.pid)", s.path);
    assert_int_equal(system(command), 0);
}

static void one_can_be_started_by_the_end_of_another(void **state)
{
    struct stage s;
    struct error e;
    const char *const words[] = {"status", NULL};
    run(&s, *state, "exit 0");
    assert_ok(loop_open(&s.loop, no_signal, &s, &e));
    assert_ok(verb_child_start(&s.child, &s.program, words, NULL, &e));
    s.ends = 0;
    finish(&s);
}

static void a_program_that_is_missing_is_an_internal_error(void **state)
{
    struct stage s;
    begin(&s, *state, "exit 0");
    finish(&s);
    struct error e;
    const char *const words[] = {"status", NULL};
    s.program.path = "/nowhere/vv-update";
    assert_ok(loop_open(&s.loop, no_signal, &s, &e));
    assert_ok(verb_child_start(&s.child, &s.program, words, NULL, &e));
    s.ends = 0;
    finish(&s);
    assert_int_equal(s.error.code, ERR_INTERNAL);
}

// Its end comes by SIGTERM, and the agent holds SIGHUP back from its start on.
static void signals_are_not_blocked_in_it_whatever_they_are_in_the_agent(void **state)
{
    struct stage s;
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGHUP);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGUSR1);
    assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, &before), 0);
    run(&s, *state, "echo \"{\\\"mask\\\":\\\"$(sed -n 's/^SigBlk:.//p' /proc/$$/status)\\\"}\"");
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    assert_string_equal(s.answer, "{\"mask\":\"0000000000000200\"}"); // SIGUSR1
}

static void a_closed_one_is_killed_and_nothing_is_told(void **state)
{
    struct stage s;
    begin(&s, *state, "exec sleep 1000");
    pid_t pid = s.child.child.pid;
    verb_child_close(&s.child);
    assert_false(verb_child_runs(&s.child));
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(s.ends, 0);
    loop_close(&s.loop);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(its_answer_and_its_events_are_told),
        with_dir(it_gets_the_verb_behind_json_and_the_configuration),
        with_dir(what_it_is_to_read_is_a_line_and_then_there_is_no_more),
        with_dir(more_to_read_than_a_pipe_takes_at_once_is_refused),
        with_dir(its_exit_status_is_an_error_with_its_own_sentence),
        with_dir(the_last_line_is_its_answer),
        with_dir(a_crash_is_an_internal_error),
        with_dir(one_that_is_stopped_is_to_be_tried_again),
        with_dir(one_whose_time_is_over_is_killed),
        with_dir(one_that_ends_in_time_ends_as_ever),
        with_dir(one_that_cannot_be_killed_is_not_waited_for_and_keeps_others_away),
        with_dir(closing_does_not_wait_for_what_cannot_be_killed),
        with_dir(what_it_prints_is_bounded_and_garbage_is_skipped),
        with_dir(what_it_left_behind_is_not_waited_for),
        with_dir(one_can_be_started_by_the_end_of_another),
        with_dir(a_program_that_is_missing_is_an_internal_error),
        with_dir(signals_are_not_blocked_in_it_whatever_they_are_in_the_agent),
        with_dir(a_closed_one_is_killed_and_nothing_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
