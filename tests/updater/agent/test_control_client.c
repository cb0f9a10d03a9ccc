// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/control_client.h"

#include "tests/support/expect.h"
#include "tests/support/talk.h"
#include "tests/support/temp_dir.h"
#include "updater/agent/control.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { LONG_MS = 20000, SHORT_MS = 50, NOBODY = 65534 };

struct room {
    void *dir;
    char path[108];
    pid_t server; // 0: none
};

static int setup(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    assert_non_null(r);
    assert_int_equal(temp_dir_make(&r->dir), 0);
    temp_dir_path(r->path, sizeof r->path, r->dir, "control");
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct room *r = *state;
    if (r->server != 0) {
        kill(r->server, SIGTERM);
        assert_int_equal(waitpid(r->server, NULL, 0), r->server);
    }
    temp_dir_remove(&r->dir);
    free(r);
    return 0;
}

// --- an agent in a process of its own -----------------------------------------------------------

static enum err handle(void *ctx, const char *what, const json_t *request,
                       const struct control_peer *peer, json_t **ret_answer, struct error *e)
{
    (void)ctx;
    (void)request;
    if (strcmp(what, "status") != 0) {
        return fail(e, ERR_NOT_NOW, 0, "the flip was stored; too late to cancel");
    }
    *ret_answer = json_pack("{s:s, s:i}", "state", "idle", "pid", (int)peer->pid);
    return OK;
}

static void on_signal(void *ctx, int number)
{
    (void)number;
    loop_stop(ctx);
}

static void run_agent(const char *path, const char *group, int ready_fd)
{
    struct error e;
    struct loop loop;
    struct control control;
    struct log log = {.stream = stderr, .program = "agent"};
    const struct control_options options = {.path = path, .group = group, .handle = handle};
    bool ok = loop_open(&loop, on_signal, &loop, &e) == OK &&
              control_open(&control, &loop, &log, &options, &e) == OK;
    (void)!write(ready_fd, "", ok ? 1 : 0);
    close(ready_fd);
    ok = ok && loop_run(&loop, &e) == OK;
    _exit(ok ? 0 : 1);
}

static void start_agent(struct room *r, const char *group)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    r->server = fork();
    assert_true(r->server >= 0);
    if (r->server == 0) {
        close(ready[0]);
        run_agent(r->path, group, ready[1]);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
}

// One that answers the first connection with `answer` and closes it; NULL: not at all.
static void start_odd(struct room *r, const char *answer, size_t len)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, r->path, sizeof r->path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)unlink(r->path);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 1), 0);
    r->server = fork();
    assert_true(r->server >= 0);
    if (r->server == 0) {
        char request[256];
        int client = accept(fd, NULL, NULL);
        (void)!read(client, request, sizeof request);
        while (answer == NULL) {
            pause();
        }
        (void)!send(client, answer, len, MSG_NOSIGNAL);
        _exit(0);
    }
    close(fd);
}

static enum err ask(const struct room *r, const char *what, uint64_t timeout_ms, json_t **ret,
                    struct error *e)
{
    CLEANUP(cleanup_json) json_t *request = json_pack("{s:s}", "do", what);
    assert_non_null(request);
    return control_client_ask(r->path, request, timeout_ms, ret, e);
}

// --- tests --------------------------------------------------------------------------------------

static void an_answer_is_handed_over_whole(void **state)
{
    struct error e;
    struct room *r = *state;
    CLEANUP(cleanup_json) json_t *answer = NULL;
    uint64_t pid = 0;
    start_agent(r, "");
    assert_ok(ask(r, "status", LONG_MS, &answer, &e));
    assert_string_equal(json_string_value(json_object_get(answer, "state")), "idle");
    assert_true(json_is_true(json_object_get(answer, "ok")));
    assert_ok(json_get_u64(answer, "pid", &pid, &e));
    assert_int_equal(pid, getpid());
}

static void a_refusal_is_the_error_with_its_code_and_words(void **state)
{
    struct error e;
    struct room *r = *state;
    json_t *answer = NULL;
    start_agent(r, "");
    assert_fails(ERR_NOT_NOW, "the flip was stored; too late to cancel",
                 ask(r, "cancel", LONG_MS, &answer, &e));
    assert_null(answer);
}

static void without_an_agent_it_is_said_so(void **state)
{
    struct error e;
    struct room *r = *state;
    json_t *answer = NULL;
    char want[256];
    snprintf(want, sizeof want, "no agent is running (socket %s)", r->path);
    assert_fails(ERR_NOT_NOW, want, ask(r, "status", LONG_MS, &answer, &e));
    start_agent(r, "");
    kill(r->server, SIGKILL);
    assert_int_equal(waitpid(r->server, NULL, 0), r->server);
    r->server = 0;
    assert_int_equal(access(r->path, F_OK), 0); // it left its socket
    assert_fails(ERR_NOT_NOW, want, ask(r, "status", LONG_MS, &answer, &e));
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    (void)state;
    struct error e;
    char path[300];
    json_t *answer = NULL;
    CLEANUP(cleanup_json) json_t *request = json_pack("{s:s}", "do", "status");
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_fails(ERR_CONFIG, "too long", control_client_ask(path, request, LONG_MS, &answer, &e));
}

