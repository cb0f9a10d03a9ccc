// SPDX-License-Identifier: Apache-2.0
#include "updater/heads.h"

#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum { KIB = 1024, ROOTFS_LEN = 40000, BOOT_LEN = 3000, TINY_LEN = 600 };

static const uint32_t odd_cuts[] = {1000, 2000, 30000, 0};

struct stage {
    struct bench *bench;
    struct bench_target t;
    uint8_t rootfs[ROOTFS_LEN], boot[BOOT_LEN];
};

// The boot partition has `boot_len` bytes, and the image fills it.
static int make_with(void **state, size_t boot_len)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    fill_random(s->rootfs, ROOTFS_LEN, 1);
    fill_random(s->boot, BOOT_LEN, 2);
    s->bench = bench_new(64 * KIB, boot_len);
    struct image_recipe r = bench_recipe("2.0", 2);
    r.cuts = odd_cuts;
    image_recipe_add(&r, "rootfs", s->rootfs, ROOTFS_LEN);
    image_recipe_add(&r, "boot", s->boot, boot_len);
    bench_serve(s->bench, &r);
    bench_open_target(s->bench, &s->t);
    s->bench->seam.tracing = true;
    *state = s;
    return 0;
}

static int make(void **state)
{
    return make_with(state, BOOT_LEN);
}

static int make_tiny(void **state)
{
    return make_with(state, TINY_LEN);
}

static int clear(void **state)
{
    struct stage *s = *state;
    bench_close_target(&s->t);
    bench_free(s->bench);
    free(s);
    return 0;
}

static void only_the_first_4096_bytes_are_taken(void **state)
{
    struct stage *s = *state;
    assert_int_equal(heads_put(s->t.heads, 0, 0, s->rootfs, 100), 100);
    assert_int_equal(heads_put(s->t.heads, 0, 100, s->rootfs + 100, 30000), 3996);
    assert_int_equal(heads_put(s->t.heads, 0, 4096, s->rootfs, 100), 0);
    assert_int_equal(heads_put(s->t.heads, 0, UINT64_MAX - 10, s->rootfs, 5), 0);
    assert_memory_equal(s->t.heads->bytes, s->rootfs, HEAD_SIZE);
    assert_int_equal(s->t.heads->bytes[HEAD_SIZE], 0); // that of the next partition
    assert_int_equal(heads_put_zeros(s->t.heads, 0, 4000, 500), 96);
    assert_int_equal(s->t.heads->bytes[3999], s->rootfs[3999]);
    assert_int_equal(s->t.heads->bytes[4000], 0);
}

static void each_partition_has_its_own(void **state)
{
    struct stage *s = *state;
    heads_put(s->t.heads, 1, 10, s->boot, 20);
    assert_memory_equal(s->t.heads->bytes + HEAD_SIZE + 10, s->boot, 20);
    uint8_t buf[40];
    memset(buf, 0xee, sizeof buf);
    heads_overlay(s->t.heads, 1, 0, buf, sizeof buf);
    assert_int_equal(buf[9], 0);
    assert_memory_equal(buf + 10, s->boot, 20);
    heads_overlay(s->t.heads, 0, 4090, buf, 40);
    assert_int_equal(buf[5], 0);
    assert_memory_equal(buf + 10, s->boot, 20); // behind the head nothing is put over
}

