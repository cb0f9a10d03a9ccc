// SPDX-License-Identifier: Apache-2.0
#include "updater/scan.h"

#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

// Longer than two windows, no multiple of anything.
enum { KIB = 1024, MIB = 1024 * 1024, ROOTFS_LEN = 2 * MIB + 4321, BOOT_LEN = 777 };

static const uint32_t odd_cuts[] = {100001, 3, 4096, 250000, 0};

struct stage {
    struct bench *bench;
    struct bench_target t;
    struct blk_mem *rootfs, *boot; // hold the image already
};

static int make(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    uint8_t *rootfs = malloc(ROOTFS_LEN);
    uint8_t boot[BOOT_LEN];
    assert_true(s != NULL && rootfs != NULL);
    fill_random(rootfs, ROOTFS_LEN, 1);
    fill_random(boot, BOOT_LEN, 2);
    // Both windows alike: what was left in the buffer must not pass for what cannot be read.
    memcpy(rootfs + MIB, rootfs, MIB);
    s->bench = bench_new(ROOTFS_LEN + 100, 4096);
    struct image_recipe r = bench_recipe("2.0", 2);
    r.cuts = odd_cuts;
    image_recipe_add(&r, "rootfs", rootfs, ROOTFS_LEN);
    image_recipe_add(&r, "boot", boot, BOOT_LEN);
    bench_serve(s->bench, &r);
    bench_open_target(s->bench, &s->t);
    s->rootfs = &s->bench->slots[SLOT_B][0];
    s->boot = &s->bench->slots[SLOT_B][1];
    memcpy(s->rootfs->data, rootfs, ROOTFS_LEN);
    memcpy(s->boot->data, boot, BOOT_LEN);
    free(rootfs);
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct stage *s = *state;
    bench_close_target(&s->t);
    bench_free(s->bench);
    free(s);
    return 0;
}

static void expect_differing(struct stage *s, size_t count, const uint32_t *indices)
{
    assert_int_equal(chunk_set_size(s->t.differs), count);
    for (size_t i = 0; i < count; i++) {
        assert_true(chunk_set_has(s->t.differs, indices[i]));
    }
}

// The chunk that holds a byte of rootfs.
static uint32_t chunk_at(const struct stage *s, uint64_t place)
{
    uint64_t off;
    uint32_t i = 0;
    for (;; i++) {
        struct chunk c = chunk_table_get(s->t.image->table, i, &off);
        if (place < off + c.raw_len) {
            return i;
        }
    }
}

static void a_slot_that_equals_the_image_has_no_chunk_that_differs(void **state)
{
    struct stage *s = *state;
    struct error e;
    uint64_t unreadable = 1;
    struct scan scan = bench_scan(s->bench, &s->t);
    assert_ok(scan_slot(&scan, s->t.differs, &unreadable, &e));
    expect_differing(s, 0, NULL);
    assert_int_equal(unreadable, 0);
    assert_int_equal(s->rootfs->syncs, 1); // the medium is looked at, and not a cache
    assert_int_equal(s->boot->syncs, 1);
}

static void every_single_changed_byte_is_found_in_its_chunk(void **state)
{
    struct stage *s = *state;
    struct error e;
    const uint64_t places[] = {0,       4095, 100000,  100001,      100003,  100004,
                               MIB - 1, MIB,  MIB + 1, 2 * MIB - 1, 2 * MIB, ROOTFS_LEN - 1};
    struct scan scan = bench_scan(s->bench, &s->t);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        s->rootfs->data[places[i]] ^= 0x80;
        assert_ok(scan_slot(&scan, s->t.differs, NULL, &e));
        uint32_t expected = chunk_at(s, places[i]);
        expect_differing(s, 1, &expected);
        s->rootfs->data[places[i]] ^= 0x80;
    }
}

static void what_stands_behind_the_image_does_not_count(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct scan scan = bench_scan(s->bench, &s->t);
    s->rootfs->data[ROOTFS_LEN] ^= 1;
    s->boot->data[BOOT_LEN] ^= 1;
    assert_ok(scan_slot(&scan, s->t.differs, NULL, &e));
    expect_differing(s, 0, NULL);
}

