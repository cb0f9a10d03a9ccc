// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_kit.h"

#include "tests/sim/sim_disk.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

#include <stdio.h>
#include <stdlib.h>

enum { KIB = 1024, BYTE_CUT_AVERAGE = 4 * KIB, CREATED_S = 1700000000 };

const struct sim_shape sim_shapes[SIM_PARTITIONS] = {
    {"rootfs", 24 * KIB, 22 * KIB + 333},
    {"boot", 8 * KIB, 5 * KIB + 1},
};

// --- content -------------------------------------------------------------------------------------

static void put_superblock(uint8_t *content, const char *name, size_t off, unsigned release)
{
    memset(content, 0, off);
    fill_random(content + off, SIM_SECTOR_MIN, 7000 + release);
    snprintf((char *)content + off, 64, "superblock of %s, release %u", name, release);
}

// Chunks that stand elsewhere in another release: one that release 1, running, has for release 2;
// two that release 2, staged, has for release 3, of which the second is written over before it is
// needed; and a place that differs from the factory's only.
static void put_wanderers(uint8_t *c, unsigned release)
{
    enum { RUNNING = 900, TARGET, OVERWRITTEN, INSTALLED };
    if (release == SIM_FACTORY) {
        return;
    }
    fill_random(c + 21 * KIB, KIB, INSTALLED);
    if (release == 1) {
        fill_random(c + 18 * KIB, KIB, RUNNING);
    } else if (release == 2) {
        fill_random(c + 13 * KIB, KIB, RUNNING);
        fill_random(c + 6 * KIB, KIB, TARGET); // where world_rot() strikes
        fill_random(c + 7 * KIB, KIB, OVERWRITTEN);
    } else {
        fill_random(c + 4 * KIB, KIB, TARGET);
        fill_random(c + 14 * KIB, KIB, OVERWRITTEN);
    }
}

static void fill_partition(uint8_t *c, size_t partition, unsigned release)
{
    if (partition > 0) {
        fill_random(c + 4 * KIB, KIB, 600 + release);
        return;
    }
    fill_random(c + 5 * KIB, KIB, 300 + release);
    fill_random(c + 15 * KIB, 2 * KIB, 400 + release);
    fill_random(c + 19 * KIB, KIB, 500 + release);
    put_wanderers(c, release);
    memcpy(c + 20 * KIB, c + 12 * KIB, KIB);
    if (release != SIM_FACTORY) {
        memset(c + 8 * KIB, 0, 3 * KIB);
    }
    if (release % 2 == 0) {
        memset(c + 17 * KIB, 0, KIB);
    }
}

// What every release has alike, then what this one has for itself.
static uint8_t *make_content(const struct sim_kit_recipe *recipe, const struct sim_kit *k,
                             size_t partition, unsigned release)
{
    const struct sim_shape *shape = &sim_shapes[partition];
    uint8_t *c = malloc(shape->size_bytes);
    assert_non_null(c);
    fill_random(c, shape->image_bytes, 100 + partition);
    memset(c + shape->image_bytes, 0, shape->size_bytes - shape->image_bytes);
    recipe->fill(c, partition, release);
    put_superblock(c, shape->name, k->superblock_off[partition], release);
    return c;
}

// --- images --------------------------------------------------------------------------------------

void sim_kit_sign(const struct sim_kit *k, struct built_image *file)
{
    struct signature_record record =
        test_cms(&k->signer, "SHA256", 0, NULL, file->bytes, header_signed_size(&file->header));
    built_image_attach(file, record.type, record.data, record.len);
    test_record_clear(&record);
}

static void build(struct sim_kit *k, struct sim_release *r, const uint32_t *cuts)
{
    struct error e;
    struct image_recipe recipe = image_recipe_default();
    recipe.cuts = cuts;
    recipe.rule = cuts == NULL ? CUT_BYTE : recipe.rule;
    recipe.average = cuts == NULL ? BYTE_CUT_AVERAGE : recipe.average;
    recipe.signature_room = SIM_SIGNATURE_ROOM;
    snprintf(recipe.manifest.version, sizeof recipe.manifest.version, "%s", r->version);
    recipe.manifest.release_index = r->index;
    recipe.manifest.min_release_index = r->floor;
    recipe.manifest.created = CREATED_S;
    recipe.manifest.allow_downgrade = true;
    for (size_t p = 0; p < SIM_PARTITIONS; p++) {
        image_recipe_add(&recipe, sim_shapes[p].name, r->content[p], sim_shapes[p].image_bytes);
    }
    r->built = image_build(&recipe);
    sim_kit_sign(k, &r->built);
    struct image_trust trust = image_trust_with(k->trust, 1, 0);
    assert_ok(image_open_prefix(r->built.bytes, (size_t)r->built.header.payload_offset,
                                &trust.verifier, k->hasher, &r->image, &e));
    memcpy(r->manifest_sha256, r->image->header.manifest_sha256, SHA256_SIZE);
}

