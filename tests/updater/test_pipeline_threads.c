// SPDX-License-Identifier: Apache-2.0
#include "updater/pipeline_parts.h"

#include "tests/support/expect.h"
#include "tests/support/pipeline_bench.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void one_pipeline_runs_again_and_again(void **state)
{
    struct line *s = *state;
    line_open(s, 2, 4);
    for (int i = 0; i < 5; i++) {
        line_run(s);
    }
    assert_int_equal(s->source->fetched_bytes + s->source->others_fetched_bytes,
                     5 * s->payload_len);
    assert_int_equal(s->source->requests + s->source->others_requests, s->server.starts);
}

static void a_few_ranges_open_no_more_connections_than_there_are(void **state)
{
    struct line *s = *state;
    struct error e;
    struct piece piece;
    line_open(s, 2, 6);
    pipeline_want(s->pipeline, 1, PIECE_FETCHED);
    pipeline_want(s->pipeline, 100, PIECE_FETCHED);
    pipeline_begin(s->pipeline, NULL, NULL);
    assert_ok(pipeline_take(s->pipeline, 1, &piece, &e));
    assert_ok(pipeline_take(s->pipeline, 100, &piece, &e));
    assert_memory_equal(piece.raw, s->content + 100 * LINE_CHUNK, LINE_CHUNK);
    pipeline_end(s->pipeline);
    assert_int_equal(s->server.clones, 1);
    assert_int_equal(s->server.starts, 2);
}

static void a_source_that_is_read_from_one_place_is_read_by_one_lane(void **state)
{
    struct line *s = *state;
    s->server.no_clones = true;
    line_open(s, 2, 6);
    line_run(s);
    assert_int_equal(s->server.most_under_way, 1);
}

static void who_takes_no_more_ends_all_waits(void **state)
{
    struct line *s = *state;
    struct error e;
    struct piece piece;
    s->server.silent_off = line_off(s, 2);
    line_open(s, 2, 4);
    line_begin(s);
    assert_ok(pipeline_take(s->pipeline, 0, &piece, &e));
    pipeline_end(s->pipeline);
    assert_true(s->server.interrupted <= 1);
    s->server.silent_off = SIDE_NOWHERE;
    line_run(s);
}

// From here on this process gets no more threads, as at the limit of a control group.
static bool forbid_threads(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {sizeof steps / sizeof steps[0], steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static void threads_that_cannot_be_started_are_done_without_and_that_is_said(void **state)
{
    struct line *s = *state;
    line_open(s, 2, 4);
    line_run(s);
    assert_null(pipeline_lost_threads(s->pipeline));
    pid_t child = fork();
    if (child == 0) {
        struct error e;
        uint32_t index = 0;
        bool forbidden = forbid_threads();
        line_open(s, 2, 4);
        line_begin(s);
        bool took = line_take_all(s, &index, &e) == OK;
        pipeline_end(s->pipeline);
        const char *why = pipeline_lost_threads(s->pipeline);
        bool said = why != NULL && strstr(why, "a thread could not be started") != NULL;
        _exit(forbidden && took && said ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        line_test(one_pipeline_runs_again_and_again),
        line_test(a_few_ranges_open_no_more_connections_than_there_are),
        line_test(a_source_that_is_read_from_one_place_is_read_by_one_lane),
        line_test(who_takes_no_more_ends_all_waits),
        line_test(threads_that_cannot_be_started_are_done_without_and_that_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
