// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/control.h"

#include "tests/support/control_room.h"

#include <grp.h>
#include <sys/syscall.h>

// What accept4() of this program fails with; 0: it does not.
static int accept_error;

int accept4(int fd, __SOCKADDR_ARG at, socklen_t *restrict len, int flags)
{
    if (accept_error != 0) {
        errno = accept_error;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, at.__sockaddr__, len, flags);
}

// So many descriptors cannot be watched from now on.
static unsigned watches_to_fail;

int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && watches_to_fail > 0) {
        watches_to_fail--;
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
}

// --- requests -----------------------------------------------------------------------------------

static void a_request_is_a_line_and_its_answer_another(void **state)
{
    struct control_room *r = *state;
    int fd = join(r);
    assert_string_equal(ask(r, fd, STATUS), IDLE);
    assert_int_equal(r->peer.pid, getpid());
    assert_int_equal(r->peer.uid, geteuid());
    assert_string_equal(ask(r, fd, "{\"do\":\"status\"}\r\n"), IDLE);
    assert_string_equal(ask(r, fd, EVENTS), DONE);
    close(fd);
    pump(r);
    assert_int_equal(r->control.count, 0);
}

static void a_refusal_has_code_name_and_message(void **state)
{
    struct control_room *r = *state;
    int fd = join(r);
    assert_string_equal(ask(r, fd, "{\"do\":\"cancel\"}\n"),
                        "{\"ok\":false,\"error\":{\"code\":9,\"name\":\"not_now\","
                        "\"message\":\"too late: ?\\n\"}}\n");
    assert_string_equal(ask(r, fd, "{\"do\":\"dance\"}\n"),
                        "{\"ok\":false,\"error\":{\"code\":2,\"name\":\"usage\","
                        "\"message\":\"unknown request \\\"dance\\\"\"}}\n");
    close(fd);
}

static void requests_are_cut_at_line_ends_and_nowhere_else(void **state)
{
    struct control_room *r = *state;
    int fd = join(r);
    static const char text[] = STATUS "{\"do\":\"cancel\"}\n" STATUS;
    assert_int_equal(count_of(ask(r, fd, text), "\n"), 3);
    assert_non_null(strstr(r->heard, "not_now"));
    for (size_t i = 0; i + 1 < strlen(STATUS); i++) {
        assert_int_equal(say(r, fd, &STATUS[i], 1), 1);
        assert_string_equal(hear(r, fd), "");
    }
    assert_string_equal(ask(r, fd, "\n"), IDLE);
    close(fd);
}

static void garbage_costs_one_line_and_the_connection_goes_on(void **state)
{
    static const struct {
        const char *line;
        const char *says;
    } cases[] = {
        {"garbage\n", "\"code\":6,\"name\":\"format\",\"message\":\"request: json: line 1"},
        {"\x01\xff\xfe\n", "\"message\":\"request: json: line 1"},
        {"{\"do\":\"status\"\n", "\"message\":\"request: json: line 1"},
        {"[\"do\"]\n", "not an object"},
        {"{}\n", "member \\\"do\\\" is missing"},
        {"{\"do\":1}\n", "member \\\"do\\\" is not a string"},
        {"{\"do\":\"a\\u0000b\"}\n", "request: json"},
        {"{\"do\":\"status\",\"do\":\"cancel\"}\n", "duplicate"},
        {"{\"do\":\"status\"} {\"do\":\"cancel\"}\n", "request: json"},
        {"{\"do\":\"status\",\"a\":[[[[[[[[1]]]]]]]]}\n", "nested deeper than 8 levels"},
        {"{\"do\":\"status\",\"a\":1.5}\n", "not an integer"},
        {"GET / HTTP/1.1\r\n", "request: json"},
    };
    struct control_room *r = *state;
    int fd = join(r);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_contains(ask(r, fd, cases[i].line), cases[i].says);
        assert_int_equal(count_of(r->heard, "\n"), 1);
        assert_int_equal(count_of(r->heard, "\"ok\":false"), 1);
    }
    assert_int_equal(say(r, fd, "\0\n", 2), 2);
    assert_contains(hear(r, fd), "a NUL byte");
    assert_string_equal(ask(r, fd, "\n\r\n\n"), ""); // empty lines are nothing
    assert_int_equal(r->handled, 0);
    assert_string_equal(ask(r, fd, STATUS), IDLE);
    assert_string_equal(talk_text(&r->talk), "");
    close(fd);
}

