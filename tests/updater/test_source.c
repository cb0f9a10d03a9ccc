// SPDX-License-Identifier: Apache-2.0
#include "updater/source.h"

#include "tests/support/expect.h"
#include "tests/support/source_mem.h"

static const char text[] = "0123456789";

static void the_wrappers_reach_the_back_end(void **state)
{
    (void)state;
    struct error e;
    char buf[4] = "";
    struct seam_sim seam = {0};
    struct source_mem mem;
    source_mem_init(&mem, text, 10, &seam);
    CLEANUP(cleanup_source) struct source *s = &mem.base;
    assert_int_equal(s->size_bytes, SOURCE_SIZE_UNKNOWN);
    assert_ok(source_start(s, 2, 6, &e));
    assert_int_equal(s->size_bytes, 10);
    assert_ok(source_read(s, buf, 3, &e));
    assert_memory_equal(buf, "234", 3);
    assert_ok(source_read(s, buf, 3, &e));
    assert_memory_equal(buf, "567", 3);
    assert_int_equal(s->fetched_bytes, 6);
    assert_ok(source_expect_size(s, 10, &e));
    source_cancel(s);
    assert_int_equal(mem.end, 0);
}

static void a_source_without_versions_is_read_whatever_is_known(void **state)
{
    (void)state;
    struct error e = {.code = OK};
    char version[8] = "x";
    struct seam_sim seam = {0};
    struct source_mem mem;
    source_mem_init(&mem, text, 10, &seam);
    assert_ok(source_unless(&mem.base, "\"a\" b", &e));
    assert_ok(source_start(&mem.base, 2, 6, &e));
    source_version(&mem.base, version, sizeof version);
    assert_string_equal(version, "");
    assert_int_equal(source_fail_unchanged(&e), ERR_NOT_NOW);
    assert_true(source_is_unchanged(&e));
    assert_int_equal(fail(&e, ERR_NOT_NOW, 0, "no budget"), ERR_NOT_NOW);
    assert_false(source_is_unchanged(&e));
    source_close(&mem.base);
}

static void errors_come_through(void **state)
{
    (void)state;
    struct error e;
    char buf[4];
    struct seam_sim seam = {0};
    struct source_mem mem;
    source_mem_init(&mem, text, 10, &seam);
    assert_fails(ERR_FORMAT, "ends at 10", source_start(&mem.base, 10, 1, &e));
    assert_ok(source_start(&mem.base, 8, 8, &e));
    assert_fails(ERR_FORMAT, "ends at 10", source_read(&mem.base, buf, 3, &e));
    assert_fails(ERR_FORMAT, "its header says 11", source_expect_size(&mem.base, 11, &e));
    mem.cut_off = 9;
    assert_fails(ERR_NETWORK, "lost at 9", source_read(&mem.base, buf, 2, &e));
    source_close(NULL);
}

static void a_file_of_another_length_is_told_in_one_way(void **state)
{
    (void)state;
    struct error e;
    assert_fails(ERR_FORMAT, "the file ends at 10 bytes, byte 12 was to be read",
                 source_fail_past_end(10, 12, &e));
    assert_fails(ERR_FORMAT, "the file is 10 bytes, its header says 12: it was cut short",
                 source_fail_size(10, 12, &e));
    assert_fails(ERR_FORMAT, "something was added behind its end", source_fail_size(13, 12, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wrappers_reach_the_back_end),
        cmocka_unit_test(a_source_without_versions_is_read_whatever_is_known),
        cmocka_unit_test(errors_come_through),
        cmocka_unit_test(a_file_of_another_length_is_told_in_one_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