static void chunks_in_place_are_taken_and_need_not_be_fetched(void **state)
{
    struct stage *s = *state;
    struct error e;
    memcpy(s->bench->slots[SLOT_B][0].data, s->rootfs, ROOTFS_LEN);
    s->bench->slots[SLOT_B][0].data[1500] ^= 1;
    chunk_set_add(s->t.differs, 1); // [1000, 3000): what the plan has found
    for (uint32_t i = 5; i < chunk_table_count(s->t.image->table); i++) {
        chunk_set_add(s->t.differs, i); // boot as a whole
    }
    assert_ok(heads_take_present(s->t.heads, s->t.slot, s->t.image->table, s->bench->device.hasher,
                                 pipeline_scratch(s->t.pipeline), s->t.differs, &e));
    assert_memory_equal(s->t.heads->bytes, s->rootfs, 1000);
    assert_memory_equal(s->t.heads->bytes + 3000, s->rootfs + 3000, 1096);
    for (size_t i = 1000; i < 3000; i++) {
        assert_int_equal(s->t.heads->bytes[i], 0);
    }
    assert_false(chunk_set_has(s->t.differs, 0));
    assert_false(chunk_set_has(s->t.differs, 2));
}

static void a_chunk_that_is_no_longer_in_place_is_added_to_those_that_differ(void **state)
{
    struct stage *s = *state;
    struct error e;
    memcpy(s->bench->slots[SLOT_B][0].data, s->rootfs, ROOTFS_LEN);
    memcpy(s->bench->slots[SLOT_B][1].data, s->boot, BOOT_LEN);
    s->bench->slots[SLOT_B][0].data[20000] ^= 1; // after the plan, in the chunk from 3000 on
    assert_ok(heads_take_present(s->t.heads, s->t.slot, s->t.image->table, s->bench->device.hasher,
                                 pipeline_scratch(s->t.pipeline), s->t.differs, &e));
    assert_int_equal(chunk_set_size(s->t.differs), 1);
    assert_true(chunk_set_has(s->t.differs, 2));
    assert_int_equal(s->t.heads->bytes[3000], 0);
    assert_memory_equal(s->t.heads->bytes + HEAD_SIZE, s->boot, BOOT_LEN);
}

static const char zeroing[] = "b.rootfs zero 0+512\n"
                              "b.boot zero 0+512\n"
                              "b.rootfs sync\n"
                              "b.boot sync\n"
                              "b.rootfs zero 1024+512\n"
                              "b.boot zero 1024+512\n"
                              "b.rootfs sync\n"
                              "b.boot sync\n"
                              "b.rootfs zero 0+4096\n"
                              "b.boot zero 0+3000\n"
                              "b.rootfs sync\n"
                              "b.boot sync\n";

static void heads_are_zeroed_superblocks_first_and_synced(void **state)
{
    struct stage *s = *state;
    struct error e;
    assert_ok(heads_zero(s->t.slot, &e));
    assert_string_equal(s->bench->seam.trace, zeroing);
}

// Nothing else makes it one write by itself: the last pass zeroes all of a head, and may be torn.
static void a_superblock_that_cannot_be_read_is_zeroed_as_any(void **state)
{
    static const unsigned reads[] = {1, 3, 7, 9};
    struct stage *s = *state;
    struct error e;
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        memcpy(s->bench->slots[SLOT_B][0].data, s->rootfs, HEAD_SIZE);
        memcpy(s->bench->slots[SLOT_B][1].data, s->boot, BOOT_LEN);
        size_t before = strlen(s->bench->seam.trace);
        s->bench->seam.fail_at = s->bench->seam.calls + reads[i];
        assert_ok(heads_zero(s->t.slot, &e));
        assert_string_equal(s->bench->seam.trace + before, zeroing);
    }
}

static void heads_are_written_superblocks_last_synced_and_read_back(void **state)
{
    struct stage *s = *state;
    struct error e;
    heads_put(s->t.heads, 0, 0, s->rootfs, ROOTFS_LEN);
    heads_put(s->t.heads, 1, 0, s->boot, BOOT_LEN);
    assert_ok(heads_write(s->t.heads, s->t.slot, &e));
    assert_int_equal(heads_bytes(s->t.slot), 4096 + 3000);
    assert_string_equal(s->bench->seam.trace, "b.rootfs write 0+4096\n"
                                              "b.boot write 0+3000\n"
                                              "b.rootfs sync\n"
                                              "b.boot sync\n"
                                              "b.rootfs write 1024+512\n"
                                              "b.boot write 1024+512\n"
                                              "b.rootfs sync\n"
                                              "b.boot sync\n"
                                              "b.rootfs write 0+512\n"
                                              "b.boot write 0+512\n"
                                              "b.rootfs sync\n"
                                              "b.boot sync\n");
    assert_memory_equal(s->bench->slots[SLOT_B][0].data, s->rootfs, HEAD_SIZE);
    assert_memory_equal(s->bench->slots[SLOT_B][1].data, s->boot, BOOT_LEN);
}

