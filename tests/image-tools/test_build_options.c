// SPDX-License-Identifier: Apache-2.0
#include "image-tools/build_options.h"

#include "image-tools/tool.h"
#include "tests/support/expect.h"

#include <stdlib.h>
#include <string.h>

enum { NOW = 1700000000, ARGS_MAX = 200 };

static enum err run_nothing(void *context, const struct parsed *args, struct error *e)
{
    (void)context;
    (void)args;
    (void)e;
    return OK;
}

// A command line: words separated by blanks. Kept while its parsed form is used.
struct line {
    char text[8192];
    char *argv[ARGS_MAX];
    int argc;
    struct parsed parsed;
};

static enum err parse_line(struct line *l, const char *text, struct error *e)
{
    static const struct command commands[] = {
        {"build", "", 0, 0, "", build_option_specs, run_nothing}, {0}};
    static const struct program program = {
        .name = "vv-image", .summary = "", .version = "", .commands = commands};
    char *rest = NULL;
    snprintf(l->text, sizeof(l->text), "vv-image build %s", text);
    l->argc = 0;
    for (char *w = strtok_r(l->text, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest)) {
        assert_true(l->argc < ARGS_MAX - 1);
        l->argv[l->argc++] = w;
    }
    l->argv[l->argc] = NULL;
    return command_parse(&program, l->argc, l->argv, stdout, &l->parsed, e);
}

#define BASIC                                                                                      \
    "-o out.vvi --product gw --compatible b1 --version 1.0 --release-index 5 --partition a=x "

static enum err parse_at(struct line *l, const char *text, const char *epoch,
                         struct build_options *ret, struct error *e)
{
    enum err err = parse_line(l, text, e);
    return err == OK ? build_options_parse(&l->parsed, epoch, NOW, ret, e) : err;
}

static enum err parse(struct line *l, const char *text, struct build_options *ret, struct error *e)
{
    return parse_at(l, text, NULL, ret, e);
}

static void the_least_that_must_be_given_is_enough(void **state)
{
    (void)state;
    struct error e;
    struct line l;
    struct build_options o;
    assert_ok(parse(&l, BASIC, &o, &e));
    assert_string_equal(o.output, "out.vvi");
    assert_string_equal(o.manifest.product, "gw");
    assert_int_equal(o.manifest.compatible.count, 1);
    assert_string_equal(o.manifest.compatible.names[0], "b1");
    assert_string_equal(o.manifest.version, "1.0");
    assert_int_equal(o.manifest.release_index, 5);
    assert_int_equal(o.manifest.created, NOW);
    assert_int_equal(o.manifest.not_after, 0);
    assert_int_equal(o.manifest.min_release_index, 0);
    assert_int_equal(o.manifest.min_from, 0);
    assert_false(o.manifest.allow_downgrade);
    assert_int_equal(o.manifest.device_ids.count, 0);
    assert_int_equal(o.manifest.partition_count, 1);
    assert_string_equal(o.manifest.partitions[0].name, "a");
    assert_string_equal(o.paths[0], "x");
    assert_int_equal(o.codec, CODEC_ZSTD);
    assert_int_equal(o.level, 12);
    assert_true(o.cut.automatic);
    assert_int_equal(o.cut.average, 0);
    assert_int_equal(o.cut.max_records, CUT_PLAN_RECORDS);
    assert_int_equal(o.jobs, tool_default_jobs());
    assert_int_equal(o.signature_reserve, 8192);
}

static void everything_that_can_be_given_is_taken(void **state)
{
    (void)state;
    struct error e;
    struct line l;
    struct build_options o;
    assert_ok(parse(&l,
                    BASIC
                    "--compatible b2 --partition b=dir/y=z --codec zlib --level 3 --cut fixed "
                    "--chunk-avg 128K --jobs 7 --min-release-index 4 --min-from 2 "
                    "--allow-downgrade --not-after 1700000001 --device-id d1 --device-id d2 "
                    "--sig-reserve 64K",
                    &o, &e));
    assert_int_equal(o.manifest.compatible.count, 2);
    assert_string_equal(o.manifest.compatible.names[1], "b2");
    assert_int_equal(o.manifest.partition_count, 2);
    assert_int_equal(o.manifest.partitions[1].id, 1);
    assert_string_equal(o.manifest.partitions[1].name, "b");
    assert_string_equal(o.paths[1], "dir/y=z");
    assert_int_equal(o.codec, CODEC_ZLIB);
    assert_int_equal(o.level, 3);
    assert_false(o.cut.automatic);
    assert_int_equal(o.cut.rule, CUT_FIXED);
    assert_int_equal(o.cut.average, 128 * 1024);
    assert_int_equal(o.jobs, 7);
    assert_int_equal(o.manifest.min_release_index, 4);
    assert_int_equal(o.manifest.min_from, 2);
    assert_true(o.manifest.allow_downgrade);
    assert_int_equal(o.manifest.not_after, 1700000001);
    assert_int_equal(o.manifest.device_ids.count, 2);
    assert_string_equal(o.manifest.device_ids.names[1], "d2");
    assert_int_equal(o.signature_reserve, 65536);
}

