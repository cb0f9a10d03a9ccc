// SPDX-License-Identifier: Apache-2.0
// Gates that are asked of a device that has been up for five hours, with a right clock and all of
// them open.
#ifndef TESTS_SUPPORT_GATES_ROOM_H
#define TESTS_SUPPORT_GATES_ROOM_H

#include "updater/agent/gates.h"

#include "tests/support/fake_power.h"
#include "tests/support/post_server.h"
#include "tests/support/run_wait.h"
#include "tests/support/talk.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n" body
#define BOOT "11111111-1111-1111-1111-111111111111"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, HOUR_S = 3600 };

// Saturday, 20 June 2026, 12:00 UTC.
static const uint64_t saturday_noon_s = 1781956800;

// A device up for five hours with a right clock and all gates open, for lack of any.
struct room {
    char *dir;
    struct gate_config config;
    struct holds holds;
    struct gate_facts facts;
    struct gates gates;
    struct gate_answer answer;
};

static inline int make(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    void *dir = NULL;
    if (r == NULL || temp_dir_make(&dir) != 0) {
        return -1;
    }
    setenv("TZ", "UTC0", 1);
    tzset();
    r->dir = dir;
    r->config.power_dir = r->dir;
    r->config.clock_wait_ms = 15 * MINUTE_MS;
    r->config.command_timeout_ms = RUN_PATIENCE_MS;
    r->facts = (struct gate_facts){
        .holds = &r->holds,
        .now = {BOOT, 5 * (uint64_t)HOUR_MS, saturday_noon_s, true},
        .time_floor_s = 1700000000,
        .version = "2.0",
        .release_index = 20,
    };
    *state = r;
    return 0;
}

static inline int tear_down(void **state)
{
    struct room *r = *state;
    void *dir = r->dir;
    run_let_go(&r->gates.run);
    free(r);
    return temp_dir_remove(&dir);
}

static inline void hold(struct room *r, unsigned phases, uint64_t length_ms)
{
    struct error e;
    const struct hold_request q = {HOLD_OPERATOR, "alice", "inventory", phases, length_ms};
    assert_ok(holds_set(&r->holds, &q, &r->facts.now, &e));
}

static inline void open_in(struct room *r, enum gate_phase phase, const char *text)
{
    assert_true(windows_parse(text, &r->config.windows[phase]));
}

// Closed with just this reason and time; "": open.
static inline void expect_answer(const struct gate_answer *a, const char *reason, uint64_t again_ms)
{
    if (a->open != (reason[0] == '\0') || strcmp(a->reason, reason) != 0 ||
        a->ask_again_ms != again_ms) {
        fail_msg("expected '%s', again in %llu ms\n     got: '%s', again in %llu ms", reason,
                 (unsigned long long)again_ms, a->reason, (unsigned long long)a->ask_again_ms);
    }
}

static inline void expect_look(struct room *r, enum gate_phase phase, const char *reason,
                               uint64_t again_ms)
{
    memset(&r->answer, 0x5a, sizeof r->answer);
    gates_look(&r->config, phase, &r->facts, &r->answer);
    expect_answer(&r->answer, reason, again_ms);
}

// Steps, with the time standing still, until there is an answer.
static inline void finish(struct room *r)
{
    uint64_t late = run_now_ms() + RUN_PATIENCE_MS;
    while (!gates_step(&r->gates, &r->config, &r->facts, &r->answer)) {
        assert_true(run_now_ms() < late);
        run_wait(&r->gates.run);
    }
}

static inline void ask(struct room *r, enum gate_phase phase)
{
    memset(&r->answer, 0x5a, sizeof r->answer);
    if (!gates_begin(&r->gates, &r->config, phase, &r->facts, &r->answer)) {
        finish(r);
    }
}

static inline void expect_asked(struct room *r, enum gate_phase phase, const char *reason,
                                uint64_t again_ms)
{
    ask(r, phase);
    expect_answer(&r->answer, reason, again_ms);
    assert_int_equal(r->gates.stage, GATES_IDLE);
}

#endif
