// SPDX-License-Identifier: Apache-2.0
#include "tests/support/image_builder.h"

#include "base/json.h"
#include "tests/support/expect.h"

#include <stdlib.h>

static enum err accept_all(const struct head_verifier *v, const uint8_t *message, size_t len,
                           const struct signature_list *signatures, struct error *e)
{
    (void)v;
    (void)message;
    (void)len;
    (void)signatures;
    (void)e;
    return OK;
}

const struct head_verifier accept_all_verifier = {.verify = accept_all};

struct image_recipe image_recipe_default(void)
{
    return (struct image_recipe){
        .manifest = {.product = "vv-test",
                     .compatible = {.count = 1, .names = {"vv-test-board"}},
                     .version = "1.0.0",
                     .release_index = 1,
                     .created = 1700000000},
        .codec = CODEC_ZSTD,
        .rule = CUT_BLOCK,
        .average = 65536,
        .signature_room = 4096,
    };
}

void image_recipe_add(struct image_recipe *r, const char *name, const void *data, size_t len)
{
    assert_true(r->partition_count < RECIPE_PARTITIONS_MAX);
    r->partitions[r->partition_count].name = name;
    r->partitions[r->partition_count].data = data;
    r->partitions[r->partition_count].len = len;
    r->partition_count++;
}

// What grows while chunks are added.
struct build {
    const struct image_recipe *recipe;
    struct encoder *encoder;
    struct hasher *hasher;
    struct manifest m;
    uint8_t *table;
    uint8_t *payload;
};

static const uint8_t *find_equal(const struct build *b, const struct chunk *c)
{
    for (uint32_t i = 0; i < b->m.body.table_records; i++) {
        const uint8_t *record = b->table + (size_t)i * CHUNK_RECORD_SIZE;
        if (memcmp(record, c->raw_sha256, SHA256_SIZE) == 0) {
            return record;
        }
    }
    return NULL;
}

static void add_chunk(struct build *b, const uint8_t *raw, size_t raw_len)
{
    struct error e;
    struct chunk c = {.raw_len = (uint32_t)raw_len, .stored_off = b->m.body.payload_size};
    uint8_t *stored = malloc(CHUNK_STORED_MAX);
    size_t stored_len = 0;
    assert_non_null(stored);
    assert_ok(encoder_run(b->encoder, raw, raw_len, stored, &stored_len, &c.codec, &e));
    assert_ok(hasher_sha256(b->hasher, raw, raw_len, c.raw_sha256, &e));
    const uint8_t *equal = find_equal(b, &c);
    uint8_t *record = b->table + (size_t)b->m.body.table_records * CHUNK_RECORD_SIZE;
    if (equal != NULL && c.codec != CODEC_ZERO && !b->recipe->no_dedupe) {
        memcpy(record, equal, CHUNK_RECORD_SIZE);
    } else {
        uint8_t digest[SHA256_SIZE] = {0};
        if (c.codec != CODEC_ZERO) {
            assert_ok(hasher_sha256(b->hasher, stored, stored_len, digest, &e));
        }
        memcpy(c.stored_sha256, digest, STORED_HASH_SIZE);
        c.stored_len = (uint32_t)stored_len;
        memcpy(b->payload + b->m.body.payload_size, stored, stored_len);
        b->m.body.payload_size += stored_len;
        chunk_record_write(&c, record);
    }
    b->m.body.table_records++;
    free(stored);
}

static size_t next_cut(const struct build *b, const struct cutter *cutter, size_t n, uint64_t at,
                       const uint8_t *data, size_t len)
{
    const uint32_t *cuts = b->recipe->cuts;
    if (cuts == NULL) {
        return cutter_next(cutter, at, data, len);
    }
    size_t count = 0;
    while (cuts[count] != 0) {
        count++;
    }
    return cuts[n % count] < len ? cuts[n % count] : len;
}

static void add_partition(struct build *b, size_t index)
{
    struct error e;
    struct cutter cutter;
    struct partition_info *p = &b->m.partitions[index];
    const uint8_t *data = b->recipe->partitions[index].data;
    size_t len = b->recipe->partitions[index].len;
    assert_ok(cutter_init(&cutter, b->recipe->rule, b->recipe->average, &e));
    p->id = (uint32_t)index;
    snprintf(p->name, sizeof(p->name), "%s", b->recipe->partitions[index].name);
    p->image_size = len;
    p->first = b->m.body.table_records;
    cutter_name(&cutter, p->cut, sizeof(p->cut));
    for (size_t off = 0; off < len;) {
        size_t n =
            next_cut(b, &cutter, b->m.body.table_records - p->first, off, data + off, len - off);
        add_chunk(b, data + off, n);
        off += n;
    }
    p->count = b->m.body.table_records - p->first;
}

