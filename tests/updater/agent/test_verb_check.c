// SPDX-License-Identifier: Apache-2.0
#include "tests/support/agent_verbs.h"
#include "tests/support/bad_server.h"
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

// One that is asked by URL, in a mode of bad_server.py. Retries are as they are by default.
static void serve(struct bad_server *server, struct file_device *d, const char *dir,
                  const char *mode)
{
    char extra[256];
    bad_server_start(server, dir, mode);
    snprintf(extra, sizeof extra, "[fleet]\nsource=dir\nurl=http://127.0.0.1:%u/latest.vvi\n",
             server->port);
    agent_device_make(d, dir, extra);
}

static json_t *number_of(const json_t *root, const char *name)
{
    return json_object_get(json_object_get(root, "error"), name);
}

static void a_dry_run_is_one_attempt_and_tells_how_the_server_refused(void **state)
{
    static const struct {
        const char *mode;
        json_int_t status, retry_after_s; // 0: there is no such member
    } cases[] = {
        {"status=503,retry-after=600", 503, 600},
        {"status=429,retry-after=1", 429, 1},
        {"status=503", 503, 0},
        {"status=404", 404, 0},
        {"silent,hang-up", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct file_device d;
        struct bad_server server;
        char dir[512];
        snprintf(dir, sizeof dir, "%s/%zu", (const char *)*state, i);
        assert_int_equal(mkdir(dir, 0700), 0);
        serve(&server, &d, dir, cases[i].mode);
        CLEANUP(verb_run_clear) struct verb_run r;
        verb_run(&r, verb_check, (const char *[]){"-c", d.conf, "--dry-run", "--json", NULL});
        CLEANUP(cleanup_json) json_t *root = verb_run_json(&r);
        assert_int_equal(r.err, ERR_NETWORK);
        assert_string_equal(json_string_value(number_of(root, "name")), "network");
        assert_int_equal(json_integer_value(number_of(root, "http_status")), cases[i].status);
        assert_int_equal(number_of(root, "http_status") != NULL, cases[i].status != 0);
        assert_int_equal(json_integer_value(number_of(root, "retry_after_s")),
                         cases[i].retry_after_s);
        assert_int_equal(number_of(root, "retry_after_s") != NULL, cases[i].retry_after_s != 0);
        bad_server_stop(&server);
        assert_int_equal(bad_server_count(&server), 1);
        bad_server_clear(&server);
    }
}

static void a_dry_run_in_words_tells_the_refusal_in_a_sentence(void **state)
{
    struct file_device d;
    struct bad_server server;
    serve(&server, &d, *state, "status=503,retry-after=600");
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, verb_check, (const char *[]){"-c", d.conf, "--dry-run", NULL});
    assert_int_equal(r.err, ERR_NETWORK);
    assert_string_equal(r.out, "");
    assert_contains(r.log, "answers 503 Service Unavailable");
    bad_server_clear(&server);
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
        with_dir(a_dry_run_is_one_attempt_and_tells_how_the_server_refused),
        with_dir(a_dry_run_in_words_tells_the_refusal_in_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
