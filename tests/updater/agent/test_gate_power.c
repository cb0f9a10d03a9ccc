// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/gate_power.h"

#include "tests/support/expect.h"
#include "tests/support/fake_power.h"
#include "tests/support/temp_dir.h"

enum { ATTRIBUTES_MAX = 12, UNKNOWN = -1, NO = 0, YES = 1 };

// What a device lists, and what is made of it.
static const struct {
    const char *name;
    struct {
        const char *supply, *attribute, *value;
    } set[ATTRIBUTES_MAX];
    int external;
    int percent; // UNKNOWN
} devices[] = {
    {"a board without supplies", {{0}}, UNKNOWN, UNKNOWN},
    {"a laptop on mains",
     {{"AC", "type", "Mains"},
      {"AC", "online", "1"},
      {"BAT0", "type", "Battery"},
      {"BAT0", "status", "Charging"},
      {"BAT0", "capacity", "40"}},
     YES,
     40},
    {"a laptop off mains",
     {{"AC", "type", "Mains"},
      {"AC", "online", "0"},
      {"BAT0", "type", "Battery"},
      {"BAT0", "status", "Discharging"},
      {"BAT0", "capacity", "40"}},
     NO,
     40},
    {"the least of two batteries",
     {{"BAT0", "type", "Battery"},
      {"BAT0", "capacity", "90"},
      {"BAT1", "type", "Battery"},
      {"BAT1", "capacity", "12"},
      {"BAT1", "status", "Discharging"}},
     NO,
     12},
    {"a bay without a battery in it",
     {{"BAT0", "type", "Battery"}, {"BAT0", "present", "0"}, {"BAT0", "capacity", "0"}},
     UNKNOWN,
     UNKNOWN},
    {"a battery that says it is there",
     {{"BAT0", "type", "Battery"}, {"BAT0", "present", "1"}, {"BAT0", "capacity", "55"}},
     UNKNOWN,
     55},
    {"the battery of a mouse",
     {{"hid-1", "type", "Battery"},
      {"hid-1", "scope", "Device"},
      {"hid-1", "status", "Discharging"},
      {"hid-1", "capacity", "3"}},
     UNKNOWN,
     UNKNOWN},
    {"the mouse in its charger",
     {{"hid-2", "type", "USB"}, {"hid-2", "scope", "Device"}, {"hid-2", "online", "1"}},
     UNKNOWN,
     UNKNOWN},
    {"a battery of scope System",
     {{"BAT0", "type", "Battery"}, {"BAT0", "scope", "System"}, {"BAT0", "capacity", "66"}},
     UNKNOWN,
     66},
    {"a charger by USB", {{"usb", "type", "USB"}, {"usb", "online", "1"}}, YES, UNKNOWN},
    {"by USB, in an old kernel's word",
     {{"usb", "type", "USB_PD"}, {"usb", "online", "2"}},
     YES,
     UNKNOWN},
    {"without a wire", {{"coil", "type", "Wireless"}, {"coil", "online", "1"}}, YES, UNKNOWN},
    {"one of two chargers",
     {{"AC", "type", "Mains"},
      {"AC", "online", "0"},
      {"usb", "type", "USB"},
      {"usb", "online", "1"}},
     YES,
     UNKNOWN},
    {"a charger that is not listed, beside a port that is",
     {{"usb", "type", "USB"},
      {"usb", "online", "0"},
      {"BAT0", "type", "Battery"},
      {"BAT0", "status", "Charging"},
      {"BAT0", "capacity", "8"}},
     YES,
     8},
    {"kept full", {{"BAT0", "type", "Battery"}, {"BAT0", "status", "Full"}}, YES, UNKNOWN},
    {"kept at 80 percent",
     {{"BAT0", "type", "Battery"}, {"BAT0", "status", "Not charging"}, {"BAT0", "capacity", "80"}},
     YES,
     80},
    {"one charges the other",
     {{"BAT0", "type", "Battery"},
      {"BAT0", "status", "Charging"},
      {"BAT1", "type", "Battery"},
      {"BAT1", "status", "Discharging"}},
     NO,
     UNKNOWN},
    {"a UPS that has lost its mains",
     {{"ups", "type", "UPS"}, {"ups", "status", "Discharging"}, {"ups", "capacity", "70"}},
     NO,
     70},
    {"a charger that says nothing", {{"AC", "type", "Mains"}}, NO, UNKNOWN},
    {"a battery that says nothing", {{"BAT0", "type", "Battery"}}, UNKNOWN, UNKNOWN},
    {"figures that are none",
     {{"BAT0", "type", "Battery"}, {"BAT0", "capacity", "101"}},
     UNKNOWN,
     UNKNOWN},
    {"a negative one", {{"BAT0", "type", "Battery"}, {"BAT0", "capacity", "-1"}}, UNKNOWN, UNKNOWN},
    {"a type nobody knows", {{"x", "type", "Fusion"}, {"x", "online", "0"}}, UNKNOWN, UNKNOWN},
};

