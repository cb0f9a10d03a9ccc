// SPDX-License-Identifier: Apache-2.0
#include "updater/seed_scan.h"

#include "tests/support/bench_letters.h"
#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>
#include <string.h>

// A medium to be searched for chunks of an image, cut by content where a test does not say
// otherwise.
enum { KIB = 1024, MIB = 1024 * 1024, IMAGE_LEN = 3 * MIB, MEDIUM_LEN = 12 * MIB };

struct stage {
    struct bench *bench;
    struct bench_target t;
    struct chunk_finder *finder;
    struct blk_mem medium;
    uint8_t *image;
    uint8_t *buf;
    struct progress progress;
    struct partition_info info;
    uint64_t blind_bytes;
    uint32_t found;
    uint64_t last_off;
};

static void serve(struct stage *s)
{
    struct error e;
    struct image_recipe r = bench_recipe("2.0", 2);
    r.average = 16 * KIB;
    image_recipe_add(&r, "rootfs", s->image, IMAGE_LEN);
    bench_serve(s->bench, &r);
    bench_open_target(s->bench, &s->t);
    s->info = s->t.image->manifest->partitions[0];
    assert_ok(chunk_finder_new(s->t.image->table, &s->finder, &e));
}

static int make(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->image = malloc(IMAGE_LEN);
    s->buf = aligned_alloc(BLK_ALIGN, SEED_SCAN_BUF_SIZE);
    assert_true(s->image != NULL && s->buf != NULL);
    fill_random(s->image, IMAGE_LEN, 1);
    s->bench = bench_new(IMAGE_LEN, 0);
    serve(s);
    blk_mem_init(&s->medium, "medium", MEDIUM_LEN, &s->bench->seam);
    fill_random(s->medium.data, MEDIUM_LEN, 2);
    s->blind_bytes = MIB;
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct stage *s = *state;
    blk_mem_free(&s->medium);
    chunk_finder_free(s->finder);
    bench_close_target(&s->t);
    bench_free(s->bench);
    free(s->image);
    free(s->buf);
    free(s);
    return 0;
}

// What is said to be a chunk is one.
static void note(void *context, uint32_t index, uint64_t off)
{
    struct stage *s = context;
    uint64_t at;
    struct chunk c = chunk_table_get(s->t.image->table, index, &at);
    assert_memory_equal(s->medium.data + off, s->image + at, c.raw_len);
    assert_true(s->found == 0 || off > s->last_off);
    s->found++;
    s->last_off = off;
}

static enum err search(struct stage *s, struct error *e)
{
    struct blk *blk = NULL;
    blk_mem_reset(&s->medium);
    assert_int_equal(blk_mem_open("medium", BLK_READ_ONLY, &blk, e), OK);
    const struct seed_scan scan = {
        .blk = blk,
        .info = &s->info,
        .finder = s->finder,
        .hasher = s->bench->device.hasher,
        .progress = &s->progress,
        .blind_bytes = s->blind_bytes,
        .buf = s->buf,
        .found = note,
        .context = s,
    };
    s->found = 0;
    s->progress = (struct progress){
        .kind = PROGRESS_LINES, .stream = s->bench->log.stream, .clock = s->bench->device.clock};
    progress_begin(&s->progress, "search", MEDIUM_LEN);
    enum err err = seed_scan(&scan, e);
    blk_close(blk);
    return err;
}

static uint32_t all_chunks(const struct stage *s)
{
    return chunk_table_count(s->t.image->table);
}

static void put(struct stage *s, size_t off, size_t from, size_t len)
{
    memcpy(s->medium.data + off, s->image + from, len);
}

static void chunks_are_found_where_they_have_moved_to(void **state)
{
    struct stage *s = *state;
    struct error e;
    put(s, 0, 0, MIB);
    put(s, MIB + 12 * KIB, MIB, 2 * MIB); // 12 KiB were put in between
    assert_ok(search(s, &e));
    // But the one the 12 KiB were put into, one at most with what follows, and the last: behind it
    // stands something else now.
    assert_in_range(s->found, all_chunks(s) - 3, all_chunks(s) - 1);
    assert_int_equal(s->progress.done_bytes, MEDIUM_LEN);
}

