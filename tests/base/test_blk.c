// SPDX-License-Identifier: Apache-2.0
#include "base/blk.h"

#include "tests/support/expect.h"

// A device that only counts what reaches it.
struct counting {
    struct blk base;
    unsigned reads, writes, zeroings, syncs, closes;
    uint64_t off_bytes;
    uint64_t len_bytes;
};

static enum err note(struct blk *b, uint64_t off_bytes, uint64_t len_bytes)
{
    struct counting *c = (struct counting *)b;
    c->off_bytes = off_bytes;
    c->len_bytes = len_bytes;
    return OK;
}

static enum err count_pread(struct blk *b, void *buf, size_t len, uint64_t off_bytes,
                            struct error *e)
{
    (void)buf;
    (void)e;
    ((struct counting *)b)->reads++;
    return note(b, off_bytes, len);
}

static enum err count_pwrite(struct blk *b, const void *buf, size_t len, uint64_t off_bytes,
                             struct error *e)
{
    (void)buf;
    (void)e;
    ((struct counting *)b)->writes++;
    return note(b, off_bytes, len);
}

static enum err count_zero_range(struct blk *b, uint64_t off_bytes, uint64_t len_bytes,
                                 struct error *e)
{
    (void)e;
    ((struct counting *)b)->zeroings++;
    return note(b, off_bytes, len_bytes);
}

static enum err count_sync(struct blk *b, struct error *e)
{
    ((struct counting *)b)->syncs++;
    return fail(e, ERR_IO, 0, "sync failed");
}

static void count_close(struct blk *b)
{
    ((struct counting *)b)->closes++;
}

static const struct blk_ops count_ops = {
    .pread = count_pread,
    .pwrite = count_pwrite,
    .zero_range = count_zero_range,
    .sync = count_sync,
    .close = count_close,
};

static struct counting device(uint64_t size_bytes)
{
    return (struct counting){
        .base = {.ops = &count_ops, .size_bytes = size_bytes, .sector_bytes = 512, .name = "dev"}};
}

static void a_call_inside_the_device_reaches_it_unchanged(void **state)
{
    (void)state;
    struct error e;
    struct counting c = device(10000);
    char buf[100];
    assert_ok(blk_pread(&c.base, buf, 100, 9900, &e));
    assert_int_equal(c.off_bytes, 9900);
    assert_int_equal(c.len_bytes, 100);
    assert_ok(blk_pwrite(&c.base, buf, 1, 0, &e));
    assert_int_equal(c.off_bytes, 0);
    assert_int_equal(c.len_bytes, 1);
    assert_ok(blk_zero_range(&c.base, 0, 10000, &e));
    assert_int_equal(c.len_bytes, 10000);
    assert_int_equal(c.reads + c.writes + c.zeroings, 3);
}

static void a_call_past_the_end_never_reaches_the_device(void **state)
{
    (void)state;
    struct error e;
    struct counting c = device(10000);
    char buf[101] = {0};
    assert_fails(ERR_INTERNAL, "dev: read of 101 bytes at 9900",
                 blk_pread(&c.base, buf, 101, 9900, &e));
    assert_fails(ERR_INTERNAL, "dev: write of 1 bytes at 10000",
                 blk_pwrite(&c.base, buf, 1, 10000, &e));
    assert_fails(ERR_INTERNAL, "dev: zeroing of 10001 bytes at 0",
                 blk_zero_range(&c.base, 0, 10001, &e));
    assert_int_equal(c.reads + c.writes + c.zeroings, 0);
}

static void a_range_that_wraps_never_reaches_the_device(void **state)
{
    (void)state;
    struct error e;
    struct counting c = device(10000);
    char buf[16] = {0};
    assert_fails(ERR_INTERNAL, "leaves the device",
                 blk_pread(&c.base, buf, 16, UINT64_MAX - 7, &e));
    assert_fails(ERR_INTERNAL, "leaves the device",
                 blk_pwrite(&c.base, buf, 16, UINT64_MAX - 7, &e));
    assert_fails(ERR_INTERNAL, "leaves the device", blk_zero_range(&c.base, 8, UINT64_MAX - 4, &e));
    assert_int_equal(c.reads + c.writes + c.zeroings, 0);
}

static void nothing_is_asked_for_no_bytes(void **state)
{
    (void)state;
    struct error e;
    struct counting c = device(10000);
    assert_ok(blk_pread(&c.base, NULL, 0, 10000, &e));
    assert_ok(blk_pwrite(&c.base, NULL, 0, 10000, &e));
    assert_ok(blk_zero_range(&c.base, 10000, 0, &e));
    assert_int_equal(c.reads + c.writes + c.zeroings, 0);
    assert_fails(ERR_INTERNAL, "leaves the device", blk_pread(&c.base, NULL, 0, 10001, &e));
}

static void what_the_device_answers_is_passed_on(void **state)
{
    (void)state;
    struct error e;
    struct counting c = device(10000);
    assert_fails(ERR_IO, "sync failed", blk_sync(&c.base, &e));
    assert_int_equal(c.syncs, 1);
}

static void a_device_is_closed_and_none_is_left_alone(void **state)
{
    (void)state;
    struct counting c = device(10000);
    blk_close(&c.base);
    assert_int_equal(c.closes, 1);
    blk_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_inside_the_device_reaches_it_unchanged),
        cmocka_unit_test(a_call_past_the_end_never_reaches_the_device),
        cmocka_unit_test(a_range_that_wraps_never_reaches_the_device),
        cmocka_unit_test(nothing_is_asked_for_no_bytes),
        cmocka_unit_test(what_the_device_answers_is_passed_on),
        cmocka_unit_test(a_device_is_closed_and_none_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
