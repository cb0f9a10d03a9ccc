// SPDX-License-Identifier: Apache-2.0
#include "tests/support/agent_verbs.h"
#include "updater/agent/history.h"

static void keep_one(const struct file_device *d)
{
    struct error e;
    struct log log = {.stream = stderr, .program = "test"};
    CLEANUP(cleanup_state_store) struct state_store *store = NULL;
    struct history_entry entry = {
        .source = "dir", .offer = "77", .version = "2.0", .outcome = OFFER_SUCCESS, .decided_s = 9};
    assert_ok(state_dir_open(d->state, &store, &e));
    assert_ok(history_add(store, &entry, &log, &e));
}

static void a_new_device_has_no_history(void **state)
{
    struct file_device d;
    agent_device_make(&d, *state, "");
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, verb_history, (const char *[]){"-c", d.conf, "--json", NULL});
    assert_int_equal(r.err, OK);
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&r);
    assert_int_equal(json_array_size(json_object_get(root, "entries")), 0);
}

static void what_was_kept_is_shown_to_people_and_programs(void **state)
{
    struct file_device d;
    agent_device_make(&d, *state, "");
    keep_one(&d);
    CLEANUP(verb_run_clear) struct verb_run text;
    CLEANUP(verb_run_clear) struct verb_run json;
    verb_run(&text, verb_history, (const char *[]){"-c", d.conf, NULL});
    assert_contains(text.out, "2.0");
    verb_run(&json, verb_history, (const char *[]){"-c", d.conf, "--json", NULL});
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&json);
    assert_int_equal(json_array_size(json_object_get(root, "entries")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(a_new_device_has_no_history),
        with_dir(what_was_kept_is_shown_to_people_and_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
