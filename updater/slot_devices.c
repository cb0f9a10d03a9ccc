// SPDX-License-Identifier: Apache-2.0
#include "updater/slot_devices.h"

#include <limits.h>
#include <string.h>

// Which slot has this partition; SLOT_NONE for neither.
static int slot_with(const struct config *c, const struct block_view *view, struct block_id id)
{
    for (int s = 0; s < SLOT_COUNT; s++) {
        for (size_t i = 0; i < c->slots[s].partition_count; i++) {
            struct block_id own;
            if (block_id_of(view, c->slots[s].partitions[i].path, &own) && own.dev == id.dev &&
                own.ino == id.ino) {
                return s;
            }
        }
    }
    return SLOT_NONE;
}

int slot_of_root(const struct config *c, const struct block_view *view, const char *root)
{
    static const struct {
        const char *prefix;
        const char *dir;
    } kinds[] = {{"PARTLABEL=", "by-partlabel"},
                 {"PARTUUID=", "by-partuuid"},
                 {"UUID=", "by-uuid"},
                 {"LABEL=", "by-label"}};
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", root);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t len = strlen(kinds[i].prefix);
        if (strncmp(root, kinds[i].prefix, len) == 0) {
            snprintf(path, sizeof path, "%s/%s/%s", view->disk_by, kinds[i].dir, root + len);
        }
    }
    struct block_id id;
    if (path[0] != '/' || !block_id_of(view, path, &id)) {
        return SLOT_NONE;
    }
    return slot_with(c, view, id);
}

// Whether the slot has a partition that is a block device, and whether `below` has one of these.
static bool has_block_device(const struct config_slot *slot, const struct block_view *view,
                             const struct block_stack *below, bool *ret_is_below)
{
    bool any = false;
    *ret_is_below = false;
    for (size_t i = 0; i < slot->partition_count; i++) {
        struct block_id id;
        if (block_id_of(view, slot->partitions[i].path, &id) && id.ino == 0) {
            any = true;
            *ret_is_below = *ret_is_below || block_stack_has(below, id);
        }
    }
    return any;
}

enum err slot_check_root(const struct config *c, const struct block_view *view, const char *root,
                         int slot, struct error *e)
{
    struct block_stack below;
    enum err err = block_stack_under(view, root, LAYER_LOWER, &below, e);
    if (err != OK) {
        return err;
    }
    bool is_below;
    if (has_block_device(&c->slots[slot], view, &below, &is_below) && !is_below) {
        return fail(e, ERR_NOT_NOW, 0,
                    "the kernel command line names slot %s, but %s is not mounted from one of its "
                    "partitions: running slot unclear",
                    c->slots[slot].name, root);
    }
    int other = SLOT_COUNT - 1 - slot;
    if (has_block_device(&c->slots[other], view, &below, &is_below) && is_below) {
        return fail(e, ERR_NOT_NOW, 0,
                    "the kernel command line names slot %s, but %s is mounted from slot %s: "
                    "running slot unclear",
                    c->slots[slot].name, root, c->slots[other].name);
    }
    return OK;
}

static bool found_by_label(const char *path)
{
    return strstr(path, "/by-partlabel/") != NULL || strstr(path, "/by-label/") != NULL;
}

// The disk of the first partition of a slot that is a block device; false when there is none or
// the kernel does not show it.
static bool disk_of_slot(const struct config_slot *slot, const struct block_view *view,
                         char ret[BLOCK_DISK_MAX])
{
    for (size_t i = 0; i < slot->partition_count; i++) {
        struct block_id id;
        if (block_id_of(view, slot->partitions[i].path, &id) && id.ino == 0) {
            return block_disk_of(view, id.dev, ret);
        }
    }
    return false;
}

enum err slot_check_disk(const struct config *c, const struct block_view *view, int running,
                         struct error *e)
{
    const struct config_slot *target = &c->slots[SLOT_COUNT - 1 - running];
    char running_disk[BLOCK_DISK_MAX];
    if (!disk_of_slot(&c->slots[running], view, running_disk)) {
        return OK;
    }
    for (size_t i = 0; i < target->partition_count; i++) {
        const struct config_partition *p = &target->partitions[i];
        struct block_id id;
        char disk[BLOCK_DISK_MAX];
        if (!found_by_label(p->path) || !block_id_of(view, p->path, &id) || id.ino != 0) {
            continue;
        }
        if (!block_disk_of(view, id.dev, disk) || strcmp(disk, running_disk) != 0) {
            return fail(e, ERR_NOT_NOW, 0,
                        "slot %s: %s leads to another disk than the one slot %s runs from; is "
                        "there a second disk with the same label?",
                        target->name, p->path, c->slots[running].name);
        }
    }
    return OK;
}
