// SPDX-License-Identifier: Apache-2.0
// What is waited for that no gate and no child of the agent brings: in which state, in which words,
// and how often that is said.
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_by_hand.h"
#include "tests/support/temp_dir.h"

enum { TURNS = 4 };

static bool has_an_offer(const struct agent_room *r)
{
    return r->agent->offer.record.phase == OFFER_ACCEPTED && r->agent->again_ms != 0;
}

static bool waits(const struct agent_room *r)
{
    return r->agent->again_ms != 0;
}

// An offer that waits at its first gate; release 7.0.
static void begin(struct agent_room *r, const char *dir)
{
    agent_room_make(r, dir, "[gates]\ndownload_command=exit 75\ninstall_command=exit 75\n");
    agent_room_offer(r, 7);
    agent_room_open(r);
    agent_room_until(r, has_an_offer);
}

// So many looks, one after the other.
static void look_on(struct agent_room *r)
{
    for (int i = 0; i < TURNS; i++) {
        r->agent->again_ms = 0;
        agent_turn_soon(r->agent);
        agent_room_until(r, waits);
        assert_true(r->agent->again_ms <= loop_now_ms() + 30 * 1000);
    }
}

// "install, reboot": the phases that are still ahead.
static void expect_status(const struct agent_room *r, const char *state, const char *waits_for,
                          size_t phases_ahead)
{
    CLEANUP(cleanup_json) json_t *status = agent_status_json(r->agent);
    assert_non_null(status);
    assert_string_equal(json_string_value(json_object_get(status, "state")), state);
    assert_string_equal(json_string_value(json_object_get(status, "waits_for")), waits_for);
    assert_int_equal(json_array_size(json_object_get(status, "gates")), phases_ahead);
}

static void put_phase(struct agent_room *r, enum offer_phase phase)
{
    struct error e;
    struct offer_record *record = &r->agent->offer.record;
    record->phase = phase;
    record->target = 1;
    snprintf(record->boot_id, sizeof record->boot_id, "another");
    assert_ok(offer_record_save(r->device->state, record, &e));
}

static void a_boot_environment_that_cannot_be_read_is_said_once_and_waited_for(void **state)
{
    static const char says[] = "waiting for the boot environment, which cannot be read";
    struct agent_room r;
    uint8_t copies[2][ENV_FILE_SIZE];
    begin(&r, *state);
    agent_by_hand(&r, &r.agent->offer.record.release, false);
    put_phase(&r, OFFER_INSTALLED);
    for (int i = 0; i < 2; i++) {
        env_file_read_copy(&r.file.env, i, copies[i]);
        env_file_damage(&r.file.env, i);
    }
    look_on(&r);
    expect_status(&r, "waiting", says, 2);
    assert_int_equal(agent_room_said(&r, says), 1);
    assert_int_equal(agent_room_said(&r, "the boot environment cannot be read: "), 1);
    for (int i = 0; i < 2; i++) {
        env_file_write_copy(&r.file.env, i, copies[i][4], copies[i] + 5, ENV_FILE_DATA_SIZE);
    }
    r.agent->again_ms = 0;
    agent_turn_soon(r.agent);
    agent_room_until(&r, waits);
    assert_contains(r.agent->waits_for, "gate command");
    agent_room_clear(&r);
}

static void another_release_that_was_flipped_by_hand_waits_for_its_reboot(void **state)
{
    static const char says[] =
        "waiting for a reboot: the other slot was activated by hand and boots next";
    static const struct release_id other = {.version = "9.0", .release_index = 9};
    struct agent_room r;
    begin(&r, *state);
    agent_by_hand(&r, &other, true);
    look_on(&r);
    expect_status(&r, "waiting", says, 3);
    assert_int_equal(agent_room_said(&r, says), 1);
    agent_room_clear(&r);
}

static void only_the_slot_that_runs_is_called_on_trial(void **state)
{
    static const char on_trial[] = "waiting for what 'confirm' decides about the system on trial";
    static const char is_back[] =
        "waiting for 'confirm': how the last trial ended is not on record yet";
    struct agent_room r;
    begin(&r, *state);
    agent_by_hand(&r, &r.agent->offer.record.release, true);
    put_phase(&r, OFFER_REBOOTING);
    agent_room_close(&r);
    file_device_run(&r.file, "b");
    agent_room_open(&r);
    agent_room_until(&r, waits);
    look_on(&r);
    expect_status(&r, "trial", on_trial, 0);
    assert_int_equal(agent_room_said(&r, on_trial), 1);
    // It was confirmed, and the journal is behind.
    agent_decide(&r, DECIDE_CONFIRM, 1);
    look_on(&r);
    expect_status(&r, "waiting", is_back, 0);
    agent_room_clear(&r);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(a_boot_environment_that_cannot_be_read_is_said_once_and_waited_for),
        with_dir(another_release_that_was_flipped_by_hand_waits_for_its_reboot),
        with_dir(only_the_slot_that_runs_is_called_on_trial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
