// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_kit_bytes.h"

#include "tests/support/expect.h"
#include "tests/support/pack_builder.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

// Lengths of chunks, and where those that are named below begin in each round of them.
static const uint32_t cuts[] = {701, 2100, 5, 1024, 333, 3000, 0};
enum { ROUND = 7163, SECOND = 701, FOURTH = 2806, SIXTH = 4163 };
enum { SECOND_LEN = 2100, ZEROS = 1024 + 333, SIXTH_LEN = 3000 };

enum { EDIT_FIRST = 150, EDIT_EVERY = 400, INSERTED_OFF = 9000, INSERTED = 37 };
enum { SHIFT = 8, WINDOW = 8192 };

// --- content -------------------------------------------------------------------------------------

static void edit(uint8_t *c, size_t len)
{
    for (size_t i = EDIT_FIRST; i < len; i += EDIT_EVERY) {
        c[i] ^= 0x80;
    }
}

// What deltas bring, what 1 has elsewhere, zeros, and one chunk twice.
static void patch_rootfs(uint8_t *c, size_t len)
{
    uint8_t moved[2][SIXTH_LEN];
    for (size_t i = 0; i < 2; i++) {
        memcpy(moved[i], c + i * ROUND + SIXTH, SIXTH_LEN);
    }
    edit(c, len);
    fill_random(c + SIXTH, SIXTH_LEN, 2400);
    for (size_t i = 0; i < 2; i++) {
        memcpy(c + (i + 1) * ROUND + SIXTH, moved[i], SIXTH_LEN);
    }
    memset(c + ROUND + FOURTH, 0, ZEROS);
    memcpy(c + 2 * ROUND + SECOND, c + ROUND + SECOND, SECOND_LEN);
}

static void insert(uint8_t *c, size_t len)
{
    size_t off = len < 2 * INSERTED_OFF ? len / 2 : INSERTED_OFF;
    memmove(c + off + INSERTED, c + off, len - off - INSERTED);
    fill_random(c + off, INSERTED, 2300);
}

static void fill_partition(uint8_t *c, size_t partition, unsigned release)
{
    size_t len = sim_shapes[partition].image_bytes;
    bool own = release == 1 || release == SIM_PATCHED;
    fill_random(c, len, (own ? 2200 : 2100) + partition);
    if (release == SIM_MOVED) {
        insert(c, len);
    } else if (release == SIM_PATCHED && partition == 0) {
        patch_rootfs(c, len);
    } else if (release == SIM_PATCHED) {
        edit(c, len);
    }
}

// --- packs ---------------------------------------------------------------------------------------

// The bytes that windows are taken from: a partition of release 1, or what is like the patched one
// to a packer and is nothing that a device has.
static uint8_t *make_base(const struct sim_kit *k, size_t partition, bool foreign)
{
    size_t len = sim_shapes[partition].image_bytes;
    uint8_t *base = malloc(len);
    assert_non_null(base);
    if (foreign) {
        const uint8_t *patched = k->releases[SIM_PATCHED].content[partition];
        memcpy(base, patched + SHIFT, len - SHIFT);
        memcpy(base + len - SHIFT, patched, SHIFT);
    } else {
        memcpy(base, k->releases[1].content[partition], len);
    }
    return base;
}

static void add_partition(const struct sim_kit *k, struct pack_parts *parts, size_t partition,
                          bool foreign)
{
    const struct sim_release *target = &k->releases[SIM_PATCHED];
    const struct partition_info *info = &target->image->manifest->partitions[partition];
    uint8_t *base = make_base(k, partition, foreign);
    for (uint32_t i = info->first; i - info->first < info->count; i++) {
        uint64_t off;
        (void)chunk_table_get(target->image->table, i, &off);
        struct pack_record place = {.chunk = i, .base_partition = (uint32_t)partition};
        place.base_off = off / PACK_WINDOW_ALIGN * PACK_WINDOW_ALIGN;
        uint64_t left = sim_shapes[partition].image_bytes - place.base_off;
        place.base_len = (uint32_t)(left < WINDOW ? left : WINDOW);
        pack_parts_add(parts, &place, base + place.base_off, target->content[partition] + off);
    }
    free(base);
}

static struct built_image make_pack(const struct sim_kit *k, bool foreign)
{
    const struct pack_ends ends = {k->releases[1].image, k->releases[SIM_PATCHED].image};
    const struct pack_recipe recipe = {.signature_room = SIM_SIGNATURE_ROOM};
    struct pack_parts parts;
    pack_parts_begin(&parts, &ends, chunk_table_count(ends.target->table), k->hasher);
    for (size_t p = 0; p < SIM_PARTITIONS; p++) {
        add_partition(k, &parts, p, foreign);
    }
    struct built_image built = pack_parts_end(&parts, &recipe);
    sim_kit_sign(k, &built);
    return built;
}

// Where in the file the bytes of a delta begin.
static size_t delta_off(const struct built_image *pack, uint32_t index)
{
    struct error e;
    struct pack_record r;
    const struct header *h = &pack->header;
    assert_true((index + 1) * PACK_RECORD_SIZE <= h->table_size);
    const uint8_t *record = pack->bytes + h->table_offset + (size_t)index * PACK_RECORD_SIZE;
    assert_ok(pack_record_parse(record, &r, &e));
    return (size_t)(h->payload_offset + r.stored_off);
}

// Some deltas are right, one is not, some are right again, and then there are no more.
static void damage(struct sim_pack *pack)
{
    enum { WRONG = 4, LOST = 11 };
    pack->file.bytes[delta_off(&pack->file, WRONG) + 1] ^= 1;
    pack->lost_off = delta_off(&pack->file, LOST);
}

struct sim_kit *sim_kit_make_bytes(void)
{
    const struct sim_kit_recipe recipe = {
        .cuts = {NULL, cuts, NULL, cuts},
        .fill = fill_partition,
    };
    struct sim_kit *k = sim_kit_make_by(&recipe);
    k->packs[SIM_PACK_RIGHT].file = make_pack(k, false);
    k->packs[SIM_PACK_FOREIGN].file = make_pack(k, true);
    k->packs[SIM_PACK_DAMAGED].file = make_pack(k, false);
    damage(&k->packs[SIM_PACK_DAMAGED]);
    return k;
}
