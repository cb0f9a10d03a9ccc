// SPDX-License-Identifier: Apache-2.0
#include "updater/seeds.h"

#include "updater/heads.h"
#include "updater/plan.h"
#include "updater/slot_record.h"

#include <string.h>

// Of one chunk that differs, as small as it gets: there may be 65536 of them. 8 bytes, the index
// on top, so that they are in order by their value.
enum {
    OFF_BITS = 42,
    PART_BITS = 4,
    SLOT_BITS = 2,
    INDEX_SHIFT = OFF_BITS + PART_BITS + SLOT_BITS
};
enum { UNKNOWN = 3 }; // as the slot: not found
_Static_assert(MANIFEST_PARTITIONS_MAX <= 1 << PART_BITS, "a partition fits");
_Static_assert(TABLE_MAX / CHUNK_RECORD_SIZE <= 1 << (64 - INDEX_SHIFT), "an index fits");

static uint64_t pack(uint32_t index, unsigned slot, size_t part, uint64_t off)
{
    return (uint64_t)index << INDEX_SHIFT | (uint64_t)slot << (OFF_BITS + PART_BITS) |
           (uint64_t)part << OFF_BITS | off;
}

static uint32_t index_of(uint64_t seed)
{
    return (uint32_t)(seed >> INDEX_SHIFT);
}

static unsigned slot_of(uint64_t seed)
{
    return (unsigned)(seed >> (OFF_BITS + PART_BITS)) & ((1U << SLOT_BITS) - 1);
}

static struct seed_place place_of(uint64_t seed)
{
    return (struct seed_place){
        .slot = (enum seed_slot)slot_of(seed),
        .part = (size_t)(seed >> OFF_BITS) & ((1U << PART_BITS) - 1),
        .off = seed & ((UINT64_C(1) << OFF_BITS) - 1),
    };
}

struct seeds {
    const struct slot *target;
    struct image *running_release;
    struct blk *running[MANIFEST_PARTITIONS_MAX]; // by position in the target; NULL: not there
    uint32_t count;
    uint64_t *all; // pack()ed, in the order of the table
};

// Of that many that a record names, so many are looked at.
enum { SAMPLED_FROM = 16, SAMPLES = 8 };

// What goes along while they are gathered.
struct gathering {
    const struct seed_search *search;
    const struct chunk_table *table;
    struct seeds *seeds;
    struct chunk_finder *finder;
    enum seed_slot slot; // whose record is read
    size_t part;         // that is being searched
    uint8_t *buf;        // BLK_ALIGN-aligned, SEED_SCAN_BUF_SIZE bytes
};

static uint64_t *seed_of(const struct seeds *s, uint32_t index)
{
    uint32_t low = 0;
    uint32_t high = s->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (index_of(s->all[middle]) < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < s->count && index_of(s->all[low]) == index ? &s->all[low] : NULL;
}

// --- places --------------------------------------------------------------------------------------

static struct blk *blk_at(const struct seeds *s, enum seed_slot slot, size_t part)
{
    return slot == SEED_RUNNING ? s->running[part] : s->target->partitions[part].blk;
}

// The first chunk of the partition that ends behind `off`, or the end of its chunks.
static uint32_t chunk_behind(const struct gathering *g, const struct partition_info *info,
                             uint64_t off)
{
    uint32_t low = info->first;
    uint32_t high = info->first + info->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint64_t begin;
        struct chunk c = chunk_table_get(g->table, middle, &begin);
        if (begin + c.raw_len <= off) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// Invariant 3. The heads are zeros from step 5 on.
static bool is_kept(const struct gathering *g, size_t part, uint64_t off, uint64_t len,
                    uint32_t index)
{
    const struct partition_info *info = g->search->target->partitions[part].info;
    uint32_t end = info->first + info->count;
    if (off < HEAD_SIZE) {
        return false;
    }
    for (uint32_t i = chunk_behind(g, info, off); i < end && i < index; i++) {
        uint64_t begin;
        (void)chunk_table_get(g->table, i, &begin);
        if (begin >= off + len) {
            break;
        }
        if (chunk_set_has(g->search->differs, i)) {
            return false;
        }
    }
    return true;
}

static void take(struct gathering *g, uint32_t index, enum seed_slot slot, size_t part,
                 uint64_t off)
{
    uint64_t *seed = seed_of(g->seeds, index);
    const struct blk *blk = blk_at(g->seeds, slot, part);
    uint64_t len = chunk_table_get(g->table, index, NULL).raw_len;
    if (seed == NULL || slot_of(*seed) != UNKNOWN || blk == NULL || off > blk->size_bytes ||
        len > blk->size_bytes - off || off >> OFF_BITS != 0 ||
        (slot == SEED_TARGET && !is_kept(g, part, off, len, index))) {
        return;
    }
    *seed = pack(index, slot, part, off);
}

// --- by the record of a slot ---------------------------------------------------------------------

// The target's position of the partition; `count` when it has none of that name.
static size_t part_named(const struct slot *target, const char *name)
{
    size_t part = 0;
    while (part < target->count && strcmp(target->partitions[part].info->name, name) != 0) {
        part++;
    }
    return part;
}

static void take_recorded(void *context, const struct partition_info *info, uint64_t off,
                          const struct chunk *c)
{
    struct gathering *g = context;
    uint32_t index;
    if (c->codec != CODEC_ZERO && chunk_finder_find(g->finder, c->raw_sha256, &index)) {
        size_t part = part_named(g->search->target, info->name);
        if (part < g->search->target->count) {
            take(g, index, g->slot, part, off);
        }
    }
}

// Whether what the seed leads to is its chunk.
static bool holds(const struct gathering *g, uint64_t seed)
{
    struct error e;
    struct seed_place place = place_of(seed);
    struct chunk c = chunk_table_get(g->table, index_of(seed), NULL);
    return seed_read(g->seeds, &place, g->buf, c.raw_len, &e) == OK &&
           chunk_check_raw(&c, g->buf, g->search->device->hasher, &e) == OK;
}

static uint32_t count_of(const struct seeds *s, enum seed_slot slot)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        n += slot_of(s->all[i]) == slot;
    }
    return n;
}

