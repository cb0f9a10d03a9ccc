// SPDX-License-Identifier: Apache-2.0
#include "tests/support/agent_verbs.h"
#include "updater/agent/denylist.h"

static void deny_one(const struct file_device *d)
{
    struct error e;
    struct log log = {.stream = stderr, .program = "test"};
    const struct release_id release = {.version = "2.0", .release_index = 2};
    CLEANUP(cleanup_state_store) struct state_store *store = NULL;
    CLEANUP(cleanup_free) struct denylist *list = NULL;
    assert_ok(state_dir_open(d->state, &store, &e));
    assert_ok(denylist_load(store, &log, &list, &e));
    denylist_add(list, &release, "its checks failed", 9);
    assert_ok(denylist_save(store, list, &e));
}

static void it_lists_what_failed_here(void **state)
{
    struct file_device d;
    agent_device_make(&d, *state, "");
    deny_one(&d);
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, verb_allow, (const char *[]){"-c", d.conf, NULL});
    assert_int_equal(r.err, OK);
    assert_contains(r.out, "its checks failed");
}

static void a_release_is_allowed_once_and_what_is_not_there_is_a_usage_error(void **state)
{
    struct file_device d;
    agent_device_make(&d, *state, "");
    deny_one(&d);
    CLEANUP(verb_run_clear) struct verb_run first;
    CLEANUP(verb_run_clear) struct verb_run again;
    verb_run(&first, verb_allow, (const char *[]){"-c", d.conf, "2.0", "--json", NULL});
    assert_int_equal(first.err, OK);
    assert_string_equal(first.out, "{\"ok\":true,\"allowed\":1}\n");
    verb_run(&again, verb_allow, (const char *[]){"-c", d.conf, "2.0", NULL});
    assert_int_equal(again.err, ERR_USAGE);
}

static void while_an_agent_runs_it_is_the_one_who_is_asked(void **state)
{
    struct error e;
    struct file_device d;
    CLEANUP(cleanup_close) int lock = -1;
    agent_device_make(&d, *state, "");
    deny_one(&d);
    assert_ok(agent_lock_take(d.state, &lock, &e));
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, verb_allow, (const char *[]){"-c", d.conf, "2.0", NULL});
    assert_int_equal(r.err, ERR_NOT_NOW); // this one has no socket
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(it_lists_what_failed_here),
        with_dir(a_release_is_allowed_once_and_what_is_not_there_is_a_usage_error),
        with_dir(while_an_agent_runs_it_is_the_one_who_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
