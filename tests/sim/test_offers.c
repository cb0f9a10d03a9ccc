// SPDX-License-Identifier: Apache-2.0
// That I11 can be violated, each part of it by hand, and that the simulated server and agent are
// what they are called.
#include "tests/sim/offers.h"

#include "tests/sim/invariants.h"
#include "tests/sim/life.h"
#include "tests/support/expect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct scene {
    struct sim_kit *kit;
    struct findings findings;
    struct world *world;
    struct life life;
};

static int make_kit(void **state)
{
    static const uint32_t cuts[] = {1024, 0};
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->kit = sim_kit_make(cuts, 0);
    *state = s;
    return 0;
}

static int free_kit(void **state)
{
    struct scene *s = *state;
    sim_kit_free(s->kit);
    free(s);
    return 0;
}

// 1.0 in slot b, confirmed and running; 2.0 is offered.
static int make(void **state)
{
    struct scene *s = *state;
    const struct world_shape shape = {.contract = CONTRACT_ORDER, .sector_bytes = 512};
    s->life = (struct life){.name = "offered",
                            .setup = {{.op = OP_BOOT},
                                      {.op = OP_INSTALL, .release = 1},
                                      {.op = OP_BOOT},
                                      {.op = OP_CONFIRM}},
                            .offered = {2, 3},
                            .ends_with = 1u << 2};
    s->findings = (struct findings){.shown = FINDINGS_SHOWN}; // nothing is printed
    s->world = life_begin(&s->life, &shape, s->kit, &s->findings);
    assert_false(s->findings.found);
    return 0;
}

static int clear(void **state)
{
    struct scene *s = *state;
    world_free(s->world);
    return 0;
}

static void expect_i11(struct scene *s, uint64_t times)
{
    for (int i = 0; i <= FINDING_INVARIANTS; i++) {
        uint64_t wanted = i == 11 ? times : 0;
        if (s->findings.violations[i] != wanted) {
            fail_msg("I%d: %u violations, expected %u", i, (unsigned)s->findings.violations[i],
                     (unsigned)wanted);
        }
    }
    s->findings = (struct findings){.shown = FINDINGS_SHOWN};
}

static void do_step(struct scene *s, enum life_op op, int with)
{
    struct error e;
    const struct life_step step = {.op = op, .release = with};
    assert_ok(life_step(s->world, &step, true, &e));
}

// To the gate in front of the report.
static void decide(struct scene *s)
{
    do_step(s, OP_AGENT, OFFER_STEP_NOTHING);
    do_step(s, OP_BOOT, 0);
    do_step(s, OP_CONFIRM, 0);
    do_step(s, OP_AGENT, OFFER_STEP_REPORT);
}

static struct offer_record stored(struct scene *s)
{
    struct error e;
    struct offer_record r;
    assert_ok(offer_record_load(s->world->device.state, &r, &e));
    return r;
}

static void put(struct scene *s, const struct offer_record *r)
{
    struct error e;
    assert_ok(offer_record_save(s->world->device.state, r, &e));
}

static struct sim_offer *offer(struct scene *s, int i)
{
    return &s->world->m.truth.server.offers[i];
}

// --- tests ---------------------------------------------------------------------------------------

static void the_agent_goes_from_the_offer_to_the_report(void **state)
{
    struct scene *s = *state;
    do_step(s, OP_AGENT, OFFER_STEP_ACTIVATE);
    assert_true(offer(s, 0)->accepted);
    assert_int_equal(stored(s).phase, OFFER_INSTALLED);
    do_step(s, OP_AGENT, OFFER_STEP_REBOOT);
    assert_int_equal(stored(s).phase, OFFER_ACTIVATED);
    decide(s);
    assert_int_equal(stored(s).outcome, OFFER_SUCCESS);
    assert_int_equal(offer(s, 0)->reports, 0);
    do_step(s, OP_AGENT, OFFER_STEP_FORGET);
    assert_true(stored(s).reported);
    do_step(s, OP_AGENT, OFFER_STEP_NOTHING);
    assert_int_equal(offer(s, 0)->reports, 1);
    assert_int_equal(stored(s).phase, OFFER_NONE);
    check_offers(s->world, &s->life, true);
    expect_i11(s, 0);
}

