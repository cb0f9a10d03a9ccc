// SPDX-License-Identifier: Apache-2.0
// Sources that have something else at each poll, or the same bad thing for ever.
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_room.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "updater/agent/denylist.h"
#include "updater/agent/history.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { POLLS = 104, POLLS_BEFORE = 10, STATE_BYTES_MAX = 64 * 1024 };

// Another release each time, numbered from 1.
static const char another[] =
    "echo x >> n; n=$(($(wc -c < n) / 2)); printf '{\"result\":\"offer\",\"source\":\"dir\","
    "\"offer\":\"%016x%048x\",\"url\":\"/drop/%d\",\"version\":\"%d.0\",\"release_index\":%d,"
    "\"manifest_sha256\":\"%064x\"}\\n' $n 0 $n $n $n $n > answer\n";

// And all that came of it: nothing is to be done before some time is over.
static bool has_polled(const struct agent_room *r)
{
    return r->agent->polls > 0 && !verb_child_runs(&r->agent->child) &&
           r->agent->gates.stage == GATES_IDLE &&
           loop_has_deadline(&r->agent->loop, &r->agent->wake) &&
           r->agent->wake.due_ms > loop_now_ms();
}

static bool polls(const struct agent_room *r)
{
    return verb_child_runs(&r->agent->child);
}

static bool has_offer_8(const struct agent_room *r)
{
    return r->agent->offer.record.release.release_index == 8;
}

static void open_at(struct agent_room *r, const char *dir)
{
    agent_room_make(r, dir, "[gates]\ndownload_command=exit 75\n");
    agent_room_open(r);
    agent_room_until(r, has_polled);
}

// The next poll is due.
static void poll_now(struct agent_room *r)
{
    r->agent->polls = 0;
    r->agent->poll.next_ms = loop_now_ms();
    agent_look_anew(r->agent);
    agent_turn_soon(r->agent);
    agent_room_until(r, has_polled);
    assert_int_equal(r->agent->polls, 1);
}

struct folder {
    unsigned files;
    uint64_t bytes;
};

static struct folder look_into(const char *path)
{
    struct folder f = {0};
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        struct stat st;
        if (entry->d_name[0] != '.' && fstatat(dirfd(dir), entry->d_name, &st, 0) == 0) {
            f.files++;
            f.bytes += (uint64_t)st.st_size;
        }
    }
    closedir(dir);
    return f;
}

static unsigned reports(const struct agent_room *r)
{
    char path[512];
    return look_into(temp_dir_path(path, sizeof path, r->dir, "reports")).files;
}

static void each_release_that_another_takes_the_place_of_is_reported_once(void **state)
{
    struct agent_room r;
    struct error e;
    struct folder before = {0};
    CLEANUP(cleanup_free) struct history *history = NULL;
    open_at(&r, *state);
    agent_room_poll_with(&r, another);
    for (unsigned i = 1; i <= POLLS; i++) {
        poll_now(&r);
        // One poll takes the offer back, the next one takes what there is by then.
        bool at_hand = r.agent->offer.record.phase == OFFER_ACCEPTED;
        assert_int_equal(at_hand, i % 2 == 1);
        assert_int_equal(reports(&r), i / 2);
        if (!at_hand) {
            assert_true(r.agent->poll.next_ms >= r.agent->poll.ended_ms + POLL_TRIGGER_DISTANCE_MS);
        }
        if (i == POLLS_BEFORE) {
            before = look_into(r.file.state);
        }
    }
    assert_int_equal(agent_room_runs(&r, "check"), POLLS + 1);
    assert_int_equal(agent_room_said(&r, "its source knows"), POLLS / 2);
    struct folder after = look_into(r.file.state);
    assert_int_equal(after.files, before.files);
    assert_true(after.bytes < STATE_BYTES_MAX);
    assert_ok(history_load(r.device->state, &r.log, &history, &e));
    assert_int_equal(history->count, HISTORY_MAX);
    assert_string_equal(history->entries[HISTORY_MAX - 1].reason,
                        "release 104.0 is offered in its place");
    agent_room_clear(&r);
}

static void what_failed_here_is_refused_once_in_the_log_however_often_it_is_offered(void **state)
{
    struct agent_room r;
    struct error e;
    struct release_id release = {.version = "7.0", .release_index = 7};
    CLEANUP(cleanup_free) struct denylist *list = NULL;
    release.manifest_sha256[SHA256_SIZE - 1] = 7;
    open_at(&r, *state);
    assert_ok(denylist_load(r.device->state, &r.log, &list, &e));
    denylist_add(list, &release, "its checks failed", 1000);
    assert_ok(denylist_save(r.device->state, list, &e));
    agent_room_offer(&r, 7);
    for (unsigned i = 0; i < 20; i++) {
        poll_now(&r);
        assert_int_equal(r.agent->offer.record.phase, OFFER_NONE);
    }
    assert_int_equal(agent_room_runs(&r, "check"), 21);
    assert_int_equal(agent_room_said(&r, "release 7.0 failed here"), 1);
    assert_int_equal(reports(&r), 0);
    agent_room_clear(&r);
}

// Of its own release, offered again, too: it was put aside by the other one a moment ago.
static void two_releases_in_turn_come_to_rest_at_one_of_them(void **state)
{
    struct agent_room r;
    open_at(&r, *state);
    for (unsigned i = 0; i < 20; i++) {
        agent_room_offer(&r, 7 + i % 2);
        poll_now(&r);
    }
    assert_int_equal(agent_room_said(&r, "its source knows"), 1);
    agent_room_clear(&r);
}

static void what_is_offered_while_the_one_before_is_cancelled_is_asked_for_again(void **state)
{
    struct agent_room r;
    struct error e;
    open_at(&r, *state);
    agent_room_offer(&r, 7);
    poll_now(&r);
    agent_room_offer(&r, 8);
    agent_room_poll_with(&r, "while [ ! -e go ]; do sleep 0.01; done\n");
    agent_look_anew(r.agent);
    r.agent->poll.next_ms = loop_now_ms();
    agent_turn_soon(r.agent);
    agent_room_until(&r, polls);
    assert_ok(agent_cancel(r.agent, "cancelled by alice", &e));
    file_device_write(r.dir, "go", "");
    agent_room_until(&r, has_offer_8);
    assert_int_equal(agent_room_said(&r, "there is no update to be cancelled"), 0);
    assert_int_equal(agent_room_said(&r, "its source knows"), 1);
    agent_room_clear(&r);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(each_release_that_another_takes_the_place_of_is_reported_once),
        with_dir(what_failed_here_is_refused_once_in_the_log_however_often_it_is_offered),
        with_dir(two_releases_in_turn_come_to_rest_at_one_of_them),
        with_dir(what_is_offered_while_the_one_before_is_cancelled_is_asked_for_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
