// SPDX-License-Identifier: Apache-2.0
#include "tests/support/image_room.h"

#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

int image_room_setup(void **state)
{
    struct error e;
    struct image_room *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    assert_ok(hasher_new(&r->hasher, &e));
    r->rootfs = malloc(ROOTFS);
    r->boot = malloc(BOOT);
    assert_true(r->rootfs != NULL && r->boot != NULL);
    fill_text(r->rootfs, ROOTFS, 1);
    memset(r->rootfs + 16 * 4096, 0, 32 * 4096);
    fill_random(r->boot, BOOT, 2);
    r->recipe = image_recipe_default();
    image_recipe_add(&r->recipe, "rootfs", r->rootfs, ROOTFS);
    image_recipe_add(&r->recipe, "boot", r->boot, BOOT);
    *state = r;
    return 0;
}

int image_room_teardown(void **state)
{
    struct image_room *r = *state;
    hasher_free(r->hasher);
    free(r->rootfs);
    free(r->boot);
    free(r);
    return 0;
}

struct image *image_room_open(struct image_room *r, const struct built_image *built)
{
    struct error e;
    struct image *image = NULL;
    assert_ok(image_open_prefix(built->bytes, (size_t)built->header.payload_offset,
                                &accept_all_verifier, r->hasher, &image, &e));
    return image;
}
