// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/dir_source.h"

#include "tests/support/dir_source_stage.h"

static void the_newest_image_of_the_directory_is_offered(void **state)
{
    struct stage *s = *state;
    char hex[SHA256_HEX_SIZE];
    make_dir(s, "drop");
    put(s, "drop/c.vvi", "2.0", 2);
    put(s, "drop/a.vvi", "4.0", 4);
    put(s, "drop/b.vvi", "3.0", 3);
    put(s, "drop/.d.vvi", "9.0", 9); // still being copied, by what most programs do
    put(s, "drop/e.vvi.part", "9.1", 10);
    struct fleet_answer a = poll(s);
    assert_true(a.offered);
    assert_string_equal(a.offer.source, "dir");
    assert_string_equal(a.release.version, "4.0");
    hex_encode(a.release.manifest_sha256, SHA256_SIZE, hex);
    assert_string_equal(a.offer.id, hex);
    assert_contains(a.offer.url, "/drop/a.vvi");
}

static void the_same_release_under_another_name_is_the_same_offer(void **state)
{
    struct stage *s = *state;
    char from[512];
    char to[512];
    make_dir(s, "drop");
    put(s, "drop/a.vvi", "2.0", 2);
    struct fleet_answer a = poll(s);
    assert_int_equal(rename(temp_dir_path(from, sizeof from, s->dir, "drop/a.vvi"),
                            temp_dir_path(to, sizeof to, s->dir, "drop/b.vvi")),
                     0);
    struct fleet_answer b = poll(s);
    assert_string_equal(a.offer.id, b.offer.id);
    assert_string_not_equal(a.offer.url, b.offer.url);
}

static void a_directory_that_is_missing_or_empty_offers_nothing(void **state)
{
    struct stage *s = *state;
    struct fleet_answer a = poll(s);
    assert_false(a.offered);
    assert_contains(a.why.msg, "/drop: there is no image");
    make_dir(s, "drop");
    assert_false(poll(s).offered);
}

static void what_is_not_newer_than_what_runs_is_not_offered(void **state)
{
    struct stage *s = *state;
    make_dir(s, "drop");
    put(s, "drop/a.vvi", "2.0", 2);
    for (uint64_t running = 1; running <= 3; running++) {
        runs(s, running, CONTENT_CONFIRMED);
        struct fleet_answer a = poll(s);
        assert_int_equal(a.offered, running < 2);
        if (!a.offered) {
            assert_contains(a.why.msg, "/drop/a.vvi: release 2 is not newer than the running");
        }
    }
    runs(s, 3, CONTENT_UNKNOWN); // a number that nobody vouches for
    assert_true(poll(s).offered);
}

// Else it would change with what runs, and the device would go there and back for ever.
static void what_a_directory_wants_is_its_newest_image_and_no_downgrade_beside_it(void **state)
{
    struct stage *s = *state;
    char path[512];
    make_dir(s, "drop");
    put(s, "drop/b.vvi", "2.0", 2);
    s->release.allow_downgrade = true;
    put(s, "drop/a.vvi", "1.0", 1);
    runs(s, 2, CONTENT_CONFIRMED);
    struct fleet_answer a = poll(s);
    assert_false(a.offered);
    assert_contains(a.why.msg, "/drop/b.vvi: release 2 is not newer than the running release 2");
    runs(s, 1, CONTENT_CONFIRMED);
    assert_int_equal(poll(s).release.release_index, 2);
    runs(s, 2, CONTENT_CONFIRMED);
    assert_int_equal(unlink(temp_dir_path(path, sizeof path, s->dir, "drop/b.vvi")), 0);
    a = poll(s);
    assert_true(a.offered);
    assert_int_equal(a.release.release_index, 1);
}

static void a_release_between_is_taken_before_one_that_needs_it(void **state)
{
    struct stage *s = *state;
    make_dir(s, "drop");
    runs(s, 1, CONTENT_CONFIRMED);
    s->release.min_from = 2;
    put(s, "drop/b.vvi", "3.0", 3);
    struct fleet_answer a = poll(s);
    assert_false(a.offered);
    assert_contains(a.why.msg, "/drop/b.vvi: the image may be installed from release 2 on, ");
    s->release.min_from = 0;
    put(s, "drop/a.vvi", "2.0", 2);
    assert_int_equal(poll(s).release.release_index, 2);
    runs(s, 2, CONTENT_CONFIRMED);
    assert_int_equal(poll(s).release.release_index, 3);
}

