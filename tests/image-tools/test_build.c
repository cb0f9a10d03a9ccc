// SPDX-License-Identifier: Apache-2.0
#include "image-tools/build.h"

#include "image-tools/image_file.h"
#include "image-tools/tool.h"
#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

static int reads_before_change = -1;
static const char *change_path;
static off_t change_size; // 0: the size stays and the content changes

// Another program at work on an input of ours.
static void change_input(void)
{
    // Several ticks of the clock of a file system.
    nanosleep(&(struct timespec){.tv_nsec = 30 * 1000 * 1000}, NULL);
    if (change_size != 0) {
        assert_int_equal(truncate(change_path, change_size), 0);
    } else {
        host_flip(change_path, 5);
    }
}

// Stands in for the C library's: the file is changed in the middle of a build.
ssize_t pread(int fd, void *data, size_t len, off_t off)
{
    if (reads_before_change >= 0 && reads_before_change-- == 0) {
        change_input();
    }
    return syscall(SYS_pread64, fd, data, len, off);
}

enum { PART_SIZE = 3 * 1024 * 1024 };

// Random data, text, zeros, and each of them again.
static void write_part(const char *path, uint64_t seed, size_t len)
{
    CLEANUP(cleanup_free) uint8_t *data = calloc(1, PART_SIZE);
    size_t third = PART_SIZE / 6;
    fill_random(data, third, seed);
    fill_text(data + third, third, seed + 1);
    memcpy(data + PART_SIZE / 2, data, PART_SIZE / 2);
    host_write(path, data, len);
}

struct paths {
    char a[HOST_PATH_MAX];
    char b[HOST_PATH_MAX];
    char out[HOST_PATH_MAX];
    char out2[HOST_PATH_MAX];
};

static struct paths make_parts(const char *dir)
{
    struct paths p;
    temp_dir_path(p.a, sizeof(p.a), dir, "a.img");
    temp_dir_path(p.b, sizeof(p.b), dir, "b.img");
    temp_dir_path(p.out, sizeof(p.out), dir, "out.vvi");
    temp_dir_path(p.out2, sizeof(p.out2), dir, "out2.vvi");
    write_part(p.a, 1, PART_SIZE);
    write_part(p.b, 7, PART_SIZE - 1234);
    return p;
}

static struct build_options options(const struct paths *p, const char *out)
{
    struct build_options o = host_options(out);
    host_add_partition(&o, "rootfs", p->a);
    host_add_partition(&o, "data", p->b);
    return o;
}

static void assert_decodes_to(const char *image, const char *path_a, const char *path_b)
{
    size_t len_a;
    size_t len_b;
    size_t len;
    CLEANUP(cleanup_free) uint8_t *a = host_read(path_a, &len_a);
    CLEANUP(cleanup_free) uint8_t *b = host_read(path_b, &len_b);
    CLEANUP(cleanup_free) uint8_t *raw = host_decode(image, &len);
    assert_int_equal(len, len_a + len_b);
    assert_memory_equal(raw, a, len_a);
    assert_memory_equal(raw + len_a, b, len_b);
}

static void the_image_decodes_to_its_inputs_with_every_codec_and_cut(void **state)
{
    static const enum codec codecs[] = {CODEC_ZSTD, CODEC_ZLIB, CODEC_RAW};
    struct paths p = make_parts(*state);
    static const enum cut_rule rules[] = {CUT_BLOCK, CUT_FIXED, CUT_BYTE};
    for (size_t i = 0; i < 9; i++) {
        struct build_options o = options(&p, p.out);
        o.codec = codecs[i / 3];
        o.level = o.codec == CODEC_RAW ? 0 : 1;
        o.cut.rule = rules[i % 3];
        host_build(&o);
        assert_decodes_to(p.out, p.a, p.b);
    }
}

static void the_totals_tell_what_was_found(void **state)
{
    struct paths p = make_parts(*state);
    struct build_options o = options(&p, p.out);
    // 512 KiB pieces in chunks of 64 KiB: 8 random, 8 text, 8 zero, and the first 16 again.
    o.cut.rule = CUT_FIXED;
    o.manifest.partition_count = 1;
    struct image_totals t = host_build(&o);
    assert_int_equal(t.raw_bytes, PART_SIZE);
    assert_int_equal(t.chunks, 48);
    assert_int_equal(t.zero_chunks, 16);
    assert_int_equal(t.repeated_chunks, 16);
    struct stat st;
    assert_int_equal(stat(p.out, &st), 0);
    assert_int_equal(t.file_bytes, st.st_size);
}

static void the_number_of_jobs_does_not_change_a_byte(void **state)
{
    struct paths p = make_parts(*state);
    struct build_options o = options(&p, p.out);
    o.jobs = 1;
    host_build(&o);
    for (unsigned jobs = 2; jobs < 5; jobs++) {
        struct build_options again = options(&p, p.out2);
        again.jobs = jobs;
        host_build(&again);
        host_assert_same(p.out, p.out2);
    }
}

