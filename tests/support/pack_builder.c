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

// --- A pack that grows ---

void pack_parts_begin(struct pack_parts *p, const struct pack_ends *ends, uint32_t records_max,
                      struct hasher *hasher)
{
    *p = (struct pack_parts){.ends = ends, .hasher = hasher, .records_max = records_max};
    p->m.created = 1700000000;
    p->m.base.release_index = ends->base->manifest->release_index;
    p->m.target.release_index = ends->target->manifest->release_index;
    memcpy(p->m.base.manifest_sha256, ends->base->header.manifest_sha256, SHA256_SIZE);
    memcpy(p->m.target.manifest_sha256, ends->target->header.manifest_sha256, SHA256_SIZE);
    p->table = calloc(records_max, PACK_RECORD_SIZE);
    p->payload = calloc((size_t)records_max + 1, CHUNK_STORED_MAX);
    assert_true(p->table != NULL && p->payload != NULL);
}

void pack_parts_add(struct pack_parts *p, const struct pack_record *place, const uint8_t *window,
                    const uint8_t *raw)
{
    struct error e;
    uint8_t digest[SHA256_SIZE];
    struct chunk c = chunk_table_get(p->ends->target->table, place->chunk, NULL);
    uint8_t *stored = p->payload + p->m.body.payload_size;
    bool brought = c.codec != CODEC_ZERO &&
                   chunk_table_origin(p->ends->target->table, place->chunk) == place->chunk;
    size_t n = brought ? delta_encode(window, place->base_len, raw, c.raw_len, stored) : 0;
    if (!brought || n >= c.stored_len) {
        return;
    }
    assert_ok(hasher_sha256(p->hasher, stored, n, digest, &e));
    struct pack_record r = *place;
    r.stored_len = (uint32_t)n;
    r.stored_off = p->m.body.payload_size;
    memcpy(r.stored_sha256, digest, STORED_HASH_SIZE);
    assert_true(p->m.body.table_records < p->records_max);
    pack_record_write(&r, p->table + (size_t)p->m.body.table_records * PACK_RECORD_SIZE);
    p->m.body.table_records++;
    p->m.body.payload_size += n;
}

static char *write_manifest(struct pack_parts *p, const struct pack_recipe *recipe)
{
    struct error e;
    char *text = NULL;
    size_t len = 0;
    p->m.body.table_size = p->m.body.table_records * PACK_RECORD_SIZE;
    if (recipe->spoil_table != NULL) {
        recipe->spoil_table(p->table, p->m.body.table_size);
    }
    assert_ok(hasher_sha256(p->hasher, p->table, p->m.body.table_size, p->m.body.table_sha256, &e));
    if (recipe->spoil_pack != NULL) {
        recipe->spoil_pack(&p->m);
    }
    assert_ok(pack_manifest_write(&p->m, &text, &len, &e));
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

struct built_image pack_parts_end(struct pack_parts *p, const struct pack_recipe *recipe)
{
    struct error e;
    char *text = write_manifest(p, recipe);
    struct header h = {.kind = FILE_PACK,
                       .manifest_size = (uint32_t)strlen(text),
                       .signature_area_size = recipe->signature_room,
                       .table_size = p->m.body.table_records * PACK_RECORD_SIZE,
                       .payload_size = p->m.body.payload_size};
    assert_ok(header_lay_out(&h, &e));
    assert_ok(hasher_sha256(p->hasher, text, h.manifest_size, h.manifest_sha256, &e));
    struct built_image built = {.len = (size_t)h.file_size, .header = h};
    built.bytes = calloc(1, built.len);
    assert_non_null(built.bytes);
    memcpy(built.bytes + HEADER_SIZE, text, h.manifest_size);
    memcpy(built.bytes + h.table_offset, p->table, h.table_size);
    memcpy(built.bytes + h.payload_offset, p->payload, (size_t)h.payload_size);
    if (recipe->spoil_header != NULL) {
        recipe->spoil_header(&built.header);
    }
    header_write(&built.header, built.bytes);
    free(text);
    free(p->table);
    free(p->payload);
    return built;
}

// --- The one between the two images of the room ---

struct built_image pack_build(const struct pack_room *r)
{
    const struct pack_ends ends = {r->base, r->target};
    struct pack_parts parts;
    pack_parts_begin(&parts, &ends, PACK_ROOM_RECORDS, r->hasher);
    for (uint32_t i = 0; i < r->target->manifest->partitions[0].count; i++) {
        struct pack_record place = {.chunk = i};
        place.base_len = chunk_table_get(r->target->table, i, &place.base_off).raw_len;
        pack_parts_add(&parts, &place, r->old_rootfs + place.base_off,
                       r->new_rootfs + place.base_off);
    }
    assert_int_equal(parts.m.body.table_records, PACK_ROOM_RECORDS);
    return pack_parts_end(&parts, &r->recipe);
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