// {"do":"status","a":"xxx..."} of `len` bytes with its line end.
static char *long_request(size_t len)
{
    static const char head[] = "{\"do\":\"status\",\"a\":\"";
    static const char tail[] = "\"}\n";
    char *line = malloc(len + 1);
    assert_non_null(line);
    memset(line, 'x', len);
    memcpy(line, head, sizeof head - 1);
    memcpy(line + len - (sizeof tail - 1), tail, sizeof tail);
    return line;
}

static void a_line_of_64_kib_is_a_request_and_a_longer_one_the_end(void **state)
{
    struct control_room *r = *state;
    static const size_t too_long[] = {CONTROL_REQUEST_MAX + 2, 2 * CONTROL_REQUEST_MAX,
                                      1024 * ROOM_KIB};
    int fd = join(r);
    CLEANUP(cleanup_free) char *fits = long_request(CONTROL_REQUEST_MAX + 1);
    assert_string_equal(ask(r, fd, fits), IDLE);
    close(fd);
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(cleanup_free) char *line = long_request(too_long[i]);
        fd = join(r);
        (void)say(r, fd, line, too_long[i]);
        assert_contains(hear(r, fd), "request: a line is longer than 65536 bytes; closed");
        assert_int_equal(count_of(r->heard, "\n"), 1);
        assert_contains(r->heard, "\n(end)");
        close(fd);
        pump(r);
    }
    assert_int_equal(r->handled, 1);
    assert_int_equal(r->control.count, 0);
}

static void an_answer_that_is_too_large_is_an_error(void **state)
{
    struct control_room *r = *state;
    int fd = join(r);
    assert_contains(ask(r, fd, "{\"do\":\"large\",\"size\":262144}\n"), "\"name\":\"too_large\"");
    assert_int_equal(strlen(ask(r, fd, "{\"do\":\"large\",\"size\":200000}\n")) / 1000, 200);
    assert_string_equal(ask(r, fd, STATUS), IDLE);
    close(fd);
}

// --- ends of connections ------------------------------------------------------------------------

static void who_has_said_all_still_gets_the_answers(void **state)
{
    struct control_room *r = *state;
    int fd = join(r);
    // The last line needs no end.
    assert_int_equal(send(fd, STATUS "{\"do\":\"status\"}", 33 - 2, 0), 31);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    pump(r);
    assert_string_equal(hear(r, fd), IDLE IDLE "(end)");
    assert_int_equal(r->control.count, 0);
    close(fd);
}

static void who_does_not_wait_for_the_answer_is_obeyed(void **state)
{
    struct control_room *r = *state;
    int fd = join(r);
    assert_int_equal(send(fd, STATUS, strlen(STATUS), 0), strlen(STATUS));
    close(fd);
    pump(r);
    assert_int_equal(r->handled, 1);
    assert_int_equal(r->control.count, 0);
    fd = join(r);
    close(fd);
    pump(r);
    assert_int_equal(r->control.count, 0);
    assert_string_equal(talk_text(&r->talk), "");
}

static void half_a_line_and_silence_cost_nothing(void **state)
{
    struct control_room *r = *state;
    int half = join(r);
    assert_string_equal(ask(r, half, "{\"do\":"), "");
    r->loop.wakeups = 0;
    serve(r, ROOM_IDLE_MS);
    assert_int_equal(r->loop.wakeups, 1); // by the end of the test
    int fd = join(r);
    assert_string_equal(ask(r, fd, STATUS), IDLE);
    assert_string_equal(ask(r, half, "\"status\"}\n"), IDLE);
    close(half);
    close(fd);
}

// --- events -------------------------------------------------------------------------------------

