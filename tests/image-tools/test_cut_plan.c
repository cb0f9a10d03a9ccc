// SPDX-License-Identifier: Apache-2.0
#include "image-tools/cut_plan.h"

#include "tests/support/cut_list.h"
#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

#include <sys/syscall.h>

static uint64_t read_bytes;
static int fail_read;

// Stands in for the C library's, to count what is read.
ssize_t pread(int fd, void *data, size_t len, off_t off)
{
    if (fail_read != 0) {
        errno = fail_read;
        return -1;
    }
    ssize_t n = syscall(SYS_pread64, fd, data, len, off);
    read_bytes += n > 0 ? (uint64_t)n : 0;
    return n;
}

enum { SAMPLE_SIZE = 4 * 1024 * 1024 };

// Two inputs of random data, 4 MiB each.
struct sample {
    char paths[2][HOST_PATH_MAX];
    struct input_file *inputs[2];
};

static void open_sample(struct sample *s, const char *dir)
{
    struct error e;
    CLEANUP(cleanup_free) uint8_t *data = malloc(SAMPLE_SIZE);
    assert_non_null(data);
    for (size_t i = 0; i < 2; i++) {
        temp_dir_path(s->paths[i], sizeof(s->paths[i]), dir, i == 0 ? "a" : "b");
        fill_random(data, SAMPLE_SIZE, i);
        host_write(s->paths[i], data, SAMPLE_SIZE);
        assert_ok(input_file_open(s->paths[i], &s->inputs[i], &e));
    }
    read_bytes = 0;
}

static void close_sample(struct sample *s)
{
    input_file_free(s->inputs[0]);
    input_file_free(s->inputs[1]);
}

static uint64_t count(struct input_file *in, const struct cutter *c)
{
    struct error e;
    uint64_t n = 0;
    while (input_file_left(in) > 0) {
        const uint8_t *data;
        size_t len;
        size_t hole;
        assert_ok(input_file_window(in, &data, &len, &hole, &e));
        uint64_t at = input_file_size(in) - input_file_left(in);
        input_file_advance(in, cutter_next(c, at, data, len));
        n++;
    }
    input_file_rewind(in);
    return n;
}

static void small_inputs_get_64_kib_without_being_read(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    struct cut_request r = {.rule = CUT_BLOCK, .max_records = CUT_PLAN_RECORDS};
    struct cutter c[2];
    assert_ok(cut_plan_choose(&r, s.inputs, 2, c, &e));
    assert_int_equal(c[0].average, 64 * 1024);
    assert_int_equal(c[1].average, 64 * 1024);
    assert_int_equal(c[0].rule, CUT_BLOCK);
    assert_int_equal(c[1].rule, CUT_BLOCK);
    assert_int_equal(read_bytes, 0);
}

static void the_average_grows_until_the_records_fit(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    struct cut_request r = {.rule = CUT_BLOCK, .max_records = 40};
    struct cutter c[2];
    assert_ok(cut_plan_choose(&r, s.inputs, 2, c, &e));
    assert_true(c[0].average > 64 * 1024);
    assert_true(count(s.inputs[0], &c[0]) + count(s.inputs[1], &c[1]) <= 40);
    struct cutter smaller;
    assert_ok(cutter_init(&smaller, CUT_BLOCK, c[0].average / 2, &e));
    assert_true(count(s.inputs[0], &smaller) + count(s.inputs[1], &smaller) > 40);
}

static void as_many_records_as_allowed_are_allowed(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    struct cutter c[2];
    assert_ok(cutter_init(&c[0], CUT_BLOCK, 64 * 1024, &e));
    uint32_t exact = (uint32_t)(count(s.inputs[0], &c[0]) + count(s.inputs[1], &c[0]));
    struct cut_request r = {.rule = CUT_BLOCK, .max_records = exact};
    assert_ok(cut_plan_choose(&r, s.inputs, 2, c, &e));
    assert_int_equal(c[0].average, 64 * 1024);
    r.max_records = exact - 1;
    assert_ok(cut_plan_choose(&r, s.inputs, 2, c, &e));
    assert_true(c[0].average > 64 * 1024);
}

static void the_inputs_are_left_at_their_start(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    struct cut_request r = {.rule = CUT_BLOCK, .max_records = 40};
    struct cutter c[2];
    assert_ok(cut_plan_choose(&r, s.inputs, 2, c, &e));
    assert_true(read_bytes > 0);
    assert_int_equal(input_file_left(s.inputs[0]), SAMPLE_SIZE);
    assert_int_equal(input_file_left(s.inputs[1]), SAMPLE_SIZE);
}

