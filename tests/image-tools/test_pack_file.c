// SPDX-License-Identifier: Apache-2.0
#include "image-tools/pack_file.h"

#include "tests/support/expect.h"
#include "tests/support/pack_on_disk.h"

#include <unistd.h>

static void refuses(const char *path, const char *part)
{
    struct error e;
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    struct pack_contents c = {0};
    assert_ok(image_file_open(path, &f, &e));
    assert_fails(ERR_FORMAT, part, pack_file_contents(f, &c, &e));
    assert_contains(e.msg, path);
    assert_null(c.manifest);
    assert_null(c.table);
}

static void a_good_pack_shows_its_contents(void **state)
{
    struct pack_on_disk *p = *state;
    struct error e;
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    CLEANUP(pack_contents_clear) struct pack_contents c = {0};
    assert_ok(image_file_open(p->path, &f, &e));
    assert_int_equal(f->header.kind, FILE_PACK);
    assert_ok(pack_file_contents(f, &c, &e));
    assert_int_equal(c.manifest->target.release_index, 2);
    assert_int_equal(pack_table_count(c.table), PACK_ROOM_RECORDS);
    assert_int_equal(c.signatures.count, 0);
}

static void each_kind_is_told_from_the_other(void **state)
{
    struct pack_on_disk *p = *state;
    struct error e;
    struct image_contents c = {0};
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    refuses(p->image_path, "it is an image, not a delta pack");
    assert_ok(image_file_open(p->path, &f, &e));
    assert_fails(ERR_FORMAT, "it is a delta pack, not an image", image_file_contents(f, &c, &e));
}

static void a_pack_of_another_length_is_refused(void **state)
{
    struct pack_on_disk *p = *state;
    struct error e;
    struct image_file *f = NULL;
    assert_int_equal(truncate(p->path, (off_t)p->header.file_size - 1), 0);
    assert_fails(ERR_FORMAT, "fewer than", image_file_open(p->path, &f, &e));
}

static void damage_before_the_payload_is_refused(void **state)
{
    struct pack_on_disk *p = *state;
    const struct {
        uint64_t at;
        const char *sentence;
    } places[] = {
        {HEADER_SIZE + 5, "manifest: corrupt"},
        {header_head_size(&p->header) - 1, "signature area: corrupt"},
        {p->header.table_offset, "pack table: corrupt"},
        {p->header.payload_offset - 1, "is not zero"},
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        host_flip(p->path, places[i].at);
        refuses(p->path, places[i].sentence);
        host_flip(p->path, places[i].at);
    }
}

static void forget_target(json_t *root)
{
    json_object_del(root, "target");
}

static void grow_payload(struct header *h)
{
    h->payload_size++;
    h->file_size++;
}

static void a_manifest_that_is_wrong_is_refused(void **state)
{
    struct pack_on_disk *p = *state;
    p->room->recipe.spoil_manifest = forget_target;
    pack_on_disk_write(p);
    refuses(p->path, "manifest: target: is missing");
}

static void header_and_manifest_must_agree(void **state)
{
    struct pack_on_disk *p = *state;
    p->room->recipe.spoil_header = grow_payload;
    pack_on_disk_write(p);
    assert_int_equal(truncate(p->path, (off_t)p->header.file_size), 0);
    refuses(p->path, "pack: the payload is");
}

#define on_disk(t) cmocka_unit_test_setup_teardown(t, pack_on_disk_setup, pack_on_disk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_disk(a_good_pack_shows_its_contents),      on_disk(each_kind_is_told_from_the_other),
        on_disk(a_pack_of_another_length_is_refused), on_disk(damage_before_the_payload_is_refused),
        on_disk(a_manifest_that_is_wrong_is_refused), on_disk(header_and_manifest_must_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