static void events_go_to_those_who_asked(void **state)
{
    struct control_room *r = *state;
    int listener = join(r);
    int other = join(r);
    int refused = join(r);
    pump(r);
    assert_false(control_has_listeners(&r->control));
    tell(r, "early", 0);
    assert_string_equal(ask(r, listener, EVENTS), DONE);
    assert_contains(ask(r, refused, "{\"do\":\"events\",\"refuse\":1}\n"), "unknown request");
    assert_true(control_has_listeners(&r->control));
    tell(r, "one", 0);
    tell(r, "two", 1);
    assert_string_equal(hear(r, listener), "{\"event\":\"one\",\"pad\":\"\"}\n"
                                           "{\"event\":\"two\",\"pad\":\"x\"}\n");
    assert_string_equal(hear(r, other), "");
    assert_string_equal(hear(r, refused), "");
    assert_string_equal(ask(r, listener, STATUS), IDLE); // it may go on asking
    close(listener);
    pump(r);
    assert_false(control_has_listeners(&r->control));
    close(other);
    close(refused);
}

static void a_listener_who_has_said_all_goes_on_listening(void **state)
{
    struct control_room *r = *state;
    int fd = join(r);
    assert_int_equal(send(fd, EVENTS, strlen(EVENTS), 0), strlen(EVENTS));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    pump(r);
    assert_string_equal(hear(r, fd), DONE);
    r->loop.wakeups = 0;
    serve(r, ROOM_IDLE_MS);
    assert_int_equal(r->loop.wakeups, 1); // by the end of the test
    tell(r, "one", 0);
    assert_contains(hear(r, fd), "one");
    close(fd);
    pump(r);
    assert_int_equal(r->control.count, 0);
}

// --- the server ---------------------------------------------------------------------------------

static void without_descriptors_it_waits_and_does_not_spin(void **state)
{
    struct error e;
    struct control_room *r = *state;
    accept_error = EMFILE;
    int fd = join(r);
    r->loop.wakeups = 0;
    pump(r);
    assert_int_equal(r->loop.wakeups, 1);
    serve(r, ROOM_IDLE_MS);
    assert_int_equal(r->loop.wakeups, 2); // by the end of serve()
    accept_error = 0;
    while (r->control.count == 0) {
        assert_ok(loop_turn(&r->loop, &e));
    }
    assert_true(r->loop.wakeups <= 4);
    assert_string_equal(ask(r, fd, STATUS), IDLE);
    assert_int_equal(count_of(talk_text(&r->talk), "\n"), 1);
    assert_contains(talk_text(&r->talk), "accept: Too many open files");
    close(fd);
}

static void a_connection_that_is_gone_again_is_nothing(void **state)
{
    struct control_room *r = *state;
    struct error e;
    accept_error = ECONNABORTED;
    int fd = join(r);
    assert_ok(loop_turn(&r->loop, &e));
    accept_error = 0;
    assert_string_equal(ask(r, fd, STATUS), IDLE);
    assert_string_equal(talk_text(&r->talk), "");
    close(fd);
}

static void a_second_server_is_refused_and_the_first_goes_on(void **state)
{
    struct error e;
    struct control_room *r = *state;
    struct control second;
    const struct control_options options = {.path = r->path, .group = "", .handle = handle};
    assert_fails(ERR_AGAIN, "another agent is running",
                 control_open(&second, &r->loop, &r->talk.log, &options, &e));
    int fd = join(r);
    assert_string_equal(ask(r, fd, STATUS), IDLE);
    close(fd);
}

// --- another path, another group ----------------------------------------------------------------

static void it_moves_and_connections_stay(void **state)
{
    struct control_room *r = *state;
    struct error e;
    char old[sizeof r->path];
    int listener = join(r);
    assert_string_equal(ask(r, listener, EVENTS), DONE);
    memcpy(old, r->path, sizeof old);
    temp_dir_path(r->path, sizeof r->path, r->dir, "run/moved");
    assert_ok(control_move(&r->control, r->path, "", &e));
    assert_int_equal(access(old, F_OK), -1);
    int fd = join(r);
    assert_string_equal(ask(r, fd, STATUS), IDLE);
    tell(r, "state", 0);
    assert_non_null(strstr(hear(r, listener), "\"event\":\"state\""));
    close(fd);
    close(listener);
}