static void an_average_that_was_asked_for_and_fits_is_taken(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    struct cut_request r = {
        .rule = CUT_BLOCK, .average = 16 * 1024, .max_records = CUT_PLAN_RECORDS};
    struct cutter c[2];
    assert_ok(cut_plan_choose(&r, s.inputs, 2, c, &e));
    assert_int_equal(c[0].average, 16 * 1024);
}

static void an_average_that_is_too_small_is_refused_and_the_one_that_fits_named(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    // 8 MiB in fixed chunks: 2048 of 4 KiB, 64 of 128 KiB.
    struct cut_request r = {.rule = CUT_FIXED, .average = 4096, .max_records = 64};
    struct cutter c[2] = {{.average = 1}, {.average = 1}};
    assert_fails(ERR_USAGE, "131072 is the smallest that fits",
                 cut_plan_choose(&r, s.inputs, 2, c, &e));
    assert_contains(e.msg, "--chunk-avg 4096");
    assert_int_equal(c[0].average, 1);
    r.max_records = 63;
    assert_fails(ERR_USAGE, "262144 is the smallest that fits",
                 cut_plan_choose(&r, s.inputs, 2, c, &e));
    assert_int_equal(read_bytes, 0);
}

static void inputs_for_which_no_average_fits_are_refused(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    struct cut_request r = {.rule = CUT_FIXED, .max_records = 7};
    struct cutter c[2];
    assert_fails(ERR_FORMAT, "too large or too scattered for one image",
                 cut_plan_choose(&r, s.inputs, 2, c, &e));
    r.max_records = 8;
    assert_ok(cut_plan_choose(&r, s.inputs, 2, c, &e));
    assert_int_equal(c[0].average, CHUNK_RAW_MAX);
    r.rule = CUT_BLOCK;
    r.max_records = 7;
    assert_fails(ERR_FORMAT, "too large or too scattered for one image",
                 cut_plan_choose(&r, s.inputs, 2, c, &e));
}

static void an_average_that_is_no_power_of_two_is_refused(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    struct cut_request r = {.rule = CUT_BLOCK, .average = 5000, .max_records = CUT_PLAN_RECORDS};
    struct cutter c[2];
    assert_fails(ERR_USAGE, "power of two", cut_plan_choose(&r, s.inputs, 2, c, &e));
}

static void an_input_that_cannot_be_read_is_told(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    struct cut_request r = {.rule = CUT_BLOCK, .max_records = 40};
    struct cutter c[2];
    fail_read = EIO;
    assert_fails(ERR_IO, s.paths[0], cut_plan_choose(&r, s.inputs, 2, c, &e));
    fail_read = 0;
    assert_int_equal(e.sys, EIO);
}

// Turns the second input into something that begins like a squashfs.
static void make_squashfs(struct sample *s)
{
    struct error e;
    CLEANUP(cleanup_free) uint8_t *data = malloc(SAMPLE_SIZE);
    assert_non_null(data);
    fill_random(data, SAMPLE_SIZE, 1);
    memcpy(data, "hsqs", 4);
    input_file_free(s->inputs[1]);
    host_write(s->paths[1], data, SAMPLE_SIZE);
    assert_ok(input_file_open(s->paths[1], &s->inputs[1], &e));
    read_bytes = 0;
}

static void a_squashfs_is_cut_by_bytes_and_others_by_blocks(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    make_squashfs(&s);
    struct cut_request r = {.automatic = true, .max_records = CUT_PLAN_RECORDS};
    struct cutter c[2];
    assert_ok(cut_plan_choose(&r, s.inputs, 2, c, &e));
    assert_int_equal(c[0].rule, CUT_BLOCK);
    assert_int_equal(c[1].rule, CUT_BYTE);
    assert_int_equal(c[0].average, 64 * 1024);
    assert_int_equal(c[1].average, 64 * 1024);
    assert_int_equal(input_file_left(s.inputs[1]), SAMPLE_SIZE);
    // Not more than what the build reads again out of the buffer.
    assert_true(read_bytes <= 2 * SAMPLE_SIZE);
}

static void a_rule_that_was_asked_for_is_not_changed_by_content(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    make_squashfs(&s);
    static const enum cut_rule rules[] = {CUT_BLOCK, CUT_FIXED, CUT_BYTE};
    for (size_t i = 0; i < 3; i++) {
        struct cut_request r = {.rule = rules[i], .max_records = CUT_PLAN_RECORDS};
        struct cutter c[2];
        assert_ok(cut_plan_choose(&r, s.inputs, 2, c, &e));
        assert_int_equal(c[0].rule, rules[i]);
        assert_int_equal(c[1].rule, rules[i]);
    }
    assert_int_equal(read_bytes, 0);
}

