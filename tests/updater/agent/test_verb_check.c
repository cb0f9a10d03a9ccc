// SPDX-License-Identifier: Apache-2.0
#include "tests/support/agent_verbs.h"
#include "tests/support/file_release.h"

#include <sys/stat.h>

static void make(struct file_device *d, const char *dir)
{
    char extra[512];
    char path[512];
    snprintf(extra, sizeof extra, "[fleet]\nsource=dir\ndir=%s/drop\n", dir);
    agent_device_make(d, dir, extra);
    assert_int_equal(mkdir(temp_dir_path(path, sizeof path, dir, "drop"), 0700), 0);
}

static void a_dry_run_says_what_is_offered(void **state)
{
    char path[512];
    struct file_device d;
    struct file_release release;
    make(&d, *state);
    file_release_prepare(&release, &d);
    file_release_write(&release, "drop/x.vvi", "2.0", 2, path, sizeof path);
    CLEANUP(verb_run_clear) struct verb_run text;
    CLEANUP(verb_run_clear) struct verb_run json;
    verb_run(&text, verb_check, (const char *[]){"-c", d.conf, "--dry-run", NULL});
    assert_int_equal(text.err, OK);
    assert_string_equal(text.out, "2.0 (release 2) is offered by dir.\n");
    verb_run(&json, verb_check, (const char *[]){"-c", d.conf, "--dry-run", "--json", NULL});
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&json);
    assert_string_equal(json_string_value(json_object_get(root, "result")), "offer");
    assert_string_equal(json_string_value(json_object_get(root, "url")), path);
    file_release_clear(&release);
}

static void seen_is_handed_out_and_is_for_a_dry_run_only(void **state)
{
    struct file_device d;
    make(&d, *state);
    CLEANUP(verb_run_clear) struct verb_run dry;
    CLEANUP(verb_run_clear) struct verb_run wet;
    // A directory has no versions.
    verb_run(
        &dry, verb_check,
        (const char *[]){"-c", d.conf, "--dry-run", "--json", "--seen", "\"a\" http://h/x", NULL});
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&dry);
    assert_string_equal(json_string_value(json_object_get(root, "result")), "nothing");
    assert_string_equal(json_string_value(json_object_get(root, "seen")), "");
    verb_run(&wet, verb_check, (const char *[]){"-c", d.conf, "--seen", "x", NULL});
    assert_int_equal(wet.err, ERR_USAGE);
    assert_contains(wet.log, "--seen: is for --dry-run");
}

static void a_dry_run_says_why_nothing_is(void **state)
{
    struct file_device d;
    make(&d, *state);
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, verb_check, (const char *[]){"-c", d.conf, "--dry-run", NULL});
    assert_int_equal(r.err, OK);
    assert_contains(r.out, "Nothing is offered: ");
    assert_contains(r.out, "there is no image");
}

static void a_dry_run_does_not_steer_the_terminal(void **state)
{
    struct file_device d;
    make(&d, *state);
    file_device_write(*state, "drop/\033]0;x\007\033[2J.vvi", "");
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, verb_check, (const char *[]){"-c", d.conf, "--dry-run", NULL});
    assert_int_equal(r.err, OK);
    assert_contains(r.out, "/drop/?]0;x??[2J.vvi: its name has bytes that ");
}

static void with_json_it_is_said_when_not_all_could_be_read(void **state)
{
    char path[512];
    struct file_device d;
    make(&d, *state);
    temp_dir_path(path, sizeof path, *state, "drop/x.vvi");
    for (int unread = 0; unread < 2; unread++) {
        assert_int_equal(unread == 0 ? 0 : symlink("x.vvi", path), 0); // ELOOP
        CLEANUP(verb_run_clear) struct verb_run r;
        verb_run(&r, verb_check, (const char *[]){"-c", d.conf, "--dry-run", "--json", NULL});
        CLEANUP(cleanup_json) json_t *root = verb_run_json(&r);
        assert_string_equal(json_string_value(json_object_get(root, "result")), "nothing");
        assert_true(json_equal(json_object_get(root, "incomplete"), json_boolean(unread)));
    }
}

static void without_a_source_or_an_agent_it_is_an_error(void **state)
{
    struct file_device d;
    agent_device_make(&d, *state, "");
    CLEANUP(verb_run_clear) struct verb_run dry;
    CLEANUP(verb_run_clear) struct verb_run wet;
    verb_run(&dry, verb_check, (const char *[]){"-c", d.conf, "--dry-run", NULL});
    assert_int_equal(dry.err, ERR_CONFIG);
    verb_run(&wet, verb_check, (const char *[]){"-c", d.conf, NULL});
    assert_int_equal(wet.err, ERR_NOT_NOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(a_dry_run_says_what_is_offered),
        with_dir(seen_is_handed_out_and_is_for_a_dry_run_only),
        with_dir(a_dry_run_says_why_nothing_is),
        with_dir(a_dry_run_does_not_steer_the_terminal),
        with_dir(with_json_it_is_said_when_not_all_could_be_read),
        with_dir(without_a_source_or_an_agent_it_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
