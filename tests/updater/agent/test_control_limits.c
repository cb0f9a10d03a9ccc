// SPDX-License-Identifier: Apache-2.0
// Many clients, greedy ones and deaf ones.
#include "tests/support/control_room.h"
#include "updater/agent/control.h"

// --- many ---------------------------------------------------------------------------------------

static void a_seventeenth_client_is_told_and_closed(void **state)
{
    struct control_room *r = *state;
    int fds[CONTROL_CLIENTS_MAX];
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        fds[i] = join(r);
        assert_string_equal(ask(r, fds[i], STATUS), IDLE);
    }
    for (int i = 0; i < 3; i++) {
        int more = join(r);
        pump(r);
        assert_string_equal(hear(r, more),
                            "{\"ok\":false,\"error\":{\"code\":75,\"name\":\"again\","
                            "\"message\":\"16 connections are open already\"}}\n(end)");
        close(more);
    }
    assert_int_equal(count_of(talk_text(&r->talk), "\n"), 1);
    assert_contains(talk_text(&r->talk), "16 connections are open already");
    r->loop.wakeups = 0;
    serve(r, ROOM_IDLE_MS);
    assert_int_equal(r->loop.wakeups, 1); // by the end of the test
    assert_string_equal(ask(r, fds[0], STATUS), IDLE);
    close(fds[7]);
    pump(r);
    fds[7] = join(r);
    assert_string_equal(ask(r, fds[7], STATUS), IDLE);
    int more = join(r); // another crowd, another line
    pump(r);
    assert_int_equal(count_of(talk_text(&r->talk), "\n"), 2);
    close(more);
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        close(fds[i]);
    }
}

static void who_comes_when_another_leaves_finds_room(void **state)
{
    struct error e;
    struct control_room *r = *state;
    int fds[CONTROL_CLIENTS_MAX];
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        fds[i] = join(r);
        pump(r);
    }
    close(fds[CONTROL_CLIENTS_MAX - 1]);
    fds[CONTROL_CLIENTS_MAX - 1] = join(r);
    assert_ok(loop_turn(&r->loop, &e)); // tells both
    assert_string_equal(ask(r, fds[CONTROL_CLIENTS_MAX - 1], STATUS), IDLE);
    assert_string_equal(talk_text(&r->talk), "");
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        close(fds[i]);
    }
}

static void many_requests_of_one_do_not_keep_the_others_waiting(void **state)
{
    struct error e;
    struct control_room *r = *state;
    char many[200 * (sizeof STATUS - 1)];
    for (size_t i = 0; i < 200; i++) {
        memcpy(many + i * (sizeof STATUS - 1), STATUS, sizeof STATUS - 1);
    }
    int eager = join(r);
    int other = join(r);
    pump(r);
    assert_int_equal(send(eager, many, sizeof many, 0), sizeof many);
    assert_ok(loop_turn(&r->loop, &e));
    assert_int_equal(r->handled, CONTROL_REQUESTS_PER_CALL);
    assert_int_equal(send(other, STATUS, strlen(STATUS), 0), strlen(STATUS));
    r->loop.wakeups = 0;
    assert_ok(loop_turn(&r->loop, &e));
    assert_string_equal(hear(r, other), IDLE);
    assert_int_equal(count_of(hear(r, eager), IDLE), 200);
    assert_int_equal(r->handled, 201);
    assert_true(r->loop.wakeups <= 200 / CONTROL_REQUESTS_PER_CALL + 3);
    close(eager);
    close(other);
}

static void a_request_wakes_it_up_once(void **state)
{
    struct control_room *r = *state;
    int fd = join(r);
    pump(r);
    r->loop.wakeups = 0;
    assert_string_equal(ask(r, fd, STATUS), IDLE);
    assert_int_equal(r->loop.wakeups, 1);
    close(fd);
    pump(r);
    assert_int_equal(r->loop.wakeups, 2);
}

// --- clients that do not read -------------------------------------------------------------------

