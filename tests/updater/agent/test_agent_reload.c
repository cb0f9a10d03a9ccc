// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_room.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// These lines come behind those of the configuration, and what is configured then is taken.
static enum err reload(struct agent_room *r, const char *lines, struct error *ret)
{
    struct error e;
    char path[512];
    const struct progress nobody = {.kind = PROGRESS_NONE};
    struct device *next = NULL;
    CLEANUP(cleanup_config) struct config *config = NULL;
    (void)!mkdir(temp_dir_path(path, sizeof path, r->dir, "update.conf.d"), 0700);
    file_device_write(r->dir, "update.conf.d/50-test.conf", lines);
    assert_ok(config_load(r->file.conf, &config, &e));
    assert_ok(device_open(config, DEVICE_LOOK, &r->log, &nobody, r->device->clock, &next, &e));
    (void)TAKE_PTR(config);
    enum err err = agent_reload(r->agent, next, ret);
    device_close(err == OK ? r->device : next);
    r->device = err == OK ? next : r->device;
    return err;
}

static void open_at(struct agent_room *r, const char *dir, const char *extra)
{
    agent_room_make(r, dir, extra);
    agent_room_open(r);
}

static bool has_polled(const struct agent_room *r)
{
    return r->agent->polls > 0 && r->agent->state == AGENT_IDLE;
}

static bool waits(const struct agent_room *r)
{
    return r->agent->state == AGENT_WAITING;
}

static bool has_tried(const struct agent_room *r)
{
    return agent_room_runs(r, "install") > 0;
}

// --- what counts --------------------------------------------------------------------------------

static void what_is_new_counts(void **state)
{
    struct agent_room r;
    struct error e;
    open_at(&r, *state, NULL);
    assert_ok(reload(&r,
                     "[gates]\nneed_consent=yes\nreboot_command=true\n[fleet]\ninterval=2h\n"
                     "[agent]\nhook=true\n",
                     &e));
    struct agent *a = r.agent;
    assert_ptr_equal(a->device, r.device);
    assert_ptr_equal(a->offer.state, r.device->state);
    assert_true(a->gate_config.need_consent);
    assert_string_equal(a->gate_config.command[GATE_REBOOT], "true");
    assert_string_equal(a->hooks.command, "true");
    assert_int_equal(poll_schedule_interval_ms(&a->poll), 2 * 3600 * 1000);
    assert_true(a->facts.journal == &r.device->journal);
    agent_room_clear(&r);
}

static void what_waits_for_a_gate_asks_the_new_one(void **state)
{
    struct agent_room r;
    struct error e;
    agent_room_make(&r, *state, NULL);
    agent_room_offer(&r, 7);
    agent_room_open(&r);
    assert_ok(reload(&r, "[gates]\ndownload_command=echo no; exit 75\n", &e));
    agent_room_until(&r, waits);
    assert_contains(r.agent->waits_for, "not yet: no");
    assert_int_equal(agent_room_runs(&r, "install"), 0);
    assert_ok(reload(&r, "[gates]\ndownload_command=true\n", &e));
    agent_turn_soon(r.agent);
    agent_room_until(&r, has_tried);
    assert_int_equal(r.agent->offer.record.release.release_index, 7);
    agent_room_clear(&r);
}

static void what_a_person_said_still_counts(void **state)
{
    struct agent_room r;
    struct error e;
    agent_room_make(&r, *state, "[gates]\ndownload_command=exit 75\n");
    agent_room_offer(&r, 7);
    agent_room_open(&r);
    agent_room_until(&r, waits);
    assert_ok(agent_room_ask(&r, "{\"do\":\"hold\",\"owner\":\"alice\"}", NULL, &e));
    assert_ok(agent_room_ask(&r, "{\"do\":\"consent\"}", NULL, &e));
    assert_ok(agent_room_ask(&r, "{\"do\":\"check\"}", NULL, &e));
    assert_ok(reload(&r, "[gates]\nneed_consent=yes\n", &e));
    assert_true(r.agent->offer.record.consented);
    assert_int_equal(r.agent->holds.count, 1);
    assert_true(r.agent->by_hand);
    assert_true(poll_schedule_next_ms(&r.agent->poll) <= loop_now_ms() + 1000);
    agent_room_clear(&r);
}

