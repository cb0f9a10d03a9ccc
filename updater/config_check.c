// SPDX-License-Identifier: Apache-2.0
#include "updater/config_check.h"

#include <string.h>

const struct conf_entry *config_entry(const struct config *c, const char *kind, const char *name,
                                      const char *key)
{
    char section[2 * NAME_MAX_LEN + 2];
    snprintf(section, sizeof section, "%s%s%s", kind, name != NULL ? " " : "",
             name != NULL ? name : "");
    for (size_t i = 0; i < c->raw.count; i++) {
        const struct conf_entry *entry = &c->raw.entries[i];
        if (strcmp(entry->section, section) == 0 && strcmp(entry->key, key) == 0) {
            return entry;
        }
    }
    return NULL;
}

// Every partition of both slots.
struct places {
    size_t count;
    struct place {
        const struct config_slot *slot;
        const struct config_partition *partition;
    } of[SLOT_COUNT * MANIFEST_PARTITIONS_MAX];
};

static struct places list_places(const struct config *c)
{
    struct places all = {0};
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        for (size_t i = 0; i < c->slots[s].partition_count; i++) {
            all.of[all.count++] = (struct place){&c->slots[s], &c->slots[s].partitions[i]};
        }
    }
    return all;
}

static const struct conf_entry *entry_of(const struct config *c, const struct place *p)
{
    return config_entry(c, "slot", p->slot->name, p->partition->name);
}

static bool has_partition(const struct config_slot *slot, const char *name)
{
    for (size_t i = 0; i < slot->partition_count; i++) {
        if (strcmp(slot->partitions[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static enum err check_same_names(const struct config *c, struct error *e)
{
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        const struct config_slot *slot = &c->slots[s];
        const struct config_slot *other = &c->slots[SLOT_COUNT - 1 - s];
        for (size_t i = 0; i < slot->partition_count; i++) {
            const char *name = slot->partitions[i].name;
            if (!has_partition(other, name)) {
                return conf_fail(e, config_entry(c, "slot", slot->name, name),
                                 "[slot %s] has a partition of this name, [slot %s] has not",
                                 slot->name, other->name);
            }
        }
    }
    return OK;
}

static enum err check_boot_names(const struct config *c, struct error *e)
{
    const struct boot_slot *a = &c->boot.slots[0];
    const struct boot_slot *b = &c->boot.slots[1];
    if (strcmp(a->bootname, b->bootname) == 0) {
        return conf_fail(e, config_entry(c, "slot", b->name, "bootname"),
                         "[slot %s] has the same boot name as [slot %s]", b->name, a->name);
    }
    // rauc.slot= may hold either: a boot name that is the other slot's name names two slots.
    if (strcmp(a->bootname, b->name) == 0 || strcmp(b->bootname, a->name) == 0) {
        const struct boot_slot *wrong = strcmp(a->bootname, b->name) == 0 ? a : b;
        return conf_fail(e, config_entry(c, "slot", wrong->name, "bootname"),
                         "[slot %s] has the name of the other slot as its boot name", wrong->name);
    }
    if (a->bootvalue[0] != '\0' && strcmp(a->bootvalue, b->bootvalue) == 0) {
        return conf_fail(e, config_entry(c, "slot", b->name, "bootvalue"),
                         "[slot %s] has the same boot value as [slot %s]", b->name, a->name);
    }
    return OK;
}

static enum err check_there(const struct config *c, const struct place *p,
                            const struct block_view *view, struct error *e)
{
    struct stat st;
    if (view->stat(p->partition->path, &st) != 0) {
        const struct conf_entry *entry = entry_of(c, p);
        return fail(e, ERR_CONFIG, errno, "%s:%u: %s: [slot %s] %s", entry->file, entry->line,
                    entry->key, p->slot->name, p->partition->path);
    }
    if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode)) {
        return conf_fail(e, entry_of(c, p),
                         "[slot %s] %s is neither a block device nor a regular file", p->slot->name,
                         p->partition->path);
    }
    return OK;
}

static enum err check_unlike(const struct config *c, const struct place *p, const struct place *q,
                             const struct block_view *view, struct error *e)
{
    struct block_id a;
    struct block_id b;
    bool known =
        block_id_of(view, p->partition->path, &a) && block_id_of(view, q->partition->path, &b);
    if (known && a.dev == b.dev && a.ino == b.ino) {
        return conf_fail(e, entry_of(c, p),
                         "[slot %s] %s is the same device or file as %s of [slot %s]",
                         p->slot->name, p->partition->path, q->partition->name, q->slot->name);
    }
    return OK;
}

static enum err check_places(const struct config *c, const struct places *all,
                             const struct block_view *view, struct error *e)
{
    for (size_t i = 0; i < all->count; i++) {
        enum err err = check_there(c, &all->of[i], view, e);
        for (size_t j = 0; j < i && err == OK; j++) {
            err = check_unlike(c, &all->of[i], &all->of[j], view, e);
        }
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

static enum err check_state_dir(const struct config *c, const struct places *all,
                                const struct block_view *view, struct error *e)
{
    const struct conf_entry *entry = config_entry(c, "device", NULL, "state_dir");
    struct stat st;
    if (view->stat(c->state_dir, &st) != 0) {
        return fail(e, ERR_CONFIG, errno, "%s:%u: %s: [device] %s", entry->file, entry->line,
                    entry->key, c->state_dir);
    }
    if (!S_ISDIR(st.st_mode)) {
        return conf_fail(e, entry, "[device] %s is not a directory", c->state_dir);
    }
    struct block_stack below;
    enum err err = block_stack_under(view, c->state_dir, LAYER_UPPER, &below, e);
    if (err != OK) {
        return err;
    }
    for (size_t i = 0; i < all->count; i++) {
        const struct place *p = &all->of[i];
        struct block_id id;
        if (block_id_of(view, p->partition->path, &id) && block_stack_has(&below, id)) {
            return conf_fail(e, entry,
                             "[device] %s lies on %s of [slot %s] and would be lost at the "
                             "switch; put it on a partition that both slots share",
                             c->state_dir, p->partition->name, p->slot->name);
        }
    }
    return OK;
}

static enum err check_fleet(const struct config *c, struct error *e)
{
    const struct config_fleet *f = &c->fleet;
    if (f->source == FLEET_DIR && (f->dir == NULL) == (f->url == NULL)) {
        return conf_fail(e, config_entry(c, "fleet", NULL, "source"),
                         "[fleet] the source dir wants either dir or url");
    }
    return OK;
}

enum err config_check(const struct config *c, const struct block_view *view, struct error *e)
{
    struct places all = list_places(c);
    enum err err = check_boot_names(c, e);
    if (err == OK) {
        err = check_same_names(c, e);
    }
    if (err == OK) {
        err = check_fleet(c, e);
    }
    if (err == OK) {
        err = check_places(c, &all, view, e);
    }
    return err == OK ? check_state_dir(c, &all, view, e) : err;
}
