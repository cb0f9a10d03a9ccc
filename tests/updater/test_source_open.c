// SPDX-License-Identifier: Apache-2.0
#include "updater/source_open.h"

#include "tests/support/expect.h"
#include "tests/support/file_device.h"
#include "tests/support/install_bench.h"
#include "tests/support/temp_dir.h"

static void a_path_and_a_file_url_are_the_same_file(void **state)
{
    struct error e;
    char path[512];
    char url[600];
    struct bench *b = bench_new(4096, 0);
    snprintf(path, sizeof path, "%s/x.vvi", (const char *)*state);
    snprintf(url, sizeof url, "file://%s", path);
    file_device_write(*state, "x.vvi", "12345");
    for (int i = 0; i < 2; i++) {
        CLEANUP(cleanup_source) struct source *s = NULL;
        char buf[5];
        assert_ok(source_open(&b->device, i == 0 ? path : url, &s, &e));
        assert_ok(source_start(s, 0, 5, &e));
        assert_ok(source_read(s, buf, 5, &e));
        assert_memory_equal(buf, "12345", 5);
    }
    bench_free(b);
}

static void an_http_url_is_asked_for_nothing_yet(void **state)
{
    (void)state;
    struct error e;
    struct bench *b = bench_new(4096, 0);
    CLEANUP(cleanup_source) struct source *s = NULL;
    assert_ok(source_open(&b->device, "http://127.0.0.1:1/x.vvi", &s, &e));
    assert_int_equal(s->requests, 0);
    bench_free(b);
}

static void another_scheme_is_a_usage_error_that_names_what_is_read(void **state)
{
    (void)state;
    struct error e;
    struct source *s = NULL;
    struct bench *b = bench_new(4096, 0);
    assert_fails(ERR_USAGE, "ftp://h/x.vvi: only http://, https:// and file:// URLs and files",
                 source_open(&b->device, "ftp://h/x.vvi", &s, &e));
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_path_and_a_file_url_are_the_same_file, temp_dir_make,
                                        temp_dir_remove),
        cmocka_unit_test(an_http_url_is_asked_for_nothing_yet),
        cmocka_unit_test(another_scheme_is_a_usage_error_that_names_what_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