static void partitions_of_different_rules_get_one_average(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    make_squashfs(&s);
    struct cut_request r = {.automatic = true, .max_records = 40};
    struct cutter c[2];
    assert_ok(cut_plan_choose(&r, s.inputs, 2, c, &e));
    assert_int_equal(c[0].rule, CUT_BLOCK);
    assert_int_equal(c[1].rule, CUT_BYTE);
    assert_true(c[0].average > 64 * 1024);
    assert_int_equal(c[1].average, c[0].average);
    assert_true(count(s.inputs[0], &c[0]) + count(s.inputs[1], &c[1]) <= 40);
}

static void a_file_of_three_bytes_is_no_squashfs(void **state)
{
    struct error e;
    char path[HOST_PATH_MAX];
    CLEANUP(cleanup_input_file) struct input_file *in = NULL;
    host_write(temp_dir_path(path, sizeof(path), *state, "tiny"), "hsq", 3);
    assert_ok(input_file_open(path, &in, &e));
    struct cut_request r = {.automatic = true, .max_records = CUT_PLAN_RECORDS};
    struct cutter c;
    assert_ok(cut_plan_choose(&r, &in, 1, &c, &e));
    assert_int_equal(c.rule, CUT_BLOCK);
}

// Small byte chunks may be shorter than a block, so that fewer than a record per block is no proof.
static void byte_chunks_below_a_block_are_counted(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    struct cut_request r = {.rule = CUT_BYTE, .average = 4096};
    struct cutter c[2] = {cutter_for(CUT_BYTE, 4096), cutter_for(CUT_BYTE, 4096)};
    uint64_t chunks = count(s.inputs[0], &c[0]) + count(s.inputs[1], &c[1]);
    assert_true(chunks > 2 * SAMPLE_SIZE / 4096);
    r.max_records = (uint32_t)chunks;
    assert_ok(cut_plan_choose(&r, s.inputs, 2, c, &e));
    r.max_records = (uint32_t)chunks - 1;
    assert_fails(ERR_USAGE, "8192 is the smallest that fits",
                 cut_plan_choose(&r, s.inputs, 2, c, &e));
}

static void contents_that_cannot_be_read_are_told(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    struct cut_request r = {.automatic = true, .max_records = CUT_PLAN_RECORDS};
    struct cutter c[2];
    fail_read = EIO;
    assert_fails(ERR_IO, s.paths[0], cut_plan_choose(&r, s.inputs, 2, c, &e));
    fail_read = 0;
    assert_int_equal(e.sys, EIO);
}

static void holes_do_not_change_the_choice(void **state)
{
    struct error e;
    char paths[2][HOST_PATH_MAX];
    struct cutter chosen[2];
    CLEANUP(cleanup_free) uint8_t *data = calloc(1, SAMPLE_SIZE);
    fill_random(data, SAMPLE_SIZE / 4, 9);
    host_write(temp_dir_path(paths[0], HOST_PATH_MAX, *state, "dense"), data, SAMPLE_SIZE);
    host_write(temp_dir_path(paths[1], HOST_PATH_MAX, *state, "sparse"), data, SAMPLE_SIZE / 4);
    assert_int_equal(truncate(paths[1], SAMPLE_SIZE), 0);
    for (uint32_t max = 4; max <= 64; max += 5) {
        for (size_t i = 0; i < 2; i++) {
            CLEANUP(cleanup_input_file) struct input_file *in = NULL;
            struct cut_request r = {.rule = CUT_BLOCK, .max_records = max};
            assert_ok(input_file_open(paths[i], &in, &e));
            assert_ok(cut_plan_choose(&r, &in, 1, &chosen[i], &e));
        }
        assert_int_equal(chosen[0].average, chosen[1].average);
    }
}

#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(small_inputs_get_64_kib_without_being_read),
        WITH_DIR(the_average_grows_until_the_records_fit),
        WITH_DIR(as_many_records_as_allowed_are_allowed),
        WITH_DIR(the_inputs_are_left_at_their_start),
        WITH_DIR(an_average_that_was_asked_for_and_fits_is_taken),
        WITH_DIR(an_average_that_is_too_small_is_refused_and_the_one_that_fits_named),
        WITH_DIR(inputs_for_which_no_average_fits_are_refused),
        WITH_DIR(an_average_that_is_no_power_of_two_is_refused),
        WITH_DIR(an_input_that_cannot_be_read_is_told),
        WITH_DIR(a_squashfs_is_cut_by_bytes_and_others_by_blocks),
        WITH_DIR(a_rule_that_was_asked_for_is_not_changed_by_content),
        WITH_DIR(partitions_of_different_rules_get_one_average),
        WITH_DIR(a_file_of_three_bytes_is_no_squashfs),
        WITH_DIR(byte_chunks_below_a_block_are_counted),
        WITH_DIR(contents_that_cannot_be_read_are_told),
        WITH_DIR(holes_do_not_change_the_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