static void an_agent_that_does_not_answer_is_not_waited_for_for_ever(void **state)
{
    struct error e;
    struct room *r = *state;
    json_t *answer = NULL;
    start_odd(r, NULL, 0);
    assert_fails(ERR_AGAIN, "did not answer within 50 ms", ask(r, "status", SHORT_MS, &answer, &e));
    // Nor when nobody takes the connection: two fit into the queue.
    for (int i = 0; i < 3; i++) {
        assert_fails(ERR_AGAIN, "did not answer within 50 ms",
                     ask(r, "status", SHORT_MS, &answer, &e));
    }
}

static void an_agent_that_goes_away_is_told(void **state)
{
    struct error e;
    struct room *r = *state;
    json_t *answer = NULL;
    start_odd(r, "{\"ok\"", 5);
    assert_fails(ERR_AGAIN, "ended before it answered", ask(r, "status", LONG_MS, &answer, &e));
}

static void what_is_no_answer_is_refused(void **state)
{
    static const struct {
        const char *line;
        enum err code;
        const char *says;
    } cases[] = {
        {"HTTP/1.1 400 Bad Request\r\n", ERR_FORMAT, "answer: json"},
        {"{}\n", ERR_FORMAT, "member \"code\" is missing"},
        {"{\"ok\":1}\n", ERR_FORMAT, "member \"code\" is missing"},
        {"{\"ok\":false,\"error\":{\"code\":9}}\n", ERR_FORMAT, "member \"message\""},
        {"{\"ok\":false,\"error\":{\"code\":0,\"message\":\"odd\"}}\n", ERR_INTERNAL, "odd"},
        {"{\"ok\":false,\"error\":{\"code\":4242,\"message\":\"odd\"}}\n", ERR_INTERNAL, "odd"},
        {"{\"ok\":false,\"error\":{\"code\":75,\"message\":\"later\"}}\n", ERR_AGAIN, "later"},
    };
    struct error e;
    struct room *r = *state;
    json_t *answer = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start_odd(r, cases[i].line, strlen(cases[i].line));
        assert_fails(cases[i].code, cases[i].says, ask(r, "status", LONG_MS, &answer, &e));
        assert_int_equal(waitpid(r->server, NULL, 0), r->server);
    }
    r->server = 0;
    assert_null(answer);
}

static void an_answer_without_end_is_not_kept(void **state)
{
    struct error e;
    struct room *r = *state;
    json_t *answer = NULL;
    CLEANUP(cleanup_free) char *endless = malloc(CONTROL_QUEUE_MAX + 1);
    assert_non_null(endless);
    memset(endless, ' ', CONTROL_QUEUE_MAX + 1);
    start_odd(r, endless, CONTROL_QUEUE_MAX + 1);
    assert_fails(ERR_FORMAT, "an answer without end", ask(r, "status", LONG_MS, &answer, &e));
}

static void being_turned_away_is_told_in_the_agents_words(void **state)
{
    struct error e;
    struct room *r = *state;
    CLEANUP(cleanup_json) json_t *answer = NULL;
    int fds[CONTROL_CLIENTS_MAX];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, r->path, sizeof r->path);
    start_agent(r, "");
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(connect(fds[i], (struct sockaddr *)&at, sizeof at), 0);
    }
    assert_fails(ERR_AGAIN, "16 connections are open already",
                 ask(r, "status", LONG_MS, &answer, &e));
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        close(fds[i]);
    }
    assert_ok(ask(r, "status", LONG_MS, &answer, &e));
}

// What somebody is told who is neither root nor in the group.
static void ask_as_nobody(const struct room *r, char said[512])
{
    int out[2];
    assert_int_equal(pipe(out), 0);
    assert_int_equal(chmod(r->dir, 0755), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct error e = {0};
        json_t *answer = NULL;
        if (setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0) {
            enum err err = ask(r, "status", LONG_MS, &answer, &e);
            dprintf(out[1], "%d %d %s", (int)err, e.sys, e.msg);
        }
        _exit(0);
    }
    close(out[1]);
    ssize_t n = read(out[0], said, 511);
    said[n > 0 ? n : 0] = '\0';
    close(out[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void who_may_not_ask_is_told_who_may(void **state)
{
    struct room *r = *state;
    char said[512];
    char want[256];
    if (geteuid() != 0) {
        skip(); // nobody else can be somebody else
    }
    snprintf(want, sizeof want, "%d %d %s: only root", (int)ERR_IO, EACCES, r->path);
    start_agent(r, "");
    ask_as_nobody(r, said);
    assert_contains(said, want);
    assert_contains(said, "only root may talk to the agent");
    kill(r->server, SIGTERM);
    assert_int_equal(waitpid(r->server, NULL, 0), r->server);
    start_agent(r, "daemon");
    ask_as_nobody(r, said);
    assert_contains(said, want);
    assert_contains(said, "only root and members of the group \"daemon\" may talk to the agent");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_answer_is_handed_over_whole),
        T(a_refusal_is_the_error_with_its_code_and_words),
        T(without_an_agent_it_is_said_so),
        T(a_path_that_is_too_long_is_refused),
        T(an_agent_that_does_not_answer_is_not_waited_for_for_ever),
        T(an_agent_that_goes_away_is_told),
        T(what_is_no_answer_is_refused),
        T(an_answer_without_end_is_not_kept),
        T(being_turned_away_is_told_in_the_agents_words),
        T(who_may_not_ask_is_told_who_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
