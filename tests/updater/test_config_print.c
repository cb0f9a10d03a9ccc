// SPDX-License-Identifier: Apache-2.0
#include "updater/config.h"

#include "base/json.h"
#include "tests/support/expect.h"
#include "updater/config_build.h"

static const char first_file[] = "[trust]\nroots=/t\n"
                                 "[slot b]\nrootfs=/b\n"
                                 "[check x]\nkind=http\nurl=https://user:secret@h/s\n"
                                 "[device]\nstate_dir=/d\nproduct=p\ncompatible=c\nid=old\n"
                                 "[slot a]\nrootfs=/a\nboot=/aa\nbootname=ONE\n";

static struct config *build(void)
{
    static const char second_file[] = "[bootloader]\nattempts=7\n[device]\nproduct=q\nid=x\n"
                                      "reboot_command=true \374\n";
    struct error e;
    struct config *c = NULL;
    CLEANUP(conf_clear) struct conf raw = {0};
    assert_ok(conf_add_text(&raw, "one.conf", first_file, sizeof first_file - 1, &e));
    assert_ok(conf_add_text(&raw, "two.conf", second_file, sizeof second_file - 1, &e));
    assert_ok(config_build(&raw, &c, &e));
    return c;
}

static char *print(const struct config *c, bool json)
{
    struct error e;
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    assert_ok(config_print(c, out, json, &e));
    assert_int_equal(fclose(out), 0);
    return text;
}

static void each_value_is_shown_with_its_origin(void **state)
{
    (void)state;
    CLEANUP(cleanup_config) struct config *c = build();
    CLEANUP(cleanup_free) char *text = print(c, false);
    assert_contains(text, "\nproduct=q   # two.conf:4\n");
    assert_contains(text, "\ncompatible=c   # one.conf:11\n");
    assert_contains(text, "\nattempts=7   # two.conf:2\n");
    assert_contains(text, "\ncmdline_file=/proc/cmdline   # default\n");
    assert_contains(text, "\nlow_speed=1K/30s   # default\n");
    assert_contains(text, "\nconnections=4   # default\n");
    assert_contains(text, "[install]\nworkers=auto   # default\n"
                          "nice=0   # default\nio_priority=none   # default\n");
    assert_contains(text, "[slot a]\nbootname=ONE   # one.conf:16\nbootvalue=2   # default\n"
                          "boot=/aa   # one.conf:15\nrootfs=/a   # one.conf:14\n");
    assert_contains(text, "[slot b]\nbootname=B   # default\nbootvalue=3   # default\n");
    assert_contains(text, "[check x]\nkind=http   # one.conf:6\n");
    assert_contains(text, "\nexpect=200-299   # default\n");
    // What was given nowhere and has no default is not there.
    assert_null(strstr(text, "client_cert"));
}

static void sections_stand_in_the_order_of_the_manual(void **state)
{
    static const char *const sections[] = {"[device]",     "[slot a]",  "[slot b]",
                                           "[bootloader]", "[trust]",   "[network]",
                                           "[install]",    "[confirm]", "[check x]"};
    (void)state;
    CLEANUP(cleanup_config) struct config *c = build();
    CLEANUP(cleanup_free) char *text = print(c, false);
    const char *at = text;
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        const char *next = strstr(at, sections[i]);
        if (next == NULL || (i == 0 && next != text)) {
            fail_msg("%s is not where it belongs in:\n%s", sections[i], text);
        }
        at = next + 1;
        assert_null(strstr(at, sections[i]));
    }
}

static void credentials_are_hidden_in_both_forms(void **state)
{
    (void)state;
    CLEANUP(cleanup_config) struct config *c = build();
    CLEANUP(cleanup_free) char *text = print(c, false);
    CLEANUP(cleanup_free) char *json = print(c, true);
    assert_contains(text, "url=https://***@h/s   # one.conf:7\n");
    assert_contains(json, "\"https://***@h/s\"");
    assert_null(strstr(text, "secret"));
    assert_null(strstr(json, "secret"));
}

static void json_is_an_array_of_all_entries(void **state)
{
    json_error_t je;
    bool found = false;
    (void)state;
    CLEANUP(cleanup_config) struct config *c = build();
    CLEANUP(cleanup_free) char *text = print(c, true);
    CLEANUP(cleanup_json) json_t *all = json_loads(text, JSON_REJECT_DUPLICATES, &je);
    assert_true(json_is_array(all));
    assert_int_equal(json_array_size(all), c->raw.count);
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *row = json_array_get(all, i);
        assert_int_equal(json_object_size(row), 4);
        if (strcmp(json_string_value(json_object_get(row, "key")), "attempts") == 0) {
            found = true;
            assert_string_equal(json_string_value(json_object_get(row, "section")), "bootloader");
            assert_string_equal(json_string_value(json_object_get(row, "value")), "7");
            assert_string_equal(json_string_value(json_object_get(row, "origin")), "two.conf:2");
        }
    }
    assert_true(found);
    // A value that is not UTF-8 does not cost the answer.
    assert_contains(text, "\"true ?\"");
}

static void a_stream_that_takes_nothing_is_an_error(void **state)
{
    struct error e;
    (void)state;
    CLEANUP(cleanup_config) struct config *c = build();
    CLEANUP(cleanup_fclose) FILE *full = fopen("/dev/full", "we");
    assert_non_null(full);
    assert_fails(ERR_IO, "print the configuration", config_print(c, full, false, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_is_shown_with_its_origin),
        cmocka_unit_test(sections_stand_in_the_order_of_the_manual),
        cmocka_unit_test(credentials_are_hidden_in_both_forms),
        cmocka_unit_test(json_is_an_array_of_all_entries),
        cmocka_unit_test(a_stream_that_takes_nothing_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