static void a_chunk_of_another_partition_is_found_there(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct scan scan = bench_scan(s->bench, &s->t);
    s->boot->data[BOOT_LEN - 1] ^= 1;
    assert_ok(scan_slot(&scan, s->t.differs, NULL, &e));
    uint32_t expected = chunk_table_count(s->t.image->table) - 1;
    expect_differing(s, 1, &expected);
}

static void held_heads_count_instead_of_those_on_the_medium(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct scan scan = bench_scan(s->bench, &s->t);
    heads_put(s->t.heads, 0, 0, s->rootfs->data, HEAD_SIZE);
    heads_put(s->t.heads, 1, 0, s->boot->data, BOOT_LEN);
    memset(s->rootfs->data, 0, HEAD_SIZE);
    memset(s->boot->data, 0, BOOT_LEN);
    assert_ok(scan_slot(&scan, s->t.differs, NULL, &e));
    assert_true(chunk_set_size(s->t.differs) >= 2);
    scan.heads = s->t.heads;
    assert_ok(scan_slot(&scan, s->t.differs, NULL, &e));
    expect_differing(s, 0, NULL);
}

static void what_cannot_be_read_differs(void **state)
{
    struct stage *s = *state;
    struct error e;
    uint64_t unreadable = 0;
    struct scan scan = bench_scan(s->bench, &s->t);
    s->rootfs->unreadable_off = MIB + 5; // in the second window
    assert_ok(scan_slot(&scan, s->t.differs, &unreadable, &e));
    assert_int_equal(unreadable, MIB);
    for (uint32_t i = 0; i < chunk_table_count(s->t.image->table); i++) {
        bool expected = i >= chunk_at(s, MIB) && i <= chunk_at(s, 2 * MIB - 1);
        assert_int_equal(chunk_set_has(s->t.differs, i), expected);
    }
}

static void any_length_of_the_buffer_finds_the_same(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct scan scan = bench_scan(s->bench, &s->t);
    for (scan.buf_len = BLK_ALIGN; scan.buf_len <= 16 * BLK_ALIGN; scan.buf_len += BLK_ALIGN) {
        uint64_t place = scan.buf_len * 7 + 1;
        uint32_t expected = chunk_at(s, place);
        s->rootfs->data[place] ^= 1;
        assert_ok(scan_slot(&scan, s->t.differs, NULL, &e));
        expect_differing(s, 1, &expected);
        s->rootfs->data[place] ^= 1;
    }
}

static void what_is_skipped_is_not_read(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct scan scan = bench_scan(s->bench, &s->t);
    CLEANUP(cleanup_chunk_set) struct chunk_set *skip = NULL;
    uint32_t count = chunk_table_count(s->t.image->table);
    assert_ok(chunk_set_new(count, &skip, &e));
    for (uint32_t i = 0; i < count; i++) {
        if (i != 2 && i != 5 && i != 6) {
            chunk_set_add(skip, i);
        }
    }
    memset(s->rootfs->data, 0xee, ROOTFS_LEN);
    s->boot->unreadable_off = 0;
    scan.skip = skip;
    unsigned calls = s->bench->seam.calls;
    assert_ok(scan_slot(&scan, s->t.differs, NULL, &e));
    const uint32_t expected[] = {2, 5, 6};
    expect_differing(s, 3, expected);
    assert_int_equal(s->bench->seam.calls, calls + 2 + 2); // syncs, and two places
}

static void a_few_chunks_are_scanned_by_themselves(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct scan scan = bench_scan(s->bench, &s->t);
    memset(s->rootfs->data, 0xee, ROOTFS_LEN);
    assert_ok(scan_chunks(&scan, 3, 2, s->t.differs, NULL, &e));
    const uint32_t expected[] = {3, 4};
    expect_differing(s, 2, expected);
    assert_int_equal(s->rootfs->syncs, 0);
}

// Of the chunk as the medium of the slot has it now.
static struct fingerprint print_of(struct stage *s, struct fingerprinter *f, uint32_t index)
{
    struct error e;
    struct fingerprint print;
    uint64_t off;
    struct chunk c = chunk_table_get(s->t.image->table, index, &off);
    assert_ok(fingerprint_begin(f, &e));
    assert_ok(fingerprint_add(f, s->rootfs->data + off, c.raw_len, &e));
    assert_ok(fingerprint_end(f, &print, &e));
    return print;
}

