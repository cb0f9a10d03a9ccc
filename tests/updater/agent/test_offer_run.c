// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/offer_run.h"

#include "tests/support/offer_scene.h"

// As if nobody had flipped anything: the release is in slot b, and slot a boots next.
static void call_off(struct scene *s)
{
    struct error e;
    bool is_stored;
    s->device->journal.step = STEP_INSTALLED;
    assert_ok(boot_decide(&s->device->config->boot, s->device->env, DECIDE_INVALIDATE, SLOT_B, 0,
                          &is_stored, &e));
    offer_look(&s->run, s->device, &s->facts);
}

// --- accept --------------------------------------------------------------------------------------

static void an_offer_is_on_record_once_it_is_accepted(void **state)
{
    struct scene *s = *state;
    struct error e;
    const struct release_id release = {.version = "2.0", .release_index = 2};
    assert_ok(offer_accept(&s->run, &first, &release, &e));
    expect_phase(s, OFFER_ACCEPTED);
    struct offer_record r = stored(s);
    assert_string_equal(r.offer.id, "1");
    assert_string_equal(r.offer.url, first.url);
    assert_true(r.release_known);
    assert_string_equal(r.release.version, "2.0");
    assert_true(r.accepted_s > 0);
}

static void the_same_offer_again_changes_nothing(void **state)
{
    struct scene *s = *state;
    struct error e;
    struct offer other_url = first;
    accept_first(s);
    install(s);
    unsigned replaced = s->trial->bench->state.replaced;
    snprintf(other_url.url, sizeof other_url.url, "https://mirror/2.0.vvi");
    assert_ok(offer_accept(&s->run, &other_url, NULL, &e));
    assert_int_equal(s->trial->bench->state.replaced, replaced);
    expect_phase(s, OFFER_INSTALLED);
}

static void another_offer_is_refused_until_the_report_is_acknowledged(void **state)
{
    struct scene *s = *state;
    struct error e;
    accept_first(s);
    assert_fails(ERR_AGAIN, "'1' of server is under way", offer_accept(&s->run, &second, NULL, &e));
    call_off(s);
    assert_ok(offer_cancel(&s->run, &s->facts, "cancelled by the operator", &e));
    assert_fails(ERR_AGAIN, "not reported yet", offer_accept(&s->run, &second, NULL, &e));
    begin(s, OFFER_STEP_REPORT);
    end(s, OFFER_STEP_REPORT, &went_well);
    assert_fails(ERR_AGAIN, "", offer_accept(&s->run, &second, NULL, &e));
    begin(s, OFFER_STEP_FORGET);
    expect_phase(s, OFFER_NONE);
    assert_ok(offer_accept(&s->run, &second, NULL, &e));
    assert_string_equal(stored(s).offer.id, "2");
}

static void an_offer_that_no_report_could_name_is_refused(void **state)
{
    struct scene *s = *state;
    struct error e;
    struct offer bad = first;
    bad.id[0] = '\0';
    assert_fails(ERR_FORMAT, "not accepted", offer_accept(&s->run, &bad, NULL, &e));
    snprintf(bad.id, sizeof bad.id, "\xff");
    assert_fails(ERR_FORMAT, "UTF-8", offer_accept(&s->run, &bad, NULL, &e));
    memset(bad.id, 'x', sizeof bad.id); // no end
    assert_fails(ERR_FORMAT, "too long", offer_accept(&s->run, &bad, NULL, &e));
    bad = first;
    bad.url[0] = '\0';
    assert_fails(ERR_FORMAT, "empty", offer_accept(&s->run, &bad, NULL, &e));
    bad = first;
    memset(bad.source, 'x', sizeof bad.source);
    assert_fails(ERR_FORMAT, "", offer_accept(&s->run, &bad, NULL, &e));
    assert_false(state_mem_has(&s->trial->bench->state, "offer"));
}

static void what_is_not_on_record_is_not_accepted(void **state)
{
    struct scene *s = *state;
    struct error e;
    s->trial->bench->state.read_only = true;
    assert_fails(ERR_IO, "", offer_accept(&s->run, &first, NULL, &e));
    assert_int_equal(s->run.record.phase, OFFER_NONE);
}

// --- cancel --------------------------------------------------------------------------------------

