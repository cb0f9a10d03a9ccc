// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_room.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <pwd.h>

// How often the agent asked who a user is: a service of names may be down.
static unsigned asked_for_names;
static bool names_are_known = true;

struct passwd *getpwuid(uid_t uid)
{
    static char name[] = "alice";
    static struct passwd user = {.pw_name = name};
    (void)uid;
    asked_for_names++;
    return names_are_known ? &user : NULL;
}

static bool is_held(const struct agent_room *r)
{
    return r->agent->state == AGENT_WAITING;
}

static bool has_none(const struct agent_room *r)
{
    return r->agent->offer.record.phase == OFFER_NONE && r->agent->state == AGENT_IDLE;
}

static void an_unknown_request_names_those_that_there_are(void **state)
{
    struct agent_room r;
    struct error e;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    assert_fails(ERR_USAGE, "fly: wants status, check, cancel, hold",
                 agent_room_ask(&r, "{\"do\":\"fly\"}", NULL, &e));
    agent_room_clear(&r);
}

static void expect_note(struct agent_room *r, const char *phases, const char *note)
{
    struct error e;
    char request[128];
    CLEANUP(cleanup_json) json_t *answer = NULL;
    snprintf(request, sizeof request, "{\"do\":\"hold\",\"owner\":\"a\",\"phases\":\"%s\"}",
             phases);
    assert_ok(agent_room_ask(r, request, &answer, &e));
    const char *got = json_string_value(json_object_get(answer, "note"));
    assert_string_equal(got != NULL ? got : "none", note);
}

static void a_hold_that_comes_too_late_for_something_says_so(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    agent_room_until(&r, has_none);
    expect_note(&r, "all", "none");
    r.agent->reboots = true;
    expect_note(&r, "all", "the reboot is under way and takes place");
    expect_note(&r, "download, install", "none");
    agent_room_clear(&r);
}

static void a_poll_by_hand_does_not_order_a_reboot_again(void **state)
{
    struct agent_room r;
    struct error e;
    uint64_t again_ms = loop_now_ms() + UINT64_C(3600000);
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    agent_room_until(&r, has_none);
    r.agent->again_ms = again_ms;
    r.agent->reboots = true;
    assert_ok(agent_room_ask(&r, "{\"do\":\"check\"}", NULL, &e));
    assert_int_equal(r.agent->again_ms, again_ms);
    r.agent->reboots = false;
    assert_ok(agent_room_ask(&r, "{\"do\":\"check\"}", NULL, &e));
    assert_int_equal(r.agent->again_ms, 0);
    agent_room_clear(&r);
}

static void holds_are_set_kept_and_released(void **state)
{
    struct agent_room r;
    struct error e;
    struct holds kept;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    assert_ok(agent_room_ask(&r, "{\"do\":\"hold\",\"owner\":\"alice\",\"phases\":\"reboot\"}",
                             NULL, &e));
    assert_ok(agent_room_ask(
        &r, "{\"do\":\"hold\",\"owner\":\"tv\",\"kind\":\"lock\",\"for_s\":60}", NULL, &e));
    assert_ok(holds_load(r.device->state, &kept, &e));
    assert_int_equal(kept.count, 2);
    assert_int_equal(kept.all[0].phases, 1 << GATE_REBOOT);
    assert_int_equal(kept.all[1].kind, HOLD_LOCK);
    assert_ok(agent_room_ask(&r, "{\"do\":\"release\",\"owner\":\"tv\"}", NULL, &e));
    assert_fails(ERR_NOT_NOW, "tv holds nothing",
                 agent_room_ask(&r, "{\"do\":\"release\",\"owner\":\"tv\"}", NULL, &e));
    assert_int_equal(r.agent->holds.count, 1);
    agent_room_clear(&r);
}

static void a_hold_does_not_end_the_wait_behind_a_failure(void **state)
{
    static const char lock[] = "{\"do\":\"hold\",\"owner\":\"tv\",\"kind\":\"lock\",\"for_s\":60}";
    struct agent_room r;
    struct error e;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    agent_wait(r.agent, 3600 * 1000, "no route");
    uint64_t again_ms = r.agent->again_ms;
    for (int i = 0; i < 10; i++) {
        assert_ok(agent_room_ask(&r, lock, NULL, &e));
        assert_int_equal(r.agent->again_ms, again_ms);
    }
    r.agent->gate_closed = true;
    assert_ok(agent_room_ask(&r, lock, NULL, &e));
    assert_int_equal(r.agent->again_ms, 0);
    agent_room_clear(&r);
}

