// SPDX-License-Identifier: Apache-2.0
#include "tests/support/agent_listener.h"

#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TURNS_MAX = 100 };

static void take_line(struct agent_listener *l, const char *line, size_t len)
{
    struct error e;
    json_t *object = NULL;
    assert_ok(json_parse(line, len, &object, &e));
    assert_int_equal(json_array_append_new(l->events, object), 0);
}

static void receive(struct agent_listener *l)
{
    ssize_t n = 1;
    while (n > 0) {
        assert_true(l->len < sizeof l->rest);
        n = recv(l->fd, l->rest + l->len, sizeof l->rest - l->len, MSG_DONTWAIT);
        l->len += n > 0 ? (size_t)n : 0;
        char *end;
        while ((end = memchr(l->rest, '\n', l->len)) != NULL) {
            take_line(l, l->rest, (size_t)(end - l->rest));
            l->len -= (size_t)(end + 1 - l->rest);
            memmove(l->rest, end + 1, l->len);
        }
    }
}

void agent_listener_begin(struct agent_listener *l, struct agent_room *r)
{
    struct error e;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    static const char request[] = "{\"do\":\"events\"}\n";
    *l = (struct agent_listener){.events = json_array()};
    assert_non_null(l->events);
    temp_dir_path(at.sun_path, sizeof at.sun_path, r->dir, "agent.sock");
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(l->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(send(l->fd, request, strlen(request), 0), strlen(request));
    for (int i = 0; i < TURNS_MAX && json_array_size(l->events) == 0; i++) {
        assert_ok(loop_turn(&r->agent->loop, &e));
        receive(l);
    }
    assert_true(control_has_listeners(&r->agent->control));
}

void agent_listener_end(struct agent_listener *l)
{
    close(l->fd);
    json_decref(l->events);
}

void agent_listener_until(struct agent_listener *l, struct agent_room *r, const char *kind)
{
    struct error e;
    const json_t *event;
    for (int i = 0; i < TURNS_MAX && agent_listener_count(l, kind, &event) == 0; i++) {
        assert_ok(loop_turn(&r->agent->loop, &e));
    }
    assert_true(agent_listener_count(l, kind, &event) > 0);
}

size_t agent_listener_count(struct agent_listener *l, const char *kind, const json_t **ret)
{
    size_t count = 0;
    size_t i;
    const json_t *event;
    receive(l);
    *ret = NULL;
    json_array_foreach(l->events, i, event)
    {
        const char *name = json_string_value(json_object_get(event, "event"));
        if (name != NULL && strcmp(name, kind) == 0) {
            *ret = event;
            count++;
        }
    }
    return count;
}
