// SPDX-License-Identifier: Apache-2.0
#include "updater/config_keys.h"

#include "tests/support/expect.h"

static union field {
    struct config config;
    struct boot_slot slot;
    struct config_check check;
} field;

static void *base_of(const struct key_spec *spec)
{
    return (char *)&field + spec->offset;
}

static void every_default_is_a_value_its_reader_takes(void **state)
{
    (void)state;
    for (const struct key_spec *k = config_keys; k->section != NULL; k++) {
        memset(&field, 0, sizeof field);
        if (k->fallback != NULL && !k->read(base_of(k), k, k->fallback)) {
            fail_msg("[%s] %s: its default '%s' is refused", k->section, k->key, k->fallback);
        }
        // A key is required, or has a default, or may be missing; never the first two.
        assert_false(k->fallback != NULL && (k->flags & KEY_REQUIRED) != 0);
        assert_non_null(k->allowed);
    }
}

// None of them says whom the device trusts, what it overwrites, or what it runs.
static bool may_stand_there(const struct key_spec *k)
{
    static const char *const keys[][2] = {
        {"network", "rate_limit"},
        {"network", "max_waste"},
        {"network", "low_speed"},
        {"network", "retries"},
        {"network", "connections"},
        {"network", "byte_budget"},
        {"fleet", "source"},
        {"fleet", "dir"},
        {"fleet", "url"},
        {"fleet", "interval"},
        {"fleet", "jitter"},
        {"gates", "download_window"},
        {"gates", "install_window"},
        {"gates", "reboot_window"},
        {"gates", "clock_wait"},
        {"gates", "need_ac"},
        {"gates", "battery_min"},
        {"gates", "monthly_budget"},
        {"gates", "need_consent"},
        {"gates", "fleet_lock_url"},
        {"gates", "fleet_lock_group"},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(k->section, keys[i][0]) == 0 && strcmp(k->key, keys[i][1]) == 0) {
            return true;
        }
    }
    return false;
}

static void only_limits_fleet_and_gates_may_stand_in_the_state_directory(void **state)
{
    (void)state;
    for (const struct key_spec *k = config_keys; k->section != NULL; k++) {
        if (((k->flags & KEY_STATE_DIR) != 0) != may_stand_there(k)) {
            fail_msg("[%s] %s: wrong about the state directory", k->section, k->key);
        }
    }
}

static void sections_are_known_and_know_whether_they_have_names(void **state)
{
    bool named;
    (void)state;
    assert_true(config_section_known("device", &named));
    assert_false(named);
    assert_true(config_section_known("slot", &named));
    assert_true(named);
    assert_true(config_section_known("check", &named));
    assert_true(named);
    assert_false(config_section_known("fleets", &named));
    assert_null(config_key_find("device", "roots"));
}

static void an_unknown_key_gets_a_hint(void **state)
{
    char buf[256];
    (void)state;
    assert_string_equal(config_key_hint("bootloader", "atempts", buf, sizeof buf),
                        "did you mean attempts?");
    assert_string_equal(config_key_hint("check", "retires", buf, sizeof buf),
                        "did you mean retries?");
    assert_string_equal(config_key_hint("confirm", "attempts", buf, sizeof buf),
                        "attempts belongs to [bootloader]");
    assert_string_equal(config_key_hint("trust", "insecure", buf, sizeof buf),
                        "its keys are roots signers");
    char small[16];
    assert_int_equal(strlen(config_key_hint("check", "somethingelse", small, sizeof small)), 15);
}

static void credentials_in_a_url_are_never_shown(void **state)
{
    const struct key_spec *url = config_key_find("check", "url");
    const struct key_spec *command = config_key_find("check", "command");
    char buf[256];
    (void)state;
    assert_string_equal(config_key_shown(url, "http://u:p@h/x?y=a@b", buf, sizeof buf),
                        "http://***@h/x?y=a@b");
    assert_string_equal(config_key_shown(url, "http://u:p@q@h", buf, sizeof buf), "http://***@h");
    assert_string_equal(config_key_shown(url, "http://h/a@b", buf, sizeof buf), "http://h/a@b");
    assert_string_equal(config_key_shown(url, "nothing", buf, sizeof buf), "nothing");
    assert_string_equal(config_key_shown(command, "x://u@h", buf, sizeof buf), "x://u@h");
    assert_string_equal(config_key_shown(NULL, "/dev/x", buf, sizeof buf), "/dev/x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_a_value_its_reader_takes),
        cmocka_unit_test(only_limits_fleet_and_gates_may_stand_in_the_state_directory),
        cmocka_unit_test(sections_are_known_and_know_whether_they_have_names),
        cmocka_unit_test(an_unknown_key_gets_a_hint),
        cmocka_unit_test(credentials_in_a_url_are_never_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