static void a_hold_that_makes_no_sense_is_refused_and_changes_nothing(void **state)
{
    static const char *const requests[] = {
        "{\"do\":\"hold\",\"phases\":\"lunch\"}",
        "{\"do\":\"hold\",\"for_s\":0}",
        "{\"do\":\"hold\",\"for_s\":-5}",
        "{\"do\":\"hold\",\"for_s\":9000000000000}",
        "{\"do\":\"hold\",\"for_s\":\"soon\"}",
        "{\"do\":\"hold\",\"kind\":\"lock\",\"for_s\":86401}",
        "{\"do\":\"hold\",\"owner\":\"\"}",
        "{\"do\":\"allow\"}",
    };
    struct agent_room r;
    struct error e;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        assert_int_equal(agent_room_ask(&r, requests[i], NULL, &e), ERR_USAGE);
        assert_int_equal(r.agent->holds.count, 0);
    }
    agent_room_clear(&r);
}

static void the_user_who_asks_is_looked_up_only_when_nobody_is_named(void **state)
{
    struct agent_room r;
    struct error e;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    asked_for_names = 0;
    assert_ok(agent_room_ask(&r, "{\"do\":\"hold\",\"owner\":\"tv\"}", NULL, &e));
    assert_ok(agent_room_ask(&r, "{\"do\":\"release\",\"owner\":\"tv\"}", NULL, &e));
    assert_int_equal(agent_room_ask(&r, "{\"do\":\"cancel\",\"owner\":\"tv\"}", NULL, &e),
                     ERR_NOT_NOW);
    assert_int_equal(asked_for_names, 0);
    assert_ok(agent_room_ask(&r, "{\"do\":\"hold\"}", NULL, &e));
    assert_string_equal(r.agent->holds.all[0].owner, "alice");
    assert_int_equal(asked_for_names, 1);
    names_are_known = false;
    assert_ok(agent_room_ask(&r, "{\"do\":\"hold\"}", NULL, &e));
    assert_string_equal(r.agent->holds.all[1].owner, "uid 0");
    names_are_known = true;
    agent_room_clear(&r);
}

// What an application got wrong is told to it: it must not hold more than it meant.
static void a_mistyped_request_is_refused_with_the_member_and_changes_nothing(void **state)
{
    static const struct {
        const char *request;
        const char *says;
    } cases[] = {
        {"{\"do\":\"hold\",\"phases\":[\"reboot\"]}", "hold: phases: wants a string"},
        {"{\"do\":\"hold\",\"phases\":null}", "hold: phases: wants a string"},
        {"{\"do\":\"hold\",\"owner\":5}", "hold: owner: wants a string"},
        {"{\"do\":\"hold\",\"reason\":{}}", "hold: reason: wants a string"},
        {"{\"do\":\"hold\",\"kind\":true}", "hold: kind: wants a string"},
        {"{\"do\":\"hold\",\"kind\":\"Lock\"}", "kind: wants hold or lock"},
        {"{\"do\":\"hold\",\"for_s\":null}", "for_s: wants seconds"},
        {"{\"do\":\"hold\",\"phase\":\"reboot\"}",
         "hold: phase: is not known; wants owner, reason, phases, kind, for_s"},
        {"{\"do\":\"release\",\"owner\":[]}", "release: owner: wants a string"},
        {"{\"do\":\"release\",\"kind\":\"lock\"}", "release: kind: is not known; wants owner"},
        {"{\"do\":\"cancel\",\"owner\":7}", "cancel: owner: wants a string"},
        {"{\"do\":\"allow\",\"which\":7}", "allow: which: wants a string"},
        {"{\"do\":\"consent\",\"version\":\"2.0\"}", "consent: version: is not known; wants none"},
    };
    struct agent_room r;
    struct error e;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_fails(ERR_USAGE, cases[i].says, agent_room_ask(&r, cases[i].request, NULL, &e));
        assert_int_equal(r.agent->holds.count, 0);
    }
    agent_room_clear(&r);
}

