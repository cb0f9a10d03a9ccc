// SPDX-License-Identifier: Apache-2.0
#include "updater/source_file.h"

#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { FILE_BYTES = 10000 };

// What was opened for more than to be looked at.
static unsigned opens;

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    opens += (flags & O_PATH) == 0 ? 1 : 0;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static uint8_t content[FILE_BYTES];

static const char *make_file(char *path, size_t len, const char *dir)
{
    temp_dir_path(path, len, dir, "image.vvi");
    fill_random(content, sizeof content, 1);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(content, 1, sizeof content, f), sizeof content);
    assert_int_equal(fclose(f), 0);
    return path;
}

static struct source *open_file(const char *dir)
{
    struct error e;
    char path[256];
    struct source *s = NULL;
    assert_ok(source_file_open(make_file(path, sizeof path, dir), &s, &e));
    return s;
}

static void the_size_is_known_at_once_and_no_request_is_counted(void **state)
{
    struct error e;
    uint8_t buf[10];
    CLEANUP(cleanup_source) struct source *s = open_file(*state);
    assert_int_equal(s->size_bytes, FILE_BYTES);
    assert_ok(source_start(s, 0, 10, &e));
    assert_ok(source_read(s, buf, 10, &e));
    assert_int_equal(s->requests, 0);
    assert_int_equal(s->fetched_bytes, 10);
}

static void a_range_is_read_in_pieces(void **state)
{
    struct error e;
    uint8_t buf[300];
    CLEANUP(cleanup_source) struct source *s = open_file(*state);
    assert_ok(source_start(s, 5000, 300, &e));
    assert_ok(source_read(s, buf, 100, &e));
    assert_ok(source_read(s, buf + 100, 200, &e));
    assert_memory_equal(buf, content + 5000, 300);
}

static void ranges_may_go_back(void **state)
{
    struct error e;
    uint8_t buf[100];
    CLEANUP(cleanup_source) struct source *s = open_file(*state);
    assert_ok(source_start(s, 9900, 100, &e));
    assert_ok(source_read(s, buf, 100, &e));
    assert_ok(source_start(s, 0, 100, &e));
    assert_ok(source_read(s, buf, 100, &e));
    assert_memory_equal(buf, content, 100);
}

static void a_range_that_reaches_past_the_end_gives_what_there_is(void **state)
{
    struct error e;
    uint8_t buf[100];
    CLEANUP(cleanup_source) struct source *s = open_file(*state);
    assert_ok(source_start(s, FILE_BYTES - 60, 100, &e));
    assert_ok(source_read(s, buf, 60, &e));
    assert_memory_equal(buf, content + FILE_BYTES - 60, 60);
    assert_fails(ERR_FORMAT, "the file ends at 10000 bytes", source_read(s, buf, 1, &e));
}

static void reading_past_the_end_is_an_error_and_never_short(void **state)
{
    struct error e;
    uint8_t buf[100];
    CLEANUP(cleanup_source) struct source *s = open_file(*state);
    assert_ok(source_start(s, FILE_BYTES - 60, 100, &e));
    assert_fails(ERR_FORMAT, "the file ends at 10000 bytes", source_read(s, buf, 100, &e));
}

static void a_range_that_begins_at_the_end_is_refused(void **state)
{
    struct error e;
    CLEANUP(cleanup_source) struct source *s = open_file(*state);
    assert_ok(source_start(s, FILE_BYTES, 0, &e));
    assert_fails(ERR_FORMAT, "the file ends at", source_start(s, FILE_BYTES, 1, &e));
    assert_fails(ERR_FORMAT, "the file ends at", source_start(s, FILE_BYTES + 1, 0, &e));
}

static void a_range_that_overflows_is_refused(void **state)
{
    struct error e;
    CLEANUP(cleanup_source) struct source *s = open_file(*state);
    assert_fails(ERR_INTERNAL, "range", source_start(s, UINT64_MAX, 2, &e));
}

static void reading_behind_the_range_that_was_started_is_refused(void **state)
{
    struct error e;
    uint8_t buf[20];
    CLEANUP(cleanup_source) struct source *s = open_file(*state);
    assert_fails(ERR_INTERNAL, "behind the range", source_read(s, buf, 1, &e));
    assert_ok(source_start(s, 0, 10, &e));
    assert_fails(ERR_INTERNAL, "behind the range", source_read(s, buf, 11, &e));
    source_cancel(s);
    assert_fails(ERR_INTERNAL, "behind the range", source_read(s, buf, 1, &e));
}