static void every_rule_can_be_asked_for(void **state)
{
    (void)state;
    static const char *const lines[] = {"--cut auto", "--cut block", "--cut fixed", "--cut byte"};
    static const enum cut_rule rules[] = {[1] = CUT_BLOCK, CUT_FIXED, CUT_BYTE};
    for (size_t i = 0; i < 4; i++) {
        struct error e;
        struct line l;
        struct build_options o;
        char text[256];
        snprintf(text, sizeof(text), BASIC "%s --chunk-avg 32K", lines[i]);
        assert_ok(parse(&l, text, &o, &e));
        assert_int_equal(o.cut.automatic, i == 0);
        assert_true(i == 0 || o.cut.rule == rules[i]);
        assert_int_equal(o.cut.average, 32768);
        assert_int_equal(o.cut.max_records, CUT_PLAN_RECORDS);
    }
}

static void each_codec_has_its_default_level(void **state)
{
    (void)state;
    struct error e;
    struct line l;
    struct build_options o;
    assert_ok(parse(&l, BASIC "--codec zstd", &o, &e));
    assert_int_equal(o.level, 12);
    assert_ok(parse(&l, BASIC "--codec zlib", &o, &e));
    assert_int_equal(o.level, 9);
    assert_ok(parse(&l, BASIC "--codec raw", &o, &e));
    assert_int_equal(o.codec, CODEC_RAW);
    assert_int_equal(o.level, 0);
    assert_ok(parse(&l, BASIC "--codec zstd --level 22", &o, &e));
    assert_int_equal(o.level, 22);
}

static void a_date_means_its_last_second(void **state)
{
    (void)state;
    struct error e;
    struct line l;
    struct build_options o;
    assert_ok(parse(&l, BASIC "--not-after 2028-02-29", &o, &e));
    assert_int_equal(o.manifest.not_after, 1835481599);
    assert_ok(parse(&l, BASIC "--not-after 2023-11-14", &o, &e));
    assert_int_equal(o.manifest.not_after, 1700006399);
}

static void source_date_epoch_is_the_time_of_creation(void **state)
{
    (void)state;
    struct error e;
    struct line l;
    struct build_options o;
    assert_ok(parse_at(&l, BASIC, "1234567890", &o, &e));
    assert_int_equal(o.manifest.created, 1234567890);
    assert_ok(parse_at(&l, BASIC, "0", &o, &e));
    assert_int_equal(o.manifest.created, 0);
}

static void a_bad_source_date_epoch_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "now", "-1", "12.5", " 1", "9223372036854775808"};
    struct error e;
    struct line l;
    struct build_options o;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_fails(ERR_USAGE, "SOURCE_DATE_EPOCH", parse_at(&l, BASIC, bad[i], &o, &e));
    }
}

static void what_must_be_given_is_missed(void **state)
{
    (void)state;
    static const char *const lines[][2] = {
        {"--product g --compatible b --version 1 --release-index 5 --partition a=x", "--output"},
        {"-o o --compatible b --version 1 --release-index 5 --partition a=x", "--product"},
        {"-o o --product g --version 1 --release-index 5 --partition a=x", "--compatible"},
        {"-o o --product g --compatible b --release-index 5 --partition a=x", "--version"},
        {"-o o --product g --compatible b --version 1 --partition a=x", "--release-index"},
        {"-o o --product g --compatible b --version 1 --release-index 5", "--partition"},
    };
    struct error e;
    struct line l;
    struct build_options o;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_fails(ERR_USAGE, lines[i][1], parse(&l, lines[i][0], &o, &e));
    }
}