static void a_lock_without_a_time_ends_after_a_day(void **state)
{
    struct agent_room r;
    struct error e;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    assert_ok(agent_room_ask(&r, "{\"do\":\"hold\",\"owner\":\"tv\",\"kind\":\"lock\"}", NULL, &e));
    assert_ok(
        agent_room_ask(&r, "{\"do\":\"hold\",\"owner\":\"eve\",\"kind\":\"hold\"}", NULL, &e));
    assert_int_equal(r.agent->holds.count, 2);
    assert_int_equal(r.agent->holds.all[0].length_ms, 24 * 3600 * 1000);
    assert_true(r.agent->holds.all[1].length_ms == HOLD_FOR_EVER);
    agent_room_clear(&r);
}

static void consent_is_for_an_offer_that_waits(void **state)
{
    struct agent_room r;
    struct error e;
    agent_room_make(&r, *state, "[gates]\ndownload_command=exit 75\n");
    agent_room_offer(&r, 7);
    agent_room_open(&r);
    assert_fails(ERR_NOT_NOW, "no update that waits for consent",
                 agent_room_ask(&r, "{\"do\":\"consent\"}", NULL, &e));
    agent_room_until(&r, is_held);
    assert_ok(agent_room_ask(&r, "{\"do\":\"consent\"}", NULL, &e));
    assert_true(r.agent->offer.record.consented);
    // It is not for the next one.
    assert_ok(agent_room_ask(&r, "{\"do\":\"cancel\"}", NULL, &e));
    agent_room_until(&r, has_none);
    assert_false(r.agent->offer.record.consented);
    agent_room_clear(&r);
}

static void consent_outlives_the_agent_it_was_given_to(void **state)
{
    struct agent_room r;
    struct error e;
    json_t *answer = NULL;
    agent_room_make(&r, *state, "[gates]\nneed_consent=yes\ndownload_command=exit 75\n");
    agent_room_offer(&r, 7);
    agent_room_open(&r);
    agent_room_until(&r, is_held);
    assert_ok(agent_room_ask(&r, "{\"do\":\"consent\"}", NULL, &e));
    agent_room_close(&r);
    agent_room_open(&r);
    agent_room_until(&r, is_held);
    assert_true(r.agent->offer.record.consented);
    assert_ok(agent_room_ask(&r, "{\"do\":\"status\"}", &answer, &e));
    const json_t *offer = json_object_get(json_object_get(answer, "agent"), "offer");
    assert_true(json_is_true(json_object_get(offer, "consented")));
    json_decref(answer);
    agent_room_clear(&r);
}

static void the_status_has_the_state_the_offer_the_poll_and_the_holds(void **state)
{
    struct agent_room r;
    struct error e;
    json_t *answer = NULL;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    assert_ok(agent_room_ask(&r, "{\"do\":\"hold\",\"owner\":\"alice\"}", NULL, &e));
    assert_ok(agent_room_ask(&r, "{\"do\":\"events\"}", &answer, &e));
    const json_t *agent = json_object_get(answer, "agent");
    assert_string_equal(json_string_value(json_object_get(agent, "state")), "idle");
    assert_true(json_is_null(json_object_get(agent, "offer")));
    assert_int_equal(json_array_size(json_object_get(agent, "holds")), 1);
    assert_non_null(json_object_get(json_object_get(agent, "poll"), "next_in_s"));
    json_decref(answer);
    agent_room_clear(&r);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(an_unknown_request_names_those_that_there_are),
        with_dir(a_hold_that_comes_too_late_for_something_says_so),
        with_dir(a_poll_by_hand_does_not_order_a_reboot_again),
        with_dir(holds_are_set_kept_and_released),
        with_dir(a_hold_does_not_end_the_wait_behind_a_failure),
        with_dir(a_hold_that_makes_no_sense_is_refused_and_changes_nothing),
        with_dir(the_user_who_asks_is_looked_up_only_when_nobody_is_named),
        with_dir(a_mistyped_request_is_refused_with_the_member_and_changes_nothing),
        with_dir(a_lock_without_a_time_ends_after_a_day),
        with_dir(consent_is_for_an_offer_that_waits),
        with_dir(consent_outlives_the_agent_it_was_given_to),
        with_dir(the_status_has_the_state_the_offer_the_poll_and_the_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
