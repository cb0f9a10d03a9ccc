// SPDX-License-Identifier: Apache-2.0
#include "image-tools/delta_worker.h"

#include "tests/support/delta_pair.h"
#include "tests/support/expect.h"

#include <stdlib.h>

struct result {
    struct pack_record record;
    uint8_t stored[CHUNK_STORED_MAX];
};

static struct delta_worker *new_worker(const struct delta_pair *p)
{
    struct error e;
    struct delta_worker *w = NULL;
    assert_ok(delta_worker_new(&p->images, &w, &e));
    return w;
}

static void every_new_chunk_has_a_delta_that_gives_it(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    CLEANUP(cleanup_delta_worker) struct delta_worker *w = new_worker(p);
    CLEANUP(cleanup_free) struct result *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    for (size_t i = 0; i < PACK_ROOM_RECORDS; i++) {
        assert_ok(delta_worker_run(w, delta_pair_chunks[i], &r->record, r->stored, &e));
        assert_int_equal(r->record.chunk, delta_pair_chunks[i]);
        assert_true(r->record.stored_len > 0);
        // A dozen changed bytes in 64 KiB.
        assert_true(r->record.stored_len < 400);
        delta_pair_check(p, &r->record, r->stored);
    }
}

static void the_order_of_chunks_does_not_matter(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    CLEANUP(cleanup_delta_worker) struct delta_worker *w = new_worker(p);
    CLEANUP(cleanup_free) struct result *first = calloc(1, sizeof(*first));
    CLEANUP(cleanup_free) struct result *again = calloc(1, sizeof(*again));
    assert_true(first != NULL && again != NULL);
    assert_ok(delta_worker_run(w, 7, &first->record, first->stored, &e));
    assert_ok(delta_worker_run(w, 9, &again->record, again->stored, &e));
    assert_ok(delta_worker_run(w, 7, &again->record, again->stored, &e));
    assert_memory_equal(&first->record, &again->record, sizeof(first->record));
    assert_memory_equal(first->stored, again->stored, first->record.stored_len);
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
    struct delta_worker *w = NULL;
    CLEANUP(cleanup_free) struct result *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    assert_ok(image_file_open(p->pack_path, &f, &e));
    assert_ok(image_file_contents(f, &c, &e));
    images.target_file = f;
    images.target = &c;
    assert_true(chunk_table_get(c.table, 0, NULL).stored_len <= DELTA_SAVES_MIN);
    assert_ok(delta_worker_new(&images, &w, &e));
    assert_ok(delta_worker_run(w, 0, &r->record, r->stored, &e));
    assert_int_equal(r->record.stored_len, 0);
    delta_worker_free(w);
    image_contents_clear(&c);
    image_file_free(f);
}

static void a_chunk_without_a_window_has_no_delta(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    CLEANUP(cleanup_free) struct result *r = calloc(1, sizeof(*r));
    assert_non_null(r);
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
    struct delta_images images = p->images;
    images.index = index;
    struct delta_worker *blind = NULL;
    assert_ok(delta_worker_new(&images, &blind, &e));
    assert_ok(delta_worker_run(blind, 0, &r->record, r->stored, &e));
    assert_int_equal(r->record.stored_len, 0);
    delta_worker_free(blind);
    base_index_free(index);
}

static void a_chunk_that_cannot_be_read_is_an_error(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    CLEANUP(cleanup_delta_worker) struct delta_worker *w = new_worker(p);
    CLEANUP(cleanup_free) struct result *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    struct chunk c = chunk_table_get(p->target.table, 5, NULL);
    host_flip(p->target_path, p->target_file->header.payload_offset + c.stored_off);
    assert_fails(ERR_FORMAT, "record 5: chunk: corrupt",
                 delta_worker_run(w, 5, &r->record, r->stored, &e));
    assert_int_equal(r->record.stored_len, 0);
}

#define in_pair(test) cmocka_unit_test_setup_teardown(test, delta_pair_setup, delta_pair_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_pair(every_new_chunk_has_a_delta_that_gives_it),
        in_pair(the_order_of_chunks_does_not_matter),
        in_pair(what_takes_next_to_nothing_has_no_delta),
        in_pair(a_chunk_without_a_window_has_no_delta),
        in_pair(a_chunk_that_cannot_be_read_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
