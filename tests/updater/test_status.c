// SPDX-License-Identifier: Apache-2.0
#include "updater/status.h"

#include "tests/support/env_sim.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certs.h"
#include "updater/lock.h"

// --- the rule ------------------------------------------------------------------------------------

enum { A = 0, B = 1, NONE = SLOT_NONE };

struct rule {
    const char *what;
    enum contract contract;
    int trial;
    int running;
    enum slot_content content;
    bool bootable;
    unsigned left;
    enum slot_state want; // of slot b
};

#define ORDER CONTRACT_ORDER
#define COUNT CONTRACT_BOOTCOUNT

static const struct rule rules[] = {
    {"pending trial", ORDER, B, A, CONTENT_INSTALLED, true, 3, SLOT_STATE_TRIAL},
    {"running trial", ORDER, B, B, CONTENT_INSTALLED, true, 2, SLOT_STATE_TRIAL},
    {"last attempt", ORDER, B, B, CONTENT_INSTALLED, false, 0, SLOT_STATE_TRIAL},
    {"fell back", ORDER, B, A, CONTENT_INSTALLED, false, 0, SLOT_STATE_BAD},
    {"fell back, still listed", ORDER, B, A, CONTENT_INSTALLED, true, 0, SLOT_STATE_BAD},
    {"fell back", COUNT, B, A, CONTENT_INSTALLED, false, 0, SLOT_STATE_BAD},
    {"pending trial", COUNT, B, A, CONTENT_INSTALLED, true, 3, SLOT_STATE_TRIAL},
    {"rejected", ORDER, NONE, A, CONTENT_REJECTED, false, 0, SLOT_STATE_BAD},
    {"rejected, bootable", ORDER, NONE, A, CONTENT_REJECTED, true, 3, SLOT_STATE_BAD},
    {"rejected, running", ORDER, NONE, B, CONTENT_REJECTED, true, 3, SLOT_STATE_BAD},
    {"rejected", COUNT, NONE, A, CONTENT_REJECTED, false, 0, SLOT_STATE_BAD},
    {"running", ORDER, NONE, B, CONTENT_CONFIRMED, true, 3, SLOT_STATE_GOOD},
    {"running, factory", ORDER, NONE, B, CONTENT_UNKNOWN, true, 3, SLOT_STATE_GOOD},
    {"running, factory", COUNT, NONE, B, CONTENT_UNKNOWN, false, 0, SLOT_STATE_GOOD},
    {"running, journal behind", ORDER, NONE, B, CONTENT_INSTALLED, true, 3, SLOT_STATE_GOOD},
    {"running, journal behind", ORDER, NONE, B, CONTENT_PARTIAL, true, 3, SLOT_STATE_GOOD},
    {"running, marked bad", ORDER, NONE, B, CONTENT_CONFIRMED, false, 0, SLOT_STATE_BAD},
    {"half written", ORDER, NONE, A, CONTENT_PARTIAL, false, 0, SLOT_STATE_BAD},
    {"half written, env lost", ORDER, NONE, A, CONTENT_PARTIAL, true, 3, SLOT_STATE_BAD},
    {"half written", COUNT, NONE, A, CONTENT_PARTIAL, false, 0, SLOT_STATE_BAD},
    {"installed", ORDER, NONE, A, CONTENT_INSTALLED, false, 0, SLOT_STATE_INSTALLED},
    {"installed", COUNT, NONE, A, CONTENT_INSTALLED, false, 0, SLOT_STATE_INSTALLED},
    {"installed, listed by hand", ORDER, NONE, A, CONTENT_INSTALLED, true, 3, SLOT_STATE_INSTALLED},
    {"old release", ORDER, NONE, A, CONTENT_CONFIRMED, true, 3, SLOT_STATE_GOOD},
    {"old release, marked bad", ORDER, NONE, A, CONTENT_CONFIRMED, false, 0, SLOT_STATE_BAD},
    {"old release", COUNT, NONE, A, CONTENT_CONFIRMED, false, 0, SLOT_STATE_GOOD},
    {"factory, listed", ORDER, NONE, A, CONTENT_UNKNOWN, true, 3, SLOT_STATE_UNKNOWN},
    {"factory, not listed", ORDER, NONE, A, CONTENT_UNKNOWN, false, 0, SLOT_STATE_UNKNOWN},
    {"factory", COUNT, NONE, A, CONTENT_UNKNOWN, false, 0, SLOT_STATE_UNKNOWN},
    {"other on trial", ORDER, A, A, CONTENT_CONFIRMED, true, 3, SLOT_STATE_GOOD},
};