static void a_cancel_is_decided_before_the_flip_and_refused_after_it(void **state)
{
    struct scene *s = *state;
    struct error e;
    assert_fails(ERR_NOT_NOW, "no update", offer_cancel(&s->run, &s->facts, "why", &e));
    accept_first(s);
    install(s);
    assert_fails(ERR_NOT_NOW, "release 2.0 cannot be cancelled: it boots next already",
                 offer_cancel(&s->run, &s->facts, "by the operator", &e));
    call_off(s);
    assert_ok(offer_cancel(&s->run, &s->facts, "by the operator", &e));
    struct offer_record r = stored(s);
    assert_int_equal(r.outcome, OFFER_CANCELLED);
    assert_string_equal(r.reason, "by the operator");
    assert_fails(ERR_NOT_NOW, "no update", offer_cancel(&s->run, &s->facts, "why", &e));
    begin(s, OFFER_STEP_REPORT);
    end(s, OFFER_STEP_REPORT, &went_well);
    begin(s, OFFER_STEP_FORGET);
    accept_first(s);
    install(s);
    begin(s, OFFER_STEP_ACTIVATE);
    end(s, OFFER_STEP_ACTIVATE, &went_well);
    assert_fails(ERR_NOT_NOW, "release 2.0 cannot be cancelled: the boot environment was told",
                 offer_cancel(&s->run, &s->facts, "by the operator", &e));
}

// The activation was begun, and for whatever reason nothing came of it.
static void a_flip_that_never_came_to_be_can_be_cancelled(void **state)
{
    struct scene *s = *state;
    struct error e;
    accept_first(s);
    install(s);
    begin(s, OFFER_STEP_ACTIVATE);
    call_off(s);
    assert_ok(offer_cancel(&s->run, &s->facts, "by the operator", &e));
    reopen(s, "another");
    assert_int_equal(s->run.record.outcome, OFFER_CANCELLED);
    begin(s, OFFER_STEP_REPORT);
}

// Its end comes when the offer is decided, and says nothing but what was fetched.
static void an_install_that_ends_behind_a_cancel_changes_no_report(void **state)
{
    static const enum err ends[] = {OK, ERR_AGAIN, ERR_NETWORK, ERR_TRUST, ERR_TOO_LARGE};
    struct scene *s = *state;
    struct error e;
    call_off(s);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const struct offer_end done = {.err = ends[i],
                                       .reason = "why",
                                       .release = {.version = "9.0"},
                                       .target = SLOT_B,
                                       .fetched_bytes = 7};
        accept_first(s);
        begin(s, OFFER_STEP_INSTALL);
        assert_ok(offer_cancel(&s->run, &s->facts, "by the operator", &e));
        end(s, OFFER_STEP_INSTALL, &done);
        struct offer_record r = stored(s);
        assert_int_equal(r.phase, OFFER_DONE);
        assert_int_equal(r.outcome, OFFER_CANCELLED);
        assert_string_equal(r.reason, "by the operator");
        assert_false(r.release_known);
        assert_int_equal(r.failed_by, OK);
        assert_int_equal(r.fetched_bytes, 7);
        begin(s, OFFER_STEP_REPORT);
        end(s, OFFER_STEP_REPORT, &went_well);
        begin(s, OFFER_STEP_FORGET);
    }
}

// --- the whole way -------------------------------------------------------------------------------

static void to_the_reboot(struct scene *s)
{
    accept_first(s);
    install(s);
    expect_phase(s, OFFER_INSTALLED);
    assert_int_equal(stored(s).target, SLOT_B);
    begin(s, OFFER_STEP_ACTIVATE);
    expect_phase(s, OFFER_ACTIVATING);
    assert_string_equal(stored(s).boot_id, "one");
    end(s, OFFER_STEP_ACTIVATE, &went_well); // it is on trial already
    expect_phase(s, OFFER_ACTIVATED);
    begin(s, OFFER_STEP_REBOOT);
    expect_phase(s, OFFER_REBOOTING);
    unsigned replaced = s->trial->bench->state.replaced;
    begin(s, OFFER_STEP_REBOOT); // again: nothing new is to be said
    assert_int_equal(s->trial->bench->state.replaced, replaced);
}

static void a_healthy_release_is_a_success_once_it_is_confirmed(void **state)
{
    struct scene *s = *state;
    struct offer_todo todo;
    trial_check(s->trial, "true");
    to_the_reboot(s);
    reboot(s, SLOT_B);
    assert_int_equal(next(s, &todo), OFFER_STEP_WAIT_VERDICT);
    confirm(s, OK);
    begin(s, OFFER_STEP_DECIDE);
    expect_phase(s, OFFER_DONE);
    struct offer_record r = stored(s);
    assert_int_equal(r.outcome, OFFER_SUCCESS);
    assert_string_equal(r.reason, "");
    assert_string_equal(r.failed_checks, "");
    assert_true(r.decided_s > 0);
    assert_false(r.reported);
}

