// SPDX-License-Identifier: Apache-2.0
#include "updater/state_dir.h"

#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

static struct state_store *open_store(const char *dir)
{
    struct error e;
    struct state_store *s = NULL;
    assert_ok(state_dir_open(dir, &s, &e));
    return s;
}

static void a_record_reads_back_as_it_was_written(void **state)
{
    struct error e;
    static const uint8_t record[] = {1, 0, 2, '\n', 3};
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len;
    CLEANUP(cleanup_state_store) struct state_store *s = open_store(*state);
    assert_ok(state_replace(s, "journal", "old and longer", 14, &e));
    assert_ok(state_replace(s, "journal", record, sizeof record, &e));
    assert_ok(state_read(s, "journal", 100, &data, &len, &e));
    assert_int_equal(len, sizeof record);
    assert_memory_equal(data, record, sizeof record);
}

static enum err add_up(void *context, const uint8_t *piece, size_t len, struct error *e)
{
    (void)e;
    for (size_t i = 0; i < len; i++) {
        *(unsigned *)context += piece[i];
    }
    return OK;
}

static void a_record_can_be_taken_in_pieces(void **state)
{
    struct error e;
    unsigned sum = 0;
    static const uint8_t record[] = {1, 0, 2, '\n', 3};
    CLEANUP(cleanup_state_store) struct state_store *s = open_store(*state);
    assert_fails(ERR_IO, "slot-a", state_each(s, "slot-a", add_up, &sum, &e));
    assert_int_equal(e.sys, ENOENT);
    assert_ok(state_replace(s, "slot-a", record, sizeof record, &e));
    assert_ok(state_each(s, "slot-a", add_up, &sum, &e));
    assert_int_equal(sum, 16);
    assert_fails(ERR_INTERNAL, "'../x'", state_each(s, "../x", add_up, &sum, &e));
}