static void who_asks_and_never_reads_slows_down_itself_and_is_closed(void **state)
{
    struct control_room *r = *state;
    enum { ASKED = 1024 * ROOM_KIB };
    static const char line[] = "{\"do\":\"large\",\"size\":100000}\n";
    CLEANUP(cleanup_free) char *many = malloc(ASKED);
    assert_non_null(many);
    for (size_t i = 0; i < ASKED; i++) {
        many[i] = line[i % (sizeof line - 1)];
    }
    int deaf = join(r);
    int fd = join(r);
    // The socket takes some, and nobody takes it from there.
    assert_true(say(r, deaf, many, ASKED) < 512 * ROOM_KIB);
    assert_in_range(r->handled, 1, 10);
    r->handled = 0;
    r->loop.wakeups = 0;
    assert_string_equal(ask(r, fd, STATUS), IDLE);
    assert_int_equal(r->handled, 1);
    assert_int_equal(r->loop.wakeups, 1);
    assert_int_equal(r->control.count, 2);
    // What it reads starts its time anew.
    r->control.options.stall_ms = 1;
    ssize_t n = recv(deaf, r->heard, ROOM_HEARD_SIZE, 0);
    assert_true(n > 0);
    size_t tries = 0;
    for (; r->control.count == 2 && tries < 500; tries++) {
        serve(r, ROOM_IDLE_MS / 5);
    }
    assert_int_equal(r->control.count, 1);
    assert_true(r->loop.wakeups <= tries + 20);
    assert_int_equal(count_of(talk_text(&r->talk), "\n"), 1);
    assert_contains(talk_text(&r->talk), "it does not read");
    close(deaf);
    close(fd);
}

static void who_reads_late_gets_everything(void **state)
{
    struct control_room *r = *state;
    static const char line[] = "{\"do\":\"large\",\"size\":100000}\n";
    int fd = join(r);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(say(r, fd, line, sizeof line - 1), sizeof line - 1);
    }
    size_t answers = 0;
    for (int i = 0; i < 20 && answers < 20; i++) {
        // In pieces, so that the room for what was heard is enough.
        ssize_t n = recv(fd, r->heard, 256 * ROOM_KIB, 0);
        while (n > 0) {
            r->heard[n] = '\0';
            answers += count_of(r->heard, "\n");
            pump(r);
            n = recv(fd, r->heard, 256 * ROOM_KIB, 0);
        }
    }
    assert_int_equal(answers, 20);
    assert_string_equal(ask(r, fd, STATUS), IDLE);
    assert_string_equal(talk_text(&r->talk), "");
    close(fd);
}

static void who_goes_away_without_reading_leaves_nothing(void **state)
{
    struct control_room *r = *state;
    static const char line[] = "{\"do\":\"large\",\"size\":250000}\n";
    int fd = join(r);
    for (int i = 0; i < 4; i++) {
        (void)say(r, fd, line, sizeof line - 1);
    }
    assert_int_equal(r->control.count, 1);
    close(fd);
    pump(r);
    assert_int_equal(r->control.count, 0);
    assert_string_equal(talk_text(&r->talk), "");
}

static void a_listener_that_never_reads_is_closed_and_the_others_get_all(void **state)
{
    struct control_room *r = *state;
    int deaf = join(r);
    int listener = join(r);
    size_t heard = 0;
    assert_string_equal(ask(r, listener, EVENTS), DONE);
    assert_int_equal(say(r, deaf, EVENTS, strlen(EVENTS)), strlen(EVENTS));
    for (int i = 0; i < 64; i++) {
        tell(r, "one", 64 * ROOM_KIB);
        heard += count_of(hear(r, listener), "\"one\"");
    }
    assert_int_equal(heard, 64);
    assert_int_equal(r->control.count, 1);
    assert_int_equal(count_of(talk_text(&r->talk), "\n"), 1);
    assert_contains(talk_text(&r->talk), "it does not read, and 256 KiB wait for it");
    assert_contains(hear(r, deaf), DONE);
    assert_contains(r->heard + strlen(r->heard) - 5, "(end)");
    close(deaf);
    close(listener);
}

static void events_of_its_own_request_can_be_too_much_for_a_client(void **state)
{
    struct control_room *r = *state;
    int small = 1;
    int fd = join(r);
    assert_string_equal(ask(r, fd, EVENTS), DONE);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    static const char line[] = "{\"do\":\"tell\"}\n";
    assert_int_equal(say(r, fd, line, sizeof line - 1), sizeof line - 1);
    assert_int_equal(r->handled, 2);
    assert_int_equal(r->control.count, 0);
    assert_int_equal(count_of(talk_text(&r->talk), "\n"), 1);
    close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, control_room_make, control_room_free)
    const struct CMUnitTest tests[] = {
        T(a_seventeenth_client_is_told_and_closed),
        T(who_comes_when_another_leaves_finds_room),
        T(many_requests_of_one_do_not_keep_the_others_waiting),
        T(a_request_wakes_it_up_once),
        T(a_listener_that_never_reads_is_closed_and_the_others_get_all),
        T(events_of_its_own_request_can_be_too_much_for_a_client),
        T(who_asks_and_never_reads_slows_down_itself_and_is_closed),
        T(who_reads_late_gets_everything),
        T(who_goes_away_without_reading_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
