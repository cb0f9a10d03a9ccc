// SPDX-License-Identifier: Apache-2.0
#include "tests/support/bench_letters.h"

#include "tests/support/expect.h"
#include "tests/support/test_data.h"
#include "updater/slot_record.h"

#include <stdlib.h>
#include <string.h>

static uint8_t *spell(const char *text)
{
    uint8_t *data = calloc(strlen(text), LETTER);
    assert_non_null(data);
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] != '0') {
            fill_random(data + i * LETTER, LETTER, (uint64_t)text[i]);
        }
    }
    return data;
}

struct bench *letters_bench(void)
{
    return bench_new((uint64_t)ROOTFS_LETTERS * LETTER, (uint64_t)BOOT_LETTERS * LETTER);
}

void letters_serve(struct bench *b, uint64_t index, const char *rootfs, const char *boot)
{
    uint8_t *data[] = {spell(rootfs), boot == NULL ? NULL : spell(boot)};
    char version[16];
    snprintf(version, sizeof version, "%u.0", (unsigned)index);
    struct image_recipe r = bench_recipe(version, index);
    r.codec = CODEC_RAW;
    r.rule = CUT_FIXED;
    r.average = LETTER;
    image_recipe_add(&r, "rootfs", data[0], strlen(rootfs) * LETTER);
    if (boot != NULL) {
        image_recipe_add(&r, "boot", data[1], strlen(boot) * LETTER);
    }
    bench_serve(b, &r);
    free(data[0]);
    free(data[1]);
}

static void put_partition(struct blk_mem *m, const char *text)
{
    uint8_t *data = spell(text);
    memcpy(m->data, data, strlen(text) * LETTER);
    blk_mem_reset(m);
    free(data);
}

void letters_put(struct bench *b, int slot, const char *rootfs, const char *boot)
{
    put_partition(&b->slots[slot][0], rootfs);
    put_partition(&b->slots[slot][1], boot);
}

void letters_record(struct bench *b, int slot, const char *rootfs, const char *boot)
{
    struct error e;
    struct image *image = NULL;
    letters_serve(b, 1, rootfs, boot);
    assert_ok(image_open_prefix(b->image.bytes, b->image.len, &accept_all_verifier,
                                b->device.hasher, &image, &e));
    assert_ok(slot_record_save(&b->state.base, b->config.slots[slot].name, image, &e));
    image_free(image);
}

static void expect_partition(const struct blk_mem *m, const char *text)
{
    uint8_t *data = spell(text);
    for (size_t i = 0; i < strlen(text); i++) {
        if (memcmp(m->data + i * LETTER, data + i * LETTER, LETTER) != 0) {
            fail_msg("expected %s to be \"%s\", but letter %zu is not there", m->path, text, i);
        }
    }
    free(data);
}

void letters_expect(const struct bench *b, int slot, const char *rootfs, const char *boot)
{
    expect_partition(&b->slots[slot][0], rootfs);
    expect_partition(&b->slots[slot][1], boot);
}