static void a_partition_that_ends_before_the_second_superblock_has_only_the_first(void **state)
{
    struct stage *s = *state;
    struct error e;
    assert_ok(heads_zero(s->t.slot, &e));
    heads_put(s->t.heads, 0, 0, s->rootfs, ROOTFS_LEN);
    heads_put(s->t.heads, 1, 0, s->boot, TINY_LEN);
    assert_ok(heads_write(s->t.heads, s->t.slot, &e));
    assert_int_equal(heads_bytes(s->t.slot), 4096 + 600);
    assert_string_equal(s->bench->seam.trace, "b.rootfs zero 0+512\n"
                                              "b.boot zero 0+512\n"
                                              "b.rootfs sync\n"
                                              "b.boot sync\n"
                                              "b.rootfs zero 1024+512\n"
                                              "b.rootfs sync\n"
                                              "b.boot sync\n"
                                              "b.rootfs zero 0+4096\n"
                                              "b.boot zero 0+600\n"
                                              "b.rootfs sync\n"
                                              "b.boot sync\n"
                                              "b.rootfs write 0+4096\n"
                                              "b.boot write 0+600\n"
                                              "b.rootfs sync\n"
                                              "b.boot sync\n"
                                              "b.rootfs write 1024+512\n"
                                              "b.rootfs sync\n"
                                              "b.boot sync\n"
                                              "b.rootfs write 0+512\n"
                                              "b.boot write 0+512\n"
                                              "b.rootfs sync\n"
                                              "b.boot sync\n");
    assert_memory_equal(s->bench->slots[SLOT_B][0].data, s->rootfs, HEAD_SIZE);
    assert_memory_equal(s->bench->slots[SLOT_B][1].data, s->boot, TINY_LEN);
}

static void a_release_goes_into_a_partition_smaller_than_a_superblock_needs(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct install_report report;
    assert_ok(bench_install(s->bench, &report, &e));
    bench_expect_content(s->bench, 0, s->rootfs, ROOTFS_LEN);
    bench_expect_content(s->bench, 1, s->boot, TINY_LEN);
}

static void a_head_that_does_not_read_back_is_an_error(void **state)
{
    struct stage *s = *state;
    struct error e;
    heads_put(s->t.heads, 0, 0, s->rootfs, ROOTFS_LEN);
    s->bench->slots[SLOT_B][1].spoil_off = 2999;
    s->bench->slots[SLOT_B][1].spoil_times = 1;
    assert_fails(ERR_IO, "slot b, partition boot: offset 0: what was written does not read back",
                 heads_write(s->t.heads, s->t.slot, &e));
}

static void a_write_that_fails_names_slot_and_partition(void **state)
{
    struct stage *s = *state;
    struct error e;
    heads_put(s->t.heads, 0, 0, s->rootfs, ROOTFS_LEN);
    heads_put(s->t.heads, 1, 0, s->boot, BOOT_LEN);
    for (unsigned n = 1; n <= 14; n++) {
        s->bench->seam.fail_at = s->bench->seam.calls + n;
        assert_fails(ERR_IO, n % 2 == 1 ? "slot b, partition rootfs" : "slot b, partition boot",
                     heads_write(s->t.heads, s->t.slot, &e));
    }
}

