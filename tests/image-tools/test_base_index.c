// SPDX-License-Identifier: Apache-2.0
#include "image-tools/base_index.h"

#include "format/codec.h"
#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

// rootfs begins with text that is at home nowhere else; "data" is random.
enum { ROOTFS = 3 * 1024 * 1024 + 5000, DATA = 2 * 1024 * 1024, CHUNK = 64 * 1024 };

struct room {
    char *dir;
    char path[HOST_PATH_MAX];
    uint8_t *rootfs;
    uint8_t *data;
    uint8_t *raw; // of the chunk that is asked for
    struct image_file *file;
    struct image_contents base;
    struct base_index *index;
    struct feature_matches *scratch;
    struct base_window windows[BASE_WINDOWS_MAX];
};

static void write_base(struct room *r)
{
    struct image_recipe recipe = image_recipe_default();
    image_recipe_add(&recipe, "rootfs", r->rootfs, ROOTFS);
    image_recipe_add(&recipe, "data", r->data, DATA);
    host_write_image(r->path, &recipe);
}

static int setup(void **state)
{
    struct error e;
    void *dir = NULL;
    struct progress quiet = {.kind = PROGRESS_NONE};
    struct room *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    assert_int_equal(temp_dir_make(&dir), 0);
    r->dir = dir;
    temp_dir_path(r->path, sizeof(r->path), dir, "old.vvi");
    r->rootfs = malloc(ROOTFS);
    r->data = malloc(DATA);
    r->raw = calloc(1, CHUNK_RAW_MAX);
    r->scratch = malloc(sizeof(*r->scratch));
    assert_true(r->rootfs != NULL && r->data != NULL && r->raw != NULL && r->scratch != NULL);
    fill_random(r->rootfs, ROOTFS, 1);
    fill_random(r->data, DATA, 2);
    memset(r->rootfs + 1024 * 1024, 0, 512 * 1024);
    write_base(r);
    assert_ok(image_file_open(r->path, &r->file, &e));
    assert_ok(image_file_contents(r->file, &r->base, &e));
    assert_ok(base_index_new(r->file, &r->base, &quiet, &r->index, &e));
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct room *r = *state;
    void *dir = r->dir;
    base_index_free(r->index);
    image_contents_clear(&r->base);
    image_file_free(r->file);
    free(r->rootfs);
    free(r->data);
    free(r->raw);
    free(r->scratch);
    free(r);
    return temp_dir_remove(&dir);
}

// How many candidates there are for r->raw; all keep the rules.
static size_t find(struct room *r, uint32_t len, const char *partition, uint64_t off)
{
    static const uint64_t sizes[] = {ROOTFS, DATA};
    struct base_query q = {.raw = r->raw, .len = len, .partition = partition, .off = off};
    size_t count = base_index_find(r->index, &q, r->scratch, r->windows);
    assert_in_range(count, 0, BASE_WINDOWS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct base_window *w = &r->windows[i];
        assert_in_range(w->partition, 0, 1);
        assert_in_range(w->len, 1, DELTA_WINDOW_MAX);
        assert_int_equal(w->off % 4096, 0);
        assert_true(w->off + w->len <= sizes[w->partition]);
    }
    return count;
}

static void covers(const struct base_window *w, uint32_t partition, uint64_t off, uint64_t len)
{
    assert_int_equal(w->partition, partition);
    assert_true(w->off <= off);
    assert_true(off + len <= w->off + w->len);
}

static void content_that_moved_is_found_and_alone(void **state)
{
    struct room *r = *state;
    memcpy(r->raw, r->rootfs + 2000123, CHUNK);
    assert_int_equal(find(r, CHUNK, "rootfs", 0), 1);
    covers(&r->windows[0], 0, 2000123, CHUNK);
    assert_int_equal(r->windows[0].len, DELTA_WINDOW_MAX);
}

static void content_of_another_partition_is_found(void **state)
{
    struct room *r = *state;
    memcpy(r->raw, r->data + 1000001, CHUNK);
    assert_int_equal(find(r, CHUNK, "rootfs", 0), 1);
    covers(&r->windows[0], 1, 1000001, CHUNK);
}

static void content_out_of_two_places_has_a_window_for_each(void **state)
{
    struct room *r = *state;
    memcpy(r->raw, r->data + 100000, 40000);
    memcpy(r->raw + 40000, r->rootfs + 2500000, 25536);
    assert_int_equal(find(r, CHUNK, "data", 1500000), 3);
    covers(&r->windows[0], 1, 100000, 40000);
    covers(&r->windows[1], 0, 2500000, 25536);
    covers(&r->windows[2], 1, 1500000, CHUNK);
}

static void unknown_content_is_looked_for_at_the_same_place(void **state)
{
    struct room *r = *state;
    fill_random(r->raw, CHUNK, 77);
    assert_int_equal(find(r, CHUNK, "rootfs", 2000000), 1);
    covers(&r->windows[0], 0, 2000000, CHUNK);
    assert_int_equal(find(r, CHUNK, "data", 0), 1);
    covers(&r->windows[0], 1, 0, CHUNK);
}

static void unknown_content_of_a_new_partition_has_no_window(void **state)
{
    struct room *r = *state;
    fill_random(r->raw, CHUNK, 77);
    assert_int_equal(find(r, CHUNK, "boot", 0), 0);
}

static void a_place_behind_the_end_is_the_end(void **state)
{
    struct room *r = *state;
    fill_random(r->raw, CHUNK, 77);
    assert_int_equal(find(r, CHUNK, "rootfs", UINT64_C(1) << 40), 1);
    assert_int_equal(r->windows[0].off + r->windows[0].len, ROOTFS);
    assert_true(r->windows[0].len > DELTA_WINDOW_MAX - 4096);
}

static void a_damaged_base_is_refused(void **state)
{
    struct room *r = *state;
    struct error e;
    struct base_index *index = NULL;
    struct progress quiet = {.kind = PROGRESS_NONE};
    host_flip(r->path, r->file->header.payload_offset + 1000);
    assert_fails(ERR_FORMAT, "record 0: chunk: corrupt",
                 base_index_new(r->file, &r->base, &quiet, &index, &e));
    assert_null(index);
}

#define in_room(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(content_that_moved_is_found_and_alone),
        in_room(content_of_another_partition_is_found),
        in_room(content_out_of_two_places_has_a_window_for_each),
        in_room(unknown_content_is_looked_for_at_the_same_place),
        in_room(unknown_content_of_a_new_partition_has_no_window),
        in_room(a_place_behind_the_end_is_the_end),
        in_room(a_damaged_base_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