static void a_device_is_what_it_lists(void **state)
{
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        char name[32];
        char dir[512];
        snprintf(name, sizeof name, "%zu", i);
        assert_int_equal(mkdir(temp_dir_path(dir, sizeof dir, *state, name), 0700), 0);
        for (size_t k = 0; k < ATTRIBUTES_MAX && devices[i].set[k].supply != NULL; k++) {
            fake_power_set(dir, devices[i].set[k].supply, devices[i].set[k].attribute,
                           devices[i].set[k].value);
        }
        struct power_state s = gate_power_read(dir);
        int external = s.external_known ? (int)s.external : UNKNOWN;
        int percent = s.battery_known ? (int)s.battery_percent : UNKNOWN;
        if (external != devices[i].external || percent != devices[i].percent) {
            fail_msg("expected external %d, battery %d, got %d, %d: %s", devices[i].external,
                     devices[i].percent, external, percent, devices[i].name);
        }
    }
}

static void what_cannot_be_read_has_no_supplies(void **state)
{
    char path[512];
    struct power_state s = gate_power_read("/nowhere/at/all");
    assert_false(s.external_known || s.battery_known);
    // A file in the place of a supply.
    FILE *out = fopen(temp_dir_path(path, sizeof path, *state, "AC"), "we");
    assert_non_null(out);
    fclose(out);
    s = gate_power_read(*state);
    assert_false(s.external_known || s.battery_known);
}

static void so_many_supplies_are_read_and_no_more(void **state)
{
    for (int i = 0; i < POWER_SUPPLIES_MAX * 2; i++) {
        char name[16];
        snprintf(name, sizeof name, "BAT%d", i);
        fake_power_set(*state, name, "type", "Battery");
        fake_power_set(*state, name, "capacity", "50");
    }
    struct power_state s = gate_power_read(*state);
    assert_int_equal(s.battery_percent, 50);
}

static void the_gate_opens_by_what_is_known(void **state)
{
    (void)state;
    static const struct {
        int external, percent;
        bool need_ac;
        unsigned min_percent;
        const char *reason; // NULL: open
    } cases[] = {
        {UNKNOWN, UNKNOWN, true, 100, NULL},
        {YES, UNKNOWN, true, 100, NULL},
        {YES, 0, true, 100, NULL}, // a worn-out one
        {NO, 100, true, 0, "waiting for external power"},
        {NO, UNKNOWN, true, 0, "waiting for external power"},
        {NO, 5, true, 30, "waiting for external power"},
        {NO, UNKNOWN, false, 30, NULL},
        {NO, 29, false, 30, "battery at 29 %, 30 % are wanted"},
        {NO, 30, false, 30, NULL},
        {NO, 0, false, 0, NULL},
        {UNKNOWN, 12, false, 30, "battery at 12 %, 30 % are wanted"},
        {UNKNOWN, 12, true, 30, "battery at 12 %, 30 % are wanted"},
        {UNKNOWN, 31, true, 30, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct power_state s = {cases[i].external != UNKNOWN, cases[i].external == YES,
                                      cases[i].percent != UNKNOWN,
                                      cases[i].percent > 0 ? (unsigned)cases[i].percent : 0};
        char reason[128] = "";
        bool open =
            gate_power_open(&s, cases[i].need_ac, cases[i].min_percent, reason, sizeof reason);
        const char *want = cases[i].reason != NULL ? cases[i].reason : "";
        if (open != (cases[i].reason == NULL) || strcmp(reason, want) != 0) {
            fail_msg("expected '%s' of case %zu, got '%s'", want, i, reason);
        }
    }
}

#define POWER_TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POWER_TEST(a_device_is_what_it_lists),
        POWER_TEST(what_cannot_be_read_has_no_supplies),
        POWER_TEST(so_many_supplies_are_read_and_no_more),
        POWER_TEST(the_gate_opens_by_what_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
