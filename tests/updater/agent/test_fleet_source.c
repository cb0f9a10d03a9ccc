// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/fleet_source.h"

#include "tests/support/expect.h"
#include "updater/agent/dir_source.h"

static void the_source_is_the_configured_one(void **state)
{
    (void)state;
    struct error e;
    const struct fleet_source *source = NULL;
    struct config config = {.fleet = {.source = FLEET_DIR}};
    assert_ok(fleet_source_of(&config, &source, &e));
    assert_ptr_equal(source, &dir_source);
    config.fleet.source = FLEET_NONE;
    assert_fails(ERR_CONFIG, "[fleet] source is none", fleet_source_of(&config, &source, &e));
}

static void a_report_has_all_that_is_known_and_nothing_else(void **state)
{
    (void)state;
    const struct config config = {.device_id = "device-0001"};
    struct offer_record r = {
        .offer = {.source = "dir", .id = "77", .url = "http://user:secret@h/x.vvi"},
        .outcome = OFFER_SUCCESS,
        .accepted_s = 1000,
        .decided_s = 2000,
    };
    CLEANUP(cleanup_json) json_t *without = fleet_report_json(&config, &r);
    CLEANUP(cleanup_free) char *text = json_canonical(without);
    assert_string_equal(text, "{\"accepted\":1000,\"decided\":2000,\"device\":\"device-0001\","
                              "\"failed_checks\":\"\",\"offer\":\"77\",\"outcome\":\"success\","
                              "\"reason\":\"\",\"schema\":1}");
    r.release_known = true;
    r.release = (struct release_id){.version = "2.0", .release_index = 2};
    CLEANUP(cleanup_json) json_t *with = fleet_report_json(&config, &r);
    assert_string_equal(json_string_value(json_object_get(with, "version")), "2.0");
    assert_int_equal(json_integer_value(json_object_get(with, "release_index")), 2);
}

static void bytes_that_are_not_utf_8_do_not_cost_the_report(void **state)
{
    (void)state;
    const struct config config = {.device_id = NULL};
    struct offer_record r = {.offer = {.id = "77"}, .reason = "quoted: \xff\xfe"};
    CLEANUP(cleanup_json) json_t *report = fleet_report_json(&config, &r);
    assert_non_null(report);
    assert_string_equal(json_string_value(json_object_get(report, "reason")), "quoted: ??");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_source_is_the_configured_one),
        cmocka_unit_test(a_report_has_all_that_is_known_and_nothing_else),
        cmocka_unit_test(bytes_that_are_not_utf_8_do_not_cost_the_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