static void the_same_path_stays_as_it_is(void **state)
{
    struct control_room *r = *state;
    struct error e;
    struct stat before;
    struct stat after;
    assert_int_equal(stat(r->path, &before), 0);
    assert_ok(control_move(&r->control, r->path, "", &e));
    assert_int_equal(stat(r->path, &after), 0);
    assert_true(before.st_ino == after.st_ino);
    assert_int_equal(after.st_mode & 0777, 0600);
}

static void another_group_is_let_in_and_out_again(void **state)
{
    struct control_room *r = *state;
    struct error e;
    struct stat st;
    // Root may give it to any group, others to their own only.
    const struct group *group = geteuid() == 0 ? getgrnam("daemon") : getgrgid(getegid());
    char name[64];
    assert_non_null(group);
    gid_t gid = group->gr_gid;
    snprintf(name, sizeof name, "%s", group->gr_name);
    assert_ok(control_move(&r->control, r->path, name, &e));
    assert_int_equal(stat(r->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_int_equal(st.st_gid, gid);
    assert_ok(control_move(&r->control, r->path, "", &e));
    assert_int_equal(stat(r->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    int fd = join(r);
    assert_string_equal(ask(r, fd, STATUS), IDLE);
    close(fd);
}

static void a_move_that_is_refused_changes_nothing(void **state)
{
    struct control_room *r = *state;
    struct error e;
    char path[108];
    temp_dir_path(path, sizeof path, r->dir, "absent/run/moved");
    assert_fails(ERR_IO, "make the directory", control_move(&r->control, path, "", &e));
    temp_dir_path(path, sizeof path, r->dir, "moved");
    assert_fails(ERR_CONFIG, "no group \"vv-nobody\"",
                 control_move(&r->control, path, "vv-nobody", &e));
    assert_fails(ERR_CONFIG, "no group \"vv-nobody\"",
                 control_move(&r->control, r->path, "vv-nobody", &e));
    watches_to_fail = 1;
    assert_fails(ERR_IO, "watch file descriptor", control_move(&r->control, path, "", &e));
    assert_int_equal(access(path, F_OK), -1);
    int fd = join(r);
    assert_string_equal(ask(r, fd, STATUS), IDLE);
    close(fd);
}

static void closing_ends_all_connections(void **state)
{
    struct control_room *r = *state;
    int fd = join(r);
    int listener = join(r);
    assert_string_equal(ask(r, fd, STATUS), IDLE);
    assert_string_equal(ask(r, listener, EVENTS), DONE);
    control_close(&r->control);
    assert_string_equal(hear(r, fd), "(end)");
    assert_string_equal(hear(r, listener), "(end)");
    close(fd);
    close(listener);
    open_control(r); // for teardown, and because that must go
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, control_room_make, control_room_free)
    const struct CMUnitTest tests[] = {
        T(a_request_is_a_line_and_its_answer_another),
        T(a_refusal_has_code_name_and_message),
        T(requests_are_cut_at_line_ends_and_nowhere_else),
        T(garbage_costs_one_line_and_the_connection_goes_on),
        T(a_line_of_64_kib_is_a_request_and_a_longer_one_the_end),
        T(an_answer_that_is_too_large_is_an_error),
        T(who_has_said_all_still_gets_the_answers),
        T(who_does_not_wait_for_the_answer_is_obeyed),
        T(half_a_line_and_silence_cost_nothing),
        T(events_go_to_those_who_asked),
        T(a_listener_who_has_said_all_goes_on_listening),
        T(without_descriptors_it_waits_and_does_not_spin),
        T(a_connection_that_is_gone_again_is_nothing),
        T(a_second_server_is_refused_and_the_first_goes_on),
        T(it_moves_and_connections_stay),
        T(the_same_path_stays_as_it_is),
        T(another_group_is_let_in_and_out_again),
        T(a_move_that_is_refused_changes_nothing),
        T(closing_ends_all_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