static void a_second_offer_waits_for_the_report_of_the_first(void **state)
{
    struct scene *s = *state;
    decide(s);
    do_step(s, OP_PUBLISH, 0);
    do_step(s, OP_AGENT, OFFER_STEP_REPORT);
    assert_false(offer(s, 1)->accepted);
    do_step(s, OP_AGENT, OFFER_STEP_ACTIVATE);
    assert_int_equal(offer(s, 0)->reports, 1);
    assert_true(offer(s, 1)->accepted);
    expect_i11(s, 0);
}

static void a_report_that_is_lost_or_not_answered_comes_again(void **state)
{
    static const struct {
        int sys;
        unsigned received;
    } answers[] = {{ECONNRESET, 1}, {ENODATA, 2}};
    struct scene *s = *state;
    for (size_t i = 0; i < 2; i++) {
        decide(s);
        sim_reset(&s->world->sim);
        s->world->sim.fail_seam = SIM_SOURCE;
        s->world->sim.fail_at = 1;
        s->world->sim.fail_sys = answers[i].sys;
        do_step(s, OP_AGENT, OFFER_STEP_NOTHING);
        assert_int_equal(offer(s, 0)->reports, answers[i].received);
        assert_int_equal(stored(s).phase, OFFER_NONE);
        expect_i11(s, 0);
        (void)clear(state);
        (void)make(state);
    }
}

static void i11_a_second_report_is_another_one(void **state)
{
    struct scene *s = *state;
    decide(s);
    struct offer_record r = stored(s);
    check_report(s->world, &r);
    check_report(s->world, &r);
    expect_i11(s, 0);
    r.decided_s++;
    check_report(s->world, &r);
    expect_i11(s, 1);
}

static void i11_a_report_is_of_nothing_that_was_offered(void **state)
{
    struct scene *s = *state;
    decide(s);
    struct offer_record r = stored(s);
    snprintf(r.offer.id, sizeof r.offer.id, "offer-1"); // not published
    check_report(s->world, &r);
    expect_i11(s, 1);
    snprintf(r.offer.id, sizeof r.offer.id, "another");
    check_report(s->world, &r);
    expect_i11(s, 1);
}

static void i11_a_report_is_not_true(void **state)
{
    struct scene *s = *state;
    do_step(s, OP_AGENT, OFFER_STEP_NOTHING);
    do_step(s, OP_BOOT, 0);
    struct offer_record r = stored(s);
    r.outcome = OFFER_SUCCESS; // on trial
    check_report(s->world, &r);
    expect_i11(s, 1);
    do_step(s, OP_CONFIRM, 0);
    *offer(s, 0) = (struct sim_offer){.release = 2, .published = true};
    check_report(s->world, &r);
    expect_i11(s, 0);
    *offer(s, 0) = (struct sim_offer){.release = 2, .published = true};
    r.outcome = OFFER_FAILURE;
    check_report(s->world, &r);
    expect_i11(s, 1);
    *offer(s, 0) = (struct sim_offer){.release = 3, .published = true};
    r.outcome = OFFER_SUCCESS; // another one runs
    check_report(s->world, &r);
    expect_i11(s, 1);
}

static void i11_a_step_is_not_on_record(void **state)
{
    struct scene *s = *state;
    decide(s);
    struct offer_record r = stored(s);
    check_step_recorded(s->world, OFFER_STEP_REPORT, &r);
    expect_i11(s, 0);
    check_step_recorded(s->world, OFFER_STEP_ACTIVATE, &r);
    check_step_recorded(s->world, OFFER_STEP_REBOOT, &r);
    expect_i11(s, 2);
    struct offer_record other = r;
    other.outcome = OFFER_FAILURE;
    check_step_recorded(s->world, OFFER_STEP_REPORT, &other);
    expect_i11(s, 1);
    r.reported = true;
    put(s, &r);
    check_step_recorded(s->world, OFFER_STEP_REPORT, &r);
    expect_i11(s, 1);
    r.reported = false;
    r.outcome = OFFER_UNDECIDED;
    r.phase = OFFER_REBOOTING;
    put(s, &r); // in the boot in which the reboot was ordered
    check_step_recorded(s->world, OFFER_STEP_REBOOT, &r);
    expect_i11(s, 1);
    snprintf(r.boot_id, sizeof r.boot_id, "boot-%u", s->world->m.truth.boots);
    put(s, &r);
    check_step_recorded(s->world, OFFER_STEP_REBOOT, &r);
    expect_i11(s, 0);
}