// --- polls --------------------------------------------------------------------------------------

static void the_same_source_is_asked_when_it_would_have_been(void **state)
{
    struct agent_room r;
    struct error e;
    open_at(&r, *state, NULL);
    agent_room_until(&r, has_polled);
    uint64_t next_ms = poll_schedule_next_ms(&r.agent->poll);
    assert_true(r.agent->seen_stamp != 0);
    assert_ok(reload(&r, "[gates]\nneed_consent=yes\n", &e));
    assert_true(poll_schedule_next_ms(&r.agent->poll) == next_ms);
    assert_int_equal(r.agent->seen_stamp, 0); // what was not for us may be now
    assert_int_equal(r.agent->polls, 1);
    agent_room_clear(&r);
}

static void another_source_is_asked_as_after_a_start(void **state)
{
    struct agent_room r;
    struct error e;
    char lines[512];
    open_at(&r, *state, NULL);
    agent_room_until(&r, has_polled);
    assert_string_equal(r.agent->poll_says, "there is no image");
    snprintf(lines, sizeof lines, "[fleet]\ndir=%s/reports\n", r.dir);
    assert_ok(reload(&r, lines, &e));
    assert_true(poll_schedule_next_ms(&r.agent->poll) <= loop_now_ms() + POLL_START_SPREAD_MS);
    assert_false(r.agent->poll.answered);
    assert_string_equal(r.agent->poll_says, "");
    agent_room_clear(&r);
}

// --- who is connected ---------------------------------------------------------------------------

static int listen_to(struct agent_room *r)
{
    static const char request[] = "{\"do\":\"events\"}\n";
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    temp_dir_path(at.sun_path, sizeof at.sun_path, r->dir, "agent.sock");
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(write(fd, request, sizeof request - 1), (ssize_t)sizeof request - 1);
    return fd;
}

static bool is_listened_to(const struct agent_room *r)
{
    return control_has_listeners(&r->agent->control);
}

static void who_listens_hears_what_comes_after_it(void **state)
{
    struct agent_room r;
    struct error e;
    char heard[8192];
    open_at(&r, *state, NULL);
    int fd = listen_to(&r);
    agent_room_until(&r, is_listened_to);
    assert_ok(reload(&r, "[gates]\nneed_consent=yes\n", &e));
    agent_set_state(r.agent, AGENT_WAITING, "a test");
    ssize_t n = recv(fd, heard, sizeof heard - 1, MSG_DONTWAIT);
    heard[n > 0 ? n : 0] = '\0';
    assert_contains(heard, "\"a test\"");
    close(fd);
    agent_room_clear(&r);
}

// Every child there was has ended and been waited for.
static bool has_no_child(const struct agent_room *r)
{
    const struct agent *a = r->agent;
    return a->polls > 0 && a->hooks.pid == 0 && a->gates.run.pid == 0 &&
           !verb_child_runs(&a->child);
}

static void check_no_child_is_left(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // dead or alive
    assert_int_equal(errno, ECHILD);
}

