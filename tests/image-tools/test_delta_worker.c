// SPDX-License-Identifier: Apache-2.0
#include "image-tools/delta_worker.h"

#include "tests/support/delta_pair.h"
#include "tests/support/expect.h"

#include <stdlib.h>

enum { LONG_LIST = 40 };

static void *new_worker(const struct delta_images *images)
{
    struct error e;
    void *w = NULL;
    assert_ok(delta_work.new_worker(images, &w, &e));
    return w;
}

// The caller's.
static struct delta_item *run(void *worker, uint32_t chunk)
{
    struct error e;
    struct delta_item *item = calloc(1, sizeof(*item));
    assert_non_null(item);
    item->record.chunk = chunk;
    assert_ok(delta_work.run(worker, item, &e));
    assert_int_equal(item->record.chunk, chunk);
    return item;
}

static void has_no_delta(const struct delta_images *images, uint32_t chunk)
{
    void *w = new_worker(images);
    struct delta_item *item = run(w, chunk);
    assert_int_equal(item->record.stored_len, 0);
    free(item);
    delta_work.free_worker(w);
}

static void every_new_chunk_has_a_delta_that_gives_it(void **state)
{
    struct delta_pair *p = *state;
    void *w = new_worker(&p->images);
    for (size_t i = 0; i < PACK_ROOM_RECORDS; i++) {
        struct delta_item *item = run(w, delta_pair_chunks[i]);
        assert_true(item->record.stored_len > 0);
        // A dozen changed bytes in 64 KiB.
        assert_true(item->record.stored_len < 400);
        delta_pair_check(p, &item->record, item->stored);
        free(item);
    }
    delta_work.free_worker(w);
}

static void the_order_of_chunks_does_not_matter(void **state)
{
    struct delta_pair *p = *state;
    void *w = new_worker(&p->images);
    struct delta_item *first = run(w, 7);
    free(run(w, 9));
    struct delta_item *again = run(w, 7);
    assert_memory_equal(first, again, sizeof(*first));
    free(first);
    free(again);
    delta_work.free_worker(w);
}

static void the_number_of_threads_does_not_matter(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    CLEANUP(cleanup_worker_pool) struct worker_pool *pool = NULL;
    void *alone = new_worker(&p->images);
    uint32_t next = 0;
    assert_ok(worker_pool_new(5, &delta_work, &p->images, &pool, &e));
    for (uint32_t i = 0; i < LONG_LIST; i++) {
        for (; next < LONG_LIST && !worker_pool_is_full(pool); next++) {
            struct delta_item *room = worker_pool_room(pool);
            room->record.chunk = delta_pair_chunks[next * 3 % PACK_ROOM_RECORDS];
            worker_pool_put(pool);
        }
        const void *taken = NULL;
        assert_ok(worker_pool_take(pool, &taken, &e));
        const struct delta_item *many = taken;
        struct delta_item *one = run(alone, delta_pair_chunks[i * 3 % PACK_ROOM_RECORDS]);
        assert_memory_equal(&many->record, &one->record, sizeof(one->record));
        assert_memory_equal(many->stored, one->stored, one->record.stored_len);
        free(one);
    }
    delta_work.free_worker(alone);
}

static void what_takes_next_to_nothing_has_no_delta(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    // One chunk of one byte again and again: a few bytes of the image.
    struct image_recipe recipe = image_recipe_default();
    memset(p->room->new_rootfs, 'x', PACK_ROOM_ROOTFS);
    image_recipe_add(&recipe, "rootfs", p->room->new_rootfs, PACK_ROOM_CHUNK);
    host_write_image(p->pack_path, &recipe);
    struct delta_images images = p->images;
    struct image_file *f = NULL;
    struct image_contents c = {0};
    assert_ok(image_file_open(p->pack_path, &f, &e));
    assert_ok(image_file_contents(f, &c, &e));
    images.target_file = f;
    images.target = &c;
    assert_true(chunk_table_get(c.table, 0, NULL).stored_len <= DELTA_SAVES_MIN);
    has_no_delta(&images, 0);
    image_contents_clear(&c);
    image_file_free(f);
}

static void a_chunk_without_a_window_has_no_delta(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    // An index of no content, of a base whose partitions have other names.
    struct manifest renamed = *p->base.manifest;
    strcpy(renamed.partitions[0].name, "a");
    strcpy(renamed.partitions[1].name, "b");
    struct image_contents base = {.manifest = &renamed, .table = p->base.table};
    struct base_index *index = NULL;
    struct progress quiet = {.kind = PROGRESS_NONE};
    for (uint32_t i = 0; i < 2; i++) {
        renamed.partitions[i].count = 0;
    }
    assert_ok(base_index_new(p->base_file, &base, &quiet, &index, &e));
    struct delta_images blind = p->images;
    blind.index = index;
    has_no_delta(&blind, 0);
    base_index_free(index);
}

static void a_chunk_that_cannot_be_read_is_an_error(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    void *w = new_worker(&p->images);
    CLEANUP(cleanup_free) struct delta_item *item = calloc(1, sizeof(*item));
    assert_non_null(item);
    struct chunk c = chunk_table_get(p->target.table, 5, NULL);
    host_flip(p->target_path, p->target_file->header.payload_offset + c.stored_off);
    item->record.chunk = 5;
    assert_fails(ERR_FORMAT, "record 5: chunk: corrupt", delta_work.run(w, item, &e));
    assert_int_equal(item->record.stored_len, 0);
    delta_work.free_worker(w);
}

#define in_pair(test) cmocka_unit_test_setup_teardown(test, delta_pair_setup, delta_pair_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_pair(every_new_chunk_has_a_delta_that_gives_it),
        in_pair(the_order_of_chunks_does_not_matter),
        in_pair(the_number_of_threads_does_not_matter),
        in_pair(what_takes_next_to_nothing_has_no_delta),
        in_pair(a_chunk_without_a_window_has_no_delta),
        in_pair(a_chunk_that_cannot_be_read_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
