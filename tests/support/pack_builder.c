// SPDX-License-Identifier: Apache-2.0
#include "tests/support/pack_builder.h"

#include "base/json.h"
#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>
#include <zstd.h>

enum { EDIT_EVERY = 9001 };

size_t delta_encode(const uint8_t *window, size_t window_len, const uint8_t *raw, size_t raw_len,
                    uint8_t *stored)
{
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    assert_non_null(cctx);
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_windowLog, 21)));
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, 19)));
    assert_false(ZSTD_isError(ZSTD_CCtx_refPrefix(cctx, window, window_len)));
    size_t n = ZSTD_compress2(cctx, stored, CHUNK_STORED_MAX, raw, raw_len);
    assert_false(ZSTD_isError(n));
    ZSTD_freeCCtx(cctx);
    return n;
}

static struct built_image build_image(const struct pack_room *r, const char *version,
                                      uint64_t release_index, const uint8_t *rootfs)
{
    struct image_recipe recipe = image_recipe_default();
    recipe.rule = CUT_FIXED;
    recipe.average = PACK_ROOM_CHUNK;
    snprintf(recipe.manifest.version, sizeof(recipe.manifest.version), "%s", version);
    recipe.manifest.release_index = release_index;
    image_recipe_add(&recipe, "rootfs", rootfs, PACK_ROOM_ROOTFS);
    image_recipe_add(&recipe, "boot", r->boot, PACK_ROOM_BOOT);
    return image_build(&recipe);
}

static struct image *open_image(const struct pack_room *r, const struct built_image *built)
{
    struct error e;
    struct image *image = NULL;
    assert_ok(image_open_prefix(built->bytes, (size_t)built->header.payload_offset,
                                &accept_all_verifier, r->hasher, &image, &e));
    return image;
}

int pack_room_setup(void **state)
{
    struct error e;
    struct pack_room *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    assert_ok(hasher_new(&r->hasher, &e));
    assert_ok(decoder_new(&r->decoder, &e));
    r->old_rootfs = malloc(PACK_ROOM_ROOTFS);
    r->new_rootfs = malloc(PACK_ROOM_ROOTFS);
    r->boot = malloc(PACK_ROOM_BOOT);
    assert_true(r->old_rootfs != NULL && r->new_rootfs != NULL && r->boot != NULL);
    fill_text(r->old_rootfs, PACK_ROOM_ROOTFS, 1);
    fill_random(r->boot, PACK_ROOM_BOOT, 2);
    memcpy(r->new_rootfs, r->old_rootfs, PACK_ROOM_ROOTFS);
    for (size_t i = 0; i < PACK_ROOM_ROOTFS; i += EDIT_EVERY) {
        r->new_rootfs[i] ^= 0x80;
    }
    r->new_rootfs[PACK_ROOM_ROOTFS - 1] ^= 0x80;
    memset(r->new_rootfs + (size_t)4 * PACK_ROOM_CHUNK, 0, PACK_ROOM_CHUNK);
    memcpy(r->new_rootfs + (size_t)6 * PACK_ROOM_CHUNK, r->new_rootfs + (size_t)2 * PACK_ROOM_CHUNK,
           PACK_ROOM_CHUNK);
    r->base_file = build_image(r, "1.0.0", 1, r->old_rootfs);
    r->target_file = build_image(r, "2.0.0", 2, r->new_rootfs);
    r->base = open_image(r, &r->base_file);
    r->target = open_image(r, &r->target_file);
    r->recipe.signature_room = 4096;
    *state = r;
    return 0;
}

int pack_room_teardown(void **state)
{
    struct pack_room *r = *state;
    image_free(r->base);
    image_free(r->target);
    built_image_free(&r->base_file);
    built_image_free(&r->target_file);
    hasher_free(r->hasher);
    decoder_free(r->decoder);
    free(r->old_rootfs);
    free(r->new_rootfs);
    free(r->boot);
    free(r);
    return 0;
}

// What grows while records are added.
struct build {
    const struct pack_room *room;
    struct pack_manifest m;
    uint8_t table[PACK_ROOM_RECORDS * PACK_RECORD_SIZE];
    uint8_t *payload;
};

