// SPDX-License-Identifier: Apache-2.0
#include "tests/support/pack_on_disk.h"

#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <stdlib.h>

void pack_on_disk_write(struct pack_on_disk *p)
{
    struct built_image built = pack_build(p->room);
    host_write(p->path, built.bytes, built.len);
    p->header = built.header;
    built_image_free(&built);
}

int pack_on_disk_setup(void **state)
{
    void *dir = NULL;
    void *room = NULL;
    struct pack_on_disk *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    assert_int_equal(temp_dir_make(&dir), 0);
    assert_int_equal(pack_room_setup(&room), 0);
    p->dir = dir;
    p->room = room;
    temp_dir_path(p->path, sizeof(p->path), dir, "new.vvi.from-1.vvd");
    temp_dir_path(p->image_path, sizeof(p->image_path), dir, "new.vvi");
    host_write(p->image_path, p->room->target_file.bytes, p->room->target_file.len);
    pack_on_disk_write(p);
    *state = p;
    return 0;
}

int pack_on_disk_teardown(void **state)
{
    struct pack_on_disk *p = *state;
    void *dir = p->dir;
    void *room = p->room;
    free(p);
    pack_room_teardown(&room);
    return temp_dir_remove(&dir);
}
