// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_room.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

static bool is_held(const struct agent_room *r)
{
    return r->agent->state == AGENT_WAITING;
}

// The journal says that so much came in for a release.
static void fetch(const struct agent_room *r, uint64_t bytes)
{
    struct error e;
    struct journal *j = &r->device->journal;
    const struct release_id release = {.version = "7.0", .manifest_sha256 = {7}};
    journal_set_fetched(j, &release, bytes);
    assert_ok(journal_save(r->device->state, j, &e));
}

static void what_an_install_that_was_cut_off_has_fetched_is_found_by_the_next_agent(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    fetch(&r, 1000);
    agent_look(r.agent);
    assert_int_equal(r.agent->traffic.bytes, 1000);
    fetch(&r, 1500);
    agent_room_close(&r);
    agent_room_open(&r);
    assert_int_equal(r.agent->traffic.bytes, 1000);
    agent_look(r.agent);
    assert_int_equal(r.agent->traffic.bytes, 1500);
    agent_look(r.agent);
    assert_int_equal(r.agent->traffic.bytes, 1500);
    agent_room_clear(&r);
}

static void a_month_that_is_used_up_holds_the_download_back_and_is_shown(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, "[gates]\nmonthly_budget=1000\n");
    agent_room_offer(&r, 7);
    agent_room_open(&r);
    fetch(&r, 1000);
    agent_room_until(&r, is_held);
    assert_contains(r.agent->waits_for, "waiting for the byte budget of the next month");
    assert_int_equal(agent_room_runs(&r, "install"), 0);
    CLEANUP(cleanup_json) json_t *status = agent_status_json(r.agent);
    assert_int_equal(json_integer_value(json_object_get(status, "month_bytes")), 1000);
    agent_room_clear(&r);
}

static void only_what_came_over_a_network_counts(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    snprintf(r.agent->offer.record.offer.url, sizeof r.agent->offer.record.offer.url, "/drop/7");
    agent_add_traffic(r.agent, 500);
    assert_int_equal(r.agent->traffic.bytes, 0);
    snprintf(r.agent->offer.record.offer.url, sizeof r.agent->offer.record.offer.url,
             "http://h/7.vvi");
    agent_add_traffic(r.agent, 500);
    assert_int_equal(r.agent->traffic.bytes, 500);
    agent_room_clear(&r);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(what_an_install_that_was_cut_off_has_fetched_is_found_by_the_next_agent),
        with_dir(a_month_that_is_used_up_holds_the_download_back_and_is_shown),
        with_dir(only_what_came_over_a_network_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
