// SPDX-License-Identifier: Apache-2.0
#include "tests/support/expect.h"
#include "tests/support/file_device.h"
#include "tests/support/temp_dir.h"
#include "tests/support/verb_run.h"

static void put_release(struct release_id *r, const char *version, uint64_t index)
{
    snprintf(r->version, sizeof r->version, "%s", version);
    r->release_index = index;
}

// Slot a runs 1.0, confirmed; b holds 2.0, installed.
static struct journal two_releases(void)
{
    struct journal j = {.step = STEP_INSTALLED, .slot = 1, .last = {.slot = 1}};
    j.slots[0].content = CONTENT_CONFIRMED;
    put_release(&j.slots[0].release, "1.0", 10);
    j.slots[1].content = CONTENT_INSTALLED;
    put_release(&j.slots[1].release, "2.0", 20);
    j.release = j.slots[1].release;
    j.last.outcome = OUTCOME_INSTALLED;
    j.last.release = j.release;
    j.last.time_s = 1700000000;
    j.floor = 5;
    return j;
}

static void save(const struct file_device *f, const struct journal *j)
{
    struct error e;
    CLEANUP(cleanup_state_store) struct state_store *s = NULL;
    assert_ok(state_dir_open(f->state, &s, &e));
    assert_ok(journal_save(s, j, &e));
}

static void status_of(struct verb_run *r, const struct file_device *f, bool json)
{
    verb_run(r, verb_status, (const char *[]){"-c", f->conf, json ? "--json" : NULL, NULL});
}

static const char *text_at(const json_t *root, const char *key)
{
    const json_t *v = json_object_get(root, key);
    return json_is_null(v) ? "null" : json_string_value(v);
}

static long long number_at(const json_t *root, const char *key)
{
    const json_t *v = json_object_get(root, key);
    assert_true(json_is_integer(v));
    return json_integer_value(v);
}

static const json_t *slot_at(const json_t *root, const char *name)
{
    return json_object_get(json_object_get(root, "slots"), name);
}

static const char *const installed_vars[] = {"BOOT_ORDER=A", "BOOT_A_LEFT=3", "BOOT_B_LEFT=0",
                                             NULL};

static void text_is_a_table_and_a_sentence(void **state)
{
    struct file_device f;
    struct journal j = two_releases();
    file_device_make(&f, *state, installed_vars, NULL);
    save(&f, &j);
    CLEANUP(verb_run_clear) struct verb_run r;
    status_of(&r, &f, false);
    assert_int_equal(r.err, OK);
    assert_contains(r.out, "SLOT         STATE      VERSION              RELEASE    BOOTS LEFT\n");
    assert_contains(r.out, "a (running)  good       1.0                  10         3\n");
    assert_contains(r.out, "b            installed  2.0                  20         0\n");
    assert_contains(r.out, "\nRunning 1.0 from slot a. Slot a boots next. 2.0 is installed in ");
    assert_contains(r.out, "\nLast result: installed 2.0 in slot b, 2023-11-14 22:13:20 UTC.\n");
    assert_int_equal(r.log_len, 0);
}