// A slot that was written to by other means has nothing of what is on record: then thousands of
// copies would fail, and each be fetched by a request of its own. Of many some are looked at.
static bool is_believed(const struct gathering *g, enum seed_slot slot)
{
    const struct seeds *s = g->seeds;
    uint32_t count = count_of(s, slot);
    uint32_t n = 0;
    for (uint32_t i = 0; count >= SAMPLED_FROM && i < s->count; i++) {
        if (slot_of(s->all[i]) == slot && n++ % (count / SAMPLES) == 0 && holds(g, s->all[i])) {
            return true;
        }
    }
    return count < SAMPLED_FROM;
}

static void forget(struct seeds *s, enum seed_slot slot)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (slot_of(s->all[i]) == slot) {
            s->all[i] = pack(index_of(s->all[i]), UNKNOWN, 0, 0);
        }
    }
}

// False: there is no record, or none that can be used.
static bool take_record(struct gathering *g, int index, enum seed_slot slot)
{
    struct error e;
    struct device *d = g->search->device;
    CLEANUP(cleanup_image) struct image *head = NULL;
    const struct slot_record_walk walk = {take_recorded, g, &head};
    struct image_trust trust;
    g->slot = slot;
    enum err err = device_trust(d, &trust, &e);
    if (err == OK) {
        err = slot_record_walk(d->state, d->config->slots[index].name, &trust.verifier, d->hasher,
                               &walk, &e);
    }
    if (err != OK && err != ERR_NOT_NOW) {
        log_warn(d->log, "%s; what the slot has is not known from it", e.msg);
    }
    bool believed = err == OK && is_believed(g, slot);
    if (err == OK && !believed) {
        log_warn(d->log, "slot %s does not hold what is on record about it",
                 d->config->slots[index].name);
    }
    if (!believed) {
        forget(g->seeds, slot);
    } else if (slot == SEED_RUNNING) {
        g->seeds->running_release = TAKE_PTR(head);
    }
    return believed;
}

// --- by a search ---------------------------------------------------------------------------------

static void take_found(void *context, uint32_t index, uint64_t off)
{
    struct gathering *g = context;
    take(g, index, SEED_RUNNING, g->part, off);
}

static void search_partition(struct gathering *g, size_t part)
{
    struct error e;
    struct device *d = g->search->device;
    const struct seed_scan scan = {
        .blk = g->seeds->running[part],
        .info = g->search->target->partitions[part].info,
        .finder = g->finder,
        .hasher = d->hasher,
        .progress = &d->progress,
        .blind_bytes = g->search->blind_bytes,
        .buf = g->buf,
        .found = take_found,
        .context = g,
    };
    g->part = part;
    if (scan.blk != NULL && seed_scan(&scan, &e) != OK) {
        log_warn(d->log, "slot %s, partition %s: %s; the search for chunks of it ends there",
                 d->config->slots[d->running].name, scan.info->name, e.msg);
    }
}