static void a_chunk_with_a_fingerprint_has_to_look_like_that(void **state)
{
    enum { FIRST = 1, COUNT = 4 };
    struct stage *s = *state;
    struct error e;
    struct fingerprint_key key;
    struct scan_print prints[COUNT] = {{.known = false}};
    CLEANUP(cleanup_fingerprinter) struct fingerprinter *f = NULL;
    assert_ok(fingerprint_key_make(&key, &e));
    assert_ok(fingerprinter_new(&key, &f, &e));
    struct scan scan = bench_scan(s->bench, &s->t);
    scan.prints = prints;
    scan.fingerprinter = f;
    uint64_t off[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        (void)chunk_table_get(s->t.image->table, FIRST + i, &off[i]);
    }
    // 1: hash and medium agree; 2, 3: print and medium agree, or not, which is all that counts; 4:
    // there is no print, and the hash says no.
    s->rootfs->data[off[1]] ^= 1;
    prints[1] = (struct scan_print){true, print_of(s, f, FIRST + 1)};
    prints[2] = (struct scan_print){true, print_of(s, f, FIRST + 2)};
    prints[2].print.bytes[FINGERPRINT_SIZE - 1] ^= 0x80;
    s->rootfs->data[off[3]] ^= 1;
    assert_ok(scan_chunks(&scan, FIRST, COUNT, s->t.differs, NULL, &e));
    const uint32_t expected[] = {FIRST + 2, FIRST + 3};
    expect_differing(s, 2, expected);
}

static void zeros_are_compared_to_the_last_byte(void **state)
{
    enum { LEN = 3 * 8192 };
    static const uint32_t cuts[] = {8192, 0};
    static const uint64_t places[] = {8192, 8193, 12288, 16383};
    (void)state;
    struct error e;
    struct bench_target t;
    uint8_t content[LEN];
    fill_random(content, LEN, 5);
    memset(content + 8192, 0, 8192);
    struct bench *b = bench_new(LEN, 0);
    struct image_recipe r = bench_recipe("2.0", 2);
    r.cuts = cuts;
    image_recipe_add(&r, "rootfs", content, LEN);
    bench_serve(b, &r);
    bench_open_target(b, &t);
    memcpy(b->slots[SLOT_B][0].data, content, LEN);
    struct scan scan = bench_scan(b, &t);
    assert_ok(scan_slot(&scan, t.differs, NULL, &e));
    assert_int_equal(chunk_set_size(t.differs), 0);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        b->slots[SLOT_B][0].data[places[i]] = 1;
        assert_ok(scan_slot(&scan, t.differs, NULL, &e));
        assert_true(chunk_set_size(t.differs) == 1 && chunk_set_has(t.differs, 1));
        b->slots[SLOT_B][0].data[places[i]] = 0;
    }
    bench_close_target(&t);
    bench_free(b);
}

static void a_sync_that_fails_is_an_error(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct scan scan = bench_scan(s->bench, &s->t);
    s->bench->seam.fail_at = s->bench->seam.calls + 1;
    assert_fails(ERR_IO, "slot b, partition rootfs", scan_slot(&scan, s->t.differs, NULL, &e));
}

#define scan_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scan_test(a_slot_that_equals_the_image_has_no_chunk_that_differs),
        scan_test(every_single_changed_byte_is_found_in_its_chunk),
        scan_test(what_stands_behind_the_image_does_not_count),
        scan_test(a_chunk_of_another_partition_is_found_there),
        scan_test(held_heads_count_instead_of_those_on_the_medium),
        scan_test(what_cannot_be_read_differs),
        scan_test(any_length_of_the_buffer_finds_the_same),
        scan_test(what_is_skipped_is_not_read),
        scan_test(a_few_chunks_are_scanned_by_themselves),
        scan_test(a_chunk_with_a_fingerprint_has_to_look_like_that),
        cmocka_unit_test(zeros_are_compared_to_the_last_byte),
        scan_test(a_sync_that_fails_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