static void another_size_than_expected_is_refused_in_two_sentences(void **state)
{
    struct error e;
    CLEANUP(cleanup_source) struct source *s = open_file(*state);
    assert_ok(source_expect_size(s, FILE_BYTES, &e));
    assert_fails(ERR_FORMAT, "is 10000 bytes, its header says 10001: it was cut short",
                 source_expect_size(s, FILE_BYTES + 1, &e));
    assert_fails(ERR_FORMAT, "is 10000 bytes, its header says 9999: something was added",
                 source_expect_size(s, FILE_BYTES - 1, &e));
}

static void a_file_that_shrinks_while_it_is_read_is_noticed(void **state)
{
    struct error e;
    uint8_t buf[100];
    char path[256];
    CLEANUP(cleanup_source) struct source *s = open_file(*state);
    temp_dir_path(path, sizeof path, *state, "image.vvi");
    assert_ok(source_start(s, 0, 200, &e));
    assert_ok(source_read(s, buf, 100, &e));
    assert_int_equal(truncate(path, 150), 0);
    assert_fails(ERR_FORMAT, "the file ends", source_read(s, buf, 100, &e));
}

static void a_file_that_is_written_to_is_a_changed_one(void **state)
{
    struct error e;
    char path[256];
    char other[256];
    const struct timespec times[] = {{.tv_sec = 1}, {.tv_sec = 2, .tv_nsec = 3}};
    CLEANUP(cleanup_source) struct source *s = open_file(*state);
    temp_dir_path(path, sizeof path, *state, "image.vvi");
    temp_dir_path(other, sizeof other, *state, "other.vvi");
    assert_ok(source_start(s, 0, 100, &e));
    assert_false(source_changed(s));
    assert_int_equal(rename(path, other), 0); // it is the file that is read, not its name
    assert_false(source_changed(s));
    assert_int_equal(utimensat(AT_FDCWD, other, times, 0), 0);
    assert_true(source_changed(s));
    CLEANUP(cleanup_source) struct source *again = NULL;
    assert_ok(source_file_open(other, &again, &e));
    assert_false(source_changed(again));
    assert_int_equal(truncate(other, 150), 0);
    assert_int_equal(utimensat(AT_FDCWD, other, times, 0), 0);
    assert_true(source_changed(again));
}

static void a_missing_file_is_an_error_with_its_name(void **state)
{
    struct error e;
    char path[256];
    struct source *s = NULL;
    temp_dir_path(path, sizeof path, *state, "nowhere.vvi");
    assert_fails(ERR_IO, "nowhere.vvi: No such file", source_file_open(path, &s, &e));
    assert_int_equal(e.sys, ENOENT);
    assert_null(s);
}

// A watchdog would begin to run, a tape to move; nobody waits for a pipe.
static void what_is_no_regular_file_is_refused_and_not_opened(void **state)
{
    struct error e;
    char path[256];
    char link[256];
    struct source *s = NULL;
    temp_dir_path(path, sizeof path, *state, "pipe");
    temp_dir_path(link, sizeof link, *state, "link.vvi");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(symlink(path, link), 0);
    const char *const names[] = {*state, path, link, "/dev/null"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        opens = 0;
        assert_fails(ERR_IO, "is not a regular file", source_file_open(names[i], &s, &e));
        assert_contains(e.msg, names[i]);
        assert_int_equal(opens, 0);
        assert_null(s);
    }
}

static void a_link_to_a_file_is_that_file(void **state)
{
    struct error e;
    char path[256];
    char link[256];
    uint8_t buf[100];
    temp_dir_path(link, sizeof link, *state, "latest.vvi");
    assert_int_equal(symlink(make_file(path, sizeof path, *state), link), 0);
    CLEANUP(cleanup_source) struct source *s = NULL;
    assert_ok(source_file_open(link, &s, &e));
    assert_string_equal(s->name, link);
    assert_int_equal(unlink(link), 0);
    assert_ok(source_start(s, 100, 100, &e));
    assert_ok(source_read(s, buf, 100, &e));
    assert_memory_equal(buf, content + 100, 100);
}

static void expect_opens(const char *before, const char *dir, const char *after)
{
    struct error e;
    char url[512];
    uint8_t buf[10];
    snprintf(url, sizeof url, "%s%s%s", before, dir, after);
    struct source *s = NULL;
    assert_true(source_file_is_url(url));
    if (source_file_open_url(url, &s, &e) != OK) {
        fail_msg("%s: %s", url, e.msg);
    }
    assert_ok(source_start(s, 100, 10, &e));
    assert_ok(source_read(s, buf, 10, &e));
    assert_memory_equal(buf, content + 100, 10);
    source_close(s);
}