static void search_running(struct gathering *g)
{
    const struct slot *target = g->search->target;
    struct progress *progress = &g->search->device->progress;
    uint64_t total = 0;
    for (size_t part = 0; part < target->count; part++) {
        const struct blk *blk = g->seeds->running[part];
        total += blk == NULL ? 0 : seed_scan_bytes(blk, target->partitions[part].info);
    }
    if (total == 0) {
        return;
    }
    progress_begin(progress, "search", total);
    for (size_t part = 0; part < target->count; part++) {
        search_partition(g, part);
    }
    progress_end(progress);
}

// --- all of it -----------------------------------------------------------------------------------

// A place for every chunk that would have to be fetched.
static enum err list_wanted(struct gathering *g, struct error *e)
{
    struct seeds *s = g->seeds;
    const struct chunk_set *differs = g->search->differs;
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < chunk_table_count(g->table); i++) {
        wanted += plan_fetches(differs, NULL, g->table, i);
    }
    if (wanted == 0) {
        return OK;
    }
    s->all = calloc(wanted, sizeof *s->all);
    if (s->all == NULL) {
        return fail_memory(e);
    }
    for (uint32_t i = 0; i < chunk_table_count(g->table); i++) {
        if (plan_fetches(differs, NULL, g->table, i)) {
            s->all[s->count++] = pack(i, UNKNOWN, 0, 0);
        }
    }
    return chunk_finder_new(g->table, &g->finder, e);
}

static void open_running(struct gathering *g)
{
    struct error e;
    struct device *d = g->search->device;
    const struct slot *target = g->search->target;
    for (size_t part = 0; part < target->count; part++) {
        if (slot_open_partition(d, d->running, target->partitions[part].info->name, BLK_READ_ONLY,
                                &g->seeds->running[part], &e) != OK) {
            g->seeds->running[part] = NULL;
            log_warn(d->log, "%s; nothing is copied from there", e.msg);
        }
    }
}

// Leaves those that were found, and no more memory than they need.
static void compact(struct seeds *s)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        if (slot_of(s->all[i]) != UNKNOWN) {
            s->all[found++] = s->all[i];
        }
    }
    s->count = found;
    uint64_t *fewer = found == 0 ? NULL : realloc(s->all, found * sizeof *s->all);
    if (found == 0) {
        free(s->all);
    }
    s->all = fewer != NULL || found == 0 ? fewer : s->all;
}

enum err seeds_gather(const struct seed_search *search, struct seeds **ret, struct error *e)
{
    CLEANUP(cleanup_seeds) struct seeds *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return fail_memory(e);
    }
    s->target = search->target;
    struct gathering g = {.search = search, .table = search->image->table, .seeds = s};
    enum err err = list_wanted(&g, e);
    if (err != OK) {
        return err;
    }
    CLEANUP(cleanup_free) uint8_t *buf = aligned_alloc(BLK_ALIGN, SEED_SCAN_BUF_SIZE);
    g.buf = buf;
    if (s->count > 0 && buf != NULL) { // without memory all is fetched
        open_running(&g);
        if (!take_record(&g, search->device->running, SEED_RUNNING)) {
            search_running(&g);
        }
        (void)take_record(&g, search->target->index, SEED_TARGET);
        compact(s);
    }
    chunk_finder_free(g.finder);
    *ret = TAKE_PTR(s);
    return OK;
}

void seeds_free(struct seeds *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t part = 0; part < MANIFEST_PARTITIONS_MAX; part++) {
        if (s->running[part] != NULL) {
            blk_close(s->running[part]);
        }
    }
    image_free(s->running_release);
    free(s->all);
    free(s);
}

bool seeds_find(const struct seeds *s, uint32_t index, struct seed_place *ret)
{
    const uint64_t *seed = s == NULL ? NULL : seed_of(s, index);
    if (seed == NULL) {
        return false;
    }
    *ret = place_of(*seed);
    return true;
}

const struct image *seeds_running_release(const struct seeds *s)
{
    return s == NULL ? NULL : s->running_release;
}

struct blk *seeds_running_blk(const struct seeds *s, const char *partition)
{
    size_t part = part_named(s->target, partition);
    return part < s->target->count ? s->running[part] : NULL;
}

enum err seed_read(const struct seeds *s, const struct seed_place *place, void *buf, size_t len,
                   struct error *e)
{
    return blk_pread(blk_at(s, place->slot, place->part), buf, len, place->off, e);
}