static void add_record(struct build *b, uint32_t index)
{
    struct error e;
    uint8_t digest[SHA256_SIZE];
    uint64_t off = 0;
    struct chunk c = chunk_table_get(b->room->target->table, index, &off);
    uint8_t *stored = b->payload + b->m.payload_size;
    size_t n = delta_encode(b->room->old_rootfs + off, c.raw_len, b->room->new_rootfs + off,
                            c.raw_len, stored);
    assert_ok(hasher_sha256(b->room->hasher, stored, n, digest, &e));
    struct pack_record r = {.chunk = index,
                            .base_off = off,
                            .base_len = c.raw_len,
                            .stored_len = (uint32_t)n,
                            .stored_off = b->m.payload_size};
    memcpy(r.stored_sha256, digest, STORED_HASH_SIZE);
    assert_true(b->m.table_records < PACK_ROOM_RECORDS);
    pack_record_write(&r, b->table + (size_t)b->m.table_records * PACK_RECORD_SIZE);
    b->m.table_records++;
    b->m.payload_size += n;
}

static char *write_manifest(struct build *b)
{
    struct error e;
    char *text = NULL;
    size_t len = 0;
    const struct pack_recipe *recipe = &b->room->recipe;
    b->m.table_size = b->m.table_records * PACK_RECORD_SIZE;
    if (recipe->spoil_table != NULL) {
        recipe->spoil_table(b->table, b->m.table_size);
    }
    assert_ok(hasher_sha256(b->room->hasher, b->table, b->m.table_size, b->m.table_sha256, &e));
    if (recipe->spoil_pack != NULL) {
        recipe->spoil_pack(&b->m);
    }
    assert_ok(pack_manifest_write(&b->m, &text, &len, &e));
    if (recipe->spoil_manifest != NULL) {
        json_t *root = NULL;
        assert_ok(json_parse(text, len, &root, &e));
        recipe->spoil_manifest(root);
        free(text);
        text = json_canonical(root);
        assert_non_null(text);
        json_decref(root);
    }
    return text;
}

static struct built_image assemble(struct build *b)
{
    struct error e;
    char *text = write_manifest(b);
    struct header h = {.kind = FILE_PACK,
                       .manifest_size = (uint32_t)strlen(text),
                       .signature_area_size = b->room->recipe.signature_room,
                       .table_size = b->m.table_records * PACK_RECORD_SIZE,
                       .payload_size = b->m.payload_size};
    assert_ok(header_lay_out(&h, &e));
    assert_ok(hasher_sha256(b->room->hasher, text, h.manifest_size, h.manifest_sha256, &e));
    struct built_image built = {.len = (size_t)h.file_size, .header = h};
    built.bytes = calloc(1, built.len);
    assert_non_null(built.bytes);
    memcpy(built.bytes + HEADER_SIZE, text, h.manifest_size);
    memcpy(built.bytes + h.table_offset, b->table, h.table_size);
    memcpy(built.bytes + h.payload_offset, b->payload, (size_t)h.payload_size);
    if (b->room->recipe.spoil_header != NULL) {
        b->room->recipe.spoil_header(&built.header);
    }
    header_write(&built.header, built.bytes);
    free(text);
    return built;
}

struct built_image pack_build(const struct pack_room *r)
{
    struct build b = {.room = r, .m = {.created = 1700000000}};
    b.m.base.release_index = r->base->manifest->release_index;
    b.m.target.release_index = r->target->manifest->release_index;
    memcpy(b.m.base.manifest_sha256, r->base->header.manifest_sha256, SHA256_SIZE);
    memcpy(b.m.target.manifest_sha256, r->target->header.manifest_sha256, SHA256_SIZE);
    b.payload = calloc(PACK_ROOM_RECORDS + 1, CHUNK_STORED_MAX);
    assert_non_null(b.payload);
    for (uint32_t i = 0; i < r->target->manifest->partitions[0].count; i++) {
        struct chunk c = chunk_table_get(r->target->table, i, NULL);
        if (c.codec != CODEC_ZERO && chunk_table_origin(r->target->table, i) == i) {
            add_record(&b, i);
        }
    }
    assert_int_equal(b.m.table_records, PACK_ROOM_RECORDS);
    struct built_image built = assemble(&b);
    free(b.payload);
    return built;
}

static enum err take_copy(struct pack_room *r, const struct built_image *built, struct pack **ret,
                          struct error *e)
{
    uint8_t *copy = malloc(built->len);
    assert_non_null(copy);
    memcpy(copy, built->bytes, built->len);
    return pack_take_prefix(copy, built->len, &accept_all_verifier, r->hasher, ret, e);
}

struct pack *pack_room_open(struct pack_room *r, const struct built_image *built)
{
    struct error e;
    struct pack *pack = NULL;
    assert_ok(take_copy(r, built, &pack, &e));
    return pack;
}

enum err pack_room_try(struct pack_room *r, const struct built_image *built, struct error *e)
{
    struct pack *pack = NULL;
    enum err err = take_copy(r, built, &pack, e);
    pack_free(pack);
    return err;
}