static void a_file_url_is_its_path_decoded(void **state)
{
    char path[256];
    char odd[512];
    make_file(path, sizeof path, *state);
    expect_opens("file://", *state, "/image.vvi");
    expect_opens("FILE://", *state, "/image.vvi");
    expect_opens("file://localhost", *state, "/image.vvi");
    expect_opens("file://LocalHost", *state, "/image.vvi");
    expect_opens("file://", *state, "/%69mage%2Evv%69");
    expect_opens("file://", *state, "%2fimage.vvi");
    assert_int_equal(
        rename(path, temp_dir_path(odd, sizeof odd, *state, "1 of 2 100%25?#\xc3\xa4+.vvi")), 0);
    expect_opens("file://", *state, "/1%20of%202%20100%2525%3F%23%c3%A4+.vvi");
    expect_opens("file://", *state, "/1 of 2 100%2525%3f%23%C3%a4+.vvi");
}

static void a_file_url_of_another_kind_is_refused(void **state)
{
    static const char *const urls[][2] = {
        {"file://server/image.vvi", "file:///PATH, not another host"},
        {"file://user:secret@/image.vvi", "not another host"},
        {"file://localhost:80/image.vvi", "not another host"},
        {"file://localhos/image.vvi", "not another host"},
        {"file://image.vvi", "not another host"},
        {"file://", "needs an absolute path"},
        {"file://localhost", "needs an absolute path"},
        {"file://?/x", "needs an absolute path"},
        {"file:///image.vvi?x=1", "no query and no fragment"},
        {"file:///image.vvi#top", "no query and no fragment"},
        {"file:///image%", "% wants two hexadecimal digits"},
        {"file:///image%4", "% wants two hexadecimal digits"},
        {"file:///image%4g", "% wants two hexadecimal digits"},
        {"file:///image%g4", "% wants two hexadecimal digits"},
        {"file:///image%00.vvi", "that are not 00"},
    };
    struct error e;
    struct source *s = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        assert_true(source_file_is_url(urls[i][0]));
        assert_fails(ERR_USAGE, urls[i][1], source_file_open_url(urls[i][0], &s, &e));
        assert_null(strstr(e.msg, "secret"));
    }
    assert_fails(ERR_IO, "/none of this: No such file",
                 source_file_open_url("file:///none%20of%20this", &s, &e));
    assert_false(source_file_is_url("file:/image.vvi"));
    assert_false(source_file_is_url("files://image.vvi"));
}

static void a_file_beside_is_found_by_its_name(void **state)
{
    struct error e;
    char path[256];
    uint8_t byte = 0;
    CLEANUP(cleanup_source) struct source *s = open_file(*state);
    CLEANUP(cleanup_source) struct source *beside = NULL;
    assert_int_equal(source_beside(s, ".vvd", &beside, &e), ERR_IO);
    assert_int_equal(e.sys, ENOENT);
    temp_dir_path(path, sizeof path, *state, "image.vvi.vvd");
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fputc('x', f), 'x');
    assert_int_equal(fclose(f), 0);
    assert_ok(source_beside(s, ".vvd", &beside, &e));
    assert_ok(source_start(beside, 0, 1, &e));
    assert_ok(source_read(beside, &byte, 1, &e));
    assert_int_equal(byte, 'x');
}

static void what_is_no_file_is_none_beside(void **state)
{
    struct error e;
    char path[256];
    CLEANUP(cleanup_source) struct source *s = open_file(*state);
    struct source *beside = NULL;
    temp_dir_path(path, sizeof path, *state, "image.vvi.vvd");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(source_beside(s, ".vvd", &beside, &e), ERR_IO);
    assert_int_equal(e.sys, ENOENT);
}

int main(void)
{
#define DIR_TEST(f) cmocka_unit_test_setup_teardown(f, temp_dir_make, temp_dir_remove)
    static const struct CMUnitTest tests[] = {
        DIR_TEST(the_size_is_known_at_once_and_no_request_is_counted),
        DIR_TEST(a_range_is_read_in_pieces),
        DIR_TEST(a_file_beside_is_found_by_its_name),
        DIR_TEST(what_is_no_file_is_none_beside),
        DIR_TEST(ranges_may_go_back),
        DIR_TEST(a_range_that_reaches_past_the_end_gives_what_there_is),
        DIR_TEST(reading_past_the_end_is_an_error_and_never_short),
        DIR_TEST(a_range_that_begins_at_the_end_is_refused),
        DIR_TEST(a_range_that_overflows_is_refused),
        DIR_TEST(reading_behind_the_range_that_was_started_is_refused),
        DIR_TEST(another_size_than_expected_is_refused_in_two_sentences),
        DIR_TEST(a_file_that_shrinks_while_it_is_read_is_noticed),
        DIR_TEST(a_file_that_is_written_to_is_a_changed_one),
        DIR_TEST(a_missing_file_is_an_error_with_its_name),
        DIR_TEST(what_is_no_regular_file_is_refused_and_not_opened),
        DIR_TEST(a_link_to_a_file_is_that_file),
        DIR_TEST(a_file_url_is_its_path_decoded),
        DIR_TEST(a_file_url_of_another_kind_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