// Of a sparse file: between them are holes, one shorter than a window of the build and two longer.
static const size_t data_at[] = {0, 25 * 4096, 450 * 4096};
enum { DATA_RUNS = sizeof(data_at) / sizeof(data_at[0]), DATA_LEN = 4096 };

static void zero_the_rest(uint8_t *data, size_t len)
{
    size_t end = 0;
    for (size_t i = 0; i < DATA_RUNS; i++) {
        memset(data + end, 0, data_at[i] - end);
        end = data_at[i] + DATA_LEN;
    }
    memset(data + end, 0, len - end);
}

static void write_sparse(const char *path, const uint8_t *data, size_t len)
{
    host_write(path, "", 0);
    CLEANUP(cleanup_close) int fd = open(path, O_WRONLY);
    assert_int_equal(ftruncate(fd, (off_t)len), 0);
    for (size_t i = 0; i < DATA_RUNS; i++) {
        ssize_t n = pwrite(fd, data + data_at[i], DATA_LEN, (off_t)data_at[i]);
        assert_int_equal(n, DATA_LEN);
    }
}

static void a_sparse_input_makes_the_same_image(void **state)
{
    struct paths p = make_parts(*state);
    size_t len;
    // The zeros of b once as holes and once written.
    CLEANUP(cleanup_free) uint8_t *data = host_read(p.b, &len);
    zero_the_rest(data, len);
    static const enum cut_rule rules[] = {CUT_BLOCK, CUT_FIXED, CUT_BYTE};
    for (size_t i = 0; i < 3; i++) {
        host_write(p.b, data, len);
        struct build_options o = options(&p, p.out);
        o.cut.rule = rules[i];
        host_build(&o);
        write_sparse(p.b, data, len);
        struct build_options again = options(&p, p.out2);
        again.cut.rule = rules[i];
        host_build(&again);
        host_assert_same(p.out, p.out2);
    }
}

static void each_partition_is_cut_by_the_rule_its_entry_names(void **state)
{
    struct error e;
    struct paths p = make_parts(*state);
    size_t len;
    CLEANUP(cleanup_free) uint8_t *data = host_read(p.b, &len);
    memcpy(data, "hsqs", 4);
    host_write(p.b, data, len);
    struct build_options o = options(&p, p.out);
    o.cut = (struct cut_request){.automatic = true, .max_records = CUT_PLAN_RECORDS};
    host_build(&o);
    assert_decodes_to(p.out, p.a, p.b);
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    CLEANUP(image_contents_clear) struct image_contents c = {0};
    assert_ok(image_file_open(p.out, &f, &e));
    assert_ok(image_file_contents(f, &c, &e));
    assert_string_equal(c.manifest->partitions[0].cut, "block:65536");
    assert_string_equal(c.manifest->partitions[1].cut, "byte:65536");
    // What a rescan does: the named rule finds the chunks of the table in the partition.
    const struct partition_info *squashfs = &c.manifest->partitions[1];
    struct cutter cutter;
    assert_true(cutter_from_name(squashfs->cut, &cutter));
    size_t off = 0;
    for (uint32_t i = squashfs->first; i < squashfs->first + squashfs->count; i++) {
        struct chunk chunk = chunk_table_get(c.table, i, NULL);
        assert_int_equal(cutter_next(&cutter, off, data + off, len - off), chunk.raw_len);
        off += chunk.raw_len;
    }
    assert_int_equal(off, len);
}

static void the_manifest_says_what_was_asked_for(void **state)
{
    struct error e;
    struct paths p = make_parts(*state);
    struct build_options o = options(&p, p.out);
    o.manifest.min_from = 3;
    o.cut.average = 32768;
    host_build(&o);
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    CLEANUP(image_contents_clear) struct image_contents c = {0};
    assert_ok(image_file_open(p.out, &f, &e));
    assert_ok(image_file_contents(f, &c, &e));
    assert_string_equal(c.manifest->product, "vv-test");
    assert_int_equal(c.manifest->min_from, 3);
    assert_int_equal(c.manifest->created, 1700000000);
    assert_string_equal(c.manifest->partitions[0].name, "rootfs");
    assert_string_equal(c.manifest->partitions[0].cut, "block:32768");
    assert_string_equal(c.manifest->partitions[1].name, "data");
    assert_int_equal(c.manifest->partitions[1].image_size, PART_SIZE - 1234);
    assert_int_equal(c.signatures.count, 0);
}

static void refuse(struct build_options *o, enum err code, const char *part)
{
    struct error e;
    struct image_totals totals;
    struct progress quiet = {.kind = PROGRESS_NONE};
    assert_fails(code, part, build_image(o, &quiet, &totals, &e));
}