static void make_trust(struct sim_kit *k)
{
    struct error e;
    void *dir = NULL;
    assert_int_equal(temp_dir_make(&dir), 0);
    k->dir = dir;
    k->root = test_ca("simulated root", NULL);
    k->signer = test_signer("simulated signer", &k->root);
    test_cert_write(&k->root, k->dir, "root.pem");
    assert_ok(trust_store_load(k->dir, &k->trust, &e));
}

struct sim_kit *sim_kit_make_by(const struct sim_kit_recipe *recipe)
{
    static const char *const versions[SIM_RELEASES] = {"factory", "1.0", "2.0", "3.0"};
    struct error e;
    struct sim_kit *k = calloc(1, sizeof *k);
    assert_non_null(k);
    k->superblock_off[0] = 1024;
    k->superblock_off[1] = recipe->boot_superblock_off;
    make_trust(k);
    assert_ok(hasher_new(&k->hasher, &e));
    for (unsigned i = 0; i < SIM_RELEASES; i++) {
        struct sim_release *r = &k->releases[i];
        r->version = versions[i];
        // The floor follows one release behind.
        r->index = 10 * i;
        r->floor = i > 0 ? 10 * (i - 1) : 0;
        for (size_t p = 0; p < SIM_PARTITIONS; p++) {
            r->content[p] = make_content(recipe, k, p, i);
        }
        if (i != SIM_FACTORY) {
            build(k, r, recipe->cuts[i]);
        }
    }
    return k;
}

struct sim_kit *sim_kit_make(const uint32_t *cuts, size_t boot_superblock_off)
{
    const struct sim_kit_recipe recipe = {
        .cuts = {NULL, cuts, cuts, cuts},
        .boot_superblock_off = boot_superblock_off,
        .fill = fill_partition,
    };
    return sim_kit_make_by(&recipe);
}

void sim_kit_free(struct sim_kit *k)
{
    void *dir = k->dir;
    for (size_t i = 0; i < SIM_RELEASES; i++) {
        for (size_t p = 0; p < SIM_PARTITIONS; p++) {
            free(k->releases[i].content[p]);
        }
        built_image_free(&k->releases[i].built);
        image_free(k->releases[i].image);
    }
    for (size_t i = 0; i < SIM_PACKS; i++) {
        built_image_free(&k->packs[i].file);
    }
    hasher_free(k->hasher);
    trust_store_free(k->trust);
    test_cert_clear(&k->signer);
    test_cert_clear(&k->root);
    assert_int_equal(temp_dir_remove(&dir), 0);
    free(k);
}

// --- what bytes are ------------------------------------------------------------------------------

int sim_kit_identify(const struct sim_kit *k, size_t partition, const uint8_t *bytes, size_t from)
{
    for (int i = 0; i < SIM_RELEASES; i++) {
        if (memcmp(bytes + from, k->releases[i].content[partition] + from,
                   sim_shapes[partition].image_bytes - from) == 0) {
            return i;
        }
    }
    return SIM_UNKNOWN;
}

bool sim_kit_mountable(const struct sim_kit *k, size_t partition, const uint8_t *bytes)
{
    size_t off = k->superblock_off[partition];
    for (int i = 0; i < SIM_RELEASES; i++) {
        if (memcmp(bytes + off, k->releases[i].content[partition] + off, SIM_SECTOR_MIN) == 0) {
            return true;
        }
    }
    return false;
}

int sim_kit_find(const struct sim_kit *k, const uint8_t manifest_sha256[SHA256_SIZE])
{
    for (int i = SIM_FACTORY + 1; i < SIM_RELEASES; i++) {
        if (memcmp(manifest_sha256, k->releases[i].manifest_sha256, SHA256_SIZE) == 0) {
            return i;
        }
    }
    return SIM_UNKNOWN;
}
