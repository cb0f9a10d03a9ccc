// SPDX-License-Identifier: Apache-2.0
#include "tests/support/delta_pair.h"

#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <stdlib.h>

const uint32_t delta_pair_chunks[PACK_ROOM_RECORDS] = {0, 1, 2, 3, 5, 7, 8, 9};

static void open_both(struct delta_pair *p)
{
    struct error e;
    struct progress quiet = {.kind = PROGRESS_NONE};
    assert_ok(image_file_open(p->base_path, &p->base_file, &e));
    assert_ok(image_file_open(p->target_path, &p->target_file, &e));
    assert_ok(image_file_contents(p->base_file, &p->base, &e));
    assert_ok(image_file_contents(p->target_file, &p->target, &e));
    assert_ok(base_index_new(p->base_file, &p->base, &quiet, &p->index, &e));
    p->images = (struct delta_images){.base_file = p->base_file,
                                      .base = &p->base,
                                      .index = p->index,
                                      .target_file = p->target_file,
                                      .target = &p->target};
}

int delta_pair_setup(void **state)
{
    void *dir = NULL;
    void *room = NULL;
    struct delta_pair *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    assert_int_equal(temp_dir_make(&dir), 0);
    assert_int_equal(pack_room_setup(&room), 0);
    p->dir = dir;
    p->room = room;
    temp_dir_path(p->base_path, sizeof(p->base_path), dir, "old.vvi");
    temp_dir_path(p->target_path, sizeof(p->target_path), dir, "new.vvi");
    temp_dir_path(p->pack_path, sizeof(p->pack_path), dir, "new.vvi.from-1.vvd");
    host_write(p->base_path, p->room->base_file.bytes, p->room->base_file.len);
    host_write(p->target_path, p->room->target_file.bytes, p->room->target_file.len);
    open_both(p);
    *state = p;
    return 0;
}

int delta_pair_teardown(void **state)
{
    struct delta_pair *p = *state;
    void *dir = p->dir;
    void *room = p->room;
    base_index_free(p->index);
    image_contents_clear(&p->base);
    image_contents_clear(&p->target);
    image_file_free(p->base_file);
    image_file_free(p->target_file);
    free(p);
    pack_room_teardown(&room);
    return temp_dir_remove(&dir);
}

void delta_pair_check(struct delta_pair *p, const struct pack_record *r, const uint8_t *stored)
{
    struct error e;
    uint64_t off = 0;
    static const char *const names[] = {"rootfs", "boot"};
    const uint8_t *const content[] = {p->room->old_rootfs, p->room->boot};
    struct chunk c = chunk_table_get(p->target.table, r->chunk, &off);
    uint8_t *raw = malloc(CHUNK_RAW_MAX);
    assert_non_null(raw);
    assert_in_range(r->base_partition, 0, 1);
    const struct partition_info *base = &p->base.manifest->partitions[r->base_partition];
    assert_string_equal(base->name, names[r->base_partition]);
    assert_true(r->base_off + r->base_len <= base->image_size);
    assert_true(r->stored_len < c.stored_len);
    assert_ok(pack_decode(r, &c, content[r->base_partition] + r->base_off, stored, p->room->decoder,
                          p->room->hasher, raw, &e));
    assert_memory_equal(raw, p->room->new_rootfs + off, c.raw_len);
    free(raw);
}
