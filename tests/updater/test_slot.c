// SPDX-License-Identifier: Apache-2.0
#include "updater/slot.h"

#include "tests/support/expect.h"
#include "tests/support/install_bench.h"

#include <stdio.h>

enum { KIB = 1024 };

// The image has boot first, the configuration rootfs.
static const struct manifest sample = {
    .partition_count = 2,
    .partitions = {{.name = "boot", .image_size = 8 * KIB, .first = 0, .count = 3},
                   {.name = "rootfs", .image_size = 60 * KIB, .first = 3, .count = 5}},
};

static void partitions_stand_in_the_order_of_the_manifest(void **state)
{
    (void)state;
    struct error e;
    struct slot *s = NULL;
    struct bench *b = bench_new(64 * KIB, 8 * KIB);
    assert_ok(slot_open(&b->device, SLOT_B, &sample, BLK_READ_ONLY, &s, &e));
    assert_int_equal(s->index, SLOT_B);
    assert_string_equal(s->name, "b");
    assert_int_equal(s->count, 2);
    assert_string_equal(s->partitions[0].blk->name, "b.boot");
    assert_string_equal(s->partitions[1].blk->name, "b.rootfs");
    assert_int_equal(slot_image_bytes(s), 68 * KIB);
    slot_close(s);
    bench_free(b);
}

static void a_chunk_is_found_in_its_partition(void **state)
{
    (void)state;
    struct error e;
    struct slot *s = NULL;
    struct bench *b = bench_new(64 * KIB, 8 * KIB);
    assert_ok(slot_open(&b->device, SLOT_B, &sample, BLK_READ_ONLY, &s, &e));
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(slot_find(s, i), i < 3 ? 0 : 1);
    }
    slot_close(s);
    bench_free(b);
}

static void an_image_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct slot *s = NULL;
    struct bench *b = bench_new(59 * KIB, 8 * KIB);
    assert_fails(ERR_TOO_LARGE, "partition rootfs",
                 slot_open(&b->device, SLOT_B, &sample, BLK_READ_ONLY, &s, &e));
    assert_null(s);
    bench_free(b);
}

static void a_partition_the_slot_does_not_have_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct slot *s = NULL;
    struct bench *b = bench_new(64 * KIB, 0);
    assert_fails(ERR_NOT_NOW, "slot b has no partition boot",
                 slot_open(&b->device, SLOT_B, &sample, BLK_READ_ONLY, &s, &e));
    bench_free(b);
}

static void a_partition_in_use_is_named(void **state)
{
    (void)state;
    struct error e;
    struct slot *s = NULL;
    struct bench *b = bench_new(64 * KIB, 8 * KIB);
    b->slots[SLOT_B][0].in_use = true;
    assert_fails(ERR_NOT_NOW, "slot b, partition rootfs: slot device b.rootfs is mounted",
                 slot_open(&b->device, SLOT_B, &sample, BLK_READ_WRITE, &s, &e));
    assert_ok(slot_open(&b->device, SLOT_B, &sample, BLK_READ_ONLY, &s, &e));
    slot_close(s);
    slot_close(NULL);
    bench_free(b);
}

static void sync_reaches_every_partition_and_names_the_one_that_fails(void **state)
{
    (void)state;
    struct error e;
    struct slot *s = NULL;
    struct bench *b = bench_new(64 * KIB, 8 * KIB);
    assert_ok(slot_open(&b->device, SLOT_B, &sample, BLK_READ_WRITE, &s, &e));
    assert_ok(slot_sync(s, &e));
    assert_int_equal(b->slots[SLOT_B][0].syncs, 1);
    assert_int_equal(b->slots[SLOT_B][1].syncs, 1);
    b->seam.fail_at = b->seam.calls + 2;
    assert_fails(ERR_IO, "slot b, partition rootfs: sync", slot_sync(s, &e));
    slot_close(s);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_stand_in_the_order_of_the_manifest),
        cmocka_unit_test(a_chunk_is_found_in_its_partition),
        cmocka_unit_test(an_image_that_does_not_fit_is_refused),
        cmocka_unit_test(a_partition_the_slot_does_not_have_is_refused),
        cmocka_unit_test(a_partition_in_use_is_named),
        cmocka_unit_test(sync_reaches_every_partition_and_names_the_one_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