static void every_line_of_the_table_of_states_holds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const struct rule *r = &rules[i];
        const struct boot_setup setup = {.contract = r->contract, .attempts = 3};
        struct boot_state boot = {.trial = r->trial, .next = A};
        struct journal journal = {0};
        boot.slots[B].bootable = r->bootable;
        boot.slots[B].attempts_left = r->left;
        journal.slots[B].content = r->content;
        enum slot_state got = status_slot_state(&setup, &boot, &journal, r->running, B);
        if (got != r->want) {
            fail_msg("%s, contract %d: expected %s, got %s", r->what, (int)r->contract,
                     slot_state_name(r->want), slot_state_name(got));
        }
    }
}

static void a_trial_that_runs_or_has_attempts_left_did_not_fall_back(void **state)
{
    struct boot_state boot = {.trial = NONE};
    (void)state;
    assert_false(status_fell_back(&boot, A));
    boot.trial = B;
    boot.slots[B].bootable = true;
    boot.slots[B].attempts_left = 1;
    assert_false(status_fell_back(&boot, A));
    boot.slots[B].attempts_left = 0;
    assert_true(status_fell_back(&boot, A));
    assert_false(status_fell_back(&boot, B));
    boot.slots[B].attempts_left = 2;
    boot.slots[B].bootable = false;
    assert_true(status_fell_back(&boot, A));
}

// --- the whole, on a simulated environment -------------------------------------------------------

struct bench {
    struct env_sim env;
    struct config config;
    struct device device;
    struct status status;
};

static struct bench bench;

static void put_release(struct release_id *r, const char *version, uint64_t index)
{
    snprintf(r->version, sizeof r->version, "%s", version);
    r->release_index = index;
}

// Slot a runs release 1.0, confirmed; slot b is as the factory left it.
static void begin(const char *dir)
{
    bench.config = (struct config){.state_dir = dir};
    bench.config.slots[A].name = "a";
    bench.config.slots[B].name = "b";
    bench.config.boot =
        (struct boot_setup){.attempts = 3, .slots = {{"a", "A", "2"}, {"b", "B", "3"}}};
    env_sim_init(&bench.env);
    env_sim_put(&bench.env, "BOOT_ORDER", "A B");
    env_sim_put(&bench.env, "BOOT_A_LEFT", "3");
    env_sim_put(&bench.env, "BOOT_B_LEFT", "3");
    bench.device = (struct device){.config = &bench.config, .env = &bench.env.base, .running = A};
    struct error e;
    struct test_cert root = test_ca("root", NULL);
    test_cert_write(&root, dir, "root.pem");
    test_cert_clear(&root);
    assert_ok(trust_store_load(dir, &bench.device.trust, &e));
    bench.device.journal.slot = NONE;
    bench.device.journal.last.slot = NONE;
    bench.device.journal.slots[A].content = CONTENT_CONFIRMED;
    put_release(&bench.device.journal.slots[A].release, "1.0", 10);
    bench.device.journal.confirmed_max = 10;
}

static void end(void)
{
    trust_store_free(bench.device.trust);
    env_sim_free(&bench.env);
}

static const struct status *look(void)
{
    status_read(&bench.device, &bench.status);
    return &bench.status;
}

static void install_in_b(enum slot_content content)
{
    bench.device.journal.slots[B].content = content;
    put_release(&bench.device.journal.slots[B].release, "2.0", 20);
}