static void a_bad_image_is_told_before_one_that_is_not_newer(void **state)
{
    struct stage *s = *state;
    make_dir(s, "drop");
    put(s, "drop/b.vvi", "2.0", 2);
    file_device_write(s->dir, "drop/a.vvi", "no image");
    runs(s, 2, CONTENT_CONFIRMED);
    assert_contains(poll(s).why.msg, "/drop/a.vvi: ");
}

static void a_bad_image_is_told_and_does_not_hide_a_good_one(void **state)
{
    struct stage *s = *state;
    struct test_cert stranger = test_signer("stranger", NULL);
    struct test_cert signer = s->release.signer;
    make_dir(s, "drop");
    file_device_write(s->dir, "drop/a.vvi", "no image");
    struct fleet_answer a = poll(s);
    assert_false(a.offered);
    assert_contains(a.why.msg, "/drop/a.vvi: ");
    s->release.signer = stranger;
    put(s, "drop/b.vvi", "9.0", 9);
    s->release.signer = signer;
    a = poll(s);
    assert_false(a.offered);
    assert_int_equal(a.why.code, ERR_TRUST);
    put(s, "drop/c.vvi", "2.0", 2);
    a = poll(s);
    assert_true(a.offered);
    assert_string_equal(a.release.version, "2.0");
    test_cert_clear(&stranger);
}

static void what_is_no_regular_file_is_told_and_passed_over(void **state)
{
    struct stage *s = *state;
    char path[512];
    const struct timespec times[] = {{.tv_sec = 1}, {.tv_sec = 2}};
    make_dir(s, "drop");
    uint64_t stamp = dir_source_stamp(s->device->config);
    make_dir(s, "drop/a.vvi");
    assert_int_equal(mkfifo(temp_dir_path(path, sizeof path, s->dir, "drop/b.vvi"), 0600), 0);
    struct fleet_answer a = poll(s);
    assert_false(a.offered);
    assert_contains(a.why.msg, "/drop/b.vvi: is not a regular file");
    assert_int_equal(dir_source_stamp(s->device->config), stamp);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(dir_source_stamp(s->device->config), stamp);
    put(s, "drop/c.vvi", "2.0", 2);
    assert_true(poll(s).offered);
}

static void what_could_not_be_read_makes_the_answer_incomplete(void **state)
{
    struct stage *s = *state;
    char path[512];
    make_dir(s, "drop");
    put(s, "drop/a.vvi", "2.0", 2);
    assert_int_equal(symlink("nowhere", temp_dir_path(path, sizeof path, s->dir, "drop/b.vvi")), 0);
    file_device_write(s->dir, "drop/c.vvi", "no image");
    struct fleet_answer a = poll(s);
    assert_true(a.offered);
    assert_false(a.incomplete);
    assert_int_equal(symlink("d.vvi", temp_dir_path(path, sizeof path, s->dir, "drop/d.vvi")), 0);
    a = poll(s); // ELOOP
    assert_true(a.offered);
    assert_true(a.incomplete);
    runs(s, 2, CONTENT_CONFIRMED);
    a = poll(s);
    assert_false(a.offered);
    assert_true(a.incomplete);
    assert_contains(a.why.msg, "/drop/d.vvi: Too many levels");
}

static void the_newest_of_many_is_found_whatever_its_name_is(void **state)
{
    struct stage *s = *state;
    char name[64];
    char path[512];
    make_dir(s, "drop");
    for (int i = 1; i <= 200; i++) {
        snprintf(name, sizeof name, "drop/%03d.vvi", i);
        file_device_write(s->dir, name, "");
    }
    struct fleet_answer a = poll(s);
    assert_false(a.offered);
    assert_contains(a.why.msg, "/drop/200.vvi: "); // whatever order the directory has them in
    put(s, "drop/000.vvi", "2.0", 2);
    assert_int_equal(poll(s).release.release_index, 2);
    put(s, "drop/999.vvi", "3.0", 3);
    assert_int_equal(poll(s).release.release_index, 3);
    uint64_t stamp = dir_source_stamp(s->device->config);
    assert_int_equal(unlink(temp_dir_path(path, sizeof path, s->dir, "drop/999.vvi")), 0);
    assert_int_not_equal(dir_source_stamp(s->device->config), stamp);
}