static void what_fills_the_medium_is_found_to_the_last_chunk(void **state)
{
    struct stage *s = *state;
    struct error e;
    s->medium.size_bytes = IMAGE_LEN;
    put(s, 0, 0, IMAGE_LEN);
    assert_ok(search(s, &e));
    assert_int_equal(s->found, all_chunks(s));
}

static void the_search_ends_behind_the_last_hit(void **state)
{
    struct stage *s = *state;
    struct error e;
    put(s, 0, 0, IMAGE_LEN);
    // Read ahead are at most two windows.
    s->medium.unreadable_off = IMAGE_LEN + MIB + SEED_SCAN_BUF_SIZE + 128 * KIB;
    assert_ok(search(s, &e));
    assert_in_range(s->found, all_chunks(s) - 1, all_chunks(s));
    assert_int_equal(s->progress.done_bytes, MEDIUM_LEN);
}

static void where_nothing_is_found_at_the_beginning_the_search_ends(void **state)
{
    struct stage *s = *state;
    struct error e;
    put(s, 4 * MIB, 0, IMAGE_LEN);
    assert_ok(search(s, &e));
    assert_int_equal(s->found, 0);
    s->blind_bytes = 5 * MIB;
    assert_ok(search(s, &e));
    assert_true(s->found > 0);
}

static void zeros_inside_of_an_image_do_not_end_it(void **state)
{
    struct stage *s = *state;
    struct error e;
    memset(s->medium.data, 0, MEDIUM_LEN);
    s->info.image_size = 8 * MIB; // a larger one, of which we have some chunks
    put(s, 6 * MIB, MIB, MIB);
    assert_ok(search(s, &e));
    assert_int_equal(s->found, 0); // but in front of it they do
    put(s, 0, 0, 512 * KIB);
    assert_ok(search(s, &e));
    assert_true(s->last_off > 6 * MIB);
}

static void zeros_behind_it_do(void **state)
{
    struct stage *s = *state;
    struct error e;
    memset(s->medium.data, 0, MEDIUM_LEN);
    put(s, 6 * MIB, 0, MIB); // 3 MiB behind the end of the image
    assert_ok(search(s, &e));
    assert_int_equal(s->found, 0);
    s->medium.unreadable_off = 4 * MIB + SEED_SCAN_BUF_SIZE + MIB;
    assert_ok(search(s, &e));
}

static void what_cannot_be_read_ends_it_with_what_was_found(void **state)
{
    struct stage *s = *state;
    struct error e;
    put(s, 0, 0, IMAGE_LEN);
    s->medium.unreadable_off = SEED_SCAN_BUF_SIZE + 5;
    assert_fails(ERR_IO, "medium", search(s, &e));
    assert_true(s->found > 0 && s->found < all_chunks(s));
    assert_int_equal(s->progress.done_bytes, MEDIUM_LEN);
}

static void a_rule_that_is_not_known_finds_nothing(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct blk *blk = NULL;
    put(s, 0, 0, IMAGE_LEN);
    assert_ok(blk_mem_open("medium", BLK_READ_ONLY, &blk, &e));
    assert_int_equal(seed_scan_bytes(blk, &s->info), MEDIUM_LEN);
    snprintf(s->info.cut, sizeof s->info.cut, "gear:16384");
    assert_int_equal(seed_scan_bytes(blk, &s->info), 0);
    s->info.cut[0] = '\0';
    assert_int_equal(seed_scan_bytes(blk, &s->info), 0);
    assert_ok(search(s, &e));
    assert_int_equal(s->found, 0);
    assert_int_equal(s->progress.done_bytes, 0);
    blk_close(blk);
}

#define scan_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scan_test(chunks_are_found_where_they_have_moved_to),
        scan_test(what_fills_the_medium_is_found_to_the_last_chunk),
        scan_test(the_search_ends_behind_the_last_hit),
        scan_test(where_nothing_is_found_at_the_beginning_the_search_ends),
        scan_test(zeros_inside_of_an_image_do_not_end_it),
        scan_test(zeros_behind_it_do),
        scan_test(what_cannot_be_read_ends_it_with_what_was_found),
        scan_test(a_rule_that_is_not_known_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