static void json_says_the_same(void **state)
{
    struct file_device f;
    struct journal j = two_releases();
    file_device_make(&f, *state, installed_vars, NULL);
    save(&f, &j);
    CLEANUP(verb_run_clear) struct verb_run r;
    status_of(&r, &f, true);
    assert_int_equal(r.err, OK);
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&r);
    assert_string_equal(text_at(root, "running"), "a");
    assert_string_equal(text_at(root, "next_boot"), "a");
    assert_string_equal(text_at(root, "trial"), "null");
    assert_string_equal(text_at(slot_at(root, "a"), "state"), "good");
    assert_string_equal(text_at(slot_at(root, "a"), "version"), "1.0");
    assert_int_equal(number_at(slot_at(root, "a"), "release_index"), 10);
    assert_int_equal(number_at(slot_at(root, "a"), "boots_left"), 3);
    assert_string_equal(text_at(slot_at(root, "b"), "state"), "installed");
    assert_false(json_is_true(json_object_get(slot_at(root, "b"), "bootable")));
    const json_t *last = json_object_get(root, "last");
    assert_string_equal(text_at(last, "result"), "installed");
    assert_string_equal(text_at(last, "slot"), "b");
    assert_string_equal(text_at(last, "version"), "2.0");
    assert_int_equal(number_at(last, "release_index"), 20);
    assert_string_equal(text_at(last, "reason"), "null");
    assert_int_equal(number_at(last, "time"), 1700000000);
    const json_t *environment = json_object_get(root, "environment");
    assert_int_equal(number_at(environment, "copies"), 2);
    assert_int_equal(number_at(environment, "copies_good"), 2);
    assert_int_equal(number_at(root, "floor"), 5);
    const json_t *update = json_object_get(root, "update");
    assert_string_equal(text_at(update, "step"), "installed");
    assert_string_equal(text_at(update, "slot"), "b");
    assert_string_equal(text_at(update, "version"), "2.0");
    assert_int_equal(number_at(update, "percent"), 100);
    assert_int_equal(number_at(update, "restarts"), 0);
    assert_int_equal(json_array_size(json_object_get(root, "warnings")), 0);
    assert_contains(text_at(root, "summary"), "Running 1.0 from slot a.");
    assert_null(json_object_get(root, "error"));
}

static void a_factory_device_has_nulls_where_nothing_is_known(void **state)
{
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    status_of(&r, &f, true);
    assert_int_equal(r.err, OK);
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&r);
    assert_string_equal(text_at(slot_at(root, "a"), "state"), "good");
    assert_string_equal(text_at(slot_at(root, "a"), "version"), "null");
    assert_true(json_is_null(json_object_get(slot_at(root, "a"), "release_index")));
    assert_true(json_is_null(json_object_get(root, "last")));
    assert_true(json_is_null(json_object_get(root, "update")));
    assert_true(json_is_null(json_object_get(root, "health")));
    CLEANUP(verb_run_clear) struct verb_run text;
    status_of(&text, &f, false);
    assert_contains(text.out, "a (running)  good       -                    -          3\n");
    assert_contains(text.out, "Running an unknown release from slot a.");
    assert_null(strstr(text.out, "Last result"));
}

static void a_half_written_slot_has_no_version_but_the_update_has(void **state)
{
    struct file_device f;
    struct journal j = two_releases();
    j.step = STEP_INSTALLING;
    j.slots[1].content = CONTENT_PARTIAL;
    j.next_chunk = 1;
    j.chunk_count = 4;
    file_device_make(&f, *state, installed_vars, NULL);
    save(&f, &j);
    CLEANUP(verb_run_clear) struct verb_run r;
    status_of(&r, &f, true);
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&r);
    assert_string_equal(text_at(slot_at(root, "b"), "version"), "null");
    assert_string_equal(text_at(slot_at(root, "b"), "state"), "bad");
    const json_t *update = json_object_get(root, "update");
    assert_string_equal(text_at(update, "version"), "2.0");
    assert_int_equal(number_at(update, "percent"), 25);
    assert_true(json_is_false(json_object_get(update, "under_way")));
    assert_int_equal(json_array_size(json_object_get(root, "warnings")), 1);
    CLEANUP(verb_run_clear) struct verb_run text;
    status_of(&text, &f, false);
    assert_contains(text.log, "warning: an installation was interrupted; run it again\n");
    assert_contains(text.out, "was interrupted at 25 %; run it again");
}

static void an_install_that_is_cut_off_again_and_again_is_told(void **state)
{
    struct file_device f;
    struct journal j = two_releases();
    j.step = STEP_INSTALLING;
    j.slots[1].content = CONTENT_PARTIAL;
    j.restarts = 7;
    file_device_make(&f, *state, installed_vars, NULL);
    save(&f, &j);
    CLEANUP(verb_run_clear) struct verb_run json;
    status_of(&json, &f, true);
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&json);
    assert_int_equal(number_at(json_object_get(root, "update"), "restarts"), 7);
    CLEANUP(verb_run_clear) struct verb_run text;
    status_of(&text, &f, false);
    assert_contains(text.out, "cut off 7 times in a row without getting further");
}