static void of_two_with_one_number_it_is_always_the_same(void **state)
{
    struct stage *s = *state;
    char from[512];
    char to[512];
    make_dir(s, "drop");
    put(s, "drop/a.vvi", "2.0", 2);
    put(s, "drop/b.vvi", "2.0-again", 2);
    struct fleet_answer a = poll(s);
    assert_int_equal(rename(temp_dir_path(from, sizeof from, s->dir, "drop/a.vvi"),
                            temp_dir_path(to, sizeof to, s->dir, "drop/c.vvi")),
                     0);
    struct fleet_answer b = poll(s);
    assert_true(a.offered && b.offered);
    assert_string_equal(a.offer.id, b.offer.id);
    put(s, "drop/d.vvi", b.release.version, 2); // the same once more: the first by name
    assert_string_equal(poll(s).offer.url, b.offer.url);
}

static void a_url_that_cannot_be_asked_is_an_error(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct fleet_answer a;
    s->device->config->fleet.dir = NULL;
    s->device->config->fleet.url = "http://127.0.0.1:1/latest.vvi";
    s->device->config->http.retries = 0;
    assert_fails(ERR_NETWORK, "127.0.0.1", dir_source.poll(s->device, NULL, &a, &e));
    assert_int_equal(a.http_status, 0);
    assert_int_equal(dir_source_stamp(s->device->config), 0);
}

static void of_a_server_that_does_not_answer_well_status_and_wait_are_told(void **state)
{
    struct stage *s = *state;
    struct bad_server server;
    struct error e;
    struct fleet_answer a;
    char url[128];
    bad_server_start(&server, s->dir, "status=503,retry-after=600");
    snprintf(url, sizeof url, "http://127.0.0.1:%u/latest.vvi", server.port);
    s->device->config->fleet.dir = NULL;
    s->device->config->fleet.url = url;
    s->device->config->http.retries = 0;
    assert_fails(ERR_NETWORK, "503", dir_source.poll(s->device, NULL, &a, &e));
    assert_int_equal(a.http_status, 503);
    assert_int_equal(a.retry_after_ms, 600 * 1000);
    bad_server_clear(&server);
}

static struct fleet_answer poll_url(struct stage *s, const char *seen)
{
    struct error e;
    struct fleet_answer a;
    assert_ok(dir_source.poll(s->device, seen, &a, &e));
    return a;
}

static void an_image_at_a_url_is_read_again_when_it_is_another_one(void **state)
{
    struct stage *s = *state;
    struct bad_server server;
    char url[128];
    put(s, "latest.vvi", "2.0", 2);
    bad_server_start(&server, s->dir, "ok");
    snprintf(url, sizeof url, "http://127.0.0.1:%u/latest.vvi", server.port);
    s->device->config->fleet.dir = NULL;
    s->device->config->fleet.url = url;
    struct fleet_answer first = poll_url(s, NULL);
    assert_true(first.offered && !first.unchanged);
    assert_contains(first.seen, "/latest.vvi");
    struct fleet_answer again = poll_url(s, first.seen);
    assert_true(again.unchanged && !again.offered);
    // What is not for us is known by its version, too; what nobody signed is not.
    runs(s, 7, CONTENT_CONFIRMED);
    struct fleet_answer older = poll_url(s, "");
    assert_false(older.offered);
    assert_string_equal(older.seen, first.seen);
    put(s, "latest.vvi", "8.0", 8);
    struct fleet_answer newer = poll_url(s, first.seen);
    assert_true(newer.offered);
    assert_string_not_equal(newer.seen, first.seen);
    file_device_write(s->dir, "latest.vvi", "garbage");
    struct fleet_answer bad = poll_url(s, newer.seen);
    assert_false(bad.offered || bad.unchanged);
    assert_string_equal(bad.seen, "");
    bad_server_stop(&server);
    assert_int_equal(bad_server_number(&server, 2, "status"), 304);
    bad_server_clear(&server);
}

