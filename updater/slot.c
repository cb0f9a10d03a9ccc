// SPDX-License-Identifier: Apache-2.0
#include "updater/slot.h"

#include "updater/policy.h"

#include <assert.h>
#include <string.h>

static const char *find_path(const struct config_slot *slot, const char *name)
{
    for (size_t i = 0; i < slot->partition_count; i++) {
        if (strcmp(slot->partitions[i].name, name) == 0) {
            return slot->partitions[i].path;
        }
    }
    return NULL;
}

enum err slot_open_partition(struct device *d, int index, const char *name, enum blk_mode mode,
                             struct blk **ret, struct error *e)
{
    const struct config_slot *slot = &d->config->slots[index];
    const char *path = find_path(slot, name);
    if (path == NULL) {
        return fail(e, ERR_NOT_NOW, 0, "slot %s has no partition %s", slot->name, name);
    }
    enum err err = d->open_blk(path, mode, ret, e);
    return err == OK ? OK : error_context(e, "slot %s, partition %s", slot->name, name);
}

static enum err add_partition(struct device *d, struct slot *s, const struct partition_info *info,
                              enum blk_mode mode, struct error *e)
{
    struct slot_partition *p = &s->partitions[s->count];
    enum err err = slot_open_partition(d, s->index, info->name, mode, &p->blk, e);
    if (err != OK) {
        return err;
    }
    assert(p->blk != NULL);
    p->info = info;
    s->count++;
    return policy_check_size(info, s->name, p->blk->size_bytes, e);
}

enum err slot_open(struct device *d, int index, const struct manifest *manifest, enum blk_mode mode,
                   struct slot **ret, struct error *e)
{
    CLEANUP(cleanup_slot) struct slot *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return fail_memory(e);
    }
    s->index = index;
    s->name = d->config->slots[index].name;
    for (size_t i = 0; i < manifest->partition_count; i++) {
        enum err err = add_partition(d, s, &manifest->partitions[i], mode, e);
        if (err != OK) {
            return err;
        }
    }
    *ret = TAKE_PTR(s);
    return OK;
}

void slot_close(struct slot *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        blk_close(s->partitions[i].blk);
    }
    free(s);
}

size_t slot_find(const struct slot *s, uint32_t index)
{
    size_t i = 0;
    while (index - s->partitions[i].info->first >= s->partitions[i].info->count) {
        i++;
        assert(i < s->count);
    }
    return i;
}

uint64_t slot_image_bytes(const struct slot *s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s->count; i++) {
        sum += s->partitions[i].info->image_size; // each fits its device: no overflow
    }
    return sum;
}

enum err slot_sync(const struct slot *s, struct error *e)
{
    for (size_t i = 0; i < s->count; i++) {
        enum err err = blk_sync(s->partitions[i].blk, e);
        if (err != OK) {
            return error_context(e, "slot %s, partition %s", s->name, s->partitions[i].info->name);
        }
    }
    return OK;
}
