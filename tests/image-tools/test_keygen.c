// SPDX-License-Identifier: Apache-2.0
#include "image-tools/keygen.h"

#include "image-tools/tool.h"
#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>

// Runs `keygen DIR`; what it prints is then in `*ret_text` (malloced).
static enum err keygen(const char *dir, char **ret_text, struct error *e)
{
    size_t len;
    FILE *out = open_memstream(ret_text, &len);
    struct tool tool = {.log = {.stream = stderr}, .out = out, .clock = &clock_system};
    struct parsed args = {.arg_count = 1, .args = {dir}};
    enum err err = verb_keygen(&tool, &args, e);
    fclose(out);
    return err;
}

static void a_set_of_keys_is_made_and_each_file_explained(void **state)
{
    static const char *const names[] = {"trust/root.pem", "root.key",   "release.pem",
                                        "release.key",    "second.pem", "second.key"};
    struct error e;
    char dir[HOST_PATH_MAX];
    CLEANUP(cleanup_free) char *text = NULL;
    temp_dir_path(dir, sizeof(dir), *state, "keys");
    assert_ok(keygen(dir, &text, &e));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[HOST_PATH_MAX * 2];
        temp_dir_path(path, sizeof(path), dir, names[i]);
        assert_int_equal(access(path, R_OK), 0);
    }
    assert_contains(text, "/keys/trust/root.pem ");
    assert_contains(text, "/keys/root.key ");
    assert_contains(text, "/keys/release.pem,key ");
    assert_contains(text, "/keys/second.pem,key ");
}

static void a_directory_that_is_not_empty_is_left_alone(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    CLEANUP(cleanup_free) char *text = NULL;
    host_write(temp_dir_path(path, sizeof(path), *state, "root.key"), "mine", 4);
    assert_fails(ERR_CONFIG, "", keygen(*state, &text, &e));
    assert_int_equal(host_count(*state), 1);
    assert_string_equal(text, "");
}

static void output_that_cannot_be_written_is_an_error(void **state)
{
    struct error e;
    char dir[HOST_PATH_MAX];
    CLEANUP(cleanup_fclose) FILE *full = fopen("/dev/full", "w");
    struct tool tool = {.log = {.stream = stderr}, .out = full, .clock = &clock_system};
    struct parsed args = {.arg_count = 1, .args = {temp_dir_path(dir, sizeof(dir), *state, "k")}};
    assert_fails(ERR_IO, "write to standard output", verb_keygen(&tool, &args, &e));
}

#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(a_set_of_keys_is_made_and_each_file_explained),
        WITH_DIR(a_directory_that_is_not_empty_is_left_alone),
        WITH_DIR(output_that_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