static void each_bad_value_is_refused_with_its_own_sentence(void **state)
{
    (void)state;
    static const char *const rest = "-o o --compatible b --version 1 --partition a=x ";
    static const struct {
        const char *more;
        const char *sentence;
    } cases[] = {
        {"--product g/w --release-index 1", "--product 'g/w': must be 1 to 64 characters"},
        {"--product gw --release-index -1", "--release-index -1: must be a whole number"},
        {"--product gw --release-index 9223372036854775808", "--release-index 9223372036854775808"},
        {"--product gw --release-index 5 --min-release-index 6", "the image would forbid itself"},
        {"--product gw --release-index 5 --min-from x", "--min-from x: must be a whole number"},
        {"--product gw --release-index 5 --min-release-index y", "--min-release-index y"},
        {"--product gw --release-index 5 --compatible b!", "--compatible 'b!'"},
        {"--product gw --release-index 5 --compatible b", "--compatible b: is given twice"},
        {"--product gw --release-index 5 --device-id d*", "--device-id 'd*'"},
        {"--product gw --release-index 5 --device-id d --device-id d", "--device-id d: is given"},
        {"--product gw --release-index 5 --not-after soon", "--not-after soon: must be YYYY-MM-DD"},
        {"--product gw --release-index 5 --not-after 0", "--not-after 0: must be YYYY-MM-DD"},
        {"--product gw --release-index 5 --not-after 2027-02-29", "--not-after 2027-02-29"},
        {"--product gw --release-index 5 --not-after 2027-2-01x", "--not-after 2027-2-01x"},
        {"--product gw --release-index 5 --not-after 2027-2-1", "--not-after 2027-2-1"},
        {"--product gw --release-index 5 --not-after 1969-12-31", "--not-after 1969-12-31"},
        {"--product gw --release-index 5 --not-after 9223372036854775808", "--not-after 9"},
        {"--product gw --release-index 5 --not-after 1699999999", "before the image is created"},
        {"--product gw --release-index 5 --codec lz4", "--codec lz4: must be zstd, zlib or raw"},
        {"--product gw --release-index 5 --codec zero", "--codec zero: must be zstd, zlib or raw"},
        {"--product gw --release-index 5 --level 0", "--level 0: must be a whole number from 1"},
        {"--product gw --release-index 5 --level 23", "from 1 to 22"},
        {"--product gw --release-index 5 --codec zlib --level 10", "from 1 to 9"},
        {"--product gw --release-index 5 --codec raw --level 1", "the codec raw has no levels"},
        {"--product gw --release-index 5 --cut rabin",
         "--cut rabin: must be auto, block, byte or fixed"},
        {"--product gw --release-index 5 --cut byte:65536", "--cut byte:65536: must be auto"},
        {"--product gw --release-index 5 --cut AUTO", "--cut AUTO: must be auto"},
        {"--product gw --release-index 5 --chunk-avg 2M", "--chunk-avg 2M: must be a size"},
        {"--product gw --release-index 5 --chunk-avg x", "--chunk-avg x: must be a size"},
        {"--product gw --release-index 5 --chunk-avg 5000", "--chunk-avg: "},
        {"--product gw --release-index 5 --chunk-avg 0", "--chunk-avg: "},
        {"--product gw --release-index 5 --jobs 0", "--jobs 0: must be a whole number from 1"},
        {"--product gw --release-index 5 --jobs 257", "to 256"},
        {"--product gw --release-index 5 --sig-reserve 65K", "--sig-reserve 65K: must be a size"},
        {"--product gw --release-index 5 --partition a=y", "the name a is given twice"},
        {"--product gw --release-index 5 --partition b", "--partition b: must be NAME=FILE"},
        {"--product gw --release-index 5 --partition b=", "--partition b=: must be NAME=FILE"},
        {"--product gw --release-index 5 --partition =f", "--partition '': must be 1 to 64"},
        {"--product gw --release-index 5 --partition b,c=f", "--partition 'b,c'"},
    };
    struct error e;
    struct line l;
    struct build_options o;
    char text[1024];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text), "%s%s", rest, cases[i].more);
        assert_fails(ERR_USAGE, cases[i].sentence, parse(&l, text, &o, &e));
    }
}

static void names_of_64_characters_are_allowed_and_of_65_refused(void **state)
{
    (void)state;
    struct error e;
    struct line l;
    struct build_options o;
    char name[66];
    char text[1024];
    memset(name, 'n', 65);
    name[65] = '\0';
    snprintf(text, sizeof(text), BASIC "--partition %s=f", name);
    assert_fails(ERR_USAGE, "must be 1 to 64", parse(&l, text, &o, &e));
    name[64] = '\0';
    snprintf(text, sizeof(text), BASIC "--partition %s=f", name);
    assert_ok(parse(&l, text, &o, &e));
    assert_string_equal(o.manifest.partitions[1].name, name);
}

static void a_version_must_be_a_name(void **state)
{
    (void)state;
    struct error e;
    struct line l;
    struct build_options o;
    assert_fails(ERR_USAGE, "--version '1/0'",
                 parse(&l,
                       "-o o --product g --compatible b --version 1/0 --release-index 1 "
                       "--partition a=x",
                       &o, &e));
}

static void sixteen_partitions_are_allowed_and_seventeen_refused(void **state)
{
    (void)state;
    struct error e;
    struct line l;
    struct build_options o;
    char text[2048] = BASIC;
    for (int i = 1; i < 16; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, "--partition p%d=f%d ", i, i);
    }
    assert_ok(parse(&l, text, &o, &e));
    assert_int_equal(o.manifest.partition_count, 16);
    assert_string_equal(o.paths[15], "f15");
    strcat(text, "--partition p16=f");
    assert_fails(ERR_USAGE, "--partition p16=f: more than 16 partitions", parse(&l, text, &o, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_that_must_be_given_is_enough),
        cmocka_unit_test(everything_that_can_be_given_is_taken),
        cmocka_unit_test(every_rule_can_be_asked_for),
        cmocka_unit_test(each_codec_has_its_default_level),
        cmocka_unit_test(a_date_means_its_last_second),
        cmocka_unit_test(source_date_epoch_is_the_time_of_creation),
        cmocka_unit_test(a_bad_source_date_epoch_is_refused),
        cmocka_unit_test(what_must_be_given_is_missed),
        cmocka_unit_test(each_bad_value_is_refused_with_its_own_sentence),
        cmocka_unit_test(names_of_64_characters_are_allowed_and_of_65_refused),
        cmocka_unit_test(a_version_must_be_a_name),
        cmocka_unit_test(sixteen_partitions_are_allowed_and_seventeen_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