static void a_release_that_is_not_healthy_is_a_failure_with_its_checks(void **state)
{
    struct scene *s = *state;
    struct offer_todo todo;
    trial_check(s->trial, "echo no frame; false");
    to_the_reboot(s);
    reboot(s, SLOT_B);
    confirm(s, ERR_HEALTH);
    assert_int_equal(next(s, &todo), OFFER_STEP_WAIT_VERDICT); // for the reboot
    reboot(s, SLOT_A);
    begin(s, OFFER_STEP_DECIDE);
    struct offer_record r = stored(s);
    assert_int_equal(r.outcome, OFFER_FAILURE);
    assert_string_equal(r.reason, s->device->journal.last.reason);
    assert_contains(r.failed_checks, ": no frame");
}

static void a_report_is_the_same_until_it_is_acknowledged(void **state)
{
    struct scene *s = *state;
    struct error e;
    accept_first(s);
    const struct offer_end lost = {
        .err = ERR_TRUST, .reason = "nobody signed it", .release = {.version = "9.0"}};
    end(s, OFFER_STEP_INSTALL, &lost);
    struct offer_record before = stored(s);
    assert_int_equal(before.outcome, OFFER_FAILURE);
    assert_string_equal(before.reason, "nobody signed it");
    for (int i = 0; i < 3; i++) {
        const struct offer_end down = {.err = ERR_NETWORK, .reason = "no route"};
        begin(s, OFFER_STEP_REPORT);
        end(s, OFFER_STEP_REPORT, &down);
        reopen(s, "another");
        struct offer_record now = stored(s);
        assert_false(now.reported);
        assert_int_equal(now.decided_s, before.decided_s);
        assert_string_equal(now.reason, before.reason);
    }
    begin(s, OFFER_STEP_REPORT);
    s->trial->bench->state.read_only = true; // acknowledged, and it cannot be noted
    offer_look(&s->run, s->device, &s->facts);
    assert_fails(ERR_IO, "", offer_ended(&s->run, OFFER_STEP_REPORT, &went_well, &s->facts, &e));
    assert_false(s->run.record.reported);
    s->trial->bench->state.read_only = false;
    begin(s, OFFER_STEP_REPORT);
    end(s, OFFER_STEP_REPORT, &went_well);
    assert_true(stored(s).reported);
}

// --- what goes wrong -----------------------------------------------------------------------------

static void what_is_not_on_record_is_not_begun(void **state)
{
    struct scene *s = *state;
    struct error e;
    struct offer_todo todo;
    accept_first(s);
    install(s);
    assert_int_equal(next(s, &todo), OFFER_STEP_ACTIVATE);
    s->trial->bench->state.read_only = true;
    assert_fails(ERR_IO, "", offer_begin(&s->run, &todo, &e));
    s->trial->bench->state.read_only = false;
    expect_phase(s, OFFER_INSTALLED);
    todo.step = OFFER_STEP_WAIT_VERDICT;
    assert_fails(ERR_INTERNAL, "no step that begins", offer_begin(&s->run, &todo, &e));
}

static void an_install_of_what_runs_is_a_success_whatever_goes_wrong(void **state)
{
    struct scene *s = *state;
    trial_confirmed(s->trial);
    reopen(s, "one");
    accept_first(s);
    const struct offer_end full = {
        .err = ERR_IO, .reason = "no room", .release = s->device->journal.slots[SLOT_B].release};
    end(s, OFFER_STEP_INSTALL, &full);
    begin(s, OFFER_STEP_DECIDE);
    assert_int_equal(stored(s).outcome, OFFER_SUCCESS);
    assert_string_equal(stored(s).reason, "already installed");
}

static void a_failed_activation_is_no_failure_if_the_flip_is_there(void **state)
{
    struct scene *s = *state;
    const struct offer_end bad = {.err = ERR_IO, .reason = "the journal"};
    accept_first(s);
    install(s);
    begin(s, OFFER_STEP_ACTIVATE);
    end(s, OFFER_STEP_ACTIVATE, &bad);
    expect_phase(s, OFFER_ACTIVATED);
}