static void set_order(const char *order, const char *a_left, const char *b_left, const char *trial)
{
    env_sim_put(&bench.env, "BOOT_ORDER", order);
    env_sim_put(&bench.env, "BOOT_A_LEFT", a_left);
    env_sim_put(&bench.env, "BOOT_B_LEFT", b_left);
    env_sim_put(&bench.env, "vv_trial", trial);
}

static bool has_warning(const struct status *s, const char *part)
{
    for (size_t i = 0; i < s->warning_count; i++) {
        if (strstr(s->warnings[i], part) != NULL) {
            return true;
        }
    }
    return false;
}

static void a_trust_directory_without_use_is_told(void **state)
{
    begin(*state);
    trust_store_free(bench.device.trust);
    bench.device.trust = NULL;
    bench.config.trust_roots = "/nonexistent";
    assert_true(has_warning(look(), "trust directory"));
    end();
}

static void a_quiet_device_says_what_runs_and_boots_next(void **state)
{
    begin(*state);
    const struct status *s = look();
    assert_string_equal(s->summary, "Running 1.0 from slot a. Slot a boots next.");
    assert_int_equal(s->warning_count, 0);
    assert_int_equal(s->slots[A], SLOT_STATE_GOOD);
    assert_int_equal(s->slots[B], SLOT_STATE_UNKNOWN); // a factory slot
    assert_int_equal(s->copies_good, s->copies_total);
    assert_int_equal(bench.env.stores, 0);
    end();
}

static void a_pending_trial_is_told_with_its_attempts(void **state)
{
    begin(*state);
    install_in_b(CONTENT_INSTALLED);
    bench.device.journal.step = STEP_TRIAL;
    set_order("B A", "3", "3", "b");
    const struct status *s = look();
    assert_string_equal(s->summary, "Running 1.0 from slot a. 2.0 is installed in slot b and boots "
                                    "next, on trial, with 3 attempts.");
    assert_int_equal(s->slots[B], SLOT_STATE_TRIAL);
    assert_int_equal(s->percent, 100);
    end();
}

static void a_running_trial_is_told_with_what_ends_it(void **state)
{
    begin(*state);
    install_in_b(CONTENT_INSTALLED);
    bench.device.running = B;
    set_order("B A", "3", "2", "b");
    assert_string_equal(look()->summary,
                        "Running 2.0 from slot b, on trial, 2 attempts left: 'vv-update confirm' "
                        "keeps it when it is healthy, else slot a boots again.");
    end();
}

static void a_fallback_is_told_as_one(void **state)
{
    begin(*state);
    install_in_b(CONTENT_INSTALLED);
    set_order("B A", "3", "0", "b");
    const struct status *s = look();
    assert_true(s->fell_back);
    assert_contains(s->summary, "Running 1.0 from slot a. 2.0 in slot b used up its attempts "
                                "without being confirmed, and the boot loader fell back");
    assert_int_equal(s->slots[B], SLOT_STATE_BAD);
    end();
}

static void an_installed_slot_waits_for_activation(void **state)
{
    begin(*state);
    install_in_b(CONTENT_INSTALLED);
    bench.device.journal.step = STEP_INSTALLED;
    bench.device.journal.slot = B;
    set_order("A", "3", "0", NULL);
    const struct status *s = look();
    assert_int_equal(s->slots[B], SLOT_STATE_INSTALLED);
    assert_string_equal(s->summary, "Running 1.0 from slot a. Slot a boots next. 2.0 is installed "
                                    "in slot b and not activated; 'vv-update activate' lets it "
                                    "boot next.");
    end();
}