// Two events: the hook hangs with the first, the second waits for it.
static void what_a_hook_was_not_told_yet_is_told_after_it(void **state)
{
    struct agent_room r;
    struct error e;
    char extra[600];
    char path[512];
    size_t len;
    CLEANUP(cleanup_free) uint8_t *told = NULL;
    const char *dir = *state;
    snprintf(extra, sizeof extra,
             "hook=read go < %s/go; echo \"$VV_STATE $VV_REASON\" >> %s/told\n", dir, dir);
    open_at(&r, dir, extra);
    assert_int_equal(mkfifo(temp_dir_path(path, sizeof path, dir, "go"), 0600), 0);
    agent_set_state(r.agent, AGENT_WAITING, "the first");
    agent_set_state(r.agent, AGENT_WAITING, "the last");
    pid_t pid = r.agent->hooks.pid;
    assert_true(pid > 0);
    snprintf(extra, sizeof extra, "[agent]\nhook=echo \"new: $VV_REASON\" >> %s/told\n", dir);
    assert_ok(reload(&r, extra, &e));
    assert_int_equal(r.agent->hooks.pid, pid);
    assert_int_equal(r.agent->hooks.count, 1);
    file_device_write(dir, "go", "now\n");
    agent_room_until(&r, has_no_child);
    assert_ok(file_read(temp_dir_path(path, sizeof path, dir, "told"), 4096, &told, &len, &e));
    assert_string_equal((char *)told, "waiting the first\nnew: the last\n");
    check_no_child_is_left();
    agent_room_clear(&r);
}

static bool asks_a_command(const struct agent_room *r)
{
    return r->agent->gates.stage == GATES_COMMAND;
}

static void the_command_of_a_gate_is_ended_and_waited_for(void **state)
{
    struct agent_room r;
    struct error e;
    agent_room_make(&r, *state, "[gates]\ndownload_command=exec sleep 1000\n");
    agent_room_offer(&r, 7);
    agent_room_open(&r);
    agent_room_until(&r, asks_a_command);
    assert_ok(reload(&r, "[gates]\ndownload_command=\ndownload_window=\n", &e));
    assert_int_equal(r.agent->gates.stage, GATES_IDLE);
    agent_room_until(&r, has_no_child);
    check_no_child_is_left();
    agent_room_clear(&r);
}

// --- what cannot be used ------------------------------------------------------------------------

static void what_cannot_be_used_changes_nothing(void **state)
{
    static const struct {
        const char *lines;
        const char *says;
    } cases[] = {
        {"[agent]\ngroup=vv-nobody\n", "there is no group \"vv-nobody\""},
        {"[agent]\nsocket=/nowhere/at/all/agent.sock\n", "make the directory of the socket"},
        {"[fleet]\nsource=none\n", "[fleet] source is none"},
        {"[device]\nstate_dir=/tmp\n", "restart the agent"},
    };
    struct agent_room r;
    struct error e;
    open_at(&r, *state, "hook=true\n");
    agent_room_until(&r, has_polled);
    struct agent *a = r.agent;
    uint64_t next_ms = poll_schedule_next_ms(&a->poll);
    uint64_t stamp = a->seen_stamp;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char lines[512];
        snprintf(lines, sizeof lines, "%s[gates]\nneed_consent=yes\n", cases[i].lines);
        assert_int_not_equal(reload(&r, lines, &e), OK);
        assert_contains(e.msg, cases[i].says);
        assert_ptr_equal(a->device, r.device);
        assert_ptr_equal(a->offer.state, r.device->state);
        assert_ptr_equal(a->hooks.command, r.device->config->agent.hook);
        assert_false(a->gate_config.need_consent);
        assert_true(poll_schedule_next_ms(&a->poll) == next_ms && a->seen_stamp == stamp);
    }
    close(listen_to(&r)); // it is there
    agent_room_clear(&r);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(what_is_new_counts),
        with_dir(what_waits_for_a_gate_asks_the_new_one),
        with_dir(what_a_person_said_still_counts),
        with_dir(the_same_source_is_asked_when_it_would_have_been),
        with_dir(another_source_is_asked_as_after_a_start),
        with_dir(who_listens_hears_what_comes_after_it),
        with_dir(what_a_hook_was_not_told_yet_is_told_after_it),
        with_dir(the_command_of_a_gate_is_ended_and_waited_for),
        with_dir(what_cannot_be_used_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
