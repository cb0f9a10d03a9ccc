// SPDX-License-Identifier: Apache-2.0
#include "tests/support/expect.h"
#include "tests/support/file_device.h"
#include "tests/support/temp_dir.h"
#include "tests/support/verb_run.h"

static void the_effective_configuration_is_printed(void **state)
{
    struct file_device f;
    file_device_make(&f, *state, NULL, "signers=2\n");
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, verb_config, (const char *[]){"-c", f.conf, NULL});
    assert_int_equal(r.err, OK);
    assert_contains(r.out, "[device]\nproduct=vv-edge   # ");
    assert_contains(r.out, "/update.conf:2\n");
    assert_contains(r.out, "\nsigners=2   # ");
    assert_contains(r.out, "\nattempts=3   # default\n");
}

static void with_json_it_is_an_array(void **state)
{
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, verb_config, (const char *[]){"-c", f.conf, "--json", NULL});
    assert_int_equal(r.err, OK);
    CLEANUP(cleanup_json) json_t *all = verb_run_json(&r);
    assert_true(json_is_array(all));
}

static void it_needs_neither_a_boot_environment_nor_a_running_slot(void **state)
{
    char path[512];
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    assert_int_equal(remove(f.env.config), 0);
    assert_int_equal(remove(temp_dir_path(path, sizeof path, *state, "cmdline")), 0);
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, verb_config, (const char *[]){"-c", f.conf, NULL});
    assert_int_equal(r.err, OK);
}

static void a_bad_configuration_is_told_and_not_printed(void **state)
{
    struct file_device f;
    file_device_make(&f, *state, NULL, "[network]\nretries=many\n");
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, verb_config, (const char *[]){"-c", f.conf, NULL});
    assert_int_equal(r.err, ERR_CONFIG);
    assert_contains(r.log, "retries: [network] wants a number from 0 to 1000, not 'many'");
    assert_int_equal(r.out_len, 0);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(the_effective_configuration_is_printed),
        WITH_DIR(with_json_it_is_an_array),
        WITH_DIR(it_needs_neither_a_boot_environment_nor_a_running_slot),
        WITH_DIR(a_bad_configuration_is_told_and_not_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