static void the_stamp_changes_with_names_sizes_and_times(void **state)
{
    struct stage *s = *state;
    char path[512];
    char other[512];
    const struct timespec times[] = {{.tv_sec = 1}, {.tv_sec = 2, .tv_nsec = 3}};
    uint64_t stamps[6];
    stamps[0] = dir_source_stamp(s->device->config);
    assert_int_not_equal(stamps[0], 0); // without a directory
    make_dir(s, "drop");
    assert_int_equal(dir_source_stamp(s->device->config), stamps[0]);
    file_device_write(s->dir, "drop/a.vvi", "x");
    stamps[1] = dir_source_stamp(s->device->config);
    file_device_write(s->dir, "drop/a.txt", "x"); // no image
    assert_int_equal(dir_source_stamp(s->device->config), stamps[1]);
    file_device_write(s->dir, "drop/a.vvi", "xy");
    stamps[2] = dir_source_stamp(s->device->config);
    temp_dir_path(path, sizeof path, s->dir, "drop/a.vvi");
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    stamps[3] = dir_source_stamp(s->device->config);
    temp_dir_path(other, sizeof other, s->dir, "drop/b.vvi");
    assert_int_equal(rename(path, other), 0);
    stamps[4] = dir_source_stamp(s->device->config);
    assert_int_equal(unlink(other), 0);
    stamps[5] = dir_source_stamp(s->device->config);
    assert_int_equal(stamps[5], stamps[0]);
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(stamps[i], stamps[j]);
        }
    }
}

// No terminal, report or JSON could say it: another name would be told, and installed.
static void a_name_that_cannot_be_told_is_not_offered(void **state)
{
    struct stage *s = *state;
    static const char *const names[][2] = {
        {"drop/\033]0;x\007.vvi", "/drop/?]0;x?.vvi: its name has bytes that "},
        {"drop/edge-\xe4.vvi", "/drop/edge-?.vvi: its name has bytes that "},
        {"drop/\xc2\x9b.vvi", "/drop/?.vvi: its name has bytes that "},
    };
    char path[512];
    make_dir(s, "drop");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        put(s, names[i][0], "9.0", 9);
        struct fleet_answer a = poll(s);
        assert_false(a.offered);
        assert_false(a.incomplete);
        assert_contains(a.why.msg, names[i][1]);
        assert_int_equal(unlink(temp_dir_path(path, sizeof path, s->dir, names[i][0])), 0);
    }
    put(s,
        "drop/gr\xc3\xb6\xc3\x9f"
        "er 1.vvi",
        "2.0", 2);
    assert_contains(poll(s).offer.url, "/drop/gr\xc3\xb6\xc3\x9f"
                                       "er 1.vvi");
}

#define stage_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_newest_image_of_the_directory_is_offered),
        stage_test(the_same_release_under_another_name_is_the_same_offer),
        stage_test(a_directory_that_is_missing_or_empty_offers_nothing),
        stage_test(what_is_not_newer_than_what_runs_is_not_offered),
        stage_test(what_a_directory_wants_is_its_newest_image_and_no_downgrade_beside_it),
        stage_test(a_release_between_is_taken_before_one_that_needs_it),
        stage_test(a_bad_image_is_told_before_one_that_is_not_newer),
        stage_test(a_bad_image_is_told_and_does_not_hide_a_good_one),
        stage_test(what_is_no_regular_file_is_told_and_passed_over),
        stage_test(what_could_not_be_read_makes_the_answer_incomplete),
        stage_test(the_newest_of_many_is_found_whatever_its_name_is),
        stage_test(of_two_with_one_number_it_is_always_the_same),
        stage_test(a_url_that_cannot_be_asked_is_an_error),
        stage_test(of_a_server_that_does_not_answer_well_status_and_wait_are_told),
        stage_test(an_image_at_a_url_is_read_again_when_it_is_another_one),
        stage_test(the_stamp_changes_with_names_sizes_and_times),
        stage_test(a_name_that_cannot_be_told_is_not_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