static void a_failure_is_told_with_its_reason(void **state)
{
    struct file_device f;
    struct journal j = two_releases();
    j.last.outcome = OUTCOME_ROLLED_BACK;
    snprintf(j.last.reason, sizeof j.last.reason, "check tv_api: 503");
    file_device_make(&f, *state, installed_vars, NULL);
    save(&f, &j);
    CLEANUP(verb_run_clear) struct verb_run text;
    status_of(&text, &f, false);
    assert_contains(text.out, "Last result: rolled back 2.0 in slot b, 2023-11-14 22:13:20 UTC: "
                              "check tv_api: 503.\n");
    CLEANUP(verb_run_clear) struct verb_run json;
    status_of(&json, &f, true);
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&json);
    assert_string_equal(text_at(json_object_get(root, "last"), "reason"), "check tv_api: 503");
}

static void one_damaged_copy_of_the_environment_is_warned_of(void **state)
{
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    env_file_damage(&f.env, 0);
    CLEANUP(verb_run_clear) struct verb_run text;
    status_of(&text, &f, false);
    assert_int_equal(text.err, OK);
    assert_contains(text.log, "warning: one copy of the boot environment is damaged");
    CLEANUP(verb_run_clear) struct verb_run json;
    status_of(&json, &f, true);
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&json);
    const json_t *environment = json_object_get(root, "environment");
    assert_int_equal(number_at(environment, "copies"), 2);
    assert_int_equal(number_at(environment, "copies_good"), 1);
    assert_int_equal(json_array_size(json_object_get(root, "warnings")), 1);
    assert_int_equal(json.log_len, 0);
}

static void two_damaged_copies_end_in_exit_7_with_all_that_is_known(void **state)
{
    struct file_device f;
    struct journal j = two_releases();
    file_device_make(&f, *state, NULL, NULL);
    save(&f, &j);
    env_file_damage(&f.env, 0);
    env_file_damage(&f.env, 1);
    CLEANUP(verb_run_clear) struct verb_run json;
    status_of(&json, &f, true);
    assert_int_equal(json.err, ERR_IO);
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&json);
    assert_string_equal(text_at(root, "running"), "a");
    assert_string_equal(text_at(root, "next_boot"), "null");
    assert_string_equal(text_at(slot_at(root, "a"), "state"), "unknown");
    assert_string_equal(text_at(slot_at(root, "a"), "version"), "1.0");
    assert_true(json_is_null(json_object_get(slot_at(root, "b"), "boots_left")));
    const json_t *error = json_object_get(root, "error");
    assert_int_equal(number_at(error, "code"), ERR_IO);
    assert_string_equal(text_at(error, "name"), "io");
    assert_string_equal(text_at(error, "message"), json.e.msg);
    CLEANUP(verb_run_clear) struct verb_run text;
    status_of(&text, &f, false);
    assert_int_equal(text.err, ERR_IO);
    assert_contains(text.out, "a (running)  unknown    1.0                  10         -\n");
    assert_contains(text.out, "what boots next is not known");
    assert_contains(text.log, text.e.msg);
}

static void looking_changes_nothing(void **state)
{
    uint8_t before[2][ENV_FILE_SIZE];
    uint8_t after[ENV_FILE_SIZE];
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    env_file_read_copy(&f.env, 0, before[0]);
    env_file_read_copy(&f.env, 1, before[1]);
    CLEANUP(verb_run_clear) struct verb_run r;
    status_of(&r, &f, false);
    for (int copy = 0; copy < 2; copy++) {
        env_file_read_copy(&f.env, copy, after);
        assert_memory_equal(after, before[copy], ENV_FILE_SIZE);
    }
    // The state directory is still empty.
    assert_int_equal(rmdir(f.state), 0);
}

