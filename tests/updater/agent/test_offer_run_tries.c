// SPDX-License-Identifier: Apache-2.0
// What is tried again, and how often.
#include "updater/agent/offer_run.h"

#include "tests/support/offer_scene.h"

static void an_install_is_tried_again_while_it_is_the_network(void **state)
{
    struct scene *s = *state;
    const struct offer_end down = {.err = ERR_NETWORK, .reason = "no route", .fetched_bytes = 5};
    const struct offer_end busy = {.err = ERR_AGAIN, .reason = "stopped", .fetched_bytes = 7};
    accept_first(s);
    for (unsigned i = 1; i < OFFER_TRIES_MAX; i++) {
        end(s, OFFER_STEP_INSTALL, &down);
        end(s, OFFER_STEP_INSTALL, &busy); // is no try
        expect_phase(s, OFFER_ACCEPTED);
        assert_int_equal(stored(s).tries, i);
        assert_int_equal(stored(s).fetched_bytes, 7); // what was fetched counts all the same
    }
    end(s, OFFER_STEP_INSTALL, &down);
    expect_phase(s, OFFER_DONE);
    assert_string_equal(stored(s).reason, "no route");
    assert_int_equal(stored(s).fetched_bytes, 5);
}

static void an_install_that_knows_no_release_yet_is_no_failure_at_once(void **state)
{
    struct scene *s = *state;
    struct error e;
    struct offer_end bad = {.err = ERR_TRUST, .reason = "the signature"};
    accept_first(s);
    for (unsigned i = 1; i < OFFER_BLIND_MAX; i++) {
        end(s, OFFER_STEP_INSTALL, &bad);
        expect_phase(s, OFFER_ACCEPTED);
        assert_int_equal(stored(s).tries, i);
    }
    end(s, OFFER_STEP_INSTALL, &bad);
    expect_phase(s, OFFER_DONE);
    assert_string_equal(stored(s).reason, "the signature");
    assert_false(stored(s).release_known);
    state_mem_forget(&s->trial->bench->state, "offer");
    reopen(s, "one");
    assert_ok(offer_accept(&s->run, &first, NULL, &e));
    bad.release = (struct release_id){.version = "9.0"};
    end(s, OFFER_STEP_INSTALL, &bad);
    expect_phase(s, OFFER_DONE);
    assert_string_equal(stored(s).release.version, "9.0");
}

static void what_says_nothing_of_the_release_does_not_decide_the_offer_at_once(void **state)
{
    static const struct {
        struct offer_end end;
        unsigned tries;
    } cases[] = {
        {{.err = ERR_INTERNAL, .reason = "it ended by signal 9"}, OFFER_TRIES_MAX},
        {{.err = ERR_USAGE, .reason = "a word"}, OFFER_TRIES_MAX},
        {{.err = ERR_CONFIG, .reason = "a key"}, OFFER_TRIES_MAX},
        {{.err = ERR_IO, .reason = "a sector"}, OFFER_BLIND_MAX},
        {{.err = ERR_TRUST, .reason = "a signer"}, 1},
        {{.err = ERR_FORMAT, .reason = "a hash"}, 1},
        {{.err = ERR_TOO_LARGE, .reason = "a size"}, 1},
        {{.err = ERR_NOT_NOW, .reason = "another release"}, 1},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct offer_end bad = cases[i].end;
        if (i > 0) {
            state_mem_forget(&s->trial->bench->state, "offer");
            reopen(s, "one");
        }
        accept_first(s);
        bad.release = (struct release_id){.version = "9.0"};
        for (unsigned tries = 1; tries < cases[i].tries; tries++) {
            end(s, OFFER_STEP_INSTALL, &bad);
            expect_phase(s, OFFER_ACCEPTED);
            assert_int_equal(stored(s).tries, tries);
        }
        end(s, OFFER_STEP_INSTALL, &bad);
        expect_phase(s, OFFER_DONE);
        assert_string_equal(stored(s).reason, cases[i].end.reason);
        assert_int_equal(stored(s).failed_by, cases[i].end.err);
    }
}

static void a_flip_that_was_killed_is_tried_again(void **state)
{
    struct scene *s = *state;
    struct error e;
    bool is_stored;
    const struct offer_end killed = {.err = ERR_INTERNAL, .reason = "it ended by signal 9"};
    accept_first(s);
    install(s);
    begin(s, OFFER_STEP_ACTIVATE);
    assert_ok(boot_decide(&s->device->config->boot, s->device->env, DECIDE_INVALIDATE, SLOT_B, 0,
                          &is_stored, &e));
    for (unsigned tries = 1; tries < OFFER_TRIES_MAX; tries++) {
        end(s, OFFER_STEP_ACTIVATE, &killed);
        expect_phase(s, OFFER_ACTIVATING);
        assert_int_equal(stored(s).tries, tries);
    }
    end(s, OFFER_STEP_ACTIVATE, &killed);
    expect_phase(s, OFFER_DONE);
    assert_int_equal(stored(s).failed_by, ERR_INTERNAL);
}

#define offer_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        offer_test(an_install_is_tried_again_while_it_is_the_network),
        offer_test(an_install_that_knows_no_release_yet_is_no_failure_at_once),
        offer_test(what_says_nothing_of_the_release_does_not_decide_the_offer_at_once),
        offer_test(a_flip_that_was_killed_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