static void a_record_is_a_file_that_only_its_owner_may_read(void **state)
{
    struct error e;
    char path[512];
    struct stat st;
    CLEANUP(cleanup_state_store) struct state_store *s = open_store(*state);
    assert_ok(state_replace(s, "slot-a", "x", 1, &e));
    assert_int_equal(stat(temp_dir_path(path, sizeof path, *state, "slot-a"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 1);
}

static void a_file_of_a_public_directory_may_be_read_by_all_and_written_by_its_owner(void **state)
{
    struct error e;
    char path[512];
    struct stat st;
    CLEANUP(cleanup_state_store) struct state_store *s = NULL;
    assert_fails(ERR_CONFIG, "metrics: directory /nowhere: No such file",
                 state_dir_open_public("/nowhere", "metrics: directory", &s, &e));
    assert_ok(state_dir_open_public(*state, "metrics: directory", &s, &e));
    mode_t mask = umask(077);
    enum err err = state_replace(s, "vv-update.prom", "x 1\n", 4, &e);
    umask(mask);
    assert_int_equal(err, OK);
    assert_int_equal(stat(temp_dir_path(path, sizeof path, *state, "vv-update.prom"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
}

static void a_missing_record_says_so_by_its_errno(void **state)
{
    struct error e;
    uint8_t *data = NULL;
    size_t len;
    CLEANUP(cleanup_state_store) struct state_store *s = open_store(*state);
    assert_fails(ERR_IO, "journal", state_read(s, "journal", 100, &data, &len, &e));
    assert_int_equal(e.sys, ENOENT);
    assert_null(data);
}

static void a_record_larger_than_its_reader_wants_is_refused(void **state)
{
    struct error e;
    uint8_t *data = NULL;
    size_t len;
    CLEANUP(cleanup_state_store) struct state_store *s = open_store(*state);
    assert_ok(state_replace(s, "journal", "12345", 5, &e));
    assert_fails(ERR_FORMAT, "larger", state_read(s, "journal", 4, &data, &len, &e));
}

static void a_name_that_leaves_the_directory_is_a_bug(void **state)
{
    static const char *const names[] = {"../x", "a/b", "", ".hidden", "..", "two words"};
    struct error e;
    uint8_t *data = NULL;
    size_t len;
    bool same;
    CLEANUP(cleanup_state_store) struct state_store *s = open_store(*state);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_fails(ERR_INTERNAL, "cannot be the name of a record",
                     state_replace(s, names[i], "x", 1, &e));
        assert_fails(ERR_INTERNAL, "cannot be the name of a record",
                     state_read(s, names[i], 1, &data, &len, &e));
        assert_fails(ERR_INTERNAL, "cannot be the name of a record",
                     state_try_replace(s, names[i], NULL, 0, &e));
        assert_fails(ERR_INTERNAL, "cannot be the name of a record",
                     state_holds(s, names[i], NULL, 0, &same, &e));
    }
}

static void a_missing_directory_is_a_configuration_error(void **state)
{
    struct error e;
    char path[512];
    struct state_store *s = NULL;
    temp_dir_path(path, sizeof path, *state, "none");
    assert_fails(ERR_CONFIG, "state_dir", state_dir_open(path, &s, &e));
    assert_contains(e.msg, path);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    assert_fails(ERR_CONFIG, "is not a directory", state_dir_open(path, &s, &e));
    assert_null(s);
}

static void a_writable_directory_passes_the_probe_and_is_as_before(void **state)
{
    struct error e;
    CLEANUP(cleanup_state_store) struct state_store *s = open_store(*state);
    assert_ok(state_check_writable(s, &e));
    assert_ok(state_check_writable(s, &e));
    assert_int_equal(rmdir(*state), 0); // nothing is in it
    assert_int_equal(mkdir(*state, 0700), 0);
}

static void a_record_is_made_of_parts_and_compared_with_them(void **state)
{
    struct error e;
    static const struct file_part parts[] = {{"head", 4}, {"table", 5}};
    static const struct file_part other[] = {{"head", 4}, {"cable", 5}};
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len;
    bool same = true;
    CLEANUP(cleanup_state_store) struct state_store *s = open_store(*state);
    assert_ok(state_holds(s, "slot-a", parts, 2, &same, &e));
    assert_false(same);
    assert_ok(state_try_replace(s, "slot-a", parts, 2, &e));
    assert_ok(state_holds(s, "slot-a", parts, 2, &same, &e));
    assert_false(same);
    assert_ok(state_replace_parts(s, "slot-a", parts, 2, &e));
    assert_ok(state_holds(s, "slot-a", parts, 2, &same, &e));
    assert_true(same);
    assert_ok(state_holds(s, "slot-a", other, 2, &same, &e));
    assert_false(same);
    assert_ok(state_read(s, "slot-a", 100, &data, &len, &e));
    assert_string_equal((const char *)data, "headtable");
}

static void a_directory_that_is_full_says_so_before_anything_is_written(void **state)
{
    struct error e;
    const struct file_part part = {"12345", 5};
    struct rlimit before;
    CLEANUP(cleanup_state_store) struct state_store *s = open_store(*state);
    // The limit of a file's size stands for a full disk: either way write() fails.
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit tight = {.rlim_cur = 4, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    enum err err = state_try_replace(s, "slot-a", &part, 1, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(err, ERR_IO);
    assert_contains(e.msg, *state);
    assert_int_equal(rmdir(*state), 0); // nothing is in it
    assert_int_equal(mkdir(*state, 0700), 0);
}

static void a_directory_that_is_gone_fails_the_probe(void **state)
{
    struct error e;
    char path[512];
    temp_dir_path(path, sizeof path, *state, "state");
    assert_int_equal(mkdir(path, 0700), 0);
    CLEANUP(cleanup_state_store) struct state_store *s = open_store(path);
    assert_int_equal(rmdir(path), 0);
    assert_fails(ERR_IO, "the state directory cannot be written", state_check_writable(s, &e));
}

static void closing_nothing_does_nothing(void **state)
{
    (void)state;
    state_close(NULL);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(a_record_reads_back_as_it_was_written),
        WITH_DIR(a_record_can_be_taken_in_pieces),
        WITH_DIR(a_record_is_a_file_that_only_its_owner_may_read),
        WITH_DIR(a_file_of_a_public_directory_may_be_read_by_all_and_written_by_its_owner),
        WITH_DIR(a_missing_record_says_so_by_its_errno),
        WITH_DIR(a_record_larger_than_its_reader_wants_is_refused),
        WITH_DIR(a_name_that_leaves_the_directory_is_a_bug),
        WITH_DIR(a_missing_directory_is_a_configuration_error),
        WITH_DIR(a_writable_directory_passes_the_probe_and_is_as_before),
        WITH_DIR(a_record_is_made_of_parts_and_compared_with_them),
        WITH_DIR(a_directory_that_is_full_says_so_before_anything_is_written),
        WITH_DIR(a_directory_that_is_gone_fails_the_probe),
        cmocka_unit_test(closing_nothing_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