static void a_device_that_cannot_be_opened_is_an_error(void **state)
{
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    file_device_write(*state, "cmdline", "quiet");
    CLEANUP(verb_run_clear) struct verb_run r;
    status_of(&r, &f, true);
    assert_int_equal(r.err, ERR_NOT_NOW);
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&r);
    assert_string_equal(text_at(json_object_get(root, "error"), "name"), "not_now");
}

// An agent that says this of itself.
static enum err canned_agent(const struct config *config, json_t **ret, struct error *e)
{
    static const char text[] =
        "{\"state\":\"waiting\",\"waits_for\":\"waiting for "
        "consent\",\"offer\":{\"version\":\"3.0\"},"
        "\"gates\":[{\"phase\":\"download\",\"open\":true,\"gate\":null,\"reason\":\"\",\"until\":"
        "null,"
        "\"to_ask\":[]},{\"phase\":\"install\",\"open\":false,\"gate\":\"consent\","
        "\"reason\":\"waiting for consent\",\"until\":1700000000,\"to_ask\":[\"command\"]},"
        "{\"phase\":\"reboot\",\"open\":true,\"gate\":null,\"reason\":\"\",\"until\":null,"
        "\"to_ask\":[\"command\",\"fleet_lock\"]}]}";
    (void)config;
    return json_parse(text, strlen(text), ret, e);
}

static enum err status_with_agent(void *app, const struct parsed *args, struct error *e)
{
    ((struct app *)app)->ask_agent = canned_agent;
    return verb_status(app, args, e);
}

static void the_gates_of_the_agent_are_shown(void **state)
{
    struct file_device f;
    file_device_make(&f, *state, installed_vars, "[fleet]\nsource=dir\nurl=http://h/x.vvi\n");
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, status_with_agent, (const char *[]){"-c", f.conf, NULL});
    assert_contains(r.out, "Agent: waiting, release 3.0: waiting for consent.\n"
                           "  download  open\n"
                           "  install   closed by consent: waiting for consent\n"
                           "  reboot    open, still to ask: command, fleet_lock\n");
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

static enum err odd_agent(const struct config *config, json_t **ret, struct error *e)
{
    (void)config;
    (void)e;
    *ret = json_pack("{s:s, s:s}", "state", "waiting", "waits_for",
                     "a\x1b[2J\xc2\x9b"
                     "b");
    return OK;
}

static enum err beside_an_agent(void *app, const struct parsed *args, struct error *e)
{
    ((struct app *)app)->ask_agent = odd_agent;
    return verb_status(app, args, e);
}

// Both may have the name of a file that lay on a stick.
static void what_others_wrote_does_not_steer_the_terminal(void **state)
{
    struct file_device f;
    struct journal j = two_releases();
    j.last.outcome = OUTCOME_FAILED;
    snprintf(j.last.reason, sizeof j.last.reason, "/drop/\033]0;x\007.vvi: corrupt");
    file_device_make(&f, *state, installed_vars, "[fleet]\nsource=dir\ndir=/drop\n");
    save(&f, &j);
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, beside_an_agent, (const char *[]){"-c", f.conf, NULL});
    assert_int_equal(r.err, OK);
    assert_contains(r.out, " UTC: /drop/?]0;x?.vvi: corrupt.\n");
    assert_contains(r.out, "Agent: waiting: a?[2J?b.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(text_is_a_table_and_a_sentence),
        WITH_DIR(json_says_the_same),
        WITH_DIR(a_factory_device_has_nulls_where_nothing_is_known),
        WITH_DIR(a_half_written_slot_has_no_version_but_the_update_has),
        WITH_DIR(an_install_that_is_cut_off_again_and_again_is_told),
        WITH_DIR(the_gates_of_the_agent_are_shown),
        WITH_DIR(a_failure_is_told_with_its_reason),
        WITH_DIR(what_others_wrote_does_not_steer_the_terminal),
        WITH_DIR(one_damaged_copy_of_the_environment_is_warned_of),
        WITH_DIR(two_damaged_copies_end_in_exit_7_with_all_that_is_known),
        WITH_DIR(looking_changes_nothing),
        WITH_DIR(a_device_that_cannot_be_opened_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