static void a_failed_activation_without_a_flip_is_a_failure(void **state)
{
    struct scene *s = *state;
    struct error e;
    bool is_stored;
    const struct offer_end busy = {.err = ERR_AGAIN, .reason = "another update"};
    const struct offer_end bad = {.err = ERR_NOT_NOW, .reason = "it has rotted"};
    accept_first(s);
    install(s);
    begin(s, OFFER_STEP_ACTIVATE);
    assert_ok(boot_decide(&s->device->config->boot, s->device->env, DECIDE_INVALIDATE, SLOT_B, 0,
                          &is_stored, &e));
    end(s, OFFER_STEP_ACTIVATE, &busy);
    expect_phase(s, OFFER_ACTIVATING);
    s->facts.boot_known = false; // nobody can tell
    assert_ok(offer_ended(&s->run, OFFER_STEP_ACTIVATE, &bad, &s->facts, &e));
    expect_phase(s, OFFER_ACTIVATING);
    end(s, OFFER_STEP_ACTIVATE, &bad);
    expect_phase(s, OFFER_DONE);
    assert_string_equal(stored(s).reason, "it has rotted");
}

static void a_release_that_is_gone_is_installed_again(void **state)
{
    struct scene *s = *state;
    struct error e;
    const struct offer_todo todo = {.step = OFFER_STEP_INSTALL};
    accept_first(s);
    install(s);
    assert_ok(offer_begin(&s->run, &todo, &e));
    expect_phase(s, OFFER_ACCEPTED);
    assert_int_equal(stored(s).target, SLOT_NONE);
    assert_true(stored(s).release_known);
}

static void a_damaged_record_makes_room_for_an_offer(void **state)
{
    struct scene *s = *state;
    struct error e;
    struct offer_todo todo;
    accept_first(s);
    state_mem_spoil(&s->trial->bench->state, "offer");
    reopen(s, "one");
    assert_true(s->run.record.lost);
    assert_int_equal(next(s, &todo), OFFER_STEP_NOTHING);
    assert_ok(offer_accept(&s->run, &second, NULL, &e));
    assert_false(stored(s).lost);
}

// Names and texts of checks may be long; each that is told is told whole.
static void failed_checks_are_told_whole_or_not_at_all(void **state)
{
    struct scene *s = *state;
    struct error e;
    char output[300];
    memset(output, 'x', sizeof output);
    output[sizeof output - 1] = '\0';
    CLEANUP(cleanup_json)
    json_t *record = json_pack(
        "{s:s, s:s, s:[{s:s, s:s, s:s, s:s}, {s:s, s:s, s:s, s:s}, {s:s, s:s, s:s, s:s},"
        " {s:s, s:s, s:s, s:s}, {s:s, s:s, s:s}]}",
        "result", "bad", "reason", "why", "checks", "name", "long", "severity", "required", "state",
        "unhealthy", "output", output, "name", "too_long", "severity", "required", "state",
        "unhealthy", "output", output, "name", "well", "severity", "required", "state", "healthy",
        "output", "", "name", "wanted", "severity", "wanted", "state", "unhealthy", "output", "",
        "name", "quiet", "severity", "required", "state", "starting");
    assert_non_null(record);
    assert_ok(health_record_save(s->device, record, &e));
    offer_look(&s->run, s->device, &s->facts);
    assert_string_equal(s->facts.checked_reason, "why");
    assert_contains(s->facts.failed_checks, "long: xxx");
    assert_contains(s->facts.failed_checks, "xxx, quiet");
    assert_null(strstr(s->facts.failed_checks, "too_long"));
    assert_null(strstr(s->facts.failed_checks, "well"));
    assert_null(strstr(s->facts.failed_checks, "wanted"));
}

#define offer_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        offer_test(an_offer_is_on_record_once_it_is_accepted),
        offer_test(the_same_offer_again_changes_nothing),
        offer_test(another_offer_is_refused_until_the_report_is_acknowledged),
        offer_test(an_offer_that_no_report_could_name_is_refused),
        offer_test(what_is_not_on_record_is_not_accepted),
        offer_test(a_cancel_is_decided_before_the_flip_and_refused_after_it),
        offer_test(a_flip_that_never_came_to_be_can_be_cancelled),
        offer_test(an_install_that_ends_behind_a_cancel_changes_no_report),
        offer_test(a_healthy_release_is_a_success_once_it_is_confirmed),
        offer_test(a_release_that_is_not_healthy_is_a_failure_with_its_checks),
        offer_test(a_report_is_the_same_until_it_is_acknowledged),
        offer_test(what_is_not_on_record_is_not_begun),
        offer_test(an_install_of_what_runs_is_a_success_whatever_goes_wrong),
        offer_test(a_failed_activation_is_no_failure_if_the_flip_is_there),
        offer_test(a_failed_activation_without_a_flip_is_a_failure),
        offer_test(a_release_that_is_gone_is_installed_again),
        offer_test(a_damaged_record_makes_room_for_an_offer),
        offer_test(failed_checks_are_told_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