// Both superblocks: is it zero, zero it, for both partitions; sync both. Then all, without asking.
static void a_zeroing_that_fails_names_slot_and_partition(void **state)
{
    static const char *const rootfs = "slot b, partition rootfs";
    static const char *const boot = "slot b, partition boot";
    const char *const wanted[] = {NULL, rootfs, NULL,   boot, rootfs, boot, NULL,   rootfs,
                                  NULL, boot,   rootfs, boot, rootfs, boot, rootfs, boot};
    struct stage *s = *state;
    struct error e;
    for (unsigned n = 0; n < sizeof wanted / sizeof wanted[0]; n++) {
        memcpy(s->bench->slots[SLOT_B][0].data, s->rootfs, HEAD_SIZE);
        memcpy(s->bench->slots[SLOT_B][1].data, s->boot, BOOT_LEN);
        s->bench->seam.fail_at = s->bench->seam.calls + n + 1;
        if (wanted[n] == NULL) {
            assert_ok(heads_zero(s->t.slot, &e)); // a read
        } else {
            assert_fails(ERR_IO, wanted[n], heads_zero(s->t.slot, &e));
        }
    }
}

static void a_sector_that_is_zero_or_is_to_be_is_not_written_by_itself(void **state)
{
    struct stage *s = *state;
    struct error e;
    memset(s->rootfs, 0, 1024); // as ext4 has it
    heads_put(s->t.heads, 0, 0, s->rootfs, ROOTFS_LEN);
    heads_put(s->t.heads, 1, 0, s->boot, BOOT_LEN);
    assert_ok(heads_write(s->t.heads, s->t.slot, &e));
    assert_null(strstr(s->bench->seam.trace, "b.rootfs write 0+512\n"));
    assert_contains(s->bench->seam.trace, "b.rootfs write 1024+512\n");
    assert_contains(s->bench->seam.trace, "b.boot write 0+512\n");
    assert_memory_equal(s->bench->slots[SLOT_B][0].data, s->rootfs, HEAD_SIZE);
    assert_ok(heads_zero(s->t.slot, &e));
    assert_null(strstr(s->bench->seam.trace, "b.rootfs zero 0+512\n"));
    assert_contains(s->bench->seam.trace, "b.boot zero 0+512\n");
}

static void a_head_without_a_superblock_is_told_from_one_with_any(void **state)
{
    uint8_t head[HEAD_SIZE];
    (void)state;
    memset(head, 1, sizeof head);
    memset(head, 0, 512);
    memset(head + 1024, 0, 512);
    assert_false(head_has_superblock(head, sizeof head));
    head[1024 + 511] = 1;
    assert_true(head_has_superblock(head, sizeof head));
    assert_false(head_has_superblock(head, 1024 + 511)); // the partition ends before it
    head[0] = 1;
    assert_true(head_has_superblock(head, 1));
}

#define heads_test(name) cmocka_unit_test_setup_teardown(name, make, clear)
#define tiny_test(name) cmocka_unit_test_setup_teardown(name, make_tiny, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        heads_test(only_the_first_4096_bytes_are_taken),
        heads_test(each_partition_has_its_own),
        heads_test(chunks_in_place_are_taken_and_need_not_be_fetched),
        heads_test(a_chunk_that_is_no_longer_in_place_is_added_to_those_that_differ),
        heads_test(heads_are_zeroed_superblocks_first_and_synced),
        heads_test(a_superblock_that_cannot_be_read_is_zeroed_as_any),
        heads_test(heads_are_written_superblocks_last_synced_and_read_back),
        tiny_test(a_partition_that_ends_before_the_second_superblock_has_only_the_first),
        tiny_test(a_release_goes_into_a_partition_smaller_than_a_superblock_needs),
        heads_test(a_head_that_does_not_read_back_is_an_error),
        heads_test(a_write_that_fails_names_slot_and_partition),
        heads_test(a_zeroing_that_fails_names_slot_and_partition),
        cmocka_unit_test(a_head_without_a_superblock_is_told_from_one_with_any),
        heads_test(a_sector_that_is_zero_or_is_to_be_is_not_written_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
