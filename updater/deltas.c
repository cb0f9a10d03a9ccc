// SPDX-License-Identifier: Apache-2.0
#include "updater/deltas.h"

#include "updater/release.h"

#include <inttypes.h>
#include <stdio.h>

void deltas_free(struct deltas *x)
{
    if (x != NULL) {
        source_close(x->source);
        pack_free(x->pack);
        free(x);
    }
}

static enum err open_pack(struct device *d, struct source *image_source, const struct image *image,
                          uint64_t worth_bytes, struct deltas *x, struct error *e)
{
    const struct pack_order order = {image, x->base, worth_bytes / 2};
    char suffix[48];
    snprintf(suffix, sizeof suffix, ".from-%" PRIu64 ".vvd", x->base->manifest->release_index);
    enum err err = source_beside(image_source, suffix, &x->source, e);
    return err == OK ? release_fetch_pack(d, x->source, &order, &x->pack, e) : err;
}

struct deltas *deltas_open(struct device *d, struct source *image_source, const struct image *image,
                           const struct seeds *seeds, uint64_t worth_bytes)
{
    struct error e;
    CLEANUP(cleanup_deltas) struct deltas *x = calloc(1, sizeof *x);
    if (x == NULL || seeds_running_release(seeds) == NULL) {
        return NULL;
    }
    x->base = seeds_running_release(seeds);
    x->seeds = seeds;
    enum err err = open_pack(d, image_source, image, worth_bytes, x, &e);
    if (err == OK) {
        return TAKE_PTR(x);
    }
    if (e.sys != ENOENT && err != ERR_TOO_LARGE) {
        log_warn(d->log, "the delta pack is not used: %s", e.msg);
    }
    if (x->source != NULL) {
        image_source->others_fetched_bytes += x->source->fetched_bytes;
        image_source->others_requests += x->source->requests;
    }
    return NULL;
}

bool deltas_find(const struct deltas *x, uint32_t chunk, struct pack_record *ret)
{
    return x != NULL && pack_table_find(x->pack->table, chunk, ret);
}

enum err deltas_read_window(const struct deltas *x, const struct pack_record *r, uint8_t *ret,
                            struct error *e)
{
    const char *partition = x->base->manifest->partitions[r->base_partition].name;
    struct blk *blk = seeds_running_blk(x->seeds, partition);
    if (blk == NULL || r->base_off > blk->size_bytes ||
        r->base_len > blk->size_bytes - r->base_off) {
        return fail(e, ERR_IO, 0, "partition %s of the running slot is not as long", partition);
    }
    return blk_pread(blk, ret, r->base_len, r->base_off, e);
}