static void i11_a_record_is_damaged_by_nobody(void **state)
{
    struct scene *s = *state;
    do_step(s, OP_AGENT, OFFER_STEP_INSTALL);
    assert_true(sim_fs_spoil(&s->world->m.fs, "offer", 1));
    do_step(s, OP_AGENT, OFFER_STEP_INSTALL);
    expect_i11(s, 1);
    assert_true(sim_fs_spoil(&s->world->m.fs, "offer", 1));
    s->world->m.truth.state_lost = true;
    do_step(s, OP_AGENT, OFFER_STEP_INSTALL);
    expect_i11(s, 0);
}

static void a_release_is_known_when_it_is_offered_by_name(void **state)
{
    struct scene *s = *state;
    do_step(s, OP_AGENT, OFFER_STEP_INSTALL);
    assert_false(stored(s).release_known);
    (void)clear(state);
    (void)make(state);
    s->world->m.truth.server.named = true;
    do_step(s, OP_AGENT, OFFER_STEP_INSTALL);
    assert_string_equal(stored(s).release.version, s->kit->releases[2].version);
    do_step(s, OP_INSTALL, 2);
    do_step(s, OP_AGENT, OFFER_STEP_REBOOT);
    do_step(s, OP_AGENT, OFFER_STEP_NOTHING);
    assert_int_equal(stored(s).phase, OFFER_REBOOTING);
    expect_i11(s, 0);
}

static void i11_what_somebody_was_told_to_be_cancelled_is_reported_as_something_else(void **state)
{
    struct scene *s = *state;
    do_step(s, OP_AGENT, OFFER_STEP_ACTIVATE);
    do_step(s, OP_CANCEL, 0);
    assert_true(offer(s, 0)->cancelled);
    do_step(s, OP_AGENT, OFFER_STEP_REPORT);
    struct offer_record r = stored(s);
    assert_int_equal(r.outcome, OFFER_CANCELLED);
    check_report(s->world, &r);
    expect_i11(s, 0);
    *offer(s, 0) = (struct sim_offer){.release = 2, .published = true, .cancelled = true};
    r.outcome = OFFER_FAILURE;
    check_report(s->world, &r);
    expect_i11(s, 1);
}

static void what_was_flipped_is_not_cancelled(void **state)
{
    struct scene *s = *state;
    struct error e;
    const struct life_step cancel = {.op = OP_CANCEL, .tried = true};
    assert_int_equal(life_step(s->world, &cancel, true, &e), ERR_NOT_NOW);
    do_step(s, OP_AGENT, OFFER_STEP_REBOOT);
    assert_int_equal(life_step(s->world, &cancel, true, &e), ERR_NOT_NOW);
    assert_false(offer(s, 0)->cancelled);
    expect_i11(s, 0);
}

static void i11_in_the_end_there_is_no_report_or_it_is_not_true(void **state)
{
    struct scene *s = *state;
    check_offers(s->world, &s->life, false);
    expect_i11(s, 1);
    decide(s);
    do_step(s, OP_AGENT, OFFER_STEP_NOTHING);
    check_offers(s->world, &s->life, false);
    expect_i11(s, 0);
    do_step(s, OP_PUBLISH, 0);
    check_offers(s->world, &s->life, false);
    expect_i11(s, 1);
    offer(s, 1)->published = false;
    offer(s, 0)->outcome = OFFER_FAILURE;
    check_offers(s->world, &s->life, false); // untrue, and there was no reason to
    expect_i11(s, 2);
    s->world->m.truth.env_lost = true;
    check_offers(s->world, &s->life, false);
    expect_i11(s, 0);
}

#define offer_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        offer_test(the_agent_goes_from_the_offer_to_the_report),
        offer_test(a_second_offer_waits_for_the_report_of_the_first),
        offer_test(a_report_that_is_lost_or_not_answered_comes_again),
        offer_test(i11_a_second_report_is_another_one),
        offer_test(i11_a_report_is_of_nothing_that_was_offered),
        offer_test(i11_a_report_is_not_true),
        offer_test(i11_a_step_is_not_on_record),
        offer_test(i11_a_record_is_damaged_by_nobody),
        offer_test(a_release_is_known_when_it_is_offered_by_name),
        offer_test(i11_what_somebody_was_told_to_be_cancelled_is_reported_as_something_else),
        offer_test(what_was_flipped_is_not_cancelled),
        offer_test(i11_in_the_end_there_is_no_report_or_it_is_not_true),
    };
    return cmocka_run_group_tests(tests, make_kit, free_kit);
}
