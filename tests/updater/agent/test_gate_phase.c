// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/gate_phase.h"

#include "tests/support/expect.h"

static void phases_have_names(void **state)
{
    (void)state;
    assert_string_equal(gate_phase_name(GATE_DOWNLOAD), "download");
    assert_string_equal(gate_phase_name(GATE_INSTALL), "install");
    assert_string_equal(gate_phase_name(GATE_REBOOT), "reboot");
}

static void sets_of_them_are_read_and_told(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned phases;
        const char *told;
    } cases[] = {
        {"all", GATE_ALL_PHASES, "all"},
        {"download", 1, "download"},
        {"reboot", 4, "reboot"},
        {"reboot,install", 6, "install, reboot"},
        {" download , reboot ", 5, "download, reboot"},
        {"install, reboot, download", 7, "all"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned got = 0;
        char buf[GATE_PHASES_TEXT_SIZE];
        if (!gate_phases_parse(cases[i].text, &got)) {
            fail_msg("expected phases: %s", cases[i].text);
        }
        assert_int_equal(got, cases[i].phases);
        assert_string_equal(gate_phases_text(got, buf, sizeof buf), cases[i].told);
    }
    char buf[GATE_PHASES_TEXT_SIZE];
    assert_string_equal(gate_phases_text(0, buf, sizeof buf), "");
}

static void what_is_no_set_of_phases_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        ",",
        "download,",
        ",download",
        "download,,reboot",
        "Install",
        "installs",
        "all,reboot",
        "download install",
        "reboot,reboot",
        "none",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        unsigned got = 77;
        if (gate_phases_parse(texts[i], &got)) {
            fail_msg("expected to be refused: '%s'", texts[i]);
        }
        assert_int_equal(got, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phases_have_names),
        cmocka_unit_test(sets_of_them_are_read_and_told),
        cmocka_unit_test(what_is_no_set_of_phases_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
