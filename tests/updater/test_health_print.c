// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "updater/health.h"

#include "tests/support/pseudo_terminal.h"

#include <stdio.h>
#include <stdlib.h>

static struct health_result samples[] = {
    {.name = "tv_api",
     .kind = "http",
     .required = true,
     .verdict = CHECK_UNHEALTHY,
     .tries = 3,
     .duration_ms = 1234,
     .last_line = "HTTP 500: no camera"},
    {.name = "playlist_manager",
     .kind = "file-age",
     .verdict = CHECK_HEALTHY,
     .tries = 12,
     .last_line = "fine"},
    {.name = "late", .kind = "exec", .required = true, .verdict = CHECK_STARTING},
};

static const struct health_report report = {
    .verdict = HEALTH_BAD,
    .reason = "check tv_api: HTTP 500: no camera",
    .count = 3,
    .results = samples,
};

// The caller frees it.
static char *printed(const struct health_report *r, bool json)
{
    struct error e;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    assert_ok(health_print(r, out, json, &e));
    fclose(out);
    return text;
}

static void the_table_has_a_line_per_check(void **state)
{
    (void)state;
    char *text = printed(&report, false);
    assert_string_equal(
        text, "CHECK             KIND      SEVERITY  STATE      TRIES  OUTPUT\n"
              "tv_api            http      required  unhealthy      3  HTTP 500: no camera\n"
              "playlist_manager  file-age  wanted    healthy       12  fine\n"
              "late              exec      required  starting       0  \n");
    free(text);
}

static void without_checks_the_table_is_a_sentence(void **state)
{
    (void)state;
    struct health_report none = {.verdict = HEALTH_GOOD};
    char *text = printed(&none, false);
    assert_string_equal(text, "no health checks are configured\n");
    free(text);
}

static void json_is_one_object_on_one_line(void **state)
{
    (void)state;
    char *text = printed(&report, true);
    assert_string_equal(text,
                        "{\"checks\":["
                        "{\"duration_ms\":1234,\"kind\":\"http\",\"name\":\"tv_api\",\"output\":"
                        "\"HTTP 500: no camera\","
                        "\"severity\":\"required\",\"state\":\"unhealthy\",\"tries\":3},"
                        "{\"duration_ms\":0,\"kind\":\"file-age\",\"name\":\"playlist_manager\","
                        "\"output\":\"fine\","
                        "\"severity\":\"wanted\",\"state\":\"healthy\",\"tries\":12},"
                        "{\"duration_ms\":0,\"kind\":\"exec\",\"name\":\"late\",\"output\":\"\","
                        "\"severity\":\"required\",\"state\":\"starting\",\"tries\":0}],"
                        "\"reason\":\"check tv_api: HTTP 500: no camera\",\"result\":\"bad\"}\n");
    free(text);
}

static const json_t *check_of(const json_t *root, size_t index)
{
    return json_array_get(json_object_get(root, "checks"), index);
}

// The reason may stand above a last line that says nothing.
static void json_has_all_the_output_of_a_required_check_that_does_not_pass(void **state)
{
    (void)state;
    struct error e;
    struct health_result results[] = {
        {.name = "two", .kind = "exec", .required = true, .output = "the reason\nsee above\n"},
        {.name = "one", .kind = "exec", .required = true, .output = "the reason\n\n"},
        {.name = "passes", .kind = "exec", .required = true, .output = ""},
        {.name = "wanted", .kind = "exec", .output = "the reason\nsee above\n"},
    };
    struct health_report r = {.count = 4, .results = results};
    char *text = printed(&r, true);
    CLEANUP(cleanup_json) json_t *root = NULL;
    assert_ok(json_parse(text, strlen(text), &root, &e));
    assert_string_equal(json_string_value(json_object_get(check_of(root, 0), "log")),
                        "the reason\nsee above\n");
    for (size_t i = 1; i < 4; i++) {
        assert_null(json_object_get(check_of(root, i), "log"));
    }
    free(text);
}