static void an_interrupted_install_is_told_with_its_percent(void **state)
{
    begin(*state);
    install_in_b(CONTENT_PARTIAL);
    struct journal *j = &bench.device.journal;
    j->step = STEP_INSTALLING;
    j->slot = B;
    put_release(&j->release, "2.0", 20);
    j->next_chunk = 43;
    j->chunk_count = 100;
    set_order("A", "3", "0", NULL);
    const struct status *s = look();
    assert_int_equal(s->percent, 43);
    assert_false(s->under_way);
    assert_contains(s->summary, "The installation of 2.0 into slot b was interrupted at 43 %; run "
                                "it again to go on.");
    assert_true(has_warning(s, "an installation was interrupted"));
    assert_int_equal(s->slots[B], SLOT_STATE_BAD);
    // Before the table is known there is no percent.
    j->chunk_count = 0;
    s = look();
    assert_int_equal(s->percent, -1);
    assert_contains(s->summary, "was interrupted; run it again");
    // Nor is there one that cannot be.
    j->chunk_count = 42;
    assert_int_equal(look()->percent, -1);
    end();
}

static void restarts_without_progress_are_told_until_nothing_is_begun_any_more(void **state)
{
    begin(*state);
    install_in_b(CONTENT_PARTIAL);
    struct journal *j = &bench.device.journal;
    j->step = STEP_INSTALLING;
    j->slot = B;
    put_release(&j->release, "2.0", 20);
    j->next_chunk = 43;
    j->chunk_count = 100;
    j->restarts = RESTARTS_MAX - 1;
    const struct status *s = look();
    assert_contains(s->summary,
                    "was interrupted at 43 %, cut off 19 times in a row without getting "
                    "further; run it again to go on.");
    assert_true(has_warning(s, "run it again"));
    j->restarts = RESTARTS_MAX;
    s = look();
    assert_contains(s->summary,
                    "was interrupted at 43 %, cut off 20 times in a row without getting "
                    "further; install another release, or this one with 'vv-update "
                    "install --again'.");
    assert_true(has_warning(s, "interrupted too often and is not begun again by itself"));
    assert_int_equal(s->warning_count, 1);
    end();
}

static void an_install_under_way_is_not_called_interrupted(void **state)
{
    struct error e;
    begin(*state);
    struct journal *j = &bench.device.journal;
    install_in_b(CONTENT_PARTIAL);
    j->step = STEP_INSTALLING;
    j->slot = B;
    j->next_chunk = 1;
    j->chunk_count = 2;
    CLEANUP(cleanup_close) int lock = -1;
    assert_ok(update_lock_take(*state, &lock, &e));
    const struct status *s = look();
    assert_true(s->under_way);
    assert_contains(s->summary, "The installation of a release into slot b is under way at 50 %.");
    assert_int_equal(s->warning_count, 0);
    j->restarts = RESTARTS_MAX; // of what was cut off before it was begun anew
    s = look();
    assert_contains(s->summary,
                    "is under way at 50 %, cut off 20 times in a row without getting further.");
    assert_int_equal(s->warning_count, 0);
    end();
}

static void a_slot_that_is_not_whole_is_called_unknown(void **state)
{
    begin(*state);
    install_in_b(CONTENT_PARTIAL);
    bench.device.running = B;
    assert_contains(look()->summary, "Running an unknown release from slot b.");
    bench.device.journal.slots[B].content = CONTENT_UNKNOWN;
    assert_contains(look()->summary, "Running an unknown release from slot b.");
    end();
}

static void a_device_without_a_bootable_slot_is_told(void **state)
{
    begin(*state);
    set_order("X", "3", "3", NULL);
    assert_contains(look()->summary, "No slot is bootable: the device would not start again");
    end();
}

static void another_slot_that_boots_next_without_a_trial_is_told(void **state)
{
    begin(*state);
    set_order("B A", "3", "3", NULL);
    bench.device.journal.slots[A] = bench.device.journal.slots[B];
    assert_string_equal(look()->summary,
                        "Running an unknown release from slot a. Slot b boots next.");
    end();
}