// After the table was spoiled, so that a reader meets the spoiled record and not its hash.
static void hash_table(struct build *b)
{
    struct error e;
    b->m.body.table_size = b->m.body.table_records * CHUNK_RECORD_SIZE;
    if (b->recipe->spoil_table != NULL) {
        b->recipe->spoil_table(b->table, b->m.body.table_size);
    }
    assert_ok(hasher_sha256(b->hasher, b->table, b->m.body.table_size, b->m.body.table_sha256, &e));
    for (size_t i = 0; i < b->m.partition_count; i++) {
        struct partition_info *p = &b->m.partitions[i];
        assert_ok(hasher_begin(b->hasher, &e));
        for (uint32_t k = 0; k < p->count; k++) {
            size_t off = (size_t)(p->first + k) * CHUNK_RECORD_SIZE;
            assert_ok(hasher_add(b->hasher, b->table + off, SHA256_SIZE, &e));
        }
        assert_ok(hasher_end(b->hasher, p->sha256_list, &e));
    }
}

static char *write_manifest(const struct build *b)
{
    struct error e;
    char *text = NULL;
    size_t len = 0;
    assert_ok(manifest_write(&b->m, &text, &len, &e));
    if (b->recipe->spoil_manifest == NULL) {
        return text;
    }
    json_t *root = NULL;
    assert_ok(json_parse(text, len, &root, &e));
    b->recipe->spoil_manifest(root);
    free(text);
    text = json_canonical(root);
    assert_non_null(text);
    json_decref(root);
    return text;
}

static struct built_image assemble(struct build *b)
{
    struct error e;
    char *text = write_manifest(b);
    struct header h = {.manifest_size = (uint32_t)strlen(text),
                       .signature_area_size = b->recipe->signature_room,
                       .table_size = b->m.body.table_size,
                       .payload_size = b->m.body.payload_size};
    assert_ok(header_lay_out(&h, &e));
    assert_ok(hasher_sha256(b->hasher, text, h.manifest_size, h.manifest_sha256, &e));
    struct built_image image = {.len = (size_t)h.file_size, .header = h};
    image.bytes = calloc(1, image.len);
    assert_non_null(image.bytes);
    memcpy(image.bytes + HEADER_SIZE, text, h.manifest_size);
    memcpy(image.bytes + h.table_offset, b->table, h.table_size);
    memcpy(image.bytes + h.payload_offset, b->payload, (size_t)h.payload_size);
    if (b->recipe->spoil_header != NULL) {
        b->recipe->spoil_header(&image.header);
    }
    header_write(&image.header, image.bytes);
    free(text);
    return image;
}

struct built_image image_build(const struct image_recipe *r)
{
    struct error e;
    struct build b = {.recipe = r, .m = r->manifest};
    size_t total = 1;
    for (size_t i = 0; i < r->partition_count; i++) {
        total += r->partitions[i].len;
    }
    b.payload = malloc(total);
    size_t shortest = 4096;
    for (const uint32_t *cut = r->cuts; cut != NULL && *cut != 0; cut++) {
        shortest = *cut < shortest ? *cut : shortest;
    }
    b.table = calloc(total / shortest + RECIPE_PARTITIONS_MAX + 1, CHUNK_RECORD_SIZE);
    assert_non_null(b.payload);
    assert_non_null(b.table);
    assert_ok(encoder_new(r->codec, 0, &b.encoder, &e));
    assert_ok(hasher_new(&b.hasher, &e));
    b.m.partition_count = r->partition_count;
    for (size_t i = 0; i < r->partition_count; i++) {
        add_partition(&b, i);
    }
    hash_table(&b);
    struct built_image image = assemble(&b);
    encoder_free(b.encoder);
    hasher_free(b.hasher);
    free(b.table);
    free(b.payload);
    return image;
}

void built_image_free(struct built_image *image)
{
    free(image->bytes);
    image->bytes = NULL;
}

void built_image_attach(struct built_image *image, uint16_t type, const void *signature, size_t len)
{
    struct error e;
    struct signature_list list;
    uint8_t *area = image->bytes + header_signed_size(&image->header);
    size_t area_len = image->header.signature_area_size;
    assert_ok(signature_area_parse(area, area_len, &list, &e));
    assert_ok(signature_area_append(area, area_len, &list, type, signature, len, &e));
}
