// SPDX-License-Identifier: Apache-2.0
#include "updater/http_options.h"

#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"

#include <stdio.h>

static void no_paths_are_in_order(void **state)
{
    (void)state;
    const struct http_options options = {0};
    struct error e;
    bool is_dir = false;
    assert_ok(http_options_check(&options, &is_dir, &e));
    assert_false(is_dir);
}

static void a_path_that_cannot_be_read_is_named_with_its_key(void **state)
{
    struct error e;
    bool is_dir = false;
    char missing[HOST_PATH_MAX];
    snprintf(missing, sizeof missing, "%s/missing.pem", (const char *)*state);
    const struct http_options ca = {.ca = missing};
    const struct http_options cert = {.client_cert = missing};
    const struct http_options key = {.client_key = missing};
    assert_fails(ERR_CONFIG, "[network] ca: ", http_options_check(&ca, &is_dir, &e));
    assert_fails(ERR_CONFIG, "[network] client_cert: ", http_options_check(&cert, &is_dir, &e));
    assert_fails(ERR_CONFIG, "[network] client_key: ", http_options_check(&key, &is_dir, &e));
}

static void trust_may_be_a_directory_and_a_certificate_may_not(void **state)
{
    struct error e;
    bool is_dir = false;
    const struct http_options ca = {.ca = *state};
    const struct http_options cert = {.client_cert = *state};
    assert_ok(http_options_check(&ca, &is_dir, &e));
    assert_true(is_dir);
    assert_fails(ERR_CONFIG, "client_cert: is a directory", http_options_check(&cert, &is_dir, &e));
}

#define dir_test(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_paths_are_in_order),
        dir_test(a_path_that_cannot_be_read_is_named_with_its_key),
        dir_test(trust_may_be_a_directory_and_a_certificate_may_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