static void of_the_output_of_all_checks_so_much_is_told_and_no_more(void **state)
{
    enum { COUNT = 200, TOLD = HEALTH_LOGS_MAX / RUN_OUTPUT_MAX };
    (void)state;
    struct error e;
    struct health_result *results = calloc(COUNT, sizeof *results);
    assert_non_null(results);
    for (size_t i = 0; i < COUNT; i++) {
        results[i] = (struct health_result){.name = "x", .kind = "exec", .required = true};
        memset(results[i].output, '\n', 1);
        memset(results[i].output + 1, 1, RUN_OUTPUT_MAX - 1); // the longest there is in JSON
    }
    struct health_report r = {.count = COUNT, .results = results};
    char *text = printed(&r, true);
    assert_in_range(strlen(text), 6 * (HEALTH_LOGS_MAX - 2 * TOLD), 512 * 1024);
    CLEANUP(cleanup_json) json_t *root = NULL;
    assert_ok(json_parse(text, strlen(text), &root, &e));
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(json_object_get(check_of(root, i), "log") != NULL, i < TOLD);
    }
    free(results);
    free(text);
}

static void json_without_checks_is_good_and_empty(void **state)
{
    (void)state;
    struct health_report none = {.verdict = HEALTH_GOOD};
    char *text = printed(&none, true);
    assert_string_equal(text, "{\"checks\":[],\"reason\":\"\",\"result\":\"good\"}\n");
    free(text);
}

static void output_that_is_not_utf_8_does_not_cost_the_report(void **state)
{
    (void)state;
    struct error e;
    struct health_result odd = {.name = "odd", .kind = "exec", .last_line = "caf\xe9"};
    struct health_report r = {.count = 1, .results = &odd};
    char *text = printed(&r, true);
    json_t *root = NULL;
    assert_ok(json_parse(text, strlen(text), &root, &e));
    assert_contains(text, "caf?");
    json_decref(root);
    free(text);
}

static void a_full_disk_under_stdout_is_an_error(void **state)
{
    (void)state;
    struct error e;
    FILE *full = fopen("/dev/full", "we");
    assert_non_null(full);
    assert_fails(ERR_IO, "report of the health checks", health_print(&report, full, false, &e));
    fclose(full);
}

// --- on a terminal -------------------------------------------------------------------------------

static void a_terminal_gets_rows_as_wide_as_it_is_and_the_next_ones_over_them(void **state)
{
    (void)state;
    char text[4096];
    CLEANUP(cleanup_fclose) FILE *stream = NULL;
    CLEANUP(cleanup_close) int master = pseudo_terminal_open(60, &stream);
    struct health_screen screen = {.out = stream};
    assert_true(master >= 0);
    health_screen_draw(&screen, &report);
    pseudo_terminal_read(master, text, sizeof text);
    assert_string_equal(text,
                        "CHECK             KIND      SEVERITY  STATE      TRIES  OUT\033[K\r\n"
                        "tv_api            http      required  unhealthy      3  HTT\033[K\r\n"
                        "playlist_manager  file-age  wanted    healthy       12  fin\033[K\r\n"
                        "late              exec      required  starting       0  \033[K\r\n");
    health_screen_draw(&screen, &report);
    pseudo_terminal_read(master, text, sizeof text);
    assert_int_equal(strncmp(text, "\033[4ACHECK ", 10), 0);
}

static void a_row_is_cut_between_characters(void **state)
{
    (void)state;
    char text[4096];
    struct health_result one = {
        .name = "a", .kind = "exec", .last_line = "\303\244\303\244\303\244\303\244"};
    struct health_report r = {.count = 1, .results = &one};
    CLEANUP(cleanup_fclose) FILE *stream = NULL;
    CLEANUP(cleanup_close) int master = pseudo_terminal_open(48, &stream);
    struct health_screen screen = {.out = stream};
    assert_true(master >= 0);
    health_screen_draw(&screen, &r);
    pseudo_terminal_read(master, text, sizeof text);
    assert_contains(text, "  0  \303\244\303\244\033[K");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_has_a_line_per_check),
        cmocka_unit_test(without_checks_the_table_is_a_sentence),
        cmocka_unit_test(json_is_one_object_on_one_line),
        cmocka_unit_test(json_has_all_the_output_of_a_required_check_that_does_not_pass),
        cmocka_unit_test(of_the_output_of_all_checks_so_much_is_told_and_no_more),
        cmocka_unit_test(json_without_checks_is_good_and_empty),
        cmocka_unit_test(output_that_is_not_utf_8_does_not_cost_the_report),
        cmocka_unit_test(a_full_disk_under_stdout_is_an_error),
        cmocka_unit_test(a_terminal_gets_rows_as_wide_as_it_is_and_the_next_ones_over_them),
        cmocka_unit_test(a_row_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