static void an_input_that_is_missing_or_empty_is_refused_by_name(void **state)
{
    struct paths p = make_parts(*state);
    host_write(p.b, "", 0);
    struct build_options o = options(&p, p.out);
    refuse(&o, ERR_USAGE, "partition data: ");
    assert_int_equal(unlink(p.b), 0);
    o = options(&p, p.out);
    refuse(&o, ERR_IO, "partition data: ");
    assert_int_equal(host_count(*state), 1);
}

static void an_output_that_is_an_input_is_refused(void **state)
{
    struct paths p = make_parts(*state);
    struct build_options o = options(&p, p.b);
    refuse(&o, ERR_USAGE, "is also the output");
    // By another name too.
    assert_int_equal(link(p.a, p.out), 0);
    o = options(&p, p.out);
    refuse(&o, ERR_USAGE, "is also the output");
}

static void a_failing_build_leaves_the_old_output_and_no_litter(void **state)
{
    struct paths p = make_parts(*state);
    size_t len;
    host_write(p.out, "old", 3);
    struct build_options o = options(&p, p.out);
    o.manifest.product[0] = '/';
    refuse(&o, ERR_FORMAT, "product");
    CLEANUP(cleanup_free) uint8_t *old = host_read(p.out, &len);
    assert_string_equal((const char *)old, "old");
    assert_int_equal(host_count(*state), 3);
}

static void an_input_that_changes_during_the_build_is_refused(void **state)
{
    static const off_t sizes[] = {0, 4096, PART_SIZE + 1};
    for (size_t i = 0; i < 6; i++) {
        struct paths p = make_parts(*state);
        struct build_options o = options(&p, p.out);
        reads_before_change = (int)(i % 2);
        change_path = i % 2 == 0 ? p.a : p.b;
        change_size = sizes[i / 2];
        refuse(&o, ERR_IO, "while it was read");
        assert_int_equal(reads_before_change, -1);
        assert_int_equal(host_count(*state), 2);
    }
}

static void a_level_the_codec_does_not_have_is_refused(void **state)
{
    struct paths p = make_parts(*state);
    struct build_options o = options(&p, p.out);
    o.level = 99;
    refuse(&o, ERR_USAGE, "level");
    assert_int_equal(host_count(*state), 2);
}

static void an_average_that_does_not_fit_is_refused(void **state)
{
    struct paths p = make_parts(*state);
    struct build_options o = options(&p, p.out);
    o.cut = (struct cut_request){.rule = CUT_FIXED, .average = 4096, .max_records = 100};
    refuse(&o, ERR_USAGE, "65536 is the smallest that fits");
}

static void the_verb_builds_and_says_so_on_standard_output(void **state)
{
    struct error e;
    struct paths p = make_parts(*state);
    char partition[HOST_PATH_MAX + 8];
    snprintf(partition, sizeof(partition), "rootfs=%s", p.a);
    const char *const words[] = {
        "vv-image",     "build",  "-o",        p.out, "--product",       "gw",
        "--compatible", "b",      "--version", "1",   "--release-index", "9",
        "--partition",  partition};
    enum { WORDS = sizeof(words) / sizeof(words[0]) };
    char *argv[WORDS + 1] = {0};
    static const struct command commands[] = {
        {"build", "", 0, 0, "", build_option_specs, verb_build}, {0}};
    const struct program program = {
        .name = "vv-image", .summary = "", .version = "", .commands = commands};
    for (size_t i = 0; i < WORDS; i++) {
        argv[i] = strdup(words[i]);
    }
    CLEANUP(cleanup_free) char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    struct tool tool = {.log = {.stream = stderr}, .out = out, .clock = &clock_system};
    struct parsed args;
    assert_ok(command_parse(&program, WORDS, argv, stdout, &args, &e));
    assert_ok(verb_build(&tool, &args, &e));
    fclose(out);
    assert_contains(text, "product gw version 1 (release 9), 1 partition, 3.0 MiB in ");
    assert_contains(text, "not signed yet\n");
    assert_int_equal(access(p.out, F_OK), 0);
    for (size_t i = 0; i < WORDS; i++) {
        free(argv[i]);
    }
}

#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(the_image_decodes_to_its_inputs_with_every_codec_and_cut),
        WITH_DIR(the_totals_tell_what_was_found),
        WITH_DIR(the_number_of_jobs_does_not_change_a_byte),
        WITH_DIR(a_sparse_input_makes_the_same_image),
        WITH_DIR(each_partition_is_cut_by_the_rule_its_entry_names),
        WITH_DIR(the_manifest_says_what_was_asked_for),
        WITH_DIR(an_input_that_is_missing_or_empty_is_refused_by_name),
        WITH_DIR(an_output_that_is_an_input_is_refused),
        WITH_DIR(a_failing_build_leaves_the_old_output_and_no_litter),
        WITH_DIR(an_input_that_changes_during_the_build_is_refused),
        WITH_DIR(a_level_the_codec_does_not_have_is_refused),
        WITH_DIR(an_average_that_does_not_fit_is_refused),
        WITH_DIR(the_verb_builds_and_says_so_on_standard_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
