// SPDX-License-Identifier: Apache-2.0
#include "image-tools/delta.h"

#include "image-tools/pack_file.h"
#include "tests/support/delta_pair.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

#include <stdlib.h>
#include <unistd.h>

static struct delta_options options(const struct delta_pair *p)
{
    return (struct delta_options){.base = p->base_path,
                                  .target = p->target_path,
                                  .output = p->pack_path,
                                  .jobs = 2,
                                  .signature_reserve = 4096};
}

static enum err make(const struct delta_options *o, struct delta_totals *ret, struct error *e)
{
    struct progress quiet = {.kind = PROGRESS_NONE};
    return delta_make(o, &quiet, ret, e);
}

static void refuses(const struct delta_pair *p, const struct delta_options *o, enum err code,
                    const char *sentence)
{
    struct error e;
    struct delta_totals t;
    assert_fails(code, sentence, make(o, &t, &e));
    assert_int_equal(host_count(p->dir), 2);
}

// As a device would: opens it, checks it against both images, decodes all of it.
static void a_pack_brings_every_new_chunk(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    struct delta_totals t = {0};
    struct delta_options o = options(p);
    size_t len = 0;
    struct pack *pack = NULL;
    assert_ok(make(&o, &t, &e));
    assert_int_equal(host_count(p->dir), 3);
    CLEANUP(cleanup_free) uint8_t *bytes = host_read(p->pack_path, &len);
    uint8_t *prefix = malloc(len);
    assert_non_null(prefix);
    memcpy(prefix, bytes, len);
    assert_ok(pack_take_prefix(prefix, len, &accept_all_verifier, p->room->hasher, &pack, &e));
    assert_true(pack_is_for(pack, p->target_file->header.manifest_sha256,
                            p->base_file->header.manifest_sha256));
    assert_ok(pack_check_target(pack, p->room->target, &e));
    assert_ok(pack_check_base(pack, p->room->base, &e));
    assert_int_equal(pack_table_count(pack->table), PACK_ROOM_RECORDS);
    for (uint32_t i = 0; i < PACK_ROOM_RECORDS; i++) {
        struct pack_record r;
        assert_true(pack_table_find(pack->table, delta_pair_chunks[i], &r));
        delta_pair_check(p, &r, bytes + pack->header.payload_offset + r.stored_off);
    }
    assert_int_equal(pack->header.signature_area_size, 4096);
    assert_int_equal(pack->manifest->created, 1700000000);
    assert_int_equal(pack->manifest->base.release_index, 1);
    assert_int_equal(pack->manifest->target.release_index, 2);
    pack_free(pack);
}

static void the_totals_say_what_is_saved(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    struct delta_totals t = {0};
    struct delta_options o = options(p);
    uint64_t stored = 0;
    struct stat st;
    for (size_t i = 0; i < PACK_ROOM_RECORDS; i++) {
        stored += chunk_table_get(p->target.table, delta_pair_chunks[i], NULL).stored_len;
    }
    assert_ok(make(&o, &t, &e));
    assert_int_equal(t.base_release_index, 1);
    assert_int_equal(t.target_release_index, 2);
    assert_int_equal(t.new_chunks, PACK_ROOM_RECORDS);
    assert_int_equal(t.new_bytes, stored);
    assert_int_equal(t.chunks, PACK_ROOM_RECORDS);
    assert_int_equal(t.stored_bytes, stored);
    assert_in_range(t.delta_bytes, 1, 400 * PACK_ROOM_RECORDS);
    assert_int_equal(stat(p->pack_path, &st), 0);
    assert_int_equal(t.file_bytes, st.st_size);
}

static void the_same_images_give_the_same_pack(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    struct delta_totals t;
    char other[HOST_PATH_MAX];
    struct delta_options o = options(p);
    assert_ok(make(&o, &t, &e));
    o.output = temp_dir_path(other, sizeof(other), p->dir, "other.vvd");
    for (o.jobs = 1; o.jobs <= 8; o.jobs *= 2) {
        assert_ok(make(&o, &t, &e));
        host_assert_same(p->pack_path, other);
    }
}

static void an_image_has_no_pack_from_itself(void **state)
{
    struct delta_pair *p = *state;
    struct delta_options o = options(p);
    o.base = o.target;
    refuses(p, &o, ERR_USAGE, "are the same image");
}

static void a_pack_that_saves_nothing_is_not_made(void **state)
{
    struct delta_pair *p = *state;
    struct delta_options o = options(p);
    // The same content under another release: no chunk is new.
    struct image_recipe recipe = image_recipe_default();
    recipe.manifest.release_index = 2;
    recipe.rule = CUT_FIXED;
    recipe.average = PACK_ROOM_CHUNK;
    image_recipe_add(&recipe, "rootfs", p->room->old_rootfs, PACK_ROOM_ROOTFS);
    host_write_image(p->target_path, &recipe);
    refuses(p, &o, ERR_USAGE, "would save nothing (0 new chunks)");
    // Other content, which no window helps with.
    fill_random(p->room->new_rootfs, 4096, 9);
    recipe.partition_count = 0;
    image_recipe_add(&recipe, "rootfs", p->room->new_rootfs, 4096);
    host_write_image(p->target_path, &recipe);
    refuses(p, &o, ERR_USAGE, "would save nothing (1 new chunks)");
}

static void an_output_that_is_an_input_is_refused(void **state)
{
    struct delta_pair *p = *state;
    struct delta_options o = options(p);
    o.output = p->base_path;
    refuses(p, &o, ERR_USAGE, "is also the output");
    o.output = p->target_path;
    refuses(p, &o, ERR_USAGE, "is also the output");
}

static void inputs_that_are_no_images_are_refused(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    struct delta_totals t;
    struct delta_options o = options(p);
    assert_ok(make(&o, &t, &e));
    o.base = p->pack_path;
    o.output = "none";
    assert_fails(ERR_FORMAT, "it is a delta pack, not an image", make(&o, &t, &e));
    o.base = p->base_path;
    o.target = p->dir;
    assert_fails(ERR_IO, "not a regular file", make(&o, &t, &e));
}

static void a_damaged_image_leaves_no_pack(void **state)
{
    struct delta_pair *p = *state;
    struct delta_options o = options(p);
    host_flip(p->base_path, p->base_file->header.payload_offset);
    refuses(p, &o, ERR_FORMAT, "old.vvi: record 0: chunk: corrupt");
    host_flip(p->base_path, p->base_file->header.payload_offset);
    host_flip(p->target_path, p->target_file->header.payload_offset);
    refuses(p, &o, ERR_FORMAT, "new.vvi: record 0: chunk: corrupt");
}

#define in_pair(test) cmocka_unit_test_setup_teardown(test, delta_pair_setup, delta_pair_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_pair(a_pack_brings_every_new_chunk),
        in_pair(the_totals_say_what_is_saved),
        in_pair(the_same_images_give_the_same_pack),
        in_pair(an_image_has_no_pack_from_itself),
        in_pair(a_pack_that_saves_nothing_is_not_made),
        in_pair(an_output_that_is_an_input_is_refused),
        in_pair(inputs_that_are_no_images_are_refused),
        in_pair(a_damaged_image_leaves_no_pack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