static void an_unreadable_environment_does_not_hide_the_journal(void **state)
{
    begin(*state);
    bench.env.lost = true;
    const struct status *s = look();
    assert_false(s->boot_known);
    assert_int_equal(s->boot_error.code, ERR_IO);
    assert_int_equal(s->slots[A], SLOT_STATE_UNKNOWN);
    assert_int_equal(s->slots[B], SLOT_STATE_UNKNOWN);
    assert_int_equal(s->boot.next, NONE);
    assert_int_equal(s->boot.trial, NONE);
    assert_string_equal(s->summary, "Running 1.0 from slot a. The boot environment cannot be read: "
                                    "what boots next is not known.");
    end();
}

static void damage_is_warned_of(void **state)
{
    begin(*state);
    bench.device.journal.lost = true;
    env_sim_put(&bench.env, "vv_floor", "12x");
    const struct status *s = look();
    assert_true(has_warning(s, "the journal was damaged"));
    assert_true(has_warning(s, "a copy of the release floor is damaged"));
    assert_int_equal(s->warning_count, 2);
    end();
}

static void the_larger_floor_is_in_force_unless_it_cannot_be(void **state)
{
    begin(*state);
    bench.device.journal.floor = 4;
    env_sim_put(&bench.env, "vv_floor", "7");
    assert_int_equal(look()->floor, 7);
    assert_int_equal(look()->warning_count, 0);
    // Above the newest confirmed release, 10, a floor can only be damaged.
    env_sim_put(&bench.env, "vv_floor", "11");
    assert_int_equal(look()->floor, 4);
    assert_true(has_warning(look(), "release floor is damaged"));
    // A release on trial has raised no floor yet.
    install_in_b(CONTENT_INSTALLED);
    bench.device.running = B;
    set_order("B A", "3", "2", "b");
    assert_int_equal(look()->floor, 4);
    env_sim_put(&bench.env, "vv_trial", NULL);
    assert_int_equal(look()->floor, 11);
    // Without a confirmed release nothing can be said against it, but that no release reaches it.
    bench.device.journal.confirmed_max = 0;
    bench.device.journal.floor = 0;
    assert_int_equal(look()->floor, 11);
    env_sim_put(&bench.env, "vv_floor", "9223372036854775808");
    assert_int_equal(look()->floor, 0);
    assert_true(has_warning(look(), "release floor is damaged"));
    end();
}

static void states_have_names(void **state)
{
    (void)state;
    assert_string_equal(slot_state_name(SLOT_STATE_UNKNOWN), "unknown");
    assert_string_equal(slot_state_name(SLOT_STATE_GOOD), "good");
    assert_string_equal(slot_state_name(SLOT_STATE_BAD), "bad");
    assert_string_equal(slot_state_name(SLOT_STATE_TRIAL), "trial");
    assert_string_equal(slot_state_name(SLOT_STATE_INSTALLED), "installed");
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_of_the_table_of_states_holds),
        cmocka_unit_test(a_trial_that_runs_or_has_attempts_left_did_not_fall_back),
        WITH_DIR(a_trust_directory_without_use_is_told),
        WITH_DIR(a_quiet_device_says_what_runs_and_boots_next),
        WITH_DIR(a_pending_trial_is_told_with_its_attempts),
        WITH_DIR(a_running_trial_is_told_with_what_ends_it),
        WITH_DIR(a_fallback_is_told_as_one),
        WITH_DIR(an_installed_slot_waits_for_activation),
        WITH_DIR(an_interrupted_install_is_told_with_its_percent),
        WITH_DIR(restarts_without_progress_are_told_until_nothing_is_begun_any_more),
        WITH_DIR(an_install_under_way_is_not_called_interrupted),
        WITH_DIR(a_slot_that_is_not_whole_is_called_unknown),
        WITH_DIR(a_device_without_a_bootable_slot_is_told),
        WITH_DIR(another_slot_that_boots_next_without_a_trial_is_told),
        WITH_DIR(an_unreadable_environment_does_not_hide_the_journal),
        WITH_DIR(damage_is_warned_of),
        WITH_DIR(the_larger_floor_is_in_force_unless_it_cannot_be),
        cmocka_unit_test(states_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
