// SPDX-License-Identifier: Apache-2.0
// What becomes of an offer, as a file.
#include "updater/agent/dir_source.h"

#include "tests/support/dir_source_stage.h"

static void a_report_is_a_file_and_the_same_one_again(void **state)
{
    struct stage *s = *state;
    struct error e;
    char path[512];
    uint8_t *text = NULL;
    size_t len = 0;
    struct offer_record r = {.offer = {.source = "dir", .id = "0123456789abcdef99", .url = "/x"},
                             .outcome = OFFER_FAILURE,
                             .reason = "its checks failed",
                             .failed_checks = "tv_api: HTTP 500",
                             .release_known = true,
                             .release = {.version = "2.0", .release_index = 2}};
    struct stat st;
    assert_fails(ERR_CONFIG, "[fleet] report_dir /", dir_source.report(s->device->config, &r, &e));
    make_dir(s, "reports");
    mode_t mask = umask(077); // as the program has it
    for (int i = 0; i < 2; i++) {
        assert_ok(dir_source.report(s->device->config, &r, &e));
        temp_dir_path(path, sizeof path, s->dir, "reports/0123456789abcdef.json");
        assert_ok(file_read(path, 4096, &text, &len, &e));
        assert_contains((char *)text, "\"outcome\": \"failure\"");
        assert_contains((char *)text, "\"failed_checks\": \"tv_api: HTTP 500\"");
        assert_contains((char *)text, "\"version\": \"2.0\"");
        free(text);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0644); // who collects them need not be root
    }
    umask(mask);
    s->device->config->fleet.report_dir = NULL;
    assert_ok(dir_source.report(s->device->config, &r, &e));
}

static void expect_report_of(struct stage *s, const char *device_id, const char *name)
{
    struct error e;
    char path[512];
    char member[256];
    uint8_t *text = NULL;
    size_t len = 0;
    const struct offer_record r = {.offer = {.source = "dir", .id = "0123456789abcdef99"},
                                   .outcome = OFFER_SUCCESS};
    s->device->config->device_id = device_id;
    assert_ok(dir_source.report(s->device->config, &r, &e));
    snprintf(member, sizeof member, "reports/%s-0123456789abcdef.json", name);
    assert_ok(file_read(temp_dir_path(path, sizeof path, s->dir, member), 4096, &text, &len, &e));
    snprintf(member, sizeof member, "\"device\": \"%s\"", device_id);
    assert_contains((char *)text, member);
    free(text);
}

// The digits are those of sha256sum.
static void a_report_has_a_name_whatever_the_id_of_the_device_is(void **state)
{
    struct stage *s = *state;
    make_dir(s, "reports");
    expect_report_of(s, "edge-7", "edge-7");
    expect_report_of(s, "vv-6f1c0c4e-5f0e-4d6c-9f5e-0c1b2a3d4e5f-42",
                     "vv-6f1c0c4e-5f0e-4d6c-9f5e-0c1b2a3d4e5f-42");
    expect_report_of(s, "vv-6f1c0c4e-5f0e-4d6c-9f5e-0c1b2a3d4e5f-043", "c4ce7d08948f385d");
    expect_report_of(s, ".edge", "cfd3cf60e17816d6");
    expect_report_of(s, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                     "ffe054fe7ae0cb6d");
}

#define stage_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_report_has_a_name_whatever_the_id_of_the_device_is),
        stage_test(a_report_is_a_file_and_the_same_one_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
